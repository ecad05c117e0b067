//! Sessions: what a link stands for. The request's bytes are the caller's business and sealed.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use sqlx::query::{Query, QueryScalar};
use zeroize::Zeroizing;

use super::columns::Columns;
use super::conditions::conditions;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, AttemptId, SessionId};
use crate::kernel::traces::Parent;
use crate::kernel::words::{Dialect, Purpose, SessionState};

const TABLE: &str = "sessions";
const REQUEST: &str = "request";

/// One connect session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its public id.
    pub id: SessionId,
    /// The public API that made it.
    pub dialect: Dialect,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it stands; an open session past `expires_at` has expired.
    pub state: SessionState,
    /// SHA-256 of the link's secret.
    pub link_hash: String,
    /// The providers the person may choose from.
    pub providers: Vec<String>,
    /// What the backend asked for; sealed at rest, never changed.
    pub request: Zeroizing<Vec<u8>>,
    /// The mark of the product's own name for the person.
    pub name_mark: Option<String>,
    /// The provider that was asked for or detected, once there is only one.
    pub provider: Option<String>,
    /// The account to repair, later the account that came of it.
    pub account_id: Option<AccountId>,
    /// SHA-256 of the claiming browser's cookie.
    pub cookie_hash: Option<String>,
    /// How often it was claimed.
    pub claim_no: i64,
    /// When it was last claimed.
    pub claimed_at: Option<Millis>,
    /// The attempt under way, or the last one.
    pub attempt_id: Option<AttemptId>,
    /// How many secrets were tried in it.
    pub secrets_tried: i64,
    /// How many connections it made to hosts of its person's choice, with those set aside for an answer under way.
    pub connects: i64,
    /// Why it ended, or what last went wrong: a stable code.
    pub cause: Option<String>,
    /// Where in its backend's trace it was asked for.
    pub trace: Option<Parent>,
    /// The number of its latest event.
    pub seq: i64,
    /// Raised by every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When the link stops working.
    pub expires_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
}

impl Session {
    /// One that was just made and that nobody has opened yet.
    pub fn unopened(
        id: SessionId,
        dialect: Dialect,
        purpose: Purpose,
        link_hash: String,
        request: Zeroizing<Vec<u8>>,
        created_at: Millis,
        expires_at: Millis,
    ) -> Self {
        Self {
            id,
            dialect,
            purpose,
            state: SessionState::Open,
            link_hash,
            providers: Vec::new(),
            request,
            name_mark: None,
            provider: None,
            account_id: None,
            cookie_hash: None,
            claim_no: 0,
            claimed_at: None,
            attempt_id: None,
            secrets_tried: 0,
            connects: 0,
            cause: None,
            trace: None,
            seq: 0,
            version: 1,
            created_at,
            expires_at,
            ended_at: None,
        }
    }

    /// Where it stands at this moment: an open session past its time has expired, whether or not that was
    /// written down yet.
    pub fn state_at(&self, now: Millis) -> SessionState {
        match self.state {
            SessionState::Open if self.expires_at <= now => SessionState::Expired,
            state => state,
        }
    }
}

/// What may change of a session; the rest never does.
#[derive(Clone, Debug)]
pub struct SessionUpdate {
    /// See [`Session`].
    pub state: SessionState,
    /// See [`Session`].
    pub provider: Option<String>,
    /// See [`Session`].
    pub account_id: Option<AccountId>,
    /// See [`Session`].
    pub cookie_hash: Option<String>,
    /// See [`Session`].
    pub claim_no: i64,
    /// See [`Session`].
    pub claimed_at: Option<Millis>,
    /// See [`Session`].
    pub attempt_id: Option<AttemptId>,
    /// See [`Session`].
    pub secrets_tried: i64,
    /// See [`Session`].
    pub connects: i64,
    /// See [`Session`].
    pub cause: Option<String>,
    /// See [`Session`].
    pub ended_at: Option<Millis>,
}

impl From<&Session> for SessionUpdate {
    fn from(session: &Session) -> Self {
        Self {
            state: session.state,
            provider: session.provider.clone(),
            account_id: session.account_id.clone(),
            cookie_hash: session.cookie_hash.clone(),
            claim_no: session.claim_no,
            claimed_at: session.claimed_at,
            attempt_id: session.attempt_id.clone(),
            secrets_tried: session.secrets_tried,
            connects: session.connects,
            cause: session.cause.clone(),
            ended_at: session.ended_at,
        }
    }
}

/// Which sessions to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Only those made by this dialect.
    pub dialect: Option<Dialect>,
    /// Only those with this name's mark.
    pub name_mark: Option<String>,
    /// Only those older than this one (its id).
    pub before: Option<String>,
    /// Leave out this many of them.
    pub offset: i64,
    /// At most this many.
    pub limit: i64,
}

impl SessionFilter {
    /// The conditions, and what they compare with.
    pub(super) fn conditions(&self) -> (String, Vec<&str>) {
        conditions(&[
            ("dialect =", self.dialect.map(Dialect::as_str)),
            ("name_mark =", self.name_mark.as_deref()),
            ("id <", self.before.as_deref()),
        ])
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, dialect, purpose, state, link_hash, providers, request, name_mark, provider, account_id, cookie_hash, ",
            "claim_no, claimed_at, attempt_id, secrets_tried, connects, cause, trace, seq, version, created_at, expires_at, ended_at ",
            "FROM sessions ",
            $tail
        )
    };
}

impl Db {
    fn lift_session(&self, row: &AnyRow) -> Result<Session> {
        let mut columns = Columns::of(TABLE, row);
        let id: SessionId = columns.word(|id| id.parse().ok())?;
        Ok(Session {
            dialect: columns.word(Dialect::parse)?,
            purpose: columns.word(Purpose::parse)?,
            state: columns.word(SessionState::parse)?,
            link_hash: columns.text()?,
            providers: columns.json()?,
            request: self.open(TABLE, REQUEST, id.as_str(), 1, &columns.bytes()?)?,
            name_mark: columns.maybe_text()?,
            provider: columns.maybe_text()?,
            account_id: columns.maybe_word(|id| id.parse().ok())?,
            cookie_hash: columns.maybe_text()?,
            claim_no: columns.int()?,
            claimed_at: columns.maybe_time()?,
            attempt_id: columns.maybe_word(|id| id.parse().ok())?,
            secrets_tried: columns.int()?,
            connects: columns.int()?,
            cause: columns.maybe_text()?,
            trace: columns.maybe_word(Parent::parse)?,
            seq: columns.int()?,
            version: columns.int()?,
            created_at: columns.time()?,
            expires_at: columns.time()?,
            ended_at: columns.maybe_time()?,
            id,
        })
    }

    /// The session with this id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn session(&mut self, id: &SessionId) -> Result<Option<Session>> {
        let found =
            sqlx::query(select!("WHERE id = $1")).bind(id.as_str()).fetch_optional(self.conn()).await?;
        found.as_ref().map(|row| self.lift_session(row)).transpose()
    }

    /// The session that this link's secret opens.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn session_by_link(&mut self, link_hash: &str) -> Result<Option<Session>> {
        let found =
            sqlx::query(select!("WHERE link_hash = $1")).bind(link_hash).fetch_optional(self.conn()).await?;
        found.as_ref().map(|row| self.lift_session(row)).transpose()
    }

    /// The sessions whose id ends with these eight symbols, the newest first, five at most.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn sessions_by_end(&mut self, end: &str) -> Result<Vec<Session>> {
        // Every id has the same length; the databases count from the end differently, but from the start alike.
        let found = sqlx::query(select!("WHERE substr(id, 28, 8) = $1 ORDER BY id DESC LIMIT 5"))
            .bind(end)
            .fetch_all(self.conn())
            .await?;
        found.iter().map(|row| self.lift_session(row)).collect()
    }

    /// Sessions that are written down as open though their time has run out, the longest ago first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn late_sessions(&mut self, now: Millis, limit: i64) -> Result<Vec<SessionId>> {
        let rows = sqlx::query(
            "SELECT id FROM sessions WHERE state = $1 AND expires_at <= $2 ORDER BY expires_at, id LIMIT $3",
        )
        .bind(SessionState::Open.as_str())
        .bind(now.0)
        .bind(limit)
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(|row| Columns::of(TABLE, row).word(|id| id.parse().ok())).collect()
    }

    /// Sessions, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn sessions(&mut self, filter: &SessionFilter) -> Result<Vec<Session>> {
        let (conditions, values) = filter.conditions();
        let (limit, offset) = (values.len() + 1, values.len() + 2);
        let head = select!("");
        let sql = format!("{head}{conditions} ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}");
        let query = values.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), Query::bind);
        let rows = query.bind(filter.limit).bind(filter.offset).fetch_all(self.conn()).await?;
        rows.iter().map(|row| self.lift_session(row)).collect()
    }

    /// How many sessions a filter fits, whatever its page.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_sessions(&mut self, filter: &SessionFilter) -> Result<i64> {
        let whole = SessionFilter { before: None, ..filter.clone() };
        let (conditions, values) = whole.conditions();
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM sessions {conditions}"));
        let query = values.into_iter().fold(sqlx::query_scalar(sql), QueryScalar::bind);
        Ok(query.fetch_one(self.conn()).await?)
    }
}

impl Tx {
    /// Adds a session.
    ///
    /// # Errors
    /// `Conflict` when the link's secret is taken, `Unavailable`.
    pub async fn insert_session(&mut self, session: &Session) -> Result<()> {
        let request = self.seal(TABLE, REQUEST, session.id.as_str(), 1, &session.request);
        sqlx::query(
            "INSERT INTO sessions (id, dialect, purpose, state, link_hash, providers, request, name_mark, provider, \
             account_id, cookie_hash, claim_no, claimed_at, attempt_id, secrets_tried, connects, cause, trace, seq, version, created_at, \
             expires_at, ended_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
        )
        .bind(session.id.as_str())
        .bind(session.dialect.as_str())
        .bind(session.purpose.as_str())
        .bind(session.state.as_str())
        .bind(&*session.link_hash)
        .bind(serde_json::json!(session.providers).to_string())
        .bind(request)
        .bind(session.name_mark.as_deref())
        .bind(session.provider.as_deref())
        .bind(session.account_id.as_ref().map(AccountId::as_str))
        .bind(session.cookie_hash.as_deref())
        .bind(session.claim_no)
        .bind(session.claimed_at.map(|at| at.0))
        .bind(session.attempt_id.as_ref().map(AttemptId::as_str))
        .bind(session.secrets_tried)
        .bind(session.connects)
        .bind(session.cause.as_deref())
        .bind(session.trace.as_ref().map(Parent::as_str))
        .bind(session.seq)
        .bind(session.version)
        .bind(session.created_at.0)
        .bind(session.expires_at.0)
        .bind(session.ended_at.map(|at| at.0))
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Changes the session if it still has the version that was read. Its event number is kept by
    /// [`Tx::append_session_event`] and not touched here.
    ///
    /// # Errors
    /// `Conflict` when somebody else was quicker, `Unavailable`.
    pub async fn update_session(
        &mut self,
        id: &SessionId,
        read_version: i64,
        update: &SessionUpdate,
    ) -> Result<()> {
        let done = sqlx::query(
            "UPDATE sessions SET state = $1, account_id = $2, cookie_hash = $3, claim_no = $4, claimed_at = $5, \
             attempt_id = $6, secrets_tried = $7, connects = $8, cause = $9, ended_at = $10, provider = $11, \
             version = version + 1 WHERE id = $12 AND version = $13",
        )
        .bind(update.state.as_str())
        .bind(update.account_id.as_ref().map(AccountId::as_str))
        .bind(update.cookie_hash.as_deref())
        .bind(update.claim_no)
        .bind(update.claimed_at.map(|at| at.0))
        .bind(update.attempt_id.as_ref().map(AttemptId::as_str))
        .bind(update.secrets_tried)
        .bind(update.connects)
        .bind(update.cause.as_deref())
        .bind(update.ended_at.map(|at| at.0))
        .bind(update.provider.as_deref())
        .bind(id.as_str())
        .bind(read_version)
        .execute(self.conn())
        .await?;
        if done.rows_affected() != 1 {
            return Err(Error::Conflict);
        }
        // Replies that wait for their call to come again hold the link, which opens nothing any more.
        if update.ended_at.is_some() { self.forget_calls_about(id).await } else { Ok(()) }
    }
}
