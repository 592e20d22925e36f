//! A kernel whose send buffer is full: what it has no room for waits here, in order and bounded.

use std::cell::Cell;

use super::*;

thread_local! {
    /// How many more datagrams the kernel of a test takes before its buffer is full.
    static ROOM: Cell<usize> = const { Cell::new(0) };
}

/// A kernel with little room.
unsafe fn send_within_room(socket: RawFd, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    let room = ROOM.get().min(headers.len());
    if room == 0 {
        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
    }
    ROOM.set(ROOM.get() - room);
    let count = u32::try_from(room).unwrap();
    // SAFETY: as the caller promises, and no more of them than there are.
    let sent = unsafe { libc::sendmmsg(socket, headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[test]
fn what_the_kernel_has_no_room_for_waits_and_keeps_its_order() {
    let mut bench = Bench::with_send(send_within_room);
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    ROOM.set(2);
    let sent = numbered([50, 60, 70, 70, 80, 10, 90]);
    bench.send(to(&a, b.local), &sent[..4]);
    bench.send(to(&a, b.local), &sent[4..]);
    assert_eq!(bytes_of(&bench.receive(2)), sent[..2]);
    assert!(bench.sockets.counters().send_backlog_bytes > 0);
    ROOM.set(1);
    bench.sockets.on_event(a.socket, false, true);
    assert_eq!(bytes_of(&bench.receive(2)), sent[2..4]);
    ROOM.set(100);
    bench.sockets.on_event(a.socket, false, true);
    assert_eq!(bytes_of(&bench.receive(3)), sent[4..]);
    assert_eq!(bench.sockets.counters().send_backlog_bytes, 0);
    let stats = bench.stats(a.socket);
    assert_eq!((stats.sent_datagrams, stats.dropped_send_buffer), (7, 0));
}

#[test]
fn a_watched_socket_tells_that_it_has_room_and_is_watched_no_longer() {
    let mut bench = Bench::with_send(send_within_room);
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    ROOM.set(0);
    bench.send(to(&a, b.local), &numbered([50]));
    ROOM.set(100);
    assert_eq!(bytes_of(&bench.receive(1)), numbered([50]), "epoll told of the room");
    assert!(!find(&mut bench.sockets.slots, a.socket).unwrap().watching_writable);
}

#[test]
fn all_backlogs_together_are_an_eighth_of_packet_memory() {
    let mut bench = Bench::with_pool(1 << 20);
    bench.sockets.sender = Sender::with_call(send_within_room);
    let [a, b, c] = [(); 3].map(|()| bench.bind(Ipv4Addr::LOCALHOST));
    ROOM.set(0);
    let sent = numbered(300..600);
    bench.send(to(&a, c.local), &sent);
    bench.send(to(&b, c.local), &sent);
    let waiting = bench.sockets.backlog_bytes();
    assert!(waiting <= 128 << 10 && waiting > 100 << 10, "{waiting}");
    assert!(
        bench.stats(a.socket).dropped_send_buffer < 100 && bench.stats(b.socket).dropped_send_buffer > 200
    );
}

#[test]
fn a_backlog_is_bounded_and_loses_its_oldest() {
    let mut bench = Bench::with_send(send_within_room);
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    ROOM.set(0);
    let sent = numbered(300..1300); // each longer than the one before: no runs
    bench.send(to(&a, b.local), &sent);
    let waiting = bench.sockets.counters().send_backlog_bytes;
    assert!(waiting <= BACKLOG_BYTES_MAX as u64 && waiting > BACKLOG_BYTES_MAX as u64 / 2);
    let dropped = usize::try_from(bench.stats(a.socket).dropped_send_buffer).unwrap();
    let mut arrived = Vec::new();
    while arrived.len() < sent.len() - dropped {
        // Little by little: the receive buffer on the other side is no larger.
        ROOM.set(20);
        bench.sockets.on_event(a.socket, false, true);
        let due = 20.min(sent.len() - dropped - arrived.len());
        arrived.extend(bytes_of(&bench.receive(due)));
    }
    assert_eq!(arrived, sent[dropped..]);
    bench.sockets.close(a.socket);
}

#[test]
fn closing_a_socket_frees_what_waited_on_it() {
    let mut bench = Bench::with_send(send_within_room);
    let (a, b) = (bench.bind(Ipv4Addr::LOCALHOST), bench.bind(Ipv4Addr::LOCALHOST));
    ROOM.set(0);
    bench.send(to(&a, b.local), &numbered([1000; 10]));
    bench.sockets.close(a.socket);
    assert_eq!(bench.sockets.counters().send_backlog_bytes, 0);
}
