//! What a DTLS engine is to us: datagrams and time in; datagrams, keys and data out.
//!
//! Knows neither versions nor cipher suites. Implemented by `modern` (dimpl) and `v12` (ours); driven by
//! [`super::Dtls`], which restarts it.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Failure, SendError};
use crate::base::time::Time;

/// One attempt at a handshake, and the connection that comes of it.
pub(super) trait Engine: fmt::Debug + Send {
    /// Takes a datagram. An error ends the engine.
    fn receive(&mut self, now: Time, datagram: &[u8]) -> Result<(), Failure>;

    /// Does what is due. An error ends the engine.
    fn on_deadline(&mut self, now: Time) -> Result<(), Failure>;

    /// When [`Engine::on_deadline`] has something to do.
    fn next_deadline(&self) -> Option<Time>;

    /// What is next; `None` when nothing is. `buffer` has room for a datagram.
    fn poll(&mut self, now: Time, buffer: &mut [u8]) -> Option<Step>;

    /// Encrypts application data into one record, which [`Engine::poll`] then gives.
    fn send(&mut self, now: Time, data: &[u8]) -> Result<(), SendError>;

    /// Says goodbye, if there is somebody to hear it.
    fn close(&mut self, now: Time);
}

/// One thing that comes out of an engine.
#[derive(Debug)]
pub(super) enum Step {
    /// So many bytes of the buffer are a datagram for the peer.
    Datagram(usize),
    /// So many bytes of the buffer are application data.
    Data(usize),
    /// Finished was checked: the peer has the private key of this certificate.
    Established(Box<Connected>),
    /// The peer said goodbye, or a fatal alert that is authentic.
    Closed,
}

/// What a handshake gave. Handed out once.
#[derive(Debug)]
pub struct Connected {
    /// For packets that we send.
    pub local: MasterKey,
    /// For packets that we receive.
    pub remote: MasterKey,
    /// How SRTP protects packets.
    pub srtp_profile: SrtpProfile,
    /// The peer's certificate in DER form; [`super::to_pem`] gives what `dtlsRemoteCert` shows.
    pub peer_certificate: Vec<u8>,
    /// The negotiated version.
    pub version: Version,
    /// The negotiated cipher suite, by its IANA name.
    pub cipher: &'static str,
}

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 6347.
    Dtls12,
    /// RFC 9147.
    Dtls13,
}

/// A protection profile of SRTP (RFC 5764, RFC 7714).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpProfile {
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `SRTP_AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32`. The DTLS 1.3 engine does not offer it.
    AesCm128HmacSha1_32,
}

/// A master key and its salt (RFC 3711, section 8.2). Zeroed when it goes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey {
    bytes: [u8; MASTER_BYTES_MAX],
    key_bytes: usize,
    salt_bytes: usize,
}

impl SrtpProfile {
    /// All of them, as we prefer them.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// Its number in `use_srtp`.
    pub fn id(self) -> u16 {
        match self {
            Self::AesCm128HmacSha1_80 => 0x0001,
            Self::AesCm128HmacSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// Bytes of the master key and of the salt.
    pub fn master_bytes(self) -> (usize, usize) {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => (16, 14),
            Self::AeadAes128Gcm => (16, 12),
            Self::AeadAes256Gcm => (32, 12),
        }
    }

    /// Bytes of keying material that a session exports.
    #[cfg(feature = "dtls12")]
    pub(super) fn material_bytes(self) -> usize {
        let (key, salt) = self.master_bytes();
        2 * (key + salt)
    }
}

impl MasterKey {
    /// The two master keys in exported keying material (RFC 5764, section 4.2): the client's and the server's. `None`
    /// when there is less material than the profile needs.
    pub(super) fn split(profile: SrtpProfile, material: &[u8]) -> Option<(Self, Self)> {
        let (key, salt) = profile.master_bytes();
        let (client_key, rest) = material.split_at_checked(key)?;
        let (server_key, rest) = rest.split_at_checked(key)?;
        let (client_salt, rest) = rest.split_at_checked(salt)?;
        let server_salt = rest.get(..salt)?;
        Some((Self::new(client_key, client_salt), Self::new(server_key, server_salt)))
    }

    fn new(key: &[u8], salt: &[u8]) -> Self {
        let mut bytes = [0; MASTER_BYTES_MAX];
        for (place, byte) in bytes.iter_mut().zip(key.iter().chain(salt)) {
            *place = *byte;
        }
        Self { bytes, key_bytes: key.len(), salt_bytes: salt.len() }
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        self.bytes.get(..self.key_bytes).unwrap_or_default()
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        self.bytes.get(self.key_bytes..self.key_bytes + self.salt_bytes).unwrap_or_default()
    }
}

/// Without the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MasterKey").finish_non_exhaustive()
    }
}

const MASTER_BYTES_MAX: usize = 46;
const _: () = assert!(32 + 14 <= MASTER_BYTES_MAX);
