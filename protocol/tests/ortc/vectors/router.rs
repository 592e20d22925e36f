//! Capabilities of routers: each codec alone, usual sets, payload types wanted and refused.

use serde_json::json;
use tidegate_protocol::ortc::dictionary::{RtpCapabilities, RtpCodecCapability};
use tidegate_protocol::ortc::supported_rtp_capabilities;

use super::Call;
use super::build::{all_codecs, audio, h264, h265, red, router, video};

pub(crate) fn calls() -> Vec<Call> {
    let alone = all_codecs().into_iter().map(|(name, codec)| call(&format!("{name} alone"), vec![codec]));
    let mut calls: Vec<Call> = alone.collect();
    calls.extend(sets());
    calls.extend(payload_types());
    calls.extend(refused());
    calls.extend(valid_capabilities());
    calls
}

fn call(name: &str, codecs: Vec<RtpCodecCapability>) -> Call {
    Call::new("routerRtpCapabilities", name, json!({ "mediaCodecs": codecs }))
}

fn opus() -> RtpCodecCapability {
    audio("opus", 48_000, 2)
}

fn sets() -> Vec<Call> {
    let start = video("VP8").with_parameter("x-google-start-bitrate", 1000);
    let all_video = ["VP8", "VP9", "H264", "AV1", "H265"].map(video).to_vec();
    vec![
        call("no codec", vec![]),
        call("a room: opus and VP8", vec![opus(), start.clone()]),
        call("order is the caller's", vec![video("VP8"), opus()]),
        call("all video codecs", all_video),
        call(
            "profiles side by side",
            vec![h264(1, "42e01f"), h264(0, "42e01f"), h264(1, "4d0032"), h265(1, 0, 93), h265(2, 0, 93)],
        ),
        call(
            "static payload types stay",
            ["PCMU", "PCMA", "G722"].map(|name| audio(name, 8_000, 1)).to_vec(),
        ),
        call(
            "a telephone",
            vec![audio("PCMU", 8_000, 1), audio("CN", 8_000, 1), audio("telephone-event", 8_000, 1)],
        ),
        call("names in another case", vec![mime("AUDIO/Opus", &opus()), mime("video/vp8", &start)]),
        call(
            "own parameters on top of ours",
            vec![h264(1, "42e01f").with_parameter("level-asymmetry-allowed", 0)],
        ),
        call("own feedback is not taken", vec![video("VP9").with_feedback("ack", "rpsi")]),
        call("mono is the default", vec![RtpCodecCapability { channels: None, ..audio("PCMA", 8_000, 1) }]),
        call(
            "channels of video do not matter",
            vec![RtpCodecCapability { channels: Some(3), ..video("VP8") }],
        ),
        call("the same codec twice", vec![opus(), opus()]),
    ]
}

fn payload_types() -> Vec<Call> {
    let many = |name: &str, count| (0..count).map(|_| video(name)).collect::<Vec<_>>();
    let audio_many = |count| (0..count).map(|_| opus()).collect::<Vec<_>>();
    let mut late = many("VP8", 13);
    late.push(prefers(opus(), 125));
    vec![
        call("a preferred payload type", vec![prefers(opus(), 111), video("VP8")]),
        call("a preferred dynamic one is not given again", vec![prefers(video("VP8"), 100), video("VP9")]),
        call(
            "RTX takes the next one after the preferred",
            vec![prefers(video("VP8"), 101), prefers(video("VP9"), 102)],
        ),
        call("a static type given away", vec![prefers(audio("PCMU", 8_000, 1), 96)]),
        call(
            "a preferred type below the dynamic ones",
            vec![prefers(video("AV1"), 35), prefers(video("H264"), 0)],
        ),
        call("0 and 127 are the edges", vec![prefers(opus(), 0), prefers(video("VP8"), 127)]),
        call("preferred twice", vec![prefers(opus(), 111), prefers(video("VP8"), 111)]),
        call("preferred, but taken by an earlier codec", vec![opus(), prefers(video("VP8"), 100)]),
        call("preferred, but taken by an earlier RTX", vec![video("VP8"), prefers(opus(), 101)]),
        call("preferred, but static for an earlier one", vec![audio("PCMU", 8_000, 1), prefers(opus(), 0)]),
        call(
            "CN at two clock rates has one static type",
            vec![audio("CN", 8_000, 1), audio("CN", 16_000, 1)],
        ),
        call(
            "CN at two clock rates, one moved",
            vec![audio("CN", 8_000, 1), prefers(audio("CN", 16_000, 1), 98)],
        ),
        call("the last four are 96 to 99", audio_many(32)),
        call("one codec too many", audio_many(33)),
        call("video takes two each", many("VP8", 16)),
        call("one video codec too many", many("VP8", 17)),
        call("the last free one lacks its RTX", {
            let mut codecs = audio_many(31);
            codecs.push(video("VP8"));
            codecs
        }),
        call("late wish for a type that RTX has", late),
        call("128 above the edge", vec![prefers(opus(), 128)]),
        call("255 far above the edge", vec![opus(), prefers(video("VP8"), 255)]),
    ]
}

fn refused() -> Vec<Call> {
    let surround = || {
        audio("multiopus", 48_000, 6).with_parameter("num_streams", 4).with_parameter("coupled_streams", 2)
    };
    let opus_as = |mime_type| mime(mime_type, &opus());
    vec![
        call("unknown codec", vec![opus(), video("VP7")]),
        call("unknown audio codec", vec![audio("AAC", 48_000, 2)]),
        call("RTX is ours to add", vec![video("VP8"), video("rtx").with_parameter("apt", 100)]),
        call("red for video is not supported", vec![video("red")]),
        call("ulpfec is not supported", vec![video("VP8"), video("ulpfec")]),
        call("FlexFEC of the RFC is not supported", vec![video("VP8"), video("flexfec")]),
        call("RED without Opus", vec![audio("PCMU", 8_000, 1), red()]),
        call("RED at another rate", vec![opus(), audio("red", 8_000, 1)]),
        call("wrong clock rate", vec![audio("opus", 44_100, 2)]),
        call("wrong channels", vec![audio("opus", 48_000, 1)]),
        call("channels of opus left out", vec![RtpCodecCapability { channels: None, ..opus() }]),
        call("no channels at all", vec![audio("opus", 48_000, 0)]),
        call("clock rate 0", vec![RtpCodecCapability { clock_rate: 0, ..video("VP8") }]),
        call("no MIME type", vec![opus_as("")]),
        call("MIME type without a slash", vec![opus_as("opus")]),
        call("MIME type without a name", vec![opus_as("audio/")]),
        call("MIME type of another sort", vec![opus_as("application/opus")]),
        call("MIME type with a blank in front", vec![opus_as(" audio/opus")]),
        call("kind and MIME type disagree", vec![opus_as("video/VP8")]),
        call("multiopus without its streams", vec![audio("multiopus", 48_000, 6)]),
        call("multiopus, channel mapping left out", vec![surround()]),
        call("multiopus, digits as text", vec![surround().with_parameter("num_streams", "4")]),
        call("multiopus with other streams", vec![surround().with_parameter("num_streams", 6)]),
        call("multiopus with other coupled streams", vec![surround().with_parameter("coupled_streams", 1)]),
        call("apt as a text", vec![video("VP8").with_parameter("apt", "100")]),
        call("feedback without a type", vec![video("VP8").with_feedback("", "pli")]),
        call("129 codecs", (0..129).map(|_| opus()).collect()),
    ]
}

/// Capabilities as routers and endpoints have them: all of these are fine.
fn valid_capabilities() -> Vec<Call> {
    let valid = |name: &str, capabilities: &RtpCapabilities| {
        Call::new("validateRtpCapabilities", name, json!({ "rtpCapabilities": capabilities }))
    };
    let rtx = video("rtx");
    let fec = video("flexfec-03").with_parameter("repair-window", 10_000_000);
    let foreign =
        RtpCapabilities { codecs: vec![rtx, fec, video("red"), video("ulpfec")], header_extensions: vec![] };
    vec![
        valid("nothing", &RtpCapabilities::default()),
        valid("everything supported", &supported_rtp_capabilities()),
        valid("a router's", &router(&[opus(), video("VP8")])),
        valid("codecs that nobody here knows, RTX without apt", &foreign),
        Call::new("validateRtpCapabilities", "fields left out", json!({ "rtpCapabilities": {} })),
        Call::new(
            "validateRtpCapabilities",
            "defaults left out",
            json!({ "rtpCapabilities": {
                "codecs": [{ "kind": "audio", "mimeType": "audio/PCMU", "clockRate": 8000 }],
                "headerExtensions": [{ "kind": "audio", "uri": "urn:x", "preferredId": 1 }],
            }}),
        ),
    ]
}

fn prefers(codec: RtpCodecCapability, payload_type: u8) -> RtpCodecCapability {
    RtpCodecCapability { preferred_payload_type: Some(payload_type), ..codec }
}

fn mime(mime_type: &str, codec: &RtpCodecCapability) -> RtpCodecCapability {
    RtpCodecCapability { mime_type: mime_type.to_owned(), ..codec.clone() }
}
