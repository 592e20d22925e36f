//! See `tidegate_tests::properties::audio_level`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::audio_level(data));
