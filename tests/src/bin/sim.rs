//! `cargo sim`: many seeds of the scenarios, on all cores; see `tidegate_tests::scenarios`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Parser;
use tidegate_tests::clock::{monotonic_ns, thread_cpu_ns};
use tidegate_tests::scenarios::runner::{self, Failure};
use tidegate_tests::scenarios::{ALL, Scenario, Tally, named};

/// Runs scenarios from many seeds and says what they did. Fails when one failed; the last lines then are those for
/// tests/seeds.txt.
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
struct Arguments {
    /// Seeds of each scenario.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Only this scenario; may be given several times.
    #[arg(long)]
    scenario: Vec<String>,
    /// Only this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// As many at once; as many as there are cores when absent.
    #[arg(long)]
    threads: Option<usize>,
    /// Names the scenarios and what they prove.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        ALL.iter().for_each(|scenario| println!("{:24} {}", scenario.name, scenario.proves));
        return ExitCode::SUCCESS;
    }
    let scenarios = match chosen(&arguments.scenario) {
        Ok(scenarios) => scenarios,
        Err(name) => {
            eprintln!("no scenario is named {name}; --list names them");
            return ExitCode::from(2);
        }
    };
    let seeds = match arguments.seed {
        Some(seed) => seed..seed.saturating_add(1),
        None => arguments.from..arguments.from.saturating_add(arguments.seeds),
    };
    let threads =
        arguments.threads.or_else(|| Some(thread::available_parallelism().ok()?.get())).unwrap_or(1);
    println!(
        "{:24} {:>7} {:>14} {:>12} {:>12} {:>10} {:>14} {:>7}",
        "scenario", "seeds", "packet ops", "ops/s", "ops/cpu s", "virtual s", "checks", "failed"
    );
    let mut failures = Vec::new();
    for scenario in scenarios {
        failures.extend(run_seeds(scenario, &seeds.clone().collect::<Vec<_>>(), threads));
    }
    for failure in &failures {
        println!("{failure}");
    }
    for failure in &failures {
        println!("{}", failure.line());
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, &String> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    names.iter().map(|name| named(name).ok_or(name)).collect()
}

/// What the threads have done so far.
#[derive(Debug, Default)]
struct Progress {
    done: u64,
    tally: Tally,
    failures: Vec<Failure>,
    cpu_ns: u64,
}

fn run_seeds(scenario: &'static Scenario, seeds: &[u64], threads: usize) -> Vec<Failure> {
    let (next, progress) = (AtomicUsize::new(0), Mutex::new(Progress::default()));
    let start = monotonic_ns();
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let cpu_before = thread_cpu_ns();
            let result = runner::run(scenario, *seed);
            let cpu_ns = thread_cpu_ns().saturating_sub(cpu_before);
            let Ok(mut progress) = progress.lock() else { return };
            progress.cpu_ns += cpu_ns;
            progress.take(result);
            if progress.done.is_multiple_of(100) {
                eprintln!("{}: {} of {} seeds", scenario.name, progress.done, seeds.len());
            }
        }
    };
    thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    let seconds = monotonic_ns().saturating_sub(start).max(1) as f64 / 1e9;
    let mut progress = progress.into_inner().unwrap_or_default();
    println!("{}", line(scenario, &progress, seconds));
    progress.failures.sort_by_key(|failure| failure.seed);
    progress.failures
}

impl Progress {
    fn take(&mut self, result: Result<Tally, Box<Failure>>) {
        self.done += 1;
        match result {
            Ok(tally) => self.tally += tally,
            Err(failure) => {
                eprintln!("{failure}");
                self.failures.push(*failure);
            }
        }
    }
}

/// Operations per second are those of all threads together; per second of CPU, what one core does when it has nothing
/// else to do.
fn line(scenario: &Scenario, progress: &Progress, seconds: f64) -> String {
    let Tally { packet_operations, virtual_ms, invariant_checks, .. } = progress.tally;
    format!(
        "{:24} {:>7} {:>14} {:>12.0} {:>12.0} {:>10.0} {:>14} {:>7}",
        scenario.name,
        progress.done,
        packet_operations,
        packet_operations as f64 / seconds,
        packet_operations as f64 * 1e9 / progress.cpu_ns.max(1) as f64,
        virtual_ms as f64 / 1e3,
        invariant_checks,
        progress.failures.len()
    )
}
