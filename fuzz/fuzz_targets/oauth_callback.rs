//! What a person brings back from a provider’s pages.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &[u8]| vestibule::providers::fuzzing::callback(query));
