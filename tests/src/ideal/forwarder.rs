//! The forwarder's loop: wait, perhaps sleep, read, send; and its dialogue with the benchmark on stdin and stdout.
//!
//! Knows epoll, recvmmsg and SSRCs. Called by the benchmark program's hidden subcommand.

use std::io::{self, BufRead, IoSliceMut, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt};

use super::transmit::{Destination, Grouping, Transmitter};
use super::{Plan, Ready, Route, SocketUse, Way};
use crate::clock;
use crate::load::peer_socket;

/// Runs a forwarder as the lines on `control` say, until they end: first a [`Plan`], answered with [`Ready`]; then
/// each line is answered with [`super::Counters`]. The control input is also waited for as standard input.
///
/// # Errors
/// The plan cannot be read, or a socket fails.
pub fn serve(mut control: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    let mut line = String::new();
    control.read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line)?;
    let mut forwarder = Forwarder::new(&plan)?;
    answer(&mut answers, &Ready { addresses: forwarder.addresses(plan.transports)? })?;
    clock::end_sleeps_on_time();
    loop {
        if forwarder.turn()? {
            line.clear();
            if control.read_line(&mut line)? == 0 {
                return Ok(());
            }
            answer(&mut answers, &forwarder.transmitter.counters)?;
        }
    }
}

fn answer(answers: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *answers, value)?;
    answers.write_all(b"\n")?;
    answers.flush()
}

struct Forwarder {
    way: Way,
    epoll: Epoll,
    sockets: Vec<UdpSocket>,
    streams: Vec<Stream>,
    arrivals: Arrivals,
    transmitter: Transmitter,
}

struct Stream {
    ssrc: u32,
    video: bool,
    destinations: Vec<Destination>,
    /// Which arrivals are of this stream, in a turn.
    run: Vec<usize>,
}

impl Forwarder {
    fn new(plan: &Plan) -> io::Result<Self> {
        let count = match plan.sockets {
            SocketUse::Shared => 1,
            SocketUse::Own => plan.transports,
        };
        let sockets = (0..count).map(|_| socket()).collect::<io::Result<Vec<_>>>()?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (token, socket) in (0..).zip(&sockets) {
            epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        }
        epoll.add(io::stdin(), EpollEvent::new(EpollFlags::EPOLLIN, CONTROL))?;
        let streams = plan.streams.iter().map(|stream| Stream::new(stream, count)).collect();
        let (arrivals, transmitter) = (Arrivals::new(), Transmitter::new());
        Ok(Self { way: plan.way, epoll, sockets, streams, arrivals, transmitter })
    }

    fn addresses(&self, transports: usize) -> io::Result<Vec<SocketAddr>> {
        let socket = |transport| &self.sockets[transport % self.sockets.len()];
        (0..transports).map(|transport| socket(transport).local_addr()).collect()
    }

    /// Waits, reads and forwards once; says whether the control input has something to read.
    fn turn(&mut self) -> io::Result<bool> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let mut ready = self.wait(&mut events, EpollTimeout::NONE)?;
        let has_control = events[..ready].iter().any(|event| event.data() == CONTROL);
        let has_media = ready > usize::from(has_control);
        if has_media {
            self.transmitter.counters.wakeups += 1;
        }
        if has_media && self.way == Way::Moderated {
            clock::sleep_for(MODERATION_NS);
            if self.sockets.len() > 1 {
                // Others have become ready meanwhile.
                ready = self.wait(&mut events, EpollTimeout::ZERO)?;
            }
        }
        for event in &events[..ready] {
            if let Some(socket) = usize::try_from(event.data()).ok().filter(|_| event.data() != CONTROL) {
                while self.forward(socket)? == ARRIVALS {}
            }
        }
        Ok(has_control)
    }

    fn wait(&self, events: &mut [EpollEvent], timeout: EpollTimeout) -> io::Result<usize> {
        match self.epoll.wait(events, timeout) {
            Err(Errno::EINTR) => Ok(0),
            ready => Ok(ready?),
        }
    }

    /// Reads one batch of a socket and sends it on; returns how many packets it read.
    fn forward(&mut self, socket: usize) -> io::Result<usize> {
        let count = self.arrivals.read(&self.sockets[socket])?;
        self.transmitter.counters.received += count as u64;
        for index in 0..count {
            let ssrc = self.arrivals.ssrc(index);
            if let Some(stream) = self.streams.iter_mut().find(|stream| Some(stream.ssrc) == ssrc) {
                stream.run.push(index);
            }
        }
        for stream in self.streams.iter_mut().filter(|stream| !stream.run.is_empty()) {
            let grouping = grouping(self.way, stream.video);
            let mut run: [&[u8]; ARRIVALS] = [&[]; ARRIVALS];
            for (packet, index) in run.iter_mut().zip(&stream.run) {
                *packet = self.arrivals.packet(*index);
            }
            let run = &run[..stream.run.len()];
            self.transmitter.send_run(&self.sockets, run, &stream.destinations, grouping)?;
            stream.run.clear();
        }
        Ok(count)
    }
}

impl Stream {
    fn new(plan: &super::Stream, sockets: usize) -> Self {
        let destination = |route: &Route| Destination {
            socket: route.transport % sockets,
            to: route.to.into(),
            ssrc: route.ssrc,
        };
        Self {
            ssrc: plan.ssrc,
            video: plan.video,
            destinations: plan.routes.iter().map(destination).collect(),
            run: Vec::with_capacity(ARRIVALS),
        }
    }
}

const fn grouping(way: Way, video: bool) -> Grouping {
    match way {
        Way::Sendmmsg => Grouping::Single,
        Way::Moderated if video => Grouping::Padded,
        Way::Gso | Way::Moderated => Grouping::Equal,
    }
}

/// Buffers for one recvmmsg.
struct Arrivals {
    headers: MultiHeaders<SockaddrIn>,
    buffers: Box<[[u8; BUFFER_BYTES]; ARRIVALS]>,
    bytes: [usize; ARRIVALS],
}

impl Arrivals {
    fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(ARRIVALS, None),
            buffers: Box::new([[0; BUFFER_BYTES]; ARRIVALS]),
            bytes: [0; ARRIVALS],
        }
    }

    fn read(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let (descriptor, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let messages = match recvmmsg(descriptor, &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(messages) => messages,
            Err(Errno::EAGAIN | Errno::ECONNREFUSED | Errno::EINTR) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        };
        let mut count = 0;
        for (message, bytes) in messages.zip(&mut self.bytes) {
            *bytes = message.bytes.min(BUFFER_BYTES);
            count += 1;
        }
        Ok(count)
    }

    fn packet(&self, index: usize) -> &[u8] {
        &self.buffers[index][..self.bytes[index]]
    }

    /// `None`: too short for RTP.
    fn ssrc(&self, index: usize) -> Option<u32> {
        self.packet(index).get(8..12)?.try_into().ok().map(u32::from_be_bytes)
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = peer_socket()?;
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
    }
    Ok(socket)
}

const ARRIVALS: usize = 64;
const BUFFER_BYTES: usize = 1_536;
const EVENTS: usize = 64;
const CONTROL: u64 = u64::MAX;
const MODERATION_NS: u64 = 500_000;
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
