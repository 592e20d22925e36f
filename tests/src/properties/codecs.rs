//! Payloads of VP9, H.264, H.265 and AV1, each against a reader of our own, written from its RFC.
//!
//! Knows the public face of `tidegate_worker::rtp::payload`. Called through [`super::ALL`].
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::base::sequence::{Serial8, Serial15};
use tidegate_worker::rtp::payload::h264::Packing;
use tidegate_worker::rtp::payload::{PictureId, av1, h264, h265, vp9};

/// VP9 (RFC 9628 4.2): the first three bytes are the numbers to write, the others a payload.
pub fn vp9(data: &[u8]) {
    let Some(([high, low, index], payload)) = data.split_first_chunk::<3>() else { return };
    let picture = Serial15::new(u16::from_be_bytes([*high, *low]));
    let parsed = vp9::Descriptor::parse(payload);
    let Some(expected) = Vp9::read(payload) else {
        return assert_eq!(parsed, None, "a descriptor that is cut off was taken");
    };
    let descriptor = parsed.expect("a whole descriptor was refused");
    assert_eq!(Vp9::of(&descriptor, payload), expected);
    assert_key_frame_of_vp9(&descriptor, payload);

    let mut rewritten = payload.to_vec();
    assert!(vp9::rewrite(&mut rewritten, &descriptor, picture, Serial8::new(*index)));
    let mut with_numbers = expected.clone();
    with_numbers.picture = expected.picture.map(|(_, is_long)| match is_long {
        true => (picture.wire(), true),
        false => (picture.wire() & 0x7F, false),
    });
    with_numbers.index = expected.index.map(|_| *index);
    assert_eq!(Vp9::read(&rewritten), Some(with_numbers));
    let differs = rewritten.iter().zip(payload).filter(|(one, other)| one != other).count();
    assert!(differs <= 3, "more than the numbers was changed");

    let mut cut = payload[..expected.bytes - 1].to_vec();
    assert!(!vp9::rewrite(&mut cut, &descriptor, picture, Serial8::new(*index)));
    assert_eq!(cut, payload[..expected.bytes - 1], "changed although refused");
    // Asked about other bytes a structure may answer wrongly, but from inside them.
    if let Some(structure) = descriptor.structure {
        assert!(structure.sizes(&cut).count() <= 8 && structure.group(&cut).count() <= 255);
    }
}

/// A VP9 payload descriptor, by another reader.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Vp9 {
    /// P, F, B, E and Z.
    flags: [bool; 5],
    /// And whether it has two bytes.
    picture: Option<(u16, bool)>,
    /// T, U, S and D.
    layers: Option<(u8, bool, u8, bool)>,
    index: Option<u8>,
    references: Vec<u8>,
    structure: Option<Structure>,
    bytes: usize,
}

/// How many layers, the sizes of each, and T, U and references of each picture of a group.
type Structure = (u8, Vec<(u16, u16)>, Vec<(u8, bool, Vec<u8>)>);

impl Vp9 {
    fn read(payload: &[u8]) -> Option<Self> {
        let mut bytes = Bytes { all: payload, at: 0 };
        let [i, p, l, f, b, e, v, z] = bits(bytes.next()?);
        let picture = match i {
            false => None,
            true => Some(match bytes.next()? {
                high @ 128.. => (u16::from(high - 128) * 256 + u16::from(bytes.next()?), true),
                short => (u16::from(short), false),
            }),
        };
        let (mut layers, mut index) = (None, None);
        if l {
            let byte = bytes.next()?;
            layers = Some((byte >> 5, byte & 16 != 0, byte / 2 % 8, byte % 2 == 1));
            index = if f { None } else { Some(bytes.next()?) };
        }
        let references = if f && p { Self::references(&mut bytes)? } else { Vec::new() };
        let structure = if v { Some(Self::structure(&mut bytes)?) } else { None };
        let flags = [p, f, b, e, z];
        Some(Self { flags, picture, layers, index, references, structure, bytes: bytes.at })
    }

    /// Three at most: the last bit of each says whether another follows.
    fn references(bytes: &mut Bytes<'_>) -> Option<Vec<u8>> {
        let mut found = Vec::new();
        while found.len() < 3 {
            let byte = bytes.next()?;
            found.push(byte / 2);
            if byte % 2 == 0 {
                return Some(found);
            }
        }
        None
    }

    fn structure(bytes: &mut Bytes<'_>) -> Option<Structure> {
        let head = bytes.next()?;
        let layers = head / 32 + 1;
        let (mut sizes, mut group) = (Vec::new(), Vec::new());
        if head & 0x10 != 0 {
            for _ in 0..layers {
                sizes.push((bytes.word()?, bytes.word()?));
            }
        }
        if head & 0x08 != 0 {
            for _ in 0..bytes.next()? {
                let picture = bytes.next()?;
                let references = (0..picture >> 2 & 3).map(|_| bytes.next()).collect::<Option<_>>()?;
                group.push((picture >> 5, picture & 0x10 != 0, references));
            }
        }
        Some((layers, sizes, group))
    }

    fn of(descriptor: &vp9::Descriptor, payload: &[u8]) -> Self {
        let until_zero = |distances: [u8; 3], count: usize| distances[..count].to_vec();
        let expected = Self::read(payload).expect("asked for whole descriptors only");
        // A distance of 0 is no reference, but a sender may write it: then its place tells that it is there.
        let references = until_zero(descriptor.reference_distances, expected.references.len());
        assert!(descriptor.reference_distances[references.len()..].iter().all(|distance| *distance == 0));
        let structure = descriptor.structure.map(|structure| {
            let groups = expected.structure.as_ref().map_or(&[][..], |(_, _, group)| group);
            let picture = |(picture, (_, _, known)): (vp9::GroupPicture, &(u8, bool, Vec<u8>))| {
                let references = until_zero(picture.reference_distances, known.len());
                (picture.temporal, picture.switching_up, references)
            };
            assert_eq!(usize::from(structure.group_len), groups.len());
            assert_eq!(structure.group(payload).count(), groups.len());
            let group = structure.group(payload).zip(groups).map(picture).collect();
            assert_eq!(structure.has_sizes, structure.sizes(payload).next().is_some());
            (structure.spatial_layers, structure.sizes(payload).collect(), group)
        });
        Self {
            flags: [
                descriptor.inter_picture,
                descriptor.flexible,
                descriptor.start,
                descriptor.end,
                descriptor.not_for_upper_layers,
            ],
            picture: descriptor.picture_id.map(|id| match id {
                PictureId::Short(id) => (id.wire().into(), false),
                PictureId::Long(id) => (id.wire(), true),
            }),
            layers: descriptor
                .layers
                .map(|layers| (layers.temporal, layers.switching_up, layers.spatial, layers.inter_layer)),
            index: descriptor.tl0_picture_index.map(Serial8::wire),
            references,
            structure,
            bytes: descriptor.header_len.into(),
        }
    }
}

/// Where a key frame starts: the beginning of a frame of the lowest layer that refers to nothing earlier. A descriptor
/// that says nothing at all is not believed: the frame's own header (VP9 bitstream 6.2) tells then.
fn assert_key_frame_of_vp9(descriptor: &vp9::Descriptor, payload: &[u8]) {
    let says_nothing = payload[0] & 0xB0 == 0;
    let frame = payload.get(usize::from(descriptor.header_len)).copied().unwrap_or(0);
    let [m1, m0, p0, p1, rest @ ..] = bits(frame);
    let [repeats, inter] = if p0 && p1 { [rest[1], rest[2]] } else { [rest[0], rest[1]] };
    let is_key = m1 && !m0 && !repeats && !inter;
    let is_lowest = descriptor.layers.is_none_or(|layers| layers.spatial == 0 && !layers.inter_layer);
    let expected = descriptor.start && !descriptor.inter_picture && is_lowest && (is_key || !says_nothing);
    assert_eq!(descriptor.key_frame, expected);
}

/// H.264 (RFC 6184 5).
pub fn h264(data: &[u8]) {
    let parsed = h264::Descriptor::parse(data);
    let Some(expected) = nal_units_of_h264(data) else {
        return assert_eq!(parsed, None, "headers that are cut off were taken");
    };
    let parsed = parsed.expect("whole headers were refused");
    let types: Vec<u8> =
        expected.units.iter().map(|unit| unit.first().map_or(0, |header| header % 32)).collect();
    let first = types.first().copied().unwrap_or(0);
    assert_eq!((parsed.packing, parsed.nal_type), (expected.packing, first));
    assert_eq!(parsed.reference, data[0] / 32 % 4);
    assert_eq!((parsed.start, parsed.end), (expected.start, expected.end));
    let begun = || types.iter().zip(&expected.units).filter(|_| expected.start);
    assert_eq!(parsed.key_frame, begun().any(|(kind, _)| *kind == 7));
    // first_mb_in_slice is 0: its ue(v) is one bit.
    let is_first_slice = |unit: &Vec<u8>| unit.get(1).is_some_and(|slice| *slice >= 128);
    assert_eq!(parsed.idr_start, begun().any(|(kind, unit)| *kind == 5 && is_first_slice(unit)));
    assert_eq!(usize::from(parsed.header_len), expected.bytes);
}

/// The NAL units of a packet, each from its header on as far as it is there.
struct NalUnits {
    packing: Packing,
    units: Vec<Vec<u8>>,
    start: bool,
    end: bool,
    bytes: usize,
}

fn nal_units_of_h264(payload: &[u8]) -> Option<NalUnits> {
    let kind = payload.first()? % 32;
    let (bytes, between) = match kind {
        24 => (1, 0),
        25 => (3, 0),
        26 => (3, 3),
        27 => (3, 4),
        28 | 29 => return fragment_of_h264(payload),
        _ => {
            let (packing, units) = (Packing::Single, vec![payload.to_vec()]);
            return Some(NalUnits { packing, units, start: true, end: true, bytes: 1 });
        }
    };
    let units = aggregated(payload.get(bytes..)?, between, 1);
    Some(NalUnits { packing: Packing::Aggregate, units, start: true, end: true, bytes })
}

fn fragment_of_h264(payload: &[u8]) -> Option<NalUnits> {
    let bytes = if payload[0] % 32 == 29 { 4 } else { 2 };
    let rest = payload.get(bytes..)?;
    let header = payload[1];
    let unit = [&[payload[0] & 0xE0 | header & 0x1F][..], rest].concat();
    let (start, end) = (header & 0x80 != 0, header & 0x40 != 0);
    Some(NalUnits { packing: Packing::Fragment, units: vec![unit], start, end, bytes })
}

/// Units behind their sizes, up to the first that is cut off or too short for its header.
fn aggregated(mut rest: &[u8], between: usize, shortest: usize) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    while let [high, low, after @ ..] = rest {
        let size = usize::from(*high) * 256 + usize::from(*low);
        let Some(unit) = after.get(between..between + size).filter(|unit| unit.len() >= shortest) else {
            break;
        };
        units.push(unit.to_vec());
        rest = &after[between + size..];
    }
    units
}

/// H.265 (RFC 7798 4.4).
pub fn h265(data: &[u8]) {
    let parsed = h265::Descriptor::parse(data);
    let Some(expected) = nal_units_of_h265(data) else {
        return assert_eq!(parsed, None, "headers that are cut off or forbidden were taken");
    };
    let parsed = parsed.expect("whole headers were refused");
    let kind = |unit: &Vec<u8>| unit[0] / 2 % 64;
    let first = expected.units.first().map_or(48, kind);
    assert_eq!((parsed.packing, parsed.nal_type), (expected.packing, first));
    assert_eq!((parsed.layer, parsed.temporal_layer), (data[0] % 2 * 32 + data[1] / 8, data[1] % 8 - 1));
    assert_eq!((parsed.start, parsed.end), (expected.start, expected.end));
    assert_eq!(usize::from(parsed.header_len), expected.bytes);
    let begun = || expected.units.iter().filter(|_| expected.start);
    assert_eq!(parsed.key_frame, begun().any(|unit| matches!(kind(unit), 32 | 33)));
    let is_first_slice = |unit: &Vec<u8>| unit.get(2).is_some_and(|slice| *slice >= 128);
    let is_irap = |unit: &Vec<u8>| matches!(kind(unit), 16..=23) && is_first_slice(unit);
    assert_eq!(parsed.irap_start, begun().any(is_irap));
    // H.265 table 7-1: sub-layer non-reference pictures are the even types below 16.
    let is_needed = |unit: &Vec<u8>| !matches!(kind(unit), 0 | 2 | 4 | 6 | 8 | 10 | 12 | 14);
    assert_eq!(parsed.reference, expected.units.iter().any(is_needed));
}

fn nal_units_of_h265(payload: &[u8]) -> Option<NalUnits> {
    let (first, second) = (*payload.first()?, *payload.get(1)?);
    let (mut kind, mut bytes) = (first / 2 % 64, 2);
    if second % 8 == 0 {
        return None;
    }
    if kind == 50 {
        // PACI: A, cType, PHSsize and four bits, then so many bytes.
        let (head, tail) = (*payload.get(2)?, *payload.get(3)?);
        bytes = 4 + usize::from(head % 2 * 16 + tail / 16);
        kind = head / 2 % 64;
        payload.get(..bytes).filter(|_| kind != 50)?;
    }
    let rest = payload.get(bytes..)?;
    let (packing, units, start, end) = match kind {
        48 => (Packing::Aggregate, aggregated(rest, 0, 2), true, true),
        49 => {
            let header = *rest.first()?;
            bytes += 1;
            let unit = [&[header % 64 * 2, second], &rest[1..]].concat();
            (Packing::Fragment, vec![unit], header & 0x80 != 0, header & 0x40 != 0)
        }
        _ => (Packing::Single, vec![[&[kind * 2, second], rest].concat()], true, true),
    };
    Some(NalUnits { packing, units, start, end, bytes })
}

/// AV1 (RTP Payload Format for AV1 4.4).
pub fn av1(data: &[u8]) {
    let parsed = av1::Descriptor::parse(data);
    let Some(first) = data.first() else {
        return assert_eq!(parsed, None, "nothing was taken for something");
    };
    let parsed = parsed.expect("an aggregation header was refused");
    let [z, y, w1, w0, n, ..] = bits(*first);
    assert_eq!((parsed.continues, parsed.continued, parsed.header_len), (z, y, 1));
    assert_eq!(parsed.elements, u8::from(w1) * 2 + u8::from(w0));
    assert_eq!(parsed.key_frame, n && !z);
    let layers = if z { None } else { layers_of_obu(&data[1..], parsed.elements) };
    assert_eq!(parsed.layers.map(|layers| (layers.temporal, layers.spatial)), layers);
}

/// Temporal and spatial id of the first OBU, where it has them.
fn layers_of_obu(elements: &[u8], count: u8) -> Option<(u8, u8)> {
    let mut obu = elements;
    if count != 1 {
        // A leb128 number: each byte but the last has its highest bit set.
        let bytes = elements.iter().take(8).position(|byte| *byte < 128)? + 1;
        obu = &elements[bytes..];
    }
    let [header, extension, ..] = obu else { return None };
    (header & 0x84 == 4).then_some((extension / 32, extension / 8 % 4))
}

struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        self.at += 1;
        self.all.get(self.at - 1).copied()
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from(self.next()?) * 256 + u16::from(self.next()?))
    }
}

/// The bits of a byte, highest first.
fn bits(byte: u8) -> [bool; 8] {
    std::array::from_fn(|bit| byte >> (7 - bit) & 1 == 1)
}
