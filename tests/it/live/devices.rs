//! Devices on a person's phone: each sign-in is one of its own, and none is left there that no account uses.

use serde_json::{Value, json};

use super::{House, PHONE, code, until};
use crate::app::Link;
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;

/// Begins with a link and scans its code; gives the person's screen and the device.
async fn scanned(house: &House, link: &Link) -> (Screen, String) {
    let mut screen = Screen::start(&house.app, link).await;
    let code = code(&mut screen).await;
    let device = house.double.scan(PHONE, &code).await.expect("a scan");
    (screen, device["jid"].as_str().expect("a device").to_owned())
}

/// Links an account and gives the screen at its end and the device.
async fn linked(house: &House, more: Value) -> (Screen, String) {
    let (mut screen, device) = scanned(house, &house.link(more).await).await;
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
    (screen, device)
}

/// A sign-in whose device cannot log in for the first time.
async fn unfinished(house: &House, more: Value) -> (Screen, String) {
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 503, "once": false })).await;
    let link = house.link(more).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let code = code(&mut screen).await;
    let device = house.double.scan(PHONE, &code).await.expect("a scan");
    until(&mut screen, "words about it", |seen| seen["step"]["name"] == "unfinished").await;
    house.double.tell("DELETE", "/failures", json!({})).await.expect("no failures");
    (screen, device["jid"].as_str().expect("a device").to_owned())
}

async fn gone(house: &House, device: &str) {
    eventually_async("the device's end", READY, async || {
        house.double.device(device).await.is_err().then_some(())
    })
    .await;
}

async fn stays(house: &House, device: &str) {
    let kept = house.double.device(device).await;
    assert!(kept.is_ok(), "{kept:?}");
}

#[tokio::test]
async fn a_reconnect_leaves_one_device() {
    let house = House::start();
    let (screen, first) = linked(&house, json!({ "name": "user_1" })).await;
    let account = screen.seen["account"]["id"].clone();
    let (screen, second) = linked(&house, json!({ "type": "reconnect", "reconnect_account": account })).await;
    assert_eq!(screen.seen["account"]["id"], account);
    gone(&house, &first).await;
    stays(&house, &second).await;
    // The same when the product links the same person once more under the same name.
    let (screen, third) = linked(&house, json!({ "name": "user_1" })).await;
    assert_eq!(screen.seen["account"]["id"], account);
    gone(&house, &second).await;
    stays(&house, &third).await;
}

#[tokio::test]
async fn of_two_accounts_of_one_person_each_has_its_device_and_takes_it_along() {
    let house = House::start();
    let (one, first) = linked(&house, json!({ "name": "user_1" })).await;
    let (other, second) = linked(&house, json!({ "name": "user_2" })).await;
    assert_ne!(one.seen["account"]["id"], other.seen["account"]["id"]);
    let account = one.seen["account"]["id"].as_str().expect("an id");
    house.app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
    gone(&house, &first).await;
    stays(&house, &second).await;
}

#[tokio::test]
async fn a_device_that_no_account_came_of_is_taken_off_the_phone() {
    let house = House::start();
    // Given up.
    let (screen, cancelled) = unfinished(&house, json!({})).await;
    assert_eq!(screen.call("POST", "/cancel", None).await.status, 200);
    gone(&house, &cancelled).await;
    // Left for another code, with which it goes on.
    let (mut screen, left) = unfinished(&house, json!({})).await;
    screen.say(json!({ "version": screen.version(), "alternative": "qr" })).await;
    gone(&house, &left).await;
    let code = code(&mut screen).await;
    let device = house.double.scan(PHONE, &code).await.expect("a scan");
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
    stays(&house, device["jid"].as_str().expect("a device")).await;
    // Signed in, and the backend takes the link back instead of finishing.
    let link = house.link(json!({ "name": "user_3", "require_finish": true, "success_redirect_url": "https://app.example.com/ok" })).await;
    let (mut screen, unredeemed) = scanned(&house, &link).await;
    until(&mut screen, "a code for the backend", |seen| seen["state"] == "finishing").await;
    stays(&house, &unredeemed).await;
    let revoked = house.app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", link.id), None).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    gone(&house, &unredeemed).await;
}

#[tokio::test]
async fn a_device_whose_first_login_failed_is_kept_for_whoever_goes_on_also_after_a_kill() {
    let mut house = House::start();
    let (mut screen, device) = unfinished(&house, json!({})).await;
    house.app.kill();
    house.app.run();
    stays(&house, &device).await;
    // An answer that the step does not have changes nothing about the device.
    let stray = json!({ "version": screen.version(), "alternative": "no_such_way" });
    screen.call("POST", "/answer", Some(stray)).await;
    until(&mut screen, "the step once more", |seen| seen["step"]["name"] == "unfinished").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    stays(&house, &device).await;
    screen.say(json!({ "version": screen.version(), "fields": {} })).await;
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
    // Nothing is left that would end it.
    let (screen, cancelled) = unfinished(&house, json!({})).await;
    assert_eq!(screen.call("POST", "/cancel", None).await.status, 200);
    gone(&house, &cancelled).await;
    stays(&house, &device).await;
}
