//! How many trace events an entity may tell in a second.
//!
//! Packets have a quota of their own, so that a stream's flood does not hide the rare things that happen to it.
//! Knows ids and the time. Does not know events. Called by `Outbox::trace`.
//! Invariant: nothing is kept of a second that is over once another one began or memory was given back, so nobody has to
//! say when an entity is closed.

use tidegate_protocol::ids::EntityId;

use crate::base::time::Time;
use crate::random::{KeyedMap, KeyedState};

/// What was told in the running second of the worker's clock.
#[derive(Debug)]
pub(super) struct Quota {
    second: u64,
    told: KeyedMap<(EntityId, bool), u32>,
}

impl Quota {
    pub(super) fn new(hasher: KeyedState) -> Self {
        Self { second: 0, told: KeyedMap::with_hasher(hasher) }
    }

    /// Whether `entity` may tell one more, which it does then.
    pub(super) fn take(&mut self, now: Time, entity: EntityId, is_packet: bool) -> bool {
        let second = now.as_millis() / 1_000;
        if second != self.second {
            self.second = second;
            self.told.clear();
        }
        let told = self.told.entry((entity, is_packet)).or_insert(0);
        let may = *told < TRACES_PER_SECOND;
        *told += u32::from(may);
        may
    }

    /// Gives the memory of an earlier second back.
    pub(super) fn reclaim(&mut self, now: Time) {
        if now.as_millis() / 1_000 != self.second {
            self.told = KeyedMap::with_hasher(*self.told.hasher());
        }
    }
}

/// Packets that one entity tells in each second of the worker's clock, and as many of all else together. An event has
/// about 60 bytes: 12 KB/s, whatever the stream's rate.
pub const TRACES_PER_SECOND: u32 = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn each_entity_has_its_quota_of_packets_and_of_all_else_each_second() {
        let mut quota = Quota::new(Random::from_seed([1; 32]).hasher());
        for millis in [1_000, 1_999, 2_000] {
            let now = Time::from_millis(millis);
            let mut taken = |entity, is_packet| {
                (0..2 * TRACES_PER_SECOND).filter(|_| quota.take(now, EntityId(entity), is_packet)).count()
            };
            let expected = if millis == 1_999 { 0 } else { TRACES_PER_SECOND as usize };
            assert_eq!([taken(1, true), taken(2, true), taken(1, false)], [expected; 3], "{millis}");
        }
    }
}
