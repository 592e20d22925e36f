//! The cipher suite of dimpl's connections, with ciphers that are made anew for each record.
//!
//! A connection keeps four of them for as long as it lives, of half a kilobyte each, and after the handshake hardly a
//! record comes: SRTP has its own keys. Knows keys. All cryptography is dimpl's own.

use dimpl::crypto::{
    Aad, Buf, Cipher, CryptoProvider, Dtls13CipherSuite, HashAlgorithm, Nonce, SupportedDtls13CipherSuite,
    TmpBuf, rust_crypto,
};
use dimpl::{CryptoError, CryptoOperation};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// dimpl's provider, but for the ciphers of DTLS 1.3.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { dtls13_cipher_suites: &[&Aes128Gcm], ..rust_crypto::default_provider() }
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
