//! Kills on SQLite at every sync of a sign-in that is finished, on both sides of it: the same person and the same backend
//! just go on, and in the end there is one account and one message.

use std::cell::RefCell;

use serde_json::json;

use super::{option, redeem};
use crate::app::http::try_send;
use crate::app::person::Person;
use crate::parts::kill::{KillPlan, points};
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually};
use crate::proofs::walk::{calls, deliveries, go_on, home, in_parallel, killed_at_every_sync, mailbox, wait};
use crate::stories::{Dialect, HOME};

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
    let id = wait(async {
        let (route, mut body) = dialect.request(&base, &sink.url(path));
        body[option(dialect)] = json!(true);
        if dialect == Dialect::Postpress {
            body["success_redirect_url"] = json!(HOME);
        }
        let body = body.to_string();
        let headers = [("x-api-key", &*key), ("content-type", "application/json")];
        let link = loop {
            match try_send("POST", &format!("{base}{route}"), &headers, body.as_bytes()).await {
                Ok(reply) => break dialect.made(&reply),
                Err(_) => lost(),
            }
        };
        let end = go_on(&Person::new(), mailbox, &link.url, &mut lost).await;
        let url = home(&end).expect("the way home");
        let proof = crate::app::signing::parameter(&url, "finish_code").expect("a code");
        let done = loop {
            match redeem(dialect, &base, &key, &link.id, &proof).await {
                Ok(reply) => break reply,
                Err(_) => lost(),
            }
        };
        // Redeemed, and its reply lost, it has been done before.
        assert!(matches!(done.status, 200 | 422), "{}", done.text());
        link.id
    });
    eventually("the delivery", READY, || {
        deaths += u32::from(app.borrow_mut().revive());
        (!calls(sink, path).is_empty() && deliveries(&app.borrow(), "done").len() == 1).then_some(())
    });
    if plan.is_some() && deaths == 0 {
        app.borrow_mut().outlive_the_kill();
    }
    let app = app.borrow();
    let (told, accounts) = (calls(sink, path), wait(app.accounts()));
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!(accounts[0]["sources"][0]["status"], "OK", "{accounts:?}");
    let account = accounts[0]["id"].as_str().expect("an id");
    for call in &told {
        assert_eq!(call.header("webhook-id"), told[0].header("webhook-id"));
        assert!(String::from_utf8_lossy(&call.body).contains(account));
    }
    assert_eq!(wait(super::waiting(&app)), 0);
    assert_eq!(wait(super::events(&app, account)), ["account.connected"]);
    let completed = wait(super::events(&app, &id)).iter().filter(|kind| *kind == "session.completed").count();
    assert_eq!(completed, 1);
    syncs.count()
}

fn killed_at_any_sync(dialect: Dialect) {
    killed_at_every_sync(&format!("{dialect:?}"), 9, |sink, path, plan| whole_way(dialect, sink, path, plan));
}

#[test]
fn killed_at_any_sync_of_a_sign_in_that_is_finished_the_backend_just_asks_again() {
    killed_at_any_sync(Dialect::Postpress);
}

#[test]
fn killed_at_any_sync_riposte_s_backend_finishes_once() {
    killed_at_any_sync(Dialect::Riposte);
}

/// Codes that run out while a server dies at every sync of taking them back.
fn given_up(plan: Option<KillPlan>) -> u32 {
    let mut app = mailbox().app(&[]);
    let link = wait(super::link(Dialect::Postpress, &app, "user_1", "http://127.0.0.1:9/"));
    super::code(&wait(super::signed_in(Dialect::Postpress, &Person::new(), &link)));
    let account = wait(super::account(&app)).0;
    wait(super::run_out_stopped(&mut app));
    let syncs = app.run_until_killed(plan);
    let mut deaths = 0;
    eventually("the end", READY, || {
        deaths += u32::from(app.revive());
        (wait(super::waiting(&app)) == 0).then_some(())
    });
    if plan.is_some() && deaths == 0 {
        app.outlive_the_kill();
    }
    assert!(wait(app.accounts()).is_empty());
    assert_eq!(wait(super::events(&app, &account)), ["account.deleted"]);
    assert_eq!(wait(super::standing(Dialect::Postpress, &app, &link)).1, "finish_expired");
    syncs.count()
}

#[test]
fn killed_at_any_sync_while_it_takes_a_sign_in_back_it_does_so_once() {
    let syncs = given_up(None);
    println!("starting and giving up takes {syncs} syncs");
    in_parallel(points(syncs), 4, |plan| {
        given_up(Some(plan));
    });
}
