//! UDP sockets of the whole worker in one table, over recvmmsg and sendmmsg.
//!
//! Knows keys, readiness and back-pressure of the kernel. Does not know transports: several may share a socket. Called
//! by the event loop to receive, and by the core through [`Network`] to bind, close and send.
//! Invariant: a socket that may have something to read is in the ready list exactly once until it was found empty
//! (epoll reports each arrival only once).

mod backlog;
mod control;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use self::backlog::Backlog;
use self::receive::Receiver;
use self::send::{Outgoing, Sender};
use super::address::Family;
use super::bind;
use super::clock::Moment;
use crate::base::pool::Pool;
use crate::counters::NetworkCounters;
use crate::network::{
    BindError, BindOptions, Bound, Datagram, MESSAGES_MAX, Network, SendBatch, SocketKey, SocketStats,
};

/// All UDP sockets of a worker.
#[derive(Debug)]
pub struct UdpSockets {
    registry: Registry,
    /// Places; those at the end that are empty are cut off.
    slots: Vec<Option<Box<Socket>>>,
    /// Every socket gets the next number, so that no key comes twice, whatever becomes of its place.
    generation: u32,
    open: usize,
    ready: VecDeque<SocketKey>,
    receiver: Receiver,
    sender: Sender,
    backlog_bytes: usize,
    backlogs_bytes_max: usize,
    received_since_reclaim: bool,
}

#[derive(Debug)]
struct Socket {
    key: SocketKey,
    fd: OwnedFd,
    family: Family,
    /// Whether the kernel takes runs on this socket; false for good once it refused one.
    gso: bool,
    in_ready_list: bool,
    /// Whether epoll tells when the send buffer has room: only while something waits for it.
    watching_writable: bool,
    dropped_by_kernel: u32,
    backlog: Backlog,
    stats: SocketStats,
}

impl UdpSockets {
    /// No sockets yet; `registry` will tell when one is ready, with the token [`token`] of its key. What waits on all of them
    /// is an eighth of `packet_memory_limit_bytes` at most.
    pub fn new(registry: Registry, packet_memory_limit_bytes: usize) -> Self {
        Self {
            registry,
            slots: Vec::new(),
            generation: 0,
            open: 0,
            ready: VecDeque::new(),
            receiver: Receiver::new(),
            sender: Sender::new(),
            backlog_bytes: 0,
            backlogs_bytes_max: BACKLOGS_BYTES_MAX.min(packet_memory_limit_bytes / BACKLOGS_SHARE),
            received_since_reclaim: false,
        }
    }

    /// Takes note of an event of `registry` for a socket. Stale ones do nothing.
    pub fn on_event(&mut self, socket: SocketKey, readable: bool, writable: bool) {
        if readable {
            self.mark_ready(socket);
        }
        if writable {
            self.retry(socket);
        }
    }

    /// Sockets that may have something to read.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Reads up to 64 datagrams from the socket whose turn it is and appends them to `into`. A socket that may have
    /// more goes to the end of the row. Answers how many were read, dropped ones included.
    pub fn receive_next(&mut self, pool: &mut Pool, moment: &Moment, into: &mut Vec<Datagram>) -> usize {
        let Some(key) = self.ready.pop_front() else { return 0 };
        let Some(socket) = find(&mut self.slots, key) else { return 0 };
        socket.in_ready_list = false;
        let Some(batch) = read(&mut self.receiver, socket, pool) else { return 0 };
        self.received_since_reclaim = true;
        for index in 0..batch.count {
            let notes = if batch.discarded {
                socket.stats.dropped_no_memory += 1;
                self.receiver.notes(index)
            } else {
                let Some((datagram, notes)) = self.receiver.take(index, moment, key) else { continue };
                socket.stats.received_datagrams += 1;
                socket.stats.received_bytes += datagram.buffer.len() as u64;
                into.push(datagram);
                notes
            };
            socket.note_dropped(notes.dropped);
        }
        if batch.more {
            self.mark_ready(key);
        }
        batch.count
    }

    /// Bytes that wait to be sent.
    pub const fn backlog_bytes(&self) -> usize {
        self.backlog_bytes
    }

    /// Datagrams that the kernel took so far, of all sockets.
    pub fn datagrams_sent(&self) -> u64 {
        self.sender.run_lengths.sum
    }

    /// Gives memory back that nobody used since the last call. To be called about once a second.
    pub fn reclaim(&mut self) {
        if !std::mem::take(&mut self.received_since_reclaim) {
            self.receiver.reclaim();
        }
    }

    fn mark_ready(&mut self, key: SocketKey) {
        let Some(socket) = find(&mut self.slots, key) else { return };
        if !std::mem::replace(&mut socket.in_ready_list, true) {
            self.ready.push_back(key);
        }
    }

    /// Sends what waited on `socket`, until its buffer is full again.
    fn retry(&mut self, key: SocketKey) {
        let Some(socket) = find(&mut self.slots, key) else { return };
        self.backlog_bytes -= socket.backlog.bytes();
        let mut backlog = std::mem::take(&mut socket.backlog);
        match self.sender.send(socket, |index| backlog.get(index)) {
            Ok(()) => socket.watch_writable(&self.registry, false),
            Err(done) => {
                backlog.advance(done);
                socket.backlog = backlog;
            }
        }
        self.backlog_bytes += socket.backlog.bytes();
    }

    /// Sends the messages of `batch` at `order`, all of one socket, behind what waits there already.
    fn send_from(&mut self, batch: &SendBatch, order: &[u8]) {
        let message = |index: usize| {
            let message = batch.messages().get(usize::from(*order.get(index)?))?;
            let segment_bytes = message.segment_bytes();
            Some(Outgoing { to: &message.to, bytes: batch.bytes(message), segment_bytes })
        };
        let Some(key) = message(0).map(|first| first.to.socket) else { return };
        let Some(socket) = find(&mut self.slots, key) else { return };
        let mut left = send::Cursor::default();
        if socket.backlog.is_empty() {
            match self.sender.send(socket, message) {
                Ok(()) => return,
                Err(cursor) => left = cursor,
            }
            socket.watch_writable(&self.registry, true);
        }
        self.backlog_bytes -= socket.backlog.bytes();
        let limit_bytes = BACKLOG_BYTES_MAX.min(self.backlogs_bytes_max.saturating_sub(self.backlog_bytes));
        let rest = (left.message..).map_while(message);
        let offsets = std::iter::once(left.offset).chain(std::iter::repeat(0));
        for (message, offset) in rest.zip(offsets) {
            socket.stats.dropped_send_buffer += socket.backlog.push(&message, offset, limit_bytes);
        }
        self.backlog_bytes += socket.backlog.bytes();
    }

    fn insert(&mut self, fd: OwnedFd, family: Family) -> io::Result<SocketKey> {
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let slot = u32::try_from(slot).map_err(|_| io::Error::from_raw_os_error(libc::EMFILE))?;
        self.generation = (self.generation + 1) & GENERATION_MASK;
        let key = SocketKey::new(slot, self.generation);
        self.registry.register(&mut SourceFd(&fd.as_raw_fd()), token(key), Interest::READABLE)?;
        let socket = Socket {
            key,
            fd,
            family,
            gso: true,
            in_ready_list: false,
            watching_writable: false,
            dropped_by_kernel: 0,
            backlog: Backlog::default(),
            stats: SocketStats::default(),
        };
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = Some(Box::new(socket)),
            None => self.slots.push(Some(Box::new(socket))),
        }
        self.open += 1;
        Ok(key)
    }
}

impl Network for UdpSockets {
    fn bind(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        let fd = bind::bind(bind::Kind::Datagram, options, start)?;
        let other = |error: io::Error| BindError::Other { errno: error.raw_os_error().unwrap_or_default() };
        let local = bind::local_address(fd.as_raw_fd()).map_err(other)?;
        let buffer_bytes = |name| bind::option(fd.as_raw_fd(), libc::SOL_SOCKET, name).map_err(other);
        let send_buffer_bytes = buffer_bytes(libc::SO_SNDBUF)?.unsigned_abs();
        let receive_buffer_bytes = buffer_bytes(libc::SO_RCVBUF)?.unsigned_abs();
        let socket = self.insert(fd, Family::of(options.ip)).map_err(other)?;
        Ok(Bound { socket, local, send_buffer_bytes, receive_buffer_bytes })
    }

    fn close(&mut self, key: SocketKey) {
        if find(&mut self.slots, key).is_none() {
            return;
        }
        let Some(socket) = self.slots.get_mut(key.slot() as usize).and_then(Option::take) else { return };
        self.open -= 1;
        self.backlog_bytes -= socket.backlog.bytes();
        if socket.in_ready_list {
            self.ready.retain(|ready| *ready != key);
        }
        if let Err(error) = self.registry.deregister(&mut SourceFd(&socket.raw_fd())) {
            debug_assert!(false, "epoll refused: {error}");
        }
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        if self.slots.capacity() > SLOTS_KEPT && self.slots.len() * 4 <= self.slots.capacity() {
            self.slots.shrink_to(self.slots.len() * 2);
        }
    }

    fn send(&mut self, batch: &mut SendBatch) {
        // Messages of one socket belong into one system call, also when those of another stand between them.
        let socket_of =
            |number: u8| batch.messages().get(usize::from(number)).map(|message| message.to.socket);
        let mut order = [0; MESSAGES_MAX];
        for (number, place) in (0..).zip(&mut order) {
            *place = number;
        }
        let order = order.get_mut(..batch.messages().len()).unwrap_or_default();
        if !order.is_sorted_by_key(|number| socket_of(*number)) {
            order.sort_unstable_by_key(|number| (socket_of(*number), *number));
        }
        for messages in order.chunk_by(|one, next| socket_of(*one) == socket_of(*next)) {
            self.send_from(batch, messages);
        }
        batch.clear();
    }

    fn socket_stats(&self, key: SocketKey) -> Option<SocketStats> {
        let socket = self.slots.get(key.slot() as usize)?.as_deref()?;
        (socket.key == key).then_some(socket.stats)
    }

    fn counters(&self) -> NetworkCounters {
        NetworkCounters {
            sockets: self.open as u64,
            receive_calls: self.receiver.calls,
            send_calls: self.sender.calls,
            gso_run_length: self.sender.run_lengths,
            send_backlog_bytes: self.backlog_bytes as u64,
            ..NetworkCounters::default()
        }
    }
}

impl Socket {
    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn watch_writable(&mut self, registry: &Registry, watch: bool) {
        if std::mem::replace(&mut self.watching_writable, watch) == watch {
            return;
        }
        let interest = if watch { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        // A change of interest reports again what holds already, so that no edge is lost in between.
        if let Err(error) = registry.reregister(&mut SourceFd(&self.raw_fd()), token(self.key), interest) {
            debug_assert!(false, "epoll refused: {error}");
        }
    }

    /// The kernel's counter runs modulo 2^32 from the socket's opening.
    fn note_dropped(&mut self, dropped: Option<u32>) {
        if let Some(dropped) = dropped {
            let news = dropped.wrapping_sub(self.dropped_by_kernel);
            self.stats.dropped_receive_buffer += u64::from(news);
            self.dropped_by_kernel = dropped;
        }
    }
}

/// The token under which a socket's events come.
pub fn token(socket: SocketKey) -> Token {
    Token((socket.generation() as usize) << 32 | socket.slot() as usize)
}

/// The socket of a token; `None` for a token that is not a socket's: those have the highest bit set.
pub fn socket_of(token: Token) -> Option<SocketKey> {
    let generation = u32::try_from(token.0 >> 32).ok().filter(|generation| *generation <= GENERATION_MASK)?;
    let slot = u32::try_from(token.0 & 0xffff_ffff).ok()?;
    Some(SocketKey::new(slot, generation))
}

/// Reads one batch. The errors of earlier sends may come up here (an ICMP message): they concern no datagram.
fn read(receiver: &mut Receiver, socket: &Socket, pool: &mut Pool) -> Option<receive::Batch> {
    (0..ERRORS_IN_A_ROW_MAX).find_map(|_| receiver.read(socket.raw_fd(), pool).ok())
}

fn find(slots: &mut [Option<Box<Socket>>], key: SocketKey) -> Option<&mut Socket> {
    slots.get_mut(key.slot() as usize)?.as_deref_mut().filter(|socket| socket.key == key)
}

/// Copied datagrams that may wait on one socket: 4 ms of a gigabit, or 0.4 s of 5 Mb/s.
const BACKLOG_BYTES_MAX: usize = 256 * 1024;
/// The same on all sockets together.
const BACKLOGS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// And one part in so many of packet memory.
const BACKLOGS_SHARE: usize = 8;
/// So many errors of one socket are passed over in one turn.
const ERRORS_IN_A_ROW_MAX: usize = 8;
/// A table this small is not worth shrinking.
const SLOTS_KEPT: usize = 64;
/// 31 bits: the highest bit of a token says that it is no socket's.
const GENERATION_MASK: u32 = u32::MAX >> 1;

const EMPTY_HEADER: libc::mmsghdr = libc::mmsghdr {
    msg_hdr: libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: ptr::null_mut(),
        msg_iovlen: 0,
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    },
    msg_len: 0,
};

const _: () = assert!(MESSAGES_MAX <= 1 << u8::BITS);
