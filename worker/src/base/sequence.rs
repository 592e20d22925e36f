//! Numbers that wrap: sequence numbers, timestamps, picture ids, SRTP indices.
//!
//! Knows serial number arithmetic (RFC 1982) and how to count on past a wrap. Does not know which field of which
//! protocol a number came from. Used by everything that reads or writes such a field.
//! Invariant: a wire number has no order of its own (`<` does not compile); an extended one is a plain number.
//!
//! RFC 1982 leaves two numbers that are exactly half a cycle apart incomparable. Here such a number counts as
//! *behind*, seen from either side, so that a doubtful number never moves a reference forward.

#![forbid(unsafe_code)]

use std::num::NonZeroU64;
use std::ops::Add;

/// A number of a fixed count of bits that starts again at zero after its highest value.
pub trait Serial: Copy + Eq {
    /// How many bits the number has; after `1 << BITS` steps it is where it was.
    const BITS: u32;

    /// The number with this value, bits above `BITS` cut off.
    fn from_low_bits(value: u64) -> Self;

    /// The value as a plain number, below `1 << BITS`.
    fn to_u64(self) -> u64;

    /// The shortest way round from `other` to `self`: see [`Serial16::distance_from`].
    fn distance_from(self, other: Self) -> i64;
}

macro_rules! serial {
    ($(#[$doc:meta])* $name:ident, $raw:ty, $bits:literal) => {
        $(#[$doc])*
        ///
        /// It has no order, on purpose: ask [`is_newer_than`](Self::is_newer_than), or extend it.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name($raw);

        impl $name {
            /// How many bits the number has on the wire.
            pub const BITS: u32 = $bits;

            const MASK: $raw = <$raw>::MAX >> (<$raw>::BITS - $bits);

            /// The number with this wire value; bits above `BITS` are cut off.
            pub const fn new(raw: $raw) -> Self {
                Self(raw & Self::MASK)
            }

            /// The value as it stands on the wire.
            pub const fn wire(self) -> $raw {
                self.0
            }

            /// The number after this one; zero after the highest.
            pub const fn next(self) -> Self {
                self.add(1)
            }

            /// The number `n` steps on, around the end if need be (RFC 1982 section 3.1, for every `n`).
            pub const fn add(self, n: $raw) -> Self {
                Self::new(self.0.wrapping_add(n))
            }

            /// The shortest way round from `other` to this number: positive when this one is ahead.
            ///
            /// In `-half..half`, where `half` is `1 << (BITS - 1)`: exactly half a cycle away is behind (`-half`),
            /// from both sides (RFC 1982 section 3.2 leaves it undefined).
            pub const fn distance_from(self, other: Self) -> i64 {
                // Moved to the top of 64 bits the sign bit does the comparing; shifting back keeps the sign.
                let ahead = (self.0.wrapping_sub(other.0) as u64) << (u64::BITS - $bits);
                ahead.cast_signed() >> (u64::BITS - $bits)
            }

            /// Whether this number comes after `other` by less than half a cycle (RFC 1982 section 3.2).
            pub const fn is_newer_than(self, other: Self) -> bool {
                self.distance_from(other) > 0
            }
        }

        impl Serial for $name {
            const BITS: u32 = $bits;

            #[expect(clippy::allow_attributes, reason = "a cast of u64 to u64 cannot truncate, the others do")]
            #[allow(clippy::cast_possible_truncation, reason = "cutting off the high bits is what it is for")]
            fn from_low_bits(value: u64) -> Self {
                Self::new(value as $raw)
            }

            fn to_u64(self) -> u64 {
                u64::from(self.0)
            }

            fn distance_from(self, other: Self) -> i64 {
                self.distance_from(other)
            }
        }
    };
}

serial!(
    /// Seven bits: the short form of a VP8 picture id (RFC 7741 section 4.2).
    Serial7,
    u8,
    7
);
serial!(
    /// Eight bits: a VP8 `TL0PICIDX` (RFC 7741 section 4.2).
    Serial8,
    u8,
    8
);
serial!(
    /// Fifteen bits: the long form of a VP8 picture id (RFC 7741 section 4.2).
    Serial15,
    u16,
    15
);
serial!(
    /// Sixteen bits: an RTP sequence number (RFC 3550 section 5.1), or a transport-wide one.
    Serial16,
    u16,
    16
);
serial!(
    /// Thirty-two bits: an RTP timestamp (RFC 3550 section 5.1), or the middle of an NTP time (section 4).
    Serial32,
    u32,
    32
);
serial!(
    /// Forty-eight bits: an SRTP packet index (RFC 3711 section 3.3.1).
    Serial48,
    u64,
    48
);

/// Turns wire numbers into plain ones that never wrap, by remembering the newest number seen.
///
/// The first number becomes `(1 << BITS) + raw`, a whole cycle up, so that numbers older than it stay above zero.
/// A number half a cycle or more ahead of the newest looks like one behind it: a caller that must follow a restart
/// starts a new extender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extender<S> {
    newest: Option<NonZeroU64>,
    serial: std::marker::PhantomData<S>,
}

impl<S: Serial> Extender<S> {
    /// An extender that has seen nothing.
    pub const fn new() -> Self {
        Self { newest: None, serial: std::marker::PhantomData }
    }

    /// The plain number for `serial`, which becomes the reference when it is the newest so far.
    ///
    /// It saturates at `u64::MAX`, which no stream reaches in steps of one.
    pub fn extend(&mut self, serial: S) -> u64 {
        let extended = self.peek(serial);
        self.newest = self.newest.max(NonZeroU64::new(extended));
        extended
    }

    /// The plain number that `extend` would give, without moving the reference.
    pub fn peek(&self, serial: S) -> u64 {
        match self.newest {
            None => (1 << S::BITS) + serial.to_u64(),
            Some(newest) => {
                let newest = newest.get();
                newest.saturating_add_signed(serial.distance_from(S::from_low_bits(newest)))
            }
        }
    }

    /// The newest plain number so far; `None` before the first.
    pub fn newest(&self) -> Option<u64> {
        self.newest.map(NonZeroU64::get)
    }
}

impl<S: Serial> Default for Extender<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Extends 7-bit numbers.
pub type Extender7 = Extender<Serial7>;
/// Extends 8-bit numbers.
pub type Extender8 = Extender<Serial8>;
/// Extends 15-bit numbers.
pub type Extender15 = Extender<Serial15>;
/// Extends 16-bit numbers.
pub type Extender16 = Extender<Serial16>;
/// Extends 32-bit numbers.
pub type Extender32 = Extender<Serial32>;
/// Extends 48-bit numbers.
pub type Extender48 = Extender<Serial48>;

/// An RTP sequence number that does not wrap (RFC 3550 appendix A.1): ordered, and its low 16 bits are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// The sequence number with this extended value, as [`Extender16`] gives it.
    pub const fn new(extended: u64) -> Self {
        Self(extended)
    }

    /// The extended value.
    pub const fn extended(self) -> u64 {
        self.0
    }

    /// What stands in the packet: the low 16 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are what is asked for")]
    pub const fn wire(self) -> Serial16 {
        Serial16::new(self.0 as u16)
    }

    /// The number after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// How many steps after `older` this is; zero when it is not after it.
    pub const fn since(self, older: Self) -> u64 {
        self.0.saturating_sub(older.0)
    }
}

impl Add<u64> for Seq {
    type Output = Self;

    fn add(self, steps: u64) -> Self {
        Self(self.0.saturating_add(steps))
    }
}

const _: () = assert!(size_of::<Extender16>() == 8 && size_of::<Extender48>() == 8);
const _: () =
    assert!(size_of::<Serial7>() == 1 && size_of::<Serial16>() == 2 && size_of::<Option<Seq>>() == 16);

#[cfg(test)]
mod tests;
