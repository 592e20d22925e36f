//! A session through a real worker: what is made, forwarded, counted, refused and closed.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use libtest_mimic::Trial;
use tidegate::{
    CloseReason, ConsumerEvent, ConsumerOptions, ErrorKind, Events, InvalidOption, ListenInfo, MediaKind,
    PlainConnectOptions, PlainTransport, PlainTransportOptions, Producer, ProducerOptions, RequestError,
    Router, RouterOptions, RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters, RtpParameters,
    SrtpCryptoSuite, SrtpParameters, TraceType, TransportEvent, Worker,
};
use tokio::time::timeout;

use crate::{settings, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("rtp_goes_from_a_sender_to_a_receiver", rtp_goes_from_a_sender_to_a_receiver),
        trial("srtp_is_agreed_on_with_keys_in_base64", srtp_is_agreed_on_with_keys_in_base64),
        trial(
            "silence_is_left_out_for_a_consumer_that_ignores_it",
            silence_is_left_out_for_a_consumer_that_ignores_it,
        ),
        trial("dumps_and_statistics_of_every_entity_answer", dumps_and_statistics_of_every_entity_answer),
        trial("pausing_a_producer_is_told_to_its_consumer", pausing_a_producer_is_told_to_its_consumer),
        trial("the_incoming_bitrate_is_limited", the_incoming_bitrate_is_limited),
        trial("refusals_are_typed_and_change_nothing", refusals_are_typed_and_change_nothing),
        trial("closed_entities_are_gone_in_the_worker", closed_entities_are_gone_in_the_worker),
        trial("many_requests_at_once_are_all_answered", many_requests_at_once_are_all_answered),
    ]
}

async fn srtp_is_agreed_on_with_keys_in_base64() {
    let (_worker, router) = router().await;
    let listen_info = ListenInfo::new(Ipv4Addr::LOCALHOST).with_port(0);
    let options = PlainTransportOptions { enable_srtp: true, ..PlainTransportOptions::new(listen_info) };
    let transport = router.create_plain_transport(options.clone()).await.unwrap();
    let own = transport.srtp_parameters().unwrap();
    assert_eq!((own.crypto_suite, own.key_base64.len()), (SrtpCryptoSuite::AesCm128HmacSha1_80, 40));
    let connect = |key: &str| {
        let theirs = SrtpParameters::new(SrtpCryptoSuite::AesCm128HmacSha1_80, key);
        transport.connect(PlainConnectOptions::new(Ipv4Addr::LOCALHOST, 5_000).with_srtp(theirs))
    };
    let refused = connect("dG9vIHNob3J0").await.unwrap_err();
    assert!(
        matches!(refused, RequestError::InvalidOption(InvalidOption::SrtpKey { bytes: 30, .. })),
        "{refused}"
    );
    let keyless = transport.connect(PlainConnectOptions::new(Ipv4Addr::LOCALHOST, 5_000)).await.unwrap_err();
    assert_eq!(keyless.kind(), Some(ErrorKind::InvalidArgument));
    connect(&"A".repeat(40)).await.unwrap();
    assert_eq!(transport.srtp_parameters(), Some(own));
    let learning = router.create_plain_transport(options.with_comedia()).await.unwrap();
    let gcm = SrtpParameters::new(SrtpCryptoSuite::AeadAes128Gcm, format!("{}AA==", "A".repeat(36)));
    learning.connect(PlainConnectOptions::of_srtp(gcm)).await.unwrap();
    let agreed = learning.srtp_parameters().unwrap();
    assert_eq!(agreed.crypto_suite, SrtpCryptoSuite::AeadAes128Gcm, "the peer chooses");
    let clear = plain(&router, false).await;
    assert_eq!(clear.srtp_parameters(), None);
}

async fn router() -> (Worker, Router) {
    let worker = Worker::spawn(settings()).await.unwrap();
    let router = worker.create_router(router_options()).await.unwrap();
    (worker, router)
}

fn router_options() -> RouterOptions {
    RouterOptions::new(vec![RtpCodecCapability::opus()])
}

/// Everything that the router has, for a peer that takes it.
fn all_of(router: &Router, producer: &Producer) -> ConsumerOptions {
    ConsumerOptions::new(producer, router.rtp_capabilities())
}

/// A transport at a port that the system chooses.
async fn plain(router: &Router, comedia: bool) -> PlainTransport {
    let listen_info = ListenInfo::new(Ipv4Addr::LOCALHOST).with_port(0);
    let options = PlainTransportOptions { comedia, ..PlainTransportOptions::new(listen_info) };
    router.create_plain_transport(options).await.unwrap()
}

fn opus(ssrc: u32) -> ProducerOptions {
    let rtp_parameters = RtpParameters {
        codecs: vec![RtpCodecParameters::opus(100)],
        encodings: vec![RtpEncodingParameters::of_ssrc(ssrc)],
        ..Default::default()
    };
    ProducerOptions::new(MediaKind::Audio, rtp_parameters)
}

/// A plain RTP packet (RFC 3550 5.1): payload type 100 and 40 bytes of payload.
fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 100];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([u8::try_from(sequence & 0xff).unwrap(); 40]);
    packet
}

async fn next<E>(events: &mut Events<E>) -> E {
    timeout(Duration::from_secs(2), events.next()).await.expect("an event").expect("not the end")
}

async fn the_incoming_bitrate_is_limited() {
    let (_worker, router) = router().await;
    let inlet = plain(&router, true).await;
    let refused = inlet.set_max_incoming_bitrate(u64::MAX).await.unwrap_err();
    assert_eq!(refused.kind(), Some(ErrorKind::InvalidArgument), "{refused}");
    inlet.set_max_incoming_bitrate(1_000_000).await.unwrap();
    assert_eq!(inlet.get_stats().await.unwrap().max_incoming_bitrate, 1_000_000);
    inlet.set_max_incoming_bitrate(0).await.unwrap();
    assert_eq!(inlet.get_stats().await.unwrap().max_incoming_bitrate, 0);
}

async fn rtp_goes_from_a_sender_to_a_receiver() {
    let (_worker, router) = router().await;
    let inlet = plain(&router, true).await;
    let mut tuples = inlet.events();
    let producer = inlet.produce(opus(1111)).await.unwrap();

    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let outlet = plain(&router, false).await;
    let port = receiver.local_addr().unwrap().port();
    outlet.connect(PlainConnectOptions::new(Ipv4Addr::LOCALHOST, port)).await.unwrap();
    assert_eq!(outlet.tuple().remote_port, Some(port));
    let consumer = outlet.consume(all_of(&router, &producer)).await.unwrap();
    let ssrc = consumer.rtp_parameters().encodings[0].ssrc.unwrap();

    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for sequence in 1..=20 {
        sender.send_to(&packet(1111, sequence), (Ipv4Addr::LOCALHOST, inlet.tuple().local_port)).unwrap();
    }
    let mut payloads = Vec::new();
    while payloads.len() < 20 {
        let mut datagram = [0; 1500];
        let (bytes, from) = receiver.recv_from(&mut datagram).unwrap();
        assert_eq!(from.port(), outlet.tuple().local_port);
        if datagram[1] & 0x7f != 100 {
            continue; // RTCP
        }
        assert_eq!(datagram[8..12], ssrc.to_be_bytes());
        payloads.push(datagram[bytes - 1]);
    }
    assert_eq!(payloads, (1..=20).collect::<Vec<u8>>());
    let TransportEvent::Tuple(tuple) = next(&mut tuples).await else { panic!("no tuple") };
    assert_eq!(tuple.remote_port, Some(sender.local_addr().unwrap().port()));
    assert_eq!(inlet.tuple(), tuple);
    let stats = consumer.get_stats().await.unwrap();
    assert_eq!((stats.own.packet_count, stats.own.packets_lost), (20, 0));
    let stats = producer.get_stats().await.unwrap();
    assert_eq!(
        stats.iter().map(|stream| (stream.ssrc, stream.packet_count)).collect::<Vec<_>>(),
        [(1111, 20)]
    );
}

async fn silence_is_left_out_for_a_consumer_that_ignores_it() {
    let (_worker, router) = router().await;
    let inlet = plain(&router, true).await;
    let producer = inlet.produce(opus(1111)).await.unwrap();
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let outlet = plain(&router, false).await;
    let port = receiver.local_addr().unwrap().port();
    outlet.connect(PlainConnectOptions::new(Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let options = ConsumerOptions { ignore_dtx: true, ..all_of(&router, &producer) };
    let _consumer = outlet.consume(options).await.unwrap();

    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for sequence in 1..=9 {
        let mut packet = packet(1111, sequence);
        if sequence % 3 == 2 {
            // One Opus frame of no bytes (RFC 6716 3.2.1).
            packet.splice(12.., [0x78]);
        }
        sender.send_to(&packet, (Ipv4Addr::LOCALHOST, inlet.tuple().local_port)).unwrap();
    }
    let (mut numbers, mut payloads) = (Vec::new(), Vec::new());
    while payloads.len() < 6 {
        let mut datagram = [0; 1500];
        let (bytes, _) = receiver.recv_from(&mut datagram).unwrap();
        if datagram[1] & 0x7f == 100 {
            numbers.push(u16::from_be_bytes([datagram[2], datagram[3]]));
            payloads.push(datagram[bytes - 1]);
        }
    }
    assert_eq!(payloads, [1, 3, 4, 6, 7, 9]);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

async fn dumps_and_statistics_of_every_entity_answer() {
    let (worker, router) = router().await;
    let transport = plain(&router, true).await;
    let producer = transport.produce(opus(1)).await.unwrap();
    let consumer = transport.consume(all_of(&router, &producer)).await.unwrap();

    let dump = worker.dump().await.unwrap();
    assert_eq!(*dump.router_ids, [router.wire_id()]);
    assert_eq!((dump.transports, dump.producers, dump.consumers, dump.panics_contained), (1, 1, 1, 0));
    assert_eq!(*router.dump().await.unwrap().transport_ids, [transport.wire_id()]);
    let dump = transport.dump().await.unwrap();
    assert_eq!(
        (&*dump.producer_ids, &*dump.consumer_ids),
        (&[producer.wire_id()][..], &[consumer.wire_id()][..])
    );
    assert_eq!(transport.get_stats().await.unwrap().transport, transport.wire_id());
    assert_eq!(*producer.dump().await.unwrap().consumers, [consumer.wire_id()]);
    let dump = consumer.dump().await.unwrap();
    assert_eq!((dump.producer, dump.stream.payload_type), (producer.wire_id(), 100));
    assert_eq!(Some(dump.stream.ssrc), consumer.rtp_parameters().encodings[0].ssrc);
    let types = [TraceType::Sr, TraceType::Rtp, TraceType::Sr];
    producer.enable_trace_event(&types).await.unwrap();
    consumer.enable_trace_event(&TraceType::ALL).await.unwrap();
    let told = producer.dump().await.unwrap().trace_event_types;
    assert_eq!(*told, [TraceType::Rtp, TraceType::Sr], "in order, each once");
    assert_eq!(*consumer.dump().await.unwrap().trace_event_types, TraceType::ALL);
    consumer.get_stats().await.unwrap();
    consumer.request_key_frame().await.unwrap();
    consumer.set_priority(7).await.unwrap();
    assert_eq!(consumer.dump().await.unwrap().priority, 7);
    assert_eq!(consumer.set_priority(0).await.unwrap_err().kind(), Some(ErrorKind::InvalidArgument));
    assert_eq!(consumer.priority(), 7);
}

async fn pausing_a_producer_is_told_to_its_consumer() {
    let (_worker, router) = router().await;
    let transport = plain(&router, true).await;
    let producer = transport.produce(ProducerOptions { paused: true, ..opus(1) }).await.unwrap();
    let paused = ConsumerOptions { paused: true, ..all_of(&router, &producer) };
    let consumer = transport.consume(paused).await.unwrap();
    assert!(consumer.is_paused() && consumer.is_producer_paused());
    let mut events = consumer.events();
    for _ in 0..2 {
        producer.resume().await.unwrap();
        assert_eq!(next_change(&mut events).await, ConsumerEvent::ProducerResumed);
        assert!(!consumer.is_producer_paused());
        producer.pause().await.unwrap();
        assert_eq!(next_change(&mut events).await, ConsumerEvent::ProducerPaused);
        assert!(consumer.is_producer_paused());
    }
    consumer.resume().await.unwrap();
    assert!(!consumer.dump().await.unwrap().paused);
    producer.close();
    assert_eq!(next_change(&mut events).await, ConsumerEvent::Closed(CloseReason::ProducerClosed));
}

/// The next event that is not a score.
async fn next_change(events: &mut Events<ConsumerEvent>) -> ConsumerEvent {
    loop {
        match next(events).await {
            ConsumerEvent::Score(_) => {}
            other => return other,
        }
    }
}

async fn refusals_are_typed_and_change_nothing() {
    let (worker, router) = router().await;
    let transport = plain(&router, true).await;
    let kind = |error: RequestError| {
        let kind = error.kind().unwrap_or_else(|| panic!("{error}"));
        assert!(error.to_string().len() > 20, "a sentence: {error}");
        kind
    };
    let taken = ListenInfo::new(Ipv4Addr::LOCALHOST).with_port(transport.tuple().local_port);
    let result = router.create_plain_transport(PlainTransportOptions::new(taken)).await;
    assert_eq!(kind(result.unwrap_err()), ErrorKind::BindFailed);
    let foreign = ListenInfo::new(Ipv4Addr::new(192, 0, 2, 1));
    let result = router.create_plain_transport(PlainTransportOptions::new(foreign)).await;
    assert_eq!(kind(result.unwrap_err()), ErrorKind::BindFailed);
    let result = transport.produce(ProducerOptions::new(MediaKind::Audio, RtpParameters::default())).await;
    assert_eq!(kind(result.unwrap_err()), ErrorKind::InvalidArgument);
    let _producer = transport.produce(opus(1)).await.unwrap();
    assert_eq!(kind(transport.produce(opus(1)).await.unwrap_err()), ErrorKind::Duplicate);
    let other = worker.create_router(router_options()).await.unwrap();
    let stranger: Producer = plain(&other, true).await.produce(opus(9)).await.unwrap();
    let result = transport.consume(all_of(&other, &stranger)).await;
    assert_eq!(kind(result.unwrap_err()), ErrorKind::NotFound);
    let dump = worker.dump().await.unwrap();
    assert_eq!((dump.transports, dump.producers, dump.consumers), (2, 2, 0));
    assert_eq!(dump.panics_contained, 0);
}

async fn closed_entities_are_gone_in_the_worker() {
    let (worker, router) = router().await;
    let idle = worker.dump().await.unwrap();
    let inlet = plain(&router, true).await;
    let producer = inlet.produce(opus(1)).await.unwrap();
    let outlet = plain(&router, true).await;
    let consumer = outlet.consume(all_of(&router, &producer)).await.unwrap();
    drop(consumer);
    assert_eq!(worker.dump().await.unwrap().consumers, 0);
    let consumer = outlet.consume(all_of(&router, &producer)).await.unwrap();
    inlet.close();
    assert!(consumer.is_closed() && producer.is_closed());
    let dump = worker.dump().await.unwrap();
    assert_eq!((dump.transports, dump.producers, dump.consumers), (1, 0, 0));
    let port = outlet.tuple().local_port;
    outlet.close();
    // Requests run in order: the port is free for the next.
    let again = PlainTransportOptions::new(ListenInfo::new(Ipv4Addr::LOCALHOST).with_port(port));
    let again = router.create_plain_transport(again).await.unwrap();
    drop((inlet, producer, outlet, consumer, again));
    let dump = worker.dump().await.unwrap();
    assert_eq!((dump.transports, dump.sockets), (idle.transports, idle.sockets));
    drop(router);
    assert!(worker.dump().await.unwrap().router_ids.is_empty());
}

async fn many_requests_at_once_are_all_answered() {
    let (worker, router) = router().await;
    let transport = plain(&router, true).await;
    let producer = transport.produce(opus(1)).await.unwrap();
    let mut consuming = tokio::task::JoinSet::new();
    for _ in 0..2000 {
        let (transport, options) = (transport.clone(), all_of(&router, &producer));
        consuming.spawn(async move { transport.consume(options).await.unwrap() });
    }
    let consumers = consuming.join_all().await;
    assert_eq!(worker.dump().await.unwrap().consumers, 2000);
    drop(consumers);
    assert_eq!(worker.dump().await.unwrap().consumers, 0);
}
