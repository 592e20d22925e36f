//! A storm of key frame requests: fifty consumers ask at once, again and again.
//!
//! The camera sees at most one request in the delay that its producer was made with, and yet everybody who asked gets a
//! key frame soon after. The seed chooses the delay, how consumers spread over transports, who asks when and how, how
//! long the camera takes to answer, and when it does not answer at all.

use tidegate_protocol::ids::{ConsumerId, ProducerId};
use tidegate_protocol::request::Command;

use super::draw::Draw;
use super::ear::listen;
use super::{Scenario, Tally};
use crate::world::parameters::Stream;
use crate::world::peer::{CONSUMED, Receiver, Sender, address, receiver};
use crate::world::rtcp::Rtcp;
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "key_frame_storm",
    proves: "however many ask however often, the sender sees the merged rate and everybody gets a key frame",
    run,
};

/// One of the fifty.
struct Asker {
    receiver: Receiver,
    consumer: ConsumerId,
    ssrc: u32,
    plis: u64,
    firs: u64,
    /// Since when it has been waiting for a key frame, in milliseconds.
    waits_since: Option<u64>,
    served: u64,
}

struct Storm {
    world: World,
    draw: Draw,
    camera: Sender,
    producer: ProducerId,
    delay_ms: u64,
    answer_ms: u64,
    askers: Vec<Asker>,
    /// When requests reached the camera.
    requests: Vec<u64>,
    /// When the camera will have encoded a key frame.
    answer_at: Option<u64>,
    /// It does not hear.
    is_deaf: bool,
    key_frames: u64,
}

fn run(seed: u64) -> Tally {
    let mut draw = Draw::of(seed);
    let mut world = World::from(Beginning::of(seed));
    let router = world.router();
    let inbound = world.comedia(router);
    let fir_only = draw.chance(300);
    let source = Stream { pli: !fir_only, fir: fir_only, ..Stream::vp8(0x1111) };
    let (producer, delay_ms) = produce(&mut world, &mut draw, inbound.id, &source);
    let mut camera = Sender::new(address(1, 4_000), inbound.rtp, source.clone());
    let answer_ms = draw.millis(5, 200);
    camera.sends_key_frame(&mut world);
    let mut askers = Vec::new();
    let per_transport = draw.count(1, 50);
    while askers.len() < ASKERS {
        let host = 10 + u8::try_from(askers.len()).expect("few");
        let (plain, receiver) = receiver(&mut world, router, address(host, 5_000));
        for _ in 0..per_transport.min(ASKERS - askers.len()) {
            let ssrc = CONSUMED + u32::try_from(askers.len()).expect("few");
            let consumer = world.consume(plain.id, producer, &source, &source.consumed_as(ssrc));
            let waits_since = Some(world.elapsed_ms());
            askers.push(Asker { receiver, consumer, ssrc, plis: 0, firs: 0, waits_since, served: 0 });
        }
    }
    let (requests, answer_at, is_deaf, key_frames) = (Vec::new(), None, false, 0);
    let storm = Storm {
        world,
        draw,
        camera,
        producer,
        delay_ms,
        answer_ms,
        askers,
        requests,
        answer_at,
        is_deaf,
        key_frames,
    };
    storm.told()
}

fn produce(
    world: &mut World,
    draw: &mut Draw,
    transport: tidegate_protocol::ids::TransportId,
    source: &Stream,
) -> (ProducerId, u64) {
    let delay = draw.pick(&[0, 100, 500, 1_000, 1_700]);
    let producer = ProducerId(world.new_id());
    let mut produce = source.produce(transport, producer);
    if let Command::Produce { key_frame_request_delay_ms, .. } = &mut produce {
        *key_frame_request_delay_ms = delay;
    }
    world.request(produce).expect("a good request");
    (producer, if delay == 0 { 500 } else { delay.into() })
}

impl Storm {
    fn told(mut self) -> Tally {
        for _ in 0..self.draw.count(3, 6) {
            let all_at_once = self.draw.chance(500);
            for asker in 0..self.askers.len() {
                self.asks(asker);
                if !all_at_once && self.draw.chance(100) {
                    let gap = self.draw.millis(1, 60);
                    self.passes(gap);
                }
            }
            let pause = u32::try_from(self.delay_ms * 3 / 2).expect("short");
            let pause = self.draw.millis(100, pause);
            self.passes(pause);
        }
        self.passes(2 * self.delay_ms + self.answer_ms + 100);
        self.everybody_was_served();
        self.a_deaf_camera_is_asked_once_more();
        self.counts_agree();
        std::mem::take(&mut self.world).finish()
    }

    fn asks(&mut self, index: usize) {
        let asker = &mut self.askers[index];
        asker.waits_since.get_or_insert_with(|| self.world.elapsed_ms());
        match self.draw.between(0, 2) {
            0 => {
                asker.plis += 1;
                let pli = Rtcp::Pli { sender: 1, media: asker.ssrc };
                asker.receiver.sends_rtcp(&mut self.world, &[pli]);
            }
            1 => {
                asker.firs += 1;
                let sequence = u8::try_from(asker.firs % 256).expect("below 256");
                let fir = Rtcp::Fir { sender: 1, media: asker.ssrc, sequence };
                asker.receiver.sends_rtcp(&mut self.world, &[fir]);
            }
            _ => self.world.done(Command::RequestKeyFrame { consumer: asker.consumer }),
        }
        self.camera_hears();
    }

    /// Time passes in steps of 10 ms, with a frame in each third.
    fn passes(&mut self, millis: u64) {
        let end = self.world.elapsed_ms() + millis;
        while self.world.elapsed_ms() < end {
            let now = self.world.elapsed_ms();
            if self.answer_at.is_some_and(|at| at <= now) {
                self.answer_at = None;
                self.key_frames += 1;
                self.camera.sends_frame_of(&mut self.world, true, &[300, 100]);
                self.everybody_looks();
            } else if now % 30 < 10 {
                self.camera.sends_frame_of(&mut self.world, false, &[100]);
            }
            self.world.run_for(10.min(end - now));
            self.camera_hears();
        }
    }

    fn camera_hears(&mut self) {
        let stream = &self.camera.stream;
        let heard = listen(&mut self.world, self.camera.address);
        let unwanted = |packet: &Rtcp| match packet {
            Rtcp::Pli { .. } => !stream.pli,
            Rtcp::Fir { .. } => !stream.fir,
            _ => false,
        };
        assert!(!heard.rtcp.iter().any(|(_, packet)| unwanted(packet)), "not what was agreed: {heard:?}");
        for at in heard.key_frame_requests(stream.ssrc) {
            let early = self.requests.last().filter(|last| at < *last + self.delay_ms);
            assert_eq!(early, None, "one request in {} ms, and now is {at}", self.delay_ms);
            self.requests.push(at);
            if !self.is_deaf {
                self.answer_at.get_or_insert(at + self.answer_ms);
            }
        }
    }

    /// A key frame was sent: who waited has it, in full.
    fn everybody_looks(&mut self) {
        let (now, patience) = (self.world.elapsed_ms(), self.delay_ms + self.answer_ms + 30);
        let timestamp = self.camera.timestamp.wrapping_sub(self.camera.stream.clock_rate / 30);
        for first in 0..self.askers.len() {
            let got = self.askers[first].receiver.gets(&mut self.world);
            let address = self.askers[first].receiver.address;
            for asker in self.askers.iter_mut().filter(|asker| asker.receiver.address == address) {
                let key = got.iter().filter(|packet| {
                    packet.ssrc == asker.ssrc && packet.timestamp == timestamp && packet.payload.len() > 1
                });
                if key.count() == 2 {
                    asker.served += 1;
                    let waited = asker.waits_since.take().map_or(0, |since| now - since);
                    assert!(waited <= patience, "{waited} ms is longer than {patience}");
                }
            }
        }
    }

    fn everybody_was_served(&self) {
        for asker in &self.askers {
            assert_eq!(asker.waits_since, None, "{:#x} waits", asker.ssrc);
            assert_eq!(asker.served, self.key_frames, "everybody gets every key frame");
        }
        let most = self.world.elapsed_ms() / self.delay_ms + 1;
        assert!(self.requests.len() as u64 <= most, "{} requests, {most} would do", self.requests.len());
        assert!(self.requests.len() > 1 && self.key_frames > 1);
    }

    /// Whoever does not answer is asked a second time and then left alone, until somebody asks again.
    fn a_deaf_camera_is_asked_once_more(&mut self) {
        self.is_deaf = true;
        self.passes(self.delay_ms);
        let before = self.requests.len();
        self.asks(0);
        self.passes(10_000 + self.delay_ms);
        assert_eq!(self.requests.len(), before + 2, "{:?}", self.requests);
        let apart = self.requests[before + 1] - self.requests[before];
        let patience = self.delay_ms.max(1_000);
        assert!((patience..=patience + GRID_MS).contains(&apart), "{apart} ms, {patience} is the least");
    }

    fn counts_agree(&mut self) {
        for asker in &self.askers {
            let stats = self.world.consumer_stats(asker.consumer).own;
            assert_eq!((stats.pli_count, stats.fir_count), (asker.plis, asker.firs));
        }
        let stats = self.world.producer_stats(self.producer);
        assert_eq!(stats.pli_count + stats.fir_count, self.requests.len() as u64);
        assert!(stats.pli_count == 0 || stats.fir_count == 0);
    }
}

const ASKERS: usize = 50;
/// Timers are due on a grid, so that they share wake-ups.
const GRID_MS: u64 = 20;
