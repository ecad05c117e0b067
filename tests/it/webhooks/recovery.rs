//! Endpoints that are gone for a while: a 410 switches one off, and what it missed is sent again, one by one or since a
//! time.

use serde_json::{Value, json};

use super::{endpoint, log, revoked, told, webhook};
use crate::app::{App, Link};
use crate::parts::sink::{Answer, Call, Sink};
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::mailbox;
use crate::steps::Screen;

fn now() -> String {
    vestibule::kernel::clock::Clock::system().now().rfc3339()
}

/// The sessions that calls are about, in the order they came.
fn sessions(calls: &[Call]) -> Vec<Value> {
    calls.iter().map(|call| call.json()["data"]["session"].clone()).collect()
}

#[tokio::test]
async fn a_410_switches_an_endpoint_off_and_what_it_missed_can_be_sent_once_it_is_back() {
    let app = App::start();
    let sink = Sink::start();
    let began = now();
    let made = endpoint(&app, &sink.url("/gone"), json!({})).await;
    let path = format!("/webhooks/endpoints/{}", made.id);
    let taken = revoked(&app).await;
    told(&sink, "/gone", 1).await;
    sink.answer(Answer::status(410));
    let refused = revoked(&app).await;
    told(&sink, "/gone", 2).await;
    let read = eventually_async("it is switched off", READY, async || {
        Some(app.api("GET", &path, None).await.json()).filter(|read| read["isActive"] == false)
    })
    .await;
    assert_eq!(read["gone"], true);
    assert!(app.output().contains("an endpoint answered that it is gone"));
    let unheard = [revoked(&app).await, revoked(&app).await];
    assert_eq!(sink.calls().len(), 2, "it is not called any more");
    // Replaying makes sense once it is called again.
    let replay = format!("{path}/replay");
    let early = app.api("POST", &replay, Some(json!({ "since": began }))).await;
    assert!(early.status == 400 && early.text().contains("switch it on first"), "{}", early.text());
    sink.answer(Answer::status(200));
    assert_eq!(app.api("PATCH", &path, Some(json!({ "isActive": true }))).await.json()["gone"], false);
    let reply = app.api("POST", &replay, Some(json!({ "since": began }))).await.json();
    assert_eq!((&reply["deliveries"], &reply["moreSince"]), (&json!(4), &Value::Null));
    let calls = told(&sink, "/gone", 6).await;
    let mut seen = sessions(&calls[2..]);
    seen.sort_by_key(ToString::to_string);
    let mut all: Vec<Value> =
        [&taken, &refused].into_iter().chain(&unheard).map(|link: &Link| json!(link.id)).collect();
    all.sort_by_key(ToString::to_string);
    assert_eq!(seen, all);
    // What was told before keeps its id and its bytes.
    for old in &calls[..2] {
        let again = calls[2..].iter().filter(|new| new.header("webhook-id") == old.header("webhook-id"));
        assert_eq!(again.map(|new| &new.body).collect::<Vec<_>>(), [&old.body]);
    }
    // Nothing happened since, so nothing is sent.
    let none = app.api("POST", &replay, Some(json!({ "since": now() }))).await.json();
    assert_eq!(none["deliveries"], 0);
    for odd in [json!({}), json!({ "since": "yesterday" })] {
        assert_eq!(app.api("POST", &replay, Some(odd)).await.status, 400);
    }
}

#[tokio::test]
async fn a_new_webhook_can_be_told_what_happened_before_it_was_made_in_order() {
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    let began = now();
    let mut screen = Screen::start(&app, &app.link(json!({ "name": "user_1" })).await).await;
    let account = screen.connect(mailbox()).await;
    assert_eq!(app.api("DELETE", &format!("/v1/accounts/{account}"), None).await.status, 200);
    let made = webhook(&app, &sink.url("/late"), json!({})).await;
    let path = format!("/v1/webhooks/{}/replay", made.id);
    let reply = app.api("POST", &path, Some(json!({ "since": began }))).await.json();
    assert_eq!(reply, json!({ "object": "WebhookReplayed", "deliveries": 2, "more_since": null }));
    let calls = told(&sink, "/late", 2).await;
    let said: Vec<Value> = calls.iter().map(|call| call.json()["AccountStatus"]["message"].clone()).collect();
    assert_eq!(said, ["CREATION_SUCCESS", "DELETED"]);
}

#[tokio::test]
async fn one_delivery_is_sent_once_more_with_the_same_id_and_bytes_even_to_an_endpoint_that_is_off() {
    let app = App::start();
    let sink = Sink::start();
    sink.answer_next([Answer::status(410)]);
    endpoint(&app, &sink.url("/once"), json!({})).await;
    revoked(&app).await;
    let first = told(&sink, "/once", 1).await.remove(0);
    eventually_async("it is given up", READY, async || log(&app, "&status=dead").await.pop()).await;
    let id = first.header("webhook-id").to_owned();
    let reply = app.api("POST", &format!("/events/{id}/replay"), None).await;
    assert_eq!(reply.json(), json!({ "success": true, "deliveryId": id }));
    let again = told(&sink, "/once", 2).await.remove(1);
    assert_eq!((again.header("webhook-id"), &again.body), (id.as_str(), &first.body));
    eventually_async("it is done", READY, async || log(&app, "&status=done").await.pop()).await;
    // The other dialect's way is the same.
    let reply = app.api("POST", &format!("/v1/webhooks/deliveries/{id}/replay"), None).await;
    assert_eq!(reply.json(), json!({ "object": "WebhookDeliveryReplayed", "id": id }));
    told(&sink, "/once", 3).await;
    for odd in ["none", "dlv_01M82PMF2N2QK5V2V5Q7D2Q8AB"] {
        assert_eq!(app.api("POST", &format!("/events/{odd}/replay"), None).await.status, 404);
    }
}

#[tokio::test]
async fn a_postpress_webhook_that_is_off_is_switched_on_with_patch() {
    let app = App::start();
    let (sink, began) = (Sink::start(), now());
    let links = json!({ "source": "hosted_auth_link", "enabled": false, "name": "mine" });
    let made = webhook(&app, &sink.url("/off"), links).await;
    let path = format!("/v1/webhooks/{}", made.id);
    revoked(&app).await;
    let replay = async || app.api("POST", &format!("{path}/replay"), Some(json!({ "since": began }))).await;
    let early = replay().await;
    assert!(early.status == 400 && early.text().contains("PATCH"), "{}", early.text());
    let on = app.api("PATCH", &path, Some(json!({ "enabled": true }))).await.json();
    assert_eq!(
        (&on["object"], &on["enabled"], &on["name"]),
        (&json!("Webhook"), &json!(true), &json!("mine"))
    );
    assert_eq!(replay().await.json()["deliveries"], 1);
    told(&sink, "/off", 1).await;
    sink.answer(Answer::status(410));
    revoked(&app).await;
    eventually_async("it is gone", READY, async || {
        let all = app.api("GET", "/v1/webhooks", None).await.json();
        (all["items"][0]["gone"] == true).then_some(())
    })
    .await;
    sink.answer(Answer::status(200));
    let change = json!({ "enabled": true, "name": null, "request_url": sink.url("/on") });
    let on = app.api("PATCH", &path, Some(change)).await.json();
    assert_eq!(
        (&on["gone"], on.get("name"), &on["source"]),
        (&json!(false), None, &json!("hosted_auth_link"))
    );
    revoked(&app).await;
    told(&sink, "/on", 1).await;
}
