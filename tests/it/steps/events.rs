//! Server-sent events: read as they come, over a plain connection.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::Screen;
use crate::app::mailbox::{Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::app::{App, Link};
use crate::parts::postgres::schema;
use crate::proofs::nodes::two_nodes;

/// A stream that is being read.
struct Stream {
    status: u16,
    body: Incoming,
    read: String,
}

impl Stream {
    async fn open(app: &App, link: &Link, token: &str) -> Self {
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get(app.url(&format!("/v1/steps/{}/events", link.id)))
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::new())
            .unwrap();
        let answer = client.request(request).await.expect("the stream opens");
        let (head, body) = answer.into_parts();
        Self { status: head.status.as_u16(), body, read: String::new() }
    }

    /// The next event: its name and its data; `None` when the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                match (line("event:"), line("data:")) {
                    (Some(name), Some(data)) => {
                        return Some((name.to_owned(), serde_json::from_str(data).expect("JSON")));
                    }
                    // A comment that says the stream lives.
                    _ => continue,
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(40), self.body.frame()).await;
            let frame = frame.expect("something comes, if only a sign of life")?;
            let data = frame.ok()?.into_data().unwrap_or_default();
            self.read.push_str(&String::from_utf8_lossy(&data));
        }
    }

    /// Reads until a session of this kind is told.
    async fn until(&mut self, says: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (name, data) = self.next().await.expect("the stream goes on");
            if name == "session" && says(&data) {
                return data;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_tells_each_step_the_checking_and_the_end_and_then_closes() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let mut screen = Screen::start(&app, &link).await;
    let mut stream = Stream::open(&app, &link, &screen.token).await;
    assert_eq!(stream.status, 200);
    let first = stream.until(|_| true).await;
    assert_eq!(first, screen.seen, "the current view comes first");
    screen.until_password(&mailbox).await;
    let told = stream.until(|seen| seen["step"]["name"] == "password").await;
    assert_eq!(told["version"], screen.seen["version"]);
    screen.answer(json!({ "password": PASSWORD })).await;
    let end = stream.until(|seen| seen["state"] == "connected").await;
    assert_eq!(end["account"], screen.seen["account"]);
    assert!(stream.next().await.is_none(), "nothing comes after the end");
}

#[tokio::test]
async fn two_streams_a_session_and_a_third_is_told_to_ask_instead() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let screen = Screen::start(&app, &link).await;
    let mut first = Stream::open(&app, &link, &screen.token).await;
    let second = Stream::open(&app, &link, &screen.token).await;
    let third = Stream::open(&app, &link, &screen.token).await;
    assert_eq!((first.status, second.status, third.status), (200, 200, 429));
    drop(second);
    crate::parts::eventually_async("room for another", Duration::from_secs(20), async || {
        (Stream::open(&app, &link, &screen.token).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(Stream::open(&app, &link, "stolen").await.status, 401);
    first.until(|_| true).await;
}

#[tokio::test]
async fn a_stream_ends_when_a_browser_takes_the_session_over_and_when_the_server_stops() {
    let mailbox = Mailbox::start();
    let mut app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let screen = Screen::start(&app, &link).await;
    let mut stream = Stream::open(&app, &link, &screen.token).await;
    stream.until(|_| true).await;
    let person = Person::new();
    let page = person.open(&link.url).await;
    person.submit(&page, &page.sheet().raw("takeover", "yes")).await;
    let (name, data) = stream.next().await.expect("it is told");
    assert_eq!((name.as_str(), data), ("gone", json!({ "object": "SessionGone" })));
    assert!(stream.next().await.is_none());

    let link = app.link(json!({})).await;
    let screen = Screen::start(&app, &link).await;
    let mut stream = Stream::open(&app, &link, &screen.token).await;
    stream.until(|_| true).await;
    assert!(app.stop(), "a stream does not hold up a stop");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_at_one_node_tells_what_was_answered_at_another() {
    let mailbox = Mailbox::start();
    let schema = schema();
    let (front, first, second) = two_nodes(&mailbox, &schema, &[]);
    let link = first.link(json!({})).await;
    let mut screen = Screen::start(&first, &link).await;
    let mut stream = Stream::open(&first, &link, &screen.token).await;
    stream.until(|_| true).await;
    front.aim(second.address());
    screen.until_password(&mailbox).await;
    stream.until(|seen| seen["step"]["name"] == "password").await;
    screen.answer(json!({ "password": PASSWORD })).await;
    stream.until(|seen| seen["state"] == "connected").await;
}
