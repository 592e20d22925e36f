//! The scalability structure (SS) of a VP9 payload descriptor: sizes of the spatial layers and the picture group.
//!
//! Knows where it lies in its payload; sizes and pictures are read when somebody asks. Called by
//! `vp9::Descriptor::parse`. Invariant: all that it names lay inside the payload it was parsed from.

use super::REFERENCES_MAX;
use crate::rtp::payload::reader::Reader;

/// A parsed scalability structure. Plain data beside the payload's bytes: another payload gives wrong values, never a
/// panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScalabilityStructure {
    /// N_S + 1: how many spatial layers there are, 1..=8.
    pub spatial_layers: u8,
    /// Y: the frame size of each is there.
    pub has_sizes: bool,
    /// N_G with G: how many pictures the group has, 0..=255.
    pub group_len: u8,
    /// Where the sizes begin, from the payload's first byte.
    sizes_at: u16,
}

/// One picture of the group, which repeats in non-flexible mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupPicture {
    /// TID, 0..=7.
    pub temporal: u8,
    /// U.
    pub switching_up: bool,
    /// How many pictures back each reference lies. 0 after the last.
    pub reference_distances: [u8; REFERENCES_MAX],
}

// The first byte.
const HAS_SIZES: u8 = 0x10;
const HAS_GROUP: u8 = 0x08;
// The byte of a picture.
const SWITCHING_UP: u8 = 0x10;
/// Width and height.
const SIZE_BYTES: usize = 4;

impl ScalabilityStructure {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Self> {
        let first = reader.byte()?;
        let sizes_at = u16::try_from(reader.at()).ok()?;
        let (spatial_layers, has_sizes) = ((first >> 5) + 1, first & HAS_SIZES != 0);
        if has_sizes {
            reader.take(SIZE_BYTES * usize::from(spatial_layers))?;
        }
        let group_len = if first & HAS_GROUP != 0 { reader.byte()? } else { 0 };
        for _ in 0..group_len {
            GroupPicture::parse(reader)?;
        }
        Some(Self { spatial_layers, has_sizes, group_len, sizes_at })
    }

    /// Width and height of each spatial layer, lowest first, out of the payload that this was parsed from; nothing
    /// without Y.
    pub fn sizes(self, payload: &[u8]) -> impl Iterator<Item = (u16, u16)> {
        let start = usize::from(self.sizes_at);
        let sizes = payload.get(start..start + self.sizes_bytes()).unwrap_or_default();
        sizes
            .as_chunks::<SIZE_BYTES>()
            .0
            .iter()
            .map(|[w0, w1, h0, h1]| (u16::from_be_bytes([*w0, *w1]), u16::from_be_bytes([*h0, *h1])))
    }

    /// The pictures of the group, out of the payload that this was parsed from; nothing without G.
    pub fn group(self, payload: &[u8]) -> impl Iterator<Item = GroupPicture> {
        // Between sizes and pictures stands the byte that counts them.
        let start = usize::from(self.sizes_at) + self.sizes_bytes() + 1;
        let mut reader = Reader::new(payload.get(start..).unwrap_or_default());
        (0..self.group_len).map_while(move |_| GroupPicture::parse(&mut reader))
    }

    fn sizes_bytes(self) -> usize {
        if self.has_sizes { SIZE_BYTES * usize::from(self.spatial_layers) } else { 0 }
    }
}

impl GroupPicture {
    fn parse(reader: &mut Reader<'_>) -> Option<Self> {
        let first = reader.byte()?;
        let mut reference_distances = [0; REFERENCES_MAX];
        // R has two bits, so it fits.
        let count = usize::from(first >> 2 & 0x03);
        reference_distances.get_mut(..count)?.copy_from_slice(reader.take(count)?);
        Some(Self { temporal: first >> 5, switching_up: first & SWITCHING_UP != 0, reference_distances })
    }
}
