//! What makes a message trusted: HMAC-SHA1 with a password, CRC-32, and comparison in constant time.
//!
//! Knows bytes before an attribute. Does not know attributes. Called by `Message` and `Writer`.

use std::fmt;
use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{HEADER_BYTES, INTEGRITY_BYTES};

/// A password, ready to sign and verify: both halves of the HMAC's key are hashed already, which spares two of some
/// seven blocks of SHA-1 for each message.
#[derive(Clone)]
pub struct IntegrityKey(Hmac<Sha1>);

impl IntegrityKey {
    /// The key of a short-term password (RFC 8489 9.1.1), which is any bytes.
    pub fn new(password: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(password);
        Self(mac.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")))
    }

    /// The value of MESSAGE-INTEGRITY behind `signed`, the message's bytes before that attribute.
    pub(super) fn sign(&self, signed: &[u8]) -> [u8; INTEGRITY_BYTES] {
        self.over(signed).finalize().into_bytes().into()
    }

    pub(super) fn verifies(&self, signed: &[u8], value: &[u8]) -> bool {
        self.over(signed).verify_slice(value).is_ok()
    }

    /// The length that counts is that of a message which ends with MESSAGE-INTEGRITY, whatever follows.
    fn over(&self, signed: &[u8]) -> Hmac<Sha1> {
        let mut mac = self.0.clone();
        let (start, rest) = signed.split_at_checked(2).unwrap_or_default();
        mac.update(start);
        mac.update(&length_with(signed, 4 + INTEGRITY_BYTES));
        mac.update(rest.get(2..).unwrap_or_default());
        mac
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IntegrityKey(..)")
    }
}

/// The value of FINGERPRINT (RFC 8489 14.7) behind `covered`, the message's bytes before that attribute.
pub(super) fn fingerprint(covered: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    let (start, rest) = covered.split_at_checked(2).unwrap_or_default();
    sum.update(start);
    sum.update(&length_with(covered, 8));
    sum.update(rest.get(2..).unwrap_or_default());
    sum.finalize() ^ FINGERPRINT_MASK
}

/// The header's length of a message that ends `attribute_bytes` behind `before`.
fn length_with(before: &[u8], attribute_bytes: usize) -> [u8; 2] {
    let bytes = (before.len() + attribute_bytes).saturating_sub(HEADER_BYTES);
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// Whether both are the same, without telling by its duration how much of them is. Their lengths are no secret.
pub fn equal_in_constant_time(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    one.len() == other.len() && black_box(difference) == 0
}

/// "STUN": so that the checksum differs from that of a protocol which has a CRC-32 at its end too.
const FINGERPRINT_MASK: u32 = 0x5354_554E;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_sees_every_byte_and_the_length() {
        let secret = *b"abcdefgh";
        assert!(equal_in_constant_time(&secret, b"abcdefgh"));
        for at in 0..secret.len() {
            let mut other = secret;
            other[at] ^= 1;
            assert!(!equal_in_constant_time(&secret, &other), "byte {at}");
        }
        assert!(!equal_in_constant_time(&secret, b"abcdefg"));
        assert!(!equal_in_constant_time(b"", b"a") && equal_in_constant_time(b"", b""));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", IntegrityKey::new(b"secret")), "IntegrityKey(..)");
    }
}
