//! Echo rooms whose visitors are browsers, while the worker's memory is watched.
//!
//! The rooms are those of the example `echo-room`, in this process, with the standalone worker; `tests/browsers/room/soak.js`
//! says what visitors do. Knows the example's hall and how browsers are started. Does not judge.
//! Invariant: what is reported was measured while visitors were there.

use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use echo_room::{Hall, MediaOptions, media_codecs, serve};
use serde::Deserialize;
use serde_json::json;
use tidegate::{ExitReason, WorkerBin, WorkerSettings};
use tidegate_tests::fuzz::child::WorkerProgram;
use tidegate_tests::soak_room::{Options, Progress, Report, Sample, Totals, curves};
use tidegate_tests::{clock, process, visitor};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

use crate::Failure;

/// What visitors counted.
#[derive(Clone, Debug, Deserialize)]
struct Seen {
    version: String,
    joins: u64,
    leaves: u64,
    /// Windows that were closed.
    closed: u64,
    sent: u64,
    received: u64,
    lost: u64,
    decoded: u64,
    complaints: Vec<String>,
}

/// Runs it with the worker at `path`, and calls `watch` with each sample.
///
/// # Errors
/// The worker does not start, a browser is not installed or does not see a picture, or something ends that should not.
pub fn run(path: &Path, options: &Options, watch: &mut dyn FnMut(&Progress)) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(told)?.block_on(visited(path, options, watch))
}

async fn visited(
    path: &Path,
    options: &Options,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Report, Failure> {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let worker = WorkerSettings {
        worker_bin: WorkerBin::Path(path.to_owned()),
        start_timeout: PATIENCE,
        request_timeout: PATIENCE,
        ..WorkerSettings::default()
    };
    let media =
        MediaOptions { ips: vec![ip], announced_address: None, port: 0, codecs: media_codecs(), worker };
    let hall = Hall::open(media).await.map_err(told)?;
    let listener = TcpListener::bind((ip, 0)).await.map_err(told)?;
    let port = listener.local_addr().map_err(told)?.port();
    // It ends with the runtime.
    tokio::spawn(serve(Arc::clone(&hall), listener, std::future::pending()));
    let (pid, own) = (hall.worker().pid(), process::own_run_time().map_err(told)?);
    let empty = process::memory(pid).map_err(told)?;
    let begun_ns = clock::monotonic_ns();
    let (seen, samples) = watched(&hall, port, options, watch).await?;
    let minutes = since(begun_ns);
    let metrics = hall.worker().get_metrics().await.map_err(told)?;
    let forwarded = metrics.value("packets_forwarded").ok_or("no metric packets_forwarded")?;
    let (worker_cpu, own_cpu) =
        (process::run_time(pid).map_err(told)?, process::own_run_time().map_err(told)?.since(own));
    let mut violations = seen.complaints.iter().map(|said| format!("a page complained: {said}")).collect();
    let after = left_clean(&hall, pid, &mut violations).await?;
    let exit = {
        let closed = hall.worker().closed();
        hall.close().await;
        closed.await
    };
    if exit.reason != ExitReason::Code(0) {
        violations.push(format!("the worker ended by {exit}"));
    }
    if seen.decoded == 0 {
        violations.push("no picture was seen".to_owned());
    }
    eprintln!("{}: {} pictures", seen.version, seen.decoded);
    let Seen { joins, leaves, closed: vanished, sent, received, lost, .. } = seen;
    Ok(Report {
        options: *options,
        subject: "browsers".to_owned(),
        ended_minutes: since(begun_ns),
        minutes,
        totals: Totals { joins, leaves, vanished, received, lost, sent, ..Totals::default() },
        forwarded,
        worker_cpu_s: seconds(worker_cpu.ran_ns),
        own_cpu_s: seconds(own_cpu.ran_ns),
        curves: curves(&samples, options.is_under_tool),
        empty_kb: (empty.anonymous_kb, after.anonymous_kb),
        violations,
    })
}

/// Visitors come and go; a sample each second meanwhile.
async fn watched(
    hall: &Hall,
    port: u16,
    options: &Options,
    watch: &mut dyn FnMut(&Progress),
) -> Result<(Seen, Vec<Sample>), Failure> {
    let scene = json!({
        "executable": visitor::chromium()?, "port": port, "rooms": options.rooms, "people": options.people,
        "seconds": options.time.as_secs(), "seed": options.seed,
    });
    let visit = visitor::visit("room/soak.js", &scene, options.time + PATIENCE * 3);
    let mut visit = std::pin::pin!(visit);
    let (begun_ns, mut samples) = (clock::monotonic_ns(), Vec::new());
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            seen = &mut visit => return Ok((seen?, samples)),
            _ = beat.tick() => {
                let sample = sample(hall, options, begun_ns).await?;
                samples.push(sample);
                let dump = hall.worker().dump().await.map_err(told)?;
                // Two transports each.
                let present = usize::try_from(dump.transports / 2).unwrap_or(usize::MAX);
                let seconds = since(begun_ns) * 60.0;
                watch(&Progress { seconds, sample, totals: Totals::default(), present });
            }
        }
    }
}

async fn sample(hall: &Hall, options: &Options, begun_ns: u64) -> Result<Sample, Failure> {
    let worker = hall.worker();
    let metrics = worker.get_metrics().await.map_err(told)?;
    let heap = metrics.value("heap_used_bytes").ok_or("no metric heap_used_bytes")?;
    let memory = process::memory(worker.pid()).map_err(told)?;
    let at_ms = (clock::monotonic_ns() - begun_ns) / 1_000_000;
    Ok(Sample { at_ms, memory, heap_bytes: if options.is_under_tool { 0 } else { heap } })
}

/// After everybody has left nothing of theirs is held, once packet memory is given back; what the process still has then.
async fn left_clean(hall: &Hall, pid: u32, violations: &mut Vec<String>) -> Result<process::Memory, Failure> {
    let mut looks_left = 200;
    loop {
        let dump = hall.worker().dump().await.map_err(told)?;
        let entities = dump.router_ids.len() as u64 + dump.transports + dump.producers + dump.consumers;
        let is_empty = entities == 0 && dump.packets_in_use == 0 && dump.packet_memory_bytes == 0;
        looks_left -= 1;
        if is_empty || looks_left == 0 {
            if !is_empty || dump.panics_contained > 0 {
                violations.push(format!("the worker's dump is not empty after all have left: {dump:?}"));
            }
            return process::memory(pid).map_err(told);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Writes a script to `path` that is `program`, for hosts that are told one path.
///
/// # Errors
/// It cannot be written.
pub fn script(path: &Path, program: &WorkerProgram) -> Result<PathBuf, Failure> {
    let quoted = |word: &OsStr| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
    let words: Vec<String> = program.words().map(quoted).collect();
    let text = format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "));
    let written = fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .and_then(|()| path.canonicalize());
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn since(begun_ns: u64) -> f64 {
    seconds(clock::monotonic_ns() - begun_ns) / 60.0
}

fn seconds(ns: u64) -> f64 {
    crate::figures::float(ns) / 1e9
}

fn told(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}

/// Of a worker under a tool on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
