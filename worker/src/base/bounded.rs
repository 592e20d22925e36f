//! A vector with a cap.
//!
//! Knows how many items it may have. Does not know what they are, nor what to do when it is full: its owner says.
//! Used wherever a peer or a host decides how many of something there are.
//! Invariant: never more than `N` items, nor room for more; next to no memory while empty.

#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};

/// At most `N` items. Grows by doubling, and gives its memory back when it runs empty, but for [`KEPT_BYTES`] (or one
/// item, whichever is more): a list that fills and empties all the time does not allocate each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounded<T, const N: usize> {
    items: Vec<T>,
}

impl<T, const N: usize> Bounded<T, N> {
    /// An empty list, which holds no memory.
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Whether a further item would be refused.
    pub fn is_full(&self) -> bool {
        self.items.len() >= N
    }

    /// Adds `item` at the end.
    ///
    /// # Errors
    ///
    /// The item itself when there are `N` already.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.insert(self.items.len(), item)
    }

    /// Adds `item` before the one at `at`, or at the end when there is none.
    ///
    /// # Errors
    ///
    /// The item itself when there are `N` already.
    pub fn insert(&mut self, at: usize, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        self.grow_if_needed();
        self.items.insert(at.min(self.items.len()), item);
        Ok(())
    }

    /// Takes out the last item.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.pop();
        self.shrink_if_empty();
        item
    }

    /// Takes out the item at `at`; those behind it move up.
    pub fn remove(&mut self, at: usize) -> Option<T> {
        let item = (at < self.items.len()).then(|| self.items.remove(at));
        self.shrink_if_empty();
        item
    }

    /// Takes out the item at `at`; the last one takes its place.
    pub fn swap_remove(&mut self, at: usize) -> Option<T> {
        let item = (at < self.items.len()).then(|| self.items.swap_remove(at));
        self.shrink_if_empty();
        item
    }

    /// Takes out the first `count` items, or all when there are fewer.
    pub fn remove_first(&mut self, count: usize) {
        self.items.drain(..count.min(self.items.len()));
        self.shrink_if_empty();
    }

    /// Keeps only the items for which `keep` says so; their order stays.
    pub fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.items.retain_mut(keep);
        self.shrink_if_empty();
    }

    /// Keeps the first `count` items.
    pub fn truncate(&mut self, count: usize) {
        self.items.truncate(count);
        self.shrink_if_empty();
    }

    /// Takes out all items.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Bytes held on the heap, without what the items hold there themselves.
    pub fn held_bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>()
    }

    fn grow_if_needed(&mut self) {
        let len = self.items.len();
        if len == self.items.capacity() {
            let room = (2 * len).max(Self::kept_items()).min(N);
            self.items.reserve_exact(room - len);
        }
    }

    fn shrink_if_empty(&mut self) {
        if self.items.is_empty() && self.items.capacity() > Self::kept_items() {
            self.items.shrink_to(Self::kept_items());
        }
    }

    /// A division by the size of what takes no room must not happen; nothing is held for it anyway.
    const fn kept_items() -> usize {
        match KEPT_BYTES.checked_div(size_of::<T>()) {
            Some(0) | None => 1,
            Some(items) => items,
        }
    }
}

impl<T, const N: usize> Default for Bounded<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for Bounded<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T, const N: usize> DerefMut for Bounded<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<'a, T, const N: usize> IntoIterator for &'a Bounded<T, N> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// What an empty list may keep of the memory that it had.
pub const KEPT_BYTES: usize = 64;

const _: () = assert!(size_of::<Bounded<u64, 1_000>>() == 24);

#[cfg(test)]
mod tests;
