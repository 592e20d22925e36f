//! Requests about transports.

use tidegate_protocol::ids::{RouterId, TransportId};
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::transport::{PlainConnectOptions, PlainTransportOptions};

use crate::control::{Answer, gone};
use crate::media::transport::{self, congestion, plain};
use crate::media::{Tables, TransportKey};
use crate::outbox::LogTag;
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
    let reply = tuples(tables, key)?;
    turn.debug(LogTag::Info, || format!("transport {}: created, {}", id.0, ends(&reply)));
    Ok(reply)
}

pub(super) fn connect_plain(
    tables: &mut Tables,
    id: TransportId,
    options: &PlainConnectOptions,
    turn: &mut Turn<'_>,
) -> Answer {
    let key = tables.transport(id)?;
    plain::connect(tables, key, options, turn)?;
    let reply = tuples(tables, key)?;
    turn.debug(LogTag::Info, || format!("transport {}: connected, {}", id.0, ends(&reply)));
    Ok(reply)
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
    turn: &mut Turn<'_>,
) -> Answer {
    let key = tables.transport(id)?;
    congestion::set_max_incoming_bitrate(tables, key, bitrate, turn)?;
    turn.debug(LogTag::Bwe, || format!("transport {}: takes {bitrate} b/s at most (0: no limit)", id.0));
    Ok(Reply::Done)
}

/// For the log: where a plain transport listens and sends to.
fn ends(reply: &Reply) -> String {
    let Reply::PlainTransport(PlainTuples { tuple, rtcp_tuple, .. }) = reply else { return String::new() };
    match rtcp_tuple {
        Some(rtcp) => format!("RTP {tuple}, RTCP {rtcp}"),
        None => format!("RTP and RTCP {tuple}"),
    }
}

fn tuples(tables: &Tables, key: TransportKey) -> Answer {
    let transport = tables.transports.get(key).ok_or_else(gone)?;
    let plain = transport.link.plain().ok_or_else(gone)?;
    let (tuple, rtcp_tuple) = (plain.tuple(), plain.rtcp_tuple());
    let srtp_parameters = plain.srtp_parameters();
    Ok(Reply::PlainTransport(PlainTuples { tuple, rtcp_tuple, srtp_parameters }))
}
