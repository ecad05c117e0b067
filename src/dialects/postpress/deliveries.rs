//! The log of calls, and a link's story: additions, in the dialect's spelling.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::tags::link_tag;
use crate::kernel::clock::Millis;
use crate::kernel::words::{DeliveryState, EventKind};

/// A delivery, for [`delivery`].
#[derive(Debug)]
pub struct DeliveryWords<'a> {
    /// Its id; the receiver sees it as `webhook-id`.
    pub id: &'a str,
    /// The endpoint.
    pub webhook_id: &'a str,
    /// What happened.
    pub kind: Option<EventKind>,
    /// The account or link it is about.
    pub about: &'a str,
    /// Where it stands.
    pub state: DeliveryState,
    /// What was sent, once it was tried.
    pub body: Option<&'a [u8]>,
    /// When it was made.
    pub created_at: Millis,
    /// When it is tried next, while it is due.
    pub due_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Its tries.
    pub tries: Vec<Value>,
}

/// A delivery. `status` is `due`, `done` or `dead`.
pub fn delivery(words: &DeliveryWords<'_>) -> Value {
    json!({
        "object": "WebhookDelivery",
        "id": words.id,
        "webhook_id": words.webhook_id,
        "event": words.kind,
        "about": words.about,
        "status": words.state,
        "request": words.body.map(String::from_utf8_lossy),
        "created_at": words.created_at.rfc3339(),
        "due_at": (words.state == DeliveryState::Due).then(|| words.due_at.rfc3339()),
        "ended_at": words.ended_at.map(Millis::rfc3339),
        "tries": words.tries,
    })
}

/// One try: the answer's status and first 4 KiB, or what was in the way.
pub fn tried(
    at: Millis,
    took: i64,
    status: Option<i64>,
    problem: Option<&str>,
    answer: Option<&[u8]>,
) -> Value {
    json!({
        "at": at.rfc3339(),
        "took_ms": took,
        "status": status,
        "problem": problem,
        "answer": answer.map(String::from_utf8_lossy),
    })
}

/// A page of deliveries.
pub fn delivery_list(items: Vec<Value>, cursor: Value) -> Value {
    json!({ "object": "WebhookDeliveryList", "items": items, "cursor": cursor })
}

/// The reply to sending one once more.
pub fn delivery_replayed(id: &str) -> Value {
    json!({ "object": "WebhookDeliveryReplayed", "id": id })
}

/// The reply to sending once more what happened since a time.
pub fn webhook_replayed(deliveries: i64, more_since: Option<Millis>) -> Value {
    json!({
        "object": "WebhookReplayed",
        "deliveries": deliveries,
        "more_since": more_since.map(Millis::rfc3339),
    })
}

/// The reply to a new secret, which is shown this once.
pub fn secret_rotated(id: &str, secret: &str) -> Value {
    json!({ "object": "WebhookSecret", "webhook_id": id, "secret": secret })
}

/// A link's story: what happened in it, in order. `reference` is what its pages showed the person to quote.
pub fn link_events(id: &str, reference: &str, items: Vec<Value>) -> Value {
    json!({ "object": "HostedAuthLinkEvents", "id": id, "reference": reference, "items": items })
}

/// One thing that happened in a link. Nothing secret and nothing personal is in it.
pub fn link_event(kind: EventKind, at: Millis, facts: &BTreeMap<String, String>) -> Value {
    let mut told = Map::new();
    told.insert("event".to_owned(), json!(kind));
    told.insert("at".to_owned(), json!(at.rfc3339()));
    for (name, value) in facts {
        let value = if name == "provider" { link_tag(value) } else { value.clone() };
        told.insert(name.clone(), json!(value));
    }
    Value::Object(told)
}
