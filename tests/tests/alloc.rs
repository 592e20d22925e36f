//! Forwarding in steady state asks the allocator for nothing: a worker as a library, on a virtual clock, with every
//! allocation of the thread counted.
//!
//! Not through the simulated world of `tidegate_tests::world`, whose network keeps what was sent: the network here
//! only counts. Invariant: what runs inside the count is the worker and arithmetic.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tidegate_protocol::ids::{RequestId, RouterId};
use tidegate_protocol::message::FromWorker;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::rtp::MediaKind;
use tidegate_protocol::srtp::SrtpCryptoSuite;
use tidegate_protocol::transport::{ListenPort, PlainTransportOptions};
use tidegate_tests::fuzz::commands::{
    VIDEO_PAYLOAD_TYPE, connect, consume, create_transport, listen_on, parameters, plain_options, produce,
    ssrc_of,
};
use tidegate_tests::fuzz::model::Producer;
use tidegate_tests::world::host::{keys, own_keys};
use tidegate_tests::world::is_rtcp;
use tidegate_worker::base::pool::{Class, Pool};
use tidegate_worker::base::time::Time;
use tidegate_worker::counters::NetworkCounters;
use tidegate_worker::network::{
    BindError, BindOptions, Bound, Datagram, Network, SendBatch, SocketKey, SocketStats,
};
use tidegate_worker::outbox::{LogSettings, Outbox};
use tidegate_worker::random::Random;
use tidegate_worker::rtp::header::payload_offset;
use tidegate_worker::srtp::{Body, Protect, Unprotect};
use tidegate_worker::turn::{Ntp, Turn};
use tidegate_worker::worker::{Worker, WorkerSettings};

#[test]
fn forwarding_allocates_nothing_in_steady_state() {
    allocates_nothing(Bed::with_consumers(CONSUMERS, None));
}

#[test]
fn srtp_allocates_nothing_in_steady_state() {
    for suite in [SrtpCryptoSuite::AesCm128HmacSha1_80, SrtpCryptoSuite::AeadAes128Gcm] {
        allocates_nothing(Bed::with_consumers(CONSUMERS_WITH_SRTP, Some(suite)));
    }
}

fn allocates_nothing(mut bed: Bed) {
    let consumers = bed.peers.all.len() as u64 - 1;
    for _ in 0..WARM_UP_FRAMES {
        bed.play_frame();
    }
    let before = bed.peers.totals();
    let counted = allocation_counter::measure(|| {
        for _ in 0..MEASURED_FRAMES {
            bed.play_frame();
        }
    });
    let after = bed.peers.totals();
    let packets = u64::from(MEASURED_FRAMES) * u64::from(PACKETS_PER_FRAME);
    assert!(packets >= 10_000);
    // What is measured is the whole thing: every packet to everybody, repairs, reports.
    assert!(after.rtp - before.rtp >= packets * consumers, "{before:?} {after:?}");
    assert!(after.rtx - before.rtx > 20 * consumers, "{before:?} {after:?}");
    assert!(after.rtcp - before.rtcp > 20 * consumers, "{before:?} {after:?}");
    assert_eq!(bed.worker.panics_contained(), 0);
    assert_eq!(counted.count_total, 0, "{counted:?} for {packets} packets to {consumers} consumers");
}

#[test]
fn the_count_sees_allocations() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(7))));
    assert_eq!(counted.count_total, 1);
}

/// A worker with a camera and its viewers.
struct Bed {
    worker: Worker,
    pool: Pool,
    outbox: Outbox,
    random: Random,
    peers: Peers,
    now: Time,
    frame: u32,
    sequence: u16,
    producer_ssrc: u32,
    srtp: Option<SrtpCryptoSuite>,
    /// What peers send under, with SRTP.
    sessions: Vec<Protect>,
}

impl Bed {
    fn with_consumers(count: usize, srtp: Option<SrtpCryptoSuite>) -> Self {
        let mut random = Random::from_seed([7; 32]);
        let mut bed = Self {
            worker: Worker::new(WorkerSettings::default(), &mut random),
            pool: Pool::new(PACKET_MEMORY_BYTES),
            outbox: Outbox::new(random.hasher(), LogSettings::default()),
            random,
            peers: Peers { all: Vec::with_capacity(count + 1), ..Peers::default() },
            now: Time::from_millis(1_000),
            frame: 0,
            sequence: 65_000,
            producer_ssrc: ssrc_of(PRODUCER),
            srtp,
            sessions: Vec::new(),
        };
        bed.request(Command::CreateRouter { router: RouterId(ROUTER) });
        bed.create_transport(0);
        bed.request(produce(TRANSPORTS, PRODUCER, true));
        let Command::Produce { rtp_mapping, .. } = produce(TRANSPORTS, PRODUCER, true) else {
            unreachable!()
        };
        let producer = Producer {
            id: PRODUCER,
            transport: TRANSPORTS,
            kind: MediaKind::Video,
            parameters: parameters(ssrc_of(PRODUCER), true),
            mapped_ssrcs: rtp_mapping.encodings.iter().map(|encoding| encoding.mapped_ssrc).collect(),
            ordinary: true,
        };
        for (peer, id) in (1..=count).zip(TRANSPORTS + 1..) {
            bed.create_transport(peer);
            bed.request(consume(id, CONSUMERS_FROM + 2 * id, &producer));
        }
        bed
    }

    /// A plain transport that is connected to peer number `peer`, the camera being 0.
    fn create_transport(&mut self, peer: usize) {
        let id = TRANSPORTS + peer as u64;
        let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
        let options = PlainTransportOptions { srtp: self.srtp, ..plain_options(listen, true, false) };
        let created = self.request(create_transport(ROUTER, id, options));
        let mut connect = connect(id, remote_of(peer), None);
        let Reply::PlainTransport(PlainTuples { srtp_parameters: Some(worker), .. }) = created else {
            self.request(connect);
            return;
        };
        let own = own_keys(worker.crypto_suite);
        if let Command::ConnectPlainTransport { options, .. } = &mut connect {
            options.srtp_parameters = Some(own.clone());
        }
        self.request(connect);
        let (own, worker) = (keys(&own), keys(&worker));
        self.sessions.push(Protect::new(&own).expect("keys"));
        self.peers.sessions.push(Unprotect::new(&worker).expect("keys"));
    }

    fn request(&mut self, command: Command) -> Reply {
        self.turn(|worker, turn| worker.on_request(RequestId(1), command, turn));
        let answer =
            std::iter::from_fn(|| self.outbox.pop()).find(|it| matches!(it, FromWorker::Response { .. }));
        match answer {
            Some(FromWorker::Response { result: Ok(reply), .. }) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// The camera's next frame in one turn, with what viewers say to it; before it what was due until now, and once a
    /// second what the event loop does once a second.
    fn play_frame(&mut self) {
        self.frame += 1;
        let at = self.now + Duration::from_micros(33_333);
        while let Some(due) = self.worker.next_deadline().filter(|due| *due < at) {
            self.now = due;
            self.turn(|worker, turn| worker.on_deadline(turn));
            self.forget_messages();
        }
        self.now = at;
        self.turn(|_, _| ());
        let mut arriving = std::mem::take(&mut self.peers);
        self.receive(&mut arriving);
        self.peers = arriving;
        self.turn(|_, _| ());
        self.forget_messages();
        if self.frame.is_multiple_of(FRAMES_PER_SECOND) {
            self.pool.reclaim(self.now);
            self.outbox.batch.reclaim(self.now);
        }
    }

    /// Datagrams of this moment: the frame, a sender report each second, receiver reports and losses.
    fn receive(&mut self, peers: &mut Peers) {
        for part in 0..PACKETS_PER_FRAME {
            self.sequence = self.sequence.wrapping_add(1);
            let (sequence, frame, ssrc) = (self.sequence, self.frame, self.producer_ssrc);
            self.datagram(0, peers, |room| write_video(room, sequence, frame, part, ssrc));
        }
        if self.frame.is_multiple_of(FRAMES_PER_SECOND) {
            let ssrc = self.producer_ssrc;
            let (frame, now) = (self.frame, self.now);
            self.datagram(0, peers, |room| write_sender_report(room, ssrc, frame, now));
        }
        for index in 1..peers.all.len() {
            let number = u32::try_from(index).expect("few peers");
            let peer = peers.all[index];
            if (self.frame + number).is_multiple_of(FRAMES_PER_SECOND) {
                let now = self.now;
                self.datagram(index, peers, |room| write_receiver_report(room, &peer, now));
            }
            if (self.frame + 7 * number).is_multiple_of(NACK_FRAMES) {
                self.datagram(index, peers, |room| write_nack(room, &peer));
            }
        }
    }

    fn datagram(&mut self, peer: usize, peers: &mut Peers, write: impl FnOnce(&mut [u8]) -> usize) {
        let mut buffer = self.pool.take(Class::Large).expect("packet memory");
        let mut length = write(&mut buffer);
        if let Some(session) = self.sessions.get_mut(peer) {
            length = protected(session, &mut buffer, length);
        }
        buffer.set_len(length);
        let datagram = Datagram {
            socket: key_of(peer),
            remote: remote_of(peer),
            local_ip: None,
            received_at: self.now,
            truncated: false,
            buffer,
        };
        let Self { worker, pool, outbox, random, now, .. } = self;
        let mut turn = Turn { now: *now, wall: wall_at(*now), pool, outbox, network: peers, random };
        worker.on_datagram(datagram, &mut turn);
    }

    fn turn(&mut self, act: impl FnOnce(&mut Worker, &mut Turn<'_>)) {
        let Self { worker, pool, outbox, random, peers, now, .. } = self;
        peers.now = *now;
        let mut turn = Turn { now: *now, wall: wall_at(*now), pool, outbox, network: peers, random };
        act(worker, &mut turn);
        worker.end_turn(&mut turn);
    }

    fn forget_messages(&mut self) {
        while self.outbox.pop().is_some() {}
    }
}

/// The network: nobody is there, everything is counted.
#[derive(Debug, Default)]
struct Peers {
    all: Vec<Peer>,
    /// What the worker sends under, with SRTP.
    sessions: Vec<Unprotect>,
    now: Time,
}

/// What came to one peer.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    rtp: u64,
    rtx: u64,
    rtcp: u64,
    ssrc: u32,
    sequence: u16,
    /// The middle of the last sender report's time, and when it came.
    last_report: u32,
    last_report_at: Time,
}

impl Peers {
    fn totals(&self) -> Peer {
        self.all.iter().skip(1).fold(Peer::default(), |sum, peer| Peer {
            rtp: sum.rtp + peer.rtp,
            rtx: sum.rtx + peer.rtx,
            rtcp: sum.rtcp + peer.rtcp,
            ..sum
        })
    }
}

impl Network for Peers {
    fn bind(&mut self, options: &BindOptions, _: u32) -> Result<Bound, BindError> {
        let peer = self.all.len();
        self.all.push(Peer::default());
        let local = SocketAddr::new(options.ip, 20_000 + u16::try_from(peer).expect("few peers"));
        Ok(Bound { socket: key_of(peer), local, send_buffer_bytes: 212_992, receive_buffer_bytes: 212_992 })
    }

    fn close(&mut self, _: SocketKey) {}

    fn send(&mut self, batch: &mut SendBatch) {
        for (to, datagram) in batch.datagrams() {
            let place = to.socket.slot() as usize;
            let mut room = [0; 1_536];
            let datagram = match self.sessions.get_mut(place) {
                Some(session) => opened(session, datagram, &mut room),
                None => datagram,
            };
            if let Some(peer) = self.all.get_mut(place) {
                peer.take_note(datagram, self.now);
            }
        }
        batch.clear();
    }

    fn socket_stats(&self, _: SocketKey) -> Option<SocketStats> {
        None
    }

    fn counters(&self) -> NetworkCounters {
        NetworkCounters::default()
    }
}

impl Peer {
    fn take_note(&mut self, datagram: &[u8], now: Time) {
        let word = |at: usize| {
            datagram
                .get(at..at + 4)
                .map_or(0, |bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        };
        match datagram.get(1).map(|byte| byte & 0x7f) {
            // Sender report (RFC 3550 6.4.1), 200 without the marker's place.
            Some(72) => {
                self.rtcp += 1;
                self.last_report_at = now;
                self.last_report = word(8) << 16 | word(12) >> 16;
            }
            Some(VIDEO_PAYLOAD_TYPE) => {
                self.rtp += 1;
                self.ssrc = word(8);
                self.sequence = u16::from_be_bytes([datagram[2], datagram[3]]);
            }
            Some(payload_type) if payload_type == VIDEO_PAYLOAD_TYPE + 1 => self.rtx += 1,
            _ => {}
        }
    }
}

/// Protects the first `length` bytes in place; their length from now on.
fn protected(session: &mut Protect, room: &mut [u8], length: usize) -> usize {
    if is_rtcp(room) {
        return session.rtcp(room, length).expect("a sound compound");
    }
    let mut payload = [0; 1_536];
    payload[..length - 12].copy_from_slice(&room[12..length]);
    let body = Body { header_bytes: 12, payload_offset: 12, payload: &payload[..length - 12] };
    let total = length + session.suite().rtp_tag_bytes();
    session.rtp(&mut room[..total], body).expect("a sound packet");
    total
}

/// What the worker sent, opened in `room`.
fn opened<'r>(session: &mut Unprotect, datagram: &[u8], room: &'r mut [u8]) -> &'r [u8] {
    let room = &mut room[..datagram.len()];
    room.copy_from_slice(datagram);
    let bytes = match is_rtcp(room) {
        true => session.rtcp(room, Time::ZERO),
        false => session.rtp(room, payload_offset(datagram).expect("a sound header"), Time::ZERO),
    };
    &room[..bytes.expect("the worker sends what its peer can open")]
}

/// A packet of a VP8 frame (RFC 7741 4.2); the first frame is a key frame, none after it.
fn write_video(room: &mut [u8], sequence: u16, frame: u32, part: u32, ssrc: u32) -> usize {
    let marker = if part + 1 == PACKETS_PER_FRAME { 0x80 } else { 0 };
    room[..2].copy_from_slice(&[0x80, marker | VIDEO_PAYLOAD_TYPE]);
    room[2..4].copy_from_slice(&sequence.to_be_bytes());
    room[4..8].copy_from_slice(&(frame * 3_000).to_be_bytes());
    room[8..12].copy_from_slice(&ssrc.to_be_bytes());
    room[12..VIDEO_BYTES].fill(0x5a);
    room[12] = if part == 0 { 0x10 } else { 0x00 };
    room[13] = u8::from(frame > 1);
    VIDEO_BYTES
}

/// RFC 3550 6.4.1, without report blocks.
fn write_sender_report(room: &mut [u8], ssrc: u32, frame: u32, now: Time) -> usize {
    room[..4].copy_from_slice(&[0x80, 200, 0, 6]);
    room[4..8].copy_from_slice(&ssrc.to_be_bytes());
    room[8..16].copy_from_slice(&wall_at(now).0.to_be_bytes());
    room[16..20].copy_from_slice(&(frame * 3_000).to_be_bytes());
    room[20..24].copy_from_slice(&(frame * PACKETS_PER_FRAME).to_be_bytes());
    room[24..28].copy_from_slice(&frame.to_be_bytes());
    28
}

/// RFC 3550 6.4.2: nothing lost, the last sender report just seen.
fn write_receiver_report(room: &mut [u8], peer: &Peer, now: Time) -> usize {
    let delay = u32::try_from(now.since(peer.last_report_at).as_millis()).unwrap_or(0) * 65_536 / 1_000;
    room[..4].copy_from_slice(&[0x81, 201, 0, 7]);
    room[4..8].copy_from_slice(&1u32.to_be_bytes());
    room[8..12].copy_from_slice(&peer.ssrc.to_be_bytes());
    room[12..16].copy_from_slice(&[0; 4]);
    room[16..20].copy_from_slice(&u32::from(peer.sequence).to_be_bytes());
    room[20..24].copy_from_slice(&90u32.to_be_bytes());
    room[24..28].copy_from_slice(&peer.last_report.to_be_bytes());
    room[28..32].copy_from_slice(&delay.to_be_bytes());
    32
}

/// RFC 4585 6.2.1: the packet before the last three, and the one behind it.
fn write_nack(room: &mut [u8], peer: &Peer) -> usize {
    room[..4].copy_from_slice(&[0x81, 205, 0, 3]);
    room[4..8].copy_from_slice(&1u32.to_be_bytes());
    room[8..12].copy_from_slice(&peer.ssrc.to_be_bytes());
    room[12..14].copy_from_slice(&peer.sequence.wrapping_sub(3).to_be_bytes());
    room[14..16].copy_from_slice(&1u16.to_be_bytes());
    16
}

fn key_of(peer: usize) -> SocketKey {
    SocketKey::new(u32::try_from(peer).expect("few peers"), 1)
}

fn remote_of(peer: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 30_000 + u16::try_from(peer).expect("few peers")))
}

fn wall_at(now: Time) -> Ntp {
    Ntp(3_900_000_000 << 32).after(now.since(Time::from_millis(0)))
}

const CONSUMERS: usize = 40;
/// Fewer, for a debug build takes its time to encrypt.
const CONSUMERS_WITH_SRTP: usize = 2;
const FRAMES_PER_SECOND: u32 = 30;
/// A 720p frame at 2.5 Mb/s (TARGETS 2).
const PACKETS_PER_FRAME: u32 = 9;
const VIDEO_BYTES: usize = 1_100;
/// Twenty seconds: histories and tables have their sizes.
const WARM_UP_FRAMES: u32 = 600;
/// 10,008 packets.
const MEASURED_FRAMES: u32 = 1_112;
/// Each viewer loses two packets every two seconds.
const NACK_FRAMES: u32 = 61;
const PACKET_MEMORY_BYTES: usize = 64 << 20;
const ROUTER: u64 = 1;
const PRODUCER: u64 = 1_000;
const TRANSPORTS: u64 = 2_000;
const CONSUMERS_FROM: u64 = 1_000_000;
