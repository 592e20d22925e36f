//! RTP header extensions (RFC 8285): where the value of each id lies in its packet.
//!
//! A table of 14 offsets serves the ids that nearly every stream uses, in one-byte and two-byte form alike; ids above
//! 14 (two-byte form only) are found again by a walk over the block, so that no packet, however made, costs memory.
//! Knows offsets, never keeps bytes. Does not know what an id means. Called by `Header::parse` and by `media`.
//! Invariant: an offset in the table is 17 or more, the value it names lay inside the block when it was read.

use std::num::NonZeroU8;
use std::ops::Range;

/// Largest id of the one-byte form (RFC 8285 4.2); 15 is reserved there.
pub const ONE_BYTE_ID_MAX: u8 = 14;

/// Largest value of the one-byte form, in bytes.
pub const ONE_BYTE_VALUE_MAX: usize = 16;

/// The `defined by profile` field of a block in one-byte form.
pub(super) const PROFILE_ONE_BYTE: u16 = 0xBEDE;

/// The same for the two-byte form, whose low 4 bits are application bits (RFC 8285 4.3).
pub(super) const PROFILE_TWO_BYTE: u16 = 0x1000;
const PROFILE_TWO_BYTE_MASK: u16 = 0xFFF0;

/// The local identifier of an extension, 1..=255. Above 14 only the two-byte form can carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionId(NonZeroU8);

impl ExtensionId {
    /// `None` for 0, which is padding (RFC 8285 4.1.2).
    pub const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// True when the one-byte form can carry it.
    pub const fn fits_one_byte(self) -> bool {
        self.get() <= ONE_BYTE_ID_MAX
    }
}

/// How the elements of a block are headed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExtensionForm {
    /// The packet has no extensions, or a block of another profile, which is skipped.
    #[default]
    Absent,
    /// Profile 0xBEDE: 4 bits id, 4 bits length minus one.
    OneByte,
    /// Profile 0x1000..=0x100F: a byte of id, a byte of length.
    TwoByte,
}

/// Positions of a packet's extension values. Means something only beside the packet it was read from.
///
/// A repeated id keeps its last value, as browsers read it. A malformed tail ends the reading; what came before counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Offsets from the packet's first byte for ids 1..=14; 0: absent.
    offsets: [u16; ONE_BYTE_ID_MAX as usize],
    block_offset: u16,
    block_bytes: u16,
    form: ExtensionForm,
    /// Ids above 14 were seen, so looking for one is worth a walk.
    beyond_table: bool,
}

impl Extensions {
    /// Reads the block of `block` (a range of `packet`). A profile other than RFC 8285's has no extensions for us.
    pub(super) fn parse(packet: &[u8], profile: u16, block: Range<u16>) -> Self {
        let form = form_of(profile);
        if form == ExtensionForm::Absent {
            return Self::default();
        }
        let mut extensions = Self {
            block_offset: block.start,
            block_bytes: block.end.saturating_sub(block.start),
            form,
            ..Self::default()
        };
        for (id, value) in extensions.elements(packet) {
            extensions.remember(id, block.start, value.start);
        }
        extensions
    }

    fn remember(&mut self, id: ExtensionId, block_offset: u16, value_at: usize) {
        match self.offsets.get_mut(usize::from(id.get()) - 1) {
            // `value_at` lies in the block, which lies in a packet of at most 65,535 bytes.
            Some(slot) => *slot = u16::try_from(value_at).map_or(0, |at| block_offset.saturating_add(at)),
            None => self.beyond_table = true,
        }
    }

    /// The value of `id`, a slice of `packet`, which must be the one that this was read from (another one gives
    /// wrong values, never a panic). In two-byte form a value may be empty.
    pub fn get<'p>(&self, id: ExtensionId, packet: &'p [u8]) -> Option<&'p [u8]> {
        let Some(&offset) = self.offsets.get(usize::from(id.get()) - 1) else {
            return if self.beyond_table { self.find_beyond_table(id, packet) } else { None };
        };
        let offset = usize::from(offset);
        let head = *packet.get(offset.checked_sub(1)?)?;
        let bytes = match self.form {
            ExtensionForm::Absent => return None,
            ExtensionForm::OneByte => usize::from(head & 0x0F) + 1,
            ExtensionForm::TwoByte => usize::from(head),
        };
        packet.get(offset..offset + bytes)
    }

    /// The same value, to be changed in its place.
    pub fn get_mut<'p>(&self, id: ExtensionId, packet: &'p mut [u8]) -> Option<&'p mut [u8]> {
        packet.get_mut(self.locate(id, packet)?)
    }

    /// Cuts the value of `id` to its first `bytes` in the packet itself; what followed becomes padding, so that nothing
    /// else moves. False, and nothing is changed, when it is not longer, or not there, or `bytes` is 0.
    pub fn shorten(&self, id: ExtensionId, packet: &mut [u8], bytes: u8) -> bool {
        let value = self.locate(id, packet).filter(|value| value.len() > usize::from(bytes) && bytes > 0);
        let Some(value) = value else { return false };
        let head_at = value.start.checked_sub(1);
        let Some(head) = head_at.and_then(|at| packet.get_mut(at)) else { return false };
        *head = match self.form {
            ExtensionForm::Absent => return false,
            ExtensionForm::OneByte => *head & 0xF0 | (bytes - 1) & 0x0F,
            ExtensionForm::TwoByte => bytes,
        };
        packet.get_mut(value.start + usize::from(bytes)..value.end).unwrap_or_default().fill(0);
        true
    }

    /// Where the value that [`get`](Self::get) finds lies.
    fn locate(&self, id: ExtensionId, packet: &[u8]) -> Option<Range<usize>> {
        let start = usize::from(self.block_offset);
        let (_, value) = self.elements(packet).filter(|(found, _)| *found == id).last()?;
        Some(start + value.start..start + value.end)
    }

    /// Every element in the order of the packet, repeated ids included.
    pub fn iter<'p>(&self, packet: &'p [u8]) -> impl Iterator<Item = (ExtensionId, &'p [u8])> + use<'p> {
        let elements = self.elements(packet);
        let block = elements.block;
        elements.filter_map(move |(id, value)| Some((id, block.get(value)?)))
    }

    /// The form of the packet's block.
    pub const fn form(&self) -> ExtensionForm {
        self.form
    }

    fn find_beyond_table<'p>(&self, id: ExtensionId, packet: &'p [u8]) -> Option<&'p [u8]> {
        self.iter(packet).filter(|(found, _)| *found == id).last().map(|(_, value)| value)
    }

    fn elements<'p>(&self, packet: &'p [u8]) -> Elements<'p> {
        let start = usize::from(self.block_offset);
        let block = packet.get(start..start + usize::from(self.block_bytes)).unwrap_or_default();
        Elements { form: self.form, block, at: 0 }
    }
}

const fn form_of(profile: u16) -> ExtensionForm {
    if profile == PROFILE_ONE_BYTE {
        ExtensionForm::OneByte
    } else if profile & PROFILE_TWO_BYTE_MASK == PROFILE_TWO_BYTE {
        ExtensionForm::TwoByte
    } else {
        ExtensionForm::Absent
    }
}

/// Walks a block, element by element, and ends at the first thing that is not one.
struct Elements<'p> {
    form: ExtensionForm,
    block: &'p [u8],
    /// At most `block.len()` plus one element, so that sums cannot overflow.
    at: usize,
}

impl Iterator for Elements<'_> {
    type Item = (ExtensionId, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        // RFC 8285 4.1.2: padding bytes may stand between elements and after the last.
        while self.block.get(self.at) == Some(&0) {
            self.at += 1;
        }
        let (id, value) = self.element()?;
        self.at = value.end;
        self.block.get(value.clone())?;
        Some((id, value))
    }
}

impl Elements<'_> {
    /// The element that starts at `at`, which may reach beyond the block.
    fn element(&self) -> Option<(ExtensionId, Range<usize>)> {
        let head = *self.block.get(self.at)?;
        match self.form {
            ExtensionForm::Absent => None,
            ExtensionForm::OneByte => {
                // RFC 8285 4.2: id 15 ends the block, whatever follows. Id 0 with a length is no padding byte and
                // has no meaning: libwebrtc ends there too. `filter` sees both.
                let id = ExtensionId::new(head >> 4).filter(|id| id.fits_one_byte())?;
                let start = self.at + 1;
                Some((id, start..start + usize::from(head & 0x0F) + 1))
            }
            ExtensionForm::TwoByte => {
                let id = ExtensionId::new(head)?;
                let start = self.at + 2;
                let bytes = *self.block.get(self.at + 1)?;
                Some((id, start..start + usize::from(bytes)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
