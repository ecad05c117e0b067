//! A linked device: looked after, replaced, banned, unlinked.

use crate::parts::{Double, Loopback, PHONE};
use serde_json::json;
use std::time::Duration;
use wire_whatsapp::{Error, Refusal, check, complete, logout};

#[tokio::test]
async fn a_check_says_whether_the_device_is_let_in() {
    let double = Double::start().await;
    let mut session = double.linked().await;
    let settings = double.settings();
    check(&settings, &Loopback, &mut session).await.unwrap();
    for (failure, refusal) in [
        (
            json!({ "reason": 402, "expire": 3600, "code": 101 }),
            Refusal::Banned { ends_in: Some(Duration::from_secs(3600)), code: Some(101) },
        ),
        (json!({ "reason": 403 }), Refusal::Locked),
        (json!({ "reason": 405 }), Refusal::Outdated),
        (json!({ "reason": 406 }), Refusal::Unlinked),
        (json!({ "reason": 409 }), Refusal::Outdated),
        (json!({ "reason": 500 }), Refusal::Unavailable(500)),
        (json!({ "reason": 503 }), Refusal::Unavailable(503)),
    ] {
        double.post("/failures", failure).await.unwrap();
        let found = check(&settings, &Loopback, &mut session).await.unwrap_err();
        assert_eq!(found, Error::Refused(refusal));
    }
    check(&settings, &Loopback, &mut session).await.unwrap();
    double.post("/unlink", json!({ "jid": session.jid, "silent": true })).await.unwrap();
    let found = check(&settings, &Loopback, &mut session).await.unwrap_err();
    assert_eq!(found, Error::Refused(Refusal::Unlinked));
    assert!(matches!(found, Error::Refused(refusal) if refusal.is_final()));
}

#[tokio::test]
async fn another_connection_with_the_session_takes_ones_place() {
    let double = Double::start().await;
    let mut session = double.linked().await;
    double.post("/settings", json!({ "replaced": true })).await.unwrap();
    let found = complete(&double.settings(), &Loopback, &mut session).await.unwrap_err();
    assert_eq!(found, Error::Refused(Refusal::Replaced));
    assert!(!Refusal::Replaced.is_final());
    double.post("/settings", json!({ "replaced": false })).await.unwrap();
    check(&double.settings(), &Loopback, &mut session).await.unwrap();
}

#[tokio::test]
async fn a_device_unlinks_itself_once_or_twice() {
    let double = Double::start().await;
    let mut session = double.linked().await;
    logout(&double.settings(), &Loopback, &mut session).await.unwrap();
    assert_eq!(double.device(&session.jid).await.unwrap_err(), "no-device");
    logout(&double.settings(), &Loopback, &mut session).await.unwrap();
    // One that cannot be unlinked now is still on the list.
    let mut session = double.linked().await;
    double.post("/failures", json!({ "phone": PHONE, "reason": 503 })).await.unwrap();
    let failed = logout(&double.settings(), &Loopback, &mut session).await.unwrap_err();
    assert!(failed.may_pass());
    assert!(double.device(&session.jid).await.is_ok());
}

#[tokio::test]
async fn a_servers_new_key_and_a_way_to_it_are_learned() {
    let double = Double::start().await;
    let mut session = double.linked().await;
    double.post("/settings", json!({ "routing": "0a0b0c" })).await.unwrap();
    double.post("/server", json!({ "rotate": true })).await.unwrap();
    let (settings, known) = (double.settings(), session.server.clone());
    check(&settings, &Loopback, &mut session).await.unwrap();
    assert_ne!(session.server, known);
    complete(&settings, &Loopback, &mut session).await.unwrap();
    check(&settings, &Loopback, &mut session).await.unwrap();
    // A key that has ended is not used.
    session.server.as_mut().unwrap().not_after = 1;
    check(&settings, &Loopback, &mut session).await.unwrap();
    let logins = double.log("login").await;
    let patterns: Vec<_> = logins.iter().map(|one| one["pattern"].as_str().unwrap()).collect();
    assert_eq!(patterns, ["IK", "XXfallback", "IK", "IK", "XX"]);
    assert_eq!(logins[4]["routed"], "0a0b0c");
}

#[tokio::test]
async fn messages_wait_for_whoever_goes_on() {
    let double = Double::start().await;
    let mut session = double.linked().await;
    double.post("/messages", json!({ "jid": session.jid, "id": "M1" })).await.unwrap();
    check(&double.settings(), &Loopback, &mut session).await.unwrap();
    complete(&double.settings(), &Loopback, &mut session).await.unwrap();
    assert_eq!(double.device(&session.jid).await.unwrap()["queue"], json!(["M1"]));
}
