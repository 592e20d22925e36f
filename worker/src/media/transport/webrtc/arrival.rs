//! What comes in on a WebRTC transport, by kind (RFC 7983).
//!
//! STUN proves ways; DTLS and SRTP count only on ways that were proven. Everything here is hostile until its integrity
//! was checked, is dropped in a fixed amount of work, and counted.

use super::{handshake, link_mut, lose_connection, on_changes};
use crate::ice::{ANSWER_BYTES_MAX, Changes, Tuple};
use crate::media::sockets::{Holder, IcePort};
use crate::media::{Tables, TransportKey, receive};
use crate::network::{Datagram, Destination, SocketKey};
use crate::rtp::datagram::DatagramKind;
use crate::turn::Turn;

/// Takes a datagram that came to `port`.
pub(crate) fn on_datagram(tables: &mut Tables, port: IcePort, datagram: Datagram, turn: &mut Turn<'_>) {
    let tuple = Tuple { path: datagram.reply_to(), protocol: port.protocol };
    let key = match port.holder {
        Holder::Transport(key) => Some(key),
        Holder::Server(server) => {
            let server = tables.webrtc_servers.get(server);
            server.and_then(|server| server.routes.find(&tuple, &datagram.buffer))
        }
    };
    tables.runs.set_in_hand(key);
    let Some((key, transport)) = key.and_then(|key| Some((key, tables.transports.get_mut(key)?))) else {
        tables.metrics.datagrams_unmatched += 1;
        return;
    };
    if datagram.truncated {
        transport.counters.dropped.too_large += 1;
        return;
    }
    match DatagramKind::of(&datagram.buffer) {
        DatagramKind::Stun => on_stun(tables, key, tuple, &datagram.buffer, turn),
        DatagramKind::Dtls => on_dtls(tables, key, tuple, &datagram.buffer, turn),
        kind @ (DatagramKind::Rtp | DatagramKind::Rtcp) => on_srtp(tables, key, tuple, kind, datagram, turn),
        DatagramKind::Unknown => transport.counters.dropped.not_rtp += 1,
    }
}

/// A connection was closed by its peer, or broke.
pub(crate) fn on_connection_closed(tables: &mut Tables, connection: SocketKey, turn: &mut Turn<'_>) {
    let Some(key) = tables.sockets.on_connection_closed(connection) else { return };
    lose_connection(tables, key, connection, turn);
}

fn on_stun(tables: &mut Tables, key: TransportKey, tuple: Tuple, datagram: &[u8], turn: &mut Turn<'_>) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    let mut answer = [0; ANSWER_BYTES_MAX];
    let outcome = webrtc.ice.on_stun(turn.now, &tuple, datagram, &mut answer);
    if let Some(answer) = answer.get(..outcome.answer_bytes).filter(|answer| !answer.is_empty()) {
        turn.send(tuple.path, answer);
    }
    if outcome.changes != Changes::default() {
        on_changes(tables, key, Some(tuple), outcome.changes, turn);
    }
}

fn on_dtls(tables: &mut Tables, key: TransportKey, tuple: Tuple, datagram: &[u8], turn: &mut Turn<'_>) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    if !webrtc.ice.admits(&tuple) {
        webrtc.dtls_rejected += 1;
        return;
    }
    handshake::on_datagram(tables, key, datagram, turn);
}

fn on_srtp(
    tables: &mut Tables,
    key: TransportKey,
    tuple: Tuple,
    kind: DatagramKind,
    datagram: Datagram,
    turn: &mut Turn<'_>,
) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    if transport.link.webrtc_mut().is_some_and(|webrtc| webrtc.ice.admits(&tuple)) {
        receive::on_media(tables, key, kind, datagram, turn);
    } else {
        transport.counters.dropped.wrong_source += 1;
    }
}

/// Media that came on `path` was authentic: the peer lives, and uses that way, so we do.
pub(crate) fn on_authentic(tables: &mut Tables, key: TransportKey, path: Destination, turn: &mut Turn<'_>) {
    let Ok(webrtc) = link_mut(tables, key) else { return };
    let selected = webrtc.ice.selected().filter(|tuple| tuple.path == path);
    let known = selected.or_else(|| webrtc.ice.tuples().iter().find(|tuple| tuple.path == path));
    let Some(tuple) = known.copied() else { return };
    let changes = webrtc.ice.on_authenticated_data(turn.now, &tuple);
    if changes != Changes::default() {
        on_changes(tables, key, None, changes, turn);
    }
}
