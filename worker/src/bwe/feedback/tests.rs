//! What is told of arrivals, report by report; against a model and at length in the tests crate.

use super::*;
use crate::rtcp::{COMPOUND_BYTES_MAX, Packet, packets};

/// A report: base, and of each number from there on when it arrived.
type Told = (u16, Vec<Option<u32>>);

fn reports(arrivals: &mut Arrivals) -> Vec<(u8, Told)> {
    let mut found = Vec::new();
    loop {
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let mut compound = CompoundWriter::new(&mut buffer);
        if !arrivals.write_next(&mut compound, 1, 2) {
            return found;
        }
        let Some(Ok(Packet::WideFeedback(feedback))) = packets(compound.bytes()).next() else {
            panic!("no feedback")
        };
        let base = feedback.head.base.wire();
        let mut statuses = vec![None; feedback.status_count.into()];
        for (number, tick) in feedback.received() {
            statuses[usize::from(number.wire().wrapping_sub(base))] = Some(tick.wire());
        }
        found.push((feedback.head.count, (base, statuses)));
    }
}

/// The only report there is.
fn told(arrivals: &mut Arrivals) -> Told {
    let mut reports = reports(arrivals);
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0).1
}

fn arrive(arrivals: &mut Arrivals, numbers: impl IntoIterator<Item = u16>, millis: u64) {
    for number in numbers {
        arrivals.on_packet(Serial16::new(number), Time::from_millis(millis));
    }
}

#[test]
fn gaps_are_told_across_the_wrap_and_from_one_report_to_the_next() {
    let mut arrivals = Arrivals::new();
    arrive(&mut arrivals, [65_534, 65_535, 1], 1_000);
    assert_eq!(told(&mut arrivals), (65_534, vec![Some(4_000), Some(4_000), None, Some(4_000)]));
    assert_eq!(reports(&mut arrivals), []);
    arrive(&mut arrivals, [4], 1_100);
    assert_eq!(told(&mut arrivals), (2, vec![None, None, Some(4_400)]));
}

#[test]
fn times_are_rounded_to_the_nearest_tick_without_drift() {
    let mut arrivals = Arrivals::new();
    let micros = |index: u64| 1_000_000 + 333 * index;
    for index in 0..1_000 {
        arrivals.on_packet(Serial16::new(index), Time::from_nanos(1_000 * micros(index.into())));
    }
    let found: Vec<_> = reports(&mut arrivals).into_iter().flat_map(|(_, (_, ticks))| ticks).collect();
    assert_eq!(found.len(), 1_000);
    for (index, tick) in found.into_iter().enumerate() {
        let off = (u64::from(tick.unwrap()) * 250).abs_diff(micros(index as u64));
        assert!(off <= 125, "packet {index} is {off} us off");
    }
}

#[test]
fn a_late_number_is_told_and_those_behind_it_again() {
    let mut arrivals = Arrivals::new();
    arrive(&mut arrivals, [10, 12, 13], 1_000);
    told(&mut arrivals);
    arrive(&mut arrivals, [14], 1_050);
    arrive(&mut arrivals, [11], 1_060);
    assert_eq!(told(&mut arrivals), (11, vec![Some(4_240), Some(4_000), Some(4_000), Some(4_200)]));
}

#[test]
fn only_the_first_arrival_counts() {
    let mut arrivals = Arrivals::new();
    arrive(&mut arrivals, [10, 11], 1_000);
    arrive(&mut arrivals, [10, 11], 1_020);
    assert_eq!(told(&mut arrivals), (10, vec![Some(4_000), Some(4_000)]));
    arrive(&mut arrivals, [11], 1_200);
    assert_eq!(reports(&mut arrivals), []);
}

#[test]
fn what_was_told_is_forgotten_after_the_window_and_the_memory_given_back() {
    let mut arrivals = Arrivals::new();
    arrive(&mut arrivals, [10], 1_000);
    arrive(&mut arrivals, [13], 1_400);
    arrivals.forget(Time::from_millis(9_000));
    assert_eq!(told(&mut arrivals).1.len(), 4, "what was not told stays");
    arrivals.forget(Time::from_millis(1_500));
    arrive(&mut arrivals, [9], 1_500);
    assert_eq!(reports(&mut arrivals), [], "10 is gone, and with it what came before");
    arrive(&mut arrivals, [11], 1_500);
    assert_eq!(told(&mut arrivals), (11, vec![Some(6_000), None, Some(5_600)]));
    arrivals.forget(Time::from_millis(2_000));
    assert!(arrivals.is_empty() && arrivals.held_bytes() == 0);
    arrive(&mut arrivals, [15], 60_000);
    assert_eq!(told(&mut arrivals), (14, vec![None, Some(240_000)]), "silence hides no loss");
}

#[test]
fn a_jump_ahead_begins_anew() {
    let mut arrivals = Arrivals::new();
    arrive(&mut arrivals, [10], 1_000);
    told(&mut arrivals);
    arrive(&mut arrivals, [11 + 8_191], 1_010);
    assert_eq!(told(&mut arrivals).1.len(), 8_192, "just no jump");
    arrive(&mut arrivals, [8_203 + 8_192], 1_020);
    assert_eq!(told(&mut arrivals), (16_395, vec![Some(4_080)]));
}

#[test]
fn numbers_of_long_ago_are_not_told_but_two_in_a_row_begin_anew() {
    let mut arrivals = Arrivals::new();
    arrive(&mut arrivals, [30_000], 1_000);
    told(&mut arrivals);
    arrive(&mut arrivals, [5, 29_999, 7, 30_001, 8], 1_100);
    assert_eq!(told(&mut arrivals), (30_001, vec![Some(4_400)]));
    arrive(&mut arrivals, [100, 101, 102], 1_200);
    assert_eq!(told(&mut arrivals), (101, vec![Some(4_800), Some(4_800)]));
}

#[test]
fn memory_is_bounded_whatever_arrives() {
    let mut arrivals = Arrivals::new();
    for index in 0..2_000_u64 {
        let number = u16::try_from(index * 8_000 % 65_536).unwrap();
        arrivals.on_packet(Serial16::new(number), Time::from_millis(1_000));
    }
    assert!(arrivals.held_bytes() <= 4 * 8 * NUMBERS_MAX, "{}", arrivals.held_bytes());
    let statuses: usize = reports(&mut arrivals).iter().map(|(_, (_, ticks))| ticks.len()).sum();
    assert!((1..=NUMBERS_MAX).contains(&statuses));
}

#[test]
fn feedback_is_counted_in_eight_bits() {
    let mut arrivals = Arrivals::new();
    for index in 0..600_u16 {
        arrive(&mut arrivals, [index], 1_000 + u64::from(index));
        let counts: Vec<_> = reports(&mut arrivals).into_iter().map(|(count, _)| count).collect();
        assert_eq!(counts, [index.to_le_bytes()[0]]);
    }
}

#[test]
fn what_does_not_fit_into_one_packet_is_told_in_the_next() {
    let mut arrivals = Arrivals::new();
    for index in 0..5_000_u16 {
        // More than a small delta can say between each two.
        arrive(&mut arrivals, [index], 1_000 + 64 * u64::from(index));
    }
    let reports = reports(&mut arrivals);
    let mut next = 0;
    for (at, (count, (base, ticks))) in reports.iter().enumerate() {
        assert_eq!((usize::from(*count), *base), (at, next));
        assert!(ticks.iter().all(Option::is_some));
        next += u16::try_from(ticks.len()).unwrap();
    }
    assert_eq!(next, 5_000);
    assert_eq!(reports.len(), 8);
}

#[test]
fn share_that_did_not_arrive_is_of_what_was_told_and_is_remembered() {
    let mut arrivals = Arrivals::new();
    assert_eq!((arrivals.loss_ppm(), arrivals.held_bytes(), arrivals.is_empty()), (None, 0, true));
    arrive(&mut arrivals, [10, 11, 14], 1_000);
    assert!(!arrivals.is_empty());
    // Room for at least five numbers, each with a tick of four bytes and whether there is one.
    assert!((40..=40 * 4).contains(&arrivals.held_bytes()), "{}", arrivals.held_bytes());
    assert_eq!(arrivals.loss_ppm(), None, "nothing was told yet");
    reports(&mut arrivals);
    assert_eq!(arrivals.loss_ppm(), Some(400_000), "two of five");
    arrive(&mut arrivals, [19], 1_001);
    assert_eq!(arrivals.loss_ppm(), Some(400_000), "the rest may be on its way");
    arrivals.forget(Time::from_millis(1_500));
    assert_eq!(arrivals.loss_ppm(), None);
}
