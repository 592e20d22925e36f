//! A room with people in it who mean harm: whatever they send, everybody else gets what they would get without them.
//!
//! Cameras and microphones send to viewers, who now and then ask for a packet again. Beside them sit hostile
//! participants, each the known peer of a transport of its own with producers and consumers of all streams, and send
//! what `attacks` draws: floods of feedback, reports that lie, retransmissions of nothing, thousands of streams, damaged
//! packets of every kind. Each seed is told twice, once with them silent; what viewers get must be the same bytes at the
//! same moments. What the attacks may cost is bounded: key frame requests and RTCP to the cameras, packets sent again and
//! RTCP to the attackers, memory, timers and learnt streams.

mod attacks;

use std::net::SocketAddr;

use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId};
use tidegate_worker::base::time::Time;

use self::attacks::{Attacker, Target};
use super::draw::Draw;
use super::ear::listen;
use super::{Scenario, Tally};
use crate::world::host::Plain;
use crate::world::parameters::Stream;
use crate::world::peer::{Receiver, Sender, address, receiver};
use crate::world::rtcp::{Block, Rtcp, write};
use crate::world::{Beginning, World, is_rtcp};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "hostile_room",
    proves: "whatever hostile participants send, all others get the same bytes at the same moments, at a bounded cost",
    run,
};

/// A stream of somebody who means well.
struct Origin {
    sender: Sender,
    producer: ProducerId,
    rtcp_packets: u64,
    rtcp_bytes: u64,
    /// When a key frame was asked for.
    key_frame_requests: Vec<u64>,
}

/// Somebody who only wants to watch.
struct Viewer {
    receiver: Receiver,
    consumers: Vec<ConsumerId>,
    /// What came: when it was sent to it, and its bytes.
    got: Vec<(Time, Vec<u8>)>,
    /// The last packet of a stream that can be asked for again.
    last: Option<(u32, u16)>,
}

/// Somebody who does not.
struct Hostile {
    address: SocketAddr,
    plain: Plain,
    consumers: Vec<ConsumerId>,
    target: Target,
    /// What the worker sent to it.
    media_packets: u64,
    rtcp_packets: u64,
}

struct Room {
    world: World,
    draw: Draw,
    origins: Vec<Origin>,
    viewers: Vec<Viewer>,
    hostile: Vec<Hostile>,
    /// `None`: they are silent.
    attacker: Option<Attacker>,
    packets_max: usize,
    held_bytes_max: usize,
    timers_max: u64,
}

fn run(seed: u64) -> Tally {
    let mut calm = Room::opens(seed, None);
    calm.lives();
    let mut stormy = Room::opens(seed, Some(Attacker::of(seed)));
    stormy.lives();
    for (undisturbed, viewer) in calm.viewers.iter().zip(&stormy.viewers) {
        assert_same(&undisturbed.got, &viewer.got);
    }
    let tried = stormy.attacker.as_ref().map(|attacker| attacker.tried);
    assert!(tried.is_some_and(|tried| tried.iter().all(|times| *times > 0)), "not all was tried: {tried:?}");
    stormy.costs_are_bounded(&calm);
    stormy.all_is_quiet_again(&mut calm);
    let mut tally = calm.world.finish();
    tally += stormy.world.finish();
    tally
}

/// Says where two receptions differ; whole ones are too long to print.
fn assert_same(undisturbed: &[(Time, Vec<u8>)], disturbed: &[(Time, Vec<u8>)]) {
    let differs = undisturbed.iter().zip(disturbed).position(|(one, other)| one != other);
    if let Some(at) = differs {
        panic!(
            "packet {at} differs: {:02x?} without them, {:02x?} with them",
            undisturbed[at], disturbed[at]
        );
    }
    assert_eq!(undisturbed.len(), disturbed.len(), "packets that came without them, and with them");
    assert!(!disturbed.is_empty(), "nothing came");
}

impl Room {
    fn opens(seed: u64, attacker: Option<Attacker>) -> Self {
        let mut draw = Draw::of(seed);
        let mut world = World::from(Beginning::of(seed));
        let router = world.router();
        let (origins, viewers, hostile) = (Vec::new(), Vec::new(), Vec::new());
        let people = draw.between(1, 3);
        let (viewer_count, hostile_count) = (draw.between(1, 3), draw.between(1, 3));
        let mut room = Self {
            world,
            draw,
            origins,
            viewers,
            hostile,
            attacker,
            packets_max: 0,
            held_bytes_max: 0,
            timers_max: 0,
        };
        for host in 1..=u8::try_from(people).expect("few") {
            room.somebody_sends(router, host);
        }
        for host in 0..u8::try_from(viewer_count).expect("few") {
            room.somebody_watches(router, 50 + host);
        }
        for host in 0..u8::try_from(hostile_count).expect("few") {
            room.somebody_means_harm(router, 100 + host);
        }
        room.they_watch_each_other();
        room
    }

    fn somebody_sends(&mut self, router: RouterId, host: u8) {
        let plain = self.world.comedia(router);
        let ssrc = u32::from(host) * 16;
        for stream in [Stream::vp8(ssrc).with_rtx(ssrc + 1), Stream::opus(ssrc + 2)] {
            let producer = self.world.produce(plain.id, &stream);
            let mut sender = Sender::new(address(host, 4_000), plain.rtp, stream);
            (sender.sequence, sender.timestamp) = (self.draw.u16(), self.draw.u32());
            self.origins.push(Origin {
                sender,
                producer,
                rtcp_packets: 0,
                rtcp_bytes: 0,
                key_frame_requests: Vec::new(),
            });
        }
    }

    fn somebody_watches(&mut self, router: RouterId, host: u8) {
        let (plain, receiver) = receiver(&mut self.world, router, address(host, 5_000));
        let with_rtx = self.draw.chance(500);
        let consumers = self.consumes_all(plain, with_rtx);
        self.viewers.push(Viewer { receiver, consumers, got: Vec::new(), last: None });
    }

    fn somebody_means_harm(&mut self, router: RouterId, host: u8) {
        let at = address(host, 6_000);
        let plain = self.world.connected(router, at);
        let with_rtx = self.draw.chance(500);
        let consumers = self.consumes_all(plain, with_rtx);
        let ssrc = u32::from(host) << 8;
        let streams = [
            Stream::vp8(ssrc).with_rtx(ssrc + 1).with_extensions(&attacks::EXTENSIONS),
            Stream::opus(ssrc + 2),
        ];
        let producers = streams.each_ref().map(|stream| self.world.produce(plain.id, stream));
        let consumed = (0..self.origins.len()).map(consumed_ssrc).collect();
        let target = Target::new(at, plain.rtp, streams, producers, consumed);
        let (media_packets, rtcp_packets) = (0, 0);
        self.hostile.push(Hostile { address: at, plain, consumers, target, media_packets, rtcp_packets });
    }

    /// Consumers of every stream so far.
    fn consumes_all(&mut self, plain: Plain, with_rtx: bool) -> Vec<ConsumerId> {
        let mut consumers = Vec::new();
        for (index, origin) in self.origins.iter().enumerate() {
            let ssrc = consumed_ssrc(index);
            let source = &origin.sender.stream;
            let as_stream = source.consumed_as(ssrc);
            let as_stream = match with_rtx && source.nack {
                true => as_stream.with_rtx(ssrc + 1),
                false => as_stream,
            };
            consumers.push(self.world.consume(plain.id, origin.producer, source, &as_stream));
        }
        consumers
    }

    /// What each hostile one sends is forwarded to the next.
    fn they_watch_each_other(&mut self) {
        for index in 0..self.hostile.len() {
            let next = (index + 1) % self.hostile.len();
            let plain = self.hostile[next].plain;
            let target = &self.hostile[index].target;
            let kinds: Vec<_> = target.streams.clone().into_iter().zip(target.producers).collect();
            for ((stream, producer), number) in kinds.iter().zip(0..) {
                let ssrc = 0xD000_0000 + u32::try_from(index).expect("few") * 16 + number * 4;
                let consumer = self.world.consume(plain.id, *producer, stream, &stream.consumed_as(ssrc));
                self.hostile[next].consumers.push(consumer);
                self.hostile[next].target.consumed.push(ssrc);
            }
        }
    }

    fn lives(&mut self) {
        for tick in 0..TICKS {
            let before = self.attacker.is_some() && self.draw_is_even(tick);
            if before {
                self.attack();
            }
            self.media_flows(tick);
            if !before {
                self.attack();
            }
            self.world.receive();
            self.listen();
            self.viewers_ask(tick);
            self.world.run_for(TICK_MS);
            self.listen();
            let stats = self.world.pool();
            self.packets_max = self.packets_max.max(self.world.packets_in_use());
            self.held_bytes_max = self.held_bytes_max.max(stats.charged_bytes);
            self.timers_max = self.timers_max.max(self.world.metric("timers"));
        }
        self.world.audit();
    }

    /// Whether attacks come before the media of a turn or behind.
    fn draw_is_even(&self, tick: u64) -> bool {
        tick.is_multiple_of(2)
    }

    fn attack(&mut self) {
        let Some(attacker) = &mut self.attacker else { return };
        for hostile in &mut self.hostile {
            for bytes in attacker.attacks(&mut hostile.target, self.world.wall()) {
                self.world.network.inject(hostile.target.from, hostile.target.to, bytes);
            }
        }
    }

    /// Sound from everybody, frames in two of three ticks, key frames now and then: what is asked for changes nothing.
    fn media_flows(&mut self, tick: u64) {
        for origin in &mut self.origins {
            let packets = match origin.sender.stream.pli {
                true if tick % 3 == 2 => continue,
                true => origin.sender.frame(tick.is_multiple_of(30), &self.draw.sizes(1, 4)),
                false => vec![origin.sender.sound()],
            };
            for packet in packets {
                self.world.network.inject(origin.sender.address, origin.sender.to, packet.write());
            }
        }
    }

    /// Now and then a viewer reports, and has lost its last packet of video.
    fn viewers_ask(&mut self, tick: u64) {
        for viewer in &mut self.viewers {
            let Some((media, sequence)) = viewer.last.filter(|_| tick.is_multiple_of(7)) else { continue };
            let block = Block { ssrc: media, extended_highest: sequence.into(), ..Block::default() };
            let report = Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] };
            let nack = Rtcp::Nack { sender: 1, media, sequences: vec![sequence] };
            viewer.receiver.sends_rtcp(&mut self.world, &[report, nack]);
        }
        self.listen();
    }

    fn listen(&mut self) {
        let now_ms = self.world.elapsed_ms();
        for viewer in &mut self.viewers {
            for sent in self.world.network.take_sent_to(viewer.receiver.address) {
                if is_rtcp(&sent.bytes) {
                    continue;
                }
                let ssrc = word(&sent.bytes, 8);
                if consumed_ssrc(0) == ssrc {
                    viewer.last = Some((ssrc, u16::from_be_bytes([sent.bytes[2], sent.bytes[3]])));
                }
                viewer.got.push((sent.at, sent.bytes));
            }
        }
        // Both streams of a sender have one address.
        for pair in self.origins.chunks_mut(2) {
            let heard = listen(&mut self.world, pair[0].sender.address);
            let requests = heard.key_frame_requests(pair[0].sender.stream.ssrc);
            assert!(requests.iter().all(|at| *at <= now_ms));
            pair[0].key_frame_requests.extend(requests);
            pair[0].rtcp_packets += heard.rtcp.len() as u64;
            let sizes = heard.rtcp.iter().map(|(_, packet)| write(std::slice::from_ref(packet)).len());
            pair[0].rtcp_bytes += sizes.sum::<usize>() as u64;
        }
        for hostile in &mut self.hostile {
            for sent in self.world.network.take_sent_to(hostile.address) {
                if is_rtcp(&sent.bytes) {
                    hostile.rtcp_packets += 1;
                    continue;
                }
                hostile.media_packets += 1;
                hostile
                    .target
                    .hears(word(&sent.bytes, 8), u16::from_be_bytes([sent.bytes[2], sent.bytes[3]]));
            }
        }
    }

    fn costs_are_bounded(&mut self, calm: &Self) {
        let seconds = self.world.elapsed_ms().div_ceil(1_000);
        for (origin, undisturbed) in self.origins.iter().zip(&calm.origins) {
            let requests = &origin.key_frame_requests;
            assert!(requests.len() as u64 <= 2 * seconds + 1, "a key frame was asked for at {requests:?}");
            let close = requests.windows(2).find(|pair| pair[1] < pair[0] + KEY_FRAMES_APART_MS);
            assert_eq!(close, None, "requests come one by one");
            let more = origin.rtcp_packets.saturating_sub(undisturbed.rtcp_packets);
            assert!(more <= requests.len() as u64 + seconds, "{more} more packets of RTCP to a sender");
            let more = origin.rtcp_bytes.saturating_sub(undisturbed.rtcp_bytes);
            assert!(more <= 32 * requests.len() as u64 + 200 * seconds, "{more} more bytes of RTCP");
        }
        self.attackers_get_little(seconds);
        let (packets, bytes) = (self.packets_max, self.held_bytes_max);
        let allowed = (calm.packets_max + PACKETS_MORE, calm.held_bytes_max + BYTES_MORE);
        assert!(packets <= allowed.0, "{packets} packets were held, {} without them", calm.packets_max);
        assert!(bytes <= allowed.1, "{bytes} bytes were held, {} without them", calm.held_bytes_max);
        let timers = self.timers_max;
        let allowed = calm.timers_max + TIMERS_MORE * self.hostile.len() as u64;
        assert!(timers <= allowed, "{timers} timers, {} without them", calm.timers_max);
    }

    /// And what they sent was looked at.
    fn attackers_get_little(&mut self, seconds: u64) {
        for hostile in &self.hostile {
            let consumers = hostile.consumers.iter().map(|id| self.world.consumer_stats(*id).own);
            let asked = consumers.fold([0; 4], |[nacks, plis, firs, resent], stats| {
                let resent = resent + stats.packets_retransmitted;
                [nacks + stats.nack_count, plis + stats.pli_count, firs + stats.fir_count, resent]
            });
            assert!(asked.iter().all(|count| *count > 0), "NACKs, PLIs, FIRs and resends: {asked:?}");
            let dropped = self.world.transport_stats(hostile.plain.id).dropped;
            assert!(dropped.unknown_ssrc >= 1_000 && dropped.bad_header > 0, "{dropped:?}");
            let most = RTCP_A_SECOND * seconds;
            assert!(
                hostile.rtcp_packets <= most,
                "{} datagrams of RTCP to an attacker",
                hostile.rtcp_packets
            );
            let stats = self.world.transport_stats(hostile.plain.id);
            let (sent, resent) = (stats.rtp_sent.bytes, stats.rtx_sent.bytes);
            let most = RESENT_TIMES * sent + RESENT_AT_ONCE_BYTES * hostile.consumers.len() as u64;
            assert!(resent <= most, "{resent} bytes were sent again of {sent}");
            let dump = self.world.transport_dump(hostile.plain.id);
            assert!(dump.ssrc_table.len() <= LEARNT_MAX, "{} learnt streams", dump.ssrc_table.len());
        }
    }

    /// When it is over nothing of it is left.
    fn all_is_quiet_again(&mut self, calm: &mut Self) {
        for room in [&mut *self, calm] {
            room.world.run_for(30_000);
            assert_eq!(room.world.packets_in_use(), 0);
            assert!(!room.world.has_timers(), "an idle worker sleeps");
        }
        assert_eq!(self.world.pool().charged_bytes, calm.world.pool().charged_bytes);
        for viewer in &self.viewers {
            for consumer in &viewer.consumers {
                let stats = self.world.consumer_stats(*consumer).own;
                assert_eq!(stats.packets_discarded, 0, "{stats:?}");
            }
        }
    }
}

fn consumed_ssrc(index: usize) -> u32 {
    0xC000_0000 + u32::try_from(index).expect("few") * 4
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.map_or(0, u32::from_be_bytes)
}

const TICKS: u64 = 100;
const TICK_MS: u64 = 20;
/// With the delay that producers have when the host names none.
const KEY_FRAMES_APART_MS: u64 = 500;
/// What attackers' own streams may hold for repair, two seconds of what they send.
const PACKETS_MORE: usize = 6_000;
const BYTES_MORE: usize = 12 << 20;
/// For the streams of one hostile participant, sent and received: losses, repair, reports, key frames.
const TIMERS_MORE: u64 = 64;
/// NACKs for what they leave out of two streams, every 20 ms each, and reports.
const RTCP_A_SECOND: u64 = 250;
/// What is sent again is earned by what is sent (`stream::allowance`): as much, a packet more whenever nothing is left, and
/// something at once.
const RESENT_TIMES: u64 = 3;
const RESENT_AT_ONCE_BYTES: u64 = 128 << 10;
/// What one transport learns from packets, and what producers announce.
const LEARNT_MAX: usize = 256 + 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "differs")]
    fn a_disturbance_is_noticed() {
        let (mut calm, mut disturbed) = (Room::opens(1, None), Room::opens(1, None));
        calm.lives();
        // A number is left out.
        disturbed.origins[0].sender.sequence = disturbed.origins[0].sender.sequence.wrapping_add(1);
        disturbed.media_flows(0);
        disturbed.lives();
        assert_same(&calm.viewers[0].got, &disturbed.viewers[0].got);
    }
}
