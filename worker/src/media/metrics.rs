//! The worker's own counters, and the list of all counters for `GetMetrics`.

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::metrics::{Histogram, Metric, Metrics as Collected};

use crate::base::time::Time;
use crate::counters::{self, HeapReport, LoopCounters, NetworkCounters, ShellReport};
use crate::media::Tables;
use crate::media::memory::Memory;
use crate::turn::Turn;

/// Counted by media; every change keeps it up.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Datagrams that belong to no transport.
    pub(crate) datagrams_unmatched: u64,
    pub(crate) packets_forwarded: u64,
    pub(crate) bytes_forwarded: u64,
    pub(crate) packets_resent: u64,
    /// Packets that were asked for again and not sent: resends had taken what they may, or too many were asked for.
    pub(crate) resends_refused: u64,
    /// Packets dropped because packet memory was at its limit.
    pub(crate) packets_refused: u64,
    /// Packets that left a history before their time, for lack of memory.
    pub(crate) packets_evicted: u64,
    /// Microseconds from a packet's arrival at the kernel to the beginning of the turn that forwards it.
    pub(crate) forward_delay_us: counters::Histogram,
    pub(crate) memory: Memory,
}

impl Metrics {
    /// A packet that came at `received_at` is forwarded at `now`.
    pub(crate) fn count_delay(&mut self, received_at: Time, now: Time) {
        self.forward_delay_us.record(u64::try_from(now.since(received_at).as_micros()).unwrap_or(u64::MAX));
    }
}

/// Every counter there is.
pub(crate) fn collect(
    tables: &Tables,
    shell: &ShellReport,
    panics_contained: u64,
    turn: &Turn<'_>,
) -> Collected {
    let ShellReport { event_loop, network, heap, .. } = shell;
    let values = own(tables)
        .into_iter()
        .chain(of_transports(tables))
        .chain(of_memory(heap, turn))
        .chain(of_messages(turn))
        .chain(of_shell(event_loop, network, panics_contained));
    let histograms = [
        ("datagrams_per_turn", &event_loop.datagrams_per_turn),
        ("turn_time_us", &event_loop.turn_time_us),
        ("gso_run_length", &network.gso_run_length),
        ("forward_delay_us", &tables.metrics.forward_delay_us),
    ];
    Collected {
        values: List::first_of(values.map(|(name, value)| Metric { name: Text::clipped(name), value })),
        histograms: List::first_of(histograms.into_iter().map(|(name, histogram)| Histogram {
            name: Text::clipped(name),
            buckets: List::first_of(histogram.buckets),
            sum: histogram.sum,
        })),
    }
}

type Named = (&'static str, u64);

fn own(tables: &Tables) -> [Named; 13] {
    let metrics = &tables.metrics;
    [
        ("routers", tables.routers.len() as u64),
        ("transports", tables.transports.len() as u64),
        ("producers", tables.producers.len() as u64),
        ("consumers", tables.consumers.len() as u64),
        ("observers", tables.observers.len() as u64),
        ("packets_forwarded", metrics.packets_forwarded),
        ("bytes_forwarded", metrics.bytes_forwarded),
        ("packets_resent", metrics.packets_resent),
        ("resends_refused", metrics.resends_refused),
        ("packets_refused_no_memory", metrics.packets_refused),
        ("packets_evicted", metrics.packets_evicted),
        ("datagrams_unmatched", metrics.datagrams_unmatched),
        ("timers", tables.deadlines.len() as u64),
    ]
}

fn of_transports(tables: &Tables) -> [Named; 11] {
    let sum = |field: fn(&crate::media::transport::Counters) -> u64| {
        tables.transports.iter().map(|(_, transport)| field(&transport.counters)).sum()
    };
    [
        ("open_transports_packets_received", sum(|counters| counters.received.packets())),
        ("open_transports_packets_sent", sum(|counters| counters.sent.packets())),
        ("dropped_not_rtp", sum(|counters| counters.dropped.not_rtp)),
        ("dropped_bad_header", sum(|counters| counters.dropped.bad_header)),
        ("dropped_unknown_ssrc", sum(|counters| counters.dropped.unknown_ssrc)),
        ("dropped_wrong_source", sum(|counters| counters.dropped.wrong_source)),
        ("dropped_too_large", sum(|counters| counters.dropped.too_large)),
        ("dropped_over_limit", sum(|counters| counters.dropped.over_limit)),
        ("dropped_no_memory", sum(|counters| counters.dropped.no_memory)),
        ("dropped_unauthenticated", sum(|counters| counters.dropped.unauthenticated)),
        ("dropped_replayed", sum(|counters| counters.dropped.replayed)),
    ]
}

fn of_memory(heap: &HeapReport, turn: &Turn<'_>) -> [Named; 9] {
    let pool = turn.pool.stats();
    [
        ("packet_memory_limit_bytes", turn.pool.limit_bytes() as u64),
        ("packet_memory_held_bytes", turn.pool.held_bytes() as u64),
        ("packet_memory_charged_bytes", pool.charged_bytes as u64),
        ("pool_small_in_use", pool.small.in_use as u64),
        ("pool_small_slots", pool.small.slots as u64),
        ("pool_large_in_use", pool.large.in_use as u64),
        ("pool_large_slots", pool.large.slots as u64),
        ("heap_used_bytes", heap.used_bytes),
        ("heap_free_bytes", heap.free_bytes),
    ]
}

fn of_messages(turn: &Turn<'_>) -> [Named; 6] {
    let counters = turn.outbox.counters();
    [
        ("events", counters.events),
        ("events_merged", counters.events_merged),
        ("events_dropped", counters.events_dropped),
        ("trace_events_dropped", counters.traces_dropped),
        ("log_lines_dropped", counters.log_lines_dropped),
        ("log_lines_suppressed", counters.log_lines_suppressed),
    ]
}

fn of_shell(event_loop: &LoopCounters, network: &NetworkCounters, panics_contained: u64) -> [Named; 16] {
    [
        ("turns", event_loop.turns),
        ("wakes", event_loop.wakes),
        ("moderation_sleeps", event_loop.moderation_sleeps),
        ("requests", event_loop.requests),
        ("panics_contained", panics_contained),
        ("sockets", network.sockets),
        ("receive_calls", network.receive_calls),
        ("send_calls", network.send_calls),
        ("send_backlog_bytes", network.send_backlog_bytes),
        ("tcp_accepted", network.tcp.accepted),
        ("tcp_closed_unauthenticated", network.tcp.closed_unauthenticated),
        ("tcp_closed_displaced", network.tcp.closed_displaced),
        ("tcp_closed_queue_full", network.tcp.closed_queue_full),
        ("tcp_dropped_queue_full", network.tcp.dropped_queue_full),
        ("tcp_sent_frames", network.tcp.sent_frames),
        ("tcp_starved", network.tcp.starved),
    ]
}
