//! From creation to the end: candidates, roles, states, media, goodbyes.

use tidegate_protocol::bounded::Text;
use tidegate_protocol::event::Event;
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::{ListenInfo, ListenPort, Protocol};
use tidegate_protocol::webrtc::{DtlsRole, DtlsState, IceState, WebRtcListen, WebRtcTransportOptions};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::list;
use tidegate_tests::world::peer::{CONSUMED, address};
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::webrtc::{
    Nomination, WebRtc, WebRtcPeer, connect_webrtc, context, on_loopback, own_port, webrtc_options,
};
use tidegate_worker::dtls::{Role, Version};

use super::{CAMERA, Room, Told, told};

fn candidates(transport: &WebRtc) -> Vec<(String, Protocol, u32)> {
    let candidates = transport.dump.ice_candidates.iter();
    candidates.map(|one| (one.address.to_string(), one.protocol, one.priority)).collect()
}

/// RFC 8445 5.1.2.1 with the field's preference of hosts.
const fn priority(local_preference: u32) -> u32 {
    (64 << 24) + (local_preference << 8) + 255
}

fn payloads(packets: &[RtpPacket]) -> Vec<&Vec<u8>> {
    packets.iter().map(|packet| &packet.payload).collect()
}

#[test]
fn candidates_are_what_the_options_say_with_own_ports_and_on_a_server() {
    let announced = ListenInfo {
        announced_address: Some(Text::clipped("media.example")),
        expose_internal_ip: true,
        ..on_loopback(Protocol::Udp, ListenPort::Any)
    };
    let infos = vec![announced, on_loopback(Protocol::Tcp, ListenPort::Any)];
    let local = "127.0.0.1".to_owned();
    let name = "media.example".to_owned();
    for on_server in [false, true] {
        let mut world = World::new();
        let router = world.router();
        let server = world.webrtc_server(&infos);
        let options = webrtc_options(match on_server {
            true => WebRtcListen::Server(server),
            false => WebRtcListen::Individual(list(infos.clone())),
        });
        let all = candidates(&world.webrtc_transport(router, &options));
        let (udp, internal, tcp) = (10_000, 9_000, 9_900);
        assert_eq!(
            all,
            [
                (name.clone(), Protocol::Udp, priority(udp)),
                (local.clone(), Protocol::Udp, priority(internal)),
                (local.clone(), Protocol::Tcp, priority(tcp)),
            ]
        );
        let prefers_tcp = WebRtcTransportOptions { prefer_tcp: true, ..options.clone() };
        let all = candidates(&world.webrtc_transport(router, &prefers_tcp));
        assert!(all[2].2 == priority(10_900) && all[2].2 > all[0].2, "{all:?}");
        let prefers_udp = WebRtcTransportOptions { prefer_udp: true, ..options.clone() };
        let all = candidates(&world.webrtc_transport(router, &prefers_udp));
        assert_eq!((all[0].2, all[2].2), (priority(11_000), priority(tcp)));
        let no_udp = WebRtcTransportOptions { enable_udp: false, ..options.clone() };
        let all = candidates(&world.webrtc_transport(router, &no_udp));
        assert!(matches!(&*all, [(_, Protocol::Tcp, _)]), "{all:?}");
        let no_tcp = WebRtcTransportOptions { enable_tcp: false, ..options };
        let all = candidates(&world.webrtc_transport(router, &no_tcp));
        assert!(matches!(&*all, [(_, Protocol::Udp, _), (_, Protocol::Udp, _)]), "{all:?}");
    }
}

#[test]
fn states_come_in_order_whoever_begins_the_handshake() {
    let roles = [
        (DtlsRole::Client, DtlsRole::Server, Role::Client),
        (DtlsRole::Auto, DtlsRole::Server, Role::Client),
        (DtlsRole::Server, DtlsRole::Client, Role::Server),
    ];
    for (peers, workers, role) in roles {
        for version in [Version::Dtls12, Version::Dtls13] {
            let mut world = World::new();
            let router = world.router();
            let transport = world.webrtc_transport(router, &own_port());
            let mut peer = WebRtcPeer::new(&mut world, &transport, address(1, 4_000), &context(version));
            assert_eq!(world.connect_webrtc(&peer, peers), workers);
            assert_eq!(told(&mut world, transport.id), [], "nothing begins without a way");
            let answer = peer.checks(&mut world, Nomination::No).unwrap();
            assert_eq!((answer.error, answer.mapped, answer.signed), (None, Some(peer.address), true));
            let begun = told(&mut world, transport.id);
            assert_eq!(begun.len(), 3, "{begun:?}");
            for each in [Told::Way(4_000), Told::Ice(IceState::Connected), Told::Dtls(DtlsState::Connecting)]
            {
                assert!(begun.contains(&each), "{begun:?}");
            }
            peer.checks(&mut world, Nomination::Usual);
            assert_eq!(told(&mut world, transport.id), [Told::Ice(IceState::Completed)]);
            peer.begins(&mut world, role);
            peer.shakes_hands(&mut world);
            assert!(peer.is_joined(), "{peers:?} {version:?}");
            let events = world.take_events();
            let [Event::DtlsState { state: DtlsState::Connected, remote_certificate: Some(pem), .. }] =
                &*events
            else {
                panic!("{events:?}")
            };
            assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
            let dump = world.webrtc_dump(transport.id);
            assert_eq!(
                (dump.ice_state, dump.dtls_state, dump.dtls_role),
                (IceState::Completed, DtlsState::Connected, workers)
            );
            assert_eq!(dump.ice_selected_tuple.unwrap().remote_port, Some(4_000));
        }
    }
}

#[test]
fn media_feedback_and_repair_pass_through_srtp() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    let sent = room.sender.frame(true, &[1_000, 1_000, 600]);
    room.camera.plays_packets(&mut world, &sent);
    room.player.hears(&mut world);
    let got = std::mem::take(&mut room.player.packets);
    assert_eq!(payloads(&got), payloads(&sent));
    // A lone NACK: RTCP of reduced size (RFC 5506).
    let nack = Rtcp::Nack { sender: 1, media: CONSUMED, sequences: vec![got[1].sequence] };
    room.player.reports_back(&mut world, &[nack]);
    // Without RTX it comes as it was, under the index that it had: who has it takes it for a replay.
    assert_eq!((room.player.repeated, room.player.packets.len()), (1, 0));
    // The hole that the camera leaves is asked for.
    let mut lossy = room.sender.frame(false, &[500, 500, 500]);
    let lost = lossy.remove(1);
    room.camera.plays_packets(&mut world, &lossy);
    world.run_for(100);
    room.camera.hears(&mut world);
    let asked = room.camera.reports.iter().any(|report| {
        matches!(report, Rtcp::Nack { media: CAMERA, sequences, .. } if sequences.contains(&lost.sequence))
    });
    assert!(asked, "{:?}", room.camera.reports);
    let dropped = world.transport_stats(room.camera.transport).dropped;
    assert_eq!((dropped.unauthenticated, dropped.replayed, dropped.wrong_source), (0, 0, 0));
}

#[test]
fn closing_says_goodbye_to_the_peer() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut world = World::new();
        let router = world.router();
        let transport = world.webrtc_transport(router, &own_port());
        let mut peer = WebRtcPeer::new(&mut world, &transport, address(1, 4_000), &context(version));
        world.connect_webrtc(&peer, DtlsRole::Auto);
        peer.joins(&mut world);
        world.done(Command::CloseTransport { transport: transport.id });
        peer.hears(&mut world);
        assert!(peer.is_closed, "{version:?}");
        assert_eq!(world.network.open_sockets(), 0);
    }
}

#[test]
fn after_the_peers_goodbye_media_stops_both_ways() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    assert_eq!(room.passes_frame(&mut world, true), 2);
    let late = room.sender.frame(false, &[700]);
    let late = room.camera.seals(&late[0].write());
    told(&mut world, room.camera.transport);
    room.camera.says_goodbye(&mut world);
    world.receive();
    assert_eq!(told(&mut world, room.camera.transport), [Told::Dtls(DtlsState::Closed)]);
    let before = world.transport_stats(room.camera.transport).dropped.unauthenticated;
    room.camera.sends(&mut world, late);
    room.player.hears(&mut world);
    assert_eq!(room.player.packets.len(), 0, "media of a peer that has left");
    assert_eq!(world.transport_stats(room.camera.transport).dropped.unauthenticated, before + 1);
    room.player.says_goodbye(&mut world);
    world.receive();
    assert_eq!(told(&mut world, room.player.transport), [Told::Dtls(DtlsState::Closed)]);
    let before = world.transport_stats(room.player.transport).rtp_sent.packets;
    world.run_for(1_000);
    assert_eq!(world.transport_stats(room.player.transport).rtp_sent.packets, before);
}

#[test]
fn a_peer_with_another_certificate_is_refused() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut world = World::new();
        let router = world.router();
        let transport = world.webrtc_transport(router, &own_port());
        let mut peer = WebRtcPeer::new(&mut world, &transport, address(1, 4_000), &context(version));
        let other = WebRtcPeer::new(&mut world, &transport, address(2, 4_000), &context(version));
        world.request(connect_webrtc(transport.id, DtlsRole::Auto, &[other.fingerprint()])).unwrap();
        peer.checks(&mut world, Nomination::Usual);
        peer.begins(&mut world, Role::Client);
        peer.shakes_hands(&mut world);
        let states = told(&mut world, transport.id);
        assert!(states.ends_with(&[Told::Dtls(DtlsState::Failed)]), "{version:?}: {states:?}");
        assert_eq!(world.webrtc_dump(transport.id).dtls_state, DtlsState::Failed);
    }
}
