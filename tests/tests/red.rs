//! RED (RFC 2198): packets with several blocks of Opus pass as they are, under the router's payload types; packets that
//! nobody could read do not.
//!
//! Packets are made and read here, without the worker's reader.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::bounded::Text;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::rtp::{CodecParameter, ParameterValue};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{ROUTER_AUDIO, ROUTER_RED, Stream, list};
use tidegate_tests::world::peer::{CONSUMED, Call, Sender, address};
use tidegate_tests::world::rtp::RtpPacket;

const MICROPHONE: u32 = 0x1111;
/// As Chromium numbers them.
const OPUS: u8 = 111;
const RED: u8 = 63;

fn source() -> Stream {
    Stream::opus(MICROPHONE).with_red(RED)
}

/// Older blocks with payload type, age in timestamp units and bytes; then the newest.
fn red_payload(older: &[(u8, u16, &[u8])], primary: (u8, &[u8])) -> Vec<u8> {
    let mut payload = Vec::new();
    for (payload_type, age, block) in older {
        let length = u32::try_from(block.len()).unwrap();
        let header = 1 << 31 | u32::from(*payload_type) << 24 | u32::from(*age) << 10 | length;
        payload.extend(header.to_be_bytes());
    }
    payload.push(primary.0);
    older.iter().for_each(|(_, _, block)| payload.extend(*block));
    payload.extend(primary.1);
    payload
}

/// 20 ms of sound that repeat the 20 ms before.
fn repeating(sender: &mut Sender, before: &[u8]) -> (RtpPacket, Vec<u8>) {
    let mut packet = sender.sound();
    let sound = packet.payload.clone();
    packet.payload_type = RED;
    let older: &[(u8, u16, &[u8])] = &[(OPUS, 960, before)];
    packet.payload = red_payload(if before.is_empty() { &[] } else { older }, (OPUS, &sound));
    (packet, sound)
}

fn red_packet(sender: &mut Sender, payload: Vec<u8>) -> RtpPacket {
    RtpPacket { payload_type: RED, payload, ..sender.sound() }
}

#[test]
fn red_of_opus_passes_with_the_routers_payload_types_and_every_block_untouched() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &source());
    let (mut before, mut numbers) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let (packet, sound) = repeating(&mut call.sender, &before);
        call.sender.sends(&mut world, std::slice::from_ref(&packet));
        let [got] = &call.receiver.gets(&mut world)[..] else { panic!("one packet for one") };
        let older: &[(u8, u16, &[u8])] = &[(ROUTER_AUDIO, 960, &before)];
        let expected = red_payload(if before.is_empty() { &[] } else { older }, (ROUTER_AUDIO, &sound));
        assert_eq!(got.payload, expected, "nothing but payload types differs");
        assert!(got.payload.ends_with(&sound));
        assert_eq!((got.payload_type, got.ssrc), (ROUTER_RED, CONSUMED));
        assert_eq!(got.timestamp, packet.timestamp);
        numbers.push(got.sequence);
        before = sound;
        world.run_for(20);
    }
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    assert_eq!(world.producer_stats(call.producer).packets_discarded, 0);
}

#[test]
fn plain_opus_and_red_share_a_stream() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &source());
    let plain = call.sender.sends_sound(&mut world);
    let (red, _) = repeating(&mut call.sender, &plain.payload);
    call.sender.sends(&mut world, &[red]);
    let got = call.receiver.gets(&mut world);
    let types: Vec<u8> = got.iter().map(|packet| packet.payload_type).collect();
    assert_eq!(types, [ROUTER_AUDIO, ROUTER_RED]);
    assert_eq!(got[0].payload, plain.payload);
    assert_eq!(got[1].sequence, got[0].sequence.wrapping_add(1));
}

#[test]
fn red_that_is_sent_again_is_the_same_bytes() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream { nack: true, ..source() });
    let (packet, _) = repeating(&mut call.sender, b"before");
    call.sender.sends(&mut world, &[packet]);
    let first = call.receiver.gets_bytes(&mut world);
    let sequence = RtpPacket::read(&first[0]).unwrap().sequence;
    world.run_for(10);
    call.receiver.nacks(&mut world, CONSUMED, &[sequence]);
    assert_eq!(call.receiver.gets_bytes(&mut world), first);
}

#[test]
fn repaired_red_has_the_routers_payload_types_too() {
    let mut world = World::new();
    let source = Stream { nack: true, ..source() };
    let mut call = Call::of(&mut world, &source);
    call.sender.sends_sound(&mut world);
    let (lost, sound) = repeating(&mut call.sender, b"before");
    let later = call.sender.sound();
    call.sender.sends(&mut world, &[later]);
    world.run_for(20);
    call.receiver.gets(&mut world);
    call.sender.sends(&mut world, &[lost]);
    let [repaired] = &call.receiver.gets(&mut world)[..] else { panic!("the lost one") };
    let expected = red_payload(&[(ROUTER_AUDIO, 960, b"before")], (ROUTER_AUDIO, &sound));
    assert_eq!(repaired.payload, expected);
}

#[test]
fn losses_between_red_packets_are_asked_for_where_those_of_its_codec_are() {
    let mut world = World::new();
    let router = world.router();
    let plain = world.comedia(router);
    let source = Stream { nack: true, ..source() };
    let mut produce = source.produce(plain.id, ProducerId(world.new_id()));
    if let Command::Produce { rtp_parameters, .. } = &mut produce {
        let mut codecs = rtp_parameters.codecs.clone().into_vec();
        codecs[1].rtcp_feedback = list(vec![]);
        codecs.reverse();
        rtp_parameters.codecs = list(codecs);
    }
    world.request(produce).unwrap();
    let mut sender = Sender::new(address(1, 4_000), plain.rtp, source);
    let sent: Vec<_> = (0..4).map(|_| repeating(&mut sender, b"before").0).collect();
    sender.sends(&mut world, &[sent[0].clone(), sent[1].clone(), sent[3].clone()]);
    world.run_for(50);
    assert_eq!(sender.nacked(&mut world), [sent[2].sequence]);
}

#[test]
fn consumer_without_red_gets_opus_alone_in_unbroken_numbers_and_counts_the_rest() {
    let mut world = World::new();
    let source = source();
    let received = Stream { red: None, ..source.consumed_as(CONSUMED) };
    let mut call = Call::with(&mut world, &source, &received);
    let mut sent = Vec::new();
    for index in 0..30 {
        let packet = match index % 3 {
            0 => call.sender.sound(),
            _ => repeating(&mut call.sender, b"before").0,
        };
        sent.push(packet);
    }
    call.sender.sends(&mut world, &sent);
    let got = call.receiver.gets(&mut world);
    assert_eq!(got.len(), 10);
    assert!(got.iter().all(|packet| packet.payload_type == ROUTER_AUDIO));
    assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    let stats = world.consumer_stats(call.consumer).own;
    assert_eq!((stats.packet_count, stats.packets_discarded), (10, 20));
}

#[test]
fn red_that_nobody_could_read_is_discarded_and_counted() {
    let unreadable: Vec<Vec<u8>> = vec![
        vec![0x80 | OPUS],                                              // a header that is cut off
        vec![0x80 | OPUS, 0x0F, 0x00, 3],                               // no primary header
        red_payload(&[(OPUS, 960, b"abc")], (OPUS, b""))[..7].to_vec(), // more bytes promised than there are
        [0x80 | OPUS, 0, 0, 0].repeat(40),                              // headers without end
        red_payload(&[(OPUS, 960, b"abc")], (RED, b"x")),               // RED in RED
        red_payload(&[(0, 960, b"abc")], (OPUS, b"x")),                 // a codec that is not RED's
        red_payload(&[], (5, b"x")),                                    // one that nobody knows
    ];
    let mut world = World::new();
    let mut call = Call::of(&mut world, &source());
    call.sender.sends_sound(&mut world);
    call.receiver.gets(&mut world);
    let count = unreadable.len() as u64;
    for payload in unreadable {
        let packet = red_packet(&mut call.sender, payload);
        call.sender.sends(&mut world, &[packet]);
        assert_eq!(call.receiver.gets(&mut world), []);
    }
    assert_eq!(world.producer_stats(call.producer).packets_discarded, count);
    let (readable, _) = repeating(&mut call.sender, b"before");
    call.sender.sends(&mut world, &[readable]);
    assert_eq!(call.receiver.gets(&mut world).len(), 1, "the stream goes on");
}

#[test]
fn silence_is_that_of_the_newest_block() {
    let mut world = World::new();
    let source = source();
    let mut call = Call::of(&mut world, &source);
    let id = ConsumerId(world.new_id());
    let received = source.consumed_as(CONSUMED + 1);
    let mut consume = received.consume(call.outbound.id, id, call.producer, &source);
    if let Command::Consume { ignore_dtx, .. } = &mut consume {
        *ignore_dtx = true;
    }
    world.request(consume).unwrap();
    let (silent, loud): (&[u8], &[u8]) = (&[0x78], &[0x78, 1, 2, 3]);
    let payloads = [
        red_payload(&[(OPUS, 960, silent)], (OPUS, loud)),
        red_payload(&[(OPUS, 960, loud)], (OPUS, silent)),
        red_payload(&[], (OPUS, silent)),
        red_payload(&[], (OPUS, loud)),
    ];
    let sent = payloads.map(|payload| red_packet(&mut call.sender, payload));
    call.sender.sends(&mut world, &sent);
    let got = call.receiver.gets(&mut world);
    let of = |ssrc| -> Vec<usize> {
        let to = got.iter().filter(|packet| packet.ssrc == ssrc);
        to.map(|packet| packet.payload.len()).collect()
    };
    assert_eq!(of(CONSUMED), [10, 10, 2, 5]);
    assert_eq!(of(CONSUMED + 1), [10, 5]);
}

#[test]
fn red_of_codecs_that_are_not_there_is_refused() {
    for blocks in ["112/112", "63/63", "opus", "0/111"] {
        let mut world = World::new();
        let router = world.router();
        let plain = world.comedia(router);
        let producer = ProducerId(world.new_id());
        let mut produce = source().produce(plain.id, producer);
        if let Command::Produce { rtp_parameters, .. } = &mut produce {
            let mut codecs = rtp_parameters.codecs.clone().into_vec();
            let value = ParameterValue::Text(Text::clipped(blocks));
            codecs[1].parameters = list(vec![CodecParameter { name: Text::clipped(""), value }]);
            rtp_parameters.codecs = list(codecs);
        }
        assert_eq!(world.refusal(produce), ErrorKind::InvalidArgument, "{blocks}");
    }
}
