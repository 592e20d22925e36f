//! What a story draws from its seed.
//!
//! Knows one source of random numbers. Does not know what they are for. Used by every scenario and by long runs.
//! Invariant: the same seed draws the same, in the same order; it is not the source that the worker has.

use tidegate_worker::random::Random;

use crate::world::seed_bytes;

/// A seed's numbers.
#[derive(Debug)]
pub(crate) struct Draw(Random);

impl Draw {
    /// Those of `seed`.
    pub(crate) fn of(seed: u64) -> Self {
        Self(Random::from_seed(seed_bytes(seed ^ OTHER_THAN_THE_WORKERS)))
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        self.0.in_range(low, high)
    }

    /// Milliseconds, both ends included.
    pub(crate) fn millis(&mut self, low: u32, high: u32) -> u64 {
        self.between(low, high).into()
    }

    /// Any 16 bits.
    pub(crate) fn u16(&mut self) -> u16 {
        let [.., high, low] = self.0.next_u32().to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// Any 32 bits.
    pub(crate) fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Both ends included.
    pub(crate) fn count(&mut self, low: usize, high: usize) -> usize {
        let end = |value| u32::try_from(value).expect("few");
        self.between(end(low), end(high)) as usize
    }

    /// An index of something with `len` items, of which there is one.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.count(0, len.checked_sub(1).expect("there is one"))
    }

    /// One of `items`.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// True so often of a thousand times.
    pub(crate) fn chance(&mut self, permille: u32) -> bool {
        self.between(0, 999) < permille
    }

    /// Payload sizes of a frame of `low` to `high` packets.
    pub(crate) fn sizes(&mut self, low: usize, high: usize) -> Vec<usize> {
        (0..self.count(low, high)).map(|_| self.count(20, 1_150)).collect()
    }

    /// Brings `items` into any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(self.index(end + 1), end);
        }
    }
}

/// So that a story's order and the worker's first numbers have nothing to do with each other.
const OTHER_THAN_THE_WORKERS: u64 = 0x5EED_0F5C_EA21_0000;
