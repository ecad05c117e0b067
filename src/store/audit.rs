//! The audit log: who had to do with an account's secret. Rows are added and, when they were kept long enough, removed;
//! nothing changes one.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use sqlx::query::Query;

use super::columns::Columns;
use super::conditions::conditions;
use super::error::Result;
use super::{Db, Store, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{ApiKeyId, AuditId};
use crate::kernel::random::Random;
use crate::kernel::words::{AuditAction, AuditOutcome};

/// One line of the log; nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id, which sorts by time.
    pub id: AuditId,
    /// When.
    pub at: Millis,
    /// What was asked for.
    pub action: AuditAction,
    /// Who: the API key.
    pub key_id: ApiKeyId,
    /// Which account; as it was asked for, where there is no such account.
    pub account_id: Option<String>,
    /// From where: the client's address.
    pub address: Option<String>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Why: a stable code.
    pub cause: Option<String>,
    /// The HTTP request, as its reply and the server's log name it.
    pub request_id: String,
}

/// Which lines to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only those about this account.
    pub account_id: Option<String>,
    /// Only those of this key.
    pub key_id: Option<String>,
    /// Only those older than this one (its id).
    pub before: Option<String>,
    /// At most this many.
    pub limit: i64,
}

impl AuditFilter {
    /// What is asked, and what its conditions compare with; the limit comes last. Only conditions that there are stand in
    /// it, so that each has its index.
    fn statement(&self) -> (String, Vec<&str>) {
        let (conditions, values) = conditions(&[
            ("account_id =", self.account_id.as_deref()),
            ("key_id =", self.key_id.as_deref()),
            ("id <", self.before.as_deref()),
        ]);
        let head =
            "SELECT id, at, action, key_id, account_id, address, outcome, cause, request_id FROM audit";
        let limit = values.len() + 1;
        (format!("{head} {conditions} ORDER BY id DESC LIMIT ${limit}"), values)
    }
}

fn lift(row: &AnyRow) -> Result<AuditEntry> {
    let mut columns = Columns::of("audit", row);
    Ok(AuditEntry {
        id: columns.word(|id| id.parse().ok())?,
        at: columns.time()?,
        action: columns.word(AuditAction::parse)?,
        key_id: columns.word(|id| id.parse().ok())?,
        account_id: columns.maybe_text()?,
        address: columns.maybe_text()?,
        outcome: columns.word(AuditOutcome::parse)?,
        cause: columns.maybe_text()?,
        request_id: columns.text()?,
    })
}

impl Db {
    /// Lines of the log, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn audit(&mut self, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
        let (sql, values) = filter.statement();
        let query = values.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), Query::bind);
        let rows = query.bind(filter.limit).fetch_all(self.conn()).await?;
        rows.iter().map(lift).collect()
    }
}

impl Tx {
    /// Adds a line.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn insert_audit(&mut self, entry: &AuditEntry) -> Result<()> {
        sqlx::query(
            "INSERT INTO audit (id, at, action, key_id, account_id, address, outcome, cause, request_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(entry.id.as_str())
        .bind(entry.at.0)
        .bind(entry.action.as_str())
        .bind(entry.key_id.as_str())
        .bind(entry.account_id.as_deref())
        .bind(entry.address.as_deref())
        .bind(entry.outcome.as_str())
        .bind(entry.cause.as_deref())
        .bind(&*entry.request_id)
        .execute(self.conn())
        .await?;
        Ok(())
    }
}

impl Store {
    /// Removes lines that are older than this time; at most `limit` at once. Gives how many went.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_audit(&self, before: Millis, limit: i64) -> Result<usize> {
        let bound = AuditId::new(before, &Random::new(|bytes| bytes.fill(0)));
        let mut db = self.read().await?;
        let found = sqlx::query("SELECT id FROM audit WHERE id < $1 ORDER BY id LIMIT $2")
            .bind(bound.as_str())
            .bind(limit)
            .fetch_all(db.conn())
            .await?;
        let ids: Vec<String> =
            found.iter().map(|row| Columns::of("audit", row).text()).collect::<Result<_>>()?;
        drop(db);
        if ids.is_empty() {
            return Ok(0);
        }
        self.write(ids, |ids, tx| {
            Box::pin(async move {
                for id in ids {
                    sqlx::query("DELETE FROM audit WHERE id = $1")
                        .bind(id.as_str())
                        .execute(tx.conn())
                        .await?;
                }
                Ok(ids.len())
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AnyConnection, Connection, Row};

    use super::*;
    use crate::store::Kind;
    use crate::store::migrate::migrate;

    #[tokio::test]
    async fn each_way_to_ask_goes_by_an_index() {
        sqlx::any::install_default_drivers();
        let mut db = AnyConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut db, Kind::Sqlite, Millis(0)).await.unwrap();
        let some = |text: &str| Some(text.to_owned());
        let filters = [
            (some("a"), None, None, "audit_account"),
            (None, some("k"), None, "audit_key"),
            (some("a"), None, some("i"), "audit_account"),
            (None, some("k"), some("i"), "audit_key"),
            (None, None, some("i"), "autoindex"),
        ];
        for (account_id, key_id, before, index) in filters {
            let filter = AuditFilter { account_id, key_id, before, limit: 9 };
            let (sql, values) = filter.statement();
            let mut query = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
            for value in &values {
                query = query.bind(*value);
            }
            let plan = query.bind(filter.limit).fetch_all(&mut db).await.unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
            assert!(plan.len() == 1 && plan[0].starts_with("SEARCH audit"), "{filter:?}: {plan:?}");
            assert!(plan[0].contains(index), "{filter:?}: {plan:?}");
        }
    }
}
