//! Everything that can go wrong for an application, as types.
//!
//! Knows sentences. Does not know pipes or entities. Every variant says who must act: the application
//! ([`RequestError::Negotiation`], [`RequestError::InvalidOption`], [`RequestError::Refused`]), whoever installed it ([`SpawnError`]), or nobody any
//! more ([`RequestError::WorkerClosed`]).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tidegate_protocol::bounded::{List, Text, TooLong};
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::exit;
use tidegate_protocol::ortc::OrtcError;

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no worker program.
    #[error(
        "no worker program found (looked for {}); build it with `cargo build --release -p tidegate-worker`, or name it \
         in WorkerSettings::worker_bin or the environment variable TIDEGATE_WORKER_BIN",
        list_paths(tried)
    )]
    NotFound {
        /// Where it was looked for, in this order.
        tried: Vec<PathBuf>,
    },
    /// The embedded worker was asked for, but this executable cannot act as one.
    #[error("{}", crate::embedded::HOW_TO)]
    NotEmbedded,
    /// A setting cannot be passed to the worker.
    #[error("invalid worker setting: {0}")]
    InvalidSetting(&'static str),
    /// The operating system did not start the program.
    #[error("cannot start {}: {source}", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No pipe to the worker could be made; most often there are too many open files.
    #[error("cannot make the pipe to the worker: {0}")]
    Pipe(#[source] io::Error),
    /// The worker ended before it greeted. Its exit code and last words say why.
    #[error("the worker did not greet but {0}")]
    Exited(WorkerExit),
    /// The worker did not greet in time; it was killed.
    #[error(
        "the worker did not greet within {after:?}; is the program a Tidegate worker, is the machine overloaded?"
    )]
    StartTimeout {
        /// [`start_timeout`](crate::WorkerSettings::start_timeout).
        after: Duration,
    },
    /// Host and worker come from different versions; the worker was killed.
    #[error(
        "the worker speaks protocol version {worker}, this host {host}; install worker and host of one version"
    )]
    Version {
        /// This library's.
        host: u32,
        /// The worker's.
        worker: u32,
    },
    /// The program said something else than a greeting; it was killed.
    #[error("the program did not greet like a Tidegate worker: {0}")]
    Greeting(String),
}

/// Why a request failed. Unless it says otherwise, nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The worker is gone, and with it all that it held.
    #[error("{}", worker_closed(exit.as_ref()))]
    WorkerClosed {
        /// How it ended, when it ended by itself; `None` when this host closed it.
        exit: Option<WorkerExit>,
    },
    /// This handle's entity was closed: by this host, with its parent, or with its producer.
    #[error("this {0} is closed; create a new one")]
    Closed(&'static str),
    /// No answer came in time. Whether the request took effect is not known; an entity that it was to create is
    /// closed should the answer come later.
    #[error("the worker did not answer within {after:?}")]
    Timeout {
        /// [`request_timeout`](crate::WorkerSettings::request_timeout).
        after: Duration,
    },
    /// The worker refused; the sentence says what to do.
    #[error("{0}")]
    Refused(#[from] CommandError),
    /// RTP parameters or capabilities are wrong, or do not fit those of the router or the producer. The sentence names
    /// the field (in the dictionaries' spelling, for example `rtpParameters.codecs[1].payloadType`) and says what to
    /// do. The worker was not asked.
    #[error("{0}")]
    Negotiation(#[from] OrtcError),
    /// An option cannot be sent.
    #[error("invalid option: {0}")]
    InvalidOption(#[from] InvalidOption),
    /// The worker's answer belongs to another request: a defect of Tidegate, please report it.
    #[error(
        "the worker answered something else than was asked; this is a defect of Tidegate, please report it"
    )]
    UnexpectedReply,
}

impl RequestError {
    /// The class of the refusal, by the worker or by negotiation; `None` for every other failure.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Refused(error) => Some(error.kind),
            Self::Negotiation(error) => Some(error.kind),
            _ => None,
        }
    }
}

/// An option that does not fit the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOption {
    /// Too many elements or bytes.
    #[error("{field}: {too_long}")]
    TooLong {
        /// Which field, for example `listen_info.announced_address`.
        field: &'static str,
        /// How many there were, how many are allowed.
        too_long: TooLong,
    },
    /// All fields together do not fit one message.
    #[error("the request is longer than a message may be; shorten its parameters")]
    TooLarge,
    /// Not a hash function that RFC 8122 names.
    #[error("fingerprints.algorithm: {0:?} is unknown; use sha-1, sha-224, sha-256, sha-384 or sha-512")]
    UnknownFingerprint(String),
    /// Not base64, or of another length.
    #[error("srtp_parameters.key_base64: {suite} needs base64 of {bytes} bytes, master key and master salt")]
    SrtpKey {
        /// For which suite.
        suite: &'static str,
        /// How many bytes it needs.
        bytes: usize,
    },
    /// A transport can use the ports of its own worker only.
    #[error("listen: this WebRTC server is another worker's; use one of the router's own worker")]
    ForeignServer,
}

/// How a worker process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerExit {
    /// What the operating system says.
    pub reason: ExitReason,
    /// What the host found wrong with the worker and killed it for; `None` when it was not killed by the host.
    pub killed_for: Option<String>,
    /// The last lines that it wrote to its standard error, joined by line breaks; often empty.
    pub last_words: String,
}

/// What the operating system says about an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitReason {
    /// It returned this code; [`tidegate_protocol::exit`] names them.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nobody could tell, for example because the tokio runtime was shut down first.
    Unknown,
}

impl WorkerExit {
    /// For an end that nobody could observe.
    pub(crate) fn unknown() -> Self {
        Self { reason: ExitReason::Unknown, killed_for: None, last_words: String::new() }
    }
}

impl From<ExitStatus> for ExitReason {
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}{}", meaning(*code)),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

impl fmt::Display for WorkerExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.killed_for {
            Some(cause) => write!(f, "was killed because {cause}")?,
            None => self.reason.fmt(f)?,
        }
        if !self.last_words.is_empty() {
            write!(f, "; its last words: {}", self.last_words)?;
        }
        Ok(())
    }
}

/// A text for the wire, or which field is too long.
pub(crate) fn text<const MAX: usize>(field: &'static str, text: &str) -> Result<Text<MAX>, InvalidOption> {
    Text::try_from(text).map_err(|too_long| InvalidOption::TooLong { field, too_long })
}

/// Likewise, where there may be none.
pub(crate) fn optional_text<const MAX: usize>(
    field: &'static str,
    given: Option<&String>,
) -> Result<Option<Text<MAX>>, InvalidOption> {
    given.map(|given| text(field, given)).transpose()
}

/// A list for the wire, each element translated, or which field is too long.
pub(crate) fn list<'a, T: 'a, W, const MAX: usize>(
    field: &'static str,
    items: &'a [T],
    translate: impl Fn(&'a T) -> Result<W, InvalidOption>,
) -> Result<List<W, MAX>, InvalidOption> {
    let items = items.iter().map(translate).collect::<Result<Vec<W>, InvalidOption>>()?;
    List::try_from(items).map_err(|too_long| InvalidOption::TooLong { field, too_long })
}

fn worker_closed(exit: Option<&WorkerExit>) -> String {
    match exit {
        Some(exit) => format!("the worker {exit}"),
        None => "the worker was closed".to_owned(),
    }
}

fn meaning(code: i32) -> &'static str {
    match u8::try_from(code) {
        Ok(exit::BAD_SETTINGS) => " (bad settings)",
        Ok(exit::BROKEN_FRAMING) => " (broken framing or greeting)",
        Ok(exit::BAD_DESCRIPTOR) => " (a control descriptor could not be used)",
        Ok(exit::INTERNAL) => " (internal error)",
        _ => "",
    }
}

fn list_paths(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}
