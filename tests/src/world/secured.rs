//! SRTP at a peer's end: what it sends is protected as it leaves, what it gets is opened as it arrives.
//!
//! Knows keys and which way. Does not know what a packet carries. Uses the worker's engine, whose independence is
//! proved elsewhere (`tests/libsrtp.rs`, and players). Called by `SimulatedNetwork`.
//! Invariant: what a peer with SRTP cannot open was there before; anything else is a defect of the worker.

use tidegate_worker::base::time::Time;
use tidegate_worker::rtp::header::payload_offset;
use tidegate_worker::srtp::{Body, Keys, Protect, Unprotect, UnprotectError};

/// What protects the datagrams between a peer and the worker.
#[derive(Debug)]
pub(super) enum Secrecy {
    Clear,
    /// SRTP, put on and taken off at the peer's end.
    Srtp(Box<Secured>),
    /// Whatever it is, the peer gets it as it was sent.
    Opaque,
}

impl Secrecy {
    /// Takes off what protects an arriving datagram; `false` when it came before.
    pub(super) fn opens(&mut self, bytes: &mut Vec<u8>, now: Time) -> bool {
        match self {
            Self::Srtp(secured) => secured.open(bytes, now),
            Self::Clear | Self::Opaque => true,
        }
    }

    /// The same of a datagram that never arrives; `false` when it was lost before.
    pub(super) fn loses(&mut self, bytes: &mut Vec<u8>, now: Time) -> bool {
        match self {
            Self::Srtp(secured) => secured.lose(bytes, now),
            Self::Clear | Self::Opaque => true,
        }
    }
}

/// A peer's two sessions.
#[derive(Debug)]
pub struct Secured {
    outgoing: Protect,
    incoming: Unprotect,
    /// What the bed sees of what never arrives.
    lost: Unprotect,
}

impl Secured {
    /// A peer that sends under `own` and gets what is under `worker`.
    pub fn new(own: &Keys, worker: &Keys) -> Self {
        let receiver = || Unprotect::new(worker).expect("keys of a suite fit it");
        let outgoing = Protect::new(own).expect("keys of a suite fit it");
        Self { outgoing, incoming: receiver(), lost: receiver() }
    }

    /// A datagram as it leaves the peer.
    pub fn protect(&mut self, plain: &[u8]) -> Vec<u8> {
        let suite = self.outgoing.suite();
        if super::is_rtcp(plain) {
            let mut packet = [plain, &[0; 20]].concat();
            let bytes = self.outgoing.rtcp(&mut packet, plain.len()).expect("peers send sound RTCP");
            packet.truncate(bytes);
            return packet;
        }
        let header_bytes = payload_offset(plain).expect("peers send sound RTP");
        let (header, payload) = plain.split_at(header_bytes);
        let mut packet = header.to_vec();
        packet.resize(plain.len() + suite.rtp_tag_bytes(), 0);
        let body = Body { header_bytes, payload_offset: header_bytes, payload };
        self.outgoing.rtp(&mut packet, body).expect("peers do not use up their keys");
        packet
    }

    /// A datagram as it arrives at the peer; `false` when it came before.
    pub fn open(&mut self, packet: &mut Vec<u8>, now: Time) -> bool {
        open(&mut self.incoming, packet, now)
    }

    /// A datagram that is lost on its way, for the bed's own books; `false` when it was lost before.
    pub fn lose(&mut self, packet: &mut Vec<u8>, now: Time) -> bool {
        open(&mut self.lost, packet, now)
    }
}

fn open(session: &mut Unprotect, packet: &mut Vec<u8>, now: Time) -> bool {
    let opened = match super::is_rtcp(packet) {
        true => session.rtcp(packet, now),
        false => {
            let header_bytes = payload_offset(packet).expect("the worker sends sound headers");
            session.rtp(packet, header_bytes, now)
        }
    };
    match opened {
        Ok(bytes) => packet.truncate(bytes),
        Err(UnprotectError::Replayed) => return false,
        Err(error) => panic!("the worker sent what its peer cannot open: {error}"),
    }
    super::assert_readable(packet);
    true
}
