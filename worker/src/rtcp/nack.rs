//! Generic negative acknowledgement (RFC 4585 6.2.1): sequence numbers that a receiver misses.
//!
//! Knows items of one number and a mask of the 16 after it. Which numbers to ask for, and when, is `stream::nack`.
//! Invariant: the numbers of a NACK are those that were asked for, in the order given, each once in its item.

use crate::base::sequence::Serial16;
use crate::rtcp::cursor::{take, take_u32};

/// Feedback message type of a generic NACK.
pub(super) const FORMAT: u8 = 1;

/// Bytes of one item.
pub(super) const ITEM_BYTES: usize = 4;

/// A NACK.
#[derive(Clone, Debug)]
pub struct Nack<'a> {
    /// The one who asks.
    pub sender_ssrc: u32,
    /// The stream with the losses.
    pub media_ssrc: u32,
    items: &'a [u8],
}

impl<'a> Nack<'a> {
    /// RFC 4585 6.1: at least one item.
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let (sender_ssrc, media_ssrc) = (take_u32(&mut body)?, take_u32(&mut body)?);
        (body.len() >= ITEM_BYTES).then_some(Self { sender_ssrc, media_ssrc, items: body })
    }

    /// The missing numbers, item by item; a hostile sender may name one more than once. There are at most 17 for every
    /// 4 bytes.
    pub fn sequences(&self) -> impl Iterator<Item = Serial16> + use<'a> {
        self.items().flat_map(Item::sequences)
    }

    /// How many numbers are named.
    pub fn count(&self) -> usize {
        self.items().map(|item| 1 + item.following.count_ones() as usize).sum()
    }

    /// The items.
    pub fn items(&self) -> impl Iterator<Item = Item> + use<'a> {
        let mut rest = self.items;
        std::iter::from_fn(move || {
            let [first_high, first_low, mask_high, mask_low] = take(&mut rest)?;
            Some(Item {
                first: Serial16::new(u16::from_be_bytes([first_high, first_low])),
                following: u16::from_be_bytes([mask_high, mask_low]),
            })
        })
    }
}

/// Up to 17 missing numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// PID, which is missing.
    pub first: Serial16,
    /// BLP: bit i is set when `first` + i + 1 is missing too.
    pub following: u16,
}

impl Item {
    /// The numbers, in order.
    pub fn sequences(self) -> impl Iterator<Item = Serial16> {
        let following = (1..=16_u16)
            .filter(move |after| self.following >> (after - 1) & 1 != 0)
            .map(move |after| self.first.add(after));
        std::iter::once(self.first).chain(following)
    }

    /// The item that starts with the first of `sequences` and holds as many of the next ones as it can, and the rest.
    /// `None` when there is none. Sorted numbers give the fewest items; others are still all named.
    pub(super) fn pack(sequences: &[Serial16]) -> Option<(Self, &[Serial16])> {
        let (&first, mut rest) = sequences.split_first()?;
        let mut following = 0;
        while let Some((next, after)) = rest.split_first() {
            match next.distance_from(first) {
                0 => {}
                distance @ 1..=16 => following |= 1 << (distance - 1),
                _ => break,
            }
            rest = after;
        }
        Some((Self { first, following }, rest))
    }

    pub(super) fn to_bytes(self) -> [u8; ITEM_BYTES] {
        let [first_high, first_low] = self.first.wire().to_be_bytes();
        let [mask_high, mask_low] = self.following.to_be_bytes();
        [first_high, first_low, mask_high, mask_low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{CompoundWriter, Packet, packets};
    use proptest::prelude::*;

    fn serials(sequences: impl IntoIterator<Item = u16>) -> Vec<Serial16> {
        sequences.into_iter().map(Serial16::new).collect()
    }

    fn written(sequences: &[Serial16]) -> Vec<u8> {
        let mut buffer = [0; 1292];
        let mut writer = CompoundWriter::new(&mut buffer);
        assert_eq!(writer.nack(1, 2, sequences), Ok(sequences.len()));
        writer.bytes().to_vec()
    }

    fn read(bytes: &[u8]) -> Vec<Serial16> {
        match packets(bytes).next() {
            Some(Ok(Packet::Nack(nack))) => {
                assert_eq!((nack.sender_ssrc, nack.media_ssrc), (1, 2));
                let sequences: Vec<_> = nack.sequences().collect();
                assert_eq!(nack.count(), sequences.len());
                sequences
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn seventeen_numbers_fit_one_item_across_the_wrap() {
        let sequences = serials((0..17).map(|after| 65_530_u16.wrapping_add(after)));
        let bytes = written(&sequences);
        assert_eq!(bytes, [0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFA, 0xFF, 0xFF]);
        assert_eq!(read(&bytes), sequences);
    }

    #[test]
    fn the_eighteenth_starts_a_new_item() {
        let sequences = serials([100, 116, 117]);
        let bytes = written(&sequences);
        assert_eq!(bytes[12..], [0, 100, 0x80, 0, 0, 117, 0, 0]);
        assert_eq!(read(&bytes), sequences);
    }

    #[test]
    fn repeated_and_unsorted_numbers_are_all_named() {
        assert_eq!(read(&written(&serials([5, 5, 4]))), serials([5, 4]));
    }

    #[test]
    fn a_long_list_is_continued_in_another_packet() {
        let sequences = serials((0..20).map(|index| index * 100));
        let mut buffer = [0; 12 + 4 * 7];
        let mut writer = CompoundWriter::new(&mut buffer);
        assert_eq!(writer.nack(1, 2, &sequences), Ok(7));
        assert_eq!(read(writer.bytes()), sequences[..7]);
    }

    #[test]
    fn a_nack_that_names_nothing_is_malformed() {
        let bytes = [0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert!(packets(&bytes).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_list_survives_the_way_there_and_back(
            start: u16,
            gaps in proptest::collection::vec(1_u16..40, 1..200),
        ) {
            let mut next = start;
            let sequences = serials(gaps.into_iter().map(|gap| {
                next = next.wrapping_add(gap);
                next
            }));
            prop_assert_eq!(read(&written(&sequences)), sequences);
        }
    }
}
