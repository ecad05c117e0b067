//! Signing in on a provider's own pages, in a real browser: there and back again, at a desk and on a phone, with and
//! without scripts, in both dialects, and every page in between that is ours.

use fantoccini::Locator;
use serde_json::json;

use super::{Walk, accounts, desktop, narrow, phone, product};
use crate::app::signing::{ADA, BEN, Place, address, set_up, slug, tag};
use crate::app::{App, Link};
use crate::parts::browser::Look;
use crate::parts::identity::House;
use crate::parts::{READY, eventually_async};

/// Waits for something on whatever page comes, and presses it; the page behind may be anybody's.
async fn press(walk: &Walk, css: &str) {
    let found = walk.browser.client().wait().for_element(Locator::Css(css)).await;
    found.unwrap_or_else(|error| panic!("{css}: {error}")).click().await.expect("a click");
}

/// The provider's pages: whoever it is says yes.
async fn at_provider(walk: &Walk, address: &str) {
    let field = walk.browser.client().wait().for_element(Locator::Css("#address")).await.expect("its page");
    field.clear().await.expect("an empty field");
    field.send_keys(address).await.expect("typing");
    press(walk, "#next").await;
    // Where consent was given before, it is not asked for again.
    let answered = eventually_async("consent or the way back", READY, async || {
        match (walk.has("#allow").await, walk.has("footer .languages").await) {
            (false, false) => None,
            (asked, _) => Some(asked),
        }
    });
    if answered.await {
        press(walk, "#allow").await;
    }
}

/// The page that stands in the session, back from wherever.
async fn back_here(walk: &Walk, place: &Place, link: &Link) {
    walk.browser.goto(&place.app.url(&format!("/wizard/{}", link.id))).await;
}

async fn there_and_back(house: House, look: Look, name: &str) {
    let (place, sink) = (Place::start(house).await, product());
    let link = place.link(json!({ "success_redirect_url": sink.url("/done"), "user_label": "Ada" })).await;
    let name = format!("{}-{name}", slug(house));
    let walk = Walk::start(look, &name).await;
    walk.browser.goto(&link.url).await;
    walk.see("oauth-welcome").await;
    press(&walk, "button[value=submit]").await;
    at_provider(&walk, address(house)).await;
    walk.browser.wait_for_text(address(house)).await;
    walk.see("oauth-success").await;
    walk.follow("main a.button").await;
    walk.browser.wait_for_text("Welcome back").await;
    assert!(walk.browser.url().await.starts_with(&sink.url("/done?account_id=acc_")));
    assert_eq!(accounts(&place.app).await, 1);
    // Back from the product: the same end, and no way into the provider's pages.
    walk.browser.client().back().await.expect("back");
    walk.browser.wait_for_text(address(house)).await;
    assert_eq!(accounts(&place.app).await, 1);
}

#[tokio::test]
async fn a_google_account_is_connected_at_a_desk_on_a_phone_and_without_scripts() {
    there_and_back(House::Google, desktop(), "desktop-light").await;
    there_and_back(House::Google, phone(), "phone-dark").await;
    there_and_back(House::Google, Look { javascript: false, ..desktop() }, "bare").await;
}

#[tokio::test]
async fn a_microsoft_account_is_connected_at_a_desk_on_a_phone_and_without_scripts() {
    there_and_back(House::Microsoft, desktop(), "desktop-light").await;
    there_and_back(House::Microsoft, phone(), "phone-dark").await;
    there_and_back(House::Microsoft, Look { javascript: false, ..narrow() }, "narrow").await;
}

/// Says no, leaves a box empty, comes back with the browser's button, and ends well.
async fn second_thoughts(look: Look, name: &str) {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let walk = Walk::start(look, name).await;
    walk.begin(&link).await;
    let field = walk.browser.client().wait().for_element(Locator::Css("#address")).await.expect("its page");
    field.send_keys(ADA).await.expect("typing");
    press(&walk, "#next").await;
    press(&walk, "#deny").await;
    walk.browser.wait_for_text("Google").await;
    walk.see("oauth-denied").await;
    assert!(walk.has("#notice").await);
    press(&walk, "button[value=submit]").await;
    let field = walk.browser.client().wait().for_element(Locator::Css("#address")).await.expect("its page");
    field.clear().await.expect("an empty field");
    field.send_keys(ADA).await.expect("typing");
    press(&walk, "#next").await;
    press(&walk, "input[type=checkbox]").await;
    press(&walk, "#allow").await;
    eventually_async("the page that names what is missing", READY, async || {
        walk.has("#notice").await.then_some(())
    })
    .await;
    walk.see("oauth-missing").await;
    press(&walk, "button[value=submit]").await;
    walk.browser.client().wait().for_element(Locator::Css("#address")).await.expect("its page");
    // The browser's own way back leads to a page of ours that leads on.
    back_here(&walk, &place, &link).await;
    walk.see("oauth-sign-in").await;
    press(&walk, "button[value=submit]").await;
    at_provider(&walk, ADA).await;
    walk.browser.wait_for_text(ADA).await;
    assert_eq!(accounts(&place.app).await, 1);
}

#[tokio::test]
async fn whoever_hesitates_at_the_provider_finds_a_way_on() {
    second_thoughts(desktop(), "desktop-light").await;
    second_thoughts(phone(), "phone-dark").await;
}

/// An organization whose administrator has to approve.
async fn approval(look: Look, name: &str) {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let scripts = look.javascript;
    let walk = Walk::start(look.clone(), name).await;
    walk.begin(&link).await;
    let user = "carol@needs-approval.example";
    let field = walk.browser.client().wait().for_element(Locator::Css("#address")).await.expect("its page");
    field.send_keys(user).await.expect("typing");
    press(&walk, "#next").await;
    // The provider's page says so, and leads back.
    eventually_async("the way back", READY, async || {
        let client = walk.browser.client();
        if walk.has("#pass-on").await {
            return Some(());
        }
        for css in ["#return"] {
            if let Ok(found) = client.find(Locator::Css(css)).await {
                drop(found.click().await);
                break;
            }
        }
        None
    })
    .await;
    walk.see("oauth-approval").await;
    let url = walk.attribute("#pass-on", "value").await;
    if scripts {
        press(&walk, ".copy button").await;
    }
    let admin =
        place.identity.visitor().walk(&url, "admin@needs-approval.example", &Default::default()).await;
    let crate::parts::visitor::Walk::Back(back) = admin else { panic!("{admin:?}") };
    let other = Walk::start(look, &format!("{name}-admin")).await;
    other.browser.goto(back.as_str()).await;
    other.see("oauth-approved").await;
    if scripts {
        // It notices by itself.
        eventually_async("the page after the approval", READY, async || {
            (!walk.has("#pass-on").await).then_some(())
        })
        .await;
    } else {
        back_here(&walk, &place, &link).await;
    }
    walk.see("oauth-go-on").await;
    press(&walk, "button[value=submit]").await;
    at_provider(&walk, user).await;
    walk.browser.wait_for_text(user).await;
    assert_eq!(accounts(&place.app).await, 1);
}

#[tokio::test]
async fn an_administrator_s_approval_is_waited_for_with_and_without_scripts() {
    approval(desktop(), "desktop-light").await;
    approval(Look { javascript: false, ..phone() }, "phone-bare").await;
}

/// A link for three providers, in a server that has them all.
async fn three() -> (App, Link) {
    let mut app = App::prepared(&[]);
    set_up(&mut app, House::Google, json!({})).await;
    set_up(&mut app, House::Microsoft, json!({})).await;
    app.run();
    let link = app.link(json!({ "providers": [tag(House::Google), tag(House::Microsoft), "MAIL"] })).await;
    (app, link)
}

async fn choosing(look: Look, name: &str) {
    let (app, link) = three().await;
    let walk = Walk::start(look, name).await;
    walk.begin(&link).await;
    walk.see("oauth-choose").await;
    walk.fill("email", "nobody").await;
    walk.press("submit").await;
    walk.see("oauth-choose-wrong").await;
    walk.press("alternative:choose:imap").await;
    walk.see("oauth-choose-imap").await;
    walk.press("alternative:choose").await;
    press(&walk, "button[value=\"alternative:choose:microsoft\"]").await;
    at_provider(&walk, BEN).await;
    walk.browser.wait_for_text(BEN).await;
    assert_eq!(app.accounts().await[0]["type"], "OUTLOOK");
}

#[tokio::test]
async fn one_of_three_providers_is_chosen_at_a_desk_on_a_phone_and_in_arabic() {
    choosing(desktop(), "desktop-light").await;
    choosing(phone(), "phone-dark").await;
    let (_app, link) = three().await;
    let walk = Walk::start(narrow(), "narrow-ar").await;
    walk.browser.goto(&format!("{}?lang=ar", link.url)).await;
    walk.press("submit").await;
    walk.see("oauth-choose").await;
}

#[tokio::test]
async fn the_keyboard_alone_chooses_by_address() {
    let (_app, link) = three().await;
    let walk = Walk::start(desktop(), "keyboard").await;
    walk.begin(&link).await;
    assert_eq!(walk.run("return document.activeElement.name").await, "f.email");
    walk.fill("email", ADA).await;
    let css = "[name=\"f.email\"]";
    let field = walk.browser.client().find(Locator::Css(css)).await.expect("the field");
    field.send_keys("\u{e007}").await.expect("Enter");
    let field = walk.browser.client().wait().for_element(Locator::Css("#address")).await.expect("its page");
    assert_eq!(field.prop("value").await.expect("a value").as_deref(), Some(ADA), "the address is filled in");
}

/// A browser inside of another app, in the language asked for.
async fn inside(look: Look, name: &str, language: &str) {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let walk = Walk::start(look.clone(), name).await;
    let agent =
        "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36";
    walk.browser.devtools("Network.setUserAgentOverride", json!({ "userAgent": agent })).await;
    walk.browser.goto(&format!("{}?lang={language}", link.url)).await;
    walk.press("submit").await;
    walk.see("oauth-handover").await;
    let handover = walk.attribute("#pass-on", "value").await;
    let real = Walk::start(look, &format!("{name}-real")).await;
    real.browser.goto(&format!("{handover}?lang={language}")).await;
    real.see("oauth-handed-over").await;
    press(&real, "button[value=submit]").await;
    at_provider(&real, ADA).await;
    real.browser.wait_for_text(ADA).await;
    assert_eq!(accounts(&place.app).await, 1);
}

#[tokio::test]
async fn out_of_another_app_into_a_real_browser() {
    inside(phone(), "phone-dark", "en").await;
    inside(desktop(), "desktop-ar", "ar").await;
}

#[tokio::test]
async fn another_person_at_a_reconnect_is_named_and_the_right_one_repairs_it() {
    for (look, name) in [(desktop(), "desktop-light"), (phone(), "phone-dark")] {
        let place = Place::start(House::Microsoft).await;
        let account = place.account(&place.link(json!({})).await).await;
        let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
        let walk = Walk::start(look, name).await;
        walk.browser.goto(&repair.url).await;
        walk.see("oauth-repair").await;
        press(&walk, "button[value=submit]").await;
        at_provider(&walk, "eve@work.example").await;
        walk.browser.wait_for_text("eve@work.example").await;
        walk.says(&[BEN]).await;
        walk.see("oauth-wrong-account").await;
        press(&walk, "button[value=submit]").await;
        at_provider(&walk, BEN).await;
        walk.browser.wait_for_text("works again").await;
        walk.see("oauth-repaired").await;
    }
}
