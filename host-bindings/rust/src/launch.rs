//! Starts a worker process: which program, which arguments, which descriptors.
//!
//! Knows the operating system. Does not know what is said over the pipe. Called by `Worker::spawn`.
//! Invariant: no descriptor of a pipe is inherited by any process but the worker that it belongs to. All are made
//! close-on-exec; only between fork and exec of that worker its two ends are put at 3 and 4. A sibling that held an end
//! would keep the pipe open after the host's death, and the worker alive.

use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use command_fds::{CommandFdExt, FdMapping};
use tidegate_protocol::launch::ALLOCATOR_ENVIRONMENT;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::embedded;
use crate::error::{ExitReason, SpawnError};
use crate::output::{LastWords, read_stdout};
use crate::process::{Launched, Process};
use crate::settings::{WorkerBin, WorkerSettings};

/// Starts the worker that `settings` name.
pub(crate) fn launch(settings: &WorkerSettings) -> Result<Launched<Child>, SpawnError> {
    let Program { path, first_argument } = find(&settings.worker_bin)?;
    let (from_host, to_worker) = std::io::pipe().map_err(SpawnError::Pipe)?;
    let (from_worker, to_host) = std::io::pipe().map_err(SpawnError::Pipe)?;
    let writer = pipe::Sender::from_owned_fd(to_worker.into()).map_err(SpawnError::Pipe)?;
    let reader = pipe::Receiver::from_owned_fd(from_worker.into()).map_err(SpawnError::Pipe)?;

    let mut command = Command::new(&path);
    command
        .arg0(PROGRAM_NAME)
        .args(first_argument)
        .args(settings.arguments()?)
        .arg(format!("--control-fds={READ_FD},{WRITE_FD}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let (variable, value) = ALLOCATOR_ENVIRONMENT;
    if std::env::var_os(variable).is_none() {
        command.env(variable, value);
    }
    let ends: [(OwnedFd, RawFd); 2] = [(from_host.into(), READ_FD), (to_host.into(), WRITE_FD)];
    let mappings = ends.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.into()).map_err(|error| SpawnError::Pipe(std::io::Error::other(error)))?;
    let mut process =
        command.spawn().map_err(|source| SpawnError::NotStarted { program: path.clone(), source })?;
    // With the command go this process's copies of the worker's ends; only then a worker's death closes its pipes.
    drop(command);

    let (sink, lines) = mpsc::channel(LINES_WAITING_MAX);
    if let Some(stdout) = process.stdout.take() {
        read_stdout(stdout, sink.clone());
    }
    let last_words = process.stderr.take().map(|stderr| LastWords::of(stderr, sink));
    let last_words = last_words.unwrap_or_default();
    Ok(Launched { process, reader: Box::new(reader), writer: Box::new(writer), last_words, lines })
}

impl Process for Child {
    async fn wait(&mut self) -> ExitReason {
        Self::wait(self).await.map_or(ExitReason::Unknown, ExitReason::from)
    }

    fn kill(&mut self) {
        // Fails only for a process that is gone already.
        let _ = self.start_kill();
    }
}

struct Program {
    path: PathBuf,
    first_argument: Option<&'static str>,
}

fn find(worker_bin: &WorkerBin) -> Result<Program, SpawnError> {
    match worker_bin {
        WorkerBin::Path(path) if path.is_file() => Ok(Program { path: path.clone(), first_argument: None }),
        WorkerBin::Path(path) => Err(SpawnError::NotFound { tried: vec![path.clone()] }),
        WorkerBin::Embedded => this_executable().ok_or(SpawnError::NotEmbedded),
        WorkerBin::Search => search(),
    }
}

fn search() -> Result<Program, SpawnError> {
    if let Some(path) = named_by_environment() {
        return find(&WorkerBin::Path(path));
    }
    if let Some(program) = this_executable() {
        return Ok(program);
    }
    let tried = usual_places();
    match tried.iter().find(|path| path.is_file()) {
        Some(path) => Ok(Program { path: path.clone(), first_argument: None }),
        None => Err(SpawnError::NotFound { tried }),
    }
}

fn this_executable() -> Option<Program> {
    let (path, marker) = embedded::program()?;
    Some(Program { path, first_argument: Some(marker) })
}

#[expect(clippy::disallowed_methods, reason = "the one setting of the host that comes from the environment")]
fn named_by_environment() -> Option<PathBuf> {
    std::env::var("TIDEGATE_WORKER_BIN").ok().filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Beside this executable; in `target/release` above it (tests and examples are built in folders of their own);
/// in `target/release` of the working directory.
fn usual_places() -> Vec<PathBuf> {
    let executable = std::env::current_exe().unwrap_or_default();
    let beside = executable.parent().map(Path::to_path_buf);
    let above = executable.ancestors().find(|folder| folder.ends_with("target"));
    let above = above.map(|target| target.join("release"));
    let here = std::env::current_dir().ok().map(|folder| folder.join("target/release"));
    let mut places: Vec<PathBuf> =
        [beside, above, here].into_iter().flatten().map(|folder| folder.join(PROGRAM_NAME)).collect();
    places.dedup();
    places
}

/// File name of the standalone worker, and how a worker is called in a list of processes.
const PROGRAM_NAME: &str = "tidegate-worker";
/// Where the worker reads requests.
const READ_FD: RawFd = 3;
/// Where the worker writes answers and events.
const WRITE_FD: RawFd = 4;
/// The highest descriptor that is replaced in the child between fork and exec.
#[cfg_attr(
    not(feature = "embedded-worker"),
    expect(dead_code, reason = "matters to the embedded worker only")
)]
pub(crate) const CONTROL_FDS_MAX: RawFd = 4;
/// Printed lines that wait for the host; more are lost, except for the last words.
const LINES_WAITING_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_program_is_named() {
        let path = PathBuf::from("/nonexistent/tidegate-worker");
        let error = find(&WorkerBin::Path(path.clone())).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/tidegate-worker"), "{error}");
        assert!(matches!(error, SpawnError::NotFound { tried } if tried == [path]));
    }

    #[test]
    fn embedded_worker_without_the_call_in_main_says_what_to_do() {
        // A test's main is the harness's: it does not call run_if_worker.
        let error = find(&WorkerBin::Embedded).err().unwrap();
        assert!(error.to_string().contains("run_if_worker() in the first line of main"), "{error}");
    }
}
