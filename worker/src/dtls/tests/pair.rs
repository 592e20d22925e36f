//! Two ends and a wire between them, on a virtual clock.

use std::collections::VecDeque;

use super::super::*;

/// One end, and what came out of it.
pub(super) struct Side {
    pub(super) context: Arc<Context>,
    pub(super) dtls: Dtls,
    pub(super) connected: Vec<Connected>,
    pub(super) failures: Vec<Failure>,
    pub(super) closed: u32,
    pub(super) data: Vec<Vec<u8>>,
    /// Datagrams for the other end.
    pub(super) sent: VecDeque<Vec<u8>>,
    /// Of all it ever sent.
    pub(super) sent_total: usize,
}

/// A client, a server, and what the wire does to a datagram: nothing, or drop, change, repeat it.
pub(super) struct Pair {
    pub(super) now: Time,
    pub(super) client: Side,
    pub(super) server: Side,
}

/// A context whose client offers `version` first. Keys cost time: one certificate for all tests.
pub(super) fn context(version: Version) -> Arc<Context> {
    let certificate = Certificate::generate(1_800_000_000).unwrap();
    #[expect(clippy::disallowed_methods, reason = "any moment will do as the origin")]
    let origin = Instant::now();
    Arc::new(Context::new(certificate, origin).offering(version))
}

pub(super) fn fingerprint_of(context: &Context) -> Vec<Fingerprint> {
    vec![Fingerprint::of(HashFunction::Sha256, context.certificate().der())]
}

pub(super) fn connected_pair(version: Version) -> Pair {
    let mut pair = Pair::new(&context(version), &context(version));
    pair.run();
    pair.connected();
    pair
}

pub(super) fn ends_of(pair: &Pair) -> (usize, usize) {
    (pair.client.connected.len(), pair.server.connected.len())
}

impl Side {
    pub(super) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            dtls: Dtls::new(Arc::clone(context)),
            connected: Vec::new(),
            failures: Vec::new(),
            closed: 0,
            data: Vec::new(),
            sent: VecDeque::new(),
            sent_total: 0,
        }
    }

    pub(super) fn receive(&mut self, now: Time, datagram: &[u8]) {
        self.dtls.receive(now, datagram, &mut Flights::new(1_000));
        self.drain(now);
    }

    pub(super) fn drain(&mut self, now: Time) {
        let mut buffer = [0; BUFFER_BYTES];
        while let Some(output) = self.dtls.poll(now, &mut buffer) {
            match output {
                Output::Datagram(datagram) => {
                    assert!(datagram.len() <= 1_500);
                    self.sent.push_back(datagram.to_vec());
                    self.sent_total += 1;
                }
                Output::Data(data) => self.data.push(data.to_vec()),
                Output::Connected(connected) => self.connected.push(*connected),
                Output::Closed => self.closed += 1,
                Output::Failed(failure) => self.failures.push(failure),
            }
        }
    }
}

impl Pair {
    /// Two ends that know one another's fingerprints, before anything was sent.
    pub(super) fn new(client: &Arc<Context>, server: &Arc<Context>) -> Self {
        Self::expecting(client, server, fingerprint_of(server), fingerprint_of(client))
    }

    /// `of_server` is what the client was told.
    pub(super) fn expecting(
        client: &Arc<Context>,
        server: &Arc<Context>,
        of_server: Vec<Fingerprint>,
        of_client: Vec<Fingerprint>,
    ) -> Self {
        let mut pair =
            Self { now: Time::from_millis(5_000), client: Side::new(client), server: Side::new(server) };
        let mut flights = Flights::new(100);
        pair.server.dtls.connect(pair.now, Role::Server, of_client, &mut flights);
        pair.client.dtls.connect(pair.now, Role::Client, of_server, &mut flights);
        pair.client.drain(pair.now);
        pair
    }

    /// Until nothing is under way and a second of timers has passed.
    pub(super) fn run(&mut self) {
        self.run_through(Duration::from_secs(1), |_, datagram| vec![datagram]);
    }

    /// Runs for so long; `wire` says what becomes of a datagram (of the client: true). A way takes 10 ms.
    pub(super) fn run_through(
        &mut self,
        time: Duration,
        mut wire: impl FnMut(bool, Vec<u8>) -> Vec<Vec<u8>>,
    ) {
        let end = self.now + time;
        while self.now <= end {
            let from_client: Vec<_> = self.client.sent.drain(..).collect();
            let from_server: Vec<_> = self.server.sent.drain(..).collect();
            if from_client.is_empty() && from_server.is_empty() {
                let deadlines = [self.client.dtls.next_deadline(), self.server.dtls.next_deadline()];
                let Some(at) = deadlines.into_iter().flatten().min().filter(|at| *at <= end) else { break };
                self.now = self.now.max(at);
            } else {
                self.now = self.now + Duration::from_millis(10);
            }
            for datagram in from_client.into_iter().flat_map(|datagram| wire(true, datagram)) {
                self.server.receive(self.now, &datagram);
            }
            for datagram in from_server.into_iter().flat_map(|datagram| wire(false, datagram)) {
                self.client.receive(self.now, &datagram);
            }
            for side in [&mut self.client, &mut self.server] {
                if side.dtls.next_deadline().is_some_and(|at| at <= self.now) {
                    side.dtls.on_deadline(self.now);
                    side.drain(self.now);
                }
            }
        }
        self.now = end;
    }

    pub(super) fn connected(&self) -> (&Connected, &Connected) {
        let context = format!("{:?} {:?}", self.client.failures, self.server.failures);
        assert_eq!(ends_of(self), (1, 1), "{context} {:?} {:?}", self.client.dtls, self.server.dtls);
        (&self.client.connected[0], &self.server.connected[0])
    }
}
