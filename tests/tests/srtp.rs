//! Plain transports with SRTP: what comes in is authentic or goes no further, what goes out only the peer can read.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::net::SocketAddr;
use std::time::Duration;

use tidegate_protocol::event::Event;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::srtp::SrtpCryptoSuite;
use tidegate_protocol::stats::DroppedPackets;
use tidegate_protocol::transport::{PlainConnectOptions, PlainTransportOptions};
use tidegate_tests::world::World;
use tidegate_tests::world::host::{keys, own_keys, plain_options};
use tidegate_tests::world::network::Direction;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::path::Impairment;
use tidegate_tests::world::peer::{CONSUMED, Call, Receiver, Sender, address};
use tidegate_tests::world::run::Origin;
use tidegate_tests::world::secured::Secured;
use tidegate_tests::world::sink::SinkOptions;
use tidegate_tests::world::source::SourceOptions;
use tidegate_worker::base::time::Time;
use tidegate_worker::rtp::header::payload_offset;
use tidegate_worker::srtp::Unprotect;

const CAMERA: u32 = 0x1111;
const CAMERA_AT: (u8, u16) = (1, 4_000);
const PLAYER_AT: (u8, u16) = (2, 5_000);

fn comedia() -> PlainTransportOptions {
    PlainTransportOptions { comedia: true, ..plain_options() }
}

/// A call with SRTP at both ends.
fn secured_call(world: &mut World, source: &Stream, suite: SrtpCryptoSuite) -> Call {
    let (camera, player) = (address(CAMERA_AT.0, CAMERA_AT.1), address(PLAYER_AT.0, PLAYER_AT.1));
    let router = world.router();
    let inbound = world.secured(router, comedia(), suite, camera);
    let producer = world.produce(inbound.id, source);
    let sender = Sender::new(camera, inbound.rtp, source.clone());
    let outbound = world.secured(router, plain_options(), suite, player);
    let receiver = Receiver { address: player, to: outbound.rtcp };
    let received = source.consumed_as(CONSUMED);
    let consumer = world.consume(outbound.id, producer, source, &received);
    Call { router, sender, inbound, producer, receiver, outbound, consumer, received }
}

fn dropped(world: &mut World, call: &Call) -> DroppedPackets {
    world.transport_stats(call.inbound.id).dropped
}

fn learnt(world: &mut World) -> Vec<SocketAddr> {
    let events = world.take_events();
    let tuples = events.into_iter().filter_map(|event| match event {
        Event::PlainTuple { tuple, .. } => Some(tuple),
        _ => None,
    });
    tuples.map(|tuple| SocketAddr::new(tuple.remote_ip.unwrap(), tuple.remote_port.unwrap())).collect()
}

/// What the peer's session makes of a datagram that is sent to the worker past the world's own.
fn under_own_keys(suite: SrtpCryptoSuite, plain: &[u8]) -> Vec<u8> {
    let own = keys(&own_keys(suite));
    Secured::new(&own, &own).protect(plain)
}

#[test]
fn media_and_reports_pass_both_ways_under_every_suite() {
    for suite in SrtpCryptoSuite::ALL {
        let mut world = World::new();
        let mut call = secured_call(&mut world, &Stream::vp8(CAMERA), suite);
        let sent = call.sender.sends_key_frame(&mut world);
        let got = call.receiver.gets(&mut world);
        assert_eq!(
            got.iter().map(|packet| &packet.payload).collect::<Vec<_>>(),
            sent.iter().map(|it| &it.payload).collect::<Vec<_>>()
        );
        assert_eq!(world.transport_dump(call.outbound.id).plain.unwrap().srtp, Some(suite));
        call.sender.streams_for(&mut world, 3_000);
        assert!(!call.sender.hears(&mut world).is_empty() && !call.receiver.hears(&mut world).is_empty());
        assert_eq!(dropped(&mut world, &call), DroppedPackets::default());
        let inbound = world.transport_stats(call.inbound.id);
        let tag = u64::try_from(under_own_keys(suite, &call.sender.sound().write()).len() - 92).unwrap();
        assert_eq!(
            inbound.received.bytes,
            inbound.rtp_received.bytes + inbound.rtp_received.packets * tag,
            "{suite:?}"
        );
        let outbound = world.transport_stats(call.outbound.id);
        let rtcp_at_least = outbound.rtp_sent.bytes + outbound.rtp_sent.packets * tag;
        assert!(outbound.sent.bytes > rtcp_at_least && outbound.sent.bytes < rtcp_at_least + 2_000);
    }
}

#[test]
fn a_comedia_transport_learns_only_from_what_is_authentic() {
    for suite in SrtpCryptoSuite::ALL {
        let mut world = World::new();
        let mut call = secured_call(&mut world, &Stream::vp8(CAMERA), suite);
        let clear = call.sender.frame(true, &[1_000]).remove(0).write();
        let mut forged = under_own_keys(suite, &clear);
        *forged.last_mut().unwrap() ^= 1;
        let stranger = address(66, 6_000);
        for bytes in [clear.clone(), forged, clear[..14].to_vec()] {
            world.network.inject(stranger, call.inbound.rtp, bytes);
            world.receive();
        }
        assert_eq!(learnt(&mut world), []);
        let counted = dropped(&mut world, &call);
        assert_eq!(counted.unauthenticated + counted.bad_header, 3, "{counted:?}");
        assert_eq!(world.metric("dropped_unauthenticated"), counted.unauthenticated);
        call.sender.sends_key_frame(&mut world);
        assert_eq!(learnt(&mut world), [call.sender.address]);
        assert_eq!(call.receiver.gets(&mut world).len(), 3);
    }
}

#[test]
fn before_it_knows_keys_a_transport_takes_nothing() {
    let mut world = World::new();
    let router = world.router();
    let suite = SrtpCryptoSuite::AesCm128HmacSha1_80;
    let (plain, _) = world.transport_with_keys(router, comedia(), suite);
    world.produce(plain.id, &Stream::vp8(CAMERA));
    let mut sender = Sender::new(address(1, 4_000), plain.rtp, Stream::vp8(CAMERA));
    sender.sends_key_frame(&mut world);
    assert_eq!(learnt(&mut world), []);
    assert_eq!(world.transport_stats(plain.id).dropped.unauthenticated, 3);
}

#[test]
fn a_replayed_packet_is_dropped_and_counted() {
    for suite in SrtpCryptoSuite::ALL {
        let mut world = World::new();
        let mut call = secured_call(&mut world, &Stream::vp8(CAMERA), suite);
        let twice = Impairment { duplicate_permille: 1_000, ..Impairment::default() };
        world.network.impair(call.sender.address, Direction::ToWorker, twice);
        call.sender.sends_key_frame(&mut world);
        world.run_for(10);
        assert_eq!(call.receiver.gets(&mut world).len(), 3);
        assert_eq!(dropped(&mut world, &call).replayed, 3);
        assert_eq!(world.metric("dropped_replayed"), 3);
    }
}

#[test]
fn a_resend_without_rtx_is_the_same_bytes_on_the_wire() {
    for suite in SrtpCryptoSuite::ALL {
        let mut world = World::new();
        let source = Stream { nack: true, rtx_ssrc: None, ..Stream::vp8(CAMERA) };
        let mut call = secured_call(&mut world, &source, suite);
        call.sender.sends_key_frame(&mut world);
        world.run_for(300);
        call.receiver.gets(&mut world);
        world.network.leave_sealed(call.receiver.address);
        let sent = call.sender.sends_frame(&mut world);
        let first = call.receiver.gets_bytes(&mut world);
        let numbers: Vec<u16> = first.iter().map(|it| u16::from_be_bytes([it[2], it[3]])).collect();
        assert_eq!(numbers.len(), sent.len());
        let nack = tidegate_tests::world::rtcp::Rtcp::Nack { sender: 1, media: CONSUMED, sequences: numbers };
        let nack = tidegate_tests::world::rtcp::write(&[nack]);
        let protected = under_own_keys(suite, &nack);
        world.run_for(300);
        world.network.inject(call.receiver.address, call.receiver.to, protected);
        world.receive();
        assert_eq!(call.receiver.gets_bytes(&mut world), first, "{suite:?}");
    }
}

#[test]
fn the_peer_may_choose_another_suite_and_gets_new_keys() {
    let mut world = World::new();
    let router = world.router();
    let (plain, before) =
        world.transport_with_keys(router, plain_options(), SrtpCryptoSuite::AesCm128HmacSha1_80);
    let own = own_keys(SrtpCryptoSuite::AeadAes256Gcm);
    let peer = address(2, 5_000);
    let options = PlainConnectOptions {
        ip: Some(peer.ip()),
        port: Some(peer.port()),
        rtcp_port: None,
        srtp_parameters: Some(own.clone()),
    };
    let reply = world.request(Command::ConnectPlainTransport { transport: plain.id, options });
    let Ok(Reply::PlainTransport(PlainTuples { srtp_parameters: Some(now), .. })) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(now.crypto_suite, SrtpCryptoSuite::AeadAes256Gcm);
    assert_ne!(now.key[..16], before.key[..16]);
    assert_eq!(world.transport_dump(plain.id).plain.unwrap().srtp, Some(now.crypto_suite));
    world.network.secure(peer, Secured::new(&keys(&own), &keys(&now)));
    let source = Stream::vp8(CAMERA);
    world.produce(plain.id, &source);
    Sender::new(peer, plain.rtp, source).sends_key_frame(&mut world);
    assert_eq!(world.transport_stats(plain.id).rtp_received.packets, 3);
}

#[test]
fn each_transport_has_keys_of_its_own() {
    let mut world = World::new();
    let router = world.router();
    let suite = SrtpCryptoSuite::AeadAes128Gcm;
    let told: Vec<_> =
        (0..20).map(|_| world.transport_with_keys(router, plain_options(), suite).1.key.to_vec()).collect();
    for (index, key) in told.iter().enumerate() {
        assert!(!told[..index].contains(key) && key.iter().any(|byte| *byte != 0));
    }
}

#[test]
fn an_ssrc_that_comes_back_goes_on_behind_its_last_number() {
    let mut world = World::new();
    let mut call = secured_call(&mut world, &Stream::vp8(CAMERA), SrtpCryptoSuite::AeadAes128Gcm);
    call.sender.sends_key_frame(&mut world);
    let last = *call.receiver.gets_numbers(&mut world).last().unwrap();
    world.done(Command::CloseConsumer { consumer: call.consumer });
    world.consume(call.outbound.id, call.producer, &call.sender.stream, &call.received);
    world.run_for(1_500);
    call.sender.sends_key_frame(&mut world);
    let numbers = call.receiver.gets_numbers(&mut world);
    assert_eq!(numbers.first().copied(), Some(last.wrapping_add(1)), "{numbers:?}");
}

#[test]
fn a_flood_of_fakes_takes_no_memory_and_disturbs_nobody() {
    for suite in SrtpCryptoSuite::ALL {
        let mut world = World::new();
        let mut call = secured_call(&mut world, &Stream::vp8(CAMERA), suite);
        call.sender.sends_key_frame(&mut world);
        call.receiver.gets(&mut world);
        world.network.leave_sealed(call.sender.address);
        let before = world.metric("pool_large_in_use");
        let mut fake = call.sender.frame(false, &[600]).remove(0);
        for number in 0..2_000_u32 {
            fake.ssrc = if number % 2 == 0 { CAMERA } else { number.wrapping_mul(0x9E37_79B9) };
            fake.sequence = fake.sequence.wrapping_add(977);
            let mut bytes = fake.write();
            if number % 5 == 0 {
                bytes[1] = 200;
            }
            world.network.inject(call.sender.address, call.inbound.rtp, bytes);
            world.receive();
        }
        let counted = dropped(&mut world, &call);
        // A fake with the number of a packet that came is a replay before anybody computes anything.
        assert!(counted.replayed < 100 && counted.unauthenticated + counted.replayed == 2_000, "{counted:?}");
        assert_eq!(world.metric("pool_large_in_use"), before);
        assert_eq!(call.receiver.gets(&mut world).len(), 0);
        let genuine = call.sender.frame(false, &[1_000]).remove(0).write();
        // The same numbers that fakes had used are free for the real sender.
        let own = keys(&own_keys(suite));
        let genuine = Secured::new(&own, &own).protect(&genuine);
        world.network.inject(call.sender.address, call.inbound.rtp, genuine);
        world.receive();
        assert_eq!(call.receiver.gets(&mut world).len(), 1, "{suite:?}");
    }
}

#[test]
fn what_leaves_can_be_opened_with_the_told_keys_and_is_not_readable_without() {
    let mut world = World::new();
    let mut call = secured_call(&mut world, &Stream::vp8(CAMERA), SrtpCryptoSuite::AesCm128HmacSha1_80);
    let player = address(3, 5_000);
    let suite = SrtpCryptoSuite::AeadAes128Gcm;
    let (plain, told) = world.transport_with_keys(call.router, plain_options(), suite);
    let options = PlainConnectOptions {
        ip: Some(player.ip()),
        port: Some(player.port()),
        rtcp_port: None,
        srtp_parameters: Some(own_keys(suite)),
    };
    world.request(Command::ConnectPlainTransport { transport: plain.id, options }).unwrap();
    world.network.leave_sealed(player);
    world.consume(plain.id, call.producer, &call.sender.stream, &call.sender.stream.consumed_as(77));
    let sent = call.sender.sends_key_frame(&mut world);
    let got = Receiver { address: player, to: plain.rtcp }.gets_bytes(&mut world);
    let mut session = Unprotect::new(&keys(&told)).unwrap();
    assert_eq!(got.len(), sent.len());
    for (mut got, sent) in got.into_iter().zip(sent) {
        let header_bytes = payload_offset(&got).unwrap();
        assert!(!got.windows(16).any(|window| window == &sent.payload[..16]));
        let bytes = session.rtp(&mut got, header_bytes, Time::ZERO).unwrap();
        assert_eq!(got[header_bytes..bytes][..sent.payload.len()], sent.payload);
    }
}

/// Sources and sinks that compare every byte, over bad paths, through wraps of the sequence number on both sides.
#[test]
fn loss_is_repaired_under_srtp_while_numbers_wrap() {
    for (suite, has_rtx) in SrtpCryptoSuite::ALL.into_iter().zip([true, false, true, false]) {
        let mut world = World::new();
        let router = world.router();
        let (camera, player) = (address(1, 4_000), address(2, 5_000));
        let bad = Impairment {
            loss_permille: 40,
            delay: Duration::from_millis(10),
            jitter: Duration::from_millis(2),
            duplicate_permille: 10,
            ..Impairment::default()
        };
        let rtx_ssrc = |ssrc: u32| has_rtx.then_some(ssrc + 1);
        let source = Stream { nack: true, rtx_ssrc: rtx_ssrc(CAMERA), ..Stream::vp8(CAMERA) };
        let transport = world.secured(router, comedia(), suite, camera);
        let producer = world.produce(transport.id, &source);
        let options =
            SourceOptions { first_sequence: 65_300, ..SourceOptions::camera(source.clone(), camera) };
        let source_id = world.add_source(options, transport);
        let origin = Origin { source: source_id, transport, producer };
        let outbound = world.secured(router, plain_options(), suite, player);
        let received = Stream { rtx_ssrc: rtx_ssrc(CONSUMED), ..source.consumed_as(CONSUMED) };
        world.run_for(200);
        world.network.impair(camera, Direction::ToWorker, bad);
        world.network.impair(player, Direction::ToPeer, bad);
        let watch = world.watch_on(outbound, &origin, SinkOptions::new(received, player));
        world.run_for(6_000);
        world.settle();
        world.assert_complete(watch.sink);
        let stats = world.transport_stats(transport.id);
        assert_eq!(stats.dropped.unauthenticated, 0, "{suite:?}");
        assert!(stats.dropped.replayed > 0, "{suite:?}: the network's copies are replays");
        assert!(world.sink(watch.sink).stats().repaired > 10);
    }
}
