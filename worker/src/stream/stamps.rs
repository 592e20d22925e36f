//! What a packet carried of the moment in which it was first sent: for a consumer without RTX, whose resends must be the
//! same bytes. They leave under the same SRTP index, and two packets that differ under one index and key give both away
//! (RFC 3711 9.1; with AES-GCM the authentication key too, RFC 7714 9.2).
//!
//! Knows own numbers and the two extension values that change with the moment. Does not know packets or extensions' ids.
//! Called by `media::consumer` when it seals, for consumers that can NACK, have no RTX and negotiated one of the two;
//! all others hold no memory here.
//! Invariant: slot `n & mask` holds what number `n` carried or another number's, and each slot knows whose.

use crate::base::pool::{BudgetFull, Pool};
use crate::base::sequence::Serial16;

/// Header extension values that belong to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01 2).
    pub wide_sequence: u16,
    /// Absolute send time, 6.18 fixed point seconds.
    pub abs_send_time: [u8; 3],
}

/// The moments of the last numbers sent: as many as the ring of what was sent has slots. Close with
/// [`clear`](Self::clear): dropping it leaves its bytes charged.
#[derive(Debug, Default)]
pub struct Stamps {
    /// A power of two of slots, or none.
    slots: Box<[Stamp]>,
}

#[derive(Clone, Copy, Debug)]
struct Stamp {
    own: Serial16,
    moment: Moment,
}

const _: () = assert!(size_of::<Stamp>() == 8);

impl Stamps {
    /// Remembers what was sent under a number, in `slots` places, a power of two. Where there is no memory for that many,
    /// fewer or none are remembered, and what is not cannot be sent again.
    pub fn put(&mut self, own: Serial16, moment: Moment, slots: usize, pool: &mut Pool) {
        let _ = self.fit(slots, pool);
        let index = self.index(own);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Stamp { own, moment };
        }
    }

    /// What was sent under a number, unless it is too long ago.
    pub fn get(&self, own: Serial16) -> Option<Moment> {
        self.slots.get(self.index(own)).filter(|stamp| stamp.own == own).map(|stamp| stamp.moment)
    }

    /// Becomes as long as the ring of what was sent, which is 0 or a power of two.
    ///
    /// # Errors
    /// [`BudgetFull`] when that is longer and there is no memory for it: nothing changes.
    pub fn fit(&mut self, slots: usize, pool: &mut Pool) -> Result<(), BudgetFull> {
        if slots == self.slots.len() {
            return Ok(());
        }
        pool.charge(slots.saturating_sub(self.slots.len()) * size_of::<Stamp>())?;
        pool.release(self.slots.len().saturating_sub(slots) * size_of::<Stamp>());
        let last = u16::try_from(slots.saturating_sub(1)).unwrap_or(u16::MAX);
        let vacant = |slot: u16| Stamp { own: Serial16::new(!slot), moment: Moment::default() };
        let fresh = if slots == 0 { Box::default() } else { (0..=last).map(vacant).collect() };
        let old = std::mem::replace(&mut self.slots, fresh);
        for (slot, stamp) in (0..).zip(&old) {
            if stamp.own.wire() != !slot {
                self.keep(*stamp);
            }
        }
        Ok(())
    }

    /// Forgets everything and gives all memory back.
    pub fn clear(&mut self, pool: &mut Pool) {
        pool.release(self.bytes());
        self.slots = Box::default();
    }

    /// Bytes as charged to the budget.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// Puts a stamp in its place, unless a newer number's is there.
    fn keep(&mut self, stamp: Stamp) {
        let index = self.index(stamp.own);
        let vacant = u16::try_from(index)
            .is_ok_and(|slot| self.slots.get(index).is_some_and(|there| there.own.wire() == !slot));
        if let Some(there) = self.slots.get_mut(index)
            && (vacant || stamp.own.is_newer_than(there.own))
        {
            *there = stamp;
        }
    }

    fn index(&self, own: Serial16) -> usize {
        usize::from(own.wire()) & self.slots.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn moment(number: u64) -> Moment {
        let [.., a, b, c] = number.to_be_bytes();
        Moment { wide_sequence: u16::from_be_bytes([c, b]), abs_send_time: [a, b, c] }
    }

    fn wire(number: u64) -> Serial16 {
        Serial16::new(u16::try_from(number % 65_536).unwrap())
    }

    #[test]
    fn nothing_is_held_until_something_is_put() {
        let stamps = Stamps::default();
        assert_eq!((stamps.bytes(), stamps.get(wire(0)), stamps.get(wire(65_535))), (0, None, None));
    }

    #[test]
    fn a_number_that_was_never_put_has_no_moment() {
        let (mut stamps, mut pool) = (Stamps::default(), Pool::new(1 << 20));
        stamps.put(wire(1_000), moment(1), 16, &mut pool);
        let known = (0..=u16::MAX).filter(|own| stamps.get(Serial16::new(*own)).is_some());
        assert_eq!(known.collect::<Vec<_>>(), [1_000]);
        stamps.clear(&mut pool);
        assert_eq!((stamps.bytes(), stamps.get(wire(1_000)), pool.held_bytes()), (0, None, 0));
    }

    #[test]
    fn without_memory_what_is_there_stays() {
        let (mut stamps, mut pool) = (Stamps::default(), Pool::new(16 * 8));
        stamps.put(wire(1), moment(1), 16, &mut pool);
        assert!(stamps.fit(32, &mut pool).is_err());
        stamps.put(wire(2), moment(2), 32, &mut pool);
        assert_eq!((stamps.get(wire(1)), stamps.get(wire(2))), (Some(moment(1)), Some(moment(2))));
        assert_eq!((stamps.bytes(), pool.held_bytes()), (128, 128));
        let mut none = Pool::new(0);
        let mut empty = Stamps::default();
        empty.put(wire(1), moment(1), 16, &mut none);
        assert_eq!((empty.get(wire(1)), empty.bytes()), (None, 0));
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        /// Over wraps, holes, and lengths that change: what is known is true, and the newest numbers are known.
        #[test]
        fn remembers_as_many_numbers_as_it_has_slots(
            start: u16, steps in prop::collection::vec((1..40_u64, 4..9_u32), 1..300),
        ) {
            let (mut stamps, mut pool) = (Stamps::default(), Pool::new(1 << 20));
            let mut known = BTreeMap::new();
            let (mut number, mut fewest) = (u64::from(start), usize::MAX);
            for (index, (gap, log)) in (0_u64..).zip(steps) {
                number += if gap < 30 { 1 } else { gap };
                // As rings do: the length changes now and then.
                let slots = if index % 20 == 0 { 1 << log } else { stamps.slots.len().max(16) };
                fewest = if index % 20 == 0 { fewest.min(slots) } else { fewest };
                stamps.put(wire(number), moment(number), slots, &mut pool);
                known.insert(number, index);
                prop_assert_eq!(pool.held_bytes(), stamps.bytes());
                prop_assert_eq!(stamps.bytes(), slots * 8);
                for (&own, _) in known.iter().rev().take(150) {
                    let found = stamps.get(wire(own));
                    prop_assert!(found.is_none_or(|found| found == moment(own)));
                    prop_assert!(found.is_some() || number - own >= fewest as u64, "{} is among the last", own);
                }
            }
            stamps.clear(&mut pool);
            prop_assert_eq!(pool.held_bytes(), 0);
        }
    }
}
