//! Writing what was planned: header, extension values and payload into the send arena, in the order of leaving.
//!
//! Knows a consumer, its producer's stream and the transport's sender. Sealing is last: what depends on the moment of
//! leaving (transport-wide number, abs-send-time) is given here, the SRTP index by the sender right after.

use std::ops::AddAssign;

use smallvec::SmallVec;
use tidegate_protocol::bounded::Text;
use tidegate_protocol::rtp::MediaKind;
use tidegate_protocol::stats::Direction;
use tidegate_protocol::trace::PacketTrace;

use crate::base::sequence::Serial16;
use crate::media::consumer::Consumer;
use crate::media::parameters::Codec;
use crate::media::producer::stream::{ReceivedStream, Stored};
use crate::media::trace;
use crate::media::transport::sender::Sender;
use crate::network::{Content, Destination};
use crate::rtp::values::abs_send_time;
use crate::rtp::write::{BlockSize, ExtensionValues, Outgoing};
use crate::rtp::{ExtensionId, ExtensionKind};
use crate::stream::ring::Entry;
use crate::stream::stamps::Moment;
use crate::turn::{Ntp, Turn};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) packets: u64,
    /// Without what SRTP adds.
    pub(crate) bytes: u64,
}

impl Sealed {
    /// On the wire, where each packet has a tag of so many bytes.
    pub(crate) fn wire_bytes(self, tag_bytes: usize) -> u64 {
        self.bytes + self.packets * tag_bytes as u64
    }
}

impl AddAssign for Sealed {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// Seals everything that a consumer has not sent yet.
pub(crate) fn seal_unsent(
    consumer: &mut Consumer,
    stream: &ReceivedStream,
    sender: &mut Sender,
    destination: &Destination,
    turn: &mut Turn<'_>,
) -> Sealed {
    let mut sealed = Sealed::default();
    let carried = &carried(consumer);
    let (is_traced, repeats_moments) = (consumer.traced.has_packets(), consumer.repeats_moments());
    while let Some((seq, entry)) = consumer.stream.ring.take_unsent() {
        let Some(stored) = stream.stored(entry.position) else {
            consumer.stream.ring.forget(seq.wire());
            continue;
        };
        let moment = take_moment(consumer, sender, turn.wall);
        let form = Form::Media { sequence: seq.wire() };
        let leaving = Leaving { stored, entry, form, moment, carried };
        let Some(bytes) = seal(consumer, &leaving, sender, destination, turn) else {
            consumer.stream.ring.forget(seq.wire());
            continue;
        };
        if is_traced {
            tell(consumer, &leaving, bytes, turn);
        }
        if repeats_moments {
            let slots = consumer.stream.history_packets();
            consumer.stream.course(turn.now).stamps.put(seq.wire(), moment, slots, turn.pool);
        }
        sealed += Sealed { packets: 1, bytes };
        let timestamp = consumer.stream.timestamps.map(stored.header.timestamp);
        let payload_bytes = stored.header.payload_len();
        let in_order = consumer.stream.is_next(seq);
        let sending = &mut consumer.stream.course(turn.now).sending;
        if in_order {
            sending.on_packet(timestamp, payload_bytes, stored.received_at, turn.now);
        } else {
            sending.on_late_packet(payload_bytes);
        }
    }
    consumer.stream.course(turn.now).media.add(turn.now, sealed.packets, sealed.bytes);
    sealed
}

/// Sends again what a NACK names, as RTX where that was agreed, else as it was; nothing if it was sent within one
/// round trip, never, or too long ago, or if resends have taken as much as they may.
pub(crate) fn repair(
    consumer: &mut Consumer,
    stream: &ReceivedStream,
    sequence: Serial16,
    sender: &mut Sender,
    destination: &Destination,
    turn: &mut Turn<'_>,
) -> Option<Repair> {
    let entry = consumer.stream.ring.sent(sequence)?;
    if !entry.may_resend(turn.now, consumer.stream.round_trip()) {
        return None;
    }
    let stored = stream.stored(entry.position).filter(|stored| stream.keeps(stored, turn.now))?;
    if !consumer.stream.course(turn.now).allowance.has_any() {
        return Some(Repair::Refused);
    }
    // Without RTX it has the index that it had, and must have all that it carried.
    let moment = match consumer.repeats_moments() {
        true => consumer.stream.course(turn.now).stamps.get(sequence)?,
        false => take_moment(consumer, sender, turn.wall),
    };
    let form = match consumer.stream.rtx_ssrc {
        Some(ssrc) => Form::Rtx { original: sequence, ssrc, sequence: consumer.stream.take_rtx_sequence() },
        None => Form::Media { sequence },
    };
    let leaving = Leaving { stored, entry, form, moment, carried: &carried(consumer) };
    let bytes = seal(consumer, &leaving, sender, destination, turn)?;
    if consumer.traced.has_packets() {
        tell(consumer, &leaving, bytes, turn);
    }
    consumer.stream.ring.mark_resent(sequence, turn.now);
    let course = consumer.stream.course(turn.now);
    course.allowance.take(bytes);
    course.counters.retransmitted += 1;
    course.counters.repaired += u64::from(!entry.was_resent());
    Some(Repair::Sent(Sealed { packets: 1, bytes }))
}

/// What became of a packet that could be sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repair {
    Sent(Sealed),
    /// Resends have taken what they may.
    Refused,
}

/// Tells the host of a packet that was written just now; of a retransmission as the packet that it repeats.
fn tell(consumer: &Consumer, leaving: &Leaving<'_>, bytes: u64, turn: &mut Turn<'_>) {
    let Leaving { stored, entry, form, moment, .. } = *leaving;
    let codec = consumer.codecs.iter().find(|codec| codec.mapped_payload_type == stored.mapped_payload_type);
    let offset = consumer.stream.segments.timestamp_offset(entry.segment);
    let (Some(codec), Some(offset)) = (codec, offset) else { return };
    let (sequence, is_rtx, bytes) = match form {
        Form::Media { sequence } => (sequence, false, bytes),
        Form::Rtx { original, .. } => (original, true, bytes.saturating_sub(OSN_BYTES)),
    };
    let (ids, has) = (&stored.extensions, |kind| consumer.extensions.get(kind).is_some());
    let (header, is_key_frame) = (&stored.header, stored.is_key_frame);
    let received = trace::as_received(header, &stored.packet, ids, codec.format, is_key_frame, is_rtx);
    let packet = PacketTrace {
        payload_type: codec.payload_type,
        sequence_number: sequence.wire(),
        timestamp: received.timestamp.wrapping_add(offset),
        ssrc: consumer.stream.ssrc,
        size: u32::try_from(bytes).unwrap_or(u32::MAX),
        mid: consumer.mid.as_deref().filter(|_| has(ExtensionKind::Mid)).map(Text::clipped),
        rid: None,
        rrid: None,
        wide_sequence_number: has(ExtensionKind::TransportWideCc).then_some(moment.wide_sequence),
        ..received
    };
    consumer.tracer().packet(Direction::Outbound, packet, turn);
}

/// An RTX packet is longer than the one that it repeats by that one's number (RFC 4588 4).
const OSN_BYTES: u64 = 2;

/// A packet that leaves, and as what.
#[derive(Clone, Copy)]
struct Leaving<'a> {
    stored: &'a Stored,
    entry: Entry,
    form: Form,
    moment: Moment,
    carried: &'a Carried,
}

/// The header extensions of a consumer's packets. They are listed once a run: most kinds are not among them.
pub(crate) type Carried = SmallVec<[(ExtensionKind, ExtensionId); ExtensionKind::ALL.len()]>;

/// What a consumer's packets carry. It has one stream, which its SSRC names.
pub(crate) fn carried(consumer: &Consumer) -> Carried {
    let names_stream = |kind| matches!(kind, ExtensionKind::Rid | ExtensionKind::RepairedRid);
    consumer.extensions.iter().filter(|(kind, _)| !names_stream(*kind)).collect()
}

/// How a packet leaves.
#[derive(Clone, Copy)]
enum Form {
    Media { sequence: Serial16 },
    Rtx { original: Serial16, ssrc: u32, sequence: Serial16 },
}

/// Writes one packet; its length, or `None` when it cannot be written.
fn seal(
    consumer: &Consumer,
    leaving: &Leaving<'_>,
    sender: &mut Sender,
    destination: &Destination,
    turn: &mut Turn<'_>,
) -> Option<u64> {
    let Leaving { stored, entry, form, moment, carried } = leaving;
    let received: &[u8] = &stored.packet;
    let codec =
        consumer.codecs.iter().find(|codec| codec.mapped_payload_type == stored.mapped_payload_type)?;
    let offset = consumer.stream.segments.timestamp_offset(entry.segment)?;
    let mut outgoing = Outgoing {
        marker: stored.header.marker,
        payload_type: codec.payload_type,
        sequence: Serial16::new(0),
        timestamp: stored.header.timestamp.wire().wrapping_add(offset),
        ssrc: consumer.stream.ssrc,
        csrcs: stored.header.csrcs(received),
        rtx_osn: None,
        payload: stored.header.payload(received),
        padding: entry.padding,
    };
    form.apply(codec, &mut outgoing)?;
    let wide_sequence = moment.wide_sequence.to_be_bytes();
    let mut values = ExtensionValues::new();
    for (id, value) in extension_values(consumer, carried, stored, &moment.abs_send_time, &wide_sequence) {
        // Never too many: there are fewer kinds than room. Too long is left out.
        let _ = values.push(id, value);
    }
    let content = if consumer.kind == MediaKind::Video { Content::Video } else { Content::Other };
    sender.seal(&outgoing, &values, content, destination, turn).map(|bytes| bytes as u64)
}

impl Form {
    fn apply(self, codec: &Codec, outgoing: &mut Outgoing<'_>) -> Option<()> {
        match self {
            Self::Media { sequence } => outgoing.sequence = sequence,
            Self::Rtx { original, ssrc, sequence } => {
                outgoing.payload_type = codec.rtx_payload_type?;
                outgoing.ssrc = ssrc;
                outgoing.sequence = sequence;
                outgoing.rtx_osn = Some(original);
                // Padding made packets of a run equal; a lone repair needs none (RFC 4588 4: it is not part of the payload).
                outgoing.padding = 0;
            }
        }
        Some(())
    }
}

/// What a packet that leaves now carries of the moment.
fn take_moment(consumer: &Consumer, sender: &mut Sender, wall: Ntp) -> Moment {
    let counts = consumer.extensions.get(ExtensionKind::TransportWideCc).is_some();
    let wide_sequence = if counts { sender.take_wide_sequence().wire() } else { 0 };
    Moment { wide_sequence, abs_send_time: abs_send_time(wall.0) }
}

/// The extension values of a packet for this consumer: its own, those of the moment, and what the producer sent.
fn extension_values<'a>(
    consumer: &'a Consumer,
    carried: &'a Carried,
    stored: &'a Stored,
    abs_send_time: &'a [u8; 3],
    wide_sequence: &'a [u8; 2],
) -> impl Iterator<Item = (ExtensionId, &'a [u8])> {
    carried.iter().filter_map(move |(kind, id)| {
        let value = match *kind {
            ExtensionKind::Mid => consumer.mid.as_deref()?.as_bytes(),
            ExtensionKind::AbsSendTime => abs_send_time,
            ExtensionKind::TransportWideCc => wide_sequence,
            forwarded => stored.extension(forwarded)?,
        };
        Some((*id, value))
    })
}

/// The part of a sealed packet's length that differs between packets of one run.
pub(crate) fn variable_bytes(consumer: &Consumer, carried: &Carried, stored: &Stored) -> u16 {
    let mut block = BlockSize::default();
    for (id, value) in extension_values(consumer, carried, stored, &[0; 3], &[0; 2]) {
        let _ = block.add(id, value.len());
    }
    let csrc_bytes = 4 * usize::from(stored.header.csrc_count);
    let bytes = stored.header.payload_len() + block.bytes() + csrc_bytes;
    u16::try_from(bytes).unwrap_or(u16::MAX)
}
