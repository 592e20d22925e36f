//! UDP and TCP as one network.
//!
//! Knows which of the two a key is of. Does not know anything else. Called by the event loop and, through [`Network`],
//! by the core.

use mio::Registry;
use mio::event::Event;

use super::clock::Moment;
use super::tcp::TcpSockets;
use super::udp::{UdpSockets, socket_of};
use crate::base::pool::Pool;
use crate::base::time::Time;
use crate::counters::NetworkCounters;
use crate::network::{BindError, BindOptions, Bound, Datagram, Network, SendBatch, SocketKey, SocketStats};

/// All sockets of a worker.
#[derive(Debug)]
pub struct Sockets {
    udp: UdpSockets,
    tcp: TcpSockets,
    /// Whose turn it is when both have something.
    tcp_is_next: bool,
}

impl Sockets {
    /// No sockets yet; `registry` will tell when one is ready. An eighth of
    /// `packet_memory_limit_bytes` may wait to be sent on UDP, as much on TCP.
    ///
    /// # Errors
    /// The system has no descriptor for a second handle to the registry.
    pub fn new(registry: Registry, packet_memory_limit_bytes: usize) -> std::io::Result<Self> {
        let tcp = TcpSockets::new(registry.try_clone()?, packet_memory_limit_bytes);
        Ok(Self { udp: UdpSockets::new(registry, packet_memory_limit_bytes), tcp, tcp_is_next: false })
    }

    /// Bytes that wait to be sent, on all sockets.
    pub const fn queued_bytes(&self) -> usize {
        self.udp.backlog_bytes() + self.tcp.queued_bytes()
    }

    /// Takes note of an event of the registry, if it is a socket's.
    pub fn on_event(&mut self, event: &Event) {
        let Some(key) = socket_of(event.token()) else { return };
        let (readable, writable) = (event.is_readable(), event.is_writable());
        if TcpSockets::owns(key) {
            self.tcp.on_event(key, readable, writable, event.is_read_closed() || event.is_error());
        } else {
            self.udp.on_event(key, readable, writable);
        }
    }

    /// Sockets that may have something to read.
    pub fn ready(&self) -> usize {
        self.udp.ready() + self.tcp.ready()
    }

    /// Reads some datagrams from the socket whose turn it is and appends them to `into`; answers how many there were.
    /// What it brought must be given to the core before the next call: that may end the connection that it came on.
    pub fn receive_next(&mut self, pool: &mut Pool, moment: &Moment, into: &mut Vec<Datagram>) -> usize {
        self.tcp_is_next = !self.tcp_is_next;
        if self.tcp.ready() > 0 && (self.tcp_is_next || self.udp.ready() == 0) {
            self.tcp.receive_next(pool, moment, into)
        } else {
            self.udp.receive_next(pool, moment, into)
        }
    }

    /// A connection that ended and that the core knows.
    pub fn next_closed(&mut self) -> Option<SocketKey> {
        self.tcp.next_closed()
    }

    /// Whether [`Self::next_closed`] has something to say.
    pub fn has_closed(&self) -> bool {
        self.tcp.has_closed()
    }

    /// When [`Self::on_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        self.tcp.next_deadline()
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Time) {
        self.tcp.on_deadline(now);
    }

    /// Datagrams that the kernel took so far, of all sockets.
    pub fn datagrams_sent(&self) -> u64 {
        self.udp.datagrams_sent() + self.tcp.counters().sent_frames
    }

    /// Gives memory back that nobody used since the last call. To be called about once a second.
    pub fn reclaim(&mut self) {
        self.udp.reclaim();
        self.tcp.reclaim();
    }
}

impl Network for Sockets {
    fn bind(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        self.udp.bind(options, start)
    }

    fn listen(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        self.tcp.listen(options, start)
    }

    fn listener_of(&self, connection: SocketKey) -> Option<SocketKey> {
        self.tcp.listener_of(connection)
    }

    fn authenticate(&mut self, connection: SocketKey) -> bool {
        self.tcp.authenticate(connection)
    }

    fn close(&mut self, socket: SocketKey) {
        if TcpSockets::owns(socket) {
            self.tcp.close(socket);
        } else {
            self.udp.close(socket);
        }
    }

    fn send(&mut self, batch: &mut SendBatch) {
        self.tcp.send(batch);
        // To UDP the keys of connections are stale ones.
        self.udp.send(batch);
    }

    fn socket_stats(&self, socket: SocketKey) -> Option<SocketStats> {
        if TcpSockets::owns(socket) { self.tcp.socket_stats(socket) } else { self.udp.socket_stats(socket) }
    }

    fn counters(&self) -> NetworkCounters {
        let udp = self.udp.counters();
        NetworkCounters {
            sockets: udp.sockets + self.tcp.open() as u64,
            send_backlog_bytes: self.queued_bytes() as u64,
            tcp: *self.tcp.counters(),
            ..udp
        }
    }
}
