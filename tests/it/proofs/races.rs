//! Races: of a thousand, exactly one.

use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

use super::nodes::two_nodes;
use super::walk::{calls, mailbox, succeeded};
use crate::app::http::{Reply, try_send};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::{Person, Seen};
use crate::app::{App, Link};
use crate::parts::front::Front;
use crate::parts::postgres::schema;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};

const MANY: usize = 1000;

/// Submits the same password step over many connections of one browser and looks at what each gets to see.
async fn stampede(person: &Person, password: &Seen, nodes: &[String], host: &str) {
    let sheet = password.sheet().with("password", PASSWORD);
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&sheet.fields).finish();
    let cookie = person.cookie_header();
    let mut all = JoinSet::new();
    for at in 0..MANY {
        let url = format!("{}{}", nodes[at % nodes.len()], sheet.action);
        let (body, cookie, host) = (body.clone(), cookie.clone(), host.to_owned());
        all.spawn(async move {
            let base = [("cookie", cookie.as_str()), ("host", host.as_str())];
            let form =
                [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
            let sent = try_send("POST", &url, &[base, form].concat(), body.as_bytes()).await?;
            if sent.status != 303 {
                return Err(format!("{}: {}", sent.status, sent.text()));
            }
            try_send("GET", &url, &base, b"").await
        });
    }
    for shown in all.join_all().await {
        let shown: Reply = shown.expect("an answer");
        let seen = Seen { url: String::new(), reply: shown };
        assert!(succeeded(&seen), "{}: {}", seen.reply.status, seen.text());
    }
}

async fn assert_one_login(mailbox: &Mailbox, before: usize) {
    eventually_async("the log-in", READY, async || (mailbox.dovecot.logins(ADDRESS) > before).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(mailbox.dovecot.logins(ADDRESS), before + 1, "one conversation with the mail server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_submits_of_one_password_make_one_account_and_one_log_in() {
    let mailbox = Mailbox::start();
    let sink = Sink::start();
    let app = mailbox.app(&[("LOG", "info")]);
    let link = app.link(json!({ "notify_url": sink.url("/told") })).await;
    let person = Person::new();
    let password = person.until_password(&mailbox, &link).await;
    let host = app.address().to_string();
    stampede(&person, &password, &[app.url("")], &host).await;
    assert_eq!(app.accounts().await.len(), 1);
    assert_one_login(&mailbox, 0).await;
    sink.wait_for(1, READY).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(calls(&sink, "/told").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_submits_to_two_nodes_make_one_account_and_one_log_in() {
    let mailbox = Mailbox::start();
    let schema = schema();
    let sink = Sink::start();
    let (front, first, second) = two_nodes(&mailbox, &schema, &[("LOG", "info")]);
    let link = first.link(json!({ "notify_url": sink.url("/told") })).await;
    let person = Person::new();
    let password = person.until_password(&mailbox, &link).await;
    let nodes = [&first, &second].map(|node| format!("http://{}", node.address()));
    stampede(&person, &password, &nodes, &front.address().to_string()).await;
    assert_eq!(second.accounts().await.len(), 1);
    assert_one_login(&mailbox, 0).await;
    sink.wait_for(1, READY).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(calls(&sink, "/told").len(), 1);
}

/// Claims a link from many browsers at once; gives how many hold it.
async fn claims(nodes: &[String], host: &str, link: &Link) -> usize {
    let path = link.url.split_at(link.url.find("/connect/").unwrap()).1.to_owned();
    let mut all = JoinSet::new();
    for at in 0..MANY {
        let (url, host) = (format!("{}{path}", nodes[at % nodes.len()]), host.to_owned());
        all.spawn(async move {
            let headers = [
                ("host", host.as_str()),
                ("content-type", "application/x-www-form-urlencoded"),
                ("sec-fetch-site", "same-origin"),
            ];
            try_send("POST", &url, &headers, b"action=submit").await
        });
    }
    let mut held = 0;
    for reply in all.join_all().await {
        let reply = reply.expect("an answer");
        match reply.status {
            303 => {
                assert!(reply.header("set-cookie").contains("HttpOnly"));
                held += 1;
            }
            status => assert_eq!(status, 409, "{}", reply.text()),
        }
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_claims_from_different_browsers_one_holds_the_session() {
    let app = App::with(&[("LOG", "info")]);
    let link = app.link(json!({})).await;
    assert_eq!(claims(&[app.url("")], &app.address().to_string(), &link).await, 1);

    let schema = schema();
    let (front, first, second) = two_nodes(mailbox(), &schema, &[("LOG", "info")]);
    let link = first.link(json!({})).await;
    let nodes = [&first, &second].map(|node| format!("http://{}", node.address()));
    assert_eq!(claims(&nodes, &front.address().to_string(), &link).await, 1);
}

#[tokio::test]
async fn a_claim_that_is_pressed_twice_or_whose_reply_was_lost_is_one_claim() {
    let app = App::start();
    let link = app.link(json!({})).await;
    let person = Person::new();
    let welcome = person.open(&link.url).await;
    // The same browser as it was before any reply came back.
    let headers = [
        ("cookie", person.cookie_header()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("sec-fetch-site", "same-origin".to_owned()),
    ];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (one, two) = tokio::join!(
        try_send("POST", &link.url, &headers, b"action=submit"),
        try_send("POST", &link.url, &headers, b"action=submit"),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.status, two.status), (303, 303));
    assert_eq!(one.header("set-cookie"), two.header("set-cookie"));
    // Both replies lost, the person opens the link once more and presses the button again.
    let again = person.open(&link.url).await;
    assert_eq!(again.reply.status, 200);
    let step = person.submit(&again, &again.sheet()).await;
    assert_eq!(step.step(), "address", "{}", step.text());
    // Somebody else's browser gets no cookie for that.
    let other = Person::new();
    let refused = other.submit(&welcome, &welcome.sheet()).await;
    assert_eq!(refused.reply.status, 409);
    let events = app.session(&link.id).await;
    assert_eq!(events["status"], "OPEN");
}

/// A person whose password is being checked, for as long as the wire is held.
struct Checking {
    wire: Front,
    app: App,
    link: Link,
    person: Person,
    password: Seen,
    answer: tokio::task::JoinHandle<Result<Seen, String>>,
}

async fn checking() -> Checking {
    let mailbox = mailbox();
    let wire = Front::start(mailbox.dovecot.tls());
    let port = wire.address().port().to_string();
    let ports = format!("{port},{}", mailbox.submission.tls().port());
    let app = mailbox.app(&[("PROVIDERS__IMAP__PORTS", &ports)]);
    let failure = json!({ "failure_redirect_url": "https://app.example.com/failed" });
    let link = app.link(failure).await;
    let person = Person::new();
    let address = person.begin(&link).await;
    let servers = person.submit(&address, &address.sheet().with("email", ADDRESS)).await;
    let mut sheet = servers.sheet();
    for (name, value) in mailbox.servers() {
        sheet = sheet.with(name, &value);
    }
    let password = person.submit(&servers, &sheet.with("imap_port", &port)).await;
    assert_eq!(password.step(), "password", "{}", password.text());
    wire.hold();
    let answer = tokio::spawn({
        let (person, password) = (person.clone(), password.clone());
        async move { person.try_submit(&password, &password.sheet().with("password", PASSWORD)).await }
    });
    eventually_async("the conversation", READY, async || (wire.taken() > 0).then_some(())).await;
    Checking { wire, app, link, person, password, answer }
}

#[tokio::test]
async fn while_an_answer_is_checked_a_reload_says_so_and_a_second_submit_waits_for_the_first() {
    let it = checking().await;
    let busy = it.person.open(&it.password.url).await;
    assert_eq!((busy.reply.status, busy.has("form")), (200, false));
    assert_ne!(busy.reply.header("refresh"), "");
    let second = tokio::spawn({
        let (person, password) = (it.person.clone(), it.password.clone());
        async move { person.try_submit(&password, &password.sheet().with("password", "another")).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!second.is_finished());
    // Another browser cannot take it over meanwhile, tick or no tick.
    let other = Person::new();
    let refused = other.open(&it.link.url).await;
    assert_eq!((refused.reply.status, refused.has("form")), (409, false));
    let claim = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let refused = other.send("POST", &it.link.url, &claim, b"takeover=yes").await.unwrap();
    assert_eq!(refused.status, 409);
    it.wire.release();
    for answer in [it.answer, second] {
        let end = answer.await.unwrap().unwrap();
        assert!(succeeded(&end), "{}", end.text());
    }
    // A passed version gets what stands now.
    let late = it.person.submit(&it.password, &it.password.sheet().with("password", "late")).await;
    assert!(succeeded(&late));
    assert_eq!(it.app.accounts().await.len(), 1);
}

#[tokio::test]
async fn an_answer_to_a_step_that_has_passed_gets_the_current_one() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({})).await;
    let person = Person::new();
    let address = person.begin(&link).await;
    let sheet = address.sheet().with("email", ADDRESS);
    assert_eq!(person.submit(&address, &sheet).await.step(), "servers");
    for odd in [
        sheet.clone(),
        sheet.clone().raw("step", "-5"),
        sheet.clone().raw("step", "x"),
        sheet.raw("step", "99"),
    ] {
        assert_eq!(person.submit(&address, &odd).await.step(), "servers");
    }
}

#[tokio::test]
async fn giving_up_while_an_answer_is_checked_wins_and_no_account_appears() {
    let it = checking().await;
    let sure = it.person.submit(&it.password, &it.password.sheet().pressing("cancel")).await;
    let left = it.person.submit(&sure, &sure.sheet().pressing("cancel")).await;
    assert_eq!(left.reply.header("refresh"), "0; url=https://app.example.com/failed?error=cancelled");
    assert_eq!(it.app.session(&it.link.id).await["status"], "CANCELLED");
    it.wire.release();
    drop(it.answer.await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(it.app.session(&it.link.id).await["status"], "CANCELLED");
    assert!(it.app.accounts().await.is_empty());
}

#[tokio::test]
async fn a_link_taken_back_while_an_answer_is_checked_makes_no_account() {
    let it = checking().await;
    let path = format!("/v1/hosted/accounts/link/{}", it.link.id);
    assert_eq!(it.app.api("DELETE", &path, None).await.status, 200);
    it.wire.release();
    let end = it.answer.await.unwrap().unwrap();
    assert_eq!(end.reply.status, 410, "{}", end.text());
    eventually_async("the end of the call", READY, async || {
        it.app.output().contains("an answer came too late to count").then_some(())
    })
    .await;
    assert_eq!(it.app.session(&it.link.id).await["status"], "REVOKED");
    assert!(it.app.accounts().await.is_empty());
}
