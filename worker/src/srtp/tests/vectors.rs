//! Whole packets of RFC 7714 16 and 17, and of AES_CM_128_HMAC_SHA1_80 with the keys of RFC 3711 B.3.

use super::*;
use crate::srtp::keys::SessionKeys;

fn gcm_keys(suite: Suite) -> SessionKeys {
    let key: Vec<u8> = (0..).take(suite.key_bytes()).collect();
    SessionKeys::given(suite, &key, b"Quid pro quo")
}

fn gcm_sender(suite: Suite) -> Protect {
    Protect::with_session_keys(&gcm_keys(suite), gcm_keys(suite)).unwrap()
}

fn gcm_receiver(suite: Suite) -> Unprotect {
    Unprotect::with_session_keys(&gcm_keys(suite), gcm_keys(suite)).unwrap()
}

const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
    69736120 696e2070 61727465 73207472 6573";

/// RFC 7714 16.1.
const RTP_128: &str = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
    0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";

/// RFC 7714 16.2.
const RTP_256: &str = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
    9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";

const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
    deadbeef deadbeef deadbeef deadbeef deadbeef";

/// RFC 7714 17.1.
const RTCP_128: &str = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
    c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";

/// RFC 7714 17.2.
const RTCP_256: &str = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
    a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4";

/// RFC 7714 17.3 and 17.4: tag and index behind a compound that is not encrypted.
const TAG_ONLY_128: &str = "841dd968 3dd78ec9 2ae58790 125f62b3 000005d4";
const TAG_ONLY_256: &str = "91db4afb feee5a97 8fab4393 ed2615fe 000005d4";

#[test]
fn packets_are_those_of_rfc_7714() {
    for (suite, expected) in [(Suite::AeadAes128Gcm, RTP_128), (Suite::AeadAes256Gcm, RTP_256)] {
        assert_eq!(protect(&mut gcm_sender(suite), &hex(RTP)).unwrap(), hex(expected));
        assert_eq!(open(&mut gcm_receiver(suite), &hex(expected)), Ok(hex(RTP)));
    }
}

#[test]
fn compounds_are_those_of_rfc_7714() {
    for (suite, expected) in [(Suite::AeadAes128Gcm, RTCP_128), (Suite::AeadAes256Gcm, RTCP_256)] {
        let mut sender = gcm_sender(suite);
        sender.set_next_report(0x4d61_7273, 0x5d4);
        assert_eq!(protect_rtcp(&mut sender, &hex(RTCP)), hex(expected));
        assert_eq!(open_rtcp(&mut gcm_receiver(suite), &hex(expected)), Ok(hex(RTCP)));
    }
}

#[test]
fn compounds_with_a_tag_only_are_those_of_rfc_7714() {
    for (suite, trailer) in [(Suite::AeadAes128Gcm, TAG_ONLY_128), (Suite::AeadAes256Gcm, TAG_ONLY_256)] {
        let mut packet = [hex(RTCP), hex(trailer)].concat();
        let mut receiver = gcm_receiver(suite);
        let bytes = receiver.rtcp(&mut packet, Time::ZERO).unwrap();
        assert_eq!(packet[..bytes], hex(RTCP));
        let mut damaged = [hex(RTCP), hex(trailer)].concat();
        damaged[30] ^= 1;
        assert_eq!(gcm_receiver(suite).rtcp(&mut damaged, Time::ZERO), Err(UnprotectError::NotAuthentic));
    }
}

/// Master key and salt of RFC 3711 B.3; the packets are the ones that other implementations are tested with.
#[test]
fn packets_of_aes_cm_are_those_of_other_implementations() {
    let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let keys = Keys::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
    let plain = [hex("800f1234 decafbad cafebabe"), vec![0xAB; 16]].concat();
    let expected =
        hex("800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb");
    assert_eq!(protect(&mut Protect::new(&keys).unwrap(), &plain).unwrap(), expected);
    assert_eq!(open(&mut Unprotect::new(&keys).unwrap(), &expected), Ok(plain));

    let plain = [hex("81c8000b cafebabe"), vec![0xAB; 16]].concat();
    let expected =
        hex("81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798");
    let mut sender = Protect::new(&keys).unwrap();
    sender.set_next_report(0xcafe_babe, 1);
    assert_eq!(protect_rtcp(&mut sender, &plain), expected);
    assert_eq!(open_rtcp(&mut Unprotect::new(&keys).unwrap(), &expected), Ok(plain));
}
