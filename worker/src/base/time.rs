//! A point on the worker's monotonic clock, as a plain number.
//!
//! Knows nanoseconds. Does not know a clock: only `sys/clock.rs` asks the machine, so that a test can pass any
//! value. Eight bytes where `std::time::Instant` takes sixteen.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds since an origin that the shell chose (for a live worker shortly before its start; for a test, any).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// A time `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A time `millis` milliseconds after the origin; saturates after 584 years.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The first multiple of `grid` that is not before this time. A zero grid changes nothing.
    pub fn round_up_to(self, grid: Duration) -> Self {
        match nanos(grid) {
            0 => self,
            grid => Self(self.0.checked_next_multiple_of(grid).unwrap_or(u64::MAX)),
        }
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_round_up_to_the_grid_and_never_down() {
        let grid = Duration::from_millis(20);
        assert_eq!(Time::from_millis(20).round_up_to(grid), Time::from_millis(20));
        assert_eq!(
            (Time::from_millis(20) + Duration::from_nanos(1)).round_up_to(grid),
            Time::from_millis(40)
        );
        assert_eq!(Time::from_nanos(u64::MAX).round_up_to(grid), Time::from_nanos(u64::MAX));
    }

    #[test]
    fn time_before_an_event_is_zero_after_it() {
        assert_eq!(Time::from_millis(1).since(Time::from_millis(2)), Duration::ZERO);
    }
}
