//! Many endpoints beside each other: whoever is slow or gone holds up nobody, each is told in order, at its own pace.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{endpoint, log, revoked, told, webhook};
use crate::app::App;
use crate::parts::sink::{Answer, Sink};
use crate::parts::{READY, eventually_async, free_port};
use crate::steps::{Screen, start};

/// A session that is opened, given a wrong answer, taken over and given up: four events in that order.
async fn story(app: &App) -> String {
    let link = app.link(json!({})).await;
    let mut screen = Screen::start(app, &link).await;
    screen.say(json!({ "version": screen.version(), "fields": { "email": "no address" } })).await;
    let taken = start(app, &link, &[], json!({ "takeover": true })).await;
    let screen = Screen::of(app, &link, &taken.json());
    assert_eq!(screen.call("POST", "/cancel", None).await.status, 200);
    link.id
}

const STORY: [&str; 4] = ["session.opened", "session.step_failed", "session.taken_over", "session.cancelled"];

#[tokio::test(flavor = "multi_thread")]
async fn forty_endpoints_that_hang_hold_up_neither_a_quick_one_nor_each_other() {
    let app = App::start();
    let (hanging, quick) = (Sink::start(), Sink::start());
    hanging.answer(Answer::hang());
    for number in 0..40 {
        endpoint(&app, &hanging.url(&format!("/{number}")), json!({})).await;
    }
    // Nobody listens there.
    webhook(&app, &format!("http://127.0.0.1:{}/", free_port()), json!({ "source": "hosted_auth_link" }))
        .await;
    for _ in 0..5 {
        revoked(&app).await;
    }
    hanging.wait_for(40, READY).await;
    // One that is added to such a crowd, at the very host where the others hang.
    endpoint(&app, &quick.url("/quick"), json!({})).await;
    let began = Instant::now();
    for _ in 0..10 {
        revoked(&app).await;
    }
    told(&quick, "/quick", 10).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(hanging.calls().len(), 40, "each has one place until it has taken something");
}

#[tokio::test]
async fn each_session_s_events_come_in_order_though_some_are_refused() {
    let app = App::start();
    let sink = Sink::start();
    endpoint(&app, &sink.url("/order"), json!({})).await;
    sink.answer_next([Answer::status(500), Answer::status(200), Answer::status(503)]);
    let sessions = [story(&app).await, story(&app).await];
    eventually_async("everything to be told", READY, async || {
        (log(&app, "&status=done").await.len() == 8).then_some(())
    })
    .await;
    for session in sessions {
        let mut seen: Vec<Value> = Vec::new();
        for call in sink.calls() {
            let body = call.json();
            if body["data"]["session"] == json!(session) && seen.last() != Some(&body["type"]) {
                seen.push(body["type"].clone());
            }
        }
        assert_eq!(seen, STORY.map(Value::from));
    }
}

#[tokio::test]
async fn a_date_in_retry_after_is_waited_for() {
    let app = App::start();
    let sink = Sink::start();
    let now = vestibule::kernel::clock::Clock::system().now();
    let at = std::time::UNIX_EPOCH + Duration::from_millis(now.0.unsigned_abs()) + Duration::from_secs(10);
    sink.answer_next([Answer::status(429).header("retry-after", &httpdate::fmt_http_date(at))]);
    endpoint(&app, &sink.url("/date"), json!({})).await;
    revoked(&app).await;
    let calls = told(&sink, "/date", 2).await;
    let pause = calls[1].at - calls[0].at;
    assert!((Duration::from_secs(8)..Duration::from_secs(13)).contains(&pause), "{pause:?}");
}

/// A session whose own endpoint is at this URL, ended: one call.
async fn ended(app: &App, url: String) {
    let made = app
        .api(
            "POST",
            "/auth/sessions",
            Some(json!({ "redirectUri": "https://app.example.com/done", "notifyUrl": url })),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text());
    let path = format!("/auth/sessions/{}", super::text(&made.json()["code"]));
    assert_eq!(app.api("DELETE", &path, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_hosts_that_hang_hold_up_no_endpoint_that_stands_not_even_after_a_restart() {
    let mut app = App::start();
    let (hanging, quick) = (Sink::start_at(([0, 0, 0, 0], 0).into()), Sink::start());
    hanging.answer(Answer::hang());
    let port = hanging.address().port();
    // Each address is a host of its own, and they all wait longer than anything that happens later.
    for number in 0..450 {
        ended(&app, format!("http://127.0.{}.{}:{port}/", 1 + number / 200, 1 + number % 200)).await;
    }
    hanging.wait_for(90, READY).await;
    endpoint(&app, &quick.url("/quick"), json!({})).await;
    for round in 1..=2 {
        let began = Instant::now();
        revoked(&app).await;
        told(&quick, "/quick", round).await;
        // Before any of those that hang is given up, on a machine that is busy, too.
        assert!(began.elapsed() < Duration::from_secs(20), "{round}: {:?}", began.elapsed());
        app.kill();
        app.run();
    }
}

#[tokio::test]
async fn an_answer_whose_body_breaks_off_counts_by_its_status() {
    let app = App::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("its address"));
    // More is promised than comes.
    let answers = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a call");
            let mut call = [0; 4096];
            let _ = stream.read(&mut call).expect("a request");
            let body = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
            stream.write_all(body.as_bytes()).expect("half an answer");
        }
    });
    webhook(&app, &url, json!({ "source": "hosted_auth_link" })).await;
    endpoint(&app, &url, json!({})).await;
    revoked(&app).await;
    let done = eventually_async("both to be taken", READY, async || {
        Some(log(&app, "&status=done").await).filter(|done| done.len() == 2)
    });
    for call in done.await {
        let tried = call["attempts"].as_array().expect("tries");
        assert_eq!((tried.len(), &tried[0]["status"], &tried[0]["answer"]), (1, &json!(200), &json!("half")));
    }
    answers.join().expect("both were answered");
}
