//! Verdicts against a model of true numbers, and restarts against senders made from seeds.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A timestamp that fits every number.
const AT: Stamp = stamp(0);

const fn stamp(timestamp: u32) -> Stamp {
    Stamp { timestamp: Serial32::new(timestamp), clock_rate: 90_000 }
}

fn wire(raw: u16) -> Serial16 {
    Serial16::new(raw)
}

fn started_at(raw: u16) -> Tracker {
    let mut tracker = Tracker::new();
    tracker.on_packet(wire(raw), AT);
    tracker
}

#[test]
fn a_stream_without_packets_holds_no_memory() {
    assert!(Tracker::new().memory.is_none());
}

#[test]
fn what_arrived_above_a_number_is_counted_over_the_wrap_and_no_further_than_it_is_known() {
    assert_eq!(Tracker::new().arrived_above(Seq::new(0)), None);
    let mut tracker = started_at(65_534);
    for number in [1, 2, 5, 65_535, 65_530] {
        tracker.on_packet(wire(number), AT);
    }
    let above = |tracker: &Tracker, seq| tracker.arrived_above(Seq::new(seq));
    assert_eq!(above(&tracker, 131_069), Some(5));
    assert_eq!(above(&tracker, 131_071), Some(3));
    assert_eq!([131_076, 131_077, 131_078].map(|seq| above(&tracker, seq)), [Some(1), Some(0), Some(0)]);
    assert_eq!(above(&tracker, 131_077 - 1_500), Some(6));
    assert_eq!(above(&tracker, 131_077 - 1_501), None);
}

#[test]
fn numbers_go_on_over_the_wrap() {
    let mut tracker = started_at(65_534);
    assert_eq!(tracker.on_packet(wire(1), AT), Verdict::New { seq: Seq::new(131_073), gap: 2 });
    assert_eq!(tracker.on_packet(wire(65_535), AT), Verdict::Late(Seq::new(131_071)));
    assert_eq!(tracker.on_packet(wire(65_535), AT), Verdict::Duplicate);
    assert_eq!(tracker.on_packet(wire(1), AT), Verdict::Duplicate);
}

#[test]
fn packets_from_before_the_first_do_not_go_below_zero() {
    let mut tracker = started_at(0);
    assert_eq!(tracker.on_packet(wire(65_535), AT), Verdict::Late(Seq::new(65_535)));
}

#[test]
fn the_edges_of_what_is_believed() {
    assert_eq!(started_at(0).on_packet(wire(2_999), AT), Verdict::New { seq: Seq::new(68_535), gap: 2_998 });
    assert_eq!(started_at(0).on_packet(wire(3_000), AT), Verdict::Suspicious);
    assert_eq!(started_at(2_000).on_packet(wire(500), AT), Verdict::Late(Seq::new(66_036)));
    assert_eq!(started_at(2_000).on_packet(wire(499), AT), Verdict::Suspicious);
}

#[test]
fn two_suspicious_packets_in_order_restart_the_stream_upwards() {
    let mut tracker = started_at(40_000);
    assert_eq!(tracker.on_packet(wire(10), AT), Verdict::Suspicious);
    assert_eq!(tracker.on_packet(wire(11), AT), Verdict::Restarted(Seq::new(131_083)));
    assert_eq!(tracker.on_packet(wire(10), AT), Verdict::Late(Seq::new(131_082)));
    assert_eq!(tracker.on_packet(wire(12), AT), Verdict::New { seq: Seq::new(131_084), gap: 0 });
}

#[test]
fn stray_packets_do_not_restart_a_stream_that_goes_on() {
    let mut tracker = started_at(100);
    for step in 0..50 {
        assert_eq!(tracker.on_packet(wire(30_000 + step * 2), AT), Verdict::Suspicious);
    }
    assert_eq!(tracker.on_packet(wire(20_000), AT), Verdict::Suspicious);
    assert_eq!(tracker.on_packet(wire(101), AT), Verdict::New { seq: Seq::new(65_637), gap: 0 });
    assert_eq!(tracker.on_packet(wire(20_001), AT), Verdict::Suspicious, "a good packet lay between");
}

#[test]
fn a_repair_neither_starts_nor_restarts() {
    let mut tracker = Tracker::new();
    assert_eq!(tracker.on_repair(wire(5), AT), Verdict::Suspicious);
    tracker.on_packet(wire(100), AT);
    assert_eq!(tracker.on_repair(wire(9_000), AT), Verdict::Suspicious);
    assert_eq!(tracker.on_repair(wire(9_001), AT), Verdict::Suspicious);
    assert_eq!(tracker.on_repair(wire(99), AT), Verdict::Late(Seq::new(65_635)));
    assert_eq!(tracker.on_repair(wire(99), AT), Verdict::Duplicate);
    assert_eq!(tracker.on_repair(wire(102), AT), Verdict::New { seq: Seq::new(65_638), gap: 1 });
}

/// The same rules without wrap, window or bitmap: true numbers in a set.
#[derive(Default)]
struct Model {
    seen: BTreeSet<i64>,
    highest: Option<i64>,
    restart_at: Option<u16>,
}

impl Model {
    fn on_packet(&mut self, raw: u16) -> Verdict {
        let Some(highest) = self.highest else { return self.begin(65_536 + i64::from(raw), false) };
        // The first number above the highest that reads `raw` in its last 16 bits.
        let up = highest + 1 + (i64::from(raw) - highest - 1).rem_euclid(65_536);
        let down = up - 65_536;
        if down == highest || (highest - down <= 1_500 && self.seen.contains(&down)) {
            self.restart_at = None;
            return Verdict::Duplicate;
        }
        if up - highest < 3_000 {
            self.restart_at = None;
            self.highest = Some(up);
            self.seen.insert(up);
            let gap = u16::try_from(up - highest - 1).unwrap();
            return Verdict::New { seq: Seq::new(up.unsigned_abs()), gap };
        }
        if highest - down <= 1_500 {
            self.restart_at = None;
            self.seen.insert(down);
            return Verdict::Late(Seq::new(down.unsigned_abs()));
        }
        if self.restart_at == Some(raw) {
            return self.begin(up, true);
        }
        self.restart_at = Some(raw.wrapping_add(1));
        Verdict::Suspicious
    }

    fn begin(&mut self, at: i64, restarted: bool) -> Verdict {
        *self = Self { seen: BTreeSet::from([at]), highest: Some(at), restart_at: None };
        let seq = Seq::new(at.unsigned_abs());
        if restarted { Verdict::Restarted(seq) } else { Verdict::New { seq, gap: 0 } }
    }
}

/// Steps relative to the last wire number: mostly the next one, with loss, reordering, duplicates and jumps.
fn step() -> impl Strategy<Value = i32> {
    prop_oneof![
        10 => Just(1),
        4 => -60..60_i32,
        3 => 1..3_100_i32,
        2 => -1_600..0_i32,
        1 => any::<u16>().prop_map(i32::from),
    ]
}

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn every_verdict_is_the_models(first: u16, steps in prop::collection::vec(step(), 1..1_500)) {
        let (mut tracker, mut model) = (Tracker::new(), Model::default());
        let mut raw = first;
        let mut highest = 0;
        for step in steps {
            let verdict = tracker.on_packet(wire(raw), AT);
            prop_assert_eq!(verdict, model.on_packet(raw));
            let now = tracker.highest().map_or(0, Seq::extended);
            prop_assert!(now >= highest, "extended numbers went back");
            highest = now;
            raw = u16::try_from((i32::from(raw) + step).rem_euclid(65_536)).unwrap();
        }
    }
}

#[test]
fn twenty_wraps_with_reordering_stay_exact() {
    let (mut tracker, mut model) = (Tracker::new(), Model::default());
    for base in (0..20 * 65_536_u32).step_by(4) {
        for offset in [1, 0, 3, 3] {
            let raw = u16::try_from((base + offset) % 65_536).unwrap();
            assert_eq!(tracker.on_packet(wire(raw), AT), model.on_packet(raw));
        }
        // The model's set would hold everything: forget what no rule can ask for any more.
        if base % 1_024 == 0 {
            model.seen = model.seen.split_off(&(model.highest.unwrap() - 1_600));
        }
    }
    assert!(tracker.highest().unwrap().extended() > 19 * 65_536);
}

/// Numbers from a seed.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(end)).unwrap()
    }
}

/// A packet of a sender: its extended number and its timestamp.
type Sent = (u64, u32);

/// Frames of some packets, pauses, and now and then minutes of silence; frames are put into another order than that in
/// which they are sent; before the packet `set_at` the sender's clock is set.
fn sender(dice: &mut Dice, set_at: u32) -> Vec<Sent> {
    let first = CYCLE + u64::from(dice.below(65_536));
    let mut timestamp = dice.below(u32::MAX);
    let packets = (0..COUNT).map(|index| {
        timestamp = timestamp.wrapping_add(match dice.below(80) {
            0..60 => 0,
            60..77 => 3_000,
            77 | 78 => dice.below(90_000),
            _ => dice.below(40_000_000),
        });
        if index == set_at {
            timestamp = dice.below(u32::MAX);
        }
        let shift = if dice.below(4) == 0 { dice.below(90_000) } else { 45_000 };
        (first + u64::from(index), timestamp.wrapping_add(shift).wrapping_sub(45_000))
    });
    packets.collect()
}

/// In the order of arrival, some held up, some lost.
fn arriving(sent: &[Sent], dice: &mut Dice) -> Vec<Sent> {
    let mut arriving = Vec::new();
    for packet in sent {
        let delay = match dice.below(26) {
            0..20 => 0,
            20..23 => dice.below(20),
            23 | 24 => dice.below(1_400),
            _ => continue,
        };
        arriving.push((packet.0 + u64::from(delay), *packet));
    }
    arriving.sort_unstable();
    arriving.into_iter().map(|(_, packet)| packet).collect()
}

fn wire_of(number: u64) -> Serial16 {
    Seq::new(number).wire()
}

/// More than the numbers that are remembered.
const COUNT: u32 = 2_500;

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn whatever_comes_late_or_twice_or_as_a_repair_is_no_restart(seed: u64) {
        let mut dice = Dice(seed);
        let set_at = dice.below(2 * COUNT);
        let sent = sender(&mut dice, set_at);
        let mut arrived = arriving(&sent, &mut dice);
        let again = arriving(&sent, &mut dice);
        for (place, packet) in again.into_iter().enumerate() {
            arrived.insert((2 * place + 20).min(arrived.len()), packet);
        }
        let mut tracker = Tracker::new();
        for (number, timestamp) in arrived {
            let (wire, stamp) = (wire_of(number), stamp(timestamp));
            let far = tracker.highest().is_some_and(|highest| highest.extended() > number + 1_500);
            let verdict =
                if tracker.highest().is_some() && dice.below(7) == 0 { tracker.on_repair(wire, stamp) } else { tracker.on_packet(wire, stamp) };
            let known = matches!(verdict, Verdict::New { .. } | Verdict::Late(_) | Verdict::Duplicate);
            prop_assert!(known || far, "{:?} for {} after {:?}", verdict, number, tracker.highest());
            if far {
                tracker.restart_at = None;
            }
        }
    }

    #[test]
    fn sender_that_begins_anew_a_little_behind_is_followed_from_its_second_packet_on(seed: u64, away: u32) {
        let mut dice = Dice(seed);
        let set_at = dice.below(500);
        let sent = sender(&mut dice, set_at);
        let mut tracker = Tracker::new();
        for (number, timestamp) in arriving(&sent, &mut dice) {
            tracker.on_packet(wire_of(number), stamp(timestamp));
        }
        let highest = tracker.highest().unwrap();
        let number = highest.extended() - u64::from(1 + dice.below(1_500));
        // Further from each timestamp since that number than frames are ever reordered, nor between two of them.
        let since: Vec<u32> =
            sent.iter().filter(|(sent, _)| *sent + 300 >= number).map(|(_, timestamp)| *timestamp).collect();
        let low = since[0].wrapping_sub(300_000);
        let high = since.last().unwrap().wrapping_add(300_000);
        prop_assume!(away.wrapping_sub(low) > high.wrapping_sub(low));

        prop_assert_eq!(tracker.on_packet(wire_of(number), stamp(away)), Verdict::Suspicious);
        let second = tracker.on_packet(wire_of(number + 1), stamp(away));
        let Verdict::Restarted(seq) = second else { panic!("{second:?}") };
        prop_assert!(seq.since(highest) > u64::from(LATE_MAX), "late packets may still come");
        prop_assert_eq!(seq.wire(), wire_of(number + 1));
        let third = tracker.on_packet(wire_of(number + 2), stamp(away.wrapping_add(3_000)));
        prop_assert_eq!(third, Verdict::New { seq: seq.next(), gap: 0 });
        let zeroth = tracker.on_packet(wire_of(number), stamp(away));
        prop_assert_eq!(zeroth, Verdict::Late(Seq::new(seq.extended() - 1)));
    }

    #[test]
    fn single_packets_of_any_kind_between_good_ones_restart_nothing(seed: u64) {
        let mut dice = Dice(seed);
        let mut tracker = Tracker::new();
        for (number, timestamp) in sender(&mut dice, 2 * COUNT) {
            let verdict = tracker.on_packet(wire_of(number), stamp(timestamp));
            prop_assert!(matches!(verdict, Verdict::New { gap: 0, .. } | Verdict::Late(_)), "{}", number);
            // One that is plausibly ahead is taken for what it says it is.
            let ahead = 3_000 + dice.below(65_536 - 2_999);
            let stray = wire_of(number + u64::from(ahead));
            let verdict = tracker.on_packet(stray, stamp(dice.below(u32::MAX)));
            prop_assert!(!matches!(verdict, Verdict::Restarted(_) | Verdict::New { .. }), "{}", number);
        }
    }
}

#[test]
fn another_ssrc_goes_on_above_the_first_wherever_it_begins() {
    for first in [0, 100, 101, 1_600, 1_601, 30_000, 65_535] {
        let mut tracker = started_at(100);
        tracker.on_packet(wire(10), AT);
        tracker.renew();
        assert_eq!(tracker.on_repair(wire(first), AT), Verdict::Suspicious);
        let Verdict::Restarted(seq) = tracker.on_packet(wire(first), stamp(77)) else { panic!("{first}") };
        assert_eq!(seq.wire(), wire(first));
        let ahead = seq.since(Seq::new(CYCLE + 100));
        assert!((1_501..=65_536 + 1_500).contains(&ahead), "{first}: {ahead}");
        assert_eq!(tracker.on_packet(wire(first).next(), AT), Verdict::New { seq: seq.next(), gap: 0 });
    }
    let mut nothing_yet = Tracker::new();
    nothing_yet.renew();
    assert_eq!(nothing_yet.on_packet(wire(7), AT), Verdict::New { seq: Seq::new(CYCLE + 7), gap: 0 });
}

#[test]
fn timestamps_are_judged_give_or_take_a_second_of_their_clock() {
    let fits = |timestamp: u32, clock_rate| {
        let mut tracker = Tracker::new();
        let at = |timestamp| Stamp { timestamp: Serial32::new(timestamp), clock_rate: 8_000 };
        for number in 0..300 {
            tracker.on_packet(wire(number), at(u32::from(number) * 160));
        }
        // Between the packets 127, the last before its block, and 299.
        let verdict = tracker.on_packet(wire(200), Stamp { clock_rate, ..at(timestamp) });
        assert!(matches!(verdict, Verdict::Duplicate | Verdict::Suspicious), "{verdict:?}");
        verdict == Verdict::Duplicate
    };
    assert!(fits(127 * 160 - 8_000, 8_000) && fits(299 * 160 + 8_000, 8_000));
    assert!(!fits(127 * 160 - 8_001, 8_000) && !fits(299 * 160 + 8_001, 8_000));
    assert!(fits(1 << 31, 48_000), "of another clock nothing is known");
}

#[test]
fn timestamps_are_judged_as_far_as_a_stream_with_leaps_can_tell_them_apart() {
    // The packets to 127 at zero; of the later ones a quarter each at these.
    let fits = |leaps: [u32; 4], number: u16, timestamp: u32| {
        let mut tracker = Tracker::new();
        let at = |timestamp| Stamp { timestamp: Serial32::new(timestamp), clock_rate: 8_000 };
        for number in 0..300_u16 {
            let quarter = number.checked_sub(128).map(|above| usize::from(above / 43));
            tracker.on_packet(wire(number), at(quarter.map_or(0, |quarter| leaps[quarter])));
        }
        tracker.on_packet(wire(number), at(timestamp)) == Verdict::Duplicate
    };
    let short = [1_600; 4];
    assert!(fits(short, 200, 9_600) && !fits(short, 200, 9_601));
    assert!(fits(short, 299, 0) && !fits(short, 299, 1 << 30), "the newest number is judged as well");
    let [second, more] = [8_000, 8_001].map(|back| 0_u32.wrapping_sub(back));
    assert!(
        fits([second; 4], 200, second) && !fits([second; 4], 200, second - 1),
        "a second back is the same time"
    );
    assert!(!fits([second; 4], 200, 1));
    assert!(fits([more; 4], 200, more - 8_000) && !fits([more; 4], 200, more - 8_001), "more begins another");
    assert!(
        !fits([more; 4], 128, 1 << 31) && fits([more; 4], 127, 1 << 31),
        "and of the one before nothing is known"
    );
    let far = [1 << 30, 2 << 30, 3 << 30, 3 << 30];
    assert!(fits(far, 200, 1 << 29), "leaps that add up to more than half of all timestamps");
}
