//! Parameters that are right, though some look odd.

use serde_json::{Value, json};
use tidegate_protocol::ortc::dictionary::{
    MediaKind, RtpCodecParameters, RtpEncodingParameters, RtpParameters, Rtx,
};

use super::Call;
use super::build::{audio, h264, produced, simulcast, video};

pub(crate) fn calls() -> Vec<Call> {
    right()
        .into_iter()
        .map(|(name, kind, parameters)| call(name, kind, &json!(parameters)))
        .chain(texts())
        .collect()
}

fn call(name: &str, kind: MediaKind, parameters: &Value) -> Call {
    Call::new("validateRtpParameters", name, json!({ "kind": kind, "rtpParameters": parameters }))
}

/// Right parameters, each with what is remarkable.
pub(crate) fn right() -> Vec<(&'static str, MediaKind, RtpParameters)> {
    use MediaKind::{Audio, Video};
    let vp8 = || produced(&video("VP8"));
    let with = |change: fn(&mut RtpParameters)| {
        let mut parameters = vp8();
        change(&mut parameters);
        parameters
    };
    let many = RtpParameters { encodings: (0..16).map(RtpEncodingParameters::of_ssrc).collect(), ..vp8() };
    vec![
        ("audio", Audio, produced(&audio("opus", 48_000, 2))),
        ("video with RTX", Video, vp8()),
        ("simulcast by RID", Video, simulcast(&h264(1, "42e01f"), 3, "L1T3")),
        ("VP9 simulcast", Video, simulcast(&video("VP9"), 3, "L1T2")),
        ("AV1 simulcast", Video, simulcast(&video("AV1"), 2, "")),
        ("16 encodings", Video, many),
        (
            "a single stream by its MID",
            Video,
            with(|all| all.encodings = vec![RtpEncodingParameters::default()]),
        ),
        ("RID and SSRC both", Video, with(|all| all.encodings[0].rid = Some("hi".to_owned()))),
        ("no RTCP name yet", Video, with(|all| all.rtcp.cname.clear())),
        (
            "SSRC 0 and the largest",
            Video,
            with(|all| {
                all.encodings[0].ssrc = Some(0);
                all.encodings[0].rtx = Some(Rtx { ssrc: u32::MAX });
            }),
        ),
        (
            "a scalability mode that is none",
            Video,
            with(|all| {
                all.encodings[0].scalability_mode = Some("whatever".to_owned());
            }),
        ),
        ("RTX before its codec", Video, with(|all| all.codecs.reverse())),
        ("two RTX formats of one codec", Video, with(|all| all.codecs.push(RtpCodecParameters::rtx(98, 96)))),
        (
            "MIME types in another case",
            Video,
            with(|all| {
                all.codecs[0].mime_type = "VIDEO/vp8".to_owned();
                all.codecs[1].mime_type = "Video/RTX".to_owned();
            }),
        ),
        (
            "extension ids 14, 16 and 255",
            Video,
            with(|all| {
                for (extension, id) in all.header_extensions.iter_mut().zip([14, 16, 255]) {
                    extension.id = id;
                }
            }),
        ),
        ("an encoding names its codec", Video, with(|all| all.encodings[0].codec_payload_type = Some(96))),
    ]
}

/// What only JSON can say.
fn texts() -> Vec<Call> {
    let codec = |parameters: Value| {
        json!({ "codecs": [{ "mimeType": "video/H264", "payloadType": 96, "clockRate": 90000, "parameters": parameters }],
                "encodings": [{ "ssrc": 1 }] })
    };
    let least = json!({ "codecs": [{ "mimeType": "audio/PCMU", "payloadType": 0, "clockRate": 8000 }],
                        "encodings": [{ "ssrc": 1 }] });
    let extra = json!({ "codecs": [{ "mimeType": "audio/PCMU", "payloadType": 0, "clockRate": 8000, "sdpFmtpLine": "" }],
                        "headerExtensions": [{ "uri": "urn:x", "id": 1, "parameters": { "vad": "on" } }],
                        "encodings": [{ "ssrc": 1, "active": true, "scaleResolutionDownBy": 2.5 }],
                        "rtcp": { "mux": true } });
    vec![
        call("least that can be said", MediaKind::Audio, &least),
        call("keys that are not ours", MediaKind::Audio, &extra),
        call(
            "numbers, texts and booleans",
            MediaKind::Video,
            &codec(
                json!({ "packetization-mode": 1.0, "level-asymmetry-allowed": true, "a": 0.5, "b": "", "c": -1 }),
            ),
        ),
        call("a value left empty", MediaKind::Video, &codec(json!({ "x": null }))),
        call("apt of 1.0 is a number", MediaKind::Video, &codec(json!({ "apt": 1.0 }))),
    ]
}
