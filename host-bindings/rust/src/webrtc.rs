//! ICE, DTLS and the options of WebRTC transports, as applications and mediasoup-client write them.
//!
//! In JSON the keys and values are mediasoup's. Knows names, defaults and their wire form; checks only what the wire
//! could not carry.

use serde::{Deserialize, Serialize};
use tidegate_protocol::transport::Protocol;
use tidegate_protocol::webrtc as wire;

use crate::error::{InvalidOption, list, text};
use crate::options::ListenInfo;
use crate::webrtc_server::WebRtcServer;

/// How a WebRTC transport listens and what it may send. [`Self::on_server`] and [`Self::listening`] have the defaults.
#[derive(Clone, Debug)]
pub struct WebRtcTransportOptions {
    /// Its ports.
    pub listen: WebRtcTransportListen,
    /// Offers UDP; true by default.
    pub enable_udp: bool,
    /// Offers TCP (RFC 4571); false by default, true on a server.
    pub enable_tcp: bool,
    /// UDP candidates get the higher priority; false by default.
    pub prefer_udp: bool,
    /// TCP candidates get the higher priority; false by default.
    pub prefer_tcp: bool,
    /// Seconds without a sign of the peer, a binding request or authentic media or RTCP, after which it counts as gone;
    /// 30 by default, 0 is never, other values are taken as the nearest from 10 to 60.
    pub ice_consent_timeout: u8,
    /// Bits per second to start with; 600,000 by default. Stored; nothing is estimated yet.
    pub initial_available_outgoing_bitrate: u64,
    /// Data channels: not there yet, must be false.
    pub enable_sctp: bool,
}

/// Whose ports a WebRTC transport uses.
#[derive(Clone, Debug)]
pub enum WebRtcTransportListen {
    /// Those of a server, which many transports share.
    Server(WebRtcServer),
    /// Its own, one for each of these, in order of preference.
    Individual(Vec<ListenInfo>),
}

/// Where a WebRTC server listens.
#[derive(Clone, Debug)]
pub struct WebRtcServerOptions {
    /// One UDP or TCP port each, in order of preference; at least one.
    pub listen_infos: Vec<ListenInfo>,
}

/// ICE credentials (RFC 8445 5.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// 32 characters.
    pub username_fragment: String,
    /// 32 characters.
    pub password: String,
    /// Always true: a worker answers checks and makes none.
    pub ice_lite: bool,
}

/// A host candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// `udpcandidate` or `tcpcandidate`.
    pub foundation: String,
    /// RFC 8445 5.1.2.
    pub priority: u32,
    /// An address, or the host name that was announced.
    pub address: String,
    /// The same, under the name that older clients read.
    pub ip: String,
    /// Carrier: `udp` or `tcp`.
    #[serde(with = "protocol_name")]
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// Always `host`.
    #[serde(rename = "type")]
    pub candidate_type: String,
    /// `passive` for TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_type: Option<String>,
}

/// How ICE stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceState {
    /// No valid check yet.
    #[default]
    New,
    /// A valid check, none nominated.
    Connected,
    /// A pair was nominated.
    Completed,
    /// The last pair or the peer's consent is gone.
    Disconnected,
    /// The transport is closed.
    Closed,
}

/// Who begins the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// Not decided.
    #[default]
    Auto,
    /// Sends the ClientHello.
    Client,
    /// Waits for it.
    Server,
}

/// How far DTLS is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    /// Before connecting.
    #[default]
    New,
    /// The handshake runs.
    Connecting,
    /// Media flows.
    Connected,
    /// It could not be made, or the certificate was another one than announced.
    Failed,
    /// The peer said goodbye, or the transport is closed.
    Closed,
}

/// What both ends tell each other about DTLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsParameters {
    /// Of whoever states it; `auto` when absent.
    #[serde(default)]
    pub role: DtlsRole,
    /// Of its certificate; at least one and 16 at most.
    pub fingerprints: Vec<DtlsFingerprint>,
}

/// A hash of a certificate (RFC 8122).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DtlsFingerprint {
    /// `sha-1`, `sha-224`, `sha-256`, `sha-384` or `sha-512`.
    pub algorithm: String,
    /// Pairs of hexadecimal digits with colons between them.
    pub value: String,
}

impl WebRtcTransportOptions {
    /// On a server's ports, over UDP and TCP.
    pub fn on_server(server: &WebRtcServer) -> Self {
        let listen = WebRtcTransportListen::Server(server.clone());
        Self { enable_tcp: true, ..Self::of(listen) }
    }

    /// On ports of its own, over UDP.
    pub fn listening(listen_infos: Vec<ListenInfo>) -> Self {
        Self::of(WebRtcTransportListen::Individual(listen_infos))
    }

    fn of(listen: WebRtcTransportListen) -> Self {
        Self {
            listen,
            enable_udp: true,
            enable_tcp: false,
            prefer_udp: false,
            prefer_tcp: false,
            ice_consent_timeout: 30,
            initial_available_outgoing_bitrate: 600_000,
            enable_sctp: false,
        }
    }
}

impl WebRtcServerOptions {
    /// Listening there.
    pub fn new(listen_infos: Vec<ListenInfo>) -> Self {
        Self { listen_infos }
    }
}

impl TryFrom<&WebRtcTransportOptions> for wire::WebRtcTransportOptions {
    type Error = InvalidOption;

    fn try_from(given: &WebRtcTransportOptions) -> Result<Self, InvalidOption> {
        let listen = match &given.listen {
            WebRtcTransportListen::Server(server) => wire::WebRtcListen::Server(server.wire_id()),
            WebRtcTransportListen::Individual(infos) => wire::WebRtcListen::Individual(listen_infos(infos)?),
        };
        Ok(Self {
            listen,
            enable_udp: given.enable_udp,
            enable_tcp: given.enable_tcp,
            prefer_udp: given.prefer_udp,
            prefer_tcp: given.prefer_tcp,
            ice_consent_timeout_s: given.ice_consent_timeout,
            initial_available_outgoing_bitrate: given.initial_available_outgoing_bitrate,
            enable_sctp: given.enable_sctp,
        })
    }
}

/// Places to listen, for the wire.
pub(crate) fn listen_infos(infos: &[ListenInfo]) -> Result<wire::ListenInfos, InvalidOption> {
    list("listen_infos", infos, TryInto::try_into)
}

/// Fingerprints, for the wire.
pub(crate) fn fingerprints(given: &[DtlsFingerprint]) -> Result<wire::Fingerprints, InvalidOption> {
    list("fingerprints", given, |fingerprint| {
        let algorithm = wire::FingerprintAlgorithm::from_name(&fingerprint.algorithm);
        Ok(wire::DtlsFingerprint {
            algorithm: algorithm
                .ok_or_else(|| InvalidOption::UnknownFingerprint(fingerprint.algorithm.clone()))?,
            value: text("fingerprints.value", &fingerprint.value)?,
        })
    })
}

impl From<&wire::IceParameters> for IceParameters {
    fn from(told: &wire::IceParameters) -> Self {
        Self {
            username_fragment: told.username_fragment.as_str().to_owned(),
            password: told.password.as_str().to_owned(),
            ice_lite: told.ice_lite,
        }
    }
}

impl From<&wire::IceCandidate> for IceCandidate {
    fn from(told: &wire::IceCandidate) -> Self {
        Self {
            foundation: told.foundation.as_str().to_owned(),
            priority: told.priority,
            address: told.address.as_str().to_owned(),
            ip: told.address.as_str().to_owned(),
            protocol: told.protocol,
            port: told.port,
            candidate_type: "host".to_owned(),
            tcp_type: (told.protocol == Protocol::Tcp).then(|| "passive".to_owned()),
        }
    }
}

impl From<&wire::DtlsFingerprint> for DtlsFingerprint {
    fn from(told: &wire::DtlsFingerprint) -> Self {
        Self { algorithm: told.algorithm.name().to_owned(), value: told.value.as_str().to_owned() }
    }
}

impl From<wire::IceState> for IceState {
    fn from(told: wire::IceState) -> Self {
        match told {
            wire::IceState::New => Self::New,
            wire::IceState::Connected => Self::Connected,
            wire::IceState::Completed => Self::Completed,
            wire::IceState::Disconnected => Self::Disconnected,
        }
    }
}

impl From<wire::DtlsState> for DtlsState {
    fn from(told: wire::DtlsState) -> Self {
        match told {
            wire::DtlsState::New => Self::New,
            wire::DtlsState::Connecting => Self::Connecting,
            wire::DtlsState::Connected => Self::Connected,
            wire::DtlsState::Failed => Self::Failed,
            wire::DtlsState::Closed => Self::Closed,
        }
    }
}

impl From<wire::DtlsRole> for DtlsRole {
    fn from(told: wire::DtlsRole) -> Self {
        match told {
            wire::DtlsRole::Auto => Self::Auto,
            wire::DtlsRole::Client => Self::Client,
            wire::DtlsRole::Server => Self::Server,
        }
    }
}

impl From<DtlsRole> for wire::DtlsRole {
    fn from(given: DtlsRole) -> Self {
        match given {
            DtlsRole::Auto => Self::Auto,
            DtlsRole::Client => Self::Client,
            DtlsRole::Server => Self::Server,
        }
    }
}

/// `udp` and `tcp`, as candidates name them.
mod protocol_name {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use tidegate_protocol::transport::Protocol;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(protocol: &Protocol, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match protocol {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protocol, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "udp" => Ok(Protocol::Udp),
            "tcp" => Ok(Protocol::Tcp),
            other => Err(D::Error::unknown_variant(other, &["udp", "tcp"])),
        }
    }
}
