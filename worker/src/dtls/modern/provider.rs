//! The cryptography of dimpl's connections, with what is large made anew each time that it is used.
//!
//! A connection keeps four ciphers and a signing key for as long as it lives, more than two kilobytes in all; but it signs
//! once, and after the handshake hardly a record comes: SRTP has its own keys. Knows keys. All that is computed dimpl computes.

use dimpl::crypto::{
    Aad, Buf, Cipher, CryptoProvider, Dtls13CipherSuite, HashAlgorithm, KeyProvider, Nonce,
    SignatureAlgorithm, SigningKey, SupportedDtls13CipherSuite, TmpBuf, rust_crypto,
};
use dimpl::{CryptoError, CryptoOperation};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// dimpl's provider, but for keys of signatures and the ciphers of DTLS 1.3.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        key_provider: &OwnKeys,
        dtls13_cipher_suites: &[&Aes128Gcm],
        ..rust_crypto::default_provider()
    }
}

/// The worker's own certificate's key, and no other.
#[derive(Debug)]
struct OwnKeys;

/// In DER form, as it was given.
#[derive(Zeroize, ZeroizeOnDrop)]
struct SignsAnew(Box<[u8]>);

impl KeyProvider for OwnKeys {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(SignsAnew(key_der.into())))
    }
}

impl SigningKey for SignsAnew {
    fn sign(&mut self, data: &[u8], hash_alg: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        let mut key = rust_crypto::default_provider().key_provider.load_private_key(&self.0)?;
        key.sign(data, hash_alg, out)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    /// Of P-256 (RFC 8446, section 4.2.3).
    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256, HashAlgorithm::SHA384]
    }
}

impl std::fmt::Debug for SignsAnew {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SignsAnew").finish_non_exhaustive()
    }
}

/// `TLS_AES_128_GCM_SHA256`, which everybody has (RFC 8446, section 9.1).
#[derive(Debug)]
struct Aes128Gcm;

/// What a cipher is made of.
#[derive(Zeroize, ZeroizeOnDrop)]
struct KeptKey([u8; KEY_BYTES]);

impl SupportedDtls13CipherSuite for Aes128Gcm {
    fn suite(&self) -> Dtls13CipherSuite {
        Dtls13CipherSuite::AES_128_GCM_SHA256
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn key_len(&self) -> usize {
        KEY_BYTES
    }

    fn iv_len(&self) -> usize {
        12
    }

    fn tag_len(&self) -> usize {
        16
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        match key.try_into() {
            Ok(key) => Ok(Box::new(KeptKey(key))),
            // It says how it refuses keys of another length.
            Err(_) => whole()?.create_cipher(key),
        }
    }

    fn encrypt_sn(&self, sn_key: &[u8], sample: &[u8; 16]) -> [u8; 16] {
        whole().map_or([0; 16], |suite| suite.encrypt_sn(sn_key, sample))
    }
}

impl Cipher for KeptKey {
    fn encrypt(&mut self, plaintext: &mut Buf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        whole()?.create_cipher(&self.0)?.encrypt(plaintext, aad, nonce)
    }

    fn decrypt(&mut self, ciphertext: &mut TmpBuf<'_>, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        whole()?.create_cipher(&self.0)?.decrypt(ciphertext, aad, nonce)
    }
}

impl std::fmt::Debug for KeptKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeptKey").finish_non_exhaustive()
    }
}

/// dimpl's own.
fn whole() -> Result<&'static dyn SupportedDtls13CipherSuite, CryptoError> {
    let mut suites = rust_crypto::default_provider().dtls13_cipher_suites.iter();
    let found = suites.find(|suite| suite.suite() == Dtls13CipherSuite::AES_128_GCM_SHA256);
    found.copied().ok_or(CryptoError::OperationFailed(CryptoOperation::Encrypt))
}

const KEY_BYTES: usize = 16;
