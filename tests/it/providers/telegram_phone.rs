//! The provider for Telegram beside the stand-in: signing in with a phone number and a code, and all that may be said to
//! that.

use super::telegram::Person;
use crate::parts::telegram::Telegram;
use serde_json::json;
use std::time::Duration;
use vestibule::contract::{FieldKind, Method, Profile, Target};

const ADA: &str = "+447700900123";

async fn arrive(double: &Telegram) -> Person {
    let person = Person::arrive(double, Method::PhoneCode, None).await;
    assert_eq!(person.told(), ("phone", None));
    person
}

#[tokio::test]
async fn a_code_that_was_sent_connects_and_a_wrong_one_is_told() {
    let double = Telegram::start(500);
    for dc in [2, 3] {
        let phone = format!("+44770090012{dc}");
        double.account(&phone, json!({ "dc": dc })).await;
        let mut person = arrive(&double).await;
        person.submit(&[("phone", &phone.replacen("77", " (77) ", 1))]).await;
        assert_eq!(person.told(), ("code", None));
        let step = person.step.clone().unwrap();
        assert_eq!(
            (step.fields[0].kind, step.fields[0].autocomplete.as_deref()),
            (FieldKind::Code, Some("one-time-code"))
        );
        assert_eq!(step.intro.unwrap().key, "telegram.code.intro.app");
        let code = double.code(&phone).await;
        let wrong = if code == "00000" { "00001" } else { "00000" };
        for (typed, error) in [(wrong, "code_invalid"), ("", "code_missing"), ("abc", "code_invalid")] {
            person.submit(&[("code", typed)]).await;
            assert_eq!(person.told(), ("code", Some(error)));
        }
        person.submit(&[("code", &format!(" {code} "))]).await;
        assert_eq!(person.told(), ("connected", None));
        assert_eq!(person.connected.as_ref().unwrap().secret.0["session"]["dc"], dc);
        assert_eq!(double.devices(&phone).await.len(), 1);
    }
}

#[tokio::test]
async fn after_the_code_the_password_is_asked_for_under_the_number() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 1, "password": "tr0ub4dor" })).await;
    let mut person = arrive(&double).await;
    person.submit(&[("phone", ADA)]).await;
    person.submit(&[("code", &double.code(ADA).await)]).await;
    assert_eq!(person.told(), ("password", None));
    assert_eq!(person.step.as_ref().unwrap().username.as_deref(), Some(ADA));
    person.submit(&[("password", "wrong")]).await;
    assert_eq!(person.told(), ("password", Some("password_invalid")));
    person.submit(&[("password", "tr0ub4dor")]).await;
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn what_took_too_long_leads_back_to_the_beginning() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2, "password": "tr0ub4dor" })).await;
    let mut person = arrive(&double).await;
    person.submit(&[("phone", ADA)]).await;
    person.submit(&[("code", &double.code(ADA).await)]).await;
    assert_eq!(person.told(), ("password", None));
    let gone = json!({ "method": "auth.checkPassword", "error": "AUTH_KEY_UNREGISTERED" });
    double.tell("/failures", gone).await;
    person.submit(&[("password", "tr0ub4dor")]).await;
    assert_eq!(person.told(), ("phone", Some("sign_in_expired")));
    assert_eq!(person.step.as_ref().unwrap().fields[0].value.as_deref(), Some(ADA));
    person.turn("qr").await;
    assert_eq!(person.told(), ("qr", None));
    person.see().await;
    person.turn("phone_code").await;
    assert_eq!(person.told(), ("phone", None));
}

#[tokio::test]
async fn another_code_is_sent_by_another_way_but_not_at_once() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let mut person = arrive(&double).await;
    person.submit(&[("phone", ADA)]).await;
    let first = double.code(ADA).await;
    person.turn("resend").await;
    let notice = person.step.as_ref().and_then(|step| step.notice.as_ref()).expect("words about it");
    assert_eq!((person.told(), &*notice.code), (("code", None), "code_wait"), "it is nobody's mistake");
    assert_eq!(double.asked("auth.resendCode").await, 0);
    person.wait(Duration::from_secs(61));
    person.turn("resend").await;
    assert_eq!(person.told(), ("code", None));
    assert_eq!(person.step.as_ref().unwrap().intro.as_ref().unwrap().key, "telegram.code.intro.sms");

    double.tell("/expire-code", json!({ "phone": ADA })).await;
    person.submit(&[("code", &first)]).await;
    assert_eq!(person.told(), ("code", Some("code_expired")));
    // Past being sent again, so a fresh one is asked for.
    person.wait(Duration::from_secs(61));
    person.turn("resend").await;
    assert_eq!(person.told(), ("code", None));
    assert_eq!(double.asked("auth.sendCode").await, 2);
    person.submit(&[("code", &double.code(ADA).await)]).await;
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn a_code_is_looked_for_where_it_was_sent_and_what_only_telegrams_app_can_do_is_said() {
    let double = Telegram::start(500);
    for (via, said) in [
        ("app", "app"),
        ("sms", "sms"),
        ("firebase", "sms"),
        ("call", "call"),
        ("missed_call", "missed"),
        ("email", "email"),
        ("fragment", "fragment"),
        ("word", "words"),
        ("phrase", "words"),
    ] {
        double.account(ADA, json!({ "dc": 2, "code_via": via })).await;
        let mut person = arrive(&double).await;
        person.submit(&[("phone", ADA)]).await;
        let intro = person.step.as_ref().unwrap().intro.clone().unwrap();
        assert_eq!(intro.key, format!("telegram.code.intro.{said}"), "{via}");
        assert_eq!(intro.args["to"].is_empty(), !matches!(said, "missed" | "email"), "{via}");
        // The stand-in takes no code as proof of an address.
        if via != "email" {
            person.submit(&[("code", &double.code(ADA).await)]).await;
            assert_eq!(person.told(), ("connected", None), "{via}");
        }
    }
    for (via, error) in [
        ("flash_call", "code_unsuitable"),
        ("email_setup", "code_unsuitable"),
        ("payment", "payment_required"),
    ] {
        double.account(ADA, json!({ "dc": 2, "code_via": via })).await;
        let mut person = arrive(&double).await;
        person.submit(&[("phone", ADA)]).await;
        assert_eq!(person.told(), ("phone", Some(error)), "{via}");
    }
}

#[tokio::test]
async fn numbers_that_will_not_do_are_told_apart() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    double.account("+447700900199", json!({ "dc": 2 })).await;
    double.tell("/standing", json!({ "phone": "+447700900199", "standing": "banned" })).await;
    let mut person = arrive(&double).await;
    for (typed, error) in [
        ("", "phone_missing"),
        ("07700 900123", "phone_country"),
        ("+44 7700 x", "phone_invalid"),
        ("+447700900199", "phone_banned"),
    ] {
        person.submit(&[("phone", typed)]).await;
        assert_eq!(person.told(), ("phone", Some(error)), "{typed}");
    }
    let before = double.asked("auth.sendCode").await;
    assert_eq!(before, 1, "what cannot be a number is not asked about");
    for (error, code) in [
        ("PHONE_NUMBER_INVALID", "phone_invalid"),
        ("PHONE_NUMBER_FLOOD", "rate_limited"),
        ("FLOOD_WAIT_7200", "rate_limited"),
        ("SMS_CODE_CREATE_FAILED", "code_not_sent"),
        ("PHONE_NUMBER_APP_SIGNUP_FORBIDDEN", "code_not_sent"),
    ] {
        double.tell("/failures", json!({ "method": "auth.sendCode", "error": error })).await;
        person.submit(&[("phone", ADA)]).await;
        assert_eq!(person.told(), ("phone", Some(code)), "{error}");
    }
    double.tell("/failures", json!({ "method": "auth.sendCode", "error": "AUTH_RESTART" })).await;
    person.submit(&[("phone", ADA)]).await;
    assert_eq!(person.told(), ("code", None));
}

#[tokio::test]
async fn nobody_is_signed_up() {
    let double = Telegram::start(500);
    let mut person = arrive(&double).await;
    person.submit(&[("phone", ADA)]).await;
    person.submit(&[("code", &double.code(ADA).await)]).await;
    assert_eq!(person.told(), ("phone", Some("no_account")));
    assert_eq!(double.asked("auth.signUp").await, 0);
}

#[tokio::test]
async fn codes_are_sent_only_as_often_as_is_allowed() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let mut person = arrive(&double).await;
    person.cx.allowance = vestibule::contract::Allowance::new(0, 1).granting(2);
    person.submit(&[("phone", ADA)]).await;
    assert_eq!(person.told(), ("code", None));
    person.turn("phone_code").await;
    person.submit(&[("phone", ADA)]).await;
    assert_eq!(person.told(), ("phone", Some("throttled")));
    assert_eq!(double.asked("auth.sendCode").await, 1);
}

#[tokio::test]
async fn a_repair_names_the_account_and_knows_its_number() {
    let double = Telegram::start(500);
    let details = [("phone".to_owned(), json!(ADA))].into();
    let profile = Profile { label: ADA.to_owned(), details, note: None };
    let target = Target { identity: "7".to_owned(), profile };
    let mut person = Person::arrive(&double, Method::Qr, Some(target)).await;
    assert_eq!(person.step.as_ref().unwrap().title.args["account"], ADA);
    person.turn("phone_code").await;
    assert_eq!(person.step.as_ref().unwrap().fields[0].value.as_deref(), Some(ADA));
}
