//! Signing in on a provider's own pages: a server of ours that is set up for a stand-in of Google or Microsoft, and the way
//! through both.

use serde_json::{Value, json};
use url::Url;

use super::http::Reply;
use super::person::{Person, Seen};
use super::{App, Link};
use crate::parts::identity::{House, Identity, Registered};
use crate::parts::visitor::Choices;

pub const ADA: &str = "ada@gmail.com";
pub const BEN: &str = "ben@work.example";
/// What the browser inside another app says it is.
pub const IN_AN_APP: &str =
    "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) Chrome/130.0 Mobile Safari/537.36 Instagram 350";

/// A server with a client at a stand-in, and the stand-in.
pub struct Place {
    pub app: App,
    pub house: House,
    pub identity: &'static Identity,
    pub client: Registered,
}

/// The name of a house in settings and routes.
pub fn slug(house: House) -> &'static str {
    match house {
        House::Google => "google",
        House::Microsoft => "microsoft",
    }
}

/// What postpress calls it in a link.
pub fn tag(house: House) -> &'static str {
    match house {
        House::Google => "GOOGLE",
        House::Microsoft => "OUTLOOK",
    }
}

/// Whose account is connected there in most tests.
pub fn address(house: House) -> &'static str {
    match house {
        House::Google => ADA,
        House::Microsoft => BEN,
    }
}

/// Registers a client of this server at a house and sets the server up for it.
pub async fn set_up(app: &mut App, house: House, settings: Value) -> (&'static Identity, Registered) {
    let client = register(app, house, settings).await;
    point(app, house, &client);
    (Identity::shared(house), client)
}

/// Sets a server up for a client that is registered at a house.
pub fn point(app: &mut App, house: House, client: &Registered) {
    let identity = Identity::shared(house);
    let section = format!("PROVIDERS__{}", slug(house).to_uppercase());
    app.set("EXTRA_CA_FILE", &identity.ca_file().display().to_string());
    app.set(&format!("{section}__CLIENT_ID"), &client.id);
    app.set(&format!("{section}__CLIENT_SECRET"), &client.secret);
    app.set(&format!("{section}__BASE"), identity.origin());
    if house == House::Microsoft {
        app.set(&format!("{section}__GRAPH_BASE"), "https://graph.microsoft.com");
    }
}

/// Registers a client with this server's addresses.
async fn register(app: &App, house: House, settings: Value) -> Registered {
    let uri = |route: &str| app.url(&format!("/providers/{}/{route}", slug(house)));
    let (callback, consent) = (uri("callback"), uri("admin-consent"));
    Identity::shared(house).register(&[&callback, &consent], settings).await
}

impl Place {
    /// A running server for one house.
    pub async fn start(house: House) -> Self {
        Self::with(house, &[], json!({})).await
    }

    /// The same with settings for the server and for the client.
    pub async fn with(house: House, settings: &[(&str, &str)], client: Value) -> Self {
        let mut app = App::prepared(settings);
        let (identity, client) = set_up(&mut app, house, client).await;
        app.run();
        Self { app, house, identity, client }
    }

    /// A running server for a stand-in of the test's own.
    pub async fn at(identity: &'static Identity, house: House) -> Self {
        let mut app = App::prepared(&[]);
        let uri = |route: &str| app.url(&format!("/providers/{}/{route}", slug(house)));
        let (callback, consent) = (uri("callback"), uri("admin-consent"));
        let client = identity.register(&[&callback, &consent], json!({})).await;
        point(&mut app, house, &client);
        let section = format!("PROVIDERS__{}", slug(house).to_uppercase());
        app.set("EXTRA_CA_FILE", &identity.ca_file().display().to_string());
        app.set(&format!("{section}__BASE"), identity.origin());
        app.run();
        Self { app, house, identity, client }
    }

    /// Registers the same client with other settings.
    pub async fn register_again(&self, mut settings: Value) {
        settings["client_id"] = json!(self.client.id);
        settings["client_secret"] = json!(self.client.secret);
        register(&self.app, self.house, settings).await;
    }

    /// A link for this house; `more` is laid over it.
    pub async fn link(&self, more: Value) -> Link {
        let mut body = json!({ "providers": [tag(self.house)] });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.app.link(body).await
    }

    /// Agrees to everything at the provider; gives the way back, which nobody has gone yet.
    pub async fn consent(&self, leaving: &Seen) -> Url {
        self.consent_with(leaving, address(self.house), &Choices::default()).await
    }

    pub async fn consent_with(&self, leaving: &Seen, address: &str, choices: &Choices<'_>) -> Url {
        self.identity.consent(&leaves_for(leaving), address, choices).await
    }

    /// The whole way of a link; the page at its end.
    pub async fn connect(&self, person: &Person, link: &Link) -> Seen {
        let leaving = person.begin(link).await;
        let back = self.consent(&leaving).await;
        person.open(back.as_str()).await
    }

    /// The whole way; the account's id.
    pub async fn account(&self, link: &Link) -> String {
        let end = self.connect(&Person::new(), link).await;
        assert_eq!(end.reply.status, 200, "{}", end.text());
        let session = self.app.session(&link.id).await;
        let id = session["account_id"].as_str().unwrap_or_else(|| panic!("{session}\n{}", end.text()));
        id.to_owned()
    }

    /// What a backend with the right key is given for an account.
    pub async fn credentials(&self, account: &str, body: Value) -> Reply {
        let asking = Asking::at(&self.app, account);
        asking.ask(&self.app.url(""), body).await.expect("an answer")
    }
}

/// A backend that asks for an account's credentials.
#[derive(Clone)]
pub struct Asking {
    key: String,
    host: String,
    path: String,
}

impl Asking {
    /// One with a key of its own.
    pub fn at(app: &App, account: &str) -> Self {
        let host = app.url("").trim_start_matches("http://").to_owned();
        Self { key: app.trusted_key(), host, path: format!("/v1/accounts/{account}/credentials") }
    }

    /// Asks a node at this address, which may be dead.
    pub async fn ask(&self, node: &str, body: Value) -> Result<Reply, String> {
        let headers =
            [("x-api-key", &*self.key), ("host", &*self.host), ("content-type", "application/json")];
        let url = format!("{node}{}", self.path);
        super::http::try_send("POST", &url, &headers, body.to_string().as_bytes()).await
    }

    /// Asks without waiting for the answer.
    pub fn spawn(&self, node: String, body: Value) -> tokio::task::JoinHandle<Result<Reply, String>> {
        let asking = self.clone();
        tokio::spawn(async move { asking.ask(&node, body).await })
    }
}

/// Where a page sends the person by itself.
pub fn leaves_for(page: &Seen) -> String {
    let refresh = page.reply.header("refresh");
    let url = refresh.split_once("url=").map(|(_, url)| url.to_owned());
    url.unwrap_or_else(|| panic!("it sends nobody away: {} {}\n{}", page.url, page.reply.status, page.text()))
}

/// A parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).expect("an address");
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Everything a house must do, for both.
pub const HOUSES: [House; 2] = [House::Google, House::Microsoft];
