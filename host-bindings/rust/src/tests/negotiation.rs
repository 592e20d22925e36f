//! What producing and consuming say to the worker, and what they keep from it.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::message::ToWorker;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp as wire;
use tokio::time::timeout;

use super::fake::{
    Fake, Session, consumer_options, greeted, plain_options, producer_options, router_options, session,
};
use crate::{
    ConsumerOptions, MediaKind, Producer, ProducerOptions, RequestError, RouterOptions, RtpCapabilities,
    RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpType,
};

type Change = fn(&mut ProducerOptions);

/// Parameters that contradict themselves or the router, and the field that the refusal names.
const WRONG: &[(Change, ErrorKind, &str)] = &[
    (
        |options| options.rtp_parameters.codecs[1].payload_type = 96,
        ErrorKind::InvalidArgument,
        "rtpParameters.codecs[1].payloadType",
    ),
    (
        |options| drop(options.rtp_parameters.codecs.remove(0)),
        ErrorKind::InvalidArgument,
        "rtpParameters.codecs",
    ),
    (
        |options| options.rtp_parameters.codecs[1] = RtpCodecParameters::rtx(97, 95),
        ErrorKind::InvalidArgument,
        "rtpParameters.codecs[1].parameters.apt",
    ),
    (
        |options| {
            for uri in ["urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:toffset"] {
                let extension = RtpHeaderExtensionParameters { uri: uri.to_owned(), id: 3, encrypt: false };
                options.rtp_parameters.header_extensions.push(extension);
            }
        },
        ErrorKind::InvalidArgument,
        "rtpParameters.headerExtensions[1].id",
    ),
    (
        |options| "video/none".clone_into(&mut options.rtp_parameters.codecs[0].mime_type),
        ErrorKind::Unsupported,
        "rtpParameters.codecs[0].mimeType",
    ),
    (
        |options| "video/VP9".clone_into(&mut options.rtp_parameters.codecs[0].mime_type),
        ErrorKind::Unsupported,
        "rtpParameters.codecs[0]",
    ),
    (
        |options| options.kind = MediaKind::Audio,
        ErrorKind::InvalidArgument,
        "rtpParameters.codecs[0].mimeType",
    ),
    (
        |options| options.rtp_parameters.encodings.push(RtpEncodingParameters::of_ssrc(1111)),
        ErrorKind::InvalidArgument,
        "rtpParameters.encodings[1].ssrc",
    ),
    (
        |options| options.rtp_parameters.encodings.clear(),
        ErrorKind::InvalidArgument,
        "rtpParameters.encodings",
    ),
    (
        |options| {
            options.rtp_parameters.encodings = (0..10_000).map(RtpEncodingParameters::of_ssrc).collect();
        },
        ErrorKind::InvalidArgument,
        "rtpParameters.encodings",
    ),
    (
        |options| options.rtp_parameters.rtcp.cname = "c".repeat(256),
        ErrorKind::InvalidArgument,
        "rtpParameters.rtcp.cname",
    ),
];

/// Class and field of a refusal.
fn refusal(error: &RequestError) -> (ErrorKind, &str) {
    let RequestError::Negotiation(error) = error else { panic!("{error:?}") };
    assert!(error.message.len() > 20 || error.message.contains(' '), "a sentence: {error}");
    (error.kind, &error.field)
}

#[tokio::test(start_paused = true)]
async fn wrong_parameters_are_refused_by_their_field_and_never_reach_the_worker() {
    let (session, mut fake) = session().await;
    for (index, (change, kind, field)) in WRONG.iter().enumerate() {
        let mut options = producer_options();
        change(&mut options);
        let error = session.transport.produce(options).await.unwrap_err();
        assert_eq!(refusal(&error), (*kind, *field), "row {index}");
        assert_eq!(error.kind(), Some(*kind));
    }
    silent(&mut fake).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_routers_and_consumers_are_refused_by_their_field_and_never_reach_the_worker() {
    let (session, mut fake) = session().await;
    let same = RtpCodecCapability::opus().with_payload_type(100);
    let unknown = RtpCodecCapability::new(MediaKind::Audio, "audio/none", 8_000);
    for (codecs, kind, field) in [
        (vec![same.clone(), same], ErrorKind::InvalidArgument, "mediaCodecs[1].preferredPayloadType"),
        (vec![unknown], ErrorKind::Unsupported, "mediaCodecs[0].mimeType"),
    ] {
        let error = session.worker.create_router(RouterOptions::new(codecs.clone())).await.unwrap_err();
        assert_eq!(refusal(&error), (kind, field));
        assert_eq!(session.router.update_media_codecs(&codecs).unwrap_err().field, field);
    }

    let right = consumer_options(&session.router, &session.producer);
    let mut opus = right.rtp_capabilities.clone();
    opus.codecs.retain(|codec| codec.kind == MediaKind::Audio);
    let mut twice = right.rtp_capabilities.clone();
    twice.codecs[1].preferred_payload_type = twice.codecs[0].preferred_payload_type;
    let long = "m".repeat(33);
    for (options, kind, field) in [
        (
            ConsumerOptions { rtp_capabilities: opus, ..right.clone() },
            ErrorKind::Unsupported,
            "rtpCapabilities.codecs",
        ),
        (
            ConsumerOptions { rtp_capabilities: RtpCapabilities::default(), ..right.clone() },
            ErrorKind::Unsupported,
            "rtpCapabilities.codecs",
        ),
        (
            ConsumerOptions { rtp_capabilities: twice, ..right.clone() },
            ErrorKind::InvalidArgument,
            "rtpCapabilities.codecs[1].preferredPayloadType",
        ),
        (ConsumerOptions { mid: Some(String::new()), ..right.clone() }, ErrorKind::InvalidArgument, "mid"),
        (ConsumerOptions { mid: Some(long), ..right }, ErrorKind::InvalidArgument, "mid"),
    ] {
        let error = session.transport.consume(options).await.unwrap_err();
        assert_eq!(refusal(&error), (kind, field));
    }
    silent(&mut fake).await;
}

#[tokio::test(start_paused = true)]
async fn can_consume_is_answered_without_the_worker() {
    let (session, mut fake) = session().await;
    let Session { worker, router, transport, producer, .. } = &session;
    let everything = router.rtp_capabilities();
    assert!(router.can_consume(producer, &everything));
    assert!(router.can_consume(producer, &everything.clone().plain()));
    let mut without_video = everything.clone();
    without_video.codecs.retain(|codec| codec.kind == MediaKind::Audio);
    assert!(!router.can_consume(producer, &without_video));
    assert!(!router.can_consume(producer, &RtpCapabilities::default()));
    let mut wrong = everything.clone();
    wrong.codecs[0].clock_rate = 0;
    assert!(!router.can_consume(producer, &wrong));
    silent(&mut fake).await;

    let (other, ()) = tokio::join!(worker.create_router(router_options()), fake.agree(1));
    let other = other.unwrap();
    assert!(!other.can_consume(producer, &everything), "the producer is another router's");
    let (second, ()) = tokio::join!(transport.produce(producer_options()), fake.agree(1));
    let second = second.unwrap();
    second.close();
    assert!(!router.can_consume(&second, &everything));
    assert!(router.can_consume(producer, &everything));
    router.close();
    assert!(!router.can_consume(producer, &everything));
}

#[tokio::test]
async fn the_worker_is_told_the_router_s_numbers() {
    let (session, mut fake) = session().await;
    let producing = async {
        let (id, command) = fake.request().await;
        fake.answer(id, Ok(Reply::Produced { producer_type: RtpType::Simple })).await;
        command
    };
    let (producer, command) = tokio::join!(session.transport.produce(producer_options()), producing);
    let producer = producer.unwrap();
    let Command::Produce { rtp_parameters, rtp_mapping, .. } = command else { panic!("{command:?}") };
    assert_eq!(crate::ortc::from_wire(&rtp_parameters), *producer.rtp_parameters());
    let codecs = rtp_mapping.codecs.iter().map(|codec| (codec.payload_type, codec.mapped_payload_type));
    assert_eq!(codecs.collect::<Vec<_>>(), [(96, 101), (97, 102)]);
    let consumable = producer.consumable_rtp_parameters();
    assert_eq!(payload_types(&consumable.codecs), [101, 102]);
    assert_eq!(consumable.encodings[0].ssrc, Some(rtp_mapping.encodings[0].mapped_ssrc));
    assert_eq!(consumable.rtcp.cname, producer.rtp_parameters().rtcp.cname);

    let options = consumer_options(&session.router, &producer);
    let (consumer, parameters, ssrcs, rtp_type) = consume(&session, &mut fake, options).await;
    assert_eq!(crate::ortc::from_wire(&parameters), *consumer.rtp_parameters());
    assert_eq!((&*ssrcs, rtp_type), (&[rtp_mapping.encodings[0].mapped_ssrc][..], RtpType::Simple));
    assert_eq!(payload_types(&consumer.rtp_parameters().codecs), [101, 102]);
}

#[tokio::test]
async fn producers_share_a_cname_and_consumers_have_streams_and_mids_of_their_own() {
    let (session, mut fake) = session().await;
    let random = &session.producer.rtp_parameters().rtcp.cname;
    let producing = async {
        let camera = session.transport.produce(named("camera@home")).await.unwrap();
        let transport = session.router.create_plain_transport(plain_options()).await.unwrap();
        let wrong = transport.produce(named(&"c".repeat(256))).await;
        assert!(wrong.is_err(), "and its name is not taken");
        let first = transport.produce(named("first")).await.unwrap();
        (camera, first, transport.produce(named("")).await.unwrap(), transport)
    };
    let ((camera, first, unnamed, _transport), ()) = tokio::join!(producing, fake.agree(4));
    let cname = |producer: &Producer| {
        let cname = &producer.rtp_parameters().rtcp.cname;
        assert_eq!(producer.consumable_rtp_parameters().rtcp.cname, *cname);
        cname.clone()
    };
    assert_eq!((random.len(), cname(&camera)), (24, random.clone()), "the first one had none");
    assert_eq!((cname(&first).as_str(), cname(&unnamed).as_str()), ("first", "first"));

    let (mut consumers, mut seen) = (Vec::new(), BTreeSet::new());
    let first = session.consumer.rtp_parameters();
    assert_eq!(first.mid.as_deref(), Some("0"));
    for mid in ["1", "left", "2"] {
        let mut options = consumer_options(&session.router, &unnamed);
        options.mid = Some(mid.to_owned()).filter(|mid| mid == "left");
        let (consumer, ..) = consume(&session, &mut fake, options).await;
        let parameters = consumer.rtp_parameters().clone();
        assert_eq!(parameters.mid.as_deref(), Some(mid));
        let encoding = &parameters.encodings[0];
        let ssrc = encoding.ssrc.unwrap();
        assert!((100_000_000..=999_999_998).contains(&ssrc));
        assert_eq!(encoding.rtx.unwrap().ssrc, ssrc + 1);
        assert!(seen.insert(ssrc) && seen.insert(ssrc + 1));
        consumers.push(consumer); // or it would close
    }
}

#[tokio::test]
async fn lost_packets_are_repaired_as_capabilities_and_options_say() {
    let (session, mut fake) = session().await;
    let everything = session.router.rtp_capabilities();
    let mut consumers = Vec::new(); // or they would close
    let cases = [
        // Capabilities, option, RTX, NACK.
        (everything.clone(), None, true, true),
        (everything.clone(), Some(false), false, false),
        (everything.clone().without_rtx(), None, false, true),
        (everything.plain(), None, false, false),
    ];
    for (rtp_capabilities, enable_rtx, rtx, nack) in cases {
        let options =
            ConsumerOptions { enable_rtx, ..ConsumerOptions::new(&session.producer, rtp_capabilities) };
        let (consumer, parameters, ..) = consume(&session, &mut fake, options).await;
        consumers.push(consumer);
        assert_eq!(parameters.codecs[0].has_feedback("nack", ""), nack);
        assert_eq!(parameters.codecs.iter().any(wire::RtpCodecParameters::is_rtx), rtx);
        assert_eq!(parameters.encodings[0].rtx_ssrc.is_some(), rtx);
    }

    let opus = RtpCodecParameters::opus(111).with_feedback("nack", "");
    let mut options = producer_options();
    options.kind = MediaKind::Audio;
    options.rtp_parameters.codecs = vec![opus];
    let (audio, ()) = tokio::join!(session.transport.produce(options), fake.agree(1));
    let audio = audio.unwrap();
    for (enable_rtx, nack) in [(None, false), (Some(true), true)] {
        let options = ConsumerOptions { enable_rtx, ..consumer_options(&session.router, &audio) };
        let (consumer, parameters, ..) = consume(&session, &mut fake, options).await;
        consumers.push(consumer);
        assert_eq!(parameters.codecs[0].has_feedback("nack", ""), nack, "{enable_rtx:?}");
    }
}

#[tokio::test]
async fn piping_consumers_have_all_streams_and_no_mid() {
    let (session, mut fake) = session().await;
    let mut options = producer_options();
    options.rtp_parameters.encodings = [1, 2, 3].map(RtpEncodingParameters::of_ssrc).into();
    let (simulcast, ()) = tokio::join!(session.transport.produce(options), fake.agree(1));
    let simulcast = simulcast.unwrap();
    let options = ConsumerOptions { pipe: true, ..consumer_options(&session.router, &simulcast) };
    let (consumer, parameters, ssrcs, rtp_type) = consume(&session, &mut fake, options).await;
    assert_eq!((rtp_type, consumer.rtp_type()), (RtpType::Pipe, RtpType::Pipe));
    assert_eq!((parameters.mid, parameters.encodings.len(), ssrcs.len()), (None, 3, 3));
    let encodings = parameters.encodings.iter();
    let all: BTreeSet<u32> =
        encodings.flat_map(|encoding| [encoding.ssrc.unwrap(), encoding.rtx_ssrc.unwrap()]).collect();
    assert_eq!(all.len(), 6, "no SSRC is used twice: {all:?}");
}

#[tokio::test]
async fn new_media_codecs_count_for_new_producers_only() {
    let (worker, mut fake) = greeted().await;
    let made = async {
        let router = worker.create_router(RouterOptions::new(vec![RtpCodecCapability::vp8()])).await.unwrap();
        let transport = router.create_plain_transport(plain_options()).await.unwrap();
        let before = transport.produce(producer_options()).await.unwrap();
        router.update_media_codecs(&[RtpCodecCapability::vp8().with_payload_type(120)]).unwrap();
        (transport.produce(producer_options()).await.unwrap(), before, router)
    };
    let ((after, before, router), ()) = tokio::join!(made, fake.agree(4));
    assert_eq!(payload_types(&before.consumable_rtp_parameters().codecs), [100, 101]);
    assert_eq!(payload_types(&after.consumable_rtp_parameters().codecs), [120, 100]);
    let capabilities = router.rtp_capabilities();
    assert_eq!(capabilities.codecs[0].preferred_payload_type, Some(120));
    assert!(router.can_consume(&before, &capabilities), "payload types do not decide");
}

/// A producer with this CNAME.
fn named(cname: &str) -> ProducerOptions {
    let mut options = producer_options();
    cname.clone_into(&mut options.rtp_parameters.rtcp.cname);
    options
}

/// Consumes, and what the worker was told: parameters, consumable SSRCs and type.
async fn consume(
    session: &Session,
    fake: &mut Fake,
    options: ConsumerOptions,
) -> (crate::Consumer, wire::RtpParameters, Vec<u32>, RtpType) {
    let consuming = async {
        let (id, command) = fake.request().await;
        let Command::Consume { rtp_parameters, consumable_ssrcs, consumer_type, .. } = command else {
            panic!("{command:?}")
        };
        let consumed = Reply::Consumed { paused: false, producer_paused: false, score: Default::default() };
        fake.answer(id, Ok(consumed)).await;
        (rtp_parameters, consumable_ssrcs.into_vec(), consumer_type)
    };
    let (consumer, (parameters, ssrcs, rtp_type)) =
        tokio::join!(session.transport.consume(options), consuming);
    (consumer.unwrap(), parameters, ssrcs, rtp_type)
}

fn payload_types(codecs: &[RtpCodecParameters]) -> Vec<u8> {
    codecs.iter().map(|codec| codec.payload_type).collect()
}

/// The host says nothing, however long the worker listens.
async fn silent(fake: &mut Fake) {
    let heard: Result<Option<ToWorker>, _> = timeout(Duration::from_secs(60), fake.heard()).await;
    assert!(heard.is_err(), "{heard:?}");
}
