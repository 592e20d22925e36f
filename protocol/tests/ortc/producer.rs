//! Producers on routers: what is mapped to what, and what their consumers will see.

#[cfg(test)]
mod tests {
    use tidegate_protocol::error::ErrorKind;
    use tidegate_protocol::ortc::dictionary::{
        MediaKind, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionDirection, RtpParameters, Rtx,
    };
    use tidegate_protocol::ortc::{consumable_rtp_parameters, producer_mapping};
    use tidegate_protocol::rtp::RtpMapping;

    use crate::vectors::build::{
        ABS_CAPTURE_TIME, FIRST_MAPPED_SSRC, all_codecs, audio, extension, h264, in_use, produce, produced,
        router, simulcast, video,
    };
    use crate::vectors::producer::{PROFILES, profile};

    fn pairs(mapping: &RtpMapping) -> Vec<(u8, u8)> {
        mapping.codecs.iter().map(|entry| (entry.payload_type, entry.mapped_payload_type)).collect()
    }

    fn payload_types(parameters: &RtpParameters) -> Vec<u8> {
        parameters.codecs.iter().map(|codec| codec.payload_type).collect()
    }

    #[test]
    fn every_codec_maps_to_the_routers_with_its_rtx() {
        for (name, codec) in all_codecs() {
            let (router, parameters) = (router(std::slice::from_ref(&codec)), produced(&codec));
            let mapping = producer_mapping(codec.kind, &parameters, &router, 5).unwrap();
            let payload_type = router.codecs[0].preferred_payload_type.unwrap();
            let consumable = consumable_rtp_parameters(codec.kind, &parameters, &router, &mapping).unwrap();
            let rtx = if codec.kind == MediaKind::Video { Some(payload_type + 1) } else { None };
            let expected: Vec<u8> = [payload_type].into_iter().chain(rtx).collect();
            assert_eq!(
                pairs(&mapping).into_iter().map(|(_, mapped)| mapped).collect::<Vec<_>>(),
                expected,
                "{name}"
            );
            assert_eq!(payload_types(&consumable), expected, "{name}");
            assert_eq!(consumable.codecs[0].rtcp_feedback, router.codecs[0].rtcp_feedback, "{name}");
            assert_eq!(consumable.codecs[0].channels, router.codecs[0].channels, "{name}");
            assert_eq!(consumable.codecs[0].mime_type, router.codecs[0].mime_type, "{name}");
        }
    }

    #[test]
    fn profiles_match_and_levels_are_agreed_on() {
        for (name, ours, theirs, agreed) in PROFILES {
            let row = format!("{name} {ours} / {theirs}");
            let (router, parameters) = (router(&[profile(name, theirs)]), produced(&profile(name, ours)));
            let mapping = producer_mapping(MediaKind::Video, &parameters, &router, 1);
            let Some(agreed) = agreed else {
                assert_eq!(mapping.unwrap_err().kind, ErrorKind::Unsupported, "{row}");
                continue;
            };
            let consumable =
                consumable_rtp_parameters(MediaKind::Video, &parameters, &router, &mapping.unwrap());
            assert_eq!(consumable.unwrap().codecs[0].parameters, profile(name, agreed).parameters, "{row}");
        }
    }

    #[test]
    fn a_codec_goes_to_the_routers_codec_of_its_profile() {
        let router = router(&[h264(0, "42e01f"), h264(1, "4d001f"), h264(1, "42e01f"), video("VP9")]);
        let mut parameters = produced(&h264(1, "42e01f"));
        parameters.codecs.push(in_use(&h264(1, "4d001f"), 102));
        parameters.codecs.push(RtpCodecParameters::rtx(103, 102));
        let mapping = producer_mapping(MediaKind::Video, &parameters, &router, 1).unwrap();
        assert_eq!(pairs(&mapping), [(96, 104), (102, 102), (97, 105), (103, 103)]);
        let consumable = produce(MediaKind::Video, &parameters, &router);
        assert_eq!(payload_types(&consumable), [104, 105, 102, 103]);
    }

    #[test]
    fn two_codecs_that_are_one_of_the_routers_are_one_to_consumers() {
        let router = router(&[h264(1, "42e01f")]);
        let mut parameters = produced(&h264(1, "42e033"));
        parameters.codecs.push(in_use(&h264(1, "4de01f"), 102));
        let mapping = producer_mapping(MediaKind::Video, &parameters, &router, 1).unwrap();
        assert_eq!(pairs(&mapping), [(96, 100), (102, 100), (97, 101)]);
        let consumable = produce(MediaKind::Video, &parameters, &router);
        assert_eq!(payload_types(&consumable), [100, 101]);
        // The producer does not say that levels may differ.
        assert_eq!(consumable.codecs[0].parameters["profile-level-id"].text(), "42e01f");
    }

    #[test]
    fn producers_parameters_stay_and_its_feedback_does_not() {
        let router = router(&[audio("opus", 48_000, 2)]);
        let opus = audio("opus", 48_000, 2).with_parameter("useinbandfec", 1).with_parameter("usedtx", 1);
        let mut parameters = produced(&opus);
        parameters.codecs[0].rtcp_feedback.clear();
        let consumable = produce(MediaKind::Audio, &parameters, &router);
        assert_eq!(consumable.codecs[0].parameters, opus.parameters);
        assert_eq!(consumable.codecs[0].rtcp_feedback, router.codecs[0].rtcp_feedback);
    }

    #[test]
    fn encodings_are_renamed_by_their_mapped_ssrcs() {
        let router = router(&[video("VP9")]);
        let parameters = simulcast(&video("VP9"), 3, "L1T3");
        let mapping = producer_mapping(MediaKind::Video, &parameters, &router, FIRST_MAPPED_SSRC).unwrap();
        for (entry, index) in mapping.encodings.iter().zip(0..) {
            assert_eq!(entry.mapped_ssrc, FIRST_MAPPED_SSRC + index);
            assert_eq!(entry.rid.as_deref(), Some(format!("r{index}").as_str()));
            assert_eq!(entry.scalability_mode.as_deref(), Some("L1T3"));
            assert_eq!(entry.ssrc, None);
        }
        let consumable = produce(MediaKind::Video, &parameters, &router);
        let expected = (0..3_u32).map(|index| RtpEncodingParameters {
            scalability_mode: Some("L1T3".to_owned()),
            max_bitrate: Some(100_000 << index),
            ..RtpEncodingParameters::of_ssrc(FIRST_MAPPED_SSRC + index)
        });
        assert_eq!(consumable.encodings, expected.collect::<Vec<_>>());
        assert_eq!(consumable.msid.as_deref(), Some("stream track"));
        assert_eq!((consumable.mid, consumable.rtcp.cname.as_str()), (None, "somebody"));
    }

    #[test]
    fn mapped_ssrcs_wrap() {
        let router = router(&[video("VP8")]);
        let parameters = simulcast(&video("VP8"), 3, "");
        let mapping = producer_mapping(MediaKind::Video, &parameters, &router, u32::MAX).unwrap();
        let mapped: Vec<u32> = mapping.encodings.iter().map(|entry| entry.mapped_ssrc).collect();
        assert_eq!(mapped, [u32::MAX, 0, 1]);
    }

    #[test]
    fn own_ssrcs_and_payload_types_stay_with_the_producer() {
        let router = router(&[video("VP8")]);
        let mut parameters = produced(&video("VP8"));
        parameters.encodings[0] = RtpEncodingParameters {
            codec_payload_type: Some(96),
            rtx: Some(Rtx { ssrc: 2 }),
            rid: Some("r".to_owned()),
            ..RtpEncodingParameters::of_ssrc(1)
        };
        let consumable = produce(MediaKind::Video, &parameters, &router);
        assert_eq!(consumable.encodings, [RtpEncodingParameters::of_ssrc(FIRST_MAPPED_SSRC)]);
    }

    fn ends(parameters: &RtpParameters) -> Vec<&str> {
        let uris = parameters.header_extensions.iter().map(|extension| extension.uri.as_str());
        uris.map(|uri| uri.rsplit([':', '/']).next().unwrap()).collect()
    }

    #[test]
    fn consumers_get_the_routers_extensions_of_their_kind_that_it_sends() {
        let router = router(&[video("VP8"), audio("opus", 48_000, 2)]);
        let video = produce(MediaKind::Video, &produced(&video("VP8")), &router);
        let expected = [
            "mid",
            "abs-send-time",
            "draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "video-orientation",
            "toffset",
            "playout-delay",
            "packet-id",
        ];
        assert_eq!(ends(&video), expected);
        let audio = produce(MediaKind::Audio, &produced(&audio("opus", 48_000, 2)), &router);
        assert_eq!(ends(&audio), ["mid", "abs-send-time", "ssrc-audio-level", "playout-delay", "packet-id"]);
    }

    #[test]
    fn capture_time_is_offered_only_if_the_producer_sends_it() {
        let router = router(&[video("VP8")]);
        let mut parameters = produced(&video("VP8"));
        assert!(!ends(&produce(MediaKind::Video, &parameters, &router)).contains(&"abs-capture-time"));
        parameters.header_extensions.push(extension(ABS_CAPTURE_TIME, 13));
        let consumable = produce(MediaKind::Video, &parameters, &router);
        let offered = consumable.header_extensions.iter().find(|extension| extension.uri == ABS_CAPTURE_TIME);
        assert_eq!(offered.map(|extension| extension.id), Some(10), "the router's id, not the producer's");
    }

    #[test]
    fn directions_are_seen_from_the_router() {
        use RtpHeaderExtensionDirection::{Inactive, Recvonly, Sendonly, Sendrecv};
        for (direction, sent) in [(Sendrecv, true), (Sendonly, true), (Recvonly, false), (Inactive, false)] {
            let mut router = router(&[video("VP8")]);
            router.header_extensions.retain(|extension| extension.kind == MediaKind::Video);
            router.header_extensions.truncate(1);
            router.header_extensions[0].direction = direction;
            router.header_extensions[0].preferred_encrypt = true;
            let consumable = produce(MediaKind::Video, &produced(&video("VP8")), &router);
            assert_eq!(consumable.header_extensions.len(), usize::from(sent), "{direction:?}");
            assert!(consumable.header_extensions.iter().all(|extension| !extension.encrypt));
        }
    }

    #[test]
    fn a_foreign_mapping_is_refused() {
        let (parameters, router) = (produced(&video("VP8")), router(&[video("VP8")]));
        let right = producer_mapping(MediaKind::Video, &parameters, &router, 1).unwrap();
        let field = |mapping: &RtpMapping| {
            consumable_rtp_parameters(MediaKind::Video, &parameters, &router, mapping).unwrap_err().field
        };
        assert_eq!(field(&RtpMapping { codecs: Default::default(), ..right.clone() }), "rtpMapping.codecs");
        assert_eq!(field(&RtpMapping { encodings: Default::default(), ..right }), "rtpMapping.encodings");
    }
}
