//! What arrived on a transport, by transport-wide number, until the sender was told
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 2 and 3).
//!
//! Knows numbers and times of arrival in ticks of 250 us. Does not know whose packets they are, nor when feedback is
//! due: `media::transport::congestion` asks every [`INTERVAL`] while packets come.
//! Invariant: each arrival that is at most [`WINDOW`] late is told, and told again when an earlier number comes late, as
//! libwebrtc does: the sender may have taken that one for lost. What is told is when the packet arrived, rounded to the
//! nearest tick; no rounding adds up.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::sequence::{Extender16, Serial16, Serial32};
use crate::base::time::Time;
use crate::rtcp::{CompoundWriter, WideFeedbackHead};

/// Between two reports.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// How long an arrival that was told is remembered: a number that comes later than that after those behind it is not
/// told any more.
pub const WINDOW: Duration = Duration::from_millis(500);

/// Most numbers that are kept, missing ones included: 150 Mb/s of full packets in [`WINDOW`]. A number farther ahead
/// than this is a jump: the sender began anew.
pub const NUMBERS_MAX: usize = 8_192;

/// Arrivals on one transport. Allocates when it holds more than ever before.
#[derive(Debug, Default)]
pub struct Arrivals {
    extender: Extender16,
    /// When the numbers from `begin` on arrived. The last one did.
    ticks: VecDeque<Option<Serial32>>,
    /// Extended, as `next`.
    begin: u64,
    /// The first number to tell, if it is not beyond the last.
    next: u64,
    /// Feedback packets written.
    count: u8,
    /// The number after one that was too old: a second one of them means that the sender began anew.
    suspect: Option<Serial16>,
}

const _: () = assert!(size_of::<Arrivals>() <= 64);

impl Arrivals {
    /// Nothing has arrived.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet arrived at `received_at` by the clock whose times go into feedback. Only its first arrival counts.
    pub fn on_packet(&mut self, number: Serial16, received_at: Time) {
        let tick = tick_of(received_at);
        let (sequence, end) = (self.extender.peek(number), self.end());
        if self.extender.newest().is_none() || sequence >= end + NUMBERS_MAX as u64 {
            self.begin_anew(number, tick);
        } else if sequence >= end {
            self.append(number, sequence, tick);
        } else if sequence >= self.begin {
            self.fill(sequence, tick);
        } else if self.suspect == Some(number) {
            self.begin_anew(number, tick);
        } else {
            self.suspect = Some(number.next());
        }
    }

    /// Adds one packet of feedback to `compound`, best an empty one. False when there is nothing left to tell, or no
    /// room to.
    pub fn write_next(
        &mut self,
        compound: &mut CompoundWriter<'_>,
        sender_ssrc: u32,
        media_ssrc: u32,
    ) -> bool {
        let told = self.told();
        if told >= self.ticks.len() {
            return false;
        }
        let base = low(self.next);
        let head = WideFeedbackHead { sender_ssrc, media_ssrc, base, count: self.count };
        let Ok(taken) = compound.wide_feedback(&head, self.ticks.range(told..).copied()) else {
            return false;
        };
        self.next += u64::from(taken);
        self.count = self.count.wrapping_add(1);
        true
    }

    /// Forgets what was told and is older than [`WINDOW`]. To be called after each report, and every [`INTERVAL`] until
    /// nothing [is remembered](Self::is_empty).
    pub fn forget(&mut self, now: Time) {
        let limit = tick_of(now - WINDOW);
        let mut aged = 0;
        // A number that did not arrive goes with the ones behind it: it may yet come.
        for (index, tick) in self.ticks.iter().take(self.told()).enumerate() {
            match tick {
                None => {}
                Some(tick) if tick.is_newer_than(limit) => break,
                Some(_) => aged = index + 1,
            }
        }
        self.ticks.drain(..aged);
        self.begin += aged as u64;
        if self.ticks.is_empty() {
            self.ticks = VecDeque::new();
        }
    }

    /// Whether nothing is remembered: then there is nothing to tell either.
    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty()
    }

    /// Share of the numbers that are remembered and were told which did not arrive, in millionths; `None` when there are
    /// none. What was not told yet may be on its way.
    pub fn loss_ppm(&self) -> Option<u32> {
        let told = self.told().min(self.ticks.len());
        let missing = self.ticks.iter().take(told).filter(|tick| tick.is_none()).count();
        u32::try_from((missing * 1_000_000).checked_div(told)?).ok()
    }

    /// Bytes held on the heap.
    pub fn held_bytes(&self) -> usize {
        self.ticks.capacity() * size_of::<Option<Serial32>>()
    }

    fn begin_anew(&mut self, number: Serial16, tick: Serial32) {
        self.extender = Extender16::new();
        self.begin = self.extender.extend(number);
        self.next = self.begin;
        self.suspect = None;
        self.ticks.clear();
        self.ticks.push_back(Some(tick));
    }

    /// A number beyond the last one: those in between are missing.
    fn append(&mut self, number: Serial16, sequence: u64, tick: Serial32) {
        self.extender.extend(number);
        self.suspect = None;
        let missing = usize::try_from(sequence - self.end()).unwrap_or(NUMBERS_MAX);
        self.ticks.extend(std::iter::repeat_n(None, missing));
        self.ticks.push_back(Some(tick));
        let surplus = self.ticks.len().saturating_sub(NUMBERS_MAX);
        self.ticks.drain(..surplus);
        self.begin += surplus as u64;
        self.next = self.next.max(self.begin);
    }

    /// A number among those that are kept.
    fn fill(&mut self, sequence: u64, tick: Serial32) {
        let index = usize::try_from(sequence - self.begin).unwrap_or(usize::MAX);
        if let Some(slot @ None) = self.ticks.get_mut(index) {
            *slot = Some(tick);
            self.next = self.next.min(sequence);
        }
    }

    /// The number after the last.
    fn end(&self) -> u64 {
        self.begin + self.ticks.len() as u64
    }

    /// How many of the first were told.
    fn told(&self) -> usize {
        usize::try_from(self.next.saturating_sub(self.begin)).unwrap_or(usize::MAX)
    }
}

/// The nearest multiple of 250 us, as far as the wire can say it.
fn tick_of(time: Time) -> Serial32 {
    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are meant")]
    let ticks = ((time.as_micros() + TICK_MICROS / 2) / TICK_MICROS) as u32;
    Serial32::new(ticks)
}

fn low(sequence: u64) -> Serial16 {
    crate::base::sequence::Seq::new(sequence).wire()
}

const TICK_MICROS: u64 = 250;

#[cfg(test)]
mod tests;
