//! Writing a compound packet into a buffer that the caller owns.
//!
//! Knows lengths and counts. Does not know when a report is due or which packets must come first in a compound
//! (RFC 3550 6.1: SR or RR, then SDES): the caller orders them. Called by `media::transport`.
//! Invariant: what `bytes` returns is a sound compound at any time; a packet that does not fit leaves no trace.

use crate::base::sequence::{Serial16, Serial32};
use crate::rtcp::compound::{PSFB, RTPFB};
use crate::rtcp::cursor::Sink;
use crate::rtcp::nack::{ITEM_BYTES, Item};
use crate::rtcp::report::{BLOCK_BYTES, REPORT_BLOCKS_MAX, ReportBlock, SENDER_INFO_BYTES, SenderInfo};
use crate::rtcp::twcc::{self, WideFeedbackHead};
use crate::rtcp::xr::{DLRR_REPORT_BYTES, DlrrReport};
use crate::rtcp::{FirEntry, bye, keyframe, nack, remb, report, sdes, xr};

/// Longest compound in bytes: an MTU of 1,500 less IPv6 (40), TCP (20, for ICE over TCP) and the largest SRTCP trailer
/// (148). Other workers split here too.
pub const COMPOUND_BYTES_MAX: usize = 1_292;

/// Bytes of the common header.
const HEADER_BYTES: usize = 4;

/// Why a packet was not written. The compound is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Send the compound and write this packet into a new one.
    #[error("no room in the compound")]
    NoRoom,
    /// More entries than the packet's count or length can say, or none where there must be one.
    #[error("too many or too few entries for one RTCP packet")]
    Count,
    /// A text is longer than 255 bytes.
    #[error("a text in RTCP is longer than 255 bytes")]
    TextTooLong,
}

/// A compound in the making. Each method adds one whole packet or, with an error, nothing.
#[derive(Debug)]
pub struct CompoundWriter<'a> {
    out: &'a mut [u8],
    used: usize,
}

impl<'a> CompoundWriter<'a> {
    /// An empty compound in the first `COMPOUND_BYTES_MAX` bytes of `out`, or in all of it when it is shorter.
    pub fn new(out: &'a mut [u8]) -> Self {
        let room = out.len().min(COMPOUND_BYTES_MAX);
        Self { out: out.get_mut(..room).unwrap_or_default(), used: 0 }
    }

    /// The compound so far.
    pub fn bytes(&self) -> &[u8] {
        self.out.get(..self.used).unwrap_or_default()
    }

    /// Length of the compound so far.
    pub const fn len(&self) -> usize {
        self.used
    }

    /// True when nothing was written yet.
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Starts anew, after `bytes` were sent.
    pub const fn clear(&mut self) {
        self.used = 0;
    }

    /// Adds an SR with at most 31 blocks.
    ///
    /// # Errors
    /// `Count` for more blocks, `NoRoom`.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<(), WriteError> {
        let count = count_of(blocks.len(), REPORT_BLOCKS_MAX)?;
        let body_bytes = 4 + SENDER_INFO_BYTES + BLOCK_BYTES * blocks.len();
        self.packet(count, report::SENDER_REPORT, body_bytes, |mut sink| {
            sink.put_u32(ssrc)?;
            info.write(&mut sink)?;
            blocks.iter().try_for_each(|block| block.write(&mut sink))
        })
    }

    /// Adds an RR with at most 31 blocks; with none it says that its sender is there.
    ///
    /// # Errors
    /// `Count` for more blocks, `NoRoom`.
    pub fn receiver_report(&mut self, ssrc: u32, blocks: &[ReportBlock]) -> Result<(), WriteError> {
        let count = count_of(blocks.len(), REPORT_BLOCKS_MAX)?;
        let body_bytes = 4 + BLOCK_BYTES * blocks.len();
        self.packet(count, report::RECEIVER_REPORT, body_bytes, |mut sink| {
            sink.put_u32(ssrc)?;
            blocks.iter().try_for_each(|block| block.write(&mut sink))
        })
    }

    /// Adds an SDES with one source's CNAME of at most 255 bytes.
    ///
    /// # Errors
    /// `TextTooLong`, `NoRoom`.
    pub fn cname(&mut self, ssrc: u32, cname: &[u8]) -> Result<(), WriteError> {
        check_text(cname)?;
        let body_bytes = sdes::cname_chunk_len(cname.len());
        self.packet(1, sdes::SDES, body_bytes, |sink| sdes::write_cname_chunk(sink, ssrc, cname))
    }

    /// Adds a BYE of at most 31 sources. An empty reason is left out.
    ///
    /// # Errors
    /// `Count` for more sources, `TextTooLong`, `NoRoom`.
    pub fn bye(&mut self, ssrcs: &[u32], reason: &[u8]) -> Result<(), WriteError> {
        check_text(reason)?;
        let count = count_of(ssrcs.len(), bye::SOURCES_MAX)?;
        let body_bytes = 4 * ssrcs.len() + bye::reason_len(reason);
        self.packet(count, bye::BYE, body_bytes, |mut sink| {
            ssrcs.iter().try_for_each(|ssrc| sink.put_u32(*ssrc))?;
            if !reason.is_empty() {
                sink.put(&[u8::try_from(reason.len()).ok()?])?;
                sink.put(reason)?;
            }
            sink.fill();
            Some(())
        })
    }

    /// Adds a NACK for as many of `sequences`, from the first on, as there is room for, and returns how many that were:
    /// at least one. Sorted from old to new they take the fewest bytes: 4 for up to 17 neighbours.
    ///
    /// # Errors
    /// `Count` when there is none, `NoRoom` when not one fits.
    pub fn nack(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        sequences: &[Serial16],
    ) -> Result<usize, WriteError> {
        if sequences.is_empty() {
            return Err(WriteError::Count);
        }
        let room = self.out.len().saturating_sub(self.used + HEADER_BYTES + 8) / ITEM_BYTES;
        let (items, taken) = count_items(sequences, room);
        if items == 0 {
            return Err(WriteError::NoRoom);
        }
        self.packet(nack::FORMAT, RTPFB, 8 + ITEM_BYTES * items, |mut sink| {
            sink.put_u32(sender_ssrc)?;
            sink.put_u32(media_ssrc)?;
            let mut rest = sequences.get(..taken)?;
            while let Some((item, after)) = Item::pack(rest) {
                sink.put(&item.to_bytes())?;
                rest = after;
            }
            Some(())
        })?;
        Ok(taken)
    }

    /// Adds transport-wide feedback: of each number from `head.base` on when it arrived, in ticks of 250 us, or that it
    /// did not. Takes as many, from the first on, as there is room for and as lie within 8 s of the one that arrived
    /// before them, and returns how many that were, at most 65,535. The next packet begins with the number after those.
    ///
    /// # Errors
    /// `Count` when none of them arrived, `NoRoom` when not one that arrived fits.
    pub fn wide_feedback(
        &mut self,
        head: &WideFeedbackHead,
        arrivals: impl Iterator<Item = Option<Serial32>> + Clone,
    ) -> Result<u16, WriteError> {
        arrivals.clone().flatten().next().ok_or(WriteError::Count)?;
        let room = self.out.len().saturating_sub(self.used + HEADER_BYTES);
        let body = twcc::Body::plan(arrivals, room).ok_or(WriteError::NoRoom)?;
        self.packet(twcc::FORMAT, RTPFB, body.len(), |sink| body.write(head, sink))?;
        Ok(body.status_count())
    }

    /// Adds a REMB of `bitrate` bits per second, rounded down to 18 bits, for at most 255 streams.
    ///
    /// # Errors
    /// `Count` for more streams, `NoRoom`.
    pub fn remb(&mut self, sender_ssrc: u32, bitrate: u64, ssrcs: &[u32]) -> Result<(), WriteError> {
        if ssrcs.len() > remb::SSRCS_MAX {
            return Err(WriteError::Count);
        }
        self.packet(remb::FORMAT, PSFB, remb::body_len(ssrcs.len()), |mut sink| {
            remb::write(&mut sink, sender_ssrc, bitrate, ssrcs)
        })
    }

    /// Adds a PLI.
    ///
    /// # Errors
    /// `NoRoom`.
    pub fn pli(&mut self, sender_ssrc: u32, media_ssrc: u32) -> Result<(), WriteError> {
        self.packet(keyframe::FORMAT_PLI, PSFB, 8, |mut sink| {
            sink.put_u32(sender_ssrc)?;
            sink.put_u32(media_ssrc)
        })
    }

    /// Adds a FIR to one stream or more.
    ///
    /// # Errors
    /// `Count` when there is none, `NoRoom`.
    pub fn fir(&mut self, sender_ssrc: u32, entries: &[FirEntry]) -> Result<(), WriteError> {
        if entries.is_empty() {
            return Err(WriteError::Count);
        }
        let body_bytes = 8 + keyframe::FIR_ENTRY_BYTES * entries.len();
        self.packet(keyframe::FORMAT_FIR, PSFB, body_bytes, |mut sink| {
            sink.put_u32(sender_ssrc)?;
            sink.put_u32(0)?; // RFC 5104 4.3.1.2: the media SSRC is not used
            entries.iter().try_for_each(|entry| entry.write(&mut sink))
        })
    }

    /// Adds an XR with our reference time, an NTP time in 32.32 fixed point (RFC 3611 4.4).
    ///
    /// # Errors
    /// `NoRoom`.
    pub fn receiver_reference_time(&mut self, ssrc: u32, ntp: u64) -> Result<(), WriteError> {
        self.packet(0, xr::XR, 4 + HEADER_BYTES + 8, |mut sink| {
            sink.put_u32(ssrc)?;
            sink.put(&[xr::RRTR, 0, 0, 2])?;
            sink.put(&ntp.to_be_bytes())
        })
    }

    /// Adds an XR with the answers to others' reference times (RFC 3611 4.5).
    ///
    /// # Errors
    /// `Count` when there is none, `NoRoom`.
    pub fn dlrr(&mut self, ssrc: u32, reports: &[DlrrReport]) -> Result<(), WriteError> {
        if reports.is_empty() {
            return Err(WriteError::Count);
        }
        let block_bytes = DLRR_REPORT_BYTES * reports.len();
        let [words_high, words_low] = words_of(block_bytes)?;
        self.packet(0, xr::XR, 4 + HEADER_BYTES + block_bytes, |mut sink| {
            sink.put_u32(ssrc)?;
            sink.put(&[xr::DLRR, 0, words_high, words_low])?;
            reports.iter().try_for_each(|report| report.write(&mut sink))
        })
    }

    /// Adds a packet with a body of exactly `body_bytes`, a multiple of 4, which `write` fills.
    fn packet(
        &mut self,
        count: u8,
        packet_type: u8,
        body_bytes: usize,
        write: impl FnOnce(Sink<'_>) -> Option<()>,
    ) -> Result<(), WriteError> {
        debug_assert!(body_bytes.is_multiple_of(4) && count <= 31);
        let [words_high, words_low] = words_of(body_bytes)?;
        let end = self.used + HEADER_BYTES + body_bytes;
        let mut sink = Sink::new(self.out.get_mut(self.used..end).ok_or(WriteError::NoRoom)?);
        sink.put(&[0x80 | count, packet_type, words_high, words_low]).ok_or(WriteError::NoRoom)?;
        write(sink).ok_or(WriteError::NoRoom)?;
        self.used = end;
        Ok(())
    }
}

fn check_text(text: &[u8]) -> Result<(), WriteError> {
    if text.len() > sdes::TEXT_BYTES_MAX { Err(WriteError::TextTooLong) } else { Ok(()) }
}

/// A count for the 5 bits of the common header.
fn count_of(entries: usize, max: usize) -> Result<u8, WriteError> {
    u8::try_from(entries).ok().filter(|_| entries <= max).ok_or(WriteError::Count)
}

/// A length field, in words. What cannot be said by it is far too long for a compound.
fn words_of(bytes: usize) -> Result<[u8; 2], WriteError> {
    u16::try_from(bytes / 4).map(u16::to_be_bytes).map_err(|_| WriteError::NoRoom)
}

/// How many items, at most `items_max`, the first of `sequences` make, and how many numbers those hold.
fn count_items(sequences: &[Serial16], items_max: usize) -> (usize, usize) {
    let (mut items, mut rest) = (0, sequences);
    while items < items_max
        && let Some((_, after)) = Item::pack(rest)
    {
        items += 1;
        rest = after;
    }
    (items, sequences.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Packet, packets};

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 1,
            fraction_lost: 0,
            cumulative_lost: 0,
            extended_highest: 0,
            jitter: 0,
            last_sr: Serial32::new(0),
            delay_since_last_sr: 0,
        }
    }

    #[test]
    fn a_compound_holds_what_was_added_in_order() {
        let mut buffer = [0; 2_000];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.receiver_report(1, &[block(), block()]).unwrap();
        writer.cname(1, b"cname").unwrap();
        writer.receiver_reference_time(1, 5).unwrap();
        writer.nack(1, 2, &[Serial16::new(3)]).unwrap();
        let kinds = packets(writer.bytes()).collect::<Result<Vec<_>, _>>().unwrap();
        assert!(matches!(
            kinds[..],
            [Packet::ReceiverReport(_), Packet::Sdes(_), Packet::Xr(_), Packet::Nack(_)]
        ));
    }

    #[test]
    fn a_packet_that_does_not_fit_leaves_no_trace() {
        let mut buffer = [0; 31];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.pli(1, 2).unwrap();
        let before = writer.bytes().to_vec();
        assert_eq!(writer.receiver_report(1, &[block()]), Err(WriteError::NoRoom));
        assert_eq!(writer.cname(1, b"0123456789"), Err(WriteError::NoRoom));
        assert_eq!(writer.bytes(), before);
        writer.pli(1, 3).unwrap();
        assert_eq!(writer.nack(1, 2, &[Serial16::new(3)]), Err(WriteError::NoRoom));
        assert_eq!(writer.len(), 24);
        writer.clear();
        assert!(writer.is_empty());
    }

    #[test]
    fn the_bound_holds_in_a_larger_buffer() {
        let mut buffer = [0; 4_096];
        let mut writer = CompoundWriter::new(&mut buffer);
        while writer.receiver_report(1, &[block(); 31]).is_ok() {}
        while writer.pli(1, 2).is_ok() {}
        assert!(writer.len() <= COMPOUND_BYTES_MAX && writer.len() > COMPOUND_BYTES_MAX - 12);
    }

    #[test]
    fn counts_beyond_five_bits_and_empty_lists_are_refused() {
        let mut buffer = [0; 2_000];
        let mut writer = CompoundWriter::new(&mut buffer);
        assert_eq!(writer.receiver_report(1, &[block(); 32]), Err(WriteError::Count));
        assert_eq!(writer.bye(&[0; 32], b""), Err(WriteError::Count));
        assert_eq!(writer.nack(1, 2, &[]), Err(WriteError::Count));
        assert_eq!(writer.fir(1, &[]), Err(WriteError::Count));
        assert_eq!(writer.dlrr(1, &[]), Err(WriteError::Count));
        assert_eq!(writer.bye(&[], &[b'x'; 256]), Err(WriteError::TextTooLong));
        assert!(writer.is_empty());
    }
}
