//! RSA keys and signatures; ECDSA's are in every handshake.

use super::*;
use sha2::{Digest, Sha256};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hash(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

#[test]
fn an_rsa_signature_is_its_owners_only_for_the_message_and_whole() {
    let key = PeerKey::of(&bytes(CERTIFICATE)).unwrap();
    let signature = bytes(SIGNATURE);
    let signed = |scheme, message: &[u8], signature: &[u8]| key.has_signed(scheme, &hash(message), signature);
    assert!(signed(RSA_PKCS1_SHA256, b"signed", &signature));
    assert!(!signed(RSA_PKCS1_SHA256, b"other", &signature));
    assert!(!signed(ECDSA_SHA256, b"signed", &signature));
    assert!(!signed(0x0804, b"signed", &signature), "PSS was not offered");
    assert!(!signed(RSA_PKCS1_SHA256, b"signed", &bytes(SHA1_SIGNATURE)));
    for at in 0..signature.len() {
        let mut changed = signature.clone();
        changed[at] ^= 1;
        assert!(!signed(RSA_PKCS1_SHA256, b"signed", &changed), "byte {at}");
    }
    for length in [0, 1, 127, 129, 256] {
        let mut other = signature.clone();
        other.resize(length, 0);
        assert!(!signed(RSA_PKCS1_SHA256, b"signed", &other), "{length} bytes");
    }
    assert!(!signed(RSA_PKCS1_SHA256, b"signed", &[0xFF; 128]), "not below the modulus");
}

#[test]
fn keys_out_of_bounds_are_none() {
    let rsa = |modulus_bytes: usize, exponent: &[u8]| {
        let integer = |bytes: &[u8]| {
            let mut der = vec![2, 0x82];
            der.extend_from_slice(&u16::try_from(bytes.len() + 1).unwrap().to_be_bytes());
            der.push(0);
            der.extend_from_slice(bytes);
            der
        };
        let short = [&[2, u8::try_from(exponent.len()).unwrap()], exponent].concat();
        let body = [integer(&vec![0xFF; modulus_bytes]), short].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        Rsa::parse(&[&[0x30, 0x82], length.as_slice(), &body].concat())
    };
    assert!(rsa(255, &[3]).is_some() && rsa(512, &[1, 0, 1]).is_some());
    assert!(rsa(513, &[3]).is_none());
    assert!(rsa(256, &[1]).is_none() && rsa(256, &[4]).is_none() && rsa(256, &[1, 0, 0, 0, 1]).is_none());
    let certificate = bytes(CERTIFICATE);
    for length in 0..certificate.len() {
        assert!(PeerKey::of(&certificate[..length]).is_none());
    }
}

/// A certificate with an RSA key of 1,024 bits, made by OpenSSL.
const CERTIFICATE: &str = "308201f43082015da00302010202143d7af176342357e17754870364dc5302750bda85300d06092a864886f70d01010b0500\
    300c310a300806035504030c0172301e170d3236313132313230333931305a170d3336313131383230333931305a300c310a\
    300806035504030c017230819f300d06092a864886f70d010101050003818d0030818902818100c76c4312c3a79fc170a529\
    849a15e42e8370c5ce28d293cc5f8647c7588dc33eb61c954c0431770c6b050e9c46af7fb811be7b33ab5ff667b34c1ec61e\
    48a4117dd4447d0a5411caccabca600dac821d17ac9a7a98ecf78518e32f8023afd1a0eacda58fdb20ca5b697fe4b1cdd547\
    942ff8893c6f5dc3f7a13577ccb164c8890203010001a3533051301d0603551d0e041604142d11aff9afe7783563a20ec4aa\
    314aeccfdee57e301f0603551d230418301680142d11aff9afe7783563a20ec4aa314aeccfdee57e300f0603551d130101ff\
    040530030101ff300d06092a864886f70d01010b05000381810068f5633ca0b178dc7fcb464e7ce741415922c8ae8eb5e397\
    5a447028e9f0968b1cb83d6a7ef2caf5c61528dca9fa59290e77b737fd8299a3fc8cce2b8d8b215f3e52de42d48d29e49d13\
    b808056660a116aa175686d3bf7de73810c17f91a227f7d26b14a13e838a665ad3cdadbd735df514d1c9e6b2ec5139b4dbbe\
    632f861c";
/// Its key's PKCS#1 v1.5 signature of "signed" with SHA-256.
const SIGNATURE: &str = "602f67f2e466eb5cd8e6952c0c548d10030f84c5fab0d2a1d82a956f73dec4401cd662dc83aadfd402d9c94110f207d54869\
    643a03e96a29fd1ef64132a25794ef64b8be7dcd6470734ae3e047e8647d59bf281fffcf25f090f4227d7e58fc7d8dfa649b\
    d75ace5f92db20bcfea5a381e5146c457bc1386b4b2deadf130349af";
/// The same with SHA-1.
const SHA1_SIGNATURE: &str = "02b788661690ceca8181d4a8c7d9558f66de431f6ddfb04354b8d57ee8afc5afda2900bfd25d14ad21575a330d810890c543\
    c0414f76d27313555f745b58af26d9b5a67babd4f806c31cb467fc9a5f93b79f4946dc318e3d6858542b989fdeca36ef5a3a\
    4e9dff268c1698d3fc99e62d410c4a1a77fbfe8951ff887e5d23f867";
