//! Nothing secret in a log or at rest, and an end to guessing.

use serde_json::json;

use super::walk::{mailbox, succeeded};
use crate::app::http::send;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually};

#[tokio::test]
async fn ten_wrong_passwords_end_the_session_with_a_page_that_says_so() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({ "failure_redirect_url": "https://app.example.com/failed" })).await;
    let person = Person::new();
    let mut seen = person.until_password(&mailbox, &link).await;
    // Looking at another way tries no password.
    let other = person.submit(&seen, &seen.sheet().pressing("alternative:servers")).await;
    seen = person.submit(&other, &other.sheet()).await;
    for number in 1..=9 {
        seen = person.submit(&seen, &seen.sheet().with("password", &format!("wrong {number}"))).await;
        assert_eq!((seen.reply.status, seen.step()), (200, "password"), "{number}: {}", seen.text());
    }
    let end = person.submit(&seen, &seen.sheet().with("password", "wrong 10")).await;
    assert_eq!((end.reply.status, end.has("form")), (410, false), "{}", end.text());
    assert_eq!(
        end.attribute("a.button", "href").as_deref(),
        Some("https://app.example.com/failed?error=too_many_tries")
    );
    let late = person.submit(&seen, &seen.sheet().with("password", PASSWORD)).await;
    assert_eq!(late.reply.status, 410);
    let session = app.session(&link.id).await;
    assert_eq!((&session["status"], &session["cause"]), (&json!("FAILED"), &json!("too_many_tries")));
    eventually("ten refusals", READY, || (mailbox.dovecot.refusals(ADDRESS) == 10).then_some(()));
    assert_eq!(mailbox.dovecot.logins(ADDRESS), 0);
    assert!(app.accounts().await.is_empty());
}

#[tokio::test]
async fn nothing_secret_is_in_the_log_or_in_the_database() {
    let mailbox = mailbox();
    let app = mailbox.app(&[("LOG", "trace")]);
    let sink = Sink::start();
    let link = app
        .link(json!({
            "name": "user_token_4711",
            "user_label": "Label For Ada",
            "notify_url": sink.url("/hook/hooksecret?token=querysecret"),
            "success_redirect_url": "https://app.example.com/done?state=homesecret",
        }))
        .await;
    let person = Person::new();
    let welcome = person.open(&link.url).await;
    let form_token = |seen: &crate::app::person::Seen| {
        seen.attribute("input[name=\"form\"]", "value").expect("a form token")
    };
    let mut secrets = vec![form_token(&welcome)];
    let password = person.until_password(mailbox, &link).await;
    secrets.push(form_token(&password));
    let wrong = person.submit(&password, &password.sheet().with("password", "wrongpassword0815")).await;
    let end = person.submit(&wrong, &wrong.sheet().with("password", PASSWORD)).await;
    assert!(succeeded(&end), "{}", end.text());
    sink.wait_for(1, READY).await;
    // What goes astray must not end up in the log either.
    let secret = link.url.rsplit('/').next().unwrap().to_owned();
    for path in [
        format!("/Connect/{secret}"),
        format!("/connect/{secret}/x"),
        format!("/{secret}"),
        format!("//connect//{secret}"),
        format!("/connect/{secret}?x={secret}"),
        format!("/v1/connect/{secret}"),
    ] {
        send("GET", &app.url(&path), &[("referer", &link.url)], b"").await;
    }
    send("GET", &app.url("/v1/accounts"), &[("authorization", "Bearer vst_wrongkey123")], b"").await;
    let signing = super::walk::signing_secret(&app);
    secrets.extend([
        secret,
        PASSWORD.to_owned(),
        "wrongpassword0815".to_owned(),
        signing,
        "vst_wrongkey123".to_owned(),
    ]);
    secrets.extend(
        ["user_token_4711", "Label For Ada", "hooksecret", "querysecret", "homesecret"].map(str::to_owned),
    );
    secrets.extend(person.cookie_header().split("; ").map(|pair| pair.split_once('=').unwrap().1.to_owned()));
    let key_file = std::fs::read_to_string(app.data("vestibule.key")).unwrap();
    let key = key_file.lines().last().unwrap().split_once(':').unwrap().1.to_owned();
    secrets.push(key);
    let log: String = app
        .output()
        .lines()
        .filter(|line| !line.trim_start().starts_with("vst_"))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(log.contains("request"), "the log is on");
    secrets.push(app.key().to_owned());
    secrets.push(ADDRESS.to_owned());
    let files: Vec<Vec<u8>> = ["vestibule.db", "vestibule.db-wal"]
        .iter()
        .map(|name| std::fs::read(app.data(name)).unwrap_or_default())
        .collect();
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "in the log: {secret}: {}", line_with(&log, secret));
        for bytes in &files {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "in the database in clear: {secret}");
        }
    }
}

fn line_with(log: &str, text: &str) -> String {
    log.lines().find(|line| line.contains(text)).unwrap_or_default().to_owned()
}
