//! What RTCP says and what comes of it: reports, round trips, statistics, scores.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::event::Event;
use tidegate_protocol::request::Command;
use tidegate_protocol::stats::Direction;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Call, address, receiver};
use tidegate_tests::world::rtcp::{self, Block, Rtcp};
use tidegate_tests::world::{Beginning, World, is_rtcp};

const CAMERA: u32 = 0x1111;
const CAMERA_RTX: u32 = 0x1112;

fn flowing(world: &mut World, source: &Stream) -> Call {
    let mut call = Call::of(world, source);
    call.sender.sends_key_frame(world);
    call
}

/// The block about `ssrc` in the newest receiver report.
fn block_about(ssrc: u32, heard: &[Rtcp]) -> Option<Block> {
    heard.iter().rev().find_map(|packet| match packet {
        Rtcp::ReceiverReport { blocks, .. } => blocks.iter().find(|block| block.ssrc == ssrc).copied(),
        _ => None,
    })
}

/// The newest sender report: its wall time, timestamp, packets and bytes.
fn sender_report(heard: &[Rtcp]) -> Option<(u64, u32, u32, u32)> {
    heard.iter().rev().find_map(|packet| match packet {
        Rtcp::SenderReport { ssrc: CONSUMED, ntp, timestamp, packets, bytes, blocks } => {
            assert!(blocks.is_empty());
            Some((*ntp, *timestamp, *packets, *bytes))
        }
        _ => None,
    })
}

fn compact(ntp: u64) -> u32 {
    u32::try_from(ntp >> 16 & 0xFFFF_FFFF).unwrap()
}

/// Scores of the producer's only stream as told by events.
fn producer_scores(world: &mut World) -> Vec<u8> {
    let events = world.take_events().into_iter();
    let scores = events.filter_map(|event| match event {
        Event::ProducerScore { scores, .. } => Some(scores[0].score),
        _ => None,
    });
    scores.collect()
}

#[test]
fn first_report_comes_after_500_ms_and_the_next_after_1_to_1_5_s() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 10_000);
    let sent = world.network.take_sent_to(call.receiver.address);
    let reports = sent.iter().filter(|sent| is_rtcp(&sent.bytes)).map(|sent| sent.at.as_millis() - 1_000_000);
    let at: Vec<u64> = reports.collect();
    assert!((500..=520).contains(&at[0]), "{at:?}");
    assert!(at.windows(2).all(|pair| (1_000..=1_520).contains(&(pair[1] - pair[0]))), "{at:?}");
    assert!(at.len() >= 7);
}

#[test]
fn sender_report_ties_the_media_clock_to_the_wall() {
    for wall_seconds in [3_900_000_000, u32::MAX] {
        let mut world = World::from(Beginning { wall_seconds, ..Beginning::default() });
        let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
        let mut last = 0;
        for _ in 0..200 {
            last = call.sender.sends_sound(&mut world).timestamp;
            world.run_for(5);
            world.run_for(15);
        }
        let sent_at = world.wall();
        world.run_for(1_600);
        let heard = call.receiver.hears(&mut world);
        let (ntp, timestamp, packets, bytes) = sender_report(&heard).expect("a sender report");
        // The last packet was sent 20 ms before `sent_at`.
        let elapsed_us = ((u128::from(ntp.wrapping_sub(sent_at)) * 1_000_000) >> 32) + 20_000;
        let expected = last.wrapping_add(u32::try_from(elapsed_us * 48_000 / 1_000_000).unwrap());
        assert!(timestamp.abs_diff(expected) <= 48, "{timestamp} {expected}");
        assert_eq!((packets, bytes), (200, 200 * 80));
        let name = Rtcp::Cname { ssrc: CONSUMED, cname: "router".into() };
        assert!(heard.contains(&name), "{heard:?}");
    }
}

#[test]
fn late_packet_does_not_bend_the_media_clock() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream { nack: true, ..Stream::opus(CAMERA) });
    let mut late = None;
    let mut newest = 0;
    for index in 0..24 {
        let packet = call.sender.sound();
        newest = packet.timestamp;
        if index == 12 {
            late = Some(packet);
        } else {
            call.sender.sends(&mut world, &[packet]);
        }
        world.run_for(20);
    }
    call.sender.sends(&mut world, late.as_slice());
    world.run_for(100);
    let (ntp, timestamp, ..) = sender_report(&call.receiver.hears(&mut world)).expect("a sender report");
    let since_newest_us = (u128::from(ntp - (world.wall() - (120 << 32) / 1_000)) * 1_000_000) >> 32;
    let expected = newest + u32::try_from(since_newest_us * 48_000 / 1_000_000).unwrap();
    assert!(timestamp.abs_diff(expected) <= 96, "{timestamp} {expected}");
}

#[test]
fn silent_streams_are_not_reported_on_and_idle_transports_say_nothing() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 3_000);
    world.run_for(4_000);
    call.sender.hears(&mut world);
    call.receiver.hears(&mut world);
    world.run_for(10_000);
    assert_eq!(call.sender.hears(&mut world), []);
    assert_eq!(call.receiver.hears(&mut world), []);
    call.sender.streams_for(&mut world, 1_000);
    assert!(sender_report(&call.receiver.hears(&mut world)).is_some(), "reports come back with media");
}

#[test]
fn receiver_report_tells_loss_highest_number_and_the_senders_time() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).without_nack());
    call.sender.sequence = 65_530;
    call.sender.sends_frame(&mut world);
    call.sender.sends_frame(&mut world);
    world.run_for(510);
    let before = block_about(CAMERA, &call.sender.hears(&mut world)).expect("a receiver report");
    let report = Rtcp::SenderReport {
        ssrc: CAMERA,
        ntp: 0x0123_4567_89AB_CDEF,
        timestamp: 1,
        packets: 2,
        bytes: 3,
        blocks: Vec::new(),
    };
    call.sender.sends_rtcp(&mut world, &[report]);
    let heard_at = world.wall();
    for index in 0..16 {
        let frame = call.sender.frame(false, &[100]);
        if index % 4 != 0 {
            call.sender.sends(&mut world, &frame);
        }
        world.run_for(33);
    }
    world.run_for(1_100);
    let after = block_about(CAMERA, &call.sender.hears(&mut world)).expect("another");
    assert_eq!(after.last_sr, 0x4567_89AB);
    let delay = compact(world.wall()) - compact(heard_at);
    assert!(after.delay <= delay && after.delay > delay / 2, "{} {delay}", after.delay);
    assert_eq!(after.cumulative_lost - before.cumulative_lost, 4);
    assert_eq!(after.fraction_lost, 64, "4 of 16");
    assert_eq!(after.extended_highest - before.extended_highest, 16);
    assert_eq!(after.extended_highest >> 16, before.extended_highest >> 16 | 1, "numbers wrapped");
    let stats = world.producer_stats(call.producer);
    assert_eq!((stats.packets_lost, stats.fraction_lost), (after.cumulative_lost, 64));
}

#[test]
fn retransmissions_do_not_hide_loss_from_the_sender() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).with_rtx(CAMERA_RTX));
    let mut frame = call.sender.frame(false, &[100, 100, 100, 100]);
    frame.remove(1);
    call.sender.sends(&mut world, &frame);
    // A sender probes its path with packets that have arrived already.
    for _ in 0..5 {
        let probe = call.sender.retransmission(&frame[0]);
        call.sender.sends(&mut world, &[probe]);
    }
    world.run_for(510);
    let block = block_about(CAMERA, &call.sender.hears(&mut world)).expect("a receiver report");
    assert_eq!(block.cumulative_lost, 1);
    assert_ne!(block.fraction_lost, 0);
}

#[test]
fn round_trip_to_a_receiver_is_measured_by_its_reports_also_where_compact_time_wraps() {
    // In the second case the middle 32 bits of NTP wrap within the round trip.
    for wall_seconds in [3_900_000_000, 0xFFFF] {
        let mut world = World::from(Beginning { wall_seconds, ..Beginning::default() });
        let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
        call.sender.streams_for(&mut world, 960);
        let (ntp, ..) = sender_report(&call.receiver.hears(&mut world)).expect("a sender report");
        let since = compact(world.wall()).wrapping_sub(compact(ntp));
        let delay = since - 30 * 65_536 / 1_000;
        world.run_for(50);
        let block = Block { ssrc: CONSUMED, last_sr: compact(ntp), delay, jitter: 77, ..Block::default() };
        call.receiver.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
        let own = world.consumer_stats(call.consumer).own;
        assert!((79_900..=80_100).contains(&own.round_trip_time_us), "{}", own.round_trip_time_us);
        assert_eq!(own.jitter, 77);
    }
}

#[test]
fn absurd_reports_of_a_receiver_leave_the_round_trip_as_it_was() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 960);
    let report = |world: &mut World, call: &Call, block: Block| {
        call.receiver.sends_rtcp(world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
        let own = world.consumer_stats(call.consumer).own;
        (own.round_trip_time_us, own.packets_lost)
    };
    let now = |world: &World| compact(world.wall());
    let second = 65_536;
    let honest = Block { ssrc: CONSUMED, last_sr: now(&world).wrapping_sub(second / 10), ..Block::default() };
    let (known, _) = report(&mut world, &call, honest);
    assert!((99_000..=101_000).contains(&known), "{known}");
    let last_sr = now(&world).wrapping_sub(second);
    let absurd = [
        ("held for longer than it was under way", Block { last_sr, delay: 2 * second, ..honest }),
        ("held for ever", Block { last_sr, delay: u32::MAX, ..honest }),
        ("of the future", Block { last_sr: now(&world).wrapping_add(10 * second), ..honest }),
        ("of long ago", Block { last_sr: now(&world).wrapping_sub(61 * second), ..honest }),
        ("half a cycle away", Block { last_sr: now(&world) ^ 1 << 31, ..honest }),
        ("of nothing", Block { last_sr: 0, delay: second, ..honest }),
        ("of somebody else", Block { ssrc: CONSUMED + 9, last_sr, ..honest }),
    ];
    for (what, block) in absurd {
        assert_eq!(report(&mut world, &call, block).0, known, "{what}");
    }
    let (slow, _) = report(&mut world, &call, Block { last_sr, ..honest });
    assert!((999_000..=1_001_000).contains(&slow), "an honest one still counts: {slow}");
}

#[test]
fn loss_that_a_receiver_reports_is_signed_and_of_its_own_stream() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 960);
    for lost in [-3, 8_388_607, -8_388_608, 0] {
        let block = Block { ssrc: CONSUMED, cumulative_lost: lost, ..Block::default() };
        let stray = Block { ssrc: CONSUMED + 9, cumulative_lost: 77, ..Block::default() };
        call.receiver.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block, stray] }]);
        assert_eq!(world.consumer_stats(call.consumer).own.packets_lost, lost);
    }
}

#[test]
fn reference_time_of_a_receiver_is_answered() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let reference = Rtcp::ReferenceTime { ssrc: 0xABCD, ntp: 0x0123_4567_89AB_CDEF };
    call.receiver.sends_rtcp(&mut world, &[reference]);
    call.receiver.hears(&mut world);
    world.run_for(300);
    call.sender.sends_frame(&mut world);
    world.run_for(210);
    let heard = call.receiver.hears(&mut world);
    let answer = heard.iter().find_map(|packet| match packet {
        Rtcp::Dlrr { to: 0xABCD, last_rr: 0x4567_89AB, delay, .. } => Some(*delay),
        _ => None,
    });
    let delay = answer.unwrap_or_else(|| panic!("no answer in {heard:?}"));
    assert!((65_536 / 2 - 100..=65_536 * 53 / 100).contains(&delay), "{delay}");
}

#[test]
fn compounds_of_many_streams_stay_within_an_mtu() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::opus(CAMERA));
    let (outbound, player) = receiver(&mut world, call.router, address(9, 9_000));
    for index in 1..=80 {
        let received = Stream { cname: "a-rather-long-canonical-name", ..call.received.clone() };
        let received = received.consumed_as(CONSUMED + index);
        world.consume(outbound.id, call.producer, &call.sender.stream, &received);
    }
    let mut sender = call.sender.clone();
    sender.streams_for(&mut world, 600);
    let sent = world.network.take_sent_to(player.address);
    let compounds: Vec<_> = sent.iter().filter(|sent| is_rtcp(&sent.bytes)).collect();
    assert!(compounds.len() > 1);
    let mut reported = Vec::new();
    for compound in compounds {
        assert!(compound.bytes.len() <= 1_292);
        let packets = rtcp::read(&compound.bytes).unwrap();
        for pair in packets.windows(2) {
            if let Rtcp::SenderReport { ssrc, .. } = &pair[0] {
                assert!(matches!(&pair[1], Rtcp::Cname { ssrc: named, .. } if named == ssrc));
                reported.push(*ssrc);
            }
        }
    }
    reported.sort_unstable();
    assert_eq!(reported, (1..=80).map(|index| CONSUMED + index).collect::<Vec<_>>());
}

#[test]
fn statistics_count_what_passed() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let sent: usize =
        (0..3).flat_map(|_| call.sender.sends_key_frame(&mut world)).map(|p| p.write().len()).sum();
    let got: usize = call.receiver.gets_bytes(&mut world).iter().map(Vec::len).sum();
    let producer = world.producer_stats(call.producer);
    assert_eq!((producer.direction, producer.packet_count), (Direction::Inbound, 9));
    assert_eq!(producer.byte_count, sent as u64);
    assert!(producer.bitrate > 0);
    let consumer = world.consumer_stats(call.consumer);
    assert_eq!((consumer.own.direction, consumer.own.packet_count), (Direction::Outbound, 9));
    assert_eq!(consumer.own.byte_count, got as u64);
    assert_eq!(consumer.producer.unwrap().packet_count, 9);
    let (inbound, outbound) =
        (world.transport_stats(call.inbound.id), world.transport_stats(call.outbound.id));
    assert_eq!((inbound.rtp_received.packets, inbound.rtp_received.bytes), (9, sent as u64));
    assert_eq!((outbound.rtp_sent.packets, outbound.rtp_sent.bytes), (9, got as u64));
    assert_eq!((inbound.rtp_sent.packets, outbound.rtp_received.packets), (0, 0));
    assert_eq!(world.metric("packets_forwarded"), 9);
}

#[test]
fn a_stream_that_begins_has_the_best_score_and_says_so() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_key_frame(&mut world);
    let events = world.take_events();
    let told = |wanted: fn(&Event) -> bool| events.iter().any(wanted);
    assert!(told(|event| matches!(event, Event::ProducerScore { scores, .. } if scores[0].score == 10)));
    assert!(told(|event| matches!(event, Event::ConsumerScore { score, .. } if score.producer_score == 10)));
}

#[test]
fn score_falls_with_loss_and_rises_again() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA).without_nack());
    for index in 0..300 {
        let frame = call.sender.frame(false, &[100]);
        if index % 3 != 0 {
            call.sender.sends(&mut world, &frame);
        }
        world.run_for(33);
    }
    let fallen = world.producer_stats(call.producer).score;
    assert!(fallen < 5, "a third is lost: {fallen}");
    assert_eq!(producer_scores(&mut world).last(), Some(&fallen));
    call.sender.streams_for(&mut world, 30_000);
    assert_eq!(world.producer_stats(call.producer).score, 10);
    assert_eq!(producer_scores(&mut world).last(), Some(&10));
}

#[test]
fn a_sender_that_pauses_in_silence_is_given_five_seconds() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream { dtx: true, ..Stream::opus(CAMERA) });
    for _ in 0..100 {
        call.sender.sends_sound(&mut world);
        world.run_for(20);
    }
    producer_scores(&mut world);
    world.run_for(4_900);
    assert!(producer_scores(&mut world).is_empty(), "not silent yet");
    world.run_for(1_700);
    assert_eq!(producer_scores(&mut world), [0]);
}

#[test]
fn silent_stream_has_score_0_and_its_first_packet_makes_it_10() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 2_000);
    producer_scores(&mut world);
    world.run_for(1_400);
    assert!(producer_scores(&mut world).is_empty(), "not silent yet");
    world.run_for(140);
    assert_eq!(producer_scores(&mut world), [0]);
    call.sender.sends_frame(&mut world);
    assert_eq!(world.producer_stats(call.producer).score, 10);
    assert_eq!(producer_scores(&mut world), [10], "and it says so at once");
}

/// The times, from the world's beginning, at which the producer's score became 0.
fn falls_of_score(world: &mut World, millis: u64) -> Vec<u64> {
    let mut falls = Vec::new();
    for _ in 0..millis {
        world.run_for(1);
        let fell = producer_scores(world).contains(&0);
        falls.extend(fell.then(|| world.elapsed_ms()));
    }
    falls
}

#[test]
fn score_is_0_within_20_ms_of_the_limit_whenever_the_reports_are_due() {
    for (stream, limit) in [
        (Stream::vp8(CAMERA), 1_500),
        (Stream::opus(CAMERA), 1_500),
        (Stream { dtx: true, ..Stream::opus(CAMERA) }, 5_000),
    ] {
        for running_ms in [33, 500, 777, 1_234, 3_456] {
            let mut world = World::new();
            let mut call = Call::of(&mut world, &stream);
            call.sender.streams_for(&mut world, running_ms);
            call.sender.sends_sound(&mut world);
            let last = world.elapsed_ms();
            let falls = falls_of_score(&mut world, limit + 500);
            assert_eq!(falls.len(), 1, "{falls:?}");
            assert!((last + limit..=last + limit + 20).contains(&falls[0]), "{last} {falls:?}");
            world.run_for(20_000);
            assert!(!world.has_timers(), "nobody waits for a stream that is not there");
            call.sender.sends_sound(&mut world);
            assert_eq!(producer_scores(&mut world), [10], "at once");
            assert_eq!(falls_of_score(&mut world, limit + 20).len(), 1, "and it may fall silent again");
        }
    }
}

#[test]
fn padding_alone_is_no_sign_of_life() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    let probe = |call: &mut Call, world: &mut World| {
        let mut packet = call.sender.sound();
        (packet.payload, packet.padding) = (Vec::new(), 200);
        call.sender.sends(world, &[packet]);
    };
    for _ in 0..20 {
        probe(&mut call, &mut world);
        world.run_for(100);
    }
    assert_eq!(producer_scores(&mut world), [10, 0], "neither before the first packet");
    call.sender.sends_sound(&mut world);
    assert_eq!(producer_scores(&mut world), [10]);
    for _ in 0..20 {
        probe(&mut call, &mut world);
        world.run_for(100);
    }
    assert_eq!(producer_scores(&mut world), [0], "nor after the last");
}

#[test]
fn stream_of_a_paused_producer_is_not_judged_and_has_the_whole_limit_after_it_is_resumed() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 2_000);
    world.done(Command::PauseProducer { producer: call.producer });
    assert!(falls_of_score(&mut world, 10_000).is_empty());
    world.done(Command::ResumeProducer { producer: call.producer });
    let resumed = world.elapsed_ms();
    let falls = falls_of_score(&mut world, 3_000);
    assert!((resumed + 1_500..=resumed + 1_520).contains(&falls[0]), "{resumed} {falls:?}");
    world.done(Command::PauseProducer { producer: call.producer });
    world.done(Command::ResumeProducer { producer: call.producer });
    assert!(falls_of_score(&mut world, 3_000).is_empty(), "it was known to be silent");
}

#[test]
fn consumers_score_follows_the_reports_of_its_receiver() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 1_000);
    world.take_events();
    let block = Block { ssrc: CONSUMED, cumulative_lost: 30, fraction_lost: 128, ..Block::default() };
    call.receiver.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
    let scores: Vec<_> = world
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::ConsumerScore { consumer, score } if consumer == call.consumer => Some(score),
            _ => None,
        })
        .collect();
    assert_eq!(scores.len(), 1);
    assert!(scores[0].score < 5 && scores[0].producer_score == 10, "{scores:?}");
    let own = world.consumer_stats(call.consumer).own;
    assert_eq!((own.packets_lost, own.fraction_lost, own.score), (30, 128, scores[0].score));
}
