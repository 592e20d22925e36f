//! VP9 payload descriptor (RFC 9628 4.2): picture ids, layers, references, scalability structure, key frames.
//!
//! Knows the bytes of one payload. Does not know the previous packet: continuity of picture ids and which layers a
//! receiver gets are the consumer's work. Called by `Producer::admit` (`parse`) and where a packet is sealed (`rewrite`).
//! Invariant: `header_len` bytes of descriptor were there when `parse` said so.

mod structure;

use super::reader::Reader;
use super::{Numbers, PictureId, overwrite};
use crate::base::sequence::{Serial8, Serial15};

pub use structure::{GroupPicture, ScalabilityStructure};

/// A parsed payload descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// I.
    pub picture_id: Option<PictureId>,
    /// P: the layer frame is predicted from earlier pictures.
    pub inter_picture: bool,
    /// F: references are named one by one instead of by the picture group.
    pub flexible: bool,
    /// B: the packet starts a layer frame.
    pub start: bool,
    /// E: the packet ends a layer frame. The RTP marker ends the picture, which is all layer frames of one instant.
    pub end: bool,
    /// Z: no frame of a higher spatial layer of this picture refers to this one.
    pub not_for_upper_layers: bool,
    /// L.
    pub layers: Option<Layers>,
    /// The temporal base layer's running index, in non-flexible mode with L.
    pub tl0_picture_index: Option<Serial8>,
    /// P_DIFF, in flexible mode with P: how many pictures back each reference lies. 0 after the last.
    pub reference_distances: [u8; REFERENCES_MAX],
    /// V.
    pub structure: Option<ScalabilityStructure>,
    /// The packet starts a key picture: B without P, in the lowest spatial layer. The picture's other packets, those of
    /// its upper layers among them, have it false.
    pub key_frame: bool,
    /// Bytes of the descriptor, 1..=1061. The VP9 data follows.
    pub header_len: u16,
}

/// The layer indices of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layers {
    /// TID, 0..=7.
    pub temporal: u8,
    /// U: no later frame of a higher temporal layer refers to one before this, so a receiver may step up here.
    pub switching_up: bool,
    /// SID, 0..=7.
    pub spatial: u8,
    /// D: the frame is predicted from the spatial layer below, of the same picture.
    pub inter_layer: bool,
}

/// P_DIFF stands at most so often (RFC 9628 4.2).
pub const REFERENCES_MAX: usize = 3;

// The first byte.
const HAS_PICTURE_ID: u8 = 0x80;
const INTER_PICTURE: u8 = 0x40;
const HAS_LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const START: u8 = 0x08;
const END: u8 = 0x04;
const HAS_STRUCTURE: u8 = 0x02;
const NOT_FOR_UPPER_LAYERS: u8 = 0x01;
// The byte of layer indices.
const SWITCHING_UP: u8 = 0x10;
const INTER_LAYER: u8 = 0x01;
/// N of a reference: another follows.
const MORE_REFERENCES: u8 = 0x01;
/// Where the picture id stands, if there is one.
const PICTURE_ID_AT: usize = 1;

impl Descriptor {
    /// Reads the descriptor at the start of `payload`; `None` when it is cut off or names more than three references.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let first = reader.byte()?;
        let has = |flag| first & flag != 0;
        let picture_id = if has(HAS_PICTURE_ID) { Some(reader.picture_id()?) } else { None };
        let layers = if has(HAS_LAYERS) { Some(Layers::from_byte(reader.byte()?)) } else { None };
        let tl0_picture_index = match (layers, has(FLEXIBLE)) {
            (Some(_), false) => Some(Serial8::new(reader.byte()?)),
            _ => None,
        };
        let references = has(FLEXIBLE) && has(INTER_PICTURE);
        let reference_distances =
            if references { parse_references(&mut reader)? } else { [0; REFERENCES_MAX] };
        let structure =
            if has(HAS_STRUCTURE) { Some(ScalabilityStructure::parse(&mut reader)?) } else { None };
        let bare = !has(HAS_PICTURE_ID | HAS_LAYERS | FLEXIBLE);
        let independent = !has(INTER_PICTURE) && (!bare || frame_is_key(reader.rest()));
        let lowest = layers.is_none_or(|layers| layers.spatial == 0 && !layers.inter_layer);
        Some(Self {
            picture_id,
            inter_picture: has(INTER_PICTURE),
            flexible: has(FLEXIBLE),
            start: has(START),
            end: has(END),
            not_for_upper_layers: has(NOT_FOR_UPPER_LAYERS),
            layers,
            tl0_picture_index,
            reference_distances,
            structure,
            key_frame: has(START) && independent && lowest,
            header_len: u16::try_from(reader.at()).ok()?,
        })
    }
}

impl Layers {
    const fn from_byte(byte: u8) -> Self {
        Self {
            temporal: byte >> 5,
            switching_up: byte & SWITCHING_UP != 0,
            spatial: byte >> 1 & 0x07,
            inter_layer: byte & INTER_LAYER != 0,
        }
    }
}

fn parse_references(reader: &mut Reader<'_>) -> Option<[u8; REFERENCES_MAX]> {
    let mut distances = [0; REFERENCES_MAX];
    for distance in &mut distances {
        let byte = reader.byte()?;
        *distance = byte >> 1;
        if byte & MORE_REFERENCES == 0 {
            return Some(distances);
        }
    }
    None
}

/// Whether a frame is a key frame by its own uncompressed header (VP9 bitstream specification 6.2): frame marker 2,
/// profile, not a repetition of an earlier frame, frame type 0.
///
/// Asked only behind a descriptor with neither picture id nor layers nor references: ffmpeg writes such and never sets
/// P. Other senders' P is believed, for behind it the frame may be encrypted from end to end.
fn frame_is_key(frame: &[u8]) -> bool {
    let Some(first) = frame.first() else { return false };
    let (marker, profile) = (first >> 6, first >> 4 & 0x03);
    // Profile 3 has a reserved bit before the next field.
    let rest = if profile == 3 { first << 5 } else { first << 4 };
    let (repeats, inter) = (rest & 0x80 != 0, rest & 0x40 != 0);
    marker == 2 && !repeats && !inter
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
        descriptor_len: descriptor.header_len,
        picture_id_at: PICTURE_ID_AT,
        picture_id: descriptor.picture_id,
        // Behind the byte of layer indices.
        tl0_picture_index_after: descriptor.tl0_picture_index.map(|_| 1),
    };
    overwrite(payload, &at, picture_id, tl0_picture_index)
}

#[cfg(test)]
mod tests;
