//! See `tidegate_tests::properties::stun`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::stun(data));
