//! What a worker costs that has many transports and nothing to do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Serialize;

use super::run::Settings;
use super::scenario::Scenario;
use super::subject::{Peers, Subject, WorkerProcess, WorkerVariant};
use crate::process;
use crate::{clock, load::lossy};

/// What idling cost.
#[derive(Clone, Debug, Serialize)]
pub struct IdleReport {
    /// Transports that the worker had.
    pub transports: usize,
    /// How long it was watched, in seconds.
    pub seconds: f64,
    /// CPU that it used, in milliseconds.
    pub cpu_ms: f64,
    /// Wake-ups in that time.
    pub wakeups: u64,
    /// Resident at the end, in kB.
    pub resident_kb: u64,
    /// Anonymous memory at the end, in kB.
    pub anonymous_kb: u64,
}

/// Lets a worker idle for the window of `settings`.
///
/// # Errors
/// The worker cannot be started, refuses so many transports, or ends early.
pub fn measure(transports: usize, variant: WorkerVariant, settings: &Settings) -> io::Result<IdleReport> {
    let scenario = Scenario::idle(transports);
    let peer = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let peers = Peers {
        sources: (FIRST_PORT..=u16::MAX).map(peer).take(transports).collect(),
        sinks: Vec::new(),
        sockets: settings.sockets,
        worker_bin: settings.worker_bin.clone(),
    };
    if peers.sources.len() < transports {
        return Err(io::Error::other(format!("give at most {} transports", peers.sources.len())));
    }
    let mut subject = WorkerProcess::start(variant, &scenario, &peers)?;
    let pid = subject.pid();
    process::pin(pid, settings.cores.subject)?;
    let wait_ms = |subject: &mut WorkerProcess, ms: u64| {
        subject.wait_until(clock::monotonic_ns() + ms * 1_000_000);
    };
    wait_ms(&mut subject, settings.phases.warm_up_ms);
    let wakeups = subject.counts()?.wakeups;
    let (began_ns, before) = (clock::monotonic_ns(), process::run_time(pid)?);
    wait_ms(&mut subject, settings.phases.window_ms);
    let run_time = process::run_time(pid)?.since(before);
    let window_ns = clock::monotonic_ns() - began_ns;
    let memory = process::memory(pid)?;
    Ok(IdleReport {
        transports,
        seconds: lossy(window_ns) / 1e9,
        cpu_ms: lossy(run_time.ran_ns) / 1e6,
        wakeups: subject.counts()?.wakeups - wakeups,
        resident_kb: memory.resident_kb,
        anonymous_kb: memory.anonymous_kb,
    })
}

const FIRST_PORT: u16 = 1_024; // peers that nobody sends to: any port will do
