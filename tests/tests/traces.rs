//! Single packets and RTCP messages that a host asked to be told of.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::stats::Direction::{self, Inbound, Outbound};
use tidegate_protocol::trace::{PacketTrace, Trace, TraceInfo, TraceType, TraceTypes};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{MID, Stream, TRANSPORT_WIDE_CC};
use tidegate_tests::world::peer::{CONSUMED, Call};
use tidegate_tests::world::rtcp::Rtcp;

const CAMERA: u32 = 0x1111;
const CAMERA_RTX: u32 = 0x1112;
const CONSUMED_RTX: u32 = 0xC000_0002;
/// Packets that an entity tells in a second of the worker's clock, and as many other things.
const TOLD_IN_A_SECOND: usize = 200;

/// Asks a call's producer and consumer to tell these kinds.
fn traced(world: &mut World, call: &Call, types: &[TraceType]) {
    let types = TraceTypes::first_of(types.iter().copied());
    world.done(Command::EnableProducerTrace { producer: call.producer, types: types.clone() });
    world.done(Command::EnableConsumerTrace { consumer: call.consumer, types });
    world.take_events();
}

/// What was told since the last time, of the producer and of the consumer.
fn told(world: &mut World, call: &Call) -> (Vec<Trace>, Vec<Trace>) {
    let (mut of_producer, mut of_consumer) = (Vec::new(), Vec::new());
    for event in world.take_events() {
        match event {
            Event::ProducerTrace { producer, trace } => {
                assert_eq!(producer, call.producer);
                of_producer.push(trace);
            }
            Event::ConsumerTrace { consumer, trace } => {
                assert_eq!(consumer, call.consumer);
                of_consumer.push(trace);
            }
            _ => {}
        }
    }
    (of_producer, of_consumer)
}

/// Direction and content without the time.
fn contents(traces: Vec<Trace>) -> Vec<(Direction, TraceInfo)> {
    traces.into_iter().map(|trace| (trace.direction, trace.info)).collect()
}

/// The packets that were told as such.
fn packets(traces: &[Trace]) -> Vec<&PacketTrace> {
    let packets = traces.iter().filter_map(|trace| match &trace.info {
        TraceInfo::Rtp(packet) => Some(packet),
        _ => None,
    });
    packets.collect()
}

/// A call with media in flow that has begun with a key frame.
fn flowing(world: &mut World, source: &Stream, received: &Stream) -> Call {
    let mut call = Call::with(world, source, received);
    call.sender.sends_key_frame(world);
    call.sender.hears(world);
    call.receiver.gets(world);
    call
}

fn flowing_vp8(world: &mut World) -> Call {
    let source = Stream::vp8(CAMERA);
    flowing(world, &source, &source.consumed_as(CONSUMED))
}

#[test]
fn nothing_is_told_unless_asked_for_nor_after_it_was_taken_back() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    assert_eq!(told(&mut world, &call), (vec![], vec![]));
    traced(&mut world, &call, &TraceType::ALL);
    call.sender.sends_frame(&mut world);
    let (of_producer, of_consumer) = told(&mut world, &call);
    assert_eq!((of_producer.len(), of_consumer.len()), (2, 2));
    traced(&mut world, &call, &[]);
    call.sender.streams_for(&mut world, 2_000);
    assert_eq!(told(&mut world, &call), (vec![], vec![]));
}

#[test]
fn dump_shows_every_kind_that_is_on_sender_reports_included() {
    let mut world = World::new();
    let call = flowing_vp8(&mut world);
    for types in [&[][..], &[TraceType::Rtp, TraceType::Sr], &TraceType::ALL] {
        traced(&mut world, &call, types);
        assert_eq!(*world.producer_dump(call.producer).trace_event_types, *types);
        assert_eq!(*world.consumer_dump(call.consumer).trace_event_types, *types);
    }
}

#[test]
fn who_is_not_there_cannot_be_traced() {
    let mut world = World::new();
    let types = TraceTypes::first_of(TraceType::ALL);
    let of_producer = Command::EnableProducerTrace { producer: ProducerId(99), types: types.clone() };
    assert_eq!(world.refusal(of_producer), ErrorKind::NotFound);
    let of_consumer = Command::EnableConsumerTrace { consumer: ConsumerId(99), types };
    assert_eq!(world.refusal(of_consumer), ErrorKind::NotFound);
}

#[test]
fn packet_is_told_as_it_came_and_as_it_went() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA).with_mid("in").with_extensions(&[(MID, 3), (TRANSPORT_WIDE_CC, 4)]);
    let received = source.consumed_as(CONSUMED).with_mid("out");
    let received = received.with_extensions(&[(MID, 5), (TRANSPORT_WIDE_CC, 6)]);
    let mut call = flowing(&mut world, &source, &received);
    traced(&mut world, &call, &[TraceType::Rtp]);
    let mut sent = call.sender.frame(false, &[900]).remove(0);
    sent.extensions = vec![(3, b"in".to_vec()), (4, vec![0x12, 0x34])];
    call.sender.sends(&mut world, &[sent.clone()]);
    let got = call.receiver.gets(&mut world).remove(0);
    let (of_producer, of_consumer) = told(&mut world, &call);
    let came = PacketTrace {
        payload_type: 96,
        sequence_number: sent.sequence,
        timestamp: sent.timestamp,
        marker: true,
        ssrc: CAMERA,
        is_key_frame: false,
        is_rtx: false,
        size: u32::try_from(sent.write().len()).unwrap(),
        payload_size: 900,
        spatial_layer: 0,
        temporal_layer: 0,
        mid: Some("in".try_into().unwrap()),
        rid: None,
        rrid: None,
        wide_sequence_number: Some(0x1234),
    };
    let wide = got.extension(6).unwrap();
    let went = PacketTrace {
        payload_type: got.payload_type,
        sequence_number: got.sequence,
        timestamp: got.timestamp,
        ssrc: CONSUMED,
        size: u32::try_from(got.write().len()).unwrap(),
        mid: Some("out".try_into().unwrap()),
        wide_sequence_number: Some(u16::from_be_bytes([wide[0], wide[1]])),
        ..came.clone()
    };
    let timestamp_ms = world.now().as_millis();
    assert_eq!(of_producer, [Trace { timestamp_ms, direction: Inbound, info: TraceInfo::Rtp(came) }]);
    assert_eq!(of_consumer, [Trace { timestamp_ms, direction: Outbound, info: TraceInfo::Rtp(went) }]);
}

#[test]
fn temporal_layer_of_vp8_is_told() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    traced(&mut world, &call, &[TraceType::Rtp]);
    // X, S; T; temporal layer 2 (RFC 7741 4.2).
    let sent = call.sender.packet(vec![0x90, 0x20, 0x80, 0x01, 0, 0]);
    call.sender.sends(&mut world, &[sent]);
    let (of_producer, of_consumer) = told(&mut world, &call);
    for traces in [of_producer, of_consumer] {
        assert_eq!(packets(&traces)[0].temporal_layer, 2);
    }
}

#[test]
fn packet_that_starts_a_key_frame_is_told_under_both_kinds() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    traced(&mut world, &call, &[TraceType::Rtp, TraceType::KeyFrame]);
    call.sender.sends_key_frame(&mut world);
    let (of_producer, of_consumer) = told(&mut world, &call);
    for traces in [of_producer, of_consumer] {
        let [key, first, second, third] = &traces[..] else { panic!("{traces:?}") };
        assert_eq!(packets(&traces).len(), 3);
        let TraceInfo::Rtp(packet) = &first.info else { panic!("{first:?}") };
        assert_eq!(key.info, TraceInfo::KeyFrame(packet.clone()));
        assert!(packet.is_key_frame);
        let others = [&second.info, &third.info];
        assert!(others.iter().all(|info| matches!(info, TraceInfo::Rtp(packet) if !packet.is_key_frame)));
    }
}

#[test]
fn key_frames_alone_are_told_when_only_they_were_asked_for() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    traced(&mut world, &call, &[TraceType::KeyFrame]);
    call.sender.sends_key_frame(&mut world);
    call.sender.sends_frame(&mut world);
    let (of_producer, of_consumer) = told(&mut world, &call);
    for (traces, direction) in [(of_producer, Inbound), (of_consumer, Outbound)] {
        assert!(
            matches!(&traces[..], [Trace { info: TraceInfo::KeyFrame(_), direction: of, .. }] if *of == direction)
        );
    }
}

#[test]
fn retransmission_is_told_as_the_packet_that_it_repeats() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA).with_rtx(CAMERA_RTX);
    let received = source.consumed_as(CONSUMED).with_rtx(CONSUMED_RTX);
    let mut call = flowing(&mut world, &source, &received);
    traced(&mut world, &call, &[TraceType::Rtp]);
    let mut frame = call.sender.frame(false, &[500, 500]);
    let lost = frame.remove(0);
    call.sender.sends(&mut world, &frame);
    world.run_for(20);
    let again = call.sender.retransmission(&lost);
    call.sender.sends(&mut world, &[again]);
    let (of_producer, of_consumer) = told(&mut world, &call);
    let [plain, repair] = packets(&of_producer)[..] else { panic!("{of_producer:?}") };
    assert!(!plain.is_rtx && repair.is_rtx);
    assert_eq!((repair.ssrc, repair.payload_type, repair.sequence_number), (CAMERA, 96, lost.sequence));
    assert_eq!(repair.size, u32::try_from(lost.write().len()).unwrap());
    assert!(packets(&of_consumer).iter().all(|packet| !packet.is_rtx), "a repair goes on as media");

    let filled = packets(&of_consumer)[1].clone();
    world.run_for(50);
    call.receiver.nacks(&mut world, CONSUMED, &[filled.sequence_number]);
    let (of_producer, of_consumer) = told(&mut world, &call);
    assert_eq!(of_producer, []);
    assert_eq!(packets(&of_consumer), [&PacketTrace { is_rtx: true, ..filled }]);
}

#[test]
fn nack_is_told_once_at_either_end_and_nothing_else_is_told_as_one() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    let number = call.sender.sends_frame(&mut world).len();
    let numbers = call.receiver.gets_numbers(&mut world);
    assert_eq!(number, numbers.len());
    traced(&mut world, &call, &[TraceType::Nack]);
    world.run_for(50);
    call.receiver.sends_rtcp(&mut world, &[Rtcp::Pli { sender: 1, media: CONSUMED }]);
    call.receiver.sends_rtcp(&mut world, &[Rtcp::Fir { sender: 1, media: CONSUMED, sequence: 1 }]);
    assert_eq!(told(&mut world, &call), (vec![], vec![]), "PLI and FIR, upstream too, are no NACKs");
    call.receiver.nacks(&mut world, CONSUMED, &numbers);
    let mut frame = call.sender.frame(false, &[500, 500, 500, 500]);
    frame.drain(..3);
    call.sender.sends(&mut world, &frame);
    world.run_for(15);
    let (of_producer, of_consumer) = told(&mut world, &call);
    let nack = |ssrc, packets| TraceInfo::Nack { ssrc, packets };
    assert_eq!(contents(of_producer), [(Outbound, nack(CAMERA, 3))]);
    assert_eq!(contents(of_consumer), [(Inbound, nack(CONSUMED, 2))]);
}

#[test]
fn pli_is_told_at_either_end() {
    let mut world = World::new();
    let call = flowing_vp8(&mut world);
    traced(&mut world, &call, &[TraceType::Pli]);
    call.receiver.sends_rtcp(&mut world, &[Rtcp::Pli { sender: 1, media: CONSUMED }]);
    call.receiver.sends_rtcp(&mut world, &[Rtcp::Fir { sender: 1, media: CONSUMED, sequence: 1 }]);
    let (of_producer, of_consumer) = told(&mut world, &call);
    assert_eq!(contents(of_producer), [(Outbound, TraceInfo::Pli { ssrc: CAMERA })]);
    assert_eq!(contents(of_consumer), [(Inbound, TraceInfo::Pli { ssrc: CONSUMED })]);
}

#[test]
fn fir_is_told_at_either_end() {
    let mut world = World::new();
    let source = Stream { pli: false, fir: true, ..Stream::vp8(CAMERA) };
    let call = flowing(&mut world, &source, &source.consumed_as(CONSUMED));
    traced(&mut world, &call, &[TraceType::Fir]);
    call.receiver.sends_rtcp(&mut world, &[Rtcp::Fir { sender: 1, media: CONSUMED, sequence: 1 }]);
    let (of_producer, of_consumer) = told(&mut world, &call);
    assert_eq!(contents(of_producer), [(Outbound, TraceInfo::Fir { ssrc: CAMERA })]);
    assert_eq!(contents(of_consumer), [(Inbound, TraceInfo::Fir { ssrc: CONSUMED })]);
}

#[test]
fn sender_report_is_told_as_it_came_and_as_it_went() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    traced(&mut world, &call, &[TraceType::Sr]);
    let report = Rtcp::SenderReport {
        ssrc: CAMERA,
        ntp: 77 << 32,
        timestamp: 8,
        packets: 9,
        bytes: 10,
        blocks: vec![],
    };
    call.sender.sends_rtcp(&mut world, &[report]);
    call.sender.streams_for(&mut world, 700);
    let (of_producer, of_consumer) = told(&mut world, &call);
    let came =
        TraceInfo::Sr { ssrc: CAMERA, ntp: 77 << 32, rtp_timestamp: 8, packet_count: 9, octet_count: 10 };
    assert_eq!(contents(of_producer), [(Inbound, came)]);
    let heard = call.receiver.hears(&mut world).into_iter().find_map(|packet| match packet {
        Rtcp::SenderReport { ssrc, ntp, timestamp, packets, bytes, .. } => Some(TraceInfo::Sr {
            ssrc,
            ntp,
            rtp_timestamp: timestamp,
            packet_count: packets,
            octet_count: bytes,
        }),
        _ => None,
    });
    assert_eq!(contents(of_consumer), [(Outbound, heard.expect("a sender report"))]);
}

#[test]
fn thousand_packets_a_second_tell_200_and_the_rest_is_counted() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    world.run_for(1_000 - world.now().as_millis() % 1_000);
    traced(&mut world, &call, &[TraceType::Rtp, TraceType::KeyFrame]);
    let mut counts = [0, 0];
    for _ in 0..1_000 {
        let packets = call.sender.frame(false, &[100]);
        call.sender.sends(&mut world, &packets);
        world.run_for(1);
        let (of_producer, of_consumer) = told(&mut world, &call);
        counts[0] += of_producer.len();
        counts[1] += of_consumer.len();
    }
    assert_eq!(counts, [TOLD_IN_A_SECOND; 2]);
    assert_eq!(world.metric("trace_events_dropped"), 2 * (1_000 - TOLD_IN_A_SECOND as u64));
    call.sender.sends_frame(&mut world);
    let (of_producer, of_consumer) = told(&mut world, &call);
    assert_eq!((of_producer.len(), of_consumer.len()), (2, 2), "another second has begun");
}

#[test]
fn flood_of_packets_does_not_hide_a_key_frame() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    world.run_for(1_000 - world.now().as_millis() % 1_000);
    traced(&mut world, &call, &[TraceType::Rtp, TraceType::KeyFrame]);
    for _ in 0..300 {
        let packets = call.sender.frame(false, &[100]);
        call.sender.sends(&mut world, &packets);
    }
    told(&mut world, &call);
    call.sender.sends_key_frame(&mut world);
    let (of_producer, of_consumer) = told(&mut world, &call);
    for traces in [of_producer, of_consumer] {
        assert!(matches!(&traces[..], [Trace { info: TraceInfo::KeyFrame(_), .. }]), "{traces:?}");
    }
}

#[test]
fn packet_of_a_paused_producer_is_told_as_received_only() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    traced(&mut world, &call, &[TraceType::Rtp]);
    world.done(Command::PauseProducer { producer: call.producer });
    call.sender.sends_frame(&mut world);
    let (of_producer, of_consumer) = told(&mut world, &call);
    assert_eq!((of_producer.len(), of_consumer.len()), (2, 0));
}

#[test]
fn packet_that_came_before_is_not_told_again() {
    let mut world = World::new();
    let mut call = flowing_vp8(&mut world);
    traced(&mut world, &call, &[TraceType::Rtp]);
    let frame = call.sender.sends_frame(&mut world);
    call.sender.sends(&mut world, &frame);
    let (of_producer, of_consumer) = told(&mut world, &call);
    assert_eq!((of_producer.len(), of_consumer.len()), (2, 2));
}
