//! More than one browser, more than one tab, and everything people do with the buttons of a browser.

use std::net::TcpListener;

use serde_json::json;

use super::{Walk, accounts, desktop, phone};
use crate::app::http;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::parts::browser::Look;
use crate::parts::{READY, eventually_async};

#[tokio::test]
async fn a_second_browser_takes_over_only_when_it_says_so_and_the_first_one_is_told() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let first = Walk::start(desktop(), "desktop-light").await;
    first.until_password(&mailbox, &link).await;

    let second = Walk::start(phone(), "phone-dark").await;
    assert_eq!(http::send("GET", &link.url, &[], b"").await.status, 409);
    second.browser.goto(&link.url).await;
    second.says(&["Already open in another window"]).await;
    second.does_not_say(&[ADDRESS]).await;
    second.see_status("open-elsewhere", 409).await;
    // Without the tick the browser itself does not let the button through.
    second.browser.click("button").await;
    assert!(second.browser.url().await.contains("/connect/"));
    second.browser.click("[name=takeover]").await;
    second.follow("button").await;
    // Nothing that was typed elsewhere shows here.
    assert_eq!(second.value("email").await, "");
    second.see("taken-over").await;

    first.fill("password", PASSWORD).await;
    first.press("submit").await;
    first.says(&["goes on in another window"]).await;
    first.does_not_say(&["cookies"]).await;
    first.see_status("moved-on", 409).await;
    assert_eq!((mailbox.dovecot.logins(ADDRESS), accounts(&app).await), (0, 0));

    second.fill("email", ADDRESS).await;
    second.press("submit").await;
    second.fill_servers(&mailbox).await;
    second.press("submit").await;
    second.finish().await;
    second.says(&["Your mailbox is connected"]).await;
    assert_eq!(accounts(&app).await, 1);
    first.browser.client().refresh().await.unwrap();
    first.says(&["This link was already used"]).await;
    first.does_not_say(&[ADDRESS]).await;
}

/// Every page again by reload, back and forward; none may be an error, and one account comes of it.
async fn wander(look: Look, name: &str) {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let walk = Walk::start(look, name).await;
    let client = walk.browser.client();
    walk.browser.goto(&link.url).await;
    client.refresh().await.unwrap();
    walk.press("submit").await;
    client.back().await.unwrap();
    walk.see("back-from-address").await;
    client.forward().await.unwrap();
    client.refresh().await.unwrap();
    walk.see("address-again").await;
    // The welcome page, kept by the browser, pressed a second time.
    walk.browser.goto(&link.url).await;
    walk.fill("email", ADDRESS).await;
    walk.press("submit").await;
    client.refresh().await.unwrap();
    walk.see("servers-again").await;
    walk.fill_servers(&mailbox).await;
    walk.press("submit").await;
    client.back().await.unwrap();
    client.refresh().await.unwrap();
    walk.see("back-from-password").await;
    client.forward().await.unwrap();
    client.refresh().await.unwrap();
    walk.see("password-again").await;
    walk.fill("password", PASSWORD).await;
    let before = walk.document().await;
    let twice = "const b = document.querySelector('button[value=submit]'); b.click(); b.click();";
    walk.run(twice).await;
    walk.next(before).await;
    walk.browser.wait_for_text("Your mailbox is connected").await;
    client.refresh().await.unwrap();
    walk.says(&["Your mailbox is connected"]).await;
    client.back().await.unwrap();
    walk.browser.wait_for_text("Your mailbox is connected").await;
    client.forward().await.unwrap();
    walk.browser.wait_for_text("Your mailbox is connected").await;
    walk.see("success-again").await;
    assert_eq!(accounts(&app).await, 1);
    assert_eq!(mailbox.dovecot.logins(ADDRESS), 1);
}

#[tokio::test]
async fn back_forward_reload_and_double_click_never_end_in_an_error() {
    wander(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn the_same_without_scripts() {
    wander(Look { javascript: false, ..phone() }, "phone-dark-plain").await;
}

#[tokio::test]
async fn a_page_that_waits_for_a_slow_server_says_so_and_goes_on_by_itself() {
    let mailbox = Mailbox::start();
    // It is called, and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let settings = mailbox.settings();
    let ports = settings.iter().find(|(name, _)| name.ends_with("PORTS")).expect("the ports");
    let app = mailbox.app(&[
        ("PROVIDERS__IMAP__PORTS", &format!("{},{port}", ports.1)),
        ("PROVIDERS__IMAP__CONNECT_SECONDS", "5"),
    ]);
    let link = app.link(json!({})).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.until_servers(&link).await;
    walk.fill_servers(&mailbox).await;
    walk.fill("imap_port", &port).await;
    walk.press("submit").await;
    walk.fill("password", PASSWORD).await;
    // The form's own request, kept alive while the person has already gone back to the link.
    walk.run(
        "const form = document.querySelector('button[value=submit]').form; \
         fetch(form.getAttribute('action'), { method: 'POST', keepalive: true, body: new URLSearchParams(new FormData(form)) });",
    )
    .await;
    // The page may come too early, before the answer is being checked.
    eventually_async("the page that waits", READY, async || {
        walk.browser.goto(&link.url).await;
        walk.browser.text().await.contains("Signing in to your mailbox").then_some(())
    })
    .await;
    walk.see("busy").await;
    walk.browser.wait_for_text("did not answer in time").await;
    assert_eq!(walk.value("imap_port").await, port);
    assert_eq!(walk.browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_tabs_of_one_browser_share_one_walk_and_make_one_account() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    let client = walk.browser.client();
    walk.until_password(&mailbox, &link).await;
    let first = client.window().await.unwrap();
    let second = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(second.clone()).await.unwrap();
    walk.browser.goto(&link.url).await;
    assert!(walk.has("[name=\"f.password\"]").await);
    // One tab goes back to the address; the other then answers a step that has passed.
    walk.press("alternative:address").await;
    client.switch_to_window(first.clone()).await.unwrap();
    walk.finish().await;
    assert_eq!(walk.value("email").await, ADDRESS);
    walk.see("other-tab-went-back").await;
    assert_eq!(mailbox.dovecot.logins(ADDRESS), 0);
    walk.press("submit").await;
    walk.fill_servers(&mailbox).await;
    walk.press("submit").await;
    client.switch_to_window(second).await.unwrap();
    client.refresh().await.unwrap();
    walk.finish().await;
    walk.says(&["Your mailbox is connected"]).await;
    client.switch_to_window(first).await.unwrap();
    walk.finish().await;
    walk.says(&["Your mailbox is connected"]).await;
    walk.see("other-tab-finished").await;
    assert_eq!((mailbox.dovecot.logins(ADDRESS), accounts(&app).await), (1, 1));
}
