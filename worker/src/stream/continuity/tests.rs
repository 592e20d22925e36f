//! Tests of continuity: its rules one by one, and numbers against their definition kept in full.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn synced(first_output: u16, first_input: u64) -> Continuity {
    let mut continuity = Continuity::new(Serial16::new(first_output));
    continuity.sync(Seq::new(first_input));
    continuity
}

fn output(continuity: &mut Continuity, input: u64) -> Option<u64> {
    continuity.forward(Seq::new(input)).map(Seq::extended)
}

#[test]
fn nothing_passes_before_the_first_sync() {
    let mut continuity = Continuity::new(Serial16::new(1_000));
    continuity.drop_input(Seq::new(70_000));
    assert_eq!((output(&mut continuity, 70_001), continuity.is_synced()), (None, false));
    continuity.sync(Seq::new(70_002));
    assert!(continuity.is_synced());
    assert_eq!(output(&mut continuity, 70_001), None, "from before the sync");
    assert_eq!(output(&mut continuity, 70_002), Some(1_000));
}

#[test]
fn what_was_forwarded_or_dropped_is_past_and_so_is_all_before_it() {
    assert!(!Continuity::new(Serial16::new(1_000)).is_past(Seq::new(1)));
    let mut continuity = synced(1_000, 100);
    let past = |continuity: &Continuity, seqs: [u64; 2]| seqs.map(|seq| continuity.is_past(Seq::new(seq)));
    assert_eq!(past(&continuity, [99, 100]), [true, false]);
    output(&mut continuity, 110);
    output(&mut continuity, 105);
    assert_eq!(past(&continuity, [110, 111]), [true, false]);
    continuity.drop_input(Seq::new(115));
    assert_eq!(past(&continuity, [115, 116]), [true, false]);
}

#[test]
fn drops_close_up_and_losses_stay_open() {
    let mut continuity = synced(1_000, 100);
    assert_eq!(output(&mut continuity, 100), Some(1_000));
    continuity.drop_input(Seq::new(101));
    continuity.drop_input(Seq::new(104));
    assert_eq!(output(&mut continuity, 105), Some(1_003), "102 and 103 may still come");
    assert_eq!(output(&mut continuity, 103), Some(1_002));
    assert_eq!(output(&mut continuity, 102), Some(1_001));
    assert_eq!(output(&mut continuity, 104), None, "was dropped");
}

#[test]
fn a_late_packet_before_trailing_drops_moves_the_end() {
    let mut continuity = synced(1_000, 10);
    output(&mut continuity, 10);
    continuity.drop_input(Seq::new(12));
    assert_eq!(output(&mut continuity, 11), Some(1_001));
    continuity.sync(Seq::new(500));
    assert_eq!(output(&mut continuity, 500), Some(1_002));
}

#[test]
fn a_late_drop_leaves_a_hole() {
    let mut continuity = synced(1_000, 10);
    output(&mut continuity, 10);
    output(&mut continuity, 12);
    continuity.drop_input(Seq::new(11));
    assert_eq!(output(&mut continuity, 13), Some(1_003));
}

#[test]
fn sync_continues_after_the_last_output_whatever_the_input() {
    let mut continuity = synced(32_767, 100_000);
    assert_eq!(output(&mut continuity, 100_000), Some(32_767));
    continuity.sync(Seq::new(66_000));
    continuity.sync(Seq::new(67_000));
    assert_eq!(output(&mut continuity, 67_000), Some(32_768));
    continuity.sync_after_cut(Seq::new(9_000_000));
    assert_eq!(output(&mut continuity, 9_000_000), Some(32_770));
}

#[test]
fn drop_memory_is_taken_at_the_first_drop_and_given_back_at_sync() {
    let mut continuity = synced(1_000, 10);
    output(&mut continuity, 10);
    assert!(continuity.dropped.is_none());
    continuity.drop_input(Seq::new(11));
    assert!(continuity.dropped.is_some());
    continuity.sync(Seq::new(12));
    assert!(continuity.dropped.is_none());
}

#[test]
fn late_beyond_the_window_is_refused_once_numbers_were_dropped() {
    let mut continuity = synced(1_000, 10);
    continuity.drop_input(Seq::new(10));
    output(&mut continuity, 3_000);
    assert_eq!(output(&mut continuity, 3_000 - 2_047), Some(1_942));
    assert_eq!(output(&mut continuity, 3_000 - 2_048), None);
}

#[test]
fn a_drop_a_whole_window_ago_is_not_taken_for_one_just_ahead() {
    let mut continuity = synced(1_000, 10);
    continuity.drop_input(Seq::new(11));
    assert_eq!(output(&mut continuity, 11 + 2_047), Some(3_047));
    assert_eq!(output(&mut continuity, 11 + 2_045), Some(3_045));
}

/// The definition, kept in full: everything dropped since the sync, everything given out.
struct Model {
    floor: u64,
    first_output: u64,
    newest: u64,
    dropped: BTreeSet<u64>,
    given: BTreeMap<u64, u64>,
    next_output: u64,
}

impl Model {
    fn sync(&mut self, first: u64) {
        self.floor = first;
        self.first_output = self.next_output;
        self.newest = first - 1;
        self.dropped.clear();
    }

    fn forward(&mut self, input: u64) -> Option<u64> {
        let too_late = !self.dropped.is_empty() && self.newest.saturating_sub(input) >= WINDOW;
        if input < self.floor || too_late || self.dropped.contains(&input) {
            return None;
        }
        self.newest = self.newest.max(input);
        let closed = self.dropped.range(..input).count() as u64;
        let output = self.first_output + (input - self.floor) - closed;
        self.next_output = self.next_output.max(output + 1);
        Some(output)
    }

    fn drop_input(&mut self, input: u64) {
        if input > self.newest {
            self.newest = input;
            self.dropped.insert(input);
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Forward(i64),
    Drop(i64),
    Sync(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let near = || prop_oneof![6 => Just(1), 3 => -40..40_i64, 1 => 1..3_000_i64, 1 => -2_200..0_i64];
    prop_oneof![
        10 => near().prop_map(Op::Forward),
        6 => near().prop_map(Op::Drop),
        1 => prop_oneof![Just(1), -90_000..90_000_i64].prop_map(Op::Sync),
    ]
}

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn numbers_are_the_definitions(first: u16, ops in prop::collection::vec(op(), 1..800)) {
        let mut continuity = synced(first, 1_000_000);
        let first_output = u64::from(first);
        let mut model = Model {
            floor: 1_000_000, first_output, newest: 999_999, dropped: BTreeSet::new(),
            given: BTreeMap::new(), next_output: first_output,
        };
        let mut gone = BTreeSet::new();
        for op in ops {
            let at = |step: i64| model.newest.saturating_add_signed(step).max(200_000);
            match op {
                Op::Sync(step) => {
                    let first = at(step);
                    continuity.sync(Seq::new(first));
                    model.sync(first);
                    gone.clear();
                }
                Op::Drop(step) => {
                    let input = at(step);
                    continuity.drop_input(Seq::new(input));
                    model.drop_input(input);
                }
                Op::Forward(step) => {
                    let input = at(step);
                    if !gone.insert(input) {
                        continue; // duplicates are removed before
                    }
                    let (actual, expected) = (output(&mut continuity, input), model.forward(input));
                    prop_assert_eq!(actual, expected);
                    if let Some(own) = actual {
                        prop_assert_eq!(model.given.insert(own, input), None, "one number given twice");
                    }
                }
            }
            prop_assert_eq!(continuity.next_output().extended(), model.next_output);
        }
    }
}

#[test]
fn a_temporal_layer_dropped_over_many_wraps_leaves_no_hole() {
    let mut continuity = synced(30_000, 65_536);
    let mut expected = 30_000;
    for input in 65_536..65_536 + 40 * 65_536_u64 {
        if input % 3 == 0 {
            continuity.drop_input(Seq::new(input));
        } else {
            assert_eq!(output(&mut continuity, input), Some(expected));
            expected += 1;
        }
    }
    assert!(expected > 26 * 65_536);
}

#[test]
fn timestamps_pass_unchanged_until_a_switch() {
    let mut map = TimestampMap::new();
    map.sync(Serial32::new(77), Time::from_millis(5), 90_000);
    assert_eq!((map.offset(), map.last()), (0, None));
    assert_eq!(map.forward(Serial32::new(77), Time::from_millis(5)), Serial32::new(77));
}

#[test]
fn a_switch_continues_by_the_time_that_passed() {
    let mut map = TimestampMap::new();
    map.forward(Serial32::new(u32::MAX - 9), Time::from_millis(1_000));
    map.forward(Serial32::new(u32::MAX - 9), Time::from_millis(1_005));
    map.forward(Serial32::new(u32::MAX - 3_009), Time::from_millis(1_010));
    assert_eq!(map.last(), Some((Serial32::new(u32::MAX - 9), Time::from_millis(1_000))));
    map.sync(Serial32::new(500), Time::from_millis(1_100), 90_000);
    // 100 ms after the newest timestamp's first packet, over the wrap.
    assert_eq!(map.map(Serial32::new(500)), Serial32::new(8_990));
    assert_eq!(map.offset(), 8_490);
    assert_eq!(map.map(Serial32::new(3_500)), Serial32::new(11_990));
    assert_eq!(map.unmap(Serial32::new(11_990)), Serial32::new(3_500));
    assert_eq!(map.unmap(Serial32::new(8_489)), Serial32::new(u32::MAX), "over the wrap");
}

#[test]
fn a_switch_at_the_same_instant_still_moves_on() {
    let mut map = TimestampMap::new();
    map.forward(Serial32::new(1_000), Time::from_millis(1));
    map.sync(Serial32::new(1_000), Time::from_millis(1), 48_000);
    assert_eq!(map.map(Serial32::new(1_000)), Serial32::new(1_001));
}

#[test]
fn a_pause_of_days_wraps_like_the_timestamps_do() {
    let mut map = TimestampMap::new();
    map.forward(Serial32::new(0), Time::ZERO);
    map.sync(Serial32::new(0), Time::ZERO + Duration::from_secs(86_400), 90_000);
    assert_eq!(u64::from(map.map(Serial32::new(0)).wire()), 86_400 * 90_000 % (1 << 32));
}
