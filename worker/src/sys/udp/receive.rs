//! Receiving: recvmmsg straight into pool buffers.
//!
//! Knows batches, kernel timestamps and truncation. Does not know what arrives. Called by `UdpSockets::receive_next`.
//! Invariant: a socket is always read, even when the pool refuses buffers: a socket that is watched edge-triggered
//! and left unread would fall silent for ever.
#![expect(unsafe_code, reason = "recvmmsg")]

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use super::control::{ControlBytes, Note, RECEIVE_CONTROL_BYTES};
use crate::base::pool::{Buffer, Class, Pool};
use crate::network::Datagram;
use crate::sys::address::{RAW_ADDRESS_BYTES, RawAddress};
use crate::sys::check;
use crate::sys::clock::Moment;

/// Reads batches; shared by all sockets.
pub(super) struct Receiver {
    /// Where the next datagrams go, last one first: a buffer that was not filled is the next one's, still warm.
    spare: Vec<Buffer>,
    arrays: Box<Arrays>,
    /// Calls of recvmmsg.
    pub(super) calls: u64,
}

/// What one call read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// How many datagrams were read.
    pub(super) count: usize,
    /// Whether they were thrown away for lack of memory.
    pub(super) discarded: bool,
    /// Whether there may be more.
    pub(super) more: bool,
}

/// What is known of one received datagram beside its bytes.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) wall_nanos: Option<u64>,
    pub(super) local_ip: Option<std::net::IpAddr>,
    pub(super) dropped: Option<u32>,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self { spare: Vec::with_capacity(BATCH), arrays: Box::new(Arrays::new()), calls: 0 }
    }

    /// Reads up to 64 datagrams. An error is the socket's own trouble; it may still have more to read.
    pub(super) fn read(&mut self, socket: RawFd, pool: &mut Pool) -> io::Result<Batch> {
        self.refill(pool);
        let discarded = self.spare.is_empty();
        let wanted = if discarded { BATCH } else { self.spare.len() };
        self.prepare(wanted);
        let count = self.call(socket, wanted)?;
        Ok(Batch { count, discarded, more: count == wanted })
    }

    /// The `index`th datagram of the last batch, which was not discarded; to be called once for each, in order.
    /// `None`: it came from no IP address, and is dropped.
    pub(super) fn take(
        &mut self,
        index: usize,
        moment: &Moment,
        socket: crate::network::SocketKey,
    ) -> Option<(Datagram, Notes)> {
        let mut buffer = self.spare.pop()?;
        let remote = self.arrays.addresses.get(index)?.read()?;
        let header = self.arrays.headers.get(index)?;
        // With MSG_TRUNC in its flags a datagram was longer than its buffer; `msg_len` is what fitted.
        let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        buffer.set_len(usize::try_from(header.msg_len).unwrap_or(usize::MAX));
        let notes = self.notes(index);
        let received_at = notes.wall_nanos.map_or(moment.now, |nanos| moment.monotonic(nanos));
        let datagram = Datagram { socket, remote, local_ip: notes.local_ip, received_at, buffer, truncated };
        Some((datagram, notes))
    }

    /// What the kernel noted beside the `index`th datagram of the last batch.
    pub(super) fn notes(&mut self, index: usize) -> Notes {
        let mut notes = Notes::default();
        let (Some(control), Some(header)) =
            (self.arrays.control.get_mut(index), self.arrays.headers.get(index))
        else {
            return notes;
        };
        control.set_used(header.msg_hdr.msg_controllen);
        for note in control.iter() {
            match note {
                Note::ReceivedAt(nanos) => notes.wall_nanos = Some(nanos),
                Note::LocalIp(ip) => notes.local_ip = Some(ip),
                Note::Dropped(count) => notes.dropped = Some(count),
            }
        }
        notes
    }

    /// Gives unused buffers back to the pool: they would keep chunks from going back to the system.
    pub(super) fn reclaim(&mut self) {
        self.spare.clear();
    }

    fn refill(&mut self, pool: &mut Pool) {
        while self.spare.len() < BATCH {
            let Some(buffer) = pool.take(Class::Large) else { break };
            self.spare.push(buffer);
        }
    }

    /// Points the first `wanted` headers at the spare buffers, last one first; at nothing when there are none: the
    /// kernel then throws the bytes away.
    fn prepare(&mut self, wanted: usize) {
        let Arrays { headers, vectors, addresses, control } = &mut *self.arrays;
        let mut buffers = self.spare.iter_mut().rev();
        let places = headers.iter_mut().zip(vectors).zip(addresses).zip(control);
        for (((header, vector), address), control) in places.take(wanted) {
            *vector = match buffers.next() {
                Some(buffer) => {
                    libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.capacity() }
                }
                None => libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 },
            };
            header.msg_len = 0;
            header.msg_hdr.msg_name = address.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = RAW_ADDRESS_LENGTH;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = RECEIVE_CONTROL_BYTES;
            header.msg_hdr.msg_flags = 0;
        }
    }

    /// One recvmmsg; zero datagrams when there is none.
    fn call(&mut self, socket: RawFd, wanted: usize) -> io::Result<usize> {
        debug_assert!(wanted <= BATCH);
        self.calls += 1;
        let headers = self.arrays.headers.as_mut_ptr();
        let wanted = libc::c_uint::try_from(wanted).unwrap_or(0);
        // SAFETY: the first `wanted` headers were just prepared: each points at an address, a control buffer and an
        // iovec of this receiver's boxed arrays, and the iovec at the whole of a buffer that only `spare` holds (or at
        // zero bytes). All of them outlive the call, which may only write there.
        let result = unsafe { libc::recvmmsg(socket, headers, wanted, libc::MSG_DONTWAIT, ptr::null_mut()) };
        match check(result) {
            Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("spare", &self.spare.len()).field("calls", &self.calls).finish()
    }
}

/// What recvmmsg reads and writes beside the buffers. Its pointers are written anew before each call.
struct Arrays {
    headers: [libc::mmsghdr; BATCH],
    vectors: [libc::iovec; BATCH],
    addresses: [RawAddress; BATCH],
    control: [ControlBytes<RECEIVE_CONTROL_BYTES>; BATCH],
}

impl Arrays {
    const fn new() -> Self {
        Self {
            headers: [super::EMPTY_HEADER; BATCH],
            vectors: [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH],
            addresses: [RawAddress::EMPTY; BATCH],
            control: [ControlBytes::EMPTY; BATCH],
        }
    }
}

/// Datagrams in one call, and of one socket in one turn: 64 full-size packets are one chunk of the pool.
pub(super) const BATCH: usize = 64;
#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const RAW_ADDRESS_LENGTH: libc::socklen_t = RAW_ADDRESS_BYTES as libc::socklen_t;
