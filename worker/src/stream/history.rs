//! The packets of one producer stream, stored once and shared by all its consumers.
//!
//! Knows order of arrival, age and bytes held. Does not know sequence numbers (several per packet: the input's and one
//! per consumer), what an item is, or who may ask for it: consumers remember a [`Position`] (`super::ring`), and what
//! that no longer leads to has aged out. Called by `Producer::admit` (push), `Consumer` (get) and the worker's
//! deadline (expire).
//! Invariant: positions only grow, but for those taken back unseen; the positions held are consecutive, from [`StreamHistory::oldest`] up to, not
//! including, [`StreamHistory::end`]; the ring's memory is charged to the pool's budget to the byte.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Kind, RTT_UNKNOWN, SPACIOUS};
use crate::base::pool::{BudgetFull, Pool};
use crate::base::time::Time;

/// The place of one packet in its stream's history: grows by one with each packet and is never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// The low 32 bits: what a consumer's entry keeps. See [`StreamHistory::resolve`].
    #[expect(clippy::cast_possible_truncation, reason = "the low half is asked for")]
    pub const fn low(self) -> u32 {
        self.0 as u32
    }

    /// How many positions after `earlier`; zero when not after it.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A ring of the last packets of a stream, as long as [`retain`] says. Empty and old, it holds no memory.
///
/// Close with [`clear`](Self::clear): dropping it would leave the ring's bytes charged.
#[derive(Debug)]
pub struct StreamHistory<T> {
    slots: VecDeque<Stored<T>>,
    /// Position of the next packet.
    end: Position,
    /// Time of the last push, from which the coarse times of the items count back.
    pushed_at: Time,
    /// Since when less than a quarter of the ring has been in use; `None`: it is not.
    spacious_since: Option<Time>,
    held_bytes: usize,
    charged_bytes: usize,
}

const _: () = assert!(size_of::<StreamHistory<u64>>() <= 80);

#[derive(Debug)]
struct Stored<T> {
    /// Milliseconds, modulo 2^32: 49 days, of which an item sees two seconds.
    at_ms: u32,
    bytes: u32,
    item: T,
}

impl<T> StreamHistory<T> {
    /// An empty history, without memory.
    pub const fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            end: Position(0),
            pushed_at: Time::ZERO,
            spacious_since: None,
            held_bytes: 0,
            charged_bytes: 0,
        }
    }

    /// Stores a packet that keeps `bytes` of the pool; `now` must not be before an earlier push's.
    ///
    /// # Errors
    /// [`BudgetFull`] when the ring had to grow and the budget refused: the item is gone. Room can be made with
    /// [`evict_oldest`](Self::evict_oldest).
    pub fn push(&mut self, item: T, now: Time, bytes: u32, pool: &mut Pool) -> Result<Position, BudgetFull> {
        if self.slots.len() == self.slots.capacity() {
            self.resize((self.slots.len() * 2).max(SLOTS_MIN), pool)?;
        }
        self.pushed_at = self.pushed_at.max(now);
        self.slots.push_back(Stored { at_ms: coarse(self.pushed_at), bytes, item });
        self.held_bytes += bytes as usize;
        self.watch_room(now);
        let position = self.end;
        self.end = Position(position.0 + 1);
        Ok(position)
    }

    /// The packet at a position, unless it has aged out.
    pub fn get(&self, position: Position) -> Option<&T> {
        let index = usize::try_from(position.0.checked_sub(self.oldest().0)?).ok()?;
        self.slots.get(index).map(|stored| &stored.item)
    }

    /// The packet whose position has these low 32 bits, unless it has aged out.
    pub fn resolve(&self, low: u32) -> Option<&T> {
        let back = u64::from(self.end.low().wrapping_sub(low));
        self.get(Position(self.end.0.checked_sub(back)?))
    }

    /// The packets from a position on that are still held, in order.
    pub fn iter_from(&self, start: Position) -> impl Iterator<Item = (Position, &T)> {
        let first = start.max(self.oldest());
        let skipped = usize::try_from(first.since(self.oldest())).unwrap_or(usize::MAX);
        let held = self.slots.range(skipped.min(self.slots.len())..);
        (first.0..).map(Position).zip(held.map(|stored| &stored.item))
    }

    /// The last `count` packets that are held, in order.
    pub fn iter_last(&self, count: usize) -> impl Iterator<Item = (Position, &T)> {
        self.iter_from(Position(self.end.0.saturating_sub(count as u64)))
    }

    /// Position of the oldest packet held; equal to [`end`](Self::end) when there is none.
    pub fn oldest(&self) -> Position {
        Position(self.end.0 - self.slots.len() as u64)
    }

    /// The position that the next packet will take.
    pub const fn end(&self) -> Position {
        self.end
    }

    /// Takes back what was pushed from `start` on. Nobody may have been told of these positions: they are given again.
    pub fn take_back(&mut self, start: Position) {
        while self.end > start
            && let Some(stored) = self.slots.pop_back()
        {
            self.held_bytes -= stored.bytes as usize;
            self.end = Position(self.end.0 - 1);
        }
    }

    /// Drops what was pushed `retain` ago or earlier, and memory that has not been needed for [`SPACIOUS`]. Returns
    /// how many packets went.
    pub fn expire(&mut self, now: Time, retain: Duration, pool: &mut Pool) -> usize {
        let (now_ms, retain_ms) = (coarse(now), coarse_span(retain));
        let before = self.slots.len();
        while self.slots.front().is_some_and(|oldest| now_ms.wrapping_sub(oldest.at_ms) >= retain_ms) {
            self.pop_oldest();
        }
        self.watch_room(now);
        self.give_back(now, pool);
        before - self.slots.len()
    }

    /// When [`expire`](Self::expire) will next have something to do: the oldest packet's end or idle memory's.
    pub fn next_expiry(&self, retain: Duration) -> Option<Time> {
        // Emptied by eviction, nothing has started the clock yet.
        let emptied = (self.slots.is_empty() && self.charged_bytes > 0).then_some(self.pushed_at);
        let spacious = self.spacious_since.or(emptied).map(|since| since + SPACIOUS);
        let aged = self.slots.front().map(|oldest| {
            let back = coarse(self.pushed_at).wrapping_sub(oldest.at_ms);
            let stored_ms = self.pushed_at.as_millis().saturating_sub(u64::from(back));
            Time::from_millis(stored_ms + u64::from(coarse_span(retain)))
        });
        [aged, spacious].into_iter().flatten().min()
    }

    /// Drops the oldest packet, to make room in the budget. Returns the pool bytes that it kept.
    pub fn evict_oldest(&mut self) -> Option<u32> {
        self.pop_oldest()
    }

    /// Drops everything and gives all memory back. Positions go on.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.slots = VecDeque::new();
        self.held_bytes = 0;
        self.spacious_since = None;
        self.recharge(pool);
    }

    /// How many packets are held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no packet is held.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Pool bytes that the packets keep, as told to [`push`](Self::push).
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes of the ring itself, as charged to the budget.
    pub const fn ring_bytes(&self) -> usize {
        self.charged_bytes
    }

    fn pop_oldest(&mut self) -> Option<u32> {
        let stored = self.slots.pop_front()?;
        self.held_bytes -= stored.bytes as usize;
        Some(stored.bytes)
    }

    /// Starts or stops the clock of unneeded memory.
    fn watch_room(&mut self, now: Time) {
        let spacious = (self.slots.is_empty() || self.slots.capacity() > SLOTS_MIN)
            && self.slots.len() * 4 < self.slots.capacity();
        if !spacious {
            self.spacious_since = None;
        } else if self.spacious_since.is_none() {
            self.spacious_since = Some(now);
        }
    }

    fn give_back(&mut self, now: Time, pool: &mut Pool) {
        if self.spacious_since.is_none_or(|since| now < since + SPACIOUS) {
            return;
        }
        if self.slots.is_empty() {
            self.clear(pool);
            return;
        }
        self.slots.shrink_to(self.slots.capacity() / 2);
        self.recharge(pool);
        self.spacious_since = None;
        self.watch_room(now);
    }

    fn resize(&mut self, slots: usize, pool: &mut Pool) -> Result<(), BudgetFull> {
        let more = (slots - self.slots.capacity()) * size_of::<Stored<T>>();
        pool.charge(more)?;
        self.charged_bytes += more;
        self.slots.reserve_exact(slots - self.slots.len());
        self.recharge(pool);
        Ok(())
    }

    /// Brings the charge to what the ring really takes, after it became smaller or the allocator rounded.
    fn recharge(&mut self, pool: &mut Pool) {
        let bytes = self.slots.capacity() * size_of::<Stored<T>>();
        pool.release(self.charged_bytes.saturating_sub(bytes));
        self.charged_bytes = self.charged_bytes.min(bytes);
    }
}

impl<T> Default for StreamHistory<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a stream keeps its packets: three round trips of its furthest consumer (a loss is noticed, asked for,
/// and asked for again) and 250 ms for reordering and timers, within 500 ms and 2 s (audio 1 s). An unknown round
/// trip counts as 100 ms.
pub fn retain(rtt_max: Option<Duration>, kind: Kind) -> Duration {
    let rtt = rtt_max.unwrap_or(RTT_UNKNOWN);
    let longest = match kind {
        Kind::Audio => RETAIN_MAX_AUDIO,
        Kind::Video => RETAIN_MAX_VIDEO,
    };
    (rtt.saturating_mul(3).saturating_add(RETAIN_MARGIN)).clamp(RETAIN_MIN, longest)
}

/// Milliseconds of a time, modulo 2^32. Differences must be taken with `wrapping_sub`.
#[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 is what is wanted")]
const fn coarse(time: Time) -> u32 {
    time.as_millis() as u32
}

/// Milliseconds of a span, rounded up.
fn coarse_span(span: Duration) -> u32 {
    u32::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// No stream keeps packets for less.
pub const RETAIN_MIN: Duration = Duration::from_millis(500);
/// No video stream keeps packets for longer.
pub const RETAIN_MAX_VIDEO: Duration = Duration::from_millis(2_000);
/// No audio stream keeps packets for longer.
pub const RETAIN_MAX_AUDIO: Duration = Duration::from_millis(1_000);

const RETAIN_MARGIN: Duration = Duration::from_millis(250);
const SLOTS_MIN: usize = 16;

const _: () = assert!(SLOTS_MIN.is_power_of_two());

#[cfg(test)]
mod tests;
