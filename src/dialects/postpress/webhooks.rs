//! Webhooks: what may be asked for, and how one reads. One source each: `account_status`, as the original has it, and
//! `hosted_auth_link`, an addition for what happens before there is an account.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::status::{ACCOUNT_KEYS, LINK_KEYS};
use super::tags::link_tag;
use crate::dialects::calls::{HIDDEN, wrong_headers};
use crate::dialects::envelope::{Envelope, Kind};
use crate::dialects::fields::Fields;
use crate::kernel::words::{EventKind, Status};

/// Sources of the original that this server has nothing to tell of.
const NOT_OURS: &[&str] = &["messaging", "users", "email", "email_tracking", "calendar_event", "calendar"];

/// What a webhook is told, and in which form; kept with the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spelling {
    /// `account_status` or `hosted_auth_link`.
    pub source: String,
    /// Whether bodies are forms rather than JSON.
    pub form: bool,
    /// The fields that are told and under which names (`name`, `key`); none: all, under their own.
    pub data: Vec<(String, String)>,
    /// The events that were asked for, in the dialect's words; none: all.
    pub events: Vec<String>,
}

impl Spelling {
    /// Reads what was kept.
    pub(super) fn of(kept: &Value) -> Self {
        Self::deserialize(kept).unwrap_or_default()
    }

    /// Whether it tells of links rather than of accounts.
    pub(super) fn is_of_links(&self) -> bool {
        self.source == "hosted_auth_link"
    }
}

/// A read request for a webhook.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// The URL.
    pub url: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it wants to hear of: kinds, some only where an account comes to a status.
    pub wanted: Vec<(EventKind, Option<Status>)>,
    /// Headers that go along with every call.
    pub headers: Vec<(String, String)>,
    /// The accounts; `None`: all.
    pub account_ids: Option<Vec<String>>,
    /// Whether it is called.
    pub enabled: bool,
    /// What it is told; kept with the endpoint.
    pub spelling: Value,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

type Wanted = (EventKind, Option<Status>);

/// The events of `account_status`, in the original's words. What this server has no occasion for stands there, too, so
/// that requests which name it are taken; it is never told.
const ACCOUNT_EVENTS: &[(&str, &[Wanted])] = &[
    ("creation_success", &[(EventKind::AccountConnected, None)]),
    ("creation_fail", &[(EventKind::SessionFailed, None)]),
    ("deleted", &[(EventKind::AccountDeleted, None)]),
    ("reconnected", &[(EventKind::AccountReconnected, None)]),
    ("sync_success", &[]),
    ("stopped", &[(EventKind::AccountBroken, Some(Status::Stopped))]),
    ("ok", &[(EventKind::AccountHealed, None)]),
    ("connecting", &[(EventKind::AccountBroken, Some(Status::Connecting))]),
    ("error", &[(EventKind::AccountBroken, Some(Status::Error))]),
    ("credentials", &[(EventKind::AccountBroken, Some(Status::Credentials))]),
    ("permissions", &[(EventKind::AccountBroken, Some(Status::Permissions))]),
];

/// An addition, told to those only who ask for it: clients of the original know no such message.
const ENDING: (&str, &[Wanted]) = ("ending", &[(EventKind::AccountEnding, None)]);

const LINK_EVENTS: &[(&str, &[Wanted])] = &[
    ("opened", &[(EventKind::SessionOpened, None)]),
    ("taken_over", &[(EventKind::SessionTakenOver, None)]),
    ("step_failed", &[(EventKind::StepFailed, None)]),
    ("finishing", &[(EventKind::SessionFinishing, None)]),
    ("completed", &[(EventKind::SessionCompleted, None)]),
    ("cancelled", &[(EventKind::SessionCancelled, None)]),
    ("failed", &[(EventKind::SessionFailed, None)]),
    ("expired", &[(EventKind::SessionExpired, None)]),
    ("revoked", &[(EventKind::SessionRevoked, None)]),
];

/// Reads the body of `POST /v1/webhooks`.
///
/// # Errors
/// One envelope that names every bad field with its rule; 501 for a source of the original that is not served.
pub fn read_webhook(body: &Value) -> Result<WebhookRequest, Envelope> {
    let mut fields = Fields::of(body)?;
    let absent = |name: &str| body.get(name).is_none_or(Value::is_null);
    let url = fields.url("request_url");
    if absent("request_url") {
        fields.missing("request_url", "the http or https URL to call");
    }
    let source = fields.text("source", 64).unwrap_or_default().to_owned();
    let of_links = match source.as_str() {
        "account_status" => false,
        "hosted_auth_link" => true,
        known if NOT_OURS.contains(&known) => {
            let detail = format!("source {known} is not served by this version; use \"account_status\"");
            return Err(Kind::FeatureNotImplemented.detail(detail));
        }
        "" if absent("source") => {
            fields.missing("source", "\"account_status\" or \"hosted_auth_link\"");
            false
        }
        _ => {
            fields.broken("source", "must be \"account_status\" or \"hosted_auth_link\"");
            false
        }
    };
    let (events, wanted) = read_events(&mut fields, of_links);
    let form = match fields.text("format", 16) {
        None | Some("json") => false,
        Some("form") => true,
        Some(_) => {
            fields.broken("format", "must be \"json\" or \"form\"");
            false
        }
    };
    let headers = pairs(&mut fields, "headers", ("key", "value"));
    if let Some(rule) = wrong_headers(&headers) {
        fields.broken("headers", &rule);
    }
    let data = pairs(&mut fields, "data", ("name", "key"));
    let keys = if of_links { LINK_KEYS } else { ACCOUNT_KEYS };
    let odd = data.iter().any(|(name, key)| !keys.contains(&&**key) || name.is_empty() || name.len() > 100);
    let twice = (1..data.len()).any(|at| data.iter().take(at).any(|(name, _)| *name == data[at].0));
    if odd || twice {
        let rule =
            format!("must give each field one name of its own; the fields (key) are {}", keys.join(", "));
        fields.broken("data", &rule);
    }
    let spelling = Spelling { source, form, data, events };
    let mut request = WebhookRequest {
        url: url.unwrap_or_default(),
        name: fields.text("name", 200).map(str::to_owned),
        wanted,
        headers,
        account_ids: texts(&mut fields, "account_ids", 500),
        enabled: fields.boolean("enabled").unwrap_or(true),
        spelling: json!(spelling),
        unknown: Vec::new(),
    };
    request.unknown = fields.end()?;
    Ok(request)
}

/// A read change of a webhook; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// The URL.
    pub url: Option<String>,
    /// What its owner calls it; `Some(None)` takes the name away.
    pub name: Option<Option<String>>,
    /// Headers that go along with every call.
    pub headers: Option<Vec<(String, String)>>,
    /// The accounts; `Some(None)`: all.
    pub account_ids: Option<Option<Vec<String>>>,
    /// Whether it is called.
    pub enabled: Option<bool>,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

/// Reads the body of `PATCH /v1/webhooks/{id}`.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read_webhook_change(body: &Value) -> Result<WebhookChange, Envelope> {
    let mut fields = Fields::of(body)?;
    let taken_away = |name: &str| body.get(name).is_some_and(Value::is_null);
    let url = fields.url("request_url");
    let name = fields.text("name", 200).map(|name| Some(name.to_owned()));
    let given = fields.value("headers").is_some();
    let headers = pairs(&mut fields, "headers", ("key", "value"));
    if let Some(rule) = wrong_headers(&headers) {
        fields.broken("headers", &rule);
    }
    let account_ids = texts(&mut fields, "account_ids", 500).map(Some);
    let mut change = WebhookChange {
        url,
        name: name.or(taken_away("name").then_some(None)),
        headers: given.then_some(headers),
        account_ids: account_ids.or(taken_away("account_ids").then_some(None)),
        enabled: fields.boolean("enabled"),
        unknown: Vec::new(),
    };
    change.unknown = fields.end()?;
    Ok(change)
}

/// The events that were asked for, and what they stand for.
fn read_events(fields: &mut Fields<'_>, of_links: bool) -> (Vec<String>, Vec<Wanted>) {
    let named = texts(fields, "events", 50).unwrap_or_default();
    let known = || {
        let usual = if of_links { LINK_EVENTS } else { ACCOUNT_EVENTS };
        usual.iter().chain(std::iter::once(&ENDING).filter(|_| !of_links))
    };
    let mut wanted = Vec::new();
    if named.is_empty() {
        let usual = if of_links { LINK_EVENTS } else { ACCOUNT_EVENTS };
        wanted.extend(usual.iter().flat_map(|(_, wanted)| wanted.iter().copied()));
        return (named, wanted);
    }
    for name in &named {
        match known().find(|(word, _)| name.eq_ignore_ascii_case(word)) {
            Some((_, stands)) => wanted.extend(stands.iter().copied()),
            None => {
                let shown: String = name.chars().take(40).collect();
                let words: Vec<_> = known().map(|(word, _)| *word).collect();
                fields.broken("events", &format!("contains \"{shown}\"; known are {}", words.join(", ")));
                return (Vec::new(), Vec::new());
            }
        }
    }
    // Nothing wanted would mean everything: what is never told stands for itself.
    if wanted.is_empty() {
        wanted.push((EventKind::WebhookTest, None));
    }
    (named.iter().map(|name| name.to_ascii_lowercase()).collect(), wanted)
}

/// A list of texts, `most` at most.
fn texts(fields: &mut Fields<'_>, name: &'static str, most: usize) -> Option<Vec<String>> {
    let value = fields.value(name)?;
    let read = value
        .as_array()
        .filter(|all| all.len() <= most)
        .and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
    if read.is_none() {
        fields.broken(name, &format!("must be a list of at most {most} strings"));
    }
    read
}

/// A list of objects with two texts each.
fn pairs(fields: &mut Fields<'_>, name: &'static str, (one, two): (&str, &str)) -> Vec<(String, String)> {
    let Some(value) = fields.value(name) else { return Vec::new() };
    let text = |object: &Value, key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let read = value.as_array().filter(|all| all.len() <= 50).and_then(|all| {
        all.iter().map(|object| Some((text(object, one)?, text(object, two)?))).collect::<Option<Vec<_>>>()
    });
    if read.is_none() {
        fields.broken(name, &format!("must be a list of objects with the strings {one} and {two}"));
    }
    read.unwrap_or_default()
}

/// A webhook, for [`webhook`].
#[derive(Debug)]
pub struct WebhookWords<'a> {
    /// Its id.
    pub id: &'a str,
    /// What its owner calls it.
    pub name: Option<&'a str>,
    /// The URL.
    pub url: &'a str,
    /// Whether it is called.
    pub enabled: bool,
    /// Whether it answered that it is gone.
    pub gone: bool,
    /// Headers that go along with every call.
    pub headers: &'a [(String, String)],
    /// The accounts with their providers' slugs; `None`: all.
    pub accounts: Option<&'a [(String, String)]>,
    /// What it is told.
    pub spelling: &'a Value,
}

/// A webhook as its owner reads it: header values stay hidden, `events` is there when some were asked for. Keys beyond
/// the original's are additions.
pub fn webhook(words: &WebhookWords<'_>) -> Value {
    let spelling = Spelling::of(words.spelling);
    let accounts = words.accounts.unwrap_or_default();
    let mut told = Map::new();
    told.insert("object".to_owned(), json!("Webhook"));
    told.insert("id".to_owned(), json!(words.id));
    if let Some(name) = words.name {
        told.insert("name".to_owned(), json!(name));
    }
    let account = |(id, slug): &(String, String)| json!({ "id": id, "type": link_tag(slug) });
    let header = |(key, _): &(String, String)| json!({ "key": key, "value": HIDDEN });
    let field = |(name, key): &(String, String)| json!({ "name": name, "key": key });
    let rest = json!({
        "type": "AUTO",
        "source": spelling.source,
        "account_ids": accounts.iter().map(account).collect::<Vec<_>>(),
        "all_accounts": words.accounts.is_none(),
        "enabled": words.enabled,
        "gone": words.gone,
        "request_url": words.url,
        "format": if spelling.form { "form" } else { "json" },
        "headers": words.headers.iter().map(header).collect::<Vec<_>>(),
        "data": spelling.data.iter().map(field).collect::<Vec<_>>(),
    });
    if let Value::Object(rest) = rest {
        told.extend(rest);
    }
    if !spelling.events.is_empty() {
        told.insert("events".to_owned(), json!(spelling.events));
    }
    Value::Object(told)
}

/// A page of webhooks.
pub fn webhook_list(items: Vec<Value>, cursor: Value) -> Value {
    json!({ "object": "WebhookList", "items": items, "cursor": cursor })
}

/// The reply to a new webhook; the secret is shown this once.
pub fn webhook_created(id: &str, secret: &str) -> Value {
    json!({ "object": "WebhookCreated", "webhook_id": id, "secret": secret })
}

/// The reply to a deletion.
pub fn webhook_deleted() -> Value {
    json!({ "object": "WebhookDeleted" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Result<WebhookRequest, Envelope> {
        let mut body = json!({ "request_url": "https://app.example.com/hook", "source": "account_status" });
        change(&mut body);
        read_webhook(&body)
    }

    #[test]
    fn a_change_tells_nothing_given_from_taken_away_and_names_every_bad_field() {
        let nothing = read_webhook_change(&json!({})).unwrap();
        assert_eq!((nothing.url, nothing.name, nothing.headers), (None, None, None));
        assert_eq!((nothing.account_ids, nothing.enabled), (None, None));
        let change =
            json!({ "enabled": true, "name": null, "account_ids": null, "headers": [], "source": "x" });
        let read = read_webhook_change(&change).unwrap();
        assert_eq!((read.name, read.headers), (Some(None), Some(Vec::new())));
        assert_eq!((read.account_ids, read.enabled), (Some(None), Some(true)));
        assert_eq!(read.unknown, ["source"], "what it tells of stays");
        let odd = json!({ "request_url": "x", "enabled": "perhaps", "account_ids": 5, "headers": [{}] });
        let told = format!("{:?}", read_webhook_change(&odd).unwrap_err());
        for field in ["request_url", "enabled", "account_ids", "headers"] {
            assert!(told.contains(field), "{field}: {told}");
        }
    }

    #[test]
    fn without_events_every_documented_one_is_told_and_no_other() {
        let wanted = read(|_| {}).unwrap().wanted;
        assert!(wanted.contains(&(EventKind::AccountBroken, Some(Status::Credentials))));
        assert!(wanted.contains(&(EventKind::SessionFailed, None)));
        assert!(!wanted.iter().any(|(kind, _)| *kind == EventKind::AccountEnding));
        let some = read(|body| body["events"] = json!(["CREDENTIALS", "ending"])).unwrap();
        let expected =
            [(EventKind::AccountBroken, Some(Status::Credentials)), (EventKind::AccountEnding, None)];
        assert_eq!(some.wanted, expected);
        let never = read(|body| body["events"] = json!(["sync_success"])).unwrap();
        assert!(!never.wanted.is_empty(), "nothing named would be everything");
    }

    #[test]
    fn other_sources_of_the_original_are_known_and_not_served() {
        let error = read(|body| body["source"] = json!("messaging")).unwrap_err();
        assert_eq!(error.status, 501);
        let error = read(|body| body["source"] = json!("weather")).unwrap_err();
        assert!(error.detail.unwrap().starts_with("source must be"));
    }

    #[test]
    fn every_bad_field_is_named_in_one_answer() {
        let error = read_webhook(&json!({
            "request_url": "ftp://x", "source": "account_status", "format": "xml", "headers": [{ "key": "Host", "value": "x" }],
            "data": [{ "name": "id", "key": "password" }], "account_ids": "acc", "enabled": "perhaps", "events": ["odd"],
        }))
        .unwrap_err();
        let detail = error.detail.unwrap();
        for part in
            ["request_url", "format", "headers", "data", "account_ids", "enabled", "events contains \"odd\""]
        {
            assert!(detail.contains(part), "{part} is not in: {detail}");
        }
        let error = read_webhook(&json!({})).unwrap_err();
        assert_eq!(error.kind, "errors/missing_parameters");
        assert!(error.detail.unwrap().contains("source is required"));
    }

    #[test]
    fn a_webhook_reads_as_strict_clients_check_it_and_hides_what_vouches_for_it() {
        let spelling = read(|_| {}).unwrap().spelling;
        let told = webhook(&WebhookWords {
            id: "ep_1",
            name: None,
            url: "https://app.example.com/hook",
            enabled: true,
            gone: false,
            headers: &[("Unipile-Auth".to_owned(), "hidden word".to_owned())],
            accounts: Some(&[("acc_1".to_owned(), "google".to_owned())]),
            spelling: &spelling,
        });
        assert_eq!(told["account_ids"], json!([{ "id": "acc_1", "type": "GOOGLE" }]));
        assert_eq!((&told["type"], &told["data"]), (&json!("AUTO"), &json!([])));
        assert!(!told.to_string().contains("hidden word"));
        assert!(told.get("name").is_none() && told.get("events").is_none());
    }
}
