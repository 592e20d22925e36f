//! The bed itself: autonomous peers over bad networks, and what it makes of wrong workers.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::time::Duration;

use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::RouterId;
use tidegate_protocol::message::FromWorker;
use tidegate_protocol::request::Command;
use tidegate_tests::scenarios::{Scenario, runner};
use tidegate_tests::world::network::{Direction, Tamper};
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::path::{Bursts, Impairment};
use tidegate_tests::world::peer::address;
use tidegate_tests::world::run::{Origin, Watch};
use tidegate_tests::world::sink::SinkOptions;
use tidegate_tests::world::source::SourceOptions;
use tidegate_tests::world::{Beginning, World};

const CAMERA: u32 = 0x1111;
const PLAYER: u32 = 0xC000_0001;

/// A camera and a player in one room.
fn call(world: &mut World, source: Stream, received: Stream) -> (Origin, Watch) {
    let router = world.router();
    let origin = world.originate(router, SourceOptions::camera(source, address(1, 4_000)));
    let watch = world.watch(router, &origin, SinkOptions::new(received, address(2, 5_000)));
    (origin, watch)
}

/// Loss, delay and everything else, on both ways.
fn bad() -> Impairment {
    Impairment {
        delay: Duration::from_millis(15),
        jitter: Duration::from_millis(4),
        loss_permille: 30,
        bursts: Some(Bursts { begin_permille: 5, end_permille: 300, loss_permille: 800 }),
        reorder_permille: 20,
        reorder_by: Duration::from_millis(6),
        duplicate_permille: 20,
        bottleneck: None,
    }
}

#[test]
fn everything_lost_on_bad_paths_is_repaired_with_and_without_rtx() {
    for (seed, rtx) in [(1, (false, false)), (2, (true, true)), (3, (true, false)), (4, (false, true))] {
        let mut world = World::from(Beginning::of(seed));
        Direction::BOTH.into_iter().for_each(|way| world.network.impair_all(way, bad()));
        let mut source = Stream::vp8(CAMERA);
        if rtx.0 {
            source = source.with_rtx(CAMERA + 1);
        }
        let mut received = source.consumed_as(PLAYER);
        if rtx.1 {
            received = received.with_rtx(PLAYER + 1);
        }
        let (origin, watch) = call(&mut world, source, received);
        world.run_for(20_000);
        world.settle();
        let stats = world.sink(watch.sink).stats();
        let path = world.network.path_stats(address(2, 5_000), Direction::ToPeer);
        assert!(path.lost > 40 && path.lost_in_bursts > 20 && path.duplicated > 20 && path.reordered > 20);
        assert!(stats.repaired > 60 && stats.frames_shown > 400, "{rtx:?} {stats:?} {path:?}");
        assert!(stats.given_up < 10, "{rtx:?} {stats:?}");
        let sent = world.source(origin.source).stats();
        assert!(sent.retransmissions > 60 && sent.round_trip.is_some(), "{rtx:?} {sent:?}");
    }
}

/// What peers say about a worker whose datagrams are changed like this after a second.
fn complaint_about(tamper: Tamper) -> String {
    let wrong_worker = Scenario {
        name: "wrong_worker",
        proves: "what peers notice",
        run: |seed| {
            let mut world = World::from(Beginning::of(1));
            let losing = Impairment { loss_permille: 20, ..Impairment::default() };
            world.network.impair_all(Direction::ToWorker, losing);
            let source = Stream::vp8(CAMERA);
            let received = source.consumed_as(PLAYER);
            call(&mut world, source, received);
            world.run_for(1_000);
            if let Some(tamper) = usize::try_from(seed).ok().and_then(|place| TAMPERS.get(place)) {
                world.network.tamper(*tamper);
            }
            world.run_for(3_000);
            world.finish()
        },
    };
    let place = TAMPERS.iter().position(|known| std::ptr::fn_addr_eq(*known, tamper)).expect("listed");
    runner::run(&wrong_worker, place as u64).expect_err("peers notice").message
}

/// Media packets are those of payload type 101.
fn is_media(datagram: &[u8]) -> bool {
    datagram[1] & 0x7F == 101
}

const TAMPERS: [Tamper; 9] =
    [payload, marker, number, timestamp, twice, from_the_past, nack, last_sr, sender_report];

fn payload(n: u64, datagram: &mut [u8]) -> usize {
    if is_media(datagram) && n.is_multiple_of(50) {
        *datagram.last_mut().expect("a payload") ^= 1;
    }
    1
}

fn marker(n: u64, datagram: &mut [u8]) -> usize {
    if is_media(datagram) && n.is_multiple_of(50) {
        datagram[1] ^= 0x80;
    }
    1
}

/// A hole that nobody made: every number is one more.
fn number(_: u64, datagram: &mut [u8]) -> usize {
    if is_media(datagram) {
        datagram[3] = datagram[3].wrapping_add(1);
    }
    1
}

fn timestamp(_: u64, datagram: &mut [u8]) -> usize {
    if is_media(datagram) {
        datagram[6] ^= 1;
    }
    1
}

fn twice(n: u64, datagram: &mut [u8]) -> usize {
    if is_media(datagram) && n.is_multiple_of(50) { 2 } else { 1 }
}

/// The number of a packet that was lost long ago, or of none.
fn from_the_past(n: u64, datagram: &mut [u8]) -> usize {
    if is_media(datagram) && n.is_multiple_of(50) {
        datagram[2] = datagram[2].wrapping_sub(1);
    }
    1
}

/// Asks for a packet that has long been there.
fn nack(_: u64, datagram: &mut [u8]) -> usize {
    if datagram[1] == 205 {
        let asked = u16::from_be_bytes([datagram[12], datagram[13]]).wrapping_sub(40);
        datagram[12..14].copy_from_slice(&asked.to_be_bytes());
    }
    1
}

fn last_sr(_: u64, datagram: &mut [u8]) -> usize {
    if datagram[1] == 201 {
        datagram[24] ^= 1;
    }
    1
}

/// Three seconds off on the media clock.
fn sender_report(_: u64, datagram: &mut [u8]) -> usize {
    if datagram[1] == 200 {
        let timestamp = u32::from_be_bytes([datagram[16], datagram[17], datagram[18], datagram[19]]);
        datagram[16..20].copy_from_slice(&timestamp.wrapping_sub(270_000).to_be_bytes());
    }
    1
}

#[test]
fn peers_notice_whatever_a_worker_does_wrong() {
    let expected: [(Tamper, &str); 9] = [
        (payload, "was changed"),
        (marker, "marker of"),
        (number, "does not follow"),
        (timestamp, "timestamp of"),
        (twice, "came 2 times"),
        (from_the_past, "does not follow"),
        (nack, "asks for what it has"),
        (last_sr, "LSR is of no report"),
        (sender_report, "a report is 3"),
    ];
    for (tamper, complaint) in expected {
        let said = complaint_about(tamper);
        assert!(said.contains(complaint), "{complaint}: {said}");
    }
}

#[test]
fn same_seed_gives_the_same_world() {
    let run = |seed| {
        let mut world = World::from(Beginning::of(seed));
        Direction::BOTH.into_iter().for_each(|way| world.network.impair_all(way, bad()));
        let source = Stream::vp8(CAMERA).with_rtx(CAMERA + 1);
        let received = source.consumed_as(PLAYER).with_rtx(PLAYER + 1);
        let (origin, watch) = call(&mut world, source, received);
        world.run_for(5_000);
        (world.sink(watch.sink).stats(), world.source(origin.source).stats(), world.finish())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn requests_pass_over_a_pipe_in_pieces_as_they_do_directly() {
    let mut turns = Vec::new();
    for pipe in [false, true] {
        let mut world = World::from(Beginning { pipe, ..Beginning::of(5) });
        let source = Stream::vp8(CAMERA).with_rtx(CAMERA + 1);
        let received = source.consumed_as(PLAYER);
        let (origin, watch) = call(&mut world, source, received);
        world.run_for(2_000);
        let sent = world.source(origin.source).stats().packets;
        assert_eq!(world.producer_stats(origin.producer).packet_count, u64::from(sent));
        world.done(Command::PauseConsumer { consumer: watch.consumer });
        let said = world.requests([Command::DumpWorker, Command::GetMetrics, Command::DumpWorker]);
        let answers =
            said.iter().filter(|message| matches!(message, FromWorker::Response { result: Ok(_), .. }));
        assert_eq!(answers.count(), 3);
        assert_eq!(world.refusal(Command::CloseRouter { router: RouterId(99) }), ErrorKind::NotFound);
        world.done(Command::CloseProducer { producer: origin.producer });
        let closed = Event::ConsumerProducerClosed { consumer: watch.consumer };
        assert!(world.take_events().contains(&closed));
        turns.push(world.finish().turns);
    }
    assert!(turns[1] > turns[0] + 20, "a request takes several turns over a pipe: {turns:?}");
}

#[test]
fn a_player_that_cannot_go_on_asks_for_a_key_frame_and_gets_one() {
    for (pli, fir) in [(true, false), (false, true)] {
        let mut world = World::from(Beginning::of(9));
        let source = Stream { pli, fir, ..Stream::vp8(CAMERA) }.without_nack();
        let received = source.consumed_as(PLAYER);
        let (origin, watch) = call(&mut world, source, received);
        world.run_for(2_000);
        let player = address(2, 5_000);
        let all = Impairment { loss_permille: 1_000, ..Impairment::default() };
        world.network.impair(player, Direction::ToPeer, all);
        world.run_for(100);
        world.network.impair(player, Direction::ToPeer, Impairment::default());
        world.run_for(4_000);
        let (stats, sent) = (world.sink(watch.sink).stats(), world.source(origin.source).stats());
        assert_eq!((stats.key_frame_requests, stats.nacked), (1, 0), "{stats:?}");
        assert_eq!((sent.key_frames, sent.plis, sent.firs), (2, u64::from(pli), u64::from(fir)), "{sent:?}");
        assert!(stats.frames_shown > 140 && (20..60).contains(&stats.frames_skipped), "{stats:?}");
    }
}

#[test]
fn pauses_and_restarts_are_followed_without_a_wrong_number() {
    let mut world = World::from(Beginning::of(10));
    let source = Stream::vp8(CAMERA);
    let received = source.consumed_as(PLAYER);
    let (origin, watch) = call(&mut world, source, received);
    world.run_for(1_000);
    world.sink_mut(watch.sink).expect_resync();
    world.done(Command::PauseConsumer { consumer: watch.consumer });
    world.run_for(500);
    world.done(Command::ResumeConsumer { consumer: watch.consumer });
    world.run_for(1_000);
    assert_eq!(world.sink(watch.sink).stats().resyncs, 1);
    world.sink_mut(watch.sink).expect_resync();
    let now = world.now();
    world.source_mut(origin.source).restart(65_500, 7, now);
    world.run_for(1_000);
    let stats = world.sink(watch.sink).stats();
    assert_eq!((stats.resyncs, stats.given_up, stats.missing), (2, 0, 0), "{stats:?}");
    assert!(stats.frames_shown > 75, "{stats:?}");
}

#[test]
fn a_player_notices_what_is_older_than_its_joining() {
    let too_early = Scenario {
        name: "too_early",
        proves: "what a player notices",
        run: |seed| {
            let mut world = World::from(Beginning::of(seed));
            let slow = Impairment { delay: Duration::from_millis(50), ..Impairment::default() };
            world.network.impair_all(Direction::ToPeer, slow);
            let source = Stream::vp8(CAMERA);
            let received = source.consumed_as(PLAYER);
            let (origin, watch) = call(&mut world, source, received.clone());
            world.run_for(1_000);
            // Its packets of the last 50 ms are on their way: to one who joined only now they are too old.
            world.sink_mut(watch.sink).vanish();
            let options = SinkOptions::new(received, address(2, 5_000));
            world.add_sink(options, watch.transport, origin.source);
            world.run_for(100);
            world.finish()
        },
    };
    let failure = runner::run(&too_early, 1).expect_err("a player notices");
    assert!(failure.message.contains("came before the consumer joined"), "{failure}");
    assert!(failure.step.is_some_and(|(_, at_ms)| (1_000..1_050).contains(&at_ms)), "{failure}");
}
