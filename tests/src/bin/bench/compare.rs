//! The comparing commands: every subject in turn, again and again, then a row of medians for each.

use std::io;

use serde::Serialize;

use tidegate_tests::gauge::report::{Row, Table, compare, is_void};
use tidegate_tests::gauge::run::{Measurement, Settings, measure};
use tidegate_tests::gauge::scenario::Scenario;
use tidegate_tests::gauge::secured::{self, Cipher};
use tidegate_tests::gauge::subject::Kind;
use tidegate_tests::gauge::yardstick;
use tidegate_tests::ideal::SelfCheck;
use tidegate_tests::process::{self, Cores};

use crate::arguments::Common;

/// Measures and prints; says whether all figures count.
///
/// # Errors
/// A subject cannot be started, or a socket fails.
pub(crate) fn run(scenarios: &[Scenario], common: &Common) -> io::Result<bool> {
    let worker_bin = common.worker_bin()?; // before this process keeps to one core
    let cores = Cores::choose()?;
    process::pin(0, cores.load)?;
    let settings = Settings {
        cores,
        phases: common.phases(),
        sockets: common.sockets(),
        jitter_us: common.jitter_us(),
        worker_bin,
    };
    let check = yardstick::self_check(cores)?;
    if !common.json {
        print_check(&check);
    }
    let mut report = Report {
        self_check: check,
        yardstick_valid: check.is_valid(),
        rows: Vec::new(),
        secured: Vec::new(),
    };
    for (number, scenario) in scenarios.iter().enumerate() {
        eprintln!("[{}/{}] {}", number + 1, scenarios.len(), scenario.name);
        let (rows, secured) = measure_rows(scenario, &common.kinds(), common.repeat, &settings)?;
        if !common.json {
            println!("{}", Table(&rows));
            secured.iter().for_each(|row| println!("{row}"));
        }
        report.rows.extend(rows);
        report.secured.extend(secured);
    }
    if common.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(report.yardstick_valid && !report.rows.iter().any(|row| row.void))
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    self_check: SelfCheck,
    yardstick_valid: bool,
    rows: Vec<Row>,
    secured: Vec<secured::Row>,
}

/// A B C A B C ...: the machine's moods meet all subjects alike.
fn measure_rows(
    scenario: &Scenario,
    kinds: &[Kind],
    repeat: u32,
    settings: &Settings,
) -> io::Result<(Vec<Row>, Vec<secured::Row>)> {
    let mut ciphers = Cipher::of(kinds, scenario);
    let mut measured: Vec<Vec<Measurement>> = vec![Vec::new(); kinds.len()];
    for round in 1..=repeat {
        for (kind, measured) in kinds.iter().zip(&mut measured) {
            measured.push(measure_once(scenario, *kind, settings, round)?);
        }
        ciphers.iter_mut().try_for_each(Cipher::measure)?;
    }
    let row = |(kind, measured): (&Kind, &Vec<Measurement>)| Row::new(&scenario.name, *kind, measured);
    let mut rows: Vec<Row> = kinds.iter().zip(&measured).map(row).collect();
    compare(&mut rows);
    let secured = secured::rows(kinds, &rows, &ciphers);
    Ok((rows, secured))
}

/// A void run is repeated once, in case the machine was busy with something else.
fn measure_once(scenario: &Scenario, kind: Kind, settings: &Settings, round: u32) -> io::Result<Measurement> {
    let first = measure(scenario, kind, settings)?;
    note(&first, kind, round);
    if !is_void(&first) {
        return Ok(first);
    }
    let second = measure(scenario, kind, settings)?;
    note(&second, kind, round);
    Ok(second)
}

fn note(run: &Measurement, kind: Kind, round: u32) {
    let outcome = &run.outcome;
    eprintln!(
        "  {round} {:<16} {} of {} packets, {} ms of CPU",
        kind.name(),
        outcome.received,
        outcome.expected,
        outcome.run_time.ran_ns / 1_000_000
    );
}

fn print_check(check: &SelfCheck) {
    let verdict = if check.is_valid() { "valid" } else { "NOT VALID: ratios to ideal do not count" };
    println!(
        "yardstick: sendto {:.2} us a packet; ideal sendmmsg {:.2} of it (at most 0.95), GSO of 8 {:.2} (at most 0.55): {verdict}\n",
        check.sendto_ns / 1e3,
        check.sendmmsg_ratio(),
        check.gso8_ratio()
    );
}
