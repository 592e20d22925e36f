//! What a long run found, for people and for scripts.
//!
//! Knows what was counted. Does not know how it came about. Called by `cargo soak` and by tests.
//! Invariant: a report without violations is of a run in which everything was looked at.

use std::fmt::{self, Display};

use serde::Serialize;

use super::{Curve, Options, Pace, Sample, Totals, Trend};

/// What a run did and found so far.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was run.
    pub options: Options,
    /// Time that passed in the world.
    pub virtual_ms: u64,
    /// Time that it took.
    pub seconds: f64,
    /// CPU that it took.
    pub cpu_seconds: f64,
    /// Datagrams that the worker received, and that it sent.
    pub packet_operations: u64,
    /// Of the worker's loop.
    pub turns: u64,
    /// Wraps, repairs, people. Of peers that have left, until the end.
    pub totals: Totals,
    /// How often invariants were evaluated.
    pub checks: Checks,
    /// Memory.
    pub samples: Vec<Sample>,
    /// Somebody ended it early.
    pub was_stopped: bool,
    /// What was wrong, as sentences.
    pub violations: Vec<String>,
}

/// How often each kind of invariant was evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// Promises looked at by `Worker::audit`, and those after each turn.
    pub audits_and_turns: u64,
    /// Packets and reports compared with what was sent, holes explained, transport-wide numbers accounted for.
    pub packets_and_reports: u64,
    /// Memory compared with what streams explain, and trends.
    pub memory: u64,
    /// Wraps that had to happen.
    pub wraps: u64,
    /// At the end.
    pub endings: u64,
}

impl Checks {
    /// All of them.
    pub const fn all(&self) -> u64 {
        self.audits_and_turns + self.packets_and_reports + self.memory + self.wraps + self.endings
    }
}

impl Report {
    pub(super) fn of(options: Options) -> Self {
        Self {
            options,
            virtual_ms: 0,
            seconds: 0.0,
            cpu_seconds: 0.0,
            packet_operations: 0,
            turns: 0,
            totals: Totals::default(),
            checks: Checks::default(),
            samples: Vec::new(),
            was_stopped: false,
            violations: Vec::new(),
        }
    }

    /// Looks at all of the run when it has ended well.
    pub(super) fn judge(&mut self) {
        for curve in Curve::ALL {
            let Some(trend) = Trend::of(curve, &self.samples) else { continue };
            self.checks.memory += 1;
            if !trend.is_flat() && !self.was_stopped {
                self.violations.push(format!("{} is not flat: {trend:?}", curve.name()));
            }
        }
        if self.options.pace == Pace::Sparse && self.virtual_ms >= WRAPS_TWICE_MS {
            for (name, wraps) in self.totals.wraps.named() {
                self.checks.wraps += 1;
                if wraps.all < 2 {
                    self.violations.push(format!("{name} wrapped {} times only", wraps.all));
                }
            }
        }
    }

    pub(super) fn fail(&mut self, what: String) {
        self.violations.push(what);
    }

    /// How to run the same again.
    pub fn replay(&self) -> String {
        let Options { virtual_time, seed, rooms, pace } = self.options;
        let full_rate = if pace == Pace::Full { " --full-rate" } else { "" };
        format!("cargo soak --virtual {}s --seed {seed} --rooms {rooms}{full_rate}", virtual_time.as_secs())
    }

    /// Packet operations a second of CPU.
    pub fn rate(&self) -> f64 {
        self.packet_operations as f64 / self.cpu_seconds.max(1e-9)
    }

    /// The same, for scripts.
    ///
    /// # Errors
    /// A figure is not a number.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let trends: serde_json::Map<_, _> = Curve::ALL
            .iter()
            .filter_map(|curve| {
                Some((curve.name().to_owned(), serde_json::to_value(Trend::of(*curve, &self.samples)?).ok()?))
            })
            .collect();
        serde_json::to_string_pretty(&serde_json::json!({
            "replay": self.replay(),
            "seed": self.options.seed,
            "rooms": self.options.rooms,
            "full_rate": self.options.pace == Pace::Full,
            "virtual_ms": self.virtual_ms,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "packet_operations": self.packet_operations,
            "packet_operations_per_cpu_second": self.rate(),
            "turns": self.turns,
            "totals": self.totals,
            "checks": self.checks,
            "trends": trends,
            "samples": self.samples,
            "was_stopped": self.was_stopped,
            "violations": self.violations,
        }))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { totals, checks, .. } = self;
        let hours = self.virtual_ms as f64 / 3_600_000.0;
        writeln!(
            f,
            "seed {}, {} rooms of 4, {hours:.2} h of virtual time in {:.1} s ({:.1} s of CPU)",
            self.options.seed, self.options.rooms, self.seconds, self.cpu_seconds
        )?;
        writeln!(
            f,
            "packet operations  {} ({:.0} a second of CPU), {} turns",
            self.packet_operations,
            self.rate(),
            self.turns
        )?;
        writeln!(f, "{:24} {:>10} {:>12}", "wraps", "all", "most by one")?;
        for (name, wraps) in totals.wraps.named() {
            writeln!(f, "  {name:22} {:>10} {:>12}", wraps.all, wraps.most_by_one)?;
        }
        let repairs = totals.repairs;
        writeln!(
            f,
            "repairs  to the worker: {} asked for, {} sent again, {} never came",
            repairs.asked_by_worker, repairs.resent_to_worker, repairs.never_came_to_worker
        )?;
        writeln!(
            f,
            "         to receivers: {} asked for, {} repaired, {} key frames asked for",
            repairs.asked_by_receivers, repairs.repaired_at_receivers, repairs.key_frame_requests
        )?;
        writeln!(
            f,
            "         never came to receivers: {} lost before the worker, {} with their requests, {} with their answers, {} in a pause",
            repairs.lost_before_worker, repairs.requests_lost, repairs.answers_lost, repairs.paused
        )?;
        let events = totals.events;
        writeln!(
            f,
            "people   {} joined, {} left, {} consumer pauses, {} producer pauses, {} resyncs, {} changes of paths",
            events.joins,
            events.leaves,
            events.consumer_pauses,
            events.producer_pauses,
            events.resyncs,
            events.weather_changes
        )?;
        writeln!(
            f,
            "invariants evaluated  {} (audits and turns {}, packets and reports {}, memory {}, wraps {}, endings {})",
            checks.all(),
            checks.audits_and_turns,
            checks.packets_and_reports,
            checks.memory,
            checks.wraps,
            checks.endings
        )?;
        for curve in Curve::ALL {
            let Some(trend) = Trend::of(curve, &self.samples) else { continue };
            writeln!(
                f,
                "{:16} mean {:.0} kB, at most {:.0} kB, rises by {:.1} kB over the last half ({:.0} allowed)",
                curve.name(),
                trend.mean_bytes / 1e3,
                trend.max_bytes as f64 / 1e3,
                trend.rise_bytes / 1e3,
                trend.allowed_bytes / 1e3
            )?;
        }
        if self.was_stopped {
            writeln!(f, "stopped before its end")?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION seed {} {violation}", self.options.seed)?;
        }
        match self.violations.len() {
            0 => write!(f, "0 violations"),
            count => write!(f, "{count} violations; the same again: {}", self.replay()),
        }
    }
}

/// In that time everything has wrapped twice: timestamps at 48 kHz do so in 49 hours, and retransmissions are few.
const WRAPS_TWICE_MS: u64 = 6 * 24 * 3_600_000;
