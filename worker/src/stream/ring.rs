//! What one consumer was sent, and what it is still to be sent, by its own sequence numbers.
//!
//! Knows own numbers, positions in the producer stream's history, and when a number was sent again. Does not know
//! packets, sockets, NACK bytes or pacing. Called by `Consumer`: `plan` pushes, sealing takes from the cursor, a NACK
//! reads. A reference, never a copy: what an entry leads to may have aged out of the stream's history meanwhile.
//! Invariant: slot `n & mask` holds the entry of number `n` or of none; a read answers only for that very number.

use std::time::Duration;

use super::{RTT_UNKNOWN, SPACIOUS};
use crate::base::pool::{BudgetFull, Pool};
use crate::base::sequence::{Seq, Serial16};
use crate::base::time::Time;

/// What differs between a producer's packet and the one that a consumer gets, by value. What is the same for all of
/// a consumer's packets (SSRC, payload type, MID) is not in here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Added to the RTP timestamp, modulo 2^32.
    pub timestamp_offset: u32,
    /// What the codec's payload descriptor needs (picture id, TL0PICIDX); its meaning is the codec's. 0: unchanged.
    pub deltas: u16,
    /// Which stretch of the consumer's life the packet belongs to: names the stream and the timestamp offset.
    pub segment: u8,
    /// RTP padding in bytes, its own count included (RFC 3550 5.1). 0: none.
    pub padding: u8,
}

const _: () = assert!(size_of::<Rewrite>() <= 12);

/// What a consumer remembers of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Low half of the packet's place in the stream's history (`history::Position::low`).
    pub position: u32,
    /// As in [`Rewrite::deltas`].
    pub deltas: u16,
    /// The own sequence number, whole: the slot shows only its lower part.
    sequence: u16,
    /// [`UNSENT`], [`SENT`], or the coarse time of the last resend.
    state: u16,
    /// As in [`Rewrite::segment`]: from it the consumer knows the stream and the timestamp offset.
    pub segment: u8,
    /// As in [`Rewrite::padding`]: a resend must be the same bytes under the same SRTP index.
    pub padding: u8,
}

const _: () = assert!(size_of::<Entry>() == 12);

impl Entry {
    /// An entry to be pushed: the packet at `position`, changed by `rewrite`, whose timestamp offset is its segment's.
    pub const fn new(position: u32, rewrite: Rewrite) -> Self {
        let Rewrite { deltas, segment, padding, .. } = rewrite;
        Self { position, deltas, sequence: 0, state: UNSENT, segment, padding }
    }

    /// The rewrite again, given the timestamp offset of the entry's segment.
    pub const fn rewrite(&self, timestamp_offset: u32) -> Rewrite {
        Rewrite { timestamp_offset, deltas: self.deltas, segment: self.segment, padding: self.padding }
    }

    /// Whether it was sent more than once.
    pub const fn was_resent(&self) -> bool {
        self.state > SENT
    }

    /// Whether it may be sent again: not within one round trip of the last time, for an answer may still be under
    /// way. An unknown round trip counts as 100 ms. The peer's reports say what it is, so no less than 10 ms is believed.
    pub fn may_resend(&self, now: Time, rtt: Option<Duration>) -> bool {
        let rtt_ms = rtt.unwrap_or(RTT_UNKNOWN).clamp(RTT_MIN, RTT_MAX).as_millis();
        !self.was_resent() || u128::from(coarse(now).wrapping_sub(self.state)) >= rtt_ms
    }

    /// What a free slot holds: a number that does not belong there, so that no read can take it for its own.
    const fn vacant(slot: u16) -> Self {
        Self { position: 0, deltas: 0, sequence: !slot, state: SENT, segment: 0, padding: 0 }
    }
}

/// A ring of [`Entry`]s with a cursor: numbers before it have been sealed, numbers from it on may wait.
///
/// It is as long as what its consumer may still ask for: an entry younger than `retain` is not overwritten, the ring
/// doubles instead, up to [`ENTRIES_MAX`]. Close with [`clear`](Self::clear): dropping it leaves its bytes charged.
#[derive(Debug)]
pub struct SentRing {
    /// A power of two of slots, or none.
    slots: Box<[Entry]>,
    /// The highest number pushed; `None` before the first and after a clear.
    newest: Option<Seq>,
    /// The lowest number that waits, while any does.
    cursor: Seq,
    unsent: u32,
    /// Numbers below the last of these were pushed `retain` ago or longer: one mark per quarter of `retain`.
    marks: [u16; MARKS],
    marked_at: Time,
    /// Since when less than a quarter of the ring has been in use.
    spacious_since: Option<Time>,
}

const _: () = assert!(size_of::<SentRing>() <= 96);

impl SentRing {
    /// A ring without memory.
    pub fn new() -> Self {
        Self {
            slots: Box::default(),
            newest: None,
            cursor: Seq::new(0),
            unsent: 0,
            marks: [0; MARKS],
            marked_at: Time::ZERO,
            spacious_since: None,
        }
    }

    /// Remembers a packet that is to be sent under the number `own` while the consumer may ask for it, `retain`.
    /// Numbers mostly grow; a late one goes into its hole, for which the ring becomes longer if it must. The caller
    /// gives each number once: of one that the ring has forgotten it cannot tell whether it was used.
    ///
    /// # Errors
    /// [`PushError::Budget`] when there was no memory for it, [`PushError::TooLate`] when the number lies
    /// [`ENTRIES_MAX`] or more behind the newest, [`PushError::Taken`] when it was used, [`PushError::Unsent`] when
    /// [`ENTRIES_MAX`] numbers wait to be sent.
    pub fn push(
        &mut self,
        own: Seq,
        entry: Entry,
        now: Time,
        retain: Duration,
        pool: &mut Pool,
    ) -> Result<(), PushError> {
        match self.newest {
            Some(newest) if own <= newest => self.open_hole(newest, own, now, retain, pool)?,
            newest => self.advance(newest, own, now, retain, pool)?,
        }
        self.store(own, Entry { sequence: own.wire().wire(), state: UNSENT, ..entry });
        Ok(())
    }

    /// Takes the first packet that waits to be sent: from now on it was, unless it is [forgotten](Self::forget).
    pub fn take_unsent(&mut self) -> Option<(Seq, Entry)> {
        if self.unsent == 0 {
            return None;
        }
        let own = self.cursor;
        let entry = self.entry_mut(own.wire())?;
        entry.state = SENT;
        let taken = *entry;
        self.unsent -= 1;
        self.cursor = own.next();
        let first = self.unsent().next().map(|(first, _)| first);
        self.cursor = first.unwrap_or(self.cursor);
        Some((own, taken))
    }

    /// The packets that wait to be sent, in order of their numbers.
    pub fn unsent(&self) -> impl Iterator<Item = (Seq, Entry)> + '_ {
        let end = match self.newest {
            Some(newest) if self.unsent > 0 => newest.extended() + 1,
            _ => self.cursor.extended(),
        };
        (self.cursor.extended()..end).filter_map(|number| {
            let own = Seq::new(number);
            self.entry(own.wire()).filter(|entry| entry.state == UNSENT).map(|entry| (own, *entry))
        })
    }

    /// How many packets wait to be sent.
    pub const fn unsent_count(&self) -> u32 {
        self.unsent
    }

    /// Forgets a packet that was taken and could not be sent: what it leads to is gone, or it waited too long.
    pub fn forget(&mut self, own: Serial16) {
        let slot = own.wire() & self.mask();
        if let Some(entry) = self.entry_mut(own)
            && entry.state != UNSENT
        {
            *entry = Entry::vacant(slot);
        }
    }

    /// What was sent under a number that a NACK names. `None`: never sent, or too long ago.
    pub fn sent(&self, own: Serial16) -> Option<Entry> {
        self.entry(own).filter(|entry| entry.state != UNSENT).copied()
    }

    /// Records that a number was sent again, for [`Entry::may_resend`].
    pub fn mark_resent(&mut self, own: Serial16, now: Time) {
        if let Some(entry) = self.entry_mut(own)
            && entry.state != UNSENT
        {
            entry.state = coarse(now);
        }
    }

    /// Forgets everything (pause, disconnect, switch) and gives all memory back.
    pub fn clear(&mut self, pool: &mut Pool) {
        pool.release(self.bytes());
        *self = Self::new();
    }

    /// Gives back what has not been needed for five seconds: half of a ring that is less than a quarter full, all of
    /// one whose numbers are all older than `retain`. To be called about once a second while [`bytes`](Self::bytes)
    /// is not zero.
    pub fn shrink(&mut self, now: Time, retain: Duration, pool: &mut Pool) {
        let Some(newest) = self.newest else { return };
        self.move_marks(newest.next(), now, retain);
        let needed = self.needed(newest);
        self.watch_room(needed, now);
        if self.spacious_since.is_none_or(|since| now < since + SPACIOUS) {
            return;
        }
        if needed == 0 {
            self.clear(pool);
            return;
        }
        let slots = self.slots.len() / 2;
        self.rebuild(newest, slots);
        pool.release(slots * size_of::<Entry>());
        self.spacious_since = None;
        self.watch_room(needed, now);
    }

    /// Bytes of the ring, as charged to the budget.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// Makes room for a number behind the newest, which must be young again: it is sent only now.
    fn open_hole(
        &mut self,
        newest: Seq,
        own: Seq,
        now: Time,
        retain: Duration,
        pool: &mut Pool,
    ) -> Result<(), PushError> {
        let needed = usize::try_from(newest.since(own) + 1).unwrap_or(usize::MAX);
        if needed > ENTRIES_MAX {
            return Err(PushError::TooLate);
        }
        if needed > self.slots.len() {
            let slots = needed.next_power_of_two();
            self.grow(newest, slots - self.slots.len(), pool)?;
        } else if self.entry(own.wire()).is_some() {
            return Err(PushError::Taken);
        }
        self.move_marks(newest.next(), now, retain);
        for mark in &mut self.marks {
            if Serial16::new(*mark).is_newer_than(own.wire()) {
                *mark = own.wire().wire();
            }
        }
        Ok(())
    }

    /// Makes `own` the newest number: room for it, and free slots for the numbers jumped over.
    fn advance(
        &mut self,
        newest: Option<Seq>,
        own: Seq,
        now: Time,
        retain: Duration,
        pool: &mut Pool,
    ) -> Result<(), PushError> {
        let previous = newest.unwrap_or_else(|| self.begin(own, now));
        self.move_marks(own, now, retain);
        let needed = self.needed(own);
        if needed > self.slots.len() {
            self.make_room(needed, previous, own, pool)?;
        }
        let jumped = own.since(previous).saturating_sub(1).min(self.slots.len() as u64);
        for number in own.extended() - jumped..own.extended() {
            self.vacate(Seq::new(number));
        }
        self.newest = Some(own);
        self.watch_room(needed, now);
        Ok(())
    }

    /// Starts at `own`; returns the number that would have come before.
    fn begin(&mut self, own: Seq, now: Time) -> Seq {
        self.marks = [own.wire().wire(); MARKS];
        self.marked_at = now;
        self.cursor = own;
        Seq::new(own.extended().saturating_sub(1))
    }

    /// Makes the ring long enough for `own`, for which it must have `needed` slots, while keeping what is live, or says
    /// why it cannot.
    fn make_room(
        &mut self,
        needed: usize,
        previous: Seq,
        own: Seq,
        pool: &mut Pool,
    ) -> Result<(), PushError> {
        let slots = needed.next_power_of_two().clamp(ENTRIES_MIN, ENTRIES_MAX);
        let grown = match slots.saturating_sub(self.slots.len()) {
            0 => Ok(()),
            more => self.grow(previous, more, pool),
        };
        // Where the ring cannot grow its oldest entries are overwritten, but never one that was not sent yet.
        let fits = self.slots.len() as u64;
        match grown {
            Err(full) if fits == 0 || self.waiting(own) > fits => Err(full.into()),
            Ok(()) if self.waiting(own) > fits => Err(PushError::Unsent),
            _ => Ok(()),
        }
    }

    fn grow(&mut self, newest: Seq, more: usize, pool: &mut Pool) -> Result<(), BudgetFull> {
        pool.charge(more * size_of::<Entry>())?;
        self.rebuild(newest, self.slots.len() + more);
        Ok(())
    }

    /// How many numbers up to `own` must have a slot: those that are young enough or wait to be sent.
    fn needed(&self, own: Seq) -> usize {
        let live = own.next().wire().wire().wrapping_sub(self.marks[MARKS - 1]);
        // One more than the longest ring has is too many, and so is any higher number.
        let waiting = usize::try_from(self.waiting(own)).unwrap_or(usize::MAX).min(ENTRIES_MAX + 1);
        usize::from(live).max(waiting)
    }

    /// How many numbers lie between the cursor and `own`, both included; none when nothing waits.
    const fn waiting(&self, own: Seq) -> u64 {
        if self.unsent == 0 { 0 } else { own.since(self.cursor) + 1 }
    }

    /// Moves into slots of another count; `newest` is the number up to which they are to be kept.
    fn rebuild(&mut self, newest: Seq, slots: usize) {
        let mask = mask_of(slots);
        let fresh: Box<[Entry]> = (0..=mask).map(Entry::vacant).collect();
        let old = std::mem::replace(&mut self.slots, fresh);
        let kept = old.len().min(slots) as u64;
        for number in (0..kept).filter_map(|back| newest.extended().checked_sub(back)) {
            let wire = Seq::new(number).wire().wire();
            if let Some(entry) = old.get(usize::from(wire & mask_of(old.len())))
                && entry.sequence == wire
            {
                self.slots[usize::from(wire & mask)] = *entry;
            }
        }
    }

    fn store(&mut self, own: Seq, entry: Entry) {
        let index = self.index(own.wire());
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = entry;
            self.cursor = if self.unsent == 0 { own } else { self.cursor.min(own) };
            self.unsent += 1;
        }
    }

    fn vacate(&mut self, own: Seq) {
        let index = self.index(own.wire());
        let slot = own.wire().wire() & self.mask();
        if let Some(entry) = self.slots.get_mut(index) {
            *entry = Entry::vacant(slot);
        }
    }

    fn entry(&self, own: Serial16) -> Option<&Entry> {
        self.slots.get(self.index(own)).filter(|entry| entry.sequence == own.wire())
    }

    fn entry_mut(&mut self, own: Serial16) -> Option<&mut Entry> {
        let index = self.index(own);
        self.slots.get_mut(index).filter(|entry| entry.sequence == own.wire())
    }

    fn index(&self, own: Serial16) -> usize {
        usize::from(own.wire() & self.mask())
    }

    fn mask(&self) -> u16 {
        mask_of(self.slots.len())
    }

    /// Takes a mark at the end of each quarter of `retain`; `next` is the lowest number not pushed by then.
    fn move_marks(&mut self, next: Seq, now: Time, retain: Duration) {
        let quarter = (retain / QUARTERS).max(Duration::from_millis(1));
        let elapsed = now.since(self.marked_at);
        if elapsed < quarter {
            return;
        }
        // All that was pushed since the last mark was pushed in its first quarter: each push comes by here.
        let passed = elapsed.as_nanos() / quarter.as_nanos();
        for _ in 0..passed.min(MARKS as u128) {
            self.marks.rotate_right(1);
            self.marks[0] = next.wire().wire();
        }
        self.marked_at = now - Duration::from_nanos_u128(elapsed.as_nanos() % quarter.as_nanos());
    }

    /// Starts or stops the clock of room of which only `needed` slots are in use.
    fn watch_room(&mut self, needed: usize, now: Time) {
        let may_shrink = needed == 0 || self.slots.len() > ENTRIES_MIN;
        if !may_shrink || needed * 4 >= self.slots.len().max(1) {
            self.spacious_since = None;
        } else if self.spacious_since.is_none() {
            self.spacious_since = Some(now);
        }
    }
}

impl Default for SentRing {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a packet could not be remembered, and so must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The ring had to grow and the packet memory's budget is used up.
    #[error("no packet memory left for a consumer's history")]
    Budget,
    /// A late packet whose number is further behind the newest than any ring is long.
    #[error("the number is older than anything that could be remembered")]
    TooLate,
    /// The number was used, as far as is still remembered: the caller gives each number once.
    #[error("the number was used already")]
    Taken,
    /// As many numbers as may be remembered wait to be sent: the pacer is behind.
    #[error("too many packets wait to be sent")]
    Unsent,
}

impl From<BudgetFull> for PushError {
    fn from(_: BudgetFull) -> Self {
        Self::Budget
    }
}

/// Milliseconds modulo 2^16, 65 s, without the two values that say something else. An entry lives a few seconds.
#[expect(clippy::cast_possible_truncation, reason = "modulo 2^16 is what is wanted")]
fn coarse(now: Time) -> u16 {
    (now.as_millis() as u16).max(SENT + 1)
}

fn mask_of(slots: usize) -> u16 {
    u16::try_from(slots.saturating_sub(1)).unwrap_or(u16::MAX)
}

/// No ring is longer: two seconds of 2,000 packets/s (20 Mb/s), 48 kB.
pub const ENTRIES_MAX: usize = 4_096;
const ENTRIES_MIN: usize = 16;

const UNSENT: u16 = 0;
const SENT: u16 = 1;

const QUARTERS: u32 = 4;
const MARKS: usize = 5;
/// A shorter round trip is no reason to send the same packet several times a turn: receivers ask every 10 to 20 ms.
const RTT_MIN: Duration = Duration::from_millis(10);
/// A longer round trip is no reason to hold a resend back: the packet would be gone before.
const RTT_MAX: Duration = Duration::from_secs(2);

const _: () =
    assert!(ENTRIES_MIN.is_power_of_two() && ENTRIES_MIN >= 2, "a vacant slot needs a wrong number");
const _: () = assert!(ENTRIES_MAX.is_power_of_two() && ENTRIES_MAX <= 1 << 15);
const _: () = assert!(MARKS == QUARTERS as usize + 1);

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
