//! Input that contradicts itself: a typed error that names the field, and nothing else happens.

#[cfg(test)]
mod tests {
    use tidegate_protocol::error::{CommandError, ErrorKind};
    use tidegate_protocol::ortc::dictionary::{
        MediaKind, RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters,
        RtpHeaderExtensionParameters, RtpParameters,
    };
    use tidegate_protocol::ortc::{
        ConsumerOptions, OrtcError, PipeConsumerOptions, can_consume, consumable_rtp_parameters,
        consumer_rtp_parameters, pipe_consumer_rtp_parameters, producer_mapping, router_rtp_capabilities,
        to_wire, validate_rtp_capabilities, validate_rtp_parameters,
    };
    use tidegate_protocol::rtp::RtpMapping;

    use crate::vectors::build::{audio, produce, produced, router, video};
    use crate::vectors::{parameters, wrong};

    fn assert_refused(error: &OrtcError, kind: ErrorKind, field: &str, name: &str) {
        assert_eq!((error.kind, error.field.as_str()), (kind, field), "{name}: {error}");
        let says_what_to_do = error.message.len() > 15 && error.message.len() < 400;
        assert!(says_what_to_do, "{name}: {error}");
    }

    #[test]
    fn every_mistake_in_capabilities_is_named() {
        assert_eq!(validate_rtp_capabilities(&wrong::right_capabilities()), Ok(()));
        for mistake in wrong::CAPABILITIES {
            let mut capabilities = wrong::right_capabilities();
            (mistake.make)(&mut capabilities);
            let error = validate_rtp_capabilities(&capabilities).unwrap_err();
            assert_refused(&error, mistake.kind, mistake.field, mistake.name);
        }
    }

    #[test]
    fn every_mistake_in_capabilities_is_named_wherever_they_are_an_argument() {
        let right = router(&[video("VP8")]);
        let parameters = produced(&video("VP8"));
        let consumable = produce(MediaKind::Video, &parameters, &right);
        for mistake in wrong::CAPABILITIES {
            let mut capabilities = wrong::right_capabilities();
            (mistake.make)(&mut capabilities);
            let error = can_consume(&consumable, &capabilities).unwrap_err();
            assert_refused(&error, mistake.kind, mistake.field, mistake.name);
            let options = ConsumerOptions::default();
            assert_eq!(consumer_rtp_parameters(&consumable, &capabilities, &options), Err(error));
            let field = mistake.field.replace("rtpCapabilities", "routerRtpCapabilities");
            let error = producer_mapping(MediaKind::Video, &parameters, &capabilities, 1).unwrap_err();
            assert_refused(&error, mistake.kind, &field, mistake.name);
            let mapping = RtpMapping::default();
            let consumable =
                consumable_rtp_parameters(MediaKind::Video, &parameters, &capabilities, &mapping);
            assert_eq!(consumable, Err(error));
        }
    }

    #[test]
    fn every_mistake_in_parameters_is_named() {
        let router = router(&[video("VP8")]);
        for mistake in wrong::PARAMETERS {
            let mut parameters = wrong::right_parameters();
            (mistake.make)(&mut parameters);
            let error = validate_rtp_parameters(MediaKind::Video, &parameters).unwrap_err();
            assert_refused(&error, mistake.kind, mistake.field, mistake.name);
            let mapping = producer_mapping(MediaKind::Video, &parameters, &router, 1);
            assert_eq!(mapping, Err(error.clone()), "{}", mistake.name);
            let mapping = RtpMapping::default();
            let consumable = consumable_rtp_parameters(MediaKind::Video, &parameters, &router, &mapping);
            assert_eq!(consumable, Err(error), "{}", mistake.name);
        }
    }

    #[test]
    fn what_is_odd_but_right_passes() {
        for (name, kind, parameters) in parameters::right() {
            assert_eq!(validate_rtp_parameters(kind, &parameters), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_kind_decides_which_codecs_fit() {
        let error = validate_rtp_parameters(MediaKind::Audio, &produced(&video("VP8"))).unwrap_err();
        assert_refused(
            &error,
            ErrorKind::InvalidArgument,
            "rtpParameters.codecs[0].mimeType",
            "video as audio",
        );
        let opus = produced(&audio("opus", 48_000, 2));
        let error = validate_rtp_parameters(MediaKind::Video, &opus).unwrap_err();
        assert_refused(
            &error,
            ErrorKind::InvalidArgument,
            "rtpParameters.codecs[0].mimeType",
            "audio as video",
        );
    }

    /// Parameters of ten thousand everything, each list alone.
    fn huge() -> [(&'static str, RtpParameters); 3] {
        let parameters = produced(&video("VP8"));
        let encodings = (0..10_000).map(RtpEncodingParameters::of_ssrc).collect();
        let extension = RtpHeaderExtensionParameters { uri: "urn:x".to_owned(), id: 1, encrypt: false };
        [
            (
                "codecs",
                RtpParameters { codecs: vec![RtpCodecParameters::vp8(96); 10_000], ..parameters.clone() },
            ),
            (
                "headerExtensions",
                RtpParameters { header_extensions: vec![extension; 10_000], ..parameters.clone() },
            ),
            ("encodings", RtpParameters { encodings, ..parameters }),
        ]
    }

    #[test]
    fn ten_thousand_of_anything_are_refused_by_their_number() {
        let room = router(&[video("VP8")]);
        for (list, parameters) in huge() {
            let errors = [
                validate_rtp_parameters(MediaKind::Video, &parameters).unwrap_err(),
                producer_mapping(MediaKind::Video, &parameters, &room, 1).unwrap_err(),
                to_wire(&parameters).unwrap_err(),
                can_consume(&parameters, &room).unwrap_err(),
                consumer_rtp_parameters(&parameters, &room, &ConsumerOptions::default()).unwrap_err(),
                pipe_consumer_rtp_parameters(&parameters, &PipeConsumerOptions::default()).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind, ErrorKind::InvalidArgument);
                assert!(error.field.ends_with(&format!("arameters.{list}")), "{error}");
                assert!(error.message.starts_with("10000 given where at most"), "{error}");
            }
        }
        let codecs = vec![RtpCodecCapability::vp8(); 10_000];
        let error = router_rtp_capabilities(&codecs).unwrap_err();
        assert_eq!(error.to_string(), "mediaCodecs: 10000 given where at most 128 are allowed; shorten it");
        let error =
            validate_rtp_capabilities(&RtpCapabilities { codecs, header_extensions: vec![] }).unwrap_err();
        assert_eq!(error.field, "rtpCapabilities.codecs");
    }

    #[test]
    fn what_the_router_lacks_is_unsupported() {
        let parameters = produced(&video("VP8"));
        let lacking = router(&[video("VP9"), audio("opus", 48_000, 2)]);
        let error = producer_mapping(MediaKind::Video, &parameters, &lacking, 1).unwrap_err();
        assert_refused(&error, ErrorKind::Unsupported, "rtpParameters.codecs[0]", "no VP8");
        let mut without_rtx = router(&[video("VP8")]);
        without_rtx.codecs.retain(|codec| !codec.is_rtx());
        let error = producer_mapping(MediaKind::Video, &parameters, &without_rtx, 1).unwrap_err();
        assert_refused(&error, ErrorKind::Unsupported, "rtpParameters.codecs[1]", "no RTX");
    }

    #[test]
    fn an_endpoint_without_the_codec_is_unsupported() {
        let consumable = produce(MediaKind::Video, &produced(&video("VP8")), &router(&[video("VP8")]));
        let error =
            consumer_rtp_parameters(&consumable, &router(&[video("VP9")]), &ConsumerOptions::default());
        assert_refused(&error.unwrap_err(), ErrorKind::Unsupported, "rtpCapabilities.codecs", "VP9 alone");
    }

    #[test]
    fn an_error_becomes_the_wires_with_its_field() {
        let error = router_rtp_capabilities(&[video("VP7")]).unwrap_err();
        let error = CommandError::from(error);
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.message.starts_with("mediaCodecs[0].mimeType: video/VP7 "), "{error}");
    }
}
