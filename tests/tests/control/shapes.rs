//! Requests of the wrong shape, one by one.

use std::net::IpAddr;

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::error::ErrorKind::{self, InvalidArgument, InvalidState, Unsupported};
use tidegate_protocol::ids::{ConsumerId, ProducerId, TransportId};
use tidegate_protocol::request::Command;
use tidegate_protocol::rtp::{MediaKind, RtpHeaderExtensionParameters, RtpMapping, RtpParameters, RtpType};
use tidegate_protocol::srtp::{SrtpCryptoSuite, SrtpParameters};
use tidegate_protocol::transport::{ListenPort, PlainConnectOptions, PlainTransportOptions};
use tidegate_tests::world::World;
use tidegate_tests::world::host::plain_options;
use tidegate_tests::world::parameters::{MID, Stream, list, mapped_ssrc};
use tidegate_tests::world::peer::{Call, address};

use crate::{CAMERA, assert_refused, call};

#[test]
fn producers_of_the_wrong_shape_are_refused() {
    let mut world = World::new();
    let call = call(&mut world);
    type Change = fn(&mut RtpParameters, &mut RtpMapping, &mut MediaKind);
    let changes: [(&str, Change, ErrorKind); 18] = [
        ("no encodings", |p, _, _| edit(&mut p.encodings, Vec::clear), InvalidArgument),
        ("no codecs", |p, _, _| edit(&mut p.codecs, Vec::clear), InvalidArgument),
        ("RTX alone", |p, _, _| edit(&mut p.codecs, |codecs| drop(codecs.remove(0))), InvalidArgument),
        ("no CNAME", |p, _, _| p.rtcp.cname = Text::default(), InvalidArgument),
        ("wrong kind", |_, _, kind| *kind = MediaKind::Audio, InvalidArgument),
        ("payload type 128", |p, _, _| edit(&mut p.codecs, |c| c[0].payload_type = 128), InvalidArgument),
        ("payload type twice", |p, _, _| edit(&mut p.codecs, |c| c[1].payload_type = 96), InvalidArgument),
        ("no clock", |p, _, _| edit(&mut p.codecs, |c| c[0].clock_rate = 0), InvalidArgument),
        (
            "RTX of nothing",
            |p, _, _| edit(&mut p.codecs, |c| c[1].parameters = list(vec![])),
            InvalidArgument,
        ),
        ("no mapping", |_, m, _| edit(&mut m.codecs, Vec::clear), InvalidArgument),
        ("too few mapped", |_, m, _| edit(&mut m.encodings, Vec::clear), InvalidArgument),
        ("nameless encoding", |p, _, _| edit(&mut p.encodings, |e| e[0].ssrc = None), InvalidArgument),
        (
            "unknown codec of an encoding",
            |p, _, _| edit(&mut p.encodings, |e| e[0].codec_payload_type = Some(5)),
            InvalidArgument,
        ),
        (
            "unknown codec",
            |p, _, _| edit(&mut p.codecs, |c| c[0].mime_type = Text::clipped("video/X")),
            Unsupported,
        ),
        ("extension id 0", |p, _, _| add_extension(p, MID, 0, false), InvalidArgument),
        ("extension id 15", |p, _, _| add_extension(p, MID, 15, false), InvalidArgument),
        (
            "extension id twice",
            |p, _, _| {
                add_extension(p, "urn:one", 4, false);
                add_extension(p, "urn:two", 4, false);
            },
            InvalidArgument,
        ),
        ("encrypted extension", |p, _, _| add_extension(p, MID, 1, true), Unsupported),
    ];
    let mut refused: Vec<_> = changes
        .into_iter()
        .map(|(what, change, kind)| (what, produce(&mut world, &call, change), kind))
        .collect();
    let other_id = produce(&mut world, &call, |p, _, _| add_extension(p, MID, 2, false));
    refused.push(("another id for an extension of the transport", other_id, InvalidArgument));
    let other_use = produce(&mut world, &call, |p, _, _| {
        add_extension(p, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", 1, false);
    });
    refused.push(("another extension for an id of the transport", other_use, InvalidArgument));
    assert_refused(&mut world, &call, refused);
    let good = produce(&mut world, &call, |_, _, _| ());
    assert!(world.request(good).is_ok());
}

fn add_extension(parameters: &mut RtpParameters, uri: &str, id: u8, encrypt: bool) {
    let uri = Text::clipped(uri);
    let extension = RtpHeaderExtensionParameters { uri, id, encrypt };
    edit(&mut parameters.header_extensions, |extensions| extensions.push(extension));
}

#[test]
fn consumers_of_the_wrong_shape_are_refused() {
    let mut world = World::new();
    let call = call(&mut world);
    let mut refused = vec![
        (
            "no SSRC",
            consume(&mut world, &call, |p| edit(&mut p.encodings, |e| e[0].ssrc = None)),
            InvalidArgument,
        ),
        (
            "one SSRC for both",
            consume(&mut world, &call, |p| edit(&mut p.encodings, |e| e[0].rtx_ssrc = e[0].ssrc)),
            InvalidArgument,
        ),
        (
            "two encodings",
            consume(&mut world, &call, |p| edit(&mut p.encodings, |e| e.push(e[0].clone()))),
            InvalidArgument,
        ),
        ("no CNAME", consume(&mut world, &call, |p| p.rtcp.cname = Text::default()), InvalidArgument),
        ("no codecs", consume(&mut world, &call, |p| edit(&mut p.codecs, Vec::clear)), InvalidArgument),
    ];
    let mut with = |what, change: fn(&mut Command), kind| {
        let mut command = consume(&mut world, &call, |_| ());
        change(&mut command);
        refused.push((what, command, kind));
    };
    with("another kind", |c| set_kind(c, MediaKind::Audio), InvalidArgument);
    with("unknown encoding", |c| set_consumable(c, vec![12]), InvalidArgument);
    with("two encodings wanted", |c| set_consumable(c, vec![mapped_ssrc(CAMERA); 2]), InvalidArgument);
    with("simulcast", |c| set_type(c, RtpType::Simulcast), Unsupported);
    with("SVC of a codec without spatial layers", |c| set_type(c, RtpType::Svc), InvalidArgument);
    with("pipe", |c| set_type(c, RtpType::Pipe), Unsupported);
    assert_refused(&mut world, &call, refused);
}

fn set_kind(command: &mut Command, to: MediaKind) {
    if let Command::Consume { kind, .. } = command {
        *kind = to;
    }
}

fn set_consumable(command: &mut Command, to: Vec<u32>) {
    if let Command::Consume { consumable_ssrcs, .. } = command {
        *consumable_ssrcs = list(to);
    }
}

fn set_type(command: &mut Command, to: RtpType) {
    if let Command::Consume { consumer_type, .. } = command {
        *consumer_type = to;
    }
}

#[test]
fn transports_of_the_wrong_shape_and_reserved_requests_are_refused() {
    let mut world = World::new();
    let call = call(&mut world);
    let mut create = |change: fn(&mut PlainTransportOptions)| {
        let mut options = plain_options();
        change(&mut options);
        Command::CreatePlainTransport { router: call.router, transport: TransportId(world.new_id()), options }
    };
    let refused = vec![
        ("RTCP port with mux", create(|o| o.rtcp_listen_info = Some(o.listen_info.clone())), InvalidArgument),
        (
            "empty range",
            create(|o| o.listen_info.port = ListenPort::Range { min: 9, max: 8 }),
            InvalidArgument,
        ),
        (
            "range from 0",
            create(|o| o.listen_info.port = ListenPort::Range { min: 0, max: 8 }),
            InvalidArgument,
        ),
        ("shared without a port", create(|o| o.listen_info.shared = true), InvalidArgument),
        ("drain", Command::Drain { deadline_ms: 1 }, Unsupported),
        ("tap", Command::Tap { transport: call.inbound.id, enabled: true }, Unsupported),
        (
            "priority 0",
            Command::SetConsumerPriority { consumer: call.consumer, priority: 0 },
            InvalidArgument,
        ),
    ];
    assert_refused(&mut world, &call, refused);
}

#[test]
fn connect_wants_keys_where_srtp_was_asked_for_and_only_there() {
    let mut world = World::new();
    let call = call(&mut world);
    let suite = SrtpCryptoSuite::AeadAes128Gcm;
    let (fresh, _) = world.transport_with_keys(call.router, plain_options(), suite);
    let comedia = PlainTransportOptions { comedia: true, ..plain_options() };
    let (learning, _) = world.transport_with_keys(call.router, comedia, suite);
    let clear = world.plain_transport(call.router, &plain_options());
    let connect = |transport, named: bool, srtp_parameters| Command::ConnectPlainTransport {
        transport,
        options: PlainConnectOptions {
            ip: named.then_some(IpAddr::from([192, 0, 2, 5])),
            port: named.then_some(5),
            rtcp_port: None,
            srtp_parameters,
        },
    };
    let keys = |bytes: usize| {
        let key = List::first_of(std::iter::repeat_n(7, bytes));
        Some(SrtpParameters { crypto_suite: suite, key })
    };
    let refused = vec![
        ("no keys", connect(fresh.id, true, None), InvalidArgument),
        ("short keys", connect(fresh.id, true, keys(27)), InvalidArgument),
        ("long keys", connect(fresh.id, true, keys(29)), InvalidArgument),
        ("empty keys", connect(fresh.id, true, keys(0)), InvalidArgument),
        ("keys without a peer", connect(fresh.id, false, keys(28)), InvalidArgument),
        ("keys without SRTP", connect(clear.id, true, keys(28)), InvalidArgument),
        ("comedia with a peer", connect(learning.id, true, keys(28)), InvalidArgument),
        ("comedia without keys", connect(learning.id, false, None), InvalidArgument),
    ];
    assert_refused(&mut world, &call, refused);
    world.request(connect(learning.id, false, keys(28))).unwrap();
    world.request(connect(fresh.id, true, keys(28))).unwrap();
    let refused = vec![
        ("second connect", connect(fresh.id, true, keys(28)), InvalidState),
        ("second connect of comedia", connect(learning.id, false, keys(28)), InvalidState),
    ];
    assert_refused(&mut world, &call, refused);
}

#[test]
fn connect_wants_a_peer_once() {
    let mut world = World::new();
    let call = call(&mut world);
    let fresh = world.plain_transport(call.router, &plain_options());
    let connect = |transport, ip: Option<[u8; 4]>, port, rtcp_port| Command::ConnectPlainTransport {
        transport,
        options: PlainConnectOptions { ip: ip.map(IpAddr::from), port, rtcp_port, srtp_parameters: None },
    };
    let peer = Some([192, 0, 2, 5]);
    let refused = vec![
        ("second connect", connect(call.outbound.id, peer, Some(5), None), InvalidState),
        ("comedia", connect(call.inbound.id, peer, Some(5), None), InvalidArgument),
        ("no ip", connect(fresh.id, None, Some(5), None), InvalidArgument),
        ("no port", connect(fresh.id, peer, None, None), InvalidArgument),
        ("port 0", connect(fresh.id, peer, Some(0), None), InvalidArgument),
        ("unspecified ip", connect(fresh.id, Some([0; 4]), Some(5), None), InvalidArgument),
        ("RTCP port with mux", connect(fresh.id, peer, Some(5), Some(6)), InvalidArgument),
    ];
    assert_refused(&mut world, &call, refused);
    assert!(world.connect(fresh.id, address(5, 5), None).is_ok());
}

/// `Produce` with changed parameters.
fn produce(
    world: &mut World,
    call: &Call,
    change: impl FnOnce(&mut RtpParameters, &mut RtpMapping, &mut MediaKind),
) -> Command {
    let mut command =
        Stream::vp8(0x5555).with_rtx(0x5556).produce(call.inbound.id, ProducerId(world.new_id()));
    if let Command::Produce { rtp_parameters, rtp_mapping, kind, .. } = &mut command {
        change(rtp_parameters, rtp_mapping, kind);
    }
    command
}

/// `Consume` with changed parameters.
fn consume(world: &mut World, call: &Call, change: impl FnOnce(&mut RtpParameters)) -> Command {
    let received = call.sender.stream.consumed_as(0xC555_0000);
    let id = ConsumerId(world.new_id());
    let mut command = received.consume(call.outbound.id, id, call.producer, &call.sender.stream);
    if let Command::Consume { rtp_parameters, .. } = &mut command {
        change(rtp_parameters);
    }
    command
}

fn edit<T: Clone, const MAX: usize>(items: &mut List<T, MAX>, change: impl FnOnce(&mut Vec<T>)) {
    let mut edited = items.clone().into_vec();
    change(&mut edited);
    *items = list(edited);
}
