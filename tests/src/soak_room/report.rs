//! What a run found, for people and for scripts.
//!
//! Knows what was counted. Does not know how it came about. Called by `cargo soak-room`.
//! Invariant: a report without violations is of a run in which everything was looked at.

use std::fmt::{self, Display};

use serde_json::json;

use super::series::SLOPE_MAX_KB_PER_MIN;
use super::{Curve, Options, Repairs, Totals, Trend};
use crate::chart;

/// What a run did and found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was run.
    pub options: Options,
    /// How it is called.
    pub subject: String,
    /// When the worker had ended, in minutes since the beginning.
    pub ended_minutes: f64,
    /// How long it went on, in minutes.
    pub minutes: f64,
    /// What has happened.
    pub totals: Totals,
    /// Packets that the worker forwarded.
    pub forwarded: u64,
    /// CPU of the worker, in seconds.
    pub worker_cpu_s: f64,
    /// CPU of this process, in seconds.
    pub own_cpu_s: f64,
    /// Memory.
    pub curves: Vec<Curve>,
    /// Anonymous memory before anybody came, and after everybody left, in kB.
    pub empty_kb: (u64, u64),
    /// What was wrong, as sentences.
    pub violations: Vec<String>,
}

impl Report {
    /// Looks at all curves.
    pub fn judge(&mut self) {
        for curve in self.curves.iter().filter(|curve| curve.is_judged) {
            match curve.trend() {
                Some(trend) if trend.grows() => self.violations.push(format!(
                    "{} grows by {:.2} kB/min over the last half; {SLOPE_MAX_KB_PER_MIN} is allowed",
                    curve.name, trend.slope_kb_per_min
                )),
                // A short run shows that all goes well, not what memory does.
                Some(_) | None => {}
            }
        }
        if !self.curves.iter().any(|curve| curve.is_judged) {
            self.violations.push("no memory was measured".to_owned());
        }
        let Totals { joins, leaves, .. } = self.totals;
        if joins == 0 || joins != leaves || self.forwarded == 0 {
            self.violations.push(format!("{joins} joined, {leaves} left, {} packets", self.forwarded));
        }
    }

    /// The curves as an SVG.
    ///
    /// # Errors
    /// It cannot be drawn.
    pub fn svg(&self) -> Result<String, String> {
        let panels: Vec<_> = self.curves.iter().map(Curve::panel).collect();
        let title =
            format!("{}: {} echo rooms, {:.0} minutes", self.subject, self.options.rooms, self.minutes);
        chart::svg(&title, "minutes", "kB", &panels).map_err(|error| error.to_string())
    }

    /// The same, for scripts.
    ///
    /// # Errors
    /// A figure is not a number.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let curves: Vec<_> =
            self.curves.iter().map(|curve| json!({ "curve": curve, "trend": curve.trend() })).collect();
        serde_json::to_string_pretty(&json!({
            "subject": self.subject,
            "rooms": self.options.rooms,
            "seed": self.options.seed,
            "minutes": self.minutes,
            "totals": self.totals,
            "forwarded": self.forwarded,
            "worker_cpu_s": self.worker_cpu_s,
            "own_cpu_s": self.own_cpu_s,
            "empty_before_kb": self.empty_kb.0,
            "empty_after_kb": self.empty_kb.1,
            "slope_max_kb_per_min": SLOPE_MAX_KB_PER_MIN,
            "curves": curves,
            "violations": self.violations,
        }))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { joins, leaves, vanished, sent, received, lost, repairs } = self.totals;
        let forwarded = self.forwarded;
        writeln!(f, "{}: {} rooms, {:.1} minutes", self.subject, self.options.rooms, self.minutes)?;
        writeln!(f, "people   {joins} joined, {leaves} left, {vanished} of them without a word")?;
        writeln!(f, "packets  {sent} sent, {forwarded} forwarded, {received} received, {lost} lost")?;
        repairs.map_or(Ok(()), |repairs| write!(f, "{repairs}"))?;
        writeln!(
            f,
            "CPU      {:.1} s of the worker, {:.1} s of its guests; empty: {} kB anonymous before, {} kB after",
            self.worker_cpu_s, self.own_cpu_s, self.empty_kb.0, self.empty_kb.1
        )?;
        for curve in &self.curves {
            let name = curve.name;
            let Some(trend) = curve.trend() else {
                writeln!(f, "{name:26} too short to tell a slope")?;
                continue;
            };
            let Trend { slope_kb_per_min, error_kb_per_min, slope_of_all_kb_per_min, .. } = trend;
            let Trend { min_kb, max_kb, mean_kb, .. } = trend;
            write!(
                f,
                "{name:26} {slope_kb_per_min:+7.2} kB/min (+- {error_kb_per_min:.2}) over the last half"
            )?;
            write!(f, ", {min_kb:.0} to {max_kb:.0} kB, {mean_kb:.0} on average")?;
            write!(f, "; through all readings {slope_of_all_kb_per_min:+.2}")?;
            writeln!(f, "{}", if curve.is_judged { "" } else { " (not judged)" })?;
        }
        let is_short = |curve: &Curve| !curve.trend().is_some_and(|trend| trend.is_long());
        if self.curves.iter().all(is_short) {
            writeln!(f, "A run of less than 30 minutes: a slope fails it when chance cannot have made it.")?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION {violation}")?;
        }
        write!(f, "{} violations", self.violations.len())
    }
}

impl Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { consent_expiries, sent_again, repaired, duplicates, key_frames_wanted, feedback } = self;
        writeln!(
            f,
            "repairs  {sent_again} sent again to the worker, {repaired} repaired at receivers, {duplicates} came twice"
        )?;
        write!(f, "         {key_frames_wanted} key frames asked for, {feedback} feedback, ")?;
        writeln!(f, "{consent_expiries} transports given up for want of consent")
    }
}
