//! `vectors/ortc.json` is what this version makes of its calls, and says so to other languages.

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use crate::vectors;

    const FILE: &str = include_str!("../../vectors/ortc.json");

    fn checked_in() -> Vec<Value> {
        serde_json::from_str(FILE).unwrap()
    }

    #[test]
    fn file_holds_exactly_the_calls_of_this_version() {
        assert!(
            FILE == vectors::file(),
            "vectors/ortc.json is stale: if negotiation was meant to change, run `cargo run -p tidegate-protocol \
             --example ortc-vectors`, and change the twins in other languages too"
        );
    }

    #[test]
    fn every_vector_comes_out_as_it_is_written() {
        for vector in checked_in() {
            let outcome = vectors::evaluate(vector["function"].as_str().unwrap(), &vector["input"]);
            for part in ["output", "error"] {
                assert_eq!(outcome.get(part), vector.get(part), "{} {}", vector["function"], vector["name"]);
            }
        }
    }

    #[test]
    fn there_are_enough_vectors_of_every_function_and_each_has_its_own_name() {
        let vectors = checked_in();
        assert!(vectors.len() >= 400, "{} vectors", vectors.len());
        assert_eq!(FILE.lines().count(), vectors.len() + 2, "a vector a line");
        assert!(FILE.len() < 1_500_000, "{} bytes", FILE.len());
        let name = |vector: &Value| (vector["function"].to_string(), vector["name"].to_string());
        let names: BTreeSet<_> = vectors.iter().map(name).collect();
        assert_eq!(names.len(), vectors.len());
        let mut functions: BTreeMap<String, [usize; 2]> = BTreeMap::new();
        for vector in &vectors {
            let counts = functions.entry(vector["function"].to_string()).or_default();
            counts[usize::from(vector.get("error").is_some())] += 1;
        }
        assert_eq!(functions.len(), 10, "{functions:?}");
        let never_fail = ["\"supportedRtpCapabilities\"", "\"parseScalabilityMode\""];
        for (function, [outputs, errors]) in &functions {
            let never_fails = never_fail.contains(&function.as_str());
            assert!(*outputs > 0 && (*errors > 0) != never_fails, "{function}: {outputs} and {errors}");
        }
    }

    #[test]
    fn every_number_is_exact_in_a_double() {
        fn check(value: &Value) {
            match value {
                Value::Number(number) => assert!(number.as_f64().unwrap().abs() < 9_007_199_254_740_992.0),
                Value::Array(items) => items.iter().for_each(check),
                Value::Object(members) => members.values().for_each(check),
                _ => {}
            }
        }
        checked_in().iter().for_each(check);
    }
}
