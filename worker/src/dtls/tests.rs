//! Handshakes on a virtual clock, between our own ends. Peers of other makes are in `worker/tests/dtls`.
//!
//! * `losses`, `forgeries`: a bad path, and a hostile one
//! * `endings`: goodbyes, refusals, giving up
//! * `budget`: what a turn may cost, and what is held meanwhile

mod budget;
mod endings;
mod forgeries;
mod losses;
mod pair;

use super::*;
use pair::{Pair, connected_pair, context, fingerprint_of};

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

#[test]
fn data_passes_both_ways() {
    for version in VERSIONS {
        let mut pair = connected_pair(version);
        for count in 1..=50_usize {
            let data = vec![7; count * 28];
            pair.client.dtls.send(pair.now, &data).unwrap();
            pair.client.drain(pair.now);
            pair.server.dtls.send(pair.now, &data).unwrap();
            pair.server.drain(pair.now);
            pair.run();
            assert_eq!((pair.client.data.len(), pair.server.data.len()), (count, count), "{version:?}");
            assert_eq!((&pair.client.data[count - 1], &pair.server.data[count - 1]), (&data, &data));
        }
        let too_long = vec![0; DATA_BYTES_MAX + 1];
        assert_eq!(pair.client.dtls.send(pair.now, &too_long), Err(SendError::TooLong));
    }
}

#[test]
fn a_hello_that_comes_before_connect_is_answered_then() {
    for version in VERSIONS {
        let (client, server) = (context(version), context(version));
        let mut pair = Pair::new(&client, &server);
        let mut late = pair::Side::new(&server);
        for datagram in std::mem::take(&mut pair.client.sent) {
            late.receive(pair.now, &datagram);
        }
        assert_eq!((late.sent_total, late.dtls.next_deadline()), (0, None));
        late.dtls.connect(pair.now, Role::Server, fingerprint_of(&client), &mut Flights::new(8));
        late.drain(pair.now);
        assert!(late.sent_total > 0, "{version:?}");
        pair.server = late;
        pair.run();
        pair.connected();
    }
}

const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];
