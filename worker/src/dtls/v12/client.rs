//! The client's side of a DTLS 1.2 handshake (RFC 5246, section 7.3).
//!
//! Knows what a server sends. Invariant: the key exchange is used only if the certificate's key signed it.

use sha2::{Digest, Sha256};

use super::Link;
use super::flight::Flight;
use super::handshake::{
    CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, Expects, Handshake, SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE, Trouble,
};
use super::hellos::{ServerHello, push_vector8, push_vector16};
use super::peer_key::ECDSA_SHA256;
use super::secrets::{Ecdhe, Group};
use super::server::NAMED_CURVE;
use crate::dtls::reassembly::Message;
use crate::dtls::wire::{HELLO_VERIFY_REQUEST, Reader, SERVER_HELLO};
use crate::dtls::{Context, Failure};

impl Handshake {
    pub(super) fn on_server_message(
        &mut self,
        link: &mut Link,
        context: &Context,
        expects: Expects,
        kind: u8,
        message: &Message,
    ) -> Result<(), Trouble> {
        match (expects, kind) {
            (Expects::ServerHello { may_verify: true }, HELLO_VERIFY_REQUEST) => {
                self.on_hello_verify_request(link, message)
            }
            (Expects::ServerHello { .. }, SERVER_HELLO) => self.on_server_hello(message),
            (Expects::ServerKeyExchange, SERVER_KEY_EXCHANGE) => self.on_server_key_exchange(message),
            (Expects::CertificateRequest, CERTIFICATE_REQUEST) => {
                self.is_asked = true;
                self.absorb(message);
                self.expects = Expects::ServerHelloDone;
                Ok(())
            }
            (Expects::CertificateRequest | Expects::ServerHelloDone, SERVER_HELLO_DONE) => {
                self.absorb(message);
                self.answer(link, context)
            }
            _ => Err(Trouble::Doubtful("the server sent another message than was due")),
        }
    }

    fn on_hello_verify_request(&mut self, link: &mut Link, message: &Message) -> Result<(), Trouble> {
        let mut reader = Reader(&message.body);
        let cookie = reader.u16().and_then(|_| reader.vector8());
        let cookie = cookie.ok_or(Trouble::Doubtful("a HelloVerifyRequest is malformed"))?;
        self.expects = Expects::ServerHello { may_verify: false };
        self.send_client_hello(link, cookie);
        Ok(())
    }

    fn on_server_hello(&mut self, message: &Message) -> Result<(), Trouble> {
        let hello =
            ServerHello::parse(&message.body).ok_or(Trouble::Doubtful("a ServerHello is malformed"))??;
        self.server_random = hello.random;
        self.suite = hello.suite;
        self.srtp = Some(hello.srtp);
        self.absorb(message);
        self.expects = Expects::Certificate;
        Ok(())
    }

    fn on_server_key_exchange(&mut self, message: &Message) -> Result<(), Trouble> {
        let exchange =
            KeyExchange::parse(&message.body).ok_or(Trouble::Doubtful("a ServerKeyExchange is malformed"))?;
        let signed = Sha256::new().chain_update(self.client_random).chain_update(self.server_random);
        let hash = signed.chain_update(exchange.signed).finalize().into();
        let signs =
            |key: &super::peer_key::PeerKey| key.has_signed(exchange.scheme, &hash, exchange.signature);
        if !self.peer.as_ref().is_some_and(|peer| signs(&peer.key)) {
            return Err(Trouble::Doubtful("the server's signature is not its certificate's"));
        }
        let group = Group::of(exchange.group)
            .ok_or(Failure::Refused("the server chose a group that was not offered"))?;
        self.peer_point = exchange.point.to_vec();
        let (ecdhe, point) =
            Ecdhe::generate(group).ok_or(Failure::Refused("the system gives no random numbers"))?;
        self.ecdhe = Some(ecdhe);
        self.our_point = point;
        self.absorb(message);
        self.expects = Expects::CertificateRequest;
        Ok(())
    }

    fn answer(&mut self, link: &mut Link, context: &Context) -> Result<(), Trouble> {
        link.flight = Flight::new();
        if self.is_asked {
            self.send_certificate(link, context);
        }
        let mut body = Vec::new();
        push_vector8(&mut body, &self.our_point);
        self.send(link, CLIENT_KEY_EXCHANGE, &body);
        self.agree(link)?;
        if self.is_asked {
            let signature = context.certificate.sign(&self.transcript_hash());
            let signature = signature.ok_or(Failure::Refused("our key does not sign"))?;
            let mut body = ECDSA_SHA256.to_be_bytes().to_vec();
            push_vector16(&mut body, &signature);
            self.send(link, CERTIFICATE_VERIFY, &body);
        }
        self.send_finished(link)?;
        self.expects = Expects::Finished;
        Ok(())
    }
}

/// A ServerKeyExchange (RFC 8422, section 5.4).
struct KeyExchange<'b> {
    group: u16,
    point: &'b [u8],
    signed: &'b [u8],
    scheme: u16,
    signature: &'b [u8],
}

impl<'b> KeyExchange<'b> {
    fn parse(body: &'b [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        reader.u8().filter(|kind| *kind == NAMED_CURVE)?;
        let group = reader.u16()?;
        let point = reader.vector8()?;
        let signed = body.get(..body.len() - reader.0.len())?;
        let scheme = reader.u16()?;
        let signature = reader.vector16()?;
        reader.end()?;
        Some(Self { group, point, signed, scheme, signature })
    }
}
