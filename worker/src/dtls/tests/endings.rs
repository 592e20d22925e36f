//! Goodbyes, refusals and giving up.

use super::*;
use pair::ends_of;

#[test]
fn whoever_closes_the_other_is_told() {
    for version in VERSIONS {
        for closer in [Role::Client, Role::Server] {
            let mut pair = connected_pair(version);
            let (one, other) = match closer {
                Role::Client => (&mut pair.client, &mut pair.server),
                Role::Server => (&mut pair.server, &mut pair.client),
            };
            one.dtls.close(pair.now);
            one.drain(pair.now);
            let goodbye = one.sent.pop_front().unwrap();
            other.receive(pair.now, &goodbye);
            other.receive(pair.now, &goodbye);
            assert_eq!((one.closed, other.closed), (0, 1), "{version:?} {closer:?}");
            for side in [one, other] {
                assert_eq!(side.dtls.send(pair.now, b"x"), Err(SendError::NotConnected));
                assert_eq!(side.dtls.next_deadline(), None);
            }
        }
    }
}

#[test]
fn a_certificate_that_nobody_spoke_of_is_refused() {
    for version in VERSIONS {
        let (client, server) = (context(version), context(version));
        let right = fingerprint_of;
        let mut pair = Pair::expecting(&client, &server, right(&client), right(&client));
        pair.run();
        assert_eq!(pair.client.failures, [Failure::Fingerprint], "{version:?}");
        assert!(pair.client.connected.is_empty());

        for wrong in [right(&server), Vec::new()] {
            let mut pair = Pair::expecting(&client, &server, right(&server), wrong);
            pair.run();
            assert_eq!(pair.server.failures, [Failure::Fingerprint], "{version:?}");
            assert!(pair.server.connected.is_empty());
        }
    }
}

#[test]
fn one_right_fingerprint_among_others_is_enough() {
    let (client, server) = (context(Version::Dtls12), context(Version::Dtls12));
    let mut of_server = fingerprint_of(&client);
    of_server.extend(fingerprint_of(&server));
    let mut pair = Pair::expecting(&client, &server, of_server, fingerprint_of(&client));
    pair.run();
    pair.connected();
}

#[test]
fn a_client_that_nobody_answers_sends_again_and_gives_up_after_thirty_seconds() {
    for version in VERSIONS {
        let mut pair = Pair::new(&context(version), &context(version));
        let start = pair.now;
        let mut sent_at = vec![start];
        while pair.client.failures.is_empty() {
            pair.now = pair.client.dtls.next_deadline().unwrap();
            pair.client.dtls.on_deadline(pair.now);
            pair.client.sent.clear();
            pair.client.drain(pair.now);
            if !pair.client.sent.is_empty() {
                sent_at.push(pair.now);
            }
        }
        assert_eq!(pair.client.failures, [Failure::Timeout], "{version:?}");
        assert_eq!(pair.now.since(start), HANDSHAKE_TIME_MAX);
        let first = sent_at[1].since(start);
        // dimpl spreads its timers by a quarter.
        assert!((112..=188).contains(&first.as_millis()), "{version:?} {first:?}");
        let second = sent_at[2].since(sent_at[1]);
        assert!((225..=375).contains(&second.as_millis()), "{version:?} {second:?}");
        assert!((7..=20).contains(&sent_at.len()), "{version:?} {}", sent_at.len());
    }
}

#[test]
fn an_alert_after_which_nothing_comes_is_believed() {
    let mut pair = Pair::new(&context(Version::Dtls12), &context(Version::Dtls12));
    let hello = pair.client.sent.pop_front().unwrap();
    pair.server.receive(pair.now, &hello);
    pair.server.receive(pair.now, &[21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]);
    let start = pair.now;
    pair.client = pair::Side::new(&pair.server.context);
    pair.run_through(Duration::from_secs(40), |_, _| Vec::new());
    assert_eq!(pair.server.failures, [Failure::Alert(40)]);
    // It stopped sending when it believed, and the peer had its time to begin anew.
    assert!(pair.server.sent_total < 20, "{} datagrams since {start:?}", pair.server.sent_total);
}

#[test]
fn the_last_flight_is_sent_again_when_the_client_shows_that_it_was_lost() {
    let mut pair = Pair::new(&context(Version::Dtls12), &context(Version::Dtls12));
    let mut lost = 0;
    pair.run_through(Duration::from_secs(8), |is_client, datagram| {
        // ChangeCipherSpec begins the server's last flight.
        if !is_client && datagram[0] == wire::CHANGE_CIPHER_SPEC && lost < 3 {
            lost += 1;
            return Vec::new();
        }
        vec![datagram]
    });
    assert_eq!((lost, ends_of(&pair)), (3, (1, 1)));
}

#[test]
fn a_handshake_that_is_closed_leaves_nothing() {
    for version in VERSIONS {
        let mut pair = Pair::new(&context(version), &context(version));
        pair.client.dtls.close(pair.now);
        pair.client.drain(pair.now);
        pair.server.dtls.close(pair.now);
        pair.server.drain(pair.now);
        pair.run();
        assert_eq!(ends_of(&pair), (0, 0));
        assert!(pair.client.failures.is_empty() && pair.client.dtls.next_deadline().is_none());
    }
}
