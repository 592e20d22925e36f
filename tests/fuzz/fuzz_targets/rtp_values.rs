//! See `tidegate_tests::properties::rtp_values`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::rtp_values(data));
