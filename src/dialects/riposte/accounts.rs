//! Accounts: how one reads.

use serde_json::{Value, json};

use super::names::provider_name;
use super::page::Paged;
use crate::contract::Profile;
use crate::dialects::envelope::{Envelope, Kind};
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
    /// The product's own id for the person.
    pub custom_user_id: Option<&'a str>,
    /// The provider's own id of the person.
    pub identity: &'a str,
    /// What somebody has to do, and the times that go with it.
    pub health: Health,
    /// The public part.
    pub profile: &'a Profile,
    /// When it was first connected.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// An account. `email` is what a person would call it; `paused` says that it was stopped. Keys from
/// `customUserId` on are additions. Where an account's label says nothing certain, `details` has the provider's own id of
/// the person: their address may change, and may be somebody else's.
pub fn account(words: &AccountWords<'_>) -> Value {
    let mut details = words.profile.details.clone();
    if matches!(words.provider, "google" | "microsoft" | "whatsapp") {
        details.insert("identity".to_owned(), words.identity.into());
    }
    let [action, since, checked, next, ends] = words.health.words();
    let mut account = json!({
        "id": words.id,
        "email": words.profile.label,
        "provider": provider_name(words.provider),
        "paused": words.status == Status::Stopped,
        "createdAt": words.created_at.rfc3339(),
        "updatedAt": words.updated_at.rfc3339(),
        "customUserId": words.custom_user_id,
        "status": words.status,
        "cause": words.cause,
        "userAction": action,
        "statusSince": since,
        "checkedAt": checked,
        "nextCheckAt": next,
        "endsAt": ends,
        "details": details,
    });
    if let Some(owner) = words.health.owner {
        account["owner"] = json!(owner);
    }
    account
}

/// A page of accounts.
pub fn account_list(items: Vec<Value>, page: Paged, total: i64) -> Value {
    json!({ "accounts": items, "pagination": page.told(total) })
}

/// The reply to a deletion.
pub fn account_deleted(id: &str) -> Value {
    json!({ "success": true, "id": id })
}

/// A `customUserId` that several accounts have, where one is meant.
pub fn several(ids: &[&str]) -> Envelope {
    Kind::SeveralFound.detail(format!(
        "this customUserId has several accounts; name one of them by its id: {}",
        ids.join(", ")
    ))
}
