//! See `tidegate_tests::properties::dependency_descriptor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_tests::properties::dependency_descriptor(data));
