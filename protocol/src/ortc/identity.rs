//! Parameters that pass as they are, without a router's capabilities.
//!
//! For tests and tools that speak to a worker themselves: nothing is checked, nothing is negotiated. Knows payload
//! types and SSRCs. Does not know codecs. Invariant: codecs and header extensions stay as they are.

use crate::bounded::List;
use crate::rtp::{CodecMapping, EncodingMapping, RtpEncodingParameters, RtpMapping, RtpParameters};

/// Maps a producer's payload types onto themselves and its encodings onto SSRCs from `first_mapped_ssrc` upwards.
pub fn identity_mapping(parameters: &RtpParameters, first_mapped_ssrc: u32) -> RtpMapping {
    let codecs = parameters.codecs.iter().map(|codec| CodecMapping {
        payload_type: codec.payload_type,
        mapped_payload_type: codec.payload_type,
    });
    let encodings = parameters.encodings.iter().zip(0u32..).map(|(encoding, index)| EncodingMapping {
        ssrc: encoding.ssrc,
        rid: encoding.rid.clone(),
        scalability_mode: encoding.scalability_mode.clone(),
        mapped_ssrc: first_mapped_ssrc.wrapping_add(index),
    });
    RtpMapping { codecs: List::first_of(codecs), encodings: List::first_of(encodings) }
}

/// What a consumer of a producer with `parameters` gets when it takes everything as it is: the same codecs, payload
/// types and extension ids, one stream of its own `ssrc`, and `ssrc + 1` for retransmissions where RTX is among the
/// codecs. No MID.
pub fn consumer_parameters(parameters: &RtpParameters, ssrc: u32) -> RtpParameters {
    let has_rtx = parameters.codecs.iter().any(|codec| codec.is_rtx());
    let encoding = RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx_ssrc: has_rtx.then(|| ssrc.wrapping_add(1)),
        dtx: parameters.encodings.iter().any(|encoding| encoding.dtx),
        ..Default::default()
    };
    RtpParameters { mid: None, encodings: List::first_of([encoding]), ..parameters.clone() }
}
