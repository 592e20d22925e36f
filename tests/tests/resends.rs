//! What a receiver may have sent again: all that an honest one needs, and no more than a hostile one may cost.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::collections::BTreeSet;

use tidegate_tests::world::network::Direction;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::path::Impairment;
use tidegate_tests::world::peer::{CONSUMED, Call, Receiver};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::{Beginning, World};

const CAMERA: u32 = 0x1111;
const CONSUMED_RTX: u32 = 0xC000_0002;
/// What may always be asked for, in bytes.
const BURST: u64 = 64 << 10;

/// A call with NACK, and RTX to the receiver, in which media flows.
fn flowing(world: &mut World) -> Call {
    let source = Stream::vp8(CAMERA);
    let mut call = Call::with(world, &source, &source.consumed_as(CONSUMED).with_rtx(CONSUMED_RTX));
    call.sender.sends_key_frame(world);
    call
}

/// Tells the worker of a round trip of next to nothing.
fn report_no_round_trip(world: &mut World, receiver: &Receiver) {
    let last_sr = u32::try_from(world.wall() >> 16 & 0xFFFF_FFFF).unwrap();
    let block = Block { ssrc: CONSUMED, last_sr, ..Block::default() };
    receiver.sends_rtcp(world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
}

/// Asks, without the worker's turn, for as many times seventeen numbers up to `newest`: 300 items to a datagram.
fn asks_for_all(world: &mut World, receiver: &Receiver, newest: u16, items: u16) {
    let firsts: Vec<u16> =
        (1..=items).rev().map(|back| newest.wrapping_sub(back * 17).wrapping_add(1)).collect();
    for some in firsts.chunks(300) {
        let words = u16::try_from(2 + some.len()).unwrap();
        let mut bytes =
            [&[0x81, 205][..], &words.to_be_bytes(), &[0, 0, 0, 1], &CONSUMED.to_be_bytes()].concat();
        bytes.extend(some.iter().flat_map(|first| [first.to_be_bytes(), [0xFF; 2]].concat()));
        world.network.inject(receiver.address, receiver.to, bytes);
    }
}

#[test]
fn a_nack_storm_takes_no_more_than_the_stream_itself() {
    let mut world = World::new();
    let mut call = flowing(&mut world);
    call.sender.streams_for(&mut world, 3_000);
    let newest = *call.receiver.gets_numbers(&mut world).last().unwrap();
    report_no_round_trip(&mut world, &call.receiver);
    let before = world.transport_stats(call.outbound.id);
    let packets_held = world.packets_in_use();
    let mut newest = newest;
    for milli in 0..6_000_u64 {
        if milli % 33 == 0 {
            call.sender.sends_frame(&mut world);
            let got = call.receiver.gets(&mut world);
            let media: Vec<_> = got.iter().filter(|packet| packet.ssrc == CONSUMED).collect();
            assert_eq!(media.len(), 2, "media passes");
            newest = media[1].sequence;
        }
        asks_for_all(&mut world, &call.receiver, newest, 6);
        world.run_for(1);
    }
    let after = world.transport_stats(call.outbound.id);
    let sent = after.rtp_sent.bytes - before.rtp_sent.bytes;
    let resent = after.rtx_sent.bytes - before.rtx_sent.bytes;
    let saved = before.rtp_sent.bytes * 2_500 / 3_000 + BURST;
    assert!(resent <= sent + saved, "{resent} bytes were resent of {sent} sent");
    assert!(resent >= sent, "and so much is allowed: {resent} of {sent}");
    assert!(world.metric("resends_refused") > 1_000);
    assert!(world.packets_in_use() <= packets_held + 4, "a storm holds nothing");
    assert_eq!(world.consumer_stats(call.consumer).own.nack_packet_count, 6_000 * 6 * 17);
}

#[test]
fn a_storm_of_rtx_takes_no_memory() {
    let mut world = World::new();
    let mut call = flowing(&mut world);
    call.sender.streams_for(&mut world, 3_000);
    let newest = *call.receiver.gets_numbers(&mut world).last().unwrap();
    let held = |world: &World| (world.pool().charged_bytes, world.packets_in_use());
    let before = held(&world);
    for _ in 0..400 {
        asks_for_all(&mut world, &call.receiver, newest, 60);
        world.receive();
    }
    assert_eq!(held(&world), before);
    assert!(call.receiver.gets(&mut world).iter().any(|packet| packet.ssrc == CONSUMED_RTX));
}

#[test]
fn one_turn_looks_for_a_bounded_count_of_numbers() {
    let mut world = World::new();
    let mut call = flowing(&mut world);
    call.sender.sends_frame(&mut world);
    let newest = *call.receiver.gets_numbers(&mut world).last().unwrap();
    // 17 datagrams in one turn, each with 300 items of 17 numbers that were never sent; then what was.
    for _ in 0..17 {
        asks_for_all(&mut world, &call.receiver, newest.wrapping_sub(10_000), 300);
    }
    asks_for_all(&mut world, &call.receiver, newest, 1);
    world.receive();
    assert!(call.receiver.gets(&mut world).is_empty(), "it asked for too much at once");
    let asked = 17 * (17 * 300 + 1);
    assert_eq!(world.metric("resends_refused"), asked - 4_096);
    assert_eq!(world.consumer_stats(call.consumer).own.nack_packet_count, asked);
    world.run_for(1);
    asks_for_all(&mut world, &call.receiver, newest, 1);
    world.receive();
    assert_eq!(call.receiver.gets(&mut world).len(), 5, "the next turn is another");
}

/// The receiver's side of a lossy path: what it has, and what it asks for every 20 ms.
#[derive(Default)]
struct Honest {
    has: BTreeSet<u16>,
}

impl Honest {
    fn takes(&mut self, world: &mut World, receiver: &Receiver) {
        for packet in receiver.gets(world) {
            let original = || u16::from_be_bytes([packet.payload[0], packet.payload[1]]);
            self.has.insert(if packet.ssrc == CONSUMED { packet.sequence } else { original() });
        }
    }

    /// Of the last few hundred numbers, as browsers do.
    fn misses(&self) -> Vec<u16> {
        let Some(&newest) = self.has.last() else { return Vec::new() };
        let first = self.has.first().copied().unwrap_or(newest);
        (newest.saturating_sub(900).max(first)..newest).filter(|number| !self.has.contains(number)).collect()
    }

    fn asks(&self, world: &mut World, receiver: &Receiver) {
        let missing = self.misses();
        if !missing.is_empty() {
            receiver.nacks(world, CONSUMED, &missing);
        }
    }
}

#[test]
fn a_fifth_lost_each_way_is_repaired_in_full() {
    for seed in 1..=4 {
        let mut world = World::from(Beginning::of(seed));
        let mut call = flowing(&mut world);
        let mut honest = Honest::default();
        honest.takes(&mut world, &call.receiver);
        // The path has no delay: said truly, that lets the receiver ask many times while packets are kept.
        report_no_round_trip(&mut world, &call.receiver);
        let lossy = Impairment { loss_permille: 200, ..Impairment::default() };
        Direction::BOTH.iter().for_each(|way| world.network.impair(call.receiver.address, *way, lossy));
        // 3 Mb/s in frames of ten packets, key frames of forty.
        for tick in 0..900_u64 {
            if tick == 850 {
                world.network.lose_nothing();
            }
            if tick % 3 == 0 {
                let packets = if tick % 300 == 0 { 40 } else { 10 };
                call.sender.sends_frame_of(&mut world, tick % 300 == 0, &vec![1_000; packets]);
            }
            world.run_for(11);
            honest.takes(&mut world, &call.receiver);
            if tick % 2 == 0 {
                honest.asks(&mut world, &call.receiver);
                honest.takes(&mut world, &call.receiver);
            }
        }
        assert_eq!(honest.misses(), [0_u16; 0], "seed {seed}");
        assert_eq!(world.metric("resends_refused"), 0, "seed {seed}");
        let stats = world.transport_stats(call.outbound.id);
        assert!(stats.rtx_sent.packets * 6 > stats.rtp_sent.packets, "it was lossy");
    }
}

#[test]
fn a_lost_second_is_repaired_at_once() {
    let mut world = World::new();
    let mut call = flowing(&mut world);
    // Far away, so that packets are kept for long: 8 Mb/s.
    let sent_at = world.wall() >> 16 & 0xFFFF_FFFF;
    world.run_for(600);
    let block = Block { ssrc: CONSUMED, last_sr: u32::try_from(sent_at).unwrap(), ..Block::default() };
    call.receiver.sends_rtcp(&mut world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
    let mut second = |world: &mut World| {
        for _ in 0..30 {
            call.sender.sends_frame_of(world, false, &[1_000; 33]);
            world.run_for(33);
        }
        call.receiver.gets_numbers(world)
    };
    second(&mut world);
    second(&mut world);
    second(&mut world);
    let lost = second(&mut world);
    for some in lost.chunks(17 * 17) {
        call.receiver.nacks(&mut world, CONSUMED, some);
    }
    assert_eq!(call.receiver.gets(&mut world).len(), lost.len());
    assert_eq!(world.metric("resends_refused"), 0);
}
