//! Consumers of each video codec begin where a decoder can, and what they begin with was asked for.
//!
//! The payloads are the first bytes that senders write (RFC 7741, RFC 9628, RFC 6184, RFC 7798, AV1 RTP specification),
//! filled up with zeros. What captures of real senders say is held by `worker/tests/captures`.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::bounded::Text;
use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::rtp::{CodecMapping, RtpType};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{Stream, list};
use tidegate_tests::world::peer::{CONSUMED, Call, Receiver, Sender};
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::rtp::RtpPacket;

const CAMERA: u32 = 0x1111;
const NO_NUMBERS: [u16; 0] = [];
const DEPENDENCY_DESCRIPTOR: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
/// Its id in the tests that have it.
const DESCRIPTOR_ID: u8 = 13;

/// How frames of a codec begin, packet by packet.
#[derive(Clone, Copy)]
struct Codec {
    mime_type: &'static str,
    key: &'static [&'static [u8]],
    delta: &'static [&'static [u8]],
}

const VP8: Codec = Codec {
    mime_type: "video/VP8",
    key: &[&[0x10, 0x00], &[0x00, 0x00]],
    delta: &[&[0x10, 0x01], &[0x00, 0x00]],
};
/// Flexible mode, two spatial layers.
const VP9: Codec = Codec {
    mime_type: "video/VP9",
    key: &[&[0xBC, 0x92, 0x34, 0x10, 0x82], &[0xB8, 0x92, 0x34, 0x13, 0x86], &[0xB4, 0x92, 0x34, 0x13]],
    delta: &[&[0xFC, 0x92, 0x35, 0x50, 0x02, 0x86], &[0xFC, 0x92, 0x35, 0x53, 0x02, 0x86]],
};
/// STAP-A of SPS and PPS, then the IDR slice in two parts.
const H264: Codec = Codec {
    mime_type: "video/H264",
    key: &[&[0x78, 0, 4, 0x67, 0x42, 0xC0, 0x15, 0, 2, 0x68, 0xCE], &[0x7C, 0x85, 0xB8], &[0x7C, 0x45]],
    delta: &[&[0x61, 0xE0], &[0x61, 0x00]],
};
/// The same without parameter sets.
const H264_BARE: Codec = Codec { key: &[&[0x7C, 0x85, 0xB8], &[0x7C, 0x45]], ..H264 };
/// An aggregate of VPS, SPS and PPS, then the IDR slice in two parts.
const H265: Codec = Codec {
    mime_type: "video/H265",
    key: &[
        &[0x60, 0x01, 0, 3, 0x40, 0x01, 0x0C, 0, 3, 0x42, 0x01, 0x01, 0, 3, 0x44, 0x01, 0xC1],
        &[0x62, 0x01, 0x93, 0xAF],
        &[0x62, 0x01, 0x53],
    ],
    delta: &[&[0x02, 0x01, 0xD0], &[0x02, 0x01, 0x50]],
};
const AV1: Codec = Codec {
    mime_type: "video/AV1",
    key: &[&[0x68, 0x02, 0x0A, 0x08], &[0x90]],
    delta: &[&[0x50, 0x34, 0x48], &[0x90]],
};
const ALL: [Codec; 6] = [VP8, VP9, H264, H264_BARE, H265, AV1];

impl Codec {
    fn stream(&self) -> Stream {
        Stream { mime_type: self.mime_type, ..Stream::vp8(CAMERA) }
    }

    fn packets(&self, sender: &mut Sender, is_key: bool) -> Vec<RtpPacket> {
        let frame = if is_key { self.key } else { self.delta };
        let mut packets: Vec<RtpPacket> =
            frame.iter().map(|start| sender.packet([start, &[0; 40][..]].concat())).collect();
        packets.last_mut().expect("a frame has packets").marker = true;
        sender.timestamp = sender.timestamp.wrapping_add(3_000);
        packets
    }

    fn sends(&self, world: &mut World, sender: &mut Sender, is_key: bool) -> usize {
        let packets = self.packets(sender, is_key);
        sender.sends(world, &packets);
        packets.len()
    }
}

/// A call in which `codec` has flowed for three seconds, one key frame at its beginning.
fn flowing(world: &mut World, codec: Codec) -> Call {
    let mut call = Call::of(world, &codec.stream());
    codec.sends(world, &mut call.sender, true);
    for _ in 0..90 {
        world.run_for(33);
        codec.sends(world, &mut call.sender, false);
    }
    call.sender.hears(world);
    call.receiver.gets(world);
    call
}

/// One more receiver of the call's producer, which joins late.
fn joined(world: &mut World, call: &Call) -> Receiver {
    call.joined_by(world, 3, &call.received.consumed_as(CONSUMED + 1)).0
}

#[test]
fn late_consumer_of_each_codec_causes_a_pli_and_begins_at_the_key_frame() {
    for codec in ALL {
        let mut world = World::new();
        let mut call = flowing(&mut world, codec);
        let late = joined(&mut world, &call);
        assert_eq!(call.sender.plis(&mut world), 1, "{}", codec.mime_type);
        for _ in 0..3 {
            codec.sends(&mut world, &mut call.sender, false);
        }
        assert_eq!(late.gets_numbers(&mut world), NO_NUMBERS, "{}: nothing to begin with", codec.mime_type);
        let packets = codec.sends(&mut world, &mut call.sender, true);
        let got = late.gets(&mut world);
        assert_eq!(got.len(), packets, "{}: the key frame from its first packet on", codec.mime_type);
        assert!(got[0].payload.starts_with(codec.key[0]), "{}: {got:?}", codec.mime_type);
        let packets = codec.sends(&mut world, &mut call.sender, false);
        assert_eq!(late.gets(&mut world).len(), packets, "{}: and what follows it", codec.mime_type);
    }
}

#[test]
fn stream_is_asked_for_a_key_frame_only_if_it_begins_without() {
    for codec in ALL {
        for is_key in [true, false] {
            let mut world = World::new();
            let mut call = Call::of(&mut world, &codec.stream());
            let packets = codec.sends(&mut world, &mut call.sender, is_key);
            let (plis, passed) = if is_key { (0, packets) } else { (1, 0) };
            assert_eq!(call.sender.plis(&mut world), plis, "{} {is_key}", codec.mime_type);
            assert_eq!(call.receiver.gets(&mut world).len(), passed, "{} {is_key}", codec.mime_type);
        }
    }
}

#[test]
fn idr_without_its_parameter_sets_is_no_beginning_once_they_came_in_band() {
    let mut world = World::new();
    let mut call = flowing(&mut world, H264);
    let late = joined(&mut world, &call);
    H264_BARE.sends(&mut world, &mut call.sender, true);
    assert_eq!(
        late.gets_numbers(&mut world),
        NO_NUMBERS,
        "their packet was lost: nothing to decode this with"
    );
    let packets = H264.sends(&mut world, &mut call.sender, true);
    assert_eq!(late.gets(&mut world).len(), packets);
}

#[test]
fn dependency_descriptor_is_believed_before_the_av1_payload() {
    let with_descriptor = |packets: Vec<RtpPacket>, value: &[u8]| {
        let described = |packet| RtpPacket { extensions: vec![(DESCRIPTOR_ID, value.to_vec())], ..packet };
        packets.into_iter().map(described).collect::<Vec<_>>()
    };
    // As libwebrtc writes them for one layer: first packet of a frame, without and with a template dependency structure.
    let delta = &[0x80, 0x00, 0x01][..];
    let key = &[0x80, 0x00, 0x02, 0x80, 0x00, 0x3A, 0x41, 0x01, 0x00][..];
    let mut world = World::new();
    let source = AV1.stream().with_extensions(&[(DEPENDENCY_DESCRIPTOR, DESCRIPTOR_ID)]);
    let mut call = Call::of(&mut world, &source);
    let encrypted = with_descriptor(AV1.packets(&mut call.sender, true), delta);
    call.sender.sends(&mut world, &encrypted);
    assert_eq!(call.receiver.gets_numbers(&mut world), NO_NUMBERS, "the payload's N bit is not asked");
    let encrypted = with_descriptor(AV1.packets(&mut call.sender, false), key);
    call.sender.sends(&mut world, &encrypted);
    assert_eq!(call.receiver.gets(&mut world).len(), encrypted.len());
    let late = joined(&mut world, &call);
    AV1.sends(&mut world, &mut call.sender, false);
    assert_eq!(late.gets_numbers(&mut world), NO_NUMBERS);
    let packets = AV1.sends(&mut world, &mut call.sender, true);
    assert_eq!(late.gets(&mut world).len(), packets, "packets without a descriptor: the N bit is asked");
}

/// `Produce` and `Consume` of a stream with a scalability mode.
fn layered(world: &mut World, codec: Codec, mode: &str, consumer_type: RtpType) -> (Call, Command, RtpType) {
    let mut call = Call::of(world, &codec.stream());
    let stream = Stream { ssrc: CAMERA + 1, ..codec.stream() };
    let producer = ProducerId(world.new_id());
    let mut produce = stream.produce(call.inbound.id, producer);
    if let Command::Produce { rtp_parameters, .. } = &mut produce {
        let mut encodings = rtp_parameters.encodings.clone().into_vec();
        encodings[0].scalability_mode = Some(Text::clipped(mode));
        rtp_parameters.encodings = list(encodings);
    }
    let Ok(Reply::Produced { producer_type }) = world.request(produce) else { panic!("{mode}") };
    let received = stream.consumed_as(CONSUMED + 1);
    let id = ConsumerId(world.new_id());
    let mut consume = received.consume(call.outbound.id, id, producer, &stream);
    if let Command::Consume { consumer_type: set, .. } = &mut consume {
        *set = consumer_type;
    }
    (call.sender.stream, call.received, call.producer, call.consumer) = (stream, received, producer, id);
    (call, consume, producer_type)
}

#[test]
fn layers_make_a_producer_svc_where_the_codec_has_spatial_ones() {
    for (codec, mode, expected) in [
        (VP9, "L3T3_KEY", RtpType::Svc),
        (VP9, "L1T3", RtpType::Svc),
        (AV1, "S2T1", RtpType::Svc),
        (VP9, "L1T1", RtpType::Simple),
        (VP9, "", RtpType::Simple),
        (VP9, "3", RtpType::Simple),
        (VP8, "L1T3", RtpType::Simple),
        (H264, "L1T3", RtpType::Simple),
    ] {
        let (_, _, producer_type) = layered(&mut World::new(), codec, mode, RtpType::Simple);
        assert_eq!(producer_type, expected, "{} {mode}", codec.mime_type);
    }
}

#[test]
fn svc_consumer_gets_every_layer_from_a_key_frame_on() {
    for codec in [VP9, AV1] {
        let mut world = World::new();
        let (mut call, consume, _) = layered(&mut world, codec, "L3T3", RtpType::Svc);
        assert!(matches!(world.request(consume), Ok(Reply::Consumed { .. })));
        assert_eq!(world.consumer_dump(call.consumer).consumer_type, RtpType::Svc);
        codec.sends(&mut world, &mut call.sender, false);
        assert_eq!(call.receiver.gets_numbers(&mut world), NO_NUMBERS);
        let sent: Vec<_> = [true, false]
            .map(|is_key| codec.packets(&mut call.sender, is_key))
            .into_iter()
            .flatten()
            .collect();
        call.sender.sends(&mut world, &sent);
        let payloads = |packets: &[RtpPacket]| packets.iter().map(|p| p.payload.clone()).collect::<Vec<_>>();
        assert_eq!(payloads(&call.receiver.gets(&mut world)), payloads(&sent), "{}", codec.mime_type);
    }
}

/// A call whose producer may change to a second codec with the payload type 104, for both ends.
fn call_with_two_codecs(world: &mut World, first: &Stream, second: &Stream) -> Call {
    let mut call = Call::of(world, first);
    let (source, second) =
        (Stream { ssrc: CAMERA + 1, ..first.clone() }, Stream { payload_type: 104, ..second.clone() });
    call.producer = ProducerId(world.new_id());
    let mut produce = source.produce(call.inbound.id, call.producer);
    let both = |first: &Stream, second: &Stream| {
        let codecs = [first, second].map(|stream| stream.rtp_parameters().codecs.into_vec());
        list(codecs.concat())
    };
    if let Command::Produce { rtp_parameters, rtp_mapping, .. } = &mut produce {
        rtp_parameters.codecs = both(&source, &second);
        let mut mapped = rtp_mapping.codecs.clone().into_vec();
        mapped.push(CodecMapping { payload_type: 104, mapped_payload_type: 110 });
        rtp_mapping.codecs = list(mapped);
    }
    world.request(produce).unwrap();
    let received = source.consumed_as(CONSUMED + 1);
    call.consumer = ConsumerId(world.new_id());
    let mut consume = received.consume(call.outbound.id, call.consumer, call.producer, &source);
    if let Command::Consume { rtp_parameters, .. } = &mut consume {
        rtp_parameters.codecs = both(&received, &Stream { payload_type: 110, ..second.consumed_as(0) });
    }
    world.request(consume).unwrap();
    (call.sender.stream, call.received) = (source, received);
    call
}

#[test]
fn statistics_reports_and_jitter_follow_the_codec_that_a_sender_changes_to() {
    let opus = Stream { nack: true, ..Stream::opus(CAMERA) };
    let pcmu = Stream { mime_type: "audio/PCMU", clock_rate: 8_000, ..Stream::opus(CAMERA) };
    let mut world = World::new();
    let mut call = call_with_two_codecs(&mut world, &opus, &pcmu);
    let speak = |world: &mut World, call: &mut Call, clock_rate: u32, payload_type: u8, packets: usize| {
        for index in 0..packets {
            let mut packet = call.sender.sound();
            packet.payload_type = payload_type;
            call.sender.timestamp = packet.timestamp.wrapping_add(clock_rate / 50);
            call.sender.sends(world, &[packet]);
            // 10 ms of jitter.
            world.run_for(if index % 2 == 0 { 30 } else { 10 });
        }
    };
    speak(&mut world, &mut call, 48_000, 111, 300);
    let before = world.producer_stats(call.producer);
    assert_eq!(&*before.mime_type, "audio/opus");
    assert!((400..=480).contains(&before.jitter), "10 ms: {}", before.jitter);
    // A telephone event would be of the same clock; another codec need not be.
    call.sender.timestamp = 77;
    speak(&mut world, &mut call, 8_000, 104, 2);
    let after = world.producer_stats(call.producer);
    assert_eq!(&*after.mime_type, "audio/PCMU");
    assert!((60..=80).contains(&after.jitter), "still 10 ms, of the new clock: {}", after.jitter);
    speak(&mut world, &mut call, 8_000, 104, 200);
    let after = world.producer_stats(call.producer);
    assert!((70..=80).contains(&after.jitter), "{}", after.jitter);
    assert_eq!((after.packets_lost, after.packets_discarded), (0, 0));
    assert_eq!(&*world.producer_dump(call.producer).streams[0].mime_type, "audio/PCMU");

    // The sender report that goes out counts by the new clock: 1 s is 8,000.
    call.receiver.hears(&mut world);
    speak(&mut world, &mut call, 8_000, 104, 200);
    let reports: Vec<(u64, u32)> = call
        .receiver
        .hears(&mut world)
        .into_iter()
        .filter_map(|packet| match packet {
            Rtcp::SenderReport { ssrc, ntp, timestamp, .. } if ssrc == CONSUMED + 1 => Some((ntp, timestamp)),
            _ => None,
        })
        .collect();
    let [first, .., last] = reports.as_slice() else { panic!("{reports:?}") };
    let seconds = (last.0 - first.0) as f64 / f64::from(u32::MAX);
    let rate = f64::from(last.1.wrapping_sub(first.1)) / seconds;
    assert!((7_800.0..8_200.0).contains(&rate), "{rate}");

    // Losses are asked for by the codec that agreed on it, and not by the other.
    call.sender.hears(&mut world);
    call.sender.sound();
    speak(&mut world, &mut call, 8_000, 104, 3);
    assert_eq!(call.sender.nacked(&mut world), NO_NUMBERS);
    speak(&mut world, &mut call, 48_000, 111, 3);
    assert_eq!(call.sender.nacked(&mut world), NO_NUMBERS, "what was lost before is not");
    let lost = call.sender.sound().sequence;
    speak(&mut world, &mut call, 48_000, 111, 3);
    assert!(call.sender.nacked(&mut world).contains(&lost));
}

#[test]
fn telephone_events_in_between_are_no_change_of_the_codec() {
    let opus = Stream { nack: true, ..Stream::opus(CAMERA) };
    let events = Stream { mime_type: "audio/telephone-event", ..Stream::opus(CAMERA) };
    let mut world = World::new();
    let mut call = call_with_two_codecs(&mut world, &opus, &events);
    for index in 0..50 {
        let mut packet = call.sender.sound();
        packet.payload_type = if index % 3 == 1 { 104 } else { 111 };
        call.sender.sends(&mut world, &[packet]);
        world.run_for(20);
    }
    assert_eq!(call.sender.nacked(&mut world), NO_NUMBERS);
    assert_eq!(&*world.producer_stats(call.producer).mime_type, "audio/opus");
    assert_eq!(call.receiver.gets(&mut world).len(), 50);
}

#[test]
fn key_frame_is_asked_for_when_a_sender_changes_the_codec_without_one() {
    let mut world = World::new();
    let h264 = H264_BARE.stream();
    let mut call = call_with_two_codecs(&mut world, &VP8.stream(), &h264);
    VP8.sends(&mut world, &mut call.sender, true);
    world.run_for(2_000);
    call.sender.plis(&mut world);
    call.sender.stream.payload_type = 104;
    H264_BARE.sends(&mut world, &mut call.sender, false);
    assert_eq!(call.sender.plis(&mut world), 1);
    assert_eq!(&*world.producer_stats(call.producer).mime_type, "video/H264");
    // Nothing of what the first codec said of key frames holds for the second.
    H264_BARE.sends(&mut world, &mut call.sender, true);
    world.run_for(2_000);
    assert_eq!(call.sender.plis(&mut world), 0, "it was seen to come");
}

#[test]
fn silence_of_multiopus_is_not_forwarded_to_who_ignores_it() {
    let mut world = World::new();
    let source = Stream { mime_type: "audio/multiopus", ..Stream::opus(CAMERA) };
    let mut call = Call::of(&mut world, &source);
    let id = ConsumerId(world.new_id());
    let received = source.consumed_as(CONSUMED + 1);
    let mut consume = received.consume(call.outbound.id, id, call.producer, &source);
    if let Command::Consume { ignore_dtx, .. } = &mut consume {
        *ignore_dtx = true;
    }
    world.request(consume).unwrap();
    let sent = [call.sender.sound(), call.sender.packet(vec![0x78]), call.sender.sound()];
    call.sender.sends(&mut world, &sent);
    let got = call.receiver.gets(&mut world);
    let count = |ssrc| got.iter().filter(|packet| packet.ssrc == ssrc).count();
    assert_eq!((count(CONSUMED), count(CONSUMED + 1)), (3, 2));
}

#[test]
fn consumer_begins_at_a_key_frame_of_the_codec_that_its_producer_changed_to() {
    // As VP8, the key frames of these would be none.
    for codec in [H265, AV1] {
        let mut world = World::new();
        let changed = Stream { payload_type: 104, ..codec.stream() };
        let source = Stream { ssrc: CAMERA + 1, ..VP8.stream() };
        let mut call = Call::of(&mut world, &VP8.stream());
        let producer = ProducerId(world.new_id());
        let mut produce = source.produce(call.inbound.id, producer);
        if let Command::Produce { rtp_parameters, rtp_mapping, .. } = &mut produce {
            let codecs =
                [rtp_parameters.codecs.clone().into_vec(), changed.rtp_parameters().codecs.into_vec()];
            rtp_parameters.codecs = list(codecs.concat());
            let mut mapped = rtp_mapping.codecs.clone().into_vec();
            mapped.push(CodecMapping { payload_type: 104, mapped_payload_type: 110 });
            rtp_mapping.codecs = list(mapped);
        }
        world.request(produce).unwrap();
        call.sender.stream = source.clone();
        VP8.sends(&mut world, &mut call.sender, true);
        call.sender.stream.payload_type = 104;
        let received = Stream { payload_type: 110, ..changed.consumed_as(CONSUMED + 1) };
        world.consume(call.outbound.id, producer, &source, &received);
        codec.sends(&mut world, &mut call.sender, false);
        assert_eq!(call.receiver.gets_numbers(&mut world), NO_NUMBERS, "nothing to begin with");
        let packets = codec.sends(&mut world, &mut call.sender, true);
        assert_eq!(call.receiver.gets(&mut world).len(), packets, "{}", codec.mime_type);
    }
}
