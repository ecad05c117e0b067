//! Kills on SQLite: at every sync of the whole way, on both sides of it, between any two requests, and in the
//! middle of a conversation with the mail server. The same person and the same backend just go on, in both dialects.

use serde_json::json;
use std::cell::RefCell;
use std::time::Duration;

use super::walk::{
    arrived, ask_link, assert_once, calls, deliveries, filled_in, go_on, in_parallel, killed_at_every_sync,
    mailbox, succeeded, wait,
};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, PASSWORD};
use crate::app::person::Person;
use crate::parts::front::Front;
use crate::parts::kill::{KillPlan, points, was_killed};
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually};
use crate::stories::Dialect;

/// One whole way with a server that may die; gives the number of syncs that its first life began.
fn whole_way(dialect: Dialect, sink: &Sink, path: &str, plan: Option<KillPlan>) -> u32 {
    let mailbox = mailbox();
    let mut app = mailbox.prepared(&[]);
    app.run();
    assert!(app.stop());
    let syncs = app.run_until_killed(plan);
    let (base, key) = (app.url(""), app.key().to_owned());
    let app = RefCell::new(app);
    let mut deaths = 0;
    let mut lost = || {
        app.borrow_mut().run_after_the_kill();
        deaths += 1;
    };
    let (link, end) = wait(async {
        let link = ask_link(dialect, &base, &key, &sink.url(path), &mut lost).await;
        let end = go_on(&Person::new(), mailbox, &link.url, &mut lost).await;
        // Only one of the two has a success page; the other goes straight home.
        assert_eq!(succeeded(&end), dialect == Dialect::Postpress, "{}", end.text());
        (link, end)
    });
    // It may die while it delivers, too.
    eventually("the delivery", READY, || {
        deaths += u32::from(app.borrow_mut().revive());
        (!calls(sink, path).is_empty() && deliveries(&app.borrow(), "done").len() == 1).then_some(())
    });
    if plan.is_some() && deaths == 0 {
        app.borrow_mut().outlive_the_kill();
    }
    wait(assert_once(dialect, &app.borrow(), &link, &end, &calls(sink, path)));
    syncs.count()
}

/// The whole way, killed at every sync on both of its sides.
fn killed_at_any_sync(dialect: Dialect) {
    killed_at_every_sync(&format!("{dialect:?}"), 8, |sink, path, plan| whole_way(dialect, sink, path, plan));
}

#[test]
fn killed_at_any_sync_on_either_side_the_same_person_and_backend_just_go_on() {
    killed_at_any_sync(Dialect::Postpress);
}

#[test]
fn killed_at_any_sync_riposte_s_person_gets_home_and_its_backend_is_told() {
    killed_at_any_sync(Dialect::Riposte);
}

/// A first start in an empty directory; gives the number of its syncs.
fn first_start(plan: Option<KillPlan>) -> u32 {
    let mut app = App::prepared(&[]);
    let syncs = app.run_until_killed(plan);
    if plan.is_some() {
        let end = eventually("the planned kill", READY, || app.process().ended());
        assert!(was_killed(end), "{end}: {}", app.output());
        app.run();
    } else {
        // The key is printed after everything that a first start writes.
        eventually("the first key", READY, || app.output().contains("vst_").then_some(()));
        return syncs.count();
    }
    wait(app.link(json!({})));
    syncs.count()
}

#[test]
fn killed_at_any_sync_of_its_first_start_it_starts_the_next_time() {
    let syncs = first_start(None);
    println!("a first start takes {syncs} syncs: {} kill points", 2 * syncs);
    in_parallel(points(syncs), 4, |plan| {
        println!("a first start killed at {plan:?}");
        first_start(Some(plan));
    });
}

/// The whole way, with a kill between any two requests.
async fn killed_between_requests(dialect: Dialect) {
    let sink = Sink::start();
    let mut app = mailbox().app(&[]);
    let again = |app: &mut App| {
        app.kill();
        app.run();
    };
    let (path, body) = dialect.request(&app.url(""), &sink.url("/told"));
    let link = dialect.made(&app.api("POST", path, Some(body)).await);
    again(&mut app);
    let person = Person::new();
    let mut seen = person.open(&link.url).await;
    let mut ways = 0;
    while !arrived(&seen) {
        again(&mut app);
        // A reload shows the same page.
        let reloaded = person.open(&seen.url).await;
        assert_eq!((reloaded.reply.status, reloaded.step()), (200, seen.step()));
        again(&mut app);
        // The page from before the kill is sent, not the reloaded one.
        seen = person.submit(&seen, &filled_in(&seen, mailbox())).await;
        ways += 1;
        assert!(ways <= 4, "{}", seen.text());
    }
    again(&mut app);
    let end = person.open(&link.url).await;
    assert!(arrived(&end), "{}", end.text());
    let told = sink.wait_for(1, READY).await;
    assert_once(dialect, &app, &link, &end, &told).await;
}

#[tokio::test]
async fn killed_between_any_two_requests_the_person_goes_on_where_they_were() {
    killed_between_requests(Dialect::Postpress).await;
}

#[tokio::test]
async fn killed_between_any_two_requests_riposte_s_person_goes_on_where_they_were() {
    killed_between_requests(Dialect::Riposte).await;
}

#[tokio::test]
async fn killed_while_the_mail_server_is_asked_the_person_continues_at_once() {
    let mailbox = mailbox();
    let wire = Front::start(mailbox.dovecot.tls());
    let ports = format!("{},{}", wire.address().port(), mailbox.submission.tls().port());
    let mut app = mailbox.app(&[("PROVIDERS__IMAP__PORTS", &ports)]);
    let link = app.link(json!({})).await;
    let person = Person::new();
    let servers = {
        let address = person.begin(&link).await;
        person.submit(&address, &address.sheet().with("email", ADDRESS)).await
    };
    let mut sheet = servers.sheet();
    for (name, value) in mailbox.servers() {
        sheet = sheet.with(name, &value);
    }
    let password =
        person.submit(&servers, &sheet.with("imap_port", &wire.address().port().to_string())).await;
    assert_eq!(password.step(), "password", "{}", password.text());
    wire.hold();
    let waiting = tokio::spawn({
        let (person, password) = (person.clone(), password.clone());
        async move { person.try_submit(&password, &password.sheet().with("password", PASSWORD)).await.map(|_| ()) }
    });
    crate::parts::eventually_async("the conversation", READY, async || (wire.taken() > 0).then_some(()))
        .await;
    app.kill();
    assert!(waiting.await.unwrap().is_err());
    wire.release();
    app.run();
    let began = std::time::Instant::now();
    let shown = person.open(&password.url).await;
    assert_eq!((shown.reply.status, shown.step()), (200, "password"), "{}", shown.text());
    let end = person.submit(&shown, &shown.sheet().with("password", PASSWORD)).await;
    assert!(succeeded(&end), "{}", end.text());
    assert!(began.elapsed() < Duration::from_secs(8), "at once, not after {:?}", began.elapsed());
    assert_eq!(app.accounts().await.len(), 1);
}
