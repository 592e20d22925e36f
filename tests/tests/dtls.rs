//! What DTLS costs a server: bytes of a connection before, during and after its handshake, and the time of one.
//!
//! `cargo test --release -p tidegate-tests --test dtls -- --nocapture` prints the figures.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tidegate_tests::clock::thread_cpu_ns;
use tidegate_worker::base::time::Time;
use tidegate_worker::dtls::{
    BUFFER_BYTES, Certificate, Context, Dtls, Fingerprint, Flights, HashFunction, Output, Role, Version,
};

/// Bytes on the heap of one server.
#[derive(Debug, Default)]
struct Heap {
    now: i64,
    most: i64,
}

struct Server {
    dtls: Dtls,
    heap: Heap,
    cpu_ns: u64,
}

#[test]
fn a_connection_keeps_little() {
    for (version, kept_max, most_max) in
        [(Version::Dtls12, DTLS12_KEPT_BYTES_MAX, 4_500), (Version::Dtls13, DTLS13_KEPT_BYTES_MAX, 52_000)]
    {
        let [client, server] = [(); 2].map(|()| context(version));
        // What all connections share is made by the first.
        handshake(&client, &server);
        let before = allocation_counter::measure(|| {
            std::mem::forget(std::hint::black_box(Dtls::new(Arc::clone(&server))));
        });
        assert_eq!(before.bytes_current, 0, "a connection that has not begun holds memory");
        let connected = handshake(&client, &server);
        println!(
            "{version:?} server: {} bytes itself, {} on the heap, {} at most, {} us",
            size_of::<Dtls>(),
            connected.heap.now,
            connected.heap.most,
            connected.cpu_ns / 1_000
        );
        assert!(connected.heap.now <= kept_max, "{version:?}: {:?}", connected.heap);
        assert!(connected.heap.most <= most_max, "{version:?}: {:?}", connected.heap);
        let mut server = connected;
        server.measured(|dtls| dtls.close(Time::from_millis(60_000)));
        server.drain(&mut VecDeque::new());
        assert_eq!(server.heap.now, 0, "{version:?}: closed, and holds memory");
    }
}

/// Each hello is another client's, and the records make no sense, as if somebody wanted the server to keep something of all
/// of it: of a server that waits for its client, and of one that is connected.
#[test]
fn a_flood_takes_little_more_than_a_handshake() {
    let clients = [context(Version::Dtls12), context(Version::Dtls13)];
    let own = context(Version::Dtls13);
    handshake(&clients[1], &own);
    for (first, is_connected) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut server = if is_connected { handshake(&clients[first], &own) } else { waiting(&own) };
        let before = server.heap.now;
        server.heap.most = before;
        for number in first..300 {
            for datagram in hellos(&clients[number % 2]).into_iter().chain(records(number)) {
                server.measured(|dtls| dtls.receive(NOW, &datagram, &mut Flights::new(9)));
                server.drain_anyhow();
            }
        }
        println!("flooded, first with {first}, connected {is_connected}: {before} before, {:?}", server.heap);
        assert!(server.heap.most <= FLOODED_BYTES_MAX, "{:?}", server.heap);
    }
}

fn waiting(own: &Arc<Context>) -> Server {
    let mut server = Server { dtls: Dtls::new(Arc::clone(own)), heap: Heap::default(), cpu_ns: 0 };
    let nobody = vec![Fingerprint::of(HashFunction::Sha256, b"nobody")];
    server.measured(|dtls| dtls.connect(NOW, Role::Server, nobody, &mut Flights::new(9)));
    server
}

fn hellos(client: &Arc<Context>) -> Vec<Vec<u8>> {
    let mut client = Dtls::new(Arc::clone(client));
    client.connect(NOW, Role::Client, Vec::new(), &mut Flights::new(9));
    let mut all = Vec::new();
    let mut buffer = [0; BUFFER_BYTES];
    while let Some(Output::Datagram(datagram)) = client.poll(NOW, &mut buffer) {
        all.push(datagram.to_vec());
    }
    all
}

/// Alerts, handshakes and data, in the clear and as if encrypted; and a datagram of many records.
fn records(number: usize) -> Vec<Vec<u8>> {
    let number = u8::try_from(number % 256).unwrap_or(0);
    let mut all: Vec<Vec<u8>> = Vec::new();
    for kind in [20, 22, 23, 25, 26, 0x2F, 22, 22] {
        let body: Vec<u8> = (0..60_u8).map(|byte| byte.wrapping_mul(kind).wrapping_add(number)).collect();
        let epoch = number % 3;
        all.push([&[kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 1, number, 0, 60], &body[..]].concat());
    }
    // A fragment of a message that is said to be long (RFC 6347, section 4.2.2).
    let fragment = [11, 0, 0x2F, 0xFF, 0, number % 8, 0, number, 0, 0, 0, 40];
    all.push([&[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 2, number, 0, 52], &fragment[..], &[7; 40]].concat());
    all.push(all.concat());
    all
}

fn context(version: Version) -> Arc<Context> {
    #[expect(clippy::disallowed_methods, reason = "any moment will do as the origin")]
    let origin = Instant::now();
    let certificate = Certificate::generate(1_800_000_000).expect("the system gives random numbers");
    Arc::new(Context::new(certificate, origin).offering(version))
}

fn handshake(client: &Arc<Context>, server: &Arc<Context>) -> Server {
    let fingerprint = |of: &Context| vec![Fingerprint::of(HashFunction::Sha256, of.certificate().der())];
    let mut one = Dtls::new(Arc::clone(client));
    let mut other = Server { dtls: Dtls::new(Arc::clone(server)), heap: Heap::default(), cpu_ns: 0 };
    other.measured(|dtls| {
        // The list becomes the server's: it counts.
        dtls.connect(NOW, Role::Server, fingerprint(client), &mut Flights::new(9));
    });
    one.connect(NOW, Role::Client, fingerprint(server), &mut Flights::new(9));
    let (mut to_server, mut to_client) = (VecDeque::new(), VecDeque::new());
    let mut connected = 0;
    for _ in 0..20 {
        let mut buffer = [0; BUFFER_BYTES];
        while let Some(output) = one.poll(NOW, &mut buffer) {
            match output {
                Output::Datagram(datagram) => to_server.push_back(datagram.to_vec()),
                Output::Connected(_) => connected += 1,
                other => panic!("{other:?}"),
            }
        }
        for datagram in to_server.drain(..) {
            other.measured(|dtls| dtls.receive(NOW, &datagram, &mut Flights::new(9)));
        }
        connected += other.drain(&mut to_client);
        for datagram in to_client.drain(..) {
            one.receive(NOW, &datagram, &mut Flights::new(9));
        }
    }
    assert_eq!(connected, 2);
    other
}

impl Server {
    fn measured(&mut self, work: impl FnOnce(&mut Dtls)) {
        let start = thread_cpu_ns();
        let counted = allocation_counter::measure(|| work(&mut self.dtls));
        self.cpu_ns += thread_cpu_ns() - start;
        self.heap.most =
            self.heap.most.max(self.heap.now + i64::try_from(counted.bytes_max).unwrap_or(i64::MAX));
        self.heap.now += counted.bytes_current;
    }

    /// Whatever it says.
    fn drain_anyhow(&mut self) {
        let mut buffer = [0; BUFFER_BYTES];
        let mut is_done = false;
        while !is_done {
            self.measured(|dtls| is_done = dtls.poll(NOW, &mut buffer).is_none());
        }
    }

    /// Answers how often it said that it is connected.
    fn drain(&mut self, out: &mut VecDeque<Vec<u8>>) -> u32 {
        let mut connected = 0;
        let mut is_done = false;
        while !is_done {
            let mut buffer = [0; BUFFER_BYTES];
            let mut bytes = 0;
            self.measured(|dtls| match dtls.poll(NOW, &mut buffer) {
                None => is_done = true,
                Some(Output::Datagram(datagram)) => bytes = datagram.len(),
                Some(Output::Connected(outcome)) => {
                    drop(outcome);
                    connected += 1;
                }
                Some(other) => panic!("{other:?}"),
            });
            if bytes > 0 {
                out.push_back(buffer[..bytes].to_vec());
            }
        }
        connected
    }
}

const NOW: Time = Time::from_millis(1);
const DTLS12_KEPT_BYTES_MAX: i64 = 600;
/// dimpl keeps the buffers of its handshake, and has no way to give them back.
const DTLS13_KEPT_BYTES_MAX: i64 = 12_000;
/// What of a peer is held while its handshake goes on, and what works on it.
const FLOODED_BYTES_MAX: i64 = 50_000;
