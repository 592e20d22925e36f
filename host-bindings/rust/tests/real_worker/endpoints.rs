//! Endpoints that state their capabilities and parameters in JSON, as browsers do, through a real worker.
//!
//! The files are those of the protocol's tests, whose README says where they come from.

use std::net::Ipv4Addr;

use libtest_mimic::Trial;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate::{
    ConsumerOptions, ErrorKind, ListenInfo, MediaKind, PlainTransportOptions, ProducerOptions, Router,
    RouterOptions, RtpCapabilities, RtpCodecCapability, RtpParameters, RtpType, Worker,
};

use crate::{settings, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial(
            "what_a_browser_sends_and_receives_goes_through",
            what_a_browser_sends_and_receives_goes_through,
        ),
        trial("another_browser_is_asked_before_it_consumes", another_browser_is_asked_before_it_consumes),
    ]
}

/// mediasoup-client 3.24.1 in Chromium 156: what it receives (`recv`) and what it produced (`events`).
const CLIENT: &str = include_str!(
    "../../../../protocol/tests/ortc/captures/mediasoup-client-3.24.1-chrome111-chromium156.json"
);
/// The router's capabilities that it was loaded with.
const ROUTER: &str =
    include_str!("../../../../protocol/tests/ortc/captures/router-rtp-capabilities-used.json");
/// Firefox ESR 153; on a machine without H.264.
const FIREFOX: &str = include_str!("../../../../protocol/tests/ortc/captures/firefox153-esr.json");

fn read<T: DeserializeOwned>(json: &Value) -> T {
    serde_json::from_value(json.clone()).unwrap()
}

/// A router with the codecs of the one that the client was loaded with.
async fn router() -> (Worker, Router) {
    let used: RtpCapabilities = serde_json::from_str(ROUTER).unwrap();
    let media_codecs: Vec<RtpCodecCapability> =
        used.codecs.iter().filter(|codec| !codec.is_rtx()).cloned().collect();
    let worker = Worker::spawn(settings()).await.unwrap();
    let router = worker.create_router(RouterOptions::new(media_codecs)).await.unwrap();
    let numbers = |capabilities: &RtpCapabilities| -> Vec<_> {
        let codecs = capabilities.codecs.iter();
        codecs.map(|codec| (codec.mime_type.clone(), codec.preferred_payload_type)).collect()
    };
    let capabilities = router.rtp_capabilities();
    assert_eq!(numbers(&capabilities), numbers(&used));
    // A browser gets them as JSON and would give them back.
    let json = serde_json::to_string(&capabilities).unwrap();
    assert_eq!(serde_json::from_str::<RtpCapabilities>(&json).unwrap(), capabilities);
    (worker, router)
}

fn transport() -> PlainTransportOptions {
    PlainTransportOptions::new(ListenInfo::new(Ipv4Addr::LOCALHOST)).with_comedia()
}

/// What the client produced.
fn produced() -> Vec<ProducerOptions> {
    let client: Value = serde_json::from_str(CLIENT).unwrap();
    let media = client["events"].as_array().unwrap().iter().filter(|event| event.get("kind").is_some());
    media.map(|event| ProducerOptions::new(read(&event["kind"]), read(&event["rtpParameters"]))).collect()
}

async fn what_a_browser_sends_and_receives_goes_through() {
    let client: Value = serde_json::from_str(CLIENT).unwrap();
    let capabilities: RtpCapabilities = read(&client["recv"]);
    let (worker, router) = router().await;
    let inlet = router.create_plain_transport(transport()).await.unwrap();
    let outlet = router.create_plain_transport(transport()).await.unwrap();
    let (mut producers, mut seen) = (Vec::new(), Vec::new());
    let cname = produced()[0].rtp_parameters.rtcp.cname.clone();
    for options in produced() {
        let mut sent: RtpParameters = options.rtp_parameters.clone();
        let producer = inlet.produce(options).await.unwrap();
        // A browser's offer names no CNAME for streams without SSRCs.
        assert_eq!(sent.rtcp.cname.is_empty(), sent.encodings[0].ssrc.is_none());
        cname.clone_into(&mut sent.rtcp.cname);
        assert_eq!(*producer.rtp_parameters(), sent);
        assert!(router.can_consume(&producer, &capabilities));
        let options = ConsumerOptions::new(&producer, capabilities.clone());
        producers.push(producer.clone());
        let name = sent.codecs[0].mime_type.clone();
        let consumer = match outlet.consume(options).await {
            Ok(consumer) => consumer,
            Err(error) => {
                assert_eq!(
                    (producer.rtp_type(), error.kind()),
                    (RtpType::Simulcast, Some(ErrorKind::Unsupported))
                );
                seen.push((name, RtpType::Simulcast, None));
                continue;
            }
        };
        let (parameters, dump) = (consumer.rtp_parameters(), consumer.dump().await.unwrap());
        let (stream, encoding) = (&dump.stream, &parameters.encodings[0]);
        assert_eq!((stream.payload_type, &*stream.mime_type), (parameters.codecs[0].payload_type, &*name));
        assert_eq!((Some(stream.ssrc), stream.rtx_ssrc), (encoding.ssrc, encoding.rtx.map(|rtx| rtx.ssrc)));
        assert_eq!(*stream.cname, sent.rtcp.cname);
        assert_eq!(parameters.msid, sent.msid);
        seen.push((name, dump.consumer_type, Some(stream.payload_type)));
    }
    let expected = [
        ("audio/opus", RtpType::Simple, Some(100)),
        ("video/VP8", RtpType::Simulcast, None),
        ("video/H264", RtpType::Simple, Some(105)),
        ("video/VP9", RtpType::Svc, Some(103)),
        ("video/AV1", RtpType::Svc, Some(107)),
    ];
    assert_eq!(seen, expected.map(|(name, rtp_type, number)| (name.to_owned(), rtp_type, number)));
    let dump = worker.dump().await.unwrap();
    assert_eq!((dump.producers, dump.consumers, dump.panics_contained), (5, 0, 0));
}

async fn another_browser_is_asked_before_it_consumes() {
    let capabilities: RtpCapabilities = serde_json::from_str(FIREFOX).unwrap();
    let (worker, router) = router().await;
    let inlet = router.create_plain_transport(transport()).await.unwrap();
    let outlet = router.create_plain_transport(transport()).await.unwrap();
    for options in produced() {
        let (kind, name) = (options.kind, options.rtp_parameters.codecs[0].mime_type.clone());
        let producer = inlet.produce(options).await.unwrap();
        let answer = router.can_consume(&producer, &capabilities);
        assert_eq!(answer, name != "video/H264", "{name}");
        let simulcast = producer.rtp_type() == RtpType::Simulcast;
        match outlet.consume(ConsumerOptions::new(&producer, capabilities.clone())).await {
            Ok(consumer) => {
                assert!(answer);
                let codec = &consumer.rtp_parameters().codecs[0];
                let offered = router.rtp_capabilities();
                let same = offered.codecs.iter().find(|known| known.mime_type == codec.mime_type).unwrap();
                assert_eq!(
                    same.preferred_payload_type,
                    Some(codec.payload_type),
                    "the router's, not its own"
                );
                assert_eq!(consumer.rtp_parameters().encodings[0].rtx.is_some(), kind == MediaKind::Video);
            }
            Err(error) => {
                assert_eq!(error.kind(), Some(ErrorKind::Unsupported), "{error}");
                assert!(!answer || simulcast, "{error}");
            }
        }
    }
    assert_eq!(worker.dump().await.unwrap().panics_contained, 0);
}
