//! By pairing code, and through the passkey gate.

use crate::parts::{Attempt, Double, PHONE};
use serde_json::{Value, json};
use std::time::Duration;
use wire_whatsapp::{Assertion, CodeEnd, End, Error, Event};

async fn ended(attempt: &mut Attempt) -> CodeEnd {
    match attempt.next().await {
        Event::CodeEnded(end) => end,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_is_mistyped_then_typed_and_the_device_is_linked() {
    let double = Double::start().await;
    let mut attempt = double.link();
    attempt.qr().await;
    attempt.0.request_code("+49 151 12345678").await.unwrap();
    let code = attempt.code().await;
    assert_eq!(code.len(), 8);
    let again = attempt.0.request_code(PHONE).await.unwrap_err();
    assert!(matches!(again, Error::Input(_)));
    let wrong = double.post("/type", json!({ "phone": PHONE, "code": "11111111" })).await.unwrap_err();
    assert_eq!(wrong, "wrong-code");
    assert!(matches!(attempt.next().await, Event::CodeTyped));
    let shown = format!("{}-{}", &code[..4], &code[4..]);
    double.post("/type", json!({ "phone": PHONE, "code": shown })).await.unwrap();
    assert!(matches!(attempt.next().await, Event::CodeTyped));
    let session = attempt.linked().await;
    assert_eq!(session.phone(), format!("+{PHONE}"));
}

#[tokio::test]
async fn a_code_that_comes_to_nothing_says_why_and_another_may_be_asked_for() {
    let double = Double::start().await;
    let mut settings = double.settings();
    settings.deadlines.code = Duration::from_secs(4);
    settings.deadlines.typed = Duration::from_secs(1);
    let mut attempt = double.link_with(settings);
    attempt.qr().await;
    let wrong = attempt.0.request_code("0151 1234").await.unwrap_err();
    assert!(wrong.to_string().starts_with("phone: "), "{wrong}");

    // Nobody types it.
    attempt.0.request_code(PHONE).await.unwrap();
    attempt.code().await;
    assert_eq!(ended(&mut attempt).await, CodeEnd::Expired);
    // The QR code is shown again: what it says may have changed.
    let (qr, ..) = attempt.qr().await;

    // It is mistyped, and not corrected.
    attempt.0.request_code(PHONE).await.unwrap();
    attempt.code().await;
    double.post("/type", json!({ "phone": PHONE, "code": "ZZZZZZZZ" })).await.unwrap_err();
    assert!(matches!(attempt.next().await, Event::CodeTyped));
    assert_eq!(ended(&mut attempt).await, CodeEnd::Mistyped);
    let (after, ..) = attempt.qr().await;
    assert_ne!(qr, after, "the secret became the code's");

    // The service withdraws it.
    attempt.0.request_code(PHONE).await.unwrap();
    attempt.code().await;
    double.post("/withdraw-code", json!({ "phone": PHONE })).await.unwrap();
    assert_eq!(ended(&mut attempt).await, CodeEnd::Withdrawn);
    attempt.qr().await;

    // It gives none.
    double.post("/accounts", json!({ "phone": PHONE, "throttled": true })).await.unwrap();
    attempt.0.request_code(PHONE).await.unwrap();
    assert_eq!(ended(&mut attempt).await, CodeEnd::Throttled);
    let (qr, ..) = attempt.qr().await;

    // All the while the QR code is good.
    double.post("/scan", json!({ "qr": qr, "phone": PHONE })).await.unwrap();
    attempt.linked().await;
}

#[tokio::test]
async fn a_code_outlives_the_qr_codes() {
    let double = Double::start().await;
    double.post("/settings", json!({ "refs": 1, "firstRefMs": 300 })).await.unwrap();
    let mut settings = double.settings();
    settings.deadlines.first_ref = Duration::from_millis(300);
    let mut attempt = double.link_with(settings);
    attempt.qr().await;
    attempt.0.request_code(PHONE).await.unwrap();
    let code = attempt.code().await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    double.post("/type", json!({ "phone": PHONE, "code": code })).await.unwrap();
    assert!(matches!(attempt.next().await, Event::CodeTyped));
    attempt.linked().await;
}

#[tokio::test]
async fn an_odd_client_gets_no_code() {
    let double = Double::start().await;
    let mut settings = double.settings();
    settings.system = "Vestibule".to_owned();
    let mut attempt = double.link_with(settings);
    attempt.qr().await;
    attempt.0.request_code(PHONE).await.unwrap();
    assert_eq!(ended(&mut attempt).await, CodeEnd::Refused(400));
}

/// Scans a code of an account behind the gate; gives what is asked.
async fn asked(double: &Double, attempt: &mut Attempt, passkey: Value) -> String {
    double.post("/accounts", json!({ "phone": PHONE, "passkey": passkey })).await.unwrap();
    let (qr, ..) = attempt.qr().await;
    double.post("/scan", json!({ "qr": qr, "phone": PHONE })).await.unwrap();
    match attempt.next().await {
        Event::Passkey { request, ends_in } => {
            assert!(ends_in > Duration::from_secs(60) || ends_in < Duration::from_secs(2));
            request
        }
        other => panic!("{other:?}"),
    }
}

async fn assertion(double: &Double, request: &str, origin: Option<&str>) -> Assertion {
    let body = json!({ "phone": PHONE, "options": request, "origin": origin });
    Assertion::from_json(&double.post("/passkey", body).await.unwrap().to_string()).unwrap()
}

#[tokio::test]
async fn the_passkey_gate_is_passed_with_an_assertion() {
    for passkey in [json!(true), json!("ask")] {
        let double = Double::start().await;
        let mut attempt = double.link();
        assert!(attempt.0.confirm_passkey().await.is_err());
        let request = asked(&double, &mut attempt, passkey).await;
        let options: Value = serde_json::from_str(&request).unwrap();
        assert_eq!(options["rpId"], "web.whatsapp.com");
        assert!(attempt.0.request_code(PHONE).await.is_err());

        // A page of ours cannot have it: the origin is signed.
        let elsewhere = assertion(&double, &request, Some("https://connect.example")).await;
        attempt.0.answer_passkey(elsewhere).await.unwrap();
        assert!(matches!(attempt.next().await, Event::PasskeyRefused { code: 400 }));

        let given = assertion(&double, &request, None).await;
        attempt.0.answer_passkey(given.clone()).await.unwrap();
        assert!(attempt.0.answer_passkey(given).await.is_err());
        let shown = match attempt.next().await {
            Event::PasskeyCode { text } => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(double.get(&format!("/passkey?phone={PHONE}")).await.unwrap()["code"], shown);
        attempt.0.confirm_passkey().await.unwrap();
        let session = attempt.linked().await;
        assert_eq!(session.phone(), format!("+{PHONE}"));
    }
}

#[tokio::test]
async fn a_person_without_the_passkey_is_not_waited_for_for_ever() {
    let double = Double::start().await;
    let mut settings = double.settings();
    settings.deadlines.passkey = Duration::from_millis(500);
    let mut attempt = double.link_with(settings);
    asked(&double, &mut attempt, json!(true)).await;
    assert_eq!(attempt.end().await, End::Expired);
}
