//! Whether to sleep a little after a wake, so that what arrives meanwhile is forwarded together.
//!
//! A 720p frame is nine packets 25 us apart: a loop that runs at each wake reads them by twos, and pays a sleep and a
//! wake (22 to 30 us of CPU) for each two, and a message to each receiver instead of a segment. A sparse stream gains
//! nothing from a sleep, it only gets late. So we look at when packets arrived (the kernel's own times, which sleeping
//! does not bend), work out what the same packets would have cost read as they came, and sleep while that is dearer.
//! Because the arrivals tell it either way, asleep or not, no sleep is needed to find out.
//! Knows times of arrival and what a turn cost. Does not know sockets or packets. Called by the event loop.
//! Invariant: never sleeps longer than the interval it was made with, counted from the wake.

use std::time::Duration;

use crate::base::time::Time;

/// Decides about sleeps.
#[derive(Debug)]
pub struct Moderation {
    interval: Duration,
    window: Option<Window>,
    /// What a sleep gained lately, in microseconds of CPU a window: negative where it cost more than it brought.
    gain_us: f64,
    pays: bool,
    /// Datagrams sent for each received one, lately.
    fan_out: f64,
    /// Duration of a turn for each datagram that it received, lately, in microseconds.
    turn_us_per_datagram: f64,
}

/// What arrived since a wake, for as long as a sleep would last.
#[derive(Debug)]
struct Window {
    start: Time,
    /// Arrivals after `start`; those before are already there at the wake, whatever we do.
    arrivals_us: [f64; ARRIVALS_MAX],
    count: usize,
    already_there: u32,
}

impl Moderation {
    /// Sleeps up to `interval`, at most 2 ms; zero: never.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval: interval.min(INTERVAL_MAX),
            window: None,
            gain_us: 0.0,
            pays: false,
            fan_out: 1.0,
            turn_us_per_datagram: 2.0,
        }
    }

    /// A wake brought media at `now`. How long to sleep before reading it, if that pays.
    pub fn on_wake(&mut self, now: Time) -> Option<Duration> {
        if self.interval.is_zero() {
            return None;
        }
        if self.window.as_ref().is_none_or(|window| now > window.start + self.interval) {
            self.close_window();
            self.window =
                Some(Window { start: now, arrivals_us: [0.0; ARRIVALS_MAX], count: 0, already_there: 0 });
        }
        self.pays.then_some(self.interval)
    }

    /// A datagram was read that the kernel received at `received_at`.
    pub fn on_arrival(&mut self, received_at: Time) {
        let Some(window) = &mut self.window else { return };
        let after = received_at.since(window.start);
        if after.is_zero() {
            window.already_there += 1;
        } else if after <= self.interval
            && let Some(place) = window.arrivals_us.get_mut(window.count)
        {
            *place = after.as_secs_f64() * 1e6;
            window.count += 1;
        }
    }

    /// A turn that read `received` datagrams sent `sent` and took `busy`.
    pub fn on_turn(&mut self, received: u32, sent: u64, busy: Duration) {
        if received == 0 || self.interval.is_zero() {
            return;
        }
        let sent = f64::from(u32::try_from(sent).unwrap_or(u32::MAX));
        let received = f64::from(received);
        approach(&mut self.fan_out, sent / received);
        approach(&mut self.turn_us_per_datagram, busy.as_secs_f64() * 1e6 / received);
    }

    fn close_window(&mut self) {
        let Some(mut window) = self.window.take() else { return };
        let gain_us = window.gain_us(self.fan_out, self.turn_us_per_datagram);
        approach(&mut self.gain_us, gain_us.clamp(-GAIN_US_MAX, GAIN_US_MAX));
        // Two thresholds, so that a stream at the edge does not flutter.
        self.pays = self.gain_us > if self.pays { 0.0 } else { GAIN_US_TO_BEGIN };
    }
}

impl Window {
    /// What one sleep over this window saves: the wakes and the messages that the same arrivals cost read as they
    /// come, less the sleep's own wake.
    fn gain_us(&mut self, fan_out: f64, turn_us_per_datagram: f64) -> f64 {
        let arrivals = self.arrivals_us.get_mut(..self.count).unwrap_or_default();
        arrivals.sort_unstable_by(f64::total_cmp); // sockets are read one after the other
        let (mut wakes, mut further_turns) = (0_u32, 0_u32);
        let mut busy_until_us = TURN_US + f64::from(self.already_there) * turn_us_per_datagram;
        let mut rest = &*arrivals;
        while let Some(first) = rest.first() {
            if *first > busy_until_us {
                wakes += 1;
                busy_until_us = first + WAKE_LATENCY_US;
            }
            let read = rest.partition_point(|arrival| *arrival <= busy_until_us).max(1);
            rest = rest.get(read..).unwrap_or_default();
            further_turns += 1;
            let read = u32::try_from(read).unwrap_or(u32::MAX);
            busy_until_us += TURN_US + f64::from(read) * turn_us_per_datagram;
        }
        f64::from(wakes) * WAKE_US + f64::from(further_turns) * fan_out * MESSAGE_US - WAKE_US
    }
}

/// A running mean over some eight values.
fn approach(mean: &mut f64, value: f64) {
    *mean += (value - *mean) / 8.0;
}

/// The longest sleep in microseconds: a receiver's jitter buffer takes this without notice.
pub const INTERVAL_US_MAX: u64 = 2_000;
const INTERVAL_MAX: Duration = Duration::from_micros(INTERVAL_US_MAX);
/// So many arrivals of one window are looked at; more would not change the answer.
const ARRIVALS_MAX: usize = 128;
/// CPU time of one sleep and wake (measured: 22 to 30 us).
const WAKE_US: f64 = 25.0;
/// From an arrival until the woken loop reads.
const WAKE_LATENCY_US: f64 = 10.0;
/// A turn's fixed cost: poll, receive, send.
const TURN_US: f64 = 5.0;
/// A message instead of a further segment (measured: 1.4 to 2.3 us), halved: not all that meets in a turn is of one run.
const MESSAGE_US: f64 = 0.8;
/// So much a sleep must gain on average before we begin to sleep.
const GAIN_US_TO_BEGIN: f64 = 5.0;
/// One burst must not keep us asleep through a minute of silence, nor the reverse.
const GAIN_US_MAX: f64 = 200.0;

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_micros(500);

    fn at_us(us: u64) -> Time {
        Time::from_nanos(1_000_000_000 + us * 1_000)
    }

    /// Runs bursts of `packets` every `period_us`, `gap_us` apart, read as the decision says, with the costs that a
    /// turn really has; answers how many of the last 100 bursts were slept over.
    fn sleeps(packets: u64, gap_us: u64, period_us: u64, fan_out: u64) -> usize {
        let mut moderation = Moderation::new(INTERVAL);
        let mut slept = 0;
        for burst in 0..300 {
            let start = burst * period_us;
            let mut arrivals = (0..packets).map(|packet| start + packet * gap_us).peekable();
            while let Some(first) = arrivals.next() {
                let mut now = first + 10;
                let sleep = moderation.on_wake(at_us(now));
                if let Some(sleep) = sleep {
                    slept += usize::from(burst >= 200);
                    now += u64::try_from(sleep.as_micros()).unwrap();
                }
                moderation.on_arrival(at_us(first));
                let mut received = 1;
                while let Some(arrival) = arrivals.next_if(|arrival| *arrival <= now) {
                    moderation.on_arrival(at_us(arrival));
                    received += 1;
                }
                let busy = Duration::from_micros(5 + u64::from(received) * (1 + fan_out));
                moderation.on_turn(received, u64::from(received) * fan_out, busy);
            }
        }
        slept
    }

    #[test]
    fn a_video_frame_is_gathered() {
        assert_eq!(sleeps(9, 25, 33_333, 3), 100);
        assert_eq!(sleeps(9, 25, 33_333, 100), 100);
    }

    #[test]
    fn a_sparse_stream_to_one_receiver_is_forwarded_at_once() {
        assert_eq!(sleeps(1, 0, 3_333, 1), 0);
        assert_eq!(sleeps(1, 0, 20_000, 1), 0);
        assert_eq!(sleeps(2, 5, 20_000, 1), 0, "both are read at one wake anyway");
    }

    #[test]
    fn many_streams_that_arrive_in_between_one_another_are_gathered() {
        // Forty streams of 50 packets/s: one packet every 500 us would gain nothing, one every 100 us does.
        assert_eq!(sleeps(1, 0, 600, 1), 0);
        assert!(sleeps(100, 100, 10_000, 1) >= 100);
    }

    #[test]
    fn a_change_of_traffic_changes_the_mind_both_ways() {
        let mut moderation = Moderation::new(INTERVAL);
        let burst = |moderation: &mut Moderation, at: u64, packets: u64| {
            let sleep = moderation.on_wake(at_us(at));
            (0..packets).for_each(|packet| moderation.on_arrival(at_us(at + packet * 50)));
            sleep.is_some()
        };
        assert!(!burst(&mut moderation, 0, 9));
        let began = (1..50).position(|n| burst(&mut moderation, n * 10_000, 9));
        assert!(began.is_some_and(|bursts| bursts <= 3), "{began:?}");
        let ended = (50..150).position(|n| !burst(&mut moderation, n * 10_000, 1));
        assert!(ended.is_some_and(|bursts| bursts <= 30), "{ended:?}");
    }

    #[test]
    fn no_interval_no_sleep_and_no_interval_beyond_the_limit() {
        let mut off = Moderation::new(Duration::ZERO);
        for n in 0..100 {
            assert_eq!(off.on_wake(at_us(n * 1_000)), None);
            (1..40).for_each(|packet| off.on_arrival(at_us(n * 1_000 + packet * 20)));
        }
        assert_eq!(Moderation::new(Duration::from_secs(1)).interval, INTERVAL_MAX);
    }
}
