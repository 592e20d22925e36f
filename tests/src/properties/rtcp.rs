//! RTCP: what the worker reads is what two readers of our own read, and what was read is written and read again.
//!
//! Knows the public face of `tidegate_worker::rtcp`. Called through [`super::ALL`].
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::base::sequence::{Serial8, Serial16, Serial32};
use tidegate_worker::rtcp::{
    self, CompoundWriter, DlrrReport, FirEntry, Packet, PacketError, ReportBlock, SenderInfo, WideFeedback,
    WriteError,
};

use super::rtcp_expected::{Read, Wide, XrBlock, as_strict, compound, numbers};
use crate::world;
use crate::world::rtcp::Block;

/// `rtcp::packets` on any bytes.
pub fn rtcp_compound(data: &[u8]) {
    let expected = compound(data);
    let read: Vec<Read> = rtcp::packets(data).map(|packet| told(&packet)).collect();
    assert_eq!(read, expected);
    assert!(read.len() <= data.len() / 4 + 1, "more packets than fit");
    if let Ok(strict) = world::rtcp::read(data) {
        // A NACK without any number is malformed (RFC 4585 6.1), which the strict reader does not mind.
        let is_sound = !read.contains(&Read::Short(205));
        assert!(!is_sound || as_strict(&read) == Some(strict), "the strict reader reads something else");
    }
    for packet in read {
        assert_written_again(&packet);
        if let Read::WideFeedback(wide) = &packet {
            super::wide_feedback::assert_told_again(wide);
        }
    }
}

/// Sender and receiver reports; see `of_kind`.
pub fn rtcp_report(data: &[u8]) {
    of_kind(&[200, 201], data);
}

/// Source descriptions; see `of_kind`.
pub fn rtcp_sdes(data: &[u8]) {
    of_kind(&[202], data);
}

/// Goodbyes; see `of_kind`.
pub fn rtcp_bye(data: &[u8]) {
    of_kind(&[203], data);
}

/// Transport-wide feedback; see `of_kind`.
pub fn rtcp_twcc(data: &[u8]) {
    of_format(205, 15, &[], data);
}

/// Estimates of the bitrate (REMB); see `of_kind`.
pub fn rtcp_remb(data: &[u8]) {
    of_format(206, 15, &[0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B'], data);
}

/// As `of_kind`, with this format and a body that begins so.
fn of_format(kind: u8, format: u8, begin: &[u8], data: &[u8]) {
    let padding = data.first().map_or(0, |choice| if choice % 16 == 15 { 0x20 } else { 0 });
    let body = data.get(1..).unwrap_or_default();
    of_kind(&[kind], &[&[0, format | padding], begin, body].concat());
}

/// Feedback: NACK, PLI, FIR and what is none of them; see `of_kind`.
pub fn rtcp_feedback(data: &[u8]) {
    of_kind(&[205, 206], data);
}

/// Extended reports; see `of_kind`.
pub fn rtcp_xr(data: &[u8]) {
    of_kind(&[207], data);
}

/// A packet of one of `kinds` whose length is right, whatever else is not: the first byte chooses the kind, the second
/// is count and padding bit, the others are the body. The packet behind it is found.
fn of_kind(kinds: &[u8], data: &[u8]) {
    let Some(([choice, count], body)) = data.split_first_chunk::<2>() else { return };
    let kind = kinds[usize::from(*choice) % kinds.len()];
    let words = u16::try_from(body.len().min(60_000) / 4).expect("at most 15,000");
    let mut bytes = [&[0x80 | count & 0x3F, kind][..], &words.to_be_bytes()].concat();
    bytes.extend(&body[..4 * usize::from(words)]);
    bytes.extend([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    rtcp_compound(&bytes);
    let last = rtcp::packets(&bytes).last();
    assert!(matches!(last, Some(Ok(Packet::Pli(_)))), "a packet with a good length hid the next: {last:?}");
}

/// What the worker read, in the words of [`Read`].
fn told(packet: &Result<Packet<'_>, PacketError>) -> Read {
    match packet {
        Ok(Packet::SenderReport(report)) => {
            let [a, b, c, d, e, f, g, h] = report.info.ntp.to_be_bytes();
            let ntp = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
            let [timestamp, packets, bytes] =
                [report.info.rtp_timestamp.wire(), report.info.packets, report.info.bytes];
            let blocks = report.blocks().map(told_block).collect();
            let info = [ntp[0], ntp[1], timestamp, packets, bytes];
            Read::SenderReport { ssrc: report.ssrc, info, blocks }
        }
        Ok(Packet::ReceiverReport(report)) => {
            Read::ReceiverReport { ssrc: report.ssrc, blocks: report.blocks().map(told_block).collect() }
        }
        Ok(Packet::Sdes(sdes)) => told_sdes(sdes),
        Ok(Packet::Bye(bye)) => {
            Read::Bye { ssrcs: bye.ssrcs().collect(), reason: bye.reason.map(<[u8]>::to_vec) }
        }
        Ok(Packet::Nack(nack)) => {
            let items: Vec<_> = nack.items().map(|item| (item.first.wire(), item.following)).collect();
            let named: Vec<_> = nack.sequences().map(Serial16::wire).collect();
            assert_eq!(named, items.iter().flat_map(numbers).collect::<Vec<_>>());
            Read::Nack { sender: nack.sender_ssrc, media: nack.media_ssrc, items }
        }
        Ok(Packet::Pli(pli)) => Read::Pli { sender: pli.sender_ssrc, media: pli.media_ssrc },
        Ok(Packet::Fir(fir)) => {
            let entries = fir.entries().map(|entry| (entry.ssrc, entry.sequence.wire())).collect();
            Read::Fir { sender: fir.sender_ssrc, entries }
        }
        Ok(Packet::WideFeedback(feedback)) => Read::WideFeedback(told_wide(feedback)),
        Ok(Packet::Remb(remb)) => {
            let ssrcs = remb.ssrcs().collect();
            Read::Remb { sender: remb.sender_ssrc, bitrate: remb.bitrate, ssrcs }
        }
        Ok(Packet::Xr(xr)) => Read::Xr { ssrc: xr.ssrc, blocks: xr.blocks().map(told_xr).collect() },
        Ok(Packet::Unknown(other)) => {
            Read::Unknown { kind: other.packet_type, format: other.format, body: other.body.to_vec() }
        }
        Err(PacketError::HeaderTruncated) => Read::HeaderCut,
        Err(PacketError::Version(version)) => Read::Version(*version),
        Err(PacketError::Truncated) => Read::Cut,
        Err(PacketError::Padding) => Read::Padding,
        Err(PacketError::Body(kind)) => Read::Short(*kind),
    }
}

fn told_block(block: ReportBlock) -> Block {
    Block {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        cumulative_lost: block.cumulative_lost,
        extended_highest: block.extended_highest,
        jitter: block.jitter,
        last_sr: block.last_sr.wire(),
        delay: block.delay_since_last_sr,
    }
}

fn told_sdes(sdes: &rtcp::Sdes<'_>) -> Read {
    let chunks: Vec<_> = sdes.chunks().collect();
    let names = chunks.iter().filter_map(|chunk| Some((chunk.ssrc, chunk.cname()?)));
    assert!(sdes.cnames().eq(names));
    let items = |chunk: &rtcp::sdes::Chunk<'_>| {
        let items: Vec<_> = chunk.items().map(|(kind, text)| (kind, text.to_vec())).collect();
        let first = items.iter().find(|(kind, _)| *kind == 1).map(|(_, text)| text.as_slice());
        assert_eq!(chunk.cname(), first);
        (chunk.ssrc, items)
    };
    Read::Sdes(chunks.iter().map(items).collect())
}

fn told_xr(block: rtcp::XrBlock<'_>) -> XrBlock {
    match block {
        rtcp::XrBlock::Rrtr(time) => XrBlock::ReferenceTime(time.ntp),
        rtcp::XrBlock::Dlrr(dlrr) => {
            let words = |report: DlrrReport| [report.ssrc, report.last_rr.wire(), report.delay_since_last_rr];
            XrBlock::Dlrr(dlrr.reports().map(words).collect())
        }
        rtcp::XrBlock::Unknown(kind) => XrBlock::Unknown(kind),
    }
}

/// What the writer has a word for is written, and reads the same; a compound that is full is full by its bytes.
fn assert_written_again(packet: &Read) {
    let mut buffer = [0xA7; rtcp::COMPOUND_BYTES_MAX + 8];
    let mut writer = CompoundWriter::new(&mut buffer);
    let Some(written) = write(&mut writer, packet) else { return };
    match written {
        Err(error) => {
            assert!(writer.is_empty(), "{error} left a trace");
            let is_long = error == WriteError::NoRoom && length(packet) > rtcp::COMPOUND_BYTES_MAX;
            assert!(is_long || error == WriteError::Count, "{error} for {packet:?}");
        }
        Ok(()) => {
            let again = rtcp::packets(writer.bytes()).map(|packet| told(&packet)).collect::<Vec<_>>();
            assert_eq!(again.as_slice(), std::slice::from_ref(packet));
            assert_eq!(again, compound(writer.bytes()));
            assert_eq!(writer.len(), length(packet));
            if let Some(strict) = as_strict(&again) {
                assert_eq!(world::rtcp::read(writer.bytes()), Ok(strict));
            }
        }
    }
}

fn told_wide(feedback: &WideFeedback<'_>) -> Wide {
    Wide {
        sender: feedback.head.sender_ssrc,
        media: feedback.head.media_ssrc,
        base: feedback.head.base.wire(),
        statuses: feedback.status_count,
        reference: feedback.reference.wire(),
        count: feedback.head.count,
        received: feedback.received().map(|(number, tick)| (number.wire(), tick.wire())).collect(),
    }
}

/// Writes a packet, `None` when the writer has no word for it.
pub(super) fn write(writer: &mut CompoundWriter<'_>, packet: &Read) -> Option<Result<(), WriteError>> {
    Some(match packet {
        Read::SenderReport { ssrc, info: [seconds, fraction, timestamp, packets, bytes], blocks } => {
            let info = SenderInfo {
                ntp: u64::from(*seconds) << 32 | u64::from(*fraction),
                rtp_timestamp: Serial32::new(*timestamp),
                packets: *packets,
                bytes: *bytes,
            };
            writer.sender_report(*ssrc, &info, &own_blocks(blocks))
        }
        Read::ReceiverReport { ssrc, blocks } => writer.receiver_report(*ssrc, &own_blocks(blocks)),
        Read::Sdes(chunks) => match &chunks[..] {
            [(ssrc, items)] => match &items[..] {
                [(1, text)] => writer.cname(*ssrc, text),
                _ => return None,
            },
            _ => return None,
        },
        // An empty reason is left out.
        Read::Bye { reason: Some(reason), .. } if reason.is_empty() => return None,
        Read::Bye { ssrcs, reason } => writer.bye(ssrcs, reason.as_deref().unwrap_or_default()),
        Read::Nack { sender, media, items } => {
            let all: Vec<_> = items.iter().flat_map(numbers).map(Serial16::new).collect();
            if !are_packed(items) {
                return None;
            }
            return nack_written(writer.nack(*sender, *media, &all), all.len());
        }
        Read::Pli { sender, media } => writer.pli(*sender, *media),
        Read::Fir { sender, entries } => {
            let entry =
                |(ssrc, sequence): &(u32, u8)| FirEntry { ssrc: *ssrc, sequence: Serial8::new(*sequence) };
            writer.fir(*sender, &entries.iter().map(entry).collect::<Vec<_>>())
        }
        Read::Xr { ssrc, blocks } => match &blocks[..] {
            [XrBlock::ReferenceTime(ntp)] => writer.receiver_reference_time(*ssrc, *ntp),
            [XrBlock::Dlrr(reports)] => {
                let report = |[ssrc, last_rr, delay]: &[u32; 3]| DlrrReport {
                    ssrc: *ssrc,
                    last_rr: Serial32::new(*last_rr),
                    delay_since_last_rr: *delay,
                };
                writer.dlrr(*ssrc, &reports.iter().map(report).collect::<Vec<_>>())
            }
            _ => return None,
        },
        Read::Remb { sender, bitrate, ssrcs } => writer.remb(*sender, *bitrate, ssrcs),
        // There are many ways to say the same: see `wide_feedback`.
        _ => return None,
    })
}

/// A list that does not fit is written as far as it does: then the packet is not the same, and there is nothing to say.
fn nack_written(taken: Result<usize, WriteError>, all: usize) -> Option<Result<(), WriteError>> {
    match taken {
        Ok(taken) if taken == all => Some(Ok(())),
        Ok(taken) => {
            assert!((1..all).contains(&taken));
            None
        }
        Err(error) => Some(Err(error)),
    }
}

/// Whether the items are as our writer packs them: each as full as the numbers allow.
fn are_packed(items: &[(u16, u16)]) -> bool {
    items.windows(2).all(|pair| !(0..=16).contains(&pair[1].0.wrapping_sub(pair[0].0)))
}

fn own_blocks(blocks: &[Block]) -> Vec<ReportBlock> {
    let own = |block: &Block| ReportBlock {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        cumulative_lost: block.cumulative_lost,
        extended_highest: block.extended_highest,
        jitter: block.jitter,
        last_sr: Serial32::new(block.last_sr),
        delay_since_last_sr: block.delay,
    };
    blocks.iter().map(own).collect()
}

/// Bytes of a packet that the writer has a word for.
pub(super) fn length(packet: &Read) -> usize {
    4 + match packet {
        Read::SenderReport { blocks, .. } => 24 + 24 * blocks.len(),
        Read::ReceiverReport { blocks, .. } => 4 + 24 * blocks.len(),
        Read::Sdes(chunks) => chunks
            .iter()
            .map(|(_, items)| {
                4 + (items.iter().map(|(_, text)| 2 + text.len()).sum::<usize>() + 1).next_multiple_of(4)
            })
            .sum(),
        Read::Bye { ssrcs, reason } => {
            4 * ssrcs.len() + reason.as_ref().map_or(0, |reason| (1 + reason.len()).next_multiple_of(4))
        }
        Read::Nack { items, .. } => 8 + 4 * items.len(),
        Read::Fir { entries, .. } => 8 + 8 * entries.len(),
        Read::Remb { ssrcs, .. } => 16 + 4 * ssrcs.len(),
        Read::Xr { blocks, .. } => {
            let bytes = |block: &XrBlock| match block {
                XrBlock::ReferenceTime(_) => 12,
                XrBlock::Dlrr(reports) => 4 + 12 * reports.len(),
                XrBlock::Unknown(_) => 4,
            };
            4 + blocks.iter().map(bytes).sum::<usize>()
        }
        Read::Pli { .. } => 8,
        _ => 0,
    }
}
