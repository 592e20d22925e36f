//! H.264 payloads (RFC 6184 5): which NAL units a packet carries, and whether a decoder can start with it.
//!
//! Knows NAL unit headers and the packets that aggregate or fragment NAL units, interleaved ones (MTAP) included. Does
//! not know the previous packet, nor what a parameter set says. Called by `Producer::admit`.
//! Invariant: `header_len` bytes were there when `parse` said so.
//!
//! **Where a key frame starts.** A decoder needs a sequence parameter set (SPS) and the IDR picture after it. Senders of
//! conferences put the SPS in front of every IDR picture, so the packet with the SPS is the one to start with
//! (`key_frame`), and an IDR slice is not: whoever starts there, because the packet before was lost or came late, has
//! nothing to decode it with. A sender that announced its parameter sets in SDP (`sprop-parameter-sets`) may never send
//! one; then the first slice of an IDR picture (`idr_start`) is all there is to start with. Which of the two a stream
//! is takes memory of the stream, so its owner decides: `idr_start` counts until the first `key_frame`.

use super::reader::Reader;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// How NAL units are put into the packet.
    pub packing: Packing,
    /// Type of the NAL unit, or of the first one in an aggregate, 0..=31 (H.264 table 7-1); 0 when there is none.
    pub nal_type: u8,
    /// nal_ref_idc, 0..=3: 0 means that no other picture needs this packet's.
    pub reference: u8,
    /// The packet holds the beginning of each of its NAL units.
    pub start: bool,
    /// The packet holds the end of each of its NAL units. The RTP marker ends the picture.
    pub end: bool,
    /// The first slice of an IDR picture begins in the packet.
    pub idr_start: bool,
    /// The packet holds the beginning of a sequence parameter set: a key frame starts here.
    pub key_frame: bool,
    /// Bytes before the NAL unit's own (the header of a single one, which is the packet's, counts too), 1..=4.
    pub header_len: u8,
}

/// How NAL units are put into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// One whole NAL unit.
    Single,
    /// Several whole ones (STAP-A, STAP-B, MTAP16, MTAP24).
    Aggregate,
    /// A part of one (FU-A, FU-B).
    Fragment,
}

// NAL unit types (H.264 table 7-1, RFC 6184 table 1).
const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const MTAP16: u8 = 26;
const MTAP24: u8 = 27;
const FU_A: u8 = 28;
const FU_B: u8 = 29;
const TYPE: u8 = 0x1F;
// The FU header.
const START: u8 = 0x80;
const END: u8 = 0x40;
/// first_mb_in_slice is 0 when the slice header's first bit is 1 (H.264 7.3.3, ue(v)).
const FIRST_SLICE: u8 = 0x80;

impl Descriptor {
    /// Reads the payload's headers; `None` when they are cut off. Of an aggregate that ends inside a NAL unit what came
    /// before counts.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let first = reader.byte()?;
        let nothing = Self {
            packing: Packing::Single,
            nal_type: first & TYPE,
            reference: first >> 5 & 0x03,
            start: true,
            end: true,
            idr_start: false,
            key_frame: false,
            header_len: 1,
        };
        // The second half of an aggregate's header: how many bytes stand between a unit's size and the unit.
        match first & TYPE {
            STAP_A => nothing.with_units(reader, 0),
            STAP_B => nothing.with_decoding_order(&mut reader)?.with_units(reader, 0),
            MTAP16 => nothing.with_decoding_order(&mut reader)?.with_units(reader, 3),
            MTAP24 => nothing.with_decoding_order(&mut reader)?.with_units(reader, 4),
            FU_A | FU_B => nothing.with_fragment(reader),
            nal_type => Some(nothing.with_unit(nal_type, reader.rest().first())),
        }
    }

    fn with_decoding_order(self, reader: &mut Reader<'_>) -> Option<Self> {
        reader.u16()?;
        Some(self)
    }

    fn with_units(mut self, mut reader: Reader<'_>, between: usize) -> Option<Self> {
        self.packing = Packing::Aggregate;
        self.header_len = u8::try_from(reader.at()).ok()?;
        self.nal_type = 0;
        let mut first = None;
        while let Some([header, slice @ ..]) = next_unit(&mut reader, between) {
            self.nal_type = *first.get_or_insert(header & TYPE);
            self = self.with_unit(header & TYPE, slice.first());
        }
        Some(self)
    }

    fn with_fragment(mut self, mut reader: Reader<'_>) -> Option<Self> {
        self.packing = Packing::Fragment;
        let header = reader.byte()?;
        if self.nal_type == FU_B {
            reader.u16()?;
        }
        self.nal_type = header & TYPE;
        self.start = header & START != 0;
        self.end = header & END != 0;
        self.header_len = u8::try_from(reader.at()).ok()?;
        Some(if self.start { self.with_unit(self.nal_type, reader.rest().first()) } else { self })
    }

    /// One more NAL unit that begins in the packet.
    fn with_unit(mut self, nal_type: u8, slice: Option<&u8>) -> Self {
        self.key_frame |= nal_type == SPS;
        self.idr_start |= nal_type == IDR && slice.is_some_and(|byte| byte & FIRST_SLICE != 0);
        self
    }
}

/// The next NAL unit of an aggregate; an empty one counts as none.
fn next_unit<'a>(reader: &mut Reader<'a>, between: usize) -> Option<&'a [u8]> {
    let bytes = usize::from(reader.u16()?);
    reader.take(between)?;
    reader.take(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(payload: &[u8]) -> Descriptor {
        Descriptor::parse(payload).unwrap()
    }

    /// Parameter sets and the first slice of an IDR picture, as NAL units.
    const SPS_UNIT: [u8; 4] = [0x67, 0x42, 0xC0, 0x15];
    const PPS_UNIT: [u8; 3] = [0x68, 0xCE, 0x04];
    const IDR_UNIT: [u8; 4] = [0x65, 0xB8, 0x00, 0x04];
    const IDR_UNIT_2: [u8; 4] = [0x65, 0x00, 0x95, 0x88];
    const SLICE: [u8; 3] = [0x41, 0x9A, 0x20];
    const DROPPABLE: [u8; 3] = [0x01, 0x9A, 0x20];

    /// An aggregate whose own header is `head`.
    fn aggregate(head: &[u8], between: &[u8], units: &[&[u8]]) -> Vec<u8> {
        let mut payload = head.to_vec();
        for unit in units {
            payload.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
            payload.extend(between);
            payload.extend(*unit);
        }
        payload
    }

    #[test]
    fn sps_starts_a_key_frame_however_it_is_packed() {
        let units: [&[u8]; 2] = [&SPS_UNIT, &PPS_UNIT];
        for (what, payload) in [
            ("alone", SPS_UNIT.to_vec()),
            ("STAP-A", aggregate(&[0x78], &[], &units)),
            ("STAP-A, behind an access unit delimiter", aggregate(&[0x78], &[], &[&[0x09, 0x10], &SPS_UNIT])),
            ("STAP-B", aggregate(&[0x79, 0, 7], &[], &units)),
            ("MTAP16", aggregate(&[0x7A, 0, 7], &[0, 0, 9], &units)),
            ("MTAP24", aggregate(&[0x7B, 0, 7], &[0, 0, 0, 9], &units)),
            ("FU-A", vec![0x7C, 0x87, 0x42]),
            ("FU-B", vec![0x7D, 0x87, 0, 7, 0x42]),
        ] {
            assert!(parse(&payload).key_frame, "{what}");
        }
    }

    #[test]
    fn what_has_no_beginning_of_an_sps_starts_no_key_frame() {
        for (what, payload) in [
            ("slice", SLICE.to_vec()),
            ("PPS", PPS_UNIT.to_vec()),
            ("IDR", IDR_UNIT.to_vec()),
            ("STAP-A without", aggregate(&[0x78], &[], &[&PPS_UNIT, &IDR_UNIT])),
            ("middle of a fragmented SPS", vec![0x7C, 0x07, 0x42]),
            ("end of a fragmented SPS", vec![0x7C, 0x47, 0x42]),
            ("fragment of a fragment", vec![0x7C, 0x9C, 0x87]),
        ] {
            assert!(!parse(&payload).key_frame, "{what}");
        }
    }

    #[test]
    fn only_the_first_slice_of_an_idr_picture_is_its_start() {
        let starts = |payload: &[u8]| parse(payload).idr_start;
        assert!(starts(&IDR_UNIT));
        assert!(starts(&aggregate(&[0x78], &[], &[&SPS_UNIT, &PPS_UNIT, &IDR_UNIT])));
        assert!(starts(&[0x7C, 0x85, 0xB8]), "FU-A");
        assert!(!starts(&IDR_UNIT_2), "a later slice");
        assert!(!starts(&[0x7C, 0x85, 0x00]), "a later slice in an FU-A");
        assert!(!starts(&[0x7C, 0x05, 0xB8]), "the middle of a slice");
        assert!(!starts(&[0x65]) && !starts(&[0x7C, 0x85]), "no slice header");
        assert!(!starts(&SLICE));
    }

    #[test]
    fn headers_are_read_from_their_places() {
        let single = parse(&DROPPABLE);
        assert_eq!((single.packing, single.nal_type, single.reference), (Packing::Single, 1, 0));
        assert_eq!((single.start, single.end, single.header_len), (true, true, 1));
        let middle = parse(&[0x5C, 0x01, 0xAA]);
        assert_eq!((middle.packing, middle.nal_type, middle.reference), (Packing::Fragment, 1, 2));
        assert_eq!((middle.start, middle.end, middle.header_len), (false, false, 2));
        let end = parse(&[0x5D, 0x41, 0, 7, 0xAA]);
        assert_eq!((end.nal_type, end.start, end.end, end.header_len), (1, false, true, 4));
        let stap = parse(&aggregate(&[0x78], &[], &[&SPS_UNIT, &PPS_UNIT]));
        assert_eq!((stap.packing, stap.nal_type, stap.header_len), (Packing::Aggregate, SPS, 1));
        assert_eq!(parse(&aggregate(&[0x79, 0, 7], &[], &[&SLICE])).header_len, 3);
    }

    #[test]
    fn an_aggregate_has_the_type_of_its_first_unit_even_where_that_is_0() {
        assert_eq!(parse(&aggregate(&[0x78], &[], &[&[0x60, 0x00], &SPS_UNIT])).nal_type, 0);
        assert_eq!(parse(&aggregate(&[0x78], &[], &[&SPS_UNIT, &[0x60, 0x00]])).nal_type, SPS);
    }

    #[test]
    fn of_an_aggregate_that_is_cut_off_the_whole_units_count() {
        let payload = aggregate(&[0x78], &[], &[&SPS_UNIT, &IDR_UNIT]);
        let sps_ends = 3 + SPS_UNIT.len();
        for len in 1..payload.len() {
            let cut = parse(&payload[..len]);
            assert_eq!((cut.key_frame, cut.idr_start), (len >= sps_ends, false), "{len} bytes");
        }
        assert!(parse(&payload).idr_start);
    }

    #[test]
    fn packets_without_their_own_header_are_refused() {
        for payload in [&[][..], &[0x7C], &[0x7D, 0x87], &[0x7D, 0x87, 0], &[0x79, 0], &[0x7A], &[0x7B, 0]] {
            assert_eq!(Descriptor::parse(payload), None, "{payload:x?}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_within_its_bytes(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(read) = Descriptor::parse(&payload) {
                prop_assert!(usize::from(read.header_len) <= payload.len());
                prop_assert!(read.start || !read.key_frame && !read.idr_start);
            }
        }

        #[test]
        fn units_of_an_aggregate_are_all_seen(
            units in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..12),
        ) {
            let slices: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
            let read = parse(&aggregate(&[0x78], &[], &slices));
            prop_assert_eq!(read.key_frame, units.iter().any(|unit| unit[0] & TYPE == SPS));
            let idr = |unit: &Vec<u8>| unit[0] & TYPE == IDR && unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
            prop_assert_eq!(read.idr_start, units.iter().any(idr));
        }

        #[test]
        fn a_fragment_is_what_its_header_says(nal_type in 0u8..24, reference in 0u8..4, flags in 0u8..4, slice: u8) {
            let read = parse(&[reference << 5 | FU_A, flags << 6 | nal_type, slice]);
            prop_assert_eq!((read.nal_type, read.reference), (nal_type, reference));
            prop_assert_eq!((read.start, read.end), (flags & 2 != 0, flags & 1 != 0));
            prop_assert_eq!(read.key_frame, read.start && nal_type == SPS);
        }
    }
}
