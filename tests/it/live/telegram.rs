//! Telegram accounts through the running server: by a code that is scanned, a phone number, a password after either; whoever
//! dies meanwhile; and what stands in the list of devices on the person's phone.

use serde_json::{Value, json};

use super::nodes::{fresh_code, two_nodes};
use super::{code, until};
use crate::app::http::send;
use crate::app::{App, Link};
use crate::parts::postgres::schema;
use crate::parts::sink::Sink;
use crate::parts::telegram::Telegram;
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;

/// The phone that scans.
pub const ADA: &str = "+447700900123";
/// Its account's password, where it has one.
pub const PASSWORD: &str = "correct horse naïve";

/// Keys that the stand-in has for each data centre: so many that two processes seldom take the same.
const KEYS: usize = 3000;

/// A server that links accounts at a stand-in of the test's own.
pub struct House {
    pub double: Telegram,
    pub app: App,
}

impl House {
    /// One whose stand-in knows the account; `more` is laid over its usual settings.
    pub async fn start(more: Value) -> Self {
        Self::with(more, &[]).await
    }

    /// The same with settings of the server besides.
    pub async fn with(more: Value, options: &[(&str, &str)]) -> Self {
        let double = Telegram::start(KEYS);
        double.account(ADA, more).await;
        let own = double.variables();
        let mut all: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(options);
        let app = App::with(&all);
        Self { double, app }
    }

    /// A link for such an account.
    pub async fn link(&self, more: Value) -> Link {
        let mut wanted = json!({ "providers": ["TELEGRAM"] });
        for (name, value) in more.as_object().expect("fields") {
            wanted[name] = value.clone();
        }
        self.app.link(wanted).await
    }

    /// Begins with a link and scans its code.
    pub async fn scanned(&self, more: Value) -> Screen {
        let mut screen = Screen::start(&self.app, &self.link(more).await).await;
        let code = code(&mut screen).await;
        self.double.scan(&code, ADA).await;
        screen
    }

    /// The same with an account that has a password, which is asked for next.
    async fn until_password(&self) -> Screen {
        let mut screen = self.scanned(json!({})).await;
        until(&mut screen, "the password's step", |seen| seen["step"]["name"] == "password").await;
        screen
    }

    /// What the list of devices on the phone says.
    async fn devices(&self) -> Vec<String> {
        let devices = self.double.devices(ADA).await;
        devices.iter().map(|one| one["hash"].as_str().expect("a number").to_owned()).collect()
    }

    /// Waits until these are the devices, and no others.
    async fn lists(&self, wanted: &[String]) {
        let same = async || (self.devices().await == wanted).then_some(());
        eventually_async(&format!("the devices {wanted:?}"), READY, same).await;
    }

    async fn credentials(&self, account: &str) -> Value {
        let key = self.app.trusted_key();
        let url = self.app.url(&format!("/v1/accounts/{account}/credentials"));
        let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
        let reply = send("POST", &url, &headers, b"{}").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["credentials"].clone()
    }
}

/// Waits for the account and gives its id.
pub async fn connected(screen: &mut Screen) -> String {
    until(screen, "an account", |seen| seen["state"] == "connected").await;
    screen.seen["account"]["id"].as_str().expect("an account").to_owned()
}

#[tokio::test]
async fn a_code_is_scanned_though_nobody_looks_and_an_independent_client_goes_on_from_there() {
    let house = House::start(json!({ "dc": 3, "username": "countess" })).await;
    let sink = Sink::start();
    let link = house.link(json!({ "name": "user_1", "notify_url": sink.url("/told") })).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let code = code(&mut screen).await;
    let step = &screen.seen["step"];
    assert_eq!((&step["kind"], &step["live"]), (&json!("qr"), &json!(true)), "{step}");
    assert!(step["code"]["expires_at"].is_i64(), "{step}");
    house.double.scan(&code, ADA).await;
    // The page is closed: the backend hears of it all the same.
    let told = sink.wait_for(1, READY).await.remove(0);
    assert!(String::from_utf8_lossy(&told.body).contains("CREATION_SUCCESS"), "{told:?}");
    let accounts = house.app.accounts().await;
    assert_eq!((accounts.len(), &accounts[0]["type"]), (1, &json!("TELEGRAM")), "{accounts:?}");
    assert!(accounts[0].to_string().contains(ADA), "{accounts:?}");

    let credentials = house.credentials(accounts[0]["id"].as_str().expect("an account")).await;
    assert_eq!(
        (&credentials["type"], &credentials["dc_id"]),
        (&json!("telegram_session"), &json!(3)),
        "another data centre than the one that showed the code"
    );
    let said = house.double.telethon(credentials["telethon"].as_str().expect("a session"));
    assert_eq!((&said["username"], &said["devices"]), (&json!("countess"), &json!(1)), "{said}");
    // What people scan is a secret while it lives, and the key always is.
    let log = house.app.output();
    let token = code.rsplit('=').next().expect("a token");
    assert!(!log.contains(token) && !log.contains(credentials["auth_key"].as_str().expect("a key")));
}

#[tokio::test]
async fn the_password_is_asked_for_with_its_hint_and_a_wrong_one_is_named() {
    let house = House::start(json!({ "dc": 2, "password": PASSWORD, "hint": "battery" })).await;
    let mut screen = house.until_password().await;
    let step = screen.seen["step"].clone();
    assert!(step["fields"][0]["help"].to_string().contains("battery"), "{step}");
    screen.answer(json!({ "password": "wrong" })).await;
    assert_eq!(screen.step(), "password");
    let error = &screen.seen["step"]["fields"][0]["error"];
    assert!(error.to_string().contains("password"), "{}", screen.seen);
    screen.answer(json!({ "password": PASSWORD })).await;
    connected(&mut screen).await;
    assert_eq!(house.devices().await.len(), 1);
    assert!(!house.app.output().contains(PASSWORD), "a password is in the log");
}

#[tokio::test]
async fn a_phone_number_and_the_code_that_is_sent_to_it_will_do_as_well() {
    let house = House::start(json!({ "dc": 1, "password": PASSWORD })).await;
    let mut screen = Screen::start(&house.app, &house.link(json!({})).await).await;
    screen.say(json!({ "version": screen.version(), "alternative": "phone_code" })).await;
    assert_eq!(screen.step(), "phone");
    screen.answer(json!({ "phone": "07700 900123" })).await;
    assert!(screen.seen["step"]["fields"][0]["error"].is_object(), "its country is missing: {}", screen.seen);
    screen.answer(json!({ "phone": ADA })).await;
    assert_eq!(screen.step(), "code", "{}", screen.seen);
    let sent = house.double.code(ADA).await;
    let wrong = if sent == "00000" { "00001" } else { "00000" };
    screen.answer(json!({ "code": wrong })).await;
    assert!(screen.seen["step"]["fields"][0]["error"].is_object(), "{}", screen.seen);
    screen.answer(json!({ "code": sent })).await;
    assert_eq!(screen.step(), "password", "{}", screen.seen);
    screen.answer(json!({ "password": PASSWORD })).await;
    connected(&mut screen).await;
    assert_eq!(house.devices().await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_meets_the_beginning_of_the_conversation_is_not_lost() {
    let house = House::start(json!({ "dc": 2 })).await;
    for _ in 0..10 {
        let mut screen = Screen::start(&house.app, &house.link(json!({})).await).await;
        screen.say(json!({ "version": screen.version(), "alternative": "phone_code" })).await;
        assert_eq!(screen.step(), "phone", "{}", screen.seen);
    }
}

#[tokio::test]
async fn whoever_asks_for_another_code_while_the_last_is_scanned_is_connected() {
    let house = House::start(json!({ "dc": 2 })).await;
    // Telegram tells nobody of the scan.
    house.double.tell("/settings", json!({ "push": false })).await;
    let mut screen = house.scanned(json!({})).await;
    screen.say(json!({ "version": screen.version(), "fields": {} })).await;
    connected(&mut screen).await;
    assert_eq!(house.devices().await.len(), 1);
}

#[tokio::test]
async fn a_server_killed_while_a_code_is_on_show_shows_a_fresh_one_when_it_is_back() {
    let mut house = House::start(json!({ "dc": 2 })).await;
    let mut screen = Screen::start(&house.app, &house.link(json!({})).await).await;
    let dead = code(&mut screen).await;
    house.app.kill();
    house.app.run();
    let fresh = fresh_code(&mut screen, &dead).await;
    house.double.scan(&fresh, ADA).await;
    connected(&mut screen).await;
    assert_eq!((house.app.accounts().await.len(), house.devices().await.len()), (1, 1));
}

#[tokio::test]
async fn a_server_killed_while_a_password_is_asked_for_goes_on_with_the_same_device() {
    let mut house = House::start(json!({ "dc": 3, "password": PASSWORD })).await;
    let mut screen = house.until_password().await;
    let device = house.devices().await;
    house.app.kill();
    house.app.run();
    screen.answer(json!({ "password": PASSWORD })).await;
    connected(&mut screen).await;
    assert_eq!(house.devices().await, device);
}

#[tokio::test]
async fn of_two_nodes_one_talks_and_when_it_dies_the_other_shows_a_fresh_code() {
    let (double, schema) = (Telegram::start(KEYS), schema());
    double.account(ADA, json!({ "dc": 2 })).await;
    let (mut first, second) = two_nodes(&double.variables(), &schema.url());
    // Each asks once at its start.
    let started = async || (double.asked("auth.exportLoginToken").await == 2).then_some(());
    eventually_async("the first questions", READY, started).await;
    let link = first.link(json!({ "providers": ["TELEGRAM"] })).await;
    let mut screen = Screen::start(&first, &link).await;
    let shown = code(&mut screen).await;
    // The other node shows the same code, and asks for none.
    let mut beside = screen.moved_to(&second, &link);
    assert_eq!(code(&mut beside).await, shown);
    assert_eq!(double.asked("auth.exportLoginToken").await, 3);
    first.kill();
    let fresh = fresh_code(&mut beside, &shown).await;
    double.scan(&fresh, ADA).await;
    connected(&mut beside).await;
    assert_eq!((second.accounts().await.len(), double.devices(ADA).await.len()), (1, 1));
}

#[tokio::test]
async fn a_reconnect_and_a_deletion_leave_no_device_that_nobody_uses() {
    let house = House::start(json!({ "dc": 2 })).await;
    let mut screen = house.scanned(json!({ "name": "user_1" })).await;
    let account = connected(&mut screen).await;
    let first = house.devices().await;
    let mut screen = house.scanned(json!({ "type": "reconnect", "reconnect_account": account })).await;
    assert_eq!(connected(&mut screen).await, account);
    let both = async || Some(house.devices().await).filter(|now| now.len() == 1 && *now != first);
    let second = eventually_async("the former device's end", READY, both).await;
    let credentials = house.credentials(&account).await;
    let said = house.double.telethon(credentials["telethon"].as_str().expect("a session"));
    assert_eq!(said["devices"], 1, "the one that stayed is the account's: {said}");
    assert_eq!(house.devices().await, second);
    house.app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
    house.lists(&[]).await;
}

#[tokio::test]
async fn a_device_whose_password_nobody_types_is_taken_off_the_phone() {
    let house = House::start(json!({ "dc": 2, "password": PASSWORD })).await;
    // Given up.
    let screen = house.until_password().await;
    assert_eq!(house.double.devices(ADA).await[0]["password_pending"], true);
    assert_eq!(screen.call("POST", "/cancel", None).await.status, 200);
    house.lists(&[]).await;
    // Left for another code, with which it goes on; a wrong password takes nothing away.
    let mut screen = house.until_password().await;
    screen.say(json!({ "version": screen.version(), "alternative": "qr" })).await;
    house.lists(&[]).await;
    let fresh = code(&mut screen).await;
    house.double.scan(&fresh, ADA).await;
    until(&mut screen, "the password's step", |seen| seen["step"]["name"] == "password").await;
    let device = house.devices().await;
    screen.answer(json!({ "password": "wrong" })).await;
    screen.answer(json!({ "password": PASSWORD })).await;
    connected(&mut screen).await;
    assert_eq!(house.devices().await, device);
}

#[tokio::test]
async fn a_scan_that_nobody_hears_of_before_the_person_leaves_is_not_forgotten() {
    let house = House::start(json!({ "dc": 2 })).await;
    house.double.tell("/settings", json!({ "push": false })).await;
    // Given up: what the scan granted is looked for and ended.
    let screen = house.scanned(json!({})).await;
    assert_eq!(screen.call("POST", "/cancel", None).await.status, 200);
    let ended = async || (house.double.asked("auth.logOut").await == 1).then_some(());
    eventually_async("the end of what was granted", READY, ended).await;
    house.lists(&[]).await;
    // Left for another way, which the scan makes needless.
    let mut screen = house.scanned(json!({})).await;
    screen.say(json!({ "version": screen.version(), "alternative": "phone_code" })).await;
    connected(&mut screen).await;
    assert_eq!(house.devices().await.len(), 1);
}

#[tokio::test]
async fn an_application_that_telegram_refuses_is_told_at_the_start() {
    let options = [("PROVIDERS__TELEGRAM__API_HASH", "f0e1d2c3b4a5968778695a4b3c2d1e0f")];
    let house = House::with(json!({ "dc": 2 }), &options).await;
    let told = async || house.app.output().contains("config_api_id_invalid").then_some(());
    eventually_async("words about it in the log", READY, told).await;
}

#[tokio::test]
async fn whoever_has_to_wait_for_a_code_is_told_how_long() {
    let house = House::start(json!({ "dc": 2 })).await;
    // The server's own question at its start.
    let asked = async || (house.double.asked("auth.exportLoginToken").await == 1).then_some(());
    eventually_async("the first question", READY, asked).await;
    let flood = json!({ "method": "auth.exportLoginToken", "error": "FLOOD_WAIT_420" });
    house.double.tell("/failures", flood).await;
    let mut screen = Screen::start(&house.app, &house.link(json!({})).await).await;
    until(&mut screen, "words about it", |seen| seen["step"]["name"] == "ended").await;
    let notice = &screen.seen["step"]["notice"];
    assert_eq!(
        (&notice["code"], &notice["advice"]["args"]["n"]),
        (&json!("rate_limited"), &json!("7")),
        "{notice}"
    );
    // And goes on with the button.
    screen.say(json!({ "version": screen.version(), "fields": {} })).await;
    code(&mut screen).await;
}

#[tokio::test]
async fn a_data_centre_that_does_not_answer_to_a_password_costs_nobody_the_scan() {
    let password = json!({ "dc": 2, "password": PASSWORD });
    let house = House::with(password, &[("PROVIDERS__TELEGRAM__CALL_SECONDS", "2")]).await;
    let mut screen = house.until_password().await;
    let device = house.devices().await;
    house.double.tell("/silences", json!({ "at": "auth.checkPassword" })).await;
    screen.answer(json!({ "password": PASSWORD })).await;
    assert_eq!(screen.step(), "password");
    assert!(screen.seen["step"]["notice"].is_object(), "{}", screen.seen);
    house.double.ask("DELETE", "/silences", &Value::Null).await;
    // Whatever would be due by now is.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(house.devices().await, device);
    screen.answer(json!({ "password": PASSWORD })).await;
    connected(&mut screen).await;
    assert_eq!(house.devices().await, device);
    // What was held is the account's now, and goes with it alone.
    assert_eq!(house.app.accounts().await.len(), 1);
}
