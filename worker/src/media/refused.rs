//! Why a verb of an entity was not carried out. Nothing was changed.

use std::fmt;

/// Whose mistake it is and what to do about it; `control` turns it into the answer on the pipe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refused {
    /// For programs.
    pub reason: Reason,
    /// For people.
    pub sentence: String,
}

/// Classes of refusals; those of `protocol::error::ErrorKind` that entities can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No such entity.
    NotFound,
    /// The name is taken.
    Duplicate,
    /// Wrong in itself or against another argument.
    InvalidArgument,
    /// Right, but not now.
    InvalidState,
    /// Not in this version.
    Unsupported,
    /// The system refused an address or port.
    BindFailed,
    /// A limit of ours.
    LimitReached,
}

impl Refused {
    pub(crate) fn not_found(sentence: impl fmt::Display) -> Self {
        Self::new(Reason::NotFound, sentence)
    }

    pub(crate) fn duplicate(sentence: impl fmt::Display) -> Self {
        Self::new(Reason::Duplicate, sentence)
    }

    pub(crate) fn invalid(sentence: impl fmt::Display) -> Self {
        Self::new(Reason::InvalidArgument, sentence)
    }

    pub(crate) fn state(sentence: impl fmt::Display) -> Self {
        Self::new(Reason::InvalidState, sentence)
    }

    pub(crate) fn unsupported(sentence: impl fmt::Display) -> Self {
        Self::new(Reason::Unsupported, sentence)
    }

    pub(crate) fn bind(sentence: impl fmt::Display) -> Self {
        Self::new(Reason::BindFailed, sentence)
    }

    pub(crate) fn limit(sentence: impl fmt::Display) -> Self {
        Self::new(Reason::LimitReached, sentence)
    }

    fn new(reason: Reason, sentence: impl fmt::Display) -> Self {
        Self { reason, sentence: sentence.to_string() }
    }
}
