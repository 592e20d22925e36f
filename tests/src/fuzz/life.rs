//! One worker's life: greeting, steps, an end with an exit code to expect.
//!
//! Knows what a worker promises on its pipe and checks it after every message. Called by the run; `endings` and
//! `unread` are its other parts.
//! Invariant: every frame that holds a request is answered once, in the order of sending.

use std::collections::VecDeque;
use std::io;
use std::net::UdpSocket;

use tidegate_protocol::codec::{decode, request_id};
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, ToWorker};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;

use super::child::{RawWorker, Wiring, WorkerProgram};
use super::commands::{self, Expect, Surroundings};
use super::model::Model;
use super::report::Report;
use super::{Dice, endings, mutate, traffic, unread};
use crate::{clock, process};

/// A broken promise.
pub type Broken = String;

/// A worker under way.
#[derive(Debug)]
pub struct Life<'a> {
    /// The process and our end of its pipe.
    pub worker: RawWorker,
    /// All choices.
    pub dice: Dice,
    /// What was seen so far, in all lives.
    pub report: &'a mut Report,
    /// How far this life is.
    pub step: u64,
    /// The worker's last message but events: closing brings some behind the last words.
    pub last_message: Option<FromWorker>,
    /// The last good answer.
    pub last_reply: Option<Reply>,
    cut_off: bool,
    model: Model,
    pending: VecDeque<Pending>,
    last_request: u64,
    peer: UdpSocket,
    around: Surroundings,
    _taken: UdpSocket,
}

#[derive(Debug)]
struct Pending {
    id: RequestId,
    expect: Expect,
    command: Option<Command>,
}

/// Lives life `number` of the run with `seed`; a broken promise comes with the step at which it was seen.
pub fn live(
    program: &WorkerProgram,
    seed: u64,
    number: u64,
    report: &mut Report,
) -> Result<(), (u64, Broken)> {
    let mut dice = Dice::new(seed, number);
    report.workers += 1;
    match number {
        0 => return endings::refused_starts(program, report).map_err(|what| (0, what)),
        1 => return endings::without_files(program, dice, report).map_err(|what| (0, what)),
        _ => {}
    }
    let mut settings = vec!["--packet-memory-limit=4194304"];
    settings.extend(dice.pick(&["--log-level=debug", "--log-level=warn", "--batch-interval-us=0"]));
    let wiring = if dice.chance(80) { Wiring::Pipes } else { Wiring::Socket };
    let worker = program.spawn(wiring, &settings).map_err(|error| (0, error.to_string()))?;
    let mut life = Life::new(worker, dice, report).map_err(|error| (0, error.to_string()))?;
    life.whole().map_err(|what| (life.step, format!("{what}{}", life.last_words())))
}

impl<'a> Life<'a> {
    /// A life with a worker that has just been started.
    ///
    /// # Errors
    /// No sockets are to be had.
    pub fn new(worker: RawWorker, dice: Dice, report: &'a mut Report) -> io::Result<Self> {
        let peer = UdpSocket::bind("127.0.0.1:0")?;
        let taken = UdpSocket::bind("127.0.0.1:0")?;
        peer.set_nonblocking(true)?;
        let around = Surroundings { peer: peer.local_addr()?, taken_port: taken.local_addr()?.port() };
        Ok(Self {
            worker,
            dice,
            report,
            step: 0,
            last_message: None,
            last_reply: None,
            cut_off: false,
            model: Model::default(),
            pending: VecDeque::new(),
            last_request: 0,
            peer,
            around,
            _taken: taken,
        })
    }

    fn whole(&mut self) -> Result<(), Broken> {
        self.greeting()?;
        if self.dice.chance(5) {
            self.refused_before_greeting()?;
        }
        self.worker.host.greet();
        if self.dice.chance(10) {
            return unread::run(self);
        }
        for _ in 0..20 + self.dice.below(STEPS_MAX) {
            self.step += 1;
            self.take_step()?;
            self.move_bytes(0)?;
        }
        self.look_at_memory()?;
        endings::any(self)
    }

    /// Waits for the worker's greeting.
    pub fn greeting(&mut self) -> Result<(), Broken> {
        let hello = self.next_message("its greeting")?;
        let pid = self.worker.pid();
        match hello {
            FromWorker::Hello(hello) if hello.pid == pid => Ok(()),
            other => Err(format!("the first message of worker {pid} is {other:?}")),
        }
    }

    /// Requests without a greeting are refused, not lost.
    fn refused_before_greeting(&mut self) -> Result<(), Broken> {
        self.request(Command::DumpWorker, Expect::Refused(ErrorKind::InvalidState));
        self.settle()
    }

    fn take_step(&mut self) -> Result<(), Broken> {
        match self.dice.below(100) {
            0..60 => {
                let (command, expect) = commands::draw(&mut self.model, &mut self.dice, self.around);
                self.request(command, expect);
            }
            60..72 => self.send_mutated(),
            72..76 => self.send_noise(),
            76..90 => {
                let count = self.dice.below(100);
                self.report.datagrams += traffic::send(&self.model, &self.peer, &mut self.dice, count);
            }
            90..95 => {
                let chunk = *self.dice.pick(&[1, 2, 7]).unwrap_or(&1);
                self.worker.host.write_slowly(chunk, SLOW_BYTES);
            }
            _ => self.settle()?,
        }
        if self.pending.len() > PENDING_MAX {
            self.settle()?;
        }
        if self.step.is_multiple_of(64) { self.look_at_memory() } else { Ok(()) }
    }

    /// Queues a request.
    pub fn request(&mut self, command: Command, expect: Expect) {
        let id = self.next_id();
        self.worker.host.queue(&ToWorker::Request { id, command: command.clone() });
        self.expect_answer(Pending { id, expect, command: Some(command) });
    }

    fn next_id(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    fn send_mutated(&mut self) {
        let (command, _) = commands::draw(&mut self.model, &mut self.dice, self.around);
        let id = self.next_id();
        let content = mutate::mutated(id, command, &mut self.dice);
        self.send_content(&content);
    }

    fn send_noise(&mut self) {
        let id = self.next_id();
        let content = mutate::noise(id, &mut self.dice);
        self.send_content(&content);
    }

    /// Sends any content and expects what its decoding says: the codec is the worker's own.
    pub fn send_content(&mut self, content: &[u8]) {
        let pending = match decode::<ToWorker>(content) {
            // The end of a life is not left to chance.
            Ok(ToWorker::HelloReply(_) | ToWorker::Request { command: Command::CloseWorker, .. }) => return,
            Ok(ToWorker::Request { id, command }) => {
                Pending { id, expect: Expect::Any, command: Some(command) }
            }
            Err(_) => {
                let expect = Expect::Refused(ErrorKind::Malformed);
                Pending { id: request_id(content), expect, command: None }
            }
        };
        self.worker.host.queue_content(content);
        self.expect_answer(pending);
    }

    fn expect_answer(&mut self, pending: Pending) {
        if let Some(command) = &pending.command {
            self.model.on_sent(command);
        }
        self.report.requests += 1;
        self.pending.push_back(pending);
    }

    /// Waits until everything is written and answered.
    pub fn settle(&mut self) -> Result<(), Broken> {
        let mut patience = Patience::new();
        while !self.pending.is_empty() || self.worker.host.unwritten() > 0 {
            let moved = self.move_bytes(POLL_MS)?;
            if self.worker.host.has_ended() {
                let (left, next) = (self.pending.len(), self.pending.front());
                return Err(format!(
                    "the worker ended with {left} requests not answered, the first {next:?}"
                ));
            }
            if !patience.lasts(moved) {
                let (left, next) = (self.pending.len(), self.pending.front());
                return Err(format!(
                    "a hang: nothing for 5 s with {left} requests not answered, the first {next:?}"
                ));
            }
        }
        Ok(())
    }

    /// From now on answers may be missing: the end comes in the middle of them.
    pub fn cut_answers_off(&mut self) {
        self.cut_off = true;
    }

    /// Moves bytes both ways and checks what came. Whether anything moved.
    pub fn move_bytes(&mut self, timeout_ms: u16) -> Result<bool, Broken> {
        let moved = self.worker.host.pump(timeout_ms).map_err(|error| format!("pipe: {error}"))?;
        while let Some(message) = self.worker.host.next_message()? {
            self.check(message)?;
        }
        Ok(moved.read > 0 || moved.written > 0)
    }

    /// Sends datagrams to the worker's sockets.
    pub fn flood(&mut self, count: usize) {
        self.report.datagrams += traffic::send(&self.model, &self.peer, &mut self.dice, count);
    }

    fn next_message(&mut self, what: &str) -> Result<FromWorker, Broken> {
        let mut patience = Patience::new();
        loop {
            if let Some(message) = self.worker.host.next_message()? {
                return Ok(message);
            }
            let moved = self.worker.host.pump(POLL_MS).map_err(|error| format!("pipe: {error}"))?;
            if self.worker.host.has_ended() {
                return Err(format!("the worker ended before {what}"));
            }
            if !patience.lasts(moved.read > 0) {
                return Err(format!("a hang: {what} did not come within 5 s"));
            }
        }
    }

    fn check(&mut self, message: FromWorker) -> Result<(), Broken> {
        if !matches!(message, FromWorker::Event(_)) {
            self.last_message = Some(message.clone());
        }
        match message {
            FromWorker::Response { id, result } => return self.check_answer(id, result),
            FromWorker::Event(event) => {
                // With answers cut off, the one that told of it may be among them.
                let unknown =
                    event.entity().filter(|entity| !self.cut_off && !self.model.was_created(*entity));
                if let Some(entity) = unknown {
                    return Err(format!("{event:?} came before the answer that created {entity:?}"));
                }
            }
            FromWorker::Log { text, .. } if text.contains("defect") => return Err(format!("logged: {text}")),
            FromWorker::Log { .. } => {}
            FromWorker::Hello(_) => return Err("a second greeting".to_owned()),
        }
        self.report.unasked += 1;
        Ok(())
    }

    fn check_answer(&mut self, id: RequestId, result: Result<Reply, CommandError>) -> Result<(), Broken> {
        let Some(pending) = self.pending.pop_front() else {
            return Err(format!("an answer nobody asked for: {id:?} {result:?}"));
        };
        let Pending { id: wanted, expect, command } = pending;
        if id != wanted {
            return Err(format!(
                "the answer to {id:?} came where that to {wanted:?} {command:?} was due: {result:?}"
            ));
        }
        let kind = result.as_ref().err().map(|error| error.kind);
        let fits = match expect {
            Expect::Good => kind.is_none(),
            Expect::Refused(wanted) => kind == Some(wanted),
            Expect::Any => kind != Some(ErrorKind::Internal),
        };
        if !fits {
            return Err(format!("{command:?} had to be answered {expect:?} and was {result:?}"));
        }
        match (result, command) {
            (Ok(reply), command) => {
                self.note_reply(&reply, command.as_ref())?;
                self.last_reply = Some(reply);
            }
            (Err(error), _) => *self.report.errors.entry(error.kind).or_default() += 1,
        }
        Ok(())
    }

    fn note_reply(&mut self, reply: &Reply, command: Option<&Command>) -> Result<(), Broken> {
        self.report.answered_ok += 1;
        if let Some(command) = command {
            self.model.on_reply(command, reply);
        }
        match reply {
            Reply::WorkerDump(dump) if dump.panics_contained > 0 => {
                Err(format!("{} panics were contained", dump.panics_contained))
            }
            _ => Ok(()),
        }
    }

    /// The worker must stay small whatever it is given.
    pub fn look_at_memory(&mut self) -> Result<(), Broken> {
        // A worker that ended meanwhile has no memory to look at; why it ended is found elsewhere.
        let Ok(memory) = process::memory(self.worker.pid()) else { return Ok(()) };
        self.report.resident_kb_max = self.report.resident_kb_max.max(memory.resident_kb);
        if memory.resident_kb > RESIDENT_KB_MAX {
            return Err(format!("{} kB resident, more than {RESIDENT_KB_MAX}", memory.resident_kb));
        }
        Ok(())
    }

    fn last_words(&mut self) -> String {
        // Only a process that has ended has closed its stderr.
        match self.worker.wait(100) {
            Ok(Some(ended)) => {
                format!("; the worker ended by {ended}; stderr: {:?}", self.worker.last_words())
            }
            _ => String::new(),
        }
    }
}

/// Lasts while something happens, and 5 s longer.
#[derive(Debug)]
pub struct Patience {
    give_up_ns: u64,
}

impl Patience {
    /// Begins now.
    #[expect(clippy::new_without_default, reason = "it reads the clock")]
    pub fn new() -> Self {
        Self { give_up_ns: clock::monotonic_ns() + WATCHDOG_NS }
    }

    /// Whether to wait on, `moved` saying that something happened.
    pub fn lasts(&mut self, moved: bool) -> bool {
        let now_ns = clock::monotonic_ns();
        if moved {
            self.give_up_ns = now_ns + WATCHDOG_NS;
        }
        now_ns < self.give_up_ns
    }
}

/// Between looks at the worker while we wait for it.
pub const POLL_MS: u16 = 50;
const WATCHDOG_NS: u64 = 5_000_000_000;
/// A few requests' worth.
const SLOW_BYTES: usize = 1_000;
const STEPS_MAX: usize = 1_000;
const PENDING_MAX: usize = 200;
/// Packet memory of 4 MiB, a frame of 4 MiB and its decoding, output that waits, the program itself.
const RESIDENT_KB_MAX: u64 = 64 << 10;
