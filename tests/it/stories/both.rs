//! Stories told twice.

use std::time::Duration;

use serde_json::Value;

use super::{BOTH, Dialect, HOME, accounts, left_behind};
use crate::app::App;
use crate::app::Link;
use crate::app::mailbox::{Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::parts::sink::Sink;

/// What both servers hold after a story must be the same.
async fn same(apps: &[(App, Link)]) -> Value {
    let (first, second) = (&apps[0], &apps[1]);
    let (one, two) = (left_behind(&first.0, &first.1), left_behind(&second.0, &second.1));
    assert_eq!(one, two);
    assert_eq!(accounts(&first.0).await, accounts(&second.0).await);
    one
}

#[tokio::test]
async fn connected_after_a_wrong_password_and_told_once() {
    let mailbox = Mailbox::start();
    let mut told = Vec::new();
    for dialect in BOTH {
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
        told.push((app, link));
    }
    let left = same(&told).await;
    assert_eq!(left["state"], "connected");
}

#[tokio::test]
async fn given_up_and_sent_home_with_the_reason() {
    let mailbox = Mailbox::start();
    let mut told = Vec::new();
    for dialect in BOTH {
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
        told.push((app, link));
        // Only one of the two has words for an end without an account.
        if dialect == Dialect::Riposte {
            let calls = sink.wait_for(1, Duration::from_secs(10)).await;
            let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
            assert_eq!(
                (&body["type"], &body["data"]["cause"]),
                (&"session.cancelled".into(), &"cancelled".into())
            );
        }
    }
    assert_eq!(same(&told).await["state"], "cancelled");
}

#[tokio::test]
async fn taken_back_by_the_backend() {
    let mailbox = Mailbox::start();
    let mut told = Vec::new();
    for dialect in BOTH {
        let (app, person) = (mailbox.app(&[]), Person::new());
        let link = dialect.link(&app, "user_1", "http://127.0.0.1:9/").await;
        dialect.revoke(&app, &link).await;
        assert_eq!(person.open(&link.url).await.reply.status, 410);
        told.push((app, link));
    }
    assert_eq!(same(&told).await["state"], "revoked");
}

#[tokio::test]
async fn the_same_person_and_mailbox_again_repairs_the_account_in_place() {
    let mailbox = Mailbox::start();
    let mut told = Vec::new();
    for dialect in BOTH {
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
        told.push((app, last.unwrap()));
    }
    same(&told).await;
}

#[tokio::test]
async fn a_double_submit_makes_one_account_and_a_takeover_begins_again() {
    let mailbox = Mailbox::start();
    let mut told = Vec::new();
    for dialect in BOTH {
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
        told.push((app, link));
    }
    same(&told).await;
}
