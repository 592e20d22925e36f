//! Which log lines are sent, and how many of one place in the code in a second.
//!
//! Knows levels, tags, places and the time. Does not know what lines say. Called by `Outbox::log`.
//! Invariant: what is left out is counted, and told within two seconds: by the next line of that place, or without one.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use tidegate_protocol::message::{LogLevel, LogTag};

use crate::base::time::Time;

/// Which log lines are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// Up to which level.
    pub level: LogLevel,
    /// Bit `tag as u32` set: debug lines of that tag are sent.
    pub tags: u32,
}

impl LogSettings {
    /// With debug lines of `tag` too.
    #[must_use]
    pub fn with(self, tag: LogTag) -> Self {
        Self { tags: self.tags | 1 << tag as u32, ..self }
    }

    /// Whether lines of this level and tag are sent. Only debug lines have to be asked for by tag.
    #[inline]
    pub fn wants(self, level: LogLevel, tag: LogTag) -> bool {
        let tagged = level != LogLevel::Debug || self.tags & (1 << tag as u32) != 0;
        level != LogLevel::None && level <= self.level && tagged
    }
}

/// What each place has said in its newest second.
#[derive(Debug, Default)]
pub(super) struct LogQuota {
    /// One each: as many as there are calls in the code, some dozens.
    places: Vec<Place>,
    /// Somebody will ask for what was suppressed.
    armed: bool,
}

#[derive(Debug)]
struct Place {
    at: &'static Location<'static>,
    second: u64,
    told: u32,
    suppressed: Suppressed,
}

/// Lines of one place that were left out.
#[derive(Clone, Debug)]
pub(super) struct Suppressed {
    at: &'static Location<'static>,
    pub(super) level: LogLevel,
    pub(super) tag: LogTag,
    lines: u64,
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} more like this were suppressed ({}:{})", self.lines, self.at.file(), self.at.line())
    }
}

impl LogQuota {
    /// Whether the line may be sent; and what is to be said before it.
    pub(super) fn take(
        &mut self,
        at: &'static Location<'static>,
        now: Time,
        level: LogLevel,
        tag: LogTag,
    ) -> (bool, Option<Suppressed>) {
        let second = second_of(now);
        let index = self.places.iter().position(|place| place.at == at).unwrap_or_else(|| {
            self.places.push(Place {
                at,
                second,
                told: 0,
                suppressed: Suppressed { at, level, tag, lines: 0 },
            });
            self.places.len() - 1
        });
        let Some(place) = self.places.get_mut(index) else { return (false, None) };
        let before = place.over(second);
        place.second = second;
        let may = place.told < LINES_PER_SECOND;
        place.told += u32::from(may);
        place.suppressed.lines += u64::from(!may);
        (may, before)
    }

    /// What was left out in seconds that are over; nothing of it is told again.
    pub(super) fn take_suppressed(&mut self, now: Time) -> Vec<Suppressed> {
        self.armed = false;
        self.places.iter_mut().filter_map(|place| place.over(second_of(now))).collect()
    }

    /// When to take what was left out, unless that was said already.
    pub(super) fn arm(&mut self) -> Option<Time> {
        if self.armed {
            return None;
        }
        let second =
            self.places.iter().filter(|place| place.suppressed.lines > 0).map(|place| place.second).min()?;
        self.armed = true;
        Some(Time::from_millis(0) + Duration::from_secs(second + 1))
    }

    /// Gives the memory of earlier seconds back.
    pub(super) fn reclaim(&mut self, now: Time) {
        let second = second_of(now);
        self.places.retain(|place| place.second == second || place.suppressed.lines > 0);
        self.places.shrink_to_fit();
    }
}

impl Place {
    /// If its second is over: begins another one, and hands out what was left out.
    fn over(&mut self, second: u64) -> Option<Suppressed> {
        if self.second == second {
            return None;
        }
        self.told = 0;
        let suppressed = self.suppressed.clone();
        self.suppressed.lines = 0;
        (suppressed.lines > 0).then_some(suppressed)
    }
}

fn second_of(now: Time) -> u64 {
    now.as_millis() / 1_000
}

/// Lines of one place in the code in each second of the worker's clock. A person reads no more, and what a peer does
/// a thousand times a second costs the pipe 1 KB/s.
pub const LINES_PER_SECOND: u32 = 10;
