//! The worker: a function of (state, input, now) that writes into an outbox.
//!
//! Called by the event loop for live, by tests on a virtual clock. A turn is: any number of [`Worker::on_request`],
//! [`Worker::on_datagram`] and [`Worker::on_deadline`], then one [`Worker::end_turn`], in which what was admitted is
//! forwarded and sent. Panics from below are contained: they close the transport in hand, no more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tidegate_protocol::bounded::Text;
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::request::Command;

use crate::base::pool::Pool;
use crate::base::time::Time;
use crate::control::{self, Subject};
use crate::counters::ShellReport;
use crate::dtls::{Certificate, FLIGHTS_A_TURN, Flights};
use crate::media::audit;
use crate::media::deadline::Deadline;
use crate::media::transport::webrtc::context::DtlsContext;
use crate::media::transport::webrtc::{self, arrival, handshake};
use crate::media::transport::{congestion, rtcp};
use crate::media::{
    Tables, TransportKey, forward, memory, observer, producer, receive, transport, webrtc_server,
};
use crate::network::{Datagram, SocketKey};
use crate::outbox::LogTag;
use crate::random::Random;
use crate::turn::Turn;

pub use crate::media::audit::Audit;

/// All state of a worker but packet memory, sockets and what waits to leave.
#[derive(Debug)]
pub struct Worker {
    pub(crate) tables: Tables,
    pub(crate) settings: WorkerSettings,
    /// What the shell tells the core about itself, for dumps and metrics.
    pub shell: ShellReport,
    pub(crate) closing: bool,
    panics: Panics,
}

/// What the core needs to know of the command line.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Lowest port of transports that name none.
    pub rtc_min_port: u16,
    /// Highest port of transports that name none.
    pub rtc_max_port: u16,
    /// Pad packets of a run that differ by a few bytes, so that they leave as one message (RFC 3550 5.1).
    pub equalize_padding: bool,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { rtc_min_port: 10_000, rtc_max_port: 59_999, equalize_padding: true }
    }
}

/// Three panics within ten seconds mean that the process cannot be trusted any more.
#[derive(Debug, Default)]
struct Panics {
    total: u64,
    recent: [Option<Time>; PANICS_MAX],
}

impl Worker {
    /// A worker without entities.
    pub fn new(settings: WorkerSettings, random: &mut Random) -> Self {
        Self {
            tables: Tables::new((settings.rtc_min_port, settings.rtc_max_port), random),
            settings,
            shell: ShellReport::default(),
            closing: false,
            panics: Panics::default(),
        }
    }

    /// With this certificate for DTLS; without one it is made when it is first needed.
    #[must_use]
    pub fn with_certificate(mut self, certificate: Option<Certificate>) -> Self {
        if let Some(certificate) = certificate {
            self.tables.dtls = DtlsContext::of(certificate);
        }
        self
    }

    /// Carries out one request and puts its one answer into the outbox.
    pub fn on_request(&mut self, id: RequestId, command: Command, turn: &mut Turn<'_>) {
        let subject = Subject {
            tables: &mut self.tables,
            shell: &self.shell,
            panics_contained: self.panics.total,
            closing: &mut self.closing,
        };
        let answer = catch_unwind(AssertUnwindSafe(|| control::dispatch(subject, command, turn)));
        let answer = answer.unwrap_or_else(|_| {
            self.contain(None, turn);
            Err(CommandError::new(
                ErrorKind::Internal,
                "a defect of the worker was contained; please report it",
            ))
        });
        turn.outbox.respond(id, answer);
    }

    /// Takes one received datagram; what it brings is forwarded at the end of the turn.
    pub fn on_datagram(&mut self, datagram: Datagram, turn: &mut Turn<'_>) {
        let done = catch_unwind(AssertUnwindSafe(|| receive::on_datagram(&mut self.tables, datagram, turn)));
        let transport = self.tables.runs.take_in_hand();
        if done.is_err() {
            self.contain(transport, turn);
        }
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        while let Some(deadline) = self.tables.deadlines.pop_due(turn.now) {
            let tables = &mut self.tables;
            let done = catch_unwind(AssertUnwindSafe(|| match deadline {
                Deadline::Rtcp(transport) => rtcp::on_deadline(tables, transport, turn),
                Deadline::WideFeedback(transport) => {
                    congestion::on_feedback_deadline(tables, transport, turn)
                }
                Deadline::BitrateLimit(transport) => congestion::on_limit_deadline(tables, transport, turn),
                Deadline::Nack(producer) => producer::on_nack_deadline(tables, producer, turn),
                Deadline::KeyFrame(producer) => producer::on_key_frame_deadline(tables, producer, turn),
                Deadline::Silence(producer) => producer::on_silence_deadline(tables, producer, turn),
                Deadline::History(producer) => producer::on_history_deadline(tables, producer, turn),
                Deadline::Rings(producer) => producer::on_rings_deadline(tables, producer, turn),
                Deadline::Observer(observer) => observer::on_deadline(tables, observer, turn),
                Deadline::Dtls(transport) => handshake::on_deadline(tables, transport, turn),
                Deadline::Consent(transport) => webrtc::on_consent_deadline(tables, transport, turn),
                Deadline::Memory => memory::on_deadline(tables, turn),
                Deadline::Log => turn.outbox.tell_suppressed(turn.now),
            }));
            if done.is_err() {
                self.contain(self.transport_of(deadline), turn);
            }
        }
    }

    /// Forwards what was admitted in this turn and sends it.
    pub fn end_turn(&mut self, turn: &mut Turn<'_>) {
        let padding = self.settings.equalize_padding;
        let done = catch_unwind(AssertUnwindSafe(|| {
            forward::fan_out(&mut self.tables, padding, turn);
            memory::end_turn(&mut self.tables, turn);
        }));
        if done.is_err() {
            let transport = self.tables.runs.take_in_hand();
            forward::recover(&mut self.tables, turn);
            self.contain(transport, turn);
        }
        if let Some(at) = turn.outbox.suppressed_due() {
            self.tables.schedule(Deadline::Log, at);
        }
        self.tables.flights = Flights::new(FLIGHTS_A_TURN);
        turn.flush();
    }

    /// Hears that a TCP connection, whose peer had shown itself, is closed.
    pub fn on_connection_closed(&mut self, connection: SocketKey, turn: &mut Turn<'_>) {
        let done = catch_unwind(AssertUnwindSafe(|| {
            arrival::on_connection_closed(&mut self.tables, connection, turn);
        }));
        if done.is_err() {
            self.contain(None, turn);
        }
    }

    /// When [`Self::on_deadline`] will next have something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        self.tables.deadlines.next()
    }

    /// Whether the host asked the worker to close.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether so many defects were met that the process must end with code 70.
    pub fn is_beyond_repair(&self) -> bool {
        self.panics.are_too_many()
    }

    /// Closes everything, as at the end of the process.
    pub fn close(&mut self, turn: &mut Turn<'_>) {
        let routers: Vec<_> = self.tables.routers.iter().map(|(key, _)| key).collect();
        for router in routers {
            crate::media::router::close(&mut self.tables, router, turn);
        }
        let servers: Vec<_> = self.tables.webrtc_servers.iter().map(|(key, _)| key).collect();
        for server in servers {
            webrtc_server::close(&mut self.tables, server, turn);
        }
        self.closing = true;
    }

    /// Defects of ours that were contained so far.
    pub fn panics_contained(&self) -> u64 {
        self.panics.total
    }

    /// Looks at everything that the worker believes, changing nothing. For tests, between two turns: it is slow.
    pub fn audit(&self, pool: &Pool) -> Audit {
        audit::audit(&self.tables, pool)
    }

    /// How many sockets the worker believes to be open.
    pub fn open_sockets(&self) -> usize {
        self.tables.sockets.len()
    }

    /// After a panic: whatever transport was in hand may be in any state, so it goes.
    fn contain(&mut self, transport: Option<TransportKey>, turn: &mut Turn<'_>) {
        self.panics.add(turn.now);
        let in_hand = transport.and_then(|key| Some((key, self.tables.transports.get(key)?.id)));
        turn.error(LogTag::Info, || match in_hand {
            Some((_, id)) => {
                format!("transport {}: a defect of the worker was contained by closing it", id.0)
            }
            None => "a defect of the worker was contained".to_owned(),
        });
        let Some((key, id)) = in_hand else { return };
        let closed = catch_unwind(AssertUnwindSafe(|| transport::close(&mut self.tables, key, turn)));
        if closed.is_err() {
            self.panics.add(turn.now);
            self.tables.transports.remove(key);
            self.tables.forget(id);
        }
        let message =
            Text::clipped("a defect of the worker was contained by closing this transport; please report it");
        turn.outbox.event(Event::TransportInternalError { transport: id, message });
    }

    fn transport_of(&self, deadline: Deadline) -> Option<TransportKey> {
        match deadline {
            Deadline::Rtcp(transport)
            | Deadline::Dtls(transport)
            | Deadline::Consent(transport)
            | Deadline::WideFeedback(transport)
            | Deadline::BitrateLimit(transport) => Some(transport),
            Deadline::Nack(producer)
            | Deadline::KeyFrame(producer)
            | Deadline::Silence(producer)
            | Deadline::History(producer)
            | Deadline::Rings(producer) => {
                self.tables.producers.get(producer).map(|producer| producer.transport)
            }
            Deadline::Observer(_) | Deadline::Memory | Deadline::Log => None,
        }
    }
}

impl Panics {
    fn add(&mut self, now: Time) {
        self.total += 1;
        self.recent.rotate_left(1);
        if let Some(last) = self.recent.last_mut() {
            *last = Some(now);
        }
    }

    fn are_too_many(&self) -> bool {
        let [Some(first), .., Some(last)] = self.recent else { return false };
        last.since(first) <= PANICS_WINDOW
    }
}

const PANICS_MAX: usize = 3;
const PANICS_WINDOW: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
