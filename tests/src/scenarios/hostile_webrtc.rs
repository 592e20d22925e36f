//! Rooms on a WebRTC server whose port anybody can reach: whatever comes there, peers in good standing notice nothing.
//!
//! A camera sends to viewers, each a peer with ICE, DTLS and SRTP on one server. The same port gets what `attacks` draws, from
//! strangers, over TCP, and as if from the peers' own addresses: requests without the password, damaged and replayed
//! datagrams of every kind, ClientHellos, goodbyes, media under no key. The attacker has transports of its own: one is
//! connected, one whose host says nothing, one whose handshake is awaited. Each seed is told twice, once with the attacker
//! silent; what viewers get must be the same at the same moments. All that is thrown is counted as dropped, logs and memory
//! do not grow with it, and somebody new still comes in.

mod attacks;

use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_protocol::bounded::List;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::message::{LogLevel, LogTag};
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::{ListenPort, Protocol};
use tidegate_protocol::webrtc::{DtlsRole, DtlsState, IceState, WebRtcListen};
use tidegate_worker::dtls::{Context, Role, Version};

use self::attacks::{Attacker, Known};
use super::draw::Draw;
use super::{Scenario, Tally};
use crate::world::parameters::Stream;
use crate::world::peer::{Sender, address};
use crate::world::rtcp::{Rtcp, write};
use crate::world::rtp::RtpPacket;
use crate::world::webrtc::{Nomination, WebRtc, WebRtcPeer, context, on_loopback, webrtc_options};
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "hostile_webrtc",
    proves: "whatever comes to a WebRTC server's port, its peers get the same at the same moments; it is dropped and counted",
    run,
};

/// A server, and what its peers have.
struct House {
    router: RouterId,
    server: WebRtcServerId,
    contexts: [Arc<Context>; 2],
}

struct Room {
    world: World,
    draw: Draw,
    house: House,
    camera: WebRtcPeer,
    senders: [Sender; 2],
    viewers: Vec<WebRtcPeer>,
    /// What came, and when.
    got: Vec<Vec<(u64, RtpPacket)>>,
    /// The attacker's own transports.
    hostile: Vec<TransportId>,
    known: Known,
    attacker: Option<Attacker>,
    thrown: u64,
    /// What was thrown as DTLS by a way that is proven: an engine sees it, and nobody counts.
    seen_by_dtls: u64,
    log_lines: usize,
    packets_max: usize,
}

fn run(seed: u64) -> Tally {
    let mut calm = Room::opens(seed, None);
    calm.lives();
    let mut stormy = Room::opens(seed, Some(Attacker::of(seed)));
    stormy.lives();
    assert_eq!(calm.got, stormy.got, "what viewers got, without and with an attacker");
    assert!(calm.got.iter().all(|got| got.len() > 50), "nothing came");
    let tried = stormy.attacker.as_ref().map(|attacker| attacker.tried);
    assert!(tried.is_some_and(|tried| tried.iter().all(|times| *times > 0)), "not all was tried: {tried:?}");
    assert!(stormy.log_lines < LOG_LINES_MAX, "{} lines of {} datagrams", stormy.log_lines, stormy.thrown);
    let (most, without) = (stormy.packets_max, calm.packets_max);
    assert!(most <= without, "{most} packets were held, {without} without an attacker");
    stormy.somebody_new_comes_in();
    let mut tally = calm.world.finish();
    tally += stormy.world.finish();
    tally
}

impl House {
    fn opens(world: &mut World) -> Self {
        let router = world.router();
        let both = [Protocol::Udp, Protocol::Tcp].map(|protocol| on_loopback(protocol, ListenPort::Any));
        let server = world.webrtc_server(&both);
        Self { router, server, contexts: [context(Version::Dtls12), context(Version::Dtls13)] }
    }

    fn told(&self, world: &mut World) -> WebRtc {
        world.webrtc_transport(self.router, &webrtc_options(WebRtcListen::Server(self.server)))
    }

    /// Somebody with one version of DTLS or the other.
    fn joins(&self, world: &mut World, draw: &mut Draw, at: SocketAddr) -> (WebRtc, WebRtcPeer) {
        let told = self.told(world);
        let mut peer = WebRtcPeer::new(world, &told, at, &self.contexts[draw.index(2)]);
        world.connect_webrtc(&peer, DtlsRole::Client);
        peer.joins(world);
        (told, peer)
    }

    /// One is connected, of one the host says nothing, and one's handshake is awaited.
    fn takes_the_attacker_in(&self, world: &mut World, draw: &mut Draw) -> [WebRtcPeer; 3] {
        let (_, connected) = self.joins(world, draw, address(66, 6_000));
        let [unknown, awaited] = [6_001, 6_002].map(|port| {
            let told = self.told(world);
            let mut peer = WebRtcPeer::new(world, &told, address(66, port), &self.contexts[1]);
            assert_eq!(peer.checks(world, Nomination::Usual).expect("an answer").error, None);
            peer
        });
        world.connect_webrtc(&awaited, DtlsRole::Client);
        [connected, unknown, awaited]
    }
}

impl Room {
    fn opens(seed: u64, attacker: Option<Attacker>) -> Self {
        let mut draw = Draw::of(seed);
        let mut world = World::from(Beginning::of(seed));
        if draw.chance(500) {
            let log_tags = Some(List::first_of(LogTag::ALL));
            world.done(Command::UpdateSettings { log_level: Some(LogLevel::Debug), log_tags });
        }
        let house = House::opens(&mut world);
        let (told, camera) = house.joins(&mut world, &mut draw, address(1, 4_000));
        let streams = [Stream::vp8(VIDEO), Stream::opus(SOUND)];
        let producers = streams.each_ref().map(|stream| world.produce(camera.transport, stream));
        let senders = streams.clone().map(|stream| Sender::new(camera.address, camera.to, stream));
        let mut fragments = vec![fragment(&told)];
        let mut viewers = Vec::new();
        for host in 0..u8::try_from(draw.between(1, 3)).expect("few") {
            let (told, viewer) = house.joins(&mut world, &mut draw, address(20 + host, 5_000));
            for ((stream, producer), ssrc) in streams.iter().zip(producers).zip([0xC000_0000, 0xC000_0004]) {
                world.consume(viewer.transport, producer, stream, &stream.consumed_as(ssrc));
            }
            fragments.push(fragment(&told));
            viewers.push(viewer);
        }
        let hostile = house.takes_the_attacker_in(&mut world, &mut draw);
        let proven = std::iter::once(&camera).chain(&viewers).chain(&hostile);
        let proven = proven.map(|peer| peer.address).collect();
        let known = Known::of(&mut world, told, house.contexts.clone(), fragments, proven);
        world.take_events();
        Self {
            hostile: hostile.iter().map(|peer| peer.transport).collect(),
            got: vec![Vec::new(); viewers.len()],
            world,
            draw,
            house,
            camera,
            senders,
            viewers,
            known,
            attacker,
            thrown: 0,
            seen_by_dtls: 0,
            log_lines: 0,
            packets_max: 0,
        }
    }

    fn lives(&mut self) {
        let (before, way) = (self.dropped(), self.ways());
        for tick in 0..TICKS {
            self.requests_pass_by();
            if tick.is_multiple_of(2) {
                self.attack();
            }
            self.media_flows(tick);
            if !tick.is_multiple_of(2) {
                self.attack();
            }
            self.world.receive();
            self.listen();
            self.world.run_for(TICK_MS);
            self.listen();
            self.packets_max = self.packets_max.max(self.world.packets_in_use());
        }
        let (dropped, counted) = (self.dropped() - before, self.thrown - self.seen_by_dtls);
        assert_eq!(dropped, counted, "what was counted as dropped, and what was thrown");
        assert_eq!(self.ways(), way, "ways and states of peers in good standing");
        self.world.audit();
    }

    /// Checks of the camera's own, which the attacker sees. The viewers' consent goes on for thirty seconds.
    fn requests_pass_by(&mut self) {
        let request = self.camera.request(Nomination::Usual);
        self.known.requests.push(request.clone());
        self.known.now = self.world.now();
        self.world.network.inject(self.camera.address, self.camera.to, request);
    }

    fn attack(&mut self) {
        let Some(attacker) = &mut self.attacker else { return };
        for shot in attacker.attacks(&mut self.known) {
            self.thrown += 1;
            let is_dtls = matches!(shot.bytes.first(), Some(20..=63));
            self.seen_by_dtls += u64::from(is_dtls && self.known.proven.contains(&shot.from));
            self.world.network.inject(shot.from, shot.to, shot.bytes);
        }
    }

    /// Sound, frames in two of three ticks, and a report now and then.
    fn media_flows(&mut self, tick: u64) {
        let mut plain = vec![self.senders[1].sound().write()];
        if tick % 3 != 2 {
            let sizes = self.draw.sizes(1, 4);
            plain.extend(self.senders[0].frame(tick.is_multiple_of(30), &sizes).iter().map(RtpPacket::write));
        }
        if tick.is_multiple_of(10) {
            plain.push(write(&[Rtcp::ReceiverReport { ssrc: 1, blocks: Vec::new() }]));
        }
        for plain in plain {
            let sealed = self.camera.seals(&plain);
            self.known.sealed.push((self.camera.address, sealed.clone()));
            self.world.network.inject(self.camera.address, self.camera.to, sealed);
        }
    }

    fn listen(&mut self) {
        let now_ms = self.world.elapsed_ms();
        self.camera.hears(&mut self.world);
        for (viewer, got) in self.viewers.iter_mut().zip(&mut self.got) {
            viewer.hears(&mut self.world);
            got.extend(std::mem::take(&mut viewer.packets).into_iter().map(|packet| (now_ms, packet)));
        }
        self.log_lines += self.world.take_log().len();
        let own = &self.hostile;
        for event in self.world.take_events() {
            let (Event::IceState { transport: about, .. }
            | Event::IceSelectedTuple { transport: about, .. }
            | Event::DtlsState { transport: about, .. }) = &event
            else {
                continue;
            };
            assert!(own.contains(about), "{event:?}");
        }
    }

    /// Everything that was dropped on the server's port, for whatever reason.
    fn dropped(&mut self) -> u64 {
        let peers = std::iter::once(&self.camera).chain(&self.viewers).map(|peer| peer.transport);
        let transports: Vec<_> = peers.chain(self.hostile.iter().copied()).collect();
        let mut sum = self.world.metric("datagrams_unmatched");
        for transport in transports {
            let stats = self.world.transport_stats(transport);
            let dropped = stats.dropped;
            sum += dropped.not_rtp + dropped.bad_header + dropped.unknown_ssrc + dropped.wrong_source;
            sum += dropped.unauthenticated + dropped.replayed + dropped.too_large;
            let webrtc = stats.webrtc.expect("a WebRTC transport");
            sum += webrtc.stun_rejected + webrtc.dtls_rejected;
        }
        sum
    }

    fn ways(&mut self) -> Vec<(IceState, DtlsState, Option<u16>)> {
        let peers = std::iter::once(&self.camera).chain(&self.viewers).map(|peer| peer.transport);
        let transports: Vec<_> = peers.collect();
        let mut ways = Vec::new();
        for transport in transports {
            let dump = self.world.webrtc_dump(transport);
            let port = dump.ice_selected_tuple.and_then(|tuple| tuple.remote_port);
            ways.push((dump.ice_state, dump.dtls_state, port));
        }
        ways
    }

    /// Under attack too.
    fn somebody_new_comes_in(&mut self) {
        let told = self.house.told(&mut self.world);
        let context = self.known.contexts[0].clone();
        let mut peer = WebRtcPeer::new(&mut self.world, &told, address(90, 5_000), &context);
        self.world.connect_webrtc(&peer, DtlsRole::Client);
        self.attack();
        assert_eq!(peer.checks(&mut self.world, Nomination::Usual).expect("an answer").error, None);
        peer.begins(&mut self.world, Role::Client);
        let end_ms = self.world.elapsed_ms() + JOIN_MS;
        while !peer.is_joined() && self.world.elapsed_ms() < end_ms {
            self.attack();
            self.world.receive();
            peer.hears(&mut self.world);
            self.world.run_for(5);
        }
        assert!(peer.is_joined(), "nobody comes in: {:?}", peer.failure);
    }
}

fn fragment(told: &WebRtc) -> String {
    told.dump.ice_parameters.username_fragment.to_string()
}

const VIDEO: u32 = 0x1111;
const SOUND: u32 = 0x2222;
const TICKS: u64 = 100;
const TICK_MS: u64 = 20;
/// Ten of a place in the code and second; of some ten places.
const LOG_LINES_MAX: usize = 300;
const JOIN_MS: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "IceSelectedTuple")]
    fn a_stranger_who_takes_the_way_is_noticed() {
        let mut room = Room::opens(1, None);
        // With the password, and so to the worker no stranger.
        let request = room.camera.request(Nomination::Usual);
        room.world.network.inject(room.known.strangers[0], room.known.udp, request);
        room.lives();
    }
}
