//! The bodies that the Riposte dialect takes, and those of the steps API.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::dialects::envelope::Envelope;
use vestibule::dialects::riposte::{read_change, read_endpoint, read_finish, read_session, read_start};
use vestibule::dialects::steps;

/// What was read, where a refusal says why.
fn read<T>(found: Result<T, Envelope>) -> Option<T> {
    found.map_err(|envelope| assert!(envelope.detail.is_some_and(|detail| !detail.is_empty()))).ok()
}

fuzz_target!(|body: &[u8]| {
    let Ok(body) = serde_json::from_slice(body) else { return };
    if let Some(session) = read(read_session(&body)) {
        assert!(!session.redirect_uri.is_empty() && (60_000..=86_400_000).contains(&session.lives));
    }
    if let Some(start) = read(read_start(&body)) {
        assert!(!start.provider.is_empty() && start.email.is_none_or(|email| email.contains('@')));
    }
    if let Some((code, _)) = read(read_finish(&body)) {
        assert!(code.reveal().chars().count() <= 200);
    }
    if let Some(endpoint) = read(read_endpoint(&body)) {
        assert!(endpoint.url.is_some_and(|url| url.to_ascii_lowercase().starts_with("http")));
    }
    if let Some(change) = read(read_change(&body)) {
        assert!(change.secret.is_none());
    }
    read(steps::read_start(&body));
    if let Some((version, answer, _)) = read(steps::read_answer(&body)) {
        assert!(version > 0 && answer.fields.len() <= 100);
    }
});
