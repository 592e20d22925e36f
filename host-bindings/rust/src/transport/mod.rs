//! Transports: where media comes in and goes out. What all kinds have in common is here.

mod plain;
mod webrtc;

pub use plain::PlainTransport;
pub use webrtc::WebRtcTransport;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use tidegate_protocol::dump::TransportDump;
use tidegate_protocol::event::Event as WireEvent;
use tidegate_protocol::ids::TransportId;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::stats::TransportStats;
use tidegate_protocol::transport::TransportTuple;

use crate::connection::Target;
use crate::consumer::{Consumer, ConsumerInner, ConsumerOptions};
use crate::entity::{Children, CloseReason, Entity, EntityEvent};
use crate::error::RequestError;
use crate::events::{Event, Events};
use crate::producer::{Producer, ProducerInner, ProducerOptions};
use crate::random::random_cname;
use crate::router::RouterInner;
use crate::sync::lock;
use crate::transport::webrtc::WebRtcState;
use crate::webrtc::{DtlsState, IceState};

/// What every transport can. A handle; clones mean the same transport, which closes when the last one is dropped, those
/// of its producers and consumers included. Each kind of transport is this one and more: [`PlainTransport`],
/// [`WebRtcTransport`].
#[derive(Clone, Debug)]
pub struct Transport {
    inner: Arc<TransportInner>,
}

/// What happens to a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// A plain one learnt its peer's address (comedia).
    Tuple(TransportTuple),
    /// A plain one learnt its peer's RTCP address (comedia without rtcp-mux).
    RtcpTuple(TransportTuple),
    /// A WebRTC one: ICE stands otherwise.
    IceState(IceState),
    /// A WebRTC one sends by another way.
    IceSelectedTuple(TransportTuple),
    /// A WebRTC one: the handshake came further.
    DtlsState(DtlsState),
    /// A defect of the worker was contained by closing this transport. Please report the message.
    InternalError(String),
    /// It is closed, and all its producers and consumers. The last event.
    Closed(CloseReason),
}

impl Transport {
    /// Its id, random.
    pub fn id(&self) -> &str {
        &self.inner.entity.id
    }

    /// Its number in dumps and statistics.
    pub fn wire_id(&self) -> TransportId {
        self.inner.wire_id()
    }

    /// Receives a stream (or several of one source) from the peer.
    ///
    /// # Errors
    /// [`RequestError::Negotiation`] when the parameters are wrong or use a codec that the router does not have;
    /// [`RequestError::Refused`] when an SSRC, MID or RID is another producer's.
    pub async fn produce(&self, options: ProducerOptions) -> Result<Producer, RequestError> {
        Producer::create(&self.inner, options).await
    }

    /// Sends a producer of this router to the peer.
    ///
    /// # Errors
    /// [`RequestError::Negotiation`] when the peer's capabilities are wrong or have none of the producer's codecs: ask
    /// [`Router::can_consume`](crate::Router::can_consume) first. [`RequestError::Refused`] when the producer is
    /// another router's.
    pub async fn consume(&self, options: ConsumerOptions) -> Result<Consumer, RequestError> {
        Consumer::create(&self.inner, options).await
    }

    /// Limits what all streams of the peer together may take, in bits per second, at most 2^63 - 2; 0 ends that. A peer
    /// whose video was negotiated with `goog-remb` is told; what exceeds twice the limit over a second is dropped by the
    /// worker, audio last.
    ///
    /// # Errors
    /// [`RequestError::Refused`] when it is more than can be.
    pub async fn set_max_incoming_bitrate(&self, bitrate: u64) -> Result<(), RequestError> {
        let command = Command::SetMaxIncomingBitrate { transport: self.wire_id(), bitrate };
        self.inner.entity.command(command, || ()).await
    }

    /// Its state.
    pub async fn dump(&self) -> Result<TransportDump, RequestError> {
        let read = |reply| if let Reply::TransportDump(dump) = reply { Some(*dump) } else { None };
        self.inner.entity.request(Command::DumpTransport { transport: self.wire_id() }, read).await
    }

    /// Its counters.
    pub async fn get_stats(&self) -> Result<TransportStats, RequestError> {
        let read = |reply| if let Reply::TransportStats(stats) = reply { Some(*stats) } else { None };
        self.inner.entity.request(Command::GetTransportStats { transport: self.wire_id() }, read).await
    }

    /// Closes it, its producers (and their consumers) and its consumers. Effective at once; the worker follows.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.entity.is_closed()
    }

    /// A stream of what happens to it.
    pub fn events(&self) -> Events<TransportEvent> {
        self.inner.entity.events()
    }
}

impl Event for TransportEvent {
    fn replaces(&self, waiting: &Self) -> bool {
        matches!((self, waiting), (Self::IceSelectedTuple(_), Self::IceSelectedTuple(_)))
    }
}

impl EntityEvent for TransportEvent {
    fn closed(reason: CloseReason) -> Self {
        Self::Closed(reason)
    }
}

/// The transport itself. Its producers and consumers keep it alive.
#[derive(Debug)]
pub(crate) struct TransportInner {
    pub(crate) entity: Entity<TransportEvent>,
    pub(crate) producers: Children<ProducerInner>,
    pub(crate) consumers: Children<ConsumerInner>,
    kind: Kind,
    cname: OnceLock<String>,
    next_mid: AtomicU64,
    pub(crate) router: Arc<RouterInner>,
}

/// What only one kind of transport has.
#[derive(Debug)]
enum Kind {
    Plain(Arc<Mutex<PlainTuples>>),
    WebRtc(Arc<WebRtcState>),
}

impl TransportInner {
    /// A transport that the worker does not know yet.
    fn new(router: &Arc<RouterInner>, kind: Kind) -> Arc<Self> {
        let inner = Arc::new(Self {
            entity: Entity::new("transport", &router.entity.connection),
            producers: Children::default(),
            consumers: Children::default(),
            kind,
            cname: OnceLock::new(),
            next_mid: AtomicU64::new(0),
            router: Arc::clone(router),
        });
        let target: Weak<dyn Target> = Arc::<Self>::downgrade(&inner);
        inner.entity.connection.register(inner.entity.number, target);
        router.transports.insert(inner.entity.number, &inner);
        inner
    }

    pub(crate) fn wire_id(&self) -> TransportId {
        TransportId(self.entity.number)
    }

    /// The canonical name of all its producers: the one that the first of them was `given`, or a random one. One peer
    /// is one endpoint, whose streams are played in step (RFC 3550 6.5.1); browsers name it for some streams only.
    pub(crate) fn cname(&self, given: &str) -> &str {
        self.cname.get_or_init(|| if given.is_empty() { random_cname() } else { given.to_owned() })
    }

    /// The media identification of a consumer that was given none: decimal from 0, eight digits at most, because the
    /// MID goes out with every packet.
    pub(crate) fn new_mid(&self) -> String {
        (self.next_mid.fetch_add(1, Ordering::Relaxed) % MIDS).to_string()
    }

    /// Closes it on this side only: the worker knows, or will not hear any more. False when it was closed already.
    pub(crate) fn shut(&self, reason: CloseReason) -> bool {
        if !self.entity.shut(reason) {
            return false;
        }
        self.router.transports.remove(self.entity.number);
        if let Kind::WebRtc(webrtc) = &self.kind {
            webrtc.shut(self.entity.number);
        }
        // Consumers first: one whose producer is on this transport too loses the transport, not the producer.
        for consumer in self.consumers.take() {
            consumer.shut(CloseReason::TransportClosed);
        }
        for producer in self.producers.take() {
            producer.shut(CloseReason::TransportClosed);
        }
        true
    }

    fn close(&self) {
        if self.shut(CloseReason::Requested) {
            self.entity.connection.send(Command::CloseTransport { transport: self.wire_id() });
        }
    }
}

impl Target for TransportInner {
    fn on_event(&self, event: WireEvent) {
        match (&self.kind, event) {
            (_, WireEvent::TransportInternalError { message, .. }) => {
                self.entity.emit(TransportEvent::InternalError(message.as_str().to_owned()));
                self.shut(CloseReason::InternalError);
            }
            (Kind::Plain(tuples), WireEvent::PlainTuple { tuple, .. }) => {
                lock(tuples).tuple = tuple.clone();
                self.entity.emit(TransportEvent::Tuple(tuple));
            }
            (Kind::Plain(tuples), WireEvent::PlainRtcpTuple { tuple, .. }) => {
                lock(tuples).rtcp_tuple = Some(tuple.clone());
                self.entity.emit(TransportEvent::RtcpTuple(tuple));
            }
            (Kind::WebRtc(webrtc), event) => {
                if let Some(event) = webrtc.on_event(event) {
                    self.entity.emit(event);
                }
            }
            (Kind::Plain(_), _) => {}
        }
    }
}

impl Drop for TransportInner {
    fn drop(&mut self) {
        self.close();
    }
}

/// How many media identifications a transport gives before it begins again.
const MIDS: u64 = 100_000_000;
