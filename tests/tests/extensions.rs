//! Header extensions from a sender to its receivers: what is forwarded, under which id and in which form, and what the
//! worker reads on the way.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::bounded::List;
use tidegate_protocol::event::{Event, VideoOrientation};
use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::request::Command;
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::{
    ABS_CAPTURE_TIME, AUDIO_LEVEL, MID, PLAYOUT_DELAY, Stream, TIME_OFFSET, VIDEO_ORIENTATION,
};
use tidegate_tests::world::peer::{CONSUMED, Call, Sender, address};
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::rtp::RtpPacket;

const CAMERA: u32 = 0x1111;
/// What a sender says and its receivers get as it is. A capture time without a clock offset has 8 bytes.
const FORWARDED: [(&str, &[u8]); 5] = [
    (VIDEO_ORIENTATION, &[0x09]),
    (TIME_OFFSET, &[0xFF, 0xFE, 0xFD]),
    (ABS_CAPTURE_TIME, &[1, 2, 3, 4, 5, 6, 7, 8]),
    (PLAYOUT_DELAY, &[0x00, 0xA1, 0x90]),
    (AUDIO_LEVEL, &[0x85]),
];

/// A call between these ids.
fn call(world: &mut World, sent: &[(&'static str, u8)], received: &[(&'static str, u8)]) -> Call {
    let source = Stream::vp8(CAMERA).with_extensions(sent);
    let received = source.consumed_as(CONSUMED).with_mid("m").with_extensions(received);
    let mut call = Call::with(world, &source, &received);
    call.sender.sends_key_frame(world);
    call.receiver.gets(world);
    world.take_events();
    call
}

/// The packet that comes of one with these extensions.
fn forwarded(world: &mut World, call: &mut Call, extensions: &[(u8, &[u8])], two_byte: bool) -> RtpPacket {
    let mut packet = call.sender.frame(false, &[200]).remove(0);
    packet.extensions = extensions.iter().map(|(id, value)| (*id, value.to_vec())).collect();
    packet.two_byte = two_byte;
    call.sender.sends(world, &[packet]);
    call.receiver.gets(world).remove(0)
}

/// Orientations that were told since the last time.
fn turns(world: &mut World, call: &Call) -> Vec<VideoOrientation> {
    let events = world.take_events().into_iter();
    let turns = events.filter_map(|event| match event {
        Event::ProducerVideoOrientation { producer, orientation } => {
            assert_eq!(producer, call.producer);
            Some(orientation)
        }
        _ => None,
    });
    turns.collect()
}

const fn held(camera: bool, flip: bool, rotation: u16) -> VideoOrientation {
    VideoOrientation { camera, flip, rotation }
}

#[test]
fn each_is_forwarded_under_the_receivers_own_id_in_either_form() {
    for (uri, value) in FORWARDED {
        for (sent_id, received_id, two_byte) in [(3, 9, false), (3, 9, true), (200, 9, true), (3, 201, false)]
        {
            let mut world = World::new();
            let mut call = call(&mut world, &[(uri, sent_id)], &[(uri, received_id)]);
            let got = forwarded(&mut world, &mut call, &[(sent_id, value)], two_byte);
            assert_eq!(got.extensions, [(received_id, value.to_vec())], "{uri}");
            assert_eq!(got.two_byte, received_id > 14, "{uri}");
        }
    }
}

#[test]
fn each_is_stripped_where_one_of_the_two_did_not_negotiate_it() {
    for (uri, value) in FORWARDED {
        let mut world = World::new();
        let mut asked = call(&mut world, &[(uri, 3)], &[(MID, 1)]);
        let got = forwarded(&mut world, &mut asked, &[(3, value)], false);
        assert_eq!(got.extensions, [(1, b"m".to_vec())], "{uri} was not asked for");
        let mut world = World::new();
        let mut announced = call(&mut world, &[], &[(uri, 3)]);
        let got = forwarded(&mut world, &mut announced, &[(3, value)], false);
        assert_eq!(got.extensions, [], "{uri} was not announced");
    }
}

#[test]
fn all_are_forwarded_together_from_one_and_two_byte_forms_mixed() {
    let ids = |from: u8| FORWARDED.iter().zip(from..).map(|((uri, _), id)| (*uri, id)).collect::<Vec<_>>();
    let values = |from: u8| FORWARDED.iter().zip(from..).map(|((_, value), id)| (id, *value));
    let values = |from: u8| values(from).collect::<Vec<_>>();
    for (from, to) in [(1, 8), (100, 8), (1, 100)] {
        let mut world = World::new();
        let mut call = call(&mut world, &ids(from), &ids(to));
        let mut expected = values(to);
        for two_byte in [true, false, true] {
            let got = forwarded(&mut world, &mut call, &values(from), two_byte || from > 14);
            let mut got: Vec<_> = got.extensions.iter().map(|(id, value)| (*id, value.as_slice())).collect();
            got.sort_unstable();
            expected.sort_unstable();
            assert_eq!(got, expected, "from {from} to {to}");
        }
    }
}

/// A capture time in its extended form, with this clock offset.
fn capture_time(offset: i64) -> Vec<u8> {
    [[9; 8], offset.to_be_bytes()].concat()
}

#[test]
fn clock_offset_of_a_capture_time_becomes_one_to_the_workers_clock() {
    const HOUR: i64 = 3_600 << 32;
    for (sent_id, two_byte) in [(3, false), (3, true), (100, true)] {
        let mut world = World::new();
        let mut call = call(&mut world, &[(ABS_CAPTURE_TIME, sent_id)], &[(ABS_CAPTURE_TIME, 5)]);
        for _ in 0..3 {
            world.run_for(1_000);
            let ntp = world.wall().wrapping_add_signed(HOUR);
            let timestamp = call.sender.timestamp;
            let report =
                Rtcp::SenderReport { ssrc: CAMERA, ntp, timestamp, packets: 1, bytes: 1, blocks: vec![] };
            call.sender.sends_rtcp(&mut world, &[report]);
        }
        for (given, expected) in [(0, HOUR), (-HOUR, 0), (HOUR, 2 * HOUR)] {
            let got = forwarded(&mut world, &mut call, &[(sent_id, &capture_time(given))], two_byte);
            let (time, offset) = got.extension(5).unwrap().split_at(8);
            assert_eq!(time, [9; 8]);
            let offset = i64::from_be_bytes(offset.try_into().unwrap());
            assert!((offset - expected).abs() < 100, "{offset} is not {expected}");
        }
    }
}

#[test]
fn clock_offset_of_a_capture_time_is_left_out_while_the_senders_clock_is_unknown() {
    for (sent_id, two_byte) in [(3, false), (3, true), (100, true)] {
        let mut world = World::new();
        let source = [(AUDIO_LEVEL, 2), (ABS_CAPTURE_TIME, sent_id), (TIME_OFFSET, 4)];
        let mut call = call(&mut world, &source, &[(ABS_CAPTURE_TIME, 5), (TIME_OFFSET, 6)]);
        let sent: [(u8, &[u8]); 3] = [(2, &[1]), (sent_id, &capture_time(77)), (4, &[7, 8, 9])];
        let got = forwarded(&mut world, &mut call, &sent, two_byte);
        assert_eq!(got.extension(5), Some(&[9; 8][..]));
        assert_eq!(got.extension(6), Some(&[7, 8, 9][..]), "its neighbour stays");
    }
}

#[test]
fn orientation_is_told_at_first_and_when_it_changes() {
    let mut world = World::new();
    let mut call = call(&mut world, &[(VIDEO_ORIENTATION, 4)], &[(VIDEO_ORIENTATION, 5)]);
    assert_eq!(turns(&mut world, &call), [], "nothing was said yet");
    let said: [(&[u8], Option<VideoOrientation>); 7] = [
        (&[0x00], Some(held(false, false, 0))),
        (&[0x00], None),
        (&[0x01], Some(held(false, false, 90))),
        (&[0xF1], None),
        (&[0x0E], Some(held(true, true, 180))),
        (&[0x03, 0x00], None),
        (&[0x03], Some(held(false, false, 270))),
    ];
    for (value, expected) in said {
        let got = forwarded(&mut world, &mut call, &[(4, value)], false);
        assert_eq!(got.extension(5), Some(value), "whatever it is, receivers get it");
        assert_eq!(turns(&mut world, &call), Vec::from_iter(expected), "{value:02x?}");
    }
    forwarded(&mut world, &mut call, &[], false);
    assert_eq!(turns(&mut world, &call), [], "a packet without one says nothing");
}

#[test]
fn packet_that_comes_late_does_not_turn_the_picture_back() {
    let mut world = World::new();
    let mut call = call(&mut world, &[(VIDEO_ORIENTATION, 4)], &[]);
    let mut packets = call.sender.frame(false, &[200, 200, 200]);
    for (packet, value) in packets.iter_mut().zip([0, 0, 1]) {
        packet.extensions = vec![(4, vec![value])];
    }
    packets.swap(1, 2);
    for packet in packets {
        call.sender.sends(&mut world, &[packet]);
    }
    assert_eq!(turns(&mut world, &call), [held(false, false, 0), held(false, false, 90)]);
}

#[test]
fn encodings_of_one_camera_that_turn_one_after_the_other_are_one_turn() {
    const OTHER: u32 = 0x2222;
    let mut world = World::new();
    let source = Stream::vp8(CAMERA).with_extensions(&[(VIDEO_ORIENTATION, 4)]);
    let other = Stream { ssrc: OTHER, ..source.clone() };
    let router = world.router();
    let plain = world.comedia(router);
    let producer = ProducerId(world.new_id());
    let mut produce = source.produce(plain.id, producer);
    if let Command::Produce { rtp_parameters, rtp_mapping, .. } = &mut produce {
        let encodings = [source.rtp_parameters().encodings, other.rtp_parameters().encodings];
        rtp_parameters.encodings = List::first_of(encodings.into_iter().flatten());
        let encodings = [source.rtp_mapping().encodings, other.rtp_mapping().encodings];
        rtp_mapping.encodings = List::first_of(encodings.into_iter().flatten());
    }
    world.request(produce).unwrap();
    let mut told = Vec::new();
    for (sequence, ssrc, value) in
        [(1, CAMERA, 0), (1, OTHER, 0), (2, CAMERA, 1), (2, OTHER, 0), (3, OTHER, 1)]
    {
        let mut sender = Sender::new(address(1, 4_000), plain.rtp, Stream { ssrc, ..source.clone() });
        sender.sequence = sequence;
        let mut packets = sender.frame(false, &[200]);
        packets[0].extensions = vec![(4, vec![value])];
        sender.sends(&mut world, &packets);
        let events = world.take_events().into_iter();
        told.extend(events.filter_map(|event| match event {
            Event::ProducerVideoOrientation { orientation, .. } => Some((ssrc, orientation.rotation)),
            _ => None,
        }));
    }
    assert_eq!(told, [(CAMERA, 0), (CAMERA, 90)]);
}

#[test]
fn orientation_of_a_paused_producer_is_told_and_of_one_that_did_not_announce_it_is_not() {
    for (announced, expected) in [(&[(VIDEO_ORIENTATION, 4)][..], 1), (&[], 0)] {
        let mut world = World::new();
        let mut call = call(&mut world, announced, &[]);
        world.done(Command::PauseProducer { producer: call.producer });
        let mut packets = call.sender.frame(false, &[200]);
        packets[0].extensions = vec![(4, vec![2])];
        call.sender.sends(&mut world, &packets);
        assert_eq!(turns(&mut world, &call).len(), expected);
    }
}
