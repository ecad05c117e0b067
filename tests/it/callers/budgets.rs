//! How often one key and one address may ask.

use crate::app::App;
use crate::app::http::{Reply, send};

/// Behind a proxy on this machine that is trusted.
fn behind_a_proxy(per_address: &str) -> App {
    App::with(&[("TRUSTED_PROXIES", "127.0.0.0/8"), ("REQUESTS_PER_MINUTE_ADDRESS", per_address)])
}

async fn from(app: &App, address: &str, path: &str, accept: &str) -> Reply {
    send("GET", &app.url(path), &[("x-forwarded-for", address), ("accept", accept)], b"").await
}

fn waits(reply: &Reply) -> bool {
    reply.header("retry-after").parse::<u64>().is_ok_and(|wait| (1..=60).contains(&wait))
}

#[tokio::test]
async fn a_key_that_asks_too_often_waits_and_others_do_not() {
    let app = App::with(&[("REQUESTS_PER_MINUTE", "5")]);
    for _ in 0..5 {
        assert_eq!(app.api("GET", "/v1/accounts", None).await.status, 200);
    }
    let refused = app.api("GET", "/accounts", None).await;
    assert_eq!((refused.status, refused.json()["type"].as_str()), (429, Some("errors/too_many_requests")));
    assert!(waits(&refused), "{:?}", refused.headers);
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("requests_per_minute")));
    let (_, other, _) = app.cli(&["keys", "create", "--name", "other"]);
    let headers = [("x-api-key", other.trim())];
    assert_eq!(send("GET", &app.url("/v1/accounts"), &headers, b"").await.status, 200);
}

#[tokio::test]
async fn an_address_that_asks_too_often_reads_a_page_or_an_envelope() {
    let app = behind_a_proxy("3");
    for _ in 0..3 {
        assert_eq!(from(&app, "198.51.100.1", "/connect/none", "text/html").await.status, 404);
    }
    let page = from(&app, "198.51.100.1", "/connect/none?x=1", "text/html").await;
    assert_eq!(page.status, 429);
    assert!(waits(&page) && page.text().contains("Too many requests"), "{}", page.text());
    let document = scraper::Html::parse_document(&page.text());
    let ways = scraper::Selector::parse("main a").expect("a selector");
    let ways: Vec<_> = document.select(&ways).filter_map(|way| way.attr("href").map(str::to_owned)).collect();
    assert_eq!(ways, ["/connect/none?x=1"], "the way on is the page that was asked for");
    let envelope = from(&app, "198.51.100.1", "/v1/accounts", "application/json").await;
    assert_eq!((envelope.status, envelope.json()["type"].as_str()), (429, Some("errors/too_many_requests")));
    assert!(waits(&envelope));
    assert_eq!(from(&app, "198.51.100.2", "/connect/none", "text/html").await.status, 404);
    assert_eq!(from(&app, "198.51.100.1", "/healthz", "*/*").await.status, 200, "probes are not counted");
}

#[tokio::test]
async fn nobody_escapes_by_naming_other_addresses() {
    let app = behind_a_proxy("2");
    let ask = async |address: String| from(&app, &address, "/v1/accounts", "*/*").await.status;
    assert_eq!(ask("203.0.113.1, 198.51.100.1".to_owned()).await, 401);
    assert_eq!(ask("203.0.113.2, 198.51.100.1, 127.0.0.9".to_owned()).await, 401);
    assert_eq!(
        ask("203.0.113.3, 198.51.100.1".to_owned()).await,
        429,
        "the left is whatever the client wrote"
    );
    let mut statuses = Vec::new();
    for host in 1..=3 {
        statuses.push(ask(format!("2001:db8:1:2::{host}")).await);
    }
    assert_eq!(statuses, [401, 401, 429], "a network of 64 bits is one caller");
}

#[tokio::test]
async fn a_proxy_that_nobody_trusts_is_named_once_in_the_log() {
    let app = App::with(&[("REQUESTS_PER_MINUTE_ADDRESS", "1")]);
    for host in 1..=3 {
        assert_eq!(from(&app, &format!("198.51.100.{host}"), "/v1/accounts", "*/*").await.status, 401);
    }
    assert_eq!(app.output().matches("not among trusted_proxies").count(), 1);
}
