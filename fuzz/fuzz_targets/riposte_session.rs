//! The body of a request for a session.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::dialects::riposte::read_session;

fuzz_target!(|body: &[u8]| {
    let Ok(body) = serde_json::from_slice(body) else { return };
    match read_session(&body) {
        Ok(session) => assert!(!session.redirect_uri.is_empty() && (60_000..=86_400_000).contains(&session.lives)),
        Err(envelope) => assert!(envelope.detail.is_some_and(|detail| !detail.is_empty())),
    }
});
