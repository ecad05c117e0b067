//! Accounts from elsewhere: each is proved before it is kept, and is an account like any other from then on.

use serde_json::{Value, json};

use crate::app::App;
use crate::app::http::{Reply, send};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::app::signing::{Place, address, slug};
use crate::parts::identity::House;
use crate::parts::visitor::Choices;
use crate::proofs::walk::{mailbox as shared, succeeded};

/// A request that imports the mailbox.
pub fn mailbox(mailbox: &Mailbox) -> Value {
    let (imap, smtp) = (mailbox.dovecot.tls().port(), mailbox.submission.tls().port());
    json!({
        "provider": "imap",
        "name": "user_1",
        "credentials": {
            "address": ADDRESS,
            "imap": { "host": "127.0.0.1", "port": imap, "encryption": "tls", "password": PASSWORD },
            "smtp": { "host": "127.0.0.1", "port": smtp, "encryption": "tls" },
        },
    })
}

/// Imports an account; its id.
pub async fn imported(app: &App, body: &Value) -> String {
    let made = import(app, body, &[]).await.json();
    made["account_id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

async fn import(app: &App, body: &Value, more: &[(&str, &str)]) -> Reply {
    let headers = [&[("x-api-key", app.key())], more].concat();
    send("POST", &app.url("/v1/accounts/import"), &headers, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_mailbox_is_proved_by_both_its_servers_and_is_an_account_like_any_other() {
    let app = shared().app(&[]);
    let body = mailbox(shared());
    let reply = import(&app, &body, &[]).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let made = reply.json();
    let id = made["account_id"].as_str().expect("an id").to_owned();
    assert_eq!(
        (&made["provider"], &made["label"], &made["created"]),
        (&json!("imap"), &json!(ADDRESS), &json!(true))
    );
    let accounts = app.accounts().await;
    assert_eq!((&accounts[0]["id"], &accounts[0]["link_name"]), (&json!(id), &json!("user_1")));
    assert_eq!(accounts[0]["sources"][0]["status"], "OK");
    let key = app.trusted_key();
    let url = app.url(&format!("/v1/accounts/{id}/credentials"));
    let given = send("POST", &url, &[("x-api-key", &key)], b"").await.json();
    assert_eq!(given["credentials"]["smtp"]["password"], PASSWORD, "{given}");
    // Once more it is the same account.
    let again = import(&app, &body, &[]).await.json();
    assert_eq!((&again["account_id"], &again["created"]), (&json!(id), &json!(false)));
    // And the same as if its person had connected it.
    let link = app.link(json!({ "type": "reconnect", "reconnect_account": id })).await;
    let person = Person::new();
    let password = person.begin(&link).await;
    let end = person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    assert!(succeeded(&end), "{}", end.text());
    let link = app.link(json!({ "name": "user_1" })).await;
    assert_eq!(Person::new().account(&app, shared(), &link).await, id);
    assert_eq!(app.accounts().await.len(), 1);
    assert!(!app.output().contains("correct horse"), "{}", app.output());
    let (_, listed, _) = app.cli(&["audit", "list"]);
    assert!(listed.contains("account.import") && !listed.contains("correct horse"), "{listed}");
}

#[tokio::test]
async fn what_does_not_open_is_named_and_nothing_of_it_is_kept() {
    let app = shared().app(&[]);
    let change = |path: &str, value: Value| {
        let mut body = mailbox(shared());
        *body.pointer_mut(path).expect("a place") = value;
        body
    };
    let with = |path: &str, name: &str, value: Value| {
        let mut body = mailbox(shared());
        body.pointer_mut(path).expect("a place")[name] = value;
        body
    };
    for (body, part) in [
        (change("/credentials/imap/password", json!("hunter2")), "credentials.imap.password did not pass"),
        (with("/credentials/smtp", "password", json!("hunter2")), "credentials.smtp.password did not pass"),
        (
            with("/credentials/smtp", "login", json!("eve@example.test")),
            "credentials.smtp.password did not pass",
        ),
        (change("/credentials/imap/port", json!(1)), "credentials.imap.port must be one of"),
        (change("/credentials/imap/host", json!("https://x/")), "credentials.imap.host must be a host"),
        (change("/credentials/imap/encryption", json!("none")), "credentials.imap.encryption must be"),
        (change("/credentials/imap/password", Value::Null), "credentials.imap.password is required"),
        (change("/credentials/imap/password", json!("a\nhunter2")), "credentials.imap.password must have"),
        (change("/credentials/smtp", Value::Null), "credentials.smtp is required"),
        (change("/credentials/imap", json!("hunter2")), "credentials.imap must be an object"),
        (change("/credentials/address", json!("ada")), "credentials.address must be"),
        (with("/credentials", "receive_only", json!(true)), "credentials.receive_only goes without"),
        (
            change("/credentials/imap/host", json!("outlook.office365.com")),
            "credentials.imap.host takes no passwords",
        ),
        (change("/provider", json!("yahoo")), "provider must name one"),
        (change("/provider", json!("google")), "providers.google"),
        (change("/credentials", json!([])), "credentials must be an object"),
    ] {
        let reply = import(&app, &body, &[]).await;
        assert_eq!(reply.status, 400, "{part}: {}", reply.text());
        assert!(reply.text().contains(part), "{part}: {}", reply.text());
        assert!(
            !reply.text().contains("hunter2") && !reply.text().contains("correct horse"),
            "{}",
            reply.text()
        );
    }
    assert!(app.accounts().await.is_empty());
    assert!(!app.output().contains("hunter2") && !app.output().contains("correct horse"));
    let mut receives = mailbox(shared());
    receives["credentials"]["smtp"] = Value::Null;
    receives["credentials"]["receive_only"] = json!(true);
    assert_eq!(import(&app, &receives, &[]).await.status, 201);
    assert_eq!(app.accounts().await[0]["connection_params"]["mail"]["receive_only"], true);
}

#[tokio::test]
async fn an_import_that_comes_again_under_its_key_has_its_effect_once() {
    let mut app = shared().app(&[]);
    let mut body = mailbox(shared());
    // Without a name nothing is merged, so that every import makes an account.
    body["name"] = Value::Null;
    let key = [("idempotency-key", "one")];
    let (first, second) = tokio::join!(import(&app, &body, &key), import(&app, &body, &key));
    let statuses = [first.status, second.status];
    assert!(statuses.contains(&201), "{statuses:?}: {} {}", first.text(), second.text());
    let made = if first.status == 201 { first } else { second };
    app.kill();
    app.run();
    let again = import(&app, &body, &key).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(again.json(), made.json());
    assert_eq!(app.accounts().await.len(), 1);
    body["name"] = json!("other");
    assert_eq!(import(&app, &body, &key).await.status, 422);
    // What was refused may be mended and come again.
    body["credentials"]["imap"]["password"] = json!("hunter2");
    let other = [("idempotency-key", "two")];
    assert_eq!(import(&app, &body, &other).await.status, 400);
    body["credentials"]["imap"]["password"] = json!(PASSWORD);
    assert_eq!(import(&app, &body, &other).await.status, 201);
}

/// Tokens that a person gave to our client somewhere else.
async fn tokens(place: &Place, callback: &str, scope: &str, choices: &Choices<'_>) -> Value {
    let path = match place.house {
        House::Google => "/o/oauth2/v2/auth",
        House::Microsoft => "/common/oauth2/v2.0/authorize",
    };
    let mut url = url::Url::parse(&place.identity.at(path)).expect("an address");
    url.query_pairs_mut().extend_pairs([
        ("client_id", place.client.id.as_str()),
        ("redirect_uri", callback),
        ("response_type", "code"),
        ("state", "s"),
        ("nonce", "n"),
        ("scope", scope),
        ("access_type", "offline"),
        ("prompt", "consent"),
    ]);
    let back = place.identity.consent(url.as_str(), address(place.house), choices).await;
    let code = crate::app::signing::parameter(back.as_str(), "code").expect("a code");
    let path = match place.house {
        House::Google => "/token",
        House::Microsoft => "/common/oauth2/v2.0/token",
    };
    let form = [
        ("client_id", place.client.id.as_str()),
        ("client_secret", &place.client.secret),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", callback),
    ];
    let (status, tokens) = place.identity.post(path, &form).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

fn scopes(house: House) -> &'static str {
    match house {
        House::Google => "openid email profile https://mail.google.com/",
        House::Microsoft => {
            "openid email profile offline_access https://graph.microsoft.com/Mail.ReadWrite \
             https://graph.microsoft.com/Mail.Send"
        }
    }
}

#[tokio::test]
async fn a_grant_is_proved_by_renewing_it_and_by_the_provider_s_word_about_whose_it_is() {
    for house in [House::Google, House::Microsoft] {
        let place = Place::start(house).await;
        let callback = place.app.url(&format!("/providers/{}/callback", slug(house)));
        let brought = tokens(&place, &callback, scopes(house), &Choices::default()).await;
        let refresh = brought["refresh_token"].as_str().expect("a refresh token").to_owned();
        let body = |token: &str| json!({ "provider": slug(house), "name": "user_1", "credentials": { "refresh_token": token } });
        let wrong = import(&place.app, &body("1//hunter2"), &[]).await;
        assert_eq!(wrong.status, 400, "{}", wrong.text());
        assert!(wrong.text().contains("credentials.refresh_token was refused"), "{}", wrong.text());
        assert!(!wrong.text().contains("hunter2"));
        // Who names scopes hears that they are unknown, where the provider is asked for them.
        let mut unknown = body(&refresh);
        unknown["credentials"]["scopes"] = json!("https://graph.microsoft.com/No.Such");
        if house == House::Microsoft {
            let reply = import(&place.app, &unknown, &[]).await;
            assert_eq!(reply.status, 400, "{}", reply.text());
            assert!(reply.text().contains("credentials.scopes names what"), "{}", reply.text());
        }
        // What is nobody's fault is no answer.
        place.identity.fault_once(&place.client, "token_500").await;
        let silent = import(&place.app, &body(&refresh), &[]).await;
        assert_eq!(
            (silent.status, silent.header("retry-after").is_empty()),
            (503, false),
            "{}",
            silent.text()
        );
        assert!(place.app.accounts().await.is_empty());
        let reply = import(&place.app, &body(&refresh), &[]).await;
        assert_eq!(reply.status, 201, "{house:?}: {}", reply.text());
        let made = reply.json();
        assert_eq!(made["label"], address(house), "{made}");
        let id = made["account_id"].as_str().expect("an id");
        let given = place.credentials(id, json!({ "refresh": true })).await.json();
        assert_eq!(given["state"], "active", "{given}");
        // Whoever signs in for the same name afterwards mends this account and makes no other.
        assert_eq!(place.account(&place.link(json!({ "name": "user_1" })).await).await, id);
        assert_eq!(place.app.accounts().await.len(), 1);
        let log = place.app.output();
        assert!(!log.contains(&refresh) && !log.contains("hunter2"));
        // It breaks and is mended as any other.
        place.identity.withdraw(&place.client, address(house)).await;
        let broken = place.credentials(id, json!({ "refresh": true })).await.json();
        assert_eq!(broken["state"], "needs_reconnect", "{broken}");
        let link = place.link(json!({ "type": "reconnect", "reconnect_account": id })).await;
        assert_eq!(place.account(&link).await, id);
    }
}

#[tokio::test]
async fn a_grant_without_what_is_needed_is_named_and_left_as_it_was() {
    let place = Place::start(House::Google).await;
    let callback = place.app.url("/providers/google/callback");
    let few = tokens(&place, &callback, "openid email", &Choices::default()).await;
    let refresh = few["refresh_token"].as_str().expect("a refresh token");
    let body = json!({ "provider": "gmail", "credentials": { "refresh_token": refresh } });
    let reply = import(&place.app, &body, &[]).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("https://mail.google.com/ is missing"), "{}", reply.text());
    assert!(place.app.accounts().await.is_empty());
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(place.identity.log(&place.client, "revoke").await.is_empty(), "it may be in use elsewhere");
}

#[tokio::test]
async fn an_import_whose_caller_hangs_up_goes_on_and_is_in_the_audit_log_whatever_comes_of_it() {
    let place = Place::start(House::Google).await;
    let callback = place.app.url("/providers/google/callback");
    let brought = tokens(&place, &callback, scopes(House::Google), &Choices::default()).await;
    let lines = || {
        let (_, listed, _) = place.app.cli(&["audit", "list"]);
        serde_json::from_str::<Value>(&listed).expect("JSON").as_array().expect("a list").clone()
    };
    for (number, (token, outcome)) in
        [(&brought["refresh_token"], "done"), (&json!("nobody's"), "refused")].into_iter().enumerate()
    {
        let body =
            json!({ "provider": "google", "name": "user_1", "credentials": { "refresh_token": token } });
        place.identity.fault(&place.client, "token_hang", 2, true).await;
        let half_a_second = std::time::Duration::from_millis(500);
        let hung_up = tokio::time::timeout(half_a_second, import(&place.app, &body, &[])).await;
        assert!(hung_up.is_err(), "it was answered before");
        assert_eq!(lines().len(), number);
        let line = crate::parts::eventually_async("a line", crate::parts::READY, async || {
            lines().into_iter().nth(number).map(|_| lines()[0].clone())
        })
        .await;
        assert_eq!((&line["action"], &line["outcome"]), (&json!("account.import"), &json!(outcome)));
        let accounts = place.app.accounts().await;
        assert_eq!(accounts.len(), 1, "the one that was brought");
        assert_eq!(line["account"], if number == 0 { accounts[0]["id"].clone() } else { Value::Null });
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_written_down_is_not_imported() {
    let app = shared().app(&[]);
    let database = vestibule::store::sqlite_url(&app.data("vestibule.db"));
    let run = async |sql: &'static str| {
        sqlx::any::install_default_drivers();
        let mut db =
            <sqlx::AnyConnection as sqlx::Connection>::connect(&database).await.expect("the database");
        sqlx::raw_sql(sql).execute(&mut db).await.expect("it runs");
    };
    run("ALTER TABLE audit RENAME TO elsewhere").await;
    let refused = import(&app, &mailbox(shared()), &[]).await;
    assert!(refused.status >= 500, "{}", refused.text());
    run("ALTER TABLE elsewhere RENAME TO audit").await;
    assert!(app.accounts().await.is_empty());
    assert_eq!(import(&app, &mailbox(shared()), &[]).await.status, 201);
}
