//! The public key in a peer's certificate, and signatures of its owner: ECDSA (P-256, P-384) and RSA (PKCS#1 v1.5).
//!
//! Knows X.509 as far as the key. Does not know who may have which certificate: fingerprints say that. Nothing here is
//! secret, so nothing needs constant time.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Reader, SliceReader};

/// A key that may sign a handshake.
#[derive(Debug)]
pub(super) enum PeerKey {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Rsa(Rsa),
}

/// An RSA public key of [`RSA_BYTES_MIN`] to [`RSA_BYTES_MAX`].
#[derive(Debug)]
pub(super) struct Rsa {
    modulus: BoxedMontyParams,
    bytes: usize,
    exponent: u32,
}

impl PeerKey {
    /// `None` when it is no certificate, or its key is of another kind.
    pub(super) fn of(certificate_der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(certificate_der).ok()?;
        let info = certificate.tbs_certificate().subject_public_key_info();
        let key = info.subject_public_key.as_bytes()?;
        match info.algorithm.oid {
            EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok()?;
                match curve {
                    P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok().map(Self::P256),
                    P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok().map(Self::P384),
                    _ => None,
                }
            }
            RSA_ENCRYPTION => Rsa::parse(key).map(Self::Rsa),
            _ => None,
        }
    }

    /// Whether the key's owner signed what has this SHA-256 hash. `scheme` is what the message says it is.
    pub(super) fn has_signed(&self, scheme: u16, sha256: &[u8; 32], signature: &[u8]) -> bool {
        match (self, scheme) {
            (Self::P256(key), ECDSA_SHA256) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(sha256, &signature).is_ok()),
            (Self::P384(key), ECDSA_SHA256) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(sha256, &signature).is_ok()),
            (Self::Rsa(key), RSA_PKCS1_SHA256) => key.has_signed(sha256, signature).unwrap_or(false),
            _ => false,
        }
    }
}

impl Rsa {
    /// Reads `RSAPublicKey` (RFC 8017, appendix A.1.1).
    fn parse(der: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(der).ok()?;
        let read = reader.sequence(|reader| {
            Ok::<_, x509_cert::der::Error>((UintRef::decode(reader)?, UintRef::decode(reader)?))
        });
        let (modulus, exponent) = read.ok()?;
        let bytes = modulus.as_bytes().len();
        let mut exponent_bytes = [0; 4];
        let start = exponent_bytes.len().checked_sub(exponent.as_bytes().len())?;
        exponent_bytes.get_mut(start..)?.copy_from_slice(exponent.as_bytes());
        let exponent = u32::from_be_bytes(exponent_bytes);
        if !(RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&bytes) || exponent < 3 || exponent.is_multiple_of(2) {
            return None;
        }
        let modulus = BoxedUint::from_be_slice_vartime(modulus.as_bytes());
        let modulus = BoxedMontyParams::new_vartime(Option::from(Odd::new(modulus))?);
        Some(Self { modulus, bytes, exponent })
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.2): what the signature was made of must be, byte for byte, what it would
    /// be for this hash. Nothing is parsed, so nothing can be hidden in it.
    fn has_signed(&self, sha256: &[u8; 32], signature: &[u8]) -> Option<bool> {
        if signature.len() != self.bytes {
            return None;
        }
        let modulus = self.modulus.modulus();
        let signature = BoxedUint::from_be_slice(signature, modulus.bits_precision()).ok()?;
        if signature >= *modulus.as_ref() {
            return None;
        }
        let power = BoxedMontyForm::new(signature, &self.modulus)
            .pow_bounded_exp(&BoxedUint::from(self.exponent), u32::BITS)
            .retrieve();
        let padding = self.bytes.checked_sub(3 + SHA256_DIGEST_INFO.len() + sha256.len())?;
        let mut expected = vec![0, 1];
        expected.resize(2 + padding, 0xFF);
        expected.push(0);
        expected.extend_from_slice(&SHA256_DIGEST_INFO);
        expected.extend_from_slice(sha256);
        let power = power.to_be_bytes();
        let zeros = power.len().checked_sub(expected.len())?;
        let (zeros, power) = power.split_at_checked(zeros)?;
        Some(zeros.iter().all(|byte| *byte == 0) && power == expected)
    }
}

/// `ecdsa_secp256r1_sha256`, which in DTLS 1.2 means ECDSA with SHA-256 on any curve.
pub(super) const ECDSA_SHA256: u16 = 0x0403;
/// `rsa_pkcs1_sha256`.
pub(super) const RSA_PKCS1_SHA256: u16 = 0x0401;
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// 1,024 bits: old libwebrtc made such keys when asked for RSA. A fingerprint vouches for it, no authority.
const RSA_BYTES_MIN: usize = 128;
/// 4,096 bits: what a signature costs us stays below what ECDSA costs.
const RSA_BYTES_MAX: usize = 512;
/// The DER before a SHA-256 hash (RFC 8017, section 9.2, note 1).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

#[cfg(test)]
mod tests;
