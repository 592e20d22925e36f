//! What paths are like, and how that changes.
//!
//! Knows impairments. Does not know who is behind a path. Used by `soak` for both ways of every seat.
//! Invariant: delay, jitter and reordering together never exceed what [`Weather::way_max`] says.

use std::time::Duration;

use crate::scenarios::draw::Draw;
use crate::world::path::{Bursts, Impairment};

/// How far away somebody is. This stays; everything else changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    delay: Duration,
}

impl Weather {
    /// Five to 150 ms each way.
    pub(super) fn of(draw: &mut Draw) -> Self {
        Self { delay: Duration::from_millis(draw.millis(5, 150)) }
    }

    /// There and back, without anything else.
    pub(super) fn round_trip(self) -> Duration {
        self.delay * 2
    }

    /// The longest that a datagram takes one way.
    pub(super) fn way_max(self) -> Duration {
        self.delay + JITTER_MAX + REORDER_MAX
    }

    /// What a path is like for a while.
    pub(super) fn next(self, draw: &mut Draw) -> Impairment {
        let calm = Impairment { delay: self.delay, ..Impairment::default() };
        let jitter = Duration::from_micros(draw.between(0, micros(JITTER_MAX)).into());
        let reorder_by = Duration::from_micros(draw.between(500, micros(REORDER_MAX)).into());
        let bursts = Bursts {
            begin_permille: draw.between(2, 10),
            end_permille: draw.between(200, 500),
            loss_permille: draw.between(700, 1_000),
        };
        let bad = Impairment {
            jitter,
            loss_permille: draw.between(10, 60),
            reorder_permille: draw.between(5, 40),
            reorder_by,
            duplicate_permille: draw.between(5, 20),
            bursts: Some(bursts),
            ..calm
        };
        match draw.between(0, 5) {
            0 => calm,
            1 => Impairment { jitter, loss_permille: draw.between(1, 30), ..calm },
            2 => Impairment { bursts: Some(bursts), ..calm },
            3 => Impairment { reorder_permille: 30, reorder_by, duplicate_permille: 20, ..calm },
            4 => Impairment { jitter: JITTER_MAX, loss_permille: 10, ..calm },
            _ => bad,
        }
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(0)
}

const JITTER_MAX: Duration = Duration::from_millis(10);
const REORDER_MAX: Duration = Duration::from_millis(15);
