//! Codecs, parameters and capabilities to make calls and tests of.
//!
//! Knows what endpoints usually say. Does not know expectations. Used by the vectors and by the tests.
//! Invariant: everything made here is right in itself; whoever wants it wrong makes it so.

use tidegate_protocol::ortc::dictionary::{
    Fec, MediaKind, RtcpParameters, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtension, RtpHeaderExtensionParameters, RtpParameters, Rtx,
};
use tidegate_protocol::ortc::{
    consumable_rtp_parameters, producer_mapping, router_rtp_capabilities, supported_rtp_capabilities,
};

pub(crate) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub(crate) const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
pub(crate) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(crate) const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
pub(crate) const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";

/// A video codec of that name.
pub(crate) fn video(name: &str) -> RtpCodecCapability {
    RtpCodecCapability::new(MediaKind::Video, &format!("video/{name}"), 90_000)
}

/// An audio codec of that name.
pub(crate) fn audio(name: &str, clock_rate: u32, channels: u8) -> RtpCodecCapability {
    let codec = RtpCodecCapability::new(MediaKind::Audio, &format!("audio/{name}"), clock_rate);
    RtpCodecCapability { channels: Some(channels), ..codec }
}

/// H264 in a packetization mode and profile.
pub(crate) fn h264(packetization_mode: i64, profile_level_id: &str) -> RtpCodecCapability {
    video("H264")
        .with_parameter("packetization-mode", packetization_mode)
        .with_parameter("profile-level-id", profile_level_id)
}

/// H265 in a profile, tier and level.
pub(crate) fn h265(profile_id: i64, tier_flag: i64, level_id: i64) -> RtpCodecCapability {
    video("H265")
        .with_parameter("profile-id", profile_id)
        .with_parameter("tier-flag", tier_flag)
        .with_parameter("level-id", level_id)
        .with_parameter("tx-mode", "SRST")
}

/// RED, which a router has beside Opus only.
pub(crate) fn red() -> RtpCodecCapability {
    audio("red", 48_000, 2)
}

/// FlexFEC-03 as browsers offer it.
pub(crate) fn flexfec() -> RtpCodecCapability {
    video("flexfec-03").with_parameter("repair-window", 10_000_000)
}

/// RED in use, with the payload types of its blocks.
pub(crate) fn red_in_use(payload_type: u8, blocks: &str) -> RtpCodecParameters {
    in_use(&red(), payload_type).with_parameter("", blocks)
}

/// A producer of Opus (111) and RED (63), RED first.
pub(crate) fn produced_red() -> RtpParameters {
    let mut parameters = produced(&audio("opus", 48_000, 2));
    parameters.codecs = vec![red_in_use(63, "111/111"), in_use(&audio("opus", 48_000, 2), 111)];
    parameters
}

/// A producer of VP8 with FlexFEC beside it.
pub(crate) fn produced_fec() -> RtpParameters {
    let mut parameters = produced(&video("VP8"));
    let fec = RtpCodecParameters::new("video/flexfec-03", 98, 90_000);
    parameters.codecs.push(fec.with_parameter("repair-window", 10_000_000));
    parameters.encodings[0].fec = Some(Fec { ssrc: 11_111_113 });
    parameters
}

/// Every codec that can be asked for by itself, then the profiles that differ, each with a name. RED and FEC are none:
/// they come with another.
pub(crate) fn all_codecs() -> Vec<(String, RtpCodecCapability)> {
    let named = |codec: RtpCodecCapability| {
        let channels = codec.channels.map_or_else(String::new, |channels| format!("/{channels}"));
        (format!("{}/{}{channels}", codec.mime_type, codec.clock_rate), codec)
    };
    let supported = supported_rtp_capabilities().codecs.into_iter();
    let mut codecs: Vec<_> =
        supported.filter(|codec| !codec.is_red() && !codec.is_fec()).map(named).collect();
    let variant = |name: &str, codec| (name.to_owned(), codec);
    codecs.extend([
        variant("H264 constrained baseline, mode 1", h264(1, "42e01f")),
        variant("H264 baseline, mode 0", h264(0, "42001f")),
        variant("H264 main 5.0, mode 1", h264(1, "4d0032")),
        variant("H264 constrained high", h264(1, "640c1f")),
        variant("H264 high", h264(1, "64001f")),
        variant("H264 high 4:4:4", h264(1, "f4001f")),
        variant("VP9 profile 2", video("VP9").with_parameter("profile-id", 2)),
        variant("AV1 profile 1", video("AV1").with_parameter("profile", 1).with_parameter("level-idx", 5)),
        variant("H265 main", h265(1, 0, 93)),
        variant("H265 main 10, high tier", h265(2, 1, 120)),
    ]);
    codecs
}

/// A router of these codecs, or what it is refused for.
pub(crate) fn router(codecs: &[RtpCodecCapability]) -> RtpCapabilities {
    router_rtp_capabilities(codecs).expect("a router has these codecs")
}

/// Only the header extensions that decide something, to keep vectors short.
pub(crate) fn slim(mut capabilities: RtpCapabilities) -> RtpCapabilities {
    const KEPT: [&str; 4] = [MID, ABS_SEND_TIME, TRANSPORT_CC, RID];
    capabilities.header_extensions.retain(|extension| KEPT.contains(&extension.uri.as_str()));
    capabilities
}

/// A codec in use, with the feedback that browsers offer for it.
pub(crate) fn in_use(codec: &RtpCodecCapability, payload_type: u8) -> RtpCodecParameters {
    let mut in_use = RtpCodecParameters::new(&codec.mime_type, payload_type, codec.clock_rate);
    in_use.channels = codec.channels;
    in_use.parameters.clone_from(&codec.parameters);
    match codec.kind {
        MediaKind::Audio => in_use.with_feedback("transport-cc", ""),
        MediaKind::Video => in_use
            .with_feedback("goog-remb", "")
            .with_feedback("transport-cc", "")
            .with_feedback("nack", "")
            .with_feedback("nack", "pli"),
    }
}

pub(crate) fn extension(uri: &str, id: u8) -> RtpHeaderExtensionParameters {
    RtpHeaderExtensionParameters { uri: uri.to_owned(), id, encrypt: false }
}

/// A producer of one codec: payload type 96, for video RTX on 97, one SSRC.
pub(crate) fn produced(codec: &RtpCodecCapability) -> RtpParameters {
    let mut codecs = vec![in_use(codec, 96)];
    let mut encoding = RtpEncodingParameters::of_ssrc(11_111_111);
    if codec.kind == MediaKind::Video {
        codecs.push(RtpCodecParameters::rtx(97, 96));
        encoding.rtx = Some(Rtx { ssrc: 11_111_112 });
    }
    RtpParameters {
        mid: Some("0".to_owned()),
        msid: None,
        codecs,
        header_extensions: vec![extension(MID, 4), extension(ABS_SEND_TIME, 2), extension(TRANSPORT_CC, 3)],
        encodings: vec![encoding],
        rtcp: RtcpParameters { cname: "somebody".to_owned(), reduced_size: true },
    }
}

/// The same with several encodings by RID, as browsers do simulcast.
pub(crate) fn simulcast(codec: &RtpCodecCapability, encodings: u8, scalability_mode: &str) -> RtpParameters {
    let encoding = |index: u8| RtpEncodingParameters {
        scalability_mode: Some(scalability_mode.to_owned()).filter(|mode| !mode.is_empty()),
        max_bitrate: Some(100_000 << index),
        ..RtpEncodingParameters::of_rid(&format!("r{index}"))
    };
    RtpParameters {
        msid: Some("stream track".to_owned()),
        encodings: (0..encodings).map(encoding).collect(),
        ..produced(codec)
    }
}

pub(crate) const FIRST_MAPPED_SSRC: u32 = 200_000_000;

/// A producer as the consumers of its router see it.
pub(crate) fn produce(
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
) -> RtpParameters {
    let mapping = producer_mapping(kind, parameters, router, FIRST_MAPPED_SSRC).expect("the router has it");
    consumable_rtp_parameters(kind, parameters, router, &mapping).expect("the mapping is the router's")
}

/// What an endpoint with these native codecs says after it has read the router's capabilities, as mediasoup-client
/// does: the router's payload types and extension ids, RTX for every video codec, the router's feedback.
pub(crate) fn device(router: &RtpCapabilities, has: impl Fn(&RtpCodecCapability) -> bool) -> RtpCapabilities {
    let media: Vec<i64> = router
        .codecs
        .iter()
        .filter(|codec| !codec.is_rtx() && has(codec))
        .filter_map(|codec| codec.preferred_payload_type.map(i64::from))
        .collect();
    let stays = |codec: &&RtpCodecCapability| {
        let number = if codec.is_rtx() {
            codec.parameters.get("apt").and_then(|apt| apt.number())
        } else {
            codec.preferred_payload_type.map(i64::from)
        };
        number.is_some_and(|number| media.contains(&number))
    };
    RtpCapabilities {
        codecs: router.codecs.iter().filter(stays).cloned().collect(),
        header_extensions: router.header_extensions.clone(),
    }
}

/// Capabilities without one of the header extensions.
pub(crate) fn without(mut capabilities: RtpCapabilities, uri: &str) -> RtpCapabilities {
    capabilities.header_extensions.retain(|extension: &RtpHeaderExtension| extension.uri != uri);
    capabilities
}
