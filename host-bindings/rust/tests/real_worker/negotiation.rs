//! Negotiation through a real worker: codecs by capabilities, payload types on the wire, and bad input that leaves
//! nothing behind.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use libtest_mimic::Trial;
use tidegate::{
    Consumer, ConsumerOptions, ErrorKind, ListenInfo, MediaKind, PlainConnectOptions, PlainTransport,
    PlainTransportOptions, Producer, ProducerOptions, RequestError, Router, RouterOptions, RtpCapabilities,
    RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters,
    RtpParameters, RtpType, Worker,
};

use crate::{settings, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("every_codec_is_consumed_by_what_the_peer_can_do", every_codec_is_consumed),
        trial("a_viewer_gets_the_router_s_payload_type_and_mid", a_viewer_gets_the_router_s_payload_type),
        trial("bad_input_names_its_field_and_leaves_nothing_in_the_worker", bad_input_leaves_nothing),
        trial("what_the_worker_cannot_do_yet_is_its_own_refusal", what_the_worker_cannot_do_yet),
    ]
}

fn h264(mode: i64, profile: &str) -> RtpCodecCapability {
    RtpCodecCapability::new(MediaKind::Video, "video/H264", 90_000)
        .with_parameter("packetization-mode", mode)
        .with_parameter("profile-level-id", profile)
}

async fn room(media_codecs: Vec<RtpCodecCapability>) -> (Worker, Router, PlainTransport) {
    let worker = Worker::spawn(settings()).await.unwrap();
    let router = worker.create_router(RouterOptions::new(media_codecs)).await.unwrap();
    let transport = plain(&router).await;
    (worker, router, transport)
}

async fn plain(router: &Router) -> PlainTransport {
    let options = PlainTransportOptions::new(ListenInfo::new(Ipv4Addr::LOCALHOST)).with_comedia();
    router.create_plain_transport(options).await.unwrap()
}

fn sends(kind: MediaKind, codecs: Vec<RtpCodecParameters>, ssrc: u32) -> ProducerOptions {
    let encodings = vec![RtpEncodingParameters::of_ssrc(ssrc)];
    ProducerOptions::new(kind, RtpParameters { codecs, encodings, ..RtpParameters::default() })
}

fn vp8(ssrc: u32) -> ProducerOptions {
    sends(MediaKind::Video, vec![RtpCodecParameters::vp8(96), RtpCodecParameters::rtx(97, 96)], ssrc)
}

async fn every_codec_is_consumed() {
    let (worker, router, inlet) =
        room(vec![RtpCodecCapability::opus(), RtpCodecCapability::vp8(), h264(1, "42e01f")]).await;
    let outlet = plain(&router).await;
    let h264_sent = RtpCodecParameters::new("video/H264", 125, 90_000)
        .with_parameter("packetization-mode", 1)
        .with_parameter("profile-level-id", "42e034");
    let everything = router.rtp_capabilities();
    let only = |name: &str| {
        let mut capabilities = everything.clone();
        capabilities.codecs.retain(|codec| codec.mime_type.ends_with(name));
        capabilities
    };
    let sent = [
        (sends(MediaKind::Audio, vec![RtpCodecParameters::opus(111)], 1), "opus", vec![100]),
        (vp8(2), "VP8", vec![101, 102]),
        (sends(MediaKind::Video, vec![h264_sent], 3), "H264", vec![103, 104]),
    ];
    for (options, name, payload_types) in sent {
        let producer = inlet.produce(options).await.unwrap();
        assert_eq!(producer.rtp_type(), RtpType::Simple);
        assert!(router.can_consume(&producer, &everything) && router.can_consume(&producer, &only(name)));
        for other in ["opus", "VP8", "H264"].into_iter().filter(|other| *other != name) {
            assert!(!router.can_consume(&producer, &only(other)), "{name} as {other}");
        }
        let options = ConsumerOptions::new(&producer, everything.clone());
        let consumer = outlet.consume(options).await.unwrap();
        let parameters = consumer.rtp_parameters();
        let numbers: Vec<u8> = parameters.codecs.iter().map(|codec| codec.payload_type).collect();
        assert_eq!(numbers, payload_types, "{name}");
        let dump = consumer.dump().await.unwrap();
        assert_eq!(*dump.supported_codec_payload_types, payload_types[..1]);
        let encoding = &parameters.encodings[0];
        assert_eq!((Some(dump.stream.ssrc), dump.stream.payload_type), (encoding.ssrc, payload_types[0]));
        assert_eq!(dump.stream.rtx_ssrc, encoding.rtx.map(|rtx| rtx.ssrc));
        assert_eq!(dump.stream.rtx_ssrc.is_some(), name != "opus");
        assert_eq!(*dump.stream.mime_type, format!("{}/{name}", kind_name(consumer.kind())));
        let consumable = producer.consumable_rtp_parameters();
        assert_eq!(*dump.consumable_ssrcs, [consumable.encodings[0].ssrc.unwrap()]);
        drop(consumer);
    }
    // Another packetization mode of H264 is another codec.
    let mode_0 = RtpCodecParameters::new("video/H264", 125, 90_000).with_parameter("packetization-mode", 0);
    let error = inlet.produce(sends(MediaKind::Video, vec![mode_0], 4)).await.unwrap_err();
    assert_eq!(negotiation(&error), (ErrorKind::Unsupported, "rtpParameters.codecs[0]"));
    assert_eq!(worker.dump().await.unwrap().panics_contained, 0);
}

fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    }
}

async fn a_viewer_gets_the_router_s_payload_type() {
    // The sender has 101; the first viewer takes everything, the second nothing beyond RTP/AVP.
    let (_worker, router, inlet) = room(vec![RtpCodecCapability::opus().with_payload_type(110)]).await;
    let sent = sends(MediaKind::Audio, vec![RtpCodecParameters::opus(101)], 1111);
    let producer = inlet.produce(sent).await.unwrap();
    let everything = router.rtp_capabilities();
    let one = Viewer::new(&router, &producer, everything.clone()).await;
    let two = Viewer::new(&router, &producer, everything.plain()).await;

    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut packet = vec![0x80, 101, 0, 7, 0, 0, 0, 0];
    packet.extend(1111_u32.to_be_bytes());
    packet.extend(*b"something");
    sender.send_to(&packet, (Ipv4Addr::LOCALHOST, inlet.tuple().local_port)).unwrap();

    let received = [one.receive(110), two.receive(110)];
    for (viewer, packet) in [&one, &two].into_iter().zip(&received) {
        let parameters = viewer.consumer.rtp_parameters();
        assert_eq!(packet[8..12], parameters.encodings[0].ssrc.unwrap().to_be_bytes());
        assert!(packet.ends_with(b"something"));
        let has_extensions = packet[0] & 0x10 != 0;
        assert_eq!(has_extensions, !parameters.header_extensions.is_empty());
    }
    // RFC 8285 4.2: the router's id 1 and one byte, the MID of the first consumer of a transport.
    assert_eq!(one.consumer.rtp_parameters().mid.as_deref(), Some("0"));
    assert!(received[0].windows(2).any(|pair| pair == [0x10, b'0']), "{:02x?}", received[0]);
    assert_eq!(received[1].len(), packet.len());
}

/// Receives one consumer.
struct Viewer {
    socket: UdpSocket,
    consumer: Consumer,
}

impl Viewer {
    async fn new(router: &Router, producer: &Producer, capabilities: RtpCapabilities) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let listen = ListenInfo::new(Ipv4Addr::LOCALHOST);
        let transport = router.create_plain_transport(PlainTransportOptions::new(listen)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        transport.connect(PlainConnectOptions::new(Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let consumer = transport.consume(ConsumerOptions::new(producer, capabilities)).await.unwrap();
        Self { socket, consumer }
    }

    /// The next packet that is not RTCP, which must have this payload type.
    fn receive(&self, payload_type: u8) -> Vec<u8> {
        loop {
            let mut datagram = [0; 1500];
            let bytes = self.socket.recv(&mut datagram).unwrap();
            let second = datagram[1] & 0x7f;
            if (64..=95).contains(&second) {
                continue; // RTCP (RFC 5761 4)
            }
            assert_eq!(second, payload_type);
            return datagram[..bytes].to_vec();
        }
    }
}

type Change = fn(&mut ProducerOptions);

/// Parameters that contradict themselves or others, and the field that the refusal names.
const BAD: &[(&str, Change, ErrorKind, &str)] = &[
    (
        "two codecs on one payload type",
        |options| options.rtp_parameters.codecs[1].payload_type = 96,
        ErrorKind::InvalidArgument,
        "rtpParameters.codecs[1].payloadType",
    ),
    (
        "RTX without its codec",
        |options| options.rtp_parameters.codecs[1] = RtpCodecParameters::rtx(97, 98),
        ErrorKind::InvalidArgument,
        "rtpParameters.codecs[1].parameters.apt",
    ),
    (
        "an extension id twice",
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
        "unknown MIME",
        |options| "video/none".clone_into(&mut options.rtp_parameters.codecs[0].mime_type),
        ErrorKind::Unsupported,
        "rtpParameters.codecs[0].mimeType",
    ),
    (
        "a codec that the router does not have",
        |options| "video/VP9".clone_into(&mut options.rtp_parameters.codecs[0].mime_type),
        ErrorKind::Unsupported,
        "rtpParameters.codecs[0]",
    ),
    (
        "an SSRC twice",
        |options| options.rtp_parameters.encodings.push(RtpEncodingParameters::of_ssrc(2)),
        ErrorKind::InvalidArgument,
        "rtpParameters.encodings[1].ssrc",
    ),
    (
        "empty encodings",
        |options| options.rtp_parameters.encodings.clear(),
        ErrorKind::InvalidArgument,
        "rtpParameters.encodings",
    ),
    (
        "10,000 encodings",
        |options| {
            options.rtp_parameters.encodings = (0..10_000).map(RtpEncodingParameters::of_ssrc).collect();
        },
        ErrorKind::InvalidArgument,
        "rtpParameters.encodings",
    ),
];

async fn bad_input_leaves_nothing() {
    let (worker, router, transport) = room(vec![RtpCodecCapability::vp8()]).await;
    let producer = transport.produce(vp8(1)).await.unwrap();
    let before = held(&worker, &transport).await;
    for (name, change, kind, field) in BAD {
        let mut options = vp8(2);
        change(&mut options);
        let error = transport.produce(options).await.unwrap_err();
        assert_eq!(negotiation(&error), (*kind, *field), "{name}");
        assert_eq!(held(&worker, &transport).await, before, "{name}");
    }

    // That an SSRC is another producer's only the worker knows.
    let error = transport.produce(vp8(1)).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::Duplicate));
    assert!(error.to_string().contains("SSRC 1 "), "{error}");
    assert_eq!(held(&worker, &transport).await, before);

    let opus = RtpCapabilities { codecs: vec![RtpCodecCapability::opus()], ..RtpCapabilities::default() };
    assert!(!router.can_consume(&producer, &opus));
    let error = transport.consume(ConsumerOptions::new(&producer, opus)).await.unwrap_err();
    assert_eq!(negotiation(&error), (ErrorKind::Unsupported, "rtpCapabilities.codecs"));
    assert_eq!(held(&worker, &transport).await, before);

    let codecs = vec![RtpCodecCapability::new(MediaKind::Audio, "audio/none", 8_000)];
    let error = worker.create_router(RouterOptions::new(codecs)).await.unwrap_err();
    assert_eq!(negotiation(&error), (ErrorKind::Unsupported, "mediaCodecs[0].mimeType"));
    assert_eq!(held(&worker, &transport).await, before);

    // What is right is still taken, under the SSRC that was refused with the others.
    let again = transport.produce(vp8(2)).await.unwrap();
    assert!(router.can_consume(&again, &router.rtp_capabilities()));
}

/// Everything that the worker and a transport of it hold, as their dumps tell.
async fn held(worker: &Worker, transport: &PlainTransport) -> String {
    let worker = worker.dump().await.unwrap();
    let transport = transport.dump().await.unwrap();
    format!(
        "{:?} {} {} {}; {:?} {:?}; {} panics",
        worker.router_ids,
        worker.transports,
        worker.producers,
        worker.consumers,
        transport.producer_ids,
        transport.consumer_ids,
        worker.panics_contained
    )
}

/// Class and field of a refusal.
fn negotiation(error: &RequestError) -> (ErrorKind, &str) {
    let RequestError::Negotiation(refusal) = error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), format!("{}: {}", refusal.field, refusal.message));
    (refusal.kind, &refusal.field)
}

async fn what_the_worker_cannot_do_yet() {
    let (worker, router, transport) = room(vec![RtpCodecCapability::vp8()]).await;
    let mut options = vp8(1);
    options.rtp_parameters.encodings = [1, 2, 3].map(RtpEncodingParameters::of_ssrc).into();
    let simulcast = transport.produce(options).await.unwrap();
    assert_eq!(simulcast.rtp_type(), RtpType::Simulcast);
    for pipe in [false, true] {
        let options = ConsumerOptions { pipe, ..ConsumerOptions::new(&simulcast, router.rtp_capabilities()) };
        let error = transport.consume(options).await.unwrap_err();
        assert!(matches!(error, RequestError::Refused(_)), "{error:?}");
        assert_eq!(error.kind(), Some(ErrorKind::Unsupported));
    }
    assert_eq!(worker.dump().await.unwrap().consumers, 0);
}
