//! Grants on their way back to their provider, with a kill or a new sign-in of the same person in the middle.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::json;

use super::nodes::Pair;
use super::walk::{until_answered, until_asked};
use super::{ADA, Place, set_up};
use crate::app::App;
use crate::app::http::try_send;
use crate::app::person::Person;
use crate::parts::identity::House;
use crate::parts::kill::{KillPlan, points};
use crate::parts::{READY, eventually, eventually_async};
use crate::proofs::walk::{in_parallel, succeeded, wait};

const ENDED: &str = "a grant was ended";

async fn delete(app: &App, account: &str) {
    let reply = app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_sign_in_that_completes_while_an_earlier_grant_is_ended_is_asked_for_once_more_and_works() {
    let place = Place::start(House::Google).await;
    let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    place.identity.fault(&place.client, "revoke_hang", 5, true).await;
    delete(&place.app, &account).await;
    until_asked(place.identity, &place.client, "revoke", 1).await;
    let link = place.link(json!({ "name": "user_1" })).await;
    let person = Person::new();
    let asked = place.connect(&person, &link).await;
    assert!(place.identity.log(&place.client, "revoke").await[0].status.is_none(), "it came in the middle");
    assert_eq!(asked.reply.status, 200, "{}", asked.text());
    assert!(asked.has("#notice") && asked.has("button[value=submit]"), "{}", asked.text());
    assert_eq!(place.app.session(&link.id).await["cause"], "grant_ending");
    assert!(place.app.accounts().await.is_empty());
    until_answered(place.identity, &place.client, "revoke").await;
    eventually("the end of the grant", READY, || place.app.output().contains(ENDED).then_some(()));
    let again = person.submit(&asked, &asked.sheet()).await;
    let end = person.open(place.consent(&again).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    let accounts = place.app.accounts().await;
    assert_eq!(accounts.len(), 1);
    let fresh = accounts[0]["id"].as_str().unwrap();
    for _ in 0..2 {
        let body = place.credentials(fresh, json!({ "refresh": true })).await.json();
        assert_eq!(body["state"], "active", "{body}");
    }
    // What the first of the two sign-ins granted is not ended behind the back of the second.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(place.identity.log(&place.client, "revoke").await.len(), 1);
    assert_eq!(place.credentials(fresh, json!({ "refresh": true })).await.json()["state"], "active");
}

#[tokio::test]
async fn a_sign_in_that_completes_before_an_earlier_grant_is_ended_keeps_it() {
    let place = Place::start(House::Google).await;
    let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    let link = place.link(json!({ "name": "user_1" })).await;
    let person = Person::new();
    let back = place.consent(&person.begin(&link).await).await;
    delete(&place.app, &account).await;
    let end = person.open(back.as_str()).await;
    // Whichever of the two was first, what stands in the end is an account that works.
    let end = if succeeded(&end) {
        end
    } else {
        eventually("the end of the grant", READY, || place.app.output().contains(ENDED).then_some(()));
        let again = person.submit(&end, &end.sheet()).await;
        person.open(place.consent(&again).await.as_str()).await
    };
    assert!(succeeded(&end), "{}", end.text());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let accounts = place.app.accounts().await;
    let body =
        place.credentials(accounts[0]["id"].as_str().unwrap(), json!({ "refresh": true })).await.json();
    assert_eq!(body["state"], "active", "{body}");
}

/// An account is deleted by a server that may die; gives the number of syncs until its grant was ended.
fn deletion(plan: Option<KillPlan>) -> u32 {
    let mut app = App::prepared(&[]);
    let (identity, client) = wait(set_up(&mut app, House::Google, json!({})));
    app.run();
    let place = Place { app, house: House::Google, identity, client };
    let account = wait(async { place.account(&place.link(json!({})).await).await });
    let Place { mut app, client, .. } = place;
    assert!(app.stop());
    let syncs = app.run_until_killed(plan);
    let (url, key) = (app.url(&format!("/v1/accounts/{account}")), app.key().to_owned());
    let app = RefCell::new(app);
    let mut deaths = 0;
    loop {
        match wait(try_send("DELETE", &url, &[("x-api-key", &key)], b"")) {
            // Deleted by a call whose answer was lost.
            Ok(reply) if reply.status == 200 || (reply.status == 404 && deaths > 0) => break,
            Ok(reply) => panic!("{}: {}", reply.status, reply.text()),
            Err(_) => {
                app.borrow_mut().run_after_the_kill();
                deaths += 1;
            }
        }
    }
    eventually("the end of the grant", Duration::from_secs(40), || {
        deaths += u32::from(app.borrow_mut().revive());
        app.borrow().output().contains(ENDED).then_some(())
    });
    if plan.is_some() && deaths == 0 {
        app.borrow_mut().outlive_the_kill();
    }
    assert!(wait(app.borrow().accounts()).is_empty());
    // Whatever was asked for twice, nothing of the person's is left at the provider.
    let live =
        wait(async { identity.log(&client, "revoke").await.iter().any(|asked| asked.status == Some(200)) });
    assert!(live, "nobody told the provider");
    syncs.count()
}

#[test]
fn killed_at_any_sync_of_a_deletion_the_grant_is_ended_all_the_same() {
    let syncs = deletion(None);
    println!("a deletion takes {syncs} syncs: {} kill points", 2 * syncs);
    assert!(syncs >= 3, "{syncs}");
    in_parallel(points(syncs), 4, |plan| {
        println!("a deletion killed at {plan:?}");
        deletion(Some(plan));
    });
}

#[tokio::test]
async fn killed_while_the_provider_ends_a_grant_it_is_asked_again_at_once_and_a_sign_in_goes_through() {
    let mut place = Place::start(House::Google).await;
    let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    place.identity.fault(&place.client, "revoke_hang", 2, true).await;
    delete(&place.app, &account).await;
    until_asked(place.identity, &place.client, "revoke", 1).await;
    place.app.kill();
    until_answered(place.identity, &place.client, "revoke").await;
    place.app.run();
    let began = Instant::now();
    eventually("the end of the grant", Duration::from_secs(10), || {
        place.app.output().contains(ENDED).then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(10));
    let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    let body = place.credentials(&account, json!({ "refresh": true })).await.json();
    assert_eq!((&body["state"], &body["credentials"]["login"]), (&json!("active"), &json!(ADA)), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_while_it_ends_a_grant_is_followed_by_the_other_one() {
    let mut pair = Pair::start(House::Google, json!({})).await;
    let account = pair.account(&pair.link(json!({})).await).await;
    pair.identity.fault(&pair.client, "revoke_hang", 3, true).await;
    delete(&pair.second, &account).await;
    until_asked(pair.identity, &pair.client, "revoke", 1).await;
    // Whichever of the two has it: the other one must end it.
    let marker = "a grant was ended";
    pair.first.kill();
    pair.second.kill();
    until_answered(pair.identity, &pair.client, "revoke").await;
    pair.second.run();
    pair.front.aim(pair.second.address());
    eventually_async("the end of the grant", Duration::from_secs(90), async || {
        pair.second.output().contains(marker).then_some(())
    })
    .await;
    assert!(pair.second.accounts().await.is_empty());
}
