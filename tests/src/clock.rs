//! The clocks of the load generator: when to send, when a packet left, how long to sleep.
//!
//! Knows the machine's clocks and the timer slack. Does not know packets. Called by the load generator, the ideal
//! forwarder and the benchmark's phases; everything else gets times as arguments. Its invariant: no function fails
//! (Linux has these clocks always), so that no caller needs a second path.

use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// Nanoseconds of the monotonic clock: the one that schedules.
pub fn monotonic_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Nanoseconds of the wall clock: the one in which the kernel stamps received datagrams (SO_TIMESTAMPNS).
pub fn wall_ns() -> u64 {
    read(ClockId::CLOCK_REALTIME)
}

/// Nanoseconds of CPU which the calling thread has used.
pub fn thread_cpu_ns() -> u64 {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Sleeps until the monotonic clock shows `at_ns`; returns early when a signal comes.
pub fn sleep_until(at_ns: u64) {
    let at = TimeSpecParts::of(at_ns);
    // An interrupted sleep is a short one: every caller looks at the clock again.
    let _ =
        clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &at.into_time_spec());
}

/// Sleeps for `duration_ns`.
pub fn sleep_for(duration_ns: u64) {
    sleep_until(monotonic_ns().saturating_add(duration_ns));
}

/// Lets this thread's sleeps end when they are due and not up to 50 us later (PR_SET_TIMERSLACK).
pub fn end_sleeps_on_time() {
    // Without it sleeps are only less exact.
    let _ = nix::sys::prctl::set_timerslack(1);
}

fn read(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
        seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos)
    })
}

struct TimeSpecParts {
    seconds: i64,
    nanos: i64,
}

impl TimeSpecParts {
    fn of(nanos: u64) -> Self {
        Self {
            seconds: i64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(i64::MAX),
            nanos: i64::try_from(nanos % NANOS_PER_SECOND).unwrap_or(0),
        }
    }

    fn into_time_spec(self) -> nix::sys::time::TimeSpec {
        nix::sys::time::TimeSpec::new(self.seconds, self.nanos)
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;
