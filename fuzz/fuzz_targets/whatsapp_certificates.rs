//! The chain of certificates that a server shows.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wire_whatsapp::fuzzing::certificates(data));
