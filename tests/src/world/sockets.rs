//! The sockets of a simulated machine, of UDP and of TCP: which are open, and whose a datagram is.
//!
//! Knows addresses and ports, and refuses what a kernel would. Does not know datagrams. Used by `SimulatedNetwork`.
//! Invariant: of two open sockets at one address both asked to share it.

use std::net::{IpAddr, SocketAddr};

use tidegate_protocol::transport::Protocol;
use tidegate_worker::network::{BindError, BindOptions, PortChoice, SocketKey, SocketStats};
use tidegate_worker::random::{KeyedMap, Random};

/// An open socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) key: SocketKey,
    pub(super) local: SocketAddr,
    reuse_port: bool,
    pub(super) stats: SocketStats,
    protocol: Protocol,
    /// Of a connection: where it was taken.
    pub(super) listener: Option<SocketKey>,
    /// Of a connection: its peer has shown who it is.
    pub(super) authenticated: bool,
}

/// All open sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    sockets: Vec<Option<Socket>>,
    /// Places in `sockets` by port.
    by_port: KeyedMap<u16, Vec<u32>>,
    vacant: Vec<u32>,
    generations: u32,
    /// Ports that other programs of the machine hold.
    occupied: Vec<SocketAddr>,
}

impl Sockets {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            sockets: Vec::new(),
            by_port: KeyedMap::with_hasher(random.hasher()),
            vacant: Vec::new(),
            generations: 0,
            occupied: Vec::new(),
        }
    }

    /// Lets other programs hold `address`.
    pub(super) fn occupy(&mut self, address: SocketAddr) {
        self.occupied.push(address);
    }

    /// Opens a socket or a listener; its key and address.
    pub(super) fn open(
        &mut self,
        protocol: Protocol,
        options: &BindOptions,
        start: u32,
    ) -> Result<(SocketKey, SocketAddr), BindError> {
        if !options.ip.is_unspecified() && !is_local(options.ip) {
            return Err(BindError::AddressNotAvailable);
        }
        let local = SocketAddr::new(options.ip, self.choose_port(protocol, options, start)?);
        Ok((self.insert(protocol, local, options.reuse_port, None), local))
    }

    /// Takes a connection to the listener at `to`; `None`: nobody listens there.
    pub(super) fn accept(&mut self, to: SocketAddr) -> Option<SocketKey> {
        let listener = self.at(Protocol::Tcp, to)?.key;
        Some(self.insert(Protocol::Tcp, to, false, Some(listener)))
    }

    fn insert(
        &mut self,
        protocol: Protocol,
        local: SocketAddr,
        reuse_port: bool,
        listener: Option<SocketKey>,
    ) -> SocketKey {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.sockets.push(None);
            u32::try_from(self.sockets.len() - 1).expect("few sockets")
        });
        self.generations += 1;
        let key = SocketKey::new(place, self.generations);
        let stats = SocketStats::default();
        let socket = Socket { key, local, reuse_port, stats, protocol, listener, authenticated: false };
        self.sockets[place as usize] = Some(socket);
        self.by_port.entry(local.port()).or_default().push(place);
        key
    }

    /// Closes a socket; a listener with its connections. Answers how many those were.
    pub(super) fn close(&mut self, key: SocketKey) -> u64 {
        let taken = |socket: &&Socket| socket.listener == Some(key);
        let connections = self.sockets.iter().flatten().filter(taken).map(|socket| socket.key);
        let connections: Vec<SocketKey> = connections.collect();
        connections.iter().for_each(|connection| self.remove(*connection));
        self.remove(key);
        connections.len() as u64
    }

    fn remove(&mut self, key: SocketKey) {
        let place = self.sockets.get_mut(key.slot() as usize);
        let socket = place.and_then(|place| place.take_if(|socket| socket.key == key));
        let port = socket.expect("a worker closes each socket once").local.port();
        self.vacant.push(key.slot());
        if let Some(places) = self.by_port.get_mut(&port) {
            places.retain(|place| *place != key.slot());
            if places.is_empty() {
                self.by_port.remove(&port);
            }
        }
    }

    /// The socket; `None` for a stale key.
    pub(super) fn get(&self, key: SocketKey) -> Option<&Socket> {
        self.sockets.get(key.slot() as usize)?.as_ref().filter(|socket| socket.key == key)
    }

    /// The socket, to be changed; `None` for a stale key.
    pub(super) fn get_mut(&mut self, key: SocketKey) -> Option<&mut Socket> {
        self.sockets.get_mut(key.slot() as usize)?.as_mut().filter(|socket| socket.key == key)
    }

    /// The socket that gets what is sent to `to`, or the listener that is called there.
    pub(super) fn at(&mut self, protocol: Protocol, to: SocketAddr) -> Option<&mut Socket> {
        let hears = |socket: &Socket| {
            let is_there = socket.local.ip() == to.ip() || socket.local.ip().is_unspecified();
            is_there && socket.protocol == protocol && socket.listener.is_none()
        };
        let mut places = self.by_port.get(&to.port())?.iter();
        let place = places.find(|place| self.sockets[**place as usize].as_ref().is_some_and(hears))?;
        self.sockets[*place as usize].as_mut()
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    /// How many of them are connections whose peer has shown nothing: no core knows of those.
    pub(super) fn strangers(&self) -> usize {
        let is_strange = |socket: &&Socket| socket.listener.is_some() && !socket.authenticated;
        self.sockets.iter().flatten().filter(is_strange).count()
    }

    fn is_free(&self, protocol: Protocol, wanted: SocketAddr, reuse_port: bool) -> bool {
        let clashes = |held: SocketAddr| {
            let any = held.ip().is_unspecified() || wanted.ip().is_unspecified();
            held.port() == wanted.port() && (held.ip() == wanted.ip() || any)
        };
        let held = self.by_port.get(&wanted.port()).into_iter().flatten();
        let held = held.filter_map(|place| self.sockets[*place as usize].as_ref());
        let mut held = held.filter(|socket| socket.protocol == protocol);
        !self.occupied.iter().any(|held| clashes(*held))
            && !held.any(|socket| !(socket.reuse_port && reuse_port) && clashes(socket.local))
    }

    fn choose_port(&self, protocol: Protocol, options: &BindOptions, start: u32) -> Result<u16, BindError> {
        let is_free =
            |port: &u16| self.is_free(protocol, SocketAddr::new(options.ip, *port), options.reuse_port);
        match options.port {
            PortChoice::Fixed(port) if is_free(&port) => Ok(port),
            PortChoice::Fixed(_) => Err(BindError::AddressInUse),
            PortChoice::Any => (EPHEMERAL..=u16::MAX).find(is_free).ok_or(BindError::NoFreePort),
            PortChoice::Range { min, max } => {
                let count = u32::from(max - min) + 1;
                let port = |step: u32| min + u16::try_from((start % count + step) % count).unwrap_or(0);
                (0..count).map(port).find(is_free).ok_or(BindError::NoFreePort)
            }
        }
    }
}

/// The simulated machine has all addresses of these networks.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [127, ..] | [10, 0, ..]),
        IpAddr::V6(ip) => ip.is_loopback() || ip.segments()[0] == 0xFD00,
    }
}

const EPHEMERAL: u16 = 32_768;
