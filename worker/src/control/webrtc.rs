//! Requests about WebRTC transports and their servers.

use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::response::Reply;
use tidegate_protocol::webrtc::{WebRtcCommand, WebRtcTransportOptions};

use crate::control::{Answer, gone};
use crate::media::transport::webrtc;
use crate::media::{Tables, webrtc_server};
use crate::turn::Turn;

pub(super) fn dispatch(tables: &mut Tables, command: &WebRtcCommand, turn: &mut Turn<'_>) -> Answer {
    match *command {
        WebRtcCommand::CreateServer { server, ref listen_infos } => {
            webrtc_server::create(tables, server, listen_infos, turn)?;
            Ok(Reply::Done)
        }
        WebRtcCommand::CloseServer { server } => close_server(tables, server, turn),
        WebRtcCommand::DumpServer { server } => dump_server(tables, server),
        WebRtcCommand::CreateTransport { router, transport, ref options } => {
            create_transport(tables, router, transport, options, turn)
        }
        WebRtcCommand::ConnectTransport { transport, role, ref fingerprints } => {
            let key = tables.transport(transport)?;
            let dtls_local_role = webrtc::connect(tables, key, role, fingerprints, turn)?;
            Ok(Reply::WebRtcConnected { dtls_local_role })
        }
        WebRtcCommand::RestartIce { transport } => {
            let key = tables.transport(transport)?;
            Ok(Reply::IceParameters(webrtc::restart_ice(tables, key, turn)?))
        }
        WebRtcCommand::SetMaxOutgoingBitrate { transport, bitrate } => {
            let key = tables.transport(transport)?;
            webrtc::set_max_outgoing_bitrate(tables, key, bitrate)?;
            Ok(Reply::Done)
        }
        WebRtcCommand::SetMinOutgoingBitrate { transport, bitrate } => {
            let key = tables.transport(transport)?;
            webrtc::set_min_outgoing_bitrate(tables, key, bitrate)?;
            Ok(Reply::Done)
        }
    }
}

fn close_server(tables: &mut Tables, server: WebRtcServerId, turn: &mut Turn<'_>) -> Answer {
    let key = tables.webrtc_server(server)?;
    webrtc_server::close(tables, key, turn);
    Ok(Reply::Done)
}

fn dump_server(tables: &Tables, server: WebRtcServerId) -> Answer {
    let key = tables.webrtc_server(server)?;
    let dump = webrtc_server::dump(tables, key).ok_or_else(gone)?;
    Ok(Reply::WebRtcServerDump(Box::new(dump)))
}

fn create_transport(
    tables: &mut Tables,
    router: RouterId,
    transport: TransportId,
    options: &WebRtcTransportOptions,
    turn: &mut Turn<'_>,
) -> Answer {
    let router = tables.router(router)?;
    let key = webrtc::create::create(tables, router, transport, options, turn)?;
    let dump = tables.transports.get(key).and_then(|transport| webrtc::dump(tables, transport));
    Ok(Reply::WebRtcTransport(Box::new(dump.ok_or_else(gone)?)))
}
