//! The log of calls, and a link's story: additions, in the dialect's spelling.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::tags::link_tag;
use crate::dialects::calls::{LoggedCall, LoggedTry};
use crate::kernel::clock::Millis;
use crate::kernel::words::{DeliveryState, EventKind};

/// A delivery. `status` is `due`, `done` or `dead`.
pub fn delivery(call: &LoggedCall<'_>) -> Value {
    json!({
        "object": "WebhookDelivery",
        "id": call.id,
        "webhook_id": call.endpoint,
        "event": call.kind,
        "about": call.about,
        "status": call.state,
        "request": call.body.map(String::from_utf8_lossy),
        "created_at": call.created_at.rfc3339(),
        "due_at": (call.state == DeliveryState::Due).then(|| call.due_at.rfc3339()),
        "ended_at": call.ended_at.map(Millis::rfc3339),
        "tries": call.tries.iter().map(tried).collect::<Vec<_>>(),
    })
}

fn tried(one: &LoggedTry<'_>) -> Value {
    json!({
        "at": one.at.rfc3339(),
        "took_ms": one.took,
        "status": one.status,
        "problem": one.problem,
        "answer": one.answer.map(String::from_utf8_lossy),
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
