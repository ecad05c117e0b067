//! Links that are over, in every way a link can be: the right status, a clear page, a way on.

use std::time::Duration;

use serde_json::json;
use vestibule::kernel::clock::Clock;

use super::{Walk, accounts, desktop, phone, product};
use crate::app::http;
use crate::app::mailbox::Mailbox;
use crate::app::{App, Link};
use crate::parts::{READY, eventually_async};

/// The page's status for somebody who only has the address.
async fn status(url: &str) -> u16 {
    http::send("GET", url, &[], b"").await.status
}

/// A link that ends in a moment.
async fn brief(app: &App) -> Link {
    let soon = Clock::system().now().after(Duration::from_secs(4)).rfc3339();
    app.link(json!({ "expiresOn": soon })).await
}

#[tokio::test]
async fn a_link_that_has_expired_says_so_before_and_in_the_middle() {
    let app = App::start();
    let walk = Walk::start(phone(), "phone-dark").await;
    let (unopened, begun) = (brief(&app).await, brief(&app).await);
    walk.begin(&begun).await;
    let page = walk.browser.url().await;
    for link in [&begun, &unopened] {
        let over = async || (status(&link.url).await == 410).then_some(());
        eventually_async("the end of the link", READY, over).await;
    }
    // The form was open when the time came.
    walk.fill("email", "ada@example.test").await;
    walk.press("submit").await;
    walk.says(&["This link has expired", "Nothing was connected", "Acme CRM"]).await;
    walk.see_status("expired-begun", 410).await;
    assert_eq!(walk.browser.url().await, page);
    walk.browser.goto(&unopened.url).await;
    walk.says(&["This link has expired", "ask for a new link"]).await;
    walk.see_status("expired", 410).await;
    assert_eq!(app.session(&unopened.id).await["status"], "EXPIRED");
}

#[tokio::test]
async fn a_link_that_was_used_shows_its_success_to_whoever_used_it_only() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = product();
    let link = app.link(json!({ "failure_redirect_url": sink.url("/sorry") })).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.until_password(&mailbox, &link).await;
    walk.finish().await;
    let page = walk.browser.url().await;
    walk.browser.goto(&link.url).await;
    walk.says(&["Your mailbox is connected"]).await;
    walk.see("used-mine").await;

    assert_eq!((status(&link.url).await, status(&page).await), (410, 410));
    let other = Walk::start(phone(), "phone-dark").await;
    for url in [&page, &link.url] {
        other.browser.goto(url).await;
        other.says(&["This link was already used"]).await;
        other.does_not_say(&["ada@example.test"]).await;
        other.see_status("used", 410).await;
    }
    // Whoever has the link may go back to the product, which hears why.
    other.follow("a.button").await;
    assert_eq!(other.browser.url().await, sink.url("/sorry?error=link_used"));
}

#[tokio::test]
async fn a_person_who_cancels_is_taken_home_or_told_what_happened() {
    let app = App::start();
    let sink = product();
    let walk = Walk::start(phone(), "phone-dark").await;
    let home = app.link(json!({ "failure_redirect_url": sink.url("/sorry?plan=pro") })).await;
    walk.begin(&home).await;
    walk.press("cancel").await;
    walk.says(&["Stop connecting?", "new link"]).await;
    walk.see("cancelling").await;
    // Asking has ended nothing.
    assert_eq!(app.session(&home.id).await["status"], "OPEN");
    walk.press("cancel").await;
    walk.browser.wait_for_text("Welcome back").await;
    assert_eq!(walk.browser.url().await, sink.url("/sorry?plan=pro&error=cancelled"));
    assert_eq!(walk.browser.complaints().await, Vec::<String>::new());

    let stay = app.link(json!({})).await;
    walk.begin(&stay).await;
    walk.press("cancel").await;
    walk.press("cancel").await;
    walk.says(&["You stopped connecting", "Nothing was connected", "new link"]).await;
    walk.see_status("cancelled", 410).await;
    for link in [&home, &stay] {
        assert_eq!(status(&link.url).await, 410);
        assert_eq!(app.session(&link.id).await["status"], "CANCELLED");
    }
    assert_eq!(accounts(&app).await, 0);
}

#[tokio::test]
async fn a_link_that_the_product_took_back_says_so_even_in_the_middle() {
    let app = App::start();
    let sink = product();
    let link = app.link(json!({ "failure_redirect_url": sink.url("/sorry") })).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.begin(&link).await;
    let reply = app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", link.id), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    walk.fill("email", "ada@example.test").await;
    walk.press("submit").await;
    walk.says(&["This link was withdrawn"]).await;
    walk.see_status("revoked", 410).await;
    assert_eq!(status(&link.url).await, 410);
    walk.follow("a.button").await;
    assert_eq!(walk.browser.url().await, sink.url("/sorry?error=link_revoked"));
}

#[tokio::test]
async fn an_address_that_leads_nowhere_says_so_in_a_page() {
    let app = App::start();
    let walk = Walk::start(phone(), "phone-dark").await;
    for path in ["/connect/not-a-link", "/wizard/not-a-session", "/wizard/ses_01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
        assert_eq!(status(&app.url(path)).await, 404, "{path}");
        walk.browser.goto(&app.url(path)).await;
        walk.says(&["We do not know this link", "complete and unchanged"]).await;
        walk.see_status("unknown", 404).await;
    }
}
