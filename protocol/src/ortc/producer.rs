//! How a producer's numbers become the router's, and what the router's consumers see of it.
//!
//! Knows payload types, encodings and directions of header extensions. Does not know endpoints that consume. Called
//! by hosts when they produce. Invariant: a consumable names only payload types and extension ids of the router.

use std::collections::{BTreeMap, BTreeSet};

use super::dictionary::{
    MediaKind, ParameterValue, RtcpParameters, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtension, RtpHeaderExtensionDirection, RtpHeaderExtensionParameters,
    RtpParameters,
};
use super::error::OrtcError;
use super::matching::{Format, channels};
use super::red;
use super::supported::ABS_CAPTURE_TIME_URI;
use super::validate::{capabilities_at, validate_rtp_parameters};
use super::wire::optional_text;
use crate::bounded::List;
use crate::rtp::{CodecMapping, EncodingMapping, RtpMapping};

/// How the payload types and encodings of a producer of `kind` translate into those of a router with the capabilities
/// `router`. Media codecs come first, then RTX; encodings get `first_mapped_ssrc` and the SSRCs after it.
///
/// # Errors
/// What [`validate_rtp_parameters`] refuses; `Unsupported` names a codec (or RTX) that the router does not have.
pub fn producer_mapping(
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
    first_mapped_ssrc: u32,
) -> Result<RtpMapping, OrtcError> {
    validate_rtp_parameters(kind, parameters)?;
    capabilities_at(ROUTER, router)?;
    let mut codecs = Vec::new();
    for (index, codec) in parameters.codecs.iter().enumerate().filter(|(_, codec)| !codec.is_rtx()) {
        let mapped_payload_type = router_codec(codec, router).ok_or_else(|| {
            OrtcError::unsupported(
                format!("rtpParameters.codecs[{index}]"),
                format!("the router has no codec that matches {}; add it to mediaCodecs", codec.mime_type),
            )
        })?;
        codecs.push(CodecMapping { payload_type: codec.payload_type, mapped_payload_type });
    }
    for (index, codec) in parameters.codecs.iter().enumerate().filter(|(_, codec)| codec.is_rtx()) {
        // That there is a media codec of this number has been checked.
        let media = codecs.iter().find(|entry| apt(&codec.parameters) == Some(i64::from(entry.payload_type)));
        let rtx = media.and_then(|media| router_rtx(media.mapped_payload_type, router));
        let (_, mapped_payload_type) = rtx.ok_or_else(|| {
            OrtcError::unsupported(
                format!("rtpParameters.codecs[{index}]"),
                "the router has no RTX for this codec; leave RTX out",
            )
        })?;
        codecs.push(CodecMapping { payload_type: codec.payload_type, mapped_payload_type });
    }
    let mut encodings = Vec::new();
    for (encoding, index) in parameters.encodings.iter().zip(0_u32..) {
        encodings.push(EncodingMapping {
            ssrc: encoding.ssrc,
            rid: optional_text(encoding.rid.as_deref(), || format!("rtpParameters.encodings[{index}].rid"))?,
            scalability_mode: optional_text(encoding.scalability_mode.as_deref(), || {
                format!("rtpParameters.encodings[{index}].scalabilityMode")
            })?,
            mapped_ssrc: first_mapped_ssrc.wrapping_add(index),
        });
    }
    Ok(RtpMapping { codecs: List::first_of(codecs), encodings: List::first_of(encodings) })
}

/// The producer as consumers of its router see it: its codecs with the router's payload types, feedback and RTX, the
/// router's header extensions for what it sends, its encodings by their mapped SSRCs.
///
/// Where two codecs of the producer are one of the router's, the first one's parameters count. The capture time is
/// offered only if the producer sends it. RED's blocks have the router's payload types.
///
/// FlexFEC is not in it. It protects packets bit for bit: payload types, timestamps and header extensions too, and it
/// names them by the sender's sequence numbers. A consumer gets all of these rewritten, so that what it would recover is
/// no packet of its stream. The worker takes FlexFEC in and counts it; NACK and RTX repair on either side.
///
/// # Errors
/// What [`validate_rtp_parameters`] refuses; `InvalidArgument` names a part of `mapping` that does not belong to these
/// parameters or this router.
pub fn consumable_rtp_parameters(
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
    mapping: &RtpMapping,
) -> Result<RtpParameters, OrtcError> {
    validate_rtp_parameters(kind, parameters)?;
    capabilities_at(ROUTER, router)?;
    Ok(RtpParameters {
        mid: None,
        msid: parameters.msid.clone(),
        codecs: consumable_codecs(parameters, router, mapping)?,
        header_extensions: consumable_extensions(kind, parameters, router),
        encodings: consumable_encodings(parameters, mapping)?,
        rtcp: RtcpParameters { cname: parameters.rtcp.cname.clone(), reduced_size: true },
    })
}

const ROUTER: &str = "routerRtpCapabilities";

fn consumable_codecs(
    parameters: &RtpParameters,
    router: &RtpCapabilities,
    mapping: &RtpMapping,
) -> Result<Vec<RtpCodecParameters>, OrtcError> {
    let mut codecs = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, codec) in parameters.codecs.iter().enumerate().filter(|(_, codec)| codec.is_media()) {
        let entry = mapping.codecs.iter().find(|entry| entry.payload_type == codec.payload_type);
        let known = entry.and_then(|entry| {
            router.codecs.iter().find(|known| {
                !known.is_rtx() && known.preferred_payload_type == Some(entry.mapped_payload_type)
            })
        });
        let Some((entry, known)) = entry.zip(known) else {
            return Err(OrtcError::invalid(
                "rtpMapping.codecs",
                format!(
                    "rtpParameters.codecs[{index}] has no codec of the router there; map these parameters"
                ),
            ));
        };
        if !seen.insert(entry.mapped_payload_type) {
            continue;
        }
        let agreed = match codec.is_red() {
            true => red_parameters(index, parameters, mapping)?,
            false => Format::from(codec).agreed_parameters(&Format::from(known)),
        };
        codecs.push(RtpCodecParameters { parameters: agreed, ..with(known, entry.mapped_payload_type) });
        let rtx = router_rtx(entry.mapped_payload_type, router);
        codecs.extend(rtx.map(|(rtx, payload_type)| with(rtx, payload_type)));
    }
    Ok(codecs)
}

/// The parameters of the RED codec with this index: its blocks' payload types, as the worker writes them.
fn red_parameters(
    index: usize,
    parameters: &RtpParameters,
    mapping: &RtpMapping,
) -> Result<BTreeMap<String, ParameterValue>, OrtcError> {
    let blocks = parameters
        .codecs
        .get(index)
        .and_then(|red| red::block_payload_types(red, &parameters.codecs).ok())
        .unwrap_or_default();
    let mapped = |payload_type: u8| {
        let entry = mapping.codecs.iter().find(|entry| entry.payload_type == payload_type);
        entry.map(|entry| entry.mapped_payload_type).ok_or_else(|| {
            let message =
                format!("payload type {payload_type} of RED's blocks has no entry; map these parameters");
            OrtcError::invalid("rtpMapping.codecs", message)
        })
    };
    let mapped: Vec<u8> = blocks.into_iter().map(mapped).collect::<Result<_, _>>()?;
    Ok(red::parameters(&mapped))
}

/// A router's codec, in use.
fn with(codec: &RtpCodecCapability, payload_type: u8) -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: codec.mime_type.clone(),
        payload_type,
        clock_rate: codec.clock_rate,
        channels: channels(&codec.mime_type, codec.channels),
        parameters: codec.parameters.clone(),
        rtcp_feedback: codec.rtcp_feedback.clone(),
    }
}

fn consumable_extensions(
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
) -> Vec<RtpHeaderExtensionParameters> {
    use RtpHeaderExtensionDirection::{Sendonly, Sendrecv};
    let has_capture_time =
        parameters.header_extensions.iter().any(|extension| extension.uri == ABS_CAPTURE_TIME_URI);
    let is_sent = |extension: &&RtpHeaderExtension| {
        extension.kind == kind
            && matches!(extension.direction, Sendonly | Sendrecv)
            && (has_capture_time || extension.uri != ABS_CAPTURE_TIME_URI)
    };
    let in_use = |extension: &RtpHeaderExtension| RtpHeaderExtensionParameters {
        uri: extension.uri.clone(),
        id: extension.preferred_id,
        encrypt: false,
    };
    router.header_extensions.iter().filter(is_sent).map(in_use).collect()
}

fn consumable_encodings(
    parameters: &RtpParameters,
    mapping: &RtpMapping,
) -> Result<Vec<RtpEncodingParameters>, OrtcError> {
    let (given, mapped) = (parameters.encodings.len(), mapping.encodings.len());
    if given != mapped {
        return Err(OrtcError::invalid(
            "rtpMapping.encodings",
            format!("there are {mapped} for {given} encodings; map these parameters"),
        ));
    }
    let encodings = parameters.encodings.iter().zip(&mapping.encodings);
    Ok(encodings
        .map(|(encoding, mapped)| RtpEncodingParameters {
            ssrc: Some(mapped.mapped_ssrc),
            rid: None,
            codec_payload_type: None,
            rtx: None,
            fec: None,
            ..encoding.clone()
        })
        .collect())
}

/// The payload type of the router's codec that is the producer's.
fn router_codec(codec: &RtpCodecParameters, router: &RtpCapabilities) -> Option<u8> {
    let same = |known: &&RtpCodecCapability| Format::from(codec).matches(&Format::from(*known));
    router.codecs.iter().filter(same).find_map(|known| known.preferred_payload_type)
}

/// The router's RTX of its codec with this payload type, and RTX's own.
fn router_rtx(of: u8, router: &RtpCapabilities) -> Option<(&RtpCodecCapability, u8)> {
    let is_its =
        |codec: &&RtpCodecCapability| codec.is_rtx() && apt(&codec.parameters) == Some(i64::from(of));
    let rtx = router.codecs.iter().find(is_its)?;
    Some((rtx, rtx.preferred_payload_type?))
}

fn apt(parameters: &BTreeMap<String, ParameterValue>) -> Option<i64> {
    parameters.get("apt").and_then(ParameterValue::number)
}
