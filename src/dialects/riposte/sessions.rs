//! Sessions: what may be asked for, and how one reads.

use serde_json::{Map, Value, json};

use super::names::{RULE, SLUGS, provider_name, slug};
use super::page::Paged;
use crate::dialects::envelope::Envelope;
use crate::dialects::fields::{Fields, finish_code};
use crate::kernel::clock::Millis;
use crate::kernel::ids::AccountId;
use crate::kernel::secret::Secret;
use crate::kernel::words::SessionState;

/// How long a session lives when its backend does not say, in minutes.
const DEFAULT_MINUTES: f64 = 30.0;

/// A read request for a session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRequest {
    /// The providers the person may connect (slugs).
    pub providers: Vec<String>,
    /// Whether one was named.
    pub explicit: bool,
    /// How long it shall live, in milliseconds.
    pub lives: i64,
    /// Where the browser goes at the end.
    pub redirect_uri: String,
    /// The product's own id for the person.
    pub custom_user_id: Option<String>,
    /// An address to begin with.
    pub email: Option<String>,
    /// How the product addresses the person.
    pub user_label: Option<String>,
    /// Called when the session ends or its account is connected.
    pub notify_url: Option<String>,
    /// Whether the provider must ask for consent again.
    pub force_consent: bool,
    /// Whether the account waits until the backend redeems the code that the browser carries home.
    pub require_finish: bool,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

/// Reads the body of `POST /auth/sessions`.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read_session(body: &Value) -> Result<SessionRequest, Envelope> {
    let mut fields = Fields::of(body)?;
    let redirect_uri = fields.url("redirectUri");
    if redirect_uri.is_none() && body.get("redirectUri").is_none_or(Value::is_null) {
        fields.missing("redirectUri", "the http or https URL that the person goes to in the end");
    }
    let named = provider(&mut fields);
    let custom_user_id = fields.text("customUserId", 1024).map(str::to_owned);
    if custom_user_id.as_ref().is_some_and(|id| id.parse::<AccountId>().is_ok()) {
        // Both are taken where an account is named, so one may not look like the other.
        fields.broken("customUserId", "must not look like an account's id");
    }
    let minutes = fields.number("expiresInMinutes", 1.0, 1440.0).unwrap_or(DEFAULT_MINUTES);
    let mut request = SessionRequest {
        providers: named
            .map_or_else(|| SLUGS.iter().copied().map(str::to_owned).collect(), |slug| vec![slug]),
        explicit: !body.get("provider").is_none_or(Value::is_null),
        lives: (minutes * 60_000.0) as i64,
        redirect_uri: redirect_uri.unwrap_or_default(),
        custom_user_id,
        email: email(&mut fields),
        user_label: fields.text("userLabel", 200).map(str::to_owned),
        notify_url: fields.url("notifyUrl"),
        force_consent: fields.boolean("forceConsent").unwrap_or(false),
        require_finish: fields.boolean("requireFinish").unwrap_or(false),
        unknown: Vec::new(),
    };
    request.unknown = fields.end()?;
    Ok(request)
}

fn provider(fields: &mut Fields<'_>) -> Option<String> {
    let found = fields.text("provider", 64).map(slug)?;
    if found.is_none() {
        fields.broken("provider", RULE);
    }
    found.map(str::to_owned)
}

fn email(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("email", 320)?.trim();
    let whole = text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !whole {
        fields.broken("email", "must be an e-mail address, such as ada@example.com");
    }
    whole.then(|| text.to_owned())
}

/// A read request to begin a session in the caller's browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRequest {
    /// The session's `state`.
    pub state: String,
    /// The provider that was chosen (its slug).
    pub provider: String,
    /// The address, for the provider's first question.
    pub email: Option<String>,
    /// Whether to go on here when another browser holds the session.
    pub takeover: bool,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

/// Reads the body of `POST /auth/sessions/{code}/start`.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read_start(body: &Value) -> Result<StartRequest, Envelope> {
    let mut fields = Fields::of(body)?;
    let state = fields.text("state", 200).map(str::to_owned);
    if body.get("state").is_none_or(Value::is_null) {
        fields.missing("state", "the state of the session's authUrl");
    }
    let provider = provider(&mut fields);
    if body.get("provider").is_none_or(Value::is_null) {
        fields.missing("provider", RULE);
    }
    let mut request = StartRequest {
        state: state.unwrap_or_default(),
        provider: provider.unwrap_or_default(),
        email: email(&mut fields),
        takeover: fields.boolean("takeover").unwrap_or(false),
        unknown: Vec::new(),
    };
    request.unknown = fields.end()?;
    Ok(request)
}

/// The reply to `POST /auth/sessions`; `provider` and `email` are there when they were given.
pub fn session_created(
    code: &str,
    auth_url: &str,
    expires_at: Millis,
    provider: Option<&str>,
    email: Option<&str>,
) -> Value {
    let mut body = Map::new();
    body.insert("code".to_owned(), json!(code));
    body.insert("authUrl".to_owned(), json!(auth_url));
    body.insert("expiresAt".to_owned(), json!(expires_at.rfc3339()));
    if let Some(provider) = provider {
        body.insert("provider".to_owned(), json!(provider_name(provider)));
    }
    if let Some(email) = email {
        body.insert("email".to_owned(), json!(email));
    }
    Value::Object(body)
}

/// The reply to `POST /auth/sessions/{code}/start`: where the person goes on.
pub fn started(auth_url: &str, provider: &str, expires_at: Millis) -> Value {
    json!({ "authUrl": auth_url, "provider": provider_name(provider), "expiresAt": expires_at.rfc3339() })
}

/// A session, for [`session`].
#[derive(Debug)]
pub struct SessionWords<'a> {
    /// Its id.
    pub code: &'a str,
    /// Where it stands.
    pub state: SessionState,
    /// Why.
    pub cause: Option<&'a str>,
    /// The provider that was asked for or detected.
    pub provider: Option<&'a str>,
    /// The address it began with.
    pub email: Option<&'a str>,
    /// The product's own id for the person.
    pub custom_user_id: Option<&'a str>,
    /// Where the browser goes at the end.
    pub redirect_uri: Option<&'a str>,
    /// The account that came of it.
    pub account_id: Option<&'a str>,
    /// When it was made.
    pub created_at: Millis,
    /// When somebody first pressed its button.
    pub opened_at: Option<Millis>,
    /// When it stops working.
    pub expires_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
}

/// A session as its backend reads it. Its link is not told again: only a hash of the secret is kept.
pub fn session(words: &SessionWords<'_>) -> Value {
    json!({
        "code": words.code,
        "status": words.state.as_str(),
        "cause": words.cause,
        "provider": words.provider.map(provider_name),
        "email": words.email,
        "customUserId": words.custom_user_id,
        "redirectUri": words.redirect_uri,
        "accountId": words.account_id,
        "createdAt": words.created_at.rfc3339(),
        "openedAt": words.opened_at.map(Millis::rfc3339),
        "expiresAt": words.expires_at.rfc3339(),
        "endedAt": words.ended_at.map(Millis::rfc3339),
    })
}

/// A page of sessions.
pub fn session_list(items: Vec<Value>, page: Paged, total: i64) -> Value {
    json!({ "sessions": items, "pagination": page.told(total) })
}

/// Reads the body of `POST /auth/sessions/{code}/finish`: the finish code, and the members nobody knows.
///
/// # Errors
/// An envelope that names what is wrong.
pub fn read_finish(body: &Value) -> Result<(Secret, Vec<String>), Envelope> {
    finish_code(body, "finishCode")
}

/// The reply to a redeemed finish code.
pub fn session_finished(code: &str, account: &str, custom_user_id: Option<&str>) -> Value {
    json!({ "success": true, "code": code, "accountId": account, "customUserId": custom_user_id })
}

/// The reply to `DELETE /auth/sessions/{code}`.
pub fn session_cancelled(code: &str) -> Value {
    json!({ "success": true, "code": code })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: Value) -> String {
        read_session(&body).err().and_then(|envelope| envelope.detail).unwrap_or_default()
    }

    #[test]
    fn the_documented_request_is_read() {
        let body = json!({
            "redirectUri": "https://app.example.com/auth/callback",
            "customUserId": "user_123",
            "email": "ada@example.com",
            "expiresInMinutes": 1.5,
            "forceConsent": "false",
            "colour": "red",
        });
        let request = read_session(&body).unwrap();
        assert_eq!(request.providers, ["google", "microsoft", "imap"]);
        assert_eq!((request.explicit, request.lives, request.force_consent), (false, 90_000, false));
        assert_eq!(request.unknown, ["colour"]);
        let hinted = json!({ "redirectUri": "https://a.example/", "provider": "gmail" });
        let hinted = read_session(&hinted).unwrap();
        assert_eq!(
            (hinted.providers, hinted.explicit, hinted.lives),
            (vec!["google".to_owned()], true, 1_800_000)
        );
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let detail = refused(json!({
            "redirectUri": "javascript:alert(1)",
            "provider": "yahoo",
            "email": "ada",
            "expiresInMinutes": 0.5,
            "customUserId": "acc_01J00000000000000000000000",
            "forceConsent": "perhaps",
            "requireFinish": 1,
        }));
        for name in [
            "redirectUri",
            "provider",
            "email",
            "expiresInMinutes",
            "customUserId",
            "forceConsent",
            "requireFinish",
        ] {
            assert!(detail.contains(name), "{name}: {detail}");
        }
        assert!(refused(json!({})).contains("redirectUri is required"));
        assert!(read_start(&json!({})).unwrap_err().detail.unwrap().contains("state is required"));
    }
}
