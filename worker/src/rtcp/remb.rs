//! Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 2.2): how much all streams together may take.
//!
//! Knows an exponent and a mantissa. Why a bitrate is what it is, is `media::transport::congestion`.
//! Invariant: what is read from a written packet is never above what was given, and below it by less than one part in
//! 131,072.

use crate::rtcp::cursor::{Sink, take, take_slice, take_u32};

/// Feedback message type of application layer feedback (RFC 4585 6.4), of which REMB is one.
pub(super) const FORMAT: u8 = 15;

/// Most streams of one packet: their count has 8 bits.
pub(super) const SSRCS_MAX: usize = 255;

/// A REMB. The draft sets its media SSRC to 0.
#[derive(Clone, Debug)]
pub struct Remb<'a> {
    /// The one who estimates.
    pub sender_ssrc: u32,
    /// Bits per second, of all named streams together. libwebrtc takes 0 as no limit.
    pub bitrate: u64,
    ssrcs: &'a [u8],
}

impl<'a> Remb<'a> {
    /// Whether a body of application layer feedback is a REMB.
    pub(super) fn is(body: &[u8]) -> bool {
        body.get(8..12).is_some_and(|name| name == NAME)
    }

    /// Refuses a bitrate above 64 bits, and fewer streams than it says.
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let sender_ssrc = take_u32(&mut body)?;
        let [_media, _name] = [take_u32(&mut body)?, take_u32(&mut body)?];
        let [count, high, middle, low] = take(&mut body)?;
        let mantissa = u64::from(u32::from_be_bytes([0, high & 3, middle, low]));
        let exponent = u32::from(high >> 2);
        let bitrate = mantissa << exponent;
        (bitrate >> exponent == mantissa).then_some(())?;
        Some(Self { sender_ssrc, bitrate, ssrcs: take_slice(&mut body, 4 * usize::from(count))? })
    }

    /// The streams that it is about; none is all of them.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut rest = self.ssrcs;
        std::iter::from_fn(move || take_u32(&mut rest))
    }
}

/// Bytes of the body.
pub(super) const fn body_len(ssrcs: usize) -> usize {
    16 + 4 * ssrcs
}

/// Writes a body for at most [`SSRCS_MAX`] streams.
pub(super) fn write(sink: &mut Sink<'_>, sender_ssrc: u32, bitrate: u64, ssrcs: &[u32]) -> Option<()> {
    let exponent = (u64::BITS - bitrate.leading_zeros()).saturating_sub(MANTISSA_BITS);
    let [.., high, middle, low] = (bitrate >> exponent).to_be_bytes();
    sink.put_u32(sender_ssrc)?;
    sink.put_u32(0)?;
    sink.put(NAME)?;
    sink.put(&[u8::try_from(ssrcs.len()).ok()?, u8::try_from(exponent).ok()? << 2 | high, middle, low])?;
    ssrcs.iter().try_for_each(|ssrc| sink.put_u32(*ssrc))
}

const NAME: &[u8] = b"REMB";
const MANTISSA_BITS: u32 = 18;

#[cfg(test)]
mod tests {
    use crate::rtcp::{COMPOUND_BYTES_MAX, CompoundWriter, Packet, PacketError, WriteError, packets};
    use proptest::prelude::*;

    fn written(bitrate: u64, ssrcs: &[u32]) -> Vec<u8> {
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.remb(7, bitrate, ssrcs).unwrap();
        writer.bytes().to_vec()
    }

    fn read(bytes: &[u8]) -> (u64, Vec<u32>) {
        match packets(bytes).next() {
            Some(Ok(Packet::Remb(remb))) => {
                assert_eq!(remb.sender_ssrc, 7);
                (remb.bitrate, remb.ssrcs().collect())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bytes_are_those_of_the_draft() {
        let bytes = written(1_000_000, &[2]);
        // 1,000,000 is 250,000 << 2.
        let expected = [
            0x8F, 206, 0, 5, 0, 0, 0, 7, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x0B, 0xD0, 0x90, 0, 0, 0, 2,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(read(&bytes), (1_000_000, vec![2]));
    }

    #[test]
    fn no_limit_is_zero_and_the_largest_fits() {
        assert_eq!(read(&written(0, &[])), (0, vec![]));
        assert_eq!(read(&written(u64::MAX, &[])).0, 0x3_FFFF << 46);
        assert_eq!(read(&written(0x3_FFFF, &[])).0, 0x3_FFFF);
    }

    #[test]
    fn more_streams_than_a_byte_can_say_are_refused() {
        let mut buffer = [0; COMPOUND_BYTES_MAX];
        let mut writer = CompoundWriter::new(&mut buffer);
        assert_eq!(writer.remb(7, 1, &[1; 256]), Err(WriteError::Count));
        assert_eq!(writer.remb(7, 1, &[1; 255]), Ok(()));
        assert_eq!(writer.remb(7, 1, &[1; 255]), Err(WriteError::NoRoom));
    }

    #[test]
    fn a_bitrate_beyond_64_bits_and_streams_that_are_not_there_are_malformed() {
        for (at, byte) in [(17, 0xFF), (16, 2)] {
            let mut bytes = written(1_000_000, &[2]);
            bytes[at] = byte;
            assert!(matches!(packets(&bytes).next(), Some(Err(PacketError::Body(206)))), "{at}");
        }
    }

    #[test]
    fn other_application_feedback_is_skipped() {
        let mut bytes = written(1_000_000, &[2]);
        bytes[12] = b'X';
        assert!(matches!(packets(&bytes).next(), Some(Ok(Packet::Unknown(_)))));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_given_or_just_below(
            bits in 0..64_u32,
            any: u64,
            ssrcs in proptest::collection::vec(any::<u32>(), 0..20),
        ) {
            let bitrate = any >> bits;
            let (found, streams) = read(&written(bitrate, &ssrcs));
            prop_assert!(found <= bitrate && bitrate - found <= bitrate >> 17);
            prop_assert_eq!(streams, ssrcs);
        }
    }
}
