//! Senders that are killed two hundred times, while things happen and while they deliver, beside a receiver that counts:
//! nothing is lost, order is kept, and what comes twice has the same id and the same bytes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{endpoint, log, text};
use crate::app::App;
use crate::app::mailbox::Mailbox;
use crate::callers::imports;
use crate::parts::sink::{Answer, Call, Sink};
use crate::parts::{READY, eventually, eventually_async};
use crate::proofs::walk::{in_parallel, wait};
use crate::steps::{Screen, start};

/// How many servers there are, each killed so often.
const SERVERS: usize = 4;
const KILLS: usize = 50;
/// A server is killed once so many more calls have come: at most as many as a story makes.
const CALLS: [usize; 4] = [1, 2, 3, 4];

/// A session's four events.
async fn story(app: &App) {
    let link = app.link(json!({ "expiresOn": crate::app::in_an_hour() })).await;
    let mut screen = Screen::start(app, &link).await;
    screen.say(json!({ "version": screen.version(), "fields": { "email": "no address" } })).await;
    let taken = start(app, &link, &[], json!({ "takeover": true })).await;
    let screen = Screen::of(app, &link, &taken.json());
    assert_eq!(screen.call("POST", "/cancel", None).await.status, 200);
}

/// An account's events.
const OF_ACCOUNTS: [&str; 2] = ["account.connected", "account.deleted"];

/// An account that comes and goes; its id.
async fn comes_and_goes(app: &App, mailbox: &Mailbox, number: usize) -> String {
    let mut body = imports::mailbox(mailbox);
    body["name"] = json!(format!("user_{number}"));
    let id = imports::imported(app, &body).await;
    assert_eq!(app.api("DELETE", &format!("/v1/accounts/{id}"), None).await.status, 200);
    id
}

/// Kills a server over and over; gives it back alive, with the receiver.
fn killed(server: usize, mailbox: &Mailbox, duplicates: &AtomicUsize) {
    let sink = Sink::start();
    sink.answer(Answer::status(200).delay(Duration::from_millis(15)));
    let mut app = mailbox.app(&[]);
    let mut accounts = Vec::new();
    wait(endpoint(&app, &sink.url("/counted"), json!({})));
    wait(async {
        for _ in 0..5 {
            story(&app).await;
        }
    });
    for kill in 0..KILLS {
        let before = sink.calls().len();
        let wanted = before + CALLS[(kill + server) % CALLS.len()];
        // What happens while it delivers is delivered as well.
        wait(story(&app));
        if kill % 3 == 0 {
            accounts.push(wait(comes_and_goes(&app, mailbox, kill)));
        }
        eventually("calls", READY, || (sink.calls().len() >= wanted).then_some(()));
        app.kill();
        app.run();
    }
    let left = || log(&app, "&status=due&limit=1");
    wait(eventually_async("everything to be delivered", READY, async || {
        left().await.is_empty().then_some(())
    }));
    duplicates.fetch_add(wait(count(&app, &sink, &accounts)), Ordering::Relaxed);
}

/// What was told, in order: the same one again only right after itself, and then to the byte.
fn told<'a>(calls: &[&'a Call]) -> Vec<&'a Call> {
    let mut told: Vec<&Call> = Vec::new();
    for call in calls {
        match told.last() {
            Some(last) if last.header("webhook-id") == call.header("webhook-id") => {
                assert_eq!(last.body, call.body);
            }
            _ => told.push(call),
        }
    }
    told
}

fn types(told: &[&Call]) -> Vec<Value> {
    told.iter().map(|call| call.json()["type"].clone()).collect()
}

/// Holds what came against what happened; gives how many calls came twice.
async fn count(app: &App, sink: &Sink, accounts: &[String]) -> usize {
    let calls = sink.calls();
    let mut by_session: BTreeMap<String, Vec<&Call>> = BTreeMap::new();
    let mut by_account: BTreeMap<String, Vec<&Call>> = BTreeMap::new();
    for call in &calls {
        let body = call.json();
        match body["type"].as_str().is_some_and(|kind| kind.starts_with("account.")) {
            true => by_account.entry(text(&body["data"]["accountId"])).or_default().push(call),
            false => by_session.entry(text(&body["data"]["session"])).or_default().push(call),
        }
    }
    let mut sessions = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.api("GET", &format!("/v1/hosted/accounts/link?limit=250{cursor}"), None).await.json();
        sessions.extend(page["items"].as_array().expect("items").iter().map(|link| text(&link["id"])));
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(by_session.len(), sessions.len(), "every session is heard of");
    let mut distinct = 0;
    for session in &sessions {
        let story = app.api("GET", &format!("/auth/sessions/{session}/events"), None).await.json();
        let happened: Vec<Value> =
            story["events"].as_array().expect("events").iter().map(|event| event["type"].clone()).collect();
        assert_eq!(happened.len(), 4, "{story}");
        let told = told(&by_session[session]);
        assert_eq!(types(&told), happened, "{session}");
        distinct += told.len();
    }
    assert_eq!(by_account.len(), accounts.len(), "every account is heard of");
    for account in accounts {
        let told = told(&by_account[account]);
        assert_eq!(types(&told), OF_ACCOUNTS, "{account}");
        distinct += told.len();
    }
    calls.len() - distinct
}

#[test]
fn senders_killed_two_hundred_times_lose_nothing_and_keep_the_order() {
    let duplicates = AtomicUsize::new(0);
    let mailbox = Mailbox::start();
    in_parallel((0..SERVERS).collect(), SERVERS, |server| killed(server, &mailbox, &duplicates));
    let twice = duplicates.into_inner();
    println!("{} kills, {twice} calls came twice", SERVERS * KILLS);
    assert!(twice > 0, "no kill came between a call and writing it down: they prove nothing");
}
