//! Links: what may be asked for, and how a session reads.

use serde_json::{Value, json};

use super::tags::{RULE, link_tag, slugs};
use crate::dialects::envelope::Envelope;
use crate::dialects::fields::{Fields, finish_code};
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;
use crate::kernel::words::SessionState;

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkGoal {
    /// A new account at one of these providers (slugs).
    Create {
        /// The slugs.
        providers: Vec<String>,
        /// Whether they were named one by one.
        explicit: bool,
    },
    /// Repair of this account.
    Reconnect(String),
}

/// A read request for a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// What for.
    pub goal: LinkGoal,
    /// When it shall stop working.
    pub expires_at: Millis,
    /// The product's own name for the person.
    pub name: Option<String>,
    /// How the product addresses the person.
    pub user_label: Option<String>,
    /// An address to begin with.
    pub email: Option<String>,
    /// Called on success.
    pub notify_url: Option<String>,
    /// Where the browser goes on success.
    pub success_redirect_url: Option<String>,
    /// Where the browser goes otherwise.
    pub failure_redirect_url: Option<String>,
    /// Whether our success page is skipped.
    pub bypass_success_screen: bool,
    /// Whether the account waits until the backend redeems the code that the browser carries home.
    pub require_finish: bool,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

/// Fields of the original API that concern what comes after connecting, which is not this server's business,
/// or that only its own wizard offers.
const NOT_OURS: &[&str] = &[
    "disabled_features",
    "disabled_options",
    "sync_limit",
    "single_use",
    "proxy",
    "unilogin",
    "proxy_country",
    "oauth_url",
];

/// Reads the body of `POST /v1/hosted/accounts/link`.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read_link(body: &Value) -> Result<LinkRequest, Envelope> {
    let mut fields = Fields::of(body)?;
    let purpose = fields.text("type", 64);
    if purpose.is_none() && fields.is_fine() {
        fields.missing("type", "\"create\" or \"reconnect\"");
    }
    let goal = match purpose {
        Some("create") => {
            fields.ignored("reconnect_account");
            read_providers(&mut fields)
        }
        Some("reconnect") => {
            fields.ignored("providers");
            let account = fields.text("reconnect_account", 200).map(str::to_owned);
            if account.is_none() && body.get("reconnect_account").is_none_or(Value::is_null) {
                fields.missing("reconnect_account", "the id of the account to repair");
            }
            account.map(LinkGoal::Reconnect)
        }
        Some(_) => {
            fields.broken("type", "must be \"create\" or \"reconnect\"");
            None
        }
        None => None,
    };
    if fields.url("api_url").is_none() && body.get("api_url").is_none_or(Value::is_null) {
        fields.missing("api_url", "the address of this API, such as https://connect.example.com/v1");
    }
    let expires_at = fields.time("expiresOn");
    if expires_at.is_none() && body.get("expiresOn").is_none_or(Value::is_null) {
        fields.missing("expiresOn", "an ISO 8601 time in UTC such as 2026-06-30T12:00:00.701Z");
    }
    let mut request = LinkRequest {
        goal: goal.clone().unwrap_or(LinkGoal::Reconnect(String::new())),
        expires_at: expires_at.unwrap_or(Millis(0)),
        name: fields.text("name", 16_384).map(str::to_owned),
        user_label: fields.text("user_label", 200).map(str::to_owned),
        email: fields.text("email", 320).map(str::to_owned),
        notify_url: fields.url("notify_url"),
        success_redirect_url: fields.url("success_redirect_url"),
        failure_redirect_url: fields.url("failure_redirect_url"),
        bypass_success_screen: fields.boolean("bypass_success_screen").unwrap_or(false),
        require_finish: fields.boolean("require_finish").unwrap_or(false),
        unknown: Vec::new(),
    };
    if request.require_finish && body.get("success_redirect_url").is_none_or(Value::is_null) {
        fields
            .missing("success_redirect_url", "with require_finish the browser carries the finish code there");
    }
    for name in NOT_OURS {
        fields.ignored(name);
    }
    request.unknown = fields.end()?;
    Ok(request)
}

fn read_providers(fields: &mut Fields<'_>) -> Option<LinkGoal> {
    let entries: Vec<&str> = match fields.value("providers") {
        None => {
            fields.missing("providers", RULE);
            return None;
        }
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) if !many.is_empty() && many.iter().all(Value::is_string) => {
            many.iter().filter_map(Value::as_str).collect()
        }
        Some(_) => {
            fields.broken("providers", RULE);
            return None;
        }
    };
    let mut providers: Vec<String> = Vec::new();
    let mut explicit = false;
    for entry in entries {
        let Some((found, named)) = slugs(entry) else {
            let shown: String = entry.chars().take(40).collect();
            fields.broken("providers", &format!("contains \"{shown}\", but {RULE}"));
            return None;
        };
        explicit |= named;
        for slug in found {
            if !providers.iter().any(|known| known == slug) {
                providers.push(slug.to_owned());
            }
        }
    }
    Some(LinkGoal::Create { providers, explicit })
}

/// The reply to a created link. `object` is spelt `HostedAuthURL` on `/v1` and `HostedAuthUrl` on `/api/v1`,
/// as the clients of each expect.
pub fn link_created(object: &str, url: &str, id: &str, expires_at: Millis) -> Value {
    json!({ "object": object, "url": url, "id": id, "expires_at": expires_at.rfc3339() })
}

/// A session, for [`link`].
#[derive(Debug)]
pub struct LinkWords<'a> {
    /// Its id.
    pub id: &'a str,
    /// `create` or `reconnect`.
    pub purpose: &'a str,
    /// Where it stands.
    pub state: SessionState,
    /// Why.
    pub cause: Option<&'a str>,
    /// The account that came of it, or that is to be repaired.
    pub account_id: Option<&'a str>,
    /// The product's own name for the person.
    pub name: Option<&'a str>,
    /// The providers' slugs.
    pub providers: &'a [String],
    /// When it was made.
    pub created_at: Millis,
    /// When it was opened.
    pub opened_at: Option<Millis>,
    /// When the link stops working.
    pub expires_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
}

/// A session as its backend reads it. `status` is one of `OPEN FINISHING CONNECTED CANCELLED FAILED EXPIRED REVOKED`;
/// `cause` says why it ended, or what last went wrong while it is open.
pub fn link(words: &LinkWords<'_>) -> Value {
    json!({
        "object": "HostedAuthLink",
        "id": words.id,
        "type": words.purpose,
        "status": words.state.as_str().to_ascii_uppercase(),
        "cause": words.cause,
        "account_id": words.account_id,
        "name": words.name,
        "providers": words.providers.iter().map(|slug| link_tag(slug)).collect::<Vec<_>>(),
        "created_at": words.created_at.rfc3339(),
        "opened_at": words.opened_at.map(Millis::rfc3339),
        "expires_at": words.expires_at.rfc3339(),
        "ended_at": words.ended_at.map(Millis::rfc3339),
    })
}

/// A page of sessions.
pub fn link_list(items: Vec<Value>, cursor: Value) -> Value {
    json!({ "object": "HostedAuthLinkList", "items": items, "cursor": cursor })
}

/// The reply to taking a link back.
pub fn link_cancelled(id: &str) -> Value {
    json!({ "object": "HostedAuthLinkCancelled", "id": id })
}

/// Reads the body of `POST /v1/hosted/accounts/link/{id}/finish`: the code, and the members nobody knows.
///
/// # Errors
/// An envelope that names what is wrong.
pub fn read_finish(body: &Value) -> Result<(Secret, Vec<String>), Envelope> {
    finish_code(body, "finish_code")
}

/// The reply to a redeemed code: what `notify_url` is told.
pub fn finished(session: &str, account: &str, repaired: bool, name: Option<&str>) -> Value {
    let status = if repaired { "RECONNECTED" } else { "CREATION_SUCCESS" };
    json!({ "object": "HostedAuthFinished", "id": session, "status": status, "account_id": account, "name": name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(change: impl FnOnce(&mut Value)) -> Value {
        let mut body = json!({
            "type": "create",
            "providers": ["MAIL"],
            "api_url": "https://api.postpress.ai/v1",
            "expiresOn": "2026-06-30T12:00:00.701Z",
        });
        change(&mut body);
        body
    }

    fn detail(body: &Value) -> String {
        read_link(body).unwrap_err().detail.unwrap()
    }

    #[test]
    fn the_documented_request_is_read() {
        let request = read_link(&body(|body| {
            body["name"] = json!("user_1234");
            body["notify_url"] = json!("https://yourapp.com/postpress/account-callback");
            body["bypass_success_screen"] = json!("true");
            body["success_url"] = json!("https://typo.example.com");
        }))
        .unwrap();
        assert_eq!(request.goal, LinkGoal::Create { providers: vec!["imap".to_owned()], explicit: true });
        assert_eq!(request.expires_at.rfc3339(), "2026-06-30T12:00:00.701Z");
        assert_eq!(request.name.as_deref(), Some("user_1234"));
        assert!(request.bypass_success_screen);
        assert_eq!(request.unknown, ["success_url"]);
    }

    #[test]
    fn every_bad_field_is_named_in_one_answer() {
        let detail = detail(&json!({
            "type": "create",
            "providers": ["MYSPACE"],
            "api_url": "ftp://x",
            "expiresOn": "2026-06-30T12:00:00",
            "name": "",
            "notify_url": "https://user:pass@example.com/",
            "success_redirect_url": 5,
            "bypass_success_screen": "maybe",
        }));
        for part in [
            "providers contains \"MYSPACE\"",
            "api_url must be an absolute http or https URL",
            "expiresOn must be an ISO 8601 time",
            "name must not be empty",
            "notify_url must not contain a user name",
            "success_redirect_url must be a string",
            "bypass_success_screen must be true or false",
        ] {
            assert!(detail.contains(part), "{part} is not in: {detail}");
        }
    }

    #[test]
    fn an_address_is_kept_as_it_was_given_or_not_at_all() {
        for odd in [" https://app.example.com/x", "https://app.example.com/x\n", "https://app.\texample.com/"]
        {
            let told = detail(&body(|body| body["notify_url"] = json!(odd)));
            assert!(told.contains("notify_url must be a URL without spaces around it"), "{odd:?}: {told}");
        }
        let fine = "https://app.example.com/a b?c=d e";
        assert_eq!(
            read_link(&body(|body| body["notify_url"] = json!(fine))).unwrap().notify_url.as_deref(),
            Some(fine)
        );
    }

    #[test]
    fn missing_fields_are_named_with_what_they_must_be() {
        let error = read_link(&json!({ "type": "reconnect" })).unwrap_err();
        assert_eq!(error.kind, "errors/missing_parameters");
        let detail = error.detail.unwrap();
        for name in ["reconnect_account", "api_url", "expiresOn"] {
            assert!(detail.contains(&format!("{name} is required")), "{detail}");
        }
        assert!(!detail.contains("providers"));
        assert!(read_link(&json!({})).unwrap_err().detail.unwrap().contains("type is required"));
        assert!(read_link(&json!([1])).unwrap_err().detail.unwrap().contains("JSON object"));
    }

    #[test]
    fn a_code_needs_a_way_home() {
        let told = |home: Value| {
            read_link(&body(|body| {
                body["require_finish"] = json!(true);
                body["success_redirect_url"] = home;
            }))
        };
        assert!(told(json!("https://app.example.com/done")).unwrap().require_finish);
        let refused = told(Value::Null).unwrap_err();
        assert_eq!(refused.kind, "errors/missing_parameters");
        assert!(refused.detail.unwrap().contains("success_redirect_url is required"));
        assert!(read_finish(&json!({})).unwrap_err().detail.unwrap().contains("finish_code is required"));
    }

    #[test]
    fn odd_shapes_of_providers_get_the_rule() {
        for odd in [json!([]), json!([1]), json!(7), json!({}), json!(["*", ""])] {
            assert!(detail(&body(|body| body["providers"] = odd)).contains("providers"), "odd");
        }
    }
}
