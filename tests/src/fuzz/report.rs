//! What a run saw.

use std::collections::BTreeMap;
use std::fmt;

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::exit;

use super::child::Ended;

/// Counts of a run, and what broke a promise.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Workers started.
    pub workers: u64,
    /// Frames with a request or with what was meant to look like one.
    pub requests: u64,
    /// Answers that were good.
    pub answered_ok: u64,
    /// Answers that were errors, by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Events and log lines.
    pub unasked: u64,
    /// Datagrams sent to workers' sockets.
    pub datagrams: u64,
    /// How workers ended.
    pub ends: BTreeMap<Ended, u64>,
    /// The most resident memory of any worker, kB.
    pub resident_kb_max: u64,
    /// The longest time from the end of the pipe to the worker's, ms.
    pub end_ms_max: u64,
    /// Broken promises; empty is what we want.
    pub violations: Vec<Violation>,
}

/// A broken promise and how to see it again.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Of the run.
    pub seed: u64,
    /// Which worker of the run.
    pub life: u64,
    /// How far it was.
    pub step: u64,
    /// What happened.
    pub what: String,
}

impl Report {
    /// How many workers a signal ended.
    pub fn signals(&self) -> u64 {
        let by_signal = |(end, count): (&Ended, &u64)| matches!(end, Ended::Signal(_)).then_some(*count);
        self.ends.iter().filter_map(by_signal).sum()
    }

    /// Answers of that kind.
    pub fn errors_of(&self, kind: ErrorKind) -> u64 {
        self.errors.get(&kind).copied().unwrap_or(0)
    }

    /// Kinds of errors that should have been seen and were not.
    pub fn unseen(&self) -> Vec<ErrorKind> {
        let wanted = ErrorKind::ALL.into_iter().filter(|kind| *kind != ErrorKind::Internal);
        wanted.filter(|kind| self.errors_of(*kind) == 0).collect()
    }

    /// Exit codes that should have been seen and were not. [`exit::INTERNAL`] must not be.
    pub fn unseen_codes(&self) -> Vec<i32> {
        let codes = [exit::CLOSED, exit::BAD_SETTINGS, exit::BROKEN_FRAMING, exit::BAD_DESCRIPTOR];
        codes.into_iter().map(i32::from).filter(|code| !self.ends.contains_key(&Ended::Code(*code))).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered = self.answered_ok + self.errors.values().sum::<u64>();
        writeln!(f, "workers: {}", self.workers)?;
        writeln!(f, "requests sent: {} (answered: {answered})", self.requests)?;
        writeln!(f, "  good: {}", self.answered_ok)?;
        for kind in ErrorKind::ALL {
            let note = if kind == ErrorKind::Internal { " (must be 0)" } else { "" };
            writeln!(f, "  {kind:?}: {}{note}", self.errors_of(kind))?;
        }
        writeln!(f, "events and log lines: {}", self.unasked)?;
        writeln!(f, "datagrams sent: {}", self.datagrams)?;
        let codes = self.ends.iter().filter(|(end, _)| matches!(end, Ended::Code(_)));
        let codes: Vec<String> = codes.map(|(end, count)| format!("{end} x {count}")).collect();
        writeln!(f, "exit codes: {}", codes.join(", "))?;
        writeln!(f, "signals: {}", self.signals())?;
        writeln!(f, "memory: at most {} kB resident", self.resident_kb_max)?;
        writeln!(f, "end of the pipe to exit: at most {} ms", self.end_ms_max)?;
        for violation in &self.violations {
            let Violation { seed, life, step, what } = violation;
            writeln!(f, "VIOLATION at step {step} of life {life}: {what}")?;
            writeln!(f, "  again: cargo pipe-fuzz --seed {seed} --life {life}")?;
        }
        Ok(())
    }
}
