//! What a flood on one socket does to everybody else: the latency of another stream, and how soon a dump is answered.
//!
//! The flooding peer is the known one of a transport of its own, and sends RTP of an SSRC that nobody announced, 64
//! packets a call, in every moment that the other stream leaves free. The worker reads, parses and refuses all of it.

use std::io;

use serde::Serialize;

use super::report::quantile_us;
use super::run::{PeerSockets, Settings, under_load};
use super::scenario::Scenario;
use super::subject::{Kind, Subject, WorkerProcess, WorkerVariant};
use crate::load::{Flood, lossy, ratio};
use crate::process;
use crate::stats::Histogram;

/// What the flood did.
#[derive(Clone, Debug, Serialize)]
pub struct FloodReport {
    /// The worker's name, as in rows: moderated or at once.
    pub subject: &'static str,
    /// Packets per second that flooded the worker's socket.
    pub flood_packets_per_second: f64,
    /// Latency of the other stream in microseconds that half of its packets did not exceed.
    pub latency_p50_us: f64,
    /// Latency of the other stream in microseconds that 99 % did not exceed.
    pub latency_p99_us: f64,
    /// Dumps that were asked for.
    pub dumps: u64,
    /// The median of the time until a dump was answered, in microseconds.
    pub dump_p50_us: f64,
    /// The longest such time.
    pub dump_max_us: f64,
    /// Lost packets of the other stream, from 0 to 1.
    pub loss: f64,
    /// The worker's CPU in parts of one core.
    pub core_share: f64,
    /// Share of the window in which the worker was ready to run but its core was with somebody else.
    pub waited_share: f64,
    /// The same of the load generator, which the dumps' answers meet too.
    pub generator_waited_share: f64,
    /// Whether the figures do not count: the other stream lost more than 0.1 %, or nothing was flooded.
    pub void: bool,
}

/// Floods a worker.
///
/// # Errors
/// The worker cannot be started, ends early, or a socket fails.
pub fn measure(variant: WorkerVariant, settings: &Settings) -> io::Result<FloodReport> {
    let scenario = Scenario::flood();
    let sockets = PeerSockets::open(&scenario)?;
    let mut subject = WorkerProcess::start(variant, &scenario, &sockets.peers(settings)?)?;
    process::pin(subject.pid(), settings.cores.subject)?;
    let flooded = subject.entrances().get(FLOODER).copied().ok_or(io::ErrorKind::NotFound)?;
    let mut load = sockets.load(&scenario, subject.entrances(), settings)?;
    load.flood = Some(Flood::new(load.sources.socket(FLOODER)?, flooded).ok_or(io::ErrorKind::Unsupported)?);
    let phases = settings.phases;
    let watched = subject.pid();
    let (outcome, dumps) = under_load(&mut load, phases, watched, |start_ns| {
        let mut dumps = Histogram::new();
        let dumps_in_window = phases.window_ms / DUMP_EVERY_MS;
        for number in 0..dumps_in_window {
            subject.wait_until(start_ns + (phases.warm_up_ms + number * DUMP_EVERY_MS) * 1_000_000);
            dumps.record(u64::try_from(subject.dump_time()?.as_nanos()).unwrap_or(u64::MAX));
        }
        Ok(dumps)
    })?;
    Ok(FloodReport {
        subject: Kind::Worker(variant).name(),
        flood_packets_per_second: lossy(outcome.flooded) / (lossy(outcome.window_ns) / 1e9),
        latency_p50_us: quantile_us(&outcome.latency, 500),
        latency_p99_us: quantile_us(&outcome.latency, 990),
        dumps: dumps.count(),
        dump_p50_us: quantile_us(&dumps, 500),
        dump_max_us: quantile_us(&dumps, 1_000),
        loss: outcome.loss(),
        core_share: ratio(outcome.run_time.ran_ns, outcome.window_ns),
        waited_share: ratio(outcome.run_time.waited_ns, outcome.window_ns),
        generator_waited_share: ratio(outcome.own_run_time.waited_ns, outcome.window_ns),
        void: outcome.loss() > super::report::LOSS_MAX || outcome.flooded == 0,
    })
}

const FLOODER: usize = 1; // the scenario's source without a stream
const DUMP_EVERY_MS: u64 = 100;
