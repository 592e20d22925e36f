//! The command line.

use std::io;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use tidegate::SrtpCryptoSuite;
use tidegate_tests::gauge::flood::Of;
use tidegate_tests::gauge::scenario::Scenario;
use tidegate_tests::gauge::subject::{Kind, WorkerVariant};
use tidegate_tests::gauge::worker_bin;
use tidegate_tests::ideal::{SocketUse, Way};
use tidegate_tests::load::Phases;
use tidegate_tests::traffic::Traffic;

/// What forwarding costs: CPU, calls, latency and memory of the worker per packet, beside a featureless forwarder
/// ("ideal") on the same packets, interleaved in one run. Figures of different runs do not compare.
///
/// Exit codes: 0 when the figures count (be they good or bad), 2 when a row is void (more than 0.1 % of its packets
/// lost) or the yardstick is not valid, 1 when something failed.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One stream to many consumers.
    Fanout(Fanout),
    /// Five peers with a video and an audio each, all to all.
    Room5(Room),
    /// Four rooms whose only peer hears and sees its own three simulcast streams and audio.
    Echo4(Echo),
    /// One socket is flooded: what becomes of another stream, and of requests.
    Flood(Flood),
    /// Many transports and nothing to do.
    Idle(Idle),
    /// What SRTP costs a packet, beside OpenSSL's EVP.
    Srtp(Srtp),
    #[command(hide = true)]
    IdealForwarder,
    #[command(hide = true)]
    IdealSelfCheck,
}

#[derive(Debug, Args)]
pub(crate) struct Fanout {
    /// Numbers of consumers.
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,400", value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub(crate) n: Vec<u16>,
    /// Kinds of traffic; each number of consumers gets each of them.
    #[arg(long, value_delimiter = ',', default_value = "even,burst7,vp8-720p")]
    pub(crate) traffic: Vec<Video>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Fanout {
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let each = |traffic: &Video| {
            let traffic = traffic.traffic();
            self.n.iter().map(move |consumers| Scenario::fanout(usize::from(*consumers), traffic))
        };
        self.traffic.iter().flat_map(each).collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Room {
    /// Kinds of video.
    #[arg(long, value_delimiter = ',', default_value = "vp8-720p")]
    pub(crate) traffic: Vec<Video>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Room {
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        self.traffic.iter().map(|traffic| Scenario::room5(traffic.traffic())).collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Echo {
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Echo {
    #[expect(clippy::unused_self, reason = "the same shape as the other commands")]
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        vec![Scenario::echo4()]
    }
}

/// What all comparing commands take.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Seconds measured in each repeat (one second before it is warm-up).
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// Repeats of each subject, interleaved; the row shows medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeat: u32,
    /// Prints JSON instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// What to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "ideal,worker")]
    pub(crate) subjects: Vec<SubjectName>,
    /// The worker's moderated loop.
    #[arg(long, value_enum, default_value_t = Switch::Both)]
    pub(crate) moderation: Switch,
    /// The worker's padding of packets to equal size.
    #[arg(long, value_enum, default_value_t = OnOff::On)]
    pub(crate) padding: OnOff,
    /// Suites of SRTP under which the worker sends, each beside the same in clear and beside the cipher alone; what
    /// comes in is clear.
    #[arg(long, value_delimiter = ',', value_name = "SUITE")]
    pub(crate) srtp: Vec<SuiteName>,
    /// Sockets of the forwarder: one shared by all transports, or one each.
    #[arg(long, value_enum, default_value_t = SocketsName::Shared)]
    pub(crate) sockets: SocketsName,
    /// The most milliseconds by which the network before the worker delays a packet (random, without overtaking).
    #[arg(long, default_value_t = 0.0, value_name = "MS", value_parser = jitter)]
    pub(crate) jitter: f64,
    #[command(flatten)]
    pub(crate) worker: WorkerBin,
}

impl Common {
    /// All subjects, in the order in which they take turns.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        if self.subjects.contains(&SubjectName::Ideal) {
            kinds.extend(Way::ALL.map(Kind::Ideal));
        }
        if self.subjects.contains(&SubjectName::Worker) {
            let padding = self.padding == OnOff::On;
            for moderation in self.moderation.values() {
                let variant = WorkerVariant { padding, ..WorkerVariant::clear(*moderation) };
                kinds.push(Kind::Worker(variant));
                let suites = SrtpCryptoSuite::ALL.into_iter().filter(|suite| self.wants(*suite));
                kinds
                    .extend(suites.map(|suite| Kind::Worker(WorkerVariant { srtp: Some(suite), ..variant })));
            }
        }
        kinds
    }

    fn wants(&self, suite: SrtpCryptoSuite) -> bool {
        self.srtp.iter().any(|name| name.suite().is_none_or(|wanted| wanted == suite))
    }

    /// The worker's program; `None` when the worker is not measured.
    pub(crate) fn worker_bin(&self) -> io::Result<Option<PathBuf>> {
        let measured = self.subjects.contains(&SubjectName::Worker);
        measured.then(|| self.worker.find()).transpose()
    }

    pub(crate) const fn phases(&self) -> Phases {
        Phases { warm_up_ms: WARM_UP_MS, window_ms: self.seconds * 1_000 }
    }

    pub(crate) const fn sockets(&self) -> SocketUse {
        self.sockets.socket_use()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 1,000 milliseconds"
    )]
    pub(crate) const fn jitter_us(&self) -> u64 {
        (self.jitter * 1_000.0) as u64
    }
}

/// Where the worker's program is.
#[derive(Debug, Args)]
pub(crate) struct WorkerBin {
    /// The worker's program; without it, `cargo build --release -p tidegate-worker` makes it.
    #[arg(long, value_name = "PATH")]
    worker_bin: Option<PathBuf>,
}

impl WorkerBin {
    /// The one that was named, or one that is built now.
    pub(crate) fn find(&self) -> io::Result<PathBuf> {
        self.worker_bin.clone().map_or_else(worker_bin::build, Ok)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Flood {
    /// Seconds measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// What floods: media that nobody announced, as much as it can, beside one stream; or 50,000 datagrams a second beside a
    /// room: of feedback, or fake ones to a port of WebRTC.
    #[arg(long, value_enum, default_value_t = FloodOf::Rtp)]
    pub(crate) of: FloodOf,
    /// Datagrams a second, but of media; next to none shows what a busy machine alone does.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) per_second: u64,
    /// The worker's moderated loop.
    #[arg(long, value_enum, default_value_t = Switch::Both)]
    pub(crate) moderation: Switch,
    /// Prints JSON instead of sentences.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) worker: WorkerBin,
}

#[derive(Debug, Args)]
pub(crate) struct Idle {
    /// How many transports.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=50_000))]
    pub(crate) transports: u16,
    /// Transports of WebRTC, connected and on one port, whose peers ask for consent every five seconds.
    #[arg(long)]
    pub(crate) webrtc: bool,
    /// Seconds measured.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// Sockets of the worker: one shared by all transports, or one each.
    #[arg(long, value_enum, default_value_t = SocketsName::Own)]
    pub(crate) sockets: SocketsName,
    /// Prints JSON instead of a sentence.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) worker: WorkerBin,
}

#[derive(Debug, Args)]
pub(crate) struct Srtp {
    /// Rounds of 250 packets of each suite and length on each side, by turns; rows show medians.
    #[arg(long, default_value_t = 801, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) rounds: u16,
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Video {
    Even,
    Burst7,
    #[value(name = "vp8-720p")]
    Vp8,
    #[value(name = "h264-720p")]
    H264,
    #[value(name = "vp9-720p")]
    Vp9,
}

impl Video {
    const fn traffic(self) -> Traffic {
        match self {
            Self::Even => Traffic::Even,
            Self::Burst7 => Traffic::Burst7,
            Self::Vp8 => Traffic::Vp8,
            Self::H264 => Traffic::H264,
            Self::Vp9 => Traffic::Vp9,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SubjectName {
    Ideal,
    Worker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SuiteName {
    All,
    #[value(name = "AEAD_AES_256_GCM")]
    Gcm256,
    #[value(name = "AEAD_AES_128_GCM")]
    Gcm128,
    #[value(name = "AES_CM_128_HMAC_SHA1_80")]
    Cm80,
    #[value(name = "AES_CM_128_HMAC_SHA1_32")]
    Cm32,
}

impl SuiteName {
    /// `None` is all of them.
    const fn suite(self) -> Option<SrtpCryptoSuite> {
        match self {
            Self::All => None,
            Self::Gcm256 => Some(SrtpCryptoSuite::AeadAes256Gcm),
            Self::Gcm128 => Some(SrtpCryptoSuite::AeadAes128Gcm),
            Self::Cm80 => Some(SrtpCryptoSuite::AesCm128HmacSha1_80),
            Self::Cm32 => Some(SrtpCryptoSuite::AesCm128HmacSha1_32),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FloodOf {
    Rtp,
    Rtcp,
    Stun,
    Dtls,
    Srtp,
}

impl FloodOf {
    pub(crate) const fn flood(self) -> Of {
        match self {
            Self::Rtp => Of::Rtp,
            Self::Rtcp => Of::Rtcp,
            Self::Stun => Of::Stun,
            Self::Dtls => Of::Dtls,
            Self::Srtp => Of::Srtp,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SocketsName {
    Shared,
    Own,
}

impl SocketsName {
    pub(crate) const fn socket_use(self) -> SocketUse {
        match self {
            Self::Shared => SocketUse::Shared,
            Self::Own => SocketUse::Own,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
    Both,
}

impl Switch {
    pub(crate) const fn values(self) -> &'static [bool] {
        match self {
            Self::On => &[true],
            Self::Off => &[false],
            Self::Both => &[true, false],
        }
    }
}

fn jitter(text: &str) -> Result<f64, String> {
    let in_range = text.parse().ok().filter(|jitter| (0.0..=1_000.0).contains(jitter));
    in_range.ok_or_else(|| "give milliseconds from 0 to 1000".to_owned())
}

const WARM_UP_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_number_gets_every_traffic() {
        let arguments = ["bench", "fanout", "--n", "1,10", "--traffic", "even,vp8-720p", "--jitter", "2.5"];
        let Command::Fanout(fanout) = Arguments::parse_from(arguments).command else {
            panic!("not a fanout")
        };
        let names: Vec<String> = fanout.scenarios().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["fanout 1, even", "fanout 10, even", "fanout 1, vp8-720p", "fanout 10, vp8-720p"]);
        assert_eq!(fanout.common.jitter_us(), 2_500);
        assert_eq!(fanout.common.kinds().len(), 5);
    }

    #[test]
    fn every_suite_stands_beside_the_clear() {
        for (srtp, subjects) in [("AES_CM_128_HMAC_SHA1_32", 2), ("all", 5)] {
            let arguments = ["bench", "fanout", "--subjects", "worker", "--moderation", "on", "--srtp", srtp];
            let Command::Fanout(fanout) = Arguments::parse_from(arguments).command else {
                panic!("not a fanout")
            };
            let kinds = fanout.common.kinds();
            assert_eq!((kinds.len(), kinds[0]), (subjects, Kind::Worker(WorkerVariant::clear(true))));
            assert_eq!(kinds[subjects - 1].name(), "worker CM 32");
        }
    }
}
