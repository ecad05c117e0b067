//! The calls to `notifyUrl` and to endpoints: one event an object. Names follow the `noun.verb` of the dialect's own events; every body
//! carries `deliveryId`, the same at every try, to be idempotent on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::provider_name;
use crate::kernel::clock::Millis;
use crate::kernel::words::EventKind;

/// The events that `notifyUrl` is told of: the account's, and each end without one.
pub const TOLD: &[EventKind] = &[
    EventKind::AccountConnected,
    EventKind::AccountReconnected,
    EventKind::SessionCancelled,
    EventKind::SessionFailed,
    EventKind::SessionExpired,
    EventKind::SessionRevoked,
];

/// What is told.
#[derive(Debug)]
pub struct Telling<'a> {
    /// The delivery.
    pub delivery: &'a str,
    /// What happened.
    pub kind: EventKind,
    /// Whom it is about: an account or a session.
    pub subject: &'a str,
    /// Plain facts about it.
    pub facts: &'a BTreeMap<String, String>,
    /// When it happened.
    pub at: Millis,
    /// The product's own id for the person.
    pub custom_user_id: Option<&'a str>,
}

/// The body for an event.
pub fn event_body(telling: &Telling<'_>) -> Option<Vec<u8>> {
    let fact = |name: &str| telling.facts.get(name).map(String::as_str);
    let (account, session) = match telling.kind {
        EventKind::WebhookTest => (None, None),
        kind if kind.as_str().starts_with("account.") => (Some(telling.subject), fact("session_id")),
        _ => (fact("account_id"), Some(telling.subject)),
    };
    let mut body: Value = json!({
        "deliveryId": telling.delivery,
        "type": telling.kind.as_str(),
        "createdAt": telling.at.rfc3339(),
        "data": {
            "accountId": account,
            "session": session,
            "provider": fact("provider").map(provider_name),
            "customUserId": telling.custom_user_id,
            "cause": fact("cause"),
        },
    });
    for (name, value) in [("status", fact("status")), ("step", fact("step")), ("endsAt", fact("ends_at"))] {
        if let Some(value) = value {
            body["data"][name] = json!(value);
        }
    }
    serde_json::to_vec(&body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_the_documented_one_to_the_byte() {
        let facts = BTreeMap::from([
            ("provider".to_owned(), "google".to_owned()),
            ("session_id".to_owned(), "authsess_1".to_owned()),
        ]);
        let mut telling = Telling {
            delivery: "dlv_1",
            kind: EventKind::AccountConnected,
            subject: "acc_1",
            facts: &facts,
            at: Millis(0),
            custom_user_id: Some("user_123"),
        };
        let expected = r#"{"deliveryId":"dlv_1","type":"account.connected","createdAt":"1970-01-01T00:00:00.000Z","data":{"accountId":"acc_1","session":"authsess_1","provider":"gmail","customUserId":"user_123","cause":null}}"#;
        assert_eq!(String::from_utf8(event_body(&telling).unwrap()).unwrap(), expected);
        let facts = BTreeMap::from([
            ("provider".to_owned(), "imap".to_owned()),
            ("status".to_owned(), "CREDENTIALS".to_owned()),
            ("cause".to_owned(), "credentials_invalid".to_owned()),
        ]);
        telling.facts = &facts;
        telling.kind = EventKind::AccountBroken;
        let body: Value = serde_json::from_slice(&event_body(&telling).unwrap()).unwrap();
        assert_eq!(
            (&body["type"], &body["data"]["status"]),
            (&json!("account.broken"), &json!("CREDENTIALS"))
        );
        (telling.kind, telling.subject) = (EventKind::StepFailed, "authsess_1");
        let body: Value = serde_json::from_slice(&event_body(&telling).unwrap()).unwrap();
        assert_eq!(
            (&body["data"]["session"], &body["data"]["accountId"]),
            (&json!("authsess_1"), &Value::Null)
        );
    }
}
