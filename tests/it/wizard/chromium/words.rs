//! Names that somebody else chose, meant badly: they are text, they stay in their place, and they turn nothing around.

use serde_json::json;

use super::{Walk, narrow};
use crate::app::mailbox::{ADDRESS, Mailbox};

/// Turns what follows it around, where nothing holds it back.
const TURN: char = '\u{202e}';

#[tokio::test]
async fn names_meant_badly_are_only_text_and_break_no_page() {
    let mailbox = Mailbox::start();
    let product = format!("<script>alert(1)</script>{TURN}evil{{product}}&amp;{}", "W".repeat(80));
    let app = mailbox.app(&[("PRODUCT_NAME", &product)]);
    let person = format!("\"><img src=x onerror=alert(1)>{TURN}gnp.exe {}", "Ä".repeat(80));
    let link = app.link(json!({ "name": "<b>x</b>", "user_label": person })).await;
    let walk = Walk::start(narrow(), "hostile").await;
    walk.browser.goto(&link.url).await;
    walk.says(&["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{product}&amp;"]).await;
    assert!(!walk.has("main script, main img, header script").await);
    // What turns text around is held in its own box, so that our words stay readable.
    let held =
        "return [...document.querySelectorAll('body *')].filter((element) => [...element.childNodes].some(
        (node) => node.nodeType === 3 && node.data.includes('\\u202e')))
        .filter((element) => !element.closest('bdi')).length";
    assert_eq!(walk.run(held).await, 0);
    walk.see("welcome").await;
    walk.press("submit").await;
    walk.see("address").await;
    let long = format!("{}@{}.example.test", "a".repeat(60), "b".repeat(60));
    walk.fill("email", &long).await;
    walk.press("submit").await;
    walk.see("servers").await;
    walk.press("submit").await;
    walk.see("password").await;
    walk.press("alternative:address").await;
    walk.fill("email", ADDRESS).await;
    walk.press("submit").await;
    walk.fill_servers(&mailbox).await;
    walk.press("submit").await;
    walk.finish().await;
    walk.says(&["Your mailbox is connected"]).await;
    walk.see("success").await;
}
