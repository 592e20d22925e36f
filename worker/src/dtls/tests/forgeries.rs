//! Bytes that are not the peer's: they must neither end a handshake nor a connection.

use super::*;
use pair::ends_of;

const FATAL_ALERT: [u8; 15] = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];

/// Handshakes between ends that also get `forged` before each datagram.
fn survives(version: Version, forged: impl Fn(&[u8]) -> Vec<u8>) {
    let mut pair = Pair::new(&context(version), &context(version));
    pair.run_through(Duration::from_secs(10), |_, datagram| vec![forged(&datagram), datagram]);
    pair.connected();
    assert_eq!((pair.client.closed, pair.server.closed), (0, 0), "{version:?}");
}

#[test]
fn an_alert_that_nothing_protects_ends_nothing_while_the_peer_goes_on() {
    for version in VERSIONS {
        survives(version, |_| FATAL_ALERT.to_vec());
    }
}

#[test]
fn bytes_without_meaning_end_nothing() {
    for version in VERSIONS {
        survives(version, |_| vec![22; 100]);
        survives(version, |_| vec![0x2F; 60]);
        survives(version, |datagram| datagram[..datagram.len() / 2].to_vec());
        survives(version, |_| Vec::new());
        // Encrypted, it says, in epoch 1.
        survives(version, |_| {
            [[22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40].as_slice(), &[9; 40]].concat()
        });
    }
}

#[test]
fn a_record_changed_after_the_handshake_is_dropped() {
    for version in VERSIONS {
        let mut pair = connected_pair(version);
        pair.client.dtls.send(pair.now, b"data").unwrap();
        pair.client.drain(pair.now);
        let datagram = pair.client.sent.pop_front().unwrap();
        for at in 0..datagram.len() {
            let mut changed = datagram.clone();
            changed[at] ^= 0x10;
            pair.server.receive(pair.now, &changed);
        }
        let is_same = |data: &Vec<u8>| data == b"data";
        assert!(pair.server.data.iter().all(is_same) && pair.server.closed == 0, "{version:?}");
        pair.server.receive(pair.now, &FATAL_ALERT);
        pair.server.receive(pair.now, &datagram);
        assert_eq!((pair.server.data.len(), pair.server.closed), (1, 0), "{version:?}");
        pair.server.receive(pair.now, &datagram);
        assert_eq!(pair.server.data.len(), 1, "{version:?}: received twice");
    }
}

#[test]
fn any_changed_byte_of_a_handshake_leads_to_a_connection_or_to_none_but_never_to_another() {
    let (client, server) = (context(Version::Dtls12), context(Version::Dtls12));
    for step in 0..120 {
        let mut pair = Pair::new(&client, &server);
        let mut passed = 0;
        // One byte of the first datagrams; what is sent again is whole.
        pair.run_through(Duration::from_secs(12), |_, mut datagram| {
            passed += 1;
            let (which, at) = (step % 4, (step / 4) * 31);
            if passed == which + 1 && at < datagram.len() {
                datagram[at] ^= 0x41;
            }
            vec![datagram]
        });
        if ends_of(&pair) == (1, 1) {
            let (client, server) = pair.connected();
            assert_eq!(client.local.key(), server.remote.key(), "{step}");
        }
    }
}

#[test]
fn what_an_engine_cannot_get_over_begins_the_handshake_anew_three_times() {
    let (client, server) = (context(Version::Dtls12), context(Version::Dtls12));
    let mut pair = Pair::new(&client, &server);
    // `use_srtp` becomes another extension.
    let mut hello = pair.client.sent.pop_front().unwrap();
    let at = hello.windows(4).position(|bytes| bytes == [0, 14, 0, 11]).unwrap();
    hello[at + 1] = 0xEE;
    for restart in 0..=RESTARTS_MAX {
        assert!(pair.server.failures.is_empty(), "{restart}");
        pair.server.receive(pair.now, &hello);
    }
    assert_eq!(pair.server.failures, [Failure::NoSrtp]);

    let mut pair = Pair::new(&client, &server);
    for _ in 0..RESTARTS_MAX {
        pair.server.receive(pair.now, &hello);
    }
    pair.run();
    pair.connected();
}
