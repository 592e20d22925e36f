//! A full room over a clean network: everything arrives, once, in order and as it was, whoever comes and goes.
//!
//! A room of people who all send video and sound and get everybody else's over one transport each, and viewers who only
//! get. The seed chooses how many there are, how large frames are and when, and when viewers join and leave.

use std::net::SocketAddr;

use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;

use super::draw::Draw;
use super::ear::listen;
use super::flow::{Flow, settle};
use super::{Scenario, Tally};
use crate::world::host::Plain;
use crate::world::parameters::Stream;
use crate::world::peer::{Sender, address, receiver};
use crate::world::rtp::RtpPacket;
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "full_room",
    proves: "in a room where all send and all get, and some come and go, everybody gets everything and all counters agree",
    run,
};

/// A stream that somebody sends.
struct Source {
    sender: Sender,
    producer: ProducerId,
    sent_packets: u64,
    /// Whether a key frame is the next to send.
    key_frame_due: bool,
}

/// Somebody who gets streams.
struct Seat {
    address: SocketAddr,
    plain: Plain,
    flows: Vec<(ConsumerId, Flow)>,
}

struct Room {
    world: World,
    draw: Draw,
    sources: Vec<Source>,
    seats: Vec<Seat>,
}

fn run(seed: u64) -> Tally {
    let mut draw = Draw::of(seed);
    let mut world = World::from(Beginning::of(seed));
    let router = world.router();
    let mut room = Room { world, draw: Draw::of(seed), sources: Vec::new(), seats: Vec::new() };
    for host in 1..=u8::try_from(draw.between(1, 4)).expect("few") {
        let plain = room.world.connected(router, address(host, 4_000));
        room.takes_seat(plain, address(host, 4_000));
        room.joins(plain, host, Stream::opus(u32::from(host) * 16));
        room.joins(plain, host, Stream::vp8(u32::from(host) * 16 + 1));
    }
    for viewer in 0..u8::try_from(draw.between(2, 12)).expect("few") {
        let (plain, at) = receiver(&mut room.world, router, address(100 + viewer, 5_000));
        room.takes_seat(plain, at.address);
    }
    for index in 0..room.seats.len() {
        room.consumes_all(index);
    }
    for _ in 0..90 {
        if room.draw.chance(100) {
            room.one_closes_and_consumes_anew();
        }
        room.tick();
    }
    // Longer than key frame requests may be held back: whoever joined last is served too.
    for _ in 0..30 {
        room.tick();
    }
    room.counts_agree();
    room.world.finish()
}

impl Room {
    fn takes_seat(&mut self, plain: Plain, address: SocketAddr) {
        self.seats.push(Seat { address, plain, flows: Vec::new() });
    }

    fn joins(&mut self, plain: Plain, host: u8, stream: Stream) {
        let producer = self.world.produce(plain.id, &stream);
        let mut sender = Sender::new(address(host, 4_000), plain.rtp, stream);
        (sender.sequence, sender.timestamp) = (self.draw.u16(), self.draw.u32());
        self.sources.push(Source { sender, producer, sent_packets: 0, key_frame_due: true });
    }

    /// The seat with this index gets every stream but its own.
    fn consumes_all(&mut self, seat: usize) {
        for (source, ssrc) in self.sources.iter().zip(1..) {
            let to = &mut self.seats[seat];
            if source.sender.to == to.plain.rtp {
                continue;
            }
            let as_stream = source.sender.stream.consumed_as(0xC000_0000 + ssrc);
            let consumer =
                self.world.consume(to.plain.id, source.producer, &source.sender.stream, &as_stream);
            to.flows.push((consumer, Flow::new(as_stream)));
        }
    }

    /// 20 ms: sound from everybody, frames from some.
    fn tick(&mut self) {
        for index in 0..self.sources.len() {
            if self.sources[index].sender.stream.pli && self.draw.chance(500) {
                continue;
            }
            self.sends(index);
        }
        self.world.receive();
        self.listen();
        self.world.run_for(20);
    }

    /// Everybody has got what was sent; cameras have heard what was asked.
    fn listen(&mut self) {
        for seat in &mut self.seats {
            let heard = listen(&mut self.world, seat.address);
            let mut flows: Vec<_> = seat.flows.iter_mut().map(|(_, flow)| flow).collect();
            settle(&heard.packets, &mut flows);
            for source in self.sources.iter_mut().filter(|source| source.sender.address == seat.address) {
                source.key_frame_due |= !heard.key_frame_requests(source.sender.stream.ssrc).is_empty();
            }
        }
    }

    /// The packets of one source's next frame or sound, on their way; all of a tick arrive in one turn.
    fn sends(&mut self, index: usize) {
        let source = &mut self.sources[index];
        let is_key = source.sender.stream.pli && std::mem::take(&mut source.key_frame_due);
        let mut packets = if source.sender.stream.pli {
            source.sender.frame(is_key, &self.draw.sizes(1, 6))
        } else {
            vec![source.sender.sound()]
        };
        if self.draw.chance(100) {
            packets[0].csrcs = vec![self.draw.u32(), 7];
        }
        for packet in &packets {
            self.world.network.inject(source.sender.address, source.sender.to, packet.write());
        }
        if self.draw.chance(100) {
            // It probes the path: padding alone, which is nothing to anybody and leaves no gap.
            let padding = u8::try_from(self.draw.between(1, 255)).expect("a byte");
            let probe = RtpPacket { padding, ..source.sender.packet(Vec::new()) };
            self.world.network.inject(source.sender.address, source.sender.to, probe.write());
        }
        source.sent_packets += packets.len() as u64;
        let payload_type = source.sender.stream.consumed_as(0).payload_type;
        let ssrc = 0xC000_0001 + u32::try_from(index).expect("few");
        for (_, flow) in self.seats.iter_mut().flat_map(|seat| &mut seat.flows) {
            if flow.stream.ssrc == ssrc {
                assert_eq!(flow.stream.payload_type, payload_type);
                flow.sent(&packets, is_key);
            }
        }
    }

    /// Whoever consumes anew waits for a key frame, and nobody else notices.
    fn one_closes_and_consumes_anew(&mut self) {
        let seat = self.draw.index(self.seats.len());
        let Some(flow) = self.seats[seat].flows.len().checked_sub(1) else { return };
        let flow = self.draw.count(0, flow);
        let (consumer, before) = self.seats[seat].flows.remove(flow);
        assert!(before.is_complete());
        self.world.done(Command::CloseConsumer { consumer });
        let index = (before.stream.ssrc - 0xC000_0001) as usize;
        let source = &self.sources[index].sender.stream;
        let plain = self.seats[seat].plain;
        let consumer = self.world.consume(plain.id, self.sources[index].producer, source, &before.stream);
        self.seats[seat].flows.push((consumer, Flow::new(before.stream)));
    }

    /// What the worker counted is what was sent and what came.
    fn counts_agree(&mut self) {
        for source in &self.sources {
            let stats = self.world.producer_stats(source.producer);
            assert_eq!(stats.packet_count, source.sent_packets);
            assert_eq!((stats.packets_lost, stats.packets_discarded, stats.nack_count), (0, 0, 0));
            assert_eq!((stats.packets_repaired, stats.score), (0, 10));
        }
        for seat in &self.seats {
            for (consumer, flow) in &seat.flows {
                let stats = self.world.consumer_stats(*consumer).own;
                assert!(flow.packets > 0, "everybody gets everything");
                assert_eq!(stats.packet_count, flow.packets);
                assert!(stats.byte_count >= flow.payload_bytes + 12 * flow.packets);
                assert_eq!((stats.packets_retransmitted, stats.nack_count), (0, 0));
            }
            let stats = self.world.transport_stats(seat.plain.id);
            assert_eq!(stats.dropped, tidegate_protocol::stats::DroppedPackets::default());
        }
    }
}
