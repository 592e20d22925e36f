//! WebRTC transports and servers, with a worker that a test plays.

use std::net::Ipv4Addr;

use serde_json::json;
use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::event::Event;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::Protocol;
use tidegate_protocol::webrtc as wire;
use tidegate_protocol::webrtc::{WebRtcCommand, WebRtcDump, WebRtcListen};

use super::fake::{Fake, greeted, router_options, settle, tuple};
use crate::{
    CloseReason, DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, IceState, InvalidOption, ListenInfo,
    RequestError, Router, TransportEvent, WebRtcServer, WebRtcServerEvent, WebRtcServerOptions,
    WebRtcTransport, WebRtcTransportOptions, Worker,
};

struct Session {
    worker: Worker,
    router: Router,
    server: WebRtcServer,
    transport: WebRtcTransport,
}

async fn session() -> (Session, Fake) {
    let (worker, mut fake) = greeted().await;
    let made = async {
        let router = worker.create_router(router_options()).await.unwrap();
        let server = worker.create_webrtc_server(server_options()).await.unwrap();
        let options = WebRtcTransportOptions::on_server(&server);
        let transport = router.create_webrtc_transport(options).await.unwrap();
        (router, server, transport)
    };
    let played = async {
        fake.agree(2).await;
        let (id, command) = fake.request().await;
        let Command::WebRtc(WebRtcCommand::CreateTransport { options, .. }) = command else {
            panic!("{command:?}");
        };
        assert!(matches!(options.listen, WebRtcListen::Server(_)) && options.enable_tcp);
        fake.answer(id, Ok(Reply::WebRtcTransport(Box::new(dump())))).await;
    };
    let ((router, server, transport), ()) = tokio::join!(made, played);
    (Session { worker, router, server, transport }, fake)
}

fn server_options() -> WebRtcServerOptions {
    WebRtcServerOptions::new(vec![ListenInfo::new(Ipv4Addr::LOCALHOST).with_port(44_444)])
}

fn dump() -> WebRtcDump {
    let candidate = |protocol, priority| wire::IceCandidate {
        foundation: Text::clipped(if protocol == Protocol::Udp { "udpcandidate" } else { "tcpcandidate" }),
        priority,
        address: Text::clipped("media.example.org"),
        protocol,
        port: 44_444,
    };
    let fingerprint = wire::DtlsFingerprint {
        algorithm: wire::FingerprintAlgorithm::Sha256,
        value: Text::clipped("AA:BB"),
    };
    WebRtcDump {
        ice_parameters: wire::IceParameters {
            username_fragment: Text::clipped("ufrag"),
            password: Text::clipped("password"),
            ice_lite: true,
        },
        ice_candidates: List::first_of([
            candidate(Protocol::Udp, 1_076_302_079),
            candidate(Protocol::Tcp, 1_076_276_479),
        ]),
        ice_state: wire::IceState::New,
        ice_selected_tuple: None,
        dtls_role: wire::DtlsRole::Auto,
        dtls_fingerprints: List::first_of([fingerprint]),
        dtls_state: wire::DtlsState::New,
    }
}

#[tokio::test]
async fn what_a_browser_is_told_has_the_names_and_values_of_mediasoup() {
    let (session, _fake) = session().await;
    let transport = &session.transport;
    let told = json!({
        "iceRole": transport.ice_role(),
        "iceParameters": transport.ice_parameters(),
        "iceCandidates": transport.ice_candidates(),
        "dtlsParameters": transport.dtls_parameters(),
        "iceState": transport.ice_state(),
        "dtlsState": transport.dtls_state(),
    });
    let candidate = json!({
        "foundation": "udpcandidate", "priority": 1_076_302_079, "address": "media.example.org",
        "ip": "media.example.org", "protocol": "udp", "port": 44_444, "type": "host",
    });
    let tcp = json!({
        "foundation": "tcpcandidate", "priority": 1_076_276_479, "address": "media.example.org",
        "ip": "media.example.org", "protocol": "tcp", "port": 44_444, "type": "host", "tcpType": "passive",
    });
    let expected = json!({
        "iceRole": "controlled",
        "iceParameters": { "usernameFragment": "ufrag", "password": "password", "iceLite": true },
        "iceCandidates": [candidate, tcp],
        "dtlsParameters": { "role": "auto", "fingerprints": [{ "algorithm": "sha-256", "value": "AA:BB" }] },
        "iceState": "new",
        "dtlsState": "new",
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn connect_sends_the_peers_fingerprints_and_takes_our_role_from_the_answer() {
    let (session, mut fake) = session().await;
    let parameters: DtlsParameters = serde_json::from_value(json!({
        "role": "client", "fingerprints": [{ "algorithm": "SHA-256", "value": "01:02" }],
    }))
    .unwrap();
    let played = async {
        let (id, command) = fake.request().await;
        let Command::WebRtc(WebRtcCommand::ConnectTransport { role, fingerprints, .. }) = command else {
            panic!("{command:?}");
        };
        assert_eq!(role, wire::DtlsRole::Client);
        assert_eq!(fingerprints[0].algorithm, wire::FingerprintAlgorithm::Sha256);
        assert_eq!(fingerprints[0].value.as_str(), "01:02");
        fake.answer(id, Ok(Reply::WebRtcConnected { dtls_local_role: wire::DtlsRole::Server })).await;
    };
    let (connected, ()) = tokio::join!(session.transport.connect(&parameters), played);
    connected.unwrap();
    assert_eq!(session.transport.dtls_parameters().role, DtlsRole::Server);
}

#[tokio::test]
async fn unknown_fingerprint_is_refused_before_anything_is_sent() {
    let (session, _fake) = session().await;
    let fingerprint = DtlsFingerprint { algorithm: "md5".to_owned(), value: "01:02".to_owned() };
    let parameters = DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] };
    let refused = session.transport.connect(&parameters).await.unwrap_err();
    let RequestError::InvalidOption(InvalidOption::UnknownFingerprint(name)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(name, "md5");
}

#[tokio::test]
async fn states_and_the_selected_tuple_follow_the_worker() {
    let (session, mut fake) = session().await;
    let transport = session.transport.wire_id();
    let mut events = session.transport.events();
    fake.event(Event::IceSelectedTuple { transport, tuple: tuple(Some(9)) }).await;
    fake.event(Event::IceState { transport, state: wire::IceState::Completed }).await;
    let remote_certificate = Some(Text::clipped("PEM"));
    fake.event(Event::DtlsState { transport, state: wire::DtlsState::Connected, remote_certificate }).await;
    assert_eq!(events.next().await, Some(TransportEvent::IceSelectedTuple(tuple(Some(9)))));
    assert_eq!(events.next().await, Some(TransportEvent::IceState(IceState::Completed)));
    assert_eq!(events.next().await, Some(TransportEvent::DtlsState(DtlsState::Connected)));
    assert_eq!(session.transport.ice_selected_tuple(), Some(tuple(Some(9))));
    assert_eq!(session.transport.ice_state(), IceState::Completed);
    assert_eq!(session.transport.dtls_state(), DtlsState::Connected);
    assert_eq!(session.transport.dtls_remote_cert().as_deref(), Some("PEM"));
    session.transport.close();
    assert_eq!(session.transport.ice_state(), IceState::Closed);
    assert_eq!(session.transport.dtls_state(), DtlsState::Closed);
}

#[tokio::test]
async fn closed_server_closes_its_transports_and_the_worker_hears_of_the_server_alone() {
    let (session, mut fake) = session().await;
    let (mut of_server, mut of_transport) = (session.server.events(), session.transport.events());
    session.server.close();
    assert_eq!(of_server.next().await, Some(WebRtcServerEvent::Closed(CloseReason::Requested)));
    assert_eq!(of_transport.next().await, Some(TransportEvent::Closed(CloseReason::ListenServerClosed)));
    let close = WebRtcCommand::CloseServer { server: session.server.wire_id() };
    assert_eq!(fake.request().await.1, Command::WebRtc(close));
    session.router.close();
    let close = Command::CloseRouter { router: session.router.wire_id() };
    assert_eq!(fake.request().await.1, close, "nothing was said of the transport");
}

#[tokio::test]
async fn closed_worker_closes_its_servers() {
    let (session, _fake) = session().await;
    let mut events = session.server.events();
    session.worker.close();
    settle().await;
    assert_eq!(events.next().await, Some(WebRtcServerEvent::Closed(CloseReason::WorkerClosed)));
}

#[tokio::test]
async fn server_of_another_worker_is_refused() {
    let (ours, _fake) = session().await;
    let (theirs, _other) = session().await;
    let options = WebRtcTransportOptions::on_server(&theirs.server);
    let refused = ours.router.create_webrtc_transport(options).await.unwrap_err();
    assert!(matches!(refused, RequestError::InvalidOption(InvalidOption::ForeignServer)), "{refused:?}");
}
