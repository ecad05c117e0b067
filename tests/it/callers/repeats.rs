//! A backend that lost a reply sends its call again: the effect comes once, whatever happens in between.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::app::http::{Reply, send};
use crate::app::{App, in_an_hour};
use crate::parts::postgres::schema;
use crate::parts::{READY, eventually_async};

const LINK: &str = "/v1/hosted/accounts/link";

/// Calls with a key of the caller's for the case that it calls again.
async fn call(app: &App, api_key: &str, path: &str, again: &str, body: &Value) -> Reply {
    let headers = [("x-api-key", api_key), ("content-type", "application/json"), ("idempotency-key", again)];
    send("POST", &app.url(path), &headers, body.to_string().as_bytes()).await
}

fn link(app: &App) -> Value {
    json!({ "type": "create", "providers": ["MAIL"], "api_url": app.url("/v1"), "expiresOn": in_an_hour() })
}

async fn links(app: &App) -> usize {
    app.api("GET", LINK, None).await.json()["items"].as_array().expect("items").len()
}

fn kind(reply: &Reply) -> String {
    reply.json()["type"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_same_call_makes_one_link_and_gets_the_same_reply() {
    let app = App::start();
    let body = link(&app);
    let first = call(&app, app.key(), LINK, "order-1", &body).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, ""));
    let again = call(&app, app.key(), LINK, "order-1", &body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!((&again.body, again.header("content-type")), (&first.body, first.header("content-type")));
    assert_eq!(links(&app).await, 1);
    let page = send("GET", again.json()["url"].as_str().expect("a link"), &[], b"").await;
    assert_eq!(page.status, 200, "the link of the second reply opens");
}

#[tokio::test]
async fn both_dialects_keep_their_own_replies() {
    let app = App::start();
    let body = json!({ "redirectUri": "https://app.example.com/done", "provider": "imap" });
    let first = call(&app, app.key(), "/auth/sessions", "k", &body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = call(&app, app.key(), "/auth/sessions", "k", &body).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    // The same key at another route, or under another spelling of the same one, is another call.
    for (path, object) in [(LINK, "HostedAuthURL"), ("/api/v1/hosted/accounts/link", "HostedAuthUrl")] {
        let reply = call(&app, app.key(), path, "k", &link(&app)).await;
        assert_eq!((reply.status, reply.json()["object"].as_str()), (201, Some(object)));
    }
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused_and_another_caller_has_keys_of_its_own() {
    let app = App::start();
    let mut body = link(&app);
    assert_eq!(call(&app, app.key(), LINK, "k", &body).await.status, 201);
    body["name"] = json!("somebody else");
    let refused = call(&app, app.key(), LINK, "k", &body).await;
    assert_eq!((refused.status, kind(&refused)), (422, "errors/idempotency_key_reused".to_owned()));
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("fresh key")));
    let (_, other, _) = app.cli(&["keys", "create", "--name", "other"]);
    assert_eq!(call(&app, other.trim(), LINK, "k", &body).await.status, 201);
    assert_eq!(links(&app).await, 2);
}

#[tokio::test]
async fn a_refused_call_may_be_mended_under_its_key() {
    let app = App::start();
    let mut body = link(&app);
    body["expiresOn"] = json!("yesterday");
    for _ in 0..2 {
        assert_eq!(call(&app, app.key(), LINK, "k", &body).await.status, 400);
    }
    body["expiresOn"] = json!(in_an_hour());
    assert_eq!(call(&app, app.key(), LINK, "k", &body).await.status, 201);
    for key in ["", "k k", "k\tk", "\u{fc}", &"k".repeat(256)] {
        let refused = call(&app, app.key(), LINK, key, &body).await;
        assert_eq!((refused.status, kind(&refused)), (400, "errors/invalid_parameters".to_owned()));
    }
    assert_eq!(links(&app).await, 1);
}

#[tokio::test]
async fn a_reply_is_kept_over_a_kill_and_gone_with_its_session() {
    let mut app = App::start();
    let body = link(&app);
    let first = call(&app, app.key(), LINK, "k", &body).await;
    app.kill();
    app.run();
    let again = call(&app, app.key(), LINK, "k", &body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(app.api("DELETE", &format!("{LINK}/{id}"), None).await.status, 200);
    let fresh = call(&app, app.key(), LINK, "k", &body).await;
    assert_eq!((fresh.status, fresh.header("idempotency-replayed")), (201, ""));
    assert_ne!(fresh.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn a_session_is_started_once_under_one_key() {
    let app = App::start();
    let made = app.link(json!({})).await;
    let path = format!("/v1/steps/{}/start", made.id);
    let first = call(&app, app.key(), &path, "k", &json!({})).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = call(&app, app.key(), &path, "k", &json!({})).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(again.json()["token"], first.json()["token"]);
    let other = call(&app, app.key(), &path, "k", &json!({ "takeover": true })).await;
    assert_eq!((other.status, kind(&other)), (422, "errors/idempotency_key_reused".to_owned()));
    assert_eq!(call(&app, app.key(), &path, "other", &json!({})).await.status, 409, "somebody holds it");
    let takeover = json!({ "takeover": true });
    assert_eq!(call(&app, app.key(), &path, "mine", &takeover).await.status, 201);
    assert_eq!(call(&app, app.key(), &path, "yours", &takeover).await.status, 201);
    let late = call(&app, app.key(), &path, "mine", &takeover).await;
    assert_eq!((late.status, kind(&late)), (409, "errors/session_held".to_owned()), "a repeat takes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_call_runs_the_same_one_is_told_to_wait() {
    let schema = schema();
    let app = App::with(&[("DATABASE_URL", &schema.url())]);
    let body = link(&app);
    let mut blocker = PgConnection::connect(&schema.url()).await.expect("a connection");
    // Writing a session waits; everything else goes on.
    sqlx::raw_sql("BEGIN; LOCK TABLE sessions IN EXCLUSIVE MODE")
        .execute(&mut blocker)
        .await
        .expect("a lock");
    let first = async { call(&app, app.key(), LINK, "k", &body).await };
    let second = async {
        let waits = eventually_async("the first to run", READY, async || {
            let count = schema.psql("SELECT COUNT(*) FROM idempotent_calls");
            (count.trim() == "1").then_some(())
        });
        waits.await;
        let told = call(&app, app.key(), LINK, "k", &body).await;
        sqlx::raw_sql("COMMIT").execute(&mut blocker).await.expect("the lock is let go");
        told
    };
    let (first, told) = tokio::join!(first, second);
    assert_eq!((told.status, kind(&told)), (409, "errors/idempotency_in_flight".to_owned()));
    assert!(told.header("retry-after").parse::<u64>().is_ok_and(|wait| (1..=5).contains(&wait)));
    assert_eq!(first.status, 201, "{}", first.text());
    let again = call(&app, app.key(), LINK, "k", &body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(links(&app).await, 1);
}
