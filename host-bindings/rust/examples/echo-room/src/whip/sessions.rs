//! Which sessions there are, and when one ends by itself.
//!
//! Invariant: no more are open than there are places, and none outlives its transport.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tidegate::{ConsumerEvent, DtlsState, Events, IceState, TransportEvent};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::limits::RoomName;
use crate::room::Door;
use crate::whip::refusal::Refusal;
use crate::whip::session::{Made, Session};

/// All sessions, by their unguessable names.
#[derive(Debug)]
pub(crate) struct Sessions {
    open: Mutex<BTreeMap<String, Arc<Session>>>,
    places: Arc<Semaphore>,
    most: usize,
}

impl Sessions {
    pub(crate) fn new(most: usize) -> Self {
        Self { open: Mutex::default(), places: Arc::new(Semaphore::new(most)), most }
    }

    /// A place for one more.
    pub(crate) fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refusal::TooMany(self.most))
    }

    /// Takes one in and sees to its end; its name and its answer.
    pub(crate) fn open(
        self: &Arc<Self>,
        made: Made,
        patience: Duration,
    ) -> Result<(String, String, String), Refusal> {
        let name = random_name()?;
        let Made { session, answer, events, played } = made;
        let etag = session.etag();
        self.sessions().insert(name.clone(), Arc::new(session));
        tokio::spawn(see_to(Arc::downgrade(self), name.clone(), events, played, patience));
        Ok((name, etag, answer))
    }

    /// One by its name, if it came by this door into this room.
    pub(crate) fn find(&self, door: Door, room: &RoomName, name: &str) -> Result<Arc<Session>, Refusal> {
        let found = self.sessions().get(name).cloned();
        found.filter(|session| session.door == door && session.room == *room).ok_or(Refusal::Unknown)
    }

    /// Ends one.
    pub(crate) fn close(&self, name: &str) {
        // Nothing is locked any more when it is dropped.
        let closed = self.sessions().remove(name);
        if let Some(session) = closed {
            session.close();
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for what ends a session by itself, and ends it.
async fn see_to(
    sessions: Weak<Sessions>,
    name: String,
    events: Events<TransportEvent>,
    played: Vec<Events<ConsumerEvent>>,
    patience: Duration,
) {
    tokio::select! {
        () = is_gone(events, patience) => {}
        () = has_ended(played) => {}
    }
    if let Some(sessions) = sessions.upgrade() {
        sessions.close(&name);
    }
}

/// Done when the client is gone, never came, or the worker died.
async fn is_gone(mut events: Events<TransportEvent>, patience: Duration) {
    let (mut ice, mut dtls) = (IceState::New, DtlsState::New);
    let mut until = Instant::now() + patience;
    loop {
        let is_connected =
            matches!(ice, IceState::Connected | IceState::Completed) && dtls == DtlsState::Connected;
        let event = tokio::select! {
            event = events.next() => event,
            () = sleep_until(until), if !is_connected => return,
        };
        match event {
            Some(TransportEvent::IceState(state)) => ice = state,
            Some(TransportEvent::DtlsState(DtlsState::Failed | DtlsState::Closed)) => return,
            Some(TransportEvent::DtlsState(state)) => dtls = state,
            Some(TransportEvent::Closed(_)) | None => return,
            Some(_) => {}
        }
        if is_connected {
            // Another patience after a break.
            until = Instant::now() + patience;
        }
    }
}

/// Done when the last of what is played was closed; never where nothing is.
async fn has_ended(played: Vec<Events<ConsumerEvent>>) {
    if played.is_empty() {
        std::future::pending::<()>().await;
    }
    for mut events in played {
        while events.next().await.is_some() {}
    }
}

/// 128 bits that nobody can guess: knowing a session's address is the right to end it (RFC 9725 5).
fn random_name() -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| Refusal::Down { reason: format!("no randomness: {error}"), retry_s: 1 })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
