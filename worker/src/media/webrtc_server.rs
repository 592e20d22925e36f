//! WebRTC server: ports that many transports share, and whose a datagram on them is.
//!
//! Knows its sockets and transports; its routes say which transport a datagram is for. Called by control, and by the
//! WebRTC transports that use its ports. Invariant: exactly the fragments that are valid, and the ways that are proven, of
//! the transports on it are in its routes.

use std::net::SocketAddr;

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::dump::Ids;
use tidegate_protocol::ids::{EntityId, WebRtcServerId};
use tidegate_protocol::transport::{ListenInfo, Protocol};
use tidegate_protocol::webrtc::{IceCandidate, LocalUsernameFragment, WebRtcServerDump};

use crate::base::table::Key;
use crate::ice::host_candidates;
use crate::media::ice_routes::IceRoutes;
use crate::media::refused::Refused;
use crate::media::sockets::Holder;
use crate::media::transport::webrtc::create::{close_places, open_places};
use crate::media::transport::webrtc::{Offer, Place};
use crate::media::{EntityKey, Tables, TransportKey, transport};
use crate::random::KeyedState;
use crate::turn::Turn;

/// Names a server.
pub(crate) type WebRtcServerKey = Key<WebRtcServer>;

/// A server's own state.
#[derive(Debug)]
pub(crate) struct WebRtcServer {
    pub(crate) id: WebRtcServerId,
    listens: Box<[(ListenInfo, SocketAddr)]>,
    places: Box<[Place]>,
    pub(crate) transports: Vec<TransportKey>,
    pub(crate) routes: IceRoutes<TransportKey>,
}

impl WebRtcServer {
    fn new(id: WebRtcServerId, hasher: KeyedState) -> Self {
        Self {
            id,
            listens: Box::default(),
            places: Box::default(),
            transports: Vec::new(),
            routes: IceRoutes::new(hasher),
        }
    }

    /// Its sockets.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// What a peer of a transport on it is told, of the protocols that the transport takes.
    pub(crate) fn candidates(&self, offer: Offer) -> Vec<IceCandidate> {
        let listens = self.listens.iter().filter(|(info, _)| offer.takes(info.protocol));
        host_candidates(listens.map(|(info, local)| (info, *local)), offer.preference)
    }
}

/// Opens a server's ports; none stays open when one is refused.
pub(crate) fn create(
    tables: &mut Tables,
    id: WebRtcServerId,
    infos: &[ListenInfo],
    turn: &mut Turn<'_>,
) -> Result<(), Refused> {
    tables.check_unused(id.into())?;
    if infos.is_empty() {
        return Err(Refused::invalid(
            "a WebRTC server needs a place to listen; give at least one listen info",
        ));
    }
    let key = tables.webrtc_servers.insert(WebRtcServer::new(id, turn.random.hasher()));
    match open_places(&mut tables.sockets, Holder::Server(key), infos.iter(), turn) {
        Ok(opened) => {
            if let Some(server) = tables.webrtc_servers.get_mut(key) {
                (server.listens, server.places) = opened;
            }
        }
        Err(refused) => {
            tables.webrtc_servers.remove(key);
            return Err(refused);
        }
    }
    tables.ids.insert(id.into(), EntityKey::WebRtcServer(key));
    Ok(())
}

/// Closes a server and the transports on it.
pub(crate) fn close(tables: &mut Tables, key: WebRtcServerKey, turn: &mut Turn<'_>) {
    let Some(server) = tables.webrtc_servers.get_mut(key) else { return };
    for transport in std::mem::take(&mut server.transports) {
        transport::close(tables, transport, turn);
    }
    let Some(server) = tables.webrtc_servers.remove(key) else { return };
    tables.forget(server.id);
    close_places(&mut tables.sockets, &server.places, turn);
}

/// What a server holds.
pub(crate) fn dump(tables: &Tables, key: WebRtcServerKey) -> Option<WebRtcServerDump> {
    let server = tables.webrtc_servers.get(key)?;
    let bound = |protocol| {
        let listens = server.listens.iter().filter(move |(info, _)| info.protocol == protocol);
        List::first_of(listens.map(|(_, local)| *local))
    };
    let id = |key: TransportKey| Some(tables.transports.get(key)?.id);
    let fragments = server.routes.fragments().filter_map(|(fragment, key)| {
        Some(LocalUsernameFragment {
            username_fragment: Text::clipped(fragment.as_str()),
            transport: id(key)?,
        })
    });
    Some(WebRtcServerDump {
        server: server.id,
        udp_sockets: bound(Protocol::Udp),
        tcp_servers: bound(Protocol::Tcp),
        transport_ids: Ids::first_of(server.transports.iter().filter_map(|key| id(*key))),
        local_ice_username_fragments: List::first_of(fragments),
        tuples: server.routes.tuples() as u64,
    })
}

impl Tables {
    pub(crate) fn webrtc_server(&self, id: WebRtcServerId) -> Result<WebRtcServerKey, Refused> {
        match self.ids.get(&EntityId::from(id)) {
            Some(EntityKey::WebRtcServer(key)) => Ok(*key),
            _ => Err(Refused::not_found(format!(
                "no WebRTC server has id {}; create it first, or it was closed",
                id.0
            ))),
        }
    }
}
