//! Grants: looked at by renewing, withdrawn at the provider, and healed by a reconnect.

use std::time::Duration;

use serde_json::{Value, json};

use super::{due_now, events, file, kinds, often, shown, status, until, until_looked_at, until_status};
use crate::oauth::{HOUSES, Place, address};
use crate::parts::eventually_async;
use crate::parts::identity::House;

#[tokio::test]
async fn a_grant_that_was_withdrawn_is_noticed_and_told_without_anybody_asking() {
    for house in HOUSES {
        let place = Place::with(house, &often(&[]), json!({})).await;
        let account = place.account(&place.link(json!({})).await).await;
        let first = shown(&place.app, &account).await;
        assert_eq!(
            (status(&first), &first["user_action"], &first["cause"]),
            ("OK", &Value::Null, &Value::Null)
        );
        let looked = until_looked_at(&place.app, &account, &first).await;
        assert!(looked["next_check_at"].as_str() > looked["checked_at"].as_str(), "{looked}");
        assert_eq!(looked["status_since"], first["status_since"]);
        place.identity.withdraw(&place.client, address(house)).await;
        let broken = until_status(&place.app, &account, "CREDENTIALS").await;
        assert_eq!(
            (&broken["cause"], &broken["user_action"]),
            (&json!("session_expired"), &json!("reconnect"))
        );
        assert!(broken["status_since"].as_str() > first["status_since"].as_str());
        let riposte = place.app.api("GET", &format!("/accounts/{account}"), None).await.json();
        assert_eq!((&riposte["cause"], &riposte["userAction"]), (&broken["cause"], &broken["user_action"]));
        assert_eq!(riposte["statusSince"], broken["status_since"]);
        // Told once, however often it is looked at.
        until_looked_at(&place.app, &account, &broken).await;
        assert_eq!(kinds(&place.app, &account).await, ["account.connected", "account.broken"]);
        let facts = &events(&file(&place.app), &account).await[1].1;
        assert_eq!((&facts["status"], &facts["cause"]), (&json!("CREDENTIALS"), &json!("session_expired")));
        // The person repairs it; it is watched over as before.
        let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
        assert_eq!(place.account(&repair).await, account);
        let repaired = shown(&place.app, &account).await;
        assert_eq!(
            (status(&repaired), &repaired["cause"], &repaired["user_action"]),
            ("OK", &Value::Null, &Value::Null)
        );
        let again = until_looked_at(&place.app, &account, &repaired).await;
        assert_eq!(status(&again), "OK");
        let all = ["account.connected", "account.broken", "account.reconnected"];
        assert_eq!(kinds(&place.app, &account).await, all);
    }
}

#[tokio::test]
async fn what_a_person_takes_back_and_gives_again_costs_no_grant_at_a_strict_provider() {
    let client = json!({ "strict_refresh": true });
    let place = Place::with(House::Microsoft, &often(&[]), client).await;
    let account = place.account(&place.link(json!({})).await).await;
    place.identity.fault(&place.client, "token_fewer_scopes", json!(true), false).await;
    let broken = until_status(&place.app, &account, "CREDENTIALS").await;
    assert_eq!(broken["cause"], "missing_scopes");
    // Renewed again and again meanwhile, with what came of the time before.
    let again = until_looked_at(&place.app, &account, &broken).await;
    let again = until_looked_at(&place.app, &account, &again).await;
    assert_eq!((status(&again), &again["cause"]), ("CREDENTIALS", &json!("missing_scopes")));
    let body = place.credentials(&account, json!({})).await.json();
    assert!(body["missing_scopes"].as_array().is_some_and(|missing| !missing.is_empty()), "{body}");
    place.identity.clear_faults(&place.client).await;
    until_status(&place.app, &account, "OK").await;
    let all = ["account.connected", "account.broken", "account.healed"];
    assert_eq!(kinds(&place.app, &account).await, all);
}

#[tokio::test]
async fn an_account_whose_client_secret_was_mended_is_looked_at_at_the_next_start() {
    let hour = often(&[("CHECKS__GRANTS_SECONDS", "3600")]);
    let mut place = Place::with(House::Google, &hour, json!({})).await;
    let account = place.account(&place.link(json!({})).await).await;
    place.app.stop();
    due_now(&file(&place.app)).await;
    place.identity.fault(&place.client, "token_401", json!(true), false).await;
    place.app.run();
    until(&place.app, &account, "trouble", |shown| shown["cause"] == "config_client_invalid").await;
    place.app.stop();
    place.identity.clear_faults(&place.client).await;
    place.app.run();
    // Otherwise in a minute.
    let well = eventually_async("the next start", Duration::from_secs(20), async || {
        let shown = shown(&place.app, &account).await;
        (shown["cause"] == Value::Null).then_some(shown)
    })
    .await;
    assert_eq!(status(&well), "OK");
}

#[tokio::test]
async fn what_is_no_definite_answer_leaves_the_account_as_it_is_with_a_cause_that_passes() {
    for (house, fault, value, cause) in [
        (House::Google, "token_503", json!(1), "token_unavailable"),
        (House::Google, "token_html", json!(true), "token_reply_not_json"),
        (House::Microsoft, "token_500", json!(true), "token_unavailable"),
        (House::Microsoft, "token_cut", json!(true), "token_unreachable"),
        (House::Google, "token_401", json!(true), "config_client_invalid"),
    ] {
        let place = Place::with(house, &often(&[]), json!({})).await;
        let account = place.account(&place.link(json!({})).await).await;
        place.identity.fault(&place.client, fault, value, false).await;
        let troubled = until(&place.app, &account, fault, |shown| shown["cause"] == cause).await;
        assert_eq!((status(&troubled), &troubled["user_action"]), ("OK", &json!("wait")), "{fault}");
        place.identity.clear_faults(&place.client).await;
        // Without waiting for the pause: a backend's own renewal counts as a look.
        let body = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(body["state"], "active", "{fault}: {body}");
        let well = shown(&place.app, &account).await;
        assert_eq!((status(&well), &well["cause"]), ("OK", &Value::Null), "{fault}");
        assert_eq!(kinds(&place.app, &account).await, ["account.connected"], "{fault}");
    }
}

#[tokio::test]
async fn a_provider_that_is_away_for_long_makes_an_error_which_heals_by_itself_and_both_are_told() {
    let settings = often(&[("CHECKS__ERROR_AFTER_SECONDS", "3")]);
    let place = Place::with(House::Google, &settings, json!({})).await;
    let account = place.account(&place.link(json!({})).await).await;
    place.identity.fault(&place.client, "token_503", 1, false).await;
    let error = until_status(&place.app, &account, "ERROR").await;
    assert_eq!((&error["cause"], &error["user_action"]), (&json!("token_unavailable"), &json!("wait")));
    place.identity.clear_faults(&place.client).await;
    let well = until_status(&place.app, &account, "OK").await;
    assert_eq!(well["cause"], Value::Null);
    let all = ["account.connected", "account.broken", "account.healed"];
    assert_eq!(kinds(&place.app, &account).await, all);
    let metrics = events(&file(&place.app), &account).await;
    assert_eq!(metrics[2].1, json!({ "provider": "google", "status": "OK" }));
}
