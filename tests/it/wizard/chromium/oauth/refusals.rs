//! When the provider does not let through: the person who says no, the box that was emptied, the page that leads nowhere;
//! and the person who stops before.

use serde_json::json;

use super::super::{Walk, accounts, desktop, phone};
use crate::oauth::{ADA, HOUSES, Place, address, slug};
use crate::parts::browser::Look;
use crate::parts::identity::House;

async fn said_no(look: Look, name: &str) {
    for house in HOUSES {
        let place = Place::start(house).await;
        let walk = Walk::start(look.clone(), name).await;
        walk.to_provider(&place.link(json!({})).await).await;
        walk.sign_in(address(house)).await;
        walk.leave_by("#deny").await;
        walk.says(&["Access was not allowed", "sign in again and allow it"]).await;
        walk.see(&format!("oauth-denied-{}", slug(house))).await;
        // The reason stands above the button, and both fit on the first screen.
        let order = "const at = (css) => document.querySelector(css).getBoundingClientRect();
            const [notice, button] = [at('#notice'), at('button[value=submit]')];
            return notice.bottom <= button.top && button.bottom <= innerHeight";
        assert_eq!(walk.run(order).await, true);
        walk.press("submit").await;
        walk.consent(address(house)).await;
        walk.says(&["account is connected", address(house)]).await;
        assert_eq!(accounts(&place.app).await, 1);
    }
}

#[tokio::test]
async fn whoever_says_no_reads_so_and_may_try_again() {
    said_no(phone(), "phone-dark").await;
}

#[tokio::test]
async fn whoever_says_no_without_scripts_may_try_again_too() {
    said_no(Look { javascript: false, ..desktop() }, "desktop-light-plain").await;
}

async fn emptied(look: Look, name: &str) {
    let place = Place::start(House::Google).await;
    let walk = Walk::start(look, name).await;
    walk.to_provider(&place.link(json!({})).await).await;
    walk.sign_in(ADA).await;
    walk.until("input[value=\"https://mail.google.com/\"]").await;
    walk.browser.click("input[value=\"https://mail.google.com/\"]").await;
    walk.leave_by("#allow").await;
    walk.says(&["Something that is needed was not allowed", "leave everything ticked"]).await;
    walk.see("oauth-unticked").await;
    assert_eq!(accounts(&place.app).await, 0);
    walk.press("submit").await;
    walk.consent(ADA).await;
    walk.says(&["Your Google account is connected"]).await;
}

#[tokio::test]
async fn an_emptied_box_is_named_and_the_next_try_goes_through() {
    emptied(desktop(), "desktop-light").await;
    emptied(phone(), "phone-dark").await;
}

async fn led_nowhere(look: Look, name: &str) {
    for house in HOUSES {
        let place = Place::start(house).await;
        let walk = Walk::start(look.clone(), name).await;
        place.identity.fault_once(&place.client, "authorize_dead_end").await;
        walk.begin(&place.link(json!({})).await).await;
        walk.until("#detail").await;
        walk.back_home().await;
        walk.says(&["Sign in with", "shows an error instead of bringing you back"]).await;
        walk.see(&format!("oauth-sign-in-{}", slug(house))).await;
        walk.press("submit").await;
        walk.consent(address(house)).await;
        walk.says(&["account is connected"]).await;
    }
}

#[tokio::test]
async fn from_a_page_that_leads_nowhere_the_back_button_leads_to_another_try() {
    led_nowhere(desktop(), "desktop-light").await;
    led_nowhere(phone(), "phone-dark").await;
}

async fn stopped(look: Look, name: &str) {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let walk = Walk::start(look, name).await;
    walk.to_provider(&link).await;
    let signing_in = walk.browser.url().await;
    walk.back_home().await;
    walk.press("cancel").await;
    walk.says(&["Stop connecting?"]).await;
    walk.see("oauth-cancelling").await;
    walk.follow("main a.button").await;
    walk.says(&["Sign in with Google"]).await;
    walk.press("cancel").await;
    walk.press("cancel").await;
    walk.see_status("oauth-cancelled", 410).await;
    // The provider's page still stands in the browser; what comes of it is nothing.
    walk.browser.goto(&signing_in).await;
    walk.consent(ADA).await;
    walk.says(&["You stopped connecting"]).await;
    walk.see_status("oauth-after-cancelling", 410).await;
    assert_eq!(accounts(&place.app).await, 0);
}

#[tokio::test]
async fn whoever_stops_at_the_door_is_asked_once_and_nothing_is_connected() {
    stopped(desktop(), "desktop-light").await;
    stopped(phone(), "phone-dark").await;
}
