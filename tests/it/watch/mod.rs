//! Accounts over time: looked at, broken, healed, told of; beside a real mail system and stand-ins of Google and Microsoft
//! that people withdraw their grants at.

mod clients;
pub mod clock;
mod endings;
mod events;
mod grants;
mod nodes;
mod outages;
mod passwords;

use std::time::Duration;

use serde_json::Value;
use sqlx::{AnyConnection, Connection, Row};

use crate::app::App;
use crate::parts::{READY, eventually_async};

/// Settings under which accounts are looked at as often as a test can wait.
pub const OFTEN: &[(&str, &str)] =
    &[("CHECKS__GRANTS_SECONDS", "2"), ("CHECKS__PASSWORDS_SECONDS", "2"), ("CHECKS__BROKEN_SECONDS", "2")];

/// Those, and more.
pub fn often<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    OFTEN.iter().chain(more).copied().collect()
}

/// An account as postpress shows it.
pub async fn shown(app: &App, account: &str) -> Value {
    let reply = app.api("GET", &format!("/v1/accounts/{account}"), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// An account's status, as a word.
pub fn status(shown: &Value) -> &str {
    shown["sources"][0]["status"].as_str().unwrap_or_else(|| panic!("{shown}"))
}

/// Waits until an account is as wanted; what is shown of it then.
pub async fn until(app: &App, account: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    // Whoever did not answer is left alone for half a minute and more.
    eventually_async(what, READY.max(Duration::from_secs(150)), async || {
        let shown = shown(app, account).await;
        wanted(&shown).then_some(shown)
    })
    .await
}

/// Waits until an account has a status.
pub async fn until_status(app: &App, account: &str, wanted: &str) -> Value {
    until(app, account, wanted, |shown| status(shown) == wanted).await
}

/// Waits until an account was looked at after a moment that was shown (or for the first time).
pub async fn until_looked_at(app: &App, account: &str, after: &Value) -> Value {
    let before = after["checked_at"].as_str().unwrap_or_default().to_owned();
    until(app, account, "another look", |shown| shown["checked_at"].as_str().is_some_and(|at| *at > *before))
        .await
}

/// What has happened to an account, in order: each event's kind and facts.
pub async fn events(database: &str, account: &str) -> Vec<(String, Value)> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(database).await.expect("the database");
    let rows = sqlx::query("SELECT kind, facts FROM events WHERE subject = $1 ORDER BY seq")
        .bind(account.to_owned())
        .fetch_all(&mut connection)
        .await
        .expect("the events");
    let event = |row: &sqlx::any::AnyRow| {
        let facts: String = row.get(1);
        (row.get(0), serde_json::from_str(&facts).expect("facts"))
    };
    rows.iter().map(event).collect()
}

/// The address of a server's own SQLite file.
pub fn file(app: &App) -> String {
    format!("sqlite://{}", app.data("vestibule.db").display())
}

/// The kinds of an account's events.
pub async fn kinds(app: &App, account: &str) -> Vec<String> {
    events(&file(app), account).await.into_iter().map(|(kind, _)| kind).collect()
}

/// Makes every account of a server that does not run due at once, as after a long stop.
pub async fn due_now(database: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(database).await.expect("the database");
    sqlx::query("UPDATE accounts SET check_at = 0").execute(&mut connection).await.expect("an update");
}
