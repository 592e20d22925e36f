//! What a host may ask. One variant a request; what it answers is in [`crate::response::Reply`].

use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::ids::{ConsumerId, ObserverId, ProducerId, RouterId, TransportId};
use crate::message::{LogLevel, LogTag};
use crate::observer::AudioLevelObserverOptions;
use crate::rtp::{MediaKind, RtpMapping, RtpParameters, RtpType};
use crate::trace::TraceTypes;
use crate::transport::{PlainConnectOptions, PlainTransportOptions};
use crate::webrtc::WebRtcCommand;

/// A request's content. Every one is answered, with the named reply or an error; a `Create…`, `Produce` or
/// `Consume` names the new entity with an id never used before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Ends the worker with code 0 after the answer. Replies `Done`.
    CloseWorker,
    /// Replies `WorkerDump`.
    DumpWorker,
    /// Replies `ResourceUsage`.
    GetResourceUsage,
    /// Replies `Metrics`.
    GetMetrics,
    /// Changes what can be changed at run time; absent fields stay. Replies `Done`.
    UpdateSettings {
        /// Up to which level log lines are sent.
        log_level: Option<LogLevel>,
        /// Of which parts debug lines are sent.
        log_tags: Option<List<LogTag, 32>>,
    },
    /// Refuse new transports and say when the last one is gone. Reserved: answers `Unsupported`.
    Drain {
        /// How long to wait.
        deadline_ms: u64,
    },
    /// Packets of one transport for a capture file. Reserved: answers `Unsupported`.
    Tap {
        /// Of which one.
        transport: TransportId,
        /// On or off.
        enabled: bool,
    },
    /// Replies `Done`.
    CreateRouter {
        /// The new router.
        router: RouterId,
    },
    /// Closes the router and all that it holds. Replies `Done`.
    CloseRouter {
        /// Which one.
        router: RouterId,
    },
    /// Replies `RouterDump`.
    DumpRouter {
        /// Which one.
        router: RouterId,
    },
    /// Replies `PlainTransport`.
    CreatePlainTransport {
        /// Where it belongs.
        router: RouterId,
        /// The new transport.
        transport: TransportId,
        /// How it listens.
        options: PlainTransportOptions,
    },
    /// Says where a plain transport sends to. Replies `PlainTransport`.
    ConnectPlainTransport {
        /// Which one.
        transport: TransportId,
        /// The peer.
        options: PlainConnectOptions,
    },
    /// Closes the transport, its producers (and their consumers) and its consumers. Replies `Done`.
    CloseTransport {
        /// Which one.
        transport: TransportId,
    },
    /// Replies `TransportDump`.
    DumpTransport {
        /// Which one.
        transport: TransportId,
    },
    /// Replies `TransportStats`.
    GetTransportStats {
        /// Which one.
        transport: TransportId,
    },
    /// Tells the peer how much all its streams together may take (REMB), and drops what exceeds twice that. Replies
    /// `Done`.
    SetMaxIncomingBitrate {
        /// Which transport.
        transport: TransportId,
        /// Bits per second; 0 is no limit.
        bitrate: u64,
    },
    /// Replies `Produced`.
    Produce {
        /// Which transport receives it.
        transport: TransportId,
        /// The new producer.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
        /// What the peer sends.
        rtp_parameters: RtpParameters,
        /// Its numbers in the router.
        rtp_mapping: RtpMapping,
        /// Starts paused.
        paused: bool,
        /// Least milliseconds between two key frame requests to the peer; 0 takes the default of 500.
        key_frame_request_delay_ms: u32,
    },
    /// Closes the producer and its consumers. Replies `Done`.
    CloseProducer {
        /// Which one.
        producer: ProducerId,
    },
    /// Replies `ProducerDump`.
    DumpProducer {
        /// Which one.
        producer: ProducerId,
    },
    /// Replies `ProducerStats`.
    GetProducerStats {
        /// Which one.
        producer: ProducerId,
    },
    /// Forwards nothing until resumed. Idempotent. Replies `Done`.
    PauseProducer {
        /// Which one.
        producer: ProducerId,
    },
    /// Idempotent. Replies `Done`.
    ResumeProducer {
        /// Which one.
        producer: ProducerId,
    },
    /// Tells these kinds of single packets of the producer from now on, instead of those before. Replies `Done`.
    EnableProducerTrace {
        /// Which one.
        producer: ProducerId,
        /// None turns tracing off.
        types: TraceTypes,
    },
    /// Replies `Consumed`.
    Consume {
        /// Which transport sends it.
        transport: TransportId,
        /// The new consumer.
        consumer: ConsumerId,
        /// What it consumes; must belong to the same router.
        producer: ProducerId,
        /// Audio or video, as the producer.
        kind: MediaKind,
        /// What the peer receives. A codec stands for the producer's of the same name and clock rate that has its
        /// payload type in the router; where there is none, for the first that no other stands for: the peer may have
        /// its own payload types. RED's blocks have the router's.
        rtp_parameters: RtpParameters,
        /// How encodings relate. `Simple`, or `Svc` for VP9 and AV1: then all layers of the stream are forwarded.
        /// Others answer `Unsupported`.
        consumer_type: RtpType,
        /// SSRCs by which the router names the producer's encodings, in order (`mapped_ssrc` of its mapping).
        consumable_ssrcs: List<u32, 16>,
        /// Starts paused.
        paused: bool,
        /// Opus packets of silence are not forwarded.
        ignore_dtx: bool,
    },
    /// Replies `Done`.
    CloseConsumer {
        /// Which one.
        consumer: ConsumerId,
    },
    /// Replies `ConsumerDump`.
    DumpConsumer {
        /// Which one.
        consumer: ConsumerId,
    },
    /// Replies `ConsumerStats`.
    GetConsumerStats {
        /// Which one.
        consumer: ConsumerId,
    },
    /// Idempotent. Replies `Done`.
    PauseConsumer {
        /// Which one.
        consumer: ConsumerId,
    },
    /// Continues with the next sequence number, from a key frame on. Idempotent. Replies `Done`.
    ResumeConsumer {
        /// Which one.
        consumer: ConsumerId,
    },
    /// Asks the producer for a key frame. Replies `Done` for every kind and state of consumer.
    RequestKeyFrame {
        /// For which one.
        consumer: ConsumerId,
    },
    /// Replies `Done`.
    SetConsumerPriority {
        /// Which one.
        consumer: ConsumerId,
        /// 1 to 255.
        priority: u8,
    },
    /// Tells these kinds of single packets of the consumer from now on, instead of those before. Replies `Done`.
    EnableConsumerTrace {
        /// Which one.
        consumer: ConsumerId,
        /// None turns tracing off.
        types: TraceTypes,
    },
    /// Replies `Done`.
    CreateAudioLevelObserver {
        /// Where it belongs.
        router: RouterId,
        /// The new observer.
        observer: ObserverId,
        /// What it tells, and how often.
        options: AudioLevelObserverOptions,
    },
    /// Replies `Done`.
    CreateActiveSpeakerObserver {
        /// Where it belongs.
        router: RouterId,
        /// The new observer.
        observer: ObserverId,
        /// Milliseconds between two decisions; taken as the nearest value from 100 to 5,000.
        interval_ms: u16,
    },
    /// Replies `Done`.
    CloseObserver {
        /// Which one.
        observer: ObserverId,
    },
    /// Replies `ObserverDump`.
    DumpObserver {
        /// Which one.
        observer: ObserverId,
    },
    /// Tells nothing until resumed. Idempotent. Replies `Done`.
    PauseObserver {
        /// Which one.
        observer: ObserverId,
    },
    /// Idempotent. Replies `Done`.
    ResumeObserver {
        /// Which one.
        observer: ObserverId,
    },
    /// Replies `Done`.
    AddObservedProducer {
        /// Who observes.
        observer: ObserverId,
        /// An audio producer of the same router.
        producer: ProducerId,
    },
    /// Replies `Done`.
    RemoveObservedProducer {
        /// Who observes.
        observer: ObserverId,
        /// Which producer is not observed any more.
        producer: ProducerId,
    },
    /// About WebRTC transports and their servers.
    WebRtc(WebRtcCommand),
}
