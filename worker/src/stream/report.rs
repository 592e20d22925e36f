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
mod tests;
