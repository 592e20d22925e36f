//! The dictionary's parameters as the wire's bounded types, and back.
//!
//! Knows the wire's limits. Checks nothing else: [`validate_rtp_parameters`](super::validate_rtp_parameters) does.
//! Called by hosts when they speak to a worker. Invariant: what goes there and comes back is equal, but for `msid`,
//! which the worker is not told. A list's length is looked at before its elements.

use std::collections::BTreeMap;

use super::dictionary::{
    Fec, ParameterValue, RtcpFeedback, RtcpParameters, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters, Rtx,
};
use super::error::OrtcError;
use crate::bounded::{List, Text, TooLong};
use crate::rtp as wire;

/// The wire's form of `parameters`.
///
/// # Errors
/// `InvalidArgument` names the field that is longer than the wire takes.
pub fn to_wire(parameters: &RtpParameters) -> Result<wire::RtpParameters, OrtcError> {
    let root = "rtpParameters";
    Ok(wire::RtpParameters {
        mid: optional_text(parameters.mid.as_deref(), || format!("{root}.mid"))?,
        codecs: list(&parameters.codecs, &format!("{root}.codecs"), codec)?,
        header_extensions: list(
            &parameters.header_extensions,
            &format!("{root}.headerExtensions"),
            header_extension,
        )?,
        encodings: list(&parameters.encodings, &format!("{root}.encodings"), encoding)?,
        rtcp: wire::RtcpParameters {
            cname: text(&parameters.rtcp.cname, || format!("{root}.rtcp.cname"))?,
            reduced_size: parameters.rtcp.reduced_size,
        },
    })
}

/// The dictionary's form of what a worker said. Of format parameters that share a name the first counts.
pub fn from_wire(parameters: &wire::RtpParameters) -> RtpParameters {
    let extension = |extension: &wire::RtpHeaderExtensionParameters| RtpHeaderExtensionParameters {
        uri: extension.uri.to_string(),
        id: extension.id,
        encrypt: extension.encrypt,
    };
    RtpParameters {
        mid: parameters.mid.as_ref().map(ToString::to_string),
        msid: None,
        codecs: parameters.codecs.iter().map(codec_from_wire).collect(),
        header_extensions: parameters.header_extensions.iter().map(extension).collect(),
        encodings: parameters.encodings.iter().map(encoding_from_wire).collect(),
        rtcp: RtcpParameters {
            cname: parameters.rtcp.cname.to_string(),
            reduced_size: parameters.rtcp.reduced_size,
        },
    }
}

fn codec(given: &RtpCodecParameters, field: &str) -> Result<wire::RtpCodecParameters, OrtcError> {
    let parameters: Vec<_> = given.parameters.iter().collect();
    Ok(wire::RtpCodecParameters {
        mime_type: text(&given.mime_type, || format!("{field}.mimeType"))?,
        payload_type: given.payload_type,
        clock_rate: given.clock_rate,
        channels: given.channels,
        parameters: list(&parameters, &format!("{field}.parameters"), |(name, value), _| {
            let field = || format!("{field}.parameters.{}", Text::<64>::clipped(name));
            let value = match value {
                ParameterValue::Number(number) => wire::ParameterValue::Number(*number),
                ParameterValue::Text(value) => wire::ParameterValue::Text(text(value, field)?),
            };
            Ok(wire::CodecParameter { name: text(name, field)?, value })
        })?,
        rtcp_feedback: list(&given.rtcp_feedback, &format!("{field}.rtcpFeedback"), feedback)?,
    })
}

fn feedback(given: &RtcpFeedback, field: &str) -> Result<wire::RtcpFeedback, OrtcError> {
    Ok(wire::RtcpFeedback {
        kind: text(&given.kind, || format!("{field}.type"))?,
        parameter: text(&given.parameter, || format!("{field}.parameter"))?,
    })
}

fn header_extension(
    given: &RtpHeaderExtensionParameters,
    field: &str,
) -> Result<wire::RtpHeaderExtensionParameters, OrtcError> {
    let uri = text(&given.uri, || format!("{field}.uri"))?;
    Ok(wire::RtpHeaderExtensionParameters { uri, id: given.id, encrypt: given.encrypt })
}

fn encoding(given: &RtpEncodingParameters, field: &str) -> Result<wire::RtpEncodingParameters, OrtcError> {
    let scalability_mode = given.scalability_mode.as_deref();
    Ok(wire::RtpEncodingParameters {
        ssrc: given.ssrc,
        rid: optional_text(given.rid.as_deref(), || format!("{field}.rid"))?,
        codec_payload_type: given.codec_payload_type,
        rtx_ssrc: given.rtx.map(|rtx| rtx.ssrc),
        fec_ssrc: given.fec.map(|fec| fec.ssrc),
        dtx: given.dtx,
        scalability_mode: optional_text(scalability_mode, || format!("{field}.scalabilityMode"))?,
        max_bitrate: given.max_bitrate,
    })
}

fn codec_from_wire(wire: &wire::RtpCodecParameters) -> RtpCodecParameters {
    let mut parameters = BTreeMap::new();
    for parameter in &wire.parameters {
        let value = match &parameter.value {
            wire::ParameterValue::Number(number) => ParameterValue::Number(*number),
            wire::ParameterValue::Text(text) => ParameterValue::Text(text.to_string()),
        };
        parameters.entry(parameter.name.to_string()).or_insert(value);
    }
    let feedback =
        wire.rtcp_feedback.iter().map(|feedback| RtcpFeedback::new(&feedback.kind, &feedback.parameter));
    RtpCodecParameters {
        mime_type: wire.mime_type.to_string(),
        payload_type: wire.payload_type,
        clock_rate: wire.clock_rate,
        channels: wire.channels,
        parameters,
        rtcp_feedback: feedback.collect(),
    }
}

fn encoding_from_wire(wire: &wire::RtpEncodingParameters) -> RtpEncodingParameters {
    RtpEncodingParameters {
        ssrc: wire.ssrc,
        rid: wire.rid.as_ref().map(ToString::to_string),
        codec_payload_type: wire.codec_payload_type,
        rtx: wire.rtx_ssrc.map(|ssrc| Rtx { ssrc }),
        fec: wire.fec_ssrc.map(|ssrc| Fec { ssrc }),
        dtx: wire.dtx,
        scalability_mode: wire.scalability_mode.as_ref().map(ToString::to_string),
        max_bitrate: wire.max_bitrate,
    }
}

/// A text for the wire, or the name of the field that is too long.
pub(super) fn text<const MAX: usize>(
    text: &str,
    field: impl FnOnce() -> String,
) -> Result<Text<MAX>, OrtcError> {
    Text::try_from(text).map_err(|too_long| OrtcError::invalid(field(), too_long.to_string()))
}

/// Likewise, where there may be none.
pub(super) fn optional_text<const MAX: usize>(
    given: Option<&str>,
    field: impl FnOnce() -> String,
) -> Result<Option<Text<MAX>>, OrtcError> {
    given.map(|given| text(given, field)).transpose()
}

/// A list for the wire, each element translated under its own path.
fn list<T, W, const MAX: usize>(
    items: &[T],
    field: &str,
    translate: impl Fn(&T, &str) -> Result<W, OrtcError>,
) -> Result<List<W, MAX>, OrtcError> {
    check_length(items.len(), MAX, field)?;
    let items = items.iter().enumerate().map(|(index, item)| translate(item, &format!("{field}[{index}]")));
    Ok(List::first_of(items.collect::<Result<Vec<W>, OrtcError>>()?))
}

/// Refuses a list of more than `max` elements.
pub(super) fn check_length(given: usize, max: usize, field: &str) -> Result<(), OrtcError> {
    if given > max {
        return Err(OrtcError::invalid(field, TooLong { given, max }.to_string()));
    }
    Ok(())
}
