//! Retransmission payload format (RFC 4588): the original packet taken out of an RTX packet.
//!
//! Knows that an RTX payload is the original sequence number and the original payload. Does not know which stream an RTX
//! SSRC repairs: the caller says so. Called by `Producer::admit`, on a buffer that nobody else holds yet. The way out
//! is `Outgoing::rtx_osn`.
//! Invariant: after `unwrap` the header describes the packet as it now lies in the buffer.

use crate::base::sequence::Serial16;
use crate::rtp::header::Header;

/// Bytes of the original sequence number before the original payload.
pub const OSN_BYTES: usize = 2;

/// Why a packet on an RTX stream holds no original packet. The sender's doing: count it and drop the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RtxError {
    /// The payload without padding is shorter than the sequence number. Senders probe bandwidth with such packets.
    #[error("an RTX payload of less than 2 bytes has no original sequence number (RFC 4588 4)")]
    NoSequence,
    /// The header was not read from these bytes.
    #[error("the packet is shorter than its header says")]
    Truncated,
}

/// Turns an RTX packet into the packet that it repeats, in place: padding goes, the payload moves to the front over the
/// sequence number, and SSRC, payload type and sequence number become those of the stream `ssrc`. Extensions, CSRCs,
/// marker and timestamp stay. Returns the new length of the packet; `header` is brought in line with it.
///
/// An original without payload is possible (`Header::payload_len` is then 0): it carries nothing to forward.
///
/// # Errors
/// When there is no original packet inside; neither `packet` nor `header` is changed.
pub fn unwrap(
    packet: &mut [u8],
    header: &mut Header,
    ssrc: u32,
    payload_type: u8,
) -> Result<usize, RtxError> {
    if header.payload_len() < OSN_BYTES {
        return Err(RtxError::NoSequence);
    }
    let start = header.payload_offset();
    let end = start + header.payload_len();
    let body = packet.get(start..end).ok_or(RtxError::Truncated)?;
    let osn = *body.first_chunk::<OSN_BYTES>().ok_or(RtxError::NoSequence)?;
    let [first, second, sequence_high, sequence_low, _, _, _, _, ssrc_bytes @ ..] =
        packet.first_chunk_mut::<12>().ok_or(RtxError::Truncated)?;
    *first &= !0x20; // no padding any more
    *second = *second & 0x80 | payload_type & 0x7F;
    [*sequence_high, *sequence_low] = osn;
    *ssrc_bytes = ssrc.to_be_bytes();
    packet.copy_within(start + OSN_BYTES..end, start);
    header.shorten_payload(2);
    header.sequence = Serial16::new(u16::from_be_bytes(osn));
    header.ssrc = ssrc;
    header.payload_type = payload_type & 0x7F;
    Ok(end - OSN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{ExtensionId, ExtensionValues, Outgoing, write_packet};
    use proptest::prelude::*;

    fn original(payload: &[u8]) -> Outgoing<'_> {
        Outgoing {
            marker: true,
            payload_type: 97,
            sequence: Serial16::new(9),
            timestamp: 90_000,
            ssrc: 0xAAAA_AAAA,
            csrcs: &[],
            rtx_osn: None,
            payload,
            padding: 0,
        }
    }

    fn mid() -> ExtensionValues<'static> {
        let mut values = ExtensionValues::new();
        values.push(ExtensionId::new(4).unwrap(), b"v0").unwrap();
        values
    }

    #[test]
    fn a_wrapped_packet_comes_out_byte_for_byte() {
        let mut wrapped = [0; 64];
        let rtx = Outgoing { rtx_osn: Some(Serial16::new(65_535)), padding: 7, ..original(b"frame") };
        let len = write_packet(&mut wrapped, &rtx, &mid()).unwrap();
        let packet = &mut wrapped[..len];
        let mut header = Header::parse(packet).unwrap();
        let len = unwrap(packet, &mut header, 0xBBBB_BBBB, 96).unwrap();

        let mut expected = [0; 64];
        let plain = Outgoing {
            payload_type: 96,
            sequence: Serial16::new(65_535),
            ssrc: 0xBBBB_BBBB,
            ..original(b"frame")
        };
        let expected_len = write_packet(&mut expected, &plain, &mid()).unwrap();
        assert_eq!(packet[..len], expected[..expected_len]);
        assert_eq!(header, Header::parse(&packet[..len]).unwrap());
    }

    #[test]
    fn a_probe_without_sequence_number_is_refused_untouched() {
        for (payload, padding) in [(&b""[..], 0), (&b"\x01"[..], 0), (&b""[..], 255)] {
            let mut bytes = [0; 300];
            let len = write_packet(&mut bytes, &Outgoing { padding, ..original(payload) }, &mid()).unwrap();
            let before = bytes;
            let mut header = Header::parse(&bytes[..len]).unwrap();
            assert_eq!(unwrap(&mut bytes[..len], &mut header, 1, 96), Err(RtxError::NoSequence));
            assert_eq!((bytes, header), (before, Header::parse(&before[..len]).unwrap()));
        }
    }

    #[test]
    fn an_original_without_payload_is_seen_as_such() {
        let mut bytes = [0; 64];
        let len = write_packet(&mut bytes, &original(&[0x12, 0x34]), &mid()).unwrap();
        let mut header = Header::parse(&bytes[..len]).unwrap();
        assert_eq!(unwrap(&mut bytes[..len], &mut header, 1, 96), Ok(len - 2));
        assert_eq!((header.sequence.wire(), header.payload_len()), (0x1234, 0));
    }

    #[test]
    fn a_header_of_another_packet_is_an_error() {
        let mut bytes = [0; 64];
        let len = write_packet(&mut bytes, &original(b"frame"), &mid()).unwrap();
        let mut header = Header::parse(&bytes[..len]).unwrap();
        assert_eq!(unwrap(&mut bytes[..len - 1], &mut header, 1, 96), Err(RtxError::Truncated));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_a_new_header_describes_the_new_packet(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            if let Some(first) = bytes.first_mut() {
                *first = *first & 0x3F | 0x80;
            }
            if let Ok(mut header) = Header::parse(&bytes)
                && let Ok(len) = unwrap(&mut bytes, &mut header, 7, 96)
            {
                prop_assert_eq!(header, Header::parse(&bytes[..len]).unwrap());
            }
        }
    }
}
