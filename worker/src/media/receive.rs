//! A datagram's way in: whose it is, whether it is RTP or RTCP, and to its producer.
//!
//! Knows sockets, transports and the first look at a packet. Nothing that arrives here can be trusted; what is
//! dropped is counted by reason in its transport's statistics.

use tidegate_protocol::event::Event;
use tidegate_protocol::ids::TransportId;

use crate::base::pool::Buffer;
use crate::base::time::Time;
use crate::media::demux::{Place, Role};
use crate::media::forward::Run;
use crate::media::producer::admit::{Admitted, Received};
use crate::media::sockets::{Found, Owner, Purpose};
use crate::media::transport::congestion::{Look, Timers};
use crate::media::transport::link::Link;
use crate::media::transport::plain::{Plain, Source};
use crate::media::transport::protection::{Incoming, Unopened};
use crate::media::transport::webrtc::arrival;
use crate::media::transport::{Transport, on_connected, rtcp};
use crate::media::{Tables, TransportKey, feedback, producer};
use crate::network::Datagram;
use crate::outbox::LogTag;
use crate::rtp;
use crate::rtp::datagram::DatagramKind;
use crate::rtp::header::Header;
use crate::turn::Turn;

/// Takes a datagram in.
pub(crate) fn on_datagram(tables: &mut Tables, datagram: Datagram, turn: &mut Turn<'_>) {
    tables.metrics.memory.on_arrival();
    let owner = match find(tables, &datagram, turn) {
        Found::Ice(port) => return arrival::on_datagram(tables, port, datagram, turn),
        Found::Owner(owner) => Some(owner),
        Found::OneOf(owners) => pick(tables, &owners, &datagram),
        Found::Nobody => None,
    };
    tables.runs.set_in_hand(owner.map(|owner| owner.transport));
    let Some((owner, transport)) =
        owner.and_then(|owner| Some((owner, tables.transports.get_mut(owner.transport)?)))
    else {
        tables.metrics.datagrams_unmatched += 1;
        turn.debug(LogTag::Rtp, || format!("nobody expects a datagram from {}", datagram.remote));
        return;
    };
    let source = transport.link.source(owner.purpose, datagram.remote);
    if source == Source::Stranger {
        transport.counters.dropped.wrong_source += 1;
        tell_dropped(transport, "not from its peer", &datagram, turn);
        return;
    }
    if datagram.truncated {
        transport.counters.dropped.too_large += 1;
        tell_dropped(transport, "too large", &datagram, turn);
        return;
    }
    let mux = transport.link.rtcp_mux();
    match (DatagramKind::of(&datagram.buffer), owner.purpose) {
        (DatagramKind::Rtp, Purpose::Rtp) => on_rtp(tables, owner, source, datagram, turn),
        (DatagramKind::Rtcp, Purpose::Rtcp) => on_rtcp(tables, owner, source, datagram, turn),
        (DatagramKind::Rtcp, Purpose::Rtp) if mux => on_rtcp(tables, owner, source, datagram, turn),
        _ => {
            transport.counters.dropped.not_rtp += 1;
            tell_dropped(transport, "neither RTP nor RTCP", &datagram, turn);
        }
    }
}

/// A connection that is nobody's yet is looked at by who listens where it came from.
fn find(tables: &Tables, datagram: &Datagram, turn: &Turn<'_>) -> Found {
    match tables.sockets.find(datagram.socket, datagram.remote) {
        Found::Nobody => match turn.network.listener_of(datagram.socket) {
            Some(listener) => tables.sockets.find(listener, datagram.remote),
            None => Found::Nobody,
        },
        found => found,
    }
}

/// Takes SRTP or SRTCP from a way that the peer of a WebRTC transport has proven.
pub(crate) fn on_media(
    tables: &mut Tables,
    transport: TransportKey,
    kind: DatagramKind,
    datagram: Datagram,
    turn: &mut Turn<'_>,
) {
    let owner = Owner { transport, purpose: Purpose::Rtp };
    match kind {
        DatagramKind::Rtp => on_rtp(tables, owner, Source::Peer, datagram, turn),
        _ => on_rtcp(tables, owner, Source::Peer, datagram, turn),
    }
}

/// For the log: why a datagram goes no further.
#[track_caller]
fn tell_dropped(transport: &Transport, why: &str, datagram: &Datagram, turn: &mut Turn<'_>) {
    turn.debug(LogTag::Rtp, || {
        format!("transport {}: drops a datagram from {}: {why}", transport.id.0, datagram.remote)
    });
}

/// On a shared socket, from an address that nobody knows: the comedia transport whose producer announced the SSRC.
fn pick(tables: &Tables, owners: &[Owner], datagram: &Datagram) -> Option<Owner> {
    let ssrc = rtp::header::ssrc(&datagram.buffer)?;
    let announced = |owner: &&Owner| {
        let transport = tables.transports.get(owner.transport);
        transport.is_some_and(|transport| {
            transport.demux.knows(ssrc)
                && transport.link.source(owner.purpose, datagram.remote) == Source::Unheard
        })
    };
    owners.iter().filter(|owner| owner.purpose == Purpose::Rtp).find(announced).copied()
}

/// Takes SRTP off, where it was asked for, from what `open` opens. `None`: the datagram goes no further, which is counted.
fn opened(
    transport: &mut Transport,
    mut datagram: Datagram,
    open: fn(&mut Incoming, &mut [u8], Time) -> Result<usize, Unopened>,
    turn: &mut Turn<'_>,
) -> Option<Datagram> {
    let dropped = &mut transport.counters.dropped;
    let (counter, why) = match open(&mut transport.incoming, &mut datagram.buffer, turn.now) {
        Ok(bytes) => {
            datagram.buffer.set_len(bytes);
            return Some(datagram);
        }
        Err(Unopened::Malformed) => (&mut dropped.bad_header, "too short or broken for SRTP"),
        Err(Unopened::Unauthenticated) => (&mut dropped.unauthenticated, "not authentic"),
        Err(Unopened::Replayed) => (&mut dropped.replayed, "replayed"),
        Err(Unopened::TooManyStreams) => (&mut dropped.unknown_ssrc, "of one SSRC too many"),
    };
    *counter += 1;
    tell_dropped(transport, why, &datagram, turn);
    None
}

fn on_rtp(tables: &mut Tables, owner: Owner, source: Source, datagram: Datagram, turn: &mut Turn<'_>) {
    let Tables { transports, producers, deadlines, .. } = tables;
    let Some(transport) = transports.get_mut(owner.transport) else { return };
    let wire_bytes = datagram.buffer.len() as u64;
    let Some(datagram) = opened(transport, datagram, Incoming::open_rtp, turn) else { return };
    let Ok(header) = Header::parse(&datagram.buffer) else {
        transport.counters.dropped.bad_header += 1;
        tell_dropped(transport, "its RTP header is broken", &datagram, turn);
        return;
    };
    let place =
        transport.demux.find(&header, &datagram.buffer, &transport.received_extensions, producers, turn.now);
    // A transport that expects streams is not taken over by a packet of none of them.
    if place.is_none() && !(source == Source::Unheard && transport.demux.is_empty()) {
        if let Some(congestion) = transport.congestion.as_deref_mut().filter(|_| source == Source::Peer) {
            let mut timers = Timers { deadlines, transport: owner.transport, now: turn.now };
            congestion.on_packet(Look::at(&header, &datagram), &transport.received_extensions, &mut timers);
        }
        transport.counters.dropped.unknown_ssrc += 1;
        tell_dropped(transport, "no producer has its SSRC", &datagram, turn);
        return;
    }
    transport.counters.received.add(turn.now, 1, wire_bytes);
    welcome(tables, owner, source, &datagram, turn);
    match place {
        Some(place) => to_producer(tables, owner.transport, place, header, datagram, turn),
        None => count_unknown(tables, owner.transport),
    }
}

fn count_unknown(tables: &mut Tables, key: TransportKey) {
    if let Some(transport) = tables.transports.get_mut(key) {
        transport.counters.dropped.unknown_ssrc += 1;
    }
}

/// A good packet from somebody: a comedia transport learns its peer, and every one where the peer called.
fn welcome(tables: &mut Tables, owner: Owner, source: Source, datagram: &Datagram, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get_mut(owner.transport) else { return };
    if source == Source::Peer {
        match &mut transport.link {
            Link::Plain(plain) => plain.called_on(owner.purpose, datagram.local_ip),
            Link::WebRtc(_) => arrival::on_authentic(tables, owner.transport, datagram.reply_to(), turn),
        }
        return;
    }
    // On a shared socket somebody else may have this address: `find` then said so, and we are not here.
    if tables.sockets.set_peer(datagram.socket, datagram.remote, owner).is_err() {
        return;
    }
    let id = transport.id;
    turn.debug(LogTag::Info, || {
        format!("transport {}: learns its peer, {:?} {}", id.0, owner.purpose, datagram.remote)
    });
    if let Some(plain) = transport.link.plain_mut() {
        plain.learn(owner.purpose, datagram.reply_to());
        turn.outbox.event(learnt(id, plain, owner.purpose));
    }
    match owner.purpose {
        Purpose::Rtp => on_connected(tables, owner.transport, turn),
        // Media has nowhere to go yet.
        Purpose::Rtcp => rtcp::arm(tables, owner.transport, turn.now),
    }
}

fn learnt(transport: TransportId, plain: &Plain, purpose: Purpose) -> Event {
    match (purpose, plain.rtcp_tuple()) {
        (Purpose::Rtcp, Some(tuple)) => Event::PlainRtcpTuple { transport, tuple },
        _ => Event::PlainTuple { transport, tuple: plain.tuple() },
    }
}

fn to_producer(
    tables: &mut Tables,
    key: TransportKey,
    place: Place,
    header: Header,
    datagram: Datagram,
    turn: &mut Turn<'_>,
) {
    let Tables { transports, producers, deadlines, .. } = tables;
    let Some((transport, producer)) = transports.get_mut(key).zip(producers.get_mut(place.producer)) else {
        return;
    };
    if let Some(congestion) = transport.congestion.as_deref_mut() {
        let (look, mut timers) =
            (Look::at(&header, &datagram), Timers { deadlines, transport: key, now: turn.now });
        congestion.on_packet(look, &transport.received_extensions, &mut timers);
        if !congestion.admits(producer.kind, look, &mut timers) {
            transport.counters.dropped.over_limit += 1;
            tell_dropped(transport, "more than twice the maximum incoming bitrate comes", &datagram, turn);
            return;
        }
    }
    let bytes = datagram.buffer.len() as u64;
    match place.role {
        Role::Media => transport.counters.rtp_received.add(turn.now, 1, bytes),
        Role::Rtx => transport.counters.rtx_received.add(turn.now, 1, bytes),
        Role::Fec => return transport.counters.fec_received().add(turn.now, 1, bytes),
    }
    let received =
        Received { header, buffer: small(datagram.buffer, turn), received_at: datagram.received_at };
    let admitted = producer.admit(place.encoding, place.role, received, turn);
    if admitted.no_memory {
        transport.counters.dropped.no_memory += 1;
        tables.metrics.packets_refused += 1;
    }
    follow_up(tables, place, admitted, turn);
    rtcp::arm(tables, key, turn.now);
}

/// What a packet's arrival sets off.
fn follow_up(tables: &mut Tables, place: Place, admitted: Admitted, turn: &mut Turn<'_>) {
    if admitted.begins_run {
        tables.runs.begin(Run { producer: place.producer, encoding: place.encoding });
    }
    if admitted.lost {
        producer::arm_nacks(tables, place.producer);
    }
    if admitted.awoke {
        producer::arm_silence(tables, place.producer, turn.now);
    }
    if admitted.score_changed {
        producer::upstream::tell_scores(tables, place.producer, turn);
    }
    if admitted.needs_key_frame {
        producer::on_key_frame_needed(tables, place.producer, usize::from(place.encoding), turn);
    }
}

/// A small packet moves to a small buffer: kept for repair it must not hold a large one.
fn small(buffer: Buffer, turn: &mut Turn<'_>) -> Buffer {
    if buffer.len() > crate::base::pool::SMALL_BYTES {
        return buffer;
    }
    turn.pool.copy_small(&buffer).unwrap_or(buffer)
}

fn on_rtcp(tables: &mut Tables, owner: Owner, source: Source, datagram: Datagram, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get_mut(owner.transport) else { return };
    let wire_bytes = datagram.buffer.len() as u64;
    let Some(datagram) = opened(transport, datagram, Incoming::open_rtcp, turn) else { return };
    if crate::rtcp::packets(&datagram.buffer).next().is_none_or(|first| first.is_err()) {
        transport.counters.dropped.bad_header += 1;
        tell_dropped(transport, "it is no RTCP that can be read", &datagram, turn);
        return;
    }
    if source == Source::Unheard && !may_introduce(transport, &datagram.buffer) {
        transport.counters.dropped.wrong_source += 1;
        tell_dropped(transport, "RTCP of nobody that sends a stream of it", &datagram, turn);
        return;
    }
    transport.counters.received.add(turn.now, 1, wire_bytes);
    welcome(tables, owner, source, &datagram, turn);
    feedback::on_compound(tables, owner.transport, &datagram.buffer, datagram.received_at, turn);
}

/// Whether RTCP from an address that was never heard of can be the peer's. As with RTP, a transport that expects
/// streams is taken over only by who sends one of them; a report is easily made.
fn may_introduce(transport: &Transport, compound: &[u8]) -> bool {
    let sender = compound.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    transport.demux.is_empty()
        || transport.link.rtp_destination().is_some()
        || sender.is_some_and(|ssrc| transport.demux.knows(ssrc))
}
