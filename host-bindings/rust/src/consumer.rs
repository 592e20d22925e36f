//! Consumers: what a router sends to a peer.

use std::sync::{Arc, Mutex, Weak};

use tidegate_protocol::bounded::List;
use tidegate_protocol::dump::ConsumerDump;
use tidegate_protocol::event::{ConsumerScore, Event as WireEvent};
use tidegate_protocol::ids::ConsumerId;
use tidegate_protocol::ortc;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::{self as wire, MediaKind, RtpType};
use tidegate_protocol::stats::ConsumerStats;

use crate::connection::Target;
use crate::entity::{CloseReason, Entity, EntityEvent};
use crate::error::RequestError;
use crate::events::{Event, Events};
use crate::producer::{Producer, ProducerInner};
use crate::rtp::RtpParameters;
use crate::sync::lock;
use crate::transport::TransportInner;

/// What a consumer sends.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// What it consumes; must belong to the same router.
    pub producer: Producer,
    /// What the peer receives. `None` takes the producer's codecs, payload types and header extensions as they are,
    /// with one stream of a random SSRC (and the next one for retransmissions, if the producer has RTX).
    pub rtp_parameters: Option<RtpParameters>,
    /// Starts paused; false by default. Resume it when the peer is ready, so that no key frame is lost.
    pub paused: bool,
    /// Opus packets of silence are not forwarded; false by default.
    pub ignore_dtx: bool,
}

impl ConsumerOptions {
    /// The producer as it is, not paused.
    pub fn new(producer: &Producer) -> Self {
        Self { producer: producer.clone(), rtp_parameters: None, paused: false, ignore_dtx: false }
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
        let rtp_parameters = match &options.rtp_parameters {
            Some(given) => given.try_into()?,
            None => {
                let ssrc = transport.entity.connection.new_ssrcs(2);
                ortc::consumer_parameters(&producer.rtp_parameters, ssrc)
            }
        };
        let inner = ConsumerInner::new(transport, &options, rtp_parameters.clone());
        let mapped = producer.mapping.encodings.iter().map(|encoding| encoding.mapped_ssrc);
        let command = Command::Consume {
            transport: transport.wire_id(),
            consumer: inner.wire_id(),
            producer: producer.wire_id(),
            kind: producer.kind,
            rtp_parameters,
            consumer_type: producer.rtp_type(),
            consumable_ssrcs: List::first_of(mapped),
            paused: options.paused,
            ignore_dtx: options.ignore_dtx,
        };
        let created = Arc::clone(&inner);
        let created = inner.entity.request(command, move |reply| created.on_consumed(reply)).await;
        created.inspect_err(|error| inner.on_failed(error))?;
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
    pub fn rtp_parameters(&self) -> RtpParameters {
        (&self.inner.rtp_parameters).into()
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

/// The consumer itself.
#[derive(Debug)]
pub(crate) struct ConsumerInner {
    entity: Entity<ConsumerEvent>,
    kind: MediaKind,
    consumer_type: RtpType,
    rtp_parameters: wire::RtpParameters,
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
        rtp_parameters: wire::RtpParameters,
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
            consumer_type: producer.rtp_type(),
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

    /// After a creation that failed: what was refused does not exist in the worker, so there is nothing to close
    /// there. Whatever else went wrong, it may exist, and is closed when it is dropped.
    fn on_failed(&self, error: &RequestError) {
        if error.kind().is_some() {
            self.shut(CloseReason::Requested);
        }
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
