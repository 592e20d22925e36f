//! What a worker tells without being asked.

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::ids::{ConsumerId, EntityId, ObserverId, ProducerId, TransportId};
use crate::observer::AudioLevel;
use crate::trace::Trace;
use crate::transport::TransportTuple;
use crate::webrtc::{DtlsState, IceState};

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A comedia transport learnt its peer.
    PlainTuple {
        /// Which transport.
        transport: TransportId,
        /// Its ends now.
        tuple: TransportTuple,
    },
    /// A comedia transport without rtcp-mux learnt its peer's RTCP address.
    PlainRtcpTuple {
        /// Which transport.
        transport: TransportId,
        /// Its RTCP ends now.
        tuple: TransportTuple,
    },
    /// A defect of ours was contained by closing this transport and all on it.
    TransportInternalError {
        /// Which transport; it is gone.
        transport: TransportId,
        /// What a report of the defect should say.
        message: Text<1024>,
    },
    /// A producer's scores changed.
    ProducerScore {
        /// Which producer.
        producer: ProducerId,
        /// One entry a stream that was seen.
        scores: List<StreamScore, 16>,
    },
    /// A consumer's scores changed.
    ConsumerScore {
        /// Which consumer.
        consumer: ConsumerId,
        /// Its scores now.
        score: ConsumerScore,
    },
    /// The consumer's producer was closed, and the consumer with it.
    ConsumerProducerClosed {
        /// Which consumer; it is gone.
        consumer: ConsumerId,
    },
    /// The consumer's producer was paused.
    ConsumerProducerPaused {
        /// Which consumer.
        consumer: ConsumerId,
    },
    /// The consumer's producer was resumed.
    ConsumerProducerResumed {
        /// Which consumer.
        consumer: ConsumerId,
    },
    /// Packets are dropped because the packet memory limit is reached; at most one a second.
    MemoryLimit {
        /// The setting, in bytes.
        limit_bytes: u64,
        /// Packets dropped for it since the worker started.
        dropped: u64,
    },
    /// The camera of a producer is held otherwise than before (3GPP TS 26.114 7.4.5).
    ProducerVideoOrientation {
        /// Which producer.
        producer: ProducerId,
        /// How it is held now.
        orientation: VideoOrientation,
    },
    /// What happens to a producer's packets, as was asked for.
    ProducerTrace {
        /// Which producer.
        producer: ProducerId,
        /// What happened.
        trace: Trace,
    },
    /// What happens to a consumer's packets, as was asked for.
    ConsumerTrace {
        /// Which consumer.
        consumer: ConsumerId,
        /// What happened.
        trace: Trace,
    },
    /// The loudest producers of the last interval, loudest first. None: silence began.
    AudioLevels {
        /// Which observer.
        observer: ObserverId,
        /// Who is heard.
        volumes: List<AudioLevel, 64>,
    },
    /// A WebRTC transport's ICE stands otherwise.
    IceState {
        /// Which transport.
        transport: TransportId,
        /// How it stands.
        state: IceState,
    },
    /// A WebRTC transport sends by another way.
    IceSelectedTuple {
        /// Which transport.
        transport: TransportId,
        /// Its ends now.
        tuple: TransportTuple,
    },
    /// A WebRTC transport's handshake came further.
    DtlsState {
        /// Which transport.
        transport: TransportId,
        /// How far it is.
        state: DtlsState,
        /// The peer's certificate as PEM, once connected.
        remote_certificate: Option<Text<16_384>>,
    },
    /// Somebody else leads the conversation now.
    DominantSpeaker {
        /// Which observer.
        observer: ObserverId,
        /// Who.
        producer: ProducerId,
    },
}

/// How an event may be treated when the pipe is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// Never dropped, never merged.
    MustArrive,
    /// A newer one of the same kind and entity takes the place of one that still waits.
    LatestWins,
    /// Dropped (and counted) when too many wait.
    MayDrop,
}

impl Event {
    /// How it may be treated when the pipe is slow.
    pub fn class(&self) -> EventClass {
        match self {
            Self::PlainTuple { .. }
            | Self::PlainRtcpTuple { .. }
            | Self::TransportInternalError { .. }
            | Self::IceState { .. }
            | Self::DtlsState { .. }
            | Self::ConsumerProducerClosed { .. }
            | Self::ConsumerProducerPaused { .. }
            | Self::ConsumerProducerResumed { .. } => EventClass::MustArrive,
            Self::ProducerScore { .. }
            | Self::ConsumerScore { .. }
            | Self::MemoryLimit { .. }
            | Self::IceSelectedTuple { .. }
            | Self::ProducerVideoOrientation { .. }
            | Self::AudioLevels { .. }
            | Self::DominantSpeaker { .. } => EventClass::LatestWins,
            Self::ProducerTrace { .. } | Self::ConsumerTrace { .. } => EventClass::MayDrop,
        }
    }

    /// Whom it is about; `None` when it is about the worker.
    pub fn entity(&self) -> Option<EntityId> {
        match self {
            Self::PlainTuple { transport, .. }
            | Self::PlainRtcpTuple { transport, .. }
            | Self::IceState { transport, .. }
            | Self::IceSelectedTuple { transport, .. }
            | Self::DtlsState { transport, .. }
            | Self::TransportInternalError { transport, .. } => Some((*transport).into()),
            Self::ProducerScore { producer, .. }
            | Self::ProducerVideoOrientation { producer, .. }
            | Self::ProducerTrace { producer, .. } => Some((*producer).into()),
            Self::AudioLevels { observer, .. } | Self::DominantSpeaker { observer, .. } => {
                Some((*observer).into())
            }
            Self::ConsumerScore { consumer, .. }
            | Self::ConsumerTrace { consumer, .. }
            | Self::ConsumerProducerClosed { consumer }
            | Self::ConsumerProducerPaused { consumer }
            | Self::ConsumerProducerResumed { consumer } => Some((*consumer).into()),
            Self::MemoryLimit { .. } => None,
        }
    }
}

/// The score of one stream of a producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamScore {
    /// Index of its encoding.
    pub encoding_idx: u32,
    /// Its SSRC.
    pub ssrc: u32,
    /// Its RID, when it has one.
    pub rid: Option<Text<32>>,
    /// 0 (nothing arrives) to 10 (nothing is lost).
    pub score: u8,
}

/// The scores that matter to a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerScore {
    /// Of its own stream, 0 to 10.
    pub score: u8,
    /// Of the producer's stream that it gets, 0 to 10.
    pub producer_score: u8,
    /// Of all the producer's encodings, in order; 0 for one that was never seen.
    pub producer_scores: List<u8, 16>,
}

/// How a camera is held (3GPP TS 26.114 7.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoOrientation {
    /// The back camera, which looks away from the user.
    pub camera: bool,
    /// The picture is mirrored.
    pub flip: bool,
    /// Degrees that a receiver has to turn it clockwise: 0, 90, 180 or 270.
    pub rotation: u16,
}
