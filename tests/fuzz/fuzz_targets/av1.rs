//! See `tidegate_tests::properties::av1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::av1(data));
