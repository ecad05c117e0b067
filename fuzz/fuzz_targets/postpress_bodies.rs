//! The bodies that the postpress dialect takes, with those that belong to `/v1` in either dialect.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::dialects::postpress::{read_finish, read_link, read_webhook, read_webhook_change};
use vestibule::dialects::{calls, credentials, envelope::Envelope, import};
use vestibule::kernel::clock::Millis;

/// What was read, where a refusal says why.
fn read<T>(found: Result<T, Envelope>) -> Option<T> {
    found.map_err(|envelope| assert!(envelope.detail.is_some_and(|detail| !detail.is_empty()))).ok()
}

fuzz_target!(|body: &[u8]| {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return };
    let size = body.to_string().len();
    if let Some(link) = read(read_link(&body)) {
        assert!(link.name.is_none_or(|name| name.len() <= size));
    }
    if let Some((code, _)) = read(read_finish(&body)) {
        assert!(code.reveal().chars().count() <= 200);
    }
    if let Some(webhook) = read(read_webhook(&body)) {
        assert!(webhook.url.to_ascii_lowercase().starts_with("http") && !webhook.wanted.is_empty());
    }
    read(read_webhook_change(&body));
    if let Some((_, overlap, _)) = read(calls::read_secret(&body, "overlap_hours")) {
        assert!(overlap.as_secs() <= 720 * 3600);
    }
    if let Some((since, _)) = read(calls::read_since(&body)) {
        assert_eq!(Millis::parse_rfc3339(&since.rfc3339()), Some(since));
    }
    if let Some(asked) = read(credentials::read(&body, "acc", Millis(1_800_000_000_000))) {
        assert!(asked.reconnect.is_none() || body.get("reconnect").is_some());
    }
    if let Some(back) = read(credentials::read_back(&body)) {
        assert!(back.dead.is_none_or(|cause| (1..=64).contains(&cause.len())));
    }
    if let Some(import) = read(import::read(&body)) {
        assert!(!import.provider.is_empty() && import.credentials.is_object());
    }
});
