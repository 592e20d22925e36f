//! Frames that wait until a connection takes more.
//!
//! Knows frames and a bound. Does not know connections. Called by `Connection`.
//! Invariant: whole frames, in the order in which they came, but for the one at the head of which a part is written; at
//! most [`QUEUE_BYTES_MAX`] bytes, bookkeeping included.

use std::collections::VecDeque;

use crate::network::Content;

/// What waits on one connection. Takes no memory until something does.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The frames from `start` on.
    bytes: Vec<u8>,
    start: usize,
    frames: VecDeque<Frame>,
    /// Of the first frame a part is written: it has to be finished.
    begun: bool,
}

/// One frame with its length before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes that are still to be written.
    pub(super) bytes: u32,
    pub(super) content: Content,
}

/// Frames that may not be given up have filled the queue: the peer does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that wait, bookkeeping included.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.len() - self.start + self.frames.len() * size_of::<Frame>()
    }

    /// The bytes to write next.
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Appends a frame; answers how many frames of video were given up, possibly this one. `begun`: it is the rest of a
    /// frame, which can only be the first.
    pub(super) fn push(&mut self, frame: &[u8], content: Content, begun: bool) -> Result<u64, Overflow> {
        let cost = frame.len() + size_of::<Frame>();
        let mut dropped = 0;
        if self.held_bytes() + cost > QUEUE_BYTES_MAX {
            dropped = self.drop_video(cost.max(QUEUE_BYTES_MAX / 4));
        }
        if self.held_bytes() + cost > QUEUE_BYTES_MAX {
            return if content == Content::Video { Ok(dropped + 1) } else { Err(Overflow) };
        }
        debug_assert!(!begun || self.is_empty(), "only the first frame can have been begun");
        self.begun |= begun;
        self.compact();
        self.bytes.extend_from_slice(frame);
        let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        self.frames.push_back(Frame { bytes, content });
        Ok(dropped)
    }

    /// Takes note that the first `written` bytes of [`Self::waiting`] are gone.
    pub(super) fn advance(&mut self, written: usize) {
        self.start += written;
        let mut left = written;
        while let Some(first) = self.frames.front_mut().filter(|_| left > 0) {
            let bytes = first.bytes as usize;
            if left < bytes {
                first.bytes -= u32::try_from(left).unwrap_or(0);
                self.begun = true;
                return;
            }
            left -= bytes;
            self.begun = false;
            self.frames.pop_front();
        }
        if self.frames.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Gives the memory of an empty queue back.
    pub(super) fn reclaim(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Gives up the oldest frames of video until so many bytes are free or none is left: a gap in one place costs fewer
    /// pictures than many small ones, and the frames that stay are moved once for many that go.
    pub(super) fn drop_video(&mut self, wanted_bytes: usize) -> u64 {
        let (mut freed, mut dropped, mut read, mut write) = (0, 0, self.start, 0);
        let (bytes, mut begun) = (&mut self.bytes, self.begun);
        self.frames.retain(|frame| {
            let end = read + frame.bytes as usize;
            let goes = frame.content == Content::Video && !begun && freed < wanted_bytes;
            begun = false;
            if goes {
                freed += frame.bytes as usize + size_of::<Frame>();
                dropped += 1;
            } else {
                bytes.copy_within(read..end, write);
                write += end - read;
            }
            read = end;
            !goes
        });
        self.bytes.truncate(write);
        self.start = 0;
        dropped
    }

    /// Once as many bytes are written as wait, moving these costs no more than writing did.
    fn compact(&mut self) {
        if self.start >= self.bytes.len() - self.start {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

/// Sealed frames that may wait on one connection: 0.4 s of 5 Mb/s.
pub(super) const QUEUE_BYTES_MAX: usize = 256 * 1024;

const _: () = assert!(size_of::<Frame>() == 8);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(number: u8, bytes: usize) -> Vec<u8> {
        vec![number; bytes]
    }

    #[test]
    fn a_full_queue_gives_up_the_oldest_video_and_nothing_else() {
        let mut queue = Queue::default();
        let mut dropped = 0;
        for number in 0..=255u8 {
            let content = if number % 4 == 0 { Content::Other } else { Content::Video };
            dropped += queue.push(&frame(number, 2_000), content, false).unwrap();
        }
        assert!(dropped > 0 && queue.held_bytes() <= QUEUE_BYTES_MAX);
        let left: Vec<u8> = queue.waiting().chunks(2_000).map(|frame| frame[0]).collect();
        assert!(left.is_sorted() && (0..=252).step_by(4).all(|other| left.contains(&other)));
        assert_eq!(u64::try_from(256 - left.len()).unwrap(), dropped);
        assert_eq!(left.last(), Some(&255), "the newest is kept");
    }

    #[test]
    fn what_may_not_be_given_up_overflows() {
        let mut queue = Queue::default();
        while queue.push(&frame(1, 60_000), Content::Other, false).is_ok() {}
        assert_eq!(queue.held_bytes(), 4 * 60_008);
        assert_eq!(
            queue.push(&frame(2, 60_000), Content::Video, false),
            Ok(1),
            "video is not worth a connection"
        );
    }

    #[test]
    fn a_frame_that_was_begun_is_finished() {
        let mut queue = Queue::default();
        queue.push(&frame(1, 50_000), Content::Video, true).unwrap();
        for number in 2..=20 {
            queue.push(&frame(number, 50_000), Content::Video, false).unwrap();
        }
        assert_eq!(queue.waiting().first(), Some(&1));
        queue.advance(50_000);
        assert!(queue.waiting().first().is_some_and(|first| *first > 2));
        queue.advance(10);
        let held = queue.waiting()[0];
        for _ in 0..10 {
            queue.push(&frame(99, 50_000), Content::Video, false).unwrap();
        }
        assert_eq!(queue.waiting()[..49_990], frame(held, 49_990));
    }

    #[test]
    fn an_empty_queue_holds_nothing_after_a_while() {
        let mut queue = Queue::default();
        queue.push(&frame(1, 100), Content::Other, false).unwrap();
        queue.reclaim();
        assert_eq!(queue.waiting().len(), 100);
        queue.advance(100);
        queue.reclaim();
        assert_eq!((queue.bytes.capacity(), queue.frames.capacity()), (0, 0));
    }

    proptest! {
        /// Whatever is pushed and written: the stream is whole frames in order, and no other than video is missing.
        #[test]
        fn the_stream_is_whole_frames_in_order(
            steps in prop::collection::vec((1usize..30_000, any::<bool>(), 0usize..40_000), 1..60),
        ) {
            let (mut queue, mut stream, mut lost, mut pushed) = (Queue::default(), Vec::new(), 0, Vec::new());
            for (number, (bytes, video, written)) in steps.iter().enumerate() {
                let number = u8::try_from(number).unwrap();
                let content = if *video { Content::Video } else { Content::Other };
                match queue.push(&frame(number, *bytes), content, false) {
                    Ok(dropped) => {
                        lost += dropped;
                        pushed.push((number, *bytes, *video));
                    }
                    Err(Overflow) => prop_assert!(!video),
                }
                prop_assert!(queue.held_bytes() <= QUEUE_BYTES_MAX);
                let written = (*written).min(queue.waiting().len());
                stream.extend_from_slice(&queue.waiting()[..written]);
                queue.advance(written);
            }
            stream.extend_from_slice(queue.waiting());
            let mut rest = &stream[..];
            let mut missing = 0;
            for (number, bytes, video) in pushed {
                if rest.first() == Some(&number) {
                    prop_assert_eq!(&rest[..bytes], &frame(number, bytes)[..]);
                    rest = &rest[bytes..];
                } else {
                    prop_assert!(video, "frame {} is missing", number);
                    missing += 1;
                }
            }
            prop_assert!(rest.is_empty());
            prop_assert_eq!(missing, lost);
        }
    }
}
