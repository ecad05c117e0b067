//! Endpoints of Riposte: making, changing, trying out and deleting them, its signature, and the log.

use base64::Engine;
use ring::hmac;
use serde_json::{Value, json};

use super::{endpoint, log, revoked, text, told};
use crate::app::App;
use crate::parts::sink::{Answer, Call, Sink};
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::{assert_signed, mailbox};
use crate::steps::Screen;

/// Checks a call as the dialect's documentation says.
fn assert_riposte(secrets: &[&str], call: &Call) {
    let timestamp = call.header("x-riposte-timestamp");
    let seconds: i64 = timestamp.parse().expect("seconds");
    let now = vestibule::kernel::clock::Clock::system().now().0 / 1000;
    assert!((now - seconds).abs() < 300, "a receiver refuses what is older than five minutes");
    let signed = [timestamp.as_bytes(), b".", &call.body].concat();
    let expected: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &signed);
            tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        })
        .collect();
    assert_eq!(call.header("x-riposte-signature"), expected.join(","));
}

#[tokio::test]
async fn an_endpoint_is_made_changed_tried_out_and_deleted() {
    let app = App::start();
    let sink = Sink::start();
    let made = endpoint(&app, &sink.url("/first"), json!({ "headers": { "X-Own": "hidden word" } })).await;
    let path = format!("/webhooks/endpoints/{}", made.id);
    let reply = app.api("POST", &format!("{path}/test"), None).await;
    let sent = text(&reply.json()["deliveryId"]);
    let call = told(&sink, "/first", 1).await.remove(0);
    let body = call.json();
    assert_eq!((&body["type"], &body["deliveryId"]), (&json!("webhook.test"), &json!(sent)));
    assert_eq!((call.header("webhook-id"), call.header("x-own")), (sent.as_str(), "hidden word"));
    assert_riposte(&[&made.secret], &call);
    assert_signed(&made.secret, &call);
    let read = app.api("GET", &path, None).await;
    assert!(!read.text().contains("hidden word") && !read.text().contains(&made.secret));
    assert_eq!(read.json()["headers"], json!({ "X-Own": "***" }));
    let change =
        json!({ "url": sink.url("/second"), "eventTypes": ["session.revoked"], "description": "mine" });
    let changed = app.api("PATCH", &path, Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let link = revoked(&app).await;
    let call = told(&sink, "/second", 1).await.remove(0);
    assert_eq!(
        (&call.json()["type"], &call.json()["data"]["session"]),
        (&json!("session.revoked"), &json!(link.id))
    );
    assert_eq!(call.header("x-own"), "hidden word", "what is not given stays");
    let list = app.api("GET", "/webhooks/endpoints", None).await.json();
    assert_eq!(
        (&list["endpoints"][0]["description"], &list["pagination"]["total"]),
        (&json!("mine"), &json!(1))
    );
    // Switched off, it is told nothing but what is asked for one by one.
    let off = app.api("PATCH", &path, Some(json!({ "isActive": false }))).await.json();
    assert_eq!(off["isActive"], false);
    revoked(&app).await;
    app.api("POST", &format!("{path}/test"), None).await;
    let calls = told(&sink, "/second", 2).await;
    assert_eq!(calls[1].json()["type"], "webhook.test");
    assert_eq!(app.api("DELETE", &path, None).await.json(), json!({ "success": true, "id": made.id }));
    assert_eq!(app.api("GET", &path, None).await.status, 404);
    assert_eq!(told(&sink, "/second", 2).await.len(), 2);
}

#[tokio::test]
async fn an_account_s_life_is_told_with_the_product_s_id_of_the_person_even_after_its_end() {
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    sink.answer_next([Answer::status(500)]);
    endpoint(&app, &sink.url("/life"), json!({ "eventTypes": ["account.connected", "account.deleted"] }))
        .await;
    let mut screen = Screen::start(&app, &app.link(json!({ "name": "user_1" })).await).await;
    let account = screen.connect(mailbox()).await;
    told(&sink, "/life", 1).await;
    // Deleted before the second call is made up, which waits for the first to be taken.
    assert_eq!(app.api("DELETE", &format!("/accounts/{account}"), None).await.status, 200);
    let calls = told(&sink, "/life", 3).await;
    let seen: Vec<_> = calls
        .iter()
        .map(|call| {
            let data = &call.json()["data"];
            (text(&call.json()["type"]), text(&data["accountId"]), text(&data["customUserId"]))
        })
        .collect();
    let expect = |kind: &str| (kind.to_owned(), account.clone(), "user_1".to_owned());
    let expected = [expect("account.connected"), expect("account.connected"), expect("account.deleted")];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_log_has_request_answer_and_time_page_by_page() {
    let app = App::start();
    let sink = Sink::start();
    sink.answer(Answer::status(200).body("thank you"));
    let made = endpoint(&app, &sink.url("/log"), json!({})).await;
    let link = revoked(&app).await;
    revoked(&app).await;
    let calls = told(&sink, "/log", 2).await;
    let about = format!("&about={}", link.id);
    let entry = eventually_async("its end", READY, async || {
        log(&app, &about).await.into_iter().find(|entry| entry["status"] == "done")
    })
    .await;
    let call = calls.iter().find(|call| call.json()["data"]["session"] == json!(link.id)).expect("its call");
    assert_eq!(entry["request"], json!(String::from_utf8_lossy(&call.body)));
    assert_eq!(
        (&entry["endpointId"], &entry["deliveryId"]),
        (&json!(made.id), &json!(call.header("webhook-id")))
    );
    let attempt = &entry["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["answer"]), (&json!(200), &json!("thank you")));
    assert!(attempt["tookMs"].is_i64() && attempt["at"].is_string(), "{attempt}");
    let page = app.api("GET", "/events?limit=1&page=2", None).await.json();
    assert_eq!((&page["pagination"]["total"], page["events"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    for query in ["?about=none", "?status=odd", "?endpointId=x", "?page=0"] {
        assert_eq!(app.api("GET", &format!("/events{query}"), None).await.status, 400, "{query}");
    }
    // The other dialect's log is the same.
    let listed =
        app.api("GET", &format!("/v1/webhooks/deliveries?webhook_id={}&limit=1", made.id), None).await.json();
    assert!(listed["cursor"].is_string() && listed["items"][0]["request"].is_string(), "{listed}");
}

#[tokio::test]
async fn a_secret_is_exchanged_with_an_overlap_in_which_both_sign() {
    let app = App::start();
    let sink = Sink::start();
    let own = "a-secret-of-our-own-that-is-long-enough";
    let made = endpoint(&app, &sink.url("/key"), json!({ "secret": own })).await;
    assert_eq!(made.secret, own);
    let path = format!("/webhooks/endpoints/{}/secret", made.id);
    let fresh = text(&app.api("POST", &path, None).await.json()["secret"]);
    revoked(&app).await;
    let call = told(&sink, "/key", 1).await.remove(0);
    assert_riposte(&[&fresh, own], &call);
    assert_eq!(call.header("webhook-signature").split(' ').count(), 2);
    for secret in [fresh.as_str(), own] {
        assert!(standard(secret, &call), "a receiver that knows either is content");
    }
    // Without an overlap the former one is good for nothing at once.
    let last = text(&app.api("POST", &path, Some(json!({ "overlapHours": 0 }))).await.json()["secret"]);
    revoked(&app).await;
    let call = told(&sink, "/key", 2).await.remove(1);
    assert_riposte(&[&last], &call);
    assert_signed(&last, &call);
    for odd in [json!({ "secret": "short" }), json!({ "overlapHours": 10_000 })] {
        assert_eq!(app.api("POST", &path, Some(odd)).await.status, 400);
    }
    // An overlap ends by itself.
    let short = json!({ "overlapHours": 0.0002 });
    let newest = text(&app.api("POST", &path, Some(short)).await.json()["secret"]);
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    revoked(&app).await;
    assert_riposte(&[&newest], &told(&sink, "/key", 3).await[2]);
}

#[tokio::test]
async fn a_secret_that_is_exchanged_again_drops_none_that_receivers_still_have() {
    let app = App::start();
    let sink = Sink::start();
    let made = endpoint(&app, &sink.url("/keys"), json!({})).await;
    let path = format!("/webhooks/endpoints/{}/secret", made.id);
    let mut secrets = vec![made.secret];
    for calls in 1..=4 {
        secrets.insert(0, text(&app.api("POST", &path, None).await.json()["secret"]));
        revoked(&app).await;
        let call = told(&sink, "/keys", calls).await.remove(calls - 1);
        // The newest and three former ones at most.
        secrets.truncate(4);
        assert_riposte(&secrets.iter().map(String::as_str).collect::<Vec<_>>(), &call);
        assert!(secrets.iter().all(|secret| standard(secret, &call)), "{calls}");
    }
    // The reply that was lost comes again, and nothing is exchanged.
    let headers =
        [("x-api-key", app.key()), ("content-type", "application/json"), ("idempotency-key", "lost")];
    let body = br#"{"overlapHours":0}"#;
    let first = crate::app::http::send("POST", &app.url(&path), &headers, body).await;
    let again = crate::app::http::send("POST", &app.url(&path), &headers, body).await;
    assert_eq!((&first.body, again.header("idempotency-replayed")), (&again.body, "true"));
    revoked(&app).await;
    let call = told(&sink, "/keys", 5).await.remove(4);
    assert_riposte(&[&text(&first.json()["secret"])], &call);
}

/// What a receiver does with a secret, whatever its form.
fn standard(secret: &str, call: &Call) -> bool {
    let engine = base64::engine::general_purpose::STANDARD;
    let key = secret.strip_prefix("whsec_").map(|text| engine.decode(text).expect("base64"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_deref().unwrap_or(secret.as_bytes()));
    let head = format!("{}.{}.", call.header("webhook-id"), call.header("webhook-timestamp"));
    let tag = hmac::sign(&key, &[head.as_bytes(), &call.body].concat());
    let expected = format!("v1,{}", engine.encode(tag));
    call.header("webhook-signature").split(' ').any(|one| one == expected)
}

#[tokio::test]
async fn nothing_that_vouches_for_an_endpoint_is_at_rest_in_clear_or_in_the_log() {
    let app = App::start();
    let sink = Sink::start();
    let words =
        json!({ "headers": { "X-Own": "hidden-header-word" }, "secret": "hidden-secret-word-that-is-long" });
    let made = endpoint(&app, &sink.url("/hidden-path-word?key=hidden-query-word"), words).await;
    revoked(&app).await;
    told(&sink, "/hidden-path-word?key=hidden-query-word", 1).await;
    let path = format!("/webhooks/endpoints/{}/secret", made.id);
    let fresh = text(&app.api("POST", &path, Some(json!({}))).await.json()["secret"]);
    let mut kept = app.output().into_bytes();
    for name in ["vestibule.db", "vestibule.db-wal"] {
        kept.extend(std::fs::read(app.data(name)).unwrap_or_default());
    }
    let kept = String::from_utf8_lossy(&kept).into_owned();
    assert!(kept.contains(&made.id), "the file is read");
    let words = ["hidden-header-word", "hidden-secret-word", "hidden-path-word", "hidden-query-word", &fresh];
    for word in words {
        assert!(!kept.contains(word), "{word}");
    }
    let _: Value = app.api("GET", &format!("/webhooks/endpoints/{}", made.id), None).await.json();
}
