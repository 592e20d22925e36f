//! Consumers of one endpoint and of other routers.

#[cfg(test)]
mod tests {
    use tidegate_protocol::ortc::dictionary::{
        MediaKind, RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpEncodingParameters, RtpParameters,
        Rtx,
    };
    use tidegate_protocol::ortc::{
        ConsumerEncodings, ConsumerOptions, PipeConsumerOptions, can_consume, consumer_rtp_parameters,
        pipe_consumer_rtp_parameters, validate_rtp_parameters,
    };

    use crate::vectors::build::{
        ABS_SEND_TIME, MID, TRANSPORT_CC, all_codecs, audio, device, h264, h265, in_use, produce, produced,
        router, simulcast, video, without,
    };
    use crate::vectors::producer::{PROFILES, profile};

    const DEPENDENCY_DESCRIPTOR: &str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

    fn options() -> ConsumerOptions {
        ConsumerOptions { ssrc: 1000, enable_rtx: true, ..ConsumerOptions::default() }
    }

    fn consume(consumable: &RtpParameters, endpoint: &RtpCapabilities) -> RtpParameters {
        consumer_rtp_parameters(consumable, endpoint, &options()).unwrap()
    }

    fn payload_types(parameters: &RtpParameters) -> Vec<u8> {
        parameters.codecs.iter().map(|codec| codec.payload_type).collect()
    }

    fn feedback(parameters: &RtpParameters) -> Vec<String> {
        let feedback = parameters.codecs[0].rtcp_feedback.iter();
        feedback.map(|one| format!("{} {}", one.kind, one.parameter).trim().to_owned()).collect()
    }

    fn room() -> RtpCapabilities {
        router(&[
            video("VP8"),
            h264(1, "42e01f"),
            video("VP9"),
            video("AV1"),
            h265(1, 0, 93),
            audio("opus", 48_000, 2),
        ])
    }

    fn vp8() -> RtpParameters {
        produce(MediaKind::Video, &produced(&video("VP8")), &room())
    }

    #[test]
    fn every_codec_is_consumed_by_who_has_it_and_by_nobody_else() {
        let codecs = all_codecs();
        for (name, codec) in &codecs {
            let router = router(std::slice::from_ref(codec));
            let consumable = produce(codec.kind, &produced(codec), &router);
            assert_eq!(can_consume(&consumable, &router), Ok(true), "{name}");
            let consumer = consume(&consumable, &router);
            assert_eq!(payload_types(&consumer), payload_types(&consumable), "{name}");
            assert_eq!(consumer.codecs[0].parameters, consumable.codecs[0].parameters, "{name}");
            let others = codecs.iter().filter(|(_, other)| other.mime_type != codec.mime_type);
            let others: Vec<RtpCodecCapability> = others.map(|(_, other)| other.clone()).collect();
            let others = RtpCapabilities { codecs: others, header_extensions: vec![] };
            assert_eq!(can_consume(&consumable, &others), Ok(false), "{name}");
            assert!(consumer_rtp_parameters(&consumable, &others, &options()).is_err(), "{name}");
        }
    }

    #[test]
    fn profiles_match_as_they_do_for_producers() {
        for (name, ours, theirs, agreed) in PROFILES.iter().filter(|row| row.1 != "1 nonsense") {
            let router = router(&[profile(name, ours)]);
            let consumable = produce(MediaKind::Video, &produced(&profile(name, ours)), &router);
            let endpoint = RtpCapabilities { codecs: vec![profile(name, theirs)], header_extensions: vec![] };
            assert_eq!(can_consume(&consumable, &endpoint), Ok(agreed.is_some()), "{name} {ours} / {theirs}");
        }
    }

    #[test]
    fn endpoint_with_the_second_codec_gets_that_one_and_its_rtx() {
        let mut parameters = produced(&video("VP8"));
        parameters.codecs.push(in_use(&h264(1, "42e01f"), 102));
        let room = room();
        let consumable = produce(MediaKind::Video, &parameters, &room);
        let h264_only = device(&room, |codec| codec.mime_type == "video/H264");
        assert_eq!(can_consume(&consumable, &h264_only), Ok(true));
        assert_eq!(payload_types(&consume(&consumable, &h264_only)), [102, 103]);
        assert_eq!(payload_types(&consume(&consumable, &room)), [100, 101, 102, 103]);
        let mut rtx_only = h264_only;
        rtx_only.codecs.retain(RtpCodecCapability::is_rtx);
        assert_eq!(can_consume(&consumable, &rtx_only), Ok(false));
    }

    #[test]
    fn feedback_is_the_endpoints() {
        let mut endpoint = room();
        endpoint.codecs[0].rtcp_feedback =
            vec![RtcpFeedback::new("nack", "pli"), RtcpFeedback::new("ack", "rpsi")];
        assert_eq!(feedback(&consume(&vp8(), &endpoint)), ["nack pli", "ack rpsi"]);
    }

    #[test]
    fn one_bandwidth_estimator_at_most() {
        let room = room();
        let consumer = |endpoint: &RtpCapabilities| feedback(&consume(&vp8(), endpoint));
        let key_frames = ["nack", "nack pli", "ccm fir"];
        let with = |last: &'static str| [key_frames.as_slice(), &[last]].concat();
        assert_eq!(consumer(&room), with("transport-cc"), "both extensions: transport-cc is preferred");
        assert_eq!(consumer(&without(room.clone(), ABS_SEND_TIME)), with("transport-cc"));
        assert_eq!(consumer(&without(room.clone(), TRANSPORT_CC)), with("goog-remb"));
        assert_eq!(consumer(&without(without(room.clone(), TRANSPORT_CC), ABS_SEND_TIME)), key_frames);
        // Audio never has transport-cc's extension when we send.
        let opus = produce(MediaKind::Audio, &produced(&audio("opus", 48_000, 2)), &room);
        assert_eq!(feedback(&consume(&opus, &room)), ["nack"]);
    }

    #[test]
    fn without_rtx_there_is_no_nack_but_pli() {
        let no_rtx = ConsumerOptions { enable_rtx: false, ..options() };
        let consumer = consumer_rtp_parameters(&vp8(), &room(), &no_rtx).unwrap();
        assert_eq!(payload_types(&consumer), [100]);
        assert_eq!(feedback(&consumer), ["nack pli", "ccm fir", "transport-cc"]);
        assert_eq!(consumer.encodings, [RtpEncodingParameters::of_ssrc(1000)]);
        let mut unable = room();
        unable.codecs.retain(|codec| !codec.is_rtx());
        assert_eq!(consume(&vp8(), &unable).encodings, [RtpEncodingParameters::of_ssrc(1000)]);
    }

    #[test]
    fn extensions_are_shared_by_uri_and_id() {
        let mut endpoint = room();
        endpoint.header_extensions.retain(|extension| extension.uri == MID || extension.uri == ABS_SEND_TIME);
        endpoint.header_extensions.iter_mut().filter(|known| known.uri == ABS_SEND_TIME).for_each(|known| {
            known.preferred_id = 13;
        });
        let consumer = consume(&vp8(), &endpoint);
        let uris: Vec<&str> =
            consumer.header_extensions.iter().map(|extension| extension.uri.as_str()).collect();
        assert_eq!(uris, [MID]);
    }

    #[test]
    fn the_encoding_has_its_rtx_next_to_it() {
        let encoding = |ssrc, rtx| RtpEncodingParameters {
            rtx: Some(Rtx { ssrc: rtx }),
            ..RtpEncodingParameters::of_ssrc(ssrc)
        };
        assert_eq!(consume(&vp8(), &room()).encodings, [encoding(1000, 1001)]);
        let last = ConsumerOptions { ssrc: u32::MAX, mid: Some("7".to_owned()), ..options() };
        let consumer = consumer_rtp_parameters(&vp8(), &room(), &last).unwrap();
        assert_eq!(consumer.encodings, [encoding(u32::MAX, 0)]);
        assert_eq!(consumer.mid.as_deref(), Some("7"));
        assert_eq!((consumer.rtcp.cname.as_str(), consumer.rtcp.reduced_size), ("somebody", true));
    }

    #[test]
    fn simulcast_is_one_encoding_of_all_layers_whatever_the_codec() {
        let room = room();
        for codec in [video("VP8"), h264(1, "42e01f"), video("VP9"), video("AV1"), h265(1, 0, 93)] {
            for (encodings, mode, expected) in
                [(3, "L1T3", "L3T3"), (2, "", "L2T1"), (3, "odd", "L3T1"), (16, "L1T2", "L16T2")]
            {
                let consumable = produce(MediaKind::Video, &simulcast(&codec, encodings, mode), &room);
                let consumer = consume(&consumable, &room);
                assert_eq!(consumer.encodings.len(), 1);
                let encoding = &consumer.encodings[0];
                assert_eq!(encoding.scalability_mode.as_deref(), Some(expected), "{}", codec.mime_type);
                assert_eq!(encoding.max_bitrate, Some(100_000 << (encodings - 1)));
                assert_eq!(consumer.msid.as_deref(), Some("stream track"));
            }
        }
    }

    #[test]
    fn a_single_encoding_keeps_its_mode() {
        for mode in ["L3T3_KEY", "S3T3", "L1T2", "odd"] {
            let consumable = produce(MediaKind::Video, &simulcast(&video("VP9"), 1, mode), &room());
            let consumer = consume(&consumable, &room());
            assert_eq!(consumer.encodings[0].scalability_mode.as_deref(), Some(mode));
        }
        assert_eq!(consume(&vp8(), &room()).encodings[0].scalability_mode, None);
    }

    #[test]
    fn all_encodings_side_by_side_when_wanted() {
        let consumable = produce(MediaKind::Video, &simulcast(&video("VP8"), 3, "L1T3"), &room());
        let all = ConsumerOptions { encodings: ConsumerEncodings::All { rtx_ssrc: 2000 }, ..options() };
        let consumer = consumer_rtp_parameters(&consumable, &room(), &all).unwrap();
        assert_eq!(validate_rtp_parameters(MediaKind::Video, &consumer), Ok(()));
        for (encoding, index) in consumer.encodings.iter().zip(0..) {
            assert_eq!((encoding.ssrc, encoding.rtx), (Some(1000 + index), Some(Rtx { ssrc: 2000 + index })));
            assert_eq!(encoding.scalability_mode.as_deref(), Some("L1T3"));
        }
        assert_eq!(consumer.encodings.len(), 3);
    }

    #[test]
    fn streams_and_rtx_never_share_an_ssrc() {
        let consumable = produce(MediaKind::Video, &simulcast(&video("VP8"), 3, "L1T3"), &room());
        for (ssrc, rtx_ssrc, fits) in [
            (1000, 1003, true),
            (1000, 1002, false),
            (1000, 1000, false),
            (1000, 998, false),
            (1000, 997, true),
            (u32::MAX, 1, false),
            (u32::MAX, 2, true),
            (0, u32::MAX, false),
        ] {
            let all = ConsumerOptions { ssrc, encodings: ConsumerEncodings::All { rtx_ssrc }, ..options() };
            let consumer = consumer_rtp_parameters(&consumable, &room(), &all);
            let pipe = PipeConsumerOptions { ssrc, rtx_ssrc, enable_rtx: true };
            let pipe = pipe_consumer_rtp_parameters(&consumable, &pipe);
            for made in [consumer, pipe] {
                match made {
                    Ok(made) => {
                        assert!(fits, "{ssrc} {rtx_ssrc}");
                        assert_eq!(validate_rtp_parameters(MediaKind::Video, &made), Ok(()));
                    }
                    Err(error) => {
                        assert!(!fits, "{ssrc} {rtx_ssrc}");
                        assert_eq!(error.field, "options.rtxSsrc");
                    }
                }
            }
        }
    }

    #[test]
    fn a_pipe_carries_everything_but_what_belongs_to_one_transport() {
        let consumable = produce(MediaKind::Video, &simulcast(&video("AV1"), 3, "L1T3"), &room());
        let options = PipeConsumerOptions { ssrc: 1000, rtx_ssrc: 2000, enable_rtx: false };
        let plain = pipe_consumer_rtp_parameters(&consumable, &options).unwrap();
        assert_eq!(plain.codecs.len(), 1);
        assert_eq!(feedback(&plain), ["nack pli", "ccm fir"]);
        assert!(plain.encodings.iter().all(|encoding| encoding.rtx.is_none()));
        let uris: Vec<&str> =
            plain.header_extensions.iter().map(|extension| extension.uri.as_str()).collect();
        for absent in [MID, ABS_SEND_TIME, TRANSPORT_CC] {
            assert!(!uris.contains(&absent), "{absent}");
        }
        let descriptor = plain.header_extensions.iter().find(|known| known.uri == DEPENDENCY_DESCRIPTOR);
        assert_eq!(descriptor.map(|known| known.id), Some(7));
        assert_eq!(uris.len(), consumable.header_extensions.len() - 3 + 1);
        let repaired =
            pipe_consumer_rtp_parameters(&consumable, &PipeConsumerOptions { enable_rtx: true, ..options })
                .unwrap();
        assert_eq!(repaired.codecs.len(), 2);
        assert_eq!(feedback(&repaired), ["nack", "nack pli", "ccm fir"]);
        assert_eq!(repaired.encodings[2].rtx, Some(Rtx { ssrc: 2002 }));
        assert_eq!(validate_rtp_parameters(MediaKind::Video, &repaired), Ok(()));
    }

    #[test]
    fn a_pipe_of_audio_has_neither_descriptor_nor_rtx() {
        let opus = produce(MediaKind::Audio, &produced(&audio("opus", 48_000, 2)), &room());
        let options = PipeConsumerOptions { ssrc: 1, rtx_ssrc: 9, enable_rtx: true };
        let pipe = pipe_consumer_rtp_parameters(&opus, &options).unwrap();
        assert!(pipe.header_extensions.iter().all(|extension| extension.uri != DEPENDENCY_DESCRIPTOR));
        assert_eq!(pipe.encodings, [RtpEncodingParameters::of_ssrc(1)]);
        assert_eq!(feedback(&pipe), ["nack"]);
    }

    #[test]
    fn what_comes_through_a_pipe_is_produced_on_the_other_router() {
        let room = room();
        for codec in [video("VP8"), video("VP9"), h264(1, "42e01f"), video("AV1"), h265(1, 0, 93)] {
            let consumable = produce(MediaKind::Video, &simulcast(&codec, 3, "L1T3"), &room);
            let options = PipeConsumerOptions { ssrc: 10, rtx_ssrc: 20, enable_rtx: true };
            let pipe = pipe_consumer_rtp_parameters(&consumable, &options).unwrap();
            let there = produce(MediaKind::Video, &pipe, &room);
            assert_eq!(there.codecs, consumable.codecs);
            assert_eq!(consume(&there, &room).encodings[0].scalability_mode.as_deref(), Some("L3T3"));
        }
    }
}
