//! A worker's life as the host sees it: from the greeting to the last word.
//!
//! Knows the process and both tasks of its pipe. Does not know commands or entities. Called by `Worker::spawn`.
//! Invariant: whatever happens, also when the runtime is shut down, the connection ends exactly once and nobody waits
//! on it for ever; and no process outlives the host's interest in it by more than [`CLOSE_GRACE`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidegate_protocol::message::Hello;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connection::pump::{Inbound, ReadEnd, Reader, Writer, greet, write_frames};
use crate::connection::{Connection, Outgoing, stopped};
use crate::error::{ExitReason, SpawnError, WorkerExit};
use crate::output::{LastWords, Line};
use crate::worker::WorkerEvent;

/// A child process, or what a test puts in its place.
pub(crate) trait Process: Send + 'static {
    /// Waits until it is gone, and reaps it.
    fn wait(&mut self) -> impl Future<Output = ExitReason> + Send;
    /// Ends it with SIGKILL; `wait` tells when it is gone.
    fn kill(&mut self);
}

/// A started process and the host's ends of its pipes.
pub(crate) struct Launched<P> {
    pub(crate) process: P,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) last_words: LastWords,
    /// Lines that it prints.
    pub(crate) lines: mpsc::Receiver<Line>,
}

/// A process that greeted.
pub(crate) struct Greeted<P> {
    pub(crate) hello: Hello,
    process: P,
    inbound: Inbound,
    writer: Writer,
    last_words: LastWords,
    lines: mpsc::Receiver<Line>,
}

impl<P: Process> Launched<P> {
    /// Exchanges greetings; a process that does not greet right is killed and reaped.
    pub(crate) async fn greet(self, start_timeout: Duration) -> Result<Greeted<P>, SpawnError> {
        let Self { mut process, reader, mut writer, last_words, lines } = self;
        let mut inbound = Inbound::new(reader);
        let exchange = async {
            let hello = inbound.greeting().await?;
            // A worker that is gone by now is noticed by whoever reads next.
            let _ = greet(&mut writer).await;
            Ok(hello)
        };
        let error = match timeout(start_timeout, exchange).await {
            Ok(Ok(Some(hello))) => return Ok(Greeted { hello, process, inbound, writer, last_words, lines }),
            Ok(Ok(None)) => {
                let reason = leave(&mut process, EXIT_GRACE).await;
                let last_words = last_words.take().await;
                return Err(SpawnError::Exited(WorkerExit { reason, killed_for: None, last_words }));
            }
            Ok(Err(error)) => error,
            Err(_) => SpawnError::StartTimeout { after: start_timeout },
        };
        process.kill();
        process.wait().await;
        Err(error)
    }
}

impl<P: Process> Greeted<P> {
    /// Starts the tasks that carry `connection`. `on_end` runs once, when the process is gone.
    pub(crate) fn run(
        self,
        connection: Arc<Connection>,
        frames: mpsc::UnboundedReceiver<Outgoing>,
        on_end: impl FnOnce() + Send + 'static,
    ) {
        let Self { process, inbound, writer, last_words, lines, .. } = self;
        tokio::spawn(forward_lines(lines, Arc::clone(&connection)));
        tokio::spawn(write_frames(writer, frames, Arc::clone(&connection)));
        let reading = tokio::spawn(inbound.run(Arc::clone(&connection)));
        let ending = Ending { connection, on_end: Some(on_end) };
        tokio::spawn(supervise(process, reading, last_words, ending));
    }
}

async fn forward_lines(mut lines: mpsc::Receiver<Line>, connection: Arc<Connection>) {
    while let Some((stream, text)) = lines.recv().await {
        connection.events.emit(WorkerEvent::Output { stream, text });
    }
}

/// Waits for whatever ends the worker's life, and sees to it that it ends.
async fn supervise<P: Process>(
    mut process: P,
    mut reading: JoinHandle<ReadEnd>,
    last_words: LastWords,
    ending: Ending<impl FnOnce()>,
) {
    let fate = ending.connection.fate();
    let (reason, killed_for) = tokio::select! {
        reason = process.wait() => {
            // Its last messages may still be in the pipe.
            let _ = timeout(DRAIN_GRACE, &mut reading).await;
            (reason, None)
        }
        () = stopped(fate) => (leave(&mut process, CLOSE_GRACE).await, None),
        end = &mut reading => match end {
            Ok(ReadEnd::Broken(cause)) => {
                process.kill();
                (process.wait().await, Some(cause))
            }
            Ok(ReadEnd::Closed) | Err(_) => (leave(&mut process, EXIT_GRACE).await, None),
        },
    };
    reading.abort();
    let last_words = last_words.take().await;
    ending.finish(WorkerExit { reason, killed_for, last_words });
}

/// Waits for a process that should leave by itself, and kills it when it does not.
async fn leave<P: Process>(process: &mut P, grace: Duration) -> ExitReason {
    if let Ok(reason) = timeout(grace, process.wait()).await {
        return reason;
    }
    process.kill();
    process.wait().await
}

/// Ends the connection, at the latest when the supervising task is dropped together with its runtime.
struct Ending<F: FnOnce()> {
    connection: Arc<Connection>,
    on_end: Option<F>,
}

impl<F: FnOnce()> Ending<F> {
    fn finish(mut self, exit: WorkerExit) {
        self.end(exit);
    }

    fn end(&mut self, exit: WorkerExit) {
        if let Some(on_end) = self.on_end.take() {
            self.connection.end(exit);
            on_end();
            self.connection.events.end();
        }
    }
}

impl<F: FnOnce()> Drop for Ending<F> {
    fn drop(&mut self) {
        self.end(WorkerExit::unknown());
    }
}

/// How long a worker may take to leave after its pipe was closed by the host. It promises one second.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// How long a worker may take to leave after it closed its pipe itself.
const EXIT_GRACE: Duration = Duration::from_secs(1);
/// How long the pipe of a dead worker is read on: its bytes are there already, only a copy of its end in a process
/// that it started could keep the pipe open.
const DRAIN_GRACE: Duration = Duration::from_millis(200);
