//! Transport: where media comes in from one peer and goes out to it.
//!
//! Knows its producers and consumers by key, whose a received SSRC is, and what it counts. How bytes travel is the
//! business of its `link` and of `protection`; what leaves when is `sender`'s; periodic RTCP is `rtcp`'s; what its peer may send is
//! `congestion`'s.

pub(crate) mod congestion;
pub(crate) mod link;
pub(crate) mod plain;
pub(crate) mod protection;
pub(crate) mod rtcp;
pub(crate) mod sender;
pub(crate) mod webrtc;

use std::time::Duration;

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::dump::{
    NamedProducer, RecvRtpHeaderExtensions, SsrcConsumer, SsrcProducer, TransportDump,
};
use tidegate_protocol::ids::TransportId;
use tidegate_protocol::stats::{DroppedPackets, TransportStats};

use crate::media::demux::Demux;
use crate::media::parameters::ExtensionIds;
use crate::media::ssrc_table::SsrcTable;
use crate::media::traffic::TrafficCounter;
use crate::media::transport::congestion::Congestion;
use crate::media::transport::link::Link;
use crate::media::transport::protection::Incoming;
use crate::media::transport::rtcp::RtcpSchedule;
use crate::media::transport::sender::Sender;
use crate::media::{
    ConsumerKey, EntityKey, ProducerKey, RouterKey, Tables, TransportKey, consumer, producer,
};
use crate::outbox::LogTag;
use crate::random::Random;
use crate::rtp::ExtensionKind;
use crate::turn::Turn;

/// A transport's own state.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) id: TransportId,
    pub(crate) router: RouterKey,
    pub(crate) producers: Vec<ProducerKey>,
    pub(crate) consumers: Vec<ConsumerKey>,
    /// Received streams.
    pub(crate) demux: Demux,
    /// Ids of header extensions in received packets: those of its producers together.
    pub(crate) received_extensions: ExtensionIds,
    /// Whose feedback about a sent SSRC it is, retransmissions included.
    pub(crate) feedback_to: SsrcTable<ConsumerKey>,
    pub(crate) sender: Sender,
    pub(crate) rtcp: RtcpSchedule,
    /// Only where feedback about what arrives was negotiated, or a limit set.
    pub(crate) congestion: Option<Box<Congestion>>,
    pub(crate) counters: Counters,
    pub(crate) link: Link,
    /// How what comes in is protected; what goes out is so by its `sender`.
    pub(crate) incoming: Incoming,
}

const _: () = assert!(size_of::<Transport>() <= 1_176);

/// What a transport counts.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) received: TrafficCounter,
    pub(crate) sent: TrafficCounter,
    pub(crate) rtp_received: TrafficCounter,
    pub(crate) rtp_sent: TrafficCounter,
    pub(crate) rtx_received: TrafficCounter,
    pub(crate) rtx_sent: TrafficCounter,
    /// Made when there is some.
    fec_received: Option<Box<TrafficCounter>>,
    pub(crate) dropped: DroppedPackets,
}

impl Transport {
    pub(crate) fn new(id: TransportId, router: RouterKey, link: Link, random: &mut Random) -> Self {
        Self {
            id,
            router,
            producers: Vec::new(),
            consumers: Vec::new(),
            demux: Demux::new(random.hasher()),
            received_extensions: ExtensionIds::default(),
            feedback_to: SsrcTable::new(),
            sender: Sender::new(random),
            rtcp: RtcpSchedule::new(random.next_u32()),
            congestion: None,
            counters: Counters::new(),
            link,
            incoming: Incoming::Clear,
        }
    }
}

impl Counters {
    /// Forward error correction, counted from now on if there was none before.
    pub(crate) fn fec_received(&mut self) -> &mut TrafficCounter {
        self.fec_received.get_or_insert_with(|| Box::new(TrafficCounter::new(WINDOW)))
    }

    fn new() -> Self {
        let counter = || TrafficCounter::new(WINDOW);
        Self {
            received: counter(),
            sent: counter(),
            rtp_received: counter(),
            rtp_sent: counter(),
            rtx_received: counter(),
            rtx_sent: counter(),
            fec_received: None,
            dropped: DroppedPackets::default(),
        }
    }
}

/// Rates are those of the last second.
const WINDOW: Duration = Duration::from_secs(1);

/// Makes a new transport known by its id, and to its router.
fn enrol(tables: &mut Tables, router: RouterKey, key: TransportKey) {
    let Some(transport) = tables.transports.get(key) else { return };
    tables.ids.insert(transport.id.into(), EntityKey::Transport(key));
    if let Some(router) = tables.routers.get_mut(router) {
        router.transports.push(key);
    }
}

/// Closes a transport: its consumers, its producers and their consumers elsewhere, its sockets.
pub(crate) fn close(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    let consumers = std::mem::take(&mut transport.consumers);
    let producers = std::mem::take(&mut transport.producers);
    for consumer in consumers {
        consumer::close(tables, consumer, turn);
    }
    for producer in producers {
        producer::close(tables, producer, turn);
    }
    let Some(mut transport) = tables.transports.remove(key) else { return };
    tables.forget(transport.id);
    turn.debug(LogTag::Info, || format!("transport {}: closed", transport.id.0));
    match &mut transport.link {
        Link::Plain(plain) => {
            for socket in plain.sockets() {
                tables.sockets.leave(socket, key, turn);
            }
        }
        Link::WebRtc(webrtc) => webrtc::create::close(tables, key, webrtc, turn),
    }
    if let Some(router) = tables.routers.get_mut(transport.router) {
        router.transports.retain(|other| *other != key);
    }
}

/// A transport's state.
pub(crate) fn dump(tables: &Tables, key: TransportKey) -> Option<TransportDump> {
    let transport = tables.transports.get(key)?;
    let router = tables.routers.get(transport.router)?;
    let producer_id = |key| Some(tables.producers.get(key)?.id);
    let named = |(name, key): (&str, _)| {
        Some(NamedProducer { name: Text::clipped(name), producer: producer_id(key)? })
    };
    let ssrcs = transport.demux.ssrcs();
    let sent_as = |is_media| {
        transport.feedback_to.iter().filter_map(move |(ssrc, key)| {
            let consumer = tables.consumers.get(key)?;
            let entry = SsrcConsumer { ssrc, consumer: consumer.id };
            ((consumer.stream.ssrc == ssrc) == is_media).then_some(entry)
        })
    };
    Some(TransportDump {
        transport: transport.id,
        router: router.id,
        producer_ids: List::first_of(tables.producer_ids(&transport.producers)),
        consumer_ids: List::first_of(tables.consumer_ids(&transport.consumers)),
        ssrc_table: List::first_of(
            ssrcs.filter_map(|(ssrc, key)| Some(SsrcProducer { ssrc, producer: producer_id(key)? })),
        ),
        mid_table: List::first_of(transport.demux.mids().filter_map(named)),
        rid_table: List::first_of(transport.demux.rids().filter_map(named)),
        ssrc_consumers: List::first_of(sent_as(true)),
        rtx_ssrc_consumers: List::first_of(sent_as(false)),
        recv_rtp_header_extensions: extension_ids(&transport.received_extensions),
        plain: transport.link.plain_dump(),
        webrtc: webrtc::dump(tables, transport),
    })
}

/// A transport's counters.
pub(crate) fn stats(tables: &Tables, key: TransportKey, turn: &Turn<'_>) -> Option<TransportStats> {
    let transport = tables.transports.get(key)?;
    let (counters, now) = (&transport.counters, turn.now);
    let congestion = transport.congestion.as_deref();
    let mut dropped = counters.dropped;
    for stats in transport.link.sockets().filter_map(|socket| turn.network.socket_stats(socket)) {
        dropped.no_memory += stats.dropped_no_memory;
        dropped.send_failed += stats.dropped_send_buffer + stats.send_errors.total();
    }
    Some(TransportStats {
        transport: transport.id,
        timestamp_ms: now.as_millis(),
        received: counters.received.stats(now),
        sent: counters.sent.stats(now),
        rtp_received: counters.rtp_received.stats(now),
        rtp_sent: counters.rtp_sent.stats(now),
        rtx_received: counters.rtx_received.stats(now),
        rtx_sent: counters.rtx_sent.stats(now),
        fec_received: counters.fec_received.as_ref().map(|fec| fec.stats(now)).unwrap_or_default(),
        probation_sent: None,
        dropped,
        available_outgoing_bitrate: None,
        available_incoming_bitrate: None,
        max_incoming_bitrate: congestion.map_or(0, |own| own.max_incoming_bitrate()),
        rtp_packet_loss_received_ppm: congestion.and_then(|own| own.packet_loss_ppm()),
        rtp_packet_loss_sent_ppm: None,
        plain: transport.link.plain_stats(),
        webrtc: webrtc::stats(tables, transport, turn),
    })
}

/// Tells a transport's consumers that packets can leave now.
pub(crate) fn on_connected(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get(key) else { return };
    for consumer in transport.consumers.clone() {
        consumer::on_transport_connected(tables, consumer, turn);
    }
    rtcp::arm(tables, key, turn.now);
}

/// Tells a transport's consumers that packets cannot leave any more.
pub(crate) fn on_disconnected(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get(key) else { return };
    for consumer in transport.consumers.clone() {
        consumer::on_transport_disconnected(tables, consumer, turn);
    }
}

fn extension_ids(ids: &ExtensionIds) -> RecvRtpHeaderExtensions {
    let id = |kind| ids.get(kind).map(|id| id.get());
    RecvRtpHeaderExtensions {
        mid: id(ExtensionKind::Mid),
        rid: id(ExtensionKind::Rid),
        rrid: id(ExtensionKind::RepairedRid),
        abs_send_time: id(ExtensionKind::AbsSendTime),
        transport_wide_cc: id(ExtensionKind::TransportWideCc),
    }
}
