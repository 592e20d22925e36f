//! Many transports on one server: whose a datagram is, what closes with what, and that nothing is left.

use std::collections::BTreeSet;

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{RouterId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::{ListenPort, Protocol};
use tidegate_protocol::webrtc::{DtlsRole, DtlsState, IceState, WebRtcCommand, WebRtcListen};
use tidegate_tests::world::World;
use tidegate_tests::world::peer::address;
use tidegate_tests::world::webrtc::{
    Nomination, WebRtcPeer, candidate, context, on_loopback, webrtc_options,
};
use tidegate_worker::dtls::{FLIGHTS_A_TURN, Role, Version};

use super::{Room, Told, told};

fn server(world: &mut World) -> (RouterId, WebRtcServerId) {
    let router = world.router();
    let infos = [Protocol::Udp, Protocol::Tcp].map(|protocol| on_loopback(protocol, ListenPort::Any));
    (router, world.webrtc_server(&infos))
}

/// Transports, fragments and tuples of a server.
fn sizes(world: &mut World, server: WebRtcServerId) -> (usize, usize, u64) {
    let dump = world.webrtc_server_dump(server);
    (dump.transport_ids.len(), dump.local_ice_username_fragments.len(), dump.tuples)
}

#[test]
fn a_server_closes_with_its_live_transports() {
    let mut world = World::new();
    let (router, server) = server(&mut world);
    let options = webrtc_options(WebRtcListen::Server(server));
    let camera = world.webrtc_pair(router, address(1, 4_000), &options);
    let player = world.webrtc_pair(router, address(2, 5_000), &options);
    let mut room = Room::of(&mut world, router, camera, player);
    assert_eq!(room.passes_frame(&mut world, true), 2);
    assert_eq!(sizes(&mut world, server), (2, 2, 2));
    world.done(Command::WebRtc(WebRtcCommand::CloseServer { server }));
    world.audit();
    assert_eq!((world.dump().transports, world.network.open_sockets()), (0, 0));
    room.camera.hears(&mut world);
    room.player.hears(&mut world);
    assert!(room.camera.is_closed && room.player.is_closed, "each was told goodbye");
    world.run_for(60_000);
}

#[test]
fn routers_and_the_worker_close_what_is_on_a_server() {
    let mut world = World::new();
    let (router, server) = server(&mut world);
    let options = webrtc_options(WebRtcListen::Server(server));
    let mut peer = world.webrtc_pair(router, address(1, 4_000), &options);
    world.done(Command::CloseRouter { router });
    peer.hears(&mut world);
    assert!(peer.is_closed);
    assert_eq!(sizes(&mut world, server), (0, 0, 0));
    world.audit();
    let router = world.router();
    world.webrtc_pair(router, address(2, 4_000), &options);
    // The end of the world closes the worker with a transport and a server, and looks what is left.
    world.finish();
}

#[test]
fn a_thousand_transports_leave_nothing_on_a_server() {
    let mut world = World::new();
    let (router, server) = server(&mut world);
    let options = webrtc_options(WebRtcListen::Server(server));
    let peers = context(Version::Dtls12);
    let mut transports = Vec::new();
    for number in 0..1_000u16 {
        let transport = world.webrtc_transport(router, &options);
        // Half of them are called, from four addresses each.
        if number % 2 == 0 {
            let mut peer = WebRtcPeer::new(&mut world, &transport, address(1, 1_000), &peers);
            for way in 0..4 {
                peer.moves_to(&mut world, address(1, 10_000 + number * 4 + way));
                peer.checks(&mut world, Nomination::No);
            }
        }
        transports.push(transport.id);
    }
    assert_eq!(sizes(&mut world, server), (1_000, 1_000, 2_000));
    world.audit();
    for (number, transport) in transports.into_iter().enumerate() {
        world.done(Command::CloseTransport { transport });
        if number % 100 == 0 {
            world.audit();
        }
    }
    assert_eq!(sizes(&mut world, server), (0, 0, 0));
    assert_eq!(world.network.open_sockets(), 2);
}

#[test]
fn an_address_that_another_transports_peer_proves_is_that_ones_from_then_on() {
    let mut world = World::new();
    let (router, server) = server(&mut world);
    let options = webrtc_options(WebRtcListen::Server(server));
    let first = world.webrtc_pair(router, address(1, 4_000), &options);
    told(&mut world, first.transport);
    let second = world.webrtc_transport(router, &options);
    let mut peer = WebRtcPeer::new(&mut world, &second, address(1, 4_000), &context(Version::Dtls12));
    world.connect_webrtc(&peer, DtlsRole::Client);
    assert_eq!(peer.checks(&mut world, Nomination::Usual).unwrap().error, None);
    let events = told(&mut world, first.transport);
    assert_eq!(events, [Told::Ice(IceState::Disconnected)]);
    world.audit();
    assert_eq!(sizes(&mut world, server), (2, 2, 1));
    peer.begins(&mut world, Role::Client);
    peer.shakes_hands(&mut world);
    assert!(peer.is_joined(), "{:?}", peer.failure);
    assert_eq!(world.webrtc_dump(second.id).dtls_state, DtlsState::Connected);
    // The first one's end takes nothing away that is the second one's.
    world.done(Command::CloseTransport { transport: first.transport });
    assert_eq!(sizes(&mut world, server), (1, 1, 1));
    world.audit();
}

#[test]
fn a_connection_that_its_peer_closes_leaves_no_route() {
    let mut world = World::new();
    let (router, server) = server(&mut world);
    let options = webrtc_options(WebRtcListen::Server(server));
    let transport = world.webrtc_transport(router, &options);
    let mut peer = WebRtcPeer::new(&mut world, &transport, address(1, 4_000), &context(Version::Dtls12));
    peer.to = candidate(&transport, Protocol::Tcp).unwrap();
    world.network.use_tcp(peer.address);
    world.connect_webrtc(&peer, DtlsRole::Client);
    peer.joins(&mut world);
    assert_eq!(sizes(&mut world, server), (1, 1, 1));
    world.audit();
    told(&mut world, transport.id);
    world.network.hang_up(peer.address);
    world.receive();
    assert_eq!(told(&mut world, transport.id), [Told::Ice(IceState::Disconnected)]);
    assert_eq!(sizes(&mut world, server), (1, 1, 0), "3.14.5: TCP on a server leaked");
    world.audit();
    // It calls again, and DTLS is as it was.
    assert_eq!(peer.checks(&mut world, Nomination::Usual).unwrap().error, None);
    assert_eq!(world.webrtc_dump(transport.id).dtls_state, DtlsState::Connected);
    assert!(world.network.is_connected(peer.address));
    world.done(Command::CloseTransport { transport: transport.id });
    assert!(!world.network.is_connected(peer.address), "closed with its transport");
    assert_eq!(sizes(&mut world, server), (0, 0, 0));
}

#[test]
fn a_hundred_joins_at_once_leave_media_its_turn_and_all_come_to_be() {
    let mut world = World::new();
    let mut room = Room::new(&mut world);
    let (_, server) = server(&mut world);
    let options = webrtc_options(WebRtcListen::Server(server));
    let make = context(Version::Dtls12);
    let mut peers: Vec<WebRtcPeer> = (0..100u16)
        .map(|number| {
            let transport = world.webrtc_transport(room.router, &options);
            let mut peer = WebRtcPeer::new(&mut world, &transport, address(9, 20_000 + number), &make);
            world.connect_webrtc(&peer, DtlsRole::Client);
            assert_eq!(peer.checks(&mut world, Nomination::Usual).unwrap().error, None);
            peer
        })
        .collect();
    peers.iter_mut().for_each(|peer| peer.begins(&mut world, Role::Client));
    world.take_events();
    let mut joined = BTreeSet::new();
    let begun = world.tally().turns;
    let (mut rounds, mut turns_before) = (0, begun);
    while joined.len() < peers.len() {
        rounds += 1;
        assert!(rounds < 1_000, "{} of 100 came to be", joined.len());
        // Flights of all that wait and a frame of the room, in one turn.
        assert_eq!(room.passes_frame(&mut world, rounds == 1), 2, "in round {rounds}");
        let dtls = world.take_events();
        let connected = dtls.iter().filter_map(|event| match event {
            Event::DtlsState { transport, state: DtlsState::Connected, .. } => Some(*transport),
            _ => None,
        });
        let before = joined.len();
        joined.extend(connected);
        let (more, turns) = (joined.len() as u64 - before as u64, world.tally().turns - turns_before);
        turns_before += turns;
        assert!(more <= turns * u64::from(FLIGHTS_A_TURN), "{more} handshakes ended in {turns} turns");
        peers.iter_mut().for_each(|peer| peer.hears(&mut world));
        world.run_for(1);
    }
    let turns = world.tally().turns - begun;
    peers.iter_mut().for_each(|peer| peer.shakes_hands(&mut world));
    assert!(peers.iter().all(WebRtcPeer::is_joined));
    assert!(turns >= 100 / u64::from(FLIGHTS_A_TURN), "{turns} turns cannot have been enough");
}
