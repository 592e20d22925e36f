//! DTLS for one WebRTC transport (RFC 6347, RFC 9147, RFC 5764): a handshake that yields SRTP keys and shows that the
//! peer has the certificate which signalling spoke of.
//!
//! Knows datagrams, certificates and time. Does not know ICE, SRTP contexts, sockets or transports; called by the
//! transport that owns it. No clock is asked; random numbers for keys come from the system, as do dimpl's.
//!
//! * [`Dtls`]: one connection: roles, restarts, fingerprints, when to give up
//! * [`Context`]: what all connections of a worker share: the [`Certificate`] and settings
//! * [`Flights`]: how many public-key operations a turn may take
//!
//! **Two engines** behind the trait of `engine`. A peer that offers DTLS 1.3 is served by dimpl (`modern`). All others
//! are served by an engine of ours (`v12`, feature `dtls12`, on by default): dimpl refuses RSA certificates and offers
//! no way to add them, and every GStreamer has one. As a client we cannot see beforehand what the server has, and a
//! server that cannot agree ends its side for good; so our first ClientHello is of the engine that suits all servers,
//! and another attempt uses the other engine ([`Context::offering`] says which comes first).
//!
//! **Who may end a handshake.** Until Finished nothing is authentic but what a signature covers. So bytes that make no
//! sense are dropped, an alert that nothing protects is believed only when nothing better comes for
//! [`ALERT_BELIEVED_AFTER`], and what an engine cannot get over restarts it, [`RESTARTS_MAX`] times. A wrong
//! fingerprint is certain, for it is looked at after Finished, and ends the connection at once.
//!
//! How to drive it: after each call that takes `now`, call [`Dtls::poll`] until it gives nothing, then ask
//! [`Dtls::next_deadline`].

mod attempts;
mod certificate;
mod engine;
mod fingerprint;
#[cfg(feature = "dtls12")]
mod hello;
mod modern;
#[cfg(feature = "dtls12")]
mod reassembly;
#[cfg(feature = "dtls12")]
mod v12;
#[cfg_attr(
    not(feature = "dtls12"),
    allow(dead_code, reason = "our engine reads more than what passes by dimpl")
)]
mod wire;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use thiserror::Error;

pub use certificate::{Certificate, CertificateError, to_pem};
pub use engine::{Connected, MasterKey, SrtpProfile, Version};
pub use fingerprint::{BadFingerprint, Fingerprint, HashFunction, is_expected};

use crate::base::time::Time;
use attempts::{Attempts, Held};
use engine::{Engine, Step};
use modern::Modern;

/// Who begins: the side that sends the ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We begin.
    Client,
    /// The peer begins.
    Server,
}

/// What all connections of a worker share.
#[derive(Debug)]
pub struct Context {
    certificate: Certificate,
    origin: Instant,
    offers: Version,
    modern: OnceLock<Result<Arc<dimpl::Config>, Failure>>,
}

/// How much work may still be done in this turn. Each unit is a datagram that may ask for public-key arithmetic,
/// about half a millisecond.
#[derive(Clone, Copy, Debug)]
pub struct Flights(u32);

/// One DTLS connection. Before [`Dtls::connect`] it holds no engine.
#[derive(Debug)]
pub struct Dtls {
    context: Arc<Context>,
    state: State,
    event: Option<Event>,
}

/// What comes out of a connection.
#[derive(Debug)]
pub enum Output<'b> {
    /// Send this to the peer.
    Datagram(&'b [u8]),
    /// The peer sent this, protected: SCTP.
    Data(&'b [u8]),
    /// The handshake is done and the peer is the one that signalling spoke of. Once.
    Connected(Box<Connected>),
    /// The peer ended an established connection. Once, and the last thing but datagrams.
    Closed,
    /// There will be no connection. Once, and the last thing but datagrams.
    Failed(Failure),
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// It took longer than [`HANDSHAKE_TIME_MAX`].
    #[error("the DTLS handshake took more than {} s", HANDSHAKE_TIME_MAX.as_secs())]
    Timeout,
    /// No given fingerprint is that of the peer's certificate.
    #[error("the peer's certificate has none of the given fingerprints")]
    Fingerprint,
    /// The peer does not do SRTP, or no profile of ours.
    #[error("the peer negotiated no SRTP protection profile")]
    NoSrtp,
    /// The peer gave up.
    #[error("the peer ended the DTLS handshake with alert {0}")]
    Alert(u8),
    /// The two sides do not agree on something.
    #[error("the DTLS handshake failed: {0}")]
    Refused(&'static str),
    /// The engine for DTLS 1.3 says why.
    #[error("the DTLS handshake failed: {0}")]
    Engine(String),
}

/// Why data was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// There is no connection.
    #[error("the DTLS connection is not established")]
    NotConnected,
    /// It does not fit into a datagram.
    #[error("more than {} bytes", DATA_BYTES_MAX)]
    TooLong,
}

#[derive(Debug)]
enum State {
    /// Nobody has said who begins. The peer may have begun already.
    New(Held),
    Connecting(Box<Attempts>),
    Connected(Box<dyn Engine>),
    /// Closed or failed; the engine goes once its last datagrams are polled.
    Over(Option<Box<dyn Engine>>),
}

/// What an engine gave that ends its work.
#[derive(Debug)]
enum Event {
    Closed,
    Failed(Failure),
}

impl Context {
    /// `origin` is the moment which a worker's [`Time::ZERO`] means. A client offers DTLS 1.2 first, where it has both.
    pub fn new(certificate: Certificate, origin: Instant) -> Self {
        let offers = if cfg!(feature = "dtls12") { Version::Dtls12 } else { Version::Dtls13 };
        Self { certificate, origin, offers, modern: OnceLock::new() }
    }

    /// The same, with clients that offer `version` first. With DTLS 1.3 they offer 1.2 too, and then for ECDSA
    /// certificates alone.
    #[must_use]
    pub fn offering(mut self, version: Version) -> Self {
        self.offers = version;
        self
    }

    /// The certificate of all connections.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn modern(&self, role: Role, now: Time) -> Result<Box<dyn Engine>, Failure> {
        let config = self.modern.get_or_init(modern::config).as_ref().map_err(Failure::clone)?;
        Ok(Box::new(Modern::new(config, &self.certificate, self.origin, role, now)?))
    }
}

impl Flights {
    /// So many may be worked on in this turn; [`FLIGHTS_A_TURN`] is what media can bear.
    pub fn new(count: u32) -> Self {
        Self(count)
    }

    fn take(&mut self) -> bool {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

impl Dtls {
    /// A connection that waits for [`Dtls::connect`].
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, state: State::New(Held::default()), event: None }
    }

    /// Begins, once: call it when the role is known and ICE has a pair. What the peer sent before is taken now, as far
    /// as `flights` allows. `fingerprints` are all that signalling gave; without any, nobody is accepted.
    pub fn connect(&mut self, now: Time, role: Role, fingerprints: Vec<Fingerprint>, flights: &mut Flights) {
        let State::New(held) = &mut self.state else { return };
        let mut attempts = Attempts::new(role, fingerprints, std::mem::take(held));
        let begun = if role == Role::Client { attempts.begin_as_client(&self.context, now) } else { Ok(()) };
        self.state = State::Connecting(Box::new(attempts));
        match begun {
            Ok(()) => self.resume(now, flights),
            Err(failure) => self.fail(now, failure),
        }
    }

    /// Takes a datagram of the peer. What would cost more than `flights` allows is kept for [`Dtls::resume`].
    pub fn receive(&mut self, now: Time, datagram: &[u8], flights: &mut Flights) {
        match &mut self.state {
            State::New(held) => held.push(datagram),
            State::Connecting(attempts) => match attempts.receive(&self.context, now, datagram, flights) {
                Ok(()) => {}
                Err(failure) => self.fail(now, failure),
            },
            State::Connected(engine) => {
                if engine.receive(now, datagram).is_err() {
                    self.event = Some(Event::Closed);
                    self.end(now);
                }
            }
            State::Over(_) => {}
        }
    }

    /// Whether datagrams wait for another turn: call [`Dtls::resume`] in it.
    pub fn is_waiting(&self) -> bool {
        matches!(&self.state, State::Connecting(attempts) if attempts.is_waiting)
    }

    /// Takes what waits, as far as `flights` allows.
    pub fn resume(&mut self, now: Time, flights: &mut Flights) {
        let State::Connecting(attempts) = &mut self.state else { return };
        attempts.is_waiting = false;
        for datagram in std::mem::take(&mut attempts.held).0 {
            self.receive(now, &datagram, flights);
        }
    }

    /// When [`Dtls::on_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.state {
            State::New(_) | State::Over(_) => None,
            State::Connecting(attempts) => attempts.next_deadline(),
            State::Connected(engine) => engine.next_deadline(),
        }
    }

    /// Does what is due: sends flights again, gives up.
    pub fn on_deadline(&mut self, now: Time) {
        match &mut self.state {
            State::New(_) | State::Over(_) => {}
            State::Connecting(attempts) => {
                if let Err(failure) = attempts.on_deadline(&self.context, now) {
                    self.fail(now, failure);
                }
            }
            State::Connected(engine) => {
                if engine.on_deadline(now).is_err() {
                    self.event = Some(Event::Closed);
                    self.end(now);
                }
            }
        }
    }

    /// What is next; `None` when nothing is. Uses `buffer`, of at least [`BUFFER_BYTES`].
    pub fn poll<'b>(&mut self, now: Time, buffer: &'b mut [u8]) -> Option<Output<'b>> {
        loop {
            let engine = match &mut self.state {
                State::New(_) => return None,
                State::Connecting(attempts) => attempts.engine.as_mut(),
                State::Connected(engine) => Some(engine),
                State::Over(engine) => engine.as_mut(),
            };
            match engine.and_then(|engine| engine.poll(now, buffer)) {
                Some(Step::Datagram(bytes)) => return buffer.get(..bytes).map(Output::Datagram),
                Some(Step::Data(bytes)) if matches!(self.state, State::Connected(_)) => {
                    return buffer.get(..bytes).map(Output::Data);
                }
                Some(Step::Data(_)) => {}
                Some(Step::Established(connected)) => {
                    if let Some(connected) = self.establish(now, connected) {
                        return Some(Output::Connected(connected));
                    }
                }
                Some(Step::Closed) if !matches!(self.state, State::Over(_)) => {
                    self.event = Some(Event::Closed);
                    self.end(now);
                }
                Some(Step::Closed) => {}
                None => return self.take_event(),
            }
        }
    }

    /// Encrypts application data, an SCTP packet, into one datagram that [`Dtls::poll`] then gives.
    ///
    /// # Errors
    /// More than [`DATA_BYTES_MAX`] bytes, or no established connection.
    pub fn send(&mut self, now: Time, data: &[u8]) -> Result<(), SendError> {
        let State::Connected(engine) = &mut self.state else { return Err(SendError::NotConnected) };
        if data.len() > DATA_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        engine.send(now, data)
    }

    /// Ends the connection: the peer is told with `close_notify`, the next [`Dtls::poll`] has it.
    pub fn close(&mut self, now: Time) {
        self.event = None;
        self.end(now);
    }

    fn establish(&mut self, now: Time, connected: Box<Connected>) -> Option<Box<Connected>> {
        let State::Connecting(attempts) = &mut self.state else { return None };
        if !is_expected(&attempts.fingerprints, &connected.peer_certificate) {
            self.fail(now, Failure::Fingerprint);
            return None;
        }
        let engine = attempts.engine.take()?;
        self.state = State::Connected(engine);
        Some(connected)
    }

    fn take_event(&mut self) -> Option<Output<'static>> {
        if let State::Over(engine) = &mut self.state {
            *engine = None;
        }
        Some(match self.event.take()? {
            Event::Closed => Output::Closed,
            Event::Failed(failure) => Output::Failed(failure),
        })
    }

    fn fail(&mut self, now: Time, failure: Failure) {
        self.event = Some(Event::Failed(failure));
        self.end(now);
    }

    fn end(&mut self, now: Time) {
        let state = std::mem::replace(&mut self.state, State::Over(None));
        let mut engine = match state {
            State::New(_) => None,
            State::Connecting(attempts) => attempts.engine,
            State::Connected(engine) => Some(engine),
            State::Over(engine) => return self.state = State::Over(engine),
        };
        if let Some(engine) = &mut engine {
            engine.close(now);
        }
        self.state = State::Over(engine);
    }
}

/// Expensive datagrams a turn may work on, worker-wide: 5 ms, half of what a player's jitter buffer takes for granted.
pub const FLIGHTS_A_TURN: u32 = 8;
/// After this a flight is sent again, then after twice that, and so on. RFC 6347 says a second, for want of a round-trip
/// time; ICE has shown it to be far less.
pub const RETRANSMIT_AFTER: Duration = Duration::from_millis(150);
/// A handshake that took longer has failed.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a handshake goes on after an alert that anybody may have sent.
pub const ALERT_BELIEVED_AFTER: Duration = Duration::from_secs(2);
/// How often a handshake may begin anew.
pub const RESTARTS_MAX: u32 = 3;
/// The longest application data: one SCTP packet of an Ethernet's size.
pub const DATA_BYTES_MAX: usize = 1_400;
/// What a buffer for [`Dtls::poll`] must hold: any record that a peer may send in a datagram.
pub const BUFFER_BYTES: usize = 2_048;

/// No flight has longer datagrams; a path below 1,228 bytes carries no WebRTC.
const DATAGRAM_BYTES: usize = 1_200;
#[cfg(test)]
#[cfg(feature = "dtls12")]
mod tests;
