//! What requests answer.

use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::dump::{ConsumerDump, ObserverDump, ProducerDump, RouterDump, TransportDump, WorkerDump};
use crate::event::{ConsumerScore, StreamScore};
use crate::metrics::Metrics;
use crate::rtp::RtpType;
use crate::srtp::SrtpParameters;
use crate::stats::{ConsumerStats, ResourceUsage, RtpStreamStats, TransportStats};
use crate::transport::TransportTuple;
use crate::webrtc::{DtlsRole, IceParameters, WebRtcDump, WebRtcServerDump};

/// A successful answer; [`crate::request::Command`] says which one belongs to which request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; there is nothing to tell.
    Done,
    /// What the worker holds.
    WorkerDump(WorkerDump),
    /// What the process has used.
    ResourceUsage(ResourceUsage),
    /// All counters.
    Metrics(Metrics),
    /// What a router holds.
    RouterDump(RouterDump),
    /// A plain transport's two ends.
    PlainTransport(PlainTuples),
    /// A transport's state.
    TransportDump(Box<TransportDump>),
    /// A transport's counters.
    TransportStats(Box<TransportStats>),
    /// The new producer.
    Produced {
        /// How its encodings relate.
        producer_type: RtpType,
    },
    /// A producer's state.
    ProducerDump(Box<ProducerDump>),
    /// One entry a stream.
    ProducerStats(List<RtpStreamStats, 32>),
    /// The new consumer.
    Consumed {
        /// Whether it is paused itself.
        paused: bool,
        /// Whether its producer is.
        producer_paused: bool,
        /// Scores at this moment.
        score: ConsumerScore,
    },
    /// A consumer's state.
    ConsumerDump(Box<ConsumerDump>),
    /// Its own stream and its producer's.
    ConsumerStats(Box<ConsumerStats>),
    /// An observer's state.
    ObserverDump(ObserverDump),
    /// A server's state.
    WebRtcServerDump(Box<WebRtcServerDump>),
    /// A new WebRTC transport.
    WebRtcTransport(Box<WebRtcDump>),
    /// A WebRTC transport has its peer.
    WebRtcConnected {
        /// Ours: `Client` or `Server`.
        dtls_local_role: DtlsRole,
    },
    /// New ICE credentials.
    IceParameters(IceParameters),
}

/// The ends of a plain transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainTuples {
    /// RTP (and RTCP with rtcp-mux).
    pub tuple: TransportTuple,
    /// RTCP, without rtcp-mux.
    pub rtcp_tuple: Option<TransportTuple>,
    /// What the worker sends with, on transports with SRTP.
    pub srtp_parameters: Option<SrtpParameters>,
}

/// Scores of a producer's streams, in the order of its encodings.
pub type ProducerScore = List<StreamScore, 16>;
