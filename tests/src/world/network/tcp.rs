//! Opening sockets and listeners, and the connections of peers that call by TCP.
//!
//! Knows who has which connection. Does not know streams and frames, which are `sys::tcp`'s business: here a frame is a
//! datagram that arrives whole. Part of `SimulatedNetwork`.
//! Invariant: a connection that its peer ended is told to the worker once, if the worker knew it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tidegate_protocol::transport::Protocol;
use tidegate_worker::network::{BindError, BindOptions, Bound, SocketKey};

use super::SimulatedNetwork;

/// By what a peer sends.
#[derive(Debug, Default)]
pub(super) enum Carrier {
    #[default]
    Udp,
    /// A connection, once something was sent on it.
    Tcp(Option<SocketKey>),
}

/// Connections that their peers ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    all: Vec<SocketKey>,
    /// Those of which the worker has to hear.
    untold: VecDeque<SocketKey>,
}

impl Ended {
    /// Whether a peer ended this one: to the worker its key is stale then, and does nothing.
    pub(super) fn has(&self, connection: SocketKey) -> bool {
        self.all.contains(&connection)
    }
}

impl SimulatedNetwork {
    /// From now on the peer at `address` calls by TCP, with one connection at a time.
    pub fn use_tcp(&mut self, address: SocketAddr) {
        let peer = self.peer(address);
        self.peers[peer as usize].carrier = Carrier::Tcp(None);
    }

    /// The peer at `address` closes its connection, of which the worker hears in its next turn. What it sends later goes by
    /// another one.
    pub fn hang_up(&mut self, address: SocketAddr) {
        let peer = self.peer(address);
        let Carrier::Tcp(connection) = &mut self.peers[peer as usize].carrier else { return };
        if let Some(connection) = connection.take()
            && let Some(authenticated) = self.sockets.get(connection).map(|socket| socket.authenticated)
        {
            self.sockets.close(connection);
            self.counters.sockets -= 1;
            self.ended.all.push(connection);
            self.ended.untold.extend(authenticated.then_some(connection));
        }
    }

    /// Whether the peer at `address` has a connection that the worker has not closed.
    pub fn is_connected(&self, address: SocketAddr) -> bool {
        let peer = self.by_address.get(&address).map(|peer| &self.peers[*peer as usize]);
        let Some(Carrier::Tcp(Some(connection))) = peer.map(|peer| &peer.carrier) else { return false };
        self.sockets.get(*connection).is_some()
    }

    /// Open connections whose peer has shown nothing.
    pub fn strangers(&self) -> usize {
        self.sockets.strangers()
    }

    /// The next connection that is gone and that the worker knew.
    pub(in crate::world) fn next_closed(&mut self) -> Option<SocketKey> {
        self.ended.untold.pop_front()
    }

    /// On which socket the worker hears `peer` call `to`. A connection that the worker closed stays closed.
    pub(super) fn socket_of(&mut self, peer: u32, to: SocketAddr) -> Option<SocketKey> {
        let Self { peers, sockets, counters, .. } = self;
        match &mut peers[peer as usize].carrier {
            Carrier::Udp => sockets.at(Protocol::Udp, to).map(|socket| socket.key),
            Carrier::Tcp(Some(connection)) => Some(*connection),
            Carrier::Tcp(vacant) => {
                *vacant = sockets.accept(to);
                counters.sockets += u64::from(vacant.is_some());
                *vacant
            }
        }
    }

    /// Opens a UDP socket or a listener.
    pub(super) fn open(
        &mut self,
        protocol: Protocol,
        options: &BindOptions,
        start: u32,
    ) -> Result<Bound, BindError> {
        let (socket, local) = self.sockets.open(protocol, options, start)?;
        self.counters.sockets += 1;
        let (send_buffer_bytes, receive_buffer_bytes) = (KERNEL_BUFFER_BYTES, KERNEL_BUFFER_BYTES);
        Ok(Bound { socket, local, send_buffer_bytes, receive_buffer_bytes })
    }
}

/// The kernel's default, as it books it.
const KERNEL_BUFFER_BYTES: u32 = 425_984;
