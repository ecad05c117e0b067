//! Accounts, as strict clients check them.

use serde_json::{Value, json};

use super::tags::account_type;
use crate::contract::Profile;
use crate::dialects::health::Health;
use crate::kernel::clock::Millis;
use crate::kernel::words::Status;

/// An account, for [`account`].
#[derive(Debug)]
pub struct AccountWords<'a> {
    /// Its id.
    pub id: &'a str,
    /// The provider's slug.
    pub provider: &'a str,
    /// How it is.
    pub status: Status,
    /// Why.
    pub cause: Option<&'a str>,
    /// The product's own name for the person.
    pub link_name: Option<&'a str>,
    /// The provider's own id of the person.
    pub identity: &'a str,
    /// What somebody has to do, and the times that go with it.
    pub health: Health,
    /// The public part.
    pub profile: &'a Profile,
    /// When it was first connected.
    pub created_at: Millis,
}

/// An account. `name` is what a person would call it; the name given with the link is `link_name`. `sources`
/// carries the status. Keys beyond the original's are additions.
pub fn account(words: &AccountWords<'_>) -> Value {
    let mut account = json!({
        "object": "Account",
        "type": account_type(words.provider),
        "id": words.id,
        "name": words.profile.label,
        "created_at": words.created_at.rfc3339(),
        "connection_params": connection_params(words),
        "groups": [],
        "sources": [{ "id": format!("{}_MAILS", words.id), "status": words.status }],
        "cause": words.cause,
        "link_name": words.link_name,
    });
    let [action, since, checked, next, ends] = words.health.words();
    account["user_action"] = action;
    account["status_since"] = since;
    account["checked_at"] = checked;
    account["next_check_at"] = next;
    account["ends_at"] = ends;
    if let Some(owner) = words.health.owner {
        account["owner"] = json!(owner);
    }
    account
}

/// The original spells a mailbox's servers under `mail` and requires all of them, so an account that only
/// receives has empty sending servers and says so.
fn connection_params(words: &AccountWords<'_>) -> Value {
    let profile = words.profile;
    match words.provider {
        "google" | "microsoft" => {
            let who = json!({ "id": words.identity, "username": profile.label });
            let scopes = profile.details.get("scopes").and_then(Value::as_array);
            let is_calendar =
                |scope: &Value| scope.as_str().is_some_and(|scope| scope.to_lowercase().contains("calendar"));
            match scopes.is_some_and(|scopes| scopes.iter().any(is_calendar)) {
                true => json!({ "mail": who, "calendar": who }),
                false => json!({ "mail": who }),
            }
        }
        "telegram" => {
            json!({ "im": { "user_id": words.identity, "username": profile.details.get("username") } })
        }
        "imap" => {
            let mut mail = json!({
                "imap_host": profile.text("imap_host"),
                "imap_port": profile.number("imap_port").unwrap_or(0),
                "imap_user": profile.text("imap_user"),
                "imap_encryption": profile.text("imap_encryption"),
                "smtp_host": profile.text("smtp_host"),
                "smtp_port": profile.number("smtp_port").unwrap_or(0),
                "smtp_user": profile.text("smtp_user"),
            });
            if profile.details.get("receive_only") == Some(&Value::Bool(true)) {
                mail["receive_only"] = Value::Bool(true);
            }
            json!({ "mail": mail })
        }
        "whatsapp" => {
            json!({ "im": { "id": words.identity, "phone_number": profile.text("phone_number") } })
        }
        _ => json!(profile.details),
    }
}

/// A page of accounts.
pub fn account_list(items: Vec<Value>, cursor: Value) -> Value {
    json!({ "object": "AccountList", "items": items, "cursor": cursor })
}

/// The reply to a deletion.
pub fn account_deleted() -> Value {
    json!({ "object": "AccountDeleted" })
}
