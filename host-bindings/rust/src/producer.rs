//! Producers: what a peer sends into a router.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use tidegate_protocol::dump::ProducerDump;
use tidegate_protocol::event::{Event as WireEvent, StreamScore, VideoOrientation};
use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::ortc::dictionary::{MediaKind, RtpCapabilities, RtpParameters};
use tidegate_protocol::ortc::{self, OrtcError};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::{RtpMapping, RtpType};
use tidegate_protocol::stats::RtpStreamStats;
use tidegate_protocol::trace::{Trace, TraceType, TraceTypes};

use crate::connection::Target;
use crate::consumer::ConsumerInner;
use crate::entity::{Children, CloseReason, Entity, EntityEvent, on_creation_failed};
use crate::error::RequestError;
use crate::events::{Event, Events};
use crate::sync::lock;
use crate::transport::TransportInner;

/// What a producer receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerOptions {
    /// Audio or video.
    pub kind: MediaKind,
    /// What the peer sends; only feedback that is named here is sent to it. All producers of a transport get the CNAME
    /// of the first one, or a random one if that has none.
    pub rtp_parameters: RtpParameters,
    /// Starts paused; false by default.
    pub paused: bool,
    /// Least time between two key frame requests to the peer, in whole milliseconds; 0 takes the worker's default
    /// of 500 ms.
    pub key_frame_request_delay: Duration,
}

impl ProducerOptions {
    /// Not paused, key frame requests at the worker's default pace.
    pub fn new(kind: MediaKind, rtp_parameters: RtpParameters) -> Self {
        Self { kind, rtp_parameters, paused: false, key_frame_request_delay: Duration::ZERO }
    }
}

/// What a peer sends into a router. A handle; clones mean the same producer, which closes when the last one is
/// dropped. Its consumers do not keep it alive: they close with it.
#[derive(Clone, Debug)]
pub struct Producer {
    pub(crate) inner: Arc<ProducerInner>,
}

/// What happens to a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProducerEvent {
    /// Its scores changed: one entry a stream that was seen. A newer one replaces one that still waits.
    Score(Vec<StreamScore>),
    /// The camera is held otherwise than before; the first one comes with the first packet that says how. A newer one
    /// replaces one that still waits.
    VideoOrientation(VideoOrientation),
    /// One of the packets or messages that [`Producer::enable_trace_event`] asked for.
    Trace(Box<Trace>),
    /// It is closed, and its consumers. The last event.
    Closed(CloseReason),
}

impl Producer {
    pub(crate) async fn create(
        transport: &Arc<TransportInner>,
        options: ProducerOptions,
    ) -> Result<Self, RequestError> {
        transport.entity.ensure_open()?;
        let negotiated = Negotiated::new(transport, &options)?;
        let rtp_parameters = ortc::to_wire(&negotiated.rtp_parameters)?;
        let rtp_mapping = negotiated.mapping.clone();
        let delay_ms = u32::try_from(options.key_frame_request_delay.as_millis()).unwrap_or(u32::MAX);

        let inner = ProducerInner::new(transport, &options, negotiated);
        let command = Command::Produce {
            transport: transport.wire_id(),
            producer: inner.wire_id(),
            kind: options.kind,
            rtp_parameters,
            rtp_mapping,
            paused: options.paused,
            key_frame_request_delay_ms: delay_ms,
        };
        let created = Arc::clone(&inner);
        let read = move |reply| {
            let Reply::Produced { producer_type } = reply else { return None };
            created.producer_type.set(producer_type).ok()
        };
        let created = inner.entity.request(command, read).await;
        created.inspect_err(|error| on_creation_failed(error, |reason| inner.shut(reason)))?;
        Ok(Self { inner })
    }

    /// Its id, random.
    pub fn id(&self) -> &str {
        &self.inner.entity.id
    }

    /// Its number in dumps and statistics.
    pub fn wire_id(&self) -> ProducerId {
        self.inner.wire_id()
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.inner.kind
    }

    /// How its encodings relate.
    pub fn rtp_type(&self) -> RtpType {
        self.inner.rtp_type()
    }

    /// What the peer sends, with the CNAME of the transport.
    pub fn rtp_parameters(&self) -> &RtpParameters {
        &self.inner.rtp_parameters
    }

    /// The same as the router's consumers see it: with the router's payload types, feedback, RTX and header
    /// extensions, and with SSRCs that only the router knows.
    pub fn consumable_rtp_parameters(&self) -> &RtpParameters {
        &self.inner.consumable_rtp_parameters
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.inner.paused.load(Ordering::Acquire)
    }

    /// Its latest scores: one entry a stream that was seen.
    pub fn score(&self) -> Vec<StreamScore> {
        lock(&self.inner.score).clone()
    }

    /// Forwards nothing until resumed; its consumers are told. Idempotent.
    pub async fn pause(&self) -> Result<(), RequestError> {
        let paused = self.inner.set_paused(true);
        self.inner.entity.command(Command::PauseProducer { producer: self.wire_id() }, paused).await
    }

    /// Forwards again, from a key frame on; its consumers are told. Idempotent.
    pub async fn resume(&self) -> Result<(), RequestError> {
        let resumed = self.inner.set_paused(false);
        self.inner.entity.command(Command::ResumeProducer { producer: self.wire_id() }, resumed).await
    }

    /// Tells these kinds of packets and messages as [`ProducerEvent::Trace`] from now on, instead of those before; none
    /// ends it. In each second it tells 200 packets and 200 other things at most, and fewer when this host is slow; the
    /// worker's counter `trace_events_dropped` says how many were left out.
    pub async fn enable_trace_event(&self, types: &[TraceType]) -> Result<(), RequestError> {
        let types = trace_types(types);
        let command = Command::EnableProducerTrace { producer: self.wire_id(), types };
        self.inner.entity.command(command, || ()).await
    }

    /// Its state.
    pub async fn dump(&self) -> Result<ProducerDump, RequestError> {
        let read = |reply| if let Reply::ProducerDump(dump) = reply { Some(*dump) } else { None };
        self.inner.entity.request(Command::DumpProducer { producer: self.wire_id() }, read).await
    }

    /// Its counters, one entry a stream.
    pub async fn get_stats(&self) -> Result<Vec<RtpStreamStats>, RequestError> {
        let read =
            |reply| if let Reply::ProducerStats(stats) = reply { Some(stats.into_vec()) } else { None };
        self.inner.entity.request(Command::GetProducerStats { producer: self.wire_id() }, read).await
    }

    /// Closes it and its consumers. Effective at once; the worker follows.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.entity.is_closed()
    }

    /// A stream of what happens to it.
    pub fn events(&self) -> Events<ProducerEvent> {
        self.inner.entity.events()
    }
}

/// Each kind once, in any order.
pub(crate) fn trace_types(types: &[TraceType]) -> TraceTypes {
    TraceTypes::first_of(TraceType::ALL.into_iter().filter(|kind| types.contains(kind)))
}

impl Event for ProducerEvent {
    fn replaces(&self, waiting: &Self) -> bool {
        matches!(
            (self, waiting),
            (Self::Score(_), Self::Score(_)) | (Self::VideoOrientation(_), Self::VideoOrientation(_))
        )
    }
}

impl EntityEvent for ProducerEvent {
    fn closed(reason: CloseReason) -> Self {
        Self::Closed(reason)
    }
}

/// What is known of a producer before the worker is asked.
struct Negotiated {
    rtp_parameters: RtpParameters,
    consumable: RtpParameters,
    mapping: RtpMapping,
}

impl Negotiated {
    fn new(transport: &TransportInner, options: &ProducerOptions) -> Result<Self, OrtcError> {
        let router: &RtpCapabilities = &transport.router.capabilities();
        let mut rtp_parameters = options.rtp_parameters.clone();
        let mapped_ssrc = transport.entity.connection.new_ssrcs(rtp_parameters.encodings.len());
        let mapping = ortc::producer_mapping(options.kind, &rtp_parameters, router, mapped_ssrc)?;
        let cname = &mut rtp_parameters.rtcp.cname;
        *cname = transport.cname(cname).to_owned();
        let consumable = ortc::consumable_rtp_parameters(options.kind, &rtp_parameters, router, &mapping)?;
        Ok(Self { rtp_parameters, consumable, mapping })
    }
}

/// The producer itself.
#[derive(Debug)]
pub(crate) struct ProducerInner {
    pub(crate) entity: Entity<ProducerEvent>,
    pub(crate) kind: MediaKind,
    rtp_parameters: RtpParameters,
    pub(crate) consumable_rtp_parameters: RtpParameters,
    pub(crate) transport: Arc<TransportInner>,
    pub(crate) consumers: Children<ConsumerInner>,
    producer_type: OnceLock<RtpType>,
    paused: Arc<AtomicBool>,
    score: Mutex<Vec<StreamScore>>,
}

impl ProducerInner {
    /// A producer that the worker does not know yet.
    fn new(transport: &Arc<TransportInner>, options: &ProducerOptions, negotiated: Negotiated) -> Arc<Self> {
        let inner = Arc::new(Self {
            entity: Entity::new("producer", &transport.entity.connection),
            kind: options.kind,
            rtp_parameters: negotiated.rtp_parameters,
            consumable_rtp_parameters: negotiated.consumable,
            transport: Arc::clone(transport),
            consumers: Children::default(),
            producer_type: OnceLock::new(),
            paused: Arc::new(AtomicBool::new(options.paused)),
            score: Mutex::default(),
        });
        let target: Weak<dyn Target> = Arc::<Self>::downgrade(&inner);
        inner.entity.connection.register(inner.entity.number, target);
        transport.producers.insert(inner.entity.number, &inner);
        inner
    }

    pub(crate) fn wire_id(&self) -> ProducerId {
        ProducerId(self.entity.number)
    }

    /// Set by the answer to its creation, before which no handle is given out.
    pub(crate) fn rtp_type(&self) -> RtpType {
        self.producer_type.get().copied().unwrap_or(RtpType::Simple)
    }

    /// Closes it on this side only: the worker knows, or will not hear any more. False when it was closed already.
    pub(crate) fn shut(&self, reason: CloseReason) -> bool {
        if !self.entity.shut(reason) {
            return false;
        }
        self.transport.producers.remove(self.entity.number);
        for consumer in self.consumers.take() {
            consumer.shut(CloseReason::ProducerClosed);
        }
        true
    }

    fn close(&self) {
        if self.shut(CloseReason::Requested) {
            self.entity.connection.send(Command::CloseProducer { producer: self.wire_id() });
        }
    }

    /// What the answer to a pause or resume does.
    fn set_paused(&self, to: bool) -> impl FnOnce() + Send + use<> {
        let paused = Arc::clone(&self.paused);
        move || paused.store(to, Ordering::Release)
    }
}

impl Target for ProducerInner {
    fn on_event(&self, event: WireEvent) {
        match event {
            WireEvent::ProducerScore { scores, .. } => {
                let scores = scores.into_vec();
                lock(&self.score).clone_from(&scores);
                self.entity.emit(ProducerEvent::Score(scores));
            }
            WireEvent::ProducerVideoOrientation { orientation, .. } => {
                self.entity.emit(ProducerEvent::VideoOrientation(orientation));
            }
            WireEvent::ProducerTrace { trace, .. } => {
                self.entity.emit(ProducerEvent::Trace(Box::new(trace)));
            }
            _ => {}
        }
    }
}

impl Drop for ProducerInner {
    fn drop(&mut self) {
        self.close();
    }
}
