//! The wire's types as data.
//!
//! Knows which types the wire begins with, and that every enum has to be named once: reflection finds the variants of an
//! enum only where it is asked for the enum itself, and refuses a registry in which one is missing. Does not know
//! TypeScript.

use serde_reflection::{Registry, Tracer, TracerConfig};
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::event::Event;
use tidegate_protocol::message::{FromWorker, LogLevel, LogTag, ToWorker};
use tidegate_protocol::observer::ObserverKind;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::{MediaKind, ParameterValue, RtpType};
use tidegate_protocol::srtp::SrtpCryptoSuite;
use tidegate_protocol::stats::Direction;
use tidegate_protocol::trace::{TraceInfo, TraceType};
use tidegate_protocol::transport::{ListenPort, Protocol};
use tidegate_protocol::webrtc::{
    DtlsRole, DtlsState, FingerprintAlgorithm, IceState, WebRtcCommand, WebRtcListen,
};

/// Every type that can be met on the wire.
///
/// # Errors
/// Names what reflection could not follow, most often an enum that is not listed here.
pub(crate) fn registry() -> Result<Registry, serde_reflection::Error> {
    let mut tracer = Tracer::new(TracerConfig::default());
    macro_rules! trace {
        ($($enum:ty),* $(,)?) => { $(tracer.trace_simple_type::<$enum>()?;)* };
    }
    trace!(
        Command,
        CommandError,
        Direction,
        DtlsRole,
        DtlsState,
        ErrorKind,
        Event,
        FingerprintAlgorithm,
        IceState,
        ListenPort,
        LogLevel,
        LogTag,
        MediaKind,
        ObserverKind,
        ParameterValue,
        Protocol,
        Reply,
        RtpType,
        SrtpCryptoSuite,
        TraceInfo,
        TraceType,
        WebRtcCommand,
        WebRtcListen,
        std::net::IpAddr,
        std::net::SocketAddr,
        Result<Reply, CommandError>,
        ToWorker,
        FromWorker,
    );
    tracer.registry()
}
