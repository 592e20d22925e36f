//! Requests about observers.

use tidegate_protocol::ids::{ObserverId, ProducerId, RouterId};
use tidegate_protocol::observer::AudioLevelObserverOptions;
use tidegate_protocol::response::Reply;

use crate::control::{Answer, gone};
use crate::media::Tables;
use crate::media::observer::{self, Engine};
use crate::turn::Turn;

pub(super) fn create_audio_level(
    tables: &mut Tables,
    router: RouterId,
    id: ObserverId,
    options: &AudioLevelObserverOptions,
) -> Answer {
    let router = tables.router(router)?;
    observer::create(tables, router, id, Engine::audio_level(options))?;
    Ok(Reply::Done)
}

pub(super) fn create_active_speaker(
    tables: &mut Tables,
    router: RouterId,
    id: ObserverId,
    interval_ms: u16,
) -> Answer {
    let router = tables.router(router)?;
    observer::create(tables, router, id, Ok(Engine::active_speaker(interval_ms)))?;
    Ok(Reply::Done)
}

pub(super) fn close(tables: &mut Tables, id: ObserverId) -> Answer {
    let key = tables.observer(id)?;
    observer::close(tables, key);
    Ok(Reply::Done)
}

pub(super) fn dump(tables: &Tables, id: ObserverId) -> Answer {
    let key = tables.observer(id)?;
    observer::dump(tables, key).map(Reply::ObserverDump).ok_or_else(gone)
}

pub(super) fn pause(tables: &mut Tables, id: ObserverId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.observer(id)?;
    observer::pause(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn resume(tables: &mut Tables, id: ObserverId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.observer(id)?;
    observer::resume(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn add_producer(
    tables: &mut Tables,
    id: ObserverId,
    producer: ProducerId,
    turn: &mut Turn<'_>,
) -> Answer {
    let (key, producer) = (tables.observer(id)?, tables.producer(producer)?);
    observer::add_producer(tables, key, producer, turn)?;
    Ok(Reply::Done)
}

pub(super) fn remove_producer(
    tables: &mut Tables,
    id: ObserverId,
    producer: ProducerId,
    turn: &mut Turn<'_>,
) -> Answer {
    let (key, producer) = (tables.observer(id)?, tables.producer(producer)?);
    observer::remove_producer(tables, key, producer, turn)?;
    Ok(Reply::Done)
}
