//! Extended reports (RFC 3611): round-trip time for those who only receive.
//!
//! A receiver without streams of its own sends a reference time (RRTR, 4.4); a sender answers how long ago it saw it
//! (DLRR, 4.5). Other blocks are skipped. Knows the fields; the arithmetic is `stream::report`'s.

use crate::base::sequence::Serial32;
use crate::rtcp::cursor::{Sink, take, take_slice, take_u32, take_u64};

/// Packet type of XR.
pub(super) const XR: u8 = 207;

/// Block type of the receiver reference time.
pub(super) const RRTR: u8 = 4;
/// Block type of the delay since the last receiver reference time.
pub(super) const DLRR: u8 = 5;

/// Bytes of one sub-block of DLRR.
pub(super) const DLRR_REPORT_BYTES: usize = 12;

/// XR.
#[derive(Clone, Debug)]
pub struct Xr<'a> {
    /// The one who reports.
    pub ssrc: u32,
    blocks: &'a [u8],
}

/// A report block.
#[derive(Clone, Debug)]
pub enum XrBlock<'a> {
    /// Block type 4.
    Rrtr(Rrtr),
    /// Block type 5.
    Dlrr(Dlrr<'a>),
    /// Any other block type: to be skipped.
    Unknown(u8),
}

/// Receiver reference time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rrtr {
    /// When the report was sent: NTP time in 32.32 fixed point.
    pub ntp: u64,
}

/// Delay since the last receiver reference time, for each receiver.
#[derive(Clone, Debug)]
pub struct Dlrr<'a> {
    reports: &'a [u8],
}

/// What a sender saw of one receiver's reference time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DlrrReport {
    /// The receiver.
    pub ssrc: u32,
    /// `compact_ntp` of its last RRTR; 0: none.
    pub last_rr: Serial32,
    /// Time from that report's arrival to this one, in 1/65,536 s.
    pub delay_since_last_rr: u32,
}

impl<'a> Xr<'a> {
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        Some(Self { ssrc: take_u32(&mut body)?, blocks: body })
    }

    /// The blocks, in order. One whose length is wrong ends them.
    pub fn blocks(&self) -> impl Iterator<Item = XrBlock<'a>> + use<'a> {
        let mut rest = self.blocks;
        std::iter::from_fn(move || {
            let [block_type, _, words @ ..] = take::<4>(&mut rest)?;
            let mut content = take_slice(&mut rest, 4 * usize::from(u16::from_be_bytes(words)))?;
            Some(match block_type {
                RRTR => XrBlock::Rrtr(Rrtr { ntp: take_u64(&mut content)? }),
                DLRR => XrBlock::Dlrr(Dlrr { reports: content }),
                other => XrBlock::Unknown(other),
            })
        })
    }
}

impl<'a> Dlrr<'a> {
    /// One report for each receiver; a remainder that is no whole report is left out.
    pub fn reports(&self) -> impl Iterator<Item = DlrrReport> + use<'a> {
        let mut rest = self.reports;
        std::iter::from_fn(move || {
            Some(DlrrReport {
                ssrc: take_u32(&mut rest)?,
                last_rr: Serial32::new(take_u32(&mut rest)?),
                delay_since_last_rr: take_u32(&mut rest)?,
            })
        })
    }
}

impl DlrrReport {
    pub(super) fn write(&self, sink: &mut Sink<'_>) -> Option<()> {
        sink.put_u32(self.ssrc)?;
        sink.put_u32(self.last_rr.wire())?;
        sink.put_u32(self.delay_since_last_rr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{CompoundWriter, Packet, packets};

    fn xr(bytes: &[u8]) -> Xr<'_> {
        match packets(bytes).next() {
            Some(Ok(Packet::Xr(xr))) => xr,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reference_time_survives_the_way_there_and_back() {
        let mut buffer = [0xEE; 64];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.receiver_reference_time(7, 0x0102_0304_0506_0708).unwrap();
        assert_eq!(writer.bytes(), [0x80, 207, 0, 4, 0, 0, 0, 7, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
        let blocks = xr(writer.bytes()).blocks().collect::<Vec<_>>();
        assert!(matches!(blocks[..], [XrBlock::Rrtr(Rrtr { ntp: 0x0102_0304_0506_0708 })]), "{blocks:?}");
    }

    #[test]
    fn delays_survive_the_way_there_and_back() {
        let reports = [1, 2].map(|ssrc| DlrrReport {
            ssrc,
            last_rr: Serial32::new(u32::MAX),
            delay_since_last_rr: 65_536 * ssrc,
        });
        let mut buffer = [0xEE; 64];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.dlrr(7, &reports).unwrap();
        assert_eq!(writer.bytes()[..12], [0x80, 207, 0, 8, 0, 0, 0, 7, 5, 0, 0, 6]);
        match xr(writer.bytes()).blocks().next() {
            Some(XrBlock::Dlrr(dlrr)) => assert_eq!(dlrr.reports().collect::<Vec<_>>(), reports),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn foreign_blocks_are_skipped_and_a_wrong_length_ends_the_list() {
        let bytes = [
            0x80, 207, 0, 7, 0, 0, 0, 7, // header
            42, 0, 0, 1, 0xAA, 0xAA, 0xAA, 0xAA, // a block from elsewhere
            4, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, // RRTR
            5, 0, 0, 3, // DLRR without its three words
        ];
        let blocks = xr(&bytes).blocks().collect::<Vec<_>>();
        assert!(matches!(blocks[..], [XrBlock::Unknown(42), XrBlock::Rrtr(Rrtr { ntp: 9 })]), "{blocks:?}");
        let short_reference = [0x80, 207, 0, 3, 0, 0, 0, 7, 4, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(xr(&short_reference).blocks().count(), 0);
    }
}
