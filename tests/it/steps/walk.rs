//! The whole way and its ends.

use std::time::Duration;

use serde_json::json;

use super::{Screen, start};
use crate::app::http::send;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::parts::sink::Sink;

#[tokio::test]
async fn a_product_with_its_own_screens_connects_a_mailbox_and_its_backend_is_told() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = Sink::start();
    let link = app.link(json!({ "name": "user_1", "notify_url": sink.url("/told") })).await;
    let mut screen = Screen::start(&app, &link).await;
    assert_eq!(screen.seen["state"], "open");
    assert_eq!(screen.seen["provider"], "imap");
    assert_eq!(screen.seen["step"]["kind"], "form");
    let title = &screen.seen["step"]["title"];
    assert!(title["text"].as_str().is_some_and(|text| text.contains(' ')), "{title}");

    screen.until_password(&mailbox).await;
    screen.answer(json!({ "password": "wrong" })).await;
    assert_eq!(screen.step(), "password");
    let field = &screen.seen["step"]["fields"][0];
    assert_eq!(field["error"]["key"], "imap.error.credentials_invalid", "{}", screen.seen);
    assert!(field["error"]["text"].is_string(), "{field}");
    assert!(!screen.seen.to_string().contains("\"wrong\""), "no secret comes back");
    screen.answer(json!({ "password": PASSWORD })).await;
    assert_eq!(screen.seen["state"], "connected", "{}", screen.seen);
    assert_eq!(screen.seen["account"]["label"], ADDRESS);
    let account = screen.seen["account"]["id"].as_str().unwrap();

    let calls = sink.wait_for(1, Duration::from_secs(10)).await;
    let expected = format!(r#"{{"status":"CREATION_SUCCESS","account_id":"{account}","name":"user_1"}}"#);
    assert_eq!(String::from_utf8_lossy(&calls[0].body), expected);
    let again = screen.call("GET", "", None).await.json();
    assert_eq!(again, screen.seen, "the end can be read again");
    let late = start(&app, &link, &[], json!({})).await;
    assert_eq!((late.status, late.json()["type"].as_str()), (410, Some("errors/session_ended")));
    assert!(!app.output().contains(&screen.token), "the token is in the log");
}

#[tokio::test]
async fn the_wizard_and_the_steps_api_walk_one_engine() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let (by_page, by_step) = (app.link(json!({})).await, app.link(json!({})).await);
    Person::new().account(&app, &mailbox, &by_page).await;
    Screen::start(&app, &by_step).await.connect(&mailbox).await;
    let told = |id: &str| app.cli(&["sessions", "show", id]).1;
    let events = |text: String| -> Vec<String> {
        let shown: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let events = shown["events"].as_array().expect("events").clone();
        events.into_iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    };
    let (page, step) = (events(told(&by_page.id)), events(told(&by_step.id)));
    assert!(page.len() > 1, "{page:?}");
    assert_eq!(page, step);
}

#[tokio::test]
async fn a_link_that_a_screen_holds_is_open_elsewhere_for_browsers_and_the_other_way_round() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let screen = Screen::start(&app, &link).await;
    let person = Person::new();
    let page = person.open(&link.url).await;
    assert_eq!(page.reply.status, 409);
    let sheet = page.sheet().raw("takeover", "yes");
    let page = person.submit(&page, &sheet).await;
    assert_eq!(page.step(), "address", "{}", page.text());
    assert_eq!(screen.call("GET", "", None).await.status, 401, "the browser took it over");

    let refused = start(&app, &link, &[], json!({})).await;
    assert_eq!((refused.status, refused.json()["type"].as_str()), (409, Some("errors/session_held")));
    let taken = start(&app, &link, &[], json!({ "takeover": "true" })).await;
    assert_eq!(taken.status, 201, "{}", taken.text());
    let mut screen = Screen::of(&app, &link, &taken.json());
    screen.connect(&mailbox).await;
}

#[tokio::test]
async fn giving_up_ends_the_session_once() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let mut screen = Screen::start(&app, &link).await;
    for _ in 0..2 {
        let reply = screen.call("POST", "/cancel", None).await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            (reply.json()["state"].as_str(), reply.json()["cause"].as_str()),
            (Some("cancelled"), Some("cancelled"))
        );
    }
    let seen = screen.say(json!({ "version": 1, "fields": { "email": ADDRESS } })).await;
    assert_eq!(seen["state"], "cancelled", "an answer that comes too late changes nothing");
    assert_eq!(app.session(&link.id).await["status"], "CANCELLED");
}

#[tokio::test]
async fn who_has_no_token_learns_nothing_and_bad_bodies_are_named() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let screen = Screen::start(&app, &link).await;
    let other = app.link(json!({})).await;
    let elsewhere = |id: &str| app.url(&format!("/v1/steps/{id}"));
    let bearer = format!("Bearer {}", screen.token);
    let own_key = format!("Bearer {}", app.key());
    let unknown = elsewhere("authsess_01J00000000000000000000000");
    let mut seen = Vec::new();
    for (url, token) in [
        (elsewhere(&other.id), bearer.as_str()),
        (elsewhere("nonsense"), bearer.as_str()),
        (unknown, bearer.as_str()),
        (elsewhere(&link.id), own_key.as_str()),
    ] {
        let reply = send("GET", &url, &[("authorization", token)], b"").await;
        let mut body = reply.json();
        body["instance"] = json!(null);
        seen.push((reply.status, body));
    }
    assert!(seen.iter().all(|one| *one == seen[0]) && seen[0].0 == 401, "{seen:?}");
    assert_eq!(send("GET", &elsewhere(&link.id), &[], b"").await.status, 401);

    for (body, says) in [
        (json!({ "fields": {} }), "version is required"),
        (json!({ "version": 1, "fields": { "password": 7 } }), "fields.password must be a string"),
        (json!([]), "must be a JSON object"),
    ] {
        let reply = screen.call("POST", "/answer", Some(body)).await;
        let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(reply.status == 400 && detail.contains(says), "{detail}");
    }
    let no_key = send("POST", &format!("{}/start", elsewhere(&link.id)), &[], b"{}").await;
    assert_eq!(no_key.status, 401);
}

#[tokio::test]
async fn pages_of_other_origins_may_use_a_token_but_not_start() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let screen = Screen::start(&app, &link).await;
    let asks = |path: &str| {
        let url = app.url(&format!("/v1/steps/{}{path}", link.id));
        let headers = [("origin", "https://app.example.com"), ("access-control-request-method", "POST")];
        async move { send("OPTIONS", &url, &headers, b"").await }
    };
    let allowed = asks("/answer").await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, "*"));
    assert!(allowed.header("access-control-allow-headers").contains("authorization"));
    assert!(allowed.header("access-control-allow-credentials").is_empty());
    assert_eq!(asks("/start").await.header("access-control-allow-origin"), "");
    let read = screen.call("GET", "", None).await;
    assert_eq!(read.header("access-control-allow-origin"), "*");
    assert_eq!(read.header("cache-control"), "no-store");
}
