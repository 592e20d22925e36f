//! Ten thousand SSRCs from one peer: what a transport learns is bounded, nobody else notices, and it is given back.
//!
//! The peer of one transport sends its camera's video and, beside it, packets under ever new SSRCs: without a name, with
//! the MID of one of the many microphones that were announced by it, with a MID or RID of nobody, and reports about
//! streams of nobody. A model says which of them a transport learns. Another call goes on in the same room.

use std::collections::BTreeMap;

use tidegate_protocol::bounded::Text;
use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::request::Command;

use super::draw::Draw;
use super::flow::{Flow, settle};
use super::{Scenario, Tally};
use crate::world::host::Plain;
use crate::world::parameters::{MID, RID, Stream};
use crate::world::peer::{CONSUMED, Call, Receiver, Sender, address, receiver};
use crate::world::rtcp::{Block, Rtcp};
use crate::world::{Beginning, World};

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "ssrc_flood",
    proves: "ten thousand SSRCs fill no table beyond its bound, disturb no stream, and leave no memory behind",
    run,
};

struct Story {
    world: World,
    draw: Draw,
    /// The flooded transport, its camera and who watches it.
    plain: Plain,
    camera: Sender,
    watcher: Receiver,
    watched: Flow,
    /// Somebody else's call.
    call: Call,
    other: Flow,
    /// Announced by MID only, by the number in their MID.
    microphones: BTreeMap<u32, ProducerId>,
    /// Which SSRC each is known by, and when it was heard of.
    learnt: BTreeMap<u32, (u32, u64)>,
    unknown: u64,
    last_ssrc: u32,
}

fn run(seed: u64) -> Tally {
    let mut story = Story::begins(seed);
    let announced = story.world.transport_dump(story.plain.id).ssrc_table.len();
    assert_eq!(announced, 1);
    let timers_before = story.world.metric("timers");
    let mut thrown = 0;
    while thrown < SSRCS {
        thrown += story.throws(100);
        story.media_flows();
    }
    story.everybody_spoke();
    story.tables_are_bounded(timers_before);
    story.another_takes_the_place_of_closed_ones();
    story.all_goes_back();
    story.world.finish()
}

impl Story {
    fn begins(seed: u64) -> Self {
        let mut draw = Draw::of(seed);
        let mut world = World::from(Beginning::of(seed));
        let mut call = Call::of(&mut world, &Stream::vp8(0x1111));
        let other = Flow::new(call.received.clone());
        let plain = world.connected(call.router, FLOODER.into());
        let source = Stream::vp8(0x2222).with_extensions(&[(MID, 1), (RID, 2)]);
        let camera_id = world.produce(plain.id, &source);
        let (seat, watcher) = receiver(&mut world, call.router, address(4, 5_000));
        let as_stream = source.consumed_as(CONSUMED + 1);
        world.consume(seat.id, camera_id, &source, &as_stream);
        let mut camera = Sender::new(FLOODER.into(), plain.rtp, source);
        (camera.sequence, call.sender.sequence) = (draw.u16(), draw.u16());
        let (microphones, learnt) = (BTreeMap::new(), BTreeMap::new());
        let watched = Flow::new(as_stream);
        let mut story = Self {
            world,
            draw,
            plain,
            camera,
            watcher,
            watched,
            call,
            other,
            microphones,
            learnt,
            unknown: 0,
            last_ssrc: 0x1000_0000,
        };
        let count = story.draw.between(100, 400);
        (0..count).for_each(|number| story.announces(number));
        story
    }

    fn announces(&mut self, number: u32) {
        let ssrc = 0xAA00_0000 + number;
        let stream = Stream { announced: false, ..Stream::opus(ssrc) }.with_extensions(&[(MID, 1), (RID, 2)]);
        let producer = ProducerId(self.world.new_id());
        let mut produce = stream.produce(self.plain.id, producer);
        if let Command::Produce { rtp_parameters, .. } = &mut produce {
            rtp_parameters.mid = Some(Text::clipped(&name(number)));
        }
        self.world.request(produce).expect("a good request");
        self.microphones.insert(number, producer);
    }

    /// Whom chance left out speaks now.
    fn everybody_spoke(&mut self) {
        let silent = self.microphones.keys().copied().filter(|number| !self.learnt.contains_key(number));
        for number in silent.collect::<Vec<_>>() {
            self.last_ssrc += 1;
            self.throws_packet(self.last_ssrc, Some(number));
        }
        self.world.receive();
    }

    /// So many datagrams under new SSRCs, all in one turn; how many.
    fn throws(&mut self, count: usize) -> usize {
        for _ in 0..count {
            self.last_ssrc += self.draw.between(1, 1_000);
            let ssrc = self.last_ssrc;
            match self.draw.between(0, 9) {
                0..=2 => self.throws_packet(ssrc, None),
                3..=6 => {
                    let number = self.draw.between(0, 449);
                    self.throws_packet(ssrc, Some(number));
                }
                7 => self.throws_named(ssrc, 2, "nobody".into()),
                _ => self.throws_reports(ssrc),
            }
        }
        self.world.receive();
        count
    }

    fn throws_packet(&mut self, ssrc: u32, mid: Option<u32>) {
        match mid {
            None => self.throws_bytes(ssrc, Vec::new()),
            Some(number) => {
                let now = self.world.elapsed_ms();
                let is_free = match self.learnt.get(&number) {
                    None => self.learnt.len() < LEARNT_MAX && self.microphones.contains_key(&number),
                    Some((_, heard)) => now >= heard + SILENT_AFTER_MS,
                };
                self.throws_named(ssrc, 1, name(number));
                if is_free {
                    self.learnt.insert(number, (ssrc, now));
                    self.unknown -= 1;
                }
            }
        }
    }

    fn throws_named(&mut self, ssrc: u32, extension: u8, name: String) {
        self.throws_bytes(ssrc, vec![(extension, name.into_bytes())]);
    }

    fn throws_bytes(&mut self, ssrc: u32, extensions: Vec<(u8, Vec<u8>)>) {
        let mut packet = Sender::new(self.camera.address, self.camera.to, Stream::opus(ssrc)).sound();
        packet.extensions = extensions;
        packet.sequence = self.draw.u16();
        self.world.network.inject(self.camera.address, self.camera.to, packet.write());
        self.unknown += 1;
    }

    fn throws_reports(&mut self, ssrc: u32) {
        let blocks = (0..31).map(|index| Block { ssrc: ssrc ^ index, last_sr: 1, ..Block::default() });
        let ntp = self.world.wall();
        let reports = [
            Rtcp::SenderReport { ssrc, ntp, timestamp: 1, packets: 1, bytes: 1, blocks: Vec::new() },
            Rtcp::ReceiverReport { ssrc: !ssrc, blocks: blocks.collect() },
            Rtcp::Cname { ssrc, cname: format!("{ssrc}") },
            Rtcp::Nack { sender: ssrc, media: !ssrc, sequences: vec![1, 2, 3] },
            Rtcp::Pli { sender: ssrc, media: !ssrc },
            Rtcp::Fir { sender: ssrc, media: !ssrc, sequence: 1 },
            Rtcp::ReferenceTime { ssrc, ntp },
            Rtcp::Bye { ssrc },
        ];
        let bytes = crate::world::rtcp::write(&reports);
        self.world.network.inject(self.camera.address, self.camera.to, bytes);
    }

    /// Both calls go on, and nothing is missing.
    fn media_flows(&mut self) {
        let is_key = self.draw.chance(100) || self.other.waits();
        for (sender, flow) in
            [(&mut self.camera, &mut self.watched), (&mut self.call.sender, &mut self.other)]
        {
            let sent = sender.sends_frame_of(&mut self.world, is_key, &self.draw.sizes(1, 3));
            flow.sent(&sent, is_key);
        }
        settle(&self.watcher.gets(&mut self.world), &mut [&mut self.watched]);
        settle(&self.call.receiver.gets(&mut self.world), &mut [&mut self.other]);
        self.world.run_for(33);
        self.camera.hears(&mut self.world);
        self.call.sender.hears(&mut self.world);
        assert!(self.world.packets_in_use() < 600, "{} packets", self.world.packets_in_use());
    }

    fn tables_are_bounded(&mut self, timers_before: u64) {
        let dump = self.world.transport_dump(self.plain.id);
        assert_eq!(dump.ssrc_table.len(), 1 + self.learnt.len(), "one announced, and what was learnt");
        assert_eq!(dump.mid_table.len(), self.microphones.len());
        assert!(self.learnt.len() <= LEARNT_MAX);
        assert!(self.learnt.len() == LEARNT_MAX.min(self.microphones.len()), "there were enough of each");
        for (number, (ssrc, _)) in &self.learnt {
            let producer = self.microphones[number];
            let entry = dump.ssrc_table.iter().find(|entry| entry.ssrc == *ssrc);
            assert_eq!(
                entry.map(|entry| entry.producer),
                Some(producer),
                "the first one wins until it is silent"
            );
        }
        let stats = self.world.transport_stats(self.plain.id);
        assert_eq!(stats.dropped.unknown_ssrc, self.unknown);
        assert_eq!((stats.dropped.wrong_source, stats.dropped.bad_header, stats.dropped.not_rtp), (0, 0, 0));
        let timers = self.world.metric("timers");
        // For its packets, for what consumers remember of them, and for its silence.
        let most = timers_before + 3 * self.learnt.len() as u64 + 10;
        assert!(timers <= most, "{timers} timers; three a stream would be {most}");
    }

    /// Closing makes room: names are free again, and what was learnt for them is forgotten.
    fn another_takes_the_place_of_closed_ones(&mut self) {
        let closed: Vec<u32> = self.microphones.keys().copied().filter(|_| self.draw.chance(500)).collect();
        for number in &closed {
            let producer = self.microphones.remove(number).expect("it is one of them");
            self.world.done(Command::CloseProducer { producer });
            self.learnt.remove(number);
        }
        let dump = self.world.transport_dump(self.plain.id);
        assert_eq!(dump.ssrc_table.len(), 1 + self.learnt.len());
        closed.iter().take(20).for_each(|number| self.announces(*number));
        for number in 0..450 {
            self.last_ssrc += 1;
            self.throws_packet(self.last_ssrc, Some(number));
        }
        self.world.receive();
        self.media_flows();
        let dump = self.world.transport_dump(self.plain.id);
        assert_eq!(dump.ssrc_table.len(), 1 + self.learnt.len());
        let learnt_again = closed.iter().take(20).filter(|number| self.learnt.contains_key(number));
        assert!(closed.is_empty() || learnt_again.count() > 0);
        assert_eq!(self.world.transport_stats(self.plain.id).dropped.unknown_ssrc, self.unknown);
    }

    /// When it is over nothing of it is left, and no timer.
    fn all_goes_back(&mut self) {
        for producer in std::mem::take(&mut self.microphones).into_values() {
            self.world.done(Command::CloseProducer { producer });
        }
        let dump = self.world.transport_dump(self.plain.id);
        assert_eq!((dump.ssrc_table.len(), dump.mid_table.len()), (1, 0));
        self.media_flows();
        self.world.run_for(30_000);
        assert_eq!(self.world.packets_in_use(), 0);
        assert_eq!(self.world.pool().charged_bytes, 0);
        assert!(!self.world.has_timers(), "an idle worker sleeps");
    }
}

fn name(number: u32) -> String {
    format!("m{number}")
}

const SSRCS: usize = 10_000;
/// What `media/demux.rs` promises.
const LEARNT_MAX: usize = 256;
/// What takes a stream's place must wait as long as that.
const SILENT_AFTER_MS: u64 = 1_500;
const FLOODER: ([u8; 4], u16) = ([192, 0, 2, 66], 4_000);
