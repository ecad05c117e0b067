//! Links that repair an account.

use std::time::Duration;

use serde_json::json;

use super::{Walk, accounts, desktop, phone, product};
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::app::person::Person;

#[tokio::test]
async fn a_reconnect_names_its_account_and_keeps_its_id() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = product();
    let first = app.link(json!({ "name": "user_1" })).await;
    let account = Person::new().account(&app, &mailbox, &first).await;
    mailbox.dovecot.set_password(ADDRESS, "changed since");

    let link = app
        .link(json!({
            "type": "reconnect",
            "reconnect_account": account,
            "name": "user_1",
            "notify_url": sink.url("/told"),
            "success_redirect_url": sink.url("/done"),
        }))
        .await;
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.browser.goto(&link.url).await;
    walk.says(&["Acme CRM", ADDRESS]).await;
    walk.see("reconnect").await;
    walk.press("submit").await;
    // Nothing to type but the password; who it is stands fast.
    walk.says(&["Reconnect", ADDRESS, &mailbox.dovecot.tls().to_string()]).await;
    assert!(!walk.has("button[value=\"alternative:address\"]").await);
    walk.see("reconnect-password").await;
    walk.finish().await;
    walk.says(&["did not accept this"]).await;
    walk.fill("password", "changed since").await;
    walk.press("submit").await;
    walk.says(&["Your mailbox works again", ADDRESS]).await;
    walk.see("reconnected").await;
    walk.follow("a.button").await;
    assert_eq!(walk.browser.url().await, sink.url(&format!("/done?account_id={account}")));
    let calls = sink.wait_for(2, Duration::from_secs(10)).await;
    let told = calls.iter().find(|call| call.path == "/told").expect("the backend was told");
    let expected = format!(r#"{{"status":"RECONNECTED","account_id":"{account}","name":"user_1"}}"#);
    assert_eq!(String::from_utf8_lossy(&told.body), expected);
    assert_eq!(accounts(&app).await, 1);
}

#[tokio::test]
async fn another_mailbox_does_not_repair_an_account_and_the_right_one_still_does() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let account = Person::new().account(&app, &mailbox, &app.link(json!({})).await).await;
    let link = app.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.begin(&link).await;
    // The same sign-in name at another server is another mailbox.
    walk.press("alternative:servers").await;
    walk.see("reconnect-servers").await;
    walk.fill("imap_host", "localhost").await;
    walk.press("submit").await;
    walk.finish().await;
    walk.says(&["another account that is also called ada@example.test"]).await;
    walk.see("reconnect-other").await;
    assert_eq!(accounts(&app).await, 1);
    walk.finish().await;
    walk.says(&["Your mailbox works again"]).await;
    assert_eq!(app.accounts().await[0]["id"], account.as_str());
    assert_eq!(accounts(&app).await, 1);
}
