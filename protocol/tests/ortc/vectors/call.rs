//! Calls a function of `ortc` by name, with JSON arguments.
//!
//! Knows the names of functions and arguments in the vectors. Does not know what comes out. Used by [`super`] and by the
//! example `ortc-answers`. Invariant: arguments are read as an application's JSON would be.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::ortc::dictionary::{MediaKind, RtpCapabilities, RtpCodecCapability, RtpParameters};
use tidegate_protocol::ortc::{self, ConsumerEncodings, ConsumerOptions, OrtcError, PipeConsumerOptions};
use tidegate_protocol::rtp::{CodecMapping, EncodingMapping, RtpMapping};

/// The outcome: `{output}` or `{error: {kind, field}}`; the arguments are of the dictionary's types.
pub(crate) fn evaluate(function: &str, input: &Value) -> Value {
    let outcome = answer(function, input);
    assert!(
        outcome["error"]["kind"] != Misfit::KIND || outcome["error"]["field"].is_string(),
        "{function} {input}"
    );
    outcome
}

/// The outcome, whatever the arguments are: those that are not of the dictionary's types are refused without a field.
pub(crate) fn answer(function: &str, input: &Value) -> Value {
    match call(function, &Input(input)) {
        Ok(output) => json!({ "output": output }),
        Err(Refusal::Negotiation(error)) => {
            json!({ "error": { "kind": format!("{:?}", error.kind), "field": error.field } })
        }
        Err(Refusal::Misfit(Misfit)) => json!({ "error": { "kind": Misfit::KIND } }),
    }
}

/// Arguments that are not of the dictionary's types.
struct Misfit;

impl Misfit {
    const KIND: &'static str = "InvalidArgument";
}

/// Why there is no output.
enum Refusal {
    Misfit(Misfit),
    Negotiation(OrtcError),
}

impl From<Misfit> for Refusal {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

impl From<OrtcError> for Refusal {
    fn from(error: OrtcError) -> Self {
        Self::Negotiation(error)
    }
}

fn call(function: &str, input: &Input<'_>) -> Result<Value, Refusal> {
    Ok(match function {
        "supportedRtpCapabilities" => value(&ortc::supported_rtp_capabilities()),
        "routerRtpCapabilities" => {
            let codecs: Vec<RtpCodecCapability> = input.read("mediaCodecs")?;
            value(&ortc::router_rtp_capabilities(&codecs)?)
        }
        "validateRtpCapabilities" => {
            value(&ortc::validate_rtp_capabilities(&input.capabilities("rtpCapabilities")?)?)
        }
        "validateRtpParameters" => {
            value(&ortc::validate_rtp_parameters(input.kind()?, &input.parameters("rtpParameters")?)?)
        }
        "producerMapping" => {
            let (parameters, router) = (input.parameters("rtpParameters")?, input.router()?);
            let first: u32 = input.read("firstMappedSsrc")?;
            mapping_value(&ortc::producer_mapping(input.kind()?, &parameters, &router, first)?)
        }
        "consumableRtpParameters" => {
            let (parameters, router) = (input.parameters("rtpParameters")?, input.router()?);
            let mapping = mapping(&input.0["rtpMapping"])?;
            value(&ortc::consumable_rtp_parameters(input.kind()?, &parameters, &router, &mapping)?)
        }
        "canConsume" => {
            let consumable = input.parameters("consumableRtpParameters")?;
            value(&ortc::can_consume(&consumable, &input.capabilities("rtpCapabilities")?)?)
        }
        "consumerRtpParameters" => {
            let consumable = input.parameters("consumableRtpParameters")?;
            let (remote, options) = (input.capabilities("rtpCapabilities")?, input.options()?);
            value(&ortc::consumer_rtp_parameters(&consumable, &remote, &options)?)
        }
        "pipeConsumerRtpParameters" => {
            let consumable = input.parameters("consumableRtpParameters")?;
            value(&ortc::pipe_consumer_rtp_parameters(&consumable, &input.pipe_options()?)?)
        }
        "parseScalabilityMode" => {
            let text: String = input.read("scalabilityMode")?;
            value(&ortc::ScalabilityMode::parse(&text))
        }
        other => panic!("no function {other}"),
    })
}

/// The arguments of one call.
struct Input<'a>(&'a Value);

impl Input<'_> {
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, Misfit> {
        read(&self.0[name])
    }

    fn kind(&self) -> Result<MediaKind, Misfit> {
        self.read("kind")
    }

    fn parameters(&self, name: &str) -> Result<RtpParameters, Misfit> {
        self.read(name)
    }

    fn capabilities(&self, name: &str) -> Result<RtpCapabilities, Misfit> {
        self.read(name)
    }

    fn router(&self) -> Result<RtpCapabilities, Misfit> {
        self.capabilities("routerRtpCapabilities")
    }

    fn options(&self) -> Result<ConsumerOptions, Misfit> {
        let options = &self.0["options"];
        let encodings = match read(&options["rtxSsrc"])? {
            Some(rtx_ssrc) => ConsumerEncodings::All { rtx_ssrc },
            None => ConsumerEncodings::One,
        };
        let (ssrc, enable_rtx) = (read(&options["ssrc"])?, read(&options["enableRtx"])?);
        Ok(ConsumerOptions { ssrc, enable_rtx, mid: read(&options["mid"])?, encodings })
    }

    fn pipe_options(&self) -> Result<PipeConsumerOptions, Misfit> {
        let options = &self.0["options"];
        Ok(PipeConsumerOptions {
            ssrc: read(&options["ssrc"])?,
            rtx_ssrc: read(&options["rtxSsrc"])?,
            enable_rtx: read(&options["enableRtx"])?,
        })
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Misfit> {
    T::deserialize(value).map_err(|_| Misfit)
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

fn mapping(json: &Value) -> Result<RtpMapping, Misfit> {
    let list = |name: &str| json[name].as_array().ok_or(Misfit);
    let text = |value: &Value| {
        let given: Option<String> = read(value)?;
        given.as_deref().map(Text::try_from).transpose().map_err(|_| Misfit)
    };
    let codec = |codec: &Value| {
        let payload_type = read(&codec["payloadType"])?;
        Ok(CodecMapping { payload_type, mapped_payload_type: read(&codec["mappedPayloadType"])? })
    };
    let encoding = |encoding: &Value| {
        Ok(EncodingMapping {
            ssrc: read(&encoding["ssrc"])?,
            rid: text(&encoding["rid"])?,
            scalability_mode: text(&encoding["scalabilityMode"])?,
            mapped_ssrc: read(&encoding["mappedSsrc"])?,
        })
    };
    let codecs: Vec<CodecMapping> = list("codecs")?.iter().map(codec).collect::<Result<_, Misfit>>()?;
    let encodings: Vec<EncodingMapping> =
        list("encodings")?.iter().map(encoding).collect::<Result<_, Misfit>>()?;
    Ok(RtpMapping {
        codecs: List::try_from(codecs).map_err(|_| Misfit)?,
        encodings: List::try_from(encodings).map_err(|_| Misfit)?,
    })
}
