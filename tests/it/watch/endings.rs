//! Known ends: told once, some days ahead, with when it is.

use serde_json::json;

use super::{events, file, often, shown, until, until_looked_at};
use crate::oauth::Place;
use crate::parts::identity::House;

#[tokio::test]
async fn a_grant_whose_end_stays_where_it_is_is_told_of_once() {
    // Two days, where three are told of.
    let two_days = 2 * 24 * 3600;
    let client = json!({ "refresh_token_expires_in": two_days });
    let place = Place::with(House::Google, &often(&[]), client).await;
    let account = place.account(&place.link(json!({})).await).await;
    let known = shown(&place.app, &account).await;
    assert!(known["ends_at"].is_string(), "{known}");
    let ending = crate::parts::eventually_async("the warning", crate::parts::READY, async || {
        events(&file(&place.app), &account).await.into_iter().find(|(kind, _)| kind == "account.ending")
    })
    .await;
    assert_eq!((&ending.1["provider"], &ending.1["cause"]), (&json!("google"), &json!("grant_ends")));
    let looked = until(&place.app, &account, "the end", |shown| shown["ends_at"].is_string()).await;
    let seconds =
        |text: &serde_json::Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert!((seconds(&ending.1["ends_at"]) - seconds(&looked["ends_at"])).abs() < 600);
    let again = until_looked_at(&place.app, &account, &looked).await;
    until_looked_at(&place.app, &account, &again).await;
    let told = events(&file(&place.app), &account).await;
    assert_eq!(told.iter().filter(|(kind, _)| kind == "account.ending").count(), 1, "{told:?}");
}

#[tokio::test]
async fn a_grant_that_ends_before_the_usual_look_is_told_of_before_it_does() {
    // Half a minute, where it is usually looked at after six hours.
    let client = json!({ "refresh_token_expires_in": 30 });
    let place = Place::with(House::Google, &[], client).await;
    let account = place.account(&place.link(json!({})).await).await;
    let known = shown(&place.app, &account).await;
    let ends = known["ends_at"].as_str().unwrap().to_owned();
    assert!(known["next_check_at"].as_str().unwrap() < &*ends, "{known}");
    crate::parts::eventually_async("the warning", std::time::Duration::from_secs(28), async || {
        events(&file(&place.app), &account).await.into_iter().find(|(kind, _)| kind == "account.ending")
    })
    .await;
    assert!(jiff::Timestamp::now() < ends.parse().unwrap(), "in time");
}

#[tokio::test]
async fn a_client_secret_that_ends_is_told_of_by_each_account_of_it() {
    let tomorrow = jiff::Timestamp::now() + jiff::Span::new().hours(40);
    let day = tomorrow.to_string()[..10].to_owned();
    let settings = often(&[("PROVIDERS__MICROSOFT__CLIENT_SECRET_EXPIRES", &day)]);
    let place = Place::with(House::Microsoft, &settings, json!({})).await;
    let account = place.account(&place.link(json!({})).await).await;
    let ending = crate::parts::eventually_async("the warning", crate::parts::READY, async || {
        events(&file(&place.app), &account).await.into_iter().find(|(kind, _)| kind == "account.ending")
    })
    .await;
    let expected = json!({ "provider": "microsoft", "cause": "client_secret_expires", "ends_at": format!("{day}T00:00:00.000Z") });
    assert_eq!(ending.1, expected);
}
