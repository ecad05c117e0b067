//! Every page of signing in by OAuth as people have set their browsers up: from the right, in the narrowest window, with
//! text twice as large, with the system's few colours. Each is looked at as on every walk.

use serde_json::json;

use super::super::{Walk, desktop, narrow, phone};
use crate::oauth::choice::World;
use crate::parts::browser::{Look, Size};

const APP: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
    Mobile/15E148 Instagram 350.0";

/// All pages in turn.
async fn tour(look: Look, name: &str) {
    let world = World::start().await;
    let link = async |providers: &[&str]| world.app.link(json!({ "providers": providers })).await;
    let walk = Walk::start(look, name).await;
    walk.begin(&link(&["GOOGLE", "OUTLOOK", "MAIL"]).await).await;
    walk.see("oauth-tour-choose").await;
    walk.fill("email", "ada").await;
    walk.press("submit").await;
    walk.see("oauth-tour-choose-wrong").await;
    walk.press("alternative:choose:google").await;
    walk.until("#address").await;
    walk.back_home().await;
    walk.see("oauth-tour-sign-in").await;
    walk.press("submit").await;
    walk.leave_by("#cancel-sign-in").await;
    walk.see("oauth-tour-denied").await;

    let asked = link(&["OUTLOOK"]).await;
    walk.to_provider(&asked).await;
    walk.browser.goto(&world.app.url(&format!("/wizard/{}", asked.id))).await;
    walk.see("oauth-tour-sign-in-microsoft").await;
    walk.press("alternative:approval").await;
    walk.see("oauth-tour-approval").await;
    let url = walk.attribute("#pass-on", "value").await;
    for (press, page, then) in [("#deny", "refused", "declined"), ("#accept", "given", "approved")] {
        walk.browser.goto(&url).await;
        walk.browser.fill("address", "admin@work.example").await;
        walk.leave_by(press).await;
        walk.see(&format!("oauth-tour-approval-{page}")).await;
        walk.browser.goto(&world.app.url(&format!("/wizard/{}", asked.id))).await;
        walk.see(&format!("oauth-tour-{then}")).await;
    }

    walk.browser.devtools("Emulation.setUserAgentOverride", json!({ "userAgent": APP })).await;
    walk.begin(&link(&["GOOGLE"]).await).await;
    assert!(walk.has("#pass-on").await, "{}", walk.browser.text().await);
    walk.see("oauth-tour-handover").await;
}

#[tokio::test]
async fn every_page_stands_at_a_desk_in_light_and_dark() {
    tour(desktop(), "desktop-light").await;
    tour(Look { dark: true, ..desktop() }, "desktop-dark").await;
}

#[tokio::test]
async fn every_page_stands_on_a_phone_in_light_and_dark() {
    tour(phone(), "phone-dark").await;
    tour(Look { dark: false, ..phone() }, "phone-light").await;
}

#[tokio::test]
async fn every_page_stands_in_arabic() {
    let arabic = |size| Look { size, languages: "ar".to_owned(), ..Look::default() };
    tour(arabic(Size::Desktop), "desktop-light-ar").await;
    tour(Look { dark: true, ..arabic(Size::Phone) }, "phone-dark-ar").await;
}

#[tokio::test]
async fn every_page_stands_in_the_narrowest_window_also_in_the_longest_words() {
    tour(narrow(), "narrow").await;
    tour(Look { languages: "de".to_owned(), ..narrow() }, "narrow-de").await;
}

#[tokio::test]
async fn every_page_stands_with_text_twice_as_large() {
    tour(Look { large: true, ..phone() }, "phone-large").await;
}

#[tokio::test]
async fn every_page_stands_in_the_system_s_colours() {
    tour(Look { forced: true, ..desktop() }, "desktop-forced").await;
}
