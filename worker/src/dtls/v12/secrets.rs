//! What both sides know after the key exchange, and what is derived from it (RFC 5246, sections 5, 6.3 and 7.4.9; RFC
//! 7627; RFC 5705).
//!
//! Knows HMAC-SHA-256. Does not know messages. Invariant: secrets are zeroed when they go.

use hmac::{Hmac, KeyInit, Mac};
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::record::{KEY_BYTES, Key, SALT_BYTES};

/// Our half of a key exchange.
pub(super) enum Ecdhe {
    X25519(x25519_dalek::EphemeralSecret),
    P256(p256::ecdh::EphemeralSecret),
}

/// A group that both sides may use, by its number in `supported_groups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    X25519,
    P256,
}

/// The master secret.
pub(super) struct Master(Zeroizing<[u8; 48]>);

impl Group {
    /// All of them, as we prefer them.
    pub(super) const ALL: [Self; 2] = [Self::X25519, Self::P256];

    pub(super) fn id(self) -> u16 {
        match self {
            Self::X25519 => 29,
            Self::P256 => 23,
        }
    }

    pub(super) fn of(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.id() == id)
    }
}

impl Ecdhe {
    /// A new secret from the system's random source, and the point to send. `None` when the system has none.
    pub(super) fn generate(group: Group) -> Option<(Self, Vec<u8>)> {
        match group {
            Group::X25519 => {
                let secret = x25519_dalek::EphemeralSecret::random();
                let point = x25519_dalek::PublicKey::from(&secret).as_bytes().to_vec();
                Some((Self::X25519(secret), point))
            }
            Group::P256 => {
                let secret = p256::ecdh::EphemeralSecret::try_generate().ok()?;
                let point = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
                Some((Self::P256(secret), point))
            }
        }
    }

    /// The premaster secret; `None` when the peer's point is none, or one that gives the secret away.
    pub(super) fn agree(self, peer: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        match self {
            Self::X25519(secret) => {
                let peer: [u8; 32] = peer.try_into().ok()?;
                let shared = secret.diffie_hellman(&peer.into());
                // RFC 7748, section 6.1.
                shared.was_contributory().then(|| Zeroizing::new(*shared.as_bytes()))
            }
            Self::P256(secret) => {
                let peer = p256::PublicKey::from_sec1_bytes(peer).ok()?;
                Some(Zeroizing::new((*secret.diffie_hellman(&peer).raw_secret_bytes()).into()))
            }
        }
    }
}

impl Master {
    /// The extended master secret (RFC 7627, section 4).
    pub(super) fn new(premaster: &[u8; 32], session_hash: &[u8; 32]) -> Self {
        let mut master = Zeroizing::new([0; 48]);
        expand(premaster, b"extended master secret", &[session_hash], &mut *master);
        Self(master)
    }

    /// The keys for records of the client and of the server.
    pub(super) fn record_keys(&self, client_random: &[u8; 32], server_random: &[u8; 32]) -> (Key, Key) {
        let mut block = Zeroizing::new([0; 2 * (KEY_BYTES + SALT_BYTES)]);
        expand(&*self.0, b"key expansion", &[server_random, client_random], &mut *block);
        let (keys, salts) = block.split_at(2 * KEY_BYTES);
        let (client_key, server_key) = keys.split_at(KEY_BYTES);
        let (client_salt, server_salt) = salts.split_at(SALT_BYTES);
        (Key::new(client_key, client_salt), Key::new(server_key, server_salt))
    }

    /// What Finished holds.
    pub(super) fn verify_data(&self, is_client: bool, transcript: &[u8; 32]) -> [u8; VERIFY_DATA_BYTES] {
        let label: &[u8] = if is_client { b"client finished" } else { b"server finished" };
        let mut data = [0; VERIFY_DATA_BYTES];
        expand(&*self.0, label, &[transcript], &mut data);
        data
    }

    /// Keying material for SRTP (RFC 5764, section 4.2), as much as `out` holds.
    pub(super) fn export_srtp(&self, client_random: &[u8; 32], server_random: &[u8; 32], out: &mut [u8]) {
        expand(&*self.0, b"EXTRACTOR-dtls_srtp", &[client_random, server_random], out);
    }
}

/// The pseudorandom function of TLS 1.2 (RFC 5246, section 5).
fn expand(secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    // HMAC takes a key of any length.
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(secret) else { return };
    let seeded = |mut mac: Hmac<Sha256>| {
        mac.update(label);
        seed.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let mut chain = seeded(keyed.clone());
    for part in out.chunks_mut(chain.len()) {
        let mut mac = keyed.clone();
        mac.update(&chain);
        let block = Zeroizing::new(<[u8; 32]>::from(seeded(mac)));
        part.iter_mut().zip(block.iter()).for_each(|(place, byte)| *place = *byte);
        let mut mac = keyed.clone();
        mac.update(&chain);
        chain = mac.finalize().into_bytes();
    }
}

pub(super) const VERIFY_DATA_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pseudorandom_function_gives_the_published_bytes() {
        // The vector for P_SHA256 that the TLS working group's list published in 2005 ("test label", 100 bytes).
        let secret =
            [0x9B, 0xBE, 0x43, 0x6B, 0xA9, 0x40, 0xF0, 0x17, 0xB1, 0x76, 0x52, 0x84, 0x9A, 0x71, 0xDB, 0x35];
        let seed =
            [0xA0, 0xBA, 0x9F, 0x93, 0x6C, 0xDA, 0x31, 0x18, 0x27, 0xA6, 0xF7, 0x96, 0xFF, 0xD5, 0x19, 0x8C];
        let mut out = [0; 100];
        expand(&secret, b"test label", &[&seed], &mut out);
        assert_eq!(out[..8], [0xE3, 0xF2, 0x29, 0xBA, 0x72, 0x7B, 0xE1, 0x7B]);
        assert_eq!(out[96..], [0x87, 0x34, 0x7B, 0x66]);
    }

    #[test]
    fn both_halves_agree_and_points_that_give_it_away_are_refused() {
        for group in Group::ALL {
            let (one, one_point) = Ecdhe::generate(group).unwrap();
            let (other, other_point) = Ecdhe::generate(group).unwrap();
            assert_eq!(one.agree(&other_point).unwrap(), other.agree(&one_point).unwrap());
            let bad_points = [vec![], vec![0; 32], vec![4; 65], one_point[1..].to_vec()];
            for bad in bad_points {
                assert!(Ecdhe::generate(group).unwrap().0.agree(&bad).is_none(), "{group:?} {bad:?}");
            }
        }
    }
}
