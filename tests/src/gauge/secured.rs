//! What SRTP adds to a forwarded packet, beside what its cipher costs alone.
//!
//! Knows rows of medians and the cipher's cost on packets of the scenario's mean length, measured between the repeats.
//! Called by the benchmark program.
//! Its invariant: what is added is the difference of two subjects that differ in SRTP alone.

use std::fmt::{self, Display};
use std::io;

use serde::Serialize;
use tidegate::SrtpCryptoSuite;
use tidegate_worker::srtp::Suite;

use super::report;
use super::scenario::Scenario;
use super::srtp;
use super::subject::{Kind, WorkerVariant};
use crate::stats::median;

/// A suite's cipher alone, in each repeat.
#[derive(Clone, Debug)]
pub struct Cipher {
    suite: SrtpCryptoSuite,
    payload_bytes: usize,
    ours_ns: Vec<f64>,
    openssl_ns: Vec<f64>,
}

impl Cipher {
    /// The suites among `kinds`, on packets as long as those of `scenario` are on average.
    pub fn of(kinds: &[Kind], scenario: &Scenario) -> Vec<Self> {
        let payload_bytes = scenario.mean_payload_bytes();
        let used = |suite: &SrtpCryptoSuite| kinds.iter().any(|kind| suite_of(*kind) == Some(*suite));
        let cipher = |suite| Self { suite, payload_bytes, ours_ns: Vec::new(), openssl_ns: Vec::new() };
        SrtpCryptoSuite::ALL.into_iter().filter(used).map(cipher).collect()
    }

    /// Measures it once more.
    ///
    /// # Errors
    /// OpenSSL refuses something.
    pub fn measure(&mut self) -> io::Result<()> {
        let suite = Suite::from_name(self.suite.name()).ok_or(io::ErrorKind::Unsupported)?;
        let row = srtp::row(suite, self.payload_bytes, ROUNDS)?;
        self.ours_ns.push(row.ours_ns);
        self.openssl_ns.push(row.openssl_ns);
        Ok(())
    }
}

/// One subject with SRTP.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// The subject's name.
    pub subject: &'static str,
    /// The suite's name.
    pub suite: &'static str,
    /// Bytes of payload on which the cipher was measured.
    pub payload_bytes: usize,
    /// CPU a forwarded packet that SRTP adds to the same subject in clear, in microseconds: the median of the repeats'
    /// differences, each between runs that stood next to each other.
    pub added_us: f64,
    /// What the cipher of the worker costs alone, in microseconds.
    pub cipher_us: f64,
    /// The same of OpenSSL.
    pub openssl_us: f64,
    /// The subject's CPU a packet in units of the yardstick's cheapest way plus the cipher.
    pub ratio_to_ideal: Option<f64>,
}

/// What SRTP adds to each subject of `kinds` that has it; `rows` are those of the same subjects. Void ones are left out.
pub fn rows(kinds: &[Kind], rows: &[report::Row], ciphers: &[Cipher]) -> Vec<Row> {
    let ideal = report::cheapest_way(rows);
    let measured = || kinds.iter().zip(rows).filter(|(_, row)| !row.void);
    let secured = measured().filter_map(|(kind, row)| {
        let Kind::Worker(variant) = *kind else { return None };
        let cipher = ciphers.iter().find(|cipher| Some(cipher.suite) == variant.srtp)?;
        let clear = Kind::Worker(WorkerVariant { srtp: None, ..variant });
        let (_, clear) = measured().find(|(kind, _)| **kind == clear)?;
        let alone = |ns: &[f64]| median(ns).unwrap_or(f64::NAN) / 1e3;
        let cipher_us = alone(&cipher.ours_ns);
        Some(Row {
            scenario: row.scenario.clone(),
            subject: row.subject,
            suite: cipher.suite.name(),
            payload_bytes: cipher.payload_bytes,
            added_us: median(&differences(row, clear)).unwrap_or(f64::NAN),
            cipher_us,
            openssl_us: alone(&cipher.openssl_ns),
            ratio_to_ideal: ideal.map(|ideal| row.cpu_us_per_packet / (ideal + cipher_us)),
        })
    });
    secured.collect()
}

impl Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "  {:<16} SRTP adds {:.2} us a packet, {:.2} of the cipher alone ({:.2} us at {} bytes; OpenSSL's {:.2})",
            self.subject,
            self.added_us,
            self.added_us / self.cipher_us,
            self.cipher_us,
            self.payload_bytes,
            self.openssl_us
        )?;
        self.ratio_to_ideal.map_or(Ok(()), |ratio| write!(out, "; {ratio:.2} x ideal with the cipher"))
    }
}

fn differences(row: &report::Row, clear: &report::Row) -> Vec<f64> {
    let repeats = row.cpu_us_per_packet_repeats.iter().zip(&clear.cpu_us_per_packet_repeats);
    repeats.map(|(with, without)| with - without).collect()
}

const fn suite_of(kind: Kind) -> Option<SrtpCryptoSuite> {
    if let Kind::Worker(variant) = kind { variant.srtp } else { None }
}

/// A tenth of a second a suite.
const ROUNDS: usize = 201;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::run::Measurement;
    use crate::gauge::subject::Counts;
    use crate::ideal::Way;
    use crate::load::Outcome;
    use crate::process::RunTime;

    const SUITE: SrtpCryptoSuite = SrtpCryptoSuite::AeadAes128Gcm;

    fn row(kind: Kind, us_per_packet: [u64; 3], received: u64) -> report::Row {
        let repeats = us_per_packet.map(|us| {
            let run_time = RunTime { ran_ns: us * 1_000_000, waited_ns: 0 };
            let mut outcome = Outcome { run_time, received, expected: 1_000, ..Outcome::default() };
            outcome.latency.record(1);
            Measurement { outcome, counts: Counts::default() }
        });
        report::Row::new("x", kind, &repeats)
    }

    fn ciphers() -> Vec<Cipher> {
        let (ours_ns, openssl_ns) = (vec![900.0, 500.0, 100.0], vec![1_000.0]);
        vec![Cipher { suite: SUITE, payload_bytes: 1_100, ours_ns, openssl_ns }]
    }

    #[test]
    fn what_srtp_adds_is_what_it_costs_more_than_the_same_in_clear() {
        let clear = WorkerVariant::clear(true);
        let secured = Kind::Worker(WorkerVariant { srtp: Some(SUITE), ..clear });
        let kinds =
            [Kind::Ideal(Way::Gso), Kind::Worker(WorkerVariant::clear(false)), Kind::Worker(clear), secured];
        // The machine grew slower with each repeat.
        let us = [[1; 3], [7; 3], [2, 4, 8], [3, 5, 9]];
        let measured = us.into_iter().zip(kinds).map(|(us, kind)| row(kind, us, 1_000));
        let measured: Vec<report::Row> = measured.collect();
        let rows = rows(&kinds, &measured, &ciphers());
        let [row] = &*rows else { panic!("{rows:?}") };
        assert!((row.added_us - 1.0).abs() < 1e-9 && (row.cipher_us - 0.5).abs() < 1e-9, "{row:?}");
        assert!((row.ratio_to_ideal.unwrap() - 5.0 / 1.5).abs() < 1e-9, "{row:?}");
        assert!(row.to_string().contains("adds 1.00 us a packet, 2.00 of the cipher alone"), "{row}");
    }

    #[test]
    fn a_void_row_is_compared_with_nothing() {
        let clear = WorkerVariant::clear(true);
        let kinds = [Kind::Worker(clear), Kind::Worker(WorkerVariant { srtp: Some(SUITE), ..clear })];
        let measured = [row(kinds[0], [2; 3], 900), row(kinds[1], [3; 3], 1_000)];
        assert!(rows(&kinds, &measured, &ciphers()).is_empty());
    }

    #[test]
    fn the_suites_that_are_measured_are_those_of_the_subjects() {
        let scenario = Scenario::fanout(3, crate::traffic::Traffic::Even);
        let variant = WorkerVariant { srtp: Some(SUITE), ..WorkerVariant::clear(true) };
        let ciphers = Cipher::of(&[Kind::Ideal(Way::Gso), Kind::Worker(variant)], &scenario);
        assert_eq!(ciphers.iter().map(|cipher| cipher.suite).collect::<Vec<_>>(), [SUITE]);
        assert!((100..1_500).contains(&ciphers[0].payload_bytes), "{ciphers:?}");
    }
}
