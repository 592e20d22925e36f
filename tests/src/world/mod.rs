//! A whole worker on a virtual clock over a simulated network, and the peers around it.
//!
//! [`World`] drives the worker exactly as its event loop does: requests and datagrams, what is due, the end of the
//! turn. It knows the worker's edges (requests in, messages out, datagrams both ways) and nothing of its inside; what
//! arrives at peers is read by readers of their own ([`rtp`], [`rtcp`]), so that a defect in the worker's wire code
//! cannot hide itself.
//!
//! Invariants, checked after every turn: no panic was contained, packet memory stays below its limit, nothing is left
//! unsent or undone, everything sent can be read. Every `AUDIT_EVERY` turns and at the end: all that the worker's
//! tables say of one another is true and every packet is accounted for ([`World::audit`]). When a world ends: after all
//! is closed no packet, no byte and no socket is held.

mod actors;
pub mod clock;
mod flights;
pub mod host;
pub mod network;
pub mod parameters;
pub mod path;
mod payload;
pub mod peer;
mod pipe;
pub mod rtcp;
pub mod rtp;
pub mod run;
pub mod secured;
pub mod sink;
mod slots;
mod sockets;
pub mod source;
pub mod voice;
pub mod webrtc;
pub mod wide;

use std::cell::Cell;
use std::time::Duration;

use tidegate_protocol::error::CommandError;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, LogLevel, LogTag};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_worker::base::pool::{Pool, PoolStats};
use tidegate_worker::base::time::Time;
use tidegate_worker::outbox::{LogSettings, Outbox};
use tidegate_worker::random::Random;
use tidegate_worker::turn::{Ntp, Turn};
use tidegate_worker::worker::{Worker, WorkerSettings};

use crate::scenarios::Tally;
use actors::Actors;
pub use actors::{SinkId, SourceId};
use clock::VirtualClock;
use network::SimulatedNetwork;
use pipe::Pipe;

/// One worker and all that surrounds it.
#[derive(Debug)]
pub struct World {
    /// Sockets and whoever is behind them.
    pub network: SimulatedNetwork,
    worker: Worker,
    pool: Pool,
    outbox: Outbox,
    random: Random,
    clock: VirtualClock,
    last_id: u64,
    last_request: u64,
    said: Vec<FromWorker>,
    actors: Actors,
    pipe: Option<Pipe>,
    batch_interval: Duration,
    dice: Random,
    tally: Tally,
}

/// What a world begins with.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    /// The worker's settings.
    pub settings: WorkerSettings,
    /// The most that packets may take.
    pub packet_memory_limit_bytes: usize,
    /// Seconds since 1900 when the world begins.
    pub wall_seconds: u32,
    /// Where all random numbers come from.
    pub seed: u64,
    /// How long the worker lets datagrams gather after the first one, as its event loop may (`--batch-interval`).
    pub batch_interval: Duration,
    /// Whether requests and answers pass as frames over a pipe, in pieces. Then a request takes as many turns as its
    /// pieces need, and events come when the host has read them.
    pub pipe: bool,
}

/// A line of the worker's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How grave.
    pub level: LogLevel,
    /// Of what part.
    pub tag: LogTag,
    /// The line.
    pub text: String,
}

impl Beginning {
    /// With default settings, and this seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }
}

impl Default for Beginning {
    fn default() -> Self {
        Self {
            settings: WorkerSettings::default(),
            packet_memory_limit_bytes: 128 << 20,
            wall_seconds: 3_900_000_000,
            seed: 1,
            batch_interval: Duration::ZERO,
            pipe: false,
        }
    }
}

impl World {
    /// A worker with default settings.
    pub fn new() -> Self {
        Self::from(Beginning::default())
    }

    /// A worker that begins otherwise.
    pub fn from(beginning: Beginning) -> Self {
        let mut random = Random::from_seed(seed_bytes(beginning.seed));
        let mut dice = Random::from_seed(seed_bytes(!beginning.seed));
        let log = LogSettings { level: LogLevel::Warn, tags: 0 };
        let clock = VirtualClock::new(Ntp(u64::from(beginning.wall_seconds) << 32));
        let mut network = SimulatedNetwork::new(network::fork(&mut dice));
        network.now = clock.now();
        Self {
            network,
            worker: Worker::new(beginning.settings, &mut random),
            pool: Pool::new(beginning.packet_memory_limit_bytes),
            outbox: Outbox::new(random.hasher(), log),
            random,
            clock,
            last_id: 0,
            last_request: 0,
            said: Vec::new(),
            actors: Actors::default(),
            pipe: beginning.pipe.then(|| Pipe::new(network::fork(&mut dice))),
            batch_interval: beginning.batch_interval,
            dice,
            tally: Tally::default(),
        }
    }

    /// The worker's time.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The wall's time, as NTP.
    pub fn wall(&self) -> u64 {
        self.clock.wall().0
    }

    /// Milliseconds since the world began.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_millis()).expect("a short test")
    }

    /// Asks the worker for something, in a turn of its own.
    ///
    /// # Errors
    /// What the worker answered.
    pub fn request(&mut self, command: Command) -> Result<Reply, CommandError> {
        let id = self.ask(command);
        match self.said.remove(self.answer_to(id).expect("each request is answered")) {
            FromWorker::Response { result, .. } => result,
            other => unreachable!("{other:?}"),
        }
    }

    /// Several requests in one turn, as from a host that does not wait; everything the worker said, in order.
    pub fn requests(&mut self, commands: impl IntoIterator<Item = Command>) -> Vec<FromWorker> {
        let first = self.said.len();
        let commands: Vec<_> = commands.into_iter().map(|command| (self.next_request(), command)).collect();
        let Some((last, _)) = commands.last() else { return Vec::new() };
        let last = *last;
        if let Some(pipe) = &mut self.pipe {
            commands.into_iter().for_each(|(id, command)| pipe.ask(id, command));
            self.turns_until_answered(last);
        } else {
            self.turn(|worker, turn| {
                commands.into_iter().for_each(|(id, command)| worker.on_request(id, command, turn));
            });
        }
        self.said.split_off(first)
    }

    /// Lets the worker receive what waits for it, all in one turn, at this moment.
    pub fn receive(&mut self) {
        self.turn(|_, _| ());
    }

    /// Lets the worker receive what waits for it and then, in the same turn, a request, which must be done. (Over a pipe:
    /// in a later turn.)
    pub fn receive_then(&mut self, command: Command) {
        let id = if self.pipe.is_some() {
            self.receive();
            self.ask(command)
        } else {
            let id = self.next_request();
            self.whole_turn(|_, _| (), usize::MAX, |worker, turn| worker.on_request(id, command, turn));
            id
        };
        let answer = self.answer_to(id).and_then(|at| self.said.get(at));
        let done = matches!(answer, Some(FromWorker::Response { result: Ok(_), .. }));
        assert!(done, "the request was refused: {answer:?}");
    }

    /// Takes what the worker told since the last time.
    pub fn take_events(&mut self) -> Vec<Event> {
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| !pipe.is_quiet()) {
            pipe.host_reads_all(&mut self.said);
            self.receive();
        }
        let said = std::mem::take(&mut self.said).into_iter();
        let events = said.filter_map(|message| match message {
            FromWorker::Event(event) => Some(event),
            FromWorker::Log { level: LogLevel::Error, text, .. } => panic!("the worker logged: {text}"),
            _ => None,
        });
        events.collect()
    }

    /// Takes the lines that the worker logged since the last time, and leaves what else it told.
    pub fn take_log(&mut self) -> Vec<LogLine> {
        let said = std::mem::take(&mut self.said);
        let mut lines = Vec::new();
        for message in said {
            match message {
                FromWorker::Log { level, tag, text } => {
                    lines.push(LogLine { level, tag, text: text.to_string() });
                }
                other => self.said.push(other),
            }
        }
        lines
    }

    /// Whether the worker wants to be called again without anything happening.
    pub fn has_timers(&self) -> bool {
        self.worker.next_deadline().is_some()
    }

    /// The state of packet memory.
    pub fn pool(&self) -> PoolStats {
        self.pool.stats()
    }

    /// Packet buffers in use.
    pub fn packets_in_use(&self) -> usize {
        self.pool.in_use()
    }

    /// Bytes held against the packet memory limit.
    pub fn held_bytes(&self) -> usize {
        self.pool.held_bytes()
    }

    /// How much was done so far.
    pub fn tally(&self) -> Tally {
        Tally {
            invariant_checks: self.tally.invariant_checks + self.actors.checks(),
            virtual_ms: self.elapsed_ms(),
            packet_operations: self.network.packet_operations(),
            ..self.tally
        }
    }

    /// How often promises of the worker were looked at, by audits and after turns; not those of its peers.
    pub fn turn_checks(&self) -> u64 {
        self.tally.invariant_checks
    }

    /// Names and numbers of requests go on from `number`, so that they pass an edge soon.
    pub fn count_from(&mut self, number: u64) {
        (self.last_id, self.last_request) = (self.last_id.max(number), self.last_request.max(number));
    }

    /// Ends the world: closes everything, checks that nothing is left, and says how much was done.
    pub fn finish(mut self) -> Tally {
        self.end();
        self.tally
    }

    /// Asks for something and lets the worker take as many turns as the answer needs.
    fn ask(&mut self, command: Command) -> RequestId {
        let id = self.next_request();
        if let Some(pipe) = &mut self.pipe {
            pipe.ask(id, command);
            self.turns_until_answered(id);
        } else {
            self.turn(|worker, turn| worker.on_request(id, command, turn));
        }
        id
    }

    fn next_request(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    fn turns_until_answered(&mut self, id: RequestId) {
        for _ in 0..TURNS_TO_ANSWER {
            self.receive();
            if self.answer_to(id).is_some() {
                return;
            }
        }
        panic!("{id:?} was not answered within {TURNS_TO_ANSWER} turns");
    }

    /// Where the answer to a request is, if it was heard.
    fn answer_to(&self, id: RequestId) -> Option<usize> {
        let answers =
            |message: &FromWorker| matches!(message, FromWorker::Response { id: of, .. } if *of == id);
        self.said.iter().rposition(answers)
    }

    /// Closes everything, as at the end of the process, and checks that nothing is left.
    fn end(&mut self) {
        self.audit();
        self.turn(|worker, turn| worker.close(turn));
        self.audit();
        assert_eq!(self.pool.in_use(), 0, "packets are held after everything was closed");
        assert_eq!(self.pool.stats().charged_bytes, 0, "bytes are charged after everything was closed");
        assert_eq!(self.network.open_sockets(), 0, "sockets are open after everything was closed");
        self.tally.invariant_checks += 3;
        self.tally.invariant_checks += self.actors.checks();
        self.tally.virtual_ms = self.elapsed_ms();
        self.tally.packet_operations = self.network.packet_operations();
    }

    /// One turn of the event loop: `input`, what arrived, what is due, the end of the turn.
    fn turn(&mut self, input: impl FnOnce(&mut Worker, &mut Turn<'_>)) {
        self.whole_turn(input, usize::MAX, |_, _| ());
    }

    /// A turn that reads no more datagrams than this.
    fn turn_of_at_most(&mut self, datagrams: usize) {
        self.whole_turn(|_, _| (), datagrams, |_, _| ());
    }

    /// A turn with something that comes after what arrived.
    fn whole_turn(
        &mut self,
        input: impl FnOnce(&mut Worker, &mut Turn<'_>),
        datagrams: usize,
        later: impl FnOnce(&mut Worker, &mut Turn<'_>),
    ) {
        let Self { network, worker, pool, outbox, random, clock, actors, pipe, .. } = self;
        let (now, wall) = (clock.now(), clock.wall());
        self.tally.turns += 1;
        let mut turn = Turn { now, wall, pool, outbox, network, random };
        input(worker, &mut turn);
        if let Some(pipe) = pipe {
            pipe.read_requests(worker, &mut turn);
        }
        for _ in 0..datagrams {
            let Some((datagram, tag)) = network.receive(pool) else { break };
            worker.on_datagram(datagram, &mut Turn { now, wall, pool, outbox, network, random });
            if let Some(tag) = tag {
                actors.on_worker_got(tag, now);
            }
        }
        while let Some(connection) = network.next_closed() {
            worker.on_connection_closed(connection, &mut Turn { now, wall, pool, outbox, network, random });
        }
        let mut turn = Turn { now, wall, pool, outbox, network, random };
        later(worker, &mut turn);
        worker.on_deadline(&mut turn);
        worker.end_turn(&mut turn);
        match pipe {
            Some(pipe) => pipe.write_output(outbox, &mut self.said),
            None => self.said.extend(std::iter::from_fn(|| outbox.pop())),
        }
        self.check();
    }

    fn check(&mut self) {
        self.tally.invariant_checks += 5;
        assert_eq!(self.worker.panics_contained(), 0, "a panic was contained");
        let (held, limit) = (self.pool.held_bytes(), self.pool.limit_bytes());
        assert!(held <= limit, "{held} bytes are held, {limit} are allowed");
        assert!(self.outbox.batch.is_empty(), "datagrams are left after the end of a turn");
        assert!(self.outbox.is_empty() || self.pipe.is_some(), "messages are left after the end of a turn");
        let next = self.worker.next_deadline();
        assert!(next.is_none_or(|next| next > self.now()), "something due was not done");
        if self.tally.turns.is_multiple_of(AUDIT_EVERY) {
            self.audit();
        }
    }

    /// Looks at everything that the worker believes.
    ///
    /// # Panics
    /// Something is not so.
    pub fn audit(&mut self) {
        let audit = self.worker.audit(&self.pool);
        self.tally.invariant_checks += audit.checks;
        assert!(audit.violations.is_empty(), "the worker is not sound: {}", audit.violations.join("; "));
        let known = self.network.open_sockets() - self.network.strangers();
        assert_eq!(known, self.worker.open_sockets(), "sockets and those in use");
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            LAST_STEP.set(Some((self.tally.turns, self.elapsed_ms())));
        } else {
            self.end();
        }
    }
}

/// The turn and the virtual time in milliseconds at which this thread's last world was left by a panic.
pub fn last_step() -> Option<(u64, u64)> {
    LAST_STEP.get()
}

/// Forgets [`last_step`].
pub fn forget_last_step() {
    LAST_STEP.set(None);
}

/// A seed as long as sources of random numbers want it.
pub fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&seed.to_le_bytes()));
    bytes
}

/// Each turn brings half of what is on its way, on average; the longest answers have 4 MiB.
const TURNS_TO_ANSWER: usize = 1_000;
/// An audit looks at every entity and every packet.
const AUDIT_EVERY: u64 = 64;

thread_local! {
    static LAST_STEP: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// Whether a datagram is RTCP, by its second byte (RFC 5761 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [_, 192..=223, ..])
}

/// Everything that a worker sends must be readable.
fn assert_readable(datagram: &[u8]) {
    let read = if is_rtcp(datagram) {
        rtcp::read(datagram).map(drop)
    } else {
        rtp::RtpView::read(datagram).map(drop).map_err(str::to_owned)
    };
    assert!(read.is_ok(), "the worker sent {datagram:02x?}: {read:?}");
}
