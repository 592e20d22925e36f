//! Our last flight: kept until it is answered, cut to datagrams whenever it is sent (RFC 6347, sections 4.2.3, 4.2.4).
//!
//! Knows messages as bytes, and when to send them again. Does not know what they mean. Invariant: at most one flight is
//! kept.

use std::time::Duration;

use super::record::{HEADER_BYTES, OVERHEAD_BYTES, Outbound};
use crate::base::time::Time;
use crate::dtls::wire::HANDSHAKE;
use crate::dtls::{DATAGRAM_BYTES, RETRANSMIT_AFTER};

/// The messages that answer the peer's last flight.
#[derive(Debug)]
pub(super) struct Flight {
    items: Vec<Item>,
    /// Item and byte to go on with.
    next: (usize, usize),
    /// How long to wait after sending.
    wait: Duration,
    sent_at: Option<Time>,
    resend_at: Option<Time>,
    /// Nothing answers it: it is sent again only when the peer shows that it was lost.
    is_last: bool,
}

#[derive(Debug)]
struct Item {
    content: u8,
    epoch: u16,
    /// Of a handshake message: header and body, as one fragment.
    bytes: Vec<u8>,
}

impl Flight {
    pub(super) fn new() -> Self {
        Self {
            items: Vec::new(),
            next: (0, 0),
            wait: RETRANSMIT_AFTER,
            sent_at: None,
            resend_at: None,
            is_last: false,
        }
    }

    /// Adds a record that is no handshake message.
    pub(super) fn push(&mut self, content: u8, epoch: u16, bytes: Vec<u8>) {
        self.items.push(Item { content, epoch, bytes });
    }

    /// Adds a handshake message: header and body.
    pub(super) fn push_handshake(&mut self, epoch: u16, bytes: Vec<u8>) {
        self.push(HANDSHAKE, epoch, bytes);
    }

    /// Says that no answer is to come.
    pub(super) fn is_last(&mut self) {
        self.is_last = true;
    }

    /// The peer shows that it lacks the flight: sends it again, unless that was just done.
    pub(super) fn on_repeated(&mut self, now: Time) {
        if self.sent_at.is_some_and(|at| now.since(at) >= RESEND_INTERVAL_MIN) {
            self.next = (0, 0);
        }
    }

    /// Whether something is to be sent.
    pub(super) fn is_due(&self) -> bool {
        self.next.0 < self.items.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.resend_at
    }

    pub(super) fn on_deadline(&mut self, now: Time) {
        if self.resend_at.is_some_and(|at| at <= now) {
            self.resend_at = None;
            self.wait = (self.wait * 2).min(WAIT_MAX);
            self.next = (0, 0);
        }
    }

    /// Writes the next datagram; nothing when all is sent.
    pub(super) fn write(&mut self, now: Time, outbound: &mut Outbound, datagram: &mut Vec<u8>) {
        while let Some(item) = self.items.get(self.next.0) {
            let overhead = HEADER_BYTES + if item.epoch == 0 { 0 } else { OVERHEAD_BYTES };
            let room = DATAGRAM_BYTES.saturating_sub(datagram.len() + overhead);
            if item.content != HANDSHAKE {
                if room < item.bytes.len() {
                    return;
                }
                outbound.write(item.content, item.epoch, &item.bytes, datagram);
                self.next = (self.next.0 + 1, 0);
                continue;
            }
            let Some((header, body)) = item.bytes.split_at_checked(HANDSHAKE_HEADER_BYTES) else { return };
            let rest = body.get(self.next.1..).unwrap_or_default();
            let room = room.saturating_sub(HANDSHAKE_HEADER_BYTES);
            // A few bytes of a message at a datagram's end are worth no record.
            if room < rest.len().min(FRAGMENT_BYTES_MIN) {
                return;
            }
            let part = rest.get(..room).unwrap_or(rest);
            let mut fragment = Vec::with_capacity(HANDSHAKE_HEADER_BYTES + part.len());
            fragment.extend_from_slice(header.get(..6).unwrap_or_default());
            fragment.extend_from_slice(&length24(self.next.1));
            fragment.extend_from_slice(&length24(part.len()));
            fragment.extend_from_slice(part);
            outbound.write(HANDSHAKE, item.epoch, &fragment, datagram);
            let end = self.next.1 + part.len();
            self.next = if end == body.len() { (self.next.0 + 1, 0) } else { (self.next.0, end) };
        }
        if !datagram.is_empty() {
            self.sent_at = Some(now);
            self.resend_at = (!self.is_last).then(|| now + self.wait);
        }
    }
}

/// A handshake message's header and body (RFC 6347, section 4.2.2).
pub(super) fn handshake_message(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    let length = length24(body.len());
    let mut message = Vec::with_capacity(HANDSHAKE_HEADER_BYTES + body.len());
    message.push(kind);
    message.extend_from_slice(&length);
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(&[0; 3]);
    message.extend_from_slice(&length);
    message.extend_from_slice(body);
    message
}

/// Of a message of ours, which are short; one that is not would be cut wrongly, and refused by the peer.
pub(super) fn length24(length: usize) -> [u8; 3] {
    let [.., a, b, c] = length.to_be_bytes();
    [a, b, c]
}

pub(super) const HANDSHAKE_HEADER_BYTES: usize = 12;
const FRAGMENT_BYTES_MIN: usize = 64;
/// However often a peer repeats itself.
const RESEND_INTERVAL_MIN: Duration = Duration::from_millis(50);
/// Doubling ends here, so that a bad path gets a handful of chances before the handshake's time is over.
const WAIT_MAX: Duration = Duration::from_millis(2_400);
