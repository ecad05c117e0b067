//! The way most people go, in every kind of window.

use std::time::Duration;

use serde_json::json;

use super::{Walk, accounts, desktop, narrow, phone, product};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::parts::browser::Look;

/// The whole way with a look at every page; ends on the product's page.
async fn all_the_way(look: Look, name: &str) {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = product();
    let link = app
        .link(json!({
            "name": "user_1234",
            "user_label": "Ada Lovelace",
            "notify_url": sink.url("/told"),
            "success_redirect_url": sink.url("/done?state=a%20b&x=1#part"),
        }))
        .await;
    let walk = Walk::start(look, name).await;
    walk.browser.goto(&link.url).await;
    walk.says(&["Acme CRM", "Ada Lovelace"]).await;
    walk.see("welcome").await;
    walk.press("submit").await;

    walk.see("address").await;
    assert_eq!(walk.run("return document.activeElement.name").await, "f.email");
    assert_eq!(walk.attribute("[name=\"f.email\"]", "inputmode").await, "email");
    walk.fill("email", ADDRESS).await;
    walk.enter("email").await;

    walk.says(&[ADDRESS]).await;
    walk.see("servers").await;
    assert_eq!(walk.attribute("[name=\"f.imap_port\"]", "inputmode").await, "numeric");
    walk.fill_servers(&mailbox).await;
    walk.press("submit").await;

    let imap = mailbox.dovecot.tls().to_string();
    walk.says(&[ADDRESS, &imap, &mailbox.submission.tls().to_string()]).await;
    assert_eq!(walk.run("return document.activeElement.name").await, "f.password");
    walk.see("password").await;
    walk.fill("password", PASSWORD).await;
    walk.enter("password").await;

    walk.says(&["Your mailbox is connected", ADDRESS, "Back to Acme CRM"]).await;
    walk.see("success").await;
    walk.follow("a.button").await;
    walk.says(&["Welcome back"]).await;
    let account = app.session(&link.id).await["account_id"].as_str().expect("an account").to_owned();
    assert_eq!(
        walk.browser.url().await,
        sink.url(&format!("/done?state=a%20b&x=1&account_id={account}#part"))
    );
    assert_eq!(accounts(&app).await, 1);
    let calls = sink.wait_for(2, Duration::from_secs(10)).await;
    let told = calls.iter().find(|call| call.path == "/told").expect("the backend was told");
    assert_eq!(told.json()["account_id"], account);
    // Where the person came from is a secret, since it is part of the link.
    assert!(calls.iter().all(|call| call.header("referer").is_empty()));
}

#[tokio::test]
async fn a_person_connects_at_a_desk() {
    all_the_way(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn a_person_connects_on_a_phone_in_the_dark() {
    all_the_way(phone(), "phone-dark").await;
}

#[tokio::test]
async fn a_person_connects_without_scripts() {
    all_the_way(Look { javascript: false, dark: false, ..phone() }, "phone-plain").await;
}

#[tokio::test]
async fn a_person_connects_in_the_narrowest_window() {
    all_the_way(narrow(), "narrow").await;
}

#[tokio::test]
async fn a_link_that_skips_our_success_page_goes_home_by_itself() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = product();
    let link = app
        .link(json!({ "success_redirect_url": sink.url("/done?x=1"), "bypass_success_screen": true }))
        .await;
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.until_password(&mailbox, &link).await;
    walk.finish().await;
    walk.browser.wait_for_text("Welcome back").await;
    let account = app.session(&link.id).await["account_id"].as_str().expect("an account").to_owned();
    assert_eq!(walk.browser.url().await, sink.url(&format!("/done?x=1&account_id={account}")));
    // Whoever opens the link again is sent home again, and nothing more is made.
    walk.browser.goto(&link.url).await;
    walk.browser.wait_for_text("Welcome back").await;
    assert_eq!(walk.browser.complaints().await, Vec::<String>::new());
    assert_eq!(accounts(&app).await, 1);
}
