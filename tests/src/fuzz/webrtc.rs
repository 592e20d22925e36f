//! Requests about WebRTC transports and servers, and datagrams for their ports.
//!
//! Knows what a host may ask and what it must be answered. Called by `commands` and `traffic`.
//! Invariant: as for [`commands`](super::commands): what is not [`Expect::Any`] is certain.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::{RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::{ListenInfo, ListenPort, Protocol};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, DtlsRole, FingerprintAlgorithm, WebRtcCommand, WebRtcListen, WebRtcTransportOptions,
};
use tidegate_worker::dtls::{BUFFER_BYTES, Dtls, Flights, Output, Role, Version};
use tidegate_worker::ice::stun::IntegrityKey;

use super::Dice;
use super::commands::{Expect, listen_on};
use super::model::{Ice, Model, TRANSPORTS_MAX};
use crate::caller::now;
use crate::endpoint::{Nomination, binding_request, context};
use crate::world::webrtc::{connect_webrtc, create_webrtc, webrtc_options};

/// Draws a request.
pub fn draw(model: &mut Model, dice: &mut Dice) -> (Command, Expect) {
    match dice.below(10) {
        0 if model.servers.len() < SERVERS_MAX => {
            (create_server(model.fresh_id(), &[Protocol::Udp, Protocol::Tcp]), Expect::Good)
        }
        0..4 => creating(model, dice),
        4..6 => about_server(model, dice),
        _ => about_transport(model, dice),
    }
}

/// Opens a server with a port of each of these.
pub fn create_server(id: u64, protocols: &[Protocol]) -> Command {
    let listen_infos = List::first_of(protocols.iter().map(|protocol| anywhere(*protocol)));
    Command::WebRtc(WebRtcCommand::CreateServer { server: WebRtcServerId(id), listen_infos })
}

fn anywhere(protocol: Protocol) -> ListenInfo {
    ListenInfo { protocol, ..listen_on(IpAddr::from(Ipv4Addr::LOCALHOST), ListenPort::Fixed(0)) }
}

/// A transport on a server or on ports of its own; some of them as no host should ask for one.
fn creating(model: &mut Model, dice: &mut Dice) -> (Command, Expect) {
    let Some(router) = dice.pick(&model.routers).copied().filter(|_| model.transports.len() < TRANSPORTS_MAX)
    else {
        return about_transport(model, dice);
    };
    let server = dice.pick(&model.servers).copied();
    let listen = match server {
        Some(server) if server.has_udp && dice.chance(60) => WebRtcListen::Server(WebRtcServerId(server.id)),
        _ => {
            let both = [anywhere(Protocol::Udp), anywhere(Protocol::Tcp)];
            WebRtcListen::Individual(List::first_of(both))
        }
    };
    let good = WebRtcTransportOptions {
        enable_tcp: dice.chance(70),
        prefer_tcp: dice.chance(30),
        prefer_udp: dice.chance(30),
        ice_consent_timeout_s: dice.byte(),
        ..webrtc_options(listen)
    };
    let (id, invalid) = (model.fresh_id(), Expect::Refused(ErrorKind::InvalidArgument));
    let (options, expect) = match dice.below(12) {
        0 => (WebRtcTransportOptions { enable_sctp: true, ..good }, Expect::Refused(ErrorKind::Unsupported)),
        1 => (WebRtcTransportOptions { enable_udp: false, enable_tcp: false, ..good }, invalid),
        2 => (WebRtcTransportOptions { listen: WebRtcListen::Individual(List::new()), ..good }, invalid),
        3 => {
            let options = WebRtcTransportOptions { initial_available_outgoing_bitrate: u64::MAX, ..good };
            (options, invalid)
        }
        4 => {
            let listen = WebRtcListen::Server(WebRtcServerId(router));
            (WebRtcTransportOptions { listen, ..good }, Expect::Refused(ErrorKind::NotFound))
        }
        _ => (good, Expect::Good),
    };
    (create_webrtc(RouterId(router), TransportId(id), &options), expect)
}

fn about_server(model: &Model, dice: &mut Dice) -> (Command, Expect) {
    let of = |id: u64, closes: bool| {
        let server = WebRtcServerId(id);
        Command::WebRtc(match closes {
            true => WebRtcCommand::CloseServer { server },
            false => WebRtcCommand::DumpServer { server },
        })
    };
    if let Some(server) = dice.pick(&model.servers).filter(|_| !dice.byte().is_multiple_of(8)) {
        return (of(server.id, dice.chance(10)), Expect::Good);
    }
    if let Some(router) = dice.pick(&model.routers).copied() {
        let expect = if dice.chance(50) {
            return (create_server(router, &[Protocol::Udp]), Expect::Refused(ErrorKind::Duplicate));
        } else {
            Expect::Refused(ErrorKind::NotFound)
        };
        return (of(router, dice.chance(50)), expect);
    }
    (Command::DumpWorker, Expect::Good)
}

fn about_transport(model: &Model, dice: &mut Dice) -> (Command, Expect) {
    let webrtc: Vec<_> = model.transports.iter().filter_map(|it| Some((it.id, it.ice.as_ref()?))).collect();
    let Some((id, ice)) = dice.pick(&webrtc).copied() else {
        // A plain one cannot do these things.
        let restart = |id| Command::WebRtc(WebRtcCommand::RestartIce { transport: TransportId(id) });
        return match dice.pick(&model.transports) {
            Some(plain) => (restart(plain.id), Expect::Refused(ErrorKind::InvalidArgument)),
            None => (Command::DumpWorker, Expect::Good),
        };
    };
    let transport = TransportId(id);
    let invalid = Expect::Refused(ErrorKind::InvalidArgument);
    match dice.below(8) {
        0 => (Command::WebRtc(WebRtcCommand::RestartIce { transport }), Expect::Good),
        1 => {
            let bitrate = *dice.pick(&[0, 30_000, 1 << 40]).unwrap_or(&0);
            let set = match dice.chance(50) {
                true => WebRtcCommand::SetMaxOutgoingBitrate { transport, bitrate },
                false => WebRtcCommand::SetMinOutgoingBitrate { transport, bitrate },
            };
            (Command::WebRtc(set), if bitrate == 0 { Expect::Good } else { Expect::Any })
        }
        2 => {
            let bitrate = *dice.pick(&[1, 29_999, u64::MAX]).unwrap_or(&1);
            let set = WebRtcCommand::SetMaxOutgoingBitrate { transport, bitrate };
            (Command::WebRtc(set), invalid)
        }
        3 => {
            let expect = if ice.asked_to_connect { Expect::Any } else { invalid };
            (connect_webrtc(transport, DtlsRole::Auto, &[]), expect)
        }
        4 => (Command::CloseTransport { transport }, Expect::Good),
        _ => {
            let role =
                *dice.pick(&[DtlsRole::Auto, DtlsRole::Client, DtlsRole::Server]).unwrap_or(&DtlsRole::Auto);
            let expect = if ice.asked_to_connect { Expect::Any } else { Expect::Good };
            (connect_webrtc(transport, role, &[somebodys_fingerprint(dice)]), expect)
        }
    }
}

fn somebodys_fingerprint(dice: &mut Dice) -> DtlsFingerprint {
    let pairs: Vec<String> = dice.bytes(32).iter().map(|byte| format!("{byte:02X}")).collect();
    let value = Text::clipped(&pairs.join(":"));
    DtlsFingerprint { algorithm: FingerprintAlgorithm::Sha256, value }
}

/// A request with or without the password, a ClientHello, a record, or media that no key protects.
pub fn datagram(ice: &Ice, dice: &mut Dice) -> Vec<u8> {
    let username = format!("{}:fuzz", ice.fragment);
    let transaction = u32::from_be_bytes([dice.byte(), dice.byte(), dice.byte(), dice.byte()]);
    let nomination = if dice.chance(50) { Nomination::Usual } else { Nomination::No };
    match dice.below(8) {
        0..4 => {
            let key = IntegrityKey::new(ice.password.as_bytes());
            binding_request(transaction, &username, Some(&key), nomination)
        }
        4 => binding_request(transaction, &username, Some(&IntegrityKey::new(b"guessed")), nomination),
        5 => client_hello().to_vec(),
        6 => {
            let length = dice.byte();
            let kind = 20 + dice.byte() % 5;
            let head = [kind, 0xFE, 0xFD, 0, dice.byte() % 3, 0, 0, 0, 0, 0, dice.byte(), 0, length];
            [&head[..], &dice.bytes(usize::from(length))].concat()
        }
        _ => {
            let length = 12 + dice.below(200);
            let mut packet = dice.bytes(length);
            packet[0] = 0x80;
            packet
        }
    }
}

/// One client's, made once.
fn client_hello() -> &'static [u8] {
    static HELLO: OnceLock<Vec<u8>> = OnceLock::new();
    HELLO.get_or_init(|| {
        let mut client = Dtls::new(context(Version::Dtls12));
        client.connect(now(), Role::Client, Vec::new(), &mut Flights::new(1));
        let mut buffer = [0; BUFFER_BYTES];
        match client.poll(now(), &mut buffer) {
            Some(Output::Datagram(bytes)) => bytes.to_vec(),
            _ => Vec::new(),
        }
    })
}

const SERVERS_MAX: usize = 4;
