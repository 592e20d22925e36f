//! Building RTP packets: the hot path, run once per forwarded packet.
//!
//! Knows the layout of RFC 3550 5.1, RFC 8285 and RFC 4588. Does not know why a field has its value: sequence numbers,
//! extension values and padding are the caller's. Called by `Transport::seal_rtp`.
//! Invariant: `write_packet` writes exactly `packet_len` bytes or none, and allocates nothing.

use smallvec::SmallVec;

use crate::base::sequence::Serial16;
use crate::rtp::extensions::{
    ExtensionForm, ExtensionId, ONE_BYTE_VALUE_MAX, PROFILE_ONE_BYTE, PROFILE_TWO_BYTE,
};
use crate::rtp::header::FIXED_BYTES;

/// Most extension values of one packet: all kinds that we know, with room to spare.
pub const EXTENSION_VALUES_MAX: usize = 16;

/// Most contributing sources (RFC 3550 5.1: 4 bits).
const CSRCS_MAX: usize = 15;

/// A packet to be written.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Marker bit.
    pub marker: bool,
    /// 0..=127; a higher bit is cut off.
    pub payload_type: u8,
    /// Sequence number of `ssrc`.
    pub sequence: Serial16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Contributing sources as they stand on the wire, 4 bytes each (`Header::csrcs`); what is beyond 15 of them,
    /// or no whole one, is left out.
    pub csrcs: &'a [u8],
    /// For an RTX packet (RFC 4588 4) the original sequence number, written before the payload.
    pub rtx_osn: Option<Serial16>,
    /// The payload without padding.
    pub payload: &'a [u8],
    /// Padding bytes to append, the count byte included (RFC 3550 5.1); 0: none.
    pub padding: u8,
}

/// The buffer is too short; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for the packet")]
pub struct NoRoom;

/// Why a value was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionValueError {
    /// There are `EXTENSION_VALUES_MAX` already.
    #[error("a packet holds no more extension values")]
    Full,
    /// Longer than 255 bytes, which no form can carry.
    #[error("an extension value is longer than 255 bytes")]
    TooLong,
}

/// The extension values of one packet, borrowed, in the order in which they will stand. Lives on the stack.
#[derive(Clone, Debug, Default)]
pub struct ExtensionValues<'a> {
    // `push` holds the number to the inline capacity, so this never reaches the heap; the array is not even cleared.
    values: SmallVec<[(ExtensionId, &'a [u8]); EXTENSION_VALUES_MAX]>,
    size: BlockSize,
}

/// How long the extension block of a packet becomes with the values added so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockSize {
    values: usize,
    value_bytes: usize,
    needs_two_byte: bool,
}

impl<'a> ExtensionValues<'a> {
    /// No values: the packet will have no extension block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value of 0..=255 bytes. An id that is added twice is written twice, and readers take one of the two.
    ///
    /// # Errors
    /// When there are too many, or this one is too long; the values stay as they were.
    pub fn push(&mut self, id: ExtensionId, value: &'a [u8]) -> Result<(), ExtensionValueError> {
        self.size.add(id, value.len())?;
        self.values.push((id, value));
        Ok(())
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.values.clear();
        self.size = BlockSize::default();
    }

    /// The form in which the values will stand: two-byte as soon as one of them needs it.
    pub fn form(&self) -> ExtensionForm {
        self.size.form()
    }

    /// Bytes of the block, its 4-byte head and the padding to whole words included.
    pub fn block_len(&self) -> usize {
        self.size.bytes()
    }

    /// Writes the block into `out`, which has exactly `block_len` bytes.
    fn write(&self, out: &mut [u8]) -> Result<(), NoRoom> {
        let (profile, two_byte) = match self.form() {
            ExtensionForm::Absent => return Ok(()),
            ExtensionForm::OneByte => (PROFILE_ONE_BYTE, false),
            ExtensionForm::TwoByte => (PROFILE_TWO_BYTE, true),
        };
        // At most 4 + 16 * 257 bytes: the number of words fits.
        let words = u16::try_from(out.len() / 4).map_err(|_| NoRoom)?.saturating_sub(1);
        // Padding is in the last word only: one store before the elements instead of a memset after them.
        *out.last_chunk_mut::<4>().ok_or(NoRoom)? = [0; 4];
        let mut out = put(out, profile.to_be_bytes())?;
        out = put(out, words.to_be_bytes())?;
        for (id, value) in &self.values {
            out = put_element_head(out, *id, value.len(), two_byte)?;
            out = put_value(out, value)?;
        }
        Ok(())
    }
}

impl BlockSize {
    /// Adds a value of 0..=255 bytes.
    ///
    /// # Errors
    /// When there are too many, or this one is too long; the size stays as it was.
    pub fn add(&mut self, id: ExtensionId, value_bytes: usize) -> Result<(), ExtensionValueError> {
        if self.values >= EXTENSION_VALUES_MAX {
            return Err(ExtensionValueError::Full);
        }
        if value_bytes > usize::from(u8::MAX) {
            return Err(ExtensionValueError::TooLong);
        }
        self.needs_two_byte |= !id.fits_one_byte() || value_bytes == 0 || value_bytes > ONE_BYTE_VALUE_MAX;
        self.values += 1;
        self.value_bytes += value_bytes;
        Ok(())
    }

    /// As [`ExtensionValues::form`].
    pub const fn form(self) -> ExtensionForm {
        match (self.values, self.needs_two_byte) {
            (0, _) => ExtensionForm::Absent,
            (_, false) => ExtensionForm::OneByte,
            (_, true) => ExtensionForm::TwoByte,
        }
    }

    /// As [`ExtensionValues::block_len`].
    pub const fn bytes(self) -> usize {
        let head_bytes = match self.form() {
            ExtensionForm::Absent => return 0,
            ExtensionForm::OneByte => 1,
            ExtensionForm::TwoByte => 2,
        };
        4 + (self.value_bytes + head_bytes * self.values).next_multiple_of(4)
    }
}

/// A packet and its extension values, measured once: its length is asked for before there is room for it, and where its
/// parts lie by whoever encrypts it.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'p, 'v> {
    packet: &'p Outgoing<'p>,
    extensions: &'p ExtensionValues<'v>,
    csrcs: &'p [u8],
    header_bytes: usize,
    payload_offset: usize,
    packet_bytes: usize,
}

impl<'p, 'v> Measured<'p, 'v> {
    /// Measures.
    pub fn new(packet: &'p Outgoing<'p>, extensions: &'p ExtensionValues<'v>) -> Self {
        let csrcs = csrc_words(packet);
        let header_bytes = FIXED_BYTES + csrcs.len() + extensions.block_len();
        let payload_offset = header_bytes + if packet.rtx_osn.is_some() { 2 } else { 0 };
        let packet_bytes = payload_offset + packet.payload.len() + usize::from(packet.padding);
        Self { packet, extensions, csrcs, header_bytes, payload_offset, packet_bytes }
    }

    /// Bytes of header, CSRCs and extension block.
    pub const fn header_bytes(&self) -> usize {
        self.header_bytes
    }

    /// Where the payload begins: behind the header, and behind the original sequence number of an RTX packet.
    pub const fn payload_offset(&self) -> usize {
        self.payload_offset
    }

    /// The payload without padding.
    pub const fn payload(&self) -> &'p [u8] {
        self.packet.payload
    }

    /// Bytes of the whole packet, padding included.
    pub const fn packet_bytes(&self) -> usize {
        self.packet_bytes
    }

    /// Writes the packet at the start of `out`.
    ///
    /// # Errors
    /// `NoRoom` when `out` is shorter than it; `out` is then untouched.
    pub fn write(&self, out: &mut [u8]) -> Result<(), NoRoom> {
        self.write_with(out, |place| place.copy_from_slice(self.packet.payload))
    }

    /// As [`write`](Self::write), but the payload's place is left as it is: for whoever encrypts it on its way there.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_around(&self, out: &mut [u8]) -> Result<(), NoRoom> {
        self.write_with(out, |_| {})
    }

    /// `fill` gets the payload's place, which is as long as the payload.
    #[inline]
    fn write_with(&self, out: &mut [u8], fill: impl FnOnce(&mut [u8])) -> Result<(), NoRoom> {
        let block_bytes = self.header_bytes - FIXED_BYTES - self.csrcs.len();
        let out = out.get_mut(..self.packet_bytes).ok_or(NoRoom)?;
        let mut out = put(out, fixed_header(self.packet, self.csrcs.len() / 4, block_bytes > 0))?;
        if !self.csrcs.is_empty() {
            out = put_slice(out, self.csrcs)?;
        }
        if block_bytes > 0 {
            let (block, rest) = out.split_at_mut_checked(block_bytes).ok_or(NoRoom)?;
            self.extensions.write(block)?;
            out = rest;
        }
        if let Some(osn) = self.packet.rtx_osn {
            out = put(out, osn.wire().to_be_bytes())?;
        }
        let (place, padding) = out.split_at_mut_checked(self.packet.payload.len()).ok_or(NoRoom)?;
        fill(place);
        write_padding(padding, self.packet.padding);
        Ok(())
    }
}

/// Bytes before the payload: header, CSRCs, extension block, and the original sequence number of an RTX packet.
pub fn header_len(packet: &Outgoing<'_>, extensions: &ExtensionValues<'_>) -> usize {
    Measured::new(packet, extensions).payload_offset()
}

/// Bytes of the whole packet, padding included.
pub fn packet_len(packet: &Outgoing<'_>, extensions: &ExtensionValues<'_>) -> usize {
    Measured::new(packet, extensions).packet_bytes()
}

/// Writes a packet at the start of `out` and returns its length, which is `packet_len`.
///
/// # Errors
/// `NoRoom` when `out` is shorter; it is then untouched.
pub fn write_packet(
    out: &mut [u8],
    packet: &Outgoing<'_>,
    extensions: &ExtensionValues<'_>,
) -> Result<usize, NoRoom> {
    let packet = Measured::new(packet, extensions);
    packet.write(out).map(|()| packet.packet_bytes())
}

fn fixed_header(packet: &Outgoing<'_>, csrc_count: usize, has_extensions: bool) -> [u8; FIXED_BYTES] {
    let padding_bit = if packet.padding > 0 { 0x20 } else { 0 };
    let extension_bit = if has_extensions { 0x10 } else { 0 };
    let marker_bit = if packet.marker { 0x80 } else { 0 };
    let count = u8::try_from(csrc_count).unwrap_or_default() & 0x0F;
    let [q0, q1] = packet.sequence.wire().to_be_bytes();
    let [t0, t1, t2, t3] = packet.timestamp.to_be_bytes();
    let [s0, s1, s2, s3] = packet.ssrc.to_be_bytes();
    let first = 0x80 | padding_bit | extension_bit | count;
    [first, marker_bit | packet.payload_type & 0x7F, q0, q1, t0, t1, t2, t3, s0, s1, s2, s3]
}

/// The part of the CSRC list that is written.
fn csrc_words<'a>(packet: &Outgoing<'a>) -> &'a [u8] {
    let words = (packet.csrcs.len() / 4).min(CSRCS_MAX);
    packet.csrcs.get(..4 * words).unwrap_or_default()
}

fn put_element_head(
    out: &mut [u8],
    id: ExtensionId,
    value_bytes: usize,
    two_byte: bool,
) -> Result<&mut [u8], NoRoom> {
    // `push` let in no value above 255 bytes.
    let bytes = u8::try_from(value_bytes).map_err(|_| NoRoom)?;
    match two_byte {
        true => put(out, [id.get(), bytes]),
        false => put(out, [id.get() << 4 | bytes.saturating_sub(1) & 0x0F]),
    }
}

/// The lengths of the values that are given anew to every packet are spelled out: a call of memcpy for three bytes costs
/// more than all the rest of the element.
#[inline]
fn put_value<'o>(out: &'o mut [u8], value: &[u8]) -> Result<&'o mut [u8], NoRoom> {
    match *value {
        [a] => put(out, [a]),
        [a, b] => put(out, [a, b]),
        [a, b, c] => put(out, [a, b, c]),
        _ => put_slice(out, value),
    }
}

/// RFC 3550 5.1: the last byte counts the padding, itself included; the others are ignored by readers, we send 0.
fn write_padding(out: &mut [u8], count: u8) {
    if let [zeros @ .., last] = out {
        zeros.fill(0);
        *last = count;
    }
}

#[inline]
fn put<const N: usize>(out: &mut [u8], bytes: [u8; N]) -> Result<&mut [u8], NoRoom> {
    let (head, rest) = out.split_first_chunk_mut::<N>().ok_or(NoRoom)?;
    *head = bytes;
    Ok(rest)
}

#[inline]
fn put_slice<'o>(out: &'o mut [u8], bytes: &[u8]) -> Result<&'o mut [u8], NoRoom> {
    let (head, rest) = out.split_at_mut_checked(bytes.len()).ok_or(NoRoom)?;
    head.copy_from_slice(bytes);
    Ok(rest)
}

#[cfg(test)]
mod tests;
