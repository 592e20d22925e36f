//! The one clock of the worker, and the one sleep.
//!
//! Knows the system's monotonic and wall clocks. Does not know deadlines. Called by the event loop once a turn.
//! Invariant: `Time` never goes back, and NTP time follows it: a step of the wall clock bends neither.
#![expect(unsafe_code, reason = "prctl")]
#![expect(clippy::disallowed_methods, reason = "the one place that asks the machine for time, and sleeps")]

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::check;
use crate::base::time::Time;
use crate::turn::Ntp;

/// Reads time.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    ntp_at_origin: Ntp,
}

/// The present on both clocks, read together, once a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic clock.
    pub now: Time,
    /// The wall clock then: nanoseconds since 1970.
    pub wall_nanos: u64,
}

impl Clock {
    /// A clock whose origin lies one second back, so that the first second's arrivals have a time.
    pub fn new() -> Self {
        let since_1970 = wall();
        let since_1900 = since_1970.as_secs().saturating_add(SECONDS_1900_TO_1970);
        let fraction = Duration::from_nanos(u64::from(since_1970.subsec_nanos()));
        let ntp_now = Ntp(since_1900 << 32).after(fraction);
        Self { origin: Instant::now(), ntp_at_origin: ntp_now.before(HEAD_START) }
    }

    /// The monotonic clock.
    pub fn now(&self) -> Time {
        Time::ZERO + HEAD_START + self.origin.elapsed()
    }

    /// Both clocks. Should the system take the processor away between them, they are read again: arrival times are
    /// reckoned from their difference.
    pub fn moment(&self) -> Moment {
        let mut before = self.now();
        for _ in 0..MOMENT_TRIES {
            let wall_nanos = u64::try_from(wall().as_nanos()).unwrap_or(u64::MAX);
            let now = self.now();
            if now.since(before) <= MOMENT_SPREAD {
                return Moment { now, wall_nanos };
            }
            before = now;
        }
        let wall_nanos = u64::try_from(wall().as_nanos()).unwrap_or(u64::MAX);
        Moment { now: self.now(), wall_nanos }
    }

    /// NTP time at `time`: the wall clock at start and monotonic time since.
    pub fn ntp(&self, time: Time) -> Ntp {
        self.ntp_at_origin.after(time.since(Time::ZERO))
    }

    /// Sleeps, never shorter than `duration`.
    pub fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Moment {
    /// When the wall clock was `wall_nanos`, at most a second ago. What lies ahead happened since the clock was read,
    /// or the wall clock was set back: now.
    pub fn monotonic(&self, wall_nanos: u64) -> Time {
        let ago = Duration::from_nanos(self.wall_nanos.saturating_sub(wall_nanos));
        self.now - ago.min(OLDEST_ARRIVAL)
    }
}

/// Lets sleeps and waits end when they should: the default slack of 50 us is a tenth of a moderation sleep.
///
/// # Errors
/// Whatever the system says; the worker runs on with longer sleeps.
pub fn sharpen_timers() -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK_NANOS) }).map(drop)
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// RFC 5905 6: from 1 January 1900 to 1 January 1970.
const SECONDS_1900_TO_1970: u64 = 2_208_988_800;
/// So far apart may the two clocks be read (60 ns is usual).
const MOMENT_SPREAD: Duration = Duration::from_micros(20);
const MOMENT_TRIES: usize = 3;
const HEAD_START: Duration = Duration::from_secs(1);
/// A datagram that claims to have waited longer in the kernel tells of a clock step.
const OLDEST_ARRIVAL: Duration = Duration::from_secs(1);
const TIMER_SLACK_NANOS: libc::c_ulong = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_lie_between_a_second_ago_and_now() {
        let moment = Moment { now: Time::from_millis(5_000), wall_nanos: 1_700_000_000_000_000_000 };
        let at = |wall_ms: i64| {
            let wall = moment.wall_nanos.checked_add_signed(wall_ms * 1_000_000).unwrap();
            moment.monotonic(wall)
        };
        assert_eq!(at(-300), Time::from_millis(4_700));
        assert_eq!(at(-86_400_000), Time::from_millis(4_000), "the wall clock was set forward");
        assert_eq!(at(86_400_000), Time::from_millis(5_000), "the wall clock was set back");
    }

    #[test]
    fn ntp_time_is_the_wall_clock_of_the_start_plus_monotonic_time() {
        let clock = Clock::new();
        let moment = clock.moment();
        let ntp = clock.ntp(moment.now).0;
        let unix_seconds = (ntp >> 32) - SECONDS_1900_TO_1970;
        assert!(unix_seconds.abs_diff(moment.wall_nanos / 1_000_000_000) <= 1);
        assert_eq!(clock.ntp(moment.now + Duration::from_secs(7)).0 - ntp, 7 << 32);
    }

    #[test]
    fn a_sleep_is_not_shorter_than_asked() {
        let clock = Clock::new();
        let before = clock.now();
        clock.sleep(Duration::from_micros(300));
        assert!(clock.now().since(before) >= Duration::from_micros(300));
    }
}
