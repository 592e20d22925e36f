//! One turn after another: wait, read the pipe, receive, run what is due, end the turn, send, write the pipe.
//!
//! Knows the order of things and how much of each one turn does. Does not know what a request or a packet means: that
//! is the [`Worker`]'s. Called by `main`.
//! Invariant: every turn is bounded, so that no socket, no host and no timer starves another; and the host's going away
//! ends the process within a second, whatever else goes on.

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Token};
use thiserror::Error;
use tidegate_protocol::exit;
use tidegate_protocol::message::FromWorker;
use tidegate_protocol::request::Command;

use crate::base::pool::Pool;
use crate::base::time::Time;
use crate::counters::{LoopCounters, ShellReport};
use crate::dtls::Certificate;
use crate::moderation::Moderation;
use crate::network::{Datagram, Network};
use crate::outbox::{LogLevel, LogTag, Outbox};
use crate::random::Random;
use crate::session::{Heard, Session, hello, say};
use crate::settings::Settings;
use crate::sys::clock::{Clock, Moment, sharpen_timers};
use crate::sys::limits::raise_open_files;
use crate::sys::memory::{Trimmer, heap, random_seed, resource_usage};
use crate::sys::pipe::{self, ControlEnds, ControlError, ControlPipe, InputEnd};
use crate::sys::signals::Signals;
use crate::sys::sockets::Sockets;
use crate::turn::Turn;
use crate::worker::Worker;

/// A worker and its shell.
#[derive(Debug)]
pub struct EventLoop {
    poll: Poll,
    events: Events,
    shell: Shell,
    core: Core,
    moderation: Moderation,
    arrived: Vec<Datagram>,
    session: Session,
    housekeeping: Housekeeping,
}

/// The descriptors and clocks.
#[derive(Debug)]
struct Shell {
    clock: Clock,
    pipe: ControlPipe,
    sockets: Sockets,
    signals: Signals,
    counters: LoopCounters,
}

/// The pure part and what a [`Turn`] lends it.
#[derive(Debug)]
struct Core {
    worker: Worker,
    pool: Pool,
    outbox: Outbox,
    random: Random,
}

/// Why a worker could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The control pipe.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The system has no epoll, signalfd or random numbers to give.
    #[error("the system refused what every worker needs ({0}); look at its limits of open files and memory")]
    System(#[from] io::Error),
}

/// What one turn tells the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Turn,
    End(u8),
}

impl EventLoop {
    /// Opens everything and greets the host. `certificate` is that of DTLS; without one it is made when it is first needed.
    ///
    /// # Errors
    /// [`StartError`], whose sentence is for stderr; the process should end with [`exit::BAD_DESCRIPTOR`].
    pub fn new(settings: &Settings, certificate: Option<Certificate>) -> Result<Self, StartError> {
        let ends = ControlEnds::open(&settings.control)?; // before any descriptor of our own
        let housekeeping = Housekeeping::new();
        let poll = Poll::new()?;
        let shell = Shell {
            clock: Clock::new(),
            pipe: ControlPipe::new(ends, poll.registry().try_clone()?)?,
            sockets: Sockets::new(poll.registry().try_clone()?, settings.packet_memory_limit_bytes)?,
            signals: Signals::new(poll.registry(), SIGNALS)?,
            counters: LoopCounters::default(),
        };
        let mut random = Random::from_seed(random_seed()?);
        let core = Core {
            worker: Worker::new(settings.worker, &mut random).with_certificate(certificate),
            pool: Pool::new(settings.packet_memory_limit_bytes),
            outbox: Outbox::new(random.hasher(), settings.log),
            random,
        };
        // Without these sleeps last a little longer, and sockets end a little earlier: no reason not to start.
        let _ = (sharpen_timers(), raise_open_files());
        let mut event_loop = Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_POLL),
            shell,
            core,
            moderation: Moderation::new(settings.batch_interval),
            arrived: Vec::new(),
            session: Session::new(),
            housekeeping,
        };
        event_loop.shell.say(&hello(std::process::id()));
        event_loop.introduce(settings);
        Ok(event_loop)
    }

    /// The first line of the log.
    fn introduce(&mut self, settings: &Settings) {
        let now = self.shell.clock.now();
        self.core.outbox.log(now, LogLevel::Debug, LogTag::Info, || {
            let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
            format!("tidegate-worker {version}, process {pid}, {settings:?}")
        });
    }

    /// Runs until something ends the worker; answers the exit code.
    pub fn run(mut self) -> u8 {
        loop {
            if let Next::End(code) = self.turn() {
                self.close();
                return code;
            }
        }
    }

    fn turn(&mut self) -> Next {
        let waited = match self.wait() {
            Ok(waited) => waited,
            Err(error) => return self.fail(&error),
        };
        if self.shell.signals.asked_to_close() {
            return Next::End(exit::CLOSED);
        }
        if waited && self.shell.sockets.ready() > 0 && self.moderate().is_err() {
            return Next::End(exit::INTERNAL);
        }
        let moment = self.shell.clock.moment();
        let sent_before = self.shell.sockets.datagrams_sent();
        let mut next = self.read_requests(&moment);
        let received = self.receive(&moment);
        self.hear_of_closed(&moment);
        self.shell.sockets.on_deadline(moment.now);
        self.core.finish(&mut self.shell, &moment);
        self.write_output();
        self.keep_house(moment.now, received);
        self.count(&moment, received, sent_before);
        if self.core.worker.is_beyond_repair() {
            next = Next::End(exit::INTERNAL);
        } else if self.core.worker.is_closing() || self.host_is_gone() {
            next = next.or(exit::CLOSED);
        }
        next
    }

    /// Waits until there is something to do. Whether it had to.
    fn wait(&mut self) -> io::Result<bool> {
        let timeout = self.timeout();
        self.poll(timeout)?;
        let waited = timeout != Some(Duration::ZERO);
        self.shell.counters.turns += 1;
        self.shell.counters.wakes += u64::from(waited);
        Ok(waited)
    }

    /// How long the next wait may last; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        let unread = self.shell.pipe.has_input() && self.takes_requests();
        if unread || self.shell.sockets.ready() > 0 || self.shell.sockets.has_closed() {
            return Some(Duration::ZERO);
        }
        let deadlines =
            [self.core.worker.next_deadline(), self.shell.sockets.next_deadline(), self.housekeeping.next];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.since(self.shell.clock.now()))
    }

    /// Lets every owner take note of what the system has for it.
    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            match event.token() {
                pipe::INPUT | pipe::OUTPUT => self.shell.pipe.on_event(event),
                SIGNALS => self.shell.signals.on_event(),
                _ => self.shell.sockets.on_event(event),
            }
        }
        Ok(())
    }

    /// After a wake that brought media: sleeps a little if that pays, so that more leaves together.
    fn moderate(&mut self) -> io::Result<()> {
        let Some(interval) = self.moderation.on_wake(self.shell.clock.now()) else { return Ok(()) };
        self.shell.counters.moderation_sleeps += 1;
        self.shell.clock.sleep(interval);
        self.poll(Some(Duration::ZERO))
    }

    /// Whether the answers to further requests would find room.
    fn takes_requests(&self) -> bool {
        self.shell.pipe.has_room() && !self.core.outbox.is_full()
    }

    /// Whether nobody is left to serve: the host does not read, or it is gone and reading on would not show it, because
    /// its last answers fill the pipe.
    fn host_is_gone(&self) -> bool {
        let pipe = &self.shell.pipe;
        pipe.is_output_broken() || (pipe.is_hung_up() && !self.takes_requests())
    }

    fn read_requests(&mut self, moment: &Moment) -> Next {
        self.shell.pipe.begin_turn();
        for _ in 0..REQUESTS_PER_TURN {
            if !self.takes_requests() {
                break;
            }
            let heard = match self.shell.pipe.next_frame() {
                Ok(Some(content)) => self.session.on_frame(content, &mut self.core.outbox),
                Ok(None) => break,
                Err(InputEnd::Closed) => return Next::End(exit::CLOSED),
                Err(InputEnd::Broken(framing)) => {
                    self.last_words(&framing.to_string());
                    return Next::End(exit::BROKEN_FRAMING);
                }
            };
            self.shell.counters.requests += 1;
            match heard {
                Heard::Nothing => {}
                Heard::Request(id, command) => {
                    if wants_report(&command) {
                        self.core.report(&self.shell);
                    }
                    self.core.with_turn(&mut self.shell, moment, |worker, turn| {
                        worker.on_request(id, command, turn);
                    });
                }
                Heard::End(code, words) => {
                    self.last_words(&words);
                    return Next::End(code);
                }
            }
            if !self.core.outbox.is_empty() {
                self.core.queue_output(&mut self.shell.pipe);
            }
        }
        Next::Turn
    }

    /// Reads from each socket that has something, in turn; answers how many datagrams.
    fn receive(&mut self, moment: &Moment) -> u32 {
        self.core.pool.count_queued(self.shell.sockets.queued_bytes());
        let mut received = 0;
        for _ in 0..self.shell.sockets.ready() {
            if received >= DATAGRAMS_PER_TURN {
                break;
            }
            let sockets = &mut self.shell.sockets;
            let count = sockets.receive_next(&mut self.core.pool, moment, &mut self.arrived);
            received += u32::try_from(count).unwrap_or(0);
            for datagram in self.arrived.drain(..) {
                self.moderation.on_arrival(datagram.received_at);
                self.core.with_turn(&mut self.shell, moment, |worker, turn| {
                    worker.on_datagram(datagram, turn);
                });
            }
        }
        received
    }

    /// Tells the core of connections that are gone.
    fn hear_of_closed(&mut self, moment: &Moment) {
        while let Some(connection) = self.shell.sockets.next_closed() {
            self.core.with_turn(&mut self.shell, moment, |worker, turn| {
                worker.on_connection_closed(connection, turn);
            });
        }
    }

    fn write_output(&mut self) {
        loop {
            self.core.queue_output(&mut self.shell.pipe);
            if !self.shell.pipe.flush() || self.core.outbox.is_empty() {
                break;
            }
        }
    }

    fn keep_house(&mut self, now: Time, received: u32) {
        let requests = self.shell.counters.requests;
        if !self.housekeeping.is_due(now, received > 0 || requests != self.housekeeping.requests_seen) {
            return;
        }
        self.housekeeping.requests_seen = requests;
        self.shell.sockets.reclaim();
        // The core gives its own back by a deadline, but of spare receive buffers it does not hear.
        self.core.pool.reclaim(now);
        if requests == self.housekeeping.requests_at_last_round {
            self.shell.pipe.reclaim();
            self.core.outbox.reclaim(now);
        }
        self.housekeeping.requests_at_last_round = requests;
        self.housekeeping.trimmer.trim_if_freed();
    }

    fn count(&mut self, moment: &Moment, received: u32, sent_before: u64) {
        if received == 0 {
            return;
        }
        let busy = self.shell.clock.now().since(moment.now);
        let sent = self.shell.sockets.datagrams_sent() - sent_before;
        self.moderation.on_turn(received, sent, busy);
        let counters = &mut self.shell.counters;
        counters.datagrams_per_turn.record(u64::from(received));
        counters.turn_time_us.record(u64::try_from(busy.as_micros()).unwrap_or(u64::MAX));
    }

    fn fail(&mut self, error: &io::Error) -> Next {
        self.last_words(&format!("the event loop failed: {error}"));
        Next::End(exit::INTERNAL)
    }

    /// Says why the worker ends, after the events of what ends with it.
    fn last_words(&mut self, text: &str) {
        let moment = self.shell.clock.moment();
        self.core.with_turn(&mut self.shell, &moment, Worker::close);
        self.core.outbox.last_words(text);
    }

    /// Closes all that is open, and writes what the host is still to hear, if it reads.
    fn close(&mut self) {
        let moment = self.shell.clock.moment();
        self.core.with_turn(&mut self.shell, &moment, Worker::close);
        let give_up = moment.now + LAST_WORDS_TIME;
        loop {
            self.write_output();
            let all_said = self.shell.pipe.flush() && self.core.outbox.is_empty();
            let left = give_up.since(self.shell.clock.now());
            if all_said || left.is_zero() || self.poll(Some(left)).is_err() {
                break;
            }
        }
    }
}

impl Shell {
    /// Says something to the host at once, before there is a turn.
    fn say(&mut self, message: &FromWorker) {
        let queued = self.pipe.queue(message);
        debug_assert!(queued.is_ok(), "a greeting fits a frame");
        self.pipe.flush();
    }
}

impl Core {
    /// Runs what is due and ends the turn: what it brought is forwarded and sent.
    fn finish(&mut self, shell: &mut Shell, moment: &Moment) {
        self.with_turn(shell, moment, |worker, turn| {
            if worker.next_deadline().is_some_and(|deadline| deadline <= turn.now) {
                worker.on_deadline(turn);
            }
            worker.end_turn(turn);
        });
    }

    /// Tells the core what the shell knows of itself.
    fn report(&mut self, shell: &Shell) {
        self.worker.shell = ShellReport {
            pid: std::process::id(),
            resource_usage: resource_usage(),
            heap: heap(),
            event_loop: shell.counters,
            network: shell.sockets.counters(),
        };
    }

    fn with_turn(
        &mut self,
        shell: &mut Shell,
        moment: &Moment,
        act: impl FnOnce(&mut Worker, &mut Turn<'_>),
    ) {
        let Self { worker, pool, outbox, random } = self;
        let (now, wall) = (moment.now, shell.clock.ntp(moment.now));
        act(worker, &mut Turn { now, wall, pool, outbox, network: &mut shell.sockets, random });
    }

    /// Moves messages into the pipe's buffer while there is room.
    fn queue_output(&mut self, pipe: &mut ControlPipe) {
        while pipe.has_room() {
            let Some(message) = self.outbox.pop() else { break };
            say(message, |message| pipe.queue(message));
        }
    }
}

impl Next {
    /// Ends with `code` unless something graver ends it already.
    fn or(self, code: u8) -> Self {
        match self {
            Self::Turn => Self::End(code),
            end @ Self::End(_) => end,
        }
    }
}

/// Once a second while there is traffic, and a few times after: an idle worker has no reason to wake.
#[derive(Debug)]
struct Housekeeping {
    trimmer: Trimmer,
    next: Option<Time>,
    rounds_left: u32,
    requests_seen: u64,
    requests_at_last_round: u64,
}

impl Housekeeping {
    fn new() -> Self {
        Self {
            trimmer: Trimmer::new(),
            next: None,
            rounds_left: 0,
            requests_seen: 0,
            requests_at_last_round: 0,
        }
    }

    /// Whether it is time at `now`; `active` says that something happened in this turn.
    fn is_due(&mut self, now: Time, active: bool) -> bool {
        if active {
            self.rounds_left = ROUNDS_AFTER_ACTIVITY;
        }
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = None;
            self.rounds_left = self.rounds_left.saturating_sub(1);
        }
        if self.next.is_none() && self.rounds_left > 0 {
            self.next = Some((now + ROUND).round_up_to(ROUND_GRID));
        }
        due
    }
}

/// Whether a request asks for what only the shell knows.
fn wants_report(command: &Command) -> bool {
    matches!(command, Command::DumpWorker | Command::GetMetrics | Command::GetResourceUsage)
}

const SIGNALS: Token = Token(usize::MAX - 2);
const EVENTS_PER_POLL: usize = 128;
/// So many requests in one turn: media waits 10 ms at most behind a host's flood.
const REQUESTS_PER_TURN: usize = 256;
/// After so many datagrams no further socket is read in this turn: they hold packet memory until its end.
const DATAGRAMS_PER_TURN: u32 = 512;
/// A host that is to hear last words gets this long to read them.
const LAST_WORDS_TIME: Duration = Duration::from_millis(200);
const ROUND: Duration = Duration::from_secs(1);
const ROUND_GRID: Duration = Duration::from_millis(20);
/// Memory that is idle for 5 s goes back: by then two rounds more have seen it so.
const ROUNDS_AFTER_ACTIVITY: u32 = 10;
