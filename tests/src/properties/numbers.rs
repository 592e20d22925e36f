//! Numbers that wrap, against arithmetic on wide integers.
//!
//! Knows `tidegate_worker::base::sequence`. Called through [`super::ALL`].
//! Invariant: a property panics only where the worker is wrong, whatever the bytes are.

use tidegate_worker::base::sequence::{
    Extender, Serial, Serial7, Serial8, Serial15, Serial16, Serial32, Serial48,
};

/// Every width: the shortest way round is the shortest way round (RFC 1982), and an extended number is the nearest to
/// the newest that has those low bits. The first byte chooses the width and the way numbers follow one another.
pub fn serials(data: &[u8]) {
    let Some((choice, steps)) = data.split_first() else { return };
    match choice % 6 {
        0 => walk::<Serial7>(steps),
        1 => walk::<Serial8>(steps),
        2 => walk::<Serial15>(steps),
        3 => walk::<Serial16>(steps),
        4 => walk::<Serial32>(steps),
        _ => walk::<Serial48>(steps),
    }
    orders(steps);
}

fn walk<S: Serial + std::fmt::Debug>(steps: &[u8]) {
    let cycle = 1_i128 << S::BITS;
    let (mut extender, mut newest) = (Extender::<S>::new(), None);
    let mut last = 0_u64;
    for step in steps.chunks(3) {
        last = stepped::<S>(last, step);
        let serial = S::from_low_bits(last);
        assert_eq!(i128::from(serial.to_u64()), i128::from(last).rem_euclid(cycle));
        let expected = match newest {
            None => cycle + i128::from(serial.to_u64()),
            Some(newest) => nearest(newest, serial.to_u64().into(), cycle),
        };
        if let Some(newest) = newest {
            let before = S::from_low_bits(u64::try_from(newest % cycle).expect("small"));
            assert_eq!(i128::from(serial.distance_from(before)), expected - newest);
        }
        assert_eq!(i128::from(extender.peek(serial)), expected);
        assert_eq!(i128::from(extender.extend(serial)), expected);
        newest = newest.max(Some(expected));
        assert_eq!(extender.newest().map(i128::from), newest);
    }
}

/// The number next to `newest` that is `wire` modulo `cycle`; of two that are as near the lower.
fn nearest(newest: i128, wire: i128, cycle: i128) -> i128 {
    let below = newest - (newest - wire).rem_euclid(cycle);
    if newest - below <= below + cycle - newest { below } else { below + cycle }
}

/// Mostly near the last one, at times around the edges of half a cycle.
fn stepped<S: Serial>(last: u64, step: &[u8]) -> u64 {
    let [kind, low, high] = [0, 1, 2].map(|at| step.get(at).copied().unwrap_or(0));
    let small = u64::from(low) | u64::from(high) << 8;
    let half = 1_u64 << (S::BITS - 1);
    match kind % 6 {
        0 => last.wrapping_add(1),
        1 => last.wrapping_add(small),
        2 => last.wrapping_sub(small),
        3 => last.wrapping_add(half).wrapping_sub(u64::from(low % 3)),
        4 => last.wrapping_add(half).wrapping_add(u64::from(low % 3)),
        _ => small << (S::BITS.saturating_sub(16)),
    }
}

/// "Newer" is a matter of two numbers, and never both ways round.
fn orders(steps: &[u8]) {
    let [a, b, c, d, ..] = *steps else { return };
    let (one, other) = (Serial16::new(u16::from_be_bytes([a, b])), Serial16::new(u16::from_be_bytes([c, d])));
    let ahead = i32::from(one.wire()) - i32::from(other.wire());
    let is_newer = matches!(ahead, 1..=0x7FFF | -0xFFFF..=-0x8001);
    assert_eq!(one.is_newer_than(other), is_newer);
    assert!(!(one.is_newer_than(other) && other.is_newer_than(one)));
    assert!(one.next().is_newer_than(one));
    assert_eq!(one.add(u16::from_be_bytes([c, d])).wire(), one.wire().wrapping_add(other.wire()));
    let (short, long) = (Serial7::new(a), Serial15::new(u16::from_be_bytes([a, b])));
    assert!(short.wire() < 128 && long.wire() < 1 << 15);
    assert!(short.next().is_newer_than(short) && !short.is_newer_than(short.next()));
    assert!(Serial8::new(a).next().is_newer_than(Serial8::new(a)));
}
