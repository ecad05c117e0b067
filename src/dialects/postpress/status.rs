//! The calls to webhooks: `AccountStatus` exactly as the original documents it, with the cause as `reason` where there is
//! one, and `HostedAuthLink`, an addition. As JSON, or as a form whose names are those of the JSON in brackets.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::tags::{account_type, link_tag};
use super::webhooks::Spelling;
use crate::kernel::words::{EventKind, Purpose};

/// The fields of `AccountStatus`, in order.
pub(super) const ACCOUNT_KEYS: &[&str] = &["account_id", "account_type", "message", "reason", "ends_at"];
/// The fields of `HostedAuthLink`, in order.
pub(super) const LINK_KEYS: &[&str] =
    &["link_id", "type", "name", "message", "provider", "step", "reason", "account_id"];

/// What is told.
#[derive(Debug)]
pub struct Telling<'a> {
    /// How the webhook wants it.
    pub spelling: &'a Value,
    /// What happened.
    pub kind: EventKind,
    /// Whom it is about: an account or a session.
    pub subject: &'a str,
    /// Plain facts about it.
    pub facts: &'a BTreeMap<String, String>,
    /// The product's own name for the person.
    pub name: Option<&'a str>,
    /// What the session was for.
    pub purpose: Option<Purpose>,
}

/// The type of a webhook's bodies.
pub fn content_type(spelling: &Value) -> &'static str {
    if Spelling::of(spelling).form { "application/x-www-form-urlencoded" } else { "application/json" }
}

/// The body for an event; `None` where the webhook's source has no word for it.
pub fn webhook_body(telling: &Telling<'_>) -> Option<Vec<u8>> {
    let spelling = Spelling::of(telling.spelling);
    let (object, fields) = if spelling.is_of_links() {
        ("HostedAuthLink", link_fields(telling)?)
    } else {
        ("AccountStatus", account_fields(telling)?)
    };
    let fields = match spelling.data.as_slice() {
        [] => fields,
        chosen => chosen
            .iter()
            .map(|(name, key)| (name.clone(), fields.get(key).cloned().unwrap_or(Value::Null)))
            .collect(),
    };
    if spelling.form {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &fields {
            let text = value.as_str().unwrap_or_default();
            form.append_pair(&format!("{object}[{name}]"), text);
        }
        return Some(form.finish().into_bytes());
    }
    serde_json::to_vec(&Value::Object(Map::from_iter([(object.to_owned(), Value::Object(fields))]))).ok()
}

fn account_fields(telling: &Telling<'_>) -> Option<Map<String, Value>> {
    let fact = |name: &str| telling.facts.get(name).map(String::as_str);
    let (account, message) = match telling.kind {
        EventKind::AccountConnected => (Some(telling.subject), "CREATION_SUCCESS"),
        EventKind::AccountReconnected => (Some(telling.subject), "RECONNECTED"),
        EventKind::AccountHealed => (Some(telling.subject), fact("status").unwrap_or("OK")),
        EventKind::AccountBroken => (Some(telling.subject), fact("status").unwrap_or("CREDENTIALS")),
        EventKind::AccountDeleted => (Some(telling.subject), "DELETED"),
        EventKind::AccountEnding => (Some(telling.subject), "ENDING"),
        // No account came about, so there is no id of one.
        EventKind::SessionFailed if telling.purpose == Some(Purpose::Create) => (None, "CREATION_FAIL"),
        _ => return None,
    };
    let mut fields = Map::new();
    fields.insert("account_id".to_owned(), json!(account));
    fields.insert("account_type".to_owned(), json!(fact("provider").map(account_type)));
    fields.insert("message".to_owned(), json!(message));
    for (name, value) in [("reason", fact("cause")), ("ends_at", fact("ends_at"))] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            fields.insert(name.to_owned(), json!(value));
        }
    }
    Some(fields)
}

fn link_fields(telling: &Telling<'_>) -> Option<Map<String, Value>> {
    let fact = |name: &str| telling.facts.get(name).map(String::as_str);
    let message = match telling.kind {
        EventKind::SessionOpened => "OPENED",
        EventKind::SessionTakenOver => "TAKEN_OVER",
        EventKind::StepFailed => "STEP_FAILED",
        EventKind::SessionFinishing => "FINISHING",
        EventKind::SessionCompleted => "COMPLETED",
        EventKind::SessionCancelled => "CANCELLED",
        EventKind::SessionFailed => "FAILED",
        EventKind::SessionExpired => "EXPIRED",
        EventKind::SessionRevoked => "REVOKED",
        _ => return None,
    };
    let values = [
        Some(telling.subject.to_owned()),
        telling.purpose.map(|purpose| purpose.as_str().to_owned()),
        telling.name.map(str::to_owned),
        Some(message.to_owned()),
        fact("provider").map(link_tag),
        fact("step").map(str::to_owned),
        fact("cause").map(str::to_owned),
        fact("account_id").map(str::to_owned),
    ];
    Some(LINK_KEYS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(spelling: &Value, kind: EventKind, facts: &[(&str, &str)]) -> Option<String> {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let telling = Telling {
            spelling,
            kind,
            subject: "h_EKCy2lRLef5NzHp0iw4A",
            facts: &facts,
            name: Some("user_1234"),
            purpose: Some(Purpose::Create),
        };
        webhook_body(&telling).map(|body| String::from_utf8(body).unwrap())
    }

    fn account_status() -> Value {
        json!(Spelling { source: "account_status".to_owned(), ..Spelling::default() })
    }

    #[test]
    fn the_documented_payload_comes_out_to_the_byte() {
        let told = body(&account_status(), EventKind::AccountConnected, &[("provider", "linkedin")]).unwrap();
        let expected = r#"{"AccountStatus":{"account_id":"h_EKCy2lRLef5NzHp0iw4A","account_type":"LINKEDIN","message":"CREATION_SUCCESS"}}"#;
        assert_eq!(told, expected);
    }

    #[test]
    fn each_event_has_its_message() {
        let message = |kind, facts: &[(&str, &str)]| {
            let told: Value = serde_json::from_str(&body(&account_status(), kind, facts)?).unwrap();
            Some(told["AccountStatus"]["message"].as_str().unwrap().to_owned())
        };
        for (kind, status, expected) in [
            (EventKind::AccountReconnected, "", Some("RECONNECTED")),
            (EventKind::AccountDeleted, "", Some("DELETED")),
            (EventKind::AccountBroken, "ERROR", Some("ERROR")),
            (EventKind::AccountBroken, "PERMISSIONS", Some("PERMISSIONS")),
            (EventKind::AccountBroken, "CONNECTING", Some("CONNECTING")),
            (EventKind::AccountBroken, "STOPPED", Some("STOPPED")),
            (EventKind::AccountBroken, "CREDENTIALS", Some("CREDENTIALS")),
            (EventKind::AccountHealed, "OK", Some("OK")),
            (EventKind::AccountEnding, "", Some("ENDING")),
            (EventKind::SessionFailed, "", Some("CREATION_FAIL")),
            (EventKind::SessionOpened, "", None),
        ] {
            let facts = [("provider", "imap"), ("status", status)];
            let facts = if status.is_empty() { &facts[..1] } else { &facts[..] };
            assert_eq!(message(kind, facts).as_deref(), expected, "{kind} {status}");
        }
        assert_eq!(message(EventKind::AccountBroken, &[]).as_deref(), Some("CREDENTIALS"));
    }

    #[test]
    fn a_cause_is_told_and_fields_can_be_chosen_and_renamed() {
        let facts = [("provider", "google"), ("status", "CREDENTIALS"), ("cause", "grant_revoked")];
        let told = body(&account_status(), EventKind::AccountBroken, &facts).unwrap();
        assert!(told.ends_with(r#""message":"CREDENTIALS","reason":"grant_revoked"}}"#), "{told}");
        let data = vec![("status".to_owned(), "message".to_owned()), ("why".to_owned(), "reason".to_owned())];
        let chosen = json!(Spelling { source: "account_status".to_owned(), data, ..Spelling::default() });
        let told = body(&chosen, EventKind::AccountBroken, &facts).unwrap();
        assert_eq!(told, r#"{"AccountStatus":{"status":"CREDENTIALS","why":"grant_revoked"}}"#);
    }

    #[test]
    fn a_form_has_the_same_names_in_brackets() {
        let form = json!(Spelling { source: "account_status".to_owned(), form: true, ..Spelling::default() });
        let told = body(&form, EventKind::AccountDeleted, &[("provider", "imap")]).unwrap();
        assert_eq!(
            told,
            "AccountStatus%5Baccount_id%5D=h_EKCy2lRLef5NzHp0iw4A&AccountStatus%5Baccount_type%5D=MAIL\
             &AccountStatus%5Bmessage%5D=DELETED"
        );
        assert_eq!(content_type(&form), "application/x-www-form-urlencoded");
    }

    #[test]
    fn a_link_s_story_names_the_link_and_the_person() {
        let links = json!(Spelling { source: "hosted_auth_link".to_owned(), ..Spelling::default() });
        let facts = [("provider", "imap"), ("step", "password"), ("cause", "credentials_invalid")];
        let told = body(&links, EventKind::StepFailed, &facts).unwrap();
        assert_eq!(
            told,
            r#"{"HostedAuthLink":{"link_id":"h_EKCy2lRLef5NzHp0iw4A","type":"create","name":"user_1234","message":"STEP_FAILED","provider":"MAIL","step":"password","reason":"credentials_invalid","account_id":null}}"#
        );
        assert_eq!(body(&links, EventKind::AccountConnected, &[]), None);
    }
}
