//! Producers on routers: mappings and consumables, for every codec, and what is refused.

use serde_json::{Value, json};
use tidegate_protocol::ortc::dictionary::{
    MediaKind, RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters, RtpParameters,
};
use tidegate_protocol::ortc::producer_mapping;

use super::Call;
use super::build::{
    ABS_CAPTURE_TIME, FIRST_MAPPED_SSRC, all_codecs, audio, extension, h264, h265, in_use, produced, router,
    simulcast, slim, video,
};
use super::call::mapping_value;

pub(crate) fn calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for (name, codec) in all_codecs() {
        let (router, parameters) = (slim(router(std::slice::from_ref(&codec))), produced(&codec));
        calls.push(mapping(&name, codec.kind, &parameters, &router));
        calls.extend(consumable(&name, codec.kind, &parameters, &router));
    }
    calls.extend(profiles());
    for (name, parameters, router) in cases() {
        let kind = kind_of(&parameters);
        calls.push(mapping(name, kind, &parameters, &router));
        calls.extend(consumable(name, kind, &parameters, &router));
    }
    calls.extend(foreign_mappings());
    calls
}

fn mapping(name: &str, kind: MediaKind, parameters: &RtpParameters, router: &RtpCapabilities) -> Call {
    let input = json!({ "kind": kind, "rtpParameters": parameters, "routerRtpCapabilities": router,
                        "firstMappedSsrc": FIRST_MAPPED_SSRC });
    Call::new("producerMapping", name, input)
}

/// The consumable, where the router has the producer's codecs.
fn consumable(
    name: &str,
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
) -> Option<Call> {
    let mapping = producer_mapping(kind, parameters, router, FIRST_MAPPED_SSRC).ok()?;
    Some(with_mapping(name, kind, parameters, router, &mapping_value(&mapping)))
}

fn with_mapping(
    name: &str,
    kind: MediaKind,
    parameters: &RtpParameters,
    router: &RtpCapabilities,
    mapping: &Value,
) -> Call {
    let input = json!({ "kind": kind, "rtpParameters": parameters, "routerRtpCapabilities": router,
                        "rtpMapping": mapping });
    Call::new("consumableRtpParameters", name, input)
}

fn kind_of(parameters: &RtpParameters) -> MediaKind {
    if parameters.codecs[0].mime_type.to_lowercase().starts_with("audio") {
        MediaKind::Audio
    } else {
        MediaKind::Video
    }
}

/// A codec's name, a producer's profile, its router's, and what both agree on, if they match at all.
pub(crate) type Profiles = (&'static str, &'static str, &'static str, Option<&'static str>);

/// Profiles against each other. A `-` is a parameter that is absent.
pub(crate) const PROFILES: &[Profiles] = &[
    // H264: packetization mode and profile-level-id; "!" forbids asymmetric levels.
    ("H264", "1 42e01f", "1 42e01f", Some("1 42e01f")),
    ("H264", "1 42e034", "1 42e01f", Some("1 42e034")),
    ("H264", "1 42e034", "1 42e01f!", Some("1 42e01f")),
    ("H264", "1 42e00a!", "1 42e01f!", Some("1 42e00a!")),
    ("H264", "1 42c01f", "1 42e01f", Some("1 42e01f")),
    ("H264", "1 4de01f", "1 42e01f", Some("1 42e01f")),
    ("H264", "1 42001f", "1 42e01f", None),
    ("H264", "0 42e01f", "1 42e01f", None),
    ("H264", "- 42e01f", "0 42e01f", Some("- 42e01f")),
    ("H264", "1 4d001f", "1 4d0032", Some("1 4d001f")),
    ("H264", "1 640c1f", "1 64001f", None),
    ("H264", "1 -", "1 42e01f", Some("1 42e01f")),
    ("H264", "1 -", "1 -", Some("1 -")),
    ("H264", "1 4d001f", "1 -", None),
    ("H264", "1 nonsense", "1 nonsense", None),
    ("H264", "1 42f00b!", "1 42e00b!", Some("1 42f00b!")),
    // VP9: profile-id.
    ("VP9", "-", "0", Some("-")),
    ("VP9", "0", "-", Some("0")),
    ("VP9", "2", "2", Some("2")),
    ("VP9", "2", "0", None),
    ("VP9", "1", "-", None),
    // H265: profile-id, tier-flag, level-id, tx-mode.
    ("H265", "1 0 93 SRST", "- - - -", Some("1 0 93 SRST")),
    ("H265", "1 0 120 SRST", "1 0 93 SRST", Some("1 0 93 SRST")),
    ("H265", "1 0 93 SRST", "1 0 120 -", Some("1 0 93 SRST")),
    ("H265", "2 0 93 SRST", "1 0 93 SRST", None),
    ("H265", "1 1 93 SRST", "1 0 93 SRST", None),
    ("H265", "1 0 93 MRST", "1 0 93 SRST", None),
    ("H265", "- - - -", "2 - - -", None),
    // AV1: profile, tier, level-idx.
    ("AV1", "0 0 5", "- - -", Some("0 0 5")),
    ("AV1", "- - -", "0 0 5", Some("- - -")),
    ("AV1", "0 0 9", "0 0 5", Some("0 0 5")),
    ("AV1", "0 0 4", "0 0 5", Some("0 0 4")),
    ("AV1", "1 0 5", "0 0 5", None),
    ("AV1", "0 1 5", "0 0 5", None),
    ("AV1", "1 - -", "1 0 13", Some("1 - -")),
];

/// The codec that a row of [`PROFILES`] describes.
pub(crate) fn profile(name: &str, values: &str) -> RtpCodecCapability {
    let names: &[&str] = match name {
        "H264" => &["packetization-mode", "profile-level-id"],
        "VP9" => &["profile-id"],
        "H265" => &["profile-id", "tier-flag", "level-id", "tx-mode"],
        _ => &["profile", "tier", "level-idx"],
    };
    let mut codec = video(name);
    if name == "H264" {
        codec = codec.with_parameter("level-asymmetry-allowed", i64::from(!values.ends_with('!')));
    }
    let given = values.trim_end_matches('!').split(' ');
    for (name, value) in names.iter().zip(given).filter(|(_, value)| *value != "-") {
        codec = match value.parse::<i64>() {
            Ok(number) => codec.with_parameter(name, number),
            Err(_) => codec.with_parameter(name, value),
        };
    }
    codec
}

fn profiles() -> Vec<Call> {
    let calls = |(name, ours, theirs, _): &Profiles| {
        let (ours, theirs) = (profile(name, ours), profile(name, theirs));
        let mut router = router(std::slice::from_ref(&theirs));
        router.header_extensions.clear();
        let name = format!("{name} {} on {}", title(&ours), title(&theirs));
        let parameters = produced(&ours);
        let mapping = mapping(&name, MediaKind::Video, &parameters, &router);
        [Some(mapping), consumable(&name, MediaKind::Video, &parameters, &router)]
    };
    PROFILES.iter().flat_map(calls).flatten().collect()
}

/// The format parameters of a codec, for a name.
pub(crate) fn title(codec: &RtpCodecCapability) -> String {
    let values: Vec<String> =
        codec.parameters.iter().map(|(name, value)| format!("{name}={}", value.text())).collect();
    format!("({})", values.join(";"))
}

/// Producers that are remarkable for something else than their profile.
fn cases() -> Vec<(&'static str, RtpParameters, RtpCapabilities)> {
    let opus = audio("opus", 48_000, 2);
    let room =
        router(&[opus.clone(), video("VP8"), h264(1, "42e01f"), video("VP9"), video("AV1"), h265(1, 0, 93)]);
    let slim_room = slim(room.clone());
    let no_rtx = {
        let mut router = slim_room.clone();
        router.codecs.retain(|codec| !codec.is_rtx());
        router
    };
    let of = |change: &dyn Fn(&mut RtpParameters)| {
        let mut parameters = produced(&video("VP8"));
        change(&mut parameters);
        parameters
    };
    let captures = |all: &mut RtpParameters| all.header_extensions.push(extension(ABS_CAPTURE_TIME, 13));
    let two_profiles = |all: &mut RtpParameters| {
        all.codecs.push(in_use(&h264(1, "42e01f"), 102));
        all.codecs.push(RtpCodecParameters::rtx(103, 102));
        all.codecs.push(in_use(&h264(1, "4de01f"), 104));
    };
    let mut cases = vec![
        ("all extensions, audio", produced(&opus), room.clone()),
        ("all extensions, video", of(&|_| ()), room.clone()),
        ("capture time, video", of(&captures), room.clone()),
        ("two codecs that are one of the router's", of(&two_profiles), slim_room.clone()),
        ("RTX in front", of(&|all| all.codecs.reverse()), slim_room.clone()),
        ("no RTX from the producer", of(&|all| all.codecs.truncate(1)), slim_room.clone()),
        ("no RTX in the router", of(&|_| ()), no_rtx.clone()),
        ("no RTX anywhere", of(&|all| all.codecs.truncate(1)), no_rtx),
        ("no capabilities", of(&|_| ()), RtpCapabilities::default()),
        ("a codec that the router lacks", produced(&video("VP8")), slim(router(&[video("VP9")]))),
        (
            "sound that pauses",
            of(&|all| {
                all.codecs = vec![in_use(&opus, 111)];
                all.encodings =
                    vec![RtpEncodingParameters { dtx: true, ..RtpEncodingParameters::of_ssrc(1) }];
            }),
            slim_room.clone(),
        ),
        ("mono opus", produced(&audio("opus", 48_000, 1)), slim_room.clone()),
        ("encryption that the router prefers", of(&|_| ()), {
            let mut router = slim_room.clone();
            router.header_extensions.iter_mut().for_each(|extension| extension.preferred_encrypt = true);
            router
        }),
    ];
    cases.extend(simulcasts(&slim_room));
    cases
}

/// Whatever the video codec: several encodings.
fn simulcasts(
    room: &RtpCapabilities,
) -> impl Iterator<Item = (&'static str, RtpParameters, RtpCapabilities)> + '_ {
    let codecs = [
        ("VP8 simulcast", video("VP8")),
        ("H264 simulcast", h264(1, "42e01f")),
        ("VP9 simulcast", video("VP9")),
        ("AV1 simulcast", video("AV1")),
        ("H265 simulcast", h265(1, 0, 93)),
    ];
    codecs.into_iter().map(|(name, codec)| (name, simulcast(&codec, 3, "L1T3"), room.clone()))
}

/// Mappings that belong to somebody else.
fn foreign_mappings() -> Vec<Call> {
    let (parameters, router) = (produced(&video("VP8")), slim(router(&[video("VP8")])));
    let call =
        |name: &str, mapping: Value| with_mapping(name, MediaKind::Video, &parameters, &router, &mapping);
    let codecs = json!([
        { "payloadType": 96, "mappedPayloadType": 100 },
        { "payloadType": 97, "mappedPayloadType": 101 },
    ]);
    let encoding = json!({ "ssrc": 11_111_111, "mappedSsrc": u32::MAX });
    vec![
        call("its own mapping", json!({ "codecs": codecs, "encodings": [encoding] })),
        call("a codec is not mapped", json!({ "codecs": [], "encodings": [encoding] })),
        call(
            "mapped to what the router lacks",
            json!({ "codecs": [{ "payloadType": 96, "mappedPayloadType": 99 }], "encodings": [encoding] }),
        ),
        call(
            "mapped to RTX",
            json!({ "codecs": [{ "payloadType": 96, "mappedPayloadType": 101 }], "encodings": [encoding] }),
        ),
        call("an encoding is not mapped", json!({ "codecs": codecs, "encodings": [] })),
        call("too many encodings are mapped", json!({ "codecs": codecs, "encodings": [encoding, encoding] })),
    ]
}
