//! The stand-in for WhatsApp (`doubles/whatsapp`), started as a child, and its control side: phones and the people who hold
//! them.

use super::certs::{Ca, Leaf};
use super::process::Process;
use super::scratch::Scratch;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A running stand-in.
pub struct Whatsapp {
    // Dropped first: what it prints lies in the folder.
    _process: Process,
    _folder: Scratch,
    said: Value,
}

impl Whatsapp {
    /// Starts one of the test's own, in clear.
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Starts one that speaks TLS, with a certificate for `localhost`.
    pub fn start_tls(ca: &Ca) -> Self {
        Self::with(Some(ca))
    }

    fn with(ca: Option<&Ca>) -> Self {
        let folder = Scratch::new("whatsapp");
        let mut command = Command::new(super::identity::node());
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("doubles/whatsapp/server.mjs"));
        if let Some(ca) = ca {
            let files = ca.leaf(Leaf::Good, &["localhost"]);
            command.arg("--cert").arg(&files.cert).arg("--key").arg(&files.key);
        }
        let mut process = Process::start_attached("whatsapp", &mut command, folder.path());
        let output = folder.join("whatsapp.out");
        let read = || {
            let output = std::fs::read_to_string(&output).unwrap_or_default();
            let line = output.lines().find(|line| line.starts_with('{') && line.ends_with('}'))?.to_owned();
            serde_json::from_str::<Value>(&line).ok()
        };
        process.until_ready(|| read().is_some());
        let said = read().expect("its line");
        Self { _process: process, _folder: folder, said }
    }

    /// Where a client connects to.
    pub fn endpoint(&self) -> &str {
        self.said["endpoint"].as_str().expect("an address")
    }

    /// The key that a client must trust, in hexadecimal.
    pub fn root(&self) -> &str {
        self.said["root"].as_str().expect("a key")
    }

    /// The provider's settings that lead here, as a server's environment has them without the prefix of all.
    pub fn variables(&self) -> Vec<(String, String)> {
        let settings = [("ENABLED", "true"), ("TEST_ENDPOINT", self.endpoint()), ("TEST_ROOT", self.root())];
        settings.map(|(name, value)| (format!("PROVIDERS__WHATSAPP__{name}"), value.to_owned())).into()
    }

    /// Calls the control side; an error is what it says.
    pub async fn tell(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.said["control"].as_str().expect("an address"));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = crate::app::http::send(method, &url, &[], body.as_bytes()).await;
        let said: Value = reply.json();
        match reply.status {
            200 => Ok(said),
            _ => Err(said["error"].as_str().unwrap_or_default().to_owned()),
        }
    }

    /// The same for a call that must work.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.tell("POST", path, body).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The phone with this number scans a code; an error is why nothing came of it.
    pub async fn scan(&self, phone: &str, qr: &str) -> Result<Value, String> {
        self.tell("POST", "/scan", json!({ "qr": qr, "phone": phone })).await
    }

    /// A pairing code is typed on the phone with this number.
    pub async fn type_code(&self, phone: &str, code: &str) -> Result<Value, String> {
        self.tell("POST", "/type", json!({ "phone": phone, "code": code })).await
    }

    /// A linked device; an error where there is none.
    pub async fn device(&self, jid: &str) -> Result<Value, String> {
        let jid = jid.replace('@', "%40").replace(':', "%3A");
        self.tell("GET", &format!("/devices?jid={jid}"), Value::Null).await
    }

    /// The connections of a kind, the oldest first.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.tell("GET", "/log", Value::Null).await.expect("a log");
        log.as_array().expect("a list").iter().filter(|one| one["kind"] == kind).cloned().collect()
    }

    /// Lets Baileys go on from a session; what it says of itself then.
    pub fn baileys(&self, phone: &str, session: &Value) -> Value {
        let mut child = Command::new(super::identity::node())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("doubles/whatsapp/drive.mjs"))
            .args(["go-on", &self.said.to_string(), phone])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Node is there");
        child.stdin.take().expect("its input").write_all(session.to_string().as_bytes()).expect("its input");
        let ran = child.wait_with_output().expect("its end");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).expect("its line")
    }
}
