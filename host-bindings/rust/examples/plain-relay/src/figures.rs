//! Live figures: what the worker counts about each stream, and what its process costs.
//!
//! Knows statistics and how people read them. Does not know command lines or who sends.
//! Invariant: taking a sample changes nothing in the relay.

use std::fmt::Write as _;
use std::fs;

use serde::Serialize;
use tidegate::stats::{ResourceUsage, RtpStreamStats};
use tidegate::{RequestError, Worker};
use tokio::time::Instant;

use crate::kind_name;
use crate::relay::Relay;

/// One look at the relay.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Seconds since the meter was made.
    pub seconds: f64,
    /// What the worker's process costs.
    pub worker: WorkerCost,
    /// What the sender's streams bring, and what goes to each viewer.
    pub streams: Vec<StreamFigures>,
}

/// What the worker's process costs.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerCost {
    /// Its process.
    pub pid: u32,
    /// CPU time since the last sample, in percent of one core.
    pub cpu_percent: f64,
    /// Memory in kilobytes that the process holds, code and shared libraries included.
    pub resident_kb: Option<u64>,
    /// The part that is its own data.
    pub anonymous_kb: Option<u64>,
}

/// One RTP stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamFigures {
    /// `sender` or `viewer N`.
    pub end: String,
    /// `audio` or `video`.
    pub kind: &'static str,
    /// For example `video/VP8`.
    pub codec: String,
    /// Since the beginning.
    pub packets: u64,
    /// Bits per second.
    pub bitrate: u64,
    /// RFC 3550 6.4.1; duplicates make it negative.
    pub packets_lost: i32,
    /// Of the last reporting interval.
    pub loss_percent: f64,
    /// Milliseconds; absent until the peer answered one of the worker's reports. GStreamer's rtpbin does as a viewer;
    /// ffmpeg never does.
    pub round_trip_ms: Option<f64>,
    /// 0 (nothing arrives) to 10 (nothing is lost).
    pub score: u8,
}

/// Takes samples and remembers the last one's CPU time.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    last: Instant,
    last_cpu_ms: u64,
}

impl Meter {
    /// Starts measuring.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn new(worker: &Worker) -> Result<Self, RequestError> {
        let last_cpu_ms = cpu_ms(&worker.get_resource_usage().await?);
        let now = Instant::now();
        Ok(Self { started: now, last: now, last_cpu_ms })
    }

    /// One look at everything.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn sample(&mut self, relay: &Relay) -> Result<Sample, RequestError> {
        let worker = self.worker_cost(relay.worker()).await?;
        let mut streams = Vec::new();
        for producer in relay.producers() {
            let stats = producer.get_stats().await?;
            streams.extend(stats.iter().map(|stats| StreamFigures::of("sender", stats)));
        }
        for (index, viewer) in relay.viewers().iter().enumerate() {
            let end = format!("viewer {}", index + 1);
            for consumer in viewer.consumers() {
                streams.push(StreamFigures::of(&end, &consumer.get_stats().await?.own));
            }
        }
        Ok(Sample { seconds: (self.last - self.started).as_secs_f64(), worker, streams })
    }

    async fn worker_cost(&mut self, worker: &Worker) -> Result<WorkerCost, RequestError> {
        let used_ms = cpu_ms(&worker.get_resource_usage().await?);
        let now = Instant::now();
        let passed_ms = u32::try_from((now - self.last).as_millis()).unwrap_or(u32::MAX).max(1);
        let spent_ms = u32::try_from(used_ms.saturating_sub(self.last_cpu_ms)).unwrap_or(u32::MAX);
        (self.last, self.last_cpu_ms) = (now, used_ms);
        Ok(WorkerCost {
            pid: worker.pid(),
            cpu_percent: 100.0 * f64::from(spent_ms) / f64::from(passed_ms),
            resident_kb: memory_kb(worker.pid(), "Rss:"),
            anonymous_kb: memory_kb(worker.pid(), "Anonymous:"),
        })
    }
}

impl StreamFigures {
    fn of(end: &str, stats: &RtpStreamStats) -> Self {
        let rtt_us = u32::try_from(stats.round_trip_time_us).unwrap_or(u32::MAX);
        Self {
            end: end.to_owned(),
            kind: kind_name(stats.kind),
            codec: stats.mime_type.to_string(),
            packets: stats.packet_count,
            bitrate: stats.bitrate,
            packets_lost: stats.packets_lost,
            loss_percent: 100.0 * f64::from(stats.fraction_lost) / 256.0,
            round_trip_ms: (rtt_us > 0).then(|| f64::from(rtt_us) / 1000.0),
            score: stats.score,
        }
    }

    fn is_sender(&self) -> bool {
        self.end == "sender"
    }
}

impl Sample {
    /// A table, for a terminal.
    pub fn table(&self) -> String {
        let WorkerCost { pid, cpu_percent, .. } = self.worker;
        let mut text = format!(
            "{:.0} s   worker {pid}   CPU {cpu_percent:.1} %   memory {}\n",
            self.seconds,
            self.memory()
        );
        let header = ["", "stream", "packets", "kb/s", "lost", "loss %", "RTT ms", "score"];
        push_row(&mut text, &header.map(str::to_owned));
        for stream in &self.streams {
            push_row(&mut text, &stream.cells());
        }
        text
    }

    /// One line, for a log.
    pub fn line(&self) -> String {
        let (sender, viewers): (Vec<_>, Vec<_>) = self.streams.iter().partition(|stream| stream.is_sender());
        let kbps =
            |streams: &[&StreamFigures]| streams.iter().map(|stream| stream.bitrate).sum::<u64>() / 1000;
        let lost = self.streams.iter().map(|stream| i64::from(stream.packets_lost)).sum::<i64>();
        let score = self.streams.iter().map(|stream| stream.score).min();
        let rtt = self.streams.iter().filter_map(|stream| stream.round_trip_ms).reduce(f64::max);
        format!(
            "{:.0} s  in {} kb/s  out {} kb/s  lost {lost}  RTT {} ms  worst score {}  CPU {:.1} %  memory {}",
            self.seconds,
            kbps(&sender),
            kbps(&viewers),
            or_dash(rtt.map(|rtt| format!("{rtt:.1}"))),
            or_dash(score.map(|score| score.to_string())),
            self.worker.cpu_percent,
            self.memory()
        )
    }

    /// How many packets came from the sender and how many went to viewers.
    pub fn packets(&self) -> (u64, u64) {
        let count = |sender: bool| {
            self.streams
                .iter()
                .filter(|stream| stream.is_sender() == sender)
                .map(|stream| stream.packets)
                .sum()
        };
        (count(true), count(false))
    }

    fn memory(&self) -> String {
        let megabytes = |kb: Option<u64>| {
            or_dash(
                kb.map(|kb| format!("{:.1} MB", f64::from(u32::try_from(kb).unwrap_or(u32::MAX)) / 1024.0)),
            )
        };
        format!("{} ({} of it data)", megabytes(self.worker.resident_kb), megabytes(self.worker.anonymous_kb))
    }
}

impl StreamFigures {
    fn cells(&self) -> [String; COLUMNS] {
        [
            self.end.clone(),
            self.codec.clone(),
            self.packets.to_string(),
            (self.bitrate / 1000).to_string(),
            self.packets_lost.to_string(),
            format!("{:.1}", self.loss_percent),
            or_dash(self.round_trip_ms.map(|rtt| format!("{rtt:.2}"))),
            self.score.to_string(),
        ]
    }
}

fn push_row(text: &mut String, cells: &[String; COLUMNS]) {
    let [end, stream, packets, kbps, lost, loss, rtt, score] = cells;
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{end:<10} {stream:<11} {packets:>9} {kbps:>7} {lost:>6} {loss:>7} {rtt:>7} {score:>6}"
    );
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn cpu_ms(usage: &ResourceUsage) -> u64 {
    usage.ru_utime + usage.ru_stime
}

/// A sum over all of a process's mappings; `None` when the process is gone.
fn memory_kb(pid: u32, name: &str) -> Option<u64> {
    let sums = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = sums.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

const COLUMNS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        let stream = |end: &str, packets, round_trip_ms| StreamFigures {
            end: end.to_owned(),
            kind: "video",
            codec: "video/VP8".to_owned(),
            packets,
            bitrate: 800_000,
            packets_lost: 1,
            loss_percent: 0.4,
            round_trip_ms,
            score: 10,
        };
        let worker = WorkerCost { pid: 7, cpu_percent: 1.25, resident_kb: Some(3072), anonymous_kb: None };
        let streams = vec![stream("sender", 100, None), stream("viewer 1", 99, Some(0.25))];
        Sample { seconds: 2.0, worker, streams }
    }

    #[test]
    fn line_sums_each_side() {
        let line = sample().line();
        assert!(line.starts_with("2 s  in 800 kb/s  out 800 kb/s  lost 2  RTT 0.2 ms"), "{line}");
        assert_eq!(sample().packets(), (100, 99));
    }

    #[test]
    fn table_has_a_row_a_stream_and_no_ragged_columns() {
        let table = sample().table();
        let rows: Vec<&str> = table.lines().skip(1).collect();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{table}");
        assert!(table.starts_with("2 s   worker 7   CPU 1.2 %   memory 3.0 MB (- of it data)"), "{table}");
    }

    #[test]
    fn memory_of_a_live_process_is_known_and_of_none_is_not() {
        assert!(memory_kb(std::process::id(), "Rss:").is_some_and(|kb| kb > 100));
        assert_eq!(memory_kb(u32::MAX, "Rss:"), None);
    }
}
