//! What routers, transports, producers and consumers have in common: names, the end, listeners, children.
//!
//! Knows one entity's life. Does not know its kind. Invariant: an entity closes exactly once; what is said about it
//! on the pipe afterwards is dropped, and its last event is the reason.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;

use crate::connection::Connection;
use crate::error::RequestError;
use crate::events::{Emitter, Event, Events};
use crate::random::random_id;
use crate::sync::lock;

/// Why an entity is closed. The names in parentheses are those of the events in mediasoup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// By its own `close()`, or because its last handle was dropped.
    Requested,
    /// Its producer was closed (`producerclose`).
    ProducerClosed,
    /// Its transport was closed (`transportclose`).
    TransportClosed,
    /// Its router was closed (`routerclose`).
    RouterClosed,
    /// Its worker was closed or died (`workerclose`).
    WorkerClosed,
    /// The WebRTC server that it listens on was closed (`listenserverclose`).
    ListenServerClosed,
    /// A defect of the worker was contained by closing this transport.
    InternalError,
}

/// An event type whose last one tells why the entity was closed.
pub(crate) trait EntityEvent: Event {
    fn closed(reason: CloseReason) -> Self;
}

/// The common part of an entity.
#[derive(Debug)]
pub(crate) struct Entity<E> {
    /// The public id.
    pub(crate) id: String,
    /// The number on the wire.
    pub(crate) number: u64,
    pub(crate) connection: Arc<Connection>,
    kind: &'static str,
    closed: AtomicBool,
    emitter: Emitter<E>,
}

impl<E: EntityEvent> Entity<E> {
    pub(crate) fn new(kind: &'static str, connection: &Arc<Connection>) -> Self {
        Self {
            id: random_id(),
            number: connection.new_id(),
            connection: Arc::clone(connection),
            kind,
            closed: AtomicBool::new(false),
            emitter: Emitter::new(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Refuses what needs an open entity.
    pub(crate) fn ensure_open(&self) -> Result<(), RequestError> {
        if self.is_closed() { Err(self.closed_error()) } else { Ok(()) }
    }

    pub(crate) fn events(&self) -> Events<E> {
        self.emitter.listen()
    }

    pub(crate) fn emit(&self, event: E) {
        if !self.is_closed() {
            self.emitter.emit(event);
        }
    }

    /// Marks it closed; false when it was already. The caller sees to its children and to the worker.
    pub(crate) fn shut(&self, reason: CloseReason) -> bool {
        if self.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.connection.forget(self.number);
        self.emitter.emit(E::closed(reason));
        self.emitter.end();
        true
    }

    /// A request about this entity.
    pub(crate) async fn request<T: Send + 'static>(
        &self,
        command: Command,
        take_effect: impl FnOnce(Reply) -> Option<T> + Send + 'static,
    ) -> Result<T, RequestError> {
        self.ensure_open()?;
        self.connection.request(command, take_effect).await
    }

    /// Likewise, when a plain yes is the answer; `take_effect` runs on it.
    pub(crate) async fn command(
        &self,
        command: Command,
        take_effect: impl FnOnce() + Send + 'static,
    ) -> Result<(), RequestError> {
        let done = |reply| matches!(reply, Reply::Done).then(take_effect);
        self.request(command, done).await
    }

    fn closed_error(&self) -> RequestError {
        // A worker that is gone explains more than "closed".
        self.connection.ended().unwrap_or(RequestError::Closed(self.kind))
    }
}

/// After the creation of an entity that failed, which `shut` closes on this side: what was refused does not exist in the
/// worker, so there is nothing to close there. Whatever else went wrong, it may exist, and is closed when it is dropped.
pub(crate) fn on_creation_failed(error: &RequestError, shut: impl FnOnce(CloseReason) -> bool) {
    if error.kind().is_some() {
        shut(CloseReason::Requested);
    }
}

/// The open children of an entity, which they keep alive; not the other way round.
#[derive(Debug)]
pub(crate) struct Children<T>(Mutex<BTreeMap<u64, Weak<T>>>);

impl<T> Children<T> {
    pub(crate) fn insert(&self, number: u64, child: &Arc<T>) {
        lock(&self.0).insert(number, Arc::downgrade(child));
    }

    pub(crate) fn remove(&self, number: u64) {
        lock(&self.0).remove(&number);
    }

    /// All of them, in order of creation, to be closed by the caller while nothing is locked.
    pub(crate) fn take(&self) -> Vec<Arc<T>> {
        let children = std::mem::take(&mut *lock(&self.0));
        children.into_values().filter_map(|child| child.upgrade()).collect()
    }
}

impl<T> Default for Children<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
