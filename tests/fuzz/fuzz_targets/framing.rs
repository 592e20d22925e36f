//! See `tidegate_tests::properties::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::framing(data));
