//! The sending side against a plain model: numbers without holes of our own making, and every NACK answered or not as
//! the rules of the history say, in the bytes of the first sending.
//!
//! One camera with loss, reordering, duplicates, padding, restarts and pauses; three receivers of it: one with RTX, one
//! without, one that may not ask at all.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

mod model;

use tidegate_protocol::request::Command;
use tidegate_tests::world::parameters::{ABS_SEND_TIME, Stream, TRANSPORT_WIDE_CC};
use tidegate_tests::world::peer::{CONSUMED, Call, Sender, address, receiver};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::rtp::RtpPacket;
use tidegate_tests::world::{Beginning, World, seed_bytes};
use tidegate_worker::random::Random;

use model::{Answers, Camera, Peer};

const CAMERA: u32 = 0x1111;

/// A world in which everything happens by dice.
struct Story {
    world: World,
    dice: Random,
    sender: Sender,
    call: Call,
    camera: Camera,
    peers: Vec<Peer>,
    /// Packets under way, with how many frames will overtake them.
    held_back: Vec<(u32, RtpPacket)>,
    wants_key_frame: bool,
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut world = World::from(Beginning::of(seed));
        let source = Stream::vp8(CAMERA).without_nack();
        let received = |index: u32, nack| {
            let stream = Stream { nack, ..source.consumed_as(CONSUMED + index) };
            stream.with_extensions(&[(ABS_SEND_TIME, 2), (TRANSPORT_WIDE_CC, 3)])
        };
        let call = Call::with(&mut world, &source, &received(0, true));
        let mut peers = vec![Peer::new(call.receiver, call.consumer, CONSUMED, Answers::AsFirstSent)];
        for (index, answers) in [(1, Answers::AsRtx), (2, Answers::Never)] {
            let mut stream = received(index, answers == Answers::AsRtx);
            if answers == Answers::AsRtx {
                stream = stream.with_rtx(CONSUMED + 100);
            }
            let host = u8::try_from(index).unwrap() + 5;
            let (plain, receiver) = receiver(&mut world, call.router, address(host, 5_000));
            let consumer = world.consume(plain.id, call.producer, &source, &stream);
            peers.push(Peer::new(receiver, consumer, stream.ssrc, answers));
        }
        let sender = call.sender.clone();
        let dice = Random::from_seed(seed_bytes(seed + 77));
        let camera = Camera::new();
        Self { world, dice, sender, call, camera, peers, held_back: Vec::new(), wants_key_frame: true }
    }

    fn chance(&mut self, permille: u32) -> bool {
        self.dice.in_range(0, 999) < permille
    }

    /// One frame, of which some packets get lost, are overtaken or come twice.
    fn films(&mut self) {
        let is_key = std::mem::take(&mut self.wants_key_frame) || self.chance(10);
        let count = self.dice.in_range(1, 40);
        let mut arriving = Vec::new();
        for index in 0..count {
            let mut packet = self.sender.packet(self.camera.payload(is_key, index == 0));
            packet.marker = index + 1 == count;
            if index > 0 && self.chance(20) {
                packet.payload.clear();
                packet.padding = 60;
            }
            match self.dice.in_range(0, 999) {
                0..10 => self.camera.is_out_of_order(),
                10..40 => {
                    self.camera.is_out_of_order();
                    self.held_back.push((self.dice.in_range(0, 30), packet));
                }
                40..60 => arriving.extend([packet.clone(), packet]),
                _ => arriving.push(packet),
            }
        }
        self.sender.timestamp = self.sender.timestamp.wrapping_add(3_000);
        let due = self.held_back.extract_if(.., |(overtaken, _)| *overtaken == 0);
        arriving.extend(due.map(|(_, packet)| packet));
        self.held_back.iter_mut().for_each(|(overtaken, _)| *overtaken -= 1);
        if self.chance(30) {
            arriving.reverse();
            self.camera.frame_is_out_of_order(count);
        }
        self.camera.admits(&arriving, self.world.elapsed_ms());
        self.sender.sends(&mut self.world, &arriving);
        self.wants_key_frame |= self.sender.plis(&mut self.world) > 0;
        for peer in &mut self.peers {
            peer.takes_media(&mut self.world, &self.camera);
        }
    }

    /// A NACK of numbers that were sent lately, long ago or never, some twice.
    fn asks(&mut self) {
        let index = self.dice.in_range(0, 2) as usize;
        let newest = self.peers[index].newest();
        let far = [30, 1_000, 4_000, 65_535][self.dice.in_range(0, 3) as usize];
        let count = self.dice.in_range(1, 30);
        let numbers: Vec<u16> = (0..count)
            .map(|_| newest.wrapping_add(20).wrapping_sub(u16::try_from(self.dice.in_range(0, far)).unwrap()))
            .collect();
        let retain = self.camera.retain();
        self.peers[index].asks(&mut self.world, &self.camera, &numbers, retain);
    }

    /// A report by which somebody's round trip is another.
    fn reports(&mut self) {
        let index = self.dice.in_range(0, 2) as usize;
        let millis = [1, 30, 120, 300, 900, 5_000][self.dice.in_range(0, 5) as usize];
        let now = u32::try_from(self.world.wall() >> 16 & 0xFFFF_FFFF).unwrap();
        let last_sr = now.wrapping_sub(millis * 65_536 / 1_000);
        let peer = &mut self.peers[index];
        let block = Block { ssrc: peer.ssrc, last_sr, ..Block::default() };
        peer.receiver.sends_rtcp(&mut self.world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
        let micros = self.world.consumer_stats(peer.consumer).own.round_trip_time_us;
        peer.round_trip_ms = Some(micros / 1_000);
        self.camera.note_retention(&self.peers, self.world.elapsed_ms());
    }

    fn something_else(&mut self) {
        match self.dice.in_range(0, 5) {
            0 => {
                self.sender.sequence = self.sender.sequence.wrapping_add(20_000);
                self.sender.timestamp = self.dice.next_u32();
                self.camera.restarts();
                self.held_back.clear();
            }
            1 => {
                let producer = self.call.producer;
                self.world.done(Command::PauseProducer { producer });
                self.world.run_for(self.dice.in_range(0, 900).into());
                self.world.done(Command::ResumeProducer { producer });
                self.peers.iter_mut().for_each(Peer::forgets);
                self.camera.restarts();
            }
            2 => self.world.run_for(3_000),
            _ => {
                let index = self.dice.in_range(0, 2) as usize;
                let consumer = self.peers[index].consumer;
                self.world.done(Command::PauseConsumer { consumer });
                self.world.done(Command::ResumeConsumer { consumer });
                self.peers[index].forgets();
                self.camera.restarts();
            }
        }
        self.wants_key_frame = true;
    }

    fn step(&mut self) {
        match self.dice.in_range(0, 999) {
            0..790 => self.films(),
            790..900 => self.asks(),
            900..985 => {
                let millis = self.dice.in_range(1, 40);
                self.world.run_for(millis.into());
            }
            985..996 => self.reports(),
            _ => self.something_else(),
        }
        if self.chance(600) {
            self.world.run_for(1 + u64::from(self.dice.in_range(0, 30)));
        }
    }
}

#[test]
fn numbers_and_resends_are_those_of_the_model() {
    for seed in 1..=2 {
        let mut story = Story::new(seed);
        for _ in 0..4_200 {
            story.step();
        }
        assert_eq!(story.world.metric("resends_refused"), 0, "the dice are no storm");
        for peer in &story.peers {
            peer.check_numbers(&story.camera);
            assert!(peer.wraps() >= 1, "{} wraps", peer.wraps());
            let expected = if peer.answers == Answers::Never { 0..1 } else { 200..usize::MAX };
            assert!(expected.contains(&peer.answered), "seed {seed}: {} answers", peer.answered);
        }
    }
}
