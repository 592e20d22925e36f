//! The other end of a WebRTC transport, without sockets: asks by STUN, shakes hands by DTLS, and speaks SRTP.
//!
//! Uses the worker's engines from the other end, whose independence is proven elsewhere (OpenSSL, libsrtp, browsers).
//! Knows what the worker's host was told of a transport. Does not know how datagrams travel: `world::webrtc` carries them
//! in a simulated world, `caller` over real sockets.
//! Invariant: what the worker protects it can open; what it says before a handshake is STUN and DTLS alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tidegate_protocol::bounded::Text;
use tidegate_protocol::webrtc::{DtlsFingerprint, FingerprintAlgorithm, WebRtcDump};
use tidegate_worker::base::time::Time;
use tidegate_worker::dtls::{
    BUFFER_BYTES, Certificate, Context, Dtls, Failure, Fingerprint, Flights, HashFunction, MasterKey, Output,
    Role, SrtpProfile, Version,
};
use tidegate_worker::ice::stun::{BINDING, Class, IntegrityKey, Message, Writer};
use tidegate_worker::srtp::{Keys, Suite};

use crate::world::secured::Secured;

/// How a request nominates its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nomination {
    /// Not at all.
    No,
    /// USE-CANDIDATE.
    Usual,
    /// USE-CANDIDATE with a number.
    Numbered(u32),
}

/// An answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of a refusal.
    pub error: Option<u16>,
    /// Where the worker saw the request come from.
    pub mapped: Option<SocketAddr>,
    /// Under the credentials that the endpoint uses.
    pub signed: bool,
}

/// What a datagram of the worker's was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Of STUN.
    Answer(Answer),
    /// Of DTLS; [`Endpoint::says`] goes on.
    Dtls,
    /// RTP or RTCP, opened.
    Media(Vec<u8>),
    /// Media under an index that came before: SRTP takes it once.
    Again,
}

/// What an endpoint says, and what it learnt by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// For the worker.
    Datagram(Vec<u8>),
    /// There are keys now.
    Joined,
    /// The worker said goodbye.
    Closed,
    /// There will be no connection.
    Failed(Failure),
}

/// Somebody with a browser.
#[derive(Debug)]
pub struct Endpoint {
    fragment: String,
    key: IntegrityKey,
    context: Arc<Context>,
    worker_fingerprints: Vec<Fingerprint>,
    dtls: Dtls,
    session: Option<Secured>,
    transactions: u32,
}

impl Endpoint {
    /// Somebody who was told of a transport, with the certificate of `context`.
    ///
    /// # Panics
    /// The worker tells a fingerprint that is none.
    pub fn new(told: &WebRtcDump, context: &Arc<Context>) -> Self {
        let fingerprints = told.dtls_fingerprints.iter().map(|told| {
            Fingerprint::parse(told.algorithm.name(), &told.value).expect("the worker tells fingerprints")
        });
        Self {
            fragment: told.ice_parameters.username_fragment.to_string(),
            key: IntegrityKey::new(told.ice_parameters.password.as_bytes()),
            context: Arc::clone(context),
            worker_fingerprints: fingerprints.collect(),
            dtls: Dtls::new(Arc::clone(context)),
            session: None,
            transactions: 0,
        }
    }

    /// What its host tells the worker's.
    pub fn fingerprint(&self) -> DtlsFingerprint {
        let fingerprint = Fingerprint::of(HashFunction::Sha256, self.context.certificate().der());
        let value = Text::clipped(&fingerprint.to_string());
        DtlsFingerprint { algorithm: FingerprintAlgorithm::Sha256, value }
    }

    /// The worker's fragment, under which it asks.
    pub fn fragment(&self) -> &str {
        &self.fragment
    }

    /// From now on it asks under these.
    pub fn use_credentials(&mut self, fragment: &str, password: &str) {
        fragment.clone_into(&mut self.fragment);
        self.key = IntegrityKey::new(password.as_bytes());
    }

    /// A request of its.
    ///
    /// # Panics
    /// It does not fit: it has a fixed size.
    pub fn request(&mut self, nomination: Nomination) -> Vec<u8> {
        let username = format!("{}:peer", self.fragment);
        self.transactions += 1;
        binding_request(self.transactions, &username, Some(&self.key), nomination)
    }

    /// Begins the handshake, in this role.
    pub fn begins(&mut self, now: Time, role: Role) {
        let fingerprints = self.worker_fingerprints.clone();
        self.dtls.connect(now, role, fingerprints, &mut Flights::new(FLIGHTS));
    }

    /// Whether it has keys.
    pub const fn has_keys(&self) -> bool {
        self.session.is_some()
    }

    /// A datagram under its keys.
    ///
    /// # Panics
    /// There are none yet.
    pub fn seals(&mut self, plain: &[u8]) -> Vec<u8> {
        self.session.as_mut().expect("it has joined").protect(plain)
    }

    /// Ends DTLS; [`Endpoint::says`] has the goodbye.
    pub fn says_goodbye(&mut self, now: Time) {
        self.dtls.close(now);
    }

    /// Takes a datagram of the worker's.
    ///
    /// # Panics
    /// The worker sends what is unsound, or media before there are keys.
    pub fn hears(&mut self, now: Time, mut bytes: Vec<u8>) -> Heard {
        match bytes.first() {
            Some(0..=3) => {
                let message = Message::parse(&bytes).expect("the worker sends sound STUN");
                let signed = message.is_signed_by(&self.key);
                Heard::Answer(Answer { error: message.error_code, mapped: message.mapped_address, signed })
            }
            Some(20..=63) => {
                self.dtls.receive(now, &bytes, &mut Flights::new(FLIGHTS));
                Heard::Dtls
            }
            _ => {
                let session = self.session.as_mut().expect("the worker sends media after the handshake");
                if session.open(&mut bytes, now) { Heard::Media(bytes) } else { Heard::Again }
            }
        }
    }

    /// What it has to say by now, first things first.
    pub fn says(&mut self, now: Time) -> Vec<Said> {
        if self.dtls.next_deadline().is_some_and(|at| at <= now) {
            self.dtls.on_deadline(now);
        }
        let mut buffer = [0; BUFFER_BYTES];
        let mut said = Vec::new();
        while let Some(output) = self.dtls.poll(now, &mut buffer) {
            said.push(match output {
                Output::Datagram(bytes) => Said::Datagram(bytes.to_vec()),
                Output::Connected(connected) => {
                    let [own, worker] = [&connected.local, &connected.remote]
                        .map(|master| master_keys(connected.srtp_profile, master));
                    self.session = Some(Secured::new(&own, &worker));
                    Said::Joined
                }
                Output::Closed => Said::Closed,
                Output::Failed(failure) => Said::Failed(failure),
                Output::Data(_) => panic!("nobody sends data"),
            });
        }
        said
    }
}

/// A binding request of a controlling agent under any username and key; without one it has no integrity.
///
/// # Panics
/// The username is longer than one of ours.
pub fn binding_request(
    transaction: u32,
    username: &str,
    key: Option<&IntegrityKey>,
    nomination: Nomination,
) -> Vec<u8> {
    let mut id = [7; 12];
    id[..4].copy_from_slice(&transaction.to_be_bytes());
    let mut out = [0; 256];
    let mut writer = Writer::new(&mut out, Class::Request, BINDING, &id);
    writer.username(username.as_bytes());
    writer.priority(1_845_501_695);
    writer.controlling(0x5EED);
    if nomination != Nomination::No {
        writer.use_candidate();
    }
    if let Nomination::Numbered(number) = nomination {
        writer.nomination(number);
    }
    let bytes = writer.finish(key).expect("a request fits");
    out[..bytes].to_vec()
}

fn master_keys(profile: SrtpProfile, master: &MasterKey) -> Keys {
    let suite = Suite::from_profile_id(profile.id()).expect("the engine has every suite");
    Keys::new(suite, &[master.key(), master.salt()].concat()).expect("a profile's keys fit its suite")
}

/// What endpoints of one make share: a certificate, and the version that they offer first.
///
/// # Panics
/// The system gives no random numbers.
pub fn context(version: Version) -> Arc<Context> {
    #[expect(clippy::disallowed_methods, reason = "any moment will do as the origin")]
    let origin = Instant::now();
    let certificate = Certificate::generate(1_800_000_000).expect("the system gives random numbers");
    Arc::new(Context::new(certificate, origin).offering(version))
}

/// A peer has time for as many.
const FLIGHTS: u32 = 64;
