//! Grants on their way back to their provider. A row's mark says what would end with it: every grant that this person gave to
//! the same client, or that one alone. It is only worked on while no account lives by that, and a sign-in that completes
//! meanwhile takes it back.

use std::fmt;

use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, AttemptId, ReleaseId, SessionId};
use crate::kernel::words::ReleaseState;

const TABLE: &str = "releases";
const SECRET: &str = "secret";
/// The secret is written once.
const VERSION: i64 = 1;

/// Before the mark of a grant that ends alone.
pub const ALONE: &str = "grant:";

/// A grant to be ended.
#[derive(Clone)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// The provider.
    pub provider: String,
    /// The mark of the provider's id of the person, all of whose grants end with it; or, behind [`ALONE`], of the grant
    /// itself where it ends alone.
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
        self.identity_mark.starts_with(ALONE)
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

    /// How many accounts live by what a release would end: all of a person's, or the one with that grant, which may wait for
    /// its backend; and how many attempts still hold it by another row.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_uses(&mut self, release: &Release) -> Result<i64> {
        let sql = "SELECT (SELECT COUNT(*) FROM accounts WHERE provider = $1 AND identity_mark = $2) \
                   + (SELECT COUNT(*) FROM accounts WHERE provider = $1 AND grant_mark = $2) \
                   + (SELECT COUNT(*) FROM finishes WHERE provider = $1 AND grant_mark = $2) \
                   + (SELECT COUNT(*) FROM releases WHERE provider = $1 AND identity_mark = $2 \
                      AND held_by IS NOT NULL AND id <> $3)";
        let count = sqlx::query_scalar(sql).bind(&*release.provider).bind(&*release.identity_mark);
        Ok(count.bind(release.id.as_str()).fetch_one(self.conn()).await?)
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

    /// The mark of an account's own grant.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn own_mark(&mut self, account: &AccountId) -> Result<Option<String>> {
        let sql = "SELECT grant_mark FROM accounts WHERE id = $1 AND grant_mark IS NOT NULL";
        Ok(sqlx::query_scalar(sql).bind(account.as_str()).fetch_optional(self.conn()).await?)
    }

    /// Notes the mark of an account's own grant.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn note_grant(&mut self, account: &AccountId, mark: &str) -> Result<()> {
        let sql = "UPDATE accounts SET grant_mark = $1 WHERE id = $2";
        sqlx::query(sql).bind(mark).bind(account.as_str()).execute(self.conn()).await?;
        Ok(())
    }

    /// Notes the mark of the grant that waits for a session's code.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn note_waiting_grant(&mut self, session: &SessionId, mark: &str) -> Result<()> {
        let sql = "UPDATE finishes SET grant_mark = $1 WHERE session_id = $2";
        sqlx::query(sql).bind(mark).bind(session.as_str()).execute(self.conn()).await?;
        Ok(())
    }

    /// An account lives by the grant that waits for a session's code.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn take_waiting_grant(&mut self, account: &AccountId, session: &SessionId) -> Result<()> {
        let sql = "UPDATE accounts SET grant_mark = (SELECT grant_mark FROM finishes WHERE session_id = $1) \
                   WHERE id = $2";
        sqlx::query(sql).bind(session.as_str()).bind(account.as_str()).execute(self.conn()).await?;
        Ok(())
    }

    /// What a live attempt held is not needed any more, and is due.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn let_go_of_held(&mut self, attempt: &AttemptId, now: Millis) -> Result<()> {
        sqlx::query(
            "UPDATE releases SET held_by = NULL, due_at = $1, version = version + 1 \
             WHERE held_by = $2 AND state = $3",
        )
        .bind(now.0)
        .bind(attempt.as_str())
        .bind(ReleaseState::Due.as_str())
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Whether one with this mark is being ended at this moment or was since `granted_at`, and with it what was granted then;
    /// and how many wait to be.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn grants_ending(
        &mut self,
        provider: &str,
        identity_mark: &str,
        granted_at: Millis,
    ) -> Result<(bool, u64)> {
        let rows =
            sqlx::query("SELECT state, ended_at FROM releases WHERE provider = $1 AND identity_mark = $2")
                .bind(provider)
                .bind(identity_mark)
                .fetch_all(self.conn())
                .await?;
        let (mut ending, mut due) = (false, 0);
        for row in &rows {
            let mut columns = Columns::of(TABLE, row);
            let (state, ended_at) = (columns.word(ReleaseState::parse)?, columns.maybe_time()?);
            match state {
                ReleaseState::Due => due += 1,
                ReleaseState::Ending => ending = true,
                ReleaseState::Ended => ending |= ended_at.is_some_and(|at| at >= granted_at),
            }
        }
        Ok((ending, due))
    }

    /// Takes back every grant with this mark that waits to be ended, since an account or an attempt lives by it again. `false`
    /// when one is being ended at this moment or was since `granted_at`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn keep_grants(
        &mut self,
        provider: &str,
        identity_mark: &str,
        granted_at: Millis,
    ) -> Result<bool> {
        let (ending, due) = self.grants_ending(provider, identity_mark, granted_at).await?;
        if ending || due == 0 {
            return Ok(!ending);
        }
        let kept =
            sqlx::query("DELETE FROM releases WHERE provider = $1 AND identity_mark = $2 AND state = $3")
                .bind(provider)
                .bind(identity_mark)
                .bind(ReleaseState::Due.as_str())
                .execute(self.conn())
                .await?;
        // Fewer, or one that is ending by now: somebody began to at this moment.
        let (ending, _) = self.grants_ending(provider, identity_mark, granted_at).await?;
        Ok(kept.rows_affected() >= due && !ending)
    }
}
