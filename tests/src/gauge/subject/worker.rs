//! Starts the worker as an application does, through the Rust host, and connects plain transports to the peers.
//!
//! One transport for each source and one for each sink, with the peer's address given (no comedia), RTCP on the same
//! port. Sinks get the payload types that sources send. NACK is agreed, so histories are kept; header extensions are
//! not, so packets stay as long as they were, but for the tag of SRTP where sinks get that.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use tidegate::{
    Consumer, ConsumerOptions, DtlsParameters, DtlsRole, ListenInfo, MediaKind, PlainConnectOptions,
    PlainTransport, PlainTransportOptions, Producer, ProducerOptions, Router, RouterOptions, RtpCapabilities,
    RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters, RtpParameters, SrtpCryptoSuite,
    SrtpParameters, WebRtcServer, WebRtcServerOptions, WebRtcTransport, WebRtcTransportOptions, Worker,
    WorkerBin, WorkerSettings,
};
use tidegate_protocol::webrtc::{DtlsFingerprint, DtlsState};
use tidegate_worker::srtp::{Keys, Suite};
use tokio::runtime::{Builder, Runtime};

use super::{Counts, Peers, Subject, WorkerVariant};
use crate::caller::Host;
use crate::clock;
use crate::gauge::scenario::Scenario;
use crate::ideal::SocketUse;
use crate::load::StreamPlan;
use crate::traffic::media::Codec;
use crate::world::webrtc::WebRtc;

/// A running worker with a scenario's entities in it.
#[derive(Debug)]
pub struct WorkerProcess {
    // Handles close on drop: kept, and dropped before the runtime that carries them.
    consumers: Vec<Consumer>,
    _producers: Vec<Producer>,
    transports: Vec<PlainTransport>,
    webrtc: Vec<WebRtcTransport>,
    webrtc_server: Option<WebRtcServer>,
    router: Router,
    worker: Worker,
    entrances: Vec<SocketAddr>,
    sink_keys: Vec<Keys>,
    runtime: Runtime,
}

impl WorkerProcess {
    /// Starts the worker and makes the scenario's entities.
    ///
    /// # Errors
    /// The worker cannot be started, or refuses something; the sentence says what.
    pub fn start(variant: WorkerVariant, scenario: &Scenario, peers: &Peers) -> io::Result<Self> {
        let bin =
            peers.worker_bin.as_deref().ok_or_else(|| io::Error::other("no worker program is known"))?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let room = runtime.block_on(Room::build(variant, scenario, peers, bin)).map_err(io::Error::other)?;
        Ok(Self {
            consumers: room.consumers,
            _producers: room.producers,
            entrances: room
                .transports
                .iter()
                .take(scenario.sources)
                .map(entrance)
                .collect::<Result<_, _>>()?,
            sink_keys: room
                .transports
                .iter()
                .skip(scenario.sources)
                .filter_map(PlainTransport::srtp_parameters)
                .map(|told| keys(&told))
                .collect::<io::Result<_>>()?,
            transports: room.transports,
            webrtc: Vec::new(),
            webrtc_server: None,
            router: room.router,
            worker: room.worker,
            runtime,
        })
    }

    /// WebRTC transports on one UDP port.
    ///
    /// # Errors
    /// The worker refuses something.
    pub fn create_webrtc_transports(&mut self, count: usize) -> io::Result<Vec<WebRtc>> {
        let Self { worker, router, runtime, .. } = self;
        let made: Result<_, Failure> = runtime.block_on(async {
            let listen = ListenInfo::new(Ipv4Addr::LOCALHOST);
            let server = worker.create_webrtc_server(WebRtcServerOptions::new(vec![listen])).await?;
            let (mut transports, mut told) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let options = WebRtcTransportOptions::on_server(&server);
                let transport = router.create_webrtc_transport(options).await?;
                let dump = transport.dump().await?.webrtc.ok_or("no WebRTC transport")?;
                told.push(WebRtc { id: transport.wire_id(), dump });
                transports.push(transport);
            }
            Ok((server, transports, told))
        });
        let (server, transports, told) = made.map_err(io::Error::other)?;
        self.webrtc.extend(transports);
        self.webrtc_server = Some(server);
        Ok(told)
    }

    fn webrtc(&self, transport: u64) -> Result<&WebRtcTransport, String> {
        let found = self.webrtc.iter().find(|known| known.wire_id().0 == transport);
        found.ok_or_else(|| format!("there is no WebRTC transport {transport}"))
    }

    /// The SSRC of the last consumer.
    pub fn last_ssrc(&self) -> Option<u32> {
        self.consumers.last()?.rtp_parameters().encodings.first()?.ssrc
    }

    /// How long a dump of the first transport takes to be answered.
    ///
    /// # Errors
    /// The worker is gone, or has no transport.
    pub fn dump_time(&self) -> io::Result<Duration> {
        let transport = self.transports.first().ok_or(io::ErrorKind::NotFound)?;
        let asked_ns = clock::monotonic_ns();
        self.runtime.block_on(transport.dump()).map_err(io::Error::other)?;
        Ok(Duration::from_nanos(clock::monotonic_ns() - asked_ns))
    }
}

impl Subject for WorkerProcess {
    fn pid(&self) -> u32 {
        self.worker.pid()
    }

    fn entrances(&self) -> &[SocketAddr] {
        &self.entrances
    }

    fn sink_keys(&self) -> &[Keys] {
        &self.sink_keys
    }

    fn counts(&mut self) -> io::Result<Counts> {
        let metrics = self.runtime.block_on(self.worker.get_metrics()).map_err(io::Error::other)?;
        let value = |name: &str| {
            metrics.value(name).ok_or_else(|| io::Error::other(format!("the worker has no metric {name}")))
        };
        let runs = metrics.histogram("gso_run_length");
        Ok(Counts {
            sent: value("packets_forwarded")?,
            messages: runs.map_or(0, tidegate::metrics::Histogram::count),
            send_calls: value("send_calls")?,
            wakeups: value("wakes")?,
        })
    }

    fn wait_until(&mut self, monotonic_ns: u64) {
        let left = Duration::from_nanos(monotonic_ns.saturating_sub(clock::monotonic_ns()));
        self.runtime.block_on(async { tokio::time::sleep(left).await });
    }
}

impl Host for WorkerProcess {
    fn connect(&mut self, transport: u64, peer: &DtlsFingerprint) -> Result<(), String> {
        let parameters = DtlsParameters { role: DtlsRole::Client, fingerprints: vec![peer.into()] };
        let connected = self.runtime.block_on(self.webrtc(transport)?.connect(&parameters));
        connected.map_err(|error| error.to_string())
    }

    fn dtls_state(&mut self, transport: u64) -> Result<DtlsState, String> {
        let dump = self.runtime.block_on(self.webrtc(transport)?.dump());
        let webrtc = dump.map_err(|error| error.to_string())?.webrtc;
        webrtc.map(|webrtc| webrtc.dtls_state).ok_or_else(|| "no WebRTC transport".to_owned())
    }

    fn rest(&mut self) -> Result<(), String> {
        self.wait_until(clock::monotonic_ns() + REST_NS);
        Ok(())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is built in the worker.
struct Room {
    consumers: Vec<Consumer>,
    producers: Vec<Producer>,
    /// First one for each source, then one for each sink.
    transports: Vec<PlainTransport>,
    /// What sinks can receive.
    capabilities: RtpCapabilities,
    router: Router,
    worker: Worker,
}

impl Room {
    async fn build(
        variant: WorkerVariant,
        scenario: &Scenario,
        peers: &Peers,
        bin: &Path,
    ) -> Result<Self, Failure> {
        let worker = Worker::spawn(settings(variant, bin)).await?;
        let router = worker.create_router(RouterOptions::new(media_codecs(scenario))).await?;
        let listen = listen_info(peers.sockets)?;
        let mut room = Self {
            consumers: Vec::new(),
            producers: Vec::new(),
            transports: Vec::new(),
            capabilities: router.rtp_capabilities().without_rtx().without_header_extensions(),
            router,
            worker,
        };
        let sources = peers.sources.iter().map(|peer| (peer, None));
        for (peer, srtp) in sources.chain(peers.sinks.iter().map(|peer| (peer, variant.srtp))) {
            room.transports.push(transport(&room.router, listen.clone(), *peer, srtp).await?);
        }
        for stream in &scenario.streams {
            room.produce(stream).await?;
        }
        for route in &scenario.routes {
            room.consume(route.stream, scenario.sources + route.sink).await?;
        }
        for (stream, source) in &scenario.watching_sources {
            room.consume(*stream, *source).await?;
        }
        Ok(room)
    }

    async fn produce(&mut self, stream: &StreamPlan) -> Result<(), Failure> {
        let transport = self.transports.get(stream.source).ok_or("a stream without a source")?;
        let kind = if stream.codec().is_video() { MediaKind::Video } else { MediaKind::Audio };
        let parameters = RtpParameters {
            codecs: vec![codec(stream)],
            encodings: vec![RtpEncodingParameters::of_ssrc(stream.ssrc)],
            ..RtpParameters::default()
        };
        self.producers.push(transport.produce(ProducerOptions::new(kind, parameters)).await?);
        Ok(())
    }

    async fn consume(&mut self, stream: usize, transport: usize) -> Result<(), Failure> {
        let producer = self.producers.get(stream).ok_or("a route without a stream")?;
        let transport = self.transports.get(transport).ok_or("a route without a sink")?;
        let options = ConsumerOptions::new(producer, self.capabilities.clone());
        self.consumers.push(transport.consume(options).await?);
        Ok(())
    }
}

fn settings(variant: WorkerVariant, bin: &Path) -> WorkerSettings {
    WorkerSettings {
        worker_bin: WorkerBin::Path(bin.to_owned()),
        // On is the worker's own default.
        batch_interval: (!variant.moderation).then_some(Duration::ZERO),
        equalize_padding: Some(variant.padding),
        ..WorkerSettings::default()
    }
}

/// A shared socket needs a port that all transports name: one that is free now.
fn listen_info(sockets: SocketUse) -> io::Result<ListenInfo> {
    let listen =
        ListenInfo { recv_buffer_size: RECEIVE_BUFFER_BYTES, ..ListenInfo::new(Ipv4Addr::LOCALHOST) };
    match sockets {
        SocketUse::Own => Ok(listen),
        SocketUse::Shared => {
            let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            Ok(ListenInfo { shared: true, ..listen.with_port(port) })
        }
    }
}

async fn transport(
    router: &Router,
    listen: ListenInfo,
    peer: SocketAddr,
    srtp: Option<SrtpCryptoSuite>,
) -> Result<PlainTransport, Failure> {
    let (options, peer) =
        (PlainTransportOptions::new(listen), PlainConnectOptions::new(peer.ip(), peer.port()));
    let Some(suite) = srtp else {
        let transport = router.create_plain_transport(options).await?;
        transport.connect(peer).await?;
        return Ok(transport);
    };
    let transport = router.create_plain_transport(options.with_srtp(suite)).await?;
    // Sinks send nothing: any key will do.
    let key = openssl::base64::encode_block(&vec![7; suite.key_length()]);
    transport.connect(peer.with_srtp(SrtpParameters::new(suite, key))).await?;
    Ok(transport)
}

/// What the worker sends under.
fn keys(told: &SrtpParameters) -> io::Result<Keys> {
    let suite = Suite::from_name(told.crypto_suite.name()).ok_or(io::ErrorKind::Unsupported)?;
    Keys::new(suite, &openssl::base64::decode_block(&told.key_base64)?).map_err(io::Error::other)
}

fn entrance(transport: &PlainTransport) -> io::Result<SocketAddr> {
    let tuple = transport.tuple();
    let ip: IpAddr = tuple.local_address.parse().map_err(io::Error::other)?;
    Ok(SocketAddr::new(ip, tuple.local_port))
}

/// The codecs of a scenario's streams, by the payload types that its sources use; in rising order, so that those of
/// RTX, which the router adds, fall between them.
fn media_codecs(scenario: &Scenario) -> Vec<RtpCodecCapability> {
    let mut codecs: Vec<RtpCodecCapability> = Vec::new();
    for stream in &scenario.streams {
        let sent = codec(stream);
        let kind = if stream.codec().is_video() { MediaKind::Video } else { MediaKind::Audio };
        let wanted = RtpCodecCapability {
            channels: sent.channels,
            parameters: sent.parameters,
            ..RtpCodecCapability::new(kind, &sent.mime_type, sent.clock_rate)
        };
        let wanted = wanted.with_payload_type(sent.payload_type);
        if !codecs.contains(&wanted) {
            codecs.push(wanted);
        }
    }
    codecs.sort_by_key(|codec| codec.preferred_payload_type);
    codecs
}

fn codec(stream: &StreamPlan) -> RtpCodecParameters {
    let payload_type = stream.payload_type;
    let like_vp8 = |mime_type: &str| RtpCodecParameters {
        mime_type: mime_type.to_owned(),
        ..RtpCodecParameters::vp8(payload_type)
    };
    match stream.codec() {
        Codec::Opus => RtpCodecParameters::opus(payload_type),
        Codec::Vp8 => like_vp8("video/VP8"),
        Codec::H264 => like_vp8("video/H264").with_parameter("packetization-mode", 1),
        Codec::Vp9 => like_vp8("video/VP9"),
    }
}

const REST_NS: u64 = 100_000;
const RECEIVE_BUFFER_BYTES: u32 = 4 << 20; // what the ideal forwarder takes
