//! Real sockets on loopback; every wait is for a condition, with a limit.
#![expect(unsafe_code, reason = "a sendmmsg that refuses, to be put in place of the real one")]

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::RawFd;
use std::time::Duration;

use mio::{Events, Poll};

use super::send::SendCall;
use super::*;
use crate::network::{Destination, PortChoice};
use crate::sys::clock::Clock;

mod backlog;

/// The table under test and all it needs.
struct Bench {
    poll: Poll,
    events: Events,
    sockets: UdpSockets,
    pool: Pool,
    clock: Clock,
    arrived: Vec<Datagram>,
}

impl Bench {
    fn new() -> Self {
        Self::with_pool(16 << 20)
    }

    fn with_pool(limit_bytes: usize) -> Self {
        let poll = Poll::new().unwrap();
        let sockets = UdpSockets::new(poll.registry().try_clone().unwrap(), limit_bytes);
        let pool = Pool::new(limit_bytes);
        let events = Events::with_capacity(16);
        Self { poll, events, sockets, pool, clock: Clock::new(), arrived: Vec::new() }
    }

    fn with_send(call: SendCall) -> Self {
        let mut bench = Self::new();
        bench.sockets.sender = Sender::with_call(call);
        bench
    }

    fn bind(&mut self, ip: impl Into<IpAddr>) -> Bound {
        self.sockets.bind(&BindOptions::new(ip.into(), PortChoice::Any), 0).unwrap()
    }

    /// Polls and reads as the event loop does, until `enough` or for two seconds.
    fn receive_until(&mut self, mut enough: impl FnMut(&Self) -> bool) {
        for _ in 0..200 {
            self.turn();
            if enough(self) {
                return;
            }
        }
        panic!("waited in vain; {} datagrams so far", self.arrived.len());
    }

    fn receive(&mut self, count: usize) -> Vec<Datagram> {
        self.receive_until(|bench| bench.arrived.len() >= count);
        assert_eq!(self.arrived.len(), count);
        std::mem::take(&mut self.arrived)
    }

    fn turn(&mut self) {
        let wait = if self.sockets.ready() > 0 { Duration::ZERO } else { Duration::from_millis(10) };
        self.poll.poll(&mut self.events, Some(wait)).unwrap();
        for event in &self.events {
            let socket = socket_of(event.token()).unwrap();
            self.sockets.on_event(socket, event.is_readable(), event.is_writable());
        }
        let moment = self.clock.moment();
        for _ in 0..self.sockets.ready() {
            self.sockets.receive_next(&mut self.pool, &moment, &mut self.arrived);
        }
    }

    fn send(&mut self, to: Destination, datagrams: &[Vec<u8>]) {
        let mut batch = SendBatch::new();
        for datagram in datagrams {
            if !batch.push(to, datagram) {
                self.sockets.send(&mut batch);
                assert!(batch.push(to, datagram));
            }
        }
        self.sockets.send(&mut batch);
        assert!(batch.is_empty());
    }

    fn stats(&self, socket: SocketKey) -> SocketStats {
        self.sockets.socket_stats(socket).unwrap()
    }
}

fn to(from: &Bound, remote: SocketAddr) -> Destination {
    Destination { socket: from.socket, remote, local_ip: None }
}

fn bytes_of(datagrams: &[Datagram]) -> Vec<Vec<u8>> {
    datagrams.iter().map(|datagram| datagram.buffer.to_vec()).collect()
}

/// Datagrams of these sizes, each one's bytes its own.
fn numbered(sizes: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let fill = |number: usize| u8::try_from(number % 251).unwrap();
    sizes.into_iter().enumerate().map(|(number, size)| vec![fill(number); size]).collect()
}

#[test]
fn runs_of_every_size_arrive_as_the_datagrams_that_were_written() {
    let mut bench = Bench::new();
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    let mut sent_in_all = 0;
    for size in [1_usize, 2, 80, 255, 256, 1100, 1200, 1432, 1472, 1536] {
        for count in [1, 2, 7, 42] {
            let mut sizes = vec![size; count];
            sizes.push(size.div_ceil(3));
            let sent = numbered(sizes);
            bench.send(to(&a, b.local), &sent);
            let arrived = bench.receive(sent.len());
            assert_eq!(bytes_of(&arrived), sent, "{count} of {size}");
            assert!(arrived.iter().all(|datagram| datagram.remote == a.local && !datagram.truncated));
            sent_in_all += sent.len() as u64;
        }
    }
    let stats = bench.stats(a.socket);
    assert_eq!((stats.sent_datagrams, stats.send_errors.total()), (sent_in_all, 0));
    assert!(stats.sent_gso_runs >= 39, "{stats:?}");
    assert_eq!(bench.stats(b.socket).received_datagrams, sent_in_all);
    assert_eq!(bench.stats(b.socket).received_bytes, stats.sent_bytes);
    assert_eq!(bench.sockets.counters().gso_run_length.sum, sent_in_all);
}

#[test]
fn a_kernel_that_refuses_runs_gets_single_datagrams_and_loses_none() {
    let mut bench = Bench::new();
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    // Without checksums the kernel refuses to cut: EINVAL on a run, and nothing wrong with its datagrams.
    let fd = find(&mut bench.sockets.slots, a.socket).unwrap().raw_fd();
    bind::set_option(fd, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).unwrap();
    let sent = numbered([1100, 1100, 1100, 500, 70, 70]);
    bench.send(to(&a, b.local), &sent);
    assert_eq!(bytes_of(&bench.receive(6)), sent);
    assert!(!find(&mut bench.sockets.slots, a.socket).unwrap().gso);
    let calls = bench.sockets.counters().send_calls;
    bench.send(to(&a, b.local), &sent);
    assert_eq!(bytes_of(&bench.receive(6)), sent);
    assert_eq!(bench.sockets.counters().send_calls, calls + 1, "asked again what was refused for good");
    let stats = bench.stats(a.socket);
    assert_eq!((stats.sent_datagrams, stats.sent_gso_runs, stats.send_errors.total()), (12, 0, 0));
    assert!(find(&mut bench.sockets.slots, b.socket).unwrap().gso, "another socket's trouble");
}

#[test]
fn a_hopeless_destination_costs_the_others_nothing() {
    let mut bench = Bench::new();
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hopeless: [SocketAddr; 5] = [
        closed,
        "0.0.0.0:0".parse().unwrap(),
        "127.0.0.1:0".parse().unwrap(),
        "255.255.255.255:9".parse().unwrap(),
        "[::1]:9".parse().unwrap(),
    ];
    let mut sent = Vec::new();
    for round in 0..20_u8 {
        let mut batch = SendBatch::new();
        for (number, remote) in (0_u8..).zip(hopeless) {
            assert!(batch.push(to(&a, remote), &[0; 300]) && batch.push(to(&a, remote), &[0; 300]));
            sent.push(vec![round, number]);
            assert!(batch.push(to(&a, b.local), &[round, number]));
        }
        bench.sockets.send(&mut batch);
    }
    assert_eq!(bytes_of(&bench.receive(100)), sent);
    let errors = bench.stats(a.socket).send_errors;
    assert!(
        errors.invalid_address >= 3 * 40 && errors.not_permitted + errors.unreachable == 40,
        "{errors:?}"
    );
    assert!(find(&mut bench.sockets.slots, a.socket).unwrap().gso, "a bad address says nothing of GSO");
}

#[test]
fn messages_of_two_sockets_between_one_another_leave_in_two_calls() {
    let mut bench = Bench::new();
    let (a, b, c) =
        (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    let mut batch = SendBatch::new();
    for number in 0..40_u8 {
        let from = if number % 2 == 0 { &a } else { &b };
        assert!(batch.push(to(from, c.local), &[number; 10]));
    }
    bench.sockets.send(&mut batch);
    let arrived = bench.receive(40);
    assert_eq!(bench.sockets.counters().send_calls, 2);
    for from in [a.local, b.local] {
        let numbers: Vec<u8> = arrived.iter().filter(|d| d.remote == from).map(|d| d.buffer[0]).collect();
        assert!(numbers.len() == 20 && numbers.is_sorted(), "{numbers:?}");
    }
}

#[test]
fn a_wildcard_socket_answers_from_the_address_it_was_called_on() {
    for (wildcard, ipv6_only) in [("0.0.0.0", false), ("::", false)] {
        let mut bench = Bench::new();
        let ip: IpAddr = wildcard.parse().unwrap();
        let options = BindOptions { ipv6_only, ..BindOptions::new(ip, PortChoice::Any) };
        let server = bench.sockets.bind(&options, 0).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let called: SocketAddr = ([127, 0, 0, 2], server.local.port()).into();
        client.send_to(b"hello", called).unwrap();
        let arrived = bench.receive(1);
        assert_eq!(arrived[0].local_ip, Some(called.ip()), "on {wildcard}");
        assert_eq!(arrived[0].remote, client.local_addr().unwrap());
        bench.send(arrived[0].reply_to(), &numbered([100, 100, 100]));
        for _ in 0..3 {
            let (bytes, from) = client.recv_from(&mut [0; 200]).unwrap();
            assert_eq!((bytes, from), (100, called), "on {wildcard}");
        }
        assert_eq!(bench.stats(server.socket).sent_gso_runs, 1);
    }
}

#[test]
fn ipv6_works_alone_and_with_ipv4_on_one_socket() {
    let mut bench = Bench::new();
    let (a, b) = (bench.bind(Ipv6Addr::LOCALHOST), bench.bind(Ipv6Addr::LOCALHOST));
    let sent = numbered([1100; 20]);
    bench.send(to(&a, b.local), &sent);
    let arrived = bench.receive(20);
    assert_eq!((bytes_of(&arrived), arrived[0].remote, arrived[0].local_ip), (sent, a.local, None));

    let options =
        BindOptions { ipv6_only: true, ..BindOptions::new(Ipv6Addr::UNSPECIFIED.into(), PortChoice::Any) };
    let only6 = bench.sockets.bind(&options, 0).unwrap();
    // The same port is free on IPv4, so the socket does not hold it.
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, only6.local.port())).unwrap();
    bench.send(to(&b, SocketAddr::new(Ipv6Addr::LOCALHOST.into(), only6.local.port())), &numbered([9]));
    assert_eq!(bench.receive(1)[0].local_ip, Some(Ipv6Addr::LOCALHOST.into()));
}

#[test]
fn a_range_is_searched_once_round_from_its_start() {
    let mut bench = Bench::new();
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    // Somewhere below the ephemeral ports, four in a row that are free.
    let min = (20_000..30_000)
        .step_by(4)
        .find(|min| (*min..min + 4).all(|port| UdpSocket::bind((ip, port)).is_ok()))
        .unwrap();
    let range = BindOptions::new(ip, PortChoice::Range { min, max: min + 3 });
    let ports: Vec<u16> =
        (0..4).map(|_| bench.sockets.bind(&range, 4_000_000_002).unwrap().local.port()).collect();
    assert_eq!(ports, [min + 2, min + 3, min, min + 1]);
    assert_eq!(bench.sockets.bind(&range, 1), Err(BindError::NoFreePort));
    let taken = BindOptions::new(ip, PortChoice::Fixed(min));
    assert_eq!(bench.sockets.bind(&taken, 0), Err(BindError::AddressInUse));
    let shared = BindOptions { reuse_port: true, ..BindOptions::new(ip, PortChoice::Any) };
    let first = bench.sockets.bind(&shared, 0).unwrap();
    let second = BindOptions { port: PortChoice::Fixed(first.local.port()), ..shared };
    assert_eq!(bench.sockets.bind(&second, 0).map(|bound| bound.local), Ok(first.local));
}

#[test]
fn an_address_of_no_interface_ends_the_search_at_once() {
    let mut bench = Bench::new();
    let nowhere = BindOptions::new("192.0.2.1".parse().unwrap(), PortChoice::Range { min: 1, max: 65_535 });
    assert_eq!(bench.sockets.bind(&nowhere, 7), Err(BindError::AddressNotAvailable));
    assert_eq!(bench.sockets.counters().sockets, 0);
}

#[test]
fn buffer_sizes_are_asked_for_and_told() {
    let mut bench = Bench::new();
    let any = BindOptions::new(Ipv4Addr::LOCALHOST.into(), PortChoice::Any);
    let options = BindOptions { send_buffer_bytes: 20_000, receive_buffer_bytes: 30_000, ..any };
    let bound = bench.sockets.bind(&options, 0).unwrap();
    assert_eq!((bound.send_buffer_bytes, bound.receive_buffer_bytes), (40_000, 60_000));
}

#[test]
fn descriptors_close_on_exec_and_do_not_block() {
    let mut bench = Bench::new();
    let bound = bench.bind(Ipv4Addr::LOCALHOST);
    let fd = find(&mut bench.sockets.slots, bound.socket).unwrap().raw_fd();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    let flags = i32::from_str_radix(flags, 8).unwrap();
    assert_eq!(flags & (libc::O_CLOEXEC | libc::O_NONBLOCK), libc::O_CLOEXEC | libc::O_NONBLOCK);
}

#[test]
fn a_datagram_longer_than_a_buffer_is_told_from_a_whole_one() {
    let mut bench = Bench::new();
    let bound = bench.bind(Ipv4Addr::LOCALHOST);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for size in [1536, 1537, 9000, 10, 0] {
        client.send_to(&vec![7; size], bound.local).unwrap();
    }
    let arrived: Vec<_> = bench.receive(5).iter().map(|d| (d.buffer.len(), d.truncated)).collect();
    assert_eq!(arrived, [(1536, false), (1536, true), (1536, true), (10, false), (0, false)]);
}

#[test]
fn arrival_times_are_the_kernel_s_and_never_ahead_of_now() {
    let mut bench = Bench::new();
    let (bound, client) = (bench.bind(Ipv4Addr::LOCALHOST), UdpSocket::bind("127.0.0.1:0").unwrap());
    // A kernel without any such socket begins to stamp a while after the first one asks; until then it stamps at the read.
    let mut is_stamped = || {
        let before = bench.clock.now();
        (0..50).for_each(|_| assert_eq!(client.send_to(b"x", bound.local).unwrap(), 1));
        bench.poll.poll(&mut bench.events, Some(Duration::from_secs(10))).unwrap();
        let there = bench.clock.now();
        bench.sockets.on_event(bound.socket, true, false);
        bench.clock.sleep(Duration::from_millis(20));
        let times: Vec<_> = bench.receive(50).iter().map(|d| d.received_at).collect();
        assert!(times.is_sorted() && times[49] <= bench.clock.now(), "{times:?}");
        // The two clocks are read one after the other: a millisecond for what lies in between.
        assert!(times[0] >= before - Duration::from_millis(1));
        times[0] <= there + Duration::from_millis(1)
    };
    assert!((0..50).any(|_| is_stamped()), "the wait in the kernel is not network delay");
}

#[test]
fn sockets_with_more_than_their_share_take_turns() {
    let mut bench = Bench::new();
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..150 {
        client.send_to(b"flood", a.local).unwrap();
    }
    client.send_to(b"word", b.local).unwrap();
    bench.poll.poll(&mut bench.events, Some(Duration::from_secs(1))).unwrap();
    bench.sockets.on_event(a.socket, true, false);
    bench.sockets.on_event(b.socket, true, false);
    bench.sockets.on_event(a.socket, true, false);
    let moment = bench.clock.moment();
    let read: Vec<usize> = std::iter::from_fn(|| {
        (bench.sockets.ready() > 0)
            .then(|| bench.sockets.receive_next(&mut bench.pool, &moment, &mut bench.arrived))
    })
    .collect();
    assert_eq!(read, [64, 1, 64, 22]);
}

#[test]
fn without_memory_sockets_are_drained_and_the_loss_is_counted() {
    let mut bench = Bench::with_pool(0);
    let bound = bench.bind(Ipv4Addr::LOCALHOST);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        client.send_to(&[1; 500], bound.local).unwrap();
    }
    bench.receive_until(|bench| bench.stats(bound.socket).dropped_no_memory == 100);
    bench.pool = Pool::new(1 << 20);
    client.send_to(b"room again", bound.local).unwrap();
    assert_eq!(bytes_of(&bench.receive(1)), [b"room again"]);
}

#[test]
fn what_the_kernel_dropped_is_counted() {
    let mut bench = Bench::new();
    let any = BindOptions::new(Ipv4Addr::LOCALHOST.into(), PortChoice::Any);
    let bound = bench.sockets.bind(&BindOptions { receive_buffer_bytes: 4096, ..any }, 0).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = 200;
    for _ in 0..sent {
        client.send_to(&[1; 1000], bound.local).unwrap();
    }
    bench.turn();
    client.send_to(b"last", bound.local).unwrap();
    bench.receive_until(|bench| bench.arrived.last().is_some_and(|d| &*d.buffer == b"last"));
    let stats = bench.stats(bound.socket);
    assert_eq!(stats.received_datagrams + stats.dropped_receive_buffer, sent + 1, "{stats:?}");
    assert!(stats.dropped_receive_buffer > 0);
}

#[test]
fn a_closed_socket_s_key_never_names_the_next_one() {
    let mut bench = Bench::new();
    let first = bench.bind(Ipv4Addr::LOCALHOST);
    bench.sockets.on_event(first.socket, true, true);
    bench.sockets.close(first.socket);
    assert_eq!(bench.sockets.ready(), 0);
    let second = bench.bind(Ipv4Addr::LOCALHOST);
    assert_eq!(first.socket.slot(), second.socket.slot());
    assert_eq!(bench.sockets.socket_stats(first.socket), None);
    bench.sockets.close(first.socket);
    bench.sockets.on_event(first.socket, true, true);
    bench.send(to(&first, second.local), &numbered([10]));
    assert_eq!(socket_of(token(second.socket)), Some(second.socket));
    assert_eq!((bench.sockets.ready(), bench.sockets.counters().sockets), (0, 1));
    assert!(bench.sockets.socket_stats(second.socket).is_some());
}

thread_local! {
    /// What the kernel of a test says of runs.
    static RUN_ERROR: Cell<i32> = const { Cell::new(0) };
}

/// A kernel that refuses runs.
unsafe fn refuse_runs(socket: RawFd, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    let singles = headers.iter().take_while(|header| header.msg_hdr.msg_controllen == 0).count();
    if singles == 0 {
        return Err(io::Error::from_raw_os_error(RUN_ERROR.get()));
    }
    let count = u32::try_from(singles).unwrap();
    // SAFETY: as the caller promises, and no more of them than there are.
    let sent = unsafe { libc::sendmmsg(socket, headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[test]
fn only_errors_that_tell_of_gso_turn_it_off() {
    for (error, size, stays) in [
        (libc::EIO, 1400, false),
        (libc::ENOPROTOOPT, 1400, false),
        (libc::EINVAL, 1200, false),
        (libc::EINVAL, 1400, true),
        (libc::EMSGSIZE, 1400, true),
        (libc::ENOBUFS, 1200, true),
    ] {
        let mut bench = Bench::with_send(refuse_runs);
        let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
        RUN_ERROR.set(error);
        let sent = numbered([size, size, size, 100, 30]);
        bench.send(to(&a, b.local), &sent);
        assert_eq!(bytes_of(&bench.receive(5)), sent, "errno {error}");
        assert_eq!(find(&mut bench.sockets.slots, a.socket).unwrap().gso, stays, "errno {error}");
        assert_eq!(bench.stats(a.socket).send_errors.total(), 0);
    }
}
