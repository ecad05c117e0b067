//! Telling the backend: again and again with the same id and the same bytes, at the receiver's pace, signed,
//! and never in the way of another receiver.

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use std::net::SocketAddr;
use std::time::Duration;
use vestibule::store::sqlite_url;

use super::walk::{assert_signed, calls, deliveries, mailbox, signing_secret};
use crate::app::App;
use crate::app::person::Person;
use crate::parts::sink::{Answer, Call, Sink};
use crate::parts::{READY, eventually_async, free_port, local};

/// Long enough for a call that hangs and the try after it.
const SLOW: Duration = Duration::from_secs(60);

async fn connect(app: &App, url: &str) -> String {
    let link = app.link(json!({ "notify_url": url })).await;
    Person::new().account(app, mailbox(), &link).await
}

async fn arrived(sink: &Sink, path: &str, count: usize) -> Vec<Call> {
    eventually_async(path, SLOW, async || Some(calls(sink, path)).filter(|calls| calls.len() >= count)).await
}

fn same_message(calls: &[Call], secret: &str) {
    for call in calls {
        assert_eq!(call.method, "POST");
        assert_eq!(call.header("webhook-id"), calls[0].header("webhook-id"));
        assert_eq!(call.body, calls[0].body);
        assert_signed(secret, call);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_is_made_again_with_the_same_id_and_the_same_bytes() {
    let app = mailbox().app(&[]);
    let secret = signing_secret(&app);
    let after_500 = async {
        let sink = Sink::start();
        sink.answer_next([Answer::status(500).body("no")]);
        connect(&app, &sink.url("/500")).await;
        same_message(&arrived(&sink, "/500", 2).await, &secret);
        sink
    };
    let after_refusal = async {
        let port = free_port();
        connect(&app, &format!("http://127.0.0.1:{port}/refused")).await;
        eventually_async("a refused try", READY, async || {
            app.output().contains("connect_refused").then_some(())
        })
        .await;
        let sink = Sink::start_at(local(port));
        same_message(&arrived(&sink, "/refused", 1).await, &secret);
        sink
    };
    let after_silence = async {
        let sink = Sink::start();
        sink.answer_next([Answer::hang()]);
        connect(&app, &sink.url("/silent")).await;
        let calls = arrived(&sink, "/silent", 2).await;
        same_message(&calls, &secret);
        assert!(calls[1].at - calls[0].at >= Duration::from_secs(30));
        sink
    };
    let at_its_pace = async {
        let sink = Sink::start();
        sink.answer_next([Answer::status(503).header("retry-after", "9")]);
        connect(&app, &sink.url("/wish")).await;
        let calls = arrived(&sink, "/wish", 2).await;
        same_message(&calls, &secret);
        let pause = calls[1].at - calls[0].at;
        assert!((Duration::from_secs(9)..Duration::from_secs(13)).contains(&pause), "{pause:?}");
        sink
    };
    // The receivers live on: the last call of each is still being answered.
    let _sinks = tokio::join!(after_500, after_refusal, after_silence, at_its_pace);
    eventually_async("four are done", READY, async || (deliveries(&app, "done").len() == 4).then_some(()))
        .await;
    assert!(deliveries(&app, "dead").is_empty() && deliveries(&app, "due").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_called_once_until_an_operator_replays() {
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    sink.answer_next([Answer::status(410).body("gone for good")]);
    let account = connect(&app, &sink.url("/gone")).await;
    arrived(&sink, "/gone", 1).await;
    let dead =
        eventually_async("it is given up", READY, async || deliveries(&app, "dead").first().cloned()).await;
    assert_eq!((&dead["about"], &dead["tries"][0]["status"]), (&json!(account), &json!(410)));
    assert_eq!(dead["tries"][0]["answer"], "gone for good");
    let id = dead["id"].as_str().unwrap();
    let (worked, _, said) = app.cli(&["deliveries", "replay", id]);
    assert!(worked, "{said}");
    let calls = arrived(&sink, "/gone", 2).await;
    same_message(&calls, &signing_secret(&app));
    assert_eq!(calls[0].header("webhook-id"), id);
    eventually_async("it is done", READY, async || (deliveries(&app, "done").len() == 1).then_some(())).await;
    // What is done can be sent once more, too; what does not exist cannot.
    assert!(app.cli(&["deliveries", "replay", id]).0);
    same_message(&arrived(&sink, "/gone", 3).await, &signing_secret(&app));
    for odd in ["dlv_00000000000000000000000000", "nonsense", "../x"] {
        let (worked, _, said) = app.cli(&["deliveries", "replay", odd]);
        assert!(!worked && !said.is_empty(), "{odd}");
    }
    assert!(!app.cli(&["deliveries", "list", "--state", "odd"]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let app = mailbox().app(&[]);
    let (hanging, quick) = (Sink::start(), Sink::start());
    hanging.answer(Answer::hang());
    for number in 0..6 {
        connect(&app, &hanging.url(&format!("/{number}"))).await;
    }
    hanging.wait_for(1, READY).await;
    connect(&app, &quick.url("/quick")).await;
    let waited = std::time::Instant::now();
    quick.wait_for(1, Duration::from_secs(5)).await;
    assert!(waited.elapsed() < Duration::from_secs(3), "{:?}", waited.elapsed());
    assert_eq!(hanging.calls().len(), 1, "a host that has taken nothing yet has one place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_while_the_first_message_still_fails_is_told_after_it() {
    let app = mailbox().app(&[]);
    let sink: Sink = Sink::start_at(SocketAddr::from(([127, 0, 0, 1], 0)));
    sink.answer_next([Answer::status(500)]);
    let account = connect(&app, &sink.url("/first")).await;
    arrived(&sink, "/first", 1).await;
    let repair = json!({
        "type": "reconnect", "reconnect_account": account, "providers": null, "notify_url": sink.url("/second"),
    });
    let link = app.link(repair).await;
    let person = Person::new();
    let password = person.begin(&link).await;
    assert_eq!(password.step(), "password", "{}", password.text());
    let typed = password.sheet().with("password", crate::app::mailbox::PASSWORD);
    let end = person.submit(&password, &typed).await;
    assert_eq!(end.reply.status, 200, "{}", end.text());
    let second = arrived(&sink, "/second", 1).await;
    let first = arrived(&sink, "/first", 2).await;
    same_message(&first, &signing_secret(&app));
    assert_eq!(first[0].json()["status"], "CREATION_SUCCESS");
    assert_eq!(second[0].json()["status"], "RECONNECTED");
    assert_eq!(
        (&first[0].json()["account_id"], &second[0].json()["account_id"]),
        (&json!(account), &json!(account))
    );
    // Each link has an endpoint of its own: the first try of the older message came first, and its failure does
    // not keep the newer one from a receiver that may well take it.
    assert!(first[0].at < second[0].at);
    assert_eq!(app.accounts().await.len(), 1);
}

#[tokio::test]
async fn a_call_whose_endpoint_cannot_be_read_is_listed_with_that_and_tried_again_by_the_schedule() {
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    sink.answer_next([Answer::status(500)]);
    connect(&app, &sink.url("/spoilt")).await;
    arrived(&sink, "/spoilt", 1).await;
    let mut raw = SqliteConnection::connect(&sqlite_url(&app.data("vestibule.db"))).await.expect("the file");
    sqlx::raw_sql("UPDATE endpoints SET target = x'00'").execute(&mut raw).await.expect("damage");
    let listed = eventually_async("a second try", SLOW, async || {
        let all = deliveries(&app, "due");
        (all[0]["tries"].as_array()?.len() == 2).then_some(all)
    })
    .await;
    assert_eq!(
        (&listed[0]["state"], &listed[0]["tries"][1]["problem"]),
        (&json!("due"), &json!("row_unreadable"))
    );
    assert_eq!(calls(&sink, "/spoilt").len(), 1);
}
