//! WebRTC transports and servers in a simulated world: ICE, DTLS and SRTP together, from creation to the end.
//!
//! The engines have tests of their own; here it is what the worker makes of them.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

mod ice;
mod life;
mod refusals;
mod server;

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{RouterId, TransportId};
use tidegate_protocol::webrtc::{DtlsState, IceState};
use tidegate_tests::world::World;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Sender, address};
use tidegate_tests::world::webrtc::{WebRtcPeer, own_port};

/// A camera and a player, both of WebRTC.
struct Room {
    router: RouterId,
    camera: WebRtcPeer,
    sender: Sender,
    player: WebRtcPeer,
}

impl Room {
    fn new(world: &mut World) -> Self {
        let router = world.router();
        let camera = world.webrtc_pair(router, address(1, 4_000), &own_port());
        let player = world.webrtc_pair(router, address(2, 5_000), &own_port());
        Self::of(world, router, camera, player)
    }

    fn of(world: &mut World, router: RouterId, camera: WebRtcPeer, player: WebRtcPeer) -> Self {
        let stream = Stream::vp8(CAMERA);
        let producer = world.produce(camera.transport, &stream);
        let received = stream.consumed_as(CONSUMED);
        world.consume(player.transport, producer, &stream, &received);
        let sender = Sender::new(camera.address, camera.to, stream);
        Self { router, camera, sender, player }
    }

    /// The camera sends a frame of two packets; how many of them the player gets.
    fn passes_frame(&mut self, world: &mut World, is_key: bool) -> usize {
        let packets = self.sender.frame(is_key, &[1_000, 400]);
        self.camera.plays_packets(world, &packets);
        self.player.hears(world);
        std::mem::take(&mut self.player.packets).len()
    }
}

/// ICE and DTLS of a transport, as events told them since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Ice(IceState),
    /// From this port of the peer's.
    Way(u16),
    Dtls(DtlsState),
}

fn told(world: &mut World, of: TransportId) -> Vec<Told> {
    let events = world.take_events().into_iter();
    let told = events.filter_map(|event| match event {
        Event::IceState { transport, state } if transport == of => Some(Told::Ice(state)),
        Event::IceSelectedTuple { transport, tuple } if transport == of => {
            Some(Told::Way(tuple.remote_port.expect("a peer's port")))
        }
        Event::DtlsState { transport, state, .. } if transport == of => Some(Told::Dtls(state)),
        _ => None,
    });
    told.collect()
}

const CAMERA: u32 = 0x1111;
