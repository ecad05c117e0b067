//! The body of a request for a link.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::dialects::postpress::read_link;

fuzz_target!(|body: &[u8]| {
    let Ok(body) = serde_json::from_slice(body) else { return };
    match read_link(&body) {
        Ok(link) => assert!(link.name.is_none_or(|name| name.len() <= body.to_string().len())),
        Err(envelope) => assert!(envelope.detail.is_some_and(|detail| !detail.is_empty())),
    }
});
