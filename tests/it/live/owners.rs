//! A session that may be online once: whoever was given it has it for themselves, until the account is linked anew.

use std::time::Duration;

use serde_json::{Value, json};

use super::{House, PHONE, code, until};
use crate::app::http::{Reply, send};
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;
use crate::webhooks::webhook;

/// Reads an account's credentials with a trusted key, which makes the session the reader's.
async fn take(house: &House, account: &str) -> Reply {
    ask(house, account, "credentials", "{}").await
}

async fn ask(house: &House, account: &str, what: &str, body: &str) -> Reply {
    let key = house.app.trusted_key();
    let url = house.app.url(&format!("/v1/accounts/{account}/{what}"));
    let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
    send("POST", &url, &headers, body.as_bytes()).await
}

async fn owner(house: &House, account: &str) -> Value {
    let seen = house.app.api("GET", &format!("/v1/accounts/{account}"), None).await.json();
    let list = house.app.api("GET", "/accounts", None).await.json();
    assert_eq!(list["accounts"][0]["owner"], seen["owner"], "both dialects say it");
    seen["owner"].clone()
}

#[tokio::test]
async fn an_account_whose_session_was_handed_out_is_not_looked_at_until_it_is_linked_anew() {
    let house = House::with(&[("CHECKS__PASSWORDS_SECONDS", "1")]);
    let account = house.account().await;
    let logins = async || house.double.log("login").await.len();
    let first = logins().await;
    eventually_async("a look", READY, async || (logins().await > first).then_some(())).await;
    let reply = take(&house, &account).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["credentials"]["type"], json!("whatsapp_session"), "{}", reply.text());
    let handed_out = logins().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(logins().await, handed_out, "two would be online with one session");
    let link = house.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let code = code(&mut screen).await;
    house.double.scan(PHONE, &code).await.expect("a scan");
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
    let linked = logins().await;
    eventually_async("a look", READY, async || (logins().await > linked).then_some(())).await;
}

#[tokio::test]
async fn a_session_that_is_given_back_is_looked_at_again_and_one_that_is_said_to_be_dead_breaks_its_account()
{
    let house = House::with(&[("CHECKS__PASSWORDS_SECONDS", "3600"), ("CHECKS__BROKEN_SECONDS", "2")]);
    let sink = Sink::start();
    webhook(&house.app, &sink.url("/told"), json!({})).await;
    let account = house.account().await;
    let logins = async || house.double.log("login").await.len();
    assert_eq!(owner(&house, &account).await, json!("vestibule"));
    // Nobody was given it: whoever says that it is dead cannot know.
    let linked = logins().await;
    let reply = ask(&house, &account, "session", r#"{"state":"dead"}"#).await;
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("OK")), "{}", reply.text());
    assert_eq!(logins().await, linked, "nor does it have anybody connect");

    assert_eq!(take(&house, &account).await.status, 200);
    assert_eq!(owner(&house, &account).await, json!("consumer"));
    let handed_out = logins().await;
    for _ in 0..2 {
        let reply = ask(&house, &account, "session", r#"{"state":"returned"}"#).await;
        let said = reply.json();
        assert_eq!((reply.status, &said["owner"], &said["status"]), (200, &json!("vestibule"), &json!("OK")));
    }
    eventually_async("a look", READY, async || (logins().await > handed_out).then_some(())).await;

    take(&house, &account).await;
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 503, "once": false })).await;
    let reply = ask(&house, &account, "session", r#"{"state":"dead","cause":"kicked_out"}"#).await;
    let said = reply.json();
    assert_eq!((&said["status"], &said["cause"]), (&json!("CREDENTIALS"), &json!("kicked_out")), "{said}");
    assert_eq!(said["owner"], json!("vestibule"));
    let told = |word: &str| {
        sink.calls().iter().filter(|told| String::from_utf8_lossy(&told.body).contains(word)).count()
    };
    eventually_async("a webhook", READY, async || (told("CREDENTIALS") == 1).then_some(())).await;
    let reply = take(&house, &account).await.json();
    assert_eq!(
        (&reply["state"], &reply["cause"]),
        (&json!("needs_reconnect"), &json!("kicked_out")),
        "{reply}"
    );
    // It was not dead after all.
    house.double.tell("DELETE", "/failures", json!({})).await.expect("no failures");
    eventually_async("its healing", READY, async || {
        let seen = house.app.api("GET", &format!("/v1/accounts/{account}"), None).await.json();
        (seen["sources"][0]["status"] == "OK").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_about_a_session_that_is_given_back_is_named() {
    let house = House::start();
    let account = house.account().await;
    for (body, named) in [
        ("{}", "state"),
        (r#"{"state":"gone"}"#, "state"),
        (r#"{"state":7}"#, "state"),
        (r#"{"state":"returned","cause":"x"}"#, "cause"),
        (r#"{"state":"dead","cause":"No, it is not"}"#, "cause"),
    ] {
        let reply = ask(&house, &account, "session", body).await;
        let said = reply.json();
        assert_eq!(reply.status, 400, "{said}");
        assert!(said["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{said}");
    }
    // A key that may not read credentials may not say what became of them.
    let url = format!("/v1/accounts/{account}/session");
    let refused = house.app.api("POST", &url, Some(json!({ "state": "dead" }))).await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert_eq!(owner(&house, &account).await, json!("vestibule"));
    // Words of something else.
    take(&house, &account).await;
    let reply = ask(&house, &account, "session", r#"{"state":"dead","cause":"policy_blocked"}"#).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(owner(&house, &account).await, json!("consumer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_client_goes_on_from_the_session_that_the_api_gives() {
    let house = House::start();
    let account = house.account().await;
    let given = take(&house, &account).await.json();
    let session = &given["credentials"]["session"];
    let jid = session["jid"].as_str().expect("a device");
    house.double.post("/messages", json!({ "jid": jid, "id": "M1" })).await;
    let before = house.double.device(jid).await.expect("the device");
    let found = house.double.baileys(PHONE, session);
    assert_eq!((&found["jid"], &found["lid"]), (&session["jid"], &session["lid"]));
    // It made no new keys, and took the message that had waited.
    assert_eq!(found["preKeys"], before["preKeys"]);
    let after = house.double.device(jid).await.expect("the device");
    assert_eq!((&after["preKeys"], &after["queue"]), (&before["preKeys"], &json!([])));
}
