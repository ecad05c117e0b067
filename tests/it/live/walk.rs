//! The way through, by the steps API.

use serde_json::json;

use super::{House, LABEL, PHONE, code, until};
use crate::app::http::send;
use crate::app::person::Person;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;

#[tokio::test]
async fn a_code_is_scanned_and_the_account_is_there_though_nobody_looks() {
    let house = House::start();
    let sink = Sink::start();
    let link = house.link(json!({ "name": "user_1", "notify_url": sink.url("/told") })).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let code = code(&mut screen).await;
    let step = &screen.seen["step"];
    assert_eq!((&step["kind"], &step["live"]), (&json!("qr"), &json!(true)), "{step}");
    assert!(step["code"]["expires_at"].is_i64(), "{step}");
    assert!(step["alternatives"].to_string().contains("pairing_code"), "{step}");
    house.double.scan(PHONE, &code).await.expect("a scan");
    // The page is closed: the backend hears of it all the same.
    let told = sink.wait_for(1, READY).await.remove(0);
    assert!(String::from_utf8_lossy(&told.body).contains("CREATION_SUCCESS"), "{told:?}");
    let accounts = house.app.accounts().await;
    assert_eq!((accounts.len(), &accounts[0]["type"]), (1, &json!("WHATSAPP")), "{accounts:?}");
    assert!(accounts[0].to_string().contains(LABEL.trim_start_matches('+')), "{accounts:?}");
    // What people scan is a secret while it lives.
    let secret = code.rsplit(',').nth(1).expect("five fields");
    assert!(!house.app.output().contains(secret), "a code is in the log");
}

#[tokio::test]
async fn an_answer_is_not_late_because_the_code_was_renewed() {
    let house = House::with(&[("PROVIDERS__WHATSAPP__TEST_CODE_SECONDS", "2")]);
    let link = house.link(json!({})).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let first = code(&mut screen).await;
    let version = screen.version();
    until(&mut screen, "another code", |seen| {
        let value = &seen["step"]["code"]["value"];
        value.is_string() && *value != json!(first)
    })
    .await;
    assert_eq!(screen.version(), version, "the step stands");
    screen.say(json!({ "version": version, "alternative": "pairing_code" })).await;
    assert_eq!(screen.step(), "phone");
    screen.answer(json!({ "phone": "12" })).await;
    assert!(screen.seen["step"]["fields"][0]["error"].is_object(), "{}", screen.seen);
    screen.answer(json!({ "phone": LABEL })).await;
    let typed = code(&mut screen).await;
    assert_eq!(screen.seen["step"]["kind"], "code");
    house.double.type_code(PHONE, &typed).await.expect("a typed code");
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
}

#[tokio::test]
async fn only_the_browser_that_holds_a_session_can_follow_it() {
    let house = House::start();
    let link = house.link(json!({})).await;
    let person = Person::new();
    let page = person.begin(&link).await;
    let events = house.app.url(&format!("/wizard/{}/events", link.id));
    for cookie in ["", "vestibule=forged"] {
        let reply = send("GET", &events, &[("cookie", cookie)], b"").await;
        assert_eq!((reply.status, reply.body.len()), (204, 0));
    }
    assert!(page.has("#live"), "{}", page.text());
}

#[tokio::test]
async fn a_cancelled_session_shows_no_more_codes_and_nothing_can_be_linked_with_the_last_one() {
    let house = House::start();
    let link = house.link(json!({})).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let code = code(&mut screen).await;
    let reply = screen.call("POST", "/cancel", None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    eventually_async("the end of the connection", READY, async || {
        house.double.scan(PHONE, &code).await.is_err().then_some(())
    })
    .await;
    assert!(house.app.accounts().await.is_empty());
}

#[tokio::test]
async fn the_service_is_away_and_whoever_asks_again_later_gets_a_code() {
    let house = House::start();
    house.double.post("/settings", json!({ "silent": "accept" })).await;
    let link = house.link(json!({})).await;
    let mut screen = Screen::start(&house.app, &link).await;
    until(&mut screen, "words about it", |seen| seen["step"]["notice"].is_object()).await;
    assert_eq!(screen.seen["step"]["live"], json!(null), "{}", screen.seen);
    house.double.post("/settings", json!({ "silent": null })).await;
    screen.say(json!({ "version": screen.version(), "fields": {} })).await;
    let code = code(&mut screen).await;
    house.double.scan(PHONE, &code).await.expect("a scan");
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
}

#[tokio::test]
async fn an_account_that_its_phone_unlinked_is_found_broken_and_a_link_repairs_it_in_place() {
    let house = House::with(&[("CHECKS__PASSWORDS_SECONDS", "2")]);
    let (account, device) = house.linked().await;
    house.double.post("/unlink", json!({ "jid": device, "silent": true })).await;
    let path = format!("/v1/accounts/{account}");
    eventually_async("the watch's word about it", READY, async || {
        let seen = house.app.api("GET", &path, None).await.json();
        (seen["sources"][0]["status"] == "CREDENTIALS" && seen["cause"] == "logged_out").then_some(())
    })
    .await;
    let link = house.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    let mut screen = Screen::start(&house.app, &link).await;
    // Somebody else's phone first.
    let other = code(&mut screen).await;
    house.double.scan("4915100000001", &other).await.expect("a scan");
    until(&mut screen, "words about it", |seen| seen["step"]["notice"]["code"] == "wrong_account").await;
    let own = code(&mut screen).await;
    house.double.scan(PHONE, &own).await.expect("a scan");
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
    assert_eq!(screen.seen["account"]["id"], json!(account));
    let accounts = house.app.accounts().await;
    assert_eq!((accounts.len(), &accounts[0]["sources"][0]["status"]), (1, &json!("OK")), "{accounts:?}");
}

#[tokio::test]
async fn a_deleted_account_is_unlinked_at_the_phone() {
    let house = House::start();
    let (account, device) = house.linked().await;
    house.double.device(&device).await.expect("it is linked");
    let reply = house.app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    eventually_async("the device's end", READY, async || {
        house.double.device(&device).await.is_err().then_some(())
    })
    .await;
}
