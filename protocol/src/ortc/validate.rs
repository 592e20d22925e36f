//! What capabilities and parameters must be to make sense, whoever wrote them.
//!
//! Knows the rules that need no second party: limits, ranges, what may occur once, what must name what. Does not
//! know what a router supports. Called by hosts before they store or send anything, and by every function of
//! [`ortc`](super) on what it is given. Invariant: lists are measured before they are walked, so that a hostile size
//! costs nothing.
//!
//! More than mediasoup checks in its host: what its worker would refuse later is refused here, with the field's name.
//! As there, a scalability mode that is no such text is tolerated; it means one layer.

use std::collections::{BTreeMap, BTreeSet};

use super::dictionary::{
    MediaKind, ParameterValue, RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtension, RtpHeaderExtensionParameters, RtpParameters,
};
use super::error::OrtcError;
use super::red;
use super::scalability_mode::ScalabilityMode;
use super::supported;
use super::wire::{check_length, to_wire};
use crate::bounded::Text;

/// Most codecs that capabilities may list: twice as many as parameters.
const CAPABILITY_CODECS_MAX: usize = 128;
/// Most header extensions that capabilities may list, audio and video together.
const CAPABILITY_EXTENSIONS_MAX: usize = 64;
/// Limits of the wire's types, which `to_wire` holds for parameters.
const CODECS_MAX: usize = 64;
const EXTENSIONS_MAX: usize = 32;
const ENCODINGS_MAX: usize = 16;
const CODEC_PARAMETERS_MAX: usize = 32;
const FEEDBACK_MAX: usize = 16;

/// Checks what an endpoint or a router says that it can do.
///
/// Codecs and extensions that this project does not know are fine: endpoints list all that they have. So is RTX
/// without `apt`, as browsers list it.
///
/// # Errors
/// `InvalidArgument` names the first field that is out of its range, is there twice, or contradicts another.
pub fn validate_rtp_capabilities(capabilities: &RtpCapabilities) -> Result<(), OrtcError> {
    capabilities_at("rtpCapabilities", capabilities)
}

/// Checks what a producer of `kind` sends, or a consumer receives.
///
/// # Errors
/// `InvalidArgument` names the first field that is out of its range, is there twice, or contradicts another;
/// `Unsupported` names a codec that this project does not know, or an encrypted header extension.
pub fn validate_rtp_parameters(kind: MediaKind, parameters: &RtpParameters) -> Result<(), OrtcError> {
    check_length(parameters.codecs.len(), CODECS_MAX, "rtpParameters.codecs")?;
    check_length(parameters.header_extensions.len(), EXTENSIONS_MAX, "rtpParameters.headerExtensions")?;
    check_length(parameters.encodings.len(), ENCODINGS_MAX, "rtpParameters.encodings")?;
    if parameters.mid.as_deref() == Some("") {
        return Err(OrtcError::invalid("rtpParameters.mid", "the MID is empty; leave it out or give one"));
    }
    codecs(kind, &parameters.codecs)?;
    header_extensions(&parameters.header_extensions)?;
    encodings(parameters)?;
    to_wire(parameters).map(drop)
}

/// Checks `capabilities`, which the caller calls `root`.
pub(super) fn capabilities_at(root: &str, capabilities: &RtpCapabilities) -> Result<(), OrtcError> {
    check_length(capabilities.codecs.len(), CAPABILITY_CODECS_MAX, &format!("{root}.codecs"))?;
    let extensions = &capabilities.header_extensions;
    check_length(extensions.len(), CAPABILITY_EXTENSIONS_MAX, &format!("{root}.headerExtensions"))?;
    let mut payload_types = BTreeMap::new();
    for (index, codec) in capabilities.codecs.iter().enumerate() {
        let field = format!("{root}.codecs[{index}]");
        codec_capability(&field, codec)?;
        let Some(payload_type) = codec.preferred_payload_type else { continue };
        // Static payload types (RFC 3551) stand for a name at every clock rate: CN has 13 at three.
        let name = codec.mime_type.to_ascii_lowercase();
        let earlier = payload_types.insert(payload_type, name.clone());
        if earlier.is_some_and(|earlier| earlier != name || payload_type >= FIRST_DYNAMIC) {
            return Err(OrtcError::invalid(
                format!("{field}.preferredPayloadType"),
                format!("payload type {payload_type} is given twice; give each codec its own"),
            ));
        }
    }
    extension_capabilities(&format!("{root}.headerExtensions"), extensions)
}

/// Measures `consumable`, which the caller calls `root`, before it is walked.
pub(super) fn consumable_at(root: &str, consumable: &RtpParameters) -> Result<(), OrtcError> {
    check_length(consumable.codecs.len(), CODECS_MAX, &format!("{root}.codecs"))?;
    check_length(consumable.header_extensions.len(), EXTENSIONS_MAX, &format!("{root}.headerExtensions"))?;
    check_length(consumable.encodings.len(), ENCODINGS_MAX, &format!("{root}.encodings"))?;
    if consumable.encodings.is_empty() {
        let message = "there is no encoding; pass what consumable_rtp_parameters made";
        return Err(OrtcError::invalid(format!("{root}.encodings"), message));
    }
    Ok(())
}

/// Payload types from here on mean nothing by themselves (RFC 3551 6).
const FIRST_DYNAMIC: u8 = 96;

/// Checks one codec of capabilities, or one that a router is wanted to have.
pub(super) fn codec_capability(field: &str, codec: &RtpCodecCapability) -> Result<(), OrtcError> {
    let kind = mime_kind(&format!("{field}.mimeType"), &codec.mime_type)?;
    if kind != codec.kind {
        return Err(OrtcError::invalid(
            format!("{field}.kind"),
            format!("kind {} does not fit {}; make them agree", kind_name(codec.kind), codec.mime_type),
        ));
    }
    if let Some(payload_type) = codec.preferred_payload_type {
        payload_type_in_range(&format!("{field}.preferredPayloadType"), payload_type)?;
    }
    clock_and_channels(field, codec.clock_rate, codec.channels)?;
    format_parameters(&format!("{field}.parameters"), &codec.parameters)?;
    feedback(&format!("{field}.rtcpFeedback"), &codec.rtcp_feedback)
}

fn extension_capabilities(root: &str, extensions: &[RtpHeaderExtension]) -> Result<(), OrtcError> {
    // An endpoint lists an extension once a kind, with one id.
    let (mut ids, mut uris) = (BTreeSet::new(), BTreeSet::new());
    for (index, extension) in extensions.iter().enumerate() {
        let (field, id, kind) = (format!("{root}[{index}]"), extension.preferred_id, extension.kind);
        uri(&format!("{field}.uri"), &extension.uri)?;
        extension_id(&format!("{field}.preferredId"), id)?;
        if !uris.insert((kind, &extension.uri)) {
            return Err(OrtcError::invalid(
                format!("{field}.uri"),
                format!("{} is given twice for {}; give it once", extension.uri, kind_name(kind)),
            ));
        }
        if !ids.insert((kind, id)) {
            return Err(OrtcError::invalid(
                format!("{field}.preferredId"),
                format!("id {id} is given twice for {}; give each extension its own", kind_name(kind)),
            ));
        }
    }
    Ok(())
}

fn codecs(kind: MediaKind, codecs: &[RtpCodecParameters]) -> Result<(), OrtcError> {
    let mut payload_types = BTreeSet::new();
    for (index, codec) in codecs.iter().enumerate() {
        let field = format!("rtpParameters.codecs[{index}]");
        codec_of_kind(kind, &field, codec)?;
        if !payload_types.insert(codec.payload_type) {
            return Err(OrtcError::invalid(
                format!("{field}.payloadType"),
                format!("payload type {} is used twice; give each codec its own", codec.payload_type),
            ));
        }
    }
    let media = media_payload_types(codecs);
    if media.is_empty() {
        return Err(OrtcError::invalid(
            "rtpParameters.codecs",
            "there is no media codec; give at least one besides RTX and FEC",
        ));
    }
    for (index, codec) in codecs.iter().enumerate().filter(|(_, codec)| codec.is_red()) {
        red::block_payload_types(codec, codecs).map_err(|message| {
            OrtcError::invalid(format!("rtpParameters.codecs[{index}].parameters"), message)
        })?;
    }
    for (index, codec) in codecs.iter().enumerate().filter(|(_, codec)| codec.is_rtx()) {
        let apt = codec.parameters.get("apt").and_then(ParameterValue::number);
        if !apt.is_some_and(|apt| media.iter().any(|&media| i64::from(media) == apt)) {
            return Err(OrtcError::invalid(
                format!("rtpParameters.codecs[{index}].parameters.apt"),
                format!(
                    "RTX payload type {} needs a parameter apt that is the payload type of a media codec",
                    codec.payload_type
                ),
            ));
        }
    }
    Ok(())
}

fn codec_of_kind(kind: MediaKind, field: &str, codec: &RtpCodecParameters) -> Result<(), OrtcError> {
    let mime_type = &codec.mime_type;
    let mime_field = || format!("{field}.mimeType");
    if mime_kind(&mime_field(), mime_type)? != kind {
        return Err(OrtcError::invalid(
            mime_field(),
            format!("{mime_type} does not fit kind {}; use a codec of that kind", kind_name(kind)),
        ));
    }
    payload_type_in_range(&format!("{field}.payloadType"), codec.payload_type)?;
    clock_and_channels(field, codec.clock_rate, codec.channels)?;
    format_parameters(&format!("{field}.parameters"), &codec.parameters)?;
    feedback(&format!("{field}.rtcpFeedback"), &codec.rtcp_feedback)?;
    if !codec.is_rtx() && !supported::is_known(mime_type) {
        let message = match supported::advice(mime_type) {
            Some(advice) => format!("{mime_type} {advice}"),
            None => format!("{mime_type} is not known here; leave it out"),
        };
        return Err(OrtcError::unsupported(mime_field(), message));
    }
    Ok(())
}

fn header_extensions(extensions: &[RtpHeaderExtensionParameters]) -> Result<(), OrtcError> {
    let (mut ids, mut uris) = (BTreeSet::new(), BTreeSet::new());
    for (index, extension) in extensions.iter().enumerate() {
        let (field, id) = (format!("rtpParameters.headerExtensions[{index}]"), extension.id);
        uri(&format!("{field}.uri"), &extension.uri)?;
        extension_id(&format!("{field}.id"), id)?;
        if extension.encrypt {
            return Err(OrtcError::unsupported(
                format!("{field}.encrypt"),
                "encrypted header extensions (RFC 6904) are not supported; negotiate it without encryption",
            ));
        }
        if !ids.insert(id) {
            return Err(OrtcError::invalid(
                format!("{field}.id"),
                format!("id {id} is used twice; give each extension its own"),
            ));
        }
        if !uris.insert(&extension.uri) {
            return Err(OrtcError::invalid(
                format!("{field}.uri"),
                format!("{} is given twice; give it once", extension.uri),
            ));
        }
    }
    Ok(())
}

fn encodings(parameters: &RtpParameters) -> Result<(), OrtcError> {
    let encodings = &parameters.encodings;
    if encodings.is_empty() {
        return Err(OrtcError::invalid("rtpParameters.encodings", "there is no encoding; give at least one"));
    }
    let media = media_payload_types(&parameters.codecs);
    let (mut ssrcs, mut rids) = (BTreeSet::new(), BTreeSet::new());
    for (index, encoding) in encodings.iter().enumerate() {
        let field = format!("rtpParameters.encodings[{index}]");
        encoding_names(&field, encoding, encodings.len() == 1 && parameters.mid.is_some())?;
        let named = [
            ("ssrc", encoding.ssrc),
            ("rtx.ssrc", encoding.rtx.map(|rtx| rtx.ssrc)),
            ("fec.ssrc", encoding.fec.map(|fec| fec.ssrc)),
        ];
        for (name, ssrc) in named {
            if let Some(ssrc) = ssrc.filter(|&ssrc| !ssrcs.insert(ssrc)) {
                return Err(OrtcError::invalid(
                    format!("{field}.{name}"),
                    format!("SSRC {ssrc} is used twice; give each stream its own"),
                ));
            }
        }
        if encoding.fec.is_some() && !parameters.codecs.iter().any(RtpCodecParameters::is_fec) {
            return Err(OrtcError::invalid(
                format!("{field}.fec"),
                "there is no FEC codec; give video/flexfec-03 with its payload type, or leave this out",
            ));
        }
        if encoding.rid.as_ref().is_some_and(|rid| !rids.insert(rid)) {
            return Err(OrtcError::invalid(
                format!("{field}.rid"),
                "this RID is used twice; give each encoding its own",
            ));
        }
        if let Some(payload_type) = encoding.codec_payload_type.filter(|wanted| !media.contains(wanted)) {
            return Err(OrtcError::invalid(
                format!("{field}.codecPayloadType"),
                format!("no media codec has payload type {payload_type}; name one of rtpParameters.codecs"),
            ));
        }
        if encodings.len() > 1 && spatial_layers(encoding) > 1 {
            return Err(OrtcError::invalid(
                format!("{field}.scalabilityMode"),
                "several encodings cannot have spatial layers as well; use L1Tn, or one encoding",
            ));
        }
    }
    Ok(())
}

/// How packets find the encoding: by its SSRC, its RID, or, where it is alone, by the MID.
fn encoding_names(field: &str, encoding: &RtpEncodingParameters, by_mid: bool) -> Result<(), OrtcError> {
    if encoding.rid.as_deref() == Some("") {
        return Err(OrtcError::invalid(format!("{field}.rid"), "the RID is empty; leave it out or give one"));
    }
    if encoding.ssrc.is_none() && encoding.rid.is_none() && !by_mid {
        return Err(OrtcError::invalid(
            field,
            "nothing tells which packets are this encoding's; give ssrc or rid, or, for a single encoding, a mid",
        ));
    }
    Ok(())
}

fn spatial_layers(encoding: &RtpEncodingParameters) -> u8 {
    ScalabilityMode::parse(encoding.scalability_mode.as_deref().unwrap_or_default()).spatial_layers
}

fn media_payload_types(codecs: &[RtpCodecParameters]) -> BTreeSet<u8> {
    codecs.iter().filter(|codec| codec.is_media()).map(|codec| codec.payload_type).collect()
}

/// What a MIME type begins with.
fn mime_kind(field: &str, mime_type: &str) -> Result<MediaKind, OrtcError> {
    text_fits::<64>(field, mime_type)?;
    kind_of(mime_type).ok_or_else(|| {
        let message =
            format!("\"{mime_type}\" is not a MIME type of audio or video; write it like video/VP8");
        OrtcError::invalid(field, message)
    })
}

/// The kind of a MIME type, where it has one.
pub(super) fn kind_of(mime_type: &str) -> Option<MediaKind> {
    let (kind, name) = mime_type.split_once('/')?;
    match kind.to_ascii_lowercase().as_str() {
        _ if name.is_empty() => None,
        "audio" => Some(MediaKind::Audio),
        "video" => Some(MediaKind::Video),
        _ => None,
    }
}

fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    }
}

fn payload_type_in_range(field: &str, payload_type: u8) -> Result<(), OrtcError> {
    match payload_type {
        0..=127 => Ok(()),
        _ => Err(OrtcError::invalid(field, format!("payload type {payload_type} is above 127"))),
    }
}

fn clock_and_channels(field: &str, clock_rate: u32, channels: Option<u8>) -> Result<(), OrtcError> {
    if clock_rate == 0 {
        let message = "the clock rate is 0; give it in Hz, for example 90000";
        return Err(OrtcError::invalid(format!("{field}.clockRate"), message));
    }
    if channels == Some(0) {
        let message = "there are 0 channels; give at least 1, or leave it out";
        return Err(OrtcError::invalid(format!("{field}.channels"), message));
    }
    Ok(())
}

fn format_parameters(field: &str, parameters: &BTreeMap<String, ParameterValue>) -> Result<(), OrtcError> {
    check_length(parameters.len(), CODEC_PARAMETERS_MAX, field)?;
    for (name, value) in parameters {
        let field = format!("{field}.{}", Text::<64>::clipped(name));
        text_fits::<64>(&field, name)?;
        let ParameterValue::Text(text) = value else { continue };
        text_fits::<1024>(&field, text)?;
        if name == "apt" {
            return Err(OrtcError::invalid(field, "apt is a text; give the payload type as a number"));
        }
    }
    Ok(())
}

fn feedback(field: &str, feedback: &[RtcpFeedback]) -> Result<(), OrtcError> {
    check_length(feedback.len(), FEEDBACK_MAX, field)?;
    for (index, feedback) in feedback.iter().enumerate() {
        text_fits::<32>(&format!("{field}[{index}].type"), &feedback.kind)?;
        text_fits::<32>(&format!("{field}[{index}].parameter"), &feedback.parameter)?;
        if feedback.kind.is_empty() {
            let message = "the type is empty; name the feedback, for example nack";
            return Err(OrtcError::invalid(format!("{field}[{index}].type"), message));
        }
    }
    Ok(())
}

fn uri(field: &str, uri: &str) -> Result<(), OrtcError> {
    text_fits::<256>(field, uri)?;
    match uri {
        "" => Err(OrtcError::invalid(field, "the URI is empty; name the extension")),
        _ => Ok(()),
    }
}

/// RFC 8285 4.2 and 4.3: 0 is padding in either form, 15 ends a block of the short one.
fn extension_id(field: &str, id: u8) -> Result<(), OrtcError> {
    match id {
        0 | 15 => Err(OrtcError::invalid(field, format!("id {id} is not 1 to 14 or 16 to 255"))),
        _ => Ok(()),
    }
}

fn text_fits<const MAX: usize>(field: &str, text: &str) -> Result<(), OrtcError> {
    super::wire::text::<MAX>(text, || field.to_owned()).map(drop)
}
