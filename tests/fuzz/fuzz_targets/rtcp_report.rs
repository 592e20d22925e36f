//! See `tidegate_tests::properties::rtcp_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::rtcp_report(data));
