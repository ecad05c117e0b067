//! What a completed sign-in gives: who it is, what may be shown of them, what is sealed, and how others go on with it.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use grammers_tl_types::{enums, types};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::contract::{Connected, Credentials, Profile, State, Trouble};

use super::centres::AuthKey;
use super::session::Kept;

/// The sealed part of an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keys {
    /// The form this is written in.
    version: u32,
    /// The person.
    user_id: i64,
    /// The application that it was made with; others may not use it.
    api_id: i32,
    /// The session.
    pub session: Kept,
}

impl Keys {
    /// Reads them back.
    ///
    /// # Errors
    /// When the stored secret is not one of ours.
    pub fn read(secret: &State) -> Result<Self, Trouble> {
        serde_json::from_value(secret.0.clone()).map_err(|_| Trouble::bug("secret_unreadable"))
    }
}

/// What signs out: of an account's keys, and all that there is of a session whose password is still missing. The person's
/// phone has it in its list already.
#[derive(Debug, Serialize, Deserialize)]
pub struct Held {
    /// The session.
    pub session: Kept,
}

/// Puts the outcome together.
///
/// # Errors
/// When Telegram did not say who it is.
pub fn connected(user: enums::User, api_id: i32, session: Kept) -> Result<Connected, Trouble> {
    let enums::User::User(user) = user else { return Err(Trouble::bug("user_missing")) };
    let profile = profile(&user);
    let keys = Keys { version: 1, user_id: user.id, api_id, session };
    let secret = serde_json::to_value(keys).map(State).map_err(|_| Trouble::bug("secret_unwritable"))?;
    Ok(Connected { identity: user.id.to_string(), profile, secret })
}

fn profile(user: &types::User) -> Profile {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let phone = filled(&user.phone).map(|phone| format!("+{}", phone.trim_start_matches('+')));
    let active = user.usernames.iter().flatten().map(|enums::Username::Username(name)| name);
    let active = active.filter(|name| name.active).map(|name| name.username.clone()).next();
    let username = filled(&user.username).or(active);
    let name = [filled(&user.first_name), filled(&user.last_name)].into_iter().flatten().collect::<Vec<_>>();
    let name = Some(name.join(" ")).filter(|name| !name.is_empty());
    let at = username.as_ref().map(|username| format!("@{username}"));
    let label = phone.clone().or(at).or(name.clone()).unwrap_or_else(|| user.id.to_string());
    // 64 bits do not fit into the numbers of every language that reads this.
    let mut details = BTreeMap::from([("user_id".to_owned(), json!(user.id.to_string()))]);
    for (key, value) in [("phone", phone), ("username", username), ("name", name)] {
        details.extend(value.map(|value| (key.to_owned(), json!(value))));
    }
    Profile { label, details, note: None }
}

/// What a backend goes on with.
///
/// # Errors
/// When the stored secret is not one of ours.
pub fn credentials(secret: &State) -> Result<Credentials, Trouble> {
    let keys = Keys::read(secret)?;
    let Kept { dc, address, .. } = keys.session;
    let key = keys.session.key()?;
    let value = json!({
        "type": "telegram_session",
        "user_id": keys.user_id.to_string(),
        "api_id": keys.api_id,
        "dc_id": dc,
        "address": address.to_string(),
        "auth_key": hex(&key),
        "telethon": telethon(dc, address, &key),
        "grammers": grammers(dc, address, &key),
    });
    Ok(Credentials { value, expires_at: None, missing: Vec::new() })
}

/// Telethon's `StringSession`, version 1: after the digit, base64 (URL-safe, padded) of the data centre's number in a byte,
/// its IPv4 address, its port in two bytes, big-endian, and the key.
fn telethon(dc: i32, address: SocketAddrV4, key: &AuthKey) -> String {
    let mut bytes = Vec::with_capacity(263);
    // Data centres have small numbers; the settings allow no others.
    bytes.push(u8::try_from(dc).unwrap_or_default());
    bytes.extend(address.ip().octets());
    bytes.extend(address.port().to_be_bytes());
    bytes.extend(key);
    format!("1{}", URL_SAFE.encode(bytes))
}

/// The JSON from which grammers (feature `serde`) reads its `DcOption`.
fn grammers(dc: i32, address: SocketAddrV4, key: &AuthKey) -> serde_json::Value {
    let mapped = std::net::SocketAddrV6::new(address.ip().to_ipv6_mapped(), address.port(), 0, 0);
    json!({ "id": dc, "ipv4": address.to_string(), "ipv6": mapped.to_string(), "auth_key": hex(key) })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
