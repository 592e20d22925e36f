//! What each figure may be: `valgrind/budgets.toml`.
//!
//! Knows names, ceilings and targets. Called by the `memory` program.
//! Invariant: every figure has a budget, and a ceiling above its target says why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::figures::{Figure, Figures};

/// All budgets, by the figure's name.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Budgets(BTreeMap<String, BTreeMap<String, Budget>>);

/// One figure's budget.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What it may be at most: measured, with a margin. It may only fall.
    pub ceiling: f64,
    /// What TARGETS.md section 4 asks for, if it speaks of it.
    pub target: Option<f64>,
    /// Why the ceiling is above the target, if it is.
    pub why: Option<String>,
}

/// A figure beside its budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The figure's name.
    pub name: String,
    /// Measured.
    pub value: f64,
    /// What it may be.
    pub ceiling: f64,
    /// What it should be.
    pub target: Option<f64>,
    /// Whether it is above its ceiling.
    pub over: bool,
    /// Whether it meets its target.
    pub meets_target: Option<bool>,
}

impl Budgets {
    /// Reads the file's content.
    ///
    /// # Errors
    /// It is no TOML of this shape, or a ceiling is above its target without a reason.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let budgets: Self = toml::from_str(text).map_err(|error| format!("budgets.toml: {error}"))?;
        for (scenario, figures) in &budgets.0 {
            let unexplained =
                |budget: &Budget| budget.target.is_some_and(|it| budget.ceiling > it) && budget.why.is_none();
            if let Some((name, _)) = figures.iter().find(|(_, budget)| unexplained(budget)) {
                return Err(format!(
                    "budgets.toml: {scenario}.{name} is above its target; lower it or say why"
                ));
            }
        }
        Ok(budgets)
    }

    /// The budgets of this version.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn current() -> Result<Self, Failure> {
        Self::parse(include_str!("../budgets.toml"))
    }

    /// Puts each figure beside its budget.
    ///
    /// # Errors
    /// Some figures have none; the sentence names them.
    pub fn judge(&self, figures: &Figures) -> Result<Vec<Row>, Failure> {
        let rows = figures.0.iter().map(|figure| self.row(figure));
        let (rows, missing): (Vec<_>, Vec<_>) = rows.partition(Result::is_ok);
        if missing.is_empty() {
            Ok(rows.into_iter().flatten().collect())
        } else {
            let missing: Vec<Failure> = missing.into_iter().filter_map(Result::err).collect();
            Err(format!("budgets.toml has no entry for {}", missing.join(", ")))
        }
    }

    fn row(&self, Figure { name, value }: &Figure) -> Result<Row, Failure> {
        let budget = name.split_once('.').and_then(|(scenario, figure)| self.0.get(scenario)?.get(figure));
        let budget = budget.ok_or_else(|| format!("{name} (measured {value:.2})"))?;
        Ok(Row {
            name: name.clone(),
            value: *value,
            ceiling: budget.ceiling,
            target: budget.target,
            over: *value > budget.ceiling,
            meets_target: budget.target.map(|target| *value <= target),
        })
    }
}

/// The rows as a table for people.
pub fn table(rows: &[Row]) -> String {
    let mut table = format!("{:<36} {:>12} {:>12} {:>12}\n", "figure", "measured", "ceiling", "target");
    for row in rows {
        let target = row.target.map_or_else(String::new, |target| format!("{target:.2}"));
        let verdict = match (row.over, row.meets_target) {
            (true, _) => "OVER BUDGET",
            (false, Some(false)) => "target missed",
            (false, _) if row.value < row.ceiling * LOOSE => "ceiling may fall",
            (false, _) => "",
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            table,
            "{:<36} {:>12.2} {:>12.2} {target:>12} {verdict}",
            row.name, row.value, row.ceiling
        );
    }
    table
}

/// A ceiling this much above what is measured no longer guards anything.
const LOOSE: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(value: f64) -> Row {
        let budgets = Budgets::parse("[a]\nb_kb = { ceiling = 100.0, target = 120.0 }\n").expect("budgets");
        let mut figures = Figures::default();
        figures.add("a.b_kb", value);
        budgets.judge(&figures).expect("a budget").remove(0)
    }

    #[test]
    fn what_is_above_its_ceiling_is_over_budget() {
        assert!(!judged(100.0).over);
        assert!(judged(100.5).over);
        assert!(table(&[judged(101.0)]).contains("OVER BUDGET"));
        assert!(table(&[judged(50.0)]).contains("ceiling may fall"));
    }

    #[test]
    fn every_figure_needs_a_budget() {
        let mut figures = Figures::default();
        figures.add("a.c", 1.0);
        assert!(Budgets::parse("[a]\nb = { ceiling = 1.0 }\n").expect("budgets").judge(&figures).is_err());
    }

    #[test]
    fn a_ceiling_above_its_target_says_why() {
        assert!(Budgets::parse("[a]\nb = { ceiling = 2.0, target = 1.0 }\n").is_err());
        assert!(Budgets::parse("[a]\nb = { ceiling = 2.0, target = 1.0, why = \"pages\" }\n").is_ok());
    }

    #[test]
    fn the_budgets_of_this_version_are_well_formed() {
        assert!(Budgets::current().is_ok(), "{:?}", Budgets::current().err());
    }
}
