//! Tests of the history: its rules one by one, and all of them against a plain list.

use proptest::prelude::*;

use super::*;

const MB: usize = 1 << 20;

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn keep() -> Duration {
    Duration::from_millis(500)
}

#[test]
fn an_empty_history_holds_and_charges_nothing() {
    let history = StreamHistory::<[u8; 64]>::new();
    assert_eq!((history.ring_bytes(), history.slots.capacity()), (0, 0));
    assert_eq!(history.next_expiry(keep()), None);
}

#[test]
fn packets_age_out_by_time_alone() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    let first = history.push('a', ms(1_000), 256, &mut pool).unwrap();
    let second = history.push('b', ms(1_100), 1_536, &mut pool).unwrap();
    assert_eq!((history.get(first), history.held_bytes()), (Some(&'a'), 1_792));
    let due = history.next_expiry(keep()).unwrap();
    assert_eq!(due, ms(1_500));
    assert_eq!(history.expire(due - Duration::from_millis(1), keep(), &mut pool), 0);
    assert_eq!(history.expire(due, keep(), &mut pool), 1);
    assert_eq!((history.get(first), history.get(second)), (None, Some(&'b')));
    assert_eq!((history.oldest(), history.is_empty()), (second, false));
    assert_eq!(history.expire(ms(1_600), keep(), &mut pool), 1);
    assert!(history.is_empty());
    assert_eq!((history.held_bytes(), history.oldest()), (0, history.end()));
}

#[test]
fn what_is_taken_back_was_never_there_and_the_rest_stays() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    let kept = history.push('a', ms(1_000), 256, &mut pool).unwrap();
    let start = history.end();
    for item in ['b', 'c'] {
        history.push(item, ms(1_100), 1_536, &mut pool).unwrap();
    }
    history.take_back(start);
    assert_eq!((history.get(kept), history.end(), history.held_bytes()), (Some(&'a'), start, 256));
    assert_eq!(history.next_expiry(keep()), Some(ms(1_500)));
    let again = history.push('d', ms(1_200), 256, &mut pool).unwrap();
    assert_eq!((again, history.get(again), history.oldest()), (start, Some(&'d'), kept));
    history.take_back(kept);
    assert_eq!((history.held_bytes(), history.oldest()), (0, history.end()));
    history.clear(&mut pool);
}

#[test]
fn packets_from_a_position_on_come_in_order_as_far_as_they_are_held() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    let positions = ['a', 'b', 'c', 'd'].map(|item| history.push(item, ms(0), 1, &mut pool).unwrap());
    let from = |history: &StreamHistory<char>, start| {
        history.iter_from(start).map(|(position, &item)| (position.low(), item)).collect::<Vec<_>>()
    };
    assert_eq!(from(&history, positions[2]), [(2, 'c'), (3, 'd')]);
    history.evict_oldest();
    assert_eq!(from(&history, positions[0]), [(1, 'b'), (2, 'c'), (3, 'd')]);
    assert_eq!(from(&history, history.end()), []);
    let last = |count| history.iter_last(count).map(|(position, &item)| (position.low(), item));
    assert_eq!(last(2).collect::<Vec<_>>(), [(2, 'c'), (3, 'd')]);
    assert_eq!([0, 4, usize::MAX].map(|count| last(count).count()), [0, 3, 3]);
    let beyond = Position(history.end().0 + 1);
    assert_eq!(from(&history, beyond), []);
    assert_eq!((beyond.since(positions[1]), positions[1].since(beyond)), (4, 0));
    history.clear(&mut pool);
}

#[test]
fn an_idle_stream_gives_its_ring_back() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    for at in 0..200 {
        history.push([0_u8; 64], ms(at), 256, &mut pool).unwrap();
    }
    assert_eq!(history.ring_bytes(), 256 * size_of::<Stored<[u8; 64]>>());
    assert_eq!(pool.held_bytes(), history.ring_bytes());
    let mut now = ms(199);
    while let Some(due) = history.next_expiry(keep()) {
        assert!(due > now, "nothing was done when it was due");
        assert!(due <= ms(6_000), "memory kept too long");
        now = due;
        history.expire(now, keep(), &mut pool);
    }
    assert_eq!((history.ring_bytes(), history.slots.capacity()), (0, 0));
    assert_eq!(pool.held_bytes(), 0);
}

#[test]
fn the_ring_halves_after_five_quiet_seconds_and_not_before() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    for _ in 0..900 {
        history.push(0_u64, ms(0), 256, &mut pool).unwrap();
    }
    assert_eq!(history.slots.capacity(), 1_024);
    for at in (10..5_600).step_by(10) {
        history.push(0, ms(at), 256, &mut pool).unwrap();
        history.expire(ms(at), keep(), &mut pool);
        let expected = if at < 5_500 { 1_024 } else { 512 };
        assert_eq!(history.slots.capacity(), expected, "at {at} ms");
        assert_eq!(pool.held_bytes(), history.slots.capacity() * size_of::<Stored<u64>>());
    }
}

#[test]
fn a_ring_of_which_a_quarter_is_in_use_is_not_halved_nor_is_the_shortest() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    for number in 0..SLOTS_MIN as u64 + 1 {
        history.push(number, ms(0), 256, &mut pool).unwrap();
    }
    // By evictions alone; nothing ages.
    for (held, second, slots) in [(8, 0, 32), (8, 6, 32), (7, 7, 32), (7, 12, 16), (1, 13, 16), (1, 19, 16)] {
        while history.len() > held {
            history.evict_oldest();
        }
        history.expire(ms(second * 1_000), Duration::from_secs(60), &mut pool);
        assert_eq!(history.slots.capacity(), slots, "{held} held at {second} s");
    }
}

#[test]
fn a_full_budget_is_an_error_and_eviction_makes_room() {
    let mut pool = Pool::new(SLOTS_MIN * size_of::<Stored<u64>>());
    let mut history = StreamHistory::new();
    for number in 0..SLOTS_MIN as u64 {
        history.push(number, ms(0), 256, &mut pool).unwrap();
    }
    assert!(history.push(99, ms(1), 256, &mut pool).is_err());
    assert_eq!((history.len(), history.held_bytes()), (SLOTS_MIN, SLOTS_MIN * 256));
    assert_eq!(history.evict_oldest(), Some(256));
    let position = history.push(99, ms(1), 256, &mut pool).unwrap();
    assert_eq!(history.get(position), Some(&99));
    history.clear(&mut pool);
    assert_eq!(pool.held_bytes(), 0);
}

#[test]
fn a_ring_may_grow_to_all_of_the_budget() {
    let mut pool = Pool::new(2 * SLOTS_MIN * size_of::<Stored<u64>>());
    let mut history = StreamHistory::new();
    for number in 0..=SLOTS_MIN as u64 {
        assert!(history.push(number, ms(0), 256, &mut pool).is_ok());
    }
    assert_eq!(pool.held_bytes(), pool.limit_bytes());
}

#[test]
fn a_history_emptied_by_eviction_gives_its_ring_back_too() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    history.push(1, ms(0), 256, &mut pool).unwrap();
    history.evict_oldest();
    let mut now = ms(0);
    while let Some(due) = history.next_expiry(keep()) {
        assert!(due > now && due <= ms(10_000));
        now = due;
        history.expire(now, keep(), &mut pool);
    }
    assert_eq!(pool.held_bytes(), 0);
}

#[test]
fn low_halves_resolve_over_their_wrap() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    history.end = Position((1 << 32) - 2);
    let positions: Vec<_> = (0..4).map(|item| history.push(item, ms(0), 1, &mut pool).unwrap()).collect();
    for (item, position) in positions.iter().enumerate() {
        assert_eq!(history.resolve(position.low()), Some(&item));
    }
    assert_eq!(history.resolve(2), None, "not there yet");
    assert_eq!(history.resolve(u32::MAX - 2), None, "gone");
}

#[test]
fn coarse_times_wrap_without_notice() {
    let mut pool = Pool::new(MB);
    let mut history = StreamHistory::new();
    let wrap = u64::from(u32::MAX);
    history.push(1, ms(wrap - 100), 1, &mut pool).unwrap();
    history.push(2, ms(wrap + 100), 1, &mut pool).unwrap();
    assert_eq!(history.next_expiry(keep()), Some(ms(wrap + 400)));
    assert_eq!(history.expire(ms(wrap + 399), keep(), &mut pool), 0);
    assert_eq!(history.expire(ms(wrap + 400), keep(), &mut pool), 1);
}

#[test]
fn retention_follows_the_round_trip_within_bounds() {
    let millis = Duration::from_millis;
    assert_eq!(retain(None, Kind::Video), millis(550));
    assert_eq!(retain(Some(millis(10)), Kind::Video), millis(500));
    assert_eq!(retain(Some(millis(200)), Kind::Video), millis(850));
    assert_eq!(retain(Some(millis(900)), Kind::Video), millis(2_000));
    assert_eq!(retain(Some(millis(900)), Kind::Audio), millis(1_000));
    assert_eq!(retain(Some(Duration::MAX), Kind::Video), millis(2_000));
}

#[derive(Clone, Debug)]
enum Op {
    Push(u32),
    Wait(u64),
    Evict,
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => (1..2_000_u32).prop_map(Op::Push),
        10 => (0..60_u64).prop_map(Op::Wait),
        1 => (0..8_000_u64).prop_map(Op::Wait),
        2 => Just(Op::Evict),
        1 => Just(Op::Clear),
    ]
}

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn holds_what_a_plain_list_would(
        start in (0..u64::from(u32::MAX) * 2), end: u32, ops in prop::collection::vec(op(), 1..400),
    ) {
        let mut pool = Pool::new(64 * MB);
        let mut history = StreamHistory::new();
        history.end = Position(u64::from(end));
        let mut model: Vec<(u64, Time, u32)> = Vec::new();
        let mut now = ms(start);
        for op in ops {
            match op {
                Op::Push(bytes) => {
                    let position = history.end();
                    prop_assert_eq!(history.push(position.0, now, bytes, &mut pool), Ok(position));
                    model.push((position.0, now, bytes));
                }
                Op::Wait(millis) => {
                    now = now + Duration::from_millis(millis);
                    history.expire(now, keep(), &mut pool);
                    model.retain(|&(_, at, _)| now.since(at) < keep());
                }
                Op::Evict => {
                    let expected = if model.is_empty() { None } else { Some(model.remove(0).2) };
                    prop_assert_eq!(history.evict_oldest(), expected);
                }
                Op::Clear => {
                    history.clear(&mut pool);
                    model.clear();
                }
            }
            prop_assert_eq!(history.len(), model.len());
            prop_assert_eq!(history.held_bytes(), model.iter().map(|item| item.2 as usize).sum::<usize>());
            prop_assert_eq!(pool.held_bytes(), history.slots.capacity() * size_of::<Stored<u64>>());
            for &(position, ..) in &model {
                prop_assert_eq!(history.get(Position(position)), Some(&position));
                prop_assert_eq!(history.resolve(Position(position).low()), Some(&position));
            }
            prop_assert_eq!(history.get(history.end()), None);
            let aged = model.first().map(|&(_, at, _)| at + keep());
            prop_assert!(aged.is_none_or(|aged| history.next_expiry(keep()).unwrap() <= aged));
        }
    }
}
