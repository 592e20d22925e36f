//! One connection: frames in, frames out.
//!
//! Knows its stream, the frame that is arriving and the queue of what waits to leave. Does not know the table. Called by
//! `TcpSockets`.
//! Invariant: a frame that is begun is finished before another one, in both directions.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;

use super::queue::{Frame, Overflow, Queue};
use crate::base::pool::{Buffer, Class, LARGE_BYTES, Pool, SMALL_BYTES};
use crate::base::time::Time;
use crate::ice::framing::Deframer;
use crate::network::{Content, Datagram, SocketKey, SocketStats};

/// An accepted connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) key: SocketKey,
    pub(super) listener: SocketKey,
    pub(super) stream: TcpStream,
    pub(super) remote: SocketAddr,
    /// Of listeners on a wildcard address.
    pub(super) local_ip: Option<IpAddr>,
    pub(super) authenticated: bool,
    /// The peer has closed its side: what is unread is read, then the connection ends.
    pub(super) read_closed: bool,
    deframer: Deframer,
    arriving: Option<Arriving>,
    pub(super) queue: Queue,
    pub(super) stats: SocketStats,
    /// Bytes that came before it was authenticated.
    early_bytes: usize,
}

/// The frame that is arriving, if it is wanted.
#[derive(Debug)]
struct Arriving {
    buffer: Buffer,
    bytes: usize,
}

/// What reading once brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Bytes; there may be more.
    More,
    /// Nothing further for now.
    Drained,
    /// The connection is over.
    Over,
}

impl Connection {
    pub(super) fn new(key: SocketKey, listener: SocketKey, stream: TcpStream, remote: SocketAddr) -> Self {
        Self {
            key,
            listener,
            stream,
            remote,
            local_ip: None,
            authenticated: false,
            read_closed: false,
            deframer: Deframer::default(),
            arriving: None,
            queue: Queue::default(),
            stats: SocketStats::default(),
            early_bytes: 0,
        }
    }

    /// Reads once, and appends the frames that are whole to `into`. Never both brings frames and ends.
    pub(super) fn read(
        &mut self,
        scratch: &mut [u8],
        pool: &mut Pool,
        now: Time,
        into: &mut Vec<Datagram>,
    ) -> Reading {
        let count = match self.stream.read(scratch) {
            Ok(0) => return Reading::Over,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Reading::Drained,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Reading::More,
            Err(_) => return Reading::Over,
        };
        if !self.authenticated {
            self.early_bytes += count;
            if self.early_bytes > EARLY_BYTES_MAX {
                return Reading::Over;
            }
        }
        let mut input = scratch.get(..count).unwrap_or_default();
        let mut deframer = self.deframer;
        while let Some(piece) = deframer.next(&mut input) {
            if let Some(length) = piece.begins {
                self.begin(usize::from(length), pool);
            }
            self.append(piece.bytes);
            if piece.ends {
                into.extend(self.end(now));
            }
        }
        self.deframer = deframer;
        // A short read empties the buffer, but only another one shows that the peer has closed.
        if count == scratch.len() || self.read_closed { Reading::More } else { Reading::Drained }
    }

    /// Sends frames that lie one behind the other in `bytes`; what the kernel does not take waits. An error ends the
    /// connection.
    pub(super) fn send(&mut self, bytes: &[u8], frames: &[Frame]) -> io::Result<()> {
        let mut written = if self.queue.is_empty() { write_all(&mut self.stream, bytes)? } else { 0 };
        let mut rest = bytes.get(written..).unwrap_or_default();
        for frame in frames {
            let length = frame.bytes as usize;
            if written >= length {
                written -= length;
                self.note_sent(1, length);
                continue;
            }
            let (left, after) = rest.split_at_checked(length - written).unwrap_or((rest, &[]));
            match self.queue.push(left, frame.content, written > 0) {
                Ok(dropped) => {
                    self.stats.dropped_send_buffer += dropped;
                    self.note_sent(1, length);
                }
                Err(Overflow) => return Err(io::ErrorKind::TimedOut.into()),
            }
            rest = after;
            written = 0;
        }
        Ok(())
    }

    /// Sends what waits, until the kernel takes no more.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let written = write_all(&mut self.stream, self.queue.waiting())?;
        self.queue.advance(written);
        Ok(())
    }

    /// What waits and may be missing is not sent.
    pub(super) fn give_up_video(&mut self) {
        self.stats.dropped_send_buffer += self.queue.drop_video(usize::MAX);
    }

    fn note_sent(&mut self, frames: u64, bytes: usize) {
        self.stats.sent_datagrams += frames;
        self.stats.sent_bytes += bytes as u64;
    }

    fn begin(&mut self, length: usize, pool: &mut Pool) {
        let class = if length <= SMALL_BYTES { Class::Small } else { Class::Large };
        if !(FRAME_BYTES_MIN..=LARGE_BYTES).contains(&length) {
            self.stats.dropped_frame_length += 1;
            return;
        }
        match pool.take(class) {
            Some(buffer) => self.arriving = Some(Arriving { buffer, bytes: 0 }),
            None => self.stats.dropped_no_memory += 1,
        }
    }

    fn append(&mut self, piece: &[u8]) {
        let Some(Arriving { buffer, bytes }) = &mut self.arriving else { return };
        if let Some(room) = buffer.get_mut(*bytes..*bytes + piece.len()) {
            room.copy_from_slice(piece);
            *bytes += piece.len();
        }
    }

    fn end(&mut self, now: Time) -> Option<Datagram> {
        let Arriving { mut buffer, bytes } = self.arriving.take()?;
        buffer.set_len(bytes);
        self.stats.received_datagrams += 1;
        self.stats.received_bytes += bytes as u64;
        Some(Datagram {
            socket: self.key,
            remote: self.remote,
            local_ip: self.local_ip,
            received_at: now,
            buffer,
            truncated: false,
        })
    }
}

/// Writes until everything is written or the kernel takes no more; answers how many bytes it took.
fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Puts a datagram with its length before it behind others.
pub(super) fn append_frame(bytes: &mut Vec<u8>, frames: &mut Vec<Frame>, datagram: &[u8], content: Content) {
    let Ok(length) = u16::try_from(datagram.len()) else { return };
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(datagram);
    frames.push(Frame { bytes: u32::from(length) + 2, content });
}

/// An RTCP header: nothing that we take is shorter, and shorter frames would be many in few bytes.
const FRAME_BYTES_MIN: usize = 8;
/// A peer shows who it is with some hundred bytes; it may try a few times.
const EARLY_BYTES_MAX: usize = 16 * 1024;
