//! When a worker asks a sender for a key frame: when somebody needs one, and not more often than it helps.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::ids::ConsumerId;
use tidegate_protocol::request::Command;
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Call, Sender, address};
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::rtp::RtpPacket;

const CAMERA: u32 = 0x1111;
const NEVER: [u64; 0] = [];
const NO_NUMBERS: [u16; 0] = [];

/// A call with media in flow, in which a key frame was asked for long ago and has come.
fn flowing(world: &mut World, source: &Stream) -> Call {
    let mut call = Call::of(world, source);
    call.sender.streams_for(world, 3_000);
    call.sender.hears(world);
    call.receiver.gets(world);
    call
}

/// Frames that are no key frames, for a while; when PLIs came, in milliseconds since the beginning.
fn plis_while_frames_flow(world: &mut World, sender: &mut Sender, millis: u64) -> Vec<u64> {
    let begin = world.elapsed_ms();
    let mut plis = Vec::new();
    while world.elapsed_ms() < begin + millis {
        sender.sends_frame(world);
        plis.extend(std::iter::repeat_n(world.elapsed_ms() - begin, sender.plis(world)));
        world.run_for(20);
        plis.extend(std::iter::repeat_n(world.elapsed_ms() - begin, sender.plis(world)));
    }
    plis
}

#[test]
fn joining_consumer_causes_one_pli() {
    let mut world = World::new();
    let call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.joined_by(&mut world, 3, &call.received.consumed_as(CONSUMED + 1));
    assert_eq!(call.sender.plis(&mut world), 1);
}

#[test]
fn fifty_consumers_at_once_cause_one_pli_and_then_at_most_one_per_500_ms() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    let source = call.sender.stream.clone();
    let transport = world.connected(call.router, address(3, 5_000));
    let consume: Vec<_> = (1..=50)
        .map(|index| {
            let consumer = ConsumerId(world.new_id());
            source.consumed_as(CONSUMED + index).consume(transport.id, consumer, call.producer, &source)
        })
        .collect();
    world.requests(consume);
    assert_eq!(call.sender.plis(&mut world), 1);
    let plis = plis_while_frames_flow(&mut world, &mut call.sender, 2_100);
    assert_eq!(plis.len(), 4, "{plis:?}");
    assert!(plis.iter().zip([500, 1_000, 1_500, 2_000]).all(|(at, due)| (due..=due + 40).contains(at)));
    call.sender.sends_key_frame(&mut world);
    assert_eq!(
        plis_while_frames_flow(&mut world, &mut call.sender, 2_000),
        NEVER,
        "they have what they wanted"
    );
}

#[test]
fn unanswered_request_is_repeated_once_after_a_second() {
    let mut world = World::new();
    let call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.done(Command::RequestKeyFrame { consumer: call.consumer });
    assert_eq!(call.sender.plis(&mut world), 1);
    world.run_for(990);
    assert_eq!(call.sender.plis(&mut world), 0);
    world.run_for(30);
    assert_eq!(call.sender.plis(&mut world), 1);
    world.run_for(10_000);
    assert_eq!(call.sender.plis(&mut world), 0);
}

#[test]
fn resuming_asks_for_a_key_frame_at_once_and_all_of_it_comes_without_delay() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.done(Command::PauseConsumer { consumer: call.consumer });
    call.sender.streams_for(&mut world, 1_000);
    assert_eq!(call.sender.plis(&mut world), 0);
    call.receiver.gets(&mut world);
    let resumed = world.elapsed_ms();
    world.done(Command::ResumeConsumer { consumer: call.consumer });
    assert_eq!((call.sender.plis(&mut world), world.elapsed_ms()), (1, resumed));
    call.sender.sends_frame(&mut world);
    assert_eq!(call.receiver.gets_numbers(&mut world), NO_NUMBERS, "nothing that it cannot decode");
    let sent = call.sender.sends_key_frame(&mut world);
    let got = call.receiver.gets(&mut world);
    let payloads =
        |packets: &[RtpPacket]| packets.iter().map(|packet| packet.payload.len()).collect::<Vec<_>>();
    assert_eq!((payloads(&got), world.elapsed_ms()), (payloads(&sent), resumed));
}

#[test]
fn resuming_soon_after_a_request_waits_for_the_end_of_500_ms() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.done(Command::RequestKeyFrame { consumer: call.consumer });
    assert_eq!(call.sender.plis(&mut world), 1);
    call.sender.sends_key_frame(&mut world);
    world.done(Command::PauseConsumer { consumer: call.consumer });
    world.run_for(200);
    world.done(Command::ResumeConsumer { consumer: call.consumer });
    world.run_for(290);
    assert_eq!(call.sender.plis(&mut world), 0, "what was asked for has come: the encoder is given time");
    world.run_for(30);
    assert_eq!(call.sender.plis(&mut world), 1);
}

#[test]
fn nobody_consuming_means_no_pli() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.done(Command::PauseConsumer { consumer: call.consumer });
    call.sender.sequence = call.sender.sequence.wrapping_add(30_000);
    call.sender.sends_frame(&mut world);
    call.sender.sequence = call.sender.sequence.wrapping_add(2_000);
    assert_eq!(
        plis_while_frames_flow(&mut world, &mut call.sender, 2_000),
        NEVER,
        "the only consumer is paused"
    );
    world.done(Command::CloseConsumer { consumer: call.consumer });
    call.sender.sequence = call.sender.sequence.wrapping_add(30_000);
    assert_eq!(plis_while_frames_flow(&mut world, &mut call.sender, 2_000), NEVER, "there is none");
}

#[test]
fn request_is_not_repeated_for_a_consumer_that_was_paused_since() {
    let mut world = World::new();
    let call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.done(Command::RequestKeyFrame { consumer: call.consumer });
    assert_eq!(call.sender.plis(&mut world), 1);
    world.done(Command::PauseConsumer { consumer: call.consumer });
    world.run_for(5_000);
    assert_eq!(call.sender.plis(&mut world), 0);
}

#[test]
fn stream_that_begins_with_a_key_frame_is_not_asked_for_one() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_key_frame(&mut world);
    assert_eq!(call.sender.plis(&mut world), 0);
    assert_eq!(call.receiver.gets(&mut world).len(), 3);
}

#[test]
fn stream_that_begins_otherwise_is_asked_for_one() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA));
    call.sender.sends_frame(&mut world);
    assert_eq!(call.sender.plis(&mut world), 1);
}

#[test]
fn fir_is_sent_where_only_fir_was_agreed() {
    let mut world = World::new();
    let call = flowing(&mut world, &Stream { pli: false, fir: true, ..Stream::vp8(CAMERA) });
    let mut sequences = Vec::new();
    for _ in 0..2 {
        world.done(Command::RequestKeyFrame { consumer: call.consumer });
        for packet in call.sender.hears(&mut world) {
            match packet {
                Rtcp::Fir { media: CAMERA, sequence, .. } => sequences.push(sequence),
                Rtcp::Pli { .. } => panic!("PLI was not agreed"),
                _ => {}
            }
        }
        world.run_for(600);
    }
    assert!(matches!(sequences[..], [first, second] if second == first + 1), "{sequences:?}");
}

#[test]
fn receivers_pli_and_fir_go_upstream_as_one() {
    let mut world = World::new();
    let call = flowing(&mut world, &Stream::vp8(CAMERA));
    let asks = [
        Rtcp::Pli { sender: 1, media: CONSUMED },
        Rtcp::Fir { sender: 1, media: CONSUMED, sequence: 9 },
        Rtcp::Pli { sender: 1, media: 0xDEAD },
    ];
    call.receiver.sends_rtcp(&mut world, &asks);
    assert_eq!(call.sender.plis(&mut world), 1);
    let stats = world.consumer_stats(call.consumer);
    assert_eq!((stats.own.pli_count, stats.own.fir_count), (1, 1));
    assert_eq!(world.producer_stats(call.producer).fir_count, 0);
}

#[test]
fn producers_own_delay_between_requests_is_kept() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA);
    let mut call = Call::of(&mut world, &source);
    let second = Stream::vp8(CAMERA + 1);
    let producer = tidegate_protocol::ids::ProducerId(world.new_id());
    let mut produce = second.produce(call.inbound.id, producer);
    if let Command::Produce { key_frame_request_delay_ms, .. } = &mut produce {
        *key_frame_request_delay_ms = 2_000;
    }
    world.request(produce).unwrap();
    world.consume(call.outbound.id, producer, &second, &second.consumed_as(CONSUMED + 1));
    call.sender.stream = second;
    let plis = plis_while_frames_flow(&mut world, &mut call.sender, 5_000);
    assert_eq!(plis.len(), 3, "{plis:?}");
}

#[test]
fn heavy_loss_asks_for_a_key_frame_instead_of_packets() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    call.sender.sequence = call.sender.sequence.wrapping_add(2_000);
    call.sender.sends_frame(&mut world);
    world.run_for(15);
    let heard = call.sender.hears(&mut world);
    assert!(heard.iter().any(|packet| matches!(packet, Rtcp::Pli { .. })), "{heard:?}");
    assert!(!heard.iter().any(|packet| matches!(packet, Rtcp::Nack { .. })), "{heard:?}");
}

#[test]
fn paused_producer_is_asked_for_nothing() {
    let mut world = World::new();
    let mut call = flowing(&mut world, &Stream::vp8(CAMERA));
    world.done(Command::RequestKeyFrame { consumer: call.consumer });
    world.done(Command::PauseProducer { producer: call.producer });
    call.sender.hears(&mut world);
    world.done(Command::RequestKeyFrame { consumer: call.consumer });
    call.sender.sequence = call.sender.sequence.wrapping_add(100);
    assert_eq!(plis_while_frames_flow(&mut world, &mut call.sender, 2_000), NEVER);
    assert_eq!(call.sender.nacked(&mut world), NO_NUMBERS);
}
