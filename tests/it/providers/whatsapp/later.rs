//! A linked account: looked after, banned, unlinked by either side.

use super::{House, PHONE};
use serde_json::json;
use vestibule::contract::{Actor, Checked, State};

#[tokio::test]
async fn only_a_definite_answer_breaks_an_account() {
    let house = House::new();
    let connected = house.connected().await;
    let check = || house.provider.check(&house.cx, connected.secret.clone());
    let outlook = house.provider.outlook(&connected.secret).unwrap();
    assert!(
        house.provider.online_once() && !outlook.renews && outlook.peer.is_empty() && outlook.end.is_none()
    );
    let jid = connected.profile.text("jid");
    house.double.post("/messages", json!({ "jid": jid, "id": "M1" })).await;
    assert_eq!(check().await, Ok(Checked::Fine));
    assert_eq!(house.double.device(jid).await.unwrap()["queue"], json!(["M1"]), "it waits for its reader");

    for (failure, cause) in [
        (json!({ "phone": PHONE, "reason": 402, "expire": 60 }), "account_banned"),
        (json!({ "phone": PHONE, "reason": 403 }), "account_locked"),
    ] {
        house.double.post("/failures", failure).await;
        let refused = Checked::Refused { cause: cause.to_owned(), actor: Actor::Person, sure: true };
        assert_eq!(check().await, Ok(refused));
        assert_eq!(check().await, Ok(Checked::Fine), "it heals");
    }
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 503 })).await;
    assert_eq!(check().await.unwrap_err().code, "provider_unavailable");

    house.double.post("/unlink", json!({ "jid": jid, "silent": true })).await;
    let refused = Checked::Refused { cause: "logged_out".to_owned(), actor: Actor::Person, sure: true };
    assert_eq!(check().await, Ok(refused));
}

#[tokio::test]
async fn an_account_that_is_given_back_is_off_the_phones_list() {
    let house = House::new();
    let connected = house.connected().await;
    let jid = connected.profile.text("jid");
    assert!(house.provider.revokes());
    let revoke = || house.provider.revoke(&house.cx, connected.secret.clone());
    house.double.post("/failures", json!({ "phone": PHONE, "reason": 503 })).await;
    assert_eq!(revoke().await.unwrap_err().code, "provider_unavailable");
    assert!(house.double.device(jid).await.is_ok());
    revoke().await.unwrap();
    assert_eq!(house.double.device(jid).await.unwrap_err(), "no-device");
    revoke().await.unwrap();
}

#[tokio::test]
async fn a_secret_of_somebody_elses_is_not_connected_with() {
    let house = House::new();
    let secret = State(json!({ "format": "whatsapp-device/2" }));
    assert!(house.provider.outlook(&secret).is_err());
    assert_eq!(house.provider.check(&house.cx, secret).await.unwrap_err().code, "secret_unreadable");
}
