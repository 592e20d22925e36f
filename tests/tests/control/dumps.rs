//! What dumps show: all of it, and as it is.

use tidegate_protocol::bounded::Text;
use tidegate_protocol::dump::{
    ConsumerDump, NamedProducer, PlainDump, ProducerConsumers, ProducerDump, ProducerObservers,
    RecvRtpHeaderExtensions, RouterDump, SsrcConsumer, SsrcProducer, StreamDump, TransportDump,
};
use tidegate_protocol::observer::AudioLevelObserverOptions;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::{CodecParameter, MediaKind, ParameterValue, RtpType};
use tidegate_protocol::trace::TraceType;
use tidegate_protocol::transport::{Protocol, TransportTuple};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{ABS_SEND_TIME, MID, RID, Stream, list, mapped_ssrc};
use tidegate_tests::world::peer::{CONSUMED, Call};

const CAMERA: u32 = 0x1111;
const MICROPHONE: u32 = 0x2222;

fn router_dump(world: &mut World, call: &Call) -> RouterDump {
    match world.request(Command::DumpRouter { router: call.router }) {
        Ok(Reply::RouterDump(dump)) => dump,
        other => panic!("{other:?}"),
    }
}

fn camera() -> Stream {
    let ids = [(MID, 1), (RID, 2), (ABS_SEND_TIME, 4)];
    let stream = Stream::vp8(CAMERA).with_rtx(CAMERA + 1).with_mid("cam").with_extensions(&ids);
    Stream { fir: true, ..stream }.with_transport_cc(5)
}

fn call(world: &mut World) -> Call {
    let received = Stream { extensions: Vec::new(), transport_cc: false, mid: None, ..camera() };
    let received = received.consumed_as(CONSUMED).with_rtx(CONSUMED + 1);
    let mut call = Call::with(world, &camera(), &received);
    call.sender.sends_key_frame(world);
    call
}

fn tuple(local: u16, remote: std::net::SocketAddr) -> TransportTuple {
    TransportTuple {
        local_address: Text::clipped("127.0.0.1"),
        local_port: local,
        remote_ip: Some(remote.ip()),
        remote_port: Some(remote.port()),
        protocol: Protocol::Udp,
    }
}

/// The stream of [`camera`] as its transport gets it.
fn received_stream() -> StreamDump {
    StreamDump {
        encoding_idx: 0,
        ssrc: CAMERA,
        payload_type: 96,
        mime_type: Text::clipped("video/VP8"),
        clock_rate: 90_000,
        rid: None,
        cname: Text::clipped("peer"),
        rtx_ssrc: Some(CAMERA + 1),
        rtx_payload_type: Some(97),
        use_nack: true,
        use_pli: true,
        use_fir: true,
        use_in_band_fec: false,
        use_dtx: false,
        spatial_layers: 1,
        temporal_layers: 1,
        score: 10,
    }
}

#[test]
fn dump_of_a_router_shows_who_consumes_and_observes_whom() {
    let mut world = World::new();
    let call = call(&mut world);
    let microphone = Stream::opus(MICROPHONE);
    let voice = world.produce(call.inbound.id, &microphone);
    let (_, third, second_consumer) =
        call.joined_by(&mut world, 3, &call.sender.stream.consumed_as(CONSUMED));
    let options = AudioLevelObserverOptions { max_entries: 1, threshold: -80, interval_ms: 1_000 };
    let levels = world.audio_level_observer(call.router, options);
    let speaker = world.active_speaker_observer(call.router, 300);
    world.observe(levels, voice);
    world.observe(speaker, voice);
    let dump = router_dump(&mut world, &call);
    let expected = RouterDump {
        router: call.router,
        transport_ids: list(vec![call.inbound.id, call.outbound.id, third.id]),
        producer_consumers: list(vec![
            ProducerConsumers {
                producer: call.producer,
                consumers: list(vec![call.consumer, second_consumer]),
            },
            ProducerConsumers { producer: voice, consumers: list(vec![]) },
        ]),
        observer_ids: list(vec![levels, speaker]),
        producer_observers: list(vec![ProducerObservers {
            producer: voice,
            observers: list(vec![levels, speaker]),
        }]),
    };
    assert_eq!(dump, expected);
    let consumers: Vec<_> = dump.consumer_producers().collect();
    assert_eq!(consumers, [(call.consumer, call.producer), (second_consumer, call.producer)]);
    world.done(Command::CloseObserver { observer: levels });
    world.done(Command::CloseObserver { observer: speaker });
    assert!(router_dump(&mut world, &call).producer_observers.is_empty());
}

#[test]
fn dump_of_a_transport_shows_whose_streams_are_and_what_is_read() {
    let mut world = World::new();
    let call = call(&mut world);
    let mut inbound = world.transport_dump(call.inbound.id);
    let mut ssrcs = inbound.ssrc_table.into_vec();
    ssrcs.sort_by_key(|entry| entry.ssrc);
    inbound.ssrc_table = list(ssrcs);
    let expected = TransportDump {
        transport: call.inbound.id,
        router: call.router,
        producer_ids: list(vec![call.producer]),
        consumer_ids: list(vec![]),
        ssrc_table: list(
            [CAMERA, CAMERA + 1].map(|ssrc| SsrcProducer { ssrc, producer: call.producer }).to_vec(),
        ),
        mid_table: list(vec![NamedProducer { name: Text::clipped("cam"), producer: call.producer }]),
        rid_table: list(vec![]),
        ssrc_consumers: list(vec![]),
        rtx_ssrc_consumers: list(vec![]),
        recv_rtp_header_extensions: RecvRtpHeaderExtensions {
            mid: Some(1),
            rid: Some(2),
            rrid: None,
            abs_send_time: Some(4),
            transport_wide_cc: Some(5),
        },
        plain: Some(PlainDump {
            rtcp_mux: true,
            comedia: true,
            tuple: tuple(call.inbound.rtp.port(), call.sender.address),
            rtcp_tuple: None,
            srtp: None,
        }),
        webrtc: None,
    };
    assert_eq!(inbound, expected);
    let outbound = world.transport_dump(call.outbound.id);
    let entry = |ssrc| list(vec![SsrcConsumer { ssrc, consumer: call.consumer }]);
    let expected = TransportDump {
        transport: call.outbound.id,
        producer_ids: list(vec![]),
        consumer_ids: list(vec![call.consumer]),
        ssrc_table: list(vec![]),
        mid_table: list(vec![]),
        ssrc_consumers: entry(CONSUMED),
        rtx_ssrc_consumers: entry(CONSUMED + 1),
        recv_rtp_header_extensions: RecvRtpHeaderExtensions::default(),
        plain: Some(PlainDump {
            rtcp_mux: true,
            comedia: false,
            tuple: tuple(call.outbound.rtp.port(), call.receiver.address),
            rtcp_tuple: None,
            srtp: None,
        }),
        ..expected
    };
    assert_eq!(outbound, expected);
}

#[test]
fn dumps_of_a_producer_and_its_consumer_show_their_streams_parameters() {
    let mut world = World::new();
    let call = call(&mut world);
    let types = list(TraceType::ALL.to_vec());
    world.done(Command::EnableProducerTrace { producer: call.producer, types });
    world.done(Command::EnableConsumerTrace { consumer: call.consumer, types: list(vec![TraceType::Sr]) });
    world.done(Command::SetConsumerPriority { consumer: call.consumer, priority: 200 });
    world.done(Command::PauseProducer { producer: call.producer });
    let received = received_stream();
    let sent = StreamDump {
        ssrc: CONSUMED,
        payload_type: 101,
        cname: Text::clipped("router"),
        rtx_ssrc: Some(CONSUMED + 1),
        rtx_payload_type: Some(102),
        ..received.clone()
    };
    let producer = ProducerDump {
        producer: call.producer,
        transport: call.inbound.id,
        kind: MediaKind::Video,
        producer_type: RtpType::Simple,
        paused: true,
        streams: list(vec![received]),
        consumers: list(vec![call.consumer]),
        trace_event_types: list(TraceType::ALL.to_vec()),
    };
    assert_eq!(world.producer_dump(call.producer), producer);
    let dump = world.consumer_dump(call.consumer);
    let consumer = ConsumerDump {
        consumer: call.consumer,
        transport: call.outbound.id,
        producer: call.producer,
        kind: MediaKind::Video,
        consumer_type: RtpType::Simple,
        paused: false,
        producer_paused: true,
        priority: 200,
        awaits_key_frame: true,
        supported_codec_payload_types: list(vec![101]),
        consumable_ssrcs: list(vec![mapped_ssrc(CAMERA)]),
        stream: sent,
        history_packets: 0,
        history_bytes: 0,
        trace_event_types: list(vec![TraceType::Sr]),
    };
    assert_eq!(dump, consumer);
}

#[test]
fn stream_of_opus_shows_in_band_fec_and_dtx_by_its_codec_s_parameters() {
    for (name, value, expected) in [
        ("useinbandfec", 1, (true, false)),
        ("usedtx", 1, (false, true)),
        ("useinbandfec", 0, (false, false)),
        ("stereo", 1, (false, false)),
    ] {
        let mut world = World::new();
        let call = call(&mut world);
        let microphone = Stream::opus(MICROPHONE);
        let voice = tidegate_protocol::ids::ProducerId(world.new_id());
        let with_parameter = |mut command: Command| {
            if let Command::Produce { rtp_parameters, .. } | Command::Consume { rtp_parameters, .. } =
                &mut command
            {
                let mut codecs = rtp_parameters.codecs.clone().into_vec();
                let parameter =
                    CodecParameter { name: Text::clipped(name), value: ParameterValue::Number(value) };
                codecs[0].parameters = list(vec![parameter]);
                rtp_parameters.codecs = list(codecs);
            }
            command
        };
        world.request(with_parameter(microphone.produce(call.inbound.id, voice))).expect("good parameters");
        let consumer = tidegate_protocol::ids::ConsumerId(world.new_id());
        let consumed = microphone.consumed_as(CONSUMED + 7);
        let consume = consumed.consume(call.outbound.id, consumer, voice, &microphone);
        world.request(with_parameter(consume)).expect("good parameters");
        let mut sender = call.sender.clone();
        sender.stream = microphone;
        sender.sends_sound(&mut world);
        let streams = [world.producer_dump(voice).streams[0].clone(), world.consumer_dump(consumer).stream];
        for stream in streams {
            assert_eq!((stream.use_in_band_fec, stream.use_dtx), expected, "{name}={value}: {stream:?}");
        }
    }
}

#[test]
fn layers_are_those_of_the_scalability_mode() {
    for (mode, expected) in [("L3T3_KEY", (3, 3)), ("S2T1", (2, 1)), ("L1T2", (1, 2)), ("nonsense", (1, 1))] {
        let mut world = World::new();
        let call = call(&mut world);
        let stream = Stream { mime_type: "video/VP9", ..Stream::vp8(0x3333) };
        let producer = tidegate_protocol::ids::ProducerId(world.new_id());
        let mut command = stream.produce(call.inbound.id, producer);
        if let Command::Produce { rtp_parameters, .. } = &mut command {
            let mut encodings = rtp_parameters.encodings.clone().into_vec();
            encodings[0].scalability_mode = Some(Text::clipped(mode));
            rtp_parameters.encodings = list(encodings);
        }
        world.request(command).expect("good parameters");
        let mut sender = call.sender.clone();
        sender.stream = stream;
        let packet = sender.packet(vec![0; 30]);
        sender.sends(&mut world, &[packet]);
        let shown = world.producer_dump(producer).streams[0].clone();
        assert_eq!((shown.spatial_layers, shown.temporal_layers), expected, "{mode}");
    }
}
