//! What a transport's peer may send: it is told what arrived when (transport-cc), and the limit that the host set (REMB),
//! which is enforced above twice its value.
//!
//! Knows the transport's packets by their first look, and whether its producers negotiated either feedback. Does not
//! know how bytes travel: plain transports use it now, others will. A transport that needs neither has none of this.
//! Invariant: times in feedback are those at which the kernel received the packets, never those of turns.

use std::time::Duration;

use smallvec::SmallVec;
use tidegate_protocol::rtp::MediaKind;

use crate::base::rate::Rate;
use crate::base::sequence::Serial16;
use crate::base::time::Time;
use crate::base::timer::Deadlines;
use crate::bwe::feedback::{Arrivals, INTERVAL};
use crate::media::deadline::Deadline;
use crate::media::parameters::ExtensionIds;
use crate::media::producer::Producer;
use crate::media::refused::Refused;
use crate::media::transport::Transport;
use crate::media::transport::rtcp::write_compound;
use crate::media::{Tables, TransportKey};
use crate::network::Datagram;
use crate::rtp::ExtensionKind;
use crate::rtp::header::Header;
use crate::turn::Turn;

/// What a transport tells its peer about its sending.
#[derive(Debug, Default)]
pub(crate) struct Congestion {
    /// Once a producer negotiated transport-wide feedback; until the transport closes.
    wide: Option<Wide>,
    /// While the host has set one, and until the peer has forgotten it.
    limit: Option<Box<Limit>>,
}

const _: () = assert!(size_of::<Congestion>() <= 80);

#[derive(Debug)]
struct Wide {
    arrivals: Arrivals,
    /// Of the packet that came last.
    media_ssrc: u32,
    armed: bool,
}

/// The limit of what all streams together may take.
#[derive(Debug)]
struct Limit {
    /// Bits per second. 0: none any more, which the peer has yet to be told.
    bitrate: u64,
    /// What was taken in, and the audio of it.
    taken: Rate,
    audio: Rate,
    /// How often the peer has yet to be told that there is no limit.
    unlimited_left: u8,
    /// When the peer may be told next.
    next_at: Time,
    armed: bool,
    /// Packets came since the peer was told.
    active: bool,
}

/// The first look at a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) header: &'a Header,
    pub(crate) packet: &'a [u8],
    pub(crate) received_at: Time,
}

impl<'a> Look<'a> {
    pub(crate) fn at(header: &'a Header, datagram: &'a Datagram) -> Self {
        Self { header, packet: &datagram.buffer, received_at: datagram.received_at }
    }
}

/// Sets timers of one transport.
#[derive(Debug)]
pub(crate) struct Timers<'a> {
    pub(crate) deadlines: &'a mut Deadlines<Deadline>,
    pub(crate) transport: TransportKey,
    pub(crate) now: Time,
}

impl Timers<'_> {
    fn set(&mut self, deadline: fn(TransportKey) -> Deadline, at: Time) {
        let deadline = deadline(self.transport);
        self.deadlines.schedule(deadline, at, deadline.grid());
    }
}

impl Congestion {
    /// Notes the arrival of a packet of the peer, if it has a transport-wide number. All that arrives counts: media,
    /// retransmissions, padding, and what is thrown away later.
    pub(crate) fn on_packet(&mut self, look: Look<'_>, extensions: &ExtensionIds, timers: &mut Timers<'_>) {
        let Some(wide) = &mut self.wide else { return };
        let id = extensions.get(ExtensionKind::TransportWideCc);
        let value = id.and_then(|id| look.header.extensions.get(id, look.packet));
        let Some([high, low, ..]) = value else { return };
        wide.arrivals.on_packet(Serial16::new(u16::from_be_bytes([*high, *low])), look.received_at);
        wide.media_ssrc = look.header.ssrc;
        if !wide.armed && !wide.arrivals.is_empty() {
            wide.armed = true;
            timers.set(Deadline::WideFeedback, timers.now + INTERVAL);
        }
    }

    /// Whether a packet of a producer may be taken in. Above twice the limit over a second it may not: video first,
    /// audio only when there is that much of audio alone.
    pub(crate) fn admits(&mut self, kind: MediaKind, look: Look<'_>, timers: &mut Timers<'_>) -> bool {
        let Some(limit) = self.limit.as_deref_mut().filter(|limit| limit.bitrate > 0) else { return true };
        limit.active = true;
        if !limit.armed {
            limit.armed = true;
            timers.set(Deadline::BitrateLimit, limit.next_at.max(timers.now));
        }
        limit.admits(kind, look.packet.len(), look.received_at)
    }

    /// The limit, bits per second; 0 is none.
    pub(crate) fn max_incoming_bitrate(&self) -> u64 {
        self.limit.as_ref().map_or(0, |limit| limit.bitrate)
    }

    /// Share of the peer's packets that did not arrive lately, in millionths; `None` when none is remembered.
    pub(crate) fn packet_loss_ppm(&self) -> Option<u32> {
        self.wide.as_ref()?.arrivals.loss_ppm()
    }

    /// Whether it believes that its timers are set: for feedback, and for the limit.
    pub(crate) fn is_armed(&self) -> (bool, bool) {
        (
            self.wide.as_ref().is_some_and(|wide| wide.armed),
            self.limit.as_ref().is_some_and(|limit| limit.armed),
        )
    }

    fn is_of_use(&self) -> bool {
        self.wide.is_some() || self.limit.is_some()
    }
}

impl Limit {
    fn new(now: Time) -> Self {
        Self {
            bitrate: 0,
            taken: Rate::new(ENFORCED_OVER),
            audio: Rate::new(ENFORCED_OVER),
            unlimited_left: 0,
            next_at: now,
            armed: false,
            active: false,
        }
    }

    fn admits(&mut self, kind: MediaKind, bytes: usize, at: Time) -> bool {
        let is_audio = kind == MediaKind::Audio;
        let rate = if is_audio { &self.audio } else { &self.taken };
        let with_it = rate.bits_per_second(at).saturating_add(8 * bytes as u64);
        if with_it > self.bitrate.saturating_mul(2) {
            return false;
        }
        self.taken.add(at, bytes);
        if is_audio {
            self.audio.add(at, bytes);
        }
        true
    }
}

/// A producer joins the transport: whether its peer wants to be told what arrives.
pub(crate) fn on_producer(transport: &mut Transport, producer: &Producer) {
    let has_extension = producer.extensions.get(ExtensionKind::TransportWideCc).is_some();
    if has_extension && producer.codecs.iter().any(|codec| codec.feedback.transport_cc) {
        let congestion = transport.congestion.get_or_insert_default();
        let wide = || Wide { arrivals: Arrivals::new(), media_ssrc: 0, armed: false };
        congestion.wide.get_or_insert_with(wide);
    }
}

/// Tells the peer what arrived, and again after [`INTERVAL`] while anything is remembered.
pub(crate) fn on_feedback_deadline(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let Some(transport) = tables.transports.get_mut(key) else { return };
    let Some(mut congestion) = transport.congestion.take() else { return };
    if let Some(wide) = &mut congestion.wide {
        let (own, media) = (transport.rtcp.own_ssrc, wide.media_ssrc);
        let mut more = true;
        while more {
            write_compound(transport, turn, |compound| {
                more = wide.arrivals.write_next(compound, own, media);
                Ok(())
            });
        }
        wide.arrivals.forget(turn.now);
        wide.armed = !wide.arrivals.is_empty();
    }
    let (again, _) = congestion.is_armed();
    transport.congestion = Some(congestion);
    if again {
        tables.schedule(Deadline::WideFeedback(key), turn.now + INTERVAL);
    }
}

/// Limits what the peer's streams together may take, in bits per second; 0 ends that.
pub(crate) fn set_max_incoming_bitrate(
    tables: &mut Tables,
    key: TransportKey,
    bitrate: u64,
    turn: &Turn<'_>,
) -> Result<(), Refused> {
    if bitrate > BITRATE_MAX {
        return Err(Refused::invalid(format!(
            "a maximum incoming bitrate of {bitrate} is above {BITRATE_MAX}; give less, or 0 for no limit"
        )));
    }
    let Tables { transports, deadlines, .. } = tables;
    let Some(transport) = transports.get_mut(key) else {
        return Err(Refused::not_found("this transport is not there any more"));
    };
    let had_limit = transport.congestion.as_ref().is_some_and(|congestion| congestion.limit.is_some());
    if bitrate == 0 && !had_limit {
        return Ok(());
    }
    let congestion = transport.congestion.get_or_insert_default();
    let limit = congestion.limit.get_or_insert_with(|| Box::new(Limit::new(turn.now)));
    if bitrate > 0 {
        limit.unlimited_left = 0;
    } else if limit.bitrate > 0 {
        limit.unlimited_left = UNLIMITED_TOLD;
        limit.next_at = turn.now;
    }
    limit.bitrate = bitrate;
    limit.armed = true;
    let mut timers = Timers { deadlines, transport: key, now: turn.now };
    timers.set(Deadline::BitrateLimit, limit.next_at.max(turn.now));
    Ok(())
}

/// Tells the peer the limit, and again while packets come; or, a few times, that there is none any more.
pub(crate) fn on_limit_deadline(tables: &mut Tables, key: TransportKey, turn: &mut Turn<'_>) {
    let ssrcs = advised_streams(tables, key);
    let Some(transport) = tables.transports.get_mut(key) else { return };
    let Some(mut congestion) = transport.congestion.take() else { return };
    // A timer of before the limit was changed comes too early.
    if let Some(limit) = congestion.limit.as_deref_mut().filter(|limit| limit.next_at <= turn.now) {
        limit.next_at = turn.now + TOLD_EVERY;
        limit.unlimited_left = limit.unlimited_left.saturating_sub(1);
        limit.armed = limit.unlimited_left > 0 || limit.bitrate > 0 && limit.active;
        limit.active = false;
        let (bitrate, own) = (limit.bitrate, transport.rtcp.own_ssrc);
        if let Some(ssrcs) = &ssrcs {
            write_compound(transport, turn, |compound| compound.remb(own, bitrate, ssrcs));
        }
        let (again, at) = (limit.armed, limit.next_at);
        if !again && bitrate == 0 {
            congestion.limit = None;
        }
        if again {
            tables.schedule(Deadline::BitrateLimit(key), at);
        }
    }
    if let Some(transport) = tables.transports.get_mut(key) {
        transport.congestion = Some(congestion).filter(|congestion| congestion.is_of_use());
    }
}

/// The streams that a REMB is about, if the transport has a video producer that negotiated it.
fn advised_streams(tables: &Tables, key: TransportKey) -> Option<SmallVec<[u32; 8]>> {
    let transport = tables.transports.get(key)?;
    let producers = || transport.producers.iter().filter_map(|key| tables.producers.get(*key));
    let agreed = |producer: &Producer| {
        producer.kind == MediaKind::Video && producer.codecs.iter().any(|codec| codec.feedback.remb)
    };
    producers().any(agreed).then(|| {
        let streams = producers().flat_map(|producer| producer.streams().map(|(_, stream)| stream.ssrc));
        streams.take(ADVISED_MAX).collect()
    })
}

/// The peer is told its limit at most this often.
const TOLD_EVERY: Duration = Duration::from_millis(1_500);
/// And this often that there is none any more: packets may be lost.
const UNLIMITED_TOLD: u8 = 4;
/// The limit is enforced over this time.
const ENFORCED_OVER: Duration = Duration::from_secs(1);
/// Largest limit: 2^63 - 2, as other workers have it.
const BITRATE_MAX: u64 = (1 << 63) - 2;
/// Most streams that a REMB names.
const ADVISED_MAX: usize = 255;
const _: () = assert!(size_of::<Limit>() <= 168);
