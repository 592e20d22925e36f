//! AV1 payloads (RTP Payload Format for AV1, 4.4): the aggregation header, and the layers of the first OBU.
//!
//! Knows the first bytes of one payload. Does not know the dependency descriptor, which says more and is believed first
//! where it was negotiated (`rtp::dependency_descriptor`). Called by `Producer::admit`.
//! Invariant: `header_len` bytes were there when `parse` said so.

use super::reader::Reader;

/// A parsed aggregation header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// Z: the first element goes on with an OBU that the previous packet began.
    pub continues: bool,
    /// Y: the next packet goes on with the last element's OBU.
    pub continued: bool,
    /// W: how many elements there are, 1..=3; 0: not said, each has its length.
    pub elements: u8,
    /// Layers of the first OBU, if it begins here and has an extension header.
    pub layers: Option<Layers>,
    /// N: the packet is the first of a coded video sequence, which starts with a key frame. Not for a packet that
    /// continues an OBU, where the bit has no place (4.4).
    pub key_frame: bool,
    /// Bytes of the aggregation header: 1.
    pub header_len: u8,
}

/// The layers of an OBU (AV1 bitstream specification 5.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layers {
    /// temporal_id, 0..=7.
    pub temporal: u8,
    /// spatial_id, 0..=3.
    pub spatial: u8,
}

// The aggregation header.
const CONTINUES: u8 = 0x80;
const CONTINUED: u8 = 0x40;
const NEW_SEQUENCE: u8 = 0x08;
// The OBU header (AV1 bitstream specification 5.3.2).
const FORBIDDEN: u8 = 0x80;
const HAS_EXTENSION: u8 = 0x04;
/// A length has at most so many bytes (AV1 bitstream specification 4.10.5).
const LEB128_BYTES_MAX: usize = 8;

impl Descriptor {
    /// Reads the start of `payload`; `None` when it is empty.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let first = reader.byte()?;
        let (continues, elements) = (first & CONTINUES != 0, first >> 4 & 0x03);
        Some(Self {
            continues,
            continued: first & CONTINUED != 0,
            elements,
            layers: if continues { None } else { first_obu_layers(reader, elements) },
            key_frame: first & NEW_SEQUENCE != 0 && !continues,
            header_len: 1,
        })
    }
}

fn first_obu_layers(mut reader: Reader<'_>, elements: u8) -> Option<Layers> {
    // The last of a counted number of elements has no length.
    if elements != 1 {
        skip_length(&mut reader)?;
    }
    if reader.byte()? & (FORBIDDEN | HAS_EXTENSION) != HAS_EXTENSION {
        return None;
    }
    let extension = reader.byte()?;
    Some(Layers { temporal: extension >> 5, spatial: extension >> 3 & 0x03 })
}

fn skip_length(reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..LEB128_BYTES_MAX {
        if reader.byte()? & 0x80 == 0 {
            return Some(());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(payload: &[u8]) -> Descriptor {
        Descriptor::parse(payload).unwrap()
    }

    #[test]
    fn n_starts_a_key_frame_unless_the_packet_goes_on_with_an_obu() {
        assert!(parse(&[0x28, 0x1D, 0x08]).key_frame);
        assert!(parse(&[0x08]).key_frame);
        assert!(!parse(&[0x10, 0x34, 0x08]).key_frame);
        assert!(!parse(&[0x88]).key_frame);
        assert_eq!(Descriptor::parse(&[]), None);
    }

    #[test]
    fn every_field_is_read_from_its_place() {
        let read = parse(&[0x50, 0x34, 0x48, 0x31]);
        assert_eq!((read.continues, read.continued, read.elements, read.header_len), (false, true, 1, 1));
        assert_eq!(read.layers, Some(Layers { temporal: 2, spatial: 1 }));
        let read = parse(&[0xB0, 0x34, 0x48]);
        assert_eq!((read.continues, read.continued, read.elements), (true, false, 3));
        assert_eq!(read.layers, None, "the rest of an OBU has no header");
    }

    #[test]
    fn layers_are_those_of_the_first_obu() {
        let layers = |payload: &[u8]| parse(payload).layers.map(|layers| (layers.temporal, layers.spatial));
        assert_eq!(layers(&[0x10, 0x34, 0xF8]), Some((7, 3)), "one element: no length");
        assert_eq!(layers(&[0x20, 0x02, 0x34, 0x48, 0x30]), Some((2, 1)), "two: the first has one");
        assert_eq!(
            layers(&[0x00, 0x82, 0x01, 0x34, 0x48]),
            Some((2, 1)),
            "not counted: a length of two bytes"
        );
        assert_eq!(layers(&[0x10, 0x30, 0x48]), None, "no extension");
        assert_eq!(layers(&[0x10, 0xB4, 0x48]), None, "the forbidden bit");
        assert_eq!(layers(&[0x10, 0x34]), None, "cut off");
        assert_eq!(layers(&[0x20, 0x02]), None, "cut off");
        assert_eq!(layers(&[0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x34, 0x48]), None);
    }

    proptest! {
        #[test]
        fn anything_is_read_within_its_bytes(payload in proptest::collection::vec(any::<u8>(), 0..24)) {
            let read = Descriptor::parse(&payload);
            prop_assert_eq!(read.is_none(), payload.is_empty());
            if let Some(read) = read {
                prop_assert_eq!(read.header_len, 1);
                prop_assert!(read.layers.is_none_or(|layers| layers.spatial <= 3 && layers.temporal <= 7));
            }
        }

        #[test]
        fn what_was_written_is_read_again(bits: u8, temporal in 0u8..8, spatial in 0u8..4, length in 2u8..128) {
            let mut payload = vec![bits];
            if bits >> 4 & 3 != 1 {
                payload.push(length);
            }
            payload.extend([0x34, temporal << 5 | spatial << 3, 0]);
            let read = parse(&payload);
            prop_assert_eq!((read.continues, read.continued), (bits & 0x80 != 0, bits & 0x40 != 0));
            prop_assert_eq!(read.elements, bits >> 4 & 3);
            prop_assert_eq!(read.layers, (!read.continues).then_some(Layers { temporal, spatial }));
            prop_assert_eq!(read.key_frame, bits & 0x88 == 0x08);
        }
    }
}
