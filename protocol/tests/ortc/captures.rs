//! Capabilities of real endpoints, negotiated: `captures/README.md` says where each file comes from.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use tidegate_protocol::error::ErrorKind;
    use tidegate_protocol::ortc::dictionary::{
        MediaKind, RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension, RtpParameters,
    };
    use tidegate_protocol::ortc::{
        ConsumerOptions, PipeConsumerOptions, can_consume, consumer_rtp_parameters,
        pipe_consumer_rtp_parameters, producer_mapping, validate_rtp_capabilities, validate_rtp_parameters,
    };

    use crate::vectors::build::{
        TRANSPORT_CC, all_codecs, audio, device, h264, in_use, produce, produced, produced_red, router,
        simulcast, video,
    };

    const ROUTER: &str = include_str!("captures/router-rtp-capabilities-used.json");
    const CLIENT: &str = include_str!("captures/mediasoup-client-3.24.1-chrome111-chromium156.json");
    const CHROMIUM: &str = include_str!("captures/chromium156-getCapabilities.json");
    const FIREFOX: &str = include_str!("captures/firefox153-esr.json");

    fn client_router() -> RtpCapabilities {
        serde_json::from_str(ROUTER).unwrap()
    }

    /// What the client produced: kind and parameters.
    fn client_producers() -> Vec<(MediaKind, RtpParameters)> {
        let run: Value = serde_json::from_str(CLIENT).unwrap();
        let events =
            run["events"].as_array().unwrap().iter().filter(|event| event.get("rtpParameters").is_some());
        let read = |event: &Value| {
            let kind = serde_json::from_value(event["kind"].clone()).unwrap();
            (kind, serde_json::from_value(event["rtpParameters"].clone()).unwrap())
        };
        events.map(read).collect()
    }

    fn client_capabilities() -> RtpCapabilities {
        let run: Value = serde_json::from_str(CLIENT).unwrap();
        serde_json::from_value(run["recv"].clone()).unwrap()
    }

    /// One line of Chromium's listing, for example `audio/opus 48000/2 minptime=10;useinbandfec=1`.
    fn chromium_codec(line: &str) -> RtpCodecCapability {
        let mut words = line.split_ascii_whitespace();
        let (kind, name) = words.next().unwrap().split_once('/').unwrap();
        let mut codec = video(name);
        if kind == "audio" {
            let (clock_rate, channels) = words.next().unwrap().split_once('/').unwrap();
            codec = audio(name, clock_rate.parse().unwrap(), channels.parse().unwrap());
        }
        for parameter in words.flat_map(|word| word.split(';')) {
            let (name, value) = parameter.split_once('=').unwrap();
            // As SDP libraries read it: digits are numbers.
            codec = match value.parse::<i64>() {
                Ok(number) => codec.with_parameter(name, number),
                Err(_) => codec.with_parameter(name, value),
            };
        }
        codec.rtcp_feedback = in_use(&codec, 0).rtcp_feedback;
        codec
    }

    /// Chromium's codecs of these lists, and its header extensions with the router's ids where it has one.
    fn chromium(lists: &[&str]) -> RtpCapabilities {
        let listing: Value = serde_json::from_str(CHROMIUM).unwrap();
        let lines = lists.iter().flat_map(|list| listing[list].as_array().unwrap());
        let codecs = lines.map(|line| chromium_codec(line.as_str().unwrap())).collect();
        let known = router(&[]).header_extensions;
        let mut header_extensions = Vec::new();
        for (kind, list) in
            [MediaKind::Audio, MediaKind::Video].into_iter().zip(listing["ext"].as_array().unwrap())
        {
            for (line, index) in list.as_array().unwrap().iter().zip(30..) {
                let uri = line.as_str().unwrap().split_once(' ').unwrap().0;
                let same = known.iter().find(|known| known.kind == kind && known.uri == uri);
                header_extensions.push(RtpHeaderExtension {
                    kind,
                    uri: uri.to_owned(),
                    preferred_id: same.map_or(index, |known| known.preferred_id),
                    preferred_encrypt: false,
                    direction: Default::default(),
                });
            }
        }
        RtpCapabilities { codecs, header_extensions }
    }

    fn firefox() -> RtpCapabilities {
        serde_json::from_str(FIREFOX).unwrap()
    }

    /// Every codec that a producer may have, and whether an endpoint can consume it.
    fn consumable_names(endpoint: &RtpCapabilities) -> BTreeSet<String> {
        assert_eq!(validate_rtp_capabilities(endpoint), Ok(()));
        let can = |codec: &RtpCodecCapability| {
            let router = router(std::slice::from_ref(codec));
            let consumable = produce(codec.kind, &produced(codec), &router);
            can_consume(&consumable, endpoint).unwrap()
        };
        all_codecs().into_iter().filter(|(_, codec)| can(codec)).map(|(name, _)| name).collect()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn consumer(consumable: &RtpParameters, endpoint: &RtpCapabilities, kind: MediaKind) -> RtpParameters {
        let enable_rtx = kind == MediaKind::Video;
        let options =
            ConsumerOptions { ssrc: 123_456_789, enable_rtx, mid: Some("0".into()), ..Default::default() };
        let consumer = consumer_rtp_parameters(consumable, endpoint, &options).unwrap();
        assert_eq!(validate_rtp_parameters(kind, &consumer), Ok(()));
        let pipe = PipeConsumerOptions { ssrc: 1, rtx_ssrc: 100, enable_rtx };
        let pipe = pipe_consumer_rtp_parameters(consumable, &pipe).unwrap();
        assert_eq!(validate_rtp_parameters(kind, &pipe), Ok(()));
        consumer
    }

    fn codecs(parameters: &RtpParameters) -> Vec<(&str, u8)> {
        parameters.codecs.iter().map(|codec| (codec.mime_type.as_str(), codec.payload_type)).collect()
    }

    #[test]
    fn mediasoup_client_produces_what_its_router_has() {
        let router = client_router();
        assert_eq!(validate_rtp_capabilities(&router), Ok(()));
        let expected: [&[(u8, u8)]; 5] = [
            &[(111, 100)],
            &[(96, 101), (97, 102)],
            &[(108, 105), (109, 106)],
            &[(98, 103), (99, 104)],
            &[(45, 107), (46, 108)],
        ];
        let producers = client_producers();
        assert_eq!(producers.len(), expected.len());
        for ((kind, parameters), expected) in producers.into_iter().zip(expected) {
            assert_eq!(validate_rtp_parameters(kind, &parameters), Ok(()));
            let mapping = producer_mapping(kind, &parameters, &router, 1).unwrap();
            let pairs: Vec<_> =
                mapping.codecs.iter().map(|entry| (entry.payload_type, entry.mapped_payload_type)).collect();
            assert_eq!(pairs, expected);
            assert_eq!(mapping.encodings.len(), parameters.encodings.len());
        }
    }

    #[test]
    fn mediasoup_client_consumes_what_another_produces() {
        let endpoint = client_capabilities();
        assert_eq!(validate_rtp_capabilities(&endpoint), Ok(()));
        let expected = [
            (vec![("audio/opus", 100)], None, None),
            (vec![("video/VP8", 101), ("video/rtx", 102)], Some("L3T3"), Some(900_000)),
            (vec![("video/H264", 105), ("video/rtx", 106)], None, None),
            (vec![("video/VP9", 103), ("video/rtx", 104)], Some("L3T3_KEY"), None),
            (vec![("video/AV1", 107), ("video/rtx", 108)], Some("L1T3"), None),
        ];
        for ((kind, parameters), (list, mode, bitrate)) in client_producers().into_iter().zip(expected) {
            let consumable = produce(kind, &parameters, &client_router());
            assert_eq!(can_consume(&consumable, &endpoint), Ok(true));
            let consumer = consumer(&consumable, &endpoint, kind);
            assert_eq!(codecs(&consumer), list);
            let encoding = &consumer.encodings[0];
            assert_eq!((encoding.scalability_mode.as_deref(), encoding.max_bitrate), (mode, bitrate));
            assert_eq!(encoding.rtx.is_some(), kind == MediaKind::Video);
            assert_eq!(consumer.msid, parameters.msid);
            let has_cc = consumer.codecs[0].rtcp_feedback.contains(&RtcpFeedback::new("transport-cc", ""));
            assert_eq!(has_cc, kind == MediaKind::Video, "only video has the extension when we send");
            assert!(!consumer.codecs[0].rtcp_feedback.iter().any(|feedback| feedback.kind == "goog-remb"));
        }
    }

    #[test]
    fn mediasoup_client_produces_on_a_router_of_ours() {
        let room = router(&[
            audio("opus", 48_000, 2),
            video("VP8"),
            video("H265"),
            video("VP9"),
            h264(1, "42e01f"),
            video("AV1"),
        ]);
        for (kind, parameters) in client_producers() {
            let consumable = produce(kind, &parameters, &room);
            let consumer = consumer(&consumable, &device(&room, |_| true), kind);
            assert_eq!(consumer.codecs[0].parameters, consumable.codecs[0].parameters);
            assert_eq!(codecs(&consumer), codecs(&consumable));
        }
    }

    #[test]
    fn chromium_consumes_what_it_lists() {
        let expected = [
            "audio/opus/48000/2",
            "audio/G722/8000/1",
            "audio/PCMU/8000/1",
            "audio/PCMA/8000/1",
            "audio/CN/8000/1",
            "audio/telephone-event/48000/1",
            "audio/telephone-event/8000/1",
            "video/VP8/90000",
            "video/VP9/90000",
            "VP9 profile 2",
            "video/AV1/90000",
            "AV1 profile 1",
            "video/H264/90000",
            "H264 constrained baseline, mode 1",
            "H264 baseline, mode 0",
            "H264 main 5.0, mode 1",
            "H264 high 4:4:4",
        ];
        assert_eq!(consumable_names(&chromium(&["rv", "sa"])), names(&expected));
    }

    #[test]
    fn chromium_produces_what_it_lists_but_red_and_fec_for_video() {
        let chromium = chromium(&["sv", "sa"]);
        let all: Vec<RtpCodecCapability> =
            chromium.codecs.iter().filter(|codec| !codec.is_rtx()).cloned().collect();
        let refused =
            |codec: &RtpCodecCapability| ["video/red", "video/ulpfec"].contains(&codec.mime_type.as_str());
        let room = router(&all.iter().filter(|codec| !refused(codec)).cloned().collect::<Vec<_>>());
        for codec in &all {
            let parameters = if codec.is_red() { produced_red() } else { produced(codec) };
            if refused(codec) {
                let error = producer_mapping(codec.kind, &parameters, &room, 1).unwrap_err();
                assert_eq!(error.kind, ErrorKind::Unsupported, "{}", codec.mime_type);
                continue;
            }
            let consumable = produce(codec.kind, &parameters, &room);
            let consumer = consumer(&consumable, &chromium, codec.kind);
            assert_eq!(consumer.codecs[0].mime_type, codec.mime_type);
            let with_repair = codec.kind == MediaKind::Video || codec.is_red();
            assert_eq!(consumer.codecs.len(), if with_repair { 2 } else { 1 }, "{}", codec.mime_type);
        }
    }

    #[test]
    fn chromium_takes_transport_feedback_for_video() {
        let consumable = produce(MediaKind::Video, &produced(&video("VP8")), &router(&[video("VP8")]));
        let consumer = consumer(&consumable, &chromium(&["rv", "sa"]), MediaKind::Video);
        let kinds: Vec<&str> =
            consumer.codecs[0].rtcp_feedback.iter().map(|feedback| feedback.kind.as_str()).collect();
        assert_eq!(kinds, ["transport-cc", "nack", "nack"]);
        assert!(consumer.header_extensions.iter().any(|extension| extension.uri == TRANSPORT_CC));
        assert_eq!(consumer.header_extensions.len(), 6, "all of ours but the packet id");
    }

    #[test]
    fn firefox_consumes_what_it_offers() {
        let expected = [
            "audio/opus/48000/2",
            "audio/G722/8000/1",
            "audio/PCMU/8000/1",
            "audio/PCMA/8000/1",
            "audio/telephone-event/8000/1",
            "video/VP8/90000",
            "video/VP9/90000",
            "video/AV1/90000",
        ];
        assert_eq!(consumable_names(&firefox()), names(&expected));
    }

    #[test]
    fn firefox_produces_and_consumes_in_a_room_of_all_codecs() {
        let all: Vec<RtpCodecCapability> = all_codecs().into_iter().map(|(_, codec)| codec).collect();
        // Sixteen video codecs are all that payload types are for; audio beside them has static ones.
        let mut wanted: Vec<RtpCodecCapability> =
            all.iter().filter(|codec| codec.kind == MediaKind::Video).take(14).cloned().collect();
        wanted.extend([audio("opus", 48_000, 2), audio("telephone-event", 8_000, 1)]);
        wanted.extend(["PCMU", "PCMA", "G722"].map(|name| audio(name, 8_000, 1)));
        let room = router(&wanted);
        let offered = firefox();
        let of_firefox = |known: &RtpCodecCapability| {
            let same = |codec: &RtpCodecCapability| codec.mime_type == known.mime_type;
            let first_profile = ["profile-id", "profile"];
            offered.codecs.iter().any(same)
                && !first_profile.iter().any(|name| known.parameters.contains_key(*name))
        };
        let endpoint = device(&room, of_firefox);
        let mut seen = 0;
        for codec in offered.codecs.iter().filter(|codec| !codec.is_rtx()) {
            let parameters = produced(codec);
            if ["video/red", "video/ulpfec"].contains(&codec.mime_type.as_str()) {
                assert!(producer_mapping(codec.kind, &parameters, &room, 1).is_err());
                continue;
            }
            let consumable = produce(codec.kind, &parameters, &room);
            let consumer = consumer(&consumable, &endpoint, codec.kind);
            assert_eq!(consumer.codecs[0].mime_type, codec.mime_type);
            assert_eq!(consumer.codecs[0].parameters, codec.parameters);
            seen += 1;
        }
        assert_eq!(seen, 8);
    }

    #[test]
    fn firefox_own_extension_ids_are_not_ours() {
        let consumable =
            produce(MediaKind::Video, &simulcast(&video("VP8"), 3, ""), &router(&[video("VP8")]));
        let consumer = consumer(&consumable, &firefox(), MediaKind::Video);
        // Only the absolute send time happens to have the router's id in its offer.
        assert_eq!(consumer.header_extensions.len(), 1);
        assert!(consumer.codecs[0].rtcp_feedback.contains(&RtcpFeedback::new("goog-remb", "")));
        assert_eq!(consumer.encodings[0].scalability_mode.as_deref(), Some("L3T1"));
    }
}
