//! The stand-ins for Google's and Microsoft's sign-in (`doubles/identity`), started as children, and their control side.
//!
//! One of each serves all tests of the binary: clients, faults and the log are a client's own, so each test registers
//! one under a name that nobody else has. A test that touches the keys, which are everybody's, starts its own.

use super::certs::{Ca, Leaf};
use super::process::Process;
use super::scratch::Scratch;
use super::visitor::{Choices, Visitor, Walk, exchange};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use url::Url;

/// Whose sign-in is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum House {
    Google,
    Microsoft,
}

/// A running stand-in.
pub struct Identity {
    // Dropped first: what it prints lies in the folder.
    _process: Process,
    _folder: Scratch,
    origin: String,
    control: String,
    ca: PathBuf,
    tls: std::sync::Arc<rustls::ClientConfig>,
}

/// An application that is registered at a stand-in.
#[derive(Clone, Debug)]
pub struct Registered {
    pub id: String,
    pub secret: String,
}

/// A request that the stand-in had.
#[derive(Clone, Debug, Deserialize)]
pub struct Asked {
    /// Milliseconds since 1970.
    pub time: u64,
    /// `authorize`, `token`, `userinfo`, `revoke`, `keys` or `adminconsent`.
    pub endpoint: String,
    pub path: String,
    pub params: Map<String, Value>,
    pub user_agent: String,
    /// The scheme of the authorization header; empty without one.
    pub authorization: String,
    /// What was answered; nothing while it hangs.
    pub status: Option<u16>,
}

/// The authority of the shared stand-ins.
pub fn shared_ca() -> &'static Ca {
    static CA: OnceLock<Ca> = OnceLock::new();
    CA.get_or_init(Ca::new)
}

impl Identity {
    /// The one that all tests share.
    pub fn shared(house: House) -> &'static Self {
        static GOOGLE: OnceLock<Identity> = OnceLock::new();
        static MICROSOFT: OnceLock<Identity> = OnceLock::new();
        let cell = if house == House::Google { &GOOGLE } else { &MICROSOFT };
        cell.get_or_init(|| Self::start(shared_ca(), house))
    }

    /// Starts one of the test's own, with a certificate for `localhost`.
    pub fn start(ca: &Ca, house: House) -> Self {
        let kind = if house == House::Google { "google" } else { "microsoft" };
        let folder = Scratch::new("identity");
        let files = ca.leaf(Leaf::Good, &["localhost"]);
        let mut command = Command::new(node());
        command.arg(double("server.mjs")).args(["--kind", kind]);
        command.arg("--cert").arg(&files.cert).arg("--key").arg(&files.key);
        let mut process = Process::start_attached(kind, &mut command, folder.path());
        let ready = |output: &str| {
            let line = output.lines().find(|line| line.starts_with('{'))?.to_owned();
            serde_json::from_str::<Value>(&line).ok()
        };
        let output = folder.join(&format!("{kind}.out"));
        let read = || ready(&std::fs::read_to_string(&output).unwrap_or_default());
        process.until_ready(|| read().is_some());
        let said = read().expect("its line");
        let word = |name: &str| said[name].as_str().expect("an address").to_owned();
        Self {
            _process: process,
            origin: word("origin"),
            control: word("control"),
            ca: ca.file(),
            tls: ca.client(),
            _folder: folder,
        }
    }

    /// Where it is, like `https://localhost:1234`; at Google's also the issuer.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// An address on it.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Where its control side is.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// The authority that a client has to trust.
    pub fn ca_file(&self) -> &Path {
        &self.ca
    }

    /// Registers an application with a name of its own, or registers it anew under the same `client_id`. More settings
    /// as the double's README lists them.
    pub async fn register(&self, redirect_uris: &[&str], settings: Value) -> Registered {
        static GIVEN: AtomicU32 = AtomicU32::new(1);
        let number = GIVEN.fetch_add(1, Ordering::Relaxed);
        let mut client = json!({
            "client_id": format!("{number}-test.apps.googleusercontent.com"),
            "client_secret": format!("GOCSPX-secret-{number}"),
            "redirect_uris": redirect_uris,
            "name": "Acme CRM",
        });
        for (name, value) in settings.as_object().expect("settings") {
            client[name] = value.clone();
        }
        self.tell("POST", "/clients", &client).await;
        let word = |name: &str| client[name].as_str().expect("a word").to_owned();
        Registered { id: word("client_id"), secret: word("client_secret") }
    }

    /// Sets a fault for the client's next request that it fits.
    pub async fn fault_once(&self, client: &Registered, fault: &str) {
        self.tell("POST", "/faults", &json!({ "fault": fault, "client": client.id })).await;
    }

    /// Sets a fault with its value, until it is cleared or once.
    pub async fn fault(&self, client: &Registered, fault: &str, value: impl Into<Value>, once: bool) {
        let asked = json!({ "fault": fault, "client": client.id, "value": value.into(), "once": once });
        self.tell("POST", "/faults", &asked).await;
    }

    /// Sets a fault of the keys, which are every client's.
    pub async fn fault_for_all(&self, fault: &str, value: impl Into<Value>) {
        self.tell("POST", "/faults", &json!({ "fault": fault, "value": value.into() })).await;
    }

    /// Clears a client's faults.
    pub async fn clear_faults(&self, client: &Registered) {
        self.tell("DELETE", &format!("/faults?client={}", client.id), &Value::Null).await;
    }

    /// What a client asked an endpoint, in order; a failed call that nobody logged is not among it.
    pub async fn log(&self, client: &Registered, endpoint: &str) -> Vec<Asked> {
        self.log_at(&format!("/log?client={}&endpoint={endpoint}", client.id)).await
    }

    /// What everybody asked an endpoint; the only way to see who read the keys.
    pub async fn whole_log(&self, endpoint: &str) -> Vec<Asked> {
        self.log_at(&format!("/log?endpoint={endpoint}")).await
    }

    async fn log_at(&self, path: &str) -> Vec<Asked> {
        let log = self.tell("GET", path, &Value::Null).await;
        serde_json::from_value(log["entries"].clone()).expect("the log")
    }

    /// The person withdraws what they granted the application.
    pub async fn withdraw(&self, client: &Registered, address: &str) {
        self.tell("POST", "/revoke-user", &json!({ "client": client.id, "address": address })).await;
    }

    /// Ends the person's access tokens at once; their refresh tokens live on.
    pub async fn expire_access(&self, client: &Registered, address: &str) {
        self.tell("POST", "/expire-access", &json!({ "client": client.id, "address": address })).await;
    }

    /// Other keys sign from now on.
    pub async fn rotate_keys(&self) {
        self.tell("POST", "/rotate-keys", &Value::Null).await;
    }

    /// A security event that Google signed; `asked` as the double's README lists it.
    pub async fn security_event(
        &self,
        client: &Registered,
        address: &str,
        types: &[&str],
        more: Value,
    ) -> String {
        let mut asked = json!({ "client": client.id, "address": address, "types": types });
        for (name, value) in more.as_object().expect("settings") {
            asked[name] = value.clone();
        }
        let said = self.tell("POST", "/security-event", &asked).await;
        said["token"].as_str().expect("a token").to_owned()
    }

    /// The id of Microsoft's tenant that a domain is.
    pub async fn tenant(&self, domain: &str) -> String {
        let said = self.tell("GET", &format!("/tenant?domain={domain}"), &Value::Null).await;
        said["tenant"].as_str().expect("a GUID").to_owned()
    }

    /// Somebody with a fresh browser.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(&self.origin, self.tls.clone())
    }

    /// A fresh browser walks from the authorization address to the callback, which nobody has called yet.
    pub async fn consent(&self, auth_url: &str, address: &str, choices: &Choices<'_>) -> Url {
        match self.visitor().walk(auth_url, address, choices).await {
            Walk::Back(url) => url,
            Walk::Stuck { status, text } => panic!("no way back from this page ({status}): {text}"),
        }
    }

    /// Sends a form as an application's server does; status and body come back.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = exchange(&self.tls, "POST", &self.at(path), &headers, &body).await.expect("an answer");
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
    }

    /// Any request; nothing when the connection was cut.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<crate::app::http::Reply> {
        exchange(&self.tls, method, url, headers, body).await.ok()
    }

    async fn tell(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let url = format!("{}{path}", self.control);
        let reply = crate::app::http::send(method, &url, &[], body.as_bytes()).await;
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        reply.json()
    }
}

/// A file of the double.
pub fn double(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("doubles/identity").join(name)
}

/// The Node.js that set-up fetched where the system's is too old, else the system's.
pub fn node() -> PathBuf {
    let fetched = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("node").join("node");
    if fetched.is_file() { fetched } else { super::tool("node") }
}
