//! The API's reference, as whoever writes a client sees it, in every kind of window.

use super::{Walk, desktop, phone};
use crate::app::{App, http};
use crate::parts::browser::Look;

/// Leaves one operation of each kind, by its method and its headings, and folds it out: all of them come out of one template,
/// and the audit would take a minute for the whole page.
const ONE_OF_EACH_KIND: &str = "
    const seen = new Set();
    for (const article of document.querySelectorAll('article')) {
        const parts = article.querySelectorAll(':scope > h4, :scope > pre, :scope > .place .method');
        const kind = [...parts].map((one) => one.localName === 'pre' ? 'pre' : one.textContent).join();
        if (seen.has(kind)) article.remove();
        seen.add(kind);
        for (const fold of article.querySelectorAll('details')) fold.open = true;
    }
    return seen.size";

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
        assert!(walk.run(ONE_OF_EACH_KIND).await.as_u64() > Some(5), "operations of different kinds");
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
