//! The budget of packet memory: what must go when it runs out, and what can go back when it is not needed.
//!
//! From 90 % of the limit on, the stream that is furthest above its fair share (all shares are equal, so: the largest)
//! loses its oldest packets first: one fast sender must not erase everybody's repair. At the limit new packets are
//! dropped, and an event a second says so.

use std::time::Duration;

use tidegate_protocol::event::Event;

use crate::base::pool::{LARGE_BYTES, Pool};
use crate::base::time::Time;
use crate::media::deadline::Deadline;
use crate::media::{ProducerKey, Tables};
use crate::outbox::LogTag;
use crate::turn::Turn;

/// What the budget remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    armed: bool,
    /// Packets that came in this turn.
    arrived: usize,
    /// What the pool had refused by the end of the last turn.
    refused: u64,
    /// What [`Memory::next_reserve`] answered last.
    reserve: usize,
    last_event: Option<Time>,
    /// Refused packets at the last event.
    reported: u64,
}

impl Memory {
    /// A packet came in this turn.
    pub(crate) fn on_arrival(&mut self) {
        self.arrived += 1;
    }

    /// How many slots to have free for the next turn: as many as a turn needed lately, so that live packets are not
    /// refused while there are old ones to forget; at most a quarter of all.
    fn next_reserve(&mut self, pool: &Pool) -> usize {
        let refused = pool.stats().refused;
        let missed =
            usize::try_from(refused - std::mem::replace(&mut self.refused, refused)).unwrap_or(usize::MAX);
        let needed = std::mem::take(&mut self.arrived).saturating_add(missed);
        let most = (pool.limit_bytes() / LARGE_BYTES / 4).max(RESERVE_MIN);
        self.reserve = needed.max(self.reserve - self.reserve / 8).clamp(RESERVE_MIN, most);
        self.reserve
    }
}

/// After a turn's packets were forwarded.
pub(crate) fn end_turn(tables: &mut Tables, turn: &mut Turn<'_>) {
    let wanted = turn.pool.pressure(tables.metrics.memory.next_reserve(turn.pool));
    if wanted > 0 {
        evict(tables, wanted);
    }
    report(tables, turn);
    if !tables.metrics.memory.armed && has_spare(turn) {
        tables.metrics.memory.armed = true;
        tables.schedule(Deadline::Memory, turn.now + RECLAIM_EVERY);
    }
}

/// About once a second while there is any: gives back what was not needed lately.
pub(crate) fn on_deadline(tables: &mut Tables, turn: &mut Turn<'_>) {
    tables.metrics.memory.armed = false;
    turn.pool.reclaim(turn.now);
    turn.outbox.batch.reclaim(turn.now);
    tables.metrics.memory.armed = has_spare(turn);
    if tables.metrics.memory.armed {
        tables.schedule(Deadline::Memory, turn.now + RECLAIM_EVERY);
    }
}

/// Whether there is memory that [`on_deadline`] may give back; one chunk of each class stays while packets are held.
fn has_spare(turn: &Turn<'_>) -> bool {
    let pool = turn.pool.stats();
    let kept = usize::from(turn.pool.in_use() > 0);
    pool.small.chunks > kept || pool.large.chunks > kept || turn.outbox.batch.held_bytes() > 0
}

/// Lets go of `wanted` packets, each the oldest of the stream that holds most at that moment.
fn evict(tables: &mut Tables, wanted: usize) {
    let mut freed = 0;
    while freed < wanted {
        let Some((key, index)) = largest(tables) else { return };
        let Some((stream, _)) = tables.producers.get_mut(key).and_then(|producer| producer.run(index)) else {
            return;
        };
        // A good part of it at once: finding the largest looks at every stream.
        for _ in 0..(wanted - freed).min(EVICT_AT_ONCE) {
            if !stream.evict_oldest() {
                break;
            }
            freed += 1;
            tables.metrics.packets_evicted += 1;
        }
    }
}

fn largest(tables: &Tables) -> Option<(ProducerKey, u8)> {
    let streams = tables.producers.iter().flat_map(|(key, producer)| {
        producer.streams().map(move |(index, stream)| (stream.held_bytes(), key, index))
    });
    let (bytes, key, index) = streams.max_by_key(|(bytes, ..)| *bytes)?;
    (bytes > 0).then_some((key, u8::try_from(index).ok()?))
}

fn report(tables: &mut Tables, turn: &mut Turn<'_>) {
    let refused = turn.pool.stats().refused;
    let memory = &mut tables.metrics.memory;
    let due = memory.last_event.is_none_or(|at| turn.now.since(at) >= EVENT_EVERY);
    if refused > memory.reported && due {
        memory.reported = refused;
        memory.last_event = Some(turn.now);
        let limit_bytes = turn.pool.limit_bytes() as u64;
        turn.warn(LogTag::Info, || {
            format!("packets are dropped at the packet memory limit of {limit_bytes} bytes, {refused} so far; raise it")
        });
        turn.outbox.event(Event::MemoryLimit { limit_bytes, dropped: refused });
    }
}

/// One receive call's worth.
const RESERVE_MIN: usize = 64;
const RECLAIM_EVERY: Duration = Duration::from_secs(1);
const EVENT_EVERY: Duration = Duration::from_secs(1);
const EVICT_AT_ONCE: usize = 16;
