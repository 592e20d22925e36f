//! Sequence numbers of one received stream: from 16 bits on the wire to numbers that never go back.
//!
//! Knows RFC 3550 A.1 (gaps, misorder, restarts) and, for exact duplicates, which of the last numbers arrived; of their
//! timestamps so much that a late packet can be told from the first of a sender that began anew just behind the old one.
//! Does not know payloads, time, or why a packet is missing. Called by `Producer::admit` once per packet (and by
//! its RTX stream), before anything else looks at the number.
//! Invariant: a number is answered with [`Verdict::New`], [`Verdict::Late`] or [`Verdict::Restarted`] at most once
//! while it is inside the window, and no answer extends to less than [`LATE_MAX`] below the highest one.

use crate::base::sequence::{Seq, Serial16, Serial32};

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
    /// Too far from the newest to be believed on its own, or with a timestamp that its number cannot have: drop it. The
    /// next in order after it makes a restart.
    Suspicious,
}

/// When a packet was sampled, as far as its number can be judged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Of the packet.
    pub timestamp: Serial32,
    /// Of its codec, in Hz.
    pub clock_rate: u32,
}

/// Extends the sequence numbers of one SSRC and sorts out what cannot be believed.
#[derive(Debug, Default)]
pub struct Tracker {
    highest: Option<Seq>,
    /// The number that would confirm a restart: the one after the last suspicious packet (RFC 3550 A.1 `bad_seq`).
    restart_at: Option<Serial16>,
    /// Made at the first packet.
    memory: Option<Box<Memory>>,
}

/// What is known of the last [`WINDOW`] numbers.
#[derive(Debug, Default)]
struct Memory {
    arrived: Arrived,
    stamps: Stamps,
    /// Numbers of an earlier SSRC end here.
    floor: Option<Seq>,
}

const _: () = assert!(size_of::<Tracker>() <= 32);

impl Tracker {
    /// A stream that has not begun.
    pub const fn new() -> Self {
        Self { highest: None, restart_at: None, memory: None }
    }

    /// The highest number so far.
    pub const fn highest(&self) -> Option<Seq> {
        self.highest
    }

    /// How many numbers above `seq` have arrived. Of what is further than [`LATE_MAX`] below the highest nothing is known.
    pub fn arrived_above(&self, seq: Seq) -> Option<usize> {
        let (highest, arrived) = (self.highest?, &self.memory.as_deref()?.arrived);
        if highest.since(seq) > LATE_MAX.into() {
            return None;
        }
        let above = (seq.extended()..highest.extended()).map(|number| Seq::new(number + 1));
        Some(above.filter(|seq| arrived.contains(*seq)).count())
    }

    /// Judges a packet that arrived under its own number.
    pub fn on_packet(&mut self, wire: Serial16, stamp: Stamp) -> Verdict {
        let Some(highest) = self.highest else { return self.start(wire, stamp) };
        let distance = wire.distance_from(highest.wire());
        if is_plausible(distance) && (distance > 0 || self.fits(behind(highest, distance), stamp)) {
            self.restart_at = None;
            return self.admit(highest, distance, stamp);
        }
        if self.restart_at == Some(wire) {
            return self.restart(highest, wire, stamp);
        }
        self.restart_at = Some(wire.next());
        Verdict::Suspicious
    }

    /// Judges a packet that arrived as a repair (RFC 4588: its number was the payload's first two bytes). A repair
    /// neither begins nor restarts a stream: before the first packet, or far away, it is [`Verdict::Suspicious`].
    pub fn on_repair(&mut self, wire: Serial16, stamp: Stamp) -> Verdict {
        let Some(highest) = self.highest else { return Verdict::Suspicious };
        let distance = wire.distance_from(highest.wire());
        if is_plausible(distance) { self.admit(highest, distance, stamp) } else { Verdict::Suspicious }
    }

    /// Packets are another SSRC's from now on: the next one is a restart wherever it is.
    pub fn renew(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.floor = self.highest.or(memory.floor);
        }
        self.highest = None;
    }

    fn start(&mut self, wire: Serial16, stamp: Stamp) -> Verdict {
        if let Some(highest) = self.memory.as_ref().and_then(|memory| memory.floor) {
            return self.restart(highest, wire, stamp);
        }
        // One cycle up, so that what came before the first packet does not go below zero.
        let seq = Seq::new(CYCLE + u64::from(wire.wire()));
        self.begin_at(seq, stamp);
        Verdict::New { seq, gap: 0 }
    }

    fn restart(&mut self, highest: Seq, wire: Serial16, stamp: Stamp) -> Verdict {
        // The next number up that reads `wire`, and that is more than LATE_MAX away, so that late packets on its lower
        // side cannot be mistaken for ones from before the restart.
        let ahead = u64::from(wire.wire().wrapping_sub(highest.wire().wire()));
        let seq = highest + if ahead > u64::from(LATE_MAX) { ahead } else { ahead + CYCLE };
        self.begin_at(seq, stamp);
        Verdict::Restarted(seq)
    }

    fn begin_at(&mut self, seq: Seq, stamp: Stamp) {
        self.highest = Some(seq);
        self.restart_at = None;
        let memory = self.memory.get_or_insert_default();
        memory.floor = None;
        memory.arrived.clear();
        memory.arrived.insert(seq);
        memory.stamps.begin_at(seq, stamp);
    }

    fn admit(&mut self, highest: Seq, distance: i64, stamp: Stamp) -> Verdict {
        let memory = self.memory.get_or_insert_default();
        if let Ok(ahead) = u64::try_from(distance) {
            if ahead == 0 {
                return Verdict::Duplicate;
            }
            let seq = highest + ahead;
            memory.arrived.advance(highest, seq);
            memory.stamps.advance(highest, seq, stamp);
            self.highest = Some(seq);
            return Verdict::New { seq, gap: u16::try_from(ahead - 1).unwrap_or(u16::MAX) };
        }
        let seq = behind(highest, distance);
        if memory.arrived.insert(seq) { Verdict::Late(seq) } else { Verdict::Duplicate }
    }

    fn fits(&self, seq: Seq, stamp: Stamp) -> bool {
        self.memory.as_ref().is_none_or(|memory| memory.stamps.fits(seq, stamp))
    }
}

/// The number at a distance of zero or less.
fn behind(highest: Seq, distance: i64) -> Seq {
    Seq::new(highest.extended().saturating_sub(distance.unsigned_abs()))
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

/// Between which timestamps the packets of the last [`WINDOW`] numbers lie.
#[derive(Debug)]
struct Stamps {
    /// Of the packet with the highest number.
    newest: Serial32,
    clock_rate: u32,
    /// From here on timestamps have one clock that does not go back.
    since: Seq,
    /// For each block of [`BLOCK`] numbers the timestamp of a packet before it, or of its first: none in it has an older one.
    oldest: [Serial32; BLOCKS],
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            newest: Serial32::new(0),
            clock_rate: 0,
            since: Seq::new(0),
            oldest: [Serial32::new(0); BLOCKS],
        }
    }
}

impl Stamps {
    fn begin_at(&mut self, seq: Seq, stamp: Stamp) {
        let Stamp { timestamp, clock_rate } = stamp;
        (self.newest, self.clock_rate, self.since) = (timestamp, clock_rate, seq);
        self.oldest[block(seq)] = timestamp;
    }

    /// A packet with a new highest number.
    fn advance(&mut self, highest: Seq, seq: Seq, stamp: Stamp) {
        let step = stamp.timestamp.distance_from(self.newest);
        if step < -i64::from(stamp.clock_rate) || stamp.clock_rate != self.clock_rate {
            return self.begin_at(seq, stamp);
        }
        let (from, to) = (highest.extended() / BLOCK, seq.extended() / BLOCK);
        for entered in from.max(to.saturating_sub(BLOCKS as u64)) + 1..=to {
            self.oldest[block(Seq::new(entered * BLOCK))] = self.newest;
        }
        self.newest = stamp.timestamp;
    }

    /// Whether a packet of this number, not a new highest one, can have this timestamp: one of its time, give or take a
    /// second, for frames may be sent in another order than they were taken in.
    fn fits(&self, seq: Seq, stamp: Stamp) -> bool {
        if seq < self.since || stamp.clock_rate != self.clock_rate {
            return true;
        }
        let oldest = self.oldest[block(seq)];
        let span = self.newest.distance_from(oldest);
        let second = i64::from(self.clock_rate);
        // Pauses may add up to more than timestamps can tell apart.
        span < -second || (-second..=span + second).contains(&stamp.timestamp.distance_from(oldest))
    }
}

/// The place of a number's block; always below [`BLOCKS`].
const fn block(seq: Seq) -> usize {
    (seq.extended() / BLOCK % BLOCKS as u64) as usize
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
/// Numbers whose timestamps have one lower bound.
const BLOCK: u64 = 128;
const BLOCKS: usize = 16;

const _: () = assert!(WORDS as u64 * 64 == WINDOW && BLOCKS as u64 * BLOCK == WINDOW);
const _: () = assert!(size_of::<Memory>() <= 352);
const _: () = assert!(WINDOW > LATE_MAX as u64, "a late packet must fall inside the window");
const _: () = assert!(GAP_MAX > LATE_MAX, "late packets after a restart must not reach below it");

#[cfg(test)]
mod tests;
