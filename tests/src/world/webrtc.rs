//! A peer of a WebRTC transport in the simulated world.
//!
//! Knows one address and the worker's candidates; what it says and understands is its `Endpoint`'s business. Does not know
//! the worker's inside.

use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::{ListenInfo, ListenPort, Protocol};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, DtlsRole, WebRtcCommand, WebRtcDump, WebRtcListen, WebRtcServerDump, WebRtcStats,
    WebRtcTransportOptions,
};
use tidegate_worker::dtls::{Context, Failure, Role, Version};

use super::World;
use super::host::listen_on;
use super::parameters::list;
use super::rtcp::{self, Rtcp};
use super::rtp::RtpPacket;
use crate::endpoint::{Endpoint, Heard, Said};

pub use crate::endpoint::{Answer, Nomination, context};

/// A WebRTC transport, as its host was told of it.
#[derive(Clone, Debug)]
pub struct WebRtc {
    /// Its name.
    pub id: TransportId,
    /// What it began with.
    pub dump: WebRtcDump,
}

/// Somebody with a browser.
#[derive(Debug)]
pub struct WebRtcPeer {
    /// Where it calls from.
    pub address: SocketAddr,
    /// Which candidate it calls.
    pub to: SocketAddr,
    /// Whom it calls.
    pub transport: TransportId,
    endpoint: Endpoint,
    /// Answers since the last time.
    pub answers: Vec<Answer>,
    /// Media since the last time.
    pub packets: Vec<RtpPacket>,
    /// Media that came again under the index that it had: SRTP takes it once.
    pub repeated: usize,
    /// Feedback since the last time.
    pub reports: Vec<Rtcp>,
    /// The worker said goodbye.
    pub is_closed: bool,
    /// Why there was no connection.
    pub failure: Option<Failure>,
}

impl World {
    /// A new WebRTC transport.
    pub fn webrtc_transport(&mut self, router: RouterId, options: &WebRtcTransportOptions) -> WebRtc {
        let transport = TransportId(self.new_id());
        match self.request(create_webrtc(router, transport, options)) {
            Ok(Reply::WebRtcTransport(dump)) => WebRtc { id: transport, dump: *dump },
            other => panic!("{other:?}"),
        }
    }

    /// A new WebRTC server.
    pub fn webrtc_server(&mut self, listen_infos: &[ListenInfo]) -> WebRtcServerId {
        let server = WebRtcServerId(self.new_id());
        let listen_infos = list(listen_infos.to_vec());
        self.done(Command::WebRtc(WebRtcCommand::CreateServer { server, listen_infos }));
        server
    }

    /// A server's state.
    pub fn webrtc_server_dump(&mut self, server: WebRtcServerId) -> WebRtcServerDump {
        match self.request(Command::WebRtc(WebRtcCommand::DumpServer { server })) {
            Ok(Reply::WebRtcServerDump(dump)) => *dump,
            other => panic!("{other:?}"),
        }
    }

    /// A WebRTC transport's state.
    pub fn webrtc_dump(&mut self, transport: TransportId) -> WebRtcDump {
        self.transport_dump(transport).webrtc.expect("a WebRTC transport")
    }

    /// A WebRTC transport's counters.
    pub fn webrtc_stats(&mut self, transport: TransportId) -> WebRtcStats {
        self.transport_stats(transport).webrtc.expect("a WebRTC transport")
    }

    /// Says who the peer is; the role that the worker takes.
    pub fn connect_webrtc(&mut self, peer: &WebRtcPeer, role: DtlsRole) -> DtlsRole {
        match self.request(connect_webrtc(peer.transport, role, &[peer.fingerprint()])) {
            Ok(Reply::WebRtcConnected { dtls_local_role }) => dtls_local_role,
            other => panic!("{other:?}"),
        }
    }

    /// Other credentials for a transport, which `peer` uses from now on.
    pub fn restart_ice(&mut self, peer: &mut WebRtcPeer) {
        match self.request(Command::WebRtc(WebRtcCommand::RestartIce { transport: peer.transport })) {
            Ok(Reply::IceParameters(told)) => peer.use_credentials(&told.username_fragment, &told.password),
            other => panic!("{other:?}"),
        }
    }

    /// A transport and its peer, whose media flows: the peer begins.
    pub fn webrtc_pair(
        &mut self,
        router: RouterId,
        address: SocketAddr,
        options: &WebRtcTransportOptions,
    ) -> WebRtcPeer {
        let transport = self.webrtc_transport(router, options);
        let mut peer = WebRtcPeer::new(self, &transport, address, &context(Version::Dtls12));
        assert_eq!(self.connect_webrtc(&peer, DtlsRole::Client), DtlsRole::Server);
        peer.joins(self);
        peer
    }
}

impl WebRtcPeer {
    /// Somebody at `address` who was told of `transport`, with the certificate of `context`.
    pub fn new(world: &mut World, transport: &WebRtc, address: SocketAddr, context: &Arc<Context>) -> Self {
        world.network.leave_sealed(address);
        Self {
            address,
            to: candidate(transport, Protocol::Udp)
                .or_else(|| candidate(transport, Protocol::Tcp))
                .expect("one"),
            transport: transport.id,
            endpoint: Endpoint::new(&transport.dump, context),
            answers: Vec::new(),
            packets: Vec::new(),
            repeated: 0,
            reports: Vec::new(),
            is_closed: false,
            failure: None,
        }
    }

    /// What its host tells the worker's.
    pub fn fingerprint(&self) -> DtlsFingerprint {
        self.endpoint.fingerprint()
    }

    /// From now on it asks under these.
    pub fn use_credentials(&mut self, fragment: &str, password: &str) {
        self.endpoint.use_credentials(fragment, password);
    }

    /// From now on it calls from another address, as after a change of networks.
    pub fn moves_to(&mut self, world: &mut World, address: SocketAddr) {
        world.network.leave_sealed(address);
        self.address = address;
    }

    /// A request of its.
    pub fn request(&mut self, nomination: Nomination) -> Vec<u8> {
        self.endpoint.request(nomination)
    }

    /// Asks, and hears the answer.
    pub fn checks(&mut self, world: &mut World, nomination: Nomination) -> Option<Answer> {
        let request = self.request(nomination);
        self.sends(world, request);
        self.answers.pop()
    }

    /// Sends anything, and hears what comes of it.
    pub fn sends(&mut self, world: &mut World, bytes: Vec<u8>) {
        world.network.inject(self.address, self.to, bytes);
        world.receive();
        self.hears(world);
    }

    /// Begins the handshake, in this role.
    pub fn begins(&mut self, world: &mut World, role: Role) {
        self.endpoint.begins(world.now(), role);
        self.speaks(world);
    }

    /// Nominates its way and begins the handshake, until it is done.
    ///
    /// # Panics
    /// It does not come to be.
    pub fn joins(&mut self, world: &mut World) {
        assert_eq!(self.checks(world, Nomination::Usual).expect("an answer").error, None);
        self.begins(world, Role::Client);
        self.shakes_hands(world);
        assert!(self.is_joined(), "{:?}", self.failure);
    }

    /// Goes on with the handshake until it is done, one way or the other, or two seconds are over.
    pub fn shakes_hands(&mut self, world: &mut World) {
        for _ in 0..2_000 {
            world.receive();
            self.hears(world);
            if self.is_joined() || self.failure.is_some() || self.is_closed {
                break;
            }
            world.run_for(1);
        }
        // The last flight has to arrive.
        world.receive();
        self.hears(world);
    }

    /// Whether it has keys.
    pub fn is_joined(&self) -> bool {
        self.endpoint.has_keys() && !self.is_closed
    }

    /// Sends media or feedback, which the worker receives in one turn.
    pub fn plays(&mut self, world: &mut World, datagrams: impl IntoIterator<Item = Vec<u8>>) {
        for plain in datagrams {
            let sealed = self.seals(&plain);
            world.network.inject(self.address, self.to, sealed);
        }
        world.receive();
        self.hears(world);
    }

    /// Sends packets.
    pub fn plays_packets(&mut self, world: &mut World, packets: &[RtpPacket]) {
        self.plays(world, packets.iter().map(RtpPacket::write));
    }

    /// Asks for something by RTCP.
    pub fn reports_back(&mut self, world: &mut World, compound: &[Rtcp]) {
        self.plays(world, [rtcp::write(compound)]);
    }

    /// A datagram under its keys.
    pub fn seals(&mut self, plain: &[u8]) -> Vec<u8> {
        self.endpoint.seals(plain)
    }

    /// Ends DTLS.
    pub fn says_goodbye(&mut self, world: &mut World) {
        self.endpoint.says_goodbye(world.now());
        self.speaks(world);
    }

    /// Takes what came, and answers as DTLS wants.
    pub fn hears(&mut self, world: &mut World) {
        for sent in world.network.take_sent_to(self.address) {
            match self.endpoint.hears(world.now(), sent.bytes) {
                Heard::Answer(answer) => self.answers.push(answer),
                Heard::Dtls => {}
                Heard::Media(plain) => self.take_media(&plain),
                Heard::Again => self.repeated += 1,
            }
        }
        self.speaks(world);
    }

    fn take_media(&mut self, plain: &[u8]) {
        if super::is_rtcp(plain) {
            self.reports.extend(rtcp::read(plain).expect("the worker sends sound RTCP"));
        } else {
            self.packets.push(RtpPacket::read(plain).expect("the worker sends sound RTP"));
        }
    }

    /// Sends what DTLS has to say. It arrives with the next turn.
    fn speaks(&mut self, world: &mut World) {
        for said in self.endpoint.says(world.now()) {
            match said {
                Said::Datagram(bytes) => world.network.inject(self.address, self.to, bytes),
                Said::Joined => {}
                Said::Closed => self.is_closed = true,
                Said::Failed(failure) => self.failure = Some(failure),
            }
        }
    }
}

/// The request to create a WebRTC transport.
pub fn create_webrtc(router: RouterId, transport: TransportId, options: &WebRtcTransportOptions) -> Command {
    let options = options.clone();
    Command::WebRtc(WebRtcCommand::CreateTransport { router, transport, options })
}

/// The request to connect one.
pub fn connect_webrtc(transport: TransportId, role: DtlsRole, fingerprints: &[DtlsFingerprint]) -> Command {
    let fingerprints = list(fingerprints.to_vec());
    Command::WebRtc(WebRtcCommand::ConnectTransport { transport, role, fingerprints })
}

/// Listens so, takes both protocols, prefers none; consent as usual.
pub fn webrtc_options(listen: WebRtcListen) -> WebRtcTransportOptions {
    WebRtcTransportOptions {
        listen,
        enable_udp: true,
        enable_tcp: true,
        prefer_udp: false,
        prefer_tcp: false,
        ice_consent_timeout_s: 30,
        initial_available_outgoing_bitrate: 600_000,
        enable_sctp: false,
    }
}

/// Listens on one UDP port of its own on loopback.
pub fn own_port() -> WebRtcTransportOptions {
    webrtc_options(WebRtcListen::Individual(list(vec![on_loopback(Protocol::Udp, ListenPort::Any)])))
}

/// A place on loopback.
pub fn on_loopback(protocol: Protocol, port: ListenPort) -> ListenInfo {
    ListenInfo { protocol, ..listen_on([127, 0, 0, 1].into(), port) }
}

/// The first candidate of this protocol that is an address.
pub fn candidate(transport: &WebRtc, protocol: Protocol) -> Option<SocketAddr> {
    let candidates = transport.dump.ice_candidates.iter();
    let mut candidates = candidates.filter(|candidate| candidate.protocol == protocol);
    candidates.find_map(|found| Some(SocketAddr::new(found.address.parse().ok()?, found.port)))
}
