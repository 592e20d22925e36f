//! A decoder's view of arriving packets: which frames are whole, which can be shown, and when it cannot go on.
//!
//! Knows frames by the source's own counting. Does not know numbers of the received stream. Used by
//! [`Sink`](super::Sink) alone. Invariant: a frame is shown once, in order, and only if it is whole and either a key
//! frame or the one after the last that was shown.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_worker::base::time::Time;

use crate::world::source::Record;

/// Frames that wait for their packets.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Number of the first waiting frame.
    next: u32,
    waiting: VecDeque<Frame>,
    /// The frame before `next` was shown.
    is_unbroken: bool,
    has_begun: bool,
    /// Since when the first waiting frame holds others up.
    stuck_since: Option<Time>,
    asked_at: Option<Time>,
    pub(super) shown: u64,
    pub(super) skipped: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    got: u16,
    /// Zero while none of it came.
    count: u16,
    is_key: bool,
}

impl Frame {
    fn is_whole(self) -> bool {
        self.count > 0 && self.got == self.count
    }
}

impl Frames {
    /// A packet came for the first time.
    pub(super) fn on_packet(&mut self, record: &Record, now: Time) {
        if !self.has_begun {
            self.has_begun = true;
            self.next = record.frame;
        }
        let Some(place) = record.frame.checked_sub(self.next) else {
            self.on_earlier(record);
            return;
        };
        let place = place as usize;
        if place >= FRAMES_MAX {
            self.skipped += self.waiting.len() as u64;
            self.waiting.clear();
            self.next = record.frame;
            self.is_unbroken = false;
            return self.on_packet(record, now);
        }
        if self.waiting.len() <= place {
            self.waiting.resize(place + 1, Frame::default());
        }
        self.add(place, record);
        self.show(now);
    }

    /// The first packets may come in another order than they were sent.
    fn on_earlier(&mut self, record: &Record) {
        let gap = self.next - record.frame;
        if self.shown == 0 && self.skipped == 0 && gap < 8 {
            (0..gap).for_each(|_| self.waiting.push_front(Frame::default()));
            self.next = record.frame;
            self.add(0, record);
        }
    }

    fn add(&mut self, place: usize, record: &Record) {
        let frame = &mut self.waiting[place];
        frame.got += 1;
        frame.count = record.count;
        frame.is_key = record.is_key_frame;
    }

    /// Whether a key frame should be asked for now: nothing can be shown, and waiting was of no use.
    pub(super) fn needs_key_frame(&mut self, patience: Duration, now: Time) -> bool {
        if self.stuck_since.is_none_or(|since| now.since(since) < patience) {
            return false;
        }
        if self.asked_at.is_some_and(|at| now.since(at) < ASK_AGAIN_AFTER) {
            return false;
        }
        self.asked_at = Some(now);
        true
    }

    /// When [`needs_key_frame`](Self::needs_key_frame) may say yes.
    pub(super) fn next_at(&self, patience: Duration) -> Option<Time> {
        let at = self.stuck_since? + patience;
        Some(self.asked_at.map_or(at, |asked| at.max(asked + ASK_AGAIN_AFTER)))
    }

    fn show(&mut self, now: Time) {
        while let Some(first) = self.waiting.front().copied() {
            if first.is_whole() && (first.is_key || self.is_unbroken) {
                self.pop(1);
                self.shown += 1;
                self.is_unbroken = true;
                self.stuck_since = None;
                continue;
            }
            // A whole key frame further on makes everything before it unneeded.
            let Some(key) = self.waiting.iter().position(|frame| frame.is_whole() && frame.is_key) else {
                let others_wait = self.waiting.len() > 1 || first.is_whole();
                if others_wait {
                    self.stuck_since.get_or_insert(now);
                }
                return;
            };
            self.pop(key);
            self.skipped += key as u64;
            self.is_unbroken = false;
        }
        self.stuck_since = None;
    }

    fn pop(&mut self, count: usize) {
        self.waiting.drain(..count);
        self.next += u32::try_from(count).unwrap_or(0);
    }
}

/// Twenty seconds of video.
const FRAMES_MAX: usize = 600;
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
