//! Consumers: what a router sends to a peer.

use std::sync::{Arc, Mutex, Weak};

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::dump::ConsumerDump;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::{ConsumerScore, Event as WireEvent};
use tidegate_protocol::ids::ConsumerId;
use tidegate_protocol::ortc::dictionary::{MediaKind, RtpCapabilities, RtpParameters};
use tidegate_protocol::ortc::{self, ConsumerEncodings, OrtcError};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::RtpType;
use tidegate_protocol::stats::ConsumerStats;
use tidegate_protocol::trace::{Trace, TraceType};

use crate::connection::Target;
use crate::entity::{CloseReason, Entity, EntityEvent, on_creation_failed};
use crate::error::RequestError;
use crate::events::{Event, Events};
use crate::producer::{Producer, ProducerInner, trace_types};
use crate::sync::lock;
use crate::transport::TransportInner;

/// What a consumer sends.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// What it consumes; must belong to the same router.
    pub producer: Producer,
    /// What the peer can receive. It gets the codecs and header extensions that it shares with the producer, by the
    /// router's payload types and ids; the feedback named here is what it may send.
    pub rtp_capabilities: RtpCapabilities,
    /// Starts paused; false by default. Resume it when the peer is ready, so that no key frame is lost.
    pub paused: bool,
    /// Opus packets of silence are not forwarded; false by default.
    pub ignore_dtx: bool,
    /// Media identification (RFC 9143), 1 to 32 bytes, which must be unique within the transport. `None` takes the
    /// next number of the transport, from 0 on.
    pub mid: Option<String>,
    /// Whether lost packets are sent again when the peer asks with NACK, if it can: as RTX where its capabilities
    /// have it, else as they were. `None` means yes for video, no for audio.
    pub enable_rtx: Option<bool>,
    /// The peer receives by the payload types and header extension ids that `rtp_capabilities` prefer, instead of the
    /// router's; false by default. For a peer that made the offer (WHEP): what it named there is what it understands
    /// (RFC 3264 5.1).
    pub endpoint_numbers: bool,
    /// All streams of the producer side by side, instead of one that switches between them, and no MID.
    pub pipe: bool,
}

impl ConsumerOptions {
    /// What `rtp_capabilities` allow of a producer, not paused.
    pub fn new(producer: &Producer, rtp_capabilities: RtpCapabilities) -> Self {
        Self {
            producer: producer.clone(),
            rtp_capabilities,
            paused: false,
            ignore_dtx: false,
            mid: None,
            enable_rtx: None,
            endpoint_numbers: false,
            pipe: false,
        }
    }
}

/// What a router sends to a peer. A handle; clones mean the same consumer, which closes when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Consumer {
    inner: Arc<ConsumerInner>,
}

/// What happens to a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// Its scores changed. A newer one replaces one that still waits.
    Score(ConsumerScore),
    /// One of the packets or messages that [`Consumer::enable_trace_event`] asked for.
    Trace(Box<Trace>),
    /// Its producer was paused.
    ProducerPaused,
    /// Its producer was resumed.
    ProducerResumed,
    /// It is closed. The last event.
    Closed(CloseReason),
}

impl Consumer {
    pub(crate) async fn create(
        transport: &Arc<TransportInner>,
        options: ConsumerOptions,
    ) -> Result<Self, RequestError> {
        transport.entity.ensure_open()?;
        let producer = &options.producer.inner;
        producer.entity.ensure_open()?;
        let rtp_parameters = negotiate(transport, &options)?;
        let wire_parameters = ortc::to_wire(&rtp_parameters)?;
        let inner = ConsumerInner::new(transport, &options, rtp_parameters);
        let consumable = &producer.consumable_rtp_parameters.encodings;
        let consumable_ssrcs = List::first_of(consumable.iter().filter_map(|encoding| encoding.ssrc));
        let command = Command::Consume {
            transport: transport.wire_id(),
            consumer: inner.wire_id(),
            producer: producer.wire_id(),
            kind: producer.kind,
            rtp_parameters: wire_parameters,
            consumer_type: inner.consumer_type,
            consumable_ssrcs,
            paused: options.paused,
            ignore_dtx: options.ignore_dtx,
        };
        let created = Arc::clone(&inner);
        let created = inner.entity.request(command, move |reply| created.on_consumed(reply)).await;
        created.inspect_err(|error| on_creation_failed(error, |reason| inner.shut(reason)))?;
        Ok(Self { inner })
    }

    /// Its id, random.
    pub fn id(&self) -> &str {
        &self.inner.entity.id
    }

    /// Its number in dumps and statistics.
    pub fn wire_id(&self) -> ConsumerId {
        self.inner.wire_id()
    }

    /// The public id of its producer.
    pub fn producer_id(&self) -> &str {
        &self.inner.producer_id
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.inner.kind
    }

    /// How its encodings relate.
    pub fn rtp_type(&self) -> RtpType {
        self.inner.consumer_type
    }

    /// What the peer receives: all that an SDP needs.
    pub fn rtp_parameters(&self) -> &RtpParameters {
        &self.inner.rtp_parameters
    }

    /// Whether it is paused itself.
    pub fn is_paused(&self) -> bool {
        lock(&self.inner.state).paused
    }

    /// Whether its producer is.
    pub fn is_producer_paused(&self) -> bool {
        lock(&self.inner.state).producer_paused
    }

    /// Its priority, 1 to 255.
    pub fn priority(&self) -> u8 {
        lock(&self.inner.state).priority
    }

    /// Its latest scores.
    pub fn score(&self) -> ConsumerScore {
        lock(&self.inner.state).score.clone()
    }

    /// Sends nothing until resumed. Idempotent.
    pub async fn pause(&self) -> Result<(), RequestError> {
        self.change(Command::PauseConsumer { consumer: self.wire_id() }, |state| state.paused = true).await
    }

    /// Sends again, with the next sequence number, from a key frame on. Idempotent.
    pub async fn resume(&self) -> Result<(), RequestError> {
        self.change(Command::ResumeConsumer { consumer: self.wire_id() }, |state| state.paused = false).await
    }

    /// Asks the producer's peer for a key frame.
    pub async fn request_key_frame(&self) -> Result<(), RequestError> {
        self.change(Command::RequestKeyFrame { consumer: self.wire_id() }, |_| ()).await
    }

    /// Sets its share when bandwidth is scarce: 1 (the default) to 255.
    pub async fn set_priority(&self, priority: u8) -> Result<(), RequestError> {
        let command = Command::SetConsumerPriority { consumer: self.wire_id(), priority };
        self.change(command, move |state| state.priority = priority).await
    }

    /// Tells these kinds of packets and messages as [`ConsumerEvent::Trace`] from now on, instead of those before; none
    /// ends it. In each second it tells 200 packets and 200 other things at most, and fewer when this host is slow; the
    /// worker's counter `trace_events_dropped` says how many were left out.
    pub async fn enable_trace_event(&self, types: &[TraceType]) -> Result<(), RequestError> {
        let types = trace_types(types);
        self.change(Command::EnableConsumerTrace { consumer: self.wire_id(), types }, |_| ()).await
    }

    /// Its state.
    pub async fn dump(&self) -> Result<ConsumerDump, RequestError> {
        let read = |reply| if let Reply::ConsumerDump(dump) = reply { Some(*dump) } else { None };
        self.inner.entity.request(Command::DumpConsumer { consumer: self.wire_id() }, read).await
    }

    /// Its counters and those of its producer's stream.
    pub async fn get_stats(&self) -> Result<ConsumerStats, RequestError> {
        let read = |reply| if let Reply::ConsumerStats(stats) = reply { Some(*stats) } else { None };
        self.inner.entity.request(Command::GetConsumerStats { consumer: self.wire_id() }, read).await
    }

    /// Closes it. Effective at once; the worker follows.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.entity.is_closed()
    }

    /// A stream of what happens to it.
    pub fn events(&self) -> Events<ConsumerEvent> {
        self.inner.entity.events()
    }

    async fn change(
        &self,
        command: Command,
        change: impl FnOnce(&mut State) + Send + 'static,
    ) -> Result<(), RequestError> {
        let inner = Arc::clone(&self.inner);
        self.inner.entity.command(command, move || change(&mut lock(&inner.state))).await
    }
}

impl Event for ConsumerEvent {
    fn replaces(&self, waiting: &Self) -> bool {
        matches!((self, waiting), (Self::Score(_), Self::Score(_)))
    }
}

impl EntityEvent for ConsumerEvent {
    fn closed(reason: CloseReason) -> Self {
        Self::Closed(reason)
    }
}

/// What the peer will receive.
fn negotiate(transport: &TransportInner, options: &ConsumerOptions) -> Result<RtpParameters, OrtcError> {
    let mid = if options.pipe { None } else { options.mid.clone() };
    check_mid(mid.as_deref())?;
    let producer = &options.producer.inner;
    let consumable = &producer.consumable_rtp_parameters;
    let (connection, streams) = (&transport.entity.connection, consumable.encodings.len());
    let (ssrc, encodings) = if options.pipe {
        let ssrc = connection.new_ssrcs(streams);
        (ssrc, ConsumerEncodings::All { rtx_ssrc: connection.new_ssrcs(streams) })
    } else {
        // RTX has the one after the stream's.
        (connection.new_ssrcs(2), ConsumerEncodings::One)
    };
    let enable_rtx = options.enable_rtx.unwrap_or(producer.kind == MediaKind::Video);
    let decided = ortc::ConsumerOptions { ssrc, enable_rtx, mid, encodings };
    let negotiate =
        if options.endpoint_numbers { ortc::offered_rtp_parameters } else { ortc::consumer_rtp_parameters };
    let mut rtp_parameters = negotiate(consumable, &options.rtp_capabilities, &decided)?;
    if !options.pipe {
        rtp_parameters.mid.get_or_insert_with(|| transport.new_mid());
    }
    Ok(rtp_parameters)
}

fn check_mid(mid: Option<&str>) -> Result<(), OrtcError> {
    let message = match mid.map(Text::<32>::try_from) {
        Some(Ok(text)) if text.is_empty() => "the MID is empty; leave it out or give one".to_owned(),
        Some(Err(too_long)) => too_long.to_string(),
        _ => return Ok(()),
    };
    Err(OrtcError { kind: ErrorKind::InvalidArgument, field: "mid".to_owned(), message })
}

/// The consumer itself.
#[derive(Debug)]
pub(crate) struct ConsumerInner {
    entity: Entity<ConsumerEvent>,
    kind: MediaKind,
    consumer_type: RtpType,
    rtp_parameters: RtpParameters,
    producer_id: String,
    producer: Weak<ProducerInner>,
    transport: Arc<TransportInner>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    paused: bool,
    producer_paused: bool,
    priority: u8,
    score: ConsumerScore,
}

impl ConsumerInner {
    /// A consumer that the worker does not know yet.
    fn new(
        transport: &Arc<TransportInner>,
        options: &ConsumerOptions,
        rtp_parameters: RtpParameters,
    ) -> Arc<Self> {
        let producer = &options.producer;
        let state = State {
            paused: options.paused,
            producer_paused: producer.is_paused(),
            priority: PRIORITY_DEFAULT,
            score: ConsumerScore::default(),
        };
        let inner = Arc::new(Self {
            entity: Entity::new("consumer", &transport.entity.connection),
            kind: producer.kind(),
            consumer_type: if options.pipe { RtpType::Pipe } else { producer.rtp_type() },
            rtp_parameters,
            producer_id: producer.id().to_owned(),
            producer: Arc::downgrade(&producer.inner),
            transport: Arc::clone(transport),
            state: Mutex::new(state),
        });
        let target: Weak<dyn Target> = Arc::<Self>::downgrade(&inner);
        inner.entity.connection.register(inner.entity.number, target);
        transport.consumers.insert(inner.entity.number, &inner);
        producer.inner.consumers.insert(inner.entity.number, &inner);
        inner
    }

    fn wire_id(&self) -> ConsumerId {
        ConsumerId(self.entity.number)
    }

    /// Closes it on this side only: the worker knows, or will not hear any more. False when it was closed already.
    pub(crate) fn shut(&self, reason: CloseReason) -> bool {
        if !self.entity.shut(reason) {
            return false;
        }
        self.transport.consumers.remove(self.entity.number);
        if let Some(producer) = self.producer.upgrade() {
            producer.consumers.remove(self.entity.number);
        }
        true
    }

    fn close(&self) {
        if self.shut(CloseReason::Requested) {
            self.entity.connection.send(Command::CloseConsumer { consumer: self.wire_id() });
        }
    }

    fn on_consumed(&self, reply: Reply) -> Option<()> {
        let Reply::Consumed { paused, producer_paused, score } = reply else { return None };
        let mut state = lock(&self.state);
        state.paused = paused;
        state.producer_paused = producer_paused;
        state.score = score;
        Some(())
    }
}

impl Target for ConsumerInner {
    fn on_event(&self, event: WireEvent) {
        match event {
            WireEvent::ConsumerScore { score, .. } => {
                lock(&self.state).score.clone_from(&score);
                self.entity.emit(ConsumerEvent::Score(score));
            }
            WireEvent::ConsumerTrace { trace, .. } => {
                self.entity.emit(ConsumerEvent::Trace(Box::new(trace)));
            }
            WireEvent::ConsumerProducerPaused { .. } => {
                lock(&self.state).producer_paused = true;
                self.entity.emit(ConsumerEvent::ProducerPaused);
            }
            WireEvent::ConsumerProducerResumed { .. } => {
                lock(&self.state).producer_paused = false;
                self.entity.emit(ConsumerEvent::ProducerResumed);
            }
            WireEvent::ConsumerProducerClosed { .. } => {
                self.shut(CloseReason::ProducerClosed);
            }
            _ => {}
        }
    }
}

impl Drop for ConsumerInner {
    fn drop(&mut self) {
        self.close();
    }
}

/// What consumers start with.
const PRIORITY_DEFAULT: u8 = 1;
