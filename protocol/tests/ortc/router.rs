//! What routers can do.

#[cfg(test)]
mod tests {
    use tidegate_protocol::ortc::dictionary::{
        MediaKind, ParameterValue, RtpCodecCapability, RtpHeaderExtensionDirection,
    };
    use tidegate_protocol::ortc::{
        router_rtp_capabilities, supported_rtp_capabilities, validate_rtp_capabilities,
    };

    use crate::vectors::build::{all_codecs, audio, h264, router, video};

    #[test]
    fn supported_codecs_are_those_of_the_field_and_h265() {
        let supported = supported_rtp_capabilities();
        let mut codecs: Vec<String> = supported
            .codecs
            .iter()
            .map(|codec| {
                let payload_type =
                    codec.preferred_payload_type.map_or(String::new(), |given| format!(" {given}"));
                let channels = codec.channels.map_or(String::new(), |given| format!("/{given}"));
                format!("{}/{}{channels}{payload_type}", codec.mime_type, codec.clock_rate)
            })
            .collect();
        codecs.sort();
        let mut expected = [
            "audio/CN/16000/1 13",
            "audio/CN/32000/1 13",
            "audio/CN/8000/1 13",
            "audio/G722/8000/1 9",
            "audio/ISAC/16000/1",
            "audio/ISAC/32000/1",
            "audio/PCMA/8000/1 8",
            "audio/PCMU/8000/1 0",
            "audio/SILK/12000/1",
            "audio/SILK/16000/1",
            "audio/SILK/24000/1",
            "audio/SILK/8000/1",
            "audio/iLBC/8000/1",
            "audio/multiopus/48000/4",
            "audio/multiopus/48000/6",
            "audio/multiopus/48000/8",
            "audio/opus/48000/2",
            "audio/red/48000/2",
            "audio/telephone-event/16000/1",
            "audio/telephone-event/32000/1",
            "audio/telephone-event/48000/1",
            "audio/telephone-event/8000/1",
            "video/AV1/90000",
            "video/H264/90000",
            "video/H265/90000",
            "video/VP8/90000",
            "video/VP9/90000",
            "video/flexfec-03/90000",
        ];
        expected.sort_unstable();
        assert_eq!(codecs, expected);
        assert_eq!(validate_rtp_capabilities(&supported), Ok(()));
    }

    #[test]
    fn feedback_fits_the_kind_of_codec() {
        for codec in supported_rtp_capabilities().codecs {
            let feedback: Vec<String> =
                codec.rtcp_feedback.iter().map(|one| format!("{} {}", one.kind, one.parameter)).collect();
            let expected: &[&str] = match codec.mime_type.as_str() {
                "audio/opus" | "audio/multiopus" | "audio/red" => &["nack ", "transport-cc "],
                "audio/CN" | "audio/telephone-event" => &[],
                "video/flexfec-03" => &["goog-remb ", "transport-cc "],
                _ if codec.kind == MediaKind::Audio => &["transport-cc "],
                _ => &["nack ", "nack pli", "ccm fir", "goog-remb ", "transport-cc "],
            };
            assert_eq!(feedback, expected, "{}", codec.mime_type);
        }
    }

    #[test]
    fn header_extensions_have_the_ids_and_directions_of_the_field() {
        use RtpHeaderExtensionDirection::{Recvonly, Sendrecv};
        // Id, end of the URI, direction for audio, for video.
        let expected = [
            (1, "sdes:mid", Some(Sendrecv), Some(Sendrecv)),
            (2, "sdes:rtp-stream-id", None, Some(Recvonly)),
            (3, "sdes:repaired-rtp-stream-id", None, Some(Recvonly)),
            (4, "abs-send-time", Some(Sendrecv), Some(Sendrecv)),
            (5, "transport-wide-cc-extensions-01", Some(Recvonly), Some(Sendrecv)),
            (6, "ssrc-audio-level", Some(Sendrecv), None),
            (7, "dependency-descriptor-rtp-header-extension", None, Some(Recvonly)),
            (8, "video-orientation", None, Some(Sendrecv)),
            (9, "toffset", None, Some(Sendrecv)),
            (10, "abs-capture-time", Some(Sendrecv), Some(Sendrecv)),
            (11, "playout-delay", Some(Sendrecv), Some(Sendrecv)),
            (12, "packet-id", Some(Sendrecv), Some(Sendrecv)),
        ];
        let extensions = router(&[]).header_extensions;
        for (id, uri, audio, video) in expected {
            for (kind, direction) in [(MediaKind::Audio, audio), (MediaKind::Video, video)] {
                let found = extensions.iter().find(|known| known.kind == kind && known.uri.ends_with(uri));
                assert_eq!(found.map(|known| known.direction), direction, "{uri} {kind:?}");
                assert!(
                    found.is_none_or(|known| known.preferred_id == id && !known.preferred_encrypt),
                    "{uri}"
                );
            }
        }
        let count = expected.iter().map(|(_, _, audio, video)| audio.iter().count() + video.iter().count());
        assert_eq!(extensions.len(), count.sum::<usize>());
    }

    #[test]
    fn every_codec_makes_a_router_and_video_gets_rtx() {
        for (name, wanted) in all_codecs() {
            let router = router(std::slice::from_ref(&wanted));
            assert_eq!(validate_rtp_capabilities(&router), Ok(()), "{name}");
            let codec = &router.codecs[0];
            assert_eq!(codec.mime_type, wanted.mime_type);
            assert_eq!(codec.preferred_payload_type, wanted.preferred_payload_type.or(Some(100)), "{name}");
            for (parameter, value) in &wanted.parameters {
                assert_eq!(codec.parameters.get(parameter), Some(value), "{name}");
            }
            match wanted.kind {
                MediaKind::Audio => assert_eq!(router.codecs.len(), 1, "{name}"),
                MediaKind::Video => {
                    let rtx = &router.codecs[1];
                    assert_eq!((rtx.mime_type.as_str(), rtx.clock_rate), ("video/rtx", 90_000));
                    assert_eq!(rtx.preferred_payload_type, Some(101));
                    assert_eq!(rtx.parameters.get("apt"), Some(&ParameterValue::Number(100)));
                    assert!(rtx.rtcp_feedback.is_empty());
                    assert_eq!(router.codecs.len(), 2, "{name}");
                }
            }
        }
    }

    fn payload_types(codecs: &[RtpCodecCapability]) -> Vec<u8> {
        router(codecs).codecs.iter().map(|codec| codec.preferred_payload_type.unwrap()).collect()
    }

    #[test]
    fn dynamic_payload_types_are_100_to_127_then_96_to_99() {
        let opus = vec![RtpCodecCapability::opus(); 32];
        let expected: Vec<u8> = (100..=127).chain(96..=99).collect();
        assert_eq!(payload_types(&opus), expected);
        assert_eq!(payload_types(&vec![RtpCodecCapability::vp8(); 16]), expected);
        for too_many in [vec![RtpCodecCapability::opus(); 33], vec![RtpCodecCapability::vp8(); 17]] {
            let error = router_rtp_capabilities(&too_many).unwrap_err();
            assert!(error.message.starts_with("no dynamic payload type is left"), "{error}");
        }
    }

    #[test]
    fn preferred_payload_types_are_honoured_or_refused() {
        let prefer = |codec: RtpCodecCapability, payload_type| RtpCodecCapability {
            preferred_payload_type: Some(payload_type),
            ..codec
        };
        let (opus, vp8) = (RtpCodecCapability::opus, RtpCodecCapability::vp8);
        assert_eq!(payload_types(&[prefer(vp8(), 100), opus()]), [100, 101, 102]);
        assert_eq!(payload_types(&[prefer(vp8(), 101), opus()]), [101, 100, 102]);
        assert_eq!(payload_types(&[prefer(audio("PCMU", 8_000, 1), 127), opus()]), [127, 100]);
        assert_eq!(payload_types(&[audio("PCMU", 8_000, 1), audio("PCMA", 8_000, 1)]), [0, 8]);
        for conflict in [
            [prefer(opus(), 111), prefer(vp8(), 111)],
            [opus(), prefer(vp8(), 100)],
            [vp8(), prefer(opus(), 101)],
            [audio("CN", 8_000, 1), audio("CN", 16_000, 1)],
        ] {
            let error = router_rtp_capabilities(&conflict).unwrap_err();
            assert_eq!(error.field, "mediaCodecs[1].preferredPayloadType");
        }
    }

    #[test]
    fn wishes_are_added_to_what_is_supported() {
        let codec = router(&[h264(1, "4d0032")]).codecs.remove(0);
        let parameters: Vec<String> =
            codec.parameters.iter().map(|(name, value)| format!("{name}={}", value.text())).collect();
        assert_eq!(
            parameters,
            ["level-asymmetry-allowed=1", "packetization-mode=1", "profile-level-id=4d0032"]
        );
        let codec = router(&[video("H264").with_parameter("level-asymmetry-allowed", 0)]).codecs.remove(0);
        assert_eq!(codec.parameters["level-asymmetry-allowed"], ParameterValue::Number(0));
    }
}
