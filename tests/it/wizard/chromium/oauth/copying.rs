//! The button that copies what is to be passed on: with a clipboard, with the old command only, and with neither.

use serde_json::{Value, json};

use super::super::{Walk, desktop};
use crate::oauth::Place;
use crate::parts::identity::House;

const COPY: &str = ".copy button";

/// A page with something to pass on.
async fn something_to_pass_on(place: &Place) -> Walk {
    let link = place.link(json!({})).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.to_provider(&link).await;
    walk.open_session(place, &link).await;
    walk.press("alternative:approval").await;
    walk
}

/// What the system's clipboard holds.
async fn clipboard(walk: &Walk) -> Value {
    let granted = json!({ "permissions": ["clipboardReadWrite"] });
    walk.browser.devtools("Browser.grantPermissions", granted).await;
    let read = "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))";
    walk.browser.client().execute_async(read, Vec::new()).await.expect("the clipboard")
}

#[tokio::test]
async fn what_is_passed_on_is_copied_and_the_button_says_so() {
    let place = Place::start(House::Microsoft).await;
    let walk = something_to_pass_on(&place).await;
    walk.tab_to(COPY).await;
    walk.keys("\u{e007}").await;
    walk.browser.wait_for_text("Copied").await;
    assert_eq!(clipboard(&walk).await, walk.attribute("#pass-on", "value").await);
    // It is said aloud too, the focus stays, and the page is as it was.
    assert_eq!(walk.run("return document.querySelector('.copy [role=status]').textContent").await, "Copied");
    assert_eq!(walk.run("return document.activeElement.matches('.copy button')").await, true);
    walk.see("oauth-copied").await;
    walk.browser.wait_for_text("Copy\n").await;
}

#[tokio::test]
async fn where_pages_have_no_clipboard_the_old_command_copies_and_else_the_address_is_selected() {
    let place = Place::start(House::Microsoft).await;
    let walk = something_to_pass_on(&place).await;
    // A server without encryption and with a name, as its pages find the browser.
    let without = "const own = Object.getOwnPropertyDescriptor(Navigator.prototype, 'clipboard');
        window.putBack = () => Object.defineProperty(Navigator.prototype, 'clipboard', own);
        Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined, configurable: true })";
    walk.run(without).await;
    walk.browser.click(COPY).await;
    walk.browser.wait_for_text("Copied").await;
    walk.run("putBack()").await;
    assert_eq!(clipboard(&walk).await, walk.attribute("#pass-on", "value").await);

    walk.run(without).await;
    walk.run("document.execCommand = () => false").await;
    walk.browser.click(COPY).await;
    walk.browser.wait_for_text("Selected, copy it now").await;
    let selected = "const field = document.activeElement;
        return field.id === 'pass-on' && field.selectionStart === 0 && field.selectionEnd === field.value.length";
    assert_eq!(walk.run(selected).await, true);
    walk.see("oauth-selected").await;
}
