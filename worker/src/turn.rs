//! What one call into the core may use, passed down by `&mut`.
//!
//! Knows the present moment and the worker's shared means. Time is read once a turn by the shell; nothing below
//! reads a clock, opens a socket or asks the system for random numbers.

use crate::base::pool::Pool;
use crate::base::time::Time;
use crate::network::{Destination, Network};
use crate::outbox::{LogLevel, LogTag, Outbox};
use crate::random::Random;

/// One turn of the event loop, or one step of a test.
#[expect(missing_debug_implementations, reason = "a bundle of borrows, made anew for every call")]
pub struct Turn<'a> {
    /// The monotonic clock, read once a turn.
    pub now: Time,
    /// The wall clock at `now`.
    pub wall: Ntp,
    /// Packet memory.
    pub pool: &'a mut Pool,
    /// What leaves: sealed datagrams, responses, events, log lines.
    pub outbox: &'a mut Outbox,
    /// Sockets.
    pub network: &'a mut dyn Network,
    /// Random numbers.
    pub random: &'a mut Random,
}

impl Turn<'_> {
    /// The wall clock at `time`, which must not lie after `now`.
    pub fn ntp_at(&self, time: Time) -> Ntp {
        self.wall.before(self.now.since(time))
    }

    /// A log line about what happens, for who asked for its tag: what `text` makes is sent if it is wanted.
    #[inline]
    #[track_caller]
    pub fn debug(&mut self, tag: LogTag, text: impl FnOnce() -> String) {
        self.outbox.log(self.now, LogLevel::Debug, tag, text);
    }

    /// A log line about what may go wrong.
    #[inline]
    #[track_caller]
    pub fn warn(&mut self, tag: LogTag, text: impl FnOnce() -> String) {
        self.outbox.log(self.now, LogLevel::Warn, tag, text);
    }

    /// A log line about what went wrong.
    #[inline]
    #[track_caller]
    pub fn error(&mut self, tag: LogTag, text: impl FnOnce() -> String) {
        self.outbox.log(self.now, LogLevel::Error, tag, text);
    }

    /// Puts one finished datagram to those that leave; too long a one is dropped.
    pub(crate) fn send(&mut self, to: Destination, datagram: &[u8]) {
        if !self.outbox.batch.push(to, datagram) {
            self.flush();
            // An empty batch takes any datagram.
            let _ = self.outbox.batch.push(to, datagram);
        }
    }

    /// Room for a datagram in the batch, which is sent first when it is full.
    pub fn room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if !self.outbox.batch.has_room(bytes) {
            self.flush();
        }
        self.outbox.batch.reserve(bytes)
    }

    /// Hands the sealed datagrams to the network.
    pub fn flush(&mut self) {
        if !self.outbox.batch.is_empty() {
            self.network.send(&mut self.outbox.batch);
        }
    }
}

/// An NTP timestamp (RFC 5905 6): seconds since 1900 in the upper 32 bits, 1/2^32 seconds in the lower.
///
/// The shell makes it from the system's clock once, at start, and adds monotonic time to it: a clock step never
/// bends media time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ntp(pub u64);

impl Ntp {
    /// The time `duration` later.
    #[must_use]
    pub fn after(self, duration: std::time::Duration) -> Self {
        Self(self.0.wrapping_add(fixed_point(duration)))
    }

    /// The time `duration` earlier.
    #[must_use]
    pub fn before(self, duration: std::time::Duration) -> Self {
        Self(self.0.wrapping_sub(fixed_point(duration)))
    }

    /// The middle 32 bits (RFC 3550 4): what RTCP compares round trips with, in 1/65,536 seconds.
    pub const fn compact(self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the middle 32 bits are meant")]
        let middle = (self.0 >> 16) as u32;
        middle
    }
}

fn fixed_point(duration: std::time::Duration) -> u64 {
    let fraction = (u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000;
    duration.as_secs().wrapping_shl(32) | fraction
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ntp_moves_by_fractions_of_a_second() {
        let start = Ntp(5 << 32);
        assert_eq!(start.after(Duration::from_millis(500)), Ntp((5 << 32) | (1 << 31)));
        assert_eq!(start.after(Duration::from_millis(1500)).before(Duration::from_millis(1500)), start);
        assert_eq!(Ntp(0x0001_0002_0003_0004).compact(), 0x0002_0003);
    }
}
