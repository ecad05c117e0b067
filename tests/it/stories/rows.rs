//! What a story leaves in a server's own database: its sessions, attempts, accounts and events, and the calls that tell of
//! them. Ids, times, sealed values and what says which dialect it was are left out; everything else must be the same.

use serde_json::Value;
use sqlx::{AnyConnection, Connection, Row};

use crate::app::App;
use crate::parts::{READY, eventually_async};
use crate::watch::file;

/// One line of JSON a row. Events and calls of one subject have their own order, subjects that of their making.
const KEPT: [&str; 4] = [
    "SELECT json_object('session', state, 'purpose', purpose, 'providers', providers, 'provider', provider, 'named', \
     name_mark IS NOT NULL, 'claims', claim_no, 'secrets', secrets_tried, 'cause', cause, 'events', seq, 'account', \
     (SELECT count(*) FROM accounts WHERE accounts.id = account_id), 'ended', ended_at IS NOT NULL) FROM sessions ORDER BY id",
    "SELECT json_object('attempt', state, 'provider', provider, 'claim', claim_no) FROM attempts ORDER BY id",
    "SELECT json_object('account', status, 'provider', provider, 'cause', cause, 'named', name_mark IS NOT NULL, \
     'events', seq) FROM accounts ORDER BY id",
    "SELECT json_object('event', kind, 'about', substr(subject, 1, 3), 'number', seq, 'facts', json(facts)) FROM events \
     ORDER BY substr(subject, 1, 3), subject, seq",
];

const CALLS: &str = "SELECT json_object('call', kind, 'about', substr(d.subject, 1, 3), 'number', e.seq, 'state', state, \
    'tries', tries, 'ended', ended_at IS NOT NULL, 'answers', (SELECT json_group_array(coalesce(status, problem)) \
    FROM delivery_tries WHERE delivery_id = d.id)) \
    FROM deliveries d JOIN events e ON e.id = d.event_id ORDER BY substr(d.subject, 1, 3), d.subject, e.seq";

/// What a server holds.
pub struct Rows {
    /// Sessions, attempts, accounts and events.
    pub kept: Vec<Value>,
    /// Calls to the backend.
    pub calls: Vec<Value>,
}

/// Reads it, once no call is under way any more.
pub async fn rows(app: &App) -> Rows {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&file(app)).await.expect("the database");
    eventually_async("the end of all calls", READY, async || {
        let due = "SELECT count(*) FROM deliveries WHERE state = 'due'";
        let left: i64 = sqlx::query(due).fetch_one(&mut connection).await.expect("a number").get(0);
        (left == 0).then_some(())
    })
    .await;
    let mut kept = Vec::new();
    for sql in KEPT {
        kept.extend(read(&mut connection, sql).await);
    }
    Rows { kept, calls: read(&mut connection, CALLS).await }
}

async fn read(connection: &mut AnyConnection, sql: &'static str) -> Vec<Value> {
    let found = sqlx::query(sql).fetch_all(connection).await.expect("rows");
    found.iter().map(|row| without_ids(serde_json::from_str(row.get(0)).expect("JSON"))).collect()
}

/// The row with its kind in place of each id.
fn without_ids(row: Value) -> Value {
    match row {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, without_ids(value))).collect(),
        Value::String(text) => match ["acc_", "authsess_"].iter().find(|kind| text.starts_with(**kind)) {
            Some(kind) => Value::from(*kind),
            None => Value::String(text),
        },
        other => other,
    }
}
