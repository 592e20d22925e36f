//! Payloads that say whose they are, so that what arrives can be compared byte for byte with what was sent.
//!
//! A payload is two bytes that a codec would read, the source, its packet's number, a check over these, and noise. The
//! noise is a piece of one table, so that neither writing nor comparing costs more than passing over the bytes.
//!
//! Knows bytes. Does not know RTP. Used by [`source`](super::source) and [`sink`](super::sink).
//! Invariant: payloads of two packets differ, and each tells which one it is.

use std::sync::OnceLock;

use super::flights::Tag;

/// What a payload begins with: VP8's descriptor and the first byte of a frame, or an Opus packet's first two.
pub(super) type Prefix = [u8; 2];

/// Writes the payload of a packet behind what `bytes` holds.
pub(super) fn write(tag: Tag, prefix: Prefix, payload_bytes: usize, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&prefix);
    bytes.extend_from_slice(&identity(tag, payload_bytes));
    bytes.extend_from_slice(noise(tag, payload_bytes));
}

/// Which packet's payload this is; `None` when it says so of none.
pub(super) fn tag_of(payload: &[u8]) -> Option<Tag> {
    let fields: &[u8; IDENTITY_BYTES] = payload.get(2..PAYLOAD_BYTES_MIN)?.try_into().ok()?;
    let field = |at: usize| u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
    let tag = Tag { source: field(0), number: field(4) };
    (*fields == identity(tag, payload.len())).then_some(tag)
}

/// Whether these are the bytes that [`write()`] would write for this packet.
pub(super) fn is_of(payload: &[u8], tag: Tag, prefix: Prefix, payload_bytes: usize) -> bool {
    payload.len() == payload_bytes
        && payload[..2] == prefix
        && payload[2..PAYLOAD_BYTES_MIN] == identity(tag, payload_bytes)
        && payload[PAYLOAD_BYTES_MIN..] == *noise(tag, payload_bytes)
}

fn identity(tag: Tag, payload_bytes: usize) -> [u8; IDENTITY_BYTES] {
    let check = mix(tag) ^ u32::try_from(payload_bytes).unwrap_or(u32::MAX);
    let mut fields = [0; IDENTITY_BYTES];
    fields[..4].copy_from_slice(&tag.source.to_be_bytes());
    fields[4..8].copy_from_slice(&tag.number.to_be_bytes());
    fields[8..].copy_from_slice(&check.to_be_bytes());
    fields
}

fn noise(tag: Tag, payload_bytes: usize) -> &'static [u8] {
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
    let length = payload_bytes.saturating_sub(PAYLOAD_BYTES_MIN).min(PAYLOAD_BYTES_MAX);
    &table[start..start + length]
}

fn mix(tag: Tag) -> u32 {
    let product =
        (u64::from(tag.source) << 32 | u64::from(tag.number) | 1 << 63).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    u32::try_from((product ^ product >> 32) & 0xFFFF_FFFF).unwrap_or(0)
}

const IDENTITY_BYTES: usize = 12;
/// The shortest payload.
pub(super) const PAYLOAD_BYTES_MIN: usize = 2 + IDENTITY_BYTES;
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
        for length in [PAYLOAD_BYTES_MIN, 200, PAYLOAD_BYTES_MAX] {
            let mut payload = Vec::new();
            write(tag, [0x10, 1], length, &mut payload);
            assert_eq!((payload.len(), tag_of(&payload)), (length, Some(tag)));
            assert!(is_of(&payload, tag, [0x10, 1], length));
            for at in 0..length {
                payload[at] ^= 0x10;
                assert!(!is_of(&payload, tag, [0x10, 1], length), "{at}");
                assert!(tag_of(&payload) == Some(tag) || (2..PAYLOAD_BYTES_MIN).contains(&at));
                payload[at] ^= 0x10;
            }
            assert_eq!(tag_of(&payload[1..]), None);
        }
    }

    #[test]
    fn packets_differ() {
        let of = |number| noise(Tag { source: 1, number }, 400);
        assert!((0..200u32).all(|number| of(number) != of(number + 1)));
    }
}
