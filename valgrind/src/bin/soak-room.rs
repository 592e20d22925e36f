//! `cargo soak-room`: echo rooms in real time while the worker's memory is watched; see `tidegate_tests::soak_room`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidegate_tests::fuzz::child::WorkerProgram;
use tidegate_tests::soak_room::{Curve, Options, Progress, ROOMS_MAX, Report, run};
use tidegate_valgrind::figures::float;
use tidegate_valgrind::massif::Profile;
use tidegate_valgrind::program::{build_leaky_worker, build_worker, output_file, under_valgrind};
use tidegate_valgrind::{Failure, browsers};

/// Lets people come to echo rooms of a real worker, under massif, and go, and watches its memory. Exit code 1: memory grew
/// by more than 1 kB/min over the last half, or something else was wrong.
///
/// Guests are real WebRTC peers on loopback with recorded VP8 and Opus; three or four are in a room, each stays for 20 to
/// 90 s, one in five goes without a word. Under massif, which makes the worker some thirty times slower, video has
/// 0.15 Mb/s and the heap is judged; bare it has 0.5 Mb/s and what the kernel and the allocator count is judged.
#[derive(Debug, Parser)]
#[command(name = "soak-room", version)]
struct Arguments {
    /// Echo rooms.
    #[arg(long, default_value_t = 4, value_parser = rooms)]
    rooms: usize,
    /// How long, in minutes.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=MINUTES_MAX))]
    minutes: u64,
    /// Who comes when and stays how long.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The worker alone, without massif.
    #[arg(long)]
    bare: bool,
    /// Visitors are Chromium's pages in the rooms of the example echo-room, two in each.
    #[arg(long)]
    browsers: bool,
    /// Watch a worker with a planted leak, built for it: one release of a packet buffer in 10,000 is forgotten. This must
    /// fail.
    #[arg(long, conflicts_with = "worker")]
    leak: bool,
    /// The standalone worker to watch; built from the sources when absent.
    #[arg(long)]
    worker: Option<PathBuf>,
    /// Write the report as JSON to this file; "-" is standard output, instead of the text.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write memory over time to this file [default: target/soak-room.svg, or target/soak-room-massif.svg].
    #[arg(long)]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = soak(&arguments).and_then(|report| write(&arguments, &report).map(|()| report));
    match report {
        Ok(report) if report.violations.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("soak-room: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn soak(arguments: &Arguments) -> Result<Report, Failure> {
    let worker = match &arguments.worker {
        Some(worker) => worker.clone(),
        None if arguments.leak => build_leaky_worker()?,
        None => build_worker()?,
    };
    let time = Duration::from_secs(arguments.minutes * 60);
    let Arguments { rooms, seed, .. } = *arguments;
    // Three and a half in a room; browsers take a core for a few.
    let people = if arguments.browsers { rooms * 2 } else { rooms * 7 / 2 };
    let options = Options { rooms, people, time, seed, is_under_tool: !arguments.bare };
    eprintln!("{rooms} rooms, {people} guests, {} minutes", arguments.minutes);
    let mut said = 0.0;
    let mut watch = |progress: &Progress| {
        if progress.seconds >= said {
            said = progress.seconds + SAY_EVERY_S;
            eprintln!("{progress}");
        }
    };
    let mut report = match (arguments.bare, arguments.browsers) {
        (true, false) => run(&WorkerProgram::standalone(worker), &options, &mut watch)?,
        (true, true) => browsers::run(&worker, &options, &mut watch)?,
        (false, with_browsers) => under_massif(&worker, &options, with_browsers, &mut watch)?,
    };
    report.subject = subject(arguments);
    report.judge();
    Ok(report)
}

/// As it is called in the report and in the picture.
fn subject(arguments: &Arguments) -> String {
    let worker = if arguments.leak { "worker with a planted leak" } else { "worker" };
    let how = if arguments.bare { "alone" } else { "under massif" };
    format!("{worker} {how}{}", if arguments.browsers { ", visited by browsers" } else { "" })
}

/// The same under massif, whose books of the heap are the curve that is judged.
fn under_massif(
    worker: &Path,
    options: &Options,
    with_browsers: bool,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Report, Failure> {
    let out = output_file("massif", "soak-room")?;
    let file = format!("--massif-out-file={}", out.display());
    let snapshots = format!("--max-snapshots={SNAPSHOTS_MAX}");
    // Who took what is not asked: such a snapshot takes massif long.
    let tool = ["--time-unit=ms", &file, &snapshots, "--detailed-freq=1000000"].map(OsString::from).to_vec();
    let program = under_valgrind("massif", tool, worker)?;
    let mut report = if with_browsers {
        let script = browsers::script(&out.with_extension("sh"), &program)?;
        browsers::run(&script, options, watch)?
    } else {
        run(&program, options, watch)?
    };
    let profile =
        Profile::parse(&fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?);
    report.curves.insert(0, heap(&profile, &report));
    Ok(report)
}

/// What massif saw until people began to leave for good, once a second. It looks when memory is taken or given, so that a
/// moment at which much happens has many snapshots; and its clock has begun and ended with the process.
fn heap(profile: &Profile, report: &Report) -> Curve {
    let end_ms = profile.snapshots.last().map_or(0, |snapshot| snapshot.time);
    let at = |time_ms: u64| report.ended_minutes - float(end_ms - time_ms) / 60_000.0;
    let seconds =
        (0..end_ms).step_by(1_000).filter(|time| (0.0..=report.minutes - MARGIN_MIN).contains(&at(*time)));
    let points = seconds.filter_map(|time| {
        let past = profile.snapshots.partition_point(|snapshot| snapshot.time <= time);
        let last = profile.snapshots.get(past.checked_sub(1)?)?;
        Some((at(time), float(last.bytes()) / 1_024.0))
    });
    Curve { name: "heap (massif)", is_judged: true, points: points.collect() }
}

/// First what must not be lost when a file cannot be written.
fn write(arguments: &Arguments, report: &Report) -> Result<(), Failure> {
    let to_stdout = arguments.json.as_deref() == Some(Path::new("-"));
    let json = || report.to_json().map_err(|error| error.to_string());
    if to_stdout {
        println!("{}", json()?);
    } else {
        println!("{report}");
    }
    if let Some(path) = arguments.json.as_deref().filter(|_| !to_stdout) {
        write_file(path, &json()?)?;
    }
    let own =
        || PathBuf::from(if arguments.bare { "target/soak-room.svg" } else { "target/soak-room-massif.svg" });
    let path = arguments.svg.clone().unwrap_or_else(own);
    write_file(&path, &report.svg()?)?;
    if !to_stdout {
        println!("memory over time: {}", path.display());
    }
    Ok(())
}

fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text)).map_err(|error| format!("{}: {error}", path.display()))
}

fn rooms(text: &str) -> Result<usize, String> {
    let rooms = text.parse().ok().filter(|rooms| (1..=ROOMS_MAX).contains(rooms));
    rooms.ok_or_else(|| format!("a number from 1 to {ROOMS_MAX}"))
}

const MINUTES_MAX: u64 = 7 * 24 * 60;
const SAY_EVERY_S: f64 = 10.0;
/// massif's clock and ours may differ by so much.
const MARGIN_MIN: f64 = 0.02;
/// massif halves them when there are as many: half at least are in the picture.
const SNAPSHOTS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use tidegate_valgrind::massif::Snapshot;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["soak-room"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn arguments_are_checked() {
        let usual = parse("").unwrap();
        assert_eq!(
            (usual.rooms, usual.minutes, usual.bare, usual.leak, usual.browsers),
            (4, 30, false, false, false)
        );
        let all = parse("--rooms 2 --minutes 60 --bare --leak --seed 7 --json - --svg x.svg").unwrap();
        assert_eq!((all.rooms, all.minutes, all.seed, all.bare && all.leak), (2, 60, 7, true));
        let wrong = [
            "--rooms 0",
            "--rooms 41",
            "--minutes 0",
            "--minutes x",
            "--leak --worker w",
            "--seconds 5",
            "4",
        ];
        for line in wrong {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn whatever_is_watched_is_named() {
        assert_eq!(subject(&parse("").unwrap()), "worker under massif");
        let all = subject(&parse("--bare --leak --browsers").unwrap());
        assert_eq!(all, "worker with a planted leak alone, visited by browsers");
    }

    #[test]
    fn massifs_snapshots_become_a_reading_each_second_on_our_clock() {
        let snapshot = |time, heap_bytes| Snapshot { time, heap_bytes, extra_bytes: 1_024 };
        // The worker started a second before the beginning and ended half a minute after the end.
        let snapshots =
            vec![snapshot(0, 0), snapshot(1_500, 1_024), snapshot(1_600, 2_048), snapshot(91_000, 0)];
        let arguments = parse("--bare").unwrap();
        let mut report = Report {
            options: Options {
                rooms: 1,
                people: 1,
                time: Duration::from_secs(60),
                seed: 1,
                is_under_tool: true,
            },
            subject: subject(&arguments),
            ended_minutes: 1.5,
            minutes: 1.0,
            totals: Default::default(),
            forwarded: 0,
            worker_cpu_s: 0.0,
            own_cpu_s: 0.0,
            curves: Vec::new(),
            empty_kb: (0, 0),
            violations: Vec::new(),
        };
        let curve = heap(&Profile { snapshots }, &report);
        assert!((58..=60).contains(&curve.points.len()), "{curve:?}");
        assert_eq!(curve.points.first(), Some(&(0.0, 1.0)));
        assert!(curve.points[2..].iter().all(|(at, kb)| *kb == 3.0 && (0.0..1.0).contains(at)), "{curve:?}");
        report.curves.push(curve);
        report.judge();
        assert!(report.violations.iter().any(|said| said.contains("0 joined")), "nobody came: {report}");
    }
}
