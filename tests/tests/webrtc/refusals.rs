//! What is refused, how it is called, and that nothing has changed then.

use tidegate_protocol::bounded::Text;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::{TransportId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::{ListenInfo, ListenPort, PlainConnectOptions, Protocol};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, DtlsRole, DtlsState, FingerprintAlgorithm, WebRtcCommand, WebRtcListen,
    WebRtcTransportOptions,
};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::list;
use tidegate_tests::world::peer::address;
use tidegate_tests::world::webrtc::{
    WebRtcPeer, connect_webrtc, context, create_webrtc, on_loopback, own_port, webrtc_options,
};
use tidegate_worker::dtls::Version;

fn create_server(server: WebRtcServerId, infos: Vec<ListenInfo>) -> Command {
    Command::WebRtc(WebRtcCommand::CreateServer { server, listen_infos: list(infos) })
}

/// What a refused request must leave as it was.
fn held(world: &mut World) -> (u64, u64, usize) {
    let dump = world.dump();
    (dump.transports, dump.sockets, world.network.open_sockets())
}

#[test]
fn connecting_is_refused_without_a_trace() {
    let mut world = World::new();
    let router = world.router();
    let transport = world.webrtc_transport(router, &own_port());
    let peer = WebRtcPeer::new(&mut world, &transport, address(1, 4_000), &context(Version::Dtls12));
    let value =
        |value| DtlsFingerprint { algorithm: FingerprintAlgorithm::Sha256, value: Text::clipped(value) };
    let before = world.webrtc_dump(transport.id);
    let bad = [vec![], vec![value("")], vec![value("AB:CD")], vec![peer.fingerprint(), value("zz")]];
    for fingerprints in bad {
        let connect = connect_webrtc(transport.id, DtlsRole::Auto, &fingerprints);
        assert_eq!(world.refusal(connect), ErrorKind::InvalidArgument, "{fingerprints:?}");
        assert_eq!(world.webrtc_dump(transport.id), before);
    }
    world.connect_webrtc(&peer, DtlsRole::Server);
    let before = world.webrtc_dump(transport.id);
    assert_eq!((before.dtls_role, before.dtls_state), (DtlsRole::Client, DtlsState::New));
    let again = connect_webrtc(transport.id, DtlsRole::Client, &[peer.fingerprint()]);
    assert_eq!(world.refusal(again), ErrorKind::InvalidState);
    assert_eq!(world.webrtc_dump(transport.id), before);
}

#[test]
fn creating_is_refused_without_a_trace() {
    let mut world = World::new();
    let router = world.router();
    let udp = || on_loopback(Protocol::Udp, ListenPort::Any);
    let server = world.webrtc_server(&[udp()]);
    let there = world.webrtc_transport(router, &own_port()).id;
    let before = held(&mut world);
    let individual = |infos| webrtc_options(WebRtcListen::Individual(list(infos)));
    let shared = ListenInfo { shared: true, ..on_loopback(Protocol::Udp, ListenPort::Fixed(7_000)) };
    let on_server = webrtc_options(WebRtcListen::Server(server));
    let refused = [
        (individual(vec![]), ErrorKind::InvalidArgument),
        (WebRtcTransportOptions { enable_udp: false, ..own_port() }, ErrorKind::InvalidArgument),
        (WebRtcTransportOptions { enable_udp: false, ..on_server.clone() }, ErrorKind::InvalidArgument),
        (individual(vec![udp(), shared]), ErrorKind::InvalidArgument),
        (webrtc_options(WebRtcListen::Server(WebRtcServerId(99_999))), ErrorKind::NotFound),
        (WebRtcTransportOptions { enable_sctp: true, ..own_port() }, ErrorKind::Unsupported),
        (
            WebRtcTransportOptions { initial_available_outgoing_bitrate: (1 << 63) - 1, ..own_port() },
            ErrorKind::InvalidArgument,
        ),
    ];
    for (options, kind) in refused {
        let id = TransportId(world.new_id());
        assert_eq!(world.refusal(create_webrtc(router, id, &options)), kind, "{options:?}");
        assert_eq!(held(&mut world), before, "{options:?}");
    }
    assert_eq!(world.refusal(create_webrtc(router, there, &own_port())), ErrorKind::Duplicate);
    assert_eq!(world.refusal(create_server(server, vec![udp()])), ErrorKind::Duplicate);
    let id = WebRtcServerId(world.new_id());
    assert_eq!(world.refusal(create_server(id, vec![])), ErrorKind::InvalidArgument);
    assert_eq!(held(&mut world), before);
    let dump = world.webrtc_server_dump(server);
    assert_eq!((dump.transport_ids.len(), dump.local_ice_username_fragments.len()), (0, 0));
    world.audit();
}

#[test]
fn a_port_that_is_taken_closes_what_was_opened_before() {
    let mut world = World::new();
    let router = world.router();
    world.network.occupy(([127, 0, 0, 1], 7_001).into());
    let infos = vec![
        on_loopback(Protocol::Udp, ListenPort::Fixed(7_000)),
        on_loopback(Protocol::Tcp, ListenPort::Fixed(7_000)),
        on_loopback(Protocol::Udp, ListenPort::Fixed(7_001)),
    ];
    let id = WebRtcServerId(world.new_id());
    assert_eq!(world.refusal(create_server(id, infos.clone())), ErrorKind::BindFailed);
    assert_eq!(world.network.open_sockets(), 0);
    let id = TransportId(world.new_id());
    let options = webrtc_options(WebRtcListen::Individual(list(infos.clone())));
    assert_eq!(world.refusal(create_webrtc(router, id, &options)), ErrorKind::BindFailed);
    assert_eq!(world.network.open_sockets(), 0);
    world.audit();
    // The names are free as well.
    let options = webrtc_options(WebRtcListen::Individual(list(infos[..2].to_vec())));
    world.request(create_webrtc(router, id, &options)).unwrap();
}

#[test]
fn bitrates_out_of_range_change_nothing() {
    let mut world = World::new();
    let router = world.router();
    let transport = world.webrtc_transport(router, &own_port()).id;
    let max = |bitrate| Command::WebRtc(WebRtcCommand::SetMaxOutgoingBitrate { transport, bitrate });
    let min = |bitrate| Command::WebRtc(WebRtcCommand::SetMinOutgoingBitrate { transport, bitrate });
    world.done(max(1_000_000));
    world.done(min(500_000));
    for wrong in [max(29_999), max(499_999), max(u64::MAX), min(29_999), min(1_000_001), min(u64::MAX)] {
        assert_eq!(world.refusal(wrong), ErrorKind::InvalidArgument);
        let stats = world.webrtc_stats(transport);
        assert_eq!((stats.max_outgoing_bitrate, stats.min_outgoing_bitrate), (1_000_000, 500_000));
    }
    world.done(min(0));
    world.done(max(30_000));
    world.done(max(0));
}

#[test]
fn each_kind_of_transport_refuses_what_the_other_one_can() {
    let mut world = World::new();
    let router = world.router();
    let plain = world.comedia(router).id;
    let webrtc = world.webrtc_transport(router, &own_port());
    let peer = WebRtcPeer::new(&mut world, &webrtc, address(1, 4_000), &context(Version::Dtls12));
    let verbs = [
        connect_webrtc(plain, DtlsRole::Auto, &[peer.fingerprint()]),
        Command::WebRtc(WebRtcCommand::RestartIce { transport: plain }),
        Command::WebRtc(WebRtcCommand::SetMaxOutgoingBitrate { transport: plain, bitrate: 0 }),
        Command::WebRtc(WebRtcCommand::SetMinOutgoingBitrate { transport: plain, bitrate: 0 }),
        Command::ConnectPlainTransport { transport: webrtc.id, options: PlainConnectOptions::default() },
    ];
    for verb in verbs {
        assert_eq!(world.refusal(verb), ErrorKind::InvalidArgument);
    }
    let nobody = TransportId(77_777);
    assert_eq!(world.refusal(connect_webrtc(nobody, DtlsRole::Auto, &[])), ErrorKind::NotFound);
}
