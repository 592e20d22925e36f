//! What RTCP says about one stream: reception and sender reports, round-trip time (RFC 3550 6.4, A.3).
//!
//! Knows the arithmetic behind the fields of `rtcp::report` and `rtcp::xr`. Does not know compounds, intervals or who
//! sends them. Called by producers ([`Reception`]), consumers ([`Sending`]) and by whoever answers a
//! peer's reference times ([`Echo`], [`round_trip`]).
//! Invariant: NTP times, compact NTP times and RTP timestamps are only ever subtracted modulo their width: nothing
//! changes when one of them wraps (compact NTP does every 18.2 hours).

use std::time::Duration;

use super::ticks;
use crate::base::sequence::{Seq, Serial32};
use crate::base::time::Time;
use crate::rtcp::{ReportBlock, SenderInfo, compact_ntp};

/// A reference time that a peer sent us, to be echoed with the delay since: LSR and DLSR of a receiver report, or
/// LRR and DLRR of an extended one (RFC 3611 4.5).
#[derive(Clone, Copy, Debug)]
pub struct Echo {
    reference: Serial32,
    received_at: Option<Time>,
}

const _: () = assert!(size_of::<Echo>() <= 24);

impl Echo {
    /// Nothing to echo yet.
    pub const fn new() -> Self {
        Self { reference: Serial32::new(0), received_at: None }
    }

    /// Takes the NTP time of a sender report or a receiver reference time.
    pub fn on_reference(&mut self, ntp: u64, received_at: Time) {
        self.reference = compact_ntp(ntp);
        self.received_at = Some(received_at);
    }

    /// The compact reference and the delay since its receipt in 1/65,536 s; both 0 when there is none (RFC 3550 6.4.1).
    pub fn echo(&self, now: Time) -> (Serial32, u32) {
        match self.received_at {
            Some(at) => (self.reference, ticks(now.since(at), COMPACT_HZ)),
            None => (Serial32::new(0), 0),
        }
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}

/// Round-trip time from a report that echoes `reference` after `delay` (1/65,536 s) and came at `now`, compact NTP.
/// `None` when nothing was echoed (0) or the result cannot be: longer than [`ROUND_TRIP_MAX`], or further below zero
/// than clocks are coarse. One that is a little below zero is the shortest that can be expressed.
pub fn round_trip(now: Serial32, reference: Serial32, delay: u32) -> Option<Duration> {
    if reference.wire() == 0 {
        return None;
    }
    let since = now.wire().wrapping_sub(reference.wire());
    let elapsed = since.wrapping_sub(delay).cast_signed();
    // The first is a little below zero, the second far: a delay of almost a cycle looks like a short one beyond zero.
    if elapsed < -COARSENESS || delay > since.saturating_add(COARSENESS.unsigned_abs()) {
        return None;
    }
    let elapsed = u64::from(elapsed.max(1).unsigned_abs());
    let round_trip = Duration::from_nanos(elapsed * 1_000_000_000 / u64::from(COMPACT_HZ));
    (round_trip <= ROUND_TRIP_MAX).then_some(round_trip)
}

/// What a receiver report says of one stream that we receive (RFC 3550 A.3).
#[derive(Clone, Debug)]
pub struct Reception {
    /// The lowest number since the start or the last restart, and the highest.
    run: Option<(Seq, Seq)>,
    /// Packets expected before the last restart.
    expected_before: u64,
    received: u64,
    /// The cycle of the first number: a report counts cycles from zero.
    first_cycle: u64,
    /// Both totals at the last report.
    reported: (u64, u64),
    sender: Echo,
}

const _: () = assert!(size_of::<Reception>() <= 96);

impl Reception {
    /// A stream without packets.
    pub const fn new() -> Self {
        Self {
            run: None,
            expected_before: 0,
            received: 0,
            first_cycle: 0,
            reported: (0, 0),
            sender: Echo::new(),
        }
    }

    /// Counts a packet, new or late.
    pub fn on_packet(&mut self, seq: Seq) {
        self.received += 1;
        self.run = match self.run {
            Some((lowest, highest)) => Some((lowest.min(seq), highest.max(seq))),
            None => {
                if self.received == 1 {
                    self.first_cycle = seq.extended() >> 16;
                }
                Some((seq, seq))
            }
        };
    }

    /// Counts a packet that came before: it is received and not expected, so that loss may become negative.
    pub fn on_duplicate(&mut self) {
        self.received += 1;
    }

    /// Counts the first packet after a restart: the numbers jumped over were never sent.
    pub fn on_restart(&mut self, seq: Seq) {
        self.expected_before = self.expected();
        self.run = None;
        self.on_packet(seq);
    }

    /// Takes the NTP time of a sender report.
    pub fn on_sender_report(&mut self, ntp: u64, received_at: Time) {
        self.sender.on_reference(ntp, received_at);
    }

    /// Packets that should have come by now.
    pub fn expected(&self) -> u64 {
        self.expected_before + self.run.map_or(0, |(lowest, highest)| highest.since(lowest) + 1)
    }

    /// Packets that came.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Packets lost since the start; negative when duplicates outnumber them.
    pub fn lost(&self) -> i64 {
        self.expected().cast_signed() - self.received.cast_signed()
    }

    /// The report block since the last one; `None` before the first packet. `jitter` is in timestamp units.
    pub fn report(&mut self, ssrc: u32, jitter: u32, now: Time) -> Option<ReportBlock> {
        let (_, highest) = self.run?;
        let (last_sr, delay_since_last_sr) = self.sender.echo(now);
        Some(ReportBlock {
            ssrc,
            fraction_lost: self.fraction_lost(),
            cumulative_lost: i32::try_from(self.lost().clamp(LOST_MIN, LOST_MAX)).unwrap_or(0),
            extended_highest: modulo_2_32(highest.extended().wrapping_sub(self.first_cycle << 16)),
            jitter,
            last_sr,
            delay_since_last_sr,
        })
    }

    /// Share lost since the last call in 1/256, and starts the next interval.
    fn fraction_lost(&mut self) -> u8 {
        let totals = (self.expected(), self.received);
        let (expected_before, received_before) = std::mem::replace(&mut self.reported, totals);
        let expected = totals.0.saturating_sub(expected_before);
        let lost = expected.saturating_sub(totals.1.saturating_sub(received_before));
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0);
        u8::try_from(fraction).unwrap_or(u8::MAX)
    }
}

impl Default for Reception {
    fn default() -> Self {
        Self::new()
    }
}

/// What we say of one stream that we send, and what its receiver says back.
#[derive(Clone, Debug)]
pub struct Sending {
    packets: u64,
    bytes: u64,
    /// The last timestamp sent in order, when its first packet came from its producer, and when its last was sent.
    newest: Option<Newest>,
    round_trip: Option<Duration>,
    cumulative_lost: i32,
    remote_jitter: u32,
    fraction_lost: u8,
}

const _: () = assert!(size_of::<Sending>() <= 88);

#[derive(Clone, Copy, Debug)]
struct Newest {
    came_at: Time,
    sent_at: Time,
    timestamp: Serial32,
}

impl Sending {
    /// A stream that has sent nothing.
    pub const fn new() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            newest: None,
            round_trip: None,
            cumulative_lost: 0,
            remote_jitter: 0,
            fraction_lost: 0,
        }
    }

    /// Counts a packet with so many payload bytes, without header and padding, that its producer's peer sent so that it
    /// came at `came_at`.
    pub fn on_packet(&mut self, timestamp: Serial32, payload_bytes: usize, came_at: Time, now: Time) {
        self.count(payload_bytes);
        match &mut self.newest {
            Some(newest) if timestamp == newest.timestamp => newest.sent_at = now,
            newest => *newest = Some(Newest { came_at, sent_at: now, timestamp }),
        }
    }

    /// Counts a late or a repeated packet, whose timestamp is not the stream's newest.
    pub fn on_late_packet(&mut self, payload_bytes: usize) {
        self.count(payload_bytes);
    }

    fn count(&mut self, payload_bytes: usize) {
        self.packets += 1;
        self.bytes += payload_bytes as u64;
    }

    /// The sender information at `now`, of which `ntp` is the wall time. `captured_at` says when a timestamp was
    /// (`capture::CaptureClock`); of one that it does not know we know when it came. `None` when nothing was sent for
    /// [`SILENT_AFTER`]: a mapping that old says nothing about the clock.
    pub fn report(
        &self,
        now: Time,
        ntp: u64,
        clock_rate_hz: u32,
        captured_at: impl FnOnce(Serial32) -> Option<Time>,
    ) -> Option<SenderInfo> {
        let newest = self.newest.filter(|newest| now.since(newest.sent_at) <= SILENT_AFTER)?;
        let captured_at = captured_at(newest.timestamp).unwrap_or(newest.came_at);
        // An estimated capture time may lie a little ahead.
        let after = ticks(now.since(captured_at), clock_rate_hz);
        let ahead = ticks(captured_at.since(now), clock_rate_hz);
        Some(SenderInfo {
            ntp,
            rtp_timestamp: newest.timestamp.add(after.wrapping_sub(ahead)),
            packets: modulo_2_32(self.packets),
            bytes: modulo_2_32(self.bytes),
        })
    }

    /// Takes what the receiver reports on this stream; `ntp` is the wall time of its arrival.
    pub fn on_report(&mut self, block: &ReportBlock, ntp: u64) {
        self.fraction_lost = block.fraction_lost;
        self.cumulative_lost = block.cumulative_lost;
        self.remote_jitter = block.jitter;
        let measured = round_trip(compact_ntp(ntp), block.last_sr, block.delay_since_last_sr);
        self.round_trip = measured.or(self.round_trip);
    }

    /// Packets sent.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes sent.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Round-trip time to the receiver by its last report that had one.
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Share that the receiver lost in its last interval, in 1/256.
    pub const fn fraction_lost(&self) -> u8 {
        self.fraction_lost
    }

    /// Packets that the receiver has lost in all; negative by duplicates.
    pub const fn cumulative_lost(&self) -> i32 {
        self.cumulative_lost
    }

    /// Jitter that the receiver sees, in timestamp units.
    pub const fn remote_jitter(&self) -> u32 {
        self.remote_jitter
    }
}

impl Default for Sending {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the fields are modulo 2^32")]
const fn modulo_2_32(count: u64) -> u32 {
    count as u32
}

/// Units of a compact NTP time.
const COMPACT_HZ: u32 = 65_536;
/// A longer round trip is a stale or a forged echo.
pub const ROUND_TRIP_MAX: Duration = Duration::from_secs(60);
/// A stream that was silent for longer reports nothing of itself.
pub const SILENT_AFTER: Duration = Duration::from_secs(2);

/// How far below zero a round trip may come out: 10 ms, a coarse clock's step, in 1/65,536 s.
const COARSENESS: i32 = 656;
/// The ends of a signed 24-bit field.
const LOST_MIN: i64 = -(1 << 23);
const LOST_MAX: i64 = (1 << 23) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn received(numbers: impl IntoIterator<Item = u64>) -> Reception {
        let mut reception = Reception::new();
        numbers.into_iter().for_each(|number| reception.on_packet(Seq::new(number)));
        reception
    }

    #[test]
    fn nothing_is_reported_of_a_stream_without_packets() {
        assert_eq!(Reception::new().report(1, 0, ms(0)), None);
    }

    #[test]
    fn loss_is_counted_in_total_and_per_interval() {
        let mut reception = received((0..100).map(|n| 131_066 + n).filter(|n| n % 4 != 0));
        let first = reception.report(7, 33, ms(0)).unwrap();
        assert_eq!((first.ssrc, first.jitter, first.cumulative_lost, first.fraction_lost), (7, 33, 25, 64));
        assert_eq!(first.extended_highest, 131_165 - 65_536);
        (131_166..131_266).for_each(|number| reception.on_packet(Seq::new(number)));
        let second = reception.report(7, 33, ms(0)).unwrap();
        assert_eq!((second.cumulative_lost, second.fraction_lost), (25, 0));
    }

    #[test]
    fn duplicates_make_loss_negative_and_the_fraction_zero() {
        let mut reception = received(65_536..65_546);
        (0..3).for_each(|_| reception.on_duplicate());
        let report = reception.report(7, 0, ms(0)).unwrap();
        assert_eq!((report.cumulative_lost, report.fraction_lost), (-3, 0));
    }

    #[test]
    fn late_packets_from_before_the_first_are_expected_too() {
        let mut reception = received([65_540, 65_538, 65_539]);
        assert_eq!((reception.expected(), reception.lost()), (3, 0));
        assert_eq!(reception.report(7, 0, ms(0)).unwrap().extended_highest, 4);
    }

    #[test]
    fn cycles_are_counted_from_the_first_number_on() {
        let mut reception = received([5 * 65_536 + 65_535]);
        assert_eq!(reception.report(7, 0, ms(0)).unwrap().extended_highest, 65_535);
        reception.on_packet(Seq::new(6 * 65_536));
        reception.on_restart(Seq::new(8 * 65_536 + 3));
        assert_eq!(reception.report(7, 0, ms(0)).unwrap().extended_highest, 3 * 65_536 + 3);
    }

    #[test]
    fn a_restart_is_no_loss() {
        let mut reception = received(65_536..65_546);
        reception.on_restart(Seq::new(90_000));
        reception.on_packet(Seq::new(90_002));
        assert_eq!((reception.expected(), reception.received(), reception.lost()), (13, 12, 1));
    }

    #[test]
    fn totals_saturate_at_24_bits() {
        let mut reception = received([65_536, 65_536 + (1 << 30)]);
        let report = reception.report(7, 0, ms(0)).unwrap();
        assert_eq!((report.cumulative_lost, report.fraction_lost), (8_388_607, 255));
    }

    #[test]
    fn the_delay_since_a_sender_report_is_echoed() {
        let mut reception = received([65_536]);
        let report = reception.report(7, 0, ms(500)).unwrap();
        assert_eq!((report.last_sr, report.delay_since_last_sr), (Serial32::new(0), 0));
        reception.on_sender_report(0x1122_3344_5566_7788, ms(1_000));
        let report = reception.report(7, 0, ms(1_500)).unwrap();
        assert_eq!((report.last_sr, report.delay_since_last_sr), (Serial32::new(0x3344_5566), 32_768));
    }

    #[test]
    fn a_round_trip_over_the_wrap_of_compact_time() {
        let second = 65_536;
        let trip =
            |now: u32, reference: u32, delay| round_trip(Serial32::new(now), Serial32::new(reference), delay);
        assert_eq!(trip(2 * second, second, second / 2), Some(Duration::from_millis(500)));
        assert_eq!(trip(second / 4, 0_u32.wrapping_sub(second / 4), 0), Some(Duration::from_millis(500)));
        assert_eq!(trip(10, 0, 0), None, "nothing was echoed");
    }

    #[test]
    fn impossible_round_trips_are_refused() {
        let trip = |delay| round_trip(Serial32::new(1_000_000), Serial32::new(900_000), delay);
        assert_eq!(trip(100_000), Some(Duration::from_nanos(15_258)), "the shortest");
        assert_eq!(trip(100_600), Some(Duration::from_nanos(15_258)), "coarse clocks");
        assert_eq!(trip(100_656), Some(Duration::from_nanos(15_258)), "just not too far below zero");
        assert_eq!(trip(100_657), None);
        assert_eq!(trip(101_000), None);
        assert_eq!(trip(u32::MAX), None, "longer than since the reference");
        assert_eq!(trip(u32::MAX - 600), None);
        let ahead = round_trip(Serial32::new(1_000_000), Serial32::new(1_000_100), 0);
        assert_eq!(ahead, Some(Duration::from_nanos(15_258)), "coarse clocks");
        assert_eq!(round_trip(Serial32::new(61 * 65_536 + 1), Serial32::new(1), 0), None);
    }

    #[test]
    fn a_report_without_an_echo_keeps_the_last_round_trip() {
        let mut sending = Sending::new();
        let mut block = Reception::new();
        block.on_packet(Seq::new(65_536));
        block.on_sender_report(5 << 32, ms(1_000));
        let echoed = block.report(1, 90, ms(1_100)).unwrap();
        // 250 ms after the sender report was made, of which the receiver held it for 100.
        sending.on_report(&echoed, (5 << 32) + (1 << 30));
        assert_eq!(sending.round_trip().unwrap().as_millis(), 150);
        let silent =
            ReportBlock { last_sr: Serial32::new(0), fraction_lost: 7, cumulative_lost: -3, ..echoed };
        sending.on_report(&silent, 9 << 32);
        assert_eq!((sending.round_trip().unwrap().as_millis(), sending.remote_jitter()), (150, 90));
        assert_eq!((sending.fraction_lost(), sending.cumulative_lost()), (7, -3));
    }

    #[test]
    fn a_sender_report_extends_the_newest_timestamp_by_real_time() {
        let mut sending = Sending::new();
        assert_eq!(sending.report(ms(0), 1, 90_000, |_| None), None);
        sending.on_packet(Serial32::new(u32::MAX - 999), 1_000, ms(960), ms(1_000));
        sending.on_packet(Serial32::new(u32::MAX - 999), 500, ms(965), ms(1_003));
        sending.on_late_packet(100);
        let info = sending.report(ms(1_060), 77, 90_000, |_| None).unwrap();
        // 100 ms after the capture: 9,000 ticks, over the wrap.
        assert_eq!((info.ntp, info.rtp_timestamp), (77, Serial32::new(8_000)));
        assert_eq!((info.packets, info.bytes), (3, 1_600));
        assert_eq!((sending.packets(), sending.bytes()), (3, 1_600));
        assert!(sending.report(ms(3_003), 77, 90_000, |_| None).is_some());
        assert_eq!(sending.report(ms(3_004), 77, 90_000, |_| None), None, "silent");
    }

    #[test]
    fn a_known_capture_time_rules_and_one_ahead_of_now_goes_back() {
        let mut sending = Sending::new();
        sending.on_packet(Serial32::new(50), 1, ms(990), ms(1_000));
        let captured = |at| move |timestamp| (timestamp == Serial32::new(50)).then_some(ms(at));
        let earlier = sending.report(ms(1_000), 0, 90_000, captured(980)).unwrap().rtp_timestamp;
        assert_eq!(earlier, Serial32::new(50 + 1_800));
        assert_eq!(
            sending.report(ms(1_000), 0, 90_000, captured(1_001)).unwrap().rtp_timestamp,
            Serial32::new(50).add(0_u32.wrapping_sub(90))
        );
    }

    #[test]
    fn a_source_whose_timestamps_went_back_is_followed() {
        let mut sending = Sending::new();
        sending.on_packet(Serial32::new(1_000_000), 1, ms(1_000), ms(1_000));
        sending.on_packet(Serial32::new(500), 1, ms(1_033), ms(1_033));
        assert_eq!(sending.report(ms(1_033), 0, 90_000, |_| None).unwrap().rtp_timestamp, Serial32::new(500));
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        #[test]
        fn a_round_trip_is_what_was_on_the_way(sent: u32, held in 0..3_600_000_u32, way in 2..3_900_000_u32) {
            prop_assume!(sent != 0);
            let now = Serial32::new(sent).add(held).add(way);
            let nanos = u64::from(way) * 1_000_000_000 / 65_536;
            prop_assert_eq!(round_trip(now, Serial32::new(sent), held), Some(Duration::from_nanos(nanos)));
        }

        #[test]
        fn totals_are_plain_counts(
            start in 65_536..10_000_000_u64, steps in prop::collection::vec((0..50_u64, any::<bool>()), 1..200),
        ) {
            let mut reception = received([start]);
            let (mut top, mut count, mut interval) = (start, 1, (0, 0));
            for (step, report) in steps {
                if step == 0 { reception.on_duplicate() } else { reception.on_packet(Seq::new(top + step)) }
                top += step;
                count += 1;
                if report {
                    let block = reception.report(1, 0, ms(0)).unwrap();
                    let expected = top - start + 1;
                    let lost = (expected - interval.0) as f64 - f64::from(count - interval.1);
                    let fraction = (lost.max(0.0) * 256.0 / (expected - interval.0).max(1) as f64).floor().min(255.0);
                    prop_assert_eq!(f64::from(block.fraction_lost), fraction);
                    prop_assert_eq!(i64::from(block.cumulative_lost), expected.cast_signed() - i64::from(count));
                    interval = (expected, count);
                }
            }
        }
    }
}
