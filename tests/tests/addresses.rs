//! Whose a datagram is: comedia, strangers, shared sockets, wildcards, and what is dropped for which reason.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::net::{IpAddr, SocketAddr};

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::Event;
use tidegate_protocol::request::Command;
use tidegate_protocol::stats::DroppedPackets;
use tidegate_protocol::transport::{ListenInfo, ListenPort, PlainTransportOptions};
use tidegate_tests::world::host::{listen_on, plain_options};
use tidegate_tests::world::parameters::{MID, Stream};
use tidegate_tests::world::peer::{CONSUMED, Call, Receiver, Sender, address, receiver};
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::{World, is_rtcp};

const CAMERA: u32 = 0x1111;
const SHARED_PORT: u16 = 40_000;

fn dropped(world: &mut World, call: &Call) -> DroppedPackets {
    world.transport_stats(call.inbound.id).dropped
}

fn shared(comedia: bool) -> PlainTransportOptions {
    let listen_info = ListenInfo {
        shared: true,
        ..listen_on(IpAddr::from([127, 0, 0, 1]), ListenPort::Fixed(SHARED_PORT))
    };
    PlainTransportOptions { listen_info, comedia, ..plain_options() }
}

#[test]
fn comedia_learns_the_sender_of_the_first_good_packet_and_says_so() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    assert_eq!(world.transport_dump(call.inbound.id).plain.unwrap().tuple.remote_ip, None);
    let mut junk = call.sender.packet(vec![1; 10]);
    junk.ssrc = 0xBAD;
    let stranger = Sender { address: address(66, 6_666), ..call.sender.clone() };
    stranger.sends(&mut world, &[junk]);
    assert_eq!(world.take_events(), [], "a stream that nobody expects proves nothing");
    call.sender.sends_key_frame(&mut world);
    let events = world.take_events();
    let Event::PlainTuple { transport, tuple } = &events[0] else { panic!("{events:?}") };
    assert_eq!(*transport, call.inbound.id);
    assert_eq!(tuple.remote_ip.zip(tuple.remote_port), Some((call.sender.address.ip(), 4_000)));
    assert_eq!(world.transport_dump(call.inbound.id).plain.unwrap().tuple, *tuple);
    call.sender.sends_frame(&mut world);
    assert!(!world.take_events().iter().any(|event| matches!(event, Event::PlainTuple { .. })), "once");
}

#[test]
fn comedia_is_not_taken_over_by_a_report_from_anywhere() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let stranger = Sender { address: address(66, 6_666), ..call.sender.clone() };
    stranger.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 0xBAD, blocks: Vec::new() }]);
    call.sender.sends_key_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world).len(), 3);
}

#[test]
fn comedia_receiver_is_learnt_from_its_reports() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    let plain = world.comedia(call.router);
    let received = call.received.consumed_as(CONSUMED + 1);
    world.consume(plain.id, call.producer, &call.sender.stream, &received);
    call.sender.sends_sound(&mut world);
    let player = Receiver { address: address(7, 7_000), to: plain.rtcp };
    player.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 5, blocks: Vec::new() }]);
    call.sender.sends_sound(&mut world);
    assert_eq!(player.gets(&mut world).len(), 1);
}

#[test]
fn packets_from_elsewhere_are_dropped_and_counted() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_key_frame(&mut world);
    call.receiver.gets(&mut world);
    let spoofed = call.sender.frame(true, &[500]);
    for elsewhere in [address(1, 4_001), address(9, 4_000)] {
        let stranger = Sender { address: elsewhere, ..call.sender.clone() };
        stranger.sends(&mut world, &spoofed);
        stranger.sends_rtcp(&mut world, &[Rtcp::Bye { ssrc: CAMERA }]);
    }
    let spoofer = Receiver { address: address(9, 9_999), to: call.outbound.rtcp };
    spoofer.nacks(&mut world, CONSUMED, &[1]);
    assert_eq!(call.receiver.gets(&mut world), []);
    assert_eq!(dropped(&mut world, &call), DroppedPackets { wrong_source: 4, ..DroppedPackets::default() });
    assert_eq!(world.transport_stats(call.outbound.id).dropped.wrong_source, 1);
    assert_eq!(world.transport_stats(call.inbound.id).received.packets, 3);
}

#[test]
fn every_reason_to_drop_is_counted() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_key_frame(&mut world);
    call.receiver.gets(&mut world);
    let good = call.sender.frame(true, &[100]).remove(0);
    let with = |change: fn(&mut RtpPacket)| {
        let mut packet = good.clone();
        change(&mut packet);
        packet.write()
    };
    let mut huge = with(|packet| packet.payload.resize(1_600, 1));
    huge[1] = 96;
    let mut endless_csrcs = good.write();
    endless_csrcs[0] |= 0x0F;
    endless_csrcs.truncate(40);
    let bad_rtcp = vec![0x80, 201, 0, 200, 0, 0, 0, 1];
    let datagrams = [
        vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42],
        vec![22, 254, 253],
        vec![0xFF; 30],
        with(|packet| packet.ssrc = 0xBAD),
        endless_csrcs,
        bad_rtcp,
        vec![0x80, 96, 0],
        huge,
    ];
    for datagram in datagrams {
        world.network.inject(call.sender.address, call.sender.to, datagram);
    }
    world.receive();
    let expected = DroppedPackets {
        not_rtp: 3,
        bad_header: 3,
        unknown_ssrc: 1,
        too_large: 1,
        ..DroppedPackets::default()
    };
    assert_eq!(dropped(&mut world, &call), expected);
    assert_eq!(world.metric("dropped_bad_header"), 3);
    assert_eq!(call.receiver.gets(&mut world), []);
}

#[test]
fn packets_of_a_payload_type_that_was_not_agreed_are_discarded() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_key_frame(&mut world);
    call.receiver.gets(&mut world);
    let mut odd = call.sender.frame(false, &[100]);
    odd[0].payload_type = 55;
    call.sender.sends(&mut world, &odd);
    assert_eq!(call.receiver.gets(&mut world), []);
    assert_eq!(world.producer_stats(call.producer).packets_discarded, 1);
}

#[test]
fn without_rtcp_mux_reports_have_ports_of_their_own() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let separate = PlainTransportOptions { rtcp_mux: false, ..plain_options() };
    let plain = world.plain_transport(call.router, &separate);
    assert_eq!(plain.rtcp.port(), plain.rtp.port() + 1, "RFC 3550 11");
    let (rtp, rtcp) = (address(7, 7_000), address(7, 7_001));
    assert_eq!(world.connect(plain.id, rtp, None).unwrap_err().kind, ErrorKind::InvalidArgument);
    world.connect(plain.id, rtp, Some(7_001)).unwrap();
    let received = call.received.consumed_as(CONSUMED + 1);
    let consumer = world.consume(plain.id, call.producer, &call.sender.stream, &received);
    call.sender.sends_key_frame(&mut world);
    world.run_for(600);
    let at_rtp = world.network.take_sent_to(rtp);
    let at_rtcp = world.network.take_sent_to(rtcp);
    assert!(at_rtp.len() == 3 && at_rtp.iter().all(|sent| !is_rtcp(&sent.bytes) && sent.from == plain.rtp));
    assert!(
        !at_rtcp.is_empty() && at_rtcp.iter().all(|sent| is_rtcp(&sent.bytes) && sent.from == plain.rtcp)
    );
    let misplaced = Receiver { address: rtp, to: plain.rtp };
    misplaced.sends_rtcp(&mut world, &[Rtcp::Pli { sender: 1, media: CONSUMED + 1 }]);
    assert_eq!(world.transport_stats(plain.id).dropped.not_rtp, 1);
    let reporter = Receiver { address: rtcp, to: plain.rtcp };
    reporter.sends_rtcp(&mut world, &[Rtcp::Pli { sender: 1, media: CONSUMED + 1 }]);
    assert_eq!(world.consumer_stats(consumer).own.pli_count, 1);
}

#[test]
fn reports_alone_do_not_connect_a_transport_without_rtcp_mux() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    let separate = PlainTransportOptions { rtcp_mux: false, comedia: true, ..plain_options() };
    let plain = world.plain_transport(call.router, &separate);
    for index in 1..=2 {
        let received = call.received.consumed_as(CONSUMED + index);
        world.consume(plain.id, call.producer, &call.sender.stream, &received);
    }
    let reporter = Receiver { address: address(7, 7_001), to: plain.rtcp };
    reporter.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 5, blocks: Vec::new() }]);
    let events = world.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::PlainRtcpTuple { .. })), "{events:?}");
    call.sender.streams_for(&mut world, 100);
    let player = Sender::new(address(7, 7_000), plain.rtp, Stream::opus(0x9999));
    player.clone().sends_sound(&mut world);
    assert!(world.network.take_sent_to(player.address).is_empty(), "nothing waited for the peer");
    call.sender.sends_sound(&mut world);
    assert_eq!(world.network.take_sent_to(player.address).len(), 2);
}

#[test]
fn scores_do_not_need_a_way_for_reports() {
    let mut world = World::new();
    let router = world.router();
    let separate = PlainTransportOptions { rtcp_mux: false, comedia: true, ..plain_options() };
    let plain = world.plain_transport(router, &separate);
    let stream = Stream::opus(CAMERA);
    let producer = world.produce(plain.id, &stream);
    Sender::new(address(1, 4_000), plain.rtp, stream).streams_for(&mut world, 1_000);
    assert_eq!(world.producer_stats(producer).score, 10);
    world.run_for(5_000);
    assert_eq!(world.producer_stats(producer).score, 0, "it fell silent");
}

#[test]
fn transports_on_a_shared_socket_are_told_apart_by_their_peers() {
    let mut world = World::new();
    let router = world.router();
    let (a, b) = (address(1, 4_000), address(2, 4_000));
    let plains = [a, b].map(|peer| {
        let plain = world.plain_transport(router, &shared(false));
        world.connect(plain.id, peer, None).unwrap();
        plain
    });
    assert_eq!(world.network.open_sockets(), 1);
    // The same SSRC on both: only the address tells.
    let stream = Stream::opus(CAMERA);
    let producers = plains.map(|plain| world.produce(plain.id, &stream));
    let mut sender = Sender::new(b, plains[1].rtp, stream.clone());
    sender.sends_sound(&mut world);
    assert_eq!(world.producer_stats(producers[1]).packet_count, 1);
    assert!(world.producer_dump(producers[0]).streams.is_empty());
    let stranger = Sender { address: address(3, 1), ..sender.clone() };
    stranger.clone().sends_sound(&mut world);
    assert_eq!(world.metric("datagrams_unmatched"), 1);
    world.done(Command::CloseTransport { transport: plains[1].id });
    sender.sends_sound(&mut world);
    assert_eq!((world.metric("datagrams_unmatched"), world.network.open_sockets()), (2, 1));
    world.done(Command::CloseTransport { transport: plains[0].id });
    assert_eq!(world.network.open_sockets(), 0);
}

#[test]
fn comedia_on_a_shared_socket_learns_by_the_announced_ssrc() {
    let mut world = World::new();
    let router = world.router();
    let plains = [(); 2].map(|()| world.plain_transport(router, &shared(true)));
    let streams = [Stream::opus(CAMERA), Stream::opus(CAMERA + 1)];
    let producers = [0, 1].map(|index| world.produce(plains[index].id, &streams[index]));
    for index in [1, 0] {
        let host = u8::try_from(index + 1).unwrap();
        let mut sender = Sender::new(address(host, 4_000), plains[0].rtp, streams[index].clone());
        sender.sends_sound(&mut world);
        assert_eq!(world.producer_stats(producers[index]).packet_count, 1);
        let events = world.take_events();
        assert!(matches!(events[0], Event::PlainTuple { transport, .. } if transport == plains[index].id));
    }
}

#[test]
fn a_peer_on_a_shared_socket_belongs_to_one_transport() {
    let mut world = World::new();
    let router = world.router();
    let plains = [(); 2].map(|()| world.plain_transport(router, &shared(false)));
    world.connect(plains[0].id, address(1, 4_000), None).unwrap();
    let refused = world.connect(plains[1].id, address(1, 4_000), None).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Duplicate);
    world.connect(plains[1].id, address(2, 4_000), None).expect("another peer is free");
}

#[test]
fn refused_connect_leaves_both_peers_free() {
    let mut world = World::new();
    let router = world.router();
    let rtcp_info = |port| ListenInfo {
        shared: true,
        ..listen_on(IpAddr::from([127, 0, 0, 1]), ListenPort::Fixed(port))
    };
    let separate = PlainTransportOptions {
        rtcp_mux: false,
        rtcp_listen_info: Some(rtcp_info(SHARED_PORT + 1)),
        ..shared(false)
    };
    let plains = [(); 3].map(|()| world.plain_transport(router, &separate));
    world.connect(plains[0].id, address(1, 4_000), Some(4_001)).unwrap();
    let refused = world.connect(plains[1].id, address(1, 4_002), Some(4_001)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Duplicate, "the RTCP port is another's");
    world.connect(plains[2].id, address(1, 4_002), Some(4_003)).expect("the RTP port stayed free");
}

#[test]
fn wildcard_socket_answers_from_the_address_that_was_called() {
    let mut world = World::new();
    let router = world.router();
    let wildcard = PlainTransportOptions {
        listen_info: listen_on(IpAddr::from([0, 0, 0, 0]), ListenPort::Any),
        comedia: true,
        ..plain_options()
    };
    let plain = world.plain_transport(router, &wildcard);
    let stream = Stream::vp8(CAMERA);
    let producer = world.produce(plain.id, &stream);
    world.consume(plain.id, producer, &stream, &stream.consumed_as(CONSUMED));
    for ip in [[10, 0, 0, 5], [10, 0, 0, 6]] {
        let called = SocketAddr::new(IpAddr::from(ip), plain.rtp.port());
        let mut sender = Sender::new(address(1, 4_000), called, stream.clone());
        sender.sequence += u16::from(ip[3]) * 100;
        sender.sends_key_frame(&mut world);
        world.run_for(600);
        let sent = world.network.take_sent_to(sender.address);
        assert!(sent.iter().any(|sent| is_rtcp(&sent.bytes)) && sent.len() > 3);
        assert!(sent.iter().all(|sent| sent.from == called), "RTP and RTCP alike");
    }
}

#[test]
fn streams_are_found_by_mid_and_the_first_ssrc_wins() {
    let mut world = World::new();
    let stream =
        Stream { announced: false, ..Stream::opus(CAMERA) }.with_mid("a").with_extensions(&[(MID, 1)]);
    let mut call = Call::of(&mut world, &stream);
    let mid = |mut packet: RtpPacket| {
        packet.extensions = vec![(1, b"a".to_vec())];
        packet
    };
    let first = mid(call.sender.sound());
    call.sender.sends(&mut world, &[first]);
    call.sender.sends_sound(&mut world);
    assert_eq!(call.receiver.gets(&mut world).len(), 2, "once learnt the SSRC is enough");
    let mut second = mid(call.sender.sound());
    (second.ssrc, second.sequence) = (0x7777, second.sequence.wrapping_add(1));
    call.sender.sends(&mut world, &[second]);
    assert_eq!(call.receiver.gets(&mut world), [], "a second stream of the same name is not mixed in");
    assert_eq!(dropped(&mut world, &call).unknown_ssrc, 1);
}

#[test]
fn extension_ids_are_free_again_when_their_producer_is_closed() {
    let mut world = World::new();
    let router = world.router();
    let plain = world.comedia(router);
    let producer = world.produce(plain.id, &Stream::opus(1).with_extensions(&[(MID, 1)]));
    let other = Stream::opus(2).with_extensions(&[(MID, 2)]);
    let id = tidegate_protocol::ids::ProducerId(world.new_id());
    assert_eq!(world.refusal(other.produce(plain.id, id)), ErrorKind::InvalidArgument);
    world.done(Command::CloseProducer { producer });
    world.produce(plain.id, &other);
    assert_eq!(world.transport_dump(plain.id).recv_rtp_header_extensions.mid, Some(2));
}

#[test]
fn an_announced_address_is_told_instead_of_the_bound_one() {
    let mut world = World::new();
    let router = world.router();
    let mut options = plain_options();
    options.listen_info.announced_address = Some(tidegate_protocol::bounded::Text::clipped("media.example"));
    let (plain, _) = receiver(&mut world, router, address(1, 1_000));
    assert_eq!(&*world.transport_dump(plain.id).plain.unwrap().tuple.local_address, "127.0.0.1");
    let plain = world.plain_transport(router, &options);
    assert_eq!(&*world.transport_dump(plain.id).plain.unwrap().tuple.local_address, "media.example");
}
