//! By QR code: shown, renewed, scanned, and all the ways in which it comes to nothing.

use crate::parts::{Double, Loopback, PHONE};
use serde_json::json;
use std::time::Duration;
use wire_whatsapp::{End, Error, Event, Refusal, Session, check, complete};

#[tokio::test]
async fn a_code_is_scanned_and_the_device_is_linked() {
    let double = Double::start().await;
    double.post("/accounts", json!({ "phone": PHONE, "name": "Shop", "platform": "iphone" })).await.unwrap();
    let mut attempt = double.link();
    let (text, ends_in, left) = attempt.qr().await;
    assert!(text.starts_with("https://wa.me/settings/linked_devices#2@"));
    assert!(ends_in > Duration::from_secs(59) && left == 5);
    let scanned = double.post("/scan", json!({ "qr": text, "phone": PHONE })).await.unwrap();
    let session = attempt.linked().await;
    assert_eq!(scanned["jid"], session.jid);
    assert_eq!(scanned["lid"].as_str(), session.lid.as_deref());
    assert_eq!((session.name.as_deref(), session.platform.as_deref()), (Some("Shop"), Some("iphone")));
    assert_eq!(session.phone(), format!("+{PHONE}"));
    assert!(session.pre_keys_uploaded && session.next_pre_key_id == 813);
    let device = double.device(&session.jid).await.unwrap();
    assert_eq!(device["preKeys"].as_object().unwrap().len(), 812);
    // Nobody is left online with it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(double.device(&session.jid).await.unwrap()["online"], false);
    let logins = double.log("login").await;
    assert_eq!((logins.len(), &logins[0]["pattern"]), (1, &json!("IK")));
}

#[tokio::test]
async fn codes_are_renewed_and_an_old_one_is_worth_nothing() {
    let double = Double::start().await;
    let times = json!({ "firstRefMs": 1200, "nextRefMs": 1000, "graceMs": 0 });
    double.post("/settings", times).await.unwrap();
    let mut settings = double.settings();
    settings.deadlines.first_ref = Duration::from_millis(1200);
    settings.deadlines.next_ref = Duration::from_millis(1000);
    let mut attempt = double.link_with(settings.clone());
    let mut codes = Vec::new();
    for left in (0..6).rev() {
        let (text, ends_in, found) = attempt.qr().await;
        assert_eq!(found, left);
        assert!(ends_in <= Duration::from_millis(if left == 5 { 1200 } else { 1000 }));
        codes.push(text);
    }
    let old = json!({ "qr": codes[3], "phone": PHONE });
    assert_eq!(double.post("/scan", old).await.unwrap_err(), "ref-expired");
    assert_eq!(attempt.end().await, End::Expired);
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 6);
    let late = json!({ "qr": codes[0], "phone": PHONE });
    assert_eq!(double.post("/scan", late).await.unwrap_err(), "ref-unknown");

    // The last of the codes is as good as the first.
    let mut attempt = double.link_with(settings);
    for _ in 0..5 {
        attempt.qr().await;
    }
    let (last, ..) = attempt.qr().await;
    double.post("/scan", json!({ "qr": last, "phone": PHONE })).await.unwrap();
    attempt.linked().await;
}

#[tokio::test]
async fn a_code_whose_secret_is_withdrawn_is_shown_anew() {
    let double = Double::start().await;
    let mut attempt = double.link();
    let (before, ..) = attempt.qr().await;
    double.post("/refresh", json!({})).await.unwrap();
    let (after, ends_in, left) = attempt.qr().await;
    let fields = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let (before, after_fields) = (fields(&before), fields(&after));
    assert_eq!((left, &before[..3], &before[4]), (5, &after_fields[..3], &after_fields[4]));
    assert_ne!(before[3], after_fields[3]);
    assert!(ends_in < Duration::from_secs(60));
    double.post("/scan", json!({ "qr": after, "phone": PHONE })).await.unwrap();
    attempt.linked().await;

    // Who scanned the one that was on show before is not believed.
    let mut attempt = double.link();
    let (before, ..) = attempt.qr().await;
    double.post("/refresh", json!({})).await.unwrap();
    attempt.qr().await;
    let refused = double.post("/scan", json!({ "qr": before, "phone": PHONE })).await.unwrap_err();
    assert_eq!(refused, "hmac-mismatch");
    assert_eq!(attempt.end().await, End::Failed(Error::Untrusted("hmac-mismatch")));
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_attempt_and_another_shows_new_codes() {
    let double = Double::start().await;
    let mut attempt = double.link();
    let (first, ..) = attempt.qr().await;
    double.post("/drop", json!({})).await.unwrap();
    let end = attempt.end().await;
    assert!(matches!(&end, End::Failed(error) if error.may_pass()), "{end:?}");
    let mut attempt = double.link();
    let (second, ..) = attempt.qr().await;
    assert!(double.post("/scan", json!({ "qr": first, "phone": PHONE })).await.is_err());
    double.post("/scan", json!({ "qr": second, "phone": PHONE })).await.unwrap();
    attempt.linked().await;
}

#[tokio::test]
async fn a_linking_that_is_dropped_leaves_no_connection() {
    let double = Double::start().await;
    let mut attempt = double.link();
    let (text, ..) = attempt.qr().await;
    drop(attempt);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(double.post("/scan", json!({ "qr": text })).await.unwrap_err(), "ref-unknown");
}

#[tokio::test]
async fn a_process_that_ends_between_the_phones_yes_and_the_login_loses_nothing() {
    let double = Double::start().await;
    let mut attempt = double.link();
    let (text, ..) = attempt.qr().await;
    double.post("/failures", json!({ "phone": PHONE, "reason": 503, "once": false })).await.unwrap();
    double.post("/scan", json!({ "qr": text, "phone": PHONE })).await.unwrap();
    let stored = match attempt.next().await {
        Event::Paired(session) => session.to_json(),
        other => panic!("{other:?}"),
    };
    drop(attempt);
    double.call_delete("/failures").await;
    let mut session = Session::from_json(&stored).unwrap();
    complete(&double.settings(), &Loopback, &mut session).await.unwrap();
    assert!(session.pre_keys_uploaded);
    check(&double.settings(), &Loopback, &mut session).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_in_trouble_after_the_phones_yes_is_tried_again() {
    let double = Double::start().await;
    double.post("/failures", json!({ "phone": PHONE, "reason": 503 })).await.unwrap();
    double.linked().await;
    // One that has removed the device meanwhile is believed.
    let mut attempt = double.link();
    let (text, ..) = attempt.qr().await;
    double.post("/failures", json!({ "phone": PHONE, "reason": 401 })).await.unwrap();
    double.post("/scan", json!({ "qr": text, "phone": PHONE })).await.unwrap();
    assert!(matches!(attempt.next().await, Event::Paired(_)));
    assert_eq!(attempt.end().await, End::Failed(Error::Refused(Refusal::Unlinked)));
}

#[tokio::test]
async fn an_outdated_client_is_told_so_before_any_code() {
    let double = Double::start().await;
    double.post("/settings", json!({ "minVersion": 2_000_000_000 })).await.unwrap();
    let end = double.link().end().await;
    assert_eq!(end, End::Failed(Error::Refused(Refusal::Outdated)));
    let mut settings = double.settings();
    settings.version = "2.3000.2000000001".parse().unwrap();
    double.link_with(settings).qr().await;
}
