//! SRTP suites and keys as applications write them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_protocol::bounded::List;
use tidegate_protocol::srtp as wire;

use crate::error::InvalidOption;

pub use tidegate_protocol::srtp::SrtpCryptoSuite;

/// What one end of a transport sends under.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpParameters {
    /// How packets are protected.
    pub crypto_suite: SrtpCryptoSuite,
    /// Master key, then master salt, as SDP has them behind `inline:` (RFC 4568 6.1): base64 of 30 bytes, 28 for
    /// AEAD_AES_128_GCM, 44 for AEAD_AES_256_GCM.
    pub key_base64: String,
}

impl SrtpParameters {
    /// This suite and this key.
    pub fn new(crypto_suite: SrtpCryptoSuite, key_base64: impl Into<String>) -> Self {
        Self { crypto_suite, key_base64: key_base64.into() }
    }
}

/// Keys stay out of logs.
impl fmt::Debug for SrtpParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpParameters").field("crypto_suite", &self.crypto_suite).finish_non_exhaustive()
    }
}

impl From<&wire::SrtpParameters> for SrtpParameters {
    fn from(told: &wire::SrtpParameters) -> Self {
        Self { crypto_suite: told.crypto_suite, key_base64: STANDARD.encode(&*told.key) }
    }
}

impl TryFrom<&SrtpParameters> for wire::SrtpParameters {
    type Error = InvalidOption;

    fn try_from(given: &SrtpParameters) -> Result<Self, InvalidOption> {
        let crypto_suite = given.crypto_suite;
        let key = STANDARD.decode(&given.key_base64).ok();
        let key = key.filter(|key| key.len() == crypto_suite.key_length());
        let key = key.ok_or_else(|| InvalidOption::SrtpKey {
            suite: crypto_suite.name(),
            bytes: crypto_suite.key_length(),
        })?;
        Ok(Self { crypto_suite, key: List::first_of(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_to_the_wire_and_back() {
        for suite in SrtpCryptoSuite::ALL {
            let key = STANDARD.encode((1..).take(suite.key_length()).collect::<Vec<u8>>());
            let given = SrtpParameters::new(suite, key);
            let wire = wire::SrtpParameters::try_from(&given).unwrap();
            assert_eq!(wire.key[..3], [1, 2, 3]);
            assert_eq!(SrtpParameters::from(&wire), given);
        }
    }

    #[test]
    fn a_key_of_another_suite_or_no_base64_is_refused_with_its_length() {
        let suite = SrtpCryptoSuite::AeadAes128Gcm;
        for key in [String::new(), "!".repeat(40), STANDARD.encode([7; 30]), STANDARD.encode([7; 27])] {
            let refused = wire::SrtpParameters::try_from(&SrtpParameters::new(suite, key)).unwrap_err();
            assert!(refused.to_string().contains("28 bytes"), "{refused}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", SrtpParameters::new(SrtpCryptoSuite::AeadAes128Gcm, "c2VjcmV0"));
        assert!(shown.contains("AeadAes128Gcm") && !shown.contains("c2VjcmV0"), "{shown}");
    }
}
