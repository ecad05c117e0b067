//! By pairing code: typed, mistyped, withdrawn, not given.

use super::{House, PHONE};
use serde_json::json;
use vestibule::contract::{Allowance, Context, FieldKind, Method, StepKind};

#[tokio::test]
async fn a_code_is_mistyped_then_typed_and_the_account_is_linked() {
    let house = House::new();
    let mut person = house.begin().await;
    person.code().await;
    let code = person.pair().await;
    let step = person.step.clone().unwrap();
    assert_eq!((step.kind, step.live), (StepKind::Code, true));
    assert_eq!(step.title.args["phone"], "+4915112345678");
    assert_eq!(code.len(), 8, "{code}");
    let left = person.code.as_ref().unwrap().expires_at.unwrap().since(house.cx.clock.now());
    assert!((170..=180).contains(&left.as_secs()), "{left:?}");
    assert_eq!(house.double.type_code(PHONE, "11111111").await.unwrap_err(), "wrong-code");
    person.hear().await;
    assert_eq!((person.told(), person.notice()), (("pairing_code", None), "code_typed"));
    // It is still on show, to be typed once more.
    assert_eq!(person.code().await, code);
    house.double.type_code(PHONE, &code).await.unwrap();
    person.until("connected").await;
    assert_eq!(person.connected.unwrap().profile.label, "+4915112345678");
}

#[tokio::test]
async fn whoever_begins_with_a_number_is_asked_for_it_in_full() {
    let house = House::new();
    let mut person = house.begin_with(Method::PairingCode, None).await;
    assert_eq!(person.told(), ("phone", None));
    let field = &person.step.as_ref().unwrap().fields[0];
    assert_eq!((field.kind, field.autocomplete.as_deref()), (FieldKind::Phone, Some("tel")));
    for (typed, error) in
        [("", "phone_missing"), ("0151 12345678", "phone_country"), ("+49 151 x", "phone_invalid")]
    {
        person.submit(&[("phone", typed)]).await;
        assert_eq!(person.told(), ("phone", Some(error)), "{typed}");
    }
    assert_eq!(person.step.as_ref().unwrap().fields[0].value.as_deref(), Some("+49 151 x"));
    person.way("qr").await;
    let qr = person.code().await;
    house.double.scan(PHONE, &qr).await.unwrap();
    person.until("connected").await;
}

#[tokio::test]
async fn a_code_that_comes_to_nothing_says_why_and_leads_to_another() {
    let house = House::set(json!({ "test_code_seconds": "3" }));
    house.double.post("/settings", json!({ "firstRefMs": 60_000, "nextRefMs": 60_000 })).await;
    let mut person = house.begin().await;
    person.pair().await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("code_expired")));

    person.submit(&[]).await;
    assert_eq!(person.told(), ("pairing_code", None));
    person.code().await;
    house.double.type_code(PHONE, "ZZZZZZZZ").await.unwrap_err();
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("code_mistyped")));

    person.submit(&[]).await;
    person.code().await;
    house.double.post("/withdraw-code", json!({ "phone": PHONE })).await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("code_withdrawn")));

    house.double.post("/accounts", json!({ "phone": PHONE, "throttled": true })).await;
    person.submit(&[]).await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("rate_limited")));

    // The other way is open.
    person.way("qr").await;
    let qr = person.code().await;
    house.double.scan(PHONE, &qr).await.unwrap();
    person.until("connected").await;
}

#[tokio::test]
async fn a_killed_process_has_another_show_a_new_code_for_the_same_number() {
    let house = House::new();
    let mut person = house.begin().await;
    let first = person.pair().await;
    house.double.type_code(PHONE, "11111111").await.unwrap_err();
    person.hear().await;
    assert_eq!(person.notice(), "code_typed");
    person.killed();
    person.hear().await;
    assert_eq!((person.told(), person.notice()), (("pairing_code", None), "interrupted"));
    let second = person.code().await;
    assert_ne!(first, second);
    house.double.type_code(PHONE, &second).await.unwrap();
    person.until("connected").await;
}

#[tokio::test]
async fn a_number_is_not_sent_any_number_of_codes() {
    let mut house = House::new();
    house.cx = Context { allowance: Allowance::new(0, 1).granting(9), ..house.cx };
    let mut person = house.begin().await;
    person.pair().await;
    person.way("pairing_code").await;
    person.submit(&[("phone", "+4915112345678")]).await;
    assert_eq!(person.told(), ("phone", Some("too_many_codes")));
    person.way("qr").await;
    person.code().await;
}
