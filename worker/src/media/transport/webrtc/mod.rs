//! A WebRTC transport's link: ICE-lite says by which way the peer is reached, DTLS who it is, SRTP protects what flows.
//!
//! * [`create`]: ports, credentials, candidates; [`connect`], [`restart_ice`]: what the host says of the peer
//! * [`arrival`]: what comes in, by kind
//! * [`handshake`]: DTLS, from the peer's first record to keys
//!
//! Knows its sockets by key, its peer's ways and certificate. Does not know packets: `receive` gets them decrypted.
//! Invariant: nothing is decrypted, and no handshake worked on, but what came by a way that the peer has proven.

pub(crate) mod arrival;
pub(crate) mod context;
pub(crate) mod create;
pub(crate) mod handshake;

use std::sync::Arc;

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::event::Event;
use tidegate_protocol::transport::{Protocol, TransportTuple};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, DtlsRole, DtlsState, FingerprintAlgorithm, IceCandidate, IceParameters, WebRtcDump,
    WebRtcStats,
};

use crate::base::time::Time;
use crate::dtls::{Context, Dtls, Fingerprint, HashFunction, Role};
use crate::ice::{Changes, Credentials, IceLite, Preference, Tuple, UsernameFragment};
use crate::media::deadline::Deadline;
use crate::media::refused::Refused;
use crate::media::transport::{Transport, on_connected, on_disconnected};
use crate::media::webrtc_server::WebRtcServerKey;
use crate::media::{Tables, TransportKey};
use crate::network::{Destination, SocketKey};
use crate::outbox::LogTag;
use crate::turn::Turn;

/// The link's state.
#[derive(Debug)]
pub(crate) struct WebRtc {
    ice: IceLite,
    dtls: Dtls,
    /// For its own certificate's fingerprints.
    context: Arc<Context>,
    ports: Ports,
    /// Of its own ports; on a server they are told from the server's.
    candidates: Box<[IceCandidate]>,
    offer: Offer,
    /// What the host said of the peer, until there is a way to it.
    expected: Option<Box<Expected>>,
    role: DtlsRole,
    dtls_state: DtlsState,
    dtls_rejected: u64,
    bitrates: OutgoingBitrates,
    /// For when a deadline of this link is set.
    timers: Timers,
    /// What consumers were told last.
    was_reachable: bool,
}

const _: () = assert!(size_of::<WebRtc>() <= 768);

/// Whose ports it uses.
#[derive(Debug)]
pub(super) enum Ports {
    Own(Box<[Place]>),
    Server(WebRtcServerKey),
}

/// What of a server's ports is offered, and in which order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    udp: bool,
    tcp: bool,
    pub(crate) preference: Preference,
}

impl Offer {
    pub(crate) fn takes(self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Udp => self.udp,
            Protocol::Tcp => self.tcp,
        }
    }
}

/// One socket that a peer may call.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) socket: SocketKey,
    /// As peers are told it.
    pub(crate) local_address: Box<str>,
    pub(crate) local_port: u16,
}

/// The peer's side of DTLS.
#[derive(Debug)]
struct Expected {
    role: Role,
    fingerprints: Vec<Fingerprint>,
}

/// Settings in bits per second, for an estimator to come; 0 is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OutgoingBitrates {
    initial: u64,
    max: u64,
    min: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Timers {
    consent: Option<Time>,
    dtls: Option<Time>,
}

impl WebRtc {
    /// Where media goes: once DTLS is through, and as long as there is a way.
    pub(crate) fn destination(&self) -> Option<Destination> {
        let selected = self.ice.selected().map(|tuple| tuple.path);
        selected.filter(|_| self.dtls_state == DtlsState::Connected)
    }

    /// Where anything goes.
    fn way(&self) -> Option<Destination> {
        self.ice.selected().map(|tuple| tuple.path)
    }

    /// Its own sockets; none on a server.
    pub(crate) fn places(&self) -> &[Place] {
        match &self.ports {
            Ports::Own(places) => places,
            Ports::Server(_) => &[],
        }
    }

    /// The server whose ports it uses.
    pub(crate) fn server(&self) -> Option<WebRtcServerKey> {
        if let Ports::Server(key) = self.ports { Some(key) } else { None }
    }

    /// Its proven ways.
    pub(crate) fn tuples(&self) -> impl Iterator<Item = &Tuple> {
        self.ice.tuples().iter()
    }

    /// Fragments under which it is called.
    pub(crate) fn username_fragments(&self) -> impl Iterator<Item = UsernameFragment> {
        self.ice.username_fragments()
    }

    /// Whether it waits for its handshake, and for the end of consent.
    pub(crate) fn is_armed(&self) -> (bool, bool) {
        (self.timers.dtls.is_some(), self.timers.consent.is_some())
    }

    fn ice_parameters(&self) -> IceParameters {
        let Credentials { username_fragment, password, .. } = self.ice.credentials();
        IceParameters {
            username_fragment: Text::clipped(username_fragment.as_str()),
            password: Text::clipped(password.as_str()),
            ice_lite: true,
        }
    }
}

/// Says who the peer is; DTLS begins as soon as there is a way to it. Our role.
pub(crate) fn connect(
    tables: &mut Tables,
    key: TransportKey,
    role: DtlsRole,
    fingerprints: &[DtlsFingerprint],
    turn: &mut Turn<'_>,
) -> Result<DtlsRole, Refused> {
    let webrtc = link_mut(tables, key)?;
    if webrtc.role != DtlsRole::Auto {
        return Err(Refused::state(
            "this transport is connected already; create another one for another peer",
        ));
    }
    if fingerprints.is_empty() {
        return Err(Refused::invalid(
            "connect needs the fingerprint of the peer's certificate; give at least one",
        ));
    }
    let fingerprints = fingerprints.iter().map(parse_fingerprint).collect::<Result<Vec<_>, _>>()?;
    let (own, role) = match role {
        DtlsRole::Server => (DtlsRole::Client, Role::Client),
        DtlsRole::Auto | DtlsRole::Client => (DtlsRole::Server, Role::Server),
    };
    webrtc.role = own;
    webrtc.expected = Some(Box::new(Expected { role, fingerprints }));
    handshake::begin(tables, key, turn);
    Ok(own)
}

/// New credentials; the ones that the peer uses stay good until it uses the new ones.
pub(crate) fn restart_ice(
    tables: &mut Tables,
    key: TransportKey,
    turn: &mut Turn<'_>,
) -> Result<IceParameters, Refused> {
    let fresh = Credentials::random(|| turn.random.next_u32());
    let fragment = fresh.username_fragment;
    let webrtc = link_mut(tables, key)?;
    let retired = webrtc.ice.restart(turn.now, fresh);
    let (server, parameters) = (webrtc.server(), webrtc.ice_parameters());
    if let Some(server) = server.and_then(|server| tables.webrtc_servers.get_mut(server)) {
        server.routes.add_fragment(fragment, key);
        if let Some(retired) = retired {
            server.routes.remove_fragment(&retired);
        }
    }
    Ok(parameters)
}

/// A cap for an estimator to come.
pub(crate) fn set_max_outgoing_bitrate(
    tables: &mut Tables,
    key: TransportKey,
    bitrate: u64,
) -> Result<(), Refused> {
    let bitrates = &mut link_mut(tables, key)?.bitrates;
    check_bitrate(bitrate)?;
    if bitrate != 0 && bitrate < bitrates.min {
        return Err(Refused::invalid(format!(
            "{bitrate} bit/s is below the minimum outgoing bitrate of {}; lower that first",
            bitrates.min
        )));
    }
    bitrates.max = bitrate;
    Ok(())
}

/// A floor for an estimator to come.
pub(crate) fn set_min_outgoing_bitrate(
    tables: &mut Tables,
    key: TransportKey,
    bitrate: u64,
) -> Result<(), Refused> {
    let bitrates = &mut link_mut(tables, key)?.bitrates;
    check_bitrate(bitrate)?;
    if bitrates.max != 0 && bitrate > bitrates.max {
        return Err(Refused::invalid(format!(
            "{bitrate} bit/s is above the maximum outgoing bitrate of {}; raise that first",
            bitrates.max
        )));
    }
    bitrates.min = bitrate;
    Ok(())
}

fn check_bitrate(bitrate: u64) -> Result<(), Refused> {
    match bitrate {
        0 | OUTGOING_BITRATE_MIN..=BITRATE_MAX => Ok(()),
        _ => Err(Refused::invalid(format!(
            "{bitrate} bit/s is no outgoing bitrate; give 0 for none or at least {OUTGOING_BITRATE_MIN}"
        ))),
    }
}

/// What the host shows of it.
pub(crate) fn dump(tables: &Tables, transport: &Transport) -> Option<WebRtcDump> {
    let webrtc = transport.link.webrtc()?;
    let fingerprints = webrtc.context.certificate().fingerprints();
    let server = webrtc.server().and_then(|server| tables.webrtc_servers.get(server));
    let ice_candidates = match server {
        Some(server) => List::first_of(server.candidates(webrtc.offer)),
        None => List::first_of(webrtc.candidates.iter().cloned()),
    };
    Some(WebRtcDump {
        ice_parameters: webrtc.ice_parameters(),
        ice_candidates,
        ice_state: webrtc.ice.state(),
        ice_selected_tuple: selected_tuple(tables, webrtc),
        dtls_role: webrtc.role,
        dtls_fingerprints: List::first_of(fingerprints.iter().map(told_fingerprint)),
        dtls_state: webrtc.dtls_state,
    })
}

/// What it counts.
pub(crate) fn stats(tables: &Tables, transport: &Transport, turn: &Turn<'_>) -> Option<WebRtcStats> {
    let webrtc = transport.link.webrtc()?;
    let ice = webrtc.ice.stats();
    let connections = webrtc.ice.tuples().iter().filter(|tuple| tuple.protocol == Protocol::Tcp);
    let connections = connections.filter_map(|tuple| turn.network.socket_stats(tuple.path.socket));
    Some(WebRtcStats {
        ice_state: webrtc.ice.state(),
        ice_selected_tuple: selected_tuple(tables, webrtc),
        dtls_state: webrtc.dtls_state,
        max_outgoing_bitrate: webrtc.bitrates.max,
        min_outgoing_bitrate: webrtc.bitrates.min,
        initial_available_outgoing_bitrate: webrtc.bitrates.initial,
        binding_requests: ice.requests,
        stun_rejected: ice.bad_requests
            + ice.unauthenticated
            + ice.unknown_attributes
            + ice.role_conflicts
            + ice.ignored,
        dtls_rejected: webrtc.dtls_rejected,
        tcp_dropped: connections.map(|stats| stats.dropped_send_buffer).sum(),
    })
}

fn selected_tuple(tables: &Tables, webrtc: &WebRtc) -> Option<TransportTuple> {
    webrtc.ice.selected().map(|tuple| told_tuple(tables, webrtc, tuple))
}

/// A way in the host's words: where it is known, the address that was announced.
fn told_tuple(tables: &Tables, webrtc: &WebRtc, tuple: &Tuple) -> TransportTuple {
    let server = webrtc.server().and_then(|server| tables.webrtc_servers.get(server));
    let places = server.map_or_else(|| webrtc.places(), |server| server.places());
    let socket = tables.sockets.listener_of(tuple.path.socket);
    let place = places.iter().find(|place| place.socket == socket);
    TransportTuple {
        local_address: Text::clipped(place.map_or("", |place| &place.local_address)),
        local_port: place.map_or(0, |place| place.local_port),
        remote_ip: Some(tuple.path.remote.ip()),
        remote_port: Some(tuple.path.remote.port()),
        protocol: tuple.protocol,
    }
}

/// Takes what a call into ICE changed to whom it concerns. `tuple` is the one of the call.
fn on_changes(
    tables: &mut Tables,
    key: TransportKey,
    tuple: Option<Tuple>,
    changes: Changes,
    turn: &mut Turn<'_>,
) {
    let added = tuple.filter(|_| changes.added);
    let connection = added.filter(|added| added.protocol == Protocol::Tcp).map(|added| added.path.socket);
    let mut is_gone = false;
    if let Some(connection) = connection {
        is_gone = !turn.network.authenticate(connection);
        if let Some(listener) = turn.network.listener_of(connection) {
            tables.sockets.join_connection(connection, listener, key);
        }
    }
    if let Some(removed) = changes.removed.filter(|removed| removed.protocol == Protocol::Tcp) {
        tables.sockets.close(removed.path.socket, turn);
    }
    let Ok(webrtc) = link_mut(tables, key) else { return };
    let mut robbed = None;
    if let Some(server) = webrtc.server().and_then(|server| tables.webrtc_servers.get_mut(server)) {
        robbed = server.routes.follow(key, tuple.as_ref(), &changes);
    }
    if let (Some(robbed), Some(tuple)) = (robbed, tuple) {
        on_robbed(tables, robbed, &tuple, turn);
    }
    tell(tables, key, changes, turn);
    if added.is_some() {
        handshake::begin(tables, key, turn);
    }
    if changes.state || changes.selected {
        on_reachability(tables, key, turn);
    }
    arm(tables, key);
    if let Some(connection) = connection.filter(|_| is_gone) {
        // Nobody will say that it is closed: it was a stranger's when it was.
        lose_connection(tables, key, connection, turn);
    }
}

/// The connection of a way is gone, and the way with it.
fn lose_connection(tables: &mut Tables, key: TransportKey, connection: SocketKey, turn: &mut Turn<'_>) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    let changes = webrtc.ice.on_connection_closed(connection);
    on_changes(tables, key, None, changes, turn);
}

/// Another transport's peer has proven a way that was this one's: the address is in other hands now.
fn on_robbed(tables: &mut Tables, key: TransportKey, tuple: &Tuple, turn: &mut Turn<'_>) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    let changes = webrtc.ice.remove(tuple);
    tell(tables, key, changes, turn);
    on_reachability(tables, key, turn);
}

/// Tells the host of another state or way.
fn tell(tables: &Tables, key: TransportKey, changes: Changes, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get(key) else { return };
    let Some(webrtc) = transport.link.webrtc() else { return };
    if changes.selected
        && let Some(tuple) = selected_tuple(tables, webrtc)
    {
        let id = transport.id.0;
        turn.debug(LogTag::Ice, || {
            let remote = webrtc.ice.selected().map(|selected| selected.path.remote);
            let (address, port) = (&tuple.local_address, tuple.local_port);
            format!(
                "transport {id}: {:?} from {remote:?} to {address} port {port} is selected",
                tuple.protocol
            )
        });
        turn.outbox.event(Event::IceSelectedTuple { transport: transport.id, tuple });
    }
    if changes.state {
        let (id, state) = (transport.id, webrtc.ice.state());
        turn.debug(LogTag::Ice, || format!("transport {}: ICE is {state:?}", id.0));
        turn.outbox.event(Event::IceState { transport: id, state });
    }
}

/// Tells consumers when media has a way now, or none any more.
fn on_reachability(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    let is_reachable = webrtc.destination().is_some();
    if std::mem::replace(&mut webrtc.was_reachable, is_reachable) == is_reachable {
        return;
    }
    if is_reachable {
        on_connected(tables, key, turn);
    } else {
        on_disconnected(tables, key, turn);
    }
}

/// Sets the timers for what its parts wait for.
fn arm(tables: &mut Tables, key: TransportKey) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    let (consent, dtls) = (webrtc.ice.next_deadline(), webrtc.dtls.next_deadline());
    // Consent moves with each sign of the peer; the timer that is set looks again when it comes.
    let consent = consent.filter(|_| webrtc.timers.consent.is_none());
    let dtls = dtls.filter(|at| webrtc.timers.dtls.is_none_or(|set| *at < set));
    webrtc.timers.consent = webrtc.timers.consent.or(consent);
    webrtc.timers.dtls = dtls.or(webrtc.timers.dtls);
    if let Some(at) = consent {
        tables.schedule(Deadline::Consent(key), at);
    }
    if let Some(at) = dtls {
        tables.schedule(Deadline::Dtls(key), at);
    }
}

/// The peer's consent may have ended (RFC 7675).
pub(crate) fn on_consent_deadline(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    webrtc.timers.consent = None;
    let gone = webrtc.ice.on_deadline(turn.now);
    let Some(gone) = gone else { return arm(tables, key) };
    let server = webrtc.server();
    for tuple in gone.iter() {
        if let Some(server) = server.and_then(|server| tables.webrtc_servers.get_mut(server)) {
            server.routes.remove_tuple(tuple, key);
        }
        if tuple.protocol == Protocol::Tcp {
            tables.sockets.close(tuple.path.socket, turn);
        }
    }
    tell(tables, key, Changes { state: true, ..Changes::default() }, turn);
    on_reachability(tables, key, turn);
}

/// The link of a WebRTC transport.
fn link_mut(tables: &mut Tables, key: TransportKey) -> Result<&mut WebRtc, Refused> {
    let transport = tables.transports.get_mut(key);
    transport.and_then(|transport| transport.link.webrtc_mut()).ok_or_else(|| {
        Refused::invalid("this transport is not a WebRTC one; ask it for what its own kind can do")
    })
}

fn parse_fingerprint(told: &DtlsFingerprint) -> Result<Fingerprint, Refused> {
    Fingerprint::parse(told.algorithm.name(), told.value.as_str())
        .map_err(|error| Refused::invalid(error.to_string()))
}

fn told_fingerprint(fingerprint: &Fingerprint) -> DtlsFingerprint {
    let algorithm = match fingerprint.function() {
        HashFunction::Sha1 => FingerprintAlgorithm::Sha1,
        HashFunction::Sha224 => FingerprintAlgorithm::Sha224,
        HashFunction::Sha256 => FingerprintAlgorithm::Sha256,
        HashFunction::Sha384 => FingerprintAlgorithm::Sha384,
        HashFunction::Sha512 => FingerprintAlgorithm::Sha512,
    };
    DtlsFingerprint { algorithm, value: Text::clipped(&fingerprint.to_string()) }
}

/// Less carries no conference.
const OUTGOING_BITRATE_MIN: u64 = 30_000;
const BITRATE_MAX: u64 = (1 << 63) - 2;
