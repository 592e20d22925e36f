//! Each statistic against what the peers on both sides counted for themselves.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

mod ends;

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::MediaKind;
use tidegate_protocol::stats::{Direction, RtpStreamStats, Traffic};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{Stream, TRANSPORT_WIDE_CC, list, mapped_ssrc};
use tidegate_tests::world::peer::{CONSUMED, Call, Sender, address};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::rtp::RtpPacket;

use ends::{CAMERA, CAMERA_RTX, CONSUMED_RTX, Camera, Player, WIDE, assert_close};

fn call(world: &mut World) -> Call {
    let source = Stream::vp8(CAMERA).with_rtx(CAMERA_RTX).with_transport_cc(WIDE);
    assert_eq!(source.extensions, [(TRANSPORT_WIDE_CC, WIDE)]);
    let received = Stream { extensions: Vec::new(), transport_cc: false, ..source.clone() };
    Call::with(world, &source, &received.consumed_as(CONSUMED).with_rtx(CONSUMED_RTX))
}

/// Four seconds of video of which each ninth packet is lost at first, some come twice, and each tenth frame is followed
/// by padding. The receiver asks for two packets again every half second.
fn flows(world: &mut World, call: &Call, camera: &mut Camera, player: &mut Player) {
    for frame in 0_usize..120 {
        let packets = camera.sender.frame(frame == 0, &[1_000, 700 + frame, 300]);
        for (index, packet) in packets.into_iter().enumerate() {
            let is_copied = frame % 7 == 3 && index == 1;
            let is_lost = !is_copied && frame > 0 && (3 * frame + index) % 9 == 0;
            camera.sends(world, packet.clone(), is_lost);
            if is_copied {
                camera.sends_copy(world, &packet);
            }
        }
        if frame % 10 == 9 {
            let padding = RtpPacket { padding: 200, ..camera.sender.packet(Vec::new()) };
            camera.sends(world, padding, false);
        }
        for _ in 0..3 {
            world.run_for(11);
            camera.listens(world);
        }
        player.listens(world, call);
        if frame % 15 == 14 {
            player.asks(world, call, 2);
        }
    }
    world.run_for(5);
    camera.listens(world);
    player.listens(world, call);
}

#[test]
fn every_statistic_of_a_received_stream_is_what_its_sender_counted() {
    let mut world = World::new();
    let call = call(&mut world);
    let (mut camera, mut player) = (Camera::new(call.sender.clone()), Player::default());
    flows(&mut world, &call, &mut camera, &mut player);
    let (to, ntp) = camera.reference.expect("the worker told its time");
    let round_trip_us = ((world.wall() - ntp) * 1_000_000) >> 32;
    let last_rr = u32::try_from(ntp >> 16 & 0xFFFF_FFFF).unwrap();
    camera.says(&mut world, &[Rtcp::Dlrr { ssrc: CAMERA, to, last_rr, delay: 0 }]);
    assert!(camera.repaired > 30 && camera.useless_rtx > 5 && camera.copies > 10 && camera.plis == 0);
    assert_eq!(camera.lost.len(), 0, "all was repaired");

    let (now, events) = (world.elapsed_ms(), world.take_events());
    let score = events.iter().rev().find_map(|event| match event {
        Event::ProducerScore { scores, .. } => Some(scores[0].score),
        _ => None,
    });
    let told = world.producer_stats(call.producer);
    camera.media.assert_is_stream(&told, now);
    assert_close(told.round_trip_time_us, round_trip_us, "round trip");
    let expected = RtpStreamStats {
        direction: Direction::Inbound,
        timestamp_ms: world.now().as_millis(),
        ssrc: CAMERA,
        rtx_ssrc: Some(CAMERA_RTX),
        rid: None,
        kind: MediaKind::Video,
        packets_lost: i32::try_from(camera.lost_numbers).unwrap() - i32::try_from(camera.copies).unwrap(),
        fraction_lost: camera.newest_block.fraction_lost,
        jitter: camera.jitter_16 >> 4,
        packets_discarded: camera.copies,
        rtx_packets_discarded: Some(camera.useless_rtx),
        packets_retransmitted: camera.repaired,
        packets_repaired: camera.repaired,
        nack_count: camera.nacks,
        nack_packet_count: camera.nacked,
        pli_count: 0,
        fir_count: 0,
        score: score.expect("a score was told"),
        ..told.clone()
    };
    assert_eq!(told, expected);
    assert_eq!(&*told.mime_type, "video/VP8");
    assert!(told.bitrate_by_layer.is_empty(), "a stream without layers");
    assert!(camera.newest_block.fraction_lost > 0 && told.jitter > 0 && told.score < 11);
    assert_eq!(world.consumer_stats(call.consumer).producer, Some(told), "the consumer shows the same");
}

#[test]
fn every_statistic_of_a_sent_stream_is_what_its_receiver_counted() {
    let mut world = World::new();
    let call = call(&mut world);
    let (mut camera, mut player) = (Camera::new(call.sender.clone()), Player::default());
    flows(&mut world, &call, &mut camera, &mut player);
    player.says(&mut world, &call, &[Rtcp::Pli { sender: 1, media: CONSUMED }]);
    player.says(&mut world, &call, &[Rtcp::Fir { sender: 1, media: CONSUMED, sequence: 7 }]);
    player.says(&mut world, &call, &[Rtcp::Pli { sender: 1, media: CONSUMED }]);
    // What was resent already within a round trip is not sent again.
    player.asks(&mut world, &call, 2);
    player.asks(&mut world, &call, 2);
    let (_, ntp) = player.newest_report;
    let round_trip_us = ((world.wall() - ntp) * 1_000_000) >> 32;
    let last_sr = u32::try_from(ntp >> 16 & 0xFFFF_FFFF).unwrap();
    let block = Block {
        ssrc: CONSUMED,
        fraction_lost: 26,
        cumulative_lost: 17,
        jitter: 345,
        last_sr,
        ..Block::default()
    };
    player.says(&mut world, &call, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
    player.listens(&mut world, &call);

    let (now, events) = (world.elapsed_ms(), world.take_events());
    let score = events.iter().rev().find_map(|event| match event {
        Event::ConsumerScore { score, .. } => Some(score.score),
        _ => None,
    });
    let told = world.consumer_stats(call.consumer).own;
    player.rtp.assert_is_stream(&told, now);
    assert_close(told.round_trip_time_us, round_trip_us, "round trip");
    let expected = RtpStreamStats {
        direction: Direction::Outbound,
        timestamp_ms: world.now().as_millis(),
        ssrc: CONSUMED,
        rtx_ssrc: Some(CONSUMED_RTX),
        rid: None,
        kind: MediaKind::Video,
        packets_lost: 17,
        fraction_lost: 26,
        jitter: 345,
        packets_discarded: 0,
        rtx_packets_discarded: None,
        packets_retransmitted: player.rtx.packets(),
        packets_repaired: player.rtx.packets(),
        nack_count: player.nacks,
        nack_packet_count: player.nacked,
        pli_count: 2,
        fir_count: 1,
        score: score.expect("a score was told"),
        ..told.clone()
    };
    assert_eq!(told, expected);
    assert_eq!(&*told.mime_type, "video/VP8");
    assert_eq!((player.nacks, player.rtx.packets()), (10, 16), "the last two asked within a round trip");
}

#[test]
fn every_statistic_of_transports_is_what_their_peers_counted() {
    let mut world = World::new();
    let call = call(&mut world);
    let (mut camera, mut player) = (Camera::new(call.sender.clone()), Player::default());
    flows(&mut world, &call, &mut camera, &mut player);
    let (now, wall) = (world.elapsed_ms(), world.now().as_millis());
    let told = world.transport_stats(call.inbound.id);
    assert_eq!((told.transport, told.timestamp_ms), (call.inbound.id, wall));
    camera.all.assert_is(told.received, now, "received");
    camera.rtp.assert_is(told.rtp_received, now, "RTP received");
    camera.rtx.assert_is(told.rtx_received, now, "RTX received");
    camera.heard.assert_is(told.sent, now, "sent");
    assert_eq!([told.rtp_sent, told.rtx_sent, told.fec_received], [Traffic::default(); 3]);
    assert_eq!((told.probation_sent, told.available_outgoing_bitrate), (None, None));
    assert_eq!((told.available_incoming_bitrate, told.rtp_packet_loss_sent_ppm), (None, None));
    let plain = told.plain.expect("it is plain");
    assert_eq!((plain.rtcp_mux, plain.comedia, plain.rtcp_tuple), (true, true, None));
    assert_eq!((plain.tuple.local_port, plain.tuple.remote_port), (call.inbound.rtp.port(), Some(4_000)));

    let told = world.transport_stats(call.outbound.id);
    player.said.assert_is(told.received, now, "received");
    player.all.assert_is(told.sent, now, "sent");
    player.rtp.assert_is(told.rtp_sent, now, "RTP sent");
    player.rtx.assert_is(told.rtx_sent, now, "RTX sent");
    assert_eq!([told.rtp_received, told.rtx_received, told.fec_received], [Traffic::default(); 3]);
    assert_eq!(told.rtp_packet_loss_received_ppm, None, "there is no such feedback");
    assert!(!told.plain.expect("it is plain").comedia);
}

#[test]
fn loss_by_transport_wide_numbers_is_that_of_the_last_half_second() {
    let mut world = World::new();
    let call = call(&mut world);
    let mut camera = Camera::new(call.sender.clone());
    let mut lasts = |world: &mut World, lost_of_ten: u16| {
        for index in 0..200 {
            let packet = camera.sender.packet(vec![0x10, 1, 2, 3]);
            camera.sends(world, packet, index % 10 < lost_of_ten && index > 0);
            world.run_for(5);
        }
        world.transport_stats(call.inbound.id).rtp_packet_loss_received_ppm
    };
    assert_eq!(lasts(&mut world, 0), Some(0));
    for lost in [1, 3] {
        let told = lasts(&mut world, lost).expect("packets come");
        assert!(told.abs_diff(u32::from(lost) * 100_000) <= 10_000, "{lost} of 10: {told}");
    }
    assert_eq!(lasts(&mut world, 0), Some(0), "what was lost a second ago is no news");
    world.run_for(2_000);
    let told = world.transport_stats(call.inbound.id).rtp_packet_loss_received_ppm;
    assert_eq!(told, None, "nothing comes");
}

#[test]
fn what_is_dropped_is_counted_by_reason() {
    let mut world = World::new();
    let mut call = call(&mut world);
    call.sender.sends_key_frame(&mut world);
    let before = world.transport_stats(call.inbound.id);
    let good = call.sender.frame(false, &[100]).remove(0).write();
    let stray = RtpPacket { ssrc: 0xBAD, ..call.sender.packet(vec![1; 20]) }.write();
    let (peer, stranger) = (call.sender.address, address(66, 6_666));
    let sent = [
        (peer, vec![7; 30], 3),                          // neither RTP nor RTCP
        (peer, [&[0x8F, 96][..], &[0; 12]].concat(), 4), // CSRCs beyond the end
        (peer, stray, 5),
        (stranger, good, 6),
        (peer, vec![0x80; 2_000], 2),
    ];
    for (from, bytes, times) in sent {
        for _ in 0..times {
            world.network.inject(from, call.sender.to, bytes.clone());
        }
    }
    world.receive();
    let told = world.transport_stats(call.inbound.id);
    let dropped = told.dropped;
    let reasons = [
        dropped.not_rtp,
        dropped.bad_header,
        dropped.unknown_ssrc,
        dropped.wrong_source,
        dropped.too_large,
        dropped.no_memory,
        dropped.send_failed,
        dropped.over_limit,
    ];
    assert_eq!(reasons, [3, 4, 5, 6, 2, 0, 0, 0]);
    assert_eq!(
        (told.received, told.rtp_received.packets),
        (before.received, 3),
        "what is dropped is not received"
    );
}

/// Two encodings of one camera.
fn produce_two(world: &mut World, call: &Call, low: &Stream, high: &Stream) -> ProducerId {
    let producer = ProducerId(world.new_id());
    let mut command = low.produce(call.inbound.id, producer);
    if let Command::Produce { rtp_parameters, rtp_mapping, .. } = &mut command {
        let encodings = [low, high].map(|stream| stream.rtp_parameters().encodings[0].clone());
        rtp_parameters.encodings = list(encodings.to_vec());
        rtp_mapping.encodings = list([low, high].map(|one| one.rtp_mapping().encodings[0].clone()).to_vec());
    }
    let reply = world.request(command);
    assert!(matches!(reply, Ok(Reply::Produced { .. })), "{reply:?}");
    producer
}

#[test]
fn producer_of_two_streams_has_an_entry_each_once_they_were_seen() {
    let mut world = World::new();
    let mut call = call(&mut world);
    let low = Stream { rid: Some("low"), mid: Some("1"), ..Stream::vp8(0x21) };
    let high = Stream { rid: Some("high"), mid: Some("1"), ..Stream::vp8(0x22) };
    let producer = produce_two(&mut world, &call, &low, &high);
    let received = Stream::vp8(CONSUMED + 9).consumed_as(CONSUMED + 9);
    let consumer = world.consume(call.outbound.id, producer, &high, &received);
    let entries = |world: &mut World| match world.request(Command::GetProducerStats { producer }) {
        Ok(Reply::ProducerStats(stats)) => stats
            .iter()
            .map(|one| (one.ssrc, one.rid.as_ref().map(ToString::to_string), one.packet_count))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(entries(&mut world), []);
    call.sender.sends_key_frame(&mut world);
    let mut senders =
        [&high, &low].map(|stream| Sender::new(call.sender.address, call.sender.to, stream.clone()));
    senders[0].sends_key_frame(&mut world);
    assert_eq!(entries(&mut world), [(0x22, Some("high".to_owned()), 3)]);
    senders[1].sends_frame(&mut world);
    let expected = [(0x21, Some("low".to_owned()), 2), (0x22, Some("high".to_owned()), 3)];
    assert_eq!(entries(&mut world), expected, "in the order of the encodings");
    let told = world.consumer_stats(consumer).producer.expect("it was seen");
    assert_eq!((told.ssrc, told.packet_count), (0x22, 3), "of two streams the one that it gets");
    assert_eq!(mapped_ssrc(0x22), world.consumer_dump(consumer).consumable_ssrcs[0]);
}

#[test]
fn consumer_whose_stream_was_never_seen_has_zeros_and_no_producer_entry() {
    let mut world = World::new();
    let call = call(&mut world);
    let told = world.consumer_stats(call.consumer);
    assert_eq!(told.producer, None);
    assert_eq!((told.own.packet_count, told.own.byte_count, told.own.bitrate), (0, 0, 0));
    assert_eq!((told.own.ssrc, told.own.score, told.own.round_trip_time_us), (CONSUMED, 10, 0));
    assert_eq!(told.own.timestamp_ms, world.now().as_millis());
}
