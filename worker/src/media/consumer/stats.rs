//! A consumer's counters, scores and state, for `GetConsumerStats`, `DumpConsumer` and its events.

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::dump::{ConsumerDump, StreamDump};
use tidegate_protocol::event::ConsumerScore;
use tidegate_protocol::stats::{ConsumerStats, Direction, RtpStreamStats};

use crate::base::time::Time;
use crate::media::consumer::Consumer;
use crate::media::consumer::sent::Course;
use crate::media::producer::stats::{micros, stream_stats};
use crate::media::{ConsumerKey, Tables};

/// Its own stream and its producer's.
pub(crate) fn stats(tables: &Tables, key: ConsumerKey, now: Time) -> Option<ConsumerStats> {
    let consumer = tables.consumers.get(key)?;
    let producer = tables.producers.get(consumer.producer)?;
    let index = producer.encoding_of(consumer.consumable_ssrc)?;
    let stream = producer.stream_named(consumer.consumable_ssrc);
    Some(ConsumerStats {
        own: own_stats(consumer, now),
        producer: stream.map(|stream| stream_stats(producer, index, stream, now)),
    })
}

fn own_stats(consumer: &Consumer, now: Time) -> RtpStreamStats {
    let stream = &consumer.stream;
    let fresh = Course::new(now);
    let course = stream.course_so_far().unwrap_or(&fresh);
    let counters = &course.counters;
    RtpStreamStats {
        direction: Direction::Outbound,
        timestamp_ms: now.as_millis(),
        ssrc: stream.ssrc,
        rtx_ssrc: stream.rtx_ssrc,
        rid: None,
        kind: consumer.kind,
        mime_type: Text::clipped(consumer.codecs.first().map_or("", |codec| codec.format.mime_type())),
        packet_count: course.media.packets(),
        byte_count: course.media.bytes(),
        bitrate: course.media.bits_per_second(now),
        bitrate_by_layer: List::new(),
        packets_lost: course.sending.cumulative_lost(),
        fraction_lost: course.sending.fraction_lost(),
        jitter: course.sending.remote_jitter(),
        packets_discarded: counters.discarded,
        rtx_packets_discarded: None,
        packets_retransmitted: counters.retransmitted,
        packets_repaired: counters.repaired,
        nack_count: counters.nacks,
        nack_packet_count: counters.nacked_packets,
        pli_count: counters.plis,
        fir_count: counters.firs,
        round_trip_time_us: micros(course.sending.round_trip()),
        score: stream.score(),
    }
}

/// The scores that matter to a consumer.
pub(crate) fn score(tables: &Tables, consumer: &Consumer) -> ConsumerScore {
    let producer = tables.producers.get(consumer.producer);
    let of = |ssrc| {
        producer.and_then(|producer| producer.stream_named(ssrc)).map_or(0, |stream| stream.score.value())
    };
    ConsumerScore {
        score: consumer.stream.score(),
        producer_score: of(consumer.consumable_ssrc),
        producer_scores: List::first_of(
            producer.iter().flat_map(|producer| &producer.encodings).map(|encoding| of(encoding.mapped_ssrc)),
        ),
    }
}

/// A consumer's state.
pub(crate) fn dump(tables: &Tables, key: ConsumerKey) -> Option<ConsumerDump> {
    let consumer = tables.consumers.get(key)?;
    let payload_types = consumer.codecs.iter().map(|codec| codec.payload_type);
    Some(ConsumerDump {
        consumer: consumer.id,
        transport: tables.transports.get(consumer.transport)?.id,
        producer: tables.producers.get(consumer.producer)?.id,
        kind: consumer.kind,
        consumer_type: consumer.rtp_type,
        paused: consumer.is_paused(),
        producer_paused: consumer.is_producer_paused(),
        priority: consumer.priority(),
        awaits_key_frame: consumer.stream.follows.is_none(),
        supported_codec_payload_types: List::first_of(payload_types),
        consumable_ssrcs: List::first_of([consumer.consumable_ssrc]),
        stream: stream_dump(consumer),
        history_packets: consumer.stream.history_packets() as u64,
        history_bytes: consumer.stream.history_bytes() as u64,
        trace_event_types: consumer.traced.types(),
    })
}

fn stream_dump(consumer: &Consumer) -> StreamDump {
    let codec = consumer.codecs.first();
    let feedback = codec.map(|codec| codec.feedback).unwrap_or_default();
    let traits = consumer.traits;
    StreamDump {
        encoding_idx: 0,
        ssrc: consumer.stream.ssrc,
        payload_type: codec.map_or(0, |codec| codec.payload_type),
        mime_type: Text::clipped(codec.map_or("", |codec| codec.format.mime_type())),
        clock_rate: codec.map_or(0, |codec| codec.clock_rate),
        rid: None,
        cname: Text::clipped(&consumer.cname),
        rtx_ssrc: consumer.stream.rtx_ssrc,
        rtx_payload_type: codec.and_then(|codec| codec.rtx_payload_type),
        use_nack: feedback.nack,
        use_pli: feedback.pli,
        use_fir: feedback.fir,
        use_in_band_fec: traits.in_band_fec(),
        use_dtx: traits.dtx(),
        spatial_layers: traits.spatial_layers(),
        temporal_layers: traits.temporal_layers(),
        score: consumer.stream.score(),
    }
}
