//! What is measured: the ideal forwarder in its ways, or the worker in its settings, each a process of its own.
//!
//! Knows how to start one, connect it with sources and sinks, and ask for its counters. Called by `run`.

mod ideal;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tidegate::SrtpCryptoSuite;
use tidegate_worker::srtp::Keys;

use super::scenario::Scenario;
use crate::ideal::{SocketUse, Way};

pub use ideal::{FORWARDER, Helper, IdealProcess, SELF_CHECK};
pub use worker::WorkerProcess;

/// Which subject, and with which settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The yardstick in one of its ways.
    Ideal(Way),
    /// The worker.
    Worker(WorkerVariant),
}

impl Kind {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ideal(way) => way.name(),
            Self::Worker(WorkerVariant { moderation, srtp, .. }) => worker_name(moderation, srtp),
        }
    }
}

/// With SRTP the suite's name is shortened: a row has little room.
const fn worker_name(moderation: bool, srtp: Option<SrtpCryptoSuite>) -> &'static str {
    use SrtpCryptoSuite::{AeadAes128Gcm, AeadAes256Gcm, AesCm128HmacSha1_32, AesCm128HmacSha1_80};
    match (moderation, srtp) {
        (true, None) => "worker moderated",
        (true, Some(AeadAes256Gcm)) => "worker GCM 256",
        (true, Some(AeadAes128Gcm)) => "worker GCM 128",
        (true, Some(AesCm128HmacSha1_80)) => "worker CM 80",
        (true, Some(AesCm128HmacSha1_32)) => "worker CM 32",
        (false, None) => "worker at once",
        (false, Some(AeadAes256Gcm)) => "at once GCM 256",
        (false, Some(AeadAes128Gcm)) => "at once GCM 128",
        (false, Some(AesCm128HmacSha1_80)) => "at once CM 80",
        (false, Some(AesCm128HmacSha1_32)) => "at once CM 32",
    }
}

/// What of the worker's settings is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerVariant {
    /// Whether the loop sleeps after a wake that brought media (`batch_interval`).
    pub moderation: bool,
    /// Whether packets of nearly one size are padded (`equalize_padding`).
    pub padding: bool,
    /// How it protects what goes to sinks. What comes from sources is clear: a forwarder opens each packet once and
    /// seals it for every sink.
    pub srtp: Option<SrtpCryptoSuite>,
}

impl WorkerVariant {
    /// In clear, with padding.
    pub const fn clear(moderation: bool) -> Self {
        Self { moderation, padding: true, srtp: None }
    }
}

/// What a subject is connected with, and started from.
#[derive(Clone, Debug)]
pub struct Peers {
    /// Source sockets, by number.
    pub sources: Vec<SocketAddr>,
    /// Sink sockets, by number.
    pub sinks: Vec<SocketAddr>,
    /// Sockets on the subject's side.
    pub sockets: SocketUse,
    /// The worker's program, where the worker is a subject.
    pub worker_bin: Option<PathBuf>,
}

/// What a subject has counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets sent.
    pub sent: u64,
    /// Messages: GSO runs and single packets.
    pub messages: u64,
    /// Sending system calls.
    pub send_calls: u64,
    /// Returns from waiting.
    pub wakeups: u64,
}

impl Counts {
    /// What was counted since `earlier`.
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            sent: self.sent - earlier.sent,
            messages: self.messages - earlier.messages,
            send_calls: self.send_calls - earlier.send_calls,
            wakeups: self.wakeups - earlier.wakeups,
        }
    }
}

/// A running forwarder. It ends when it is dropped.
pub trait Subject: Send {
    /// The process whose run time counts.
    fn pid(&self) -> u32;

    /// Where each source has to send.
    fn entrances(&self) -> &[SocketAddr];

    /// Under which keys packets come to each sink, by its number; empty when they come in clear.
    fn sink_keys(&self) -> &[Keys] {
        &[]
    }

    /// What it has counted.
    ///
    /// # Errors
    /// The process is gone or does not answer.
    fn counts(&mut self) -> io::Result<Counts>;

    /// Waits, and lets whatever belongs to the subject on this side go on meanwhile.
    fn wait_until(&mut self, monotonic_ns: u64);
}

/// Starts a subject that forwards a scenario between these peers.
///
/// # Errors
/// The process cannot be started or refuses the scenario.
pub fn start(kind: Kind, scenario: &Scenario, peers: &Peers) -> io::Result<Box<dyn Subject>> {
    match kind {
        Kind::Ideal(way) => Ok(Box::new(IdealProcess::start(way, scenario, peers)?)),
        Kind::Worker(variant) => Ok(Box::new(WorkerProcess::start(variant, scenario, peers)?)),
    }
}
