//! Tests of reading header extensions.

use super::*;
use proptest::prelude::*;

fn id(id: u8) -> ExtensionId {
    ExtensionId::new(id).unwrap()
}

/// A packet that starts with 16 bytes of something, then the block.
fn packet(block: &[u8]) -> Vec<u8> {
    [&[0xEE; 16], block].concat()
}

fn parse(profile: u16, packet: &[u8]) -> Extensions {
    Extensions::parse(packet, profile, 16..u16::try_from(packet.len()).unwrap())
}

fn values(profile: u16, block: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let packet = packet(block);
    let extensions = parse(profile, &packet);
    let found = extensions.iter(&packet).map(|(id, value)| (id.get(), value.to_vec())).collect::<Vec<_>>();
    for (id, value) in &found {
        let last = found.iter().rfind(|(other, _)| other == id).map(|(_, value)| value.as_slice());
        assert_eq!(extensions.get(self::id(*id), &packet), last, "get and iter differ for id {id} {value:?}");
    }
    found
}

#[test]
fn id_zero_is_padding_and_not_an_id() {
    assert_eq!(ExtensionId::new(0), None);
    assert!(id(14).fits_one_byte());
    assert!(!id(15).fits_one_byte());
}

#[test]
fn shortened_value_ends_earlier_and_its_neighbours_stay() {
    let one_byte = (PROFILE_ONE_BYTE, vec![0x10, 0xA1, 0x22, 1, 2, 3, 0x30, 0xB1]);
    let two_byte = (PROFILE_TWO_BYTE, vec![1, 1, 0xA1, 2, 3, 1, 2, 3, 3, 1, 0xB1, 0]);
    for (profile, block) in [one_byte, two_byte] {
        let mut packet = packet(&block);
        let extensions = parse(profile, &packet);
        assert!(!extensions.shorten(id(2), &mut packet, 3), "it is not longer");
        assert!(!extensions.shorten(id(4), &mut packet, 1), "it is not there");
        assert!(!extensions.shorten(id(2), &mut packet, 0), "one-byte form has no empty values");
        assert!(extensions.shorten(id(2), &mut packet, 2));
        for extensions in [&extensions, &parse(profile, &packet)] {
            let found: Vec<_> = extensions.iter(&packet).map(|(id, value)| (id.get(), value)).collect();
            assert_eq!(found, [(1, &[0xA1][..]), (2, &[1, 2]), (3, &[0xB1])]);
            assert_eq!(extensions.get(id(2), &packet), Some(&[1, 2][..]));
        }
    }
}

#[test]
fn one_byte_elements_with_padding_between_and_after() {
    let block = [0x10, 0xA1, 0, 0, 0xE1, 0xB1, 0xB2, 0];
    assert_eq!(values(PROFILE_ONE_BYTE, &block), [(1, vec![0xA1]), (14, vec![0xB1, 0xB2])]);
}

#[test]
fn two_byte_elements_may_be_empty_long_and_above_fourteen() {
    let mut block = vec![1, 0, 0, 15, 1, 0xAA, 255, 17];
    block.extend([0xBB; 17]);
    for app_bits in [0x0, 0xF] {
        assert_eq!(
            values(PROFILE_TWO_BYTE | app_bits, &block),
            [(1, vec![]), (15, vec![0xAA]), (255, vec![0xBB; 17])]
        );
    }
}

#[test]
fn an_empty_value_at_the_very_end_is_there() {
    assert_eq!(values(PROFILE_TWO_BYTE, &[1, 1, 0xAA, 0, 0, 0, 2, 0]), [(1, vec![0xAA]), (2, vec![])]);
}

#[test]
fn one_table_serves_both_forms_of_one_stream() {
    for (profile, block, form) in [
        (PROFILE_ONE_BYTE, &[0x31, 0xA1, 0xA2, 0][..], ExtensionForm::OneByte),
        (PROFILE_TWO_BYTE, &[0x03, 2, 0xA1, 0xA2], ExtensionForm::TwoByte),
    ] {
        let packet = packet(block);
        let extensions = parse(profile, &packet);
        assert_eq!(extensions.get(id(3), &packet), Some(&[0xA1, 0xA2][..]));
        assert_eq!(extensions.form(), form);
    }
}

#[test]
fn id_fifteen_ends_a_one_byte_block() {
    assert_eq!(values(PROFILE_ONE_BYTE, &[0x10, 0xA1, 0xF0, 0xA2, 0x20, 0xA3, 0, 0]), [(1, vec![0xA1])]);
}

#[test]
fn id_zero_with_a_length_ends_a_one_byte_block() {
    assert_eq!(values(PROFILE_ONE_BYTE, &[0x10, 0xA1, 0x01, 0x20, 0x20, 0xA3, 0, 0]), [(1, vec![0xA1])]);
}

#[test]
fn a_value_beyond_the_block_is_dropped_and_what_came_before_kept() {
    assert_eq!(values(PROFILE_ONE_BYTE, &[0x10, 0xA1, 0x22, 0xB1]), [(1, vec![0xA1])]);
    assert_eq!(values(PROFILE_TWO_BYTE, &[1, 1, 0xA1, 2]), [(1, vec![0xA1])]);
    assert_eq!(values(PROFILE_TWO_BYTE, &[2, 3, 0xA1, 2]), []);
}

#[test]
fn a_repeated_id_keeps_its_last_value() {
    let packet = packet(&[0x10, 0xA1, 0x10, 0xA2]);
    assert_eq!(parse(PROFILE_ONE_BYTE, &packet).get(id(1), &packet), Some(&[0xA2][..]));
    assert_eq!(values(PROFILE_TWO_BYTE, &[200, 1, 0xA1, 200, 1, 0xA2, 0, 0]).len(), 2);
}

#[test]
fn a_foreign_profile_has_no_extensions() {
    for profile in [0, 0x0FFF, 0x1010, 0xBEDF, 0xABAC] {
        let packet = packet(&[0x10, 0xA1, 0, 0]);
        let extensions = parse(profile, &packet);
        assert_eq!((extensions.get(id(1), &packet), extensions.form()), (None, ExtensionForm::Absent));
        assert_eq!(extensions.iter(&packet).count(), 0);
    }
}

#[test]
fn an_absent_id_is_none_in_every_range() {
    let packet = packet(&[1, 1, 0xA1, 20, 1, 0xA2, 0, 0]);
    let extensions = parse(PROFILE_TWO_BYTE, &packet);
    for absent in [2, 14, 15, 21, 255] {
        assert_eq!(extensions.get(id(absent), &packet), None, "id {absent}");
    }
}

#[test]
fn beside_another_packet_the_table_gives_no_panic() {
    let own = packet(&[1, 1, 0xA1, 20, 1, 0xA2, 0, 0]);
    let extensions = parse(PROFILE_TWO_BYTE, &own);
    for other in [&[][..], &own[..17], &own[..20]] {
        for id in 1..=255 {
            extensions.get(self::id(id), other);
        }
    }
}

proptest! {
    #[test]
    fn no_block_panics_and_get_agrees_with_iter(
        block in proptest::collection::vec(any::<u8>(), 0..300),
        profile in prop_oneof![Just(PROFILE_ONE_BYTE), Just(PROFILE_TWO_BYTE), any::<u16>()],
    ) {
        values(profile, &block);
    }
}
