//! Handshakes on a virtual clock, between our own ends. Peers of other makes: `worker/tests/dtls`.

mod pair;

use super::*;
use pair::{Pair, context};

#[test]
fn both_engines_connect_and_agree_on_keys() {
    for (version, cipher) in [
        (Version::Dtls12, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        (Version::Dtls13, "TLS_AES_128_GCM_SHA256"),
    ] {
        let mut pair = Pair::new(&context(version), &context(version));
        pair.run();
        let (client, server) = pair.connected();
        assert_eq!((client.version, server.version), (version, version));
        assert_eq!((client.cipher, server.cipher), (cipher, cipher));
        assert_eq!(client.srtp_profile, SrtpProfile::AeadAes256Gcm);
        assert_eq!(client.local.key(), server.remote.key());
        assert_eq!(client.remote.salt(), server.local.salt());
        assert_ne!(client.local.key(), client.remote.key());
        assert_eq!((client.local.key().len(), client.local.salt().len()), (32, 12));
        assert_eq!(client.peer_certificate, pair.server.context.certificate().der());
        assert!(to_pem(&server.peer_certificate).unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    }
}
