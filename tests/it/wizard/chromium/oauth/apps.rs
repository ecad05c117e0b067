//! A link that is opened inside another app, whose browser Google turns away: the page says how to get out, and another
//! browser goes on.

use serde_json::json;

use super::super::{Walk, accounts, desktop, phone};
use crate::oauth::{ADA, BEN, Place};
use crate::parts::identity::House;

const APP: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \
    Chrome/130.0 Mobile Safari/537.36 Instagram 350.0";

/// The browser of an app on a phone.
async fn inside_an_app() -> Walk {
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.browser.devtools("Emulation.setUserAgentOverride", json!({ "userAgent": APP })).await;
    walk
}

#[tokio::test]
async fn from_inside_an_app_a_person_goes_on_in_a_real_browser() {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let inside = inside_an_app().await;
    inside.begin(&link).await;
    inside.says(&["Please go on in your browser", "Google does not allow"]).await;
    inside.see("oauth-handover").await;
    assert!(
        place.identity.log(&place.client, "authorize").await.is_empty(),
        "it was not led to be turned away"
    );
    // What the app's own menu opens elsewhere is what the page says to copy.
    let here = inside.browser.url().await;
    assert_eq!(inside.attribute("#pass-on", "value").await, here);
    // A press that stays in the app shows the same page, and spends nothing.
    inside.browser.goto(&here).await;
    inside.says(&["Please go on in your browser"]).await;
    // A press too early: it is still to be opened.
    inside.follow("main a.button-quiet").await;
    inside.says(&["Please go on in your browser"]).await;

    let real = Walk::start(desktop(), "desktop-light").await;
    real.browser.goto(&here).await;
    real.says(&["Acme CRM", "Google"]).await;
    real.see("oauth-handed-over").await;
    real.press("submit").await;
    real.until("#address").await;
    inside.follow("main a.button-quiet").await;
    inside.says(&["This goes on in another window"]).await;
    inside.see_status("oauth-handed-over-moved-on", 409).await;
    // The address was good once, also for a third browser.
    let third = Walk::start(desktop(), "desktop-light").await;
    third.browser.goto(&here).await;
    third.says(&["We do not know this link"]).await;
    third.see_status("oauth-handover-used", 404).await;
    real.consent(ADA).await;
    real.says(&["Your Google account is connected"]).await;
    assert_eq!(accounts(&place.app).await, 1);
    inside.browser.client().refresh().await.unwrap();
    inside.says(&["This link was already used"]).await;
}

#[tokio::test]
async fn a_provider_that_takes_every_browser_is_signed_in_to_inside_an_app_too() {
    let place = Place::start(House::Microsoft).await;
    let inside = inside_an_app().await;
    inside.to_provider(&place.link(json!({})).await).await;
    inside.consent(BEN).await;
    inside.says(&["Your Microsoft account is connected"]).await;
}
