//! What a flood on one socket does to everybody else: the latency of other streams, and how soon a dump is answered.
//!
//! The flooding peer is the known one of a transport of its own, and sends 64 packets a call. Of RTP it sends an SSRC that
//! nobody announced, in every moment that the other stream leaves free; the worker reads, parses and refuses all of it.
//! Of RTCP it sends feedback on a stream that it gets, 50,000 datagrams a second beside a room: NACKs of all numbers that
//! there are, key frame requests, reports that lie, and what nobody asked for.

use std::io;

use serde::Serialize;

use super::report::quantile_us;
use super::run::{PeerSockets, Settings, under_load};
use super::scenario::Scenario;
use super::subject::{Kind, Subject, WorkerProcess, WorkerVariant};
use crate::load::{Flood, lossy, ratio};
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
    /// Whether the figures do not count: the other stream lost more than 0.1 %, or nothing was flooded.
    pub void: bool,
}

/// Floods a worker.
///
/// # Errors
/// The worker cannot be started, ends early, or a socket fails.
pub fn measure(of: Of, variant: WorkerVariant, settings: &Settings) -> io::Result<FloodReport> {
    let scenario = match of {
        Of::Rtp => Scenario::flood(),
        Of::Rtcp => Scenario::flooded_room(),
    };
    // The source without a stream is the last one.
    let flooder = scenario.sources - 1;
    let sockets = PeerSockets::open(&scenario)?;
    let mut subject = WorkerProcess::start(variant, &scenario, &sockets.peers(settings)?)?;
    process::pin(subject.pid(), settings.cores.subject)?;
    let flooded = subject.entrances().get(flooder).copied().ok_or(io::ErrorKind::NotFound)?;
    let mut load = sockets.load(&scenario, subject.entrances(), settings)?;
    let socket = load.sources.socket(flooder)?;
    let flood = match of {
        Of::Rtp => Flood::new(socket, flooded),
        Of::Rtcp => {
            let ssrc = subject.last_ssrc().ok_or(io::ErrorKind::NotFound)?;
            Flood::of(socket, flooded, feedback_on(ssrc), RTCP_PER_SECOND)
        }
    };
    load.flood = Some(flood.ok_or(io::ErrorKind::Unsupported)?);
    let phases = settings.phases;
    let watched = subject.pid();
    let (outcome, dumps) = under_load(&mut load, phases, watched, |start_ns| {
        let mut dumps = Histogram::new();
        let dumps_in_window = phases.window_ms / DUMP_EVERY_MS;
        for number in 0..dumps_in_window {
            subject.wait_until(start_ns + (phases.warm_up_ms + number * DUMP_EVERY_MS) * 1_000_000);
            dumps.record(u64::try_from(subject.dump_time()?.as_nanos()).unwrap_or(u64::MAX));
        }
        Ok(dumps)
    })?;
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
        void: outcome.loss() > super::report::LOSS_MAX || outcome.flooded == 0,
    })
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
const RTCP_PER_SECOND: u64 = 50_000;
const DUMP_EVERY_MS: u64 = 100;
