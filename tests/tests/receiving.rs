//! What a sender may do wrong, or somebody in its place: each has its bound, and what it says is believed no further.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::request::Command;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Call};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::{Beginning, World};

const CAMERA: u32 = 0x1111;
const CAMERA_RTX: u32 = 0x1112;

fn flowing(world: &mut World, source: &Stream) -> Call {
    let mut call = Call::of(world, source);
    call.sender.sends_key_frame(world);
    call
}

fn compact(ntp: u64) -> u32 {
    u32::try_from(ntp >> 16 & 0xFFFF_FFFF).unwrap()
}

fn are_consecutive(packets: &[RtpPacket]) -> bool {
    packets.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1))
}

/// The worker's last reference time: who tells it, and what.
fn reference_time(heard: &[Rtcp]) -> (u32, u64) {
    let told = heard.iter().rev().find_map(|packet| match packet {
        Rtcp::ReferenceTime { ssrc, ntp } => Some((*ssrc, *ntp)),
        _ => None,
    });
    told.expect("the worker tells its time")
}

#[test]
fn round_trip_to_a_sender_is_measured_also_where_compact_time_wraps() {
    // In the second case the middle 32 bits of NTP wrap between the question and the answer, every 18.2 hours.
    for wall_seconds in [3_900_000_000, 0xFFFF, 0x7_FFFF] {
        let mut world = World::from(Beginning { wall_seconds, ..Beginning::default() });
        let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
        call.sender.streams_for(&mut world, 960);
        let (to, ntp) = reference_time(&call.sender.hears(&mut world));
        let since = compact(world.wall()).wrapping_sub(compact(ntp));
        let delay = since - 30 * 65_536 / 1_000;
        world.run_for(50);
        let answer = Rtcp::Dlrr { ssrc: CAMERA, to, last_rr: compact(ntp), delay };
        call.sender.sends_rtcp(&mut world, &[answer]);
        let measured = world.producer_stats(call.producer).round_trip_time_us;
        assert!((79_900..=80_100).contains(&measured), "{measured}");
    }
}

#[test]
fn round_trips_that_cannot_be_are_not_believed() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.run_for(600);
    let (to, ntp) = reference_time(&call.sender.hears(&mut world));
    let now = compact(world.wall());
    // An answer from the future, an hour late, to nobody, and to what was never asked.
    for (to, last_rr, delay) in [
        (to, compact(ntp), 1 << 31),
        (to, now.wrapping_sub(3_600 << 16), 0),
        (to ^ 1, compact(ntp), 0),
        (to, 0, 0),
        (to, now.wrapping_add(1 << 16), 0),
    ] {
        call.sender.sends_rtcp(&mut world, &[Rtcp::Dlrr { ssrc: CAMERA, to, last_rr, delay }]);
        assert_eq!(world.producer_stats(call.producer).round_trip_time_us, 0, "{to} {last_rr} {delay}");
    }
    // The longest that is believed makes losses be asked for once a second, and no more seldom.
    let answer = Rtcp::Dlrr { ssrc: CAMERA, to, last_rr: now.wrapping_sub(59 << 16), delay: 0 };
    call.sender.sends_rtcp(&mut world, &[answer]);
    assert!(world.producer_stats(call.producer).round_trip_time_us > 58_000_000);
    let lost = call.sender.sound().sequence;
    call.sender.sends_frame(&mut world);
    world.run_for(3_100);
    assert_eq!(call.sender.nacked(&mut world), [lost; 4]);
}

#[test]
fn sender_reports_whose_clock_jumps_do_not_bend_the_media_clock() {
    let (hour, second) = (3_600_u64 << 32, 1_u64 << 32);
    // NTP an hour ahead, an hour behind, in another era; the same time for a timestamp four seconds away.
    let lies: [(u64, u32); 4] = [(hour, 0), (hour.wrapping_neg(), 0), (1 << 63, 0), (0, 4 * 48_000)];
    for (ntp_off, timestamp_off) in lies {
        let mut world = World::new();
        let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
        let mut worst = 0.0_f64;
        for tick in 0..1_000_u32 {
            if tick % 50 == 0 {
                let lies = (400..600).contains(&tick) && tick % 100 == 0;
                let (ntp_off, timestamp_off) = if lies { (ntp_off, timestamp_off) } else { (0, 0) };
                let report = Rtcp::SenderReport {
                    ssrc: CAMERA,
                    ntp: (40 * second).wrapping_add(world.wall()).wrapping_add(ntp_off),
                    timestamp: call.sender.timestamp.wrapping_sub(timestamp_off),
                    packets: 0,
                    bytes: 0,
                    blocks: Vec::new(),
                };
                call.sender.sends_rtcp(&mut world, &[report]);
            }
            // 5 ms on the way.
            world.run_for(5);
            call.sender.sends_sound(&mut world);
            world.run_for(15);
            for packet in call.receiver.hears(&mut world) {
                let Rtcp::SenderReport { ntp, timestamp, .. } = packet else { continue };
                // The sender's clock shows this timestamp now.
                let ago = (world.wall().wrapping_sub(ntp)) as f64 / second as f64;
                let expected = f64::from(call.sender.timestamp) - ago * 48_000.0;
                worst = worst.max((f64::from(timestamp) - expected).abs());
            }
        }
        assert!(worst <= 48.0 * 40.0, "off by {} ms after {ntp_off:x} {timestamp_off}", worst / 48.0);
    }
}

#[test]
fn floods_of_pli_and_fir_cause_two_requests_a_second() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.plis(&mut world);
    let flood: Vec<Rtcp> = (0..40)
        .flat_map(|sequence| {
            [Rtcp::Pli { sender: 1, media: CONSUMED }, Rtcp::Fir { sender: 1, media: CONSUMED, sequence }]
        })
        .collect();
    let mut plis = 0;
    for _ in 0..100 {
        call.receiver.sends_rtcp(&mut world, &flood);
        call.sender.sends_frame(&mut world);
        world.run_for(50);
        plis += call.sender.plis(&mut world);
    }
    assert!((9..=11).contains(&plis), "{plis} in five seconds");
    assert_eq!(world.consumer_stats(call.consumer).own.pli_count, 4_000);
}

#[test]
fn timestamps_that_move_back_with_numbers_that_do_not_are_followed() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::opus(CAMERA));
    for _ in 0..100 {
        call.sender.sends_sound(&mut world);
        world.run_for(20);
    }
    let jitter = world.producer_stats(call.producer).jitter;
    call.sender.timestamp = call.sender.timestamp.wrapping_sub(30 * 48_000);
    let last = call.sender.sequence.wrapping_sub(1);
    call.receiver.gets(&mut world);
    for _ in 0..100 {
        call.sender.sends_sound(&mut world);
        world.run_for(20);
    }
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.len(), 100);
    assert!(are_consecutive(&got) && got.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp + 960));
    let stats = world.producer_stats(call.producer);
    assert_eq!((stats.packets_lost, stats.packets_discarded), (0, 0));
    assert!(stats.jitter <= jitter + 1, "{jitter} {}", stats.jitter);
    // What comes late from before is of before.
    let mut late = call.sender.packet(vec![1; 80]);
    (late.sequence, late.timestamp) = (last, call.sender.timestamp.wrapping_add(28 * 48_000));
    call.sender.sequence = call.sender.sequence.wrapping_sub(1);
    call.sender.sends(&mut world, &[late.clone(), late]);
    call.sender.sends_sound(&mut world);
    assert!(are_consecutive(&call.receiver.gets(&mut world)));
}

#[test]
fn padding_alone_is_in_no_media_counter_and_keeps_no_memory() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).with_rtx(CAMERA_RTX));
    let frame = call.sender.sends_frame(&mut world);
    world.run_for(100);
    let (before, held) = (world.producer_stats(call.producer), world.packets_in_use());
    for _ in 0..200 {
        let mut probe = call.sender.packet(Vec::new());
        probe.padding = 200;
        let mut again = call.sender.retransmission(&frame[0]);
        (again.payload, again.padding) = (Vec::new(), 200);
        call.sender.sends(&mut world, &[probe, again]);
        world.run_for(5);
    }
    let after = world.producer_stats(call.producer);
    assert_eq!((after.packet_count, after.byte_count), (before.packet_count, before.byte_count));
    assert_eq!((after.packets_lost, after.packets_retransmitted), (0, 0));
    assert!(world.packets_in_use() <= held, "{held} {}", world.packets_in_use());
}

#[test]
fn empty_packets_are_received_and_forwarded_to_nobody() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let count = world.producer_stats(call.producer).packet_count;
    call.receiver.gets(&mut world);
    let empty = call.sender.packet(Vec::new());
    call.sender.sends(&mut world, &[empty]);
    assert_eq!(call.receiver.gets(&mut world), []);
    assert_eq!(world.producer_stats(call.producer).packet_count, count);
    let sent = call.sender.sends_frame(&mut world);
    let got = call.receiver.gets(&mut world);
    assert!(got.len() == sent.len() && are_consecutive(&got));
    world.run_for(100);
    assert!(call.sender.nacked(&mut world).is_empty(), "its number was taken");
}

#[test]
fn copies_make_loss_negative_in_reports_and_statistics() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    for _ in 0..20 {
        let frame = call.sender.sends_frame(&mut world);
        call.sender.sends(&mut world, &frame);
        world.run_for(33);
    }
    assert_eq!(world.producer_stats(call.producer).packets_lost, -40);
    world.run_for(500);
    let heard = call.sender.hears(&mut world);
    let blocks = heard.iter().rev().find_map(|packet| match packet {
        Rtcp::ReceiverReport { blocks, .. } => Some(blocks.clone()),
        _ => None,
    });
    let Block { cumulative_lost, fraction_lost, .. } = blocks.expect("a report")[0];
    assert!(cumulative_lost < 0 && fraction_lost == 0, "{cumulative_lost}");
}

#[test]
fn retransmission_of_what_was_never_seen_is_as_good_as_a_first_arrival() {
    // libwebrtc probes so: the newest packet reaches us only as a retransmission.
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).with_rtx(CAMERA_RTX));
    call.receiver.gets(&mut world);
    let frame = call.sender.frame(false, &[700, 700]);
    let again: Vec<RtpPacket> = frame.iter().map(|packet| call.sender.retransmission(packet)).collect();
    call.sender.sends(&mut world, &again);
    let got = call.receiver.gets(&mut world);
    assert_eq!(
        got.iter().map(|packet| &packet.payload).collect::<Vec<_>>(),
        [&frame[0].payload, &frame[1].payload]
    );
    assert!(
        got.iter().all(|packet| packet.ssrc == CONSUMED && packet.payload_type == call.received.payload_type)
    );
    // And the packets themselves, should they come, are copies.
    call.sender.sends(&mut world, &frame);
    assert_eq!(call.receiver.gets(&mut world), []);
}

#[test]
fn probing_with_retransmissions_of_what_has_arrived_takes_no_memory_and_no_score() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).with_rtx(CAMERA_RTX));
    let mut held = 0;
    for round in 0..200 {
        let frame = call.sender.sends_frame(&mut world);
        for _ in 0..10 {
            let again: Vec<RtpPacket> =
                frame.iter().map(|packet| call.sender.retransmission(packet)).collect();
            call.sender.sends(&mut world, &again);
        }
        world.run_for(33);
        held = if round == 100 { world.packets_in_use() } else { held };
    }
    assert!(world.packets_in_use() <= held + 2, "{held} {}", world.packets_in_use());
    let stats = world.producer_stats(call.producer);
    assert_eq!((stats.packet_count, stats.packets_lost, stats.score), (403, 0, 10));
    assert_eq!((stats.packets_repaired, stats.packets_retransmitted), (0, 0));
    assert_eq!(call.receiver.gets(&mut world).len(), 403);
}

#[test]
fn gaps_of_every_length_end_in_requests_or_a_key_frame_request_and_never_in_more_than_the_list_holds() {
    for gap in [1, 2, 999, 1_000, 1_001, 2_998] {
        let mut world = World::new();
        let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
        world.run_for(1_000);
        call.sender.hears(&mut world);
        call.sender.sequence = call.sender.sequence.wrapping_add(gap);
        call.sender.sends_frame(&mut world);
        world.run_for(15);
        let heard = call.sender.hears(&mut world);
        let nacked: usize = heard
            .iter()
            .map(|packet| if let Rtcp::Nack { sequences, .. } = packet { sequences.len() } else { 0 })
            .sum();
        let plis = heard.iter().filter(|packet| matches!(packet, Rtcp::Pli { .. })).count();
        let expected = if gap <= 1_000 { (usize::from(gap), 0) } else { (0, 1) };
        assert_eq!((nacked, plis), expected, "{gap}");
    }
}

#[test]
fn key_frame_without_the_extended_descriptor_is_begun_with() {
    // VP8 as Chrome 139 may send it: no X bit, thus neither picture id nor layers.
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let (delta, middle, key) = ([0x10, 0x01, 7, 7], [0x00, 0x10, 7, 7], [0x10, 0x10, 7, 7]);
    for (payload, starts) in [(delta, false), (middle, false), (key, true)] {
        let packet = call.sender.packet(payload.to_vec());
        call.sender.sends(&mut world, &[packet]);
        assert_eq!(call.receiver.gets(&mut world).len(), usize::from(starts), "{payload:x?}");
    }
}

#[test]
fn what_came_during_a_pause_is_not_asked_for_when_an_older_packet_comes_after_it() {
    for by_rtx in [false, true] {
        let mut world = World::new();
        let mut call = flowing(&mut world, &Stream::vp8(CAMERA).with_rtx(CAMERA_RTX));
        let late = call.sender.frame(false, &[500]).remove(0);
        world.done(Command::PauseProducer { producer: call.producer });
        call.sender.sends_frame(&mut world);
        world.done(Command::ResumeProducer { producer: call.producer });
        let late = if by_rtx { call.sender.retransmission(&late) } else { late };
        call.sender.sends(&mut world, &[late]);
        call.sender.sends_frame(&mut world);
        world.run_for(50);
        assert!(call.sender.nacked(&mut world).is_empty());
        let mut frame = call.sender.frame(false, &[500, 500, 500]);
        let lost = frame.remove(0);
        call.sender.sends(&mut world, &frame);
        world.run_for(11);
        assert_eq!(call.sender.nacked(&mut world), [lost.sequence], "and what is lost from now on is");
    }
}
