//! VP8 payload descriptor (RFC 7741 4.2) and the one bit of the VP8 frame that matters: is it a key frame?
//!
//! Knows the bytes of one payload. Does not know the previous packet: continuity of picture ids is the consumer's work.
//! Called by `Producer::admit` (`parse`) and when a consumer's packet is sealed (`rewrite`).
//! Invariant: `header_len` bytes of descriptor were there when `parse` said so.

use super::reader::Reader;
use crate::base::sequence::{Serial8, Serial15};

pub use super::PictureId;
use super::{Numbers, overwrite};

/// A parsed payload descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// N: the frame can be discarded without harm to others.
    pub non_reference: bool,
    /// S: the payload starts a VP8 partition.
    pub start: bool,
    /// PID, 0..=7 (RFC 7741 has three bits, older drafts four).
    pub partition: u8,
    /// I.
    pub picture_id: Option<PictureId>,
    /// L: the temporal base layer's running index.
    pub tl0_picture_index: Option<Serial8>,
    /// T: temporal layer, 0..=3.
    pub temporal_layer: Option<u8>,
    /// Y: the frame depends on base layer frames only, so a receiver may step up to its layer here. False without T,
    /// where the bit must be ignored.
    pub layer_sync: bool,
    /// K: 0..=31.
    pub key_index: Option<u8>,
    /// The packet starts a key frame: S, partition 0, and the inverse key frame bit of the frame header (RFC 7741 4.3)
    /// is 0. The frame's other packets have it false.
    pub key_frame: bool,
    /// Bytes of the descriptor, 1..=6. The VP8 data follows.
    pub header_len: u8,
}

// The first byte.
const EXTENDED: u8 = 0x80;
const NON_REFERENCE: u8 = 0x20;
const START: u8 = 0x10;
const PARTITION: u8 = 0x07;
// The second byte, there with X.
const HAS_PICTURE_ID: u8 = 0x80;
const HAS_TL0_PICTURE_INDEX: u8 = 0x40;
const HAS_TEMPORAL_LAYER: u8 = 0x20;
const HAS_KEY_INDEX: u8 = 0x10;
// The byte of temporal layer and key index.
const LAYER_SYNC: u8 = 0x20;
const KEY_INDEX: u8 = 0x1F;
/// P of the VP8 frame header, 0 for key frames.
const INTER_FRAME: u8 = 0x01;
/// Where the picture id stands, if there is one.
const PICTURE_ID_AT: usize = 2;

impl Descriptor {
    /// Reads the descriptor at the start of `payload`; `None` when it is cut off. Bytes after it may be absent: such
    /// a packet is no key frame.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let first = reader.byte()?;
        let flags = if first & EXTENDED != 0 { reader.byte()? } else { 0 };
        let picture_id = match flags & HAS_PICTURE_ID {
            0 => None,
            _ => Some(reader.picture_id()?),
        };
        let tl0_picture_index = match flags & HAS_TL0_PICTURE_INDEX {
            0 => None,
            _ => Some(Serial8::new(reader.byte()?)),
        };
        // RFC 7741 4.2: the byte is there for T or K, and the part of it without its bit must be ignored.
        let has_temporal_layer = flags & HAS_TEMPORAL_LAYER != 0;
        let has_key_index = flags & HAS_KEY_INDEX != 0;
        let layers = if has_temporal_layer || has_key_index { reader.byte()? } else { 0 };
        let (start, partition) = (first & START != 0, first & PARTITION);
        let inter_frame = payload.get(reader.at()).is_none_or(|byte| byte & INTER_FRAME != 0);
        Some(Self {
            non_reference: first & NON_REFERENCE != 0,
            start,
            partition,
            picture_id,
            tl0_picture_index,
            temporal_layer: has_temporal_layer.then_some(layers >> 6),
            layer_sync: has_temporal_layer && layers & LAYER_SYNC != 0,
            key_index: has_key_index.then_some(layers & KEY_INDEX),
            key_frame: start && partition == 0 && !inter_frame,
            header_len: u8::try_from(reader.at()).ok()?,
        })
    }
}

/// Puts new numbers in the place of those that `payload` has, each in the width it has there (a 7-bit picture id takes
/// the low 7 bits). `descriptor` must have been parsed from this payload, or from the one it was copied from. A field
/// that the payload lacks stays absent. Returns false, with nothing changed, when the payload is cut off.
pub fn rewrite(
    payload: &mut [u8],
    descriptor: &Descriptor,
    picture_id: Serial15,
    tl0_picture_index: Serial8,
) -> bool {
    let at = Numbers {
        descriptor_len: descriptor.header_len.into(),
        picture_id_at: PICTURE_ID_AT,
        picture_id: descriptor.picture_id,
        tl0_picture_index_after: descriptor.tl0_picture_index.map(|_| 0),
    };
    overwrite(payload, &at, picture_id, tl0_picture_index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sequence::Serial7;
    use proptest::prelude::*;

    #[test]
    fn a_key_frame_needs_start_partition_zero_and_a_clear_inverse_bit() {
        let key = |payload: &[u8]| Descriptor::parse(payload).unwrap().key_frame;
        assert!(key(&[0x10, 0x00]), "no X bit");
        assert!(key(&[0x90, 0x00, 0x00]), "X bit without fields");
        assert!(key(&[0x90, 0x80, 0x92, 0x34, 0x50]), "15-bit picture id");
        assert!(!key(&[0x10, 0x01]), "inter frame");
        assert!(!key(&[0x00, 0x00]), "not the start of a partition");
        assert!(!key(&[0x11, 0x00]), "partition 1");
        assert!(!key(&[0x10]), "no frame byte");
    }

    #[test]
    fn every_field_is_read_from_its_place() {
        let payload = [0xB3, 0xF0, 0x92, 0x34, 0x56, 0b1010_0101, 0x01];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(
            descriptor,
            Descriptor {
                non_reference: true,
                start: true,
                partition: 3,
                picture_id: Some(PictureId::Long(Serial15::new(0x1234))),
                tl0_picture_index: Some(Serial8::new(0x56)),
                temporal_layer: Some(2),
                layer_sync: true,
                key_index: Some(5),
                key_frame: false,
                header_len: 6,
            }
        );
    }

    #[test]
    fn bits_that_are_clear_are_read_as_clear() {
        let payload = [0x84, 0xF0, 0x12, 0xA9, 0b0101_1010, 0x01];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(
            descriptor,
            Descriptor {
                non_reference: false,
                start: false,
                partition: 4,
                picture_id: Some(PictureId::Short(Serial7::new(0x12))),
                tl0_picture_index: Some(Serial8::new(0xA9)),
                temporal_layer: Some(1),
                layer_sync: false,
                key_index: Some(26),
                key_frame: false,
                header_len: 5,
            }
        );
    }

    #[test]
    fn bits_of_absent_fields_are_ignored() {
        let key_index_only = Descriptor::parse(&[0x90, 0x10, 0xFF, 0x01]).unwrap();
        assert_eq!(
            (key_index_only.temporal_layer, key_index_only.layer_sync, key_index_only.key_index),
            (None, false, Some(31))
        );
        let temporal_only = Descriptor::parse(&[0x90, 0x20, 0xFF, 0x01]).unwrap();
        assert_eq!(
            (temporal_only.temporal_layer, temporal_only.layer_sync, temporal_only.key_index),
            (Some(3), true, None)
        );
    }

    #[test]
    fn every_cut_inside_a_descriptor_is_refused() {
        let payload = [0x90, 0xF0, 0x92, 0x34, 0x56, 0x78];
        assert!(Descriptor::parse(&payload).is_some());
        for len in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn rewriting_keeps_the_width_of_the_picture_id() {
        let mut short = [0x90, 0xC0, 0x12, 0x34, 0x01];
        let descriptor = Descriptor::parse(&short).unwrap();
        assert!(rewrite(&mut short, &descriptor, Serial15::new(0x7FFE), Serial8::new(9)));
        assert_eq!(short, [0x90, 0xC0, 0x7E, 0x09, 0x01]);

        let mut long = [0x90, 0xC0, 0x92, 0x34, 0x56, 0x01];
        let descriptor = Descriptor::parse(&long).unwrap();
        assert!(rewrite(&mut long, &descriptor, Serial15::new(0x7FFE), Serial8::new(9)));
        assert_eq!(long, [0x90, 0xC0, 0xFF, 0xFE, 0x09, 0x01]);
    }

    #[test]
    fn a_payload_shorter_than_its_descriptor_is_not_rewritten() {
        let mut payload = [0x90, 0xC0, 0x92, 0x34, 0x56, 0x01];
        let descriptor = Descriptor::parse(&payload).unwrap();
        let before = payload;
        assert!(!rewrite(&mut payload[..4], &descriptor, Serial15::new(1), Serial8::new(1)));
        assert_eq!(payload, before);
    }

    proptest! {
        #[test]
        fn rewriting_changes_the_numbers_and_nothing_else(
            mut payload in proptest::collection::vec(any::<u8>(), 0..12),
            picture_id: u16,
            index: u8,
        ) {
            let Some(before) = Descriptor::parse(&payload) else { return Ok(()) };
            let original = payload.clone();
            let (id, index) = (Serial15::new(picture_id), Serial8::new(index));
            prop_assert!(rewrite(&mut payload, &before, id, index));
            let after = Descriptor::parse(&payload).unwrap();
            prop_assert_eq!(after, Descriptor {
                picture_id: before.picture_id.map(|was| match was {
                    PictureId::Short(_) => PictureId::Short(Serial7::new(id.wire().to_be_bytes()[1])),
                    PictureId::Long(_) => PictureId::Long(id),
                }),
                tl0_picture_index: before.tl0_picture_index.map(|_| index),
                ..before
            });
            let header_len = usize::from(before.header_len);
            prop_assert_eq!(&payload[header_len..], &original[header_len..]);
        }
    }
}
