//! Requests about consumers.

use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::ids::ConsumerId;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::trace::TraceTypes;

use crate::control::{Answer, gone};
use crate::media::Tables;
use crate::media::consumer::{self, ConsumerOptions};
use crate::media::trace::Traced;
use crate::outbox::LogTag;
use crate::turn::Turn;

pub(super) fn consume(tables: &mut Tables, command: Command, turn: &mut Turn<'_>) -> Answer {
    let Command::Consume {
        transport,
        consumer: id,
        producer,
        kind,
        rtp_parameters,
        consumer_type,
        consumable_ssrcs,
        paused,
        ignore_dtx,
    } = command
    else {
        return Err(gone());
    };
    let on = tables.transport(transport)?;
    let of = tables.producer(producer)?;
    let consumable_ssrcs = consumable_ssrcs.into_vec();
    let options =
        ConsumerOptions { id, kind, rtp_parameters, consumer_type, consumable_ssrcs, paused, ignore_dtx };
    let key = consumer::create(tables, on, of, options, turn)?;
    turn.debug(LogTag::Rtp, || {
        format!("consumer {}: created, of producer {} on transport {}", id.0, producer.0, transport.0)
    });
    let consumer = tables.consumers.get(key).ok_or_else(gone)?;
    let (paused, producer_paused) = (consumer.is_paused(), consumer.is_producer_paused());
    Ok(Reply::Consumed { paused, producer_paused, score: consumer::stats::score(tables, consumer) })
}

pub(super) fn close(tables: &mut Tables, id: ConsumerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.consumer(id)?;
    consumer::close(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn dump(tables: &Tables, id: ConsumerId) -> Answer {
    let key = tables.consumer(id)?;
    consumer::stats::dump(tables, key).map(|dump| Reply::ConsumerDump(Box::new(dump))).ok_or_else(gone)
}

pub(super) fn stats(tables: &Tables, id: ConsumerId, turn: &Turn<'_>) -> Answer {
    let key = tables.consumer(id)?;
    consumer::stats::stats(tables, key, turn.now)
        .map(|stats| Reply::ConsumerStats(Box::new(stats)))
        .ok_or_else(gone)
}

pub(super) fn pause(tables: &mut Tables, id: ConsumerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.consumer(id)?;
    consumer::pause(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn resume(tables: &mut Tables, id: ConsumerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.consumer(id)?;
    consumer::resume(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn request_key_frame(tables: &mut Tables, id: ConsumerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.consumer(id)?;
    consumer::request_key_frame(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn set_priority(tables: &mut Tables, id: ConsumerId, priority: u8) -> Answer {
    let key = tables.consumer(id)?;
    if priority == 0 {
        return Err(CommandError::new(
            ErrorKind::InvalidArgument,
            "priority 0 is none; give 1 (lowest) to 255",
        ));
    }
    let consumer = tables.consumers.get_mut(key).ok_or_else(gone)?;
    consumer.set_priority(priority);
    Ok(Reply::Done)
}

pub(super) fn trace(tables: &mut Tables, id: ConsumerId, types: &TraceTypes) -> Answer {
    let key = tables.consumer(id)?;
    tables.consumers.get_mut(key).ok_or_else(gone)?.traced = Traced::new(types);
    Ok(Reply::Done)
}
