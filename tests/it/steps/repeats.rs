//! What is sent twice, or comes late, or not at all.

use serde_json::json;

use super::{Screen, start};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};

#[tokio::test]
async fn an_answer_sent_twice_gets_the_step_that_stands_now() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let mut screen = Screen::start(&app, &link).await;
    let first = screen.version();
    screen.until_password(&mailbox).await;
    let password = screen.seen.clone();
    let seen = screen.say(json!({ "version": first, "fields": { "email": "else@example.test" } })).await;
    assert_eq!(*seen, password);

    let body = json!({ "version": screen.version(), "fields": { "password": PASSWORD } });
    let (one, two) = tokio::join!(
        screen.call("POST", "/answer", Some(body.clone())),
        screen.call("POST", "/answer", Some(body.clone()))
    );
    assert_eq!((one.status, two.status), (200, 200));
    assert_eq!(one.json(), two.json());
    assert_eq!(one.json()["state"], "connected");
    assert_eq!(screen.say(body).await["state"], "connected");
    assert_eq!(app.accounts().await.len(), 1);
    assert_eq!(mailbox.dovecot.logins(ADDRESS), 1, "the password was tried once");
}

#[tokio::test]
async fn a_start_whose_reply_was_lost_is_repeated_under_its_key() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let key = [("idempotency-key", "screen-7f3a")];
    let first = start(&app, &link, &key, json!({})).await;
    let second = start(&app, &link, &key, json!({})).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.json(), second.json());
    let other = start(&app, &link, &[("idempotency-key", "another")], json!({})).await;
    assert_eq!(other.status, 409, "{}", other.text());
    let empty = start(&app, &link, &[("idempotency-key", "")], json!({})).await;
    assert_eq!(empty.status, 400, "{}", empty.text());
    assert!(empty.text().contains("Idempotency-Key"), "{}", empty.text());
    Screen::of(&app, &link, &second.json()).connect(&mailbox).await;
}

#[tokio::test]
async fn a_walk_goes_on_where_it_was_after_the_server_was_killed() {
    let mailbox = Mailbox::start();
    let mut app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let mut screen = Screen::start(&app, &link).await;
    screen.until_password(&mailbox).await;
    app.kill();
    app.run();
    let read = screen.call("GET", "", None).await.json();
    assert_eq!(read, screen.seen);
    screen.answer(json!({ "password": PASSWORD })).await;
    assert_eq!(screen.seen["state"], "connected");
}
