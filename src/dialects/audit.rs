//! The audit log, as it is read over the API.

use serde_json::{Value, json};

use crate::kernel::clock::Millis;

/// What [`line()`] is made of.
#[derive(Debug)]
pub struct LineWords<'a> {
    /// Its id.
    pub id: &'a str,
    /// When.
    pub at: Millis,
    /// What was asked for.
    pub action: &'a str,
    /// Who: the API key's id.
    pub key_id: &'a str,
    /// Which account, as it was asked for.
    pub account_id: Option<&'a str>,
    /// From where.
    pub address: Option<&'a str>,
    /// What came of it.
    pub outcome: &'a str,
    /// Why.
    pub cause: Option<&'a str>,
    /// The HTTP request.
    pub request_id: &'a str,
}

/// A line.
pub fn line(words: &LineWords<'_>) -> Value {
    json!({
        "object": "AuditLine",
        "id": words.id,
        "at": words.at.rfc3339(),
        "action": words.action,
        "key_id": words.key_id,
        "account_id": words.account_id,
        "address": words.address,
        "outcome": words.outcome,
        "cause": words.cause,
        "request_id": words.request_id,
    })
}

/// A page of lines.
pub fn list(items: Vec<Value>, cursor: Value) -> Value {
    json!({ "object": "AuditLineList", "items": items, "cursor": cursor })
}
