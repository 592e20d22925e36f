//! A stream that speaks for seconds and is silent for hours, so that everything that wraps does so several times.
//!
//! Knows the bed's hand-driven peers and a model whose numbers are wide enough. Called once a seed.

use super::super::Tally;
use super::super::draw::Draw;
use super::super::ear::listen;
use crate::world::parameters::Stream;
use crate::world::peer::Call;
use crate::world::rtcp::{Block, Rtcp};
use crate::world::rtp::RtpPacket;
use crate::world::{Beginning, World};

/// See the module.
pub(super) fn speaks_for_weeks(seed: u64) -> Tally {
    let mut story = Story::begins(seed);
    for _ in 0..BURSTS {
        story.speaks();
        story.is_reported_on();
        story.is_silent();
    }
    story.everything_wrapped();
    story.world.finish()
}

struct Story {
    world: World,
    draw: Draw,
    call: Call,
    rate: u32,
    first_timestamp: u32,
    /// The next packet's number; the low 16 bits are on the wire.
    next: u64,
    /// The first packet's.
    first: u64,
    /// The highest that was sent.
    highest: u64,
    /// Packets that the worker received, copies included.
    received: u64,
    copies: u64,
    /// Packets that came to the receiver, and their payload bytes.
    forwarded: u32,
    forwarded_bytes: u32,
    /// What is added to a number.
    base: Option<u16>,
}

impl Story {
    fn begins(seed: u64) -> Self {
        let mut draw = Draw::of(seed);
        // Compact NTP times wrap between the first report and its answer; in some seeds NTP's era ends there too.
        let wall_seconds = draw.pick(&[0xE877_FFFE, u32::MAX - 1]);
        let mut world = World::from(Beginning { wall_seconds, ..Beginning::of(seed) });
        let sound = |mime_type, clock_rate| Stream { mime_type, clock_rate, ..Stream::opus(0x2222) };
        let streams = [
            Stream::vp8(0x1111),
            sound("audio/opus", 48_000),
            sound("audio/PCMU", 8_000),
            sound("audio/SILK", 16_000),
            Stream { nack: true, ..sound("audio/multiopus", 48_000) },
        ];
        let stream = streams[draw.index(streams.len())].clone();
        let call = Call::of(&mut world, &stream);
        let first = 0x1_0000 - u64::from(draw.between(1, 300));
        let first_timestamp = 0u32.wrapping_sub(draw.between(1, stream.clock_rate * 3));
        Self {
            world,
            draw,
            rate: stream.clock_rate,
            call,
            first_timestamp,
            next: first,
            first,
            highest: first,
            received: 0,
            copies: 0,
            forwarded: 0,
            forwarded_bytes: 0,
            base: None,
        }
    }

    /// Some seconds of packets at a steady pace. Numbers are jumped over, packets swapped with the next and doubled; most
    /// of all around the edge.
    fn speaks(&mut self) {
        let mut held: Option<RtpPacket> = None;
        for _ in 0..PACKETS {
            let is_near_edge = self.next.wrapping_add(4) & 0xFFFF < 8;
            let may_jump = self.base.is_some() && held.is_none() && !is_near_edge;
            if may_jump && self.draw.chance(480) {
                self.next += u64::from(self.draw.between(1, 1_400));
            }
            let packet = self.packet();
            let swaps = self.draw.chance(if is_near_edge { 500 } else { 100 });
            match held.take() {
                // The first of all is not overtaken: a stream begins with what comes first.
                None if swaps && self.base.is_some() => held = Some(packet),
                None => self.sends(packet),
                Some(earlier) => {
                    self.sends(packet);
                    self.sends(earlier);
                }
            }
            self.world.run_for(20);
        }
        if let Some(last) = held {
            self.sends(last);
        }
    }

    fn packet(&mut self) -> RtpPacket {
        let sender = &mut self.call.sender;
        sender.sequence = low(self.next);
        self.highest = self.next;
        self.next += 1;
        let ticks = self.world.elapsed_ms() * u64::from(self.rate) / 1_000;
        sender.timestamp =
            self.first_timestamp.wrapping_add(u32::try_from(ticks & 0xFFFF_FFFF).expect("masked"));
        match sender.stream.pli {
            true => sender.frame(self.base.is_none(), &[60]).remove(0),
            false => sender.sound(),
        }
    }

    /// It comes once, as it was, under a number that differs by what it always differs by.
    fn sends(&mut self, packet: RtpPacket) {
        let copies = usize::from(self.draw.chance(50));
        self.call.sender.sends(&mut self.world, &vec![packet.clone(); 1 + copies]);
        self.received += 1 + copies as u64;
        self.copies += copies as u64;
        let got = self.call.receiver.gets(&mut self.world);
        assert_eq!(got.len(), 1, "{packet:?} came as {got:?}");
        assert_eq!((got[0].timestamp, &got[0].payload), (packet.timestamp, &packet.payload));
        let base = got[0].sequence.wrapping_sub(packet.sequence);
        assert_eq!(base, *self.base.get_or_insert(base), "{packet:?} came as {}", got[0].sequence);
        self.forwarded += 1;
        self.forwarded_bytes += u32::try_from(packet.payload.len()).expect("short");
    }

    /// What the worker says to both, and what it makes of their answers.
    fn is_reported_on(&mut self) {
        listen(&mut self.world, self.call.sender.address);
        listen(&mut self.world, self.call.receiver.address);
        let said_at = self.world.elapsed_ms();
        if self.draw.chance(500) {
            self.sender_reports();
        }
        self.world.run_for(1_600);
        let about = listen(&mut self.world, self.call.sender.address).rtcp;
        let block = about.iter().find_map(|(_, packet)| match packet {
            Rtcp::ReceiverReport { blocks, .. } => blocks.first().copied(),
            _ => None,
        });
        self.is_right(&block.expect("the sender is reported on"));
        let from = listen(&mut self.world, self.call.receiver.address).rtcp;
        let report = from.iter().find(|(_, packet)| matches!(packet, Rtcp::SenderReport { .. }));
        let (at, report) = report.expect("the receiver hears a report");
        assert!(*at >= said_at);
        let last_sr = self.describes_the_stream(*at, report);
        self.round_trip_is_measured(*at, last_sr);
    }

    fn sender_reports(&mut self) {
        let (ssrc, ntp) = (self.call.sender.stream.ssrc, self.world.wall());
        let ticks = self.world.elapsed_ms() * u64::from(self.rate) / 1_000;
        let timestamp =
            self.first_timestamp.wrapping_add(u32::try_from(ticks & 0xFFFF_FFFF).expect("masked"));
        let report = Rtcp::SenderReport { ssrc, ntp, timestamp, packets: 1, bytes: 1, blocks: Vec::new() };
        self.call.sender.sends_rtcp(&mut self.world, &[report]);
    }

    /// The block about the sender's stream says what the model knows (RFC 3550 6.4.1).
    fn is_right(&self, block: &Block) {
        assert_eq!(block.ssrc, self.call.sender.stream.ssrc);
        let cycles = self.highest - (self.first & !0xFFFF);
        assert_eq!(
            u64::from(block.extended_highest),
            cycles,
            "cycles since the first packet, and its number"
        );
        let expected = self.highest - self.first + 1;
        let lost = i64::try_from(expected).expect("few") - i64::try_from(self.received).expect("few");
        assert_eq!(i64::from(block.cumulative_lost), lost, "{} copies came", self.copies);
        // Packets are swapped with the next, 20 ms later, and nothing else delays them.
        assert!(block.jitter <= self.rate / 40, "jitter {} at {} Hz", block.jitter, self.rate);
    }

    /// A sender report ties the stream's time to the wall's, wherever both are. Its compact time.
    fn describes_the_stream(&self, at: u64, report: &Rtcp) -> u32 {
        let Rtcp::SenderReport { ssrc, ntp, timestamp, packets, bytes, .. } = report else { unreachable!() };
        assert_eq!(*ssrc, self.call.received.ssrc);
        assert_eq!((*packets, *bytes), (self.forwarded, self.forwarded_bytes));
        let ticks = at * u64::from(self.rate) / 1_000;
        let due = self.first_timestamp.wrapping_add(u32::try_from(ticks & 0xFFFF_FFFF).expect("masked"));
        let apart = timestamp.wrapping_sub(due).cast_signed().unsigned_abs();
        assert!(apart <= self.rate / 20, "the report is {apart} ticks of {} Hz off", self.rate);
        let ago = (self.world.wall().wrapping_sub(*ntp)) >> 16;
        let since = (self.world.elapsed_ms() - at) * 65_536 / 1_000;
        assert!(ago.abs_diff(since) <= 70, "the report is of its own moment: {ago} {since}");
        u32::try_from(ntp >> 16 & 0xFFFF_FFFF).expect("masked")
    }

    /// The receiver answers after a while; the rest of the time was spent on the way.
    fn round_trip_is_measured(&mut self, at: u64, last_sr: u32) {
        let on_the_way = self.draw.millis(1, 900);
        self.world.run_for(on_the_way);
        let since = self.world.elapsed_ms() - at;
        let delay = u32::try_from((since - on_the_way) * 65_536 / 1_000).expect("short");
        let extended_highest = self.draw.u32();
        let block =
            Block { ssrc: self.call.received.ssrc, last_sr, delay, extended_highest, ..Block::default() };
        self.call
            .receiver
            .sends_rtcp(&mut self.world, &[Rtcp::ReceiverReport { ssrc: 1, blocks: vec![block] }]);
        let measured = self.world.consumer_stats(self.call.consumer).own.round_trip_time_us;
        // A report in the very tick of a wrap cannot be told from none (RFC 3550 6.4.1: LSR is zero without one).
        let is_right = last_sr == 0 || measured.abs_diff(on_the_way * 1_000) <= 1_000;
        assert!(is_right, "{measured} µs, it took {on_the_way} ms, {last_sr}");
    }

    /// For up to nearly half of what timestamps can tell.
    fn is_silent(&mut self) {
        let wrap_ms = (1u64 << 32) * 1_000 / u64::from(self.rate);
        let hundredths = u64::from(self.draw.between(10, 45));
        self.world.run_for(wrap_ms / 100 * hundredths);
        assert_eq!(self.world.packets_in_use(), 0);
        listen(&mut self.world, self.call.sender.address);
    }

    fn everything_wrapped(&self) {
        let sequence_wraps = (self.highest >> 16) - (self.first >> 16);
        let ticks = self.world.elapsed_ms() * u64::from(self.rate) / 1_000;
        let timestamp_wraps = (ticks + u64::from(self.first_timestamp)) >> 32;
        assert!(sequence_wraps >= 3 && timestamp_wraps >= 3, "{sequence_wraps} {timestamp_wraps}");
    }
}

fn low(number: u64) -> u16 {
    u16::try_from(number & 0xFFFF).expect("masked")
}

const BURSTS: usize = 16;
const PACKETS: usize = 50;
