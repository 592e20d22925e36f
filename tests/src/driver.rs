//! A worker with us as its host: requests in a row, answers checked, memory read.
//!
//! Knows the raw protocol. Called by measurements and by tests with a real worker. Invariant: every answer is good, or the
//! caller fails with it.

use std::net::{Ipv4Addr, SocketAddr};

use tidegate_protocol::event::Event;
use tidegate_protocol::exit;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, ToWorker};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::ListenPort;

use crate::clock;
use crate::fuzz::child::{Ended, RawWorker, Wiring, WorkerProgram};
use crate::fuzz::commands::{create_transport, listen_on, plain_options};
use crate::process::{self, Memory};

/// What went wrong; a sentence for people.
pub type Failure = String;

/// A worker under way.
#[derive(Debug)]
pub struct Driver {
    worker: RawWorker,
    last_request: u64,
    last_entity: u64,
    /// What was said before an answer, for who wants to hear it.
    events: Vec<Event>,
}

impl Driver {
    /// Starts a worker and greets it.
    ///
    /// # Errors
    /// It does not start or does not greet.
    pub fn start(program: &WorkerProgram, settings: &[&str]) -> Result<Self, Failure> {
        let worker = program.spawn(Wiring::Pipes, settings).map_err(|error| error.to_string())?;
        let mut driver = Self { worker, last_request: 0, last_entity: 0, events: Vec::new() };
        match driver.next_message()? {
            FromWorker::Hello(_) => driver.worker.host.greet(),
            other => return Err(format!("the worker's first message is {other:?}")),
        }
        driver.call(Command::DumpWorker)?;
        Ok(driver)
    }

    /// Its process id; that of valgrind, under valgrind.
    pub fn pid(&self) -> u32 {
        self.worker.pid()
    }

    /// A new entity's id.
    pub fn id(&mut self) -> u64 {
        self.last_entity += 1;
        self.last_entity
    }

    /// Asks for something and waits for its good answer.
    ///
    /// # Errors
    /// The answer is an error, or there is none.
    pub fn call(&mut self, command: Command) -> Result<Reply, Failure> {
        self.call_all(vec![command])?.pop().ok_or_else(|| "no answer".to_owned())
    }

    /// Asks for many things, one behind the other without waiting.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_all(&mut self, commands: Vec<Command>) -> Result<Vec<Reply>, Failure> {
        let mut replies = Vec::new();
        let mut asked = Vec::new();
        for command in commands {
            self.last_request += 1;
            let id = RequestId(self.last_request);
            self.worker.host.queue(&ToWorker::Request { id, command: command.clone() });
            asked.push((id, command));
        }
        for (id, command) in asked {
            match self.next_response()? {
                (answered, Ok(reply)) if answered == id => replies.push(reply),
                (_, result) => return Err(format!("{command:?} was answered {result:?}")),
            }
        }
        Ok(replies)
    }

    /// Creates a plain transport on a loopback port and says where it listens.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn create_transport(&mut self, router: u64, comedia: bool) -> Result<(u64, SocketAddr), Failure> {
        let id = self.id();
        let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
        match self.call(create_transport(router, id, plain_options(listen, true, comedia)))? {
            Reply::PlainTransport(tuples) => {
                Ok((id, SocketAddr::from((Ipv4Addr::LOCALHOST, tuples.tuple.local_port))))
            }
            other => Err(format!("a transport was answered {other:?}")),
        }
    }

    /// What the process holds now.
    ///
    /// # Errors
    /// It is gone.
    pub fn memory(&self) -> Result<Memory, Failure> {
        process::memory(self.pid()).map_err(|error| format!("the worker's memory cannot be read: {error}"))
    }

    /// Takes what the worker has said unasked by now.
    ///
    /// # Errors
    /// The worker ended.
    pub fn hear(&mut self) -> Result<Vec<Event>, Failure> {
        self.pump_for(0)?;
        let mut events = std::mem::take(&mut self.events);
        while let Some(message) = self.take_message()? {
            if let FromWorker::Event(event) = message {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// Reads what the worker says unasked, until `until_ns` of the monotonic clock.
    ///
    /// # Errors
    /// The worker ended.
    pub fn listen_until(&mut self, until_ns: u64) -> Result<(), Failure> {
        while clock::monotonic_ns() < until_ns {
            while self.take_message()?.is_some() {}
            self.pump()?;
        }
        Ok(())
    }

    /// Lets the worker work for a moment, and keeps what it says unasked.
    ///
    /// # Errors
    /// The worker ended.
    pub fn rest_for(&mut self, duration_ns: u64) -> Result<(), Failure> {
        clock::sleep_for(duration_ns);
        self.events = self.hear()?;
        Ok(())
    }

    /// Closes the worker in order.
    ///
    /// # Errors
    /// It does not end by code 0.
    pub fn finish(mut self) -> Result<(), Failure> {
        match self.end()? {
            Ended::Code(0) => Ok(()),
            other => Err(format!("the worker ended by {other}; stderr: {}", self.worker.last_words())),
        }
    }

    /// Closes the worker and says how it ended and what it, or the tool above it, printed.
    ///
    /// # Errors
    /// It does not end.
    pub fn finish_anyhow(mut self) -> Result<(Ended, String), Failure> {
        Ok((self.end()?, self.worker.last_words()))
    }

    fn end(&mut self) -> Result<Ended, Failure> {
        self.call(Command::CloseWorker)?;
        while !self.worker.host.has_ended() {
            while self.take_message()?.is_some() {}
            self.worker.host.pump(POLL_MS).map_err(|error| error.to_string())?;
        }
        let ended = self.worker.wait(SILENCE_NS / 1_000_000).map_err(|error| error.to_string())?;
        ended.ok_or_else(|| format!("the worker does not end by code {}", exit::CLOSED))
    }

    fn next_response(&mut self) -> Result<(RequestId, Result<Reply, String>), Failure> {
        loop {
            match self.next_message()? {
                FromWorker::Response { id, result } => {
                    return Ok((id, result.map_err(|error| error.to_string())));
                }
                FromWorker::Log { text, .. } => eprintln!("worker: {text}"),
                FromWorker::Event(event) => self.events.push(event),
                FromWorker::Hello(_) => {}
            }
        }
    }

    fn next_message(&mut self) -> Result<FromWorker, Failure> {
        let mut give_up_ns = clock::monotonic_ns() + SILENCE_NS;
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(message);
            }
            let now_ns = clock::monotonic_ns();
            if self.pump()? {
                give_up_ns = now_ns + SILENCE_NS;
            } else if now_ns > give_up_ns {
                return Err("the worker says nothing for two minutes".to_owned());
            }
        }
    }

    fn take_message(&mut self) -> Result<Option<FromWorker>, Failure> {
        self.worker.host.next_message()
    }

    fn pump(&mut self) -> Result<bool, Failure> {
        self.pump_for(POLL_MS)
    }

    fn pump_for(&mut self, timeout_ms: u16) -> Result<bool, Failure> {
        let moved = self.worker.host.pump(timeout_ms).map_err(|error| error.to_string())?;
        if moved.ended {
            let ended = self.worker.wait(1_000).map_err(|error| error.to_string())?;
            return Err(format!("the worker ended ({ended:?}): {}", self.worker.last_words()));
        }
        Ok(moved.read > 0 || moved.written > 0)
    }
}

const POLL_MS: u16 = 20;
/// Long enough for a worker under memcheck on a busy machine.
const SILENCE_NS: u64 = 120_000_000_000;
