//! DTLS 1.2 (RFC 6347) for peers that offer nothing newer: ECDHE with AES-128-GCM, and certificates of either kind.
//!
//! WebRTC's needs and no more (RFC 8827, section 6.5; RFC 5764; RFC 7627 is required): no resumption, renegotiation,
//! compression, or other suites. A connection keeps its two record keys, and as a server its last flight: some hundred
//! bytes. Called through the trait `Engine`; fingerprints and restarts are the caller's.
//!
//! * `record`, `flight`: sealing and opening; cutting and sending again
//! * `handshake`, `server`, `client`: the messages; `hellos`: what is offered and chosen
//! * `secrets`, `peer_key`: key exchange and derivation; signatures
//!
//! Invariant: nothing is believed before Finished, and nothing but Finished and what follows comes encrypted.

mod client;
mod flight;
mod handshake;
mod hellos;
mod peer_key;
mod queue;
mod record;
mod secrets;
mod server;

use std::fmt;
use std::sync::Arc;

use super::engine::{Connected, Engine, Step};
use super::wire::{self, ALERT, ALERT_FATAL, APPLICATION_DATA, HANDSHAKE, Record};
use super::{BUFFER_BYTES, Context, DATAGRAM_BYTES, Failure, Role, SendError};
use crate::base::time::Time;
use flight::Flight;
use handshake::{FINISHED, Handshake, Progress, Trouble};
use queue::Queue;
use record::{Inbound, Outbound};

/// One connection, from its first message on.
pub(super) struct Session {
    context: Arc<Context>,
    role: Role,
    link: Link,
    /// Until Finished is checked.
    handshake: Option<Box<Handshake>>,
    /// Finished is checked, and nobody was told.
    connected: Option<Box<Connected>>,
    /// Data and alerts for the peer, sealed.
    outbox: Queue,
    /// Data from the peer.
    inbox: Queue,
    end: End,
}

/// What sealing and sending need.
struct Link {
    outbound: Outbound,
    inbound: Inbound,
    flight: Flight,
}

/// Whether the peer has said goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    No,
    Untold,
    Told,
}

impl Session {
    /// Waits for a ClientHello.
    pub(super) fn server(context: Arc<Context>) -> Self {
        Self::new(context, Link::new(), Handshake::server())
    }

    /// Has a ClientHello to send.
    pub(super) fn client(context: Arc<Context>) -> Result<Self, Failure> {
        let mut link = Link::new();
        let handshake = Handshake::client(&mut link)?;
        Ok(Self::new(context, link, handshake))
    }

    fn new(context: Arc<Context>, link: Link, handshake: Handshake) -> Self {
        Self {
            context,
            role: handshake.role,
            link,
            handshake: Some(Box::new(handshake)),
            connected: None,
            outbox: Queue::default(),
            inbox: Queue::default(),
            end: End::No,
        }
    }

    fn on_record(&mut self, now: Time, record: &Record<'_>) -> Result<(), Failure> {
        match (record.epoch, record.content) {
            // ChangeCipherSpec says what the epoch says; an alert here is anybody's.
            (0, HANDSHAKE) => self.on_fragments(now, 0, record.body),
            (1, content) => {
                let mut scratch = [0; BUFFER_BYTES];
                let Some(plain) = self.link.inbound.open(record, &mut scratch) else { return Ok(()) };
                match content {
                    HANDSHAKE => self.on_fragments(now, 1, plain)?,
                    ALERT => self.on_alert(plain)?,
                    // RFC 6347, section 4.1: what outruns Finished may be dropped.
                    APPLICATION_DATA if self.handshake.is_none() => {
                        self.inbox.push(plain);
                    }
                    _ => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_alert(&mut self, plain: &[u8]) -> Result<(), Failure> {
        match plain {
            [level, description] if *level == ALERT_FATAL || *description == CLOSE_NOTIFY => {
                if self.handshake.is_some() {
                    return Err(Failure::Alert(*description));
                }
                if self.end == End::No {
                    self.end = End::Untold;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_fragments(&mut self, now: Time, epoch: u16, body: &[u8]) -> Result<(), Failure> {
        let Some(handshake) = &mut self.handshake else {
            // The client repeats its Finished: ours was lost.
            if epoch == 1 && wire::fragments(body).any(|fragment| fragment.kind == FINISHED) {
                self.link.flight.on_repeated(now);
            }
            return Ok(());
        };
        let mut is_repeated = false;
        for fragment in wire::fragments(body) {
            if (fragment.kind == FINISHED) != (epoch == 1) {
                continue;
            }
            is_repeated |= fragment.sequence < handshake.wanted;
            handshake.reassembly.insert(&fragment, handshake.wanted);
        }
        if self.advance()? == 0 && is_repeated {
            self.link.flight.on_repeated(now);
        }
        Ok(())
    }

    /// Takes what is whole and in order; answers how many messages that were.
    fn advance(&mut self) -> Result<u32, Failure> {
        let mut taken = 0;
        while let Some(handshake) = &mut self.handshake {
            let Some(message) = handshake.reassembly.take(handshake.wanted) else { break };
            match handshake.on_message(&mut self.link, &self.context, &message) {
                Ok(progress) => {
                    handshake.wanted += 1;
                    taken += 1;
                    if let Progress::Established(connected) = progress {
                        self.connected = Some(connected);
                        self.handshake = None;
                    }
                }
                Err(Trouble::Doubtful(reason)) => {
                    handshake.doubts += 1;
                    if handshake.doubts > DOUBTS_MAX {
                        return Err(Failure::Refused(reason));
                    }
                }
                Err(Trouble::Fatal(failure)) => return Err(failure),
            }
        }
        Ok(taken)
    }

    fn send_record(&mut self, content: u8, body: &[u8]) -> bool {
        let epoch = u16::from(self.handshake.is_none());
        let mut datagram = Vec::with_capacity(body.len() + record::HEADER_BYTES + record::OVERHEAD_BYTES);
        self.link.outbound.write(content, epoch, body, &mut datagram);
        !datagram.is_empty() && self.outbox.push(&datagram)
    }
}

impl Engine for Session {
    fn receive(&mut self, now: Time, datagram: &[u8]) -> Result<(), Failure> {
        wire::records(datagram).try_for_each(|record| self.on_record(now, &record))
    }

    fn on_deadline(&mut self, now: Time) -> Result<(), Failure> {
        self.link.flight.on_deadline(now);
        Ok(())
    }

    fn next_deadline(&self) -> Option<Time> {
        self.link.flight.next_deadline()
    }

    fn poll(&mut self, now: Time, buffer: &mut [u8]) -> Option<Step> {
        if self.link.flight.is_due() {
            let mut datagram = Vec::with_capacity(DATAGRAM_BYTES);
            self.link.flight.write(now, &mut self.link.outbound, &mut datagram);
            let place = buffer.get_mut(..datagram.len()).filter(|place| !place.is_empty());
            if let Some(place) = place {
                place.copy_from_slice(&datagram);
                return Some(Step::Datagram(datagram.len()));
            }
        }
        if let Some(connected) = self.connected.take() {
            return Some(Step::Established(connected));
        }
        if let Some(bytes) = self.outbox.pop(buffer) {
            return Some(Step::Datagram(bytes));
        }
        if let Some(bytes) = self.inbox.pop(buffer) {
            return Some(Step::Data(bytes));
        }
        (self.end == End::Untold).then(|| {
            self.end = End::Told;
            Step::Closed
        })
    }

    fn send(&mut self, _: Time, data: &[u8]) -> Result<(), SendError> {
        if self.handshake.is_some() || self.end != End::No {
            return Err(SendError::NotConnected);
        }
        if self.send_record(APPLICATION_DATA, data) { Ok(()) } else { Err(SendError::NotConnected) }
    }

    fn close(&mut self, _: Time) {
        let alert = match self.handshake {
            None => [ALERT_WARNING, CLOSE_NOTIFY],
            Some(_) => [ALERT_FATAL, HANDSHAKE_FAILURE],
        };
        self.link.flight = Flight::new();
        self.send_record(ALERT, &alert);
    }
}

impl Link {
    fn new() -> Self {
        Self { outbound: Outbound::default(), inbound: Inbound::default(), flight: Flight::new() }
    }
}

/// Without keys.
impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expects = self.handshake.as_ref().map(|handshake| handshake.expects);
        formatter
            .debug_struct("Session")
            .field("role", &self.role)
            .field("expects", &expects)
            .finish_non_exhaustive()
    }
}

/// Each costs at most a signature's check. An honest peer's own mistakes come this often in a few seconds.
const DOUBTS_MAX: u32 = 8;
const ALERT_WARNING: u8 = 1;
const CLOSE_NOTIFY: u8 = 0;
const HANDSHAKE_FAILURE: u8 = 40;
