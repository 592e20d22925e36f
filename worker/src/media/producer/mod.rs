//! Producer: what one peer sends, and who consumes it.
//!
//! Knows its parameters, its received streams (`stream`) and its consumers by key. Does not know what consumers make
//! of its packets. `admit` takes packets in; losses are asked for again and key frames requested upstream from here.

pub(crate) mod admit;
pub(crate) mod describe;
pub(crate) mod key_frames;
pub(crate) mod stats;
pub(crate) mod stream;
pub(crate) mod upstream;

use std::time::Duration;

use smallvec::SmallVec;
use tidegate_protocol::ids::ProducerId;
use tidegate_protocol::rtp::{MediaKind, RtpMapping, RtpParameters, RtpType};

use crate::base::time::Time;
use crate::media::deadline::Deadline;
use crate::media::demux::Role;
use crate::media::observer::{self, Observed};
use crate::media::parameters::{Checked, Codec, Encoding, ExtensionIds, check, check_encodings, fec_ssrcs};
use crate::media::producer::stream::{ReceivedStream, went_off};
use crate::media::refused::Refused;
use crate::media::trace::{Traced, Tracer};
use crate::media::transport::{congestion, rtcp};
use crate::media::{ConsumerKey, EntityKey, ProducerKey, Tables, TransportKey, consumer};
use crate::outbox::LogTag;
use crate::rtp::values::Orientation;
use crate::stream::RTT_UNKNOWN;
use crate::stream::bitrate::INACTIVE_AFTER;
use crate::turn::Turn;

/// A producer's own state.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) transport: TransportKey,
    pub(crate) kind: MediaKind,
    pub(crate) codecs: SmallVec<[Codec; 1]>,
    pub(crate) extensions: ExtensionIds,
    pub(crate) cname: Box<str>,
    pub(crate) encodings: SmallVec<[Encoding; 1]>,
    /// One place an encoding; filled by its first packet.
    streams: SmallVec<[Option<Box<ReceivedStream>>; 1]>,
    pub(crate) consumers: Vec<ConsumerKey>,
    fec_payload_type: Option<u8>,
    /// While somebody observes it.
    pub(crate) observed: Option<Box<Observed>>,
    paused: bool,
    rings_armed: bool,
    silence_armed: bool,
    /// What it tells the host of single packets.
    pub(crate) traced: Traced,
    /// What the host was told of the camera last.
    orientation: Option<Orientation>,
    key_frame_request_delay_ms: u32,
}

const _: () = assert!(size_of::<Producer>() <= 192);

/// How to make a producer.
#[derive(Debug)]
pub(crate) struct ProducerOptions {
    pub(crate) id: ProducerId,
    pub(crate) kind: MediaKind,
    pub(crate) rtp_parameters: RtpParameters,
    pub(crate) rtp_mapping: RtpMapping,
    pub(crate) paused: bool,
    pub(crate) key_frame_request_delay_ms: u32,
}

impl Producer {
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether it believes that the timer for consumers' own histories is set.
    pub(crate) fn rings_armed(&self) -> bool {
        self.rings_armed
    }

    /// Whether it believes that the timer for its streams' silence is set.
    pub(crate) fn silence_armed(&self) -> bool {
        self.silence_armed
    }

    /// What its packets with this payload type carry; `None` when the type was not agreed.
    pub(crate) fn role_of(&self, payload_type: u8) -> Option<Role> {
        let has =
            |of: fn(&Codec) -> Option<u8>| self.codecs.iter().any(|codec| of(codec) == Some(payload_type));
        if self.fec_payload_type == Some(payload_type) {
            Some(Role::Fec)
        } else if has(|codec| codec.rtx_payload_type) {
            Some(Role::Rtx)
        } else {
            has(|codec| Some(codec.payload_type)).then_some(Role::Media)
        }
    }

    /// Whether nothing is heard of the stream of an encoding, any more or yet.
    pub(crate) fn is_silent(&self, encoding: u8, now: Time) -> bool {
        let stream = self.streams.get(usize::from(encoding)).and_then(Option::as_deref);
        stream.is_none_or(|stream| stream.is_silent(now))
    }

    /// Tells the host what it asked for.
    pub(crate) fn tracer(&self) -> Tracer {
        Tracer::of_producer(self.id, self.traced)
    }

    pub(crate) fn rtp_type(&self) -> RtpType {
        match &*self.encodings {
            [encoding] if encoding.is_layered => RtpType::Svc,
            [_] => RtpType::Simple,
            _ => RtpType::Simulcast,
        }
    }

    /// How the router names an encoding.
    pub(crate) fn mapped_ssrc(&self, encoding: u8) -> Option<u32> {
        Some(self.encodings.get(usize::from(encoding))?.mapped_ssrc)
    }

    /// Index of the encoding that the router names `mapped_ssrc`.
    pub(crate) fn encoding_of(&self, mapped_ssrc: u32) -> Option<usize> {
        self.encodings.iter().position(|encoding| encoding.mapped_ssrc == mapped_ssrc)
    }

    /// Index of the encoding with this RID; of the only one when there is no RID.
    pub(crate) fn encoding_with_rid(&self, rid: Option<&str>) -> Option<u8> {
        let index = match (rid, self.encodings.len()) {
            (None, 1) => Some(0),
            (None, _) => None,
            (Some(rid), _) => self.encodings.iter().position(|encoding| encoding.rid.as_deref() == Some(rid)),
        };
        index.and_then(|index| u8::try_from(index).ok())
    }

    /// The stream of the encoding that the router names `mapped_ssrc`, once it was seen.
    pub(crate) fn stream_named(&self, mapped_ssrc: u32) -> Option<&ReceivedStream> {
        self.streams.get(self.encoding_of(mapped_ssrc)?)?.as_deref()
    }

    pub(crate) fn stream_named_mut(&mut self, mapped_ssrc: u32) -> Option<&mut ReceivedStream> {
        self.stream_mut(self.encoding_of(mapped_ssrc)?)
    }

    /// Streams that were seen, with the index of their encoding.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (usize, &ReceivedStream)> {
        self.streams.iter().enumerate().filter_map(|(index, stream)| Some((index, stream.as_deref()?)))
    }

    pub(crate) fn streams_mut(&mut self) -> impl Iterator<Item = &mut ReceivedStream> {
        self.streams.iter_mut().filter_map(Option::as_deref_mut)
    }

    pub(crate) fn stream_mut(&mut self, index: usize) -> Option<&mut ReceivedStream> {
        self.streams.get_mut(index)?.as_deref_mut()
    }

    /// The stream with a run in this turn, and who may want it.
    pub(crate) fn run(&mut self, encoding: u8) -> Option<(&mut ReceivedStream, &[ConsumerKey])> {
        let stream = self.streams.get_mut(usize::from(encoding))?.as_deref_mut()?;
        Some((stream, &self.consumers))
    }
}

/// Only a key frame helps a stream: asks for one, if anybody is there to see it.
pub(crate) fn on_key_frame_needed(tables: &mut Tables, key: ProducerKey, index: usize, turn: &mut Turn<'_>) {
    if is_watched(tables, key) {
        request_key_frame_of(tables, key, index, turn);
    }
}

/// Whether packets of a producer go to anybody.
fn is_watched(tables: &Tables, key: ProducerKey) -> bool {
    let Some(producer) = tables.producers.get(key).filter(|producer| !producer.paused) else { return false };
    let open = |key: &ConsumerKey| tables.consumers.get(*key).is_some_and(consumer::Consumer::is_open);
    producer.consumers.iter().any(open)
}

/// Makes a producer on `transport`.
pub(crate) fn create(
    tables: &mut Tables,
    transport: TransportKey,
    options: &ProducerOptions,
    turn: &Turn<'_>,
) -> Result<RtpType, Refused> {
    tables.check_unused(options.id.into())?;
    let mapped = |payload_type| {
        let entry = options.rtp_mapping.codecs.iter().find(|entry| entry.payload_type == payload_type)?;
        Some(entry.mapped_payload_type)
    };
    let checked = check(options.kind, &options.rtp_parameters, mapped)?;
    let fec = fec_ssrcs(&options.rtp_parameters);
    if checked.fec_payload_type.is_none() && !fec.is_empty() {
        return Err(Refused::invalid(
            "an encoding has FEC and there is no codec for it; give video/flexfec-03",
        ));
    }
    let encodings = check_encodings(&checked.codecs, &options.rtp_parameters, &options.rtp_mapping)?;
    let Some(target) = tables.transports.get_mut(transport) else {
        return Err(Refused::not_found("the transport is not there any more"));
    };
    let mid = checked.mid.clone();
    target.demux.check_free(mid.as_deref(), &encodings, &fec)?;
    target.received_extensions.check_joins(&checked.extensions)?;
    let producer = new(transport, options, checked, encodings);
    let rtp_type = producer.rtp_type();
    let key = tables.producers.insert(producer);
    if let Some(producer) = tables.producers.get(key) {
        target.demux.add(key, mid.as_deref(), &producer.encodings, &fec);
        target.received_extensions.join(&producer.extensions);
        congestion::on_producer(target, producer);
    }
    target.producers.push(key);
    tables.ids.insert(options.id.into(), EntityKey::Producer(key));
    rtcp::arm(tables, transport, turn.now);
    Ok(rtp_type)
}

fn new(
    transport: TransportKey,
    options: &ProducerOptions,
    checked: Checked,
    encodings: SmallVec<[Encoding; 1]>,
) -> Producer {
    Producer {
        id: options.id,
        transport,
        kind: options.kind,
        codecs: checked.codecs,
        extensions: checked.extensions,
        cname: checked.cname,
        streams: encodings.iter().map(|_| None).collect(),
        encodings,
        consumers: Vec::new(),
        fec_payload_type: checked.fec_payload_type,
        observed: None,
        paused: options.paused,
        rings_armed: false,
        silence_armed: false,
        traced: Traced::default(),
        orientation: None,
        key_frame_request_delay_ms: options.key_frame_request_delay_ms,
    }
}

/// Closes a producer and its consumers, which are told.
pub(crate) fn close(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Some(mut producer) = tables.producers.remove(key) else { return };
    tables.forget(producer.id);
    turn.debug(LogTag::Rtp, || format!("producer {}: closed", producer.id.0));
    for stream in producer.streams_mut() {
        stream.forget_packets(turn);
    }
    for consumer in std::mem::take(&mut producer.consumers) {
        consumer::close_with_producer(tables, consumer, turn);
    }
    observer::on_producer_closed(tables, key, producer.observed.take(), turn);
    let Tables { transports, producers, .. } = tables;
    if let Some(transport) = transports.get_mut(producer.transport) {
        transport.demux.remove(key);
        transport.producers.retain(|other| *other != key);
        transport.received_extensions = ExtensionIds::default();
        for other in transport.producers.iter().filter_map(|other| producers.get(*other)) {
            transport.received_extensions.join(&other.extensions);
        }
    }
}

/// Forwards nothing from now on.
pub(crate) fn pause(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    if std::mem::replace(&mut producer.paused, true) {
        return;
    }
    for stream in producer.streams_mut() {
        stream.on_pause(turn);
    }
    for consumer in producer.consumers.clone() {
        consumer::on_producer_paused(tables, consumer, true, turn);
    }
}

/// Forwards again.
pub(crate) fn resume(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    if !std::mem::replace(&mut producer.paused, false) {
        return;
    }
    producer.streams_mut().for_each(|stream| stream.on_resume(turn.now));
    for consumer in producer.consumers.clone() {
        consumer::on_producer_paused(tables, consumer, false, turn);
    }
    arm_silence(tables, key, turn.now);
}

/// Asks the peer for a key frame of one stream; several requests within the producer's delay become one.
pub(crate) fn request_key_frame(
    tables: &mut Tables,
    key: ProducerKey,
    mapped_ssrc: u32,
    turn: &mut Turn<'_>,
) {
    if let Some(index) = tables.producers.get(key).and_then(|producer| producer.encoding_of(mapped_ssrc)) {
        request_key_frame_of(tables, key, index, turn);
    }
}

/// Likewise, by the index of the stream's encoding. Nothing is asked of a stream that was not seen: it will be when
/// it starts, if somebody waits.
pub(crate) fn request_key_frame_of(tables: &mut Tables, key: ProducerKey, index: usize, turn: &mut Turn<'_>) {
    let Some(producer) = tables.producers.get_mut(key).filter(|producer| !producer.paused) else { return };
    let Some(stream) = producer.stream_mut(index).filter(|stream| stream.is_video()) else { return };
    if stream.key_frames.request(turn.now) {
        upstream::send_key_frame_request(tables, key, index, turn);
    }
    arm_key_frames(tables, key);
}

/// A held-back key frame request may be due.
pub(crate) fn on_key_frame_deadline(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let watched = is_watched(tables, key);
    let Some(producer) = tables.producers.get_mut(key) else { return };
    let mut due: SmallVec<[usize; 4]> = SmallVec::new();
    for (index, stream) in producer.streams.iter_mut().enumerate() {
        let Some(stream) = stream.as_deref_mut() else { continue };
        went_off(&mut stream.key_frames_armed, turn.now);
        if !watched {
            stream.key_frames.cancel();
        } else if stream.key_frames.due(turn.now) {
            due.push(index);
        }
    }
    for index in due {
        upstream::send_key_frame_request(tables, key, index, turn);
    }
    arm_key_frames(tables, key);
}

/// Losses may be due to be asked for.
pub(crate) fn on_nack_deadline(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    for index in 0..producer.streams.len() {
        upstream::send_nacks(tables, key, index, turn);
    }
    arm_nacks(tables, key);
}

/// Streams may have fallen silent. That of a paused producer is nobody's concern: it is judged anew when it is resumed.
pub(crate) fn on_silence_deadline(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    producer.silence_armed = false;
    if producer.paused {
        return;
    }
    let (id, mut changed) = (producer.id, false);
    for stream in producer.streams_mut() {
        if stream.fall_silent(turn.now) {
            changed = true;
            turn.debug(LogTag::Rtp, || format!("producer {}: SSRC {} is inactive", id.0, stream.ssrc));
        }
    }
    if changed {
        upstream::tell_scores(tables, key, turn);
    }
    arm_silence(tables, key, turn.now);
}

/// Packets may have aged out.
pub(crate) fn on_history_deadline(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    let repairing = producer
        .consumers
        .iter()
        .filter_map(|key| tables.consumers.get(*key))
        .filter(|consumer| consumer.repairs());
    let rtt_max = repairing.map(|consumer| consumer.stream.round_trip().unwrap_or(RTT_UNKNOWN)).max();
    for stream in producer.streams_mut() {
        went_off(&mut stream.history_armed, turn.now);
        stream.expire(rtt_max, turn);
    }
    arm_history(tables, key, turn.now);
}

/// Consumers' own histories age with the packets that they point to, and owe their memory when nothing is sent.
pub(crate) fn on_rings_deadline(tables: &mut Tables, key: ProducerKey, turn: &mut Turn<'_>) {
    let Tables { producers, consumers, .. } = tables;
    let Some(producer) = producers.get_mut(key) else { return };
    let mut bytes = 0;
    for consumer in &producer.consumers {
        let Some(consumer) = consumers.get_mut(*consumer) else { continue };
        let Some(stream) = producer.stream_named(consumer.consumable_ssrc) else { continue };
        let retain = consumer.retain(stream);
        consumer.stream.shrink(retain, turn);
        bytes += consumer.stream.history_bytes();
    }
    producer.rings_armed = false;
    if bytes > 0 {
        arm_rings(tables, key, turn.now);
    }
}

/// Sets the timer for consumers' own histories, if it is not set.
pub(crate) fn arm_rings(tables: &mut Tables, key: ProducerKey, now: Time) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    if !std::mem::replace(&mut producer.rings_armed, true) {
        tables.schedule(Deadline::Rings(key), now + SHRINK_EVERY);
    }
}

/// Sets the timer for held-back key frame requests, if one is needed and not set.
pub(crate) fn arm_key_frames(tables: &mut Tables, key: ProducerKey) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    let times: Times = producer.streams_mut().filter_map(|stream| stream.arm_key_frames()).collect();
    times.into_iter().for_each(|at| tables.schedule(Deadline::KeyFrame(key), at));
}

/// Sets the timer for losses, if one is needed and not set.
pub(crate) fn arm_nacks(tables: &mut Tables, key: ProducerKey) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    let times: Times = producer.streams_mut().filter_map(|stream| stream.arm_nacks()).collect();
    times.into_iter().for_each(|at| tables.schedule(Deadline::Nack(key), at));
}

/// Sets the timer for silence, if a stream is heard of and none is set. It need not follow each packet: when it goes off
/// it is set again for the time that the last one left.
pub(crate) fn arm_silence(tables: &mut Tables, key: ProducerKey, now: Time) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    let ends = producer.streams().filter_map(|(_, stream)| stream.inactive_at()).filter(|at| *at > now);
    let Some(first) = ends.min().filter(|_| !producer.silence_armed) else { return };
    producer.silence_armed = true;
    // A stream that begins meanwhile may be given less time than those that are heard of now.
    tables.schedule(Deadline::Silence(key), first.min(now + INACTIVE_AFTER));
}

/// Sets the timer for aged packets, if one is needed and not set.
pub(crate) fn arm_history(tables: &mut Tables, key: ProducerKey, now: Time) {
    let Some(producer) = tables.producers.get_mut(key) else { return };
    let times: Times = producer.streams_mut().filter_map(|stream| stream.arm_history(now)).collect();
    times.into_iter().for_each(|at| tables.schedule(Deadline::History(key), at));
}

/// One timer a stream that needs one.
type Times = SmallVec<[Time; 4]>;

/// How often consumers' own histories are looked at.
const SHRINK_EVERY: Duration = Duration::from_secs(1);
