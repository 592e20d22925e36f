//! Bytes in, bytes and tag out, under one session key.
//!
//! Knows RFC 3711 4.1.1 and 4.2.1, RFC 7714 8 and 9. Does not know headers, replay or how an index was found.
//! Called by the two directions. Invariant: what stands before the tag is what the tag covers, and tags are compared in
//! constant time.

use std::fmt;
use std::hint::black_box;

use aes::Aes128Enc;
use aes::cipher::{InnerIvInit, StreamCipher};
use ctr::{Ctr32BE, CtrCore};
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;
use zeroize::Zeroize;

use crate::srtp::keys::SessionKeys;
use crate::srtp::suite::{GCM_TAG_BYTES, SALT_BYTES_MAX, Suite};

/// A session key made ready. Boxed, for the two are of different size and one of them is there as long as its transport.
#[derive(Debug)]
pub(super) enum Cipher {
    Cm(Box<Cm>),
    Gcm(Box<Gcm>),
}

impl Cipher {
    /// Expands session keys. `None` only if a library refused a key of the right length.
    pub(super) fn new(keys: &SessionKeys) -> Option<Self> {
        Some(match keys.suite {
            Suite::AeadAes256Gcm | Suite::AeadAes128Gcm => Self::Gcm(Box::new(Gcm::new(keys)?)),
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => Self::Cm(Box::new(Cm::new(keys)?)),
        })
    }
}

/// AES in counter mode, and HMAC-SHA1.
pub(super) struct Cm {
    aes: Aes128Enc,
    /// With the key's two blocks already in it.
    hmac: Hmac<Sha1>,
    salt: [u8; SALT_BYTES_MAX],
}

impl Cm {
    pub(super) fn new(keys: &SessionKeys) -> Option<Self> {
        let hmac = Hmac::new_from_slice(&keys.authentication).ok()?;
        Some(Self { aes: keys.aes_128(), hmac, salt: *keys.salt() })
    }

    /// The keystream of a packet (RFC 3711 4.1.1). 2^16 blocks long: more than any packet.
    pub(super) fn keystream(&self, ssrc: u32, index: u64) -> Ctr32BE<&Aes128Enc> {
        let mut start = [0; 16];
        let [salt @ .., _, _] = &mut start;
        *salt = self.salt;
        let [_, _, _, _, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5, _, _] = &mut start;
        let [.., x0, x1, x2, x3, x4, x5] = index.to_be_bytes();
        let [y0, y1, y2, y3] = ssrc.to_be_bytes();
        let places = [s0, s1, s2, s3, i0, i1, i2, i3, i4, i5];
        for (place, byte) in places.into_iter().zip([y0, y1, y2, y3, x0, x1, x2, x3, x4, x5]) {
            *place ^= byte;
        }
        Ctr32BE::from_core(CtrCore::inner_iv_init(&self.aes, &start.into()))
    }

    /// The uncut tag of `covered` and `suffix` (RFC 3711 4.2.1).
    pub(super) fn tag(&self, covered: &[u8], suffix: &[u8]) -> [u8; 20] {
        self.hmac_of(covered, suffix).finalize().into_bytes().into()
    }

    fn hmac_of(&self, covered: &[u8], suffix: &[u8]) -> Hmac<Sha1> {
        let mut hmac = self.hmac.clone();
        hmac.update(covered);
        hmac.update(suffix);
        hmac
    }

    /// Whether `tag` is the beginning of the tag of `covered` and `suffix`.
    pub(super) fn verify(&self, covered: &[u8], suffix: &[u8], tag: &[u8]) -> bool {
        self.hmac_of(covered, suffix).verify_truncated_left(tag).is_ok()
    }

    /// Writes `plain` encrypted to `out`. `None`: they differ in length.
    pub(super) fn encrypt_to(stream: &mut Ctr32BE<&Aes128Enc>, plain: &[u8], out: &mut [u8]) -> Option<()> {
        stream.try_apply_keystream_b2b(plain, out).ok()
    }

    /// Encrypts or decrypts in place.
    pub(super) fn apply(stream: &mut Ctr32BE<&Aes128Enc>, bytes: &mut [u8]) -> Option<()> {
        stream.try_apply_keystream(bytes).ok()
    }
}

impl Drop for Cm {
    fn drop(&mut self) {
        // The key schedule and the HMAC's state clear themselves.
        self.salt.zeroize();
    }
}

impl fmt::Debug for Cm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cm")
    }
}

/// AES in Galois/Counter Mode.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; GCM_SALT_BYTES],
}

impl Gcm {
    pub(super) fn new(keys: &SessionKeys) -> Option<Self> {
        let algorithm = match keys.suite {
            Suite::AeadAes256Gcm => &aead::AES_256_GCM,
            _ => &aead::AES_128_GCM,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, keys.key()).ok()?);
        let [salt @ .., _, _] = *keys.salt();
        Some(Self { key, salt })
    }

    /// The nonce of an RTP packet (RFC 7714 8.1): two zeros, SSRC, roll-over counter and sequence number, under the salt.
    /// That of an RTCP compound (RFC 7714 9.1) is the same, for its index has at most 31 bits.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let [.., i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        let mut nonce = [0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5];
        for (byte, salt) in nonce.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts in place and gives the tag of `clear` and the result.
    pub(super) fn seal(
        &self,
        (ssrc, index): (u32, u64),
        clear: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; GCM_TAG_BYTES]> {
        let tag =
            self.key.seal_in_place_separate_tag(self.nonce(ssrc, index), Aad::from(clear), body).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts in place a body with its tag behind it. `None`: it is not authentic, and what stands in `body` is void.
    pub(super) fn open(
        &self,
        (ssrc, index): (u32, u64),
        clear: &[u8],
        body_and_tag: &mut [u8],
    ) -> Option<()> {
        let nonce = self.nonce(ssrc, index);
        self.key.open_in_place(nonce, Aad::from(clear), body_and_tag).ok().map(|_| ())
    }

    /// Whether the tag of `clear` alone is this one.
    pub(super) fn verify(&self, id: (u32, u64), clear: &[u8], mut tag: [u8; GCM_TAG_BYTES]) -> bool {
        self.open(id, clear, &mut tag).is_some()
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        // ring does not clear its keys: the expansion of another key, in its place, does. `black_box` says that
        // somebody looks at it, else the last write to a dying value could be left out.
        let algorithm = self.key.algorithm();
        let zeros = [0; 32];
        let zeros = zeros.get(..algorithm.key_len()).unwrap_or_default();
        if let Ok(nobody_s) = UnboundKey::new(algorithm, zeros) {
            self.key = LessSafeKey::new(nobody_s);
        }
        self.salt.zeroize();
        black_box(&self.key);
    }
}

impl fmt::Debug for Gcm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Gcm")
    }
}

const GCM_SALT_BYTES: usize = 12;

const _: () = assert!(size_of::<Cm>() <= 320 && size_of::<Gcm>() <= 560 && size_of::<Cipher>() == 16);
