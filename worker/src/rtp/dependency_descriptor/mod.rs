//! The dependency descriptor header extension (RTP Payload Format for AV1 1.0.0, appendix A; for other codecs, too).
//!
//! Knows the bits of one extension value. Does not know the payload, nor which structure is the stream's: whoever owns the
//! stream keeps the last [`Structure`] and hands it in. Called by `Producer::admit` ([`starts_key_frame`]); layer choice
//! will read the rest. Invariant: what a [`Descriptor`] names lay inside the value it was parsed from.

mod bits;
mod structure;
mod write;

use crate::base::sequence::Serial16;
use bits::BitReader;
use structure::Shape;

pub use structure::{Layers, Structure};
pub use write::{Change, set_frame_number, write};

/// A parsed extension value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// start_of_frame: the packet's payload begins a frame.
    pub start_of_frame: bool,
    /// end_of_frame: the packet ends a frame; upper layers of the same picture may follow.
    pub end_of_frame: bool,
    /// frame_dependency_template_id, 0..=63.
    pub template_id: u8,
    /// frame_number, in the order of decoding; the same in all packets of a frame.
    pub frame_number: Serial16,
    /// The value carries a [`Structure`].
    pub has_structure: bool,
    /// The packet starts a key frame: see [`starts_key_frame`].
    pub key_frame: bool,
    /// What is said by way of the structure; `None` without the one that this value means.
    pub frame: Option<Frame>,
}

/// What a value and its structure say of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its layers.
    pub layers: Layers,
    /// active_decode_targets_bitmask: bit i stands for decode target i. All of them with a new structure that does not
    /// say otherwise; `None`: as before.
    pub active_decode_targets: Option<u32>,
    template: u8,
    decode_targets: u8,
    /// Where the bitmask stands, or would, in bits.
    active_at: u16,
    /// What follows the bitmask.
    custom: Custom,
}

/// Where a value has its own instead of the template's, in bits; 0: it has the template's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Custom {
    dtis_at: u16,
    fdiffs_at: u16,
    chains_at: u16,
    /// The end of all.
    end: u16,
}

const _: () = assert!(size_of::<Descriptor>() <= 32);

/// What a frame is to a decode target (table A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Indication {
    /// It does not belong to it.
    NotPresent,
    /// It belongs to it, and nothing in it refers to it.
    Discardable,
    /// Whoever can decode it can decode the decode target from here on.
    Switch,
    /// It belongs to it.
    Required,
}

// The first byte.
const START_OF_FRAME: u8 = 0x80;
const END_OF_FRAME: u8 = 0x40;
const TEMPLATE_ID: u8 = 0x3F;
// The fourth.
const HAS_STRUCTURE: u8 = 0x80;
const HAS_ACTIVE: u8 = 0x40;
const CUSTOM_DTIS: u8 = 0x20;
const CUSTOM_FDIFFS: u8 = 0x10;
const CUSTOM_CHAINS: u8 = 0x08;
/// A value of no more bytes ends there.
const MANDATORY_BYTES: usize = 3;
/// Where the structure begins: behind mandatory fields and flags.
const STRUCTURE_AT: u16 = 29;

/// Whether the packet with this value is the first of a coded video sequence, which starts with a key frame: such a
/// packet, and no other, brings a template dependency structure (A.8.3). The frame's other packets have it false.
pub fn starts_key_frame(value: &[u8]) -> bool {
    match value {
        [first, _, _, flags, ..] if first & START_OF_FRAME != 0 && flags & HAS_STRUCTURE != 0 => {
            Shape::parse(&mut BitReader::at(value, STRUCTURE_AT)).is_some()
        }
        _ => false,
    }
}

impl Descriptor {
    /// Reads an extension value. `known` is the stream's structure so far; one that the value carries goes before it
    /// (and is the next one to keep: [`Structure::attached`]). `None` when the value is cut off.
    pub fn parse(value: &[u8], known: Option<&Structure>) -> Option<Self> {
        let [first, number @ ..] = *value.first_chunk::<MANDATORY_BYTES>()?;
        let flags = value.get(MANDATORY_BYTES).copied().unwrap_or(0);
        let has_structure = flags & HAS_STRUCTURE != 0;
        let at = if value.len() > MANDATORY_BYTES { STRUCTURE_AT } else { 24 };
        let mut reader = BitReader::at(value, at);
        let attached = if has_structure { Some(Shape::parse(&mut reader)?) } else { None };
        let shape = attached.as_ref().or_else(|| known.map(|structure| &structure.shape));
        let template_id = first & TEMPLATE_ID;
        let start_of_frame = first & START_OF_FRAME != 0;
        let frame = match shape.and_then(|shape| Some((shape, shape.template(template_id)?))) {
            None => None,
            Some((shape, (template, layers))) => {
                Some(Frame { template, layers, ..Frame::parse(&mut reader, flags, shape)? })
            }
        };
        Some(Self {
            start_of_frame,
            end_of_frame: first & END_OF_FRAME != 0,
            template_id,
            frame_number: Serial16::new(u16::from_be_bytes(number)),
            has_structure,
            key_frame: start_of_frame && has_structure,
            frame,
        })
    }
}

impl Frame {
    /// What follows the structure, for template 0.
    fn parse(reader: &mut BitReader<'_>, flags: u8, shape: &Shape) -> Option<Self> {
        let active_at = reader.position()?;
        let active_decode_targets = match (flags & HAS_ACTIVE, flags & HAS_STRUCTURE) {
            (0, 0) => None,
            (0, _) => Some(shape.all_targets()),
            _ => Some(reader.take(shape.decode_targets.into())?),
        };
        let mut custom = Custom::default();
        if flags & CUSTOM_DTIS != 0 {
            custom.dtis_at = reader.position()?;
            reader.skip(2 * usize::from(shape.decode_targets))?;
        }
        if flags & CUSTOM_FDIFFS != 0 {
            custom.fdiffs_at = reader.position()?;
            while next_custom_fdiff(reader)?.is_some() {}
        }
        if flags & CUSTOM_CHAINS != 0 {
            custom.chains_at = reader.position()?;
            reader.skip(8 * usize::from(shape.chains))?;
        }
        custom.end = reader.position()?;
        Some(Self {
            layers: Layers::default(),
            active_decode_targets,
            template: 0,
            decode_targets: shape.decode_targets,
            active_at,
            custom,
        })
    }

    /// What the frame is to each decode target. `value` is the one that this was parsed from, `structure` the one that
    /// it was parsed with or that it carries; others give wrong answers, never a panic.
    pub fn indications(&self, value: &[u8], structure: &Structure) -> impl Iterator<Item = Indication> {
        let own = (self.custom.dtis_at != 0).then(|| BitReader::at(value, self.custom.dtis_at));
        let own = own.map(|reader| Indication::read(reader, structure.decode_targets()));
        let template = own.is_none().then(|| structure.template_indications(self.template));
        own.into_iter().flatten().chain(template.into_iter().flatten())
    }

    /// How many frames back each referred frame lies, 1 or more. Arguments as for [`indications`](Self::indications).
    pub fn references(&self, value: &[u8], structure: &Structure) -> impl Iterator<Item = u16> {
        let own = (self.custom.fdiffs_at != 0).then(|| BitReader::at(value, self.custom.fdiffs_at));
        let template = own.is_none().then(|| structure.template_references(self.template));
        let own = own.map(|mut reader| std::iter::from_fn(move || next_custom_fdiff(&mut reader)?));
        own.into_iter().flatten().chain(template.into_iter().flatten())
    }

    /// For each chain, how many frames back its last frame lies; 0: it begins here. Arguments as for
    /// [`indications`](Self::indications).
    pub fn chains(&self, value: &[u8], structure: &Structure) -> impl Iterator<Item = u8> {
        let own = (self.custom.chains_at != 0).then(|| BitReader::at(value, self.custom.chains_at));
        let template = own.is_none().then(|| structure.template_chains(self.template));
        let chains = structure.chains();
        let own = own.map(|mut reader| (0..chains).map_while(move |_| reader.small(8)));
        own.into_iter().flatten().chain(template.into_iter().flatten())
    }
}

impl Indication {
    fn read(mut reader: BitReader<'_>, count: u8) -> impl Iterator<Item = Self> {
        (0..count).map_while(move |_| {
            Some(match reader.take(2)? {
                0 => Self::NotPresent,
                1 => Self::Discardable,
                2 => Self::Switch,
                _ => Self::Required,
            })
        })
    }
}

/// One step of frame_fdiffs(): `Some(None)` at its end.
fn next_custom_fdiff(reader: &mut BitReader<'_>) -> Option<Option<u16>> {
    let size = reader.take(2)?;
    if size == 0 {
        return Some(None);
    }
    let distance = reader.take(4 * size)? + 1;
    Some(u16::try_from(distance).ok())
}

#[cfg(test)]
mod tests;
