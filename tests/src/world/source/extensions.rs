//! The header extensions of a source's packets, written once; what differs from packet to packet is put in its place.
//!
//! Knows where in the block what stands. Does not know when it changes. Used by [`Source`](super::Source) alone.
//! Invariant: the block is one that RFC 8285 allows.

use crate::world::parameters::{AUDIO_LEVEL, MID, Stream, TRANSPORT_WIDE_CC};
use crate::world::rtp::RtpPacket;

/// A block, empty when the stream has no extension.
#[derive(Debug)]
pub(super) struct Extensions {
    bytes: Vec<u8>,
    level_at: Option<usize>,
    wide_at: Option<usize>,
}

impl Extensions {
    /// The MID in every packet, if the stream has one and an extension for it, and the audio level and the transport-wide
    /// number, if it has those extensions.
    pub(super) fn of(stream: &Stream) -> Self {
        let id_of = |wanted| stream.extensions.iter().find(|(uri, _)| *uri == wanted).map(|(_, id)| *id);
        let mid = id_of(MID).zip(stream.mid).map(|(id, mid)| (id, mid.as_bytes().to_vec()));
        let level = id_of(AUDIO_LEVEL).map(|id| (id, vec![127]));
        let wide = id_of(TRANSPORT_WIDE_CC).map(|id| (id, vec![0, 0]));
        // Behind the header of the block, what comes before, and its own header.
        let before_level = mid.as_ref().map_or(0, |(_, mid)| 1 + mid.len());
        let before_wide = before_level + if level.is_some() { 2 } else { 0 };
        let (level_at, wide_at) =
            (level.as_ref().map(|_| 4 + before_level + 1), wide.as_ref().map(|_| 4 + before_wide + 1));
        let extensions: Vec<_> = mid.into_iter().chain(level).chain(wide).collect();
        let bare = RtpPacket { extensions, ..RtpPacket::default() };
        Self { bytes: bare.write().split_off(12), level_at, wide_at }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The audio level, to be set.
    pub(super) fn level(&mut self) -> Option<&mut u8> {
        self.bytes.get_mut(self.level_at?)
    }

    pub(super) fn are_numbered(&self) -> bool {
        self.wide_at.is_some()
    }

    /// The block, with this transport-wide number if it has any.
    pub(super) fn with_wide_number(&mut self, number: u16) -> &[u8] {
        if let Some(at) = self.wide_at {
            self.bytes[at..at + 2].copy_from_slice(&number.to_be_bytes());
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::rtp::RtpView;

    #[test]
    fn what_changes_is_where_a_reader_finds_it() {
        for mid in [None, Some("0"), Some("camera")] {
            let named = [(MID, 1), (AUDIO_LEVEL, 2), (TRANSPORT_WIDE_CC, 5)];
            let stream = Stream { mid, ..Stream::opus(7) }.with_extensions(&named);
            let mut extensions = Extensions::of(&stream);
            *extensions.level().unwrap() = 33;
            let mut packet = RtpPacket::default().write();
            packet[0] |= 0x10;
            packet.extend_from_slice(extensions.with_wide_number(0xFFFE));
            let read = RtpView::read(&packet).unwrap();
            assert_eq!(read.extension(1), mid.map(str::as_bytes));
            assert_eq!((read.extension(2), read.extension(5)), (Some(&[33][..]), Some(&[0xFF, 0xFE][..])));
        }
        assert!(Extensions::of(&Stream::opus(7)).is_empty());
    }
}
