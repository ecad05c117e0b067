//! The API's reference, as whoever writes a client sees it: in every kind of window, with everything folded out.

use super::{Walk, desktop, phone};
use crate::app::{App, http};
use crate::parts::browser::Look;

#[tokio::test]
async fn the_reference_stands_in_every_look_and_loads_nothing_from_elsewhere() {
    let app = App::start();
    let served = http::send("GET", &app.url("/docs"), &[], b"").await;
    let policy = served.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let elsewhere = ["http:", "https:", "*"];
    assert!(
        policy.split([' ', ';']).all(|word| !elsewhere.iter().any(|way| word.starts_with(way))),
        "{policy}"
    );
    for (look, name) in [
        (desktop(), "desktop-light"),
        (Look { dark: true, ..desktop() }, "desktop-dark"),
        (Look { dark: false, ..phone() }, "phone-light"),
        (phone(), "phone-dark"),
    ] {
        let walk = Walk::start(look, name).await;
        walk.browser.goto(&app.url("/docs")).await;
        walk.run("for (const fold of document.querySelectorAll('details')) fold.open = true").await;
        walk.see("reference").await;
        let loaded = "return performance.getEntriesByType('resource').map((one) => one.name)";
        let loaded: Vec<String> = serde_json::from_value(walk.run(loaded).await).expect("addresses");
        assert!(
            loaded.iter().any(|url| url.contains("reference")),
            "its style sheet is among them: {loaded:?}"
        );
        assert!(loaded.iter().all(|url| url.starts_with(&app.url("/"))), "{loaded:?}");
    }
}
