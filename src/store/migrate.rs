//! Bringing the schema up to date. Several nodes may try at once: each migration's row is inserted first, in
//! the migration's own transaction, so that exactly one of them runs it and the others wait and pass over.

use sqlx::AnyConnection;

use super::error::{Error, Result};
use super::fragments::Kind;
use crate::kernel::clock::Millis;

/// The migrations, in order: number (the file's date) and SQL. A released one never changes.
const MIGRATIONS: &[(i64, &str)] = &[
    (202_611_220_001, include_str!("../../migrations/202611220001_init.sql")),
    (202_611_270_001, include_str!("../../migrations/202611270001_connects.sql")),
    (202_611_270_002, include_str!("../../migrations/202611270002_idempotent_calls.sql")),
    (202_611_270_003, include_str!("../../migrations/202611270003_grants.sql")),
    (202_611_270_004, include_str!("../../migrations/202611270004_parked.sql")),
    (202_611_270_010, include_str!("../../migrations/202611270010_webhooks.sql")),
    (202_611_270_020, include_str!("../../migrations/202611270020_watch.sql")),
    (202_611_270_030, include_str!("../../migrations/202611270030_finish.sql")),
    (202_611_270_040, include_str!("../../migrations/202611270040_conversations.sql")),
    (202_611_270_050, include_str!("../../migrations/202611270050_told_once.sql")),
    (202_611_270_060, include_str!("../../migrations/202611270060_due.sql")),
    (202_611_270_070, include_str!("../../migrations/202611270070_handed_out.sql")),
    (202_611_270_080, include_str!("../../migrations/202611270080_held.sql")),
    (202_611_280_001, include_str!("../../migrations/202611280001_held_accounts.sql")),
];

/// Applies what is missing; gives the numbers that this call applied.
pub(super) async fn migrate(conn: &mut AnyConnection, kind: Kind, now: Millis) -> Result<Vec<i64>> {
    let table =
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY, at BIGINT NOT NULL)";
    let mut made = sqlx::raw_sql(table).execute(&mut *conn).await;
    if made.is_err() {
        // Two nodes creating the table at the same moment: the second finds it there.
        made = sqlx::raw_sql(table).execute(&mut *conn).await;
    }
    made?;
    let done: Vec<i64> =
        sqlx::query_scalar("SELECT number FROM migrations ORDER BY number").fetch_all(&mut *conn).await?;
    let known = MIGRATIONS.last().map_or(0, |(number, _)| *number);
    if done.last().is_some_and(|newest| *newest > known) {
        return Err(Error::corrupt("migrations", "the database was used by a newer version of Vestibule"));
    }
    let mut applied = Vec::new();
    for (number, sql) in MIGRATIONS.iter().filter(|(number, _)| !done.contains(number)) {
        sqlx::raw_sql(kind.begin()).execute(&mut *conn).await?;
        match one(conn, *number, sql, now).await {
            Ok(true) => {
                sqlx::raw_sql("COMMIT").execute(&mut *conn).await?;
                applied.push(*number);
            }
            // Another node was quicker.
            Ok(false) => {
                sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await?;
            }
            Err(error) => {
                sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await?;
                return Err(error);
            }
        }
    }
    Ok(applied)
}

/// Runs one migration; `false` when its row is there already. A conflict inside the migration is an error.
async fn one(conn: &mut AnyConnection, number: i64, sql: &'static str, now: Millis) -> Result<bool> {
    let noted =
        sqlx::query("INSERT INTO migrations (number, at) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING")
            .bind(number)
            .bind(now.0)
            .execute(&mut *conn)
            .await?;
    if noted.rows_affected() == 1 {
        sqlx::raw_sql(sql).execute(&mut *conn).await?;
    }
    Ok(noted.rows_affected() == 1)
}
