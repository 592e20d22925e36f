//! Dictionaries in JSON: the shape of mediasoup's types, defaults, and values that JSON can and a line of SDP cannot say.

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tidegate_protocol::ortc::dictionary::{
        Fec, ParameterValue, RtpCapabilities, RtpCodecParameters, RtpEncodingParameters,
        RtpHeaderExtensionDirection, RtpParameters, Rtx,
    };
    use tidegate_protocol::ortc::{from_wire, supported_rtp_capabilities, to_wire};
    use tidegate_protocol::rtp as wire;

    use crate::vectors::build::{produced, simulcast, video};

    fn value(json: Value) -> Result<ParameterValue, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_has_a_default_may_be_left_out() {
        let codec = json!({ "mimeType": "audio/PCMU", "payloadType": 0, "clockRate": 8000 });
        let parameters: RtpParameters = serde_json::from_value(json!({ "codecs": [codec] })).unwrap();
        assert_eq!(parameters.codecs, [RtpCodecParameters::new("audio/PCMU", 0, 8_000)]);
        assert!(parameters.rtcp.reduced_size);
        assert_eq!(
            (parameters.mid, parameters.encodings, parameters.header_extensions),
            (None, vec![], vec![])
        );
        let extension = json!({ "kind": "video", "uri": "urn:x", "preferredId": 1 });
        let capabilities: RtpCapabilities =
            serde_json::from_value(json!({ "headerExtensions": [extension] })).unwrap();
        assert_eq!(capabilities.header_extensions[0].direction, RtpHeaderExtensionDirection::Sendrecv);
        assert!(!capabilities.header_extensions[0].preferred_encrypt);
    }

    #[test]
    fn keys_are_those_of_the_field() {
        let mut parameters = simulcast(&video("VP8"), 1, "L1T3");
        parameters.encodings[0] = RtpEncodingParameters {
            ssrc: Some(1),
            codec_payload_type: Some(96),
            rtx: Some(Rtx { ssrc: 2 }),
            fec: Some(Fec { ssrc: 3 }),
            ..parameters.encodings[0].clone()
        };
        parameters.codecs.truncate(1);
        parameters.codecs[0].rtcp_feedback.truncate(1);
        parameters.header_extensions.truncate(1);
        let expected = json!({
            "mid": "0",
            "msid": "stream track",
            "codecs": [{
                "mimeType": "video/VP8",
                "payloadType": 96,
                "clockRate": 90000,
                "parameters": {},
                "rtcpFeedback": [{ "type": "goog-remb", "parameter": "" }],
            }],
            "headerExtensions": [{ "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4, "encrypt": false }],
            "encodings": [{
                "ssrc": 1,
                "rid": "r0",
                "codecPayloadType": 96,
                "rtx": { "ssrc": 2 },
                "fec": { "ssrc": 3 },
                "dtx": false,
                "scalabilityMode": "L1T3",
                "maxBitrate": 100_000,
            }],
            "rtcp": { "cname": "somebody", "reducedSize": true },
        });
        assert_eq!(serde_json::to_value(&parameters).unwrap(), expected);
        assert_eq!(serde_json::from_value::<RtpParameters>(expected).unwrap(), parameters);
        let capabilities = serde_json::to_value(supported_rtp_capabilities()).unwrap();
        assert_eq!(
            capabilities["headerExtensions"][2],
            json!({ "kind": "video", "uri": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "preferredId": 2,
                    "preferredEncrypt": false, "direction": "recvonly" })
        );
        assert_eq!(
            capabilities["codecs"][5],
            json!({ "kind": "audio", "mimeType": "audio/PCMU", "preferredPayloadType": 0, "clockRate": 8000,
                    "channels": 1, "parameters": {}, "rtcpFeedback": [{ "type": "transport-cc", "parameter": "" }] })
        );
    }

    #[test]
    fn plain_values_are_numbers_or_texts() {
        let number = |number| Ok(ParameterValue::Number(number));
        let text = |text: &str| Ok(ParameterValue::Text(text.to_owned()));
        let table = [
            (json!(1), number(1)),
            (json!(-1), number(-1)),
            (json!("1"), text("1")),
            (json!("42e01f"), text("42e01f")),
            (json!(true), number(1)),
            (json!(false), number(0)),
            (json!(1.0), number(1)),
            (json!(-3.0), number(-3)),
            (json!(0.5), text("0.5")),
            (json!(1e18), text("1000000000000000000")),
            (json!(u64::MAX), text("18446744073709551615")),
            (json!(i64::MIN), number(i64::MIN)),
            (json!(null), text("")),
        ];
        for (json, expected) in table {
            assert_eq!(value(json.clone()), expected, "{json}");
        }
    }

    #[test]
    fn nested_values_are_refused_with_what_is_expected() {
        for nested in [json!([1]), json!({ "a": 1 })] {
            let error = value(nested).unwrap_err();
            assert!(
                error.contains("expected a number or a text as the value of a codec parameter"),
                "{error}"
            );
        }
    }

    #[test]
    fn numbers_beyond_their_field_are_refused() {
        let codec = json!({ "mimeType": "video/VP8", "payloadType": 256, "clockRate": 90000 });
        let extension = json!({ "uri": "urn:x", "id": 256 });
        for wrong in [
            json!({ "codecs": [codec] }),
            json!({ "codecs": [], "headerExtensions": [extension] }),
            json!({ "codecs": [], "encodings": [{ "ssrc": -1 }] }),
            json!({ "codecs": [], "encodings": [{ "ssrc": 4_294_967_296_u64 }] }),
            json!({ "codecs": [], "rtcp": { "reducedSize": 1 } }),
            json!({}),
        ] {
            assert!(serde_json::from_value::<RtpParameters>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_are_no_objects() {
        assert!(serde_json::from_str::<RtpCapabilities>("{}").is_ok());
        assert!(serde_json::from_str::<RtpCapabilities>("[]").is_err());
        let codec = json!({ "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000 });
        for (field, list) in [
            ("rtcp", json!([])),
            ("rtcp", json!(["somebody", true])),
            ("encodings", json!([[1]])),
            ("headerExtensions", json!([["urn:x", 1]])),
        ] {
            let mut parameters = json!({ "codecs": [codec] });
            assert!(serde_json::from_value::<RtpParameters>(parameters.clone()).is_ok());
            parameters[field] = list;
            assert!(serde_json::from_value::<RtpParameters>(parameters.clone()).is_err(), "{parameters}");
        }
    }

    #[test]
    fn digits_are_numbers_wherever_a_number_counts() {
        assert_eq!(ParameterValue::from("12").number(), Some(12));
        assert_eq!(ParameterValue::from(12).number(), Some(12));
        assert_eq!(ParameterValue::from("12a").number(), None);
    }

    #[test]
    fn what_is_too_long_for_the_wire_is_named_with_its_limit() {
        let mut long = produced(&video("VP8"));
        long.codecs[0].parameters.insert("x".repeat(65), 1.into());
        let error = to_wire(&long).unwrap_err();
        assert_eq!(error.field, format!("rtpParameters.codecs[0].parameters.{}", "x".repeat(64)));
        assert_eq!(error.message, "65 given where at most 64 are allowed; shorten it");
        let mut long = produced(&video("VP8"));
        long.encodings[0].rid = Some("r".repeat(33));
        let error = to_wire(&long).unwrap_err();
        assert_eq!(
            error.to_string(),
            "rtpParameters.encodings[0].rid: 33 given where at most 32 are allowed; shorten it"
        );
    }

    #[test]
    fn of_parameters_that_share_a_name_the_first_counts() {
        let mut wire = to_wire(&produced(&video("VP8"))).unwrap();
        let mut codecs = wire.codecs.into_vec();
        let parameter = |value| wire::CodecParameter {
            name: "apt".try_into().unwrap(),
            value: wire::ParameterValue::Number(value),
        };
        codecs[1].parameters = vec![parameter(96), parameter(1)].try_into().unwrap();
        wire.codecs = codecs.try_into().unwrap();
        assert_eq!(wire.codecs[1].number("apt"), Some(96));
        assert_eq!(from_wire(&wire).codecs[1].parameters["apt"], ParameterValue::Number(96));
    }
}
