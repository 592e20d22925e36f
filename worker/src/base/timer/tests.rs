//! The queue against a sorted list.

use super::*;
use proptest::prelude::*;

#[test]
fn equal_times_come_out_in_the_order_of_scheduling() {
    let mut deadlines = Deadlines::new();
    let grid = Duration::from_millis(20);
    for (key, millis) in [(1, 19), (2, 41), (3, 3), (1, 20), (4, 0)] {
        deadlines.schedule(key, Time::from_millis(millis), grid);
    }
    assert_eq!(deadlines.next(), Some(Time::ZERO));
    let due: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(Time::from_millis(59))).collect();
    assert_eq!(due, [4, 1, 3, 1]);
    assert_eq!((deadlines.next(), deadlines.len()), (Some(Time::from_millis(60)), 1));
    assert_eq!(deadlines.pop_due(Time::from_millis(60)), Some(2));
    assert_eq!((deadlines.next(), deadlines.pop_due(Time::from_nanos(u64::MAX))), (None, None));
}

#[test]
fn memory_goes_back_after_a_peak_and_rests_in_steady_state() {
    let mut deadlines = Deadlines::new();
    for key in 0..10_000u64 {
        deadlines.schedule(key, Time::from_millis(key), Duration::ZERO);
    }
    let peak = deadlines.held_bytes();
    for _ in 0..9_900 {
        assert!(deadlines.pop_due(Time::from_millis(20_000)).is_some());
    }
    let held = deadlines.held_bytes();
    assert!(held < peak / 20, "{held} of {peak}");
    for key in 0..10_000u64 {
        deadlines.schedule(key, Time::from_millis(30_000 + key), Duration::ZERO);
        assert!(deadlines.pop_due(Time::from_millis(60_000)).is_some());
        assert_eq!(deadlines.held_bytes(), held);
    }
    while deadlines.pop_due(Time::from_millis(60_000)).is_some() {}
    assert!(deadlines.held_bytes() <= KEPT_DEADLINES * 24);
}

#[derive(Clone, Debug)]
enum Step {
    Schedule(u16, u64, u64),
    Advance(u64),
    PopDue,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u16>(), 0u64..200, prop_oneof![Just(0u64), Just(1), Just(5), Just(20)])
            .prop_map(|(key, after, grid)| Step::Schedule(key, after, grid)),
        1 => (0u64..60).prop_map(Step::Advance),
        4 => Just(Step::PopDue),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_list_kept_in_order(steps in prop::collection::vec(step(), 1..500)) {
        let (mut deadlines, mut model, mut now) = (Deadlines::new(), Vec::<(u64, u16)>::new(), 0);
        for step in steps {
            match step {
                Step::Schedule(key, after, grid) => {
                    deadlines.schedule(key, Time::from_millis(now + after), Duration::from_millis(grid));
                    let at = if grid == 0 { now + after } else { (now + after).div_ceil(grid) * grid };
                    let place = model.partition_point(|(other, _)| *other <= at);
                    model.insert(place, (at, key));
                }
                Step::Advance(millis) => now += millis,
                Step::PopDue => {
                    let due = model.first().is_some_and(|(at, _)| *at <= now).then(|| model.remove(0).1);
                    prop_assert_eq!(deadlines.pop_due(Time::from_millis(now)), due);
                }
            }
            prop_assert_eq!(deadlines.next(), model.first().map(|(at, _)| Time::from_millis(*at)));
            prop_assert_eq!(deadlines.len(), model.len());
        }
    }
}
