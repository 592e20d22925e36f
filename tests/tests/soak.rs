//! Simulation at length, for minutes: what `cargo soak` does for days. And that it notices what is wrong.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::time::Duration;

use tidegate_tests::soak::{GoOn, Options, Pace, Plant, Report, chart, run};
use tidegate_tests::world::World;

fn sparse(seed: u64, seconds: u64) -> Options {
    Options { virtual_time: Duration::from_secs(seconds), seed, rooms: 1, pace: Pace::Sparse }
}

fn to_the_end(options: &Options, plant: Option<Plant>) -> Report {
    run(options, plant, &mut |_| GoOn::Yes)
}

/// Something was lost and repaired, people came and went, and counters wrapped: else it proves nothing.
fn is_well(report: &Report) {
    assert!(report.violations.is_empty(), "{report}");
    let (totals, checks) = (report.totals, report.checks);
    assert!(totals.events.joins > 4 && totals.events.joins == totals.events.leaves, "{report}");
    assert!(totals.repairs.repaired_at_receivers > 10 && totals.repairs.resent_to_worker > 10, "{report}");
    assert!(totals.repairs.feedback > 100, "{report}");
    let wraps = totals.wraps;
    for must in [wraps.sequence_in, wraps.timestamp_90k, wraps.timestamp_48k, wraps.tl0_picture_index] {
        assert!(must.all > 0, "{report}");
    }
    assert!(wraps.compact_ntp.all > 0, "{report}");
    assert!(checks.audits_and_turns > 10_000 && checks.packets_and_reports > 1_000, "{report}");
    assert!(checks.memory >= 2_000 && checks.endings == 3, "{report}");
}

#[test]
fn five_sparse_seeds_hold_for_minutes() {
    (1..=5).for_each(|seed| is_well(&to_the_end(&sparse(seed, 180), None)));
}

#[test]
fn five_full_seeds_hold_for_a_minute() {
    for seed in 6..=10 {
        is_well(&to_the_end(&Options { pace: Pace::Full, ..sparse(seed, 60) }, None));
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    let told = |seed| {
        let report = to_the_end(&sparse(seed, 40), None);
        (report.totals, report.packet_operations, report.checks, report.turns)
    };
    assert_eq!(told(3), told(3));
    assert_ne!(told(3), told(4));
}

/// Of what the worker sends: media of the router's payload types.
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram[1] & 0x7F, 100 | 101)
}

#[test]
fn what_is_wrong_is_reported_with_time_and_replay() {
    let plants: [(Wrong, &str); 7] = [
        (changes_payloads, "was changed"),
        (swallows_media, "neither came nor was lost"),
        (swallows_media_and_resends, "no path took it"),
        (swallows_resends, "and not sent"),
        (never_asks, "the worker never asked for"),
        (shifts_timestamps, "timestamp of"),
        (leaves_a_router, "dump is not empty"),
    ];
    for (what, complaint) in plants {
        let report = to_the_end(&sparse(2, 240), Some(Plant { at: Duration::from_secs(20), what }));
        let [violation] = &*report.violations else { panic!("{complaint}: {report}") };
        assert!(violation.contains(complaint), "{complaint}: {violation}");
        let at: u64 = violation.split(' ').nth(1).and_then(|at| at.parse().ok()).expect("a time");
        assert!(at >= 20_000, "{violation}");
        let said = report.to_string();
        assert!(
            said.contains("VIOLATION seed 2 at ") && said.contains("cargo soak --virtual 240s --seed 2"),
            "{said}"
        );
    }
}

/// Makes a world wrong.
type Wrong = fn(&mut World);

fn changes_payloads(world: &mut World) {
    world.network.tamper(|n, datagram| {
        if is_media(datagram) && n.is_multiple_of(50) {
            *datagram.last_mut().expect("a payload") ^= 1;
        }
        1
    });
}

fn swallows_media(world: &mut World) {
    world.network.tamper(|n, datagram| usize::from(!is_media(datagram) || !n.is_multiple_of(50)));
}

fn swallows_media_and_resends(world: &mut World) {
    world.network.tamper(|n, datagram| match datagram[1] & 0x7F {
        102 => 0,
        _ => usize::from(!is_media(datagram) || !n.is_multiple_of(50)),
    });
}

/// RTX is the router's payload type 102.
fn swallows_resends(world: &mut World) {
    world.network.tamper(|_, datagram| usize::from(datagram[1] & 0x7F != 102));
}

/// Generic NACK (RFC 4585 6.2.1).
fn never_asks(world: &mut World) {
    world.network.tamper(|_, datagram| usize::from((datagram[0] & 0x1F, datagram[1]) != (1, 205)));
}

fn shifts_timestamps(world: &mut World) {
    world.network.tamper(|n, datagram| {
        if is_media(datagram) && n.is_multiple_of(50) {
            datagram[4] ^= 1;
        }
        1
    });
}

fn leaves_a_router(world: &mut World) {
    world.router();
}

#[test]
fn whoever_stops_it_gets_the_report_so_far() {
    let mut seen = 0;
    let report = run(&sparse(1, 600), None, &mut |report| {
        seen += 1;
        if report.virtual_ms >= 60_000 { GoOn::No } else { GoOn::Yes }
    });
    assert!(report.was_stopped && report.violations.is_empty(), "{report}");
    assert_eq!(report.samples.len(), seen);
    assert!((60_000..200_000).contains(&report.virtual_ms) && report.checks.endings == 3, "{report}");
    assert!(report.to_string().contains("stopped before its end"));
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["was_stopped"], true);
    assert_eq!(json["packet_operations"], report.packet_operations);
    assert_eq!(json["samples"].as_array().map(Vec::len), Some(seen));
    assert!(chart::svg("stopped", &report.samples).unwrap().starts_with("<svg"));
}
