//! TCP listeners and connections of the whole worker in one table (RFC 4571 frames are datagrams to the core).
//!
//! Knows streams, frames, and who has shown who they are because the core said so. Does not know STUN nor transports.
//! Called by the event loop to receive, and by the core through [`Network`](crate::network::Network).
//! Invariant: at most [`STRANGERS_MAX`] connections are there whose peer has shown nothing, each for [`STRANGER_TIME`];
//! the core hears of the end of every other one that it did not close itself.

mod connection;
mod queue;
mod scratch;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};

use self::connection::{Connection, Reading};
use self::queue::QUEUE_BYTES_MAX;
use self::scratch::Scratch;
use super::address::canonical_address;
use super::bind;
use super::clock::Moment;
use super::udp::token;
use crate::base::pool::Pool;
use crate::base::time::Time;
use crate::counters::TcpCounters;
use crate::network::{BindError, BindOptions, Bound, Datagram, SendBatch, SocketKey, SocketStats};

/// All TCP sockets of a worker.
#[derive(Debug)]
pub struct TcpSockets {
    registry: Registry,
    slots: Vec<Option<Socket>>,
    generation: u32,
    open: usize,
    ready: VecDeque<SocketKey>,
    /// Connections whose peer has shown nothing yet, oldest first, and until when they may.
    strangers: VecDeque<(Time, SocketKey)>,
    /// Listeners that wait for descriptors, and until when.
    starved: Vec<SocketKey>,
    retry_at: Option<Time>,
    /// Connections that ended by themselves and that the core knows.
    closed: VecDeque<SocketKey>,
    scratch: Scratch,
    queued_bytes: usize,
    /// That many may wait on all connections.
    queued_bytes_max: usize,
    counters: TcpCounters,
}

#[derive(Debug)]
struct Socket {
    in_ready_list: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Listener { key: SocketKey, listener: TcpListener, wildcard: bool },
    Connection(Box<Connection>),
}

// With debug assertions: mio keeps eight bytes more of a source then.
const _: () = assert!(size_of::<Socket>() <= 40 && size_of::<Connection>() <= 304);

impl TcpSockets {
    /// No sockets yet; `registry` will tell when one is ready, with the token of its key. The queues of all connections take
    /// an eighth of `packet_memory_limit_bytes` at most, or one full queue.
    pub fn new(registry: Registry, packet_memory_limit_bytes: usize) -> Self {
        Self {
            registry,
            slots: Vec::new(),
            generation: 0,
            open: 0,
            ready: VecDeque::new(),
            strangers: VecDeque::new(),
            starved: Vec::new(),
            retry_at: None,
            closed: VecDeque::new(),
            scratch: Scratch::default(),
            queued_bytes: 0,
            queued_bytes_max: (packet_memory_limit_bytes / QUEUES_SHARE).max(QUEUE_BYTES_MAX),
            counters: TcpCounters::default(),
        }
    }

    /// Whether a key is of this table and not of UDP's.
    pub const fn owns(key: SocketKey) -> bool {
        key.slot() & TCP_BIT != 0
    }

    /// Opens a listener.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn listen(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        let fd = bind::bind(bind::Kind::Stream, options, start)?;
        let refused = |error: io::Error| bind::bind_error(&error);
        bind::listen(fd.as_raw_fd(), ACCEPT_BACKLOG).map_err(refused)?;
        let local = bind::local_address(fd.as_raw_fd()).map_err(refused)?;
        let buffer_bytes = |name| bind::option(fd.as_raw_fd(), libc::SOL_SOCKET, name).map_err(refused);
        let send_buffer_bytes = buffer_bytes(libc::SO_SNDBUF)?.unsigned_abs();
        let receive_buffer_bytes = buffer_bytes(libc::SO_RCVBUF)?.unsigned_abs();
        let mut listener = TcpListener::from_std(StdTcpListener::from(fd));
        let key = self.next_key().map_err(refused)?;
        self.registry.register(&mut listener, token(key), Interest::READABLE).map_err(refused)?;
        let wildcard = local.ip().is_unspecified();
        self.insert(key, Kind::Listener { key, listener, wildcard });
        Ok(Bound { socket: key, local, send_buffer_bytes, receive_buffer_bytes })
    }

    /// Takes note of an event of the registry. Stale ones do nothing.
    pub fn on_event(&mut self, key: SocketKey, readable: bool, writable: bool, read_closed: bool) {
        if let Some(Kind::Connection(connection)) = self.kind_mut(key) {
            connection.read_closed |= read_closed;
        }
        if readable || read_closed {
            self.mark_ready(key);
        }
        if writable {
            self.change(key, |connection| connection.flush());
        }
    }

    /// Sockets that may have something to read or to accept.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Reads once from the connection whose turn it is and appends its frames to `into`, or accepts from the listener
    /// whose turn it is. Answers how many frames.
    pub fn receive_next(&mut self, pool: &mut Pool, moment: &Moment, into: &mut Vec<Datagram>) -> usize {
        let Some(key) = self.ready.pop_front() else { return 0 };
        let before = into.len();
        let Some(socket) = find(&mut self.slots, key) else { return 0 };
        socket.in_ready_list = false;
        match &mut socket.kind {
            Kind::Listener { .. } => self.accept(key, moment.now),
            Kind::Connection(connection) => {
                match connection.read(self.scratch.receive_room(), pool, moment.now, into) {
                    Reading::More => self.mark_ready(key),
                    Reading::Drained => {}
                    Reading::Over => self.end(key),
                }
            }
        }
        into.len() - before
    }

    /// A connection that ended by itself and that the core knows.
    pub fn next_closed(&mut self) -> Option<SocketKey> {
        self.closed.pop_front()
    }

    /// Whether [`Self::next_closed`] has something to say.
    pub fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// When [`Self::on_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        let stranger = self.strangers.front().map(|(until, _)| *until);
        [stranger, self.retry_at].into_iter().flatten().min()
    }

    /// Ends connections whose peer has shown nothing in time, and tries again where descriptors were missing.
    pub fn on_deadline(&mut self, now: Time) {
        while let Some((_, key)) = self.strangers.pop_front_if(|(until, _)| *until <= now) {
            self.counters.closed_unauthenticated += 1;
            self.remove(key);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            for listener in std::mem::take(&mut self.starved) {
                self.mark_ready(listener);
            }
        }
    }

    /// See [`Network::authenticate`](crate::network::Network::authenticate).
    pub fn authenticate(&mut self, key: SocketKey) -> bool {
        let Some(Kind::Connection(connection)) = self.kind_mut(key) else { return false };
        if !std::mem::replace(&mut connection.authenticated, true) {
            self.forget_stranger(key);
        }
        true
    }

    /// See [`Network::listener_of`](crate::network::Network::listener_of).
    pub fn listener_of(&self, key: SocketKey) -> Option<SocketKey> {
        match self.kind(key)? {
            Kind::Connection(connection) => Some(connection.listener),
            Kind::Listener { .. } => None,
        }
    }

    /// Closes a socket; of a listener its connections too, of which the core hears. A stale key does nothing.
    pub fn close(&mut self, key: SocketKey) {
        if let Some(Kind::Listener { .. }) = self.remove(key) {
            let connections = self.slots.iter().flatten().filter_map(|socket| match &socket.kind {
                Kind::Connection(connection) if connection.listener == key => Some(connection.key),
                _ => None,
            });
            for connection in connections.collect::<Vec<_>>() {
                self.end(connection);
            }
        }
    }

    /// Sends the messages of `batch` that are for connections; others are passed over.
    pub fn send(&mut self, batch: &SendBatch) {
        let mut gathered: Option<SocketKey> = None;
        for message in batch.messages().iter().filter(|message| Self::owns(message.to.socket)) {
            if gathered.is_some_and(|key| key != message.to.socket || self.scratch.is_full()) {
                self.send_gathered(gathered.take());
            }
            gathered = Some(message.to.socket);
            self.scratch.gather(message, batch.bytes(message));
        }
        self.send_gathered(gathered);
    }

    /// Counters of one socket; `None` for a stale key.
    pub fn socket_stats(&self, key: SocketKey) -> Option<SocketStats> {
        match self.kind(key)? {
            Kind::Connection(connection) => Some(connection.stats),
            Kind::Listener { .. } => Some(SocketStats::default()),
        }
    }

    /// Counters over all sockets.
    pub const fn counters(&self) -> &TcpCounters {
        &self.counters
    }

    /// Listeners and connections that are open.
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Bytes that wait to be sent.
    pub const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Gives memory back that nobody used since the last call. To be called about once a second.
    pub fn reclaim(&mut self) {
        if !std::mem::take(&mut self.scratch.used_since_reclaim) {
            self.scratch = Scratch::default();
        }
        for socket in self.slots.iter_mut().flatten() {
            if let Kind::Connection(connection) = &mut socket.kind {
                connection.queue.reclaim();
            }
        }
    }

    fn accept(&mut self, key: SocketKey, now: Time) {
        for _ in 0..ACCEPTS_IN_A_ROW {
            let Some(Kind::Listener { listener, wildcard, .. }) = self.kind(key) else { return };
            let wildcard = *wildcard;
            match listener.accept() {
                Ok((stream, remote)) => {
                    // A peer that is gone already is no trouble of the listener's.
                    if self.welcome(key, stream, remote, wildcard, now).is_ok() {
                        self.counters.accepted += 1;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_starvation(&error) => {
                    self.counters.starved += 1;
                    self.starved.push(key);
                    self.retry_at = Some(now + STARVED_TIME);
                    return;
                }
                Err(_) => {}
            }
        }
        self.mark_ready(key);
    }

    fn welcome(
        &mut self,
        listener: SocketKey,
        mut stream: TcpStream,
        remote: SocketAddr,
        wildcard: bool,
        now: Time,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let key = self.next_key()?;
        self.registry.register(&mut stream, token(key), Interest::READABLE | Interest::WRITABLE)?;
        let mut connection = Connection::new(key, listener, stream, canonical_address(remote));
        connection.local_ip = wildcard.then(|| canonical_address(local).ip());
        self.insert(key, Kind::Connection(Box::new(connection)));
        if self.strangers.len() >= STRANGERS_MAX
            && let Some((_, oldest)) = self.strangers.pop_front()
        {
            self.counters.closed_displaced += 1;
            self.remove(oldest);
        }
        self.strangers.push_back((now + STRANGER_TIME, key));
        Ok(())
    }

    fn send_gathered(&mut self, key: Option<SocketKey>) {
        let Some(key) = key else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        self.counters.sent_frames += scratch.frames.len() as u64;
        self.change(key, |connection| connection.send(&scratch.outgoing, &scratch.frames));
        scratch.outgoing.clear();
        scratch.frames.clear();
        self.scratch = scratch;
        while self.queued_bytes > self.queued_bytes_max {
            self.relieve_fullest();
        }
    }

    /// All queues together are too long. That of the peer which reads least gives up its video, or ends when it has none.
    fn relieve_fullest(&mut self) {
        let queues = self.slots.iter().flatten().filter_map(|socket| match &socket.kind {
            Kind::Connection(connection) => Some((connection.queue.held_bytes(), connection.key)),
            Kind::Listener { .. } => None,
        });
        let Some((held_bytes, key)) = queues.max_by_key(|(held_bytes, _)| *held_bytes) else { return };
        self.change(key, |connection| {
            connection.give_up_video();
            let is_relieved = connection.queue.held_bytes() < held_bytes;
            if is_relieved { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
        });
    }

    /// Lets a connection write, and keeps the sums. One that cannot go on ends.
    fn change(&mut self, key: SocketKey, act: impl FnOnce(&mut Connection) -> io::Result<()>) {
        let Some(Kind::Connection(connection)) = self.kind_mut(key) else { return };
        let (held, dropped) = (connection.queue.held_bytes(), connection.stats.dropped_send_buffer);
        let done = act(connection);
        let (holds, drops) = (connection.queue.held_bytes(), connection.stats.dropped_send_buffer);
        self.queued_bytes = self.queued_bytes + holds - held;
        self.counters.dropped_queue_full += drops - dropped;
        if let Err(error) = done {
            self.counters.closed_queue_full += u64::from(error.kind() == io::ErrorKind::TimedOut);
            self.end(key);
        }
    }

    /// Ends a connection for a reason that is not the core's.
    fn end(&mut self, key: SocketKey) {
        if let Some(Kind::Connection(connection)) = self.remove(key)
            && connection.authenticated
        {
            self.closed.push_back(key);
        }
    }

    fn remove(&mut self, key: SocketKey) -> Option<Kind> {
        find(&mut self.slots, key)?;
        let socket = self.slots.get_mut(place(key)).and_then(Option::take)?;
        self.open -= 1;
        if socket.in_ready_list {
            self.ready.retain(|ready| *ready != key);
        }
        self.starved.retain(|starved| *starved != key);
        if let Kind::Connection(connection) = &socket.kind {
            self.queued_bytes -= connection.queue.held_bytes();
            if !connection.authenticated {
                self.forget_stranger(key);
            }
        }
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        if self.slots.capacity() > SLOTS_KEPT && self.slots.len() * 4 <= self.slots.capacity() {
            self.slots.shrink_to(self.slots.len() * 2);
        }
        Some(socket.kind)
    }

    fn forget_stranger(&mut self, key: SocketKey) {
        if let Some(place) = self.strangers.iter().position(|(_, stranger)| *stranger == key) {
            self.strangers.remove(place);
        }
    }

    fn mark_ready(&mut self, key: SocketKey) {
        let Some(socket) = find(&mut self.slots, key) else { return };
        if !std::mem::replace(&mut socket.in_ready_list, true) {
            self.ready.push_back(key);
        }
    }

    /// The key of the next socket; every one gets the next number, so that no key comes twice.
    fn next_key(&mut self) -> io::Result<SocketKey> {
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let slot = u32::try_from(slot).ok().filter(|slot| slot & TCP_BIT == 0);
        let slot = slot.ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))?;
        self.generation = (self.generation + 1) & GENERATION_MASK;
        Ok(SocketKey::new(slot | TCP_BIT, self.generation))
    }

    fn insert(&mut self, key: SocketKey, kind: Kind) {
        let socket = Some(Socket { in_ready_list: false, kind });
        match self.slots.get_mut(place(key)) {
            Some(free) => *free = socket,
            None => self.slots.push(socket),
        }
        self.open += 1;
    }

    fn kind(&self, key: SocketKey) -> Option<&Kind> {
        let socket = self.slots.get(place(key))?.as_ref()?;
        (socket.key() == key).then_some(&socket.kind)
    }

    fn kind_mut(&mut self, key: SocketKey) -> Option<&mut Kind> {
        find(&mut self.slots, key).map(|socket| &mut socket.kind)
    }
}

impl Socket {
    fn key(&self) -> SocketKey {
        match &self.kind {
            Kind::Listener { key, .. } => *key,
            Kind::Connection(connection) => connection.key,
        }
    }
}

fn find(slots: &mut [Option<Socket>], key: SocketKey) -> Option<&mut Socket> {
    slots.get_mut(place(key))?.as_mut().filter(|socket| socket.key() == key)
}

/// The place of a key in the table; that of a key of UDP's lies beyond any table.
const fn place(key: SocketKey) -> usize {
    (key.slot() ^ TCP_BIT) as usize
}

/// Whether the system, not the connection, was the trouble.
fn is_starvation(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Connections whose peer has not shown who it is. One more displaces the oldest of them, for whoever wants to keep
/// others out would otherwise need no more than this many in 4 s, where a peer shows itself within a round trip.
pub const STRANGERS_MAX: usize = 1_024;
/// How long a peer may take to show who it is.
pub const STRANGER_TIME: Duration = Duration::from_secs(4);

/// Marks keys of this table.
const TCP_BIT: u32 = 1 << 31;
/// 31 bits, as UDP's: the highest bit of a token says that it is no socket's.
const GENERATION_MASK: u32 = u32::MAX >> 1;
/// Connections that the kernel may keep until they are accepted.
const ACCEPT_BACKLOG: i32 = 512;
/// After so many others have their turn.
const ACCEPTS_IN_A_ROW: usize = 64;
/// When no descriptor was left, so long later one may be.
const STARVED_TIME: Duration = Duration::from_millis(100);
/// One part in so many of packet memory is what may wait on all connections together.
const QUEUES_SHARE: usize = 8;
/// A table this small is not worth shrinking.
const SLOTS_KEPT: usize = 64;
