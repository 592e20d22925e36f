//! What the pool promises to its users, one by one. The random walk against a model is in `model.rs`.

use super::*;
use crate::base::time::Time;

fn fill(pool: &mut Pool, class: Class, count: usize) -> Vec<Buffer> {
    (0..count).map(|_| pool.take(class).expect("the budget has room")).collect()
}

/// A pool in which chunks may take so many bytes.
fn limited(chunk_bytes: usize) -> Pool {
    Pool::new(chunk_bytes.div_ceil(5) * 6)
}

#[test]
fn a_packet_is_shared_and_its_slot_comes_back_with_the_last_handle() {
    let mut pool = Pool::new(LIMIT);
    let mut buffer = pool.take(Class::Large).expect("room");
    assert_eq!((buffer.len(), buffer.capacity()), (LARGE_BYTES, LARGE_BYTES));
    assert!(buffer.iter().all(|byte| *byte == 0), "fresh memory is zeroed");
    buffer[..5].copy_from_slice(b"hello");
    buffer.set_len(5);
    let packet = buffer.freeze();
    let other = packet.clone();
    assert_eq!((&*other, packet.references(), pool.in_use()), (&b"hello"[..], 2, 1));
    drop(packet);
    assert_eq!((&*other, other.references(), pool.in_use()), (&b"hello"[..], 1, 1));
    drop(other);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_length_beyond_the_capacity_counts_as_the_capacity() {
    let mut pool = Pool::new(LIMIT);
    let mut buffer = pool.take(Class::Small).expect("room");
    buffer.set_len(usize::MAX);
    assert_eq!(buffer.len(), SMALL_BYTES);
    buffer.set_len(0);
    assert!(buffer.is_empty());
}

#[test]
fn small_copies_hold_small_slots() {
    let mut pool = Pool::new(LIMIT);
    let copy = pool.copy_small(&[7; SMALL_BYTES]).expect("fits").freeze();
    assert_eq!(&*copy, [7; SMALL_BYTES]);
    assert_eq!(copy.class(), Class::Small);
    assert!(pool.copy_small(&[7; SMALL_BYTES + 1]).is_none());
    let stats = pool.stats();
    assert_eq!((stats.small.in_use, stats.large.chunks, stats.refused), (1, 0, 0));
}

#[test]
fn at_the_limit_takes_and_charges_are_refused_and_counted() {
    let chunk = Class::Large.chunk_bytes();
    let mut pool = limited(2 * chunk);
    let rest = pool.limit_bytes() - 2 * chunk;
    let held = fill(&mut pool, Class::Large, 2 * CHUNK_SLOTS);
    assert!(pool.take(Class::Large).is_none());
    assert!(pool.copy_small(b"no chunk for this either").is_none());
    assert_eq!(pool.charge(rest), Ok(()));
    assert_eq!(pool.charge(1), Err(BudgetFull));
    assert_eq!(pool.charge(usize::MAX), Err(BudgetFull));
    assert_eq!((pool.held_bytes(), pool.stats().refused), (pool.limit_bytes(), 4));
    pool.release(60);
    assert_eq!((pool.held_bytes(), pool.stats().charged_bytes), (2 * chunk + rest - 60, rest - 60));
    drop(held);
    assert!(pool.take(Class::Large).is_some());
}

#[test]
fn buffers_leave_a_sixth_of_the_limit_to_charges_and_charges_leave_nothing() {
    let mut pool = Pool::new(LIMIT);
    let mut buffers: Vec<_> = std::iter::from_fn(|| pool.take(Class::Large)).collect();
    let buffers_max = LIMIT / 6 * 5;
    let chunks = buffers_max / Class::Large.chunk_bytes();
    assert_eq!(buffers.len(), chunks * CHUNK_SLOTS);
    buffers.extend(std::iter::from_fn(|| pool.take(Class::Small)));
    assert!(buffers_max - pool.held_bytes() < Class::Small.chunk_bytes(), "small ones take no more");
    assert_eq!(pool.charge(LIMIT / 6), Ok(()), "what is kept for charges");
    assert!(pool.take(Class::Small).is_none(), "they are no room for buffers");
    drop(buffers);
    assert_eq!(pool.charge(LIMIT - pool.stats().charged_bytes - 2 * Class::Large.chunk_bytes()), Ok(()));
    assert!(pool.take(Class::Large).is_some());
}

#[test]
fn what_waits_in_queues_is_counted_and_leaves_less_to_others() {
    let mut pool = Pool::new(LIMIT);
    pool.count_queued(LIMIT / 2);
    assert_eq!((pool.held_bytes(), pool.charge(LIMIT / 2 + 1)), (LIMIT / 2, Err(BudgetFull)));
    let buffers: Vec<_> = std::iter::from_fn(|| pool.take(Class::Large)).collect();
    assert_eq!(buffers.len(), LIMIT / 2 / Class::Large.chunk_bytes() * CHUNK_SLOTS);
    pool.count_queued(LIMIT);
    assert_eq!((pool.charge(1), pool.pressure(CHUNK_SLOTS)), (Err(BudgetFull), CHUNK_SLOTS));
    pool.count_queued(0);
    assert_eq!((pool.pressure(CHUNK_SLOTS), pool.charge(LIMIT / 4)), (0, Ok(())));
}

#[test]
fn empty_chunks_go_back_after_five_seconds_and_the_last_ones_with_the_last_packet() {
    let mut pool = Pool::new(LIMIT);
    let mut large = fill(&mut pool, Class::Large, 3 * CHUNK_SLOTS);
    drop(fill(&mut pool, Class::Small, 2 * CHUNK_SLOTS));
    large.truncate(1);
    let seconds = |n: u64| Time::from_millis(n * 1_000);
    assert_eq!(pool.reclaim(seconds(10)), 0, "seen empty for the first time");
    assert_eq!(pool.reclaim(seconds(14)), 0);
    let freed = 2 * Class::Large.chunk_bytes() + Class::Small.chunk_bytes();
    assert_eq!(pool.reclaim(seconds(15)), freed);
    assert_eq!((pool.stats().small.chunks, pool.stats().large.chunks), (1, 1));
    assert_eq!(pool.reclaim(seconds(60)), 0, "one of each is kept while a packet is held");
    drop(large);
    assert_eq!(pool.reclaim(seconds(61)), Class::Small.chunk_bytes());
    assert_eq!(pool.reclaim(seconds(66)), Class::Large.chunk_bytes());
    assert_eq!(pool.held_bytes(), 0);
}

#[test]
fn chunks_that_went_back_are_not_counted_any_more() {
    let mut pool = Pool::new(LIMIT);
    let held = fill(&mut pool, Class::Large, 3 * CHUNK_SLOTS);
    let shared = held[0].0.chunk().shared;
    assert_eq!(shared.chunks.get(), 3);
    drop(held);
    pool.reclaim(Time::from_millis(0));
    pool.reclaim(Time::from_millis(5_000));
    assert_eq!((shared.chunks.get(), shared.tally(Class::Large).empty.get()), (0, 0));
}

#[test]
fn a_great_peak_goes_back_in_steps() {
    let mut pool = Pool::new(100 * LIMIT);
    drop(fill(&mut pool, Class::Small, (2 * RECLAIM_CHUNKS + 2) * CHUNK_SLOTS));
    pool.reclaim(Time::from_millis(0));
    for second in 0..2 {
        let freed = pool.reclaim(Time::from_millis(5_000 + second * 1_000));
        assert_eq!(freed, RECLAIM_CHUNKS * Class::Small.chunk_bytes());
    }
    assert_eq!(pool.reclaim(Time::from_millis(7_000)), 2 * Class::Small.chunk_bytes());
    assert_eq!(pool.stats().small.chunks, 0);
}

#[test]
fn a_chunk_used_in_between_starts_its_five_seconds_anew() {
    let mut pool = Pool::new(LIMIT);
    let mut held = fill(&mut pool, Class::Small, CHUNK_SLOTS);
    drop(pool.take(Class::Small));
    pool.reclaim(Time::from_millis(0));
    drop(pool.take(Class::Small));
    assert_eq!(pool.reclaim(Time::from_millis(5_000)), 0);
    assert_eq!(pool.reclaim(Time::from_millis(10_000)), Class::Small.chunk_bytes());
    held.push(pool.take(Class::Small).expect("a new chunk"));
    assert_eq!(pool.stats().small.in_use, CHUNK_SLOTS + 1);
}

#[test]
fn slots_come_from_the_lowest_chunk_so_that_the_others_run_empty() {
    let mut pool = Pool::new(LIMIT);
    let mut held = fill(&mut pool, Class::Large, 3 * CHUNK_SLOTS);
    // One of four stays, spread over all three chunks; what is taken next goes to the first.
    let mut at = 0;
    held.retain(|_| {
        at += 1;
        at % 4 == 0
    });
    let next = fill(&mut pool, Class::Large, 10);
    let first = held[0].0.chunk().0;
    assert!(next.iter().all(|buffer| buffer.0.chunk().0 == first));
}

#[test]
fn an_empty_chunk_of_one_class_makes_room_for_the_other() {
    let mut pool = limited(Class::Large.chunk_bytes() + Class::Small.chunk_bytes());
    drop(fill(&mut pool, Class::Small, 5 * CHUNK_SLOTS));
    assert_eq!(pool.stats().small.chunks, 5);
    assert!(pool.take(Class::Large).is_some());
    assert_eq!((pool.stats().small.chunks, pool.stats().refused), (1, 0));
}

#[test]
fn no_more_empty_chunks_go_back_early_than_make_the_room() {
    let chunk = Class::Small.chunk_bytes();
    let mut pool = limited(5 * chunk);
    drop(fill(&mut pool, Class::Small, 5 * CHUNK_SLOTS));
    assert_eq!(pool.charge(pool.limit_bytes() - 5 * chunk), Ok(()));
    for (bytes, chunks) in [(1, 4), (chunk - 1, 4), (chunk + 1, 2), (chunk, 1)] {
        assert_eq!((pool.charge(bytes), pool.stats().small.chunks), (Ok(()), chunks));
    }
}

#[test]
fn pressure_starts_at_nine_tenths_and_ends_when_a_chunk_of_slots_is_free() {
    let mut pool = Pool::new(LIMIT);
    assert_eq!(pool.charge(LIMIT / 6), Ok(()));
    assert_eq!(pool.pressure(CHUNK_SLOTS), 0);
    let below = (LIMIT / 10 * 9 - LIMIT / 6) / Class::Large.chunk_bytes() - 1;
    let mut held = fill(&mut pool, Class::Large, below * CHUNK_SLOTS);
    assert_eq!(pool.pressure(CHUNK_SLOTS), 0, "one more chunk stays below 90 %");
    held.push(pool.take(Class::Large).expect("room"));
    assert_eq!(pool.pressure(CHUNK_SLOTS), 1);
    held.extend(fill(&mut pool, Class::Large, CHUNK_SLOTS - 1));
    assert_eq!(pool.pressure(CHUNK_SLOTS), CHUNK_SLOTS);
    held.truncate(held.len() - 20);
    assert_eq!(pool.pressure(CHUNK_SLOTS), CHUNK_SLOTS - 20);
    held.truncate(held.len() - 44);
    assert_eq!(pool.pressure(CHUNK_SLOTS), 0);
}

#[test]
fn pressure_starts_when_the_last_chunk_is_full_that_charges_leave() {
    let mut pool = Pool::new(LIMIT);
    let most = LIMIT / 6 * 5 / Class::Large.chunk_bytes();
    let mut held = fill(&mut pool, Class::Large, (most - 1) * CHUNK_SLOTS);
    assert_eq!(pool.pressure(CHUNK_SLOTS), 0);
    held.push(pool.take(Class::Large).expect("room"));
    assert_eq!(pool.pressure(CHUNK_SLOTS), 1);
    held.extend(std::iter::from_fn(|| pool.take(Class::Large)));
    assert_eq!((held.len(), pool.pressure(CHUNK_SLOTS)), (most * CHUNK_SLOTS, CHUNK_SLOTS));
}

#[test]
fn empty_small_chunks_are_no_pressure_but_the_one_that_is_kept() {
    // Six small chunks make a large one.
    for (empty, pressure) in [(6, CHUNK_SLOTS), (7, 0)] {
        let mut pool = Pool::new(LIMIT);
        let small = fill(&mut pool, Class::Small, empty * CHUNK_SLOTS);
        assert_eq!(pool.charge(LIMIT / 10 * 9 - pool.held_bytes()), Ok(()));
        assert_eq!(pool.pressure(CHUNK_SLOTS), CHUNK_SLOTS);
        drop(small);
        assert_eq!(pool.pressure(CHUNK_SLOTS), pressure);
    }
}

#[test]
fn handles_outlive_their_pool() {
    let mut pool = Pool::new(LIMIT);
    let mut packets: Vec<_> = fill(&mut pool, Class::Small, 130).into_iter().map(Buffer::freeze).collect();
    let mut buffer = pool.take(Class::Large).expect("room");
    let empty = fill(&mut pool, Class::Large, CHUNK_SLOTS);
    drop(empty);
    let shared = buffer.0.chunk().shared;
    assert_eq!((shared.orphaned.get(), shared.chunks.get()), (false, 3 + 2));
    drop(pool);
    assert_eq!(
        (shared.orphaned.get(), shared.chunks.get()),
        (true, 3 + 1),
        "the empty one went with the pool"
    );
    buffer.fill(9);
    packets.extend(packets.clone());
    packets.rotate_left(77);
    drop(packets);
    assert!(buffer.freeze().iter().all(|byte| *byte == 9));
}

#[test]
fn a_pool_dropped_last_or_unused_frees_all() {
    drop(Pool::new(0));
    let mut pool = Pool::new(0);
    assert!(pool.take(Class::Small).is_none());
    assert_eq!((pool.held_bytes(), pool.pressure(CHUNK_SLOTS)), (0, CHUNK_SLOTS));
}

/// Does not compile for a `T` that is `Send` or `Sync`: which of the implementations is meant would be in doubt.
#[test]
fn nothing_of_the_pool_can_leave_its_thread() {
    trait Stays<A> {
        fn here() {}
    }
    impl<T> Stays<()> for T {}
    impl<T: Send> Stays<u8> for T {}
    impl<T: Sync> Stays<u16> for T {}
    <Pool as Stays<_>>::here();
    <Buffer as Stays<_>>::here();
    <Packet as Stays<_>>::here();
}

/// 2 MiB, the least that the worker accepts.
const LIMIT: usize = 2 << 20;
