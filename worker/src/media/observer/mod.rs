//! Observer: tells its host how loud the audio producers of a router are, or who of them leads the conversation.
//!
//! Knows whom it observes, its engine and its interval. Does not know packets: producers count them (`observed`), and are
//! read once an interval. Only packets that are forwarded count: not those of paused producers, nor repairs. A packet
//! without the audio level extension (RFC 6464) counts as none, so who sends no levels is never heard.
//!
//! Invariant: producer and observer name each other or neither does. There is a timer only while somebody is observed
//! and the observer is not paused, and never more than one.

mod observed;

pub(crate) use observed::Observed;

use std::time::Duration;

use tidegate_protocol::bounded::List;
use tidegate_protocol::dump::ObserverDump;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::ObserverId;
use tidegate_protocol::observer::{AudioLevel, AudioLevelObserverOptions, ObserverKind};
use tidegate_protocol::rtp::MediaKind;

use crate::base::table::Key;
use crate::base::time::Time;
use crate::media::deadline::Deadline;
use crate::media::producer::Producer;
use crate::media::refused::Refused;
use crate::media::{EntityKey, ProducerKey, RouterKey, Tables};
use crate::stream::audio_level::{Levels, Loudest};
use crate::stream::speaker::{Scores, leader};
use crate::turn::Turn;

/// Names an observer.
pub(crate) type ObserverKey = Key<Observer>;

/// An observer's own state.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) id: ObserverId,
    pub(crate) router: RouterKey,
    engine: Engine,
    /// In the order in which they were added.
    producers: Vec<Watched>,
    interval: Duration,
    /// When the interval ends; `None` while there is nothing to tell.
    due: Option<Time>,
    /// A timer is set.
    is_armed: bool,
    is_paused: bool,
}

const _: () = assert!(size_of::<Observer>() <= 88);

/// What an observer looks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    /// Who is loud.
    AudioLevel(Loudest),
    /// Who leads; the one who does now.
    ActiveSpeaker(Option<ProducerKey>),
}

/// A producer that is observed.
#[derive(Clone, Copy, Debug)]
struct Watched {
    key: ProducerKey,
    /// What was counted when the interval began.
    levels: Levels,
}

const _: () = assert!(size_of::<Watched>() <= 16);

impl Observer {
    pub(crate) fn kind(&self) -> ObserverKind {
        match self.engine {
            Engine::AudioLevel(_) => ObserverKind::AudioLevel,
            Engine::ActiveSpeaker(_) => ObserverKind::ActiveSpeaker,
        }
    }

    /// Whom it observes.
    pub(crate) fn producers(&self) -> impl Iterator<Item = ProducerKey> {
        self.producers.iter().map(|watched| watched.key)
    }

    /// The one who leads, as it was told last.
    pub(crate) fn leads(&self) -> Option<ProducerKey> {
        if let Engine::ActiveSpeaker(leads) = self.engine { leads } else { None }
    }

    /// Whether it has something to tell at times.
    pub(crate) fn is_active(&self) -> bool {
        !self.is_paused && !self.producers.is_empty()
    }

    /// Whether it believes that an interval runs.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some()
    }

    /// Whether it believes that its timer is set.
    pub(crate) fn is_armed(&self) -> bool {
        self.is_armed
    }

    /// Begins an interval, or stops: whether it has just become active or ceased to be. Silence is told to those who
    /// believe that they hear somebody.
    fn start_or_stop(&mut self, turn: &mut Turn<'_>) {
        if self.is_active() {
            self.due.get_or_insert(turn.now + self.interval);
            return;
        }
        self.due = None;
        if let Engine::AudioLevel(loudest) = &mut self.engine
            && loudest.stop()
        {
            turn.outbox.event(Event::AudioLevels { observer: self.id, volumes: List::new() });
        }
    }
}

impl Engine {
    /// An audio level observer's, and how often it tells.
    pub(crate) fn audio_level(options: &AudioLevelObserverOptions) -> Result<(Self, Duration), Refused> {
        let AudioLevelObserverOptions { max_entries, threshold, interval_ms } = *options;
        let entries = u8::try_from(max_entries).ok().filter(|entries| (1..=MAX_ENTRIES).contains(entries));
        let entries = entries.ok_or_else(|| {
            Refused::invalid(format!("maxEntries is {max_entries}; give 1 to {MAX_ENTRIES}"))
        })?;
        if !(-127..=0).contains(&threshold) {
            return Err(Refused::invalid(format!("threshold is {threshold} dBov; give -127 to 0")));
        }
        let interval = interval_ms.clamp(AUDIO_LEVEL_INTERVAL_MS_MIN, INTERVAL_MS_MAX);
        let loudest = Loudest::new(entries, threshold.unsigned_abs());
        Ok((Self::AudioLevel(loudest), Duration::from_millis(interval.into())))
    }

    /// An active speaker observer's, and how often it decides.
    pub(crate) fn active_speaker(interval_ms: u16) -> (Self, Duration) {
        let interval = interval_ms.clamp(ACTIVE_SPEAKER_INTERVAL_MS_MIN, INTERVAL_MS_MAX);
        (Self::ActiveSpeaker(None), Duration::from_millis(interval.into()))
    }
}

/// Makes an observer of nobody, unless its engine was refused.
pub(crate) fn create(
    tables: &mut Tables,
    router: RouterKey,
    id: ObserverId,
    engine: Result<(Engine, Duration), Refused>,
) -> Result<(), Refused> {
    tables.check_unused(id.into())?;
    let (engine, interval) = engine?;
    let Some(owner) = tables.routers.get_mut(router) else {
        return Err(Refused::not_found("the router is not there any more"));
    };
    let key = tables.observers.insert(Observer {
        id,
        router,
        engine,
        producers: Vec::new(),
        interval,
        due: None,
        is_armed: false,
        is_paused: false,
    });
    owner.add_observer(key);
    tables.ids.insert(id.into(), EntityKey::Observer(key));
    Ok(())
}

/// Closes an observer, without a word. Its timer finds nobody.
pub(crate) fn close(tables: &mut Tables, key: ObserverKey) {
    let Some(observer) = tables.observers.remove(key) else { return };
    tables.forget(observer.id);
    for producer in observer.producers() {
        if let Some(producer) = tables.producers.get_mut(producer) {
            forget_observer(producer, key);
        }
    }
    if let Some(router) = tables.routers.get_mut(observer.router) {
        router.remove_observer(key);
    }
}

/// Observes an audio producer of the observer's router from now on.
pub(crate) fn add_producer(
    tables: &mut Tables,
    key: ObserverKey,
    producer_key: ProducerKey,
    turn: &mut Turn<'_>,
) -> Result<(), Refused> {
    let Tables { observers, producers, transports, .. } = tables;
    let Some((observer, producer)) = observers.get_mut(key).zip(producers.get_mut(producer_key)) else {
        return Err(Refused::not_found("the observer or the producer is not there any more"));
    };
    let id = producer.id.0;
    let router = transports.get(producer.transport).map(|transport| transport.router);
    if router != Some(observer.router) {
        return Err(Refused::not_found(format!(
            "producer {id} is not of the observer's router; observe it there"
        )));
    }
    if producer.kind != MediaKind::Audio {
        return Err(Refused::invalid(format!("producer {id} is not audio; only audio can be observed")));
    }
    if producer.observed.as_ref().is_some_and(|observed| observed.observers().contains(&key)) {
        return Err(Refused::duplicate(format!("producer {id} is observed already; add it once")));
    }
    let observed = producer.observed.get_or_insert_with(|| Box::new(Observed::new(turn.now)));
    observed.add(key);
    observer.producers.push(Watched { key: producer_key, levels: observed.levels() });
    observer.start_or_stop(turn);
    arm(tables, key);
    Ok(())
}

/// Observes a producer no more.
pub(crate) fn remove_producer(
    tables: &mut Tables,
    key: ObserverKey,
    producer_key: ProducerKey,
    turn: &mut Turn<'_>,
) -> Result<(), Refused> {
    let Tables { observers, producers, .. } = tables;
    let Some((observer, producer)) = observers.get_mut(key).zip(producers.get_mut(producer_key)) else {
        return Err(Refused::not_found("the observer or the producer is not there any more"));
    };
    if !producer.observed.as_ref().is_some_and(|observed| observed.observers().contains(&key)) {
        let id = producer.id.0;
        return Err(Refused::not_found(format!("producer {id} is not observed; add it first")));
    }
    forget_observer(producer, key);
    forget_producer(observer, producer_key, turn);
    Ok(())
}

/// A producer is closed: nobody observes it any more.
pub(crate) fn on_producer_closed(
    tables: &mut Tables,
    key: ProducerKey,
    observed: Option<Box<Observed>>,
    turn: &mut Turn<'_>,
) {
    let Some(observed) = observed else { return };
    for observer in observed.observers() {
        if let Some(observer) = tables.observers.get_mut(*observer) {
            forget_producer(observer, key, turn);
        }
    }
}

/// Tells nothing until resumed; what was told to be heard is told to be silent.
pub(crate) fn pause(tables: &mut Tables, key: ObserverKey, turn: &mut Turn<'_>) {
    let Some(observer) = tables.observers.get_mut(key) else { return };
    observer.is_paused = true;
    observer.start_or_stop(turn);
}

/// Tells again, of an interval that begins now.
pub(crate) fn resume(tables: &mut Tables, key: ObserverKey, turn: &mut Turn<'_>) {
    let Tables { observers, producers, .. } = tables;
    let Some(observer) = observers.get_mut(key) else { return };
    if !std::mem::replace(&mut observer.is_paused, false) {
        return;
    }
    for watched in &mut observer.producers {
        if let Some(observed) = observed_mut(producers.get_mut(watched.key)) {
            watched.levels = observed.levels();
        }
    }
    observer.start_or_stop(turn);
    arm(tables, key);
}

/// An interval may have ended.
pub(crate) fn on_deadline(tables: &mut Tables, key: ObserverKey, turn: &mut Turn<'_>) {
    let Some(observer) = tables.observers.get_mut(key) else { return };
    observer.is_armed = false;
    if let Some(due) = observer.due.filter(|due| *due <= turn.now) {
        // From when it was due, not from when its timer went off, so that the rhythm is kept.
        let next = due + observer.interval;
        observer.due = Some(if next > turn.now { next } else { turn.now + observer.interval });
        match observer.engine {
            Engine::AudioLevel(_) => tell_levels(tables, key, turn),
            Engine::ActiveSpeaker(leads) => tell_speaker(tables, key, leads, turn),
        }
    }
    arm(tables, key);
}

/// An observer's state.
pub(crate) fn dump(tables: &Tables, key: ObserverKey) -> Option<ObserverDump> {
    let observer = tables.observers.get(key)?;
    let ids = observer.producers().filter_map(|key| Some(tables.producers.get(key)?.id));
    Some(ObserverDump {
        observer: observer.id,
        router: tables.routers.get(observer.router)?.id,
        kind: observer.kind(),
        paused: observer.is_paused,
        producer_ids: List::first_of(ids),
    })
}

fn tell_levels(tables: &mut Tables, key: ObserverKey, turn: &mut Turn<'_>) {
    let Tables { observers, producers, .. } = tables;
    let Some(observer) = observers.get_mut(key) else { return };
    let Engine::AudioLevel(loudest) = &mut observer.engine else { return };
    let means = observer.producers.iter_mut().filter_map(|watched| {
        let producer = producers.get(watched.key)?;
        let levels = producer.observed.as_ref()?.levels();
        let mean = levels.mean_since(std::mem::replace(&mut watched.levels, levels))?;
        Some((producer.id, mean))
    });
    let Some(heard) = loudest.choose(means) else { return };
    let volume = |below: u8| i8::try_from(below).map_or(-127, |below| -below);
    let volumes = heard.into_iter().map(|(producer, mean)| AudioLevel { producer, volume: volume(mean) });
    let volumes = List::first_of(volumes);
    turn.outbox.event(Event::AudioLevels { observer: observer.id, volumes });
}

fn tell_speaker(tables: &mut Tables, key: ObserverKey, leads: Option<ProducerKey>, turn: &mut Turn<'_>) {
    let Tables { observers, producers, .. } = tables;
    let Some(observer) = observers.get_mut(key) else { return };
    let leading = leads.and_then(|key| observed_mut(producers.get_mut(key)));
    let leading = leading.map_or(Scores::SILENCE, |observed| observed.scores(turn.now));
    let others = observer.producers().filter(|key| Some(*key) != leads);
    let scores = others.filter_map(|key| Some((key, observed_mut(producers.get_mut(key))?.scores(turn.now))));
    let Some(key) = leader(&leading, scores) else { return };
    let Some(producer) = producers.get(key).map(|producer| producer.id) else { return };
    observer.engine = Engine::ActiveSpeaker(Some(key));
    turn.outbox.event(Event::DominantSpeaker { observer: observer.id, producer });
}

fn observed_mut(producer: Option<&mut Producer>) -> Option<&mut Observed> {
    producer?.observed.as_deref_mut()
}

/// The producer's half of not being observed any more.
fn forget_observer(producer: &mut Producer, key: ObserverKey) {
    producer.observed.take_if(|observed| !observed.remove(key));
}

/// The observer's half.
fn forget_producer(observer: &mut Observer, key: ProducerKey, turn: &mut Turn<'_>) {
    observer.producers.retain(|watched| watched.key != key);
    if observer.producers.is_empty() {
        observer.producers = Vec::new();
    }
    if let Engine::ActiveSpeaker(leads) = &mut observer.engine {
        leads.take_if(|leads| *leads == key);
    }
    observer.start_or_stop(turn);
}

/// Sets the timer for the end of the interval, if one runs and none is set. One that is set for an earlier interval,
/// which a pause ended, sets the right one when it goes off.
fn arm(tables: &mut Tables, key: ObserverKey) {
    let Some(observer) = tables.observers.get_mut(key) else { return };
    let Some(due) = observer.due.filter(|_| !observer.is_armed) else { return };
    observer.is_armed = true;
    tables.schedule(Deadline::Observer(key), due);
}

/// As many as fit an event.
const MAX_ENTRIES: u8 = 64;
const AUDIO_LEVEL_INTERVAL_MS_MIN: u16 = 250;
const ACTIVE_SPEAKER_INTERVAL_MS_MIN: u16 = 100;
const INTERVAL_MS_MAX: u16 = 5_000;
