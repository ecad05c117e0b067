//! The provider for Telegram beside the stand-in: codes that are asked for, scanned and cut off at the same moment.

use super::telegram::Person;
use crate::parts::scratch::Scratch;
use crate::parts::telegram::Telegram;
use crate::parts::{READY, eventually_async};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vestibule::contract::{Checked, Method};

const ADA: &str = "+447700900123";

#[tokio::test]
async fn a_scan_that_meets_the_wish_for_another_code_counts() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    // Telegram knows of the scan, and nobody here has heard of it.
    double.tell("/settings", json!({ "push": false })).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    let code = person.see().await;
    double.scan(&code.value, ADA).await;
    person.submit(&[]).await;
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("connected", None));

    // It was heard of here, and not told yet; also where it leads to the password.
    double.tell("/settings", json!({ "push": true })).await;
    for (phone, dc, password, leads) in [
        ("+447700900124", 2, Value::Null, "connected"),
        ("+447700900125", 3, Value::Null, "connected"),
        ("+447700900126", 2, json!("tr0ub4dor"), "password"),
        ("+447700900127", 3, json!("tr0ub4dor"), "password"),
    ] {
        double.account(phone, json!({ "dc": dc, "password": password })).await;
        let mut person = Person::arrive(&double, Method::Qr, None).await;
        let code = person.see().await;
        double.scan(&code.value, phone).await;
        let there = async || (double.devices(phone).await.len() == 1).then_some(());
        eventually_async("the device", READY, there).await;
        person.submit(&[]).await;
        assert_eq!(person.told(), ("qr", None));
        assert!(person.hear().await.is_none(), "{phone}");
        assert_eq!(person.told(), (leads, None), "{phone}");
        assert_eq!(double.devices(phone).await.len(), 1, "{phone}");
    }
}

#[tokio::test]
async fn whoever_asks_for_another_code_gets_one_but_not_at_once() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    let first = person.see().await;
    let began = Instant::now();
    person.submit(&[]).await;
    let second = person.see().await;
    assert_ne!(first.value, second.value);
    assert!(began.elapsed() > Duration::from_millis(800), "{:?}", began.elapsed());
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "it is not the end of the first one that is waited for"
    );
    // Their end is counted from the last time that somebody asked.
    person.wait(Duration::from_secs(300));
    person.submit(&[]).await;
    person.wait(Duration::from_secs(400));
    let third = person.see().await;
    double.scan(&third.value, ADA).await;
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn the_end_of_codes_and_an_error_that_meet_the_wish_for_another_are_out_of_date() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    person.see().await;
    person.wait(Duration::from_secs(601));
    double.tell("/drop", json!({})).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    person.submit(&[]).await;
    person.see().await;

    double.tell("/failures", json!({ "method": "auth.exportLoginToken", "error": "FLOOD_WAIT_90" })).await;
    let asked = double.asked("auth.exportLoginToken").await;
    double.tell("/drop", json!({})).await;
    let again = async || (double.asked("auth.exportLoginToken").await > asked).then_some(());
    eventually_async("the error", READY, again).await;
    person.wait(Duration::from_secs(1));
    person.submit(&[]).await;
    let code = person.see().await;
    double.scan(&code.value, ADA).await;
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn where_connections_do_not_last_codes_are_asked_for_ever_less_often() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    let mut code = person.see().await;
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        double.tell("/drop", json!({})).await;
        code = person.see().await;
        pauses.push(began.elapsed().as_millis());
    }
    let least = [700, 1700, 3700];
    assert!(pauses.iter().zip(least).all(|(pause, least)| *pause > least), "{pauses:?}");
    assert_eq!(double.asked("auth.exportLoginToken").await, 4);
    // The code works all the same.
    double.scan(&code.value, ADA).await;
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn a_hint_that_cannot_be_had_costs_nobody_the_scan() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2, "password": "tr0ub4dor", "hint": "battery" })).await;
    double.tell("/failures", json!({ "method": "account.getPassword", "error": "FLOOD_WAIT_9" })).await;
    let mut person = Person::link(&double, ADA).await;
    assert_eq!(person.told(), ("password", None));
    assert!(person.step.as_ref().unwrap().fields[0].help.is_none());
    person.submit(&[("password", "tr0ub4dor")]).await;
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn a_clock_that_is_wrong_here_or_there_costs_nobody_the_sign_in_or_the_account() {
    let folder = Scratch::new("clock");
    // While there is one alone, what is first said in another thread is never heard in this one.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().finish());
    for (skew, wrong) in [(-3_600_000, "ahead of"), (3_600_000, "behind")] {
        // What is said of it, in this thread.
        let log = folder.join(&format!("log{skew}"));
        let file = Arc::new(std::fs::File::create(&log).unwrap());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(file).finish();
        let _said = tracing::subscriber::set_default(subscriber);
        let double = Telegram::start(500);
        double.account(ADA, json!({ "dc": 3, "password": "tr0ub4dor" })).await;
        double.tell("/settings", json!({ "skewMs": skew })).await;
        let mut person = Person::link(&double, ADA).await;
        assert_eq!(person.told(), ("password", None), "{skew}");
        person.submit(&[("password", "tr0ub4dor")]).await;
        assert_eq!(person.told(), ("connected", None), "{skew}");
        let secret = person.connected.as_ref().unwrap().secret.clone();
        // What was learned is known to the next ones, each of which has one connection, until it is right again.
        let before = double.log().await.len();
        for skew in [skew, skew, 0, 0] {
            double.tell("/settings", json!({ "skewMs": skew })).await;
            assert_eq!(person.provider.check(&person.cx, secret.clone()).await, Ok(Checked::Fine), "{skew}");
        }
        let said = std::fs::read_to_string(&log).unwrap();
        let wrong = format!("the clock of this machine is {wrong} Telegram's");
        for sentence in [&*wrong, "the clock of this machine is right again"] {
            assert_eq!(said.matches(sentence).count(), 1, "{skew}: {said}");
        }
        // Set back, the clock is ahead of what was thought of it, which takes a second one.
        let connections = double.log().await.len() - before;
        assert_eq!(connections, if skew > 0 { 5 } else { 4 }, "{skew}");
    }
}
