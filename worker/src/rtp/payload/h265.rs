//! H.265 payloads (RFC 7798 4.4): which NAL units a packet carries, their layers, and whether a decoder can start here.
//!
//! Knows NAL unit headers and the packets that aggregate, fragment or annotate (PACI) NAL units, as they are without
//! decoding order numbers (`sprop-max-don-diff` 0, the default). Does not know the previous packet, nor what a parameter
//! set says. Called by `Producer::admit`. Invariant: `header_len` bytes were there when `parse` said so.
//!
//! A key frame starts at its parameter sets; the first slice of an intra random access point (IRAP) counts for streams
//! whose parameter sets never come in band. Why, and who tells the two apart, is said in [`h264`](super::h264).

use super::h264::Packing;
use super::reader::Reader;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// How NAL units are put into the packet.
    pub packing: Packing,
    /// Type of the NAL unit, or of the first one in an aggregate, 0..=63 (H.265 table 7-1).
    pub nal_type: u8,
    /// nuh_layer_id, 0..=63; the lowest of an aggregate.
    pub layer: u8,
    /// Temporal sub-layer, 0..=6; the lowest of an aggregate.
    pub temporal_layer: u8,
    /// False: the picture is needed by none of its own sub-layer, and so by none at all in the highest one.
    pub reference: bool,
    /// The packet holds the beginning of each of its NAL units.
    pub start: bool,
    /// The packet holds the end of each of its NAL units. The RTP marker ends the picture.
    pub end: bool,
    /// The first slice of an intra random access point begins in the packet.
    pub irap_start: bool,
    /// The packet holds the beginning of a video or sequence parameter set: a key frame starts here.
    pub key_frame: bool,
    /// Bytes before the NAL unit's own (the header of a single one, which is the packet's, counts too), 2..=36.
    pub header_len: u8,
}

// NAL unit types (H.265 table 7-1, RFC 7798 4.4).
const IRAP_FIRST: u8 = 16;
const IRAP_LAST: u8 = 23;
const VPS: u8 = 32;
const SPS: u8 = 33;
const AGGREGATE: u8 = 48;
const FRAGMENT: u8 = 49;
const PACI: u8 = 50;
// The FU header.
const START: u8 = 0x80;
const END: u8 = 0x40;
const FRAGMENT_TYPE: u8 = 0x3F;
/// first_slice_segment_in_pic_flag (H.265 7.3.6.1).
const FIRST_SLICE: u8 = 0x80;

impl Descriptor {
    /// Reads the payload's headers; `None` when they are cut off or have the forbidden temporal id (0 before one is
    /// taken off). Of an aggregate that ends inside a NAL unit what came before counts.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let (first, second) = (reader.byte()?, reader.byte()?);
        let mut nal_type = first >> 1 & 0x3F;
        if nal_type == PACI {
            nal_type = paci_type(&mut reader)?;
        }
        let nothing = Self {
            packing: Packing::Single,
            nal_type,
            layer: (first & 0x01) << 5 | second >> 3,
            temporal_layer: (second & 0x07).checked_sub(1)?,
            reference: is_reference(nal_type),
            start: true,
            end: true,
            irap_start: false,
            key_frame: false,
            header_len: u8::try_from(reader.at()).ok()?,
        };
        match nal_type {
            AGGREGATE => Some(nothing.with_units(reader)),
            FRAGMENT => nothing.with_fragment(reader),
            _ => Some(nothing.with_unit(nal_type, reader.rest().first())),
        }
    }

    fn with_units(mut self, mut reader: Reader<'_>) -> Self {
        self.packing = Packing::Aggregate;
        self.reference = false;
        let mut first = None;
        while let Some([header, _, slice @ ..]) = next_unit(&mut reader) {
            let nal_type = header >> 1 & 0x3F;
            self.nal_type = *first.get_or_insert(nal_type);
            self.reference |= is_reference(nal_type);
            self = self.with_unit(nal_type, slice.first());
        }
        self
    }

    fn with_fragment(mut self, mut reader: Reader<'_>) -> Option<Self> {
        self.packing = Packing::Fragment;
        let header = reader.byte()?;
        self.nal_type = header & FRAGMENT_TYPE;
        self.reference = is_reference(self.nal_type);
        self.start = header & START != 0;
        self.end = header & END != 0;
        self.header_len = u8::try_from(reader.at()).ok()?;
        Some(if self.start { self.with_unit(self.nal_type, reader.rest().first()) } else { self })
    }

    /// One more NAL unit that begins in the packet.
    fn with_unit(mut self, nal_type: u8, slice: Option<&u8>) -> Self {
        self.key_frame |= matches!(nal_type, VPS | SPS);
        let is_irap = (IRAP_FIRST..=IRAP_LAST).contains(&nal_type);
        self.irap_start |= is_irap && slice.is_some_and(|byte| byte & FIRST_SLICE != 0);
        self
    }
}

/// The next NAL unit of an aggregate; one without its header counts as none.
fn next_unit<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let bytes = usize::from(reader.u16()?);
    reader.take(bytes)
}

/// What a PACI packet (RFC 7798 4.4.4) annotates: its fields are skipped, the payload goes on as if it had the type that
/// they name. That is never PACI again.
fn paci_type(reader: &mut Reader<'_>) -> Option<u8> {
    let fields = reader.u16()?;
    let [high, _] = fields.to_be_bytes();
    let extension_bytes = fields >> 4 & 0x1F;
    reader.take(usize::from(extension_bytes))?;
    Some(high >> 1 & 0x3F).filter(|nal_type| *nal_type != PACI)
}

/// The types of pictures that nothing in their own sub-layer refers to are the even ones below 16 (H.265 table 7-1).
const fn is_reference(nal_type: u8) -> bool {
    nal_type >= IRAP_FIRST || nal_type & 1 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(payload: &[u8]) -> Descriptor {
        Descriptor::parse(payload).unwrap()
    }

    const VPS_UNIT: [u8; 4] = [0x40, 0x01, 0x0C, 0x01];
    const SPS_UNIT: [u8; 4] = [0x42, 0x01, 0x01, 0x01];
    const PPS_UNIT: [u8; 4] = [0x44, 0x01, 0xC1, 0x72];
    const IDR_UNIT: [u8; 4] = [0x26, 0x01, 0xAF, 0x08];
    const IDR_UNIT_2: [u8; 4] = [0x26, 0x01, 0x2F, 0x08];
    const SLICE: [u8; 4] = [0x02, 0x01, 0xD0, 0x10];

    fn aggregate(units: &[&[u8]]) -> Vec<u8> {
        let mut payload = vec![0x60, 0x01];
        for unit in units {
            payload.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
            payload.extend(*unit);
        }
        payload
    }

    #[test]
    fn parameter_sets_start_a_key_frame_however_they_are_packed() {
        for (what, payload) in [
            ("VPS alone", VPS_UNIT.to_vec()),
            ("SPS alone", SPS_UNIT.to_vec()),
            ("aggregate", aggregate(&[&VPS_UNIT, &SPS_UNIT, &PPS_UNIT])),
            ("aggregate, behind an access unit delimiter", aggregate(&[&[0x46, 0x01, 0x50], &VPS_UNIT])),
            ("fragment", vec![0x62, 0x01, 0x80 | 33, 0x01]),
            ("PACI of a single unit", vec![0x64, 0x01, 0x42, 0x20, 9, 9, 0x01]),
            ("PACI of an aggregate", [&[0x64, 0x01, 0x60, 0x00], &aggregate(&[&SPS_UNIT])[2..]].concat()),
            ("PACI of a fragment", vec![0x64, 0x01, 0x62, 0x10, 9, 0x80 | 33, 0x01]),
        ] {
            assert!(parse(&payload).key_frame, "{what}");
        }
    }

    #[test]
    fn what_has_no_beginning_of_them_starts_no_key_frame() {
        for (what, payload) in [
            ("slice", SLICE.to_vec()),
            ("PPS", PPS_UNIT.to_vec()),
            ("IDR", IDR_UNIT.to_vec()),
            ("aggregate without", aggregate(&[&PPS_UNIT, &IDR_UNIT])),
            ("middle of a fragmented SPS", vec![0x62, 0x01, 33, 0x01]),
            ("end of a fragmented SPS", vec![0x62, 0x01, 0x40 | 33, 0x01]),
        ] {
            assert!(!parse(&payload).key_frame, "{what}");
        }
    }

    #[test]
    fn only_the_first_slice_of_an_irap_is_its_start() {
        let starts = |payload: &[u8]| parse(payload).irap_start;
        for nal_type in 0..48 {
            let payload = [nal_type << 1, 0x01, 0x80];
            assert_eq!(starts(&payload), (16..=23).contains(&nal_type), "{nal_type}");
        }
        assert!(starts(&aggregate(&[&SPS_UNIT, &IDR_UNIT])));
        assert!(starts(&[0x62, 0x01, 0x80 | 19, 0xAF]), "fragment");
        assert!(!starts(&IDR_UNIT_2), "a later slice");
        assert!(!starts(&[0x62, 0x01, 19, 0xAF]), "the middle of a slice");
        assert!(!starts(&[0x26, 0x01]) && !starts(&[0x62, 0x01, 0x80 | 19]), "no slice header");
    }

    #[test]
    fn headers_are_read_from_their_places() {
        let single = parse(&[0x01, 0x8B, 0xD0]);
        assert_eq!((single.nal_type, single.layer, single.temporal_layer), (0, 49, 2));
        assert_eq!((single.packing, single.reference, single.header_len), (Packing::Single, false, 2));
        let fragment = parse(&[0x62, 0x03, 0x40 | 1, 0xAA]);
        assert_eq!((fragment.nal_type, fragment.layer, fragment.temporal_layer), (1, 0, 2));
        assert_eq!((fragment.start, fragment.end, fragment.reference), (false, true, true));
        assert_eq!((fragment.packing, fragment.header_len), (Packing::Fragment, 3));
        let both = parse(&aggregate(&[&[0x00, 0x01, 0x80], &SLICE]));
        assert_eq!((both.packing, both.nal_type, both.reference), (Packing::Aggregate, 0, true));
    }

    #[test]
    fn packets_without_their_own_header_are_refused() {
        for payload in [
            &[][..],
            &[0x40],
            &[0x62, 0x01],
            &[0x64, 0x01, 0x42],
            &[0x64, 0x01, 0x42, 0x20, 9],
            &[0x64, 0x01, 0x64, 0x00, 0x42],
            &[0x42, 0x00, 0x01],
        ] {
            assert_eq!(Descriptor::parse(payload), None, "{payload:x?}");
        }
    }

    #[test]
    fn an_aggregate_has_the_type_of_its_first_unit_even_where_that_is_a_forbidden_one() {
        let aggregate_inside = [0x60, 0x01, 0x00];
        assert_eq!(parse(&aggregate(&[&aggregate_inside, &SPS_UNIT])).nal_type, AGGREGATE);
        assert_eq!(parse(&aggregate(&[&SPS_UNIT, &aggregate_inside])).nal_type, SPS);
    }

    #[test]
    fn of_an_aggregate_that_is_cut_off_the_whole_units_count() {
        let payload = aggregate(&[&SPS_UNIT, &IDR_UNIT]);
        for len in 2..payload.len() {
            let cut = parse(&payload[..len]);
            assert_eq!((cut.key_frame, cut.irap_start), (len >= 4 + SPS_UNIT.len(), false), "{len} bytes");
        }
        assert!(parse(&payload).irap_start);
    }

    proptest! {
        #[test]
        fn anything_is_read_within_its_bytes(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(read) = Descriptor::parse(&payload) {
                prop_assert!(usize::from(read.header_len) <= payload.len());
                prop_assert!(read.start || !read.key_frame && !read.irap_start);
                prop_assert!(read.temporal_layer <= 6 && read.layer <= 63);
            }
        }

        #[test]
        fn units_of_an_aggregate_are_all_seen(
            units in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 2..20), 1..12),
        ) {
            let slices: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
            let read = parse(&aggregate(&slices));
            let types: Vec<u8> = units.iter().map(|unit| unit[0] >> 1 & 0x3F).collect();
            prop_assert_eq!(read.key_frame, types.iter().any(|nal_type| matches!(nal_type, 32 | 33)));
            prop_assert_eq!(read.reference, types.iter().any(|nal_type| is_reference(*nal_type)));
        }

        #[test]
        fn a_fragment_is_what_its_header_says(nal_type in 0u8..48, layer in 0u8..64, temporal in 0u8..7, flags in 0u8..4) {
            let head = [FRAGMENT << 1 | layer >> 5, layer << 3 | (temporal + 1)];
            let read = parse(&[head[0], head[1], flags << 6 | nal_type, 0x80]);
            prop_assert_eq!((read.nal_type, read.layer, read.temporal_layer), (nal_type, layer, temporal));
            prop_assert_eq!((read.start, read.end), (flags & 2 != 0, flags & 1 != 0));
        }
    }
}
