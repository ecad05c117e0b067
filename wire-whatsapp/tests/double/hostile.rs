//! Servers that are somebody else's, silent, or sending what no server should.

use crate::parts::{Attempt, Double, Loopback, PHONE};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use wire_whatsapp::{
    Connecting, Connector, End, Error, Event, Linking, Settings, Stream, Target, Version, check,
};

#[tokio::test]
async fn a_server_under_another_root_is_not_told_who_the_device_is() {
    let double = Double::start().await;
    let mut session = double.linked().await;
    double.post("/server", json!({ "foreign": true, "rotate": true })).await.unwrap();
    let end = double.link().end().await;
    assert!(matches!(end, End::Failed(Error::Untrusted(_))), "{end:?}");
    let refused = check(&double.settings(), &Loopback, &mut session).await.unwrap_err();
    assert!(matches!(refused, Error::Untrusted(_)), "{refused}");
    assert!(!refused.may_pass());
    // The default is the service's own root.
    double.post("/server", json!({ "foreign": false })).await.unwrap();
    let mut settings = double.settings();
    settings.root = wire_whatsapp::WHATSAPP_ROOT;
    let end = double.link_with(settings).end().await;
    assert!(matches!(end, End::Failed(Error::Untrusted(_))), "{end:?}");
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let double = Double::start().await;
    let mut session = double.linked().await;
    let mut settings = double.settings();
    settings.deadlines.connect = Duration::from_millis(1500);
    settings.deadlines.answer = Duration::from_millis(1500);
    let start = Instant::now();
    for (place, what) in [("accept", "the connection"), ("refs", "the first code")] {
        double.post("/settings", json!({ "silent": place })).await.unwrap();
        assert_eq!(double.link_with(settings.clone()).end().await, End::Failed(Error::Timeout(what)));
    }
    double.post("/settings", json!({ "silent": "login" })).await.unwrap();
    let silent = check(&settings, &Loopback, &mut session).await.unwrap_err();
    assert_eq!(silent, Error::Timeout("the login"));
    assert!(start.elapsed() < Duration::from_secs(8));
    // One that forgets to ask for the restart gets it all the same.
    double.post("/settings", json!({ "silent": "restart" })).await.unwrap();
    let mut attempt = double.link_with(settings);
    let (qr, ..) = attempt.qr().await;
    double.post("/scan", json!({ "qr": qr, "phone": PHONE })).await.unwrap();
    attempt.linked().await;
}

#[tokio::test]
async fn a_connection_that_went_dead_with_a_code_on_show_is_noticed() {
    let double = Double::start().await;
    let mut settings = double.settings();
    settings.deadlines.keep_alive = Duration::from_millis(900);
    let mut attempt = double.link_with(settings);
    attempt.qr().await;
    // A server that answers keeps it alive.
    let quiet = tokio::time::timeout(Duration::from_secs(4), attempt.0.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    let pings = double.log("registration").await[0]["log"].as_array().unwrap().len();
    assert!(pings > 2, "{pings}");
    double.post("/settings", json!({ "silent": "accept" })).await.unwrap();
    assert_eq!(attempt.end().await, End::Failed(Error::Timeout("a sign of life")));
}

#[tokio::test]
async fn what_no_server_should_send_ends_the_attempt_at_once() {
    let double = Double::start().await;
    for kind in ["oversized", "garbage", "nonode", "deep", "greedy", "bomb", "badrefs", "unsealed", "flood"] {
        double.post("/settings", json!({ "misbehave": kind })).await.unwrap();
        let start = Instant::now();
        let end = double.link().end().await;
        assert!(matches!(end, End::Failed(Error::Protocol(_))), "{kind}: {end:?}");
        assert!(start.elapsed() < Duration::from_secs(8), "{kind}");
    }
    // Words that are no frames are nothing, and a server that says nothing else is silent.
    double.post("/settings", json!({ "misbehave": "text" })).await.unwrap();
    let mut settings = double.settings();
    settings.deadlines.answer = Duration::from_secs(1);
    let end = double.link_with(settings).end().await;
    assert_eq!(end, End::Failed(Error::Timeout("the first code")));
}

/// Answers the WebSocket's greeting without ever coming to an end.
struct Endless;

impl Connector for Endless {
    fn connect<'a>(&'a self, _: Target<'a>) -> Connecting<'a> {
        Box::pin(async {
            let (near, mut far) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                let _ = far.write_all(b"HTTP/1.1 101 Switching Protocols\r\nx-more: ").await;
                while far.write_all(b"and more ").await.is_ok() {}
            });
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }
}

#[tokio::test]
async fn a_greeting_without_an_end_is_not_read_to_its_end() {
    let settings = Settings::new(Version::BUILT_IN, Arc::new(|| 0));
    let start = Instant::now();
    let end = Attempt(Linking::start(Arc::new(settings), Arc::new(Endless))).end().await;
    assert!(matches!(&end, End::Failed(Error::Connect(why)) if why.contains("without an end")), "{end:?}");
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn events_tell_no_secret() {
    let double = Double::start().await;
    let mut attempt = double.link();
    let event = attempt.next().await;
    let Event::Qr { text, .. } = &event else { panic!("{event:?}") };
    let shown = format!("{event:?} {:?} {:?}", attempt.0, double.settings());
    for part in text.split(['#', ',']).skip(1).filter(|part| part.len() > 10) {
        assert!(!shown.contains(part));
    }
}
