//! Real connections on loopback; every wait is for a condition, with a limit.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpStream as Client};

use mio::{Events, Poll};

use super::connection::append_frame;
use super::scratch::READ_BYTES;
use super::*;
use crate::network::{Content, Destination, Network, PortChoice};
use crate::sys::clock::Clock;
use crate::sys::limits::raise_open_files;
use crate::sys::sockets::Sockets;

/// The table under test and all it needs.
struct Bench {
    poll: Poll,
    events: Events,
    sockets: Sockets,
    pool: Pool,
    clock: Clock,
    arrived: Vec<Datagram>,
}

impl Bench {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let sockets = Sockets::new(poll.registry().try_clone().unwrap(), LIMIT).unwrap();
        let (pool, events) = (Pool::new(LIMIT), Events::with_capacity(64));
        Self { poll, events, sockets, pool, clock: Clock::new(), arrived: Vec::new() }
    }

    fn listen(&mut self, ip: impl Into<IpAddr>) -> Bound {
        self.sockets.listen(&BindOptions::new(ip.into(), PortChoice::Any), 0).unwrap()
    }

    fn turn(&mut self) {
        let wait = if self.sockets.ready() > 0 { Duration::ZERO } else { Duration::from_millis(10) };
        self.poll.poll(&mut self.events, Some(wait)).unwrap();
        for event in &self.events {
            self.sockets.on_event(event);
        }
        let moment = self.clock.moment();
        for _ in 0..self.sockets.ready() {
            self.sockets.receive_next(&mut self.pool, &moment, &mut self.arrived);
        }
    }

    fn until(&mut self, what: &str, mut enough: impl FnMut(&mut Self) -> bool) {
        for _ in 0..500 {
            if enough(self) {
                return;
            }
            self.turn();
        }
        panic!("waited in vain for {what}; {:?}", self.counters());
    }

    fn receive(&mut self, count: usize) -> Vec<Datagram> {
        self.until("datagrams", |bench| bench.arrived.len() >= count);
        assert_eq!(self.arrived.len(), count);
        std::mem::take(&mut self.arrived)
    }

    fn counters(&self) -> TcpCounters {
        self.sockets.counters().tcp
    }

    fn open(&self) -> u64 {
        self.sockets.counters().sockets
    }

    fn send(&mut self, content: Content, to: Destination, datagrams: &[Vec<u8>]) {
        let mut batch = SendBatch::new();
        for datagram in datagrams {
            if batch.reserve(datagram.len()).is_none() {
                self.sockets.send(&mut batch);
            }
            batch.reserve(datagram.len()).unwrap().copy_from_slice(datagram);
            batch.commit_as(content, &to, datagram.len());
        }
        self.sockets.send(&mut batch);
        assert!(batch.is_empty());
    }

    /// A connected client whose first datagram has come, and the way to it.
    fn client(&mut self, listener: &Bound) -> (Client, Destination) {
        let mut client = Client::connect(listener.local).unwrap();
        client.write_all(&frame(&[7; 20])).unwrap();
        let first = self.receive(1).remove(0);
        assert_eq!(first.remote, client.local_addr().unwrap());
        (client, first.reply_to())
    }
}

/// The least packet memory that a worker accepts: all queues together are as long as one.
const LIMIT: usize = 2 << 20;

fn frame(datagram: &[u8]) -> Vec<u8> {
    [&u16::try_from(datagram.len()).unwrap().to_be_bytes()[..], datagram].concat()
}

/// Reads frames until there are so many, or the stream ends.
fn read_frames(client: &mut Client, count: usize) -> Vec<Vec<u8>> {
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut frames = Vec::new();
    let mut length = [0; 2];
    while frames.len() < count && client.read_exact(&mut length).is_ok() {
        let mut datagram = vec![0; usize::from(u16::from_be_bytes(length))];
        client.read_exact(&mut datagram).unwrap();
        frames.push(datagram);
    }
    frames
}

fn is_over(client: &mut Client) -> bool {
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    !matches!(client.read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn frames_in_any_parts_are_datagrams() {
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let mut bench = Bench::new();
        let listener = bench.listen(ip);
        let (mut client, to) = bench.client(&listener);
        let stream = [frame(&[1; 8]), frame(&[]), frame(&[2; 1_400]), frame(&[3; 300])].concat();
        client.set_nodelay(true).unwrap();
        for part in stream.chunks(37) {
            client.write_all(part).unwrap();
            bench.turn();
        }
        let datagrams = bench.receive(3);
        let bytes: Vec<Vec<u8>> = datagrams.iter().map(|datagram| datagram.buffer.to_vec()).collect();
        assert_eq!(bytes, [vec![1; 8], vec![2; 1_400], vec![3; 300]]);
        assert!(datagrams.iter().all(|datagram| datagram.socket == to.socket && !datagram.truncated));
        assert_eq!(bench.sockets.listener_of(to.socket), Some(listener.socket));
        assert_eq!(bench.sockets.socket_stats(to.socket).unwrap().received_datagrams, 4);
    }
}

#[test]
fn datagrams_of_one_batch_leave_on_udp_and_on_connections() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let (mut one, to_one) = bench.client(&listener);
    let (mut two, to_two) = bench.client(&listener);
    let udp = bench.sockets.bind(&BindOptions::new(Ipv4Addr::LOCALHOST.into(), PortChoice::Any), 0).unwrap();
    let peer = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let to_peer = Destination { socket: udp.socket, remote: peer.local_addr().unwrap(), local_ip: None };
    let mut batch = SendBatch::new();
    for (number, to) in (0..).zip([to_one, to_one, to_peer, to_two, to_one]) {
        assert!(batch.push(to, &[number; 100]));
    }
    bench.sockets.send(&mut batch);
    assert_eq!(read_frames(&mut one, 3), [vec![0; 100], vec![1; 100], vec![4; 100]]);
    assert_eq!(read_frames(&mut two, 1), [vec![3; 100]]);
    let mut room = [0; 200];
    assert_eq!(peer.recv(&mut room).unwrap(), 100);
    assert_eq!(room[0], 2);
    assert_eq!(bench.sockets.socket_stats(to_one.socket).unwrap().sent_datagrams, 3);
}

#[test]
fn small_frames_do_not_wait_for_others() {
    let mut bench = Bench::new();
    let mut tcp = TcpSockets::new(bench.poll.registry().try_clone().unwrap(), LIMIT);
    let listener = tcp.listen(&BindOptions::new(Ipv4Addr::LOCALHOST.into(), PortChoice::Any), 0).unwrap();
    let _client = Client::connect(listener.local).unwrap();
    tcp.on_event(listener.socket, true, false, false);
    let moment = bench.clock.moment();
    for _ in 0..500 {
        tcp.receive_next(&mut bench.pool, &moment, &mut bench.arrived);
        tcp.on_event(listener.socket, true, false, false);
        if tcp.open() == 2 {
            break;
        }
    }
    let key = tcp.strangers.front().unwrap().1;
    let Some(Kind::Connection(connection)) = tcp.kind(key) else { panic!("no connection") };
    assert!(connection.stream.nodelay().unwrap());
}

#[test]
fn a_slow_reader_loses_video_and_nothing_else() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let (mut client, to) = bench.client(&listener);
    assert!(bench.sockets.authenticate(to.socket));
    let (mut video, mut audio) = (0u32, 0u32);
    while bench.counters().dropped_queue_full < 500 {
        video += 10;
        bench.send(Content::Video, to, &vec![vec![1; 1_200]; 10]);
        audio += 1;
        bench.send(Content::Other, to, &[[vec![2], audio.to_be_bytes().to_vec(), vec![0; 95]].concat()]);
        assert!(audio < 20_000, "the kernel takes everything");
    }
    let waiting = bench.sockets.counters().send_backlog_bytes;
    assert!(waiting > 0 && waiting <= QUEUE_BYTES_MAX as u64);
    let dropped = bench.counters().dropped_queue_full;
    assert_eq!(bench.sockets.socket_stats(to.socket).unwrap().dropped_send_buffer, dropped);
    let expected = usize::try_from(u64::from(video + audio) - dropped).unwrap();
    let reader = std::thread::spawn(move || (read_frames(&mut client, expected), client));
    bench.until("the queue to empty", |bench| bench.sockets.counters().send_backlog_bytes == 0);
    let (frames, _client) = reader.join().unwrap();
    assert_eq!(frames.len(), expected);
    let numbers: Vec<u32> = frames
        .iter()
        .filter(|frame| frame[0] == 2)
        .map(|frame| u32::from_be_bytes(frame[1..5].try_into().unwrap()))
        .collect();
    assert_eq!(numbers, (1..=audio).collect::<Vec<_>>());
    assert!(frames.iter().all(|frame| frame.len() == if frame[0] == 1 { 1_200 } else { 100 }));
}

#[test]
fn a_peer_that_never_reads_what_must_arrive_is_left() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let (_client, to) = bench.client(&listener);
    bench.sockets.authenticate(to.socket);
    for _ in 0..100_000 {
        bench.send(Content::Other, to, &vec![vec![1; 1_200]; 20]);
        if bench.counters().closed_queue_full > 0 {
            break;
        }
    }
    assert_eq!(bench.sockets.next_closed(), Some(to.socket));
    assert_eq!((bench.open(), bench.sockets.counters().send_backlog_bytes), (1, 0));
    assert!(bench.sockets.socket_stats(to.socket).is_none());
}

#[test]
fn of_all_queues_the_fullest_gives_up_its_video_or_ends() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let waiting = |bench: &Bench| usize::try_from(bench.sockets.counters().send_backlog_bytes).unwrap();
    let [(_deaf, first), (_deaf_too, second), (mut reader, third)] = [(); 3].map(|()| {
        let (client, to) = bench.client(&listener);
        bench.sockets.authenticate(to.socket);
        (client, to)
    });
    // Of the first 200 KiB wait, half of it video; of the second 50 KiB.
    for (to, content, kib) in
        [(first, Content::Other, 100), (first, Content::Video, 200), (second, Content::Other, 250)]
    {
        while waiting(&bench) < kib << 10 {
            bench.send(content, to, &vec![vec![1; 500]; 10]);
        }
    }
    assert_eq!(bench.counters().dropped_queue_full, 0, "no queue is too long by itself");
    let mut dropped = Vec::new();
    while bench.sockets.socket_stats(second.socket).is_some() {
        bench.send(Content::Other, second, &vec![vec![1; 500]; 2]);
        bench.send(Content::Video, third, &[vec![3; 100]]);
        assert_eq!(read_frames(&mut reader, 1), [vec![3; 100]], "who reads loses nothing");
        assert!(waiting(&bench) <= QUEUE_BYTES_MAX);
        dropped.push(bench.counters().dropped_queue_full);
    }
    assert!(dropped.is_sorted() && dropped.contains(&0) && dropped.last() > Some(&150), "{dropped:?}");
    assert_eq!(
        bench.sockets.socket_stats(first.socket).unwrap().dropped_send_buffer,
        *dropped.last().unwrap()
    );
    assert_eq!((bench.sockets.next_closed(), bench.sockets.next_closed()), (Some(second.socket), None));
    assert_eq!(bench.counters().closed_queue_full, 1);
}

#[test]
fn half_closed_is_closed_once_everything_is_read() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let (mut client, to) = bench.client(&listener);
    client.write_all(&frame(&[9; 50])).unwrap();
    client.write_all(&[0, 50, 1, 2, 3]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(&*bench.receive(1)[0].buffer, [9; 50]);
    assert!(bench.sockets.authenticate(to.socket));
    bench.until("the end", |bench| bench.sockets.has_closed());
    assert_eq!((bench.sockets.next_closed(), bench.sockets.next_closed()), (Some(to.socket), None));
    assert!(is_over(&mut client));
    assert_eq!(bench.open(), 1);
}

#[test]
fn a_frame_and_the_end_behind_it_come_one_after_the_other() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let mut client = Client::connect(listener.local).unwrap();
    client.write_all(&frame(&[9; 50])).unwrap();
    drop(client);
    let moment = bench.clock.moment();
    for _ in 0..500 {
        bench.poll.poll(&mut bench.events, Some(Duration::from_millis(10))).unwrap();
        bench.events.iter().for_each(|event| bench.sockets.on_event(event));
        while bench.arrived.is_empty() && bench.sockets.ready() > 0 {
            bench.sockets.receive_next(&mut bench.pool, &moment, &mut bench.arrived);
        }
        if !bench.arrived.is_empty() {
            break;
        }
    }
    let key = bench.receive(1)[0].socket;
    assert!(bench.sockets.authenticate(key), "it is still there when its frame is looked at");
    bench.until("the end", |bench| bench.sockets.next_closed() == Some(key));
}

#[test]
fn strangers_have_four_seconds_and_nobody_hears_of_them() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let before = bench.clock.now();
    let (mut silent, _) = bench.client(&listener);
    let (_friend, to_friend) = bench.client(&listener);
    let after = bench.clock.now();
    assert!(bench.sockets.authenticate(to_friend.socket));
    let until = bench.sockets.next_deadline().expect("somebody is awaited");
    assert!(before + STRANGER_TIME <= until && until <= after + STRANGER_TIME);
    bench.sockets.on_deadline(until - Duration::from_millis(1));
    assert_eq!(bench.open(), 3);
    bench.sockets.on_deadline(until);
    assert_eq!((bench.open(), bench.counters().closed_unauthenticated), (2, 1));
    assert!(is_over(&mut silent) && bench.sockets.next_deadline().is_none() && !bench.sockets.has_closed());
    bench.sockets.on_deadline(after + Duration::from_secs(3_600));
    assert_eq!(bench.open(), 2);
}

#[test]
fn one_stranger_too_many_displaces_the_oldest() {
    let _ = raise_open_files();
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let (_friend, to_friend) = bench.client(&listener);
    bench.sockets.authenticate(to_friend.socket);
    let mut clients = Vec::new();
    for number in 1..=STRANGERS_MAX as u64 + 1 {
        clients.push(Client::connect(listener.local).unwrap());
        bench.until("a connection", |bench| bench.counters().accepted == number + 1);
    }
    assert_eq!(bench.counters().closed_displaced, 1);
    assert_eq!(bench.open(), 2 + STRANGERS_MAX as u64);
    assert!(is_over(&mut clients[0]));
    clients[1].set_nonblocking(true).unwrap();
    assert!(clients[1].read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
    assert!(bench.sockets.authenticate(to_friend.socket));
    drop(clients);
    bench.until("all to go", |bench| bench.open() == 2);
    assert!(bench.sockets.next_deadline().is_none(), "nobody is awaited any more");
}

#[test]
fn a_stranger_who_talks_too_much_is_left() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let (mut client, _) = bench.client(&listener);
    let _ = client.write_all(&frame(&[1; 30_000]));
    bench.until("the end", |bench| bench.open() == 1);
    assert!(is_over(&mut client) && !bench.sockets.has_closed());
}

#[test]
fn frames_of_no_use_are_passed_over_and_counted() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv4Addr::LOCALHOST);
    let (mut client, to) = bench.client(&listener);
    bench.sockets.authenticate(to.socket);
    let stream =
        [frame(&[1; 65_535]), frame(&[2; 1_537]), frame(&[3; 7]), frame(&[4; 1_536]), frame(&[5; 8])]
            .concat();
    client.write_all(&stream).unwrap();
    let datagrams = bench.receive(2);
    assert_eq!((&*datagrams[0].buffer, &*datagrams[1].buffer), (&[4; 1_536][..], &[5; 8][..]));
    assert_eq!(bench.sockets.socket_stats(to.socket).unwrap().dropped_frame_length, 3);
}

#[test]
fn a_listener_takes_its_connections_along() {
    let mut bench = Bench::new();
    let (one, other) = (bench.listen(Ipv4Addr::LOCALHOST), bench.listen(Ipv4Addr::LOCALHOST));
    let (mut known, to_known) = bench.client(&one);
    let (mut stranger, _) = bench.client(&one);
    let (_elsewhere, to_elsewhere) = bench.client(&other);
    bench.sockets.authenticate(to_known.socket);
    bench.sockets.close(one.socket);
    assert_eq!((bench.sockets.next_closed(), bench.sockets.next_closed()), (Some(to_known.socket), None));
    assert!(is_over(&mut known) && is_over(&mut stranger) && Client::connect(one.local).is_err());
    assert_eq!(bench.open(), 2);
    bench.sockets.close(to_elsewhere.socket);
    assert_eq!((bench.open(), bench.sockets.has_closed()), (1, false), "who closes need not be told");
    assert!(!bench.sockets.authenticate(to_elsewhere.socket));
    bench.send(Content::Other, to_elsewhere, &[vec![1; 10]]);
}

#[test]
fn a_wildcard_listener_says_where_it_was_called() {
    let mut bench = Bench::new();
    let listener = bench.listen(Ipv6Addr::UNSPECIFIED);
    let mut client = Client::connect((Ipv4Addr::LOCALHOST, listener.local.port())).unwrap();
    client.write_all(&frame(&[1; 20])).unwrap();
    let first = bench.receive(1).remove(0);
    assert_eq!(first.local_ip, Some(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(first.remote, client.local_addr().unwrap(), "a plain IPv4 address");
}

#[test]
fn ports_are_searched_as_for_udp() {
    let mut bench = Bench::new();
    let first = bench.listen(Ipv4Addr::LOCALHOST);
    let port = first.local.port();
    let again = BindOptions::new(Ipv4Addr::LOCALHOST.into(), PortChoice::Fixed(port));
    assert_eq!(bench.sockets.listen(&again, 0), Err(BindError::AddressInUse));
    let range = PortChoice::Range { min: port, max: port };
    assert_eq!(
        bench.sockets.listen(&BindOptions::new(Ipv4Addr::LOCALHOST.into(), range), 9),
        Err(BindError::NoFreePort)
    );
    let elsewhere = BindOptions::new(Ipv4Addr::new(192, 0, 2, 1).into(), PortChoice::Any);
    assert_eq!(bench.sockets.listen(&elsewhere, 0), Err(BindError::AddressNotAvailable));
    bench.sockets.close(first.socket);
    assert!(bench.sockets.listen(&again, 0).is_ok());
}

#[test]
fn memory_goes_back_when_nothing_waits() {
    let mut bench = Bench::new();
    let mut tcp = TcpSockets::new(bench.poll.registry().try_clone().unwrap(), LIMIT);
    tcp.scratch.receive_room();
    append_frame(&mut tcp.scratch.outgoing, &mut tcp.scratch.frames, &[1; 100], Content::Other);
    tcp.reclaim();
    assert_eq!(tcp.scratch.received.len(), READ_BYTES, "it was used since");
    tcp.reclaim();
    assert_eq!((tcp.scratch.received.capacity(), tcp.scratch.outgoing.capacity()), (0, 0));
    bench.turn();
}
