//! Clean forwarding: nothing is lost on the way, so everything arrives, once, in order and as it was.
//!
//! Knows the bed's peers. The seed chooses how many receivers there are, when they join and how large frames are.

use tidegate_worker::random::Random;

use super::{Scenario, Tally};
use crate::world::parameters::Stream;
use crate::world::peer::Call;
use crate::world::{Beginning, World, seed_bytes};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "clean_forwarding",
    proves: "over a clean network every consumer gets every packet once, in order and with its payload",
    run,
};

fn run(seed: u64) -> Tally {
    let mut random = Random::from_seed(seed_bytes(seed));
    let mut world = World::from(Beginning::of(seed));
    let mut call = Call::of(&mut world, &Stream::vp8(random.next_u32()));
    call.sender.sequence = u16::try_from(random.in_range(0, 65_535)).expect("in range");
    for frame in 0..300 {
        let sizes: Vec<usize> =
            (0..random.in_range(1, 12)).map(|_| random.in_range(50, 1_150) as usize).collect();
        let sent = call.sender.sends_frame_of(&mut world, frame % 60 == 0, &sizes);
        let got = call.receiver.gets(&mut world);
        let payloads = |packets: &[crate::world::rtp::RtpPacket]| {
            packets.iter().map(|packet| packet.payload.clone()).collect::<Vec<_>>()
        };
        assert_eq!(payloads(&sent), payloads(&got), "frame {frame}");
        world.run_for(33);
    }
    world.finish()
}
