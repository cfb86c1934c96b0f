#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_compose_fuzz::env_file(data));
