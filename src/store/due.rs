//! Where looks at accounts are due, and bringing them forward. Always: finding what is due costs as much as is looked at, a
//! few hundred rows, however many accounts and lanes there are.

use super::columns::Columns;
use super::error::Result;
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::AccountId;

/// The condition on holds is written so that no index is taken for it: almost all accounts meet it.
const LONGEST_DUE: &str = "SELECT check_lane, MIN(check_at), CAST(COUNT(*) AS BIGINT) FROM (SELECT check_lane, check_at \
    FROM accounts WHERE check_at <= $1 AND COALESCE(busy_until, 0) = 0 ORDER BY check_at LIMIT $2) due \
    GROUP BY check_lane ORDER BY MIN(check_at), check_lane";

/// A lane in which something may be due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Since when its first account is due.
    pub since: Millis,
}

/// What is due longest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueLanes {
    /// Its lanes, the longest due first.
    pub lanes: Vec<Lane>,
    /// Whether more may be due, in other lanes.
    pub more: bool,
}

impl Db {
    /// The lanes of those accounts that are due longest and that nobody holds; of so many accounts at most.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn longest_due(&mut self, now: Millis, most: i64) -> Result<DueLanes> {
        let rows = sqlx::query(LONGEST_DUE).bind(now.0).bind(most).fetch_all(self.conn()).await?;
        let (mut lanes, mut seen) = (Vec::new(), 0);
        for row in &rows {
            let mut columns = Columns::of("accounts", row);
            lanes.push(Lane { name: columns.text()?, since: columns.time()? });
            seen += columns.int()?;
        }
        Ok(DueLanes { lanes, more: seen >= most })
    }

    /// Walks through the lanes in the order of their names, beginning with `from`: so many of them, whether or not something
    /// is due there, and where the next walk begins.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn walk_lanes(&mut self, from: &str, most: i64) -> Result<(Vec<Lane>, Option<String>)> {
        let rows = sqlx::query(
            "WITH RECURSIVE lanes(lane, number) AS (SELECT MIN(check_lane), 0 FROM accounts WHERE check_lane >= $1 \
             UNION ALL SELECT (SELECT MIN(a.check_lane) FROM accounts a WHERE a.check_lane > lanes.lane), number + 1 \
             FROM lanes WHERE lanes.lane IS NOT NULL AND number < $2) \
             SELECT lane, (SELECT MIN(b.check_at) FROM accounts b WHERE b.check_lane = lane) \
             FROM lanes WHERE lane IS NOT NULL ORDER BY number",
        )
        .bind(from)
        .bind(most)
        .fetch_all(self.conn())
        .await?;
        let mut lanes = Vec::new();
        for row in &rows {
            let mut columns = Columns::of("accounts", row);
            let name = columns.text()?;
            lanes.push((name, columns.maybe_time()?));
        }
        let full = i64::try_from(lanes.len()).unwrap_or(i64::MAX) > most;
        let next = if full { lanes.pop().map(|(name, _)| name) } else { None };
        // A lane that emptied between two of the reads has no time.
        let lane = |(name, since): (String, Option<Millis>)| since.map(|since| Lane { name, since });
        Ok((lanes.into_iter().filter_map(lane).collect(), next))
    }

    /// When the first look is due that nobody is at, and when the last one is.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn first_and_last_look(&mut self) -> Result<(Option<Millis>, Option<Millis>)> {
        let row = sqlx::query(
            "SELECT (SELECT check_at FROM accounts WHERE COALESCE(busy_until, 0) = 0 ORDER BY check_at LIMIT 1), \
             (SELECT MAX(check_at) FROM accounts)",
        )
        .fetch_one(self.conn())
        .await?;
        let mut columns = Columns::of("accounts", &row);
        Ok((columns.maybe_time()?, columns.maybe_time()?))
    }
}

impl Tx {
    /// Brings an account's next look forward.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn look_soon(&mut self, id: &AccountId, at: Millis) -> Result<()> {
        let sql = "UPDATE accounts SET check_at = $1 WHERE id = $2 AND check_at > $1";
        sqlx::query(sql).bind(at.0).bind(id.as_str()).execute(self.conn()).await?;
        Ok(())
    }

    /// Brings forward what lies too far ahead, as it does after a clock was wrong; gives how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn look_again(&mut self, beyond: Millis, at: Millis) -> Result<u64> {
        let sql = "UPDATE accounts SET check_at = $1 WHERE check_at > $2";
        let done = sqlx::query(sql).bind(at.0).bind(beyond.0).execute(self.conn()).await?;
        Ok(done.rows_affected())
    }

    /// Brings the next look forward of accounts that were granted to another client than ours and are not known to be,
    /// and of those that were marked so and are ours again; gives how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn look_at_clients(
        &mut self,
        provider: &str,
        client: &str,
        cause: &str,
        at: Millis,
    ) -> Result<u64> {
        let done = sqlx::query(
            "UPDATE accounts SET check_at = $1 WHERE provider = $2 AND check_at > $1 AND client IS NOT NULL \
             AND ((client <> $3 AND COALESCE(cause, '') <> $4) OR (client = $3 AND COALESCE(cause, '') = $4))",
        )
        .bind(at.0)
        .bind(provider)
        .bind(client)
        .bind(cause)
        .execute(self.conn())
        .await?;
        Ok(done.rows_affected())
    }

    /// Brings the next look forward of accounts about which there was no answer because of our settings; gives how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn look_at_settings(&mut self, at: Millis) -> Result<u64> {
        // The trouble of an account that is not in error yet stands in the JSON, whose form is our own.
        let done = sqlx::query(
            "UPDATE accounts SET check_at = $1 WHERE check_at > $1 AND (SUBSTR(COALESCE(cause, ''), 1, 7) = 'config_' \
             OR REPLACE(watch, '\"trouble\":\"config_', '') <> watch)",
        )
        .bind(at.0)
        .execute(self.conn())
        .await?;
        Ok(done.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

    use super::*;
    use crate::store::Kind;
    use crate::store::migrate::migrate;

    #[tokio::test]
    async fn what_is_due_is_found_by_its_time() {
        sqlx::any::install_default_drivers();
        let mut db = AnyConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut db, Kind::Sqlite, Millis(0)).await.unwrap();
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {LONGEST_DUE}"));
        let plan = sqlx::query(sql).bind(5_i64).bind(9_i64).fetch_all(&mut db).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        assert!(
            plan.iter().any(|line| line.starts_with("SEARCH accounts USING INDEX accounts_due")),
            "{plan:?}"
        );
        assert!(!plan.iter().any(|line| line.starts_with("SCAN accounts")), "{plan:?}");
    }
}
