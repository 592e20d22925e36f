//! RED and FlexFEC through every step of negotiation: with whom they pass, and where they stay behind.

use serde_json::{Value, json};
use tidegate_protocol::error::ErrorKind::InvalidArgument;
use tidegate_protocol::ortc::dictionary::{
    Fec, MediaKind, ParameterValue, RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpParameters,
};
use tidegate_protocol::ortc::producer_mapping;

use super::Call;
use super::build::{
    FIRST_MAPPED_SSRC, audio, device, flexfec, in_use, produce, produced_fec, produced_red, red, red_in_use,
    router, video,
};
use super::call::mapping_value;

pub(crate) fn calls() -> Vec<Call> {
    let mut calls = routers();
    for (name, kind, parameters) in producers() {
        calls.push(validate(name, kind, &parameters));
        let room = room();
        let input = json!({ "kind": kind, "rtpParameters": parameters, "routerRtpCapabilities": room,
                            "firstMappedSsrc": FIRST_MAPPED_SSRC });
        calls.push(Call::new("producerMapping", name, input));
        let mapping =
            producer_mapping(kind, &parameters, &room, FIRST_MAPPED_SSRC).expect("the room has them");
        let input = json!({ "kind": kind, "rtpParameters": parameters, "routerRtpCapabilities": room,
                            "rtpMapping": mapping_value(&mapping) });
        calls.push(Call::new("consumableRtpParameters", name, input));
    }
    for (name, parameters) in wrong() {
        let call = validate(name, MediaKind::Audio, &parameters);
        calls.push(call.refused(InvalidArgument, "rtpParameters.codecs[0].parameters"));
    }
    calls.extend(unmapped());
    calls.extend(consumers());
    calls
}

fn opus() -> RtpCodecCapability {
    audio("opus", 48_000, 2)
}

fn routers() -> Vec<Call> {
    let call =
        |name: &str, codecs: &[_]| Call::new("routerRtpCapabilities", name, json!({ "mediaCodecs": codecs }));
    let own = red().with_parameter("", "111/111");
    vec![
        call("Opus and RED", &[opus(), red()]),
        call("RED in front of Opus", &[red(), opus()]),
        call("RED with a browser's parameter", &[opus().with_payload_type(109), own]),
        call("VP8 and FlexFEC, which has no RTX", &[video("VP8"), flexfec()]),
        call("FlexFEC with a window of its own", &[flexfec().with_parameter("repair-window", 200_000)]),
    ]
}

fn room() -> RtpCapabilities {
    let tones = audio("telephone-event", 48_000, 1);
    bare(&[opus(), red(), tones, video("VP8"), flexfec()])
}

/// A router without header extensions, which do not matter here.
fn bare(codecs: &[RtpCodecCapability]) -> RtpCapabilities {
    RtpCapabilities { header_extensions: vec![], ..router(codecs) }
}

fn producers() -> Vec<(&'static str, MediaKind, RtpParameters)> {
    let with = |red: RtpCodecParameters| {
        let mut parameters = produced_red();
        parameters.codecs[0] = red;
        parameters
    };
    let mut tones = with(red_in_use(63, "111/110/111"));
    tones.codecs.push(in_use(&audio("telephone-event", 48_000, 1), 110));
    let by_mid = {
        let mut parameters = produced_fec();
        parameters.encodings[0].fec = None;
        parameters
    };
    vec![
        ("RED, two blocks of Opus", MediaKind::Audio, produced_red()),
        (
            "RED as a library reads its line",
            MediaKind::Audio,
            with(in_use(&red(), 63).with_parameter("111/111", "")),
        ),
        ("RED without its list", MediaKind::Audio, with(in_use(&red(), 63))),
        ("RED of one block, a number", MediaKind::Audio, with(in_use(&red(), 63).with_parameter("", 111))),
        ("RED with tones between", MediaKind::Audio, tones),
        ("FlexFEC", MediaKind::Video, produced_fec()),
        ("FlexFEC without its SSRC", MediaKind::Video, by_mid),
    ]
}

/// Each names RED's parameters.
fn wrong() -> Vec<(&'static str, RtpParameters)> {
    let list = |value: ParameterValue| {
        let mut parameters = produced_red();
        parameters.codecs[0].parameters = [(String::new(), value)].into();
        parameters
    };
    let mut alone = produced_red();
    alone.codecs.truncate(1);
    alone.codecs[0].parameters.clear();
    let mut other_rate = produced_red();
    other_rate.codecs.push(in_use(&audio("PCMU", 8_000, 1), 0));
    other_rate.codecs[0] = red_in_use(63, "111/0");
    vec![
        ("RED with a list that is none", list("opus".into())),
        ("RED with a payload type above 127", list("111/128".into())),
        ("RED with 33 blocks", list(vec!["111"; 33].join("/").as_str().into())),
        ("RED of a codec that is not there", list("112/112".into())),
        ("RED of RED", list("63/111".into())),
        ("RED of another clock rate", other_rate),
        ("RED alone", alone),
    ]
}

fn validate(name: &str, kind: MediaKind, parameters: &RtpParameters) -> Call {
    Call::new("validateRtpParameters", name, json!({ "kind": kind, "rtpParameters": parameters }))
}

/// Rooms that lack them, and a mapping that does.
fn unmapped() -> Vec<Call> {
    let call = |name: &str, kind: MediaKind, parameters: &RtpParameters, codecs: &[_]| {
        let input = json!({ "kind": kind, "rtpParameters": parameters, "firstMappedSsrc": 1,
                            "routerRtpCapabilities": bare(codecs) });
        Call::new("producerMapping", name, input)
    };
    let mapping = json!({ "codecs": [{ "payloadType": 63, "mappedPayloadType": 101 }],
                          "encodings": [{ "ssrc": 11_111_111, "mappedSsrc": 1 }] });
    let input = json!({ "kind": "audio", "rtpParameters": produced_red(), "routerRtpCapabilities": room(),
                        "rtpMapping": mapping });
    vec![
        call("RED in a room without", MediaKind::Audio, &produced_red(), &[opus()]),
        call("FlexFEC in a room without", MediaKind::Video, &produced_fec(), &[video("VP8")]),
        Call::new("consumableRtpParameters", "blocks of RED are not mapped", input)
            .refused(InvalidArgument, "rtpMapping.codecs"),
    ]
}

fn consumers() -> Vec<Call> {
    let room = room();
    let sound = produce(MediaKind::Audio, &produced_red(), &room);
    let picture = produce(MediaKind::Video, &produced_fec(), &room);
    let only = |name: &'static str| device(&room, move |codec| codec.mime_type.ends_with(name));
    // What no router makes: the step must not rely on the one before.
    let mut foreign = picture.clone();
    foreign.codecs.push(in_use(&flexfec(), 120));
    foreign.encodings[0].fec = Some(Fec { ssrc: 9 });
    let mut broken = sound.clone();
    broken.codecs[0].parameters = [(String::new(), "1/2".into())].into();
    let mut calls = Vec::new();
    for (name, consumable, endpoint) in [
        ("RED by everything", &sound, room.clone()),
        ("RED by Opus alone", &sound, only("/opus")),
        ("RED by RED alone", &sound, only("/red")),
        ("RED with a broken list", &broken, room.clone()),
        ("FlexFEC by everything", &picture, room.clone()),
        ("FlexFEC by FlexFEC alone", &picture, only("/flexfec-03")),
        ("FlexFEC in a foreign consumable", &foreign, room.clone()),
    ] {
        let mut input = json!({ "consumableRtpParameters": consumable, "rtpCapabilities": endpoint });
        calls.push(Call::new("canConsume", name, input.clone()));
        input["options"] = json!({ "ssrc": 300_000_000, "enableRtx": false, "mid": "0" });
        calls.push(Call::new("consumerRtpParameters", name, input));
    }
    let pipe = |name: &str, consumable: &RtpParameters| {
        let options: Value = json!({ "ssrc": 1000, "rtxSsrc": 2000, "enableRtx": false });
        let input = json!({ "consumableRtpParameters": consumable, "options": options });
        Call::new("pipeConsumerRtpParameters", name, input)
    };
    calls.extend([pipe("RED", &sound), pipe("FlexFEC", &foreign)]);
    calls
}
