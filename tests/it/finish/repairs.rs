//! Reconnects that wait: the account stays as it is until the code is redeemed, and when nobody redeems it.

use serde_json::{Value, json};

use super::{account, code, credentials, events, finish, run_out, standing, waiting};
use crate::app::Link;
use crate::app::person::Person;
use crate::app::signing::{HOUSES, Place, address};
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};
use crate::stories::{Dialect, HOME};

async fn repair(place: &Place, id: &str, notify: &str) -> Link {
    let more = json!({
        "type": "reconnect", "reconnect_account": id, "require_finish": true, "success_redirect_url": HOME,
        "failure_redirect_url": HOME, "notify_url": notify,
    });
    place.link(more).await
}

#[tokio::test]
async fn a_repair_takes_effect_when_its_code_is_redeemed_and_not_before() {
    for house in HOUSES {
        let (place, sink) = (Place::start(house).await, Sink::start());
        let id = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        place.identity.withdraw(&place.client, address(house)).await;
        let broken = credentials(&place.app, &id, json!({ "refresh": true })).await;
        assert_eq!(broken["state"], "needs_reconnect", "{broken}");
        let link = repair(&place, &id, &sink.url("/told")).await;
        let proof = code(&place.connect(&Person::new(), &link).await);
        // It is as broken as before.
        let (same, status, cause) = account(&place.app).await;
        assert_eq!((same, status, &cause), (id.clone(), json!("CREDENTIALS"), &broken["cause"]));
        assert_eq!(credentials(&place.app, &id, json!({})).await["state"], "needs_reconnect");
        let done = finish(Dialect::Postpress, &place.app, &link, &proof).await;
        assert_eq!((done.status, &done.json()["status"]), (200, &json!("RECONNECTED")), "{}", done.text());
        assert_eq!(account(&place.app).await, (id.clone(), json!("OK"), Value::Null));
        assert_eq!(credentials(&place.app, &id, json!({ "refresh": true })).await["state"], "active");
        let told = sink.wait_for(1, READY).await;
        assert_eq!(told[0].json()["status"], "RECONNECTED");
        assert_eq!(events(&place.app, &id).await.last().map(String::as_str), Some("account.reconnected"));
    }
}

#[tokio::test]
async fn a_repair_that_nobody_finishes_leaves_a_working_account_alone() {
    for house in HOUSES {
        let (mut place, sink) = (Place::start(house).await, Sink::start());
        let id = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        let link = repair(&place, &id, &sink.url("/told")).await;
        let proof = code(&place.connect(&Person::new(), &link).await);
        assert_eq!(account(&place.app).await, (id.clone(), json!("OK"), Value::Null));
        assert_eq!(credentials(&place.app, &id, json!({ "refresh": true })).await["state"], "active");
        run_out(&mut place.app).await;
        eventually_async("the end", READY, async || (waiting(&place.app).await == 0).then_some(())).await;
        assert_eq!(standing(Dialect::Postpress, &place.app, &link).await.1, "finish_expired");
        assert_eq!(finish(Dialect::Postpress, &place.app, &link, &proof).await.status, 422);
        // Long enough for the loop that ends grants to have looked.
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        assert!(place.identity.log(&place.client, "revoke").await.is_empty(), "the account still uses it");
        assert_eq!(account(&place.app).await, (id.clone(), json!("OK"), Value::Null));
        assert_eq!(credentials(&place.app, &id, json!({ "refresh": true })).await["state"], "active");
        assert_eq!(events(&place.app, &id).await, ["account.connected"]);
        assert!(sink.calls().is_empty());
    }
}

#[tokio::test]
async fn the_same_name_s_second_sign_in_waits_beside_the_account_that_it_repairs() {
    let place = Place::start(HOUSES[0]).await;
    let id = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    let more = json!({ "name": "user_1", "require_finish": true, "success_redirect_url": HOME });
    let link = place.link(more).await;
    let proof = code(&place.connect(&Person::new(), &link).await);
    assert_eq!(account(&place.app).await, (id.clone(), json!("OK"), Value::Null));
    let done = finish(Dialect::Postpress, &place.app, &link, &proof).await.json();
    assert_eq!((&done["status"], &done["account_id"]), (&json!("CREATION_SUCCESS"), &json!(id)), "{done}");
}
