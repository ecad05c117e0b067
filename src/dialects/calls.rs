//! What an endpoint's owner may say about its calls, in whichever dialect: headers, the secret that signs, and which of
//! them are listed or sent once more.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::dialects::envelope::{Envelope, Kind};
use crate::dialects::fields::Fields;
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, EndpointId, SessionId};
use crate::kernel::words::{DeliveryState, EventKind};

/// One event on its way to one endpoint, as the log of calls has it.
#[derive(Debug)]
pub struct LoggedCall<'a> {
    /// The delivery's id; the receiver sees it as `webhook-id`.
    pub id: &'a str,
    /// The endpoint.
    pub endpoint: &'a str,
    /// What happened.
    pub kind: Option<EventKind>,
    /// The account or session it is about.
    pub about: &'a str,
    /// Where it stands.
    pub state: DeliveryState,
    /// What was sent, once it was tried.
    pub body: Option<&'a [u8]>,
    /// When it was made.
    pub created_at: Millis,
    /// When it is tried next, while it is due.
    pub due_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Its tries, the first one first.
    pub tries: Vec<LoggedTry<'a>>,
}

/// One try: the answer's status and first 4 KiB, or what was in the way.
#[derive(Debug)]
pub struct LoggedTry<'a> {
    /// When it began.
    pub at: Millis,
    /// How long it took, in milliseconds.
    pub took: i64,
    /// The answer's status.
    pub status: Option<i64>,
    /// What went wrong: a stable code.
    pub problem: Option<&'a str>,
    /// What the answer said.
    pub answer: Option<&'a [u8]>,
}

/// How many headers an endpoint may add, and how long their names and values may be.
pub const MOST_HEADERS: usize = 20;
const LONGEST_NAME: usize = 100;
const LONGEST_VALUE: usize = 4096;

/// Headers that say how a call travels, or who vouches for it; none but this server sets them.
const OURS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-riposte-signature",
    "x-riposte-timestamp",
];

/// What is wrong with a list of headers, as the end of a sentence that begins with the field's name.
pub fn wrong_headers(headers: &[(String, String)]) -> Option<String> {
    if headers.len() > MOST_HEADERS {
        return Some(format!("must have at most {MOST_HEADERS} headers"));
    }
    for (at, (name, value)) in headers.iter().enumerate() {
        let shown: String = name.chars().take(40).collect();
        let lower = name.to_ascii_lowercase();
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(is_token) {
            let rule = format!("must have 1 to {LONGEST_NAME} letters, digits or any of !#$%&'*+-.^_`|~");
            return Some(format!("has the name \"{shown}\", which {rule}"));
        }
        if OURS.contains(&&*lower) || lower.starts_with("proxy-") {
            return Some(format!("has the name \"{shown}\", which this server sets itself or never sends"));
        }
        if headers.iter().take(at).any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Some(format!("has the name \"{shown}\" twice"));
        }
        let fine = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
        if !fine || value.len() > LONGEST_VALUE {
            let rule = format!("must have at most {LONGEST_VALUE} visible ASCII characters and spaces");
            return Some(format!("has a value of \"{shown}\" that {rule}"));
        }
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What is wrong with a secret that calls shall be signed with, as the end of a sentence.
pub fn wrong_secret(secret: &str) -> Option<&'static str> {
    if !(24..=200).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("must have 24 to 200 visible ASCII characters, best made at random");
    }
    let key = secret.strip_prefix("whsec_").map(|text| STANDARD.decode(text));
    match key {
        None => None,
        Some(Ok(bytes)) if (24..=64).contains(&bytes.len()) => None,
        Some(_) => Some("begins with whsec_, so base64 of 24 to 64 bytes must follow"),
    }
}

/// How a header's value is read back: what vouches for a call stays with those who have to know it.
pub const HIDDEN: &str = "***";

/// Reads from when on events are sent once more: `since`.
///
/// # Errors
/// One envelope that names the field.
pub fn read_since(body: &Value) -> Result<(Millis, Vec<String>), Envelope> {
    let mut fields = Fields::of(body)?;
    let since = fields.time("since");
    if body.get("since").is_none_or(Value::is_null) {
        fields.missing("since", "an ISO 8601 time in UTC such as 2026-06-30T12:00:00.701Z");
    }
    Ok((since.unwrap_or(Millis(0)), fields.end()?))
}

/// Reads how a secret is to be exchanged: for how many hours the former one signs, too (24 when absent), and the new
/// one, where it is not made here.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read_secret(
    body: &Value,
    overlap: &'static str,
) -> Result<(Option<String>, Duration, Vec<String>), Envelope> {
    let mut fields = Fields::of(body)?;
    let secret = fields.text("secret", 200).map(str::to_owned);
    if let Some(rule) = secret.as_deref().and_then(wrong_secret) {
        fields.broken("secret", rule);
    }
    let hours = fields.number(overlap, 0.0, 720.0).unwrap_or(24.0);
    let unknown = fields.end()?;
    Ok((secret, Duration::from_secs_f64(hours * 3600.0), unknown))
}

/// Reads which deliveries are wanted by where they stand.
///
/// # Errors
/// One envelope that names the parameter.
pub fn read_state(name: &str, text: Option<&str>) -> Result<Option<DeliveryState>, Envelope> {
    text.map(|text| {
        DeliveryState::parse(text)
            .ok_or_else(|| Kind::InvalidParameters.detail(format!("{name} must be due, done or dead")))
    })
    .transpose()
}

/// Reads whom listed deliveries are about: an account or a session.
///
/// # Errors
/// One envelope that names the parameter.
pub fn read_about(text: Option<&str>) -> Result<Option<String>, Envelope> {
    let Some(text) = text else { return Ok(None) };
    let is_one = text.parse::<AccountId>().is_ok()
        || text.parse::<SessionId>().is_ok()
        || text.parse::<EndpointId>().is_ok();
    match is_one {
        true => Ok(Some(text.to_owned())),
        false => Err(Kind::InvalidParameters.detail("about must be the id of an account or a session")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Option<String> {
        wrong_headers(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn headers_that_steer_or_vouch_for_a_call_are_not_for_others_to_set() {
        assert_eq!(one("Unipile-Auth", "secret word"), None);
        assert_eq!(one("Content-Type", "application/json"), None);
        for name in ["Host", "content-length", "Transfer-Encoding", "Proxy-Authorization", "webhook-ID"] {
            assert!(one(name, "x").unwrap().contains("sets itself"), "{name}");
        }
        for name in ["", "a b", "a:b", "ä", "a\r\nb"] {
            assert!(one(name, "x").is_some(), "{name:?}");
        }
        for value in ["a\r\nHost: b", "ä", "\u{7f}", &"x".repeat(4097)] {
            assert!(one("x-own", value).is_some(), "{value:?}");
        }
        let twice = [("X-Own", "1"), ("x-own", "2")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert!(wrong_headers(&twice).unwrap().contains("twice"));
        let many: Vec<_> = (0..21).map(|at| (format!("x-{at}"), String::new())).collect();
        assert!(wrong_headers(&many).unwrap().contains("at most 20"));
    }

    #[test]
    fn a_secret_is_long_enough_to_be_one() {
        assert_eq!(wrong_secret("0123456789abcdef01234567"), None);
        assert_eq!(wrong_secret(&format!("whsec_{}", STANDARD.encode([7; 32]))), None);
        for secret in [
            "short",
            "with spaces in it, but long enough",
            "whsec_0123456789abcdef012345678!",
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(wrong_secret(secret).is_some(), "{secret}");
        }
    }
}
