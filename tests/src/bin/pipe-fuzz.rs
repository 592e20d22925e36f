//! `cargo pipe-fuzz`: workers under anything that can be written to their pipe; see `tidegate_tests::fuzz`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tidegate_protocol::error::ErrorKind;
use tidegate_tests::fuzz::child::{WorkerProgram, run_if_worker};
use tidegate_tests::fuzz::report::Report;
use tidegate_tests::fuzz::{Options, run};

/// Spawns workers one after the other and writes anything to their pipes: valid requests in any order, wrong ones,
/// mutated frames, broken framing; beside it datagrams to their sockets. Fails when a promise is broken: every framed
/// request is answered once and in order, no signal, no hang, memory bounded, the right exit codes.
#[derive(Debug, Parser)]
#[command(name = "pipe-fuzz", version)]
struct Arguments {
    /// How long to start new workers.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// What all choices follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run only this life of the seed, to see a violation again.
    #[arg(long)]
    life: Option<u64>,
    /// A standalone worker to test; this program's own one when absent.
    #[arg(long)]
    worker: Option<PathBuf>,
}

fn main() -> ExitCode {
    run_if_worker();
    let arguments = Arguments::parse();
    let program = match arguments.worker {
        Some(path) => WorkerProgram::standalone(path),
        None => WorkerProgram::embedded(PathBuf::from("/proc/self/exe").canonicalize().unwrap_or_default()),
    };
    let Arguments { seconds, seed, life: only, .. } = arguments;
    let report = run(&Options { seconds, seed, only, program }, |number, report| {
        if number.is_multiple_of(50) {
            eprintln!("{number} workers, {} requests, {} datagrams", report.requests, report.datagrams);
        }
    });
    println!("seed: {seed}");
    print!("{report}");
    if verdict(&report, only.is_some()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether all is well; a run of one life cannot have seen everything.
fn verdict(report: &Report, is_part: bool) -> bool {
    let mut well =
        report.violations.is_empty() && report.signals() == 0 && report.errors_of(ErrorKind::Internal) == 0;
    if !is_part {
        for kind in report.unseen() {
            println!("NOT SEEN: no answer was {kind:?}");
            well = false;
        }
        for code in report.unseen_codes() {
            println!("NOT SEEN: no worker ended by code {code}");
            well = false;
        }
    }
    println!("{}", if well { "no promise was broken" } else { "FAILED" });
    well
}
