//! Lost packets: asked for upstream, answered downstream.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::collections::BTreeMap;

use tidegate_protocol::request::Command;
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{ABS_SEND_TIME, Stream, TRANSPORT_WIDE_CC};
use tidegate_tests::world::peer::{CONSUMED, Call, Receiver, Sender};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::rtp::RtpPacket;

const CAMERA: u32 = 0x1111;
const NO_NUMBERS: [u16; 0] = [];
const CAMERA_RTX: u32 = 0x1112;
const CONSUMED_RTX: u32 = 0xC000_0002;

/// A call in which a key frame has been sent; what was said so far is forgotten.
fn flowing(world: &mut World, source: &Stream) -> Call {
    flowing_as(world, source, &source.consumed_as(CONSUMED))
}

fn flowing_as(world: &mut World, source: &Stream, received: &Stream) -> Call {
    let mut call = Call::with(world, source, received);
    call.sender.sends_key_frame(world);
    call.sender.hears(world);
    call.receiver.gets(world);
    call
}

/// Loses the first packet of a frame and says which.
fn loses_a_packet(world: &mut World, sender: &mut Sender) -> RtpPacket {
    let mut frame = sender.frame(false, &[500, 500, 500]);
    let lost = frame.remove(0);
    sender.sends(world, &frame);
    lost
}

/// Tells the worker that the round trip to a receiver is `millis`.
fn report_round_trip(world: &mut World, receiver: &Receiver, millis: u64) {
    let sent_at = world.wall() >> 16 & 0xFFFF_FFFF;
    world.run_for(millis);
    let last_sr = u32::try_from(sent_at).unwrap();
    let block = Block { ssrc: CONSUMED, last_sr, ..Block::default() };
    receiver.sends_rtcp(world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
}

#[test]
fn loss_is_asked_for_after_10_ms() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let lost = loses_a_packet(&mut world, &mut call.sender);
    world.run_for(9);
    assert_eq!(call.sender.nacked(&mut world), NO_NUMBERS);
    world.run_for(2);
    assert_eq!(call.sender.nacked(&mut world), [lost.sequence]);
    let stats = world.producer_stats(call.producer);
    assert_eq!((stats.nack_count, stats.nack_packet_count), (1, 1));
}

#[test]
fn reordering_within_10_ms_is_not_loss() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let late = loses_a_packet(&mut world, &mut call.sender);
    world.run_for(8);
    call.sender.sends(&mut world, &[late]);
    world.run_for(500);
    assert_eq!(call.sender.nacked(&mut world), NO_NUMBERS);
}

#[test]
fn what_stays_lost_is_asked_for_once_per_round_trip_ten_times() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let lost = loses_a_packet(&mut world, &mut call.sender);
    let mut asked_at = Vec::new();
    for millis in 0..2_000 {
        world.run_for(1);
        asked_at.extend(call.sender.nacked(&mut world).iter().map(|_| millis + 1));
    }
    assert_eq!(asked_at, (0..10).map(|time| 10 + 100 * time).collect::<Vec<_>>(), "{}", lost.sequence);
}

#[test]
fn round_trip_told_by_the_sender_sets_the_pace() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.run_for(510);
    let heard = call.sender.hears(&mut world);
    let reference = heard.iter().find_map(|packet| match packet {
        Rtcp::ReferenceTime { ssrc, ntp } => Some((*ssrc, *ntp)),
        _ => None,
    });
    let (ssrc, ntp) = reference.expect("the worker tells its time");
    world.run_for(30);
    let since = u32::try_from((world.wall() - ntp) >> 16).unwrap();
    let delay = since - 40 * 65_536 / 1_000;
    let last_rr = u32::try_from(ntp >> 16 & 0xFFFF_FFFF).unwrap();
    call.sender.sends_rtcp(&mut world, &[Rtcp::Dlrr { ssrc: CAMERA, to: ssrc, last_rr, delay }]);
    let round_trip_us = world.producer_stats(call.producer).round_trip_time_us;
    assert!((39_900..=40_100).contains(&round_trip_us), "{round_trip_us}");
    loses_a_packet(&mut world, &mut call.sender);
    world.run_for(95);
    assert_eq!(call.sender.nacked(&mut world).len(), 3, "after 10, 50 and 90 ms");
}

#[test]
fn retransmission_fills_the_hole_downstream() {
    for source in [Stream::vp8(CAMERA), Stream::vp8(CAMERA).with_rtx(CAMERA_RTX)] {
        let mut world = World::new();
        let mut call = flowing(&mut world, &source);
        let lost = loses_a_packet(&mut world, &mut call.sender);
        world.run_for(20);
        let before = call.receiver.gets_numbers(&mut world);
        let again = if source.rtx_ssrc.is_some() { call.sender.retransmission(&lost) } else { lost.clone() };
        call.sender.sends(&mut world, &[again]);
        let got = call.receiver.gets(&mut world);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].sequence, before[0] - 1);
        assert_eq!((&got[0].payload, got[0].timestamp), (&lost.payload, lost.timestamp));
        let stats = world.producer_stats(call.producer);
        assert_eq!((stats.packets_repaired, stats.packets_retransmitted), (1, 1));
        world.run_for(1_000);
        assert_eq!(call.sender.nacked(&mut world).len(), 1, "it is asked for no more");
    }
}

/// Who cannot ask for anything gets what the sender was asked for, as late as that comes.
#[test]
fn late_repair_reaches_consumers_that_cannot_nack() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA).with_rtx(CAMERA_RTX);
    let received = source.consumed_as(CONSUMED).without_nack();
    let mut call = flowing_as(&mut world, &source, &received);
    let lost = loses_a_packet(&mut world, &mut call.sender);
    // 400 ms later; 26 packets came meanwhile.
    call.sender.streams_for(&mut world, 400);
    assert!(call.sender.nacked(&mut world).contains(&lost.sequence));
    call.receiver.gets(&mut world);
    let rtx = call.sender.retransmission(&lost);
    call.sender.sends(&mut world, &[rtx]);
    let repaired = call.receiver.gets(&mut world);
    assert_eq!(repaired.len(), 1, "it goes on its way");
    assert_eq!(repaired[0].payload, lost.payload);
    assert_eq!(world.consumer_stats(call.consumer).own.packets_discarded, 0);
}

#[test]
fn retransmission_that_nobody_waits_for_is_dropped() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).with_rtx(CAMERA_RTX));
    let frame = call.sender.sends_frame(&mut world);
    call.receiver.gets(&mut world);
    let mut probe = call.sender.retransmission(&frame[0]);
    probe.padding = 50;
    let mut empty = call.sender.retransmission(&frame[0]);
    (empty.payload, empty.padding) = (Vec::new(), 100);
    call.sender.sends(&mut world, &[probe, empty]);
    assert_eq!(call.receiver.gets(&mut world), []);
}

#[test]
fn nothing_is_asked_for_where_nack_was_not_agreed() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).without_nack());
    loses_a_packet(&mut world, &mut call.sender);
    world.run_for(500);
    assert_eq!(call.sender.nacked(&mut world), NO_NUMBERS);
}

#[test]
fn without_rtx_a_resend_is_the_same_bytes_padding_included() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_frame_of(&mut world, false, &[1_050, 1_058, 1_058, 700]);
    let first = call.receiver.gets_bytes(&mut world);
    assert_ne!(RtpPacket::read(&first[0]).unwrap().padding, 0, "it was padded");
    let number = RtpPacket::read(&first[0]).unwrap().sequence;
    world.run_for(50);
    call.receiver.nacks(&mut world, CONSUMED, &[number, number + 3]);
    assert_eq!(call.receiver.gets_bytes(&mut world), [first[0].clone(), first[3].clone()]);
    let stats = world.consumer_stats(call.consumer).own;
    assert_eq!((stats.nack_count, stats.nack_packet_count), (1, 2));
    assert_eq!((stats.packets_retransmitted, stats.packets_repaired), (2, 2));
    assert_eq!(world.transport_stats(call.outbound.id).rtx_sent.packets, 2);
}

/// A consumer with header extensions that change with the moment a packet leaves.
fn with_extensions_of_the_moment(stream: &Stream) -> Stream {
    stream.clone().with_extensions(&[(ABS_SEND_TIME, 2), (TRANSPORT_WIDE_CC, 3)])
}

#[test]
fn without_rtx_a_resend_carries_the_moment_of_the_first_sending() {
    for source in [Stream::vp8(CAMERA), Stream { nack: true, ..Stream::opus(CAMERA) }] {
        let mut world = World::new();
        let received = with_extensions_of_the_moment(&source.consumed_as(CONSUMED));
        let mut call = Call::with(&mut world, &source, &received);
        call.sender.streams_for(&mut world, 1_000);
        call.receiver.gets(&mut world);
        let mut first = Vec::new();
        for _ in 0..12 {
            call.sender.streams_for(&mut world, 20);
            first.extend(call.receiver.gets_bytes(&mut world));
        }
        let numbers: Vec<u16> = first.iter().map(|bytes| RtpPacket::read(bytes).unwrap().sequence).collect();
        call.receiver.nacks(&mut world, CONSUMED, &numbers);
        assert!(call.receiver.gets_bytes(&mut world) == first, "the same bytes under the same number");
        call.sender.streams_for(&mut world, 20);
        let last = RtpPacket::read(first.last().unwrap()).unwrap();
        let next = &call.receiver.gets(&mut world)[0];
        let wide = |packet: &RtpPacket| {
            let value: [u8; 2] = packet.extension(3).unwrap().try_into().unwrap();
            u16::from_be_bytes(value)
        };
        assert_eq!(wide(next), wide(&last).wrapping_add(1), "resends took no transport-wide number");
        world.run_for(12_000);
        assert_eq!(world.consumer_dump(call.consumer).history_bytes, 0, "nor do they hold memory for ever");
    }
}

#[test]
fn with_rtx_a_resend_leaves_in_a_moment_of_its_own() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA);
    let received = with_extensions_of_the_moment(&source.consumed_as(CONSUMED).with_rtx(CONSUMED_RTX));
    let mut call = flowing_as(&mut world, &source, &received);
    call.sender.sends_frame_of(&mut world, false, &[500]);
    let first = call.receiver.gets(&mut world);
    world.run_for(40);
    call.receiver.nacks(&mut world, CONSUMED, &[first[0].sequence]);
    let again = call.receiver.gets(&mut world);
    for id in [2, 3] {
        assert_ne!(again[0].extension(id).unwrap(), first[0].extension(id).unwrap());
    }
    let held = world.consumer_dump(call.consumer);
    assert_eq!(held.history_bytes, held.history_packets * 12, "moments are not remembered");
}

#[test]
fn with_rtx_a_resend_carries_the_original_number_on_a_stream_of_its_own() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA);
    let received = source.consumed_as(CONSUMED).with_rtx(CONSUMED_RTX);
    let mut call = flowing_as(&mut world, &source, &received);
    call.sender.sends_frame_of(&mut world, false, &[1_050, 1_058, 700]);
    let first = call.receiver.gets(&mut world);
    let asked: Vec<u16> = first.iter().map(|packet| packet.sequence).collect();
    call.receiver.nacks(&mut world, CONSUMED, &asked);
    let again = call.receiver.gets(&mut world);
    assert_eq!(again.len(), 3);
    for (number, (first, again)) in (again[0].sequence..).zip(first.iter().zip(&again)) {
        assert_eq!((again.ssrc, again.payload_type), (CONSUMED_RTX, received.rtx_payload_type));
        assert_eq!((again.sequence, again.padding), (number, 0));
        assert_eq!((again.timestamp, again.marker), (first.timestamp, first.marker));
        let (original, payload) = again.payload.split_at(2);
        assert_eq!((original, payload), (&first.sequence.to_be_bytes()[..], &first.payload[..]));
    }
}

#[test]
fn a_number_is_not_resent_twice_within_a_round_trip() {
    for (round_trip, known) in [(100, false), (40, true)] {
        let mut world = World::new();
        let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
        if known {
            report_round_trip(&mut world, &call.receiver, round_trip);
        }
        call.sender.sends_frame(&mut world);
        let numbers = call.receiver.gets_numbers(&mut world);
        let answers = |world: &mut World, number| {
            call.receiver.nacks(world, CONSUMED, &[number, number]);
            call.receiver.gets(world).len()
        };
        assert_eq!(answers(&mut world, numbers[0]), 1);
        world.run_for(round_trip - 2);
        assert_eq!(answers(&mut world, numbers[0]), 0);
        assert_eq!(answers(&mut world, numbers[1]), 1, "another number is another matter");
        world.run_for(4);
        assert_eq!(answers(&mut world, numbers[0]), 1);
        assert_eq!(world.consumer_stats(call.consumer).own.packets_repaired, 2);
    }
}

#[test]
fn what_was_never_sent_is_not_answered() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let lost = loses_a_packet(&mut world, &mut call.sender);
    let numbers = call.receiver.gets_numbers(&mut world);
    let all: Vec<u16> = (0..=u16::MAX).filter(|number| !numbers.contains(number)).collect();
    let sent_before = world.metric("packets_resent");
    for asked in all.chunks(250) {
        call.receiver.nacks(&mut world, CONSUMED, asked);
        world.run_for(1);
    }
    // Only the key frame of the beginning is still there.
    assert_eq!(world.metric("packets_resent") - sent_before, 3, "{}", lost.sequence);
    call.receiver.nacks(&mut world, CONSUMED + 77, &numbers);
    assert_eq!(world.metric("packets_resent") - sent_before, 3, "nor for a stream of nobody");
}

/// How long after it was sent the worker still answers for a packet: between these, in milliseconds.
fn retention(source: &Stream, round_trip: Option<u64>, until: u64) -> (bool, bool) {
    let answered = |after| {
        let mut world = World::new();
        let mut call = Call::of(&mut world, source);
        let mut send = |world: &mut World| match source.kind {
            tidegate_protocol::rtp::MediaKind::Audio => drop(call.sender.sends_sound(world)),
            tidegate_protocol::rtp::MediaKind::Video => drop(call.sender.sends_key_frame(world)),
        };
        send(&mut world);
        if let Some(millis) = round_trip {
            report_round_trip(&mut world, &call.receiver, millis);
            world.run_for(1_000);
        }
        call.receiver.gets(&mut world);
        send(&mut world);
        let numbers = call.receiver.gets_numbers(&mut world);
        world.run_for(after);
        call.receiver.nacks(&mut world, CONSUMED, &numbers[..1]);
        call.receiver.gets(&mut world).len() == 1
    };
    (answered(until - 30), answered(until + 30))
}

#[test]
fn packets_are_kept_for_three_round_trips_and_a_margin() {
    let video = Stream::vp8(CAMERA);
    assert_eq!(retention(&video, None, 550), (true, false), "unknown counts as 100 ms");
    assert_eq!(retention(&video, Some(20), 500), (true, false));
    assert_eq!(retention(&video, Some(300), 1_150), (true, false));
    assert_eq!(retention(&video, Some(900), 2_000), (true, false), "2 s at most");
    let sound = Stream { nack: true, ..Stream::opus(CAMERA) };
    assert_eq!(retention(&sound, Some(900), 1_000), (true, false), "1 s at most");
}

#[test]
fn an_idle_stream_gives_its_history_back() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 2_000);
    assert!(world.packets_in_use() > 10);
    world.run_for(700);
    assert_eq!(world.packets_in_use(), 0);
    world.run_for(15_000);
    assert_eq!(world.pool().charged_bytes, 0);
    assert_eq!(world.consumer_dump(call.consumer).history_bytes, 0);
}

#[test]
fn consumers_that_cannot_nack_keep_no_history() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).without_nack());
    for _ in 0..100 {
        call.sender.sends_frame_of(&mut world, false, &[500; 20]);
        assert_eq!(world.packets_in_use(), 0);
        world.run_for(3);
    }
    let history = world.consumer_dump(call.consumer).history_packets;
    assert!(history <= 128, "2,000 packets are remembered as {history}: those of a turn or two would do");
    let number = call.receiver.gets_numbers(&mut world)[0];
    call.receiver.nacks(&mut world, CONSUMED, &[number]);
    assert_eq!(call.receiver.gets(&mut world), []);
}

#[test]
fn packets_that_nobody_gets_do_not_displace_those_that_somebody_got() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_frame(&mut world);
    let first = call.receiver.gets_bytes(&mut world);
    let held = world.packets_in_use();
    let mut probe = call.sender.packet(Vec::new());
    probe.padding = 200;
    call.sender.sends(&mut world, &[probe]);
    assert_eq!(world.packets_in_use(), held, "the probe itself is not kept");
    let number = RtpPacket::read(&first[0]).unwrap().sequence;
    call.receiver.nacks(&mut world, CONSUMED, &[number]);
    assert_eq!(call.receiver.gets_bytes(&mut world), first[..1]);
}

#[test]
fn many_consumers_share_one_copy() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::vp8(CAMERA));
    for host in 3..23 {
        let received = call.received.consumed_as(CONSUMED + u32::from(host));
        call.joined_by(&mut world, host, &received);
    }
    let mut sender = call.sender.clone();
    sender.sends_key_frame(&mut world);
    assert_eq!(world.packets_in_use(), 3);
}

#[test]
fn paused_consumer_is_not_answered() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_frame(&mut world);
    let numbers = call.receiver.gets_numbers(&mut world);
    world.done(Command::PauseConsumer { consumer: call.consumer });
    call.receiver.nacks(&mut world, CONSUMED, &numbers);
    assert_eq!(call.receiver.gets(&mut world), []);
}

#[test]
fn packets_from_before_a_restart_are_resent_as_they_were() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_frame(&mut world);
    let first = call.receiver.gets_bytes(&mut world);
    (call.sender.sequence, call.sender.timestamp) = (call.sender.sequence.wrapping_add(20_000), 5);
    call.sender.sends_frame(&mut world);
    call.sender.sends_key_frame(&mut world);
    call.receiver.gets(&mut world);
    let number = RtpPacket::read(&first[0]).unwrap().sequence;
    call.receiver.nacks(&mut world, CONSUMED, &[number]);
    assert_eq!(call.receiver.gets_bytes(&mut world), first[..1]);
}

#[test]
fn timers_do_not_pile_up_under_steady_loss_or_in_stop_and_go() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let mut most = 0;
    for index in 0..1_800 {
        // Each fifth packet is lost and never repaired; now and then the sender rests.
        let mut frame = call.sender.frame(index % 300 == 0, &[300; 5]);
        frame.remove(index % 5);
        call.sender.sends(&mut world, &frame);
        world.run_for(if index % 20 == 0 { 700 } else { 33 });
        if index > 100 {
            most = most.max(world.metric("timers"));
        }
    }
    assert!(most < 25, "{most} timers for one stream");
}

#[test]
fn under_loss_on_all_ways_every_packet_arrives_in_the_end() {
    for seed in 1..=3 {
        let mut world = World::new();
        let source = Stream::vp8(CAMERA).with_rtx(CAMERA_RTX);
        let received = source.consumed_as(CONSUMED).with_rtx(CONSUMED_RTX);
        let mut call = flowing_as(&mut world, &source, &received);
        world.network.lose(100, seed);
        let mut sent = BTreeMap::new();
        let mut got = BTreeMap::new();
        for turn in 0..400 {
            if turn < 300 {
                let frame = call.sender.sends_frame(&mut world);
                sent.extend(frame.into_iter().map(|packet| (packet.sequence, packet)));
            } else if turn == 300 {
                // The last packets would else be missed by nobody.
                world.network.lose_nothing();
                call.sender.sends_frame(&mut world);
                world.network.lose(100, seed + 100);
            }
            for number in call.sender.nacked(&mut world) {
                let again = sent.get(&number).map(|packet| call.sender.retransmission(packet));
                call.sender.sends(&mut world, again.as_slice());
            }
            keep(call.receiver.gets(&mut world), &mut got);
            let missing = holes(&got);
            call.receiver.nacks(&mut world, CONSUMED, &missing);
            world.run_for(10);
        }
        assert_eq!(holes(&got), NO_NUMBERS, "seed {seed}");
        let payloads: Vec<_> = got.into_values().collect();
        let last = sent.values().last().unwrap();
        let first = sent.values().find(|packet| packet.payload == payloads[0]).unwrap().sequence;
        assert!(sent.range(first..).all(|(_, packet)| payloads.contains(&packet.payload)), "seed {seed}");
        assert!(payloads.contains(&last.payload));
    }
}

/// Notes packets by their number, retransmitted ones by their original one.
fn keep(packets: Vec<RtpPacket>, got: &mut BTreeMap<u16, Vec<u8>>) {
    for packet in packets {
        if packet.ssrc == CONSUMED {
            got.insert(packet.sequence, packet.payload);
        } else {
            let (original, payload) = packet.payload.split_at(2);
            got.insert(u16::from_be_bytes([original[0], original[1]]), payload.to_vec());
        }
    }
}

fn holes(got: &BTreeMap<u16, Vec<u8>>) -> Vec<u16> {
    let (Some(first), Some(last)) = (got.keys().next(), got.keys().last()) else { return Vec::new() };
    (*first..*last).filter(|number| !got.contains_key(number)).take(200).collect()
}
