//! RTP parameters as applications write them, and their translation to the wire's bounded types.
//!
//! The dictionaries of ORTC as mediasoup's public API names them. Knows fields and limits. Does not know entities.
//! Called by `produce` and `consume`.

use tidegate_protocol::rtp as wire;

use crate::error::{InvalidOption, list, optional_text, text};

/// What a producer sends or a consumer receives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpParameters {
    /// Media identification (RFC 9143), unique within a transport; 32 bytes at most.
    pub mid: Option<String>,
    /// Codecs, media codecs first; an RTX entry names its codec with the parameter `apt`. 64 at most.
    pub codecs: Vec<RtpCodecParameters>,
    /// RFC 8285 header extensions in use; 32 at most.
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// Streams, in rising quality; 16 at most.
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP settings.
    pub rtcp: RtcpParameters,
}

/// One codec with its payload type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpCodecParameters {
    /// For example `video/VP8`; compared without regard to case. 64 bytes at most.
    pub mime_type: String,
    /// 0 to 127.
    pub payload_type: u8,
    /// Hertz of the RTP timestamp.
    pub clock_rate: u32,
    /// Audio channels.
    pub channels: Option<u8>,
    /// Format parameters (fmtp); 32 at most.
    pub parameters: Vec<(String, ParameterValue)>,
    /// Feedback that the receiver may send; 16 at most.
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A format parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterValue {
    /// A number.
    Number(i64),
    /// Anything else; 1,024 bytes at most.
    Text(String),
}

/// RTCP feedback of a codec (RFC 4585 4.2), for example `nack` / `pli`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtcpFeedback {
    /// `nack`, `ccm`, `goog-remb`, `transport-cc`; 32 bytes at most.
    pub kind: String,
    /// `pli`, `fir` or empty; 32 bytes at most.
    pub parameter: String,
}

/// One header extension in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpHeaderExtensionParameters {
    /// What it is; 256 bytes at most.
    pub uri: String,
    /// Its id on the wire, 1 to 255 without 15.
    pub id: u8,
    /// Encrypted extensions (RFC 6904) are not supported: must be false.
    pub encrypt: bool,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpEncodingParameters {
    /// Its SSRC, when signalled.
    pub ssrc: Option<u32>,
    /// Its restriction id (RFC 8851), when signalled; 32 bytes at most.
    pub rid: Option<String>,
    /// Payload type of its codec; the first media codec when absent.
    pub codec_payload_type: Option<u8>,
    /// SSRC of its retransmissions (RFC 4588).
    pub rtx_ssrc: Option<u32>,
    /// Whether the sender pauses in silence.
    pub dtx: bool,
    /// For example `L1T3`; 32 bytes at most.
    pub scalability_mode: Option<String>,
    /// Bits per second at most, for information.
    pub max_bitrate: Option<u64>,
}

/// RTCP settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpParameters {
    /// Canonical name (RFC 3550 6.5.1), 255 bytes at most; an empty one is replaced by a random one of the
    /// producer's transport.
    pub cname: String,
    /// Whether reduced-size RTCP (RFC 5506) may be sent.
    pub reduced_size: bool,
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

    /// Retransmission (RFC 4588) of the video codec with payload type `of`.
    pub fn rtx(payload_type: u8, of: u8) -> Self {
        Self::new("video/rtx", payload_type, 90_000).with_parameter("apt", i64::from(of))
    }

    /// Any codec, without parameters and feedback.
    pub fn new(mime_type: &str, payload_type: u8, clock_rate: u32) -> Self {
        Self { mime_type: mime_type.to_owned(), payload_type, clock_rate, ..Self::default() }
    }

    /// With one more format parameter.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: impl Into<ParameterValue>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    /// With one more kind of feedback; an empty `parameter` is the plain one.
    #[must_use]
    pub fn with_feedback(mut self, kind: &str, parameter: &str) -> Self {
        self.rtcp_feedback.push(RtcpFeedback { kind: kind.to_owned(), parameter: parameter.to_owned() });
        self
    }
}

impl RtpEncodingParameters {
    /// A stream of a known SSRC.
    pub fn of_ssrc(ssrc: u32) -> Self {
        Self { ssrc: Some(ssrc), ..Self::default() }
    }
}

impl Default for RtcpParameters {
    fn default() -> Self {
        Self { cname: String::new(), reduced_size: true }
    }
}

impl From<i64> for ParameterValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl TryFrom<&RtpParameters> for wire::RtpParameters {
    type Error = InvalidOption;

    fn try_from(given: &RtpParameters) -> Result<Self, InvalidOption> {
        Ok(Self {
            mid: optional_text("rtp_parameters.mid", given.mid.as_ref())?,
            codecs: list("rtp_parameters.codecs", &given.codecs, codec)?,
            header_extensions: list("rtp_parameters.header_extensions", &given.header_extensions, extension)?,
            encodings: list("rtp_parameters.encodings", &given.encodings, encoding)?,
            rtcp: wire::RtcpParameters {
                cname: text("rtp_parameters.rtcp.cname", &given.rtcp.cname)?,
                reduced_size: given.rtcp.reduced_size,
            },
        })
    }
}

impl From<&wire::RtpParameters> for RtpParameters {
    fn from(wire: &wire::RtpParameters) -> Self {
        Self {
            mid: wire.mid.as_ref().map(ToString::to_string),
            codecs: wire.codecs.iter().map(RtpCodecParameters::from).collect(),
            header_extensions: wire
                .header_extensions
                .iter()
                .map(RtpHeaderExtensionParameters::from)
                .collect(),
            encodings: wire.encodings.iter().map(RtpEncodingParameters::from).collect(),
            rtcp: RtcpParameters { cname: wire.rtcp.cname.to_string(), reduced_size: wire.rtcp.reduced_size },
        }
    }
}

impl From<&wire::RtpCodecParameters> for RtpCodecParameters {
    fn from(wire: &wire::RtpCodecParameters) -> Self {
        let parameters = wire.parameters.iter().map(|parameter| {
            let value = match &parameter.value {
                wire::ParameterValue::Number(number) => ParameterValue::Number(*number),
                wire::ParameterValue::Text(text) => ParameterValue::Text(text.to_string()),
            };
            (parameter.name.to_string(), value)
        });
        let rtcp_feedback = wire.rtcp_feedback.iter().map(|feedback| RtcpFeedback {
            kind: feedback.kind.to_string(),
            parameter: feedback.parameter.to_string(),
        });
        Self {
            mime_type: wire.mime_type.to_string(),
            payload_type: wire.payload_type,
            clock_rate: wire.clock_rate,
            channels: wire.channels,
            parameters: parameters.collect(),
            rtcp_feedback: rtcp_feedback.collect(),
        }
    }
}

impl From<&wire::RtpHeaderExtensionParameters> for RtpHeaderExtensionParameters {
    fn from(wire: &wire::RtpHeaderExtensionParameters) -> Self {
        Self { uri: wire.uri.to_string(), id: wire.id, encrypt: wire.encrypt }
    }
}

impl From<&wire::RtpEncodingParameters> for RtpEncodingParameters {
    fn from(wire: &wire::RtpEncodingParameters) -> Self {
        Self {
            ssrc: wire.ssrc,
            rid: wire.rid.as_ref().map(ToString::to_string),
            codec_payload_type: wire.codec_payload_type,
            rtx_ssrc: wire.rtx_ssrc,
            dtx: wire.dtx,
            scalability_mode: wire.scalability_mode.as_ref().map(ToString::to_string),
            max_bitrate: wire.max_bitrate,
        }
    }
}

fn codec(given: &RtpCodecParameters) -> Result<wire::RtpCodecParameters, InvalidOption> {
    Ok(wire::RtpCodecParameters {
        mime_type: text("codec.mime_type", &given.mime_type)?,
        payload_type: given.payload_type,
        clock_rate: given.clock_rate,
        channels: given.channels,
        parameters: list("codec.parameters", &given.parameters, |(name, value)| {
            let value = match value {
                ParameterValue::Number(number) => wire::ParameterValue::Number(*number),
                ParameterValue::Text(value) => wire::ParameterValue::Text(text("codec parameter", value)?),
            };
            Ok(wire::CodecParameter { name: text("codec parameter's name", name)?, value })
        })?,
        rtcp_feedback: list("codec.rtcp_feedback", &given.rtcp_feedback, |feedback| {
            let kind = text("rtcp_feedback.kind", &feedback.kind)?;
            Ok(wire::RtcpFeedback { kind, parameter: text("rtcp_feedback.parameter", &feedback.parameter)? })
        })?,
    })
}

fn extension(
    given: &RtpHeaderExtensionParameters,
) -> Result<wire::RtpHeaderExtensionParameters, InvalidOption> {
    let uri = text("header_extension.uri", &given.uri)?;
    Ok(wire::RtpHeaderExtensionParameters { uri, id: given.id, encrypt: given.encrypt })
}

fn encoding(given: &RtpEncodingParameters) -> Result<wire::RtpEncodingParameters, InvalidOption> {
    Ok(wire::RtpEncodingParameters {
        ssrc: given.ssrc,
        rid: optional_text("encoding.rid", given.rid.as_ref())?,
        codec_payload_type: given.codec_payload_type,
        rtx_ssrc: given.rtx_ssrc,
        dtx: given.dtx,
        scalability_mode: optional_text("encoding.scalability_mode", given.scalability_mode.as_ref())?,
        max_bitrate: given.max_bitrate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> RtpParameters {
        RtpParameters {
            mid: Some("0".to_owned()),
            codecs: vec![
                RtpCodecParameters::vp8(96).with_parameter("max-fr", "30"),
                RtpCodecParameters::rtx(97, 96),
            ],
            header_extensions: vec![RtpHeaderExtensionParameters {
                uri: "urn:ietf:params:rtp-hdrext:sdes:mid".to_owned(),
                id: 1,
                encrypt: false,
            }],
            encodings: vec![RtpEncodingParameters {
                rid: Some("r0".to_owned()),
                scalability_mode: Some("L1T3".to_owned()),
                max_bitrate: Some(500_000),
                ..RtpEncodingParameters::of_ssrc(1)
            }],
            rtcp: RtcpParameters { cname: "somebody".to_owned(), reduced_size: false },
        }
    }

    #[test]
    fn parameters_survive_the_way_to_the_wire_and_back() {
        let wire = wire::RtpParameters::try_from(&parameters()).unwrap();
        assert_eq!(RtpParameters::from(&wire), parameters());
        assert_eq!(wire.codecs[1].number("apt"), Some(96));
        assert!(wire.codecs[0].has_feedback("nack", "pli"));
    }

    #[test]
    fn what_is_too_long_is_named_with_its_limit() {
        let mut long = parameters();
        long.codecs = vec![RtpCodecParameters::opus(100); 65];
        let error = wire::RtpParameters::try_from(&long).unwrap_err();
        assert_eq!(
            error.to_string(),
            "rtp_parameters.codecs: 65 given where at most 64 are allowed; shorten it"
        );
        let mut long = parameters();
        long.encodings[0].rid = Some("r".repeat(33));
        let error = wire::RtpParameters::try_from(&long).unwrap_err();
        assert_eq!(error.to_string(), "encoding.rid: 33 given where at most 32 are allowed; shorten it");
    }
}
