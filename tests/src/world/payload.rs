//! Payloads that say whose they are, so that what arrives can be compared byte for byte with what was sent.
//!
//! A payload is what a codec would read, two bytes or with numbers of pictures seven, the source, its packet's number, a check over these, and noise. The
//! noise is a piece of one table, so that neither writing nor comparing costs more than passing over the bytes.
//!
//! Knows bytes. Does not know RTP. Used by [`source`](super::source) and [`sink`](super::sink).
//! Invariant: payloads of two packets differ, and each tells which one it is.

use std::sync::OnceLock;

use super::flights::Tag;

/// What a payload begins with: VP8's descriptor and the first byte of a frame, or an Opus packet's first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    bytes: [u8; NUMBERED_BYTES],
    length: u8,
}

impl Prefix {
    /// Two bytes, the first without its highest bit.
    pub(super) const fn short(first: u8, second: u8) -> Self {
        Self { bytes: [first, second, 0, 0, 0, 0, 0], length: 2 }
    }

    /// VP8's descriptor with a picture id of 15 bits, TL0PICIDX and a temporal layer (RFC 7741 4.2), and the first byte
    /// of a frame.
    pub(super) fn numbered(start: u8, picture: u16, base_layer: u8, first: u8) -> Self {
        let [high, low] = picture.to_be_bytes();
        let bytes = [0x80 | start, 0xE0, 0x80 | high, low, base_layer, 0, first];
        Self { bytes, length: u8::try_from(NUMBERED_BYTES).unwrap_or(0) }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Of a payload, by its first byte: VP8's X bit.
    const fn length_in(payload: &[u8]) -> usize {
        match payload {
            [0x80..=0xFF, ..] => NUMBERED_BYTES,
            _ => 2,
        }
    }
}

/// Writes the payload of a packet behind what `bytes` holds.
pub(super) fn write(tag: Tag, prefix: Prefix, payload_bytes: usize, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(prefix.bytes());
    bytes.extend_from_slice(&identity(tag, payload_bytes));
    bytes.extend_from_slice(noise(tag, payload_bytes, prefix.length.into()));
}

/// Which packet's payload this is; `None` when it says so of none.
pub(super) fn tag_of(payload: &[u8]) -> Option<Tag> {
    let fields: &[u8; IDENTITY_BYTES] = payload.get(Prefix::length_in(payload)..)?.first_chunk()?;
    let field = |at: usize| u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
    let tag = Tag { source: field(0), number: field(4) };
    (*fields == identity(tag, payload.len())).then_some(tag)
}

/// Whether these are the bytes that [`write()`] would write for this packet.
pub(super) fn is_of(payload: &[u8], tag: Tag, prefix: Prefix, payload_bytes: usize) -> bool {
    let length = usize::from(prefix.length);
    payload.len() == payload_bytes
        && payload[..length] == *prefix.bytes()
        && payload[length..length + IDENTITY_BYTES] == identity(tag, payload_bytes)
        && payload[length + IDENTITY_BYTES..] == *noise(tag, payload_bytes, length)
}

fn identity(tag: Tag, payload_bytes: usize) -> [u8; IDENTITY_BYTES] {
    let check = mix(tag) ^ u32::try_from(payload_bytes).unwrap_or(u32::MAX);
    let mut fields = [0; IDENTITY_BYTES];
    fields[..4].copy_from_slice(&tag.source.to_be_bytes());
    fields[4..8].copy_from_slice(&tag.number.to_be_bytes());
    fields[8..].copy_from_slice(&check.to_be_bytes());
    fields
}

fn noise(tag: Tag, payload_bytes: usize, prefix_bytes: usize) -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let numbers = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()
        });
        numbers.flatten().take(TABLE_BYTES + PAYLOAD_BYTES_MAX).collect()
    });
    let start = mix(tag) as usize % TABLE_BYTES;
    let length = payload_bytes.saturating_sub(prefix_bytes + IDENTITY_BYTES).min(PAYLOAD_BYTES_MAX);
    &table[start..start + length]
}

fn mix(tag: Tag) -> u32 {
    let product =
        (u64::from(tag.source) << 32 | u64::from(tag.number) | 1 << 63).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    u32::try_from((product ^ product >> 32) & 0xFFFF_FFFF).unwrap_or(0)
}

const IDENTITY_BYTES: usize = 12;
/// Of a VP8 prefix with numbers.
const NUMBERED_BYTES: usize = 7;
/// The shortest payload.
pub(super) const PAYLOAD_BYTES_MIN: usize = NUMBERED_BYTES + IDENTITY_BYTES;
/// The longest payload.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1_400;
/// Fits the caches beside everything else.
const TABLE_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_tells_its_packet_and_any_change_shows() {
        let tag = Tag { source: 3, number: 70_000 };
        for prefix in [Prefix::short(0x10, 1), Prefix::numbered(0x10, 0x7FFF, 255, 1)] {
            for length in [PAYLOAD_BYTES_MIN, 200, PAYLOAD_BYTES_MAX] {
                let mut payload = Vec::new();
                write(tag, prefix, length, &mut payload);
                assert_eq!((payload.len(), tag_of(&payload)), (length, Some(tag)));
                assert!(is_of(&payload, tag, prefix, length));
                for at in 0..length {
                    payload[at] ^= 0x10;
                    assert!(!is_of(&payload, tag, prefix, length), "{at}");
                    payload[at] ^= 0x10;
                }
                assert_eq!(tag_of(&payload[1..]), None);
            }
        }
    }

    #[test]
    fn packets_differ() {
        let of = |number| noise(Tag { source: 1, number }, 400, 2);
        assert!((0..200u32).all(|number| of(number) != of(number + 1)));
    }
}
