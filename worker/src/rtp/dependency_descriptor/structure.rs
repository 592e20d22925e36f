//! The template dependency structure: what frames of a coded video sequence have in common (A.8.2, A.8.3).
//!
//! Knows the bits of one structure: it keeps them as they came, with the places of its tables, so that every structure
//! that fits an extension value fits here. Does not know frames. Made from the value that carried it, kept by whoever
//! owns the stream (in a `Box`), and handed to [`Descriptor::parse`](super::Descriptor::parse) until the next one.
//! Invariant: all that the shape names lies inside the bits.

use super::bits::BitReader;
use super::{HAS_STRUCTURE, Indication, STRUCTURE_AT};

/// A structure that a sender attached to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    pub(super) shape: Shape,
    bytes: [u8; VALUE_BYTES_MAX],
}

const _: () = assert!(size_of::<Structure>() <= 344, "one is kept for each stream that has them");

/// The counts of a structure, and where its tables lie, in bits from the value's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The template_id of template 0.
    id_offset: u8,
    /// 1..=64.
    templates: u8,
    /// 1..=32.
    pub(super) decode_targets: u8,
    /// 0..=32.
    pub(super) chains: u8,
    dtis_at: u16,
    fdiffs_at: u16,
    protection_at: u16,
    chains_at: u16,
    /// 0: there are none.
    sizes_at: u16,
    layers: [Packed; TEMPLATES_MAX],
}

/// The layers of a template, and of the frames that follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Layers {
    /// FrameSpatialId, 0..=3.
    pub spatial: u8,
    /// FrameTemporalId, 0..=7.
    pub temporal: u8,
}

/// Layers in one byte, spatial id first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Packed(u8);

impl Packed {
    const fn new(layers: Layers) -> Self {
        Self(layers.spatial << 4 | layers.temporal)
    }

    const fn layers(self) -> Layers {
        Layers { spatial: self.0 >> 4, temporal: self.0 & 0x0F }
    }
}

/// Longest value of a header extension (RFC 8285 4.3).
const VALUE_BYTES_MAX: usize = 255;
/// MAX_TEMPLATE_ID + 1.
const TEMPLATES_MAX: usize = 64;
/// MAX_SPATIAL_ID.
const SPATIAL_MAX: u8 = 3;
/// MAX_TEMPORAL_ID.
const TEMPORAL_MAX: u8 = 7;
const DTI_BITS: u16 = 2;
const CHAIN_BITS: u16 = 4;

impl Structure {
    /// The structure that an extension value carries; `None` without one, and when it is cut off, has more than 64
    /// templates or layers beyond 3 (spatial) and 7 (temporal).
    pub fn attached(value: &[u8]) -> Option<Self> {
        if value.get(3)? & HAS_STRUCTURE == 0 {
            return None;
        }
        let shape = Shape::parse(&mut BitReader::at(value, STRUCTURE_AT))?;
        let mut bytes = [0; VALUE_BYTES_MAX];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self { shape, bytes })
    }

    /// How many templates it has, 1..=64.
    pub const fn templates(&self) -> u8 {
        self.shape.templates
    }

    /// How many decode targets it has, 1..=32.
    pub const fn decode_targets(&self) -> u8 {
        self.shape.decode_targets
    }

    /// How many chains it has, 0..=32.
    pub const fn chains(&self) -> u8 {
        self.shape.chains
    }

    /// The layers of each template.
    pub fn layers(&self) -> impl Iterator<Item = Layers> {
        self.shape.layers.iter().take(self.shape.templates.into()).map(|packed| packed.layers())
    }

    /// The largest frame of each spatial layer, lowest first, in pixels; nothing if the sender did not say.
    pub fn sizes(&self) -> impl Iterator<Item = (u32, u32)> {
        let known = self.shape.sizes_at != 0;
        let count = if known { self.shape.spatial_layers() } else { 0 };
        let mut reader = self.reader(self.shape.sizes_at);
        (0..count).map_while(move |_| Some((reader.take(16)? + 1, reader.take(16)? + 1)))
    }

    /// Which chain protects a decode target; `None` in a structure without chains.
    pub fn protecting_chain(&self, target: u8) -> Option<u8> {
        let chains = self.shape.chains;
        if chains == 0 || target >= self.shape.decode_targets {
            return None;
        }
        let mut reader = self.reader(self.shape.protection_at);
        let mut chain = None;
        for _ in 0..=target {
            chain = reader.non_symmetric(chains);
        }
        chain
    }

    /// The highest layers that belong to a decode target.
    pub fn target_layers(&self, target: u8) -> Layers {
        let mut highest = Layers::default();
        for (template, layers) in (0..).zip(self.layers()) {
            let indication = self.template_indications(template).nth(target.into());
            if indication.is_some_and(|indication| indication != Indication::NotPresent) {
                highest.spatial = highest.spatial.max(layers.spatial);
                highest.temporal = highest.temporal.max(layers.temporal);
            }
        }
        highest
    }

    /// The decode targets that need no layers above these, as the bits of an active_decode_targets_bitmask.
    pub fn targets_within(&self, layers: Layers) -> u32 {
        let fits = |target: &u8| {
            let needed = self.target_layers(*target);
            needed.spatial <= layers.spatial && needed.temporal <= layers.temporal
        };
        (0..self.shape.decode_targets).filter(fits).fold(0, |mask, target| mask | 1 << target)
    }

    pub(super) fn template_indications(&self, template: u8) -> impl Iterator<Item = Indication> {
        let targets = self.shape.decode_targets;
        let at = self.shape.dtis_at + DTI_BITS * u16::from(targets) * u16::from(template);
        Indication::read(self.reader(at), targets)
    }

    pub(super) fn template_references(&self, template: u8) -> impl Iterator<Item = u16> {
        let mut reader = self.reader(self.shape.fdiffs_at);
        for _ in 0..template {
            skip_template_fdiffs(&mut reader);
        }
        std::iter::from_fn(move || {
            let follows = reader.flag()?;
            let distance = if follows { reader.take(4)? } else { return None };
            u16::try_from(distance + 1).ok()
        })
    }

    pub(super) fn template_chains(&self, template: u8) -> impl Iterator<Item = u8> {
        let chains = self.shape.chains;
        let at = self.shape.chains_at + CHAIN_BITS * u16::from(chains) * u16::from(template);
        let mut reader = self.reader(at);
        (0..chains).map_while(move |_| reader.small(CHAIN_BITS.into()))
    }

    const fn reader(&self, at: u16) -> BitReader<'_> {
        BitReader::at(&self.bytes, at)
    }
}

impl Shape {
    /// Reads a structure; the reader stands behind it then.
    pub(super) fn parse(reader: &mut BitReader<'_>) -> Option<Self> {
        let id_offset = reader.small(6)?;
        let decode_targets = reader.small(5)? + 1;
        let (templates, layers) = parse_layers(reader)?;
        let count = usize::from(templates);
        let dtis_at = reader.position()?;
        reader.skip(count * usize::from(decode_targets) * usize::from(DTI_BITS))?;
        let fdiffs_at = reader.position()?;
        for _ in 0..templates {
            skip_template_fdiffs(reader)?;
        }
        let chains = reader.non_symmetric(decode_targets + 1)?;
        let protection_at = reader.position()?;
        if chains > 0 {
            for _ in 0..decode_targets {
                reader.non_symmetric(chains)?;
            }
        }
        let chains_at = reader.position()?;
        reader.skip(count * usize::from(chains) * usize::from(CHAIN_BITS))?;
        let mut shape = Self {
            id_offset,
            templates,
            decode_targets,
            chains,
            dtis_at,
            fdiffs_at,
            protection_at,
            chains_at,
            sizes_at: 0,
            layers,
        };
        if reader.flag()? {
            shape.sizes_at = reader.position()?;
            reader.skip(32 * usize::from(shape.spatial_layers()))?;
        }
        Some(shape)
    }

    /// The template with this id, and its layers; `None` when the structure has none, which means that the sender has
    /// another structure by now.
    pub(super) fn template(&self, id: u8) -> Option<(u8, Layers)> {
        let index = id.wrapping_sub(self.id_offset) % 64;
        let layers = self.layers.get(usize::from(index)).filter(|_| index < self.templates)?;
        Some((index, layers.layers()))
    }

    /// All decode targets, as bits.
    pub(super) const fn all_targets(&self) -> u32 {
        u32::MAX >> (32 - self.decode_targets as u32)
    }

    /// The spatial id of templates never falls, so the last one's is the highest.
    fn spatial_layers(&self) -> u8 {
        let last = self.layers.get(usize::from(self.templates).saturating_sub(1));
        last.map_or(0, |packed| packed.layers().spatial + 1)
    }
}

/// template_layers().
fn parse_layers(reader: &mut BitReader<'_>) -> Option<(u8, [Packed; TEMPLATES_MAX])> {
    let mut all = [Packed::default(); TEMPLATES_MAX];
    let mut layers = Layers::default();
    for (index, slot) in (1..).zip(&mut all) {
        *slot = Packed::new(layers);
        match reader.take(2)? {
            0 => {}
            1 => layers.temporal += 1,
            2 => layers = Layers { spatial: layers.spatial + 1, temporal: 0 },
            _ => return Some((index, all)),
        }
        if layers.spatial > SPATIAL_MAX || layers.temporal > TEMPORAL_MAX {
            return None;
        }
    }
    None
}

/// One template of template_fdiffs().
fn skip_template_fdiffs(reader: &mut BitReader<'_>) -> Option<()> {
    while reader.flag()? {
        reader.skip(4)?;
    }
    Some(())
}
