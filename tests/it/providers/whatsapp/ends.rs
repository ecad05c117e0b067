//! Linkings that come to nothing: each says why, and leads on.

use super::{House, PHONE};
use crate::parts::{free_port, whatsapp::Whatsapp};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vestibule::contract::Actor;
use vestibule::kernel::clock::Clock;

#[tokio::test]
async fn codes_that_nobody_scans_run_out_and_others_are_shown() {
    let house = House::set(json!({ "test_code_seconds": "1" }));
    house.double.post("/settings", json!({ "refs": 2 })).await;
    let mut person = house.begin().await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("codes_expired")));
    assert!(!person.step.as_ref().unwrap().live && person.talk.is_none());
    person.submit(&[]).await;
    let code = person.code().await;
    house.double.scan(PHONE, &code).await.unwrap();
    person.until("connected").await;
}

#[tokio::test]
async fn each_refusal_has_its_own_words() {
    let house = House::new();
    for (failure, code) in [
        (json!({ "reason": 402, "expire": 7200, "code": 101 }), "account_banned"),
        (json!({ "reason": 402 }), "account_banned"),
        (json!({ "reason": 403 }), "account_locked"),
        (json!({ "reason": 405 }), "client_outdated"),
        (json!({ "reason": 503 }), "provider_unavailable"),
        (json!({ "reason": 418 }), "protocol_error"),
    ] {
        let mut failing = failure.clone();
        failing["phone"] = json!("registration");
        house.double.post("/failures", failing).await;
        let mut person = house.begin().await;
        person.until("ended").await;
        assert_eq!(person.told(), ("ended", Some(code)), "{failure}");
        let notice = person.step.as_ref().unwrap().notice.clone().unwrap();
        assert_eq!(notice.advice.unwrap().key, format!("whatsapp.advice.{code}"));
        if failure["expire"].is_number() {
            assert_eq!(notice.text.key, "whatsapp.trouble.account_banned_until");
            let until = &notice.text.args["until"];
            assert_eq!((until.len(), &until[16..]), (20, " UTC"), "{until}");
        }
        person.submit(&[]).await;
        person.code().await;
    }
}

#[tokio::test]
async fn an_old_code_that_is_scanned_is_no_fault_of_the_service() {
    let house = House::new();
    let mut person = house.begin().await;
    let before = person.code().await;
    house.double.post("/refresh", json!({})).await;
    person.hear().await;
    assert_ne!(person.code().await, before);
    assert_eq!(house.double.scan(PHONE, &before).await.unwrap_err(), "hmac-mismatch");
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("code_outdated")));
}

#[tokio::test]
async fn a_server_under_another_root_is_not_believed() {
    let house = House::set(json!({ "test_root": null }));
    let mut person = house.begin().await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("server_untrusted")));
    let found = house.provider.try_settings(&house.cx).await;
    assert_eq!((found.len(), found[0].code, found[0].fatal), (1, "server_untrusted", true));
}

#[tokio::test]
async fn a_service_that_is_away_is_not_anybodys_fault() {
    let endpoint = format!("ws://127.0.0.1:{}/ws/chat", free_port());
    let house = House::set(json!({ "test_endpoint": endpoint }));
    let mut person = house.begin().await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("provider_unavailable")));
    let found = house.provider.try_settings(&house.cx).await;
    assert_eq!((found.len(), found[0].code, found[0].fatal), (1, "provider_unavailable", false));

    // The same when the connection breaks with a code on show.
    let house = House::new();
    let mut person = house.begin().await;
    person.code().await;
    house.double.post("/drop", json!({})).await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("provider_unavailable")));
}

/// A web host that says which version its client has; how often it was asked is counted.
async fn host(revision: Arc<AtomicU32>) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sw.js", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let revision = revision.load(Ordering::Relaxed);
            let body = format!("x({{\"client_revision\":{revision},\"y\":1}})");
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn the_version_of_whatsapps_own_client_is_asked_for_once_and_said() {
    let revision = Arc::new(AtomicU32::new(2_000_000_007));
    let (url, asked) = host(revision.clone()).await;
    let mut house = House::set(json!({ "test_version_url": url }));
    let later = Arc::new(AtomicU32::new(0));
    let minutes = later.clone();
    house.cx.clock = Clock::new(move || {
        let passed = Duration::from_secs(60) * minutes.load(Ordering::Relaxed);
        Clock::system().now().after(passed)
    });
    house.double.post("/settings", json!({ "minVersion": 2_000_000_000 })).await;
    for _ in 0..3 {
        let mut person = house.begin().await;
        person.code().await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(house.provider.try_settings(&house.cx).await.is_empty());
    asked.store(0, Ordering::Relaxed);

    // It is refused before its day is over: then there is a newer one.
    revision.store(2_100_000_000, Ordering::Relaxed);
    house.double.post("/settings", json!({ "minVersion": 2_100_000_000 })).await;
    let mut person = house.begin().await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("client_outdated")), "it was asked for a moment ago");
    later.store(11, Ordering::Relaxed);
    person.submit(&[]).await;
    person.code().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // The next one says it at once, until the day is over.
    house.begin().await.code().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    later.store(11 + 24 * 60, Ordering::Relaxed);
    house.begin().await.code().await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_version_that_is_too_old_is_the_operators_to_mend() {
    // Nobody says which one is new.
    let house = House::new();
    house.double.post("/settings", json!({ "minVersion": 2_000_000_000 })).await;
    let mut person = house.begin().await;
    person.until("ended").await;
    assert_eq!(person.told(), ("ended", Some("client_outdated")));
    let found = house.provider.try_settings(&house.cx).await;
    assert_eq!((found[0].code, found[0].key), ("config_client_version_refused", "client_version"));

    // The operator does.
    let double = Whatsapp::start();
    double.post("/settings", json!({ "minVersion": 2_000_000_000 })).await;
    let house = House::with(double, json!({ "client_version": "2.3000.2000000001" }), None);
    house.begin().await.code().await;
    let secret = house.connected().await.secret;
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 405 })).await;
    let trouble = house.provider.check(&house.cx, secret).await.unwrap_err();
    assert_eq!((trouble.code, trouble.actor), ("client_outdated", Actor::Operator));
}
