//! Interarrival jitter of one received stream (RFC 3550 6.4.1 and A.8).
//!
//! Knows RTP timestamps and times of receipt. Does not know sequence numbers: the caller leaves out what was sent again
//! (RTX, repairs), for its delay says nothing about the network's. Called by `Producer::admit` for each packet.
//! Invariant: the estimate is at most the largest difference believed, [`STEP_MAX_S`] of the stream's clock.

use std::time::Duration;

use super::ticks;
use crate::base::sequence::Serial32;
use crate::base::time::Time;

/// The running estimate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    /// Arrival minus timestamp of the last packet, in timestamp units modulo 2^32.
    transit: Option<u32>,
    /// Sixteen times the estimate: rounding errors would else add up (RFC 3550 A.8).
    scaled: u64,
}

const _: () = assert!(size_of::<Jitter>() == 16);

impl Jitter {
    /// A stream without packets.
    pub const fn new() -> Self {
        Self { transit: None, scaled: 0 }
    }

    /// Takes in a packet of a stream with this clock.
    pub fn on_packet(&mut self, timestamp: Serial32, received_at: Time, clock_rate_hz: u32) {
        let arrival = ticks(received_at.since(Time::ZERO), clock_rate_hz);
        let transit = arrival.wrapping_sub(timestamp.wire());
        let Some(previous) = self.transit.replace(transit) else { return };
        // The shorter way round: both differences wrap, and the packet may have come earlier than the last one did.
        let step = u64::from(transit.wrapping_sub(previous).cast_signed().unsigned_abs());
        if step <= ticks_in_step_max(clock_rate_hz) {
            self.scaled = self.scaled + step - ((self.scaled + 8) >> 4);
        }
    }

    /// Begins anew after a restart: timestamps before and after have nothing to do with each other.
    pub fn restart(&mut self) {
        self.transit = None;
    }

    /// Timestamps count by another clock from now on: the estimate stays the same span.
    pub fn change_clock(&mut self, from_hz: u32, to_hz: u32) {
        self.restart();
        let scaled = u128::from(self.scaled) * u128::from(to_hz);
        let scaled = scaled.checked_div(u128::from(from_hz)).unwrap_or(0);
        self.scaled = u64::try_from(scaled).unwrap_or(u64::MAX >> 4);
    }

    /// The estimate in timestamp units, as a receiver report carries it.
    pub fn timestamp_units(&self) -> u32 {
        u32::try_from(self.scaled >> 4).unwrap_or(u32::MAX)
    }

    /// The estimate as a span. Zero for a clock rate of zero.
    pub fn duration(&self, clock_rate_hz: u32) -> Duration {
        let nanos = u64::from(self.timestamp_units()) * 1_000_000_000;
        Duration::from_nanos(nanos.checked_div(u64::from(clock_rate_hz)).unwrap_or(0))
    }
}

const fn ticks_in_step_max(clock_rate_hz: u32) -> u64 {
    clock_rate_hz as u64 * STEP_MAX_S
}

/// Seconds. A larger difference between two neighbours is no jitter but another clock (a source was changed).
pub const STEP_MAX_S: u64 = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Packets 20 ms apart on a 48 kHz clock, each late by so many milliseconds.
    fn after_delays(first_timestamp: u32, delays_ms: &[u64]) -> Jitter {
        let mut jitter = Jitter::new();
        let mut timestamp = Serial32::new(first_timestamp);
        for (index, delay) in delays_ms.iter().enumerate() {
            jitter.on_packet(timestamp, Time::from_millis(1_000 + 20 * index as u64 + delay), 48_000);
            timestamp = timestamp.add(960);
        }
        jitter
    }

    #[test]
    fn an_even_stream_has_none() {
        assert_eq!(after_delays(0, &[40; 100]).timestamp_units(), 0);
    }

    #[test]
    fn it_settles_at_the_mean_difference() {
        let delays: Vec<u64> = (0..400).map(|index| if index % 2 == 0 { 0 } else { 10 }).collect();
        let jitter = after_delays(0, &delays);
        // 480, from below: the rounding of RFC 3550's integer form stops half a unit short.
        assert_eq!(jitter.timestamp_units(), 479);
        assert_eq!(jitter.duration(48_000).as_micros(), 9_979);
    }

    #[test]
    fn a_jump_of_the_senders_clock_is_no_jitter() {
        let mut jitter = after_delays(0, &[0; 10]);
        jitter.on_packet(Serial32::new(4_000_000), Time::from_millis(1_200), 48_000);
        jitter.on_packet(Serial32::new(4_000_960), Time::from_millis(1_220), 48_000);
        assert_eq!(jitter.timestamp_units(), 0);
    }

    #[test]
    fn five_seconds_between_neighbours_are_the_most_that_is_believed() {
        for (late_ms, units) in [(5_000, 240_000 / 16), (5_001, 0)] {
            let jitter = after_delays(0, &[0, late_ms]);
            assert_eq!(jitter.timestamp_units(), units, "late by {late_ms} ms");
        }
    }

    #[test]
    fn a_restart_keeps_the_estimate_and_forgets_the_clock() {
        let mut jitter = after_delays(0, &[0, 10, 0, 10]);
        let before = jitter.timestamp_units();
        jitter.restart();
        jitter.on_packet(Serial32::new(7), Time::from_millis(1_100), 48_000);
        assert_eq!(jitter.timestamp_units(), before);
    }

    #[test]
    fn another_clock_says_the_same_span() {
        let delays: Vec<u64> = (0..400).map(|index| if index % 2 == 0 { 0 } else { 10 }).collect();
        let mut jitter = after_delays(0, &delays);
        let before = jitter.duration(48_000);
        jitter.change_clock(48_000, 8_000);
        assert_eq!(jitter.timestamp_units(), 79);
        assert!(before.abs_diff(jitter.duration(8_000)) < Duration::from_micros(200));
        jitter.on_packet(Serial32::new(5), Time::from_millis(90_000), 8_000);
        assert_eq!(jitter.timestamp_units(), 79, "and begins with a new timestamp");
    }

    #[test]
    fn a_clock_of_zero_harms_nothing() {
        let mut jitter = after_delays(0, &[0, 10]);
        jitter.change_clock(0, 0);
        assert_eq!(jitter.timestamp_units(), 0);
        let mut jitter = Jitter::new();
        jitter.on_packet(Serial32::new(7), Time::from_millis(1), 0);
        jitter.on_packet(Serial32::new(8), Time::from_millis(2), 0);
        assert_eq!(jitter.duration(0), Duration::ZERO);
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        /// RFC 3550's own formula in plain numbers, J += (|D| - J) / 16, where nothing wraps.
        #[test]
        fn is_the_definition_wherever_timestamps_wrap(
            first: u32, delays in prop::collection::vec(0..80_u64, 2..300),
        ) {
            let mut expected = 0.0_f64;
            for pair in delays.windows(2) {
                expected += (pair[1].abs_diff(pair[0]) as f64 * 48.0 - expected) / 16.0;
            }
            let actual = f64::from(after_delays(first, &delays).timestamp_units());
            prop_assert!((actual - expected).abs() <= 1.5, "{actual} is not {expected}");
        }
    }
}
