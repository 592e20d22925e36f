//! Observers: who of a router's audio producers is loud, and who leads the conversation.
//!
//! Knows which producers are observed, so that events can name them by their public ids. Does not keep them alive. Both
//! kinds are one [`ObserverInner`] with events of their own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tidegate_protocol::dump::ObserverDump;
use tidegate_protocol::event::Event as WireEvent;
use tidegate_protocol::ids::{ObserverId, ProducerId, RouterId};
use tidegate_protocol::observer as wire;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;

use crate::connection::Target;
use crate::entity::{Children, CloseReason, Entity, EntityEvent, on_creation_failed};
use crate::error::RequestError;
use crate::events::{Event, Events};
use crate::producer::{Producer, ProducerInner};
use crate::router::RouterInner;
use crate::sync::lock;

/// What an audio level observer tells, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevelObserverOptions {
    /// How many of the loudest producers are told at most, 1 to 64; 1 by default.
    pub max_entries: u16,
    /// Mean level in dBov below which a producer counts as silent, -127 to 0; -80 by default.
    pub threshold: i8,
    /// Time between two events, in whole milliseconds; taken as the nearest from 250 ms to 5 s; 1 s by default. At least
    /// ten packets of a producer have to come in it.
    pub interval: Duration,
}

impl Default for AudioLevelObserverOptions {
    fn default() -> Self {
        Self { max_entries: 1, threshold: -80, interval: Duration::from_secs(1) }
    }
}

/// How often an active speaker observer decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveSpeakerObserverOptions {
    /// Time between two decisions, in whole milliseconds; taken as the nearest from 100 ms to 5 s; 300 ms by default.
    pub interval: Duration,
}

impl Default for ActiveSpeakerObserverOptions {
    fn default() -> Self {
        Self { interval: Duration::from_millis(300) }
    }
}

/// How loud a producer was in the last interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioLevelVolume {
    /// The public id of the producer.
    pub producer_id: String,
    /// The mean of its levels in dBov (RFC 6464), -127 (silence) to 0 (loudest).
    pub volume: i8,
}

/// What an audio level observer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudioLevelObserverEvent {
    /// Who was heard in the last interval, loudest first. A newer one, or silence, replaces one that still waits.
    Volumes(Vec<AudioLevelVolume>),
    /// Nobody is heard any more. Told once.
    Silence,
    /// It is closed. The last event.
    Closed(CloseReason),
}

/// What an active speaker observer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActiveSpeakerObserverEvent {
    /// Somebody else leads the conversation now. A newer one replaces one that still waits.
    DominantSpeaker {
        /// The public id of their producer.
        producer_id: String,
    },
    /// It is closed. The last event.
    Closed(CloseReason),
}

/// Tells once an interval which audio producers are loud. Only those that send the header extension `ssrc-audio-level` (RFC
/// 6464) are heard. A handle; clones mean the same observer, which closes when the last one is dropped. It does not keep
/// producers alive.
#[derive(Clone, Debug)]
pub struct AudioLevelObserver {
    inner: Arc<ObserverInner<AudioLevelObserverEvent>>,
}

/// Tells who leads the conversation, whenever that changes, by the dominant speaker identification of Volfin and Cohen. Only
/// producers that send the header extension `ssrc-audio-level` (RFC 6464) are heard. Nobody leads until somebody talks.
/// A handle; clones mean the same observer, which closes when the last one is dropped. It does not keep producers alive.
#[derive(Clone, Debug)]
pub struct ActiveSpeakerObserver {
    inner: Arc<ObserverInner<ActiveSpeakerObserverEvent>>,
}

impl AudioLevelObserver {
    pub(crate) async fn create(
        router: &Arc<RouterInner>,
        options: AudioLevelObserverOptions,
    ) -> Result<Self, RequestError> {
        let AudioLevelObserverOptions { max_entries, threshold, interval } = options;
        let options =
            wire::AudioLevelObserverOptions { max_entries, threshold, interval_ms: millis(interval) };
        let inner = ObserverInner::create(router, &router.audio_level_observers, |router, observer| {
            Command::CreateAudioLevelObserver { router, observer, options }
        });
        Ok(Self { inner: inner.await? })
    }
}

impl ActiveSpeakerObserver {
    pub(crate) async fn create(
        router: &Arc<RouterInner>,
        options: ActiveSpeakerObserverOptions,
    ) -> Result<Self, RequestError> {
        let interval_ms = millis(options.interval);
        let inner = ObserverInner::create(router, &router.active_speaker_observers, |router, observer| {
            Command::CreateActiveSpeakerObserver { router, observer, interval_ms }
        });
        Ok(Self { inner: inner.await? })
    }
}

/// The handles differ in nothing but their events.
macro_rules! handle {
    ($handle:ident, $event:ident) => {
        impl $handle {
            /// Its id, random.
            pub fn id(&self) -> &str {
                &self.inner.entity.id
            }

            /// Its number in dumps.
            pub fn wire_id(&self) -> ObserverId {
                self.inner.wire_id()
            }

            /// Observes a producer from now on.
            ///
            /// # Errors
            /// The producer is closed, another router's, not audio, or observed already.
            pub async fn add_producer(&self, producer: &Producer) -> Result<(), RequestError> {
                self.inner.add_producer(&producer.inner).await
            }

            /// Observes a producer no more.
            ///
            /// # Errors
            /// The producer is closed, or not observed.
            pub async fn remove_producer(&self, producer: &Producer) -> Result<(), RequestError> {
                self.inner.remove_producer(&producer.inner).await
            }

            /// Tells nothing until resumed. Idempotent.
            pub async fn pause(&self) -> Result<(), RequestError> {
                self.inner.pause().await
            }

            /// Tells again, of an interval that begins now. Idempotent.
            pub async fn resume(&self) -> Result<(), RequestError> {
                self.inner.resume().await
            }

            /// Whether it is paused.
            pub fn is_paused(&self) -> bool {
                self.inner.paused.load(Ordering::Acquire)
            }

            /// Its state.
            pub async fn dump(&self) -> Result<ObserverDump, RequestError> {
                self.inner.dump().await
            }

            /// Closes it. Effective at once; the worker follows.
            pub fn close(&self) {
                self.inner.close();
            }

            /// Whether it is closed.
            pub fn is_closed(&self) -> bool {
                self.inner.entity.is_closed()
            }

            /// A stream of what it tells.
            pub fn events(&self) -> Events<$event> {
                self.inner.entity.events()
            }
        }
    };
}

handle!(AudioLevelObserver, AudioLevelObserverEvent);
handle!(ActiveSpeakerObserver, ActiveSpeakerObserverEvent);

impl Event for AudioLevelObserverEvent {
    fn replaces(&self, waiting: &Self) -> bool {
        let is_level = |event: &Self| matches!(event, Self::Volumes(_) | Self::Silence);
        is_level(self) && is_level(waiting)
    }
}

impl EntityEvent for AudioLevelObserverEvent {
    fn closed(reason: CloseReason) -> Self {
        Self::Closed(reason)
    }
}

impl Event for ActiveSpeakerObserverEvent {
    fn replaces(&self, waiting: &Self) -> bool {
        let is_speaker = |event: &Self| matches!(event, Self::DominantSpeaker { .. });
        is_speaker(self) && is_speaker(waiting)
    }
}

impl EntityEvent for ActiveSpeakerObserverEvent {
    fn closed(reason: CloseReason) -> Self {
        Self::Closed(reason)
    }
}

/// Events of observers, as the worker tells them.
pub(crate) trait ObserverEvent: EntityEvent + Send + 'static {
    /// `None` when it is about producers that are closed by now, whose end the worker has not heard of yet.
    fn of(event: WireEvent, observed: &Observed) -> Option<Self>
    where
        Self: Sized;
}

impl ObserverEvent for AudioLevelObserverEvent {
    fn of(event: WireEvent, observed: &Observed) -> Option<Self> {
        let WireEvent::AudioLevels { volumes, .. } = event else { return None };
        if volumes.is_empty() {
            return Some(Self::Silence);
        }
        let known = volumes.iter().filter_map(|level| {
            let producer_id = observed.id_of(level.producer)?;
            Some(AudioLevelVolume { producer_id, volume: level.volume })
        });
        Some(known.collect::<Vec<_>>()).filter(|known| !known.is_empty()).map(Self::Volumes)
    }
}

impl ObserverEvent for ActiveSpeakerObserverEvent {
    fn of(event: WireEvent, observed: &Observed) -> Option<Self> {
        let WireEvent::DominantSpeaker { producer, .. } = event else { return None };
        observed.id_of(producer).map(|producer_id| Self::DominantSpeaker { producer_id })
    }
}

/// Producers that are observed, by their numbers. Some may be closed.
#[derive(Debug, Default)]
pub(crate) struct Observed(Mutex<BTreeMap<u64, Weak<ProducerInner>>>);

impl Observed {
    fn add(&self, producer: &Arc<ProducerInner>) {
        let mut all = lock(&self.0);
        all.retain(|_, producer| producer.strong_count() > 0);
        all.insert(producer.wire_id().0, Arc::downgrade(producer));
    }

    fn remove(&self, id: ProducerId) {
        lock(&self.0).remove(&id.0);
    }

    /// The public id of one that is open.
    fn id_of(&self, id: ProducerId) -> Option<String> {
        // Dropped while nothing is locked: it may be the last handle, and close the producer.
        let producer = lock(&self.0).get(&id.0).and_then(Weak::upgrade)?;
        (!producer.entity.is_closed()).then(|| producer.entity.id.clone())
    }
}

/// An observer itself. It keeps its router alive.
#[derive(Debug)]
pub(crate) struct ObserverInner<E: ObserverEvent> {
    entity: Entity<E>,
    router: Arc<RouterInner>,
    observed: Arc<Observed>,
    paused: Arc<AtomicBool>,
}

impl<E: ObserverEvent> ObserverInner<E> {
    async fn create(
        router: &Arc<RouterInner>,
        siblings: &Children<Self>,
        command: impl FnOnce(RouterId, ObserverId) -> Command,
    ) -> Result<Arc<Self>, RequestError> {
        router.entity.ensure_open()?;
        let inner = Arc::new(Self {
            entity: Entity::new("observer", &router.entity.connection),
            router: Arc::clone(router),
            observed: Arc::default(),
            paused: Arc::default(),
        });
        let target: Weak<dyn Target> = Arc::<Self>::downgrade(&inner);
        inner.entity.connection.register(inner.entity.number, target);
        siblings.insert(inner.entity.number, &inner);
        let created = inner.entity.command(command(router.wire_id(), inner.wire_id()), || ()).await;
        created.inspect_err(|error| on_creation_failed(error, |reason| inner.shut(reason)))?;
        Ok(inner)
    }

    fn wire_id(&self) -> ObserverId {
        ObserverId(self.entity.number)
    }

    async fn add_producer(&self, producer: &Arc<ProducerInner>) -> Result<(), RequestError> {
        self.entity.ensure_open()?;
        producer.entity.ensure_open()?;
        let command = Command::AddObservedProducer { observer: self.wire_id(), producer: producer.wire_id() };
        let (observed, weak) = (Arc::clone(&self.observed), Arc::downgrade(producer));
        let added = move || {
            if let Some(producer) = weak.upgrade() {
                observed.add(&producer);
            }
        };
        self.entity.command(command, added).await
    }

    async fn remove_producer(&self, producer: &ProducerInner) -> Result<(), RequestError> {
        self.entity.ensure_open()?;
        producer.entity.ensure_open()?;
        let (observer, id) = (self.wire_id(), producer.wire_id());
        let observed = Arc::clone(&self.observed);
        let removed = move || observed.remove(id);
        self.entity.command(Command::RemoveObservedProducer { observer, producer: id }, removed).await
    }

    async fn pause(&self) -> Result<(), RequestError> {
        let paused = self.set_paused(true);
        self.entity.command(Command::PauseObserver { observer: self.wire_id() }, paused).await
    }

    async fn resume(&self) -> Result<(), RequestError> {
        let resumed = self.set_paused(false);
        self.entity.command(Command::ResumeObserver { observer: self.wire_id() }, resumed).await
    }

    async fn dump(&self) -> Result<ObserverDump, RequestError> {
        let read = |reply| if let Reply::ObserverDump(dump) = reply { Some(dump) } else { None };
        self.entity.request(Command::DumpObserver { observer: self.wire_id() }, read).await
    }

    /// Closes it on this side only: the worker knows, or will not hear any more. False when it was closed already.
    pub(crate) fn shut(&self, reason: CloseReason) -> bool {
        if !self.entity.shut(reason) {
            return false;
        }
        self.router.audio_level_observers.remove(self.entity.number);
        self.router.active_speaker_observers.remove(self.entity.number);
        true
    }

    fn close(&self) {
        if self.shut(CloseReason::Requested) {
            self.entity.connection.send(Command::CloseObserver { observer: self.wire_id() });
        }
    }

    /// What the answer to a pause or resume does.
    fn set_paused(&self, to: bool) -> impl FnOnce() + Send + use<E> {
        let paused = Arc::clone(&self.paused);
        move || paused.store(to, Ordering::Release)
    }
}

impl<E: ObserverEvent> Target for ObserverInner<E> {
    fn on_event(&self, event: WireEvent) {
        if let Some(event) = E::of(event, &self.observed) {
            self.entity.emit(event);
        }
    }
}

impl<E: ObserverEvent> Drop for ObserverInner<E> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Milliseconds for the wire; the worker takes what is out of range to the nearest end.
fn millis(interval: Duration) -> u16 {
    u16::try_from(interval.as_millis()).unwrap_or(u16::MAX)
}
