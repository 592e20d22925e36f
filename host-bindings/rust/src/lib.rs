//! Spawn and control Tidegate media workers from Rust.
#![forbid(unsafe_code)]

mod connection;
mod consumer;
pub mod embedded;
mod entity;
mod error;
mod events;
mod launch;
mod options;
mod output;
mod process;
mod producer;
mod random;
mod router;
mod rtp;
mod settings;
mod sync;
#[cfg(test)]
mod tests;
mod transport;
mod worker;

pub use consumer::{Consumer, ConsumerEvent, ConsumerOptions};
pub use entity::CloseReason;
pub use error::{ExitReason, InvalidOption, RequestError, SpawnError, WorkerExit};
pub use events::Events;
pub use options::{ListenInfo, PlainConnectOptions, PlainTransportOptions};
pub use output::OutputStream;
pub use producer::{Producer, ProducerEvent, ProducerOptions};
pub use router::{Router, RouterEvent, RouterOptions};
pub use rtp::{
    ParameterValue, RtcpFeedback, RtcpParameters, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters,
};
pub use settings::{WorkerBin, WorkerSettings};
pub use transport::{PlainTransport, TransportEvent};
pub use worker::{UpdateSettings, Worker, WorkerEvent};

pub use tidegate_protocol::error::{CommandError, ErrorKind};
pub use tidegate_protocol::event::{ConsumerScore, StreamScore};
pub use tidegate_protocol::message::{LogLevel, LogTag};
pub use tidegate_protocol::rtp::{MediaKind, RtpType};
pub use tidegate_protocol::transport::{ListenPort, Protocol, TransportTuple};
pub use tidegate_protocol::{bounded, dump, exit, ids, metrics, stats};
