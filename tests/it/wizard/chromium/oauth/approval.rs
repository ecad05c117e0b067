//! The organisation in which an administrator has to approve first: what the person passes on, what the administrator
//! sees, and the page that waits.

use serde_json::json;

use super::super::{Walk, accounts, desktop, phone};
use crate::app::Link;
use crate::oauth::Place;
use crate::parts::browser::Look;
use crate::parts::identity::House;

const CAROL: &str = "carol@needs-approval.example";

/// A person who was stopped at the provider and sees what to pass on.
async fn stopped(place: &Place, link: &Link, look: Look, name: &str) -> (Walk, String) {
    let walk = Walk::start(look, name).await;
    walk.to_provider(link).await;
    walk.sign_in(CAROL).await;
    walk.leave_by("#return").await;
    walk.says(&["Someone at your organization has to approve this first"]).await;
    walk.see("oauth-approval").await;
    let url = walk.attribute("#pass-on", "value").await;
    assert!(url.starts_with(place.identity.origin()), "{url}");
    (walk, url)
}

/// An administrator at what was passed on; the page at the end.
async fn administrator(url: &str, press: &str, look: Look, name: &str) -> Walk {
    let walk = Walk::start(look, name).await;
    walk.browser.goto(url).await;
    walk.until("#accept").await;
    walk.browser.fill("address", "admin@needs-approval.example").await;
    walk.leave_by(press).await;
    walk
}

#[tokio::test]
async fn the_page_that_waits_notices_the_approval_by_itself() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let (person, url) = stopped(&place, &link, phone(), "phone-dark").await;
    person.says(&["This page goes on by itself"]).await;
    let admin = administrator(&url, "#deny", desktop(), "desktop-light").await;
    admin.says(&["It was not approved"]).await;
    admin.does_not_say(&[CAROL]).await;
    admin.see("oauth-approval-refused").await;
    person.browser.wait_for_text("The approval was not given").await;
    person.see("oauth-approval-declined").await;
    // The administrator thinks again; the address that was passed on still stands.
    admin.browser.goto(&url).await;
    admin.browser.fill("address", "admin@needs-approval.example").await;
    admin.leave_by("#accept").await;
    admin.says(&["Thank you, that is approved"]).await;
    admin.see("oauth-approval-given").await;
    person.browser.wait_for_text("Your administrator has approved").await;
    person.see("oauth-approved").await;
    person.press("submit").await;
    person.consent(CAROL).await;
    person.says(&["Your Microsoft account is connected", CAROL]).await;
    assert_eq!(accounts(&place.app).await, 1);
}

#[tokio::test]
async fn without_scripts_the_button_looks_again() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let plain = Look { javascript: false, ..desktop() };
    let (person, url) = stopped(&place, &link, plain, "desktop-light-plain").await;
    person.does_not_say(&["by itself"]).await;
    let admin =
        administrator(&url, "#accept", Look { javascript: false, ..phone() }, "phone-dark-plain").await;
    admin.says(&["Thank you, that is approved"]).await;
    admin.see("oauth-approval-given").await;
    person.press("submit").await;
    // It leads on, or to the page that says what has become of it.
    if !person.has("#address").await {
        person.says(&["Your administrator has approved"]).await;
        person.see("oauth-approved").await;
        person.press("submit").await;
    }
    person.consent(CAROL).await;
    person.says(&["Your Microsoft account is connected"]).await;
}

async fn asked_beforehand(look: Look, name: &str) {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let walk = Walk::start(look, name).await;
    walk.to_provider(&link).await;
    walk.open_session(&place, &link).await;
    walk.press("alternative:approval").await;
    assert!(walk.has("#pass-on").await);
    walk.see("oauth-approval-asked").await;
    // It was not needed: the person tries, and gets through.
    walk.press("submit").await;
    walk.consent("ben@work.example").await;
    walk.says(&["Your Microsoft account is connected"]).await;
}

#[tokio::test]
async fn whoever_knows_beforehand_asks_without_being_stopped_and_may_still_go_elsewhere() {
    asked_beforehand(desktop(), "desktop-light").await;
    asked_beforehand(phone(), "phone-dark").await;
}
