//! A worker process, and frames to and from it by hand: no host library stands between.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tidegate_protocol::PROTOCOL_VERSION;
use tidegate_protocol::codec::{decode, encode_frame};
use tidegate_protocol::frame::FrameReader;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, HelloReply, ToWorker};
use tidegate_protocol::request::Command;

/// A worker whose control pipe is its standard input and output.
pub(crate) struct Worker {
    /// The process.
    pub(crate) process: Child,
    /// Towards it; `None` once closed.
    pub(crate) input: Option<PipeWriter>,
    /// From it.
    pub(crate) output: PipeReader,
    frames: FrameReader,
}

impl Worker {
    pub(crate) fn spawn(arguments: &[&str]) -> Self {
        let mut process = Process::new(env!("CARGO_BIN_EXE_tidegate-worker"));
        process.args(["--control-fds=0,1"]).args(arguments);
        Self::spawn_as(process)
    }

    pub(crate) fn spawn_as(mut process: Process) -> Self {
        let (worker_input, input) = std::io::pipe().unwrap();
        let (output, worker_output) = std::io::pipe().unwrap();
        let process =
            process.stdin(worker_input).stdout(worker_output).stderr(Stdio::piped()).spawn().unwrap();
        Self { process, input: Some(input), output, frames: FrameReader::default() }
    }

    /// A worker that was greeted.
    pub(crate) fn greeted(arguments: &[&str]) -> Self {
        let mut worker = Self::spawn(arguments);
        assert!(matches!(worker.next(), Some(FromWorker::Hello(_))));
        worker.say(&hello(PROTOCOL_VERSION));
        worker
    }

    pub(crate) fn say(&mut self, message: &ToWorker) {
        let mut frame = Vec::new();
        encode_frame(message, &mut frame).unwrap();
        self.say_bytes(&frame);
    }

    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The next message; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<FromWorker> {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap() {
                return Some(decode(frame).unwrap());
            }
            let mut bytes = [0; 4096];
            match self.output.read(&mut bytes).unwrap() {
                0 => return None,
                length => self.frames.push(&bytes[..length]),
            }
        }
    }

    /// Waits for the end, which must come within a second, and answers its code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.exit_status(Duration::from_secs(1)).code()
    }

    fn exit_status(&mut self, limit: Duration) -> ExitStatus {
        let give_up = now() + limit;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(now() < give_up, "still alive after {limit:?}");
            std::thread::yield_now();
        }
    }

    pub(crate) fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Process::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The clock of the tests.
#[expect(clippy::disallowed_methods, reason = "limits of waiting for another process")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A host's greeting.
pub(crate) fn hello(protocol_version: u32) -> ToWorker {
    ToWorker::HelloReply(HelloReply { protocol_version, host: "test".try_into().unwrap() })
}

/// A request.
pub(crate) fn request(id: u64, command: Command) -> ToWorker {
    ToWorker::Request { id: RequestId(id), command }
}
