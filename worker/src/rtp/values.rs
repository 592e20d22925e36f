//! Values of header extensions: those that the worker makes itself, one per packet sent, and those that it reads.
//!
//! Knows their layout. Does not know the time: it is an argument. Called by `consumer::seal` for what leaves and by
//! `Producer::admit` for what comes.

use std::num::NonZeroU8;

/// The value of abs-send-time: `ntp` (32.32 fixed point seconds) as 24 bits of 6.18 fixed point, which wrap every 64 s
/// (libwebrtc, `abs-send-time` extension).
pub const fn abs_send_time(ntp: u64) -> [u8; 3] {
    let [.., high, middle, low] = (ntp >> 14).to_be_bytes();
    [high, middle, low]
}

/// Bytes of an absolute capture time that says when, by the capturing system's clock (libwebrtc, `abs-capture-time`).
pub const CAPTURE_TIME_BYTES: u8 = 8;

/// Whether an absolute capture time has its extended form, whose second half is a clock offset: how much the capturing
/// system's clock is ahead of the one that the stream's sender reports by.
pub const fn has_capture_clock(value: &[u8]) -> bool {
    value.len() == 2 * CAPTURE_TIME_BYTES as usize
}

/// Adds `by`, in 1/2^32 s, to the clock offset of an absolute capture time, and leaves one without it alone.
pub fn shift_capture_clock(value: &mut [u8], by: i64) {
    if has_capture_clock(value)
        && let Some(offset) = value.last_chunk_mut::<8>()
    {
        *offset = i64::from_be_bytes(*offset).wrapping_add(by).to_be_bytes();
    }
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

/// How a camera is held: coordination of video orientation (3GPP TS 26.114 7.4.5), one byte `0 0 0 0 C F R1 R0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Orientation(NonZeroU8);

const _: () = assert!(size_of::<Option<Orientation>>() == 1, "kept per producer and stream");

impl Orientation {
    /// Reads the value; `None` when it has not one byte. The upper bits are of no meaning and may be anything.
    pub const fn read(value: &[u8]) -> Option<Self> {
        match *value {
            [byte] => match NonZeroU8::new(byte & (BACK | FLIP | ROTATION) | SAID) {
                Some(bits) => Some(Self(bits)),
                None => None,
            },
            _ => None,
        }
    }

    /// C: the back camera, which looks away from the user.
    pub const fn is_back_camera(self) -> bool {
        self.0.get() & BACK != 0
    }

    /// F: the picture is mirrored.
    pub const fn is_flipped(self) -> bool {
        self.0.get() & FLIP != 0
    }

    /// R: degrees that a receiver has to turn the picture clockwise: 0, 90, 180 or 270.
    pub const fn rotation(self) -> u16 {
        90 * (self.0.get() & ROTATION) as u16
    }
}

const BACK: u8 = 0x08;
const FLIP: u8 = 0x04;
const ROTATION: u8 = 0x03;
/// Ours: without it "front camera, upright" would be a zero.
const SAID: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_clock_is_shifted_in_the_second_half_of_the_extended_form_only() {
        let mut value = [7; 16];
        value[8..].copy_from_slice(&(-5_i64).to_be_bytes());
        shift_capture_clock(&mut value, 7);
        assert_eq!(value, [7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 2]);
        for length in [0, 7, 8, 9, 15, 17] {
            let mut other = vec![1; length];
            shift_capture_clock(&mut other, 7);
            assert_eq!(other, vec![1; length]);
        }
    }

    #[test]
    fn orientation_is_camera_flip_and_quarters_of_a_turn() {
        let read = |byte| {
            let read = Orientation::read(&[byte])?;
            Some((read.is_back_camera(), read.is_flipped(), read.rotation()))
        };
        assert_eq!(read(0b0000), Some((false, false, 0)));
        assert_eq!(read(0b0001), Some((false, false, 90)));
        assert_eq!(read(0b0110), Some((false, true, 180)));
        assert_eq!(read(0b1011), Some((true, false, 270)));
        assert_eq!(Orientation::read(&[0xF3]), Orientation::read(&[0x03]), "the upper bits say nothing");
        assert_eq!(Orientation::read(&[]), None);
        assert_eq!(Orientation::read(&[1, 0]), None);
    }

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
