//! Offers of real clients and of nobody: what a room receives of them, what is answered, and that nothing panics.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use echo_room::media_codecs;
use echo_room::sdp::{Answer, Answered, Fragment, Offer, OfferError, receivable, received};
use proptest::prelude::*;
use tidegate::ortc::{
    ConsumerOptions, consumable_rtp_parameters, offered_rtp_parameters, producer_mapping,
    router_rtp_capabilities,
};
use tidegate::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceCandidate, IceParameters, MediaKind, Protocol,
    RtpCapabilities, RtpParameters,
};

const CHROMIUM: &str = include_str!("offers/chromium-156-sendonly.sdp");
const CHROMIUM_RECEIVES: &str = include_str!("offers/chromium-156-recvonly.sdp");
const CHROMIUM_H264: &str = include_str!("offers/chromium-156-h264.sdp");
const SIMULCAST: &str = include_str!("offers/chromium-156-simulcast.sdp");
const FIREFOX: &str = include_str!("offers/firefox-153-sendonly.sdp");
const FIREFOX_BOTH: &str = include_str!("offers/firefox-153-sendrecv.sdp");
const FIREFOX_RECEIVES: &str = include_str!("offers/firefox-153-recvonly.sdp");
const GSTREAMER: &str = include_str!("offers/gstreamer-1.22-sendonly.sdp");
const GSTREAMER_BOTH: &str = include_str!("offers/gstreamer-1.22-sendrecv.sdp");
const GSTREAMER_RECEIVES: &str = include_str!("offers/gstreamer-1.22-recvonly.sdp");
const LIBDATACHANNEL: &str = include_str!("offers/libdatachannel-form.sdp");
const ALL: [&str; 11] = [
    CHROMIUM,
    CHROMIUM_RECEIVES,
    CHROMIUM_H264,
    SIMULCAST,
    FIREFOX,
    FIREFOX_BOTH,
    FIREFOX_RECEIVES,
    GSTREAMER,
    GSTREAMER_BOTH,
    GSTREAMER_RECEIVES,
    LIBDATACHANNEL,
];

fn router() -> RtpCapabilities {
    router_rtp_capabilities(&media_codecs()).unwrap()
}

fn parse(offer: &str) -> Offer {
    Offer::parse(offer.as_bytes()).unwrap()
}

/// What is received of the section of this kind.
fn of_kind(offer: &Offer, kind: MediaKind) -> RtpParameters {
    let section = offer.sections.iter().find(|section| section.kind == Some(kind)).unwrap();
    received(section, kind, &router()).unwrap()
}

/// Codec and payload type, RTX, SSRC and that of RTX, feedback.
type Row = (&'static str, u8, Option<u8>, Option<u32>, Option<u32>, &'static [&'static str]);

fn row(parameters: &RtpParameters) -> (String, u8, Option<u8>, Option<u32>, Option<u32>, Vec<String>) {
    let codec = &parameters.codecs[0];
    let feedback = codec.rtcp_feedback.iter().map(|one| format!("{} {}", one.kind, one.parameter));
    (
        codec.mime_type.to_lowercase(),
        codec.payload_type,
        parameters.codecs.get(1).map(|rtx| rtx.payload_type),
        parameters.encodings[0].ssrc,
        parameters.encodings[0].rtx.map(|rtx| rtx.ssrc),
        feedback.map(|one| one.trim().to_owned()).collect(),
    )
}

/// Some answer; what it says of transports is always the same.
fn answer(offer: &Offer, sections: Vec<Answered>) -> String {
    let candidate = |protocol, foundation: &str| IceCandidate {
        foundation: foundation.to_owned(),
        priority: 1,
        address: "192.0.2.1".to_owned(),
        ip: "192.0.2.1".to_owned(),
        protocol,
        port: 44_444,
        candidate_type: "host".to_owned(),
        tcp_type: None,
    };
    let fingerprint = |algorithm: &str, value: &str| DtlsFingerprint {
        algorithm: algorithm.to_owned(),
        value: value.to_owned(),
    };
    let ice =
        IceParameters { username_fragment: "server".to_owned(), password: "a".repeat(32), ice_lite: true };
    let fingerprints = vec![fingerprint("sha-512", "11"), fingerprint("sha-256", "22")];
    let candidates = vec![candidate(Protocol::Udp, "u"), candidate(Protocol::Tcp, "t")];
    Answer { offer, ice, candidates, dtls: DtlsParameters { role: DtlsRole::Auto, fingerprints }, sections }
        .write()
}

/// The answer that takes whatever can be.
fn answer_all(offer: &Offer) -> String {
    let sections = offer.sections.iter().map(|section| match section.kind {
        None => Answered::Rejected,
        Some(kind) => received(section, kind, &router()).map_or(Answered::Inactive, Answered::Receives),
    });
    let sections = sections.collect();
    answer(offer, sections)
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn a_room_receives_what_real_clients_offer() {
    const FOXES: &[&str] = &["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"];
    const OFFERED: &[&str] = &["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];
    let cases: [(&str, Row, Row); 7] = [
        (
            CHROMIUM,
            ("audio/opus", 111, None, Some(157_349_763), None, &["transport-cc"]),
            ("video/vp8", 96, Some(97), Some(490_328_142), Some(2_366_100_523), OFFERED),
        ),
        (
            // The first profile that it lists is another one than the room's.
            CHROMIUM_H264,
            ("audio/opus", 111, None, Some(4_107_258_589), None, &["transport-cc"]),
            ("video/h264", 108, Some(109), Some(3_484_266_795), Some(2_335_030_350), OFFERED),
        ),
        (
            FIREFOX,
            ("audio/opus", 109, None, Some(2_576_943_924), None, &["transport-cc"]),
            ("video/vp8", 120, Some(124), Some(2_981_541_606), Some(914_200_758), FOXES),
        ),
        (
            FIREFOX_BOTH,
            ("audio/opus", 109, None, Some(3_522_762_714), None, &["transport-cc"]),
            ("video/vp8", 120, Some(124), Some(3_354_650_548), Some(739_819_563), FOXES),
        ),
        (
            GSTREAMER,
            ("audio/opus", 111, None, Some(113006131), None, &["transport-cc"]),
            ("video/vp8", 96, None, Some(3_072_713_518), None, &["nack pli", "ccm fir", "transport-cc"]),
        ),
        (
            GSTREAMER_BOTH,
            ("audio/opus", 111, None, Some(274_128_031), None, &["transport-cc"]),
            ("video/vp8", 96, None, Some(2_621_631_908), None, &["nack pli", "ccm fir", "transport-cc"]),
        ),
        (
            LIBDATACHANNEL,
            ("audio/opus", 111, None, Some(1_001), None, &[]),
            ("video/h264", 96, None, Some(1_002), None, &["nack", "nack pli", "goog-remb"]),
        ),
    ];
    for (text, audio, video) in cases {
        let offer = parse(text);
        for (kind, (mime_type, payload_type, rtx, ssrc, rtx_ssrc, feedback)) in
            [(MediaKind::Audio, audio), (MediaKind::Video, video)]
        {
            let parameters = of_kind(&offer, kind);
            let feedback: Vec<String> = feedback.iter().map(|&one| one.to_owned()).collect();
            let wanted = (mime_type.to_owned(), payload_type, rtx, ssrc, rtx_ssrc, feedback);
            assert_eq!(row(&parameters), wanted, "{}", lines(text, "o=")[0]);
            assert!(!parameters.rtcp.cname.is_empty());
        }
    }
}

#[test]
fn of_simulcast_one_encoding_is_received_and_the_answer_says_so() {
    let offer = parse(SIMULCAST);
    assert!(offer.sections[0].has_simulcast);
    let parameters = of_kind(&offer, MediaKind::Video);
    // Its SSRC is not announced: the MID tells it.
    assert_eq!((parameters.encodings.len(), parameters.encodings[0].ssrc), (1, None));
    let uris: Vec<&str> = parameters.header_extensions.iter().map(|one| one.uri.as_str()).collect();
    assert!(uris.contains(&"urn:ietf:params:rtp-hdrext:sdes:mid"));
    assert!(!uris.iter().any(|uri| uri.contains("stream-id")), "{uris:?}");
    let answer = answer_all(&offer);
    assert!(!answer.contains("simulcast") && !answer.contains("a=rid"), "{answer}");
}

#[test]
fn a_player_is_sent_by_the_numbers_of_its_offer() {
    let produced = of_kind(&parse(CHROMIUM), MediaKind::Video);
    let mapping = producer_mapping(MediaKind::Video, &produced, &router(), 1).unwrap();
    let consumable = consumable_rtp_parameters(MediaKind::Video, &produced, &router(), &mapping).unwrap();
    for (text, numbers) in [
        (CHROMIUM_RECEIVES, vec![96, 97]),
        (GSTREAMER_RECEIVES, vec![97]),
        (FIREFOX_BOTH, vec![120, 124]),
        (FIREFOX_RECEIVES, vec![120, 124]),
    ] {
        let offer = parse(text);
        let section = offer.sections.iter().find(|section| section.kind == Some(MediaKind::Video)).unwrap();
        assert!(section.is_received());
        let options = ConsumerOptions { ssrc: 5, enable_rtx: true, ..ConsumerOptions::default() };
        let capabilities = receivable(section, MediaKind::Video);
        let consumed = offered_rtp_parameters(&consumable, &capabilities, &options).unwrap();
        let sent: Vec<u8> = consumed.codecs.iter().map(|codec| codec.payload_type).collect();
        assert_eq!(sent, numbers, "{}", lines(text, "o=")[0]);
        for extension in &consumed.header_extensions {
            let is_offered =
                |way: &str| text.contains(&format!("a=extmap:{}{way} {}", extension.id, extension.uri));
            assert!(is_offered("") || is_offered("/recvonly"), "{extension:?}");
        }
        let answer = answer(
            &offer,
            offer
                .sections
                .iter()
                .map(|one| match one.kind {
                    Some(MediaKind::Video) => Answered::Sends(consumed.clone(), "s".to_owned()),
                    _ => Answered::Rejected,
                })
                .collect(),
        );
        assert_eq!(lines(&answer, "a=sendonly").len(), 1, "{answer}");
        // What the offerer only receives, the answerer only sends.
        let one_way = text.contains("/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay");
        assert_eq!(answer.contains("/sendonly http"), one_way, "{answer}");
        let ssrcs = lines(&answer, "a=ssrc:5 cname:");
        assert_eq!(ssrcs.len(), 1, "{answer}");
        assert_eq!(answer.contains("a=ssrc-group:FID 5 6"), numbers.len() > 1, "{answer}");
    }
}

#[test]
fn an_answer_has_the_offers_sections_and_one_transport() {
    for text in ALL {
        let offer = parse(text);
        let answer = answer_all(&offer);
        let mids = |text: &str| lines(text, "a=mid:").into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(mids(&answer), mids(text));
        assert_eq!(lines(&answer, "a=candidate:").len(), 2, "in one section");
        let taken = offer.sections.iter().filter(|section| section.kind.is_some()).count();
        assert_eq!(lines(&answer, "a=setup:passive").len(), taken);
        assert_eq!(lines(&answer, "a=fingerprint:sha-256 22").len(), taken);
        assert_eq!(lines(&answer, "a=ice-lite").len(), 1);
        let group = lines(&answer, "a=group:BUNDLE")[0].split(' ').count() - 1;
        assert_eq!(group, taken, "{answer}");
        // What is not taken has port 0, whatever it is.
        let (ports, kinds) = (lines(&answer, "m="), offer.sections.iter().map(|section| section.kind));
        for (line, kind) in ports.iter().zip(kinds) {
            assert_eq!(line.contains(" 0 "), kind.is_none(), "{line}");
        }
        assert!(answer.ends_with("\r\n") && answer.starts_with("v=0\r\n"));
        // Our own reader takes it for a description.
        Offer::parse(answer.as_bytes()).unwrap();
    }
}

#[test]
fn who_insists_on_being_the_dtls_server_finds_a_client() {
    let offer = parse(&CHROMIUM.replace("a=setup:actpass", "a=setup:passive"));
    assert_eq!(offer.dtls.role, DtlsRole::Server);
    assert_eq!(lines(&answer_all(&offer), "a=setup:active").len(), 2);
}

#[test]
fn what_is_no_offer_is_malformed() {
    let without = |start: &str| {
        let kept: Vec<&str> = CHROMIUM.lines().filter(|line| !line.starts_with(start)).collect();
        kept.join("\r\n")
    };
    let cases = [
        (String::new(), "version"),
        ("hello".to_owned(), ""),
        ("v=0\r\n".to_owned(), "0 media sections"),
        (without("a=ice-ufrag"), "ice-ufrag"),
        (without("a=ice-pwd"), "ice-pwd"),
        (without("a=fingerprint"), "fingerprint"),
        (without("a=setup"), "setup"),
        (without("a=mid"), "a=mid"),
        (CHROMIUM.replace("a=mid:1", "a=mid:0"), "two media sections"),
        (CHROMIUM.replace("a=mid:1", &format!("a=mid:{}", "x".repeat(33))), "1 to 32 bytes"),
        (CHROMIUM.replace("a=ice-pwd:", "a=ice-pwd:short\r\na=x:"), "ice-pwd"),
        (format!("v=0\r\n{}", "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(9)), "9 media sections"),
        ("a".repeat(65_537), "longer than 65536"),
    ];
    for (text, why) in cases {
        let error = Offer::parse(text.as_bytes()).unwrap_err();
        let OfferError::Malformed(sentence) = &error else { panic!("{error:?} of {text}") };
        assert!(sentence.to_lowercase().contains(why), "{sentence}, not {why}");
    }
}

#[test]
fn what_comes_otherwise_than_by_dtls_in_one_bundle_is_not_taken() {
    let none = [
        CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVPF"),
        CHROMIUM.replace("a=rtcp-mux\r\n", ""),
        CHROMIUM.replace("m=audio 9 ", "m=audio 0 ").replace("m=video 9 ", "m=video 0 "),
        CHROMIUM.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE x"),
    ];
    for text in none {
        assert!(matches!(Offer::parse(text.as_bytes()), Err(OfferError::Unacceptable(_))), "{text}");
    }
    // Without a group the first section stands alone.
    let alone = parse(&CHROMIUM.replace("a=group:BUNDLE 0 1\r\n", ""));
    let kinds: Vec<_> = alone.sections.iter().map(|section| section.kind).collect();
    assert_eq!(kinds, [Some(MediaKind::Audio), None]);
    assert_eq!(lines(&answer_all(&alone), "a=group"), ["a=group:BUNDLE 0"]);
    // What the room cannot forward is refused with its name.
    let unknown = parse(&GSTREAMER.replace("VP8", "THEORA"));
    let error = received(&unknown.sections[1], MediaKind::Video, &router()).unwrap_err();
    assert!(error.to_string().contains("THEORA"), "{error}");
}

#[test]
fn a_fragment_names_credentials_and_nothing_else_counts() {
    let offer = parse(CHROMIUM);
    let fragment = format!(
        "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
         a=candidate:1 1 udp 1 x.local 9 typ host\r\na=end-of-candidates\r\n",
        offer.ice.username_fragment, offer.ice.password
    );
    assert_eq!(Fragment::parse(fragment.as_bytes()).unwrap().ice, offer.ice);
    // At the level of the session, as RFC 8840 4.4 has it too.
    let at_session = format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", "abcd", "p".repeat(22));
    assert_eq!(Fragment::parse(at_session.as_bytes()).unwrap().ice.username_fragment, "abcd");
    for bad in ["", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", "hello\r\n", "v=0\r\nm=audio\r\n"] {
        assert!(Fragment::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let ice =
        IceParameters { username_fragment: "next".to_owned(), password: "q".repeat(32), ice_lite: true };
    let told = Fragment::restarted(&offer.head(), &ice, &[]);
    assert_eq!(Fragment::parse(told.as_bytes()).unwrap().ice.username_fragment, "next");
    assert!(told.contains("a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111"), "{told}");
}

#[test]
fn lists_of_an_offer_are_bounded() {
    let section = "m=video 9 UDP/TLS/RTP/SAVPF";
    let many = |line: &dyn Fn(u32) -> String| (0..3_000).map(line).collect::<String>();
    let cases = [
        many(&|number| format!("a=ssrc:{number} cname:x\r\n")),
        many(&|number| format!("a=ssrc-group:FID {number} {}\r\n", number + 1)),
        many(&|number| format!("a=extmap:{} urn:x\r\n", number % 255)),
        many(&|_| "a=rtcp-fb:* nack x\r\n".to_owned()),
        format!("a=fmtp:96 {}\r\n", "a=b;".repeat(15_000)),
        format!("a=fingerprint:{}\r\n", "sha-256 AB\r\na=fingerprint:".repeat(2_000)),
    ];
    let head: String = parse_head(GSTREAMER_RECEIVES);
    for lines in cases {
        let numbers: Vec<String> = (0..128).map(|number| number.to_string()).collect();
        let names: String = (0..128).map(|number| format!("a=rtpmap:{number} VP8/90000\r\n")).collect();
        let text =
            format!("{head}{section} {}\r\na=mid:0\r\na=rtcp-mux\r\n{names}{lines}", numbers.join(" "));
        let end = text[..text.len().min(65_000)].rfind("\r\n").unwrap();
        let offer = parse(&text[..end]);
        let section = &offer.sections[0];
        assert!(section.codecs.len() <= 64 && section.streams.len() <= 16);
        assert!(section.header_extensions.len() <= 32 && offer.dtls.fingerprints.len() <= 16);
        for codec in &section.codecs {
            assert!(codec.parameters.len() <= 32 && codec.rtcp_feedback.len() <= 16);
        }
        answer_all(&offer);
    }
}

/// Session lines with all that one section needs.
fn parse_head(offer: &str) -> String {
    let wanted = ["a=setup", "a=ice-ufrag", "a=ice-pwd", "a=fingerprint"];
    let of: Vec<&str> = wanted.iter().map(|start| lines(offer, start)[0]).collect();
    format!("v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n{}\r\n", of.join("\r\n"))
}

/// Takes whatever was read, through all that can be done with it.
fn use_up(bytes: &[u8]) {
    let _ = Fragment::parse(bytes);
    let Ok(offer) = Offer::parse(bytes) else { return };
    let answer = answer_all(&offer);
    assert_eq!(lines(&answer, "m=").len(), offer.sections.len(), "{answer}");
    assert!(
        !answer.contains('\0') && answer.lines().all(|line| line.as_bytes().get(1) == Some(&b'=')),
        "{answer}"
    );
    for section in &offer.sections {
        let Some(kind) = section.kind else { continue };
        let capabilities = receivable(section, kind);
        for sender in [CHROMIUM, LIBDATACHANNEL] {
            let produced = of_kind(&parse(sender), kind);
            let mapping = producer_mapping(kind, &produced, &router(), 1).unwrap();
            let consumable = consumable_rtp_parameters(kind, &produced, &router(), &mapping).unwrap();
            let options = ConsumerOptions { ssrc: 5, enable_rtx: true, ..ConsumerOptions::default() };
            let _ = offered_rtp_parameters(&consumable, &capabilities, &options);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        use_up(&bytes);
    }

    #[test]
    fn any_lines_are_read_or_refused(lines in prop::collection::vec("[a-z]=[ -~]{0,60}", 0..60)) {
        use_up(format!("v=0\r\n{}\r\n", lines.join("\r\n")).as_bytes());
    }

    /// Real offers with bytes changed, lines lost, doubled and exchanged.
    #[test]
    fn spoilt_offers_are_read_or_refused(
        which in 0..ALL.len(),
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3), 0..8),
    ) {
        let mut lines: Vec<&str> = ALL[which].lines().collect();
        for (from, to, how) in moves {
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            match how {
                0 => lines.swap(from, to),
                1 => lines.insert(to, lines[from]),
                _ => drop(lines.remove(from)),
            }
        }
        let mut text = lines.join("\r\n").into_bytes();
        for (at, byte) in bytes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        use_up(&text);
    }
}
