//! What a consumer sends to an endpoint that made the offer itself.
//!
//! Knows which numbers are whose: an offer names payload types and header extension ids by which the offerer expects
//! media (RFC 3264 5.1, RFC 8285 7), and an answer has to take them as they are. Where the router's end offers, as
//! mediasoup-client expects, the router's numbers count, and [`consumer_rtp_parameters`] is right. Called by hosts when
//! they consume. Invariant: what is made here passes [`validate_rtp_parameters`].

use std::collections::BTreeMap;

use super::consumer::{CONSUMABLE, ConsumerOptions, consumer_rtp_parameters, endpoint_codec};
use super::dictionary::{
    MediaKind, ParameterValue, RtpCapabilities, RtpCodecParameters, RtpHeaderExtension, RtpParameters,
};
use super::error::OrtcError;
use super::validate::{consumable_at, kind_of, validate_rtp_capabilities, validate_rtp_parameters};

/// As [`consumer_rtp_parameters`], with the payload types and header extension ids that `capabilities` prefer: those of
/// the endpoint's offer. Header extensions are matched by URI alone. A codec that prefers none keeps the router's payload
/// type.
///
/// Without RED, whose blocks name the router's payload types; without RTX where the endpoint names none for the codec.
///
/// # Errors
/// As [`consumer_rtp_parameters`]; also where two codecs come to have one payload type.
pub fn offered_rtp_parameters(
    consumable: &RtpParameters,
    capabilities: &RtpCapabilities,
    options: &ConsumerOptions,
) -> Result<RtpParameters, OrtcError> {
    validate_rtp_capabilities(capabilities)?;
    consumable_at(CONSUMABLE, consumable)?;
    let kind = consumable.codecs.first().and_then(|codec| kind_of(&codec.mime_type));
    let kind = kind.unwrap_or(MediaKind::Video);
    let as_routers = with_routers_ids(consumable, capabilities, kind);
    let mut parameters = consumer_rtp_parameters(consumable, &as_routers, options)?;
    renumber_codecs(&mut parameters, &as_routers);
    if !parameters.codecs.iter().any(RtpCodecParameters::is_rtx) {
        for encoding in &mut parameters.encodings {
            encoding.rtx = None;
        }
    }
    for extension in &mut parameters.header_extensions {
        if let Some(known) = extension_of(capabilities, kind, &extension.uri) {
            extension.id = known.preferred_id;
        }
    }
    validate_rtp_parameters(kind, &parameters)?;
    Ok(parameters)
}

/// The endpoint's capabilities as if it had the router's extension ids, and without RED.
fn with_routers_ids(
    consumable: &RtpParameters,
    capabilities: &RtpCapabilities,
    kind: MediaKind,
) -> RtpCapabilities {
    let shared = consumable.header_extensions.iter().filter_map(|sent| {
        let known = extension_of(capabilities, kind, &sent.uri)?;
        Some(RtpHeaderExtension { preferred_id: sent.id, ..known.clone() })
    });
    let codecs = capabilities.codecs.iter().filter(|codec| !codec.is_red());
    RtpCapabilities { codecs: codecs.cloned().collect(), header_extensions: shared.collect() }
}

fn extension_of<'a>(
    capabilities: &'a RtpCapabilities,
    kind: MediaKind,
    uri: &str,
) -> Option<&'a RtpHeaderExtension> {
    capabilities.header_extensions.iter().find(|known| known.kind == kind && known.uri == uri)
}

/// Gives media codecs the endpoint's payload types, and each the RTX that the endpoint has for it, if any.
fn renumber_codecs(parameters: &mut RtpParameters, endpoint: &RtpCapabilities) {
    let media = parameters.codecs.iter().filter(|codec| codec.is_media());
    let numbers: BTreeMap<i64, u8> = media
        .filter_map(|codec| {
            let known = endpoint_codec(codec, endpoint)?;
            let payload_type = known.preferred_payload_type.unwrap_or(codec.payload_type);
            Some((codec.payload_type.into(), payload_type))
        })
        .collect();
    parameters.codecs.retain_mut(|codec| {
        if !codec.is_rtx() {
            let number = numbers.get(&codec.payload_type.into());
            return number.map(|number| codec.payload_type = *number).is_some();
        }
        let of = codec.parameters.get(APT).and_then(ParameterValue::number);
        let Some(of) = of.and_then(|of| numbers.get(&of)).copied() else { return false };
        let Some(payload_type) = rtx_of(endpoint, of) else { return false };
        codec.payload_type = payload_type;
        codec.parameters.insert(APT.to_owned(), i64::from(of).into());
        true
    });
}

/// The endpoint's RTX of its codec with this payload type.
fn rtx_of(endpoint: &RtpCapabilities, of: u8) -> Option<u8> {
    let rtx = endpoint.codecs.iter().filter(|codec| codec.is_rtx());
    let mut its =
        rtx.filter(|rtx| rtx.parameters.get(APT).and_then(ParameterValue::number) == Some(of.into()));
    its.find_map(|rtx| rtx.preferred_payload_type)
}

const APT: &str = "apt";
