//! The peers at both ends of a call, and what each counts of what it sends and gets.
//!
//! Knows packets and RTCP. Does not know what the worker tells of them: `main.rs` compares.

use std::collections::BTreeMap;

use tidegate_protocol::stats::{RtpStreamStats, Traffic};
use tidegate_tests::world::peer::{CONSUMED, Call, Sender};
use tidegate_tests::world::rtcp::{Block, Rtcp};
use tidegate_tests::world::rtp::{RtpPacket, RtpView};
use tidegate_tests::world::{World, is_rtcp, rtcp};

pub(crate) const CAMERA: u32 = 0x1111;
pub(crate) const CAMERA_RTX: u32 = 0x1112;
pub(crate) const CONSUMED_RTX: u32 = 0xC000_0002;
pub(crate) const WIDE: u8 = 5;

/// What one end counts in one direction: when, and how many bytes.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<(u64, u64)>);

impl Tally {
    pub(crate) fn add(&mut self, at_ms: u64, bytes: usize) {
        self.0.push((at_ms, bytes as u64));
    }

    pub(crate) fn packets(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Bits per second over the last `window_ms`.
    pub(crate) fn bitrate(&self, now_ms: u64, window_ms: u64) -> u64 {
        let recent = self.0.iter().filter(|(at, _)| at + window_ms > now_ms);
        recent.map(|(_, bytes)| bytes).sum::<u64>() * 8_000 / window_ms
    }

    pub(crate) fn assert_is(&self, told: Traffic, now_ms: u64, what: &str) {
        assert_eq!((told.packets, told.bytes), (self.packets(), self.bytes()), "{what}");
        let bitrate = self.bitrate(now_ms, 1_000);
        // Of what comes seldom, one packet may be in a slot that is just leaving.
        let slack = self.0.iter().map(|(_, bytes)| bytes * 8).max().unwrap_or(0).max(bitrate / 20);
        assert!(
            told.bitrate.abs_diff(bitrate) <= slack,
            "{what}: {} is told, {bitrate} counted",
            told.bitrate
        );
    }

    pub(crate) fn assert_is_stream(&self, told: &RtpStreamStats, now_ms: u64) {
        assert_eq!(
            (told.packet_count, told.byte_count),
            (self.packets(), self.bytes()),
            "{:?}",
            told.direction
        );
        assert_close(told.bitrate, self.bitrate(now_ms, 2_500), "the stream's rate");
    }
}

/// Within a twentieth, as the worker's windows end with slots.
pub(crate) fn assert_close(told: u64, counted: u64, what: &str) {
    assert!(told.abs_diff(counted) <= counted / 20, "{what}: {told} is told, {counted} counted");
}

/// Who sends, and what it counts.
pub(crate) struct Camera {
    pub(crate) sender: Sender,
    pub(crate) wide: u16,
    /// Everything, RTCP included.
    pub(crate) all: Tally,
    pub(crate) rtp: Tally,
    pub(crate) rtx: Tally,
    /// What media came of it: payloads that came the first time, as if no RTX were needed.
    pub(crate) media: Tally,
    pub(crate) lost: BTreeMap<u16, RtpPacket>,
    pub(crate) lost_numbers: usize,
    pub(crate) copies: u64,
    pub(crate) useless_rtx: u64,
    pub(crate) repaired: u64,
    pub(crate) transit: Option<u32>,
    pub(crate) jitter_16: u32,
    pub(crate) heard: Tally,
    pub(crate) nacks: u64,
    pub(crate) nacked: u64,
    pub(crate) plis: u64,
    pub(crate) newest_block: Block,
    pub(crate) reference: Option<(u32, u64)>,
}

impl Camera {
    pub(crate) fn new(sender: Sender) -> Self {
        Self {
            sender,
            wide: 65_000,
            all: Tally::default(),
            rtp: Tally::default(),
            rtx: Tally::default(),
            media: Tally::default(),
            lost: BTreeMap::new(),
            lost_numbers: 0,
            copies: 0,
            useless_rtx: 0,
            repaired: 0,
            transit: None,
            jitter_16: 0,
            heard: Tally::default(),
            nacks: 0,
            nacked: 0,
            plis: 0,
            newest_block: Block::default(),
            reference: None,
        }
    }

    pub(crate) fn numbered(&mut self, packet: RtpPacket) -> RtpPacket {
        let value = self.wide.to_be_bytes().to_vec();
        self.wide = self.wide.wrapping_add(1);
        RtpPacket { extensions: vec![(WIDE, value)], ..packet }
    }

    /// A packet for the first time, which may be lost.
    pub(crate) fn sends(&mut self, world: &mut World, packet: RtpPacket, is_lost: bool) {
        let packet = self.numbered(packet);
        if is_lost {
            self.lost.insert(packet.sequence, packet);
            self.lost_numbers += 1;
            return;
        }
        let now = world.elapsed_ms();
        let bytes = packet.write();
        if !packet.payload.is_empty() {
            self.media.add(now, bytes.len());
        }
        let arrival = u128::from(world.now().as_micros()) * 90_000 / 1_000_000;
        let transit = u32::try_from(arrival & 0xFFFF_FFFF).unwrap().wrapping_sub(packet.timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let step = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            self.jitter_16 = self.jitter_16 + step - ((self.jitter_16 + 8) >> 4);
        }
        self.puts(world, bytes, false);
    }

    /// The same packet twice.
    pub(crate) fn sends_copy(&mut self, world: &mut World, packet: &RtpPacket) {
        self.copies += 1;
        let copy = self.numbered(packet.clone());
        self.puts(world, copy.write(), false);
    }

    pub(crate) fn puts(&mut self, world: &mut World, bytes: Vec<u8>, is_rtx: bool) {
        let now = world.elapsed_ms();
        self.all.add(now, bytes.len());
        if is_rtx { &mut self.rtx } else { &mut self.rtp }.add(now, bytes.len());
        world.network.inject(self.sender.address, self.sender.to, bytes);
        world.receive();
    }

    pub(crate) fn says(&mut self, world: &mut World, packets: &[Rtcp]) {
        self.all.add(world.elapsed_ms(), rtcp::write(packets).len());
        self.sender.sends_rtcp(world, packets);
    }

    /// Takes in what the worker says, and answers requests for what was lost; each fourth of them twice.
    pub(crate) fn listens(&mut self, world: &mut World) {
        for sent in world.network.take_sent_to(self.sender.address) {
            self.heard.add(sent.at.as_millis() - 1_000_000, sent.bytes.len());
            for packet in rtcp::read(&sent.bytes).unwrap() {
                self.hears(world, packet);
            }
        }
    }

    pub(crate) fn hears(&mut self, world: &mut World, packet: Rtcp) {
        match packet {
            Rtcp::Nack { media: CAMERA, sequences, .. } => {
                self.nacks += 1;
                self.nacked += sequences.len() as u64;
                for sequence in sequences {
                    self.repairs(world, sequence);
                }
            }
            Rtcp::Pli { media: CAMERA, .. } => self.plis += 1,
            Rtcp::ReceiverReport { blocks, .. } => self.newest_block = blocks[0],
            Rtcp::ReferenceTime { ssrc, ntp } => self.reference = Some((ssrc, ntp)),
            _ => {}
        }
    }

    pub(crate) fn repairs(&mut self, world: &mut World, sequence: u16) {
        let Some(packet) = self.lost.remove(&sequence) else { return };
        self.repaired += 1;
        self.media.add(world.elapsed_ms(), packet.write().len());
        let times = if self.repaired.is_multiple_of(4) { 2 } else { 1 };
        for time in 0..times {
            let again = self.sender.retransmission(&packet);
            let again = self.numbered(again);
            self.puts(world, again.write(), true);
            self.useless_rtx += time;
        }
    }
}

/// Who receives, and what it counts.
#[derive(Default)]
pub(crate) struct Player {
    /// Everything, RTCP included.
    pub(crate) all: Tally,
    pub(crate) rtp: Tally,
    pub(crate) rtx: Tally,
    pub(crate) said: Tally,
    pub(crate) nacks: u64,
    pub(crate) nacked: u64,
    pub(crate) numbers: Vec<u16>,
    pub(crate) newest_report: (u32, u64),
}

impl Player {
    pub(crate) fn listens(&mut self, world: &mut World, call: &Call) {
        for sent in world.network.take_sent_to(call.receiver.address) {
            let at = sent.at.as_millis() - 1_000_000;
            self.all.add(at, sent.bytes.len());
            if is_rtcp(&sent.bytes) {
                for packet in rtcp::read(&sent.bytes).unwrap() {
                    if let Rtcp::SenderReport { packets, ntp, .. } = packet {
                        self.newest_report = (packets, ntp);
                    }
                }
                continue;
            }
            let packet = RtpView::read(&sent.bytes).unwrap();
            match packet.ssrc {
                CONSUMED => {
                    self.rtp.add(at, sent.bytes.len());
                    self.numbers.push(packet.sequence);
                }
                CONSUMED_RTX => self.rtx.add(at, sent.bytes.len()),
                other => panic!("a packet of {other:#x}"),
            }
        }
    }

    pub(crate) fn says(&mut self, world: &mut World, call: &Call, packets: &[Rtcp]) {
        self.said.add(world.elapsed_ms(), rtcp::write(packets).len());
        call.receiver.sends_rtcp(world, packets);
    }

    /// Asks again for the newest numbers.
    pub(crate) fn asks(&mut self, world: &mut World, call: &Call, count: usize) {
        self.nacks += 1;
        self.nacked += count as u64;
        let sequences = self.numbers[self.numbers.len() - count..].to_vec();
        self.says(world, call, &[Rtcp::Nack { sender: 1, media: CONSUMED, sequences }]);
    }
}
