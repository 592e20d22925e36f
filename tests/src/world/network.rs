//! A network without a machine: sockets that exist in a table, datagrams that arrive when the test says so.
//!
//! Knows addresses, ports and bytes, and checks what a kernel would insist on. Does not know the clock (the world
//! stamps it) nor what datagrams mean, but that whatever a worker sends must be readable by an independent reader.
//! Invariant: the same calls give the same results; loss comes from a seed.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use tidegate_worker::base::pool::{Class, Pool};
use tidegate_worker::base::time::Time;
use tidegate_worker::counters::NetworkCounters;
use tidegate_worker::network::{
    BindError, BindOptions, Bound, Datagram, Network, PortChoice, SEGMENTS_MAX, SendBatch, SocketKey,
    SocketStats, UDP_PAYLOAD_MAX,
};
use tidegate_worker::random::Random;

/// All sockets of one simulated machine, and everybody who is reachable from it.
#[derive(Debug, Default)]
pub struct SimulatedNetwork {
    /// The moment of the turn that runs; set by the world.
    pub now: Time,
    sockets: Vec<Option<Socket>>,
    generations: u32,
    /// Ports that other programs of the machine hold.
    occupied: Vec<SocketAddr>,
    arriving: VecDeque<Arriving>,
    mailboxes: BTreeMap<SocketAddr, Vec<Sent>>,
    messages: Vec<SentMessage>,
    counters: NetworkCounters,
    loss: Option<Loss>,
    operations: u64,
}

#[derive(Debug)]
struct Socket {
    key: SocketKey,
    local: SocketAddr,
    reuse_port: bool,
    stats: SocketStats,
}

/// A datagram on its way to the worker.
#[derive(Clone, Debug)]
struct Arriving {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// A datagram that the worker sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Time,
    /// The address it left from.
    pub from: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One message of a batch: what one entry of a sendmmsg would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// To whom.
    pub to: SocketAddr,
    /// Datagrams in it.
    pub segments: u16,
    /// Bytes of each but the last.
    pub segment_bytes: u16,
    /// Bytes of all.
    pub bytes: usize,
}

/// Random loss, the same on both ways.
#[derive(Debug)]
struct Loss {
    random: Random,
    permille: u32,
}

impl SimulatedNetwork {
    /// Lets other programs hold `address`.
    pub fn occupy(&mut self, address: SocketAddr) {
        self.occupied.push(address);
    }

    /// From now on loses so many of a thousand datagrams, each way, as `seed` will have it.
    pub fn lose(&mut self, permille: u32, seed: u8) {
        self.loss = Some(Loss { random: Random::from_seed([seed; 32]), permille });
    }

    /// Loses nothing any more.
    pub fn lose_nothing(&mut self) {
        self.loss = None;
    }

    /// Sends a datagram to the worker; it arrives with the next turn.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if !self.is_lost() {
            self.arriving.push_back(Arriving { from, to, bytes });
        }
    }

    /// Whether something waits for the next turn.
    pub fn has_arrivals(&self) -> bool {
        !self.arriving.is_empty()
    }

    /// The next datagram for the worker, in a buffer of its pool. Without memory datagrams are dropped and counted,
    /// without a socket they are lost, as in a kernel.
    pub fn receive(&mut self, pool: &mut Pool) -> Option<Datagram> {
        while let Some(arriving) = self.arriving.pop_front() {
            let now = self.now;
            let Some(socket) = self.socket_at(arriving.to) else { continue };
            let Some(mut buffer) = pool.take(Class::Large) else {
                socket.stats.dropped_no_memory += 1;
                continue;
            };
            let length = arriving.bytes.len().min(buffer.capacity());
            buffer.set_len(length);
            buffer.copy_from_slice(&arriving.bytes[..length]);
            socket.stats.received_datagrams += 1;
            socket.stats.received_bytes += arriving.bytes.len() as u64;
            let datagram = Datagram {
                socket: socket.key,
                remote: arriving.from,
                local_ip: socket.local.ip().is_unspecified().then_some(arriving.to.ip()),
                received_at: now,
                truncated: arriving.bytes.len() > length,
                buffer,
            };
            self.operations += 1;
            return Some(datagram);
        }
        None
    }

    /// Takes what was sent to `address` since the last time.
    pub fn take_sent_to(&mut self, address: SocketAddr) -> Vec<Sent> {
        self.mailboxes.remove(&address).unwrap_or_default()
    }

    /// Takes the messages sent since the last time: how datagrams left together.
    pub fn take_messages(&mut self) -> Vec<SentMessage> {
        std::mem::take(&mut self.messages)
    }

    /// Datagrams that the worker received, and that it sent.
    pub fn packet_operations(&self) -> u64 {
        self.operations
    }

    /// How many sockets are open.
    pub fn open_sockets(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    fn socket_at(&mut self, to: SocketAddr) -> Option<&mut Socket> {
        self.sockets.iter_mut().flatten().find(|socket| {
            let ip = socket.local.ip();
            socket.local.port() == to.port() && (ip == to.ip() || ip.is_unspecified())
        })
    }

    fn is_lost(&mut self) -> bool {
        self.loss.as_mut().is_some_and(|loss| loss.random.in_range(0, 999) < loss.permille)
    }

    fn is_free(&self, wanted: SocketAddr, reuse_port: bool) -> bool {
        let clashes = |held: SocketAddr| {
            let any = held.ip().is_unspecified() || wanted.ip().is_unspecified();
            held.port() == wanted.port() && (held.ip() == wanted.ip() || any)
        };
        let held = self.sockets.iter().flatten();
        !self.occupied.iter().any(|held| clashes(*held))
            && !held.filter(|socket| !(socket.reuse_port && reuse_port)).any(|socket| clashes(socket.local))
    }

    fn choose_port(&self, options: &BindOptions, start: u32) -> Result<u16, BindError> {
        let is_free = |port: &u16| self.is_free(SocketAddr::new(options.ip, *port), options.reuse_port);
        match options.port {
            PortChoice::Fixed(port) if is_free(&port) => Ok(port),
            PortChoice::Fixed(_) => Err(BindError::AddressInUse),
            PortChoice::Any => (EPHEMERAL..=u16::MAX).find(is_free).ok_or(BindError::NoFreePort),
            PortChoice::Range { min, max } => {
                let ports: Vec<u16> = (min..=max).collect();
                let first = start as usize % ports.len();
                let mut from_start = ports.iter().cycle().skip(first).take(ports.len());
                from_start.find(|port| is_free(port)).copied().ok_or(BindError::NoFreePort)
            }
        }
    }
}

impl Network for SimulatedNetwork {
    fn bind(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        if !options.ip.is_unspecified() && !is_local(options.ip) {
            return Err(BindError::AddressNotAvailable);
        }
        let local = SocketAddr::new(options.ip, self.choose_port(options, start)?);
        let vacant = self.sockets.iter().position(Option::is_none).unwrap_or(self.sockets.len());
        if vacant == self.sockets.len() {
            self.sockets.push(None);
        }
        self.generations += 1;
        let key = SocketKey::new(u32::try_from(vacant).expect("few sockets"), self.generations);
        let stats = SocketStats::default();
        self.sockets[vacant] = Some(Socket { key, local, reuse_port: options.reuse_port, stats });
        self.counters.sockets += 1;
        let (send_buffer_bytes, receive_buffer_bytes) = (KERNEL_BUFFER_BYTES, KERNEL_BUFFER_BYTES);
        Ok(Bound { socket: key, local, send_buffer_bytes, receive_buffer_bytes })
    }

    fn close(&mut self, socket: SocketKey) {
        let held = self.sockets.iter_mut().find(|held| held.as_ref().is_some_and(|held| held.key == socket));
        *held.expect("a worker closes each socket once") = None;
        self.counters.sockets -= 1;
    }

    fn send(&mut self, batch: &mut SendBatch) {
        for message in batch.messages() {
            let destination = message.to;
            let socket = self.sockets.iter_mut().flatten().find(|socket| socket.key == destination.socket);
            let socket = socket.expect("a worker sends from open sockets");
            let ip = destination.local_ip.filter(|_| socket.local.ip().is_unspecified());
            let from = SocketAddr::new(ip.unwrap_or_else(|| socket.local.ip()), socket.local.port());
            assert!(message.segments() <= SEGMENTS_MAX && message.bytes() <= UDP_PAYLOAD_MAX, "{message:?}");
            socket.stats.sent_datagrams += u64::from(message.segments());
            socket.stats.sent_bytes += message.bytes() as u64;
            self.operations += u64::from(message.segments());
            self.counters.gso_run_length.record(u64::from(message.segments()));
            self.messages.push(SentMessage {
                to: destination.remote,
                segments: message.segments(),
                segment_bytes: message.segment_bytes(),
                bytes: message.bytes(),
            });
            for bytes in batch.bytes(message).chunks(usize::from(message.segment_bytes())) {
                super::assert_readable(bytes);
                if !self.is_lost() {
                    let sent = Sent { at: self.now, from, bytes: bytes.to_vec() };
                    self.mailboxes.entry(destination.remote).or_default().push(sent);
                }
            }
        }
        self.counters.send_calls += 1;
        batch.clear();
    }

    fn socket_stats(&self, socket: SocketKey) -> Option<SocketStats> {
        self.sockets.iter().flatten().find(|held| held.key == socket).map(|held| held.stats)
    }

    fn counters(&self) -> NetworkCounters {
        self.counters
    }
}

/// The simulated machine has all addresses of these two networks.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [127, ..] | [10, 0, ..]),
        IpAddr::V6(ip) => ip.is_loopback() || ip.segments()[0] == 0xFD00,
    }
}

const EPHEMERAL: u16 = 32_768;
/// The kernel's default, as it books it.
const KERNEL_BUFFER_BYTES: u32 = 425_984;
