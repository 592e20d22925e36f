//! See `tidegate_tests::properties::serials`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::serials(data));
