//! Stories told twice.

use std::time::Duration;

use serde_json::Value;

use super::rows::rows;
use super::{BOTH, Dialect, HOME, accounts, left_behind};
use crate::app::mailbox::{Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::app::signing::Place;
use crate::app::{App, Link};
use crate::oauth::walk::{ask_link, go_on};
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually};
use crate::watch::clock::Clock;

/// A story as one of the two dialects has it.
struct Told {
    app: App,
    link: Link,
    sink: Sink,
    /// What its server holds on to.
    _clock: Option<Clock>,
}

impl Told {
    fn new(app: App, link: Link, sink: Sink) -> Self {
        Self { app, link, sink, _clock: None }
    }
}

/// What both servers hold after a story must be the same. Calls as well, except that only one of the two has words for
/// what happens to a session.
async fn same(told: &[Told; 2]) -> Value {
    let [postpress, riposte] = told;
    let (one, two) = (left_behind(&postpress.app, &postpress.link), left_behind(&riposte.app, &riposte.link));
    assert_eq!(one, two);
    assert_eq!(accounts(&postpress.app).await, accounts(&riposte.app).await);
    let (held, mut other) = (rows(&postpress.app).await, rows(&riposte.app).await);
    assert_eq!(held.kept, other.kept);
    // Each call arrived, and nothing else did.
    assert_eq!(postpress.sink.calls().len(), held.calls.len());
    assert_eq!(riposte.sink.calls().len(), other.calls.len());
    other.calls.retain(|call| call["about"] != "aut");
    assert_eq!(held.calls, other.calls);
    one
}

/// Tells a story in both dialects.
async fn twice(story: impl AsyncFn(Dialect) -> Told) -> [Told; 2] {
    let [postpress, riposte] = BOTH;
    [story(postpress).await, story(riposte).await]
}

#[tokio::test]
async fn connected_after_a_wrong_password_and_told_once() {
    let mailbox = Mailbox::start();
    let told = twice(async |dialect| {
        let (app, sink, person) = (mailbox.app(&[]), Sink::start(), Person::new());
        let link = dialect.link(&app, "user_1", &sink.url("/told")).await;
        let password = dialect.until_password(&person, &mailbox, &link).await;
        let again = person.submit(&password, &password.sheet().with("password", "wrong")).await;
        assert_eq!(again.step(), "password", "{}", again.text());
        let end = person.submit(&again, &again.sheet().with("password", PASSWORD)).await;
        let account = app.accounts().await[0]["id"].as_str().unwrap().to_owned();
        let home = format!("{HOME}&account_id={account}");
        assert_eq!(end.attribute("a[href^=\"https://app.example.com\"]", "href"), Some(home));
        assert_eq!(sink.wait_for(1, Duration::from_secs(10)).await.len(), 1);
        Told::new(app, link, sink)
    })
    .await;
    let left = same(&told).await;
    assert_eq!(left["state"], "connected");
}

#[tokio::test]
async fn given_up_and_sent_home_with_the_reason() {
    let mailbox = Mailbox::start();
    let told = twice(async |dialect| {
        let (app, sink, person) = (mailbox.app(&[]), Sink::start(), Person::new());
        let link = dialect.link(&app, "user_1", &sink.url("/told")).await;
        let password = dialect.until_password(&person, &mailbox, &link).await;
        let asked = person.submit(&password, &password.sheet().pressing("cancel")).await;
        let end = person.submit(&asked, &asked.sheet()).await;
        let home = format!("{HOME}&error=cancelled");
        assert_eq!(
            end.attribute("a[href^=\"https://app.example.com\"]", "href"),
            Some(home),
            "{}",
            end.text()
        );
        // Only one of the two has words for an end without an account.
        if dialect == Dialect::Riposte {
            let calls = sink.wait_for(1, Duration::from_secs(10)).await;
            let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
            assert_eq!(
                (&body["type"], &body["data"]["cause"]),
                (&"session.cancelled".into(), &"cancelled".into())
            );
        }
        Told::new(app, link, sink)
    })
    .await;
    assert_eq!(same(&told).await["state"], "cancelled");
}

#[tokio::test]
async fn taken_back_by_the_backend() {
    let mailbox = Mailbox::start();
    let told = twice(async |dialect| {
        let (app, sink, person) = (mailbox.app(&[]), Sink::start(), Person::new());
        let link = dialect.link(&app, "user_1", &sink.url("/told")).await;
        dialect.revoke(&app, &link).await;
        assert_eq!(person.open(&link.url).await.reply.status, 410);
        Told::new(app, link, sink)
    })
    .await;
    assert_eq!(same(&told).await["state"], "revoked");
}

#[tokio::test]
async fn the_same_person_and_mailbox_again_repairs_the_account_in_place() {
    let mailbox = Mailbox::start();
    let told = twice(async |dialect| {
        let (app, sink) = (mailbox.app(&[]), Sink::start());
        let mut ids = Vec::new();
        let mut last = None;
        for _ in 0..2 {
            let (link, person) = (dialect.link(&app, "user_1", &sink.url("/told")).await, Person::new());
            let password = dialect.until_password(&person, &mailbox, &link).await;
            person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
            let all = app.accounts().await;
            assert_eq!(all.len(), 1);
            ids.push(all[0]["id"].clone());
            last = Some(link);
        }
        assert_eq!(ids[0], ids[1]);
        Told::new(app, last.unwrap(), sink)
    })
    .await;
    same(&told).await;
}

#[tokio::test]
async fn a_double_submit_makes_one_account_and_a_takeover_begins_again() {
    let mailbox = Mailbox::start();
    let told = twice(async |dialect| {
        let (app, sink) = (mailbox.app(&[]), Sink::start());
        let link = dialect.link(&app, "user_1", &sink.url("/told")).await;
        dialect.until_password(&Person::new(), &mailbox, &link).await;
        let person = Person::new();
        let elsewhere = person.open(&link.url).await;
        assert_eq!(elsewhere.reply.status, 409);
        let begun = person.submit(&elsewhere, &elsewhere.sheet().raw("takeover", "yes")).await;
        assert_eq!(begun.step(), "address", "{}", begun.text());
        let servers = person.submit(&begun, &begun.sheet().with("email", crate::app::mailbox::ADDRESS)).await;
        let mut sheet = servers.sheet();
        for (name, value) in mailbox.servers() {
            sheet = sheet.with(name, &value);
        }
        let password = person.submit(&servers, &sheet).await;
        let sheet = password.sheet().with("password", PASSWORD);
        let (one, two) = tokio::join!(person.submit(&password, &sheet), person.submit(&password, &sheet));
        assert_eq!((one.reply.status, two.reply.status), (200, 200));
        assert_eq!(app.accounts().await.len(), 1);
        Told::new(app, link, sink)
    })
    .await;
    same(&told).await;
}

#[tokio::test]
async fn signed_in_at_the_provider_and_told_once() {
    for house in [House::Google, House::Microsoft] {
        let told = twice(async |dialect| {
            let (place, sink) = (Place::start(house).await, Sink::start());
            let mut lost = || panic!("no answer");
            let (base, key) = (place.app.url(""), place.app.key().to_owned());
            let link = ask_link((dialect, house), &base, &key, &sink.url("/told"), &mut lost).await;
            go_on(&Person::new(), house, &link.url, &mut lost).await;
            assert_eq!(sink.wait_for(1, READY).await.len(), 1);
            Told::new(place.app, link, sink)
        })
        .await;
        assert_eq!(same(&told).await["state"], "connected");
    }
}

#[tokio::test]
async fn left_open_until_it_was_too_late() {
    let mailbox = Mailbox::start();
    let told = twice(async |dialect| {
        let (mut app, sink, person) = (mailbox.app(&[]), Sink::start(), Person::new());
        let link = dialect.link(&app, "user_1", &sink.url("/told")).await;
        let password = dialect.until_password(&person, &mailbox, &link).await;
        assert!(app.stop());
        let (clock, mut command) = (Clock::at("+2h"), app.command(&["serve"]));
        clock.give(&mut command);
        app.run_as(command);
        let late = person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
        assert_eq!(late.reply.status, 410, "{}", late.text());
        // It is over at once, and written down by whoever looks for such links.
        let written = || app.cli(&["sessions", "show", &link.id]).1.contains("session.expired").then_some(());
        eventually("the end in the session's story", READY, written);
        Told { app, link, sink, _clock: Some(clock) }
    })
    .await;
    // Only one of the two has a word for it.
    let calls = told[1].sink.wait_for(1, READY).await;
    assert_eq!(calls.iter().map(|call| call.json()["type"].clone()).collect::<Vec<_>>(), ["session.expired"]);
    assert_eq!(same(&told).await["state"], "expired");
    assert!(told[0].sink.calls().is_empty());
}
