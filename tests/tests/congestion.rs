//! What a sender is told about its sending: feedback by transport-wide number, and the limit of what a transport takes in.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::TransportId;
use tidegate_protocol::request::Command;
use tidegate_tests::fuzz::Dice;
use tidegate_tests::properties::wide_feedback::play;
use tidegate_tests::world::network::Direction;
use tidegate_tests::world::parameters::{Stream, TRANSPORT_WIDE_CC};
use tidegate_tests::world::path::Impairment;
use tidegate_tests::world::peer::{CONSUMED, Call, Sender};
use tidegate_tests::world::rtcp::Rtcp;
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::{Beginning, World};
use tidegate_worker::base::sequence::Serial16;
use tidegate_worker::base::time::Time;
use tidegate_worker::bwe::feedback::Arrivals;
use tidegate_worker::rtcp::{COMPOUND_BYTES_MAX, CompoundWriter};

const CAMERA: u32 = 0x1111;
const CAMERA_RTX: u32 = 0x1112;
const MICROPHONE: u32 = 0x2222;
/// Of the extension.
const WIDE: u8 = 5;

/// A sender that gives its packets transport-wide numbers.
struct Counting {
    sender: Sender,
    next: u16,
}

impl Counting {
    fn of(call: &Call) -> Self {
        Self { sender: call.sender.clone(), next: 65_530 }
    }

    /// The packet with the next number; in two-byte form at times.
    fn number(&mut self, packet: RtpPacket) -> RtpPacket {
        let number = self.next;
        self.next = number.wrapping_add(1);
        RtpPacket {
            extensions: vec![(WIDE, number.to_be_bytes().to_vec())],
            two_byte: number.is_multiple_of(3),
            ..packet
        }
    }

    fn sound(&mut self) -> RtpPacket {
        let packet = self.sender.sound();
        self.number(packet)
    }
}

/// A report: base, count, and what of it arrived.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    media: u32,
    count: u8,
    base: u16,
    arrivals: Vec<Option<u32>>,
}

fn told(sender: &Sender, world: &mut World) -> Vec<Told> {
    let heard = sender.hears(world).into_iter();
    let feedback = heard.filter_map(|packet| match packet {
        Rtcp::WideFeedback { sender, media, base, count, arrivals } => {
            assert_ne!(sender, 0);
            Some(Told { media, count, base, arrivals })
        }
        _ => None,
    });
    feedback.collect()
}

/// Bitrates and streams of the REMBs since the last time.
fn advised(sender: &Sender, world: &mut World) -> Vec<(u64, Vec<u32>)> {
    let heard = sender.hears(world).into_iter();
    let advice = heard.filter_map(|packet| match packet {
        Rtcp::Remb { bitrate, ssrcs, .. } => Some((bitrate, ssrcs)),
        _ => None,
    });
    advice.collect()
}

fn low(number: u64) -> u16 {
    u16::try_from(number & 0xFFFF).unwrap()
}

fn limit(world: &mut World, transport: TransportId, bitrate: u64) {
    world.done(Command::SetMaxIncomingBitrate { transport, bitrate });
}

#[test]
fn feedback_tells_when_the_kernel_received_each_packet_not_when_its_turn_came() {
    let batch_interval = Duration::from_millis(30);
    let mut world = World::from(Beginning { batch_interval, ..Beginning::default() });
    let call = Call::of(&mut world, &Stream::opus(MICROPHONE).with_transport_cc(WIDE));
    let mut counting = Counting::of(&call);
    // Nothing lands while packets are being sent: then the worker reads as its event loop would.
    let impairment = Impairment { delay: Duration::from_millis(50), ..Impairment::default() };
    world.network.impair(counting.sender.address, Direction::ToWorker, impairment);
    let mut arrivals = Vec::new();
    for (wait, lost) in [(7, false), (1, false), (5, true), (11, false), (0, false)] {
        let packet = counting.sound();
        let lands_at = world.now() + impairment.delay;
        arrivals.push((!lost).then(|| u32::try_from(lands_at.as_micros() / 250).unwrap()));
        if !lost {
            world.network.inject(counting.sender.address, counting.sender.to, packet.write());
        }
        world.run_for(wait);
    }
    world.run_for(250);
    let expected = Told { media: MICROPHONE, count: 0, base: 65_530, arrivals };
    assert_eq!(told(&counting.sender, &mut world), [expected]);
}

#[test]
fn feedback_comes_every_100_ms_while_packets_come_and_no_longer() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::opus(MICROPHONE).with_transport_cc(WIDE));
    let mut counting = Counting::of(&call);
    for _ in 0..100 {
        let packet = counting.sound();
        counting.sender.sends(&mut world, &[packet]);
        world.run_for(20);
    }
    world.run_for(200);
    let reports = told(&counting.sender, &mut world);
    assert!((19..=21).contains(&reports.len()), "{} in 2 s", reports.len());
    let mut next = 65_530_u16;
    for (index, report) in reports.iter().enumerate() {
        assert_eq!((usize::from(report.count), report.base), (index, next));
        assert!(report.arrivals.iter().all(Option::is_some) && report.arrivals.len() <= 7);
        next = next.wrapping_add(u16::try_from(report.arrivals.len()).unwrap());
    }
    assert_eq!(next, counting.next);
    world.run_for(5_000);
    assert_eq!(told(&counting.sender, &mut world), []);
}

#[test]
fn retransmissions_padding_and_unannounced_streams_count_too() {
    let mut world = World::new();
    let source = Stream::vp8(CAMERA).with_rtx(CAMERA_RTX).with_transport_cc(WIDE);
    let call = Call::of(&mut world, &source);
    let mut counting = Counting::of(&call);
    let key_frame = counting.sender.frame(true, &[600]).remove(0);
    let padding = RtpPacket { padding: 200, ..counting.sender.packet(Vec::new()) };
    let stray = RtpPacket { ssrc: 0xBAD, ..counting.sender.packet(vec![1; 20]) };
    let again = counting.sender.retransmission(&key_frame);
    let all = [key_frame, padding, stray, again].map(|packet| counting.number(packet));
    counting.sender.sends(&mut world, &all);
    world.run_for(120);
    let reports = told(&counting.sender, &mut world);
    assert_eq!(reports.len(), 1);
    assert!(reports[0].arrivals.len() == 4 && reports[0].arrivals.iter().all(Option::is_some), "{reports:?}");
    assert_eq!(reports[0].media, CAMERA_RTX, "the stream of the packet that came last");
    assert_eq!(world.transport_stats(call.inbound.id).dropped.unknown_ssrc, 1);
}

#[test]
fn feedback_needs_both_extension_and_feedback_negotiated() {
    let with = Stream::opus(MICROPHONE).with_transport_cc(WIDE);
    let without_feedback = Stream { transport_cc: false, ..with.clone() };
    let without_extension = Stream { extensions: Vec::new(), ..with };
    for stream in [without_feedback, without_extension] {
        let mut world = World::new();
        let call = Call::of(&mut world, &stream);
        let mut counting = Counting::of(&call);
        let packet = counting.sound();
        counting.sender.sends(&mut world, &[packet]);
        world.run_for(1_000);
        assert_eq!(told(&counting.sender, &mut world), []);
    }
}

#[test]
fn one_count_goes_over_all_producers_of_a_transport() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::opus(MICROPHONE).with_transport_cc(WIDE));
    // Negotiated the extension alone: its packets have numbers of the same count.
    let camera = Stream::vp8(CAMERA).with_extensions(&[(TRANSPORT_WIDE_CC, WIDE)]);
    world.produce(call.inbound.id, &camera);
    let mut counting = Counting::of(&call);
    let mut filming = Sender::new(counting.sender.address, counting.sender.to, camera);
    let frame = filming.frame(true, &[500, 500]);
    let packets =
        [counting.sound()].into_iter().chain(frame.into_iter().map(|packet| counting.number(packet)));
    let packets: Vec<_> = packets.collect();
    counting.sender.sends(&mut world, &packets);
    world.run_for(120);
    let reports = told(&counting.sender, &mut world);
    assert_eq!((reports.len(), reports[0].arrivals.len(), reports[0].media), (1, 3, CAMERA));
}

#[test]
fn a_limit_is_told_every_1500_ms_while_packets_come() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA).with_remb());
    call.sender.streams_for(&mut world, 100);
    call.sender.hears(&mut world);
    limit(&mut world, call.inbound.id, 1_000_000);
    assert_eq!(world.transport_stats(call.inbound.id).max_incoming_bitrate, 1_000_000);
    world.run_for(20);
    assert_eq!(advised(&call.sender, &mut world), [(1_000_000, vec![CAMERA])]);
    call.sender.streams_for(&mut world, 1_400);
    assert_eq!(advised(&call.sender, &mut world), []);
    call.sender.streams_for(&mut world, 4_500);
    assert_eq!(advised(&call.sender, &mut world).len(), 3);
    world.run_for(2_000);
    call.sender.hears(&mut world);
    world.run_for(10_000);
    assert_eq!(advised(&call.sender, &mut world), [], "nobody sends");
    call.sender.sends_frame(&mut world);
    world.run_for(20);
    assert_eq!(advised(&call.sender, &mut world).len(), 1);
}

#[test]
fn a_new_limit_is_not_told_sooner() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA).with_remb());
    call.sender.streams_for(&mut world, 100);
    for bitrate in [1_000_000, 2_000_000, 3_000_000] {
        limit(&mut world, call.inbound.id, bitrate);
        call.sender.streams_for(&mut world, 200);
    }
    assert_eq!(advised(&call.sender, &mut world).len(), 1);
    call.sender.streams_for(&mut world, 1_200);
    assert_eq!(advised(&call.sender, &mut world), [(3_000_000, vec![CAMERA])]);
}

#[test]
fn a_limit_that_is_gone_is_told_to_be_gone_four_times() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::vp8(CAMERA).with_remb());
    limit(&mut world, call.inbound.id, 0);
    call.sender.streams_for(&mut world, 2_000);
    assert_eq!(advised(&call.sender, &mut world), [], "there was none");
    limit(&mut world, call.inbound.id, 1_000_000);
    call.sender.streams_for(&mut world, 500);
    assert_eq!(advised(&call.sender, &mut world).len(), 1);
    limit(&mut world, call.inbound.id, 0);
    world.run_for(20);
    assert_eq!(advised(&call.sender, &mut world), [(0, vec![CAMERA])], "the first at once");
    call.sender.streams_for(&mut world, 20_000);
    assert_eq!(advised(&call.sender, &mut world), vec![(0, vec![CAMERA]); 3]);
    assert_eq!(world.transport_stats(call.inbound.id).max_incoming_bitrate, 0);
}

#[test]
fn a_limit_is_told_only_where_a_video_producer_negotiated_it() {
    for stream in [Stream::vp8(CAMERA), Stream::opus(MICROPHONE).with_remb()] {
        let mut world = World::new();
        let mut call = Call::of(&mut world, &stream);
        limit(&mut world, call.inbound.id, 10_000_000);
        call.sender.streams_for(&mut world, 2_000);
        limit(&mut world, call.inbound.id, 0);
        call.sender.streams_for(&mut world, 2_000);
        assert_eq!(advised(&call.sender, &mut world), []);
    }
}

/// Sends for a second 100 packets of video of 1,000 bytes, 800 kb/s with their headers and so a bit more, and 50 of audio.
fn flood(world: &mut World, camera: &mut Sender, microphone: &mut Sender) {
    for _ in 0..50 {
        let mut frame = camera.frame(false, &[988, 988]);
        frame.push(microphone.sound());
        camera.sends(world, &frame);
        world.run_for(20);
    }
}

#[test]
fn video_above_twice_the_limit_is_dropped_and_counted_and_audio_is_not() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let sound = Stream::opus(MICROPHONE);
    let speaker = world.produce(call.inbound.id, &sound);
    let (mut camera, mut microphone) =
        (call.sender.clone(), Sender::new(call.sender.address, call.sender.to, sound));
    limit(&mut world, call.inbound.id, 450_000);
    flood(&mut world, &mut camera, &mut microphone);
    flood(&mut world, &mut camera, &mut microphone);
    let dropped = |world: &mut World| world.transport_stats(call.inbound.id).dropped.over_limit;
    assert_eq!(dropped(&mut world), 0, "837 kb/s are less than twice 450");
    limit(&mut world, call.inbound.id, 200_000);
    flood(&mut world, &mut camera, &mut microphone);
    flood(&mut world, &mut camera, &mut microphone);
    flood(&mut world, &mut camera, &mut microphone);
    let (video, audio) = (world.producer_stats(call.producer), world.producer_stats(speaker));
    assert_eq!(audio.packet_count, 250);
    let of_600 = dropped(&mut world);
    // 400 kb/s less 37 of audio are 45 packets of video a second; the first second goes by in the shadow of the last.
    assert!((160..=255).contains(&of_600), "{of_600}");
    assert_eq!(video.packet_count + of_600, 500);
    assert_eq!(world.metric("dropped_over_limit"), of_600);
    limit(&mut world, call.inbound.id, 0);
    flood(&mut world, &mut camera, &mut microphone);
    assert_eq!(dropped(&mut world), of_600, "no limit any more");
}

#[test]
fn audio_is_dropped_when_there_is_too_much_of_it_alone() {
    let mut world = World::new();
    let mut call = Call::of(&mut world, &Stream::opus(MICROPHONE));
    limit(&mut world, call.inbound.id, 9_200);
    call.sender.streams_for(&mut world, 5_000);
    let taken = world.producer_stats(call.producer).packet_count;
    // 92 bytes a packet: 25 of 50 a second.
    assert!((120..=130).contains(&taken), "{taken}");
    assert_eq!(world.transport_stats(call.inbound.id).dropped.over_limit, 250 - taken);
}

#[test]
fn limits_that_cannot_be_are_refused() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::vp8(CAMERA));
    let transport = call.inbound.id;
    let too_much = Command::SetMaxIncomingBitrate { transport, bitrate: (1 << 63) - 1 };
    assert_eq!(world.refusal(too_much), ErrorKind::InvalidArgument);
    assert_eq!(world.transport_stats(transport).max_incoming_bitrate, 0);
    limit(&mut world, transport, (1 << 63) - 2);
    assert_eq!(world.transport_stats(transport).max_incoming_bitrate, (1 << 63) - 2);
    let nowhere = Command::SetMaxIncomingBitrate { transport: TransportId(999), bitrate: 1 };
    assert_eq!(world.refusal(nowhere), ErrorKind::NotFound);
}

#[test]
fn sent_packets_are_numbered_across_the_wrap_and_retransmissions_among_them() {
    let mut world = World::new();
    let source = Stream { nack: true, ..Stream::opus(MICROPHONE) };
    let extensions = [(TRANSPORT_WIDE_CC, WIDE)];
    let received = source.consumed_as(CONSUMED).with_rtx(CONSUMED + 7).with_extensions(&extensions);
    let mut call = Call::with(&mut world, &source, &received);
    let mut last: Option<u16> = None;
    let (mut wraps, mut retransmissions) = (0, 0);
    while wraps < 2 {
        let sounds: Vec<_> = (0..40).map(|_| call.sender.sound()).collect();
        call.sender.sends(&mut world, &sounds);
        let mut got = call.receiver.gets(&mut world);
        let numbers: Vec<_> = got.iter().step_by(10).map(|packet| packet.sequence).collect();
        call.receiver.nacks(&mut world, CONSUMED, &numbers);
        let again = call.receiver.gets(&mut world);
        assert!(again.iter().all(|packet| packet.ssrc == CONSUMED + 7));
        retransmissions += again.len();
        got.extend(again);
        for packet in got {
            let value = packet.extension(WIDE).expect("every packet has a number");
            let number = u16::from_be_bytes([value[0], value[1]]);
            assert!(last.is_none_or(|last| number == last.wrapping_add(1)), "{number} after {last:?}");
            wraps += u32::from(number == 0);
            last = Some(number);
        }
        world.run_for(20);
    }
    assert!(retransmissions > 1_000, "{retransmissions}");
}

#[test]
fn over_a_bad_path_all_that_the_worker_received_is_told_and_nothing_else() {
    let mut world = World::new();
    let call = Call::of(&mut world, &Stream::opus(MICROPHONE).with_transport_cc(WIDE));
    let mut counting = Counting::of(&call);
    let address = counting.sender.address;
    let impairment = Impairment {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(15),
        loss_permille: 60,
        reorder_permille: 50,
        reorder_by: Duration::from_millis(120),
        duplicate_permille: 30,
        ..Impairment::default()
    };
    world.network.impair(address, Direction::ToWorker, impairment);
    let (mut sent_at, mut last_told) = (Vec::new(), BTreeMap::new());
    let (mut next_count, mut newest) = (0_u8, u64::from(counting.next));
    for index in 0..=3_000 {
        if index < 3_000 {
            sent_at.push(world.now());
            let packet = counting.sound();
            world.network.inject(address, counting.sender.to, packet.write());
        }
        world.run_for(if index < 3_000 { 5 } else { 500 });
        for report in told(&counting.sender, &mut world) {
            assert_eq!(report.count, next_count);
            next_count = next_count.wrapping_add(1);
            let ahead = report.base.wrapping_sub(low(newest)).cast_signed();
            let base = newest.saturating_add_signed(i64::from(ahead));
            for (number, arrival) in (base..).zip(report.arrivals) {
                newest = newest.max(number);
                last_told.insert(number, arrival);
            }
        }
    }
    let stats = world.network.path_stats(address, Direction::ToWorker);
    assert!(stats.lost > 100 && stats.reordered > 100 && stats.duplicated > 50, "{stats:?}");
    let arrived: Vec<_> = last_told.iter().filter_map(|(number, tick)| Some((*number, (*tick)?))).collect();
    assert_eq!(arrived.len() as u64, stats.carried, "{stats:?}");
    for (number, tick) in arrived {
        let sent = sent_at[usize::try_from(number).unwrap() - 65_530];
        let took = u64::from(tick) * 250 - sent.as_micros();
        assert!((19_900..160_000).contains(&took), "{number} took {took} us");
    }
}

#[test]
fn what_is_told_is_what_arrived_over_many_wraps_with_loss_reordering_and_duplicates() {
    let mut all = Vec::new();
    for seed in 0..4 {
        let played = play(&mut Dice::new(seed, 0), 40_000);
        assert!(played.wraps >= 5, "{played:?}");
        assert!(played.arrived * 10 > played.numbers * 7 && played.arrived < played.numbers, "{played:?}");
        assert!(played.late > 500 && played.packets > 1_000, "{played:?}");
        all.push(played);
    }
    println!("{all:?}");
}

#[test]
fn arrivals_and_their_reports_allocate_nothing_in_steady_state() {
    let mut arrivals = Arrivals::new();
    let mut number = 0_u16;
    let mut second = |from_ms: u64| {
        let mut bytes = [0; COMPOUND_BYTES_MAX];
        let mut reports = 0;
        for at in (from_ms..from_ms + 1_000).step_by(2) {
            // One of eight is lost, or late.
            let is_late = number % 16 == 8;
            if !number.is_multiple_of(8) {
                arrivals.on_packet(Serial16::new(number), Time::from_millis(at));
            }
            if is_late && number > 100 {
                arrivals.on_packet(Serial16::new(number - 16), Time::from_millis(at));
            }
            number = number.wrapping_add(1);
            if at.is_multiple_of(100) {
                let mut compound = CompoundWriter::new(&mut bytes);
                while arrivals.write_next(&mut compound, 1, 2) {
                    compound.clear();
                    reports += 1;
                }
                arrivals.forget(Time::from_millis(at));
            }
        }
        reports
    };
    second(1_000);
    let mut reports = 0;
    let counted = allocation_counter::measure(|| {
        reports = (2..200).map(|at| second(1_000 * at)).sum();
    });
    assert!(reports >= 1_980, "{reports}");
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
