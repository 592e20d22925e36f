//! What must hold for any bytes holds for the corpora and for a bounded number of drawn and mutated inputs.
//!
//! `cargo parser-fuzz` tries more, the targets of `tests/fuzz` search by coverage; what they find is added to the
//! corpora and so stays tried here.
//! Invariant: the inputs are the same in every run.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_tests::properties::inputs::{Inputs, corpus, corpus_path};
use tidegate_tests::properties::{ALL, Property};

#[test]
fn every_checked_in_input_holds() {
    for property in ALL {
        let corpus = corpus(property.name).unwrap_or_else(|error| panic!("{}: {error}", property.name));
        assert!(corpus.len() >= CORPUS_FILES_MIN, "{} has {} inputs only", property.name, corpus.len());
        for (file, bytes) in corpus {
            check(property, &bytes, || format!("{}/{file}", property.name));
        }
    }
}

#[test]
fn every_corpus_belongs_to_a_property() {
    let all = corpus_path(".");
    for entry in std::fs::read_dir(&all).expect("the corpora are there") {
        let name = entry.expect("it can be read").file_name().into_string().expect("a plain name");
        assert!(ALL.iter().any(|property| property.name == name), "{name} is no property's");
    }
}

#[test]
fn every_property_has_a_coverage_guided_target() {
    let manifest = std::fs::read_to_string(corpus_path("../Cargo.toml")).expect("the crate of targets");
    let targets: Vec<_> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
    let wanted: Vec<_> = ALL.iter().map(|property| format!("{}.rs\"", property.name)).collect();
    assert_eq!(targets, wanted);
    for property in ALL {
        let path = corpus_path("../fuzz_targets").join(property.name).with_extension("rs");
        let target = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(
            target.contains(&format!("properties::{}(data)", property.name)),
            "{path:?} calls another one"
        );
    }
}

#[test]
fn drawn_and_mutated_inputs_for_rtp_hold() {
    hold("rtp_", 4_000);
    hold("rtx", 4_000);
}

#[test]
fn drawn_and_mutated_inputs_for_payloads_hold() {
    hold("vp8", 20_000);
    hold("opus", 20_000);
}

#[test]
fn drawn_and_mutated_inputs_for_rtcp_hold() {
    hold("rtcp_", 4_000);
}

#[test]
fn drawn_and_mutated_inputs_for_numbers_hold() {
    hold("serials", 4_000);
}

#[test]
fn drawn_and_mutated_inputs_for_the_pipe_hold() {
    hold("frames", 1_000);
    hold("requests", 4_000);
    hold("messages", 4_000);
}

#[test]
fn drawn_and_mutated_scripts_for_the_whole_worker_hold() {
    hold("worker", 150);
}

#[test]
fn every_property_is_among_those_tried_above() {
    let tried =
        ["rtp_", "rtx", "vp8", "opus", "rtcp_", "serials", "frames", "requests", "messages", "worker"];
    for property in ALL {
        assert!(tried.iter().any(|prefix| property.name.starts_with(prefix)), "{}", property.name);
    }
}

/// The properties whose names begin so hold for so many inputs each.
fn hold(prefix: &str, count: u64) {
    let chosen: Vec<_> = ALL.iter().filter(|property| property.name.starts_with(prefix)).collect();
    assert!(!chosen.is_empty(), "{prefix}");
    for property in chosen {
        let inputs = Inputs::new(property, SEED).unwrap_or_else(|error| panic!("{}: {error}", property.name));
        for number in 0..count {
            check(property, &inputs.get(number), || {
                format!("{} input {number} of seed {SEED}", property.name)
            });
        }
    }
}

/// Says which input it was when the property does not hold: the panic itself says the rest.
fn check(property: &Property, bytes: &[u8], which: impl Fn() -> String) {
    let outcome = std::panic::catch_unwind(|| (property.check)(bytes));
    assert!(outcome.is_ok(), "{}: {bytes:02x?}", which());
}

const SEED: u64 = 1;
const CORPUS_FILES_MIN: usize = 8;
