//! Credentials, as backends read them: the same words in both dialects. That a person has to sign in again is an answer
//! and no error.

use serde_json::{Map, Value, json};

use super::envelope::Envelope;
use super::fields::Fields;
use super::postpress::{LinkRequest, read_link};
use crate::contract::Credentials;
use crate::kernel::clock::Millis;
use crate::kernel::words::{Owner, Status};

/// A read request for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether they shall be renewed first.
    pub fresh: bool,
    /// The link to be made where the person has to sign in again.
    pub reconnect: Option<LinkRequest>,
    /// Members that mean nothing here.
    pub unknown: Vec<String>,
}

/// Reads the request's body. `reconnect` is `true`, or what a link request of the postpress dialect may have, but for
/// its type and account; its link works until `expires_at` unless it says otherwise.
///
/// # Errors
/// An envelope that names what is wrong.
pub fn read(body: &Value, account: &str, expires_at: Millis) -> Result<Asked, Envelope> {
    let mut fields = Fields::of(body)?;
    let fresh = fields.boolean("refresh").unwrap_or_default();
    let link = match fields.value("reconnect") {
        None | Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Map::new()),
        Some(Value::Object(link)) => Some(link.clone()),
        Some(_) => {
            fields.broken("reconnect", "must be true or false, or an object like a request for a link");
            None
        }
    };
    let mut unknown = fields.end()?;
    let reconnect = match link {
        Some(mut link) => {
            let ours =
                [("type", "reconnect"), ("reconnect_account", account), ("api_url", "https://localhost")];
            link.extend(ours.map(|(name, value)| (name.to_owned(), json!(value))));
            link.entry("expiresOn").or_insert_with(|| json!(expires_at.rfc3339()));
            let read = read_link(&Value::Object(link)).map_err(|envelope| Envelope {
                detail: envelope.detail.map(|detail| format!("reconnect: {detail}")),
                ..envelope
            })?;
            unknown.extend(read.unknown.iter().map(|name| format!("reconnect.{name}")));
            Some(read)
        }
        None => None,
    };
    Ok(Asked { fresh, reconnect, unknown })
}

/// What a backend says of a session that it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// Why the provider has ended it, where it did: a stable code.
    pub dead: Option<String>,
    /// Members that mean nothing here.
    pub unknown: Vec<String>,
}

/// Reads what became of a session: `state`, `returned` or `dead`, and with the latter a `cause` of small letters, digits and
/// underscores.
///
/// # Errors
/// An envelope that names what is wrong.
pub fn read_back(body: &Value) -> Result<Back, Envelope> {
    const LONGEST: usize = 64;
    const REPORTED: &str = "session_reported_dead";
    let mut fields = Fields::of(body)?;
    let dead = match fields.text("state", LONGEST) {
        Some("returned") => false,
        Some("dead") => true,
        Some(_) => {
            fields.broken("state", "must be returned or dead");
            false
        }
        None => false,
    };
    if body.get("state").is_none_or(Value::is_null) {
        fields.missing("state", "what became of the session: returned or dead");
    }
    let cause = fields.text("cause", LONGEST);
    let is_code = |cause: &str| {
        cause.starts_with(|first: char| first.is_ascii_lowercase())
            && cause.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    match cause {
        Some(_) if !dead => fields.broken("cause", "goes with the state dead alone"),
        Some(cause) if !is_code(cause) => {
            fields
                .broken("cause", "must be a code such as logged_out: small letters, digits and underscores");
        }
        _ => {}
    }
    let dead = dead.then(|| cause.unwrap_or(REPORTED).to_owned());
    Ok(Back { dead, unknown: fields.end()? })
}

/// Whose an account's session is, and how the account is.
pub fn session_back(
    account: &str,
    provider: &str,
    owner: Option<Owner>,
    status: Status,
    cause: Option<&str>,
) -> Value {
    json!({
        "object": "AccountSession",
        "account_id": account,
        "provider": provider,
        "owner": owner,
        "status": status,
        "cause": cause,
    })
}

/// What lets a backend act for the person.
pub fn active(account: &str, provider: &str, credentials: &Credentials) -> Value {
    json!({
        "object": "Credentials",
        "account_id": account,
        "provider": provider,
        "state": "active",
        "expires_at": credentials.expires_at.map(Millis::rfc3339),
        "missing_scopes": credentials.missing,
        "credentials": credentials.value,
    })
}

/// A link that mends an account.
#[derive(Debug)]
pub struct Mending<'a> {
    /// Its session.
    pub id: &'a str,
    /// The link.
    pub url: &'a str,
    /// When it stops working.
    pub expires_at: Millis,
}

/// The person has to sign in again; with the link for that, where one was asked for.
pub fn needs_reconnect(
    account: &str,
    provider: &str,
    cause: Option<&str>,
    missing: &[String],
    link: Option<&Mending<'_>>,
) -> Value {
    let mut said = json!({
        "object": "Credentials",
        "account_id": account,
        "provider": provider,
        "state": "needs_reconnect",
        "cause": cause,
        "missing_scopes": missing,
    });
    if let Some(link) = link {
        said["reconnect"] =
            json!({ "url": link.url, "id": link.id, "expires_at": link.expires_at.rfc3339() });
    }
    said
}

/// The person has signed in, and the backend has still to redeem the session's code.
pub fn pending(account: &str, provider: &str, cause: Option<&str>) -> Value {
    json!({
        "object": "Credentials",
        "account_id": account,
        "provider": provider,
        "state": "pending",
        "cause": cause,
    })
}
