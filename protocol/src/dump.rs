//! The state of entities, for people and tests.

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::ids::{ConsumerId, ObserverId, ProducerId, RouterId, TransportId};
use crate::observer::ObserverKind;
use crate::rtp::{MediaKind, RtpType};
use crate::srtp::SrtpCryptoSuite;
use crate::trace::TraceTypes;
use crate::transport::TransportTuple;
use crate::webrtc::WebRtcDump;

/// Ids in a dump. More than these are cut off; counts are always whole.
pub type Ids<T> = List<T, 65_536>;

/// What the worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerDump {
    /// The process.
    pub pid: u32,
    /// Its routers.
    pub router_ids: Ids<RouterId>,
    /// How many transports in all.
    pub transports: u64,
    /// How many producers in all.
    pub producers: u64,
    /// How many consumers in all.
    pub consumers: u64,
    /// Sockets open.
    pub sockets: u64,
    /// Packet buffers in use.
    pub packets_in_use: u64,
    /// Bytes held against the packet memory limit.
    pub packet_memory_bytes: u64,
    /// The packet memory limit.
    pub packet_memory_limit: u64,
    /// Defects of ours that were contained. Anything but 0 deserves a report.
    pub panics_contained: u64,
}

/// What a router holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterDump {
    /// Which router.
    pub router: RouterId,
    /// Its transports.
    pub transport_ids: Ids<TransportId>,
    /// Its producers, each with its consumers.
    pub producer_consumers: List<ProducerConsumers, 65_536>,
    /// Its observers.
    pub observer_ids: Ids<ObserverId>,
    /// Its producers that are observed, each with its observers.
    pub producer_observers: List<ProducerObservers, 65_536>,
}

impl RouterDump {
    /// Its consumers, each with its producer.
    pub fn consumer_producers(&self) -> impl Iterator<Item = (ConsumerId, ProducerId)> {
        self.producer_consumers
            .iter()
            .flat_map(|entry| entry.consumers.iter().map(move |consumer| (*consumer, entry.producer)))
    }
}

/// A producer and its observers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerObservers {
    /// The producer.
    pub producer: ProducerId,
    /// Who observes it.
    pub observers: Ids<ObserverId>,
}

/// A producer and its consumers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerConsumers {
    /// The producer.
    pub producer: ProducerId,
    /// Who consumes it.
    pub consumers: Ids<ConsumerId>,
}

/// A transport's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportDump {
    /// Which transport.
    pub transport: TransportId,
    /// Where it belongs.
    pub router: RouterId,
    /// Its producers.
    pub producer_ids: Ids<ProducerId>,
    /// Its consumers.
    pub consumer_ids: Ids<ConsumerId>,
    /// Whom a received SSRC belongs to.
    pub ssrc_table: List<SsrcProducer, 65_536>,
    /// Whom a received MID belongs to.
    pub mid_table: List<NamedProducer, 65_536>,
    /// Whom a received RID belongs to.
    pub rid_table: List<NamedProducer, 65_536>,
    /// Whose feedback about a sent SSRC it is.
    pub ssrc_consumers: List<SsrcConsumer, 65_536>,
    /// Likewise, of streams of retransmissions.
    pub rtx_ssrc_consumers: List<SsrcConsumer, 65_536>,
    /// Ids of the header extensions that are read.
    pub recv_rtp_header_extensions: RecvRtpHeaderExtensions,
    /// What only plain transports have.
    pub plain: Option<PlainDump>,
    /// What only WebRTC transports have.
    pub webrtc: Option<WebRtcDump>,
}

/// A received SSRC and its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SsrcProducer {
    /// The stream.
    pub ssrc: u32,
    /// Whose it is.
    pub producer: ProducerId,
}

/// A received MID or RID and its producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedProducer {
    /// The MID or RID.
    pub name: Text<32>,
    /// Whose it is.
    pub producer: ProducerId,
}

/// A sent SSRC and its consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SsrcConsumer {
    /// The stream.
    pub ssrc: u32,
    /// Whose it is.
    pub consumer: ConsumerId,
}

/// Ids of the header extensions that a transport reads itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecvRtpHeaderExtensions {
    /// urn:ietf:params:rtp-hdrext:sdes:mid
    pub mid: Option<u8>,
    /// urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
    pub rid: Option<u8>,
    /// urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
    pub rrid: Option<u8>,
    /// abs-send-time
    pub abs_send_time: Option<u8>,
    /// transport-wide-cc
    pub transport_wide_cc: Option<u8>,
}

/// What only plain transports have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainDump {
    /// RTP and RTCP on one port.
    pub rtcp_mux: bool,
    /// The peer's address is learnt.
    pub comedia: bool,
    /// RTP ends.
    pub tuple: TransportTuple,
    /// RTCP ends, without rtcp-mux.
    pub rtcp_tuple: Option<TransportTuple>,
    /// The suite of transports with SRTP.
    pub srtp: Option<SrtpCryptoSuite>,
}

/// A producer's state. Its parameters and mapping are the host's to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerDump {
    /// Which producer.
    pub producer: ProducerId,
    /// Where it belongs.
    pub transport: TransportId,
    /// Audio or video.
    pub kind: MediaKind,
    /// How its encodings relate.
    pub producer_type: RtpType,
    /// Whether it is paused.
    pub paused: bool,
    /// Its streams that were seen.
    pub streams: List<StreamDump, 32>,
    /// Who consumes it.
    pub consumers: Ids<ConsumerId>,
    /// What is told of its packets.
    pub trace_event_types: TraceTypes,
}

/// A consumer's state. Its parameters are the host's to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerDump {
    /// Which consumer.
    pub consumer: ConsumerId,
    /// Where it belongs.
    pub transport: TransportId,
    /// What it consumes.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// How its encodings relate.
    pub consumer_type: RtpType,
    /// Whether it is paused itself.
    pub paused: bool,
    /// Whether its producer is.
    pub producer_paused: bool,
    /// 1 to 255.
    pub priority: u8,
    /// Whether it waits for a key frame.
    pub awaits_key_frame: bool,
    /// Payload types that it forwards.
    pub supported_codec_payload_types: List<u8, 64>,
    /// SSRCs that name its producer's encodings in the router.
    pub consumable_ssrcs: List<u32, 16>,
    /// What it sends.
    pub stream: StreamDump,
    /// Packets that its history has room for; it follows their rate.
    pub history_packets: u64,
    /// Bytes of that history's own memory, without the packets.
    pub history_bytes: u64,
    /// What is told of its packets.
    pub trace_event_types: TraceTypes,
}

/// A stream's parameters and score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDump {
    /// Index of its encoding.
    pub encoding_idx: u32,
    /// The stream.
    pub ssrc: u32,
    /// Its payload type on this transport.
    pub payload_type: u8,
    /// Its codec.
    pub mime_type: Text<64>,
    /// Hertz of its timestamp.
    pub clock_rate: u32,
    /// Its RID, when it has one.
    pub rid: Option<Text<32>>,
    /// Its canonical name.
    pub cname: Text<255>,
    /// Its retransmissions.
    pub rtx_ssrc: Option<u32>,
    /// Their payload type.
    pub rtx_payload_type: Option<u8>,
    /// Losses are asked for again.
    pub use_nack: bool,
    /// Key frames are asked for by PLI.
    pub use_pli: bool,
    /// Key frames are asked for by FIR.
    pub use_fir: bool,
    /// Its packets carry forward error correction of their own (Opus).
    pub use_in_band_fec: bool,
    /// Its sender pauses in silence.
    pub use_dtx: bool,
    /// By its scalability mode; at least 1.
    pub spatial_layers: u8,
    /// By its scalability mode; at least 1.
    pub temporal_layers: u8,
    /// 0 to 10.
    pub score: u8,
}

/// An observer's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserverDump {
    /// Which observer.
    pub observer: ObserverId,
    /// Where it belongs.
    pub router: RouterId,
    /// What it looks for.
    pub kind: ObserverKind,
    /// Whether it is paused.
    pub paused: bool,
    /// Whom it observes.
    pub producer_ids: Ids<ProducerId>,
}
