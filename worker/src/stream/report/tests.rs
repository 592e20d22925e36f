//! Tests of what reports say: rule by rule, and totals against plain counts.

use proptest::prelude::*;

use super::*;

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn received(numbers: impl IntoIterator<Item = u64>) -> Reception {
    let mut reception = Reception::new();
    numbers.into_iter().for_each(|number| reception.on_packet(Seq::new(number)));
    reception
}

#[test]
fn nothing_is_reported_of_a_stream_without_packets() {
    assert_eq!(Reception::new().report(1, 0, ms(0)), None);
}

#[test]
fn loss_is_counted_in_total_and_per_interval() {
    let mut reception = received((0..100).map(|n| 131_066 + n).filter(|n| n % 4 != 0));
    let first = reception.report(7, 33, ms(0)).unwrap();
    assert_eq!((first.ssrc, first.jitter, first.cumulative_lost, first.fraction_lost), (7, 33, 25, 64));
    assert_eq!(first.extended_highest, 131_165 - 65_536);
    (131_166..131_266).for_each(|number| reception.on_packet(Seq::new(number)));
    let second = reception.report(7, 33, ms(0)).unwrap();
    assert_eq!((second.cumulative_lost, second.fraction_lost), (25, 0));
}

#[test]
fn duplicates_make_loss_negative_and_the_fraction_zero() {
    let mut reception = received(65_536..65_546);
    (0..3).for_each(|_| reception.on_duplicate());
    let report = reception.report(7, 0, ms(0)).unwrap();
    assert_eq!((report.cumulative_lost, report.fraction_lost), (-3, 0));
}

#[test]
fn late_packets_from_before_the_first_are_expected_too() {
    let mut reception = received([65_540, 65_538, 65_539]);
    assert_eq!((reception.expected(), reception.lost()), (3, 0));
    assert_eq!(reception.report(7, 0, ms(0)).unwrap().extended_highest, 4);
}

#[test]
fn cycles_are_counted_from_the_first_number_on() {
    let mut reception = received([5 * 65_536 + 65_535]);
    assert_eq!(reception.report(7, 0, ms(0)).unwrap().extended_highest, 65_535);
    reception.on_packet(Seq::new(6 * 65_536));
    reception.on_restart(Seq::new(8 * 65_536 + 3));
    assert_eq!(reception.report(7, 0, ms(0)).unwrap().extended_highest, 3 * 65_536 + 3);
}

#[test]
fn a_restart_is_no_loss() {
    let mut reception = received(65_536..65_546);
    reception.on_restart(Seq::new(90_000));
    reception.on_packet(Seq::new(90_002));
    assert_eq!((reception.expected(), reception.received(), reception.lost()), (13, 12, 1));
}

#[test]
fn totals_saturate_at_24_bits() {
    let mut reception = received([65_536, 65_536 + (1 << 30)]);
    let report = reception.report(7, 0, ms(0)).unwrap();
    assert_eq!((report.cumulative_lost, report.fraction_lost), (8_388_607, 255));
}

#[test]
fn the_delay_since_a_sender_report_is_echoed() {
    let mut reception = received([65_536]);
    let report = reception.report(7, 0, ms(500)).unwrap();
    assert_eq!((report.last_sr, report.delay_since_last_sr), (Serial32::new(0), 0));
    reception.on_sender_report(0x1122_3344_5566_7788, ms(1_000));
    let report = reception.report(7, 0, ms(1_500)).unwrap();
    assert_eq!((report.last_sr, report.delay_since_last_sr), (Serial32::new(0x3344_5566), 32_768));
}

#[test]
fn a_round_trip_over_the_wrap_of_compact_time() {
    let second = 65_536;
    let trip =
        |now: u32, reference: u32, delay| round_trip(Serial32::new(now), Serial32::new(reference), delay);
    assert_eq!(trip(2 * second, second, second / 2), Some(Duration::from_millis(500)));
    assert_eq!(trip(second / 4, 0_u32.wrapping_sub(second / 4), 0), Some(Duration::from_millis(500)));
    assert_eq!(trip(10, 0, 0), None, "nothing was echoed");
}

#[test]
fn impossible_round_trips_are_refused() {
    let trip = |delay| round_trip(Serial32::new(1_000_000), Serial32::new(900_000), delay);
    assert_eq!(trip(100_000), Some(Duration::from_nanos(15_258)), "the shortest");
    assert_eq!(trip(100_600), Some(Duration::from_nanos(15_258)), "coarse clocks");
    assert_eq!(trip(100_656), Some(Duration::from_nanos(15_258)), "just not too far below zero");
    assert_eq!(trip(100_657), None);
    assert_eq!(trip(101_000), None);
    assert_eq!(trip(u32::MAX), None, "longer than since the reference");
    assert_eq!(trip(u32::MAX - 600), None);
    let ahead = round_trip(Serial32::new(1_000_000), Serial32::new(1_000_100), 0);
    assert_eq!(ahead, Some(Duration::from_nanos(15_258)), "coarse clocks");
    assert_eq!(round_trip(Serial32::new(61 * 65_536 + 1), Serial32::new(1), 0), None);
}

#[test]
fn a_report_without_an_echo_keeps_the_last_round_trip() {
    let mut sending = Sending::new();
    let mut block = Reception::new();
    block.on_packet(Seq::new(65_536));
    block.on_sender_report(5 << 32, ms(1_000));
    let echoed = block.report(1, 90, ms(1_100)).unwrap();
    // 250 ms after the sender report was made, of which the receiver held it for 100.
    sending.on_report(&echoed, (5 << 32) + (1 << 30));
    assert_eq!(sending.round_trip().unwrap().as_millis(), 150);
    let silent = ReportBlock { last_sr: Serial32::new(0), fraction_lost: 7, cumulative_lost: -3, ..echoed };
    sending.on_report(&silent, 9 << 32);
    assert_eq!((sending.round_trip().unwrap().as_millis(), sending.remote_jitter()), (150, 90));
    assert_eq!((sending.fraction_lost(), sending.cumulative_lost()), (7, -3));
}

#[test]
fn a_sender_report_extends_the_newest_timestamp_by_real_time() {
    let mut sending = Sending::new();
    assert_eq!(sending.report(ms(0), 1, 90_000, |_| None), None);
    sending.on_packet(Serial32::new(u32::MAX - 999), 1_000, ms(960), ms(1_000));
    sending.on_packet(Serial32::new(u32::MAX - 999), 500, ms(965), ms(1_003));
    sending.on_late_packet(100);
    let info = sending.report(ms(1_060), 77, 90_000, |_| None).unwrap();
    // 100 ms after the capture: 9,000 ticks, over the wrap.
    assert_eq!((info.ntp, info.rtp_timestamp), (77, Serial32::new(8_000)));
    assert_eq!((info.packets, info.bytes), (3, 1_600));
    assert_eq!((sending.packets(), sending.bytes()), (3, 1_600));
    assert!(sending.report(ms(3_003), 77, 90_000, |_| None).is_some());
    assert_eq!(sending.report(ms(3_004), 77, 90_000, |_| None), None, "silent");
}

#[test]
fn a_known_capture_time_rules_and_one_ahead_of_now_goes_back() {
    let mut sending = Sending::new();
    sending.on_packet(Serial32::new(50), 1, ms(990), ms(1_000));
    let captured = |at| move |timestamp| (timestamp == Serial32::new(50)).then_some(ms(at));
    let earlier = sending.report(ms(1_000), 0, 90_000, captured(980)).unwrap().rtp_timestamp;
    assert_eq!(earlier, Serial32::new(50 + 1_800));
    assert_eq!(
        sending.report(ms(1_000), 0, 90_000, captured(1_001)).unwrap().rtp_timestamp,
        Serial32::new(50).add(0_u32.wrapping_sub(90))
    );
}

#[test]
fn a_source_whose_timestamps_went_back_is_followed() {
    let mut sending = Sending::new();
    sending.on_packet(Serial32::new(1_000_000), 1, ms(1_000), ms(1_000));
    sending.on_packet(Serial32::new(500), 1, ms(1_033), ms(1_033));
    assert_eq!(sending.report(ms(1_033), 0, 90_000, |_| None).unwrap().rtp_timestamp, Serial32::new(500));
}

proptest! {
    #![proptest_config(crate::stream::model_config())]

    #[test]
    fn a_round_trip_is_what_was_on_the_way(sent: u32, held in 0..3_600_000_u32, way in 2..3_900_000_u32) {
        prop_assume!(sent != 0);
        let now = Serial32::new(sent).add(held).add(way);
        let nanos = u64::from(way) * 1_000_000_000 / 65_536;
        prop_assert_eq!(round_trip(now, Serial32::new(sent), held), Some(Duration::from_nanos(nanos)));
    }

    #[test]
    fn totals_are_plain_counts(
        start in 65_536..10_000_000_u64, steps in prop::collection::vec((0..50_u64, any::<bool>()), 1..200),
    ) {
        let mut reception = received([start]);
        let (mut top, mut count, mut interval) = (start, 1, (0, 0));
        for (step, report) in steps {
            if step == 0 { reception.on_duplicate() } else { reception.on_packet(Seq::new(top + step)) }
            top += step;
            count += 1;
            if report {
                let block = reception.report(1, 0, ms(0)).unwrap();
                let expected = top - start + 1;
                let lost = (expected - interval.0) as f64 - f64::from(count - interval.1);
                let fraction = (lost.max(0.0) * 256.0 / (expected - interval.0).max(1) as f64).floor().min(255.0);
                prop_assert_eq!(f64::from(block.fraction_lost), fraction);
                prop_assert_eq!(i64::from(block.cumulative_lost), expected.cast_signed() - i64::from(count));
                interval = (expected, count);
            }
        }
    }
}
