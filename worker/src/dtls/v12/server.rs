//! The server's side of a DTLS 1.2 handshake (RFC 5246, section 7.3).
//!
//! Knows what a client sends. Invariant: the client must show a certificate, and that it has its key.

use sha2::{Digest, Sha256};

use super::Link;
use super::flight::Flight;
use super::handshake::{
    CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, Expects, Handshake, SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE, Trouble, random,
};
use super::hellos::{
    ClientHello, SIGNATURE_SCHEMES, push_numbers, push_vector8, push_vector16, write_server_hello,
};
use super::peer_key::ECDSA_SHA256;
use super::secrets::{Ecdhe, Group};
use crate::dtls::reassembly::Message;
use crate::dtls::wire::{CLIENT_HELLO, Reader, SERVER_HELLO};
use crate::dtls::{Context, Failure};

impl Handshake {
    pub(super) fn on_client_message(
        &mut self,
        link: &mut Link,
        context: &Context,
        expects: Expects,
        kind: u8,
        message: &Message,
    ) -> Result<(), Trouble> {
        match (expects, kind) {
            (Expects::ClientHello, CLIENT_HELLO) => self.on_client_hello(link, context, message),
            (Expects::ClientKeyExchange, CLIENT_KEY_EXCHANGE) => self.on_client_key_exchange(link, message),
            (Expects::CertificateVerify, CERTIFICATE_VERIFY) => self.on_certificate_verify(message),
            _ => Err(Trouble::Doubtful("the client sent another message than was due")),
        }
    }

    fn on_client_hello(
        &mut self,
        link: &mut Link,
        context: &Context,
        message: &Message,
    ) -> Result<(), Trouble> {
        let hello =
            ClientHello::parse(&message.body).ok_or(Trouble::Doubtful("a ClientHello is malformed"))?;
        let (group, srtp) = hello.agreement()?;
        self.client_random = hello.random;
        self.server_random = random()?;
        self.srtp = Some(srtp);
        self.absorb(message);
        link.flight = Flight::new();
        let body = write_server_hello(&self.server_random, &hello, srtp);
        self.send(link, SERVER_HELLO, &body);
        self.send_certificate(link, context);
        self.send_server_key_exchange(link, context, group)?;
        self.send_certificate_request(link);
        self.send(link, SERVER_HELLO_DONE, &[]);
        self.expects = Expects::Certificate;
        Ok(())
    }

    fn send_server_key_exchange(
        &mut self,
        link: &mut Link,
        context: &Context,
        group: Group,
    ) -> Result<(), Failure> {
        let (ecdhe, point) =
            Ecdhe::generate(group).ok_or(Failure::Refused("the system gives no random numbers"))?;
        self.ecdhe = Some(ecdhe);
        let mut body = vec![NAMED_CURVE];
        body.extend_from_slice(&group.id().to_be_bytes());
        push_vector8(&mut body, &point);
        let signed = Sha256::new().chain_update(self.client_random).chain_update(self.server_random);
        let hash = signed.chain_update(&body).finalize().into();
        let signature = context.certificate.sign(&hash).ok_or(Failure::Refused("our key does not sign"))?;
        body.extend_from_slice(&ECDSA_SHA256.to_be_bytes());
        push_vector16(&mut body, &signature);
        self.send(link, SERVER_KEY_EXCHANGE, &body);
        Ok(())
    }

    /// RSA too: this is what GStreamer needs.
    fn send_certificate_request(&mut self, link: &mut Link) {
        let mut body = Vec::with_capacity(16);
        push_vector8(&mut body, &[ECDSA_SIGN, RSA_SIGN]);
        push_numbers(&mut body, &SIGNATURE_SCHEMES);
        push_vector16(&mut body, &[]); // any authority
        self.send(link, CERTIFICATE_REQUEST, &body);
    }

    fn on_client_key_exchange(&mut self, link: &mut Link, message: &Message) -> Result<(), Trouble> {
        let mut reader = Reader(&message.body);
        let point = reader.vector8().filter(|_| reader.end().is_some());
        self.peer_point = point.ok_or(Trouble::Doubtful("a ClientKeyExchange is malformed"))?.to_vec();
        self.absorb(message);
        self.agree(link)?;
        self.expects = Expects::CertificateVerify;
        Ok(())
    }

    fn on_certificate_verify(&mut self, message: &Message) -> Result<(), Trouble> {
        let mut reader = Reader(&message.body);
        let (scheme, signature) = reader
            .u16()
            .zip(reader.vector16())
            .ok_or(Trouble::Doubtful("a CertificateVerify is malformed"))?;
        let hash = self.transcript_hash();
        if !self.peer.as_ref().is_some_and(|peer| peer.key.has_signed(scheme, &hash, signature)) {
            return Err(Trouble::Doubtful("the client's signature is not its certificate's"));
        }
        self.absorb(message);
        self.expects = Expects::Finished;
        Ok(())
    }
}

/// `ECCurveType`, in ServerKeyExchange.
pub(super) const NAMED_CURVE: u8 = 3;
/// Kinds of certificates, in CertificateRequest.
const RSA_SIGN: u8 = 1;
const ECDSA_SIGN: u8 = 64;
