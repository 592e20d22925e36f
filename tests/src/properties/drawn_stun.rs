//! STUN messages and streams of frames, well-formed for the most part.
//!
//! Knows the worker's writer. Called through `Property::draw`.
//! Invariant: the same dice give the same input.

use tidegate_worker::ice::stun::{Class, IntegrityKey, Writer};

use crate::fuzz::Dice;

/// A message of attributes that mostly may be.
pub(super) fn stun(dice: &mut Dice) -> Vec<u8> {
    let class = *dice
        .pick(&[Class::Request, Class::Indication, Class::Success, Class::Error])
        .unwrap_or(&Class::Request);
    let mut transaction = [0; 12];
    transaction.fill_with(|| dice.byte());
    let mut out = [0; 2_000];
    let mut writer = Writer::new(&mut out, class, u16::from(dice.byte()), &transaction);
    for _ in 0..dice.below(8) {
        let (kind, bytes) = *dice.pick(STUN_ATTRIBUTES).unwrap_or(&(0, 0));
        let bytes = if dice.chance(95) { bytes } else { dice.below(80) };
        let mut value = dice.bytes(bytes);
        if let (0x0009, Some(family)) | (0x0020, Some(family)) = (kind, value.get_mut(1)) {
            *family = if bytes == 8 { 1 } else { 2 };
        }
        writer.attribute(kind, &value);
    }
    let key = IntegrityKey::new(b"password");
    let key = dice.chance(70).then_some(&key);
    let written = if dice.chance(90) { writer.finish(key) } else { writer.finish_without_fingerprint(key) };
    out[..written.unwrap_or(0)].to_vec()
}

/// Types, each with the length that it should have or one that is allowed.
const STUN_ATTRIBUTES: &[(u16, usize)] = &[
    (0x0006, 9),
    (0x0006, 70),
    (0x0009, 7),
    (0x000A, 6),
    (0x0020, 8),
    (0x0020, 20),
    (0x0024, 4),
    (0x0025, 0),
    (0x0030, 4),
    (0xC001, 4),
    (0x8022, 16),
    (0x8029, 8),
    (0x802A, 8),
    (0x7F00, 3),
    (0xFF00, 5),
];

/// A byte of choice and frames, the last of them mostly cut.
pub(super) fn framing(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = vec![1 + dice.byte() % 40];
    for _ in 0..dice.below(12) {
        let count = if dice.chance(90) { dice.below(30) } else { dice.below(700) };
        bytes.extend(u16::try_from(count).unwrap_or(0).to_be_bytes());
        bytes.extend(dice.bytes(count));
    }
    let count = bytes.len().saturating_sub(dice.below(5));
    bytes.truncate(count);
    bytes
}
