//! Measures what people cost who wait with a code on show: memory for each of two thousand, and how long one more waits for
//! their code beside them. Run by `cargo xtask bench`; it prints a table and never fails because of a number.
//!
//! Each person has begun at WhatsApp or Telegram, whose stand-ins hold as many connections; then each follows their session
//! over a stream of events as well, as an open page does. What is measured of memory is the server's alone. The time runs from
//! the request that begins the session to the code, and has the stand-in's own work in it; at Telegram the stand-in knows the
//! keys already, so that the exchange of keys is not in it.

#![expect(clippy::unwrap_used, reason = "what cannot be measured ends the measurement")]
#![expect(clippy::disallowed_methods, reason = "a page's open connection, not one of the server's")]
#![expect(clippy::allow_attributes, reason = "parts and harness are libraries for the tests they belong to")]

#[path = "../../tests/it/app/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod app;
#[path = "../../tests/it/parts/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod parts;

use std::time::{Duration, Instant};

use app::App;
use app::http::send;
use futures_util::stream::{self, StreamExt};
use parts::telegram::Telegram;
use parts::whatsapp::Whatsapp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How many people wait.
const WAITING: usize = 2_000;
/// How many begin at once while they gather.
const AT_ONCE: usize = 16;
/// How many more are timed beside them.
const TIMED: usize = 100;
/// How often somebody looks whether their code is there.
const LOOK: Duration = Duration::from_millis(5);

/// Somebody who waits.
struct Person {
    base: String,
    token: String,
    /// Open for as long as they wait.
    events: Option<TcpStream>,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        println!(
            "| people with a code on show | waiting | kB each | aim | kB each with the page open | to the code, p50 / p90 ms | aim |"
        );
        println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        whatsapp().await;
        telegram().await;
    });
}

async fn whatsapp() {
    let double = Whatsapp::start();
    measure("WhatsApp", "WHATSAPP", &double.variables(), 60).await;
}

async fn telegram() {
    let double = Telegram::start(WAITING + TIMED + 100);
    measure("Telegram", "TELEGRAM", &double.variables(), 25).await;
}

async fn measure(name: &str, tag: &str, settings: &[(String, String)], aim: u64) {
    let mut all: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend([("REQUESTS_PER_MINUTE", "0"), ("LOG", "warn")]);
    let app = App::with(&all);
    // What is made once, is made.
    let (first, _) = begin(&app, tag).await;
    let empty = memory();
    let mut people: Vec<Person> = stream::iter(0..WAITING)
        .map(|_| async {
            let (person, _) = begin(&app, tag).await;
            person
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let alone = memory();
    stream::iter(&mut people).for_each_concurrent(AT_ONCE, |person| person.follow(&app)).await;
    let followed = memory();
    let each = |full: u64| full.saturating_sub(empty) as f64 / WAITING as f64 / 1e3;
    let mut took = Vec::new();
    for _ in 0..TIMED {
        let (person, time) = begin(&app, tag).await;
        took.push(time);
        people.push(person);
    }
    took.sort();
    people.push(first);
    let waiting = stream::iter(&people).map(Person::code).buffer_unordered(AT_ONCE);
    let waiting = waiting.filter(|code| std::future::ready(code.is_some())).count().await;
    let millis = |at: usize| took[at].as_secs_f64() * 1e3;
    println!(
        "| {name} | {waiting} | **{:.0}** | {aim} | {:.0} | **{:.0}** / {:.0} | 500 |",
        each(alone),
        each(followed),
        millis(TIMED / 2),
        millis(TIMED * 9 / 10),
    );
}

/// Begins a session and waits for its code; gives how long that took from the request that begins it.
async fn begin(app: &App, tag: &str) -> (Person, Duration) {
    let link = app.link(json!({ "providers": [tag] })).await;
    let base = app.url(&format!("/v1/steps/{}", link.id));
    let began = Instant::now();
    let started = send("POST", &format!("{base}/start"), &[("x-api-key", app.key())], b"{}").await;
    assert_eq!(started.status, 201, "{}", started.text());
    let token = started.json()["token"].as_str().unwrap().to_owned();
    let person = Person { base, token, events: None };
    while person.code().await.is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "no code came");
        tokio::time::sleep(LOOK).await;
    }
    (person, began.elapsed())
}

impl Person {
    /// The code that is on show.
    async fn code(&self) -> Option<String> {
        let bearer = format!("Bearer {}", self.token);
        let seen: Value = send("GET", &self.base, &[("authorization", &bearer)], b"").await.json();
        seen["step"]["code"]["value"].as_str().map(str::to_owned)
    }

    /// Follows the session, as an open page does.
    async fn follow(&mut self, app: &App) {
        let url = url::Url::parse(&self.base).unwrap();
        let mut events = TcpStream::connect(app.address()).await.unwrap();
        let head = format!(
            "GET {}/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: text/event-stream\r\n\r\n",
            url.path(),
            app.address(),
            self.token
        );
        events.write_all(head.as_bytes()).await.unwrap();
        let mut reply = [0; 512];
        let length = events.read(&mut reply).await.unwrap();
        let reply = String::from_utf8_lossy(&reply[..length]).into_owned();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        self.events = Some(events);
    }
}

/// The server's resident memory, in bytes: it is this process's child of that name.
fn memory() -> u64 {
    let ours = format!("PPid:\t{}", std::process::id());
    let statuses = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("status")).ok());
    let of_server = |status: &String| {
        status.lines().next() == Some("Name:\tvestibule") && status.lines().any(|line| line == ours)
    };
    let status = statuses.into_iter().find(of_server).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
