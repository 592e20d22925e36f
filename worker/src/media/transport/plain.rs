//! A plain transport's link: RTP and RTCP over UDP, to a peer that was named or that called first (comedia).
//!
//! Knows its sockets by key and its peer. Does not know packets: `receive` says when one was good enough to learn a
//! peer from. Invariant: once known, the peer's address does not change.

use std::net::{IpAddr, SocketAddr};

use tidegate_protocol::bounded::Text;
use tidegate_protocol::ids::TransportId;
use tidegate_protocol::srtp::{SrtpCryptoSuite, SrtpParameters};
use tidegate_protocol::transport::{
    ListenInfo, ListenPort, PlainConnectOptions, PlainTransportOptions, Protocol, TransportTuple,
};

use crate::media::refused::Refused;
use crate::media::sockets::{Owner, Purpose, Sockets, announced};
use crate::media::transport::link::Link;
use crate::media::transport::protection::{self, Incoming};
use crate::media::transport::{Transport, enrol, on_connected};
use crate::media::{RouterKey, Tables, TransportKey};
use crate::network::{Destination, SocketKey};
use crate::srtp::Keys;
use crate::turn::Turn;

/// The link's state.
#[derive(Debug)]
pub(crate) struct Plain {
    rtp: End,
    /// Without rtcp-mux.
    rtcp: Option<End>,
    comedia: bool,
    connected: bool,
    /// With SRTP: what we send under.
    keys: Option<Box<Keys>>,
}

/// One socket and the peer on its other side.
#[derive(Debug)]
struct End {
    socket: SocketKey,
    local_address: Box<str>,
    local_port: u16,
    peer: Option<Peer>,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    address: SocketAddr,
    /// Where it called, on a wildcard socket.
    local_ip: Option<IpAddr>,
}

/// What a sender's address means to the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The peer.
    Peer,
    /// Nobody yet known: the peer, if the packet is good.
    Unheard,
    /// Somebody else.
    Stranger,
}

/// Makes a plain transport; nothing is left open when a part of it is refused.
pub(crate) fn create(
    tables: &mut Tables,
    router: RouterKey,
    id: TransportId,
    options: &PlainTransportOptions,
    turn: &mut Turn<'_>,
) -> Result<TransportKey, Refused> {
    tables.check_unused(id.into())?;
    let infos = [Some(&options.listen_info), options.rtcp_listen_info.as_ref()];
    if infos.into_iter().flatten().any(|info| info.protocol != Protocol::Udp) {
        return Err(Refused::invalid(
            "a plain transport listens on UDP; give its listen infos that protocol",
        ));
    }
    if options.rtcp_mux && options.rtcp_listen_info.is_some() {
        return Err(Refused::invalid(
            "rtcpListenInfo is for transports without rtcpMux; drop one of the two",
        ));
    }
    let keys = options.srtp.map(|suite| protection::random_keys(suite, turn.random)).transpose()?;
    // The sockets need the transport's key and the transport its sockets: it starts with none.
    let transport = Transport::new(id, router, Link::Plain(Plain::closed(options.comedia)), turn.random);
    let key = tables.transports.insert(transport);
    match listen(&mut tables.sockets, key, options, turn) {
        Ok(plain) => {
            if let Some(transport) = tables.transports.get_mut(key) {
                transport.incoming = if keys.is_some() { Incoming::Locked } else { Incoming::Clear };
                transport.link = Link::Plain(Plain { keys: keys.map(Box::new), ..plain });
            }
        }
        Err(refused) => {
            tables.transports.remove(key);
            return Err(refused);
        }
    }
    enrol(tables, router, key);
    Ok(key)
}

fn listen(
    sockets: &mut Sockets,
    transport: TransportKey,
    options: &PlainTransportOptions,
    turn: &mut Turn<'_>,
) -> Result<Plain, Refused> {
    let info = &options.listen_info;
    let rtp = End::listen(sockets, Owner { transport, purpose: Purpose::Rtp }, info, turn)?;
    let mut plain = Plain { rtp, rtcp: None, comedia: options.comedia, connected: false, keys: None };
    if !options.rtcp_mux {
        let owner = Owner { transport, purpose: Purpose::Rtcp };
        match listen_rtcp(sockets, owner, options, plain.rtp.local_port, turn) {
            Ok(rtcp) => plain.rtcp = Some(rtcp),
            Err(refused) => {
                sockets.leave(plain.rtp.socket, transport, turn);
                return Err(refused);
            }
        }
    }
    Ok(plain)
}

/// Where the caller says; else on the next port, where RFC 3550 11 puts it, if it is free; else on any.
fn listen_rtcp(
    sockets: &mut Sockets,
    owner: Owner,
    options: &PlainTransportOptions,
    rtp_port: u16,
    turn: &mut Turn<'_>,
) -> Result<End, Refused> {
    if let Some(info) = &options.rtcp_listen_info {
        return End::listen(sockets, owner, info, turn);
    }
    let beside =
        ListenInfo { port: ListenPort::Fixed(rtp_port.saturating_add(1)), ..options.listen_info.clone() };
    End::listen(sockets, owner, &beside, turn).or_else(|_| {
        let any = ListenInfo { port: ListenPort::Any, shared: false, ..beside };
        End::listen(sockets, owner, &any, turn)
    })
}

/// Names the peer, and with SRTP what it sends under. Comedia transports learn the peer: they are told its keys only.
pub(crate) fn connect(
    tables: &mut Tables,
    key: TransportKey,
    options: &PlainConnectOptions,
    turn: &mut Turn<'_>,
) -> Result<(), Refused> {
    let Some(transport) = tables.transports.get_mut(key) else {
        return Err(Refused::not_found("this transport is not there any more"));
    };
    let Some(plain) = transport.link.plain_mut() else {
        return Err(Refused::invalid("this transport is not a plain one; connect it as what it is"));
    };
    let is_keyed = matches!(transport.incoming, Incoming::Srtp(_));
    let peer = plain.check_connect(options, is_keyed)?;
    let secured = plain.check_keys(options, turn)?;
    if let Some((rtp, rtcp)) = peer {
        plain.meet(&mut tables.sockets, key, rtp, rtcp)?;
    }
    if let Some((ours, theirs)) = secured {
        protection::secure(transport, &ours, &theirs)?;
        if let Some(plain) = transport.link.plain_mut() {
            plain.keys = Some(Box::new(ours));
        }
    }
    if peer.is_some() {
        on_connected(tables, key, turn);
    }
    Ok(())
}

impl Plain {
    /// No sockets yet: only while the transport is being made.
    fn closed(comedia: bool) -> Self {
        let rtp = End {
            socket: SocketKey::new(u32::MAX, u32::MAX),
            local_address: "".into(),
            local_port: 0,
            peer: None,
        };
        Self { rtp, rtcp: None, comedia, connected: false, keys: None }
    }

    /// Sends to and takes from these addresses from now on; when one of them is somebody else's, nothing changes.
    fn meet(
        &mut self,
        sockets: &mut Sockets,
        key: TransportKey,
        rtp: SocketAddr,
        rtcp: Option<SocketAddr>,
    ) -> Result<(), Refused> {
        let owner = |purpose| Owner { transport: key, purpose };
        sockets.set_peer(self.rtp.socket, rtp, owner(Purpose::Rtp))?;
        if let (Some(end), Some(address)) = (&mut self.rtcp, rtcp) {
            if let Err(refused) = sockets.set_peer(end.socket, address, owner(Purpose::Rtcp)) {
                sockets.forget_peer(self.rtp.socket, rtp);
                return Err(refused);
            }
            end.peer = Some(Peer { address, local_ip: None });
        }
        self.rtp.peer = Some(Peer { address: rtp, local_ip: None });
        self.connected = true;
        Ok(())
    }

    /// What the peer must know to open what we send, with SRTP.
    pub(crate) fn srtp_parameters(&self) -> Option<SrtpParameters> {
        self.keys.as_deref().map(protection::parameters)
    }

    /// The suite, with SRTP.
    pub(crate) fn srtp_suite(&self) -> Option<SrtpCryptoSuite> {
        self.keys.as_deref().map(|keys| protection::named(keys.suite()))
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = SocketKey> {
        [Some(self.rtp.socket), self.rtcp.as_ref().map(|end| end.socket)].into_iter().flatten()
    }

    pub(crate) fn rtcp_mux(&self) -> bool {
        self.rtcp.is_none()
    }

    pub(crate) fn comedia(&self) -> bool {
        self.comedia
    }

    pub(crate) fn tuple(&self) -> TransportTuple {
        self.rtp.tuple()
    }

    pub(crate) fn rtcp_tuple(&self) -> Option<TransportTuple> {
        self.rtcp.as_ref().map(End::tuple)
    }

    /// Where RTP goes, once the peer is known.
    pub(crate) fn rtp_destination(&self) -> Option<Destination> {
        self.rtp.destination()
    }

    /// Where RTCP goes, once known.
    pub(crate) fn rtcp_destination(&self) -> Option<Destination> {
        self.rtcp.as_ref().unwrap_or(&self.rtp).destination()
    }

    /// What `remote` means on the socket for `purpose`.
    pub(crate) fn source(&self, purpose: Purpose, remote: SocketAddr) -> Source {
        let rtp_ip = self.rtp.peer.map(|peer| peer.address.ip());
        match self.end(purpose).and_then(|end| end.peer) {
            Some(peer) if peer.address == remote => Source::Peer,
            Some(_) => Source::Stranger,
            // RTCP comes from the host that sends the RTP.
            None if purpose == Purpose::Rtcp && rtp_ip.is_some_and(|ip| ip != remote.ip()) => {
                Source::Stranger
            }
            None if self.comedia => Source::Unheard,
            None => Source::Stranger,
        }
    }

    /// Takes the sender of a good packet as the peer.
    pub(crate) fn learn(&mut self, purpose: Purpose, from: Destination) {
        if let Some(end) = self.end_mut(purpose) {
            end.peer = Some(Peer { address: from.remote, local_ip: from.local_ip });
        }
        self.connected |= purpose == Purpose::Rtp;
    }

    /// Remembers on which local address the peer called, to answer from it.
    pub(crate) fn called_on(&mut self, purpose: Purpose, local_ip: Option<IpAddr>) {
        if let Some(peer) = self.end_mut(purpose).and_then(|end| end.peer.as_mut()) {
            peer.local_ip = local_ip.or(peer.local_ip);
        }
    }

    fn end(&self, purpose: Purpose) -> Option<&End> {
        match purpose {
            Purpose::Rtp => Some(&self.rtp),
            Purpose::Rtcp => self.rtcp.as_ref(),
        }
    }

    fn end_mut(&mut self, purpose: Purpose) -> Option<&mut End> {
        match purpose {
            Purpose::Rtp => Some(&mut self.rtp),
            Purpose::Rtcp => self.rtcp.as_mut(),
        }
    }

    /// Our keys and the peer's, with SRTP. The peer chooses the suite: with another one than ours we make new keys.
    fn check_keys(
        &self,
        options: &PlainConnectOptions,
        turn: &mut Turn<'_>,
    ) -> Result<Option<(Keys, Keys)>, Refused> {
        match (self.keys.as_deref(), &options.srtp_parameters) {
            (None, None) => Ok(None),
            (Some(ours), Some(given)) => {
                let theirs = protection::given_keys(given)?;
                let ours = match ours.suite() == theirs.suite() {
                    true => ours.clone(),
                    false => protection::random_keys(given.crypto_suite, turn.random)?,
                };
                Ok(Some((ours, theirs)))
            }
            (Some(_), None) => Err(Refused::invalid(
                "a transport with SRTP needs the peer's srtpParameters; give the key it sends under",
            )),
            (None, Some(_)) => Err(Refused::invalid(
                "this transport has no SRTP; create it with enableSrtp, or leave srtpParameters out",
            )),
        }
    }

    /// The peer's addresses; none where it is yet to be learnt.
    fn check_connect(
        &self,
        options: &PlainConnectOptions,
        is_keyed: bool,
    ) -> Result<Option<(SocketAddr, Option<SocketAddr>)>, Refused> {
        if self.connected || is_keyed {
            return Err(Refused::state(
                "this transport is connected already; create another one for another peer",
            ));
        }
        if self.comedia {
            let names_peer = options.ip.is_some() || options.port.is_some() || options.rtcp_port.is_some();
            if self.keys.is_none() || names_peer {
                return Err(Refused::invalid(
                    "a comedia transport learns its peer from the first packet; connect it without addresses and only \
                     with SRTP, or create it without comedia",
                ));
            }
            return Ok(None);
        }
        let (Some(ip), Some(port)) = (options.ip, options.port) else {
            return Err(Refused::invalid("connect needs the peer's ip and port; only comedia does without"));
        };
        if port == 0 || ip.is_unspecified() {
            return Err(Refused::invalid(format!(
                "{ip} port {port} cannot be sent to; give the peer's own address and port"
            )));
        }
        let rtcp = match (self.rtcp.is_some(), options.rtcp_port) {
            (false, None) => None,
            (true, Some(rtcp_port)) if rtcp_port != 0 => Some(SocketAddr::new(ip, rtcp_port)),
            (true, _) => {
                return Err(Refused::invalid(
                    "a transport without rtcpMux needs rtcpPort; give the peer's RTCP port",
                ));
            }
            (false, Some(_)) => {
                return Err(Refused::invalid(
                    "a transport with rtcpMux takes no rtcpPort; RTCP goes to the RTP port",
                ));
            }
        };
        Ok(Some((SocketAddr::new(ip, port), rtcp)))
    }
}

impl End {
    fn listen(
        sockets: &mut Sockets,
        owner: Owner,
        info: &ListenInfo,
        turn: &mut Turn<'_>,
    ) -> Result<Self, Refused> {
        let bound = sockets.listen(owner, info, turn)?;
        Ok(Self {
            socket: bound.socket,
            local_address: announced(info, bound.local.ip()).into(),
            local_port: bound.local.port(),
            peer: None,
        })
    }

    fn tuple(&self) -> TransportTuple {
        TransportTuple {
            local_address: Text::clipped(&self.local_address),
            local_port: self.local_port,
            remote_ip: self.peer.map(|peer| peer.address.ip()),
            remote_port: self.peer.map(|peer| peer.address.port()),
            protocol: Protocol::Udp,
        }
    }

    fn destination(&self) -> Option<Destination> {
        let peer = self.peer?;
        Some(Destination { socket: self.socket, remote: peer.address, local_ip: peer.local_ip })
    }
}
