//! A worker process whose descriptors are in our hands.
//!
//! Knows how to start one, to signal it and to wait for its end. Does not know the protocol. Called by lives and by
//! `tests/pipe.rs`. Invariant: a process that we started is gone when its [`RawWorker`] is.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tidegate_protocol::launch::ALLOCATOR_ENVIRONMENT;

use super::host_end::HostEnd;
use crate::clock;

/// Which executable is the worker.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    path: PathBuf,
    first_arguments: Vec<OsString>,
}

/// What connects the worker and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// A pipe for each direction, as hosts do it.
    Pipes,
    /// One socket for both.
    Socket,
}

/// A running worker.
#[derive(Debug)]
pub struct RawWorker {
    process: Child,
    /// Our end of what connects us.
    pub host: HostEnd,
    ended: Option<Ended>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl WorkerProgram {
    /// The program `tidegate-worker` at `path`.
    pub fn standalone(path: PathBuf) -> Self {
        Self { path, first_arguments: Vec::new() }
    }

    /// The program `tidegate-worker` at `path`, started by `tool` with its own arguments (valgrind, for example).
    pub fn under(tool: PathBuf, tool_arguments: Vec<OsString>, path: PathBuf) -> Self {
        let mut first_arguments = tool_arguments;
        first_arguments.push(path.into());
        Self { path: tool, first_arguments }
    }

    /// The program at `path`, whose `main` begins with [`run_if_worker`].
    pub fn embedded(path: PathBuf) -> Self {
        Self { path, first_arguments: vec![AS_WORKER.into()] }
    }

    /// What is started, and what stands before a worker's own arguments.
    pub fn words(&self) -> impl Iterator<Item = &OsStr> {
        std::iter::once(self.path.as_os_str()).chain(self.first_arguments.iter().map(OsString::as_os_str))
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// The program cannot be started, or there are no pipes to be had.
    pub fn spawn(&self, wiring: Wiring, settings: &[&str]) -> io::Result<RawWorker> {
        let (host, ends) = match wiring {
            Wiring::Pipes => HostEnd::pipes()?,
            Wiring::Socket => HostEnd::socket()?,
        };
        let mut command = self.command(settings);
        if wiring == Wiring::Socket {
            command.arg("--control-fds=3,3");
        }
        Self::start(&mut command, host, ends)
    }

    /// Starts a worker that may open at most `open_files` files.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_limited(&self, open_files: u32) -> io::Result<RawWorker> {
        let (host, ends) = HostEnd::pipes()?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -n {open_files}; exec \"$0\" \"$@\"")).arg(&self.path);
        command.args(&self.first_arguments);
        Self::start(&mut command, host, ends)
    }

    /// Runs a worker that has no descriptors to talk over, to its end; answers what it printed to stderr, too.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn run_alone(&self, settings: &[&str]) -> io::Result<(Ended, String)> {
        let output = self.command(settings).stdin(Stdio::null()).output()?;
        Ok((output.status.into(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    fn command(&self, settings: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.first_arguments).args(settings);
        command
    }

    fn start(command: &mut Command, host: HostEnd, ends: Vec<OwnedFd>) -> io::Result<RawWorker> {
        let mappings =
            ends.into_iter().zip(3..).map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
        let (variable, value) = ALLOCATOR_ENVIRONMENT;
        command.env(variable, value);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let process = command.spawn()?;
        // The command holds the worker's ends: ours would never see them close.
        *command = Command::new("true");
        Ok(RawWorker { process, host, ended: None })
    }
}

impl RawWorker {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.process.id()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn try_wait(&mut self) -> io::Result<Option<Ended>> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait()?.map(Ended::from);
        }
        Ok(self.ended)
    }

    /// Waits for its end, `None` if it does not come within `limit_ms`.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn wait(&mut self, limit_ms: u64) -> io::Result<Option<Ended>> {
        let give_up = clock::monotonic_ns().saturating_add(limit_ms.saturating_mul(1_000_000));
        loop {
            let ended = self.try_wait()?;
            if ended.is_some() || clock::monotonic_ns() >= give_up {
                return Ok(ended);
            }
            clock::sleep_for(1_000_000);
        }
    }

    /// What it printed to stderr; call it after its end.
    pub fn last_words(&mut self) -> String {
        let mut words = Vec::new();
        if let Some(stderr) = self.process.stderr.take() {
            // What cannot be read was not said.
            let _ = stderr.take(LAST_WORDS_BYTES_MAX).read_to_end(&mut words);
        }
        String::from_utf8_lossy(&words).into_owned()
    }
}

impl Drop for RawWorker {
    fn drop(&mut self) {
        // Fails only for a process that is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Becomes the worker if this process was started as one; the first line of `main`.
#[expect(clippy::exit, reason = "in a worker process this call is all of main")]
pub fn run_if_worker() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == AS_WORKER) {
        std::process::exit(tidegate_worker::main_with_args(arguments));
    }
}

/// A socket pair as two ends.
pub(super) fn socket_pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

/// Makes a process of a test program a worker.
const AS_WORKER: &str = "--as-worker";
const LAST_WORDS_BYTES_MAX: u64 = 64 << 10;
