//! A router's capabilities, made of the codecs that an application wants.
//!
//! Knows how payload types are handed out. Does not know endpoints. Called by hosts when a router is created.
//! Invariant: no payload type is given twice, and every video codec but FEC has its RTX.

use super::dictionary::{MediaKind, RtpCapabilities, RtpCodecCapability};
use super::error::OrtcError;
use super::matching::Format;
use super::red;
use super::supported::{advice, supported_rtp_capabilities};
use super::validate::codec_capability;
use super::wire::check_length;

/// What a router with these media codecs can do.
///
/// Each codec is the supported one of that name, clock rate and channels, with the given parameters on top. Payload
/// types, in the order of the codecs: the preferred one, or the codec's static one, or the next of 100 to 127 and then
/// 96 to 99; RTX of each video codec takes the next one too. RED (`audio/red`) carries the router's first Opus: its
/// parameter is the router's, whatever was given.
///
/// # Errors
/// `Unsupported` names a codec that is not in [`supported_rtp_capabilities`]; `InvalidArgument` names a field that is
/// wrong in itself, a payload type that an earlier codec has got, the codec for which none was left, or RED without Opus.
pub fn router_rtp_capabilities(media_codecs: &[RtpCodecCapability]) -> Result<RtpCapabilities, OrtcError> {
    check_length(media_codecs.len(), MEDIA_CODECS_MAX, "mediaCodecs")?;
    let supported = supported_rtp_capabilities();
    let mut payload_types = PayloadTypes::default();
    let mut codecs: Vec<RtpCodecCapability> = Vec::new();
    for (index, wanted) in media_codecs.iter().enumerate() {
        let field = format!("mediaCodecs[{index}]");
        codec_capability(&field, wanted)?;
        let same = |codec: &&RtpCodecCapability| Format::from(*codec).is_same_codec(&Format::from(wanted));
        let known = supported.codecs.iter().find(same).ok_or_else(|| not_supported(&field, wanted))?;
        let field = format!("{field}.preferredPayloadType");
        let payload_type =
            payload_types.take(wanted.preferred_payload_type.or(known.preferred_payload_type), &field)?;
        let mut codec = known.clone();
        codec.preferred_payload_type = Some(payload_type);
        codec.parameters.extend(wanted.parameters.clone());
        let has_rtx = codec.kind == MediaKind::Video && !codec.is_fec();
        codecs.push(codec);
        if has_rtx {
            codecs.push(rtx(payload_types.take(None, &field)?, payload_type, known.clock_rate));
        }
    }
    red::carry_opus(&mut codecs, media_codecs)?;
    Ok(RtpCapabilities { codecs, header_extensions: supported.header_extensions })
}

/// As many as capabilities may list; payload types run out sooner.
const MEDIA_CODECS_MAX: usize = 128;

/// Dynamic payload types in the order in which they are handed out.
const DYNAMIC: [std::ops::RangeInclusive<u8>; 2] = [100..=127, 96..=99];

/// Which payload types are taken.
struct PayloadTypes([bool; 128]);

impl Default for PayloadTypes {
    fn default() -> Self {
        Self([false; 128])
    }
}

impl PayloadTypes {
    /// Takes the `wanted` one, or the first dynamic one that is free.
    fn take(&mut self, wanted: Option<u8>, field: &str) -> Result<u8, OrtcError> {
        let mut dynamic = DYNAMIC.into_iter().flatten();
        let free = wanted.or_else(|| dynamic.find(|&payload_type| !self.is_taken(payload_type)));
        let payload_type = free.ok_or_else(|| {
            OrtcError::invalid(
                field,
                "no dynamic payload type is left for this codec and its RTX; give fewer codecs",
            )
        })?;
        match self.0.get_mut(usize::from(payload_type)) {
            Some(taken) if !*taken => *taken = true,
            _ => {
                let message =
                    format!("payload type {payload_type} has been given to an earlier codec; prefer another");
                return Err(OrtcError::invalid(field, message));
            }
        }
        Ok(payload_type)
    }

    fn is_taken(&self, payload_type: u8) -> bool {
        self.0.get(usize::from(payload_type)).copied().unwrap_or(true)
    }
}

fn rtx(payload_type: u8, of: u8, clock_rate: u32) -> RtpCodecCapability {
    RtpCodecCapability {
        preferred_payload_type: Some(payload_type),
        ..RtpCodecCapability::new(MediaKind::Video, "video/rtx", clock_rate)
    }
    .with_parameter("apt", i64::from(of))
}

fn not_supported(field: &str, wanted: &RtpCodecCapability) -> OrtcError {
    let mime_type = &wanted.mime_type;
    let message = if wanted.is_rtx() {
        format!("{mime_type} comes with every video codec by itself; leave it out")
    } else if let Some(advice) = advice(mime_type) {
        format!("{mime_type} {advice}")
    } else {
        let (clock_rate, channels) = (wanted.clock_rate, wanted.channels.unwrap_or(1));
        format!(
            "{mime_type} at {clock_rate} Hz with {channels} channel(s) is not supported; choose from the supported \
             capabilities"
        )
    };
    OrtcError::unsupported(format!("{field}.mimeType"), message)
}
