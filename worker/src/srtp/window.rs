//! The replay list (RFC 3711 3.3.2): which indices of a stream were received.
//!
//! Knows plain numbers that only grow. Does not know packets. Invariant: of the last `64 * WORDS` indices up to the
//! newest each has its bit; older ones count as received.

/// A sliding window of `64 * WORDS` indices.
#[derive(Debug)]
pub(super) struct Window<const WORDS: usize> {
    newest: u64,
    /// The bit of index `i` is number `i % (64 * WORDS)`.
    bits: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    const BITS: u64 = 64 * WORDS as u64;

    /// A window that has seen one index.
    pub(super) fn new(first: u64) -> Self {
        let mut window = Self { newest: first, bits: [0; WORDS] };
        window.set(first);
        window
    }

    /// The highest index so far.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether the index was received before, or is too old to say.
    pub(super) fn has(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => false,
            Some(age) if age >= Self::BITS => true,
            Some(_) => {
                let (word, bit) = Self::place(index);
                self.bits.get(word).is_none_or(|word| word & bit != 0)
            }
        }
    }

    /// Notes an index that is authentic and was not there before.
    pub(super) fn insert(&mut self, index: u64) {
        if index > self.newest {
            self.forget_between(self.newest, index);
            self.newest = index;
        }
        self.set(index);
    }

    /// Clears the bits of what was skipped: they are those of indices one window older.
    fn forget_between(&mut self, newest: u64, next: u64) {
        if next - newest >= Self::BITS {
            self.bits = [0; WORDS];
            return;
        }
        for index in newest + 1..next {
            let (word, bit) = Self::place(index);
            if let Some(word) = self.bits.get_mut(word) {
                *word &= !bit;
            }
        }
    }

    fn set(&mut self, index: u64) {
        let (word, bit) = Self::place(index);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
    }

    fn place(index: u64) -> (usize, u64) {
        let bit = index % Self::BITS;
        (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::srtp::tests::model_config())]

        /// Against a set of everything ever received: steps forward of every size, back within and beyond the window.
        #[test]
        fn a_window_knows_what_a_set_knows(
            first in 0_u64..1 << 40,
            steps in proptest::collection::vec((0_u8..4, 0_u64..2_600), 1..400),
        ) {
            let mut window = Window::<16>::new(first);
            let mut seen = BTreeSet::from([first]);
            for (direction, step) in steps {
                let newest = *seen.last().unwrap();
                let index = match direction {
                    0 => newest + 1,
                    1 => newest + step,
                    2 => newest.saturating_sub(step % 40),
                    _ => newest.saturating_sub(step),
                };
                let is_old = newest.saturating_sub(index) >= 1_024;
                prop_assert_eq!(window.has(index), is_old || seen.contains(&index));
                if !window.has(index) {
                    window.insert(index);
                    seen.insert(index);
                }
                prop_assert_eq!(window.newest(), *seen.last().unwrap());
            }
        }
    }

    #[test]
    fn the_window_has_its_exact_length() {
        let mut window = Window::<16>::new(5_000);
        assert!(!window.has(5_000 - 1_023) && window.has(5_000 - 1_024));
        window.insert(5_000 - 1_023);
        assert!(window.has(5_000 - 1_023));
        window.insert(5_001);
        assert!(window.has(5_000 - 1_023), "it is too old now");
        assert!(!window.has(5_001 - 1_022));
    }
}
