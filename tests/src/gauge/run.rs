//! Measures one subject once on one scenario.
//!
//! Knows the order of things: sockets, subject, load, window, counters. Called by the benchmark program for each
//! repeat of each subject, one after the other.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;

use nix::sys::socket::{setsockopt, sockopt};

use super::scenario::Scenario;
use super::subject::{self, Counts, Kind, Peers};
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
    let sockets = PeerSockets::open(scenario)?;
    let mut subject = subject::start(kind, scenario, &sockets.peers(settings)?)?;
    process::pin(subject.pid(), settings.cores.subject)?;
    let mut load = sockets.load(scenario, subject.entrances(), settings)?;
    for (sink, keys) in subject.sink_keys().iter().enumerate() {
        load.sinks.expect_srtp(sink, keys)?;
    }
    let phases = settings.phases;
    let watched = subject.pid();
    let (outcome, counts) = under_load(&mut load, phases, watched, |start_ns| {
        let at = |ms: u64| start_ns + ms * 1_000_000;
        // Asking costs the subject a little: both questions come outside of the window.
        subject.wait_until(at(phases.warm_up_ms.saturating_sub(BESIDE_WINDOW_MS)));
        let before = subject.counts()?;
        subject.wait_until(at(phases.warm_up_ms + phases.window_ms + BESIDE_WINDOW_MS));
        Ok(subject.counts()?.since(before))
    })?;
    Ok(Measurement { outcome, counts })
}

/// Runs the load on this thread while another attends to the subject, from `start_ns` of the monotonic clock on.
pub(super) fn under_load<T: Send>(
    load: &mut Load,
    phases: Phases,
    watched: u32,
    attend: impl FnOnce(u64) -> io::Result<T> + Send,
) -> io::Result<(Outcome, T)> {
    let start_ns = clock::monotonic_ns();
    std::thread::scope(|scope| {
        let attending = scope.spawn(move || attend(start_ns));
        let outcome = load.run(phases, watched)?;
        let attended =
            attending.join().map_err(|_| io::Error::other("attending to the subject failed"))??;
        Ok((outcome, attended))
    })
}

/// A socket for each peer; each sink knows what it expects.
pub(super) struct PeerSockets {
    sources: Vec<UdpSocket>,
    sinks: Sinks,
}

impl PeerSockets {
    pub(super) fn open(scenario: &Scenario) -> io::Result<Self> {
        let mut sinks = Sinks::open(scenario.sinks)?;
        for route in &scenario.routes {
            sinks.expect(route.sink, u32::try_from(route.stream).map_err(io::Error::other)?);
        }
        let sources = (0..scenario.sources).map(|_| source_socket()).collect::<io::Result<_>>()?;
        Ok(Self { sources, sinks })
    }

    /// What a subject has to know of them.
    pub(super) fn peers(&self, settings: &Settings) -> io::Result<Peers> {
        Ok(Peers {
            sources: self.sources.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?,
            sinks: self.sinks.addresses()?,
            sockets: settings.sockets,
            worker_bin: settings.worker_bin.clone(),
        })
    }

    /// Lets the sources send where the subject receives.
    pub(super) fn load(
        self,
        scenario: &Scenario,
        entrances: &[SocketAddr],
        settings: &Settings,
    ) -> io::Result<Load> {
        for (socket, entrance) in self.sources.iter().zip(entrances) {
            socket.connect(entrance)?;
        }
        let sources = Sources::new(self.sources, &scenario.streams, settings.jitter_us);
        Ok(Load { sources, sinks: self.sinks, flood: None, calm_ms: 0 })
    }
}

fn source_socket() -> io::Result<UdpSocket> {
    let socket = peer_socket()?;
    setsockopt(&socket, sockopt::SndBuf, &SEND_BUFFER_BYTES)?;
    Ok(socket)
}

const BESIDE_WINDOW_MS: u64 = 60;
const SEND_BUFFER_BYTES: usize = 1 << 20;
