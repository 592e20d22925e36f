//! Measures one subject once on one scenario.
//!
//! Knows the order of things: sockets, subject, load, window, counters. Called by the benchmark program for each
//! repeat of each subject, one after the other.

use std::io;
use std::net::UdpSocket;
use std::path::PathBuf;

use nix::sys::socket::{setsockopt, sockopt};

use super::scenario::Scenario;
use super::subject::{self, Counts, Kind, Peers, Subject};
use crate::clock;
use crate::ideal::SocketUse;
use crate::load::{Load, Outcome, Phases, Sinks, Sources, peer_socket};
use crate::process::{self, Cores};

/// How to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to run what.
    pub cores: Cores,
    /// Warm-up and window.
    pub phases: Phases,
    /// Sockets on the subject's side.
    pub sockets: SocketUse,
    /// The most that the network before the worker delays a packet, in microseconds.
    pub jitter_us: u64,
    /// The worker's program, where the worker is a subject.
    pub worker_bin: Option<PathBuf>,
}

/// What one run showed.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// What the load generator counted.
    pub outcome: Outcome,
    /// What the subject counted from shortly before the window to shortly after.
    pub counts: Counts,
}

/// Starts a subject on its core, loads it, and takes its figures.
///
/// # Errors
/// The subject cannot be started, ends early, or a socket fails.
pub fn measure(scenario: &Scenario, kind: Kind, settings: &Settings) -> io::Result<Measurement> {
    let (sockets, sinks) = open_peers(scenario)?;
    let peers = Peers {
        sources: sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?,
        sinks: sinks.addresses()?,
        sockets: settings.sockets,
        worker_bin: settings.worker_bin.clone(),
    };
    let mut subject = subject::start(kind, scenario, &peers)?;
    process::pin(subject.pid(), settings.cores.subject)?;
    for (socket, entrance) in sockets.iter().zip(subject.entrances()) {
        socket.connect(entrance)?;
    }
    let sources = Sources::new(sockets, &scenario.streams, settings.jitter_us);
    let mut load = Load { sources, sinks, flood: None };
    under_load(&mut load, &mut *subject, settings.phases)
}

/// Runs the load on this thread while another keeps the subject's side going.
fn under_load(load: &mut Load, subject: &mut dyn Subject, phases: Phases) -> io::Result<Measurement> {
    let watched = subject.pid();
    let start_ns = clock::monotonic_ns();
    let at = |ms: u64| start_ns + ms * 1_000_000;
    std::thread::scope(|scope| {
        let attending = scope.spawn(|| {
            // Asking costs the subject a little: both questions come outside of the window.
            subject.wait_until(at(phases.warm_up_ms.saturating_sub(BESIDE_WINDOW_MS)));
            let before = subject.counts()?;
            subject.wait_until(at(phases.warm_up_ms + phases.window_ms + BESIDE_WINDOW_MS));
            Ok::<Counts, io::Error>(subject.counts()?.since(before))
        });
        let outcome = load.run(phases, watched)?;
        let counts = attending.join().map_err(|_| io::Error::other("attending to the subject failed"))??;
        Ok(Measurement { outcome, counts })
    })
}

/// A socket for each peer; each sink knows what it expects.
fn open_peers(scenario: &Scenario) -> io::Result<(Vec<UdpSocket>, Sinks)> {
    let mut sinks = Sinks::open(scenario.sinks)?;
    for route in &scenario.routes {
        sinks.expect(route.sink, u32::try_from(route.stream).map_err(io::Error::other)?);
    }
    let sockets = (0..scenario.sources).map(|_| source_socket()).collect::<io::Result<_>>()?;
    Ok((sockets, sinks))
}

fn source_socket() -> io::Result<UdpSocket> {
    let socket = peer_socket()?;
    setsockopt(&socket, sockopt::SndBuf, &SEND_BUFFER_BYTES)?;
    Ok(socket)
}

const BESIDE_WINDOW_MS: u64 = 60;
const SEND_BUFFER_BYTES: usize = 1 << 20;
