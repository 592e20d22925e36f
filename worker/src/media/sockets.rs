//! Which transport a socket's datagrams are for: sockets are not transports.
//!
//! Knows socket keys, peers' addresses and announced SSRCs. Does not know a packet's content beyond its SSRC.
//! Called by `receive` for each datagram and by transports when they listen, connect and close.
//! Invariant: a socket is open exactly as long as a transport uses it.

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;
use tidegate_protocol::transport::{ListenInfo, ListenPort, Protocol};

use crate::media::TransportKey;
use crate::media::refused::Refused;
use crate::media::webrtc_server::WebRtcServerKey;
use crate::network::{BindError, BindOptions, Bound, PortChoice, SocketKey};
use crate::outbox::LogTag;
use crate::random::{KeyedMap, KeyedState, shrink_when_sparse};
use crate::turn::Turn;

/// Every socket in use, by key.
#[derive(Debug)]
pub(crate) struct Sockets {
    uses: KeyedMap<SocketKey, Use>,
    /// Ports for [`ListenPort::Any`].
    any_port: (u16, u16),
    hasher: KeyedState,
}

#[derive(Debug)]
enum Use {
    Own(Owner),
    Shared(Box<Shared>),
    Ice(IcePort),
}

/// A socket that peers of WebRTC transports call, or the connection of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IcePort {
    pub(crate) holder: Holder,
    pub(crate) protocol: Protocol,
    /// The one that is bound: itself, but for connections.
    pub(crate) listener: SocketKey,
}

/// Whose such a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// One transport's.
    Transport(TransportKey),
    /// A server's: any transport's on it.
    Server(WebRtcServerKey),
}

/// The transport of a socket, and what it uses it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) transport: TransportKey,
    pub(crate) purpose: Purpose,
}

/// What a transport uses a socket for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// RTP, and RTCP with rtcp-mux.
    Rtp,
    /// RTCP alone.
    Rtcp,
}

#[derive(Debug)]
struct Shared {
    bound: Bound,
    /// In the order in which they came.
    owners: SmallVec<[Owner; 4]>,
    peers: KeyedMap<SocketAddr, Owner>,
}

/// Where a datagram may go.
#[derive(Debug)]
pub(crate) enum Found {
    /// To this transport.
    Owner(Owner),
    /// To one of these transports, none of which knows the sender yet.
    OneOf(SmallVec<[Owner; 4]>),
    /// To who listens there for ICE.
    Ice(IcePort),
    /// To nobody.
    Nobody,
}

impl Sockets {
    pub(crate) fn new(any_port: (u16, u16), hasher: KeyedState) -> Self {
        Self { uses: KeyedMap::with_hasher(hasher), any_port, hasher }
    }

    /// Opens a socket for `owner`, or joins it to a shared one.
    pub(crate) fn listen(
        &mut self,
        owner: Owner,
        info: &ListenInfo,
        turn: &mut Turn<'_>,
    ) -> Result<Bound, Refused> {
        if info.shared {
            return self.listen_shared(owner, info, turn);
        }
        let bound = self.bind(info, turn)?;
        self.uses.insert(bound.socket, Use::Own(owner));
        Ok(bound)
    }

    /// Opens a UDP socket or a TCP listener for WebRTC.
    pub(crate) fn listen_for_ice(
        &mut self,
        holder: Holder,
        info: &ListenInfo,
        turn: &mut Turn<'_>,
    ) -> Result<Bound, Refused> {
        if info.shared {
            return Err(Refused::invalid(
                "shared sockets are for plain transports; let WebRTC transports share those of a WebRTC server",
            ));
        }
        let bound = self.bind(info, turn)?;
        self.uses.insert(
            bound.socket,
            Use::Ice(IcePort { holder, protocol: info.protocol, listener: bound.socket }),
        );
        Ok(bound)
    }

    /// Closes a socket, whoever uses it; a listener with its connections.
    pub(crate) fn close(&mut self, socket: SocketKey, turn: &mut Turn<'_>) {
        self.forget(socket);
        turn.network.close(socket);
    }

    /// Makes a connection to a listener `transport`'s, whose peer showed itself on it.
    pub(crate) fn join_connection(
        &mut self,
        connection: SocketKey,
        listener: SocketKey,
        transport: TransportKey,
    ) {
        let port = IcePort { holder: Holder::Transport(transport), protocol: Protocol::Tcp, listener };
        self.uses.insert(connection, Use::Ice(port));
    }

    /// Where a connection was taken; for every other socket itself.
    pub(crate) fn listener_of(&self, socket: SocketKey) -> SocketKey {
        match self.uses.get(&socket) {
            Some(Use::Ice(port)) => port.listener,
            _ => socket,
        }
    }

    /// Whose a connection was that is gone.
    pub(crate) fn on_connection_closed(&mut self, connection: SocketKey) -> Option<TransportKey> {
        let owner = match self.uses.get(&connection) {
            Some(Use::Ice(IcePort { holder: Holder::Transport(transport), .. })) => Some(*transport),
            _ => None,
        };
        self.forget(connection);
        owner
    }

    fn forget(&mut self, socket: SocketKey) {
        self.uses.remove(&socket);
        shrink_when_sparse(&mut self.uses);
    }

    fn listen_shared(
        &mut self,
        owner: Owner,
        info: &ListenInfo,
        turn: &mut Turn<'_>,
    ) -> Result<Bound, Refused> {
        let ListenPort::Fixed(port) = info.port else {
            return Err(Refused::invalid(
                "a shared socket needs a fixed port; name it, it is what the transports share",
            ));
        };
        let here = SocketAddr::new(info.ip, port);
        let joined = self.uses.values_mut().find_map(|entry| match entry {
            Use::Shared(shared) if port != 0 && shared.bound.local == here => Some(shared),
            _ => None,
        });
        if let Some(shared) = joined {
            shared.owners.push(owner);
            return Ok(shared.bound);
        }
        let bound = self.bind(info, turn)?;
        let peers = KeyedMap::with_hasher(self.hasher);
        let shared = Shared { bound, owners: SmallVec::from_iter([owner]), peers };
        self.uses.insert(bound.socket, Use::Shared(Box::new(shared)));
        Ok(bound)
    }

    fn bind(&self, info: &ListenInfo, turn: &mut Turn<'_>) -> Result<Bound, Refused> {
        let options = BindOptions {
            ip: info.ip,
            port: self.port_choice(info.port)?,
            ipv6_only: info.ipv6_only,
            reuse_port: info.udp_reuse_port,
            send_buffer_bytes: info.send_buffer_bytes,
            receive_buffer_bytes: info.receive_buffer_bytes,
        };
        let start = turn.random.next_u32();
        let bound = match info.protocol {
            Protocol::Udp => turn.network.bind(&options, start),
            Protocol::Tcp => turn.network.listen(&options, start),
        };
        let bound = bound.map_err(|error| refusal(info, error))?;
        warn_of_small_buffers(info, &bound, turn);
        Ok(bound)
    }

    fn port_choice(&self, port: ListenPort) -> Result<PortChoice, Refused> {
        match port {
            ListenPort::Any => Ok(PortChoice::Range { min: self.any_port.0, max: self.any_port.1 }),
            ListenPort::Fixed(0) => Ok(PortChoice::Any),
            ListenPort::Fixed(port) => Ok(PortChoice::Fixed(port)),
            ListenPort::Range { min, max } if min == 0 || min > max => Err(Refused::invalid(format!(
                "port range {min} to {max} is empty; give the lower port first, from 1 on"
            ))),
            ListenPort::Range { min, max } => Ok(PortChoice::Range { min, max }),
        }
    }

    /// Ends the use of a socket by a transport; the last one closes it.
    pub(crate) fn leave(&mut self, socket: SocketKey, transport: TransportKey, turn: &mut Turn<'_>) {
        let last = match self.uses.get_mut(&socket) {
            None => false,
            Some(Use::Own(_) | Use::Ice(_)) => true,
            Some(Use::Shared(shared)) => {
                shared.owners.retain(|owner| owner.transport != transport);
                shared.peers.retain(|_, owner| owner.transport != transport);
                shared.owners.is_empty()
            }
        };
        if last {
            self.close(socket, turn);
        }
    }

    /// Makes datagrams of `peer` on a shared socket `owner`'s. Refused when another transport has that peer.
    pub(crate) fn set_peer(
        &mut self,
        socket: SocketKey,
        peer: SocketAddr,
        owner: Owner,
    ) -> Result<(), Refused> {
        let Some(Use::Shared(shared)) = self.uses.get_mut(&socket) else { return Ok(()) };
        match shared.peers.get(&peer) {
            Some(other) if *other != owner => Err(Refused::duplicate(format!(
                "another transport on this shared socket has the peer {peer}; each peer address can have one"
            ))),
            _ => {
                shared.peers.insert(peer, owner);
                Ok(())
            }
        }
    }

    /// Takes [`Self::set_peer`] back.
    pub(crate) fn forget_peer(&mut self, socket: SocketKey, peer: SocketAddr) {
        if let Some(Use::Shared(shared)) = self.uses.get_mut(&socket) {
            shared.peers.remove(&peer);
        }
    }

    /// Who a datagram from `peer` is for.
    pub(crate) fn find(&self, socket: SocketKey, peer: SocketAddr) -> Found {
        match self.uses.get(&socket) {
            Some(Use::Own(owner)) => Found::Owner(*owner),
            Some(Use::Ice(port)) => Found::Ice(*port),
            Some(Use::Shared(shared)) => match shared.peers.get(&peer) {
                Some(owner) => Found::Owner(*owner),
                None => Found::OneOf(shared.owners.clone()),
            },
            None => Found::Nobody,
        }
    }

    /// Every use of a socket: by its transports, and by those whose peers have called.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (SocketKey, Owner)> {
        self.uses.iter().flat_map(|(socket, entry)| {
            let (own, shared) = match entry {
                Use::Own(owner) => (Some(*owner), None),
                Use::Ice(_) => (None, None),
                Use::Shared(shared) => (None, Some(shared)),
            };
            let shared = shared.into_iter();
            let others = shared.flat_map(|shared| shared.owners.iter().chain(shared.peers.values()).copied());
            own.into_iter().chain(others).map(|owner| (*socket, owner))
        })
    }

    /// Every socket that somebody holds for ICE.
    pub(crate) fn ice_ports(&self) -> impl Iterator<Item = (SocketKey, IcePort)> {
        self.uses.iter().filter_map(|(socket, entry)| match entry {
            Use::Ice(port) => Some((*socket, *port)),
            Use::Own(_) | Use::Shared(_) => None,
        })
    }

    /// How many sockets are open.
    pub(crate) fn len(&self) -> usize {
        self.uses.len()
    }
}

fn refusal(info: &ListenInfo, error: BindError) -> Refused {
    let (ip, port) = (info.ip, info.port);
    if matches!(error, BindError::TooManyOpenFiles) {
        return Refused::limit(format!("cannot listen on {ip}: {error}"));
    }
    match port {
        ListenPort::Fixed(port) => Refused::bind(format!("cannot listen on {ip} port {port}: {error}")),
        ListenPort::Range { min, max } => {
            Refused::bind(format!("cannot listen on {ip} ports {min} to {max}: {error}"))
        }
        ListenPort::Any => Refused::bind(format!("cannot listen on {ip}: {error}")),
    }
}

fn warn_of_small_buffers(info: &ListenInfo, bound: &Bound, turn: &mut Turn<'_>) {
    let pairs = [
        ("send", info.send_buffer_bytes, bound.send_buffer_bytes, "net.core.wmem_max"),
        ("receive", info.receive_buffer_bytes, bound.receive_buffer_bytes, "net.core.rmem_max"),
    ];
    for (name, asked, given, sysctl) in pairs {
        // The kernel books twice what it grants.
        if given / 2 < asked {
            turn.warn(LogTag::Info, || {
                let given = given / 2;
                format!("{}: the kernel gives a {name} buffer of {given} bytes instead of {asked}; raise {sysctl}", bound.local)
            });
        }
    }
}

/// What peers are told of a bound socket.
pub(crate) fn announced(info: &ListenInfo, ip: IpAddr) -> String {
    info.announced_address.as_ref().map_or_else(|| ip.to_string(), ToString::to_string)
}
