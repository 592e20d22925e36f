//! The worker's log: what is said at which level and tag, and that no peer can flood it.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::bounded::List;
use tidegate_protocol::message::{LogLevel, LogTag};
use tidegate_protocol::request::Command;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Call, address};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::{LogLine, World};

const CAMERA: u32 = 0x1111;

/// Of these tags everything, of others what may go wrong.
fn listens(world: &mut World, level: LogLevel, tags: &[LogTag]) {
    let log_tags = Some(List::first_of(tags.iter().copied()));
    world.done(Command::UpdateSettings { log_level: Some(level), log_tags });
}

fn texts(lines: Vec<LogLine>) -> Vec<String> {
    lines.into_iter().map(|line| line.text).collect()
}

/// Requires one line that has all of these words.
fn assert_one(lines: &[LogLine], level: LogLevel, tag: LogTag, words: &[&str]) {
    let fits = |line: &&LogLine| words.iter().all(|word| line.text.contains(word));
    let found: Vec<_> = lines.iter().filter(fits).collect();
    assert!(
        matches!(&found[..], [line] if line.level == level && line.tag == tag),
        "{words:?}: {found:?} of {lines:#?}"
    );
}

#[test]
fn life_of_a_call_can_be_read_in_the_log() {
    let mut world = World::new();
    listens(&mut world, LogLevel::Debug, &LogTag::ALL);
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 1_000);
    world.run_for(4_000);
    call.sender.sends_key_frame(&mut world);
    let block = Block { ssrc: CONSUMED, cumulative_lost: 30, fraction_lost: 128, ..Block::default() };
    call.receiver.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
    call.receiver.sends_rtcp(&mut world, &[Rtcp::Pli { sender: 1, media: CONSUMED }]);
    call.receiver.sends_rtcp(&mut world, &[Rtcp::Nack { sender: 1, media: CONSUMED, sequences: vec![1, 2] }]);
    world.done(Command::SetMaxIncomingBitrate { transport: call.inbound.id, bitrate: 500_000 });
    world.done(Command::CloseRouter { router: call.router });
    let lines = world.take_log();
    let (router, inbound) =
        (format!("router {}:", call.router.0), format!("transport {}:", call.inbound.id.0));
    let (producer, consumer) =
        (format!("producer {}:", call.producer.0), format!("consumer {}:", call.consumer.0));
    let expected: &[(LogTag, &[&str])] = &[
        (LogTag::Info, &["log level is debug now", "info, ice, dtls, rtp"]),
        (LogTag::Info, &[&router, "created"]),
        (LogTag::Info, &[&inbound, "created", &call.inbound.rtp.to_string()]),
        (LogTag::Info, &[&inbound, "learns its peer", &call.sender.address.to_string()]),
        (LogTag::Rtp, &[&producer, "created, Simple Video"]),
        (LogTag::Rtp, &[&consumer, "created, of", &producer[..producer.len() - 1]]),
        (LogTag::Rtp, &[&producer, "SSRC 4369 begins, video/VP8"]),
        (LogTag::Rtp, &[&producer, "SSRC 4369 is inactive"]),
        (LogTag::Score, &[&producer, "scores are 0 of SSRC 4369"]),
        (LogTag::Score, &[&consumer, "its producer's 0"]),
        (LogTag::Rtcp, &[&consumer, "asks for a key frame by Pli"]),
        (LogTag::Rtx, &[&consumer, "0 of 2 packets that were asked for"]),
        (LogTag::Bwe, &[&inbound, "500000 b/s at most"]),
        (LogTag::Rtp, &[&producer, "closed"]),
        (LogTag::Rtp, &[&consumer, "closed"]),
        (LogTag::Info, &[&inbound, "closed"]),
        (LogTag::Info, &[&router, "closed"]),
    ];
    for (tag, words) in expected {
        assert_one(&lines, LogLevel::Debug, *tag, words);
    }
    assert!(lines.len() < 40, "{lines:#?}");
}

#[test]
fn lines_are_of_the_tags_that_were_asked_for() {
    let mut world = World::new();
    listens(&mut world, LogLevel::Debug, &[LogTag::Score]);
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 2_000);
    world.run_for(4_000);
    let lines = world.take_log();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.tag == LogTag::Score), "{lines:#?}");
    listens(&mut world, LogLevel::Error, &LogTag::ALL);
    call.sender.streams_for(&mut world, 2_000);
    world.run_for(4_000);
    assert_eq!(world.take_log(), []);
}

#[test]
fn hundred_thousand_hostile_packets_are_a_handful_of_lines() {
    let mut world = World::new();
    listens(&mut world, LogLevel::Debug, &LogTag::ALL);
    let call = Call::of(&mut world, &Stream::vp8(CAMERA));
    world.run_for(1_000 - world.now().as_millis() % 1_000);
    world.take_log();
    let stranger = address(66, 6_666);
    for _ in 0..1_000 {
        for _ in 0..100 {
            world.network.inject(stranger, call.outbound.rtp, vec![0x80; 40]);
        }
        world.receive();
    }
    world.run_for(1_100);
    let lines = texts(world.take_log());
    assert_eq!(lines.len(), 11, "{lines:#?}");
    assert!(lines[0].contains("192.0.2.66:6666"), "{lines:#?}");
    assert!(lines[10].starts_with("99990 more like this were suppressed"), "{lines:#?}");
    assert_eq!(world.metric("log_lines_suppressed"), 99_990);
    assert_eq!(world.metric("log_lines_dropped"), 0);
}

#[test]
fn flowing_media_is_no_news() {
    let mut world = World::new();
    listens(&mut world, LogLevel::Debug, &LogTag::ALL);
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.streams_for(&mut world, 1_000);
    world.take_log();
    for _ in 0..300 {
        call.sender.sends_frame(&mut world);
        world.run_for(33);
    }
    assert_eq!(world.take_log(), []);
}

#[test]
fn nothing_is_suppressed_or_due_while_nobody_listens() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::vp8(CAMERA));
    for _ in 0..1_000 {
        world.network.inject(address(66, 6_666), call.outbound.rtp, vec![0x80; 40]);
    }
    world.receive();
    world.run_for(20_000);
    assert_eq!((world.take_log(), world.has_timers()), (vec![], false));
    assert_eq!(world.metric("log_lines_suppressed"), 0);
}
