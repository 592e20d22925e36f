//! Consumer: what one peer gets of one producer.
//!
//! Knows its parameters, its own stream (`sent`) and whether anything may pass. Does not know sockets. `plan` says
//! what is forwarded under which number, `seal` writes it when it leaves; between the two it lives in the consumer's
//! ring. This version has consumers of one stream, which get all of it: simple ones, and those of type Svc, whose stream
//! has several spatial layers (VP9, AV1). There is no choice of layers yet, so there is no request for one either.

pub(crate) mod plan;
pub(crate) mod seal;
pub(crate) mod sent;
pub(crate) mod stats;

use std::time::Duration;

use smallvec::SmallVec;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::ConsumerId;
use tidegate_protocol::rtp::{MediaKind, RtpParameters, RtpType};

use crate::media::consumer::sent::SentStream;
use crate::media::parameters::{Checked, Codec, ExtensionIds, StreamTraits, check, codec_of};
use crate::media::producer::Producer;
use crate::media::producer::stream::ReceivedStream;
use crate::media::refused::Refused;
use crate::media::trace::{Traced, Tracer};
use crate::media::transport::rtcp;
use crate::media::{ConsumerKey, EntityKey, ProducerKey, Tables, TransportKey, producer};
use crate::outbox::LogTag;
use crate::rtp::ExtensionKind;
use crate::turn::Turn;

/// A consumer's own state.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) transport: TransportKey,
    pub(crate) producer: ProducerKey,
    pub(crate) kind: MediaKind,
    /// Simple or Svc.
    pub(crate) rtp_type: RtpType,
    pub(crate) codecs: SmallVec<[Codec; 1]>,
    pub(crate) extensions: ExtensionIds,
    pub(crate) mid: Option<Box<str>>,
    pub(crate) cname: Box<str>,
    /// Name of the producer's encoding that it gets.
    pub(crate) consumable_ssrc: u32,
    /// Of its own stream.
    pub(crate) traits: StreamTraits,
    priority: u8,
    /// What it tells the host of single packets.
    pub(crate) traced: Traced,
    gate: Gate,
    pub(crate) stream: SentStream,
    /// A defect to be met while planning: what becomes of the others is a test's business.
    #[cfg(test)]
    pub(crate) is_defective: bool,
}

#[cfg(not(test))] // A test's has a byte more.
const _: () = assert!(size_of::<Consumer>() <= 312);

/// What must be so for packets to pass.
#[derive(Clone, Copy, Debug)]
struct Gate {
    paused: bool,
    producer_paused: bool,
    transport_connected: bool,
    ignore_dtx: bool,
}

/// How to make a consumer.
#[derive(Debug)]
pub(crate) struct ConsumerOptions {
    pub(crate) id: ConsumerId,
    pub(crate) kind: MediaKind,
    pub(crate) rtp_parameters: RtpParameters,
    pub(crate) consumer_type: RtpType,
    pub(crate) consumable_ssrcs: Vec<u32>,
    pub(crate) paused: bool,
    pub(crate) ignore_dtx: bool,
}

impl Consumer {
    pub(crate) fn is_paused(&self) -> bool {
        self.gate.paused
    }

    pub(crate) fn is_producer_paused(&self) -> bool {
        self.gate.producer_paused
    }

    /// Tells the host what it asked for.
    pub(crate) fn tracer(&self) -> Tracer {
        Tracer::of_consumer(self.id, self.traced)
    }

    /// Whether packets may pass.
    pub(crate) fn is_open(&self) -> bool {
        !self.gate.paused && !self.gate.producer_paused && self.gate.transport_connected
    }

    pub(crate) fn priority(&self) -> u8 {
        self.priority
    }

    pub(crate) fn set_priority(&mut self, priority: u8) {
        self.priority = priority;
    }

    /// How long it remembers what it sent of `stream`: while its peer may ask for it, otherwise not beyond the turn. (What
    /// was lost before us and comes late finds its number free all the same: see `SentRing::push`.)
    pub(crate) fn retain(&self, stream: &ReceivedStream) -> Duration {
        if self.repairs() { stream.retain() } else { Duration::ZERO }
    }

    /// Whether a resend is the first sending again and not a packet of its own (RTX), and carries something of the moment
    /// in which that left.
    pub(crate) fn repeats_moments(&self) -> bool {
        let of_moment = [ExtensionKind::AbsSendTime, ExtensionKind::TransportWideCc];
        self.stream.rtx_ssrc.is_none()
            && self.repairs()
            && of_moment.iter().any(|kind| self.extensions.get(*kind).is_some())
    }

    /// Whether its peer may ask for packets again.
    pub(crate) fn repairs(&self) -> bool {
        self.codecs.first().is_some_and(|codec| codec.feedback.nack)
    }
}

/// Makes a consumer on `transport` of a producer of the same router.
pub(crate) fn create(
    tables: &mut Tables,
    transport: TransportKey,
    producer: ProducerKey,
    options: ConsumerOptions,
    turn: &mut Turn<'_>,
) -> Result<ConsumerKey, Refused> {
    tables.check_unused(options.id.into())?;
    let checked = check_options(tables, transport, producer, &options)?;
    let id = options.id;
    let Some(source) = tables.producers.get_mut(producer) else {
        return Err(Refused::not_found("the producer is not there any more"));
    };
    let Some(target) = tables.transports.get_mut(transport) else {
        return Err(Refused::not_found("the transport is not there any more"));
    };
    let connected = target.link.rtp_destination().is_some();
    let mut consumer = new(transport, producer, source, options, checked, connected, turn)?;
    consumer.stream.go_on(|ssrc| target.sender.next_sequence(ssrc));
    for ssrc in consumer.stream.ssrcs() {
        if target.feedback_to.get(ssrc).is_some() {
            return Err(Refused::duplicate(format!(
                "SSRC {ssrc} is another consumer's on this transport; use a new one"
            )));
        }
    }
    let ssrcs: SmallVec<[u32; 2]> = consumer.stream.ssrcs().collect();
    let key = tables.consumers.insert(consumer);
    ssrcs.into_iter().for_each(|ssrc| target.feedback_to.insert(ssrc, key));
    target.consumers.push(key);
    source.consumers.push(key);
    tables.ids.insert(id.into(), EntityKey::Consumer(key));
    want_key_frame(tables, key, turn);
    Ok(key)
}

fn check_options(
    tables: &Tables,
    transport: TransportKey,
    producer: ProducerKey,
    options: &ConsumerOptions,
) -> Result<Checked, Refused> {
    let source = tables.producers.get(producer).map(|producer| (producer.kind, producer.transport));
    let Some((kind, source)) = source else {
        return Err(Refused::not_found("the producer is not there any more"));
    };
    let router = |key| tables.transports.get(key).map(|transport| transport.router);
    if router(source) != router(transport) {
        return Err(Refused::not_found(
            "the producer belongs to another router; consume it on a transport of its own",
        ));
    }
    if kind != options.kind {
        return Err(Refused::invalid(format!(
            "kind {:?} does not fit the producer's, {kind:?}",
            options.kind
        )));
    }
    let checked = check(kind, &options.rtp_parameters, Some)?;
    if checked.fec_payload_type.is_some() {
        return Err(Refused::unsupported(
            "video/flexfec-03 protects packets as the producer numbered them, and consumers get others; leave it out",
        ));
    }
    check_type(options.consumer_type, &checked.codecs)?;
    Ok(checked)
}

fn check_type(consumer_type: RtpType, codecs: &[Codec]) -> Result<(), Refused> {
    match consumer_type {
        RtpType::Simple => Ok(()),
        RtpType::Svc if codecs.iter().any(|codec| codec.format.has_spatial_layers()) => Ok(()),
        RtpType::Svc => Err(Refused::invalid(
            "type Svc needs a codec with spatial layers in one stream, VP9 or AV1; consume with type Simple",
        )),
        RtpType::Simulcast | RtpType::Pipe => Err(Refused::unsupported(format!(
            "consumers of type {consumer_type:?} are not there yet; consume one encoding with type Simple"
        ))),
    }
}

fn new(
    transport: TransportKey,
    producer: ProducerKey,
    source: &Producer,
    options: ConsumerOptions,
    checked: Checked,
    transport_connected: bool,
    turn: &mut Turn<'_>,
) -> Result<Consumer, Refused> {
    let ([consumable_ssrc], [encoding]) =
        (options.consumable_ssrcs.as_slice(), &*options.rtp_parameters.encodings)
    else {
        return Err(Refused::invalid(
            "a consumer of type Simple or Svc has one encoding and one consumable SSRC; give exactly one of each",
        ));
    };
    if source.encoding_of(*consumable_ssrc).is_none() {
        return Err(Refused::invalid(format!(
            "no encoding of the producer is named {consumable_ssrc}; use a mappedSsrc of its mapping"
        )));
    }
    let mut checked = checked;
    stand_for(&mut checked.codecs, &source.codecs)?;
    let payload_type =
        checked.codecs.get(codec_of(encoding, &checked.codecs)?).map_or(NOBODYS, |own| own.payload_type);
    let gate = Gate {
        paused: options.paused,
        producer_paused: source.is_paused(),
        transport_connected,
        ignore_dtx: options.ignore_dtx,
    };
    Ok(Consumer {
        id: options.id,
        transport,
        producer,
        kind: options.kind,
        rtp_type: options.consumer_type,
        stream: SentStream::new(encoding, &checked.codecs, turn)?,
        codecs: checked.codecs,
        extensions: checked.extensions,
        mid: checked.mid,
        cname: checked.cname,
        traits: StreamTraits::of(encoding, payload_type, &options.rtp_parameters),
        consumable_ssrc: *consumable_ssrc,
        priority: 1,
        traced: Traced::default(),
        gate,
        #[cfg(test)]
        is_defective: false,
    })
}

/// No packet has it: payload types end at 127.
const NOBODYS: u8 = u8::MAX;

/// Finds out for which payload type of the router each codec of a consumer stands: its own one, where the producer has
/// this codec by that, or else that of the first codec of the same name for which no other stands.
fn stand_for(codecs: &mut [Codec], producers: &[Codec]) -> Result<(), Refused> {
    let is_same =
        |one: &Codec, other: &Codec| one.format == other.format && one.clock_rate == other.clock_rate;
    let has = |codec: &Codec| {
        producers.iter().any(|one| one.mapped_payload_type == codec.payload_type && is_same(one, codec))
    };
    let mut taken: SmallVec<[u8; 4]> =
        codecs.iter().filter(|codec| has(codec)).map(|codec| codec.payload_type).collect();
    for codec in codecs.iter_mut().filter(|codec| !has(codec)) {
        let mut same = producers.iter().filter(|one| is_same(one, codec));
        let one = same.find(|one| !taken.contains(&one.mapped_payload_type));
        codec.mapped_payload_type = one.map_or(NOBODYS, |one| one.mapped_payload_type);
        taken.extend(one.map(|one| one.mapped_payload_type));
    }
    if codecs.iter().any(|codec| codec.in_red && codec.mapped_payload_type != codec.payload_type) {
        return Err(Refused::unsupported(
            "audio/red names the payload types of its blocks, which are the router's; consume by these, or without RED",
        ));
    }
    Ok(())
}

/// Closes a consumer at its own end; its producer forgets it.
pub(crate) fn close(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(mut consumer) = tables.consumers.remove(key) else { return };
    consumer.stream.forget_packets(turn);
    tables.forget(consumer.id);
    turn.debug(LogTag::Rtp, || format!("consumer {}: closed", consumer.id.0));
    if let Some(producer) = tables.producers.get_mut(consumer.producer) {
        producer.consumers.retain(|other| *other != key);
    }
    if let Some(transport) = tables.transports.get_mut(consumer.transport) {
        transport.consumers.retain(|other| *other != key);
        transport.feedback_to.remove(key);
        transport.sender.forget(key);
        consumer.stream.ssrcs().for_each(|ssrc| transport.sender.retire(ssrc));
    }
}

/// Closes a consumer because its producer closed, and says so.
pub(crate) fn close_with_producer(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(id) = tables.consumers.get(key).map(|consumer| consumer.id) else { return };
    close(tables, key, turn);
    turn.outbox.event(Event::ConsumerProducerClosed { consumer: id });
}

/// Lets nothing pass from now on.
pub(crate) fn pause(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(consumer) = tables.consumers.get_mut(key) else { return };
    consumer.gate.paused = true;
    consumer.stream.stop(turn);
}

/// Lets packets pass again, from a key frame on.
pub(crate) fn resume(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(consumer) = tables.consumers.get_mut(key) else { return };
    if std::mem::replace(&mut consumer.gate.paused, false) {
        want_key_frame(tables, key, turn);
    }
}

/// Follows the producer's pause.
pub(crate) fn on_producer_paused(tables: &mut Tables, key: ConsumerKey, paused: bool, turn: &mut Turn<'_>) {
    let Some(consumer) = tables.consumers.get_mut(key) else { return };
    let id = consumer.id;
    consumer.gate.producer_paused = paused;
    if paused {
        consumer.stream.stop(turn);
        turn.outbox.event(Event::ConsumerProducerPaused { consumer: id });
    } else {
        turn.outbox.event(Event::ConsumerProducerResumed { consumer: id });
        want_key_frame(tables, key, turn);
    }
}

/// The transport has a peer now.
pub(crate) fn on_transport_connected(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(consumer) = tables.consumers.get_mut(key) else { return };
    consumer.gate.transport_connected = true;
    want_key_frame(tables, key, turn);
}

/// The transport has lost its peer.
pub(crate) fn on_transport_disconnected(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(consumer) = tables.consumers.get_mut(key) else { return };
    consumer.gate.transport_connected = false;
    consumer.stream.stop(turn);
}

/// Asks for a key frame on behalf of the peer or the application; does nothing for what has none.
pub(crate) fn request_key_frame(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(consumer) = tables.consumers.get(key) else { return };
    if consumer.is_open() && consumer.kind == MediaKind::Video {
        let (producer, ssrc) = (consumer.producer, consumer.consumable_ssrc);
        producer::request_key_frame(tables, producer, ssrc, turn);
    }
}

/// Tells the scores that matter to a consumer.
pub(crate) fn tell_score(tables: &Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    let Some(consumer) = tables.consumers.get(key) else { return };
    let score = stats::score(tables, consumer);
    turn.debug(LogTag::Score, || {
        let (own, producer) = (score.score, score.producer_score);
        format!("consumer {}: score is {own}, its producer's {producer}", consumer.id.0)
    });
    turn.outbox.event(Event::ConsumerScore { consumer: consumer.id, score });
}

/// If packets may pass: they do from the next key frame on, which is asked for.
fn want_key_frame(tables: &mut Tables, key: ConsumerKey, turn: &mut Turn<'_>) {
    request_key_frame(tables, key, turn);
    if let Some(transport) = tables.consumers.get(key).map(|consumer| consumer.transport) {
        rtcp::arm(tables, transport, turn.now);
    }
}
