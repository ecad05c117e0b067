//! A session that may be online once: whoever was given it has it for themselves, until the account is linked anew.

use std::time::Duration;

use serde_json::json;

use super::{House, PHONE, code, until};
use crate::app::http::send;
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;

#[tokio::test]
async fn an_account_whose_session_was_handed_out_is_not_looked_at_until_it_is_linked_anew() {
    let house = House::with(&[("CHECKS__PASSWORDS_SECONDS", "1")]);
    let account = house.account().await;
    let logins = async || house.double.log("login").await.len();
    let first = logins().await;
    eventually_async("a look", READY, async || (logins().await > first).then_some(())).await;
    let key = house.app.trusted_key();
    let url = house.app.url(&format!("/v1/accounts/{account}/credentials"));
    let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
    let reply = send("POST", &url, &headers, b"{}").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["credentials"]["type"], json!("whatsapp_session"), "{}", reply.text());
    let handed_out = logins().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(logins().await, handed_out, "two would be online with one session");
    let link = house.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let code = code(&mut screen).await;
    house.double.scan(PHONE, &code).await.expect("a scan");
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
    let linked = logins().await;
    eventually_async("a look", READY, async || (logins().await > linked).then_some(())).await;
}
