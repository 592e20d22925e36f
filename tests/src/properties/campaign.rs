//! Many inputs on all cores, without coverage: how `cargo parser-fuzz` reaches ten million of them.
//!
//! Knows inputs by their number, so that a run is the same on any number of cores and one input can be had again.
//! Does not print but through `progress`. A failing input is made shorter while it still fails.
//! Invariant: an input that panics is reported with its bytes; one that hangs is reported with its number.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Property;
use super::inputs::Inputs;
use crate::clock;

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How many inputs held.
    pub inputs: u64,
    /// How long it took.
    pub nanos: u64,
    /// The first input that did not hold.
    pub failure: Option<Failure>,
}

/// An input that broke a property.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which of the seed's inputs.
    pub number: u64,
    /// The shortest input found that breaks it.
    pub bytes: Vec<u8>,
    /// What the panic said of those.
    pub what: String,
}

/// Tries inputs `first..first + count`. `progress` hears about once a second how many were tried, and of an input that
/// takes longer than [`SLOW_NS`].
pub fn run(
    property: &'static Property,
    inputs: &Inputs,
    first: u64,
    count: u64,
    mut progress: impl FnMut(Progress),
) -> Outcome {
    let start = clock::monotonic_ns();
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let shared = Shared::new(first, count, lanes);
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            shared.lanes.iter().map(|lane| scope.spawn(|| shared.work(lane, property, inputs))).collect();
        let mut told = start;
        while workers.iter().any(|worker| !worker.is_finished()) {
            clock::sleep_for(2_000_000);
            let now = clock::monotonic_ns();
            if now.saturating_sub(told) > 1_000_000_000 {
                told = now;
                let slow = shared.lanes.iter().filter_map(|lane| lane.slow(now)).next();
                progress(Progress { inputs: shared.done(), slow });
            }
        }
    });
    let nanos = clock::monotonic_ns().saturating_sub(start);
    let failure = shared.failure.lock().map_or(None, |mut failure| failure.take());
    let failure = failure.map(|(number, bytes)| {
        let bytes = minimised(property, bytes);
        let what = broken(property, &bytes).unwrap_or_default();
        Failure { number, bytes, what }
    });
    Outcome { inputs: shared.done(), nanos, failure }
}

/// How a campaign goes.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// How many inputs held so far.
    pub inputs: u64,
    /// An input that has been under way for long.
    pub slow: Option<u64>,
}

/// What a panic said, when the property does not hold for `bytes`.
pub fn broken(property: &Property, bytes: &[u8]) -> Option<String> {
    let panicked = catch_unwind(AssertUnwindSafe(|| (property.check)(bytes))).err()?;
    let said = panicked.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panicked.downcast_ref::<&str>().map(|said| (*said).to_owned()));
    Some(said.unwrap_or_else(|| "a panic without words".to_owned()))
}

/// Takes pieces out of a failing input, large ones first, and clears what is left, as long as it fails.
fn minimised(property: &Property, mut bytes: Vec<u8>) -> Vec<u8> {
    let mut tries = TRIES_MAX;
    let mut fails = |candidate: &[u8]| {
        tries = u32::saturating_sub(tries, 1);
        tries > 0 && broken(property, candidate).is_some()
    };
    let mut piece = bytes.len();
    while piece > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + piece).min(bytes.len());
            let candidate = [&bytes[..at], &bytes[end..]].concat();
            if fails(&candidate) {
                bytes = candidate;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    for at in 0..bytes.len() {
        let kept = std::mem::replace(&mut bytes[at], 0);
        if kept != 0 && !fails(&bytes) {
            bytes[at] = kept;
        }
    }
    bytes
}

/// What the lanes share.
struct Shared {
    next: AtomicU64,
    end: u64,
    has_failed: AtomicBool,
    failure: Mutex<Option<(u64, Vec<u8>)>>,
    lanes: Vec<Lane>,
}

/// One core's part.
#[derive(Default)]
struct Lane {
    done: AtomicU64,
    /// The block under way, plus one; 0: none.
    number: AtomicU64,
    since: AtomicU64,
}

impl Shared {
    fn new(first: u64, count: u64, lanes: usize) -> Self {
        Self {
            next: AtomicU64::new(first),
            end: first.saturating_add(count),
            has_failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
        }
    }

    fn work(&self, lane: &Lane, property: &Property, inputs: &Inputs) {
        loop {
            let from = self.next.fetch_add(BLOCK, Ordering::Relaxed);
            if from >= self.end || self.has_failed.load(Ordering::Relaxed) {
                return;
            }
            for number in from..self.end.min(from + BLOCK) {
                lane.since.store(clock::monotonic_ns(), Ordering::Relaxed);
                lane.number.store(number + 1, Ordering::Relaxed);
                let bytes = inputs.get(number);
                if broken(property, &bytes).is_some() {
                    self.has_failed.store(true, Ordering::Relaxed);
                    if let Ok(mut failure) = self.failure.lock()
                        && failure.as_ref().is_none_or(|(known, _)| number < *known)
                    {
                        *failure = Some((number, bytes));
                    }
                    break;
                }
                lane.done.fetch_add(1, Ordering::Relaxed);
            }
            lane.number.store(0, Ordering::Relaxed);
        }
    }

    fn done(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.done.load(Ordering::Relaxed)).sum()
    }
}

impl Lane {
    fn slow(&self, now: u64) -> Option<u64> {
        let number = self.number.load(Ordering::Relaxed).checked_sub(1)?;
        (now.saturating_sub(self.since.load(Ordering::Relaxed)) > SLOW_NS).then_some(number)
    }
}

/// An input that takes longer is worth a word.
pub const SLOW_NS: u64 = 10_000_000_000;
/// Numbers that a lane takes at a time.
const BLOCK: u64 = 64;
/// Minimising ends in bounded time, with the input that was shortest by then.
const TRIES_MAX: u32 = 20_000;
