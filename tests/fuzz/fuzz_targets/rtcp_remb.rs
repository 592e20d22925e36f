//! See `tidegate_tests::properties::rtcp_remb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::rtcp_remb(data));
