//! Tests of walking compounds.

use super::*;
use crate::base::sequence::Serial16;
use crate::rtcp::{CompoundWriter, XrBlock};
use proptest::prelude::*;

/// A PLI with the header's first byte, then the given bytes; `words` is the length field.
fn pli(first: u8, words: u8, tail: &[u8]) -> Vec<u8> {
    [&[first, PSFB, 0, words, 0, 0, 0, 1, 0, 0, 0, 2][..], tail].concat()
}

fn read(bytes: &[u8]) -> Vec<Result<Packet<'_>, PacketError>> {
    packets(bytes).collect()
}

#[test]
fn an_empty_compound_has_no_packets_and_no_error() {
    assert!(read(&[]).is_empty());
}

#[test]
fn a_reduced_size_compound_is_read() {
    assert!(matches!(read(&pli(0x81, 2, &[]))[..], [Ok(Packet::Pli(_))]));
}

#[test]
fn unknown_packets_are_skipped_with_their_type() {
    let app = [0x85, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e'];
    let remb = [0x8F, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0];
    let ccfb = [0x8B, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0];
    let compound = [&app[..], &remb, &ccfb, &pli(0x81, 2, &[])].concat();
    let found = read(&compound);
    let types = found.iter().map(|packet| match packet {
        Ok(Packet::Unknown(unknown)) => (unknown.packet_type, unknown.format, unknown.body.len()),
        Ok(Packet::Pli(_)) => (PSFB, 1, 0),
        other => panic!("{other:?}"),
    });
    assert_eq!(types.collect::<Vec<_>>(), [(204, 5, 8), (206, 15, 8), (205, 11, 8), (206, 1, 0)]);
}

#[test]
fn a_bad_length_ends_the_compound_and_keeps_what_came_before() {
    for (tail, error) in [
        (&[0x80, 201, 0][..], PacketError::HeaderTruncated),
        (&[0x80, 201, 0, 2, 0, 0, 0, 1], PacketError::Truncated),
        (&[0x80, 201, 0xFF, 0xFF, 0, 0, 0, 1], PacketError::Truncated),
        (&[0x40, 201, 0, 1, 0, 0, 0, 1], PacketError::Version(1)),
        (&[0, 0, 0, 0], PacketError::Version(0)),
    ] {
        let compound = pli(0x81, 2, tail);
        let found = read(&compound);
        assert!(matches!(found[..], [Ok(Packet::Pli(_)), Err(last)] if last == error), "{found:?}");
    }
}

#[test]
fn a_bad_body_does_not_hide_the_packets_behind_it() {
    let short_report = [0x81, 200, 0, 1, 0, 0, 0, 1];
    let compound = [&short_report[..], &pli(0x81, 2, &[])].concat();
    let found = read(&compound);
    assert!(matches!(found[..], [Err(PacketError::Body(200)), Ok(Packet::Pli(_))]), "{found:?}");
}

#[test]
fn padding_is_no_part_of_the_last_packet() {
    let padded_nack = [0xA1, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8];
    match read(&padded_nack)[..] {
        [Ok(Packet::Nack(ref nack))] => assert_eq!(nack.sequences().count(), 1),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn padding_of_a_part_of_a_word_is_taken_off_as_libwebrtc_means_it() {
    let padded_feedback = [0xAF, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 5, 0, 1, 0, 0, 1, 0, 0x20, 1, 44, 1];
    match read(&padded_feedback)[..] {
        [Ok(Packet::WideFeedback(ref feedback))] => {
            let received: Vec<_> =
                feedback.received().map(|(number, tick)| (number.wire(), tick.wire())).collect();
            assert_eq!(received, [(5, 300)]);
        }
        ref other => panic!("{other:?}"),
    }
    // With 2 bytes of padding its delta would be part of it.
    let mut short = padded_feedback;
    short[23] = 2;
    assert!(matches!(read(&short)[..], [Err(PacketError::Body(205))]));
}

#[test]
fn padding_that_cannot_be_is_an_error_of_its_packet_only() {
    for count in [0, 13, 255] {
        let mut compound = pli(0xA1, 3, &[0, 0, 0, count]);
        compound.extend(pli(0x81, 2, &[]));
        let found = read(&compound);
        assert!(matches!(found[..], [Err(PacketError::Padding), Ok(Packet::Pli(_))]), "{count}: {found:?}");
    }
    assert!(matches!(read(&[0xA0, 201, 0, 0])[..], [Err(PacketError::Padding)]));
}

#[test]
fn padding_may_leave_too_little() {
    let compound = pli(0xA1, 2, &[]);
    let mut compound = compound.clone();
    compound[11] = 4;
    assert!(matches!(read(&compound)[..], [Err(PacketError::Body(PSFB))]));
}

/// Touches everything that a packet offers.
fn walk(packet: &Packet<'_>) -> usize {
    match packet {
        Packet::SenderReport(report) => report.blocks().count(),
        Packet::ReceiverReport(report) => report.blocks().count(),
        Packet::Sdes(sdes) => sdes.chunks().map(|chunk| 1 + chunk.items().count()).sum(),
        Packet::Bye(bye) => bye.ssrcs().count() + bye.reason.map_or(0, <[u8]>::len),
        Packet::Nack(nack) => nack.sequences().count(),
        Packet::Pli(_) => 0,
        Packet::Fir(fir) => fir.entries().count(),
        Packet::Xr(xr) => xr
            .blocks()
            .map(|block| match block {
                XrBlock::Dlrr(dlrr) => dlrr.reports().count(),
                XrBlock::Rrtr(_) | XrBlock::Unknown(_) => 1,
            })
            .sum(),
        Packet::WideFeedback(feedback) => feedback.received().count(),
        Packet::Remb(remb) => remb.ssrcs().count(),
        Packet::Unknown(unknown) => unknown.body.len(),
    }
}

prop_compose! {
    /// Bytes with RTCP headers that are right more often than chance would have it.
    fn hostile_compound()(
        parts in proptest::collection::vec(
            (0x80_u8..=0xBF, 198_u8..=209, proptest::collection::vec(any::<u8>(), 0..80), 0_u8..8), 0..6),
    ) -> Vec<u8> {
        let mut compound = Vec::new();
        for (first, packet_type, mut body, spoil) in parts {
            body.truncate(body.len() / 4 * 4);
            let words = u8::try_from(body.len() / 4).unwrap();
            let words = if spoil == 0 { words.wrapping_add(1) } else { words };
            compound.extend([first, packet_type, 0, words]);
            compound.extend(body);
        }
        compound
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_and_work_is_bounded_by_their_number(
        bytes in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), hostile_compound()],
    ) {
        let found = read(&bytes);
        prop_assert!(found.len() <= bytes.len() / 4 + 1);
        // The most that 4 bytes can stand for are the 17 numbers of a NACK item.
        prop_assert!(found.iter().flatten().map(walk).sum::<usize>() <= 17 * bytes.len());
    }

    #[test]
    fn a_written_compound_cut_anywhere_never_panics(cut in 0_usize..200) {
        let mut buffer = [0; 400];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.receiver_report(1, &[]).unwrap();
        writer.cname(1, b"name").unwrap();
        writer.receiver_reference_time(1, 2).unwrap();
        writer.bye(&[1, 2], b"reason").unwrap();
        writer.nack(1, 2, &[Serial16::new(3)]).unwrap();
        let bytes = writer.bytes();
        let bytes = &bytes[..cut.min(bytes.len())];
        prop_assert!(read(bytes).iter().flatten().map(walk).sum::<usize>() <= 17 * bytes.len() + 1);
    }
}
