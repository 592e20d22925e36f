//! The benchmark program end to end, over loopback: counts only, for a test must not depend on the machine's speed.

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::Value;

    /// Runs a benchmark of the yardstick for a second; returns its rows.
    fn bench(arguments: &str) -> Vec<Value> {
        let briefly = ["--subjects", "ideal", "--seconds", "1", "--repeat", "1", "--json"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
        let output = command.args(arguments.split(' ')).args(briefly).output().expect("started");
        let errors = String::from_utf8_lossy(&output.stderr);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
        report["rows"].as_array().expect("rows").clone()
    }

    fn delivered_once_and_in_order(row: &Value) -> bool {
        row["loss"] == 0.0 && row["disordered"] == 0 && row["duplicates"] == 0
    }

    #[test]
    fn every_way_of_the_yardstick_delivers_every_packet_once_and_in_order() {
        let rows = bench("fanout --n 3 --traffic vp8-720p");
        assert_eq!(rows.len(), 3);
        for row in &rows {
            assert!(delivered_once_and_in_order(row), "{row}");
            assert!(row["packets_per_second"].as_f64().is_some_and(|rate| rate > 600.0), "{row}");
        }
    }

    #[test]
    fn transports_with_sockets_of_their_own_deliver_the_same() {
        let rows = bench("echo4 --sockets own --jitter 5");
        assert!(rows.iter().all(delivered_once_and_in_order), "{rows:?}");
    }
}
