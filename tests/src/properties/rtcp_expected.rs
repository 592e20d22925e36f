//! What the bytes of a compound mean (RFC 3550 6, 3611, 4585, 5104, and two drafts), for compounds that no strict reader takes as well.
//!
//! `world::rtcp` refuses whatever a worker must not send; a worker is more forgiving in what it takes. This reader says
//! exactly how forgiving. Written from the RFCs, slow and plain, with nothing of `tidegate_worker::rtcp`.
//! Called by the properties of RTCP. Invariant: as many values come out as packets went in, broken ones included.

use crate::world::rtcp::{Block, Rtcp};

/// One packet of a compound, or what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    SenderReport {
        ssrc: u32,
        info: [u32; 5],
        blocks: Vec<Block>,
    },
    ReceiverReport {
        ssrc: u32,
        blocks: Vec<Block>,
    },
    Sdes(Vec<Chunk>),
    Bye {
        ssrcs: Vec<u32>,
        reason: Option<Vec<u8>>,
    },
    Nack {
        sender: u32,
        media: u32,
        items: Vec<(u16, u16)>,
    },
    Pli {
        sender: u32,
        media: u32,
    },
    Fir {
        sender: u32,
        entries: Vec<(u32, u8)>,
    },
    WideFeedback(Wide),
    Remb {
        sender: u32,
        bitrate: u64,
        ssrcs: Vec<u32>,
    },
    Xr {
        ssrc: u32,
        blocks: Vec<XrBlock>,
    },
    Unknown {
        kind: u8,
        format: u8,
        body: Vec<u8>,
    },
    /// The padding count is wrong; the next packet is read.
    Padding,
    /// Too short for its content; the next packet is read.
    Short(u8),
    /// The end of what can be read.
    HeaderCut,
    /// The end of what can be read.
    Version(u8),
    /// The end of what can be read.
    Cut,
}

/// Transport-wide feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wide {
    pub(super) sender: u32,
    pub(super) media: u32,
    pub(super) base: u16,
    pub(super) statuses: u16,
    /// In ticks of 250 us.
    pub(super) reference: u32,
    pub(super) count: u8,
    /// Numbers, and ticks.
    pub(super) received: Vec<(u16, u32)>,
}

impl Wide {
    /// Of each number from the base on when it arrived.
    pub(super) fn arrivals(&self) -> Vec<Option<u32>> {
        let mut arrivals = vec![None; self.statuses.into()];
        for (number, tick) in &self.received {
            let slot = &mut arrivals[usize::from(number.wrapping_sub(self.base))];
            assert_eq!(slot.replace(*tick), None, "{number} is there twice");
        }
        arrivals
    }
}

/// A source and its items, by type and text.
pub(super) type Chunk = (u32, Vec<(u8, Vec<u8>)>);

/// A block of an extended report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum XrBlock {
    ReferenceTime(u64),
    Dlrr(Vec<[u32; 3]>),
    Unknown(u8),
}

/// All packets of a compound.
pub(super) fn compound(bytes: &[u8]) -> Vec<Read> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at..] {
            [_, _, high, low, ..] => at + 4 + 4 * (usize::from(high) * 256 + usize::from(low)),
            _ => {
                found.push(Read::HeaderCut);
                break;
            }
        };
        if bytes[at] / 64 != 2 {
            found.push(Read::Version(bytes[at] / 64));
            break;
        }
        let Some(packet) = bytes.get(at..end) else {
            found.push(Read::Cut);
            break;
        };
        found.push(one(packet));
        at = end;
    }
    found
}

/// One packet, header included.
fn one(packet: &[u8]) -> Read {
    let mut end = packet.len();
    if packet[0] & 0x20 != 0 {
        let padding = if end > 4 { usize::from(packet[end - 1]) } else { 0 };
        if padding == 0 || padding > end - 4 {
            return Read::Padding;
        }
        end -= padding;
    }
    let (format, kind) = (packet[0] & 0x1F, packet[1]);
    known(kind, format, &packet[4..end]).unwrap_or(Read::Short(kind))
}

/// `None` when the body is too short for what it must have.
fn known(kind: u8, format: u8, body: &[u8]) -> Option<Read> {
    let count = usize::from(format);
    let word = |index: usize| word_at(body, 4 * index);
    Some(match (kind, format) {
        (200, _) => {
            let info = [word(1)?, word(2)?, word(3)?, word(4)?, word(5)?];
            Read::SenderReport { ssrc: word(0)?, info, blocks: blocks(body.get(24..24 + 24 * count)?) }
        }
        (201, _) => Read::ReceiverReport { ssrc: word(0)?, blocks: blocks(body.get(4..4 + 24 * count)?) },
        (202, _) => Read::Sdes(chunks(count, body)),
        (203, _) => {
            let ssrcs = (0..count).map(word).collect::<Option<_>>()?;
            let text = body.get(4 * count).map(|bytes| 4 * count + 1..4 * count + 1 + usize::from(*bytes));
            Read::Bye { ssrcs, reason: text.and_then(|text| body.get(text)).map(<[u8]>::to_vec) }
        }
        (205, 1) => {
            let items = body.get(8..)?.chunks_exact(4);
            let items: Vec<_> = items
                .map(|item| (u16::from_be_bytes([item[0], item[1]]), u16::from_be_bytes([item[2], item[3]])))
                .collect();
            (!items.is_empty()).then_some(Read::Nack { sender: word(0)?, media: word(1)?, items })?
        }
        (205, 15) => Read::WideFeedback(wide_feedback(body)?),
        (206, 15) if body.get(8..12) == Some(b"REMB") => remb(body)?,
        (206, 1) => Read::Pli { sender: word(0)?, media: word(1)? },
        (206, 4) => {
            let entries = body.get(8..)?.chunks_exact(8);
            let mut entries: Vec<_> =
                entries.map(|entry| word_at(entry, 0).map(|ssrc| (ssrc, entry[4]))).collect::<Option<_>>()?;
            entries.shrink_to_fit();
            (!entries.is_empty()).then_some(Read::Fir { sender: word(0)?, entries })?
        }
        (207, _) => Read::Xr { ssrc: word(0)?, blocks: xr_blocks(&body[4..]) },
        _ => Read::Unknown { kind, format, body: body.to_vec() },
    })
}

/// draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1.
fn wide_feedback(body: &[u8]) -> Option<Wide> {
    let (base_and_count, time_and_count) = (word_at(body, 8)?, word_at(body, 12)?);
    let [base, statuses] =
        [base_and_count >> 16, base_and_count & 0xFFFF].map(|half| u16::try_from(half).expect("16 bits"));
    let (mut at, mut symbols) = (16, Vec::new());
    while symbols.len() < usize::from(statuses) {
        let chunk = u16::from_be_bytes(body.get(at..at + 2)?.try_into().expect("two"));
        at += 2;
        if chunk < 0x8000 {
            symbols.extend(std::iter::repeat_n(chunk / 0x2000, usize::from(chunk % 0x2000)));
        } else if chunk < 0xC000 {
            symbols.extend((0..14).map(|index| chunk / (1 << (13 - index)) % 2));
        } else {
            symbols.extend((0..7).map(|index| chunk / (1 << (12 - 2 * index)) % 4));
        }
    }
    let reference = time_and_count & 0xFFFF_FF00;
    let (mut tick, mut number, mut received) = (reference, base, Vec::new());
    for symbol in symbols.into_iter().take(statuses.into()) {
        let delta = match symbol {
            0 => None,
            1 => Some(i32::from(*body.get(at)?)),
            2 => Some(i32::from(i16::from_be_bytes(body.get(at..at + 2)?.try_into().expect("two")))),
            _ => return None,
        };
        at += usize::from(symbol);
        if let Some(delta) = delta {
            tick = tick.wrapping_add_signed(delta);
            received.push((number, tick));
        }
        number = number.wrapping_add(1);
    }
    let (sender, media) = (word_at(body, 0)?, word_at(body, 4)?);
    let count = time_and_count.to_be_bytes()[3];
    (statuses > 0).then_some(Wide { sender, media, base, statuses, reference, count, received })
}

/// draft-alvestrand-rmcat-remb-03 2.2.
fn remb(body: &[u8]) -> Option<Read> {
    let head = word_at(body, 12)?;
    let bitrate = u128::from(head % (1 << 18)) * (1 << (head >> 18 & 63));
    let ssrcs = (0..head as usize >> 24).map(|index| word_at(body, 16 + 4 * index)).collect::<Option<_>>()?;
    Some(Read::Remb { sender: word_at(body, 0)?, bitrate: u64::try_from(bitrate).ok()?, ssrcs })
}

fn blocks(bytes: &[u8]) -> Vec<Block> {
    let block = |bytes: &[u8]| {
        let words: Vec<u32> = (0..6).filter_map(|index| word_at(bytes, 4 * index)).collect();
        let lost = i32::try_from(words[1] % (1 << 24)).expect("24 bits");
        Block {
            ssrc: words[0],
            fraction_lost: bytes[4],
            cumulative_lost: if lost >= 1 << 23 { lost - (1 << 24) } else { lost },
            extended_highest: words[2],
            jitter: words[3],
            last_sr: words[4],
            delay: words[5],
        }
    };
    bytes.chunks_exact(24).map(block).collect()
}

/// RFC 3550 6.5: each chunk ends with a zero, then with more up to a whole word. A chunk that is cut off ends them.
fn chunks(count: usize, body: &[u8]) -> Vec<Chunk> {
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < count {
        let Some(ssrc) = word_at(body, at) else { break };
        let (mut item, mut items) = (at + 4, Vec::new());
        loop {
            match body.get(item..) {
                Some([0, ..]) => break,
                Some([kind, bytes, rest @ ..]) if rest.len() >= usize::from(*bytes) => {
                    items.push((*kind, rest[..usize::from(*bytes)].to_vec()));
                    item += 2 + usize::from(*bytes);
                }
                _ => return found,
            }
        }
        at = (item + 1).next_multiple_of(4);
        if at > body.len() {
            break;
        }
        found.push((ssrc, items));
    }
    found
}

/// RFC 3611 3. A block that is cut off ends them, and so does a reference time without its eight bytes.
fn xr_blocks(mut rest: &[u8]) -> Vec<XrBlock> {
    let mut found = Vec::new();
    while let [kind, _, high, low, after @ ..] = rest {
        let Some(content) = after.get(..4 * (usize::from(*high) * 256 + usize::from(*low))) else { break };
        rest = &after[content.len()..];
        found.push(match kind {
            4 => match (word_at(content, 0), word_at(content, 4)) {
                (Some(high), Some(low)) => XrBlock::ReferenceTime(u64::from(high) << 32 | u64::from(low)),
                _ => break,
            },
            5 => {
                let reports = content.chunks_exact(12);
                let words = |report: &[u8]| [0, 4, 8].map(|at| word_at(report, at).unwrap_or(0));
                XrBlock::Dlrr(reports.map(words).collect())
            }
            _ => XrBlock::Unknown(*kind),
        });
    }
    found
}

fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(word.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The same packets as the bed's strict reader has them; `None` when there is one that it has no word for.
pub(super) fn as_strict(read: &[Read]) -> Option<Vec<Rtcp>> {
    let mut found = Vec::new();
    for packet in read {
        match packet.clone() {
            Read::SenderReport { ssrc, info: [seconds, fraction, timestamp, packets, bytes], blocks } => {
                let ntp = u64::from(seconds) << 32 | u64::from(fraction);
                found.push(Rtcp::SenderReport { ssrc, ntp, timestamp, packets, bytes, blocks });
            }
            Read::ReceiverReport { ssrc, blocks } => found.push(Rtcp::ReceiverReport { ssrc, blocks }),
            Read::Sdes(chunks) => match &chunks[..] {
                [(ssrc, items)] => {
                    let [(1, text)] = &items[..] else { return None };
                    found.push(Rtcp::Cname { ssrc: *ssrc, cname: String::from_utf8(text.clone()).ok()? });
                }
                _ => return None,
            },
            Read::Bye { ssrcs, reason } => match ssrcs[..] {
                [ssrc] if reason.is_none() => found.push(Rtcp::Bye { ssrc }),
                _ => return None,
            },
            Read::Nack { sender, media, items } => {
                found.push(Rtcp::Nack { sender, media, sequences: items.iter().flat_map(numbers).collect() });
            }
            Read::Pli { sender, media } => found.push(Rtcp::Pli { sender, media }),
            Read::Fir { sender, entries } => match entries[..] {
                [(media, sequence)] => found.push(Rtcp::Fir { sender, media, sequence }),
                _ => return None,
            },
            Read::WideFeedback(wide) => found.push(Rtcp::WideFeedback {
                sender: wide.sender,
                media: wide.media,
                base: wide.base,
                count: wide.count,
                arrivals: wide.arrivals(),
            }),
            Read::Remb { sender, bitrate, ssrcs } => found.push(Rtcp::Remb { sender, bitrate, ssrcs }),
            Read::Xr { ssrc, blocks } => {
                for block in blocks {
                    found.push(match block {
                        XrBlock::ReferenceTime(ntp) => Rtcp::ReferenceTime { ssrc, ntp },
                        XrBlock::Dlrr(reports) => match reports[..] {
                            [[to, last_rr, delay]] => Rtcp::Dlrr { ssrc, to, last_rr, delay },
                            _ => return None,
                        },
                        XrBlock::Unknown(_) => return None,
                    });
                }
            }
            _ => return None,
        }
    }
    Some(found)
}

/// The numbers that an item of a NACK names (RFC 4585 6.2.1).
pub(super) fn numbers(item: &(u16, u16)) -> Vec<u16> {
    let (first, mask) = *item;
    let after = (0..16_u16).filter(|bit| mask & (1 << bit) != 0).map(|bit| first.wrapping_add(bit + 1));
    std::iter::once(first).chain(after).collect()
}
