//! Dumps and statistics for the samples.

use tidegate_protocol::bounded::List;
use tidegate_protocol::dump::{
    ConsumerDump, NamedProducer, ObserverDump, PlainDump, ProducerConsumers, ProducerDump, ProducerObservers,
    RecvRtpHeaderExtensions, RouterDump, SsrcConsumer, SsrcProducer, StreamDump, TransportDump, WorkerDump,
};
use tidegate_protocol::ids::{ConsumerId, ObserverId, ProducerId, RouterId, TransportId};
use tidegate_protocol::observer::ObserverKind;
use tidegate_protocol::rtp::{MediaKind, RtpType};
use tidegate_protocol::srtp::SrtpCryptoSuite;
use tidegate_protocol::stats::{
    ConsumerStats, Direction, DroppedPackets, LayerBitrate, PlainStats, ResourceUsage, RtpStreamStats,
    Traffic, TransportStats,
};
use tidegate_protocol::trace::TraceType;

use super::{text, tuple, webrtc};

pub(super) fn worker_dump() -> WorkerDump {
    WorkerDump {
        pid: 77,
        router_ids: List::first_of([RouterId(1), RouterId(2)]),
        transports: 3,
        producers: 4,
        consumers: 5,
        sockets: 6,
        packets_in_use: 7,
        packet_memory_bytes: 8 << 20,
        packet_memory_limit: 128 << 20,
        panics_contained: 9,
    }
}

pub(super) fn resource_usage() -> ResourceUsage {
    ResourceUsage {
        ru_utime: 1,
        ru_stime: 2,
        ru_maxrss: 3,
        ru_ixrss: 4,
        ru_idrss: 5,
        ru_isrss: 6,
        ru_minflt: 7,
        ru_majflt: 8,
        ru_nswap: 9,
        ru_inblock: 10,
        ru_oublock: 11,
        ru_msgsnd: 12,
        ru_msgrcv: 13,
        ru_nsignals: 14,
        ru_nvcsw: 15,
        ru_nivcsw: 1 << 52,
    }
}

pub(super) fn router_dump() -> RouterDump {
    let consumers = List::first_of([ConsumerId(5), ConsumerId(6)]);
    RouterDump {
        router: RouterId(1),
        transport_ids: List::first_of([TransportId(2), TransportId(3)]),
        producer_consumers: List::first_of([ProducerConsumers { producer: ProducerId(4), consumers }]),
        observer_ids: List::first_of([ObserverId(7)]),
        producer_observers: List::first_of([ProducerObservers {
            producer: ProducerId(4),
            observers: List::first_of([ObserverId(7)]),
        }]),
    }
}

pub(super) fn observer_dump() -> ObserverDump {
    ObserverDump {
        observer: ObserverId(7),
        router: RouterId(1),
        kind: ObserverKind::ActiveSpeaker,
        paused: true,
        producer_ids: List::first_of([ProducerId(4)]),
    }
}

pub(super) fn transport_dump() -> TransportDump {
    TransportDump {
        transport: TransportId(2),
        router: RouterId(1),
        producer_ids: List::first_of([ProducerId(4)]),
        consumer_ids: List::first_of([ConsumerId(5)]),
        ssrc_table: List::first_of([SsrcProducer { ssrc: 0x8000_0001, producer: ProducerId(4) }]),
        mid_table: List::first_of([NamedProducer { name: text("0"), producer: ProducerId(4) }]),
        rid_table: List::first_of([NamedProducer { name: text("r0"), producer: ProducerId(4) }]),
        ssrc_consumers: List::first_of([SsrcConsumer { ssrc: 123_456_789, consumer: ConsumerId(5) }]),
        rtx_ssrc_consumers: List::first_of([SsrcConsumer { ssrc: 123_456_790, consumer: ConsumerId(5) }]),
        recv_rtp_header_extensions: RecvRtpHeaderExtensions {
            mid: Some(1),
            rid: Some(2),
            rrid: None,
            abs_send_time: Some(4),
            transport_wide_cc: None,
        },
        plain: Some(PlainDump {
            rtcp_mux: true,
            comedia: false,
            tuple: tuple(),
            rtcp_tuple: None,
            srtp: Some(SrtpCryptoSuite::AeadAes128Gcm),
        }),
        webrtc: Some(webrtc::dump()),
    }
}

pub(super) fn transport_stats() -> TransportStats {
    let traffic = |n| Traffic { packets: n, bytes: n * 1000, bitrate: n * 8000 };
    TransportStats {
        transport: TransportId(2),
        timestamp_ms: 1 << 42,
        received: traffic(1),
        sent: traffic(2),
        rtp_received: traffic(3),
        rtp_sent: traffic(4),
        rtx_received: traffic(5),
        fec_received: traffic(7),
        probation_sent: Some(traffic(8)),
        available_outgoing_bitrate: Some(1 << 33),
        available_incoming_bitrate: None,
        rtx_sent: traffic(6),
        dropped: DroppedPackets {
            not_rtp: 1,
            bad_header: 2,
            unknown_ssrc: 3,
            wrong_source: 4,
            too_large: 5,
            no_memory: 6,
            send_failed: 7,
            over_limit: 8,
            unauthenticated: 9,
            replayed: 10,
        },
        max_incoming_bitrate: 1_500_000,
        rtp_packet_loss_received_ppm: Some(12_345),
        rtp_packet_loss_sent_ppm: None,
        plain: Some(PlainStats { rtcp_mux: false, comedia: true, tuple: tuple(), rtcp_tuple: Some(tuple()) }),
        webrtc: Some(webrtc::stats()),
    }
}

pub(super) fn stream_stats(n: u32) -> RtpStreamStats {
    RtpStreamStats {
        direction: if n == 1 { Direction::Inbound } else { Direction::Outbound },
        timestamp_ms: 100_000,
        ssrc: n,
        rtx_ssrc: Some(n + 1),
        rid: Some(text("r0")),
        kind: MediaKind::Video,
        mime_type: text("video/VP8"),
        packet_count: 1_000_000,
        byte_count: 1_200_000_000,
        bitrate: 2_500_000,
        bitrate_by_layer: List::first_of([
            LayerBitrate { spatial: 0, temporal: 0, bitrate: 500_000 },
            LayerBitrate { spatial: 2, temporal: 1, bitrate: 2_000_000 },
        ]),
        packets_lost: -3,
        fraction_lost: 255,
        jitter: 90,
        packets_discarded: 1,
        rtx_packets_discarded: (n == 1).then_some(8),
        packets_retransmitted: 2,
        packets_repaired: 3,
        nack_count: 4,
        nack_packet_count: 5,
        pli_count: 6,
        fir_count: 7,
        round_trip_time_us: 25_250,
        score: 10,
    }
}

pub(super) fn consumer_stats() -> ConsumerStats {
    ConsumerStats { own: stream_stats(2), producer: Some(stream_stats(1)) }
}

pub(super) fn producer_dump() -> ProducerDump {
    ProducerDump {
        producer: ProducerId(4),
        transport: TransportId(2),
        kind: MediaKind::Video,
        producer_type: RtpType::Svc,
        paused: true,
        streams: List::first_of([stream_dump()]),
        consumers: List::first_of([ConsumerId(5), ConsumerId(6)]),
        trace_event_types: List::first_of([TraceType::Sr]),
    }
}

pub(super) fn consumer_dump() -> ConsumerDump {
    ConsumerDump {
        consumer: ConsumerId(5),
        transport: TransportId(3),
        producer: ProducerId(4),
        kind: MediaKind::Audio,
        consumer_type: RtpType::Simple,
        paused: false,
        producer_paused: true,
        priority: 200,
        awaits_key_frame: true,
        supported_codec_payload_types: List::first_of([96, 97]),
        consumable_ssrcs: List::first_of([100_000_000]),
        stream: stream_dump(),
        history_packets: 512,
        history_bytes: 6144,
        trace_event_types: List::first_of([TraceType::Nack, TraceType::Fir]),
    }
}

fn stream_dump() -> StreamDump {
    StreamDump {
        encoding_idx: 1,
        ssrc: 123_456_789,
        payload_type: 96,
        mime_type: text("video/VP8"),
        clock_rate: 90_000,
        rid: None,
        cname: text("somebody@example.org"),
        rtx_ssrc: Some(123_456_790),
        rtx_payload_type: Some(97),
        use_nack: true,
        use_pli: false,
        use_fir: true,
        use_in_band_fec: false,
        use_dtx: true,
        spatial_layers: 3,
        temporal_layers: 2,
        score: 8,
    }
}
