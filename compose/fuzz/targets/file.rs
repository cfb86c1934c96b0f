#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_compose_fuzz::file(data));
