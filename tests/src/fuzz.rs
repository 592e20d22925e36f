//! Anything on the pipe: workers are started one after the other and spoken to without any host library.
//!
//! Every worker lives a life drawn from its own seed: valid requests in any order, wrong ones, mutated frames, noise on
//! its sockets, slow writing, unread output, and an end that has an exit code to expect. `pipe-fuzz` runs lives for a
//! time; `tests/pipe.rs` runs a few, and uses the parts for facts of its own.
//!
//! * [`child`]: a worker process with descriptors in our hands; [`host_end`]: the bytes to and from it.
//! * [`model`]: what the worker must hold by now; [`commands`], [`extremes`], [`mutate`], [`traffic`]: what it is given.
//! * [`life`]: one worker from greeting to exit; [`report`]: what was seen.
//!
//! Knows the protocol crate and exit codes. Does not know the host library, nor the worker's insides.
//! Invariant: a run is told by its seed, as far as the kernel's timing allows; a violation names seed, life and step.

pub mod child;
pub mod commands;
pub mod endings;
pub mod extremes;
pub mod host_end;
pub mod life;
pub mod model;
pub mod mutate;
pub mod report;
pub mod traffic;
pub mod unread;

use crate::clock;
use child::WorkerProgram;
use report::{Report, Violation};

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long lives are started; the last one ends after it.
    pub seconds: u64,
    /// All choices follow from it.
    pub seed: u64,
    /// Only this life, whatever the time.
    pub only: Option<u64>,
    /// Which worker.
    pub program: WorkerProgram,
}

/// Runs lives until the time is over or a violation was met. `progress` hears of each life's end.
pub fn run(options: &Options, mut progress: impl FnMut(u64, &Report)) -> Report {
    let mut report = Report::default();
    let end_ns = clock::monotonic_ns().saturating_add(options.seconds.saturating_mul(1_000_000_000));
    for number in options.only.unwrap_or(0).. {
        let ended = life::live(&options.program, options.seed, number, &mut report);
        if let Err((step, what)) = ended {
            report.violations.push(Violation { seed: options.seed, life: number, step, what });
            break;
        }
        progress(number, &report);
        if options.only.is_some() || clock::monotonic_ns() >= end_ns {
            break;
        }
    }
    report
}

/// A small generator (SplitMix64): choices of a life follow from its seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of life `number` under `seed`.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03));
        dice.any();
        dice
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when `end` is.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        usize::try_from(self.any() % end.max(1)).unwrap_or(0)
    }

    /// Whether something happens that does so in `percent` of cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`; `None` of none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.any().to_le_bytes()[0]
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_choices_and_another_life_other_ones() {
        let throw = |seed, life| Dice::new(seed, life).bytes(64);
        assert_eq!(throw(1, 7), throw(1, 7));
        assert_ne!(throw(1, 7), throw(1, 8));
        assert_ne!(throw(1, 7), throw(2, 7));
    }
}
