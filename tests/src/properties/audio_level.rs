//! The audio level of a packet (RFC 6464): the same value in one-byte and two-byte form, and a byte and nothing else.
//!
//! Knows the public face of `tidegate_worker::rtp`. Called through [`super::ALL`].
//! Invariant: the property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::rtp::values::AudioLevel;
use tidegate_worker::rtp::{ExtensionId, Header};

use crate::world::rtp::RtpPacket;

/// The first byte is the extension's id and whether another one stands before it, the others are its value.
pub fn audio_level(data: &[u8]) {
    let Some((first, value)) = data.split_first() else { return };
    let expected = match *value {
        [byte] if byte >= 128 => Some((byte - 128, true)),
        [byte] => Some((byte, false)),
        _ => None,
    };
    assert_eq!(pair(AudioLevel::read(value)), expected);
    if let [byte] = *value {
        assert_eq!(AudioLevel::read(value).map(AudioLevel::write), Some([byte]));
    }
    for two_byte in [false, true] {
        let longest = if two_byte { 255 } else { 16 };
        let shortest = usize::from(!two_byte);
        if (shortest..=longest).contains(&value.len()) {
            assert_eq!(in_packet(*first, value, two_byte), expected, "two-byte form: {two_byte}");
        }
    }
}

/// What is read of a packet in which the value stands.
fn in_packet(first: u8, value: &[u8], two_byte: bool) -> Option<(u8, bool)> {
    let id = if two_byte { (first & 0x7F) + 2 } else { first % 13 + 2 };
    let before = (first & 0x80 != 0).then(|| (1, b"mid".to_vec()));
    let extensions = before.into_iter().chain([(id, value.to_vec())]).collect();
    let packet = RtpPacket { extensions, two_byte, payload: vec![0x78; 3], ..RtpPacket::default() }.write();
    let header = Header::parse(&packet).expect("the bed writes good packets");
    let id = ExtensionId::new(id).expect("2 or more");
    let found = header.extensions.get(id, &packet).expect("it is there");
    assert_eq!(found, value);
    pair(AudioLevel::read(found))
}

fn pair(level: Option<AudioLevel>) -> Option<(u8, bool)> {
    level.inspect(|level| assert!(level.below_full_db <= 127)).map(|level| (level.below_full_db, level.voice))
}
