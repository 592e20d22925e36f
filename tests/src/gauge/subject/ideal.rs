//! Starts the ideal forwarder: this program again, with a hidden subcommand, and JSON lines on its pipes.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Counts, Peers, Subject};
use crate::clock;
use crate::gauge::scenario::Scenario;
use crate::ideal::{Counters, Plan, Ready, Route, Stream, Way};

/// The subcommand under which the benchmark program is a forwarder.
pub const FORWARDER: &str = "ideal-forwarder";
/// The subcommand under which it is the self-check.
pub const SELF_CHECK: &str = "ideal-self-check";

/// An ideal forwarder.
#[derive(Debug)]
pub struct IdealProcess {
    helper: Helper,
    entrances: Vec<SocketAddr>,
}

impl IdealProcess {
    /// Starts it.
    ///
    /// # Errors
    /// The process cannot be started, or a sink is not on IPv4.
    pub fn start(way: Way, scenario: &Scenario, peers: &Peers) -> io::Result<Self> {
        let mut helper = Helper::start(FORWARDER)?;
        let ready: Ready = helper.ask(&plan(way, scenario, peers)?)?;
        let entrances = ready.addresses.get(..scenario.sources).ok_or(io::ErrorKind::InvalidData)?.to_vec();
        Ok(Self { helper, entrances })
    }

    fn counters(&mut self) -> io::Result<Counters> {
        self.helper.ask(&())
    }
}

impl Subject for IdealProcess {
    fn pid(&self) -> u32 {
        self.helper.pid()
    }

    fn entrances(&self) -> &[SocketAddr] {
        &self.entrances
    }

    fn counts(&mut self) -> io::Result<Counts> {
        let Counters { wakeups, sent, messages, send_calls, .. } = self.counters()?;
        Ok(Counts { sent, messages, send_calls, wakeups })
    }

    fn wait_until(&mut self, monotonic_ns: u64) {
        clock::sleep_until(monotonic_ns);
    }
}

/// Transports are numbered: first one for each source, then one for each sink.
fn plan(way: Way, scenario: &Scenario, peers: &Peers) -> io::Result<Plan> {
    let route = |(number, route): (u32, &crate::gauge::scenario::Route)| match peers.sinks.get(route.sink) {
        Some(SocketAddr::V4(to)) => {
            let transport = scenario.sources + route.sink;
            Ok(Route { transport, to: *to, ssrc: FIRST_SSRC + number })
        }
        _ => Err(io::Error::other("the ideal forwarder sends to IPv4 sinks only")),
    };
    let stream = |(index, stream): (usize, &crate::load::StreamPlan)| {
        let routes = (0..).zip(&scenario.routes).filter(|(_, route)| route.stream == index);
        let routes = routes.map(route).collect::<io::Result<_>>()?;
        Ok(Stream { ssrc: stream.ssrc, video: stream.codec().is_video(), routes })
    };
    Ok(Plan {
        way,
        sockets: peers.sockets,
        transports: scenario.sources + scenario.sinks,
        streams: scenario.streams.iter().enumerate().map(stream).collect::<io::Result<_>>()?,
    })
}

/// This program again, as something else; it ends when its standard input does.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    /// `None` once it was closed.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts it under a subcommand.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(subcommand: &str) -> io::Result<Self> {
        let mut command = Command::new(program()?);
        command.arg(subcommand).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let pipe = || io::Error::other("the helper process has no pipe");
        let questions = child.stdin.take().ok_or_else(pipe)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(pipe)?);
        Ok(Self { child, questions: Some(questions), answers })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says something without waiting for the answer.
    ///
    /// # Errors
    /// The process is gone.
    pub fn tell(&mut self, question: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        self.questions.as_ref().ok_or(io::ErrorKind::BrokenPipe)?.write_all(&line)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// The process is gone, or its answer is not of this kind.
    pub fn answer<A: DeserializeOwned>(&mut self) -> io::Result<A> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the helper process has ended"));
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// As [`Self::tell`] and [`Self::answer`].
    pub fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> io::Result<A> {
        self.tell(question)?;
        self.answer()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.questions = None;
        // It ends by itself; what it returns does not matter any more.
        let _ = self.child.wait();
    }
}

fn program() -> io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

const FIRST_SSRC: u32 = 0x2000_0000; // apart from the sources'
