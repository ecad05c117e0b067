//! Endpoints, the log of what they were told, and a session's story: what may be asked for, and how each reads.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::provider_name;
use super::page::Paged;
use crate::dialects::calls::{HIDDEN, LoggedCall, LoggedTry, wrong_headers, wrong_secret};
use crate::dialects::envelope::Envelope;
use crate::dialects::fields::Fields;
use crate::kernel::clock::Millis;
use crate::kernel::words::{DeliveryState, EventKind};

/// What is read of a new endpoint, or of what shall change of one. `None`: not given.
#[derive(Clone, Debug, Default)]
pub struct EndpointRequest {
    /// The URL.
    pub url: Option<String>,
    /// The events; an empty list: all.
    pub event_types: Option<Vec<EventKind>>,
    /// What calls are signed with.
    pub secret: Option<String>,
    /// Headers that go along with every call.
    pub headers: Option<Vec<(String, String)>>,
    /// What its owner calls it; `Some(None)` takes the name away.
    pub description: Option<Option<String>>,
    /// The accounts; `Some(None)`: all.
    pub account_ids: Option<Option<Vec<String>>>,
    /// Whether it is called.
    pub is_active: Option<bool>,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

/// The events there are to be told of.
fn known() -> impl Iterator<Item = EventKind> {
    EventKind::ALL.iter().copied().filter(|kind| *kind != EventKind::WebhookTest)
}

/// Reads the body of `POST /webhooks/endpoints`.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read_endpoint(body: &Value) -> Result<EndpointRequest, Envelope> {
    read(body, true)
}

/// Reads the body of `PATCH /webhooks/endpoints/{id}`. Here `null` takes a description or a choice of accounts away.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read_change(body: &Value) -> Result<EndpointRequest, Envelope> {
    read(body, false)
}

fn read(body: &Value, new: bool) -> Result<EndpointRequest, Envelope> {
    let mut fields = Fields::of(body)?;
    let is_null = |name: &str| body.get(name).is_some_and(Value::is_null) && !new;
    let url = fields.url("url");
    if new && body.get("url").is_none_or(Value::is_null) {
        fields.missing("url", "the http or https URL to call");
    }
    let event_types = read_types(&mut fields);
    let secret = if new { fields.text("secret", 200).map(str::to_owned) } else { None };
    if let Some(rule) = secret.as_deref().and_then(wrong_secret) {
        fields.broken("secret", rule);
    }
    if !new && body.get("secret").is_some() {
        fields.broken("secret", "is exchanged with POST /webhooks/endpoints/{id}/secret");
    }
    let headers = read_headers(&mut fields);
    let description = fields.text("description", 200).map(|text| Some(text.to_owned()));
    let account_ids = read_accounts(&mut fields).map(Some);
    let mut request = EndpointRequest {
        url,
        event_types,
        secret,
        headers,
        description: description.or(is_null("description").then_some(None)),
        account_ids: account_ids.or(is_null("accountIds").then_some(None)),
        is_active: fields.boolean("isActive"),
        unknown: Vec::new(),
    };
    fields.ignored("secret");
    request.unknown = fields.end()?;
    Ok(request)
}

fn read_types(fields: &mut Fields<'_>) -> Option<Vec<EventKind>> {
    let value = fields.value("eventTypes")?;
    let read = value.as_array().and_then(|all| {
        let kind = |one: &Value| EventKind::parse(one.as_str()?).filter(|kind| known().any(|k| k == *kind));
        all.iter().map(kind).collect::<Option<Vec<_>>>()
    });
    if read.is_none() {
        let words: Vec<_> = known().map(EventKind::as_str).collect();
        fields
            .broken("eventTypes", &format!("must be a list of events, empty for all: {}", words.join(", ")));
    }
    read
}

fn read_headers(fields: &mut Fields<'_>) -> Option<Vec<(String, String)>> {
    let value = fields.value("headers")?;
    let read = value.as_object().and_then(|all| {
        let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        all.iter().map(pair).collect::<Option<Vec<_>>>()
    });
    match read.as_deref().map(wrong_headers) {
        None => fields.broken("headers", "must be an object of strings"),
        Some(Some(rule)) => fields.broken("headers", &rule),
        Some(None) => {}
    }
    read
}

fn read_accounts(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let value = fields.value("accountIds")?;
    let read = value
        .as_array()
        .and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
    if read.is_none() {
        fields.broken("accountIds", "must be a list of accounts' ids");
    }
    read
}

/// An endpoint, for [`endpoint`].
#[derive(Debug)]
pub struct EndpointWords<'a> {
    /// Its id.
    pub id: &'a str,
    /// The URL.
    pub url: &'a str,
    /// What its owner calls it.
    pub description: Option<&'a str>,
    /// The events; none: all.
    pub event_types: Vec<EventKind>,
    /// Headers that go along with every call.
    pub headers: &'a [(String, String)],
    /// The accounts' ids; `None`: all.
    pub accounts: Option<Vec<&'a str>>,
    /// Whether it is called.
    pub is_active: bool,
    /// Whether it answered that it is gone.
    pub gone: bool,
    /// When it was made.
    pub created_at: Millis,
}

/// An endpoint as its owner reads it; header values stay hidden. `secret` is there when it was just made.
pub fn endpoint(words: &EndpointWords<'_>, secret: Option<&str>) -> Value {
    let headers: Map<_, _> = words.headers.iter().map(|(name, _)| (name.clone(), json!(HIDDEN))).collect();
    let mut told = json!({
        "id": words.id,
        "url": words.url,
        "description": words.description,
        "eventTypes": words.event_types,
        "headers": headers,
        "accountIds": words.accounts,
        "isActive": words.is_active,
        "gone": words.gone,
        "createdAt": words.created_at.rfc3339(),
    });
    if let Some(secret) = secret {
        told["secret"] = json!(secret);
    }
    told
}

/// A page of endpoints.
pub fn endpoint_list(items: Vec<Value>, page: Paged, total: i64) -> Value {
    json!({ "endpoints": items, "pagination": page.told(total) })
}

/// The reply to a deletion.
pub fn endpoint_deleted(id: &str) -> Value {
    json!({ "success": true, "id": id })
}

/// The reply to a new secret, which is shown this once.
pub fn secret_rotated(id: &str, secret: &str) -> Value {
    json!({ "id": id, "secret": secret })
}

/// The reply to what set a delivery on its way: a test, or a replay.
pub fn on_its_way(delivery: &str) -> Value {
    json!({ "success": true, "deliveryId": delivery })
}

/// The reply to sending once more what happened since a time.
pub fn replayed(deliveries: i64, more_since: Option<Millis>) -> Value {
    json!({ "success": true, "deliveries": deliveries, "moreSince": more_since.map(Millis::rfc3339) })
}

/// An entry of the log: one event on its way to one endpoint.
pub fn logged(call: &LoggedCall<'_>) -> Value {
    json!({
        "deliveryId": call.id,
        "endpointId": call.endpoint,
        "type": call.kind,
        "about": call.about,
        "status": call.state,
        "request": call.body.map(String::from_utf8_lossy),
        "createdAt": call.created_at.rfc3339(),
        "nextAttemptAt": (call.state == DeliveryState::Due).then(|| call.due_at.rfc3339()),
        "endedAt": call.ended_at.map(Millis::rfc3339),
        "attempts": call.tries.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(one: &LoggedTry<'_>) -> Value {
    json!({
        "at": one.at.rfc3339(),
        "tookMs": one.took,
        "status": one.status,
        "problem": one.problem,
        "answer": one.answer.map(String::from_utf8_lossy),
    })
}

/// A page of the log.
pub fn log(items: Vec<Value>, page: Paged, total: i64) -> Value {
    json!({ "events": items, "pagination": page.told(total) })
}

/// A session's story: what happened in it, in order. `reference` is what its pages showed the person to quote.
pub fn session_events(code: &str, reference: &str, items: Vec<Value>) -> Value {
    json!({ "code": code, "reference": reference, "events": items })
}

/// One thing that happened in a session. Nothing secret and nothing personal is in it.
pub fn session_event(kind: EventKind, at: Millis, facts: &BTreeMap<String, String>) -> Value {
    let mut told = Map::new();
    told.insert("type".to_owned(), json!(kind));
    told.insert("createdAt".to_owned(), json!(at.rfc3339()));
    for (name, value) in facts {
        let (name, value) = match name.as_str() {
            "provider" => ("provider", provider_name(value)),
            "account_id" => ("accountId", value.clone()),
            other => (other, value.clone()),
        };
        told.insert(name.to_owned(), json!(value));
    }
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_of_events_is_all_and_an_unknown_one_is_named_with_those_that_are() {
        let body =
            json!({ "url": "https://app.example.com/hook", "eventTypes": [], "headers": { "X-Own": "1" } });
        let read = read_endpoint(&body).unwrap();
        assert_eq!(read.event_types, Some(vec![]));
        assert_eq!(read.headers, Some(vec![("X-Own".to_owned(), "1".to_owned())]));
        let odd = json!({ "url": "https://app.example.com/hook", "eventTypes": ["message.created"] });
        let detail = read_endpoint(&odd).unwrap_err().detail.unwrap();
        assert!(detail.contains("account.connected") && !detail.contains("webhook.test"), "{detail}");
    }

    #[test]
    fn every_bad_field_is_named_in_one_answer() {
        let body = json!({
            "eventTypes": 1, "secret": "short", "headers": [], "description": 1, "accountIds": "x", "isActive": "no",
        });
        let detail = read_endpoint(&body).unwrap_err().detail.unwrap();
        for part in
            ["url is required", "eventTypes", "secret", "headers", "description", "accountIds", "isActive"]
        {
            assert!(detail.contains(part), "{part} is not in: {detail}");
        }
        assert!(read_change(&json!({ "secret": "x" })).unwrap_err().detail.unwrap().contains("exchanged"));
    }

    #[test]
    fn a_change_tells_nothing_given_from_taken_away() {
        let none = read_change(&json!({})).unwrap();
        assert!(none.url.is_none() && none.description.is_none() && none.account_ids.is_none());
        let away = read_change(&json!({ "description": null, "accountIds": null })).unwrap();
        assert_eq!((away.description, away.account_ids), (Some(None), Some(None)));
    }
}
