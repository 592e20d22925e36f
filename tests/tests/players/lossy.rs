//! A room of one video stream with real senders and viewers, each on a network of its own that may lose packets.
//!
//! Knows the host library, players and the proxy. Does not know what must come out.
//! Invariant: on a lossy network a peer knows the proxy alone, and the worker too.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Failed;
use plain_relay::ffmpeg::Output;
use plain_relay::ports;
use plain_relay::sdp::Stream;
use tidegate::{
    Consumer, ConsumerOptions, ListenInfo, MediaKind, PlainConnectOptions, PlainTransport,
    PlainTransportOptions, Producer, ProducerOptions, Router, RouterOptions, RtpCodecCapability,
    RtpCodecParameters, RtpEncodingParameters, RtpParameters, Rtx, Worker, WorkerSettings,
};
use tidegate_tests::proxy::{Lane, Proxy, Settings};
use tokio::process::Child;

use crate::codec::Codec;
use crate::decoded::{self, Decoded};
use crate::gstreamer::repair::{self, Repaired};
use crate::{ffmpeg, gstreamer, process, recording};

/// A worker with a router for one codec.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) worker: Worker,
    router: Router,
    codec: Codec,
    /// Of each network both ways, in thousandths.
    loss_permille: u32,
}

/// Who sends.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) producer: Producer,
    /// Its network, when it is lossy.
    pub(crate) proxy: Option<Proxy>,
    _transport: PlainTransport,
    way: Way,
}

/// How the sender's packets find the worker.
#[derive(Debug)]
enum Way {
    /// ffmpeg, over a network that loses nothing.
    Clean(Output),
    /// GStreamer, through the proxy: where it sends RTP and RTCP, and where it listens for RTCP.
    Lossy { fronts: [SocketAddr; 2], own_rtcp: u16 },
}

/// Who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plays {
    /// GStreamer behind a lossy network, which asks by NACK and takes RTX.
    LossyGstreamer,
    /// ffmpeg over a network that loses nothing, which asks for nothing.
    CleanFfmpeg,
}

/// A viewer with its player at work; gone when dropped.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) plays: Plays,
    pub(crate) consumer: Consumer,
    pub(crate) proxy: Option<Proxy>,
    _transport: PlainTransport,
    directory: PathBuf,
    _player: Child,
}

impl Room {
    pub(crate) async fn open(codec: Codec, loss_permille: u32) -> Result<Self, Failed> {
        let worker = Worker::spawn(WorkerSettings::default()).await?;
        let parameters = codec.parameters();
        let capability = RtpCodecCapability {
            parameters: parameters.parameters.clone(),
            ..RtpCodecCapability::new(MediaKind::Video, &parameters.mime_type, parameters.clock_rate)
        };
        let router = worker.create_router(RouterOptions { media_codecs: vec![capability] }).await?;
        Ok(Self { worker, router, codec, loss_permille })
    }

    /// GStreamer on a lossy network, which answers NACK by RTX.
    pub(crate) async fn lossy_sender(&self) -> Result<Sender, Failed> {
        let transport = self.router.create_plain_transport(two_ports()).await?;
        let lanes = [Lane::open(LOOPBACK)?, Lane::open(LOOPBACK)?];
        let own = free_pair()?;
        let fronts = [lanes[0].front()?, lanes[1].front()?];
        let proxy = self.put_between(&transport, lanes, own, SENT.rtx_payload_type, 1).await?;
        let codec = self.codec.parameters().with_feedback("nack", "");
        let codec = RtpCodecParameters { payload_type: SENT.payload_type, ..codec };
        let encoding = RtpEncodingParameters {
            rtx: Some(Rtx { ssrc: SENT.rtx_ssrc }),
            ..RtpEncodingParameters::of_ssrc(SENT.ssrc)
        };
        let rtx = RtpCodecParameters::rtx(SENT.rtx_payload_type, SENT.payload_type);
        let producer = produce(&transport, vec![codec, rtx], encoding).await?;
        let way = Way::Lossy { fronts, own_rtcp: own + 1 };
        Ok(Sender { producer, proxy: Some(proxy), _transport: transport, way })
    }

    /// ffmpeg on a network that loses nothing.
    pub(crate) async fn clean_sender(&self) -> Result<Sender, Failed> {
        let transport = self.router.create_plain_transport(two_ports().with_comedia()).await?;
        let codec = RtpCodecParameters { payload_type: SENT.payload_type, ..self.codec.parameters() };
        let producer = produce(&transport, vec![codec], RtpEncodingParameters::of_ssrc(SENT.ssrc)).await?;
        let [rtp, rtcp] = addresses(&transport);
        let output = Output {
            payload_type: SENT.payload_type,
            ssrc: SENT.ssrc,
            rtp,
            rtcp_port: rtcp.port(),
            local_ports: None,
            first_sequence: None,
            srtp: None,
        };
        Ok(Sender { producer, proxy: None, _transport: transport, way: Way::Clean(output) })
    }

    /// A viewer whose player listens when this returns. Its files are in a directory of this name.
    pub(crate) async fn viewer(&self, plays: Plays, of: &Sender, name: &str) -> Result<Viewer, Failed> {
        let transport = self.router.create_plain_transport(two_ports()).await?;
        let port = free_pair()?;
        let capabilities = self.router.rtp_capabilities().without_header_extensions();
        let capabilities = match plays {
            Plays::LossyGstreamer => capabilities,
            Plays::CleanFfmpeg => capabilities.plain(),
        };
        let consumer = transport.consume(ConsumerOptions::new(&of.producer, capabilities)).await?;
        let mut feedback_to = addresses(&transport)[1];
        let mut proxy = None;
        if plays == Plays::CleanFfmpeg {
            transport.connect(PlainConnectOptions::new(LOOPBACK, port).with_rtcp_port(port + 1)).await?;
        } else {
            let lanes = [Lane::open(LOOPBACK)?, Lane::open(LOOPBACK)?];
            feedback_to = lanes[1].front()?;
            let rtx = consumer.rtp_parameters().codecs.get(1).map_or(NO_RTX, |rtx| rtx.payload_type);
            proxy = Some(self.put_between(&transport, lanes, port, rtx, 2).await?);
        }
        let directory = recording::directory(name)?;
        let player = self.start_player(plays, &consumer, port, feedback_to, &directory)?;
        if !ports::wait_until_bound(&[port, port + 1], START_MAX).await {
            return Err(format!("the player does not listen: {}", log_of(&directory)).into());
        }
        Ok(Viewer { plays, consumer, proxy, _transport: transport, directory, _player: player })
    }

    /// A proxy between a peer at `port` and the next one, and a transport.
    async fn put_between(
        &self,
        transport: &PlainTransport,
        [rtp, rtcp]: [Lane; 2],
        port: u16,
        rtx_payload_type: u8,
        seed: u64,
    ) -> Result<Proxy, Failed> {
        let backs = [rtp.back()?.port(), rtcp.back()?.port()];
        transport.connect(PlainConnectOptions::new(LOOPBACK, backs[0]).with_rtcp_port(backs[1])).await?;
        let settings = Settings {
            rtx_payload_types: &[rtx_payload_type],
            ..Settings::both_ways(self.loss_permille, DELAY, seed)
        };
        let [worker_rtp, worker_rtcp] = addresses(transport);
        let routes = vec![
            rtp.between((LOOPBACK, port).into(), worker_rtp),
            rtcp.between((LOOPBACK, port + 1).into(), worker_rtcp),
        ];
        Ok(Proxy::start(settings, routes)?)
    }

    fn start_player(
        &self,
        plays: Plays,
        consumer: &Consumer,
        port: u16,
        feedback_to: SocketAddr,
        directory: &Path,
    ) -> Result<Child, Failed> {
        let log = File::create(directory.join(LOG))?;
        let stream = repaired(consumer)?;
        if plays == Plays::LossyGstreamer {
            let arguments = repair::play(self.codec, stream, (LOOPBACK, port), feedback_to, directory);
            let pictures = File::create(decoded::pictures_file(directory))?;
            return process::start(gstreamer::PROGRAM, &arguments, pictures.into(), log.into());
        }
        let described = Stream {
            kind: MediaKind::Video,
            port,
            payload_type: stream.payload_type,
            encoding: format!("{:?}/90000", self.codec).to_ascii_uppercase(),
            srtp: None,
        };
        let arguments = ffmpeg::play_patiently(LOOPBACK, &described, directory)?;
        process::start("ffmpeg", &arguments, Stdio::null(), log.into())
    }
}

impl Sender {
    /// Begins to send the video of `file`.
    pub(crate) fn send(&self, codec: Codec, file: &Path) -> Result<Child, Failed> {
        let (program, arguments) = match &self.way {
            Way::Clean(output) => ("ffmpeg", ffmpeg::send_video(file, output)),
            Way::Lossy { fronts, own_rtcp } => {
                (gstreamer::PROGRAM, repair::send(codec, file, SENT, *fronts, *own_rtcp))
            }
        };
        process::start(program, &arguments, Stdio::null(), Stdio::inherit())
    }
}

impl Viewer {
    /// What it decoded so far.
    pub(crate) fn decoded(&self) -> Decoded {
        Decoded::read(&self.directory)
    }

    /// What its player complained of.
    pub(crate) fn log(&self) -> String {
        log_of(&self.directory)
    }
}

async fn produce(
    transport: &PlainTransport,
    codecs: Vec<RtpCodecParameters>,
    encoding: RtpEncodingParameters,
) -> Result<Producer, Failed> {
    let parameters = RtpParameters { codecs, encodings: vec![encoding], ..RtpParameters::default() };
    Ok(transport.produce(ProducerOptions::new(MediaKind::Video, parameters)).await?)
}

/// What a consumer sends.
fn repaired(consumer: &Consumer) -> Result<Repaired, Failed> {
    let parameters = consumer.rtp_parameters();
    let codec = parameters.codecs.first().ok_or("no codec")?;
    let encoding = parameters.encodings.first().ok_or("no encoding")?;
    let rtx = parameters.codecs.get(1);
    Ok(Repaired {
        payload_type: codec.payload_type,
        ssrc: encoding.ssrc.ok_or("no SSRC")?,
        rtx_payload_type: rtx.map_or(NO_RTX, |rtx| rtx.payload_type),
        rtx_ssrc: encoding.rtx.map_or(0, |rtx| rtx.ssrc),
    })
}

/// Where a transport listens for RTP and RTCP.
fn addresses(transport: &PlainTransport) -> [SocketAddr; 2] {
    let rtcp = transport.rtcp_tuple().map_or(0, |tuple| tuple.local_port);
    [transport.tuple().local_port, rtcp].map(|port| SocketAddr::new(LOOPBACK, port))
}

fn two_ports() -> PlainTransportOptions {
    PlainTransportOptions {
        rtcp_listen_info: Some(ListenInfo::new(LOOPBACK)),
        ..PlainTransportOptions::new(ListenInfo::new(LOOPBACK)).without_rtcp_mux()
    }
}

fn free_pair() -> Result<u16, Failed> {
    ports::free_pair(LOOPBACK).ok_or_else(|| "no free pair of ports".into())
}

fn log_of(directory: &Path) -> String {
    std::fs::read_to_string(directory.join(LOG)).unwrap_or_default()
}

/// As the senders send it.
const SENT: Repaired =
    Repaired { payload_type: 101, ssrc: 11_111_111, rtx_payload_type: 104, rtx_ssrc: 11_111_112 };

/// One way.
const DELAY: Duration = Duration::from_millis(40);
/// No payload type is that.
const NO_RTX: u8 = u8::MAX;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOG: &str = "player.log";
const START_MAX: Duration = Duration::from_secs(20);
