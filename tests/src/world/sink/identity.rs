//! Whether what arrives is what was sent: payload, marker, time, and numbers that tell exactly what is missing.
//!
//! A consumer's number and its source's differ by a shift that may change only where the consumer starts again (after a
//! pause, or because its source began anew); the same holds for timestamps. So a packet under a wrong number, a hole
//! that nobody made and a hole that was hidden all show at the first packet behind them.
//!
//! Knows a source's records. Used by [`Sink`](super::Sink) alone. Invariant: at most two shifts are in use.

use std::time::Duration;

use tidegate_worker::base::time::Time;

use crate::world::actors::Post;
use crate::world::payload;
use crate::world::rtp::RtpView;
use crate::world::source::{Record, Source};

/// What ties a consumer's stream to its source's.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    current: Option<Segment>,
    previous: Option<Segment>,
    /// So many new beginnings are expected.
    pub(super) resyncs_allowed: u32,
    pub(super) resyncs: u32,
    /// Packets whose record the source had no more: of these only the payload's own check was made.
    pub(super) unrecorded: u64,
    pub(super) checks: u64,
}

/// Packets with one shift.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Consumer's number minus source's.
    shift: i64,
    timestamp_shift: u32,
    /// Consumer's numbers.
    first: i64,
    last: i64,
    /// Source's number.
    last_of_source: i64,
}

impl Identity {
    /// Checks a packet with the extended number `number`, whose payload is of `tag`; answers what its source remembers.
    pub(super) fn check<'a>(
        &mut self,
        packet: &RtpView<'_>,
        payload: &[u8],
        number: i64,
        joined_at: Time,
        source: &'a Source,
    ) -> Option<&'a Record> {
        self.checks += 1;
        let tag = payload::tag_of(payload);
        let tag = tag.unwrap_or_else(|| panic!("the payload is of no packet of any source: {packet:?}"));
        let Some(record) = source.record(tag.number) else {
            self.unrecorded += 1;
            return None;
        };
        let whole = payload::is_of(payload, tag, record.prefix, record.bytes.into());
        assert!(whole, "the payload of {record:?} was changed: {packet:?}");
        let marker = record.is_last_of_frame() && source.is_video();
        assert_eq!(packet.marker, marker, "marker of {record:?}");
        let came_before = record.arrived_at.is_none_or(|at| at < joined_at);
        let is_early = came_before && !follows_late(record, joined_at, source);
        assert!(!is_early, "{record:?} came before the consumer joined at {joined_at:?}");
        let timestamp_shift = packet.timestamp.wrapping_sub(record.timestamp);
        self.place(number, record, timestamp_shift);
        Some(record)
    }

    /// The source's number of a packet that never came under `number`; `None` when that is of before the last beginning.
    pub(super) fn source_number(&self, number: i64) -> Option<u32> {
        let segment = self.current.filter(|segment| segment.first <= number)?;
        u32::try_from(number - segment.shift).ok()
    }

    /// Checks that a sender report ties the media clock to the wall's as its source does, up to what the way to the worker
    /// may take. (Of a source that began anew the old beginning may be meant; nothing is checked then.)
    pub(super) fn check_report(&mut self, ntp: u64, timestamp: u32, post: &Post<'_>, source: &Source) {
        let Some(segment) = self.current.filter(|_| !source.has_restarted()) else { return };
        self.checks += 1;
        let back = Duration::from_nanos(
            u64::try_from((u128::from(post.wall.wrapping_sub(ntp)) * 1_000_000_000) >> 32).unwrap_or(0),
        );
        let shown = source.clock_at(post.now - back).wrapping_add(segment.timestamp_shift);
        let behind = shown.wrapping_sub(timestamp).cast_signed();
        let rate = i64::from(source.options().stream.clock_rate);
        let behind_ms = i64::from(behind) * 1_000 / rate;
        assert!((-REPORT_AHEAD_MS..=REPORT_BEHIND_MS).contains(&behind_ms), "a report is {behind_ms} ms off");
    }

    fn place(&mut self, number: i64, record: &Record, timestamp_shift: u32) {
        let of_source = i64::from(record.number);
        let shift = number - of_source;
        if let Some(segment) = self.current.as_mut().filter(|segment| segment.shift == shift) {
            assert_eq!(timestamp_shift, segment.timestamp_shift, "timestamp of {record:?}");
            segment.first = segment.first.min(number);
            segment.last = segment.last.max(number);
            segment.last_of_source = segment.last_of_source.max(of_source);
            return;
        }
        if let Some(previous) = self.previous.filter(|segment| segment.shift == shift) {
            assert_eq!(timestamp_shift, previous.timestamp_shift, "timestamp of {record:?}");
            let begun = self.current.map(|segment| segment.first);
            assert!(begun.is_none_or(|first| number < first), "{record:?} as {number} after {begun:?}");
            return;
        }
        let begins =
            Segment { shift, timestamp_shift, first: number, last: number, last_of_source: of_source };
        if let Some(before) = self.current.replace(begins) {
            assert!(self.resyncs_allowed > 0, "{record:?} as {number} does not follow {before:?}");
            let continues = number > before.last && of_source > before.last_of_source;
            assert!(continues, "{record:?} as {number} goes back behind {before:?}");
            self.resyncs_allowed -= 1;
            self.resyncs += 1;
            self.previous = Some(before);
        }
    }
}

/// Whether a packet that came before `joined_at` follows one that came later: a consumer may begin with the late first packet
/// of a key frame, and then gets what follows it.
fn follows_late(record: &Record, joined_at: Time, source: &Source) -> bool {
    let before = (1..=FOLLOWING_MAX).filter_map(|back| source.record(record.number.checked_sub(back)?));
    before.filter_map(|before| before.arrived_at).any(|at| at >= joined_at)
}

/// As many packets as a worker may send behind a late one.
const FOLLOWING_MAX: u32 = 512;
/// Rounding, and a source's report that overtook its packets.
const REPORT_AHEAD_MS: i64 = 50;
/// The way to the worker, and what a clock estimate may be off before the first report.
const REPORT_BEHIND_MS: i64 = 1_000;
