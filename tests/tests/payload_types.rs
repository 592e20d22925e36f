//! Consumers whose payload types are their own: what a peer's offer named (RFC 3264 5.1), and not the router's.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::rtp::{CodecMapping, RtpCodecParameters, RtpMapping, RtpParameters};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{Stream, list};
use tidegate_tests::world::peer::{CONSUMED, Call, Sender, address, receiver};
use tidegate_tests::world::rtp::RtpPacket;

const CAMERA: u32 = 0x1111;

/// As one who made the offer, and named its own payload types there (RFC 3264 5.1).
#[test]
fn a_receiver_has_its_own_payload_types_for_media_and_retransmissions() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA).with_rtx(CAMERA + 1);
    let numbered = Stream {
        payload_type: 45,
        rtx_payload_type: 46,
        ..source.consumed_as(CONSUMED).with_rtx(CONSUMED + 1)
    };
    let mut call = Call::with(&mut world, &source, &numbered);
    let sent = call.sender.sends_key_frame(&mut world);
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.len(), sent.len());
    assert!(got.iter().all(|packet| packet.payload_type == 45), "{got:?}");
    call.receiver.nacks(&mut world, CONSUMED, &[got[1].sequence]);
    let again = call.receiver.gets(&mut world);
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].payload_type, again[0].ssrc), (46, CONSUMED + 1));
    assert!(again[0].payload.ends_with(&got[1].payload));
}

/// Nor is a payload type taken for what it is in the router, where the receiver calls something else so.
#[test]
fn a_payload_type_stands_for_a_codec_of_its_name_alone() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA);
    let wrong = Stream { mime_type: "video/H264", ..source.consumed_as(CONSUMED) };
    let mut call = Call::with(&mut world, &source, &wrong);
    call.sender.sends_key_frame(&mut world);
    assert_eq!(call.receiver.gets(&mut world), []);
}

/// As two profiles of one codec are: what has the router's payload type keeps it, the rest follows in order.
#[test]
fn of_codecs_with_one_name_each_stands_for_another() {
    // The router's payload types of both, the receiver's of both, and those that its packets then have.
    let cases = [([101, 105], [101, 105]), ([45, 46], [45, 46]), ([105, 46], [46, 105])];
    for (received, expected) in cases {
        let mut world = World::new();
        let source = Stream::vp8(CAMERA);
        let router = world.router();
        let plain = world.comedia(router);
        let producer = ProducerId(world.new_id());
        let mut produce = source.produce(plain.id, producer);
        if let Command::Produce { rtp_parameters, rtp_mapping, .. } = &mut produce {
            list_twice(rtp_parameters, 97);
            map_twice(rtp_mapping, [(96, 101), (97, 105)]);
        }
        world.request(produce).unwrap();
        let (to, receiver) = receiver(&mut world, router, address(2, 5_000));
        let consumer = ConsumerId(world.new_id());
        let stream = Stream { payload_type: received[0], ..source.consumed_as(CONSUMED) };
        let mut consume = stream.consume(to.id, consumer, producer, &source);
        if let Command::Consume { rtp_parameters, .. } = &mut consume {
            list_twice(rtp_parameters, received[1]);
        }
        world.request(consume).unwrap();
        let mut sender = Sender::new(address(1, 4_000), plain.rtp, source);
        let mut got = Vec::new();
        for payload_type in [96, 97] {
            let frame = sender.frame(true, &[500]);
            let packets: Vec<RtpPacket> =
                frame.into_iter().map(|packet| RtpPacket { payload_type, ..packet }).collect();
            sender.sends(&mut world, &packets);
            got.extend(receiver.gets(&mut world).iter().map(|packet| packet.payload_type));
        }
        assert_eq!(got, expected, "of {received:?}");
    }
}

/// Adds the first codec once more, by another payload type.
fn list_twice(parameters: &mut RtpParameters, payload_type: u8) {
    let first = parameters.codecs[0].clone();
    let again = RtpCodecParameters { payload_type, ..first.clone() };
    parameters.codecs = list(vec![first, again]);
}

fn map_twice(mapping: &mut RtpMapping, pairs: [(u8, u8); 2]) {
    let entry = |(payload_type, mapped_payload_type)| CodecMapping { payload_type, mapped_payload_type };
    mapping.codecs = list(pairs.map(entry).to_vec());
}

/// The blocks of a packet are named by the router's payload types, whoever receives it.
#[test]
fn consumer_of_red_by_other_payload_types_than_the_routers_is_refused() {
    let mut world = World::new();
    let source = Stream::opus(CAMERA).with_red(63);
    let call = Call::of(&mut world, &source);
    let numbered = Stream { payload_type: 45, ..source.consumed_as(CONSUMED + 2) };
    let consumer = ConsumerId(world.new_id());
    let consume = numbered.consume(call.outbound.id, consumer, call.producer, &source);
    assert_eq!(world.refusal(consume), ErrorKind::Unsupported);
}
