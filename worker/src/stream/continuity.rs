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
    /// The highest input forwarded or dropped since the last sync; at the sync itself the input before.
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

    /// Whether this input or a newer one was forwarded or dropped: a [`sync`](Self::sync) to it would go back.
    pub fn is_past(&self, seq: Seq) -> bool {
        seq <= self.newest
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

    /// The input timestamp of an output timestamp.
    pub const fn unmap(&self, output: Serial32) -> Serial32 {
        output.add(0_u32.wrapping_sub(self.offset))
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
mod tests;
