//! Ten seeds of every scenario, and each seed that once failed. (`cargo sim` runs many more.)
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_tests::scenarios::{ALL, runner, seeds};

#[test]
fn every_scenario_holds_for_ten_seeds() {
    let all = ALL.iter().flat_map(|scenario| (1..=10).map(move |seed| (scenario, seed)));
    let failures: Vec<String> = all
        .filter_map(|(scenario, seed)| match runner::run(scenario, seed) {
            Ok(tally) => {
                assert!(
                    tally.packet_operations > 0 && tally.turns > 0,
                    "{}: nothing happened",
                    scenario.name
                );
                None
            }
            Err(failure) => Some(failure.to_string()),
        })
        .collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn what_once_failed_holds_now() {
    let again = seeds::remembered().into_iter();
    let failures: Vec<String> =
        again.filter_map(|(scenario, seed)| Some(runner::run(scenario, seed).err()?.to_string())).collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}
