//! Everybody gets through: with the keyboard alone, with text twice as large, with the system's few colours, without
//! motion. What holds for every page (axe-core, sizes, contrast) is looked at on every walk.

use serde_json::{Value, json};

use super::{Walk, accounts, desktop, phone};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::parts::browser::Look;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

impl Walk {
    /// Sends keys to whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        let focused = self.browser.client().active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("keys");
    }

    /// Tabs on until this has the focus; every stop on the way must show that it has it.
    pub async fn tab_to(&self, css: &str) {
        for _ in 0..30 {
            self.keys(TAB).await;
            let stop = self.run(include_str!("focus.js")).await;
            assert_eq!(stop["shown"], true, "nobody can see where the focus is: {stop}");
            if self.run(&format!("return document.activeElement.matches({})", json!(css))).await == true {
                return;
            }
        }
        panic!("no way to {css} by the keyboard: {}", self.browser.text().await);
    }

    /// Tabs to a field and types over what it holds.
    pub async fn type_into(&self, field: &str, text: &str) {
        let css = format!("[name=\"f.{field}\"]");
        if self.run(&format!("return document.activeElement.matches({})", json!(css))).await != true {
            self.tab_to(&css).await;
        }
        // A field that is reached by Tab has all of it selected; a list jumps to what begins so.
        self.keys(text).await;
    }

    /// Presses Enter and waits for the next page.
    pub async fn enter_here(&self) {
        let before = self.document().await;
        self.keys(ENTER).await;
        self.next(before).await;
    }
}

#[tokio::test]
async fn the_keyboard_alone_leads_from_the_link_to_the_success_page() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({ "success_redirect_url": "https://app.example.com/done" })).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.browser.goto(&link.url).await;
    walk.tab_to("main button").await;
    // Everything can be reached: the languages stand behind the form.
    walk.tab_to(".languages summary").await;
    walk.keys(ENTER).await;
    walk.tab_to(".languages button[lang=fr]").await;
    walk.enter_here().await;
    assert_eq!(walk.attribute("html", "lang").await, "fr");
    walk.tab_to("main button").await;
    walk.enter_here().await;
    walk.type_into("email", ADDRESS).await;
    // Enter in a field means its button, not a language.
    walk.enter_here().await;
    for (field, value) in mailbox.servers() {
        if !field.ends_with("encryption") {
            walk.type_into(field, &value).await;
            assert_eq!(walk.value(field).await, value);
        }
    }
    walk.enter_here().await;
    walk.type_into("password", PASSWORD).await;
    walk.tab_to(".reveal-button").await;
    walk.tab_to("main button[value=submit]").await;
    walk.enter_here().await;
    walk.tab_to("main a.button").await;
    assert_eq!(accounts(&app).await, 1);
}

#[tokio::test]
async fn what_is_wrong_with_several_fields_is_read_first_and_leads_to_each() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.until_servers(&app.link(json!({})).await).await;
    walk.fill("imap_host", "https://x/").await;
    walk.fill("smtp_host", "https://y/").await;
    walk.press("submit").await;
    assert_eq!(walk.run("return document.activeElement.id").await, "wrong");
    assert_eq!(walk.run(include_str!("focus.js")).await["shown"], true);
    walk.tab_to("#wrong a[href='#f-smtp_host']").await;
    walk.keys(ENTER).await;
    assert_eq!(walk.run("return document.activeElement.name").await, "f.smtp_host");
}

/// The whole way with a look at every page, and at a page of a problem.
async fn whole_way(look: Look, name: &str) -> Walk {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[("SUPPORT_CONTACT", "mailto:help@acme.example")]);
    let walk = Walk::start(look, name).await;
    let link = app.link(json!({ "user_label": "Ada Lovelace" })).await;
    walk.browser.goto(&link.url).await;
    walk.see("welcome").await;
    walk.browser.click(".languages summary").await;
    walk.see("welcome-languages").await;
    walk.press("submit").await;
    walk.see("address").await;
    walk.fill("email", ADDRESS).await;
    walk.press("submit").await;
    walk.fill("imap_host", "https://x/").await;
    walk.press("submit").await;
    walk.see("servers-wrong").await;
    walk.fill_servers(&mailbox).await;
    walk.press("submit").await;
    walk.see("password").await;
    walk.fill("password", "wrong").await;
    walk.press("submit").await;
    walk.see("password-wrong").await;
    walk.finish().await;
    walk.see("success").await;
    walk.browser.goto(&app.url("/connect/not-a-link")).await;
    walk.says(&["help@acme.example"]).await;
    walk.see_status("unknown-support", 404).await;
    walk
}

#[tokio::test]
async fn text_twice_as_large_fits_at_a_desk() {
    let walk = whole_way(Look { large: true, ..desktop() }, "desktop-large").await;
    assert_eq!(walk.run("return getComputedStyle(document.body).fontSize").await, "32px");
}

#[tokio::test]
async fn with_the_system_s_colours_everything_can_still_be_told_apart() {
    let walk = whole_way(Look { forced: true, ..phone() }, "phone-forced").await;
    assert_eq!(walk.run("return matchMedia('(forced-colors: active)').matches").await, true);
    let app = App::start();
    walk.begin(&app.link(json!({})).await).await;
    walk.press("cancel").await;
    // Buttons have an edge, drawings a colour that is not their ground.
    let flat = walk
        .run(
            "return [...document.querySelectorAll('main .button, main .sign')].filter((element) => {
                const style = getComputedStyle(element);
                return parseFloat(style.borderTopWidth) < 1 || style.borderTopStyle === 'none';
            }).length",
        )
        .await;
    assert_eq!(flat, 0);
    let unseen = walk
        .run(
            "return [...document.querySelectorAll('svg')].filter((svg) =>
                getComputedStyle(svg).color === getComputedStyle(document.body).backgroundColor).length",
        )
        .await;
    assert_eq!(unseen, 0);
    walk.see("cancelling").await;
    walk.tab_to("main .button-bad").await;
}

#[tokio::test]
async fn a_person_who_asks_for_less_motion_sees_none() {
    let walk = whole_way(Look { still: true, ..phone() }, "phone-still").await;
    // The only thing that moves is on the page that waits.
    let turning = walk
        .run(
            "const ring = document.createElement('span'); ring.className = 'spinner';
            document.querySelector('main').append(ring);
            return document.getAnimations().length",
        )
        .await;
    assert_eq!(turning, Value::from(0));
}
