//! See `tidegate_tests::properties::arrivals`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::arrivals(data));
