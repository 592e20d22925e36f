//! The shape of the sources, held by a test: reads every tracked file and says what broke which rule.
//!
//! The rules, each a function over texts with a planted violation among its own tests:
//! * [`imports`]: which part of the worker may use which (the table is there);
//! * [`purity`]: where the serialiser, unsafe code, clocks and I/O may be named;
//! * [`text`]: module docs, owners of open work, no paths of one machine;
//! * [`defects`]: the tests that `tests/DEFECTS.md` names are there;
//! * [`size`]: long files and functions may not grow (`tests/tidy-ratchet.toml`).
//!
//! Knows file names and tokens. Does not know what the code does. Run by `cargo test -p tidegate-tests --test tidy`.
//! Invariant: a violation names the file, the line, the rule and what to do.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

#[path = "tidy/defects.rs"]
mod defects;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/size.rs"]
mod size;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;

use source::{Source, Violation};

#[test]
fn each_part_of_the_worker_uses_only_what_lies_below_it() {
    assert_tidy(rust_files().iter().flat_map(imports::check));
}

#[test]
fn serialiser_unsafe_clocks_and_io_stay_where_they_belong() {
    let rust = rust_files();
    assert_tidy(rust.iter().flat_map(purity::check));
    let manifests = source::tracked_files().into_iter().filter(|file| file.path.ends_with("Cargo.toml"));
    assert_tidy(manifests.flat_map(|file| purity::check_manifest(&file)));
}

#[test]
fn every_text_is_tidy() {
    assert_tidy(source::tracked_files().iter().flat_map(text::check));
}

#[test]
fn each_known_defect_is_held_by_a_test_that_is_there() {
    let path = "tests/DEFECTS.md";
    let table = source::TextFile { path: path.to_owned(), text: source::read(path) };
    assert_tidy(defects::check(&table, &source::tracked_files()));
}

#[test]
fn long_files_and_functions_do_not_grow() {
    let record = source::read("tests/tidy-ratchet.toml");
    assert_tidy(size::check(&rust_files(), &size::Ratchet::parse(&record)));
}

/// Every `.rs` file, read as tokens.
fn rust_files() -> Vec<Source> {
    let files = source::tracked_files().into_iter().filter(|file| file.path.ends_with(".rs"));
    let sources: Vec<Source> = files.map(|file| Source::parse(&file.path, &file.text)).collect();
    assert!(
        sources.len() > 20,
        "only {} Rust files found: the search looks in the wrong place",
        sources.len()
    );
    sources
}

fn assert_tidy(violations: impl IntoIterator<Item = Violation>) {
    let all: Vec<String> = violations.into_iter().map(|violation| violation.to_string()).collect();
    assert!(all.is_empty(), "{} untidy place(s):\n{}", all.len(), all.join("\n"));
}
