//! What can be agreed on: names, profile numbers and lengths of the four suites.

/// A protection profile: cipher, authentication and their lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-256 in Galois/Counter Mode (RFC 7714 14.2).
    AeadAes256Gcm,
    /// AES-128 in Galois/Counter Mode (RFC 7714 14.2).
    AeadAes128Gcm,
    /// AES-128 in counter mode, HMAC-SHA1 cut to 80 bits (RFC 3711, RFC 5764 4.1.2).
    AesCm128HmacSha1_80,
    /// The same with RTP's tags cut to 32 bits; those of RTCP keep 80 (RFC 5764 4.1.2).
    AesCm128HmacSha1_32,
}

impl Suite {
    /// All of them, the one to be preferred first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// The number in DTLS's use_srtp extension (RFC 5764 4.1.2, RFC 7714 14.2).
    pub const fn profile_id(self) -> u16 {
        match self {
            Self::AesCm128HmacSha1_80 => 0x0001,
            Self::AesCm128HmacSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// The suite with this number; `None` for one that we do not have.
    pub fn from_profile_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.profile_id() == id)
    }

    /// The registered name, as applications write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// The suite with this name; `None` for one that we do not have.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    /// Bytes of the master key and of each session key.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// Bytes of the master salt and of each session salt.
    pub const fn salt_bytes(self) -> usize {
        match self.is_aead() {
            true => 12,
            false => 14,
        }
    }

    /// Bytes of a master key and its salt together: what is agreed on for one direction.
    pub const fn master_bytes(self) -> usize {
        self.key_bytes() + self.salt_bytes()
    }

    /// Bytes to take from a DTLS exporter: keys and salts of both directions (RFC 5764 4.2).
    pub const fn exporter_bytes(self) -> usize {
        2 * self.master_bytes()
    }

    /// Bytes by which an RTP packet grows.
    pub const fn rtp_tag_bytes(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => GCM_TAG_BYTES,
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
        }
    }

    /// Bytes of an RTCP compound's tag.
    pub(super) const fn rtcp_tag_bytes(self) -> usize {
        match self.is_aead() {
            true => GCM_TAG_BYTES,
            false => 10,
        }
    }

    /// Bytes by which an RTCP compound grows: its tag, and its index with the E flag.
    pub const fn rtcp_trailer_bytes(self) -> usize {
        self.rtcp_tag_bytes() + INDEX_BYTES
    }

    pub(super) const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes256Gcm | Self::AeadAes128Gcm)
    }
}

/// Bytes of a GCM tag (RFC 7714 13: no shorter ones).
pub(super) const GCM_TAG_BYTES: usize = 16;
/// Bytes of the E flag and the SRTCP index (RFC 3711 3.4).
pub(super) const INDEX_BYTES: usize = 4;
/// The longest master key.
pub(super) const KEY_BYTES_MAX: usize = 32;
/// The longest master salt.
pub(super) const SALT_BYTES_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back_to_their_suite() {
        for suite in Suite::ALL {
            assert_eq!(Suite::from_name(suite.name()), Some(suite));
            assert_eq!(Suite::from_profile_id(suite.profile_id()), Some(suite));
        }
        assert_eq!(Suite::from_name("aead_aes_256_gcm"), None);
        assert_eq!(Suite::from_profile_id(0x0005), None);
    }

    #[test]
    fn lengths_are_those_of_the_registries() {
        let lengths = Suite::ALL.map(|suite| {
            (suite.key_bytes(), suite.salt_bytes(), suite.rtp_tag_bytes(), suite.rtcp_trailer_bytes())
        });
        assert_eq!(lengths, [(32, 12, 16, 20), (16, 12, 16, 20), (16, 14, 10, 14), (16, 14, 4, 14)]);
        assert!(Suite::ALL.iter().all(|suite| suite.key_bytes() <= KEY_BYTES_MAX));
        assert!(Suite::ALL.iter().all(|suite| suite.salt_bytes() <= SALT_BYTES_MAX));
    }
}
