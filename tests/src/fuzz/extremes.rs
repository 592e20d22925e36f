//! The ends of every field: what a request looks like that some field has spoiled.
//!
//! Knows the protocol's fields. Does not know what a worker makes of them. Called by `commands`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::ids::{ProducerId, RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::observer::AudioLevelObserverOptions;
use tidegate_protocol::request::Command;
use tidegate_protocol::rtp::{
    CodecParameter, MediaKind, ParameterValue, RtpEncodingParameters, RtpHeaderExtensionParameters,
    RtpMapping, RtpParameters, RtpType,
};
use tidegate_protocol::transport::{
    ListenInfo, ListenPort, PlainConnectOptions, PlainTransportOptions, Protocol,
};
use tidegate_protocol::webrtc::{
    DtlsFingerprint, FingerprintAlgorithm, ListenInfos, WebRtcCommand, WebRtcListen,
};

use super::Dice;
use super::commands::Surroundings;

/// `command` with one to three fields at an end of their range, or of another one's.
pub fn spoil(mut command: Command, dice: &mut Dice, around: Surroundings) -> Command {
    for _ in 0..=dice.below(3) {
        command = spoil_once(command, dice, around);
    }
    command
}

fn spoil_once(command: Command, dice: &mut Dice, around: Surroundings) -> Command {
    match command {
        Command::CreatePlainTransport { router, transport, options } => {
            let options = plain_options(options, dice, around);
            Command::CreatePlainTransport { router, transport, options }
        }
        Command::ConnectPlainTransport { transport, .. } => {
            Command::ConnectPlainTransport { transport, options: connect_options(dice) }
        }
        Command::Produce { .. } => produce(command, dice),
        Command::Consume { .. } => consume(command, dice),
        Command::CreateRouter { .. } => match dice.below(4) {
            0 => {
                Command::CreateRouter { router: RouterId(*dice.pick(&[u64::MAX - 7, 1 << 62]).unwrap_or(&0)) }
            }
            1 => Command::ConnectPlainTransport {
                transport: TransportId(dice.any()),
                options: connect_options(dice),
            },
            2 => Command::Drain { deadline_ms: u64::MAX },
            _ => Command::UpdateSettings { log_level: None, log_tags: None },
        },
        Command::SetConsumerPriority { consumer, .. } => {
            Command::SetConsumerPriority { consumer, priority: 0 }
        }
        Command::CreateAudioLevelObserver { router, observer, .. } => {
            let options = AudioLevelObserverOptions {
                max_entries: *dice.pick(&[0, 1, 64, 65, u16::MAX]).unwrap_or(&0),
                threshold: *dice.pick(&[i8::MIN, -127, 0, 1, i8::MAX]).unwrap_or(&0),
                interval_ms: *dice.pick(&[0, 249, 5_001, u16::MAX]).unwrap_or(&0),
            };
            Command::CreateAudioLevelObserver { router, observer, options }
        }
        Command::CreateActiveSpeakerObserver { router, observer, .. } => {
            let interval_ms = *dice.pick(&[0, 99, 5_001, u16::MAX]).unwrap_or(&0);
            Command::CreateActiveSpeakerObserver { router, observer, interval_ms }
        }
        Command::WebRtc(command) => Command::WebRtc(webrtc(command, dice, around)),
        other => other,
    }
}

fn webrtc(command: WebRtcCommand, dice: &mut Dice, around: Surroundings) -> WebRtcCommand {
    match command {
        WebRtcCommand::CreateServer { server, listen_infos } => WebRtcCommand::CreateServer {
            server,
            listen_infos: spoil_listen_infos(listen_infos, dice, around),
        },
        WebRtcCommand::CreateTransport { router, transport, mut options } => {
            match (dice.below(4), options.listen) {
                (0, WebRtcListen::Individual(_)) => {
                    options.listen = WebRtcListen::Server(WebRtcServerId(dice.any()));
                }
                (_, WebRtcListen::Individual(infos)) => {
                    options.listen = WebRtcListen::Individual(spoil_listen_infos(infos, dice, around));
                }
                (_, listen) => {
                    options.listen = listen;
                    options.enable_udp = false;
                    options.initial_available_outgoing_bitrate = dice.any();
                }
            }
            WebRtcCommand::CreateTransport { router, transport, options }
        }
        WebRtcCommand::ConnectTransport { transport, role, .. } => {
            let algorithm = FingerprintAlgorithm::ALL;
            let any = |dice: &mut Dice| DtlsFingerprint {
                algorithm: dice.pick(&algorithm).copied().unwrap_or(FingerprintAlgorithm::Sha1),
                value: any_text(dice),
            };
            let fingerprints = (0..dice.below(17)).map(|_| any(dice)).collect::<Vec<_>>();
            let fingerprints = List::first_of(fingerprints);
            WebRtcCommand::ConnectTransport { transport, role, fingerprints }
        }
        other => other,
    }
}

fn spoil_listen_infos(infos: ListenInfos, dice: &mut Dice, around: Surroundings) -> ListenInfos {
    match dice.below(5) {
        0 => ListenInfos::new(),
        // Descriptors and ports run out before entities do.
        1 => ListenInfos::first_of(infos.into_vec().into_iter().cycle().take(64)),
        _ => {
            let spoiled = infos.into_vec().into_iter().map(|info| spoil_listen_info(info, dice, around));
            ListenInfos::first_of(spoiled.collect::<Vec<_>>())
        }
    }
}

fn plain_options(
    options: PlainTransportOptions,
    dice: &mut Dice,
    around: Surroundings,
) -> PlainTransportOptions {
    let listen_info = options.listen_info.clone();
    match dice.below(8) {
        0 => {
            let listen_info = ListenInfo { protocol: Protocol::Tcp, ..listen_info };
            PlainTransportOptions { listen_info, ..options }
        }
        1 => PlainTransportOptions { rtcp_mux: true, rtcp_listen_info: Some(listen_info), ..options },
        2 => {
            let rtcp_listen_info = Some(spoil_listen_info(listen_info, dice, around));
            PlainTransportOptions { rtcp_mux: false, rtcp_listen_info, ..options }
        }
        _ => PlainTransportOptions { listen_info: spoil_listen_info(listen_info, dice, around), ..options },
    }
}

fn spoil_listen_info(info: ListenInfo, dice: &mut Dice, around: Surroundings) -> ListenInfo {
    let buffer_bytes = *dice.pick(&[1, u32::MAX, 1 << 31, 1 << 20]).unwrap_or(&1);
    match dice.below(11) {
        10 => ListenInfo { protocol: Protocol::Tcp, ..info },
        0 => ListenInfo { ip: any_ip(dice), ..info },
        1 => ListenInfo { port: any_port(dice), ..info },
        2 => ListenInfo { port: ListenPort::Fixed(around.taken_port), ..info },
        3 => ListenInfo { shared: true, port: any_port(dice), ..info },
        4 => ListenInfo { shared: true, port: ListenPort::Fixed(around.taken_port), ..info },
        5 => ListenInfo { announced_address: Some(any_text(dice)), ..info },
        6 => ListenInfo { ipv6_only: true, ..info },
        7 => ListenInfo { udp_reuse_port: true, port: ListenPort::Fixed(around.taken_port), ..info },
        8 => ListenInfo { send_buffer_bytes: buffer_bytes, ..info },
        _ => ListenInfo { receive_buffer_bytes: buffer_bytes, ..info },
    }
}

fn connect_options(dice: &mut Dice) -> PlainConnectOptions {
    let port = |dice: &mut Dice| dice.pick(&[None, Some(0), Some(1), Some(u16::MAX)]).copied().flatten();
    let ip = dice.chance(80).then(|| any_ip(dice));
    PlainConnectOptions { ip, port: port(dice), rtcp_port: port(dice), srtp_parameters: None }
}

fn any_ip(dice: &mut Dice) -> IpAddr {
    let addresses: [IpAddr; 9] = [
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv4Addr::BROADCAST.into(),
        Ipv4Addr::new(224, 0, 0, 1).into(),
        // TEST-NET-3 (RFC 5737): nobody has it.
        Ipv4Addr::new(203, 0, 113, 1).into(),
        Ipv4Addr::new(127, 255, 255, 254).into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into(),
    ];
    dice.pick(&addresses).copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn any_port(dice: &mut Dice) -> ListenPort {
    let ports = [
        ListenPort::Any,
        ListenPort::Fixed(0),
        ListenPort::Fixed(u16::MAX),
        ListenPort::Range { min: 0, max: 0 },
        ListenPort::Range { min: 0, max: u16::MAX },
        ListenPort::Range { min: u16::MAX, max: 1 },
        ListenPort::Range { min: u16::MAX, max: u16::MAX },
        ListenPort::Range { min: 40_000, max: 40_100 },
    ];
    dice.pick(&ports).copied().unwrap_or(ListenPort::Any)
}

fn any_text<const MAX: usize>(dice: &mut Dice) -> Text<MAX> {
    let long = "\u{10ffff}x".repeat(MAX);
    Text::clipped(
        dice.pick(&["", "\0", "video/VP8", "AUDIO/OPUS", "/rtx", "x/rtx", long.as_str()]).unwrap_or(&""),
    )
}

fn produce(command: Command, dice: &mut Dice) -> Command {
    let Command::Produce {
        transport,
        producer,
        mut kind,
        mut rtp_parameters,
        mut rtp_mapping,
        mut paused,
        mut key_frame_request_delay_ms,
    } = command
    else {
        return command;
    };
    match dice.below(6) {
        0 => kind = other_kind(kind),
        1 => paused = true,
        2 => key_frame_request_delay_ms = *dice.pick(&[1, u32::MAX]).unwrap_or(&1),
        3 => rtp_mapping = spoil_mapping(rtp_mapping, dice),
        _ => rtp_parameters = spoil_parameters(rtp_parameters, dice),
    }
    Command::Produce {
        transport,
        producer,
        kind,
        rtp_parameters,
        rtp_mapping,
        paused,
        key_frame_request_delay_ms,
    }
}

fn consume(command: Command, dice: &mut Dice) -> Command {
    let Command::Consume {
        transport,
        consumer,
        mut producer,
        mut kind,
        mut rtp_parameters,
        mut consumer_type,
        mut consumable_ssrcs,
        mut paused,
        mut ignore_dtx,
    } = command
    else {
        return command;
    };
    match dice.below(9) {
        0 => kind = other_kind(kind),
        1 => paused = true,
        2 => ignore_dtx = true,
        3 => {
            consumer_type =
                *dice.pick(&[RtpType::Simulcast, RtpType::Svc, RtpType::Pipe]).unwrap_or(&RtpType::Svc)
        }
        4 => consumable_ssrcs = List::first_of((0..dice.below(17)).map(|_| u32::MAX)),
        5 => producer = ProducerId(dice.any()),
        _ => rtp_parameters = spoil_parameters(rtp_parameters, dice),
    }
    Command::Consume {
        transport,
        consumer,
        producer,
        kind,
        rtp_parameters,
        consumer_type,
        consumable_ssrcs,
        paused,
        ignore_dtx,
    }
}

fn other_kind(kind: MediaKind) -> MediaKind {
    match kind {
        MediaKind::Audio => MediaKind::Video,
        MediaKind::Video => MediaKind::Audio,
    }
}

fn spoil_mapping(mapping: RtpMapping, dice: &mut Dice) -> RtpMapping {
    let first = mapping.encodings.first().cloned();
    match dice.below(4) {
        0 => RtpMapping::default(),
        1 => RtpMapping { codecs: List::new(), ..mapping },
        2 => RtpMapping { encodings: List::first_of(first.into_iter().cycle().take(16)), ..mapping },
        _ => {
            let codecs = mapping.codecs.iter().copied().map(|mut codec| {
                codec.mapped_payload_type = *dice.pick(&[0, 127, 128, 255]).unwrap_or(&0);
                codec
            });
            RtpMapping { codecs: List::first_of(codecs), encodings: mapping.encodings.clone() }
        }
    }
}

fn spoil_parameters(mut parameters: RtpParameters, dice: &mut Dice) -> RtpParameters {
    match dice.below(5) {
        0 => parameters.mid = Some(any_text(dice)),
        1 => parameters.rtcp.cname = any_text(dice),
        2 => parameters.header_extensions = spoil_extensions(&parameters, dice),
        3 => parameters.encodings = List::first_of(spoil_encodings(&parameters, dice)),
        _ => spoil_codecs(&mut parameters, dice),
    }
    parameters
}

fn spoil_extensions(parameters: &RtpParameters, dice: &mut Dice) -> List<RtpHeaderExtensionParameters, 32> {
    let first = parameters.header_extensions.first().cloned();
    let many = first.into_iter().cycle().take(dice.below(33)).zip(1u8..);
    let numbered = many.map(|(mut extension, id)| {
        match dice.below(8) {
            0 => extension.id = *dice.pick(&[0, 14, 15, 16, 255]).unwrap_or(&0),
            1 => extension.encrypt = true,
            2 => extension.uri = any_text(dice),
            _ => extension.id = id,
        }
        extension
    });
    List::first_of(numbered)
}

fn spoil_encodings(parameters: &RtpParameters, dice: &mut Dice) -> Vec<RtpEncodingParameters> {
    let first = parameters.encodings.first().cloned().unwrap_or_default();
    match dice.below(6) {
        0 => Vec::new(),
        1 => vec![first; 16],
        2 => vec![RtpEncodingParameters { ssrc: None, rid: None, ..first }],
        3 => vec![RtpEncodingParameters { rid: Some(any_text(dice)), ..first }],
        4 => vec![RtpEncodingParameters { rtx_ssrc: first.ssrc, ..first }],
        _ => vec![RtpEncodingParameters {
            ssrc: dice.pick(&[Some(0), Some(u32::MAX), None]).copied().flatten(),
            codec_payload_type: Some(*dice.pick(&[0, 97, 255]).unwrap_or(&0)),
            scalability_mode: Some(any_text(dice)),
            max_bitrate: Some(u64::MAX),
            ..first
        }],
    }
}

fn spoil_codecs(parameters: &mut RtpParameters, dice: &mut Dice) {
    let mut codecs = std::mem::take(&mut parameters.codecs).into_vec();
    let at = dice.below(codecs.len());
    if let Some(codec) = codecs.get_mut(at) {
        match dice.below(6) {
            0 => codec.payload_type = *dice.pick(&[0, 96, 127, 128, 255]).unwrap_or(&0),
            1 => codec.clock_rate = *dice.pick(&[0, 1, u32::MAX]).unwrap_or(&0),
            2 => codec.mime_type = any_text(dice),
            3 => codec.rtcp_feedback = List::new(),
            4 => codec.parameters = List::first_of((0..dice.below(33)).map(|_| any_parameter(dice))),
            _ => codec.channels = Some(*dice.pick(&[0, 255]).unwrap_or(&0)),
        }
    }
    if dice.chance(20) {
        let first = codecs.first().cloned();
        codecs = first.into_iter().cycle().take(64).collect();
    }
    parameters.codecs = List::first_of(codecs);
}

fn any_parameter(dice: &mut Dice) -> CodecParameter {
    let numbers = [i64::MIN, -1, 0, 96, 256, i64::MAX];
    let value = if dice.chance(50) {
        ParameterValue::Number(*dice.pick(&numbers).unwrap_or(&0))
    } else {
        ParameterValue::Text(any_text(dice))
    };
    let name = if dice.chance(50) { Text::clipped("apt") } else { any_text(dice) };
    CodecParameter { name, value }
}
