//! Simulation at length: rooms of four for days of virtual time, while memory is watched.
//!
//! People join, leave and pause; paths lose, delay, reorder and double datagrams, and change; every counter begins just
//! before its edge. Sources and sinks compare every packet, explain every hole and account for every transport-wide
//! number; the worker is audited; memory must be flat, and gone when everybody has left.
//! `cargo soak` runs it; `tests/tests/soak.rs` runs it for minutes.
//!
//! Parts: `house` says who comes and goes, `stay` what one participant sends and gets, `weather` what paths do, `totals`
//! counts, [`series`] and [`chart`] are about memory, [`report`] about what is printed.
//! Knows the bed. Does not know files or terminals.
//! Invariant: the same options give the same run, but for the machine's own times and resident memory.

pub mod chart;
mod house;
pub mod report;
pub mod series;
mod stay;
mod totals;
mod weather;

use std::time::Duration;

pub use report::{Checks, Report};
pub use stay::Pace;
pub use totals::{AllWraps, Events, Repairs, Totals, Wraps};

use house::{House, SEATS};
use series::{Curve, Sample, Trend};

use crate::clock::{monotonic_ns, thread_cpu_ns};
use crate::process;
use crate::scenarios::runner::{self, Failure};
use crate::world::World;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much time passes in the world.
    pub virtual_time: Duration,
    /// Where all random numbers come from.
    pub seed: u64,
    /// Rooms of four, 1 to [`ROOMS_MAX`].
    pub rooms: usize,
    /// How much everybody sends.
    pub pace: Pace,
}

/// Something wrong that is done to the world at some time, to prove that it is noticed.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    /// When.
    pub at: Duration,
    /// What.
    pub what: fn(&mut World),
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoOn {
    /// To the end of the virtual time.
    Yes,
    /// Everybody leaves now, and what was found so far is reported.
    No,
}

/// Runs it, and calls `watch` with what is known so far, again and again; at least a thousand times when it ends in time.
/// What breaks is in the report.
pub fn run(options: &Options, plant: Option<Plant>, watch: &mut dyn FnMut(&Report) -> GoOn) -> Report {
    let mut report = Report::of(*options);
    let begun = Begun { monotonic_ns: monotonic_ns(), cpu_ns: thread_cpu_ns() };
    let result = runner::caught("soak", options.seed, || live(options, plant, begun, &mut report, watch));
    begun.note(&mut report);
    match result {
        Ok(()) => report.judge(),
        Err(failure) => report.fail(sentence(&failure)),
    }
    report
}

fn sentence(failure: &Failure) -> String {
    match failure.step {
        Some((_, at_ms)) => format!("at {at_ms} ms of virtual time: {}", failure.message),
        None => format!("outside of a world: {}", failure.message),
    }
}

/// When the machine began.
#[derive(Clone, Copy, Debug)]
struct Begun {
    monotonic_ns: u64,
    cpu_ns: u64,
}

impl Begun {
    fn note(self, report: &mut Report) {
        report.seconds = monotonic_ns().saturating_sub(self.monotonic_ns) as f64 / 1e9;
        report.cpu_seconds = thread_cpu_ns().saturating_sub(self.cpu_ns) as f64 / 1e9;
    }
}

fn live(
    options: &Options,
    mut plant: Option<Plant>,
    begun: Begun,
    report: &mut Report,
    watch: &mut dyn FnMut(&Report) -> GoOn,
) {
    let Options { virtual_time, seed, rooms, pace } = *options;
    let mut house = House::new(seed, rooms, pace, virtual_time);
    let baseline = house.world.held_bytes();
    let end_ms = millis(virtual_time);
    let step_ms = (end_ms / SAMPLES).max(1);
    let mut at_ms = 0;
    while at_ms < end_ms {
        at_ms = (at_ms + step_ms).min(end_ms);
        if let Some(planted) = plant.take_if(|plant| millis(plant.at) <= at_ms) {
            (planted.what)(&mut house.world);
        }
        house.run_until(at_ms);
        observe(&house, report);
        begun.note(report);
        if watch(report) == GoOn::No {
            report.was_stopped = true;
            break;
        }
    }
    house.settle();
    house.close();
    let dump = house.world.dump();
    assert!(
        dump.router_ids.is_empty() && dump.transports + dump.producers + dump.consumers + dump.sockets == 0,
        "the worker's dump is not empty after everything was closed: {dump:?}"
    );
    assert_eq!(dump.panics_contained, 0);
    let held = house.world.held_bytes();
    assert_eq!(held, baseline, "held after everybody left, and before anybody came");
    report.checks.endings += 3;
    take(&house, report);
    house.world.finish();
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the world has done so far.
fn take(house: &House, report: &mut Report) {
    let tally = house.world.tally();
    report.totals = house.totals;
    report.virtual_ms = tally.virtual_ms;
    report.packet_operations = tally.packet_operations;
    report.turns = tally.turns;
    report.checks.audits_and_turns = house.world.turn_checks();
    report.checks.packets_and_reports = tally.invariant_checks - house.world.turn_checks();
}

/// Looks at memory, which must stay within what the streams that are there can explain.
fn observe(house: &House, report: &mut Report) {
    take(house, report);
    let pool = house.world.pool();
    let bytes = |count: usize| count as u64;
    let resident_bytes = process::resident_kb(std::process::id()).map_or(0, |kb| kb * 1_024);
    let sample = Sample {
        at_ms: report.virtual_ms,
        pool_bytes: bytes(house.world.held_bytes()),
        history_bytes: bytes(pool.charged_bytes),
        resident_bytes,
    };
    report.samples.push(sample);
    let (present, rate) = (bytes(house.present().max(1)), report.options.pace.packets_per_second());
    let packets = present * rate * KEPT_SECONDS + present * 64;
    assert!(
        bytes(house.world.packets_in_use()) <= packets,
        "{} packets are kept by {present} people, {packets} are explained",
        house.world.packets_in_use()
    );
    let entries = packets * ENTRIES_PER_PACKET * bytes(SEATS);
    let history_max = entries * ENTRY_BYTES_MAX;
    assert!(
        sample.history_bytes <= history_max,
        "histories hold {} bytes for {present} people, {history_max} are explained",
        sample.history_bytes
    );
    report.checks.memory += 2;
}

/// More rooms have no addresses.
pub const ROOMS_MAX: usize = 60;
/// Of memory in a run, at least.
const SAMPLES: u64 = 1_000;
/// Nothing is kept longer: the worker's own longest, and the time until its timer looks.
const KEPT_SECONDS: u64 = 3;
/// Rings have a power of two of entries, and shrink late.
const ENTRIES_PER_PACKET: u64 = 4;
/// A history's entry is the longest.
const ENTRY_BYTES_MAX: u64 = 128;
