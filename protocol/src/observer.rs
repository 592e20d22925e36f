//! Observers: what a router can tell about the loudness of its audio producers.
//!
//! By the levels that their senders put into packets (RFC 6464): a packet without one counts as none.

use serde::{Deserialize, Serialize};

use crate::ids::ProducerId;

/// How to make an audio level observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioLevelObserverOptions {
    /// How many of the loudest producers are told at most; 1 to 64.
    pub max_entries: u16,
    /// Mean level in dBov below which a producer counts as silent; -127 to 0.
    pub threshold: i8,
    /// Milliseconds between two events; taken as the nearest value from 250 to 5,000.
    pub interval_ms: u16,
}

/// The mean level of one producer over the last interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioLevel {
    /// Who is heard.
    pub producer: ProducerId,
    /// dBov (RFC 6464), -127 (silence) to 0 (loudest).
    pub volume: i8,
}

/// What an observer looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObserverKind {
    /// Who is loud, and how loud.
    AudioLevel,
    /// Who leads the conversation.
    ActiveSpeaker,
}
