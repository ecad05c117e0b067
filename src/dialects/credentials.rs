//! Credentials, as backends read them: the same words in both dialects. That a person has to sign in again is an answer
//! and no error.

use serde_json::{Value, json};

use super::envelope::Envelope;
use super::fields::Fields;
use crate::contract::Credentials;
use crate::kernel::clock::Millis;

/// Reads the request's body: whether credentials shall be renewed first, and the members nobody knows.
///
/// # Errors
/// An envelope that names what is wrong.
pub fn read(body: &Value) -> Result<(bool, Vec<String>), Envelope> {
    let mut fields = Fields::of(body)?;
    let fresh = fields.boolean("refresh").unwrap_or_default();
    let unknown = fields.end()?;
    Ok((fresh, unknown))
}

/// What lets a backend act for the person.
pub fn active(account: &str, provider: &str, credentials: &Credentials) -> Value {
    json!({
        "object": "Credentials",
        "account_id": account,
        "provider": provider,
        "state": "active",
        "expires_at": credentials.expires_at.map(Millis::rfc3339),
        "credentials": credentials.value,
    })
}

/// The person has to sign in again.
pub fn needs_reconnect(account: &str, provider: &str, cause: Option<&str>) -> Value {
    json!({
        "object": "Credentials",
        "account_id": account,
        "provider": provider,
        "state": "needs_reconnect",
        "cause": cause,
    })
}
