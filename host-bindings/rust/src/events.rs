//! Event streams: what an entity tells its listeners, and what happens to slow ones.
//!
//! Knows queues. Does not know entities, requests or the pipe. Entities own an [`Emitter`], applications an
//! [`Events`]. Invariant: a queue never holds more than [`WAITING_MAX`] events, and emitting never blocks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;

use crate::sync::lock;

/// One listener's events, in order.
///
/// A slow listener holds nothing up. What is overtaken is replaced: of several waiting scores of one entity the
/// newest is kept, and so of volumes and of speakers. Everything else waits, up to 1,024 events; then the oldest are dropped and counted
/// ([`missed`](Self::missed)). The first stream that an entity gives out begins with what happened since the entity
/// was created; later ones begin with now.
#[derive(Debug)]
pub struct Events<E> {
    queue: Arc<Queue<E>>,
}

impl<E> Events<E> {
    /// The next event; `None` once the entity is closed and every event was taken. Cancel safe.
    pub async fn next(&mut self) -> Option<E> {
        loop {
            // Asked for before looking, so that an event between looking and waiting is not slept through.
            let changed = self.queue.changed.notified();
            match lock(&self.queue.waiting).pop() {
                Popped::Event(event) => return Some(event),
                Popped::Ended => return None,
                Popped::Empty => {}
            }
            changed.await;
        }
    }

    /// The next event if one waits.
    pub fn try_next(&mut self) -> Option<E> {
        match lock(&self.queue.waiting).pop() {
            Popped::Event(event) => Some(event),
            Popped::Ended | Popped::Empty => None,
        }
    }

    /// How many events were dropped because this listener was too slow.
    pub fn missed(&self) -> u64 {
        lock(&self.queue.waiting).missed
    }
}

/// How an event relates to one that waits.
pub(crate) trait Event: Clone {
    /// Whether this one makes `waiting` worthless: a newer score of the same entity. By default every event counts.
    fn replaces(&self, _waiting: &Self) -> bool {
        false
    }
}

/// Gives events to every listener. Made by an entity.
#[derive(Debug)]
pub(crate) struct Emitter<E> {
    listeners: Mutex<Listeners<E>>,
}

impl<E: Event> Emitter<E> {
    pub(crate) fn new() -> Self {
        let first = Arc::new(Queue::new());
        let all = vec![Arc::downgrade(&first)];
        Self { listeners: Mutex::new(Listeners { first: Some(first), all, ended: false }) }
    }

    /// A new listener; the first gets what happened so far.
    pub(crate) fn listen(&self) -> Events<E> {
        let mut listeners = lock(&self.listeners);
        if let Some(queue) = listeners.first.take() {
            return Events { queue };
        }
        let queue = Arc::new(Queue::new());
        lock(&queue.waiting).ended = listeners.ended;
        listeners.all.push(Arc::downgrade(&queue));
        Events { queue }
    }

    /// Tells every listener.
    pub(crate) fn emit(&self, event: E) {
        self.for_each(|waiting| waiting.push(event.clone()));
    }

    /// Says that this was all: streams end once they are empty.
    pub(crate) fn end(&self) {
        lock(&self.listeners).ended = true;
        self.for_each(|waiting| waiting.ended = true);
    }

    fn for_each(&self, mut act: impl FnMut(&mut Waiting<E>)) {
        lock(&self.listeners).all.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            act(&mut lock(&queue.waiting));
            queue.changed.notify_one();
            true
        });
    }
}

/// The most events that wait for one listener: minutes of pausing and resuming by hand, 100 KB at most.
const WAITING_MAX: usize = 1024;

#[derive(Debug)]
struct Listeners<E> {
    /// Collects for the first listener until there is one.
    first: Option<Arc<Queue<E>>>,
    all: Vec<Weak<Queue<E>>>,
    ended: bool,
}

#[derive(Debug)]
struct Queue<E> {
    waiting: Mutex<Waiting<E>>,
    changed: Notify,
}

#[derive(Debug)]
struct Waiting<E> {
    events: VecDeque<E>,
    missed: u64,
    ended: bool,
}

enum Popped<E> {
    Event(E),
    Empty,
    Ended,
}

impl<E> Queue<E> {
    fn new() -> Self {
        let waiting = Waiting { events: VecDeque::new(), missed: 0, ended: false };
        Self { waiting: Mutex::new(waiting), changed: Notify::new() }
    }
}

impl<E> Waiting<E> {
    fn pop(&mut self) -> Popped<E> {
        match self.events.pop_front() {
            Some(event) => Popped::Event(event),
            None if self.ended => Popped::Ended,
            None => Popped::Empty,
        }
    }
}

impl<E: Event> Waiting<E> {
    fn push(&mut self, event: E) {
        self.events.retain(|waiting| !event.replaces(waiting));
        if self.events.len() >= WAITING_MAX {
            self.events.pop_front();
            self.missed += 1;
        }
        self.events.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Sample {
        Score(u32),
        Pause(u32),
    }

    impl Event for Sample {
        fn replaces(&self, waiting: &Self) -> bool {
            matches!((self, waiting), (Self::Score(_), Self::Score(_)))
        }
    }

    #[tokio::test]
    async fn newer_score_takes_the_place_of_a_waiting_one_and_nothing_else_does() {
        let emitter = Emitter::new();
        let mut events = emitter.listen();
        for number in 0..3 {
            emitter.emit(Sample::Score(number));
            emitter.emit(Sample::Pause(number));
        }
        emitter.end();
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event);
        }
        assert_eq!(seen, [Sample::Pause(0), Sample::Pause(1), Sample::Score(2), Sample::Pause(2)]);
        assert_eq!(events.missed(), 0);
    }

    #[tokio::test]
    async fn slow_listener_loses_the_oldest_and_knows_how_many() {
        let emitter = Emitter::new();
        let mut events = emitter.listen();
        for number in 0..2000 {
            emitter.emit(Sample::Pause(number));
        }
        assert_eq!(events.missed(), 2000 - 1024);
        assert_eq!(events.next().await, Some(Sample::Pause(2000 - 1024)));
    }

    #[tokio::test]
    async fn first_listener_gets_what_happened_before_it_listened_and_the_second_does_not() {
        let emitter = Emitter::new();
        emitter.emit(Sample::Score(5));
        assert_eq!(emitter.listen().next().await, Some(Sample::Score(5)));
        assert_eq!(emitter.listen().try_next(), None);
    }

    #[tokio::test]
    async fn waiting_listener_is_woken() {
        let emitter = Arc::new(Emitter::new());
        let mut events = emitter.listen();
        let listening = tokio::spawn(async move { (events.next().await, events.next().await) });
        tokio::task::yield_now().await;
        emitter.emit(Sample::Pause(1));
        emitter.end();
        assert_eq!(listening.await.unwrap(), (Some(Sample::Pause(1)), None));
    }
}
