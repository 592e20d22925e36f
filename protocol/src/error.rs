//! Why a request was refused.

use serde::{Deserialize, Serialize};

use crate::bounded::Text;

/// A refused request: nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What class of mistake it is, for programs.
    pub kind: ErrorKind,
    /// What is wrong and what to do about it, for people.
    pub message: Text<1024>,
}

/// Classes of refusals. Hosts turn them into the error classes that their users know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The frame was whole but its content no request that this version knows.
    Malformed,
    /// No entity has that id, or it has another kind, or belongs to another router.
    NotFound,
    /// The id, SSRC, MID or RID is in use already.
    Duplicate,
    /// An argument is wrong in itself or does not fit the others.
    InvalidArgument,
    /// Right arguments at the wrong time, for example a second connect.
    InvalidState,
    /// This version of the worker cannot do it (yet); the sentence says which can.
    Unsupported,
    /// The operating system refused the address or port.
    BindFailed,
    /// A limit of the worker was reached.
    LimitReached,
    /// A defect of ours, contained: the request's transport was closed. Never answered to any input that we know.
    Internal,
}

impl ErrorKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::NotFound,
        Self::Duplicate,
        Self::InvalidArgument,
        Self::InvalidState,
        Self::Unsupported,
        Self::BindFailed,
        Self::LimitReached,
        Self::Internal,
    ];
}

impl CommandError {
    /// An error of `kind` whose sentence is `message`, clipped to what the wire takes.
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self { kind, message: Text::clipped(message.as_ref()) }
    }
}
