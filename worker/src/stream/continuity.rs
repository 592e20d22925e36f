//! One consumer's own sequence numbers and timestamps: no holes where we dropped, holes where the network did.
//!
//! Knows extended input numbers and which of the last ones were dropped on purpose. Does not know why (paused, layer,
//! DTX), nor packets, codecs or RTCP. Called by `Consumer::plan` for each packet of its producer stream, in the order
//! of arrival. Duplicates must have been removed before ([`super::receive::Tracker`] does).
//! Invariant: two inputs never get one output number, and outputs grow with inputs.

use super::ticks;
use crate::base::sequence::{Seq, Serial16, Serial32};
use crate::base::time::Time;

/// Gives forwarded packets the consumer's own numbers.
///
/// An input `n` becomes `n + offset - (numbers dropped between the last sync and n)`. Remembering *which* numbers were
/// dropped is needed only for late packets, so it goes back [`WINDOW`] numbers and no further: 256 bytes, taken at
/// the first drop and given back at the next [`sync`](Self::sync).
///
/// Own numbers are extended from a first cycle of zero, so that the upper part is the SRTP roll-over counter.
#[derive(Debug)]
pub struct Continuity {
    /// Output minus input for inputs above all drops, modulo 2^64. Meaningless before the first sync.
    offset: u64,
    /// The highest input forwarded or dropped since the last sync, or passed over before the next. At the sync itself the
    /// input before.
    newest: Seq,
    /// Inputs below belong to before the last sync. `None`: not synced yet.
    floor: Option<Seq>,
    /// The output number that comes after the highest given so far.
    next_output: Seq,
    dropped: Option<Box<Dropped>>,
}

const _: () = assert!(size_of::<Continuity>() <= 56);

impl Continuity {
    /// A consumer whose first packet will carry `first`. RFC 3550 5.1 wants it random; keep it in 1,000..=32,767: a
    /// receiver that loses the packets around an early wrap guesses the SRTP roll-over counter wrong (RFC 3711 3.3.1).
    pub fn new(first: Serial16) -> Self {
        let next_output = Seq::new(u64::from(first.wire()));
        Self { offset: 0, newest: Seq::new(0), floor: None, next_output, dropped: None }
    }

    /// Makes `first` (and not what is before it) continue right after the highest number given so far. To be called
    /// for the first packet of all, after a pause, at a switch to another stream, and when the input restarted.
    pub fn sync(&mut self, first: Seq) {
        self.sync_to(first, self.next_output);
    }

    /// As [`sync`](Self::sync), with one number left out, so that the receiver sees that the frame before was cut
    /// short (its last packet had no marker) and does not join the two.
    pub fn sync_after_cut(&mut self, first: Seq) {
        self.sync_to(first, self.next_output.next());
    }

    fn sync_to(&mut self, first: Seq, output: Seq) {
        self.offset = output.extended().wrapping_sub(first.extended());
        self.newest = Seq::new(first.extended().saturating_sub(1));
        self.floor = Some(first);
        self.dropped = None;
    }

    /// The own number for an input that is forwarded. `None`: it may not be forwarded, for it was dropped, is from
    /// before the last sync, or is later than [`WINDOW`] numbers while numbers were being dropped.
    pub fn forward(&mut self, seq: Seq) -> Option<Seq> {
        if seq < self.floor? {
            return None;
        }
        let output = if seq > self.newest {
            self.advance(seq);
            self.shifted(seq, 0)
        } else {
            self.number_of_late(seq)?
        };
        // A late packet may still be the highest output: the ones after it may all have been dropped.
        self.next_output = self.next_output.max(output.next());
        Some(output)
    }

    /// Records an input that is kept from the receiver: what follows closes up. A late one leaves its hole, for
    /// the numbers after it have been given.
    pub fn drop_input(&mut self, seq: Seq) {
        if self.floor.is_some() && seq > self.newest {
            self.advance(seq);
            self.offset = self.offset.wrapping_sub(1);
            self.dropped.get_or_insert_default().insert(seq);
        }
    }

    /// Records an input that came while nothing is followed: what is before it cannot be started with any more.
    pub fn pass_over(&mut self, seq: Seq) {
        self.newest = self.newest.max(seq);
    }

    /// Whether a newer input than this was passed over, forwarded or dropped.
    pub fn is_past(&self, seq: Seq) -> bool {
        seq < self.newest
    }

    /// The number that the next packet in order will carry.
    pub const fn next_output(&self) -> Seq {
        self.next_output
    }

    /// Whether anything may pass: false until the first sync.
    pub const fn is_synced(&self) -> bool {
        self.floor.is_some()
    }

    fn number_of_late(&self, seq: Seq) -> Option<Seq> {
        let Some(dropped) = &self.dropped else { return Some(self.shifted(seq, 0)) };
        if self.newest.since(seq) >= WINDOW || dropped.contains(seq) {
            return None;
        }
        Some(self.shifted(seq, dropped.count_from(seq, self.newest)))
    }

    /// The output of `seq` when `above` of the drops counted in `offset` are of numbers above it.
    const fn shifted(&self, seq: Seq, above: u64) -> Seq {
        Seq::new(seq.extended().wrapping_add(self.offset).wrapping_add(above))
    }

    fn advance(&mut self, seq: Seq) {
        if let Some(dropped) = &mut self.dropped {
            dropped.advance(self.newest, seq);
        }
        self.newest = seq;
    }
}

/// Which of the last [`WINDOW`] inputs were dropped; number n has bit n modulo [`WINDOW`].
#[derive(Debug)]
struct Dropped([u64; WORDS]);

impl Default for Dropped {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl Dropped {
    /// Moves the window from `newest` to `seq`: the numbers that enter have not been dropped.
    fn advance(&mut self, newest: Seq, seq: Seq) {
        if seq.since(newest) >= WINDOW {
            self.0.fill(0);
            return;
        }
        for entering in newest.extended() + 1..=seq.extended() {
            let (word, bit) = place(entering);
            self.0[word] &= !bit;
        }
    }

    fn insert(&mut self, seq: Seq) {
        let (word, bit) = place(seq.extended());
        self.0[word] |= bit;
    }

    fn contains(&self, seq: Seq) -> bool {
        let (word, bit) = place(seq.extended());
        self.0[word] & bit != 0
    }

    /// How many numbers in `seq..=newest` were dropped; the two are less than [`WINDOW`] apart.
    fn count_from(&self, seq: Seq, newest: Seq) -> u64 {
        let mut count = 0;
        let mut next = seq.extended();
        while next <= newest.extended() {
            let (word, first) = place(next);
            let bits = (64 - u64::from(first.trailing_zeros())).min(newest.extended() - next + 1);
            let mask = (u64::MAX >> (64 - bits)) << first.trailing_zeros();
            count += u64::from((self.0[word] & mask).count_ones());
            next += bits;
        }
        count
    }
}

/// The word and the bit of a number. The word is always below [`WORDS`].
const fn place(number: u64) -> (usize, u64) {
    let slot = number % WINDOW;
    let word = (slot / 64) as usize;
    (word, 1 << (slot % 64))
}

/// Moves one consumer's RTP timestamps so that they go on where its stream is restarted or replaced.
///
/// Within one input stream timestamps are kept; [`sync`](Self::sync) sets a new offset for another one.
#[derive(Clone, Copy, Debug)]
pub struct TimestampMap {
    offset: u32,
    /// The newest output timestamp; meaningless without a time.
    newest: Serial32,
    /// When the first packet with the newest timestamp passed; `None` before all packets.
    newest_at: Option<Time>,
}

const _: () = assert!(size_of::<TimestampMap>() <= 24);

impl TimestampMap {
    /// A consumer that has sent nothing: timestamps pass unchanged.
    pub const fn new() -> Self {
        Self { offset: 0, newest: Serial32::new(0), newest_at: None }
    }

    /// What to add to an input timestamp, modulo 2^32.
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    /// The output timestamp of an input timestamp.
    pub const fn map(&self, input: Serial32) -> Serial32 {
        input.add(self.offset)
    }

    /// Maps the timestamp of a packet that is forwarded at `now`, and remembers it when it is the newest.
    pub fn forward(&mut self, input: Serial32, now: Time) -> Serial32 {
        let output = self.map(input);
        if self.newest_at.is_none() || output.is_newer_than(self.newest) {
            self.newest = output;
            self.newest_at = Some(now);
        }
        output
    }

    /// Makes `input`, the timestamp of another or a restarted stream, continue after the newest output by the time
    /// that has passed since (RFC 3550 5.1: timestamps go on with real time), at least by one tick, so that two
    /// frames never share one. Before anything was forwarded there is nothing to continue and nothing changes.
    pub fn sync(&mut self, input: Serial32, now: Time, clock_rate_hz: u32) {
        if let Some(at) = self.newest_at {
            let target = self.newest.add(ticks(now.since(at), clock_rate_hz).max(1));
            self.sync_to(input, target);
        }
    }

    /// Makes `input` come out as `output`, for a caller that can align the two streams better than by arrival.
    pub fn sync_to(&mut self, input: Serial32, output: Serial32) {
        self.offset = output.wire().wrapping_sub(input.wire());
    }

    /// The newest output timestamp and when its first packet passed.
    pub fn last(&self) -> Option<(Serial32, Time)> {
        self.newest_at.map(|at| (self.newest, at))
    }
}

impl Default for TimestampMap {
    fn default() -> Self {
        Self::new()
    }
}

/// How many numbers behind the newest a late packet may be while numbers are being dropped. More than the 1,500
/// that the receive side lets through, so that it is no further limit.
pub const WINDOW: u64 = 2_048;
const WORDS: usize = 32;

const _: () = assert!(WORDS as u64 * 64 == WINDOW);

#[cfg(test)]
mod tests {
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
}
