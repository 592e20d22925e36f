//! The control plane: one line per request.
//!
//! Knows the protocol and the verbs of `media`. Does not know packets. Called by the worker with decoded requests;
//! frames and their limits are the shell's.

mod consumer;
mod dispatch;
mod observer;
mod producer;
mod router;
mod transport;
mod webrtc;
mod worker;

pub(crate) use dispatch::dispatch;

use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::response::Reply;

use crate::counters::ShellReport;
use crate::media::Tables;
use crate::media::refused::{Reason, Refused};

/// The parts of a worker that requests are about.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) tables: &'a mut Tables,
    pub(crate) shell: &'a ShellReport,
    pub(crate) panics_contained: u64,
    /// Set when the worker shall end.
    pub(crate) closing: &'a mut bool,
}

/// What a request comes to.
type Answer = Result<Reply, CommandError>;

impl From<Refused> for CommandError {
    fn from(refused: Refused) -> Self {
        let kind = match refused.reason {
            Reason::NotFound => ErrorKind::NotFound,
            Reason::Duplicate => ErrorKind::Duplicate,
            Reason::InvalidArgument => ErrorKind::InvalidArgument,
            Reason::InvalidState => ErrorKind::InvalidState,
            Reason::Unsupported => ErrorKind::Unsupported,
            Reason::BindFailed => ErrorKind::BindFailed,
            Reason::LimitReached => ErrorKind::LimitReached,
        };
        Self::new(kind, refused.sentence)
    }
}

/// For an entity that went away between being found and being used, which one thread rules out.
fn gone() -> CommandError {
    CommandError::new(ErrorKind::NotFound, "the entity is not there any more")
}
