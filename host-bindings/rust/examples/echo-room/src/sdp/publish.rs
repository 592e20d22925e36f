//! What a room receives of an offer's section.
//!
//! Knows what a router can forward and what was offered. Invariant: one codec, the first in the offerer's order that
//! the router has, with its RTX; so that a publisher cannot change to one that a player never agreed to.

use tidegate::ortc::producer_mapping;
use tidegate::{
    MediaKind, OrtcError, RtcpParameters, RtpCapabilities, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtension, RtpHeaderExtensionDirection, RtpHeaderExtensionParameters, RtpParameters, Rtx,
};

use crate::sdp::Section;

/// What is produced of a section that the offerer sends.
///
/// Of a simulcast offer one encoding: consumers of several are not there yet. Answered without simulcast, a sender
/// sends one (RFC 8853 5.3.2).
///
/// # Errors
/// None of its codecs is the router's, or its streams cannot be told apart; the sentence says which.
pub fn received(
    section: &Section,
    kind: MediaKind,
    router: &RtpCapabilities,
) -> Result<RtpParameters, OrtcError> {
    let media = section.codecs.iter().filter(|codec| codec.is_media() && !codec.is_red());
    let mut refusal = None;
    for codec in media {
        let parameters = with_codec(section, kind, codec, router);
        match producer_mapping(kind, &parameters, router, 1) {
            Ok(_) => return Ok(parameters),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| OrtcError {
        kind: tidegate::ErrorKind::Unsupported,
        field: format!("section {}", section.mid),
        message: "it offers no codec".to_owned(),
    }))
}

fn with_codec(
    section: &Section,
    kind: MediaKind,
    codec: &RtpCodecParameters,
    router: &RtpCapabilities,
) -> RtpParameters {
    let mut codecs = vec![with_known_feedback(codec, router)];
    let stream = section.streams.first().copied();
    let apt = i64::from(codec.payload_type);
    let mut rtx = section.codecs.iter().filter(|other| other.is_rtx());
    let rtx = rtx.find(|rtx| rtx.parameters.get("apt").and_then(|value| value.number()) == Some(apt));
    // Announced streams without RTX of theirs have none.
    let has_rtx = stream.is_none_or(|(_, repair)| repair.is_some());
    codecs.extend(
        rtx.filter(|_| has_rtx).map(|rtx| RtpCodecParameters { rtcp_feedback: Vec::new(), ..rtx.clone() }),
    );
    let repair = stream.and_then(|(_, repair)| repair).filter(|_| codecs.len() > 1);
    RtpParameters {
        mid: Some(section.mid.clone()),
        msid: section.msid.clone(),
        codecs,
        header_extensions: known_extensions(section, kind, router),
        encodings: vec![RtpEncodingParameters {
            ssrc: stream.map(|(ssrc, _)| ssrc),
            rtx: repair.map(|ssrc| Rtx { ssrc }),
            ..RtpEncodingParameters::default()
        }],
        rtcp: RtcpParameters { cname: section.cname.clone(), reduced_size: true },
    }
}

/// The codec with the feedback that the router gives too.
fn with_known_feedback(codec: &RtpCodecParameters, router: &RtpCapabilities) -> RtpCodecParameters {
    let mut same =
        router.codecs.iter().filter(|known| known.mime_type.eq_ignore_ascii_case(&codec.mime_type));
    let known = same.next().map(|known| known.rtcp_feedback.as_slice()).unwrap_or_default();
    let mut codec = codec.clone();
    codec.rtcp_feedback.retain(|feedback| known.contains(feedback));
    codec
}

/// Header extensions that the router reads. Not those that name encodings, of which there is one.
fn known_extensions(
    section: &Section,
    kind: MediaKind,
    router: &RtpCapabilities,
) -> Vec<RtpHeaderExtensionParameters> {
    use RtpHeaderExtensionDirection::{Recvonly, Sendonly, Sendrecv};
    let is_read = |uri: &str| {
        let mut known = router.header_extensions.iter().filter(|known| known.kind == kind);
        known.any(|known| known.uri == uri && matches!(known.direction, Recvonly | Sendrecv))
    };
    let names_encodings =
        |uri: &str| uri.ends_with(":rtp-stream-id") || uri.ends_with(":repaired-rtp-stream-id");
    let sent = section.header_extensions.iter().filter(|sent| matches!(sent.direction, Sendonly | Sendrecv));
    let received = sent.filter(|sent| is_read(&sent.uri) && !names_encodings(&sent.uri));
    let in_use = |sent: &RtpHeaderExtension| RtpHeaderExtensionParameters {
        uri: sent.uri.clone(),
        id: sent.preferred_id,
        encrypt: false,
    };
    received.map(in_use).collect()
}
