//! The same stories in both dialects: whatever a product speaks, equal rows and events are left behind.

mod both;
mod bytes;
mod riposte;
mod rows;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::app::http::Reply;
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::app::person::{Person, Seen};
use crate::app::{App, Link, in_an_hour};

/// A public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postpress,
    Riposte,
}

pub const BOTH: [Dialect; 2] = [Dialect::Postpress, Dialect::Riposte];

/// Where the product wants its person back.
pub const HOME: &str = "https://app.example.com/done?keep=1";

impl Dialect {
    /// Where a link is asked for, and the least that asks for one for a mailbox.
    pub fn request(self, base: &str, notify: &str) -> (&'static str, Value) {
        match self {
            Self::Postpress => {
                let body = json!({
                    "type": "create",
                    "providers": ["MAIL"],
                    "api_url": format!("{base}/v1"),
                    "expiresOn": in_an_hour(),
                    "notify_url": notify,
                });
                ("/v1/hosted/accounts/link", body)
            }
            Self::Riposte => {
                let body = json!({ "redirectUri": HOME, "provider": "imap", "notifyUrl": notify });
                ("/auth/sessions", body)
            }
        }
    }

    /// The link in the reply to that.
    pub fn made(self, reply: &Reply) -> Link {
        let (status, id, url) = match self {
            Self::Postpress => (201, "id", "url"),
            Self::Riposte => (200, "code", "authUrl"),
        };
        assert_eq!(reply.status, status, "{}", reply.text());
        let reply = reply.json();
        let text = |name: &str| reply[name].as_str().expect("text").to_owned();
        Link { id: text(id), url: text(url) }
    }

    /// Asks for a link for a mailbox, for this person of the product's.
    pub async fn link(self, app: &App, person: &str, notify: &str) -> Link {
        let (path, mut body) = self.request(&app.url(""), notify);
        let more = match self {
            Self::Postpress => json!({
                "name": person,
                "success_redirect_url": HOME,
                "failure_redirect_url": HOME,
                "bypass_success_screen": true,
            }),
            Self::Riposte => json!({ "customUserId": person, "expiresInMinutes": 60 }),
        };
        for (name, value) in more.as_object().expect("an object of fields") {
            body[name] = value.clone();
        }
        self.made(&app.api("POST", path, Some(body)).await)
    }

    /// Takes a link back.
    pub async fn revoke(self, app: &App, link: &Link) {
        let path = match self {
            Self::Postpress => format!("/v1/hosted/accounts/link/{}", link.id),
            Self::Riposte => format!("/auth/sessions/{}", link.id),
        };
        let reply = app.api("DELETE", &path, None).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Opens the link and presses on to the step that asks for the password.
    pub async fn until_password(self, person: &Person, mailbox: &Mailbox, link: &Link) -> Seen {
        match self {
            Self::Postpress => person.until_password(mailbox, link).await,
            Self::Riposte => {
                let welcome = person.open(&link.url).await;
                assert!(welcome.has("input[name=\"email\"]"), "{}", welcome.text());
                let mut seen = person.submit(&welcome, &welcome.sheet().raw("email", ADDRESS)).await;
                assert_eq!(seen.step(), "servers", "the address was asked for already: {}", seen.text());
                let mut sheet = seen.sheet();
                for (name, value) in mailbox.servers() {
                    sheet = sheet.with(name, &value);
                }
                seen = person.submit(&seen, &sheet).await;
                assert_eq!(seen.step(), "password", "{}", seen.text());
                seen
            }
        }
    }
}

/// What a session left behind, as the operator's command line tells it, without what differs by nature.
pub fn left_behind(app: &App, link: &Link) -> Value {
    let (done, told, complaint) = app.cli(&["sessions", "show", &link.id]);
    assert!(done, "{complaint}");
    let mut told: Value = serde_json::from_str(&told).expect("JSON");
    let ids = [("id", "session"), ("reference", "code"), ("account_id", "account"), ("dialect", "any")];
    for (name, stands) in ids {
        if !told[name].is_null() {
            told[name] = json!(stands);
        }
    }
    for name in ["created_at", "expires_at", "ended_at"] {
        told[name] = json!(!told[name].is_null());
    }
    for event in told["events"].as_array_mut().expect("events") {
        let event = event.as_object_mut().expect("an event");
        event.remove("at");
        if let Some(facts) = event["facts"].as_object_mut()
            && facts.contains_key("account_id")
        {
            facts.insert("account_id".to_owned(), json!("account"));
        }
    }
    told
}

/// The accounts, without ids and times.
pub async fn accounts(app: &App) -> Vec<BTreeMap<String, Value>> {
    let mut found = Vec::new();
    for account in app.accounts().await {
        let kept = ["type", "name", "link_name", "cause", "connection_params"];
        found.push(kept.iter().map(|name| ((*name).to_owned(), account[*name].clone())).collect());
    }
    found
}
