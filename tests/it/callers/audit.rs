//! The audit log: whoever asks for credentials is in it before they have an answer, whatever that is, and nothing secret
//! ever is.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use vestibule::store::sqlite_url;

use crate::app::App;
use crate::app::http::{Reply, send};
use crate::app::mailbox::{ADDRESS, PASSWORD};
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::mailbox;
use crate::steps::Screen;

async fn ask(app: &App, key: &str, account: &str, body: &str) -> Reply {
    let url = app.url(&format!("/v1/accounts/{account}/credentials"));
    // Lines of one millisecond have no order.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    send("POST", &url, &[("x-api-key", key)], body.as_bytes()).await
}

/// The log as the command line lists it, newest first.
fn lines(app: &App, more: &[&str]) -> Vec<Value> {
    let (worked, listed, said) = app.cli(&[&["audit", "list"], more].concat());
    assert!(worked, "{said}");
    serde_json::from_str::<Value>(&listed).expect("JSON").as_array().expect("a list").clone()
}

/// The id of the newest key.
fn newest_key(app: &App) -> String {
    let (_, listed, _) = app.cli(&["keys", "list"]);
    let keys: Value = serde_json::from_str(&listed).expect("JSON");
    keys.as_array().expect("keys").last().expect("a key")["id"].as_str().expect("an id").to_owned()
}

async fn run(app: &App, sql: &str) {
    let mut db =
        SqliteConnection::connect(&sqlite_url(&app.data("vestibule.db"))).await.expect("the database");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut db).await.expect("it runs");
}

#[tokio::test]
async fn every_read_and_every_refusal_is_written_down_with_who_and_from_where_and_never_with_a_secret() {
    let app = mailbox().app(&[("TRUSTED_PROXIES", "127.0.0.0/8")]);
    let account = Screen::start(&app, &app.link(json!({})).await).await.connect(mailbox()).await;
    let trusted = app.trusted_key();
    let id = newest_key(&app);
    let revoked = app.key_for(&["--credentials"]);
    let revoked_id = newest_key(&app);
    assert!(app.cli(&["keys", "revoke", &revoked_id]).0);
    let url = app.url(&format!("/v1/accounts/{account}/credentials"));
    let headers = [("x-api-key", &*trusted), ("x-forwarded-for", "203.0.113.7")];
    let given = send("POST", &url, &headers, b"").await;
    assert_eq!(given.status, 200, "{}", given.text());
    assert_eq!(ask(&app, &trusted, &account, "[]").await.status, 400);
    assert_eq!(ask(&app, &trusted, "acc_01M82PMF2KM01WCYP2MQRYWX7J", "").await.status, 404);
    assert_eq!(ask(&app, app.key(), &account, "").await.status, 401);
    assert_eq!(ask(&app, &revoked, &account, "").await.status, 401);
    // Nobody knows who that is.
    assert_eq!(ask(&app, "vst_unknown", &account, "").await.status, 401);
    let all = lines(&app, &[]);
    let told = |line: &Value| {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(line["action"], "credentials.read");
        assert!(line["at"].is_string() && text("request").starts_with("req_"), "{line}");
        (text("key"), text("outcome"), text("cause"))
    };
    let told: Vec<_> = all.iter().rev().map(told).collect();
    let line = |key: &str, outcome: &str, cause: &str| (key.to_owned(), outcome.to_owned(), cause.to_owned());
    assert_eq!(told.len(), 5, "{all:?}");
    assert_eq!(told[0], line(&id, "done", ""));
    assert_eq!(told[1], line(&id, "refused", "invalid_parameters"));
    assert_eq!(told[2], line(&id, "refused", "resource_not_found"));
    assert_eq!((told[3].1.as_str(), told[3].2.as_str()), ("refused", "insufficient_privileges"));
    assert_eq!(told[4], line(&revoked_id, "refused", "invalid_credentials"));
    let first = all.last().expect("a line");
    assert_eq!((&first["address"], &first["account"]), (&json!("203.0.113.7"), &json!(account)));
    assert_eq!(first["request"], given.header("x-request-id"));
    let text = serde_json::to_string(&all).expect("JSON");
    for secret in [PASSWORD, "correct horse", ADDRESS, &*trusted, app.key()] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(lines(&app, &["--account", &account]).len(), 4);
    assert_eq!(lines(&app, &["--key", &id, "--limit", "2"]).len(), 2);
    // Over the API with a key of its own, page by page.
    let auditor = app.key_for(&["--audit", "--no-manage"]);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = app.url(&format!("/v1/audit?limit=2&account_id={account}&cursor={cursor}"));
        let page = send("GET", &url, &[("x-api-key", &auditor)], b"").await.json();
        seen.extend(page["items"].as_array().expect("lines").iter().map(|line| line["id"].clone()));
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    }
    let ids: Vec<_> = lines(&app, &["--account", &account]).iter().map(|line| line["id"].clone()).collect();
    assert_eq!(seen, ids);
    for key in [app.key(), &trusted] {
        let refused = send("GET", &app.url("/v1/audit"), &[("x-api-key", key)], b"").await;
        assert_eq!(refused.json()["type"], "errors/insufficient_privileges");
        assert!(refused.text().contains("--audit"), "{}", refused.text());
    }
    assert_eq!(ask(&app, &auditor, &account, "").await.status, 401, "it reads the log and nothing else");
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_handed_out() {
    let app = mailbox().app(&[]);
    let account = Screen::start(&app, &app.link(json!({})).await).await.connect(mailbox()).await;
    let key = app.trusted_key();
    run(&app, "ALTER TABLE audit RENAME TO elsewhere").await;
    let refused = ask(&app, &key, &account, "").await;
    assert!(refused.status >= 500, "{}", refused.text());
    assert!(!refused.text().contains("correct horse"), "{}", refused.text());
    run(&app, "ALTER TABLE elsewhere RENAME TO audit").await;
    assert_eq!(ask(&app, &key, &account, "").await.status, 200);
    assert_eq!(lines(&app, &[]).len(), 1);
}

#[tokio::test]
async fn lines_are_kept_as_long_as_the_operator_wants_and_no_longer() {
    let mut app = mailbox().app(&[("KEEP_AUDIT_DAYS", "2")]);
    let key = app.trusted_key();
    assert_eq!(ask(&app, &key, "acc_01M82PMF2KM01WCYP2MQRYWX7J", "").await.status, 404);
    // One that is older by its id, which is what is gone by.
    let old = "INSERT INTO audit (id, at, action, key_id, account_id, address, outcome, cause, request_id) \
               SELECT 'aud_01F8MECHZX3TBDSZ7XRADM79XE', 1, action, key_id, account_id, address, outcome, cause, \
               request_id FROM audit";
    run(&app, old).await;
    assert_eq!(lines(&app, &[]).len(), 2);
    assert!(app.stop());
    app.run();
    eventually_async("the sweep", READY, async || (lines(&app, &[]).len() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_key_that_could_do_nothing_is_not_made() {
    let app = mailbox().app(&[]);
    let (made, _, why) = app.cli(&["keys", "create", "--name", "nothing", "--no-manage"]);
    assert!(!made && why.contains("--credentials or --audit"), "{why}");
}

#[tokio::test]
async fn a_key_that_may_do_nothing_cannot_fill_the_log_and_takes_nobody_s_place_in_it() {
    let app = mailbox().app(&[("LOG", "info")]);
    let account = Screen::start(&app, &app.link(json!({})).await).await.connect(mailbox()).await;
    let revoked = app.key_for(&["--credentials"]);
    let revoked_id = newest_key(&app);
    assert!(app.cli(&["keys", "revoke", &revoked_id]).0);
    for _ in 0..100 {
        assert_eq!(ask(&app, &revoked, &account, "").await.status, 401);
    }
    let written = lines(&app, &["--key", &revoked_id, "--limit", "200"]).len();
    assert!((30..60).contains(&written), "{written} lines for a hundred refusals");
    let said = "refused more often than the audit log takes";
    assert_eq!(app.output().lines().filter(|line| line.contains(said)).count(), 1, "{}", app.output());
    // Another key is refused and answered as ever, and both are written down.
    let other = app.trusted_key();
    let id = newest_key(&app);
    assert_eq!(ask(&app, &other, "acc_01M82PMF2KM01WCYP2MQRYWX7J", "").await.status, 404);
    for _ in 0..40 {
        assert_eq!(ask(&app, &other, &account, "").await.status, 200);
    }
    assert_eq!(lines(&app, &["--key", &id, "--limit", "200"]).len(), 41);
}
