//! Credentials: what a person typed comes back to a key that may read it, and shows up nowhere else.

use serde_json::{Value, json};

use crate::app::App;
use crate::app::http::{Reply, send};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::steps::Screen;

async fn ask(app: &App, key: &str, path: &str, body: &str) -> Reply {
    send("POST", &app.url(path), &[("x-api-key", key)], body.as_bytes()).await
}

/// A server and a mailbox's account on it.
async fn connected(mailbox: &Mailbox) -> (App, String) {
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let account = Screen::start(&app, &link).await.connect(mailbox).await;
    (app, account)
}

#[tokio::test]
async fn a_trusted_key_gets_what_the_account_was_connected_with() {
    let mailbox = Mailbox::start();
    let (app, account) = connected(&mailbox).await;
    let key = app.trusted_key();
    let server = |port: u16| -> Value {
        json!({
            "host": "127.0.0.1", "port": port, "encryption": "tls", "login": ADDRESS, "password": PASSWORD,
        })
    };
    let expected = json!({
        "object": "Credentials",
        "account_id": account,
        "provider": "imap",
        "state": "active",
        "expires_at": null,
        "missing_scopes": [],
        "credentials": {
            "type": "password",
            "imap": server(mailbox.dovecot.tls().port()),
            "smtp": server(mailbox.submission.tls().port()),
        },
    });
    for (prefix, body) in [("/v1", ""), ("/v1", "{}"), ("/api/v1", r#"{"refresh":true}"#)] {
        let reply = ask(&app, &key, &format!("{prefix}/accounts/{account}/credentials"), body).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{}", reply.text());
        assert_eq!(reply.json(), expected);
    }
    let logged = app.output();
    assert_eq!(logged.matches("an entry of the audit log").count(), 3, "{logged}");
    assert!(!logged.contains("correct horse") && !logged.contains(&key), "{logged}");
    let account = app.api("GET", &format!("/v1/accounts/{account}"), None).await;
    assert!(!account.text().contains("correct horse"), "{}", account.text());
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_how_to_get_one() {
    let mailbox = Mailbox::start();
    let (app, account) = connected(&mailbox).await;
    let path = format!("/v1/accounts/{account}/credentials");
    let refused = ask(&app, app.key(), &path, "").await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    let told = refused.json();
    assert_eq!(told["type"], "errors/insufficient_privileges");
    assert!(!refused.text().contains("correct horse"));
    let way_out = told["detail"].as_str().and_then(|detail| detail.split_once("vestibule "));
    let words: Vec<&str> = way_out.expect("a command").1.split(' ').collect();
    let (made, key, why) = app.cli(&words);
    assert!(made, "{why}");
    assert_eq!(ask(&app, key.trim(), &path, "").await.status, 200);
    for key in ["", "vst_unknown"] {
        assert_eq!(ask(&app, key, &path, "").await.status, 401);
    }
}

#[tokio::test]
async fn an_account_that_is_not_there_has_none_and_bad_bodies_are_named() {
    let mailbox = Mailbox::start();
    let (app, account) = connected(&mailbox).await;
    let (key, path) = (app.trusted_key(), format!("/v1/accounts/{account}/credentials"));
    for (body, part) in [("[]", "JSON object"), ("{", "must be JSON"), (r#"{"refresh":"no"}"#, "refresh")] {
        let reply = ask(&app, &key, &path, body).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(reply.text().contains(part), "{}", reply.text());
    }
    for id in ["acc_01M82PMF2KM01WCYP2MQRYWX7J", "none", "%ff"] {
        let reply = ask(&app, &key, &format!("/v1/accounts/{id}/credentials"), "").await;
        assert_eq!(
            (reply.status, reply.json()["type"].as_str()),
            (404, Some("errors/resource_not_found")),
            "{}",
            reply.text()
        );
    }
    assert_eq!(app.api("DELETE", &format!("/v1/accounts/{account}"), None).await.status, 200);
    assert_eq!(ask(&app, &key, &path, "").await.status, 404);
}
