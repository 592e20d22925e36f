//! What the worker costs and moves, once a second, for the page to draw.
//!
//! Knows the worker's counters and its process. Does not know rooms or pages.
//! Invariant: a rate is of one worker's life; after another one started, rates begin with the second look.

use std::fs;
use std::time::Duration;

use serde::Serialize;
use tidegate::metrics::Metrics;
use tidegate::stats::ResourceUsage;
use tidegate::{RequestError, Worker};
use tokio::time::Instant;

/// One look.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Visitors of all rooms.
    pub visitors: usize,
    /// The worker; `null` while there is none.
    pub worker: Option<WorkerFigures>,
}

/// What one worker costs and moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerFigures {
    /// Its process.
    pub pid: u32,
    /// CPU time since the look before, in percent of one core.
    pub cpu_percent: Option<f64>,
    /// Memory that the process holds, its program included.
    pub resident_bytes: Option<u64>,
    /// Memory that packets hold: buffers and histories.
    pub packet_memory_bytes: u64,
    /// The most that they may hold.
    pub packet_memory_limit_bytes: u64,
    /// Datagrams received a second, RTCP and checks included.
    pub received_per_second: Option<f64>,
    /// RTP packets forwarded a second.
    pub forwarded_per_second: Option<f64>,
    /// Datagrams sent a second.
    pub sent_per_second: Option<f64>,
    /// Bits per second of forwarded RTP packets.
    pub forwarded_bitrate: Option<f64>,
    /// Datagrams in one system message, the mean since the look before; absent when nothing was sent.
    pub gso_run_length: Option<f64>,
    /// Milliseconds that a packet waited before it was forwarded, likewise.
    pub forward_delay_ms: Option<f64>,
    /// Transports, producers and consumers that are there.
    pub transports: u64,
    /// Likewise.
    pub producers: u64,
    /// Likewise.
    pub consumers: u64,
    /// Packets sent again since the worker started.
    pub packets_resent: u64,
    /// Defects that were contained; 0, if all is well.
    pub panics_contained: u64,
}

/// Takes looks, and remembers the last one.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    last: Option<Look>,
}

/// Counters at one moment.
#[derive(Debug)]
struct Look {
    at: Instant,
    pid: u32,
    usage: ResourceUsage,
    metrics: Metrics,
}

impl Meter {
    /// One look at the worker, with how many rooms and visitors there are.
    pub(crate) async fn look(
        &mut self,
        worker: Option<&Worker>,
        (rooms, visitors): (usize, usize),
    ) -> Figures {
        let look = match worker {
            Some(worker) => Look::at(worker).await.ok(),
            None => None,
        };
        let figures = look.as_ref().map(|look| {
            let before = self.last.as_ref().filter(|last| last.pid == look.pid);
            WorkerFigures {
                resident_bytes: resident_bytes(look.pid),
                ..before.map_or_else(|| look.levels(), |before| look.rates(before))
            }
        });
        self.last = look;
        Figures { rooms, visitors, worker: figures }
    }
}

impl Look {
    async fn at(worker: &Worker) -> Result<Self, RequestError> {
        let (usage, metrics) = (worker.get_resource_usage().await?, worker.get_metrics().await?);
        Ok(Self { at: Instant::now(), pid: worker.pid(), usage, metrics })
    }

    /// What one look tells.
    fn levels(&self) -> WorkerFigures {
        let value = |name| self.metrics.value(name).unwrap_or_default();
        WorkerFigures {
            pid: self.pid,
            packet_memory_bytes: value("packet_memory_held_bytes"),
            packet_memory_limit_bytes: value("packet_memory_limit_bytes"),
            transports: value("transports"),
            producers: value("producers"),
            consumers: value("consumers"),
            packets_resent: value("packets_resent"),
            panics_contained: value("panics_contained"),
            ..WorkerFigures::default()
        }
    }

    /// What it tells together with the one before.
    fn rates(&self, before: &Self) -> WorkerFigures {
        let passed = self.at - before.at;
        let rate = |count| per_second(count, passed);
        let grown = |name| {
            let value = |look: &Self| look.metrics.value(name).unwrap_or_default();
            value(self).saturating_sub(value(before))
        };
        let (received, _) = self.distribution("datagrams_per_turn", before);
        let (sent, messages) = self.distribution("gso_run_length", before);
        let (waited_us, waits) = self.distribution("forward_delay_us", before);
        let used_ms = |usage: &ResourceUsage| usage.ru_utime + usage.ru_stime;
        let cpu_ms = used_ms(&self.usage).saturating_sub(used_ms(&before.usage));
        WorkerFigures {
            // Milliseconds a second are tenths of a percent.
            cpu_percent: rate(cpu_ms).map(|ms| ms / 10.0),
            received_per_second: rate(received),
            forwarded_per_second: rate(grown("packets_forwarded")),
            sent_per_second: rate(sent),
            forwarded_bitrate: rate(grown("bytes_forwarded")).map(|bytes| bytes * 8.0),
            gso_run_length: mean(sent, messages),
            forward_delay_ms: mean(waited_us, waits).map(|us| us / 1_000.0),
            ..self.levels()
        }
    }

    /// Sum and count of the values that a histogram got since then.
    fn distribution(&self, name: &str, before: &Self) -> (u64, u64) {
        let of = |look: &Self| {
            look.metrics.histogram(name).map_or((0, 0), |histogram| (histogram.sum, histogram.count()))
        };
        let ((sum, count), (sum_before, count_before)) = (of(self), of(before));
        (sum.saturating_sub(sum_before), count.saturating_sub(count_before))
    }
}

#[expect(clippy::cast_precision_loss, reason = "what a worker counts in a second needs no more than 52 bits")]
fn per_second(count: u64, passed: Duration) -> Option<f64> {
    (!passed.is_zero()).then(|| count as f64 / passed.as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "what a worker counts in a second needs no more than 52 bits")]
fn mean(sum: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum as f64 / count as f64)
}

/// `None` when the process is gone.
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use tidegate::bounded::{List, Text};
    use tidegate::metrics::{Histogram, Metric};

    use super::*;

    fn look(at: Instant, cpu_ms: u64, forwarded: u64, buckets: [u64; 2], sum: u64) -> Look {
        let metric = Metric { name: Text::clipped("packets_forwarded"), value: forwarded };
        let histogram =
            Histogram { name: Text::clipped("gso_run_length"), buckets: List::first_of(buckets), sum };
        let metrics = Metrics { values: List::first_of([metric]), histograms: List::first_of([histogram]) };
        Look { at, pid: 7, usage: ResourceUsage { ru_utime: cpu_ms, ..ResourceUsage::default() }, metrics }
    }

    #[tokio::test]
    async fn rates_are_of_the_time_between_two_looks() {
        let start = Instant::now();
        let before = look(start, 100, 1_000, [1, 1], 10);
        let after = look(start + Duration::from_secs(2), 150, 1_500, [2, 10], 100);
        let figures = after.rates(&before);
        assert_eq!(figures.cpu_percent, Some(2.5));
        assert_eq!(figures.forwarded_per_second, Some(250.0));
        assert_eq!(figures.sent_per_second, Some(45.0));
        assert_eq!(figures.gso_run_length, Some(9.0));
        assert_eq!(figures.forward_delay_ms, None);
        assert_eq!(before.levels().cpu_percent, None);
    }

    #[test]
    fn memory_of_a_live_process_is_known_and_of_none_is_not() {
        assert!(resident_bytes(std::process::id()).is_some_and(|bytes| bytes > 100_000));
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
