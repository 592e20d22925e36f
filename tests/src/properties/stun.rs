//! STUN, ICE-lite and the framing of TCP: against readers of our own, and an agent that only a password moves.
//!
//! Knows the public face of `tidegate_worker::ice`. Called through [`super::ALL`].
//! Invariant: the properties panic only where the worker is wrong, whatever the bytes are.

use std::time::Duration;

use tidegate_protocol::transport::Protocol;
use tidegate_protocol::webrtc::IceState;
use tidegate_worker::base::address::{Destination, SocketKey};
use tidegate_worker::base::time::Time;
use tidegate_worker::ice::framing::Deframer;
use tidegate_worker::ice::stun::{
    BINDING, Class, IntegrityKey, Message, SOFTWARE_BYTES_MAX, USERNAME_BYTES_MAX, Writer, is_stun,
    username_of,
};
use tidegate_worker::ice::{
    ANSWER_BYTES_MAX, ConsentTimeout, Credentials, IceLite, TUPLES_MAX, Tuple, Verdict,
};

use crate::fuzz::Dice;

/// The bytes are a message, or not.
pub fn stun(data: &[u8]) {
    let parsed = Message::parse(data);
    let expected = read(data);
    assert_eq!(parsed.is_ok(), expected.is_some(), "{parsed:?}, {expected:?}");
    let (Ok(message), Some(expected)) = (parsed, expected) else { return };
    assert!(is_stun(data));
    let value =
        |kinds: &[u16]| expected.iter().find(|(kind, _)| kinds.contains(kind)).map(|(_, value)| *value);
    assert_eq!(message.username, value(&[0x0006]));
    assert_eq!(message.software, value(&[0x8022]));
    assert_eq!(message.priority.map(u32::to_be_bytes).as_ref().map(|bytes| &bytes[..]), value(&[0x0024]));
    let nomination = message.nomination.map(u32::to_be_bytes);
    assert_eq!(nomination.as_ref().map(|bytes| &bytes[..]), value(&[0x0030, 0xC001]));
    assert_eq!(message.controlled.map(u64::to_be_bytes).as_ref().map(|bytes| &bytes[..]), value(&[0x8029]));
    assert_eq!(message.controlling.map(u64::to_be_bytes).as_ref().map(|bytes| &bytes[..]), value(&[0x802A]));
    assert_eq!(message.use_candidate, value(&[0x0025]).is_some());
    assert_eq!(message.has_integrity(), value(&[0x0008]).is_some());
    assert_eq!(message.has_fingerprint(), value(&[0x8028]).is_some());
    let known = [0x0006, 0x0008, 0x0009, 0x000A, 0x0020, 0x0024, 0x0025, 0x0030];
    let unknown =
        expected.iter().map(|(kind, _)| *kind).filter(|kind| *kind < 0x8000 && !known.contains(kind));
    assert_eq!(message.unknown_attributes().types(), unknown.take(4).collect::<Vec<_>>());
    assert!(message.username.is_none() || username_of(data) == message.username);
    assert!(!message.is_signed_by(&IntegrityKey::new(b"nobody has this password")));
}

/// Attributes that count, in order, of a message that is none of whose rules are broken.
fn read(data: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let header = data.get(..20)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] > 3
        || header[4..8] != [0x21, 0x12, 0xA4, 0x42]
        || length + 20 != data.len()
        || length % 4 > 0
    {
        return None;
    }
    let mut attributes: Vec<(u16, &[u8])> = Vec::new();
    let mut at = 20;
    while at < data.len() {
        let kind = u16::from_be_bytes([data[at], data[at + 1]]);
        let length = usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
        let value = data.get(at + 4..at + 4 + length)?;
        if attributes.iter().any(|(kind, _)| *kind == 0x8028) {
            return None;
        }
        let is_signed = attributes.iter().any(|(kind, _)| *kind == 0x0008);
        if kind == 0x8028 {
            let sum =
                crc32(&[&data[..2], &u16::try_from(at - 12).ok()?.to_be_bytes(), &data[4..at]].concat());
            (value == (sum ^ 0x5354_554E).to_be_bytes()).then_some(())?;
        }
        if kind == 0x8028 || !is_signed {
            is_plausible(kind, value).then_some(())?;
            attributes.push((kind, value));
        }
        at += 4 + length.div_ceil(4) * 4;
    }
    Some(attributes)
}

fn is_plausible(kind: u16, value: &[u8]) -> bool {
    match kind {
        0x0006 => value.len() <= USERNAME_BYTES_MAX,
        0x8022 => value.len() <= SOFTWARE_BYTES_MAX,
        0x0024 | 0x0030 | 0xC001 | 0x8028 => value.len() == 4,
        0x8029 | 0x802A => value.len() == 8,
        0x0008 => value.len() == 20,
        0x0025 => value.is_empty(),
        0x0009 => value.len() >= 4 && (3..=6).contains(&(value[2] & 7)) && value[3] < 100,
        0x0020 => matches!((value.get(1), value.len()), (Some(1), 8) | (Some(2), 20)),
        _ => true,
    }
}

/// By the bit, as the definition has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

/// The bytes are choices: requests of one who knows the password and of one who does not, lost and damaged, data,
/// restarts and time.
pub fn ice(data: &[u8]) {
    let mut script = Script::new(Dice::of_bytes(data));
    while !script.choices.is_used_up() {
        script.step();
        script.assert_sound();
    }
}

/// An agent and who calls it.
struct Script {
    choices: Dice,
    ice: IceLite,
    peer: Credentials,
    stranger: Credentials,
    now: Time,
    seed: u32,
    /// Requests that were right.
    valid: u64,
}

impl Script {
    fn new(mut choices: Dice) -> Self {
        let mut seed = 0;
        let (peer, stranger) = (credentials(&mut seed), credentials(&mut seed));
        let ice = IceLite::new(peer.clone(), ConsentTimeout::from_seconds(choices.byte()));
        Self { choices, ice, peer, stranger, now: Time::from_millis(1), seed, valid: 0 }
    }

    fn step(&mut self) {
        let tuple = tuple(self.choices.byte());
        match self.choices.byte() % 8 {
            0 => self.now = self.now + Duration::from_millis(u64::from(self.choices.byte()) * 200),
            1 => drop(self.ice.on_deadline(self.now)),
            2 => {
                let _ = self.ice.on_authenticated_data(self.now, &tuple);
            }
            3 => {
                let _ = self.ice.on_connection_closed(tuple.path.socket);
            }
            4 => {
                self.peer = credentials(&mut self.seed);
                self.ice.restart(self.now, self.peer.clone());
            }
            5 => self.ask(tuple, &self.peer.clone(), false),
            6 => self.ask(tuple, &self.stranger.clone(), false),
            _ => self.ask(tuple, &self.peer.clone(), true),
        }
    }

    fn ask(&mut self, tuple: Tuple, by: &Credentials, damage: bool) {
        let mut request = request(by, self.choices.byte(), self.choices.byte());
        let mut right = by.username_fragment == self.peer.username_fragment;
        if damage {
            let at = self.choices.below(request.len());
            let bits = self.choices.byte();
            request[at] ^= bits;
            right &= bits == 0;
        }
        let before = (self.ice.state(), self.ice.selected().copied(), self.ice.tuples().len());
        let mut out = [0; ANSWER_BYTES_MAX];
        let outcome = self.ice.on_stun(self.now, &tuple, &request, &mut out);
        assert_eq!(outcome.verdict == Verdict::Accepted, right);
        assert!(outcome.answer_bytes <= request.len(), "an answer makes no flood larger");
        let answer = Message::parse(&out[..outcome.answer_bytes]).ok();
        assert!(outcome.answer_bytes == 0 || answer.is_some());
        if right {
            let answer = answer.expect("a request that is granted is answered");
            assert_eq!((answer.class, answer.mapped_address), (Class::Success, Some(tuple.path.remote)));
            assert!(answer.is_signed_by(&IntegrityKey::new(by.password.as_str().as_bytes())));
            assert!(self.ice.tuples().contains(&tuple));
            self.valid += 1;
        } else {
            assert_eq!(before, (self.ice.state(), self.ice.selected().copied(), self.ice.tuples().len()));
        }
    }

    fn assert_sound(&self) {
        let (ice, has_way) = (&self.ice, !self.ice.tuples().is_empty());
        assert!(ice.tuples().len() <= TUPLES_MAX && ice.username_fragments().count() <= 2);
        assert_eq!(has_way, matches!(ice.state(), IceState::Connected | IceState::Completed));
        assert_eq!(has_way, ice.selected().is_some());
        assert!(has_way || ice.next_deadline().is_none());
        assert_eq!(ice.stats().requests, self.valid);
    }
}

fn credentials(seed: &mut u32) -> Credentials {
    Credentials::random(|| {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *seed
    })
}

fn tuple(number: u8) -> Tuple {
    let protocol = if number & 16 == 0 { Protocol::Udp } else { Protocol::Tcp };
    let remote = ([192, 0, 2, number & 3], u16::from(number >> 2 & 3)).into();
    let local_ip = (number & 32 > 0).then_some([10, 0, 0, 1].into());
    Tuple {
        path: Destination { socket: SocketKey::new(u32::from(number & 31), 1), remote, local_ip },
        protocol,
    }
}

fn request(by: &Credentials, nomination: u8, kind: u8) -> Vec<u8> {
    let mut out = [0; 300];
    let mut writer = Writer::new(&mut out, Class::Request, BINDING, &[kind; 12]);
    writer.username(format!("{}:peer", by.username_fragment.as_str()).as_bytes());
    writer.priority(u32::from(kind));
    writer.controlling(7);
    match kind % 4 {
        0 => writer.use_candidate(),
        1 => writer.nomination(u32::from(nomination)),
        2 => writer.nomination_before_registration(u32::from(nomination)),
        _ => {}
    }
    let key = IntegrityKey::new(by.password.as_str().as_bytes());
    let written = writer.finish(Some(&key)).expect("there is room");
    out[..written].to_vec()
}

/// The first byte says how long the parts are in which the others arrive.
pub fn framing(data: &[u8]) {
    let Some((step, stream)) = data.split_first() else { return };
    let mut expected = Vec::new();
    let mut rest = stream;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((frame, behind)) = behind.split_at_checked(length) else { break };
        if length > 0 {
            expected.push(frame.to_vec());
        }
        rest = behind;
    }
    let (mut deframer, mut frames, mut open) = (Deframer::default(), Vec::new(), Vec::new());
    for part in stream.chunks(usize::from(*step).max(1)) {
        let mut input = part;
        while let Some(piece) = deframer.next(&mut input) {
            assert!(piece.begins.is_none() || open.is_empty(), "a frame began within another");
            open.extend_from_slice(piece.bytes);
            if piece.ends {
                frames.push(std::mem::take(&mut open));
            }
        }
        assert!(input.is_empty(), "bytes were left");
    }
    assert_eq!(frames, expected);
    assert_eq!(deframer.is_between_frames(), rest.is_empty());
}
