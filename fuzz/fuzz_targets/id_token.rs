//! ID tokens, their claims, and key sets.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| vestibule::providers::fuzzing::id_token(text));
