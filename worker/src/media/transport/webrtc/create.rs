//! Making and closing a WebRTC transport: ports of its own or a server's, credentials, candidates.

use std::net::SocketAddr;

use tidegate_protocol::ids::{TransportId, WebRtcServerId};
use tidegate_protocol::transport::{ListenInfo, Protocol};
use tidegate_protocol::webrtc::{
    DtlsRole, DtlsState, IceCandidate, ListenInfos, WebRtcListen, WebRtcTransportOptions,
};

use super::{Offer, OutgoingBitrates, Place, Ports, Timers, WebRtc, handshake};
use crate::dtls::Dtls;
use crate::ice::{ConsentTimeout, Credentials, IceLite, Preference, host_candidates};
use crate::media::refused::Refused;
use crate::media::sockets::{Holder, Sockets, announced};
use crate::media::transport::link::Link;
use crate::media::transport::protection::Incoming;
use crate::media::transport::{Transport, enrol};
use crate::media::{RouterKey, Tables, TransportKey};
use crate::turn::Turn;

/// Makes a WebRTC transport; nothing is left open when a part of it is refused.
pub(crate) fn create(
    tables: &mut Tables,
    router: RouterKey,
    id: TransportId,
    options: &WebRtcTransportOptions,
    turn: &mut Turn<'_>,
) -> Result<TransportKey, Refused> {
    tables.check_unused(id.into())?;
    check(options)?;
    let context = tables.dtls.get(turn)?;
    let credentials = Credentials::random(|| turn.random.next_u32());
    let webrtc = WebRtc {
        ice: IceLite::new(credentials, ConsentTimeout::from_seconds(options.ice_consent_timeout_s)),
        dtls: Dtls::new(context.clone()),
        context,
        ports: Ports::Own(Box::default()),
        candidates: Box::default(),
        offer: offer(options),
        expected: None,
        role: DtlsRole::Auto,
        dtls_state: DtlsState::New,
        dtls_rejected: 0,
        bitrates: OutgoingBitrates { initial: options.initial_available_outgoing_bitrate, max: 0, min: 0 },
        timers: Timers::default(),
        was_reachable: false,
    };
    // The sockets need the transport's key and the transport its sockets: it starts with none.
    let mut transport = Transport::new(id, router, Link::WebRtc(Box::new(webrtc)), turn.random);
    transport.incoming = Incoming::Locked;
    let key = tables.transports.insert(transport);
    let listening = match &options.listen {
        WebRtcListen::Individual(infos) => listen(tables, key, infos, options, turn),
        WebRtcListen::Server(server) => join(tables, key, *server, options),
    };
    match listening {
        Ok((ports, candidates)) => {
            if let Some(webrtc) = tables.transports.get_mut(key).and_then(|own| own.link.webrtc_mut()) {
                webrtc.ports = ports;
                webrtc.candidates = candidates;
            }
        }
        Err(refused) => {
            tables.transports.remove(key);
            return Err(refused);
        }
    }
    enrol(tables, router, key);
    Ok(key)
}

fn check(options: &WebRtcTransportOptions) -> Result<(), Refused> {
    if options.enable_sctp {
        return Err(Refused::unsupported("data channels are not there yet; create it without enableSctp"));
    }
    if options.initial_available_outgoing_bitrate > super::BITRATE_MAX {
        return Err(Refused::invalid("initialAvailableOutgoingBitrate is at most 2^63 - 2"));
    }
    Ok(())
}

fn offer(options: &WebRtcTransportOptions) -> Offer {
    Offer {
        udp: options.enable_udp,
        tcp: options.enable_tcp,
        preference: Preference { prefer_udp: options.prefer_udp, prefer_tcp: options.prefer_tcp },
    }
}

fn listen(
    tables: &mut Tables,
    key: TransportKey,
    infos: &ListenInfos,
    options: &WebRtcTransportOptions,
    turn: &mut Turn<'_>,
) -> Result<(Ports, Box<[IceCandidate]>), Refused> {
    let offer = offer(options);
    let infos: Vec<&ListenInfo> = infos.iter().filter(|info| offer.takes(info.protocol)).collect();
    if infos.is_empty() {
        return Err(Refused::invalid(
            "no candidate would result; give a listen info of a protocol that is enabled",
        ));
    }
    let (listens, places) =
        open_places(&mut tables.sockets, Holder::Transport(key), infos.into_iter(), turn)?;
    let listens = listens.iter().map(|(info, local)| (info, *local));
    Ok((Ports::Own(places), host_candidates(listens, offer.preference).into()))
}

fn join(
    tables: &mut Tables,
    key: TransportKey,
    server: WebRtcServerId,
    options: &WebRtcTransportOptions,
) -> Result<(Ports, Box<[IceCandidate]>), Refused> {
    let server_key = tables.webrtc_server(server)?;
    let Tables { transports, webrtc_servers, .. } = tables;
    let (Some(server), Some(webrtc)) = (
        webrtc_servers.get_mut(server_key),
        transports.get(key).and_then(|transport| transport.link.webrtc()),
    ) else {
        return Err(Refused::not_found("the WebRTC server is not there any more"));
    };
    if server.candidates(offer(options)).is_empty() {
        return Err(Refused::invalid(
            "no candidate would result; enable a protocol that the WebRTC server listens on",
        ));
    }
    server.transports.push(key);
    for fragment in webrtc.ice.username_fragments() {
        server.routes.add_fragment(fragment, key);
    }
    Ok((Ports::Server(server_key), Box::default()))
}

/// What was listened on, and where it came to lie.
type Opened = (Box<[(ListenInfo, SocketAddr)]>, Box<[Place]>);

/// Listens everywhere, or nowhere.
pub(crate) fn open_places<'a>(
    sockets: &mut Sockets,
    holder: Holder,
    infos: impl Iterator<Item = &'a ListenInfo>,
    turn: &mut Turn<'_>,
) -> Result<Opened, Refused> {
    let (mut listens, mut places) = (Vec::new(), Vec::new());
    for info in infos {
        match sockets.listen_for_ice(holder, info, turn) {
            Ok(bound) => {
                places.push(Place {
                    socket: bound.socket,
                    local_address: announced(info, bound.local.ip()).into(),
                    local_port: bound.local.port(),
                });
                listens.push((info.clone(), bound.local));
            }
            Err(refused) => {
                close_places(sockets, &places, turn);
                return Err(refused);
            }
        }
    }
    Ok((listens.into(), places.into()))
}

/// Closes what [`open_places`] opened.
pub(crate) fn close_places(sockets: &mut Sockets, places: &[Place], turn: &mut Turn<'_>) {
    for place in places {
        sockets.close(place.socket, turn);
    }
}

/// Says goodbye and closes everything that was opened for the transport.
pub(crate) fn close(tables: &mut Tables, key: TransportKey, webrtc: &mut WebRtc, turn: &mut Turn<'_>) {
    handshake::close(webrtc, turn);
    if let Some(server) = webrtc.server().and_then(|server| tables.webrtc_servers.get_mut(server)) {
        server.transports.retain(|other| *other != key);
        for fragment in webrtc.ice.username_fragments() {
            server.routes.remove_fragment(&fragment);
        }
        for tuple in webrtc.ice.tuples().iter() {
            server.routes.remove_tuple(tuple, key);
        }
    }
    // What the goodbye waits in must leave before the sockets are closed.
    turn.flush();
    for tuple in webrtc.ice.tuples().iter().filter(|tuple| tuple.protocol == Protocol::Tcp) {
        tables.sockets.close(tuple.path.socket, turn);
    }
    if let Ports::Own(places) = &webrtc.ports {
        close_places(&mut tables.sockets, places, turn);
    }
}
