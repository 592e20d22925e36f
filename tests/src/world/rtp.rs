//! RTP as a peer reads and writes it (RFC 3550 5.1, RFC 8285), written without the worker's own reader and writer.
//!
//! Knows bytes. Strict: what it does not accept a worker must not send. Being independent is its purpose, so it must
//! use nothing of `tidegate_worker::rtp`.
//! Invariant: reading what was written gives the same packet.

/// One RTP packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpPacket {
    /// End of a frame.
    pub marker: bool,
    /// 7 bits.
    pub payload_type: u8,
    /// Modulo 2^16.
    pub sequence: u16,
    /// Modulo 2^32.
    pub timestamp: u32,
    /// The stream.
    pub ssrc: u32,
    /// Contributing sources.
    pub csrcs: Vec<u32>,
    /// Header extensions by id, in their order.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// Written with two-byte headers although one byte would do.
    pub two_byte: bool,
    /// What it carries.
    pub payload: Vec<u8>,
    /// Bytes of padding, the count included; 0 is none.
    pub padding: u8,
}

impl RtpPacket {
    /// The value of a header extension.
    pub fn extension(&self, id: u8) -> Option<&[u8]> {
        self.extensions.iter().find(|(known, _)| *known == id).map(|(_, value)| value.as_slice())
    }

    /// The bytes on the wire.
    pub fn write(&self) -> Vec<u8> {
        let count = u8::try_from(self.csrcs.len()).expect("at most 15 CSRCs");
        let padding = if self.padding > 0 { 0x20 } else { 0 };
        let extended = if self.extensions.is_empty() { 0 } else { 0x10 };
        let mut bytes = vec![0x80 | padding | extended | count];
        bytes.push(u8::from(self.marker) << 7 | self.payload_type);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(self.csrcs.iter().flat_map(|csrc| csrc.to_be_bytes()));
        if extended > 0 {
            bytes.extend(self.extension_block());
        }
        bytes.extend(&self.payload);
        if self.padding > 0 {
            bytes.extend(std::iter::repeat_n(0, usize::from(self.padding) - 1));
            bytes.push(self.padding);
        }
        bytes
    }

    /// Reads a packet; the sentence says what is wrong with it.
    ///
    /// # Errors
    /// Anything that RFC 3550 or RFC 8285 does not allow.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let view = RtpView::read(bytes)?;
        let csrcs = view.csrcs.chunks_exact(4);
        Ok(Self {
            marker: view.marker,
            payload_type: view.payload_type,
            sequence: view.sequence,
            timestamp: view.timestamp,
            ssrc: view.ssrc,
            csrcs: csrcs.map(|csrc| u32::from_be_bytes([csrc[0], csrc[1], csrc[2], csrc[3]])).collect(),
            extensions: view.extensions().map(|(id, value)| (id, value.to_vec())).collect(),
            two_byte: view.extensions.two_byte,
            payload: view.payload.to_vec(),
            padding: view.padding,
        })
    }

    fn extension_block(&self) -> Vec<u8> {
        let two_byte = self.two_byte
            || self.extensions.iter().any(|(id, value)| *id > 14 || value.is_empty() || value.len() > 16);
        let mut elements = Vec::new();
        for (id, value) in &self.extensions {
            let length = u8::try_from(value.len()).expect("at most 255 bytes");
            if two_byte {
                elements.extend([*id, length]);
            } else {
                elements.push(id << 4 | (length - 1));
            }
            elements.extend(value);
        }
        elements.resize(elements.len().next_multiple_of(4), 0);
        let words = u16::try_from(elements.len() / 4).expect("a short block");
        let profile: u16 = if two_byte { 0x1000 } else { 0xBEDE };
        [profile.to_be_bytes(), words.to_be_bytes()].concat().into_iter().chain(elements).collect()
    }
}

/// One RTP packet where it lies: what can be read without taking memory, just as strictly.
#[derive(Clone, Copy, Debug)]
pub struct RtpView<'a> {
    /// End of a frame.
    pub marker: bool,
    /// 7 bits.
    pub payload_type: u8,
    /// Modulo 2^16.
    pub sequence: u16,
    /// Modulo 2^32.
    pub timestamp: u32,
    /// The stream.
    pub ssrc: u32,
    /// Contributing sources, four bytes each.
    pub csrcs: &'a [u8],
    /// What it carries.
    pub payload: &'a [u8],
    /// Bytes of padding, the count included; 0 is none.
    pub padding: u8,
    extensions: Extensions<'a>,
}

impl<'a> RtpView<'a> {
    /// Reads a packet; the sentence says what is wrong with it.
    ///
    /// # Errors
    /// Anything that RFC 3550 or RFC 8285 does not allow.
    pub fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader(bytes);
        let [first, second] = *reader.take(2)? else { return Err("cut off") };
        if first >> 6 != 2 {
            return Err("a version other than 2");
        }
        let (sequence, timestamp, ssrc) = (reader.u16()?, reader.u32()?, reader.u32()?);
        let csrcs = reader.take(usize::from(first & 0x0F) * 4)?;
        let mut extensions = Extensions { two_byte: false, block: Reader(&[]) };
        if first & 0x10 != 0 {
            extensions = Extensions::read(&mut reader)?;
        }
        let mut payload = reader.0;
        let mut padding = 0;
        if first & 0x20 != 0 {
            padding = *payload.last().ok_or("padding without its count")?;
            let kept = payload.len().checked_sub(usize::from(padding));
            payload = &payload[..kept.filter(|_| padding > 0).ok_or("padding longer than the rest")?];
        }
        let (marker, payload_type) = (second & 0x80 != 0, second & 0x7F);
        Ok(Self { marker, payload_type, sequence, timestamp, ssrc, csrcs, payload, padding, extensions })
    }

    /// Header extensions by id, in their order.
    pub fn extensions(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut left = self.extensions;
        // They were read once without an error.
        std::iter::from_fn(move || left.next().ok().flatten())
    }

    /// The value of a header extension.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions().find(|(known, _)| *known == id).map(|(_, value)| value)
    }
}

/// The extension block of a packet, from some element on.
#[derive(Clone, Copy, Debug)]
struct Extensions<'a> {
    two_byte: bool,
    block: Reader<'a>,
}

impl<'a> Extensions<'a> {
    /// Takes the block and reads it through.
    fn read(reader: &mut Reader<'a>) -> Result<Self, &'static str> {
        let profile = reader.u16()?;
        let words = reader.u16()?;
        let block = Reader(reader.take(usize::from(words) * 4)?);
        if profile != 0x1000 && profile != 0xBEDE {
            return Err("an unknown extension profile");
        }
        let extensions = Self { two_byte: profile == 0x1000, block };
        let (mut left, mut seen) = (extensions, [0u64; 4]);
        while let Some((id, _)) = left.next()? {
            let (word, bit) = (usize::from(id / 64), 1 << (id % 64));
            if !extensions.two_byte && id == 15 || seen[word] & bit != 0 {
                return Err("an extension id is reserved or comes twice");
            }
            seen[word] |= bit;
        }
        Ok(extensions)
    }

    fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, &'static str> {
        while let [first, ..] = *self.block.0 {
            self.block.take(1)?;
            if first == 0 {
                continue;
            }
            let (id, length) = match self.two_byte {
                true => (first, usize::from(self.block.take(1)?[0])),
                false => (first >> 4, usize::from(first & 0x0F) + 1),
            };
            return Ok(Some((id, self.block.take(length)?)));
        }
        Ok(None)
    }
}

/// Takes bytes from the front, and only those that are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or("cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, &'static str> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, &'static str> {
        self.take(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        for two_byte in [false, true] {
            let packet = RtpPacket {
                marker: true,
                payload_type: 96,
                sequence: 65_535,
                timestamp: 7,
                ssrc: 0xFFFF_FFFF,
                csrcs: vec![1, 2],
                extensions: vec![(1, b"mid".to_vec()), (14, vec![0])],
                two_byte,
                payload: vec![1, 2, 3],
                padding: 5,
            };
            assert_eq!(RtpPacket::read(&packet.write()), Ok(packet));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let good = RtpPacket { payload: vec![9], padding: 4, ..RtpPacket::default() }.write();
        for (at, byte) in [(0, 0x40), (0, 0x8F), (16, 0), (16, 6)] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert!(RtpPacket::read(&bytes).is_err() || byte == 0x40, "{at}");
        }
        assert!(RtpPacket::read(&good[..11]).is_err());
    }
}
