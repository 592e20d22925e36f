//! What a producer asks its peer for: lost packets (NACK), key frames (PLI or FIR); and how its streams score.

use smallvec::SmallVec;
use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::event::{Event, StreamScore};
use tidegate_protocol::stats::Direction;

use crate::base::sequence::Serial16;
use crate::media::producer::Producer;
use crate::media::producer::stream::went_off;
use crate::media::transport::rtcp::write_compound;
use crate::media::{ProducerKey, Tables, consumer};
use crate::outbox::LogTag;
use crate::rtcp::FirEntry;
use crate::turn::Turn;

/// Asks for a key frame of the stream with index `index`: by PLI where that was agreed, else by FIR.
pub(crate) fn send_key_frame_request(
    tables: &mut Tables,
    key: ProducerKey,
    index: usize,
    turn: &mut Turn<'_>,
) {
    let Tables { transports, producers, .. } = tables;
    let Some(producer) = producers.get_mut(key) else { return };
    let Some(transport) = transports.get_mut(producer.transport) else { return };
    let (id, tracer) = (producer.id, producer.tracer());
    let Some(stream) = producer.stream_mut(index) else { return };
    let (own, ssrc, feedback) = (transport.rtcp.own_ssrc, stream.ssrc, stream.codec.feedback);
    turn.debug(LogTag::Rtcp, || format!("producer {}: asks for a key frame of SSRC {ssrc}", id.0));
    if feedback.pli {
        stream.counters.plis += 1;
        write_compound(transport, turn, |compound| compound.pli(own, ssrc));
        tracer.pli(Direction::Outbound, ssrc, turn);
    } else if feedback.fir {
        stream.counters.firs += 1;
        let sequence = stream.fir_sequence;
        stream.fir_sequence = sequence.next();
        write_compound(transport, turn, |compound| compound.fir(own, &[FirEntry { ssrc, sequence }]));
        tracer.fir(Direction::Outbound, ssrc, turn);
    }
}

/// Asks for the lost packets of the stream with index `index` that are due.
pub(crate) fn send_nacks(tables: &mut Tables, key: ProducerKey, index: usize, turn: &mut Turn<'_>) {
    let Tables { transports, producers, .. } = tables;
    let Some(producer) = producers.get_mut(key) else { return };
    let Some(transport) = transports.get_mut(producer.transport) else { return };
    let (id, tracer) = (producer.id, producer.tracer());
    let Some(stream) = producer.stream_mut(index) else { return };
    went_off(&mut stream.nacks_armed, turn.now);
    let rtt = stream.round_trip;
    let due: SmallVec<[Serial16; 64]> = stream.losses.due(turn.now, rtt).map(|seq| seq.wire()).collect();
    if due.is_empty() {
        return;
    }
    stream.counters.nacks += 1;
    stream.counters.nacked_packets += due.len() as u64;
    let (own, ssrc) = (transport.rtcp.own_ssrc, stream.ssrc);
    turn.debug(LogTag::Rtx, || {
        format!("producer {}: asks again for {} packets of SSRC {ssrc}", id.0, due.len())
    });
    write_compound(transport, turn, |compound| compound.nack(own, ssrc, &due).map(|_| ()));
    tracer.nack(Direction::Outbound, ssrc, due.iter().copied(), turn);
}

/// Once an interval: new scores of a producer's streams; changes are told. Whether one of them may yet fall silent.
pub(crate) fn update_scores(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) -> bool {
    let Some(producer) = tables.producers.get_mut(key) else { return false };
    let (mut changed, mut active) = (false, false);
    for stream in producer.streams_mut() {
        changed |= stream.update_score(turn.now);
        active |= !stream.is_silent(turn.now);
        stream.losses.trim();
    }
    if changed {
        tell_scores(tables, key, turn);
    }
    active
}

/// Tells the scores of a producer's streams, and its consumers theirs.
pub(crate) fn tell_scores(tables: &Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Some(producer) = tables.producers.get(key) else { return };
    let scores = scores(producer);
    turn.debug(LogTag::Score, || {
        let each: Vec<_> = scores.iter().map(|one| format!("{} of SSRC {}", one.score, one.ssrc)).collect();
        format!("producer {}: scores are {}", producer.id.0, each.join(", "))
    });
    turn.outbox.event(Event::ProducerScore { producer: producer.id, scores });
    for consumer in &producer.consumers {
        consumer::tell_score(tables, *consumer, turn);
    }
}

/// Scores of the streams that were seen.
pub(crate) fn scores(producer: &Producer) -> List<StreamScore, 16> {
    List::first_of(producer.streams().map(|(index, stream)| StreamScore {
        encoding_idx: u32::try_from(index).unwrap_or(u32::MAX),
        ssrc: stream.ssrc,
        rid: producer.encodings.get(index).and_then(|encoding| encoding.rid.as_deref()).map(Text::clipped),
        score: stream.score.value(),
    }))
}
