//! Transport-wide feedback byte for byte, there and back, and from hostile senders.

use proptest::prelude::*;

use super::*;
use crate::rtcp::{COMPOUND_BYTES_MAX, CompoundWriter, Packet, PacketError, WriteError, packets};

const HEAD: WideFeedbackHead =
    WideFeedbackHead { sender_ssrc: 1, media_ssrc: 2, base: Serial16::new(65_534), count: 255 };

fn ticks(arrivals: &[Option<u32>]) -> Vec<Option<Serial32>> {
    arrivals.iter().map(|tick| tick.map(Serial32::new)).collect()
}

/// One packet, and how many statuses it took.
fn written_at(head: WideFeedbackHead, arrivals: &[Option<Serial32>], room: usize) -> (Vec<u8>, usize) {
    let mut buffer = vec![0xA7; room];
    let mut writer = CompoundWriter::new(&mut buffer);
    let taken = writer.wide_feedback(&head, arrivals.iter().copied()).unwrap();
    (writer.bytes().to_vec(), taken.into())
}

fn written(arrivals: &[Option<u32>]) -> Vec<u8> {
    let (bytes, taken) = written_at(HEAD, &ticks(arrivals), COMPOUND_BYTES_MAX);
    assert_eq!(taken, arrivals.len());
    bytes
}

fn read(bytes: &[u8]) -> WideFeedback<'_> {
    match packets(bytes).next() {
        Some(Ok(Packet::WideFeedback(feedback))) => feedback,
        other => panic!("{other:?}"),
    }
}

/// What a packet says, in the words of what it was written from.
fn told(bytes: &[u8]) -> Vec<Option<Serial32>> {
    let feedback = read(bytes);
    let mut statuses = vec![None; feedback.status_count.into()];
    for (number, tick) in feedback.received() {
        let at = number.wire().wrapping_sub(feedback.head.base.wire());
        assert_eq!(statuses[usize::from(at)].replace(tick), None, "told twice");
    }
    statuses
}

fn is_malformed(bytes: &[u8]) -> bool {
    matches!(packets(bytes).next(), Some(Err(PacketError::Body(205))))
}

/// A packet with this status count, reference 0 and these bytes after it.
fn made(status_count: u16, rest: &[u8]) -> Vec<u8> {
    let [high, low] = status_count.to_be_bytes();
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2, 0, 5, high, low, 0, 0, 0, 3];
    body.extend(rest);
    body.resize(body.len().next_multiple_of(4), 0);
    let words = u8::try_from(body.len() / 4).unwrap();
    [&[0x8F, 205, 0, words], &body[..]].concat()
}

#[test]
fn bytes_are_those_of_the_draft() {
    // 300 ticks are one reference of 256 and 44; then a gap of one, and 256 more than a small delta can say.
    let bytes = written(&[Some(300), None, Some(556), Some(555)]);
    let expected = [
        0x8F,
        205,
        0,
        6,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        2, // sender and media
        0xFF,
        0xFE,
        0,
        4,
        0,
        0,
        1,
        255, // base, count, reference, feedback count
        0b1101_0010,
        0b1000_0000, // two bits each: small, missing, large, large, and three without meaning
        44,
        1,
        0,
        0xFF,
        0xFF,
        0, // deltas, and a zero to fill the word
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn a_run_of_one_symbol_is_one_chunk() {
    let bytes = written(&[Some(7); 20]);
    assert_eq!(bytes[20..22], [0x20, 20]);
    let gap: Vec<_> = std::iter::repeat_n(None, 8_191).chain([Some(7)]).collect();
    let bytes = written(&gap);
    assert_eq!((&bytes[20..24], bytes.len()), (&[0x1F, 0xFF, 0x20, 1][..], 28));
    assert_eq!(told(&bytes), ticks(&gap));
}

#[test]
fn small_deltas_with_gaps_are_one_bit_each() {
    let arrivals: Vec<_> = (0..14).map(|at| (at % 3 == 0).then_some(at)).collect();
    let bytes = written(&arrivals);
    assert_eq!(bytes[20..22], [0b1010_0100, 0b1001_0010]);
    assert_eq!(told(&bytes), ticks(&arrivals));
}

#[test]
fn numbers_references_and_times_go_on_across_their_wraps() {
    let arrivals: Vec<_> = (0..600_u32).map(|at| Some((u32::MAX - 20_000).wrapping_add(100 * at))).collect();
    let bytes = written(&arrivals);
    assert_eq!(told(&bytes), ticks(&arrivals));
    assert_eq!(read(&bytes).received().nth(3).map(|(number, _)| number.wire()), Some(1));
}

#[test]
fn a_delta_that_cannot_be_said_begins_another_packet() {
    for (delta, taken) in [(32_767_i32, 2), (32_768, 1), (-32_768, 2), (-32_769, 1)] {
        let arrivals = ticks(&[Some(300), Some(300_u32.wrapping_add_signed(delta))]);
        let (bytes, told_of) = written_at(HEAD, &arrivals, COMPOUND_BYTES_MAX);
        assert_eq!((told_of, told(&bytes)), (taken, arrivals[..taken].to_vec()), "{delta}");
    }
}

#[test]
fn a_packet_is_never_longer_than_a_compound_may_be() {
    // Runs of large deltas need 16 bits each, and seven of them a chunk.
    let arrivals: Vec<_> = (0..3_000_u32).map(|at| Some(Serial32::new(at * 256))).collect();
    let mut rest = &arrivals[..];
    let mut packets = 0;
    while !rest.is_empty() {
        let (bytes, taken) = written_at(HEAD, rest, 2_000);
        assert!(bytes.len() <= COMPOUND_BYTES_MAX);
        assert!(taken == rest.len() || bytes.len() > COMPOUND_BYTES_MAX - 4, "room was left");
        assert_eq!(told(&bytes), rest[..taken]);
        rest = &rest[taken..];
        packets += 1;
    }
    assert_eq!(packets, 5);
}

#[test]
fn what_does_not_fit_leaves_no_trace() {
    let mut buffer = [0; 23];
    let mut writer = CompoundWriter::new(&mut buffer);
    assert_eq!(writer.wide_feedback(&HEAD, ticks(&[Some(1)]).into_iter()), Err(WriteError::NoRoom));
    assert_eq!(writer.wide_feedback(&HEAD, ticks(&[None, None]).into_iter()), Err(WriteError::Count));
    assert!(writer.is_empty());
}

#[test]
fn reserved_symbols_and_missing_parts_are_malformed() {
    assert!(!is_malformed(&made(1, &[0x20, 1, 9])));
    assert!(is_malformed(&made(0, &[0x20, 1, 9])), "no status");
    assert!(is_malformed(&made(1, &[0x60, 1, 9])), "reserved in a run");
    assert!(is_malformed(&made(4, &[0xD3, 0, 9])), "reserved in a vector");
    assert!(!is_malformed(&made(2, &[0xD3, 0, 9])), "reserved beyond the last status");
    assert!(is_malformed(&made(5, &[0x20, 5, 1, 2])), "deltas that are not there");
    assert!(is_malformed(&made(9_000, &[0x1F, 0xFF])), "chunks that are not there");
    assert!(is_malformed(&made(1, &[])), "not even one");
}

#[test]
fn statuses_beyond_the_count_mean_nothing() {
    assert_eq!(told(&made(2, &[0x20, 200, 9, 1])), ticks(&[Some(9), Some(10)]));
    assert_eq!(told(&made(1, &[0xBF, 0xFF, 9])), ticks(&[Some(9)]));
}

#[test]
fn a_claim_of_many_that_did_not_arrive_costs_nothing() {
    let bytes = made(u16::MAX, &[[0x1F, 0xFF]; 8].concat().into_iter().chain([0x00, 7]).collect::<Vec<_>>());
    assert_eq!(read(&bytes).received().count(), 0);
    assert_eq!(read(&bytes).status_count, u16::MAX);
}

fn arrivals() -> impl Strategy<Value = Vec<Option<Serial32>>> {
    let step = prop_oneof![
        6 => (0..300_i32).prop_map(Some),
        2 => Just(None),
        1 => (-40_000..40_000_i32).prop_map(Some),
    ];
    let gap = prop_oneof![200 => Just(0..0_usize), 1 => (0..9_000_usize).prop_map(|to| 0..to)];
    (any::<u32>(), proptest::collection::vec((step, gap), 1..600)).prop_map(|(start, steps)| {
        let mut tick = Serial32::new(start);
        let mut all = Vec::new();
        for (step, gap) in steps {
            all.extend(gap.map(|_| None));
            all.push(step.map(|step| {
                tick = tick.add(step.cast_unsigned());
                tick
            }));
        }
        // What is told ends with something that arrived.
        all.push(Some(tick));
        all.truncate(20_000);
        all.truncate(all.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
        all
    })
}

proptest! {
    #[test]
    fn any_arrivals_survive_the_way_there_and_back(arrivals in arrivals(), room in 28..2_000_usize) {
        let mut rest = &arrivals[..];
        let mut base = HEAD.base;
        while !rest.is_empty() {
            let mut buffer = vec![0xA7; room];
            let mut writer = CompoundWriter::new(&mut buffer);
            let head = WideFeedbackHead { base, ..HEAD };
            let taken = match writer.wide_feedback(&head, rest.iter().copied()) {
                Ok(taken) => taken,
                // A little room may all go to a gap's chunks.
                Err(error) => {
                    prop_assert!(error == WriteError::NoRoom && room < 64);
                    return Ok(());
                }
            };
            prop_assert!(taken > 0 && writer.len() <= room.min(COMPOUND_BYTES_MAX));
            prop_assert_eq!(read(writer.bytes()).head, head);
            prop_assert_eq!(told(writer.bytes()), &rest[..taken.into()]);
            base = base.add(taken);
            rest = &rest[taken.into()..];
            if rest.iter().all(Option::is_none) {
                break;
            }
        }
    }

    #[test]
    fn any_bytes_are_read_within_bounds_or_refused(
        status_count: u16,
        rest in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = made(status_count, &rest);
        if let Some(Ok(Packet::WideFeedback(feedback))) = packets(&bytes).next() {
            let received = feedback.received().count();
            prop_assert!(received <= rest.len().next_multiple_of(4) && received <= status_count.into());
        }
    }
}
