//! The limit of packet memory: who must give way, what happens when nothing is left, and what comes back.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::event::Event;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Call, Sender};
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::{Beginning, World};

const LIMIT: usize = 2 << 20;
const SLOW: u32 = 0x1111;
const FAST: u32 = 0x2222;

fn small_world() -> World {
    World::from(Beginning { packet_memory_limit_bytes: LIMIT, ..Beginning::default() })
}

/// A call and a second, fast sender in it, consumed by the same receiver as the stream after the call's. The call's
/// consumer is that of the fast one.
fn with_fast_sender(world: &mut World) -> (Call, Sender) {
    let (slow, fast) = (Stream::vp8(SLOW), Stream::vp8(FAST));
    let mut call = Call::of(world, &slow);
    let producer = world.produce(call.inbound.id, &fast);
    call.consumer = world.consume(call.outbound.id, producer, &fast, &fast.consumed_as(CONSUMED + 1));
    let mut sender = Sender::new(call.sender.address, call.sender.to, fast);
    call.sender.sends_frame_of(world, true, &[1_000]);
    sender.sends_frame_of(world, true, &[1_000]);
    (call, sender)
}

fn memory_events(world: &mut World) -> Vec<u64> {
    let events = world.take_events().into_iter();
    let dropped = events.filter_map(|event| match event {
        Event::MemoryLimit { limit_bytes, dropped } => {
            assert_eq!(limit_bytes, LIMIT as u64);
            Some(dropped)
        }
        _ => None,
    });
    dropped.collect()
}

/// What the receiver got of one consumer, oldest first.
fn numbers_of(ssrc: u32, packets: &[RtpPacket]) -> Vec<u16> {
    packets.iter().filter(|packet| packet.ssrc == ssrc).map(|packet| packet.sequence).collect()
}

#[test]
fn fast_sender_loses_its_oldest_packets_and_the_slow_one_none() {
    let mut world = small_world();
    let (mut call, mut fast) = with_fast_sender(&mut world);
    let (mut slow_sent, mut fast_sent) = (1, 1);
    for _ in 0..80 {
        slow_sent += call.sender.sends_frame_of(&mut world, false, &[1_000]).len();
        fast_sent += fast.sends_frame_of(&mut world, false, &[1_000; 50]).len();
        world.run_for(5);
    }
    let got = call.receiver.gets(&mut world);
    let (slow, fast) = (numbers_of(CONSUMED, &got), numbers_of(CONSUMED + 1, &got));
    assert_eq!((slow.len(), fast.len()), (slow_sent, fast_sent), "everything was forwarded");
    let evicted = world.metric("packets_evicted");
    assert_eq!(evicted + world.packets_in_use() as u64, (slow_sent + fast_sent) as u64);
    assert!(evicted > 2_000, "{evicted}");
    assert!(world.held_bytes() > LIMIT / 2, "what there is is used");
    let mut answers = |media, asked: &[u16]| {
        call.receiver.nacks(&mut world, media, asked);
        call.receiver.gets(&mut world).len()
    };
    assert_eq!(answers(CONSUMED, &slow), slow.len(), "400 ms of the slow one are there");
    let newest = &fast[fast.len() - 200..];
    assert_eq!(answers(CONSUMED + 1, newest), 200, "the fast one has its newest");
    assert_eq!(answers(CONSUMED + 1, &fast[..200]), 0, "and not its oldest");
    assert!(memory_events(&mut world).is_empty(), "nothing was refused");
}

#[test]
fn at_the_limit_packets_are_dropped_counted_and_told_once_a_second() {
    let mut world = small_world();
    let (mut call, mut fast) = with_fast_sender(&mut world);
    world.take_events();
    let mut told = Vec::new();
    let mut sent = 0;
    // More in one turn than memory holds; what is over is lost, nothing else happens.
    for _ in 0..5 {
        sent += fast.sends_frame_of(&mut world, false, &[1_000; 2_000]).len();
        told.push(memory_events(&mut world));
        world.run_for(300);
    }
    let got = numbers_of(CONSUMED + 1, &call.receiver.gets(&mut world)).len() - 1;
    let dropped = world.transport_stats(call.inbound.id).dropped.no_memory;
    assert!(dropped > 2_000 && got > 2_000, "{dropped} dropped, {got} forwarded");
    assert_eq!(dropped + got as u64, sent as u64, "all are counted");
    let events: Vec<_> = told.iter().map(Vec::len).collect();
    assert_eq!(events, [1, 0, 0, 0, 1], "once a second");
    assert!(told[0][0] >= 600 && told[4][0] > told[0][0], "{told:?}");
    call.sender.sends_frame_of(&mut world, true, &[1_000]);
    assert_eq!(call.receiver.gets(&mut world).len(), 1, "the next turn has room again");
}

#[test]
fn a_turn_that_fills_packet_memory_leaves_room_to_remember_its_packets_for_four_consumers() {
    let mut world = small_world();
    let fast = Stream::vp8(FAST);
    let mut call = Call::of(&mut world, &fast);
    let mut consumers = vec![call.consumer];
    for ssrc in [CONSUMED + 1, CONSUMED + 2, CONSUMED + 3] {
        consumers.push(world.consume(call.outbound.id, call.producer, &fast, &fast.consumed_as(ssrc)));
    }
    let sent = call.sender.sends_frame_of(&mut world, true, &[1_000; 2_000]).len();
    let dropped = world.transport_stats(call.inbound.id).dropped.no_memory;
    let admitted = sent - usize::try_from(dropped).unwrap();
    assert!(dropped > 500 && admitted > 1_000, "{dropped} dropped of {sent}");
    let got = call.receiver.gets(&mut world);
    for (consumer, ssrc) in consumers.into_iter().zip(CONSUMED..) {
        let numbers = numbers_of(ssrc, &got);
        let discarded = world.consumer_stats(consumer).own.packets_discarded;
        assert_eq!((numbers.len(), discarded), (admitted, 0), "to {ssrc:x}");
        for asked in numbers[admitted - 600..].chunks(200) {
            call.receiver.nacks(&mut world, ssrc, asked);
            assert_eq!(call.receiver.gets(&mut world).len(), 200, "asked again by {ssrc:x}");
        }
    }
}

#[test]
fn big_turns_lose_no_live_packet_while_there_are_old_ones_to_forget() {
    let mut world = small_world();
    let (call, mut fast) = with_fast_sender(&mut world);
    let mut sent = 1;
    for _ in 0..40 {
        sent += fast.sends_frame_of(&mut world, false, &[1_000; 250]).len();
        world.run_for(5);
    }
    let got = numbers_of(CONSUMED + 1, &call.receiver.gets(&mut world)).len();
    // The first big turns may find the reserve of small ones.
    let dropped = world.transport_stats(call.inbound.id).dropped.no_memory;
    assert!(got + 100 > sent && dropped < 100, "{dropped} dropped, {got} of {sent} forwarded");
    assert!(world.metric("packets_evicted") > 5_000);
}

#[test]
fn memory_goes_back_when_the_flood_is_over() {
    let mut world = small_world();
    let (mut call, mut fast) = with_fast_sender(&mut world);
    for _ in 0..20 {
        fast.sends_frame_of(&mut world, false, &[1_000; 100]);
        world.run_for(10);
    }
    assert!(world.held_bytes() > LIMIT / 2);
    world.run_for(700);
    assert_eq!(world.packets_in_use(), 0);
    world.run_for(60_000);
    let pool = world.pool();
    assert!(pool.large.chunks <= 1 && pool.small.chunks <= 1, "{pool:?}");
    assert_eq!(pool.charged_bytes, 0);
    call.sender.sends_key_frame(&mut world);
    call.receiver.gets(&mut world);
    call.sender.sends_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world).len(), 2);
}

#[test]
fn an_idle_worker_has_no_timer() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(SLOW));
    call.sender.streams_for(&mut world, 2_000);
    world.run_for(60_000);
    assert!(!world.has_timers());
    call.sender.streams_for(&mut world, 100);
    assert!(world.has_timers());
}

#[test]
fn small_packets_are_kept_in_small_buffers() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream { nack: true, ..Stream::opus(SLOW) });
    for _ in 0..20 {
        call.sender.sends_sound(&mut world);
        world.run_for(20);
    }
    let pool = world.pool();
    assert_eq!((pool.small.in_use, pool.large.in_use), (20, 0));
}
