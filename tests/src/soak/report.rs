//! What a long run found, for people and for scripts.
//!
//! Knows what was counted. Does not know how it came about. Called by `cargo soak` and by tests.
//! Invariant: a report without violations is of a run in which everything was looked at.

use std::fmt::{self, Display};

use serde::Serialize;

use super::{AllWraps, Curve, Events, Options, Pace, Repairs, Sample, Totals, Trend};

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
        let is_long = self.virtual_ms >= TRENDS_MS && !self.was_stopped;
        for curve in Curve::ALL.into_iter().filter(|_| is_long) {
            let Some(trend) = Trend::of(curve, &self.samples) else { continue };
            self.checks.memory += 1;
            if !trend.is_flat() {
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
        let Options { seed, rooms, .. } = self.options;
        let hours = self.virtual_ms as f64 / 3_600_000.0;
        let (seconds, cpu) = (self.seconds, self.cpu_seconds);
        writeln!(
            f,
            "seed {seed}, {rooms} rooms of 4, {hours:.2} h of virtual time in {seconds:.1} s ({cpu:.1} s of CPU)"
        )?;
        let (operations, rate, turns) = (self.packet_operations, self.rate(), self.turns);
        writeln!(f, "packet operations  {operations} ({rate:.0} a second of CPU), {turns} turns")?;
        writeln!(f, "{}{}{}{}", self.totals.wraps, self.totals.repairs, self.totals.events, self.checks)?;
        for curve in Curve::ALL {
            let Some(trend) = Trend::of(curve, &self.samples) else { continue };
            writeln!(f, "{:16} {trend}", curve.name())?;
        }
        if self.was_stopped {
            writeln!(f, "stopped before its end")?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION seed {seed} {violation}")?;
        }
        match self.violations.len() {
            0 => write!(f, "0 violations"),
            count => write!(f, "{count} violations; the same again: {}", self.replay()),
        }
    }
}

impl Display for AllWraps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:24} {:>10} {:>12}", "wraps", "all", "most by one")?;
        for (name, wraps) in self.named() {
            writeln!(f, "  {name:22} {:>10} {:>12}", wraps.all, wraps.most_by_one)?;
        }
        Ok(())
    }
}

impl Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "repairs  to the worker: {} asked for, {} sent again, {} never came",
            self.asked_by_worker, self.resent_to_worker, self.never_came_to_worker
        )?;
        writeln!(
            f,
            "         to receivers: {} asked for, {} repaired, {} key frames asked for",
            self.asked_by_receivers, self.repaired_at_receivers, self.key_frame_requests
        )?;
        writeln!(
            f,
            "         never came to receivers: {} lost before the worker, {} with their requests, {} with their answers, {} in a pause",
            self.lost_before_worker, self.requests_lost, self.answers_lost, self.paused
        )
    }
}

impl Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "people   {} joined, {} left, {} consumer pauses, {} producer pauses, {} resyncs, {} changes of paths",
            self.joins,
            self.leaves,
            self.consumer_pauses,
            self.producer_pauses,
            self.resyncs,
            self.weather_changes
        )
    }
}

impl Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { audits_and_turns, packets_and_reports, memory, wraps, endings } = self;
        write!(f, "invariants evaluated  {} (audits and turns {audits_and_turns}, ", self.all())?;
        write!(f, "packets and reports {packets_and_reports}, memory {memory}, ")?;
        write!(f, "wraps {wraps}, endings {endings})")
    }
}

impl Display for Trend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kb = |bytes: f64| bytes / 1e3;
        let (mean, most) = (kb(self.mean_bytes), kb(self.max_bytes as f64));
        write!(f, "mean {mean:.0} kB, at most {most:.0} kB, ")?;
        let (rise, allowed) = (kb(self.rise_bytes), kb(self.allowed_bytes));
        write!(f, "rises by {rise:.1} kB over the last half ({allowed:.0} allowed)")
    }
}

/// In that time everything has wrapped twice: timestamps at 48 kHz do so in 49 hours, and retransmissions are few.
const WRAPS_TWICE_MS: u64 = 6 * 24 * 3_600_000;
/// In less time memory follows who happens to be there.
const TRENDS_MS: u64 = 3_600_000;
