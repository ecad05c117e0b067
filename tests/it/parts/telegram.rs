//! The stand-in for Telegram's data centres (`doubles/telegram`), started as a child with keys that it knows, and its control
//! side; and Telethon, an independent client that goes on from a session.

use super::identity::node;
use super::process::Process;
use super::scratch::Scratch;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use vestibule::kernel::egress::{Egress, Request, Setup};

/// A running stand-in with three data centres.
pub struct Telegram {
    // Dropped first: what it prints lies in the folder.
    _process: Process,
    folder: Scratch,
    line: String,
    said: Value,
    egress: Egress,
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("doubles/telegram").join(name)
}

/// A way out that leads to this machine.
pub fn way_out() -> Egress {
    let allow = vec!["127.0.0.0/8".parse().expect("a network")];
    Egress::new(Setup { allow, ..Setup::default() }).expect("a way out")
}

impl Telegram {
    /// Starts one, with so many keys for each data centre.
    pub fn start(keys: usize) -> Self {
        let folder = Scratch::new("telegram");
        let mut command = Command::new(node());
        command.arg(beside("server.mjs")).arg("--keys-file").arg(folder.join("keys"));
        command.args(["--keys", &keys.to_string()]);
        let mut process = Process::start_attached("double", &mut command, folder.path());
        let output = folder.join("double.out");
        let read = || {
            let output = std::fs::read_to_string(&output).unwrap_or_default();
            let line = output.lines().find(|line| line.starts_with('{'))?.to_owned();
            serde_json::from_str::<Value>(&line).ok().map(|said| (line, said))
        };
        process.until_ready(|| read().is_some());
        let (line, said) = read().expect("its line");
        Self { _process: process, folder, line, said, egress: way_out() }
    }

    /// The provider's settings that lead here.
    pub fn settings(&self) -> toml::Table {
        let dcs = self.said["dcs"].as_object().expect("data centres");
        let dcs: Vec<_> =
            dcs.iter().map(|(number, at)| format!("{number}={}", at.as_str().expect("an address"))).collect();
        let keys = self.folder.join("keys").to_str().expect("a path").to_owned();
        toml::Table::from_iter([
            ("api_id".to_owned(), self.said["api"]["id"].as_i64().expect("a number").into()),
            ("api_hash".to_owned(), self.said["api"]["hash"].as_str().expect("a hash").into()),
            ("test_data_centres".to_owned(), dcs.join(",").into()),
            ("test_keys".to_owned(), keys.into()),
        ])
    }

    /// The same as a server's environment has them, without the prefix of all.
    pub fn variables(&self) -> Vec<(String, String)> {
        let said = self.settings().into_iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (format!("PROVIDERS__TELEGRAM__{}", name.to_uppercase()), value)
        });
        said.collect()
    }

    /// Where a data centre is.
    pub fn address(&self, dc: u8) -> String {
        self.said["dcs"][dc.to_string()].as_str().expect("an address").to_owned()
    }

    /// Asks the control side; the status and what it said.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let control = self.said["control"].as_str().expect("an address");
        let request = Request {
            method: method.parse().expect("a method"),
            url: format!("{control}{path}").parse().expect("an address"),
            headers: Default::default(),
            body: if body.is_null() { Default::default() } else { body.to_string().into() },
            time_limit: Duration::from_secs(20),
            size_limit: 1024 * 1024,
        };
        let answer = self.egress.send(request).await.expect("an answer");
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// Tells the control side something that it must take.
    pub async fn tell(&self, path: &str, body: Value) -> Value {
        let (status, said) = self.ask("POST", path, &body).await;
        assert_eq!(status, 200, "{path}: {said}");
        said
    }

    /// Makes an account: `dc`, `password`, `hint`, `code_via` and names are as the double's README lists them.
    pub async fn account(&self, phone: &str, more: Value) -> Value {
        let mut account = json!({ "phone": phone });
        for (name, value) in more.as_object().expect("settings") {
            account[name] = value.clone();
        }
        self.tell("/accounts", account).await
    }

    /// The account's phone scans a code.
    pub async fn scan(&self, url: &str, phone: &str) {
        self.tell("/scan", json!({ "url": url, "phone": phone })).await;
    }

    /// The code that was sent last.
    pub async fn code(&self, phone: &str) -> String {
        let phone = phone.trim_start_matches('+');
        let (status, said) = self.ask("GET", &format!("/code?phone={phone}"), &Value::Null).await;
        assert_eq!(status, 200, "{said}");
        said["code"].as_str().expect("a code").to_owned()
    }

    /// The account's devices.
    pub async fn devices(&self, phone: &str) -> Vec<Value> {
        let phone = phone.trim_start_matches('+');
        let (_, said) = self.ask("GET", &format!("/sessions?phone={phone}"), &Value::Null).await;
        said.as_array().expect("a list").clone()
    }

    /// Each connection with what was asked on it.
    pub async fn log(&self) -> Vec<Value> {
        self.ask("GET", "/log", &Value::Null).await.1.as_array().expect("a list").clone()
    }

    /// How often a method was asked.
    pub async fn asked(&self, method: &str) -> usize {
        let log = self.log().await;
        let requests = log.iter().flat_map(|one| one["requests"].as_array().expect("a list"));
        requests.filter(|request| request["method"] == method).count()
    }

    /// Lets Telethon go on from a session string; what it says of itself then.
    pub fn telethon(&self, session: &str) -> Value {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("telethon").join("bin/python");
        let mut child = Command::new(python)
            .arg("-B")
            .arg(beside("drive.py"))
            .arg(&self.line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Telethon is there; run `cargo xtask setup`");
        child.stdin.take().expect("its input").write_all(session.as_bytes()).expect("its input");
        let ran = child.wait_with_output().expect("its end");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).expect("its line")
    }
}
