//! What people do with tabs and the buttons of a browser while they are away at the provider, and after.

use serde_json::json;

use super::super::{Walk, accounts, desktop, phone};
use crate::oauth::{ADA, HOUSES, Place, address};
use crate::parts::browser::Look;
use crate::parts::identity::House;

/// Back and forward between the provider's pages and ours, before and after.
async fn wander(look: Look, name: &str) {
    for house in HOUSES {
        let place = Place::start(house).await;
        let link = place.link(json!({})).await;
        let walk = Walk::start(look.clone(), name).await;
        let client = walk.browser.client();
        walk.to_provider(&link).await;
        walk.back_home().await;
        walk.says(&["Sign in with"]).await;
        walk.see("oauth-back").await;
        client.forward().await.unwrap();
        walk.back_home().await;
        client.refresh().await.unwrap();
        walk.says(&["Sign in with"]).await;
        walk.press("submit").await;
        walk.consent(address(house)).await;
        walk.says(&["account is connected"]).await;
        // Behind us lie the provider's pages, whose forms are spent; before us the success page.
        client.back().await.unwrap();
        client.forward().await.unwrap();
        walk.browser.wait_for_text("account is connected").await;
        client.refresh().await.unwrap();
        walk.says(&["account is connected"]).await;
        walk.browser.goto(&link.url).await;
        walk.says(&["account is connected", address(house)]).await;
        walk.see("oauth-success-again").await;
        assert_eq!(accounts(&place.app).await, 1);
    }
}

#[tokio::test]
async fn back_and_forward_between_here_and_the_provider_never_end_in_an_error() {
    wander(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn nor_do_they_without_scripts() {
    wander(Look { javascript: false, ..phone() }, "phone-dark-plain").await;
}

async fn closed(look: Look, name: &str) {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let walk = Walk::start(look, name).await;
    let client = walk.browser.client();
    walk.to_provider(&link).await;
    let next = client.new_window(true).await.unwrap().handle;
    client.close_window().await.unwrap();
    client.switch_to_window(next).await.unwrap();
    walk.browser.goto(&link.url).await;
    walk.says(&["Sign in with Google"]).await;
    walk.see("oauth-link-again").await;
    walk.press("submit").await;
    walk.consent(ADA).await;
    walk.says(&["Your Google account is connected"]).await;
}

#[tokio::test]
async fn a_tab_that_was_closed_at_the_provider_is_made_good_by_opening_the_link_again() {
    closed(desktop(), "desktop-light").await;
    closed(phone(), "phone-dark").await;
}

async fn two_tabs(look: Look, name: &str) {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let walk = Walk::start(look, name).await;
    let client = walk.browser.client();
    walk.to_provider(&link).await;
    let first = client.window().await.unwrap();
    let second = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(second.clone()).await.unwrap();
    walk.browser.goto(&link.url).await;
    walk.press("submit").await;
    walk.until("#address").await;
    client.switch_to_window(first.clone()).await.unwrap();
    walk.consent(address(House::Microsoft)).await;
    assert!(walk.has("button[value=submit]").await, "a way on: {}", walk.browser.text().await);
    assert_eq!(accounts(&place.app).await, 0);
    walk.see("oauth-earlier-tab").await;
    client.switch_to_window(second).await.unwrap();
    walk.consent(address(House::Microsoft)).await;
    walk.says(&["Your Microsoft account is connected"]).await;
    client.switch_to_window(first).await.unwrap();
    walk.press("submit").await;
    walk.says(&["Your Microsoft account is connected"]).await;
    assert_eq!(accounts(&place.app).await, 1);
}

#[tokio::test]
async fn of_two_tabs_the_later_one_counts_and_the_earlier_one_says_so() {
    two_tabs(desktop(), "desktop-light").await;
    two_tabs(phone(), "phone-dark").await;
}
