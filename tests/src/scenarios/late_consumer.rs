//! Late consumers: who comes into a stream that runs gets nothing before a key frame, and never a packet from before.
//!
//! A camera streams; consumers come at any moment, also within a frame, as open or paused consumers or on transports
//! that are not yet connected. The camera answers requests for key frames after a while, and some packets of it come
//! late: those who were there get them, those who came since do not. A microphone beside it is heard at once.

use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;

use super::draw::Draw;
use super::ear::listen;
use super::{Scenario, Tally};
use crate::world::host::Plain;
use crate::world::parameters::Stream;
use crate::world::peer::{CONSUMED, Call, Receiver, Sender, address, receiver};
use crate::world::rtp::RtpPacket;
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "late_consumer",
    proves: "who joins a running stream asks for a key frame, begins with one and gets nothing from before it",
    run,
};

/// Somebody who came late.
struct Late {
    receiver: Receiver,
    plain: Plain,
    consumer: ConsumerId,
    as_stream: Stream,
    came_by: Way,
    /// When packets were allowed to pass, in milliseconds; not before.
    opened_at: Option<u64>,
    /// Index in what was sent at which they were.
    opened_before: usize,
    video: Vec<RtpPacket>,
    heard_sound: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Everything was ready.
    Open,
    /// Made paused, and resumed later.
    Paused,
    /// On a transport that was connected later.
    Unconnected,
}

struct Story {
    world: World,
    draw: Draw,
    call: Call,
    microphone: Sender,
    microphone_id: ProducerId,
    late: Vec<Late>,
    /// In the order in which it reached the worker; the flag: begins a key frame.
    sent: Vec<(RtpPacket, bool)>,
    /// Held back by the network since then, in milliseconds; comes before what consumers remember is over.
    held: Option<(RtpPacket, u64)>,
    /// When the camera will answer a request, in milliseconds.
    answer_at: Option<u64>,
    plis: Vec<u64>,
}

fn run(seed: u64) -> Tally {
    let mut draw = Draw::of(seed);
    let mut world = World::from(Beginning::of(seed));
    let mut call = Call::of(&mut world, &Stream::vp8(0x1111));
    (call.sender.sequence, call.sender.timestamp) = (draw.u16(), draw.u32());
    let sound = Stream::opus(0x2222);
    let microphone_id = world.produce(call.inbound.id, &sound);
    let microphone = Sender::new(call.sender.address, call.sender.to, sound);
    let (held, answer_at) = (None, None);
    let (late, sent, plis) = (Vec::new(), Vec::new(), Vec::new());
    let mut story = Story { world, draw, call, microphone, microphone_id, late, sent, held, answer_at, plis };
    story.sends_frame(true);
    for _ in 0..90 {
        story.sends_frame(false);
    }
    // Nobody comes any more; whoever asked is answered.
    for _ in 0..40 {
        story.draw_nobody();
    }
    story.everybody_began_with_a_key_frame();
    story.world.finish()
}

impl Story {
    fn draw_nobody(&mut self) {
        self.opens_all();
        self.sends_packets(false, false);
    }

    fn sends_frame(&mut self, is_key: bool) {
        self.sends_packets(is_key, true);
    }

    /// One frame, packet by packet; others may come in between.
    fn sends_packets(&mut self, is_key: bool, may_join: bool) {
        let due = self.answer_at.is_some_and(|at| at <= self.world.elapsed_ms());
        let is_key = is_key || due;
        if due {
            self.answer_at = None;
        }
        let mut frame = self.call.sender.frame(is_key, &self.draw.sizes(1, 5));
        let begins = frame[0].sequence;
        if self.held.is_none() && frame.len() > 2 && self.draw.chance(200) {
            self.held = Some((frame.remove(1), self.world.elapsed_ms()));
        }
        for packet in frame {
            if may_join && self.draw.chance(30) {
                self.somebody_comes();
            }
            let begins_key_frame = is_key && packet.sequence == begins;
            self.sends(packet, begins_key_frame);
        }
        let is_over = |(_, since): &mut (RtpPacket, u64)| self.world.elapsed_ms() - *since >= HELD_MAX_MS;
        let comes = self.draw.chance(300);
        if let Some((late, _)) = self.held.take_if(|held| comes || is_over(held)) {
            self.sends(late, false);
        }
        if self.draw.chance(100) {
            self.opens_one();
        }
        self.microphone.sends_sound(&mut self.world);
        self.listen();
        self.world.run_for(33);
        self.listen();
    }

    fn sends(&mut self, packet: RtpPacket, begins_key_frame: bool) {
        self.call.sender.sends(&mut self.world, std::slice::from_ref(&packet));
        self.sent.push((packet, begins_key_frame));
        self.listen();
    }

    fn somebody_comes(&mut self) {
        let host = 10 + u8::try_from(self.late.len()).expect("few");
        let came_by = self.draw.pick(&[Way::Open, Way::Open, Way::Paused, Way::Unconnected]);
        let router = self.call.router;
        let (plain, receiver) = if came_by == Way::Unconnected {
            let plain = self.world.plain_transport(router, &crate::world::host::plain_options());
            (plain, Receiver { address: address(host, 5_000), to: plain.rtcp })
        } else {
            receiver(&mut self.world, router, address(host, 5_000))
        };
        let as_stream = self.call.received.consumed_as(CONSUMED + u32::from(host));
        let consumer = ConsumerId(self.world.new_id());
        let source = &self.call.sender.stream;
        let mut consume = as_stream.consume(plain.id, consumer, self.call.producer, source);
        if let Command::Consume { paused, .. } = &mut consume {
            *paused = came_by == Way::Paused;
        }
        self.world.request(consume).expect("a good request");
        let sound = self.microphone.stream.consumed_as(HEARD + u32::from(host));
        self.world.consume(plain.id, self.microphone_id, &self.microphone.stream, &sound);
        let (opened_at, opened_before) = (None, 0);
        let video = Vec::new();
        let heard_sound = 0;
        self.late.push(Late {
            receiver,
            plain,
            consumer,
            as_stream,
            came_by,
            opened_at,
            opened_before,
            video,
            heard_sound,
        });
        if came_by == Way::Open {
            self.is_open(self.late.len() - 1);
        }
    }

    /// Somebody who was not ready is now.
    fn opens_one(&mut self) {
        let Some(index) = self.late.iter().position(|late| late.opened_at.is_none()) else { return };
        let late = &self.late[index];
        assert!(late.video.is_empty(), "nothing passes before it may");
        match late.came_by {
            Way::Open => unreachable!("open from the start"),
            Way::Paused => self.world.done(Command::ResumeConsumer { consumer: late.consumer }),
            Way::Unconnected => {
                let address = late.receiver.address;
                self.world.connect(late.plain.id, address, None).expect("the first connect");
            }
        }
        self.is_open(index);
    }

    fn opens_all(&mut self) {
        while self.late.iter().any(|late| late.opened_at.is_none()) {
            self.opens_one();
        }
    }

    /// From here on packets may pass: a key frame is asked for, at once or when the last request is 500 ms ago. Before
    /// the camera's first packet there is nobody to ask; that one begins a key frame.
    fn is_open(&mut self, index: usize) {
        let now = self.world.elapsed_ms();
        self.late[index].opened_at = Some(now);
        self.late[index].opened_before = self.sent.len();
        let before = self.plis.last().copied();
        self.listen();
        let asked = self.plis.last().is_some_and(|last| *last == now);
        let merged = before.is_some_and(|before| now < before + 500);
        assert!(asked || merged || self.sent.is_empty(), "a key frame is asked for");
    }

    /// What came meanwhile to all of them.
    fn listen(&mut self) {
        let heard = listen(&mut self.world, self.call.sender.address);
        for at in heard.key_frame_requests(self.call.sender.stream.ssrc) {
            assert!(self.plis.last().is_none_or(|last| at >= last + 500), "{:?}, {at}", self.plis);
            self.plis.push(at);
            let answer_at = at + self.draw.millis(20, 250);
            self.answer_at.get_or_insert(answer_at);
        }
        for late in &mut self.late {
            for packet in late.receiver.gets(&mut self.world) {
                if packet.ssrc == late.as_stream.ssrc {
                    late.video.push(packet);
                } else {
                    late.heard_sound += 1;
                }
            }
        }
    }

    fn everybody_began_with_a_key_frame(&mut self) {
        let all = self.call.receiver.gets(&mut self.world);
        let everything: Vec<_> = self.sent.iter().map(|(packet, _)| &packet.payload).collect();
        let got: Vec<_> = all.iter().map(|packet| &packet.payload).collect();
        assert!(got == everything, "{} of {} came to who was there first", got.len(), everything.len());
        for late in &self.late {
            assert!(late.heard_sound > 0, "sound is heard at once");
            let after = &self.sent[late.opened_before..];
            let key = after.iter().position(|(_, begins)| *begins).expect("a key frame was asked for");
            let first = &after[key].0;
            // Not what is older than the key frame, whenever it comes.
            let older = |packet: &RtpPacket| packet.sequence.wrapping_sub(first.sequence) > 0x8000;
            let expected = after[key..].iter().filter(|(packet, _)| !older(packet));
            let expected: Vec<_> =
                expected.map(|(packet, _)| (packet.timestamp, packet.payload.clone())).collect();
            let got: Vec<_> =
                late.video.iter().map(|packet| (packet.timestamp, packet.payload.clone())).collect();
            assert!(got == expected, "{} of {} came as they should", got.len(), expected.len());
            let base = late.video[0].sequence.wrapping_sub(first.sequence);
            for (got, (sent, _)) in
                late.video.iter().zip(after[key..].iter().filter(|(packet, _)| !older(packet)))
            {
                assert_eq!(got.sequence, sent.sequence.wrapping_add(base), "holes are left for what is late");
            }
            let asked = self.plis.iter().any(|at| late.opened_at.is_some_and(|opened| at + 500 >= opened));
            assert!(asked || late.opened_before == 0, "{:?}, opened at {:?}", self.plis, late.opened_at);
        }
    }
}

const HEARD: u32 = 0xD000_0000;
const HELD_MAX_MS: u64 = 300;
