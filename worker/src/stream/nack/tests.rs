//! The rules one by one, and all of them against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const RTT: Option<Duration> = Some(Duration::from_millis(50));

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// A list to which these numbers arrived at time 0.
fn after(numbers: &[u64]) -> LossList {
    let mut list = LossList::new();
    for &number in numbers {
        list.on_arrival(Seq::new(number), ms(0));
    }
    list
}

fn due(list: &mut LossList, at: u64, rtt: Option<Duration>) -> Vec<u64> {
    list.due(ms(at), rtt).map(Seq::extended).collect()
}

#[test]
fn a_gap_is_asked_for_after_ten_milliseconds_and_then_each_round_trip() {
    let mut list = after(&[70_000, 70_003]);
    assert_eq!(list.next_deadline(), Some(ms(10)));
    assert_eq!(due(&mut list, 9, RTT), []);
    assert_eq!(due(&mut list, 10, RTT), [70_001, 70_002]);
    assert_eq!(list.next_deadline(), Some(ms(60)));
    assert_eq!(due(&mut list, 59, RTT), []);
    assert_eq!(due(&mut list, 60, None), [70_001, 70_002]);
    assert_eq!(list.next_deadline(), Some(ms(160)), "100 ms when the round trip is unknown");
    assert_eq!(due(&mut list, 160, Some(Duration::ZERO)), [70_001, 70_002]);
    assert_eq!(list.next_deadline(), Some(ms(180)), "no sooner than after 20 ms");
    assert_eq!(due(&mut list, 180, Some(Duration::from_secs(60))), [70_001, 70_002]);
    assert_eq!(list.next_deadline(), Some(ms(1_180)), "no later than after a second");
}

#[test]
fn a_number_is_asked_for_ten_times_and_awaited_once_more() {
    let mut list = after(&[100, 102]);
    let asked = (0..100).filter(|turn| !due(&mut list, 10 + turn * 50, RTT).is_empty()).count();
    assert_eq!(asked, 10);
    assert!(list.is_empty());
    assert_eq!(list.next_deadline(), None);

    let mut list = after(&[100, 102]);
    assert!(!list.is_empty());
    for turn in 0..10 {
        due(&mut list, 10 + turn * 50, RTT);
    }
    assert_eq!(due(&mut list, 479, RTT), []);
    assert_eq!(list.on_retransmission(Seq::new(101), ms(480)), Arrival::Found { requests: 10 });
}

#[test]
fn a_list_begins_with_the_first_arrival_and_again_after_all_was_forgotten() {
    let mut list = LossList::new();
    assert!(!list.has_begun());
    list.on_arrival(Seq::new(70_000), ms(0));
    assert!(list.has_begun());
    list.clear();
    assert!(!list.has_begun());
}

#[test]
fn reordering_is_no_repair() {
    let mut list = after(&[100, 102]);
    assert_eq!(list.on_arrival(Seq::new(101), ms(3)), Arrival::Found { requests: 0 });
    assert_eq!(list.on_arrival(Seq::new(101), ms(4)), Arrival::Unlisted);
    assert_eq!((list.packets_repaired(), list.packets_retransmitted()), (0, 0));
}

#[test]
fn repairs_are_counted_with_and_without_rtx() {
    let mut list = after(&[100, 103]);
    due(&mut list, 10, RTT);
    list.on_arrival(Seq::new(101), ms(40));
    assert_eq!((list.packets_repaired(), list.packets_retransmitted()), (1, 1));
    list.on_retransmission(Seq::new(102), ms(40));
    assert_eq!(list.on_retransmission(Seq::new(102), ms(41)), Arrival::Unlisted);
    assert_eq!((list.packets_repaired(), list.packets_retransmitted()), (2, 3));
    assert_eq!(list.on_retransmission(Seq::new(105), ms(50)), Arrival::Newest { missing: 1 });
    list.clear();
    assert_eq!((list.packets_repaired(), list.packets_retransmitted()), (2, 4), "counters outlive a pause");
}

#[test]
fn overflow_forgets_what_is_before_the_newest_key_frame() {
    let mut list = after(&[1_000, 1_601]);
    list.on_key_frame(Seq::new(1_500));
    assert_eq!(list.on_arrival(Seq::new(2_102), ms(1)), Arrival::Newest { missing: 500 });
    assert_eq!(list.len(), 601);
    assert_eq!(due(&mut list, 11, RTT)[0], 1_500);
}

#[test]
fn overflow_without_a_key_frame_asks_for_one() {
    let mut list = after(&[1_000]);
    assert_eq!(list.on_arrival(Seq::new(2_001), ms(1)), Arrival::Newest { missing: 1_000 });
    assert_eq!(list.on_arrival(Seq::new(2_003), ms(1)), Arrival::KeyFrameNeeded);
    assert!(list.is_empty());
    assert_eq!(list.on_arrival(Seq::new(2_005), ms(2)), Arrival::Newest { missing: 1 });
}

#[test]
fn a_key_frame_after_a_long_gap_makes_the_gap_forgettable() {
    let mut list = after(&[1_000]);
    list.on_key_frame(Seq::new(3_500));
    assert_eq!(list.on_arrival(Seq::new(3_500), ms(1)), Arrival::Newest { missing: 0 });
}

#[test]
fn numbers_ten_thousand_behind_are_given_up() {
    let mut list = after(&[1_000, 1_002]);
    for number in 1_003..=11_001 {
        list.on_arrival(Seq::new(number), ms(0));
    }
    assert_eq!(list.len(), 1);
    list.on_arrival(Seq::new(11_002), ms(0));
    assert_eq!(list.len(), 0);
}

#[test]
fn one_request_fits_one_packet_and_the_rest_stays_due() {
    let mut list = LossList::new();
    let mut number = 70_000;
    for _ in 0..=400 {
        list.on_arrival(Seq::new(number), ms(0));
        // Two neighbours missing, then 20 present: an item for each pair.
        (number + 3..number + 23).for_each(|present| {
            list.on_arrival(Seq::new(present), ms(0));
        });
        number += 23;
    }
    assert_eq!(due(&mut list, 10, RTT).len(), 2 * ITEMS_MAX);
    assert_eq!(list.next_deadline(), Some(ms(10)));
    assert_eq!(due(&mut list, 10, RTT).len(), list.len() - 2 * ITEMS_MAX);
    assert_eq!(due(&mut list, 10, RTT), []);
}

#[test]
fn memory_is_taken_at_the_first_loss_and_given_back_when_quiet() {
    let mut list = after(&[100, 101]);
    assert_eq!(list.missing.capacity(), 0);
    list.on_arrival(Seq::new(103), ms(0));
    list.on_arrival(Seq::new(102), ms(1));
    list.trim();
    assert!(list.missing.capacity() > 0, "lost something within the last second");
    list.on_arrival(Seq::new(104), ms(1_000));
    list.trim();
    assert_eq!(list.missing.capacity(), 0);
}

/// The rules on a plain map from number to (due at, requests).
#[derive(Default)]
struct Model {
    newest: Option<u64>,
    key_frame: u64,
    missing: BTreeMap<u64, (Time, u8)>,
}

impl Model {
    fn on_arrival(&mut self, number: u64, now: Time) -> Arrival {
        let Some(newest) = self.newest.replace(number) else { return Arrival::Newest { missing: 0 } };
        if number <= newest {
            self.newest = Some(newest);
            let found = self.missing.remove(&number);
            return found.map_or(Arrival::Unlisted, |(_, requests)| Arrival::Found { requests });
        }
        let mut gap: Vec<u64> = (newest + 1..number).collect();
        self.missing.retain(|&missing, _| missing + AGE_MAX >= number);
        if self.missing.len() + gap.len() > MISSING_MAX {
            self.missing.retain(|&missing, _| missing >= self.key_frame);
            gap.retain(|&missing| missing >= self.key_frame);
        }
        if self.missing.len() + gap.len() > MISSING_MAX {
            self.missing.clear();
            return Arrival::KeyFrameNeeded;
        }
        self.missing.extend(gap.iter().map(|&missing| (missing, (now + FIRST_REQUEST_AFTER, 0))));
        Arrival::Newest { missing: u16::try_from(gap.len()).unwrap() }
    }

    fn due(&mut self, now: Time) -> Vec<u64> {
        self.missing.retain(|_, (at, requests)| *requests < REQUESTS_MAX || *at > now);
        let due: Vec<u64> = self.missing.iter().filter(|(_, (at, _))| *at <= now).map(|(&n, _)| n).collect();
        let (mut asked, mut item_starts) = (Vec::new(), Vec::<u64>::new());
        for number in due {
            if item_starts.last().is_none_or(|&start| number > start + 16) {
                item_starts.push(number);
            }
            if item_starts.len() <= ITEMS_MAX {
                asked.push(number);
            }
        }
        for number in &asked {
            let entry = self.missing.get_mut(number).unwrap();
            *entry = (now + Duration::from_millis(50), entry.1 + 1);
        }
        asked
    }
}

#[derive(Clone, Debug)]
enum Op {
    Ahead(u64),
    Behind(u64),
    KeyFrame,
    Wait(u64),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => Just(Op::Ahead(1)),
        10 => (1..30_u64).prop_map(Op::Ahead),
        2 => (1..2_999_u64).prop_map(Op::Ahead),
        10 => (0..40_u64).prop_map(Op::Behind),
        1 => (0..1_500_u64).prop_map(Op::Behind),
        2 => Just(Op::KeyFrame),
        12 => (0..40_u64).prop_map(Op::Wait),
        1 => Just(Op::Clear),
    ]
}

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn asks_for_what_the_rules_say(ops in prop::collection::vec(op(), 1..500)) {
        let (mut list, mut model) = (after(&[1 << 16]), Model::default());
        model.on_arrival(1 << 16, ms(0));
        let (mut top, mut now) = (1 << 16, ms(0));
        for op in ops {
            match op {
                Op::Ahead(step) => {
                    top += step;
                    prop_assert_eq!(list.on_arrival(Seq::new(top), now), model.on_arrival(top, now));
                }
                Op::Behind(step) => {
                    let number = top - step;
                    prop_assert_eq!(list.on_retransmission(Seq::new(number), now), model.on_arrival(number, now));
                }
                Op::KeyFrame => {
                    list.on_key_frame(Seq::new(top));
                    model.key_frame = model.key_frame.max(top);
                }
                Op::Wait(millis) => {
                    now = now + Duration::from_millis(millis);
                    prop_assert_eq!(due(&mut list, now.as_millis(), RTT), model.due(now));
                }
                Op::Clear => {
                    list.clear();
                    model = Model::default();
                    prop_assert_eq!(list.on_arrival(Seq::new(top), now), Arrival::Newest { missing: 0 });
                    model.newest = Some(top);
                }
            }
            prop_assert!(list.len() <= MISSING_MAX);
            prop_assert_eq!(list.len(), model.missing.len());
            prop_assert_eq!(list.next_deadline(), model.missing.values().map(|&(at, _)| at).min());
        }
    }
}
