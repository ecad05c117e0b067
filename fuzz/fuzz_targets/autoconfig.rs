//! Mail settings as a stranger publishes them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| vestibule::providers::fuzzing::settings(file));
