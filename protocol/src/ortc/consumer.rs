//! What a consumer sends to one endpoint, or to another router.
//!
//! Knows which codecs, feedback and header extensions both sides share. Does not choose SSRCs. Called by hosts when
//! they consume. Invariant: what is made here passes [`validate_rtp_parameters`](super::validate_rtp_parameters), and
//! [`can_consume`] says beforehand whether it can be made.

use std::collections::BTreeSet;

use super::dictionary::{
    MediaKind, ParameterValue, RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, Rtx,
};
use super::error::OrtcError;
use super::matching::Format;
use super::red;
use super::scalability_mode::ScalabilityMode;
use super::supported::{
    ABS_SEND_TIME_URI, DEPENDENCY_DESCRIPTOR_ID, DEPENDENCY_DESCRIPTOR_URI, MID_URI, TRANSPORT_CC_URI,
};
use super::validate::{consumable_at, kind_of, validate_rtp_capabilities};
use super::wire::optional_text;

/// What a host decides about a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// SSRC of the stream; of the first one where all are wanted, the others count up from it.
    pub ssrc: u32,
    /// Whether lost packets are repaired: RTX and NACK, if the endpoint can.
    pub enable_rtx: bool,
    /// Media identification (RFC 9143), unique within the transport.
    pub mid: Option<String>,
    /// One stream or all of them.
    pub encodings: ConsumerEncodings,
}

/// How many streams a consumer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsumerEncodings {
    /// One that switches between the producer's; its RTX has the SSRC after its own.
    #[default]
    One,
    /// All of the producer's, side by side (the API's option `pipe`).
    All {
        /// SSRC of the first one's RTX; the others count up from it.
        rtx_ssrc: u32,
    },
}

/// What a host decides about a consumer that feeds another router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeConsumerOptions {
    /// SSRC of the first stream; the others count up from it.
    pub ssrc: u32,
    /// SSRC of the first one's RTX; the others count up from it.
    pub rtx_ssrc: u32,
    /// Whether lost packets are repaired between the routers: RTX and NACK.
    pub enable_rtx: bool,
}

/// Whether an endpoint can decode any of a producer's codecs. RED alone is none: it needs the codec of its blocks, and
/// an endpoint with that codec and without RED gets those packets only that the producer sends without RED.
///
/// # Errors
/// What [`validate_rtp_capabilities`] refuses; `InvalidArgument` also where `consumable` exceeds the limits of
/// parameters.
pub fn can_consume(consumable: &RtpParameters, capabilities: &RtpCapabilities) -> Result<bool, OrtcError> {
    validate_rtp_capabilities(capabilities)?;
    consumable_at(CONSUMABLE, consumable)?;
    let mut media = consumable.codecs.iter().filter(|codec| codec.is_media() && !codec.is_red());
    Ok(media.any(|codec| endpoint_codec(codec, capabilities).is_some()))
}

/// What a consumer of this producer sends to an endpoint with these capabilities.
///
/// Codecs that both have, in the producer's order, with the endpoint's feedback; RTX where its codec stayed, RED where
/// those of its blocks did (a consumer without it gets no RED packet: its worker counts them as discarded); header
/// extensions that have the same URI and id. Of bandwidth feedback transport-cc stays where its extension did, or else
/// REMB where the absolute send time did, or else none. One encoding by default: layers of all encodings together
/// (`LnTm`), the largest `maxBitrate`.
///
/// # Errors
/// `Unsupported` where no media codec is left (exactly when [`can_consume`] is false); `InvalidArgument` as there, for a
/// MID that the wire does not take, and where RTX would share an SSRC with a stream.
pub fn consumer_rtp_parameters(
    consumable: &RtpParameters,
    capabilities: &RtpCapabilities,
    options: &ConsumerOptions,
) -> Result<RtpParameters, OrtcError> {
    validate_rtp_capabilities(capabilities)?;
    consumable_at(CONSUMABLE, consumable)?;
    check_mid(options.mid.as_deref())?;
    let mut codecs = shared_codecs(consumable, capabilities, options.enable_rtx);
    if codecs.is_empty() {
        return Err(OrtcError::unsupported(
            "rtpCapabilities.codecs",
            "the endpoint has none of the producer's media codecs; check with canConsume first",
        ));
    }
    let is_shared = |extension: &&RtpHeaderExtensionParameters| {
        let mut known = capabilities.header_extensions.iter();
        known.any(|known| known.preferred_id == extension.id && known.uri == extension.uri)
    };
    let header_extensions: Vec<_> = consumable.header_extensions.iter().filter(is_shared).cloned().collect();
    keep_one_bandwidth_feedback(&mut codecs, &header_extensions);
    let has_rtx = codecs.iter().any(RtpCodecParameters::is_rtx);
    let encodings = match options.encodings {
        ConsumerEncodings::One => vec![one_encoding(consumable, options.ssrc, has_rtx)],
        ConsumerEncodings::All { rtx_ssrc } => {
            all_encodings(consumable, options.ssrc, has_rtx.then_some(rtx_ssrc))?
        }
    };
    let mid = options.mid.clone();
    Ok(RtpParameters { mid, codecs, header_extensions, encodings, ..consumable.clone() })
}

/// What a consumer of this producer sends to another router: all encodings and codecs, key frame requests (and NACK
/// with RTX) as only feedback, no MID and nothing about bandwidth; for video the dependency descriptor, which the other
/// router's consumers need to choose layers.
///
/// # Errors
/// `InvalidArgument` where `consumable` exceeds the limits of parameters, and where RTX would share an SSRC with a
/// stream.
pub fn pipe_consumer_rtp_parameters(
    consumable: &RtpParameters,
    options: &PipeConsumerOptions,
) -> Result<RtpParameters, OrtcError> {
    consumable_at(CONSUMABLE, consumable)?;
    let stays = |feedback: &RtcpFeedback| match (feedback.kind.as_str(), feedback.parameter.as_str()) {
        ("nack", "pli") | ("ccm", "fir") => true,
        ("nack", "") => options.enable_rtx,
        _ => false,
    };
    let sent = |codec: &&RtpCodecParameters| !codec.is_fec() && (options.enable_rtx || !codec.is_rtx());
    let mut codecs: Vec<RtpCodecParameters> = consumable.codecs.iter().filter(sent).cloned().collect();
    for codec in &mut codecs {
        codec.rtcp_feedback.retain(stays);
    }
    let header_extensions = pipe_extensions(consumable);
    let has_rtx = codecs.iter().any(RtpCodecParameters::is_rtx);
    let encodings = all_encodings(consumable, options.ssrc, has_rtx.then_some(options.rtx_ssrc))?;
    Ok(RtpParameters { mid: None, codecs, header_extensions, encodings, ..consumable.clone() })
}

pub(super) const CONSUMABLE: &str = "consumableRtpParameters";

fn check_mid(mid: Option<&str>) -> Result<(), OrtcError> {
    let field = "options.mid";
    if mid == Some("") {
        return Err(OrtcError::invalid(field, "the MID is empty; leave it out or give one"));
    }
    optional_text::<32>(mid, || field.to_owned()).map(drop)
}

/// Codecs that the endpoint has too; RTX and RED only with their media codecs.
fn shared_codecs(
    consumable: &RtpParameters,
    capabilities: &RtpCapabilities,
    enable_rtx: bool,
) -> Vec<RtpCodecParameters> {
    let wanted = |codec: &&RtpCodecParameters| !codec.is_fec() && (enable_rtx || !codec.is_rtx());
    let shared = consumable.codecs.iter().filter(wanted).filter_map(|codec| {
        let known = endpoint_codec(codec, capabilities)?;
        let mut codec = codec.clone();
        codec.rtcp_feedback.clone_from(&known.rtcp_feedback);
        codec
            .rtcp_feedback
            .retain(|feedback| enable_rtx || feedback.kind != "nack" || !feedback.parameter.is_empty());
        Some(codec)
    });
    let mut codecs: Vec<RtpCodecParameters> = shared.collect();
    let media: BTreeSet<i64> =
        codecs.iter().filter(|codec| codec.is_media()).map(|codec| codec.payload_type.into()).collect();
    codecs.retain(|codec| {
        if codec.is_red() {
            let blocks = red::block_payload_types(codec, &consumable.codecs);
            return blocks.is_ok_and(|blocks| blocks.iter().all(|&block| media.contains(&block.into())));
        }
        let apt = codec.parameters.get("apt").and_then(ParameterValue::number);
        !codec.is_rtx() || apt.is_some_and(|apt| media.contains(&apt))
    });
    codecs
}

pub(super) fn endpoint_codec<'a>(
    codec: &RtpCodecParameters,
    capabilities: &'a RtpCapabilities,
) -> Option<&'a RtpCodecCapability> {
    capabilities.codecs.iter().find(|known| Format::from(*known).matches(&Format::from(codec)))
}

/// Two estimators would fight: the one whose extension is there stays, transport-cc first.
fn keep_one_bandwidth_feedback(
    codecs: &mut [RtpCodecParameters],
    extensions: &[RtpHeaderExtensionParameters],
) {
    let has = |uri: &str| extensions.iter().any(|extension| extension.uri == uri);
    let dropped: &[&str] = match () {
        () if has(TRANSPORT_CC_URI) => &["goog-remb"],
        () if has(ABS_SEND_TIME_URI) => &["transport-cc"],
        () => &["transport-cc", "goog-remb"],
    };
    for codec in codecs {
        codec.rtcp_feedback.retain(|feedback| !dropped.contains(&feedback.kind.as_str()));
    }
}

/// One encoding for all of the consumable's.
fn one_encoding(consumable: &RtpParameters, ssrc: u32, has_rtx: bool) -> RtpEncodingParameters {
    let encodings = &consumable.encodings;
    let mut scalability_mode = encodings.iter().find_map(|encoding| encoding.scalability_mode.clone());
    if encodings.len() > 1 {
        let layers = ScalabilityMode::parse(scalability_mode.as_deref().unwrap_or_default());
        scalability_mode = Some(format!("L{}T{}", encodings.len(), layers.temporal_layers));
    }
    RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx: has_rtx.then(|| Rtx { ssrc: ssrc.wrapping_add(1) }),
        dtx: encodings.iter().any(|encoding| encoding.dtx),
        scalability_mode,
        max_bitrate: encodings
            .iter()
            .filter_map(|encoding| encoding.max_bitrate)
            .max()
            .filter(|&max| max > 0),
        ..RtpEncodingParameters::default()
    }
}

/// Every encoding of the consumable, with SSRCs that count up.
fn all_encodings(
    consumable: &RtpParameters,
    ssrc: u32,
    rtx_ssrc: Option<u32>,
) -> Result<Vec<RtpEncodingParameters>, OrtcError> {
    let mut encodings = Vec::new();
    for (encoding, index) in consumable.encodings.iter().zip(0_u32..) {
        let rtx = rtx_ssrc.map(|first| Rtx { ssrc: first.wrapping_add(index) });
        encodings.push(RtpEncodingParameters {
            ssrc: Some(ssrc.wrapping_add(index)),
            rtx,
            fec: None,
            ..encoding.clone()
        });
    }
    let streams = u32::try_from(encodings.len()).unwrap_or(u32::MAX);
    let overlap = |first: u32| first.wrapping_sub(ssrc) < streams || ssrc.wrapping_sub(first) < streams;
    if rtx_ssrc.is_some_and(overlap) {
        return Err(OrtcError::invalid(
            "options.rtxSsrc",
            format!("the {streams} SSRCs from here overlap those of the streams; choose another"),
        ));
    }
    Ok(encodings)
}

/// Not what belongs to one transport (MID) or to its bandwidth.
fn pipe_extensions(consumable: &RtpParameters) -> Vec<RtpHeaderExtensionParameters> {
    const OF_ONE_TRANSPORT: [&str; 3] = [MID_URI, ABS_SEND_TIME_URI, TRANSPORT_CC_URI];
    let stays =
        |extension: &&RtpHeaderExtensionParameters| !OF_ONE_TRANSPORT.contains(&extension.uri.as_str());
    let mut extensions: Vec<_> = consumable.header_extensions.iter().filter(stays).cloned().collect();
    let is_video = consumable.codecs.iter().any(|codec| kind_of(&codec.mime_type) == Some(MediaKind::Video));
    let taken = extensions.iter().any(|extension| {
        extension.id == DEPENDENCY_DESCRIPTOR_ID || extension.uri == DEPENDENCY_DESCRIPTOR_URI
    });
    if is_video && !taken {
        let uri = DEPENDENCY_DESCRIPTOR_URI.to_owned();
        extensions.push(RtpHeaderExtensionParameters { uri, id: DEPENDENCY_DESCRIPTOR_ID, encrypt: false });
    }
    extensions
}
