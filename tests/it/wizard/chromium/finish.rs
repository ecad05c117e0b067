//! Links that their product finishes: the first page says whose account this will join, and at the end the browser carries
//! the code home by itself.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use vestibule::store::sqlite_url;

use super::{Walk, desktop, phone, product};
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::app::signing::parameter;
use crate::parts::browser::Look;

async fn all_the_way(look: Look, name: &str) {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = product();
    let link = app
        .link(json!({
            "name": "user_1",
            "user_label": "Ada Lovelace",
            "require_finish": true,
            "notify_url": sink.url("/told"),
            "success_redirect_url": sink.url("/done?plan=1"),
            "failure_redirect_url": sink.url("/failed"),
        }))
        .await;
    let walk = Walk::start(look, name).await;
    walk.browser.goto(&link.url).await;
    walk.says(&["Acme CRM", "Ada Lovelace"]).await;
    walk.see("finish-welcome").await;
    walk.press("submit").await;
    walk.fill("email", ADDRESS).await;
    walk.press("submit").await;
    walk.fill_servers(&mailbox).await;
    walk.press("submit").await;
    walk.finish().await;
    walk.browser.wait_for_text("Welcome back").await;
    let home = walk.browser.url().await;
    assert!(home.starts_with(&sink.url("/done?plan=1&finish_code=")), "{home}");
    let code = parameter(&home, "finish_code").expect("a code");
    // Whoever goes back is sent home again, with the same code.
    walk.browser.goto(&app.url(&format!("/wizard/{}", link.id))).await;
    walk.browser.wait_for_text("Welcome back").await;
    assert_eq!(walk.browser.url().await, home);
    let path = format!("/v1/hosted/accounts/link/{}/finish", link.id);
    let done = app.api("POST", &path, Some(json!({ "finish_code": code }))).await;
    assert_eq!(done.status, 200, "{}", done.text());
    eventually_told(&sink).await;
    // From then on the link's own page says that it worked.
    walk.browser.goto(&app.url(&format!("/wizard/{}", link.id))).await;
    walk.says(&[ADDRESS]).await;
    walk.see("finish-done").await;
}

async fn eventually_told(sink: &crate::parts::sink::Sink) {
    let told = async || sink.calls().iter().any(|call| call.path == "/told").then_some(());
    crate::parts::eventually_async("the call", Duration::from_secs(10), told).await;
}

#[tokio::test]
async fn a_person_carries_the_code_home_on_a_desktop() {
    all_the_way(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn a_person_carries_the_code_home_on_a_phone() {
    all_the_way(phone(), "phone-dark").await;
}

#[tokio::test]
async fn whoever_comes_back_after_nobody_finished_reads_so_and_has_a_way_home() {
    let mailbox = Mailbox::start();
    let mut app = mailbox.app(&[]);
    let sink = product();
    let link = app
        .link(json!({
            "require_finish": true,
            "success_redirect_url": sink.url("/done"),
            "failure_redirect_url": sink.url("/failed"),
        }))
        .await;
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.until_password(&mailbox, &link).await;
    walk.finish().await;
    walk.browser.wait_for_text("Welcome back").await;
    assert!(app.stop());
    let mut db =
        SqliteConnection::connect(&sqlite_url(&app.data("vestibule.db"))).await.expect("the database");
    sqlx::raw_sql("UPDATE finishes SET due_at = 1").execute(&mut db).await.expect("an update");
    db.close().await.expect("it closes");
    app.run();
    walk.browser.goto(&app.url(&format!("/wizard/{}", link.id))).await;
    assert!(walk.has("a[href*=\"error=finish_expired\"]").await, "{}", walk.browser.text().await);
    walk.see_status("finish-expired", 410).await;
}
