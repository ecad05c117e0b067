//! From the link through the provider's pages home: both providers, both dialects, desk and phone, with scripts and
//! without; and the same way for an account that is to be repaired.

use std::time::Duration;

use serde_json::json;

use super::super::{Walk, accounts, desktop, phone, product};
use crate::oauth::{HOUSES, Place, address, slug};
use crate::parts::browser::Look;
use crate::parts::identity::House;
use crate::stories::Dialect;

fn name(house: House) -> &'static str {
    match house {
        House::Google => "Google",
        House::Microsoft => "Microsoft",
    }
}

/// The way of a postpress link, to the button that leads home.
async fn postpress(place: &Place, look: Look, picture: &str) {
    let sink = product();
    let more = json!({ "notify_url": sink.url("/told"), "success_redirect_url": sink.url("/done") });
    let link = place.link(more).await;
    let walk = Walk::start(look, picture).await;
    walk.browser.goto(&link.url).await;
    walk.says(&["Acme CRM", name(place.house)]).await;
    walk.see(&format!("oauth-welcome-{}", slug(place.house))).await;
    walk.press("submit").await;
    walk.consent(address(place.house)).await;
    walk.says(&[&format!("Your {} account is connected", name(place.house)), address(place.house)]).await;
    walk.see(&format!("oauth-success-{}", slug(place.house))).await;
    let shown = walk.browser.url().await;
    assert_eq!(shown, place.app.url(&format!("/wizard/{}", link.id)), "nothing secret in the address");
    walk.follow("main a.button").await;
    let account = place.app.accounts().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(walk.browser.url().await, sink.url(&format!("/done?account_id={account}")));
    let calls = sink.wait_for(2, Duration::from_secs(10)).await;
    assert!(calls.iter().any(|call| call.path == "/told"));
    assert!(calls.iter().all(|call| call.header("referer").is_empty()));
}

/// The way of the other dialect, whose first page asks for the address and whose end is home.
async fn riposte(place: &Place, look: Look, picture: &str) {
    let sink = product();
    let (path, mut body) = Dialect::Riposte.request(&place.app.url(""), &sink.url("/told"));
    body["provider"] = json!(if place.house == House::Google { "gmail" } else { "microsoft" });
    body["redirectUri"] = json!(sink.url("/done?plan=a%20b"));
    let link = Dialect::Riposte.made(&place.app.api("POST", path, Some(body)).await);
    let walk = Walk::start(look, picture).await;
    walk.browser.goto(&link.url).await;
    walk.browser.fill("email", address(place.house)).await;
    walk.press("submit").await;
    walk.until("#address").await;
    // What was typed here need not be typed there.
    let typed = walk.run("return document.querySelector('#address').value").await;
    assert_eq!(typed, address(place.house));
    walk.browser.click("#next").await;
    // What the same person allowed the same application before is not asked again; at home they are welcome.
    walk.until("#allow, link[rel=icon][href^='data:']").await;
    if walk.has("#allow").await {
        walk.browser.click("#allow").await;
    }
    walk.browser.wait_for_text("Welcome back").await;
    let home = walk.browser.url().await;
    assert!(home.starts_with(&sink.url("/done?plan=a%20b&account_id=")), "{home}");
    let mut complaints = walk.browser.complaints().await;
    complaints.retain(|line| !line.starts_with("https://localhost:"));
    assert_eq!(complaints, Vec::<String>::new(), "also none of the pages in between");
}

async fn both(look: Look, picture: &str) {
    for house in HOUSES {
        let place = Place::start(house).await;
        postpress(&place, look.clone(), picture).await;
        riposte(&place, look.clone(), picture).await;
        // The second dialect repairs what the first has made, or makes its own; never is there a third.
        assert!(accounts(&place.app).await <= 2);
    }
}

#[tokio::test]
async fn a_person_signs_in_at_a_desk_and_is_home() {
    both(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn a_person_signs_in_on_a_phone_and_is_home() {
    both(phone(), "phone-dark").await;
}

#[tokio::test]
async fn a_person_signs_in_without_scripts_at_a_desk_and_is_home() {
    both(Look { javascript: false, dark: true, ..desktop() }, "desktop-dark-plain").await;
}

#[tokio::test]
async fn a_person_signs_in_without_scripts_on_a_phone_and_is_home() {
    both(Look { javascript: false, dark: false, ..phone() }, "phone-light-plain").await;
}

async fn reconnected(look: Look, picture: &str) {
    for house in HOUSES {
        let place = Place::start(house).await;
        let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
        let walk = Walk::start(look.clone(), picture).await;
        walk.browser.goto(&repair.url).await;
        walk.says(&[address(house), name(house)]).await;
        walk.see(&format!("oauth-reconnect-{}", slug(house))).await;
        walk.press("submit").await;
        walk.until("#address").await;
        let offered = walk.run("return document.querySelector('#address').value").await;
        assert_eq!(offered, address(house));
        let other = if house == House::Google { "eve@gmail.com" } else { "eve@work.example" };
        walk.consent(other).await;
        walk.says(&[other, address(house), "but this link repairs"]).await;
        walk.see(&format!("oauth-wrong-account-{}", slug(house))).await;
        assert!(!walk.has("button[value=\"alternative:choose\"]").await, "it is this account or none");
        walk.press("submit").await;
        walk.consent(address(house)).await;
        walk.says(&[&format!("Your {} account works again", name(house)), address(house)]).await;
        walk.see(&format!("oauth-reconnected-{}", slug(house))).await;
        let accounts = place.app.accounts().await;
        assert_eq!((accounts.len(), &accounts[0]["id"]), (1, &json!(account)));
    }
}

#[tokio::test]
async fn a_reconnect_names_its_account_and_a_wrong_one_is_named_too() {
    reconnected(desktop(), "desktop-light").await;
    reconnected(phone(), "phone-dark").await;
}
