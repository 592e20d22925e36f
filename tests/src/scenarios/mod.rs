//! Scenarios: stories that a whole worker lives through in a simulated world, each told anew by every seed.
//!
//! A scenario is a function from a seed to a [`Tally`]. It makes a [`World`](crate::world::World) from the seed, lets
//! things happen, asserts what peers and host can see, and ends with [`World::finish`](crate::world::World::finish),
//! which closes everything, checks that nothing is left, and counts. It fails by panicking; the runner adds the
//! scenario's name, the seed, the step and the virtual time to what it says.
//!
//! To add one:
//! 1. write `scenarios/<name>.rs` with a `pub const SCENARIO: Scenario` and a `fn run(seed: u64) -> Tally`;
//! 2. name its module below and put its `SCENARIO` into [`ALL`];
//! 3. `cargo sim --scenario <name> --seeds 1000`.
//!
//! What stories share: `draw` draws from the seed, `ear` says what came and when, `flow` knows what must come.
//!
//! Every choice must follow from the seed ([`Beginning::of`](crate::world::Beginning::of) for the worker,
//! [`Random`](tidegate_worker::random::Random) for the story's own). A seed that once failed is kept in `tests/seeds.txt`,
//! with a line that says what it was; `tests/tests/scenarios.rs` runs it for ever.
//!
//! Knows the bed. Does not know threads, files or the wall's clock.
//! Invariant: the same scenario and seed give the same run.

mod clean_forwarding;
mod create_and_close;
pub(crate) mod draw;
mod ear;
mod flow;
mod full_room;
mod hostile_room;
mod hostile_webrtc;
mod key_frame_storm;
mod late_consumer;
mod repaired_loss;
pub mod runner;
pub mod seeds;
mod spoofed_sources;
mod ssrc_flood;
mod vanished_peer;
mod wraps;

use std::ops::AddAssign;

/// A story that can be told from any seed.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on command lines and in `seeds.txt`: lower case with underscores, as its module.
    pub name: &'static str,
    /// The fact that it proves, as a sentence.
    pub proves: &'static str,
    /// Runs it; panics when the fact does not hold.
    pub run: fn(seed: u64) -> Tally,
}

/// Every scenario.
pub const ALL: &[Scenario] = &[
    clean_forwarding::SCENARIO,
    full_room::SCENARIO,
    repaired_loss::SCENARIO,
    wraps::SCENARIO,
    late_consumer::SCENARIO,
    key_frame_storm::SCENARIO,
    vanished_peer::SCENARIO,
    spoofed_sources::SCENARIO,
    ssrc_flood::SCENARIO,
    hostile_room::SCENARIO,
    hostile_webrtc::SCENARIO,
    create_and_close::SCENARIO,
];

/// The scenario of this name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// How much a run did, so that a scenario in which nothing happened shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams that the worker received, and datagrams that it sent.
    pub packet_operations: u64,
    /// Turns of the worker's loop.
    pub turns: u64,
    /// Invariants looked at, each time anew.
    pub invariant_checks: u64,
    /// Time that passed in the world, in milliseconds.
    pub virtual_ms: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.packet_operations += other.packet_operations;
        self.turns += other.turns;
        self.invariant_checks += other.invariant_checks;
        self.virtual_ms += other.virtual_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_line_of_seeds() {
        for (index, scenario) in ALL.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(!scenario.name.is_empty() && scenario.name.chars().all(plain), "{}", scenario.name);
            assert!(scenario.proves.len() > 10, "{} says what it proves", scenario.name);
            assert!(ALL[..index].iter().all(|other| other.name != scenario.name), "{} twice", scenario.name);
        }
    }
}
