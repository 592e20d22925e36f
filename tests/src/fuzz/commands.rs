//! Requests as a host would make them, and as no host should: what is drawn, and what its answer must be.
//!
//! Knows the protocol and the [`Model`]. Does not know how bytes travel. Called by lives; the builders also by
//! `tests/pipe.rs`. Invariant: [`Expect::Good`] and [`Expect::Refused`] are certain, not likely.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::{ConsumerId, ObserverId, ProducerId, RouterId, TransportId};
use tidegate_protocol::message::{LogLevel, LogTag};
use tidegate_protocol::observer::AudioLevelObserverOptions;
use tidegate_protocol::request::Command;
use tidegate_protocol::rtp::{
    CodecMapping, CodecParameter, EncodingMapping, MediaKind, ParameterValue, RtcpFeedback, RtcpParameters,
    RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpMapping, RtpParameters,
    RtpType,
};
use tidegate_protocol::trace::{TraceType, TraceTypes};
use tidegate_protocol::transport::{
    ListenInfo, ListenPort, PlainConnectOptions, PlainTransportOptions, Protocol,
};

use super::Dice;
use super::model::{Model, Producer, TRANSPORTS_MAX};
use super::{extremes, webrtc};

/// What a request's answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A good one.
    Good,
    /// An error of this kind.
    Refused(ErrorKind),
    /// Any one, but an internal error.
    Any,
}

/// What a life's requests may refer to outside of the worker.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Receives what the worker sends, and sends to it.
    pub peer: SocketAddr,
    /// A port of 127.0.0.1 that is taken.
    pub taken_port: u16,
}

/// Draws a request.
pub fn draw(model: &mut Model, dice: &mut Dice, around: Surroundings) -> (Command, Expect) {
    match dice.below(100) {
        0..30 => creating(model, dice, around),
        30..42 => webrtc::draw(model, dice),
        42..60 => about_living(model, dice, around),
        60..75 => about_nothing(model, dice, around),
        75..80 => used_id(model, dice, around).unwrap_or_else(|| creating(model, dice, around)),
        80..95 => {
            let (command, _) =
                if dice.chance(75) { creating(model, dice, around) } else { webrtc::draw(model, dice) };
            (extremes::spoil(command, dice, around), Expect::Any)
        }
        _ => about_worker(model, dice),
    }
}

/// A new entity wherever there is room for one; closes one when there is not.
fn creating(model: &mut Model, dice: &mut Dice, around: Surroundings) -> (Command, Expect) {
    let router = dice.pick(&model.routers).copied();
    let transport = dice.pick(&model.transports).map(|transport| transport.id);
    let producer = dice.pick(&model.producers).cloned();
    let command = match (dice.below(11), router, transport, producer) {
        (1..4, Some(router), _, _) if model.transports.len() < TRANSPORTS_MAX => {
            let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
            create_transport(
                router,
                model.fresh_id(),
                plain_options(listen, dice.chance(70), dice.chance(40)),
            )
        }
        (4..6, _, Some(transport), _) if model.producers.len() < PRODUCERS_MAX => {
            let ordinary = model.transports.iter().any(|it| it.id == transport && it.ordinary);
            let expect = if ordinary { Expect::Good } else { Expect::Any };
            return (produce(transport, model.fresh_id(), dice.chance(70)), expect);
        }
        (10, Some(router), _, _) if model.observers.len() < OBSERVERS_MAX => {
            create_observer(router, model.fresh_id(), dice.chance(50))
        }
        (6.., _, Some(_), Some(producer)) if model.consumers.len() < CONSUMERS_MAX => {
            let router = model.router_of(producer.transport);
            let beside = model.transports.iter().filter(|transport| Some(transport.router) == router);
            let beside: Vec<u64> = beside.map(|transport| transport.id).collect();
            let transport = dice.pick(&beside).copied().unwrap_or(producer.transport);
            let expect = if producer.ordinary { Expect::Good } else { Expect::Any };
            return (consume(transport, model.fresh_id(), &producer), expect);
        }
        _ if model.routers.len() < ROUTERS_MAX => {
            Command::CreateRouter { router: RouterId(model.fresh_id()) }
        }
        _ => return about_living(model, dice, around),
    };
    (command, Expect::Good)
}

/// Something that a living entity can do.
fn about_living(model: &Model, dice: &mut Dice, around: Surroundings) -> (Command, Expect) {
    let draw = dice.below(COMMANDS_PER_ENTITY);
    let closes = dice.chance(15);
    let command = match dice.below(5) {
        4 if !model.observers.is_empty() => return about_observer_and_producer(model, dice, draw, closes),
        0 => dice.pick(&model.routers).map(|router| about_router(*router, if closes { 0 } else { 1 })),
        1 => match dice.pick(&model.transports) {
            Some(transport) if transport.connectable && dice.chance(50) => {
                let rtcp_port = (!transport.rtcp_mux).then(|| around.peer.port());
                return (connect(transport.id, around.peer, rtcp_port), Expect::Good);
            }
            Some(transport) if dice.chance(10) => {
                return (connect(transport.id, around.peer, None), Expect::Any);
            }
            Some(transport) => Some(about_transport(transport.id, if closes { 0 } else { draw.max(1) })),
            None => None,
        },
        2 => {
            dice.pick(&model.producers).map(|it| about_producer(it.id, if closes { 0 } else { draw.max(1) }))
        }
        _ => {
            dice.pick(&model.consumers).map(|it| about_consumer(it.id, if closes { 0 } else { draw.max(1) }))
        }
    };
    command.map_or((Command::DumpWorker, Expect::Good), |command| (command, Expect::Good))
}

/// Something that a living observer can do, with a living producer or alone.
fn about_observer_and_producer(
    model: &Model,
    dice: &mut Dice,
    draw: usize,
    closes: bool,
) -> (Command, Expect) {
    let alone = |id| (about_observer(id, if closes { 0 } else { draw.max(1) }), Expect::Good);
    let Some(observer) = dice.pick(&model.observers).copied() else {
        return (Command::DumpWorker, Expect::Good);
    };
    let Some(producer) = dice.pick(&model.producers).filter(|_| draw >= 3 && !closes) else {
        return alone(observer.id);
    };
    let may_observe = model.may_observe(observer.id, producer.id);
    let (observer_id, producer_id) = (ObserverId(observer.id), ProducerId(producer.id));
    if dice.chance(30) {
        let expect = if may_observe { Expect::Any } else { Expect::Refused(ErrorKind::NotFound) };
        let command = Command::RemoveObservedProducer { observer: observer_id, producer: producer_id };
        return (command, expect);
    }
    let expect = match producer.kind {
        _ if model.router_of(producer.transport) != Some(observer.router) => {
            Expect::Refused(ErrorKind::NotFound)
        }
        MediaKind::Video => Expect::Refused(ErrorKind::InvalidArgument),
        MediaKind::Audio if may_observe => Expect::Any,
        MediaKind::Audio => Expect::Good,
    };
    (Command::AddObservedProducer { observer: observer_id, producer: producer_id }, expect)
}

/// Something about an id that names nothing, or something of another kind.
fn about_nothing(model: &mut Model, dice: &mut Dice, around: Surroundings) -> (Command, Expect) {
    let wrong_kind =
        |own: Vec<u64>| model.ids().into_iter().filter(|id| !own.contains(id)).collect::<Vec<_>>();
    let kind = dice.below(6);
    let own = match kind {
        0 => model.routers.clone(),
        1 | 4 => model.transports.iter().map(|transport| transport.id).collect(),
        2 => model.producers.iter().map(|producer| producer.id).collect(),
        5 => model.observers.iter().map(|observer| observer.id).collect(),
        _ => model.consumers.iter().map(|consumer| consumer.id).collect(),
    };
    let closed: Vec<u64> = model.closed.iter().copied().collect();
    let extreme = *dice.pick(&[0, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 32]).unwrap_or(&0);
    let id = match dice.below(3) {
        0 if model.len() > own.len() => dice.pick(&wrong_kind(own)).copied().unwrap_or(extreme),
        1 if !closed.is_empty() => dice.pick(&closed).copied().unwrap_or(extreme),
        // A mutated request may have made one of those.
        _ if model.was_asked_for(extreme) => return about_worker(model, dice),
        _ => extreme,
    };
    let draw = dice.below(COMMANDS_PER_ENTITY);
    let command = match kind {
        0 if dice.chance(50) => {
            let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
            create_transport(id, model.fresh_id(), plain_options(listen, true, false))
        }
        0 => about_router(id, draw),
        1 if dice.chance(20) => connect(id, around.peer, None),
        1 if dice.chance(20) => Command::Tap { transport: TransportId(id), enabled: dice.chance(50) },
        1 => about_transport(id, draw),
        2 => about_producer(id, draw),
        3 => about_consumer(id, draw),
        5 if dice.chance(20) => {
            Command::AddObservedProducer { observer: ObserverId(id), producer: ProducerId(dice.any()) }
        }
        5 => about_observer(id, draw),
        _ => produce(id, model.fresh_id(), dice.chance(50)),
    };
    (command, Expect::Refused(ErrorKind::NotFound))
}

/// A creation under an id that is taken.
fn used_id(model: &Model, dice: &mut Dice, around: Surroundings) -> Option<(Command, Expect)> {
    let id = *dice.pick(&model.ids())?;
    let router = dice.pick(&model.routers).copied();
    let transport = dice.pick(&model.transports).map(|transport| transport.id);
    let producer = dice.pick(&model.producers);
    let command = match (dice.below(5), router, transport, producer) {
        (4, Some(router), _, _) => create_observer(router, id, dice.chance(50)),
        (1, Some(router), _, _) => {
            let listen = listen_on(around.peer.ip(), ListenPort::Fixed(0));
            create_transport(router, id, plain_options(listen, true, false))
        }
        (2, _, Some(transport), _) => produce(transport, id, true),
        (3, _, _, Some(producer)) => consume(producer.transport, id, producer),
        _ => Command::CreateRouter { router: RouterId(id) },
    };
    Some((command, Expect::Refused(ErrorKind::Duplicate)))
}

fn about_worker(model: &Model, dice: &mut Dice) -> (Command, Expect) {
    match dice.below(7) {
        0 => (Command::DumpWorker, Expect::Good),
        1 => (Command::GetResourceUsage, Expect::Good),
        2 => (Command::GetMetrics, Expect::Good),
        3 => (Command::Drain { deadline_ms: dice.any() }, Expect::Refused(ErrorKind::Unsupported)),
        4 => {
            let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Debug];
            let tags: Vec<LogTag> =
                (0..dice.below(33)).filter_map(|_| dice.pick(&LogTag::ALL).copied()).collect();
            let log_level = dice.pick(&levels).copied();
            (Command::UpdateSettings { log_level, log_tags: List::try_from(tags).ok() }, Expect::Good)
        }
        _ => match dice.pick(&model.transports) {
            Some(transport) => {
                let transport = TransportId(transport.id);
                (Command::Tap { transport, enabled: true }, Expect::Refused(ErrorKind::Unsupported))
            }
            None => (Command::DumpWorker, Expect::Good),
        },
    }
}

/// The `draw`th thing to do with a router; 0 closes it.
pub fn about_router(id: u64, draw: usize) -> Command {
    let router = RouterId(id);
    if draw == 0 { Command::CloseRouter { router } } else { Command::DumpRouter { router } }
}

/// The `draw`th thing to do with a transport; 0 closes it.
pub fn about_transport(id: u64, draw: usize) -> Command {
    let transport = TransportId(id);
    match draw {
        0 => Command::CloseTransport { transport },
        1..4 => Command::DumpTransport { transport },
        _ => Command::GetTransportStats { transport },
    }
}

/// The `draw`th thing to do with a producer; 0 closes it.
pub fn about_producer(id: u64, draw: usize) -> Command {
    let producer = ProducerId(id);
    match draw {
        0 => Command::CloseProducer { producer },
        1 | 2 => Command::DumpProducer { producer },
        3 => Command::GetProducerStats { producer },
        4 => Command::EnableProducerTrace { producer, types: TraceTypes::first_of(TraceType::ALL) },
        5 => Command::PauseProducer { producer },
        _ => Command::ResumeProducer { producer },
    }
}

/// The `draw`th thing to do with a consumer; 0 closes it.
pub fn about_consumer(id: u64, draw: usize) -> Command {
    let consumer = ConsumerId(id);
    match draw {
        0 => Command::CloseConsumer { consumer },
        1 => Command::DumpConsumer { consumer },
        2 => Command::GetConsumerStats { consumer },
        3 => Command::PauseConsumer { consumer },
        4 => Command::ResumeConsumer { consumer },
        5 => Command::SetConsumerPriority { consumer, priority: 255 },
        6 => Command::EnableConsumerTrace { consumer, types: TraceTypes::first_of(TraceType::ALL) },
        _ => Command::RequestKeyFrame { consumer },
    }
}

/// The `draw`th thing to do with an observer alone; 0 closes it.
pub fn about_observer(id: u64, draw: usize) -> Command {
    let observer = ObserverId(id);
    match draw {
        0 => Command::CloseObserver { observer },
        1 | 2 => Command::DumpObserver { observer },
        3 | 4 => Command::PauseObserver { observer },
        _ => Command::ResumeObserver { observer },
    }
}

/// Creates an observer of either kind.
pub fn create_observer(router: u64, id: u64, of_levels: bool) -> Command {
    let (router, observer) = (RouterId(router), ObserverId(id));
    if of_levels {
        let options = AudioLevelObserverOptions { max_entries: 3, threshold: -100, interval_ms: 250 };
        Command::CreateAudioLevelObserver { router, observer, options }
    } else {
        Command::CreateActiveSpeakerObserver { router, observer, interval_ms: 300 }
    }
}

/// Creates a plain transport.
pub fn create_transport(router: u64, id: u64, options: PlainTransportOptions) -> Command {
    Command::CreatePlainTransport { router: RouterId(router), transport: TransportId(id), options }
}

/// Options of a plain transport that listens on `listen_info`.
pub fn plain_options(listen_info: ListenInfo, rtcp_mux: bool, comedia: bool) -> PlainTransportOptions {
    PlainTransportOptions { listen_info, rtcp_listen_info: None, rtcp_mux, comedia, srtp: None }
}

/// Listens there, with the system's buffers and no other wishes.
pub fn listen_on(ip: IpAddr, port: ListenPort) -> ListenInfo {
    ListenInfo {
        protocol: Protocol::Udp,
        ip,
        announced_address: None,
        expose_internal_ip: false,
        port,
        shared: false,
        ipv6_only: false,
        udp_reuse_port: false,
        send_buffer_bytes: 0,
        receive_buffer_bytes: 0,
    }
}

/// Connects a plain transport to `peer`.
pub fn connect(id: u64, peer: SocketAddr, rtcp_port: Option<u16>) -> Command {
    let options = PlainConnectOptions {
        ip: Some(peer.ip()),
        port: Some(peer.port()),
        rtcp_port,
        srtp_parameters: None,
    };
    Command::ConnectPlainTransport { transport: TransportId(id), options }
}

/// Produces VP8 with RTX, or Opus. The SSRCs follow from the id, so that no two producers share one.
pub fn produce(transport: u64, id: u64, is_video: bool) -> Command {
    let rtp_parameters = parameters(ssrc_of(id), is_video);
    Command::Produce {
        transport: TransportId(transport),
        producer: ProducerId(id),
        kind: if is_video { MediaKind::Video } else { MediaKind::Audio },
        rtp_mapping: same_numbers(&rtp_parameters, ssrc_of(id) | MAPPED),
        rtp_parameters,
        paused: false,
        key_frame_request_delay_ms: 0,
    }
}

/// Consumes `producer` as it is.
pub fn consume(transport: u64, id: u64, producer: &Producer) -> Command {
    Command::Consume {
        transport: TransportId(transport),
        consumer: ConsumerId(id),
        producer: ProducerId(producer.id),
        kind: producer.kind,
        rtp_parameters: as_produced(&producer.parameters, ssrc_of(id)),
        consumer_type: RtpType::Simple,
        consumable_ssrcs: List::first_of(producer.mapped_ssrcs.iter().copied().take(1)),
        paused: false,
        ignore_dtx: false,
    }
}

/// Maps payload types onto themselves and encodings onto SSRCs from `first_mapped_ssrc` upwards.
fn same_numbers(parameters: &RtpParameters, first_mapped_ssrc: u32) -> RtpMapping {
    let codecs = parameters.codecs.iter().map(|codec| CodecMapping {
        payload_type: codec.payload_type,
        mapped_payload_type: codec.payload_type,
    });
    let encodings = parameters.encodings.iter().zip(0u32..).map(|(encoding, index)| EncodingMapping {
        ssrc: encoding.ssrc,
        rid: encoding.rid.clone(),
        scalability_mode: encoding.scalability_mode.clone(),
        mapped_ssrc: first_mapped_ssrc.wrapping_add(index),
    });
    RtpMapping { codecs: List::first_of(codecs), encodings: List::first_of(encodings) }
}

/// The producer's parameters without MID, as one stream of `ssrc`, and of the next one for RTX where there is RTX.
fn as_produced(parameters: &RtpParameters, ssrc: u32) -> RtpParameters {
    let has_rtx = parameters.codecs.iter().any(|codec| codec.is_rtx());
    let encoding = RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx_ssrc: has_rtx.then(|| ssrc.wrapping_add(1)),
        dtx: parameters.encodings.iter().any(|encoding| encoding.dtx),
        ..Default::default()
    };
    RtpParameters { mid: None, encodings: List::first_of([encoding]), ..parameters.clone() }
}

/// The SSRC of the entity with this id; the next one is its RTX stream's.
pub fn ssrc_of(id: u64) -> u32 {
    u32::try_from(id % u64::from(MAPPED)).unwrap_or(0)
}

/// One stream of VP8 with RTX, or of Opus with RED.
pub fn parameters(ssrc: u32, is_video: bool) -> RtpParameters {
    let extensions = [
        ("urn:ietf:params:rtp-hdrext:sdes:mid", 1),
        ("http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", 2),
        ("urn:ietf:params:rtp-hdrext:ssrc-audio-level", 3),
    ];
    let extensions = extensions.map(|(uri, id)| RtpHeaderExtensionParameters {
        uri: Text::clipped(uri),
        id,
        encrypt: false,
    });
    let encoding = RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx_ssrc: is_video.then_some(ssrc + 1),
        ..Default::default()
    };
    RtpParameters {
        mid: None,
        codecs: List::first_of(if is_video { video_codecs() } else { vec![opus(), red()] }),
        header_extensions: List::first_of(extensions),
        encodings: List::first_of([encoding]),
        rtcp: RtcpParameters { cname: Text::clipped("fuzz"), reduced_size: true },
    }
}

fn video_codecs() -> Vec<RtpCodecParameters> {
    let feedback = [("nack", ""), ("nack", "pli"), ("ccm", "fir")];
    let feedback = feedback.map(|(kind, parameter)| RtcpFeedback {
        kind: Text::clipped(kind),
        parameter: Text::clipped(parameter),
    });
    let vp8 = RtpCodecParameters {
        mime_type: Text::clipped("video/VP8"),
        payload_type: VIDEO_PAYLOAD_TYPE,
        clock_rate: 90_000,
        channels: None,
        parameters: List::new(),
        rtcp_feedback: List::first_of(feedback),
    };
    let apt = ParameterValue::Number(VIDEO_PAYLOAD_TYPE.into());
    let rtx = RtpCodecParameters {
        mime_type: Text::clipped("video/rtx"),
        payload_type: VIDEO_PAYLOAD_TYPE + 1,
        parameters: List::first_of([CodecParameter { name: Text::clipped("apt"), value: apt }]),
        rtcp_feedback: List::new(),
        ..vp8.clone()
    };
    vec![vp8, rtx]
}

fn opus() -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: Text::clipped("audio/opus"),
        payload_type: AUDIO_PAYLOAD_TYPE,
        clock_rate: 48_000,
        channels: Some(2),
        parameters: List::new(),
        rtcp_feedback: List::new(),
    }
}

fn red() -> RtpCodecParameters {
    let blocks = ParameterValue::Text(Text::clipped("111/111"));
    RtpCodecParameters {
        mime_type: Text::clipped("audio/red"),
        payload_type: RED_PAYLOAD_TYPE,
        parameters: List::first_of([CodecParameter { name: Text::clipped(""), value: blocks }]),
        ..opus()
    }
}

/// The payload type of VP8; its RTX has the next one.
pub const VIDEO_PAYLOAD_TYPE: u8 = 96;
/// The payload type of Opus.
pub const AUDIO_PAYLOAD_TYPE: u8 = 111;
/// The payload type of RED, whose blocks are Opus.
pub const RED_PAYLOAD_TYPE: u8 = 63;
/// Marks the SSRCs by which the router names encodings.
const MAPPED: u32 = 1 << 31;
const COMMANDS_PER_ENTITY: usize = 8;
const ROUTERS_MAX: usize = 6;
const PRODUCERS_MAX: usize = 40;
const CONSUMERS_MAX: usize = 150;
const OBSERVERS_MAX: usize = 30;
