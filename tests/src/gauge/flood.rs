//! What a flood on one socket does to everybody else: the latency of other streams, and how soon a dump is answered.
//!
//! The flooding peer is the known one of a transport of its own, and sends 64 packets a call. Of RTP it sends an SSRC that
//! nobody announced, in every moment that the other stream leaves free; the worker reads, parses and refuses all of it.
//! Of RTCP it sends feedback on a stream that it gets, 50,000 datagrams a second beside a room: NACKs of all numbers that
//! there are, key frame requests, reports that lie, and what nobody asked for.
//! Of STUN, DTLS and SRTP come 50,000 fake datagrams a second to a WebRTC server's port, see `webrtc`; there the worker's
//! memory counts too, before, meanwhile and after.

mod webrtc;

use std::io;

use serde::Serialize;

use super::report::quantile_us;
use super::run::{PeerSockets, Settings, under_load};
use super::scenario::Scenario;
use super::subject::{Kind, Subject, WorkerProcess, WorkerVariant};
use crate::clock;
use crate::load::{Flood, Load, Phases, lossy, ratio};
use crate::process;
use crate::stats::Histogram;
use crate::world::rtcp::{Block, Rtcp, write};

/// What floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Media that nobody announced.
    Rtp,
    /// Feedback on a stream.
    Rtcp,
    /// Binding requests that prove nothing, and what is none.
    Stun,
    /// ClientHellos, and records of no sense.
    Dtls,
    /// Packets that are not authentic.
    Srtp,
}

/// What became of a WebRTC server's port and of memory.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct FrontReport {
    /// Binding requests of a peer in good standing, on the port that was flooded.
    pub asked: u64,
    /// Of them.
    pub answered: u64,
    /// The worker's anonymous memory before the flood, in kB.
    pub memory_before_kb: u64,
    /// The highest such figure in the flood.
    pub memory_highest_kb: u64,
    /// The same when it was over, and streams had gone on for a while.
    pub memory_after_kb: u64,
}

/// What the flood did.
#[derive(Clone, Debug, Serialize)]
pub struct FloodReport {
    /// What flooded, beside what.
    pub scenario: String,
    /// The worker's name, as in rows: moderated or at once.
    pub subject: &'static str,
    /// Packets per second that flooded the worker's socket.
    pub flood_packets_per_second: f64,
    /// Latency of the other stream in microseconds that half of its packets did not exceed.
    pub latency_p50_us: f64,
    /// Latency of the other stream in microseconds that 99 % did not exceed.
    pub latency_p99_us: f64,
    /// Dumps that were asked for.
    pub dumps: u64,
    /// The median of the time until a dump was answered, in microseconds.
    pub dump_p50_us: f64,
    /// The longest such time.
    pub dump_max_us: f64,
    /// Lost packets of the other stream, from 0 to 1.
    pub loss: f64,
    /// The worker's CPU in parts of one core.
    pub core_share: f64,
    /// Share of the window in which the worker was ready to run but its core was with somebody else.
    pub waited_share: f64,
    /// The same of the load generator, which the dumps' answers meet too.
    pub generator_waited_share: f64,
    /// Of a flood on a WebRTC server's port.
    pub front: Option<FrontReport>,
    /// Whether the figures do not count: other streams lost more than 0.1 %, of a flood on a WebRTC server's port more than
    /// 0.5 %, or nothing was flooded.
    pub void: bool,
}

/// Floods a worker, of all but media with `per_second` datagrams a second.
///
/// # Errors
/// The worker cannot be started, ends early, or a socket fails.
pub fn measure(
    of: Of,
    per_second: u64,
    variant: WorkerVariant,
    settings: &Settings,
) -> io::Result<FloodReport> {
    let scenario = match of {
        Of::Rtp => Scenario::flood(),
        Of::Rtcp => Scenario::flooded_room(),
        Of::Stun => Scenario::flooded_front("STUN"),
        Of::Dtls => Scenario::flooded_front("DTLS"),
        Of::Srtp => Scenario::flooded_front("SRTP"),
    };
    let sockets = PeerSockets::open(&scenario)?;
    let mut subject = WorkerProcess::start(variant, &scenario, &sockets.peers(settings)?)?;
    process::pin(subject.pid(), settings.cores.subject)?;
    let mut load = sockets.load(&scenario, subject.entrances(), settings)?;
    let mut front = match of {
        Of::Rtp | Of::Rtcp => {
            load.flood = Some(flood_of_streams(of, per_second, &scenario, &subject, &load)?);
            None
        }
        Of::Stun | Of::Dtls | Of::Srtp => {
            let front = webrtc::Front::opens(&mut subject)?;
            load.flood = Some(front.flood(of, per_second)?);
            load.calm_ms = CALM_MS;
            Some(front)
        }
    };
    let mut phases = settings.phases;
    if front.is_some() {
        // Memory has to be what a room takes before it can be more.
        phases.warm_up_ms = phases.warm_up_ms.max(CALM_MS);
    }
    let watched = subject.pid();
    let (outcome, (dumps, front)) = under_load(&mut load, phases, watched, |start_ns| {
        let mut attended =
            Attended { subject: &mut subject, front: front.as_mut(), report: FrontReport::default() };
        let dumps = attended.attend(phases, start_ns)?;
        let report = attended.report;
        Ok((dumps, front.map(|_| report)))
    })?;
    let loss_max = if front.is_some() { FRONT_LOSS_MAX } else { super::report::LOSS_MAX };
    Ok(FloodReport {
        scenario: scenario.name,
        subject: Kind::Worker(variant).name(),
        flood_packets_per_second: lossy(outcome.flooded) / (lossy(outcome.window_ns) / 1e9),
        latency_p50_us: quantile_us(&outcome.latency, 500),
        latency_p99_us: quantile_us(&outcome.latency, 990),
        dumps: dumps.count(),
        dump_p50_us: quantile_us(&dumps, 500),
        dump_max_us: quantile_us(&dumps, 1_000),
        loss: outcome.loss(),
        core_share: ratio(outcome.run_time.ran_ns, outcome.window_ns),
        waited_share: ratio(outcome.run_time.waited_ns, outcome.window_ns),
        generator_waited_share: ratio(outcome.own_run_time.waited_ns, outcome.window_ns),
        front,
        void: outcome.loss() > loss_max || outcome.flooded == 0,
    })
}

/// From the source without a stream, which is the last one.
fn flood_of_streams(
    of: Of,
    per_second: u64,
    scenario: &Scenario,
    subject: &WorkerProcess,
    load: &Load,
) -> io::Result<Flood> {
    let flooder = scenario.sources - 1;
    let flooded = subject.entrances().get(flooder).copied().ok_or(io::ErrorKind::NotFound)?;
    let socket = load.sources.socket(flooder)?;
    let flood = if of == Of::Rtcp {
        let ssrc = subject.last_ssrc().ok_or(io::ErrorKind::NotFound)?;
        Flood::of(socket, flooded, feedback_on(ssrc), per_second)
    } else {
        Flood::new(socket, flooded)
    };
    flood.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Who asks for things while the worker is flooded.
struct Attended<'a> {
    subject: &'a mut WorkerProcess,
    front: Option<&'a mut webrtc::Front>,
    report: FrontReport,
}

impl Attended<'_> {
    /// From the start to when streams have gone on for a while: how long dumps took in the window.
    fn attend(&mut self, phases: Phases, start_ns: u64) -> io::Result<Histogram> {
        let at = |ms: u64| start_ns + ms * 1_000_000;
        let window_at_ms = phases.warm_up_ms;
        self.wait_for_memory(at(window_at_ms.saturating_sub(DUMP_EVERY_MS)), |report| {
            &mut report.memory_before_kb
        })?;
        let mut dumps = Histogram::new();
        for number in 0..phases.window_ms / DUMP_EVERY_MS {
            self.subject.wait_until(at(window_at_ms + number * DUMP_EVERY_MS));
            dumps.record(u64::try_from(self.subject.dump_time()?.as_nanos()).unwrap_or(u64::MAX));
            let Some(front) = self.front.as_deref_mut() else { continue };
            front.probe.asks(REQUESTS_A_DUMP)?;
            if number.is_multiple_of(DUMPS_A_LOOK) {
                let memory_kb = process::memory(self.subject.pid())?.anonymous_kb;
                self.report.memory_highest_kb = self.report.memory_highest_kb.max(memory_kb);
            }
        }
        let calm_ns = at(window_at_ms + phases.window_ms + CALM_MS);
        self.wait_for_memory(calm_ns, |report| &mut report.memory_after_kb)?;
        if let Some(front) = self.front.as_deref_mut() {
            front.probe.hears()?;
            (self.report.asked, self.report.answered) = (front.probe.asked, front.probe.answered);
            if !front.is_undisturbed(self.subject)? {
                return Err(io::Error::other("a connected peer was lost in the flood"));
            }
        }
        Ok(dumps)
    }

    fn wait_for_memory(
        &mut self,
        at_ns: u64,
        into: impl FnOnce(&mut FrontReport) -> &mut u64,
    ) -> io::Result<()> {
        if self.front.is_some() {
            self.subject.wait_until(at_ns.max(clock::monotonic_ns()));
            *into(&mut self.report) = process::memory(self.subject.pid())?.anonymous_kb;
        }
        Ok(())
    }
}

/// Sixteen times: a sixteenth of all numbers as a NACK, twenty requests for a key frame, a report in which all is wrong,
/// and a sender report, a time and a goodbye of nobody.
fn feedback_on(media: u32) -> Vec<Vec<u8>> {
    let four = |part: u16| {
        let items = (0..NACK_ITEMS).map(|item| part * (NACK_ITEMS * 17) + item * 17);
        let items = items.flat_map(|first| [first.to_be_bytes(), [0xFF; 2]].concat()).collect::<Vec<u8>>();
        let words = (NACK_ITEMS + 2).to_be_bytes();
        let nack = [&[0x81, 205], &words[..], &1_u32.to_be_bytes(), &media.to_be_bytes(), &items].concat();
        let sequence = |request: u8| u8::try_from(part).unwrap_or(0).wrapping_mul(20).wrapping_add(request);
        let requests = (0..10).flat_map(|request| {
            [Rtcp::Pli { sender: 1, media }, Rtcp::Fir { sender: 1, media, sequence: sequence(request) }]
        });
        let block = Block {
            ssrc: media,
            fraction_lost: u8::MAX,
            cumulative_lost: 0x7F_FFFF,
            extended_highest: u32::MAX,
            jitter: u32::MAX,
            last_sr: u32::from(part) << 28,
            delay: u32::MAX,
        };
        let report = Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block; 31] };
        let (ntp, timestamp) = (u64::MAX / u64::from(part + 1), u32::MAX);
        let clocks = [
            Rtcp::SenderReport { ssrc: media, ntp, timestamp, packets: 0, bytes: 0, blocks: vec![block; 20] },
            Rtcp::ReferenceTime { ssrc: 1, ntp },
            Rtcp::Bye { ssrc: media },
        ];
        [nack, write(&requests.collect::<Vec<_>>()), write(&[report]), write(&clocks)]
    };
    (0..16).flat_map(four).collect()
}

const NACK_ITEMS: u16 = 240; // of 17 numbers each: a sixteenth of all
const DUMP_EVERY_MS: u64 = 100;
const REQUESTS_A_DUMP: u64 = 5;
const DUMPS_A_LOOK: u64 = 5;
/// Packet memory that nobody uses goes back after five seconds.
const CALM_MS: u64 = 9_000;
const FRONT_LOSS_MAX: f64 = 0.005;
