//! Samples about WebRTC transports and their servers.

use std::net::{IpAddr, SocketAddr};

use tidegate_protocol::bounded::List;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::{ListenInfo, ListenPort, Protocol};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, DtlsRole, DtlsState, FingerprintAlgorithm, Fingerprints, IceCandidate, IceParameters,
    IceState, LocalUsernameFragment, WebRtcCommand, WebRtcDump, WebRtcListen, WebRtcServerDump, WebRtcStats,
    WebRtcTransportOptions,
};

use super::{ROUTER, TRANSPORT, text, tuple};

const SERVER: WebRtcServerId = WebRtcServerId(11);

pub(super) fn commands() -> Vec<Command> {
    let (router, transport, server): (RouterId, TransportId, _) = (ROUTER, TRANSPORT, SERVER);
    let on_server = WebRtcTransportOptions {
        listen: WebRtcListen::Server(server),
        enable_udp: true,
        enable_tcp: false,
        prefer_udp: false,
        prefer_tcp: true,
        ice_consent_timeout_s: 30,
        initial_available_outgoing_bitrate: 600_000,
        enable_sctp: true,
    };
    let own = WebRtcTransportOptions {
        listen: WebRtcListen::Individual(List::first_of([listen_info()])),
        enable_udp: false,
        enable_tcp: true,
        ..on_server.clone()
    };
    [
        WebRtcCommand::CreateServer { server, listen_infos: List::first_of([listen_info(), listen_info()]) },
        WebRtcCommand::CloseServer { server },
        WebRtcCommand::DumpServer { server },
        WebRtcCommand::CreateTransport { router, transport, options: on_server },
        WebRtcCommand::CreateTransport { router, transport, options: own },
        WebRtcCommand::ConnectTransport { transport, role: DtlsRole::Client, fingerprints: fingerprints() },
        WebRtcCommand::RestartIce { transport },
        WebRtcCommand::SetMaxOutgoingBitrate { transport, bitrate: 5_000_000_000 },
        WebRtcCommand::SetMinOutgoingBitrate { transport, bitrate: 30_000 },
    ]
    .map(Command::WebRtc)
    .into()
}

pub(super) fn replies() -> Vec<Reply> {
    vec![
        Reply::WebRtcServerDump(Box::new(server_dump())),
        Reply::WebRtcTransport(Box::new(dump())),
        Reply::WebRtcConnected { dtls_local_role: DtlsRole::Server },
        Reply::IceParameters(ice_parameters()),
    ]
}

pub(super) fn events() -> Vec<Event> {
    let transport = TRANSPORT;
    vec![
        Event::IceState { transport, state: IceState::Disconnected },
        Event::IceSelectedTuple { transport, tuple: tuple() },
        Event::DtlsState {
            transport,
            state: DtlsState::Connected,
            remote_certificate: Some(text("-----BEGIN CERTIFICATE-----\n")),
        },
        Event::DtlsState { transport, state: DtlsState::Failed, remote_certificate: None },
    ]
}

pub(super) fn stats() -> WebRtcStats {
    WebRtcStats {
        ice_state: IceState::Completed,
        ice_selected_tuple: Some(tuple()),
        dtls_state: DtlsState::Connecting,
        max_outgoing_bitrate: 1 << 33,
        min_outgoing_bitrate: 30_001,
        initial_available_outgoing_bitrate: 600_000,
        binding_requests: 1,
        stun_rejected: 2,
        dtls_rejected: 3,
        tcp_dropped: 4,
    }
}

pub(super) fn dump() -> WebRtcDump {
    let candidate = IceCandidate {
        foundation: text("udpcandidate"),
        priority: 1_076_302_079,
        address: text("media.example.org"),
        protocol: Protocol::Udp,
        port: 44_000,
    };
    WebRtcDump {
        ice_parameters: ice_parameters(),
        ice_candidates: List::first_of([candidate]),
        ice_state: IceState::Connected,
        ice_selected_tuple: None,
        dtls_role: DtlsRole::Auto,
        dtls_fingerprints: fingerprints(),
        dtls_state: DtlsState::New,
    }
}

fn server_dump() -> WebRtcServerDump {
    let fragment =
        LocalUsernameFragment { username_fragment: ice_parameters().username_fragment, transport: TRANSPORT };
    WebRtcServerDump {
        server: SERVER,
        udp_sockets: List::first_of([SocketAddr::from(([192, 0, 2, 1], 44_000))]),
        tcp_servers: List::first_of([SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 44_001))]),
        transport_ids: List::first_of([TRANSPORT]),
        local_ice_username_fragments: List::first_of([fragment]),
        tuples: 3,
    }
}

fn ice_parameters() -> IceParameters {
    IceParameters {
        username_fragment: text("0123456789abcdefghijklmnopqrstuv"),
        password: text("vutsrqponmlkjihgfedcba9876543210"),
        ice_lite: true,
    }
}

fn fingerprints() -> Fingerprints {
    List::first_of(
        FingerprintAlgorithm::ALL
            .map(|algorithm| DtlsFingerprint { algorithm, value: text("00:11:22:AA:BB:CC") }),
    )
}

fn listen_info() -> ListenInfo {
    ListenInfo {
        protocol: Protocol::Tcp,
        ip: IpAddr::from([192, 0, 2, 1]),
        announced_address: Some(text("203.0.113.9")),
        expose_internal_ip: true,
        port: ListenPort::Any,
        shared: false,
        ipv6_only: false,
        udp_reuse_port: false,
        send_buffer_bytes: 0,
        receive_buffer_bytes: 0,
    }
}
