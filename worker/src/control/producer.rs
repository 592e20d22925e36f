//! Requests about producers.

use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::trace::TraceTypes;

use crate::control::{Answer, gone};
use crate::media::Tables;
use crate::media::producer::{self, ProducerOptions};
use crate::media::trace::Traced;
use crate::outbox::LogTag;
use crate::turn::Turn;

pub(super) fn produce(tables: &mut Tables, command: Command, turn: &mut Turn<'_>) -> Answer {
    let Command::Produce {
        transport,
        producer: id,
        kind,
        rtp_parameters,
        rtp_mapping,
        paused,
        key_frame_request_delay_ms,
    } = command
    else {
        return Err(gone());
    };
    let key = tables.transport(transport)?;
    let options =
        ProducerOptions { id, kind, rtp_parameters, rtp_mapping, paused, key_frame_request_delay_ms };
    let producer_type = producer::create(tables, key, &options, turn)?;
    turn.debug(LogTag::Rtp, || {
        format!("producer {}: created, {producer_type:?} {kind:?} on transport {}", id.0, transport.0)
    });
    Ok(Reply::Produced { producer_type })
}

pub(super) fn close(tables: &mut Tables, id: ProducerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.producer(id)?;
    producer::close(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn dump(tables: &Tables, id: ProducerId) -> Answer {
    let key = tables.producer(id)?;
    producer::stats::dump(tables, key).map(|dump| Reply::ProducerDump(Box::new(dump))).ok_or_else(gone)
}

pub(super) fn stats(tables: &Tables, id: ProducerId, turn: &Turn<'_>) -> Answer {
    let key = tables.producer(id)?;
    producer::stats::stats(tables, key, turn.now).map(Reply::ProducerStats).ok_or_else(gone)
}

pub(super) fn pause(tables: &mut Tables, id: ProducerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.producer(id)?;
    producer::pause(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn resume(tables: &mut Tables, id: ProducerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.producer(id)?;
    producer::resume(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn trace(tables: &mut Tables, id: ProducerId, types: &TraceTypes) -> Answer {
    let key = tables.producer(id)?;
    tables.producers.get_mut(key).ok_or_else(gone)?.traced = Traced::new(types);
    Ok(Reply::Done)
}
