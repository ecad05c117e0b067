//! Security event tokens (RFC 8417) as a provider pushes them (RFC 8935): taken apart, and believed only when one of the
//! provider's keys signed them, the provider issued them, and they are for our client. What each event means is the
//! provider's own to say. An ID token is none, since it has no `events`; and a security event is no ID token, since it has no
//! `nonce`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::contract::{Context, NotTaken};

use super::id_token;
use super::keys::Keys;

/// More events than any token has.
const MOST: usize = 20;
/// Longer than any id of a token.
const LONGEST_ID: usize = 512;

/// What a token says.
#[derive(Debug, Deserialize)]
pub struct Told {
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Value,
    /// Its own id; never empty in a token that was accepted.
    #[serde(default)]
    pub jti: String,
    #[serde(default)]
    iat: Option<f64>,
    /// What happened, by type.
    #[serde(default)]
    pub events: BTreeMap<String, Value>,
}

impl Told {
    /// When it was issued, in milliseconds.
    pub fn issued(&self) -> i64 {
        self.iat.map_or(0, |seconds| (seconds * 1000.0) as i64)
    }
}

/// Whom a token must be from and for.
pub struct Expected<'a> {
    /// The names its issuer has.
    pub issuers: &'a [String],
    /// Our client.
    pub client_id: &'a str,
}

/// Judges a token.
///
/// # Errors
/// Why it is not taken, in the words of RFC 8935.
pub async fn judge(
    cx: &Context,
    keys: &Keys,
    token: &str,
    expected: &Expected<'_>,
) -> Result<Told, NotTaken> {
    let payload = id_token::signed(cx, keys, token).await?;
    let told: Told = serde_json::from_slice(&payload).map_err(|_| NotTaken::Malformed)?;
    if told.jti.is_empty()
        || told.jti.len() > LONGEST_ID
        || told.events.is_empty()
        || told.events.len() > MOST
    {
        return Err(NotTaken::Malformed);
    }
    let Some(issued) = told.iat else { return Err(NotTaken::Malformed) };
    if !issued.is_finite() || told.issued() > cx.clock.now().0.saturating_add(id_token::SKEW) {
        return Err(NotTaken::Malformed);
    }
    if !told.iss.as_ref().is_some_and(|issuer| expected.issuers.contains(issuer)) {
        return Err(NotTaken::Issuer);
    }
    let ours = match &told.aud {
        Value::String(one) => one == expected.client_id,
        Value::Array(many) => many.iter().any(|one| one.as_str() == Some(expected.client_id)),
        _ => false,
    };
    if ours { Ok(told) } else { Err(NotTaken::Audience) }
}
