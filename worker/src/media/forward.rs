//! The second and third phase of a turn: from producers' runs to consumers, and out of transports.
//!
//! Consumer-major: all packets of a run for one consumer, then the next consumer. Only then is anything sealed, one
//! transport after the other, so that the order in which bytes leave is the order of their numbers and packets of one
//! size to one peer stand next to each other (GSO).

use crate::media::consumer::{self, plan, seal};
use crate::media::transport::rtcp;
use crate::media::{ConsumerKey, ProducerKey, Tables, TransportKey, producer};
use crate::turn::Turn;

/// What a turn has to forward. Its lists keep their room from turn to turn.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Streams that took packets in this turn.
    streams: Vec<Run>,
    /// Transports with something to seal.
    transports: Vec<TransportKey>,
    /// Consumers that found no key frame to start with.
    in_need: Vec<ConsumerKey>,
    in_hand: Option<TransportKey>,
}

/// The packets that one stream took in this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) producer: ProducerKey,
    pub(crate) encoding: u8,
}

impl Runs {
    /// A stream took its first packet of this turn.
    pub(crate) fn begin(&mut self, run: Run) {
        self.streams.push(run);
    }

    /// A transport is being worked on from now on; `None`: nobody knows which.
    pub(crate) fn set_in_hand(&mut self, transport: Option<TransportKey>) {
        self.in_hand = transport;
    }

    /// The transport that was being worked on, for whoever must clean up after a defect; none is any more.
    pub(crate) fn take_in_hand(&mut self) -> Option<TransportKey> {
        self.in_hand.take()
    }

    /// Whether nothing is left to forward.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.is_empty()
            && self.transports.is_empty()
            && self.in_need.is_empty()
            && self.in_hand.is_none()
    }

    pub(crate) fn clear(&mut self) {
        self.streams.clear();
        self.transports.clear();
        self.in_need.clear();
        self.in_hand = None;
    }
}

/// Forwards every run and seals what may leave.
pub(crate) fn fan_out(tables: &mut Tables, equalize_padding: bool, turn: &mut Turn<'_>) {
    if tables.runs.streams.is_empty() && tables.runs.transports.is_empty() {
        return;
    }
    let mut runs = std::mem::take(&mut tables.runs);
    for run in &runs.streams {
        plan_run(tables, *run, &mut runs.transports, &mut runs.in_need, equalize_padding, turn);
    }
    for transport in runs.transports.drain(..) {
        tables.runs.in_hand = Some(transport);
        send(tables, transport, turn);
    }
    for run in runs.streams.drain(..) {
        end_run(tables, run, turn);
    }
    for consumer in runs.in_need.drain(..) {
        consumer::request_key_frame(tables, consumer, turn);
    }
    runs.in_hand = None;
    tables.runs = runs;
}

/// After a defect in the middle of [`fan_out`]: no stream may wait for the end of a run that never comes, and what other
/// transports had waiting leaves with the next turn.
pub(crate) fn recover(tables: &mut Tables, turn: &mut Turn<'_>) {
    tables.runs.clear();
    for (_, producer) in tables.producers.iter_mut() {
        producer.streams_mut().for_each(|stream| stream.abandon_run(turn));
    }
    let waiting = tables.transports.iter().filter(|(_, transport)| transport.sender.has_pending());
    let waiting: Vec<_> = waiting.map(|(key, _)| key).collect();
    tables.runs.transports.extend(waiting);
}

fn plan_run(
    tables: &mut Tables,
    run: Run,
    transports: &mut Vec<TransportKey>,
    in_need: &mut Vec<ConsumerKey>,
    equalize_padding: bool,
    turn: &mut Turn<'_>,
) {
    let Some(producer) = tables.producers.get_mut(run.producer) else { return };
    let Some(name) = producer.mapped_ssrc(run.encoding) else { return };
    let Some((stream, consumers)) = producer.run(run.encoding) else { return };
    for key in consumers {
        let consumer = tables.consumers.get_mut(*key);
        let Some(consumer) =
            consumer.filter(|consumer| consumer.consumable_ssrc == name && consumer.is_open())
        else {
            continue;
        };
        tables.runs.in_hand = Some(consumer.transport);
        let planned = plan::plan_run(consumer, stream, equalize_padding, turn);
        if planned.needs_key_frame {
            in_need.push(*key);
            stream.wanted();
        }
        if planned.packets == 0 {
            continue;
        }
        if consumer.repairs() {
            stream.wanted();
        }
        if let Some(transport) = tables.transports.get_mut(consumer.transport)
            && transport.sender.enqueue(*key)
        {
            transports.push(consumer.transport);
        }
    }
}

/// Keeps of a run what some consumer may ask for again.
fn end_run(tables: &mut Tables, run: Run, turn: &mut Turn<'_>) {
    let Tables { producers, metrics, .. } = tables;
    let Some((stream, _)) = producers.get_mut(run.producer).and_then(|producer| producer.run(run.encoding))
    else {
        return;
    };
    for (_, stored) in stream.run() {
        metrics.count_delay(stored.received_at, turn.now);
    }
    stream.end_run(turn);
    producer::arm_history(tables, run.producer, turn.now);
    producer::arm_rings(tables, run.producer, turn.now);
}

/// Seals what a transport's consumers have to send: everything, for there is no pacer yet.
fn send(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    let destination = transport.link.rtp_destination();
    let mut sealed = seal::Sealed::default();
    transport.sender.for_each_pending(|consumer, sender| {
        let Some(destination) = destination else { return };
        let Some(consumer) = tables.consumers.get_mut(consumer) else { return };
        let producer = tables.producers.get(consumer.producer);
        let stream = producer.and_then(|producer| producer.stream_named(consumer.consumable_ssrc));
        if let Some(stream) = stream {
            sealed += seal::seal_unsent(consumer, stream, sender, &destination, turn);
        }
    });
    let wire_bytes = sealed.wire_bytes(transport.sender.tag_bytes());
    transport.counters.sent.add(turn.now, sealed.packets, wire_bytes);
    transport.counters.rtp_sent.add(turn.now, sealed.packets, sealed.bytes);
    tables.metrics.packets_forwarded += sealed.packets;
    tables.metrics.bytes_forwarded += sealed.bytes;
    // A consumer may wait for its producer longer than a round of reports without content goes on.
    rtcp::arm(tables, key, turn.now);
}
