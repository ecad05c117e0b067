//! How sign-ins end that come to nothing, through the running server: each end has a code of its own, words of its own that
//! say what to do, and a way on. So whoever stays at the page meets them all and is connected in the end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::telegram::{self, ADA, PASSWORD};
use super::{House, LABEL, PHONE, code, until};
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;
use crate::watch::clock::Clock;

/// A person who stays, and what they have been told.
struct Patient {
    screen: Screen,
    told: BTreeMap<String, String>,
}

impl Patient {
    fn new(screen: Screen) -> Self {
        Self { screen, told: BTreeMap::new() }
    }

    /// The step that is shown, and the code of what it says was wrong.
    fn stands(&self) -> (&str, &str) {
        (self.screen.step(), self.screen.seen["step"]["notice"]["code"].as_str().unwrap_or_default())
    }

    /// Waits for this step with these words, which no other end uses; what is said comes back.
    async fn meets(&mut self, step: &str, code: &str) -> String {
        let met = |seen: &Value| seen["step"]["name"] == step && seen["step"]["notice"]["code"] == code;
        until(&mut self.screen, &format!("{code} at {step}"), met).await;
        let (seen, notice) = (&self.screen.seen, &self.screen.seen["step"]["notice"]);
        assert_eq!(seen["state"], "open", "{seen}");
        let word = |text: &Value| text["text"].as_str().expect("words").to_owned();
        let (text, advice) = (word(&notice["text"]), word(&notice["advice"]));
        assert!(text.contains(' ') && advice.contains(' ') && !seen["step"]["submit"].is_null(), "{seen}");
        let before = self.told.insert(format!("{text}\n{advice}"), code.to_owned());
        assert!(before.is_none_or(|before| before == code), "two ends with the same words: {notice}");
        format!("{text} {advice}")
    }

    /// Presses the step's button.
    async fn goes_on(&mut self) {
        self.screen.say(json!({ "version": self.screen.version(), "fields": {} })).await;
    }

    /// Takes another way.
    async fn turns(&mut self, way: &str) {
        self.screen.say(json!({ "version": self.screen.version(), "alternative": way })).await;
    }

    async fn answers(&mut self, field: &str, text: &str) {
        self.screen.answer(json!({ field: text })).await;
    }

    /// The code that is on show.
    async fn code(&mut self) -> String {
        code(&mut self.screen).await
    }

    async fn connected(&mut self, label: &str) {
        until(&mut self.screen, "an account", |seen| seen["state"] == "connected").await;
        assert_eq!(self.screen.seen["account"]["label"], label);
    }
}

/// Somebody at a code of WhatsApp's.
async fn arrived(house: &House) -> Patient {
    let mut person = Patient::new(Screen::start(&house.app, &house.link(json!({})).await).await);
    person.code().await;
    person
}

#[tokio::test]
async fn each_no_of_whatsapps_has_its_words_and_its_way_on() {
    let house = House::start();
    let mut person = arrived(&house).await;
    for (failure, code, says) in [
        (json!({ "reason": 402, "expire": 7200, "code": 101 }), "account_banned", " UTC."),
        (json!({ "reason": 402 }), "account_banned", "for some time"),
        (json!({ "reason": 403 }), "account_locked", "locked"),
        (json!({ "reason": 405 }), "client_outdated", "version"),
        (json!({ "reason": 429 }), "rate_limited", "no more codes"),
        (json!({ "reason": 503 }), "provider_unavailable", "right now"),
        (json!({ "reason": 400 }), "protocol_error", "do not understand"),
    ] {
        let mut failing = failure.clone();
        failing["phone"] = json!("registration");
        house.double.post("/failures", failing).await;
        person.goes_on().await;
        let said = person.meets("ended", code).await;
        assert!(said.contains(says), "{failure}: {said}");
        person.goes_on().await;
        person.code().await;
    }

    // Too old for the service, until it is not.
    house.double.post("/settings", json!({ "minVersion": 2_000_000_000 })).await;
    person.goes_on().await;
    person.meets("ended", "client_outdated").await;
    house.double.post("/settings", json!({ "minVersion": 0 })).await;
    person.goes_on().await;

    // What is scanned is no longer on show; or the phone takes its yes back.
    let outdated = person.code().await;
    house.double.post("/refresh", json!({})).await;
    let other = |seen: &Value| seen["step"]["code"]["value"].as_str().is_some_and(|now| now != outdated);
    until(&mut person.screen, "another code", other).await;
    assert_eq!(house.double.scan(PHONE, &outdated).await.unwrap_err(), "hmac-mismatch");
    person.meets("ended", "code_outdated").await;
    person.goes_on().await;
    let shown = person.code().await;
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 401 })).await;
    house.double.scan(PHONE, &shown).await.expect("a scan");
    person.meets("ended", "logged_out").await;

    // By the other way: typed wrong, withdrawn, not given.
    person.turns("pairing_code").await;
    person.answers("phone", LABEL).await;
    person.code().await;
    assert_eq!(house.double.type_code(PHONE, "11111111").await.unwrap_err(), "wrong-code");
    person.meets("pairing_code", "code_typed").await;
    house.double.post("/withdraw-code", json!({ "phone": PHONE })).await;
    person.meets("ended", "code_withdrawn").await;
    house.double.post("/accounts", json!({ "phone": PHONE, "throttled": true })).await;
    person.goes_on().await;
    person.meets("ended", "rate_limited").await;
    house.double.post("/accounts", json!({ "phone": PHONE, "throttled": false })).await;
    person.goes_on().await;
    let typed = person.code().await;
    house.double.type_code(PHONE, &typed).await.expect("a typed code");
    person.connected(LABEL).await;
}

#[tokio::test]
async fn codes_of_whatsapps_that_nobody_uses_run_out_and_others_are_asked_for() {
    let settings = [("PROVIDERS__WHATSAPP__TEST_CODE_SECONDS", "1"), ("LOGIN_TRIES_PER_HOUR", "2")];
    let house = House::with(&settings);
    let mut person = arrived(&house).await;
    // All six of a connection.
    person.meets("ended", "codes_expired").await;
    assert_eq!(person.screen.seen["step"]["submit"]["text"], "Show a new code");
    assert_eq!(house.double.log("registration").await.len(), 1);
    person.turns("pairing_code").await;
    person.answers("phone", LABEL).await;
    person.meets("ended", "code_expired").await;
    person.goes_on().await;
    person.code().await;
    house.double.type_code(PHONE, "ZZZZZZZZ").await.expect_err("a wrong code");
    person.meets("ended", "code_mistyped").await;
    // WhatsApp rings at somebody's with each of them.
    person.goes_on().await;
    person.meets("phone", "too_many_codes").await;
    // A passkey that nobody has.
    house.double.post("/accounts", json!({ "phone": PHONE, "passkey": true })).await;
    person.turns("qr").await;
    let shown = person.code().await;
    house.double.scan(PHONE, &shown).await.expect("a scan");
    person.meets("ended", "passkey_expired").await;
    person.goes_on().await;
    let shown = person.code().await;
    house.double.scan("4915187654321", &shown).await.expect("a scan");
    person.connected("+4915187654321").await;
}

#[tokio::test]
async fn a_passkey_is_a_step_of_its_own_whose_answer_can_be_handed_in() {
    let house = House::start();
    house.double.post("/accounts", json!({ "phone": PHONE, "passkey": true })).await;
    let mut person = arrived(&house).await;
    let shown = person.code().await;
    house.double.scan(PHONE, &shown).await.expect("a scan");
    until(&mut person.screen, "the question", |seen| seen["step"]["name"] == "passkey").await;
    let step = person.screen.seen["step"].clone();
    assert_eq!(
        (&step["kind"], &step["request"]["rpId"]),
        (&json!("form"), &json!("web.whatsapp.com")),
        "{step}"
    );
    assert_eq!(step["alternatives"][0]["name"], "qr", "another account has none: {step}");
    // What the passkey makes of it, on a page of this origin.
    let answer = async |origin: &str| {
        let asked = json!({ "phone": PHONE, "options": step["request"].to_string(), "origin": origin });
        house.double.post("/passkey", asked).await.to_string()
    };
    for (given, error) in [
        ("{}".to_owned(), "assertion_invalid"),
        (answer("https://connect.example").await, "assertion_refused"),
    ] {
        person.answers("assertion", &given).await;
        let error = format!("whatsapp.error.{error}");
        until(&mut person.screen, &error, |seen| seen["step"]["fields"][0]["error"]["key"] == *error).await;
        assert_eq!(person.stands().0, "passkey");
    }
    let given = answer("https://web.whatsapp.com").await;
    person.answers("assertion", &given).await;
    until(&mut person.screen, "a code to compare", |seen| seen["step"]["name"] == "passkey_code").await;
    let compared = person.code().await;
    let phone = house.double.tell("GET", &format!("/passkey?phone={PHONE}"), Value::Null).await.unwrap();
    assert_eq!(phone["code"], compared);
    person.goes_on().await;
    person.connected(LABEL).await;
}

/// How often the log says that an account could not be linked for this reason.
fn told(house: &telegram::House, code: &str) -> usize {
    let output = house.app.output();
    let lines = output.lines().filter(|line| line.contains("an account could not be linked"));
    lines.filter(|line| line.contains(code)).count()
}

/// Makes Telegram say no to a method, once.
async fn refuses(house: &telegram::House, method: &str, error: &str) {
    house.double.tell("/failures", json!({ "method": method, "error": error })).await;
}

#[tokio::test]
async fn each_no_of_telegrams_has_its_words_and_its_way_on() {
    let soon = [("PROVIDERS__TELEGRAM__CALL_SECONDS", "3")];
    let house = telegram::House::with(json!({ "dc": 2, "password": PASSWORD }), &soon).await;
    // The server's own question at its start.
    let asked = async || (house.double.asked("auth.exportLoginToken").await == 1).then_some(());
    eventually_async("the first question", READY, asked).await;
    let mut person = Patient::new(Screen::start(&house.app, &house.link(json!({})).await).await);
    person.code().await;
    // Where the code is asked for.
    for (error, code, says, button) in [
        ("FLOOD_WAIT_420", "rate_limited", "7 minutes", "Show a new code"),
        ("USER_DEACTIVATED_BAN", "phone_banned", "blocked", "Go on with another account"),
        ("UPDATE_APP_TO_LOGIN", "client_outdated", "version", "Try again"),
        // Whose application it is, is nothing that the person could mend.
        ("API_ID_INVALID", "misconfigured", "not set up", "Try again"),
        ("INTERNAL_500", "provider_unavailable", "right now", "Show a new code"),
    ] {
        refuses(&house, "auth.exportLoginToken", error).await;
        person.goes_on().await;
        let said = person.meets("ended", code).await;
        assert!(said.contains(says), "{error}: {said}");
        assert_eq!(person.screen.seen["step"]["submit"]["text"], button, "{error}");
        person.goes_on().await;
        person.code().await;
    }
    assert_eq!((told(&house, "client_outdated"), told(&house, "config_api_id_invalid")), (1, 1));

    // Nobody there, and then there is.
    refuses(&house, "auth.exportLoginToken", "FLOOD_WAIT_420").await;
    person.goes_on().await;
    person.meets("ended", "rate_limited").await;
    house.double.tell("/silences", json!({ "at": "connect" })).await;
    person.goes_on().await;
    person.meets("ended", "provider_unavailable").await;
    house.double.ask("DELETE", "/silences", &Value::Null).await;
    person.goes_on().await;
    person.code().await;

    // A code that is withdrawn links nothing, and another takes its place.
    let (withdrawn, _) = (person.code().await, house.double.tell("/expire", json!({})).await);
    let scan = json!({ "url": withdrawn, "phone": ADA });
    let (status, said) = house.double.ask("POST", "/scan", &scan).await;
    assert_eq!((status, &said["error"]), (409, &json!("AUTH_TOKEN_EXPIRED")));
    person.goes_on().await;
    until(&mut person.screen, "another code", |seen| {
        seen["step"]["code"]["value"].as_str().is_some_and(|now| now != withdrawn)
    })
    .await;

    // Where a number is typed.
    person.turns("phone_code").await;
    let banned = json!({ "phone": ADA, "standing": "banned" });
    for (error, code) in [
        ("PHONE_NUMBER_FLOOD", "rate_limited"),
        ("FLOOD_WAIT_7200", "rate_limited"),
        ("SMS_CODE_CREATE_FAILED", "code_not_sent"),
        ("PHONE_NUMBER_BANNED", "phone_banned"),
        ("UPDATE_APP_TO_LOGIN", "client_outdated"),
    ] {
        refuses(&house, "auth.sendCode", error).await;
        person.answers("phone", ADA).await;
        person.meets("phone", code).await;
    }
    assert_eq!(told(&house, "client_outdated"), 2, "once for each way");
    house.double.tell("/standing", banned).await;
    person.answers("phone", ADA).await;
    person.meets("phone", "phone_banned").await;
    house.double.tell("/standing", json!({ "phone": ADA, "standing": null })).await;
    for (via, code) in [("flash_call", "code_unsuitable"), ("payment", "payment_required")] {
        house.double.account(ADA, json!({ "code_via": via })).await;
        person.answers("phone", ADA).await;
        person.meets("phone", code).await;
    }
    house.double.account(ADA, json!({ "code_via": "app" })).await;
    let nobody = "+447700900199";
    person.answers("phone", nobody).await;
    let sent = house.double.code(nobody).await;
    person.answers("code", &sent).await;
    person.meets("phone", "no_account").await;

    // Where the code is.
    person.answers("phone", ADA).await;
    let sent = house.double.code(ADA).await;
    let error = |person: &Patient| person.screen.seen["step"]["fields"][0]["error"]["key"].clone();
    person.answers("code", if sent == "00000" { "00001" } else { "00000" }).await;
    assert_eq!((person.stands(), error(&person)), (("code", ""), json!("telegram.error.code_invalid")));
    person.turns("resend").await;
    person.meets("code", "code_wait").await;
    house.double.tell("/expire-code", json!({ "phone": ADA })).await;
    person.answers("code", &sent).await;
    person.meets("code", "code_expired").await;
    person.turns("phone_code").await;
    person.answers("phone", ADA).await;
    let sent = house.double.code(ADA).await;
    person.answers("code", &sent).await;

    // Where the password is.
    assert_eq!(person.stands(), ("password", ""));
    person.answers("password", "wrong").await;
    assert_eq!(
        (person.stands(), error(&person)),
        (("password", ""), json!("telegram.error.password_invalid"))
    );
    refuses(&house, "auth.checkPassword", "FLOOD_WAIT_60").await;
    person.answers("password", PASSWORD).await;
    person.meets("password", "rate_limited").await;
    refuses(&house, "auth.checkPassword", "AUTH_KEY_UNREGISTERED").await;
    person.answers("password", PASSWORD).await;
    person.meets("phone", "sign_in_expired").await;
    person.turns("qr").await;
    let shown = person.code().await;
    house.double.scan(&shown, ADA).await;
    until(&mut person.screen, "the password's step", |seen| seen["step"]["name"] == "password").await;
    person.answers("password", PASSWORD).await;
    person.connected(ADA).await;
}

#[tokio::test]
async fn codes_of_telegrams_that_nobody_scans_run_out_and_others_are_asked_for() {
    let mut house = telegram::House::start(json!({ "dc": 2 })).await;
    house.double.tell("/settings", json!({ "tokenMs": 5000, "push": false })).await;
    // Nobody waits ten minutes here.
    assert!(house.app.stop());
    let (clock, mut command) = (Clock::at("+0"), house.app.command(&["serve"]));
    clock.give(&mut command);
    house.app.run_as(command);
    // The last code counts as long as it is on show.
    let mut person = Patient::new(Screen::start(&house.app, &house.link(json!({})).await).await);
    let last = person.code().await;
    clock.set("+11m");
    house.double.scan(&last, ADA).await;
    person.connected(ADA).await;
    let mut person = Patient::new(Screen::start(&house.app, &house.link(json!({})).await).await);
    person.code().await;
    clock.set("+22m");
    until(&mut person.screen, "the end of codes", |seen| seen["step"]["name"] == "ended").await;
    let step = &person.screen.seen["step"];
    assert_eq!(
        (&step["notice"], &step["title"]["key"]),
        (&Value::Null, &json!("telegram.ended.title")),
        "{step}"
    );
    assert_eq!((&step["submit"]["text"], &step["live"]), (&json!("Show a new code"), &Value::Null), "{step}");
    person.goes_on().await;
    let scanned = async || {
        let shown = json!({ "url": code(&mut person.screen).await, "phone": ADA });
        (house.double.ask("POST", "/scan", &shown).await.0 == 200).then_some(())
    };
    eventually_async("a scan", READY, scanned).await;
    person.connected(ADA).await;
}
