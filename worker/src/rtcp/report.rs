//! Sender and receiver reports (RFC 3550 6.4).
//!
//! Knows the fields, not how they are reckoned: that is `stream::report`. Invariant: a parsed report has as many blocks
//! as its header counts.

use crate::base::sequence::Serial32;
use crate::rtcp::cursor::{Sink, take, take_u32, take_u64};

/// Packet type of SR.
pub(super) const SENDER_REPORT: u8 = 200;
/// Packet type of RR.
pub(super) const RECEIVER_REPORT: u8 = 201;

/// Most report blocks of one packet: the count has 5 bits.
pub const REPORT_BLOCKS_MAX: usize = 31;

/// Bytes of a report block.
pub(super) const BLOCK_BYTES: usize = 24;
/// Bytes of the sender information.
pub(super) const SENDER_INFO_BYTES: usize = 20;

/// SR: what a sender sent, and what it received (RFC 3550 6.4.1).
#[derive(Clone, Debug)]
pub struct SenderReport<'a> {
    /// The sender.
    pub ssrc: u32,
    /// What it sent.
    pub info: SenderInfo,
    blocks: &'a [u8],
}

/// The sender information of an SR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent: NTP time, seconds since 1900 in 32.32 fixed point.
    pub ntp: u64,
    /// The same instant on the stream's RTP clock.
    pub rtp_timestamp: Serial32,
    /// RTP packets sent so far, modulo 2^32.
    pub packets: u32,
    /// Payload bytes sent so far, modulo 2^32, without headers and padding.
    pub bytes: u32,
}

/// RR: what somebody received (RFC 3550 6.4.2).
#[derive(Clone, Debug)]
pub struct ReceiverReport<'a> {
    /// The one who reports.
    pub ssrc: u32,
    blocks: &'a [u8],
}

/// How one stream is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Share of packets lost since the previous report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start, -8,388,608..=8,388,607: duplicates make it negative. Written saturated.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the number of cycles in the high 16 bits.
    pub extended_highest: u32,
    /// Interarrival jitter in units of the RTP clock (RFC 3550 A.8).
    pub jitter: u32,
    /// `compact_ntp` of the last SR received from this stream; 0: none yet.
    pub last_sr: Serial32,
    /// Time from that SR's arrival to this report, in 1/65,536 s; 0 when there was none.
    pub delay_since_last_sr: u32,
}

/// The middle 32 bits of an NTP time (RFC 3550 4): seconds in 16.16 fixed point, which wrap every 18.2 hours.
pub const fn compact_ntp(ntp: u64) -> Serial32 {
    let [_, _, high, b, c, low, _, _] = ntp.to_be_bytes();
    Serial32::new(u32::from_be_bytes([high, b, c, low]))
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, mut body: &'a [u8]) -> Option<Self> {
        let ssrc = take_u32(&mut body)?;
        let info = SenderInfo {
            ntp: take_u64(&mut body)?,
            rtp_timestamp: Serial32::new(take_u32(&mut body)?),
            packets: take_u32(&mut body)?,
            bytes: take_u32(&mut body)?,
        };
        Some(Self { ssrc, info, blocks: counted_blocks(count, body)? })
    }

    /// What the sender received from others, if it reports that.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, mut body: &'a [u8]) -> Option<Self> {
        let ssrc = take_u32(&mut body)?;
        Some(Self { ssrc, blocks: counted_blocks(count, body)? })
    }

    /// One block for each stream reported on; may be none.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}

/// The bytes of the blocks. Profile-specific extensions may follow them (RFC 3550 6.4.3), which are left out.
fn counted_blocks(count: u8, body: &[u8]) -> Option<&[u8]> {
    body.get(..BLOCK_BYTES * usize::from(count))
}

fn blocks(bytes: &[u8]) -> impl Iterator<Item = ReportBlock> + use<'_> {
    bytes.chunks_exact(BLOCK_BYTES).filter_map(ReportBlock::parse)
}

impl SenderInfo {
    pub(super) fn write(&self, sink: &mut Sink<'_>) -> Option<()> {
        sink.put(&self.ntp.to_be_bytes())?;
        sink.put_u32(self.rtp_timestamp.wire())?;
        sink.put_u32(self.packets)?;
        sink.put_u32(self.bytes)
    }
}

impl ReportBlock {
    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let ssrc = take_u32(&mut bytes)?;
        let [fraction_lost, high, middle, low] = take(&mut bytes)?;
        Some(Self {
            ssrc,
            fraction_lost,
            // Into the high 24 bits and back, so that the sign comes along.
            cumulative_lost: i32::from_be_bytes([high, middle, low, 0]) >> 8,
            extended_highest: take_u32(&mut bytes)?,
            jitter: take_u32(&mut bytes)?,
            last_sr: Serial32::new(take_u32(&mut bytes)?),
            delay_since_last_sr: take_u32(&mut bytes)?,
        })
    }

    pub(super) fn write(&self, sink: &mut Sink<'_>) -> Option<()> {
        let [_, high, middle, low] = self.cumulative_lost.clamp(LOST_MIN, LOST_MAX).to_be_bytes();
        sink.put_u32(self.ssrc)?;
        sink.put(&[self.fraction_lost, high, middle, low])?;
        sink.put_u32(self.extended_highest)?;
        sink.put_u32(self.jitter)?;
        sink.put_u32(self.last_sr.wire())?;
        sink.put_u32(self.delay_since_last_sr)
    }
}

/// RFC 3550 6.4.1: the cumulative number of packets lost is a signed 24-bit integer.
const LOST_MAX: i32 = 0x007F_FFFF;
const LOST_MIN: i32 = -0x0080_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{CompoundWriter, Packet, packets};
    use proptest::prelude::*;

    fn block(cumulative_lost: i32) -> ReportBlock {
        ReportBlock {
            ssrc: 0x0102_0304,
            fraction_lost: 255,
            cumulative_lost,
            extended_highest: 0x0001_FFFF,
            jitter: 77,
            last_sr: Serial32::new(0xDDDD_EEEE),
            delay_since_last_sr: 65_536,
        }
    }

    fn written(blocks: &[ReportBlock]) -> Vec<u8> {
        let mut buffer = [0; 1292];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.receiver_report(9, blocks).unwrap();
        writer.bytes().to_vec()
    }

    fn read(bytes: &[u8]) -> Vec<ReportBlock> {
        match packets(bytes).next() {
            Some(Ok(Packet::ReceiverReport(report))) => report.blocks().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_receiver_report_has_the_layout_of_the_rfc() {
        let expected = [
            0x81, 201, 0, 7, 0, 0, 0, 9, // header, reporter
            1, 2, 3, 4, 255, 0xFF, 0xFF, 0xFE, 0, 1, 0xFF, 0xFF, 0, 0, 0, 77, 0xDD, 0xDD, 0xEE, 0xEE, 0, 1,
            0, 0,
        ];
        assert_eq!(written(&[block(-2)]), expected);
    }

    #[test]
    fn cumulative_loss_is_signed_and_saturates() {
        for (lost, read_back) in [
            (-1, -1),
            (0x007F_FFFF, 0x007F_FFFF),
            (0x0080_0000, 0x007F_FFFF),
            (-0x0080_0000, -0x0080_0000),
            (i32::MIN, -0x0080_0000),
            (i32::MAX, 0x007F_FFFF),
        ] {
            assert_eq!(read(&written(&[block(lost)])), [block(read_back)]);
        }
    }

    #[test]
    fn the_middle_of_an_ntp_time_is_taken() {
        assert_eq!(compact_ntp(0x1122_3344_5566_7788), Serial32::new(0x3344_5566));
    }

    #[test]
    fn a_count_beyond_the_body_is_refused_and_profile_extensions_are_left_out() {
        let mut bytes = written(&[block(1)]);
        bytes.extend([0xAA; 4]);
        bytes[3] += 1;
        assert_eq!(read(&bytes), [block(1)]);
        bytes[0] += 1;
        assert!(packets(&bytes).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_report_survives_the_way_there_and_back(
            ssrc: u32, ntp: u64, timestamp: u32, sent: (u32, u32),
            blocks in proptest::collection::vec(
                (any::<[u32; 5]>(), any::<u8>(), LOST_MIN..=LOST_MAX), 0..=31),
        ) {
            let info = SenderInfo { ntp, rtp_timestamp: Serial32::new(timestamp), packets: sent.0, bytes: sent.1 };
            let blocks = blocks.into_iter().map(|([ssrc, highest, jitter, sr, delay], fraction, lost)| ReportBlock {
                ssrc,
                fraction_lost: fraction,
                cumulative_lost: lost,
                extended_highest: highest,
                jitter,
                last_sr: Serial32::new(sr),
                delay_since_last_sr: delay,
            }).collect::<Vec<_>>();
            let mut buffer = [0; 1292];
            let mut writer = CompoundWriter::new(&mut buffer);
            writer.sender_report(ssrc, &info, &blocks).unwrap();
            match packets(writer.bytes()).next() {
                Some(Ok(Packet::SenderReport(report))) => {
                    prop_assert_eq!((report.ssrc, report.info), (ssrc, info));
                    prop_assert_eq!(report.blocks().collect::<Vec<_>>(), blocks);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
