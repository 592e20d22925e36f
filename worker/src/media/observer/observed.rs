//! What is kept of a producer because somebody observes it.
//!
//! Knows levels of packets and who observes. Does not know what observers make of it: they read it once an interval.
//! Owned by the producer, from its first observer on until its last one is gone, so that one that nobody observes pays for
//! a null pointer. All observers share it: a packet costs the same for one and for many.
//! Invariant: `observers` is not empty.

use smallvec::SmallVec;

use crate::base::time::Time;
use crate::media::observer::ObserverKey;
use crate::rtp::values::AudioLevel;
use crate::stream::audio_level::Levels;
use crate::stream::speaker::{Scores, Speech};

/// Levels of a producer's packets, and for whom.
#[derive(Debug)]
pub(crate) struct Observed {
    levels: Levels,
    speech: Speech,
    observers: SmallVec<[ObserverKey; 2]>,
}

const _: () = assert!(size_of::<Observed>() <= 104);

impl Observed {
    pub(super) fn new(now: Time) -> Self {
        Self { levels: Levels::default(), speech: Speech::new(now), observers: SmallVec::new() }
    }

    /// A packet that is forwarded came, and says how loud it is.
    pub(crate) fn on_level(&mut self, level: AudioLevel, now: Time) {
        self.levels.add(level.below_full_db);
        self.speech.on_level(level.below_full_db, now);
    }

    pub(super) fn levels(&self) -> Levels {
        self.levels
    }

    pub(super) fn scores(&mut self, now: Time) -> Scores {
        self.speech.scores(now)
    }

    /// Who observes.
    pub(crate) fn observers(&self) -> &[ObserverKey] {
        &self.observers
    }

    pub(super) fn add(&mut self, observer: ObserverKey) {
        self.observers.push(observer);
    }

    /// Whether somebody is left.
    pub(super) fn remove(&mut self, observer: ObserverKey) -> bool {
        self.observers.retain(|other| *other != observer);
        !self.observers.is_empty()
    }
}
