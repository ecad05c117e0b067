//! Who has to act, where it is neither the person with a new sign-in nor time alone: an administrator, the person in their
//! mailbox's settings, us. Read through the API, told to a webhook in the documented words, and over when it is mended.

use serde_json::{Value, json};

use super::{kinds, often, status, until, until_status};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::oauth::Place;
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::webhooks::{endpoint, told, webhook};

/// Two endpoints, one in each dialect.
async fn listen(app: &App, sink: &Sink) {
    webhook(app, &sink.url("/postpress"), json!({})).await;
    endpoint(app, &sink.url("/riposte"), json!({})).await;
}

/// Holds what the API says and what both were told of an account that somebody else has to see to, and of its recovery.
async fn assert_told(
    app: &App,
    sink: &Sink,
    account: &str,
    said: (&str, &str, &str),
    mend: impl AsyncFnOnce(),
) {
    let (expected, cause, action) = said;
    let broken = until_status(app, account, expected).await;
    assert_eq!((&broken["cause"], &broken["user_action"]), (&json!(cause), &json!(action)), "{broken}");
    let other = app.api("GET", &format!("/accounts/{account}"), None).await.json();
    assert_eq!(other["userAction"], action, "{other}");
    let key = app.trusted_key();
    let url = app.url(&format!("/v1/accounts/{account}/credentials"));
    let given = crate::app::http::send("POST", &url, &[("x-api-key", &key)], b"{}").await;
    if expected == "PERMISSIONS" {
        let given = given.json();
        assert_eq!((&given["state"], &given["cause"]), (&json!("needs_reconnect"), &json!(cause)), "{given}");
    }
    mend().await;
    let well = until(app, account, "recovery", |shown| shown["cause"] == Value::Null).await;
    assert_eq!((status(&well), &well["user_action"]), ("OK", &Value::Null));
    assert_eq!(kinds(app, account).await, ["account.connected", "account.broken", "account.healed"]);
    let calls = told(sink, "/postpress", 2).await;
    let messages: Vec<Value> =
        calls.iter().map(|call| call.json()["AccountStatus"]["message"].clone()).collect();
    assert_eq!(messages, [expected, "OK"]);
    assert_eq!(calls[0].json()["AccountStatus"]["reason"], cause);
    let calls = told(sink, "/riposte", 2).await;
    let types: Vec<Value> = calls.iter().map(|call| call.json()["type"].clone()).collect();
    assert_eq!(types, ["account.broken", "account.healed"]);
    assert_eq!(calls[0].json()["data"]["cause"], cause);
}

#[tokio::test]
async fn a_policy_of_the_organisation_is_for_its_administrator() {
    let (place, sink) = (Place::with(House::Microsoft, &often(&[]), json!({})).await, Sink::start());
    let account = place.account(&place.link(json!({})).await).await;
    listen(&place.app, &sink).await;
    let blocked = json!({ "error_codes": [53003], "error_description": "AADSTS53003: Blocked by policy." });
    place.identity.fault(&place.client, "token_400", blocked, false).await;
    let said = ("PERMISSIONS", "policy_blocked", "ask_admin");
    assert_told(&place.app, &sink, &account, said, async || place.identity.clear_faults(&place.client).await)
        .await;
}

#[tokio::test]
async fn a_mailbox_that_lets_no_other_services_in_is_for_its_person_to_open() {
    let (mailbox, sink) = (Mailbox::start(), Sink::start());
    let app = mailbox.app(&often(&[]));
    let body = crate::callers::imports::mailbox(&mailbox);
    let account = crate::callers::imports::imported(&app, &body).await;
    listen(&app, &sink).await;
    mailbox.dovecot.shut(ADDRESS, PASSWORD, "IMAP access is disabled for this mailbox.");
    let said = ("PERMISSIONS", "protocol_disabled", "allow_access");
    assert_told(&app, &sink, &account, said, async || mailbox.dovecot.set_password(ADDRESS, PASSWORD)).await;
}

#[tokio::test]
async fn a_client_that_the_provider_refuses_is_for_whoever_runs_this_server() {
    let settings = often(&[("CHECKS__ERROR_AFTER_SECONDS", "3")]);
    let (place, sink) = (Place::with(House::Google, &settings, json!({})).await, Sink::start());
    let account = place.account(&place.link(json!({})).await).await;
    listen(&place.app, &sink).await;
    place.identity.fault(&place.client, "token_401", json!(true), false).await;
    let said = ("ERROR", "config_client_invalid", "mend_settings");
    assert_told(&place.app, &sink, &account, said, async || place.identity.clear_faults(&place.client).await)
        .await;
}
