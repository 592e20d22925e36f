//! Requests about transports.

use tidegate_protocol::ids::{RouterId, TransportId};
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::transport::{PlainConnectOptions, PlainTransportOptions};

use crate::control::{Answer, gone};
use crate::media::transport::{self, congestion, plain};
use crate::media::{Tables, TransportKey};
use crate::turn::Turn;

pub(super) fn create_plain(
    tables: &mut Tables,
    router: RouterId,
    id: TransportId,
    options: &PlainTransportOptions,
    turn: &mut Turn<'_>,
) -> Answer {
    let router = tables.router(router)?;
    let key = plain::create(tables, router, id, options, turn)?;
    tuples(tables, key)
}

pub(super) fn connect_plain(
    tables: &mut Tables,
    id: TransportId,
    options: &PlainConnectOptions,
    turn: &mut Turn<'_>,
) -> Answer {
    let key = tables.transport(id)?;
    plain::connect(tables, key, options, turn)?;
    tuples(tables, key)
}

pub(super) fn close(tables: &mut Tables, id: TransportId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.transport(id)?;
    transport::close(tables, key, turn);
    Ok(Reply::Done)
}

pub(super) fn dump(tables: &Tables, id: TransportId) -> Answer {
    let key = tables.transport(id)?;
    transport::dump(tables, key).map(|dump| Reply::TransportDump(Box::new(dump))).ok_or_else(gone)
}

pub(super) fn stats(tables: &Tables, id: TransportId, turn: &Turn<'_>) -> Answer {
    let key = tables.transport(id)?;
    transport::stats(tables, key, turn).map(|stats| Reply::TransportStats(Box::new(stats))).ok_or_else(gone)
}

pub(super) fn set_max_incoming_bitrate(
    tables: &mut Tables,
    id: TransportId,
    bitrate: u64,
    turn: &Turn<'_>,
) -> Answer {
    let key = tables.transport(id)?;
    congestion::set_max_incoming_bitrate(tables, key, bitrate, turn)?;
    Ok(Reply::Done)
}

fn tuples(tables: &Tables, key: TransportKey) -> Answer {
    let transport = tables.transports.get(key).ok_or_else(gone)?;
    let plain = transport.link.plain().ok_or_else(gone)?;
    let (tuple, rtcp_tuple) = (plain.tuple(), plain.rtcp_tuple());
    Ok(Reply::PlainTransport(PlainTuples { tuple, rtcp_tuple, srtp_parameters: None }))
}
