//! Packets that come late: a key frame's first one behind others of it, and any one of a stream, repaired or overtaken.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::request::Command;
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Call};
use tidegate_tests::world::rtp::RtpPacket;

const CAMERA: u32 = 0x1111;
const CAMERA_RTX: u32 = 0x1112;
const SIZES: [usize; 6] = [500, 510, 900, 530, 540, 550];

fn are_consecutive(packets: &[RtpPacket]) -> bool {
    packets.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1))
}

fn payloads(packets: &[RtpPacket]) -> Vec<&[u8]> {
    packets.iter().map(|packet| &packet.payload[..]).collect()
}

/// The packets in this order.
fn ordered(packets: &[RtpPacket], order: &[usize]) -> Vec<RtpPacket> {
    order.iter().map(|index| packets[*index].clone()).collect()
}

#[test]
fn a_key_frame_in_any_order_is_begun_with_whole_and_in_order() {
    // Each list is what comes in one turn. In the second row of cases sequence numbers wrap within the frame.
    let orders: [&[&[usize]]; 5] = [
        &[&[1, 0, 2, 3, 4, 5]],
        &[&[5, 4, 3, 2, 1, 0]],
        &[&[1], &[0], &[2, 3, 4, 5]],
        &[&[3, 5], &[1, 2, 4], &[0]],
        &[&[5], &[4], &[3], &[2], &[1], &[0]],
    ];
    for first in [5_000, 65_533] {
        for nack in [true, false] {
            for order in orders {
                let mut world = World::new();
                let mut call = Call::of(&mut world, &Stream { nack, ..Stream::vp8(CAMERA) });
                call.sender.sequence = first;
                let frame = call.sender.frame(true, &SIZES);
                for turn in order {
                    call.sender.sends(&mut world, &ordered(&frame, turn));
                    world.run_for(3);
                }
                let got = call.receiver.gets(&mut world);
                let said = format!("{order:?} from {first}, NACK: {nack}");
                let mut in_order = got.clone();
                in_order.sort_by_key(|packet| packet.sequence);
                assert_eq!(payloads(&in_order), payloads(&frame), "{said}");
                assert!(are_consecutive(&in_order), "{said}");
                assert_eq!(got[0].payload, frame[0].payload, "{said}: it begins with the first");
                let next = call.sender.sends_frame(&mut world);
                let after = call.receiver.gets(&mut world);
                assert_eq!(payloads(&after), payloads(&next), "{said}");
                assert_eq!(after[0].sequence, in_order[5].sequence.wrapping_add(1), "{said}");
            }
        }
    }
}

#[test]
fn a_key_frame_whose_first_packet_is_repaired_is_begun_with() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA).with_rtx(CAMERA_RTX));
    call.sender.sends_frame(&mut world);
    let frame = call.sender.frame(true, &SIZES);
    call.sender.sends(&mut world, &frame[1..]);
    world.run_for(33);
    let following = call.sender.sends_frame(&mut world);
    world.run_for(100);
    assert_eq!(call.receiver.gets(&mut world), [], "not before its first packet");
    let again = call.sender.retransmission(&frame[0]);
    call.sender.sends(&mut world, &[again]);
    let got = call.receiver.gets(&mut world);
    assert_eq!(
        payloads(&got),
        payloads(&[frame, following].concat()),
        "nothing that came meanwhile is missing"
    );
    assert!(are_consecutive(&got));
}

#[test]
fn what_is_still_missing_of_a_key_frame_begun_late_has_its_place() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let mut frame = call.sender.frame(true, &SIZES);
    // Padding that probes the way to us has a number too, and is none of the receiver's.
    let mut probe = call.sender.packet(Vec::new());
    probe.padding = 100;
    frame.push(probe);
    call.sender.sends(&mut world, &ordered(&frame, &[1, 4, 5, 6]));
    world.run_for(5);
    call.sender.sends(&mut world, &ordered(&frame, &[0]));
    world.run_for(5);
    call.sender.sends(&mut world, &ordered(&frame, &[3, 2]));
    call.sender.sends_frame(&mut world);
    let mut got = call.receiver.gets(&mut world);
    got.sort_by_key(|packet| packet.sequence);
    assert!(are_consecutive(&got) && got.len() == 8);
    assert_eq!(payloads(&got[..6]), payloads(&frame[..6]));
}

#[test]
fn who_joins_within_a_key_frame_does_not_begin_with_its_late_first_packet() {
    let mut world = World::new();
    let source = Stream { nack: false, ..Stream::vp8(CAMERA) };
    let mut call = Call::of(&mut world, &source);
    call.sender.sends_key_frame(&mut world);
    let frame = call.sender.frame(true, &SIZES);
    call.sender.sends(&mut world, &frame[1..4]);
    let (late, ..) = call.joined_by(&mut world, 3, &call.received.consumed_as(CONSUMED + 1));
    call.sender.sends(&mut world, &frame[4..]);
    call.sender.sends(&mut world, &frame[..1]);
    assert_eq!(late.gets(&mut world), [], "packets 1 to 3 are gone");
    let next = call.sender.sends_key_frame(&mut world);
    assert_eq!(payloads(&late.gets(&mut world)), payloads(&next));
}

#[test]
fn a_first_packet_that_comes_after_the_rest_was_forgotten_is_not_begun_with() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let frame = call.sender.frame(true, &SIZES);
    call.sender.sends(&mut world, &frame[1..]);
    world.run_for(1_500);
    call.sender.plis(&mut world);
    call.sender.sends(&mut world, &frame[..1]);
    assert_eq!(call.receiver.gets(&mut world), []);
    assert_eq!(world.packets_in_use(), 1, "and those who wait hold nothing for long");
    world.run_for(1_500);
    assert_eq!(world.packets_in_use(), 0);
}

#[test]
fn a_late_first_packet_of_a_key_frame_from_before_a_pause_is_not_begun_with() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_key_frame(&mut world);
    let frame = call.sender.frame(true, &SIZES);
    call.sender.sends(&mut world, &frame[1..]);
    let before = call.receiver.gets(&mut world);
    world.done(Command::PauseConsumer { consumer: call.consumer });
    world.done(Command::ResumeConsumer { consumer: call.consumer });
    call.sender.sends(&mut world, &frame[..1]);
    assert_eq!(call.receiver.gets(&mut world), [], "the rest of it would come twice");
    call.sender.sends_key_frame(&mut world);
    let after = call.receiver.gets(&mut world);
    assert_eq!(after[0].sequence, before.last().unwrap().sequence.wrapping_add(1));
}

#[test]
fn a_late_sound_from_before_a_pause_stays_out() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(CAMERA));
    call.sender.sends_sound(&mut world);
    let late = call.sender.sound();
    call.sender.sends_sound(&mut world);
    let before = call.receiver.gets(&mut world);
    world.done(Command::PauseConsumer { consumer: call.consumer });
    world.done(Command::ResumeConsumer { consumer: call.consumer });
    call.sender.sends(&mut world, &[late]);
    assert_eq!(call.receiver.gets(&mut world), []);
    call.sender.sends_sound(&mut world);
    let after = call.receiver.gets(&mut world);
    assert_eq!(after[0].sequence, before[1].sequence.wrapping_add(1));
}

#[test]
fn a_packet_overtaken_by_hundreds_is_forwarded_to_who_cannot_ask_too() {
    for nack in [true, false] {
        let mut world = World::new();
        let mut call = Call::of(&mut world, &Stream { nack, ..Stream::vp8(CAMERA) });
        call.sender.sends_key_frame(&mut world);
        call.receiver.gets(&mut world);
        let late = call.sender.frame(false, &[700]);
        let mut newest = 0;
        for overtaken in 0..280_usize {
            call.sender.sends_frame_of(&mut world, false, &[100; 5]);
            newest = call.receiver.gets(&mut world).last().unwrap().sequence;
            world.run_for(1);
            if overtaken == 3 {
                call.sender.sends(&mut world, &late);
                let got = call.receiver.gets(&mut world);
                assert_eq!(payloads(&got), payloads(&late), "overtaken by 20; NACK: {nack}");
                assert_eq!(got[0].sequence, newest.wrapping_sub(20));
            }
        }
        let again = call.sender.frame(false, &[710]);
        for _ in 0..280 {
            call.sender.sends_frame_of(&mut world, false, &[100; 5]);
            newest = call.receiver.gets(&mut world).last().unwrap().sequence;
            world.run_for(3);
        }
        call.sender.sends(&mut world, &again);
        let got = call.receiver.gets(&mut world);
        assert_eq!(payloads(&got), payloads(&again), "overtaken by 1,400; NACK: {nack}");
        assert_eq!(got[0].sequence, newest.wrapping_sub(1_400));
        call.sender.sends(&mut world, &[late, again].concat());
        assert_eq!(call.receiver.gets(&mut world), [], "once each");
    }
}

#[test]
fn a_storm_of_duplicates_is_forwarded_once_and_holds_nothing() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_key_frame(&mut world);
    let frames: Vec<RtpPacket> = (0..20).flat_map(|_| call.sender.sends_frame(&mut world)).collect();
    assert_eq!(call.receiver.gets(&mut world).len(), 43);
    let held = world.packets_in_use();
    for _ in 0..50 {
        call.sender.sends(&mut world, &frames);
        world.run_for(1);
    }
    assert_eq!(call.receiver.gets(&mut world), []);
    assert_eq!(world.packets_in_use(), held);
    assert_eq!(world.producer_stats(call.producer).packets_discarded, 50 * 40);
    let next = call.sender.sends_frame(&mut world);
    assert_eq!(payloads(&call.receiver.gets(&mut world)), payloads(&next));
}
