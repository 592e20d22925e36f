//! What the worker is put through.
//!
//! Each scenario runs on a worker alone, where memory is read from smaps_rollup at each stage, or under a tool of
//! valgrind, where only the course of things matters. Knows entities and traffic. Called by the `memory` program.
//! Invariant: the same scenario does the same things in both; only counts of stages and times differ by [`Extent`].

mod entities;
mod fanout;
mod webrtc;

use tidegate_protocol::request::Command;
use tidegate_tests::clock;
use tidegate_tests::driver::Driver;
use tidegate_tests::fuzz::child::WorkerProgram;

use crate::Failure;
use crate::figures::{Figures, float};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A worker that was greeted.
    Idle,
    /// Many routers, transports, producers and consumers without media.
    Entities,
    /// Many WebRTC transports, connected and idle.
    WebRtc,
    /// One recorded video to many consumers.
    Fanout,
    /// Consumers come and go, several times.
    Peak,
}

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Entities of each kind.
    pub entities: usize,
    /// Consumers of the fan-out.
    pub fanout: usize,
    /// Consumers at each peak.
    pub peak: usize,
    /// How often they come and go.
    pub cycles: usize,
    /// Milliseconds of media before measuring.
    pub warm_up_ms: u64,
    /// Milliseconds of media that count.
    pub window_ms: u64,
    /// Milliseconds after closing all, when memory cannot be read to see when it is back.
    pub settle_ms: u64,
    /// Whether memory is read: under valgrind it would be valgrind's.
    pub reads_memory: bool,
}

impl Extent {
    /// On a worker alone.
    pub const WHOLE: Self = Self {
        entities: 1_000,
        fanout: 100,
        peak: 200,
        cycles: 3,
        warm_up_ms: 3_000,
        window_ms: 5_000,
        settle_ms: 0,
        reads_memory: true,
    };
    /// Under massif: the same numbers of entities, less time.
    pub const UNDER_MASSIF: Self = Self {
        cycles: 2,
        warm_up_ms: 1_000,
        window_ms: 4_000,
        settle_ms: 8_000,
        reads_memory: false,
        ..Self::WHOLE
    };
    /// Under memcheck and callgrind.
    pub const SMALL: Self = Self {
        entities: 50,
        fanout: 10,
        peak: 20,
        cycles: 2,
        warm_up_ms: 500,
        window_ms: 3_000,
        settle_ms: 0,
        reads_memory: false,
    };
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Idle, Self::Entities, Self::WebRtc, Self::Fanout, Self::Peak];

    /// As on the command line and in `budgets.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Entities => "entities",
            Self::WebRtc => "webrtc",
            Self::Fanout => "fanout",
            Self::Peak => "peak",
        }
    }

    /// Runs it with `program` and gives what was measured.
    ///
    /// # Errors
    /// The worker refuses something or ends.
    pub fn run(self, program: &WorkerProgram, extent: Extent) -> Result<Figures, Failure> {
        let driver = Driver::start(program, &[])?;
        let (driver, figures) = self.drive(driver, extent)?;
        driver.finish()?;
        Ok(figures)
    }

    /// Runs it with a worker that has been started, which goes on living.
    ///
    /// # Errors
    /// The worker refuses something or ends.
    pub fn drive(self, mut driver: Driver, extent: Extent) -> Result<(Driver, Figures), Failure> {
        let mut figures = Figures::default();
        match self {
            Self::Idle => idle(&driver, extent, &mut figures)?,
            Self::Entities => entities::run(&mut driver, extent, &mut figures)?,
            Self::WebRtc => webrtc::run(&mut driver, extent, &mut figures)?,
            Self::Fanout => fanout::run(&mut driver, extent, &mut figures)?,
            Self::Peak => fanout::run_peak(&mut driver, extent, &mut figures)?,
        }
        Ok((driver, figures))
    }
}

fn idle(driver: &Driver, extent: Extent, figures: &mut Figures) -> Result<(), Failure> {
    if extent.reads_memory {
        let memory = driver.memory()?;
        figures.add("idle.resident_kb", float(memory.resident_kb));
        figures.add("idle.anonymous_kb", float(memory.anonymous_kb));
    }
    Ok(())
}

/// Anonymous memory now.
fn anonymous_kb(driver: &Driver, extent: Extent) -> Result<u64, Failure> {
    if extent.reads_memory { Ok(driver.memory()?.anonymous_kb) } else { Ok(0) }
}

/// Anonymous memory once it is at most a tenth above `idle_kb`, or when it has had enough time to get there: packet
/// memory that nobody uses goes back after five seconds.
fn anonymous_after_closing(driver: &mut Driver, extent: Extent, idle_kb: u64) -> Result<u64, Failure> {
    if !extent.reads_memory {
        return settle_under_tool(driver, extent).map(|()| 0);
    }
    let give_up_ns = clock::monotonic_ns() + RETURN_NS;
    loop {
        let now_kb = driver.memory()?.anonymous_kb;
        let now_ns = clock::monotonic_ns();
        if now_kb * 10 <= idle_kb * 11 || now_ns >= give_up_ns {
            return Ok(now_kb);
        }
        driver.listen_until(now_ns + LOOK_NS)?;
    }
}

/// Under massif: lets packet memory go back, asking for something now and then, for massif looks only when memory is
/// taken or given.
fn settle_under_tool(driver: &mut Driver, extent: Extent) -> Result<(), Failure> {
    let end_ns = clock::monotonic_ns() + extent.settle_ms * 1_000_000;
    while clock::monotonic_ns() < end_ns {
        // An answer that takes memory to make.
        driver.call(Command::GetMetrics)?;
        driver.listen_until(clock::monotonic_ns() + LOOK_NS)?;
    }
    Ok(())
}

const RETURN_NS: u64 = 12_000_000_000;
const LOOK_NS: u64 = 100_000_000;
