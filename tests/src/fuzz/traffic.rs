//! Datagrams for a worker's sockets: streams that it expects, and noise.
//!
//! Knows just enough RTP to be believed. Called by lives. Invariant: what cannot be sent is not counted.

use std::net::{SocketAddr, UdpSocket};

use super::Dice;
use super::commands::{AUDIO_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPE};
use super::model::Model;
use super::webrtc;
use tidegate_protocol::rtp::MediaKind;

/// Sends up to `count` datagrams to transports of the model; answers how many left.
pub fn send(model: &Model, from: &UdpSocket, dice: &mut Dice, count: usize) -> u64 {
    let mut sent = 0;
    for _ in 0..count {
        let Some((to, datagram)) = draw(model, dice) else { break };
        sent += u64::from(from.send_to(&datagram, to).is_ok());
    }
    sent
}

fn draw(model: &Model, dice: &mut Dice) -> Option<(SocketAddr, Vec<u8>)> {
    let producer = dice.pick(&model.producers);
    let transport = match producer {
        Some(producer) if dice.chance(70) => model.transports.iter().find(|it| it.id == producer.transport),
        _ => dice.pick(&model.transports),
    };
    let transport = transport?;
    let to = transport.address?;
    if let Some(ice) = transport.ice.as_ref().filter(|_| dice.chance(70)) {
        return Some((to, damaged(webrtc::datagram(ice, dice), dice)));
    }
    let datagram = match (producer, dice.below(10)) {
        (Some(producer), 0..6) => {
            let ssrc = producer.parameters.encodings.first().and_then(|encoding| encoding.ssrc).unwrap_or(0);
            rtp(ssrc, producer.kind, dice)
        }
        (_, 6) => rtp(0xdead_beef, MediaKind::Video, dice),
        (Some(producer), 7) => {
            let ssrc = producer.parameters.encodings.first().and_then(|encoding| encoding.ssrc).unwrap_or(0);
            rtcp(ssrc, dice)
        }
        (_, 8) => vec![0x80; dice.below(2_000)],
        _ => {
            let length = dice.below(300);
            dice.bytes(length)
        }
    };
    Some((to, damaged(datagram, dice)))
}

/// An RTP packet (RFC 3550 5.1), VP8 key frame or Opus.
fn rtp(ssrc: u32, kind: MediaKind, dice: &mut Dice) -> Vec<u8> {
    let is_video = kind == MediaKind::Video;
    let payload_type = if is_video { VIDEO_PAYLOAD_TYPE } else { AUDIO_PAYLOAD_TYPE };
    let mut packet = vec![0x80, payload_type | (0x80 * u8::from(dice.chance(20)))];
    // Mostly near each other, at times anywhere.
    let sequence = if dice.chance(90) { dice.any() % 500 } else { dice.any() };
    packet.extend(sequence.to_be_bytes().get(6..).unwrap_or_default());
    packet.extend(dice.any().to_be_bytes().get(4..).unwrap_or_default());
    packet.extend(ssrc.to_be_bytes());
    // VP8: start of partition 0 of a key frame (RFC 7741 4.2, RFC 6386 9.1).
    packet.extend([0x10, 0x00]);
    let length = dice.below(1_400);
    packet.resize(packet.len() + length, 0x9d);
    packet
}

/// A receiver report (RFC 3550 6.4.2), or feedback (RFC 4585) with random content.
fn rtcp(ssrc: u32, dice: &mut Dice) -> Vec<u8> {
    let words = u8::try_from(1 + dice.below(40)).unwrap_or(1);
    let kind = *dice.pick(&[200, 201, 202, 203, 205, 206, 207]).unwrap_or(&201);
    let mut packet = vec![0x81 + (dice.byte() & 15), kind, 0, words];
    packet.extend(ssrc.to_be_bytes());
    let rest = usize::from(words - 1) * 4;
    packet.extend(dice.bytes(rest));
    packet
}

/// At times a bit is flipped or the end is missing.
fn damaged(mut datagram: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    match dice.below(10) {
        0 => datagram.truncate(dice.below(datagram.len())),
        1 => {
            let at = dice.below(datagram.len());
            if let Some(byte) = datagram.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        _ => {}
    }
    datagram
}
