//! How often the counters of a source went over their edges.
//!
//! Knows what a source sent. Invariant: each is counted without wrapping, from what it began with.

use super::{Media, Source};

/// How often each counter of one source wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceWraps {
    /// Sequence numbers, 16 bits.
    pub sequence: u64,
    /// Sequence numbers of retransmissions, 16 bits.
    pub rtx_sequence: u64,
    /// Timestamps, 32 bits.
    pub timestamp: u64,
    /// VP8's picture ids, 15 bits.
    pub picture: u64,
    /// VP8's TL0PICIDX, 8 bits.
    pub base_layer: u64,
}

impl Source {
    /// How often its counters wrapped; of one that [began anew](Self::restart), as if it had not.
    pub fn wraps(&self) -> SourceWraps {
        let options = &self.options;
        let last = |first: u64, count: u64| first + count.saturating_sub(1);
        let ticks =
            self.last_frame_at.since(self.began_at).as_nanos() * u128::from(options.stream.clock_rate);
        let ticks = u64::try_from(ticks / 1_000_000_000).unwrap_or(u64::MAX);
        let rtx = options.stream.rtx_ssrc.map_or(0, |_| self.stats.retransmissions);
        let frames = u64::from(self.stats.frames);
        let pictures = options.pictures.filter(|_| matches!(options.media, Media::Camera(_)));
        SourceWraps {
            sequence: last(options.first_sequence.into(), self.stats.packets.into()) >> 16,
            rtx_sequence: last(options.first_rtx_sequence.into(), rtx) >> 16,
            timestamp: (u64::from(options.first_timestamp) + ticks) >> 32,
            picture: pictures.map_or(0, |own| last(own.first_picture.into(), frames) >> 15),
            base_layer: pictures.map_or(0, |own| last(own.first_base_layer.into(), frames) >> 8),
        }
    }
}
