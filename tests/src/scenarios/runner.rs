//! Runs one seed of a scenario and turns its panic into a [`Failure`] that can be printed and run again.
//!
//! Knows panics and the step that a world was in. Does not know what a scenario does. Called by `tests/scenarios.rs`
//! and by `cargo sim`. Invariant: while a seed runs its thread prints nothing; what it would have said is in the failure.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use super::{Scenario, Tally};
use crate::world;

/// A seed that broke a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which scenario.
    pub scenario: &'static str,
    /// Which seed.
    pub seed: u64,
    /// The turn in which it happened, and the virtual time in milliseconds; nothing if there was no world any more.
    pub step: Option<(u64, u64)>,
    /// What was said, and where: the panic that ended it, and before it those that the worker contained.
    pub message: String,
}

impl Failure {
    /// The line for `tests/seeds.txt`.
    pub fn line(&self) -> String {
        format!("{} {}", self.scenario, self.seed)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "scenario {} seed {} failed ", self.scenario, self.seed)?;
        match self.step {
            Some((step, at_ms)) => write!(formatter, "in step {step} at {at_ms} ms: ")?,
            None => write!(formatter, "outside of a world: ")?,
        }
        formatter.write_str(&self.message)
    }
}

/// Runs one seed.
///
/// # Errors
/// It panicked.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Tally, Box<Failure>> {
    caught(scenario.name, seed, || (scenario.run)(seed))
}

/// Runs anything else that is named and has a seed.
///
/// # Errors
/// It panicked.
pub fn caught<T>(name: &'static str, seed: u64, run: impl FnOnce() -> T) -> Result<T, Box<Failure>> {
    INSTALL_HOOK.call_once(install_hook);
    HEARD.set(Some(Vec::new()));
    world::forget_last_step();
    let result = catch_unwind(AssertUnwindSafe(run));
    let heard = HEARD.take().unwrap_or_default();
    result.map_err(|_| {
        let step = world::last_step();
        Box::new(Failure { scenario: name, seed, step, message: heard.join("; then ") })
    })
}

/// Panics of a thread that runs a seed are heard and not printed; those of others are printed as ever.
fn install_hook() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| match HEARD.take() {
        Some(mut heard) => {
            heard.push(sentence(info));
            HEARD.set(Some(heard));
        }
        None => others(info),
    }));
}

fn sentence(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("a panic without words");
    let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
    format!("{text}{}", place.unwrap_or_default())
}

static INSTALL_HOOK: Once = Once::new();

thread_local! {
    /// What panics said while this thread runs a seed; `None` while it does not.
    static HEARD: Cell<Option<Vec<String>>> = const { Cell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn failure_names_scenario_seed_step_and_time() {
        let broken = Scenario {
            name: "broken",
            proves: "that a failure is told",
            run: |seed| {
                let mut world = World::new();
                world.router();
                world.run_for(40);
                world.router();
                assert_eq!(seed, 5, "as planted");
                world.finish()
            },
        };
        assert!(run(&broken, 5).is_ok());
        let failure = run(&broken, 6).unwrap_err();
        let said = failure.to_string();
        assert!(said.starts_with("scenario broken seed 6 failed in step 2 at 40 ms: "), "{said}");
        assert!(said.contains("as planted") && said.contains("runner.rs:"), "{said}");
        assert_eq!(failure.line(), "broken 6");
        let outside = Scenario { run: |_| panic!("no world"), ..broken };
        assert!(run(&outside, 1).unwrap_err().to_string().contains("failed outside of a world: no world"));
    }
}
