//! A new account that waits: what is said of it meanwhile, who may redeem its code and how often, and what becomes of it
//! when nobody does.

use std::time::Duration;

use serde_json::{Value, json};

use super::{account, code, credentials, events, finish, link, run_out, signed_in, standing, waiting};
use crate::app::http::send;
use crate::app::mailbox::{ADDRESS, PASSWORD};
use crate::app::person::Person;
use crate::app::signing::{Place, address, leaves_for, parameter};
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::mailbox;
use crate::steps::Screen;
use crate::stories::{BOTH, Dialect, HOME};

#[tokio::test]
async fn an_account_waits_until_its_backend_has_redeemed_the_code_that_the_browser_brought() {
    for dialect in BOTH {
        let (app, sink) = (mailbox().app(&[]), Sink::start());
        let link = link(dialect, &app, "user_1", &sink.url("/told")).await;
        let person = Person::new();
        let end = signed_in(dialect, &person, &link).await;
        let proof = code(&end);
        // A reload, another tab and the link itself lead home with the same code; another browser learns nothing.
        for url in [&end.url, &link.url] {
            assert_eq!(code(&person.clone().open(url).await), proof, "{url}");
            let stranger = Person::new().open(url).await;
            assert_eq!(stranger.reply.status, 410, "{}", stranger.text());
            assert!(!stranger.reply.text().contains(&proof));
        }
        assert_eq!(standing(dialect, &app, &link).await, ("finishing".to_owned(), Value::Null));
        let (id, status, cause) = account(&app).await;
        assert_eq!((status, cause), (json!("CONNECTING"), json!("finish_pending")));
        let body = credentials(&app, &id, json!({ "reconnect": true })).await;
        assert_eq!((&body["state"], &body["cause"]), (&json!("pending"), &json!("finish_pending")), "{body}");
        assert!(body.get("credentials").is_none() && body.get("reconnect").is_none(), "{body}");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(sink.calls().is_empty(), "nobody is told");

        let other = super::link(dialect, &app, "user_2", &sink.url("/other")).await;
        for wrong in ["x", &proof[1..], &format!("{proof}x")] {
            let reply = finish(dialect, &app, &link, wrong).await;
            assert_eq!(reply.status, 400, "{}", reply.text());
            assert!(reply.text().to_lowercase().replace('_', "").contains("finishcode"), "{}", reply.text());
        }
        let elsewhere = finish(dialect, &app, &other, &proof).await;
        assert_eq!(elsewhere.status, 400, "another session's: {}", elsewhere.text());
        let done = finish(dialect, &app, &link, &proof).await;
        assert_eq!(done.status, 200, "{}", done.text());
        let expected = match dialect {
            Dialect::Postpress => json!({
                "object": "HostedAuthFinished", "id": link.id, "status": "CREATION_SUCCESS", "account_id": id,
                "name": "user_1",
            }),
            Dialect::Riposte => {
                json!({ "success": true, "code": link.id, "accountId": id, "customUserId": "user_1" })
            }
        };
        assert_eq!(done.json(), expected);
        let again = finish(dialect, &app, &link, &proof).await;
        assert_eq!(again.json()["type"], "errors/action_already_performed", "{}", again.text());
        assert_eq!(standing(dialect, &app, &link).await.0, "connected");
        assert_eq!(account(&app).await, (id.clone(), json!("OK"), Value::Null));
        assert_eq!(credentials(&app, &id, json!({})).await["state"], "active");
        let told = sink.wait_for(1, READY).await;
        assert!(told[0].body.windows(id.len()).any(|part| part == id.as_bytes()), "{told:?}");
        assert_eq!(events(&app, &id).await, ["account.connected"]);
        let seen = events(&app, &link.id).await;
        assert_eq!(seen[seen.len() - 2..], ["session.finishing", "session.completed"], "{seen:?}");
        // The browser that finished comes to the usual end.
        let home = person.open(&end.url).await;
        assert!(home.reply.text().contains(&format!("account_id={id}")), "{}", home.text());
        assert!(!home.reply.text().contains("finish_code"), "{}", home.text());
        let log = app.output();
        assert!(!log.contains(&proof), "the code is in the log");
    }
}

#[tokio::test]
async fn an_account_that_nobody_finishes_is_removed_and_its_grant_given_back() {
    let mut place = Place::start(House::Google).await;
    let sink = Sink::start();
    let link = place
        .link(json!({
            "require_finish": true, "success_redirect_url": HOME, "failure_redirect_url": HOME,
            "notify_url": sink.url("/told"), "name": "user_1",
        }))
        .await;
    let person = Person::new();
    let end = place.connect(&person, &link).await;
    let proof = code(&end);
    let (id, ..) = account(&place.app).await;
    run_out(&mut place.app).await;
    // Before the loop has come by already.
    let late = finish(Dialect::Postpress, &place.app, &link, &proof).await;
    assert_eq!(late.json()["type"], "errors/action_already_performed", "{}", late.text());
    eventually_async("the end", READY, async || {
        (standing(Dialect::Postpress, &place.app, &link).await.0 == "failed").then_some(())
    })
    .await;
    assert_eq!(standing(Dialect::Postpress, &place.app, &link).await.1, "finish_expired");
    assert!(place.app.accounts().await.is_empty());
    assert_eq!(waiting(&place.app).await, 0);
    assert_eq!(events(&place.app, &id).await, ["account.deleted"]);
    assert_eq!(events(&place.app, &link.id).await.last().map(String::as_str), Some("session.failed"));
    eventually_async("the grant is ended", READY, async || {
        (place.identity.log(&place.client, "revoke").await.len() == 1).then_some(())
    })
    .await;
    assert!(sink.calls().is_empty(), "nobody was told that it worked");
    // The person reads that it did not work, and has a way home.
    let seen = person.open(&end.url).await;
    assert_eq!(seen.reply.status, 410, "{}", seen.text());
    assert!(seen.has("a[href*=\"error=finish_expired\"]"), "{}", seen.text());
    let late = finish(Dialect::Postpress, &place.app, &link, &proof).await;
    assert_eq!(late.status, 422, "{}", late.text());
}

#[tokio::test]
async fn twenty_calls_with_one_code_finish_it_once() {
    let (app, sink) = (mailbox().app(&[]), Sink::start());
    let link = link(Dialect::Postpress, &app, "user_1", &sink.url("/told")).await;
    let proof = code(&signed_in(Dialect::Postpress, &Person::new(), &link).await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (base, key, id, proof) = (app.url(""), app.key().to_owned(), link.id.clone(), proof.clone());
        calls.spawn(async move { super::redeem(Dialect::Postpress, &base, &key, &id, &proof).await });
    }
    let mut statuses: Vec<u16> =
        calls.join_all().await.into_iter().map(|reply| reply.expect("an answer").status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| *status == 422), "{statuses:?}");
    sink.wait_for(1, READY).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.calls().len(), 1);
}

#[tokio::test]
async fn a_link_that_is_taken_back_before_it_is_finished_leaves_nothing_behind() {
    for dialect in BOTH {
        let app = mailbox().app(&[]);
        let link = link(dialect, &app, "user_1", "http://127.0.0.1:9/").await;
        let proof = code(&signed_in(dialect, &Person::new(), &link).await);
        dialect.revoke(&app, &link).await;
        assert_eq!(standing(dialect, &app, &link).await.0, "revoked");
        assert!(app.accounts().await.is_empty());
        assert_eq!(finish(dialect, &app, &link, &proof).await.status, 422);
    }
}

#[tokio::test]
async fn an_account_that_its_backend_deletes_before_it_is_finished_stays_deleted() {
    let app = mailbox().app(&[]);
    let link = link(Dialect::Postpress, &app, "user_1", "http://127.0.0.1:9/").await;
    let proof = code(&signed_in(Dialect::Postpress, &Person::new(), &link).await);
    let (id, ..) = account(&app).await;
    assert_eq!(app.api("DELETE", &format!("/v1/accounts/{id}"), None).await.status, 200);
    assert_eq!(finish(Dialect::Postpress, &app, &link, &proof).await.status, 404);
    assert!(app.accounts().await.is_empty());
    let (status, cause) = standing(Dialect::Postpress, &app, &link).await;
    assert_eq!((status.as_str(), cause), ("failed", json!("account_deleted")));
    assert_eq!(waiting(&app).await, 0);
}

#[tokio::test]
async fn a_product_with_screens_of_its_own_gets_the_code_with_the_last_step() {
    let app = mailbox().app(&[]);
    let link = link(Dialect::Postpress, &app, "user_1", "http://127.0.0.1:9/").await;
    let mut screen = Screen::start(&app, &link).await;
    screen.until_password(mailbox()).await;
    screen.answer(json!({ "password": PASSWORD })).await;
    assert_eq!(screen.seen["state"], "finishing", "{}", screen.seen);
    assert!(screen.seen.get("account").is_none(), "{}", screen.seen);
    let (proof, until) = (&screen.seen["finish"]["code"], &screen.seen["finish"]["expires_at"]);
    assert!(until.is_string(), "{}", screen.seen);
    let done = finish(Dialect::Postpress, &app, &link, proof.as_str().expect("a code")).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let seen = screen.call("GET", "", None).await.json();
    assert_eq!((&seen["state"], &seen["account"]["label"]), (&json!("connected"), &json!(ADDRESS)), "{seen}");
    assert!(seen.get("finish").is_none(), "{seen}");
}

#[tokio::test]
async fn of_two_sign_ins_of_one_person_the_one_that_is_finished_counts() {
    // The first makes the account, the second waits beside it; either may be finished, or neither.
    for (redeemed, left) in [(Some(0), 1), (Some(1), 1), (None, 0)] {
        let mut app = mailbox().app(&[]);
        let mut both = Vec::new();
        for _ in 0..2 {
            let link = link(Dialect::Postpress, &app, "user_1", "http://127.0.0.1:9/").await;
            let proof = code(&signed_in(Dialect::Postpress, &Person::new(), &link).await);
            both.push((link, proof));
        }
        let (id, status, _) = account(&app).await;
        assert_eq!(status, "CONNECTING");
        if let Some(at) = redeemed {
            let (link, proof) = &both[at];
            assert_eq!(finish(Dialect::Postpress, &app, link, proof).await.status, 200);
        }
        run_out(&mut app).await;
        eventually_async("the rest to be given up", READY, async || (waiting(&app).await == 0).then_some(()))
            .await;
        let accounts = app.accounts().await;
        assert_eq!(accounts.len(), left, "{redeemed:?}: {accounts:?}");
        if left == 1 {
            assert_eq!(account(&app).await, (id.clone(), json!("OK"), Value::Null));
            assert_eq!(credentials(&app, &id, json!({})).await["state"], "active");
        }
    }
}

#[tokio::test]
async fn a_sign_in_that_is_taken_back_leaves_the_account_to_the_one_that_still_waits() {
    let app = mailbox().app(&[]);
    let first = link(Dialect::Postpress, &app, "user_1", "http://127.0.0.1:9/").await;
    code(&signed_in(Dialect::Postpress, &Person::new(), &first).await);
    let second = link(Dialect::Postpress, &app, "user_1", "http://127.0.0.1:9/").await;
    let proof = code(&signed_in(Dialect::Postpress, &Person::new(), &second).await);
    let (id, ..) = account(&app).await;
    app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", first.id), None).await;
    assert_eq!(standing(Dialect::Postpress, &app, &first).await.0, "revoked");
    assert_eq!(account(&app).await, (id.clone(), json!("CONNECTING"), json!("finish_pending")));
    assert_eq!(finish(Dialect::Postpress, &app, &second, &proof).await.status, 200);
    assert_eq!(account(&app).await, (id.clone(), json!("OK"), Value::Null));
    assert_eq!(credentials(&app, &id, json!({})).await["state"], "active");
}

#[tokio::test]
async fn a_sign_in_at_a_provider_waits_as_well_and_coming_back_twice_shows_the_same_code() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({ "require_finish": true, "success_redirect_url": HOME })).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let back = place.consent(&leaving).await;
    let end = person.open(back.as_str()).await;
    let proof = code(&end);
    let again = person.open(back.as_str()).await;
    assert_eq!(parameter(&leaves_for(&again), "finish_code").as_deref(), Some(&*proof));
    let done = finish(Dialect::Postpress, &place.app, &link, &proof).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(place.app.accounts().await[0]["name"], address(House::Microsoft));
}

#[tokio::test]
async fn redeeming_needs_a_key_that_may_manage() {
    let app = mailbox().app(&[]);
    let link = link(Dialect::Postpress, &app, "user_1", "http://127.0.0.1:9/").await;
    let proof = code(&signed_in(Dialect::Postpress, &Person::new(), &link).await);
    let (made, reader, why) =
        app.cli(&["keys", "create", "--name", "reader", "--credentials", "--no-manage"]);
    assert!(made, "{why}");
    let url = app.url(&format!("/v1/hosted/accounts/link/{}/finish", link.id));
    let body = json!({ "finish_code": proof }).to_string();
    for key in ["", reader.trim()] {
        let reply = send("POST", &url, &[("x-api-key", key)], body.as_bytes()).await;
        assert_eq!(reply.status, 401, "{}", reply.text());
    }
    assert_eq!(account(&app).await.1, "CONNECTING");
}
