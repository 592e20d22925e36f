//! What a turn may cost, and what is held meanwhile.

use super::attempts::{HELD_BYTES_MAX, HELD_MAX};
use super::*;

#[test]
fn what_a_turn_cannot_afford_is_done_in_another() {
    for version in VERSIONS {
        let mut pair = Pair::new(&context(version), &context(version));
        let mut turns = 0;
        for _ in 0..40 {
            for datagram in std::mem::take(&mut pair.client.sent) {
                pair.server.dtls.receive(pair.now, &datagram, &mut Flights::new(0));
            }
            let is_waiting = pair.server.dtls.is_waiting();
            pair.server.drain(pair.now);
            assert!(!is_waiting || pair.server.sent.is_empty(), "worked without leave");
            while pair.server.dtls.is_waiting() {
                turns += 1;
                pair.server.dtls.resume(pair.now, &mut Flights::new(1));
            }
            pair.server.drain(pair.now);
            for datagram in std::mem::take(&mut pair.server.sent) {
                pair.client.receive(pair.now, &datagram);
            }
        }
        pair.connected();
        assert!((2..=8).contains(&turns), "{version:?}: {turns} turns");
    }
}

#[test]
fn eight_flights_serve_at_most_eight_of_a_hundred_joins_in_a_turn() {
    let (client, server) = (context(Version::Dtls12), context(Version::Dtls12));
    let mut pairs: Vec<_> = (0..20).map(|_| Pair::new(&client, &server)).collect();
    let mut flights = Flights::new(FLIGHTS_A_TURN);
    for pair in &mut pairs {
        let hello = pair.client.sent.pop_front().unwrap();
        pair.server.dtls.receive(pair.now, &hello, &mut flights);
        pair.server.drain(pair.now);
    }
    let answered = |pairs: &[Pair]| pairs.iter().filter(|pair| pair.server.sent_total > 0).count();
    assert_eq!(answered(&pairs), 8);
    for _ in 0..2 {
        let mut flights = Flights::new(FLIGHTS_A_TURN);
        for pair in pairs.iter_mut().filter(|pair| pair.server.dtls.is_waiting()) {
            pair.server.dtls.resume(pair.now, &mut flights);
            pair.server.drain(pair.now);
        }
    }
    assert_eq!(answered(&pairs), 20);
}

#[test]
fn what_waits_is_bounded() {
    let mut held = Held::default();
    for length in 0..3_000 {
        held.push(&vec![0; length]);
        let bytes: usize = held.0.iter().map(|datagram| datagram.len()).sum();
        assert!(bytes <= HELD_BYTES_MAX && held.0.len() <= HELD_MAX);
        assert_eq!(held.0.last().map(|datagram| datagram.len()), Some(length), "the newest is kept");
    }
    held.push(&vec![0; HELD_BYTES_MAX + 1]);
    assert_eq!(held.0.last().map(|datagram| datagram.len()), Some(2_999));
}

#[test]
fn a_connection_that_has_not_begun_is_small() {
    assert!(size_of::<Dtls>() <= 104, "{}", size_of::<Dtls>());
}
