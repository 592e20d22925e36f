//! RTP capabilities and parameters as applications write them.
//!
//! The dictionaries of ORTC as mediasoup's public API names them: in JSON the keys are in camelCase, what has a
//! default may be left out, keys that are not ours (`active`, `scaleResolutionDownBy`, an extension's `parameters`)
//! are ignored. Knows fields and defaults. Checks nothing but JSON types: [`validate`](super::validate_rtp_parameters)
//! does, and [`to_wire`](super::to_wire) holds the limits. Called by hosts and by every function of [`ortc`](super).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::keyed::keyed;
pub use super::value::ParameterValue;
pub use crate::rtp::MediaKind;

/// What a router or an endpoint can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RtpCapabilities {
    /// Media and RTX codecs; 128 at most.
    #[serde(default)]
    pub codecs: Vec<RtpCodecCapability>,
    /// RFC 8285 header extensions; 64 at most.
    #[serde(default)]
    pub header_extensions: Vec<RtpHeaderExtension>,
}

/// A codec that a router or an endpoint can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RtpCodecCapability {
    /// Must be what `mime_type` begins with.
    pub kind: MediaKind,
    /// For example `video/VP8`; compared without regard to case. 64 bytes at most.
    pub mime_type: String,
    /// 0 to 127, when it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_payload_type: Option<u8>,
    /// Hertz of the RTP timestamp, not 0.
    pub clock_rate: u32,
    /// Audio channels; 1 when absent. Ignored for video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters (fmtp); 32 at most.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Feedback that the receiver may send; 16 at most.
    #[serde(default)]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A header extension that a router or an endpoint can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RtpHeaderExtension {
    /// For which media.
    pub kind: MediaKind,
    /// What it is; 256 bytes at most.
    pub uri: String,
    /// Its id on the wire, 1 to 255 without 15.
    pub preferred_id: u8,
    /// Whether encryption (RFC 6904) is wished for; this project never does it.
    #[serde(default)]
    pub preferred_encrypt: bool,
    /// In which direction, seen from whoever states the capability.
    #[serde(default)]
    pub direction: RtpHeaderExtensionDirection,
}

/// Direction of a header extension, seen from whoever states the capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RtpHeaderExtensionDirection {
    /// Both.
    #[default]
    Sendrecv,
    /// Sent only.
    Sendonly,
    /// Understood in what is received, never sent.
    Recvonly,
    /// Neither.
    Inactive,
}

/// What a producer sends or a consumer receives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RtpParameters {
    /// Media identification (RFC 9143), unique within a transport; 32 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<String>,
    /// Names of the media stream and track (RFC 8830), for the receiver's information; not told to the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msid: Option<String>,
    /// Codecs; an RTX entry names its media codec with the parameter `apt`. 64 at most.
    pub codecs: Vec<RtpCodecParameters>,
    /// RFC 8285 header extensions in use; 32 at most.
    #[serde(default)]
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// Streams, in rising quality; 16 at most.
    #[serde(default)]
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP settings.
    #[serde(default)]
    pub rtcp: RtcpParameters,
}

/// One codec with its payload type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RtpCodecParameters {
    /// For example `video/VP8`; compared without regard to case. 64 bytes at most.
    pub mime_type: String,
    /// 0 to 127.
    pub payload_type: u8,
    /// Hertz of the RTP timestamp, not 0.
    pub clock_rate: u32,
    /// Audio channels; 1 when absent. Ignored for video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters (fmtp); 32 at most.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Feedback that the receiver may send; 16 at most.
    #[serde(default)]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// RTCP feedback of a codec (RFC 4585 4.2), for example `nack` / `pli`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RtcpFeedback {
    /// `nack`, `ccm`, `goog-remb`, `transport-cc`; 32 bytes at most. `type` in JSON.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pli`, `fir` or empty; 32 bytes at most.
    #[serde(default)]
    pub parameter: String,
}

/// One header extension in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct RtpHeaderExtensionParameters {
    /// What it is; 256 bytes at most.
    pub uri: String,
    /// Its id on the wire, 1 to 255 without 15.
    pub id: u8,
    /// Encrypted extensions (RFC 6904) are not supported: must be false.
    #[serde(default)]
    pub encrypt: bool,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RtpEncodingParameters {
    /// Its SSRC, when signalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// Its restriction id (RFC 8851), when signalled; 32 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Payload type of its codec; the first media codec when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec_payload_type: Option<u8>,
    /// Its retransmissions (RFC 4588).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx: Option<Rtx>,
    /// Its forward error correction (FlexFEC-03). Received and counted, never forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fec: Option<Fec>,
    /// Whether the sender pauses in silence.
    #[serde(default)]
    pub dtx: bool,
    /// For example `L1T3`; 32 bytes at most. A text that is no scalability mode means one layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// Bits per second at most, for information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
}

/// Retransmissions of one stream (RFC 4588).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Rtx {
    /// Their SSRC.
    pub ssrc: u32,
}

/// Forward error correction of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Fec {
    /// Its SSRC.
    pub ssrc: u32,
}

/// RTCP settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct RtcpParameters {
    /// Canonical name (RFC 3550 6.5.1), 255 bytes at most. The host gives a transport's producers the first one's, or
    /// a random one if that is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cname: String,
    /// Whether reduced-size RTCP (RFC 5506) may be sent.
    pub reduced_size: bool,
}

impl RtpCapabilities {
    /// The codecs alone: what an endpoint has that knows RTP/AVP (RFC 3551) and nothing beyond it. It is sent no RTX
    /// and no header extensions, and its consumers remember nothing for the sake of lost packets.
    #[must_use]
    pub fn plain(mut self) -> Self {
        for codec in &mut self.codecs {
            codec.rtcp_feedback.clear();
        }
        self.without_rtx().without_header_extensions()
    }

    /// Without retransmission formats (RFC 4588): an endpoint that sends NACK gets lost packets again as they were.
    #[must_use]
    pub fn without_rtx(mut self) -> Self {
        self.codecs.retain(|codec| !codec.is_rtx());
        self
    }

    /// Without header extensions.
    #[must_use]
    pub fn without_header_extensions(mut self) -> Self {
        self.header_extensions.clear();
        self
    }
}

keyed!(
    RtpCapabilities,
    RtpCodecCapability,
    RtpHeaderExtension,
    RtpParameters,
    RtpCodecParameters,
    RtcpFeedback,
    RtpHeaderExtensionParameters,
    RtpEncodingParameters,
    Rtx,
    Fec,
    RtcpParameters
);

/// What capabilities and parameters of a codec have in common.
macro_rules! codec_verbs {
    ($($name:ident),*) => {$(
        impl $name {
            /// With one more format parameter; one of the same name is replaced.
            #[must_use]
            pub fn with_parameter(mut self, name: &str, value: impl Into<ParameterValue>) -> Self {
                self.parameters.insert(name.to_owned(), value.into());
                self
            }

            /// With one more kind of feedback; an empty `parameter` is the plain one.
            #[must_use]
            pub fn with_feedback(mut self, kind: &str, parameter: &str) -> Self {
                self.rtcp_feedback.push(RtcpFeedback::new(kind, parameter));
                self
            }

            /// Whether this is a retransmission format (RFC 4588).
            pub fn is_rtx(&self) -> bool {
                is_rtx(&self.mime_type)
            }

            /// Whether this is redundant audio (RFC 2198).
            pub fn is_red(&self) -> bool {
                crate::rtp::is_red(&self.mime_type)
            }

            /// Whether this is forward error correction on a stream of its own (FlexFEC-03).
            pub fn is_fec(&self) -> bool {
                crate::rtp::is_fec(&self.mime_type)
            }
        }
    )*};
}

codec_verbs!(RtpCodecCapability, RtpCodecParameters);

impl RtpCodecCapability {
    /// Any codec, without payload type, parameters and feedback.
    pub fn new(kind: MediaKind, mime_type: &str, clock_rate: u32) -> Self {
        Self {
            kind,
            mime_type: mime_type.to_owned(),
            preferred_payload_type: None,
            clock_rate,
            channels: None,
            parameters: BTreeMap::new(),
            rtcp_feedback: Vec::new(),
        }
    }

    /// VP8 (RFC 7741), as a router's media codec.
    pub fn vp8() -> Self {
        Self::new(MediaKind::Video, "video/VP8", 90_000)
    }

    /// Opus in stereo (RFC 7587), as a router's media codec.
    pub fn opus() -> Self {
        Self { channels: Some(2), ..Self::new(MediaKind::Audio, "audio/opus", 48_000) }
    }

    /// RED (RFC 2198), as a router's media codec beside Opus, which it carries.
    pub fn red() -> Self {
        Self { channels: Some(2), ..Self::new(MediaKind::Audio, "audio/red", 48_000) }
    }

    /// With a payload type of one's own choice, 0 to 127. A router's consumers get it too. Routers hand payload types
    /// out in the order of their codecs, and RTX of a video codec takes the first free one from 100 on: what a later
    /// codec wants must not be that.
    #[must_use]
    pub fn with_payload_type(mut self, payload_type: u8) -> Self {
        self.preferred_payload_type = Some(payload_type);
        self
    }
}

impl RtpCodecParameters {
    /// VP8 (RFC 7741) with NACK, PLI and FIR.
    pub fn vp8(payload_type: u8) -> Self {
        Self::new("video/VP8", payload_type, 90_000)
            .with_feedback("nack", "")
            .with_feedback("nack", "pli")
            .with_feedback("ccm", "fir")
    }

    /// Opus in stereo (RFC 7587).
    pub fn opus(payload_type: u8) -> Self {
        Self { channels: Some(2), ..Self::new("audio/opus", payload_type, 48_000) }
    }

    /// RED (RFC 2198) of the codec with payload type `of`: new, and once again.
    pub fn red(payload_type: u8, of: u8) -> Self {
        let blocks = crate::red::list(&[of, of]);
        Self { channels: Some(2), ..Self::new("audio/red", payload_type, 48_000) }
            .with_parameter(crate::red::PARAMETER, blocks.as_str())
    }

    /// Retransmission (RFC 4588) of the video codec with payload type `of`.
    pub fn rtx(payload_type: u8, of: u8) -> Self {
        Self::new("video/rtx", payload_type, 90_000).with_parameter("apt", i64::from(of))
    }

    /// Any codec, without parameters and feedback.
    pub fn new(mime_type: &str, payload_type: u8, clock_rate: u32) -> Self {
        Self { mime_type: mime_type.to_owned(), payload_type, clock_rate, ..Self::default() }
    }

    /// Whether it is sent for its own sake, not to repair another.
    pub fn is_media(&self) -> bool {
        !self.is_rtx() && !self.is_fec()
    }
}

impl RtpEncodingParameters {
    /// A stream of a known SSRC.
    pub fn of_ssrc(ssrc: u32) -> Self {
        Self { ssrc: Some(ssrc), ..Self::default() }
    }

    /// A stream of a known restriction id.
    pub fn of_rid(rid: &str) -> Self {
        Self { rid: Some(rid.to_owned()), ..Self::default() }
    }
}

impl RtcpFeedback {
    /// Feedback of `kind`; an empty `parameter` is the plain one.
    pub fn new(kind: &str, parameter: &str) -> Self {
        Self { kind: kind.to_owned(), parameter: parameter.to_owned() }
    }
}

impl Default for RtcpParameters {
    fn default() -> Self {
        Self { cname: String::new(), reduced_size: true }
    }
}

/// Whether the subtype is `rtx`, in any case.
fn is_rtx(mime_type: &str) -> bool {
    mime_type.split_once('/').is_some_and(|(kind, name)| !kind.is_empty() && name.eq_ignore_ascii_case("rtx"))
}
