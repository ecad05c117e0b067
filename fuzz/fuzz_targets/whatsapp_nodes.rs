//! An opened frame as a server sends it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wire_whatsapp::fuzzing::nodes(data));
