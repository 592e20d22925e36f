//! DTLS of a WebRTC transport: from what the host said of the peer to keys, and to the end.
//!
//! Knows when there is something to begin with, and what its end means to media. Handshakes cost public-key
//! arithmetic: a turn works on so many datagrams of them, the rest wait for the next one.

use std::time::Duration;

use tidegate_protocol::bounded::Text;
use tidegate_protocol::event::Event;
use tidegate_protocol::webrtc::DtlsState;
use zeroize::Zeroizing;

use super::{WebRtc, arm, link_mut, on_reachability};
use crate::dtls::{self, Connected, Flights, MasterKey, Output};
use crate::media::deadline::Deadline;
use crate::media::transport::protection::{self, Incoming};
use crate::media::{Tables, TransportKey};
use crate::outbox::{LogLevel, LogTag};
use crate::srtp::{Keys, Suite};
use crate::turn::Turn;

/// Begins, once there are both a way to the peer and a word of the host about it.
pub(super) fn begin(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some((webrtc, flights)) = at_work(tables, key) else { return };
    if webrtc.way().is_none() {
        return;
    }
    let Some(expected) = webrtc.expected.take() else { return };
    webrtc.dtls.connect(turn.now, expected.role, expected.fingerprints, flights);
    set_state(tables, key, DtlsState::Connecting, None, turn);
    pump(tables, key, turn);
}

/// A datagram of DTLS from a way that the peer has proven.
pub(super) fn on_datagram(tables: &mut Tables, key: TransportKey, datagram: &[u8], turn: &mut Turn<'_>) {
    let Some((webrtc, flights)) = at_work(tables, key) else { return };
    webrtc.dtls.receive(turn.now, datagram, flights);
    pump(tables, key, turn);
}

/// Sends flights again, gives up, or works on what waited.
pub(crate) fn on_deadline(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some((webrtc, flights)) = at_work(tables, key) else { return };
    webrtc.timers.dtls = None;
    if webrtc.dtls.is_waiting() {
        webrtc.dtls.resume(turn.now, flights);
    }
    if webrtc.dtls.next_deadline().is_some_and(|at| at <= turn.now) {
        webrtc.dtls.on_deadline(turn.now);
    }
    pump(tables, key, turn);
}

/// A transport's handshake, and how much work the turn still bears.
fn at_work(tables: &mut Tables, key: TransportKey) -> Option<(&mut WebRtc, &mut Flights)> {
    let Tables { transports, flights, .. } = tables;
    let webrtc = transports.get_mut(key)?.link.webrtc_mut()?;
    Some((webrtc, flights))
}

/// Says goodbye to the peer of a transport that closes.
pub(super) fn close(webrtc: &mut WebRtc, turn: &mut Turn<'_>) {
    let Some(way) = webrtc.way() else { return };
    webrtc.dtls.close(turn.now);
    let mut buffer = [0; dtls::BUFFER_BYTES];
    while let Some(output) = webrtc.dtls.poll(turn.now, &mut buffer) {
        if let Output::Datagram(bytes) = output {
            turn.send(way, bytes);
        }
    }
}

/// Takes everything out of the engine to where it belongs.
fn pump(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let mut buffer = [0; dtls::BUFFER_BYTES];
    loop {
        let Ok(webrtc) = link_mut(tables, key) else { return };
        let way = webrtc.way();
        match webrtc.dtls.poll(turn.now, &mut buffer) {
            Some(Output::Datagram(bytes)) => {
                if let Some(way) = way {
                    turn.send(way, bytes);
                }
            }
            // Data channels, which are not there yet.
            Some(Output::Data(_)) => webrtc.dtls_rejected += 1,
            Some(Output::Connected(connected)) => on_keys(tables, key, &connected, turn),
            Some(Output::Closed) => set_state(tables, key, DtlsState::Closed, None, turn),
            Some(Output::Failed(failure)) => {
                turn.outbox.log(turn.now, LogLevel::Warn, LogTag::Dtls, || failure.to_string());
                set_state(tables, key, DtlsState::Failed, None, turn);
            }
            None => break,
        }
    }
    let Ok(webrtc) = link_mut(tables, key) else { return };
    if webrtc.dtls.is_waiting() {
        webrtc.timers.dtls = Some(turn.now);
        tables.schedule(Deadline::Dtls(key), turn.now + NEXT_TURN);
        return;
    }
    arm(tables, key);
}

/// The peer is who it shall be: media may flow.
fn on_keys(tables: &mut Tables, key: TransportKey, connected: &Connected, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    let (Some(ours), Some(theirs)) = (keys(connected, &connected.local), keys(connected, &connected.remote))
    else {
        return set_state(tables, key, DtlsState::Failed, None, turn);
    };
    if protection::secure(transport, &ours, &theirs).is_err() {
        return set_state(tables, key, DtlsState::Failed, None, turn);
    }
    let id = transport.id.0;
    turn.debug(LogTag::Dtls, || {
        let (version, cipher, profile) = (connected.version, connected.cipher, connected.srtp_profile);
        format!("transport {id}: {version:?}, {cipher}, {profile:?}")
    });
    let certificate = dtls::to_pem(&connected.peer_certificate);
    set_state(tables, key, DtlsState::Connected, certificate, turn);
}

fn keys(connected: &Connected, master: &MasterKey) -> Option<Keys> {
    let suite = Suite::from_profile_id(connected.srtp_profile.id())?;
    let bytes = Zeroizing::new([master.key(), master.salt()].concat());
    Keys::new(suite, &bytes).ok()
}

fn set_state(
    tables: &mut Tables,
    key: TransportKey,
    state: DtlsState,
    certificate: Option<String>,
    turn: &mut Turn<'_>,
) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    let Some(webrtc) = transport.link.webrtc_mut() else { return };
    webrtc.dtls_state = state;
    if matches!(state, DtlsState::Closed | DtlsState::Failed) {
        // Whoever holds the keys has nothing to say any more.
        transport.incoming = Incoming::Locked;
    }
    let remote_certificate = certificate.map(|pem| Text::clipped(&pem));
    turn.outbox.event(Event::DtlsState { transport: transport.id, state, remote_certificate });
    on_reachability(tables, key, turn);
}

/// Within one turn a deadline that is due is done at once, so that "the next turn" is a moment later.
const NEXT_TURN: Duration = Duration::from_millis(1);
