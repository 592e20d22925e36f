//! The relay itself: how an application builds one out of a worker.
//!
//! Knows the Tidegate host library. Does not know command lines of peers or how figures are shown.
//! Invariant: what a `Relay` or `Viewer` holds closes with it.

use std::net::{IpAddr, SocketAddr};

use tidegate::{
    Consumer, ConsumerOptions, ListenInfo, MediaKind, PlainConnectOptions, PlainTransport,
    PlainTransportOptions, Producer, ProducerOptions, RequestError, Router, RouterOptions,
    RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters, RtpParameters, SrtpParameters, Worker,
};

use crate::ffmpeg::Output;
use crate::sdp::{self, Stream};

/// One video and one audio stream in, any number of viewers out.
#[derive(Debug)]
pub struct Relay {
    worker: Worker,
    router: Router,
    ip: IpAddr,
    video: Ingest,
    audio: Ingest,
    viewers: Vec<Viewer>,
}

/// Where the sender's packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// From wherever the first one comes (mediasoup's name for it is comedia).
    Anywhere,
    /// The same with SRTP: from wherever the first one comes that is authentic under this key, which is for both streams.
    Secured(SrtpParameters),
    /// From these addresses only.
    At {
        /// The sender's address.
        ip: IpAddr,
        /// Its RTP port for video; RTCP comes from the next one.
        video_port: u16,
        /// Its RTP port for audio; RTCP comes from the next one.
        audio_port: u16,
    },
}

/// One viewer: a consumer for each of the relay's streams, each on a transport of its own.
#[derive(Debug)]
pub struct Viewer {
    ip: IpAddr,
    streams: Vec<Stream>,
    transports: Vec<PlainTransport>,
    consumers: Vec<Consumer>,
}

/// Receives one stream.
#[derive(Debug)]
struct Ingest {
    transport: PlainTransport,
    producer: Producer,
    output: Output,
}

impl Relay {
    /// Listens for a sender of VP8 and Opus at `ip`, on four ports from `first_port` on or, without one, on any four
    /// that are free.
    ///
    /// # Errors
    /// When a port is taken, or the worker is gone.
    pub async fn start(
        worker: Worker,
        ip: IpAddr,
        first_port: Option<u16>,
        sender: Sender,
    ) -> Result<Self, RequestError> {
        let codecs = [RtpCodecParameters::new("video/VP8", 101, 90_000), RtpCodecParameters::opus(100)];
        Self::start_with(worker, ip, first_port, sender, codecs).await
    }

    /// The same for other codecs of video and audio. What feedback they name is sent to the sender. `start` names
    /// none: plain RTP senders such as ffmpeg and GStreamer (with its defaults) neither send again nor make key frames
    /// on request.
    ///
    /// # Errors
    /// When a port is taken, the worker refuses a codec, or it is gone.
    pub async fn start_with(
        worker: Worker,
        ip: IpAddr,
        first_port: Option<u16>,
        sender: Sender,
        [video, audio]: [RtpCodecParameters; 2],
    ) -> Result<Self, RequestError> {
        let media_codecs = vec![media_codec(MediaKind::Video, &video), media_codec(MediaKind::Audio, &audio)];
        let router = worker.create_router(RouterOptions { media_codecs }).await?;
        let audio_port = first_port.and_then(|port| port.checked_add(2));
        let video = Ingest::open(&router, (MediaKind::Video, video), ip, first_port, &sender).await?;
        let audio = Ingest::open(&router, (MediaKind::Audio, audio), ip, audio_port, &sender).await?;
        Ok(Self { worker, router, ip, video, audio, viewers: Vec::new() })
    }

    /// Adds a viewer whose player listens at `ip` on these RTP ports for video and audio, for RTCP on the next ones
    /// (RFC 3550 11).
    ///
    /// # Errors
    /// When the worker refuses the address or is gone.
    pub async fn add_viewer(&mut self, ip: IpAddr, rtp_ports: [u16; 2]) -> Result<(), RequestError> {
        self.add(ip, rtp_ports, false, None).await
    }

    /// The same with SRTP: what the viewer reports is taken under this key, and what it is sent comes under the
    /// worker's, of the same suite. Its session description has that one.
    ///
    /// # Errors
    /// As `add_viewer`, and when the key does not fit its suite.
    pub async fn add_secured_viewer(
        &mut self,
        ip: IpAddr,
        rtp_ports: [u16; 2],
        own: &SrtpParameters,
    ) -> Result<(), RequestError> {
        self.add(ip, rtp_ports, false, Some(own)).await
    }

    /// The same for a player that has yet to start: nothing is sent to it until its consumers are resumed.
    ///
    /// # Errors
    /// As `add_viewer`.
    pub async fn add_paused_viewer(&mut self, ip: IpAddr, rtp_ports: [u16; 2]) -> Result<(), RequestError> {
        self.add(ip, rtp_ports, true, None).await
    }

    async fn add(
        &mut self,
        ip: IpAddr,
        rtp_ports: [u16; 2],
        paused: bool,
        srtp: Option<&SrtpParameters>,
    ) -> Result<(), RequestError> {
        let (mut streams, mut transports, mut consumers) = (Vec::new(), Vec::new(), Vec::new());
        for (producer, rtp_port) in self.producers().into_iter().zip(rtp_ports) {
            let (mut listen, mut peer) = (
                two_ports(self.ip, None),
                PlainConnectOptions::new(ip, rtp_port).with_rtcp_port(rtcp_port(rtp_port)),
            );
            if let Some(own) = srtp {
                (listen, peer) = (listen.with_srtp(own.crypto_suite), peer.with_srtp(own.clone()));
            }
            let transport = self.router.create_plain_transport(listen).await?;
            transport.connect(peer).await?;
            // Players learn from the session description what comes. RTP/AVP, as it says, has no feedback.
            let capabilities = self.router.rtp_capabilities().plain();
            let options = ConsumerOptions { paused, ..ConsumerOptions::new(producer, capabilities) };
            let consumer = transport.consume(options).await?;
            streams.extend(stream_of(&consumer, rtp_port, transport.srtp_parameters()));
            transports.push(transport);
            consumers.push(consumer);
        }
        self.viewers.push(Viewer { ip, streams, transports, consumers });
        Ok(())
    }

    /// The worker that does it.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Video and audio as the sender must send them.
    pub fn outputs(&self) -> [Output; 2] {
        [self.video.output.clone(), self.audio.output.clone()]
    }

    /// Video and audio as they come in.
    pub fn producers(&self) -> [&Producer; 2] {
        [&self.video.producer, &self.audio.producer]
    }

    /// Where video and audio come in.
    pub fn ingest_transports(&self) -> [&PlainTransport; 2] {
        [&self.video.transport, &self.audio.transport]
    }

    /// In the order in which they were added.
    pub fn viewers(&self) -> &[Viewer] {
        &self.viewers
    }
}

impl Viewer {
    /// Video and audio as they go out.
    pub fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }

    /// Where video and audio go out.
    pub fn transports(&self) -> &[PlainTransport] {
        &self.transports
    }

    /// What the viewer's player will receive.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Where the viewer's player listens.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The same for a file that the player reads (RFC 8866).
    pub fn session_description(&self) -> String {
        sdp::describe(self.ip, &self.streams)
    }
}

impl Ingest {
    async fn open(
        router: &Router,
        (kind, codec): (MediaKind, RtpCodecParameters),
        ip: IpAddr,
        port: Option<u16>,
        sender: &Sender,
    ) -> Result<Self, RequestError> {
        let (listen, peer) = sender.find(kind, two_ports(ip, port));
        let transport = router.create_plain_transport(listen).await?;
        if let Some(peer) = peer {
            transport.connect(peer).await?;
        }
        let ssrc = ssrc_of(kind);
        let output = Output {
            payload_type: codec.payload_type,
            ssrc,
            rtp: SocketAddr::new(ip, transport.tuple().local_port),
            // Without rtcp-mux a transport has both.
            rtcp_port: transport.rtcp_tuple().map_or(0, |tuple| tuple.local_port),
            local_ports: None,
            first_sequence: None,
            srtp: sender.srtp().cloned(),
        };
        let rtp_parameters = RtpParameters {
            codecs: vec![codec],
            encodings: vec![RtpEncodingParameters::of_ssrc(ssrc)],
            ..RtpParameters::default()
        };
        let producer = transport.produce(ProducerOptions::new(kind, rtp_parameters)).await?;
        Ok(Self { transport, producer, output })
    }
}

impl Sender {
    /// How a transport listens for a stream of this kind, and what it is told of its peer: nothing, when its address is
    /// to be learnt and nothing is protected.
    fn find(
        &self,
        kind: MediaKind,
        listen: PlainTransportOptions,
    ) -> (PlainTransportOptions, Option<PlainConnectOptions>) {
        match self {
            Self::Anywhere => (listen.with_comedia(), None),
            Self::Secured(key) => {
                let listen = listen.with_comedia().with_srtp(key.crypto_suite);
                (listen, Some(PlainConnectOptions::of_srtp(key.clone())))
            }
            Self::At { ip, video_port, audio_port } => {
                let port = if kind == MediaKind::Video { *video_port } else { *audio_port };
                (listen, Some(PlainConnectOptions::new(*ip, port).with_rtcp_port(rtcp_port(port))))
            }
        }
    }

    const fn srtp(&self) -> Option<&SrtpParameters> {
        if let Self::Secured(key) = self { Some(key) } else { None }
    }
}

/// What the router must know of a sender's codec. It chooses the payload types that viewers get, unless the codec has a
/// static one (RFC 3551 6): the first gets 100, and VP8's retransmissions 101. `with_payload_type(codec.payload_type)`
/// would keep the sender's.
fn media_codec(kind: MediaKind, codec: &RtpCodecParameters) -> RtpCodecCapability {
    RtpCodecCapability {
        channels: codec.channels,
        parameters: codec.parameters.clone(),
        ..RtpCodecCapability::new(kind, &codec.mime_type, codec.clock_rate)
    }
}

/// The SSRC that the sender must use.
fn ssrc_of(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Video => 11_111_111,
        MediaKind::Audio => 22_222_222,
    }
}

/// A transport with RTCP on a port of its own: `port` and the next one, or any two.
fn two_ports(ip: IpAddr, port: Option<u16>) -> PlainTransportOptions {
    let listen = |port: Option<u16>| match port {
        Some(port) => ListenInfo::new(ip).with_port(port),
        None => ListenInfo::new(ip),
    };
    PlainTransportOptions {
        rtcp_listen_info: Some(listen(port.map(rtcp_port))),
        ..PlainTransportOptions::new(listen(port)).without_rtcp_mux()
    }
}

/// What a player must be told of a consumer whose packets come to `port`, under this key if any.
fn stream_of(consumer: &Consumer, port: u16, srtp: Option<SrtpParameters>) -> Option<Stream> {
    let codec = consumer.rtp_parameters().codecs.first()?;
    let (_, name) = codec.mime_type.split_once('/')?;
    // RFC 8866 6.6: one channel goes without saying.
    let channels = codec.channels.filter(|channels| *channels > 1);
    let channels = channels.map(|channels| format!("/{channels}")).unwrap_or_default();
    let encoding = format!("{name}/{}{channels}", codec.clock_rate);
    Some(Stream { kind: consumer.kind(), port, payload_type: codec.payload_type, encoding, srtp })
}

/// RFC 3550 11: RTCP has the next higher port.
fn rtcp_port(rtp_port: u16) -> u16 {
    rtp_port.saturating_add(1)
}
