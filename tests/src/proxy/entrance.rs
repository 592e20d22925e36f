//! A port that anybody may come to: each peer gets a lane with its first datagram.
//!
//! For worlds where nobody knows beforehand from which ports a peer will send: ICE tries several.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use tidegate_worker::random::Random;

use super::{Lane, Route, Settings, socket};
use crate::world::path::{Impairment, Path};
use crate::world::seed_bytes;

/// One port before one port of the worker's.
#[derive(Debug)]
pub struct Entrance {
    front: UdpSocket,
    worker: SocketAddr,
}

impl Entrance {
    /// An entrance at any free port of the worker's address.
    ///
    /// # Errors
    /// The system has no port left there.
    pub fn open(worker: SocketAddr) -> io::Result<Self> {
        Ok(Self { front: socket(worker.ip())?, worker })
    }

    /// Where peers send to, and what they hear from.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn front(&self) -> io::Result<SocketAddr> {
        self.front.local_addr()
    }
}

/// Opens lanes for peers as they come.
#[derive(Debug)]
pub(super) struct Admission {
    front: Arc<UdpSocket>,
    worker: SocketAddr,
    settings: [Impairment; 2],
    random: Random,
}

impl Admission {
    pub(super) fn new(entrance: Entrance, settings: Settings<'_>) -> Self {
        let Entrance { front, worker } = entrance;
        Self {
            front: Arc::new(front),
            worker,
            settings: [settings.to_worker, settings.to_peer],
            random: Random::from_seed(seed_bytes(settings.seed)),
        }
    }

    pub(super) fn front(&self) -> &UdpSocket {
        &self.front
    }

    /// A lane for `peer` beside `lanes` others, if there is room for one more and the system has a port.
    pub(super) fn lane_for(&mut self, peer: SocketAddr, lanes: usize) -> Option<(Route, [Path; 2])> {
        let back = if lanes < LANES_MAX { socket(self.worker.ip()).ok()? } else { return None };
        let paths = self
            .settings
            .map(|impairment| Path::new(impairment, Random::from_seed(seed_bytes(self.random.next_u64()))));
        let lane = Lane { front: Arc::clone(&self.front), back };
        Some((lane.between(peer, self.worker), paths))
    }
}

/// Each holds a socket. A browser tries a handful.
const LANES_MAX: usize = 256;
