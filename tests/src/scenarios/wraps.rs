//! Numbers and timestamps go over their edges, several times, and nobody notices.
//!
//! Two stories. Over bad paths, a camera and a microphone begin just before the edge of everything that wraps: sequence
//! numbers, those of retransmissions, timestamps. And over weeks of virtual time a stream of some clock rate speaks for a
//! few seconds at a time, with holes in its numbers, so that numbers, timestamps, compact NTP times and in some seeds
//! NTP's era itself wrap; what arrives and what reports say is compared with a model that does not wrap.

mod sparse;

use std::time::Duration;

use super::draw::Draw;
use super::{Scenario, Tally};
use crate::world::network::Direction;
use crate::world::parameters::Stream;
use crate::world::path::Impairment;
use crate::world::peer::address;
use crate::world::sink::SinkOptions;
use crate::world::source::SourceOptions;
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "wraps",
    proves: "sequence numbers, timestamps and clocks go over their edges, and media and reports stay right",
    run,
};

fn run(seed: u64) -> Tally {
    let mut tally = crosses_every_edge(seed);
    tally += sparse::speaks_for_weeks(seed);
    tally
}

/// Everything wraps within a second or two, while packets are lost, overtake one another and come twice.
fn crosses_every_edge(seed: u64) -> Tally {
    let mut draw = Draw::of(seed);
    let mut world = World::from(Beginning::of(seed));
    let path = Impairment {
        delay: Duration::from_millis(draw.millis(1, 20)),
        jitter: Duration::from_millis(draw.millis(0, 3)),
        loss_permille: draw.between(0, 60),
        reorder_permille: draw.between(10, 60),
        reorder_by: Duration::from_millis(draw.millis(1, 6)),
        duplicate_permille: draw.between(0, 20),
        ..Impairment::default()
    };
    Direction::BOTH.into_iter().for_each(|way| world.network.impair_all(way, path));
    let router = world.router();
    let mut sinks = Vec::new();
    let sound = Stream { nack: true, ..Stream::opus(0x2000) };
    let camera = SourceOptions::camera(Stream::vp8(0x1000).with_rtx(0x1001), address(1, 4_000));
    let microphone = SourceOptions::microphone(sound.with_rtx(0x2001), address(1, 4_001));
    for options in [camera, microphone] {
        let rate = options.stream.clock_rate;
        let options = SourceOptions {
            first_sequence: 0u16.wrapping_sub(u16::try_from(draw.between(0, 120)).expect("few")),
            first_rtx_sequence: 0u16.wrapping_sub(u16::try_from(draw.between(0, 10)).expect("few")),
            first_timestamp: 0u32.wrapping_sub(draw.between(0, rate * 2)),
            ..options
        };
        let received = options.stream.consumed_as(options.stream.ssrc | 0xC000_0000);
        let received = received.clone().with_rtx(received.ssrc | 1);
        let port = 5_000 + u16::try_from(options.stream.ssrc >> 12).expect("small");
        let origin = world.originate(router, options);
        for host in 0..u8::try_from(draw.between(1, 3)).expect("few") {
            let sink = SinkOptions::new(received.clone(), address(100 + host, port));
            sinks.push(world.watch(router, &origin, sink).sink);
        }
    }
    world.run_for(3_500);
    world.settle();
    for sink in sinks {
        let stats = world.sink(sink).stats();
        assert_eq!((stats.missing, stats.resyncs, stats.unrecorded), (0, 0, 0), "{stats:?}");
        assert!(stats.given_up <= 1, "{stats:?}");
        if stats.given_up == 0 {
            world.assert_complete(sink);
        }
    }
    world.finish()
}
