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
        if self.values.len() >= EXTENSION_VALUES_MAX {
            return Err(ExtensionValueError::Full);
        }
        if value.len() > usize::from(u8::MAX) {
            return Err(ExtensionValueError::TooLong);
        }
        self.needs_two_byte |= !id.fits_one_byte() || value.is_empty() || value.len() > ONE_BYTE_VALUE_MAX;
        self.value_bytes += value.len();
        self.values.push((id, value));
        Ok(())
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.values.clear();
        self.value_bytes = 0;
        self.needs_two_byte = false;
    }

    /// The form in which the values will stand: two-byte as soon as one of them needs it.
    pub fn form(&self) -> ExtensionForm {
        match (self.values.is_empty(), self.needs_two_byte) {
            (true, _) => ExtensionForm::Absent,
            (false, false) => ExtensionForm::OneByte,
            (false, true) => ExtensionForm::TwoByte,
        }
    }

    /// Bytes of the block, its 4-byte head and the padding to whole words included.
    pub fn block_len(&self) -> usize {
        let head_bytes = match self.form() {
            ExtensionForm::Absent => return 0,
            ExtensionForm::OneByte => 1,
            ExtensionForm::TwoByte => 2,
        };
        4 + (self.value_bytes + head_bytes * self.values.len()).next_multiple_of(4)
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

/// Bytes before the payload: header, CSRCs, extension block, and the original sequence number of an RTX packet.
pub fn header_len(packet: &Outgoing<'_>, extensions: &ExtensionValues<'_>) -> usize {
    let osn_bytes = if packet.rtx_osn.is_some() { 2 } else { 0 };
    FIXED_BYTES + csrc_words(packet).len() + extensions.block_len() + osn_bytes
}

/// Bytes of the whole packet, padding included.
pub fn packet_len(packet: &Outgoing<'_>, extensions: &ExtensionValues<'_>) -> usize {
    header_len(packet, extensions) + packet.payload.len() + usize::from(packet.padding)
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
    write_with(out, packet, extensions, Some(packet.payload))
}

/// Where the header ends and where the payload begins: between them is the original sequence number of an RTX packet.
pub fn payload_place(packet: &Outgoing<'_>, extensions: &ExtensionValues<'_>) -> (usize, usize) {
    let header = FIXED_BYTES + csrc_words(packet).len() + extensions.block_len();
    (header, header_len(packet, extensions))
}

/// As [`write_packet`], but the payload's place is left as it is: for whoever encrypts it on its way there.
///
/// # Errors
/// `NoRoom` when `out` is shorter; it is then untouched.
pub fn write_around(
    out: &mut [u8],
    packet: &Outgoing<'_>,
    extensions: &ExtensionValues<'_>,
) -> Result<usize, NoRoom> {
    write_with(out, packet, extensions, None)
}

#[inline]
fn write_with(
    out: &mut [u8],
    packet: &Outgoing<'_>,
    extensions: &ExtensionValues<'_>,
    payload: Option<&[u8]>,
) -> Result<usize, NoRoom> {
    let block_bytes = extensions.block_len();
    let total = packet_len(packet, extensions);
    let csrcs = csrc_words(packet);
    let out = out.get_mut(..total).ok_or(NoRoom)?;
    let mut out = put(out, fixed_header(packet, csrcs.len() / 4, block_bytes > 0))?;
    out = put_slice(out, csrcs)?;
    let (block, mut out) = out.split_at_mut_checked(block_bytes).ok_or(NoRoom)?;
    extensions.write(block)?;
    if let Some(osn) = packet.rtx_osn {
        out = put(out, osn.wire().to_be_bytes())?;
    }
    let (place, padding) = out.split_at_mut_checked(packet.payload.len()).ok_or(NoRoom)?;
    if let Some(payload) = payload {
        place.copy_from_slice(payload);
    }
    write_padding(padding, packet.padding);
    Ok(total)
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
