//! Trace events: single packets and RTCP messages of a producer or consumer, told to the host that asked for them.
//!
//! Knows what to say of a packet. Does not know where packets are met: `producer` and `feedback` tell what comes,
//! `consumer::seal`, `producer::upstream` and `transport::rtcp` what goes. How much is told is bounded by the outbox.
//! Invariant: an entity that tells nothing costs the test of one byte wherever something could be told.

use tidegate_protocol::bounded::Text;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{ConsumerId, EntityId, ProducerId};
use tidegate_protocol::stats::Direction;
use tidegate_protocol::trace::{PacketTrace, Trace, TraceInfo, TraceType, TraceTypes};

use crate::base::sequence::Serial16;
use crate::media::parameters::{ExtensionIds, Format};
use crate::rtcp::SenderInfo;
use crate::rtp::ExtensionKind;
use crate::rtp::header::Header;
use crate::rtp::payload::{av1, h265, vp8, vp9};
use crate::turn::Turn;

/// Which kinds an entity tells: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traced(u8);

impl Traced {
    /// Those of a request.
    pub(crate) fn new(types: &TraceTypes) -> Self {
        Self(types.iter().fold(0, |bits, kind| bits | bit(*kind)))
    }

    /// For dumps.
    pub(crate) fn types(self) -> TraceTypes {
        TraceTypes::first_of(TraceType::ALL.into_iter().filter(|kind| self.0 & bit(*kind) != 0))
    }

    /// Whether packets are told, be it only those that start a key frame.
    pub(crate) fn has_packets(self) -> bool {
        self.0 & (bit(TraceType::Rtp) | bit(TraceType::KeyFrame)) != 0
    }
}

const fn bit(kind: TraceType) -> u8 {
    1 << kind as u8
}

/// Who tells, and what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tracer {
    of: Of,
    kinds: Traced,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Producer(ProducerId),
    Consumer(ConsumerId),
}

impl Tracer {
    pub(crate) const fn of_producer(id: ProducerId, kinds: Traced) -> Self {
        Self { of: Of::Producer(id), kinds }
    }

    pub(crate) const fn of_consumer(id: ConsumerId, kinds: Traced) -> Self {
        Self { of: Of::Consumer(id), kinds }
    }

    /// Tells a packet, under each kind that was asked for.
    pub(crate) fn packet(self, direction: Direction, packet: PacketTrace, turn: &mut Turn<'_>) {
        if packet.is_key_frame && self.kinds.0 & bit(TraceType::KeyFrame) != 0 {
            self.tell(TraceType::KeyFrame, direction, TraceInfo::KeyFrame(packet.clone()), turn);
        }
        self.tell(TraceType::Rtp, direction, TraceInfo::Rtp(packet), turn);
    }

    /// Tells a NACK that names these.
    pub(crate) fn nack(
        self,
        direction: Direction,
        ssrc: u32,
        named: impl Iterator<Item = Serial16>,
        turn: &mut Turn<'_>,
    ) {
        // Counting them is work, which is not done for nobody.
        if self.kinds.0 & bit(TraceType::Nack) != 0 {
            let packets = u32::try_from(named.count()).unwrap_or(u32::MAX);
            self.tell(TraceType::Nack, direction, TraceInfo::Nack { ssrc, packets }, turn);
        }
    }

    pub(crate) fn pli(self, direction: Direction, ssrc: u32, turn: &mut Turn<'_>) {
        self.tell(TraceType::Pli, direction, TraceInfo::Pli { ssrc }, turn);
    }

    pub(crate) fn fir(self, direction: Direction, ssrc: u32, turn: &mut Turn<'_>) {
        self.tell(TraceType::Fir, direction, TraceInfo::Fir { ssrc }, turn);
    }

    pub(crate) fn sender_report(
        self,
        direction: Direction,
        ssrc: u32,
        info: &SenderInfo,
        turn: &mut Turn<'_>,
    ) {
        let info = TraceInfo::Sr {
            ssrc,
            ntp: info.ntp,
            rtp_timestamp: info.rtp_timestamp.wire(),
            packet_count: info.packets,
            octet_count: info.bytes,
        };
        self.tell(TraceType::Sr, direction, info, turn);
    }

    fn tell(self, kind: TraceType, direction: Direction, info: TraceInfo, turn: &mut Turn<'_>) {
        if self.kinds.0 & bit(kind) == 0 {
            return;
        }
        let entity: EntityId = match self.of {
            Of::Producer(id) => id.into(),
            Of::Consumer(id) => id.into(),
        };
        let trace = Trace { timestamp_ms: turn.now.as_millis(), direction, info };
        turn.outbox.trace(turn.now, entity, kind == TraceType::Rtp, || match self.of {
            Of::Producer(producer) => Event::ProducerTrace { producer, trace },
            Of::Consumer(consumer) => Event::ConsumerTrace { consumer, trace },
        });
    }
}

/// A packet as its sender wrote it; one that came as RTX as the packet that it repeats.
pub(crate) fn as_received(
    header: &Header,
    packet: &[u8],
    ids: &ExtensionIds,
    format: Format,
    is_key_frame: bool,
    is_rtx: bool,
) -> PacketTrace {
    let value = |kind| header.extensions.get(ids.get(kind)?, packet);
    let text = |kind| Text::try_from(std::str::from_utf8(value(kind)?).ok()?).ok();
    let wide = |value: &[u8]| value.try_into().ok().map(u16::from_be_bytes);
    let (spatial_layer, temporal_layer) = layers(format, header.payload(packet));
    PacketTrace {
        payload_type: header.payload_type,
        sequence_number: header.sequence.wire(),
        timestamp: header.timestamp.wire(),
        marker: header.marker,
        ssrc: header.ssrc,
        is_key_frame,
        is_rtx,
        size: u32::try_from(header.packet_len()).unwrap_or(u32::MAX),
        payload_size: u32::try_from(header.payload_len()).unwrap_or(u32::MAX),
        spatial_layer,
        temporal_layer,
        mid: text(ExtensionKind::Mid),
        rid: text(ExtensionKind::Rid),
        rrid: text(ExtensionKind::RepairedRid),
        wide_sequence_number: value(ExtensionKind::TransportWideCc).and_then(wide),
    }
}

/// Spatial and temporal layer as the payload itself says them.
fn layers(format: Format, payload: &[u8]) -> (u8, u8) {
    let known = match format {
        Format::Vp8 => vp8::Descriptor::parse(payload).and_then(|read| Some((0, read.temporal_layer?))),
        Format::Vp9 => vp9::Descriptor::parse(payload)
            .and_then(|read| read.layers)
            .map(|layers| (layers.spatial, layers.temporal)),
        Format::Av1 => av1::Descriptor::parse(payload)
            .and_then(|read| read.layers)
            .map(|layers| (layers.spatial, layers.temporal)),
        Format::H265 => h265::Descriptor::parse(payload).map(|read| (read.layer, read.temporal_layer)),
        Format::H264 | Format::Opus | Format::MultiOpus | Format::Red | Format::Opaque(_) => None,
    };
    known.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_kept_once_whatever_the_order() {
        let asked = [TraceType::Sr, TraceType::Rtp, TraceType::Sr];
        assert_eq!(*Traced::new(&TraceTypes::first_of(asked)).types(), [TraceType::Rtp, TraceType::Sr]);
        let all = TraceTypes::first_of(TraceType::ALL);
        assert_eq!(Traced::new(&all).types(), all);
        assert_eq!(Traced::default().types(), TraceTypes::new());
    }
}
