//! RED (RFC 2198) in negotiation: audio packets that repeat what earlier ones held, each block with a payload type.
//!
//! Knows which codecs RED's blocks may have, and that a router's RED carries Opus. Does not know packets: where
//! payload types differ, the worker writes the router's into the blocks. Used by every step of negotiation.
//! Invariant: the blocks' payload types are those of codecs that are in the same list as RED.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::dictionary::{ParameterValue, RtpCodecCapability, RtpCodecParameters};
use super::error::OrtcError;
use crate::red::{PARAMETER, list, payload_types};

/// The payload types that `red`, one of `all`, has in its blocks: those that it lists, each a codec's of RED's clock
/// rate, for blocks count time by the packet's clock. Without a list, the first such codec's: new, and once again.
///
/// # Errors
/// What is wrong with the list, as a sentence.
pub(super) fn block_payload_types(
    red: &RtpCodecParameters,
    all: &[RtpCodecParameters],
) -> Result<Vec<u8>, String> {
    let fits = |codec: &&RtpCodecParameters| {
        codec.is_media() && !codec.is_red() && codec.clock_rate == red.clock_rate
    };
    let given = red.parameters.iter().map(|(name, value)| (name.as_str(), text(value)));
    let listed = payload_types(given).map_err(|error| error.to_string())?;
    let Some(listed) = listed else {
        let first = all.iter().find(fits).map(|codec| codec.payload_type);
        return first.map(|first| vec![first, first]).ok_or_else(|| {
            "RED has no codec of its clock rate to carry; give that one too, with a payload type of its own".to_owned()
        });
    };
    let is_known =
        |payload_type: &&u8| all.iter().filter(fits).any(|codec| codec.payload_type == **payload_type);
    match listed.iter().find(|payload_type| !is_known(payload_type)) {
        Some(unknown) => Err(format!(
            "payload type {unknown} of RED's blocks is no other codec's of its clock rate; list that codec too"
        )),
        None => Ok(listed),
    }
}

/// RED's parameters with these payload types.
pub(super) fn parameters(payload_types: &[u8]) -> BTreeMap<String, ParameterValue> {
    BTreeMap::from([(PARAMETER.to_owned(), ParameterValue::Text(list(payload_types)))])
}

/// Lets the RED of a router carry its Opus, once each had a payload type. `wanted` are the media codecs asked for.
///
/// # Errors
/// `InvalidArgument` where there is RED and no Opus.
pub(super) fn carry_opus(
    codecs: &mut [RtpCodecCapability],
    wanted: &[RtpCodecCapability],
) -> Result<(), OrtcError> {
    let Some(index) = wanted.iter().position(RtpCodecCapability::is_red) else { return Ok(()) };
    let opus = codecs.iter().find(|codec| codec.mime_type.eq_ignore_ascii_case("audio/opus"));
    let Some(payload_type) = opus.and_then(|opus| opus.preferred_payload_type) else {
        let message = "audio/red carries audio/opus, which the router does not have; add it to mediaCodecs";
        return Err(OrtcError::invalid(format!("mediaCodecs[{index}]"), message));
    };
    for red in codecs.iter_mut().filter(|codec| codec.is_red()) {
        red.parameters = parameters(&[payload_type, payload_type]);
    }
    Ok(())
}

fn text(value: &ParameterValue) -> Cow<'_, str> {
    match value {
        ParameterValue::Text(text) => Cow::Borrowed(text),
        ParameterValue::Number(_) => Cow::Owned(value.text()),
    }
}
