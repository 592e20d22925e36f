//! Sends streams at their times, through a simulated access network if wanted; answers requests for key frames.
//!
//! Knows schedules, sockets and pacing. Does not know who forwards or receives. Called by `Load`.
//! Its invariant: packets of one stream leave in their order, whatever the jitter.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use std::io::IoSlice;
use std::os::fd::AsRawFd;

use super::StreamPlan;
use crate::clock;
use crate::stats::Histogram;
use crate::traffic::media::{DATAGRAM_BYTES_MAX, Packetizer};
use crate::traffic::{Schedule, Step};

/// All streams, and the sockets that send them.
#[derive(Debug)]
pub struct Sources {
    sockets: Vec<UdpSocket>,
    streams: Vec<Stream>,
    start_ns: u64,
    jitter: Jitter,
    /// Which stream is due next, and when.
    next: Option<(usize, u64)>,
    /// Nanoseconds by which packets left later than planned.
    pub lateness: Histogram,
    /// PLI and FIR that came back.
    pub key_frame_requests: u64,
    /// Sends that failed: buffer full, or nobody there.
    pub send_errors: u64,
}

#[derive(Debug)]
struct Stream {
    source: usize,
    schedule: Schedule,
    packetizer: Packetizer,
    step: Step,
    due_ns: u64,
}

impl Sources {
    /// Streams sent by `sockets`, which are connected to the forwarder. Each packet is delayed by up to `jitter_us`,
    /// random and without overtaking, before it leaves.
    pub fn new(sockets: Vec<UdpSocket>, plans: &[StreamPlan], jitter_us: u64) -> Self {
        let stream = |(number, plan): (u32, &StreamPlan)| {
            let mut schedule = plan.traffic.schedule(plan.start_us);
            let step = schedule.next_step();
            let packetizer = Packetizer::new(plan.codec(), plan.payload_type, plan.ssrc, number);
            Stream { source: plan.source, schedule, packetizer, step, due_ns: 0 }
        };
        Self {
            sockets,
            streams: (0..).zip(plans).map(stream).collect(),
            start_ns: 0,
            jitter: Jitter { most_ns: jitter_us * 1_000, state: JITTER_SEED },
            next: None,
            lateness: Histogram::new(),
            key_frame_requests: 0,
            send_errors: 0,
        }
    }

    /// A second handle of a source's socket.
    ///
    /// # Errors
    /// There is no such source, or no descriptor left.
    pub fn socket(&self, source: usize) -> io::Result<UdpSocket> {
        self.sockets.get(source).ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// Lets the schedules begin at `start_ns` of the monotonic clock.
    pub fn start(&mut self, start_ns: u64) {
        self.start_ns = start_ns;
        for stream in &mut self.streams {
            stream.due_ns = start_ns + stream.step.at_us * 1_000;
        }
        self.next = self.soonest();
    }

    /// When the next packet is due; the far future when there is no stream.
    pub fn next_ns(&self) -> u64 {
        self.next.map_or(u64::MAX, |(_, due_ns)| due_ns)
    }

    /// How many packets each stream has sent.
    pub fn packets(&self) -> Vec<u64> {
        self.streams.iter().map(|stream| stream.packetizer.packets()).collect()
    }

    /// Sends one packet if one is due; says whether it did.
    ///
    /// # Errors
    /// The socket fails for another reason than a full buffer or an absent peer.
    pub fn send_due(&mut self, now_ns: u64) -> io::Result<bool> {
        let Some((index, due_ns)) = self.next.filter(|(_, due_ns)| *due_ns <= now_ns) else {
            return Ok(false);
        };
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        let stream = &mut self.streams[index];
        let bytes = stream.packetizer.write(&stream.step, clock::wall_ns(), &mut datagram);
        let sent = self.sockets[stream.source].send(bytes);
        stream.step = stream.schedule.next_step();
        let planned_ns = self.start_ns + stream.step.at_us * 1_000;
        stream.due_ns = self.jitter.delay(planned_ns).max(stream.due_ns);
        self.lateness.record(now_ns - due_ns);
        self.next = self.soonest();
        self.note(sent)?;
        Ok(true)
    }

    /// Reads RTCP that came back, and makes key frames where they are asked for.
    ///
    /// # Errors
    /// A socket fails.
    pub fn read_feedback(&mut self) -> io::Result<()> {
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for source in 0..self.sockets.len() {
            loop {
                match self.sockets[source].recv(&mut datagram) {
                    Ok(bytes) => self.on_feedback(source, &datagram[..bytes]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Which of a source's streams is meant does not matter: a key frame more costs nothing here.
    fn on_feedback(&mut self, source: usize, compound: &[u8]) {
        let requests = key_frame_requests(compound);
        if requests > 0 {
            self.key_frame_requests += requests;
            let streams = self.streams.iter_mut().filter(|stream| stream.source == source);
            streams.for_each(|stream| stream.packetizer.want_key_frame());
        }
    }

    fn note(&mut self, sent: io::Result<usize>) -> io::Result<()> {
        match sent {
            Ok(_) => Ok(()),
            Err(error) if is_passing(&error) => {
                self.send_errors += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn soonest(&self) -> Option<(usize, u64)> {
        let due = self.streams.iter().map(|stream| stream.due_ns).enumerate();
        due.min_by_key(|(_, due_ns)| *due_ns)
    }
}

/// Sends as many packets as it can to one address: 64 a call, of an SSRC that nobody knows.
#[derive(Debug)]
pub struct Flood {
    from: Vec<Flooder>,
    /// Whose turn it is.
    turn: usize,
    to: SockaddrIn,
    headers: MultiHeaders<SockaddrIn>,
    /// From batch to batch; 0: as fast as it goes.
    every_ns: u64,
    due_ns: u64,
    /// Sends nothing before the window.
    pub waits: bool,
    /// How many packets were sent.
    pub sent: u64,
}

/// One socket that floods.
#[derive(Debug)]
struct Flooder {
    socket: UdpSocket,
    /// What is sent, one after the other and again.
    datagrams: Vec<Vec<u8>>,
    next: usize,
}

impl Flood {
    /// From `socket` to an IPv4 address: packets of a stream that nobody announced, as fast as it goes.
    pub fn new(socket: UdpSocket, to: SocketAddr) -> Option<Self> {
        Self::of(socket, to, vec![FLOOD_PACKET.to_vec()], 0)
    }

    /// From `socket` to an IPv4 address: these, so many a second; 0 is as many as it can.
    pub fn of(socket: UdpSocket, to: SocketAddr, datagrams: Vec<Vec<u8>>, per_second: u64) -> Option<Self> {
        Self::from_all(vec![(socket, datagrams)], to, per_second)
    }

    /// From each of these sockets by turns, with datagrams of its own.
    pub fn from_all(from: Vec<(UdpSocket, Vec<Vec<u8>>)>, to: SocketAddr, per_second: u64) -> Option<Self> {
        let SocketAddr::V4(to) = to else { return None };
        if from.is_empty() || from.iter().any(|(_, datagrams)| datagrams.is_empty()) {
            return None;
        }
        let from = from.into_iter().map(|(socket, datagrams)| Flooder { socket, datagrams, next: 0 });
        Some(Self {
            from: from.collect(),
            turn: 0,
            to: to.into(),
            headers: MultiHeaders::preallocate(FLOOD_BATCH, None),
            every_ns: (FLOOD_BATCH as u64 * 1_000_000_000).checked_div(per_second).unwrap_or(0),
            due_ns: 0,
            waits: false,
            sent: 0,
        })
    }

    /// Sends one batch, if it is due.
    ///
    /// # Errors
    /// The socket fails for another reason than a full buffer or an absent peer.
    pub fn send(&mut self, now_ns: u64) -> io::Result<()> {
        if self.waits || now_ns < self.due_ns {
            return Ok(());
        }
        // What was missed is sent late, but no more of it than a tenth of a second.
        self.due_ns = self.due_ns.max(now_ns.saturating_sub(100_000_000)) + self.every_ns;
        self.turn = (self.turn + 1) % self.from.len();
        let Some(Flooder { socket, datagrams, next }) = self.from.get_mut(self.turn) else { return Ok(()) };
        let datagram = |number: usize| datagrams.get((*next + number) % datagrams.len());
        let messages: [_; FLOOD_BATCH] =
            std::array::from_fn(|number| [IoSlice::new(datagram(number).map_or(&[], Vec::as_slice))]);
        *next = (*next + FLOOD_BATCH) % datagrams.len();
        let to = [Some(self.to); FLOOD_BATCH];
        match sendmmsg(socket.as_raw_fd(), &mut self.headers, &messages, to, [], MsgFlags::empty()) {
            Ok(sent) => self.sent += u64::try_from(sent.count()).unwrap_or(0),
            Err(errno) if is_passing(&errno.into()) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

/// Delays as an access network does: up to a limit, evenly distributed, the same in every run.
#[derive(Debug)]
struct Jitter {
    most_ns: u64,
    state: u64,
}

impl Jitter {
    fn delay(&mut self, planned_ns: u64) -> u64 {
        if self.most_ns == 0 {
            return planned_ns;
        }
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        planned_ns + (mixed ^ (mixed >> 31)) % (self.most_ns + 1)
    }
}

/// How many PLI and FIR (RFC 4585 6.3.1, RFC 5104 4.3.1) a compound holds.
fn key_frame_requests(compound: &[u8]) -> u64 {
    let mut rest = compound;
    let mut requests = 0;
    while let [first, packet_type, high, low, ..] = *rest {
        let is_request = packet_type == 206 && matches!(first & 0x1F, 1 | 4);
        requests += u64::from(is_request);
        let bytes = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        rest = rest.get(bytes..).unwrap_or(&[]);
    }
    requests
}

/// A full buffer, or nobody there yet: what a network does to packets anyway.
fn is_passing(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted)
        || error.raw_os_error() == Some(libc::ENOBUFS)
}

const JITTER_SEED: u64 = 1;
const FLOOD_BATCH: usize = 64;
static FLOOD_PACKET: [u8; 1_112] = {
    let mut packet = [0; 1_112];
    packet[0] = 0x80;
    packet[1] = 96;
    packet[8] = 0xF1;
    packet
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::peer_socket;
    use crate::traffic::Traffic;

    fn plan(traffic: Traffic) -> StreamPlan {
        StreamPlan { traffic, source: 0, ssrc: 1, payload_type: 101, start_us: 0 }
    }

    fn sources(jitter_us: u64) -> (Sources, UdpSocket) {
        let receiver = peer_socket().expect("socket");
        let sender = peer_socket().expect("socket");
        sender.connect(receiver.local_addr().expect("address")).expect("connected");
        (Sources::new(vec![sender], &[plan(Traffic::Burst7), plan(Traffic::Even)], jitter_us), receiver)
    }

    #[test]
    fn what_is_due_is_sent_and_no_more() {
        let (mut sources, _receiver) = sources(0);
        sources.start(1_000);
        assert!(!sources.send_due(999).expect("open socket"));
        while sources.send_due(1_000).expect("open socket") {}
        assert_eq!(sources.packets(), [7, 1]);
        assert_eq!(sources.next_ns(), 1_000 + 3_333_000);
    }

    #[test]
    fn jitter_delays_but_never_reorders() {
        let (mut sources, receiver) = sources(20_000);
        sources.start(0);
        let mut numbers = Vec::new();
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for now_ms in 0..200 {
            while sources.send_due(now_ms * 1_000_000).expect("open socket") {}
            while let Ok(bytes) = receiver.recv(&mut datagram) {
                let stamp = crate::traffic::media::Stamp::read(&datagram[..bytes]).expect("a stamp");
                numbers.push((stamp.stream, stamp.packet));
            }
        }
        let of = |stream| numbers.iter().filter(move |number| number.0 == stream);
        assert!(of(0).is_sorted() && of(1).is_sorted());
        assert!(of(1).count() >= 53, "200 ms less 20 ms of jitter hold at least 54 packets");
    }

    #[test]
    fn key_frame_requests_are_counted_in_a_compound_that_may_be_cut_off() {
        let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(key_frame_requests(&[&report[..], &pli[..]].concat()), 1);
        assert_eq!(key_frame_requests(&[&pli[..], &report[..5]].concat()), 1);
        assert_eq!(key_frame_requests(&[]), 0);
    }
}
