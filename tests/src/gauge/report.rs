//! Rows of medians, as a table for people and as JSON for scripts.
//!
//! Knows measurements and how to print them. Called by the benchmark program.
//! Its invariant: a row that lost more than 0.1 % of its packets shows no cost, only that it is void.

use std::fmt::{self, Display};

use serde::Serialize;

use super::run::Measurement;
use super::subject::Kind;
use crate::load::{lossy, ratio};
use crate::stats::{Histogram, median};

/// One subject on one scenario: medians over the repeats.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// The subject's name.
    pub subject: &'static str,
    /// Whether the subject is a way of the yardstick.
    pub is_ideal: bool,
    /// Whether too many packets were lost for the figures to count.
    pub void: bool,
    /// Lost packets, of all that should have come in all repeats; from 0 to 1.
    pub loss: f64,
    /// Packets that came again, in all repeats.
    pub duplicates: u64,
    /// Packets that came after a later one, in all repeats.
    pub disordered: u64,
    /// CPU of the subject per forwarded packet, in microseconds.
    pub cpu_us_per_packet: f64,
    /// The same of each repeat.
    pub cpu_us_per_packet_repeats: Vec<f64>,
    /// CPU of the subject in parts of one core.
    pub core_share: f64,
    /// Share of the window in which the subject was ready to run but its core was with somebody else.
    pub waited_share: f64,
    /// The same of the load generator.
    pub generator_waited_share: f64,
    /// `cpu_us_per_packet` in units of the cheapest way of the yardstick on this scenario.
    pub ratio_to_ideal: Option<f64>,
    /// Sending system calls per forwarded packet.
    pub send_calls_per_packet: f64,
    /// Wake-ups per forwarded packet.
    pub wakeups_per_packet: f64,
    /// Packets per message.
    pub gso_run: f64,
    /// Latency in microseconds that half of all packets did not exceed.
    pub latency_p50_us: f64,
    /// Latency in microseconds that 99 % did not exceed.
    pub latency_p99_us: f64,
    /// Lateness of the load generator itself in microseconds, 99 %.
    pub generator_lateness_p99_us: f64,
    /// Forwarded packets per second.
    pub packets_per_second: f64,
    /// The most that was resident, in kB.
    pub peak_kb: f64,
    /// Anonymous memory under load, in kB.
    pub anonymous_kb: f64,
}

impl Row {
    /// The medians of a subject's repeats.
    pub fn new(scenario: &str, kind: Kind, repeats: &[Measurement]) -> Self {
        let sum = |field: fn(&Measurement) -> u64| repeats.iter().map(field).sum::<u64>();
        let middle = |field: &dyn Fn(&Measurement) -> f64| {
            median(&repeats.iter().map(field).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        };
        let expected = sum(|run| run.outcome.expected);
        let loss = ratio(expected.saturating_sub(sum(|run| run.outcome.received)), expected);
        let seconds = |run: &Measurement| lossy(run.outcome.window_ns) / 1e9;
        Self {
            scenario: scenario.to_owned(),
            subject: kind.name(),
            is_ideal: matches!(kind, Kind::Ideal(_)),
            void: expected == 0 || loss > LOSS_MAX,
            loss,
            duplicates: sum(|run| run.outcome.duplicates),
            disordered: sum(|run| run.outcome.disordered),
            cpu_us_per_packet: middle(&cpu_us_per_packet),
            cpu_us_per_packet_repeats: repeats.iter().map(cpu_us_per_packet).collect(),
            core_share: middle(&|run| ratio(run.outcome.run_time.ran_ns, run.outcome.window_ns)),
            waited_share: middle(&|run| ratio(run.outcome.run_time.waited_ns, run.outcome.window_ns)),
            generator_waited_share: middle(&|run| {
                ratio(run.outcome.own_run_time.waited_ns, run.outcome.window_ns)
            }),
            ratio_to_ideal: None,
            send_calls_per_packet: middle(&|run| ratio(run.counts.send_calls, run.counts.sent)),
            wakeups_per_packet: middle(&|run| ratio(run.counts.wakeups, run.counts.sent)),
            gso_run: middle(&|run| ratio(run.counts.sent, run.counts.messages)),
            latency_p50_us: middle(&|run| quantile_us(&run.outcome.latency, 500)),
            latency_p99_us: middle(&|run| quantile_us(&run.outcome.latency, 990)),
            generator_lateness_p99_us: middle(&|run| quantile_us(&run.outcome.lateness, 990)),
            packets_per_second: middle(&|run| lossy(run.outcome.received) / seconds(run)),
            peak_kb: middle(&|run| lossy(run.outcome.memory.peak_kb)),
            anonymous_kb: middle(&|run| lossy(run.outcome.memory.anonymous_kb)),
        }
    }
}

/// Whether so much was lost that a run's figures do not count.
pub fn is_void(run: &Measurement) -> bool {
    run.outcome.loss() > LOSS_MAX
}

/// Microseconds a packet of the cheapest way of the yardstick that is not void.
pub fn cheapest_way(rows: &[Row]) -> Option<f64> {
    let ideal = rows.iter().filter(|row| row.is_ideal && !row.void).map(|row| row.cpu_us_per_packet);
    ideal.min_by(f64::total_cmp)
}

/// Gives each row of one scenario its ratio to the [`cheapest_way`].
pub fn compare(rows: &mut [Row]) {
    let best = cheapest_way(rows);
    for row in rows {
        row.ratio_to_ideal = best.map(|best| row.cpu_us_per_packet / best).filter(|_| !row.void);
    }
}

/// The rows of one scenario as lines of a table.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [Row]);

impl Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.0.first() else { return Ok(()) };
        writeln!(out, "{} ({:.0} packets/s out)", first.scenario, first.packets_per_second)?;
        writeln!(
            out,
            "  {:<16} {:>8} {:>7} {:>6} {:>8} {:>8} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "", "CPU us", "x", "core", "sends", "wakes", "GSO", "p50", "p99", "loss", "peak", "anon"
        )?;
        writeln!(
            out,
            "  {:<16} {:>8} {:>7} {:>6} {:>8} {:>8} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "", "/packet", "ideal", "%", "/packet", "/packet", "run", "us", "us", "%", "kB", "kB"
        )?;
        self.0.iter().try_for_each(|row| row.write(out))?;
        let waited = |share: fn(&Row) -> f64| self.0.iter().map(share).fold(0.0, f64::max);
        let (subject, generator) = (waited(|row| row.waited_share), waited(|row| row.generator_waited_share));
        if subject.max(generator) <= WAITED_SHARE_QUIET {
            return Ok(());
        }
        writeln!(
            out,
            "  the machine was busy: the forwarder waited {:.1} % and the load generator {:.1} % of the time for their cores; latencies are too high",
            subject * 100.0,
            generator * 100.0
        )
    }
}

impl Row {
    fn write(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "  {:<16}", self.subject)?;
        if self.void {
            return writeln!(out, " void: {:.2} % lost", self.loss * 100.0);
        }
        let ratio = self.ratio_to_ideal.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        write!(out, " {:>8.2} {ratio:>7} {:>6.1}", self.cpu_us_per_packet, self.core_share * 100.0)?;
        write!(out, " {:>8.3} {:>8.3}", self.send_calls_per_packet, self.wakeups_per_packet)?;
        write!(out, " {:>6.1} {:>8.0} {:>8.0}", self.gso_run, self.latency_p50_us, self.latency_p99_us)?;
        write!(out, " {:>8.3} {:>8.0} {:>8.0}", self.loss * 100.0, self.peak_kb, self.anonymous_kb)?;
        if self.disordered + self.duplicates > 0 {
            write!(out, "  ({} out of order, {} twice)", self.disordered, self.duplicates)?;
        }
        writeln!(out)
    }
}

fn cpu_us_per_packet(run: &Measurement) -> f64 {
    ratio(run.outcome.run_time.ran_ns, run.outcome.received) / 1e3
}

/// A quantile of nanoseconds, in microseconds; not a number when nothing was recorded.
pub(super) fn quantile_us(histogram: &Histogram, per_mille: u64) -> f64 {
    histogram.quantile(per_mille).map_or(f64::NAN, |nanos| lossy(nanos) / 1e3)
}

/// Up to which share of waiting a machine counts as quiet.
pub const WAITED_SHARE_QUIET: f64 = 0.01;
/// The share of packets above which a row is void.
pub const LOSS_MAX: f64 = 0.001;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::subject::{Counts, WorkerVariant};
    use crate::ideal::Way;
    use crate::load::Outcome;
    use crate::process::RunTime;

    const WORKER: Kind = Kind::Worker(WorkerVariant::clear(true));

    fn run(run_time_ns: u64, received: u64) -> Measurement {
        let run_time = RunTime { ran_ns: run_time_ns, waited_ns: 0 };
        let mut outcome = Outcome { run_time, received, expected: 1_000, ..Outcome::default() };
        outcome.window_ns = 1_000_000_000;
        outcome.latency.record(50_000);
        Measurement { outcome, counts: Counts { sent: 1_000, messages: 125, send_calls: 20, wakeups: 40 } }
    }

    #[test]
    fn a_row_is_the_median_of_its_repeats_and_is_compared_with_the_best_way() {
        let ideal = [run(1_000_000, 1_000), run(3_000_000, 1_000), run(2_000_000, 1_000)];
        let mut rows = [
            Row::new("x", Kind::Ideal(Way::Gso), &ideal),
            Row::new("x", Kind::Ideal(Way::Sendmmsg), &[run(4_000_000, 1_000)]),
            Row::new("x", WORKER, &[run(3_000_000, 1_000)]),
        ];
        compare(&mut rows);
        assert_eq!(rows.each_ref().map(|row| row.ratio_to_ideal), [Some(1.0), Some(2.0), Some(1.5)]);
        assert!((rows[0].gso_run - 8.0).abs() < 1e-9);
        assert!(Table(&rows).to_string().contains("worker moderated     3.00    1.50"));
    }

    #[test]
    fn a_row_that_lost_too_much_is_void_and_is_no_yardstick() {
        let mut rows = [
            Row::new("x", Kind::Ideal(Way::Gso), &[run(1_000_000, 998)]),
            Row::new("x", Kind::Ideal(Way::Sendmmsg), &[run(4_000_000, 999)]),
            Row::new("x", WORKER, &[run(8_000_000, 1_000)]),
        ];
        compare(&mut rows);
        assert!(rows[0].void && rows[0].ratio_to_ideal.is_none());
        assert_eq!(rows[2].ratio_to_ideal.map(f64::round), Some(2.0));
        assert!(Table(&rows).to_string().contains("ideal gso        void: 0.20 % lost"));
    }
}
