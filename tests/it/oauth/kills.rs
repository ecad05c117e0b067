//! The server killed at every boundary of a sign-in at a provider, and in the middle of what it asks there. The same
//! person and the same backend just go on; a code is redeemed once, whatever came of it.

use std::time::Duration;

use serde_json::json;

use super::{HOUSES, Place};
use crate::app::person::Person;
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::succeeded;

/// Killed without warning, and started again.
fn revive(place: &mut Place) {
    place.app.kill();
    place.app.run();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_requests_a_sign_in_goes_on_where_it_was() {
    for house in HOUSES {
        let (mut place, sink) = (Place::start(house).await, Sink::start());
        let link = place.link(json!({ "name": "user_1", "notify_url": sink.url("/told") })).await;
        revive(&mut place);
        let person = Person::new();
        let welcome = person.open(&link.url).await;
        revive(&mut place);
        let leaving = person.submit(&welcome, &welcome.sheet()).await;
        revive(&mut place);
        let back = place.consent(&leaving).await;
        revive(&mut place);
        // Parked, and not yet taken out.
        let parked = person.send("GET", back.as_str(), &[], b"").await.unwrap();
        assert_eq!(parked.status, 303, "{}", parked.text());
        revive(&mut place);
        let taken = person.send("GET", parked.header("location"), &[], b"").await.unwrap();
        assert_eq!(taken.status, 303, "{}", taken.text());
        revive(&mut place);
        let end = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
        assert!(succeeded(&end), "{}", end.text());
        let told = sink.wait_for(1, READY).await;
        assert_eq!(told[0].json()["status"], "CREATION_SUCCESS");
        assert_eq!(place.app.accounts().await.len(), 1);
        let redeemed = place.identity.log(&place.client, "token").await.len();
        assert_eq!(redeemed, 1, "one code, redeemed once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_code_is_redeemed_it_is_never_redeemed_again() {
    for house in HOUSES {
        let mut place = Place::start(house).await;
        let link = place.link(json!({})).await;
        let person = Person::new();
        let leaving = person.begin(&link).await;
        let back = place.consent(&leaving).await;
        place.identity.fault(&place.client, "token_hang", 30, true).await;
        let (tab, url) = (person.clone(), back.to_string());
        let open = tokio::spawn(async move { tab.try_open(&url).await });
        eventually_async("the provider is asked", READY, async || {
            (place.identity.log(&place.client, "token").await.len() == 1).then_some(())
        })
        .await;
        revive(&mut place);
        assert!(open.await.unwrap().is_err(), "the connection broke");
        place.identity.clear_faults(&place.client).await;
        let again = person.open(back.as_str()).await;
        assert_eq!(again.reply.status, 200, "{}", again.text());
        assert!(again.has("#notice") && again.has("button[value=submit]"), "{}", again.text());
        assert_eq!(place.identity.log(&place.client, "token").await.len(), 1);
        let leaving = person.submit(&again, &again.sheet()).await;
        let end = person.open(place.consent(&leaving).await.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        assert_eq!(place.app.accounts().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_renews_an_account_works_on_or_says_that_it_was_interrupted() {
    for (client, fault, state) in [
        (json!({}), "token_hang", "active"),
        // What is good once was used, and nobody learned what replaced it.
        (json!({ "strict_refresh": true }), "token_lost", "needs_reconnect"),
    ] {
        let mut place = Place::with(House::Microsoft, &[], client).await;
        let account = place.account(&place.link(json!({})).await).await;
        let before = place.identity.log(&place.client, "token").await.len();
        place.identity.fault(&place.client, fault, 30, true).await;
        let key = super::trusted_key(&place.app);
        let url = place.app.url(&format!("/v1/accounts/{account}/credentials"));
        let call = tokio::spawn(async move {
            let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
            crate::app::http::try_send("POST", &url, &headers, br#"{"refresh":true}"#).await
        });
        eventually_async("the provider is asked", READY, async || {
            (place.identity.log(&place.client, "token").await.len() > before).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        revive(&mut place);
        drop(call.await);
        place.identity.clear_faults(&place.client).await;
        let body = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(body["state"], state, "{fault}: {body}");
        if state != "active" {
            assert_eq!(body["cause"], "refresh_interrupted", "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_an_account_was_deleted_its_grant_is_ended_all_the_same() {
    let mut place = Place::start(House::Google).await;
    let account = place.account(&place.link(json!({})).await).await;
    let deleted = place.app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
    assert_eq!(deleted.status, 200);
    revive(&mut place);
    eventually_async("the grant is ended", READY, async || {
        (!place.identity.log(&place.client, "revoke").await.is_empty()).then_some(())
    })
    .await;
}
