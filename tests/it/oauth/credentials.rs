//! Tokens after the sign-in: what a backend gets, when they are renewed and by how many, and that they work where they
//! are meant to.

use serde_json::{Value, json};

use super::{HOUSES, Place, address};
use crate::parts::identity::House;
use crate::parts::{READY, eventually_async};

/// Both providers with access tokens that have just about run out when they come.
async fn short_lived(house: House) -> Place {
    Place::with(house, &[], json!({ "access_ttl": 60 })).await
}

fn token(body: &Value) -> &str {
    body["credentials"]["access_token"].as_str().unwrap_or_else(|| panic!("{body}"))
}

#[tokio::test]
async fn a_backend_gets_a_token_with_its_true_end_and_a_fresh_one_where_it_asks() {
    const LIVES: i64 = 1234;
    let now = || jiff::Timestamp::now().as_second();
    let ends = |body: &Value| {
        let at = body["expires_at"].as_str().unwrap_or_else(|| panic!("{body}"));
        at.parse::<jiff::Timestamp>().expect("a time").as_second()
    };
    for house in HOUSES {
        let place = Place::with(house, &[], json!({ "access_ttl": LIVES })).await;
        let begun = now();
        let account = place.account(&place.link(json!({})).await).await;
        let connected = now();
        let reply = place.credentials(&account, json!({})).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{}", reply.text());
        let body = reply.json();
        assert_eq!((&body["state"], &body["account_id"]), (&json!("active"), &json!(account)));
        assert_eq!(body["credentials"]["type"], "oauth");
        assert_eq!(body["credentials"]["login"], address(house));
        let mail = &body["credentials"]["mail"];
        match house {
            House::Google => {
                assert_eq!(
                    (&mail["mechanism"], &mail["imap"]["host"]),
                    (&json!("XOAUTH2"), &json!("imap.gmail.com"))
                );
            }
            // Its usual scopes are those of the Graph, which open no mailbox to IMAP.
            House::Microsoft => assert!(mail.is_null(), "{body}"),
        }
        assert_eq!(body["missing_scopes"], json!([]), "{body}");
        // The end that the provider named, and not one from a habit.
        assert!((begun + LIVES - 1..=connected + LIVES).contains(&ends(&body)), "{body}");
        let first = token(&body).to_owned();
        let same = place.credentials(&account, json!({})).await.json();
        assert_eq!(token(&same), first, "it is good for a while");
        let fresh = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_ne!(token(&fresh), first);
        assert!(ends(&fresh) >= ends(&same) && ends(&fresh) <= now() + LIVES, "{fresh}");
        // Without the scope nothing is said.
        let path = format!("/v1/accounts/{account}/credentials");
        let refused = place.app.api("POST", &path, Some(json!({}))).await;
        assert_eq!(refused.json()["type"], "errors/insufficient_privileges", "{}", refused.text());
        // Nor is any of it in the log.
        let log = place.app.output();
        assert!(!log.contains(&first) && !log.contains(&place.client.secret));
    }
}

#[tokio::test]
async fn thirty_calls_at_once_renew_once() {
    for house in HOUSES {
        let place = std::sync::Arc::new(short_lived(house).await);
        let account = place.account(&place.link(json!({})).await).await;
        let before = place.identity.log(&place.client, "token").await.len();
        let key = place.app.trusted_key();
        let url = place.app.url(&format!("/v1/accounts/{account}/credentials"));
        place.identity.fault(&place.client, "token_hang", 1, true).await;
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let (key, url) = (key.clone(), url.clone());
            calls.spawn(async move {
                let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
                crate::app::http::send("POST", &url, &headers, br#"{"refresh":true}"#).await
            });
        }
        let replies = calls.join_all().await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{}", replies[0].text());
        let asked = place.identity.log(&place.client, "token").await.len() - before;
        assert!((1..=5).contains(&asked), "{asked} renewals for thirty calls");
    }
}

#[tokio::test]
async fn those_who_wait_for_a_renewal_without_an_answer_ask_nobody_and_get_what_is_still_good() {
    let place = std::sync::Arc::new(short_lived(House::Google).await);
    let account = place.account(&place.link(json!({})).await).await;
    let key = place.app.trusted_key();
    let url = place.app.url(&format!("/v1/accounts/{account}/credentials"));
    let ask = async |number: usize, body: &'static str| {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..number {
            let (key, url) = (key.clone(), url.clone());
            calls.spawn(async move {
                let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
                crate::app::http::send("POST", &url, &headers, body.as_bytes()).await
            });
        }
        calls.join_all().await
    };
    for (body, status) in [("{}", 200), (r#"{"refresh":true}"#, 503)] {
        let before = place.identity.log(&place.client, "token").await.len();
        place.identity.fault(&place.client, "token_hang", 2, true).await;
        place.identity.fault(&place.client, "token_503", 1, false).await;
        let replies = ask(8, body).await;
        assert!(replies.iter().all(|reply| reply.status == status), "{body}: {}", replies[0].text());
        let asked = place.identity.log(&place.client, "token").await.len() - before;
        assert_eq!(asked, 1, "{body}: questions for eight calls");
        place.identity.clear_faults(&place.client).await;
    }
    // Longer than anybody waits for somebody else.
    place.identity.fault(&place.client, "token_hang", 23, true).await;
    let replies = ask(2, "{}").await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{} {}", replies[0].text(), replies[1].text());
}

#[tokio::test]
async fn a_grant_that_is_gone_breaks_the_account_and_a_reconnect_mends_it() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        place.identity.withdraw(&place.client, address(house)).await;
        let body = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!((&body["state"], body["cause"].is_string()), (&json!("needs_reconnect"), true), "{body}");
        let read = place.app.api("GET", &format!("/v1/accounts/{account}"), None).await.json();
        assert_eq!(read["sources"][0]["status"], "CREDENTIALS", "{read}");
        let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
        assert_eq!(place.account(&repair).await, account);
        let body = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(body["state"], "active", "{body}");
    }
}

#[tokio::test]
async fn what_a_person_took_back_is_seen_in_the_account_and_breaks_it_where_it_is_required() {
    let place = Place::start(House::Google).await;
    let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    let calendar = "https://www.googleapis.com/auth/calendar";
    let details =
        async || place.app.api("GET", &format!("/accounts/{account}"), None).await.json()["details"].clone();
    let before = details().await;
    assert!(before["scopes"].to_string().contains(calendar) && before["missing_scopes"].is_null());
    place.identity.fault(&place.client, "token_fewer_scopes", json!([calendar]), true).await;
    let body = place.credentials(&account, json!({ "refresh": true })).await.json();
    assert_eq!(body["state"], "active", "{body}");
    let after = details().await;
    assert_eq!(after["missing_scopes"], json!([calendar]), "{after}");
    assert_eq!(after["scopes"], body["credentials"]["scopes"]);
    assert_eq!(after["address"], before["address"]);
    // Either dialect says who the account is, by the provider's own id.
    let other = place.app.api("GET", &format!("/v1/accounts/{account}"), None).await.json();
    assert_eq!(after["identity"], other["connection_params"]["mail"]["id"], "{other}");
    assert_eq!(after["identity"].as_str().map(str::len), Some(21), "{after}");
    place.identity.fault_once(&place.client, "token_fewer_scopes").await;
    let body = place.credentials(&account, json!({ "refresh": true })).await.json();
    assert_eq!(
        (&body["state"], &body["cause"]),
        (&json!("needs_reconnect"), &json!("missing_scopes")),
        "{body}"
    );
    let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    assert_eq!(place.account(&repair).await, account);
    assert_eq!(details().await["missing_scopes"], Value::Null);
}

#[tokio::test]
async fn what_is_nobody_s_fault_breaks_nothing() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let account = place.account(&place.link(json!({})).await).await;
        for (fault, value) in [
            ("token_500", json!(1)),
            ("token_503", json!(3)),
            ("token_html", json!(1)),
            ("token_cut", json!(1)),
            ("token_huge", json!(1)),
            ("token_401", json!(1)),
        ] {
            place.identity.fault(&place.client, fault, value, true).await;
            let reply = place.credentials(&account, json!({ "refresh": true })).await;
            assert_eq!(
                (reply.status, reply.header("retry-after").is_empty()),
                (503, false),
                "{fault}: {}",
                reply.text()
            );
            // What is still good is given all the same.
            let body = place.credentials(&account, json!({})).await.json();
            assert_eq!(body["state"], "active", "{fault}: {body}");
            if fault == "token_html" {
                let body = place.credentials(&account, json!({ "refresh": true })).await.json();
                assert_eq!(body["state"], "active", "{body}");
            }
        }
        let body = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(body["state"], "active", "{body}");
    }
}

/// Neither one that is asked about again and again, nor many at a provider that is away.
#[tokio::test]
async fn a_provider_that_does_not_answer_is_left_alone_by_backends_too() {
    let place = Place::start(House::Google).await;
    let mut accounts = Vec::new();
    for name in ["one", "two", "three", "four", "five", "six"] {
        accounts.push(place.account(&place.link(json!({ "name": name })).await).await);
    }
    let asked = async || place.identity.log(&place.client, "token").await.len();
    place.identity.fault(&place.client, "token_503", 1, false).await;
    let refused = async |account: &str| {
        let reply = place.credentials(account, json!({ "refresh": true })).await;
        assert_eq!((reply.status, reply.header("retry-after").is_empty()), (503, false), "{}", reply.text());
    };
    let before = asked().await;
    for _ in 0..12 {
        refused(&accounts[0]).await;
    }
    assert_eq!(asked().await - before, 5, "of one account");
    for account in &accounts[1..5] {
        refused(account).await;
    }
    let all = asked().await;
    for account in &accounts[1..] {
        refused(account).await;
    }
    assert_eq!(asked().await, all, "of a provider that is away");
    // What is still good is given all the same, and one in half a minute finds out that it is back.
    let body = place.credentials(&accounts[5], json!({})).await.json();
    assert_eq!(body["state"], "active", "{body}");
    place.identity.clear_faults(&place.client).await;
    eventually_async("an answer", std::time::Duration::from_secs(40), async || {
        let reply = place.credentials(&accounts[5], json!({ "refresh": true })).await;
        (reply.status == 200).then_some(())
    })
    .await;
    let body = place.credentials(&accounts[1], json!({ "refresh": true })).await.json();
    assert_eq!(body["state"], "active", "{body}");
}

#[tokio::test]
async fn a_deleted_account_s_grant_is_ended_unless_another_one_uses_it() {
    let place = Place::start(House::Google).await;
    let first = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    let second = place.account(&place.link(json!({ "name": "user_2" })).await).await;
    assert_ne!(first, second);
    let delete = async |id: &str| {
        let reply = place.app.api("DELETE", &format!("/v1/accounts/{id}"), None).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    delete(&first).await;
    // Long enough for the loop to have looked.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(place.identity.log(&place.client, "revoke").await.is_empty(), "user_2 still uses it");
    assert_eq!(place.credentials(&second, json!({ "refresh": true })).await.json()["state"], "active");
    delete(&second).await;
    eventually_async("the grant is ended", READY, async || {
        (place.identity.log(&place.client, "revoke").await.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn dovecot_takes_a_backend_s_token_and_no_forged_one() {
    use crate::parts::certs::Leaf;
    use crate::parts::dovecot::Dovecot;
    let for_mail = [("PROVIDERS__MICROSOFT__SCOPES", "imap"), ("PROVIDERS__MICROSOFT__OPTIONAL_SCOPES", "")];
    for (house, settings, scope, eve) in [
        (House::Google, &[][..], "https://mail.google.com/", "eve@gmail.com"),
        (House::Microsoft, &for_mail, "https://outlook.office.com/IMAP.AccessAsUser.All", "eve@work.example"),
    ] {
        let place = Place::with(house, settings, json!({})).await;
        let account = place.account(&place.link(json!({})).await).await;
        let body = place.credentials(&account, json!({})).await.json();
        let mail = &body["credentials"]["mail"];
        assert_eq!(mail["mechanism"], "XOAUTH2", "{body}");
        let ca = crate::parts::identity::shared_ca();
        let dovecot = Dovecot::start_with_tokens(ca, Leaf::Good, &[], place.identity, scope);
        let login = body["credentials"]["login"].as_str().unwrap();
        dovecot.welcome(login);
        dovecot.welcome(eve);
        let right = token(&body).to_owned();
        assert!(dovecot.takes_token(ca, login, &right), "the token we hand out");
        assert!(!dovecot.takes_token(ca, login, &format!("{right}x")), "a forged one");
        assert!(!dovecot.takes_token(ca, eve, &right), "somebody else's mailbox");
        // One that was given to us for something else.
        let key = |name: &str| format!("PROVIDERS__{}__{name}", super::slug(house).to_uppercase());
        let less = [(&*key("SCOPES"), "contacts"), (&*key("OPTIONAL_SCOPES"), "")];
        let other = Place::with(house, &less, json!({})).await;
        let for_less = other.account(&other.link(json!({})).await).await;
        let for_less = other.credentials(&for_less, json!({})).await.json();
        assert!(!dovecot.takes_token(ca, login, token(&for_less)), "one without mail");
        let renewed = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert!(dovecot.takes_token(ca, login, token(&renewed)), "the one after it");
        place.identity.expire_access(&place.client, address(house)).await;
        assert!(!dovecot.takes_token(ca, login, token(&renewed)), "one that has run out");
        if house == House::Microsoft {
            // Nothing ends a grant at Microsoft but the person.
            continue;
        }
        // What was deleted is ended at the provider, and opens nothing any more.
        let right = token(&place.credentials(&account, json!({ "refresh": true })).await.json()).to_owned();
        assert!(dovecot.takes_token(ca, login, &right));
        let reply = place.app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
        assert_eq!(reply.status, 200);
        eventually_async("the token is void", READY, async || {
            (!dovecot.takes_token(ca, login, &right)).then_some(())
        })
        .await;
    }
}
