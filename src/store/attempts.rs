//! Attempts: one try inside a session. What is shown and what the provider remembers are one sealed value,
//! so that they can only change together.

use std::fmt;

use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AttemptId, SessionId};
use crate::kernel::words::AttemptState;

const TABLE: &str = "attempts";
const SHOWN: &str = "shown";
const CODE: &str = "code";

/// The step that is shown and the provider's state behind it; the caller's bytes, sealed at rest.
pub type Shown = Zeroizing<Vec<u8>>;

/// One attempt.
#[derive(Clone)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The session it belongs to.
    pub session_id: SessionId,
    /// The claim it was begun under; another browser's claim leaves it behind.
    pub claim_no: i64,
    /// The provider.
    pub provider: String,
    /// The method, as its word.
    pub method: String,
    /// The host it runs on, from the configured list.
    pub host: String,
    /// Where it stands.
    pub state: AttemptState,
    /// What is shown.
    pub shown: Shown,
    /// The version that it was shown under first. A call that takes the attempt raises `version`; its outcome makes the
    /// two equal again.
    pub shown_version: i64,
    /// Raised by every change; an answer names the version it answers.
    pub version: i64,
    /// Which call holds it, while a provider is being asked.
    pub busy_by: Option<String>,
    /// Until when that call holds it, unless it renews.
    pub busy_until: Option<Millis>,
    /// The node that talks with the provider while the step stands.
    pub talks_on: Option<String>,
    /// The code that the step shows besides; the caller's bytes, sealed at rest.
    pub code: Option<Shown>,
    /// Raised with every code.
    pub code_version: i64,
    /// When it began.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, provider, state, version, .. } = self;
        f.debug_struct("Attempt")
            .field("id", id)
            .field("provider", provider)
            .field("state", state)
            .field("version", version)
            .finish_non_exhaustive()
    }
}

impl Attempt {
    /// Whether a call holds it at this moment.
    pub fn is_busy(&self, now: Millis) -> bool {
        self.busy_until.is_some_and(|until| until > now)
    }

    /// Whether a call took what is shown and never said what came of it.
    pub fn was_cut_off(&self, now: Millis) -> bool {
        self.version != self.shown_version && !self.is_busy(now)
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, session_id, claim_no, provider, method, host, state, shown, shown_version, version, busy_by, ",
            "busy_until, talks_on, code, code_version, created_at, updated_at FROM attempts ",
            $tail
        )
    };
}

impl Db {
    fn lift_attempt(&self, row: &AnyRow) -> Result<Attempt> {
        let mut columns = Columns::of(TABLE, row);
        let id: AttemptId = columns.word(|id| id.parse().ok())?;
        let shown_version;
        let code_version;
        Ok(Attempt {
            session_id: columns.word(|id| id.parse().ok())?,
            claim_no: columns.int()?,
            provider: columns.text()?,
            method: columns.text()?,
            host: columns.text()?,
            state: columns.word(AttemptState::parse)?,
            shown: {
                let sealed = columns.bytes()?;
                shown_version = columns.int()?;
                self.open(TABLE, SHOWN, id.as_str(), shown_version, &sealed)?
            },
            shown_version,
            version: columns.int()?,
            busy_by: columns.maybe_text()?,
            busy_until: columns.maybe_time()?,
            talks_on: columns.maybe_text()?,
            code: {
                let sealed = columns.maybe_bytes()?;
                code_version = columns.int()?;
                let open = |sealed: Vec<u8>| self.open(TABLE, CODE, id.as_str(), code_version, &sealed);
                sealed.map(open).transpose()?
            },
            code_version,
            created_at: columns.time()?,
            updated_at: columns.time()?,
            id,
        })
    }

    /// The attempt with this id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn attempt(&mut self, id: &AttemptId) -> Result<Option<Attempt>> {
        let found =
            sqlx::query(select!("WHERE id = $1")).bind(id.as_str()).fetch_optional(self.conn()).await?;
        found.as_ref().map(|row| self.lift_attempt(row)).transpose()
    }
}

impl Tx {
    /// Adds an attempt.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn insert_attempt(&mut self, attempt: &Attempt) -> Result<()> {
        let shown = self.seal(TABLE, SHOWN, attempt.id.as_str(), attempt.version, &attempt.shown);
        sqlx::query(
            "INSERT INTO attempts (id, session_id, claim_no, provider, method, host, state, shown, shown_version, \
             version, busy_by, busy_until, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13)",
        )
        .bind(attempt.id.as_str())
        .bind(attempt.session_id.as_str())
        .bind(attempt.claim_no)
        .bind(&*attempt.provider)
        .bind(&*attempt.method)
        .bind(&*attempt.host)
        .bind(attempt.state.as_str())
        .bind(shown)
        .bind(attempt.version)
        .bind(attempt.busy_by.as_deref())
        .bind(attempt.busy_until.map(|at| at.0))
        .bind(attempt.created_at.0)
        .bind(attempt.updated_at.0)
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Takes the attempt for one call to its provider: only if it is live, still has the version that was read
    /// and nobody else's call holds it. Raises the version by one.
    ///
    /// # Errors
    /// `Conflict` when it cannot be had, `Unavailable`.
    pub async fn take_attempt(&mut self, read: &Attempt, by: &str, now: Millis, until: Millis) -> Result<()> {
        let done = sqlx::query(
            "UPDATE attempts SET busy_by = $1, busy_until = $2, version = version + 1, updated_at = $3 \
             WHERE id = $4 AND version = $5 AND state = $6 AND (busy_until IS NULL OR busy_until <= $3)",
        )
        .bind(by)
        .bind(until.0)
        .bind(now.0)
        .bind(read.id.as_str())
        .bind(read.version)
        .bind(AttemptState::Live.as_str())
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Keeps hold of a taken attempt while the call runs.
    ///
    /// # Errors
    /// `Conflict` when it was lost, `Unavailable`.
    pub async fn renew_attempt(&mut self, id: &AttemptId, by: &str, until: Millis) -> Result<()> {
        let done = sqlx::query("UPDATE attempts SET busy_until = $1 WHERE id = $2 AND busy_by = $3")
            .bind(until.0)
            .bind(id.as_str())
            .bind(by)
            .execute(self.conn())
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Stores what follows from a call, lets go of the attempt and raises its version, all if it still has
    /// `version`. A conversation goes on only with a `live` step; its code belongs to the former one.
    ///
    /// # Errors
    /// `Conflict` when somebody else was quicker, `Unavailable`.
    pub async fn save_attempt(
        &mut self,
        id: &AttemptId,
        version: i64,
        state: AttemptState,
        shown: &[u8],
        live: bool,
        now: Millis,
    ) -> Result<()> {
        let sealed = self.seal(TABLE, SHOWN, id.as_str(), version + 1, shown);
        let done = sqlx::query(
            "UPDATE attempts SET state = $1, shown = $2, shown_version = $3, version = $3, busy_by = NULL, \
             busy_until = NULL, updated_at = $4, talks_on = CASE WHEN $7 = 1 THEN talks_on ELSE NULL END, \
             code = NULL, code_version = code_version + 1 WHERE id = $5 AND version = $6",
        )
        .bind(state.as_str())
        .bind(sealed)
        .bind(version + 1)
        .bind(now.0)
        .bind(id.as_str())
        .bind(version)
        .bind(i64::from(live))
        .execute(self.conn())
        .await?;
        if done.rows_affected() != 1 {
            return Err(Error::Conflict);
        }
        if state != AttemptState::Live {
            // Whoever comes back once more is still led to what came of it.
            self.empty_returns(id).await?;
        }
        Ok(())
    }

    /// Notes which provider a live attempt is with from now on.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn choose_provider(&mut self, id: &AttemptId, provider: &str, method: &str) -> Result<()> {
        sqlx::query("UPDATE attempts SET provider = $1, method = $2 WHERE id = $3")
            .bind(provider)
            .bind(method)
            .bind(id.as_str())
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Ends a live attempt that was left behind and forgets what it held.
    ///
    /// # Errors
    /// `Conflict` when it changed at the same moment, `Unavailable`.
    pub async fn end_attempt(&mut self, id: &AttemptId, now: Millis) -> Result<()> {
        let current: Option<i64> =
            sqlx::query_scalar("SELECT version FROM attempts WHERE id = $1 AND state = $2")
                .bind(id.as_str())
                .bind(AttemptState::Live.as_str())
                .fetch_optional(self.conn())
                .await?;
        match current {
            Some(version) => {
                self.save_attempt(id, version, AttemptState::Ended, b"", false, now).await?;
                self.let_go_of_held(id, now).await
            }
            None => Ok(()),
        }
    }
}
