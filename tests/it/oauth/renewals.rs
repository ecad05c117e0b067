//! Renewals that are killed, whose answers are lost, that race with each other over two nodes, and in whose middle the
//! account is repaired or deleted. Microsoft's stand-in is strict where that is said: a refresh token that is used twice
//! ends everything that came of it, so that nothing goes unnoticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::nodes::Pair;
use super::walk::{asked_for, until_answered, until_asked};
use super::{Asking, HOUSES, Place};
use crate::parts::eventually_async;
use crate::parts::identity::House;

/// How long two nodes renew one account against each other.
const RACE: Duration = Duration::from_secs(20);

fn strict() -> Value {
    json!({ "strict_refresh": true })
}

fn fresh() -> Value {
    json!({ "refresh": true })
}

/// A server that is killed while it renews, and the provider's answer, which nobody hears.
async fn killed(house: House, client: Value) -> (Place, String) {
    let mut place = Place::with(house, &[], client).await;
    let account = place.account(&place.link(json!({})).await).await;
    let before = place.identity.log(&place.client, "token").await.len();
    place.identity.fault(&place.client, "token_hang", 2, true).await;
    let waiting = Asking::at(&place.app, &account).spawn(place.app.url(""), fresh());
    until_asked(place.identity, &place.client, "token", before + 1).await;
    place.app.kill();
    assert!(waiting.await.unwrap().is_err());
    until_answered(place.identity, &place.client, "token").await;
    place.app.run();
    (place, account)
}

#[tokio::test]
async fn a_killed_renewal_is_made_up_for_where_the_provider_lets_it() {
    for house in HOUSES {
        let (place, account) = killed(house, json!({})).await;
        let began = Instant::now();
        let body = place.credentials(&account, fresh()).await.json();
        assert_eq!(body["state"], "active", "{body}");
        assert!(began.elapsed() < Duration::from_secs(5), "at once");
        // What is refused later has a cause of its own.
        place.identity.withdraw(&place.client, super::address(house)).await;
        let body = place.credentials(&account, fresh()).await.json();
        assert_eq!(body["state"], "needs_reconnect", "{body}");
        assert_ne!(body["cause"], "refresh_interrupted", "{body}");
    }
}

#[tokio::test]
async fn a_killed_renewal_that_the_provider_does_not_forgive_says_so_and_a_reconnect_mends_it() {
    let (place, account) = killed(House::Microsoft, strict()).await;
    let body = place.credentials(&account, fresh()).await.json();
    assert_eq!((&body["state"], &body["cause"]), (&json!("needs_reconnect"), &json!("refresh_interrupted")));
    let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    assert_eq!(place.account(&repair).await, account);
    assert_eq!(place.credentials(&account, fresh()).await.json()["state"], "active");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_remembered_until_the_provider_has_spoken() {
    let place = Place::with(House::Microsoft, &[], strict()).await;
    let account = place.account(&place.link(json!({})).await).await;
    place.identity.fault_once(&place.client, "token_lost").await;
    assert_eq!(place.credentials(&account, fresh()).await.status, 503);
    // An outage in between does not make it forgotten.
    place.identity.fault(&place.client, "token_503", 1, true).await;
    assert_eq!(place.credentials(&account, fresh()).await.status, 503);
    // What is good for a while is given all the same.
    assert_eq!(place.credentials(&account, json!({})).await.json()["state"], "active");
    let body = place.credentials(&account, fresh()).await.json();
    assert_eq!((&body["state"], &body["cause"]), (&json!("needs_reconnect"), &json!("refresh_interrupted")));
}

#[tokio::test]
async fn a_reconnect_in_the_middle_of_a_renewal_wins() {
    for (house, client) in
        [(House::Google, json!({})), (House::Microsoft, json!({})), (House::Microsoft, strict())]
    {
        let place = Place::with(house, &[], client).await;
        let account = place.account(&place.link(json!({})).await).await;
        let before = place.identity.log(&place.client, "token").await.len();
        place.identity.fault(&place.client, "token_hang", 4, true).await;
        let renewal = Asking::at(&place.app, &account).spawn(place.app.url(""), fresh());
        until_asked(place.identity, &place.client, "token", before + 1).await;
        let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
        assert_eq!(place.account(&repair).await, account);
        assert!(!renewal.is_finished(), "the repair came in the middle");
        let body = renewal.await.unwrap().unwrap().json();
        assert_eq!(body["state"], "active", "{body}");
        until_answered(place.identity, &place.client, "token").await;
        for _ in 0..3 {
            let body = place.credentials(&account, fresh()).await.json();
            assert_eq!(body["state"], "active", "{house:?}: {body}");
        }
    }
}

#[tokio::test]
async fn an_account_that_is_deleted_in_the_middle_of_a_renewal_stays_deleted() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let account = place.account(&place.link(json!({})).await).await;
        let before = place.identity.log(&place.client, "token").await.len();
        place.identity.fault(&place.client, "token_hang", 3, true).await;
        let renewal = Asking::at(&place.app, &account).spawn(place.app.url(""), fresh());
        until_asked(place.identity, &place.client, "token", before + 1).await;
        let gone = place.app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
        assert_eq!(gone.status, 200, "{}", gone.text());
        let reply = renewal.await.unwrap().unwrap();
        assert_eq!(reply.status, 404, "{}", reply.text());
        assert!(place.app.accounts().await.is_empty());
        if house == House::Google {
            until_asked(place.identity, &place.client, "revoke", 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_renew_one_account_as_often_as_they_can_lose_no_grant() {
    let pair = Pair::start(House::Microsoft, strict()).await;
    let mut accounts = Vec::new();
    for name in ["user_1", "user_2", "user_3"] {
        accounts.push(pair.account(&pair.link(json!({ "name": name })).await).await);
    }
    let (end, given) = (Instant::now() + RACE, Arc::new(AtomicUsize::new(0)));
    let mut all = JoinSet::new();
    for at in 0..24 {
        let asking = Asking::at(&pair.second, &accounts[at % accounts.len()]);
        let (node, given) = (pair.nodes()[at % 2].clone(), given.clone());
        all.spawn(async move {
            while Instant::now() < end {
                let reply = asking.ask(&node, fresh()).await.expect("an answer");
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert_eq!(reply.json()["state"], "active", "{}", reply.text());
                given.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    all.join_all().await;
    let renewals = asked_for(pair.identity, &pair.client, "refresh_token").await;
    let refused = renewals.iter().filter(|asked| asked.status != Some(200)).count();
    let (given, renewals) = (given.load(Ordering::Relaxed), renewals.len());
    println!("{given} answers from {renewals} renewals");
    assert_eq!(refused, 0, "of {renewals} renewals");
    assert!(renewals > 60 && given > renewals, "{given} answers from {renewals} renewals");
    for account in &accounts {
        let reply = Asking::at(&pair.second, account).ask(&pair.nodes()[0], fresh()).await.unwrap();
        assert_eq!(reply.json()["state"], "active", "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_while_it_renews_is_waited_for_and_the_other_one_goes_on() {
    for (client, state) in [(json!({}), "active"), (strict(), "needs_reconnect")] {
        let mut pair = Pair::start(House::Microsoft, client).await;
        let account = pair.account(&pair.link(json!({})).await).await;
        let asking = Asking::at(&pair.second, &account);
        let [first, second] = pair.nodes();
        let before = pair.identity.log(&pair.client, "token").await.len();
        pair.identity.fault(&pair.client, "token_hang", 2, true).await;
        let waiting = asking.spawn(first, fresh());
        until_asked(pair.identity, &pair.client, "token", before + 1).await;
        pair.first.kill();
        assert!(waiting.await.unwrap().is_err());
        until_answered(pair.identity, &pair.client, "token").await;
        let asked = pair.identity.log(&pair.client, "token").await.len();
        let reply = eventually_async("an answer", Duration::from_secs(40), async || {
            let reply = asking.ask(&second, fresh()).await.unwrap();
            (reply.status == 200).then_some(reply)
        })
        .await;
        let body = reply.json();
        assert_eq!(body["state"], state, "{body}");
        if state == "needs_reconnect" {
            assert_eq!(body["cause"], "refresh_interrupted", "{body}");
        }
        assert_eq!(pair.identity.log(&pair.client, "token").await.len(), asked + 1, "one question more");
    }
}
