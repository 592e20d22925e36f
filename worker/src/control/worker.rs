//! Requests about the worker itself.

use tidegate_protocol::bounded::List;
use tidegate_protocol::dump::WorkerDump;
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::ids::TransportId;
use tidegate_protocol::message::{LogLevel, LogTag};
use tidegate_protocol::response::Reply;

use crate::control::{Answer, Subject};
use crate::counters::ShellReport;
use crate::media::{Tables, metrics};
use crate::outbox::LogSettings;
use crate::turn::Turn;

pub(super) fn close(closing: &mut bool, turn: &mut Turn<'_>) -> Answer {
    *closing = true;
    turn.debug(LogTag::Info, || "the host closes the worker".to_owned());
    Ok(Reply::Done)
}

pub(super) fn dump(of: &Subject<'_>, turn: &Turn<'_>) -> Answer {
    let tables = &*of.tables;
    Ok(Reply::WorkerDump(WorkerDump {
        pid: of.shell.pid,
        router_ids: List::first_of(tables.routers.iter().map(|(_, router)| router.id)),
        transports: tables.transports.len() as u64,
        producers: tables.producers.len() as u64,
        consumers: tables.consumers.len() as u64,
        sockets: tables.sockets.len() as u64,
        packets_in_use: turn.pool.in_use() as u64,
        packet_memory_bytes: turn.pool.held_bytes() as u64,
        packet_memory_limit: turn.pool.limit_bytes() as u64,
        panics_contained: of.panics_contained,
    }))
}

/// What the shell last read: the core asks the system for nothing.
pub(super) fn resource_usage(shell: &ShellReport) -> Answer {
    Ok(Reply::ResourceUsage(shell.resource_usage))
}

pub(super) fn metrics(of: &Subject<'_>, turn: &Turn<'_>) -> Answer {
    Ok(Reply::Metrics(metrics::collect(of.tables, of.shell, of.panics_contained, turn)))
}

pub(super) fn update_settings(
    log_level: Option<LogLevel>,
    log_tags: Option<List<LogTag, 32>>,
    turn: &mut Turn<'_>,
) -> Answer {
    let before = turn.outbox.log_settings();
    let tags = log_tags.map(|tags| tags.iter().fold(0, |bits, tag| bits | 1 << *tag as u32));
    let now = LogSettings { level: log_level.unwrap_or(before.level), tags: tags.unwrap_or(before.tags) };
    turn.outbox.set_log(now);
    if now != before {
        turn.debug(LogTag::Info, || {
            let tags = LogTag::ALL.into_iter().filter(|tag| now.wants(LogLevel::Debug, *tag));
            let tags: Vec<_> = tags.map(LogTag::name).collect();
            format!("log level is {} now, debug lines are of: {}", now.level.name(), tags.join(", "))
        });
    }
    Ok(Reply::Done)
}

pub(super) fn drain() -> Answer {
    Err(CommandError::new(
        ErrorKind::Unsupported,
        "Drain is reserved and not there yet; close routers as they empty",
    ))
}

pub(super) fn tap(tables: &Tables, transport: TransportId) -> Answer {
    tables.transport(transport)?;
    Err(CommandError::new(
        ErrorKind::Unsupported,
        "Tap is reserved and not there yet; capture the port with tcpdump",
    ))
}
