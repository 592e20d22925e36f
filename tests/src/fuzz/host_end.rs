//! Our end of the pipe: bytes that wait to be written, frames that were read.
//!
//! Knows descriptors and frames. Never blocks longer than it is told. Called by lives and by `tests/pipe.rs`.
//! Invariant: what was queued is written in order, as fast or slowly as asked.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tidegate_protocol::codec::{decode, encode_frame};
use tidegate_protocol::frame::FrameReader;
use tidegate_protocol::message::{FromWorker, HelloReply, ToWorker};
use tidegate_protocol::{PROTOCOL_VERSION, bounded::Text};

use super::child::socket_pair;

/// Bytes to the worker and frames from it.
#[derive(Debug)]
pub struct HostEnd {
    input: Option<Input>,
    output: File,
    waiting: Vec<u8>,
    written: usize,
    frames: FrameReader,
    output_ended: bool,
    slowness: Slowness,
    /// Whether the worker's output is read at all.
    pub reads: bool,
}

#[derive(Debug)]
enum Input {
    Pipe(File),
    Socket(UnixStream),
}

/// How the next bytes are written.
#[derive(Clone, Copy, Debug, Default)]
struct Slowness {
    /// At most so many at once.
    chunk: usize,
    /// While there are bytes left to write so.
    left: usize,
}

/// What one [`HostEnd::pump`] moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Bytes to the worker.
    pub written: usize,
    /// Bytes from it.
    pub read: usize,
    /// The end of its output was seen now.
    pub ended: bool,
}

impl HostEnd {
    /// Two pipes; also the worker's ends, for its descriptors 3 and 4.
    pub(super) fn pipes() -> io::Result<(Self, Vec<OwnedFd>)> {
        let (from_host, to_worker) = io::pipe()?;
        let (from_worker, to_host) = io::pipe()?;
        let input = File::from(OwnedFd::from(to_worker));
        let output = File::from(OwnedFd::from(from_worker));
        set_nonblocking(&input)?;
        set_nonblocking(&output)?;
        Ok((Self::new(Input::Pipe(input), output), vec![from_host.into(), to_host.into()]))
    }

    /// One socket; also the worker's end, for its descriptor 3.
    pub(super) fn socket() -> io::Result<(Self, Vec<OwnedFd>)> {
        let (ours, worker) = socket_pair()?;
        ours.set_nonblocking(true)?;
        let output = File::from(OwnedFd::from(ours.try_clone()?));
        Ok((Self::new(Input::Socket(ours), output), vec![worker.into()]))
    }

    fn new(input: Input, output: File) -> Self {
        Self {
            input: Some(input),
            output,
            waiting: Vec::new(),
            written: 0,
            frames: FrameReader::default(),
            output_ended: false,
            slowness: Slowness::default(),
            reads: true,
        }
    }

    /// Queues a message as a frame.
    pub fn queue(&mut self, message: &ToWorker) {
        encode_frame(message, &mut self.waiting).expect("what we say fits a frame");
    }

    /// Queues the greeting of a host that speaks `protocol_version`.
    pub fn queue_greeting(&mut self, protocol_version: u32) {
        let host = Text::clipped("pipe-fuzz");
        self.queue(&ToWorker::HelloReply(HelloReply { protocol_version, host }));
    }

    /// Queues the greeting that the worker expects.
    pub fn greet(&mut self) {
        self.queue_greeting(PROTOCOL_VERSION);
    }

    /// Queues any content in correct framing.
    pub fn queue_content(&mut self, content: &[u8]) {
        let length = u32::try_from(content.len()).expect("contents are short");
        self.queue_bytes(&length.to_le_bytes());
        self.queue_bytes(content);
    }

    /// Queues any bytes.
    pub fn queue_bytes(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Writes the next `bytes` bytes `chunk` at a time.
    pub fn write_slowly(&mut self, chunk: usize, bytes: usize) {
        self.slowness = Slowness { chunk, left: bytes };
    }

    /// Bytes that are queued and not yet written.
    pub fn unwritten(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Closes the direction to the worker; what was not written yet never will be.
    pub fn close_input(&mut self) {
        if let Some(Input::Socket(socket)) = self.input.take() {
            // Fails only when the other side is gone, and then it is closed.
            let _ = socket.shutdown(Shutdown::Write);
        }
        self.waiting.clear();
        self.written = 0;
    }

    /// Whether the worker's output has ended.
    pub fn has_ended(&self) -> bool {
        self.output_ended
    }

    /// Waits at most `timeout_ms` for the worker to take or give bytes, and moves them.
    ///
    /// # Errors
    /// The system refused poll or read.
    pub fn pump(&mut self, timeout_ms: u16) -> io::Result<Moved> {
        let reads = self.reads && !self.output_ended;
        let writes = self.unwritten() > 0 && self.input.is_some();
        let (readable, writable) = self.wait(reads, writes, timeout_ms)?;
        let written = if writable { self.write() } else { 0 };
        let (read, ended) = if readable { self.read()? } else { (0, false) };
        Ok(Moved { written, read, ended })
    }

    /// The next message of the worker that has arrived whole.
    ///
    /// # Errors
    /// What is no frame or no message.
    pub fn next_message(&mut self) -> Result<Option<FromWorker>, String> {
        match self.frames.next_frame() {
            Ok(Some(content)) => decode(content).map(Some).map_err(|error| error.to_string()),
            Ok(None) => Ok(None),
            Err(broken) => Err(broken.to_string()),
        }
    }

    fn wait(&self, reads: bool, writes: bool, timeout_ms: u16) -> io::Result<(bool, bool)> {
        let output = if reads { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut ends = vec![PollFd::new(self.output.as_fd(), output)];
        let input = self.input.as_ref().filter(|_| writes).map(Input::as_fd);
        ends.extend(input.map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        if !reads {
            // A pipe whose other end is closed is always ready: it must not keep us busy.
            ends.remove(0);
        }
        match poll(&mut ends, PollTimeout::from(timeout_ms)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = ends.iter().map(|end| end.revents().is_some_and(|events| !events.is_empty()));
        let readable = reads && ready.next().unwrap_or(false);
        let writable = writes && ready.next().unwrap_or(false);
        Ok((readable, writable))
    }

    fn write(&mut self) -> usize {
        let Slowness { chunk, left } = self.slowness;
        let most = if left > 0 { chunk } else { usize::MAX };
        let end = self.waiting.len().min(self.written.saturating_add(most));
        let bytes = self.waiting.get(self.written..end).unwrap_or_default();
        let done = match &mut self.input {
            Some(Input::Pipe(pipe)) => pipe.write(bytes),
            Some(Input::Socket(socket)) => socket.write(bytes),
            None => Ok(0),
        };
        match done {
            Ok(count) => {
                self.written += count;
                self.slowness.left = left.saturating_sub(count);
                if self.written == self.waiting.len() {
                    self.waiting.clear();
                    self.written = 0;
                }
                count
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            // The worker is gone; its output and exit code say why.
            Err(_) => {
                self.close_input();
                0
            }
        }
    }

    fn read(&mut self) -> io::Result<(usize, bool)> {
        let mut buffer = vec![0; READ_BYTES];
        match self.output.read(&mut buffer) {
            Ok(0) => {
                self.output_ended = true;
                Ok((0, true))
            }
            Ok(count) => {
                self.frames.push(buffer.get(..count).unwrap_or_default());
                Ok((count, false))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok((0, false))
            }
            // A socket whose other side died with bytes unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                self.output_ended = true;
                Ok((0, true))
            }
            Err(error) => Err(error),
        }
    }
}

impl Input {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Self::Pipe(pipe) => pipe.as_fd(),
            Self::Socket(socket) => socket.as_fd(),
        }
    }
}

fn set_nonblocking(file: &File) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(io::Error::from)?;
    Ok(())
}

const READ_BYTES: usize = 64 << 10;
