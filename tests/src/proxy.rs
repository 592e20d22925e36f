//! A bad network between real programs: a UDP proxy that delays and loses datagrams, and counts which.
//!
//! A proxy has lanes. Each stands between one port of a peer and one of the worker's: the peer sends to the lane's
//! `front`, the worker to its `back`, and each takes the other for the lane. What happens to datagrams is decided by
//! the paths of the simulated network ([`crate::world::path`]), here against the machine's clock; each lane and
//! direction has its own, from one seed. What is lost is thus the same for the same datagrams in the same order.
//! Where it is not known who will come, as with ICE, an [`Entrance`] opens a lane for each peer that does.
//!
//! Knows datagrams and, by their first bytes, whether they are RTP, RTX or RTCP. Does not know who plays or what for.
//! Invariant: of each direction and kind, what came is what was dropped, carried or is still on its way.

mod entrance;
mod tally;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use tidegate_worker::base::time::Time;
use tidegate_worker::random::Random;

use self::entrance::Admission;
pub use self::entrance::Entrance;
pub use self::tally::{Count, Counts, Tally};
use crate::clock;
use crate::world::path::{Impairment, Path};
use crate::world::seed_bytes;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a peer.
    ToWorker,
    /// To a peer.
    ToPeer,
}

/// What a proxy does to what passes.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// To datagrams from peers.
    pub to_worker: Impairment,
    /// To datagrams from the worker.
    pub to_peer: Impairment,
    /// All choices follow from it.
    pub seed: u64,
    /// Payload types of retransmissions (RFC 4588), to tell them from media.
    pub rtx_payload_types: &'a [u8],
}

impl Settings<'_> {
    /// So much loss and delay both ways.
    pub fn both_ways(loss_permille: u32, delay: std::time::Duration, seed: u64) -> Self {
        let impairment = Impairment { loss_permille, delay, ..Impairment::default() };
        Self { to_worker: impairment, to_peer: impairment, seed, rtx_payload_types: &[] }
    }
}

/// The two ports of a lane, before it is known who is behind them.
#[derive(Debug)]
pub struct Lane {
    front: Arc<UdpSocket>,
    back: UdpSocket,
}

impl Lane {
    /// A lane at any free ports.
    ///
    /// # Errors
    /// The system has no port left there.
    pub fn open(ip: IpAddr) -> io::Result<Self> {
        Ok(Self { front: Arc::new(socket(ip)?), back: socket(ip)? })
    }

    /// Where the peer sends to, and what it hears from.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn front(&self) -> io::Result<SocketAddr> {
        self.front.local_addr()
    }

    /// What the worker takes for the peer.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn back(&self) -> io::Result<SocketAddr> {
        self.back.local_addr()
    }

    /// Between this port of a peer and this one of the worker.
    pub fn between(self, peer: SocketAddr, worker: SocketAddr) -> Route {
        Route { lane: self, peer, worker }
    }
}

/// A lane and who is at its ends.
#[derive(Debug)]
pub struct Route {
    lane: Lane,
    peer: SocketAddr,
    worker: SocketAddr,
}

/// A proxy at work; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    tally: Arc<Mutex<Tally>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Begins to carry.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(settings: Settings<'_>, routes: Vec<Route>) -> io::Result<Self> {
        Self::carry(settings, routes, None, Box::new(|_, _| ()))
    }

    /// Begins to carry for whoever comes to `entrance`. All that comes, lost or not, is shown to `witness`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start_at(
        settings: Settings<'_>,
        entrance: Entrance,
        witness: impl FnMut(Way, &[u8]) + Send + 'static,
    ) -> io::Result<Self> {
        Self::carry(settings, Vec::new(), Some(entrance), Box::new(witness))
    }

    fn carry(
        settings: Settings<'_>,
        routes: Vec<Route>,
        entrance: Option<Entrance>,
        witness: Witness,
    ) -> io::Result<Self> {
        let tally = Arc::new(Mutex::new(Tally::new(settings.rtx_payload_types)));
        let ends = Arc::new(AtomicBool::new(false));
        let mut carrier = Carrier::new(settings, routes, Arc::clone(&tally));
        carrier.witness = witness;
        carrier.admission = entrance.map(|entrance| Admission::new(entrance, settings));
        let until = Arc::clone(&ends);
        let run = move || {
            clock::end_sleeps_on_time();
            while !until.load(Ordering::Relaxed) {
                carrier.turn();
            }
        };
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(run)?;
        Ok(Self { tally, ends, thread: Some(thread) })
    }

    /// What came and what was dropped so far.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic was printed by itself.
            let _ = thread.join();
        }
    }
}

/// The thread's part.
struct Carrier {
    routes: Vec<Route>,
    /// To the worker and to the peer, of each route.
    paths: Vec<[Path; 2]>,
    under_way: BinaryHeap<Reverse<Parcel>>,
    parcels: u64,
    tally: Arc<Mutex<Tally>>,
    /// Lanes to come.
    admission: Option<Admission>,
    witness: Witness,
}

/// Is shown all that comes.
type Witness = Box<dyn FnMut(Way, &[u8]) + Send>;

/// A datagram on its way. Ordered by arrival; at one time, by departure.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Parcel {
    at: Time,
    number: u64,
    route: usize,
    to_worker: bool,
    bytes: Vec<u8>,
}

impl Carrier {
    fn new(settings: Settings<'_>, routes: Vec<Route>, tally: Arc<Mutex<Tally>>) -> Self {
        let mut random = Random::from_seed(seed_bytes(settings.seed));
        let mut fork = || Random::from_seed(seed_bytes(random.next_u64()));
        let both = |_: &Route| [Path::new(settings.to_worker, fork()), Path::new(settings.to_peer, fork())];
        let paths = routes.iter().map(both).collect();
        let under_way = BinaryHeap::new();
        Self { routes, paths, under_way, parcels: 0, tally, admission: None, witness: Box::new(|_, _| ()) }
    }

    /// Waits for what comes or is due, and does it.
    fn turn(&mut self) {
        self.wait();
        self.admit();
        for route in 0..self.routes.len() {
            if self.admission.is_none() {
                self.take_in(route, Way::ToWorker);
            }
            self.take_in(route, Way::ToPeer);
        }
        let now = now();
        while self.under_way.peek().is_some_and(|Reverse(parcel)| parcel.at <= now) {
            let Some(Reverse(parcel)) = self.under_way.pop() else { break };
            self.deliver(&parcel);
        }
    }

    fn wait(&self) {
        let lanes = self.routes.iter().flat_map(|route| [&*route.lane.front, &route.lane.back]);
        let sockets = lanes.chain(self.admission.as_ref().map(Admission::front));
        let mut polled: Vec<_> =
            sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let due = self.under_way.peek().map(|Reverse(parcel)| parcel.at.since(now()).as_micros());
        // Whole milliseconds, rounded up; the end is looked at now and then.
        let millis = due.unwrap_or(u128::MAX).div_ceil(1_000).min(LOOK_UP_MS.into());
        // An error is an interruption: we look again.
        let _ = poll(&mut polled, u16::try_from(millis).map_or(PollTimeout::ZERO, PollTimeout::from));
    }

    /// Takes in what came to the entrance; who is new gets a lane.
    fn admit(&mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some(admission) = &mut self.admission
            && let Ok((length, from)) = admission.front().recv_from(&mut buffer)
        {
            let known = self.routes.iter().position(|route| route.peer == from);
            let route = known.or_else(|| {
                // Whom there is no lane for is not there: on a network, too, not everybody gets through.
                let (route, paths) = admission.lane_for(from, self.routes.len())?;
                self.routes.push(route);
                self.paths.push(paths);
                Some(self.routes.len() - 1)
            });
            if let (Some(route), Some(bytes)) = (route, buffer.get(..length)) {
                self.accept(route, Way::ToWorker, bytes);
            }
        }
    }

    fn take_in(&mut self, route: usize, way: Way) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Some(Route { lane, .. }) = self.routes.get(route) {
            let socket = match way {
                Way::ToWorker => &*lane.front,
                Way::ToPeer => &lane.back,
            };
            let Ok((length, _)) = socket.recv_from(&mut buffer) else { return };
            let Some(bytes) = buffer.get(..length) else { return };
            self.accept(route, way, bytes);
        }
    }

    /// Decides what happens to a datagram.
    fn accept(&mut self, route: usize, way: Way, bytes: &[u8]) {
        let Some([to_worker, to_peer]) = self.paths.get_mut(route) else { return };
        let path = match way {
            Way::ToWorker => to_worker,
            Way::ToPeer => to_peer,
        };
        let fate = path.carry(bytes.len(), now());
        (self.witness)(way, bytes);
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(way, bytes, fate.at.is_some());
        for at in [fate.at, fate.again_at].into_iter().flatten() {
            let (number, to_worker) = (self.parcels, way == Way::ToWorker);
            self.parcels += 1;
            self.under_way.push(Reverse(Parcel { at, number, route, to_worker, bytes: bytes.to_vec() }));
        }
    }

    fn deliver(&self, parcel: &Parcel) {
        let Some(Route { lane, peer, worker }) = self.routes.get(parcel.route) else { return };
        let (socket, to) = if parcel.to_worker { (&lane.back, worker) } else { (&*lane.front, peer) };
        // Who is not there yet, or not any more, gets nothing, as on any network.
        let _ = socket.send_to(&parcel.bytes, to);
    }
}

/// A socket at any free port.
fn socket(ip: IpAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, 0))?;
    socket.set_nonblocking(true)?;
    // Clipped to what the system allows.
    setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
    Ok(socket)
}

fn now() -> Time {
    Time::from_nanos(clock::monotonic_ns())
}

const DATAGRAM_BYTES_MAX: usize = 2_048; // more than a path carries
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
const LOOK_UP_MS: u16 = 50;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    /// A peer and a worker, and a proxy between them.
    fn between(settings: Settings<'_>) -> (UdpSocket, UdpSocket, [SocketAddr; 2], Proxy) {
        let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
        let end = || {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            socket
        };
        let (peer, worker) = (end(), end());
        let lane = Lane::open(ip).unwrap();
        let ports = [lane.front().unwrap(), lane.back().unwrap()];
        let route = lane.between(peer.local_addr().unwrap(), worker.local_addr().unwrap());
        (peer, worker, ports, Proxy::start(settings, vec![route]).unwrap())
    }

    fn packet(payload_type: u8, number: u16) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        vec![0x80, payload_type, high, low, 0, 0, 0, 0, 0, 0, 0, 1]
    }

    #[test]
    fn what_is_not_lost_comes_in_order_and_late_and_each_end_hears_the_lane() {
        let delay = Duration::from_millis(30);
        let (peer, worker, [front, back], proxy) = between(Settings::both_ways(0, delay, 1));
        let sent_at = now();
        for number in 0..50 {
            peer.send_to(&packet(96, number), front).unwrap();
        }
        let mut buffer = [0; 100];
        for number in 0..50 {
            let (length, from) = worker.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (&packet(96, number)[..], back));
        }
        assert!(now().since(sent_at) >= delay);
        worker.send_to(&[0x81, 206, 0, 0], back).unwrap();
        let (_, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(from, front);
        let tally = proxy.tally();
        assert_eq!((tally.dropped(), tally.to_worker.rtp.came, tally.to_peer.rtcp.came), (0, 50, 1));
    }

    #[test]
    fn each_peer_at_an_entrance_has_a_lane_of_its_own() {
        let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
        let [first, second, worker] = [(); 3].map(|()| {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            socket
        });
        let entrance = Entrance::open(worker.local_addr().unwrap()).unwrap();
        let front = entrance.front().unwrap();
        let witnessed = Arc::new(Mutex::new(Vec::new()));
        let writes = Arc::clone(&witnessed);
        let witness = move |way, bytes: &[u8]| writes.lock().unwrap().push((way, bytes.to_vec()));
        let _proxy = Proxy::start_at(Settings::both_ways(0, Duration::ZERO, 1), entrance, witness).unwrap();
        let mut buffer = [0; 100];
        let mut backs = Vec::new();
        // The first comes again, and finds its lane.
        for (number, peer) in [(0, &first), (1, &second), (2, &first)] {
            peer.send_to(&packet(96, number), front).unwrap();
            let (length, back) = worker.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..length], packet(96, number));
            worker.send_to(&packet(97, number), back).unwrap();
            let (length, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (&packet(97, number)[..], front));
            backs.push(back);
        }
        assert_eq!(backs[0], backs[2]);
        assert_ne!(backs[0], backs[1]);
        let both = |number| [(Way::ToWorker, packet(96, number)), (Way::ToPeer, packet(97, number))];
        assert_eq!(*witnessed.lock().unwrap(), (0..3).flat_map(both).collect::<Vec<_>>());
    }

    #[test]
    fn losses_follow_from_the_seed_and_are_counted_by_kind() {
        let lost = |seed| {
            let settings =
                Settings { rtx_payload_types: &[97], ..Settings::both_ways(300, Duration::ZERO, seed) };
            let (peer, worker, [front, _], proxy) = between(settings);
            let mut came = Vec::new();
            let mut buffer = [0; 100];
            for number in 0..200 {
                peer.send_to(&packet(if number % 2 == 0 { 96 } else { 97 }, number), front).unwrap();
                // One at a time, lest the system drops what waits.
                let dropped = |tally: &Tally| u64::from(number) + 1 == tally.to_worker.all().came;
                while !dropped(&proxy.tally()) {
                    std::thread::yield_now();
                }
                came.push(proxy.tally().dropped());
            }
            let tally = proxy.tally();
            let arrives = tally.to_worker.all().came - tally.dropped();
            for _ in 0..arrives {
                worker.recv_from(&mut buffer).unwrap();
            }
            assert_eq!((tally.to_worker.rtp.came, tally.to_worker.rtx.came), (100, 100));
            let Counts { rtp, rtx, rtcp } = tally.to_worker;
            assert!((15..45).contains(&rtp.dropped) && (15..45).contains(&rtx.dropped), "{tally}");
            assert_eq!(rtcp, Count::default());
            came
        };
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }
}
