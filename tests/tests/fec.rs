//! FlexFEC-03 is taken in without harm and forwarded to nobody: it protects packets as the sender numbered them.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{MID, Stream};
use tidegate_tests::world::peer::{CONSUMED, Call};
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::rtp::RtpPacket;

const CAMERA: u32 = 0x1111;
const FEC: u32 = 0x2222;
const FEC_TYPE: u8 = 118;

fn source() -> Stream {
    Stream::vp8(CAMERA).with_fec(FEC_TYPE, FEC)
}

/// A repair packet of FlexFEC-03: what is inside is nobody's business here.
fn repair(sequence: u16, timestamp: u32) -> RtpPacket {
    let payload = vec![0x10; 120];
    RtpPacket { payload_type: FEC_TYPE, sequence, timestamp, ssrc: FEC, payload, ..RtpPacket::default() }
}

#[test]
fn repair_packets_are_counted_and_reach_no_consumer() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &source());
    let mut sent = call.sender.sends_key_frame(&mut world).len();
    for number in 0..20 {
        call.sender.sends(&mut world, &[repair(700 + number, 9)]);
        sent += call.sender.sends_frame(&mut world).len();
        world.run_for(33);
    }
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.len(), sent);
    assert!(got.iter().all(|packet| packet.ssrc == CONSUMED && packet.payload_type != FEC_TYPE));
    assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    let stats = world.transport_stats(call.inbound.id);
    assert_eq!((stats.fec_received.packets, stats.fec_received.bytes), (20, 20 * 132));
    assert_eq!(stats.rtp_received.packets, sent as u64);
    assert_eq!(stats.received.packets, 20 + sent as u64);
    assert_eq!(stats.dropped.unknown_ssrc, 0);
    let media = world.producer_stats(call.producer);
    assert_eq!((media.packet_count, media.packets_discarded), (sent as u64, 0));
}

#[test]
fn numbers_of_repair_packets_are_no_losses_and_nobody_reports_on_them() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &source());
    call.sender.sends_key_frame(&mut world);
    for number in [700, 705, 65_000] {
        call.sender.sends(&mut world, &[repair(number, 9)]);
        call.sender.sends_frame(&mut world);
        world.run_for(500);
    }
    let mut reports = 0;
    for heard in call.sender.hears(&mut world) {
        match heard {
            Rtcp::Nack { .. } => panic!("nothing was lost"),
            Rtcp::ReceiverReport { blocks, .. } => {
                reports += 1;
                assert!(blocks.iter().all(|block| block.ssrc == CAMERA && block.cumulative_lost == 0));
            }
            _ => {}
        }
    }
    assert!(reports > 0);
}

#[test]
fn repair_packets_known_by_mid_and_payload_type_do_not_take_the_medias_place() {
    let mut world = World::new();
    let source = Stream { announced: false, ..source() }.with_mid("v").with_extensions(&[(MID, 4)]);
    let mut call = Call::of(&mut world, &source);
    let named = |packet: RtpPacket| RtpPacket { extensions: vec![(4, b"v".to_vec())], ..packet };
    call.sender.sends(&mut world, &[named(repair(700, 9)), named(repair(701, 9))]);
    let frame: Vec<_> = call.sender.frame(true, &[500, 500]).into_iter().map(named).collect();
    call.sender.sends(&mut world, &frame);
    assert_eq!(call.receiver.gets(&mut world).len(), 2);
    assert_eq!(world.transport_stats(call.inbound.id).fec_received.packets, 2);
}

#[test]
fn consumer_with_fec_is_refused() {
    let mut world = World::new();
    let call = Call::of(&mut world, &source());
    let received = source().consumed_as(CONSUMED + 1).with_fec(119, 0x3333);
    let id = ConsumerId(world.new_id());
    let consume = received.consume(call.outbound.id, id, call.producer, &source());
    assert_eq!(world.refusal(consume), ErrorKind::Unsupported);
}

#[test]
fn fec_needs_an_ssrc_of_its_own_and_its_codec() {
    let mut world = World::new();
    let call = Call::of(&mut world, &source());
    let transport = world.comedia(call.router).id;
    let id = ProducerId(world.new_id());
    let taken = Stream::vp8(CAMERA).with_fec(FEC_TYPE, CAMERA);
    assert_eq!(world.refusal(taken.produce(transport, id)), ErrorKind::Duplicate);
    let mut produce = source().produce(transport, id);
    if let Command::Produce { rtp_parameters, .. } = &mut produce {
        let mut codecs = rtp_parameters.codecs.clone().into_vec();
        codecs.pop();
        rtp_parameters.codecs = tidegate_tests::world::parameters::list(codecs);
    }
    assert_eq!(world.refusal(produce), ErrorKind::InvalidArgument);
    let other = Stream::vp8(CAMERA + 1).with_fec(FEC_TYPE, FEC);
    let same_transport = other.produce(call.inbound.id, id);
    assert_eq!(world.refusal(same_transport), ErrorKind::Duplicate);
}
