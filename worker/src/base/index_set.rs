//! A set of small indices that finds its lowest member in a step or two.
//!
//! Knows bits. Does not know what is indexed. Used by the pool (chunks with a free slot) and by tables (pages with a
//! free entry): both fill from the bottom, so that what lies above empties and can be given back.
//! Invariant: a bit of `summary` is set exactly when the word that it stands for is not zero.

#![forbid(unsafe_code)]

/// A growing set of `usize`, one bit each and 1/64 of a bit for the summary.
#[derive(Debug, Default)]
pub(super) struct IndexSet {
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl IndexSet {
    /// Adds `index`; nothing happens when it is there.
    pub(super) fn insert(&mut self, index: usize) {
        let word = index / WORD_BITS;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
            self.summary.resize(word / WORD_BITS + 1, 0);
        }
        self.words[word] |= bit(index);
        self.summary[word / WORD_BITS] |= bit(word);
    }

    /// Takes `index` out; nothing happens when it is not there.
    pub(super) fn remove(&mut self, index: usize) {
        let word = index / WORD_BITS;
        let Some(bits) = self.words.get_mut(word) else { return };
        *bits &= !bit(index);
        if *bits == 0 {
            self.summary[word / WORD_BITS] &= !bit(word);
        }
    }

    /// The lowest member.
    pub(super) fn lowest(&self) -> Option<usize> {
        let (at, summary) = self.summary.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        let word = at * WORD_BITS + lowest_bit(*summary);
        Some(word * WORD_BITS + lowest_bit(self.words[word]))
    }

    /// Bytes held on the heap.
    pub(super) fn held_bytes(&self) -> usize {
        (self.words.capacity() + self.summary.capacity()) * size_of::<u64>()
    }

    /// Gives back what only indices from `end` on would need; they must not be members any more.
    pub(super) fn truncate(&mut self, end: usize) {
        let words = end.div_ceil(WORD_BITS);
        if words < self.words.len() {
            debug_assert!(self.words[words..].iter().all(|bits| *bits == 0));
            self.words.truncate(words);
            self.summary.truncate(words.div_ceil(WORD_BITS));
            self.words.shrink_to_fit();
            self.summary.shrink_to_fit();
        }
    }
}

fn bit(index: usize) -> u64 {
    1 << (index % WORD_BITS)
}

fn lowest_bit(bits: u64) -> usize {
    // At most 63 here: callers have checked that a bit is set.
    bits.trailing_zeros() as usize
}

const WORD_BITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn lowest_is_what_an_ordered_set_says(steps in prop::collection::vec((any::<bool>(), 0usize..9_000), 1..300)) {
            let (mut set, mut model) = (IndexSet::default(), BTreeSet::new());
            for (add, index) in steps {
                if add {
                    set.insert(index);
                    model.insert(index);
                } else {
                    set.remove(index);
                    model.remove(&index);
                }
                prop_assert_eq!(set.lowest(), model.first().copied());
                set.truncate(model.last().map_or(0, |last| last + 1));
                prop_assert_eq!(set.lowest(), model.first().copied());
            }
        }
    }
}
