//! Receives what a forwarder sends, one socket per receiving peer, and counts it.
//!
//! Knows recvmmsg, kernel receive times, stamps, and SRTP where that is expected. Does not know RTP beyond where a payload
//! begins, nor which SSRC a forwarder chose: the stamp says which stream it is. Called by `Load` in the free moments
//! between packets.
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
use tidegate_worker::base::time::Time;
use tidegate_worker::rtp::header::payload_offset;
use tidegate_worker::srtp::{Keys, Unprotect};

use super::tally::Tally;
use super::{Outcome, peer_socket};
use crate::clock;
use crate::stats::Histogram;
use crate::traffic::media::{DATAGRAM_BYTES_MAX, SEEN_BYTES, Stamp};

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
    /// What takes SRTP off, where that comes.
    srtp: Option<Box<Unprotect>>,
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

    /// A sink will get SRTP under these keys, and what is not authentic does not count. All of each datagram is read now.
    ///
    /// # Errors
    /// There is no cipher for them.
    pub fn expect_srtp(&mut self, sink: usize, keys: &Keys) -> io::Result<()> {
        let session = Unprotect::new(keys).ok_or(io::ErrorKind::Unsupported)?;
        if let Some(sink) = self.sinks.get_mut(sink) {
            sink.srtp = Some(Box::new(session));
        }
        self.reader.seen_bytes = SECURED_BYTES_MAX;
        Ok(())
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
                let plain = match &mut sink.srtp {
                    Some(session) => open(session, datagram),
                    None => Some(&*datagram),
                };
                let Some(stamp) = plain.and_then(Stamp::read) else {
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
        Ok(Self { socket, tallies: Vec::new(), srtp: None })
    }
}

/// A packet without SRTP. `None`: RTCP, or nothing that came under these keys.
fn open<'a>(session: &mut Unprotect, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
    let header_bytes = payload_offset(datagram).ok()?;
    let bytes = session.rtp(datagram, header_bytes, Time::from_millis(1)).ok()?;
    datagram.get(..bytes)
}

/// Buffers for one recvmmsg: of each datagram no more is copied than is looked at.
#[derive(Debug)]
struct Reader {
    headers: MultiHeaders<SockaddrIn>,
    buffers: Box<[[u8; SECURED_BYTES_MAX]; BATCH]>,
    /// How much of each buffer is used.
    seen_bytes: usize,
    /// Bytes in the buffer, and when the kernel received them.
    received: [(usize, u64); BATCH],
}

impl Reader {
    fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))),
            buffers: Box::new([[0; SECURED_BYTES_MAX]; BATCH]),
            seen_bytes: SEEN_BYTES,
            received: [(0, 0); BATCH],
        }
    }

    fn read(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let seen_bytes = self.seen_bytes;
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(&mut buffer[..seen_bytes])]);
        let (descriptor, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let messages = match recvmmsg(descriptor, &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(messages) => messages,
            // Refused: nobody listened where a datagram of ours went, before the forwarder began.
            Err(Errno::EAGAIN | Errno::ECONNREFUSED | Errno::EINTR) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        };
        let mut count = 0;
        for (message, received) in messages.zip(&mut self.received) {
            *received = (message.bytes.min(seen_bytes), receive_time(&message));
            count += 1;
        }
        Ok(count)
    }

    fn datagrams(&mut self, count: usize) -> impl Iterator<Item = (&mut [u8], u64)> {
        let received = self.buffers.iter_mut().zip(&self.received).take(count);
        received.map(|(buffer, (bytes, received_ns))| (&mut buffer[..*bytes], *received_ns))
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

/// The largest datagram that a source writes, and the longest tag.
const SECURED_BYTES_MAX: usize = DATAGRAM_BYTES_MAX + 16;
const BATCH: usize = 64;
const ROUND_NS: u64 = 5_000_000; // 100 packets at 20,000 packets per second: a small part of the buffer
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use tidegate_worker::srtp::{Body, Protect, Suite};

    use super::*;
    use crate::traffic::Traffic;
    use crate::traffic::media::{Codec, Packetizer};

    /// Sends packets of stream 7 to a sink that expects it under `keys`; how many count, and how many do not.
    fn counted(keys: &Keys, datagrams: &[Vec<u8>]) -> (u64, u64) {
        let mut sinks = Sinks::open(1).unwrap();
        sinks.expect(0, 7);
        sinks.expect_srtp(0, keys).unwrap();
        sinks.open_window(&[0; 8]);
        let (socket, to) = (peer_socket().unwrap(), sinks.addresses().unwrap()[0]);
        for datagram in datagrams {
            socket.send_to(datagram, to).unwrap();
        }
        sinks.sweep_all().unwrap();
        sinks.close_window(&[9; 8]);
        let mut outcome = Outcome::default();
        sinks.collect(&mut outcome);
        (outcome.received, outcome.other_datagrams)
    }

    #[test]
    fn what_comes_under_the_keys_counts_and_nothing_else() {
        for suite in Suite::ALL {
            let keys = Keys::new(suite, &vec![3; suite.master_bytes()]).unwrap();
            let mut session = Protect::new(&keys).unwrap();
            let (mut schedule, mut out) = (Traffic::Vp8.schedule(0), [0; DATAGRAM_BYTES_MAX]);
            let mut packetizer = Packetizer::new(Codec::Vp8, 101, 0x1234_5678, 7);
            let mut datagrams = Vec::new();
            for _ in 0..3 {
                let plain = packetizer.write(&schedule.next_step(), 10, &mut out);
                let header_bytes = payload_offset(plain).unwrap();
                let payload = &plain[header_bytes..];
                let mut sealed = plain.to_vec();
                sealed.resize(plain.len() + suite.rtp_tag_bytes(), 0);
                let body = Body { header_bytes, payload_offset: header_bytes, payload };
                session.rtp(&mut sealed, body).unwrap();
                datagrams.push(sealed);
            }
            assert_eq!(counted(&keys, &datagrams), (3, 0), "{}", suite.name());
            datagrams[1][40] ^= 1;
            datagrams.push(out[..200].to_vec());
            assert_eq!(counted(&keys, &datagrams), (2, 2), "{}", suite.name());
        }
    }
}
