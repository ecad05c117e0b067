//! Ways back: by the hash of its `state` a return finds the attempt that somebody left for a provider's pages. What it
//! brings is parked once, sealed, and taken out once, by whoever has the handle for it.

use std::fmt;

use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::AttemptId;

const TABLE: &str = "returns";
const PARKED: &str = "parked";
/// What is parked is written once.
const VERSION: i64 = 1;
/// How many steps back a return is still recognised for one that came too late.
const REMEMBERED: i64 = 16;

/// A way back.
#[derive(Clone)]
pub struct Return {
    /// The hash of its `state`.
    pub id: String,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The version of the step that the person was sent away from.
    pub attempt_version: i64,
    /// When somebody came back.
    pub parked_at: Option<Millis>,
}

/// A way back that somebody has come, and what they brought.
pub struct Parked {
    /// The way.
    pub way: Return,
    /// What they brought.
    pub brought: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Return").field("attempt_id", &self.attempt_id).finish_non_exhaustive()
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, attempt_id, attempt_version, parked_at, parked FROM returns ", $tail)
    };
}

impl Db {
    fn lift_return(&self, row: &sqlx::any::AnyRow) -> Result<(Return, Option<Zeroizing<Vec<u8>>>)> {
        let mut columns = Columns::of(TABLE, row);
        let way = Return {
            id: columns.text()?,
            attempt_id: columns.word(|id| id.parse().ok())?,
            attempt_version: columns.int()?,
            parked_at: columns.maybe_time()?,
        };
        let sealed = columns.maybe_bytes()?;
        let brought = sealed.map(|sealed| self.open(TABLE, PARKED, &way.id, VERSION, &sealed)).transpose()?;
        Ok((way, brought))
    }

    /// The way back with this hash.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn way_back(&mut self, id: &str) -> Result<Option<Return>> {
        let found = sqlx::query(select!("WHERE id = $1")).bind(id).fetch_optional(self.conn()).await?;
        found.map(|row| self.lift_return(&row).map(|(way, _)| way)).transpose()
    }

    /// What somebody brought back to an attempt, for whoever has the handle.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn parked(&mut self, attempt: &AttemptId, handle_hash: &str) -> Result<Option<Parked>> {
        let found = sqlx::query(select!("WHERE attempt_id = $1 AND handle_hash = $2"))
            .bind(attempt.as_str())
            .bind(handle_hash)
            .fetch_optional(self.conn())
            .await?;
        let Some(row) = found else { return Ok(None) };
        let (way, brought) = self.lift_return(&row)?;
        Ok(brought.map(|brought| Parked { way, brought }))
    }
}

impl Tx {
    /// Notes a way back to a step, and forgets those of steps long past.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn insert_return(&mut self, id: &str, attempt: &AttemptId, version: i64) -> Result<()> {
        sqlx::query("DELETE FROM returns WHERE attempt_id = $1 AND attempt_version <= $2")
            .bind(attempt.as_str())
            .bind(version - REMEMBERED)
            .execute(self.conn())
            .await?;
        sqlx::query("INSERT INTO returns (id, attempt_id, attempt_version) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(attempt.as_str())
            .bind(version)
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Parks what somebody brought; the first one wins, unless what it brought has lain there since before `stale`.
    ///
    /// # Errors
    /// `Conflict` when somebody came before, `Unavailable`.
    pub async fn park(
        &mut self,
        id: &str,
        brought: &[u8],
        handle_hash: &str,
        now: Millis,
        stale: Millis,
    ) -> Result<()> {
        let sealed = self.seal(TABLE, PARKED, id, VERSION, brought);
        let done = sqlx::query(
            "UPDATE returns SET parked = $1, handle_hash = $2, parked_at = $3 \
             WHERE id = $4 AND (parked_at IS NULL OR (parked IS NOT NULL AND parked_at < $5))",
        )
        .bind(sealed)
        .bind(handle_hash)
        .bind(now.0)
        .bind(id)
        .bind(stale.0)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Takes out what was parked, for good.
    ///
    /// # Errors
    /// `Conflict` when it is gone already, `Unavailable`.
    pub async fn take_parked(&mut self, id: &str) -> Result<()> {
        let done = sqlx::query(
            "UPDATE returns SET parked = NULL, handle_hash = NULL WHERE id = $1 AND parked IS NOT NULL",
        )
        .bind(id)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Forgets what was brought back to an attempt, and keeps the ways.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn empty_returns(&mut self, attempt: &AttemptId) -> Result<()> {
        sqlx::query("UPDATE returns SET parked = NULL, handle_hash = NULL WHERE attempt_id = $1")
            .bind(attempt.as_str())
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Forgets what has lain there since before `stale`, as if nobody had come; gives how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn forget_parked(&mut self, stale: Millis) -> Result<u64> {
        let done = sqlx::query(
            "UPDATE returns SET parked = NULL, handle_hash = NULL, parked_at = NULL \
             WHERE parked IS NOT NULL AND parked_at < $1",
        )
        .bind(stale.0)
        .execute(self.conn())
        .await?;
        Ok(done.rows_affected())
    }
}
