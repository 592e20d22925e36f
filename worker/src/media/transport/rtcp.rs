//! Periodic RTCP of a transport (RFC 3550 6): what it sent and received, and the round trip of both.
//!
//! Knows its consumers' and producers' streams. Does not know how bytes travel. Armed by the first packet and again
//! by each round that had something to say: an idle transport has no timer.

use std::time::Duration;

use smallvec::SmallVec;
use tidegate_protocol::stats::Direction;

use crate::base::time::Time;
use crate::media::consumer::Consumer;
use crate::media::deadline::Deadline;
use crate::media::producer::upstream;
use crate::media::transport::Transport;
use crate::media::{ProducerKey, Tables, TransportKey};
use crate::rtcp::{
    COMPOUND_BYTES_MAX, CompoundWriter, DlrrReport, REPORT_BLOCKS_MAX, ReportBlock, SenderInfo, WriteError,
};
use crate::stream::report::Echo;
use crate::turn::Turn;

/// When reports are due, and what the peer said about its clock.
#[derive(Debug)]
pub(crate) struct RtcpSchedule {
    armed: bool,
    /// Names us as receiver (RFC 3550 6.4.2): one for all reports of the transport.
    pub(crate) own_ssrc: u32,
    /// The peer's last reference time (RFC 3611 4.4) and who told it, for our answer.
    reference: Echo,
    reference_of: Option<u32>,
    /// When the round trip to the peer was measured last.
    measured_at: Option<Time>,
}

impl RtcpSchedule {
    pub(crate) fn new(own_ssrc: u32) -> Self {
        Self { armed: false, own_ssrc, reference: Echo::new(), reference_of: None, measured_at: None }
    }

    /// The peer told the time by its clock, to measure the round trip.
    pub(crate) fn on_reference_time(&mut self, ssrc: u32, ntp: u64, now: Time) {
        self.reference.on_reference(ntp, now);
        self.reference_of = Some(ssrc);
    }

    /// The peer answered our reference time. Whether that counts: one answer a turn does, for it goes to every stream.
    pub(crate) fn on_answer(&mut self, now: Time) -> bool {
        self.measured_at.replace(now) != Some(now)
    }

    /// Whether it believes that its timer is set.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed
    }

    fn answer(&self, now: Time) -> Option<DlrrReport> {
        let (last_rr, delay_since_last_rr) = self.reference.echo(now);
        Some(DlrrReport { ssrc: self.reference_of?, last_rr, delay_since_last_rr })
    }
}

/// Sets the timer, if none is set and the transport has a peer. Scores need it also where reports have no way.
pub(crate) fn arm(tables: &mut Tables, key: TransportKey, now: Time) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    let (rtp, rtcp) = (transport.link.rtp_destination(), transport.link.rtcp_destination());
    if !transport.rtcp.armed && rtp.or(rtcp).is_some() {
        transport.rtcp.armed = true;
        tables.schedule(Deadline::Rtcp(key), now + FIRST_AFTER);
    }
}

/// Reports, and sets the timer again if there was anything to report.
pub(crate) fn on_deadline(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    transport.rtcp.armed = false;
    // By index, here and below: copying the lists would allocate each second.
    let mut active = false;
    for index in 0..transport.producers.len() {
        if let Some(producer) = producer_at(tables, key, index) {
            active |= upstream::update_scores(tables, producer, turn);
        }
    }
    if !report(tables, key, turn) && !active {
        return;
    }
    let spread = turn.random.in_range(0, 500);
    let after = INTERVAL + Duration::from_millis(spread.into());
    if let Some(transport) = tables.transports.get_mut(key) {
        transport.rtcp.armed = true;
        tables.schedule(Deadline::Rtcp(key), turn.now + after);
    }
}

fn producer_at(tables: &Tables, key: TransportKey, index: usize) -> Option<ProducerKey> {
    tables.transports.get(key)?.producers.get(index).copied()
}

/// Writes one compound and queues it for the peer; nothing happens while the peer's address is unknown.
pub(crate) fn write_compound(
    transport: &mut Transport,
    turn: &mut Turn<'_>,
    write: impl FnOnce(&mut CompoundWriter<'_>) -> Result<(), WriteError>,
) {
    let mut bytes = [0; COMPOUND_BYTES_MAX];
    let mut compound = CompoundWriter::new(&mut bytes);
    if write(&mut compound).is_ok() {
        send(transport, turn, &mut compound);
    }
}

/// Sends what was written and begins anew.
fn send(transport: &mut Transport, turn: &mut Turn<'_>, compound: &mut CompoundWriter<'_>) {
    let Some(destination) = transport.link.rtcp_destination().filter(|_| !compound.is_empty()) else {
        return;
    };
    if let Some(bytes) = transport.sender.seal_compound(compound.bytes(), destination, turn) {
        transport.counters.sent.add(turn.now, 1, bytes as u64);
    }
    compound.clear();
}

/// Writes with `write`; when there is no room left, sends what there is and writes it into the next compound.
fn append(
    transport: &mut Transport,
    turn: &mut Turn<'_>,
    compound: &mut CompoundWriter<'_>,
    write: impl Fn(&mut CompoundWriter<'_>) -> Result<(), WriteError>,
) {
    if write(compound).is_err() && !compound.is_empty() {
        send(transport, turn, compound);
        // Alone in a compound each of them fits.
        let _ = write(compound);
    }
}

/// Everything the transport has to report; whether there was anything.
fn report(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) -> bool {
    let mut bytes = [0; COMPOUND_BYTES_MAX];
    let mut compound = CompoundWriter::new(&mut bytes);
    let sent = report_sent(tables, key, turn, &mut compound);
    let received = report_received(tables, key, turn, &mut compound);
    let Some(transport) = tables.transports.get_mut(key) else { return false };
    let own_ssrc = transport.rtcp.own_ssrc;
    if let Some(answer) = transport.rtcp.answer(turn.now).filter(|_| sent || received) {
        append(transport, turn, &mut compound, |compound| compound.dlrr(own_ssrc, &[answer]));
    }
    send(transport, turn, &mut compound);
    sent || received
}

/// Sender reports and names of the streams that its consumers send.
fn report_sent(
    tables: &mut Tables,
    key: TransportKey,
    turn: &mut Turn<'_>,
    compound: &mut CompoundWriter<'_>,
) -> bool {
    let Tables { transports, consumers, producers, .. } = tables;
    let Some(transport) = transports.get_mut(key) else { return false };
    let mut any = false;
    for index in 0..transport.consumers.len() {
        let consumer = transport.consumers.get(index).and_then(|key| consumers.get(*key));
        let Some(consumer) = consumer else { continue };
        let producer = producers.get(consumer.producer);
        let source = producer.and_then(|producer| producer.stream_named(consumer.consumable_ssrc));
        let Some(info) = consumer.stream.sender_info(source, turn) else { continue };
        any = true;
        append(transport, turn, compound, |compound| write_sender(compound, consumer, &info));
        consumer.tracer().sender_report(Direction::Outbound, consumer.stream.ssrc, &info, turn);
    }
    any
}

/// Receiver reports of the streams that its producers receive, and our reference time for the round trip.
fn report_received(
    tables: &mut Tables,
    key: TransportKey,
    turn: &mut Turn<'_>,
    compound: &mut CompoundWriter<'_>,
) -> bool {
    let Tables { transports, producers, .. } = tables;
    let Some(transport) = transports.get_mut(key) else { return false };
    let mut blocks: SmallVec<[ReportBlock; REPORT_BLOCKS_MAX]> = SmallVec::new();
    for producer in &transport.producers {
        let Some(producer) = producers.get_mut(*producer) else { continue };
        blocks.extend(producer.streams_mut().filter_map(|stream| stream.report_block(turn.now)));
    }
    if blocks.is_empty() {
        return false;
    }
    let own_ssrc = transport.rtcp.own_ssrc;
    for blocks in blocks.chunks(REPORT_BLOCKS_MAX) {
        append(transport, turn, compound, |compound| compound.receiver_report(own_ssrc, blocks));
    }
    let ntp = turn.wall.0;
    append(transport, turn, compound, |compound| compound.receiver_reference_time(own_ssrc, ntp));
    true
}

fn write_sender(
    compound: &mut CompoundWriter<'_>,
    consumer: &Consumer,
    info: &SenderInfo,
) -> Result<(), WriteError> {
    // Both or none: a description in a later compound would be of no use.
    if compound.len() + SENDER_BYTES_MAX + consumer.cname.len() > COMPOUND_BYTES_MAX {
        return Err(WriteError::NoRoom);
    }
    compound.sender_report(consumer.stream.ssrc, info, &[])?;
    compound.cname(consumer.stream.ssrc, consumer.cname.as_bytes())
}

/// The first report comes this long after the first packet.
const FIRST_AFTER: Duration = Duration::from_millis(500);
/// Then one each such interval and up to half of it more, at random, so that transports do not march in step.
const INTERVAL: Duration = Duration::from_millis(1_000);
/// A sender report of 28 bytes, and a description of 10 more than its text, rounded up to words.
const SENDER_BYTES_MAX: usize = 28 + 14;
