//! The ring against a list of everything that was ever added.

use super::*;
use proptest::prelude::*;

#[test]
fn a_steady_flow_reads_as_what_it_is_at_any_moment() {
    let mut rate = Rate::new(Duration::from_secs(1));
    for n in 0..5_000u64 {
        let now = Time::from_millis(1_000 + n * 2);
        rate.add(now, 250);
        if n > 600 {
            // 500 packets and 1 Mb/s; one packet more or less is in the window.
            assert!(
                rate.bits_per_second(now).abs_diff(1_000_000) <= 2_000,
                "{n}: {}",
                rate.bits_per_second(now)
            );
            assert!(rate.packets_per_second(now).abs_diff(500) <= 1);
        }
    }
}

#[test]
fn silence_empties_the_window_without_a_call() {
    let mut rate = Rate::new(Duration::from_millis(800));
    rate.add(Time::from_millis(5_000), 1_000);
    assert_eq!(rate.bits_per_second(Time::from_millis(5_000)), 10_000);
    assert_eq!(rate.bits_per_second(Time::from_millis(5_800)), 10_000);
    assert_eq!(rate.bits_per_second(Time::from_millis(5_850)), 5_000);
    assert_eq!(rate.bits_per_second(Time::from_millis(5_900)), 0);
    assert_eq!(rate.bits_per_second(Time::from_nanos(u64::MAX)), 0);
}

#[test]
fn a_clock_that_steps_back_does_no_harm() {
    let mut rate = Rate::new(Duration::from_millis(800));
    rate.add(Time::from_millis(5_000), 500);
    rate.add(Time::from_millis(3_000), 500);
    assert_eq!(rate.bits_per_second(Time::from_millis(1_000)), 10_000);
    assert_eq!(rate.bits_per_second(Time::from_millis(5_000)), 10_000);
}

#[test]
fn absurd_amounts_and_windows_saturate() {
    for window in [Duration::ZERO, Duration::from_micros(8), Duration::MAX] {
        let mut rate = Rate::new(window);
        for _ in 0..100_000 {
            rate.add(Time::from_nanos(u64::MAX), usize::MAX);
        }
        assert!(rate.bits_per_second(Time::from_nanos(u64::MAX)) > 0);
        assert!(rate.bits_per_second(Time::ZERO) > 0);
    }
}

#[test]
fn reset_forgets() {
    let mut rate = Rate::new(Duration::from_secs(1));
    rate.add(Time::from_millis(7), 500);
    rate.reset();
    assert_eq!(rate.bits_per_second(Time::from_millis(7)), 0);
}

/// The amounts of all slots that the window touches, the leaving one in proportion, in floating point.
fn model(added: &[(u64, u64)], now: u64, slot: u64) -> f64 {
    let current = now / slot;
    let leaving = 1.0 - (now % slot) as f64 / slot as f64;
    let weighed = added.iter().map(|(at, amount)| match current - at / slot {
        0..8 => *amount as f64,
        8 => *amount as f64 * leaving,
        _ => 0.0,
    });
    weighed.sum::<f64>() * 1e6 / (8 * slot) as f64
}

proptest! {
    #[test]
    fn agrees_with_a_list_of_everything(
        slot in 100u64..400_000,
        start in 0u64..10_000_000_000,
        steps in prop::collection::vec((0u64..2_000_000, 0u64..10_000, 1u64..40), 1..40),
    ) {
        let mut rate = Rate::new(Duration::from_micros(8 * slot));
        let (mut added, mut now) = (Vec::new(), start);
        for (pause, amount, share) in steps {
            // Most pauses are much shorter than a slot, some longer than the window.
            now += pause / (share * share * share);
            rate.add(Time::from_nanos(now * 1_000), usize::try_from(amount).expect("small"));
            added.push((now, amount));
            for at in [now, now + slot / 3, now + 5 * slot, now + 9 * slot] {
                let time = Time::from_nanos(at * 1_000);
                let bits = 8.0 * model(&added, at, slot);
                prop_assert!((rate.bits_per_second(time) as f64 - bits).abs() <= 1.0 + bits * 1e-9);
                let ones: Vec<_> = added.iter().map(|(at, _)| (*at, 1)).collect();
                prop_assert!((rate.packets_per_second(time) as f64 - model(&ones, at, slot)).abs() <= 1.0);
            }
        }
    }
}
