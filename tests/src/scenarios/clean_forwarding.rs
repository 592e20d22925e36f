//! Clean forwarding: nothing is lost on the way, so everything arrives, once, in order and as it was.
//!
//! Knows the bed's peers. The seed chooses how many rooms, sources and receivers there are, where numbers begin, and how
//! far away everybody is.

use std::time::Duration;

use tidegate_worker::random::Random;

use super::{Scenario, Tally};
use crate::world::network::Direction;
use crate::world::parameters::Stream;
use crate::world::path::Impairment;
use crate::world::peer::address;
use crate::world::sink::SinkOptions;
use crate::world::source::SourceOptions;
use crate::world::{Beginning, World, seed_bytes};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "clean_forwarding",
    proves: "over a clean network every consumer gets every packet once, in order and with its payload",
    run,
};

fn run(seed: u64) -> Tally {
    let mut random = Random::from_seed(seed_bytes(seed));
    let batch_interval = Duration::from_micros(random.in_range(0, 1_000).into());
    let mut world = World::from(Beginning { batch_interval, ..Beginning::of(seed) });
    for direction in Direction::BOTH {
        let delay = Duration::from_micros(random.in_range(0, 80_000).into());
        world.network.impair_all(direction, Impairment { delay, ..Impairment::default() });
    }
    let router = world.router();
    let mut sinks = Vec::new();
    for host in 0..random.in_range(1, 4) {
        let host = u8::try_from(host).expect("few hosts");
        let camera = Stream::vp8(0x1000 + u32::from(host));
        let camera = SourceOptions::camera(camera, address(1 + host, 4_000)).starting_anywhere(&mut random);
        let microphone = Stream::opus(0x2000 + u32::from(host));
        let microphone =
            SourceOptions::microphone(microphone, address(1 + host, 4_001)).starting_anywhere(&mut random);
        for source in [camera, microphone] {
            let received = source.stream.consumed_as(source.stream.ssrc | 0xC000_0000);
            let port = if received.clock_rate == 90_000 { 5_000 } else { 6_000 };
            let origin = world.originate(router, source);
            for player in 0..random.in_range(1, 10) {
                let at = address(100 + u8::try_from(player).expect("few players"), port + u16::from(host));
                let options = SinkOptions::new(received.clone(), at);
                sinks.push(world.watch(router, &origin, options).sink);
            }
        }
    }
    world.run_for(10_000);
    world.settle();
    for sink in sinks {
        world.assert_complete(sink);
        let stats = world.sink(sink).stats();
        assert_eq!((stats.duplicates, stats.nacked, stats.repaired), (0, 0, 0), "{stats:?}");
        assert!(stats.frames_shown > 250 && stats.frames_skipped == 0, "{stats:?}");
        assert!(stats.sender_reports > 5, "{stats:?}");
    }
    world.finish()
}
