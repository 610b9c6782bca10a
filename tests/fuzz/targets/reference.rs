#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ci_creds_fuzz::reference(input));
