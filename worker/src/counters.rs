//! What the shell counts: turns, wakes, sleeps, and how its batches turned out.
//!
//! Knows numbers and their buckets. Does not know who reads them: `GetMetrics` answers them by name. Written by the
//! event loop and `sys::sockets`.
//! Invariant: counting costs a few instructions and no memory, whatever is counted.

use tidegate_protocol::stats::ResourceUsage;

/// A distribution in buckets of powers of two, as `protocol::metrics::Histogram` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket 0 counts zeros; bucket `k` counts values from `2^(k-1)` to `2^k - 1`; the last also all larger ones.
    pub buckets: [u64; HISTOGRAM_BUCKETS],
    /// Sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        if let Some(count) = self.buckets.get_mut(bucket.min(HISTOGRAM_BUCKETS - 1)) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(value);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [0; HISTOGRAM_BUCKETS], sum: 0 }
    }
}

/// What the shell tells the core about itself, for dumps and metrics.
#[derive(Clone, Debug, Default)]
pub struct ShellReport {
    /// The process.
    pub pid: u32,
    /// From getrusage(2), read before a request asks for it.
    pub resource_usage: ResourceUsage,
    /// The allocator's books, read with it.
    pub heap: HeapReport,
    /// What the event loop did.
    pub event_loop: LoopCounters,
    /// What the sockets did.
    pub network: NetworkCounters,
}

/// What the allocator says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapReport {
    /// Given out.
    pub used_bytes: u64,
    /// Held free, with or without pages behind it.
    pub free_bytes: u64,
}

/// What the event loop did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopCounters {
    /// Turns, with or without anything to do.
    pub turns: u64,
    /// Turns before which the loop had waited for something to happen.
    pub wakes: u64,
    /// Sleeps after a wake, to gather more datagrams.
    pub moderation_sleeps: u64,
    /// Requests run.
    pub requests: u64,
    /// Datagrams in one turn that had any.
    pub datagrams_per_turn: Histogram,
    /// Microseconds from the moment the turn's clock was read to its end.
    pub turn_time_us: Histogram,
}

/// What the sockets did, over all of them, also those closed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounters {
    /// Sockets open now.
    pub sockets: u64,
    /// System calls to receive (recvmmsg).
    pub receive_calls: u64,
    /// System calls to send (sendmmsg).
    pub send_calls: u64,
    /// Datagrams in each message sent: above 1, one GSO run.
    pub gso_run_length: Histogram,
    /// Bytes that wait for room in send buffers now.
    pub send_backlog_bytes: u64,
    /// Of TCP alone.
    pub tcp: TcpCounters,
}

/// What TCP did, over all sockets, also those closed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpCounters {
    /// Connections taken.
    pub accepted: u64,
    /// Connections closed because their peer had not shown who it is in time.
    pub closed_unauthenticated: u64,
    /// Connections closed because there were too many of these.
    pub closed_displaced: u64,
    /// Connections closed because more than video waited for a peer that does not read.
    pub closed_queue_full: u64,
    /// Frames given up because a queue was full.
    pub dropped_queue_full: u64,
    /// Frames that the kernel took or will take.
    pub sent_frames: u64,
    /// Times that no descriptor was left for a connection.
    pub starved: u64,
}

/// Up to half a million in buckets of their own; that many microseconds are half a second.
pub const HISTOGRAM_BUCKETS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_bucket_of_their_highest_bit() {
        let mut histogram = Histogram::default();
        for value in [0, 1, 2, 3, 4, 1 << 18, u64::MAX] {
            histogram.record(value);
        }
        assert_eq!(histogram.buckets[..4], [1, 1, 2, 1]);
        assert_eq!(histogram.buckets[HISTOGRAM_BUCKETS - 1], 2);
        assert_eq!((histogram.count(), histogram.sum), (7, u64::MAX));
    }
}
