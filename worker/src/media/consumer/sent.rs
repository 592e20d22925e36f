//! The stream that a consumer's peer receives.
//!
//! Knows its SSRCs, numbers, timestamps, what was sent (for repair) and how it goes. Does not know the producer, but for
//! what its sender reports tell of the clock.

use std::time::Duration;

use tidegate_protocol::rtp::RtpEncodingParameters;

use crate::base::sequence::{Seq, Serial16};
use crate::base::time::Time;
use crate::media::parameters::{Codec, codec_of};
use crate::media::producer::stream::ReceivedStream;
use crate::media::refused::Refused;
use crate::media::traffic::TrafficCounter;
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::stream::allowance::Allowance;
use crate::stream::bitrate;
use crate::stream::continuity::{Continuity, TimestampMap};
use crate::stream::report::Sending;
use crate::stream::ring::{Entry, SentRing};
use crate::stream::score::{self, Score};
use crate::stream::stamps::Stamps;
use crate::turn::Turn;

/// One consumer's stream.
#[derive(Debug)]
pub(crate) struct SentStream {
    pub(crate) ssrc: u32,
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) rtx_sequence: Serial16,
    pub(crate) continuity: Continuity,
    pub(crate) timestamps: TimestampMap,
    pub(crate) ring: SentRing,
    pub(crate) segments: Segments,
    /// The number after the highest one that was sent.
    next: Seq,
    /// The beginning of the producer's stream that it follows; `None` until the next packet it can start with.
    pub(crate) follows: Option<u8>,
    /// The one that it followed last, pauses aside: timestamps are those of this beginning.
    pub(crate) followed: Option<u8>,
    course: Option<Box<Course>>,
}

const _: () = assert!(size_of::<SentStream>() <= 208);

/// How the stream goes. Made when there is something to tell: a consumer without media does without.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) media: TrafficCounter,
    pub(crate) sending: Sending,
    pub(crate) score: Score,
    pub(crate) allowance: Allowance,
    /// Without RTX: what resends must repeat.
    pub(crate) stamps: Stamps,
    pub(crate) counters: SentCounters,
}

const _: () = assert!(size_of::<Course>() <= 328);

/// What happened to the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SentCounters {
    pub(crate) discarded: u64,
    pub(crate) retransmitted: u64,
    pub(crate) repaired: u64,
    pub(crate) nacks: u64,
    pub(crate) nacked_packets: u64,
    pub(crate) plis: u64,
    pub(crate) firs: u64,
}

/// Timestamp offsets of the last few times the stream began anew, so that older packets can still be sent again as
/// they were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Segments {
    current: u8,
    offsets: [u32; SEGMENTS],
}

impl Segments {
    /// Begins a segment.
    pub(crate) fn begin(&mut self, timestamp_offset: u32) {
        self.current = self.current.wrapping_add(1);
        if let Some(offset) = self.offsets.get_mut(usize::from(self.current) % SEGMENTS) {
            *offset = timestamp_offset;
        }
    }

    pub(crate) fn current(&self) -> u8 {
        self.current
    }

    /// What was added to timestamps in that segment; `None` when it is too long ago.
    pub(crate) fn timestamp_offset(&self, segment: u8) -> Option<u32> {
        let age = usize::from(self.current.wrapping_sub(segment));
        if age < SEGMENTS { self.offsets.get(usize::from(segment) % SEGMENTS).copied() } else { None }
    }
}

impl SentStream {
    pub(crate) fn new(
        encoding: &RtpEncodingParameters,
        codecs: &[Codec],
        turn: &mut Turn<'_>,
    ) -> Result<Self, Refused> {
        let Some(ssrc) = encoding.ssrc else {
            return Err(Refused::invalid("the encoding of a consumer needs an ssrc; choose one at random"));
        };
        if encoding.rtx_ssrc == Some(ssrc) {
            return Err(Refused::invalid(format!(
                "SSRC {ssrc} is given for media and for RTX; each needs its own"
            )));
        }
        let codec = codecs.get(codec_of(encoding, codecs)?);
        // RFC 3550 5.1: at random. Not close to the wrap: see `Continuity::new`.
        let mut first = || Serial16::new(u16::try_from(turn.random.in_range(1_000, 32_767)).unwrap_or(1_000));
        Ok(Self {
            ssrc,
            rtx_ssrc: encoding
                .rtx_ssrc
                .filter(|_| codec.is_some_and(|codec| codec.rtx_payload_type.is_some())),
            rtx_sequence: first(),
            continuity: Continuity::new(first()),
            timestamps: TimestampMap::new(),
            ring: SentRing::new(),
            segments: Segments::default(),
            next: Seq::new(0),
            follows: None,
            followed: None,
            course: None,
        })
    }

    /// Begins where streams of its SSRCs ended before, if there were any: under the same keys no number may come twice.
    pub(crate) fn go_on(&mut self, next_sequence: impl Fn(u32) -> Option<Serial16>) {
        if let Some(next) = next_sequence(self.ssrc) {
            self.continuity = Continuity::new(next);
        }
        if let Some(next) = self.rtx_ssrc.and_then(next_sequence) {
            self.rtx_sequence = next;
        }
    }

    /// How it goes, from now on if it was not known before.
    pub(crate) fn course(&mut self, now: Time) -> &mut Course {
        self.course.get_or_insert_with(|| Box::new(Course::new(now)))
    }

    /// How it went, if anything has happened yet.
    pub(crate) fn course_so_far(&self) -> Option<&Course> {
        self.course.as_deref()
    }

    /// To the peer and back, once measured.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.course_so_far()?.sending.round_trip()
    }

    /// 0 to 10; the best until something else is known.
    pub(crate) fn score(&self) -> u8 {
        self.course_so_far().map_or(score::MAX, |course| course.score.value())
    }

    /// What a sender report says now of what comes from `source`; `None` when nothing was sent for a while. Asked only now
    /// when the newest timestamp was, the streams of one sender are all placed by what is known of its clock by now.
    pub(crate) fn sender_info(&self, source: Option<&ReceivedStream>, turn: &Turn<'_>) -> Option<SenderInfo> {
        // That of the codec which the producer sends now.
        let clock_rate = source.map_or(0, ReceivedStream::clock_rate);
        let captured_at = |timestamp| {
            let at = source?.capture.captured_at(self.timestamps.unmap(timestamp), clock_rate)?;
            // Reports of another clock, or of none: nothing is sent before it was captured.
            (at.since(turn.now) <= CAPTURED_AHEAD_MAX).then_some(at)
        };
        self.course_so_far()?.sending.report(turn.now, turn.wall.0, clock_rate, captured_at)
    }

    /// What the peer reports of this stream; whether the score changed.
    pub(crate) fn on_report_block(&mut self, block: &ReportBlock, turn: &Turn<'_>) -> bool {
        let course = self.course(turn.now);
        course.sending.on_report(block, turn.wall.0);
        let totals = score::Sent {
            sent: course.sending.packets(),
            lost: block.cumulative_lost.into(),
            repaired: course.counters.repaired,
            retransmitted: course.counters.retransmitted,
        };
        course.score.on_report(totals, turn.now).is_some()
    }

    /// The SSRCs that feedback about this stream may name.
    pub(crate) fn ssrcs(&self) -> impl Iterator<Item = u32> {
        [Some(self.ssrc), self.rtx_ssrc].into_iter().flatten()
    }

    /// Nothing passes for a while: what was sent is forgotten, and the next packet must be one to start with.
    pub(crate) fn stop(&mut self, turn: &mut Turn<'_>) {
        self.follows = None;
        self.forget_packets(turn);
    }

    /// Forgets what was sent and gives its memory back.
    pub(crate) fn forget_packets(&mut self, turn: &mut Turn<'_>) {
        self.ring.clear(turn.pool);
        if let Some(course) = &mut self.course {
            course.stamps.clear(turn.pool);
        }
    }

    /// Gives back what has not been needed for a while: see [`SentRing::shrink`].
    pub(crate) fn shrink(&mut self, retain: Duration, turn: &mut Turn<'_>) {
        self.ring.shrink(turn.now, retain, turn.pool);
        let slots = self.history_packets();
        if let Some(course) = &mut self.course
            && course.stamps.bytes() > 0
        {
            // Never longer than it was, so that there is memory for it.
            let _ = course.stamps.fit(slots, turn.pool);
        }
    }

    /// How many packets are remembered at most, as of now.
    pub(crate) fn history_packets(&self) -> usize {
        self.ring.bytes() / size_of::<Entry>()
    }

    /// Bytes of what is remembered, as charged to the budget.
    pub(crate) fn history_bytes(&self) -> usize {
        self.ring.bytes() + self.course_so_far().map_or(0, |course| course.stamps.bytes())
    }

    /// Whether `seq`, which is sent now, is above all that were sent before: not late.
    pub(crate) fn is_next(&mut self, seq: Seq) -> bool {
        let next = seq >= self.next;
        self.next = self.next.max(seq.next());
        next
    }

    /// The number that the next RTX packet carries.
    pub(crate) fn take_rtx_sequence(&mut self) -> Serial16 {
        let sequence = self.rtx_sequence;
        self.rtx_sequence = sequence.next();
        sequence
    }
}

impl Course {
    /// What was sent since the last time may be sent again.
    pub(crate) fn earn_resends(&mut self, now: Time) {
        // What the rate counts is what was sent in its window, which is longer than packets are kept.
        let recent_bits = u128::from(self.media.bits_per_second(now)) * bitrate::WINDOW.as_millis() / 1_000;
        self.allowance.earn(self.media.bytes(), u64::try_from(recent_bits / 8).unwrap_or(u64::MAX));
    }

    #[cold]
    pub(crate) fn new(now: Time) -> Self {
        Self {
            media: TrafficCounter::new(bitrate::WINDOW),
            sending: Sending::new(),
            score: Score::new(now),
            allowance: Allowance::new(),
            stamps: Stamps::default(),
            counters: SentCounters::default(),
        }
    }
}

/// How many beginnings are remembered.
const SEGMENTS: usize = 4;

/// The path may have become quicker than it was when the last reports came.
const CAPTURED_AHEAD_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_segments_are_forgotten_and_recent_ones_kept() {
        let mut segments = Segments::default();
        for offset in 1..=300u32 {
            segments.begin(offset * 10);
        }
        let current = segments.current();
        assert_eq!(segments.timestamp_offset(current), Some(3_000));
        assert_eq!(segments.timestamp_offset(current.wrapping_sub(3)), Some(2_970));
        assert_eq!(segments.timestamp_offset(current.wrapping_sub(4)), None);
    }
}
