//! What a server sends before it is put into frames, in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wire_whatsapp::fuzzing::frames(data));
