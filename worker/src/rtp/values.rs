//! Values of header extensions: those that the worker makes itself, one per packet sent, and those that it reads.
//!
//! Knows their layout. Does not know the time: it is an argument. Called by `Transport::seal_rtp` and by producers.

/// The value of abs-send-time: `ntp` (32.32 fixed point seconds) as 24 bits of 6.18 fixed point, which wrap every 64 s
/// (libwebrtc, `abs-send-time` extension).
pub const fn abs_send_time(ntp: u64) -> [u8; 3] {
    let [.., high, middle, low] = (ntp >> 14).to_be_bytes();
    [high, middle, low]
}

/// How loud a packet's sound is, by its sender (RFC 6464 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    /// Decibels below the loudest sound that can be coded: 0 (loudest) to 127 (silence); the level in -dBov.
    pub below_full_db: u8,
    /// The sender takes it for a voice.
    pub voice: bool,
}

impl AudioLevel {
    /// Reads the extension's value, which is the same byte in the one-byte and the two-byte form. `None` for a value of
    /// another length.
    pub const fn read(value: &[u8]) -> Option<Self> {
        match *value {
            [byte] => Some(Self { below_full_db: byte & 0x7F, voice: byte & 0x80 != 0 }),
            _ => None,
        }
    }

    /// The value as it is sent. A level above 127 is 127.
    pub const fn write(self) -> [u8; 1] {
        let level = if self.below_full_db > 0x7F { 0x7F } else { self.below_full_db };
        [if self.voice { level | 0x80 } else { level }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abs_send_time_is_six_bits_of_seconds_and_eighteen_of_their_fraction() {
        let second = 1_u64 << 32;
        assert_eq!(abs_send_time(0), [0, 0, 0]);
        assert_eq!(abs_send_time(second), [0x04, 0, 0]);
        assert_eq!(abs_send_time(63 * second + second / 2), [0xFE, 0, 0]);
        assert_eq!(abs_send_time(64 * second - 1), [0xFF, 0xFF, 0xFF]);
        assert_eq!(abs_send_time(64 * second), [0, 0, 0]);
        assert_eq!(abs_send_time(second >> 18), [0, 0, 1]);
    }

    #[test]
    fn audio_level_is_seven_bits_below_the_voice_flag_and_nothing_else() {
        let level = |below_full_db, voice| Some(AudioLevel { below_full_db, voice });
        assert_eq!(AudioLevel::read(&[0x00]), level(0, false));
        assert_eq!(AudioLevel::read(&[0x7F]), level(127, false));
        assert_eq!(AudioLevel::read(&[0x80 | 42]), level(42, true));
        for wrong in [&[][..], &[1, 0], &[1, 0, 0]] {
            assert_eq!(AudioLevel::read(wrong), None);
        }
        assert_eq!(AudioLevel { below_full_db: 200, voice: true }.write(), [0xFF]);
        assert!((0..=255).all(|byte| AudioLevel::read(&[byte]).map(AudioLevel::write) == Some([byte])));
    }
}
