//! Datagrams in a TCP stream (RFC 4571 2): each behind its length in two bytes.
//!
//! Knows lengths. Does not know what the datagrams are, nor where they are gathered: it says which bytes belong to
//! which. Called by the shell's TCP sockets.
//! Invariant: four bytes of state, whatever a peer sends; every byte of a stream is looked at once.

/// Finds the frames of one stream, in pieces as they arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deframer {
    /// The first byte of a length of which the second is still to come.
    half_length: Option<u8>,
    /// Bytes of the present frame that are still to come.
    left: u16,
}

/// Some bytes of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// How long the whole frame is, with its first piece.
    pub begins: Option<u16>,
    /// The bytes; with the first piece possibly none.
    pub bytes: &'a [u8],
    /// Whether they are the last ones.
    pub ends: bool,
}

impl Deframer {
    /// The next piece in `input`, which loses the bytes that were looked at. `None`: they are used up. Frames of length
    /// zero, which some peers send to keep a connection open, are passed over.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        let begins = if self.left == 0 { Some(self.next_length(input)?) } else { None };
        self.left = begins.unwrap_or(self.left);
        if input.is_empty() && begins.is_none() {
            return None;
        }
        let (bytes, rest) = input.split_at(input.len().min(usize::from(self.left)));
        *input = rest;
        self.left -= u16::try_from(bytes.len()).unwrap_or(self.left);
        Some(Piece { begins, bytes, ends: self.left == 0 })
    }

    /// Whether the stream may end here: not in the midst of a frame.
    pub const fn is_between_frames(&self) -> bool {
        self.half_length.is_none() && self.left == 0
    }

    /// The next length that is not zero.
    fn next_length(&mut self, input: &mut &[u8]) -> Option<u16> {
        loop {
            let (first, rest) = input.split_first()?;
            *input = rest;
            match self.half_length.take() {
                None => self.half_length = Some(*first),
                Some(high) => {
                    let length = u16::from_be_bytes([high, *first]);
                    if length > 0 {
                        return Some(length);
                    }
                }
            }
        }
    }
}

/// Bytes before each frame.
pub const LENGTH_BYTES: usize = 2;

const _: () = assert!(size_of::<Deframer>() == 4);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a stream holds, read at leisure: whole frames, and what is left of one that did not end.
    fn frames_of(mut stream: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut frames = Vec::new();
        while let Some((length, rest)) = stream.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes(*length));
            if rest.len() < length {
                return (frames, rest.to_vec());
            }
            if length > 0 {
                frames.push(rest[..length].to_vec());
            }
            stream = &rest[length..];
        }
        (frames, Vec::new())
    }

    fn read(parts: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut deframer, mut frames, mut open) = (Deframer::default(), Vec::new(), Vec::new());
        let mut expected = 0;
        for part in parts {
            let mut input = *part;
            while let Some(piece) = deframer.next(&mut input) {
                if let Some(length) = piece.begins {
                    assert!(open.is_empty() && length > 0);
                    expected = usize::from(length);
                }
                open.extend_from_slice(piece.bytes);
                assert_eq!(piece.ends, open.len() == expected);
                if piece.ends {
                    frames.push(std::mem::take(&mut open));
                }
            }
            assert!(input.is_empty());
        }
        (frames, open)
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_parts_are_the_same_frames(
            stream in prop::collection::vec(prop_oneof![3 => 0u8..4, 1 => any::<u8>()], 0..600),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&parts), frames_of(&stream));
        }

        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8),
            step in 1usize..70,
        ) {
            let mut stream = Vec::new();
            for frame in &frames {
                stream.extend(u16::try_from(frame.len()).unwrap().to_be_bytes());
                stream.extend(frame);
                stream.extend([0, 0]);
            }
            let parts: Vec<&[u8]> = stream.chunks(step).collect();
            prop_assert_eq!(read(&parts), (frames, Vec::new()));
        }
    }

    #[test]
    fn the_longest_frame_is_one_frame() {
        let mut stream = vec![0xFF, 0xFF];
        stream.extend(vec![7; 65_535]);
        assert_eq!(read(&[&stream[..1], &stream[1..2], &stream[2..]]).0, [vec![7; 65_535]]);
    }
}
