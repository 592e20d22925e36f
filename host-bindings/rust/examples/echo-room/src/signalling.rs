//! What a page and this server say to each other: JSON over one WebSocket.
//!
//! A page asks `{"id": 1, "method": "produce", "data": {...}}` and is answered `{"id": 1, "ok": ...}` or
//! `{"id": 1, "error": "what is wrong and what to do"}`, in order. What it did not ask for has no id:
//! `{"event": "newProducer", "data": {...}}`. Knows names and shapes, nothing of what they do.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate::{DtlsParameters, IceCandidate, IceParameters, MediaKind, RtpCapabilities, RtpParameters};

use crate::figures::Figures;

/// One request of a page.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// Comes back with the answer.
    pub id: u64,
    /// What is wanted.
    #[serde(flatten)]
    pub request: Request,
}

/// What a page may ask.
#[derive(Debug, Deserialize)]
#[serde(tag = "method", content = "data", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// What the room's router can forward. First of all.
    RouterRtpCapabilities,
    /// What this page can receive: from then on it is sent everything.
    Join {
        /// Of `mediasoup-client`'s device.
        rtp_capabilities: RtpCapabilities,
    },
    /// A transport; answered with [`TransportTold`].
    CreateTransport {
        /// Offer no UDP; false when absent.
        #[serde(default)]
        force_tcp: bool,
        /// On ports of its own, instead of the worker's one WebRTC server; false when absent.
        #[serde(default)]
        own_ports: bool,
    },
    /// Says who the page is to DTLS.
    ConnectTransport {
        /// Which one.
        transport_id: String,
        /// The page's.
        dtls_parameters: DtlsParameters,
    },
    /// New ICE credentials; answered with [`IceParameters`].
    RestartIce {
        /// Which one.
        transport_id: String,
    },
    /// Sends a track; answered with its id.
    Produce {
        /// By which transport.
        transport_id: String,
        /// Audio or video.
        kind: MediaKind,
        /// What is sent.
        rtp_parameters: RtpParameters,
    },
    /// Sends a track no more.
    CloseProducer {
        /// Which one.
        producer_id: String,
    },
    /// The page sends nothing of a track for now; whoever consumes it is told.
    PauseProducer {
        /// Which one.
        producer_id: String,
    },
    /// The page goes on sending it.
    ResumeProducer {
        /// Which one.
        producer_id: String,
    },
    /// Receives a track, paused; answered with [`ConsumerTold`].
    Consume {
        /// By which transport.
        transport_id: String,
        /// Of whom.
        producer_id: String,
    },
    /// The page is ready for a consumer's packets.
    ResumeConsumer {
        /// Which one.
        consumer_id: String,
    },
    /// A consumer's packets are not wanted for now.
    PauseConsumer {
        /// Which one.
        consumer_id: String,
    },
    /// Tell me once a second what the worker costs and moves, from now on, whatever becomes of workers.
    WatchFigures,
    /// What the worker counts of a transport.
    TransportStats {
        /// Which one.
        transport_id: String,
    },
    /// What the worker counts of a consumer and of its producer's stream.
    ConsumerStats {
        /// Which one.
        consumer_id: String,
    },
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Told {
    /// Yes.
    Answer {
        /// Of the request.
        id: u64,
        /// What was asked for.
        ok: Value,
    },
    /// No.
    Refusal {
        /// Of the request; absent when none could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// What is wrong and what to do.
        error: String,
    },
    /// News.
    Event(Event),
}

/// What a page is told without asking.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", content = "data", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// The page's own name in the room. First of all, and again after another worker took over: begin anew then.
    Welcome {
        /// In events about it.
        peer_id: String,
    },
    /// Somebody sends a track; consume it.
    NewProducer {
        /// Who; one's own tracks are echoed too.
        peer_id: String,
        /// Which track.
        producer_id: String,
        /// Audio or video.
        kind: MediaKind,
    },
    /// A consumer is gone, with its producer.
    ConsumerClosed {
        /// Which one.
        consumer_id: String,
    },
    /// Its producer is paused: nothing comes for now.
    ConsumerPaused {
        /// Which one.
        consumer_id: String,
    },
    /// Its producer goes on.
    ConsumerResumed {
        /// Which one.
        consumer_id: String,
    },
    /// Somebody left; their consumers are told one by one.
    PeerLeft {
        /// Who.
        peer_id: String,
    },
    /// Somebody else leads the conversation.
    DominantSpeaker {
        /// Who.
        peer_id: String,
    },
    /// The worker is gone, and all that the page had in it; or the next one did not start. A `welcome` follows, or
    /// another one of these.
    WorkerDied {
        /// What happened, a sentence.
        reason: String,
        /// How many ended one shortly after the other, this one included.
        in_a_row: u32,
        /// When the next is started.
        restart_in_ms: u64,
    },
    /// What the worker costs and moves; for whoever watches it.
    Figures(Box<Figures>),
}

/// A new transport, as `createSendTransport` and `createRecvTransport` take it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportTold {
    /// Its id.
    pub id: String,
    /// What to name in checks.
    pub ice_parameters: IceParameters,
    /// Where to send them.
    pub ice_candidates: Vec<IceCandidate>,
    /// Whom to expect.
    pub dtls_parameters: DtlsParameters,
}

/// A new consumer, as `consume` of `mediasoup-client` takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerTold {
    /// Its id.
    pub id: String,
    /// Of which track.
    pub producer_id: String,
    /// Audio or video.
    pub kind: MediaKind,
    /// What is sent.
    pub rtp_parameters: RtpParameters,
    /// Whether its producer is paused: nothing comes for now.
    pub producer_paused: bool,
}
