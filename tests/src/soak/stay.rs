//! One participant from joining to leaving: what it sends, whom it gets, and where its counters begin.
//!
//! Knows streams and the edges of numbers. Does not know when people come and go. Used by `house`.
//! Invariant: whatever wraps begins just before its edge.

use std::net::SocketAddr;
use std::time::Duration;

use super::weather::Weather;
use crate::scenarios::draw::Draw;
use crate::world::host::Plain;
use crate::world::parameters::Stream;
use crate::world::run::{Origin, Watch};
use crate::world::sink::{Explains, Patience, SinkOptions};
use crate::world::source::{Camera, Media, Pictures, SourceOptions};

/// A participant while it is there.
#[derive(Debug)]
pub(super) struct Stay {
    /// Which of all stays this is.
    pub(super) number: u64,
    pub(super) transport: Plain,
    pub(super) weather: Weather,
    /// Microphone and camera.
    pub(super) sends: Vec<Sending>,
    pub(super) gets: Vec<Getting>,
    /// SSRC of the next stream that it gets.
    pub(super) next_ssrc: u32,
}

/// A stream that it sends.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) origin: Origin,
    pub(super) is_paused: bool,
}

/// A stream that it gets.
#[derive(Debug)]
pub(super) struct Getting {
    pub(super) watch: Watch,
    /// The stay of who sends it, and which of its streams that is.
    pub(super) of: (u64, usize),
    /// Its consumer is paused.
    pub(super) is_paused: bool,
}

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Five packets a second and stream; timestamps run at real speed.
    Sparse,
    /// As real cameras and microphones.
    Full,
}

impl Pace {
    /// Packets of all streams of a participant, a second; about.
    pub(super) const fn packets_per_second(self) -> u64 {
        match self {
            Self::Sparse => 10,
            Self::Full => 180,
        }
    }
}

/// What a microphone (0) or camera (1) sends, with all counters near their edges.
pub(super) fn sends(which: usize, ssrc: u32, at: SocketAddr, pace: Pace, draw: &mut Draw) -> SourceOptions {
    let stream = match which {
        0 => Stream { nack: true, ..Stream::opus(ssrc) },
        _ => Stream::vp8(ssrc),
    };
    let stream = stream.with_rtx(ssrc.wrapping_add(1)).with_transport_cc(WIDE_ID);
    let options = match which {
        0 => SourceOptions::microphone(stream, at),
        _ => SourceOptions::camera(stream, at),
    };
    let media = match (options.media, pace) {
        (Media::Microphone { bytes, .. }, Pace::Sparse) => {
            Media::Microphone { every: Duration::from_millis(200), bytes }
        }
        (Media::Camera(camera), Pace::Sparse) => Media::Camera(Camera {
            frames: 5,
            frame_bytes: (60, 900),
            key_frame_bytes: (300, 1_000),
            ..camera
        }),
        (media, Pace::Full) => media,
    };
    let rate = options.stream.clock_rate;
    SourceOptions {
        first_sequence: 0u16.wrapping_sub(few(draw, 200)),
        first_rtx_sequence: 0u16.wrapping_sub(few(draw, 10)),
        first_timestamp: 0u32.wrapping_sub(draw.between(0, rate * 20)),
        media,
        remembers: pace.remembers(),
        report_every: REPORT_EVERY,
        explains_losses: true,
        pictures: Some(Pictures {
            first_picture: 0x7FFF - few(draw, 100),
            first_base_layer: 255 - u8::try_from(few(draw, 100)).expect("few"),
        }),
        ..options
    }
}

/// How a participant gets `stream` of somebody else.
pub(super) fn gets(stream: &Stream, ssrc: u32, at: SocketAddr, weather: Weather, pace: Pace) -> SinkOptions {
    let received = stream.consumed_as(ssrc).with_rtx(ssrc.wrapping_add(1)).with_transport_cc(WIDE_ID);
    let patience = Patience {
        first_after: Duration::from_millis(10),
        again_after: weather.round_trip() + Duration::from_millis(40),
        give_up_after: Duration::from_millis(1_500),
    };
    let explains = Explains {
        round_trip_max: weather.way_max() * 2 + Duration::from_millis(5),
        kept_at_least: KEPT_AT_LEAST,
    };
    SinkOptions {
        patience,
        report_every: Some(REPORT_EVERY),
        freeze: Duration::from_millis(1_500),
        remembers: pace.remembers(),
        explains: Some(explains),
        ..SinkOptions::new(received, at)
    }
}

impl Pace {
    /// Some seconds of one stream.
    const fn remembers(self) -> usize {
        match self {
            Self::Sparse => 256,
            Self::Full => 2_048,
        }
    }
}

fn few(draw: &mut Draw, most: u32) -> u16 {
    u16::try_from(draw.between(0, most)).expect("few")
}

/// Of the extension.
const WIDE_ID: u8 = 5;
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// The worker keeps a packet so long at least, whatever round trips are.
const KEPT_AT_LEAST: Duration = tidegate_worker::stream::history::RETAIN_MIN;
