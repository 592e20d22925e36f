//! The contract between the core and the network: what the core may ask of sockets, and what it gets from them.
//!
//! Knows addresses, socket keys and batches of datagrams. Does not know a system call, a descriptor or the clock:
//! `sys::sockets` fulfils [`Network`] for a live worker, a simulated network does in tests. Called by `Turn`'s users.

mod batch;

pub use batch::{ARENA_BYTES, Content, MESSAGES_MAX, Message, SEGMENTS_MAX, SendBatch, UDP_PAYLOAD_MAX};

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

pub use crate::base::address::{Destination, SocketKey};

use crate::base::pool::Buffer;
use crate::base::time::Time;
use crate::counters::NetworkCounters;

/// What the core may do with sockets.
pub trait Network {
    /// Opens a UDP socket. `start` is any random number: it says at which port of a [`PortChoice::Range`] the search
    /// begins, so that ports are not reused at once. Each port of the range is tried at most once.
    ///
    /// # Errors
    /// [`BindError`], which says what the caller can change.
    fn bind(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError>;

    /// Opens a TCP listener, as [`Self::bind`] does a UDP socket; `reuse_port` says nothing here. Each connection that it
    /// takes is a socket of its own, on which datagrams come and go as on UDP, framed by RFC 4571.
    ///
    /// # Errors
    /// [`BindError`]; also from a network that has no TCP, which is what a network has unless it says otherwise.
    fn listen(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        let _ = (options, start);
        Err(BindError::NoTcp)
    }

    /// The listener that took this connection; `None` for any other socket.
    fn listener_of(&self, connection: SocketKey) -> Option<SocketKey> {
        let _ = connection;
        None
    }

    /// The peer of this connection has shown who it is: it may stay, and when it goes the core is told
    /// (`Sockets::next_closed`). `false`: it is gone already.
    fn authenticate(&mut self, connection: SocketKey) -> bool {
        let _ = connection;
        false
    }

    /// Closes a socket and forgets what waited on it; of a listener, its connections too. A stale key does nothing.
    fn close(&mut self, socket: SocketKey);

    /// Sends every datagram of `batch` and clears it. Never blocks and never fails as a whole: what one destination
    /// refuses is counted for its socket and costs the others nothing.
    fn send(&mut self, batch: &mut SendBatch);

    /// Counters of one socket; `None` for a stale key.
    fn socket_stats(&self, socket: SocketKey) -> Option<SocketStats>;

    /// Counters over all sockets. Copies two hundred bytes: for a request that wants to know.
    fn counters(&self) -> NetworkCounters;
}

/// Which port to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// The system chooses.
    Any,
    /// This one or none.
    Fixed(u16),
    /// Any free one from `min` to `max`, both included.
    Range {
        /// The lowest port.
        min: u16,
        /// The highest port; not below `min`.
        max: u16,
    },
}

/// How to open a UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindOptions {
    /// The local address; `0.0.0.0` and `::` are wildcards, whose sockets answer from the address they were called on.
    pub ip: IpAddr,
    /// The local port.
    pub port: PortChoice,
    /// For IPv6: take no IPv4 traffic. Without it a socket on `::` takes both. Nothing for IPv4.
    pub ipv6_only: bool,
    /// SO_REUSEPORT: other sockets that ask for the same may share this port; the kernel spreads senders over them.
    pub reuse_port: bool,
    /// SO_SNDBUF to ask for, in bytes; 0 leaves the system's default.
    pub send_buffer_bytes: u32,
    /// SO_RCVBUF to ask for, in bytes; 0 leaves the system's default.
    pub receive_buffer_bytes: u32,
}

impl BindOptions {
    /// A socket on `ip` and `port` with the system's defaults.
    pub const fn new(ip: IpAddr, port: PortChoice) -> Self {
        Self { ip, port, ipv6_only: false, reuse_port: false, send_buffer_bytes: 0, receive_buffer_bytes: 0 }
    }
}

/// An open socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its name from now on.
    pub socket: SocketKey,
    /// The address the kernel gave.
    pub local: SocketAddr,
    /// SO_SNDBUF as the kernel accounts it: twice what was asked (it books its own overhead), within its limits.
    pub send_buffer_bytes: u32,
    /// SO_RCVBUF as the kernel accounts it, likewise.
    pub receive_buffer_bytes: u32,
}

/// Why a socket could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BindError {
    /// Another socket holds this port.
    #[error("the port is in use; choose another one, or a range")]
    AddressInUse,
    /// No interface of this machine has this address.
    #[error(
        "no interface of this machine has this address; listen on one that it has, and announce the other"
    )]
    AddressNotAvailable,
    /// Each port of the range was tried.
    #[error("every port of the range is in use; widen the range or close transports")]
    NoFreePort,
    /// The process or the system is out of descriptors.
    #[error("too many open files; raise the limit (RLIMIT_NOFILE) or let transports share sockets")]
    TooManyOpenFiles,
    /// The process may not bind this port.
    #[error("this process may not bind this port; choose one from 1024 on")]
    PermissionDenied,
    /// There is no TCP here.
    #[error("this network has no TCP; listen on UDP")]
    NoTcp,
    /// Anything else that the system said.
    #[error("the system refused the socket (errno {errno})")]
    Other {
        /// The system's error number.
        errno: i32,
    },
}

/// One received datagram.
#[derive(Debug)]
pub struct Datagram {
    /// The socket it came to.
    pub socket: SocketKey,
    /// Who sent it; never an IPv4-mapped IPv6 address.
    pub remote: SocketAddr,
    /// The local address it was sent to; only of wildcard sockets.
    pub local_ip: Option<IpAddr>,
    /// When the kernel took it from the interface, never later than the turn's `now`.
    pub received_at: Time,
    /// Its bytes.
    pub buffer: Buffer,
    /// It was longer than `buffer` and has lost its end: not to be parsed as if whole.
    pub truncated: bool,
}

impl Datagram {
    /// The way back to its sender.
    pub const fn reply_to(&self) -> Destination {
        Destination { socket: self.socket, remote: self.remote, local_ip: self.local_ip }
    }
}

/// What happened on one socket since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketStats {
    /// Datagrams given to the core.
    pub received_datagrams: u64,
    /// Their bytes (UDP payload).
    pub received_bytes: u64,
    /// Datagrams that the kernel accepted for sending.
    pub sent_datagrams: u64,
    /// Their bytes (UDP payload).
    pub sent_bytes: u64,
    /// Messages with more than one segment among them.
    pub sent_gso_runs: u64,
    /// Datagrams that the kernel dropped because the receive buffer was full (SO_RXQ_OVFL; known at the next arrival).
    pub dropped_receive_buffer: u64,
    /// Datagrams read and thrown away because packet memory was at its limit.
    pub dropped_no_memory: u64,
    /// Datagrams given up because the send buffer stayed full; of a connection, those that its queue had no room for.
    pub dropped_send_buffer: u64,
    /// Frames of a connection that are longer than a packet buffer or shorter than anything of use.
    pub dropped_frame_length: u64,
    /// Datagrams that the kernel refused to send, by reason.
    pub send_errors: SendErrors,
}

/// Datagrams that were not sent, by what the kernel said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendErrors {
    /// The peer's port is closed (ECONNREFUSED).
    pub refused: u64,
    /// No way to the peer (ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN).
    pub unreachable: u64,
    /// A firewall rule or broadcast (EPERM, EACCES).
    pub not_permitted: u64,
    /// Longer than the path takes (EMSGSIZE).
    pub too_long: u64,
    /// The address makes no sense for this socket (EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, EDESTADDRREQ).
    pub invalid_address: u64,
    /// Anything else.
    pub other: u64,
}

impl SendErrors {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.refused
            + self.unreachable
            + self.not_permitted
            + self.too_long
            + self.invalid_address
            + self.other
    }
}
