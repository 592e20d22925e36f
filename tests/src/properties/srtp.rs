//! SRTP: whatever bytes come, only what the peer protected opens, once, to what it was.
//!
//! Knows the engine's public face. Called through [`super::ALL`]. Invariant: a property panics only where the worker is
//! wrong, whatever the bytes are.

use std::collections::BTreeSet;

use tidegate_worker::base::time::Time;
use tidegate_worker::rtp::header::payload_offset;
use tidegate_worker::srtp::{Body, Keys, Protect, STREAMS_MAX, Suite, Unprotect};

use crate::fuzz::Dice;

/// A sender and a receiver, and in between whatever the bytes choose: packets, damaged ones, replays, and any bytes.
pub fn srtp(data: &[u8]) {
    let mut dice = Dice::of_bytes(data);
    let suite = dice.pick(&Suite::ALL).copied().unwrap_or(Suite::AeadAes128Gcm);
    let keys = Keys::new(suite, &vec![0x5C; suite.master_bytes()]).expect("as long as the suite wants it");
    let sender = Protect::new(&keys).expect("the machine has these ciphers");
    let receiver = Unprotect::new(&keys).expect("the machine has these ciphers");
    let mut model =
        Model { suite, sender, receiver, sent: Vec::new(), taken: BTreeSet::new(), sequence: 1_000 };
    while !dice.is_used_up() {
        model.step(&mut dice);
    }
}

struct Model {
    suite: Suite,
    sender: Protect,
    receiver: Unprotect,
    /// Plain and protected, whether RTCP.
    sent: Vec<(Vec<u8>, Vec<u8>, bool)>,
    /// Places in `sent` that were opened.
    taken: BTreeSet<usize>,
    sequence: u16,
}

impl Model {
    fn step(&mut self, dice: &mut Dice) {
        match dice.below(8) {
            0..=1 => self.send_rtp(dice),
            2 => self.send_rtcp(dice),
            3..=4 => self.deliver(dice),
            5 => self.deliver_damaged(dice),
            6 => {
                let (bytes, is_rtcp) = (dice.below(80), dice.chance(50));
                let garbage = dice.bytes(bytes);
                self.refuses(&garbage, is_rtcp, dice.below(60));
            }
            _ => self.protects_nonsense(dice),
        }
        let (streams, reports) = self.receiver.streams();
        assert!(streams <= STREAMS_MAX && reports <= STREAMS_MAX);
        assert!(streams + reports <= self.taken.len(), "only what is authentic makes a stream known");
    }

    fn send_rtp(&mut self, dice: &mut Dice) {
        self.sequence = self.sequence.wrapping_add(1 + u16::from(dice.byte()));
        let csrcs = dice.below(3);
        let mut plain = vec![0x80 | u8::try_from(csrcs).unwrap_or(0), 96];
        plain.extend(self.sequence.to_be_bytes());
        plain.extend([0, 0, 0, 1, 0, 0, 0, 7]);
        plain.extend(dice.bytes(4 * csrcs));
        let header_bytes = plain.len();
        let payload = dice.below(50);
        plain.extend(dice.bytes(payload));
        let mut packet = plain[..header_bytes].to_vec();
        packet.resize(plain.len() + self.suite.rtp_tag_bytes(), 0);
        let body = Body { header_bytes, payload_offset: header_bytes, payload: &plain[header_bytes..] };
        self.sender.rtp(&mut packet, body).expect("a sound packet");
        self.sent.push((plain, packet, false));
    }

    fn send_rtcp(&mut self, dice: &mut Dice) {
        let words = dice.below(12);
        let mut plain = vec![0x80, 200, 0, u8::try_from(words + 1).unwrap_or(0), 0, 0, 0, 9];
        plain.extend(dice.bytes(4 * words));
        let mut packet = [&plain[..], &[0; 24]].concat();
        let bytes = self.sender.rtcp(&mut packet, plain.len()).expect("a sound compound");
        packet.truncate(bytes);
        self.sent.push((plain, packet, true));
    }

    /// One of what was sent arrives: the first time it opens, never again. All of it fits a window.
    fn deliver(&mut self, dice: &mut Dice) {
        let place = dice.below(self.sent.len());
        let Some((plain, packet, is_rtcp)) = self.sent.get(place).cloned() else { return };
        let opened = self.open(&packet, is_rtcp, payload_offset(&packet).unwrap_or(0));
        if self.taken.contains(&place) {
            assert_eq!(opened, None, "a replay was opened");
        } else if let Some(opened) = opened {
            assert_eq!(opened, plain);
            self.taken.insert(place);
        }
    }

    fn deliver_damaged(&mut self, dice: &mut Dice) {
        let place = dice.below(self.sent.len());
        let Some((_, mut packet, is_rtcp)) = self.sent.get(place).cloned() else { return };
        let header_bytes = payload_offset(&packet).unwrap_or(0);
        let at = dice.below(packet.len());
        match dice.chance(50) {
            true => packet[at] ^= dice.byte().max(1),
            false => packet.truncate(at),
        }
        self.refuses(&packet, is_rtcp, header_bytes);
    }

    fn refuses(&mut self, packet: &[u8], is_rtcp: bool, header_bytes: usize) {
        let before = self.receiver.streams();
        assert_eq!(self.open(packet, is_rtcp, header_bytes), None, "what nobody protected was opened");
        assert_eq!(self.receiver.streams(), before);
    }

    /// Lengths that contradict each other are refused, not followed.
    fn protects_nonsense(&mut self, dice: &mut Dice) {
        let bytes = dice.below(60);
        let mut packet = dice.bytes(bytes);
        let body = Body { header_bytes: dice.below(70), payload_offset: dice.below(70), payload: &[0; 9] };
        // Another SSRC, so that no index of what was sent is used.
        if let Some(ssrc) = packet.get_mut(8..12) {
            ssrc.copy_from_slice(&[0xEE; 4]);
        }
        let _ = self.sender.rtp(&mut packet, body);
        let _ = self.sender.rtcp(&mut packet, dice.below(70));
    }

    fn open(&mut self, packet: &[u8], is_rtcp: bool, header_bytes: usize) -> Option<Vec<u8>> {
        let mut packet = packet.to_vec();
        let bytes = match is_rtcp {
            true => self.receiver.rtcp(&mut packet, Time::ZERO),
            false => self.receiver.rtp(&mut packet, header_bytes, Time::ZERO),
        };
        packet.truncate(bytes.ok()?);
        Some(packet)
    }
}
