//! Tests of reading headers.

use super::*;
use crate::rtp::extensions::{ExtensionForm, ExtensionId};
use proptest::prelude::*;

const FIXED: [u8; FIXED_BYTES] = [0x80, 0xE0, 0x12, 0x34, 1, 2, 3, 4, 0xAA, 0xBB, 0xCC, 0xDD];

/// A packet with `first` as its first byte and `rest` after the fixed header.
fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = FIXED.to_vec();
    packet[0] = first;
    packet.extend(rest);
    packet
}

#[test]
fn the_fixed_fields_come_from_their_places() {
    let packet = packet(0x80, b"payload");
    let header = Header::parse(&packet).unwrap();
    assert!(header.marker);
    assert_eq!(header.payload_type, 0x60);
    assert_eq!(header.sequence, Serial16::new(0x1234));
    assert_eq!(header.timestamp, Serial32::new(0x0102_0304));
    assert_eq!(header.ssrc, 0xAABB_CCDD);
    assert_eq!((header.csrc_count, header.padding), (0, 0));
    assert_eq!(header.payload(&packet), b"payload");
    assert_eq!(header.packet_len(), packet.len());
    assert_eq!(header.extensions.form(), ExtensionForm::Absent);
}

#[test]
fn the_second_byte_is_marker_and_payload_type() {
    for (second, marker, payload_type) in
        [(0x00, false, 0), (0x60, false, 0x60), (0x7F, false, 0x7F), (0x80, true, 0), (0xFF, true, 0x7F)]
    {
        let mut packet = FIXED;
        packet[1] = second;
        let header = Header::parse(&packet).unwrap();
        assert_eq!((header.marker, header.payload_type), (marker, payload_type), "{second:#x}");
    }
}

#[test]
fn a_header_alone_is_a_packet_with_an_empty_payload() {
    let header = Header::parse(&FIXED).unwrap();
    assert_eq!((header.payload_len(), header.payload(&FIXED)), (0, &[][..]));
}

#[test]
fn csrcs_extension_payload_and_padding_are_told_apart() {
    let rest = [
        &[1, 1, 1, 1, 2, 2, 2, 2][..],            // two CSRCs
        &[0xBE, 0xDE, 0, 1, 0x51, 0xA1, 0xA2, 0], // extension 5
        b"media",
        &[9, 9, 3],
    ]
    .concat();
    let packet = packet(0xB2, &rest);
    let header = Header::parse(&packet).unwrap();
    assert_eq!(header.csrcs(&packet), [1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(header.extensions.get(ExtensionId::new(5).unwrap(), &packet), Some(&[0xA1, 0xA2][..]));
    assert_eq!(header.payload(&packet), b"media");
    assert_eq!((header.padding, header.payload_offset(), header.payload_len()), (3, 28, 5));
    assert_eq!(header.packet_len(), packet.len());
}

#[test]
fn every_rule_has_its_error() {
    let long = vec![0x80; 65_536];
    for (bytes, error) in [
        (vec![], HeaderError::TooShort),
        (FIXED[..11].to_vec(), HeaderError::TooShort),
        (long, HeaderError::TooLong),
        (packet(0x40, b""), HeaderError::Version(1)),
        (packet(0xC0, b""), HeaderError::Version(3)),
        (packet(0x81, b"abc"), HeaderError::CsrcsTruncated),
        (packet(0x8F, &[0; 59]), HeaderError::CsrcsTruncated),
        (packet(0x90, &[]), HeaderError::ExtensionTruncated),
        (packet(0x90, &[0xBE, 0xDE, 0]), HeaderError::ExtensionTruncated),
        (packet(0x90, &[0xBE, 0xDE, 0, 1, 0x10, 0, 0]), HeaderError::ExtensionTruncated),
        (packet(0x90, &[0xBE, 0xDE, 0xFF, 0xFF, 0, 0, 0, 0]), HeaderError::ExtensionTruncated),
        (packet(0x90, &[0xBE, 0xDE, 0x40, 0x00, 0, 0, 0, 0]), HeaderError::ExtensionTruncated),
        (packet(0xA0, &[]), HeaderError::PaddingAbsent),
        (packet(0xA0, &[7, 0]), HeaderError::PaddingAbsent),
        (packet(0xA0, &[7, 3]), HeaderError::PaddingTooLong),
        (packet(0xB0, &[0xBE, 0xDE, 0, 0]), HeaderError::PaddingAbsent),
        (packet(0xB0, &[0xBE, 0xDE, 0, 0, 2]), HeaderError::PaddingTooLong),
    ] {
        assert_eq!(Header::parse(&bytes), Err(error), "{:x?}", &bytes[..bytes.len().min(24)]);
    }
}

#[test]
fn padding_may_be_all_there_is() {
    let packet = packet(0xA0, &[0, 0, 3]);
    let header = Header::parse(&packet).unwrap();
    assert_eq!((header.padding, header.payload_len()), (3, 0));
}

#[test]
fn the_largest_packet_is_read() {
    let mut bytes = packet(0x90, &[0xBE, 0xDE, 0x3F, 0xFB]);
    bytes.resize(65_535, 0);
    let header = Header::parse(&bytes).unwrap();
    assert_eq!((header.payload_offset(), header.payload_len()), (16 + 4 * 0x3FFB, 3));
}

#[test]
fn a_foreign_extension_profile_is_skipped() {
    let packet = packet(0x90, &[0xAB, 0xAC, 0, 1, 0x10, 0xFF, 0, 0, b'm']);
    let header = Header::parse(&packet).unwrap();
    assert_eq!(header.payload(&packet), b"m");
    assert_eq!(header.extensions.iter(&packet).count(), 0);
}

#[test]
fn a_shorter_packet_than_the_parsed_one_gives_empty_slices() {
    let packet = packet(0x81, &[1, 2, 3, 4, 5]);
    let header = Header::parse(&packet).unwrap();
    assert_eq!(header.payload(&packet[..16]), b"");
    assert_eq!(header.csrcs(&packet[..12]), b"");
}

proptest! {
    #[test]
    fn no_bytes_panic_and_the_parts_make_the_whole(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
        version_two: bool,
    ) {
        if let (true, Some(first)) = (version_two, bytes.first_mut()) {
            *first = *first & 0x3F | 0x80;
        }
        if let Ok(header) = Header::parse(&bytes) {
            prop_assert_eq!(header.packet_len(), bytes.len());
            prop_assert_eq!(header.payload(&bytes).len(), header.payload_len());
            prop_assert_eq!(header.csrcs(&bytes).len(), 4 * usize::from(header.csrc_count));
            prop_assert!(header.extensions.iter(&bytes).all(|(id, value)| id.get() > 0 && value.len() <= 255));
        }
    }
}
