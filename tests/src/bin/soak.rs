//! `cargo soak`: simulation at length; see `tidegate_tests::soak`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tidegate_tests::clock::monotonic_ns;
use tidegate_tests::soak::{GoOn, Options, Pace, ROOMS_MAX, Report, chart, run};

/// Lets rooms of four live for long in a simulated world, looks at everything, and says what it saw. Fails when anything
/// was wrong: then the seed, the virtual time, what it was and the command to see it again are printed.
///
/// Everybody sends sound (Opus) and video (VP8) and gets everybody else's. People join, leave and pause; paths lose,
/// delay, reorder and double datagrams. All counters begin near their edges. Ctrl-C lets everybody leave and prints what
/// was found so far.
#[derive(Debug, Parser)]
#[command(name = "soak", version)]
struct Arguments {
    /// How much virtual time passes: 7d, 1h, 10m, 30s.
    #[arg(long = "virtual", default_value = "1h", value_parser = duration)]
    virtual_time: Duration,
    /// Where all random numbers come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rooms of four.
    #[arg(long, default_value_t = 4, value_parser = rooms)]
    rooms: usize,
    /// Send as real cameras and microphones do, instead of five packets a second and stream.
    #[arg(long)]
    full_rate: bool,
    /// Write the report as JSON to this file; "-" is standard output, instead of the text.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write memory over virtual time to this file [default: target/soak-SEED.svg].
    #[arg(long)]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Arguments { virtual_time, seed, rooms, full_rate, .. } = arguments;
    let pace = if full_rate { Pace::Full } else { Pace::Sparse };
    // Without it Ctrl-C ends the program as ever.
    let interrupts = interrupts().ok();
    let mut progress = Progress { said_at_ns: monotonic_ns() };
    let report = run(&Options { virtual_time, seed, rooms, pace }, None, &mut |report| {
        progress.say(report);
        let came =
            interrupts.as_ref().is_some_and(|interrupts| matches!(interrupts.read_signal(), Ok(Some(_))));
        if came { GoOn::No } else { GoOn::Yes }
    });
    if let Err(error) = write(&arguments, &report) {
        eprintln!("soak: {error}");
        return ExitCode::FAILURE;
    }
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// First what must not be lost when a file cannot be written.
fn write(arguments: &Arguments, report: &Report) -> io::Result<()> {
    let to_stdout = arguments.json.as_deref() == Some(Path::new("-"));
    if !to_stdout {
        println!("{report}");
    }
    match &arguments.json {
        Some(_) if to_stdout => println!("{}", report.to_json()?),
        Some(path) => fs::write(path, report.to_json()?)?,
        None => {}
    }
    let own = || PathBuf::from(format!("target/soak-{}.svg", report.options.seed));
    let path = arguments.svg.clone().unwrap_or_else(own);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let picture = chart::svg(&report.replay(), &report.samples);
    fs::write(&path, picture.map_err(|error| io::Error::other(error.to_string()))?)?;
    if !to_stdout {
        println!("memory over virtual time: {}", path.display());
    }
    Ok(())
}

/// Says on stderr now and then how far it is.
#[derive(Debug)]
struct Progress {
    said_at_ns: u64,
}

impl Progress {
    fn say(&mut self, report: &Report) {
        let now = monotonic_ns();
        if now.saturating_sub(self.said_at_ns) < SAY_EVERY_NS {
            return;
        }
        self.said_at_ns = now;
        let all_ms = report.options.virtual_time.as_millis() as f64;
        let done = report.virtual_ms as f64 / all_ms.max(1.0);
        let left = report.seconds * (1.0 / done.max(1e-9) - 1.0);
        eprintln!(
            "{:5.1} %  {:.2} h of virtual time  {:.2} million packet operations  {:.0} a second of CPU  {left:.0} s left",
            done * 100.0,
            report.virtual_ms as f64 / 3_600_000.0,
            report.packet_operations as f64 / 1e6,
            report.rate(),
        );
    }
}

/// SIGINT and SIGTERM as something to be asked, which do not end the program any more.
fn interrupts() -> nix::Result<SignalFd> {
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let seconds = units.iter().find_map(|(unit, seconds)| {
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(*seconds)
    });
    let seconds = seconds.filter(|seconds| (10..=SECONDS_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "a number and d, h, m or s; from 10s to 100d".to_owned())
}

fn rooms(text: &str) -> Result<usize, String> {
    let rooms = text.parse().ok().filter(|rooms| (1..=ROOMS_MAX).contains(rooms));
    rooms.ok_or_else(|| format!("a number from 1 to {ROOMS_MAX}"))
}

const SECONDS_MAX: u64 = 100 * 86_400;
const SAY_EVERY_NS: u64 = 5_000_000_000;
