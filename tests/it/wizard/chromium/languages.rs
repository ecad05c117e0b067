//! The language: the browser's to begin with, the person's from the moment they choose one. It costs no link, and what
//! was typed stays.

use serde_json::json;

use super::{Walk, accounts, desktop, narrow, phone};
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::app::{App, http};
use crate::parts::browser::Look;

impl Walk {
    /// Opens the list of languages and chooses one.
    async fn speak(&self, tag: &str) {
        self.browser.click(".languages summary").await;
        self.follow(&format!(".languages [lang=\"{tag}\"]")).await;
        assert_eq!(self.attribute("html", "lang").await, tag);
    }
}

/// From the link to the success page in Arabic, with a change of the language on every kind of page.
async fn across_languages(look: Look, name: &str) {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({ "user_label": "Ada Lovelace" })).await;
    let walk = Walk::start(Look { languages: "pl,en;q=0.5".to_owned(), ..look }, name).await;
    walk.browser.goto(&link.url).await;
    assert_eq!(walk.attribute("html", "lang").await, "pl");
    walk.speak("ar").await;
    assert_eq!(walk.attribute("html", "dir").await, "rtl");
    walk.see("welcome-ar").await;
    // Looking at it in another language has not opened it.
    let opened = |app: &App| app.cli(&["sessions", "show", &link.id]).1.contains("session.opened");
    assert!(!opened(&app));
    walk.press("submit").await;

    assert!(opened(&app));
    assert_eq!(walk.attribute("html", "lang").await, "ar", "it is remembered");
    walk.fill("email", ADDRESS).await;
    walk.see("address-ar").await;
    walk.speak("de").await;
    assert_eq!(walk.value("email").await, ADDRESS);
    walk.see("address-de").await;
    walk.press("submit").await;
    walk.fill_servers(&mailbox).await;
    walk.speak("ar").await;
    for (field, value) in mailbox.servers() {
        assert_eq!(walk.value(field).await, value, "{field}");
    }
    walk.see("servers-ar").await;
    walk.press("submit").await;
    walk.fill("password", "half a passw").await;
    walk.speak("ja").await;
    assert_eq!(walk.value("password").await, "", "a password is not sent back");
    walk.see("password-ja").await;
    walk.speak("ar").await;
    walk.see("password-ar").await;
    assert_eq!((mailbox.dovecot.logins(ADDRESS), mailbox.dovecot.refusals(ADDRESS)), (0, 0));
    walk.press("cancel").await;
    walk.see("cancelling-ar").await;
    walk.speak("fr").await;
    walk.see("cancelling-fr").await;
    walk.speak("ar").await;
    walk.follow("main a.button").await;
    walk.fill("password", "wrong").await;
    walk.press("submit").await;
    walk.see("password-wrong-ar").await;
    walk.finish().await;
    walk.see("success-ar").await;
    walk.speak("en").await;
    walk.says(&["Your mailbox is connected"]).await;
    assert_eq!(accounts(&app).await, 1);
}

#[tokio::test]
async fn a_person_changes_the_language_on_every_page_of_a_desk() {
    across_languages(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn a_person_changes_the_language_on_every_page_of_a_phone() {
    across_languages(phone(), "phone-dark").await;
}

#[tokio::test]
async fn a_person_changes_the_language_without_scripts() {
    across_languages(Look { javascript: false, ..narrow() }, "narrow-plain").await;
}

#[tokio::test]
async fn pages_of_problems_change_their_language_and_keep_their_address() {
    let app = App::start();
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.browser.goto(&app.url("/connect/not-a-link")).await;
    walk.speak("ar").await;
    walk.see_status("unknown-ar", 404).await;
    assert_eq!(walk.browser.url().await, app.url("/connect/not-a-link?lang=ar"));
    walk.speak("es").await;
    assert_eq!(walk.browser.url().await, app.url("/connect/not-a-link?lang=es"));
}

#[tokio::test]
async fn the_headers_say_which_language_it_is_and_the_cookie_says_nothing_else() {
    let app = App::start();
    let link = app.link(json!({})).await;
    let page = http::send("GET", &link.url, &[("accept-language", "nl")], b"").await;
    assert_eq!((page.header("content-language"), page.header("vary")), ("nl", "Accept-Language, Cookie"));
    assert!(!page.header("set-cookie").contains("language"), "{:?}", page.headers);
    let chosen = http::send("GET", &format!("{}?lang=it", link.url), &[("accept-language", "nl")], b"").await;
    assert_eq!(chosen.header("content-language"), "it");
    let cookies: Vec<_> =
        chosen.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("vestibule-language=it; ")), "{cookies:?}");
    let kept = [("accept-language", "nl"), ("cookie", "vestibule-language=it")];
    assert_eq!(http::send("GET", &link.url, &kept, b"").await.header("content-language"), "it");
    // What is not spoken is not remembered.
    let odd = http::send("GET", &format!("{}?lang=%0d%0ax", link.url), &kept, b"").await;
    assert_eq!(odd.header("content-language"), "it");
    assert!(!odd.header("set-cookie").contains("language"));
    // Another site can neither choose nor fill in: its form is refused as every other one.
    let headers = [("sec-fetch-site", "cross-site"), ("content-type", "application/x-www-form-urlencoded")];
    let forged = http::send("POST", &link.url, &headers, b"action=language:de").await;
    assert_eq!((forged.status, forged.header("content-language")), (403, "en"));
}
