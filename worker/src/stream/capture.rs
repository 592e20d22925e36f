//! When a timestamp of a received stream was captured, on our own clock.
//!
//! A sender report pairs the sender's wall clock with the stream's timestamps (RFC 3550 6.4.1). Its arrival pairs that
//! wall clock with ours, too late by the network's delay: the smallest difference of the last few is closest. So two
//! streams of one sender keep their lip sync through us, whatever the jitter of either.
//! Knows sender reports and timestamps. Does not know packets. Called by producers.
//! Invariant: all times are 32.32 fixed point and subtracted modulo 2^64, so that NTP's era (2036) is no event.

use std::time::Duration;

use crate::base::sequence::Serial32;
use crate::base::time::Time;
use crate::rtcp::SenderInfo;

/// The mapping of one stream's timestamps to our clock.
///
/// Streams of one sender share its wall clock (RFC 3550 6.5.1: one CNAME, one clock), so each takes the reports of the
/// others too. What is wrong with their common difference to our clock is wrong for all of them: it skews none.
#[derive(Clone, Debug)]
pub struct CaptureClock {
    ntp: u64,
    rtp_timestamp: Serial32,
    /// Whether the stream's own reports have tied its timestamps to the wall clock.
    is_tied: bool,
    count: u8,
    next: u8,
    /// Our time of receipt minus the sender's NTP time: the clocks' difference plus the delay.
    differences: [u64; WINDOW as usize],
}

const _: () = assert!(size_of::<CaptureClock>() <= 72);

impl CaptureClock {
    /// Without reports nothing is known.
    pub const fn new() -> Self {
        Self {
            ntp: 0,
            rtp_timestamp: Serial32::new(0),
            is_tied: false,
            count: 0,
            next: 0,
            differences: [0; WINDOW as usize],
        }
    }

    /// Takes a sender report of the stream. One without a wall clock (NTP 0) says nothing.
    pub fn on_sender_report(&mut self, report: &SenderInfo, received_at: Time) {
        if report.ntp == 0 {
            return;
        }
        self.on_clock(report.ntp, received_at);
        self.ntp = report.ntp;
        self.rtp_timestamp = report.rtp_timestamp;
        self.is_tied = true;
    }

    /// Takes the wall clock of a report of another stream of the same sender.
    pub fn on_clock(&mut self, ntp: u64, received_at: Time) {
        if ntp == 0 {
            return;
        }
        let difference = fixed(received_at).wrapping_sub(ntp);
        if self.smallest().is_some_and(|smallest| ahead(difference, smallest).unsigned_abs() > STEP_MAX) {
            self.restart();
        }
        self.differences[usize::from(self.next)] = difference;
        self.next = (self.next + 1) % WINDOW;
        self.count = (self.count + 1).min(WINDOW);
    }

    /// Takes over what another stream of the same sender knows of its clock, if that is more.
    pub fn learn_from(&mut self, other: &Self) {
        if other.count > self.count {
            (self.count, self.next, self.differences) = (other.count, other.next, other.differences);
        }
    }

    /// Forgets everything: the stream restarted.
    pub fn restart(&mut self) {
        self.is_tied = false;
        self.count = 0;
        self.next = 0;
    }

    /// When a timestamp was captured. `None` until enough reports came, for a timestamp too far from the last
    /// report's, and for a clock rate of zero.
    pub fn captured_at(&self, timestamp: Serial32, clock_rate_hz: u32) -> Option<Time> {
        if self.count < SAMPLES_MIN || !self.is_tied {
            return None;
        }
        let distance = timestamp.distance_from(self.rtp_timestamp);
        if distance.unsigned_abs() > u64::from(clock_rate_hz) * REACH_S {
            return None;
        }
        // At most 10 s in 32.32 fixed point: fits.
        let since = (i128::from(distance) << 32).checked_div(i128::from(clock_rate_hz))?;
        let since = i64::try_from(since).ok()?.cast_unsigned();
        Some(time(self.ntp.wrapping_add(since).wrapping_add(self.smallest()?)))
    }

    /// By how much the sender's clock is ahead of the one that reads `ntp` at `now`, in 1/2^32 s, when its reports were
    /// under way for `delay` at least. `None` until enough reports came.
    pub fn ahead_of(&self, ntp: u64, now: Time, delay: Duration) -> Option<i64> {
        if self.count < SAMPLES_MIN {
            return None;
        }
        let delay = fixed(Time::ZERO + delay);
        let theirs = fixed(now).wrapping_sub(self.smallest()?).wrapping_add(delay);
        Some(ahead(theirs, ntp))
    }

    /// The smallest difference in the window, the one with the least delay in it.
    fn smallest(&self) -> Option<u64> {
        let held = self.differences.get(..usize::from(self.count))?;
        let first = *held.first()?;
        held.iter().copied().min_by_key(|&one| ahead(one, first))
    }
}

impl Default for CaptureClock {
    fn default() -> Self {
        Self::new()
    }
}

/// How far `one` is ahead of `other`, the shorter way round.
const fn ahead(one: u64, other: u64) -> i64 {
    one.wrapping_sub(other).cast_signed()
}

/// A time in 32.32 fixed point seconds, modulo 2^64.
#[expect(clippy::cast_possible_truncation, reason = "modulo 2^64 is what is wanted")]
fn fixed(time: Time) -> u64 {
    ((u128::from(time.as_nanos()) << 32) / NANOS) as u64
}

fn time(fixed: u64) -> Time {
    let nanos = (u128::from(fixed) * NANOS) >> 32;
    Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

const NANOS: u128 = 1_000_000_000;
/// Reports whose smallest delay counts.
const WINDOW: u8 = 7;
/// Reports before anything is said.
const SAMPLES_MIN: u8 = 3;
/// A timestamp further than this many seconds from the last report's is not extrapolated.
const REACH_S: u64 = 10;
/// One second: reports that differ by more are of another clock (the sender's was set).
const STEP_MAX: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 90_000;

    /// A sender whose wall clock reads `ntp` and whose stream reads `rtp` when our clock reads 100 s.
    struct Sender {
        ntp: u64,
        rtp: u32,
    }

    impl Sender {
        /// The report made at 100 s + `millis`.
        fn report(&self, millis: u64) -> SenderInfo {
            SenderInfo {
                ntp: self.ntp.wrapping_add((millis << 32) / 1_000),
                rtp_timestamp: self.timestamp(millis),
                packets: 0,
                bytes: 0,
            }
        }

        fn timestamp(&self, millis: u64) -> Serial32 {
            Serial32::new(self.rtp.wrapping_add(u32::try_from(millis * 90 % (1 << 32)).unwrap()))
        }

        fn clock_after(&self, delays_ms: &[u64]) -> CaptureClock {
            let mut clock = CaptureClock::new();
            for (second, delay) in (0..).zip(delays_ms) {
                clock.on_sender_report(&self.report(second * 1_000), ours(second * 1_000 + delay));
            }
            clock
        }
    }

    fn ours(millis: u64) -> Time {
        Time::from_millis(100_000 + millis)
    }

    #[track_caller]
    fn assert_near(actual: Option<Time>, expected: Time) {
        let actual = actual.expect("a capture time");
        let apart = actual.since(expected).max(expected.since(actual));
        assert!(apart < Duration::from_micros(2), "{actual:?} is not {expected:?}");
    }

    #[test]
    fn two_reports_say_nothing_yet() {
        let sender = Sender { ntp: 1 << 40, rtp: 0 };
        assert_eq!(sender.clock_after(&[5, 5]).captured_at(sender.timestamp(1_000), RATE), None);
    }

    #[test]
    fn the_quickest_report_rules() {
        let sender = Sender { ntp: 1 << 40, rtp: u32::MAX - 1_000 };
        let clock = sender.clock_after(&[80, 30, 200, 45]);
        assert_near(clock.captured_at(sender.timestamp(3_500), RATE), ours(3_530));
        assert_near(clock.captured_at(sender.timestamp(500), RATE), ours(530));
    }

    #[test]
    fn streams_of_one_sender_are_placed_by_one_difference() {
        let sound = Sender { ntp: 1 << 40, rtp: 500 };
        let picture = Sender { ntp: 1 << 40, rtp: 90_000 };
        let mut late = picture.clock_after(&[40]);
        late.on_clock(sound.report(500).ntp, ours(510));
        assert_eq!(late.captured_at(picture.timestamp(600), RATE), None, "two reports of either");
        late.on_clock(sound.report(700).ntp, ours(730));
        assert_near(late.captured_at(picture.timestamp(800), RATE), ours(810));
        late.on_clock(0, ours(0));
        assert_near(late.captured_at(picture.timestamp(800), RATE), ours(810));
    }

    #[test]
    fn a_stream_learns_the_clock_from_another_and_its_timestamps_from_its_own_reports() {
        let sender = Sender { ntp: 1 << 40, rtp: 0 };
        let known = sender.clock_after(&[10, 50, 50, 50]);
        let mut fresh = CaptureClock::new();
        fresh.learn_from(&known);
        assert_eq!(fresh.captured_at(sender.timestamp(4_000), RATE), None, "nothing ties them to the clock");
        fresh.on_sender_report(&sender.report(4_000), ours(4_050));
        assert_near(fresh.captured_at(sender.timestamp(4_100), RATE), ours(4_110));
        let mut better = sender.clock_after(&[5, 5, 5, 5, 5]);
        better.learn_from(&known);
        assert_near(better.captured_at(sender.timestamp(4_100), RATE), ours(4_105));
        let mut equal = sender.clock_after(&[20, 20, 20, 20]);
        equal.learn_from(&known);
        assert_near(equal.captured_at(sender.timestamp(4_100), RATE), ours(4_120));
        // Both forget the same from here on.
        let mut known = known;
        known.on_sender_report(&sender.report(4_000), ours(4_050));
        for second in 5..9 {
            known.on_clock(sender.report(second * 1_000).ntp, ours(second * 1_000 + 45));
            fresh.on_clock(sender.report(second * 1_000).ntp, ours(second * 1_000 + 45));
            let at = sender.timestamp(4_100);
            assert_eq!(known.captured_at(at, RATE), fresh.captured_at(at, RATE));
        }
    }

    #[test]
    fn how_far_the_senders_clock_is_ahead_is_known_up_to_the_delay() {
        let sender = Sender { ntp: 40 << 32, rtp: 0 };
        let delay = Duration::from_millis(30);
        assert_eq!(sender.clock_after(&[30, 30]).ahead_of(0, ours(0), delay), None);
        let clock = sender.clock_after(&[80, 30, 50]);
        for (ntp, expected) in [(30_u64 << 32, 10_i64 << 32), (50 << 32, -10 << 32)] {
            let found = clock.ahead_of(ntp, ours(0), delay).unwrap();
            assert!((found - expected).abs() < 100, "{found} is not {expected}");
        }
    }

    #[test]
    fn old_reports_are_forgotten() {
        let sender = Sender { ntp: 1 << 40, rtp: 0 };
        let clock = sender.clock_after(&[10, 50, 50, 50, 50, 50, 50, 50]);
        assert_near(clock.captured_at(sender.timestamp(7_000), RATE), ours(7_050));
    }

    #[test]
    fn far_timestamps_and_clocks_of_zero_are_not_answered() {
        let sender = Sender { ntp: 1 << 40, rtp: 0 };
        let clock = sender.clock_after(&[10, 10, 10]);
        assert!(clock.captured_at(sender.timestamp(12_000), RATE).is_some());
        assert_eq!(clock.captured_at(sender.timestamp(12_001), RATE), None);
        assert_eq!(clock.captured_at(clock.rtp_timestamp, 0), None);
    }

    #[test]
    fn a_clock_that_was_set_starts_over() {
        let sender = Sender { ntp: 1 << 40, rtp: 0 };
        let mut clock = sender.clock_after(&[10, 10, 10]);
        let set = Sender { ntp: sender.ntp + (3_600 << 32), rtp: 0 };
        for second in 3..5 {
            clock.on_sender_report(&set.report(second * 1_000), ours(second * 1_000 + 20));
            assert_eq!(clock.captured_at(set.timestamp(second * 1_000), RATE), None);
        }
        clock.on_sender_report(&set.report(5_000), ours(5_020));
        assert_near(clock.captured_at(set.timestamp(5_000), RATE), ours(5_020));
    }

    #[test]
    fn a_report_late_by_exactly_a_second_is_of_the_same_clock() {
        let sender = Sender { ntp: 1 << 40, rtp: 0 };
        let clock = sender.clock_after(&[0, 0, 1_000]);
        assert_near(clock.captured_at(sender.timestamp(2_500), RATE), ours(2_500));
    }

    #[test]
    fn a_report_without_a_clock_is_ignored() {
        let mut clock = CaptureClock::new();
        let report = SenderInfo { ntp: 0, rtp_timestamp: Serial32::new(5), packets: 0, bytes: 0 };
        (0..5).for_each(|_| clock.on_sender_report(&report, ours(0)));
        assert_eq!(clock.captured_at(Serial32::new(5), RATE), None);
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        /// The era's end and every timestamp wrap included: NTP and RTP start anywhere.
        #[test]
        fn wraps_are_no_event(ntp: u64, rtp: u32, delays in prop::collection::vec(0..300_u64, 3..20)) {
            let sender = Sender { ntp, rtp };
            let clock = sender.clock_after(&delays);
            let last = delays.len() as u64 * 1_000 - 1_000;
            let least = delays.iter().rev().take(7).min().unwrap();
            prop_assume!((0..20).all(|second| sender.report(second * 1_000).ntp != 0));
            assert_near(clock.captured_at(sender.timestamp(last + 40), RATE), ours(last + 40 + least));
        }

        #[test]
        fn whatever_is_reported_harms_nothing(
            reports in prop::collection::vec(any::<(u64, u32, u64)>(), 1..30), timestamp: u32, rate: u32,
        ) {
            let mut clock = CaptureClock::new();
            for (ntp, rtp, at) in reports {
                let rtp_timestamp = Serial32::new(rtp);
                clock.on_sender_report(&SenderInfo { ntp, rtp_timestamp, packets: 0, bytes: 0 }, Time::from_nanos(at));
                clock.captured_at(Serial32::new(timestamp), rate);
            }
        }
    }
}
