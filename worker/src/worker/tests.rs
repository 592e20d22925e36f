//! Tests of containment: what a defect of ours costs, and whom. (What a healthy worker does is proven in the package
//! `tidegate-tests`, which cannot plant defects.)

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId, TransportId};
use tidegate_protocol::message::FromWorker;
use tidegate_protocol::rtp::{
    CodecMapping, EncodingMapping, MediaKind, RtcpParameters, RtpCodecParameters, RtpEncodingParameters,
    RtpMapping, RtpParameters, RtpType,
};
use tidegate_protocol::transport::{
    ListenInfo, ListenPort, PlainConnectOptions, PlainTransportOptions, Protocol,
};

use super::*;
use crate::base::pool::{Class, Pool};
use crate::counters::NetworkCounters;
use crate::network::{BindError, BindOptions, Bound, Network, SendBatch, SocketKey, SocketStats};
use crate::outbox::{LogLevel, LogSettings, Outbox};
use crate::turn::Ntp;

/// Sockets that only count.
#[derive(Default)]
struct Wire {
    bound: u32,
    sent: Vec<SocketAddr>,
}

impl Network for Wire {
    fn bind(&mut self, options: &BindOptions, _start: u32) -> Result<Bound, BindError> {
        self.bound += 1;
        let port = u16::try_from(20_000 + self.bound).unwrap();
        Ok(Bound {
            socket: SocketKey::new(self.bound, 1),
            local: SocketAddr::new(options.ip, port),
            send_buffer_bytes: u32::MAX,
            receive_buffer_bytes: u32::MAX,
        })
    }

    fn close(&mut self, _socket: SocketKey) {}

    fn send(&mut self, batch: &mut SendBatch) {
        self.sent.extend(batch.datagrams().map(|(to, _)| to.remote));
        batch.clear();
    }

    fn socket_stats(&self, _socket: SocketKey) -> Option<SocketStats> {
        None
    }

    fn counters(&self) -> NetworkCounters {
        NetworkCounters::default()
    }
}

/// A worker with what its turns need.
struct Bench {
    worker: Worker,
    pool: Pool,
    outbox: Outbox,
    wire: Wire,
    random: Random,
    now: Time,
    requests: u64,
}

const ROUTER: RouterId = RouterId(1);
const CAMERA: u16 = 5_000;

impl Bench {
    /// A sender of G.711 and three receivers, on ports 6,000 to 6,002 and entities 10 to 12.
    fn new() -> Self {
        let mut random = Random::from_seed([3; 32]);
        let mut bench = Self {
            worker: Worker::new(WorkerSettings::default(), &mut random),
            pool: Pool::new(8 << 20),
            outbox: Outbox::new(random.hasher(), LogSettings::default()),
            wire: Wire::default(),
            random,
            now: Time::from_millis(1_000),
            requests: 0,
        };
        bench.request(Command::CreateRouter { router: ROUTER });
        bench.transport(2, CAMERA);
        bench.request(Command::Produce {
            transport: TransportId(2),
            producer: ProducerId(3),
            kind: MediaKind::Audio,
            rtp_parameters: parameters(7),
            rtp_mapping: mapping(7, 77),
            paused: false,
            key_frame_request_delay_ms: 0,
        });
        for index in 0..3u16 {
            let number = u64::from(index);
            bench.transport(10 + number, 6_000 + index);
            bench.request(Command::Consume {
                transport: TransportId(10 + number),
                consumer: ConsumerId(20 + number),
                producer: ProducerId(3),
                kind: MediaKind::Audio,
                rtp_parameters: parameters(900 + u32::from(index)),
                consumer_type: RtpType::Simple,
                consumable_ssrcs: List::first_of([77]),
                paused: false,
                ignore_dtx: false,
            });
        }
        bench
    }

    fn transport(&mut self, id: u64, port: u16) {
        let transport = TransportId(id);
        let listen_info = ListenInfo {
            protocol: Protocol::Udp,
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            announced_address: None,
            expose_internal_ip: false,
            port: ListenPort::Fixed(0),
            shared: false,
            ipv6_only: false,
            udp_reuse_port: false,
            send_buffer_bytes: 0,
            receive_buffer_bytes: 0,
        };
        let options = PlainTransportOptions {
            listen_info,
            rtcp_listen_info: None,
            rtcp_mux: true,
            comedia: false,
            srtp: None,
        };
        self.request(Command::CreatePlainTransport { router: ROUTER, transport, options });
        let peer = PlainConnectOptions {
            ip: Some(Ipv4Addr::LOCALHOST.into()),
            port: Some(port),
            rtcp_port: None,
            srtp_parameters: None,
        };
        self.request(Command::ConnectPlainTransport { transport, options: peer });
    }

    fn with_turn(&mut self, act: impl FnOnce(&mut Worker, &mut Turn<'_>)) {
        let Self { worker, pool, outbox, wire, random, now, .. } = self;
        let mut turn = Turn { now: *now, wall: Ntp(1 << 40), pool, outbox, network: wire, random };
        act(worker, &mut turn);
        worker.end_turn(&mut turn);
    }

    fn request(&mut self, command: Command) {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.with_turn(|worker, turn| worker.on_request(id, command, turn));
        let answer =
            std::iter::from_fn(|| self.outbox.pop()).find(|m| matches!(m, FromWorker::Response { .. }));
        assert!(matches!(answer, Some(FromWorker::Response { result: Ok(_), .. })), "{answer:?}");
    }

    /// The camera sends one packet; answers the ports of those who got it.
    fn sends(&mut self, sequence: u16) -> Vec<u16> {
        self.now = self.now + Duration::from_millis(20);
        let mut buffer = self.pool.take(Class::Large).unwrap();
        let [high, low] = sequence.to_be_bytes();
        let packet = [0x80, 0, high, low, 0, 0, 0, low, 0, 0, 0, 7, 1, 2, 3, 4];
        buffer[..packet.len()].copy_from_slice(&packet);
        buffer.set_len(packet.len());
        let datagram = Datagram {
            socket: SocketKey::new(1, 1),
            remote: SocketAddr::from((Ipv4Addr::LOCALHOST, CAMERA)),
            local_ip: None,
            received_at: self.now,
            buffer,
            truncated: false,
        };
        self.with_turn(|worker, turn| worker.on_datagram(datagram, turn));
        self.wire.sent.drain(..).map(|to| to.port()).collect()
    }

    fn plant_defect(&mut self, consumer: u64) {
        let key = self.worker.tables.consumer(ConsumerId(consumer)).unwrap();
        self.worker.tables.consumers.get_mut(key).unwrap().is_defective = true;
    }
}

/// One stream of G.711.
fn parameters(ssrc: u32) -> RtpParameters {
    let codec = RtpCodecParameters {
        mime_type: Text::clipped("audio/PCMU"),
        payload_type: 0,
        clock_rate: 8_000,
        channels: None,
        parameters: List::new(),
        rtcp_feedback: List::new(),
    };
    RtpParameters {
        mid: None,
        codecs: List::first_of([codec]),
        header_extensions: List::new(),
        encodings: List::first_of([RtpEncodingParameters { ssrc: Some(ssrc), ..Default::default() }]),
        rtcp: RtcpParameters { cname: Text::clipped("camera"), reduced_size: false },
    }
}

/// Payload types stay; the stream is `mapped_ssrc` in the router.
fn mapping(ssrc: u32, mapped_ssrc: u32) -> RtpMapping {
    let encoding = EncodingMapping { ssrc: Some(ssrc), rid: None, scalability_mode: None, mapped_ssrc };
    RtpMapping {
        codecs: List::first_of([CodecMapping { payload_type: 0, mapped_payload_type: 0 }]),
        encodings: List::first_of([encoding]),
    }
}

#[test]
fn defect_costs_the_transport_in_hand_and_nobody_else() {
    let mut bench = Bench::new();
    assert_eq!(bench.sends(1), [6_000, 6_001, 6_002]);
    bench.plant_defect(21);
    bench.sends(2);
    assert_eq!(bench.worker.panics_contained(), 1);
    let gone: Vec<FromWorker> = std::iter::from_fn(|| bench.outbox.pop()).collect();
    let told = |message: &FromWorker| {
        matches!(message, FromWorker::Event(Event::TransportInternalError { transport: TransportId(11), .. }))
    };
    assert!(gone.iter().any(told), "{gone:?}");
    let logged = |message: &FromWorker| matches!(message, FromWorker::Log { level: LogLevel::Error, text, .. } if text.starts_with("transport 11: a defect"));
    assert!(gone.iter().any(logged), "{gone:?}");
    assert_eq!(
        bench.sends(3),
        [6_000, 6_000, 6_002],
        "the others go on, and what waited for one of them leaves now"
    );
    assert_eq!(bench.sends(4), [6_000, 6_002]);
    assert!(!bench.worker.is_beyond_repair());
}

#[test]
fn three_defects_within_ten_seconds_end_the_worker() {
    let mut bench = Bench::new();
    for (sequence, consumer) in [(1, 20), (2, 21), (3, 22)] {
        assert!(!bench.worker.is_beyond_repair());
        bench.plant_defect(consumer);
        bench.sends(sequence);
    }
    assert!(bench.worker.is_beyond_repair());
    assert_eq!(bench.worker.panics_contained(), 3);
}

/// A sound worker in the middle of a stream.
fn sound() -> Bench {
    let mut bench = Bench::new();
    (1..=5).for_each(|sequence| drop(bench.sends(sequence)));
    let audit = bench.worker.audit(&bench.pool);
    assert!(audit.violations.is_empty() && audit.checks > 50, "{audit:?}");
    bench
}

/// What an audit finds after `plant` broke something.
fn found_after(plant: impl FnOnce(&mut Bench)) -> String {
    let mut bench = sound();
    plant(&mut bench);
    bench.worker.audit(&bench.pool).violations.join("; ")
}

#[test]
fn audit_finds_keys_that_lead_nowhere() {
    let found = found_after(|bench| {
        let key = bench.worker.tables.consumer(ConsumerId(20)).unwrap();
        bench.worker.tables.consumers.remove(key);
    });
    for part in ["leads to", "lists a foreign consumer", "gives feedback to"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    let found = found_after(|bench| {
        let tables = &mut bench.worker.tables;
        let (producer, transport) =
            (tables.producer(ProducerId(3)).unwrap(), tables.transport(TransportId(2)).unwrap());
        tables.transports.get_mut(transport).unwrap().demux.remove(producer);
        let transport = tables.transports.get_mut(tables.transport(TransportId(10)).unwrap()).unwrap();
        transport.demux.add(producer, Some("mid"), &[], &[]);
    });
    assert!(found.contains("TransportId(10) takes a MID or RID for a foreign producer's"), "{found}");
}

#[test]
fn audit_finds_lists_that_forgot_somebody() {
    let found = found_after(|bench| {
        let tables = &mut bench.worker.tables;
        let producer = tables.producer(ProducerId(3)).unwrap();
        tables.producers.get_mut(producer).unwrap().consumers.pop();
    });
    assert!(found.contains("ConsumerId(22) is not in its producer's list"), "{found}");
    let found = found_after(|bench| bench.worker.tables.forget(RouterId(1)));
    assert!(found.contains("ids: 9 were found, 8 are on record"), "{found}");
    let found = found_after(|bench| {
        let tables = &mut bench.worker.tables;
        let (key, socket) =
            tables.sockets.owners().map(|(socket, owner)| (owner.transport, socket)).next().unwrap();
        bench.with_turn(|worker, turn| worker.tables.sockets.leave(socket, key, turn));
    });
    assert!(found.contains("has a socket that is on nobody's record"), "{found}");
}

#[test]
fn audit_finds_memory_that_is_nobodys() {
    let mut kept = Vec::new();
    let found = found_after(|bench| kept.extend(bench.pool.take(Class::Small)));
    assert!(found.contains("packets: 0 were found, 1 are on record"), "{found}");
    let found = found_after(|bench| bench.pool.charge(100).unwrap());
    assert!(found.contains("charged bytes"), "{found}");
}

#[test]
fn audit_finds_timers_that_will_not_go_off() {
    let found = found_after(|bench| {
        let now = bench.now + Duration::from_secs(3_600);
        while bench.worker.tables.deadlines.pop_due(now).is_some() {}
    });
    assert!(
        found.contains("waits in vain to report") && found.contains("a timer that is not set"),
        "{found}"
    );
}

#[test]
fn three_panics_in_ten_seconds_are_too_many_and_spread_out_ones_are_not() {
    let mut panics = Panics::default();
    for at in [0, 6, 12, 18] {
        panics.add(Time::from_millis(at * 1_000));
        assert!(!panics.are_too_many());
    }
    panics.add(Time::from_millis(20_000));
    assert!(panics.are_too_many());
}
