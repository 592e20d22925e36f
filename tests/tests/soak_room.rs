//! Echo rooms in real time, for seconds: what `cargo soak-room` does for an hour.

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use tidegate_tests::fuzz::child::WorkerProgram;
    use tidegate_tests::soak_room::{Options, run};

    fn options() -> Options {
        Options { rooms: 2, people: 3, time: Duration::from_secs(8), seed: 1, is_under_tool: false }
    }

    #[test]
    fn guests_get_their_own_and_everybodys_streams_and_nothing_is_left() {
        let program = WorkerProgram::embedded(PathBuf::from(env!("CARGO_BIN_EXE_pipe-fuzz")));
        let mut seen = 0;
        let mut report = run(&program, &options(), &mut |_| seen += 1).expect("it goes well");
        report.judge();
        assert!(report.violations.is_empty(), "{report}");
        let totals = report.totals;
        assert_eq!((totals.joins, totals.leaves, totals.vanished), (3, 3, 0), "{report}");
        // Two of them are in a room: five consumers of sound and five of video.
        assert!(totals.received > totals.sent && report.forwarded >= totals.received / 2, "{report}");
        assert!(totals.key_frames_wanted > 0 && totals.feedback > 10, "{report}");
        assert!((4..=9).contains(&seen), "{seen} samples");
        assert!(report.curves.iter().all(|curve| curve.points.len() == seen && curve.is_judged), "{report}");
        assert!(report.to_string().contains("too short to tell a slope"), "{report}");
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["totals"]["joins"], 3);
        let picture = report.svg().unwrap();
        assert!(report.curves.iter().all(|curve| picture.contains(curve.name)));
    }

    #[test]
    fn a_worker_that_does_not_start_is_a_sentence() {
        let program = WorkerProgram::standalone(PathBuf::from("/nowhere/tidegate-worker"));
        let failure = run(&program, &options(), &mut |_| {}).expect_err("there is no such program");
        assert!(failure.len() > 10, "{failure}");
    }
}
