//! Ways and their end: restarts, nominations, consent, other addresses, strangers.

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::TransportId;
use tidegate_protocol::transport::{ListenPort, Protocol};
use tidegate_protocol::webrtc::{DtlsState, IceState, WebRtcListen, WebRtcTransportOptions};
use tidegate_tests::world::World;
use tidegate_tests::world::host::listen_on;
use tidegate_tests::world::parameters::list;
use tidegate_tests::world::peer::address;
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::webrtc::{Nomination, on_loopback, own_port, webrtc_options};
use tidegate_worker::ice::stun::{BINDING, Class, Writer};

use super::{CAMERA, Room, Told, told};

/// From which of the peer's ports the selected way comes.
fn way(world: &mut World, transport: TransportId) -> Option<u16> {
    world.webrtc_dump(transport).ice_selected_tuple.and_then(|tuple| tuple.remote_port)
}

#[test]
fn old_credentials_are_good_until_the_new_ones_are_used_and_keys_stay() {
    let mut world = World::new();
    let router = world.router();
    let server = world.webrtc_server(&[on_loopback(Protocol::Udp, ListenPort::Any)]);
    let options = webrtc_options(WebRtcListen::Server(server));
    let camera = world.webrtc_pair(router, address(1, 4_000), &options);
    let player = world.webrtc_pair(router, address(2, 5_000), &options);
    let mut room = Room::of(&mut world, router, camera, player);
    assert_eq!(room.passes_frame(&mut world, true), 2);
    let fragments =
        |world: &mut World| world.webrtc_server_dump(server).local_ice_username_fragments.iter().count();
    assert_eq!(fragments(&mut world), 2);
    let before = world.webrtc_dump(room.camera.transport).ice_parameters;
    world.restart_ice(&mut room.camera);
    let after = world.webrtc_dump(room.camera.transport).ice_parameters;
    assert_ne!(after, before);
    assert_eq!(fragments(&mut world), 3);
    room.camera.use_credentials(&before.username_fragment, &before.password);
    let answer = room.camera.checks(&mut world, Nomination::No).unwrap();
    assert_eq!((answer.error, answer.signed), (None, true), "the old ones are good");
    room.camera.use_credentials(&after.username_fragment, &after.password);
    let answer = room.camera.checks(&mut world, Nomination::Usual).unwrap();
    assert_eq!((answer.error, answer.signed), (None, true));
    assert_eq!(fragments(&mut world), 2);
    room.camera.use_credentials(&before.username_fragment, &before.password);
    let answer = room.camera.checks(&mut world, Nomination::No).unwrap();
    assert_eq!(answer.error, Some(401), "they are no good any more");
    assert_eq!(room.passes_frame(&mut world, false), 2, "the same SRTP as before");
    world.audit();
}

#[test]
fn a_later_nomination_moves_the_way_and_an_overtaken_one_does_not() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    let transport = room.player.transport;
    let first = room.player.address;
    room.player.checks(&mut world, Nomination::Numbered(5));
    room.player.moves_to(&mut world, address(2, 5_001));
    room.player.checks(&mut world, Nomination::Numbered(4));
    assert_eq!(way(&mut world, transport), Some(5_000), "it was overtaken");
    told(&mut world, transport);
    room.player.checks(&mut world, Nomination::Numbered(6));
    assert_eq!(told(&mut world, transport), [Told::Way(5_001)]);
    assert_eq!(room.passes_frame(&mut world, true), 2, "media comes by the new way");
    room.player.moves_to(&mut world, first);
    room.player.hears(&mut world);
    assert_eq!(room.player.packets.len(), 0);
}

#[test]
fn the_ninth_way_displaces_the_oldest_that_is_not_used() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    let transport = room.camera.transport;
    for port in 4_001..4_009 {
        room.camera.moves_to(&mut world, address(1, port));
        room.camera.checks(&mut world, Nomination::No);
    }
    assert_eq!(way(&mut world, transport), Some(4_000));
    // What came second is gone: media from there is dropped and counted.
    let sealed = |room: &mut Room| {
        let frame = room.sender.frame(true, &[500]);
        room.camera.seals(&frame[0].write())
    };
    let packet = sealed(&mut room);
    room.camera.moves_to(&mut world, address(1, 4_001));
    room.camera.sends(&mut world, packet);
    assert_eq!(world.transport_stats(transport).dropped.wrong_source, 1);
    assert_eq!(way(&mut world, transport), Some(4_000));
    // From one that is proven it is taken, and the way follows.
    let packet = sealed(&mut room);
    room.camera.moves_to(&mut world, address(1, 4_008));
    room.camera.sends(&mut world, packet);
    assert_eq!(world.transport_stats(transport).dropped.wrong_source, 1);
    assert_eq!(way(&mut world, transport), Some(4_008));
}

#[test]
fn when_consent_ends_consumers_stop_and_go_on_with_a_key_frame_after_reconnecting() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    assert_eq!(room.passes_frame(&mut world, true), 2);
    told(&mut world, room.player.transport);
    // The camera asks on, the player has vanished.
    for _ in 0..31 {
        world.run_for(1_000);
        room.camera.checks(&mut world, Nomination::No);
        room.player.hears(&mut world);
    }
    assert_eq!(told(&mut world, room.player.transport), [Told::Ice(IceState::Disconnected)]);
    let dump = world.webrtc_dump(room.player.transport);
    assert_eq!((dump.ice_selected_tuple, dump.dtls_state), (None, DtlsState::Connected));
    assert_eq!(room.passes_frame(&mut world, false), 0);
    room.camera.reports.clear();
    room.player.checks(&mut world, Nomination::Usual);
    let again = told(&mut world, room.player.transport);
    assert_eq!(again.len(), 2, "no other handshake: {again:?}");
    assert!(
        again.contains(&Told::Ice(IceState::Completed)) && again.contains(&Told::Way(5_000)),
        "{again:?}"
    );
    world.run_for(1_100);
    room.camera.hears(&mut world);
    let asked = |report: &Rtcp| matches!(report, Rtcp::Pli { media: CAMERA, .. });
    assert!(room.camera.reports.iter().any(asked), "{:?}", room.camera.reports);
    room.player.packets.clear();
    assert_eq!(room.passes_frame(&mut world, true), 2);
}

#[test]
fn a_peer_that_asks_nothing_more_lives_on_by_its_media_or_its_reports() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    told(&mut world, room.camera.transport);
    for second in 0..100 {
        world.run_for(1_000);
        assert_eq!(room.passes_frame(&mut world, second == 0), 2, "{second} s");
        if second % 5 == 0 {
            let report = Rtcp::ReceiverReport { ssrc: 5, blocks: Vec::new() };
            room.player.reports_back(&mut world, &[report]);
        }
    }
    let events = world.take_events();
    let gone = |event: &Event| matches!(event, Event::IceState { .. });
    assert!(!events.iter().any(gone), "{events:?}");
    for (transport, port) in [(room.camera.transport, 4_000), (room.player.transport, 5_000)] {
        assert_eq!(way(&mut world, transport), Some(port));
    }
}

#[test]
fn indications_copies_and_forgeries_keep_no_peer_alive() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    let frame = room.sender.frame(true, &[1_000]);
    let packet = room.camera.seals(&frame[0].write());
    let mut forged = packet.clone();
    forged[3] ^= 1;
    room.camera.sends(&mut world, packet.clone());
    let mut out = [0; 64];
    let keepalive = Writer::new(&mut out, Class::Indication, BINDING, &[7; 12]).finish(None).unwrap();
    told(&mut world, room.camera.transport);
    for _ in 0..31 {
        world.run_for(1_000);
        for datagram in [packet.clone(), forged.clone(), out[..keepalive].to_vec()] {
            room.camera.sends(&mut world, datagram);
        }
    }
    assert_eq!(told(&mut world, room.camera.transport), [Told::Ice(IceState::Disconnected)]);
    let dropped = world.transport_stats(room.camera.transport).dropped;
    assert!(dropped.replayed >= 29 && dropped.unauthenticated >= 29, "{dropped:?}");
}

#[test]
fn without_consent_checks_a_way_lives_on() {
    let mut world = World::new();
    let router = world.router();
    let options = WebRtcTransportOptions { ice_consent_timeout_s: 0, ..own_port() };
    let peer = world.webrtc_pair(router, address(1, 4_000), &options);
    told(&mut world, peer.transport);
    world.run_for(100_000);
    assert_eq!(told(&mut world, peer.transport), []);
}

#[test]
fn the_same_peer_on_another_local_address_is_another_way() {
    let mut world = World::new();
    let router = world.router();
    let infos = [[127, 0, 0, 1], [127, 0, 0, 2]].map(|ip| listen_on(ip.into(), ListenPort::Any));
    let options = webrtc_options(WebRtcListen::Individual(list(infos.to_vec())));
    let mut peer = world.webrtc_pair(router, address(1, 4_000), &options);
    let dump = world.webrtc_dump(peer.transport);
    told(&mut world, peer.transport);
    let second = &dump.ice_candidates[1];
    peer.to = (second.address.parse::<std::net::IpAddr>().unwrap(), second.port).into();
    let answer = peer.checks(&mut world, Nomination::Usual).unwrap();
    assert_eq!(answer.error, None);
    assert_eq!(told(&mut world, peer.transport), [Told::Way(4_000)]);
    let tuple = world.webrtc_dump(peer.transport).ice_selected_tuple.unwrap();
    assert_eq!((&*tuple.local_address, tuple.local_port), ("127.0.0.2", second.port));
}

#[test]
fn whoever_has_proven_nothing_is_not_heard() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    assert_eq!(room.passes_frame(&mut world, true), 2);
    let transport = room.camera.transport;
    let frame = room.sender.frame(false, &[800]);
    let sealed = room.camera.seals(&frame[0].write());
    let dtls = [&[22, 0xFE, 0xFD][..], &[0; 40]].concat();
    let stranger = address(66, 6_666);
    world.network.leave_sealed(stranger);
    let before = world.webrtc_stats(transport);
    for bytes in [sealed.clone(), dtls, vec![0xFF; 40], vec![0; 20]] {
        world.network.inject(stranger, room.camera.to, bytes);
        world.receive();
    }
    assert_eq!(world.network.take_sent_to(stranger), [], "a stranger gets no answer");
    let (stats, webrtc) = (world.transport_stats(transport), world.webrtc_stats(transport));
    assert_eq!((stats.dropped.wrong_source, stats.dropped.not_rtp), (1, 1));
    assert_eq!(webrtc.dtls_rejected, before.dtls_rejected + 1);
    assert_eq!(webrtc.stun_rejected, before.stun_rejected + 1);
    assert_eq!(way(&mut world, transport), Some(4_000));
    // The same packet from its own peer is taken: a stranger's copy has changed nothing.
    room.camera.sends(&mut world, sealed.clone());
    room.player.hears(&mut world);
    assert_eq!(room.player.packets.len(), 1);
    room.camera.sends(&mut world, sealed);
    assert_eq!(world.transport_stats(transport).dropped.replayed, 1);
    assert_eq!(world.metric("dropped_replayed"), 1);
}

#[test]
fn a_wrong_password_gets_401_and_proves_nothing() {
    let mut world = World::new();
    let router = world.router();
    let mut peer = world.webrtc_pair(router, address(1, 4_000), &own_port());
    let told_parameters = world.webrtc_dump(peer.transport).ice_parameters;
    told(&mut world, peer.transport);
    peer.use_credentials(&told_parameters.username_fragment, "not the password");
    peer.moves_to(&mut world, address(1, 4_001));
    let answer = peer.checks(&mut world, Nomination::Usual).unwrap();
    assert_eq!((answer.error, answer.signed), (Some(401), false));
    assert_eq!(told(&mut world, peer.transport), []);
    assert_eq!(way(&mut world, peer.transport), Some(4_000));
}
