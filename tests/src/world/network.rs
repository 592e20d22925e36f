//! A network without a machine: sockets that exist in a table, and paths to whoever is behind an address.
//!
//! Knows addresses, ports, bytes and what each path does to them, and checks what a kernel would insist on. Does not
//! know the clock (the world stamps it) nor what datagrams mean, but that whatever a worker sends must be readable by an
//! independent reader. Paths are perfect and immediate unless they are [impaired](SimulatedNetwork::impair).
//! Invariant: the same calls give the same results; every choice comes from a seed.

mod tcp;

use std::collections::VecDeque;
use std::net::SocketAddr;

use tidegate_protocol::transport::Protocol;
use tidegate_worker::base::pool::{Class, Pool};
use tidegate_worker::base::time::Time;
use tidegate_worker::counters::NetworkCounters;
use tidegate_worker::network::{
    BindError, BindOptions, Bound, Datagram, Destination, Network, SEGMENTS_MAX, SendBatch, SocketKey,
    SocketStats, UDP_PAYLOAD_MAX,
};
use tidegate_worker::random::{KeyedMap, Random};

use super::flights::{Flights, Parcel, Tag};
use super::path::{Fate, Impairment, Path, PathStats};
use super::secured::{Secrecy, Secured};
use super::sockets::Sockets;
use tcp::{Carrier, Ended};

/// All sockets of one simulated machine, and everybody who is reachable from it.
#[derive(Debug)]
pub struct SimulatedNetwork {
    /// The moment of the turn that runs; set by the world.
    pub(super) now: Time,
    sockets: Sockets,
    peers: Vec<Peer>,
    by_address: KeyedMap<SocketAddr, u32>,
    /// By [`Direction`].
    default_impairments: [Impairment; 2],
    to_worker: Flights,
    to_peers: Flights,
    messages: Vec<SentMessage>,
    counters: NetworkCounters,
    operations: u64,
    tamper: Option<Tamper>,
    ended: Ended,
    /// What actors will never get; the first is the next to be told.
    lost: VecDeque<(u32, Vec<u8>)>,
    random: Random,
}

/// Does something to the datagram that the worker sent as the `n`th; answers how often it is delivered, as if the worker
/// had sent it so often.
pub type Tamper = fn(n: u64, datagram: &mut [u8]) -> usize;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a peer to the worker.
    ToWorker,
    /// From the worker to a peer.
    ToPeer,
}

impl Direction {
    /// Both ways.
    pub const BOTH: [Self; 2] = [Self::ToWorker, Self::ToPeer];
}

/// Whoever is behind an address.
#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    /// By [`Direction`]; `None`: perfect, and not counted.
    paths: [Option<Box<Path>>; 2],
    mailbox: Mailbox,
    secrecy: Secrecy,
    carrier: Carrier,
}

/// Where a peer's datagrams go.
#[derive(Debug)]
enum Mailbox {
    /// Kept for a test that asks.
    Kept(Vec<Sent>),
    /// To an autonomous peer.
    Actor,
    /// Nobody is there.
    Nobody,
}

/// A datagram that the worker sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Time,
    /// When it arrived.
    pub arrived_at: Time,
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

impl SimulatedNetwork {
    /// A network whose choices follow from `random`.
    pub fn new(mut random: Random) -> Self {
        Self {
            now: Time::ZERO,
            sockets: Sockets::new(&mut random),
            peers: Vec::new(),
            by_address: KeyedMap::with_hasher(random.hasher()),
            default_impairments: [Impairment::default(); 2],
            to_worker: Flights::default(),
            to_peers: Flights::default(),
            messages: Vec::new(),
            counters: NetworkCounters::default(),
            operations: 0,
            tamper: None,
            ended: Ended::default(),
            lost: VecDeque::new(),
            random,
        }
    }

    /// Lets other programs hold `address`.
    pub fn occupy(&mut self, address: SocketAddr) {
        self.sockets.occupy(address);
    }

    /// From now on the path between `address` and the worker is like this, one way. What is on its way stays.
    pub fn impair(&mut self, address: SocketAddr, direction: Direction, impairment: Impairment) {
        let peer = self.peer(address);
        self.impair_peer(peer, direction, impairment);
    }

    /// From now on every path is like this, one way, also those of peers that come later.
    pub fn impair_all(&mut self, direction: Direction, impairment: Impairment) {
        self.default_impairments[direction as usize] = impairment;
        for peer in 0..self.peers.len() {
            self.impair_peer(u32::try_from(peer).expect("few peers"), direction, impairment);
        }
    }

    /// From now on loses so many of a thousand datagrams, each way, as `seed` will have it.
    pub fn lose(&mut self, permille: u32, seed: u8) {
        self.random = Random::from_seed([seed; 32]);
        let impairment = Impairment { loss_permille: permille, ..Impairment::default() };
        Direction::BOTH.into_iter().for_each(|direction| self.impair_all(direction, impairment));
    }

    /// All paths are perfect again.
    pub fn lose_nothing(&mut self) {
        Direction::BOTH.into_iter().for_each(|direction| self.impair_all(direction, Impairment::default()));
    }

    /// From now on paths keep their delay and jitter, and nothing else.
    pub fn calm(&mut self) {
        self.default_impairments.iter_mut().for_each(|impairment| *impairment = impairment.calmed());
        let paths = self.peers.iter_mut().flat_map(|peer| &mut peer.paths);
        paths.flatten().for_each(|path| path.calm());
    }

    /// From now on the worker seems to send something else: to prove that peers notice.
    pub fn tamper(&mut self, tamper: Tamper) {
        self.tamper = Some(tamper);
    }

    /// What became of datagrams between `address` and the worker, one way, since the path was first impaired.
    pub fn path_stats(&self, address: SocketAddr, direction: Direction) -> PathStats {
        let peer = self.by_address.get(&address).map(|peer| &self.peers[*peer as usize]);
        let path = peer.and_then(|peer| peer.paths[direction as usize].as_ref());
        path.map(|path| path.stats).unwrap_or_default()
    }

    /// Whatever arrives at `address` from now on is gone, unseen: nobody is there any more.
    pub fn abandon(&mut self, address: SocketAddr) {
        let peer = self.peer(address);
        self.peers[peer as usize].mailbox = Mailbox::Nobody;
    }

    /// From now on the peer at `address` uses SRTP.
    pub fn secure(&mut self, address: SocketAddr, secured: Secured) {
        let peer = self.peer(address);
        self.peers[peer as usize].secrecy = Secrecy::Srtp(Box::new(secured));
    }

    /// From now on nobody looks into what the worker sends to `address`: a test wants it as it is on the wire.
    pub fn leave_sealed(&mut self, address: SocketAddr) {
        let peer = self.peer(address);
        self.peers[peer as usize].secrecy = Secrecy::Opaque;
    }

    /// Sends a datagram to the worker; over a perfect path it arrives with the next turn.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let peer = self.peer(from);
        self.send_from(peer, to, self.now, None, &bytes);
    }

    /// Whether something waits for the next turn.
    pub fn has_arrivals(&self) -> bool {
        self.to_worker.next().is_some_and(|at| at <= self.now)
    }

    /// Datagrams on their way, both ways together.
    pub fn in_flight(&self) -> usize {
        self.to_worker.len() + self.to_peers.len()
    }

    /// Takes what arrived at `address` since the last time.
    pub fn take_sent_to(&mut self, address: SocketAddr) -> Vec<Sent> {
        let peer = self.by_address.get(&address).and_then(|peer| self.peers.get_mut(*peer as usize));
        match peer.map(|peer| &mut peer.mailbox) {
            Some(Mailbox::Kept(kept)) => std::mem::take(kept),
            _ => Vec::new(),
        }
    }

    /// Takes the messages sent since the last time, of which the last thousands are kept: how datagrams left together.
    pub fn take_messages(&mut self) -> Vec<SentMessage> {
        std::mem::take(&mut self.messages)
    }

    /// Datagrams that the worker received, and that it sent.
    pub fn packet_operations(&self) -> u64 {
        self.operations
    }

    /// How many sockets are open.
    pub fn open_sockets(&self) -> usize {
        self.sockets.len()
    }

    /// The peer at `address`, which is from now on, or was before.
    pub(super) fn peer(&mut self, address: SocketAddr) -> u32 {
        if let Some(peer) = self.by_address.get(&address) {
            return *peer;
        }
        let peer = u32::try_from(self.peers.len()).expect("few peers");
        self.peers.push(Peer {
            address,
            paths: [None, None],
            mailbox: Mailbox::Kept(Vec::new()),
            secrecy: Secrecy::Clear,
            carrier: Carrier::Udp,
        });
        self.by_address.insert(address, peer);
        for direction in Direction::BOTH {
            self.impair_peer(peer, direction, self.default_impairments[direction as usize]);
        }
        peer
    }

    /// What comes to `address` is for an actor from now on. Answers which peer that is.
    pub(super) fn inhabit(&mut self, address: SocketAddr) -> u32 {
        let peer = self.peer(address);
        self.peers[peer as usize].mailbox = Mailbox::Actor;
        peer
    }

    /// Sends a datagram of `peer` at `leaves_at`; answers how often it will arrive.
    pub(super) fn send_from(
        &mut self,
        peer: u32,
        to: SocketAddr,
        leaves_at: Time,
        tag: Option<Tag>,
        bytes: &[u8],
    ) -> u8 {
        let protected = match &mut self.peers[peer as usize].secrecy {
            Secrecy::Srtp(secured) => Some(secured.protect(bytes)),
            Secrecy::Clear | Secrecy::Opaque => None,
        };
        let bytes = protected.as_deref().unwrap_or(bytes);
        let fate = self.carry(peer, Direction::ToWorker, bytes.len(), leaves_at);
        let parcel = Parcel { peer, worker: to, sent_at: leaves_at, is_copy: false, tag, bytes: Vec::new() };
        launch(&mut self.to_worker, fate, parcel, bytes)
    }

    /// When something next arrives at the worker.
    pub(super) fn next_at_worker(&self) -> Option<Time> {
        self.to_worker.next()
    }

    /// When something next arrives at a peer.
    pub(super) fn next_at_peers(&self) -> Option<Time> {
        self.to_peers.next()
    }

    /// The next datagram that has reached an actor by now. Others go to their mailboxes on the way.
    pub(super) fn arrive_at_peers(&mut self) -> Option<Parcel> {
        while let Some((at, mut parcel)) = self.to_peers.land(self.now) {
            let peer = &mut self.peers[parcel.peer as usize];
            if !peer.secrecy.opens(&mut parcel.bytes, self.now) {
                self.to_peers.recycle(parcel.bytes);
                continue;
            }
            match &mut peer.mailbox {
                Mailbox::Actor => return Some(parcel),
                Mailbox::Kept(kept) => {
                    let Parcel { worker, sent_at, bytes, .. } = parcel;
                    kept.push(Sent { at: sent_at, arrived_at: at, from: worker, bytes });
                }
                Mailbox::Nobody => self.to_peers.recycle(parcel.bytes),
            }
        }
        None
    }

    /// The next datagram that was lost on its way to an actor, and to which peer it was going.
    pub(super) fn take_lost(&mut self) -> Option<(u32, Vec<u8>)> {
        self.lost.pop_front()
    }

    /// Takes the bytes of a datagram back that an actor has read.
    pub(super) fn recycle(&mut self, arrived: Parcel) {
        self.to_peers.recycle(arrived.bytes);
    }

    /// The next datagram that has reached the worker by now, in a buffer of its pool, and what its sender knows it by.
    /// Without memory datagrams are dropped and counted, without a socket they are lost, as in a kernel.
    pub(super) fn receive(&mut self, pool: &mut Pool) -> Option<(Datagram, Option<Tag>)> {
        while let Some((received_at, parcel)) = self.to_worker.land(self.now) {
            let Some(key) = self.socket_of(parcel.peer, parcel.worker) else { continue };
            let Some(socket) = self.sockets.get_mut(key) else { continue };
            let Some(mut buffer) = pool.take(Class::Large) else {
                socket.stats.dropped_no_memory += 1;
                continue;
            };
            let length = parcel.bytes.len().min(buffer.capacity());
            buffer.set_len(length);
            buffer.copy_from_slice(&parcel.bytes[..length]);
            socket.stats.received_datagrams += 1;
            socket.stats.received_bytes += parcel.bytes.len() as u64;
            let datagram = Datagram {
                socket: socket.key,
                remote: self.peers[parcel.peer as usize].address,
                local_ip: socket.local.ip().is_unspecified().then_some(parcel.worker.ip()),
                received_at,
                truncated: parcel.bytes.len() > length,
                buffer,
            };
            self.operations += 1;
            self.to_worker.recycle(parcel.bytes);
            return Some((datagram, parcel.tag));
        }
        None
    }

    fn impair_peer(&mut self, peer: u32, direction: Direction, impairment: Impairment) {
        let Self { peers, random, .. } = self;
        match &mut peers[peer as usize].paths[direction as usize] {
            Some(path) => path.set(impairment),
            None if impairment.is_none() => {}
            vacant => *vacant = Some(Box::new(Path::new(impairment, fork(random)))),
        }
    }

    fn carry(&mut self, peer: u32, direction: Direction, bytes: usize, leaves_at: Time) -> Fate {
        match &mut self.peers[peer as usize].paths[direction as usize] {
            Some(path) => path.carry(bytes, leaves_at),
            None => Fate { at: Some(leaves_at), again_at: None },
        }
    }

    fn deliver(&mut self, to: &Destination, from: SocketAddr, bytes: &[u8]) {
        let peer = self.peer(to.remote);
        let fate = self.carry(peer, Direction::ToPeer, bytes.len(), self.now);
        let at = self.now;
        let receiver = &mut self.peers[peer as usize];
        if let Fate { at: Some(arrived_at), again_at: None } = fate
            && matches!(receiver.mailbox, Mailbox::Kept(_))
            && arrived_at == at
        {
            let mut bytes = bytes.to_vec();
            if receiver.secrecy.opens(&mut bytes, at)
                && let Mailbox::Kept(kept) = &mut receiver.mailbox
            {
                kept.push(Sent { at, arrived_at, from, bytes });
            }
            return;
        }
        if fate.at.is_none() && matches!(receiver.mailbox, Mailbox::Actor) {
            let mut lost = bytes.to_vec();
            if receiver.secrecy.loses(&mut lost, at) {
                self.lost.push_back((peer, lost));
            }
        }
        let parcel = Parcel { peer, worker: from, sent_at: at, is_copy: false, tag: None, bytes: Vec::new() };
        launch(&mut self.to_peers, fate, parcel, bytes);
    }

    fn note_message(&mut self, message: SentMessage) {
        if self.messages.len() >= MESSAGES_KEPT {
            self.messages.drain(..MESSAGES_KEPT / 2);
        }
        self.messages.push(message);
    }
}

impl Network for SimulatedNetwork {
    fn bind(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        self.open(Protocol::Udp, options, start)
    }

    fn listen(&mut self, options: &BindOptions, start: u32) -> Result<Bound, BindError> {
        self.open(Protocol::Tcp, options, start)
    }

    fn listener_of(&self, connection: SocketKey) -> Option<SocketKey> {
        self.sockets.get(connection)?.listener
    }

    fn authenticate(&mut self, connection: SocketKey) -> bool {
        let held = self.sockets.get_mut(connection);
        held.map(|connection| connection.authenticated = true).is_some()
    }

    fn close(&mut self, socket: SocketKey) {
        if !self.ended.has(socket) {
            self.counters.sockets -= 1 + self.sockets.close(socket);
        }
    }

    fn send(&mut self, batch: &mut SendBatch) {
        for message in batch.messages() {
            let to = message.to;
            if self.ended.has(to.socket) {
                continue;
            }
            let socket = self.sockets.get_mut(to.socket).expect("a worker sends from open sockets");
            let ip = to.local_ip.filter(|_| socket.local.ip().is_unspecified());
            let from = SocketAddr::new(ip.unwrap_or_else(|| socket.local.ip()), socket.local.port());
            let (segments, segment_bytes) = (message.segments(), message.segment_bytes());
            assert!(segments <= SEGMENTS_MAX && message.bytes() <= UDP_PAYLOAD_MAX, "{message:?}");
            socket.stats.sent_datagrams += u64::from(segments);
            socket.stats.sent_bytes += message.bytes() as u64;
            self.operations += u64::from(segments);
            self.counters.gso_run_length.record(u64::from(segments));
            self.note_message(SentMessage { to: to.remote, segments, segment_bytes, bytes: message.bytes() });
            for bytes in batch.bytes(message).chunks(usize::from(segment_bytes)) {
                let peer = self.by_address.get(&to.remote).map(|peer| &self.peers[*peer as usize]);
                if peer.is_none_or(|peer| matches!(peer.secrecy, Secrecy::Clear)) {
                    super::assert_readable(bytes);
                }
                match self.tamper {
                    None => self.deliver(&to, from, bytes),
                    Some(tamper) => {
                        let mut bytes = bytes.to_vec();
                        let times = tamper(self.operations, &mut bytes);
                        (0..times).for_each(|_| self.deliver(&to, from, &bytes));
                    }
                }
            }
        }
        self.counters.send_calls += 1;
        batch.clear();
    }

    fn socket_stats(&self, socket: SocketKey) -> Option<SocketStats> {
        self.sockets.get(socket).map(|held| held.stats)
    }

    fn counters(&self) -> NetworkCounters {
        self.counters
    }
}

/// Sends a parcel, once for each arrival; answers how many these are.
fn launch(flights: &mut Flights, fate: Fate, parcel: Parcel, bytes: &[u8]) -> u8 {
    let Some(at) = fate.at else { return 0 };
    let Some(again_at) = fate.again_at else {
        flights.launch(at, parcel, bytes);
        return 1;
    };
    flights.launch(at, parcel.clone(), bytes);
    flights.launch(again_at, Parcel { is_copy: true, ..parcel }, bytes);
    2
}

/// Random numbers of one's own, so that what happens to one does not change another's.
pub(super) fn fork(random: &mut Random) -> Random {
    Random::from_seed(super::seed_bytes(random.next_u64()))
}

/// More than any test sends between two questions, and little enough for a long run.
const MESSAGES_KEPT: usize = 4_096;
