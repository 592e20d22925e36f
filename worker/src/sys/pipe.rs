//! The control pipe: frames from the host, messages to the host.
//!
//! Knows descriptors, frames and how much may wait. Does not know what a message means. Called by the event loop.
//! Invariant: never blocks, and never holds more output than [`OUTPUT_BYTES_MAX`] and one message.
#![expect(unsafe_code, reason = "fcntl, and taking over inherited descriptors")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use thiserror::Error;
use tidegate_protocol::codec::{EncodeError, encode_frame};
use tidegate_protocol::frame::{BrokenFraming, FrameReader};
use tidegate_protocol::message::FromWorker;

use super::check;

/// Where the host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAddress {
    /// Inherited descriptors. They may be one and the same, of a socket.
    Descriptors {
        /// From host to worker.
        input: RawFd,
        /// From worker to host.
        output: RawFd,
    },
    /// A Unix stream socket on which the host listens.
    Socket(PathBuf),
}

/// Both ends on our side, checked, not yet watched. To be opened before any other descriptor: an inherited number that
/// is not open would else name one of our own.
#[derive(Debug)]
pub struct ControlEnds {
    input: File,
    output: File,
}

/// Why the control pipe cannot be used.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The number names nothing, or something that cannot be read or written so.
    #[error(
        "descriptor {descriptor} cannot be the control {role} ({source}); spawn the worker with two extra descriptors, \
         3 to the worker and 4 from it, or name others with --control-fds=R,W"
    )]
    Descriptor {
        /// Which number.
        descriptor: RawFd,
        /// What it was to be: input or output.
        role: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody listens there.
    #[error("cannot connect to the control socket {path:?} ({source}); the host must listen there first")]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why nothing more will come.
#[derive(Debug, PartialEq, Eq)]
pub enum InputEnd {
    /// The host closed its end, or is gone.
    Closed,
    /// The host sent what is no frame.
    Broken(BrokenFraming),
}

/// The control pipe at work.
#[derive(Debug)]
pub struct ControlPipe {
    ends: ControlEnds,
    registry: Registry,
    frames: FrameReader,
    readable: bool,
    /// The host's end is closed; what it wrote before may still wait.
    hung_up: bool,
    read_budget_bytes: usize,
    output: Output,
}

#[derive(Debug, Default)]
struct Output {
    /// Frames; those bytes before `written` have left.
    buffer: Vec<u8>,
    written: usize,
    /// The pipe was full: waits for epoll to tell of room.
    blocked: bool,
    /// The host does not read any more.
    broken: bool,
}

impl ControlEnds {
    /// Takes over or connects both ends.
    ///
    /// # Errors
    /// [`ControlError`], whose sentence is for stderr.
    pub fn open(address: &ControlAddress) -> Result<Self, ControlError> {
        match address {
            ControlAddress::Descriptors { input, output } => Self::take_over(*input, *output),
            ControlAddress::Socket(path) => {
                Self::connect(path).map_err(|source| ControlError::Socket { path: path.clone(), source })
            }
        }
    }

    fn take_over(input: RawFd, output: RawFd) -> Result<Self, ControlError> {
        let wrong = |descriptor, role| move |source| ControlError::Descriptor { descriptor, role, source };
        let reader = take_over(input, libc::O_WRONLY).map_err(wrong(input, "input"))?;
        let writer = if output == input { reader.try_clone() } else { take_over(output, libc::O_RDONLY) };
        let writer = writer.map_err(wrong(output, "output"))?;
        Ok(Self { input: reader, output: writer })
    }

    fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_nonblocking(true)?;
        let input = File::from(OwnedFd::from(stream));
        let output = input.try_clone()?;
        Ok(Self { input, output })
    }
}

impl ControlPipe {
    /// Has both ends watched by `registry`.
    ///
    /// # Errors
    /// An end is of a kind that cannot be waited for, a regular file for example.
    pub fn new(ends: ControlEnds, registry: Registry) -> Result<Self, ControlError> {
        let wrong = |end: &File, role| {
            let descriptor = end.as_raw_fd();
            move |source| ControlError::Descriptor { descriptor, role, source }
        };
        registry
            .register(&mut SourceFd(&ends.input.as_raw_fd()), INPUT, Interest::READABLE)
            .map_err(wrong(&ends.input, "input"))?;
        // Watched only while it is full: a socket tells of room whenever the host reads, and a wake is dear.
        registry
            .register(&mut SourceFd(&ends.output.as_raw_fd()), OUTPUT, Interest::WRITABLE)
            .and_then(|()| registry.deregister(&mut SourceFd(&ends.output.as_raw_fd())))
            .map_err(wrong(&ends.output, "output"))?;
        Ok(Self {
            ends,
            registry,
            frames: FrameReader::default(),
            readable: true,
            hung_up: false,
            read_budget_bytes: READ_BYTES_PER_TURN,
            output: Output::default(),
        })
    }

    /// Takes note of an event under [`INPUT`] or [`OUTPUT`].
    pub fn on_event(&mut self, event: &mio::event::Event) {
        if event.token() == INPUT {
            self.readable = true;
            self.hung_up |= event.is_read_closed() || event.is_error();
        } else if self.output.blocked {
            self.unblock();
        }
    }

    /// Begins a turn, in which a bounded number of bytes is read.
    pub fn begin_turn(&mut self) {
        self.read_budget_bytes = READ_BYTES_PER_TURN;
    }

    /// The next frame's content; `None` until more comes, or this turn's share is read.
    ///
    /// # Errors
    /// [`InputEnd`]: there will be no more, now and ever.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, InputEnd> {
        while !self.frames.has_frame() {
            if !self.readable || self.read_budget_bytes == 0 {
                return Ok(None);
            }
            self.fill()?;
        }
        self.frames.next_frame().map_err(InputEnd::Broken)
    }

    /// Whether [`next_frame`](Self::next_frame) may have something in the next turn without an event before.
    pub fn has_input(&self) -> bool {
        self.readable || self.frames.has_frame()
    }

    /// Whether the host's end of the input is known to be closed, though what it wrote may not be read yet.
    pub fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Whether the host does not read any more: no message will reach it.
    pub fn is_output_broken(&self) -> bool {
        self.output.broken
    }

    /// Whether another message may be queued.
    pub fn has_room(&self) -> bool {
        self.output.waiting().len() < OUTPUT_BYTES_MAX
    }

    /// Queues a message for [`flush`](Self::flush).
    ///
    /// # Errors
    /// The message does not fit a frame; nothing was queued.
    pub fn queue(&mut self, message: &FromWorker) -> Result<(), EncodeError> {
        if self.output.broken {
            return Ok(());
        }
        encode_frame(message, &mut self.output.buffer)
    }

    /// Writes what is queued, as much as goes. Whether all of it went.
    pub fn flush(&mut self) -> bool {
        while !self.output.blocked && !self.output.waiting().is_empty() {
            match self.ends.output.write(self.output.waiting()) {
                Ok(bytes) => self.output.written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.block(),
                Err(_) => self.output = Output { broken: true, ..Output::default() },
            }
        }
        self.output.tidy();
        self.output.waiting().is_empty()
    }

    /// Reads once.
    fn fill(&mut self) -> Result<(), InputEnd> {
        let mut bytes = [0; READ_BYTES];
        match self.ends.input.read(&mut bytes) {
            Ok(0) => return Err(InputEnd::Closed),
            Ok(length) => {
                self.frames.push(bytes.get(..length).unwrap_or_default());
                self.read_budget_bytes = self.read_budget_bytes.saturating_sub(length);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                self.frames.shrink();
            }
            Err(_) => return Err(InputEnd::Closed),
        }
        Ok(())
    }

    /// Gives memory back that holds nothing. To be called about once a second while the pipe is quiet.
    pub fn reclaim(&mut self) {
        self.frames.reclaim();
        if self.output.waiting().is_empty() {
            self.output.buffer = Vec::new();
            self.output.written = 0;
        }
    }

    fn block(&mut self) {
        let end = self.ends.output.as_raw_fd();
        // Registering reports at once what holds already, so that room made meanwhile is not missed.
        match self.registry.register(&mut SourceFd(&end), OUTPUT, Interest::WRITABLE) {
            Ok(()) => self.output.blocked = true,
            Err(_) => self.output = Output { broken: true, ..Output::default() },
        }
    }

    fn unblock(&mut self) {
        self.output.blocked = false;
        if let Err(error) = self.registry.deregister(&mut SourceFd(&self.ends.output.as_raw_fd())) {
            debug_assert!(false, "epoll refused: {error}");
        }
    }
}

impl Output {
    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.written..).unwrap_or_default()
    }

    /// Makes place, and gives back what a long message needed.
    fn tidy(&mut self) {
        if self.written == self.buffer.len() {
            self.written = 0;
            self.buffer.clear();
            self.buffer.shrink_to(OUTPUT_BYTES_KEPT);
        } else if self.written >= OUTPUT_BYTES_MAX {
            self.buffer.drain(..self.written);
            self.written = 0;
        }
    }
}

/// Makes an inherited descriptor ours: open, not of the `wrong` access mode, non-blocking, closed on exec.
fn take_over(descriptor: RawFd, wrong: libc::c_int) -> io::Result<File> {
    // SAFETY: takes no pointers; a number that is not open is an error.
    let flags = check(unsafe { libc::fcntl(descriptor, libc::F_GETFL) })?;
    if flags & libc::O_ACCMODE == wrong {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: takes no pointers.
    check(unsafe { libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the descriptor is open, and by the contract of the command line it is the worker's to own: this runs
    // once, before anything else of this process opens or takes over descriptors.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// Token of events from the host.
pub const INPUT: Token = Token(usize::MAX);
/// Token of room towards the host.
pub const OUTPUT: Token = Token(usize::MAX - 1);

/// While so much waits, no further message is taken, and with it no request.
pub const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// A buffer of this size is kept between messages.
const OUTPUT_BYTES_KEPT: usize = 4 << 10;
/// One read; on the stack.
const READ_BYTES: usize = 16 << 10;
/// A flood of requests leaves time for media: the longest frame takes four turns.
const READ_BYTES_PER_TURN: usize = 1 << 20;

#[cfg(test)]
mod tests;
