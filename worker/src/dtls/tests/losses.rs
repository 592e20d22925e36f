//! Paths that lose, repeat and reorder.

use super::*;
use pair::ends_of;

/// A small generator: which datagrams are lost must not depend on anything else.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// How many of `count` handshakes connect when so many percent of datagrams are lost both ways.
fn connected_of(count: u64, version: Version, percent: u64) -> u64 {
    let (client, server) = (context(version), context(version));
    let connects = |seed: &u64| {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut pair = Pair::new(&client, &server);
        pair.run_through(HANDSHAKE_TIME_MAX, |_, datagram| {
            if draw.below(100) < percent { Vec::new() } else { vec![datagram] }
        });
        ends_of(&pair) == (1, 1)
    };
    (0..count).filter(connects).count() as u64
}

#[test]
fn a_tenth_lost_keeps_nobody_out() {
    for version in VERSIONS {
        assert_eq!(connected_of(200, version, 10), 200, "{version:?}");
    }
}

#[test]
fn three_tenths_lost_keep_hardly_anybody_out() {
    for version in VERSIONS {
        let connected = connected_of(200, version, 30);
        assert!(connected >= 198, "{version:?}: {connected} of 200");
    }
}

#[test]
fn any_single_datagram_may_be_lost() {
    for version in VERSIONS {
        let (client, server) = (context(version), context(version));
        for lost in 0..8 {
            let mut pair = Pair::new(&client, &server);
            let mut index = 0;
            pair.run_through(Duration::from_secs(3), |_, datagram| {
                index += 1;
                if index == lost + 1 { Vec::new() } else { vec![datagram] }
            });
            pair.connected();
        }
    }
}

#[test]
fn repeated_and_reversed_datagrams_change_nothing() {
    for version in VERSIONS {
        let mut pair = Pair::new(&context(version), &context(version));
        let mut waiting: [Vec<Vec<u8>>; 2] = [Vec::new(), Vec::new()];
        // Two at a time, the later first, each twice.
        pair.run_through(Duration::from_secs(10), |is_client, datagram| {
            let waiting = &mut waiting[usize::from(is_client)];
            waiting.push(datagram);
            if waiting.len() < 2 {
                return Vec::new();
            }
            let mut both: Vec<_> = waiting.drain(..).rev().collect();
            both.extend(both.clone());
            both
        });
        pair.connected();
    }
}
