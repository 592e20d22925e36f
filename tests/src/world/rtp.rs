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
        let mut reader = Reader(bytes);
        let [first, second, ..] = *reader.take(2)? else { return Err("cut off".into()) };
        if first >> 6 != 2 {
            return Err(format!("version {}", first >> 6));
        }
        let mut packet = Self { marker: second & 0x80 != 0, payload_type: second & 0x7F, ..Self::default() };
        packet.sequence = reader.u16()?;
        packet.timestamp = reader.u32()?;
        packet.ssrc = reader.u32()?;
        packet.csrcs = (0..first & 0x0F).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        if first & 0x10 != 0 {
            packet.read_extensions(&mut reader)?;
        }
        let mut payload = reader.0;
        if first & 0x20 != 0 {
            packet.padding = *payload.last().ok_or("padding without its count")?;
            let kept = payload.len().checked_sub(usize::from(packet.padding));
            payload =
                &payload[..kept.filter(|_| packet.padding > 0).ok_or("padding longer than the rest")?];
        }
        packet.payload = payload.to_vec();
        Ok(packet)
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

    fn read_extensions(&mut self, reader: &mut Reader<'_>) -> Result<(), String> {
        let profile = reader.u16()?;
        let words = reader.u16()?;
        let mut block = Reader(reader.take(usize::from(words) * 4)?);
        self.two_byte = profile == 0x1000;
        if !self.two_byte && profile != 0xBEDE {
            return Err(format!("extension profile {profile:#06x}"));
        }
        while let [id, ..] = *block.0 {
            block.take(1)?;
            if id == 0 {
                continue;
            }
            let (id, length) = match self.two_byte {
                true => (id, usize::from(block.take(1)?[0])),
                false => (id >> 4, usize::from(id & 0x0F) + 1),
            };
            if !self.two_byte && id == 15 || self.extension(id).is_some() {
                return Err(format!("extension id {id} is reserved or comes twice"));
            }
            self.extensions.push((id, block.take(length)?.to_vec()));
        }
        Ok(())
    }
}

/// Takes bytes from the front, and only those that are there.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or("cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, String> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
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
