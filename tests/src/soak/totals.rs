//! What a long run counted: wraps of each counter, repairs, comings and goings.
//!
//! Knows what peers counted, taken when they leave. Does not know rooms. Used by `soak`.
//! Invariant: each peer is counted once.

use serde::Serialize;

use crate::world::sink::Sink;
use crate::world::source::Source;
use crate::world::wide::{Counted, Numbers};

/// How often one kind of counter wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wraps {
    /// Of all counters of the kind together.
    pub all: u64,
    /// Of the one that wrapped most.
    pub most_by_one: u64,
}

impl Wraps {
    pub(super) fn add(&mut self, wraps: u64) {
        self.all += wraps;
        self.most_by_one = self.most_by_one.max(wraps);
    }
}

/// Wraps of every kind of counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AllWraps {
    /// Sequence numbers of what peers send, 16 bits.
    pub sequence_in: Wraps,
    /// Sequence numbers of what consumers get, 16 bits.
    pub sequence_out: Wraps,
    /// Sequence numbers of peers' retransmissions, 16 bits.
    pub rtx_sequence_in: Wraps,
    /// Sequence numbers of the worker's retransmissions, 16 bits.
    pub rtx_sequence_out: Wraps,
    /// Timestamps of video, 32 bits at 90 kHz.
    pub timestamp_90k: Wraps,
    /// Timestamps of sound, 32 bits at 48 kHz.
    pub timestamp_48k: Wraps,
    /// VP8's picture ids, 15 bits.
    pub picture_id: Wraps,
    /// VP8's TL0PICIDX, 8 bits.
    pub tl0_picture_index: Wraps,
    /// Transport-wide numbers that peers give, 16 bits.
    pub transport_wide_in: Wraps,
    /// Transport-wide numbers that the worker gives, 16 bits.
    pub transport_wide_out: Wraps,
    /// The middle of NTP's 64 bits, as in LSR.
    pub compact_ntp: Wraps,
}

impl AllWraps {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, Wraps); 11] {
        [
            ("sequence in", self.sequence_in),
            ("sequence out", self.sequence_out),
            ("RTX sequence in", self.rtx_sequence_in),
            ("RTX sequence out", self.rtx_sequence_out),
            ("timestamp 90 kHz", self.timestamp_90k),
            ("timestamp 48 kHz", self.timestamp_48k),
            ("VP8 picture id", self.picture_id),
            ("VP8 TL0PICIDX", self.tl0_picture_index),
            ("transport-wide in", self.transport_wide_in),
            ("transport-wide out", self.transport_wide_out),
            ("compact NTP", self.compact_ntp),
        ]
    }
}

/// What was lost and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repairs {
    /// Numbers that the worker asked peers for.
    pub asked_by_worker: u64,
    /// Packets that peers sent again.
    pub resent_to_worker: u64,
    /// Packets that never came to the worker.
    pub never_came_to_worker: u64,
    /// Numbers that receivers asked for.
    pub asked_by_receivers: u64,
    /// Packets that came to receivers because they were asked for.
    pub repaired_at_receivers: u64,
    /// Numbers that never came to receivers because the worker had not got them, or too late.
    pub lost_before_worker: u64,
    /// Because no request came through in time.
    pub requests_lost: u64,
    /// Because requests came through and their answers did not.
    pub answers_lost: u64,
    /// Because there was a pause.
    pub paused: u64,
    /// Key frames that receivers asked for.
    pub key_frame_requests: u64,
    /// Reports about transport-wide numbers that peers got.
    pub feedback: u64,
}

/// Who came, went, and paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Participants that joined.
    pub joins: u64,
    /// Participants that left.
    pub leaves: u64,
    /// Consumers that were paused.
    pub consumer_pauses: u64,
    /// Producers that were paused.
    pub producer_pauses: u64,
    /// Times that a path changed.
    pub weather_changes: u64,
    /// Times that a receiver went on under other numbers, as it must after a pause.
    pub resyncs: u64,
}

/// All that was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Of every counter.
    pub wraps: AllWraps,
    /// Losses.
    pub repairs: Repairs,
    /// People.
    pub events: Events,
}

impl Totals {
    /// A source is no more.
    pub(super) fn take_source(&mut self, source: &Source) {
        let (wraps, stats) = (source.wraps(), source.stats());
        self.wraps.sequence_in.add(wraps.sequence);
        self.wraps.rtx_sequence_in.add(wraps.rtx_sequence);
        self.wraps.picture_id.add(wraps.picture);
        self.wraps.tl0_picture_index.add(wraps.base_layer);
        match source.options().stream.clock_rate {
            90_000 => self.wraps.timestamp_90k.add(wraps.timestamp),
            _ => self.wraps.timestamp_48k.add(wraps.timestamp),
        }
        self.repairs.asked_by_worker += stats.nacked;
        self.repairs.resent_to_worker += stats.retransmissions;
        self.repairs.never_came_to_worker += stats.never_came;
    }

    /// A sink is no more.
    pub(super) fn take_sink(&mut self, sink: &Sink) {
        let ((sequence, rtx), stats) = (sink.wraps(), sink.stats());
        self.wraps.sequence_out.add(sequence);
        self.wraps.rtx_sequence_out.add(rtx);
        self.repairs.asked_by_receivers += stats.nacked;
        self.repairs.repaired_at_receivers += stats.repaired;
        self.repairs.key_frame_requests += stats.key_frame_requests;
        self.repairs.lost_before_worker += stats.explained.never_at_worker;
        self.repairs.requests_lost += stats.explained.not_asked_in_time;
        self.repairs.answers_lost += stats.explained.answers_lost;
        self.repairs.paused += stats.explained.paused;
        self.events.resyncs += u64::from(stats.resyncs);
    }

    /// A machine's transport-wide numbers begin anew.
    pub(super) fn take_numbers(&mut self, (given, got): &(Numbers, Counted)) {
        self.wraps.transport_wide_in.add(given.wraps());
        self.wraps.transport_wide_out.add(got.wraps());
        self.repairs.feedback += given.feedback;
    }
}
