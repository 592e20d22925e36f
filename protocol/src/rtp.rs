//! RTP parameters, capabilities and mappings: the dictionaries of ORTC as mediasoup's public API names them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::red::{self, NotAList};

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")] // In JSON; the wire counts variants.
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// How a producer's or consumer's encodings relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RtpType {
    /// One stream without layers to choose from.
    Simple,
    /// Several streams of one source.
    Simulcast,
    /// One stream of several spatial layers.
    Svc,
    /// All streams as they come (consumers of pipe transports only).
    Pipe,
}

/// What a producer sends or a consumer receives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpParameters {
    /// Media identification (RFC 9143), unique within a transport.
    pub mid: Option<Text<32>>,
    /// Codecs, media codecs first; RTX entries name theirs with the parameter `apt`.
    pub codecs: List<RtpCodecParameters, 64>,
    /// RFC 8285 header extensions in use.
    pub header_extensions: List<RtpHeaderExtensionParameters, 32>,
    /// Streams, in rising quality.
    pub encodings: List<RtpEncodingParameters, 16>,
    /// RTCP settings.
    pub rtcp: RtcpParameters,
}

/// One codec with its payload type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpCodecParameters {
    /// For example `video/VP8`; compared without regard to case.
    pub mime_type: Text<64>,
    /// 0 to 127.
    pub payload_type: u8,
    /// Hertz of the RTP timestamp.
    pub clock_rate: u32,
    /// Audio channels.
    pub channels: Option<u8>,
    /// Format parameters (fmtp).
    pub parameters: List<CodecParameter, 32>,
    /// Feedback that the receiver may send.
    pub rtcp_feedback: List<RtcpFeedback, 16>,
}

/// One format parameter, for example `apt` = 96.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecParameter {
    /// Its name.
    pub name: Text<64>,
    /// Its value.
    pub value: ParameterValue,
}

/// A format parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterValue {
    /// A number.
    Number(i64),
    /// Anything else.
    Text(Text<1024>),
}

/// RTCP feedback of a codec (RFC 4585 4.2), for example `nack` / `pli`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcpFeedback {
    /// `nack`, `ccm`, `goog-remb`, `transport-cc`.
    pub kind: Text<32>,
    /// `pli`, `fir` or empty.
    pub parameter: Text<32>,
}

/// One header extension in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpHeaderExtensionParameters {
    /// What it is.
    pub uri: Text<256>,
    /// Its id on the wire, 1 to 255 without 15.
    pub id: u8,
    /// Encrypted extensions (RFC 6904) are not supported: must be false.
    pub encrypt: bool,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpEncodingParameters {
    /// Its SSRC, when signalled.
    pub ssrc: Option<u32>,
    /// Its restriction id (RFC 8851), when signalled.
    pub rid: Option<Text<32>>,
    /// Payload type of its codec; the first media codec when absent.
    pub codec_payload_type: Option<u8>,
    /// SSRC of its retransmissions (RFC 4588).
    pub rtx_ssrc: Option<u32>,
    /// Whether the sender pauses in silence.
    pub dtx: bool,
    /// For example `L1T3`.
    pub scalability_mode: Option<Text<32>>,
    /// Bits per second at most, for information.
    pub max_bitrate: Option<u64>,
    /// SSRC of its forward error correction (FlexFEC-03), which the worker counts and does not forward.
    pub fec_ssrc: Option<u32>,
}

/// RTCP settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcpParameters {
    /// Canonical name (RFC 3550 6.5.1). The host fills it in; the worker refuses an empty one.
    pub cname: Text<255>,
    /// Whether reduced-size RTCP (RFC 5506) may be sent.
    pub reduced_size: bool,
}

/// How a producer's numbers translate into the router's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpMapping {
    /// One entry a codec of the producer, RTX included.
    pub codecs: List<CodecMapping, 64>,
    /// One entry an encoding of the producer, in order.
    pub encodings: List<EncodingMapping, 16>,
}

/// A producer's payload type and the router's for the same codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecMapping {
    /// As the producer sends it.
    pub payload_type: u8,
    /// As the router's consumers see it.
    pub mapped_payload_type: u8,
}

/// A producer's encoding and the SSRC by which consumers name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodingMapping {
    /// The encoding's SSRC, when signalled.
    pub ssrc: Option<u32>,
    /// The encoding's RID, when signalled.
    pub rid: Option<Text<32>>,
    /// For example `L1T3`.
    pub scalability_mode: Option<Text<32>>,
    /// Stands for the encoding inside the router.
    pub mapped_ssrc: u32,
}

impl RtpCodecParameters {
    /// The number of a format parameter, whether it was given as a number or as digits.
    pub fn number(&self, name: &str) -> Option<i64> {
        let parameter = self.parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))?;
        match &parameter.value {
            ParameterValue::Number(number) => Some(*number),
            ParameterValue::Text(text) => text.parse().ok(),
        }
    }

    /// Whether this is a retransmission format (RFC 4588).
    pub fn is_rtx(&self) -> bool {
        self.mime_type.len() > 4 && self.mime_type.to_ascii_lowercase().ends_with("/rtx")
    }

    /// Whether this is redundant audio (RFC 2198).
    pub fn is_red(&self) -> bool {
        is_red(&self.mime_type)
    }

    /// Whether this is forward error correction on a stream of its own (FlexFEC-03).
    pub fn is_fec(&self) -> bool {
        is_fec(&self.mime_type)
    }

    /// Whether it is sent for its own sake, not to repair another.
    pub fn is_media(&self) -> bool {
        !self.is_rtx() && !self.is_fec()
    }

    /// Of RED: the payload types that its blocks may have, or `None` where it does not say.
    ///
    /// # Errors
    /// [`NotAList`] as of [`red::payload_types`].
    pub fn red_payload_types(&self) -> Result<Option<Vec<u8>>, NotAList> {
        let text = |value: &'_ ParameterValue| match value {
            ParameterValue::Number(number) => number.to_string(),
            ParameterValue::Text(text) => text.to_string(),
        };
        let given = self.parameters.iter().map(|given| (&*given.name, Cow::Owned(text(&given.value))));
        red::payload_types(given)
    }

    /// Whether the receiver may send this feedback; an empty `parameter` is the plain one.
    pub fn has_feedback(&self, kind: &str, parameter: &str) -> bool {
        self.rtcp_feedback.iter().any(|feedback| &*feedback.kind == kind && &*feedback.parameter == parameter)
    }
}

pub(crate) fn is_red(mime_type: &str) -> bool {
    mime_type.eq_ignore_ascii_case("audio/red")
}

pub(crate) fn is_fec(mime_type: &str) -> bool {
    mime_type.eq_ignore_ascii_case("video/flexfec-03")
}
