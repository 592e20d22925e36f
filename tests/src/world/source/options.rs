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
    /// Whether a packet that the worker lacks and never asked for is an error. For streams with NACK that send on.
    pub explains_losses: bool,
    /// The numbers of a camera's pictures, if VP8's descriptor shall have them.
    pub pictures: Option<Pictures>,
}

/// The numbers in VP8's payload descriptor (RFC 7741 4.2), which each frame increases.
#[derive(Clone, Copy, Debug)]
pub struct Pictures {
    /// The first frame's picture id, 15 bits.
    pub first_picture: u16,
    /// The first frame's TL0PICIDX.
    pub first_base_layer: u8,
}

impl Pictures {
    /// Those of a frame.
    pub(super) fn of(self, frame: u32) -> (u16, u8) {
        let picture = u32::from(self.first_picture).wrapping_add(frame) & 0x7FFF;
        let base_layer = u32::from(self.first_base_layer).wrapping_add(frame) & 0xFF;
        (u16::try_from(picture).unwrap_or(0), u8::try_from(base_layer).unwrap_or(0))
    }
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
            explains_losses: false,
            pictures: None,
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
