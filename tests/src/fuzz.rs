//! Anything on the pipe: workers are started one after the other and spoken to without any host library.
//!
//! Every worker lives a life drawn from its own seed: valid requests in any order, wrong ones, mutated frames, noise on
//! its sockets, slow writing, unread output, and an end that has an exit code to expect. `pipe-fuzz` runs lives for a
//! time; `tests/pipe.rs` runs a few, and uses the parts for facts of its own.
//!
//! * [`child`]: a worker process with descriptors in our hands; [`host_end`]: the bytes to and from it.
//! * [`model`]: what the worker must hold by now; [`commands`], [`webrtc`], [`extremes`], [`mutate`], [`traffic`]: what it
//!   is given.
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
pub mod webrtc;

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

/// Choices: those of a small generator (SplitMix64), which follow from a seed, or those that bytes spell out, so that a
/// coverage-guided fuzzer can steer them.
#[derive(Clone, Debug)]
pub struct Dice(Source);

#[derive(Clone, Debug)]
enum Source {
    Seed(u64),
    /// Read from the front.
    Bytes {
        bytes: Box<[u8]>,
        at: usize,
    },
}

impl Dice {
    /// The dice of life `number` under `seed`.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(Source::Seed(seed ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03)));
        dice.any();
        dice
    }

    /// Dice that show what `bytes` say, and zeros when those are used up.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Source::Bytes { bytes: bytes.into(), at: 0 })
    }

    /// Whether bytes are used up; a seed never is.
    pub fn is_used_up(&self) -> bool {
        match &self.0 {
            Source::Seed(_) => false,
            Source::Bytes { bytes, at } => *at >= bytes.len(),
        }
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.number(8)
    }

    /// A number below `end`; 0 when `end` is.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        let bytes = match end {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 8,
        };
        usize::try_from(self.number(bytes) % end.max(1)).unwrap_or(0)
    }

    /// A number of so many bytes; a seed gives all eight.
    fn number(&mut self, bytes_max: usize) -> u64 {
        match &mut self.0 {
            Source::Seed(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^ (mixed >> 31)
            }
            Source::Bytes { bytes, at } => {
                let rest = bytes.get(*at..).unwrap_or_default();
                let read = rest.iter().take(bytes_max);
                *at += read.len();
                read.rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
        }
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
        self.number(1).to_le_bytes()[0]
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
    #[test]
    fn dice_of_bytes_show_the_bytes_and_then_zeros() {
        let mut dice = Dice::of_bytes(&[7, 1, 2, 3, 4]);
        assert_eq!((dice.byte(), dice.below(256), dice.below(1_000)), (7, 1, 0x0302));
        assert!(!dice.is_used_up());
        assert_eq!((dice.any(), dice.is_used_up()), (4, true));
        assert_eq!((dice.any(), dice.byte(), dice.below(10)), (0, 0, 0));
    }
}
