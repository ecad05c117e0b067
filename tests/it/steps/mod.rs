//! The steps API through the running server: a product that draws its own screens walks the same way as a person in
//! the wizard, and what happens twice harms nothing.

mod events;
mod repeats;
mod walk;

use serde_json::{Value, json};

use crate::app::http::{Reply, send};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::{App, Link};

/// A product's screen: the token that holds the session, and where.
pub struct Screen {
    base: String,
    pub token: String,
    /// What is there to see, as it came last.
    pub seen: Value,
}

impl Screen {
    /// Starts a session; fails the test when that is refused.
    pub async fn start(app: &App, link: &Link) -> Self {
        let reply = start(app, link, &[], json!({})).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        Self::of(app, link, &reply.json())
    }

    /// A screen from the reply to a start.
    pub fn of(app: &App, link: &Link, started: &Value) -> Self {
        assert_eq!(started["object"], "SessionStarted");
        Self {
            base: app.url(&format!("/v1/steps/{}", link.id)),
            token: started["token"].as_str().expect("a token").to_owned(),
            seen: started["session"].clone(),
        }
    }

    /// The same screen, at another node.
    pub fn moved_to(&self, app: &App, link: &Link) -> Self {
        let base = app.url(&format!("/v1/steps/{}", link.id));
        Self { base, token: self.token.clone(), seen: Value::Null }
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("accept-language", "en")];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        send(method, &format!("{}{path}", self.base), &headers, body.as_bytes()).await
    }

    /// The step that is shown.
    pub fn step(&self) -> &str {
        self.seen["step"]["name"].as_str().unwrap_or_default()
    }

    /// The version that is shown.
    pub fn version(&self) -> i64 {
        self.seen["version"].as_i64().unwrap_or_default()
    }

    /// Answers the step that is shown, after checking the answer against the step's own schema.
    pub async fn answer(&mut self, fields: Value) -> &Value {
        let schema = &self.seen["step"]["answer_schema"];
        let schema = jsonschema::draft202012::new(schema).expect("the schema is one");
        assert!(schema.is_valid(&fields), "{fields}: {:?}", schema.iter_errors(&fields).next());
        self.say(json!({ "version": self.version(), "fields": fields })).await
    }

    /// Sends any answer that is taken.
    pub async fn say(&mut self, body: Value) -> &Value {
        let reply = self.call("POST", "/answer", Some(body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        self.seen = reply.json();
        &self.seen
    }

    /// Goes to the step that asks for the password.
    pub async fn until_password(&mut self, mailbox: &Mailbox) {
        assert_eq!(self.step(), "address");
        self.answer(json!({ "email": ADDRESS })).await;
        if self.step() != "servers" {
            self.say(json!({ "version": self.version(), "alternative": "manual" })).await;
        }
        assert_eq!(self.step(), "servers", "{}", self.seen);
        let servers = mailbox.servers().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
        self.answer(servers.collect()).await;
        assert_eq!(self.step(), "password", "{}", self.seen);
    }

    /// The whole way; the account's id comes back.
    pub async fn connect(&mut self, mailbox: &Mailbox) -> String {
        self.until_password(mailbox).await;
        self.answer(json!({ "password": PASSWORD })).await;
        assert_eq!(self.seen["state"], "connected", "{}", self.seen);
        self.seen["account"]["id"].as_str().expect("an account").to_owned()
    }
}

/// Starts a session with the API key.
pub async fn start(app: &App, link: &Link, more: &[(&str, &str)], body: Value) -> Reply {
    let mut headers = vec![("x-api-key", app.key())];
    headers.extend(more);
    let url = app.url(&format!("/v1/steps/{}/start", link.id));
    send("POST", &url, &headers, body.to_string().as_bytes()).await
}
