//! What a source sends, from where, and what it is like.
//!
//! Knows streams and addresses. Does not send anything. Used by whoever sets a [`Source`](super::Source) up.
//! Invariant: the habits of the two constructors are those of real senders.

use std::net::SocketAddr;
use std::time::Duration;

use tidegate_worker::random::Random;

use crate::world::parameters::Stream;

/// What to send, from where.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The stream as its producer announces it.
    pub stream: Stream,
    /// Where it sends from, RTP and RTCP.
    pub address: SocketAddr,
    /// The first packet's number.
    pub first_sequence: u16,
    /// The first frame's time.
    pub first_timestamp: u32,
    /// The first retransmission's number.
    pub first_rtx_sequence: u16,
    /// What it is.
    pub media: Media,
    /// How many packets it can send again, and the bed can check.
    pub remembers: usize,
    /// How often it reports; the first time after a random part of that.
    pub report_every: Duration,
    /// Whether being asked for what has arrived is an error. Not so where the worker may drop what arrives.
    pub is_strict: bool,
}

/// What a source sends.
#[derive(Clone, Copy, Debug)]
pub enum Media {
    /// Video in frames.
    Camera(Camera),
    /// Sound in packets.
    Microphone {
        /// From packet to packet.
        every: Duration,
        /// Payload of each, from, to.
        bytes: (u32, u32),
    },
}

/// A camera's habits.
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    /// Per second.
    pub frames: u32,
    /// Bytes of a frame that builds on the one before, from, to.
    pub frame_bytes: (u32, u32),
    /// Bytes of a key frame, from, to.
    pub key_frame_bytes: (u32, u32),
    /// Payload of a packet, at most.
    pub payload_bytes_max: u32,
    /// A key frame unasked, every so many frames.
    pub key_frame_every: Option<u32>,
    /// Time between the packets of a frame.
    pub pacing: Duration,
}

impl SourceOptions {
    /// A camera of about 1 Mb/s at 30 frames a second, which sends key frames only when asked, but for the first.
    pub fn camera(stream: Stream, address: SocketAddr) -> Self {
        let camera = Camera {
            frames: 30,
            frame_bytes: (1_500, 6_000),
            key_frame_bytes: (8_000, 20_000),
            payload_bytes_max: 1_100,
            key_frame_every: None,
            pacing: Duration::ZERO,
        };
        Self::of(stream, address, Media::Camera(camera))
    }

    /// A microphone with a packet every 20 ms.
    pub fn microphone(stream: Stream, address: SocketAddr) -> Self {
        Self::of(stream, address, Media::Microphone { every: Duration::from_millis(20), bytes: (60, 160) })
    }

    fn of(stream: Stream, address: SocketAddr, media: Media) -> Self {
        Self {
            stream,
            address,
            first_sequence: 5_000,
            first_timestamp: 700_000,
            first_rtx_sequence: 9_000,
            media,
            remembers: 4_096,
            report_every: Duration::from_secs(1),
            is_strict: true,
        }
    }

    /// With all first numbers drawn from the whole range.
    #[must_use]
    pub fn starting_anywhere(self, random: &mut Random) -> Self {
        let mut number = || u16::try_from(random.next_u32() >> 16).unwrap_or(0);
        let (first_sequence, first_rtx_sequence) = (number(), number());
        Self { first_sequence, first_rtx_sequence, first_timestamp: random.next_u32(), ..self }
    }
}
