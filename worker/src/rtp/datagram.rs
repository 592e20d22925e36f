//! What a datagram on a media socket is, by its first bytes.
//!
//! STUN, DTLS, RTP and RTCP share one port (RFC 7983, RFC 5761). Knows the ranges and nothing behind them: the bytes
//! that follow may still be malformed. Called once per datagram by the worker's demultiplexing.

/// The protocol that a datagram claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatagramKind {
    /// First byte 0..=3 (RFC 7983 7).
    Stun,
    /// First byte 20..=63 (RFC 7983 7).
    Dtls,
    /// First byte 128..=191, the second not in RTCP's range.
    Rtp,
    /// First byte 128..=191 and packet type 192..=223 (RFC 5761 4), so RTP must avoid payload types 64..=95.
    Rtcp,
    /// Everything else: empty, a lone byte, ZRTP, TURN channel data, SIP, noise.
    Unknown,
}

impl DatagramKind {
    /// Classifies by the first two bytes.
    pub const fn of(datagram: &[u8]) -> Self {
        match datagram {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, _, ..] => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_rfc_7983_and_5761_have_exact_edges() {
        let kinds = |first: u8, second: u8| DatagramKind::of(&[first, second]);
        for (first, kind) in [
            (0, DatagramKind::Stun),
            (3, DatagramKind::Stun),
            (4, DatagramKind::Unknown),
            (19, DatagramKind::Unknown),
            (20, DatagramKind::Dtls),
            (63, DatagramKind::Dtls),
            (64, DatagramKind::Unknown),
            (127, DatagramKind::Unknown),
            (128, DatagramKind::Rtp),
            (191, DatagramKind::Rtp),
            (192, DatagramKind::Unknown),
            (255, DatagramKind::Unknown),
        ] {
            assert_eq!(kinds(first, 0), kind, "first byte {first}");
        }
        for (second, kind) in [
            (191, DatagramKind::Rtp),
            (192, DatagramKind::Rtcp),
            (223, DatagramKind::Rtcp),
            (224, DatagramKind::Rtp),
        ] {
            assert_eq!(kinds(0x80, second), kind, "second byte {second}");
        }
    }

    #[test]
    fn one_byte_is_not_enough_for_rtp() {
        assert_eq!(DatagramKind::of(&[0x80]), DatagramKind::Unknown);
        assert_eq!(DatagramKind::of(&[]), DatagramKind::Unknown);
    }
}
