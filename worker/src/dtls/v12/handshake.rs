//! Where a handshake stands, and what both roles do alike.
//!
//! Knows the transcript, the peer's certificate and the secrets. Gone once Finished is checked: a connection keeps keys
//! only. Invariant: a message enters the transcript once, after it was understood.

use sha2::{Digest, Sha256};

use super::Link;
use super::flight::{Flight, handshake_message, length24};
use super::hellos::{Suite, write_client_hello};
use super::peer_key::PeerKey;
use super::secrets::{Ecdhe, Master};
use crate::dtls::engine::{Connected, MasterKey, Version};
use crate::dtls::reassembly::{Message, Reassembly};
use crate::dtls::wire::{CHANGE_CIPHER_SPEC, CLIENT_HELLO, Reader};
use crate::dtls::{Context, Failure, Role, SrtpProfile};

/// A handshake that is not finished.
pub(super) struct Handshake {
    pub(super) role: Role,
    pub(super) expects: Expects,
    /// The number of the message that is wanted.
    pub(super) wanted: u16,
    pub(super) reassembly: Reassembly,
    pub(super) next_sequence: u16,
    pub(super) transcript: Sha256,
    pub(super) client_random: [u8; 32],
    pub(super) server_random: [u8; 32],
    pub(super) suite: Suite,
    pub(super) ecdhe: Option<Ecdhe>,
    pub(super) peer: Option<Peer>,
    pub(super) peer_point: Vec<u8>,
    /// As a client: what ClientKeyExchange will say.
    pub(super) our_point: Vec<u8>,
    pub(super) srtp: Option<SrtpProfile>,
    pub(super) master: Option<Master>,
    /// As a client: the server asked for our certificate.
    pub(super) is_asked: bool,
    /// Messages that made no sense; anybody may have sent them.
    pub(super) doubts: u32,
}

/// The peer's certificate and the key in it.
pub(super) struct Peer {
    pub(super) certificate: Vec<u8>,
    pub(super) key: PeerKey,
}

/// The next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    ClientHello,
    /// Or HelloVerifyRequest, once.
    ServerHello {
        may_verify: bool,
    },
    Certificate,
    ServerKeyExchange,
    /// Or ServerHelloDone.
    CertificateRequest,
    ServerHelloDone,
    ClientKeyExchange,
    CertificateVerify,
    Finished,
}

/// What a message led to.
pub(super) enum Progress {
    Goes,
    Established(Box<Connected>),
}

/// Why a message led to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It makes no sense here; an honest peer sends the right one again.
    Doubtful(&'static str),
    /// Nothing that comes later mends it.
    Fatal(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Fatal(failure)
    }
}

impl Handshake {
    pub(super) fn server() -> Self {
        Self::new(Role::Server, Expects::ClientHello)
    }

    /// With its first flight.
    pub(super) fn client(link: &mut Link) -> Result<Self, Failure> {
        let mut handshake = Self::new(Role::Client, Expects::ServerHello { may_verify: true });
        handshake.client_random = random()?;
        handshake.send_client_hello(link, &[]);
        Ok(handshake)
    }

    fn new(role: Role, expects: Expects) -> Self {
        Self {
            role,
            expects,
            wanted: 0,
            reassembly: Reassembly::default(),
            next_sequence: 0,
            transcript: Sha256::new(),
            client_random: [0; 32],
            server_random: [0; 32],
            suite: Suite::EcdheEcdsa,
            ecdhe: None,
            peer: None,
            peer_point: Vec::new(),
            our_point: Vec::new(),
            srtp: None,
            master: None,
            is_asked: false,
            doubts: 0,
        }
    }

    pub(super) fn on_message(
        &mut self,
        link: &mut Link,
        context: &Context,
        message: &Message,
    ) -> Result<Progress, Trouble> {
        match (self.role, self.expects, message.kind) {
            (_, Expects::Finished, FINISHED) => return self.on_finished(link, message),
            (_, Expects::Certificate, CERTIFICATE) => self.on_certificate(message)?,
            (Role::Server, expects, kind) => self.on_client_message(link, context, expects, kind, message)?,
            (Role::Client, expects, kind) => self.on_server_message(link, context, expects, kind, message)?,
        }
        Ok(Progress::Goes)
    }

    pub(super) fn send_client_hello(&mut self, link: &mut Link, cookie: &[u8]) {
        // RFC 6347, section 4.2.1: what was before the cookie is no part of the transcript.
        self.transcript = Sha256::new();
        let body = write_client_hello(&self.client_random, cookie);
        link.flight = Flight::new();
        self.send(link, CLIENT_HELLO, &body);
    }

    /// Adds a message of ours to the flight and to the transcript.
    pub(super) fn send(&mut self, link: &mut Link, kind: u8, body: &[u8]) {
        self.send_in(link, 0, kind, body);
    }

    fn send_in(&mut self, link: &mut Link, epoch: u16, kind: u8, body: &[u8]) {
        let message = handshake_message(kind, self.next_sequence, body);
        self.next_sequence += 1;
        self.transcript.update(&message);
        link.flight.push_handshake(epoch, message);
    }

    pub(super) fn absorb(&mut self, message: &Message) {
        self.transcript.update(handshake_message(message.kind, message.sequence, &message.body));
    }

    pub(super) fn transcript_hash(&self) -> [u8; 32] {
        self.transcript.clone().finalize().into()
    }

    pub(super) fn send_certificate(&mut self, link: &mut Link, context: &Context) {
        let der = context.certificate.der();
        let mut body = Vec::with_capacity(der.len() + 6);
        body.extend_from_slice(&length24(der.len() + 3));
        body.extend_from_slice(&length24(der.len()));
        body.extend_from_slice(der);
        self.send(link, CERTIFICATE, &body);
    }

    fn on_certificate(&mut self, message: &Message) -> Result<(), Trouble> {
        let mut reader = Reader(&message.body);
        let list = reader.vector24().ok_or(Trouble::Doubtful("a certificate message is malformed"))?;
        if list.is_empty() {
            return Err(Failure::Refused("the peer sent no certificate").into());
        }
        let der = Reader(list).vector24().ok_or(Trouble::Doubtful("a certificate message is malformed"))?;
        let key =
            PeerKey::of(der).ok_or(Trouble::Doubtful("the peer's certificate has no ECDSA or RSA key"))?;
        self.peer = Some(Peer { certificate: der.to_vec(), key });
        self.absorb(message);
        self.expects = match self.role {
            Role::Server => Expects::ClientKeyExchange,
            Role::Client => Expects::ServerKeyExchange,
        };
        Ok(())
    }

    /// Derives all keys; the transcript ends with ClientKeyExchange.
    pub(super) fn agree(&mut self, link: &mut Link) -> Result<(), Trouble> {
        let ecdhe = self.ecdhe.take().ok_or(Failure::Refused("no key exchange was begun"))?;
        let premaster =
            ecdhe.agree(&self.peer_point).ok_or(Failure::Refused("the peer's key exchange is invalid"))?;
        let master = Master::new(&premaster, &self.transcript_hash());
        let (client, server) = master.record_keys(&self.client_random, &self.server_random);
        let (ours, theirs) = match self.role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        link.outbound.key = Some(ours);
        link.inbound.key = Some(theirs);
        self.master = Some(master);
        Ok(())
    }

    /// Adds ChangeCipherSpec and Finished to the flight.
    pub(super) fn send_finished(&mut self, link: &mut Link) -> Result<(), Trouble> {
        let master = self.master.as_ref().ok_or(Failure::Refused("no keys were agreed on"))?;
        let data = master.verify_data(self.role == Role::Client, &self.transcript_hash());
        link.flight.push(CHANGE_CIPHER_SPEC, 0, vec![1]);
        self.send_in(link, 1, FINISHED, &data);
        Ok(())
    }

    fn on_finished(&mut self, link: &mut Link, message: &Message) -> Result<Progress, Trouble> {
        let master = self.master.as_ref().ok_or(Failure::Refused("no keys were agreed on"))?;
        // It came encrypted, so it is the peer's: a wrong one means that somebody changed what was said before.
        let expected = master.verify_data(self.role == Role::Server, &self.transcript_hash());
        if !is_equal(&message.body, &expected) {
            return Err(Failure::Refused("Finished does not match the handshake").into());
        }
        self.absorb(message);
        match self.role {
            Role::Server => {
                link.flight = Flight::new();
                self.send_finished(link)?;
                link.flight.is_last();
            }
            Role::Client => link.flight = Flight::new(),
        }
        Ok(Progress::Established(Box::new(self.outcome()?)))
    }

    fn outcome(&mut self) -> Result<Connected, Failure> {
        const INCOMPLETE: Failure = Failure::Refused("the handshake skipped a message");
        let master = self.master.take().ok_or(INCOMPLETE)?;
        let srtp_profile = self.srtp.ok_or(Failure::NoSrtp)?;
        let mut material = zeroize::Zeroizing::new(vec![0; srtp_profile.material_bytes()]);
        master.export_srtp(&self.client_random, &self.server_random, &mut material);
        let (client, server) = MasterKey::split(srtp_profile, &material).ok_or(INCOMPLETE)?;
        let (local, remote) = match self.role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Ok(Connected {
            local,
            remote,
            srtp_profile,
            peer_certificate: self.peer.take().ok_or(INCOMPLETE)?.certificate,
            version: Version::Dtls12,
            cipher: self.suite.name(),
        })
    }
}

/// Numbers that nobody can guess.
pub(super) fn random() -> Result<[u8; 32], Failure> {
    let mut random = [0; 32];
    match getrandom::fill(&mut random) {
        Ok(()) => Ok(random),
        Err(_) => Err(Failure::Refused("the system gives no random numbers")),
    }
}

/// Takes the same time wherever they differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |bits, (one, other)| bits | (one ^ other));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}

pub(super) const CERTIFICATE: u8 = 11;
pub(super) const SERVER_KEY_EXCHANGE: u8 = 12;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
pub(super) const SERVER_HELLO_DONE: u8 = 14;
pub(super) const CERTIFICATE_VERIFY: u8 = 15;
pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(super) const FINISHED: u8 = 20;
