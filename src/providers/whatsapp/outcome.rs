//! What a completed linking gives: who it is, what may be shown of it, and what is sealed.
//!
//! The identity is the number behind the account's hidden name (LID). A phone number will not do: it is given to somebody
//! else one day, who must not be taken for the account's person; the hidden name goes with the registration. A service that
//! gives none leaves only the phone's.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wire_whatsapp::Session;

use crate::contract::{Connected, Credentials, Profile, State, Trouble};

/// Puts the outcome together.
///
/// # Errors
/// None that could happen; sessions always become JSON.
pub fn connected(session: &Session) -> Result<Connected, Trouble> {
    let phone = session.phone();
    let mut details =
        BTreeMap::from([("phone_number".to_owned(), json!(phone)), ("jid".to_owned(), json!(session.jid))]);
    let more = [("lid", &session.lid), ("business_name", &session.name), ("platform", &session.platform)];
    for (name, value) in more {
        if let Some(value) = value {
            details.insert(name.to_owned(), json!(value));
        }
    }
    let profile = Profile { label: phone, details, note: None };
    let secret = State(stored(session)?);
    Ok(Connected { identity: identity(session), profile, secret })
}

fn identity(session: &Session) -> String {
    let user = |address: &str| address.split([':', '@']).next().unwrap_or_default().to_owned();
    match &session.lid {
        Some(lid) => format!("{}@lid", user(lid)),
        None => format!("{}@s.whatsapp.net", user(&session.jid)),
    }
}

/// A session as it is stored.
///
/// # Errors
/// None that could happen; sessions always become JSON.
pub fn stored(session: &Session) -> Result<Value, Trouble> {
    serde_json::to_value(session).map_err(|_| Trouble::bug("secret_unwritable"))
}

/// Reads a session back.
///
/// # Errors
/// When what was stored is not one of ours.
pub fn session(stored: &Value) -> Result<Session, Trouble> {
    Session::from_json(&stored.to_string()).map_err(|_| Trouble::bug("secret_unreadable"))
}

/// What tells the device from every other: the public half of the key that it connects with.
pub fn device(secret: &State) -> Option<String> {
    let session = session(&secret.0).ok()?;
    Some(session.noise_key.keys().public().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a backend goes on with as the device: `session`, as `docs/whatsapp-session.md` describes it.
///
/// # Errors
/// When the stored secret is not one of ours.
pub fn credentials(secret: &State) -> Result<Credentials, Trouble> {
    session(&secret.0)?;
    let value: Value = json!({ "type": "whatsapp_session", "session": secret.0 });
    Ok(Credentials { value, expires_at: None, missing: Vec::new() })
}
