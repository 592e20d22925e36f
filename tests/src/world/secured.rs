//! SRTP at a peer's end: what it sends is protected as it leaves, what it gets is opened as it arrives.
//!
//! Knows keys and which way. Does not know what a packet carries. Uses the worker's engine, whose independence is
//! proved elsewhere (`tests/libsrtp.rs`, and players). Called by `SimulatedNetwork`.
//! Invariant: what a peer with SRTP cannot open was there before; anything else is a defect of the worker.

use tidegate_worker::base::time::Time;
use tidegate_worker::rtp::header::payload_offset;
use tidegate_worker::srtp::{Body, Keys, Protect, Unprotect, UnprotectError};

/// A peer's two sessions.
#[derive(Debug)]
pub struct Secured {
    outgoing: Protect,
    incoming: Unprotect,
}

impl Secured {
    /// A peer that sends under `own` and gets what is under `worker`.
    pub fn new(own: &Keys, worker: &Keys) -> Self {
        let outgoing = Protect::new(own).expect("keys of a suite fit it");
        Self { outgoing, incoming: Unprotect::new(worker).expect("keys of a suite fit it") }
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
        let opened = match super::is_rtcp(packet) {
            true => self.incoming.rtcp(packet, now),
            false => {
                let header_bytes = payload_offset(packet).expect("the worker sends sound headers");
                self.incoming.rtp(packet, header_bytes, now)
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
}
