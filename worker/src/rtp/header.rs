//! The RTP header (RFC 3550 5.1), read once per packet.
//!
//! Knows where header, extensions, payload and padding of a packet lie. Does not keep its bytes: whoever asks hands the
//! same packet in again. Called by `Transport::open_rtp`, then passed by reference to all that follows.
//! Invariant: header, payload and padding together are exactly the packet that `parse` saw.

use std::ops::Range;

use crate::base::sequence::{Serial16, Serial32};
use crate::rtp::extensions::Extensions;

/// Length of the fixed part, in bytes.
pub const FIXED_BYTES: usize = 12;

/// A parsed header. Plain data beside the packet's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Sequence number of this SSRC.
    pub sequence: Serial16,
    /// Sampling instant in units of the codec's clock rate.
    pub timestamp: Serial32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// 0..=127.
    pub payload_type: u8,
    /// For video the last packet of a frame, for audio the first after silence.
    pub marker: bool,
    /// Number of contributing sources, 0..=15.
    pub csrc_count: u8,
    /// Padding bytes after the payload, their count byte included; 0: none.
    pub padding: u8,
    payload_offset: u16,
    payload_bytes: u16,
    /// Where the header extensions are.
    pub extensions: Extensions,
}

const _: () = assert!(size_of::<Header>() <= 56, "a header is kept per packet of a run");

/// Which rule a packet breaks. The sender is at fault: drop the packet and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeaderError {
    /// Shorter than the fixed header.
    #[error("shorter than the 12 bytes of an RTP header (RFC 3550 5.1)")]
    TooShort,
    /// Longer than any UDP datagram.
    #[error("longer than 65,535 bytes")]
    TooLong,
    /// The two version bits are not 2.
    #[error("RTP version {0} instead of 2 (RFC 3550 5.1)")]
    Version(u8),
    /// The CSRC count names more than the packet holds.
    #[error("ends inside the CSRC list (RFC 3550 5.1)")]
    CsrcsTruncated,
    /// The extension length names more than the packet holds.
    #[error("ends inside the header extension (RFC 3550 5.3.1)")]
    ExtensionTruncated,
    /// The P bit is set, and the last byte is 0 or no byte is left for the count.
    #[error("has the padding bit but no padding (RFC 3550 5.1)")]
    PaddingAbsent,
    /// The padding count reaches into the header.
    #[error("has more padding than payload (RFC 3550 5.1)")]
    PaddingTooLong,
}

impl Header {
    /// Reads the header of `packet`, a whole RTP packet without SRTP tag.
    ///
    /// # Errors
    /// The first rule of RFC 3550 5.1 that it breaks, in the order of the fields. An extension block of a foreign
    /// profile is skipped, a malformed element in one of RFC 8285 ends the table: neither is an error.
    pub fn parse(packet: &[u8]) -> Result<Self, HeaderError> {
        let (fixed, csrcs_end) = fixed_part(packet)?;
        let packet_bytes = u16::try_from(packet.len()).map_err(|_| HeaderError::TooLong)?;
        let [first, second, q0, q1, t0, t1, t2, t3, s0, s1, s2, s3] = *fixed;
        let (extensions, payload_offset) = match first & 0x10 {
            0 => (Extensions::default(), csrcs_end),
            _ => parse_extensions(packet, csrcs_end)?,
        };
        let body_bytes = packet_bytes.checked_sub(payload_offset).ok_or(HeaderError::ExtensionTruncated)?;
        let padding = match first & 0x20 {
            0 => 0,
            _ => padding_count(packet, body_bytes)?,
        };
        Ok(Self {
            sequence: Serial16::new(u16::from_be_bytes([q0, q1])),
            timestamp: Serial32::new(u32::from_be_bytes([t0, t1, t2, t3])),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            payload_type: second & 0x7F,
            marker: second & 0x80 != 0,
            csrc_count: first & 0x0F,
            padding,
            payload_offset,
            payload_bytes: body_bytes.saturating_sub(u16::from(padding)),
            extensions,
        })
    }

    /// The payload without padding; empty when `packet` is shorter than the one that was parsed.
    pub fn payload<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        packet.get(self.payload_offset()..self.payload_offset() + self.payload_len()).unwrap_or_default()
    }

    /// The CSRC list as it lies in `packet`: 4 bytes for each of `csrc_count`.
    pub fn csrcs<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        packet.get(FIXED_BYTES..FIXED_BYTES + 4 * usize::from(self.csrc_count)).unwrap_or_default()
    }

    /// Bytes before the payload: fixed header, CSRCs and extension block.
    pub fn payload_offset(&self) -> usize {
        usize::from(self.payload_offset)
    }

    /// Bytes of payload, without padding. A packet with none carries no media (a bandwidth probe).
    pub fn payload_len(&self) -> usize {
        usize::from(self.payload_bytes)
    }

    /// Length of the whole packet, padding included.
    pub fn packet_len(&self) -> usize {
        self.payload_offset() + self.payload_len() + usize::from(self.padding)
    }

    /// The header after padding and the first `bytes` of the payload were taken out of the packet. The caller has
    /// checked that there are as many.
    pub(super) fn shorten_payload(&mut self, bytes: u16) {
        self.padding = 0;
        self.payload_bytes = self.payload_bytes.saturating_sub(bytes);
    }
}

/// Where the payload of `packet` begins. Looks at nothing behind that, so it serves before SRTP is taken off too.
///
/// # Errors
/// As [`Header::parse`], but for padding.
pub fn payload_offset(packet: &[u8]) -> Result<usize, HeaderError> {
    let ([first, ..], csrcs_end) = fixed_part(packet)?;
    match first & 0x10 {
        0 => Ok(usize::from(csrcs_end)),
        _ => extension_block(packet, csrcs_end).map(|(_, block)| usize::from(block.end)),
    }
}

/// The SSRC of an RTP packet, encrypted or not; `None` when it has none.
pub fn ssrc(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, _, _, _, _, ssrc @ ..] = packet.first_chunk::<FIXED_BYTES>()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes(*ssrc))
}

/// The fixed header, and where the CSRC list ends.
fn fixed_part(packet: &[u8]) -> Result<(&[u8; FIXED_BYTES], u16), HeaderError> {
    let (fixed, _) = packet.split_first_chunk::<FIXED_BYTES>().ok_or(HeaderError::TooShort)?;
    let packet_bytes = u16::try_from(packet.len()).map_err(|_| HeaderError::TooLong)?;
    let [first, ..] = *fixed;
    if first >> 6 != 2 {
        return Err(HeaderError::Version(first >> 6));
    }
    let csrcs_end = 12 + 4 * u16::from(first & 0x0F);
    match csrcs_end > packet_bytes {
        true => Err(HeaderError::CsrcsTruncated),
        false => Ok((fixed, csrcs_end)),
    }
}

/// The extension table, and where the block ends.
fn parse_extensions(packet: &[u8], offset: u16) -> Result<(Extensions, u16), HeaderError> {
    let (profile, block) = extension_block(packet, offset)?;
    let end = block.end;
    Ok((Extensions::parse(packet, profile, block), end))
}

/// The profile of the extension block, and where its elements are.
fn extension_block(packet: &[u8], offset: u16) -> Result<(u16, Range<u16>), HeaderError> {
    let head = packet.get(usize::from(offset)..).and_then(|rest| rest.first_chunk::<4>());
    let [profile_high, profile_low, words_high, words_low] = *head.ok_or(HeaderError::ExtensionTruncated)?;
    let words = u16::from_be_bytes([words_high, words_low]);
    let start = offset.checked_add(4).ok_or(HeaderError::ExtensionTruncated)?;
    let end = words.checked_mul(4).and_then(|bytes| start.checked_add(bytes));
    let end = end.filter(|end| usize::from(*end) <= packet.len()).ok_or(HeaderError::ExtensionTruncated)?;
    let profile = u16::from_be_bytes([profile_high, profile_low]);
    Ok((profile, start..end))
}

/// The padding count, which is the last byte of a packet with the P bit.
fn padding_count(packet: &[u8], body_bytes: u16) -> Result<u8, HeaderError> {
    match packet.last() {
        _ if body_bytes == 0 => Err(HeaderError::PaddingAbsent),
        None | Some(0) => Err(HeaderError::PaddingAbsent),
        Some(&count) if u16::from(count) > body_bytes => Err(HeaderError::PaddingTooLong),
        Some(&count) => Ok(count),
    }
}

#[cfg(test)]
mod tests;
