//! The engine of dimpl behind our trait: DTLS 1.3, and 1.2 in a build without the engine of ours.
//!
//! Knows dimpl. Does not know fingerprints or restarts. Invariant: dimpl's clock never runs backwards.

mod provider;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite};
use dimpl::{Config, DtlsCertificate, Output, ProtocolVersion};

use super::engine::{Connected, Engine, MasterKey, SrtpProfile, Step, Version};
use super::wire;
use super::{Certificate, DATAGRAM_BYTES, Failure, HANDSHAKE_TIME_MAX, RETRANSMIT_AFTER, Role, SendError};
use crate::base::time::Time;

/// A connection of dimpl's.
pub(super) struct Modern {
    dtls: dimpl::Dtls,
    role: Role,
    clock: Clock,
    /// dimpl wants to be asked again.
    is_ready: bool,
    deadline: Option<Time>,
    certificate: Option<Vec<u8>>,
    keys: Option<Box<(MasterKey, MasterKey, SrtpProfile)>>,
    is_connected: bool,
    is_established: bool,
}

/// Turns our times into those of the standard library, from a moment at which both were known.
#[derive(Clone, Copy, Debug)]
struct Clock {
    origin: Instant,
}

impl Modern {
    /// A connection that has not begun; a client's first flight is ready to be polled.
    pub(super) fn new(
        config: &Arc<Config>,
        certificate: &Certificate,
        origin: Instant,
        role: Role,
        now: Time,
    ) -> Result<Self, Failure> {
        let key = certificate.key_der();
        // dimpl keeps its copy of the key as plain bytes, and frees them without zeroing.
        let identity = DtlsCertificate { certificate: certificate.der().to_vec(), private_key: key.to_vec() };
        let clock = Clock { origin };
        // What a client offers was looked at before, where there are two engines.
        let begin = match role {
            Role::Server if cfg!(feature = "dtls12") => dimpl::Dtls::new_13,
            Role::Server | Role::Client => dimpl::Dtls::new_auto,
        };
        let mut dtls = begin(Arc::clone(config), identity, clock.instant(now));
        dtls.set_active(role == Role::Client);
        let mut engine = Self {
            dtls,
            role,
            clock,
            is_ready: true,
            deadline: None,
            certificate: None,
            keys: None,
            is_connected: false,
            is_established: false,
        };
        engine.dtls.handle_timeout(clock.instant(now)).map_err(refusal)?;
        Ok(engine)
    }

    fn established(&mut self) -> Option<Step> {
        if !self.is_connected || self.is_established {
            return None;
        }
        self.is_established = true;
        let (client, server, srtp_profile) = *self.keys.take()?;
        let (local, remote) = match self.role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let (version, cipher) = match self.dtls.protocol_version() {
            Some(ProtocolVersion::DTLS1_3) => (Version::Dtls13, "TLS_AES_128_GCM_SHA256"),
            _ => (Version::Dtls12, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        };
        let peer_certificate = self.certificate.take()?;
        Some(Step::Established(Box::new(Connected {
            local,
            remote,
            srtp_profile,
            peer_certificate,
            version,
            cipher,
        })))
    }
}

impl Engine for Modern {
    fn receive(&mut self, now: Time, datagram: &[u8]) -> Result<(), Failure> {
        // Before it knows the version, dimpl's client ends at the first thing that is no answer.
        let is_undecided = self.role == Role::Client && self.dtls.protocol_version().is_none();
        if is_undecided && !wire::is_server_answer(datagram) {
            return Ok(());
        }
        self.is_ready = true;
        self.dtls.handle_timeout(self.clock.instant(now)).map_err(refusal)?;
        self.dtls.handle_packet(datagram).map_err(refusal)
    }

    fn on_deadline(&mut self, now: Time) -> Result<(), Failure> {
        self.is_ready = true;
        self.dtls.handle_timeout(self.clock.instant(now)).map_err(refusal)
    }

    fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    fn poll(&mut self, _: Time, buffer: &mut [u8]) -> Option<Step> {
        while self.is_ready {
            match self.dtls.poll_output(buffer) {
                Output::Packet(bytes) => return Some(Step::Datagram(bytes.len())),
                Output::ApplicationData(bytes) => return Some(Step::Data(bytes.len())),
                Output::CloseNotify => return Some(Step::Closed),
                Output::PeerCert(der) => self.certificate = Some(der.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = srtp_profile(profile);
                    let keys =
                        profile.and_then(|profile| Some((MasterKey::split(profile, &material)?, profile)));
                    self.keys = keys.map(|((client, server), profile)| Box::new((client, server, profile)));
                }
                Output::Connected => self.is_connected = true,
                Output::Timeout(at) => {
                    self.deadline = self.clock.time(at);
                    self.is_ready = false;
                }
                // A record that is longer than a datagram: nothing of ours is.
                Output::BufferTooSmall { .. } => self.is_ready = false,
                // The enumeration may grow.
                #[allow(unreachable_patterns, reason = "dimpl adds outputs between its versions")]
                _ => {}
            }
        }
        if self.is_connected && !self.is_established && self.keys.is_none() {
            return None;
        }
        self.established()
    }

    fn send(&mut self, now: Time, data: &[u8]) -> Result<(), SendError> {
        self.is_ready = true;
        self.dtls.handle_timeout(self.clock.instant(now)).map_err(|_| SendError::NotConnected)?;
        match self.dtls.send_application_data(data) {
            Ok(taken) if taken == data.len() => Ok(()),
            _ => Err(SendError::NotConnected),
        }
    }

    fn close(&mut self, now: Time) {
        self.is_ready = true;
        // Whatever goes wrong now ends the same way.
        let _ = self.dtls.handle_timeout(self.clock.instant(now));
        let _ = self.dtls.close();
    }
}

impl fmt::Debug for Modern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Modern").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Clock {
    fn instant(self, time: Time) -> Instant {
        self.origin + Duration::from_nanos(time.as_nanos())
    }

    /// `None` for what is so far away that dimpl means never.
    fn time(self, instant: Instant) -> Option<Time> {
        let since = instant.saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos()).ok().map(Time::from_nanos).filter(|time| *time < NEVER)
    }
}

/// What all connections share. Checks dimpl's provider, so it is made when the first connection needs it.
pub(super) fn config() -> Result<Arc<Config>, Failure> {
    let built = Config::builder()
        .with_crypto_provider(provider::provider())
        .mtu(DATAGRAM_BYTES)
        .flight_start_rto(RETRANSMIT_AFTER)
        // Doubled each time, the handshake's own limit comes first.
        .flight_retries(7)
        .handshake_timeout(HANDSHAKE_TIME_MAX)
        // ICE has shown that the peer is where it says.
        .use_server_cookie(false)
        // One suite each, which both versions oblige everybody to have (RFC 8446, 9.1; RFC 8827, 6.5).
        .dtls13_cipher_suites(&[Dtls13CipherSuite::AES_128_GCM_SHA256])
        .dtls12_cipher_suites(&[Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256])
        .max_queue_rx(16)
        .build();
    built.map(Arc::new).map_err(refusal)
}

fn srtp_profile(profile: dimpl::SrtpProfile) -> Option<SrtpProfile> {
    match profile {
        dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(SrtpProfile::AeadAes256Gcm),
        dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(SrtpProfile::AeadAes128Gcm),
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(SrtpProfile::AesCm128HmacSha1_80),
        _ => None,
    }
}

fn refusal(error: dimpl::Error) -> Failure {
    match error {
        dimpl::Error::Timeout(_) => Failure::Timeout,
        error => Failure::Engine(error.to_string()),
    }
}

/// A year after the origin.
const NEVER: Time = Time::from_millis(365 * 24 * 3600 * 1000);
