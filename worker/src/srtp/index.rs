//! The packet index (RFC 3711 3.3.1): how often a sequence number has wrapped, and the number.
//!
//! Knows how a receiver guesses it. Does not know packets. Invariant: an index is below 2^48; no key is used beyond
//! (RFC 3711 9.2).

use crate::base::sequence::{Serial16, Serial48};

/// 48 bits: roll-over counter and sequence number. Ordered, for it never wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Index(u64);

impl Index {
    /// The index of a stream's first packet: nothing has wrapped yet.
    pub(super) fn first(sequence: Serial16) -> Self {
        Self(u64::from(sequence.wire()))
    }

    /// Of all indices with this sequence number the one nearest to `newest`. `None`: it would lie before the first or
    /// behind the last.
    ///
    /// RFC 3711 3.3.1 has no nearest one for a number exactly half a cycle away: the roll-over counter stays.
    pub(super) fn near(newest: Self, sequence: Serial16) -> Option<Self> {
        let distance = sequence.distance_from(newest.sequence());
        let index = match distance {
            HALF_A_CYCLE_BEHIND => newest.0 ^ HALF_A_CYCLE,
            _ => newest.0.checked_add_signed(distance)?,
        };
        (index < 1 << Serial48::BITS).then_some(Self(index))
    }

    /// How often the sequence number has wrapped.
    #[expect(clippy::cast_possible_truncation, reason = "48 bits less 16 are 32")]
    pub(super) const fn roc(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// What stands in the packet.
    #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are what is asked for")]
    pub(super) const fn sequence(self) -> Serial16 {
        Serial16::new(self.0 as u16)
    }

    /// As a plain number.
    pub(super) const fn value(self) -> u64 {
        self.0
    }

    /// The index with this plain number, below 2^48.
    pub(super) const fn from_value(value: u64) -> Self {
        debug_assert!(value < 1 << Serial48::BITS);
        Self(value)
    }
}

const HALF_A_CYCLE: u64 = 1 << 15;
const HALF_A_CYCLE_BEHIND: i64 = -(1 << 15);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 3711 3.3.1, appendix A, in its own words.
    fn guess_of_the_rfc(roc: i64, s_l: i64, sequence: i64) -> i64 {
        if s_l < 32_768 {
            if sequence - s_l > 32_768 { roc - 1 } else { roc }
        } else if s_l - 32_768 > sequence {
            roc + 1
        } else {
            roc
        }
    }

    proptest! {
        #![proptest_config(crate::srtp::tests::model_config())]

        #[test]
        fn a_guess_is_that_of_the_rfc(newest in 0_u64..1 << 48, sequence: u16) {
            let guess = Index::near(Index(newest), Serial16::new(sequence));
            let (roc, s_l) = (i64::try_from(newest >> 16).unwrap(), i64::try_from(newest & 0xFFFF).unwrap());
            let roc = guess_of_the_rfc(roc, s_l, i64::from(sequence));
            let expected = u32::try_from(roc).ok().map(|roc| u64::from(roc) << 16 | u64::from(sequence));
            prop_assert_eq!(guess.map(Index::value), expected);
        }
    }

    #[test]
    fn exactly_half_a_cycle_away_the_counter_stays() {
        for (newest, sequence) in [(0x5_0000, 0x8000), (0x5_8000, 0), (0x5_FFFF, 0x7FFF), (0, 0x8000)] {
            let guess = Index::near(Index(newest), Serial16::new(sequence)).unwrap();
            assert_eq!(guess.value(), newest & !0xFFFF | u64::from(sequence));
        }
    }

    #[test]
    fn there_is_nothing_before_the_first_nor_behind_the_last() {
        assert_eq!(Index::near(Index(10), Serial16::new(65_530)), None);
        assert_eq!(Index::near(Index((1 << 48) - 1), Serial16::new(0)), None);
        assert_eq!(Index::near(Index((1 << 48) - 1), Serial16::new(65_534)), Some(Index((1 << 48) - 2)));
    }
}
