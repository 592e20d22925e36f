//! Calls a function of `ortc` by name, with JSON arguments.
//!
//! Knows the names of functions and arguments in the vectors. Does not know what comes out. Used by [`super`].
//! Invariant: arguments are read as an application's JSON would be.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::ortc::dictionary::{MediaKind, RtpCapabilities, RtpCodecCapability, RtpParameters};
use tidegate_protocol::ortc::{self, ConsumerEncodings, ConsumerOptions, OrtcError, PipeConsumerOptions};
use tidegate_protocol::rtp::{CodecMapping, EncodingMapping, RtpMapping};

/// The outcome: `{output}` or `{error: {kind, field}}`.
pub(crate) fn evaluate(function: &str, input: &Value) -> Value {
    match call(function, &Input(input)) {
        Ok(output) => json!({ "output": output }),
        Err(error) => json!({ "error": { "kind": format!("{:?}", error.kind), "field": error.field } }),
    }
}

fn call(function: &str, input: &Input<'_>) -> Result<Value, OrtcError> {
    Ok(match function {
        "supportedRtpCapabilities" => value(&ortc::supported_rtp_capabilities()),
        "routerRtpCapabilities" => {
            let codecs: Vec<RtpCodecCapability> = input.read("mediaCodecs");
            value(&ortc::router_rtp_capabilities(&codecs)?)
        }
        "validateRtpCapabilities" => {
            value(&ortc::validate_rtp_capabilities(&input.capabilities("rtpCapabilities"))?)
        }
        "validateRtpParameters" => {
            value(&ortc::validate_rtp_parameters(input.kind(), &input.parameters("rtpParameters"))?)
        }
        "producerMapping" => {
            let (parameters, router) = (input.parameters("rtpParameters"), input.router());
            let first: u32 = input.read("firstMappedSsrc");
            mapping_value(&ortc::producer_mapping(input.kind(), &parameters, &router, first)?)
        }
        "consumableRtpParameters" => {
            let (parameters, router) = (input.parameters("rtpParameters"), input.router());
            let mapping = mapping(&input.0["rtpMapping"]);
            value(&ortc::consumable_rtp_parameters(input.kind(), &parameters, &router, &mapping)?)
        }
        "canConsume" => {
            let consumable = input.parameters("consumableRtpParameters");
            value(&ortc::can_consume(&consumable, &input.capabilities("rtpCapabilities"))?)
        }
        "consumerRtpParameters" => {
            let consumable = input.parameters("consumableRtpParameters");
            let (remote, options) = (input.capabilities("rtpCapabilities"), input.options());
            value(&ortc::consumer_rtp_parameters(&consumable, &remote, &options)?)
        }
        "pipeConsumerRtpParameters" => {
            let consumable = input.parameters("consumableRtpParameters");
            value(&ortc::pipe_consumer_rtp_parameters(&consumable, &input.pipe_options())?)
        }
        "parseScalabilityMode" => {
            let text: String = input.read("scalabilityMode");
            value(&ortc::ScalabilityMode::parse(&text))
        }
        other => panic!("no function {other}"),
    })
}

/// The arguments of one call.
struct Input<'a>(&'a Value);

impl Input<'_> {
    fn read<T: DeserializeOwned>(&self, name: &str) -> T {
        read(&self.0[name])
    }

    fn kind(&self) -> MediaKind {
        self.read("kind")
    }

    fn parameters(&self, name: &str) -> RtpParameters {
        self.read(name)
    }

    fn capabilities(&self, name: &str) -> RtpCapabilities {
        self.read(name)
    }

    fn router(&self) -> RtpCapabilities {
        self.capabilities("routerRtpCapabilities")
    }

    fn options(&self) -> ConsumerOptions {
        let options = &self.0["options"];
        let encodings = match options["rtxSsrc"].as_u64() {
            Some(_) => ConsumerEncodings::All { rtx_ssrc: read(&options["rtxSsrc"]) },
            None => ConsumerEncodings::One,
        };
        let (ssrc, enable_rtx) = (read(&options["ssrc"]), read(&options["enableRtx"]));
        ConsumerOptions { ssrc, enable_rtx, mid: read(&options["mid"]), encodings }
    }

    fn pipe_options(&self) -> PipeConsumerOptions {
        let options = &self.0["options"];
        PipeConsumerOptions {
            ssrc: read(&options["ssrc"]),
            rtx_ssrc: read(&options["rtxSsrc"]),
            enable_rtx: read(&options["enableRtx"]),
        }
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).expect("a vector's arguments are of the dictionary's types")
}

fn value(output: &impl Serialize) -> Value {
    serde_json::to_value(output).expect("dictionaries are JSON")
}

/// The wire's mapping as JSON, without what is absent.
pub(crate) fn mapping_value(mapping: &RtpMapping) -> Value {
    let codec = |codec: &CodecMapping| json!({ "payloadType": codec.payload_type, "mappedPayloadType": codec.mapped_payload_type });
    let encoding = |encoding: &EncodingMapping| {
        let text = |text: &Option<Text<32>>| text.as_ref().map(|text| Value::from(text.as_str()));
        let members = [
            ("ssrc", encoding.ssrc.map(Value::from)),
            ("rid", text(&encoding.rid)),
            ("scalabilityMode", text(&encoding.scalability_mode)),
            ("mappedSsrc", Some(encoding.mapped_ssrc.into())),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect::<Map<_, _>>())
    };
    let codecs: Vec<Value> = mapping.codecs.iter().map(codec).collect();
    let encodings: Vec<Value> = mapping.encodings.iter().map(encoding).collect();
    json!({ "codecs": codecs, "encodings": encodings })
}

fn mapping(json: &Value) -> RtpMapping {
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(Text::clipped);
    let codecs = list("codecs").into_iter().map(|codec| CodecMapping {
        payload_type: read(&codec["payloadType"]),
        mapped_payload_type: read(&codec["mappedPayloadType"]),
    });
    let encodings = list("encodings").into_iter().map(|encoding| EncodingMapping {
        ssrc: read(&encoding["ssrc"]),
        rid: text(&encoding["rid"]),
        scalability_mode: text(&encoding["scalabilityMode"]),
        mapped_ssrc: read(&encoding["mappedSsrc"]),
    });
    RtpMapping { codecs: List::first_of(codecs), encodings: List::first_of(encodings) }
}
