//! The bed itself: autonomous peers over bad networks, and what it makes of wrong workers.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::time::Duration;

use tidegate_tests::world::network::Direction;
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
