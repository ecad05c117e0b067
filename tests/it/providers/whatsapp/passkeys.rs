//! Through the passkey gate.

use super::{House, PHONE, Person};
use serde_json::{Value, json};
use vestibule::contract::{FieldKind, StepKind};

/// Scans a code of an account behind the gate; gives what the passkey is asked.
async fn asked(house: &House, person: &mut Person<'_>) -> Value {
    house.double.post("/accounts", json!({ "phone": PHONE, "passkey": true })).await;
    let code = person.code().await;
    house.double.scan(PHONE, &code).await.unwrap();
    person.until("passkey").await;
    person.step.as_ref().unwrap().request.clone().unwrap()
}

async fn assertion(house: &House, request: &Value, origin: Option<&str>) -> String {
    let body = json!({ "phone": PHONE, "options": request.to_string(), "origin": origin });
    house.double.post("/passkey", body).await.to_string()
}

#[tokio::test]
async fn an_assertion_is_handed_in_compared_and_the_account_is_linked() {
    let house = House::new();
    let mut person = house.begin().await;
    let request = asked(&house, &mut person).await;
    assert_eq!(request["rpId"], "web.whatsapp.com");
    let step = person.step.clone().unwrap();
    assert_eq!((step.kind, step.live, step.fields[0].kind), (StepKind::Form, true, FieldKind::Long));

    for (given, error) in [("", "assertion_missing"), ("{}", "assertion_invalid")] {
        person.submit(&[("assertion", given)]).await;
        assert_eq!(person.told(), ("passkey", Some(error)));
        assert_eq!(person.step.as_ref().unwrap().request, Some(request.clone()));
    }
    // One that a page of ours made would not do.
    let elsewhere = assertion(&house, &request, Some("https://connect.example")).await;
    person.submit(&[("assertion", &elsewhere)]).await;
    assert_eq!(person.told(), ("passkey_wait", None));
    person.hear().await;
    assert_eq!(person.told(), ("passkey", Some("assertion_refused")));

    let given = assertion(&house, &request, None).await;
    person.submit(&[("assertion", &given)]).await;
    person.until("passkey_code").await;
    assert!(!serde_json::to_string(person.step.as_ref().unwrap()).unwrap().contains("signature"));
    let shown = person.code().await;
    let on_phone = house.double.tell("GET", &format!("/passkey?phone={PHONE}"), json!(null)).await.unwrap();
    assert_eq!(on_phone["code"], shown);
    person.submit(&[]).await;
    assert_eq!(person.told(), ("passkey_wait", None));
    person.until("connected").await;
}

#[tokio::test]
async fn an_answer_that_meets_the_services_word_is_not_asked_for_again() {
    let house = House::new();
    let mut person = house.begin().await;
    let request = asked(&house, &mut person).await;
    let given = assertion(&house, &request, None).await;
    person.submit(&[("assertion", &given)]).await;
    let waiting = (person.step.clone(), person.state.clone());
    person.until("passkey_code").await;
    // The person pressed the button of the page before.
    (person.step, person.state) = waiting;
    person.submit(&[]).await;
    assert_eq!(person.told(), ("passkey_wait", None));
    person.hear().await;
    assert_eq!(person.told(), ("passkey_code", None));
    person.code().await;
    person.submit(&[]).await;
    person.until("connected").await;
}

#[tokio::test]
async fn characters_that_differ_lead_back_to_a_code() {
    let house = House::new();
    let mut person = house.begin().await;
    let request = asked(&house, &mut person).await;
    let given = assertion(&house, &request, None).await;
    person.submit(&[("assertion", &given)]).await;
    person.until("passkey_code").await;
    person.way("qr").await;
    assert_eq!(person.told(), ("qr", None));
    let code = person.code().await;
    house.double.scan("4915187654321", &code).await.unwrap();
    person.until("connected").await;
}

#[tokio::test]
async fn a_killed_process_loses_the_question_and_shows_a_code() {
    let house = House::new();
    let mut person = house.begin().await;
    let request = asked(&house, &mut person).await;
    person.killed();
    person.hear().await;
    assert_eq!((person.told(), person.notice()), (("qr", None), "interrupted"));

    // The same where the answer was on its way.
    let again = asked(&house, &mut person).await;
    assert_ne!(again["challenge"], request["challenge"]);
    let given = assertion(&house, &again, None).await;
    person.submit(&[("assertion", &given)]).await;
    person.killed();
    person.hear().await;
    assert_eq!((person.told(), person.notice()), (("qr", None), "interrupted"));
}

#[tokio::test]
async fn a_passkey_that_nobody_has_is_not_waited_for_for_ever() {
    let house = House::set(json!({ "test_code_seconds": "2" }));
    let mut person = house.begin().await;
    asked(&house, &mut person).await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("passkey_expired")));
    // Somebody else's account has none.
    person.submit(&[]).await;
    let code = person.code().await;
    house.double.scan("4915187654321", &code).await.unwrap();
    person.until("connected").await;
}
