//! One message of every kind, with values that a mistake in a field's order, width or sign would change.
//!
//! Shared by the test that holds `vectors/golden.txt` and the example that writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tidegate_protocol::PROTOCOL_VERSION;
use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::event::{ConsumerScore, Event, StreamScore, VideoOrientation};
use tidegate_protocol::ids::{ConsumerId, ObserverId, ProducerId, RequestId, RouterId, TransportId};
use tidegate_protocol::message::{FromWorker, Hello, HelloReply, LogLevel, LogTag, ToWorker};
use tidegate_protocol::metrics::{Histogram, Metric, Metrics};
use tidegate_protocol::observer::{AudioLevel, AudioLevelObserverOptions};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::rtp::{
    CodecMapping, CodecParameter, EncodingMapping, MediaKind, ParameterValue, RtcpFeedback, RtcpParameters,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpMapping, RtpParameters,
    RtpType,
};
use tidegate_protocol::srtp::{SrtpCryptoSuite, SrtpParameters};
use tidegate_protocol::stats::Direction;
use tidegate_protocol::trace::{PacketTrace, Trace, TraceInfo, TraceType};
use tidegate_protocol::transport::{
    ListenInfo, ListenPort, PlainConnectOptions, PlainTransportOptions, Protocol, TransportTuple,
};

#[path = "state.rs"]
mod state;
#[path = "webrtc.rs"]
mod webrtc;

/// A message and its name in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sample {
    ToWorker(String, ToWorker),
    FromWorker(String, FromWorker),
}

/// All messages, in the file's order.
pub(crate) fn all() -> Vec<Sample> {
    let commands = commands().into_iter().zip(1..).map(|(command, number)| {
        let name = format!("command/{}", variant(&command));
        Sample::ToWorker(name, ToWorker::Request { id: RequestId((9 << 40) + number), command })
    });
    let replies = replies().into_iter().zip(1..).map(|(reply, number)| {
        let name = format!("reply/{}", variant(&reply));
        Sample::FromWorker(name, FromWorker::Response { id: RequestId(number), result: Ok(reply) })
    });
    let errors = ErrorKind::ALL.into_iter().map(|kind| {
        let error = CommandError::new(kind, format!("a sentence about {kind:?}: größer als möglich"));
        Sample::FromWorker(
            format!("error/{kind:?}"),
            FromWorker::Response { id: RequestId::NONE, result: Err(error) },
        )
    });
    let events = events()
        .into_iter()
        .map(|event| Sample::FromWorker(format!("event/{}", variant(&event)), FromWorker::Event(event)));
    greetings().into_iter().chain(commands).chain(replies).chain(errors).chain(events).collect()
}

/// The file's content.
pub(crate) fn file() -> String {
    let lines = all().into_iter().map(|sample| {
        let (name, frame) = match &sample {
            Sample::ToWorker(name, message) => (name, super::frame(message)),
            Sample::FromWorker(name, message) => (name, super::frame(message)),
        };
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{name} {hex}\n")
    });
    HEADER.to_owned() + &lines.collect::<String>()
}

const HEADER: &str = "\
# Every message of the wire as a whole frame, length first: a name, a space, hexadecimal bytes.
# `hello_reply` and `command/...` go to the worker, all others come from it.
# Written by `cargo run -p tidegate-protocol --example golden`; held by `cargo test -p tidegate-protocol`.
";

// Up to 2^53 - 1: hosts count ids from 1, and JavaScript's numbers are exact up to there.
const ROUTER: RouterId = RouterId(1);
const TRANSPORT: TransportId = TransportId(0x0002_0304_0506_0708);
const PRODUCER: ProducerId = ProducerId((1 << 53) - 1);
const CONSUMER: ConsumerId = ConsumerId(1 << 32);
const OBSERVER: ObserverId = ObserverId(0xAB);

/// Name of an enum's variant, as `Debug` begins with it.
fn variant(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}

fn greetings() -> Vec<Sample> {
    let hello = Hello {
        protocol_version: PROTOCOL_VERSION,
        worker_version: text("0.1.0"),
        pid: 4_194_303,
        features: List::first_of([text("gso"), text("pktinfo")]),
    };
    let reply = HelloReply { protocol_version: PROTOCOL_VERSION, host: text("tidegate-rust 0.1.0") };
    let log = FromWorker::Log {
        level: LogLevel::Warn,
        tag: LogTag::Rtcp,
        text: text("the kernel gave 212992 bytes"),
    };
    vec![
        Sample::FromWorker("hello".to_owned(), FromWorker::Hello(hello)),
        Sample::ToWorker("hello_reply".to_owned(), ToWorker::HelloReply(reply)),
        Sample::FromWorker("log".to_owned(), log),
    ]
}

/// One of each, several of those that carry much.
pub(crate) fn commands() -> Vec<Command> {
    let mut commands = worker_commands();
    commands.extend(transport_commands());
    commands.extend(producer_commands());
    commands.extend(consumer_commands());
    commands.extend(observer_commands());
    commands.extend(webrtc::commands());
    commands
}

fn worker_commands() -> Vec<Command> {
    let router = ROUTER;
    vec![
        Command::CloseWorker,
        Command::DumpWorker,
        Command::GetResourceUsage,
        Command::GetMetrics,
        Command::UpdateSettings {
            log_level: Some(LogLevel::Debug),
            log_tags: Some(LogTag::ALL.to_vec().try_into().expect("13 tags")),
        },
        Command::UpdateSettings { log_level: None, log_tags: None },
        Command::Drain { deadline_ms: 30_000 },
        Command::Tap { transport: TRANSPORT, enabled: true },
        Command::CreateRouter { router },
        Command::CloseRouter { router },
        Command::DumpRouter { router },
    ]
}

fn transport_commands() -> Vec<Command> {
    let (router, transport) = (ROUTER, TRANSPORT);
    vec![
        Command::CreatePlainTransport { router, transport, options: plain_options() },
        Command::ConnectPlainTransport { transport, options: PlainConnectOptions::default() },
        Command::ConnectPlainTransport {
            transport,
            options: PlainConnectOptions {
                ip: Some(IpAddr::from([192, 0, 2, 7])),
                port: Some(5004),
                rtcp_port: Some(5005),
                srtp_parameters: None,
            },
        },
        Command::ConnectPlainTransport {
            transport,
            options: PlainConnectOptions {
                srtp_parameters: Some(srtp_parameters(SrtpCryptoSuite::AeadAes256Gcm)),
                ..PlainConnectOptions::default()
            },
        },
        Command::CloseTransport { transport },
        Command::DumpTransport { transport },
        Command::GetTransportStats { transport },
        Command::SetMaxIncomingBitrate { transport, bitrate: 5_000_000_000 },
    ]
}

fn producer_commands() -> Vec<Command> {
    let (transport, producer) = (TRANSPORT, PRODUCER);
    vec![
        Command::Produce {
            transport,
            producer,
            kind: MediaKind::Video,
            rtp_parameters: rtp_parameters(),
            rtp_mapping: rtp_mapping(),
            paused: true,
            key_frame_request_delay_ms: 1000,
        },
        Command::CloseProducer { producer },
        Command::DumpProducer { producer },
        Command::GetProducerStats { producer },
        Command::PauseProducer { producer },
        Command::ResumeProducer { producer },
        Command::EnableProducerTrace { producer, types: List::first_of(TraceType::ALL) },
    ]
}

fn consumer_commands() -> Vec<Command> {
    let (transport, producer, consumer) = (TRANSPORT, PRODUCER, CONSUMER);
    vec![
        Command::Consume {
            transport,
            consumer,
            producer,
            kind: MediaKind::Audio,
            rtp_parameters: RtpParameters::default(),
            consumer_type: RtpType::Pipe,
            consumable_ssrcs: List::first_of([100_000_000, 999_999_998]),
            paused: false,
            ignore_dtx: true,
        },
        Command::CloseConsumer { consumer },
        Command::DumpConsumer { consumer },
        Command::GetConsumerStats { consumer },
        Command::PauseConsumer { consumer },
        Command::ResumeConsumer { consumer },
        Command::RequestKeyFrame { consumer },
        Command::SetConsumerPriority { consumer, priority: 255 },
        Command::EnableConsumerTrace { consumer, types: List::new() },
    ]
}

fn observer_commands() -> Vec<Command> {
    let (router, observer, producer) = (ROUTER, OBSERVER, PRODUCER);
    let options = AudioLevelObserverOptions { max_entries: 3, threshold: -80, interval_ms: 1_000 };
    vec![
        Command::CreateAudioLevelObserver { router, observer, options },
        Command::CreateActiveSpeakerObserver { router, observer, interval_ms: 300 },
        Command::CloseObserver { observer },
        Command::DumpObserver { observer },
        Command::PauseObserver { observer },
        Command::ResumeObserver { observer },
        Command::AddObservedProducer { observer, producer },
        Command::RemoveObservedProducer { observer, producer },
    ]
}

/// One of each.
pub(crate) fn replies() -> Vec<Reply> {
    let rtcp_tuple = TransportTuple {
        local_address: text("media.example.org"),
        local_port: 10_001,
        remote_ip: None,
        remote_port: None,
        protocol: Protocol::Udp,
    };
    vec![
        Reply::Done,
        Reply::WorkerDump(state::worker_dump()),
        Reply::ResourceUsage(state::resource_usage()),
        Reply::Metrics(metrics()),
        Reply::RouterDump(state::router_dump()),
        Reply::PlainTransport(PlainTuples {
            tuple: tuple(),
            rtcp_tuple: Some(rtcp_tuple),
            srtp_parameters: Some(srtp_parameters(SrtpCryptoSuite::AesCm128HmacSha1_32)),
        }),
        Reply::TransportDump(Box::new(state::transport_dump())),
        Reply::TransportStats(Box::new(state::transport_stats())),
        Reply::Produced { producer_type: RtpType::Simulcast },
        Reply::ProducerDump(Box::new(state::producer_dump())),
        Reply::ProducerStats(List::first_of([state::stream_stats(1), state::stream_stats(2)])),
        Reply::Consumed { paused: true, producer_paused: false, score: consumer_score() },
        Reply::ConsumerDump(Box::new(state::consumer_dump())),
        Reply::ConsumerStats(Box::new(state::consumer_stats())),
        Reply::ObserverDump(state::observer_dump()),
    ]
    .into_iter()
    .chain(webrtc::replies())
    .collect()
}

/// One of each.
pub(crate) fn events() -> Vec<Event> {
    let (transport, consumer) = (TransportId(5), ConsumerId(7));
    let scores = List::first_of([
        StreamScore { encoding_idx: 0, ssrc: 0xdead_beef, rid: None, score: 10 },
        StreamScore { encoding_idx: 1, ssrc: 1, rid: Some(text("r1")), score: 0 },
    ]);
    vec![
        Event::PlainTuple { transport, tuple: tuple() },
        Event::PlainRtcpTuple { transport, tuple: TransportTuple { protocol: Protocol::Tcp, ..tuple() } },
        Event::TransportInternalError { transport, message: text("index out of bounds: 64 of 64") },
        Event::ProducerScore { producer: ProducerId(6), scores },
        Event::ConsumerScore { consumer, score: consumer_score() },
        Event::ConsumerProducerClosed { consumer },
        Event::ConsumerProducerPaused { consumer },
        Event::ConsumerProducerResumed { consumer },
        Event::MemoryLimit { limit_bytes: 128 << 20, dropped: 12_345 },
        Event::ProducerVideoOrientation {
            producer: ProducerId(6),
            orientation: VideoOrientation { camera: true, flip: false, rotation: 270 },
        },
        Event::AudioLevels {
            observer: OBSERVER,
            volumes: List::first_of([AudioLevel { producer: ProducerId(6), volume: -127 }]),
        },
        Event::DominantSpeaker { observer: OBSERVER, producer: ProducerId(6) },
    ]
    .into_iter()
    .chain(traces())
    .chain(webrtc::events())
    .collect()
}

fn traces() -> Vec<Event> {
    let (producer, consumer) = (ProducerId(6), ConsumerId(7));
    let received = |info| Event::ProducerTrace {
        producer,
        trace: Trace { timestamp_ms: 1_000_001, direction: Direction::Inbound, info },
    };
    let sent = |info| Event::ConsumerTrace {
        consumer,
        trace: Trace { timestamp_ms: 1_000_002, direction: Direction::Outbound, info },
    };
    vec![
        received(TraceInfo::KeyFrame(packet_trace())),
        received(TraceInfo::Nack { ssrc: 1, packets: 17 }),
        received(TraceInfo::Pli { ssrc: 2 }),
        sent(TraceInfo::Rtp(PacketTrace { mid: Some(text("0")), ..packet_trace() })),
        sent(TraceInfo::Fir { ssrc: 3 }),
        sent(TraceInfo::Sr { ssrc: 4, ntp: u64::MAX - 1, rtp_timestamp: 5, packet_count: 6, octet_count: 7 }),
    ]
}

fn packet_trace() -> PacketTrace {
    PacketTrace {
        payload_type: 96,
        sequence_number: 65_535,
        timestamp: u32::MAX,
        marker: true,
        ssrc: 0xdead_beef,
        is_key_frame: true,
        is_rtx: false,
        size: 1_200,
        payload_size: 1_100,
        spatial_layer: 2,
        temporal_layer: 1,
        mid: None,
        rid: Some(text("r0")),
        rrid: Some(text("r1")),
        wide_sequence_number: Some(258),
    }
}

fn plain_options() -> PlainTransportOptions {
    let rtp = ListenInfo {
        protocol: Protocol::Udp,
        ip: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x42)),
        announced_address: Some(text("media.example.org")),
        expose_internal_ip: true,
        port: ListenPort::Range { min: 10_000, max: 10_099 },
        shared: false,
        ipv6_only: true,
        udp_reuse_port: false,
        send_buffer_bytes: 1 << 20,
        receive_buffer_bytes: 2 << 20,
    };
    let rtcp = ListenInfo {
        protocol: Protocol::Udp,
        ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        announced_address: None,
        expose_internal_ip: false,
        port: ListenPort::Fixed(5005),
        shared: true,
        ipv6_only: false,
        udp_reuse_port: true,
        send_buffer_bytes: 0,
        receive_buffer_bytes: 0,
    };
    PlainTransportOptions {
        listen_info: rtp,
        rtcp_listen_info: Some(rtcp),
        rtcp_mux: false,
        comedia: true,
        srtp: Some(SrtpCryptoSuite::AesCm128HmacSha1_80),
    }
}

fn srtp_parameters(crypto_suite: SrtpCryptoSuite) -> SrtpParameters {
    SrtpParameters { crypto_suite, key: List::first_of(0xf0..=0xff) }
}

fn rtp_parameters() -> RtpParameters {
    let vp8 = RtpCodecParameters {
        mime_type: text("video/VP8"),
        payload_type: 96,
        clock_rate: 90_000,
        channels: None,
        parameters: List::first_of([
            CodecParameter { name: text("x-google-start-bitrate"), value: ParameterValue::Number(-1) },
            CodecParameter { name: text("note"), value: ParameterValue::Text(text("ünïcode")) },
        ]),
        rtcp_feedback: List::first_of([
            RtcpFeedback { kind: text("nack"), parameter: text("") },
            RtcpFeedback { kind: text("ccm"), parameter: text("fir") },
        ]),
    };
    let rtx = RtpCodecParameters {
        mime_type: text("video/rtx"),
        payload_type: 97,
        clock_rate: 90_000,
        channels: Some(2),
        parameters: List::first_of([CodecParameter { name: text("apt"), value: ParameterValue::Number(96) }]),
        rtcp_feedback: List::new(),
    };
    let encoding = RtpEncodingParameters {
        ssrc: Some(u32::MAX),
        rid: Some(text("r0")),
        codec_payload_type: Some(96),
        rtx_ssrc: Some(2222),
        dtx: true,
        scalability_mode: Some(text("L1T3")),
        max_bitrate: Some(5_000_000_000),
        fec_ssrc: Some(3333),
    };
    RtpParameters {
        mid: Some(text("0")),
        codecs: List::first_of([vp8, rtx]),
        header_extensions: List::first_of([RtpHeaderExtensionParameters {
            uri: text("urn:ietf:params:rtp-hdrext:sdes:mid"),
            id: 14,
            encrypt: false,
        }]),
        encodings: List::first_of([encoding, RtpEncodingParameters::default()]),
        rtcp: RtcpParameters { cname: text("somebody@example.org"), reduced_size: true },
    }
}

fn rtp_mapping() -> RtpMapping {
    RtpMapping {
        codecs: List::first_of([
            CodecMapping { payload_type: 96, mapped_payload_type: 101 },
            CodecMapping { payload_type: 97, mapped_payload_type: 102 },
        ]),
        encodings: List::first_of([EncodingMapping {
            ssrc: Some(u32::MAX),
            rid: Some(text("r0")),
            scalability_mode: Some(text("L1T3")),
            mapped_ssrc: 123_456_789,
        }]),
    }
}

fn metrics() -> Metrics {
    Metrics {
        values: List::first_of([
            Metric { name: text("packets_received"), value: 1 << 40 },
            Metric { name: text("panics_contained"), value: 0 },
        ]),
        histograms: List::first_of([Histogram {
            name: text("turn_time_us"),
            buckets: List::first_of([1, 0, 300, 70_000]),
            sum: 1_234_567,
        }]),
    }
}

fn consumer_score() -> ConsumerScore {
    ConsumerScore { score: 9, producer_score: 8, producer_scores: List::first_of([8, 0, 10]) }
}

fn tuple() -> TransportTuple {
    TransportTuple {
        local_address: text("192.0.2.1"),
        local_port: 10_000,
        remote_ip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        remote_port: Some(65_535),
        protocol: Protocol::Udp,
    }
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::try_from(text).expect("a sample fits")
}
