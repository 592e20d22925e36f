//! str0m in this process: a WebRTC stack in Rust without sockets or clocks of its own, with OpenSSL's DTLS and ciphers.
//!
//! Knows str0m's direct interface: what signalling would have told, it is told by hand. It sends packets that nobody
//! encoded, and what comes back counts as decoded when its payload is one that was sent, byte for byte. Does not know
//! what a report must say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use str0m::config::Fingerprint;
use str0m::format::{Codec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Frequency, MediaKind as Kind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tidegate::{
    ConsumerOptions, DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, MediaKind, ProducerOptions,
    Router, RouterOptions, RtcpParameters, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, Rtx, WebRtcTransport,
    WebRtcTransportOptions,
};
use tokio::net::UdpSocket;

use crate::peer::{Ended, Report, Role};
use crate::room::Room;

/// Sends, takes back what it sent, and closes.
pub(crate) async fn visit(room: &Room, role: Role) -> Result<Report, Failed> {
    let router = room.router(RouterOptions::new(CODECS.map(|make| make()).into())).await?;
    let known = known_to_both(router.rtp_capabilities());
    let codecs = PayloadTypes::of(&known)?;
    let mut sending = Side::new(room, &router, &known, role).await?;
    let mut receiving = Side::new(room, &router, &known, role).await?;
    let mut tracks = [Track::audio(codecs), Track::video(codecs)];
    let mut handles = Vec::new();
    for track in &mut tracks {
        let producer = sending.transport.produce(track.produced(&known)).await?;
        sending.declares(track);
        let options = ConsumerOptions::new(&producer, known.clone());
        let consumer = receiving.transport.consume(options).await?;
        track.consumed_as = receiving.expects(track.kind, consumer.rtp_parameters())?;
        handles.push((producer, consumer));
    }
    let started = now();
    while tracks.iter().any(|track| track.received.len() < ENOUGH) {
        if sending.is_connected {
            tracks.iter_mut().for_each(|track| track.plays(&mut sending.rtc, started));
        }
        for event in sending.works().await? {
            match event {
                Event::KeyframeRequest(request) => {
                    let asked = tracks.iter_mut().find(|track| track.mid == request.mid);
                    asked.ok_or("a key frame of a medium that is not sent was asked for")?.wants_key_frame =
                        true;
                }
                Event::Connected => sending.is_connected = true,
                _ => {}
            }
        }
        for event in receiving.works().await? {
            if let Event::RtpPacket(packet) = event {
                let track = tracks.iter_mut().find(|track| track.consumed_as == *packet.header.ssrc);
                track.ok_or("a packet of a stream that is not consumed")?.takes(&packet);
            }
        }
    }
    let mut ended = Vec::new();
    for (side, direction) in [(sending, "send"), (receiving, "recv")] {
        ended.push(side.closes(direction, role).await?);
    }
    let count = |of: fn(&Track) -> usize| {
        let counted = tracks.iter().map(|track| (track.name().to_owned(), of(track) as u64));
        counted.collect::<BTreeMap<_, _>>()
    };
    Ok(Report {
        sent: count(|track| track.sent.len()),
        received: count(|track| track.received.len()),
        decoded: count(|track| track.received.intersection(&track.sent).count()),
        transports: ended,
    })
}

/// One transport of the worker's, and the peer at its other end.
struct Side {
    transport: WebRtcTransport,
    rtc: Rtc,
    socket: UdpSocket,
    is_connected: bool,
}

impl Side {
    async fn new(room: &Room, router: &Router, known: &RtpCapabilities, role: Role) -> Result<Self, Failed> {
        let options = WebRtcTransportOptions::on_server(&room.server());
        let transport = router.create_webrtc_transport(options).await?;
        let socket = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let mut rtc = config(known)?.build(now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr()?, "udp")?);
        let candidates = transport.ice_candidates();
        let udp = candidates.iter().find(|candidate| candidate.tcp_type.is_none()).ok_or("no candidate")?;
        rtc.add_remote_candidate(Candidate::host(
            (udp.address.parse::<std::net::IpAddr>()?, udp.port).into(),
            "udp",
        )?);
        let fingerprints = transport.dtls_parameters().fingerprints;
        let told = fingerprints.iter().find(|one| one.algorithm == SHA_256).ok_or("no SHA-256")?;
        let told: Fingerprint = format!("{} {}", told.algorithm, told.value)
            .parse()
            .map_err(|error| format!("str0m does not read the worker's fingerprint: {error:?}"))?;
        let ice = transport.ice_parameters();
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(true);
        direct.set_remote_ice_credentials(IceCreds { ufrag: ice.username_fragment, pass: ice.password });
        direct.set_remote_fingerprint(told);
        direct.start_dtls(role == Role::Client)?;
        direct.enable_twcc_feedback();
        let own = direct.local_dtls_fingerprint().to_string();
        let (algorithm, value) = own.split_once(' ').ok_or("a fingerprint without its function")?;
        let fingerprint = DtlsFingerprint { algorithm: algorithm.to_owned(), value: value.to_owned() };
        let role = if role == Role::Client { DtlsRole::Client } else { DtlsRole::Server };
        transport.connect(&DtlsParameters { role, fingerprints: vec![fingerprint] }).await?;
        rtc.handle_input(Input::Timeout(now()))?;
        Ok(Self { transport, rtc, socket, is_connected: false })
    }

    fn declares(&mut self, track: &Track) {
        let mut direct = self.rtc.direct_api();
        direct.declare_media(track.mid, track.kind);
        direct.declare_stream_tx(track.ssrc.into(), track.rtx_ssrc().map(Into::into), track.mid, None);
    }

    /// Its SSRC there.
    fn expects(&mut self, kind: Kind, parameters: &RtpParameters) -> Result<u32, Failed> {
        let mid = parameters.mid.as_deref().ok_or("a consumer has a MID")?;
        let encoding = parameters.encodings.first().ok_or("a consumer has an encoding")?;
        let ssrc = encoding.ssrc.ok_or("a consumer has an SSRC")?;
        let rtx = encoding.rtx.as_ref().map(|rtx| rtx.ssrc.into());
        let mut direct = self.rtc.direct_api();
        direct.declare_media(mid.into(), kind);
        direct.expect_stream_rx(ssrc.into(), rtx, mid.into(), None);
        Ok(ssrc)
    }

    /// Sends what there is to send, waits for what comes or is due, at most [`TICK`], and tells what happened.
    async fn works(&mut self) -> Result<Vec<Event>, Failed> {
        let mut events = Vec::new();
        let due = loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => break due,
                Output::Transmit(datagram) => {
                    self.socket.send_to(&datagram.contents, datagram.destination).await?;
                }
                Output::Event(event) => events.push(event),
            }
        };
        let wait = due.saturating_duration_since(now()).min(TICK);
        let mut buffer = [0; 2_000];
        if let Ok(received) = tokio::time::timeout(wait, self.socket.recv_from(&mut buffer)).await {
            let (bytes, source) = received?;
            let destination = self.socket.local_addr()?;
            let received = Receive::new(Protocol::Udp, source, destination, &buffer[..bytes])?;
            self.rtc.handle_input(Input::Receive(now(), received))?;
        } else {
            self.rtc.handle_input(Input::Timeout(now()))?;
        }
        Ok(events)
    }

    /// Says goodbye, until the worker has heard it.
    async fn closes(mut self, direction: &str, role: Role) -> Result<Ended, Failed> {
        let version = self.rtc.direct_api().dtls_protocol_version();
        self.rtc.close()?;
        let patience = now() + GOODBYE;
        while self.transport.dtls_state() == DtlsState::Connected && now() < patience {
            self.works().await?;
        }
        let state = format!("{:?}", self.transport.dtls_state());
        let suite = version.map(|version| format!("{version:?}"));
        Ok(Ended { direction: direction.to_owned(), role, state, ice_state: None, suite, certificate: None })
    }
}

/// The router's, which both sides use.
#[derive(Clone, Copy, Debug)]
struct PayloadTypes {
    opus: u8,
    vp8: u8,
    vp8_rtx: u8,
}

impl PayloadTypes {
    fn of(known: &RtpCapabilities) -> Result<Self, Failed> {
        let of = |mime_type: &str| {
            let codec = known.codecs.iter().find(|codec| codec.mime_type.eq_ignore_ascii_case(mime_type));
            codec.and_then(|codec| codec.preferred_payload_type).ok_or_else(|| format!("no {mime_type}"))
        };
        Ok(Self { opus: of("audio/opus")?, vp8: of("video/VP8")?, vp8_rtx: of("video/rtx")? })
    }
}

/// A stream that is sent, and what came back of it.
struct Track {
    kind: Kind,
    mid: Mid,
    codecs: PayloadTypes,
    ssrc: u32,
    /// Under which SSRC it comes back.
    consumed_as: u32,
    next: u64,
    wants_key_frame: bool,
    /// Payloads.
    sent: BTreeSet<Vec<u8>>,
    received: BTreeSet<Vec<u8>>,
}

impl Track {
    fn audio(codecs: PayloadTypes) -> Self {
        Self::new(Kind::Audio, "a", 1_111, codecs)
    }

    fn video(codecs: PayloadTypes) -> Self {
        Self::new(Kind::Video, "v", 2_222, codecs)
    }

    fn new(kind: Kind, mid: &str, ssrc: u32, codecs: PayloadTypes) -> Self {
        let (sent, received) = (BTreeSet::new(), BTreeSet::new());
        let wants_key_frame = true;
        Self { kind, mid: mid.into(), codecs, ssrc, consumed_as: 0, next: 0, wants_key_frame, sent, received }
    }

    fn name(&self) -> &'static str {
        if self.kind.is_audio() { "audio" } else { "video" }
    }

    fn rtx_ssrc(&self) -> Option<u32> {
        if self.kind.is_audio() { None } else { Some(self.ssrc + 1) }
    }

    /// As `produce` takes it.
    fn produced(&self, known: &RtpCapabilities) -> ProducerOptions {
        let PayloadTypes { opus, vp8, vp8_rtx } = self.codecs;
        let (kind, codecs) = if self.kind.is_audio() {
            (MediaKind::Audio, vec![RtpCodecParameters::opus(opus)])
        } else {
            let video = RtpCodecParameters::vp8(vp8).with_feedback("transport-cc", "");
            (MediaKind::Video, vec![video, RtpCodecParameters::rtx(vp8_rtx, vp8)])
        };
        let extensions = known.header_extensions.iter().filter(|one| one.kind == kind);
        let extension =
            |uri: &String, id| RtpHeaderExtensionParameters { uri: uri.clone(), id, encrypt: false };
        let rtx = self.rtx_ssrc().map(|ssrc| Rtx { ssrc });
        let parameters = RtpParameters {
            mid: Some(self.mid.to_string()),
            codecs,
            header_extensions: extensions.map(|one| extension(&one.uri, one.preferred_id)).collect(),
            encodings: vec![RtpEncodingParameters { ssrc: Some(self.ssrc), rtx, ..Default::default() }],
            rtcp: RtcpParameters { cname: "sans-io".to_owned(), ..Default::default() },
            ..Default::default()
        };
        ProducerOptions::new(kind, parameters)
    }

    /// Writes the packets that are due: one each 20 ms of audio, a frame of three each 40 ms of video.
    fn plays(&mut self, rtc: &mut Rtc, started: Instant) {
        let at = now();
        let (every_ms, packets, clock_khz, payload_type) = match self.kind {
            Kind::Audio => (20, 1, 48, self.codecs.opus),
            Kind::Video => (40, 3, 90, self.codecs.vp8),
        };
        let elapsed_ms = u64::try_from(at.duration_since(started).as_millis()).unwrap_or(u64::MAX);
        while self.next / packets * every_ms <= elapsed_ms {
            let time = u32::try_from(self.next / packets * every_ms * clock_khz).unwrap_or(u32::MAX);
            let (is_first, is_last) = (self.next.is_multiple_of(packets), self.next % packets == packets - 1);
            let payload = self.payload(is_first);
            self.sent.insert(payload.clone());
            let packet = RtpWrite::new(payload_type.into(), self.next.into(), time, at, payload);
            let mut direct = rtc.direct_api();
            if let Some(stream) = direct.stream_tx(&self.ssrc.into()) {
                stream.write_rtp(packet.marker(self.kind.is_video() && is_last).nackable(true));
            }
            self.next += 1;
        }
    }

    /// Each one differs.
    fn payload(&mut self, is_first: bool) -> Vec<u8> {
        let number = self.next.to_be_bytes();
        if self.kind.is_audio() {
            return [&[0x78], &number[..], &[0x55; 60]].concat();
        }
        // RFC 7741 4.2: S begins a partition; 4.3: P is 0 in a key frame, which names its size.
        let is_key = is_first && std::mem::take(&mut self.wants_key_frame);
        let head: &[u8] = match (is_first, is_key) {
            (true, true) => &[0x10, 0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xF0, 0x00],
            (true, false) => &[0x10, 0x11, 0x02, 0x00],
            (false, _) => &[0x00],
        };
        [head, &number[..], &[0xAA; 900]].concat()
    }

    fn takes(&mut self, packet: &RtpPacket) {
        self.received.insert(packet.payload.to_vec());
    }
}

fn config(known: &RtpCapabilities) -> Result<RtcConfig, Failed> {
    let crypto = Arc::new(str0m::crypto::from_feature_flags());
    let config = RtcConfig::new().set_crypto_provider(crypto).set_rtp_mode(true).clear_codecs();
    // OpenSSL's DTLS, of which there is no 1.3.
    let mut config = config.set_dtls_version(str0m::config::DtlsVersion::Dtls12).clear_extension_map();
    for known in &known.header_extensions {
        let extension = if known.uri == MID { Extension::RtpMid } else { Extension::TransportSequenceNumber };
        config = config.set_extension(known.preferred_id, extension);
    }
    let PayloadTypes { opus, vp8, vp8_rtx } = PayloadTypes::of(known)?;
    let (opus, vp8, rtx) = (opus.into(), vp8.into(), Some(vp8_rtx.into()));
    let codecs = config.codec_config();
    codecs.add_config(opus, None, Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), FormatParams::default());
    codecs.add_config(vp8, rtx, Codec::Vp8, Frequency::NINETY_KHZ, None, FormatParams::default());
    Ok(config)
}

/// What a router has, but of header extensions only those that are used here.
fn known_to_both(mut router: RtpCapabilities) -> RtpCapabilities {
    router.header_extensions.retain(|known| known.uri == MID || known.uri == TRANSPORT_CC);
    router
}

/// str0m asks for it in everything.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

const CODECS: [fn() -> RtpCodecCapability; 2] = [RtpCodecCapability::opus, RtpCodecCapability::vp8];
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const SHA_256: &str = "sha-256";
/// Packets of each medium.
const ENOUGH: usize = 150;
/// Media is due so often.
const TICK: Duration = Duration::from_millis(5);
const GOODBYE: Duration = Duration::from_secs(10);
