//! RED and FlexFEC in negotiation: facts that `vectors/ortc.json` holds too, stated one by one.

#[cfg(test)]
mod tests {
    use tidegate_protocol::error::ErrorKind;
    use tidegate_protocol::ortc::dictionary::{
        MediaKind, ParameterValue, RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpParameters,
    };
    use tidegate_protocol::ortc::{
        ConsumerOptions, PipeConsumerOptions, can_consume, consumer_rtp_parameters,
        pipe_consumer_rtp_parameters, producer_mapping, router_rtp_capabilities, to_wire,
    };

    use crate::vectors::build::{
        audio, device, flexfec, produce, produced, produced_fec, produced_red, red, router, video,
    };

    fn room() -> RtpCapabilities {
        router(&[audio("opus", 48_000, 2), red(), video("VP8"), flexfec()])
    }

    fn names(codecs: &[RtpCodecParameters]) -> Vec<(&str, u8)> {
        codecs.iter().map(|codec| (codec.mime_type.as_str(), codec.payload_type)).collect()
    }

    fn consumer(consumable: &RtpParameters, endpoint: &RtpCapabilities) -> RtpParameters {
        consumer_rtp_parameters(consumable, endpoint, &ConsumerOptions { ssrc: 1, ..Default::default() })
            .unwrap()
    }

    #[test]
    fn routers_have_red_and_fec_only_if_asked_and_fec_has_no_rtx() {
        let codecs = |wanted: &[_]| -> Vec<String> {
            router(wanted).codecs.into_iter().map(|codec| codec.mime_type).collect()
        };
        assert_eq!(
            codecs(&[audio("opus", 48_000, 2), video("VP8")]),
            ["audio/opus", "video/VP8", "video/rtx"]
        );
        assert_eq!(codecs(&[video("VP8"), flexfec()]), ["video/VP8", "video/rtx", "video/flexfec-03"]);
        let window = room().codecs.pop().unwrap().parameters;
        assert_eq!(window.get("repair-window"), Some(&ParameterValue::Number(10_000_000)));
    }

    #[test]
    fn router_red_carries_the_payload_type_that_its_opus_got() {
        for wanted in [[audio("opus", 48_000, 2), red()], [red(), audio("opus", 48_000, 2)]] {
            let room = router(&wanted);
            let opus =
                room.codecs.iter().find(|codec| !codec.is_red()).unwrap().preferred_payload_type.unwrap();
            let red = room.codecs.iter().find(|codec| codec.is_red()).unwrap();
            assert_eq!(red.parameters[""], format!("{opus}/{opus}").as_str().into());
        }
        let error = router_rtp_capabilities(&[audio("PCMU", 8_000, 1), red()]).unwrap_err();
        assert_eq!((error.kind, error.field.as_str()), (ErrorKind::InvalidArgument, "mediaCodecs[1]"));
    }

    #[test]
    fn payload_types_of_red_blocks_are_mapped_to_the_router_and_its_consumers() {
        let consumable = produce(MediaKind::Audio, &produced_red(), &room());
        assert_eq!(names(&consumable.codecs), [("audio/red", 101), ("audio/opus", 100)]);
        assert_eq!(consumable.codecs[0].parameters[""], "100/100".into());
        let consumer = consumer(&consumable, &room());
        assert_eq!(names(&consumer.codecs), names(&consumable.codecs));
        assert_eq!(consumer.codecs[0].parameters[""], "100/100".into());
        let wire = to_wire(&consumer).unwrap();
        assert_eq!(wire.codecs[0].red_payload_types(), Ok(Some(vec![100, 100])));
    }

    #[test]
    fn red_is_written_in_one_word() {
        assert_eq!(RtpCodecCapability::red(), red());
        let short = RtpCodecParameters::red(63, 111);
        let long = produced_red().codecs[0].clone();
        assert_eq!(short, RtpCodecParameters { rtcp_feedback: vec![], ..long });
    }

    #[test]
    fn consumer_without_red_is_offered_opus_alone_and_one_without_opus_nothing() {
        let consumable = produce(MediaKind::Audio, &produced_red(), &room());
        let opus = device(&room(), |codec| codec.mime_type == "audio/opus");
        assert_eq!(can_consume(&consumable, &opus), Ok(true));
        assert_eq!(names(&consumer(&consumable, &opus).codecs), [("audio/opus", 100)]);
        let red = device(&room(), |codec| codec.is_red());
        assert_eq!(can_consume(&consumable, &red), Ok(false));
    }

    #[test]
    fn fec_is_mapped_for_the_producer_and_offered_to_nobody() {
        let parameters = produced_fec();
        let mapping = producer_mapping(MediaKind::Video, &parameters, &room(), 1).unwrap();
        assert!(mapping.codecs.iter().any(|entry| entry.payload_type == 98));
        assert_eq!(to_wire(&parameters).unwrap().encodings[0].fec_ssrc, Some(11_111_113));
        let consumable = produce(MediaKind::Video, &parameters, &room());
        let plain = produce(MediaKind::Video, &produced(&video("VP8")), &room());
        assert_eq!(consumable, plain, "as if there was none");
        let pipe = PipeConsumerOptions { ssrc: 1, rtx_ssrc: 2, enable_rtx: true };
        let sent = [
            consumer(&consumable, &room()),
            pipe_consumer_rtp_parameters(&consumable, &pipe).unwrap(),
            pipe_consumer_rtp_parameters(&parameters, &pipe).unwrap(),
        ];
        for sent in sent {
            assert!(!sent.codecs.iter().any(RtpCodecParameters::is_fec));
            assert!(sent.encodings.iter().all(|encoding| encoding.fec.is_none()));
        }
    }

    #[test]
    fn refusal_of_older_fec_says_what_to_do_instead() {
        for name in ["ulpfec", "red"] {
            let error = router_rtp_capabilities(&[video("VP8"), video(name)]).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported);
            assert!(error.message.contains("RFC 5109") && error.message.contains("RTX"), "{}", error.message);
        }
    }
}
