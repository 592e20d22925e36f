//! The two directions of the pipe.
//!
//! Both sides greet: the worker says [`Hello`] when it starts, the host answers [`HelloReply`] before its first
//! request. Requests run and are answered in order, each with exactly one response. An event about an entity never
//! comes before the response to the request that created it.

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::error::CommandError;
use crate::event::Event;
use crate::ids::RequestId;
use crate::request::Command;
use crate::response::Reply;

/// From host to worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Asks for something.
    Request {
        /// Comes back in the response. Not zero.
        id: RequestId,
        /// What is asked.
        command: Command,
    },
    /// The host's greeting.
    HelloReply(HelloReply),
}

/// From worker to host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The worker's greeting, its first message.
    Hello(Hello),
    /// The one answer to a request.
    Response {
        /// The request's number; [`RequestId::NONE`] when the frame held none that could be read.
        id: RequestId,
        /// What came of it.
        result: Result<Reply, CommandError>,
    },
    /// Something happened.
    Event(Event),
    /// A line for the host's log.
    Log {
        /// How grave.
        level: LogLevel,
        /// Of what part.
        tag: LogTag,
        /// The line, without a line break at its end.
        text: Text<1024>,
    },
}

/// How a worker introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::PROTOCOL_VERSION`] of the worker.
    pub protocol_version: u32,
    /// The worker's package version.
    pub worker_version: Text<64>,
    /// The worker's process id.
    pub pid: u32,
    /// Names of what was built in.
    pub features: List<Text<64>, 64>,
}

/// How a host answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// [`crate::PROTOCOL_VERSION`] of the host.
    pub protocol_version: u32,
    /// Name and version of the host library.
    pub host: Text<128>,
}

/// Graveness of a log line. A worker sends those up to its own level; `None` sends nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogLevel {
    /// No lines at all.
    None,
    /// What went wrong.
    #[default]
    Error,
    /// What may go wrong.
    Warn,
    /// What happens, by tag.
    Debug,
}

/// The part that a log line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogTag {
    /// The process itself.
    Info,
    /// ICE.
    Ice,
    /// DTLS.
    Dtls,
    /// RTP.
    Rtp,
    /// SRTP.
    Srtp,
    /// RTCP.
    Rtcp,
    /// Retransmission.
    Rtx,
    /// Bandwidth estimation.
    Bwe,
    /// Scores.
    Score,
    /// Simulcast.
    Simulcast,
    /// Scalable coding.
    Svc,
    /// SCTP.
    Sctp,
    /// Data channel messages.
    Message,
}

impl LogLevel {
    /// Every level.
    pub const ALL: [Self; 4] = [Self::None, Self::Error, Self::Warn, Self::Debug];

    /// As settings spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Debug => "debug",
        }
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl LogTag {
    /// Every tag.
    pub const ALL: [Self; 13] = [
        Self::Info,
        Self::Ice,
        Self::Dtls,
        Self::Rtp,
        Self::Srtp,
        Self::Rtcp,
        Self::Rtx,
        Self::Bwe,
        Self::Score,
        Self::Simulcast,
        Self::Svc,
        Self::Sctp,
        Self::Message,
    ];

    /// As settings spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ice => "ice",
            Self::Dtls => "dtls",
            Self::Rtp => "rtp",
            Self::Srtp => "srtp",
            Self::Rtcp => "rtcp",
            Self::Rtx => "rtx",
            Self::Bwe => "bwe",
            Self::Score => "score",
            Self::Simulcast => "simulcast",
            Self::Svc => "svc",
            Self::Sctp => "sctp",
            Self::Message => "message",
        }
    }

    /// The tag of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tag| tag.name() == name)
    }
}
