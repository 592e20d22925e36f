//! RTCP as a peer reads and writes it (RFC 3550 6, RFC 3611, RFC 4585, RFC 5104, and the drafts of
//! transport-wide feedback and REMB), without the worker's own code.
//!
//! Knows bytes. Strict: what it does not accept a worker must not send. Being independent is its purpose, so it must
//! use nothing of `tidegate_worker::rtcp`.
//! Invariant: reading what was written gives the same packets.

use super::rtp::Reader;

/// One packet of a compound; of extended reports, one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rtcp {
    /// SR (RFC 3550 6.4.1).
    SenderReport {
        /// The stream.
        ssrc: u32,
        /// Wall time, 32.32.
        ntp: u64,
        /// The same instant on the media clock.
        timestamp: u32,
        /// Packets sent.
        packets: u32,
        /// Payload bytes sent.
        bytes: u32,
        /// What it received itself.
        blocks: Vec<Block>,
    },
    /// RR (RFC 3550 6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// One entry a stream.
        blocks: Vec<Block>,
    },
    /// SDES with one chunk of one CNAME (RFC 3550 6.5).
    Cname {
        /// The stream.
        ssrc: u32,
        /// Its canonical name.
        cname: String,
    },
    /// BYE (RFC 3550 6.6).
    Bye {
        /// The stream.
        ssrc: u32,
    },
    /// Generic NACK (RFC 4585 6.2.1).
    Nack {
        /// Who asks.
        sender: u32,
        /// The stream.
        media: u32,
        /// What is missing.
        sequences: Vec<u16>,
    },
    /// PLI (RFC 4585 6.3.1).
    Pli {
        /// Who asks.
        sender: u32,
        /// The stream.
        media: u32,
    },
    /// FIR with one entry (RFC 5104 4.3.1).
    Fir {
        /// Who asks.
        sender: u32,
        /// The stream.
        media: u32,
        /// Counts requests.
        sequence: u8,
    },
    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1).
    WideFeedback {
        /// Who reports.
        sender: u32,
        /// One of the streams.
        media: u32,
        /// The first number.
        base: u16,
        /// Counts feedback.
        count: u8,
        /// When each number from `base` on arrived, in ticks of 250 us that wrap at 2^32.
        arrivals: Vec<Option<u32>>,
    },
    /// REMB (draft-alvestrand-rmcat-remb-03 2.2).
    Remb {
        /// Who estimates.
        sender: u32,
        /// Bits per second.
        bitrate: u64,
        /// The streams.
        ssrcs: Vec<u32>,
    },
    /// XR receiver reference time (RFC 3611 4.4).
    ReferenceTime {
        /// Who tells its time.
        ssrc: u32,
        /// Wall time, 32.32.
        ntp: u64,
    },
    /// XR DLRR with one entry (RFC 3611 4.5).
    Dlrr {
        /// Who answers.
        ssrc: u32,
        /// Whom.
        to: u32,
        /// Middle of the other's reference time.
        last_rr: u32,
        /// Since then, 1/65,536 s.
        delay: u32,
    },
}

/// A report block (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The stream.
    pub ssrc: u32,
    /// Of the last interval, 1/256.
    pub fraction_lost: u8,
    /// 24 bits, signed.
    pub cumulative_lost: i32,
    /// Cycles and number.
    pub extended_highest: u32,
    /// Timestamp units.
    pub jitter: u32,
    /// Middle of the last sender report's time.
    pub last_sr: u32,
    /// Since then, 1/65,536 s.
    pub delay: u32,
}

/// Reads a compound; the sentence says what is wrong with it.
///
/// # Errors
/// Anything that the RFCs do not allow, and whatever is not in [`Rtcp`].
pub fn read(bytes: &[u8]) -> Result<Vec<Rtcp>, String> {
    let mut reader = Reader(bytes);
    let mut packets = Vec::new();
    if bytes.is_empty() {
        return Err("empty".into());
    }
    while !reader.0.is_empty() {
        let [first, kind, high, low] = *reader.take(4)? else { return Err("cut off".into()) };
        if first >> 6 != 2 || first & 0x20 != 0 {
            return Err(format!("version or padding in {first:#04x}"));
        }
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        let mut body = Reader(reader.take(length)?);
        read_packet(kind, first & 0x1F, &mut body, &mut packets)?;
        if !body.0.is_empty() {
            return Err(format!("{} bytes too many in a packet of type {kind}", body.0.len()));
        }
    }
    Ok(packets)
}

fn read_packet(kind: u8, count: u8, body: &mut Reader<'_>, packets: &mut Vec<Rtcp>) -> Result<(), String> {
    let packet = match (kind, count) {
        (200, _) => Rtcp::SenderReport {
            ssrc: body.u32()?,
            ntp: u64::from(body.u32()?) << 32 | u64::from(body.u32()?),
            timestamp: body.u32()?,
            packets: body.u32()?,
            bytes: body.u32()?,
            blocks: (0..count).map(|_| read_block(body)).collect::<Result<_, _>>()?,
        },
        (201, _) => Rtcp::ReceiverReport {
            ssrc: body.u32()?,
            blocks: (0..count).map(|_| read_block(body)).collect::<Result<_, _>>()?,
        },
        (202, 1) => read_cname(body)?,
        (203, 1) => Rtcp::Bye { ssrc: body.u32()? },
        (205, 1) => {
            let (sender, media) = (body.u32()?, body.u32()?);
            let mut sequences = Vec::new();
            while !body.0.is_empty() {
                let (first, mask) = (body.u16()?, body.u16()?);
                sequences.push(first);
                let marked = (0..16).filter(|bit| mask >> bit & 1 == 1);
                sequences.extend(marked.map(|bit: u16| first.wrapping_add(bit + 1)));
            }
            Rtcp::Nack { sender, media, sequences }
        }
        (206, 1) => Rtcp::Pli { sender: body.u32()?, media: body.u32()? },
        (206, 4) => {
            let (sender, unused) = (body.u32()?, body.u32()?);
            if unused != 0 {
                return Err("FIR names its media in the entries only".into());
            }
            Rtcp::Fir { sender, media: body.u32()?, sequence: body.u32()?.to_be_bytes()[0] }
        }
        (205, 15) => read_wide_feedback(body)?,
        (206, 15) => read_remb(body)?,
        (207, _) => return read_extended(body, packets),
        _ => return Err(format!("type {kind} with {count}")),
    };
    packets.push(packet);
    Ok(())
}

fn read_wide_feedback(body: &mut Reader<'_>) -> Result<Rtcp, String> {
    let (sender, media) = (body.u32()?, body.u32()?);
    let (base, statuses) = (body.u16()?, usize::from(body.u16()?));
    let [high, middle, low, count] = body.u32()?.to_be_bytes();
    let mut symbols = Vec::new();
    while symbols.len() < statuses {
        let chunk = body.u16()?;
        match chunk >> 14 {
            0 | 1 if chunk & 0x1FFF == 0 => return Err("a run of nothing".into()),
            0 | 1 => symbols.extend(std::iter::repeat_n(chunk >> 13, usize::from(chunk & 0x1FFF))),
            2 => symbols.extend((0..14).rev().map(|bit| chunk >> bit & 1)),
            _ => symbols.extend((0..7).rev().map(|pair| chunk >> (2 * pair) & 3)),
        }
        let is_run = chunk >> 15 == 0;
        let surplus = symbols.get(statuses..).unwrap_or_default();
        if is_run && !surplus.is_empty() || surplus.iter().any(|symbol| *symbol != 0) {
            return Err(format!("{statuses} statuses, and more in chunk {chunk:#06x}"));
        }
    }
    symbols.truncate(statuses);
    let mut tick = u32::from_be_bytes([high, middle, low, 0]);
    let mut arrivals = Vec::new();
    for symbol in symbols {
        let delta = match symbol {
            0 => None,
            1 => Some(i32::from(body.take(1)?[0])),
            2 => Some(i32::from(body.u16()?.cast_signed())),
            _ => return Err("the reserved symbol".into()),
        };
        arrivals.push(delta.map(|delta| {
            tick = tick.wrapping_add_signed(delta);
            tick
        }));
    }
    let filling = body.take(body.0.len())?;
    if filling.len() > 3 || filling.iter().any(|byte| *byte != 0) || arrivals.iter().all(Option::is_none) {
        return Err(format!("{} arrivals, and {filling:?} behind them", arrivals.len()));
    }
    Ok(Rtcp::WideFeedback { sender, media, base, count, arrivals })
}

fn read_remb(body: &mut Reader<'_>) -> Result<Rtcp, String> {
    let (sender, media, name, head) = (body.u32()?, body.u32()?, body.u32()?, body.u32()?);
    if media != 0 || name.to_be_bytes() != *b"REMB" {
        return Err(format!("application feedback {name:#x} about {media}"));
    }
    let (count, exponent, mantissa) = (head >> 24, head >> 18 & 0x3F, u64::from(head & 0x3_FFFF));
    let bitrate = u128::from(mantissa) << exponent;
    let bitrate = u64::try_from(bitrate).map_err(|_| format!("{bitrate} bits per second"))?;
    let ssrcs = (0..count).map(|_| body.u32()).collect::<Result<_, _>>()?;
    Ok(Rtcp::Remb { sender, bitrate, ssrcs })
}

fn read_block(body: &mut Reader<'_>) -> Result<Block, String> {
    let ssrc = body.u32()?;
    let [fraction_lost, high, middle, low] = body.u32()?.to_be_bytes();
    let sign = if high & 0x80 != 0 { 0xFF } else { 0 };
    Ok(Block {
        ssrc,
        fraction_lost,
        cumulative_lost: i32::from_be_bytes([sign, high, middle, low]),
        extended_highest: body.u32()?,
        jitter: body.u32()?,
        last_sr: body.u32()?,
        delay: body.u32()?,
    })
}

fn read_cname(body: &mut Reader<'_>) -> Result<Rtcp, String> {
    let ssrc = body.u32()?;
    let [1, length] = *body.take(2)? else { return Err("no CNAME item".into()) };
    let text = body.take(usize::from(length))?.to_vec();
    let cname = String::from_utf8(text).map_err(|error| error.to_string())?;
    let end = body.take(body.0.len())?;
    if end.is_empty() || end.len() > 4 || end.iter().any(|byte| *byte != 0) {
        return Err(format!("a chunk ends with {end:?}"));
    }
    Ok(Rtcp::Cname { ssrc, cname })
}

fn read_extended(body: &mut Reader<'_>, packets: &mut Vec<Rtcp>) -> Result<(), String> {
    let ssrc = body.u32()?;
    while !body.0.is_empty() {
        let [kind, _, high, low] = *body.take(4)? else { return Err("cut off".into()) };
        packets.push(match (kind, u16::from_be_bytes([high, low])) {
            (4, 2) => {
                Rtcp::ReferenceTime { ssrc, ntp: u64::from(body.u32()?) << 32 | u64::from(body.u32()?) }
            }
            (5, 3) => Rtcp::Dlrr { ssrc, to: body.u32()?, last_rr: body.u32()?, delay: body.u32()? },
            other => return Err(format!("extended report block {other:?}")),
        });
    }
    Ok(())
}

/// Writes a compound.
pub fn write(packets: &[Rtcp]) -> Vec<u8> {
    packets.iter().flat_map(write_packet).collect()
}

fn write_packet(packet: &Rtcp) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let count = |blocks: &[Block]| u8::try_from(blocks.len()).expect("at most 31 blocks");
    let (kind, count, body) = match packet {
        Rtcp::SenderReport { ssrc, ntp, timestamp, packets, bytes, blocks } => {
            let info = [&ssrc.to_be_bytes()[..], &ntp.to_be_bytes(), &words(&[*timestamp, *packets, *bytes])];
            (200, count(blocks), [info.concat(), write_blocks(blocks)].concat())
        }
        Rtcp::ReceiverReport { ssrc, blocks } => {
            (201, count(blocks), [words(&[*ssrc]), write_blocks(blocks)].concat())
        }
        Rtcp::Cname { ssrc, cname } => {
            let length = u8::try_from(cname.len()).expect("a short name");
            let mut body = [&words(&[*ssrc])[..], &[1, length], cname.as_bytes()].concat();
            body.resize((body.len() + 1).next_multiple_of(4), 0);
            (202, 1, body)
        }
        Rtcp::Bye { ssrc } => (203, 1, words(&[*ssrc])),
        Rtcp::Nack { sender, media, sequences } => {
            let items = sequences.iter().map(|sequence| u32::from(*sequence) << 16).collect::<Vec<_>>();
            (205, 1, [words(&[*sender, *media]), words(&items)].concat())
        }
        Rtcp::Pli { sender, media } => (206, 1, words(&[*sender, *media])),
        Rtcp::Fir { sender, media, sequence } => {
            (206, 4, words(&[*sender, 0, *media, u32::from(*sequence) << 24]))
        }
        Rtcp::WideFeedback { sender, media, base, count, arrivals } => {
            (205, 15, [words(&[*sender, *media]), write_arrivals(*base, *count, arrivals)].concat())
        }
        Rtcp::Remb { sender, bitrate, ssrcs } => {
            let exponent = (0..).find(|exponent| bitrate >> exponent < 1 << 18).expect("64 bits at most");
            let mantissa = u32::try_from(bitrate >> exponent).expect("18 bits");
            let streams = u32::try_from(ssrcs.len()).expect("a few");
            let head = [*sender, 0, u32::from_be_bytes(*b"REMB"), streams << 24 | exponent << 18 | mantissa];
            (206, 15, [words(&head), words(ssrcs)].concat())
        }
        Rtcp::ReferenceTime { ssrc, ntp } => {
            (207, 0, [&ssrc.to_be_bytes()[..], &[4, 0, 0, 2], &ntp.to_be_bytes()].concat())
        }
        Rtcp::Dlrr { ssrc, to, last_rr, delay } => {
            (207, 0, [words(&[*ssrc, 0x0500_0003]), words(&[*to, *last_rr, *delay])].concat())
        }
    };
    let length = u16::try_from(body.len() / 4).expect("a short packet").to_be_bytes();
    [&[0x80 | count, kind, length[0], length[1]], &body[..]].concat()
}

/// Every status in a chunk of its own, every delta a large one: long, and easily seen to be right.
fn write_arrivals(base: u16, count: u8, arrivals: &[Option<u32>]) -> Vec<u8> {
    let first = arrivals.iter().flatten().next().expect("something arrived");
    let statuses = u16::try_from(arrivals.len()).expect("a few");
    let [high, middle, low, _] = first.to_be_bytes();
    let mut tick = first & !0xFF;
    let (mut chunks, mut deltas) = (Vec::new(), Vec::new());
    for arrival in arrivals {
        chunks.extend([if arrival.is_some() { 0x40 } else { 0 }, 1]);
        if let Some(at) = arrival {
            let delta = i16::try_from(at.wrapping_sub(tick).cast_signed()).expect("within 8 s");
            deltas.extend(delta.to_be_bytes());
            tick = *at;
        }
    }
    let [base, statuses] = [base, statuses].map(u16::to_be_bytes);
    let mut body = [&base[..], &statuses, &[high, middle, low, count], &chunks, &deltas].concat();
    body.resize(body.len().next_multiple_of(4), 0);
    body
}

fn write_blocks(blocks: &[Block]) -> Vec<u8> {
    let each = blocks.iter().map(|block| {
        let [_, lost @ ..] = block.cumulative_lost.to_be_bytes();
        let tail = [block.extended_highest, block.jitter, block.last_sr, block.delay].map(u32::to_be_bytes);
        [&block.ssrc.to_be_bytes()[..], &[block.fraction_lost], &lost, tail.as_flattened()].concat()
    });
    each.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let block = Block { ssrc: 5, fraction_lost: 128, cumulative_lost: -3, ..Block::default() };
        let compound = [
            Rtcp::SenderReport { ssrc: 1, ntp: 2, timestamp: 3, packets: 4, bytes: 5, blocks: vec![block] },
            Rtcp::Cname { ssrc: 1, cname: "name".into() },
            Rtcp::ReceiverReport { ssrc: 6, blocks: vec![block, block] },
            Rtcp::ReferenceTime { ssrc: 7, ntp: u64::MAX },
            Rtcp::Dlrr { ssrc: 7, to: 8, last_rr: 9, delay: 10 },
            Rtcp::Nack { sender: 1, media: 2, sequences: vec![65_535, 3] },
            Rtcp::Pli { sender: 1, media: 2 },
            Rtcp::Fir { sender: 1, media: 2, sequence: 255 },
            Rtcp::WideFeedback {
                sender: 1,
                media: 2,
                base: 65_535,
                count: 9,
                arrivals: vec![None, Some(5), None, Some(u32::MAX), Some(300)],
            },
            Rtcp::Remb { sender: 1, bitrate: 0x3_FFFF << 20, ssrcs: vec![5, 6] },
            Rtcp::Bye { ssrc: 1 },
        ];
        assert_eq!(read(&write(&compound)), Ok(compound.to_vec()));
    }

    #[test]
    fn nonsense_is_refused() {
        let good = write(&[Rtcp::Pli { sender: 1, media: 2 }]);
        assert!(read(&good[..11]).is_err() && read(&[]).is_err());
        for (at, byte) in [(0, 0x41), (0, 0xA1), (0, 0x82), (1, 199), (3, 3)] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert!(read(&bytes).is_err(), "{at} {byte}");
        }
    }
}
