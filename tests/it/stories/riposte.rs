//! What only this dialect has: its words on the wire, its pages, its ways to name an account.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Dialect, HOME};
use crate::app::App;
use crate::app::http::send;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::parts::sink::Sink;

async fn asked(app: &App, body: Value) -> (u16, Value) {
    let reply = app.api("POST", "/auth/sessions", Some(body)).await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn a_session_reads_as_documented_from_its_making_to_its_end() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = Sink::start();
    let body = json!({
        "redirectUri": HOME,
        "customUserId": "user_123",
        "email": ADDRESS,
        "expiresInMinutes": 30,
        "forceConsent": false,
        "notifyUrl": sink.url("/told"),
    });
    let (status, made) = asked(&app, body).await;
    assert_eq!(status, 200, "{made}");
    let keys: Vec<_> = made.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["code", "authUrl", "expiresAt", "email"]);
    let code = made["code"].as_str().unwrap();
    let url = made["authUrl"].as_str().unwrap();
    assert!(url.starts_with(&app.url(&format!("/auth/authorize?session={code}&state="))), "{url}");
    let read = || async { app.api("GET", &format!("/auth/sessions/{code}"), None).await.json() };
    let before = read().await;
    assert_eq!((&before["status"], &before["provider"]), (&json!("open"), &json!(null)));
    assert_eq!((&before["redirectUri"], &before["customUserId"]), (&json!(HOME), &json!("user_123")));

    let person = Person::new();
    let welcome = person.open(url).await;
    assert_eq!(welcome.attribute("input[name=\"email\"]", "value").as_deref(), Some(ADDRESS));
    assert_eq!(read().await["openedAt"], json!(null), "looking spends nothing");
    let servers = person.submit(&welcome, &welcome.sheet()).await;
    assert_eq!(servers.step(), "servers", "{}", servers.text());
    assert!(!servers.url.contains("state="), "the secret is out of the address");
    assert_eq!(read().await["provider"], "imap", "the address decided, and the session knows");
    let mut sheet = servers.sheet();
    for (name, value) in mailbox.servers() {
        sheet = sheet.with(name, &value);
    }
    let password = person.submit(&servers, &sheet).await;
    person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    let after = read().await;
    let account = after["accountId"].as_str().expect("an account");
    assert_eq!(after["status"], "connected");

    let calls = sink.wait_for(1, Duration::from_secs(10)).await;
    let told: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(told["type"], "account.connected");
    let data = json!({
        "accountId": account, "session": code, "provider": "imap", "customUserId": "user_123", "cause": null,
    });
    assert_eq!(told["data"], data);
    assert_eq!(told["deliveryId"].as_str(), Some(calls[0].header("webhook-id")));

    for named in [account, "user_123"] {
        let read = app.api("GET", &format!("/accounts/{named}"), None).await.json();
        let paused = &json!(false);
        assert_eq!(
            (&read["email"], &read["provider"], &read["paused"]),
            (&json!(ADDRESS), &json!("imap"), paused)
        );
    }
    let list = app.api("GET", "/auth/sessions?customUserId=user_123", None).await.json();
    assert_eq!(list["sessions"], json!([after]));
    let one =
        json!({ "page": 1, "limit": 50, "total": 1, "totalPages": 1, "hasNext": false, "hasPrev": false });
    assert_eq!(list["pagination"], one);
    let gone = app.api("DELETE", "/accounts/user_123", None).await;
    assert_eq!(gone.json(), json!({ "success": true, "id": account }));
    assert_eq!(app.api("GET", &format!("/accounts/{account}"), None).await.status, 404);
}

#[tokio::test]
async fn a_custom_user_id_with_several_accounts_deletes_none() {
    let mailbox = Mailbox::start();
    mailbox.dovecot.set_password("second@example.test", PASSWORD);
    let app = mailbox.app(&[]);
    for address in [ADDRESS, "second@example.test"] {
        let link = Dialect::Riposte.link(&app, "user_7", "http://127.0.0.1:9/").await;
        let person = Person::new();
        let welcome = person.open(&link.url).await;
        let servers = person.submit(&welcome, &welcome.sheet().raw("email", address)).await;
        let mut sheet = servers.sheet();
        for (name, value) in mailbox.servers() {
            sheet = sheet.with(name, if name == "login" { address } else { &value });
        }
        let password = person.submit(&servers, &sheet).await;
        person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    }
    let page = app.api("GET", "/accounts?limit=1&page=2", None).await.json();
    assert_eq!(page["accounts"].as_array().unwrap().len(), 1);
    assert_eq!((&page["pagination"]["total"], &page["pagination"]["hasPrev"]), (&json!(2), &json!(true)));
    let refused = app.api("DELETE", "/accounts/user_7", None).await;
    assert_eq!((refused.status, refused.json()["type"].as_str()), (409, Some("errors/several_found")));
    let all = app.accounts().await;
    assert_eq!(all.len(), 2);
    for account in &all {
        assert!(refused.text().contains(account["id"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named_in_this_dialect_s_words() {
    let app = App::start();
    for (body, says) in [
        (json!({}), "redirectUri is required"),
        (json!({ "redirectUri": "app://x" }), "redirectUri must be"),
        (json!({ "redirectUri": HOME, "provider": "yahoo" }), "provider must be"),
        (json!({ "redirectUri": HOME, "provider": "gmail" }), "gmail is not set up on this server"),
        (json!({ "redirectUri": HOME, "expiresInMinutes": 1441 }), "expiresInMinutes must be a number"),
        (
            json!({ "redirectUri": HOME, "customUserId": "acc_01J00000000000000000000000" }),
            "customUserId must",
        ),
        (json!({ "redirectUri": HOME, "notifyUrl": "http://10.1.2.3/" }), "notifyUrl points at"),
    ] {
        let (status, reply) = asked(&app, body.clone()).await;
        let detail = reply["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && detail.contains(says), "{body}: {reply}");
    }
    for path in ["/auth/sessions", "/accounts", "/accounts/x", "/auth/sessions/x"] {
        assert_eq!(send("GET", &app.url(path), &[], b"").await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_pair_that_does_not_match_looks_like_no_link_at_all() {
    let app = App::start();
    let (_, one) = asked(&app, json!({ "redirectUri": HOME })).await;
    let (_, two) = asked(&app, json!({ "redirectUri": HOME })).await;
    let state = |made: &Value| made["authUrl"].as_str().unwrap().split("state=").nth(1).unwrap().to_owned();
    let code = |made: &Value| made["code"].as_str().unwrap().to_owned();
    let mut seen = Vec::new();
    for (session, state) in [
        (code(&one), state(&two)),
        (code(&one), "x".to_owned()),
        ("authsess_01J00000000000000000000000".to_owned(), state(&one)),
        ("nonsense".to_owned(), state(&one)),
    ] {
        let url = app.url(&format!("/auth/authorize?session={session}&state={state}"));
        let page = Person::new().open(&url).await;
        // Each page has a code of its own, which comes from the request alone.
        let (text, html) = (page.text(), page.reply.text());
        let quoted = html.split("<code dir=\"ltr\">").nth(1).and_then(|rest| rest.get(..9)).expect("a code");
        assert!(!session.ends_with(&quoted.replace('-', "")), "{text}");
        seen.push((page.reply.status, text.replace(quoted, "code")));
        let start = app.url(&format!("/auth/sessions/{session}/start"));
        let body = json!({ "provider": "imap", "state": state }).to_string();
        assert_eq!(send("POST", &start, &[], body.as_bytes()).await.status, 404);
    }
    assert!(seen.iter().all(|page| *page == seen[0]) && seen[0].0 == 404, "{seen:?}");
}

#[tokio::test]
async fn a_start_claims_for_the_browser_that_calls_and_for_no_other_site() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let (_, made) = asked(&app, json!({ "redirectUri": HOME })).await;
    let code = made["code"].as_str().unwrap();
    let state = made["authUrl"].as_str().unwrap().split("state=").nth(1).unwrap();
    let url = app.url(&format!("/auth/sessions/{code}/start"));
    let person = Person::new();
    let call = |body: Value, site: &'static str| {
        let (person, url) = (person.clone(), url.clone());
        async move {
            let headers = [("content-type", "application/json"), ("sec-fetch-site", site)];
            person.send("POST", &url, &headers, body.to_string().as_bytes()).await.unwrap()
        }
    };
    let whole = json!({ "provider": "imap", "state": state, "email": ADDRESS });
    for site in ["cross-site", "same-site"] {
        assert_eq!(call(whole.clone(), site).await.status, 401, "{site}");
    }
    let gmail = json!({ "provider": "gmail", "state": state });
    let refused = call(gmail, "same-origin").await;
    assert!(
        refused.status == 400 && refused.text().contains("provider gmail is not among"),
        "{}",
        refused.text()
    );
    let begun = call(whole.clone(), "same-origin").await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    let page = person.open(begun.json()["authUrl"].as_str().unwrap()).await;
    assert_eq!(page.step(), "servers", "the address was passed on: {}", page.text());
    let other = send("POST", &url, &[], whole.to_string().as_bytes()).await;
    assert_eq!((other.status, other.json()["type"].as_str()), (409, Some("errors/session_held")));
}

#[tokio::test]
async fn the_first_page_takes_json_as_well_and_goes_on_like_the_form() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let (_, made) = asked(&app, json!({ "redirectUri": HOME })).await;
    let state = made["authUrl"].as_str().unwrap().split("state=").nth(1).unwrap();
    let body = json!({ "session": made["code"], "state": state, "email": ADDRESS }).to_string();
    let (url, person) = (app.url("/auth/authorize"), Person::new());
    let headers = [("content-type", "application/json"), ("origin", "https://evil.example")];
    assert_eq!(person.send("POST", &url, &headers, body.as_bytes()).await.unwrap().status, 403);
    let reply = person.send("POST", &url, &headers[..1], body.as_bytes()).await.unwrap();
    assert_eq!(reply.status, 303, "{}", reply.text());
    let page = person.open(&app.url(reply.header("location"))).await;
    assert_eq!(page.step(), "servers", "{}", page.text());
    let plain = [("content-type", "text/plain")];
    assert_eq!(Person::new().send("POST", &url, &plain, body.as_bytes()).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_return_from_a_sign_in_that_nobody_waits_for_is_a_page_with_a_way_on() {
    let app = App::start();
    for (path, status) in [
        ("/providers/gmail/callback?code=a&state=b", 404),
        ("/providers/google/callback?error=access_denied&state=b", 404),
        ("/providers/microsoft/callback?code=a", 400),
        ("/providers/microsoft/callback?state=b", 400),
        ("/providers/myspace/callback?code=a&state=b", 404),
    ] {
        let page = Person::new().open(&app.url(path)).await;
        assert_eq!(page.reply.status, status, "{path}");
        assert!(!page.text().is_empty() && page.has("h1"), "{path}");
    }
    assert!(!app.output().contains("access_denied"));
}
