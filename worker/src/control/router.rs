//! Requests about routers.

use tidegate_protocol::ids::RouterId;
use tidegate_protocol::response::Reply;

use crate::control::{Answer, gone};
use crate::media::{Tables, router};
use crate::outbox::LogTag;
use crate::turn::Turn;

pub(super) fn create(tables: &mut Tables, id: RouterId, turn: &mut Turn<'_>) -> Answer {
    router::create(tables, id)?;
    turn.debug(LogTag::Info, || format!("router {}: created", id.0));
    Ok(Reply::Done)
}

pub(super) fn close(tables: &mut Tables, id: RouterId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.router(id)?;
    router::close(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn dump(tables: &Tables, id: RouterId) -> Answer {
    let key = tables.router(id)?;
    router::dump(tables, key).map(Reply::RouterDump).ok_or_else(gone)
}
