//! What hostile participants send.
//!
//! Knows bytes: what the RFCs allow in harmful numbers, and what they do not allow. Does not know the worker or what may
//! come of it. What looks like a packet comes from the generators of `crate::properties`, made worse.
//! Invariant: the same seed attacks in the same way, whatever the worker answers, but for numbers that it sent.

use std::net::SocketAddr;

use tidegate_protocol::ids::ProducerId;

use crate::fuzz::Dice;
use crate::properties;
use crate::world::parameters::{AUDIO_LEVEL, MID, Stream};
use crate::world::rtcp::{Block, Rtcp, write};
use crate::world::rtp::RtpPacket;

/// Who attacks, with what it knows.
pub(super) struct Target {
    /// The attacker's address, which the worker takes packets from.
    pub(super) from: SocketAddr,
    /// Where the worker listens.
    pub(super) to: SocketAddr,
    /// What the attacker has producers for: video and sound.
    pub(super) streams: [Stream; 2],
    pub(super) producers: [ProducerId; 2],
    /// What it has consumers for.
    pub(super) consumed: Vec<u32>,
    /// SSRCs and numbers that the worker sent it lately.
    heard: Vec<(u32, u16)>,
    sequence: u16,
    timestamp: u32,
    last_ssrc: u32,
    fir_sequence: u8,
}

impl Target {
    pub(super) fn new(
        from: SocketAddr,
        to: SocketAddr,
        streams: [Stream; 2],
        producers: [ProducerId; 2],
        consumed: Vec<u32>,
    ) -> Self {
        Self {
            from,
            to,
            streams,
            producers,
            consumed,
            heard: Vec::new(),
            sequence: 65_000,
            timestamp: u32::MAX - 9_000,
            last_ssrc: 0x5000_0000,
            fir_sequence: 0,
        }
    }

    /// Something came from the worker, which can be asked for again.
    pub(super) fn hears(&mut self, ssrc: u32, sequence: u16) {
        if self.heard.len() == HEARD_MAX {
            self.heard.remove(0);
        }
        self.heard.push((ssrc, sequence));
    }
}

/// Header extensions of hostile producers.
pub(super) const EXTENSIONS: [(&str, u8); 2] = [(MID, 1), (AUDIO_LEVEL, 3)];

/// Draws attacks.
pub(super) struct Attacker {
    dice: Dice,
    /// Attacks by kind, to see that all were tried.
    pub(super) tried: [u32; KINDS.len()],
}

/// Datagrams of one attack.
type Attack = fn(&mut Dice, &mut Target, u64) -> Vec<Vec<u8>>;

const KINDS: [Attack; 11] = [
    key_frame_flood,
    nack_flood,
    absurd_reports,
    jumping_clocks,
    junk,
    rtx_storm,
    many_streams,
    extension_junk,
    jumping_numbers,
    media_storm,
    damaged,
];

impl Attacker {
    pub(super) fn of(seed: u64) -> Self {
        Self { dice: Dice::new(seed, OTHER_THAN_THE_STORYS), tried: [0; KINDS.len()] }
    }

    /// What one participant sends in one tick; `wall` is an NTP time.
    pub(super) fn attacks(&mut self, target: &mut Target, wall: u64) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        for _ in 0..self.dice.below(4) {
            let kind = self.dice.below(KINDS.len());
            self.tried[kind] += 1;
            datagrams.extend(KINDS[kind](&mut self.dice, target, wall));
        }
        datagrams
    }
}

/// PLI and FIR for everything, each of them a new request.
fn key_frame_flood(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    let datagrams = 1 + dice.below(60);
    let mut request = |media: u32, pli: bool| {
        target.fir_sequence = target.fir_sequence.wrapping_add(1);
        let sequence = target.fir_sequence;
        if pli { Rtcp::Pli { sender: 1, media } } else { Rtcp::Fir { sender: 1, media, sequence } }
    };
    let consumed = target.consumed.clone();
    let mut compound = || {
        let requests = (0..20).map(|_| request(*dice.pick(&consumed).unwrap_or(&0), dice.chance(50)));
        write(&requests.collect::<Vec<_>>())
    };
    (0..datagrams).map(|_| compound()).collect()
}

/// Up to 256 items of 17 numbers each, of what came, of what was never sent, and the same again and again. Half of them
/// behind a report by which the round trip is next to nothing.
fn nack_flood(dice: &mut Dice, target: &mut Target, wall: u64) -> Vec<Vec<u8>> {
    let any = (*dice.pick(&target.consumed).unwrap_or(&0), number(dice));
    let (media, newest) = dice.pick(&target.heard).copied().filter(|_| dice.chance(80)).unwrap_or(any);
    let items = 1 + dice.below(256);
    let (step, mask) =
        (*dice.pick(&[0_u16, 1, 17]).unwrap_or(&17), *dice.pick(&[0xFFFF_u16, 0, 1]).unwrap_or(&0));
    let start = newest.wrapping_sub(u16::from(dice.byte()) * 4);
    let body: Vec<u8> = (0..items)
        .zip(0_u16..)
        .flat_map(|(_, item)| [start.wrapping_add(item.wrapping_mul(step)), mask])
        .flat_map(u16::to_be_bytes)
        .collect();
    let head = [1_u32.to_be_bytes(), media.to_be_bytes()].concat();
    let nack = rtcp(1, 205, &[head, body].concat());
    let now = u32::try_from(wall >> 16 & 0xFFFF_FFFF).unwrap_or(0);
    let near = Block { ssrc: media, last_sr: now.wrapping_sub(1), delay: 0, ..Block::default() };
    let report = write(&[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![near] }]);
    let again = 1 + dice.below(20);
    let mut datagrams = vec![if dice.chance(50) { report } else { nack.clone() }];
    datagrams.extend(std::iter::repeat_n(nack, again));
    datagrams
}

/// Receiver reports in which every field lies, 31 blocks each.
fn absurd_reports(dice: &mut Dice, target: &mut Target, wall: u64) -> Vec<Vec<u8>> {
    let now = u32::try_from(wall >> 16 & 0xFFFF_FFFF).unwrap_or(0);
    let extreme = |dice: &mut Dice| {
        let some = dice.any().to_le_bytes();
        let some = u32::from_le_bytes([some[0], some[1], some[2], some[3]]);
        *dice
            .pick(&[0, 1, u32::MAX, 0x8000_0000, 0x7FFF_FFFF, now, now.wrapping_add(0x1_0000), some])
            .unwrap_or(&0)
    };
    let mut block = || Block {
        ssrc: *dice.pick(&target.consumed).unwrap_or(&0),
        fraction_lost: dice.byte(),
        cumulative_lost: *dice.pick(&[0, -0x80_0000, 0x7F_FFFF, -1]).unwrap_or(&0),
        extended_highest: extreme(dice),
        jitter: extreme(dice),
        last_sr: extreme(dice),
        delay: extreme(dice),
    };
    let mut report = || Rtcp::ReceiverReport { ssrc: 1, blocks: (0..31).map(|_| block()).collect() };
    (0..20).map(|_| write(&[report()])).collect()
}

/// Sender reports and reference times of its own streams, and of others', from all times.
fn jumping_clocks(dice: &mut Dice, target: &mut Target, wall: u64) -> Vec<Vec<u8>> {
    let mut report = || {
        let own = target.streams[dice.below(2)].ssrc;
        let ssrc = *dice.pick(&[own, own, 16, 18, 0]).unwrap_or(&own);
        let ntp =
            *dice.pick(&[0, u64::MAX, wall, wall >> 1, wall.wrapping_add(1 << 40), 1 << 63]).unwrap_or(&0);
        let timestamp = *dice.pick(&[0, u32::MAX, 0x8000_0000, target.timestamp]).unwrap_or(&0);
        let delay = u32::from(dice.byte()) << 24;
        write(&[
            Rtcp::SenderReport { ssrc, ntp, timestamp, packets: u32::MAX, bytes: 0, blocks: Vec::new() },
            Rtcp::ReferenceTime { ssrc, ntp },
            Rtcp::Dlrr { ssrc, to: ssrc, last_rr: timestamp, delay },
        ])
    };
    (0..30).map(|_| report()).collect()
}

/// BYE of everybody, names that are none, APP, blocks of extended reports that nobody knows.
fn junk(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    let ssrc = *dice.pick(&[16, 18, target.streams[0].ssrc, target.consumed[0]]).unwrap_or(&0);
    let mut one = || {
        let kind = *dice.pick(&[202, 203, 204, 207, 192, 195, 208, 223]).unwrap_or(&204);
        let words = 1 + dice.below(60);
        let body = [ssrc.to_be_bytes().to_vec(), dice.bytes(4 * words)].concat();
        let count = dice.byte();
        [write(&[Rtcp::Bye { ssrc }]), rtcp(count, kind, &body)].concat()
    };
    (0..20).map(|_| one()).collect()
}

/// Retransmissions of what was never sent, of what was not asked for, and of nothing.
fn rtx_storm(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    let [video, _] = &target.streams;
    let mut one = || RtpPacket {
        payload_type: video.rtx_payload_type,
        sequence: number(dice),
        timestamp: target.timestamp,
        ssrc: video.rtx_ssrc.unwrap_or(0),
        payload: match dice.below(4) {
            0 => dice.bytes(1),
            1 => Vec::new(),
            _ => [&target.sequence.wrapping_sub(number(dice) % 512).to_be_bytes()[..], &[0x10, 1, 2, 3]]
                .concat(),
        },
        padding: 1 + dice.byte() % 20,
        ..RtpPacket::default()
    };
    (0..200).map(|_| one().write()).collect()
}

/// A thousand streams that nobody announced, some under a name that somebody might have.
fn many_streams(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    let mut one = || {
        target.last_ssrc += 1;
        RtpPacket {
            payload_type: target.streams[0].payload_type,
            sequence: number(dice),
            ssrc: target.last_ssrc,
            extensions: if dice.chance(30) { vec![(1, dice.bytes(3))] } else { Vec::new() },
            payload: vec![0x10, 0, 1, 2],
            ..RtpPacket::default()
        }
    };
    (0..1_000).map(|_| one().write()).collect()
}

/// Its own stream with header extensions that are not what they say.
fn extension_junk(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    let mut one = |_| {
        let mut bytes = own_media(target, 0).write();
        bytes[0] |= 0x10;
        let profile =
            *dice.pick(&[[0xBE, 0xDE], [0x10, 0x00], [0x10, 0x0F], [0, 0], [0xFF, 0xFF]]).unwrap_or(&[0, 0]);
        let words = dice.below(40);
        let told = if dice.chance(80) { words } else { dice.below(65_536) };
        let told = u16::try_from(told).unwrap_or(u16::MAX).to_be_bytes();
        let block = [&profile[..], &told, &dice.bytes(4 * words)].concat();
        drop(bytes.splice(12..12, block));
        bytes
    };
    (0..40).map(&mut one).collect()
}

/// Its own streams with gaps of all sizes, back and forth.
fn jumping_numbers(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    let mut one = |_| {
        let jump = *dice.pick(&[2, 10, 300, 999, 1_001, 5_000, 0x8000, 0xFFF0]).unwrap_or(&2);
        target.sequence = target.sequence.wrapping_add(jump);
        if dice.chance(20) {
            target.timestamp = target.timestamp.wrapping_add(0x4000_0000);
        }
        own_media(target, usize::from(dice.chance(30))).write()
    };
    (0..30).map(&mut one).collect()
}

/// As much of its own video as fits a tick.
fn media_storm(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    (0..dice.below(150)).map(|_| own_media(target, 0).write()).collect()
}

/// Packets of all kinds, mostly about streams that there are, and mostly damaged.
fn damaged(dice: &mut Dice, target: &mut Target, _: u64) -> Vec<Vec<u8>> {
    (0..60).map(|_| damaged_one(dice, target)).collect()
}

fn damaged_one(dice: &mut Dice, target: &Target) -> Vec<u8> {
    let drawn =
        |dice: &mut Dice, name| properties::named(name).map_or_else(Vec::new, |known| (known.draw)(dice));
    let (name, kind) = *dice.pick(&DRAWN).unwrap_or(&DRAWN[0]);
    let mut bytes = drawn(dice, name);
    if let (Some(kind), Some((count, body))) = (kind, bytes.get(1..).and_then(<[u8]>::split_first)) {
        bytes = rtcp(*count, kind + dice.byte() % 2, body);
    }
    let known = [
        target.streams[0].ssrc,
        target.streams[1].ssrc,
        target.streams[0].rtx_ssrc.unwrap_or(0),
        target.consumed[dice.below(target.consumed.len())],
        16,
    ];
    for at in [4, 8, 12] {
        let ssrc = dice.pick(&known).copied().unwrap_or(0).to_be_bytes();
        if let Some(place) = bytes.get_mut(at..at + 4).filter(|_| dice.chance(60)) {
            place.copy_from_slice(&ssrc);
        }
    }
    for _ in 0..dice.below(4) {
        let at = dice.below(bytes.len());
        let flipped = dice.byte();
        match bytes.get_mut(at) {
            Some(byte) if dice.chance(80) => *byte ^= flipped,
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// The next packet of one of its own streams.
fn own_media(target: &mut Target, which: usize) -> RtpPacket {
    let stream = &target.streams[which];
    target.sequence = target.sequence.wrapping_add(1);
    target.timestamp = target.timestamp.wrapping_add(300);
    RtpPacket {
        payload_type: stream.payload_type,
        sequence: target.sequence,
        timestamp: target.timestamp,
        ssrc: stream.ssrc,
        payload: vec![0x10, u8::from(!target.sequence.is_multiple_of(16)), 7, 7, 7, 7, 7, 7],
        ..RtpPacket::default()
    }
}

/// A packet of RTCP with a length that is right.
fn rtcp(count: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let words = u16::try_from(body.len().min(1_400) / 4).unwrap_or(0);
    let whole = body.get(..usize::from(words) * 4).unwrap_or_default();
    [&[0x80 | count & 0x1F, kind][..], &words.to_be_bytes(), whole].concat()
}

fn number(dice: &mut Dice) -> u16 {
    u16::from_be_bytes([dice.byte(), dice.byte()])
}

/// Generators, and of those that draw bodies the packet type, or the one before it.
const DRAWN: [(&str, Option<u8>); 9] = [
    ("rtp_header", None),
    ("rtcp_compound", None),
    ("rtcp_compound", None),
    ("rtcp_report", Some(200)),
    ("rtcp_sdes", Some(202)),
    ("rtcp_bye", Some(203)),
    ("rtcp_feedback", Some(205)),
    ("rtcp_twcc", Some(205)),
    ("rtcp_xr", Some(207)),
];
const HEARD_MAX: usize = 64;
const OTHER_THAN_THE_STORYS: u64 = 0x0BAD;
