//! The pool itself: which chunks there are, which have room, which go back, and the budget over all.
//!
//! Knows chunks as records with free slots. Does not know their memory, which the parent module makes, hands out and
//! frees. It keeps that module's one rule for its users: a chunk leaves its shelf as it is freed, and is freed empty.
//! Invariant: `held_bytes() <= limit_bytes()`, but for queues that have grown since; a sixth of that is never a chunk's.

#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use super::{Alive, Buffer, CHUNK_SLOTS, Chunk, Class, SMALL_BYTES, Shared, Slot};
use crate::base::index_set::IndexSet;
use crate::base::time::Time;

/// All packet memory of a worker. May be dropped before its handles: the last handle of a chunk then frees the chunk.
pub struct Pool {
    shared: Alive<Shared>,
    /// By [`Class`].
    shelves: [Shelf; 2],
    limit_bytes: usize,
    charged_bytes: usize,
    queued_bytes: usize,
    refused: u64,
}

/// What [`Pool::stats`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Buffers of [`SMALL_BYTES`].
    pub small: ClassStats,
    /// Buffers of [`LARGE_BYTES`](super::LARGE_BYTES).
    pub large: ClassStats,
    /// Bytes held elsewhere and counted here.
    pub charged_bytes: usize,
    /// Buffers and charges that the budget (or the system) had no room for, since the start.
    pub refused: u64,
}

/// One class's part of [`PoolStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStats {
    /// Chunks held.
    pub chunks: usize,
    /// Slots in them.
    pub slots: usize,
    /// Slots that a handle names.
    pub in_use: usize,
}

/// The budget has no room for a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packet memory limit is reached; raise packet_memory_limit, or send less to this worker")]
pub struct BudgetFull;

impl Pool {
    /// A pool that never holds more than `limit_bytes`, and holds nothing yet.
    pub fn new(limit_bytes: usize) -> Self {
        let shared = Alive::new(Shared::default());
        Self {
            shared,
            shelves: Default::default(),
            limit_bytes,
            charged_bytes: 0,
            queued_bytes: 0,
            refused: 0,
        }
    }

    /// A buffer of this class, with what its last user left in it; `None`, and counted, when the budget is full.
    ///
    /// Allocates a chunk of [`CHUNK_SLOTS`] when no slot is free, else nothing.
    pub fn take(&mut self, class: Class) -> Option<Buffer> {
        self.note_opened(class);
        let at = match self.shelf(class).open.lowest() {
            Some(at) => at,
            None => self.add_chunk(class)?,
        };
        let chunk = self.shelf_mut(class).chunks.get_mut(at)?.as_mut()?.begin_use();
        let slot = chunk.claim_lowest(&self.shared);
        if chunk.is_full() {
            self.shelf_mut(class).open.remove(at);
        }
        Some(Buffer(Slot::new(chunk, slot)))
    }

    /// A small buffer with these bytes and their length; `None` when they are more than [`SMALL_BYTES`], or when the
    /// budget is full (only that is counted).
    pub fn copy_small(&mut self, bytes: &[u8]) -> Option<Buffer> {
        if bytes.len() > SMALL_BYTES {
            return None;
        }
        let mut buffer = self.take(Class::Small)?;
        buffer.set_len(bytes.len());
        buffer.copy_from_slice(bytes);
        Some(buffer)
    }

    /// Counts memory held elsewhere against the limit.
    ///
    /// # Errors
    ///
    /// [`BudgetFull`], and nothing charged, when it does not fit.
    pub fn charge(&mut self, bytes: usize) -> Result<(), BudgetFull> {
        let limit = self.limit_bytes;
        if !self.make_room(|pool| pool.held_bytes().saturating_add(bytes).saturating_sub(limit)) {
            self.refused += 1;
            return Err(BudgetFull);
        }
        self.charged_bytes += bytes;
        Ok(())
    }

    /// Takes back a charge, or a part of one.
    pub fn release(&mut self, bytes: usize) {
        debug_assert!(
            bytes <= self.charged_bytes,
            "released {bytes} of {} charged bytes",
            self.charged_bytes
        );
        self.charged_bytes = self.charged_bytes.saturating_sub(bytes);
    }

    /// Says how many bytes wait in queues that have a bound of their own: as long as they do, there is less for others. They
    /// are there already, so that nothing is refused.
    pub fn count_queued(&mut self, bytes: usize) {
        self.queued_bytes = bytes;
    }

    /// The most bytes that the pool may hold.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Bytes held now: chunks, used or not, charges and queues.
    pub fn held_bytes(&self) -> usize {
        self.chunk_bytes() + self.charged_bytes + self.queued_bytes
    }

    /// Slots that a handle names, of both classes.
    pub fn in_use(&self) -> usize {
        self.shared.tally(Class::Small).in_use.get() + self.shared.tally(Class::Large).in_use.get()
    }

    /// Counts for dumps and metrics.
    pub fn stats(&self) -> PoolStats {
        PoolStats {
            small: self.class_stats(Class::Small),
            large: self.class_stats(Class::Large),
            charged_bytes: self.charged_bytes,
            refused: self.refused,
        }
    }

    /// How many large slots should be freed by forgetting packets: what is missing to `reserve` large slots that are
    /// free, or that could be had with the pool still below 90 % of its limit.
    pub fn pressure(&self, reserve: usize) -> usize {
        let idle_small = self.spare_empty(Class::Small) * Class::Small.chunk_bytes();
        let mark = (self.limit_bytes / 10 * 9)
            .saturating_sub(self.charged_bytes + self.queued_bytes)
            .min(self.chunk_bytes_max());
        let room = (mark + idle_small).saturating_sub(self.chunk_bytes());
        let obtainable = room / Class::Large.chunk_bytes() * CHUNK_SLOTS;
        let large = self.class_stats(Class::Large);
        reserve.saturating_sub(large.slots - large.in_use + obtainable)
    }

    /// Gives back chunks that have been empty since a call [`EMPTY_CHUNK_LIFE`] or longer ago, at most
    /// [`RECLAIM_CHUNKS`]; says how many bytes that were. While any slot is in use the last chunk of a class stays. To be
    /// called about once a second.
    pub fn reclaim(&mut self, now: Time) -> usize {
        let keep = usize::from(self.in_use() > 0);
        let mut left = RECLAIM_CHUNKS;
        let mut is_due = |held: &mut Held| {
            let is_due = now.since(*held.empty_since.get_or_insert(now)) >= EMPTY_CHUNK_LIFE && left > 0;
            left -= usize::from(is_due);
            is_due
        };
        self.give_back(Class::Large, keep, &mut is_due) + self.give_back(Class::Small, keep, &mut is_due)
    }

    fn add_chunk(&mut self, class: Class) -> Option<usize> {
        let excess =
            |pool: &Self| (pool.chunk_bytes() + class.chunk_bytes()).saturating_sub(pool.chunk_bytes_max());
        let chunk = if self.make_room(excess) { Chunk::allocate(class, self.shared) } else { None };
        let Some(chunk) = chunk else {
            self.refused += 1;
            return None;
        };
        let shelf = self.shelf_mut(class);
        let at = shelf.chunks.iter().position(Option::is_none).unwrap_or(shelf.chunks.len());
        chunk.index.set(at);
        let held = Some(Held { chunk, empty_since: None });
        match shelf.chunks.get_mut(at) {
            Some(place) => *place = held,
            None => shelf.chunks.push(held),
        }
        shelf.open.insert(at);
        shelf.count += 1;
        Some(at)
    }

    /// The most bytes of chunks now. What is held elsewhere counts as [`CHARGES_SHARE`] at least: a turn that brings more
    /// than there is room for would leave none to what must remember its packets.
    fn chunk_bytes_max(&self) -> usize {
        let kept = self.limit_bytes / CHARGES_SHARE;
        self.limit_bytes.saturating_sub((self.charged_bytes + self.queued_bytes).max(kept))
    }

    fn chunk_bytes(&self) -> usize {
        let of_class = |class| self.shelf(class).count * Class::chunk_bytes(class);
        of_class(Class::Small) + of_class(Class::Large)
    }

    /// Whether nothing is in `excess`, if need be after giving back empty chunks before their time.
    fn make_room(&mut self, excess: impl Fn(&Self) -> usize) -> bool {
        for class in [Class::Small, Class::Large] {
            let mut missing = excess(self);
            self.give_back(class, 1, |_| {
                let needed = missing > 0;
                missing = missing.saturating_sub(class.chunk_bytes());
                needed
            });
        }
        excess(self) == 0
    }

    /// Frees the empty chunks that `is_due` names, from the highest on, but the last one; says how many bytes.
    fn give_back(&mut self, class: Class, keep: usize, mut is_due: impl FnMut(&mut Held) -> bool) -> usize {
        if self.shared.tally(class).empty.get() == 0 {
            return 0;
        }
        self.note_opened(class);
        let shared = self.shared;
        let shelf = self.shelf_mut(class);
        let before = shelf.count;
        for (at, place) in shelf.chunks.iter_mut().enumerate().rev() {
            if shelf.count <= keep {
                break;
            }
            if let Some(held) = place.take_if(|held| held.chunk.is_empty() && is_due(held)) {
                Chunk::free(held.chunk, &shared);
                shelf.open.remove(at);
                shelf.count -= 1;
            }
        }
        let freed = before - shelf.count;
        if freed > 0 {
            shelf.trim();
        }
        freed * class.chunk_bytes()
    }

    /// Learns which chunks were full and are not any more.
    fn note_opened(&mut self, class: Class) {
        while let Some(chunk) = self.shared.tally(class).opened.take() {
            self.shared.tally(class).opened.set(chunk.next_opened.take());
            self.shelf_mut(class).open.insert(chunk.index.get());
        }
    }

    /// Empty chunks that would be given back if their memory was needed.
    fn spare_empty(&self, class: Class) -> usize {
        self.shared.tally(class).empty.get().min(self.shelf(class).count.saturating_sub(1))
    }

    fn class_stats(&self, class: Class) -> ClassStats {
        let chunks = self.shelf(class).count;
        ClassStats { chunks, slots: chunks * CHUNK_SLOTS, in_use: self.shared.tally(class).in_use.get() }
    }

    fn shelf(&self, class: Class) -> &Shelf {
        &self.shelves[class as usize]
    }

    fn shelf_mut(&mut self, class: Class) -> &mut Shelf {
        &mut self.shelves[class as usize]
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for held in self.shelves.iter().flat_map(|shelf| shelf.chunks.iter().flatten()) {
            if held.chunk.is_empty() {
                Chunk::free(held.chunk, &self.shared);
            }
        }
        self.shared.orphaned.set(true);
        Shared::free_if_last(self.shared);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = formatter.debug_struct("Pool");
        record.field("limit_bytes", &self.limit_bytes).field("held_bytes", &self.held_bytes());
        record.field("stats", &self.stats()).finish()
    }
}

/// The chunks of one class.
#[derive(Default)]
struct Shelf {
    /// A `None` is the place of a chunk that was given back below others.
    chunks: Vec<Option<Held>>,
    /// Chunks with a free slot, but for those in `Tally::opened`.
    open: IndexSet,
    count: usize,
}

impl Shelf {
    /// Gives back places above the highest chunk.
    fn trim(&mut self) {
        while self.chunks.pop_if(|place| place.is_none()).is_some() {}
        if self.chunks.capacity() > 2 * self.chunks.len() {
            self.chunks.shrink_to_fit();
        }
        self.open.truncate(self.chunks.len());
    }
}

struct Held {
    chunk: Alive<Chunk>,
    /// When `reclaim` first saw it empty.
    empty_since: Option<Time>,
}

impl Held {
    fn begin_use(&mut self) -> Alive<Chunk> {
        self.empty_since = None;
        self.chunk
    }
}

/// One part in so many of the limit is for charges alone: 308 bytes a large buffer. A packet that is kept takes a place of
/// 104 bytes in its stream's history and of 12 in each consumer's ring; both grow by doubling, so that with four consumers
/// it is 304 at most.
const CHARGES_SHARE: usize = 6;
/// A chunk that stays empty as long as this goes back to the system.
pub const EMPTY_CHUNK_LIFE: Duration = Duration::from_secs(5);
/// How many chunks one call of [`Pool::reclaim`] gives back at most: unmapping a large one takes some 25 us, and a turn
/// that frees a peak of 128 MiB at once would hold up media for 30 ms.
pub const RECLAIM_CHUNKS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many places the list of small chunks has, and has memory for.
    fn places(pool: &Pool) -> (usize, usize) {
        let chunks = &pool.shelf(Class::Small).chunks;
        (chunks.len(), chunks.capacity())
    }

    #[test]
    fn the_list_of_chunks_shrinks_with_them_once_less_than_half_is_in_use() {
        let mut pool = Pool::new(1 << 20);
        let mut held: Vec<_> = (0..8 * CHUNK_SLOTS).map(|_| pool.take(Class::Small).expect("room")).collect();
        assert_eq!(places(&pool), (8, 8));
        for (slots, expected) in [(4 * CHUNK_SLOTS, (4, 8)), (1, (1, 1))] {
            held.truncate(slots);
            pool.reclaim(Time::from_millis(0));
            pool.reclaim(Time::from_millis(5_000));
            assert_eq!(places(&pool), expected);
        }
    }

    #[test]
    fn a_look_that_frees_nothing_leaves_the_list_as_it_is() {
        let mut pool = Pool::new(1 << 20);
        drop(pool.take(Class::Small));
        let before = places(&pool);
        assert!(before.1 > 2, "else there is nothing to give back");
        pool.reclaim(Time::from_millis(0));
        assert_eq!(places(&pool), before);
    }
}
