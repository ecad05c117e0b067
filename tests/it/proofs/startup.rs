//! Starting and stopping: what must not start says why, all at once, and what stops finishes first.

use serde_json::json;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use super::nodes::ring;
use super::walk::{go_on, mailbox, succeeded};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, PASSWORD};
use crate::app::person::Person;
use crate::parts::binary::vestibule;
use crate::parts::front::Front;
use crate::parts::scratch::Scratch;
use crate::parts::{READY, eventually_async, free_port};

/// Starts the server, which must end by itself; gives what it says.
fn refused(app: &App) -> String {
    let (worked, _, said) = app.cli(&["serve"]);
    assert!(!worked, "it started: {said}");
    said
}

#[tokio::test]
async fn a_sealed_database_without_its_key_does_not_start_and_is_not_touched() {
    let mut app = App::start();
    let link = app.link(json!({})).await;
    assert!(app.stop());
    let key = app.data("vestibule.key");
    let kept = std::fs::read(&key).unwrap();
    let id = String::from_utf8_lossy(&kept).lines().last().unwrap().split(':').next().unwrap().to_owned();

    std::fs::remove_file(&key).unwrap();
    let said = refused(&app);
    assert!(said.contains(&id) && said.contains("does not exist"), "{said}");
    assert!(!key.exists(), "a lost key is not papered over");

    let other = App::start();
    std::fs::copy(other.data("vestibule.key"), &key).unwrap();
    let said = refused(&app);
    assert!(said.contains(&id), "another ring: {said}");
    // The right name with other bytes is the wrong key, too.
    std::fs::write(&key, ring().replace("k1", &id)).unwrap();
    let said = refused(&app);
    assert!(said.contains("key") || said.contains("sealed"), "{said}");

    std::fs::write(&key, &kept).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(&app);
    assert!(said.contains("600") && said.contains("644"), "{said}");
    for bits in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(bits)).unwrap();
        refused(&app);
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    app.run();
    assert_eq!(app.session(&link.id).await["status"], "OPEN");
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::metadata(key.parent().unwrap()).unwrap().permissions().mode() & 0o077, 0);
}

#[tokio::test]
async fn a_second_server_on_the_same_sqlite_database_does_not_start() {
    let first = App::start();
    let folder = first.data("").display().to_string();
    let second = App::prepared(&[("DATA_DIR", &folder)]);
    assert!(refused(&second).contains("another server is running"));

    // Nor one that finds the same file from another data directory.
    let shared = Scratch::new("shared");
    let url = format!("sqlite://{}?mode=rwc", shared.join("one.db").display());
    let keys = ring();
    let one = App::with(&[("DATABASE_URL", &url), ("KEYS", &keys)]);
    let two = App::prepared(&[("DATABASE_URL", &url), ("KEYS", &keys)]);
    assert!(refused(&two).contains("another server is running"));
    assert_eq!(one.accounts().await.len(), 0);
}

#[test]
fn every_bad_setting_is_named_in_one_go() {
    let app = App::prepared(&[
        ("LISTEN", "nowhere"),
        ("PUBLIC_URL", "ftp://x/y"),
        ("DATABASE_CONNECTIONS", "0"),
        ("LOG_FORMAT", "xml"),
        ("EGRESS_ALLOW", "all"),
    ]);
    let said = refused(&app);
    for name in ["listen", "public_url", "database_connections", "log_format", "egress_allow"] {
        assert!(said.contains(&format!("{name}: ")), "{name} is not in: {said}");
    }
    let app = App::prepared(&[("LISTN", "x"), ("PROVIDERS__IMAP__PORT", "1"), ("SESSION_MAX_DAYS", "many")]);
    let said = refused(&app);
    for name in ["VESTIBULE_LISTN", "VESTIBULE_SESSION_MAX_DAYS"] {
        assert!(said.contains(name), "{name} is not in: {said}");
    }
    let app = App::prepared(&[("PROVIDERS__IMAP__PORT", "1"), ("PROVIDERS__IMAP__CONNECT_SECONDS", "0")]);
    let said = refused(&app);
    assert!(said.contains("providers.imap.port") && said.contains("connect_seconds"), "{said}");
    let app = App::prepared(&[("KEYS", "k1:short")]);
    assert!(refused(&app).contains("keys"));
    assert!(!app.data("vestibule.db").exists() || app.cli(&["config", "check"]).2.contains("key"));
}

#[test]
fn a_stand_in_for_a_provider_is_refused_where_people_would_meet_it() {
    let root = "0a".repeat(32);
    let stand_in = [
        ("PROVIDERS__WHATSAPP__ENABLED", "true"),
        ("PROVIDERS__WHATSAPP__TEST_ENDPOINT", "ws://127.0.0.1:9/ws/chat"),
        ("PROVIDERS__WHATSAPP__TEST_ROOT", root.as_str()),
    ];
    let there = [("PUBLIC_URL", "https://connect.example.com"), ("EGRESS_ALLOW", "")];
    let said = refused(&App::prepared(&[&stand_in[..], &there].concat()));
    for key in ["providers.whatsapp.test_endpoint", "providers.whatsapp.test_root"] {
        assert!(said.contains(key), "{key} is not in: {said}");
    }
    assert!(said.contains("for tests only"), "{said}");
    let mut here = App::prepared(&stand_in);
    here.run();
}

#[test]
fn a_setting_that_is_no_text_is_named_and_not_passed_over() {
    let mut command = Command::new(vestibule());
    command.args(["config", "check"]).env_clear().env("VESTIBULE_PRODUCT_NAME", OsStr::from_bytes(b"\xff"));
    let ran = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && said.contains("VESTIBULE_PRODUCT_NAME: must be text"), "{said}");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let keys = ring();
    let schema = crate::parts::postgres::schema();
    let mut app = App::with(&[("DATABASE_URL", &schema.url()), ("KEYS", &keys)]);
    assert!(app.stop());
    schema.psql("INSERT INTO migrations (number, at) VALUES (999999999999, 0)");
    assert!(refused(&app).contains("newer version"));
}

#[test]
fn a_port_that_is_taken_ends_the_start_with_its_name() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let app = App::prepared(&[("LISTEN", &address)]);
    assert!(refused(&app).contains(&address));
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_runs_and_ends_well() {
    let mailbox = mailbox();
    let wire = Front::start(mailbox.dovecot.tls());
    let port = wire.address().port().to_string();
    let ports = format!("{port},{}", mailbox.submission.tls().port());
    let mut app = mailbox.app(&[("PROVIDERS__IMAP__PORTS", &ports)]);
    let link = app.link(json!({})).await;
    let person = Person::new();
    let address = person.begin(&link).await;
    let servers = person.submit(&address, &address.sheet().with("email", ADDRESS)).await;
    let mut sheet = servers.sheet();
    for (name, value) in mailbox.servers() {
        sheet = sheet.with(name, &value);
    }
    let password = person.submit(&servers, &sheet.with("imap_port", &port)).await;
    wire.hold();
    let url = app.url(&password.sheet().action);
    let answer = tokio::spawn({
        let (person, sheet) = (person.clone(), password.sheet().with("password", PASSWORD));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&sheet.fields).finish();
        async move {
            let form =
                [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
            person.send("POST", &url, &form, body.as_bytes()).await
        }
    });
    eventually_async("the conversation", READY, async || (wire.taken() > 0).then_some(())).await;
    app.process().signal("TERM");
    eventually_async("it takes nobody new", READY, async || {
        crate::parts::dial(app.address()).is_err().then_some(())
    })
    .await;
    assert!(app.process().ended().is_none(), "it waits for the answer");
    wire.release();
    assert_eq!(answer.await.unwrap().expect("the running request is finished").status, 303);
    let end = app.process().wait(Duration::from_secs(10));
    assert!(end.success(), "{end}");
    app.run();
    let end = go_on(&person, mailbox, &link.url, &mut || panic!("no answer")).await;
    assert!(succeeded(&end));
    assert_eq!(app.session(&link.id).await["status"], "CONNECTED");
}
