//! The server under test, as an operator starts it and a backend calls it, with the mailbox that persons connect.
//! Only public options are used: what a test needs, an operator can have.

pub mod http;
pub mod mailbox;
pub mod person;
pub mod signing;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::parts::binary::vestibule;
use crate::parts::kill::{KillPlan, Syncs, count_syncs, was_killed};
use crate::parts::process::Process;
use crate::parts::scratch::Scratch;
use crate::parts::{READY, dial, eventually, free_port, local};
use http::Reply;

/// A server with a data directory of its own.
pub struct App {
    // Dropped first: what it printed lies in the folder, and a failed test shows it.
    process: Option<Process>,
    scratch: Scratch,
    port: u16,
    /// The port that people and backends reach it through.
    public: u16,
    settings: BTreeMap<String, String>,
    key: String,
}

impl App {
    /// A server on SQLite that may reach loopback, ready to answer.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more settings (name without the prefix, value).
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let mut app = Self::prepared(settings);
        app.run();
        app
    }

    /// The same, not running yet.
    pub fn prepared(settings: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new("app");
        let port = free_port();
        let mut all = BTreeMap::from([
            ("LISTEN".to_owned(), format!("127.0.0.1:{port}")),
            ("DATA_DIR".to_owned(), scratch.join("data").display().to_string()),
            ("EGRESS_ALLOW".to_owned(), "127.0.0.0/8".to_owned()),
            ("LOG".to_owned(), "info,vestibule=debug".to_owned()),
            // Tests connect one mailbox more often than anybody does.
            ("HOST_CONNECTS_PER_MINUTE".to_owned(), "0".to_owned()),
            ("LOGIN_TRIES_PER_HOUR".to_owned(), "0".to_owned()),
            ("PRODUCT_NAME".to_owned(), "Acme CRM".to_owned()),
        ]);
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self { scratch, port, public: port, settings: all, process: None, key: String::new() }
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Puts it behind a front, which is from now on the one address it is reached at.
    pub fn behind(&mut self, front: SocketAddr) {
        self.public = front.port();
        self.set("PUBLIC_URL", &format!("http://{front}"));
    }

    /// Where it listens itself.
    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// A command with this server's settings and nothing else in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(vestibule());
        command.args(arguments).env_clear().current_dir(self.scratch.path());
        for (name, value) in &self.settings {
            command.env(format!("VESTIBULE_{name}"), value);
        }
        command
    }

    /// Runs a command to its end: whether it worked, standard output, standard error.
    pub fn cli(&self, arguments: &[&str]) -> (bool, String, String) {
        let output = self.command(arguments).output().expect("the command runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// Starts the server and waits until it answers.
    pub fn run(&mut self) {
        let command = self.command(&["serve"]);
        self.run_as(command);
    }

    /// Starts the server by a command made with [`App::command`], perhaps changed since.
    pub fn run_as(&mut self, command: Command) {
        self.spawn(command);
        let address = local(self.port);
        let process = self.process.as_mut().expect("it was just started");
        process.until_ready(|| dial(address).is_ok());
        self.learn_key();
    }

    /// Starts a server that may die on its way and waits until it answers or has died.
    pub fn run_mortal(&mut self, command: Command) {
        self.spawn(command);
        let address = local(self.port);
        let process = self.process.as_mut().expect("it was just started");
        eventually("an answer or the end", READY, || {
            (process.ended().is_some() || dial(address).is_ok()).then_some(())
        });
    }

    /// Starts a server that dies by the plan, or counts its syncs where there is none.
    pub fn run_until_killed(&mut self, plan: Option<KillPlan>) -> Syncs {
        let mut command = self.command(&["serve"]);
        let syncs = match plan {
            Some(plan) => plan.apply(&mut command),
            None => count_syncs(&mut command),
        };
        self.run_mortal(command);
        syncs
    }

    /// Waits for the planned kill and starts the server again.
    pub fn run_after_the_kill(&mut self) {
        let end = eventually("the server's end", READY, || self.process().ended());
        assert!(was_killed(end), "{end}");
        self.run();
    }

    /// Starts the server again when it has died; says whether it had.
    pub fn revive(&mut self) -> bool {
        let died = self.process().ended().is_some();
        if died {
            self.run();
        }
        died
    }

    /// Waits for the planned kill of a server that has done all it was asked for, and starts it again. What began fewer syncs
    /// than the first time, because two writes met in one commit, is given more to write.
    pub fn outlive_the_kill(&mut self) {
        let mut written = 0;
        eventually("the planned kill", READY, || {
            let key = [("x-api-key", self.key.as_str()), ("content-type", "application/json")];
            let (url, body) = (self.url("/v1/hosted/accounts/link"), self.usual_link().to_string());
            // It may die of this very request.
            written += u32::from(wait(http::try_send("POST", &url, &key, body.as_bytes())).is_ok());
            assert!(written <= 3, "the plan is past everything that this way writes");
            self.revive().then_some(())
        });
    }

    /// Starts the server without waiting for it.
    pub fn spawn(&mut self, mut command: Command) {
        self.process = Some(Process::start("vestibule", &mut command, self.scratch.path()));
    }

    /// Picks up the first key, which a first start prints; makes one where none was printed.
    fn learn_key(&mut self) {
        if self.key.is_empty() {
            let output = self.output();
            let printed = output.split_whitespace().find(|word| word.starts_with("vst_"));
            self.key = match printed {
                Some(key) => key.to_owned(),
                None => self.cli(&["keys", "create", "--name", "test"]).1.trim().to_owned(),
            };
        }
    }

    /// Uses another server's key: two nodes on one database.
    pub fn share_key(&mut self, other: &Self) {
        self.key.clone_from(&other.key);
    }

    /// Kills the server without warning.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("KILL");
            process.wait(Duration::from_secs(10));
        }
    }

    /// Asks the server to stop and waits until it has.
    pub fn stop(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        process.signal("TERM");
        process.wait(Duration::from_secs(60)).success()
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    /// Everything it has logged, over all its starts.
    pub fn output(&self) -> String {
        let text = std::fs::read(self.scratch.join("vestibule.out")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A file or folder in the data directory.
    pub fn data(&self, name: &str) -> std::path::PathBuf {
        Path::new(&self.settings["DATA_DIR"]).join(name)
    }

    /// The API key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// An API key of its own that may read credentials.
    pub fn trusted_key(&self) -> String {
        self.key_for(&["--credentials"])
    }

    /// An API key of its own, made with these options.
    pub fn key_for(&self, options: &[&str]) -> String {
        let (made, key, why) = self.cli(&[&["keys", "create", "--name", "trusted"], options].concat());
        assert!(made, "{why}");
        key.trim().to_owned()
    }

    /// An address of the server.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.public)
    }

    /// Calls the API with the key.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let headers = [("x-api-key", self.key.as_str()), ("content-type", "application/json")];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        http::send(method, &self.url(path), &headers, body.as_bytes()).await
    }

    /// The request for a mailbox's link.
    fn usual_link(&self) -> Value {
        json!({
            "type": "create",
            "providers": ["MAIL"],
            "api_url": self.url("/v1"),
            "expiresOn": in_an_hour(),
        })
    }

    /// Makes a link for a mailbox; `more` is laid over the usual request.
    pub async fn link(&self, more: Value) -> Link {
        let mut body = self.usual_link();
        for (name, value) in more.as_object().expect("an object of fields") {
            body[name] = value.clone();
        }
        let reply = self.api("POST", "/v1/hosted/accounts/link", Some(body)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let reply = reply.json();
        Link { id: reply["id"].as_str().unwrap().to_owned(), url: reply["url"].as_str().unwrap().to_owned() }
    }

    /// Reads a session.
    pub async fn session(&self, id: &str) -> Value {
        self.api("GET", &format!("/v1/hosted/accounts/link/{id}"), None).await.json()
    }

    /// All accounts.
    pub async fn accounts(&self) -> Vec<Value> {
        let reply = self.api("GET", "/v1/accounts?limit=250", None).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["items"].as_array().expect("items").clone()
    }
}

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    pub id: String,
    pub url: String,
}

/// Runs a future to its end on a thread without a runtime.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

/// A time an hour ahead, as the API wants it.
pub fn in_an_hour() -> String {
    let clock = vestibule::kernel::clock::Clock::system();
    clock.now().after(Duration::from_secs(3600)).rfc3339()
}
