//! See `tidegate_tests::properties::h264`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::h264(data));
