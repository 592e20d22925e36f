//! What leaves the core: sealed datagrams for the network; responses, events and log lines for the host.
//!
//! Knows classes of events and its own bounds. Does not know the pipe: the event loop takes messages out as fast as
//! the host reads. Invariant: order is kept, so an event never overtakes the response that created its entity.

mod log;
mod quota;

use std::collections::VecDeque;
use std::mem::Discriminant;
use std::panic::Location;

use tidegate_protocol::bounded::Text;
use tidegate_protocol::error::CommandError;
use tidegate_protocol::event::{Event, EventClass};
use tidegate_protocol::ids::{EntityId, RequestId};
use tidegate_protocol::message::FromWorker;
pub use tidegate_protocol::message::{LogLevel, LogTag};
use tidegate_protocol::response::Reply;

use crate::base::time::Time;
use crate::network::SendBatch;
pub use crate::outbox::log::{LINES_PER_SECOND, LogSettings};
use crate::outbox::log::{LogQuota, Suppressed};
use crate::outbox::quota::Quota;
pub use crate::outbox::quota::TRACES_PER_SECOND;
use crate::random::KeyedMap;

/// Filled by the core, emptied by the shell.
#[derive(Debug)]
pub struct Outbox {
    /// Sealed datagrams, sent at the end of the turn or when it is full.
    pub batch: SendBatch,
    queue: VecDeque<FromWorker>,
    /// How many messages have left the front of `queue`: the place of its first one, counted from the start.
    popped: u64,
    /// Where an event that may be replaced waits, counted from the start.
    waiting: KeyedMap<(Discriminant<Event>, Option<EntityId>), u64>,
    traces: Quota,
    log: LogSettings,
    lines: LogQuota,
    counters: OutboxCounters,
}

/// What happened to messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounters {
    /// Events put in.
    pub events: u64,
    /// Events that took the place of a waiting one.
    pub events_merged: u64,
    /// Events dropped because too much waited.
    pub events_dropped: u64,
    /// Trace events dropped because an entity had told enough, or because too much waited.
    pub traces_dropped: u64,
    /// Log lines dropped because too much waited.
    pub log_lines_dropped: u64,
    /// Log lines left out because their place in the code had said enough.
    pub log_lines_suppressed: u64,
}

impl Outbox {
    /// An empty outbox that sends log lines as `log` says.
    pub fn new(hasher: crate::random::KeyedState, log: LogSettings) -> Self {
        Self {
            batch: SendBatch::new(),
            queue: VecDeque::new(),
            popped: 0,
            waiting: KeyedMap::with_hasher(hasher),
            traces: Quota::new(hasher),
            log,
            lines: LogQuota::default(),
            counters: OutboxCounters::default(),
        }
    }

    /// Answers a request. The shell reads no further requests while [`Self::is_full`], so this is bounded.
    pub fn respond(&mut self, id: RequestId, result: Result<Reply, CommandError>) {
        self.queue.push_back(FromWorker::Response { id, result });
    }

    /// Tells the host; what the class allows may be merged or dropped.
    pub fn event(&mut self, event: Event) {
        self.counters.events += 1;
        match event.class() {
            EventClass::MustArrive => self.queue.push_back(FromWorker::Event(event)),
            EventClass::LatestWins => self.replace_or_push(event),
            EventClass::MayDrop if self.is_full() => self.counters.events_dropped += 1,
            EventClass::MayDrop => self.queue.push_back(FromWorker::Event(event)),
        }
    }

    /// Tells the host of one thing that happened to `entity`, in the words that `event` makes; at most
    /// [`TRACES_PER_SECOND`] packets and as many other things in a second. When much waits nothing is added to it: traces
    /// alone never keep requests waiting.
    pub fn trace(&mut self, now: Time, entity: EntityId, is_packet: bool, event: impl FnOnce() -> Event) {
        if self.queue.len() < TRACES_WAITING_MAX && self.traces.take(now, entity, is_packet) {
            self.event(event());
        } else {
            self.counters.traces_dropped += 1;
        }
    }

    /// Sends a log line if the settings want it: at most [`LINES_PER_SECOND`] of each place that calls this, and then,
    /// a second later, how many there were besides. When much waits it is dropped: log lines alone never keep requests
    /// waiting. A line that is not wanted costs a test of two fields.
    #[inline]
    #[track_caller]
    pub fn log(&mut self, now: Time, level: LogLevel, tag: LogTag, text: impl FnOnce() -> String) {
        if self.log.wants(level, tag) {
            self.log_at(Location::caller(), now, level, tag, text);
        }
    }

    /// Says what was left out in a second that is over.
    pub fn tell_suppressed(&mut self, now: Time) {
        for suppressed in self.lines.take_suppressed(now) {
            self.push_suppressed(&suppressed);
        }
    }

    /// When to call [`tell_suppressed`](Self::tell_suppressed), if it has to be and was not said before.
    pub fn suppressed_due(&mut self) -> Option<Time> {
        self.lines.arm()
    }

    /// A last message before the worker ends; never dropped.
    pub fn last_words(&mut self, text: &str) {
        let text = Text::clipped(text);
        self.queue.push_back(FromWorker::Log { level: LogLevel::Error, tag: LogTag::Info, text });
    }

    /// The oldest message that waits.
    pub fn pop(&mut self) -> Option<FromWorker> {
        let message = self.queue.pop_front()?;
        self.popped += 1;
        if let FromWorker::Event(event) = &message
            && event.class() == EventClass::LatestWins
        {
            self.waiting.remove(&key_of(event));
        }
        if self.queue.is_empty() && self.queue.capacity() > KEEP_MESSAGES {
            self.queue = VecDeque::new();
        }
        Some(message)
    }

    /// Gives memory back that holds nothing. To be called about once a second while no request is in flight.
    pub fn reclaim(&mut self, now: Time) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
            self.waiting.shrink_to_fit();
        }
        self.traces.reclaim(now);
        self.lines.reclaim(now);
    }

    /// Whether so much waits that no new requests should be read.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= MESSAGES_MAX
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Changes which log lines are sent.
    pub fn set_log(&mut self, log: LogSettings) {
        self.log = log;
    }

    /// Which log lines are sent.
    pub fn log_settings(&self) -> LogSettings {
        self.log
    }

    /// What happened to messages so far.
    pub fn counters(&self) -> OutboxCounters {
        self.counters
    }

    #[cold]
    fn log_at(
        &mut self,
        place: &'static Location<'static>,
        now: Time,
        level: LogLevel,
        tag: LogTag,
        text: impl FnOnce() -> String,
    ) {
        let (may, before) = self.lines.take(place, now, level, tag);
        if let Some(before) = before {
            self.push_suppressed(&before);
        }
        if may {
            self.push_line(level, tag, &text());
        } else {
            self.counters.log_lines_suppressed += 1;
        }
    }

    fn push_suppressed(&mut self, suppressed: &Suppressed) {
        if self.log.wants(suppressed.level, suppressed.tag) {
            self.push_line(suppressed.level, suppressed.tag, &suppressed.to_string());
        }
    }

    fn push_line(&mut self, level: LogLevel, tag: LogTag, text: &str) {
        if self.queue.len() >= TRACES_WAITING_MAX {
            self.counters.log_lines_dropped += 1;
        } else {
            self.queue.push_back(FromWorker::Log { level, tag, text: Text::clipped(text) });
        }
    }

    fn replace_or_push(&mut self, event: Event) {
        let key = key_of(&event);
        let place = self.waiting.get(&key).map(|place| place.wrapping_sub(self.popped));
        let slot = place.and_then(|place| self.queue.get_mut(usize::try_from(place).ok()?));
        if let Some(slot) = slot {
            *slot = FromWorker::Event(event);
            self.counters.events_merged += 1;
        } else {
            self.waiting.insert(key, self.popped + self.queue.len() as u64);
            self.queue.push_back(FromWorker::Event(event));
        }
    }
}

fn key_of(event: &Event) -> (Discriminant<Event>, Option<EntityId>) {
    (std::mem::discriminant(event), event.entity())
}

/// While so many messages wait, requests are left in the pipe and droppable events are dropped.
pub const MESSAGES_MAX: usize = 1_024;
/// While so many messages wait, traces and log lines are dropped.
pub const TRACES_WAITING_MAX: usize = 256;
/// Room for so many messages is kept when the queue runs empty.
const KEEP_MESSAGES: usize = 64;

#[cfg(test)]
mod tests {
    use tidegate_protocol::event::ConsumerScore;
    use tidegate_protocol::ids::ConsumerId;

    use super::*;
    use crate::random::Random;

    fn outbox() -> Outbox {
        Outbox::new(Random::from_seed([1; 32]).hasher(), LogSettings { level: LogLevel::Warn, tags: 0 })
    }

    fn score(consumer: u64, score: u8) -> Event {
        let score = ConsumerScore { score, ..Default::default() };
        Event::ConsumerScore { consumer: ConsumerId(consumer), score }
    }

    #[test]
    fn newest_score_takes_the_place_of_the_waiting_one() {
        let mut outbox = outbox();
        outbox.event(score(1, 9));
        outbox.event(score(2, 8));
        outbox.event(Event::ConsumerProducerPaused { consumer: ConsumerId(1) });
        outbox.event(score(1, 3));
        assert_eq!(outbox.pop(), Some(FromWorker::Event(score(1, 3))));
        outbox.event(score(1, 4));
        assert_eq!(outbox.pop(), Some(FromWorker::Event(score(2, 8))));
        assert_eq!(
            outbox.pop(),
            Some(FromWorker::Event(Event::ConsumerProducerPaused { consumer: ConsumerId(1) }))
        );
        assert_eq!(outbox.pop(), Some(FromWorker::Event(score(1, 4))));
        assert_eq!(outbox.pop(), None);
        assert_eq!(outbox.counters().events_merged, 1);
    }

    #[test]
    fn event_stays_behind_the_response_that_created_its_entity() {
        let mut outbox = outbox();
        outbox.respond(RequestId(1), Ok(Reply::Done));
        outbox.event(score(1, 9));
        assert!(matches!(outbox.pop(), Some(FromWorker::Response { .. })));
    }

    #[test]
    fn traces_stop_long_before_requests_have_to_wait() {
        let mut outbox = outbox();
        let now = Time::from_millis(5_000);
        for consumer in 0..10 {
            for _ in 0..TRACES_PER_SECOND {
                let event = || Event::ConsumerProducerPaused { consumer: ConsumerId(consumer) };
                outbox.trace(now, EntityId(consumer), true, event);
            }
        }
        assert_eq!(outbox.len(), TRACES_WAITING_MAX);
        assert!(!outbox.is_full());
        let dropped = 10 * u64::from(TRACES_PER_SECOND) - TRACES_WAITING_MAX as u64;
        assert_eq!(outbox.counters().traces_dropped, dropped);
    }

    /// What a place in the code says `times` times at `millis`.
    fn says(outbox: &mut Outbox, millis: u64, times: usize) -> Vec<String> {
        for _ in 0..times {
            outbox.log(Time::from_millis(millis), LogLevel::Debug, LogTag::Rtp, || "line".to_owned());
        }
        lines(outbox)
    }

    fn lines(outbox: &mut Outbox) -> Vec<String> {
        let messages = std::iter::from_fn(|| outbox.pop());
        let text = |message| match message {
            FromWorker::Log { text, .. } => text.to_string(),
            other => panic!("{other:?}"),
        };
        messages.map(text).collect()
    }

    fn talkative() -> Outbox {
        let mut outbox = outbox();
        outbox.set_log(LogSettings { level: LogLevel::Debug, tags: 1 << LogTag::Rtp as u32 });
        outbox
    }

    #[test]
    fn log_lines_follow_level_and_tag() {
        let mut outbox = outbox();
        let now = Time::from_millis(1);
        outbox.log(now, LogLevel::Debug, LogTag::Rtp, || unreachable!("not wanted, so not made"));
        outbox.log(now, LogLevel::Warn, LogTag::Rtp, || "warnings need no tag".to_owned());
        assert_eq!(lines(&mut outbox), ["warnings need no tag"]);
        outbox.set_log(talkative().log_settings());
        outbox.log(now, LogLevel::Debug, LogTag::Rtcp, || unreachable!("another tag"));
        assert_eq!(says(&mut outbox, 1, 1), ["line"]);
        outbox.set_log(LogSettings { level: LogLevel::None, tags: u32::MAX });
        outbox.log(now, LogLevel::Error, LogTag::Info, || unreachable!("no lines at all"));
    }

    #[test]
    fn one_place_says_a_few_lines_a_second_and_how_many_there_were_besides() {
        let mut outbox = talkative();
        let few = LINES_PER_SECOND as usize;
        assert_eq!(says(&mut outbox, 5_100, 1_000).len(), few);
        assert_eq!(outbox.suppressed_due(), Some(Time::from_millis(6_000)));
        assert_eq!(outbox.suppressed_due(), None, "said once");
        outbox.tell_suppressed(Time::from_millis(6_000));
        let told = lines(&mut outbox);
        let expected = format!("{} more like this were suppressed (worker/src/outbox.rs:", 1_000 - few);
        assert!(matches!(&told[..], [line] if line.starts_with(&expected)), "{told:?}");
        assert_eq!(outbox.counters().log_lines_suppressed, 1_000 - u64::from(LINES_PER_SECOND));
        assert_eq!(says(&mut outbox, 6_999, 2), ["line", "line"], "another second");
    }

    #[test]
    fn what_was_suppressed_is_told_before_the_next_line_of_that_place() {
        let mut outbox = talkative();
        says(&mut outbox, 5_999, 20);
        let told = says(&mut outbox, 6_000, 1);
        assert!(
            matches!(&told[..], [before, line] if before.contains("suppressed") && line == "line"),
            "{told:?}"
        );
        assert_eq!(outbox.suppressed_due(), None);
    }

    #[test]
    fn places_do_not_silence_one_another() {
        let mut outbox = talkative();
        says(&mut outbox, 5_000, 1_000);
        outbox.log(Time::from_millis(5_001), LogLevel::Debug, LogTag::Rtp, || "another".to_owned());
        assert_eq!(lines(&mut outbox), ["another"]);
    }

    #[test]
    fn log_lines_stop_long_before_requests_have_to_wait() {
        let mut outbox = talkative();
        for millis in (0..100_000).step_by(1_000) {
            for _ in 0..LINES_PER_SECOND {
                let now = Time::from_millis(millis);
                outbox.log(now, LogLevel::Debug, LogTag::Rtp, || "line".to_owned());
            }
        }
        assert_eq!(outbox.len(), TRACES_WAITING_MAX);
        let dropped = 100 * u64::from(LINES_PER_SECOND) - TRACES_WAITING_MAX as u64;
        assert_eq!(outbox.counters().log_lines_dropped, dropped);
    }
}
