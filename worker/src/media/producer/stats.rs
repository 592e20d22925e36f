//! A producer's counters and state, for `GetProducerStats` and `DumpProducer`.

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::dump::{ProducerDump, StreamDump};
use tidegate_protocol::stats::{Direction, LayerBitrate, RtpStreamStats, StreamStats};

use crate::base::time::Time;
use crate::media::producer::Producer;
use crate::media::producer::stream::ReceivedStream;
use crate::media::{ProducerKey, Tables};

/// One entry a stream that was seen.
pub(crate) fn stats(tables: &Tables, key: ProducerKey, now: Time) -> Option<StreamStats> {
    let producer = tables.producers.get(key)?;
    Some(List::first_of(producer.streams().map(|(index, stream)| stream_stats(producer, index, stream, now))))
}

/// The counters of the stream with index `index`.
pub(crate) fn stream_stats(
    producer: &Producer,
    index: usize,
    stream: &ReceivedStream,
    now: Time,
) -> RtpStreamStats {
    let counters = &stream.counters;
    RtpStreamStats {
        direction: Direction::Inbound,
        timestamp_ms: now.as_millis(),
        ssrc: stream.ssrc,
        rtx_ssrc: stream.rtx_ssrc,
        rid: rid(producer, index),
        kind: stream.kind,
        mime_type: Text::clipped(stream.codec.format.mime_type()),
        packet_count: stream.media.packets(),
        byte_count: stream.media.bytes(),
        bitrate: stream.media.bits_per_second(now),
        bitrate_by_layer: List::first_of(stream.encoder.layer_rates(now).map(|(layer, bitrate)| {
            LayerBitrate { spatial: layer.spatial, temporal: layer.temporal, bitrate }
        })),
        packets_lost: i32::try_from(stream.reception.lost()).unwrap_or(i32::MAX),
        fraction_lost: stream.fraction_lost,
        jitter: stream.jitter.timestamp_units(),
        packets_discarded: counters.discarded,
        rtx_packets_discarded: stream.rtx_ssrc.map(|_| counters.rtx_discarded),
        packets_retransmitted: stream.losses.packets_retransmitted(),
        packets_repaired: stream.losses.packets_repaired(),
        nack_count: counters.nacks,
        nack_packet_count: counters.nacked_packets,
        pli_count: counters.plis,
        fir_count: counters.firs,
        round_trip_time_us: micros(stream.round_trip),
        score: stream.score.value(),
    }
}

/// A producer's state.
pub(crate) fn dump(tables: &Tables, key: ProducerKey) -> Option<ProducerDump> {
    let producer = tables.producers.get(key)?;
    let transport = tables.transports.get(producer.transport)?;
    Some(ProducerDump {
        producer: producer.id,
        transport: transport.id,
        kind: producer.kind,
        producer_type: producer.rtp_type(),
        paused: producer.is_paused(),
        streams: List::first_of(
            producer.streams().filter_map(|(index, stream)| stream_dump(producer, index, stream)),
        ),
        consumers: List::first_of(tables.consumer_ids(&producer.consumers)),
        trace_event_types: producer.traced.types(),
    })
}

fn stream_dump(producer: &Producer, index: usize, stream: &ReceivedStream) -> Option<StreamDump> {
    let (codec, traits) = (&stream.codec, producer.encodings.get(index)?.traits);
    Some(StreamDump {
        encoding_idx: u32::try_from(index).unwrap_or(u32::MAX),
        ssrc: stream.ssrc,
        payload_type: codec.payload_type,
        mime_type: Text::clipped(codec.format.mime_type()),
        clock_rate: codec.clock_rate,
        rid: rid(producer, index),
        cname: Text::clipped(&producer.cname),
        rtx_ssrc: stream.rtx_ssrc,
        rtx_payload_type: codec.rtx_payload_type,
        use_nack: codec.feedback.nack,
        use_pli: codec.feedback.pli,
        use_fir: codec.feedback.fir,
        use_in_band_fec: traits.in_band_fec(),
        use_dtx: traits.dtx(),
        spatial_layers: traits.spatial_layers(),
        temporal_layers: traits.temporal_layers(),
        score: stream.score.value(),
    })
}

fn rid(producer: &Producer, index: usize) -> Option<Text<32>> {
    producer.encodings.get(index)?.rid.as_deref().map(Text::clipped)
}

/// For statistics: 0 stands for not measured.
pub(crate) fn micros(span: Option<std::time::Duration>) -> u64 {
    span.map_or(0, |span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}
