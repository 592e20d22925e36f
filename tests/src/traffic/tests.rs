//! Tests of reading recorded traffic.

use super::*;

const ALL: [Traffic; 9] = [
    Traffic::Even,
    Traffic::Burst7,
    Traffic::Vp8,
    Traffic::H264,
    Traffic::Vp9,
    Traffic::SimulcastLow,
    Traffic::SimulcastMiddle,
    Traffic::SimulcastHigh,
    Traffic::Opus,
];

fn steps(traffic: Traffic, count: usize) -> Vec<Step> {
    let mut schedule = traffic.schedule(0);
    (0..count).map(|_| schedule.next_step()).collect()
}

#[test]
fn every_stream_goes_on_past_its_recording_and_never_back_in_time() {
    for traffic in ALL {
        let steps = steps(traffic, 10_000);
        assert!(steps.is_sorted_by_key(|step| step.at_us), "{}", traffic.name());
        assert!(steps.iter().all(|step| step.frame_us <= step.at_us), "{}", traffic.name());
    }
}

#[test]
fn a_recording_starts_again_one_frame_after_its_last_packet() {
    let steps = steps(Traffic::Vp8, 3_902);
    assert_eq!(steps[3_900].at_us, 13_863_866);
    assert_eq!(steps[3_901].at_us, 13_863_866 + 33_000);
    assert_eq!(steps[3_901].payload_bytes, steps[0].payload_bytes);
    assert!(steps[3_901].begins_frame);
}

#[test]
fn recorded_video_has_the_rate_it_was_recorded_with() {
    for traffic in [Traffic::Vp8, Traffic::H264, Traffic::Vp9] {
        let second = |step: &&Step| step.at_us < 10_000_000;
        let steps = steps(traffic, 4_000);
        let bits = steps.iter().filter(second).map(|step| u64::from(step.payload_bytes) * 8).sum::<u64>();
        assert!((2_000_000..2_700_000).contains(&(bits / 10)), "{}: {bits} bits in 10 s", traffic.name());
    }
}

#[test]
fn even_and_burst7_send_300_packets_a_second() {
    for traffic in [Traffic::Even, Traffic::Burst7] {
        let sent = steps(traffic, 10_000).iter().filter(|step| step.at_us < 21_000_000).count();
        assert_eq!(sent, 21 * 300, "{}", traffic.name());
    }
}

#[test]
fn a_burst_is_one_frame_of_seven_packets_at_one_time() {
    let steps = steps(Traffic::Burst7, 14);
    assert!(steps[..7].iter().all(|step| step.at_us == 0 && step.frame_us == 0));
    assert!(steps[7..].iter().all(|step| step.at_us == 23_333));
    assert_eq!(steps.iter().filter(|step| step.marker).count(), 2);
    assert!(steps[6].marker && steps[7].begins_frame && !steps[8].begins_frame);
}

#[test]
fn every_audio_packet_is_a_frame_of_its_own() {
    let steps = steps(Traffic::Opus, 51);
    assert!(steps.iter().all(|step| step.begins_frame && !step.marker));
    assert_eq!(steps[50].at_us, 1_000_000);
}

#[test]
fn a_stream_that_starts_later_is_the_same_stream_later() {
    let mut late = Traffic::H264.schedule(5_000);
    for step in steps(Traffic::H264, 5_000) {
        assert_eq!(late.next_step().at_us, step.at_us + 5_000);
    }
}

#[test]
fn a_line_that_is_not_a_packet_is_named() {
    let error = |text| Pattern::parse(text).expect_err("refused");
    assert!(error("# only a comment\n").contains("at least one packet"));
    assert!(error("0 1000 1\n5 1000\n").contains("line 2"));
    assert!(error("0 1000 2\n").contains("line 1"));
    assert!(error("0 70000 1\n").contains("line 1"));
    assert!(error("0 1000 1 1\n").contains("line 1"));
    assert!(error("9 1000 1\n8 1000 1\n").contains("back in time"));
}
