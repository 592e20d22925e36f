//! A peer of a WebRTC transport: asks by STUN, shakes hands by DTLS, and speaks SRTP.
//!
//! Uses the worker's engines from the other end, whose independence is proven elsewhere (OpenSSL, libsrtp, browsers).
//! Knows one address and the worker's candidates. Does not know the worker's inside.
//! Invariant: what the worker protects this peer can open; what it sends before a handshake is STUN and DTLS alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tidegate_protocol::bounded::Text;
use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::{ListenInfo, ListenPort, Protocol};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, DtlsRole, FingerprintAlgorithm, WebRtcCommand, WebRtcDump, WebRtcListen,
    WebRtcServerDump, WebRtcStats, WebRtcTransportOptions,
};
use tidegate_worker::dtls::{
    BUFFER_BYTES, Certificate, Context, Dtls, Failure, Fingerprint, Flights, HashFunction, MasterKey, Output,
    Role, SrtpProfile, Version,
};
use tidegate_worker::ice::stun::{BINDING, Class, IntegrityKey, Message, Writer};
use tidegate_worker::srtp::{Keys, Suite};

use super::World;
use super::host::listen_on;
use super::parameters::list;
use super::rtcp::{self, Rtcp};
use super::rtp::RtpPacket;
use super::secured::Secured;

/// A WebRTC transport, as its host was told of it.
#[derive(Clone, Debug)]
pub struct WebRtc {
    /// Its name.
    pub id: TransportId,
    /// What it began with.
    pub dump: WebRtcDump,
}

/// How a request nominates its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nomination {
    /// Not at all.
    No,
    /// USE-CANDIDATE.
    Usual,
    /// USE-CANDIDATE with a number.
    Numbered(u32),
}

/// An answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of a refusal.
    pub error: Option<u16>,
    /// Where the worker saw the request come from.
    pub mapped: Option<SocketAddr>,
    /// Under the credentials that the peer uses.
    pub signed: bool,
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
    fragment: String,
    key: IntegrityKey,
    context: Arc<Context>,
    worker_fingerprints: Vec<Fingerprint>,
    dtls: Dtls,
    session: Option<Secured>,
    transactions: u32,
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
        let ice = &transport.dump.ice_parameters;
        let told = transport.dump.dtls_fingerprints.iter();
        let worker_fingerprints = told.map(|told| {
            Fingerprint::parse(told.algorithm.name(), &told.value).expect("the worker tells fingerprints")
        });
        Self {
            address,
            to: candidate(transport, Protocol::Udp)
                .or_else(|| candidate(transport, Protocol::Tcp))
                .expect("one"),
            transport: transport.id,
            fragment: ice.username_fragment.to_string(),
            key: IntegrityKey::new(ice.password.as_bytes()),
            context: Arc::clone(context),
            worker_fingerprints: worker_fingerprints.collect(),
            dtls: Dtls::new(Arc::clone(context)),
            session: None,
            transactions: 0,
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
        let fingerprint = Fingerprint::of(HashFunction::Sha256, self.context.certificate().der());
        let value = Text::clipped(&fingerprint.to_string());
        DtlsFingerprint { algorithm: FingerprintAlgorithm::Sha256, value }
    }

    /// From now on it asks under these.
    pub fn use_credentials(&mut self, fragment: &str, password: &str) {
        self.fragment = fragment.to_owned();
        self.key = IntegrityKey::new(password.as_bytes());
    }

    /// From now on it calls from another address, as after a change of networks.
    pub fn moves_to(&mut self, world: &mut World, address: SocketAddr) {
        world.network.leave_sealed(address);
        self.address = address;
    }

    /// A request of its.
    pub fn request(&mut self, nomination: Nomination) -> Vec<u8> {
        let mut transaction = [7; 12];
        self.transactions += 1;
        transaction[..4].copy_from_slice(&self.transactions.to_be_bytes());
        let mut out = [0; 256];
        let mut writer = Writer::new(&mut out, Class::Request, BINDING, &transaction);
        writer.username(format!("{}:peer", self.fragment).as_bytes());
        writer.priority(1_845_501_695);
        writer.controlling(0x5EED);
        if nomination != Nomination::No {
            writer.use_candidate();
        }
        if let Nomination::Numbered(number) = nomination {
            writer.nomination(number);
        }
        let bytes = writer.finish(Some(&self.key)).expect("a request fits");
        out[..bytes].to_vec()
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
        let fingerprints = self.worker_fingerprints.clone();
        self.dtls.connect(world.now(), role, fingerprints, &mut Flights::new(FLIGHTS));
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
        self.session.is_some() && !self.is_closed
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
        self.session.as_mut().expect("it has joined").protect(plain)
    }

    /// Ends DTLS.
    pub fn says_goodbye(&mut self, world: &mut World) {
        self.dtls.close(world.now());
        self.speaks(world);
    }

    /// Takes what came, and answers as DTLS wants.
    pub fn hears(&mut self, world: &mut World) {
        for sent in world.network.take_sent_to(self.address) {
            match sent.bytes.first() {
                Some(0..=3) => self.take_answer(&sent.bytes),
                Some(20..=63) => self.dtls.receive(world.now(), &sent.bytes, &mut Flights::new(FLIGHTS)),
                _ => self.take_media(sent.bytes, world),
            }
        }
        self.speaks(world);
    }

    fn take_answer(&mut self, bytes: &[u8]) {
        let message = Message::parse(bytes).expect("the worker sends sound STUN");
        let signed = message.is_signed_by(&self.key);
        self.answers.push(Answer { error: message.error_code, mapped: message.mapped_address, signed });
    }

    fn take_media(&mut self, mut bytes: Vec<u8>, world: &World) {
        let session = self.session.as_mut().expect("the worker sends media after the handshake");
        if !session.open(&mut bytes, world.now()) {
            self.repeated += 1;
            return;
        }
        if super::is_rtcp(&bytes) {
            self.reports.extend(rtcp::read(&bytes).expect("the worker sends sound RTCP"));
        } else {
            self.packets.push(RtpPacket::read(&bytes).expect("the worker sends sound RTP"));
        }
    }

    /// Sends what DTLS has to say. It arrives with the next turn.
    fn speaks(&mut self, world: &mut World) {
        if self.dtls.next_deadline().is_some_and(|at| at <= world.now()) {
            self.dtls.on_deadline(world.now());
        }
        let mut buffer = [0; BUFFER_BYTES];
        while let Some(output) = self.dtls.poll(world.now(), &mut buffer) {
            match output {
                Output::Datagram(bytes) => world.network.inject(self.address, self.to, bytes.to_vec()),
                Output::Connected(connected) => {
                    let [own, worker] = [&connected.local, &connected.remote]
                        .map(|master| master_keys(connected.srtp_profile, master));
                    self.session = Some(Secured::new(&own, &worker));
                }
                Output::Closed => self.is_closed = true,
                Output::Failed(failure) => self.failure = Some(failure),
                Output::Data(_) => panic!("nobody sends data"),
            }
        }
    }
}

fn master_keys(profile: SrtpProfile, master: &MasterKey) -> Keys {
    let suite = Suite::from_profile_id(profile.id()).expect("the engine has every suite");
    Keys::new(suite, &[master.key(), master.salt()].concat()).expect("a profile's keys fit its suite")
}

/// What peers of one make share: a certificate, and the version that they offer first.
///
/// # Panics
/// The system gives no random numbers.
pub fn context(version: Version) -> Arc<Context> {
    #[expect(clippy::disallowed_methods, reason = "any moment will do as the origin")]
    let origin = Instant::now();
    let certificate = Certificate::generate(1_800_000_000).expect("the system gives random numbers");
    Arc::new(Context::new(certificate, origin).offering(version))
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

/// A peer has time for as many.
const FLIGHTS: u32 = 64;
