//! Tests of building packets.

use super::*;
use crate::base::sequence::Serial32;
use crate::rtp::Header;
use proptest::prelude::*;

fn id(id: u8) -> ExtensionId {
    ExtensionId::new(id).unwrap()
}

fn outgoing(payload: &[u8]) -> Outgoing<'_> {
    Outgoing {
        marker: false,
        payload_type: 96,
        sequence: Serial16::new(0x1234),
        timestamp: 0x0102_0304,
        ssrc: 0xAABB_CCDD,
        csrcs: &[],
        rtx_osn: None,
        payload,
        padding: 0,
    }
}

fn written(packet: &Outgoing<'_>, extensions: &ExtensionValues<'_>) -> Vec<u8> {
    let mut out = vec![0xEE; packet_len(packet, extensions)];
    assert_eq!(write_packet(&mut out, packet, extensions), Ok(out.len()));
    out
}

const FIXED: [u8; 12] = [0x80, 0x60, 0x12, 0x34, 1, 2, 3, 4, 0xAA, 0xBB, 0xCC, 0xDD];

#[test]
fn a_plain_packet_is_header_and_payload() {
    let bytes = written(&outgoing(b"media"), &ExtensionValues::new());
    assert_eq!(bytes, [&FIXED[..], b"media"].concat());
}

#[test]
fn everything_at_once_stands_in_order() {
    let mut values = ExtensionValues::new();
    values.push(id(1), b"v").unwrap();
    values.push(id(14), &[1, 2, 3]).unwrap();
    let packet = Outgoing {
        marker: true,
        csrcs: &[5, 5, 5, 5],
        rtx_osn: Some(Serial16::new(0xFFFE)),
        padding: 4,
        ..outgoing(b"media")
    };
    let expected = [
        &[0xB1, 0xE0, 0x12, 0x34, 1, 2, 3, 4, 0xAA, 0xBB, 0xCC, 0xDD][..],
        &[5, 5, 5, 5],
        &[0xBE, 0xDE, 0, 2, 0x10, b'v', 0xE2, 1, 2, 3, 0, 0],
        &[0xFF, 0xFE],
        b"media",
        &[0, 0, 0, 4],
    ]
    .concat();
    assert_eq!(written(&packet, &values), expected);
    assert_eq!(header_len(&packet, &values), 12 + 4 + 12 + 2);
}

#[test]
fn the_two_byte_form_is_taken_only_when_needed() {
    for (id, bytes, form) in [
        (1, 1, ExtensionForm::OneByte),
        (14, 16, ExtensionForm::OneByte),
        (14, 17, ExtensionForm::TwoByte),
        (14, 0, ExtensionForm::TwoByte),
        (15, 1, ExtensionForm::TwoByte),
        (255, 255, ExtensionForm::TwoByte),
    ] {
        let value = vec![7; bytes];
        let mut values = ExtensionValues::new();
        values.push(self::id(id), &value).unwrap();
        assert_eq!(values.form(), form, "id {id}, {bytes} bytes");
        let packet = written(&outgoing(b""), &values);
        let header = Header::parse(&packet).unwrap();
        assert_eq!(header.extensions.form(), form);
        assert_eq!(header.extensions.get(self::id(id), &packet), Some(&value[..]));
    }
}

#[test]
fn full_and_too_long_are_refused_and_change_nothing() {
    let mut values = ExtensionValues::new();
    assert_eq!(values.push(id(1), &[0; 256]), Err(ExtensionValueError::TooLong));
    assert_eq!(values.block_len(), 0);
    for next in 1..=16 {
        values.push(id(next), &[0; 255]).unwrap();
    }
    let block_len = values.block_len();
    assert_eq!(values.push(id(17), b"x"), Err(ExtensionValueError::Full));
    assert_eq!((values.block_len(), values.values.spilled()), (block_len, false));
    values.clear();
    assert_eq!((values.block_len(), values.form()), (0, ExtensionForm::Absent));
}

#[test]
fn a_buffer_one_byte_short_stays_untouched() {
    let mut values = ExtensionValues::new();
    values.push(id(1), b"v").unwrap();
    let packet = Outgoing { padding: 255, ..outgoing(b"media") };
    let mut out = vec![0xEE; packet_len(&packet, &values) - 1];
    assert_eq!(write_packet(&mut out, &packet, &values), Err(NoRoom));
    assert!(out.iter().all(|byte| *byte == 0xEE));
}

#[test]
fn bytes_behind_the_packet_stay_untouched() {
    let mut out = [0xEE; 64];
    let len = write_packet(&mut out, &outgoing(b"media"), &ExtensionValues::new()).unwrap();
    assert!(out[len..].iter().all(|byte| *byte == 0xEE));
}

#[test]
fn odd_csrcs_and_payload_types_are_cut_to_what_a_header_can_say() {
    let csrcs = [3; 70];
    let packet = Outgoing { csrcs: &csrcs, payload_type: 0xFF, ..outgoing(b"") };
    let bytes = written(&packet, &ExtensionValues::new());
    let header = Header::parse(&bytes).unwrap();
    assert_eq!((header.csrc_count, header.payload_type, header.marker), (15, 127, false));
    let packet = Outgoing { csrcs: &csrcs[..7], ..packet };
    assert_eq!(Header::parse(&written(&packet, &ExtensionValues::new())).unwrap().csrc_count, 1);
}

prop_compose! {
    fn any_values()(
        ids in proptest::sample::subsequence((1..=255).collect::<Vec<u8>>(), 0..=16),
        mut seeds in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..=20), 16),
        lowest in any::<bool>(),
    ) -> Vec<(ExtensionId, Vec<u8>)> {
        // Half of the cases have small ids only, or the one-byte form would hardly ever be seen.
        let ids = ids.into_iter().enumerate().map(|(index, id)| match lowest {
            true => u8::try_from(index).unwrap() + 1,
            false => id,
        });
        ids.map(|id| (tests::id(id), seeds.pop().unwrap_or_default())).collect()
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_parsed(
        (marker, payload_type, sequence, timestamp, ssrc) in any::<(bool, u8, u16, u32, u32)>(),
        csrcs in proptest::collection::vec(any::<u32>(), 0..=15),
        payload in proptest::collection::vec(any::<u8>(), 0..1200),
        padding: u8,
        values in any_values(),
    ) {
        let csrcs = csrcs.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<_>>();
        let packet = Outgoing {
            marker,
            payload_type: payload_type & 0x7F,
            sequence: Serial16::new(sequence),
            timestamp,
            ssrc,
            csrcs: &csrcs,
            rtx_osn: None,
            payload: &payload,
            padding,
        };
        let mut extensions = ExtensionValues::new();
        for (id, value) in &values {
            extensions.push(*id, value).unwrap();
        }
        let bytes = written(&packet, &extensions);
        let header = Header::parse(&bytes).unwrap();
        prop_assert_eq!(header.marker, marker);
        prop_assert_eq!(header.payload_type, payload_type & 0x7F);
        prop_assert_eq!(header.sequence, packet.sequence);
        prop_assert_eq!(header.timestamp, Serial32::new(timestamp));
        prop_assert_eq!(header.ssrc, ssrc);
        prop_assert_eq!(header.csrcs(&bytes), &csrcs[..]);
        prop_assert_eq!(header.padding, padding);
        prop_assert_eq!(header.payload(&bytes), &payload[..]);
        prop_assert_eq!(header.payload_offset(), header_len(&packet, &extensions));
        let read = header.extensions.iter(&bytes).map(|(id, value)| (id, value.to_vec())).collect::<Vec<_>>();
        prop_assert_eq!(&read, &values);
    }

    #[test]
    fn a_packet_written_from_a_parsed_one_parses_alike(
        mut bytes in proptest::collection::vec(any::<u8>(), 12..300),
        profile in prop_oneof![Just(0xBEDE_u16), Just(0x1000_u16)],
    ) {
        // An arbitrary packet with a good chance of an extension block.
        bytes[0] = 0x80 | bytes[0] & 0x20;
        if bytes.len() > 40 {
            bytes[0] |= 0x10;
            bytes[12..14].copy_from_slice(&profile.to_be_bytes());
            bytes[14..16].copy_from_slice(&[0, 5]);
        }
        let Ok(header) = Header::parse(&bytes) else { return Ok(()) };
        let mut extensions = ExtensionValues::new();
        for id in (1..=255).filter_map(ExtensionId::new) {
            if let Some(value) = header.extensions.get(id, &bytes) {
                extensions.push(id, value).unwrap();
            }
        }
        let packet = Outgoing {
            marker: header.marker,
            payload_type: header.payload_type,
            sequence: header.sequence,
            timestamp: header.timestamp.wire(),
            ssrc: header.ssrc,
            csrcs: header.csrcs(&bytes),
            rtx_osn: None,
            payload: header.payload(&bytes),
            padding: header.padding,
        };
        let copy = written(&packet, &extensions);
        let again = Header::parse(&copy).unwrap();
        prop_assert_eq!(again.payload(&copy), header.payload(&bytes));
        prop_assert_eq!((again.padding, again.ssrc, again.sequence), (header.padding, header.ssrc, header.sequence));
        for id in (1..=255).filter_map(ExtensionId::new) {
            prop_assert_eq!(again.extensions.get(id, &copy), header.extensions.get(id, &bytes));
        }
    }
}
