//! Sign-ins that wait for the product's backend: nothing works and nobody is told until it has redeemed the code that the
//! browser carried home, in both dialects and over the steps API.

mod holding;
mod kills;
mod reconnect;
mod repairs;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use vestibule::store::sqlite_url;

use crate::app::http::{Reply, send};
use crate::app::person::{Person, Seen};
use crate::app::signing::{leaves_for, parameter};
use crate::app::{App, Link};
use crate::proofs::walk::mailbox;
use crate::stories::{Dialect, HOME};

/// What a dialect calls the option.
fn option(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postpress => "require_finish",
        Dialect::Riposte => "requireFinish",
    }
}

/// A link for a mailbox whose account waits for its code.
async fn link(dialect: Dialect, app: &App, person: &str, notify: &str) -> Link {
    let (path, mut body) = dialect.request(&app.url(""), notify);
    match dialect {
        Dialect::Postpress => {
            body["name"] = json!(person);
            body["success_redirect_url"] = json!(HOME);
            body["failure_redirect_url"] = json!(HOME);
        }
        Dialect::Riposte => body["customUserId"] = json!(person),
    }
    body[option(dialect)] = json!(true);
    dialect.made(&app.api("POST", path, Some(body)).await)
}

/// The whole way with the right password.
async fn signed_in(dialect: Dialect, person: &Person, link: &Link) -> Seen {
    let password = dialect.until_password(person, mailbox(), link).await;
    let sheet = password.sheet().with("password", crate::app::mailbox::PASSWORD);
    person.submit(&password, &sheet).await
}

/// The code that a page sends home with, and nothing else.
fn code(end: &Seen) -> String {
    assert_eq!(end.reply.status, 200, "{}", end.text());
    let url = leaves_for(end);
    assert!(url.starts_with(&format!("{HOME}&finish_code=")), "{url}");
    assert_eq!(parameter(&url, "account_id"), None, "nothing is connected yet");
    let code = parameter(&url, "finish_code").expect("a code");
    assert!(code.len() >= 43, "{code}");
    code
}

/// Redeems a code.
async fn finish(dialect: Dialect, app: &App, link: &Link, code: &str) -> Reply {
    redeem(dialect, &app.url(""), app.key(), &link.id, code).await.expect("an answer")
}

async fn redeem(dialect: Dialect, base: &str, key: &str, id: &str, code: &str) -> Result<Reply, String> {
    let (path, body) = match dialect {
        Dialect::Postpress => {
            (format!("/v1/hosted/accounts/link/{id}/finish"), json!({ "finish_code": code }))
        }
        Dialect::Riposte => (format!("/auth/sessions/{id}/finish"), json!({ "finishCode": code })),
    };
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    crate::app::http::try_send("POST", &format!("{base}{path}"), &headers, body.to_string().as_bytes()).await
}

/// Where a session stands, as its dialect says it, in one spelling, and its cause.
async fn standing(dialect: Dialect, app: &App, link: &Link) -> (String, Value) {
    let path = match dialect {
        Dialect::Postpress => format!("/v1/hosted/accounts/link/{}", link.id),
        Dialect::Riposte => format!("/auth/sessions/{}", link.id),
    };
    let read = app.api("GET", &path, None).await.json();
    (read["status"].as_str().expect("a status").to_lowercase(), read["cause"].clone())
}

/// The one account's status and cause.
async fn account(app: &App) -> (String, Value, Value) {
    let accounts = app.accounts().await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    let one = &accounts[0];
    (one["id"].as_str().expect("an id").to_owned(), one["sources"][0]["status"].clone(), one["cause"].clone())
}

/// What a backend with the right key is told of an account's credentials.
async fn credentials(app: &App, account: &str, body: Value) -> Value {
    let url = app.url(&format!("/v1/accounts/{account}/credentials"));
    let key = app.trusted_key();
    let reply = send("POST", &url, &[("x-api-key", &key)], body.to_string().as_bytes()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// The kinds of what happened to a session or an account.
async fn events(app: &App, subject: &str) -> Vec<String> {
    let mut db =
        SqliteConnection::connect(&sqlite_url(&app.data("vestibule.db"))).await.expect("the database");
    let sql = "SELECT kind FROM events WHERE subject = $1 ORDER BY seq";
    sqlx::query_scalar(sql).bind(subject).fetch_all(&mut db).await.expect("events")
}

/// Lets every code that waits run out, and the server notice.
async fn run_out(app: &mut App) {
    run_out_stopped(app).await;
    app.run();
}

/// The same with a server that stays stopped.
async fn run_out_stopped(app: &mut App) {
    assert!(app.stop());
    let mut db =
        SqliteConnection::connect(&sqlite_url(&app.data("vestibule.db"))).await.expect("the database");
    sqlx::raw_sql(AssertSqlSafe("UPDATE finishes SET due_at = 1")).execute(&mut db).await.expect("an update");
    db.close().await.expect("it closes");
}

/// How many sign-ins wait.
async fn waiting(app: &App) -> i64 {
    let mut db =
        SqliteConnection::connect(&sqlite_url(&app.data("vestibule.db"))).await.expect("the database");
    sqlx::query_scalar("SELECT COUNT(*) FROM finishes").fetch_one(&mut db).await.expect("a count")
}
