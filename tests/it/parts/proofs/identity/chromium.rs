//! The doubles' pages in a real browser, with and without scripts.

use super::App;
use crate::parts::browser::{Browser, Look};
use crate::parts::identity::House;
use crate::parts::{READY, free_port};
use fantoccini::Locator;
use serde_json::json;
use std::time::{Duration, Instant};

const ANN: &str = "ann.lee@example.com";

/// Opens the address, signs in, agrees, and gives where the browser ended.
async fn walk(browser: &Browser, start: &str) -> url::Url {
    let client = browser.client();
    client.goto(start).await.expect("the first page");
    let field = client.find(Locator::Css("#address")).await.expect("a field for the address");
    field.send_keys(ANN).await.expect("typing");
    press(browser, "#next").await;
    press(browser, "#allow").await;
    // The driver may come back from a click before the browser has got where it leads.
    let started = Instant::now();
    loop {
        let now = client.current_url().await.expect("an address");
        if now.path() == "/callback" || started.elapsed() > READY {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn press(browser: &Browser, button: &str) {
    let found = browser.client().wait().for_element(Locator::Css(button)).await;
    // The last one leads to an application that is not there, which the driver calls an error.
    drop(found.unwrap_or_else(|error| panic!("{button}: {error}")).click().await);
}

#[tokio::test]
async fn chromium_walks_through_both_with_and_without_scripts() {
    for javascript in [true, false] {
        let browser = Browser::open(Look { javascript, ..Look::default() }).await;
        for (house, scope) in [
            (House::Google, "openid email https://mail.google.com/"),
            (House::Microsoft, "openid email User.Read"),
        ] {
            let callback = format!("http://127.0.0.1:{}/callback", free_port());
            let app = App::with(house, json!({ "redirect_uris": [callback] })).await;
            let back = walk(&browser, &app.address(&[("scope", scope), ("redirect_uri", &callback)])).await;
            let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
            let code = code.unwrap_or_else(|| panic!("{house:?}: {back}"));
            let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &callback)];
            let (status, tokens) = app.token(&form).await;
            assert_eq!(status, 200, "{house:?}: {tokens}");
        }
    }
}
