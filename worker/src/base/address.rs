//! Where bytes come from and go to: sockets by key, and the way from one of them to a peer.
//!
//! Knows addresses. Does not know descriptors, nor who a peer is. Used by the contract with the network and by engines
//! that must tell one way to a peer from another.
//! Invariant: a [`SocketKey`] never names another socket than the one it was made for.

#![forbid(unsafe_code)]

use std::net::{IpAddr, SocketAddr};

/// Names one open socket. Stale keys are harmless: they name nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketKey(u64);

impl SocketKey {
    /// The key of the socket in place `slot` that is the `generation`th one there.
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | slot as u64)
    }

    /// Which place in the table of sockets.
    pub const fn slot(self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
        let slot = self.0 as u32;
        slot
    }

    /// How many sockets had this place before.
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The socket to send from.
    pub socket: SocketKey,
    /// The peer; an IPv4 peer is a plain IPv4 address on every socket.
    pub remote: SocketAddr,
    /// The local address to send from, for wildcard sockets: the one on which the peer called.
    pub local_ip: Option<IpAddr>,
}
