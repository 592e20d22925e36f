//! See `tidegate_tests::properties::vp9`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::vp9(data));
