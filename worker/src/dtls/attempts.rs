//! A handshake and the attempts that it takes: which engine, when to begin anew, what to hold meanwhile.
//!
//! Knows engines through their trait. Does not know what comes after Finished. Owned by [`super::Dtls`] while it
//! connects. Invariant: begins anew [`RESTARTS_MAX`] times at most, and ends after [`HANDSHAKE_TIME_MAX`].

use std::sync::Arc;

use super::engine::Engine;
use super::{
    ALERT_BELIEVED_AFTER, Context, Failure, Fingerprint, Flights, HANDSHAKE_TIME_MAX, RESTARTS_MAX, Role,
    Version, wire,
};
#[cfg(feature = "dtls12")]
use super::{hello, v12};
use crate::base::time::Time;

/// A handshake and those before it that led nowhere.
#[derive(Debug)]
pub(super) struct Attempts {
    role: Role,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) engine: Option<Box<dyn Engine>>,
    #[cfg(feature = "dtls12")]
    hello: hello::Hello,
    /// Of a ClientHello that is not whole, or what waits for another turn.
    pub(super) held: Held,
    pub(super) is_waiting: bool,
    restarts: u32,
    /// Set once something came or was sent.
    give_up_at: Option<Time>,
    /// An alert that nothing protects, and when to believe it.
    alert: Option<(u8, Time)>,
    /// Why the first attempt ended: what ends the next ones may be its echo, answers to what is no longer asked.
    first: Option<Failure>,
}

/// Datagrams that cannot be worked on yet.
#[derive(Debug, Default)]
pub(super) struct Held(pub(super) Vec<Box<[u8]>>);

impl Attempts {
    pub(super) fn new(role: Role, fingerprints: Vec<Fingerprint>, held: Held) -> Self {
        Self {
            role,
            fingerprints,
            engine: None,
            #[cfg(feature = "dtls12")]
            hello: hello::Hello::default(),
            is_waiting: false,
            held,
            restarts: 0,
            give_up_at: None,
            alert: None,
            first: None,
        }
    }

    pub(super) fn begin_as_client(&mut self, context: &Arc<Context>, now: Time) -> Result<(), Failure> {
        self.give_up_at.get_or_insert(now + HANDSHAKE_TIME_MAX);
        let first = context.offers == Version::Dtls13;
        // Another attempt is worth more with the other engine.
        let is_modern = first == self.restarts.is_multiple_of(2);
        self.engine = Some(client_engine(context, is_modern, now)?);
        Ok(())
    }

    pub(super) fn receive(
        &mut self,
        context: &Arc<Context>,
        now: Time,
        datagram: &[u8],
        flights: &mut Flights,
    ) -> Result<(), Failure> {
        self.give_up_at.get_or_insert(now + HANDSHAKE_TIME_MAX);
        if wire::is_plain_alert(datagram) {
            if let Some(description) = wire::plain_fatal_alert(datagram) {
                self.alert.get_or_insert((description, now + ALERT_BELIEVED_AFTER));
            }
            return Ok(());
        }
        // In order: what came earlier and waits goes first.
        if self.is_waiting || wire::may_be_costly(datagram) && !flights.take() {
            self.is_waiting = true;
            self.held.push(datagram);
            return Ok(());
        }
        let taken = self.take(context, now, datagram);
        taken.or_else(|failure| self.restart(context, now, failure))
    }

    fn take(&mut self, context: &Arc<Context>, now: Time, datagram: &[u8]) -> Result<(), Failure> {
        if self.engine.is_none() {
            return self.begin_as_server(context, now, datagram);
        }
        let Some(engine) = &mut self.engine else { return Ok(()) };
        engine.receive(now, datagram)?;
        // The peer goes on.
        self.alert = None;
        Ok(())
    }

    /// Waits for the whole ClientHello, and has it answered by the engine that it is for.
    fn begin_as_server(&mut self, context: &Arc<Context>, now: Time, datagram: &[u8]) -> Result<(), Failure> {
        self.held.push(datagram);
        let Some(mut engine) = self.server_engine(context, now, datagram)? else { return Ok(()) };
        for datagram in std::mem::take(&mut self.held).0 {
            engine.receive(now, &datagram)?;
        }
        self.engine = Some(engine);
        Ok(())
    }

    #[cfg(feature = "dtls12")]
    fn server_engine(
        &mut self,
        context: &Arc<Context>,
        now: Time,
        datagram: &[u8],
    ) -> Result<Option<Box<dyn Engine>>, Failure> {
        Ok(match self.hello.offers_dtls13(datagram) {
            None => None,
            Some(true) => Some(context.modern(Role::Server, now)?),
            Some(false) => Some(Box::new(v12::Session::server(Arc::clone(context)))),
        })
    }

    #[cfg(not(feature = "dtls12"))]
    fn server_engine(
        &self,
        context: &Arc<Context>,
        now: Time,
        _: &[u8],
    ) -> Result<Option<Box<dyn Engine>>, Failure> {
        context.modern(Role::Server, now).map(Some)
    }

    /// What is not authentic must not end a handshake: begins again, a few times.
    fn restart(&mut self, context: &Arc<Context>, now: Time, failure: Failure) -> Result<(), Failure> {
        if self.restarts == RESTARTS_MAX || failure == Failure::Timeout {
            return Err(self.first.take().unwrap_or(failure));
        }
        self.restarts += 1;
        self.first.get_or_insert(failure);
        self.alert = None;
        self.held = Held::default();
        #[cfg(feature = "dtls12")]
        {
            self.hello = hello::Hello::default();
        }
        self.engine = None;
        if self.role == Role::Client { self.begin_as_client(context, now) } else { Ok(()) }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let engine = self.engine.as_ref().and_then(|engine| engine.next_deadline());
        let believed = self.alert.map(|(_, at)| at);
        [engine, believed, self.give_up_at].into_iter().flatten().min()
    }

    pub(super) fn on_deadline(&mut self, context: &Arc<Context>, now: Time) -> Result<(), Failure> {
        if self.give_up_at.is_some_and(|at| at <= now) {
            return Err(self.first.take().unwrap_or(Failure::Timeout));
        }
        if let Some((description, _)) = self.alert.filter(|(_, at)| *at <= now) {
            return self.restart(context, now, Failure::Alert(description));
        }
        let Some(engine) = &mut self.engine else { return Ok(()) };
        if engine.next_deadline().is_some_and(|at| at <= now) {
            engine.on_deadline(now).or_else(|failure| self.restart(context, now, failure))?;
        }
        Ok(())
    }
}

#[cfg(feature = "dtls12")]
fn client_engine(context: &Arc<Context>, is_modern: bool, now: Time) -> Result<Box<dyn Engine>, Failure> {
    if is_modern {
        context.modern(Role::Client, now)
    } else {
        Ok(Box::new(v12::Session::client(Arc::clone(context))?))
    }
}

#[cfg(not(feature = "dtls12"))]
fn client_engine(context: &Arc<Context>, _: bool, now: Time) -> Result<Box<dyn Engine>, Failure> {
    context.modern(Role::Client, now)
}

impl Held {
    /// Keeps a copy; when there is no room the oldest goes, for the peer sends it again.
    pub(super) fn push(&mut self, datagram: &[u8]) {
        if datagram.len() > HELD_BYTES_MAX {
            return;
        }
        let bytes = |held: &Self| held.0.iter().map(|datagram| datagram.len()).sum::<usize>();
        while self.0.len() >= HELD_MAX || bytes(self) + datagram.len() > HELD_BYTES_MAX {
            self.0.remove(0);
        }
        self.0.push(datagram.into());
    }
}

/// A browser's ClientHello is two datagrams, GStreamer's whole second flight four.
pub(super) const HELD_MAX: usize = 8;
pub(super) const HELD_BYTES_MAX: usize = 6 * 1_024;
