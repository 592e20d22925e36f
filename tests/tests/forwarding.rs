//! What a consumer's peer gets of what a producer's peer sends.
//!
//! Whole workers in a simulated world: every fact is one that a peer could see.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::ConsumerId;
use tidegate_protocol::request::Command;
use tidegate_tests::world::parameters::{
    ABS_SEND_TIME, AUDIO_LEVEL, MID, Stream, TRANSPORT_WIDE_CC, VIDEO_ORIENTATION,
};
use tidegate_tests::world::peer::{CONSUMED, Call, Sender, address, receiver};
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::{Beginning, World};
use tidegate_worker::worker::WorkerSettings;

const CAMERA: u32 = 0x1111;

fn vp8_call(world: &mut World) -> Call {
    Call::of(world, &Stream::vp8(CAMERA))
}

/// A call in which media flows already; what was sent so far is forgotten.
fn flowing(world: &mut World, source: &Stream) -> Call {
    let mut call = Call::of(world, source);
    call.sender.sends_key_frame(world);
    assert_eq!(call.receiver.gets(world).len(), 3);
    call
}

fn numbers(packets: &[RtpPacket]) -> Vec<u16> {
    packets.iter().map(|packet| packet.sequence).collect()
}

fn are_consecutive(numbers: &[u16]) -> bool {
    numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1))
}

#[test]
fn video_starts_at_a_key_frame() {
    let mut world = World::new();
    let mut call = vp8_call(&mut world);
    call.sender.sends_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world), []);
    let sent = call.sender.sends_key_frame(&mut world);
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.len(), sent.len());
    assert_eq!(got[0].payload, sent[0].payload);
}

#[test]
fn sound_starts_at_once() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    call.sender.sends_sound(&mut world);
    assert_eq!(call.receiver.gets(&mut world).len(), 1);
    assert!(call.sender.hears(&mut world).is_empty(), "nobody asks for a key frame of sound");
}

/// Neither who joins nor who goes on after a pause can begin with a packet behind which others came before: these would
/// be holes that nobody can fill.
#[test]
fn nobody_begins_with_sound_that_comes_late() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream { nack: true, ..Stream::opus(CAMERA) });
    call.sender.sends_sound(&mut world);
    let before = numbers(&call.receiver.gets(&mut world));
    let late = call.sender.sound();
    call.sender.sends_sound(&mut world);
    let still = numbers(&call.receiver.gets(&mut world));
    assert_eq!(still, [before[0].wrapping_add(2)]);
    world.done(Command::PauseConsumer { consumer: call.consumer });
    call.sender.sends_sound(&mut world);
    world.done(Command::ResumeConsumer { consumer: call.consumer });
    let received = Stream::opus(CAMERA).consumed_as(CONSUMED);
    let (other, ..) = call.joined_by(&mut world, 3, &received);
    call.sender.sends(&mut world, &[late]);
    assert_eq!((call.receiver.gets(&mut world), other.gets(&mut world)), (vec![], vec![]));
    let sent = [call.sender.sends_sound(&mut world), call.sender.sends_sound(&mut world)];
    for (receiver, follows) in [(call.receiver, still.first()), (other, None)] {
        let got = receiver.gets(&mut world);
        assert_eq!(
            got.iter().map(|packet| &packet.payload).collect::<Vec<_>>(),
            [&sent[0].payload, &sent[1].payload]
        );
        assert!(are_consecutive(&numbers(&got)));
        assert!(follows.is_none_or(|last| got[0].sequence == last.wrapping_add(1)), "without a hole");
    }
}

#[test]
fn packets_carry_the_consumers_names_and_the_senders_content() {
    let mut world = World::new();
    let mut call = vp8_call(&mut world);
    let mut sent = call.sender.frame(true, &[900, 1_100, 500]);
    sent[1].csrcs = vec![7, 8, 9];
    call.sender.sends(&mut world, &sent);
    let got = call.receiver.gets(&mut world);
    assert!(are_consecutive(&numbers(&got)) && (1_000..=32_767).contains(&got[0].sequence));
    for (sent, got) in sent.iter().zip(&got) {
        assert_eq!((got.ssrc, got.payload_type), (CONSUMED, call.received.payload_type));
        assert_eq!((got.marker, got.timestamp), (sent.marker, sent.timestamp));
        assert_eq!((&got.payload, &got.csrcs), (&sent.payload, &sent.csrcs));
        assert_eq!(got.extensions, []);
    }
}

#[test]
fn extensions_are_translated_between_the_ends() {
    for (orientation, two_byte) in [(13, false), (13, true), (99, true)] {
        let mut world = World::new();
        let source = Stream::vp8(CAMERA).with_mid("in").with_extensions(&[
            (MID, 1),
            (ABS_SEND_TIME, 2),
            (VIDEO_ORIENTATION, orientation),
        ]);
        let received = source.consumed_as(CONSUMED).with_mid("out").with_extensions(&[
            (VIDEO_ORIENTATION, 5),
            (MID, 6),
            (ABS_SEND_TIME, 7),
            (AUDIO_LEVEL, 8),
        ]);
        let mut call = Call::with(&mut world, &source, &received);
        let mut sent = call.sender.frame(true, &[500]);
        sent[0].extensions =
            vec![(1, b"in".to_vec()), (2, vec![1, 2, 3]), (orientation, vec![0x0B]), (12, vec![9])];
        sent[0].two_byte = two_byte;
        call.sender.sends(&mut world, &sent);
        let got = call.receiver.gets(&mut world);
        assert_eq!(got[0].extension(6), Some(&b"out"[..]));
        assert_eq!(got[0].extension(5), Some(&[0x0B][..]));
        assert_eq!(got[0].extension(7), Some(&abs_send_time(world.wall())[..]));
        assert_eq!(
            got[0].extensions.len(),
            3,
            "what the sender did not send and what is unknown is not there"
        );
    }
}

/// 6.18 fixed point seconds.
fn abs_send_time(ntp: u64) -> [u8; 3] {
    let [_, _, _, seconds, fraction @ ..] = ntp.to_be_bytes();
    let shifted = u32::from_be_bytes([seconds, fraction[0], fraction[1], fraction[2]]) << 2;
    let [value @ .., _] = shifted.to_be_bytes();
    value
}

#[test]
fn a_two_byte_id_of_the_consumer_makes_two_byte_headers() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA);
    let received = source.consumed_as(CONSUMED).with_mid("m").with_extensions(&[(MID, 200)]);
    let mut call = Call::with(&mut world, &source, &received);
    call.sender.sends_key_frame(&mut world);
    let got = call.receiver.gets(&mut world);
    assert!(got.iter().all(|packet| packet.two_byte && packet.extension(200) == Some(b"m")));
}

#[test]
fn transport_wide_numbers_count_all_packets_of_a_transport() {
    let mut world = World::new();
    let (video, sound) = (Stream::vp8(CAMERA), Stream::opus(0x2222));
    let wide = |stream: &Stream, ssrc| stream.consumed_as(ssrc).with_extensions(&[(TRANSPORT_WIDE_CC, 3)]);
    let mut call = Call::with(&mut world, &video, &wide(&video, CONSUMED));
    let microphone = world.produce(call.inbound.id, &sound);
    world.consume(call.outbound.id, microphone, &sound, &wide(&sound, CONSUMED + 1));
    let mut speaker = Sender::new(call.sender.address, call.sender.to, sound);
    call.sender.sends_key_frame(&mut world);
    speaker.sends_sound(&mut world);
    call.sender.sends_frame(&mut world);
    let got = call.receiver.gets(&mut world);
    let wide: Vec<u16> = got
        .iter()
        .map(|packet| packet.extension(3).map(|value| u16::from_be_bytes([value[0], value[1]])).unwrap())
        .collect();
    assert_eq!(wide.len(), 6);
    assert!(are_consecutive(&wide), "{wide:?}");
}

#[test]
fn every_consumer_has_numbers_of_its_own() {
    let mut world = World::new();
    let mut call = vp8_call(&mut world);
    let received = call.sender.stream.consumed_as(CONSUMED + 1);
    let (second, ..) = call.joined_by(&mut world, 3, &received);
    call.sender.sends_key_frame(&mut world);
    let (first, second) = (call.receiver.gets(&mut world), second.gets(&mut world));
    assert_eq!((first.len(), second.len()), (3, 3));
    assert_ne!(first[0].sequence, second[0].sequence);
    assert_eq!(first[0].payload, second[0].payload);
}

#[test]
fn numbers_and_timestamps_go_on_over_their_edges() {
    let mut world = World::new();
    let mut call = vp8_call(&mut world);
    (call.sender.sequence, call.sender.timestamp) = (65_534, u32::MAX - 2_000);
    let mut sent = call.sender.sends_key_frame(&mut world);
    for _ in 0..3 {
        sent.extend(call.sender.sends_frame(&mut world));
    }
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.len(), 9);
    assert!(are_consecutive(&numbers(&got)));
    assert!(got.iter().zip(&sent).all(|(got, sent)| got.timestamp == sent.timestamp));
}

#[test]
fn own_numbers_go_on_over_their_edge() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    let mut last = None;
    for _ in 0..70_000 {
        call.sender.sends_sound(&mut world);
        for number in call.receiver.gets_numbers(&mut world) {
            assert!(last.is_none_or(|last: u16| number == last.wrapping_add(1)), "{last:?} {number}");
            last = Some(number);
        }
    }
    assert!(last.is_some());
}

#[test]
fn reordered_packets_keep_their_order_and_their_holes_are_filled() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let mut sent = call.sender.frame(false, &[100, 200, 300, 400]);
    sent.swap(1, 2);
    call.sender.sends(&mut world, &sent[..2]);
    world.run_for(3);
    call.sender.sends(&mut world, &sent[2..]);
    let got = call.receiver.gets(&mut world);
    let first = got[0].sequence;
    assert_eq!(numbers(&got), [first, first + 2, first + 1, first + 3]);
    assert_eq!(got[2].payload, sent[2].payload);
}

#[test]
fn duplicates_are_dropped() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let sent = call.sender.sends_frame(&mut world);
    call.sender.sends(&mut world, &sent);
    assert_eq!(call.receiver.gets(&mut world).len(), 2);
    assert_eq!(world.producer_stats(call.producer).packets_discarded, 2);
}

#[test]
fn padding_alone_is_not_forwarded_and_leaves_no_gap() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let before = call.sender.sends_frame(&mut world);
    let mut probe = call.sender.packet(Vec::new());
    probe.padding = 200;
    call.sender.sends(&mut world, &[probe]);
    let after = call.sender.sends_frame(&mut world);
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.len(), before.len() + after.len());
    assert!(are_consecutive(&numbers(&got)));
}

#[test]
fn padding_behind_a_payload_is_not_forwarded() {
    let mut world = World::from(Beginning { settings: unpadded(), ..Beginning::default() });
    let mut call = vp8_call(&mut world);
    let mut sent = call.sender.frame(true, &[500]);
    sent[0].padding = 77;
    call.sender.sends(&mut world, &sent);
    let got = call.receiver.gets(&mut world);
    assert_eq!((got[0].padding, &got[0].payload), (0, &sent[0].payload));
}

fn unpadded() -> WorkerSettings {
    WorkerSettings { equalize_padding: false, ..WorkerSettings::default() }
}

#[test]
fn packets_of_nearly_one_size_leave_as_one_message() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.network.take_messages();
    let sent = call.sender.sends_frame_of(&mut world, false, &[1_057, 1_058, 1_058, 1_057, 700]);
    let messages = world.network.take_messages();
    let to_receiver: Vec<_> = messages.iter().filter(|message| message.to == call.receiver.address).collect();
    assert_eq!(to_receiver.len(), 1, "{to_receiver:?}");
    assert_eq!((to_receiver[0].segments, to_receiver[0].segment_bytes), (5, 12 + 1_058));
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.iter().map(|packet| packet.padding).collect::<Vec<_>>(), [1, 0, 0, 1, 0]);
    assert!(got.iter().zip(&sent).all(|(got, sent)| got.payload == sent.payload));
}

#[test]
fn without_equalize_padding_nothing_is_padded() {
    let mut world = World::from(Beginning { settings: unpadded(), ..Beginning::default() });
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_frame_of(&mut world, false, &[1_057, 1_058, 1_058, 1_057, 700]);
    assert!(call.receiver.gets(&mut world).iter().all(|packet| packet.padding == 0));
}

#[test]
fn sound_is_never_padded() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    let sent = [80, 81, 80].map(|size| call.sender.packet(vec![1; size]));
    call.sender.sends(&mut world, &sent);
    assert!(call.receiver.gets(&mut world).iter().all(|packet| packet.padding == 0));
}

#[test]
fn resumed_consumer_continues_at_a_key_frame_without_a_gap() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let last = call.sender.sends_frame(&mut world);
    let before = call.receiver.gets(&mut world);
    world.done(Command::PauseConsumer { consumer: call.consumer });
    call.sender.sends_frame(&mut world);
    world.run_for(2_000);
    call.sender.timestamp = call.sender.timestamp.wrapping_add(180_000);
    call.sender.plis(&mut world);
    world.done(Command::ResumeConsumer { consumer: call.consumer });
    assert_eq!(call.sender.plis(&mut world), 1, "a key frame is asked for");
    call.sender.sends_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world), [], "and waited for");
    let key_frame = call.sender.sends_key_frame(&mut world);
    let after = call.receiver.gets(&mut world);
    assert_eq!(after[0].sequence, before.last().unwrap().sequence.wrapping_add(1));
    let (sent, got) = (key_frame[0].timestamp - last[0].timestamp, after[0].timestamp - before[0].timestamp);
    assert_eq!(got, sent, "timestamps went on with time");
}

#[test]
fn resumed_producer_continues_at_a_key_frame_without_a_gap() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_frame(&mut world);
    let before = call.receiver.gets_numbers(&mut world);
    world.done(Command::PauseProducer { producer: call.producer });
    call.sender.sends_key_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world), []);
    call.sender.plis(&mut world);
    world.run_for(1_000);
    world.done(Command::ResumeProducer { producer: call.producer });
    assert_eq!(call.sender.plis(&mut world), 1, "a key frame is asked for");
    call.sender.sends_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world), [], "and waited for");
    call.sender.sends_key_frame(&mut world);
    let after = call.receiver.gets_numbers(&mut world);
    assert_eq!(after[0], before.last().unwrap().wrapping_add(1));
    let events = world.take_events();
    let consumer = call.consumer;
    let pauses: Vec<_> = events
        .into_iter()
        .filter(|event| !matches!(event, Event::ProducerScore { .. } | Event::ConsumerScore { .. }))
        .collect();
    assert!(matches!(pauses[0], Event::PlainTuple { .. }));
    let expected = [Event::ConsumerProducerPaused { consumer }, Event::ConsumerProducerResumed { consumer }];
    assert_eq!(pauses[1..], expected);
}

#[test]
fn paused_from_the_start_nothing_is_sent() {
    let mut world = World::new();
    let call = vp8_call(&mut world);
    let mut sender = call.sender.clone();
    let received = call.received.consumed_as(CONSUMED + 1);
    let (transport, late) = receiver(&mut world, call.router, address(9, 9_000));
    let consumer = ConsumerId(world.new_id());
    let mut consume = received.consume(transport.id, consumer, call.producer, &sender.stream);
    if let Command::Consume { paused, .. } = &mut consume {
        *paused = true;
    }
    world.request(consume).unwrap();
    sender.sends_key_frame(&mut world);
    assert_eq!(late.gets(&mut world), []);
    world.done(Command::ResumeConsumer { consumer });
    sender.sends_key_frame(&mut world);
    assert_eq!(late.gets(&mut world).len(), 3);
}

#[test]
fn restarted_sender_is_followed_without_a_seam() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let last = call.sender.sends_frame(&mut world);
    let before = call.receiver.gets(&mut world);
    call.sender.plis(&mut world);
    world.run_for(1_000);
    call.sender.sequence = call.sender.sequence.wrapping_add(30_000);
    call.sender.timestamp = 123;
    call.sender.sends_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world), [], "not before a key frame");
    assert_eq!(call.sender.plis(&mut world), 1);
    call.sender.sends_key_frame(&mut world);
    let after = call.receiver.gets(&mut world);
    assert_eq!(after.len(), 3);
    assert_eq!(after[0].sequence, before.last().unwrap().sequence.wrapping_add(1));
    assert_eq!(before[0].timestamp, last[0].timestamp);
    assert_eq!(after[0].timestamp - before[0].timestamp, 90_000, "a second later");
}

#[test]
fn sender_restarted_just_behind_its_old_numbers_is_followed_from_its_second_packet_on() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    for _ in 0..100 {
        call.sender.sends_frame(&mut world);
        world.run_for(33);
    }
    let before = call.receiver.gets(&mut world);
    call.sender.plis(&mut world);
    call.sender.sequence = call.sender.sequence.wrapping_sub(120);
    call.sender.timestamp = 3_000_000_000;
    call.sender.sends_frame(&mut world);
    assert_eq!(call.sender.plis(&mut world), 1, "its second packet has shown that it began anew");
    call.sender.sends_key_frame(&mut world);
    let after = call.receiver.gets(&mut world);
    assert_eq!(after.len(), 3);
    assert_eq!(after[0].sequence, before.last().unwrap().sequence.wrapping_add(1));
    for _ in 0..100 {
        call.sender.sends_frame(&mut world);
        world.run_for(33);
    }
    assert_eq!(call.receiver.gets(&mut world).len(), 200, "over its old numbers, too");
    let stats = world.producer_stats(call.producer);
    assert_eq!((stats.packets_lost, stats.packets_discarded), (0, 1));
}

#[test]
fn packets_sent_again_after_a_long_pause_are_late_and_no_restart() {
    // Without RTX: the resends have the stream's own SSRC and numbers.
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let lost = call.sender.frame(false, &[900, 900, 900]);
    world.run_for(30_000);
    call.sender.timestamp = call.sender.timestamp.wrapping_add(30 * 90_000);
    call.sender.sends_frame(&mut world);
    call.receiver.gets(&mut world);
    for _ in 0..3 {
        call.sender.sends(&mut world, &lost);
        world.run_for(100);
    }
    assert_eq!(call.receiver.gets(&mut world).len(), 3);
    assert_eq!(call.sender.plis(&mut world), 0);
}

#[test]
fn a_lone_packet_from_far_away_disturbs_nobody() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let mut stray = call.sender.frame(false, &[100]);
    stray[0].sequence = stray[0].sequence.wrapping_add(20_000);
    call.sender.sequence -= 1;
    call.sender.sends(&mut world, &stray);
    assert_eq!(call.receiver.gets(&mut world), []);
    call.sender.sends_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world).len(), 2);
}

#[test]
fn silence_is_left_out_without_a_gap_where_it_was_agreed() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    let received = call.sender.stream.consumed_as(CONSUMED + 1);
    let consumer = ConsumerId(world.new_id());
    let mut consume = received.consume(call.outbound.id, consumer, call.producer, &call.sender.stream);
    if let Command::Consume { ignore_dtx, .. } = &mut consume {
        *ignore_dtx = true;
    }
    world.request(consume).unwrap();
    call.sender.sends_sound(&mut world);
    let silence = call.sender.packet(vec![0xF8]);
    call.sender.sends(&mut world, &[silence]);
    call.sender.sends_sound(&mut world);
    let got = call.receiver.gets(&mut world);
    let of = |ssrc| got.iter().filter(move |packet| packet.ssrc == ssrc).map(|packet| packet.sequence);
    let (all, spoken): (Vec<_>, Vec<_>) = (of(CONSUMED).collect(), of(CONSUMED + 1).collect());
    assert_eq!((all.len(), spoken.len()), (3, 2));
    assert!(are_consecutive(&all) && are_consecutive(&spoken));
}
