//! Frames: a little-endian `u32` length and that many bytes of content.
//!
//! Knows bytes. Does not know messages, nor where bytes come from. Room is made only for bytes that have arrived:
//! a hostile length costs nothing.

/// The most bytes that a frame's content may have.
pub const FRAME_BYTES_MAX: usize = 4 << 20;

/// A length beyond [`FRAME_BYTES_MAX`]: the stream cannot be followed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a frame of {0} bytes was announced, {FRAME_BYTES_MAX} are the most; is the other side a Tidegate host?"
)]
pub struct BrokenFraming(pub u32);

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// Bytes that were pushed; those before `start` have been read.
    buffer: Vec<u8>,
    start: usize,
}

impl FrameReader {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start >= COMPACT_BYTES {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame's content; `None` until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, BrokenFraming> {
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        let Some((prefix, rest)) = pending.split_first_chunk::<4>() else { return Ok(None) };
        let announced = u32::from_le_bytes(*prefix);
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(BrokenFraming(announced));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let content = self.start + 4..self.start + 4 + length;
        self.start = content.end;
        Ok(self.buffer.get(content))
    }

    /// Whether a whole frame waits (or one that breaks the framing).
    pub fn has_frame(&self) -> bool {
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        let Some((prefix, rest)) = pending.split_first_chunk::<4>() else { return false };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        length > FRAME_BYTES_MAX || rest.len() >= length
    }

    /// Gives memory back that a big frame needed, if nothing waits. Called when the pipe runs dry.
    pub fn shrink(&mut self) {
        if self.start == self.buffer.len() && self.buffer.capacity() > KEEP_BYTES {
            *self = Self::default();
        }
    }

    /// Gives all memory back, if nothing waits. Called when the pipe was quiet for a while.
    pub fn reclaim(&mut self) {
        if self.start == self.buffer.len() {
            *self = Self::default();
        }
    }

    /// Bytes of memory held.
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }
}

/// Read bytes are moved out of the way once there are this many of them.
const COMPACT_BYTES: usize = 64 << 10;
/// A buffer up to this size is kept between frames.
const KEEP_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(content: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(content.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(content);
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let stream: Vec<u8> =
            [&b"one"[..], b"", &[7; 70_000], b"last"].iter().flat_map(|c| frame(c)).collect();
        for step in [1, 2, 3, 5, 4096, stream.len()] {
            let mut reader = FrameReader::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(step) {
                reader.push(piece);
                while let Some(content) = reader.next_frame().unwrap() {
                    seen.push(content.to_vec());
                }
            }
            assert_eq!(seen, [b"one".to_vec(), vec![], vec![7; 70_000], b"last".to_vec()], "step {step}");
        }
    }

    #[test]
    fn hostile_length_is_refused_and_costs_no_memory() {
        let mut reader = FrameReader::default();
        reader.push(&u32::MAX.to_le_bytes());
        assert_eq!(reader.next_frame(), Err(BrokenFraming(u32::MAX)));
        let mut reader = FrameReader::default();
        reader.push(&u32::try_from(FRAME_BYTES_MAX).unwrap().to_le_bytes());
        assert_eq!(reader.next_frame(), Ok(None));
        assert!(reader.held_bytes() < 1024);
    }

    #[test]
    fn memory_of_a_big_frame_is_given_back() {
        let mut reader = FrameReader::default();
        reader.push(&frame(&vec![1; 1 << 20]));
        assert!(reader.held_bytes() > 1 << 20);
        reader.shrink();
        assert!(reader.next_frame().unwrap().is_some(), "a frame that waits stays");
        reader.shrink();
        assert_eq!(reader.held_bytes(), 0);
    }

    #[test]
    fn a_small_buffer_is_kept_until_all_memory_is_asked_for() {
        let mut reader = FrameReader::default();
        reader.buffer.reserve_exact(16 << 10);
        assert_eq!(reader.held_bytes(), 16 << 10);
        reader.push(&frame(b"one"));
        reader.reclaim();
        assert_eq!(reader.next_frame(), Ok(Some(&b"one"[..])), "a frame that waits stays");
        reader.shrink();
        assert_eq!(reader.held_bytes(), 16 << 10);
        reader.reclaim();
        assert_eq!(reader.held_bytes(), 0);
    }

    #[test]
    fn read_bytes_are_moved_out_of_the_way_only_once_they_are_many() {
        let content = frame(&vec![7; COMPACT_BYTES / 2 - 4]);
        let mut reader = FrameReader::default();
        reader.push(&content.repeat(3));
        reader.next_frame().unwrap();
        reader.push(&content[..1]);
        assert_eq!(reader.start, COMPACT_BYTES / 2);
        reader.next_frame().unwrap();
        reader.push(&content[1..2]);
        assert_eq!(reader.start, 0);
        assert_eq!(reader.next_frame().unwrap().map(<[u8]>::len), Some(content.len() - 4));
        reader.push(&content[2..]);
        assert_eq!(reader.next_frame().unwrap().map(<[u8]>::len), Some(content.len() - 4));
    }

    #[test]
    fn a_frame_waits_when_it_is_whole_or_breaks_the_framing() {
        let whole = frame(b"abc");
        for (bytes, waits) in [
            (&whole[..], true),
            (&whole[..6], false),
            (&whole[..3], false),
            (&[][..], false),
            (&[&whole[..], &[0]].concat(), true),
            (&u32::try_from(FRAME_BYTES_MAX).unwrap().to_le_bytes(), false),
            (&u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_le_bytes(), true),
        ] {
            let mut reader = FrameReader::default();
            reader.push(bytes);
            assert_eq!(reader.has_frame(), waits, "{bytes:?}");
        }
        let mut reader = FrameReader::default();
        reader.push(&whole);
        reader.next_frame().unwrap();
        assert!(!reader.has_frame(), "it was read");
    }
}
