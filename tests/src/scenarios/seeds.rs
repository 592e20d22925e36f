//! `tests/seeds.txt`: seeds that once failed, so that no defect comes back unseen.
//!
//! A line is `<scenario> <seed>`; `#` begins a comment, which says what it was. Knows lines. Does not run anything.
//! Invariant: a line that names no scenario is an error, never skipped.

use super::{Scenario, named};

/// Every line.
///
/// # Panics
/// A line is not `<scenario> <seed>`, or its scenario is not there: rename it in the file too.
pub fn remembered() -> Vec<(&'static Scenario, u64)> {
    parse(include_str!("../../seeds.txt")).unwrap_or_else(|error| panic!("tests/seeds.txt {error}"))
}

fn parse(text: &str) -> Result<Vec<(&'static Scenario, u64)>, String> {
    let mut seeds = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let content = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = content.split_whitespace().collect();
        let entry = match *words {
            [] => continue,
            [name, seed] => named(name).zip(seed.parse().ok()),
            _ => None,
        };
        seeds.push(entry.ok_or_else(|| format!("line {number}: `{line}` names no scenario and seed"))?);
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_skipped_and_nonsense_is_not() {
        let read = parse("# what it was\n\nclean_forwarding 7 # and why\n").unwrap();
        assert_eq!(
            read.iter().map(|(scenario, seed)| (scenario.name, *seed)).collect::<Vec<_>>(),
            [("clean_forwarding", 7)]
        );
        for wrong in ["clean_forwarding", "clean_forwarding x", "no_such_scenario 1", "a 1 2"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
