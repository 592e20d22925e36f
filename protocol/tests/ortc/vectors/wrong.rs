//! Every way to be wrong, each once: capabilities and parameters that are refused, with the field that is named.
//!
//! Used as vectors, and by the tests that state which field and class each one has.

use serde_json::json;
use tidegate_protocol::error::ErrorKind::{self, InvalidArgument, Unsupported};
use tidegate_protocol::ortc::dictionary::{
    Fec, MediaKind, RtpCapabilities, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtension,
    RtpParameters, Rtx,
};

use super::Call;
use super::build::{MID, extension, produced, produced_fec, router, simulcast, video};

/// One mistake: what it is, what it makes of right parameters, which field is named.
pub(crate) struct Mistake<T> {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&mut T),
    pub(crate) kind: ErrorKind,
    pub(crate) field: &'static str,
}

pub(crate) fn calls() -> Vec<Call> {
    let capabilities = CAPABILITIES.iter().map(|mistake| {
        let mut capabilities = right_capabilities();
        (mistake.make)(&mut capabilities);
        Call::new("validateRtpCapabilities", mistake.name, json!({ "rtpCapabilities": capabilities }))
            .refused(mistake.kind, mistake.field)
    });
    let parameters = PARAMETERS.iter().map(|mistake| {
        let mut parameters = right_parameters();
        (mistake.make)(&mut parameters);
        let input = json!({ "kind": "video", "rtpParameters": parameters });
        Call::new("validateRtpParameters", mistake.name, input).refused(mistake.kind, mistake.field)
    });
    capabilities.chain(parameters).collect()
}

/// What the mistakes in capabilities are made in.
pub(crate) fn right_capabilities() -> RtpCapabilities {
    let mut capabilities = router(&[video("VP8")]);
    capabilities.header_extensions.retain(|extension| extension.preferred_id <= 2);
    capabilities
}

/// What the mistakes in parameters are made in: video, payload types 96 and 97, extension ids 4, 2, 3, three RIDs.
pub(crate) fn right_parameters() -> RtpParameters {
    simulcast(&video("VP8"), 3, "L1T3")
}

/// One SSRC instead of three RIDs.
fn single(parameters: &mut RtpParameters) -> &mut RtpEncodingParameters {
    *parameters = produced(&video("VP8"));
    &mut parameters.encodings[0]
}

const fn wrong<T>(name: &'static str, field: &'static str, make: fn(&mut T)) -> Mistake<T> {
    Mistake { name, make, kind: InvalidArgument, field }
}

const fn unsupported<T>(name: &'static str, field: &'static str, make: fn(&mut T)) -> Mistake<T> {
    Mistake { name, make, kind: Unsupported, field }
}

pub(crate) const CAPABILITIES: &[Mistake<RtpCapabilities>] = &[
    wrong("129 codecs", "rtpCapabilities.codecs", |all| all.codecs = vec![video("VP8"); 129]),
    wrong("65 extensions", "rtpCapabilities.headerExtensions", |all| {
        all.header_extensions = vec![all.header_extensions[0].clone(); 65];
    }),
    wrong("malformed MIME type", "rtpCapabilities.codecs[0].mimeType", |all| {
        all.codecs[0].mime_type = "video".to_owned();
    }),
    wrong("MIME type of 65 bytes", "rtpCapabilities.codecs[0].mimeType", |all| {
        all.codecs[0].mime_type = format!("video/{}", "x".repeat(59));
    }),
    wrong("kind mismatch", "rtpCapabilities.codecs[1].kind", |all| all.codecs[1].kind = MediaKind::Audio),
    wrong("preferred payload type 128", "rtpCapabilities.codecs[0].preferredPayloadType", |all| {
        all.codecs[0].preferred_payload_type = Some(128);
    }),
    wrong("preferred payload type twice", "rtpCapabilities.codecs[1].preferredPayloadType", |all| {
        all.codecs[1].preferred_payload_type = Some(100);
    }),
    wrong("static payload type for two names", "rtpCapabilities.codecs[1].preferredPayloadType", |all| {
        all.codecs.iter_mut().for_each(|codec| codec.preferred_payload_type = Some(13));
    }),
    wrong("clock rate 0", "rtpCapabilities.codecs[0].clockRate", |all| all.codecs[0].clock_rate = 0),
    wrong("0 channels", "rtpCapabilities.codecs[0].channels", |all| all.codecs[0].channels = Some(0)),
    wrong("apt as a text", "rtpCapabilities.codecs[1].parameters.apt", |all| {
        all.codecs[1].parameters.insert("apt".to_owned(), "100".into());
    }),
    wrong("33 format parameters", "rtpCapabilities.codecs[0].parameters", |all| {
        all.codecs[0].parameters = (0..33).map(|index| (format!("p{index}"), 1.into())).collect();
    }),
    wrong("17 kinds of feedback", "rtpCapabilities.codecs[0].rtcpFeedback", |all| {
        all.codecs[0].rtcp_feedback = vec![all.codecs[0].rtcp_feedback[0].clone(); 17];
    }),
    wrong("feedback without a type", "rtpCapabilities.codecs[0].rtcpFeedback[1].type", |all| {
        all.codecs[0].rtcp_feedback[1].kind.clear();
    }),
    wrong("feedback of 33 bytes", "rtpCapabilities.codecs[0].rtcpFeedback[0].parameter", |all| {
        all.codecs[0].rtcp_feedback[0].parameter = "x".repeat(33);
    }),
    wrong("extension without a URI", "rtpCapabilities.headerExtensions[0].uri", |all| {
        all.header_extensions[0].uri.clear();
    }),
    wrong("extension id 0", "rtpCapabilities.headerExtensions[2].preferredId", |all| {
        all.header_extensions[2].preferred_id = 0;
    }),
    wrong("extension id 15", "rtpCapabilities.headerExtensions[2].preferredId", |all| {
        all.header_extensions[2].preferred_id = 15;
    }),
    wrong("extension id twice for a kind", "rtpCapabilities.headerExtensions[2].preferredId", |all| {
        all.header_extensions[2].preferred_id = 1;
    }),
    wrong("extension URI twice for a kind", "rtpCapabilities.headerExtensions[3].uri", |all| {
        let again = RtpHeaderExtension { preferred_id: 9, ..all.header_extensions[1].clone() };
        all.header_extensions.push(again);
    }),
];

pub(crate) const PARAMETERS: &[Mistake<RtpParameters>] = &[
    wrong("65 codecs", "rtpParameters.codecs", |all| all.codecs = vec![RtpCodecParameters::vp8(96); 65]),
    wrong("no codec", "rtpParameters.codecs", |all| all.codecs.clear()),
    wrong("RTX alone", "rtpParameters.codecs", |all| drop(all.codecs.remove(0))),
    wrong("two codecs on one payload type", "rtpParameters.codecs[1].payloadType", |all| {
        all.codecs[1].payload_type = 96;
    }),
    wrong("payload type 128", "rtpParameters.codecs[0].payloadType", |all| all.codecs[0].payload_type = 128),
    wrong("RTX without apt", "rtpParameters.codecs[1].parameters.apt", |all| {
        all.codecs[1].parameters.clear()
    }),
    wrong("RTX of a codec that is not there", "rtpParameters.codecs[1].parameters.apt", |all| {
        all.codecs[1] = RtpCodecParameters::rtx(97, 98);
    }),
    wrong("RTX of itself", "rtpParameters.codecs[1].parameters.apt", |all| {
        all.codecs[1] = RtpCodecParameters::rtx(97, 97);
    }),
    wrong("RTX of RTX", "rtpParameters.codecs[2].parameters.apt", |all| {
        all.codecs.push(RtpCodecParameters::rtx(98, 97));
    }),
    wrong("apt beyond a byte", "rtpParameters.codecs[1].parameters.apt", |all| {
        all.codecs[1].parameters.insert("apt".to_owned(), (96 + 256).into());
    }),
    wrong("apt as a text", "rtpParameters.codecs[1].parameters.apt", |all| {
        all.codecs[1].parameters.insert("apt".to_owned(), "96".into());
    }),
    wrong("malformed MIME type", "rtpParameters.codecs[0].mimeType", |all| {
        all.codecs[0].mime_type = "VP8".to_owned();
    }),
    wrong("audio among video", "rtpParameters.codecs[0].mimeType", |all| {
        all.codecs[0].mime_type = "audio/opus".to_owned();
    }),
    unsupported("unknown MIME type", "rtpParameters.codecs[0].mimeType", |all| {
        all.codecs[0].mime_type = "video/VP7".to_owned();
    }),
    unsupported("FEC", "rtpParameters.codecs[2].mimeType", |all| {
        all.codecs.push(RtpCodecParameters::new("video/ulpfec", 98, 90_000));
    }),
    unsupported("RED for video", "rtpParameters.codecs[2].mimeType", |all| {
        all.codecs.push(RtpCodecParameters::new("video/red", 98, 90_000));
    }),
    wrong("FEC alone", "rtpParameters.codecs", |all| {
        *all = produced_fec();
        all.codecs.drain(..2);
    }),
    wrong("RTX of FEC", "rtpParameters.codecs[1].parameters.apt", |all| {
        *all = produced_fec();
        all.codecs[1].parameters.insert("apt".to_owned(), 98.into());
    }),
    wrong("FEC by SSRC without its codec", "rtpParameters.encodings[0].fec", |all| {
        all.encodings[0].fec = Some(Fec { ssrc: 1 });
    }),
    wrong("FEC with the SSRC of RTX", "rtpParameters.encodings[0].fec.ssrc", |all| {
        *all = produced_fec();
        all.encodings[0].fec = Some(Fec { ssrc: 11_111_112 });
    }),
    wrong("encoding of the codec FEC", "rtpParameters.encodings[0].codecPayloadType", |all| {
        *all = produced_fec();
        all.encodings[0].codec_payload_type = Some(98);
    }),
    wrong("clock rate 0", "rtpParameters.codecs[0].clockRate", |all| all.codecs[0].clock_rate = 0),
    wrong("0 channels", "rtpParameters.codecs[0].channels", |all| all.codecs[0].channels = Some(0)),
    wrong("33 format parameters", "rtpParameters.codecs[0].parameters", |all| {
        all.codecs[0].parameters = (0..33).map(|index| (format!("p{index}"), 1.into())).collect();
    }),
    wrong("format parameter of 1025 bytes", "rtpParameters.codecs[0].parameters.fmtp", |all| {
        all.codecs[0].parameters.insert("fmtp".to_owned(), "x".repeat(1025).as_str().into());
    }),
    wrong("17 kinds of feedback", "rtpParameters.codecs[0].rtcpFeedback", |all| {
        all.codecs[0].rtcp_feedback = vec![all.codecs[0].rtcp_feedback[0].clone(); 17];
    }),
    wrong("feedback without a type", "rtpParameters.codecs[0].rtcpFeedback[0].type", |all| {
        all.codecs[0].rtcp_feedback[0].kind.clear();
    }),
    wrong("33 extensions", "rtpParameters.headerExtensions", |all| {
        all.header_extensions = vec![extension(MID, 1); 33];
    }),
    wrong("extension id 0", "rtpParameters.headerExtensions[1].id", |all| all.header_extensions[1].id = 0),
    wrong("extension id 15", "rtpParameters.headerExtensions[1].id", |all| all.header_extensions[1].id = 15),
    wrong("extension id twice", "rtpParameters.headerExtensions[2].id", |all| {
        all.header_extensions[2].id = 4
    }),
    wrong("extension URI twice", "rtpParameters.headerExtensions[3].uri", |all| {
        all.header_extensions.push(extension(MID, 9));
    }),
    wrong("extension without a URI", "rtpParameters.headerExtensions[0].uri", |all| {
        all.header_extensions[0].uri.clear();
    }),
    wrong("extension URI of 257 bytes", "rtpParameters.headerExtensions[0].uri", |all| {
        all.header_extensions[0].uri = "u".repeat(257);
    }),
    unsupported("encrypted extension", "rtpParameters.headerExtensions[0].encrypt", |all| {
        all.header_extensions[0].encrypt = true;
    }),
    wrong("no encoding", "rtpParameters.encodings", |all| all.encodings.clear()),
    wrong("17 encodings", "rtpParameters.encodings", |all| {
        all.encodings = (0..17).map(RtpEncodingParameters::of_ssrc).collect();
    }),
    wrong("SSRC twice", "rtpParameters.encodings[1].ssrc", |all| {
        all.encodings[0].ssrc = Some(7);
        all.encodings[1].ssrc = Some(7);
    }),
    wrong("SSRC of RTX is that of its stream", "rtpParameters.encodings[0].rtx.ssrc", |all| {
        single(all).rtx = Some(Rtx { ssrc: 11_111_111 });
    }),
    wrong("SSRC of RTX is that of another stream", "rtpParameters.encodings[1].ssrc", |all| {
        all.encodings[0].rtx = Some(Rtx { ssrc: 7 });
        all.encodings[1].ssrc = Some(7);
    }),
    wrong("RID twice", "rtpParameters.encodings[2].rid", |all| {
        all.encodings[2].rid = all.encodings[0].rid.clone();
    }),
    wrong("empty RID", "rtpParameters.encodings[0].rid", |all| all.encodings[0].rid = Some(String::new())),
    wrong("RID of 33 bytes", "rtpParameters.encodings[0].rid", |all| {
        all.encodings[0].rid = Some("r".repeat(33))
    }),
    wrong("codec of an encoding is not there", "rtpParameters.encodings[2].codecPayloadType", |all| {
        all.encodings[2].codec_payload_type = Some(98);
    }),
    wrong("codec of an encoding is RTX", "rtpParameters.encodings[0].codecPayloadType", |all| {
        all.encodings[0].codec_payload_type = Some(97);
    }),
    wrong("several encodings, one without a name", "rtpParameters.encodings[1]", |all| {
        all.encodings[1].rid = None;
    }),
    wrong("neither name nor MID", "rtpParameters.encodings[0]", |all| {
        single(all).ssrc = None;
        all.mid = None;
    }),
    wrong("spatial layers in simulcast", "rtpParameters.encodings[1].scalabilityMode", |all| {
        all.encodings[1].scalability_mode = Some("L3T3".to_owned());
    }),
    wrong("scalability mode of 33 bytes", "rtpParameters.encodings[0].scalabilityMode", |all| {
        all.encodings[0].scalability_mode = Some("L1T3".repeat(9));
    }),
    wrong("empty MID", "rtpParameters.mid", |all| all.mid = Some(String::new())),
    wrong("MID of 33 bytes", "rtpParameters.mid", |all| all.mid = Some("m".repeat(33))),
    wrong("CNAME of 256 bytes", "rtpParameters.rtcp.cname", |all| all.rtcp.cname = "c".repeat(256)),
];
