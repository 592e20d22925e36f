//! What this project can forward: codecs and header extensions, as routers offer them.
//!
//! One table of each. H265 (RFC 7798), RED (RFC 2198) and FlexFEC-03 are ours on top of mediasoup 3.27's list; ids of
//! extensions are its. Knows names, rates, feedback and directions. Does not know what a router was asked for. Called by hosts and by
//! [`router_rtp_capabilities`](super::router_rtp_capabilities).
//! Invariant: the order is part of the interface; it decides what a router's capabilities look like.

use super::dictionary::{
    MediaKind, RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension,
    RtpHeaderExtensionDirection,
};
use MediaKind::{Audio, Video};
use RtpHeaderExtensionDirection::{Recvonly, Sendrecv};

pub(super) const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub(super) const ABS_SEND_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
pub(super) const TRANSPORT_CC_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(super) const DEPENDENCY_DESCRIPTOR_URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
pub(super) const ABS_CAPTURE_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/// The dependency descriptor's id in every router.
pub(super) const DEPENDENCY_DESCRIPTOR_ID: u8 = 7;

/// Everything that a router can be asked for. Codecs with a static payload type (RFC 3551) state it; the others get
/// theirs from the router.
pub fn supported_rtp_capabilities() -> RtpCapabilities {
    RtpCapabilities {
        codecs: CODECS.iter().map(Codec::capability).collect(),
        header_extensions: EXTENSIONS
            .iter()
            .map(|&(preferred_id, kind, uri, direction)| RtpHeaderExtension {
                kind,
                uri: uri.to_owned(),
                preferred_id,
                preferred_encrypt: false,
                direction,
            })
            .collect(),
    }
}

/// Whether a media codec of this name is in the list, at any clock rate.
pub(super) fn is_known(mime_type: &str) -> bool {
    CODECS.iter().any(|codec| codec.mime_type.eq_ignore_ascii_case(mime_type))
}

/// What to do about a codec that is not in the list, where there is more to say than that.
pub(super) fn advice(mime_type: &str) -> Option<&'static str> {
    let is = |name: &str| name.eq_ignore_ascii_case(mime_type);
    if is("video/ulpfec") || is("video/red") {
        return Some(
            "repairs by the numbers of the sender's own packets (RFC 5109), which no consumer gets; leave it out and \
             negotiate NACK with RTX",
        );
    }
    is("video/flexfec").then_some("is not in use as RFC 8627 has it; name video/flexfec-03, or leave it out")
}

/// One row of the table.
struct Codec {
    mime_type: &'static str,
    /// Static payload type (RFC 3551 6), if any.
    payload_type: Option<u8>,
    clock_rate: u32,
    /// 0 for video.
    channels: u8,
    feedback: &'static [(&'static str, &'static str)],
    parameters: &'static [(&'static str, Value)],
}

/// A format parameter's value in the table.
enum Value {
    Number(i64),
    Text(&'static str),
}

impl Codec {
    fn capability(&self) -> RtpCodecCapability {
        let kind = if self.channels == 0 { Video } else { Audio };
        let mut codec = RtpCodecCapability::new(kind, self.mime_type, self.clock_rate);
        for (name, value) in self.parameters {
            codec = match value {
                Value::Number(number) => codec.with_parameter(name, *number),
                Value::Text(text) => codec.with_parameter(name, *text),
            };
        }
        codec.channels = Some(self.channels).filter(|_| kind == Audio);
        codec.preferred_payload_type = self.payload_type;
        codec.rtcp_feedback =
            self.feedback.iter().map(|(kind, parameter)| RtcpFeedback::new(kind, parameter)).collect();
        codec
    }
}

const OPUS_FEEDBACK: &[(&str, &str)] = &[("nack", ""), ("transport-cc", "")];
const AUDIO_FEEDBACK: &[(&str, &str)] = &[("transport-cc", "")];
const FEC_FEEDBACK: &[(&str, &str)] = &[("goog-remb", ""), ("transport-cc", "")];
const VIDEO_FEEDBACK: &[(&str, &str)] =
    &[("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", ""), ("transport-cc", "")];

const fn audio(mime_type: &'static str, payload_type: Option<u8>, clock_rate: u32) -> Codec {
    Codec { mime_type, payload_type, clock_rate, channels: 1, feedback: AUDIO_FEEDBACK, parameters: &[] }
}

/// Events and comfort noise: nothing to send feedback for.
const fn signal(mime_type: &'static str, payload_type: Option<u8>, clock_rate: u32) -> Codec {
    Codec { feedback: &[], ..audio(mime_type, payload_type, clock_rate) }
}

const fn opus(mime_type: &'static str, channels: u8, parameters: &'static [(&'static str, Value)]) -> Codec {
    Codec { channels, feedback: OPUS_FEEDBACK, parameters, ..audio(mime_type, None, 48_000) }
}

const fn video(mime_type: &'static str, parameters: &'static [(&'static str, Value)]) -> Codec {
    Codec {
        mime_type,
        payload_type: None,
        clock_rate: 90_000,
        channels: 0,
        feedback: VIDEO_FEEDBACK,
        parameters,
    }
}

const CODECS: &[Codec] = &[
    opus("audio/opus", 2, &[]),
    // The same stream with earlier packets repeated (RFC 2198). Only for who asks: its parameter is the router's.
    opus("audio/red", 2, &[]),
    // Quadraphonic, 5.1 and 7.1 in libopus' multistream layouts.
    opus(
        "audio/multiopus",
        4,
        &[
            ("channel_mapping", Value::Text("0,1,2,3")),
            ("num_streams", Value::Number(2)),
            ("coupled_streams", Value::Number(2)),
        ],
    ),
    opus(
        "audio/multiopus",
        6,
        &[
            ("channel_mapping", Value::Text("0,4,1,2,3,5")),
            ("num_streams", Value::Number(4)),
            ("coupled_streams", Value::Number(2)),
        ],
    ),
    opus(
        "audio/multiopus",
        8,
        &[
            ("channel_mapping", Value::Text("0,6,1,2,3,4,5,7")),
            ("num_streams", Value::Number(5)),
            ("coupled_streams", Value::Number(3)),
        ],
    ),
    audio("audio/PCMU", Some(0), 8_000),
    audio("audio/PCMA", Some(8), 8_000),
    audio("audio/ISAC", None, 32_000),
    audio("audio/ISAC", None, 16_000),
    // RFC 3551 4.5.2: 8,000 by mistake, kept for ever; the codec samples at 16,000.
    audio("audio/G722", Some(9), 8_000),
    audio("audio/iLBC", None, 8_000),
    audio("audio/SILK", None, 24_000),
    audio("audio/SILK", None, 16_000),
    audio("audio/SILK", None, 12_000),
    audio("audio/SILK", None, 8_000),
    signal("audio/CN", Some(13), 32_000),
    signal("audio/CN", Some(13), 16_000),
    signal("audio/CN", Some(13), 8_000),
    signal("audio/telephone-event", None, 48_000),
    signal("audio/telephone-event", None, 32_000),
    signal("audio/telephone-event", None, 16_000),
    signal("audio/telephone-event", None, 8_000),
    video("video/VP8", &[]),
    video("video/VP9", &[]),
    video("video/H264", &[("level-asymmetry-allowed", Value::Number(1))]),
    video("video/AV1", &[]),
    video("video/H265", &[]),
    // Received only; see `consumable_rtp_parameters`. The window (microseconds) as browsers offer it.
    Codec {
        feedback: FEC_FEEDBACK,
        ..video("video/flexfec-03", &[("repair-window", Value::Number(10_000_000))])
    },
];

const EXTENSIONS: &[(u8, MediaKind, &str, RtpHeaderExtensionDirection)] = &[
    (1, Audio, MID_URI, Sendrecv),
    (1, Video, MID_URI, Sendrecv),
    // Consumers send one stream, so they need no RID.
    (2, Video, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", Recvonly),
    (3, Video, "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", Recvonly),
    (4, Audio, ABS_SEND_TIME_URI, Sendrecv),
    (4, Video, ABS_SEND_TIME_URI, Sendrecv),
    // Sound is too little to estimate bandwidth by when we send.
    (5, Audio, TRANSPORT_CC_URI, Recvonly),
    (5, Video, TRANSPORT_CC_URI, Sendrecv),
    (6, Audio, "urn:ietf:params:rtp-hdrext:ssrc-audio-level", Sendrecv),
    // Not rewritten when layers are dropped, so only other routers get it: `pipe_consumer_rtp_parameters`.
    (DEPENDENCY_DESCRIPTOR_ID, Video, DEPENDENCY_DESCRIPTOR_URI, Recvonly),
    (8, Video, "urn:3gpp:video-orientation", Sendrecv),
    (9, Video, "urn:ietf:params:rtp-hdrext:toffset", Sendrecv),
    (10, Audio, ABS_CAPTURE_TIME_URI, Sendrecv),
    (10, Video, ABS_CAPTURE_TIME_URI, Sendrecv),
    (11, Audio, "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay", Sendrecv),
    (11, Video, "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay", Sendrecv),
    (12, Audio, "urn:mediasoup:params:rtp-hdrext:packet-id", Sendrecv),
    (12, Video, "urn:mediasoup:params:rtp-hdrext:packet-id", Sendrecv),
];
