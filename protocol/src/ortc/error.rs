//! Why parameters or capabilities were refused.
//!
//! Knows a class, the path of the field and a sentence. Does not know the rules. Made by every function of
//! [`ortc`](super); read by applications. Invariant: `field` is a path into the argument that the caller gave.

use crate::error::{CommandError, ErrorKind};

/// Refused parameters or capabilities; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct OrtcError {
    /// [`ErrorKind::InvalidArgument`] where the input contradicts itself or its rules (a `TypeError` in the field),
    /// [`ErrorKind::Unsupported`] where it is right but this router cannot do it (an `UnsupportedError`).
    pub kind: ErrorKind,
    /// Where, for example `rtpParameters.codecs[1].payloadType`.
    pub field: String,
    /// What is wrong there and what to do about it.
    pub message: String,
}

impl OrtcError {
    /// The input is wrong at `field`.
    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::InvalidArgument, field: field.into(), message: message.into() }
    }

    /// What `field` asks for is not to be had.
    pub(super) fn unsupported(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unsupported, field: field.into(), message: message.into() }
    }
}

impl From<OrtcError> for CommandError {
    fn from(error: OrtcError) -> Self {
        Self::new(error.kind, error.to_string())
    }
}
