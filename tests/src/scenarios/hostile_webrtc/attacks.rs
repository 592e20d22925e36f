//! What is thrown at a WebRTC server's port.
//!
//! Knows what anybody on the network can know: addresses, username fragments, datagrams that passed by. Does not know keys,
//! but those of the attacker's own transport. Invariant: nothing here is what a peer in good standing would send just now.

use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_protocol::transport::Protocol;
use tidegate_worker::base::time::Time;
use tidegate_worker::dtls::{Context, Role};
use tidegate_worker::ice::stun::IntegrityKey;

use crate::endpoint::{Endpoint, Nomination, Said, binding_request};
use crate::fuzz::Dice;
use crate::world::World;
use crate::world::peer::address;
use crate::world::rtp::RtpPacket;
use crate::world::webrtc::{WebRtc, candidate};

/// What the attacker has seen.
pub(super) struct Known {
    /// The server's ports.
    pub(super) udp: SocketAddr,
    pub(super) tcp: SocketAddr,
    /// Fragments of those who mean well.
    pub(super) fragments: Vec<String>,
    /// Where they call from, and the attacker's own proven ways.
    pub(super) proven: Vec<SocketAddr>,
    /// Of nobody.
    pub(super) strangers: Vec<SocketAddr>,
    /// Who call by TCP.
    pub(super) callers: Vec<SocketAddr>,
    /// Binding requests that passed by.
    pub(super) requests: Vec<Vec<u8>>,
    /// SRTP and SRTCP that passed by, and from where.
    pub(super) sealed: Vec<(SocketAddr, Vec<u8>)>,
    /// For new clients.
    pub(super) told: WebRtc,
    pub(super) contexts: [Arc<Context>; 2],
    pub(super) now: Time,
    pub(super) transaction: u32,
}

impl Known {
    /// Of the server that `told` is on; strangers and callers are made known to the world.
    pub(super) fn of(
        world: &mut World,
        told: WebRtc,
        contexts: [Arc<Context>; 2],
        fragments: Vec<String>,
        proven: Vec<SocketAddr>,
    ) -> Self {
        let port = |protocol| candidate(&told, protocol).expect("the server has both");
        let known = Self {
            udp: port(Protocol::Udp),
            tcp: port(Protocol::Tcp),
            fragments,
            proven,
            strangers: (1..=20).map(|port| address(200, port)).collect(),
            callers: (1..=4).map(|port| address(201, port)).collect(),
            requests: Vec::new(),
            sealed: Vec::new(),
            told,
            contexts,
            now: world.now(),
            transaction: 0,
        };
        for stranger in known.strangers.iter().chain(&known.callers) {
            world.network.leave_sealed(*stranger);
        }
        for caller in &known.callers {
            world.network.use_tcp(*caller);
        }
        known
    }
}

/// One datagram.
pub(super) struct Shot {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// Draws attacks.
pub(super) struct Attacker {
    dice: Dice,
    /// Attacks by kind, to see that all were tried.
    pub(super) tried: [u32; KINDS.len()],
}

type Attack = fn(&mut Dice, &mut Known) -> Vec<u8>;

const KINDS: [Attack; 9] = [
    wrong_password,
    unknown_fragment,
    mutated_request,
    no_request,
    client_hello,
    record,
    fake_media,
    replayed_media,
    mutated_media,
];

impl Attacker {
    pub(super) fn of(seed: u64) -> Self {
        Self { dice: Dice::new(seed, OTHER_THAN_THE_STORYS), tried: [0; KINDS.len()] }
    }

    /// What comes in one tick: from strangers, by TCP, and as if from somebody's address.
    pub(super) fn attacks(&mut self, known: &mut Known) -> Vec<Shot> {
        let mut shots = Vec::new();
        for _ in 0..self.dice.below(5) {
            let kind = self.dice.below(KINDS.len());
            self.tried[kind] += 1;
            for _ in 0..1 + self.dice.below(20) {
                let bytes = KINDS[kind](&mut self.dice, known);
                if bytes.is_empty() {
                    continue;
                }
                let (from, to) = match self.dice.below(10) {
                    0..5 => (&known.strangers, known.udp),
                    5..9 => (&known.proven, known.udp),
                    _ => (&known.callers, known.tcp),
                };
                let from = self.dice.pick(from).copied().unwrap_or(known.udp);
                shots.push(Shot { from, to, bytes });
            }
        }
        shots
    }

    /// Flips bits, each in a byte of its own.
    fn damaged(dice: &mut Dice, genuine: &[u8]) -> Vec<u8> {
        let mut bytes = genuine.to_vec();
        let places = 1 + dice.below(4);
        let first = dice.below(bytes.len());
        for place in 0..places.min(bytes.len()) {
            let at = (first + place * 13) % bytes.len();
            bytes[at] ^= 1 << dice.below(8);
        }
        debug_assert_ne!(bytes, genuine);
        bytes
    }
}

/// Whoever asks under the right name does not have the password.
fn wrong_password(dice: &mut Dice, known: &mut Known) -> Vec<u8> {
    let named = dice.pick(&known.fragments).cloned().unwrap_or_default();
    let key = dice_key(dice.byte() % 3);
    request(dice, known, &named, key)
}

fn unknown_fragment(dice: &mut Dice, known: &mut Known) -> Vec<u8> {
    let length = dice.below(40);
    let name: String = dice.bytes(length).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    request(dice, known, &name, dice_key(1))
}

fn request(dice: &mut Dice, known: &mut Known, fragment: &str, key: Option<IntegrityKey>) -> Vec<u8> {
    known.transaction += 1;
    let number = u32::from(dice.byte());
    let nominations = [Nomination::No, Nomination::Usual, Nomination::Numbered(number << 16)];
    let nomination = *dice.pick(&nominations).unwrap_or(&Nomination::Usual);
    binding_request(known.transaction, &format!("{fragment}:peer"), key.as_ref(), nomination)
}

fn dice_key(which: u8) -> Option<IntegrityKey> {
    (which > 0).then(|| IntegrityKey::new(&[b'a' + which; 32]))
}

fn mutated_request(dice: &mut Dice, known: &mut Known) -> Vec<u8> {
    let genuine = dice.pick(&known.requests).cloned().unwrap_or_default();
    match dice.below(4) {
        0 => genuine.get(..dice.below(genuine.len())).unwrap_or_default().to_vec(),
        1 => [&genuine[..], &[dice.byte(); 8]].concat(),
        _ => Attacker::damaged(dice, &genuine),
    }
}

/// Indications, answers, and bytes that begin like STUN.
fn no_request(dice: &mut Dice, known: &mut Known) -> Vec<u8> {
    let mut bytes = dice.pick(&known.requests).cloned().unwrap_or_default();
    match dice.below(3) {
        0 => bytes[..2].copy_from_slice(&[0, 0x11]),
        1 => bytes[..2].copy_from_slice(&[1, 1 | dice.byte() & 0x10]),
        _ => {
            let length = 1 + dice.below(300);
            bytes = dice.bytes(length);
            bytes[0] &= 3;
        }
    }
    bytes
}

/// Of a client that nobody has met.
fn client_hello(dice: &mut Dice, known: &mut Known) -> Vec<u8> {
    let mut client = Endpoint::new(&known.told.dump, &known.contexts[dice.below(2)]);
    client.begins(known.now, Role::Client);
    let datagrams: Vec<Vec<u8>> = client
        .says(known.now)
        .into_iter()
        .filter_map(|said| if let Said::Datagram(bytes) = said { Some(bytes) } else { None })
        .collect();
    let hello = dice.pick(&datagrams).cloned().unwrap_or_default();
    if dice.chance(50) { hello } else { Attacker::damaged(dice, &hello) }
}

/// Records of all kinds and epochs (RFC 6347 4.1, RFC 9147 4): goodbyes, fatal alerts, flights and data of nobody.
fn record(dice: &mut Dice, _: &mut Known) -> Vec<u8> {
    let length = dice.below(120);
    let mut body = dice.bytes(length);
    if dice.chance(20) {
        let mut unified = vec![0x20 | dice.byte() & 0x1F, dice.byte(), dice.byte(), 0];
        unified.append(&mut body);
        return unified;
    }
    let kind = 20 + dice.byte() % 7;
    if kind == 21 && dice.chance(80) {
        // A level, and what for: close_notify, handshake_failure, any.
        body = vec![1 + dice.byte() % 2, *dice.pick(&[0, 40, 80]).unwrap_or(&0)];
    }
    let epoch = dice.byte() % 4;
    let length = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let head = [kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, dice.byte(), length[0], length[1]];
    [&head[..], &body].concat()
}

/// RTP and RTCP under no key.
fn fake_media(dice: &mut Dice, _: &mut Known) -> Vec<u8> {
    let length = dice.below(300);
    let packet = RtpPacket {
        payload_type: *dice.pick(&[96, 101, 111]).unwrap_or(&96),
        sequence: u16::from_be_bytes([dice.byte(), dice.byte()]),
        ssrc: *dice.pick(&[super::VIDEO, super::SOUND, 7]).unwrap_or(&7),
        payload: dice.bytes(length),
        ..RtpPacket::default()
    };
    let mut bytes = packet.write();
    if dice.chance(30) {
        bytes[1] = 200 + dice.byte() % 8;
    }
    bytes
}

fn replayed_media(dice: &mut Dice, known: &mut Known) -> Vec<u8> {
    dice.pick(&known.sealed).map_or_else(|| vec![0x80; 12], |(_, bytes)| bytes.clone())
}

fn mutated_media(dice: &mut Dice, known: &mut Known) -> Vec<u8> {
    let bytes = replayed_media(dice, known);
    if dice.chance(20) {
        return bytes.get(..dice.below(bytes.len())).unwrap_or_default().to_vec();
    }
    Attacker::damaged(dice, &bytes)
}

const OTHER_THAN_THE_STORYS: u64 = 0x0BAD;
