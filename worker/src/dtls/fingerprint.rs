//! Fingerprints of certificates (RFC 8122): what signalling says about the peer's certificate, and what ours has.
//!
//! Knows hash functions and hexadecimal pairs. Does not know certificates beyond their bytes.

use std::fmt;

use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use thiserror::Error;

/// A hash function of RFC 8122, section 5; the stronger the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashFunction {
    /// 20 bytes. Not safe against collisions; checked only when a peer gives nothing better.
    Sha1,
    /// 28 bytes.
    Sha224,
    /// 32 bytes; what everybody uses.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// A certificate's hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    function: HashFunction,
    /// Its first `function.bytes()` count; zero beyond.
    digest: [u8; DIGEST_BYTES_MAX],
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadFingerprint {
    /// The name is none of `sha-1`, `sha-224`, `sha-256`, `sha-384`, `sha-512`.
    #[error("an unknown hash function: use sha-1, sha-224, sha-256, sha-384 or sha-512")]
    HashFunction,
    /// The value is not as many hexadecimal pairs as the hash function has bytes.
    #[error("the value must be hexadecimal pairs with colons between, as many as the hash has bytes")]
    Value,
}

impl HashFunction {
    /// All of them, weakest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in signalling, such as `sha-256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Bytes of its output.
    pub fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Fingerprint {
    /// The fingerprint of a certificate in DER form.
    pub fn of(function: HashFunction, certificate_der: &[u8]) -> Self {
        match function {
            HashFunction::Sha1 => Self::new(function, &Sha1::digest(certificate_der)),
            HashFunction::Sha224 => Self::new(function, &Sha224::digest(certificate_der)),
            HashFunction::Sha256 => Self::new(function, &Sha256::digest(certificate_der)),
            HashFunction::Sha384 => Self::new(function, &Sha384::digest(certificate_der)),
            HashFunction::Sha512 => Self::new(function, &Sha512::digest(certificate_der)),
        }
    }

    /// Reads what signalling gives: the hash function's name and hexadecimal pairs with colons between, in either case.
    ///
    /// # Errors
    /// An unknown name, or a value that is not as many pairs as the hash has bytes.
    pub fn parse(name: &str, value: &str) -> Result<Self, BadFingerprint> {
        let named = HashFunction::ALL.into_iter().find(|function| function.name().eq_ignore_ascii_case(name));
        let function = named.ok_or(BadFingerprint::HashFunction)?;
        let mut digest = [0; DIGEST_BYTES_MAX];
        let mut places = digest.iter_mut().take(function.bytes());
        for pair in value.split(':') {
            let place = places.next().ok_or(BadFingerprint::Value)?;
            let is_pair = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            let byte = u8::from_str_radix(pair, 16).ok().filter(|_| is_pair);
            *place = byte.ok_or(BadFingerprint::Value)?;
        }
        if places.next().is_some() { Err(BadFingerprint::Value) } else { Ok(Self { function, digest }) }
    }

    /// The hash function.
    pub fn function(&self) -> HashFunction {
        self.function
    }

    fn new(function: HashFunction, output: &[u8]) -> Self {
        let mut digest = [0; DIGEST_BYTES_MAX];
        for (place, byte) in digest.iter_mut().zip(output) {
            *place = *byte;
        }
        Self { function, digest }
    }
}

/// The value: upper-case hexadecimal pairs with colons between.
impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.digest.iter().take(self.function.bytes()).enumerate() {
            write!(formatter, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {self}", self.function.name())
    }
}

/// Whether a certificate is the one that signalling spoke of: of the given fingerprints those of the strongest hash
/// function count, and one of them must be this certificate's (RFC 8122, section 5). No fingerprint: nobody's.
pub fn is_expected(given: &[Fingerprint], certificate_der: &[u8]) -> bool {
    let Some(strongest) = given.iter().map(Fingerprint::function).max() else { return false };
    given.contains(&Fingerprint::of(strongest, certificate_der))
}

const DIGEST_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_back_as_written() {
        for function in HashFunction::ALL {
            let fingerprint = Fingerprint::of(function, b"abc");
            let text = fingerprint.to_string();
            assert_eq!(text.len(), function.bytes() * 3 - 1);
            assert_eq!(Fingerprint::parse(function.name(), &text), Ok(fingerprint));
            assert_eq!(
                Fingerprint::parse(&function.name().to_uppercase(), &text.to_lowercase()),
                Ok(fingerprint)
            );
        }
        // FIPS 180-4, "abc".
        assert!(Fingerprint::of(HashFunction::Sha1, b"abc").to_string().starts_with("A9:99:3E:36:47:06"));
        assert!(Fingerprint::of(HashFunction::Sha256, b"abc").to_string().ends_with("F2:00:15:AD"));
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let good = Fingerprint::of(HashFunction::Sha1, b"abc").to_string();
        assert_eq!(Fingerprint::parse("md5", &good), Err(BadFingerprint::HashFunction));
        for bad in
            [&good[3..], &format!("{good}:00"), &good.replace(':', ""), &good.replace("A9", "+9"), "", ":"]
        {
            assert_eq!(Fingerprint::parse("sha-1", bad), Err(BadFingerprint::Value), "{bad}");
        }
    }

    #[test]
    fn the_strongest_hash_function_decides_and_any_of_its_fingerprints_will_do() {
        let of = |function, certificate: &[u8]| Fingerprint::of(function, certificate);
        let (ours, other) = (b"ours".as_slice(), b"other".as_slice());
        assert!(!is_expected(&[], ours));
        assert!(is_expected(&[of(HashFunction::Sha1, ours)], ours));
        assert!(is_expected(&[of(HashFunction::Sha256, other), of(HashFunction::Sha256, ours)], ours));
        assert!(!is_expected(&[of(HashFunction::Sha1, ours), of(HashFunction::Sha256, other)], ours));
        assert!(is_expected(&[of(HashFunction::Sha1, other), of(HashFunction::Sha512, ours)], ours));
    }
}
