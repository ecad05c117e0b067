//! The other dialect's pages, from `authUrl` to `redirectUri`: its first page asks for the address itself, and at its
//! end the person goes straight home, with what the dialect promises in the query.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Walk, accounts, desktop, phone, product};
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::app::{App, Link};
use crate::parts::browser::Look;
use crate::parts::sink::Sink;
use crate::stories::Dialect;

/// A link whose person comes home to this address of the product.
async fn link(app: &App, sink: &Sink, home: &str) -> Link {
    let (path, mut body) = Dialect::Riposte.request(&app.url(""), &sink.url("/told"));
    body["redirectUri"] = json!(sink.url(home));
    body["userLabel"] = json!("Ada Lovelace");
    Dialect::Riposte.made(&app.api("POST", path, Some(body)).await)
}

/// A session as its backend reads it.
async fn session(app: &App, link: &Link) -> Value {
    app.api("GET", &format!("/auth/sessions/{}", link.id), None).await.json()
}

/// The first page, looked at, with the address typed in.
async fn first_page(walk: &Walk, link: &Link) {
    walk.browser.goto(&link.url).await;
    walk.says(&["Acme CRM", "Ada Lovelace"]).await;
    walk.see("authorize").await;
    assert_eq!(walk.attribute("[name=\"email\"]", "inputmode").await, "email");
    walk.browser.fill("email", ADDRESS).await;
    walk.press("submit").await;
    walk.says(&[ADDRESS]).await;
    let page = walk.browser.url().await;
    assert!(page.ends_with(&format!("/wizard/{}", link.id)), "the secret is out of the address: {page}");
}

/// Waits until the person is back at the product, without a complaint from the browser.
async fn home(walk: &Walk, wanted: &str) {
    walk.browser.wait_for_text("Welcome back").await;
    assert_eq!(walk.browser.url().await, wanted);
    assert_eq!(walk.browser.complaints().await, Vec::<String>::new());
}

async fn all_the_way(look: Look, name: &str) {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = product();
    let link = link(&app, &sink, "/done?plan=a%20b&x=1#part").await;
    let walk = Walk::start(look, name).await;
    first_page(&walk, &link).await;
    walk.see("authorize-servers").await;
    walk.fill_servers(&mailbox).await;
    walk.press("submit").await;
    assert_eq!(walk.run("return document.activeElement.name").await, "f.password");
    walk.see("authorize-password").await;
    walk.finish().await;
    walk.browser.wait_for_text("Welcome back").await;

    let account = session(&app, &link).await["accountId"].as_str().expect("an account").to_owned();
    let done = sink.url(&format!("/done?plan=a%20b&x=1&account_id={account}#part"));
    home(&walk, &done).await;
    let calls = sink.wait_for(2, Duration::from_secs(10)).await;
    let told = calls.iter().find(|call| call.path == "/told").expect("the backend was told");
    assert_eq!(
        (&told.json()["type"], &told.json()["data"]["accountId"]),
        (&json!("account.connected"), &json!(account))
    );
    assert!(calls.iter().all(|call| call.header("referer").is_empty()), "the link is in no referrer");
    // Whoever opens the link again is sent home again, and nothing more is made.
    walk.browser.goto(&link.url).await;
    home(&walk, &done).await;
    assert_eq!(accounts(&app).await, 1);
}

/// Gives up at the first step behind the first page.
async fn given_up(look: Look, name: &str) {
    let app = App::start();
    let sink = product();
    let link = link(&app, &sink, "/done?plan=pro").await;
    let walk = Walk::start(look, name).await;
    first_page(&walk, &link).await;
    walk.press("cancel").await;
    walk.says(&["Stop connecting?", "new link"]).await;
    walk.see("authorize-cancelling").await;
    assert_eq!(session(&app, &link).await["status"], "open", "asking has ended nothing");
    walk.press("cancel").await;
    home(&walk, &sink.url("/done?plan=pro&error=cancelled")).await;
    let session = session(&app, &link).await;
    assert_eq!((&session["status"], &session["accountId"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(accounts(&app).await, 0);
}

#[tokio::test]
async fn riposte_s_person_connects_at_a_desk_and_is_home() {
    all_the_way(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn riposte_s_person_connects_on_a_phone_and_is_home() {
    all_the_way(phone(), "phone-dark").await;
}

#[tokio::test]
async fn riposte_s_person_gives_up_and_is_home_with_the_reason() {
    given_up(desktop(), "desktop-light").await;
    given_up(phone(), "phone-dark").await;
}
