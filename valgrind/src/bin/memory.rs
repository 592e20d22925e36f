//! `cargo memory`: what the worker takes, against `valgrind/budgets.toml`; see the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_tests::driver::Driver;
use tidegate_tests::fuzz::child::WorkerProgram;
use tidegate_valgrind::budgets::{Budgets, Row, table};
use tidegate_valgrind::figures::{Figures, float};
use tidegate_valgrind::massif::Profile;
use tidegate_valgrind::program::{build_worker, output_file, under_valgrind};
use tidegate_valgrind::scenario::{Extent, Scenario};
use tidegate_valgrind::{Failure, callgrind, memcheck};

/// Measures what the worker takes and holds it to valgrind/budgets.toml. Exit code 1: something is over budget or
/// could not be measured. Progress goes to stderr.
#[derive(Debug, Parser)]
#[command(name = "memory", version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Print figures as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Measure the heap with massif instead of the kernel's count of a worker alone; also writes a CSV of its course.
    #[arg(long, global = true)]
    massif: bool,
    /// The standalone worker to measure; built from the sources when absent.
    #[arg(long, global = true)]
    worker: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// A worker that was greeted.
    Idle,
    /// 1,000 routers, plain transports, producers and consumers: bytes of each, and what comes back.
    Entities,
    /// 1,000 WebRTC transports on a server: bytes of each before and after its handshake, and what comes back.
    Webrtc,
    /// A recorded video to 100 consumers: under load, and after all is closed.
    Fanout,
    /// 200 consumers come and go.
    Peak,
    /// All five.
    All,
    /// Runs scenarios under memcheck; any error and any definite leak fails.
    Memcheck,
    /// Instructions per forwarded packet.
    Callgrind,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments).and_then(|figures| Budgets::current()?.judge(&figures)) {
        Ok(rows) => {
            print_rows(&rows, arguments.json);
            if rows.iter().any(|row| row.over) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn print_rows(rows: &[Row], as_json: bool) {
    if as_json {
        println!("{}", serde_json::json!(rows));
    } else {
        print!("{}", table(rows));
    }
}

fn measure(arguments: &Arguments) -> Result<Figures, Failure> {
    let worker = arguments.worker.clone().map_or_else(build_worker, Ok)?;
    let scenarios: &[Scenario] = match arguments.what {
        What::Idle => &[Scenario::Idle],
        What::Entities => &[Scenario::Entities],
        What::Webrtc => &[Scenario::WebRtc],
        What::Fanout => &[Scenario::Fanout],
        What::Peak => &[Scenario::Peak],
        What::All => &Scenario::ALL,
        What::Memcheck => return run_memcheck(&worker),
        What::Callgrind => return run_callgrind(&worker),
    };
    let mut figures = Figures::default();
    for scenario in scenarios {
        eprintln!("== {}", scenario.name());
        let measured = if arguments.massif {
            run_massif(*scenario, &worker)?
        } else {
            scenario.run(&WorkerProgram::standalone(worker.clone()), Extent::WHOLE)?
        };
        figures.0.extend(measured.0);
    }
    Ok(figures)
}

/// The heap of one scenario.
fn run_massif(scenario: Scenario, worker: &Path) -> Result<Figures, Failure> {
    let out = output_file("massif", scenario.name())?;
    let file = format!("--massif-out-file={}", out.display());
    let program = under_valgrind("massif", vec![file.into(), "--time-unit=ms".into()], worker)?;
    scenario.run(&program, Extent::UNDER_MASSIF)?;
    let profile = Profile::parse(&read(&out)?);
    let csv = out.with_extension("csv");
    std::fs::write(&csv, profile.csv()).map_err(|error| format!("{}: {error}", csv.display()))?;
    eprintln!("its course: {}", csv.display());
    let mut figures = Figures::default();
    figures.add(&format!("massif.{}_peak_bytes", scenario.name()), float(profile.peak_bytes()));
    if scenario != Scenario::Idle {
        figures.add(&format!("massif.{}_closed_bytes", scenario.name()), float(profile.closed_bytes()));
    }
    Ok(figures)
}

/// Every scenario, small, in one worker under memcheck.
fn run_memcheck(worker: &Path) -> Result<Figures, Failure> {
    let report = output_file("memcheck", "all")?;
    let program = under_valgrind("memcheck", memcheck::arguments(&report), worker)?;
    let mut driver = Driver::start(&program, &[])?;
    for scenario in Scenario::ALL {
        eprintln!("== {} under memcheck", scenario.name());
        (driver, _) = scenario.drive(driver, Extent::SMALL)?;
    }
    let (ended, _) = driver.finish_anyhow()?;
    memcheck::verdict(ended, &read(&report)?)?;
    let mut figures = Figures::default();
    figures.add("memcheck.errors", 0.0);
    Ok(figures)
}

/// A fan-out with media against the same with hardly any: what is more is forwarding.
fn run_callgrind(worker: &Path) -> Result<Figures, Failure> {
    let long = Extent { window_ms: 6_000, ..Extent::SMALL };
    let (few, few_packets) =
        count_instructions(worker, "short", Extent { warm_up_ms: 100, window_ms: 500, ..long })?;
    let (many, many_packets) = count_instructions(worker, "long", long)?;
    let packets = many_packets.saturating_sub(few_packets);
    if packets == 0 {
        return Err("the longer run forwarded no more packets than the shorter".to_owned());
    }
    eprintln!("{packets} packets, {} instructions", many.saturating_sub(few));
    let mut figures = Figures::default();
    figures.add("callgrind.instructions_per_packet", float(many.saturating_sub(few)) / float(packets));
    Ok(figures)
}

/// Instructions of a whole fan-out and packets that it forwarded.
fn count_instructions(worker: &Path, name: &str, extent: Extent) -> Result<(u64, u64), Failure> {
    let out = output_file("callgrind", name)?;
    let file = format!("--callgrind-out-file={}", out.display());
    let program = under_valgrind("callgrind", vec![file.into()], worker)?;
    eprintln!("== fanout under callgrind ({name})");
    let driver = Driver::start(&program, &[])?;
    let (mut driver, _) = Scenario::Fanout.drive(driver, extent)?;
    let packets = match driver.call(Command::GetMetrics)? {
        Reply::Metrics(metrics) => metrics.value("packets_forwarded").ok_or("no metric packets_forwarded")?,
        other => return Err(format!("metrics were answered {other:?}")),
    };
    driver.finish()?;
    let sum = callgrind::instructions(&read(&out)?).ok_or_else(|| format!("no sum in {}", out.display()))?;
    Ok((sum, packets))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
