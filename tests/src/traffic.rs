//! What a sender sends and when: recorded video streams, even and bursty test streams, audio.
//!
//! Knows schedules: at which microsecond a packet of which size leaves, and where a frame ends. Does not know sockets,
//! clocks or payload bytes (`media` fills those). Called by the load generator and by simulations.
//! Its invariant: the steps of a schedule never go back in time.

pub mod media;

use std::sync::{Arc, LazyLock};

/// A kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// 300 packets per second of 1,100 bytes, evenly spaced.
    Even,
    /// The same rate in bursts of seven.
    Burst7,
    /// Recorded VP8, 720p at 30 frames per second, 2.5 Mb/s.
    Vp8,
    /// Recorded H264 of the same.
    H264,
    /// Recorded VP9 of the same.
    Vp9,
    /// Recorded VP8 simulcast: the lowest of three layers, 0.15 Mb/s.
    SimulcastLow,
    /// Recorded VP8 simulcast: the middle layer, 0.5 Mb/s.
    SimulcastMiddle,
    /// Recorded VP8 simulcast: the highest layer, 2.4 Mb/s.
    SimulcastHigh,
    /// 50 packets per second of 80 bytes, as Opus at 32 kb/s.
    Opus,
}

impl Traffic {
    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Burst7 => "burst7",
            Self::Vp8 => "vp8-720p",
            Self::H264 => "h264-720p",
            Self::Vp9 => "vp9-720p",
            Self::SimulcastLow => "vp8-720p-simulcast3-r0",
            Self::SimulcastMiddle => "vp8-720p-simulcast3-r1",
            Self::SimulcastHigh => "vp8-720p-simulcast3-r2",
            Self::Opus => "opus",
        }
    }

    /// The steps of one stream of this kind, without end.
    ///
    /// `start_us` is when the first packet leaves. Streams of one room should differ in it: cameras are not in phase.
    pub fn schedule(self, start_us: u64) -> Schedule {
        let pattern = match self {
            Self::Even => Pattern::even(),
            Self::Burst7 => Pattern::burst7(),
            Self::Opus => Pattern::opus(),
            Self::Vp8 => recorded(&VP8),
            Self::H264 => recorded(&H264),
            Self::Vp9 => recorded(&VP9),
            Self::SimulcastLow => recorded(&SIMULCAST_LOW),
            Self::SimulcastMiddle => recorded(&SIMULCAST_MIDDLE),
            Self::SimulcastHigh => recorded(&SIMULCAST_HIGH),
        };
        Schedule { pattern, cycle_start_us: start_us, next: 0, frame_us: start_us }
    }
}

/// One packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it leaves, in microseconds since the schedule's origin.
    pub at_us: u64,
    /// When the first packet of its frame leaves: the frame's media time.
    pub frame_us: u64,
    /// Bytes of RTP payload.
    pub payload_bytes: u16,
    /// Whether it begins a frame.
    pub begins_frame: bool,
    /// Whether it ends a frame (the marker bit; an audio packet is a frame without one).
    pub marker: bool,
}

/// The endless steps of one stream, in time order.
#[derive(Clone, Debug)]
pub struct Schedule {
    pattern: Arc<Pattern>,
    cycle_start_us: u64,
    next: usize,
    frame_us: u64,
}

impl Schedule {
    /// The packet that leaves next.
    pub fn next_step(&mut self) -> Step {
        let record = self.pattern.records[self.next];
        let at_us = self.cycle_start_us + record.at_us;
        let begins_frame = self.pattern.begins_frame(self.next);
        if begins_frame {
            self.frame_us = at_us;
        }
        self.next += 1;
        if self.next == self.pattern.records.len() {
            self.next = 0;
            self.cycle_start_us += self.pattern.period_us;
        }
        Step {
            at_us,
            frame_us: self.frame_us,
            payload_bytes: record.payload_bytes,
            begins_frame,
            marker: record.marker,
        }
    }
}

/// One line of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    at_us: u64,
    payload_bytes: u16,
    marker: bool,
}

/// Packets of one cycle, never empty, and after how long the cycle repeats.
#[derive(Debug)]
struct Pattern {
    records: Vec<Record>,
    period_us: u64,
    /// Audio: every packet is a frame, and none has a marker.
    frame_per_packet: bool,
}

impl Pattern {
    fn even() -> Arc<Self> {
        Arc::new(Self::regular(PACKETS_PER_FRAME, |index| index * SECOND_US / PACKETS_PER_SECOND))
    }

    fn burst7() -> Arc<Self> {
        Arc::new(Self::regular(BURST, |index| index / BURST * BURST * SECOND_US / PACKETS_PER_SECOND))
    }

    /// 2,100 packets in 7 s: a whole number of frames of ten and of bursts of seven.
    fn regular(packets_per_frame: u64, at_us: impl Fn(u64) -> u64) -> Self {
        let record = |index| Record {
            at_us: at_us(index),
            payload_bytes: REGULAR_PAYLOAD_BYTES,
            marker: (index + 1) % packets_per_frame == 0,
        };
        Self {
            records: (0..7 * PACKETS_PER_SECOND).map(record).collect(),
            period_us: 7 * SECOND_US,
            frame_per_packet: false,
        }
    }

    fn opus() -> Arc<Self> {
        let record = Record { at_us: 0, payload_bytes: OPUS_PAYLOAD_BYTES, marker: false };
        Arc::new(Self { records: vec![record], period_us: OPUS_FRAME_US, frame_per_packet: true })
    }

    /// Reads a recording: lines of microseconds, payload bytes and marker; lines with `#` are comments.
    ///
    /// # Errors
    /// A sentence that names the line which is not such a line, goes back in time or is larger than a datagram; or
    /// that there is none at all.
    fn parse(text: &str) -> Result<Self, String> {
        let mut records: Vec<Record> = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let record = Record::parse(line).ok_or_else(|| {
                format!("line {} is not \"microseconds bytes marker\": {line:?}", index + 1)
            })?;
            if records.last().is_some_and(|last| record.at_us < last.at_us) {
                return Err(format!("line {} goes back in time: {line:?}", index + 1));
            }
            records.push(record);
        }
        let last = records.last().ok_or("a recording needs at least one packet")?;
        let period_us = last.at_us + REPEAT_AFTER_US;
        Ok(Self { records, period_us, frame_per_packet: false })
    }

    fn begins_frame(&self, index: usize) -> bool {
        let previous = index.checked_sub(1).and_then(|previous| self.records.get(previous));
        self.frame_per_packet || previous.is_none_or(|previous| previous.marker)
    }
}

impl Record {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let at_us = fields.next()?.parse().ok()?;
        let payload_bytes = fields.next()?.parse().ok().filter(|bytes| *bytes <= PAYLOAD_BYTES_MAX)?;
        let marker = match fields.next()? {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        fields.next().is_none().then_some(Self { at_us, payload_bytes, marker })
    }
}

fn recorded(recording: &LazyLock<Arc<Pattern>>) -> Arc<Pattern> {
    Arc::clone(recording)
}

macro_rules! recording {
    ($name:ident, $file:literal) => {
        static $name: LazyLock<Arc<Pattern>> = LazyLock::new(|| {
            let text = include_str!(concat!("../data/traffic/", $file));
            // The file is part of this crate, and a test reads every one of them.
            Arc::new(Pattern::parse(text).unwrap_or_else(|error| panic!("{}: {error}", $file)))
        });
    };
}

recording!(VP8, "vp8-720p.txt");
recording!(H264, "h264-720p.txt");
recording!(VP9, "vp9-720p.txt");
recording!(SIMULCAST_LOW, "vp8-720p-simulcast3-r0.txt");
recording!(SIMULCAST_MIDDLE, "vp8-720p-simulcast3-r1.txt");
recording!(SIMULCAST_HIGH, "vp8-720p-simulcast3-r2.txt");

const SECOND_US: u64 = 1_000_000;
const PACKETS_PER_SECOND: u64 = 300;
const PACKETS_PER_FRAME: u64 = 10; // 30 frames per second
const BURST: u64 = 7;
const REGULAR_PAYLOAD_BYTES: u16 = 1_100;
const OPUS_PAYLOAD_BYTES: u16 = 80;
const OPUS_FRAME_US: u64 = 20_000;
const REPEAT_AFTER_US: u64 = 33_000; // one frame at 30 per second
const PAYLOAD_BYTES_MAX: u16 = 1_400; // what fits into an Ethernet frame beside the headers

#[cfg(test)]
mod tests;
