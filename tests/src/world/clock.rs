//! The time of a simulated worker: it passes when the test says so.
//!
//! Knows one instant, on the monotonic clock and on the wall. Does not know who waits for it. Moved by `World` alone.
//! Invariant: it never goes back, and both clocks run alike.

use std::time::Duration;

use tidegate_worker::base::time::Time;
use tidegate_worker::turn::Ntp;

/// The worker's clock and the wall's.
#[derive(Clone, Copy, Debug)]
pub struct VirtualClock {
    now: Time,
    wall_at_start: Ntp,
}

impl VirtualClock {
    /// A clock whose wall shows `wall_at_start` when the world begins.
    pub const fn new(wall_at_start: Ntp) -> Self {
        Self { now: START, wall_at_start }
    }

    /// The monotonic time.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The wall's time.
    pub fn wall(&self) -> Ntp {
        self.wall_at_start.after(self.elapsed())
    }

    /// Time since the world began.
    pub fn elapsed(&self) -> Duration {
        self.now.since(START)
    }

    /// Lets time pass up to `to`; an earlier time changes nothing.
    pub fn advance_to(&mut self, to: Time) {
        self.now = self.now.max(to);
    }
}

/// Not zero, so that what a worker takes back from the time of an event does not go below it.
const START: Time = Time::from_millis(1_000_000);
