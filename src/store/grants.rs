//! Grants on their way back to their provider. Ending one there ends every grant that this person gave to the same
//! client, so a row is only worked on while nothing else of theirs is connected, and a sign-in that completes meanwhile
//! takes it back.

use std::fmt;

use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AttemptId, ReleaseId};
use crate::kernel::words::ReleaseState;

const TABLE: &str = "releases";
const SECRET: &str = "secret";
/// The secret is written once.
const VERSION: i64 = 1;

/// A grant to be ended.
#[derive(Clone)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// The provider.
    pub provider: String,
    /// The mark of the provider's id of the person, all of whose grants end with it; empty where it ends alone.
    pub identity_mark: String,
    /// What ends the grant; sealed at rest, and forgotten once it has.
    pub secret: Zeroizing<Vec<u8>>,
    /// Whether the provider may be being asked.
    pub state: ReleaseState,
    /// How often it was asked.
    pub tries: i64,
    /// When it is asked next, or when whoever asks is given up.
    pub due_at: Millis,
    /// Raised by every change.
    pub version: i64,
    /// When it was no longer needed.
    pub created_at: Millis,
    /// The live attempt that may still make an account of it. Once that ends, it is due.
    pub held_by: Option<AttemptId>,
}

impl Release {
    /// Whether it ends alone.
    pub fn stands_alone(&self) -> bool {
        self.identity_mark.is_empty()
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, provider, identity_mark, secret, state, tries, due_at, version, created_at, held_by \
             FROM releases ",
            $tail
        )
    };
}

impl Db {
    fn lift_release(&self, row: &AnyRow) -> Result<Release> {
        let mut columns = Columns::of(TABLE, row);
        let id: ReleaseId = columns.word(|id| id.parse().ok())?;
        Ok(Release {
            provider: columns.text()?,
            identity_mark: columns.text()?,
            secret: match columns.maybe_bytes()? {
                Some(sealed) => self.open(TABLE, SECRET, id.as_str(), VERSION, &sealed)?,
                None => Zeroizing::default(),
            },
            state: columns.word(ReleaseState::parse)?,
            tries: columns.int()?,
            due_at: columns.time()?,
            version: columns.int()?,
            created_at: columns.time()?,
            held_by: columns.maybe_text()?.and_then(|id| id.parse().ok()),
            id,
        })
    }

    /// Grants to be ended by now, those that were given up by whoever asked included; the longest due first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn due_releases(&mut self, now: Millis, limit: i64) -> Result<Vec<Release>> {
        let rows = sqlx::query(select!("WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2"))
            .bind(now.0)
            .bind(limit)
            .fetch_all(self.conn())
            .await?;
        rows.iter().map(|row| self.lift_release(row)).collect()
    }

    /// How many accounts this person connected at a provider, under whatever name.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_identity(&mut self, provider: &str, identity_mark: &str) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM accounts WHERE provider = $1 AND identity_mark = $2";
        Ok(sqlx::query_scalar(sql).bind(provider).bind(identity_mark).fetch_one(self.conn()).await?)
    }
}

impl Tx {
    /// Adds a grant to be ended.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn insert_release(&mut self, release: &Release) -> Result<()> {
        let secret = self.seal(TABLE, SECRET, release.id.as_str(), VERSION, &release.secret);
        sqlx::query(
            "INSERT INTO releases (id, provider, identity_mark, secret, state, tries, due_at, version, created_at, \
             held_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(release.id.as_str())
        .bind(&*release.provider)
        .bind(&*release.identity_mark)
        .bind(secret)
        .bind(release.state.as_str())
        .bind(release.tries)
        .bind(release.due_at.0)
        .bind(release.version)
        .bind(release.created_at.0)
        .bind(release.held_by.as_ref().map(AttemptId::as_str))
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Moves a grant on, if it still has the version that was read: to being asked about until a time, or to the next
    /// try.
    ///
    /// # Errors
    /// `Conflict` when somebody else was quicker, `Unavailable`.
    pub async fn move_release(
        &mut self,
        read: &Release,
        state: ReleaseState,
        tries: i64,
        due_at: Millis,
    ) -> Result<()> {
        let done = sqlx::query(
            "UPDATE releases SET state = $1, tries = $2, due_at = $3, version = version + 1 \
             WHERE id = $4 AND version = $5",
        )
        .bind(state.as_str())
        .bind(tries)
        .bind(due_at.0)
        .bind(read.id.as_str())
        .bind(read.version)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Writes down that a grant has ended at its provider. The row stays for a while, for sign-ins that were under way.
    ///
    /// # Errors
    /// `Conflict` when it changed meanwhile, `Unavailable`.
    pub async fn finish_release(&mut self, read: &Release, now: Millis, forget_at: Millis) -> Result<()> {
        let done = sqlx::query(
            "UPDATE releases SET state = $1, secret = NULL, ended_at = $2, due_at = $3, version = version + 1 \
             WHERE id = $4 AND version = $5",
        )
        .bind(ReleaseState::Ended.as_str())
        .bind(now.0)
        .bind(forget_at.0)
        .bind(read.id.as_str())
        .bind(read.version)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Forgets a grant.
    ///
    /// # Errors
    /// `Conflict` when it changed meanwhile, `Unavailable`.
    pub async fn remove_release(&mut self, read: &Release) -> Result<()> {
        let done = sqlx::query("DELETE FROM releases WHERE id = $1 AND version = $2")
            .bind(read.id.as_str())
            .bind(read.version)
            .execute(self.conn())
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// What a live attempt held is needed by its account from now on, or another grant takes its place.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_held(&mut self, attempt: &AttemptId) -> Result<()> {
        sqlx::query("DELETE FROM releases WHERE held_by = $1")
            .bind(attempt.as_str())
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// What a live attempt held is not needed any more, and is due.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn let_go_of_held(&mut self, attempt: &AttemptId, now: Millis) -> Result<()> {
        sqlx::query(
            "UPDATE releases SET held_by = NULL, due_at = $1, version = version + 1 WHERE held_by = $2",
        )
        .bind(now.0)
        .bind(attempt.as_str())
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Takes back every grant of this person that waits to be ended, since they are connected again. `false` when one
    /// is being ended at this moment or was since `granted_at`, and with it what they granted then.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_grants(
        &mut self,
        provider: &str,
        identity_mark: &str,
        granted_at: Millis,
    ) -> Result<bool> {
        let rows =
            sqlx::query("SELECT state, ended_at FROM releases WHERE provider = $1 AND identity_mark = $2")
                .bind(provider)
                .bind(identity_mark)
                .fetch_all(self.conn())
                .await?;
        let mut due = 0;
        for row in &rows {
            let mut columns = Columns::of(TABLE, row);
            let (state, ended_at) = (columns.word(ReleaseState::parse)?, columns.maybe_time()?);
            match state {
                ReleaseState::Due => due += 1,
                ReleaseState::Ending => return Ok(false),
                ReleaseState::Ended if ended_at.is_some_and(|at| at >= granted_at) => return Ok(false),
                ReleaseState::Ended => {}
            }
        }
        if due == 0 {
            return Ok(true);
        }
        let kept =
            sqlx::query("DELETE FROM releases WHERE provider = $1 AND identity_mark = $2 AND state = $3")
                .bind(provider)
                .bind(identity_mark)
                .bind(ReleaseState::Due.as_str())
                .execute(self.conn())
                .await?;
        // Fewer: somebody began to end one at this moment.
        Ok(kept.rows_affected() >= due)
    }
}
