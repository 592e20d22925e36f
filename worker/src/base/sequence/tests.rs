//! Numbers that wrap, against a model that counts in wide integers and never wraps.

use super::*;
use proptest::prelude::*;

#[test]
fn half_a_cycle_away_counts_as_behind_from_both_sides() {
    let (zero, half) = (Serial16::new(0), Serial16::new(0x8000));
    assert_eq!((half.distance_from(zero), zero.distance_from(half)), (-0x8000, -0x8000));
    assert!(!half.is_newer_than(zero) && !zero.is_newer_than(half));
    assert!(Serial16::new(0x7FFF).is_newer_than(zero));
    assert!(zero.is_newer_than(Serial16::new(0x8001)));
    assert!(!zero.is_newer_than(zero));
}

#[test]
fn raw_values_are_cut_to_their_bits_and_wrap() {
    assert_eq!(Serial7::new(0xFF).wire(), 0x7F);
    assert_eq!(Serial7::new(0x7F).next(), Serial7::new(0));
    assert_eq!(Serial15::new(0xFFFF).add(2).wire(), 1);
    assert_eq!(Serial48::new(u64::MAX).wire(), (1 << 48) - 1);
    assert_eq!(Serial48::new(u64::MAX).next().wire(), 0);
    assert_eq!(Serial32::new(u32::MAX).next().distance_from(Serial32::new(u32::MAX)), 1);
}

#[test]
fn numbers_older_than_the_first_stay_above_zero() {
    let mut extender = Extender16::new();
    assert_eq!(extender.extend(Serial16::new(0)), 0x1_0000);
    assert_eq!(extender.extend(Serial16::new(0xFFFF)), 0xFFFF);
    assert_eq!(extender.extend(Serial16::new(0x8000)), 0x8000);
    assert_eq!(extender.newest(), Some(0x1_0000));
}

#[test]
fn an_extended_sequence_number_knows_its_wire_form() {
    let seq = Seq::new(0x2_FFFF);
    assert_eq!((seq.extended(), seq.next().extended()), (0x2_FFFF, 0x3_0000));
    assert_eq!((seq.wire(), seq.next().wire()), (Serial16::new(0xFFFF), Serial16::new(0)));
    assert_eq!((seq + 3).since(seq), 3);
    assert_eq!(seq.since(seq + 3), 0);
    assert!(seq < seq.next());
}

/// The shortest way round in 128-bit arithmetic, by trying all three laps.
fn model_distance(bits: u32, ahead: u64, behind: u64) -> i128 {
    let cycle = 1i128 << bits;
    let plain = i128::from(ahead) - i128::from(behind);
    let nearest = [plain - cycle, plain, plain + cycle].into_iter().min_by_key(|way| (way.abs(), *way));
    nearest.expect("there are three ways")
}

fn low(value: i128) -> u64 {
    u64::try_from(value).expect("taken modulo a cycle of at most 48 bits")
}

fn check_distance<S: Serial>(a: u64, b: u64) -> Result<(), TestCaseError> {
    let (a, b) = (S::from_low_bits(a), S::from_low_bits(b));
    prop_assert!(a.to_u64() < 1 << S::BITS);
    prop_assert_eq!(i128::from(a.distance_from(b)), model_distance(S::BITS, a.to_u64(), b.to_u64()));
    Ok(())
}

/// One arrival of a simulated stream.
#[derive(Clone, Debug)]
enum Arrival {
    /// The next number but `0..n` lost ones.
    Ahead(u64),
    /// A number that was due earlier.
    Behind(u64),
    /// The newest once more.
    Duplicate,
    /// Anything at all: a restart, or a gap beyond half the range.
    Anywhere(u64),
}

fn arrivals(bits: u32) -> impl Strategy<Value = Vec<Arrival>> {
    let half = 1u64 << (bits - 1);
    let arrival = prop_oneof![
        6 => (1..=half.min(400) - 1).prop_map(Arrival::Ahead),
        3 => (half / 2..half).prop_map(Arrival::Ahead),
        3 => (0..=half).prop_map(Arrival::Behind),
        2 => Just(Arrival::Duplicate),
        1 => any::<u64>().prop_map(Arrival::Anywhere),
    ];
    prop::collection::vec(arrival, 1..200)
}

fn check_extender<S: Serial>(start: u64, arrivals: &[Arrival]) -> Result<(), TestCaseError> {
    let cycle = 1i128 << S::BITS;
    let mut extender = Extender::<S>::new();
    let mut newest = i128::from(S::from_low_bits(start).to_u64()) + cycle;
    prop_assert_eq!(i128::from(extender.extend(S::from_low_bits(start))), newest);
    for arrival in arrivals {
        let expected = match *arrival {
            Arrival::Ahead(steps) => newest + i128::from(steps),
            Arrival::Behind(steps) => newest - i128::from(steps),
            Arrival::Duplicate => newest,
            Arrival::Anywhere(raw) => {
                let raw = S::from_low_bits(raw).to_u64();
                newest + model_distance(S::BITS, raw, low(newest % cycle))
            }
        };
        let serial = S::from_low_bits(low(expected % cycle));
        prop_assert_eq!(i128::from(extender.peek(serial)), expected);
        prop_assert_eq!(extender.newest().map(i128::from), Some(newest));
        prop_assert_eq!(i128::from(extender.extend(serial)), expected);
        prop_assert_eq!(i128::from(extender.extend(serial)), expected);
        newest = newest.max(expected);
        prop_assert_eq!(extender.newest().map(i128::from), Some(newest));
    }
    Ok(())
}

macro_rules! against_the_model {
    ($($module:ident: $serial:ident),*) => {$(
        mod $module {
            use super::*;
            proptest! {
                #[test]
                fn distance_is_the_shortest_way_round(a in any::<u64>(), b in any::<u64>(), steps in 0u64..4) {
                    check_distance::<$serial>(a, b)?;
                    let half = 1u64 << ($serial::BITS - 1);
                    check_distance::<$serial>(a, a.wrapping_add(half).wrapping_add(steps).wrapping_sub(2))?;
                }

                #[test]
                fn extender_counts_on_through_wraps(start in any::<u64>(), arrivals in arrivals($serial::BITS)) {
                    check_extender::<$serial>(start, &arrivals)?;
                }
            }
        }
    )*};
}

against_the_model!(of_7: Serial7, of_8: Serial8, of_15: Serial15, of_16: Serial16, of_32: Serial32);

proptest! {
    #[test]
    fn distance_of_48_bits_is_the_shortest_way_round(a in any::<u64>(), b in any::<u64>()) {
        check_distance::<Serial48>(a, b)?;
        check_distance::<Serial48>(a, a.wrapping_add(1 << 47))?;
    }

    #[test]
    fn extender_of_48_bits_counts_on_through_wraps(start in any::<u64>(), mut arrivals in arrivals(48)) {
        // Each jump may be 2^47: a hundred stay far below 2^64.
        arrivals.truncate(100);
        check_extender::<Serial48>(start, &arrivals)?;
    }
}

#[test]
fn a_hostile_peer_cannot_overflow_the_extender() {
    let mut extender = Extender48::new();
    let mut previous = 0;
    for n in 0..300_000u64 {
        let extended = extender.extend(Serial48::new(n.wrapping_mul((1 << 47) - 1)));
        assert!(extended > previous || previous > u64::MAX - (1 << 48), "{extended} after {previous}");
        previous = extended;
    }
    assert_eq!(extender.newest(), Some(u64::MAX));
}
