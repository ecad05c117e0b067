//! Sign-ins that wait for the product's backend. A row is there from the sign-in until its code is redeemed or given up,
//! and exactly one of the two takes it away. What repairs an account waits in the row; a new account's own row holds it.

use std::fmt;

use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, SessionId};

const TABLE: &str = "finishes";
const DETAILS: &str = "details";
const SECRET: &str = "secret";
/// What is sealed is written once.
const VERSION: i64 = 1;

/// What repairs an account once its code is redeemed; sealed at rest.
#[derive(Clone)]
pub struct Aside {
    /// The account's new public part.
    pub details: Zeroizing<Vec<u8>>,
    /// Its new secret.
    pub secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aside")
    }
}

/// A sign-in that waits.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The session that it ended.
    pub session_id: SessionId,
    /// The account, which may have been deleted since.
    pub account_id: AccountId,
    /// The provider.
    pub provider: String,
    /// SHA-256 of the code.
    pub code_hash: String,
    /// What repairs the account; `None` where the account's own row holds it already.
    pub aside: Option<Aside>,
    /// When the code stops working.
    pub due_at: Millis,
    /// When the person signed in.
    pub created_at: Millis,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT session_id, account_id, provider, code_hash, details, secret, due_at, created_at FROM finishes ",
            $tail
        )
    };
}

impl Db {
    fn lift_finish(&self, row: &AnyRow) -> Result<Finish> {
        let mut columns = Columns::of(TABLE, row);
        let id: SessionId = columns.word(|id| id.parse().ok())?;
        let open = |column, sealed: Vec<u8>| self.open(TABLE, column, id.as_str(), VERSION, &sealed);
        Ok(Finish {
            account_id: columns.word(|id| id.parse().ok())?,
            provider: columns.text()?,
            code_hash: columns.text()?,
            aside: match (columns.maybe_bytes()?, columns.maybe_bytes()?) {
                (Some(details), Some(secret)) => {
                    Some(Aside { details: open(DETAILS, details)?, secret: open(SECRET, secret)? })
                }
                _ => None,
            },
            due_at: columns.time()?,
            created_at: columns.time()?,
            session_id: id,
        })
    }

    /// What waits for a session's code.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn finish(&mut self, session: &SessionId) -> Result<Option<Finish>> {
        let found = sqlx::query(select!("WHERE session_id = $1"))
            .bind(session.as_str())
            .fetch_optional(self.conn())
            .await?;
        found.as_ref().map(|row| self.lift_finish(row)).transpose()
    }

    /// What else waits for the same account, the longest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn next_finish(&mut self, besides: &Finish) -> Result<Option<Finish>> {
        let sql =
            select!("WHERE account_id = $1 AND session_id <> $2 ORDER BY created_at, session_id LIMIT 1");
        let found = sqlx::query(sql)
            .bind(besides.account_id.as_str())
            .bind(besides.session_id.as_str())
            .fetch_optional(self.conn())
            .await?;
        found.as_ref().map(|row| self.lift_finish(row)).transpose()
    }

    /// Sessions whose code has run out, the longest ago first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn late_finishes(&mut self, now: Millis, limit: i64) -> Result<Vec<SessionId>> {
        let sql = "SELECT session_id FROM finishes WHERE due_at <= $1 ORDER BY due_at, session_id LIMIT $2";
        let rows = sqlx::query(sql).bind(now.0).bind(limit).fetch_all(self.conn()).await?;
        rows.iter().map(|row| Columns::of(TABLE, row).word(|id| id.parse().ok())).collect()
    }
}

impl Tx {
    /// Adds a sign-in that waits.
    ///
    /// # Errors
    /// `Conflict` when the session has one, `Unavailable`.
    pub async fn insert_finish(&mut self, finish: &Finish) -> Result<()> {
        let id = finish.session_id.as_str();
        let sealed = finish.aside.as_ref().map(|aside| {
            let details = self.seal(TABLE, DETAILS, id, VERSION, &aside.details);
            (details, self.seal(TABLE, SECRET, id, VERSION, &aside.secret))
        });
        let (details, secret) = sealed.unzip();
        sqlx::query(
            "INSERT INTO finishes (session_id, account_id, provider, code_hash, details, secret, due_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id)
        .bind(finish.account_id.as_str())
        .bind(&*finish.provider)
        .bind(&*finish.code_hash)
        .bind(details)
        .bind(secret)
        .bind(finish.due_at.0)
        .bind(finish.created_at.0)
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Writes down that what waited in the row is in the account's own now.
    ///
    /// # Errors
    /// `Conflict` when nothing waits for this session, `Unavailable`.
    pub async fn empty_finish(&mut self, session: &SessionId) -> Result<()> {
        let sql =
            "UPDATE finishes SET details = NULL, secret = NULL, grant_mark = NULL WHERE session_id = $1";
        let done = sqlx::query(sql).bind(session.as_str()).execute(self.conn()).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Ends the wait.
    ///
    /// # Errors
    /// `Conflict` when somebody else was quicker, `Unavailable`.
    pub async fn remove_finish(&mut self, session: &SessionId) -> Result<()> {
        let sql = "DELETE FROM finishes WHERE session_id = $1";
        let done = sqlx::query(sql).bind(session.as_str()).execute(self.conn()).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }
}
