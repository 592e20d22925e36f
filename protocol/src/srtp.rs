//! SRTP suites and keys that hosts name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bounded::List;

/// A suite of SRTP, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SrtpCryptoSuite {
    /// RFC 7714.
    AeadAes256Gcm,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 3711, RFC 4568 6.2.
    AesCm128HmacSha1_80,
    /// RFC 3711, RFC 4568 6.2; RTCP keeps its tag of 80 bits.
    AesCm128HmacSha1_32,
}

impl SrtpCryptoSuite {
    /// Every suite, best first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// The name in SDP (RFC 4568, RFC 7714 14.2) and in the public API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// The suite of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    /// Bytes of master key and master salt together.
    pub const fn key_length(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32 + 12,
            Self::AeadAes128Gcm => 16 + 12,
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16 + 14,
        }
    }
}

/// What one end of a transport sends with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrtpParameters {
    /// How packets are protected.
    pub crypto_suite: SrtpCryptoSuite,
    /// Master key, then master salt: [`SrtpCryptoSuite::key_length`] bytes.
    pub key: List<u8, 64>,
}

/// Keys stay out of logs.
impl fmt::Debug for SrtpParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpParameters").field("crypto_suite", &self.crypto_suite).finish_non_exhaustive()
    }
}
