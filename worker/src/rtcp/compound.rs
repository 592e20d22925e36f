//! Walking a compound packet (RFC 3550 6.1; reduced-size compounds of RFC 5506 too).
//!
//! Knows the common header and which file reads which packet type. Called through `rtcp::packets`.
//! Invariant: a packet is read from its own bytes only, its padding excluded.

use crate::rtcp::cursor::take;
use crate::rtcp::{Bye, Fir, Nack, Pli, ReceiverReport, Remb, Sdes, SenderReport, WideFeedback, Xr};
use crate::rtcp::{bye, keyframe, nack, remb, report, sdes, twcc, xr};

/// Transport layer feedback (RFC 4585 6.2).
pub(super) const RTPFB: u8 = 205;
/// Payload-specific feedback (RFC 4585 6.3).
pub(super) const PSFB: u8 = 206;

/// One packet of a compound.
#[derive(Clone, Debug)]
pub enum Packet<'a> {
    /// SR, type 200.
    SenderReport(SenderReport<'a>),
    /// RR, type 201.
    ReceiverReport(ReceiverReport<'a>),
    /// SDES, type 202.
    Sdes(Sdes<'a>),
    /// BYE, type 203.
    Bye(Bye<'a>),
    /// Generic NACK, type 205 format 1.
    Nack(Nack<'a>),
    /// Transport-wide feedback, type 205 format 15.
    WideFeedback(WideFeedback<'a>),
    /// Picture loss indication, type 206 format 1.
    Pli(Pli),
    /// Full intra request, type 206 format 4.
    Fir(Fir<'a>),
    /// Receiver estimated maximum bitrate, type 206 format 15 with that name.
    Remb(Remb<'a>),
    /// Extended reports, type 207.
    Xr(Xr<'a>),
    /// Any other: to be skipped.
    Unknown(Unknown<'a>),
}

/// A packet of a type or format that we do not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// PT, e.g. 204 for APP.
    pub packet_type: u8,
    /// The 5 bits after version and padding: a count, a subtype or a feedback message type.
    pub format: u8,
    /// What follows the 4-byte header, padding excluded.
    pub body: &'a [u8],
}

/// Which rule a packet breaks. The sender is at fault: count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PacketError {
    /// Ends the compound: fewer than 4 bytes are left.
    #[error("ends inside an RTCP header (RFC 3550 6.1)")]
    HeaderTruncated,
    /// Ends the compound: the version bits are not 2, so what follows is not RTCP.
    #[error("RTCP version {0} instead of 2 (RFC 3550 6.4.1)")]
    Version(u8),
    /// Ends the compound: the length names more than there is.
    #[error("ends inside an RTCP packet (RFC 3550 6.4.1)")]
    Truncated,
    /// The padding count is 0 or more than the packet's body. The packet is lost, the next is read.
    #[error("has the padding bit but no sound padding (RFC 3550 6.4.1)")]
    Padding,
    /// The packet is shorter than what its type and count need, or its list is empty where it must not be. The packet
    /// is lost, the next is read.
    #[error("RTCP packet type {0} is too short for its content")]
    Body(u8),
}

/// Reads the packets of a compound, in order. After an error that says so the iterator is at its end.
pub const fn packets(compound: &[u8]) -> Packets<'_> {
    Packets { rest: compound }
}

/// See [`packets`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some(match self.frame() {
            Ok(frame) => frame.parse(),
            Err(error) => {
                self.rest = &[];
                Err(error)
            }
        })
    }
}

impl<'a> Packets<'a> {
    /// Takes the next packet's bytes off.
    fn frame(&mut self) -> Result<Frame<'a>, PacketError> {
        let mut rest = self.rest;
        let [first, packet_type, words @ ..] = take::<4>(&mut rest).ok_or(PacketError::HeaderTruncated)?;
        if first >> 6 != 2 {
            return Err(PacketError::Version(first >> 6));
        }
        let body_bytes = 4 * usize::from(u16::from_be_bytes(words));
        let (body, rest) = rest.split_at_checked(body_bytes).ok_or(PacketError::Truncated)?;
        self.rest = rest;
        Ok(Frame { padded: first & 0x20 != 0, count: first & 0x1F, packet_type, body })
    }
}

/// A packet by its common header.
struct Frame<'a> {
    padded: bool,
    count: u8,
    packet_type: u8,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    fn parse(self) -> Result<Packet<'a>, PacketError> {
        let body = self.body_without_padding().ok_or(PacketError::Padding)?;
        let packet = match (self.packet_type, self.count) {
            (report::SENDER_REPORT, count) => SenderReport::parse(count, body).map(Packet::SenderReport),
            (report::RECEIVER_REPORT, count) => {
                ReceiverReport::parse(count, body).map(Packet::ReceiverReport)
            }
            (sdes::SDES, count) => Some(Packet::Sdes(Sdes::parse(count, body))),
            (bye::BYE, count) => Bye::parse(count, body).map(Packet::Bye),
            (RTPFB, nack::FORMAT) => Nack::parse(body).map(Packet::Nack),
            (RTPFB, twcc::FORMAT) => WideFeedback::parse(body).map(Packet::WideFeedback),
            (PSFB, keyframe::FORMAT_PLI) => Pli::parse(body).map(Packet::Pli),
            (PSFB, keyframe::FORMAT_FIR) => Fir::parse(body).map(Packet::Fir),
            (PSFB, remb::FORMAT) if Remb::is(body) => Remb::parse(body).map(Packet::Remb),
            (xr::XR, _) => Xr::parse(body).map(Packet::Xr),
            (packet_type, format) => Some(Packet::Unknown(Unknown { packet_type, format, body })),
        };
        packet.ok_or(PacketError::Body(self.packet_type))
    }

    /// RFC 3550 6.4.1 wants padding on the last packet of a compound only and in multiples of 4. Neither is held
    /// against a sender: libwebrtc fills each transport-wide feedback up to a whole word with 1 to 3 bytes.
    fn body_without_padding(&self) -> Option<&'a [u8]> {
        if !self.padded {
            return Some(self.body);
        }
        let count = usize::from(*self.body.last()?);
        let bytes = self.body.len().checked_sub(count).filter(|_| count > 0)?;
        self.body.get(..bytes)
    }
}

#[cfg(test)]
mod tests;
