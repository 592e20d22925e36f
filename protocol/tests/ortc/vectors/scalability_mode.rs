//! Scalability modes: those in use, and texts that are none.

use serde_json::json;

use super::Call;

const TEXTS: &[&str] = &[
    "L1T1",
    "L1T2",
    "L1T3",
    "L2T1",
    "L2T2",
    "L2T3",
    "L3T1",
    "L3T2",
    "L3T3",
    "L2T1h",
    "L2T2h",
    "L3T3h",
    "L2T1_KEY",
    "L2T2_KEY",
    "L2T3_KEY",
    "L3T1_KEY",
    "L3T2_KEY",
    "L3T3_KEY",
    "L2T2_KEY_SHIFT",
    "L3T3_KEY_SHIFT",
    "S2T1",
    "S2T2",
    "S2T3",
    "S3T1",
    "S3T2",
    "S3T3",
    "S3T3h",
    "L4T7",
    "L9T9",
    "L16T3",
    "L99T99",
    "L100T1",
    "L1T100",
    "L0T1",
    "L1T0",
    "L01T1",
    "",
    "L",
    "L1",
    "L1T",
    "T3",
    "l1t1",
    "s3t3",
    "X3T3",
    " L1T3",
    "L 1T3",
    "L1T3 ",
    "L1T3_key",
    "L3T3_KEYS",
    "L-1T2",
    "L1.5T2",
    "LT",
    "none",
    "L3T3\u{0}",
];

pub(crate) fn calls() -> Vec<Call> {
    let call = |text: &&str| {
        Call::new("parseScalabilityMode", format!("\"{text}\""), json!({ "scalabilityMode": text }))
    };
    TEXTS.iter().map(call).collect()
}
