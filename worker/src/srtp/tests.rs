//! The engine against the RFCs' vectors, against itself over many wraps, and against damage.

mod model;
mod vectors;

use super::*;
use crate::base::time::Time;
use crate::rtp::header::payload_offset;

/// The same cases in every run; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` explore further.
pub(super) fn model_config() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};

    let mut config = Config { failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(0x7372_7470);
    }
    config
}

/// Bytes from hexadecimal digits; everything else between them is skipped.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| u8::try_from(digit).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn keys(suite: Suite, seed: u8) -> Keys {
    let bytes: Vec<u8> =
        (0..suite.master_bytes()).map(|place| u8::try_from(place * 7 % 251).unwrap() ^ seed).collect();
    Keys::new(suite, &bytes).unwrap()
}

fn pair(suite: Suite) -> (Protect, Unprotect) {
    (Protect::new(&keys(suite, 1)).unwrap(), Unprotect::new(&keys(suite, 1)).unwrap())
}

/// A packet with the fixed header only.
fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let head = [&[0x80, 96][..], &sequence.to_be_bytes(), &[0, 0, 1, 0], &ssrc.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A sender report's header, and words behind it.
fn rtcp(ssrc: u32, words: u8) -> Vec<u8> {
    let mut compound = [&[0x80, 200, 0, words + 1][..], &ssrc.to_be_bytes()].concat();
    compound.extend((0..words).flat_map(|word| [word; 4]));
    compound
}

/// Protects a finished packet the way that `seal` does it: header copied, payload encrypted into its place.
fn protect(sender: &mut Protect, plain: &[u8]) -> Result<Vec<u8>, ProtectError> {
    let header_bytes = payload_offset(plain).unwrap();
    let mut packet = plain[..header_bytes].to_vec();
    packet.resize(plain.len() + sender.suite().rtp_tag_bytes(), 0);
    let body = Body { header_bytes, payload_offset: header_bytes, payload: &plain[header_bytes..] };
    sender.rtp(&mut packet, body).map(|()| packet)
}

fn protect_rtcp(sender: &mut Protect, plain: &[u8]) -> Vec<u8> {
    let mut packet = [plain, &[0; 40]].concat();
    let bytes = sender.rtcp(&mut packet, plain.len()).unwrap();
    packet.truncate(bytes);
    packet
}

fn open(receiver: &mut Unprotect, packet: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut packet = packet.to_vec();
    let header_bytes = payload_offset(&packet).unwrap();
    let bytes = receiver.rtp(&mut packet, header_bytes, Time::ZERO)?;
    packet.truncate(bytes);
    Ok(packet)
}

fn open_rtcp(receiver: &mut Unprotect, packet: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut packet = packet.to_vec();
    let bytes = receiver.rtcp(&mut packet, Time::ZERO)?;
    packet.truncate(bytes);
    Ok(packet)
}

#[test]
fn what_was_protected_opens_to_the_same_bytes() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        for (sequence, length) in (500..).zip([0, 1, 15, 16, 17, 120, 1_100, 1_400]) {
            let plain = rtp(7, sequence, &vec![0x5A; length]);
            let packet = protect(&mut sender, &plain).unwrap();
            assert_eq!(packet.len(), plain.len() + suite.rtp_tag_bytes());
            assert!(
                length < 15 || packet[12..12 + length] != plain[12..],
                "{suite:?} left the payload readable"
            );
            assert_eq!(packet[..12], plain[..12]);
            assert_eq!(open(&mut receiver, &packet), Ok(plain));
        }
        for words in [0, 1, 6, 40] {
            let plain = rtcp(7, words);
            let packet = protect_rtcp(&mut sender, &plain);
            assert_eq!(packet.len(), plain.len() + suite.rtcp_trailer_bytes());
            assert_eq!(open_rtcp(&mut receiver, &packet), Ok(plain));
        }
    }
}

#[test]
fn prefix_and_padding_are_encrypted_where_they_stand() {
    for suite in Suite::ALL {
        let mut plain = rtp(7, 500, &[]);
        plain[0] |= 0x20;
        let header_bytes = plain.len();
        let payload: Vec<u8> = (0..100).collect();
        plain.extend([0x12, 0x34].iter().chain(&payload).chain(&[0, 0, 0, 4]));
        let (mut sender, mut receiver) = pair(suite);
        let in_one = protect(&mut sender, &plain).unwrap();
        let mut packet = plain.clone();
        packet.resize(plain.len() + suite.rtp_tag_bytes(), 0xEE);
        packet[header_bytes + 2..header_bytes + 102].fill(0);
        sender
            .rtp(&mut packet, Body { header_bytes, payload_offset: header_bytes + 2, payload: &payload })
            .unwrap();
        assert_eq!(packet, in_one);
        assert_eq!(open(&mut receiver, &packet), Ok(plain));
    }
}

#[test]
fn a_packet_that_is_protected_again_is_the_same_bytes_and_changes_nothing() {
    for suite in Suite::ALL {
        let (mut sender, _) = pair(suite);
        let first: Vec<_> =
            (65_000..=65_535).chain(0..600).map(|sequence| rtp(7, sequence, &[1, 2, 3])).collect();
        let sent: Vec<_> = first.iter().map(|plain| protect(&mut sender, plain).unwrap()).collect();
        for (plain, sent) in first.iter().zip(&sent).rev() {
            assert_eq!(&protect(&mut sender, plain).unwrap(), sent);
        }
        assert_eq!(sender.next_sequence(7).unwrap().wire(), 600);
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_leaves_no_trace() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let packet = protect(&mut sender, &rtp(7, 500, b"a payload of some bytes")).unwrap();
        let compound = protect_rtcp(&mut sender, &rtcp(7, 3));
        // The first byte holds the lengths of the header: those are the wire's business.
        for bit in 8..packet.len() * 8 {
            let mut damaged = packet.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&mut receiver, &damaged),
                Err(UnprotectError::NotAuthentic),
                "{suite:?} bit {bit}"
            );
        }
        for bit in 0..compound.len() * 8 {
            let mut damaged = compound.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open_rtcp(&mut receiver, &damaged),
                Err(UnprotectError::NotAuthentic),
                "{suite:?} bit {bit}"
            );
        }
        assert_eq!(receiver.streams(), (0, 0));
        assert!(open(&mut receiver, &packet).is_ok() && open_rtcp(&mut receiver, &compound).is_ok());
        assert_eq!(receiver.streams(), (1, 1));
    }
}

#[test]
fn every_cut_packet_is_refused() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let packet = protect(&mut sender, &rtp(7, 500, &[9; 40])).unwrap();
        let compound = protect_rtcp(&mut sender, &rtcp(7, 3));
        for bytes in 12..packet.len() {
            assert!(open(&mut receiver, &packet[..bytes]).is_err());
        }
        for bytes in 0..compound.len() {
            assert!(open_rtcp(&mut receiver, &compound[..bytes]).is_err());
        }
        for bytes in 0..12 {
            assert_eq!(
                receiver.rtp(&mut packet[..bytes].to_vec(), 12, Time::ZERO),
                Err(UnprotectError::TooShort)
            );
        }
        assert_eq!(receiver.streams(), (0, 0));
    }
}

#[test]
fn the_same_packet_is_taken_once() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let packet = protect(&mut sender, &rtp(7, 500, &[9; 40])).unwrap();
        let compound = protect_rtcp(&mut sender, &rtcp(7, 3));
        assert!(open(&mut receiver, &packet).is_ok() && open_rtcp(&mut receiver, &compound).is_ok());
        assert_eq!(open(&mut receiver, &packet), Err(UnprotectError::Replayed));
        assert_eq!(open_rtcp(&mut receiver, &compound), Err(UnprotectError::Replayed));
    }
}

#[test]
fn other_keys_and_other_suites_open_nothing() {
    for suite in Suite::ALL {
        let (mut sender, _) = pair(suite);
        let packet = protect(&mut sender, &rtp(7, 500, &[9; 60])).unwrap();
        let compound = protect_rtcp(&mut sender, &rtcp(7, 9));
        for other in Suite::ALL {
            let mut receiver = Unprotect::new(&keys(other, 1 + u8::from(other == suite))).unwrap();
            let cm = |suite: Suite| !suite.is_aead();
            // Both AES-CM suites have the same keys, and the same tags of RTCP.
            let same_rtcp = cm(suite) && cm(other) && suite != other;
            assert_eq!(open(&mut receiver, &packet), Err(UnprotectError::NotAuthentic));
            assert_eq!(open_rtcp(&mut receiver, &compound).is_ok(), same_rtcp);
        }
    }
}

#[test]
fn a_key_s_last_indices_are_used_once_and_no_more() {
    let (mut sender, _) = pair(Suite::AeadAes128Gcm);
    sender.set_newest(7, (1 << 48) - 2);
    assert!(protect(&mut sender, &rtp(7, 65_535, &[1])).is_ok());
    assert_eq!(protect(&mut sender, &rtp(7, 0, &[1])), Err(ProtectError::NoIndex));
    sender.set_next_report(7, (1 << 31) - 1);
    assert!(sender.rtcp(&mut [&rtcp(7, 0)[..], &[0; 20]].concat(), 8).is_ok());
    assert_eq!(sender.rtcp(&mut [&rtcp(7, 0)[..], &[0; 20]].concat(), 8), Err(ProtectError::NoIndex));
}

#[test]
fn a_stream_that_ended_goes_on_behind_its_last_number() {
    let (mut sender, _) = pair(Suite::AeadAes128Gcm);
    for ssrc in (0..).take(RETIRED_MAX + 10) {
        protect(&mut sender, &rtp(ssrc, 500, &[1])).unwrap();
        sender.retire(ssrc);
    }
    assert_eq!(sender.streams(), RETIRED_MAX);
    assert_eq!(sender.next_sequence(9), None, "the ones that ended first are forgotten");
    assert_eq!(sender.next_sequence(10).unwrap().wire(), 501);
    protect(&mut sender, &rtp(10, 501, &[1])).unwrap();
    for ssrc in (50_000..).take(RETIRED_MAX) {
        protect(&mut sender, &rtp(ssrc, 500, &[1])).unwrap();
        sender.retire(ssrc);
    }
    assert_eq!(sender.next_sequence(10).unwrap().wire(), 502, "one that came back is not forgotten");
    assert_eq!(sender.next_sequence(11), None);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    for suite in Suite::ALL {
        let (mut sender, _) = pair(suite);
        let room = 12 + 20 + suite.rtp_tag_bytes();
        let body = |header_bytes, payload_offset, payload| Body { header_bytes, payload_offset, payload };
        let mut attempt = |bytes: usize, body| sender.rtp(&mut vec![0x80; bytes], body);
        assert_eq!(attempt(room, body(12, 12, &[0; 21])), Err(ProtectError::Length));
        assert_eq!(attempt(room, body(40, 12, &[0; 20])), Err(ProtectError::Length));
        assert_eq!(attempt(room, body(12, usize::MAX, &[0; 20])), Err(ProtectError::Length));
        assert_eq!(attempt(11, body(12, 12, &[])), Err(ProtectError::Length));
        assert_eq!(sender.rtcp(&mut vec![0; 7 + suite.rtcp_trailer_bytes()], 8), Err(ProtectError::Length));
        assert_eq!(sender.rtcp(&mut [0; 40], 7), Err(ProtectError::Length));
        assert_eq!(sender.rtcp(&mut [0; 40], 39), Err(ProtectError::Length));
    }
}
