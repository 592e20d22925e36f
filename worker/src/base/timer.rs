//! Deadlines in order: what is due next, and when.
//!
//! Knows times and keys. Does not know what a key stands for, nor a clock: `now` is an argument. The worker asks for the
//! next deadline before it sleeps, and takes what is due after.
//! Invariant: deadlines come out in the order of their times, and those of one time in the order of their scheduling,
//! so that a run can be repeated exactly.
//!
//! Nothing is ever cancelled: who is woken in vain looks at its own state and schedules anew, or not. A key may be
//! scheduled several times, and comes out as often.

#![forbid(unsafe_code)]

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use super::time::Time;

/// A queue of keys by time. Allocates when it holds more than ever before, and gives memory back as it empties.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    heap: BinaryHeap<Reverse<Deadline<K>>>,
    scheduled: u64,
}

#[derive(Clone, Copy, Debug)]
struct Deadline<K> {
    at: Time,
    /// Which of equal times came first.
    order: u64,
    key: K,
}

impl<K: Copy> Deadlines<K> {
    /// No deadlines, and no memory.
    pub const fn new() -> Self {
        Self { heap: BinaryHeap::new(), scheduled: 0 }
    }

    /// Makes `key` due at `at`, rounded up to a multiple of `grid` so that deadlines share wake-ups; a zero grid changes
    /// nothing.
    pub fn schedule(&mut self, key: K, at: Time, grid: Duration) {
        self.heap.push(Reverse(Deadline { at: at.round_up_to(grid), order: self.scheduled, key }));
        self.scheduled += 1;
    }

    /// Takes out the first deadline that is not after `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let Reverse(deadline) = self.heap.pop()?;
        self.shrink_if_sparse();
        Some(deadline.key)
    }

    /// The time of the first deadline, due or not.
    pub fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(deadline)| deadline.at)
    }

    /// The keys of all deadlines, in no order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.heap.iter().map(|Reverse(deadline)| deadline.key)
    }

    /// How many deadlines there are.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Bytes held on the heap.
    pub fn held_bytes(&self) -> usize {
        self.heap.capacity() * size_of::<Deadline<K>>()
    }

    /// Down to twice what is needed once it is less than a quarter, so that steady ups and downs allocate nothing.
    fn shrink_if_sparse(&mut self) {
        let (len, capacity) = (self.heap.len(), self.heap.capacity());
        if capacity > KEPT_DEADLINES && len < capacity / 4 {
            self.heap.shrink_to((2 * len).max(KEPT_DEADLINES));
        }
    }
}

impl<K: Copy> Default for Deadlines<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Deadline<K> {
    fn place(&self) -> (Time, u64) {
        (self.at, self.order)
    }
}

impl<K> PartialEq for Deadline<K> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl<K> Eq for Deadline<K> {}

impl<K> PartialOrd for Deadline<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Deadline<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// Room that is never given back: a few hundred bytes, so that a small worker's timers never allocate twice.
const KEPT_DEADLINES: usize = 16;

const _: () = assert!(size_of::<Deadline<u64>>() == 24);

#[cfg(test)]
mod tests;
