//! Datagrams of a script: streams that the worker expects, feedback on what it sends, damage and noise.
//!
//! Knows RTP and RTCP through the bed's writers, and the model. Called by [`super::worker`].
//! Invariant: payloads of media differ from one another, so that none can be taken for another.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tidegate_protocol::rtp::MediaKind;

use crate::fuzz::Dice;
use crate::fuzz::commands::{AUDIO_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPE, ssrc_of};
use crate::fuzz::model::{Model, Producer};
use crate::world::peer::address;
use crate::world::rtcp::{self, Block, Rtcp};
use crate::world::rtp::RtpPacket;

/// Where streams have got to.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Sequence number and timestamp by SSRC.
    streams: BTreeMap<u32, (u16, u32)>,
    payloads: u32,
    last: Vec<u8>,
    /// SSRCs and numbers that the worker sent lately, to be asked for again.
    heard: Vec<(u32, u16)>,
}

/// Everybody who may be sent to.
pub(super) fn peers(main: SocketAddr) -> [SocketAddr; 3] {
    [main, address(1, 4_001), address(3, 4_000)]
}

impl Traffic {
    /// A packet came from the worker.
    pub(super) fn heard(&mut self, ssrc: u32, sequence: u16) {
        if self.heard.len() == HEARD_MAX {
            self.heard.remove(0);
        }
        self.heard.push((ssrc, sequence));
    }

    /// From whom, to where, what; `None` while there is no transport.
    pub(super) fn draw(
        &mut self,
        model: &Model,
        peer: SocketAddr,
        dice: &mut Dice,
    ) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
        let producer = dice.pick(&model.producers);
        let kind = dice.below(16);
        let own =
            producer.and_then(|it| model.transports.iter().find(|transport| transport.id == it.transport));
        let transport = own.filter(|_| kind < 9).or_else(|| dice.pick(&model.transports));
        let to = transport.and_then(|transport| transport.address)?;
        let from = if kind < 13 { peer } else { *dice.pick(&peers(peer)).unwrap_or(&peer) };
        let bytes = match (kind, producer) {
            (0..6 | 13, Some(producer)) => self.media(producer, dice).write(),
            (6 | 7, Some(producer)) => self.again(producer, dice).write(),
            (8, Some(producer)) => rtcp::write(&senders_words(ssrc_of(producer.id), dice)),
            (9..12, _) => rtcp::write(&self.receivers_words(model, dice)),
            (12, _) => damaged(self.last.clone(), dice),
            _ => {
                let count = dice.below(120);
                let mut noise = dice.bytes(count);
                // Mostly something that is looked into.
                if let Some(first) = noise.first_mut().filter(|_| dice.chance(70)) {
                    *first = *dice.pick(&[0x80, 0x90, 0xA0, 0xBF, 0x81, 0x00, 0x16]).unwrap_or(&0x80);
                }
                noise
            }
        };
        self.last.clone_from(&bytes);
        Some((from, to, bytes))
    }

    /// The next packet of a stream, or one from near where it is, or from elsewhere.
    fn media(&mut self, producer: &Producer, dice: &mut Dice) -> RtpPacket {
        let ssrc = announced_ssrc(producer);
        let start = (if producer.id.is_multiple_of(2) { 65_500 } else { 300 }, u32::MAX - 20_000);
        let (sequence, timestamp) = self.streams.entry(ssrc).or_insert(start);
        match dice.below(16) {
            0..10 => *sequence = sequence.wrapping_add(1),
            10 | 11 => *sequence = sequence.wrapping_add(2 + u16::from(dice.byte() % 6)),
            12 => *sequence = sequence.wrapping_sub(u16::from(dice.byte() % 40)),
            13 => *sequence = sequence.wrapping_add(u16::from_be_bytes([dice.byte(), dice.byte()])),
            14 => *timestamp = timestamp.wrapping_add(u32::from(dice.byte()) << 20),
            _ => {}
        }
        let is_video = producer.kind == MediaKind::Video;
        *timestamp = timestamp.wrapping_add(if is_video { 3_000 } else { 960 });
        let (sequence, timestamp) = (*sequence, *timestamp);
        RtpPacket {
            marker: dice.chance(40),
            payload_type: if is_video { VIDEO_PAYLOAD_TYPE } else { AUDIO_PAYLOAD_TYPE },
            sequence,
            timestamp,
            ssrc,
            extensions: drawn_extensions(dice),
            payload: self.payload(is_video, dice),
            padding: if dice.chance(5) { dice.byte() % 60 } else { 0 },
            ..RtpPacket::default()
        }
    }

    /// Something on the stream of retransmissions: a packet from near where the stream is, or only padding.
    fn again(&mut self, producer: &Producer, dice: &mut Dice) -> RtpPacket {
        let packet = self.media(producer, dice);
        let rtx_ssrc = producer.parameters.encodings.first().and_then(|encoding| encoding.rtx_ssrc);
        let (sequence, _) = self.streams.entry(rtx_ssrc.unwrap_or(1)).or_insert((1, 0));
        *sequence = sequence.wrapping_add(1);
        let original = packet.sequence.wrapping_sub(u16::from(dice.byte() % 16));
        let payload = match dice.below(8) {
            0 => Vec::new(),
            1 => original.to_be_bytes().to_vec(),
            _ => [&original.to_be_bytes()[..], &packet.payload].concat(),
        };
        RtpPacket {
            payload_type: VIDEO_PAYLOAD_TYPE + 1,
            sequence: *sequence,
            ssrc: rtx_ssrc.unwrap_or(1),
            padding: packet.padding.max(u8::from(payload.is_empty())),
            payload,
            ..packet
        }
    }

    /// A descriptor or a table of contents, and what is in no other payload.
    fn payload(&mut self, is_video: bool, dice: &mut Dice) -> Vec<u8> {
        self.payloads += 1;
        let mut payload = if !is_video {
            vec![if dice.chance(10) { 0xF8 } else { 0x78 }, dice.byte()]
        } else if dice.chance(50) {
            vec![0x90, 0xE0, 0x80 | (dice.byte() % 4), dice.byte(), dice.byte(), dice.byte() & 0xE0]
        } else {
            vec![if dice.chance(70) { 0x10 } else { 0 }]
        };
        // The lowest bit of a VP8 frame is 0 in key frames.
        payload.push(u8::from(dice.chance(70)));
        payload.resize(REWRITTEN_BYTES + 2, 0);
        payload.extend(self.payloads.to_be_bytes());
        let more = if dice.chance(80) { dice.below(30) } else { dice.below(1_800) };
        payload.resize(payload.len() + more, dice.byte());
        payload
    }

    /// What a receiver says of what it got: mostly about what it was sent.
    fn receivers_words(&self, model: &Model, dice: &mut Dice) -> Vec<Rtcp> {
        let living = dice.pick(&model.consumers).map_or(7, |consumer| ssrc_of(consumer.id));
        let (media, sequence) = dice.pick(&self.heard).copied().unwrap_or((living, 1));
        let (media, sequence) = match dice.below(10) {
            0 => (living, u16::from_be_bytes([dice.byte(), dice.byte()])),
            1 => (media.wrapping_add(u32::from(dice.byte())), sequence),
            _ => (media, sequence),
        };
        let block = Block {
            ssrc: media,
            fraction_lost: dice.byte(),
            cumulative_lost: i32::from(dice.byte()) - 8,
            extended_highest: u32::from(dice.byte() % 3) << 16 | u32::from(sequence),
            jitter: dice.byte().into(),
            last_sr: u32::from(dice.byte()) << 16,
            delay: u32::from(dice.byte()) << 8,
        };
        let report = Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] };
        match dice.below(6) {
            0 => vec![report],
            1 => vec![report, Rtcp::Pli { sender: 1, media }],
            2 => vec![report, Rtcp::Fir { sender: 1, media, sequence: dice.byte() }],
            3 => vec![report, Rtcp::ReferenceTime { ssrc: 1, ntp: u64::from(dice.byte()) << 40 }],
            _ => {
                let (count, step) = (1 + dice.below(20), u16::from(dice.byte() % 3));
                let asked = (0..count).zip(0u16..).map(|(_, at)| sequence.wrapping_add(step * at));
                vec![Rtcp::Nack { sender: 1, media, sequences: asked.collect() }]
            }
        }
    }
}

/// Ids and values, some of which a worker knows.
fn drawn_extensions(dice: &mut Dice) -> Vec<(u8, Vec<u8>)> {
    let level = [dice.byte()];
    let known: [(u8, &[u8]); 4] = [(1, b"v"), (2, &[1, 2, 3]), (3, &level), (9, &[7; 20])];
    known.iter().filter(|_| dice.chance(15)).map(|(id, value)| (*id, value.to_vec())).collect()
}

/// What a sender says of its stream.
fn senders_words(ssrc: u32, dice: &mut Dice) -> Vec<Rtcp> {
    let report = Rtcp::SenderReport {
        ssrc,
        ntp: 3_900_000_000 << 32 | u64::from(dice.byte()) << 24,
        timestamp: dice.byte().into(),
        packets: dice.byte().into(),
        bytes: dice.byte().into(),
        blocks: Vec::new(),
    };
    match dice.below(8) {
        0 => vec![report, Rtcp::Bye { ssrc }],
        1 => vec![Rtcp::ReferenceTime { ssrc, ntp: dice.any() }],
        2 => vec![Rtcp::Dlrr { ssrc, to: ssrc, last_rr: dice.byte().into(), delay: dice.byte().into() }],
        _ => vec![report, Rtcp::Cname { ssrc, cname: "camera".into() }],
    }
}

fn announced_ssrc(producer: &Producer) -> u32 {
    producer.parameters.encodings.first().and_then(|encoding| encoding.ssrc).unwrap_or(0)
}

/// A bit is flipped, the end is missing, or there is more of it.
fn damaged(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    let at = dice.below(bytes.len());
    match dice.below(4) {
        0 => bytes.truncate(at),
        1 => {
            let count = dice.below(40);
            bytes.extend(dice.bytes(count));
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
    }
    bytes
}

/// What a worker may rewrite in front of a payload.
const REWRITTEN_BYTES: usize = 6;
/// How many packets may be asked for again.
const HEARD_MAX: usize = 64;
