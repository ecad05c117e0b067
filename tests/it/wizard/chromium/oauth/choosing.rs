//! A link that leaves several providers open: the person is found by their address or chooses, with a mouse or with the
//! keyboard alone, and may change their mind.

use serde_json::json;

use super::super::{Walk, desktop, narrow, phone};
use crate::app::Link;
use crate::oauth::choice::World;
use crate::oauth::{ADA, BEN};
use crate::parts::browser::Look;

async fn link(world: &World) -> Link {
    world.app.link(json!({ "providers": ["GOOGLE", "OUTLOOK", "MAIL"] })).await
}

/// Which stand-in's page this is.
async fn house(walk: &Walk) -> String {
    walk.until("#address").await;
    walk.attribute("body", "data-house").await
}

async fn by_address_and_by_button(look: Look, name: &str) {
    let world = World::start().await;
    let walk = Walk::start(look, name).await;
    walk.begin(&link(&world).await).await;
    walk.see("oauth-choose").await;
    walk.fill("email", "ada").await;
    walk.press("submit").await;
    walk.says(&["This does not look like an email address"]).await;
    assert_eq!(walk.value("email").await, "ada");
    walk.see("oauth-choose-wrong").await;
    walk.fill("email", "ada@harbour.net").await;
    walk.press("submit").await;
    assert_eq!(house(&walk).await, "google", "who takes its mail");
    assert_eq!(walk.run("return document.querySelector('#address').value").await, "ada@harbour.net");
    walk.consent(ADA).await;
    walk.says(&["Your Google account is connected", ADA]).await;

    walk.begin(&link(&world).await).await;
    walk.fill("email", "cat@cellar.net").await;
    walk.press("submit").await;
    assert!(walk.has("[name=\"f.imap_host\"]").await, "{}", walk.browser.text().await);
    walk.see("oauth-choose-servers").await;

    walk.begin(&link(&world).await).await;
    walk.press("alternative:choose:microsoft").await;
    assert_eq!(house(&walk).await, "microsoft");
    walk.consent(BEN).await;
    walk.says(&["Your Microsoft account is connected", BEN]).await;
}

#[tokio::test]
async fn a_person_is_found_by_their_address_or_chooses() {
    by_address_and_by_button(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn the_same_in_the_narrowest_window_without_scripts() {
    by_address_and_by_button(Look { javascript: false, ..narrow() }, "narrow-plain").await;
}

#[tokio::test]
async fn the_keyboard_alone_finds_or_chooses_a_provider() {
    let world = World::start().await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.browser.goto(&link(&world).await.url).await;
    walk.tab_to("main button").await;
    walk.enter_here().await;
    // The field has the focus already, and Enter in it means its button.
    assert_eq!(walk.run("return document.activeElement.name").await, "f.email");
    walk.type_into("email", BEN.replace("work.example", "office.net").as_str()).await;
    walk.enter_here().await;
    assert_eq!(house(&walk).await, "microsoft");
    walk.back_home().await;
    // Another provider after all.
    walk.tab_to("button[value=\"alternative:choose\"]").await;
    walk.enter_here().await;
    for way in ["submit", "alternative:choose:google", "alternative:choose:microsoft"] {
        walk.tab_to(&format!("button[value=\"{way}\"]")).await;
    }
    walk.tab_to("button[value=\"alternative:choose:imap\"]").await;
    walk.enter_here().await;
    assert!(walk.has("[name=\"f.email\"], [name=\"f.imap_host\"]").await, "{}", walk.browser.text().await);
}

#[tokio::test]
async fn a_person_changes_their_mind_at_the_provider_s_door() {
    let world = World::start().await;
    let link = link(&world).await;
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.begin(&link).await;
    walk.press("alternative:choose:google").await;
    assert_eq!(house(&walk).await, "google");
    walk.back_home().await;
    walk.says(&["Sign in with Google", "Connect another kind of account"]).await;
    walk.see("oauth-sign-in-among-several").await;
    walk.press("alternative:choose").await;
    walk.says(&["Which account would you like to connect?"]).await;
    walk.press("alternative:choose:microsoft").await;
    assert_eq!(house(&walk).await, "microsoft");
    walk.consent(BEN).await;
    walk.says(&["Your Microsoft account is connected"]).await;
    assert_eq!(world.app.accounts().await[0]["type"], "OUTLOOK");
}
