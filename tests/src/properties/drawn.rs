//! Inputs that look like what each property is about: well-formed for the most part, so that mutation breaks one thing.
//!
//! Knows the writers of the bed and of the protocol. Called through `Property::draw`.
//! Invariant: the same dice give the same input.

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::codec::encode_frame;
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::ids::{RequestId, TransportId};
use tidegate_protocol::message::{FromWorker, Hello, LogLevel, LogTag};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_worker::rtcp::{COMPOUND_BYTES_MAX, CompoundWriter};

use super::rtcp::write;
use super::rtcp_write;
use crate::fuzz::commands::{self, Surroundings};
use crate::fuzz::model::Model;
use crate::fuzz::{Dice, extremes, mutate};
use crate::world::peer::address;
use crate::world::rtp::RtpPacket;

/// Bytes that a property reads as choices.
pub(super) fn choices(dice: &mut Dice) -> Vec<u8> {
    let most = *dice.pick(&[8, 40, 120, 400]).unwrap_or(&40);
    let count = dice.below(most);
    // Many small numbers: most choices are among few.
    let mut bytes = dice.bytes(count);
    if dice.chance(30) {
        bytes.iter_mut().for_each(|byte| *byte %= 16);
    }
    bytes
}

/// A script for the whole worker.
pub(super) fn script(dice: &mut Dice) -> Vec<u8> {
    let count = 30 + dice.below(1_500);
    dice.bytes(count)
}

/// A packet.
pub(super) fn rtp(dice: &mut Dice) -> Vec<u8> {
    let count = dice.below(60);
    packet(dice, count).write()
}

/// Five bytes of choices and a packet that mostly holds another.
pub(super) fn rtx(dice: &mut Dice) -> Vec<u8> {
    let count = dice.below(8) + if dice.chance(90) { 2 } else { 0 };
    [dice.bytes(5), packet(dice, count).write()].concat()
}

fn packet(dice: &mut Dice, payload_bytes: usize) -> RtpPacket {
    let two_byte = dice.chance(30);
    let extensions = (0..dice.below(6)).map(|index| {
        let id = if two_byte && dice.chance(30) { dice.byte().max(1) } else { 1 + (dice.byte() % 14) };
        let bytes = if two_byte { dice.below(20) } else { 1 + dice.below(if index == 0 { 16 } else { 4 }) };
        (id, dice.bytes(bytes))
    });
    let extensions = extensions.collect();
    RtpPacket {
        marker: dice.chance(50),
        payload_type: dice.byte() & 0x7F,
        sequence: u16::from_be_bytes([dice.byte(), dice.byte()]),
        timestamp: u32::from_be_bytes([dice.byte(), dice.byte(), dice.byte(), dice.byte()]),
        ssrc: u32::from(dice.byte()),
        csrcs: (0..dice.below(20).saturating_sub(8).min(4)).map(|_| 0x0101_0101).collect(),
        extensions,
        two_byte,
        payload: dice.bytes(payload_bytes),
        padding: if dice.chance(20) { dice.byte() } else { 0 },
    }
}

/// A choice of form and a block.
pub(super) fn extensions(dice: &mut Dice) -> Vec<u8> {
    let two_byte = dice.chance(50);
    let mut bytes = vec![if two_byte { 2 } else { 0 } | dice.byte() & 0xFC];
    for _ in 0..dice.below(7) {
        let id = if two_byte { dice.byte() } else { dice.byte() % 16 };
        let length = if dice.chance(80) { dice.below(5) } else { dice.below(17) };
        let length_byte = u8::try_from(length).unwrap_or(0);
        if two_byte {
            bytes.extend([id, length_byte]);
            bytes.extend(dice.bytes(length));
        } else {
            bytes.push(id << 4 | length_byte & 15);
            bytes.extend(dice.bytes((length & 15) + 1));
        }
        if dice.chance(20) {
            bytes.resize(bytes.len() + dice.below(4), 0);
        }
    }
    bytes.resize(1 + (bytes.len() - 1).next_multiple_of(4), 0);
    bytes
}

/// A byte of choices and a value, mostly as long as it has to be.
pub(super) fn audio_level(dice: &mut Dice) -> Vec<u8> {
    let count = if dice.chance(70) { 1 } else { dice.below(20) };
    dice.bytes(1 + count)
}

/// Three bytes of choices, a descriptor and the start of a frame.
pub(super) fn vp8(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.bytes(3);
    let extended = if dice.chance(90) { 0x80 } else { 0 };
    bytes.push(extended | dice.byte() & 0x3F);
    let count = dice.below(9);
    bytes.extend(dice.bytes(count));
    bytes
}

/// Few bytes: silence, or nearly.
pub(super) fn opus(dice: &mut Dice) -> Vec<u8> {
    let most = if dice.chance(80) { 4 } else { 40 };
    let count = dice.below(most);
    let mut bytes = dice.bytes(count);
    if let Some(second) = bytes.get_mut(1).filter(|_| dice.chance(50)) {
        *second &= 0xC3;
    }
    bytes
}

/// Three bytes of choices, a descriptor and the start of a frame.
pub(super) fn vp9(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.bytes(4);
    if dice.chance(60) {
        // The structure has a packet in a hundred.
        bytes[3] &= 0xFD;
    }
    let count = dice.below(if bytes[3] & 2 == 0 { 9 } else { 80 });
    bytes.extend(dice.bytes(count));
    bytes
}

/// A single unit, an aggregate or a fragment.
pub(super) fn h264(dice: &mut Dice) -> Vec<u8> {
    let kind: u8 = *dice.pick(&[1, 5, 7, 24, 24, 25, 26, 27, 28, 28, 29]).unwrap_or(&24);
    let mut bytes = vec![0x60 | kind];
    let head = [0, 2, 2, 2, 1, 3][usize::from(kind.saturating_sub(24))];
    bytes.extend(dice.bytes(if kind < 24 { 0 } else { head }));
    let between = [0, 0, 3, 4, 0, 0][usize::from(kind.saturating_sub(24))];
    units(
        dice,
        &mut bytes,
        between,
        &[&[0x67], &[0x68], &[0x65, 0x88], &[0x65, 0x08], &[0x41, 0x9A], &[0x06]],
    );
    bytes
}

/// The same of H.265, at times behind PACI.
pub(super) fn h265(dice: &mut Dice) -> Vec<u8> {
    let kind = *dice.pick(&[1, 19, 32, 33, 48, 48, 49, 49, 50]).unwrap_or(&48);
    let mut bytes = vec![kind << 1, 1 + dice.byte() % 4];
    if kind == 50 {
        let inner = *dice.pick(&[1, 19, 33, 48, 49, 50]).unwrap_or(&48);
        let fields = dice.byte() % 6;
        bytes.extend([inner << 1, fields << 4]);
        bytes.extend(dice.bytes(fields.into()));
    }
    let units_of: [&[u8]; 6] =
        [&[0x40, 1], &[0x42, 1], &[0x44, 1], &[0x26, 1, 0x80], &[0x26, 1, 0x00], &[0x02, 1, 0xD0]];
    if kind == 49 {
        bytes.push((dice.byte() & 0xC0) | *dice.pick(&[1, 19, 33]).unwrap_or(&1));
    }
    units(dice, &mut bytes, 0, &units_of);
    bytes
}

/// Units behind their sizes, and what else an aggregate has between size and unit.
fn units(dice: &mut Dice, bytes: &mut Vec<u8>, between: usize, beginnings: &[&[u8]]) {
    for _ in 0..dice.below(5) {
        let beginning = dice.pick(beginnings).copied().unwrap_or_default();
        let more = dice.below(4);
        let size = u16::try_from(beginning.len() + more).unwrap_or(0);
        bytes.extend(size.to_be_bytes());
        bytes.extend(dice.bytes(between));
        bytes.extend(beginning);
        bytes.extend(dice.bytes(more));
    }
}

/// An aggregation header and the start of an OBU.
pub(super) fn av1(dice: &mut Dice) -> Vec<u8> {
    let count = dice.below(14);
    let mut bytes = dice.bytes(count);
    if let Some(first) = bytes.first_mut().filter(|_| dice.chance(70)) {
        *first &= 0x7F;
    }
    bytes
}

/// Five bytes of choices, a value with a structure, and one that mostly means it.
pub(super) fn dependency_descriptor(dice: &mut Dice) -> Vec<u8> {
    let offset = dice.below(64);
    let mut bits = Bits::default();
    bits.put(8, 0xC0 | offset);
    bits.put(16, dice.below(0x1_0000));
    bits.put(5, 0x10 | if dice.chance(30) { dice.below(16) } else { 0 });
    bits.put(6, offset);
    structure(dice, &mut bits);
    let room = dice.below(6);
    bits.bytes.extend(dice.bytes(room));
    let first = bits.bytes;
    let mut bytes = vec![u8::try_from(first.len()).unwrap_or(u8::MAX)];
    bytes.extend(dice.bytes(4));
    bytes.extend(first);
    let template = u8::try_from((offset + dice.below(5)) % 64).unwrap_or(0);
    let more = dice.below(12);
    bytes.extend([0xC0 | template, 1, 2]);
    bytes.extend(dice.bytes(more));
    bytes
}

/// A template dependency structure behind its offset (RTP Payload Format for AV1, A.8.2), mostly a sound one.
fn structure(dice: &mut Dice, bits: &mut Bits) {
    let targets = 1 + if dice.chance(80) { dice.below(4) } else { dice.below(32) };
    bits.put(5, targets - 1);
    let steps = if dice.chance(70) { dice.below(4) } else { dice.below(70) };
    let usual = dice.below(3);
    let mut spatial = 0;
    for _ in 0..steps {
        let step = if dice.chance(70) { usual } else { dice.below(3) };
        spatial += usize::from(step == 2);
        bits.put(2, step);
    }
    bits.put(2, 3);
    for _ in 0..(steps + 1) * targets {
        bits.put(2, dice.below(4));
    }
    for _ in 0..=steps {
        for _ in 0..dice.below(3) {
            bits.put(5, 0x10 | dice.below(16));
        }
        bits.put(1, 0);
    }
    let chains = dice.below(targets + 1).min(dice.below(4));
    bits.put_non_symmetric(targets + 1, chains);
    if chains > 0 {
        for _ in 0..targets {
            bits.put_non_symmetric(chains, dice.below(chains));
        }
        for _ in 0..(steps + 1) * chains {
            bits.put(4, dice.below(16));
        }
    }
    bits.put(1, usize::from(dice.chance(40)));
    for _ in 0..=spatial {
        bits.put(32, dice.below(0x1_0000));
    }
}

/// Bits in the order of the wire.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    filled: usize,
}

impl Bits {
    fn put(&mut self, count: usize, number: usize) {
        for bit in (0..count).rev() {
            if self.filled.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(number >> bit & 1 == 1) << (7 - self.filled % 8);
            }
            self.filled += 1;
        }
    }

    /// ns(values) of the specification, for a number below `values`.
    fn put_non_symmetric(&mut self, values: usize, number: usize) {
        let bits = usize::BITS - values.leading_zeros();
        let short = (1 << bits) - values;
        let width = usize::try_from(bits).unwrap_or(0);
        if number < short { self.put(width - 1, number) } else { self.put(width, number + short) }
    }
}

/// A compound as our writer makes it.
pub(super) fn compound(dice: &mut Dice) -> Vec<u8> {
    let mut buffer = [0; COMPOUND_BYTES_MAX];
    let mut writer = CompoundWriter::new(&mut buffer);
    for _ in 0..=dice.below(5) {
        // What does not fit is left out.
        let _ = write(&mut writer, &rtcp_write::drawn(dice));
    }
    writer.bytes().to_vec()
}

/// A choice of kind, a count and a body of sender or receiver reports.
pub(super) fn report(dice: &mut Dice) -> Vec<u8> {
    let (kind, count) = (dice.byte() % 2, dice.byte() % 4);
    let exact = if kind == 0 { 24 } else { 4 } + 24 * usize::from(count);
    body(dice, &[kind, count], exact)
}

/// The same of source descriptions.
pub(super) fn sdes(dice: &mut Dice) -> Vec<u8> {
    let count = dice.byte() % 5;
    let mut bytes = vec![0, count];
    for _ in 0..count {
        bytes.extend(dice.bytes(4));
        for _ in 0..dice.below(3) {
            let text = dice.below(9);
            bytes.extend([1 + dice.byte() % 3, u8::try_from(text).unwrap_or(0)]);
            bytes.extend(dice.bytes(text));
        }
        bytes.resize(2 + (bytes.len() - 2 + 1).next_multiple_of(4), 0);
    }
    bytes
}

/// The same of goodbyes.
pub(super) fn bye(dice: &mut Dice) -> Vec<u8> {
    let count = dice.byte() % 5;
    let mut bytes = body(dice, &[0, count], 4 * usize::from(count));
    if dice.chance(70) {
        let text = dice.below(12);
        bytes.push(u8::try_from(text).unwrap_or(0));
        bytes.extend(dice.bytes(text));
        bytes.resize(2 + (bytes.len() - 2).next_multiple_of(4), 0);
    }
    bytes
}

/// The same of feedback.
pub(super) fn feedback(dice: &mut Dice) -> Vec<u8> {
    let (kind, format) = *dice.pick(&[(0, 1), (1, 1), (1, 4), (0, 15), (1, 15)]).unwrap_or(&(0, 1));
    let words = dice.below(6);
    body(dice, &[kind, format], 8 + 4 * words)
}

/// A body of transport-wide feedback that is mostly sound: chunks that fit the count, deltas that fit the chunks.
pub(super) fn twcc(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = vec![dice.byte()];
    bytes.extend(dice.bytes(10));
    let (mut chunks, mut statuses, mut deltas) = (Vec::new(), 0, 0);
    for _ in 0..dice.below(12) {
        let vector = [dice.byte(), dice.byte()];
        let (chunk, symbols, most) = match dice.below(4) {
            0 => ([vector[0] & 0x40, vector[1]], usize::from(vector[1]), usize::from(vector[1]) * 2),
            1 => ([0x20, vector[1] & 31], usize::from(vector[1] & 31), usize::from(vector[1] & 31)),
            2 => ([0x80 | vector[0] & 0x3F, vector[1]], 14, 14),
            _ => ([0xC0 | vector[0] & 0x2A, vector[1] & 0xAA], 7, 14),
        };
        chunks.extend(chunk);
        statuses += symbols;
        deltas += most;
    }
    let statuses = statuses.saturating_sub(dice.below(7)) + usize::from(dice.chance(5));
    let [.., high, low] = statuses.to_be_bytes();
    bytes.extend([high, low]);
    bytes.extend(dice.bytes(4));
    bytes.extend(chunks);
    bytes.extend(dice.bytes(deltas + 3));
    bytes
}

/// The same of a REMB.
pub(super) fn remb(dice: &mut Dice) -> Vec<u8> {
    let streams = dice.byte() % 6;
    let mut bytes = vec![dice.byte(), streams + u8::from(dice.chance(10))];
    bytes.push(if dice.chance(80) { dice.byte() & 0x7F } else { dice.byte() });
    bytes.extend(dice.bytes(2 + 4 * usize::from(streams)));
    bytes
}

/// The same of extended reports.
pub(super) fn xr(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = body(dice, &[0, 0], 4);
    for _ in 0..dice.below(4) {
        let (kind, words) = *dice.pick(&[(4, 2), (5, 3), (5, 6), (1, 1), (4, 1), (5, 0)]).unwrap_or(&(4, 2));
        bytes.extend([kind, 0, 0, words]);
        bytes.extend(dice.bytes(4 * usize::from(words)));
    }
    bytes
}

/// Mostly with the padding bit off, at times with padding that is right.
fn body(dice: &mut Dice, head: &[u8; 2], exact: usize) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.extend(dice.bytes(exact));
    if dice.chance(10) {
        bytes[1] |= 0x20;
        bytes.extend([0, 0, 0, 4]);
    }
    bytes
}

/// The content of a request's frame, valid, spoiled or mutated.
pub(super) fn request(dice: &mut Dice) -> Vec<u8> {
    let around = Surroundings { peer: address(1, 4_000), taken_port: 9 };
    let mut model = Model::default();
    let command = match dice.below(6) {
        0 => commands::produce(dice.any(), dice.any(), true),
        1 => commands::produce(dice.any(), dice.any(), false),
        2 => commands::connect(dice.any(), around.peer, Some(7)),
        3 => commands::about_consumer(dice.any(), dice.below(8)),
        4 => Command::UpdateSettings {
            log_level: Some(LogLevel::Warn),
            log_tags: Some(List::first_of(LogTag::ALL)),
        },
        _ => commands::draw(&mut model, dice, around).0,
    };
    let command = if dice.chance(50) { extremes::spoil(command, dice, around) } else { command };
    let id = RequestId(dice.any());
    if dice.chance(30) { mutate::mutated(id, command, dice) } else { mutate::content_of(id, command) }
}

/// The content of a frame from a worker. The long ones are in the corpus.
pub(super) fn message(dice: &mut Dice) -> Vec<u8> {
    let message = match dice.below(4) {
        0 => FromWorker::Hello(Hello {
            protocol_version: u32::from(dice.byte()),
            worker_version: Text::clipped("1.2.3"),
            pid: 77,
            features: List::first_of((0..dice.below(5)).map(|_| Text::clipped("feature"))),
        }),
        1 => FromWorker::Response { id: RequestId(dice.any()), result: Ok(Reply::Done) },
        2 => {
            let error = CommandError::new(ErrorKind::NotFound, "no transport has this id");
            FromWorker::Response { id: RequestId(dice.any()), result: Err(error) }
        }
        _ => FromWorker::Event(tidegate_protocol::event::Event::TransportInternalError {
            transport: TransportId(dice.any()),
            message: Text::clipped("a sentence"),
        }),
    };
    let mut frame = Vec::new();
    encode_frame(&message, &mut frame).expect("it fits");
    frame.split_off(4)
}
