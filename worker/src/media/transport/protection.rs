//! SRTP of a transport: what comes in and what goes out, before and after there are keys.
//!
//! Knows the protocol's names of suites and the engine's two sessions. Does not know how keys were agreed: a plain
//! transport's host names them (`plain`), DTLS exports them. Invariant: where SRTP was asked for nothing goes out and
//! nothing is taken in without it.

use tidegate_protocol::bounded::List;
use tidegate_protocol::srtp::{SrtpCryptoSuite, SrtpParameters};
use zeroize::Zeroize;

use crate::base::time::Time;
use crate::media::refused::Refused;
use crate::media::transport::Transport;
use crate::random::Random;
use crate::rtp::header::payload_offset;
use crate::srtp::{Keys, Protect, Suite, Unprotect, UnprotectError};

/// How what comes in is protected.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Not at all.
    Clear,
    /// With SRTP, whose keys are not known yet: nothing is taken in.
    Locked,
    /// With SRTP.
    Srtp(Box<Unprotect>),
}

/// Why a datagram was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Its header is broken, or it is too short.
    Malformed,
    /// Not authentic, or there are no keys yet.
    Unauthenticated,
    /// Taken before, or too old to tell.
    Replayed,
    /// Of one SSRC more than are told apart.
    TooManyStreams,
}

impl Incoming {
    /// Opens RTP in place; its length from now on.
    pub(crate) fn open_rtp(&mut self, packet: &mut [u8], now: Time) -> Result<usize, Unopened> {
        match self {
            Self::Clear => Ok(packet.len()),
            Self::Locked => Err(Unopened::Unauthenticated),
            Self::Srtp(session) => {
                let header_bytes = payload_offset(packet).map_err(|_| Unopened::Malformed)?;
                Ok(session.rtp(packet, header_bytes, now)?)
            }
        }
    }

    /// Opens RTCP in place; its length from now on.
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8], now: Time) -> Result<usize, Unopened> {
        match self {
            Self::Clear => Ok(packet.len()),
            Self::Locked => Err(Unopened::Unauthenticated),
            Self::Srtp(session) => Ok(session.rtcp(packet, now)?),
        }
    }
}

impl From<UnprotectError> for Unopened {
    fn from(error: UnprotectError) -> Self {
        match error {
            UnprotectError::TooShort => Self::Malformed,
            UnprotectError::Replayed => Self::Replayed,
            UnprotectError::NotAuthentic => Self::Unauthenticated,
            UnprotectError::TooManyStreams => Self::TooManyStreams,
        }
    }
}

/// From now on the transport sends under `ours` and takes in what is under `theirs`.
pub(crate) fn secure(transport: &mut Transport, ours: &Keys, theirs: &Keys) -> Result<(), Refused> {
    let sessions = Protect::new(ours).zip(Unprotect::new(theirs));
    let Some((outgoing, incoming)) = sessions else {
        return Err(Refused::unsupported(
            "these SRTP keys cannot be used on this machine; use another suite",
        ));
    };
    transport.sender.protect(Box::new(outgoing));
    transport.incoming = Incoming::Srtp(Box::new(incoming));
    Ok(())
}

/// New keys, at random.
pub(crate) fn random_keys(suite: SrtpCryptoSuite, random: &mut Random) -> Result<Keys, Refused> {
    let mut bytes = [0; KEY_BYTES_MAX];
    let bytes = bytes.get_mut(..suite.key_length()).unwrap_or_default();
    random.fill(bytes);
    let keys = keys_of(suite, bytes);
    bytes.zeroize();
    keys
}

/// The keys that parameters name.
pub(crate) fn given_keys(parameters: &SrtpParameters) -> Result<Keys, Refused> {
    keys_of(parameters.crypto_suite, &parameters.key)
}

fn keys_of(suite: SrtpCryptoSuite, bytes: &[u8]) -> Result<Keys, Refused> {
    Keys::new(suite_of(suite), bytes).map_err(|wrong| {
        Refused::invalid(format!("{wrong}; give the master key and, behind it, the master salt"))
    })
}

/// What the peer must know to open what is protected under `keys`.
pub(crate) fn parameters(keys: &Keys) -> SrtpParameters {
    let key = keys.key().iter().chain(keys.salt()).copied();
    SrtpParameters { crypto_suite: named(keys.suite()), key: List::first_of(key) }
}

/// The engine's suite of this name.
pub(crate) fn suite_of(suite: SrtpCryptoSuite) -> Suite {
    match suite {
        SrtpCryptoSuite::AeadAes256Gcm => Suite::AeadAes256Gcm,
        SrtpCryptoSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        SrtpCryptoSuite::AesCm128HmacSha1_80 => Suite::AesCm128HmacSha1_80,
        SrtpCryptoSuite::AesCm128HmacSha1_32 => Suite::AesCm128HmacSha1_32,
    }
}

/// The name of an engine's suite.
pub(crate) fn named(suite: Suite) -> SrtpCryptoSuite {
    match suite {
        Suite::AeadAes256Gcm => SrtpCryptoSuite::AeadAes256Gcm,
        Suite::AeadAes128Gcm => SrtpCryptoSuite::AeadAes128Gcm,
        Suite::AesCm128HmacSha1_80 => SrtpCryptoSuite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32 => SrtpCryptoSuite::AesCm128HmacSha1_32,
    }
}

/// The longest key and salt.
const KEY_BYTES_MAX: usize = 46;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_protocol_are_those_of_the_engine() {
        for suite in SrtpCryptoSuite::ALL {
            assert_eq!(suite_of(suite).name(), suite.name());
            assert_eq!(suite_of(suite).master_bytes(), suite.key_length());
            assert_eq!(named(suite_of(suite)), suite);
            assert!(suite.key_length() <= KEY_BYTES_MAX);
        }
    }

    #[test]
    fn parameters_lead_back_to_their_keys() {
        let mut random = Random::from_seed([9; 32]);
        for suite in SrtpCryptoSuite::ALL {
            let keys = random_keys(suite, &mut random).unwrap();
            let told = parameters(&keys);
            assert_eq!(told.key.len(), suite.key_length());
            assert_ne!(told, parameters(&random_keys(suite, &mut random).unwrap()));
            assert_eq!(parameters(&given_keys(&told).unwrap()), told);
        }
    }

    #[test]
    fn a_locked_door_opens_to_nobody() {
        let mut packet = [0x80; 60];
        assert_eq!(Incoming::Locked.open_rtp(&mut packet, Time::ZERO), Err(Unopened::Unauthenticated));
        assert_eq!(Incoming::Locked.open_rtcp(&mut packet, Time::ZERO), Err(Unopened::Unauthenticated));
    }
}
