//! Sessions tell their story: to endpoints of both dialects as it happens, and to whoever reads it, with the reference
//! that the person was shown.

use std::time::Duration;

use serde_json::{Value, json};

use super::{endpoint, told, webhook};
use crate::app::mailbox::PASSWORD;
use crate::app::person::Person;
use crate::parts::sink::{Call, Sink};
use crate::proofs::walk::mailbox;
use vestibule::kernel::clock::Clock;

#[tokio::test]
async fn a_session_s_steps_are_told_to_both_dialects_and_read_later_without_a_secret() {
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    webhook(&app, &sink.url("/links"), json!({ "source": "hosted_auth_link" })).await;
    endpoint(
        &app,
        &sink.url("/sessions"),
        json!({ "eventTypes": [
        "session.opened", "session.step_failed", "session.completed", "session.cancelled",
    ] }),
    )
    .await;
    let link = app.link(json!({ "name": "user_1" })).await;
    let person = Person::new();
    let password = person.until_password(mailbox(), &link).await;
    let refused = person.submit(&password, &password.sheet().with("password", "hidden-wrong-word")).await;
    assert_eq!(refused.step(), "password", "{}", refused.text());
    let end = person.submit(&refused, &refused.sheet().with("password", PASSWORD)).await;
    assert_eq!(end.reply.status, 200, "{}", end.text());
    let account = app.accounts().await[0]["id"].clone();
    let calls = told(&sink, "/links", 3).await;
    let field =
        |name: &str| calls.iter().map(|call| call.json()["HostedAuthLink"][name].clone()).collect::<Vec<_>>();
    assert_eq!(field("message"), ["OPENED", "STEP_FAILED", "COMPLETED"]);
    assert_eq!(field("reason"), [Value::Null, json!("credentials_invalid"), Value::Null]);
    assert_eq!(field("account_id"), [Value::Null, Value::Null, account.clone()]);
    assert!(field("name").iter().all(|name| name == "user_1"));
    let calls = told(&sink, "/sessions", 3).await;
    let types: Vec<Value> = calls.iter().map(|call| call.json()["type"].clone()).collect();
    assert_eq!(types, ["session.opened", "session.step_failed", "session.completed"]);
    let told = app.api("GET", &format!("/v1/hosted/accounts/link/{}/events", link.id), None).await;
    let story = told.json();
    let names: Vec<Value> =
        story["items"].as_array().expect("items").iter().map(|item| item["event"].clone()).collect();
    assert_eq!(names, ["session.opened", "session.step_failed", "session.completed"]);
    assert_eq!(story["items"][1]["step"], "password");
    for word in ["hidden-wrong-word", PASSWORD, "user_1", "ada@example.test"] {
        assert!(!told.text().contains(word), "{word}");
    }
    let riposte = app.api("GET", &format!("/auth/sessions/{}/events", link.id), None).await.json();
    assert_eq!(riposte["reference"], story["reference"]);
    assert_eq!(riposte["events"][2]["accountId"], account);
}

#[tokio::test]
async fn sessions_that_fail_or_run_out_are_told_to_both_dialects() {
    let (app, sink) = (mailbox().app(&[]), Sink::start());
    webhook(
        &app,
        &sink.url("/links"),
        json!({ "source": "hosted_auth_link", "events": ["failed", "expired"] }),
    )
    .await;
    let types = json!({ "eventTypes": ["session.failed", "session.expired"] });
    endpoint(&app, &sink.url("/sessions"), types).await;
    let soon = Clock::system().now().after(Duration::from_secs(2)).rfc3339();
    let late = app.link(json!({ "name": "user_1", "expiresOn": soon })).await;
    let failed = app.link(json!({ "name": "user_2" })).await;
    let person = Person::new();
    let mut seen = person.until_password(mailbox(), &failed).await;
    while seen.step() == "password" {
        seen = person.submit(&seen, &seen.sheet().with("password", "wrong")).await;
    }
    let cause = app.session(&failed.id).await["cause"].clone();
    assert!(cause.is_string());
    let expected = [(&failed.id, "FAILED", "session.failed"), (&late.id, "EXPIRED", "session.expired")];
    let (links, sessions) = (told(&sink, "/links", 2).await, told(&sink, "/sessions", 2).await);
    assert_eq!((links.len(), sessions.len()), (2, 2));
    for (id, message, kind) in expected {
        let link = links.iter().map(Call::json).find(|body| body["HostedAuthLink"]["link_id"] == **id);
        let link = link.unwrap_or_else(|| panic!("nothing of {id}"));
        assert_eq!(link["HostedAuthLink"]["message"], message);
        let session = sessions.iter().map(Call::json).find(|body| body["data"]["session"] == **id);
        let session = session.unwrap_or_else(|| panic!("nothing of {id}"));
        assert_eq!(session["type"], kind);
        let why = if kind == "session.failed" { cause.clone() } else { json!("link_expired") };
        assert_eq!((&link["HostedAuthLink"]["reason"], &session["data"]["cause"]), (&why, &why));
    }
}

#[tokio::test]
async fn the_reference_that_a_person_quotes_leads_to_the_session_s_story() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({ "name": "user_1" })).await;
    let person = Person::new();
    let seen = person.begin(&link).await;
    let shown = person.open(&seen.url).await;
    let cancelled = app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", link.id), None).await;
    assert_eq!(cancelled.status, 200);
    let over = person.open(&shown.url).await;
    let story = app.api("GET", &format!("/v1/hosted/accounts/link/{}/events", link.id), None).await.json();
    let reference = story["reference"].as_str().expect("a reference");
    assert!(over.text().contains(reference), "{reference} is not on the page: {}", over.text());
    for heard in [reference.to_owned(), reference.to_lowercase().replace('-', "%20")] {
        let found = app.api("GET", &format!("/v1/hosted/accounts/link?reference={heard}"), None).await.json();
        assert_eq!(found["items"][0]["id"], link.id);
        let found = app.api("GET", &format!("/auth/sessions?reference={heard}"), None).await.json();
        assert_eq!(found["sessions"][0]["code"], link.id);
    }
    let nobody = app.api("GET", "/v1/hosted/accounts/link?reference=0000-0000", None).await.json();
    assert_eq!(nobody["items"], json!([]));
    assert_eq!(app.api("GET", "/auth/sessions?reference=odd", None).await.status, 400);
}
