//! A session that may be online once: whoever was given it has it for themselves, until the account is linked anew.

use std::time::Duration;

use serde_json::{Value, json};

use super::telegram::{self, ADA, connected};
use super::{House, PHONE, code, until};
use crate::app::App;
use crate::app::http::{Reply, send};
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;
use crate::webhooks::webhook;

/// Reads an account's credentials with a trusted key, which makes the session the reader's.
async fn take(app: &App, account: &str) -> Reply {
    ask(app, account, "credentials", "{}").await
}

async fn ask(app: &App, account: &str, what: &str, body: &str) -> Reply {
    let key = app.trusted_key();
    let url = app.url(&format!("/v1/accounts/{account}/{what}"));
    let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
    send("POST", &url, &headers, body.as_bytes()).await
}

async fn owner(app: &App, account: &str) -> Value {
    let seen = app.api("GET", &format!("/v1/accounts/{account}"), None).await.json();
    let list = app.api("GET", "/accounts", None).await.json();
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
    let reply = take(&house.app, &account).await;
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
    assert_eq!(owner(&house.app, &account).await, json!("vestibule"));
    // Nobody was given it: whoever says that it is dead cannot know.
    let linked = logins().await;
    let reply = ask(&house.app, &account, "session", r#"{"state":"dead"}"#).await;
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("OK")), "{}", reply.text());
    assert_eq!(logins().await, linked, "nor does it have anybody connect");

    assert_eq!(take(&house.app, &account).await.status, 200);
    assert_eq!(owner(&house.app, &account).await, json!("consumer"));
    let handed_out = logins().await;
    for _ in 0..2 {
        let reply = ask(&house.app, &account, "session", r#"{"state":"returned"}"#).await;
        let said = reply.json();
        assert_eq!((reply.status, &said["owner"], &said["status"]), (200, &json!("vestibule"), &json!("OK")));
    }
    eventually_async("a look", READY, async || (logins().await > handed_out).then_some(())).await;

    take(&house.app, &account).await;
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 503, "once": false })).await;
    let reply = ask(&house.app, &account, "session", r#"{"state":"dead","cause":"kicked_out"}"#).await;
    let said = reply.json();
    assert_eq!((&said["status"], &said["cause"]), (&json!("CREDENTIALS"), &json!("kicked_out")), "{said}");
    assert_eq!(said["owner"], json!("vestibule"));
    let told = |word: &str| {
        sink.calls().iter().filter(|told| String::from_utf8_lossy(&told.body).contains(word)).count()
    };
    eventually_async("a webhook", READY, async || (told("CREDENTIALS") == 1).then_some(())).await;
    let reply = take(&house.app, &account).await.json();
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
        let reply = ask(&house.app, &account, "session", body).await;
        let said = reply.json();
        assert_eq!(reply.status, 400, "{said}");
        assert!(said["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{said}");
    }
    // A key that may not read credentials may not say what became of them.
    let url = format!("/v1/accounts/{account}/session");
    let refused = house.app.api("POST", &url, Some(json!({ "state": "dead" }))).await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert_eq!(owner(&house.app, &account).await, json!("vestibule"));
    // Words of something else.
    take(&house.app, &account).await;
    let reply = ask(&house.app, &account, "session", r#"{"state":"dead","cause":"policy_blocked"}"#).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(owner(&house.app, &account).await, json!("consumer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_client_goes_on_from_the_session_that_the_api_gives() {
    let house = House::start();
    let account = house.account().await;
    let given = take(&house.app, &account).await.json();
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

/// A second account, which is looked at while the first one is left alone.
const OTHER: &str = "+447700900124";

/// How often this server asked Telegram about a phone's device.
async fn looks(house: &telegram::House, phone: &str) -> usize {
    let key = house.double.devices(phone).await[0]["key"].clone();
    let log = house.double.log().await;
    let ours = |one: &&Value| one["key"] == key && one["init"]["device_model"] == "Vestibule";
    let requests = log.iter().filter(ours).flat_map(|one| one["requests"].as_array());
    requests.flatten().filter(|request| request["method"] == "updates.getState").count()
}

/// Waits for so many more looks.
async fn looked(house: &telegram::House, phone: &str, more: usize) {
    let before = looks(house, phone).await;
    let now = async || (looks(house, phone).await >= before + more).then_some(());
    eventually_async("looks", READY, now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_telegrams_is_one_owners_at_a_time() {
    let often = [("CHECKS__PASSWORDS_SECONDS", "1"), ("CHECKS__BROKEN_SECONDS", "1")];
    let house = telegram::House::with(json!({ "dc": 2 }), &often).await;
    house.double.account(OTHER, json!({ "dc": 3 })).await;
    let (app, sink) = (&house.app, Sink::start());
    webhook(app, &sink.url("/told"), json!({})).await;
    let account = connected(&mut house.scanned(json!({ "name": "user_1" })).await).await;
    let mut screen = Screen::start(app, &house.link(json!({ "name": "user_2" })).await).await;
    house.double.scan(&code(&mut screen).await, OTHER).await;
    connected(&mut screen).await;
    looked(&house, ADA, 1).await;
    assert_eq!(owner(app, &account).await, json!("vestibule"));

    // Read, it is whoever's read it: they are online with it, and nobody else is.
    let given = take(app, &account).await.json();
    assert_eq!(owner(app, &account).await, json!("consumer"));
    let handed_out = looks(&house, ADA).await;
    let session = given["credentials"]["telethon"].as_str().expect("a session");
    assert_eq!(house.double.telethon(session)["devices"], 1);
    looked(&house, OTHER, 3).await;
    assert_eq!(looks(&house, ADA).await, handed_out, "two would be online with one session");
    let reply = ask(app, &account, "session", r#"{"state":"returned"}"#).await.json();
    assert_eq!((&reply["owner"], &reply["status"]), (&json!("vestibule"), &json!("OK")), "{reply}");
    looked(&house, ADA, 1).await;

    // It ends while it is the backend's, who says so.
    take(app, &account).await;
    house.double.tell("/revoke", json!({ "phone": ADA })).await;
    looked(&house, OTHER, 2).await;
    assert_eq!(app.api("GET", &format!("/v1/accounts/{account}"), None).await.json()["cause"], Value::Null);
    let reply = ask(app, &account, "session", r#"{"state":"dead","cause":"session_revoked"}"#).await.json();
    assert_eq!(
        (&reply["owner"], &reply["status"], &reply["cause"]),
        (&json!("vestibule"), &json!("CREDENTIALS"), &json!("session_revoked")),
        "{reply}"
    );
    let told = || {
        sink.calls().iter().filter(|call| String::from_utf8_lossy(&call.body).contains("CREDENTIALS")).count()
    };
    eventually_async("a webhook", READY, async || (told() == 1).then_some(())).await;
    let mut screen = house.scanned(json!({ "type": "reconnect", "reconnect_account": account })).await;
    assert_eq!(connected(&mut screen).await, account);
    looked(&house, ADA, 1).await;
    assert_eq!(owner(app, &account).await, json!("vestibule"));
}
