//! By QR code: shown, renewed, scanned; and what a killed process leaves.

use super::{House, LABEL, PHONE};
use crate::parts::certs::Ca;
use crate::parts::whatsapp::Whatsapp;
use serde_json::json;
use std::time::Duration;
use vestibule::contract::{Heard, Method, StepKind, Target};
use vestibule::kernel::clock::Clock;

#[tokio::test]
async fn a_code_is_scanned_and_the_account_is_linked() {
    let ca = Ca::new();
    let house = House::with(Whatsapp::start_tls(&ca), json!({}), Some(&ca.file()));
    house.double.post("/accounts", json!({ "phone": PHONE, "name": "Shop", "platform": "iphone" })).await;
    let mut person = house.begin().await;
    let step = person.step.clone().unwrap();
    assert_eq!((step.kind, &*step.name, step.live), (StepKind::Qr, "qr", true));
    assert_eq!(step.intro.unwrap().key, "whatsapp.link.meaning");
    let code = person.code().await;
    assert!(code.starts_with("https://wa.me/settings/linked_devices#2@"), "{code}");
    let left = person.code.as_ref().unwrap().expires_at.unwrap().since(Clock::system().now());
    assert!((55..=60).contains(&left.as_secs()), "{left:?}");
    let scanned = house.double.scan(PHONE, &code).await.unwrap();
    person.hear().await;
    assert_eq!(person.told(), ("linking", None));
    person.until("connected").await;
    let connected = person.connected.unwrap();
    let lid = scanned["lid"].as_str().unwrap();
    assert_eq!(connected.identity, format!("{}@lid", lid.split(':').next().unwrap()));
    assert_eq!((&*connected.profile.label, connected.profile.text("phone_number")), (LABEL, LABEL));
    assert_eq!(connected.profile.text("jid"), scanned["jid"].as_str().unwrap());
    assert_eq!(
        (connected.profile.text("business_name"), connected.profile.text("platform")),
        ("Shop", "iphone")
    );
    let device = house.double.device(connected.profile.text("jid")).await.unwrap();
    assert_eq!(device["preKeys"].as_object().unwrap().len(), 812);

    let given = house.provider.credentials(&connected.secret, &connected.profile).unwrap();
    assert_eq!(given.value["type"], "whatsapp_session");
    let session = &given.value["session"];
    assert_eq!((&session["format"], &session["jid"]), (&json!("whatsapp-device/1"), &scanned["jid"]));
    assert_eq!((session["preKeysUploaded"].as_bool(), given.expires_at), (Some(true), None));
    let noise = session["noiseKey"]["private"].as_str().unwrap();
    assert!(!format!("{connected:?}").contains(noise));
    assert!(!serde_json::to_string(&connected.profile).unwrap().contains(noise));
}

#[tokio::test]
async fn an_account_that_is_linked_again_has_the_identity_it_had() {
    let house = House::new();
    let first = house.connected().await;
    let target = Target { identity: first.identity.clone(), profile: first.profile.clone() };
    let mut person = house.begin_with(Method::Qr, Some(target)).await;
    assert_eq!(person.step.as_ref().unwrap().title.args["account"], LABEL);
    let code = person.code().await;
    house.double.scan(PHONE, &code).await.unwrap();
    person.until("connected").await;
    let again = person.connected.take().unwrap();
    assert_eq!(again.identity, first.identity);
    assert_ne!(again.profile.text("jid"), first.profile.text("jid"), "another device");

    // Another phone's is another one.
    let mut person = house.begin().await;
    let code = person.code().await;
    house.double.scan("4915187654321", &code).await.unwrap();
    person.until("connected").await;
    assert_ne!(person.connected.unwrap().identity, first.identity);
}

#[tokio::test]
async fn a_code_is_replaced_by_the_next_and_another_is_shown_when_asked_for() {
    let house = House::set(json!({ "test_code_seconds": "2" }));
    let mut person = house.begin().await;
    let first = person.code().await;
    person.hear().await;
    let second = person.code().await;
    assert_ne!(first, second);
    person.submit(&[]).await;
    assert_eq!((person.told(), person.code.is_none()), (("qr", None), true));
    let fresh = person.code().await;
    // The connection of the earlier ones is gone.
    assert_eq!(house.double.scan(PHONE, &second).await.unwrap_err(), "ref-unknown");
    house.double.scan(PHONE, &fresh).await.unwrap();
    person.until("connected").await;
}

#[tokio::test]
async fn a_process_that_is_killed_with_a_code_on_show_has_another_show_a_new_one() {
    let house = House::new();
    let mut person = house.begin().await;
    let old = person.code().await;
    person.killed();
    let new = person.code().await;
    assert_ne!(old, new);
    house.double.scan(PHONE, &new).await.unwrap();
    person.until("connected").await;
}

#[tokio::test]
async fn a_process_that_is_killed_after_the_phones_yes_has_another_finish() {
    let house = House::new();
    let mut person = house.begin().await;
    let code = person.code().await;
    let failing = json!({ "phone": PHONE, "reason": 503, "once": false });
    house.double.post("/failures", failing).await;
    house.double.scan(PHONE, &code).await.unwrap();
    person.until("linking").await;
    person.killed();
    house.double.tell("DELETE", "/failures", json!(null)).await.unwrap();
    person.until("connected").await;
    let connected = person.connected.unwrap();
    assert_eq!(connected.profile.label, LABEL);
    assert!(house.double.device(connected.profile.text("jid")).await.is_ok());
}

#[tokio::test]
async fn a_service_that_is_away_after_the_phones_yes_is_gone_on_with_later() {
    let house = House::new();
    let mut person = house.begin().await;
    let code = person.code().await;
    let failing = json!({ "phone": PHONE, "reason": 503, "once": false });
    house.double.post("/failures", failing).await;
    let scanned = house.double.scan(PHONE, &code).await.unwrap();
    person.until("unfinished").await;
    assert_eq!(person.told(), ("unfinished", Some("provider_unavailable")));
    house.double.tell("DELETE", "/failures", json!(null)).await.unwrap();
    person.submit(&[]).await;
    assert_eq!(person.told(), ("linking", None));
    person.until("connected").await;
    assert_eq!(scanned["jid"], person.connected.unwrap().profile.text("jid"), "no other device");
}

#[tokio::test]
async fn a_device_that_is_removed_before_it_has_logged_in_is_not_linked() {
    let house = House::new();
    let mut person = house.begin().await;
    let code = person.code().await;
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 401 })).await;
    house.double.scan(PHONE, &code).await.unwrap();
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("logged_out")));
}

#[tokio::test]
async fn whoever_keeps_looking_away_loses_nothing() {
    let house = House::new();
    let mut person = house.begin().await;
    person.converse();
    let mut scanned = false;
    while person.connected.is_none() {
        let next = person.talk.as_mut().unwrap().next();
        let Ok(heard) = tokio::time::timeout(Duration::from_millis(1), next).await else { continue };
        match heard.unwrap() {
            Heard::Code(code) if !scanned => {
                house.double.scan(PHONE, &code.value).await.unwrap();
                scanned = true;
            }
            Heard::Code(_) => {}
            Heard::Next(next) => person.note(next),
        }
    }
}

#[tokio::test]
async fn an_answer_that_meets_the_phones_yes_does_not_lose_the_device() {
    let house = House::new();
    let mut person = house.begin().await;
    let code = person.code().await;
    let showing = person.state.clone();
    house.double.scan(PHONE, &code).await.unwrap();
    person.until("linking").await;
    // The person pressed “show a new code” on the page before.
    person.state = showing;
    person.submit(&[]).await;
    person.until("linking").await;
    person.until("connected").await;
}
