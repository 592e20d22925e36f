//! Peers that vanish without a word, and come back.
//!
//! A sender falls silent: the host hears that its score is 0 and so do consumers, nothing is held and no timer is set.
//! A receiver vanishes: the worker keeps sending into the void and holds no more than for the others. Both return, the
//! sender where it was or anew, and media flows again, video from a key frame on where it began anew.

use std::collections::BTreeMap;

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::ConsumerId;

use super::draw::Draw;
use super::ear::listen;
use super::flow::{Flow, settle};
use super::{Scenario, Tally};
use crate::world::parameters::Stream;
use crate::world::peer::{CONSUMED, Call, Receiver};
use crate::world::rtcp::{Block, Rtcp};
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "vanished_peer",
    proves: "who vanishes is told by scores and costs nothing, and media flows again when it returns",
    run,
};

/// Somebody who gets the stream, and reports while it is there.
struct Seat {
    receiver: Receiver,
    consumer: ConsumerId,
    flow: Flow,
    is_gone: bool,
    came_since_gone: usize,
}

struct Story {
    world: World,
    draw: Draw,
    call: Call,
    seats: Vec<Seat>,
    key_frame_due: bool,
    frames: u64,
}

fn run(seed: u64) -> Tally {
    let mut story = Story::begins(seed);
    let (calm, stormy) = (story.draw.millis(1_000, 4_000), story.draw.millis(2_000, 6_000));
    story.media_flows(calm);
    story.scores_are(10, 10);
    let before = story.memory_in_flow();

    for seat in 1..story.seats.len() {
        story.seats[seat].is_gone = story.draw.chance(700);
    }
    story.media_flows(stormy);
    let after = story.memory_in_flow();
    assert!(after.0 <= before.0 + 40 && after.1 <= before.1 * 2, "{before:?} grew to {after:?}");

    for _ in 0..story.draw.count(1, 2) {
        story.sender_vanishes();
        story.sender_returns();
    }
    story.receivers_return();
    story.media_flows(calm);
    assert!(story.seats.iter().all(|seat| seat.flow.packets > 0));
    story.world.finish()
}

impl Story {
    fn begins(seed: u64) -> Self {
        let mut draw = Draw::of(seed);
        let mut world = World::from(Beginning::of(seed));
        let source = match draw.chance(700) {
            true => Stream::vp8(0x1111),
            false => Stream { nack: true, dtx: draw.chance(500), ..Stream::opus(0x1111) },
        };
        let mut call = Call::of(&mut world, &source);
        (call.sender.sequence, call.sender.timestamp) = (draw.u16(), draw.u32());
        let seat = |receiver, consumer, stream| Seat {
            receiver,
            consumer,
            flow: Flow::new(stream),
            is_gone: false,
            came_since_gone: 0,
        };
        let mut seats = vec![seat(call.receiver, call.consumer, call.received.clone())];
        for host in 3..3 + u8::try_from(draw.between(1, 6)).expect("few") {
            let as_stream = call.received.consumed_as(CONSUMED + u32::from(host));
            let (receiver, _, consumer) = call.joined_by(&mut world, host, &as_stream);
            seats.push(seat(receiver, consumer, as_stream));
        }
        Self { world, draw, call, seats, key_frame_due: true, frames: 0 }
    }

    /// The sender sends for so many milliseconds; everybody who is there gets everything.
    fn media_flows(&mut self, millis: u64) {
        let end = self.world.elapsed_ms() + millis;
        while self.world.elapsed_ms() < end {
            self.one_frame();
            self.world.run_for(30);
            self.everybody_listens();
            self.frames += 1;
            if self.frames.is_multiple_of(30) {
                self.everybody_reports();
            }
        }
    }

    fn one_frame(&mut self) {
        let sender = &mut self.call.sender;
        let is_video = sender.stream.pli;
        let is_key = is_video && std::mem::take(&mut self.key_frame_due);
        let sent = match is_video {
            true => sender.frame(is_key, &self.draw.sizes(1, 4)),
            false => vec![sender.sound()],
        };
        sender.sends(&mut self.world, &sent);
        self.seats.iter_mut().for_each(|seat| seat.flow.sent(&sent, is_key));
    }

    /// To those who are gone the worker sends as ever: it cannot know.
    fn everybody_listens(&mut self) {
        for seat in &mut self.seats {
            let heard = listen(&mut self.world, seat.receiver.address);
            seat.came_since_gone += if seat.is_gone { heard.packets.len() } else { 0 };
            settle(&heard.packets, &mut [&mut seat.flow]);
        }
        let asked = listen(&mut self.world, self.call.sender.address);
        self.key_frame_due |= !asked.key_frame_requests(self.call.sender.stream.ssrc).is_empty();
    }

    fn everybody_reports(&mut self) {
        let ntp = self.world.wall();
        let last_sr = u32::try_from(ntp >> 16 & 0xFFFF_FFFF).expect("masked");
        for seat in self.seats.iter().filter(|seat| !seat.is_gone) {
            let block = Block { ssrc: seat.flow.stream.ssrc, last_sr, ..Block::default() };
            seat.receiver
                .sends_rtcp(&mut self.world, &[Rtcp::ReceiverReport { ssrc: 9, blocks: vec![block] }]);
        }
    }

    /// Packets in use, and bytes held, at most, while media flows.
    fn memory_in_flow(&mut self) -> (usize, usize) {
        let mut most = (0, 0);
        for _ in 0..40 {
            self.media_flows(30);
            most.0 = most.0.max(self.world.packets_in_use());
            most.1 = most.1.max(self.world.held_bytes());
        }
        most
    }

    /// Not a word more: within the time that silence takes, and a report's interval, everybody knows.
    fn sender_vanishes(&mut self) {
        self.world.take_events();
        let silence = if self.call.sender.stream.dtx { 5_000 } else { 1_500 };
        self.world.run_for(silence - 100);
        assert!(!self.tells_silence(), "too early: it may only have paused");
        self.world.run_for(100 + 1_600);
        self.scores_are(10, 0);
        assert!(self.tells_silence(), "the host and everybody hears of it");
        assert_eq!(self.world.producer_stats(self.call.producer).score, 0);
        self.world.run_for(30_000);
        self.everybody_listens();
        assert_eq!(self.world.take_events(), [], "once");
        assert_eq!((self.world.packets_in_use(), self.world.pool().charged_bytes), (0, 0));
        assert!(!self.world.has_timers(), "an idle worker sleeps");
    }

    /// Whether since the last time the host heard that the producer is silent, and so did every consumer.
    fn tells_silence(&mut self) -> bool {
        let mut producer = false;
        let mut consumers = BTreeMap::new();
        for event in self.world.take_events() {
            match event {
                Event::ProducerScore { scores, .. } => producer = scores.iter().all(|score| score.score == 0),
                Event::ConsumerScore { consumer, score } => {
                    consumers.insert(consumer, score.producer_score);
                }
                _ => {}
            }
        }
        let all = self.seats.iter().all(|seat| consumers.get(&seat.consumer) == Some(&0));
        assert_eq!(producer, all, "both or nobody");
        all
    }

    /// Where it was, or anew under other numbers.
    fn sender_returns(&mut self) {
        let restarts = self.draw.chance(500);
        let sender = &mut self.call.sender;
        if restarts {
            sender.sequence = sender.sequence.wrapping_add(3_000 + self.draw.u16() % 50_000);
            sender.timestamp = self.draw.u32();
            self.begins_anew();
        } else {
            let away = sender.stream.clock_rate * 33;
            sender.timestamp = sender.timestamp.wrapping_add(away);
            self.media_flows(900);
        }
        let scores: Vec<_> = self.world.take_events();
        let told = scores.iter().any(|event| {
            matches!(event, Event::ProducerScore { scores, .. } if scores.iter().all(|score| score.score == 10))
        });
        assert!(told, "the host hears that it is back");
        self.scores_are(10, 10);
    }

    /// A restart is believed at its second packet; then video waits for a key frame, which is asked for. Timestamps are
    /// the worker's own after it, so that receivers see no seam: only payloads and numbers are the same.
    fn begins_anew(&mut self) {
        let mut last = BTreeMap::new();
        let mut sent = Vec::new();
        for seat in &self.seats {
            last.insert(seat.consumer, (seat.flow.last(), 0));
        }
        for _ in 0..30 {
            let is_key = std::mem::take(&mut self.key_frame_due) && self.call.sender.stream.pli;
            let packets = match self.call.sender.stream.pli {
                true => self.call.sender.frame(is_key, &[300, 200]),
                false => vec![self.call.sender.sound()],
            };
            self.call.sender.sends(&mut self.world, &packets);
            sent.extend(packets.into_iter().map(|packet| packet.payload));
            for seat in &mut self.seats {
                for packet in listen(&mut self.world, seat.receiver.address).packets {
                    let (before, came) = last.get_mut(&seat.consumer).expect("it is one of them");
                    assert!(before.is_none_or(|before: u16| packet.sequence == before.wrapping_add(1)));
                    assert!(sent.contains(&packet.payload));
                    (*before, *came) = (Some(packet.sequence), *came + 1);
                }
            }
            self.world.run_for(30);
            let asked = listen(&mut self.world, self.call.sender.address);
            self.key_frame_due |= !asked.key_frame_requests(self.call.sender.stream.ssrc).is_empty();
        }
        for seat in &mut self.seats {
            let (before, came) = last[&seat.consumer];
            assert!(came >= 10, "{came} packets came after the restart");
            seat.flow.continues_after(before);
        }
    }

    fn receivers_return(&mut self) {
        for seat in self.seats.iter_mut().filter(|seat| seat.is_gone) {
            assert!(seat.came_since_gone > 0, "it was sent to as ever");
            seat.is_gone = false;
            let pli = Rtcp::Pli { sender: 1, media: seat.flow.stream.ssrc };
            seat.receiver.sends_rtcp(&mut self.world, &[pli]);
        }
        let asked = listen(&mut self.world, self.call.sender.address);
        let asked = asked.key_frame_requests(self.call.sender.stream.ssrc);
        self.key_frame_due |= !asked.is_empty();
    }

    fn scores_are(&mut self, own: u8, producer: u8) {
        for seat in &self.seats {
            let stats = self.world.consumer_stats(seat.consumer);
            assert_eq!((stats.own.score, stats.producer.map(|stats| stats.score)), (own, Some(producer)));
        }
    }
}
