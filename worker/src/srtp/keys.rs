//! From master keys to session keys.
//!
//! Knows RFC 3711 4.3 (with the longer PRF of RFC 6188 for AEAD_AES_256_GCM, as RFC 7714 11 asks) and the layout of
//! RFC 5764 4.2. Invariant: key bytes that leave scope are overwritten first, and `Debug` shows none.

use std::fmt;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc, Block};
use zeroize::Zeroize;

use crate::srtp::suite::{KEY_BYTES_MAX, SALT_BYTES_MAX, Suite};

/// Master key and master salt of one direction.
#[derive(Clone)]
pub struct Keys {
    suite: Suite,
    key: [u8; KEY_BYTES_MAX],
    /// RFC 7714 11: the 96-bit salts stand in front, then zeros.
    salt: [u8; SALT_BYTES_MAX],
}

/// The key of another suite, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} needs {expected} bytes of key and salt, not {given}", suite.name())]
pub struct WrongKeyLength {
    /// For which suite.
    pub suite: Suite,
    /// How many bytes it needs.
    pub expected: usize,
    /// How many there were.
    pub given: usize,
}

/// Which end of the DTLS association we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We sent the ClientHello.
    Client,
    /// The peer did.
    Server,
}

impl Keys {
    /// Keys from a master key and the salt behind it: what `a=crypto` lines and `srtpParameters` carry as base64.
    ///
    /// # Errors
    /// When there are not exactly [`Suite::master_bytes`] of them.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Result<Self, WrongKeyLength> {
        let wrong = WrongKeyLength { suite, expected: suite.master_bytes(), given: key_and_salt.len() };
        if wrong.expected != wrong.given {
            return Err(wrong);
        }
        let (key, salt) = key_and_salt.split_at_checked(suite.key_bytes()).ok_or(wrong)?;
        Self::from_parts(suite, key, salt).ok_or(wrong)
    }

    /// Our keys and the peer's from [`Suite::exporter_bytes`] of a DTLS exporter with [`EXPORTER_LABEL`]
    /// (RFC 5764 4.2): client's key, server's key, client's salt, server's salt.
    ///
    /// # Errors
    /// When there are not exactly that many.
    pub fn from_exporter(suite: Suite, exported: &[u8], ours: Role) -> Result<(Self, Self), WrongKeyLength> {
        let wrong = WrongKeyLength { suite, expected: suite.exporter_bytes(), given: exported.len() };
        if wrong.expected != wrong.given {
            return Err(wrong);
        }
        let (key, salt) = (suite.key_bytes(), suite.salt_bytes());
        let part = |from: usize, bytes: usize| exported.get(from..from + bytes).unwrap_or_default();
        let client = Self::from_parts(suite, part(0, key), part(2 * key, salt)).ok_or(wrong)?;
        let server = Self::from_parts(suite, part(key, key), part(2 * key + salt, salt)).ok_or(wrong)?;
        Ok(match ours {
            Role::Client => (client, server),
            Role::Server => (server, client),
        })
    }

    /// For which suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The master key.
    pub fn key(&self) -> &[u8] {
        self.key.get(..self.suite.key_bytes()).unwrap_or_default()
    }

    /// The master salt.
    pub fn salt(&self) -> &[u8] {
        self.salt.get(..self.suite.salt_bytes()).unwrap_or_default()
    }

    fn from_parts(suite: Suite, key: &[u8], salt: &[u8]) -> Option<Self> {
        let mut keys = Self { suite, key: [0; KEY_BYTES_MAX], salt: [0; SALT_BYTES_MAX] };
        keys.key.get_mut(..key.len())?.copy_from_slice(key);
        keys.salt.get_mut(..salt.len())?.copy_from_slice(salt);
        Some(keys)
    }

    /// The session keys of RTP.
    pub(super) fn rtp(&self) -> SessionKeys {
        self.session([0, 1, 2])
    }

    /// The session keys of RTCP.
    pub(super) fn rtcp(&self) -> SessionKeys {
        self.session([3, 4, 5])
    }

    /// RFC 3711 4.3.1 with a key derivation rate of 0: the labels of cipher, authentication and salt.
    fn session(&self, [cipher, authentication, salt]: [u8; 3]) -> SessionKeys {
        let mut keys = SessionKeys {
            suite: self.suite,
            key: [0; KEY_BYTES_MAX],
            authentication: [0; AUTHENTICATION_BYTES],
            salt: [0; SALT_BYTES_MAX],
        };
        self.derive(cipher, keys.key.get_mut(..self.suite.key_bytes()).unwrap_or_default());
        self.derive(authentication, &mut keys.authentication);
        self.derive(salt, keys.salt.get_mut(..self.suite.salt_bytes()).unwrap_or_default());
        keys
    }

    /// The keystream of AES in counter mode under the master key, from the salt with the label in it.
    fn derive(&self, label: u8, out: &mut [u8]) {
        let mut block = [0; 16];
        let [salt @ .., _, _] = &mut block;
        *salt = self.salt;
        // RFC 3711 4.3.1: key_id is the label and 48 bits of index / rate, here 0.
        if let Some(byte) = salt.get_mut(7) {
            *byte ^= label;
        }
        match self.suite.key_bytes() {
            KEY_BYTES_MAX => keystream(&Aes256Enc::new(&self.key.into()), block, out),
            _ => {
                let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = &self.key;
                keystream(&Aes128Enc::new(key.into()), block, out);
            }
        }
    }
}

fn keystream(
    aes: &impl BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
    start: [u8; 16],
    out: &mut [u8],
) {
    for (count, chunk) in (0_u8..).zip(out.chunks_mut(16)) {
        let mut block = Block::from(start);
        if let Some(last) = block.last_mut() {
            *last = count;
        }
        aes.encrypt_block(&mut block);
        chunk.copy_from_slice(block.get(..chunk.len()).unwrap_or_default());
        block.zeroize();
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.key.zeroize();
        self.salt.zeroize();
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({})", self.suite.name())
    }
}

/// Keys of RTP or of RTCP in one direction.
pub(super) struct SessionKeys {
    pub(super) suite: Suite,
    key: [u8; KEY_BYTES_MAX],
    pub(super) authentication: [u8; AUTHENTICATION_BYTES],
    salt: [u8; SALT_BYTES_MAX],
}

impl SessionKeys {
    /// Keys that a vector names without the master key behind them.
    #[cfg(test)]
    pub(super) fn given(suite: Suite, key: &[u8], salt: &[u8]) -> Self {
        let mut keys = Keys::from_parts(suite, key, salt).unwrap().rtp();
        keys.key = [0; KEY_BYTES_MAX];
        keys.key[..key.len()].copy_from_slice(key);
        keys.salt[..salt.len()].copy_from_slice(salt);
        keys
    }

    pub(super) fn key(&self) -> &[u8] {
        self.key.get(..self.suite.key_bytes()).unwrap_or_default()
    }

    pub(super) fn aes_128(&self) -> Aes128Enc {
        let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = &self.key;
        Aes128Enc::new(key.into())
    }

    pub(super) const fn salt(&self) -> &[u8; SALT_BYTES_MAX] {
        &self.salt
    }
}

impl Drop for SessionKeys {
    fn drop(&mut self) {
        self.key.zeroize();
        self.authentication.zeroize();
        self.salt.zeroize();
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionKeys({})", self.suite.name())
    }
}

/// What to ask a DTLS exporter for (RFC 5764 4.2).
pub const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";
/// Bytes of an HMAC-SHA1 key (RFC 3711 8.2).
const AUTHENTICATION_BYTES: usize = 20;

const _: () = assert!(size_of::<SessionKeys>() <= 68);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    /// RFC 3711 B.3.
    #[test]
    fn derived_keys_are_those_of_rfc_3711() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let keys = Keys::new(Suite::AesCm128HmacSha1_80, &master).unwrap().rtp();
        assert_eq!(keys.key(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.salt()[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        // The RFC gives 94 bytes; HMAC-SHA1 takes 20 of them.
        assert_eq!(keys.authentication[..], hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// RFC 3711 B.2.
    #[test]
    fn keystream_is_that_of_rfc_3711() {
        let aes = Aes128Enc::new_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let mut start = [0; 16];
        start.copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"));
        let mut stream = [0; 48];
        keystream(&aes, start, &mut stream);
        assert_eq!(
            stream[..],
            hex(
                "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"
            )
        );
    }

    /// RFC 6188 7.3: the PRF of 256-bit keys.
    #[test]
    fn derived_256_bit_keys_are_those_of_rfc_6188() {
        let master = "F0F04914B513F2763A1B1FA130F10E29 98F6F6E43E4309D1E622A0E332B9F1B6";
        let salt = hex("3B04803DE51EE7C96423AB5B78D2");
        let mut keys = Keys::new(Suite::AeadAes256Gcm, &[hex(master), vec![0; 12]].concat()).unwrap();
        keys.salt.copy_from_slice(&salt);
        let mut derived = [0; 32];
        keys.derive(0, &mut derived);
        assert_eq!(derived[..], hex("5BA1064E30EC51613CAD926C5A28EF73 1EC7FB397F70A960653CAF06554CD8C4"));
        let mut derived = [0; 14];
        keys.derive(2, &mut derived);
        assert_eq!(derived[..], hex("FA31791685CA444A9E07C6C64E93"));
    }

    #[test]
    fn an_exporter_s_bytes_are_two_keys_and_two_salts() {
        for suite in Suite::ALL {
            let exported: Vec<u8> = (0..).take(suite.exporter_bytes()).collect();
            let (client, server) = Keys::from_exporter(suite, &exported, Role::Client).unwrap();
            let (key, salt) = (suite.key_bytes(), suite.salt_bytes());
            assert_eq!(client.key[..key], exported[..key]);
            assert_eq!(server.key[..key], exported[key..2 * key]);
            assert_eq!(client.salt[..salt], exported[2 * key..2 * key + salt]);
            assert_eq!(server.salt[..salt], exported[2 * key + salt..]);
            let (ours, theirs) = Keys::from_exporter(suite, &exported, Role::Server).unwrap();
            assert_eq!((ours.key, theirs.key), (server.key, client.key));
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for suite in Suite::ALL {
            for length in [0, suite.master_bytes() - 1, suite.master_bytes() + 1] {
                let wrong = Keys::new(suite, &vec![1; length]).unwrap_err();
                assert_eq!((wrong.given, wrong.expected), (length, suite.master_bytes()));
                assert!(Keys::from_exporter(suite, &vec![1; 2 * length], Role::Client).is_err());
            }
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = Keys::new(Suite::AeadAes128Gcm, &[0xAB; 28]).unwrap();
        assert_eq!(
            format!("{keys:?} {:?}", keys.rtp()),
            "Keys(AEAD_AES_128_GCM) SessionKeys(AEAD_AES_128_GCM)"
        );
    }
}
