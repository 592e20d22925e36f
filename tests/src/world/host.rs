//! The host's side of a world: verbs that read as a story, for what is expected to succeed.
//!
//! Knows requests and replies. What is expected to be refused goes through [`World::request`] itself.
//! Invariant: ids are never used twice.

use std::net::{IpAddr, SocketAddr};

use tidegate_protocol::bounded::List;
use tidegate_protocol::dump::{ConsumerDump, ObserverDump, ProducerDump, TransportDump, WorkerDump};
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::ids::{ConsumerId, ObserverId, ProducerId, RouterId, TransportId};
use tidegate_protocol::observer::AudioLevelObserverOptions;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::rtp::RtpType;
use tidegate_protocol::srtp::{SrtpCryptoSuite, SrtpParameters};
use tidegate_protocol::stats::{ConsumerStats, RtpStreamStats, TransportStats};
use tidegate_protocol::transport::{
    ListenInfo, ListenPort, PlainConnectOptions, PlainTransportOptions, Protocol,
};

use tidegate_worker::srtp::{Keys, Suite};

use super::World;
use super::parameters::{Stream, produce_simulcast};
use super::secured::Secured;

/// A plain transport and where it listens.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// Its name.
    pub id: TransportId,
    /// Where RTP goes.
    pub rtp: SocketAddr,
    /// Where RTCP goes.
    pub rtcp: SocketAddr,
}

impl World {
    /// A number that names nothing yet.
    pub fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A new router.
    pub fn router(&mut self) -> RouterId {
        let router = RouterId(self.new_id());
        self.done(Command::CreateRouter { router });
        router
    }

    /// A new plain transport.
    pub fn plain_transport(&mut self, router: RouterId, options: &PlainTransportOptions) -> Plain {
        let transport = TransportId(self.new_id());
        let create = Command::CreatePlainTransport { router, transport, options: options.clone() };
        let Ok(Reply::PlainTransport(tuples)) = self.request(create) else { panic!("{options:?}") };
        let rtp = SocketAddr::new(options.listen_info.ip, tuples.tuple.local_port);
        let rtcp = tuples.rtcp_tuple.map_or(rtp, |tuple| SocketAddr::new(rtp.ip(), tuple.local_port));
        Plain { id: transport, rtp, rtcp }
    }

    /// A plain transport on loopback with rtcp-mux that learns its peer.
    pub fn comedia(&mut self, router: RouterId) -> Plain {
        self.plain_transport(router, &PlainTransportOptions { comedia: true, ..plain_options() })
    }

    /// A plain transport on loopback with rtcp-mux that is connected to `peer`.
    pub fn connected(&mut self, router: RouterId, peer: SocketAddr) -> Plain {
        let plain = self.plain_transport(router, &plain_options());
        self.connect(plain.id, peer, None).expect("a new transport can be connected");
        plain
    }

    /// A plain transport with SRTP under `suite`, and `peer` with the keys to it; it learns its peer or is connected to it,
    /// as `options` say.
    pub fn secured(
        &mut self,
        router: RouterId,
        options: PlainTransportOptions,
        suite: SrtpCryptoSuite,
        peer: SocketAddr,
    ) -> Plain {
        let (plain, worker) = self.transport_with_keys(router, options.clone(), suite);
        let own = own_keys(suite);
        let srtp_parameters = Some(own.clone());
        let options = match options.comedia {
            true => PlainConnectOptions { srtp_parameters, ..PlainConnectOptions::default() },
            false => PlainConnectOptions {
                ip: Some(peer.ip()),
                port: Some(peer.port()),
                srtp_parameters,
                ..PlainConnectOptions::default()
            },
        };
        let reply = self.request(Command::ConnectPlainTransport { transport: plain.id, options });
        let Ok(Reply::PlainTransport(PlainTuples { srtp_parameters: Some(told), .. })) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(told, worker, "keys stay while the suite stays");
        self.network.secure(peer, Secured::new(&keys(&own), &keys(&worker)));
        plain
    }

    /// A plain transport with SRTP that nobody is connected to, and what it sends under.
    pub fn transport_with_keys(
        &mut self,
        router: RouterId,
        options: PlainTransportOptions,
        suite: SrtpCryptoSuite,
    ) -> (Plain, SrtpParameters) {
        let transport = TransportId(self.new_id());
        let options = PlainTransportOptions { srtp: Some(suite), ..options };
        let ip = options.listen_info.ip;
        let reply = self.request(Command::CreatePlainTransport { router, transport, options });
        let Ok(Reply::PlainTransport(PlainTuples { tuple, rtcp_tuple, srtp_parameters: Some(worker) })) =
            reply
        else {
            panic!("{reply:?}")
        };
        assert_eq!(worker.crypto_suite, suite);
        let rtp = SocketAddr::new(ip, tuple.local_port);
        let rtcp = rtcp_tuple.map_or(rtp, |tuple| SocketAddr::new(ip, tuple.local_port));
        (Plain { id: transport, rtp, rtcp }, worker)
    }

    /// Names a transport's peer.
    ///
    /// # Errors
    /// What the worker answered.
    pub fn connect(
        &mut self,
        transport: TransportId,
        peer: SocketAddr,
        rtcp_port: Option<u16>,
    ) -> Result<Reply, CommandError> {
        let options = PlainConnectOptions {
            ip: Some(peer.ip()),
            port: Some(peer.port()),
            rtcp_port,
            srtp_parameters: None,
        };
        self.request(Command::ConnectPlainTransport { transport, options })
    }

    /// A new producer.
    pub fn produce(&mut self, transport: TransportId, stream: &Stream) -> ProducerId {
        let producer = ProducerId(self.new_id());
        let reply = self.request(stream.produce(transport, producer));
        assert!(matches!(reply, Ok(Reply::Produced { .. })), "{reply:?}");
        producer
    }

    /// A new producer of several encodings of one source.
    pub fn produce_simulcast(&mut self, transport: TransportId, encodings: &[Stream]) -> ProducerId {
        let producer = ProducerId(self.new_id());
        let reply = self.request(produce_simulcast(transport, producer, encodings));
        assert_eq!(reply, Ok(Reply::Produced { producer_type: RtpType::Simulcast }));
        producer
    }

    /// A new consumer of `producer`, whose peer sends `source`.
    pub fn consume(
        &mut self,
        transport: TransportId,
        producer: ProducerId,
        source: &Stream,
        as_stream: &Stream,
    ) -> ConsumerId {
        let consumer = ConsumerId(self.new_id());
        let reply = self.request(as_stream.consume(transport, consumer, producer, source));
        assert!(matches!(reply, Ok(Reply::Consumed { .. })), "{reply:?}");
        consumer
    }

    /// A new audio level observer of nobody.
    pub fn audio_level_observer(
        &mut self,
        router: RouterId,
        options: AudioLevelObserverOptions,
    ) -> ObserverId {
        let observer = ObserverId(self.new_id());
        self.done(Command::CreateAudioLevelObserver { router, observer, options });
        observer
    }

    /// A new active speaker observer of nobody.
    pub fn active_speaker_observer(&mut self, router: RouterId, interval_ms: u16) -> ObserverId {
        let observer = ObserverId(self.new_id());
        self.done(Command::CreateActiveSpeakerObserver { router, observer, interval_ms });
        observer
    }

    /// `observer` observes `producer` from now on.
    pub fn observe(&mut self, observer: ObserverId, producer: ProducerId) {
        self.done(Command::AddObservedProducer { observer, producer });
    }

    /// A request whose answer is `Done`.
    pub fn done(&mut self, command: Command) {
        let reply = self.request(command);
        assert_eq!(reply, Ok(Reply::Done));
    }

    /// A request that is refused; the class of the refusal.
    pub fn refusal(&mut self, command: Command) -> ErrorKind {
        let refused = self.request(command).expect_err("this should be refused");
        assert!(refused.message.len() > 10, "a refusal says what to do: {refused}");
        refused.kind
    }

    /// What the worker holds.
    pub fn dump(&mut self) -> WorkerDump {
        let Ok(Reply::WorkerDump(dump)) = self.request(Command::DumpWorker) else { panic!("no dump") };
        dump
    }

    /// A transport's state.
    pub fn transport_dump(&mut self, transport: TransportId) -> TransportDump {
        match self.request(Command::DumpTransport { transport }) {
            Ok(Reply::TransportDump(dump)) => *dump,
            other => panic!("{other:?}"),
        }
    }

    /// A producer's state.
    pub fn producer_dump(&mut self, producer: ProducerId) -> ProducerDump {
        match self.request(Command::DumpProducer { producer }) {
            Ok(Reply::ProducerDump(dump)) => *dump,
            other => panic!("{other:?}"),
        }
    }

    /// A consumer's state.
    pub fn consumer_dump(&mut self, consumer: ConsumerId) -> ConsumerDump {
        match self.request(Command::DumpConsumer { consumer }) {
            Ok(Reply::ConsumerDump(dump)) => *dump,
            other => panic!("{other:?}"),
        }
    }

    /// An observer's state.
    pub fn observer_dump(&mut self, observer: ObserverId) -> ObserverDump {
        match self.request(Command::DumpObserver { observer }) {
            Ok(Reply::ObserverDump(dump)) => dump,
            other => panic!("{other:?}"),
        }
    }

    /// A transport's counters.
    pub fn transport_stats(&mut self, transport: TransportId) -> TransportStats {
        match self.request(Command::GetTransportStats { transport }) {
            Ok(Reply::TransportStats(stats)) => *stats,
            other => panic!("{other:?}"),
        }
    }

    /// The counters of a producer's only stream.
    pub fn producer_stats(&mut self, producer: ProducerId) -> RtpStreamStats {
        match self.request(Command::GetProducerStats { producer }) {
            Ok(Reply::ProducerStats(stats)) => stats.first().expect("a stream was seen").clone(),
            other => panic!("{other:?}"),
        }
    }

    /// A consumer's counters.
    pub fn consumer_stats(&mut self, consumer: ConsumerId) -> ConsumerStats {
        match self.request(Command::GetConsumerStats { consumer }) {
            Ok(Reply::ConsumerStats(stats)) => *stats,
            other => panic!("{other:?}"),
        }
    }

    /// One of the worker's named counters.
    pub fn metric(&mut self, name: &str) -> u64 {
        let Ok(Reply::Metrics(metrics)) = self.request(Command::GetMetrics) else { panic!("no metrics") };
        let metric = metrics.values.iter().find(|metric| &*metric.name == name);
        metric.unwrap_or_else(|| panic!("no counter is named {name}")).value
    }
}

/// The engine's keys for these parameters.
pub fn keys(parameters: &SrtpParameters) -> Keys {
    let suite = Suite::from_name(parameters.crypto_suite.name()).expect("the engine has every suite");
    Keys::new(suite, &parameters.key).expect("parameters of a suite fit it")
}

/// What peers send under.
pub fn own_keys(suite: SrtpCryptoSuite) -> SrtpParameters {
    SrtpParameters { crypto_suite: suite, key: List::first_of((1..).take(suite.key_length())) }
}

/// Loopback, any port, rtcp-mux, to be connected.
pub fn plain_options() -> PlainTransportOptions {
    PlainTransportOptions {
        listen_info: listen_on(IpAddr::from([127, 0, 0, 1]), ListenPort::Any),
        rtcp_listen_info: None,
        rtcp_mux: true,
        comedia: false,
        srtp: None,
    }
}

/// A socket with the system's defaults.
pub const fn listen_on(ip: IpAddr, port: ListenPort) -> ListenInfo {
    ListenInfo {
        protocol: Protocol::Udp,
        ip,
        announced_address: None,
        expose_internal_ip: false,
        port,
        shared: false,
        ipv6_only: false,
        udp_reuse_port: false,
        send_buffer_bytes: 0,
        receive_buffer_bytes: 0,
    }
}
