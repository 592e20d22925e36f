//! What a worker costs that has many connected WebRTC transports and nothing to do but to answer for consent.
//!
//! Three workers at once on one core, so that the machine's mood is the same for all: one whose peers ask every five
//! seconds each, one with a single peer that asks as often as all of those together, and one whose peers are silent. What
//! the first takes beyond the second is the price of idle transports; the requests are answered either way.

use std::io;

use serde::Serialize;
use tidegate_protocol::ids::RouterId;
use tidegate_protocol::metrics::Metrics;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::Protocol;
use tidegate_worker::dtls::Version;

use super::run::Settings;
use crate::caller::{Caller, on_server};
use crate::clock;
use crate::driver::Driver;
use crate::endpoint::context;
use crate::fuzz::child::WorkerProgram;
use crate::load::lossy;
use crate::process;

/// What idling cost.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Transports of the first and of the third worker.
    pub transports: usize,
    /// How long they were watched, in seconds.
    pub seconds: f64,
    /// The worker whose peers ask every five seconds each.
    pub asked: Cost,
    /// The one with a single peer.
    pub one: Cost,
    /// The one whose peers are silent.
    pub silent: Cost,
    /// The first worker's anonymous memory at the end, in kB.
    pub anonymous_kb: u64,
}

/// Of one worker.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// CPU that it used, in milliseconds.
    pub cpu_ms: f64,
    /// Wake-ups.
    pub wakeups: u64,
    /// Binding requests that it answered.
    pub requests: u64,
}

/// Lets the workers idle for the window of `settings`.
///
/// # Errors
/// A worker cannot be started, refuses something, ends, or does not answer its peers.
pub fn measure(transports: usize, settings: &Settings) -> io::Result<Report> {
    let mut asked = Idle::opens(transports, CONSENT_S, settings)?;
    let mut one = Idle::opens(1, CONSENT_S, settings)?;
    let mut silent = Idle::opens(transports, 0, settings)?;
    let every_ns = ASKS_EVERY_NS / u64::try_from(transports).unwrap_or(1).max(1);
    let warm_ns = clock::monotonic_ns() + settings.phases.warm_up_ms * 1_000_000;
    asks_until(warm_ns, every_ns, [&mut asked, &mut one])?;
    let before = [asked.cost()?, one.cost()?, silent.cost()?];
    let began_ns = clock::monotonic_ns();
    asks_until(began_ns + settings.phases.window_ms * 1_000_000, every_ns, [&mut asked, &mut one])?;
    let seconds = lossy(clock::monotonic_ns() - began_ns) / 1e9;
    let [asked_before, one_before, silent_before] = before;
    Ok(Report {
        transports,
        seconds,
        asked: asked.cost()?.since(asked_before),
        one: one.cost()?.since(one_before),
        silent: silent.cost()?.since(silent_before),
        anonymous_kb: process::memory(asked.driver.pid())?.anonymous_kb,
    })
}

/// In each moment a caller of each worker asks, one after the other.
fn asks_until(end_ns: u64, every_ns: u64, mut workers: [&mut Idle; 2]) -> io::Result<()> {
    let mut due_ns = clock::monotonic_ns();
    while due_ns < end_ns {
        for worker in &mut workers {
            clock::sleep_until(due_ns);
            due_ns += every_ns / 2;
            worker.asks_next()?;
        }
    }
    workers.iter_mut().try_for_each(|worker| worker.hears_all())
}

/// A worker and its callers.
struct Idle {
    driver: Driver,
    callers: Vec<Caller>,
    next: usize,
    asked: u64,
    answered: u64,
}

impl Idle {
    fn opens(transports: usize, consent_s: u8, settings: &Settings) -> io::Result<Self> {
        let program =
            settings.worker_bin.clone().ok_or_else(|| io::Error::other("no worker program is known"))?;
        let mut driver = Driver::start(&WorkerProgram::standalone(program), &[]).map_err(io::Error::other)?;
        process::pin(driver.pid(), settings.cores.subject)?;
        let callers = Self::callers(&mut driver, transports, consent_s).map_err(io::Error::other)?;
        Ok(Self { driver, callers, next: 0, asked: 0, answered: 0 })
    }

    /// Half of them with each version of DTLS.
    fn callers(driver: &mut Driver, transports: usize, consent_s: u8) -> Result<Vec<Caller>, String> {
        let router = driver.id();
        driver.call(Command::CreateRouter { router: RouterId(router) })?;
        let server = driver.create_webrtc_server()?;
        let contexts = [context(Version::Dtls12), context(Version::Dtls13)];
        let mut callers = Vec::new();
        for number in 0..transports {
            let told = driver.create_webrtc_transport(router, &on_server(server, consent_s))?;
            let caller = Caller::new(&told, Protocol::Udp, &contexts[number % 2]);
            let mut caller = caller.map_err(|error| error.to_string())?;
            caller.joins(driver)?;
            callers.push(caller);
            // The first ones' consent must not end before the last ones' handshake.
            for waiting in callers.iter_mut().filter(|_| number % 200 == 199) {
                waiting.proves_its_way(driver)?;
            }
        }
        Ok(callers)
    }

    fn asks_next(&mut self) -> io::Result<()> {
        let place = self.next % self.callers.len().max(1);
        self.next += 1;
        let Some(caller) = self.callers.get_mut(place) else { return Ok(()) };
        self.answered += answers(caller)?;
        self.asked += 1;
        caller.asks()
    }

    /// Waits for the answers that are on their way.
    fn hears_all(&mut self) -> io::Result<()> {
        let give_up_ns = clock::monotonic_ns() + ANSWER_NS;
        while self.answered < self.asked {
            for caller in &mut self.callers {
                self.answered += answers(caller)?;
            }
            if clock::monotonic_ns() > give_up_ns {
                let (asked, answered) = (self.asked, self.answered);
                return Err(io::Error::other(format!("{answered} of {asked} requests were answered")));
            }
        }
        Ok(())
    }

    fn cost(&mut self) -> io::Result<Cost> {
        let cpu = process::run_time(self.driver.pid())?;
        let wakeups = match self.driver.call(Command::GetMetrics).map_err(io::Error::other)? {
            Reply::Metrics(metrics) => wakes(&metrics)?,
            other => return Err(io::Error::other(format!("metrics were answered {other:?}"))),
        };
        Ok(Cost { cpu_ms: lossy(cpu.ran_ns) / 1e6, wakeups, requests: self.answered })
    }
}

fn answers(caller: &mut Caller) -> io::Result<u64> {
    caller.goes_on()?;
    let mut answers = 0;
    while caller.takes_answer() {
        answers += 1;
    }
    Ok(answers)
}

fn wakes(metrics: &Metrics) -> io::Result<u64> {
    metrics.value("wakes").ok_or_else(|| io::Error::other("the worker has no metric wakes"))
}

impl Cost {
    fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ms: self.cpu_ms - earlier.cpu_ms,
            wakeups: self.wakeups - earlier.wakeups,
            requests: self.requests - earlier.requests,
        }
    }
}

/// As browsers ask.
const ASKS_EVERY_NS: u64 = 5_000_000_000;
const CONSENT_S: u8 = 30;
const ANSWER_NS: u64 = 5_000_000_000;
