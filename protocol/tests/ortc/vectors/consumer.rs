//! Consumers: every codec on endpoints of several abilities, simulcast, bandwidth feedback, pipes, and what is refused.

use serde_json::{Value, json};
use tidegate_protocol::ortc::dictionary::{MediaKind, RtcpFeedback, RtpCapabilities, RtpParameters};
use tidegate_protocol::ortc::producer_mapping;

use super::Call;
use super::build::{
    ABS_CAPTURE_TIME, ABS_SEND_TIME, FIRST_MAPPED_SSRC, TRANSPORT_CC, all_codecs, audio, device, extension,
    h264, h265, in_use, produce, produced, router, simulcast, slim, video, without,
};
use super::producer::{PROFILES, Profiles, profile, title};

pub(crate) fn calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for (name, codec) in all_codecs() {
        let router = slim(router(std::slice::from_ref(&codec)));
        let consumable = produce(codec.kind, &produced(&codec), &router);
        calls.push(can(&name, &consumable, &router));
        calls.push(consume(&name, &consumable, &router, options(codec.kind)));
        calls.push(pipe(&name, &consumable, json!({ "ssrc": 1000, "rtxSsrc": 2000, "enableRtx": true })));
    }
    calls.extend(profiles());
    calls.extend(endpoints());
    calls.extend(layers());
    calls.extend(pipes());
    calls.extend(refused());
    calls
}

fn can(name: &str, consumable: &RtpParameters, capabilities: &RtpCapabilities) -> Call {
    let input = json!({ "consumableRtpParameters": consumable, "rtpCapabilities": capabilities });
    Call::new("canConsume", name, input)
}

fn consume(name: &str, consumable: &RtpParameters, capabilities: &RtpCapabilities, options: Value) -> Call {
    let input =
        json!({ "consumableRtpParameters": consumable, "rtpCapabilities": capabilities, "options": options });
    Call::new("consumerRtpParameters", name, input)
}

fn pipe(name: &str, consumable: &RtpParameters, options: Value) -> Call {
    let input = json!({ "consumableRtpParameters": consumable, "options": options });
    Call::new("pipeConsumerRtpParameters", name, input)
}

/// What a host decides by default.
fn options(kind: MediaKind) -> Value {
    json!({ "ssrc": 300_000_000, "enableRtx": kind == MediaKind::Video, "mid": "0" })
}

/// Endpoints that have the producer's codec in another profile.
fn profiles() -> Vec<Call> {
    let call = |(name, ours, theirs, _): &Profiles| {
        let (ours, theirs) = (profile(name, ours), profile(name, theirs));
        let mut router = router(std::slice::from_ref(&ours));
        router.header_extensions.clear();
        let parameters = produced(&ours);
        // A profile that is none matches nothing, its own router's neither.
        producer_mapping(MediaKind::Video, &parameters, &router, FIRST_MAPPED_SSRC).ok()?;
        let consumable = produce(MediaKind::Video, &parameters, &router);
        let name = format!("{name} {} by {}", title(&ours), title(&theirs));
        let endpoint = RtpCapabilities { codecs: vec![theirs], header_extensions: vec![] };
        Some(can(&name, &consumable, &endpoint))
    };
    PROFILES.iter().filter_map(call).collect()
}

fn room() -> RtpCapabilities {
    let opus = audio("opus", 48_000, 2);
    slim(router(&[opus, video("VP8"), h264(1, "42e01f"), video("VP9"), video("AV1"), h265(1, 0, 93)]))
}

/// A VP8 producer in the room, as its consumers see it.
fn vp8() -> RtpParameters {
    produce(MediaKind::Video, &produced(&video("VP8")), &room())
}

/// Producers with endpoints of several abilities.
fn endpoints() -> Vec<Call> {
    let all = device(&room(), |_| true);
    let abilities = vp8_endpoints(&all).into_iter().map(|(name, endpoint)| (name, vp8(), endpoint));
    let calls = abilities.chain(two_codecs(&all)).flat_map(|(name, consumable, endpoint)| {
        [can(name, &consumable, &endpoint), consume(name, &consumable, &endpoint, options(MediaKind::Video))]
    });
    let last = json!({ "ssrc": u32::MAX, "enableRtx": true, "mid": "12345678" });
    let repaired = json!({ "ssrc": 1, "enableRtx": true, "mid": "1" });
    calls
        .chain([
            consume("no RTX wanted", &vp8(), &all, json!({ "ssrc": 1, "enableRtx": false })),
            consume("the last SSRC of all", &vp8(), &all, last),
            consume("NACK for audio when wanted", &opus(), &all, repaired),
        ])
        .collect()
}

/// Endpoints for a producer of VP8, made of one that has everything.
fn vp8_endpoints(all: &RtpCapabilities) -> [(&'static str, RtpCapabilities); 12] {
    let vp8_only = device(all, |codec| codec.mime_type == "video/VP8");
    let changed = |from: &RtpCapabilities, change: fn(&mut RtpCapabilities)| {
        let mut endpoint = from.clone();
        change(&mut endpoint);
        endpoint
    };
    let no_rtx = changed(&vp8_only, |endpoint| endpoint.codecs.truncate(1));
    let other_ids = changed(all, |endpoint| {
        endpoint.header_extensions.iter_mut().for_each(|extension| extension.preferred_id += 20);
    });
    let own_feedback = changed(&no_rtx, |endpoint| {
        endpoint.codecs[0].rtcp_feedback = vec![RtcpFeedback::new("ack", "rpsi")];
    });
    let own_case = changed(&no_rtx, |endpoint| endpoint.codecs[0].mime_type = "VIDEO/vp8".to_owned());
    let remb = without(all.clone(), TRANSPORT_CC);
    [
        ("VP8 by everything", all.clone()),
        ("VP8 by VP8 alone", vp8_only.clone()),
        ("VP8 by H264 alone", device(all, |codec| codec.mime_type == "video/H264")),
        ("no extension has the same id", other_ids),
        ("no RTX at the endpoint", no_rtx),
        ("only RTX at the endpoint", changed(&vp8_only, |endpoint| drop(endpoint.codecs.remove(0)))),
        ("the endpoint's feedback counts", own_feedback),
        ("the endpoint writes names in another case", own_case),
        ("transport-cc without absolute send time", without(all.clone(), ABS_SEND_TIME)),
        ("no bandwidth feedback at all", without(remb.clone(), ABS_SEND_TIME)),
        ("REMB without transport-cc", remb),
        ("an endpoint that can do nothing", RtpCapabilities::default()),
    ]
}

/// A producer of two codecs, with an endpoint of both and one of the second.
fn two_codecs(all: &RtpCapabilities) -> [(&'static str, RtpParameters, RtpCapabilities); 2] {
    let mut both = produced(&video("VP8"));
    both.codecs.push(in_use(&h264(1, "42e01f"), 102));
    let both = produce(MediaKind::Video, &both, &room());
    let h264_only = device(all, |codec| codec.mime_type == "video/H264");
    [
        ("VP8 and H264 by everything", both.clone(), all.clone()),
        ("VP8 and H264 by H264 alone: the first RTX goes", both, h264_only),
    ]
}

fn opus() -> RtpParameters {
    let parameters = produced(&audio("opus", 48_000, 2));
    produce(MediaKind::Audio, &parameters, &room())
}

/// Layers of one encoding that stands for several.
fn layers() -> Vec<Call> {
    let room = room();
    let codecs = [
        ("VP8", video("VP8")),
        ("VP9", video("VP9")),
        ("H264", h264(1, "42e01f")),
        ("AV1", video("AV1")),
        ("H265", h265(1, 0, 93)),
    ];
    let simulcasts = codecs.into_iter().zip([3, 2, 3, 2, 16]).flat_map(|((name, codec), encodings)| {
        let consumable = produce(MediaKind::Video, &simulcast(&codec, encodings, "L1T3"), &room);
        let endpoint = device(&room, |known| known.mime_type == codec.mime_type);
        let all = json!({ "ssrc": 400_000_000, "enableRtx": true, "mid": "1", "rtxSsrc": 500_000_000 });
        [
            consume(
                &format!("{name} simulcast of {encodings}"),
                &consumable,
                &endpoint,
                options(MediaKind::Video),
            ),
            consume(&format!("{name} simulcast of {encodings}, all encodings"), &consumable, &endpoint, all),
        ]
    });
    let mut calls: Vec<Call> = simulcasts.collect();
    let vp9 = device(&room, |known| known.mime_type == "video/VP9");
    for (modes, encodings) in
        [("L3T3_KEY", 1), ("S3T3", 1), ("", 1), ("nonsense", 1), ("", 3), ("nonsense", 3), ("L1T2", 2)]
    {
        let consumable = produce(MediaKind::Video, &simulcast(&video("VP9"), encodings, modes), &room);
        let name = format!("{encodings} encoding(s) of mode \"{modes}\"");
        calls.push(consume(&name, &consumable, &vp9, options(MediaKind::Video)));
    }
    let mut silent = opus();
    silent.encodings[0].dtx = true;
    silent.encodings[0].max_bitrate = Some(0);
    calls.push(consume("sound that pauses", &silent, &room, options(MediaKind::Audio)));
    calls
}

/// From router to router.
fn pipes() -> Vec<Call> {
    let room = room();
    let full = router(&[video("VP8")]);
    let mut captured = produced(&video("VP8"));
    captured.header_extensions.push(extension(ABS_CAPTURE_TIME, 13));
    let mut own_descriptor = full.clone();
    own_descriptor
        .header_extensions
        .iter_mut()
        .for_each(|extension| extension.direction = Default::default());
    let of =
        |parameters: &RtpParameters, router: &RtpCapabilities| produce(MediaKind::Video, parameters, router);
    let simulcast = of(&simulcast(&video("AV1"), 3, "L1T3"), &room);
    let rtx = json!({ "ssrc": 1000, "rtxSsrc": 2000, "enableRtx": true });
    let plain = json!({ "ssrc": 1000, "rtxSsrc": 2000, "enableRtx": false });
    vec![
        pipe("simulcast with RTX", &simulcast, rtx.clone()),
        pipe("simulcast without RTX", &simulcast, plain.clone()),
        pipe("every extension", &of(&captured, &full), plain.clone()),
        pipe("a dependency descriptor that is there", &of(&captured, &own_descriptor), plain.clone()),
        pipe("audio, RTX wanted", &opus(), rtx.clone()),
        pipe("SSRCs wrap", &simulcast, json!({ "ssrc": u32::MAX, "rtxSsrc": 2, "enableRtx": true })),
        pipe(
            "SSRCs of RTX overlap after the wrap",
            &simulcast,
            json!({ "ssrc": u32::MAX, "rtxSsrc": 1, "enableRtx": true }),
        ),
        pipe("SSRCs of RTX overlap", &simulcast, json!({ "ssrc": 1000, "rtxSsrc": 998, "enableRtx": true })),
        pipe("SSRCs of RTX just fit", &simulcast, json!({ "ssrc": 1000, "rtxSsrc": 997, "enableRtx": true })),
        pipe(
            "overlap does not matter without RTX",
            &simulcast,
            json!({ "ssrc": 1000, "rtxSsrc": 1000, "enableRtx": false }),
        ),
    ]
}

/// What makes no consumer.
fn refused() -> Vec<Call> {
    let room = room();
    let mut wrong = room.clone();
    wrong.codecs[1].preferred_payload_type = Some(200);
    let mut empty = vp8();
    empty.encodings.clear();
    let mut crowded = vp8();
    crowded.codecs = vec![crowded.codecs[0].clone(); 65];
    let one = json!({ "ssrc": 1, "enableRtx": true });
    let overlapping = json!({ "ssrc": 1, "enableRtx": true, "rtxSsrc": 1 });
    let mid = |mid: &str| json!({ "ssrc": 1, "enableRtx": true, "mid": mid });
    vec![
        can("wrong capabilities", &vp8(), &wrong),
        can("no encoding", &empty, &room),
        can("too many codecs", &crowded, &room),
        consume("wrong capabilities", &vp8(), &wrong, one.clone()),
        consume("no encoding", &empty, &room, one.clone()),
        consume("SSRC of RTX is that of the stream", &vp8(), &room, overlapping),
        consume("empty MID", &vp8(), &room, mid("")),
        consume("MID of 33 bytes", &vp8(), &room, mid(&"m".repeat(33))),
        pipe("no encoding", &empty, json!({ "ssrc": 1, "rtxSsrc": 3, "enableRtx": false })),
    ]
}
