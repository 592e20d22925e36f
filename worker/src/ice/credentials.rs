//! Username fragments and passwords (RFC 8445 5.3).
//!
//! Knows their shape. Does not know where random numbers come from. Called by whoever makes a transport.
//! Invariant: both are [`CREDENTIAL_CHARACTERS`] characters of `0-9a-v`, 160 bits each.

use std::fmt;

use super::stun::{IntegrityKey, equal_in_constant_time};

/// A username fragment: says which transport of a shared socket is meant. No secret, but not guessable either.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UsernameFragment([u8; CREDENTIAL_CHARACTERS]);

/// A password: the key of MESSAGE-INTEGRITY.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password([u8; CREDENTIAL_CHARACTERS]);

/// What a peer must show, and be shown.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Which transport is meant.
    pub username_fragment: UsernameFragment,
    /// Its secret.
    pub password: Password,
    pub(super) key: IntegrityKey,
}

impl Credentials {
    /// New credentials from a source of random numbers that peers cannot predict.
    pub fn random(mut next: impl FnMut() -> u32) -> Self {
        let mut characters = || {
            let mut characters = [0; CREDENTIAL_CHARACTERS];
            for group in characters.chunks_mut(CHARACTERS_A_NUMBER) {
                let mut number = next();
                for place in group {
                    *place = CHARACTERS.get(number as usize % CHARACTERS.len()).copied().unwrap_or(b'0');
                    number >>= 5;
                }
            }
            characters
        };
        Self::new(UsernameFragment(characters()), Password(characters()))
    }

    fn new(username_fragment: UsernameFragment, password: Password) -> Self {
        Self { username_fragment, password, key: IntegrityKey::new(&password.0) }
    }

    /// Whether a USERNAME is meant for the holder of these: our fragment, a colon, and any fragment of the peer's.
    pub fn are_named_by(&self, username: &[u8]) -> bool {
        match username.split_at_checked(CREDENTIAL_CHARACTERS) {
            Some((fragment, [b':', ..])) => equal_in_constant_time(fragment, &self.username_fragment.0),
            _ => false,
        }
    }
}

impl UsernameFragment {
    /// The fragment at the beginning of a USERNAME, the way to a transport of a shared socket. `None`: no worker made
    /// that one.
    pub fn of_username(username: &[u8]) -> Option<Self> {
        match username.split_first_chunk() {
            Some((fragment, [b':', ..])) => Some(Self(*fragment)),
            _ => None,
        }
    }

    /// As a peer is told it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Password {
    /// As a peer is told it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for UsernameFragment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UsernameFragment({})", self.0.escape_ascii())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// Characters of a fragment, and of a password. RFC 8445 asks for 4 and 22 of six bits each; these have five.
pub const CREDENTIAL_CHARACTERS: usize = 32;

/// A power of two, so that all are equally likely; no `+` and `/`, which some paths of an offer would escape.
const CHARACTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
/// Of 32 bits, in fives.
const CHARACTERS_A_NUMBER: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_use_all_characters_and_differ() {
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(seed >> 32).unwrap()
        };
        let made: Vec<Credentials> = (0..100).map(|_| Credentials::random(&mut next)).collect();
        let mut texts: Vec<&str> = Vec::new();
        for credentials in &made {
            texts.extend([credentials.username_fragment.as_str(), credentials.password.as_str()]);
        }
        assert!(texts.iter().all(|text| text.len() == 32));
        assert!(CHARACTERS.iter().all(|wanted| texts.iter().any(|text| text.as_bytes().contains(wanted))));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 200);
    }

    #[test]
    fn a_username_is_ours_only_with_the_whole_fragment_and_a_colon() {
        let credentials = Credentials::random(|| 7);
        let fragment = credentials.username_fragment.as_str();
        assert!(credentials.are_named_by(format!("{fragment}:peer").as_bytes()));
        assert!(credentials.are_named_by(format!("{fragment}:").as_bytes()));
        for wrong in
            [fragment.to_owned(), format!("{}:p", &fragment[1..]), format!("x{fragment}:p"), String::new()]
        {
            assert!(!credentials.are_named_by(wrong.as_bytes()), "{wrong}");
        }
        let read = UsernameFragment::of_username(format!("{fragment}:peer").as_bytes());
        assert_eq!(read, Some(credentials.username_fragment));
        assert_eq!(UsernameFragment::of_username(fragment.as_bytes()), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        let mut number = 0;
        let credentials = Credentials::random(|| {
            number += 1;
            number
        });
        assert!(!format!("{credentials:?}").contains(credentials.password.as_str()));
    }
}
