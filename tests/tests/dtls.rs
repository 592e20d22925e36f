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
const DTLS13_KEPT_BYTES_MAX: i64 = 15_000;
