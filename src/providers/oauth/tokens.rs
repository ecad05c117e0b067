//! What the token endpoint says: tokens, or an error in the words of RFC 6749 with what providers add to it. Lenient in
//! how it is written (spans as text, scopes as a list), strict in what must be there.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::contract::Context;
use crate::kernel::secret::Secret;

use super::endpoint::{self, Reply};
use super::json;
use super::refusal::Refusal;

/// Longer than any provider's token, in bytes.
const LONGEST_TOKEN: usize = 32 * 1024;

/// How long an access token lives where its provider does not say, in seconds: as long as most do.
const USUAL_LIFE: u64 = 3600;

/// The longest life that is believed, in seconds.
const LONGEST_LIFE: u64 = 366 * 24 * 3600;

/// What was granted.
#[derive(Debug)]
pub struct Tokens {
    /// For acting.
    pub access: Secret,
    /// How long it lives, in seconds.
    pub lives: u64,
    /// For renewing, where one was given.
    pub refresh: Option<Secret>,
    /// How long that lives, in seconds, where it ends by itself.
    pub refresh_lives: Option<u64>,
    /// What was granted, where it is said.
    pub scopes: Option<Vec<String>>,
    /// Who signed in, where it is said.
    pub id_token: Option<Secret>,
}

/// An error, with nothing in it that may not be logged besides the description, of which only numbers are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The word of the protocol; empty when it is none.
    pub error: String,
    /// What a provider adds to it (`suberror`, `error_subtype`); empty when it adds nothing.
    pub suberror: String,
    /// Free text: never shown, never logged.
    pub description: String,
    /// Numbers that a provider adds.
    pub numbers: Vec<u32>,
    /// For the provider's support; empty when there is none.
    pub trace: String,
    /// The same, over several calls.
    pub correlation: String,
    /// What to ask the person for next time; to be sent back as it came.
    pub claims: Option<String>,
}

/// What came of asking.
#[derive(Debug)]
pub enum Outcome {
    /// Tokens.
    Granted(Box<Tokens>),
    /// A definite no.
    Denied(Box<Denial>),
}

#[derive(Deserialize)]
struct Granted {
    access_token: Option<Secret>,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "json::seconds")]
    expires_in: Option<u64>,
    refresh_token: Option<Secret>,
    #[serde(default, deserialize_with = "json::seconds")]
    refresh_token_expires_in: Option<u64>,
    #[serde(default, deserialize_with = "json::words")]
    scope: Option<Vec<String>>,
    id_token: Option<Secret>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: Value,
    error_description: Value,
    error_subtype: Value,
    suberror: Value,
    error_codes: Value,
    trace_id: Value,
    correlation_id: Value,
    claims: Value,
}

/// Asks the token endpoint, once.
///
/// # Errors
/// Why there is no definite answer, or one that is not accepted.
pub async fn ask(cx: &Context, url: &Url, form: &[(&str, &str)]) -> Result<Outcome, Refusal> {
    read(&endpoint::post(cx, url, form, endpoint::TOKEN).await?)
}

fn read(reply: &Reply) -> Result<Outcome, Refusal> {
    if let Ok(denied) = serde_json::from_slice::<Denied>(&reply.body)
        && (!denied.error.is_null() || !reply.status.is_success())
    {
        return Ok(Outcome::Denied(Box::new(denied.into())));
    }
    if !reply.status.is_success() {
        return Err(Refusal::invalid("token_reply_not_json"));
    }
    let value: Value =
        serde_json::from_slice(&reply.body).map_err(|_| Refusal::invalid("token_reply_not_json"))?;
    let granted: Granted =
        serde_json::from_value(value).map_err(|_| Refusal::invalid("token_reply_malformed"))?;
    let bearer = granted.token_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !bearer {
        return Err(Refusal::invalid("token_type_unknown"));
    }
    let access = present(granted.access_token)?.ok_or(Refusal::invalid("token_without_access_token"))?;
    Ok(Outcome::Granted(Box::new(Tokens {
        access,
        lives: granted.expires_in.unwrap_or(USUAL_LIFE).min(LONGEST_LIFE),
        refresh: present(granted.refresh_token)?,
        refresh_lives: granted.refresh_token_expires_in.filter(|span| *span > 0),
        scopes: granted.scope,
        id_token: present(granted.id_token)?,
    })))
}

/// A token that can be sent in a header.
fn present(token: Option<Secret>) -> Result<Option<Secret>, Refusal> {
    let Some(token) = token.filter(|token| !token.reveal().is_empty()) else { return Ok(None) };
    let fine =
        token.reveal().len() <= LONGEST_TOKEN && token.reveal().bytes().all(|byte| byte.is_ascii_graphic());
    if fine { Ok(Some(token)) } else { Err(Refusal::invalid("token_malformed")) }
}

impl From<Denied> for Denial {
    fn from(denied: Denied) -> Self {
        let word = |value: &Value| value.as_str().and_then(json::code).unwrap_or_default().to_owned();
        let numbers = denied.error_codes.as_array().into_iter().flatten().take(10);
        let claims = denied.claims.as_str().filter(|claims| claims.len() <= 4096);
        Self {
            error: word(&denied.error),
            suberror: Some(word(&denied.suberror))
                .filter(|word| !word.is_empty())
                .unwrap_or_else(|| word(&denied.error_subtype)),
            description: denied.error_description.as_str().unwrap_or_default().chars().take(2000).collect(),
            numbers: numbers.filter_map(|number| u32::try_from(number.as_u64()?).ok()).collect(),
            trace: word(&denied.trace_id),
            correlation: word(&denied.correlation_id),
            // Sent back as it came, but only if it is what it should be.
            claims: claims
                .filter(|claims| serde_json::from_str::<serde_json::Map<String, Value>>(claims).is_ok())
                .map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::HeaderMap;

    use super::*;

    fn reply(status: u16, body: &str) -> Result<Outcome, &'static str> {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() };
        read(&reply).map_err(|refusal| refusal.code)
    }

    #[test]
    fn tokens_are_read_as_servers_write_them() {
        let text = r#"{"access_token":"a","token_type":"bearer","expires_in":"3599","refresh_token":"r",
            "refresh_token_expires_in":604799,"scope":"x y","id_token":"i.d.t","unknown":{}}"#;
        let Ok(Outcome::Granted(tokens)) = reply(200, text) else { panic!("no tokens") };
        assert_eq!((tokens.access.reveal(), tokens.lives), ("a", 3599));
        assert_eq!((tokens.refresh.unwrap().reveal(), tokens.refresh_lives), ("r", Some(604_799)));
        assert_eq!(tokens.scopes.unwrap(), ["x", "y"]);
        let Ok(Outcome::Granted(least)) = reply(200, r#"{"access_token":"a"}"#) else { panic!("no tokens") };
        assert_eq!((least.lives, least.refresh.is_none(), least.scopes), (USUAL_LIFE, true, None));
    }

    #[test]
    fn what_is_no_token_reply_is_refused_by_name() {
        for (text, code) in [
            ("", "token_reply_not_json"),
            ("<html>", "token_reply_not_json"),
            ("[]", "token_reply_malformed"),
            ("{}", "token_without_access_token"),
            (r#"{"access_token":""}"#, "token_without_access_token"),
            (r#"{"access_token":7}"#, "token_reply_malformed"),
            (r#"{"access_token":"a b"}"#, "token_malformed"),
            (r#"{"access_token":"a\r\nX: y"}"#, "token_malformed"),
            (r#"{"access_token":"a","token_type":"mac"}"#, "token_type_unknown"),
        ] {
            assert_eq!(reply(200, text).unwrap_err(), code, "{text}");
        }
        assert_eq!(reply(400, "<html>").unwrap_err(), "token_reply_not_json");
        let long = format!(r#"{{"access_token":"{}"}}"#, "a".repeat(LONGEST_TOKEN + 1));
        assert_eq!(reply(200, &long).unwrap_err(), "token_malformed");
    }

    #[test]
    fn an_error_is_definite_and_carries_what_support_needs() {
        let text = r#"{"error":"invalid_grant","error_description":"AADSTS70008: x","suberror":"bad_token",
            "error_codes":[70008,"x"],"trace_id":"t-1","correlation_id":"c\n2","claims":"{\"a\":{}}"}"#;
        let Ok(Outcome::Denied(denial)) = reply(400, text) else { panic!("no denial") };
        assert_eq!((&*denial.error, &*denial.suberror), ("invalid_grant", "bad_token"));
        assert_eq!((denial.numbers, &*denial.trace, &*denial.correlation), (vec![70008], "t-1", ""));
        assert_eq!(denial.claims.as_deref(), Some(r#"{"a":{}}"#));
        let Ok(Outcome::Denied(odd)) = reply(200, r#"{"error":"invalid_request","claims":"nothing"}"#) else {
            panic!("an error is an error, whatever the status")
        };
        assert_eq!((&*odd.error, odd.claims), ("invalid_request", None));
        let google = r#"{"error":"invalid_grant","error_subtype":"invalid_rapt"}"#;
        let Ok(Outcome::Denied(google)) = reply(400, google) else { panic!("no denial") };
        assert_eq!(google.suberror, "invalid_rapt");
    }
}
