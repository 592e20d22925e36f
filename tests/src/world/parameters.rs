//! Streams as applications describe them, and the parameters that come of it.
//!
//! Knows the dictionaries of the protocol. Does not know the worker. [`Stream`] describes one end: what a producer's
//! peer sends, or what a consumer's peer receives; [`mapped_ssrc`] and the router's payload types tie the two.
//! Invariant: of two streams with different SSRCs all names differ.

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::ids::{ConsumerId, ProducerId, TransportId};
use tidegate_protocol::request::Command;
use tidegate_protocol::rtp::{
    CodecMapping, CodecParameter, EncodingMapping, MediaKind, ParameterValue, RtcpFeedback, RtcpParameters,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpMapping, RtpParameters,
    RtpType,
};

/// One stream at one end.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Audio or video.
    pub kind: MediaKind,
    /// Its codec.
    pub mime_type: &'static str,
    /// At this end.
    pub payload_type: u8,
    /// Of retransmissions, at this end; used when `rtx_ssrc` is there.
    pub rtx_payload_type: u8,
    /// Hertz.
    pub clock_rate: u32,
    /// Whether its SSRC is in the parameters.
    pub announced: bool,
    /// The stream.
    pub ssrc: u32,
    /// Its retransmissions.
    pub rtx_ssrc: Option<u32>,
    /// Payload type of RED (RFC 2198), at this end, beside its codec.
    pub red: Option<u8>,
    /// Payload type and SSRC of forward error correction (FlexFEC-03).
    pub fec: Option<(u8, u32)>,
    /// RFC 8852.
    pub rid: Option<&'static str>,
    /// RFC 8843.
    pub mid: Option<&'static str>,
    /// Its sender pauses in silence.
    pub dtx: bool,
    /// Losses may be asked for.
    pub nack: bool,
    /// Key frames may be asked for by PLI.
    pub pli: bool,
    /// Key frames may be asked for by FIR.
    pub fir: bool,
    /// What arrived when is told, by transport-wide number.
    pub transport_cc: bool,
    /// How much may be sent is told by REMB.
    pub remb: bool,
    /// URIs and ids.
    pub extensions: Vec<(&'static str, u8)>,
    /// RFC 3550 6.5.1.
    pub cname: &'static str,
}

impl Stream {
    /// VP8 as a browser sends it, without retransmissions: payload type 96, NACK, PLI.
    pub fn vp8(ssrc: u32) -> Self {
        Self {
            kind: MediaKind::Video,
            mime_type: "video/VP8",
            payload_type: 96,
            rtx_payload_type: 97,
            clock_rate: 90_000,
            announced: true,
            ssrc,
            rtx_ssrc: None,
            red: None,
            fec: None,
            rid: None,
            mid: None,
            dtx: false,
            nack: true,
            pli: true,
            fir: false,
            transport_cc: false,
            remb: false,
            extensions: Vec::new(),
            cname: "peer",
        }
    }

    /// Opus: payload type 111, no feedback.
    pub fn opus(ssrc: u32) -> Self {
        Self {
            kind: MediaKind::Audio,
            mime_type: "audio/opus",
            payload_type: 111,
            clock_rate: 48_000,
            nack: false,
            pli: false,
            ..Self::vp8(ssrc)
        }
    }

    /// What a consumer of this stream gets: the router's payload type, an SSRC of its own, the same feedback.
    #[must_use]
    pub fn consumed_as(&self, ssrc: u32) -> Self {
        let (payload_type, rtx_payload_type) = match self.kind {
            MediaKind::Audio => (ROUTER_AUDIO, ROUTER_RTX),
            MediaKind::Video => (ROUTER_VIDEO, ROUTER_RTX),
        };
        Self {
            payload_type,
            rtx_payload_type,
            announced: true,
            ssrc,
            rtx_ssrc: None,
            red: self.red.map(|_| ROUTER_RED),
            fec: None,
            rid: None,
            mid: None,
            extensions: Vec::new(),
            cname: "router",
            ..self.clone()
        }
    }

    /// With retransmissions on a stream of their own (RFC 4588).
    #[must_use]
    pub fn with_rtx(self, rtx_ssrc: u32) -> Self {
        Self { rtx_ssrc: Some(rtx_ssrc), ..self }
    }

    /// With RED of its codec.
    #[must_use]
    pub fn with_red(self, payload_type: u8) -> Self {
        Self { red: Some(payload_type), ..self }
    }

    /// With forward error correction.
    #[must_use]
    pub fn with_fec(self, payload_type: u8, ssrc: u32) -> Self {
        Self { fec: Some((payload_type, ssrc)), ..self }
    }

    /// With feedback about what arrived, and the extension that it needs under the id `id`.
    #[must_use]
    pub fn with_transport_cc(mut self, id: u8) -> Self {
        self.extensions.push((TRANSPORT_WIDE_CC, id));
        Self { transport_cc: true, ..self }
    }

    /// With REMB.
    #[must_use]
    pub fn with_remb(self) -> Self {
        Self { remb: true, ..self }
    }

    /// Nothing is asked for again.
    #[must_use]
    pub fn without_nack(self) -> Self {
        Self { nack: false, ..self }
    }

    /// With header extensions.
    #[must_use]
    pub fn with_extensions(self, extensions: &[(&'static str, u8)]) -> Self {
        Self { extensions: extensions.to_vec(), ..self }
    }

    /// With a media identification.
    #[must_use]
    pub fn with_mid(self, mid: &'static str) -> Self {
        Self { mid: Some(mid), ..self }
    }

    /// With a RID.
    #[must_use]
    pub fn with_rid(self, rid: &'static str) -> Self {
        Self { rid: Some(rid), ..self }
    }

    /// Known by names in its packets alone.
    #[must_use]
    pub fn unannounced(self) -> Self {
        Self { announced: false, ..self }
    }

    /// Its parameters.
    pub fn rtp_parameters(&self) -> RtpParameters {
        let mut codecs = vec![self.codec()];
        if self.rtx_ssrc.is_some() {
            codecs.push(self.rtx_codec());
        }
        codecs.extend(self.red.map(|payload_type| self.red_codec(payload_type)));
        codecs.extend(self.fec.map(|(payload_type, _)| fec_codec(payload_type)));
        let extensions = self.extensions.iter().map(|(uri, id)| RtpHeaderExtensionParameters {
            uri: Text::clipped(uri),
            id: *id,
            encrypt: false,
        });
        let encoding = RtpEncodingParameters {
            ssrc: Some(self.ssrc).filter(|_| self.announced),
            rid: self.rid.map(Text::clipped),
            rtx_ssrc: self.rtx_ssrc.filter(|_| self.announced),
            dtx: self.dtx,
            fec_ssrc: self.fec.map(|(_, ssrc)| ssrc).filter(|_| self.announced),
            ..RtpEncodingParameters::default()
        };
        RtpParameters {
            mid: self.mid.map(Text::clipped),
            codecs: list(codecs),
            header_extensions: list(extensions.collect()),
            encodings: list(vec![encoding]),
            rtcp: RtcpParameters { cname: Text::clipped(self.cname), reduced_size: true },
        }
    }

    /// Its numbers in the router.
    pub fn rtp_mapping(&self) -> RtpMapping {
        let media = self.consumed_as(0);
        let mut codecs = vec![
            CodecMapping { payload_type: self.payload_type, mapped_payload_type: media.payload_type },
            CodecMapping { payload_type: self.rtx_payload_type, mapped_payload_type: media.rtx_payload_type },
        ];
        let mapped = |payload_type, mapped_payload_type| CodecMapping { payload_type, mapped_payload_type };
        codecs.extend(self.red.map(|red| mapped(red, ROUTER_RED)));
        codecs.extend(self.fec.map(|(fec, _)| mapped(fec, ROUTER_FEC)));
        let encoding = EncodingMapping {
            ssrc: Some(self.ssrc),
            rid: self.rid.map(Text::clipped),
            scalability_mode: None,
            mapped_ssrc: mapped_ssrc(self.ssrc),
        };
        RtpMapping { codecs: list(codecs), encodings: list(vec![encoding]) }
    }

    /// The request to produce it.
    pub fn produce(&self, transport: TransportId, producer: ProducerId) -> Command {
        Command::Produce {
            transport,
            producer,
            kind: self.kind,
            rtp_parameters: self.rtp_parameters(),
            rtp_mapping: self.rtp_mapping(),
            paused: false,
            key_frame_request_delay_ms: 0,
        }
    }

    /// The request to consume `producer`, whose peer sends `source`, as this stream.
    pub fn consume(
        &self,
        transport: TransportId,
        consumer: ConsumerId,
        producer: ProducerId,
        source: &Self,
    ) -> Command {
        Command::Consume {
            transport,
            consumer,
            producer,
            kind: self.kind,
            rtp_parameters: self.rtp_parameters(),
            consumer_type: RtpType::Simple,
            consumable_ssrcs: list(vec![mapped_ssrc(source.ssrc)]),
            paused: false,
            ignore_dtx: false,
        }
    }

    fn codec(&self) -> RtpCodecParameters {
        let all = [
            (self.nack, "nack", ""),
            (self.pli, "nack", "pli"),
            (self.fir, "ccm", "fir"),
            (self.transport_cc, "transport-cc", ""),
            (self.remb, "goog-remb", ""),
        ];
        let feedback = all.iter().filter(|(wanted, ..)| *wanted).map(|(_, kind, parameter)| RtcpFeedback {
            kind: Text::clipped(kind),
            parameter: Text::clipped(parameter),
        });
        RtpCodecParameters {
            mime_type: Text::clipped(self.mime_type),
            payload_type: self.payload_type,
            clock_rate: self.clock_rate,
            channels: (self.kind == MediaKind::Audio).then_some(2),
            parameters: List::new(),
            rtcp_feedback: list(feedback.collect()),
        }
    }

    fn red_codec(&self, payload_type: u8) -> RtpCodecParameters {
        let blocks = format!("{0}/{0}", self.payload_type);
        let blocks =
            CodecParameter { name: Text::clipped(""), value: ParameterValue::Text(Text::clipped(&blocks)) };
        let mime_type = Text::clipped("audio/red");
        RtpCodecParameters { mime_type, payload_type, parameters: list(vec![blocks]), ..self.codec() }
    }

    fn rtx_codec(&self) -> RtpCodecParameters {
        let apt = ParameterValue::Number(self.payload_type.into());
        RtpCodecParameters {
            mime_type: Text::clipped(if self.kind == MediaKind::Audio { "audio/rtx" } else { "video/rtx" }),
            payload_type: self.rtx_payload_type,
            clock_rate: self.clock_rate,
            channels: None,
            parameters: list(vec![CodecParameter { name: Text::clipped("apt"), value: apt }]),
            rtcp_feedback: List::new(),
        }
    }
}

/// The request to produce several encodings of one source as one producer. They differ in SSRC and RID.
pub fn produce_simulcast(transport: TransportId, producer: ProducerId, encodings: &[Stream]) -> Command {
    let mut command = encodings.first().expect("an encoding").produce(transport, producer);
    if let Command::Produce { rtp_parameters, rtp_mapping, .. } = &mut command {
        let all = encodings.iter().map(|stream| (stream.rtp_parameters(), stream.rtp_mapping()));
        let (parameters, mappings): (Vec<_>, Vec<_>) = all.unzip();
        rtp_parameters.encodings = list(parameters.iter().flat_map(|each| each.encodings.to_vec()).collect());
        rtp_mapping.encodings = list(mappings.iter().flat_map(|each| each.encodings.to_vec()).collect());
    }
    command
}

fn fec_codec(payload_type: u8) -> RtpCodecParameters {
    let window = ParameterValue::Number(10_000_000);
    RtpCodecParameters {
        mime_type: Text::clipped("video/flexfec-03"),
        payload_type,
        clock_rate: 90_000,
        channels: None,
        parameters: list(vec![CodecParameter { name: Text::clipped("repair-window"), value: window }]),
        rtcp_feedback: List::new(),
    }
}

/// How the router names a producer's stream.
pub const fn mapped_ssrc(ssrc: u32) -> u32 {
    ssrc ^ 0xA000_0000
}

/// A list of the protocol.
pub fn list<T, const MAX: usize>(items: Vec<T>) -> List<T, MAX> {
    List::try_from(items).expect("a short list")
}

/// urn of the extension.
pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// urn of the extension.
pub const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
/// urn of the extension.
pub const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
/// URI of the extension.
pub const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
/// URI of the extension.
pub const TRANSPORT_WIDE_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// urn of the extension.
pub const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// urn of the extension.
pub const VIDEO_ORIENTATION: &str = "urn:3gpp:video-orientation";
/// urn of the extension.
pub const TIME_OFFSET: &str = "urn:ietf:params:rtp-hdrext:toffset";
/// URI of the extension.
pub const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
/// URI of the extension.
pub const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// Opus's, likewise.
pub const ROUTER_AUDIO: u8 = 100;
const ROUTER_VIDEO: u8 = 101;
const ROUTER_RTX: u8 = 102;
/// RED's, in the router of [`Stream::rtp_mapping`].
pub const ROUTER_RED: u8 = 103;
const ROUTER_FEC: u8 = 104;
