//! Security events of Google's stand-in: signed, sent as Google pushes them, taken once, and believed only where every part
//! of them is right.

use serde_json::{Value, json};

use super::{events, file, kinds, shown, status, until_status};
use crate::app::http::{Reply, send};
use crate::oauth::{ADA, Place};
use crate::parts::identity::House;
use crate::parts::{READY, eventually_async};

const REVOKED: &str = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked";
const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
const ENABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-enabled";
const VERIFIED: &str = "https://schemas.openid.net/secevent/risc/event-type/verification";

async fn push(place: &Place, token: &str) -> Reply {
    push_to(place, "google", "application/secevent+jwt", token).await
}

async fn push_to(place: &Place, name: &str, kind: &str, token: &str) -> Reply {
    let url = place.app.url(&format!("/providers/{name}/events"));
    send("POST", &url, &[("content-type", kind)], token.as_bytes()).await
}

async fn signed(place: &Place, kind: &str, more: Value) -> String {
    place.identity.security_event(&place.client, ADA, &[kind], more).await
}

#[tokio::test]
async fn a_revoking_event_marks_the_persons_accounts_at_once_and_once() {
    let place = Place::with(House::Google, &[], json!({})).await;
    let first = place.account(&place.link(json!({ "name": "one" })).await).await;
    let second = place.account(&place.link(json!({ "name": "two" })).await).await;
    let token = signed(&place, REVOKED, json!({})).await;
    for _ in 0..3 {
        let reply = push(&place, &token).await;
        assert_eq!((reply.status, reply.text().as_str()), (202, ""));
    }
    for account in [&first, &second] {
        let marked = shown(&place.app, account).await;
        assert_eq!(status(&marked), "CREDENTIALS", "{marked}");
        assert_eq!(
            (&marked["cause"], &marked["user_action"]),
            (&json!("grant_revoked"), &json!("reconnect"))
        );
        assert_eq!(kinds(&place.app, account).await, ["account.connected", "account.broken"]);
    }
    let body = place.credentials(&first, json!({})).await.json();
    assert_eq!((&body["state"], &body["cause"]), (&json!("needs_reconnect"), &json!("grant_revoked")));
    // Repaired; the same event once more, and an older one that was late, change nothing.
    let repair = place.link(json!({ "type": "reconnect", "reconnect_account": first })).await;
    assert_eq!(place.account(&repair).await, first);
    let hour_ago = jiff::Timestamp::now().as_second() - 3600;
    let late = signed(&place, REVOKED, json!({ "claims": { "iat": hour_ago } })).await;
    for token in [&token, &late] {
        assert_eq!(push(&place, token).await.status, 202);
    }
    assert_eq!(status(&shown(&place.app, &first).await), "OK");
}

#[tokio::test]
async fn an_account_that_google_disabled_heals_when_google_says_so() {
    let place = Place::with(House::Google, &[], json!({})).await;
    let account = place.account(&place.link(json!({})).await).await;
    assert_eq!(push(&place, &signed(&place, DISABLED, json!({})).await).await.status, 202);
    let marked = shown(&place.app, &account).await;
    assert_eq!((status(&marked), &marked["cause"]), ("CREDENTIALS", &json!("account_disabled")));
    assert_eq!(push(&place, &signed(&place, ENABLED, json!({})).await).await.status, 202);
    until_status(&place.app, &account, "OK").await;
    let told = events(&file(&place.app), &account).await;
    assert_eq!(told.last().map(|(kind, _)| kind.as_str()), Some("account.healed"));
}

#[tokio::test]
async fn an_event_of_which_any_part_is_wrong_is_refused_in_the_standards_words_and_changes_nothing() {
    let place = Place::with(House::Google, &[], json!({})).await;
    let account = place.account(&place.link(json!({})).await).await;
    for (more, word) in [
        (json!({ "stranger": true }), "invalid_key"),
        (json!({ "header": { "kid": "unknown" } }), "invalid_key"),
        (json!({ "header": { "alg": "none" } }), "invalid_request"),
        (json!({ "claims": { "iss": "https://accounts.evil.example/" } }), "invalid_issuer"),
        (json!({ "claims": { "iss": null } }), "invalid_issuer"),
        (json!({ "claims": { "aud": "another.apps.googleusercontent.com" } }), "invalid_audience"),
        (json!({ "claims": { "aud": [] } }), "invalid_audience"),
        (json!({ "claims": { "jti": "" } }), "invalid_request"),
        (json!({ "claims": { "iat": null } }), "invalid_request"),
        (json!({ "claims": { "iat": 9_999_999_999_u64 } }), "invalid_request"),
        (json!({ "claims": { "events": {} } }), "invalid_request"),
        (json!({ "subject": { "iss": "https://accounts.evil.example/" } }), "invalid_request"),
        (json!({ "subject": { "sub": "" } }), "invalid_request"),
        (json!({ "subject": { "subject_type": "email" } }), "invalid_request"),
    ] {
        let reply = push(&place, &signed(&place, REVOKED, more.clone()).await).await;
        assert_eq!((reply.status, &reply.json()["err"]), (400, &json!(word)), "{more}: {}", reply.text());
    }
    let good = signed(&place, REVOKED, json!({})).await;
    let other = signed(&place, REVOKED, json!({ "claims": { "jti": "other" } })).await;
    let mut parts: Vec<&str> = good.split('.').collect();
    parts[1] = other.split('.').nth(1).expect("claims");
    assert_eq!(push(&place, &parts.join(".")).await.json()["err"], "invalid_key");
    for text in ["", "x", "a.b.c", &"a".repeat(40_000)] {
        assert_eq!(push(&place, text).await.json()["err"], "invalid_request");
    }
    let kind = push_to(&place, "google", "application/json", &good).await;
    assert_eq!((kind.status, &kind.json()["err"]), (400, &json!("invalid_request")));
    for name in ["microsoft", "imap", "nobody"] {
        assert_eq!(push_to(&place, name, "application/secevent+jwt", &good).await.status, 404, "{name}");
    }
    assert_eq!(status(&shown(&place.app, &account).await), "OK");
    // What changes nothing is taken all the same, so that it is not sent again; Google's other name for itself is its own.
    assert_eq!(push(&place, &signed(&place, VERIFIED, json!({})).await).await.status, 202);
    assert_eq!(status(&shown(&place.app, &account).await), "OK");
    let log = place.app.output();
    assert!(!log.contains(&good) && log.contains("event_issuer"));
}

#[tokio::test]
async fn an_event_that_cannot_be_judged_yet_is_asked_for_again() {
    let ca = crate::parts::identity::shared_ca();
    let identity: &'static _ =
        Box::leak(Box::new(crate::parts::identity::Identity::start(ca, House::Google)));
    let place = Place::at(identity, House::Google).await;
    let account = place.account(&place.link(json!({})).await).await;
    identity.rotate_keys().await;
    identity.fault_for_all("keys_500", true).await;
    let token = signed(&place, REVOKED, json!({})).await;
    assert_eq!(push(&place, &token).await.status, 503);
    let taken = eventually_async("the event", READY, async || {
        let reply = push(&place, &token).await;
        (reply.status == 202).then_some(())
    });
    taken.await;
    assert_eq!(status(&shown(&place.app, &account).await), "CREDENTIALS");
}
