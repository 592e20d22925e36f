//! The worker's certificate: made when it is first needed, or given as PEM files.
//!
//! Knows ECDSA P-256 and X.509. Does not know handshakes or files: texts come in.
//! Invariant: the private key belongs to the certificate, and its memory is zeroed when it goes.

use std::fmt;
use std::time::Duration;

use p256::SecretKey;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;
use p256::pkcs8::DecodePrivateKey;
use thiserror::Error;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::der::asn1::{GeneralizedTime, UtcTime};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{self, Decode, DecodePem, Encode, EncodePem};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{EncodePublicKey, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate as X509, TbsCertificate};
use zeroize::Zeroizing;

use super::fingerprint::{Fingerprint, HashFunction};

/// An ECDSA P-256 certificate and its private key. One is enough for all transports of a worker.
pub struct Certificate {
    der: Vec<u8>,
    key: SigningKey,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The certificate's text has no X.509 certificate in PEM form.
    #[error("the DTLS certificate is no X.509 certificate in PEM form: {0}")]
    Certificate(der::Error),
    /// The key's text has no P-256 key in PEM form.
    #[error("the DTLS private key is no ECDSA P-256 key in PEM form (PKCS#8 or SEC1, not encrypted)")]
    Key,
    /// Both are well, but do not belong together.
    #[error("the DTLS private key does not belong to the DTLS certificate")]
    Mismatch,
    /// The system gave no random numbers, or a certificate could not be written.
    #[error("a DTLS certificate could not be made: {0}")]
    NotMade(String),
}

impl Certificate {
    /// Makes a self-signed certificate, valid for ten years before and after `unix_seconds`, the time of day. Key and
    /// serial number come from the system's random source.
    ///
    /// # Errors
    /// [`CertificateError::NotMade`].
    pub fn generate(unix_seconds: u64) -> Result<Self, CertificateError> {
        let secret = SecretKey::try_generate().map_err(not_made)?;
        let key = SigningKey::from(secret);
        // Firefox wants serial numbers to be unique among all certificates of an issuer's name.
        let mut serial = [0; SERIAL_BYTES];
        getrandom::fill(&mut serial).map_err(not_made)?;
        serial[0] = serial[0] & 0x3F | 0x40; // positive, and no leading zero
        let der = self_signed(&key, &serial, unix_seconds).map_err(not_made)?;
        Ok(Self { der, key })
    }

    /// Takes the first certificate of one text and the first private key of another, both in PEM form.
    ///
    /// # Errors
    /// A text that holds none, a key that is not ECDSA P-256, or a key of another certificate.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, CertificateError> {
        let block = pem_block(certificate_pem, "CERTIFICATE");
        let certificate = X509::from_pem(block.unwrap_or_default()).map_err(CertificateError::Certificate)?;
        let secret = if let Some(block) = pem_block(key_pem, "PRIVATE KEY") {
            SecretKey::from_pkcs8_pem(block).ok()
        } else {
            pem_block(key_pem, "EC PRIVATE KEY").and_then(|block| SecretKey::from_sec1_pem(block).ok())
        };
        let key = SigningKey::from(secret.ok_or(CertificateError::Key)?);
        let public = key.verifying_key().to_public_key_der().map_err(|_| CertificateError::Key)?;
        let certified = certificate.tbs_certificate().subject_public_key_info().to_der();
        let certified = certified.map_err(CertificateError::Certificate)?;
        if certified != public.as_bytes() {
            return Err(CertificateError::Mismatch);
        }
        let der = certificate.to_der().map_err(CertificateError::Certificate)?;
        Ok(Self { der, key })
    }

    /// The certificate in DER form.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its fingerprints, one for each hash function.
    pub fn fingerprints(&self) -> [Fingerprint; 5] {
        HashFunction::ALL.map(|function| Fingerprint::of(function, &self.der))
    }

    /// The private key in DER form, for an engine that signs by itself: an ECPrivateKey (RFC 5915, section 3) without the
    /// public key and the curve's name, which follow. Each connection keeps a copy.
    pub(super) fn key_der(&self) -> Zeroizing<Vec<u8>> {
        let key = Zeroizing::new(self.key.to_bytes());
        // SEQUENCE { INTEGER 1, OCTET STRING }
        Zeroizing::new([&[0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20], key.as_slice()].concat())
    }

    /// An ECDSA signature of a SHA-256 hash, in DER form. `None` if the hash cannot be signed, which has no known case.
    #[cfg(feature = "dtls12")]
    pub(super) fn sign(&self, sha256: &[u8; 32]) -> Option<Vec<u8>> {
        use p256::ecdsa::signature::hazmat::PrehashSigner;
        let signature: DerSignature = self.key.sign_prehash(sha256).ok()?;
        Some(signature.as_bytes().to_vec())
    }
}

/// Without the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = Fingerprint::of(HashFunction::Sha256, &self.der);
        formatter.debug_tuple("Certificate").field(&fingerprint).finish_non_exhaustive()
    }
}

/// A certificate in PEM form, as `dtlsRemoteCert` has it. `None` when it is no certificate.
pub fn to_pem(certificate_der: &[u8]) -> Option<String> {
    X509::from_der(certificate_der).ok()?.to_pem(LineEnding::LF).ok()
}

fn self_signed(key: &SigningKey, serial: &[u8], unix_seconds: u64) -> x509_cert::builder::Result<Vec<u8>> {
    let validity = Validity::new(
        time(unix_seconds.saturating_sub(VALID_SECONDS))?,
        time(unix_seconds.saturating_add(VALID_SECONDS))?,
    );
    let public = SubjectPublicKeyInfo::from_key(key.verifying_key())?;
    let builder = CertificateBuilder::new(SelfSigned, SerialNumber::new(serial)?, validity, public)?;
    Ok(builder.build::<_, DerSignature>(key)?.to_der()?)
}

/// RFC 5280, section 4.1.2.5: two-digit years until 2049.
fn time(unix_seconds: u64) -> der::Result<Time> {
    let since_epoch = Duration::from_secs(unix_seconds);
    UtcTime::from_unix_duration(since_epoch)
        .map(Time::UtcTime)
        .or_else(|_| GeneralizedTime::from_unix_duration(since_epoch).map(Time::GeneralTime))
}

/// What a certificate for WebRTC says: nothing. It is known by its fingerprint.
struct SelfSigned;

impl BuilderProfile for SelfSigned {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        "CN=WebRTC".parse().unwrap_or_default()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        Ok(Vec::new())
    }
}

/// The first block of that label, for a file may hold others before it (`EC PARAMETERS`, a chain).
fn pem_block<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let block = text.get(text.find(&begin)?..)?;
    block.get(..block.find(&end)? + end.len())
}

fn not_made(error: impl fmt::Display) -> CertificateError {
    CertificateError::NotMade(error.to_string())
}

const SERIAL_BYTES: usize = 16;
/// Ten years.
const VALID_SECONDS: u64 = 10 * 365 * 24 * 3600;

#[cfg(test)]
mod tests;
