//! Endpoints that stand by themselves, in both dialects: what they are told, how calls are signed, and that nothing is
//! lost, doubled or held up.

mod delivery;
mod kills;
mod libraries;
mod postpress;
mod recovery;
mod riposte;
mod sessions;

use serde_json::{Value, json};

use crate::app::{App, Link};
use crate::parts::sink::{Call, Sink};
use crate::parts::{READY, eventually_async};

/// An endpoint as its maker knows it.
pub struct Made {
    pub id: String,
    pub secret: String,
}

/// Makes a webhook for what happens to accounts; `more` is laid over the usual request.
pub async fn webhook(app: &App, url: &str, more: Value) -> Made {
    let body = laid_over(json!({ "request_url": url, "source": "account_status" }), more);
    let reply = app.api("POST", "/v1/webhooks", Some(body)).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let made = reply.json();
    assert_eq!(made["object"], "WebhookCreated");
    Made { id: text(&made["webhook_id"]), secret: text(&made["secret"]) }
}

/// Makes an endpoint of Riposte's.
pub async fn endpoint(app: &App, url: &str, more: Value) -> Made {
    let reply = app.api("POST", "/webhooks/endpoints", Some(laid_over(json!({ "url": url }), more))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let made = reply.json();
    Made { id: text(&made["id"]), secret: text(&made["secret"]) }
}

fn laid_over(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Makes a link and takes it back: one event.
pub async fn revoked(app: &App) -> Link {
    let link = app.link(json!({})).await;
    let reply = app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", link.id), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    link
}

/// The calls to a path, once there are so many.
pub async fn told(sink: &Sink, path: &str, count: usize) -> Vec<Call> {
    eventually_async(&format!("{count} calls to {path}"), READY, async || {
        Some(crate::proofs::walk::calls(sink, path)).filter(|calls| calls.len() >= count)
    })
    .await
}

/// The log of calls to an endpoint, newest first.
pub async fn log(app: &App, query: &str) -> Vec<Value> {
    let reply = app.api("GET", &format!("/events?limit=250{query}"), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["events"].as_array().expect("events").clone()
}
