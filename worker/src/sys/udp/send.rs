//! Sending: many messages in one sendmmsg, runs of equal datagrams as one message (UDP_SEGMENT).
//!
//! Knows which errors concern one datagram, which the whole socket, and how to do without GSO. Does not know the table
//! of sockets. Called by `UdpSockets::send` and when a socket with a backlog becomes writable.
//! Invariant: each datagram is sent once, counted as refused, or left to the caller (the socket is full): none is
//! lost without a count, and no destination holds up another.
#![expect(unsafe_code, reason = "sendmmsg")]

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use super::Socket;
use super::control::{ControlBytes, SEND_CONTROL_BYTES};
use crate::counters::Histogram;
use crate::network::{Destination, SendErrors};
use crate::sys::address::{Family, RawAddress};
use crate::sys::check;

/// Datagrams of one size to one destination; the last may be shorter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) to: &'a Destination,
    pub(super) bytes: &'a [u8],
    pub(super) segment_bytes: u16,
}

/// How far a row of messages went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The first message that is not done.
    pub(super) message: usize,
    /// How many of its bytes are.
    pub(super) offset: usize,
    /// The kernel refused this message as a whole: its datagrams go one by one.
    singly: Singly,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Singly {
    #[default]
    No,
    /// Something about this run or its way (its length, a smaller MTU).
    Run,
    /// Maybe GSO as such; if a datagram of the run goes alone, it was.
    Suspect,
}

/// Sends; shared by all sockets.
pub(super) struct Sender {
    arrays: Box<Arrays>,
    sendmmsg: SendCall,
    /// Calls of sendmmsg.
    pub(super) calls: u64,
    /// Datagrams in each message that was sent.
    pub(super) run_lengths: Histogram,
}

/// The one system call; another one in tests, for a loopback interface never has a full send buffer.
pub(super) type SendCall = unsafe fn(RawFd, &mut [libc::mmsghdr]) -> io::Result<usize>;

impl Sender {
    pub(super) fn new() -> Self {
        Self::with_call(sendmmsg)
    }

    pub(super) fn with_call(sendmmsg: SendCall) -> Self {
        Self { arrays: Box::new(Arrays::new()), sendmmsg, calls: 0, run_lengths: Histogram::default() }
    }

    /// Sends message 0, 1, .. of `messages` until there is none, from `socket`. `Err`: the socket's buffer is full,
    /// and what is left begins there.
    pub(super) fn send<'a>(
        &mut self,
        socket: &mut Socket,
        messages: impl Fn(usize) -> Option<Outgoing<'a>>,
    ) -> Result<(), Cursor> {
        let mut cursor = Cursor::default();
        loop {
            let filled = self.fill(socket, cursor, &messages);
            if filled == 0 {
                return Ok(());
            }
            cursor = match self.call(socket, filled) {
                Ok(sent) => self.on_sent(socket, sent.clamp(1, filled)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => cursor,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(cursor),
                Err(error) => self.on_refused(socket, cursor, &error),
            };
        }
    }

    /// Prepares up to 64 pieces from `cursor` on; answers how many.
    fn fill<'a>(
        &mut self,
        socket: &Socket,
        cursor: Cursor,
        messages: &impl Fn(usize) -> Option<Outgoing<'a>>,
    ) -> usize {
        let mut next = cursor;
        let mut filled = 0;
        let Arrays { headers, vectors, addresses, control, pieces } = &mut *self.arrays;
        let places = headers.iter_mut().zip(vectors).zip(addresses).zip(control).zip(pieces);
        for ((((header, vector), address), control), piece) in places {
            let Some(message) = messages(next.message) else { break };
            let bytes = next.piece(&message, socket.gso);
            *piece = Piece {
                singly: next.singly,
                bytes: bytes.len(),
                segment_bytes: message.segment_bytes,
                end: next.after(&message, bytes.len()),
            };
            next = piece.end;
            // The kernel only reads what a sent message points at.
            *vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            header.msg_hdr.msg_name = address.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = address.write(socket.family, message.to.remote);
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            write_control(control, socket.family, &message, bytes.len());
            header.msg_hdr.msg_control =
                if control.used() == 0 { ptr::null_mut() } else { control.as_mut_ptr().cast() };
            header.msg_hdr.msg_controllen = control.used();
            filled += 1;
        }
        filled
    }

    fn call(&mut self, socket: &Socket, filled: usize) -> io::Result<usize> {
        self.calls += 1;
        let headers = self.arrays.headers.get_mut(..filled).unwrap_or_default();
        // SAFETY: `fill` just pointed each of these headers at an address, a control buffer and an iovec of the boxed
        // arrays, and the iovec at bytes that the caller of `send` holds until it returns; all outlive the call.
        unsafe { (self.sendmmsg)(socket.raw_fd(), headers) }
    }

    fn on_sent(&mut self, socket: &mut Socket, sent: usize) -> Cursor {
        let mut end = Cursor::default();
        for piece in self.arrays.pieces.iter().take(sent) {
            if piece.singly == Singly::Suspect {
                socket.gso = false;
            }
            self.run_lengths.record(piece.datagrams());
            socket.stats.sent_datagrams += piece.datagrams();
            socket.stats.sent_bytes += piece.bytes as u64;
            socket.stats.sent_gso_runs += u64::from(piece.datagrams() > 1);
            end = piece.end;
        }
        end
    }

    /// The first piece was refused. A run may fare better one by one; a single datagram is given up.
    fn on_refused(&self, socket: &mut Socket, cursor: Cursor, error: &io::Error) -> Cursor {
        let errno = error.raw_os_error().unwrap_or_default();
        let [piece, ..] = &self.arrays.pieces;
        if piece.datagrams() > 1 && !concerns_destination(errno) {
            return Cursor { singly: Singly::after(errno, piece.segment_bytes), ..cursor };
        }
        count(&mut socket.stats.send_errors, errno, piece.datagrams());
        piece.end
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Cursor {
    pub(super) const fn at(message: usize, offset: usize) -> Self {
        Self { message, offset, singly: Singly::No }
    }

    /// The bytes to send next: the rest of the message, or its next datagram.
    fn piece<'a>(&self, message: &Outgoing<'a>, gso: bool) -> &'a [u8] {
        let rest = message.bytes.get(self.offset..).unwrap_or_default();
        if gso && self.singly == Singly::No {
            return rest;
        }
        rest.get(..usize::from(message.segment_bytes)).unwrap_or(rest)
    }

    fn after(self, message: &Outgoing<'_>, bytes: usize) -> Self {
        let offset = self.offset + bytes;
        if offset >= message.bytes.len() || bytes == 0 {
            return Self::at(self.message + 1, 0);
        }
        Self { offset, ..self }
    }
}

impl Singly {
    /// What a refused run tells of GSO.
    fn after(errno: i32, segment_bytes: u16) -> Self {
        match errno {
            // EIO: no checksum offload (Linux before 6.11) or IPsec on the way; ENOPROTOOPT: no GSO at all.
            libc::EIO | libc::ENOPROTOOPT | libc::EOPNOTSUPP => Self::Suspect,
            // EINVAL says before Linux 6.13 also that a segment exceeds the MTU, which a segment this short does not.
            libc::EINVAL if segment_bytes <= SEGMENT_BYTES_ANYWHERE => Self::Suspect,
            _ => Self::Run,
        }
    }
}

/// Whether an error is the destination's, so that datagrams one by one would fare no better.
fn concerns_destination(errno: i32) -> bool {
    matches!(
        errno,
        libc::ECONNREFUSED
            | libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EPERM
            | libc::EACCES
            | libc::EAFNOSUPPORT
            | libc::EADDRNOTAVAIL
            | libc::EDESTADDRREQ
    )
}

fn count(errors: &mut SendErrors, errno: i32, datagrams: u64) {
    let counter = match errno {
        libc::ECONNREFUSED => &mut errors.refused,
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN => &mut errors.unreachable,
        libc::EPERM | libc::EACCES => &mut errors.not_permitted,
        libc::EMSGSIZE => &mut errors.too_long,
        libc::EINVAL | libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EDESTADDRREQ => {
            &mut errors.invalid_address
        }
        _ => &mut errors.other,
    };
    *counter += datagrams;
}

fn write_control(
    control: &mut ControlBytes<SEND_CONTROL_BYTES>,
    family: Family,
    message: &Outgoing<'_>,
    bytes: usize,
) {
    control.clear();
    if bytes > usize::from(message.segment_bytes) {
        control.put_segment(message.segment_bytes);
    }
    if let Some(ip) = message.to.local_ip {
        control.put_source(family, ip);
    }
}

/// # Safety
/// Each header's pointers must be null or valid for what the header says of them, for reading, during the call.
unsafe fn sendmmsg(socket: RawFd, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    let count = libc::c_uint::try_from(headers.len()).unwrap_or(0);
    // SAFETY: `headers` are `count` headers, and the caller vouches for what they point at.
    let sent = check(unsafe { libc::sendmmsg(socket, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT) })?;
    Ok(usize::try_from(sent).unwrap_or(0))
}

/// What one header sends, and where the row stands after it.
#[derive(Clone, Copy, Debug)]
struct Piece {
    singly: Singly,
    bytes: usize,
    segment_bytes: u16,
    end: Cursor,
}

impl Piece {
    fn datagrams(&self) -> u64 {
        (self.bytes as u64).div_ceil(u64::from(self.segment_bytes).max(1))
    }
}

/// What sendmmsg reads beside the datagrams. Its pointers are written anew before each call.
struct Arrays {
    headers: [libc::mmsghdr; PIECES],
    vectors: [libc::iovec; PIECES],
    addresses: [RawAddress; PIECES],
    control: [ControlBytes<SEND_CONTROL_BYTES>; PIECES],
    pieces: [Piece; PIECES],
}

impl Arrays {
    const fn new() -> Self {
        const NO_PIECE: Piece =
            Piece { singly: Singly::No, bytes: 0, segment_bytes: 0, end: Cursor::at(0, 0) };
        Self {
            headers: [super::EMPTY_HEADER; PIECES],
            vectors: [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; PIECES],
            addresses: [RawAddress::EMPTY; PIECES],
            control: [ControlBytes::EMPTY; PIECES],
            pieces: [NO_PIECE; PIECES],
        }
    }
}

/// Messages in one system call; more gain nothing (measured: 64 against 32 and 256).
const PIECES: usize = 64;

/// A datagram of this many bytes fits any IPv6 path: 1,280 bytes (RFC 8200 5) less 40 and 8 of headers.
const SEGMENT_BYTES_ANYWHERE: u16 = 1_232;
