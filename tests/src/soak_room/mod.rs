//! Echo rooms in real time: a real worker process, guests with real sockets, ICE, DTLS and SRTP, who come and go for an hour
//! while the worker's memory is watched.
//!
//! Guests send recorded VP8 and Opus and get everybody's in their room, their own too; they lose packets now and then, ask
//! again, answer, report, want key frames, leave with a word or without one. Nothing is simulated but people. Memory must
//! be flat over the last half, and the worker empty when all have left. `cargo soak-room` runs it; `soak` has days of the
//! same in a simulated world.
//!
//! Parts: `house` says who comes and goes, `guest` what one does, `outgoing` and `incoming` are a guest's streams,
//! [`series`] and `report` are about what was found.
//! Knows a worker's host and process. Does not know files or terminals, nor tools above the worker.
//! Invariant: what is judged was measured; a worker that ends or refuses something ends the run.

mod guest;
mod house;
mod incoming;
mod outgoing;
mod report;
pub mod series;

use std::fmt;
use std::time::Duration;

pub use house::{Repairs, Totals};
pub use report::Report;
pub use series::{Curve, Trend};

use house::House;

use crate::clock::{monotonic_ns, sleep_until};
use crate::driver::{Driver, Failure};
use crate::fuzz::child::WorkerProgram;
use crate::process;
use crate::traffic::Traffic;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Echo rooms, 1 to [`ROOMS_MAX`].
    pub rooms: usize,
    /// How many are in all of them together, at any time.
    pub people: usize,
    /// How long.
    pub time: Duration,
    /// Who comes when and stays how long.
    pub seed: u64,
    /// Whether the worker runs under a tool, which is slow and keeps the heap's books itself.
    pub is_under_tool: bool,
}

/// What is known so far.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Since the beginning.
    pub seconds: f64,
    /// The last sample.
    pub sample: Sample,
    /// What has happened, when it is known before the end.
    pub totals: Option<Totals>,
    /// Guests that are there.
    pub present: usize,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, sample, totals, present } = self;
        let process::Memory { resident_kb, anonymous_kb, .. } = sample.memory;
        write!(f, "{seconds:6.0} s  {present} there")?;
        if let Some(Totals { joins, leaves, .. }) = totals {
            write!(f, ", {joins} joined, {leaves} left")?;
        }
        write!(f, "  resident {resident_kb} kB, anonymous {anonymous_kb} kB")?;
        if let Some(bytes) = sample.heap_bytes {
            write!(f, ", heap {} kB", bytes / 1_024)?;
        }
        totals.map_or(Ok(()), |Totals { received, lost, .. }| write!(f, "  {received} received, {lost} lost"))
    }
}

/// Memory at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Milliseconds since the beginning.
    pub at_ms: u64,
    /// Of the process.
    pub memory: process::Memory,
    /// What the worker's allocator has given out (`heap_used_bytes` of its metrics); a tool that takes its place knows better.
    pub heap_bytes: Option<u64>,
}

/// Runs it with `program`, and calls `watch` with each sample.
///
/// # Errors
/// The worker does not start, refuses something, ends, loses what it should not, or does not end well.
pub fn run(
    program: &WorkerProgram,
    options: &Options,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Report, Failure> {
    let driver = Driver::start(program, &[])?;
    let pid = driver.pid();
    let empty = driver.memory()?;
    let video = if options.is_under_tool { Traffic::SimulcastLow } else { Traffic::SimulcastMiddle };
    // Under a tool the worker shakes hands for long, and must not lose what comes meanwhile.
    let receive_buffer_bytes = if options.is_under_tool { RECEIVE_BUFFER_BYTES } else { 0 };
    let mut house = House::opens(driver, options, video, receive_buffer_bytes)?;
    let own_before = process::own_run_time().map_err(|error| error.to_string())?;
    let begun_ns = monotonic_ns();
    let samples = live(&mut house, options, begun_ns, watch)?;
    let minutes = minutes(monotonic_ns() - begun_ns);
    let forwarded = house.metrics()?.value("packets_forwarded").ok_or("no metric packets_forwarded")?;
    let worker_cpu = process::run_time(pid).map_err(|error| error.to_string())?;
    let own_cpu = process::own_run_time().map_err(|error| error.to_string())?.since(own_before);
    house.closes()?;
    let totals = house.totals();
    let mut violations = Vec::new();
    let empty_after = is_left_clean(&mut house, &mut violations)?;
    house.driver.finish()?;
    let ended_ns = monotonic_ns();
    Ok(Report {
        options: *options,
        subject: String::new(),
        ended_minutes: self::minutes(ended_ns - begun_ns),
        minutes,
        totals,
        forwarded,
        worker_cpu_s: worker_cpu.ran_ns as f64 / 1e9,
        own_cpu_s: own_cpu.ran_ns as f64 / 1e9,
        curves: curves(&samples, options.is_under_tool),
        empty_kb: (empty.anonymous_kb, empty_after.anonymous_kb),
        violations,
    })
}

/// People come and go until the time is over.
fn live(
    house: &mut House,
    options: &Options,
    begun_ns: u64,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Vec<Sample>, Failure> {
    let end_ns = begun_ns.saturating_add(u64::try_from(options.time.as_nanos()).unwrap_or(u64::MAX));
    let (mut samples, mut sample_ns) = (Vec::new(), begun_ns);
    loop {
        let now_ns = monotonic_ns();
        if now_ns >= end_ns {
            return Ok(samples);
        }
        house.goes_on()?;
        if now_ns >= sample_ns {
            sample_ns = now_ns + SAMPLE_NS;
            let sample = take_sample(house, options, begun_ns)?;
            samples.push(sample);
            let seconds = sample.at_ms as f64 / 1e3;
            watch(&Progress { seconds, sample, totals: Some(house.totals()), present: house.present() });
        }
        sleep_until(now_ns + TICK_NS);
    }
}

fn take_sample(house: &mut House, options: &Options, begun_ns: u64) -> Result<Sample, Failure> {
    let heap_bytes = match options.is_under_tool {
        true => None,
        false => Some(house.metrics()?.value("heap_used_bytes").ok_or("no metric heap_used_bytes")?),
    };
    let memory = house.driver.memory()?;
    Ok(Sample { at_ms: (monotonic_ns() - begun_ns) / 1_000_000, memory, heap_bytes })
}

/// What samples are of. Under a tool the process is mostly the tool, and is not judged.
pub fn curves(samples: &[Sample], is_under_tool: bool) -> Vec<Curve> {
    let curve = |name, of: fn(&Sample) -> f64| Curve {
        name,
        is_judged: !is_under_tool,
        points: samples.iter().map(|sample| (sample.at_ms as f64 / 60_000.0, of(sample))).collect(),
    };
    let names = match is_under_tool {
        true => ["resident, with the tool's", "anonymous, with the tool's"],
        false => ["resident", "anonymous"],
    };
    let mut curves = vec![
        curve(names[0], |sample| sample.memory.resident_kb as f64),
        curve(names[1], |sample| sample.memory.anonymous_kb as f64),
    ];
    if !is_under_tool {
        curves.push(curve("heap (mallinfo2, in use)", |sample| {
            sample.heap_bytes.unwrap_or(0) as f64 / 1_024.0
        }));
    }
    curves
}

/// After everybody has left nothing is held, once packet memory is given back; what the process still has then.
fn is_left_clean(house: &mut House, violations: &mut Vec<String>) -> Result<process::Memory, Failure> {
    let give_up_ns = monotonic_ns() + EMPTY_NS;
    loop {
        let dump = house.dump()?;
        let entities = dump.router_ids.len() as u64 + dump.transports + dump.producers + dump.consumers;
        let is_empty =
            entities == 0 && dump.sockets == 0 && dump.packets_in_use == 0 && dump.packet_memory_bytes == 0;
        if is_empty || monotonic_ns() >= give_up_ns {
            if !is_empty || dump.panics_contained > 0 {
                violations.push(format!("the worker's dump is not empty after all have left: {dump:?}"));
            }
            return house.driver.memory();
        }
        house.driver.rest_for(100_000_000)?;
    }
}

fn minutes(ns: u64) -> f64 {
    ns as f64 / 60e9
}

/// More guests are more than one core can play.
pub const ROOMS_MAX: usize = 40;
/// As much as Linux gives a program that is not root, once it is allowed to.
const RECEIVE_BUFFER_BYTES: u32 = 4 << 20;
const SAMPLE_NS: u64 = 1_000_000_000;
/// Between two looks at all sockets.
const TICK_NS: u64 = 5_000_000;
/// Chunks go back after five seconds.
const EMPTY_NS: u64 = 20_000_000_000;
