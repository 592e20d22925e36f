//! Receives what a forwarder sends, one socket per receiving peer, and counts it.
//!
//! Knows recvmmsg, kernel receive times and stamps. Does not know RTP beyond where a payload begins, nor which SSRC a
//! forwarder chose: the stamp says which stream it is. Called by `Load` in the free moments between packets.
//! Its invariant: each socket is swept often enough that its buffer never fills at the rates of a benchmark.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use super::tally::Tally;
use super::{Outcome, peer_socket};
use crate::clock;
use crate::stats::Histogram;
use crate::traffic::media::{SEEN_BYTES, Stamp};

/// All receiving peers.
#[derive(Debug)]
pub struct Sinks {
    sinks: Vec<Sink>,
    reader: Reader,
    latency: Histogram,
    measuring: bool,
    /// The sink that is swept next, and when its round began.
    cursor: usize,
    round_ns: u64,
    other_datagrams: u64,
}

#[derive(Debug)]
struct Sink {
    socket: UdpSocket,
    /// The streams that it expects, by their number.
    tallies: Vec<(u32, Tally)>,
}

impl Sinks {
    /// Opens `count` sockets that expect nothing yet.
    ///
    /// # Errors
    /// The system has no ports or descriptors left, or refuses receive times.
    pub fn open(count: usize) -> io::Result<Self> {
        let sinks = (0..count).map(|_| Sink::open()).collect::<io::Result<_>>()?;
        Ok(Self {
            sinks,
            reader: Reader::new(),
            latency: Histogram::new(),
            measuring: false,
            cursor: 0,
            round_ns: 0,
            other_datagrams: 0,
        })
    }

    /// Where each one receives.
    ///
    /// # Errors
    /// A socket fails.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.sinks.iter().map(|sink| sink.socket.local_addr()).collect()
    }

    /// Sends a datagram from a sink's socket (what a comedia transport needs to learn its address).
    ///
    /// # Errors
    /// There is no such sink, or its socket fails.
    pub fn send_from(&self, sink: usize, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let sink = self.sinks.get(sink).ok_or(io::ErrorKind::NotFound)?;
        sink.socket.send_to(bytes, to).map(|_| ())
    }

    /// Lets a sink count a stream.
    pub fn expect(&mut self, sink: usize, stream: u32) {
        if let Some(sink) = self.sinks.get_mut(sink) {
            sink.tallies.push((stream, Tally::new()));
        }
    }

    /// From now on packets count; `packets` says how many each stream has sent before.
    pub fn open_window(&mut self, packets: &[u64]) {
        self.measuring = true;
        self.latency = Histogram::new();
        self.other_datagrams = 0;
        self.for_each_tally(packets, Tally::open_window);
    }

    /// Packets sent from now on do not count.
    pub fn close_window(&mut self, packets: &[u64]) {
        self.for_each_tally(packets, Tally::close_window);
    }

    fn for_each_tally(&mut self, packets: &[u64], change: impl Fn(&mut Tally, u64)) {
        let tallies = self.sinks.iter_mut().flat_map(|sink| &mut sink.tallies);
        for (stream, tally) in tallies {
            let sent = usize::try_from(*stream).ok().and_then(|stream| packets.get(stream));
            change(tally, sent.copied().unwrap_or(0));
        }
    }

    /// Reads the next socket of the round, if a round is due; says whether it did.
    ///
    /// # Errors
    /// A socket fails.
    pub fn sweep_due(&mut self, now_ns: u64) -> io::Result<bool> {
        if self.cursor >= self.sinks.len() {
            if now_ns < self.next_sweep_ns() {
                return Ok(false);
            }
            self.cursor = 0;
        }
        if self.cursor == 0 {
            self.round_ns = now_ns;
        }
        self.cursor += 1;
        self.sweep(self.cursor - 1).map(|()| true)
    }

    /// When the next round is due; now when one is under way.
    pub fn next_sweep_ns(&self) -> u64 {
        if self.cursor < self.sinks.len() { 0 } else { self.round_ns + ROUND_NS }
    }

    /// Reads every socket until it is empty.
    ///
    /// # Errors
    /// A socket fails.
    pub fn sweep_all(&mut self) -> io::Result<()> {
        (0..self.sinks.len()).try_for_each(|index| self.sweep(index))
    }

    fn sweep(&mut self, index: usize) -> io::Result<()> {
        let Some(sink) = self.sinks.get_mut(index) else { return Ok(()) };
        loop {
            let count = self.reader.read(&sink.socket)?;
            for (datagram, received_ns) in self.reader.datagrams(count) {
                let Some(stamp) = Stamp::read(datagram) else {
                    self.other_datagrams += 1;
                    continue;
                };
                let tally = sink.tallies.iter_mut().find(|(stream, _)| *stream == stamp.stream);
                let counted = tally.and_then(|(_, tally)| tally.on_packet(stamp.packet));
                if counted.is_some() {
                    self.latency.record(received_ns.saturating_sub(stamp.sent_ns));
                }
            }
            if count < BATCH {
                return Ok(());
            }
        }
    }

    /// Adds up what all sinks have counted.
    pub fn collect(&self, outcome: &mut Outcome) {
        for (_, tally) in self.sinks.iter().flat_map(|sink| &sink.tallies) {
            outcome.expected += tally.expected();
            outcome.received += tally.received;
            outcome.duplicates += tally.duplicates;
            outcome.disordered += tally.disordered;
        }
        outcome.other_datagrams = self.other_datagrams;
        outcome.latency = self.latency.clone();
    }
}

impl Sink {
    fn open() -> io::Result<Self> {
        let socket = peer_socket()?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // Root may exceed the system's limit; others get what the limit gives.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
        }
        Ok(Self { socket, tallies: Vec::new() })
    }
}

/// Buffers for one recvmmsg: only the beginning of each datagram is copied.
#[derive(Debug)]
struct Reader {
    headers: MultiHeaders<SockaddrIn>,
    buffers: Box<[[u8; SEEN_BYTES]; BATCH]>,
    /// Bytes in the buffer, and when the kernel received them.
    received: [(usize, u64); BATCH],
}

impl Reader {
    fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))),
            buffers: Box::new([[0; SEEN_BYTES]; BATCH]),
            received: [(0, 0); BATCH],
        }
    }

    fn read(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let (descriptor, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let messages = match recvmmsg(descriptor, &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(messages) => messages,
            // Refused: nobody listened where a datagram of ours went, before the forwarder began.
            Err(Errno::EAGAIN | Errno::ECONNREFUSED | Errno::EINTR) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        };
        let mut count = 0;
        for (message, received) in messages.zip(&mut self.received) {
            *received = (message.bytes.min(SEEN_BYTES), receive_time(&message));
            count += 1;
        }
        Ok(count)
    }

    fn datagrams(&self, count: usize) -> impl Iterator<Item = (&[u8], u64)> {
        let received = self.buffers.iter().zip(&self.received).take(count);
        received.map(|(buffer, (bytes, received_ns))| (&buffer[..*bytes], *received_ns))
    }
}

/// The kernel's receive time; now when it has none.
fn receive_time<S>(message: &RecvMsg<'_, '_, S>) -> u64 {
    let stamp = |message| match message {
        ControlMessageOwned::ScmTimestampns(time) => Some(time),
        _ => None,
    };
    let time = message.cmsgs().ok().and_then(|mut messages| messages.find_map(stamp));
    time.map_or_else(clock::wall_ns, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}

const BATCH: usize = 64;
const ROUND_NS: u64 = 5_000_000; // 100 packets at 20,000 packets per second: a small part of the buffer
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
