//! The commands that measure the worker without a yardstick: under a flood, and idle.

use std::io;

use serde::Serialize;

use tidegate_tests::gauge::report::WAITED_SHARE_QUIET;
use tidegate_tests::gauge::run::Settings;
use tidegate_tests::gauge::subject::WorkerVariant;
use tidegate_tests::gauge::{flood, idle, idle_webrtc, srtp};
use tidegate_tests::ideal::SocketUse;
use tidegate_tests::load::Phases;
use tidegate_tests::process::{self, Cores};

use crate::arguments::{Flood, Idle, Srtp, WorkerBin};

/// Floods and prints; says whether the figures count.
///
/// # Errors
/// The worker cannot be started, or a socket fails.
pub(crate) fn flood(arguments: &Flood) -> io::Result<bool> {
    let settings = settings(&arguments.worker, arguments.seconds, WARM_UP_MS)?;
    let mut reports = Vec::new();
    for moderation in arguments.moderation.values() {
        let name = if *moderation { "moderated" } else { "at once" };
        eprintln!("flooding the worker {name} for {} s", arguments.seconds);
        let variant = WorkerVariant::clear(*moderation);
        let report = flood::measure(arguments.of.flood(), arguments.per_second, variant, &settings)?;
        if !arguments.json {
            print_flood(&report);
        }
        reports.push(report);
    }
    print_json(arguments.json, &reports)?;
    Ok(!reports.iter().any(|report| report.void))
}

fn print_flood(report: &flood::FloodReport) {
    let verdict = if report.void { "VOID: " } else { "" };
    println!(
        "{verdict}{}, {}: flooded with {:.0} packets/s ({:.0} % of its core); other streams lost {:.3} %, \
         latency p50 {:.0} us, p99 {:.0} us (wanted: below 10,000); {} dumps answered in {:.0} us at the median, \
         {:.0} us at most (wanted: below 50,000)",
        report.scenario,
        report.subject,
        report.flood_packets_per_second,
        report.core_share * 100.0,
        report.loss * 100.0,
        report.latency_p50_us,
        report.latency_p99_us,
        report.dumps,
        report.dump_p50_us,
        report.dump_max_us
    );
    if let Some(front) = &report.front {
        println!(
            "  on the flooded port {} of {} binding requests in good standing were answered; the worker held {} kB \
             before the flood, {} kB at most in it, {} kB after it (wanted: below 1,024 more, and back)",
            front.answered,
            front.asked,
            front.memory_before_kb,
            front.memory_highest_kb,
            front.memory_after_kb
        );
    }
    let waited = report.waited_share.max(report.generator_waited_share);
    if waited > WAITED_SHARE_QUIET {
        println!("  the machine was busy: a core was with others for {:.1} % of the time", waited * 100.0);
    }
}

/// Measures SRTP and prints; figures of a debug build say nothing.
///
/// # Errors
/// OpenSSL refuses something.
pub(crate) fn srtp(arguments: &Srtp) -> io::Result<bool> {
    let rows = srtp::measure(arguments.rounds.into())?;
    if !arguments.json {
        println!("{}", srtp::HEAD);
        rows.iter().for_each(|row| println!("{row}"));
    }
    print_json(arguments.json, &rows)?;
    Ok(true)
}

/// Idles and prints.
///
/// # Errors
/// The worker cannot be started or refuses so many transports.
pub(crate) fn idle(arguments: &Idle) -> io::Result<bool> {
    let settings = settings(&arguments.worker, arguments.seconds, SETTLE_MS)?;
    if arguments.webrtc {
        return idle_webrtc(arguments, &settings);
    }
    let settings = Settings { sockets: arguments.sockets.socket_use(), ..settings };
    eprintln!("{} transports idle for {} s", arguments.transports, arguments.seconds);
    let variant = WorkerVariant::clear(true);
    let report = idle::measure(usize::from(arguments.transports), variant, &settings)?;
    if !arguments.json {
        println!(
            "{} idle transports: {:.1} ms of CPU and {} wake-ups in {:.0} s (wanted: below 60 ms in 60 s with 1,000); \
             {} kB resident, {} kB anonymous",
            report.transports,
            report.cpu_ms,
            report.wakeups,
            report.seconds,
            report.resident_kb,
            report.anonymous_kb
        );
    }
    print_json(arguments.json, &report)?;
    Ok(true)
}

fn idle_webrtc(arguments: &Idle, settings: &Settings) -> io::Result<bool> {
    let transports = usize::from(arguments.transports);
    eprintln!("{transports} connected WebRTC transports idle for {} s", arguments.seconds);
    let report = idle_webrtc::measure(transports, settings)?;
    if !arguments.json {
        let idle_webrtc::Report { asked, one, silent, .. } = &report;
        println!(
            "{transports} connected WebRTC transports in {:.0} s: {:.1} ms of CPU with {} binding requests and {} \
             wake-ups; one transport with as many {:.1} ms and {}: {:.1} ms beyond answering (wanted: below 100 ms in 60 s \
             with 1,000); without any {:.1} ms and {} wake-ups; {} kB anonymous",
            report.seconds,
            asked.cpu_ms,
            asked.requests,
            asked.wakeups,
            one.cpu_ms,
            one.wakeups,
            asked.cpu_ms - one.cpu_ms,
            silent.cpu_ms,
            silent.wakeups,
            report.anonymous_kb
        );
    }
    print_json(arguments.json, &report)?;
    Ok(true)
}

fn settings(worker: &WorkerBin, seconds: u64, warm_up_ms: u64) -> io::Result<Settings> {
    let worker_bin = Some(worker.find()?); // before this process keeps to one core
    let cores = Cores::choose()?;
    process::pin(0, cores.load)?;
    let phases = Phases { warm_up_ms, window_ms: seconds * 1_000 };
    // One socket is flooded, not the one of the other stream.
    Ok(Settings { cores, phases, sockets: SocketUse::Own, jitter_us: 0, worker_bin })
}

fn print_json(wanted: bool, report: &impl Serialize) -> io::Result<()> {
    if wanted {
        println!("{}", serde_json::to_string_pretty(report)?);
    }
    Ok(())
}

const WARM_UP_MS: u64 = 1_000;
const SETTLE_MS: u64 = 6_000; // an empty pool chunk goes back to the system after five seconds
