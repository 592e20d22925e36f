//! WebRTC transports and the servers whose ports they share: requests, options and states.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::dump::Ids;
use crate::ids::{RouterId, TransportId, WebRtcServerId};
use crate::transport::{ListenInfo, Protocol, TransportTuple};

/// Requests about WebRTC transports and their servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WebRtcCommand {
    /// Opens the ports that many transports share. Replies `Done`.
    CreateServer {
        /// The new server.
        server: WebRtcServerId,
        /// Where it listens, one UDP or TCP port each; at least one.
        listen_infos: ListenInfos,
    },
    /// Closes the server and the transports on it. Replies `Done`.
    CloseServer {
        /// Which one.
        server: WebRtcServerId,
    },
    /// Replies `WebRtcServerDump`.
    DumpServer {
        /// Which one.
        server: WebRtcServerId,
    },
    /// Replies `WebRtcTransport`.
    CreateTransport {
        /// Where it belongs.
        router: RouterId,
        /// The new transport.
        transport: TransportId,
        /// How it listens and what it may send.
        options: WebRtcTransportOptions,
    },
    /// Says who the peer is: DTLS begins. Once. Replies `WebRtcConnected`.
    ConnectTransport {
        /// Which one.
        transport: TransportId,
        /// The peer's role: its server makes us client, its client or auto makes us server.
        role: DtlsRole,
        /// The peer's certificate has to match one of them; at least one.
        fingerprints: Fingerprints,
    },
    /// Makes new ICE credentials; the old ones stay good until the new are used. Replies `IceParameters`.
    RestartIce {
        /// Which one.
        transport: TransportId,
    },
    /// Caps what the transport sends. Stored; nothing is estimated yet. Replies `Done`.
    SetMaxOutgoingBitrate {
        /// Which one.
        transport: TransportId,
        /// Bits per second, from 30,000 on and not below the minimum; 0 is no limit.
        bitrate: u64,
    },
    /// The least that the transport may send. Stored; nothing is estimated yet. Replies `Done`.
    SetMinOutgoingBitrate {
        /// Which one.
        transport: TransportId,
        /// Bits per second, from 30,000 on and not above the maximum; 0 is none.
        bitrate: u64,
    },
}

/// Where to listen, in order of preference.
pub type ListenInfos = List<ListenInfo, 64>;

/// Fingerprints of one certificate, or of several that are all good.
pub type Fingerprints = List<DtlsFingerprint, 16>;

/// A WebRTC transport: ICE-lite, DTLS and SRTP over UDP or TCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebRtcTransportOptions {
    /// Its ports.
    pub listen: WebRtcListen,
    /// Listens on and offers UDP.
    pub enable_udp: bool,
    /// Listens on and offers TCP (RFC 4571).
    pub enable_tcp: bool,
    /// UDP candidates get the higher priority.
    pub prefer_udp: bool,
    /// TCP candidates get the higher priority.
    pub prefer_tcp: bool,
    /// Seconds with neither a binding request nor authentic media or RTCP after which the peer counts as gone (RFC
    /// 7675); 0 is never, other values are taken as the nearest from 10 to 60.
    pub ice_consent_timeout_s: u8,
    /// Bits per second to start with. Stored; nothing is estimated yet.
    pub initial_available_outgoing_bitrate: u64,
    /// Data channels: not there yet, must be false.
    pub enable_sctp: bool,
}

/// Whose ports a WebRTC transport uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebRtcListen {
    /// Those of this server.
    Server(WebRtcServerId),
    /// Its own; at least one of an enabled protocol.
    Individual(ListenInfos),
}

/// What a host tells its application of a new transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebRtcDump {
    /// Our credentials.
    pub ice_parameters: IceParameters,
    /// Where we are reached.
    pub ice_candidates: List<IceCandidate, 256>,
    /// Whether the peer reached us.
    pub ice_state: IceState,
    /// By which way packets go to the peer.
    pub ice_selected_tuple: Option<TransportTuple>,
    /// `Auto` before connecting.
    pub dtls_role: DtlsRole,
    /// Of our certificate, one for each algorithm.
    pub dtls_fingerprints: Fingerprints,
    /// How far the handshake is.
    pub dtls_state: DtlsState,
}

/// What only WebRTC transports count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebRtcStats {
    /// Whether the peer reached us.
    pub ice_state: IceState,
    /// By which way packets go to the peer.
    pub ice_selected_tuple: Option<TransportTuple>,
    /// How far the handshake is.
    pub dtls_state: DtlsState,
    /// The setting in bits per second; 0 is none.
    pub max_outgoing_bitrate: u64,
    /// The setting in bits per second; 0 is none.
    pub min_outgoing_bitrate: u64,
    /// The setting in bits per second.
    pub initial_available_outgoing_bitrate: u64,
    /// Binding requests that were answered with success.
    pub binding_requests: u64,
    /// STUN that was refused or dropped: malformed, not for us, badly signed.
    pub stun_rejected: u64,
    /// DTLS that was dropped: no record, not from the peer, before connecting.
    pub dtls_rejected: u64,
    /// Sealed frames that a TCP connection's full queue dropped.
    pub tcp_dropped: u64,
}

/// A server's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebRtcServerDump {
    /// Which server.
    pub server: WebRtcServerId,
    /// Its bound UDP sockets.
    pub udp_sockets: List<SocketAddr, 64>,
    /// Its TCP listeners.
    pub tcp_servers: List<SocketAddr, 64>,
    /// The transports on it.
    pub transport_ids: Ids<TransportId>,
    /// By which fragment a first packet finds its transport.
    pub local_ice_username_fragments: List<LocalUsernameFragment, 65_536>,
    /// From which addresses packets find their transport.
    pub tuples: u64,
}

/// A username fragment and its transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalUsernameFragment {
    /// The fragment.
    pub username_fragment: Text<256>,
    /// Whose it is.
    pub transport: TransportId,
}

/// Our ICE credentials (RFC 8445 5.3).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceParameters {
    /// 32 characters.
    pub username_fragment: Text<256>,
    /// 32 characters.
    pub password: Text<256>,
    /// Always true: the worker answers checks and makes none.
    pub ice_lite: bool,
}

/// Passwords stay out of logs.
impl std::fmt::Debug for IceParameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut fields = f.debug_struct("IceParameters");
        fields.field("username_fragment", &self.username_fragment).field("ice_lite", &self.ice_lite);
        fields.finish_non_exhaustive()
    }
}

/// A host candidate (RFC 8445 5.1.1; TCP ones are passive, RFC 6544).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceCandidate {
    /// `udpcandidate` or `tcpcandidate`.
    pub foundation: Text<32>,
    /// RFC 8445 5.1.2.
    pub priority: u32,
    /// An address, or the host name that was announced.
    pub address: Text<255>,
    /// Carrier.
    pub protocol: Protocol,
    /// The bound port.
    pub port: u16,
}

/// How ICE stands (the names of the public API).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
}

/// Who begins the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DtlsRole {
    /// Not decided: either.
    #[default]
    Auto,
    /// Sends the ClientHello.
    Client,
    /// Waits for it.
    Server,
}

/// How far DTLS is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DtlsState {
    /// Before connecting.
    #[default]
    New,
    /// The handshake runs.
    Connecting,
    /// Media flows.
    Connected,
    /// It could not be made, or the certificate was another one.
    Failed,
    /// The peer said goodbye.
    Closed,
}

/// A hash of a certificate (RFC 8122).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DtlsFingerprint {
    /// Of which kind.
    pub algorithm: FingerprintAlgorithm,
    /// Pairs of hexadecimal digits with colons between them.
    pub value: Text<191>,
}

/// Hash functions for fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FingerprintAlgorithm {
    /// sha-1
    Sha1,
    /// sha-224
    Sha224,
    /// sha-256
    Sha256,
    /// sha-384
    Sha384,
    /// sha-512
    Sha512,
}

impl FingerprintAlgorithm {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The function of a name, in whatever case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }
}
