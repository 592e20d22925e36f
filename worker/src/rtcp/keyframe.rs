//! Requests for a key frame: PLI (RFC 4585 6.3.1) and FIR (RFC 5104 4.3.1).
//!
//! Knows the fields. When to ask and how often is `media`'s. Invariant: a parsed FIR names at least one stream.

use crate::base::sequence::Serial8;
use crate::rtcp::cursor::{Sink, take, take_u32};

/// Feedback message type of a PLI.
pub(super) const FORMAT_PLI: u8 = 1;
/// Feedback message type of a FIR.
pub(super) const FORMAT_FIR: u8 = 4;

/// Bytes of one FIR entry.
pub(super) const FIR_ENTRY_BYTES: usize = 8;

/// Picture loss indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pli {
    /// The one who asks.
    pub sender_ssrc: u32,
    /// The stream that is to send a key frame.
    pub media_ssrc: u32,
}

impl Pli {
    pub(super) fn parse(mut body: &[u8]) -> Option<Self> {
        Some(Self { sender_ssrc: take_u32(&mut body)?, media_ssrc: take_u32(&mut body)? })
    }
}

/// Full intra request.
#[derive(Clone, Debug)]
pub struct Fir<'a> {
    /// The one who asks.
    pub sender_ssrc: u32,
    entries: &'a [u8],
}

/// One stream that is to send a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirEntry {
    /// The stream.
    pub ssrc: u32,
    /// Command number of this asker for this stream: a repeat of the same request keeps it (RFC 5104 4.3.1.2).
    pub sequence: Serial8,
}

impl<'a> Fir<'a> {
    /// RFC 5104 4.3.1.1: the media SSRC is not used, at least one entry follows.
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let (sender_ssrc, _) = (take_u32(&mut body)?, take_u32(&mut body)?);
        (body.len() >= FIR_ENTRY_BYTES).then_some(Self { sender_ssrc, entries: body })
    }

    /// The streams asked.
    pub fn entries(&self) -> impl Iterator<Item = FirEntry> + use<'a> {
        let mut rest = self.entries;
        std::iter::from_fn(move || {
            let ssrc = take_u32(&mut rest)?;
            let [sequence, _, _, _] = take(&mut rest)?;
            Some(FirEntry { ssrc, sequence: Serial8::new(sequence) })
        })
    }
}

impl FirEntry {
    pub(super) fn write(&self, sink: &mut Sink<'_>) -> Option<()> {
        sink.put_u32(self.ssrc)?;
        sink.put(&[self.sequence.wire(), 0, 0, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{CompoundWriter, Packet, PacketError, packets};

    #[test]
    fn a_pli_is_twelve_bytes() {
        let mut buffer = [0; 12];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.pli(1, 2).unwrap();
        assert_eq!(writer.bytes(), [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        match packets(writer.bytes()).next() {
            Some(Ok(Packet::Pli(pli))) => assert_eq!(pli, Pli { sender_ssrc: 1, media_ssrc: 2 }),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_fir_names_each_stream_with_its_own_command_number() {
        let entries = [
            FirEntry { ssrc: 2, sequence: Serial8::new(255) },
            FirEntry { ssrc: 3, sequence: Serial8::new(0) },
        ];
        let mut buffer = [0xEE; 64];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.fir(1, &entries).unwrap();
        assert_eq!(
            writer.bytes(),
            [
                0x84, 206, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, // media SSRC 0
                0, 0, 0, 2, 255, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0,
            ]
        );
        match packets(writer.bytes()).next() {
            Some(Ok(Packet::Fir(fir))) => {
                assert_eq!(fir.sender_ssrc, 1);
                assert_eq!(fir.entries().collect::<Vec<_>>(), entries);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_to_nobody_is_malformed() {
        let fir = [0x84, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
        let pli = [0x81, 206, 0, 1, 0, 0, 0, 1];
        for bytes in [&fir[..], &pli] {
            assert_eq!(packets(bytes).next().unwrap().unwrap_err(), PacketError::Body(206));
        }
    }
}
