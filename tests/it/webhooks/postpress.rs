//! Webhooks of postpress: the documented payloads, headers, forms, chosen accounts and events, and the exactly-200 rule.

use std::time::Duration;

use serde_json::{Value, json};

use super::{log, revoked, told, webhook};
use crate::app::App;
use crate::app::person::Person;
use crate::app::signing::{Place, address};
use crate::parts::identity::House;
use crate::parts::sink::{Answer, Sink};
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::{assert_signed, mailbox};
use crate::steps::Screen;

#[tokio::test]
async fn an_account_s_life_is_told_in_the_documented_words() {
    let place = Place::start(House::Google).await;
    let (app, sink) = (&place.app, Sink::start());
    let headers = json!([{ "key": "Unipile-Auth", "value": "a secret of ours" }]);
    let made = webhook(app, &sink.url("/life"), json!({ "headers": headers, "name": "life" })).await;
    let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    told(&sink, "/life", 1).await;
    place.identity.withdraw(&place.client, address(House::Google)).await;
    let seen = place.credentials(&account, json!({ "refresh": true })).await.json();
    assert_eq!(seen["state"], "needs_reconnect", "{seen}");
    told(&sink, "/life", 2).await;
    let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    assert_eq!(place.account(&repair).await, account);
    told(&sink, "/life", 3).await;
    assert_eq!(app.api("DELETE", &format!("/v1/accounts/{account}"), None).await.status, 200);
    let calls = told(&sink, "/life", 4).await;
    let expected = ["CREATION_SUCCESS", "CREDENTIALS", "RECONNECTED", "DELETED"];
    for (call, message) in calls.iter().zip(expected) {
        let body = call.json();
        let status = &body["AccountStatus"];
        assert_eq!((&status["message"], &status["account_id"]), (&json!(message), &json!(account)));
        assert_eq!(status["account_type"], "GOOGLE_OAUTH");
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(call.header("unipile-auth"), "a secret of ours");
        assert_eq!(call.header("content-type"), "application/json");
        assert_signed(&made.secret, call);
    }
    assert_eq!(calls[1].json()["AccountStatus"]["reason"], seen["cause"]);
}

#[tokio::test]
async fn chosen_accounts_events_and_fields_are_all_that_is_told_and_a_form_where_one_is_asked_for() {
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    let mut accounts = Vec::new();
    for name in ["one", "two"] {
        let mut screen = Screen::start(&app, &app.link(json!({ "name": name })).await).await;
        accounts.push(screen.connect(mailbox()).await);
    }
    let mine = json!({ "account_ids": [accounts[0]] });
    webhook(&app, &sink.url("/mine"), mine).await;
    let form = json!({
        "format": "form", "events": ["DELETED"], "headers": [{ "key": "X-Own", "value": "1" }],
        "data": [{ "name": "id", "key": "account_id" }, { "name": "what", "key": "message" }],
    });
    webhook(&app, &sink.url("/form"), form).await;
    let typed = json!({ "headers": [{ "key": "content-type", "value": "application/vnd.own+json" }] });
    webhook(&app, &sink.url("/typed"), typed).await;
    webhook(&app, &sink.url("/off"), json!({ "enabled": "false" })).await;
    webhook(&app, &sink.url("/never"), json!({ "events": ["sync_success"] })).await;
    for account in &accounts {
        assert_eq!(app.api("DELETE", &format!("/v1/accounts/{account}"), None).await.status, 200);
    }
    let forms = told(&sink, "/form", 2).await;
    let body = String::from_utf8_lossy(&forms[0].body).into_owned();
    assert_eq!(body, format!("AccountStatus%5Bid%5D={}&AccountStatus%5Bwhat%5D=DELETED", accounts[0]));
    assert_eq!(forms[0].header("content-type"), "application/x-www-form-urlencoded");
    let typed = told(&sink, "/typed", 2).await;
    assert_eq!(typed[0].header("content-type"), "application/vnd.own+json");
    let mine = told(&sink, "/mine", 1).await;
    assert_eq!(mine[0].json()["AccountStatus"]["account_id"], accounts[0]);
    eventually_async("everything to be done", READY, async || {
        log(&app, "&status=due").await.is_empty().then_some(())
    })
    .await;
    assert_eq!(told(&sink, "/mine", 1).await.len(), 1, "the other account is none of its business");
    let count = |path: &str| sink.calls().iter().filter(|call| call.path == path).count();
    assert_eq!((count("/off"), count("/never")), (0, 0));
    // Its accounts are gone; that does not make it hear of all.
    let mut screen = Screen::start(&app, &app.link(json!({ "name": "three" })).await).await;
    screen.connect(mailbox()).await;
    told(&sink, "/typed", 3).await;
    assert_eq!(count("/mine"), 1);
}

#[tokio::test]
async fn only_200_is_taken_as_an_answer() {
    let app = App::start();
    let (strict, lenient) = (Sink::start(), Sink::start());
    strict.answer_next([Answer::status(204)]);
    lenient.answer(Answer::status(204));
    let made = webhook(&app, &strict.url("/strict"), json!({ "source": "hosted_auth_link" })).await;
    super::endpoint(&app, &lenient.url("/lenient"), json!({})).await;
    let link = revoked(&app).await;
    let calls = told(&strict, "/strict", 2).await;
    assert_eq!(
        (calls[0].body.clone(), calls[0].header("webhook-id")),
        (calls[1].body.clone(), calls[1].header("webhook-id"))
    );
    assert_eq!(calls[0].json()["HostedAuthLink"]["message"], "REVOKED");
    assert_eq!(calls[0].json()["HostedAuthLink"]["link_id"], link.id);
    let tries = eventually_async("the second try to be written down", READY, async || {
        let all = log(&app, &format!("&status=done&endpointId={}", made.id)).await;
        all.first().map(|entry| entry["attempts"].clone())
    })
    .await;
    assert_eq!((&tries[0]["status"], &tries[1]["status"]), (&json!(204), &json!(200)));
    assert_eq!(told(&lenient, "/lenient", 1).await.len(), 1);
}

/// As the original says: whoever has not answered by then has not taken it.
#[tokio::test]
async fn an_answer_is_waited_for_for_thirty_seconds() {
    let app = App::start();
    let mut ids = Vec::new();
    for (path, seconds) in [("/slow", 27), ("/slower", 34)] {
        let sink = Sink::start();
        sink.answer(Answer::status(200).delay(Duration::from_secs(seconds)));
        let made = webhook(&app, &sink.url(path), json!({ "source": "hosted_auth_link" })).await;
        ids.push((made.id, sink));
    }
    revoked(&app).await;
    let tried = async |id: &str| {
        eventually_async("a try", Duration::from_secs(60), async || {
            let all = log(&app, &format!("&endpointId={id}")).await;
            all.first().map(|entry| entry["attempts"][0].clone()).filter(|tried| !tried.is_null())
        })
        .await
    };
    let (slow, slower) = (tried(&ids[0].0).await, tried(&ids[1].0).await);
    assert_eq!((&slow["status"], &slow["problem"]), (&json!(200), &Value::Null), "{slow}");
    assert_eq!((&slower["status"], &slower["problem"]), (&Value::Null, &json!("timeout")), "{slower}");
}

#[tokio::test]
async fn a_connection_that_fails_for_good_is_a_creation_that_failed() {
    // One secret may be tried, and it is wrong.
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    webhook(&app, &sink.url("/fail"), json!({ "events": ["creation_fail"] })).await;
    let link = app.link(json!({ "name": "user_1" })).await;
    let person = Person::new();
    let mut seen = person.until_password(mailbox(), &link).await;
    while seen.step() == "password" {
        seen = person.submit(&seen, &seen.sheet().with("password", "wrong")).await;
    }
    let session = app.session(&link.id).await;
    assert_eq!(session["status"], "FAILED", "{session}");
    let call = told(&sink, "/fail", 1).await.remove(0);
    let expected = json!({ "AccountStatus": {
        "account_id": null, "account_type": "MAIL", "message": "CREATION_FAIL", "reason": session["cause"],
    } });
    assert_eq!(call.json(), expected);
}

#[tokio::test]
async fn webhooks_are_listed_page_by_page_and_deleted_and_a_repeated_call_makes_one() {
    let app = App::start();
    let sink = Sink::start();
    let key = [("x-api-key", app.key()), ("idempotency-key", "once")];
    let body = json!({ "request_url": sink.url("/one"), "source": "account_status" }).to_string();
    let again =
        async || crate::app::http::send("POST", &app.url("/api/v1/webhooks"), &key, body.as_bytes()).await;
    let (first, second) = (again().await, again().await);
    assert_eq!((first.status, &first.body), (201, &second.body));
    assert_eq!(second.header("idempotency-replayed"), "true");
    let second = webhook(&app, &sink.url("/two"), json!({ "events": ["ok", "error"], "name": "two" })).await;
    let page = app.api("GET", "/v1/webhooks?limit=1", None).await.json();
    assert_eq!((&page["object"], page["items"].as_array().map(Vec::len)), (&json!("WebhookList"), Some(1)));
    let cursor = page["cursor"].as_str().expect("a cursor");
    let rest = app.api("GET", &format!("/v1/webhooks?cursor={cursor}"), None).await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["cursor"]), (&json!(second.id), &Value::Null));
    assert_eq!(rest["items"][0]["events"], json!(["ok", "error"]));
    let deleted = app.api("DELETE", &format!("/v1/webhooks/{}", second.id), None).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({ "object": "WebhookDeleted" })));
    assert_eq!(app.api("DELETE", &format!("/v1/webhooks/{}", second.id), None).await.status, 404);
    // The other dialect does not see it.
    let id = page["items"][0]["id"].as_str().expect("an id");
    assert_eq!(app.api("GET", &format!("/webhooks/endpoints/{id}"), None).await.status, 404);
}

#[tokio::test]
async fn what_may_not_be_is_refused_with_the_reason() {
    let app = App::start();
    let ask = async |more: Value| {
        let body = super::laid_over(
            json!({ "request_url": "https://a.example/", "source": "account_status" }),
            more,
        );
        let reply = app.api("POST", "/v1/webhooks", Some(body)).await;
        (reply.status, reply.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    let long = format!("https://a.example/{}", "x".repeat(4096));
    for (more, says) in [
        (json!({ "request_url": "http://169.254.169.254/latest" }), "request_url points at an address"),
        (json!({ "request_url": "http://10.0.0.1/hook" }), "request_url points at an address"),
        (
            json!({ "request_url": "https://user:pass@a.example/" }),
            "request_url must not contain a user name",
        ),
        (json!({ "request_url": long }), "request_url must have at most 4096"),
        (json!({ "headers": [{ "key": "Host", "value": "x" }] }), "headers has the name \"Host\""),
        (json!({ "headers": [{ "key": "X", "value": "a\r\nb" }] }), "headers has a value of \"X\""),
        (json!({ "account_ids": ["acc_none"] }), "account_ids must be ids of accounts"),
        (json!({ "events": ["weather"] }), "events contains \"weather\""),
    ] {
        let (status, detail) = ask(more).await;
        assert!(status == 400 && detail.contains(says), "{status} {detail}");
    }
    assert_eq!(ask(json!({ "source": "messaging" })).await.0, 501);
    for at in 0..100 {
        let (status, detail) = ask(json!({ "name": format!("{at}") })).await;
        assert_eq!(status, 201, "{detail}");
    }
    let reply = app.api("POST", "/webhooks/endpoints", Some(json!({ "url": "https://a.example/" }))).await;
    assert_eq!((reply.status, &reply.json()["type"]), (422, &json!("errors/limit_exceeded")));
}
