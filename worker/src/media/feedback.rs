//! Received RTCP: to the consumers that it is feedback for, and to the producers whose senders report.
//!
//! Knows RTCP values and whose an SSRC is. Types that we do not know are skipped; what names an unknown SSRC is
//! ignored.

use tidegate_protocol::stats::Direction;

use crate::base::time::Time;
use crate::media::consumer;
use crate::media::consumer::seal::{self, Repair};
use crate::media::demux::Role;
use crate::media::{ConsumerKey, Tables, TransportKey, sender_clock};
use crate::outbox::LogTag;
use crate::rtcp::{DlrrReport, Nack, Packet, ReportBlock, SenderInfo, XrBlock, compact_ntp, packets};
use crate::stream::report::round_trip;
use crate::turn::Turn;

/// Handles one received compound packet, or a reduced-size one (RFC 5506).
pub(crate) fn on_compound(
    tables: &mut Tables,
    key: TransportKey,
    bytes: &[u8],
    received_at: Time,
    turn: &mut Turn<'_>,
) {
    for packet in packets(bytes) {
        let Ok(packet) = packet else {
            // What came before stands; the rest cannot be found.
            if let Some(transport) = tables.transports.get_mut(key) {
                transport.counters.dropped.bad_header += 1;
                let id = transport.id.0;
                turn.debug(LogTag::Rtcp, || format!("transport {id}: the rest of a compound cannot be read"));
            }
            return;
        };
        on_packet(tables, key, &packet, received_at, turn);
    }
}

fn on_packet(
    tables: &mut Tables,
    key: TransportKey,
    packet: &Packet<'_>,
    received_at: Time,
    turn: &mut Turn<'_>,
) {
    match packet {
        Packet::SenderReport(report) => {
            on_sender_info(tables, key, report.ssrc, report.info, received_at, turn);
            report.blocks().for_each(|block| on_report_block(tables, key, &block, turn));
        }
        Packet::ReceiverReport(report) => {
            report.blocks().for_each(|block| on_report_block(tables, key, &block, turn))
        }
        Packet::Nack(nack) => on_nack(tables, key, nack, turn),
        Packet::Pli(pli) => on_key_frame_request(tables, key, pli.media_ssrc, Asked::Pli, turn),
        Packet::Fir(fir) => {
            fir.entries().for_each(|entry| on_key_frame_request(tables, key, entry.ssrc, Asked::Fir, turn));
        }
        Packet::Xr(report) => report.blocks().for_each(|block| on_xr(tables, key, report.ssrc, &block, turn)),
        // How much a peer can take is for the sending side's estimate, which is not there yet.
        Packet::WideFeedback(_) | Packet::Remb(_) => {}
        Packet::Sdes(_) | Packet::Bye(_) | Packet::Unknown(_) => {}
    }
}

fn on_sender_info(
    tables: &mut Tables,
    key: TransportKey,
    ssrc: u32,
    info: SenderInfo,
    received_at: Time,
    turn: &mut Turn<'_>,
) {
    let Tables { transports, producers, .. } = tables;
    let Some(place) = transports.get(key).and_then(|transport| transport.demux.place_of(ssrc)) else {
        return;
    };
    if place.role != Role::Media {
        return;
    }
    let Some(producer) = producers.get(place.producer) else { return };
    producer.tracer().sender_report(Direction::Inbound, ssrc, &info, turn);
    sender_clock::on_sender_report(tables, key, place, &info, received_at);
}

fn on_report_block(tables: &mut Tables, key: TransportKey, block: &ReportBlock, turn: &mut Turn<'_>) {
    let Some((consumer_key, consumer)) = consumer_of(tables, key, block.ssrc) else { return };
    if block.ssrc != consumer.stream.ssrc {
        return;
    }
    let score_changed = consumer.stream.on_report_block(block, turn);
    let (producer, ssrc) = (consumer.producer, consumer.consumable_ssrc);
    if let Some(measured) = consumer.stream.round_trip().filter(|_| consumer.repairs()) {
        let producer = tables.producers.get_mut(producer);
        if let Some(stream) = producer.and_then(|producer| producer.stream_named_mut(ssrc)) {
            stream.on_round_trip(measured);
        }
    }
    if score_changed {
        consumer::tell_score(tables, consumer_key, turn);
    }
}

fn on_xr(tables: &mut Tables, key: TransportKey, sender_ssrc: u32, block: &XrBlock<'_>, turn: &Turn<'_>) {
    match block {
        XrBlock::Rrtr(reference) => {
            if let Some(transport) = tables.transports.get_mut(key) {
                transport.rtcp.on_reference_time(sender_ssrc, reference.ntp, turn.now);
            }
        }
        XrBlock::Dlrr(reports) => reports.reports().for_each(|report| on_dlrr(tables, key, &report, turn)),
        XrBlock::Unknown(_) => {}
    }
}

/// The answer to our reference time: the round trip to a producer's peer (RFC 3611 4.5).
fn on_dlrr(tables: &mut Tables, key: TransportKey, report: &DlrrReport, turn: &Turn<'_>) {
    let Tables { transports, producers, .. } = tables;
    let Some(transport) = transports.get_mut(key) else { return };
    if report.ssrc != transport.rtcp.own_ssrc {
        return;
    }
    let now = compact_ntp(turn.wall.0);
    let Some(measured) = round_trip(now, report.last_rr, report.delay_since_last_rr) else { return };
    if !transport.rtcp.on_answer(turn.now) {
        return;
    }
    for producer in &transport.producers {
        let Some(producer) = producers.get_mut(*producer) else { continue };
        producer.streams_mut().for_each(|stream| stream.round_trip = Some(measured));
    }
}

fn on_nack(tables: &mut Tables, key: TransportKey, nack: &Nack<'_>, turn: &mut Turn<'_>) {
    let ssrc = nack.media_ssrc;
    let Tables { transports, producers, consumers, metrics, .. } = tables;
    let Some(transport) = transports.get_mut(key) else { return };
    let Some(consumer) = transport.feedback_to.get(ssrc).and_then(|key| consumers.get_mut(key)) else {
        return;
    };
    let Some(destination) = transport.link.rtp_destination() else { return };
    let stream =
        producers.get(consumer.producer).and_then(|producer| producer.stream_named(consumer.consumable_ssrc));
    consumer.stream.course(turn.now).counters.nacks += 1;
    consumer.tracer().nack(Direction::Inbound, ssrc, nack.sequences(), turn);
    if ssrc != consumer.stream.ssrc || !consumer.repairs() {
        return;
    }
    let asked = nack.count();
    let course = consumer.stream.course(turn.now);
    course.counters.nacked_packets += asked as u64;
    course.earn_resends(turn.now);
    let answered = transport.sender.admit_asked(asked, turn.now);
    metrics.resends_refused += (asked - answered) as u64;
    let mut resent = seal::Sealed::default();
    for sequence in nack.sequences().take(answered) {
        let Some(stream) = stream else { break };
        match seal::repair(consumer, stream, sequence, &mut transport.sender, &destination, turn) {
            Some(Repair::Sent(sealed)) => resent += sealed,
            Some(Repair::Refused) => metrics.resends_refused += 1,
            None => {}
        }
    }
    let wire_bytes = resent.wire_bytes(transport.sender.tag_bytes());
    transport.counters.sent.add(turn.now, resent.packets, wire_bytes);
    transport.counters.rtx_sent.add(turn.now, resent.packets, resent.bytes);
    metrics.packets_resent += resent.packets;
    turn.debug(LogTag::Rtx, || {
        let (id, asked) = (consumer.id.0, nack.sequences().count());
        format!("consumer {id}: {} of {asked} packets that were asked for are sent again", resent.packets)
    });
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Pli,
    Fir,
}

fn on_key_frame_request(
    tables: &mut Tables,
    key: TransportKey,
    ssrc: u32,
    asked: Asked,
    turn: &mut Turn<'_>,
) {
    let Some((consumer_key, consumer)) = consumer_of(tables, key, ssrc) else { return };
    let (id, tracer) = (consumer.id, consumer.tracer());
    let counters = &mut consumer.stream.course(turn.now).counters;
    match asked {
        Asked::Pli => {
            counters.plis += 1;
            tracer.pli(Direction::Inbound, ssrc, turn);
        }
        Asked::Fir => {
            counters.firs += 1;
            tracer.fir(Direction::Inbound, ssrc, turn);
        }
    }
    turn.debug(LogTag::Rtcp, || format!("consumer {}: its peer asks for a key frame by {asked:?}", id.0));
    consumer::request_key_frame(tables, consumer_key, turn);
}

fn consumer_of(
    tables: &mut Tables,
    key: TransportKey,
    ssrc: u32,
) -> Option<(ConsumerKey, &mut consumer::Consumer)> {
    let consumer = tables.transports.get(key)?.feedback_to.get(ssrc)?;
    Some((consumer, tables.consumers.get_mut(consumer)?))
}
