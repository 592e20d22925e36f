//! Ten seeds of every scenario, a test each, and each seed that once failed. (`cargo sim` runs many more.)

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tidegate_tests::scenarios::{ALL, Scenario, runner, seeds};

fn main() -> ExitCode {
    let mut trials: Vec<Trial> = ALL
        .iter()
        .map(|scenario| {
            let name = format!("{}_holds_for_ten_seeds", scenario.name);
            Trial::test(name, move || all_hold((1..=10).map(|seed| (scenario, seed))))
        })
        .collect();
    trials.push(Trial::test("what_once_failed_holds_now", || all_hold(seeds::remembered().into_iter())));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs all of them, and names those that fail.
fn all_hold(runs: impl Iterator<Item = (&'static Scenario, u64)>) -> Result<(), Failed> {
    let failures: Vec<String> = runs
        .filter_map(|(scenario, seed)| match runner::run(scenario, seed) {
            Ok(tally) if tally.packet_operations == 0 => Some(format!("{}: nothing happened", scenario.name)),
            Ok(_) => None,
            Err(failure) => Some(failure.to_string()),
        })
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failed::from(format!("{} failed:\n{}", failures.len(), failures.join("\n"))))
}
