//! Consumers of endpoints that made the offer: by their numbers.

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_protocol::ortc::dictionary::{
        MediaKind, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension, RtpHeaderExtensionDirection,
        RtpParameters,
    };
    use tidegate_protocol::ortc::{
        ConsumerOptions, consumer_rtp_parameters, offered_rtp_parameters, validate_rtp_parameters,
    };

    use crate::vectors::build::{
        ABS_SEND_TIME, MID, TRANSPORT_CC, audio, h264, produce, produced, produced_red, red, router, video,
    };

    fn options() -> ConsumerOptions {
        ConsumerOptions { ssrc: 1000, enable_rtx: true, ..ConsumerOptions::default() }
    }

    fn offered(codec: RtpCodecCapability, payload_type: u8) -> RtpCodecCapability {
        codec.with_payload_type(payload_type).with_feedback("nack", "").with_feedback("transport-cc", "")
    }

    fn rtx(payload_type: u8, of: u8) -> RtpCodecCapability {
        video("rtx").with_payload_type(payload_type).with_parameter("apt", i64::from(of))
    }

    fn extension(uri: &str, id: u8) -> RtpHeaderExtension {
        RtpHeaderExtension {
            kind: MediaKind::Video,
            uri: uri.to_owned(),
            preferred_id: id,
            preferred_encrypt: false,
            direction: RtpHeaderExtensionDirection::Sendrecv,
        }
    }

    fn vp8() -> RtpParameters {
        produce(MediaKind::Video, &produced(&video("VP8")), &router(&[video("VP8")]))
    }

    fn numbers(parameters: &RtpParameters) -> Vec<u8> {
        parameters.codecs.iter().map(|codec| codec.payload_type).collect()
    }

    #[test]
    fn numbers_are_those_of_the_offer() {
        // What the router calls 101 is another codec's in this offer, and 45 is RTX of another.
        let codecs =
            vec![offered(h264(1, "42e01f"), 101), rtx(45, 101), offered(video("VP8"), 120), rtx(124, 120)];
        let header_extensions =
            vec![extension(MID, 9), extension(TRANSPORT_CC, 1), extension("urn:unknown", 5)];
        let endpoint = RtpCapabilities { codecs, header_extensions };
        let consumed = offered_rtp_parameters(&vp8(), &endpoint, &options()).unwrap();
        assert_eq!(numbers(&consumed), [120, 124]);
        assert_eq!(consumed.codecs[1].parameters["apt"].number(), Some(120));
        let ids: Vec<_> = consumed.header_extensions.iter().map(|one| (one.uri.as_str(), one.id)).collect();
        assert_eq!(ids, [(MID, 9), (TRANSPORT_CC, 1)]);
        let feedback: Vec<_> = consumed.codecs[0].rtcp_feedback.iter().map(|one| one.kind.as_str()).collect();
        assert_eq!(feedback, ["nack", "transport-cc"]);
        assert_eq!(consumed.encodings[0].rtx.map(|rtx| rtx.ssrc), Some(1001));
    }

    #[test]
    fn rtx_of_another_codec_is_none() {
        let codecs = vec![offered(video("VP8"), 96), offered(video("VP9"), 98), rtx(99, 98)];
        let endpoint = RtpCapabilities { codecs, header_extensions: vec![extension(ABS_SEND_TIME, 2)] };
        let consumed = offered_rtp_parameters(&vp8(), &endpoint, &options()).unwrap();
        assert_eq!(numbers(&consumed), [96]);
        assert_eq!(consumed.encodings[0].rtx, None);
    }

    #[test]
    fn red_is_left_out_and_its_codec_stays() {
        let consumable =
            produce(MediaKind::Audio, &produced_red(), &router(&[red(), audio("opus", 48_000, 2)]));
        let codecs = vec![red().with_payload_type(63), audio("opus", 48_000, 2).with_payload_type(111)];
        let endpoint = RtpCapabilities { codecs, header_extensions: Vec::new() };
        let consumed = offered_rtp_parameters(&consumable, &endpoint, &options()).unwrap();
        assert_eq!(numbers(&consumed), [111]);
    }

    #[test]
    fn who_has_none_of_the_codecs_is_refused() {
        let endpoint = RtpCapabilities { codecs: vec![offered(video("VP9"), 98)], ..Default::default() };
        let error = offered_rtp_parameters(&vp8(), &endpoint, &options()).unwrap_err();
        assert_eq!(error.field, "rtpCapabilities.codecs");
    }

    proptest! {
        /// Whatever numbers an endpoint prefers: it gets valid parameters with its own numbers, or none; and it gets some
        /// wherever it would have got some by the router's.
        #[test]
        fn any_distinct_numbers_are_taken(
            numbers in prop::collection::hash_set(96_u8..128, 4),
            ids in prop::collection::hash_set(1_u8..15, 2),
        ) {
            let numbers: Vec<u8> = numbers.into_iter().collect();
            let ids: Vec<u8> = ids.into_iter().collect();
            let codecs = vec![
                offered(h264(1, "42e01f"), numbers[0]),
                rtx(numbers[1], numbers[0]),
                offered(video("VP8"), numbers[2]),
                rtx(numbers[3], numbers[2]),
            ];
            let header_extensions = vec![extension(MID, ids[0]), extension(TRANSPORT_CC, ids[1])];
            let endpoint = RtpCapabilities { codecs, header_extensions };
            for codec in [video("VP8"), h264(1, "42e01f")] {
                let routed = router(&[video("VP8"), h264(1, "42e01f")]);
                let consumable = produce(MediaKind::Video, &produced(&codec), &routed);
                let consumed = offered_rtp_parameters(&consumable, &endpoint, &options()).unwrap();
                validate_rtp_parameters(MediaKind::Video, &consumed).unwrap();
                let first = if codec.mime_type == "video/VP8" { 2 } else { 0 };
                prop_assert_eq!(self::numbers(&consumed), vec![numbers[first], numbers[first + 1]]);
                let by_router = consumer_rtp_parameters(&consumable, &endpoint, &options()).unwrap();
                prop_assert_eq!(consumed.codecs.len(), by_router.codecs.len());
            }
        }
    }
}
