//! Sequence numbers of one received stream: from 16 bits on the wire to numbers that never go back.
//!
//! Knows RFC 3550 A.1 (gaps, misorder, restarts) and, for exact duplicates, which of the last numbers arrived.
//! Does not know payloads, time, or why a packet is missing. Called by `Producer::admit` once per packet (and by
//! its RTX stream), before anything else looks at the number.
//! Invariant: a number is answered with [`Verdict::New`], [`Verdict::Late`] or [`Verdict::Restarted`] at most once
//! while it is inside the window, and no answer extends to less than [`LATE_MAX`] below the highest one.

use crate::base::sequence::{Seq, Serial16};

/// What one arrival means for its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Newer than everything before it; `gap` numbers (0 to [`GAP_MAX`] - 2) between it and the newest are missing.
    New {
        /// The packet's extended number.
        seq: Seq,
        /// How many numbers were jumped over.
        gap: u16,
    },
    /// Older than the newest by at most [`LATE_MAX`], and not seen before: reordered or sent again.
    Late(Seq),
    /// This number has arrived already: drop it.
    Duplicate,
    /// The sender began anew; numbers continue above all earlier ones. Whatever was kept by number (loss list,
    /// continuity, jitter) must begin anew too.
    Restarted(Seq),
    /// Too far from the newest to be believed on its own: drop it. The next in order after it makes a restart.
    Suspicious,
}

/// Extends the sequence numbers of one SSRC and sorts out what cannot be believed.
#[derive(Debug, Default)]
pub struct Tracker {
    highest: Option<Seq>,
    /// The number that would confirm a restart: the one after the last suspicious packet (RFC 3550 A.1 `bad_seq`).
    restart_at: Option<Serial16>,
    /// One bit for each of the last [`WINDOW`] numbers; made at the first packet.
    arrived: Option<Box<Arrived>>,
}

const _: () = assert!(size_of::<Tracker>() <= 32);

impl Tracker {
    /// A stream that has not begun.
    pub const fn new() -> Self {
        Self { highest: None, restart_at: None, arrived: None }
    }

    /// The highest number so far.
    pub const fn highest(&self) -> Option<Seq> {
        self.highest
    }

    /// How many numbers above `seq` have arrived. Of what is further than [`LATE_MAX`] below the highest nothing is known.
    pub fn arrived_above(&self, seq: Seq) -> Option<usize> {
        let (highest, arrived) = (self.highest?, self.arrived.as_deref()?);
        if highest.since(seq) > LATE_MAX.into() {
            return None;
        }
        let above = (seq.extended()..highest.extended()).map(|number| Seq::new(number + 1));
        Some(above.filter(|seq| arrived.contains(*seq)).count())
    }

    /// Judges a packet that arrived under its own number.
    pub fn on_packet(&mut self, wire: Serial16) -> Verdict {
        let Some(highest) = self.highest else { return self.start(wire) };
        let distance = wire.distance_from(highest.wire());
        if is_plausible(distance) {
            self.restart_at = None;
            return self.admit(highest, distance);
        }
        if self.restart_at == Some(wire) {
            return self.restart(highest, wire);
        }
        self.restart_at = Some(wire.next());
        Verdict::Suspicious
    }

    /// Judges a packet that arrived as a repair (RFC 4588: its number was the payload's first two bytes). A repair
    /// neither begins nor restarts a stream: before the first packet, or far away, it is [`Verdict::Suspicious`].
    pub fn on_repair(&mut self, wire: Serial16) -> Verdict {
        let Some(highest) = self.highest else { return Verdict::Suspicious };
        let distance = wire.distance_from(highest.wire());
        if is_plausible(distance) { self.admit(highest, distance) } else { Verdict::Suspicious }
    }

    fn start(&mut self, wire: Serial16) -> Verdict {
        // One cycle up, so that what came before the first packet does not go below zero.
        let seq = Seq::new(CYCLE + u64::from(wire.wire()));
        self.begin_at(seq);
        Verdict::New { seq, gap: 0 }
    }

    fn restart(&mut self, highest: Seq, wire: Serial16) -> Verdict {
        // The next number up that reads `wire`. It is GAP_MAX away or more, else it would have been plausible, so
        // that late packets on its lower side cannot be mistaken for ones from before the restart.
        let seq = highest + u64::from(wire.wire().wrapping_sub(highest.wire().wire()));
        self.begin_at(seq);
        Verdict::Restarted(seq)
    }

    fn begin_at(&mut self, seq: Seq) {
        self.highest = Some(seq);
        self.restart_at = None;
        let arrived = self.arrived.get_or_insert_default();
        arrived.clear();
        arrived.insert(seq);
    }

    fn admit(&mut self, highest: Seq, distance: i64) -> Verdict {
        let arrived = self.arrived.get_or_insert_default();
        if let Ok(ahead) = u64::try_from(distance) {
            if ahead == 0 {
                return Verdict::Duplicate;
            }
            let seq = highest + ahead;
            arrived.advance(highest, seq);
            self.highest = Some(seq);
            return Verdict::New { seq, gap: u16::try_from(ahead - 1).unwrap_or(u16::MAX) };
        }
        let seq = Seq::new(highest.extended().saturating_sub(distance.unsigned_abs()));
        if arrived.insert(seq) { Verdict::Late(seq) } else { Verdict::Duplicate }
    }
}

fn is_plausible(distance: i64) -> bool {
    (-i64::from(LATE_MAX)..i64::from(GAP_MAX)).contains(&distance)
}

/// Which of the last [`WINDOW`] numbers arrived; number n has bit n modulo [`WINDOW`].
#[derive(Debug)]
struct Arrived([u64; WORDS]);

impl Default for Arrived {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl Arrived {
    fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Moves the window up to `seq` and sets it; the numbers jumped over have not arrived.
    fn advance(&mut self, highest: Seq, seq: Seq) {
        if seq.since(highest) >= WINDOW {
            self.clear();
        } else {
            for missing in highest.extended() + 1..seq.extended() {
                let (word, bit) = place(Seq::new(missing));
                self.0[word] &= !bit;
            }
        }
        let (word, bit) = place(seq);
        self.0[word] |= bit;
    }

    fn contains(&self, seq: Seq) -> bool {
        let (word, bit) = place(seq);
        self.0[word] & bit != 0
    }

    /// Sets a number inside the window; false when it was set already.
    fn insert(&mut self, seq: Seq) -> bool {
        let (word, bit) = place(seq);
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }
}

/// The word and the bit of a number. The word is always below [`WORDS`].
const fn place(seq: Seq) -> (usize, u64) {
    let slot = seq.extended() % WINDOW;
    let word = (slot / 64) as usize;
    (word, 1 << (slot % 64))
}

/// A forward step of this many or more is not believed on its own (RFC 3550 A.1 `MAX_DROPOUT`).
pub const GAP_MAX: u16 = 3_000;
/// A packet is late, and not from elsewhere, up to this many numbers behind (about RFC 3550 A.1 `MAX_MISORDER`).
pub const LATE_MAX: u16 = 1_500;

const CYCLE: u64 = 1 << Serial16::BITS;
const WINDOW: u64 = 2_048;
const WORDS: usize = 32;

const _: () = assert!(WORDS as u64 * 64 == WINDOW);
const _: () = assert!(WINDOW > LATE_MAX as u64, "a late packet must fall inside the window");
const _: () = assert!(GAP_MAX > LATE_MAX, "late packets after a restart must not reach below it");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn wire(raw: u16) -> Serial16 {
        Serial16::new(raw)
    }

    fn started_at(raw: u16) -> Tracker {
        let mut tracker = Tracker::new();
        tracker.on_packet(wire(raw));
        tracker
    }

    #[test]
    fn a_stream_without_packets_holds_no_memory() {
        assert!(Tracker::new().arrived.is_none());
    }

    #[test]
    fn what_arrived_above_a_number_is_counted_over_the_wrap_and_no_further_than_it_is_known() {
        assert_eq!(Tracker::new().arrived_above(Seq::new(0)), None);
        let mut tracker = started_at(65_534);
        for number in [1, 2, 5, 65_535, 65_530] {
            tracker.on_packet(wire(number));
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
        assert_eq!(tracker.on_packet(wire(1)), Verdict::New { seq: Seq::new(131_073), gap: 2 });
        assert_eq!(tracker.on_packet(wire(65_535)), Verdict::Late(Seq::new(131_071)));
        assert_eq!(tracker.on_packet(wire(65_535)), Verdict::Duplicate);
        assert_eq!(tracker.on_packet(wire(1)), Verdict::Duplicate);
    }

    #[test]
    fn packets_from_before_the_first_do_not_go_below_zero() {
        let mut tracker = started_at(0);
        assert_eq!(tracker.on_packet(wire(65_535)), Verdict::Late(Seq::new(65_535)));
    }

    #[test]
    fn the_edges_of_what_is_believed() {
        assert_eq!(started_at(0).on_packet(wire(2_999)), Verdict::New { seq: Seq::new(68_535), gap: 2_998 });
        assert_eq!(started_at(0).on_packet(wire(3_000)), Verdict::Suspicious);
        assert_eq!(started_at(2_000).on_packet(wire(500)), Verdict::Late(Seq::new(66_036)));
        assert_eq!(started_at(2_000).on_packet(wire(499)), Verdict::Suspicious);
    }

    #[test]
    fn two_suspicious_packets_in_order_restart_the_stream_upwards() {
        let mut tracker = started_at(40_000);
        assert_eq!(tracker.on_packet(wire(10)), Verdict::Suspicious);
        assert_eq!(tracker.on_packet(wire(11)), Verdict::Restarted(Seq::new(131_083)));
        assert_eq!(tracker.on_packet(wire(10)), Verdict::Late(Seq::new(131_082)));
        assert_eq!(tracker.on_packet(wire(12)), Verdict::New { seq: Seq::new(131_084), gap: 0 });
    }

    #[test]
    fn stray_packets_do_not_restart_a_stream_that_goes_on() {
        let mut tracker = started_at(100);
        for step in 0..50 {
            assert_eq!(tracker.on_packet(wire(30_000 + step * 2)), Verdict::Suspicious);
        }
        assert_eq!(tracker.on_packet(wire(20_000)), Verdict::Suspicious);
        assert_eq!(tracker.on_packet(wire(101)), Verdict::New { seq: Seq::new(65_637), gap: 0 });
        assert_eq!(tracker.on_packet(wire(20_001)), Verdict::Suspicious, "a good packet lay between");
    }

    #[test]
    fn a_repair_neither_starts_nor_restarts() {
        let mut tracker = Tracker::new();
        assert_eq!(tracker.on_repair(wire(5)), Verdict::Suspicious);
        tracker.on_packet(wire(100));
        assert_eq!(tracker.on_repair(wire(9_000)), Verdict::Suspicious);
        assert_eq!(tracker.on_repair(wire(9_001)), Verdict::Suspicious);
        assert_eq!(tracker.on_repair(wire(99)), Verdict::Late(Seq::new(65_635)));
        assert_eq!(tracker.on_repair(wire(99)), Verdict::Duplicate);
        assert_eq!(tracker.on_repair(wire(102)), Verdict::New { seq: Seq::new(65_638), gap: 1 });
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
                let verdict = tracker.on_packet(wire(raw));
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
                assert_eq!(tracker.on_packet(wire(raw)), model.on_packet(raw));
            }
            // The model's set would hold everything: forget what no rule can ask for any more.
            if base % 1_024 == 0 {
                model.seen = model.seen.split_off(&(model.highest.unwrap() - 1_600));
            }
        }
        assert!(tracker.highest().unwrap().extended() > 19 * 65_536);
    }
}
