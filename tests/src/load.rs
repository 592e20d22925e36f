//! The load generator: sends streams at their times, receives what a forwarder makes of them, counts and times it.
//!
//! One thread on one core does both. It sends when a packet is due and otherwise sweeps the sinks' sockets; the
//! kernel's receive time stands in each datagram, so a sink need not be prompt: latency is from just before the
//! sending call to the arrival at the sink's socket, without the sink's own wake-up, and the forwarder does not pay
//! for waking it. Knows sockets and clocks. Does not know what forwards. Called by benchmarks.
//! Its invariant: only packets sent inside the measured window count, in the sent and in the received sums.

mod sink;
mod source;
mod tally;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::process::RunTime;
use crate::traffic::Traffic;
use crate::traffic::media::Codec;
use crate::{clock, process};

pub use sink::Sinks;
pub use source::{Flood, Sources};
pub use tally::{Order, Tally};

use crate::stats::Histogram;

/// One stream that a source sends.
#[derive(Clone, Copy, Debug)]
pub struct StreamPlan {
    /// What and when.
    pub traffic: Traffic,
    /// Which source socket sends it.
    pub source: usize,
    /// SSRC on the way to the forwarder.
    pub ssrc: u32,
    /// Payload type on the way to the forwarder.
    pub payload_type: u8,
    /// When its first packet leaves, in microseconds after the start.
    pub start_us: u64,
}

impl StreamPlan {
    /// What its payloads look like.
    pub const fn codec(&self) -> Codec {
        Codec::of(self.traffic)
    }
}

/// How long to run.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// Sent before the window: consumers begin, tables and pools fill.
    pub warm_up_ms: u64,
    /// The measured window.
    pub window_ms: u64,
}

/// What a run has counted in its window.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Packets that sinks should have received.
    pub expected: u64,
    /// Packets that sinks received, each counted once.
    pub received: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub disordered: u64,
    /// Datagrams at the sinks that are no packets of ours (RTCP).
    pub other_datagrams: u64,
    /// PLI and FIR that came back to the sources.
    pub key_frame_requests: u64,
    /// Sending calls that failed at the sources.
    pub send_errors: u64,
    /// Packets that flooded the forwarder.
    pub flooded: u64,
    /// Nanoseconds from the sending call at the source to the arrival at the sink's socket.
    pub latency: Histogram,
    /// Nanoseconds by which sources sent later than planned.
    pub lateness: Histogram,
    /// Run time of the watched process in the window.
    pub run_time: RunTime,
    /// Run time of the load generator in the window.
    pub own_run_time: RunTime,
    /// Length of the window, in nanoseconds.
    pub window_ns: u64,
    /// Memory of the watched process at the end of the window, still under load.
    pub memory: process::Memory,
}

impl Outcome {
    /// The share of expected packets that did not come, from 0 to 1. All of none expected.
    pub fn loss(&self) -> f64 {
        if self.expected == 0 {
            return 1.0;
        }
        ratio(self.expected.saturating_sub(self.received), self.expected)
    }
}

/// `part` in `whole`; 0 of nothing.
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { lossy(part) / lossy(whole) }
}

/// A count as a float: exact up to 2^53, and counts here stay far below.
#[expect(clippy::cast_precision_loss, reason = "reports show three digits")]
pub const fn lossy(count: u64) -> f64 {
    count as f64
}

/// Sources, sinks and the times of one run.
#[derive(Debug)]
pub struct Load {
    /// What sends.
    pub sources: Sources,
    /// What receives.
    pub sinks: Sinks,
    /// Optional: fills the forwarder's socket in every free moment.
    pub flood: Option<Flood>,
    /// How long streams go on behind the window, in milliseconds, when the flood is over.
    pub calm_ms: u64,
}

impl Load {
    /// Runs on the calling thread through warm-up, window and drain; reads the run time of the process `watched` at both
    /// edges of the window.
    ///
    /// # Errors
    /// A socket fails for another reason than a full buffer or an absent peer; `watched` has ended.
    pub fn run(&mut self, phases: Phases, watched: u32) -> io::Result<Outcome> {
        clock::end_sleeps_on_time();
        let start_ns = clock::monotonic_ns() + LEAD_NS;
        self.sources.start(start_ns);
        let window_start_ns = start_ns + phases.warm_up_ms * 1_000_000;
        let mut outcome = Outcome::default();
        self.pump_until(window_start_ns)?;
        let (run_time, own_run_time) = (watch(watched)?, process::own_run_time()?);
        let began_ns = clock::monotonic_ns();
        self.open_window();
        self.pump_until(window_start_ns + phases.window_ms * 1_000_000)?;
        outcome.run_time = watch(watched)?.since(run_time);
        outcome.own_run_time = process::own_run_time()?.since(own_run_time);
        outcome.window_ns = clock::monotonic_ns() - began_ns;
        self.close_window(&mut outcome);
        outcome.memory = process::memory(watched)?;
        self.flood = None;
        self.drain()?;
        self.collect(&mut outcome);
        Ok(outcome)
    }

    fn open_window(&mut self) {
        self.sources.lateness = Histogram::new();
        self.sinks.open_window(&self.sources.packets());
        if let Some(flood) = &mut self.flood {
            flood.sent = 0;
            flood.waits = false;
        }
    }

    fn close_window(&mut self, outcome: &mut Outcome) {
        self.sinks.close_window(&self.sources.packets());
        outcome.flooded = self.flood.as_ref().map_or(0, |flood| flood.sent);
        outcome.lateness = self.sources.lateness.clone();
    }

    /// Streams go on while the last packets of the window arrive: a forwarder that batches sees no end of traffic.
    fn drain(&mut self) -> io::Result<()> {
        self.pump_until(clock::monotonic_ns() + DRAIN_NS + self.calm_ms * 1_000_000)?;
        self.sinks.sweep_all()
    }

    fn collect(&self, outcome: &mut Outcome) {
        self.sinks.collect(outcome);
        outcome.key_frame_requests = self.sources.key_frame_requests;
        outcome.send_errors = self.sources.send_errors;
    }

    /// Sends what is due, and uses the time between: sweeps sinks, floods, or sleeps when there is long enough.
    fn pump_until(&mut self, end_ns: u64) -> io::Result<()> {
        loop {
            let now_ns = clock::monotonic_ns();
            if now_ns >= end_ns {
                return Ok(());
            }
            if self.sources.send_due(now_ns)? {
                continue;
            }
            let free_ns = self.sources.next_ns().min(end_ns).saturating_sub(now_ns);
            if free_ns > SWEEP_NEEDS_NS && self.sinks.sweep_due(now_ns)? {
                continue;
            }
            if let Some(flood) = self.flood.as_mut().filter(|flood| !flood.waits) {
                flood.send(now_ns)?;
            } else if free_ns > SLEEP_NEEDS_NS {
                self.sources.read_feedback()?;
                let idle_ns = free_ns.min(self.sinks.next_sweep_ns().saturating_sub(now_ns));
                clock::sleep_until(now_ns + idle_ns.saturating_sub(WAKE_EARLY_NS));
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

fn watch(forwarder: u32) -> io::Result<RunTime> {
    let ended = |error| io::Error::other(format!("the forwarder, process {forwarder}, has ended ({error})"));
    process::run_time(forwarder).map_err(ended)
}

/// A loopback socket with a port of its own, as one peer has it.
///
/// # Errors
/// The system has no port or descriptor left.
pub fn peer_socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

const LEAD_NS: u64 = 20_000_000; // between starting a run and its first packet
const DRAIN_NS: u64 = 300_000_000; // longer than any forwarder here may hold a packet
const SWEEP_NEEDS_NS: u64 = 20_000; // what sweeping one socket takes
const SLEEP_NEEDS_NS: u64 = 300_000; // shorter gaps are spun through
const WAKE_EARLY_NS: u64 = 150_000; // how late a sleep may end on a virtual machine

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_the_share_that_did_not_come_and_all_when_nothing_was_expected() {
        let outcome = Outcome { expected: 1_000, received: 999, ..Outcome::default() };
        assert!((outcome.loss() - 0.001).abs() < 1e-9);
        assert!((Outcome::default().loss() - 1.0).abs() < f64::EPSILON);
    }
}
