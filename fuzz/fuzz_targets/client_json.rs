//! The file of a client as an operator pastes it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| vestibule::providers::fuzzing::client_json(text));
