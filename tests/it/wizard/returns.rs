//! Returns from providers' pages that nobody waits for, or that no provider makes.

use crate::app::App;
use crate::app::http::{Reply, send};

const CODE: &str = "code-7f3a9c";

async fn back(app: &App, provider: &str, query: &str) -> Reply {
    let url = app.url(&format!("/providers/{provider}/callback?{query}"));
    let reply = send("GET", &url, &[("accept", "text/html"), ("accept-language", "en")], b"").await;
    let short: String = query.chars().take(60).collect();
    assert!(reply.header("content-type").starts_with("text/html"), "{short}: {}", reply.text());
    assert_eq!(
        (reply.header("cache-control"), reply.header("referrer-policy")),
        ("no-store", "no-referrer"),
        "{short}"
    );
    assert_eq!(reply.header("location"), "", "{short}");
    reply
}

#[tokio::test]
async fn what_no_provider_sends_is_refused_before_anything_is_looked_up() {
    let app = App::start();
    let many: String = (0..50).map(|number| format!("&p{number}=1")).collect();
    for query in [
        String::new(),
        format!("code={CODE}"),
        "state=s".to_owned(),
        format!("state=s&state=s&code={CODE}"),
        format!("state=s&code={CODE}&code={CODE}"),
        format!("state=s&code={CODE}&iss=a&iss=b"),
        format!("state=s&code={CODE}%ff"),
        format!("state=%c3%28&code={CODE}"),
        format!("state=s&co%ffde=1&code={CODE}"),
        format!("state={}&code={CODE}", "s".repeat(600)),
        format!("state=s&code={CODE}{}", "x".repeat(17 * 1024)),
        format!("state=s&code={CODE}{many}"),
    ] {
        let reply = back(&app, "gmail", &query).await;
        assert_eq!(reply.status, 400, "{}", &query[..query.len().min(60)]);
    }
    let logged = app.output();
    assert!(logged.contains("callback_repeated") && !logged.contains(CODE), "{logged}");
}

#[tokio::test]
async fn a_sign_in_that_nobody_waits_for_is_told_so() {
    let app = App::start();
    for provider in ["gmail", "google", "microsoft", "imap", "none"] {
        for query in [format!("state=s&code={CODE}"), "state=s&error=access_denied".to_owned()] {
            assert_eq!(back(&app, provider, &query).await.status, 404, "{provider} {query}");
        }
    }
    for (provider, query) in [("microsoft", "state=s.t&admin_consent=True"), ("microsoft", ""), ("none", "")]
    {
        let url = app.url(&format!("/providers/{provider}/admin-consent?{query}"));
        assert_eq!(send("GET", &url, &[], b"").await.status, 404, "{provider} {query}");
    }
    assert!(!app.output().contains(CODE), "a code is in the log");
}
