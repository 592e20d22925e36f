//! Why a number never came: whatever the network allowed to be repaired must have been.
//!
//! Knows what the path took, what was asked for in time, and when the worker had each packet. Used by
//! [`Sink`] alone. Invariant: each number that was given up has exactly one reason, and none is the worker.

use std::time::Duration;

use tidegate_worker::base::time::Time;
use tidegate_worker::stream::nack::REQUESTS_MAX;

use super::Sink;
use super::reception::GivenUp;
use crate::world::rtp::RtpView;
use crate::world::source::Source;

/// What a sink expects of the worker.
#[derive(Clone, Copy, Debug)]
pub struct Explains {
    /// The longest way to the worker and back.
    pub round_trip_max: Duration,
    /// A packet that is asked for when the worker has had it no longer than this is sent again.
    pub kept_at_least: Duration,
}

/// Why numbers never came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// The worker never had it, or too late, or had given it up.
    pub never_at_worker: u64,
    /// The path took it, and no request reached the worker in time.
    pub not_asked_in_time: u64,
    /// The path took it, and its answers too.
    pub answers_lost: u64,
    /// There was a pause.
    pub paused: u64,
}

impl Explained {
    /// All of them.
    pub const fn all(&self) -> u64 {
        self.never_at_worker + self.not_asked_in_time + self.answers_lost + self.paused
    }
}

impl Sink {
    /// A packet was lost on its way here.
    pub(in crate::world) fn on_lost(&mut self, packet: &RtpView<'_>) {
        let sequence = if packet.ssrc == self.options.stream.ssrc {
            packet.sequence
        } else {
            let Some(original) = packet.payload.first_chunk() else { return };
            u16::from_be_bytes(*original)
        };
        let Some(reception) = &mut self.reception else {
            // One that was sent later, but comes earlier than others, may make it missed.
            self.lost_early.push(sequence);
            return;
        };
        let number = reception.extend(sequence);
        reception.on_lost(number);
    }

    /// What was given up just now must have a reason.
    pub(super) fn explain(&mut self, source: Option<&Source>) {
        let Some(explains) = self.options.explains else { return };
        for given_up in std::mem::take(&mut self.given_up) {
            let reason = self.reason(&given_up, explains, source);
            *reason += 1;
        }
    }

    fn reason(&mut self, given_up: &GivenUp, explains: Explains, source: Option<&Source>) -> &mut u64 {
        let GivenUp { number, since, lost, asked_at } = *given_up;
        let of_source = self.identity.source_number(number);
        let record = of_source.zip(source).and_then(|(number, source)| source.record(number));
        if self.excused_until.is_none_or(|until| since < until) || of_source.is_none() {
            return &mut self.explained.paused;
        }
        let ssrc = self.options.stream.ssrc;
        let patience = self.options.patience.give_up_after.saturating_sub(explains.round_trip_max);
        // Who has asked often enough does not wait any more: an answer that comes later is dropped.
        let waited_for = record.filter(|record| record.asked < REQUESTS_MAX);
        let arrived_at = waited_for.and_then(|record| record.arrived_at);
        let Some(arrived_at) = arrived_at.filter(|at| *at < since + patience) else {
            return &mut self.explained.never_at_worker;
        };
        assert!(lost > 0, "number {number} of {ssrc:#x} did not come, and no path took it: {record:?}");
        // One that was sent before the worker had the packet may have come before it, too. The worker must still have it
        // when the request comes, and the answer must come before the number is given up.
        let in_time = |at: Time| {
            at > arrived_at
                && at + explains.round_trip_max <= arrived_at + explains.kept_at_least
                && at <= since + patience
        };
        if !asked_at.is_some_and(|(first, last)| in_time(first) || in_time(last)) {
            return &mut self.explained.not_asked_in_time;
        }
        assert!(
            lost > 1,
            "number {number} of {ssrc:#x} was asked for at {asked_at:?} and not sent: {record:?}"
        );
        &mut self.explained.answers_lost
    }
}
