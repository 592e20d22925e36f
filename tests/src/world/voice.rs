//! What a microphone tells of the loudness of its packets (RFC 6464).
//!
//! Knows levels in decibels below the loudest, 0 to 127. Does not know packets. Owned by a source whose stream has the
//! extension. Invariant: levels follow from what is said and the random numbers alone.

use tidegate_worker::random::Random;

/// What is before a microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Somebody who talks: syllables of 120 to 360 ms at -12 to -35 dBov, and pauses of 40 to 160 ms.
    Speech,
    /// A room at -66 to -72 dBov.
    Nothing,
    /// One sound; 127 is a muted microphone.
    Level(u8),
}

/// A microphone's levels, one a packet of 20 ms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    pub(super) says: Says,
    /// Packets left of this syllable or pause.
    left: u32,
    sounds: bool,
}

impl Voice {
    pub(super) const fn new() -> Self {
        Self { says: Says::Nothing, left: 0, sounds: false }
    }

    /// Of the next packet.
    pub(super) fn next_level(&mut self, random: &mut Random) -> u8 {
        let says = self.says;
        let (low, high) = match says {
            Says::Level(level) => return level,
            Says::Nothing => (66, 72),
            Says::Speech if self.is_syllable(random) => (12, 35),
            Says::Speech => (60, 75),
        };
        u8::try_from(random.in_range(low, high)).unwrap_or(127)
    }

    fn is_syllable(&mut self, random: &mut Random) -> bool {
        if self.left == 0 {
            self.sounds = !self.sounds;
            self.left = if self.sounds { random.in_range(6, 18) } else { random.in_range(2, 8) };
        }
        self.left -= 1;
        self.sounds
    }
}
