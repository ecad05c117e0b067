//! The double as a child process, its control side, and a connector that goes to it.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use wire_whatsapp::{
    Connecting, Connector, Deadlines, End, Event, Linking, Session, Settings, Target, Version,
};

pub const PHONE: &str = "4915112345678";

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../doubles/whatsapp")
}

/// Node.js: the one that `cargo xtask setup` fetched, where the system's was too old for another double.
pub fn node() -> PathBuf {
    let fetched = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("node").join("node");
    if fetched.is_file() { fetched } else { "node".into() }
}

/// A running double of a test's own.
pub struct Double {
    // Its input: the double ends when this is closed.
    _input: ChildStdin,
    _child: Child,
    /// As it introduced itself.
    pub said: Value,
}

impl Double {
    pub async fn start() -> Self {
        let mut child = Command::new(node())
            .arg(folder().join("server.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Node.js");
        let input = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let said = serde_json::from_str(&line)
            .expect("the double's packages are there: `cargo xtask setup`, or `npm ci` in doubles/whatsapp");
        Self { _input: input, _child: child, said }
    }

    /// Waiting for people is short here; everything else takes as long as usual.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::new(Version::BUILT_IN, Arc::new(|| 1_800_000_000));
        settings.endpoint = self.said["endpoint"].as_str().unwrap().to_owned();
        let root = self.said["root"].as_str().unwrap();
        settings.root = std::array::from_fn(|at| u8::from_str_radix(&root[2 * at..2 * at + 2], 16).unwrap());
        settings.deadlines = Deadlines {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            ..Deadlines::default()
        };
        settings
    }

    pub fn link(&self) -> Attempt {
        self.link_with(self.settings())
    }

    pub fn link_with(&self, settings: Settings) -> Attempt {
        Attempt(Linking::start(Arc::new(settings), Arc::new(Loopback)))
    }

    /// A device that is linked.
    pub async fn linked(&self) -> Session {
        self.linked_as(PHONE).await
    }

    pub async fn linked_as(&self, phone: &str) -> Session {
        let mut attempt = self.link();
        let (text, ..) = attempt.qr().await;
        self.post("/scan", json!({ "qr": text, "phone": phone })).await.unwrap();
        attempt.linked().await
    }

    /// Calls the control side; an error is what it says.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.call("POST", path, &body.to_string()).await
    }

    pub async fn get(&self, path: &str) -> Result<Value, String> {
        self.call("GET", path, "").await
    }

    pub async fn call_delete(&self, path: &str) {
        self.call("DELETE", path, "").await.unwrap();
    }

    pub async fn device(&self, jid: &str) -> Result<Value, String> {
        self.get(&format!("/devices?jid={}", jid.replace('@', "%40").replace(':', "%3A"))).await
    }

    /// What the connections of a kind sent, the oldest first.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        // A connection that was just closed may still be on its way into the log.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let log = self.get("/log").await.unwrap();
        log.as_array().unwrap().iter().filter(|one| one["kind"] == kind).cloned().collect()
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> Result<Value, String> {
        let address = self.said["control"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let mut stream = connect(&address).await;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        // Small replies come in one piece, longer ones chunked: the longest line is what was said.
        let body = body.lines().map(str::trim).max_by_key(|line| line.len()).unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {reply}"));
        let good = head.starts_with("HTTP/1.1 200");
        if good { Ok(body) } else { Err(body["error"].as_str().unwrap().to_owned()) }
    }

    /// Runs Baileys: what it does, for which phone, and what it is given.
    pub async fn baileys(&self, mode: &str, phone: &str, input: &str) -> Value {
        let mut child = Command::new(node())
            .arg(folder().join("drive.mjs"))
            .args([mode, &self.said.to_string(), phone])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let output =
            tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A linking, with the steps that tests take.
pub struct Attempt(pub Linking);

impl Attempt {
    pub async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await;
        next.expect("an event in time").expect("an event")
    }

    /// A QR code: what it says, how long it lives, how many follow.
    pub async fn qr(&mut self) -> (String, Duration, usize) {
        match self.next().await {
            Event::Qr { text, ends_in, left } => (text.to_string(), ends_in, left),
            other => panic!("{other:?}"),
        }
    }

    pub async fn code(&mut self) -> String {
        match self.next().await {
            Event::Code { text, .. } => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// From the phone's yes to the end.
    pub async fn linked(&mut self) -> Session {
        match self.next().await {
            Event::Paired(_) => {}
            other => panic!("{other:?}"),
        }
        let session = match self.next().await {
            Event::Linked(session) => *session,
            other => panic!("{other:?}"),
        };
        assert_eq!(self.end().await, End::Linked);
        session
    }

    pub async fn end(&mut self) -> End {
        let end = match self.next().await {
            Event::Ended(end) => end,
            other => panic!("{other:?}"),
        };
        assert!(self.0.next().await.is_none());
        end
    }
}

/// Goes where it is told, without TLS.
pub struct Loopback;

impl Connector for Loopback {
    fn connect<'a>(&'a self, target: Target<'a>) -> Connecting<'a> {
        Box::pin(async move {
            assert!(!target.secure);
            let stream: Box<dyn wire_whatsapp::Stream> =
                Box::new(connect(&format!("{}:{}", target.host, target.port)).await);
            Ok(stream)
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the double is on loopback, and nothing of the product is in between"
)]
async fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}
