//! Watching over accounts: when each is looked at next, what is known from looking, and who holds one for the call that
//! asks its provider.
//!
//! A hold is never given up because a clock says so, since clocks disagree and jump: whoever wants it must have seen it
//! unchanged for long enough (the holder renews it while it lives), and names what it saw. What a holder writes beyond
//! that is guarded by the account's version, which holds do not raise.
//!
//! One account's hold is asked for in words that no index fits, so that a planner finds it by its id and not among all that
//! are held.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::AccountId;
use crate::kernel::words::UserAction;

/// What is known from looking at an account, and when it is looked at next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watch {
    /// Whom looking asks: those who share a lane wait for each other and for a provider that has trouble.
    #[serde(skip)]
    pub lane: String,
    /// When it is looked at next.
    #[serde(skip)]
    pub check_at: Millis,
    /// To which of our clients it was granted.
    #[serde(skip)]
    pub client: Option<String>,
    /// When its provider last answered definitely.
    pub checked_at: Option<Millis>,
    /// What somebody has to do.
    pub user_action: Option<UserAction>,
    /// Since when there has been no definite answer.
    pub silent_since: Option<Millis>,
    /// How often in a row there was none.
    pub silent: u32,
    /// Why there was none, or what was refused and is not believed yet: a stable code.
    pub trouble: Option<String>,
    /// How often in a row it was refused.
    pub refusals: u32,
    /// The next end that is known of.
    pub ends_at: Option<Millis>,
    /// Whether the backend was told of it.
    pub end_told: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            lane: String::new(),
            check_at: Millis(0),
            client: None,
            checked_at: None,
            user_action: None,
            silent_since: None,
            silent: 0,
            trouble: None,
            refusals: 0,
            ends_at: None,
            end_told: false,
        }
    }
}

/// Who holds an account, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The holder's word for itself; never used twice.
    pub by: String,
    /// What it renews while it lives; zero once somebody let go without knowing how the call ended.
    pub until: Millis,
}

/// Accounts to look at now.
#[derive(Clone, Debug)]
pub struct Looking {
    /// In this lane.
    pub lane: String,
    /// Those due by now.
    pub now: Millis,
    /// At most so many.
    pub limit: i64,
    /// The holder's word for itself.
    pub by: String,
    /// What it will renew.
    pub until: Millis,
}

impl Watch {
    pub(super) fn lift(columns: &mut Columns<'_>) -> Result<Self> {
        let (lane, check_at, client) = (columns.text()?, columns.time()?, columns.maybe_text()?);
        Ok(Self { lane, check_at, client, ..columns.json()? })
    }

    pub(super) fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// Reads who holds an account off its two columns.
pub(super) fn hold(columns: &mut Columns<'_>) -> Result<Option<Hold>> {
    let (by, until) = (columns.maybe_text()?, columns.maybe_time()?);
    Ok(until.map(|until| Hold { by: by.unwrap_or_default(), until }))
}

impl Db {
    /// Accounts that somebody holds.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn held_accounts(&mut self) -> Result<Vec<(AccountId, Hold)>> {
        let rows = sqlx::query("SELECT id, busy_by, busy_until FROM accounts WHERE busy_until > 0")
            .fetch_all(self.conn())
            .await?;
        let mut held = Vec::new();
        for row in &rows {
            let mut columns = Columns::of("accounts", row);
            let id = columns.word(|id| id.parse().ok())?;
            if let Some(hold) = hold(&mut columns)? {
                held.push((id, hold));
            }
        }
        Ok(held)
    }

    /// The ids of a person's accounts at a provider.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn identity_accounts(&mut self, provider: &str, identity_mark: &str) -> Result<Vec<AccountId>> {
        let sql = "SELECT id FROM accounts WHERE provider = $1 AND identity_mark = $2 ORDER BY id LIMIT 1000";
        let rows = sqlx::query(sql).bind(provider).bind(identity_mark).fetch_all(self.conn()).await?;
        rows.iter().map(|row| Columns::of("accounts", row).word(|id| id.parse().ok())).collect()
    }
}

impl Tx {
    /// Takes accounts that are due and that nobody holds, the longest due first; gives their ids, and whether it is not
    /// known how the last call about each ended.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn take_due(&mut self, looking: &Looking) -> Result<Vec<(AccountId, bool)>> {
        let due = self.shared.kind.skip_locked(
            "SELECT id, busy_until FROM accounts WHERE check_lane = $1 AND check_at <= $2 \
             AND (busy_until IS NULL OR busy_until = 0) ORDER BY check_at, id LIMIT $3",
        );
        let rows = sqlx::query(due)
            .bind(&*looking.lane)
            .bind(looking.now.0)
            .bind(looking.limit)
            .fetch_all(self.conn())
            .await?;
        let mut taken = Vec::new();
        for row in &rows {
            let mut columns = Columns::of("accounts", row);
            let id: AccountId = columns.word(|id| id.parse().ok())?;
            let left = columns.maybe_time()?.is_some();
            let done = sqlx::query(
                "UPDATE accounts SET busy_by = $1, busy_until = $2 \
                 WHERE id = $3 AND (busy_until IS NULL OR busy_until = 0)",
            )
            .bind(&*looking.by)
            .bind(looking.until.0)
            .bind(id.as_str())
            .execute(self.conn())
            .await?;
            if done.rows_affected() == 1 {
                taken.push((id, left));
            }
        }
        Ok(taken)
    }

    /// Takes hold of an account for the one call that asks its provider. `seen` is what stood there; that nobody lives
    /// behind it is the caller's to know. It may be repaired or deleted all the same, which raises its version or takes
    /// it away.
    ///
    /// # Errors
    /// `Conflict` when it changed since it was read, or somebody was quicker, `Unavailable`.
    pub async fn hold_account(
        &mut self,
        id: &AccountId,
        read_version: i64,
        seen: Option<&Hold>,
        hold: &Hold,
    ) -> Result<()> {
        let done = sqlx::query(
            "UPDATE accounts SET busy_by = $1, busy_until = $2 WHERE id = $3 AND version = $4 \
             AND COALESCE(busy_until, -1) = $5 AND (busy_until IS NULL OR busy_by = $6)",
        )
        .bind(&*hold.by)
        .bind(hold.until.0)
        .bind(id.as_str())
        .bind(read_version)
        .bind(seen.map_or(-1, |seen| seen.until.0))
        .bind(seen.map_or("", |seen| seen.by.as_str()))
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Keeps hold of an account while the call runs, or lets go of it (`None`). Zero lets go as well, and leaves a note that
    /// it is not known how the call ended.
    ///
    /// # Errors
    /// `Conflict` when the hold was lost, `Unavailable`.
    pub async fn keep_hold(&mut self, id: &AccountId, by: &str, until: Option<Millis>) -> Result<()> {
        let sql = "UPDATE accounts SET busy_until = $1 WHERE id = $2 AND busy_by = $3 AND COALESCE(busy_until, 0) > 0";
        let done = sqlx::query(sql)
            .bind(until.map(|at| at.0))
            .bind(id.as_str())
            .bind(by)
            .execute(self.conn())
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Lets go of an account for a holder that is gone, if it is held as it was seen.
    ///
    /// # Errors
    /// `Conflict` when it changed, `Unavailable`.
    pub async fn free_account(&mut self, id: &AccountId, seen: &Hold) -> Result<()> {
        let sql = "UPDATE accounts SET busy_until = 0 WHERE id = $1 AND busy_by = $2 AND busy_until = $3";
        let done = sqlx::query(sql)
            .bind(id.as_str())
            .bind(&*seen.by)
            .bind(seen.until.0)
            .execute(self.conn())
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Whether this holder still holds an account; what it would write is otherwise another's to write.
    ///
    /// # Errors
    /// `Conflict` when it does not, `Unavailable`.
    pub async fn holds(&mut self, id: &AccountId, by: &str) -> Result<()> {
        // Written, so that nobody takes it over before this transaction ends.
        let sql = "UPDATE accounts SET busy_by = busy_by WHERE id = $1 AND busy_by = $2 AND COALESCE(busy_until, 0) > 0";
        let done = sqlx::query(sql).bind(id.as_str()).bind(by).execute(self.conn()).await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Writes down what is known from looking, and lets go. `unknown` leaves a note that it is not known how the call
    /// ended.
    ///
    /// # Errors
    /// `Conflict` when the hold was lost or the account changed, `Unavailable`.
    pub async fn finish_look(
        &mut self,
        id: &AccountId,
        read_version: i64,
        by: &str,
        watch: &Watch,
        unknown: bool,
    ) -> Result<()> {
        let done = sqlx::query(
            "UPDATE accounts SET check_lane = $1, check_at = $2, client = $3, watch = $4, busy_until = $5 \
             WHERE id = $6 AND version = $7 AND busy_by = $8 AND COALESCE(busy_until, 0) > 0",
        )
        .bind(&*watch.lane)
        .bind(watch.check_at.0)
        .bind(watch.client.as_deref())
        .bind(watch.text())
        .bind(unknown.then_some(0_i64))
        .bind(id.as_str())
        .bind(read_version)
        .bind(by)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Puts a look off, and lets go.
    ///
    /// # Errors
    /// `Conflict` when the hold was lost, `Unavailable`.
    pub async fn put_off(&mut self, id: &AccountId, by: &str, at: Millis, unknown: bool) -> Result<()> {
        let sql = "UPDATE accounts SET check_at = $1, busy_until = $2 WHERE id = $3 AND busy_by = $4 AND COALESCE(busy_until, 0) > 0";
        let done = sqlx::query(sql)
            .bind(at.0)
            .bind(unknown.then_some(0_i64))
            .bind(id.as_str())
            .bind(by)
            .execute(self.conn())
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Leaves a note on an account that nobody holds that it is not known how the last call ended.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn leave_unknown(&mut self, id: &AccountId) -> Result<()> {
        let sql = "UPDATE accounts SET busy_until = 0 WHERE id = $1 AND busy_until IS NULL";
        sqlx::query(sql).bind(id.as_str()).execute(self.conn()).await?;
        Ok(())
    }

    /// Notes that a security event was taken; `false` when it was before.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn note_security_event(&mut self, id: &str, at: Millis) -> Result<bool> {
        let sql = "INSERT INTO security_events (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        let done = sqlx::query(sql).bind(id).bind(at.0).execute(self.conn()).await?;
        Ok(done.rows_affected() == 1)
    }
}
