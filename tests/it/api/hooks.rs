//! Statuses of webhooks, endpoints, their log, and sessions' stories.

use serde_json::json;

use super::book::{Ask, Book};
use super::statuses::{NOBODY, again, keyed};
use crate::app::App;
use crate::parts::postgres::Schema;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};

/// Ids of what there is not.
const NO_ENDPOINT: &str = "ep_01M82PMF2N2QK5V2V5Q7D2Q8AB";
const NO_DELIVERY: &str = "dlv_01M82PMF2N2QK5V2V5Q7D2Q8AB";

pub async fn walk(book: &mut Book, app: &App, schema: &Schema) {
    let sink = Sink::start();
    postpress(book, app, schema, &sink).await;
    riposte(book, app, schema, &sink).await;
    // What was left on its way would disturb what comes next.
    eventually_async("everything to be told", READY, async || {
        (schema.psql("SELECT COUNT(*) FROM deliveries WHERE state = 'due'").trim() == "0").then_some(())
    })
    .await;
}

async fn postpress(book: &mut Book, app: &App, schema: &Schema, sink: &Sink) {
    let key = keyed(app);
    let plain = Ask { headers: &key, ..Ask::default() };
    let link = app.link(json!({})).await.id;
    book.ask(app, "readLinkEvents", 200, Ask { values: &[&link], ..plain.clone() }).await;
    book.ask(app, "readLinkEvents", 404, Ask { values: &[NOBODY], ..plain.clone() }).await;
    book.ask(app, "listLinks", 200, Ask { query: "?reference=7Q4K-M2XD", ..plain.clone() }).await;
    book.ask(app, "listLinks", 400, Ask { query: "?reference=odd", ..plain.clone() }).await;
    let body =
        |path: &str| json!({ "request_url": sink.url(path), "source": "hosted_auth_link" }).to_string();
    again(book, app, schema, "createWebhook", &[], &body("/one"), &body("/two")).await;
    book.ask(app, "createWebhook", 400, Ask { body: "{}", ..plain.clone() }).await;
    let email = json!({ "request_url": sink.url("/"), "source": "email" }).to_string();
    book.ask(app, "createWebhook", 501, Ask { body: &email, ..plain.clone() }).await;
    let list = book.ask(app, "listWebhooks", 200, plain.clone()).await.json();
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    book.ask(app, "listWebhooks", 400, Ask { query: "?limit=0", ..plain.clone() }).await;
    let at = Ask { values: &[&id], ..plain.clone() };
    book.ask(app, "changeWebhook", 200, Ask { body: r#"{"enabled":true}"#, ..at.clone() }).await;
    book.ask(app, "changeWebhook", 400, Ask { body: r#"{"request_url":"x"}"#, ..at.clone() }).await;
    let (secret, longer) = (r#"{"overlap_hours":1}"#, r#"{"overlap_hours":2}"#);
    again(book, app, schema, "rotateWebhookSecret", &[&id], secret, longer).await;
    book.ask(app, "rotateWebhookSecret", 400, Ask { body: r#"{"secret":"short"}"#, ..at.clone() }).await;
    let since = r#"{"since":"2026-01-01T00:00:00.000Z"}"#;
    let later = r#"{"since":"2026-01-02T00:00:00.000Z"}"#;
    again(book, app, schema, "replayWebhook", &[&id], since, later).await;
    book.ask(app, "replayWebhook", 400, at.clone()).await;
    let log = eventually_async("a delivery", READY, async || {
        let reply = app.api("GET", "/v1/webhooks/deliveries?status=done", None).await.json();
        reply["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    book.ask(app, "listDeliveries", 200, plain.clone()).await;
    book.ask(app, "listDeliveries", 400, Ask { query: "?status=odd", ..plain.clone() }).await;
    book.ask(app, "replayDelivery", 200, Ask { values: &[&log], ..plain.clone() }).await;
    book.ask(app, "replayDelivery", 404, Ask { values: &[NO_DELIVERY], ..plain.clone() }).await;
    for (operation, body) in [
        ("changeWebhook", "{}"),
        ("rotateWebhookSecret", ""),
        ("replayWebhook", since),
        ("deleteWebhook", ""),
    ] {
        book.ask(app, operation, 404, Ask { values: &[NO_ENDPOINT], body, ..plain.clone() }).await;
    }
    book.ask(app, "deleteWebhook", 200, at).await;
}

async fn riposte(book: &mut Book, app: &App, schema: &Schema, sink: &Sink) {
    let key = keyed(app);
    let plain = Ask { headers: &key, ..Ask::default() };
    let link = app.link(json!({})).await.id;
    book.ask(app, "readSessionEvents", 200, Ask { values: &[&link], ..plain.clone() }).await;
    book.ask(app, "readSessionEvents", 404, Ask { values: &[NOBODY], ..plain.clone() }).await;
    book.ask(app, "listSessions", 200, Ask { query: "?reference=7Q4K-M2XD", ..plain.clone() }).await;
    let body = |path: &str| json!({ "url": sink.url(path) }).to_string();
    again(book, app, schema, "createEndpoint", &[], &body("/three"), &body("/four")).await;
    book.ask(app, "createEndpoint", 400, Ask { body: "{}", ..plain.clone() }).await;
    let list = book.ask(app, "listEndpoints", 200, plain.clone()).await.json();
    let id = list["endpoints"][0]["id"].as_str().expect("an id").to_owned();
    book.ask(app, "listEndpoints", 400, Ask { query: "?page=0", ..plain.clone() }).await;
    let at = Ask { values: &[&id], ..plain.clone() };
    book.ask(app, "readEndpoint", 200, at.clone()).await;
    book.ask(app, "changeEndpoint", 200, Ask { body: r#"{"description":"mine"}"#, ..at.clone() }).await;
    book.ask(app, "changeEndpoint", 400, Ask { body: r#"{"url":"x"}"#, ..at.clone() }).await;
    again(book, app, schema, "testEndpoint", &[&id], "", r#"{"other":true}"#).await;
    book.ask(app, "testEndpoint", 400, Ask { body: "{", ..at.clone() }).await;
    let sent = book.ask(app, "testEndpoint", 200, at.clone()).await.json();
    let sent = sent["deliveryId"].as_str().expect("a delivery").to_owned();
    sink.wait_for(1, READY).await;
    let (secret, longer) = (r#"{"overlapHours":1}"#, r#"{"overlapHours":2}"#);
    again(book, app, schema, "rotateEndpointSecret", &[&id], secret, longer).await;
    book.ask(app, "rotateEndpointSecret", 400, Ask { body: r#"{"secret":"short"}"#, ..at.clone() }).await;
    let since = r#"{"since":"2026-01-01T00:00:00.000Z"}"#;
    let later = r#"{"since":"2026-01-02T00:00:00.000Z"}"#;
    again(book, app, schema, "replayEndpoint", &[&id], since, later).await;
    book.ask(app, "replayEndpoint", 400, at.clone()).await;
    book.ask(app, "listEvents", 200, plain.clone()).await;
    book.ask(app, "listEvents", 400, Ask { query: "?status=odd", ..plain.clone() }).await;
    eventually_async("the test to be done", READY, async || {
        let state = schema.psql(&format!("SELECT state FROM deliveries WHERE id = '{sent}'"));
        (state.trim() == "done").then_some(())
    })
    .await;
    book.ask(app, "replayEvent", 200, Ask { values: &[&sent], ..plain.clone() }).await;
    book.ask(app, "replayEvent", 404, Ask { values: &[NO_DELIVERY], ..plain.clone() }).await;
    for (operation, body) in [
        ("readEndpoint", ""),
        ("changeEndpoint", "{}"),
        ("testEndpoint", ""),
        ("rotateEndpointSecret", ""),
        ("replayEndpoint", since),
        ("deleteEndpoint", ""),
    ] {
        book.ask(app, operation, 404, Ask { values: &[NO_ENDPOINT], body, ..plain.clone() }).await;
    }
    book.ask(app, "deleteEndpoint", 200, at).await;
}
