//! See `tidegate_tests::properties::dtls`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::dtls(data));
