//! The wall clock of who sends: sender reports of one stream tell the time to all streams of the same sender.
//!
//! Knows whose a stream is: CNAMEs name senders (RFC 3550 6.5.1), for one transport. Does not know what the clock is used
//! for. Called for received sender reports.

use crate::base::time::Time;
use crate::media::demux::Place;
use crate::media::producer::Producer;
use crate::media::producer::stream::ReceivedStream;
use crate::media::{ProducerKey, Tables, TransportKey};
use crate::rtcp::SenderInfo;

/// A sender report of the stream at `place` came.
pub(crate) fn on_sender_report(
    tables: &mut Tables,
    transport: TransportKey,
    place: Place,
    report: &SenderInfo,
    received_at: Time,
) {
    let mut known = None;
    others(tables, transport, place, |stream| {
        known.get_or_insert_with(|| stream.capture.clone()).learn_from(&stream.capture);
        stream.capture.on_clock(report.ntp, received_at);
    });
    let producer = tables.producers.get_mut(place.producer);
    let Some(stream) = producer.and_then(|producer| producer.stream_mut(place.encoding.into())) else {
        return;
    };
    stream.reception.on_sender_report(report.ntp, received_at);
    if let Some(known) = known {
        stream.capture.learn_from(&known);
    }
    stream.capture.on_sender_report(report, received_at);
}

/// Every other stream of the same sender.
fn others(
    tables: &mut Tables,
    transport: TransportKey,
    place: Place,
    mut visit: impl FnMut(&mut ReceivedStream),
) {
    let Tables { transports, producers, .. } = tables;
    let Some(transport) = transports.get(transport) else { return };
    for key in &transport.producers {
        let is_own = *key == place.producer;
        let of = |key: ProducerKey| producers.get(key).map(|producer: &Producer| &*producer.cname);
        if !is_own && (of(*key) != of(place.producer) || of(*key).is_none_or(str::is_empty)) {
            continue;
        }
        let Some(producer) = producers.get_mut(*key) else { continue };
        for index in 0..producer.encodings.len() {
            if let Some(stream) = producer.stream_mut(index)
                && !(is_own && index == usize::from(place.encoding))
            {
                visit(stream);
            }
        }
    }
}
