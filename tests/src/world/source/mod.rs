//! An autonomous sender: a camera or a microphone that streams by its own schedule and answers what it is asked.
//!
//! Knows what a real sender does: frames of several packets, a bounded history from which NACKs are answered, key
//! frames on request, sender reports, answers to reference times. Written without the worker's wire code. Driven by
//! the world's run loop. It checks what it hears: that it is asked only for what it sent and what has not arrived, and
//! that reports about it make sense.
//! Invariant: packet `n` carries the payload of number `n`, and numbers are given in the order of sending, one each.

mod extensions;
mod options;
mod repair;
mod wraps;

pub use options::{Camera, Media, Pictures, SourceOptions};
pub use wraps::SourceWraps;

use std::net::SocketAddr;
use std::time::Duration;

use tidegate_worker::base::time::Time;
use tidegate_worker::random::Random;

use super::actors::Post;
use super::flights::Tag;
use super::payload::{self, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MIN, Prefix};
use super::rtcp::{self, Block, Rtcp};
use super::voice::{Says, Voice};
use extensions::Extensions;

/// What a source did and heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceStats {
    /// Packets sent, retransmissions apart.
    pub packets: u32,
    /// Payload bytes of these.
    pub payload_bytes: u32,
    /// Frames sent.
    pub frames: u32,
    /// Key frames among them.
    pub key_frames: u32,
    /// Numbers that it was asked for.
    pub nacked: u64,
    /// Packets sent again.
    pub retransmissions: u64,
    /// Numbers asked for that it remembers no more.
    pub forgotten: u64,
    /// PLI heard.
    pub plis: u64,
    /// FIR heard, repeats of one request not counted.
    pub firs: u64,
    /// The last report about it.
    pub last_report: Option<Block>,
    /// As the last report told it.
    pub round_trip: Option<Duration>,
    /// Packets, of those that it remembers no more, that never came to the worker; counted where repairs are
    /// [explained](SourceOptions::explains_losses).
    pub never_came: u64,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) number: u32,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) frame: u32,
    /// Place in its frame.
    pub(super) index: u16,
    /// Packets of its frame.
    pub(super) count: u16,
    pub(super) bytes: u16,
    pub(super) is_key_frame: bool,
    pub(super) prefix: Prefix,
    /// When the worker got it first.
    pub(super) arrived_at: Option<Time>,
    /// How often the worker asked for it, also when that was lost on its way.
    pub(super) asked: u8,
    /// The worker need not ask for it.
    pub(super) is_excused: bool,
}

impl Record {
    pub(super) fn is_last_of_frame(&self) -> bool {
        self.index + 1 == self.count
    }
}

/// An autonomous sender.
#[derive(Debug)]
pub struct Source {
    options: SourceOptions,
    id: u32,
    rtp_to: SocketAddr,
    rtcp_to: SocketAddr,
    random: Random,
    began_at: Time,
    next_frame_at: Option<Time>,
    next_report_at: Option<Time>,
    key_frame_wanted: bool,
    has_restarted: bool,
    /// What is added to a packet's number to make its sequence number.
    sequence_shift: u16,
    timestamp_shift: u32,
    rtx_sequence: u16,
    fir_sequence: Option<u8>,
    records: Vec<Record>,
    extensions: Extensions,
    /// What is lost now need not be asked for: its producer is paused.
    is_excused: bool,
    /// The first that came to the worker; what was lost before it is missed by nobody.
    first_arrived: Option<u32>,
    last_frame_at: Time,
    voice: Voice,
    /// Compact times of sent reports, the latest last.
    reported: Vec<u32>,
    /// The worker's last reference time: who, when by its clock, when by ours.
    reference: Option<(u32, u32, Time)>,
    stats: SourceStats,
    scratch: Vec<u8>,
}

impl Source {
    pub(super) fn new(
        options: SourceOptions,
        id: u32,
        to: (SocketAddr, SocketAddr),
        now: Time,
        mut random: Random,
    ) -> Self {
        let phase = Duration::from_micros(random.in_range(0, 20_000).into());
        let report_us = u32::try_from(options.report_every.as_micros()).unwrap_or(u32::MAX);
        let report_after = Duration::from_micros(random.in_range(50_000, report_us.max(50_001)).into());
        let extensions = Extensions::of(&options.stream);
        Self {
            id,
            rtp_to: to.0,
            rtcp_to: to.1,
            random,
            began_at: now + phase,
            next_frame_at: Some(now + phase),
            next_report_at: Some(now + phase + report_after),
            key_frame_wanted: true,
            has_restarted: false,
            sequence_shift: options.first_sequence,
            timestamp_shift: options.first_timestamp,
            rtx_sequence: options.first_rtx_sequence,
            fir_sequence: None,
            records: Vec::with_capacity(options.remembers.next_power_of_two()),
            extensions,
            is_excused: false,
            first_arrived: None,
            last_frame_at: now,
            voice: Voice::new(),
            reported: Vec::new(),
            reference: None,
            stats: SourceStats::default(),
            scratch: Vec::with_capacity(1_500),
            options,
        }
    }

    /// What it did and heard so far.
    pub fn stats(&self) -> SourceStats {
        self.stats
    }

    /// How it was set up.
    pub fn options(&self) -> &SourceOptions {
        &self.options
    }

    /// What is before its microphone from now on; at first nothing. Told to those who know the extension.
    pub fn says(&mut self, what: Says) {
        self.voice.says = what;
    }

    /// Sends no more media; still answers and reports.
    pub fn stop(&mut self) {
        self.next_frame_at = None;
    }

    /// Goes on after [`stop`](Self::stop), with a key frame, from `now` on.
    pub fn go_on(&mut self, now: Time) {
        self.next_frame_at = Some(now);
        self.key_frame_wanted = true;
    }

    /// Falls silent for ever, as one whose machine lost power.
    pub fn vanish(&mut self) {
        self.stop();
        self.next_report_at = None;
    }

    /// Begins anew under the same SSRC: the next packet has this number, the next frame this time.
    pub fn restart(&mut self, sequence: u16, timestamp: u32, now: Time) {
        self.sequence_shift = sequence.wrapping_sub(low(self.stats.packets));
        self.has_restarted = true;
        self.timestamp_shift = timestamp.wrapping_sub(self.clock_at(now).wrapping_sub(self.timestamp_shift));
        self.key_frame_wanted = true;
    }

    /// Numbers below are those of packets sent so far.
    pub(super) fn end(&self) -> u32 {
        self.stats.packets
    }

    /// What was sent under this number, if it is not too long ago.
    pub(super) fn record(&self, number: u32) -> Option<&Record> {
        self.records.get(self.place(number)).filter(|record| record.number == number)
    }

    pub(super) fn has_restarted(&self) -> bool {
        self.has_restarted
    }

    pub(super) fn is_video(&self) -> bool {
        matches!(self.options.media, Media::Camera(_))
    }

    /// The worker has this packet.
    pub(super) fn on_arrival(&mut self, number: u32, at: Time) {
        let place = self.place(number);
        if let Some(record) = self.records.get_mut(place).filter(|record| record.number == number) {
            record.arrived_at.get_or_insert(at);
            self.first_arrived.get_or_insert(number);
        }
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        match (self.next_frame_at, self.next_report_at) {
            (Some(frame), Some(report)) => Some(frame.min(report)),
            (frame, report) => frame.or(report),
        }
    }

    pub(super) fn on_timer(&mut self, post: &mut Post<'_>) {
        while let Some(at) = self.next_frame_at.filter(|at| *at <= post.now) {
            self.send_frame(at, post);
            self.next_frame_at = Some(self.frame_after(at));
        }
        if self.next_report_at.is_some_and(|at| at <= post.now) {
            self.report(post);
            self.next_report_at = Some(post.now + self.options.report_every);
        }
    }

    pub(super) fn on_rtcp(&mut self, packets: &[Rtcp], sent_at: Time, post: &mut Post<'_>) {
        let own = self.options.stream.ssrc;
        for packet in packets {
            match packet {
                Rtcp::Nack { media, sequences, .. } if *media == own => {
                    sequences.iter().for_each(|sequence| self.on_nack(*sequence, sent_at, post));
                }
                Rtcp::Pli { media, .. } if *media == own => {
                    self.stats.plis += 1;
                    self.key_frame_wanted = true;
                }
                Rtcp::Fir { media, sequence, .. } if *media == own => self.on_fir(*sequence),
                Rtcp::ReceiverReport { blocks, .. } | Rtcp::SenderReport { blocks, .. } => {
                    blocks.iter().filter(|block| block.ssrc == own).for_each(|b| self.on_report(b, post));
                }
                Rtcp::ReferenceTime { ssrc, ntp } => {
                    self.reference = Some((*ssrc, compact(*ntp), post.now));
                }
                _ => {}
            }
        }
    }

    fn frame_after(&self, at: Time) -> Time {
        match self.options.media {
            Media::Camera(camera) => {
                at + Duration::from_nanos(1_000_000_000 / u64::from(camera.frames.max(1)))
            }
            Media::Microphone { every, .. } => at + every,
        }
    }

    fn send_frame(&mut self, at: Time, post: &mut Post<'_>) {
        if let Some(level) = self.extensions.level() {
            *level = self.voice.next_level(&mut self.random);
        }
        self.last_frame_at = at;
        let frame = self.stats.frames;
        let (bytes, payload_max, pacing, is_key) = match self.options.media {
            Media::Microphone { bytes, .. } => (bytes, bytes.1, Duration::ZERO, false),
            Media::Camera(camera) => {
                let regular = camera.key_frame_every.is_some_and(|every| frame.is_multiple_of(every.max(1)));
                let is_key = regular || std::mem::take(&mut self.key_frame_wanted);
                let bytes = if is_key { camera.key_frame_bytes } else { camera.frame_bytes };
                (bytes, camera.payload_bytes_max, camera.pacing, is_key)
            }
        };
        let bytes = self.random.in_range(bytes.0, bytes.1).max(1);
        let count = bytes.div_ceil(payload_max.max(1));
        let timestamp = self.clock_at(at);
        self.stats.frames += 1;
        self.stats.key_frames += u32::from(is_key);
        for index in 0..count {
            let share = (bytes / count + u32::from(index < bytes % count)) as usize;
            let share = share.clamp(PAYLOAD_BYTES_MIN, PAYLOAD_BYTES_MAX);
            let number = self.stats.packets;
            let record = Record {
                number,
                sequence: low(number).wrapping_add(self.sequence_shift),
                timestamp,
                frame,
                index: low(index),
                count: low(count),
                bytes: u16::try_from(share).unwrap_or(u16::MAX),
                is_key_frame: is_key,
                prefix: self.prefix(index, is_key),
                arrived_at: None,
                asked: 0,
                is_excused: self.is_excused,
            };
            self.remember(record);
            self.send(&record, None, at.max(post.now) + pacing * index, post);
        }
    }

    /// VP8: payload descriptor with S in a frame's first packet, then the frame header, whose lowest bit is P.
    fn prefix(&self, index: u32, is_key: bool) -> Prefix {
        let start = if index == 0 { 0x10 } else { 0 };
        match (self.options.media, self.options.pictures) {
            (Media::Camera(_), Some(pictures)) => {
                let (picture, base_layer) = pictures.of(self.stats.frames - 1);
                Prefix::numbered(start, picture, base_layer, u8::from(!is_key))
            }
            (Media::Camera(_), None) => Prefix::short(start, u8::from(!is_key)),
            (Media::Microphone { .. }, _) => Prefix::short(0x78, 0),
        }
    }

    fn remember(&mut self, record: Record) {
        self.stats.packets += 1;
        self.stats.payload_bytes = self.stats.payload_bytes.wrapping_add(record.bytes.into());
        let place = self.place(record.number);
        match self.records.get_mut(place) {
            Some(slot) => {
                let before = std::mem::replace(slot, record);
                self.forget(&before);
            }
            None => self.records.push(record),
        }
    }

    fn place(&self, number: u32) -> usize {
        number as usize & (self.options.remembers.next_power_of_two() - 1)
    }

    /// Sends a packet, or sends it again as the `rtx`th retransmission.
    fn send(&mut self, record: &Record, rtx: Option<u16>, leaves_at: Time, post: &mut Post<'_>) {
        let stream = &self.options.stream;
        let (payload_type, sequence, ssrc) = match rtx {
            Some(sequence) => (stream.rtx_payload_type, sequence, stream.rtx_ssrc.unwrap_or_default()),
            None => (stream.payload_type, record.sequence, stream.ssrc),
        };
        let marker = u8::from(record.is_last_of_frame() && self.is_video()) << 7;
        let bytes = &mut self.scratch;
        bytes.clear();
        bytes.push(if self.extensions.is_empty() { 0x80 } else { 0x90 });
        bytes.push(marker | payload_type);
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&record.timestamp.to_be_bytes());
        bytes.extend_from_slice(&ssrc.to_be_bytes());
        bytes.extend_from_slice(self.extensions.with_wide_number(post.next_wide_number()));
        if rtx.is_some() {
            bytes.extend_from_slice(&record.sequence.to_be_bytes());
        }
        let tag = Tag { source: self.id, number: record.number };
        payload::write(tag, record.prefix, record.bytes.into(), bytes);
        if self.extensions.are_numbered() {
            post.send_numbered(self.rtp_to, leaves_at, tag, bytes);
        } else {
            post.send(self.rtp_to, leaves_at, Some(tag), bytes);
        }
    }

    fn on_nack(&mut self, sequence: u16, sent_at: Time, post: &mut Post<'_>) {
        self.stats.nacked += 1;
        let newest = self.stats.packets.wrapping_sub(1);
        let behind = low(newest).wrapping_add(self.sequence_shift).wrapping_sub(sequence);
        let asked = newest.checked_sub(behind.into()).and_then(|number| self.record(number)).copied();
        let Some(record) = asked.filter(|record| record.sequence == sequence) else {
            assert!(behind < 0x8000, "the worker asks for number {sequence}, which was not sent yet");
            self.stats.forgotten += 1;
            return;
        };
        let has_it = record.arrived_at.is_some_and(|at| at < sent_at);
        assert!(!(has_it && self.options.is_strict), "the worker asks for what it has: {record:?}");
        self.stats.retransmissions += 1;
        self.note_asked(sequence);
        let rtx = self.options.stream.rtx_ssrc.map(|_| self.rtx_sequence);
        self.rtx_sequence = self.rtx_sequence.wrapping_add(u16::from(rtx.is_some()));
        self.send(&record, rtx, post.now, post);
    }

    /// The same number again is the same request (RFC 5104 4.3.1.2).
    fn on_fir(&mut self, sequence: u8) {
        if self.fir_sequence.replace(sequence) != Some(sequence) {
            self.stats.firs += 1;
            self.key_frame_wanted = true;
        }
    }

    /// LSR names one of our reports, and the round trip that it gives is not negative (RFC 3550 6.4.1).
    fn on_report(&mut self, block: &Block, post: &Post<'_>) {
        self.stats.last_report = Some(*block);
        if block.last_sr == 0 {
            return;
        }
        assert!(self.reported.contains(&block.last_sr), "LSR is of no report of ours: {block:?}");
        let trip = compact(post.wall).wrapping_sub(block.last_sr).wrapping_sub(block.delay).cast_signed();
        assert!(trip >= -2, "DLSR is longer than the time since: {block:?}");
        let fraction = u64::from(trip.max(0).cast_unsigned()) * 1_000_000 / 65_536;
        self.stats.round_trip = Some(Duration::from_micros(fraction));
    }

    fn report(&mut self, post: &mut Post<'_>) {
        let stream = &self.options.stream;
        let SourceStats { packets, payload_bytes, .. } = self.stats;
        let timestamp = self.clock_at(post.now);
        let mut compound = vec![
            Rtcp::SenderReport {
                ssrc: stream.ssrc,
                ntp: post.wall,
                timestamp,
                packets,
                bytes: payload_bytes,
                blocks: vec![],
            },
            Rtcp::Cname { ssrc: stream.ssrc, cname: stream.cname.to_owned() },
        ];
        if let Some((to, last_rr, heard_at)) = self.reference {
            let delay = fixed_point(post.now.since(heard_at));
            compound.push(Rtcp::Dlrr { ssrc: stream.ssrc, to, last_rr, delay });
        }
        if self.reported.len() >= REPORTS_REMEMBERED {
            self.reported.remove(0);
        }
        self.reported.push(compact(post.wall));
        post.send(self.rtcp_to, post.now, None, &rtcp::write(&compound));
    }

    /// The media clock.
    pub(super) fn clock_at(&self, at: Time) -> u32 {
        let ticks = at.since(self.began_at).as_nanos() * u128::from(self.options.stream.clock_rate);
        let ticks = u32::try_from((ticks / 1_000_000_000) & 0xFFFF_FFFF).unwrap_or(0);
        ticks.wrapping_add(self.timestamp_shift)
    }
}

fn low(number: u32) -> u16 {
    u16::try_from(number & 0xFFFF).unwrap_or(0)
}

/// The middle of an NTP time (RFC 3550 4).
pub(super) fn compact(ntp: u64) -> u32 {
    u32::try_from(ntp >> 16 & 0xFFFF_FFFF).unwrap_or(0)
}

/// In 1/65,536 s.
pub(super) fn fixed_point(span: Duration) -> u32 {
    u32::try_from(span.as_nanos() * 65_536 / 1_000_000_000).unwrap_or(u32::MAX)
}

const REPORTS_REMEMBERED: usize = 16;
